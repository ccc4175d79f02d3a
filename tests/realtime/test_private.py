"""Private boards over WebSocket: who is let in at the door, what pages of other sites may do, and when a right ends."""

import itertools
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from leaderboard import runtime
from leaderboard.services.checking import Asked
from realtime.desk import Desk
from realtime.hub import Hub
from realtime.limits import Options
from realtime.protocol import SUBPROTOCOL, CloseCode
from realtime.routing import websocket_app
from tests.api.test_private_boards import WRITE_KEY, ticket_of, token_of
from tests.realtime.arena import Server, make_layer

pytestmark = pytest.mark.slow

SECRET, OPEN = "/ws/leaderboard/arcade-secret/", "/ws/leaderboard/arcade-best/"
LISTED, EMBEDDER, STRANGER = "https://game.example", "https://fans.example", "https://elsewhere.example"


class House:
    """A server whose clock stands still, with a private board on which Eve has the score 424242."""

    def __init__(self, cast, services, redis_url, ws, *, watch_origins=frozenset("*")):
        self.cast, self.services = cast, services
        self.now = runtime.utc_now()
        options = Options(heartbeat_s=3600, close_grace_s=0.1, guard_s=0.02)
        self.hub = Hub(source=services.live, layer=make_layer(redis_url), options=options, clock=lambda: self.now)
        known = {"clock": lambda: self.now, "origins": frozenset({LISTED}), "watch_origins": watch_origins}
        self.desk = Desk(services.submits, services.credentials, **known)
        self.server = Server(websocket_app(lambda: self.hub, lambda: self.desk), ws=ws)
        self.own = f"http://127.0.0.1:{self.server.port}"

    @asynccontextmanager
    async def client(self, path="/ws/", headers=None, **more):
        async with self.server.client(path, headers=headers, **more) as client:
            yield client

    async def refusal(self, path, headers=None, **more):
        """How a socket is closed, after what was said."""
        async with self.client(path, headers, **more) as client:
            code = await client.rest()
        assert "424242" not in str(client.messages)
        return code, [message["code"] for message in client.of("error")]

    async def change(self, statement, *arguments):
        await self.cast.sql(statement, *arguments)
        await self.services.catalogs.refresh()

    async def close_board(self, slug):
        await self.change("UPDATE leaderboard_leaderboard SET is_public = $1 WHERE slug = $2", False, slug)


@pytest.fixture
async def open_house(services, cast, redis_url, ws):
    houses = []

    async def open_one(**options):
        houses.append(House(cast, services, redis_url, ws, **options))
        await houses[-1].server.start()
        return houses[-1]

    await cast.board("arcade-secret", game_mode="secret", is_public=False)
    await cast.api_key("arcade", WRITE_KEY, ["scores:write"])
    for player, board in (("eve", "arcade-secret"), ("ada", "arcade-best")):
        asked = Asked(player=player, score=424242, leaderboards=[board], game_mode="secret")
        key = await services.credentials.find(cast.auth["Authorization"].encode(), now=runtime.utc_now())
        await services.submits.submit(asked, credential=key, now=runtime.utc_now())
    yield open_one
    for house in houses:
        await house.hub.aclose()
        await house.server.stop()


@pytest.fixture
async def house(open_house):
    return await open_house()


def offering(ticket, *others):
    """As a browser's page sends it."""
    return {"subprotocols": [SUBPROTOCOL, "ticket." + ticket["Authorization"].removeprefix("Ticket "), *others]}


# --- The door ----------------------------------------------------------------------------------------------------------------


async def test_its_own_games_credentials_watch_it(house, cast, services):
    ticket = await ticket_of(services, cast, "arcade", "arcade-secret")
    ways = [
        {"headers": cast.auth},
        {"headers": {"Authorization": f"Api-Key {cast.read_only_key}"}},
        {"headers": await token_of(services, cast, "arcade")},
        {"headers": ticket},
        offering(ticket),
        offering(ticket) | {"origin": house.own},
    ]
    for way in ways:
        async with house.client(SECRET, **way) as client:
            assert (await client.next("snapshot"))["entries"][0]["score"] == 424242
        async with house.client(**way) as client:
            await client.send(type="subscribe", leaderboard="arcade-secret")
            assert (await client.next("snapshot"))["entries"][0]["player"] == "eve"


async def strangers(cast, services):
    """Headers, close code, code."""
    return [
        ({}, CloseCode.NOT_AUTHENTICATED, "not_authenticated"),
        ({"Authorization": f"Api-Key {WRITE_KEY}"}, CloseCode.FORBIDDEN, "forbidden"),
        ({"Authorization": f"Api-Key {cast.rival_key}"}, CloseCode.UNKNOWN_BOARD, "leaderboard_not_found"),
        (await token_of(services, cast, "rival"), CloseCode.UNKNOWN_BOARD, "leaderboard_not_found"),
        (await ticket_of(services, cast, "rival"), CloseCode.UNKNOWN_BOARD, "leaderboard_not_found"),
        (await ticket_of(services, cast, "arcade", "arcade-best"), CloseCode.UNKNOWN_BOARD, "leaderboard_not_found"),
    ]


async def test_everybody_elses_socket_is_closed_with_the_reason(house, cast, services):
    for headers, close_code, code in await strangers(cast, services):
        assert await house.refusal(SECRET, headers) == (close_code, [code])


async def test_everybody_elses_command_is_refused_and_the_socket_goes_on(house, cast, services):
    for headers, _, code in await strangers(cast, services):
        async with house.client(headers=headers) as client:
            await client.send(type="subscribe", leaderboard="arcade-secret")
            assert (await client.next())["code"] == code
            await client.send(type="subscribe", leaderboard="arcade-best")
            await client.next("snapshot")
            await client.send(type="ack", leaderboard="arcade-secret", offset=0)
            await client.send(type="unsubscribe", leaderboard="arcade-secret")
            await client.send(type="ping")
            await client.next("pong")


async def test_a_viewport_and_a_pulse_of_it_are_for_those_who_may_read_it(house, cast, services):
    await services.upkeep.sweep(now=house.now)
    wanted = f"{SECRET}?pulse=1&around=1&"
    for headers, close_code, code in await strangers(cast, services):
        assert await house.refusal(f"{wanted}player=eve", headers) == (close_code, [code])
    eve = await token_of(services, cast, "arcade", "eve")
    for query, headers in (("player=eve", cast.auth), ("own=1", eve)):
        async with house.client(wanted + query, headers) as client:
            assert (await client.next("pulse"))["watching"] == 1
            around = await client.next("around")
            assert (around["player"], around["rank"], around["entries"][0]["score"]) == ("eve", 1, 424242)


@pytest.mark.parametrize("path", [SECRET, OPEN])
async def test_own_is_refused_to_who_is_no_player(house, cast, path):
    assert await house.refusal(f"{path}?around=1&own=1", cast.auth) == (CloseCode.FORBIDDEN, ["forbidden"])
    assert await house.refusal(f"{path}?around=1&own=1") == (CloseCode.NOT_AUTHENTICATED, ["not_authenticated"])


async def test_a_right_that_ends_takes_the_viewport_along(house, cast, services):
    async with house.client(headers=cast.auth) as client:
        await client.send(type="subscribe", leaderboard="arcade-secret", around=1, player="eve", pulse=True)
        await client.next("pulse")
        await house.change("UPDATE leaderboard_apikey SET scopes = '[\"scores:write\"]' WHERE prefix = $1", cast.key[:11])
        assert await client.rest() == CloseCode.FORBIDDEN
        assert client.of("error")[-1]["leaderboard"] == "arcade-secret"
    assert (house.hub.counters.viewports, house.hub.presence()) == (0, {})


async def test_the_server_speaks_its_protocol_and_never_says_the_ticket(house, cast, services):
    ticket = await ticket_of(services, cast, "arcade")
    secret = ticket["Authorization"].removeprefix("Ticket ")
    for offered, spoken in ([SUBPROTOCOL, f"ticket.{secret}"], SUBPROTOCOL), ([f"ticket.{secret}"], None), (["chat"], None):
        async with house.client(OPEN, subprotocols=offered) as client:
            await client.next("snapshot")
            assert client.connection.subprotocol == spoken
            assert secret not in str(client.connection.response.headers)


async def test_a_ticket_that_is_none_is_refused_in_the_handshake(house):
    for ticket in ("", "nonsense", "a.b.c"):
        assert await house.refusal(OPEN, subprotocols=[SUBPROTOCOL, f"ticket.{ticket}"]) == (4401, ["not_authenticated"])


async def test_a_ticket_that_has_expired_is_refused_in_the_handshake(house, cast, services):
    ticket = await ticket_of(services, cast, "arcade", now=house.now - timedelta(minutes=2))
    assert await house.refusal(OPEN, **offering(ticket)) == (4401, ["not_authenticated"])
    assert await house.refusal(OPEN, ticket) == (4401, ["not_authenticated"])


@pytest.mark.parametrize("name", ["ticket", "token", "Ticket", "access_token", "api_key"])
async def test_a_secret_in_an_address_is_refused_even_if_it_is_good(house, cast, services, name):
    ticket = (await ticket_of(services, cast, "arcade"))["Authorization"].removeprefix("Ticket ")
    for path in ("/ws/", OPEN, SECRET, "/ws/elsewhere/"):
        async with house.client(f"{path}?top=3&{name}={ticket}") as client:
            assert await client.rest() == CloseCode.BAD_MESSAGE
            assert [message["code"] for message in client.messages] == ["bad_message"]
            assert ticket not in str(client.messages)


async def test_a_ticket_is_checked_without_waiting_for_anything(house, cast, services):
    await services.catalogs.refresh()
    ticket = (await ticket_of(services, cast, "arcade", key_prefix=cast.key[:11]))["Authorization"]
    scope = {"query_string": b"", "headers": [], "subprotocols": ["ticket." + ticket.removeprefix("Ticket ")]}
    with pytest.raises(StopIteration) as done:
        house.desk.admit(scope).send(None)
    assert done.value.value.held(house.now).game_id == cast.games["arcade"]


async def test_a_players_ticket_submits_for_the_player_and_a_keys_for_nobody(house, cast, services):
    ada = await services.players.named("ada")
    for more, told in (({"player": ada}, "submitted"), ({}, "error")):
        async with house.client(**offering(await ticket_of(services, cast, "arcade", **more))) as client:
            await client.send(type="submit", score=5, leaderboards=["arcade-best"])
            answer = await client.next(told)
            assert answer.get("player") == "ada" if told == "submitted" else answer["code"] == "forbidden"


# --- Pages of other sites: cross-site WebSocket hijacking -----------------------------------------------------------------


COOKIE = {"Cookie": "theme=dark; sessionid=a-session-of-somebody"}


@pytest.mark.parametrize("origin", [STRANGER, EMBEDDER, "null", "", "http://127.0.0.1:1", "http://127.0.0.1.elsewhere.example"])
async def test_cross_site_hijacking_a_foreign_page_gets_nothing_by_its_visitors_cookie_or_ticket(house, cast, services, origin):
    ticket = offering(await ticket_of(services, cast, "arcade"))
    for path, more in itertools.product(("/ws/", OPEN, SECRET), ({"headers": COOKIE}, ticket)):
        assert await house.refusal(path, origin=origin, **more) == (CloseCode.FORBIDDEN, ["origin_not_allowed"])


async def test_a_page_of_this_site_or_of_a_listed_one_may_act(house, cast, services):
    ticket = offering(await ticket_of(services, cast, "arcade"))
    for origin in (house.own, LISTED):
        async with house.client(SECRET, origin=origin, **ticket) as client:
            await client.next("snapshot")
        async with house.client(OPEN, headers=COOKIE, origin=origin) as client:
            await client.next("snapshot")
        assert await house.refusal(SECRET, COOKIE, origin=origin) == (CloseCode.NOT_AUTHENTICATED, ["not_authenticated"])


async def test_any_page_may_watch_what_is_public_as_nobody_unless_the_operator_says_which(open_house):
    anywhere, listed = await open_house(), await open_house(watch_origins=frozenset({EMBEDDER}))
    for origin in (EMBEDDER, STRANGER):
        async with anywhere.client(OPEN, origin=origin) as client:
            await client.next("snapshot")
        assert await anywhere.refusal(SECRET, origin=origin) == (CloseCode.NOT_AUTHENTICATED, ["not_authenticated"])
    for origin in (EMBEDDER, LISTED, listed.own, None):
        async with listed.client(OPEN, origin=origin) as client:
            await client.next("snapshot")
    assert await listed.refusal(OPEN, origin=STRANGER) == (CloseCode.FORBIDDEN, ["origin_not_allowed"])
    assert await listed.refusal(OPEN, COOKIE, origin=EMBEDDER) == (CloseCode.FORBIDDEN, ["origin_not_allowed"])


async def test_who_sends_a_header_is_no_browser_whatever_origin_it_says(house, cast):
    async with house.client(SECRET, cast.auth, origin=STRANGER) as client:
        await client.next("snapshot")


# --- When a right ends --------------------------------------------------------------------------------------------------------


async def test_a_board_that_is_made_private_is_watched_on_by_its_own_only(house, cast):
    async with house.client(OPEN) as stranger, house.client(OPEN, cast.auth) as own, house.client(OPEN) as other:
        for client in (stranger, own, other):
            await client.next("snapshot")
        await house.close_board("arcade-best")
        for client in (stranger, other):
            assert await client.rest() == CloseCode.NOT_AUTHENTICATED
            assert [message["code"] for message in client.of("error")] == ["not_authenticated"]
        await own.send(type="ping")
        await own.next("pong")
        assert house.hub.presence() == {"arcade-best": 1}


async def test_a_socket_that_watches_other_boards_goes_on_with_them(house):
    async with house.client(OPEN) as client:
        await client.next("snapshot")
        await client.send(type="subscribe", leaderboard="arcade-sum")
        await client.next("snapshot")
        await house.close_board("arcade-best")
        told = await client.next("error")
        assert (told["code"], "'arcade-best'" in told["detail"]) == ("not_authenticated", True)
        await client.send(type="ping")
        await client.next("pong")
        assert house.hub.presence() == {"arcade-sum": 1}


@pytest.mark.parametrize("change", ["revoked_at", "expires_at"])
async def test_a_key_that_is_no_more_ends_its_sockets_and_those_of_its_tickets(house, cast, services, change):
    ticket = await ticket_of(services, cast, "arcade", key_prefix=cast.key[:11], life_s=3600)
    others = {"Authorization": f"Api-Key {cast.read_only_key}"}
    async with house.client(SECRET, cast.auth) as key, house.client(SECRET, ticket) as page, house.client(SECRET, others) as other:
        for client in (key, page, other):
            await client.next("snapshot")
        await house.change(f"UPDATE leaderboard_apikey SET {change} = '2026-01-02 00:00:00+00:00' WHERE prefix = $1", cast.key[:11])
        assert (await key.rest(), await page.rest()) == (CloseCode.NOT_AUTHENTICATED, CloseCode.NOT_AUTHENTICATED)
        await other.send(type="ping")
        await other.next("pong")


async def test_a_ticket_that_expires_ends_the_watching_of_private_boards_and_of_no_others(house, cast, services):
    ticket = await ticket_of(services, cast, "arcade")
    async with house.client(SECRET, ticket) as private, house.client(OPEN, ticket) as public:
        for client in (private, public):
            await client.next("snapshot")
        house.now += timedelta(seconds=61)
        assert await private.rest() == CloseCode.NOT_AUTHENTICATED
        await public.send(type="subscribe", leaderboard="arcade-secret")
        assert (await public.next())["code"] == "not_authenticated"
        await public.send(type="ping")
        await public.next("pong")


async def test_a_key_that_loses_its_scope_is_told_so(house, cast):
    async with house.client(SECRET, cast.auth) as client:
        await client.next("snapshot")
        await house.change("UPDATE leaderboard_apikey SET scopes = '[\"scores:write\"]' WHERE prefix = $1", cast.key[:11])
        assert await client.rest() == CloseCode.FORBIDDEN


async def test_a_board_that_is_taken_out_of_use_is_told_to_its_watchers(house):
    async with house.client(OPEN) as client:
        await client.next("snapshot")
        await house.change("UPDATE leaderboard_leaderboard SET is_active = $1 WHERE slug = 'arcade-best'", False)
        assert (await client.next("error"))["code"] == "leaderboard_not_found"
        assert house.hub.presence() == {}
