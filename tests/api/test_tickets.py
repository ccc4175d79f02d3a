"""Tickets: who may make them, what they open, and when they end."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from leaderboard import runtime
from leaderboard.domain.errors import NotAuthenticated
from leaderboard.services import Services
from leaderboard.services.tickets import PLAYER_TICKET_MAX_S, TICKET_BOARDS
from leaderboard.services.tokens import TICKET_MAX_S
from tests.api.test_private_boards import WRITE_KEY, ticket_of, token_of
from tests.cast import Cast
from tests.docs.reading import API

SECRET, OTHER = "/api/v1/leaderboard/arcade-secret/top/", "/api/v1/leaderboard/arcade-other/top/"


@pytest.fixture
async def house(api: httpx.AsyncClient, cast: Cast, services: Services) -> Cast:
    for slug in ("arcade-secret", "arcade-other"):
        await cast.board(slug, is_public=False)
    body = {"player": "ada", "score": 1, "leaderboards": ["arcade-best"]}
    assert (await api.post("/api/v1/scores/", json=body, headers=cast.auth)).status_code == 201
    await services.catalogs.refresh()
    return cast


async def asked(api: httpx.AsyncClient, headers: dict[str, str], **body: Any) -> httpx.Response:
    return await api.post("/api/v1/tickets/", json=body, headers=headers)


async def made(api: httpx.AsyncClient, headers: dict[str, str], **body: Any) -> dict[str, str]:
    answer = await asked(api, headers, **body)
    assert answer.status_code == 201, answer.text
    return {"Authorization": f"Ticket {answer.json()['ticket']}"}


async def statuses(api: httpx.AsyncClient, headers: dict[str, str]) -> list[int]:
    return [(await api.get(path, headers=headers)).status_code for path in (SECRET, OTHER)]


async def test_a_key_makes_a_ticket_for_all_boards_of_its_game_or_for_some(api: httpx.AsyncClient, house: Cast) -> None:
    answer = await asked(api, house.auth)
    assert (answer.status_code, answer.json().keys(), answer.json()["expires_in"]) == (201, {"ticket", "expires_in"}, 60)
    assert answer.headers["Cache-Control"] == "no-store"
    assert await statuses(api, await made(api, house.auth)) == [200, 200]
    assert await statuses(api, await made(api, house.auth, leaderboards=["arcade-secret"])) == [200, 404]
    assert await statuses(api, await made(api, house.auth, leaderboards=["arcade-best"])) == [404, 404]


async def test_a_players_ticket_carries_the_player(api: httpx.AsyncClient, house: Cast, services: Services) -> None:
    ticket = await made(api, await token_of(services, house, "arcade"))
    assert await statuses(api, ticket) == [200, 200]
    answer = await api.post("/api/v1/scores/", json={"score": 5}, headers=ticket)
    assert (answer.status_code, answer.json()["player"]) == (201, "ada")
    assert (await api.post("/api/v1/scores/", json={"score": 5, "player": "bo"}, headers=ticket)).json()["code"] == "player_not_allowed"


async def test_a_ticket_of_a_key_reads_and_submits_nothing(api: httpx.AsyncClient, house: Cast) -> None:
    ticket = await made(api, house.auth)
    refused = await api.post("/api/v1/scores/", json={"score": 5, "player": "ada"}, headers=ticket)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")


async def test_who_may_not_make_one(api: httpx.AsyncClient, house: Cast, services: Services) -> None:
    await house.api_key("arcade", WRITE_KEY, ["scores:write", "boards:admin"])
    ticket = await made(api, house.auth, expires_in=3600)
    players = await made(api, await token_of(services, house, "arcade"))
    refused = [
        ({}, 401, "not_authenticated"),
        ({"Authorization": "Api-Key gl_nobody00_knows"}, 401, "not_authenticated"),
        ({"Authorization": f"Api-Key {WRITE_KEY}"}, 403, "forbidden"),
        (ticket, 403, "forbidden"),
        (players, 403, "forbidden"),
    ]
    for headers, status, code in refused:
        answer = await asked(api, headers)
        assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_a_ticket_names_no_board_that_its_maker_does_not_reach(api: httpx.AsyncClient, house: Cast) -> None:
    for slug in ("rival-best", "nowhere"):
        answer = await asked(api, house.auth, leaderboards=["arcade-secret", slug])
        assert (answer.status_code, answer.json()["code"], slug in answer.json()["detail"]) == (404, "leaderboard_not_found", True)


@pytest.mark.parametrize(
    "body",
    [
        {"expires_in": 0},
        {"expires_in": -1},
        {"expires_in": TICKET_MAX_S + 1},
        {"expires_in": 2**63},
        {"expires_in": 1.5},
        {"expires_in": "60"},
        {"leaderboards": []},
        {"leaderboards": ["arcade-best"] * (TICKET_BOARDS + 1)},
        {"leaderboards": "arcade-best"},
        {"game": "rival"},
        {"player": "ada"},
    ],
)
async def test_what_is_no_order_for_a_ticket_is_refused(api: httpx.AsyncClient, house: Cast, body: dict[str, Any]) -> None:
    answer = await asked(api, house.auth, **body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_body")


async def test_how_long_one_may_live(api: httpx.AsyncClient, house: Cast, services: Services) -> None:
    player = await token_of(services, house, "arcade")
    for headers, longest in ((house.auth, TICKET_MAX_S), (player, PLAYER_TICKET_MAX_S)):
        assert (await asked(api, headers, expires_in=longest)).status_code == 201
        assert (await asked(api, headers, expires_in=longest + 1)).status_code == 400
        assert f"1 to {longest}" in API.read_text()


async def test_a_ticket_ends_on_time(api: httpx.AsyncClient, house: Cast, services: Services) -> None:
    ticket = (await made(api, house.auth, expires_in=10))["Authorization"].encode()
    now = runtime.utc_now()
    assert services.credentials.held(ticket, now=now + timedelta(seconds=9)) is not None
    with pytest.raises(NotAuthenticated):
        services.credentials.held(ticket, now=now + timedelta(seconds=11))


@pytest.mark.parametrize("change", ["revoked_at", "expires_at"])
async def test_a_stolen_keys_tickets_end_with_the_key(api: httpx.AsyncClient, house: Cast, services: Services, change: str) -> None:
    """Else whoever had a leaked key for a minute could read for a year."""
    ticket = await made(api, house.auth, expires_in=TICKET_MAX_S)
    others = await made(api, {"Authorization": f"Api-Key {house.read_only_key}"})
    assert await statuses(api, ticket) == [200, 200]
    await house.sql(f"UPDATE leaderboard_apikey SET {change} = '2026-01-02 00:00:00+00:00' WHERE prefix = $1", house.key[:11])
    await services.catalogs.refresh()
    assert await statuses(api, ticket) == [401, 401]
    assert await statuses(api, others) == [200, 200]


async def test_a_ticket_of_a_key_that_another_process_made_a_moment_ago_is_good(
    api: httpx.AsyncClient, house: Cast, services: Services
) -> None:
    assert await statuses(api, house.auth) == [200, 200]
    await house.api_key("arcade", "gl_arcade03_brand-new", ["boards:read"])
    assert await statuses(api, await ticket_of(services, house, "arcade", key_prefix="gl_arcade03")) == [200, 200]
    assert await statuses(api, await ticket_of(services, house, "arcade", key_prefix="gl_nobody00")) == [401, 401]


async def test_in_an_address_a_ticket_opens_nothing(api: httpx.AsyncClient, house: Cast) -> None:
    ticket = (await made(api, house.auth))["Authorization"].removeprefix("Ticket ")
    for name in ("ticket", "token", "authorization", "access_token"):
        assert (await api.get(f"{SECRET}?{name}={ticket}")).status_code == 401
