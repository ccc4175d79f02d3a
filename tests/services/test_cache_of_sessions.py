"""Browser sessions are in the cache and in the database: signed in for real, at the running service, with Redis there and away."""

import re
import time
from collections.abc import Callable, Iterator

import httpx
import msgspec
import pytest
import redis
from django.contrib.auth.models import User
from django.core.cache import caches
from pytest_django.fixtures import Settings

from leaderboard.cache.django import LIFE_S
from tests.servers.redis import RedisServer, start_redis
from tests.servers.stack import Stack, start_stack

pytestmark = pytest.mark.slow  # starts processes

PASSWORD = "correct horse battery"
MAKE_ADA = f"""
from django.contrib.auth.models import User
User.objects.create_superuser("ada", password="{PASSWORD}", first_name="Ada")
"""
SESSIONS = "gl:cache:django:1:django.contrib.sessions.cached_db*"


@pytest.fixture(scope="module")
def module_redis() -> Iterator[RedisServer]:
    server = start_redis()
    yield server
    server.stop()


@pytest.fixture
def own_redis(module_redis: RedisServer) -> Iterator[RedisServer]:
    """To mistreat: it is back, empty, for the next test."""
    yield module_redis
    module_redis.restart_empty()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, module_redis: RedisServer) -> Iterator[Stack]:
    """A process set over that Redis, with a staff user."""
    directory = tmp_path_factory.mktemp("site")
    with start_stack(f"sqlite:///{directory / 'db.sqlite3'}", module_redis.url, directory=directory) as stack:
        stack.manage("shell", "-c", MAKE_ADA)
        yield stack


@pytest.fixture
def browser(site: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=site.url, headers={"Referer": site.url + "/"}, trust_env=False, timeout=30) as client:
        yield client


def sign_in(browser: httpx.Client) -> None:
    browser.get("/admin/login/")
    form = {"username": "ada", "password": PASSWORD, "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
    assert browser.post("/admin/login/?next=/admin/", data=form).status_code == 302


def is_signed_in(browser: httpx.Client) -> bool:
    return browser.get("/admin/").status_code == 200


def sign_out(browser: httpx.Client) -> None:
    assert browser.post("/admin/logout/", data={"csrfmiddlewaretoken": browser.cookies["csrftoken"]}).status_code == 200


def test_a_session_is_kept_in_the_cache_and_a_lost_cache_loses_none(browser: httpx.Client, own_redis: RedisServer) -> None:
    sign_in(browser)
    assert is_signed_in(browser)
    with redis.Redis.from_url(own_redis.url) as client:
        (key,) = client.keys(SESSIONS)
        assert msgspec.msgpack.decode(client.get(key))["_auth_user_id"] == "1"
        assert 0 < client.ttl(key) <= LIFE_S
        client.set(key, b"\x80\x04no session")  # what pickle would have read
        assert is_signed_in(browser)
        client.flushdb()
        assert is_signed_in(browser)
        sign_out(browser)
        assert client.keys(SESSIONS) == []
    assert not is_signed_in(browser)


def test_without_redis_people_sign_in_and_out_and_submit(browser: httpx.Client, own_redis: RedisServer) -> None:
    own_redis.kill()
    sign_in(browser)
    assert is_signed_in(browser)
    token = {"X-CSRFToken": browser.cookies["csrftoken"]}
    assert browser.post("/api/v1/scores/", json={"score": 5, "leaderboards": ["global"]}, headers=token).status_code == 201
    sign_out(browser)
    assert not is_signed_in(browser)


def test_a_redis_that_hangs_holds_nobody_up(browser: httpx.Client, own_redis: RedisServer) -> None:
    sign_in(browser)
    own_redis.pause()
    try:
        assert is_signed_in(browser)
        sign_out(browser)
        sign_in(browser)
        assert is_signed_in(browser)
    finally:
        own_redis.resume()


# --- The cache that Django uses -----------------------------------------------------------------------------------------


@pytest.fixture
def use_redis(settings: Settings) -> Callable[[str], object]:
    """Django's default cache over the given server."""

    def use(url: str) -> object:
        settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": [url]}}
        return caches["default"]

    return use


def test_clearing_it_spares_what_else_is_in_the_server(use_redis: Callable[[str], object], own_redis: RedisServer) -> None:
    cache = use_redis(own_redis.url)
    own_redis.command("SET", "gl:of-the-index", "1")
    cache.set("a", {"b": [1, None, "c"]}, None)
    assert cache.get("a") == {"b": [1, None, "c"]}
    assert 0 < int(own_redis.command("TTL", "gl:cache:django:1:a")) <= LIFE_S
    cache.clear()
    assert (cache.get("a"), own_redis.command("GET", "gl:of-the-index")) == (None, "1")


def test_it_holds_what_msgpack_can_and_answers_as_empty_otherwise(use_redis: Callable[[str], object], own_redis: RedisServer) -> None:
    cache = use_redis(own_redis.url)
    cache.set("a", 2**70)
    assert cache.get("a", "nothing") == "nothing"
    own_redis.kill()
    cache.set("a", 1)
    assert (cache.get("a", "nothing"), cache.add("a", 1), cache.delete("a"), "a" in cache) == ("nothing", False, False, False)


# --- The admin ----------------------------------------------------------------------------------------------------------


def act(browser: httpx.Client, action: str, *ids: str) -> str:
    form = {"action": action, "_selected_action": list(ids), "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
    page = browser.post("/admin/leaderboard/leaderboard/", data=form, follow_redirects=True)
    assert page.status_code == 200
    return page.text


def test_staff_warm_and_clear_and_rebuild_boards_in_the_admin(browser: httpx.Client, site: Stack, own_redis: RedisServer) -> None:
    sign_in(browser)
    body = {"player": "bo", "score": 5}
    posted = httpx.post(f"{site.url}/api/v1/scores/", json=body, headers={"Authorization": f"Api-Key {site.api_key}"})
    assert posted.status_code == 201
    listed = browser.get("/admin/leaderboard/leaderboard/").text
    assert "Clear the cache of the chosen leaderboards" in listed
    with redis.Redis.from_url(own_redis.url) as client:
        before = client.xlen("gl:cache:notices")
        client.unlink(*client.keys("gl:cache:{player*"), "gl:none")
        warmed = re.search(r"Warm: global, (\d+) names\.", act(browser, "warm_cache", "1"))
        assert warmed is not None
        assert len(client.keys("gl:cache:{player*")) == int(warmed[1]) > 0
        assert "Cleared: global." in act(browser, "clear_cache", "1")
        assert client.keys("gl:cache:{player*") == []
        assert client.xlen("gl:cache:notices") == before + 1
        assert "Asked for: global." in act(browser, "rebuild_index", "1")
        site.wait_for_output("index rebuilt")
    own_redis.kill()
    assert "Not cleared" in act(browser, "clear_cache", "1")
    assert "Not warmed" in act(browser, "warm_cache", "1")
    assert "Not asked for" in act(browser, "rebuild_index", "1")


def test_a_name_that_somebody_else_changed_is_shown_within_seconds(browser: httpx.Client, site: Stack) -> None:
    auth = {"Authorization": f"Api-Key {site.api_key}"}
    assert httpx.post(f"{site.url}/api/v1/scores/", json={"player": "eve", "name": "Eve", "score": 5}, headers=auth).status_code == 201
    rank = "/api/v1/leaderboard/global/rank/{}/"
    assert browser.get(rank.format("eve")).json()["name"] == "Eve"
    assert browser.get(rank.format("countess")).status_code == 404
    rename = "u = User.objects.get(username='eve'); u.username = 'countess'; u.first_name = 'Countess'; u.save()"
    site.manage("shell", "-c", f"from django.contrib.auth.models import User; {rename}")
    deadline = time.monotonic() + 30
    while browser.get(rank.format("eve")).status_code != 404:
        assert time.monotonic() < deadline
    assert browser.get(rank.format("countess")).json()["name"] == "Countess"


@pytest.mark.django_db(transaction=True)
def test_only_a_change_of_names_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signing in saves a user too."""
    from leaderboard import signals

    told: list[tuple[int, set[str]]] = []
    appeared: list[str] = []
    monkeypatch.setattr(signals, "_changed", lambda user_id, names: told.append((user_id, names)))
    monkeypatch.setattr(signals, "_appeared", appeared.append)
    user = User.objects.create_user("ada")
    assert (told, appeared) == ([], ["ada"])
    user.save(update_fields=["last_login"])
    assert told == []
    user.username = "countess"
    user.save()
    user.first_name = "Countess"
    user.save(update_fields=["first_name"])
    user_id = user.pk
    user.delete()
    assert told == [(user_id, {"ada", "countess"}), (user_id, {"countess"}), (user_id, {"countess"})]
