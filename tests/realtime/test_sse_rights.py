"""Streams and who may have them: private boards, pages of other sites, rights that end, and what opening one counts as."""

from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from leaderboard import runtime
from leaderboard.services.checking import Asked
from realtime.desk import BrowserBearer, Desk, HeaderBearer
from realtime.hub import Hub
from realtime.limits import Options
from tests.api.test_private_boards import WRITE_KEY, ticket_of, token_of
from tests.events import installed, many, streaming_server, watching
from tests.realtime.arena import make_layer
from tests.realtime.test_private import COOKIE, LISTED, STRANGER, strangers

SECRET, OPEN = "/sse/leaderboard/arcade-secret/", "/sse/leaderboard/arcade-best/"


@pytest.fixture(params=["direct", "asgi"])
def lane(request):
    return request.param


class House:
    """A server whose clock stands still, with a private board on which Eve has the score 424242."""

    def __init__(self, cast, services, server, hub):
        self.cast, self.services, self.server, self.hub = cast, services, server, hub
        self.now = runtime.utc_now()

    @asynccontextmanager
    async def watch(self, path, headers=None, **more):
        async with watching(self.server.port, path, headers, **more) as events:
            yield events

    async def refusal(self, path, headers=None):
        async with self.watch(path, headers) as events:
            problem = await events.problem()
            assert "424242" not in str(problem)
            return events.status, problem["code"]

    async def change(self, statement, *arguments):
        await self.cast.sql(statement, *arguments)
        await self.services.catalogs.refresh()


@pytest.fixture
async def house(services, cast, redis_url, lane):
    await cast.board("arcade-secret", game_mode="secret", is_public=False)
    await cast.api_key("arcade", WRITE_KEY, ["scores:write"])
    key = await services.credentials.find(cast.auth["Authorization"].encode(), now=runtime.utc_now())
    for player, board in (("eve", "arcade-secret"), ("ada", "arcade-best")):
        asked = Asked(player=player, score=424242, leaderboards=[board], game_mode="secret")
        await services.submits.submit(asked, credential=key, now=runtime.utc_now())
    options = Options(heartbeat_s=0.05, close_grace_s=0.1, guard_s=0.02)
    hub = Hub(source=services.live, layer=make_layer(redis_url), options=options, clock=lambda: house.now)
    desk = Desk(services.submits, services.credentials, clock=lambda: house.now, origins=frozenset({LISTED}))
    server = streaming_server(lane)
    house = House(cast, services, server, hub)
    with installed(hub, desk):
        await server.start()
        yield house
        await hub.aclose()
        await server.stop()


async def test_its_own_games_credentials_watch_a_private_board(house, cast, services):
    for headers in (
        cast.auth,
        {"Authorization": f"Api-Key {cast.read_only_key}"},
        await token_of(services, cast, "arcade"),
        await ticket_of(services, cast, "arcade", "arcade-secret"),
        {**cast.auth, "Origin": STRANGER},  # no page could send it without having been asked for by CORS
    ):
        async with house.watch(SECRET, headers) as events:
            assert (await events.next("snapshot"))["entries"][0]["score"] == 424242


async def test_everybody_else_is_refused_as_by_a_read(house, cast, services):
    for headers, close_code, code in await strangers(cast, services):
        assert await house.refusal(SECRET, headers) == (int(close_code) - 4000, code)
    assert house.hub.counters.sockets == 0


@pytest.mark.parametrize("name", ["ticket", "token", "api_key"])
async def test_a_secret_in_an_address_is_refused_even_if_it_is_good(house, cast, services, name):
    ticket = (await ticket_of(services, cast, "arcade"))["Authorization"].removeprefix("Ticket ")
    for path in (SECRET, OPEN):
        assert await house.refusal(f"{path}?{name}={ticket}") == (400, "invalid_parameter")


async def test_a_credential_that_is_none_is_refused_whatever_is_watched(house):
    assert await house.refusal(OPEN, {"Authorization": "Ticket nonsense"}) == (401, "not_authenticated")


async def test_a_foreign_page_gets_nothing_by_its_visitors_cookie(house):
    for path in (OPEN, SECRET):
        assert await house.refusal(path, {**COOKIE, "Origin": STRANGER}) == (403, "origin_not_allowed")


async def test_a_cookie_says_who_it_is_only_if_the_page_is_of_this_site(house):
    own = {"Origin": f"http://127.0.0.1:{house.server.port}"}
    for headers, kind in (
        ({}, type(None)),
        ({"Sec-Fetch-Site": "cross-site"}, type(None)),
        ({"Sec-Fetch-Site": "same-site"}, type(None)),
        ({"Sec-Fetch-Site": "same-origin"}, BrowserBearer),
        (own, BrowserBearer),
    ):
        async with house.watch(OPEN, {**COOKIE, **headers}) as events:
            await events.next("snapshot")
            (outbox,) = house.hub._outboxes
            assert type(outbox.bearer) is kind, headers
            house.hub.detach(outbox)
    async with house.watch(OPEN, house.cast.auth) as events:
        await events.next("snapshot")
        assert [type(outbox.bearer) for outbox in house.hub._outboxes] == [HeaderBearer]


async def test_a_right_that_ends_ends_the_stream(house, cast, services):
    ticket = await ticket_of(services, cast, "arcade")
    async with house.watch(SECRET, ticket) as page, house.watch(SECRET, cast.auth) as key, house.watch(OPEN) as other:
        for events in (page, key, other):
            await events.next("snapshot")
        house.now += timedelta(seconds=61)
        assert (await page.rest())[-1] == "error"
        assert page.messages[-1]["code"] == "not_authenticated"
        await house.change("UPDATE leaderboard_apikey SET revoked_at = '2026-01-02 00:00:00+00:00' WHERE prefix = $1", cast.key[:11])
        assert (await key.rest())[-1] == "error"
        await other.next("heartbeat")
        assert house.hub.presence() == {"arcade-best": 1}
        await house.change("UPDATE leaderboard_leaderboard SET is_active = $1 WHERE slug = 'arcade-best'", False)
        assert (await other.rest())[-1] == "error"
        assert other.messages[-1]["code"] == "leaderboard_not_found"


async def test_a_private_board_among_others_is_refused_to_who_may_not_have_it(house, cast):
    path = many({"leaderboard": "arcade-secret"}, {"leaderboard": "arcade-best"})
    async with house.watch(path) as events:
        await events.until(lambda: events.of("error") and events.of("snapshot"))
        assert [(message["leaderboard"], message["code"]) for message in events.of("error")] == [("arcade-secret", "not_authenticated")]
        await events.next("heartbeat")
        assert house.hub.presence() == {"arcade-best": 1}
    async with house.watch(path, cast.auth) as events:
        await events.until(lambda: len(events.of("snapshot")) == 2)
        await house.change("UPDATE leaderboard_apikey SET revoked_at = '2026-01-02 00:00:00+00:00' WHERE prefix = $1", cast.key[:11])
        assert (await events.next("error"))["leaderboard"] == "arcade-secret"
        await events.next("heartbeat")
        assert house.hub.presence() == {"arcade-best": 1}


async def test_own_is_the_player_of_the_credential(house, cast, services):
    path = f"{OPEN}?around=1&own=1"
    async with house.watch(path, await token_of(services, cast, "arcade")) as events:
        assert (await events.next("around"))["player"] == "ada"
    assert await house.refusal(path) == (401, "not_authenticated")
    assert await house.refusal(path, cast.auth) == (403, "forbidden")


async def test_opening_a_stream_counts_as_one_read(house, rates):
    rates(read_address=2)
    async with house.watch(OPEN) as one, house.watch(OPEN) as other:
        for events in (one, other):
            await events.next("snapshot")
            await events.next("heartbeat")
            assert "ratelimit" in events.headers
        assert await house.refusal(OPEN) == (429, "rate_limited")
        assert await house.refusal("/api/v1/leaderboard/arcade-best/top/") == (429, "rate_limited")
    async with house.watch(OPEN, house.cast.auth) as key:
        assert key.status == 200
