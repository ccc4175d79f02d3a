"""Viewports over the real services: after a quiet moment they are what REST says, however it came to be."""

import random

import pytest
from asgiref.sync import sync_to_async

from leaderboard import runtime
from leaderboard.domain.snapshot import Row
from leaderboard.services import moderation
from leaderboard.services.checking import Asked
from realtime.hub import Hub
from realtime.limits import Options
from realtime.wanted import Wanted
from tests.realtime.arena import Socket, eventually, make_layer

BOARD = "arcade-best"
NEVER = 3600


@pytest.fixture
async def hub(services, redis_url):
    """Ticks by hand, and without a rest between them."""
    options = Options(poll_s=NEVER, viewport_s=NEVER, heartbeat_s=NEVER, guard_s=NEVER)
    hub = Hub(source=services.live, layer=make_layer(redis_url), options=options)
    hub._viewports._now = lambda: tick.now
    tick.now = 0.0
    yield hub
    await hub.aclose()


async def tick(hub):
    """And wait until the sockets have taken what they were told."""
    tick.now += NEVER
    await hub._viewports.look()
    await eventually(lambda: all(outbox.wire.ready and not outbox.waiting for outbox in hub._outboxes))


@pytest.fixture
async def looker(hub, cast):
    """`await looker(player, around)` is a socket with that viewport."""
    sockets = []

    async def look(player, around, slug=BOARD):
        socket = Socket(hub)
        sockets.append(socket)
        await hub.subscribe(socket.outbox, slug, Wanted(around=around, player=player))
        return socket

    yield look
    for socket in sockets:
        await socket.leave()


async def submit(cast, player, score, board=BOARD, **more):
    credential = await cast.services.credentials.find(cast.auth["Authorization"].encode(), now=runtime.utc_now())
    asked = Asked(player=player, score=score, leaderboards=[board], **more)
    await cast.services.submits.submit(asked, credential=credential, now=runtime.utc_now())


async def by_rest(api, player, around, board=BOARD):
    """What `around` shows of it: rank, total and rows."""
    found = await api.get(f"/api/v1/leaderboard/{board}/around/{player}/?limit={around}")
    if found.status_code == 404:
        total = (await api.get(f"/api/v1/leaderboard/{board}/top/?limit=1")).json()["total"]
        return None, total, []
    told = found.json()
    rank = next(row["rank"] for row in told["entries"] if row["player"] == player)
    return rank, told["total"], told["entries"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
async def test_after_a_quiet_moment_a_viewport_is_what_rest_says(api, cast, services, hub, looker, seed):
    chance = random.Random(seed)
    players = [f"p{number}" for number in range(14)]
    await services.upkeep.sweep(now=runtime.utc_now())
    sockets = [(player, around, await looker(player, around)) for player in players[:5] for around in (1, 4)]
    for _ in range(15):
        for _ in range(chance.randrange(4)):
            await submit(cast, chance.choice(players), chance.randrange(40))
        await tick(hub)
        for player, around, socket in sockets:
            shown = socket.of("around")[-1]
            assert (shown["rank"], shown["total"], shown["entries"]) == await by_rest(api, player, around)


async def standings(services) -> list[Row]:
    return (await services.standings.top(BOARD, season="current", limit=100, offset=0, now=runtime.utc_now()))["entries"]


@pytest.mark.slow
async def test_overtaking_is_told_exactly_when_one_passed_another(cast, services, hub, looker):
    """One submit a tick, so who passed whom is known."""
    chance = random.Random(7)
    players = [f"p{number}" for number in range(9)]
    for score, player in enumerate(players, 10):
        await submit(cast, player, score)
    await services.upkeep.sweep(now=runtime.utc_now())
    watched = {player: await looker(player, 10) for player in players[:4]}
    await tick(hub)
    told_before = dict.fromkeys(watched, 0)
    order = [row["player"] for row in await standings(services)]
    for step in range(40):
        mover = chance.choice(players)
        await submit(cast, mover, 20 + chance.randrange(3 * step + 3))
        await tick(hub)
        before, order = order, [row["player"] for row in await standings(services)]
        for player, socket in watched.items():
            told = socket.of("overtake")[told_before[player] :]
            told_before[player] += len(told)
            above = (before[: before.index(player)], order[: order.index(player)])
            passed_by = [other for other in reversed(above[1]) if other not in above[0]]
            passed = [other for other in order[order.index(player) + 1 :] if other in above[0]]
            if not passed_by and not passed:
                assert told == []
                continue
            (message,) = told
            assert (message["previous_rank"], message["rank"]) == (before.index(player) + 1, order.index(player) + 1)
            assert [row["player"] for row in message["passed_by"]] == passed_by
            assert [row["player"] for row in message["passed"]] == passed
    assert sum(told_before.values()) > 20


async def test_a_player_that_is_erased_has_no_rank_any_more_and_one_that_comes_gets_one(cast, services, orm, hub, looker):
    await submit(cast, "ada", 30)
    await services.upkeep.sweep(now=runtime.utc_now())
    ada, newcomer = await looker("ada", 1), await looker("who is nobody yet", 1)
    await tick(hub)
    assert [(socket.of("around")[-1]["rank"], socket.of("around")[-1]["total"]) for socket in (ada, newcomer)] == [(1, 1), (None, 1)]
    erased = await sync_to_async(moderation.erase_player)("ada")
    await moderation.forget_player(erased, index=services.index, feed=services.feed, live=services.live, now=runtime.utc_now())
    await submit(cast, "who is nobody yet", 7)
    await tick(hub)
    assert (ada.of("around")[-1]["rank"], ada.of("around")[-1]["entries"]) == (None, [])
    assert [row["player"] for row in newcomer.of("around")[-1]["entries"]] == ["who is nobody yet"]


async def test_a_board_that_went_cold_is_told_when_a_sweep_has_made_it_ready(cast, services, hub, looker):
    await submit(cast, "ada", 30)
    socket = await looker("ada", 1)
    await tick(hub)
    await services.index.forget([(await services.standings.board(BOARD, season="current", now=runtime.utc_now())).id])
    await submit(cast, "bo", 40)
    await tick(hub)
    assert [message["rank"] for message in socket.of("around")] == [1]
    await services.upkeep.sweep(now=runtime.utc_now())
    await tick(hub)
    assert [message["rank"] for message in socket.of("around")] == [1, 2]
    assert [row["player"] for row in socket.of("overtake")[0]["passed_by"]] == ["bo"]


async def test_one_reading_of_viewports_is_one_round_trip_of_marks_and_one_of_the_index(cast, services, hub, looker, monkeypatch):
    for player in ("ada", "bo", "cy"):
        for board in (BOARD, "arcade-sum"):
            await submit(cast, player, 30, board)
    await services.upkeep.sweep(now=runtime.utc_now())
    for player in ("ada", "bo", "cy"):
        for board in (BOARD, "arcade-sum"):
            await looker(player, 2, board)
    await tick(hub)
    await submit(cast, "ada", 40)
    await submit(cast, "ada", 40, "arcade-sum")
    trips = []
    for name, client in (("marks", services.feed._client), ("arounds", services.index._bulk)):
        send = client.send
        monkeypatch.setattr(client, "send", lambda commands, name=name, send=send: trips.append((name, len(commands))) or send(commands))
    await tick(hub)
    assert trips == [("marks", 1), ("arounds", 2)]
    await tick(hub)
    assert trips[2:] == [("marks", 1)]
