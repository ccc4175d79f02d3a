"""How often somebody may ask: whose bucket it is, what is told, and that nothing is stored. By both lanes."""

from typing import Any

import httpx
import pytest
from django.conf import settings

from leaderboard import runtime
from leaderboard.api.limits import class_of
from leaderboard.domain.address import read_network
from tests.cast import Cast
from tests.conftest import SetRates

TOP = "/api/v1/leaderboard/arcade-best/top/"
SCORES = "/api/v1/scores/"
SCORE = {"player": "ada", "score": 1}


async def statuses(api: httpx.AsyncClient, times: int, path: str = TOP, **options: Any) -> list[int]:
    method = "POST" if "json" in options else "GET"
    return [(await api.request(method, path, **options)).status_code for _ in range(times)]


async def token_of(cast: Cast, name: str) -> dict[str, str]:
    await cast.sql(
        "INSERT INTO auth_user (username, password, is_superuser, is_staff, is_active, first_name, last_name, email, date_joined) "
        "VALUES ($1, '', false, false, true, '', '', '', '2026-01-01 00:00:00+00:00')",
        name,
    )
    ((identity,),) = await cast.sql("SELECT id FROM auth_user WHERE username = $1", name)
    from leaderboard.store import Player

    token = cast.services.tokens.access(Player(identity, name, name), game_id=cast.games["arcade"], now=runtime.utc_now())
    return {"Authorization": f"Bearer {token}"}


async def test_who_asks_too_often_is_told_so_and_when_to_come_back(api: httpx.AsyncClient, cast: Cast, rates: SetRates) -> None:
    rates(read_address=3)
    assert await statuses(api, 3) == [200] * 3
    refused = await api.get(TOP)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert 990 <= int(refused.headers["Retry-After"]) <= 1_000


async def test_every_answer_says_the_limit_and_what_is_left(api: httpx.AsyncClient, cast: Cast, rates: SetRates) -> None:
    rates(read_address=3)
    told = [await api.get(path) for path in (TOP, "/api/v1/leaderboard/nowhere/top/", "/api/v1/leaderboard/", TOP)]
    assert [answer.status_code for answer in told] == [200, 404, 200, 429]
    assert {answer.headers["RateLimit-Policy"] for answer in told} == {'"read";q=3;w=3000'}
    assert [answer.headers["RateLimit"].split(";")[1] for answer in told] == ["r=2", "r=1", "r=0", "r=0"]
    assert [answer.headers["RateLimit"].split(";")[0] for answer in told] == ['"read"'] * 4


async def test_with_limits_off_nothing_is_told_and_nobody_refused(api: httpx.AsyncClient, cast: Cast) -> None:
    answers = [await api.get(TOP) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200] * 5
    assert "RateLimit" not in answers[0].headers


async def test_a_refused_submit_stores_nothing(api: httpx.AsyncClient, cast: Cast, rates: SetRates) -> None:
    rates(submit_key=2)
    assert await statuses(api, 4, SCORES, json=SCORE, headers=cast.auth) == [201, 201, 429, 429]
    assert await cast.count("gamesession") == 2


async def test_a_batch_takes_as_many_as_it_has(api: httpx.AsyncClient, cast: Cast, rates: SetRates) -> None:
    rates(submit_key=10)
    six = {"scores": [SCORE] * 6}
    assert await statuses(api, 1, f"{SCORES}batch/", json=six, headers=cast.auth) == [200]
    refused = await api.post(f"{SCORES}batch/", json=six, headers=cast.auth)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert await cast.count("gamesession") == 6
    assert await statuses(api, 1, SCORES, json=SCORE, headers=cast.auth) == [201]


async def test_a_batch_that_no_bucket_holds_is_told_how_many_are_let_through(api: httpx.AsyncClient, cast: Cast, rates: SetRates) -> None:
    rates(submit_key=10)
    refused = await api.post(f"{SCORES}batch/", json={"scores": [SCORE] * 11}, headers=cast.auth)
    assert (refused.status_code, "At most 10 at once" in refused.json()["detail"]) == (429, True)
    assert await cast.count("gamesession") == 0


async def test_each_key_each_player_and_each_class_of_route_has_its_own(api: httpx.AsyncClient, cast: Cast, rates: SetRates) -> None:
    rates(submit_key=1, submit_player=1, read_key=1, read_player=1, read_address=1)
    ada, bo = await token_of(cast, "ada"), await token_of(cast, "bo")
    rival = {"Authorization": f"Api-Key {cast.rival_key}"}
    assert await statuses(api, 2, SCORES, json=SCORE, headers=cast.auth) == [201, 429]
    assert await statuses(api, 2, SCORES, json=SCORE, headers=rival) == [201, 429]
    for player in (ada, bo):
        assert await statuses(api, 2, SCORES, json={"score": 1, "leaderboards": ["arcade-best"]}, headers=player) == [201, 429]
    for headers in (cast.auth, rival, ada, bo, {}):
        assert await statuses(api, 2, headers=headers) == [200, 429]


async def test_a_forged_or_unknown_credential_counts_for_its_address(api: httpx.AsyncClient, cast: Cast, rates: SetRates) -> None:
    await api.post(SCORES, json=SCORE, headers=cast.auth)  # the keys are known from here on
    rates(submit_address=3, submit_key=100, submit_player=100)
    forged = ["Api-Key gl_nobody00_1", "Api-Key gl_nobody00_2", "Bearer a.b.c", "Bearer d.e.f", "Ticket x", "Basic eDp5"]
    answers = [await api.post(SCORES, json=SCORE, headers={"Authorization": said}) for said in forged]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429, 429]


async def test_a_key_counts_as_such_before_this_process_has_loaded_the_keys(api: httpx.AsyncClient, cast: Cast, rates: SetRates) -> None:
    rates(submit_address=1, submit_key=5)
    assert await statuses(api, 5, SCORES, json=SCORE, headers=cast.auth) == [201] * 5


async def test_an_unknown_key_costs_no_look_into_the_database_once_its_address_is_refused(
    api: httpx.AsyncClient, cast: Cast, rates: SetRates, monkeypatch: pytest.MonkeyPatch
) -> None:
    await api.post(SCORES, json=SCORE, headers=cast.auth)
    rates(submit_address=1)
    looked = 0
    find = cast.services.credentials.find

    async def counting(*arguments: Any, **named: Any) -> Any:
        nonlocal looked
        looked += 1
        return await find(*arguments, **named)

    monkeypatch.setattr(cast.services.credentials, "find", counting)
    assert await statuses(api, 5, SCORES, json=SCORE, headers={"Authorization": "Api-Key gl_nobody00_1"}) == [401, 429, 429, 429, 429]
    assert looked == 1


async def test_health_is_never_refused(api: httpx.AsyncClient, cast: Cast, rates: SetRates) -> None:
    rates(read_address=1)
    assert await statuses(api, 5, "/livez") == [200] * 5


async def test_the_routes_chosen_by_header_share_the_bucket(api: httpx.AsyncClient, cast: Cast, rates: SetRates) -> None:
    rates(read_address=2)
    accept = {"Accept": "application/vnd.api+json; version=1"}
    assert await statuses(api, 1) + await statuses(api, 2, "/api/leaderboard/", headers=accept) == [200, 200, 429]


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("POST", "/api/v1/scores/", "submit"),
        ("POST", "/api/scores/batch/", "submit"),
        ("POST", "/api/v2/scores/", "submit"),
        ("GET", "/api/v1/leaderboard/", "read"),
        ("HEAD", "/api/v1/leaderboard/x/rank/auth/", "read"),
        ("GET", "/api/v1/leaderboard/x/rank/a/auth/", "read"),
        ("OPTIONS", "/api/v1/scores/", "read"),
        ("GET", "/api/nothing", "read"),
        ("POST", "/api/v1/auth/device/", "auth"),
        ("GET", "/api/auth/anything/", "auth"),
        ("POST", "/api/v1/leaderboard/", "admin"),
        ("DELETE", "/api/v1/leaderboard/scores/", "admin"),
        ("PATCH", "/api/v2/leaderboard/x/", "admin"),
        ("GET", "/livez", None),
        ("GET", "/metrics", None),
    ],
)
def test_every_route_is_of_one_class(method: str, path: str, expected: str | None) -> None:
    assert class_of(method, path) == expected


# --- Addresses ---------------------------------------------------------------------------------------------------------------


async def test_a_forged_x_forwarded_for_changes_nothing(api: httpx.AsyncClient, cast: Cast, rates: SetRates) -> None:
    rates(read_address=2)
    forged = [await api.get(TOP, headers={"X-Forwarded-For": f"203.0.113.{number}"}) for number in range(4)]
    assert [answer.status_code for answer in forged] == [200, 200, 429, 429]


async def test_behind_a_trusted_proxy_each_client_has_its_own_bucket_whatever_it_claims(
    api: httpx.AsyncClient, cast: Cast, rates: SetRates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "TRUSTED_PROXIES", (read_network("127.0.0.0/8"),))
    rates(read_address=2)
    for client in ("203.0.113.1", "2001:db8::1"):
        said = [f"198.51.100.{number}, {client}" for number in range(3)]
        answers = [await api.get(TOP, headers={"X-Forwarded-For": value}) for value in said]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
    neighbour = await api.get(TOP, headers={"X-Forwarded-For": "2001:db8::ffff:1"})
    assert neighbour.status_code == 429  # of the same subscriber's network


# --- Browsers ------------------------------------------------------------------------------------------------------------------


async def test_an_endless_supply_of_forged_sessions_counts_for_one_address(api: httpx.AsyncClient, cast: Cast, rates: SetRates) -> None:
    rates(submit_address=2, submit_player=100)
    answers = [await api.post(SCORES, json={"score": 1}, headers={"Cookie": f"sessionid={number}"}) for number in range(4)]
    assert [answer.status_code for answer in answers] == [403, 403, 429, 429]  # no CSRF token
