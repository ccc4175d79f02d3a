"""Viewports as sockets get them: when they are read, what is told, and to whom it is not."""

import asyncio

import pytest

from leaderboard.domain.errors import Forbidden, NotAuthenticated, Overloaded
from leaderboard.domain.viewport import Viewed
from leaderboard.feed import FeedUnavailable
from leaderboard.services.credentials import Credential
from leaderboard.store import Player
from realtime.metrics import expose
from tests.realtime.arena import eventually

NEVER = 3600
SCORES = {"ada": 50, "bo": 40, "cy": 30, "di": 20, "eve": 10}
OTHERS = ("heartbeat", "snapshot", "delta")


class Clock:
    """The hub's, as its viewports see it: nobody waits for a tick here."""

    def __init__(self, hub):
        self.now = 0.0
        self._viewports = hub._viewports
        self._viewports._now = lambda: self.now

    async def tick(self, *, after=NEVER):
        self.now += after
        await self._viewports.look()
        for _ in range(20):  # turns of the loop, in which an outbox empties itself
            await asyncio.sleep(0)


@pytest.fixture
def hub(make_hub):
    return make_hub(poll_s=NEVER, viewport_s=NEVER, heartbeat_s=NEVER)


@pytest.fixture
def clock(hub):
    return Clock(hub)


@pytest.fixture
def ranked(arena):
    arena.change("arcade", SCORES)
    return arena


async def looking(make_socket, hub, *, around=1, player="cy", slug="arcade", **more):
    """A socket that has its first `around`."""
    socket = make_socket(hub)
    before = hub.counters.views_sent
    await socket.watch(slug, around=around, player=player, **more)
    await eventually(lambda: socket.of("around"))
    assert hub.counters.views_sent > before
    return socket


def told(socket):
    return [message for message in socket.messages if message["type"] not in OTHERS]


def seen(message):
    return message["rank"], message["total"], [row["player"] for row in message["entries"]]


async def test_it_is_told_once_after_subscribing_without_waiting_for_a_tick(ranked, hub, make_socket):
    socket = await looking(make_socket, hub)
    (message,) = told(socket)
    assert list(message) == ["type", "leaderboard", "season", "player", "rank", "total", "entries"]
    assert (message["leaderboard"], message["season"], message["player"]) == ("arcade", "all-time", "cy")
    assert seen(message) == (3, 5, ["bo", "cy", "di"])
    assert socket.messages[0]["type"] == "snapshot"


async def test_a_change_that_no_frame_tells_of_is_told_at_the_next_tick(ranked, hub, clock, make_socket):
    socket = await looking(make_socket, hub)
    ranked.change("arcade", {**SCORES, "di": 25})
    await clock.tick()
    assert seen(told(socket)[-1]) == (3, 5, ["bo", "cy", "di"])
    assert told(socket)[-1]["entries"][2]["score"] == 25
    assert socket.of("delta") == []


async def test_while_no_board_moves_nothing_is_read_and_nothing_told(ranked, hub, clock, make_socket):
    socket = await looking(make_socket, hub)
    ranked.asked.clear()
    for _ in range(3):
        await clock.tick()
    assert ranked.asked == ["marks"] * 3
    ranked.change("arcade", dict(SCORES))
    await clock.tick()
    assert ranked.asked[3:] == ["marks", "views"]
    assert len(told(socket)) == 1, "what is as it was is not told again"


@pytest.mark.slow
async def test_many_viewports_of_many_boards_are_one_reading_a_tick_and_still_boards_are_left_out(arena, hub, clock, make_socket):
    slugs = [f"board{number}" for number in range(10)]
    for slug in slugs:
        arena.change(slug, SCORES)
    sockets = [await looking(make_socket, hub, slug=slug, player=player) for slug in slugs for player in ("ada", "bo", "bo")]
    assert hub.counters.viewports == 30
    arena.asked.clear()
    arena.viewed.clear()
    for slug in slugs[:7]:
        arena.change(slug, {**SCORES, "bo": 60})
    await clock.tick()
    assert arena.asked == ["marks", "views"]
    ids = [arena.boards[slug].id for slug in slugs[:7]]
    assert sorted(arena.viewed[0], key=str) == sorted([Viewed(id_, player, 1) for id_ in ids for player in ("ada", "bo")], key=str)
    assert [len(socket.of("around")) for socket in sockets] == [2] * 21 + [1] * 9


async def test_those_who_come_while_others_are_read_are_read_together(ranked, hub, make_socket):
    reading, go_on = asyncio.Event(), asyncio.Event()

    async def hold():
        reading.set()
        await go_on.wait()

    ranked.before_views = hold
    sockets = [make_socket(hub) for _ in range(9)]
    await sockets[0].watch(around=1, player="ada")
    await reading.wait()
    ranked.before_views = None
    for number, socket in enumerate(sockets[1:]):
        await socket.watch(around=1 + number, player="bo")
    go_on.set()
    await eventually(lambda: all(socket.of("around") for socket in sockets))
    assert [len(wanted) for wanted in ranked.viewed] == [1, 8]


async def test_it_is_told_at_most_once_a_tick_and_then_what_is_newest(ranked, hub, clock, make_socket):
    socket = await looking(make_socket, hub)
    for score in (31, 32, 33):
        ranked.change("arcade", {**SCORES, "cy": score})
        await clock.tick(after=1)
    assert len(told(socket)) == 1
    await clock.tick()
    assert [message["entries"][1]["score"] for message in told(socket)] == [30, 33]


# --- Passing -------------------------------------------------------------------------------------------------------------


async def test_who_passes_and_who_is_passed_is_told_before_the_rows(ranked, hub, clock, make_socket):
    socket = await looking(make_socket, hub, around=2)
    ranked.change("arcade", {**SCORES, "di": 35})
    await clock.tick()
    ranked.change("arcade", {**SCORES, "di": 35, "cy": 45})
    await clock.tick()
    assert [message["type"] for message in told(socket)] == ["around", "overtake", "around", "overtake", "around"]
    first, second = socket.of("overtake")
    name = {"ada": "Ada", "bo": "Bo", "di": "Di"}
    assert first == {
        **{"type": "overtake", "leaderboard": "arcade", "season": "all-time", "player": "cy"},
        **{"rank": 4, "previous_rank": 3, "passed_by": [{"player": "di", "name": name["di"]}], "passed": []},
    }
    assert (second["previous_rank"], second["rank"], second["passed_by"]) == (4, 2, [])
    assert [row["player"] for row in second["passed"]] == ["bo", "di"]


async def test_coming_and_going_is_no_passing(arena, hub, clock, make_socket):
    arena.change("arcade", {"ada": 5})
    socket = await looking(make_socket, hub)
    assert seen(told(socket)[0]) == (None, 1, [])
    for scores in ({"ada": 5, "cy": 7}, {"ada": 5}):
        arena.change("arcade", scores)
        await clock.tick()
    assert [seen(message) for message in told(socket)[1:]] == [(1, 2, ["cy", "ada"]), (None, 1, [])]
    assert socket.of("overtake") == []


# --- What ends or replaces it --------------------------------------------------------------------------------------------


async def test_a_new_subscription_to_the_board_replaces_it(ranked, hub, clock, make_socket):
    socket = await looking(make_socket, hub)
    await socket.watch(around=1, player="ada")
    await eventually(lambda: len(socket.of("around")) == 2)
    assert (told(socket)[-1]["player"], hub.counters.viewports) == ("ada", 1)
    assert socket.of("overtake") == []
    await socket.watch()
    ranked.change("arcade", {"ada": 1})
    await clock.tick()
    assert (len(told(socket)), hub.counters.viewports) == (2, 0)


async def test_who_leaves_while_it_is_read_is_told_nothing_more(ranked, hub, clock, make_socket):
    socket, stays = await looking(make_socket, hub), await looking(make_socket, hub)
    ranked.change("arcade", {"cy": 1})

    async def leave():
        hub.unsubscribe(socket.outbox, "arcade")

    ranked.before_views = leave
    await clock.tick()
    assert (len(told(socket)), len(told(stays)), hub.counters.viewports) == (1, 2, 1)


async def test_a_socket_that_goes_takes_its_viewports_along(arena, hub, make_socket):
    for slug in ("arcade", "puzzle"):
        arena.change(slug, SCORES)
    socket = await looking(make_socket, hub)
    await socket.watch("puzzle", around=2, own=False, player="bo")
    await eventually(lambda: len(socket.of("around")) == 2)
    hub.detach(socket.outbox)
    assert (hub.counters.viewports, hub._viewports._held) == (0, {})


async def test_a_board_that_is_made_private_ends_it(ranked, hub, clock, make_socket):
    socket = await looking(make_socket, hub)
    ranked.boards["arcade"].is_public = False
    await hub._guard_once()
    ranked.change("arcade", {"cy": 1})
    await clock.tick()
    assert (len(socket.of("around")), hub.counters.viewports) == (1, 0)


# --- Full, slow, cold, away ----------------------------------------------------------------------------------------------


async def test_one_too_many_is_refused_and_the_board_is_not_begun(ranked, make_hub, make_socket):
    hub = make_hub(poll_s=NEVER, viewport_s=NEVER, viewports=2)
    first, second, third = (make_socket(hub) for _ in range(3))
    await first.watch(around=1, player="ada")
    await second.watch(around=1, player="ada")
    await third.watch()
    with pytest.raises(Overloaded):
        await third.watch(top=3, around=1, player="ada")
    await eventually(lambda: third.of("snapshot"))
    assert [message["top"] for message in third.of("snapshot")] == [10], "the subscription of before stands"
    await second.watch(around=2, player="ada")  # in place of its own
    hub.unsubscribe(first.outbox, "arcade")
    await third.watch(around=1, player="ada")
    assert (hub.counters.viewports, hub.counters.viewports_refused) == (2, 1)


async def test_a_socket_that_does_not_read_gets_the_newest_when_it_does(ranked, hub, clock, make_socket):
    slow, swift = await looking(make_socket, hub, around=2), await looking(make_socket, hub, around=2)
    slow.gate.clear()
    for score in range(31, 36):
        ranked.change("arcade", {**SCORES, "di": score})
        await clock.tick()
    await eventually(lambda: len(swift.of("around")) == 6)
    assert hub.counters.views_held_back >= 3
    assert slow.outbox.waiting <= 2
    slow.gate.set()
    await eventually(lambda: not slow.outbox.waiting and slow.outbox.wire.ready)
    await clock.tick()
    await eventually(lambda: slow.of("around")[-1] == swift.of("around")[-1])
    assert len(slow.of("around")) <= 4


async def test_a_cold_board_is_told_when_it_is_ready_though_nothing_moves_then(ranked, hub, clock, make_socket):
    ranked.boards["arcade"].is_cold = True
    socket = make_socket(hub)
    await socket.watch(around=1, player="cy")
    for _ in range(2):
        await clock.tick()
    assert told(socket) == []
    ranked.boards["arcade"].is_cold = False
    await clock.tick()
    await eventually(lambda: told(socket))
    assert seen(told(socket)[0]) == (3, 5, ["bo", "cy", "di"])


async def test_while_redis_is_away_viewports_wait_and_afterwards_are_told_once(ranked, make_hub, make_socket):
    hub = make_hub(poll_s=NEVER, viewport_s=0.01)
    socket = await looking(make_socket, hub)
    failures = 0

    async def fail():
        nonlocal failures
        failures += 1
        raise (FeedUnavailable, ZeroDivisionError)[failures % 2]

    ranked.before_views = fail
    ranked.change("arcade", {**SCORES, "cy": 60})
    await eventually(lambda: failures > 4)
    assert len(told(socket)) == 1
    ranked.before_views = None
    await eventually(lambda: len(told(socket)) == 3)
    looks = ranked.asked.count("marks")
    await eventually(lambda: ranked.asked.count("marks") > looks + 2)
    assert [message["type"] for message in told(socket)] == ["around", "overtake", "around"]


# --- Whose ---------------------------------------------------------------------------------------------------------------


class Holder:
    """A bearer of a credential; `held` knows nothing, as of a browser's session at first."""

    is_key, of_game = True, True

    def __init__(self, player, *, held=True):
        self._credential = Credential("user:5", 1, player, ("boards:read",))
        self._held = held

    def held(self, now):
        return self._credential if self._held else None

    async def find(self, now):
        return self._credential


@pytest.mark.parametrize("held", [True, False])
async def test_own_is_the_player_of_the_credential(ranked, hub, make_socket, held):
    socket = make_socket(hub)
    socket.outbox.bearer = Holder(Player(5, "di", "Di"), held=held)
    await socket.watch(around=1, own=True)
    await eventually(lambda: told(socket))
    assert (told(socket)[0]["player"], seen(told(socket)[0])) == ("di", (4, 5, ["cy", "di", "eve"]))


@pytest.mark.parametrize(("bearer", "refusal"), [(None, NotAuthenticated), (Holder(None), Forbidden)])
async def test_own_of_nobody_is_refused_and_nothing_is_begun(ranked, hub, make_socket, bearer, refusal):
    socket = make_socket(hub)
    socket.outbox.bearer = bearer
    with pytest.raises(refusal):
        await socket.watch(around=1, own=True)
    assert hub.presence() == {}


async def test_viewports_and_what_was_refused_are_metrics(ranked, hub, make_socket):
    await looking(make_socket, hub)
    exposed = expose(hub.counters, hub.presence)
    samples = {metric.name: (metric.type, metric.samples[0].value) for metric in exposed.collect() if metric.samples}
    assert samples["realtime_viewports"] == ("gauge", 1)
    assert samples["realtime_views_sent"] == ("counter", 1)
    assert samples["realtime_viewports_refused"] == ("counter", 0)
