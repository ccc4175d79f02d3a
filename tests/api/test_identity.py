"""Players sign in by device or password, renew their tokens, submit for themselves, and see and name themselves."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

import asyncpg
import httpx
import pytest

from leaderboard import runtime
from leaderboard.domain.errors import InvalidCredentials
from leaderboard.services import Services, sign_in
from leaderboard.services.moderation import erase_player
from leaderboard.services.threads import Threads
from leaderboard.services.tokens import ACCESS_S
from leaderboard.store import Player
from tests.cast import Cast
from tests.services.test_moderation import manage

T = TypeVar("T")

pytestmark = [pytest.mark.usefixtures("orm", "cast"), pytest.mark.slow]  # hashes passwords

PASSWORD = "correct horse battery"
DEVICE = "c0ffee00-0000-4000-8000-000000000001"


async def post(api: httpx.AsyncClient, what: str, **body: Any) -> httpx.Response:
    return await api.post(f"/api/v1/auth/{what}/", json=body)


async def registered(api: httpx.AsyncClient, username: str = "ada", game: str = "arcade") -> dict[str, Any]:
    response = await post(api, "register", username=username, password=PASSWORD, game=game)
    assert response.status_code == 201, response.text
    found: dict[str, Any] = response.json()
    return found


async def of_device(api: httpx.AsyncClient, device_id: str = DEVICE, game: str = "arcade") -> dict[str, Any]:
    response = await post(api, "device", device_id=device_id, game=game)
    assert response.status_code in (200, 201), response.text
    found: dict[str, Any] = response.json()
    return found


def bearer(signed: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {signed['access_token']}"}


async def submit(api: httpx.AsyncClient, signed: dict[str, Any], key: str = "", **body: Any) -> httpx.Response:
    headers = bearer(signed) | ({"Idempotency-Key": key} if key else {})
    return await api.post("/api/v1/scores/", json={"score": 7, **body}, headers=headers)


async def by_orm(work: Callable[..., T], *arguments: Any) -> T:
    """In a thread that begins after the fixture `orm`, and gives its connection back."""
    threads = Threads("test", count=1, waiting=0)
    try:
        return await threads.run(partial(work, *arguments))
    finally:
        await threads.aclose()


def refused(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


# --- By device ----------------------------------------------------------------------------------------------------------


async def test_a_device_makes_its_player_and_finds_it_again(api: httpx.AsyncClient) -> None:
    first = await post(api, "device", device_id=DEVICE, name="Ada", game="arcade")
    again = await post(api, "device", device_id=DEVICE, name="Somebody", game="arcade")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["player"] == again.json()["player"]
    assert (first.json()["name"], again.json()["name"]) == ("Ada", "Ada")
    assert first.headers["cache-control"] == "no-store"


async def test_the_answer_of_a_sign_in_has_the_fields_that_are_told(api: httpx.AsyncClient) -> None:
    signed = await of_device(api)
    fields = ["player", "name", "access_token", "token_type", "expires_in", "refresh_token", "refresh_expires_in"]
    assert list(signed) == fields
    assert (signed["token_type"], signed["expires_in"], signed["refresh_expires_in"]) == ("Bearer", 900, 30 * 24 * 3600)
    assert signed["name"] == signed["player"]


async def test_a_device_has_a_player_in_each_game(api: httpx.AsyncClient) -> None:
    players = {(await of_device(api, game=game))["player"] for game in ("default", "arcade", "rival")}
    assert len(players) == 3


async def test_ten_sign_ins_of_a_new_device_at_once_make_one_player(api: httpx.AsyncClient, cast: Cast) -> None:
    answers = await asyncio.gather(*(post(api, "device", device_id=DEVICE, game="arcade") for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [200] * 9 + [201]
    assert len({answer.json()["player"] for answer in answers}) == 1
    assert await cast.count("device") == 1
    assert (await cast.sql("SELECT count(*) FROM auth_user"))[0][0] == 1


async def test_no_secret_is_stored_as_it_was_sent(api: httpx.AsyncClient, cast: Cast) -> None:
    signed, _ = await of_device(api), await registered(api)
    rows = [await cast.sql(f"SELECT * FROM {table}") for table in ("leaderboard_device", "leaderboard_refreshtoken", "auth_user")]
    stored = repr(rows)
    for secret in (DEVICE, signed["refresh_token"], PASSWORD):
        assert secret not in stored
    assert "argon2id$v=19$m=19456,t=2,p=1" in stored


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"device_id": "x" * 15},
        {"device_id": "x" * 201},
        {"device_id": 12345678901234567890},
        {"device_id": DEVICE, "player": "ada"},
        {"device_id": DEVICE, "is_staff": True},
        [],
    ],
    ids=repr,
)
async def test_a_device_body_of_another_shape_is_refused(api: httpx.AsyncClient, cast: Cast, body: Any) -> None:
    response = await api.post("/api/v1/auth/device/", json=body)
    assert refused(response) == (400, "invalid_body")
    assert await cast.count("device") == 0


@pytest.mark.parametrize("name", ["", " x", "a\u202eb", "\u200bada", "x" * 151, "a\nb"], ids=repr)
async def test_a_name_to_show_is_one_that_could_be_submitted(api: httpx.AsyncClient, cast: Cast, name: str) -> None:
    assert refused(await post(api, "device", device_id=DEVICE, name=name)) == (400, "invalid_player")
    assert await cast.count("device") == 0


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("device", {"device_id": DEVICE}),
        ("register", {"username": "ada", "password": PASSWORD}),
        ("login", {"username": "ada", "password": PASSWORD}),
    ],
)
async def test_a_game_that_is_not_there_is_not_found(api: httpx.AsyncClient, what: str, body: dict[str, str]) -> None:
    assert refused(await post(api, what, **body, game="nowhere")) == (404, "not_found")


async def test_a_game_made_a_moment_ago_is_found(api: httpx.AsyncClient, cast: Cast) -> None:
    await of_device(api)
    await cast.sql("INSERT INTO leaderboard_game (slug, name) VALUES ('fresh', 'Fresh')")
    assert (await post(api, "device", device_id=DEVICE, game="fresh")).status_code == 201


# --- By name and password ---------------------------------------------------------------------------------------------------


async def test_a_registered_player_logs_in(api: httpx.AsyncClient) -> None:
    made = await post(api, "register", username="ada", password=PASSWORD, name="Ada", game="arcade")
    found = await post(api, "login", username="ada", password=PASSWORD, game="arcade")
    assert (made.status_code, found.status_code) == (201, 200)
    for answer in (made.json(), found.json()):
        assert (answer["player"], answer["name"]) == ("ada", "Ada")
        assert (await submit(api, answer)).status_code == 201


async def test_a_name_is_taken_once(api: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(post(api, "register", username="ada", password=PASSWORD + str(n), game="arcade") for n in range(5)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"name_taken"}


async def test_a_player_that_a_game_server_made_can_not_be_taken_over(api: httpx.AsyncClient, cast: Cast) -> None:
    await api.post("/api/v1/scores/", json={"player": "ada", "score": 100}, headers=cast.auth)
    assert refused(await post(api, "register", username="ada", password=PASSWORD, game="rival")) == (409, "name_taken")
    assert refused(await post(api, "login", username="ada", password=PASSWORD, game="arcade")) == (401, "invalid_credentials")


async def test_a_name_is_taken_in_whatever_normal_form_it_comes(api: httpx.AsyncClient) -> None:
    await registered(api, "Zo\u00eb")
    assert refused(await post(api, "register", username="Zoe\u0308", password=PASSWORD)) == (409, "name_taken")
    assert (await post(api, "login", username="Zoe\u0308", password=PASSWORD)).status_code == 200


@pytest.mark.parametrize("password", ["", "short", "12345678901234", "password123", "ada-lovelace"], ids=repr)
async def test_a_weak_password_is_refused_and_the_name_stays_free(api: httpx.AsyncClient, password: str) -> None:
    response = await post(api, "register", username="ada-lovelace", password=password)
    assert refused(response) == (400, "weak_password")
    assert {error["field"] for error in response.json()["errors"]} == {"password"}
    assert (await post(api, "register", username="ada-lovelace", password=PASSWORD)).status_code == 201


async def test_owasp_api2_an_unknown_name_and_a_wrong_password_are_told_alike_and_cost_alike(
    api: httpx.AsyncClient, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Enumerating users: of an unknown, a passwordless, a shut out and a known player the answer and the work are the same."""
    await registered(api, "ada")
    await registered(api, "bo")
    await cast.sql("UPDATE auth_user SET is_active = false WHERE username = 'bo'")
    await api.post("/api/v1/scores/", json={"player": "cy", "score": 1}, headers=cast.auth)
    answers, hashes = [], []
    for username, password in [("ada", "wrong " + PASSWORD), ("bo", PASSWORD), ("cy", PASSWORD), ("nobody", PASSWORD)]:
        with monkeypatch.context() as patch:
            counted = count_hashes(patch)
            response = await post(api, "login", username=username, password=password)
        answers.append({name: value for name, value in response.json().items() if name != "request_id"})
        hashes.append(len(counted))
    assert answers == [answers[0]] * 4
    assert answers[0]["code"] == "invalid_credentials"
    assert hashes == [1] * 4


def count_hashes(patch: pytest.MonkeyPatch) -> list[str]:
    from leaderboard.services.passwords import Argon2

    made: list[str] = []
    encode, verify = Argon2.encode, Argon2.verify
    patch.setattr(Argon2, "encode", lambda *given: made.append("encode") or encode(*given))
    patch.setattr(Argon2, "verify", lambda *given: made.append("verify") or verify(*given))
    return made


async def test_a_password_of_an_older_kind_is_hashed_anew(api: httpx.AsyncClient, cast: Cast) -> None:
    from django.contrib.auth.hashers import PBKDF2PasswordHasher

    await registered(api)
    await cast.sql("UPDATE auth_user SET password = $1", PBKDF2PasswordHasher().encode(PASSWORD, "salt", 1000))
    assert (await post(api, "login", username="ada", password=PASSWORD)).status_code == 200
    assert (await cast.sql("SELECT password FROM auth_user"))[0][0].startswith("argon2$argon2id")


# --- Guessing ---------------------------------------------------------------------------------------------------------------


async def fail(api: httpx.AsyncClient, username: str, times: int = 1) -> list[int]:
    return [(await post(api, "login", username=username, password=f"guess number {n}")).status_code for n in range(times)]


async def test_owasp_api2_guessing_a_password_ends_after_five_failures(api: httpx.AsyncClient, cast: Cast) -> None:
    await registered(api)
    assert await fail(api, "ada", 5) == [401] * 5
    locked = await post(api, "login", username="ada", password=PASSWORD)
    assert refused(locked) == (429, "too_many_attempts")
    assert locked.headers["retry-after"] == "900"
    assert (await post(api, "login", username="bo", password=PASSWORD)).status_code == 401, "others are not locked"
    await cast.sql("UPDATE axes_accessattempt SET attempt_time = $1", long_ago(cast, minutes=16))
    assert (await post(api, "login", username="ada", password=PASSWORD)).status_code == 200


async def test_guessing_on_does_not_lock_for_longer(api: httpx.AsyncClient, cast: Cast) -> None:
    await registered(api)
    await fail(api, "ada", 5)
    before = await cast.sql("SELECT failures_since_start, attempt_time FROM axes_accessattempt")
    assert await fail(api, "ada", 3) == [429] * 3
    assert await cast.sql("SELECT failures_since_start, attempt_time FROM axes_accessattempt") == before


async def test_a_guesser_elsewhere_does_not_lock_the_owner_out(api: httpx.AsyncClient, cast: Cast) -> None:
    await registered(api)
    await fail(api, "ada", 5)
    await cast.sql("UPDATE axes_accessattempt SET ip_address = '203.0.113.9'")
    assert (await post(api, "login", username="ada", password=PASSWORD)).status_code == 200


@pytest.mark.parametrize("column", ["username", "ip_address"])
async def test_owasp_api2_guessing_from_many_addresses_or_many_names_ends_too(api: httpx.AsyncClient, cast: Cast, column: str) -> None:
    """A crowd of guessers of one name, or one guesser of a crowd of names."""
    await registered(api)
    await fail(api, "ada")
    elsewhere = {"username": "ip_address = '203.0.113.9'", "ip_address": "username = 'somebody'"}[column]
    await cast.sql(f"UPDATE axes_accessattempt SET failures_since_start = 49, {elsewhere}")
    assert (await post(api, "login", username="ada", password=PASSWORD)).status_code == 200
    await cast.sql("UPDATE axes_accessattempt SET failures_since_start = 50")
    assert refused(await post(api, "login", username="ada", password=PASSWORD)) == (429, "too_many_attempts")


async def test_an_account_of_ones_own_does_not_wipe_out_an_addresss_failures(api: httpx.AsyncClient, cast: Cast) -> None:
    await registered(api, "mallory")
    await registered(api, "ada")
    await fail(api, "ada", 3)
    assert (await post(api, "login", username="mallory", password=PASSWORD)).status_code == 200
    assert await cast.sql("SELECT username, failures_since_start FROM axes_accessattempt") == [("ada", 3)]
    assert (await post(api, "login", username="ada", password=PASSWORD)).status_code == 200
    assert await cast.sql("SELECT count(*) FROM axes_accessattempt") == [(0,)]


async def test_what_is_kept_of_a_failure_holds_no_password(api: httpx.AsyncClient, cast: Cast, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    await post(api, "login", username="ada", password="a secret nobody may read")
    kept = repr(await cast.sql("SELECT * FROM axes_accessattempt"))
    assert "ada" in kept
    assert "nobody may read" not in kept + caplog.text


async def test_a_flood_of_logins_is_refused_and_other_work_goes_on(
    api: httpx.AsyncClient, cast: Cast, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    gate = threading.Event()
    signed = await of_device(api)
    monkeypatch.setattr(sign_in, "_log_in", lambda *_: gate.wait(30))
    room = sign_in.HASHING + sign_in.HASHING_WAITING
    waiting = [
        asyncio.create_task(services.sign_in.login("ada", PASSWORD, game="arcade", address="::1", now=runtime.utc_now()))
        for _ in range(room)
    ]
    await asyncio.sleep(0)
    response = await post(api, "login", username="ada", password=PASSWORD)
    assert refused(response) == (503, "overloaded")
    assert response.headers["retry-after"] == "1"
    refreshed = (await post(api, "refresh", refresh_token=signed["refresh_token"])).status_code
    submitted = (await submit(api, signed)).status_code
    gate.set()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert (refreshed, submitted) == (200, 201)


def long_ago(cast: Cast, **span: int) -> Any:
    moment = runtime.utc_now() - timedelta(**span)
    return moment.replace(tzinfo=None).isoformat(" ") if cast.database_url.startswith("sqlite") else moment


# --- Refresh and logout -------------------------------------------------------------------------------------------------------


async def refresh(api: httpx.AsyncClient, signed: dict[str, Any]) -> httpx.Response:
    return await post(api, "refresh", refresh_token=signed["refresh_token"])


async def test_a_refresh_gives_new_tokens_for_the_same_player_and_game(api: httpx.AsyncClient) -> None:
    first = await of_device(api)
    second = (await refresh(api, first)).json()
    assert list(second) == list(first)
    assert (second["player"], second["refresh_token"] == first["refresh_token"]) == (first["player"], False)
    assert (await submit(api, second, leaderboards=["arcade-best"])).status_code == 201
    assert (await refresh(api, second)).status_code == 200


async def test_owasp_api2_a_stolen_refresh_token_used_twice_ends_its_family(api: httpx.AsyncClient) -> None:
    """Whoever is first, the thief or the owner: with the second use both are out, and other sign-ins of the player go on."""
    stolen, elsewhere = await of_device(api), await of_device(api)
    successor = (await refresh(api, stolen)).json()
    assert refused(await refresh(api, stolen)) == (401, "invalid_credentials")
    assert refused(await refresh(api, successor)) == (401, "invalid_credentials")
    assert (await refresh(api, elsewhere)).status_code == 200


async def test_of_refreshes_at_once_no_two_hand_out_a_living_token(api: httpx.AsyncClient) -> None:
    signed = await of_device(api)
    answers = await asyncio.gather(*(refresh(api, signed) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 7
    (won,) = [answer.json() for answer in answers if answer.status_code == 200]
    assert refused(await refresh(api, won)) == (401, "invalid_credentials"), "it could as well have been a thief"


async def test_a_family_that_is_ended_while_it_grows_has_no_survivor(api: httpx.AsyncClient, cast: Cast) -> None:
    """The statement that ends it may wait for a rotation, whose successor it then does not see."""
    for number in range(5):
        first = await of_device(api, f"{DEVICE}-{number}")
        second = (await refresh(api, first)).json()
        await asyncio.gather(refresh(api, second), post(api, "logout", refresh_token=first["refresh_token"]), refresh(api, first))
    assert await cast.sql("SELECT count(*) FROM leaderboard_refreshtoken WHERE revoked_at IS NULL") == [(0,)]


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_a_logout_that_waits_for_a_refresh_ends_its_successor_too(api: httpx.AsyncClient, cast: Cast) -> None:
    """The refresh is a transaction by hand, so that it can be held open until the logout waits for its row."""
    signed = await of_device(api)
    async with asyncpg_transaction(cast.database_url) as refreshing:
        await refreshing.execute("UPDATE leaderboard_refreshtoken SET used_at = now()")
        await refreshing.execute(
            "INSERT INTO leaderboard_refreshtoken (user_id, game_id, family, digest, created_at, expires_at) "
            "SELECT user_id, game_id, family, 'successor', created_at, expires_at FROM leaderboard_refreshtoken"
        )
        logout = asyncio.create_task(post(api, "logout", refresh_token=signed["refresh_token"]))
        async with asyncio.timeout(10):
            while await cast.sql("SELECT count(*) FROM pg_locks WHERE NOT granted") == [(0,)]:
                await asyncio.sleep(0.01)
    assert (await logout).status_code == 204
    assert await cast.sql("SELECT count(*), count(revoked_at) FROM leaderboard_refreshtoken") == [(2, 2)]


@asynccontextmanager
async def asyncpg_transaction(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url)
    try:
        async with connection.transaction():
            yield connection
    finally:
        await connection.close()


async def test_after_logout_no_token_of_the_family_works(api: httpx.AsyncClient) -> None:
    first = await of_device(api)
    second = (await refresh(api, first)).json()
    gone = await post(api, "logout", refresh_token=second["refresh_token"])
    assert (gone.status_code, gone.content) == (204, b"")
    assert refused(await refresh(api, second)) == (401, "invalid_credentials")
    assert (await post(api, "logout", refresh_token=second["refresh_token"])).status_code == 204


@pytest.mark.parametrize("token", ["", "nonsense", "\x00", "é" * 200, "x" * 200])
async def test_a_refresh_token_that_is_none_is_refused(api: httpx.AsyncClient, token: str) -> None:
    assert refused(await post(api, "refresh", refresh_token=token)) == (401, "invalid_credentials")
    assert (await post(api, "logout", refresh_token=token)).status_code == 204


async def test_an_access_token_refreshes_nothing_and_a_refresh_token_submits_nothing(api: httpx.AsyncClient) -> None:
    signed = await of_device(api)
    assert refused(await post(api, "refresh", refresh_token=signed["access_token"][:200])) == (401, "invalid_credentials")
    assert refused(await submit(api, {"access_token": signed["refresh_token"]})) == (401, "not_authenticated")


async def test_a_refresh_token_ends_with_its_time(api: httpx.AsyncClient, services: Services) -> None:
    early, late = await of_device(api), await of_device(api)
    moment = runtime.utc_now() + timedelta(seconds=sign_in.REFRESH_S - 60)
    assert (await services.sign_in.refresh(early["refresh_token"], now=moment)).player == early["player"]
    with pytest.raises(InvalidCredentials):
        await services.sign_in.refresh(late["refresh_token"], now=moment + timedelta(seconds=60))


@pytest.mark.slow
async def test_the_clean_up_purges_refresh_tokens(api: httpx.AsyncClient, cast: Cast, redis_url: str) -> None:
    await of_device(api)
    await of_device(api)
    first = "(SELECT min(id) FROM leaderboard_refreshtoken)"
    await cast.sql(f"UPDATE leaderboard_refreshtoken SET expires_at = '2026-01-01 00:00:00+00:00' WHERE id = {first}")
    done = await asyncio.to_thread(manage, cast.database_url, redis_url, "shell", "-c", "from leaderboard import tasks; tasks.clean_up()")
    assert (done.returncode, await cast.count("refreshtoken")) == (0, 1), done.stderr


async def test_expired_refresh_tokens_are_purged_and_others_stay(api: httpx.AsyncClient, cast: Cast, services: Services) -> None:
    signed = await of_device(api)
    await services.sign_in.refresh(signed["refresh_token"], now=runtime.utc_now() + timedelta(days=10))
    assert await by_orm(sign_in.purge, runtime.utc_now() + timedelta(days=29)) == 0
    assert await by_orm(sign_in.purge, runtime.utc_now() + timedelta(days=31)) == 1
    assert await cast.count("refreshtoken") == 1


# --- What a token opens -----------------------------------------------------------------------------------------------------


async def test_a_player_submits_for_itself(api: httpx.AsyncClient) -> None:
    signed = await registered(api)
    response = await submit(api, signed, leaderboards=["arcade-best"])
    assert (response.status_code, response.json()["player"]) == (201, "ada")
    row = (await api.get("/api/v1/leaderboard/arcade-best/rank/ada/")).json()
    assert (row["rank"], row["score"]) == (1, 7)


async def test_owasp_api1_a_player_submits_for_nobody_else(api: httpx.AsyncClient, cast: Cast) -> None:
    signed = await registered(api, "mallory")
    for body in ({"player": "ada"}, {"player": "mallory"}, {"name": "Ada"}):
        assert refused(await submit(api, signed, **body)) == (403, "player_not_allowed")
    batch = {"scores": [{"score": 1, "player": "ada"}]}
    (item,) = (await api.post("/api/v1/scores/batch/", json=batch, headers=bearer(signed))).json()["results"]
    assert item["error"]["code"] == "player_not_allowed"
    assert await cast.count("gamesession") == 0


async def test_owasp_api1_a_token_of_one_game_is_of_no_use_in_another(api: httpx.AsyncClient, cast: Cast) -> None:
    signed = await registered(api, game="arcade")
    foreign = await submit(api, signed, leaderboards=["rival-best"])
    unknown = await submit(api, signed, leaderboards=["no-such-board"])
    assert refused(foreign) == refused(unknown) == (404, "leaderboard_not_found")
    assert refused(await submit(api, signed, leaderboards=["arcade-best", "rival-best"])) == (404, "leaderboard_not_found")
    assert await cast.count("gamesession") == 0
    fed = {row["leaderboard"] for row in (await submit(api, signed)).json()["results"]}
    assert fed == {"arcade-best", "arcade-sum"}


async def test_a_token_never_writes_to_an_authoritative_board(api: httpx.AsyncClient, cast: Cast) -> None:
    await cast.board("arcade-official", authoritative=True)
    signed = await registered(api)
    assert refused(await submit(api, signed, leaderboards=["arcade-official"])) == (403, "authoritative_board")
    assert "arcade-official" not in {row["leaderboard"] for row in (await submit(api, signed)).json()["results"]}
    assert await cast.count("gamesession") == 1


async def test_idempotency_keys_of_two_players_do_not_meet(api: httpx.AsyncClient, cast: Cast) -> None:
    ada, bo = await registered(api, "ada"), await registered(api, "bo")
    answers = [await submit(api, signed, "run-1") for signed in (ada, bo, ada)]
    assert [answer.json()["player"] for answer in answers] == ["ada", "bo", "ada"]
    assert [answer.headers.get("idempotency-replayed") for answer in answers] == [None, None, "true"]
    assert await cast.count("gamesession") == 2


async def test_idempotency_keys_of_a_player_in_two_games_do_not_meet(api: httpx.AsyncClient, cast: Cast) -> None:
    """A game's client may well name its runs 1, 2, 3."""
    here = await registered(api, game="arcade")
    there = (await post(api, "login", username="ada", password=PASSWORD, game="rival")).json()
    for signed, boards in ((here, {"arcade-best", "arcade-sum"}), (there, {"rival-best"})):
        assert {row["leaderboard"] for row in (await submit(api, signed, "1")).json()["results"]} == boards
    assert await cast.count("gamesession") == 2


async def test_a_token_that_is_renewed_keeps_the_players_idempotency_keys(api: httpx.AsyncClient, cast: Cast) -> None:
    first = await of_device(api)
    await submit(api, first, "run-1")
    second = (await refresh(api, first)).json()
    assert (await submit(api, second, "run-1")).headers.get("idempotency-replayed") == "true"
    assert await cast.count("gamesession") == 1


async def test_owasp_api2_forged_and_expired_tokens_are_nobody(api: httpx.AsyncClient, services: Services, cast: Cast) -> None:
    """A token without a signature (the none algorithm), one that another secret signed, one that is over, a ticket, garbage."""
    import jwt

    from leaderboard.services.tokens import Tokens

    signed, now = await registered(api), runtime.utc_now()
    (user_id,) = (await cast.sql("SELECT id FROM auth_user WHERE username = 'ada'"))[0]
    ada, game = Player(user_id, "ada", "ada"), cast.games["arcade"]
    claims = {"game": game, "sub": str(user_id), "username": "ada", "exp": now + timedelta(hours=1)}
    forged = {
        "none": jwt.encode(claims, "", algorithm="none", headers={"typ": "access"}),
        "other secret": Tokens("guessed").access(ada, game_id=game, now=now),
        "expired": services.tokens.access(ada, game_id=game, now=now - timedelta(seconds=ACCESS_S + 1)),
        "ticket": services.tokens.ticket(game_id=game, boards=None, player=ada, now=now),
        "cut": signed["access_token"][:-2],
        "garbage": "garbage",
    }
    for what, token in forged.items():
        response = await submit(api, {"access_token": token})
        assert refused(response) == (401, "not_authenticated"), what
        assert token not in response.text
    assert await cast.count("gamesession") == 0


async def test_a_deactivated_player_is_refused_everywhere(api: httpx.AsyncClient, cast: Cast) -> None:
    by_device, signed = await of_device(api), await registered(api)
    assert (await submit(api, signed, "before")).status_code == 201
    await cast.sql("UPDATE auth_user SET is_active = false")
    for held in (signed, by_device):
        assert refused(await submit(api, held)) == (400, "invalid_player")
        assert refused(await submit(api, held, "with a key")) == (400, "invalid_player")
        assert refused(await refresh(api, held)) == (401, "invalid_credentials")
        assert refused(await api.get("/api/v1/players/me/", headers=bearer(held))) == (401, "not_authenticated")
        assert refused(await api.patch("/api/v1/players/me/", json={"name": "X"}, headers=bearer(held))) == (401, "not_authenticated")
    assert refused(await post(api, "device", device_id=DEVICE, game="arcade")) == (401, "invalid_credentials")
    assert refused(await post(api, "login", username="ada", password=PASSWORD)) == (401, "invalid_credentials")
    by_key = await api.post("/api/v1/scores/", json={"player": "ada", "score": 1}, headers=cast.auth)
    assert refused(by_key) == (400, "invalid_player")
    assert await cast.count("gamesession") == 1
    await cast.sql("UPDATE auth_user SET is_active = true")
    assert (await submit(api, signed)).status_code == 201
    assert (await refresh(api, signed)).status_code == 200


async def test_a_token_of_an_erased_player_is_of_no_use(api: httpx.AsyncClient, cast: Cast) -> None:
    signed = await registered(api)
    await submit(api, signed)
    await by_orm(erase_player, "ada")
    assert refused(await submit(api, signed)) == (400, "invalid_player")
    assert refused(await refresh(api, signed)) == (401, "invalid_credentials")
    assert refused(await post(api, "login", username="ada", password=PASSWORD)) == (401, "invalid_credentials")
    assert [await cast.count(table) for table in ("gamesession", "leaderboardentry", "refreshtoken")] == [0, 0, 0]


async def test_an_erased_device_begins_anew_as_another_player(api: httpx.AsyncClient, cast: Cast) -> None:
    player = (await of_device(api))["player"]
    await by_orm(erase_player, player)
    assert [await cast.count(table) for table in ("device", "refreshtoken")] == [0, 0]
    again = await post(api, "device", device_id=DEVICE, game="arcade")
    assert (again.status_code, again.json()["player"] == player) == (201, False)


async def test_nobody_can_take_the_name_that_an_erased_account_gets(api: httpx.AsyncClient, cast: Cast) -> None:
    signed = await registered(api)
    (user_id,) = (await cast.sql("SELECT id FROM auth_user WHERE username = 'ada'"))[0]
    await registered(api, f"erased-{user_id}")
    await by_orm(erase_player, "ada")
    assert refused(await refresh(api, signed)) == (401, "invalid_credentials")


# --- A player as it sees itself -----------------------------------------------------------------------------------------------


async def test_a_player_sees_and_names_itself_and_boards_follow(api: httpx.AsyncClient, services: Services) -> None:
    signed = await registered(api)
    await submit(api, signed, leaderboards=["arcade-best"])
    top = "/api/v1/leaderboard/arcade-best/top/"
    assert [row["name"] for row in (await api.get(top)).json()["entries"]] == ["ada"]
    renamed = await api.patch("/api/v1/players/me/", json={"name": "Countess Zoe\u0308"}, headers=bearer(signed))
    assert (renamed.status_code, renamed.json()) == (200, {"player": "ada", "name": "Countess Zo\u00eb", "game": "arcade"})
    assert (await api.get("/api/v1/players/me/", headers=bearer(signed))).json() == renamed.json()
    await services.catalogs.refresh()  # what each process does within a second
    assert [row["name"] for row in (await api.get(top)).json()["entries"]] == ["Countess Zo\u00eb"]
    assert (await refresh(api, signed)).json()["name"] == "Countess Zo\u00eb"


@pytest.mark.parametrize("name", ["", " ", "a\u202eb", "\u200b", "x" * 151, "a\x00b"], ids=repr)
async def test_a_name_that_is_none_changes_nothing(api: httpx.AsyncClient, name: str) -> None:
    signed = await registered(api)
    response = await api.patch("/api/v1/players/me/", json={"name": name}, headers=bearer(signed))
    assert refused(response) == (400, "invalid_player")
    assert (await api.get("/api/v1/players/me/", headers=bearer(signed))).json()["name"] == "ada"


async def test_owasp_api3_a_player_changes_its_name_and_nothing_else(api: httpx.AsyncClient, cast: Cast) -> None:
    signed = await registered(api)
    for more in ({"is_staff": True}, {"player": "bo"}, {"username": "bo"}, {"is_superuser": True}, {"id": 1}):
        response = await api.patch("/api/v1/players/me/", json={"name": "Ada", **more}, headers=bearer(signed))
        assert refused(response) == (400, "invalid_body")
    for also in ({"is_staff": True}, {"player": "bo"}, {"is_superuser": True}, {"id": 1}):
        assert refused(await post(api, "register", username="bo", password=PASSWORD, **also)) == (400, "invalid_body")
    assert await cast.sql("SELECT username, is_staff, is_superuser, first_name FROM auth_user") == [("ada", False, False, "")]


async def test_a_key_and_a_ticket_are_no_player(api: httpx.AsyncClient, cast: Cast, services: Services) -> None:
    await registered(api)
    ada = await services.players.named("ada")
    ticket = services.tokens.ticket(game_id=cast.games["arcade"], boards=None, player=ada, now=runtime.utc_now())
    for headers in (cast.auth, {"Authorization": f"Ticket {ticket}"}):
        assert refused(await api.get("/api/v1/players/me/", headers=headers)) == (403, "forbidden")
        assert refused(await api.patch("/api/v1/players/me/", json={"name": "X"}, headers=headers)) == (403, "forbidden")
    assert refused(await api.get("/api/v1/players/me/")) == (401, "not_authenticated")


@pytest.mark.parametrize("what", ["device", "register", "login", "refresh", "logout"])
async def test_a_sign_in_takes_post_and_json_only(api: httpx.AsyncClient, what: str) -> None:
    assert refused(await api.get(f"/api/v1/auth/{what}/")) == (405, "method_not_allowed")
    form = await api.post(f"/api/v1/auth/{what}/", data={"username": "ada", "password": PASSWORD})
    assert refused(form) == (415, "unsupported_media_type")
    broken = await api.post(f"/api/v1/auth/{what}/", content=b'{"password": "s3cret-in-here', headers={"Content-Type": "application/json"})
    assert refused(broken) == (400, "invalid_body")
    assert "s3cret" not in broken.text


async def test_the_routes_are_under_the_header_version_too(api: httpx.AsyncClient) -> None:
    response = await api.post("/api/auth/device/", json={"device_id": DEVICE}, headers={"Accept": "application/vnd.api+json; version=1"})
    assert response.status_code == 201
    assert json.loads(response.content)["token_type"] == "Bearer"
