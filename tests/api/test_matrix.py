"""Broken object-level authorization (OWASP API1) and function-level authorization (API5): nothing crosses from one game to another.

Every route under /api/ and every WebSocket command is tried with what a stranger may hold; nothing of arcade's private board may be told.
The routes are the resolver's and the commands the protocol's, so that a new one can't be forgotten.
"""

import asyncio
import itertools
import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any, get_args

import httpx
import msgspec
import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from leaderboard import runtime
from leaderboard.services import Services
from leaderboard.services.checking import Asked
from realtime.desk import Desk
from realtime.hub import Hub
from realtime.limits import Options
from realtime.protocol import Command, Submit, Subscribe
from realtime.routing import websocket_app
from tests.api.test_private_boards import ticket_of, token_of
from tests.cast import Cast
from tests.events import installed, many, streaming_server, watching
from tests.realtime.arena import Server, make_layer

pytestmark = pytest.mark.slow  # every route with every stranger

BOARD, PLAYER, SCORE, TITLE = "arcade-secret", "eve-the-hidden", 424242, "Society of Secrets"
SECRETS = (str(SCORE), TITLE)  # what a stranger can't have put into the question
EVERYBODYS = ("/tickets/", "/auth/")  # what reading is enough for, and what begins without a credential
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

# What a route needs to be asked properly, by how it ends: else it says 400 before it looks who asks.
QUERIES: dict[str, str] = {
    "/top/": "?limit=3",
    "/entries/": f"?players={PLAYER}",
    "/percentile/": f"?player={PLAYER}",
    "/what_if/": "?score=1",
    "/history/": f"?leaderboard={BOARD}",
}
BODIES: dict[str, Any] = {
    "/scores/": {"player": PLAYER, "score": 1, "leaderboards": [BOARD], "game_mode": "secret"},
    "/scores/batch/": {"scores": [{"player": PLAYER, "score": 1, "leaderboards": [BOARD], "game_mode": "secret"}]},
    "/tickets/": {"leaderboards": [BOARD]},
    "/entries/{player}/": {"score": 1, "reason": ""},
}
KEEPERS = ("/edits/", "/rerankings/", "/rerankings/{number}/", "/entries/{player}/")  # what scopes of their own are for


def routes(resolver: URLResolver | None = None, prefix: str = "/") -> Iterator[tuple[str, Any]]:
    """Every path under /api/ with {names} in it, and its view."""
    for entry in (resolver or get_resolver()).url_patterns:
        path = prefix + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(entry.pattern))
        if not (path.startswith("/api/") or "/api/".startswith(path)):
            continue
        if isinstance(entry, URLResolver):
            yield from routes(entry, path)
        elif isinstance(entry, URLPattern) and path.startswith("/api/"):
            yield path, entry.callback


PATHS = sorted({path for path, _ in routes()})


def filled(path: str) -> str:
    """A name that is not known here is a number or whatever else the route takes for one."""
    known = {"board": BOARD, "player": PLAYER, "slug": BOARD}
    return re.sub(r"\{(\w+)\}", lambda name: known.get(name[1], "1"), path) + _by_ending(QUERIES, path, "")


def _by_ending(table: dict[str, Any], path: str, default: Any) -> Any:
    return next((value for ending, value in table.items() if path.endswith(ending)), default)


async def send(api: httpx.AsyncClient, method: str, path: str, headers: dict[str, str]) -> httpx.Response:
    content = {} if method == "GET" else {"json": _by_ending(BODIES, path, {})}
    return await api.request(method, filled(path), headers=headers, **content)


@pytest.fixture
async def house(cast: Cast, services: Services, orm: None) -> Cast:
    """Eve leads a private board, which is filled by arcade's own key."""
    await cast.board(BOARD, game_mode="secret", is_public=False)
    await cast.sql("UPDATE leaderboard_leaderboard SET title = $1 WHERE slug = $2", TITLE, BOARD)
    key = await services.credentials.find(cast.auth["Authorization"].encode(), now=runtime.utc_now())
    for player in (PLAYER, "ada"):
        for game_mode, boards, score in (("secret", [BOARD], SCORE), ("", ["arcade-best"], 1)):
            submit = Asked(player=player, score=score, leaderboards=boards, game_mode=game_mode)
            await services.submits.submit(submit, credential=key, now=runtime.utc_now())
    return cast


async def strangers(services: Services, house: Cast) -> dict[str, dict[str, str]]:
    ada = await services.players.named("ada")
    return {
        "none": {},
        "another game's key": {"Authorization": f"Api-Key {house.rival_key}"},
        "another game's token": await token_of(services, house, "rival"),
        "another game's ticket": await ticket_of(services, house, "rival"),
        "another game's player's ticket": await ticket_of(services, house, "rival", player=ada),
        "a ticket for another board": await ticket_of(services, house, "arcade", "arcade-best"),
        "a forged key": {"Authorization": f"Api-Key {house.key[:-1]}x"},
    }


# All routes in one house, since none of these requests changes it: to build one a route took minutes.
async def test_no_route_tells_a_stranger_of_a_private_board(api: httpx.AsyncClient, house: Cast, services: Services) -> None:
    known = await strangers(services, house)
    for path in PATHS:
        for (who, headers), method in itertools.product(known.items(), METHODS):
            answer = await send(api, method, path, headers)
            assert answer.status_code < 500, (path, who, method)
            assert not any(secret in answer.text for secret in SECRETS), (path, who, method, answer.text)
            if "{board}" in path and answer.status_code != 405:
                assert answer.status_code in (401, 403, 404), (path, who, method, answer.text)
        await _nothing_changed(house, path)


async def test_no_route_lets_a_key_that_only_reads_change_anything(api: httpx.AsyncClient, house: Cast) -> None:
    """API5: what a credential may do is asked for each function, not for each game."""
    for path in (path for path in PATHS if not any(part in path for part in EVERYBODYS)):
        for method in METHODS[1:]:
            answer = await send(api, method, path, {"Authorization": f"Api-Key {house.read_only_key}"})
            assert answer.status_code in (401, 403, 404, 405), (path, method, answer.text)
        await _nothing_changed(house, path)


async def _nothing_changed(house: Cast, path: str) -> None:
    held = await house.sql("SELECT is_public, is_active, title FROM leaderboard_leaderboard WHERE slug = $1", BOARD)
    assert [(bool(is_public), bool(is_active), title) for is_public, is_active, title in held] == [(False, True, TITLE)], path
    assert await house.sql("SELECT count(*) FROM leaderboard_leaderboardentry WHERE total_score = $1", SCORE) == [(2,)], path


async def test_its_own_key_is_told_so_that_the_tests_above_could_fail(api: httpx.AsyncClient, house: Cast) -> None:
    for path in (path for path in PATHS if path.startswith("/api/v1/leaderboard/") and not path.endswith(KEEPERS)):
        answer = await send(api, "GET", path, house.auth)
        assert answer.status_code == 200, path
        assert any(secret in answer.text for secret in SECRETS), path


# --- WebSocket -----------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def server(services: Services, redis_url: str) -> AsyncIterator[Server]:
    hub = Hub(source=services.live, layer=make_layer(redis_url))
    desk = Desk(services.submits, services.credentials, clock=runtime.utc_now, origins=frozenset())
    server = Server(websocket_app(lambda: hub, lambda: desk))
    await server.start()
    yield server
    await hub.aclose()
    await server.stop()


def command(kind: Any) -> dict[str, Any]:
    """A command of this kind about the private board."""
    values = {"leaderboard": BOARD, "leaderboards": [BOARD], "offset": 0, "score": 1, "game_mode": "secret", "player": PLAYER, "top": 100}
    fields = {field.name for field in msgspec.structs.fields(kind)}
    return {"type": kind.__struct_config__.tag, **{name: value for name, value in values.items() if name in fields}}


@pytest.mark.slow
@pytest.mark.parametrize("kind", get_args(Command), ids=lambda kind: kind.__name__)
async def test_no_command_tells_a_stranger_of_a_private_board(server: Server, house: Cast, services: Services, kind: Any) -> None:
    for who, headers in (await strangers(services, house)).items():
        if who == "a forged key":
            continue  # gets no socket: tests/realtime/test_private.py
        async with server.client(headers=headers) as client:
            await client.send(**command(kind))
            if kind in (Subscribe, Submit):
                assert (await client.next())["type"] == "error", who
            await client.send(type="ping")
            await client.next("pong")
            assert not any(secret in json.dumps(client.messages) for secret in SECRETS), who


@pytest.mark.slow
async def test_no_address_tells_a_stranger_of_a_private_board(server: Server, house: Cast, services: Services) -> None:
    for who, headers in (await strangers(services, house)).items():
        async with server.client(f"/ws/leaderboard/{BOARD}/?top=100", headers=headers) as client:
            assert await client.rest() in (4401, 4403, 4404), who
            assert [message["type"] for message in client.messages] == ["error"], who
            assert not any(secret in json.dumps(client.messages) for secret in SECRETS), who
    async with server.client(f"/ws/leaderboard/{BOARD}/", headers=house.auth) as client:
        assert str(SCORE) in json.dumps(await client.next("snapshot"))


# --- Server-sent events --------------------------------------------------------------------------------------------------------


@pytest.fixture
async def streams(services: Services, redis_url: str) -> AsyncIterator[None]:
    hub = Hub(source=services.live, layer=make_layer(redis_url), options=Options(heartbeat_s=0.05))
    with installed(hub, Desk(services.submits, services.credentials, clock=runtime.utc_now, origins=frozenset())):
        yield
    await hub.aclose()


@pytest.mark.slow
@pytest.mark.parametrize("query", ["", "?top=100", "?since=e:0", "?pulse=1", f"?around=3&player={PLAYER}", "?around=3&own=1"])
async def test_no_stream_tells_a_stranger_of_a_private_board(
    api: httpx.AsyncClient, streams: None, house: Cast, services: Services, query: str
) -> None:
    path = f"/sse/leaderboard/{BOARD}/{query}"
    async with asyncio.timeout(60):  # one that begins does not end
        for (who, headers), method in itertools.product((await strangers(services, house)).items(), ("HEAD", *METHODS)):
            answer = await api.request(method, path, headers=headers)
            assert answer.status_code in (401, 403, 404, 405), (who, method)
            assert (answer.status_code == 405) == (method not in ("HEAD", "GET"))
            assert not any(secret in answer.text for secret in SECRETS), (who, method, answer.text)
        if "own" not in query:  # a server's key is no player
            assert (await api.head(path, headers=house.auth)).status_code == 200


@pytest.mark.slow
async def test_no_stream_of_many_boards_tells_a_stranger_of_a_private_one(streams: None, house: Cast, services: Services) -> None:
    server = streaming_server("direct")
    await server.start()
    for who, headers in (await strangers(services, house)).items():
        async with watching(server.port, many({"leaderboard": BOARD, "top": 100, "pulse": True}), headers) as events:
            if events.status == 200:
                await events.next("error")
                await events.next("heartbeat")
            assert events.status == 200 or (await events.problem())["status"] in (401, 403, 404), who
            assert not any(secret in text for secret in SECRETS for text in events.texts), who
    async with watching(server.port, many({"leaderboard": BOARD}), house.auth) as events:
        assert str(SCORE) in json.dumps(await events.next("snapshot"))
    await server.stop()
