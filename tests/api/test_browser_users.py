"""A signed-in browser submits for itself, with its CSRF token, and nothing else. Against the running service, signed in for real."""

import re
from collections.abc import Iterator

import httpx
import pytest

from leaderboard.api import urls
from tests.servers.stack import Stack

PASSWORD = "correct horse battery"
MAKE_ADA = f"""
from django.contrib.auth.models import User
if not User.objects.filter(username="ada-of-the-site").exists():
    User.objects.create_superuser("ada-of-the-site", password="{PASSWORD}", first_name="Ada")
"""
BODY = {"score": 5, "leaderboards": ["global"]}


@pytest.fixture
def browser(stack: Stack) -> Iterator[httpx.Client]:
    """Signed in through the admin's own form; cookies kept as a browser keeps them."""
    stack.manage("shell", "-c", MAKE_ADA)
    with httpx.Client(base_url=stack.url, headers={"Referer": stack.url + "/"}, trust_env=False) as client:
        client.get("/admin/login/")
        form = {"username": "ada-of-the-site", "password": PASSWORD, "csrfmiddlewaretoken": client.cookies["csrftoken"]}
        assert client.post("/admin/login/?next=/admin/", data=form).status_code == 302
        yield client


def test_a_user_submits_for_itself(browser: httpx.Client) -> None:
    response = browser.post("/api/v1/scores/", json=BODY, headers={"X-CSRFToken": browser.cookies["csrftoken"]})
    assert (response.status_code, response.json()["player"]) == (201, "ada-of-the-site")


def test_a_users_submits_count_for_the_user_and_what_proves_nothing_for_its_address(browser: httpx.Client) -> None:
    proven, unproven = (
        browser.post("/api/v1/scores/", json=BODY, headers={"X-CSRFToken": token}) for token in (browser.cookies["csrftoken"], "x")
    )
    assert (proven.status_code, proven.headers["RateLimit-Policy"]) == (201, '"submit";q=90000;w=1')
    assert (unproven.status_code, unproven.headers["RateLimit-Policy"]) == (403, '"submit";q=100000;w=1')


@pytest.mark.parametrize("token", [None, "d" * 32])
def test_without_its_csrf_token_nothing_is_written(browser: httpx.Client, stack: Stack, token: str | None) -> None:
    before = browser.get("/api/v1/leaderboard/global/top/").json()["entries"]
    response = browser.post("/api/v1/scores/", json=BODY, headers={"X-CSRFToken": token} if token else {})
    assert (response.status_code, response.json()["code"]) == (403, "csrf_failed")
    assert browser.get("/api/v1/leaderboard/global/top/").json()["entries"] == before


def test_a_user_may_not_name_a_player(browser: httpx.Client) -> None:
    response = browser.post("/api/v1/scores/", json={**BODY, "player": "bo"}, headers={"X-CSRFToken": browser.cookies["csrftoken"]})
    assert (response.status_code, response.json()["code"]) == (403, "player_not_allowed")


def test_an_authoritative_board_takes_keys_only(browser: httpx.Client, stack: Stack) -> None:
    stack.manage("create_board", "--game", "default", "--slug", "official", "--operator", "best", "--game-mode", "official")
    make_official = "from leaderboard.models import *; Leaderboard.objects.filter(slug='official').update(authoritative=True)"
    stack.manage("shell", "-c", make_official)
    body = {"score": 5, "leaderboards": ["official"], "game_mode": "official"}
    response = browser.post("/api/v1/scores/", json=body, headers={"X-CSRFToken": browser.cookies["csrftoken"]})
    assert (response.status_code, response.json()["code"]) == (403, "authoritative_board")
    by_key = httpx.post(
        f"{stack.url}/api/v1/scores/", json={**body, "player": "ada"}, headers={"Authorization": f"Api-Key {stack.api_key}"}
    )
    assert by_key.status_code == 201


def test_a_user_sees_and_names_itself_with_its_csrf_token_only(browser: httpx.Client) -> None:
    token = {"X-CSRFToken": browser.cookies["csrftoken"]}
    refused = browser.patch("/api/v1/players/me/", json={"name": "Mallory"})
    assert (refused.status_code, refused.json()["code"]) == (403, "csrf_failed")
    renamed = browser.patch("/api/v1/players/me/", json={"name": "Ada of the site"}, headers=token)
    assert (renamed.status_code, renamed.json()) == (200, {"player": "ada-of-the-site", "name": "Ada of the site", "game": None})
    assert browser.get("/api/v1/players/me/").json() == renamed.json()


def test_an_ended_session_is_nobody(browser: httpx.Client) -> None:
    browser.cookies.set("sessionid", "gone")
    response = browser.post("/api/v1/scores/", json=BODY, headers={"X-CSRFToken": browser.cookies["csrftoken"]})
    assert (response.status_code, response.json()["code"]) == (401, "not_authenticated")


WRITES = [
    (method, "/api/v1/" + re.sub(r"<\w+:\w+>", "global", str(route.pattern)))
    for route in urls.urlpatterns
    for method in ("post", "put", "patch", "delete")
    if hasattr(getattr(route.callback, "view_class", None), method)
]


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_a_forged_request_of_another_site_writes_nothing(browser: httpx.Client, stack: Stack, method: str, path: str) -> None:
    """CSRF: the browser sends the cookies along, and that is all the other site can make it do."""
    state = "from leaderboard.models import *; print([m.objects.count() for m in (GameSession, EntryEdit, Leaderboard, ApiKey)])"
    before = stack.manage("shell", "-v0", "-c", state)
    answer = browser.request(method, path, json=BODY, headers={"Origin": "https://elsewhere.example"})
    assert 400 <= answer.status_code < 500, answer.text
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert stack.manage("shell", "-v0", "-c", state) == before


@pytest.mark.parametrize("path", ["", "leaderboard/", "leaderboard/add/", "leaderboardentry/", "gamesession/", "apikey/", "game/"])
def test_the_admin_shows_its_pages(browser: httpx.Client, path: str) -> None:
    assert browser.get(f"/admin/leaderboard/{path}").status_code == 200


def test_pages_are_served_with_a_strict_policy(browser: httpx.Client) -> None:
    page = browser.get("/")
    assert page.status_code == 200
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert "<style" not in page.text
    assert browser.get("/static/realtime/js/page.js").status_code == 200
    assert browser.get("/boards/nowhere/").status_code == 404
