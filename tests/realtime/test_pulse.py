"""Pulses: who watches, over all processes, and how many scores a board takes."""

import asyncio
import math

import pytest

from leaderboard import runtime
from leaderboard.feed import FeedUnavailable
from leaderboard.services.checking import Asked
from realtime.hub import Hub
from realtime.limits import Options
from realtime.pulse import Rate
from realtime.wanted import Wanted
from tests.realtime.arena import Socket, eventually, make_layer

NEVER = 3600
BOARD = "arcade-best"


def pulses(socket, slug="arcade"):
    return [(told["watching"], told["scores_per_minute"]) for told in socket.of("pulse") if told["leaderboard"] == slug]


@pytest.fixture
def hub(make_hub):
    return make_hub(poll_s=NEVER, pulse_s=NEVER, heartbeat_s=NEVER)


class Clock:
    """Of a hub's pulses, which beat by hand."""

    def __init__(self, hub):
        # Whole, so that what is added can be taken off again exactly: of a fraction, an hour's rest came out too short now and then.
        self.now = math.ceil(asyncio.get_running_loop().time())
        self._pulses = hub._pulses
        self._pulses._now = lambda: self.now

    async def beat(self, *, after=NEVER):
        self.now += after
        await self._pulses.beat()


async def all_told(hub):
    await eventually(lambda: all(outbox.wire.ready and not outbox.waiting for outbox in hub._outboxes))


# --- The rate ------------------------------------------------------------------------------------------------------------


def rate_of(*looks):
    rate = Rate()
    for now, count in looks:
        rate.note(count, now)
    return rate.per_minute


@pytest.mark.parametrize(
    ("looks", "per_minute"),
    [
        ([], None),
        ([(0, 500)], None),
        ([(0, 500), (4, 540)], None),  # too soon to say
        ([(0, 500), (6, 540)], 400),
        ([(0, 0), (60, 7)], 7),
        ([(0, 0), (30, 1000), (60, 1000), (62, 1000)], 0),  # what is longer ago than a minute is past
        ([(0, 7), (30, 7), (60, 7)], 0),
        ([(0, 900), (10, 1000), (12, 3)], None),  # Redis lost the count
        ([(0, 900), (10, 1000), (12, 3), (18, 13)], 100),
        ([(0, 0), (10, 100), (900, 200)], None),  # nobody asked for a while
    ],
)
def test_a_rate_looks_back_up_to_a_minute(looks, per_minute):
    assert rate_of(*looks) == per_minute


# --- What is told --------------------------------------------------------------------------------------------------------


async def test_it_is_told_after_subscribing_to_who_asked_and_to_nobody_else(arena, hub, make_socket):
    asker, other = make_socket(hub), make_socket(hub)
    await other.watch()
    await asker.watch(pulse=True)
    await eventually(lambda: asker.of("pulse"))
    assert asker.of("pulse") == [{"type": "pulse", "leaderboard": "arcade", "watching": 2, "scores_per_minute": None}]
    assert asker.messages[0]["type"] == "snapshot"
    await all_told(hub)
    assert other.of("pulse") == []


async def test_changes_are_told_and_nothing_is_while_there_is_none(arena, hub, make_socket):
    clock, asker, other = Clock(hub), make_socket(hub), make_socket(hub)
    await asker.watch(pulse=True)
    for _ in range(3):
        await clock.beat()
    await other.watch()
    await clock.beat()
    hub.unsubscribe(other.outbox, "arcade")
    await clock.beat()
    await all_told(hub)
    assert pulses(asker) == [(1, None), (2, None), (1, None)]
    assert hub.counters.pulses_sent == 3


async def test_scores_a_minute_are_told_once_they_are_known(arena, hub, make_socket):
    clock, asker = Clock(hub), make_socket(hub)
    hub._pulses._options = Options(pulse_s=2.0)
    await asker.watch(pulse=True)
    for taken in (10, 20, 30, 40):
        arena.boards["arcade"].taken = taken
        await clock.beat(after=2)
    await all_told(hub)
    assert pulses(asker) == [(1, None), (1, 300)]


async def test_it_is_told_at_most_every_two_seconds_to_one(arena, make_hub, make_socket):
    hub = make_hub(poll_s=NEVER, pulse_s=2.0)
    clock, asker, others = Clock(hub), make_socket(hub), [make_socket(hub) for _ in range(3)]
    await asker.watch(pulse=True)
    for other in others:
        await other.watch()
        await clock.beat(after=0.5)
    assert pulses(asker) == [(1, None)]
    await clock.beat(after=0.5)
    await all_told(hub)
    assert pulses(asker) == [(1, None), (4, None)]


async def test_a_thousand_who_ask_are_one_call_and_a_still_process_makes_none(arena, hub, make_socket):
    clock, sockets = Clock(hub), [make_socket(hub) for _ in range(300)]
    await clock.beat()
    assert "attend" not in arena.asked
    for number, socket in enumerate(sockets):
        await socket.watch(("arcade", "puzzle")[number % 2], pulse=True)
    await clock.beat()
    await all_told(hub)
    assert arena.asked.count("attend") == 1
    assert {pulses(socket, ("arcade", "puzzle")[number % 2])[-1] for number, socket in enumerate(sockets)} == {(150, None)}
    for socket in sockets:
        hub.detach(socket.outbox)
    for _ in range(3):
        await clock.beat()
    assert arena.asked.count("attend") == 2, "that nobody watches any more is said once"
    assert hub._pulses._boards == {}


async def test_a_slow_socket_gets_the_newest_when_it_reads(arena, hub, make_socket):
    clock, slow, others = Clock(hub), make_socket(hub), [make_socket(hub) for _ in range(4)]
    await slow.watch(pulse=True)
    await all_told(hub)
    slow.gate.clear()
    for other in others:
        await other.watch()
        await clock.beat()
    assert slow.outbox.waiting <= 1
    slow.gate.set()
    await eventually(lambda: slow.outbox.wire.ready)
    await clock.beat()
    await eventually(lambda: pulses(slow)[-1] == (5, None))
    assert len(pulses(slow)) <= 4


async def test_a_subscription_without_a_pulse_ends_it(arena, hub, make_socket):
    clock, asker, other = Clock(hub), make_socket(hub), make_socket(hub)
    await asker.watch(pulse=True)
    await asker.watch()
    await other.watch()
    await clock.beat()
    await all_told(hub)
    assert pulses(asker) == [(1, None)]


async def test_while_redis_is_away_the_last_pulse_stands_and_afterwards_it_goes_on(arena, make_hub, make_socket, monkeypatch):
    hub = make_hub(poll_s=NEVER, pulse_s=0.01)
    asker, other = make_socket(hub), make_socket(hub)
    await asker.watch(pulse=True)
    attend, failures = arena.attend, 0

    async def fail(*args, **kwargs):
        nonlocal failures
        failures += 1
        raise (FeedUnavailable, ZeroDivisionError)[failures % 2]

    monkeypatch.setattr(arena, "attend", fail)
    await other.watch()
    await eventually(lambda: failures > 4)
    assert pulses(asker) == [(1, None)]
    monkeypatch.setattr(arena, "attend", attend)
    await eventually(lambda: pulses(asker)[-1] == (2, None))


# --- Over processes, with the real feed ----------------------------------------------------------------------------------


@pytest.fixture
async def make_process(services, cast, redis_url):
    """Hubs as processes have them, each with a socket that asked for the pulse and as many more as wanted."""
    hubs, sockets = [], []

    async def watcher(hub, **wanted):
        sockets.append(Socket(hub))
        await hub.subscribe(sockets[-1].outbox, BOARD, Wanted(**wanted))
        return sockets[-1]

    async def make(*, watchers=0, attended=500):
        options = Options(poll_s=NEVER, pulse_s=0.02, attended=attended, heartbeat_s=NEVER, close_grace_s=0.05)
        hubs.append(Hub(source=services.live, layer=make_layer(redis_url), options=options))
        asker = await watcher(hubs[-1], pulse=True)
        for _ in range(watchers):
            await watcher(hubs[-1])
        return hubs[-1], asker

    yield make
    for socket in sockets:
        await socket.leave()
    for hub in hubs:
        await hub.aclose()


def watching(asker):
    told = pulses(asker, BOARD)
    return told[-1][0] if told else None


async def test_processes_count_each_others_watchers(make_process):
    (one, first), (_, second) = await make_process(watchers=2), await make_process(watchers=1)
    await eventually(lambda: watching(first) == watching(second) == 5)
    late = Socket(one)
    await one.subscribe(late.outbox, BOARD, Wanted(pulse=True))
    await eventually(lambda: late.of("pulse"))
    assert pulses(late, BOARD)[0][0] == 6, "also the first pulse tells of all"
    await late.leave()
    await eventually(lambda: watching(first) == watching(second) == 5)


@pytest.mark.slow
async def test_the_watchers_of_a_process_that_is_killed_are_gone_when_its_word_ends(make_process):
    killed, _ = await make_process(watchers=3, attended=5)
    _, stays = await make_process(attended=5)
    await eventually(lambda: watching(stays) == 5)
    for task in killed._tasks:
        task.cancel()  # it says nothing more, not even that it goes
    await eventually(lambda: watching(stays) == 1)


async def test_the_watchers_of_a_process_that_stops_are_gone_at_once(make_process):
    """Here a word would count for longer than the test may last."""
    stops, _ = await make_process(watchers=3, attended=100_000)
    _, stays = await make_process(attended=100_000)
    await eventually(lambda: watching(stays) == 5)
    await stops.aclose()
    await eventually(lambda: watching(stays) == 1)


async def test_what_is_submitted_moves_the_pulse(make_process, cast, services):
    hub, asker = await make_process()
    await eventually(lambda: hub._pulses._has_said)
    for task in hub._tasks:
        task.cancel()
    clock = Clock(hub)
    credential = await services.credentials.find(cast.auth["Authorization"].encode(), now=runtime.utc_now())
    for _ in range(4):
        await clock.beat(after=5)
        asked = [(Asked(player=player, score=1, leaderboards=[BOARD]), None) for player in ("ada", "bo", "ada")]
        await services.submits.submit_many(asked, credential=credential, now=runtime.utc_now())
    await all_told(hub)
    assert pulses(asker, BOARD)[-1] in ((1, 26), (1, 27)), "nine scores in twenty seconds, or not a whole second more"
