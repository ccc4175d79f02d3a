"""The hub against a real channel layer, with its faults: lost, late and doubled messages, Redis killed, muted and flushed."""

import asyncio

import pytest

from leaderboard.domain.errors import LeaderboardNotFound, StoreUnavailable, TooMany
from leaderboard.feed import Frame, Position
from leaderboard.services.credentials import Credential
from realtime.protocol import PONG, CloseCode
from realtime.source import OFFLINE
from tests.realtime.arena import Arena, eventually

SMALL = {"ada": 30, "bo": 20, "cy": 10}
NEVER = 3600


async def settled(arena, *sockets, slug="arcade", top=10):
    await eventually(lambda: all(socket.shows(slug, arena.newest(slug), top=top) for socket in sockets))


async def test_frames_that_the_layer_lost_are_found_by_the_poll(arena, make_hub, make_socket):
    hub = make_hub()
    socket = make_socket(hub)
    await socket.watch()
    arena.store("arcade", [], 1)
    await settled(arena, socket)
    assert [message["type"] for message in socket.messages if message["type"] != "heartbeat"] == ["snapshot", "delta"]
    assert hub.counters.caught_up == 1


async def test_a_gap_is_filled_at_once_without_waiting_for_a_poll(arena, make_hub, make_socket):
    hub = make_hub(poll_s=NEVER)
    socket = make_socket(hub)
    await socket.watch()
    arena.store("arcade", [], 1)
    await arena.publish("arcade", SMALL)
    await settled(arena, socket)
    assert len(socket.of("delta")) == 2


async def test_a_frame_that_comes_while_a_gap_is_being_filled_is_not_lost(arena, make_hub, make_socket):
    hub = make_hub(poll_s=NEVER)
    socket = make_socket(hub)
    await socket.watch()

    async def publish_meanwhile():
        arena.after_frames = None
        await arena.publish("arcade", {"bo": 1})
        await eventually(lambda: hub.counters.frames_heard == 2)

    arena.after_frames = publish_meanwhile
    arena.store("arcade", [], 1)
    await arena.publish("arcade", SMALL)
    await settled(arena, socket)


async def test_frames_that_come_twice_or_late_change_nothing(arena, make_hub, make_socket):
    hub = make_hub(poll_s=NEVER)
    socket = make_socket(hub)
    await socket.watch()
    first = await arena.publish("arcade", SMALL)
    second = arena.store("arcade", [], 1)
    for frame in (first, second, first, second):
        await arena.announce("arcade", frame)
    await arena.publish("arcade", SMALL)
    await settled(arena, socket)
    assert [message["offset"] for message in socket.of("delta")] == [1, 2, 3]


async def test_a_frame_of_the_epoch_before_that_comes_late_changes_nothing(arena, make_hub, make_socket):
    hub = make_hub(poll_s=NEVER)
    socket = make_socket(hub)
    old = arena.store("arcade", [], 0, epoch="old")
    arena.store("arcade", [], 0, epoch="new")
    await socket.watch()
    await arena.announce("arcade", old)
    await arena.publish("arcade", SMALL)
    await settled(arena, socket)
    assert [message["epoch"] for message in socket.messages if "epoch" in message] == ["new", "new"]


async def test_a_frame_between_joining_and_reading_is_neither_lost_nor_doubled(arena, make_hub, make_socket):
    """Published after the state was read, arrived before it was answered."""
    hub = make_hub(poll_s=NEVER)
    socket = make_socket(hub)
    arena.store("arcade", [], 0)

    async def publish_meanwhile():
        arena.after_state = None
        await arena.publish("arcade", SMALL)
        await eventually(lambda: hub._boards[1].early)

    arena.after_state = publish_meanwhile
    await socket.watch()
    await settled(arena, socket)
    await arena.publish("arcade", {})
    await settled(arena, socket)


async def test_a_frame_that_the_state_holds_already_is_not_sent_again(arena, make_hub, make_socket):
    hub = make_hub(poll_s=NEVER)
    socket = make_socket(hub)
    arena.store("arcade", [], 0)

    async def publish_first():
        arena.before_state = None
        await arena.publish("arcade", SMALL)
        await eventually(lambda: hub._boards[1].early)

    arena.before_state = publish_first
    await socket.watch()
    await arena.publish("arcade", {})
    await settled(arena, socket)
    assert [message["type"] for message in socket.messages if message["type"] != "heartbeat"] == ["snapshot", "delta"]


async def test_many_who_come_at_once_share_one_reading(arena, make_hub, make_socket):
    hub = make_hub(poll_s=NEVER)
    sockets = [make_socket(hub) for _ in range(20)]
    await asyncio.gather(*(socket.watch(top=3) for socket in sockets))
    await settled(arena, *sockets, top=3)
    assert arena.asked.count("state") == 1
    assert hub.presence() == {"arcade": 20}


async def test_a_poll_leaves_a_board_alone_that_is_being_opened(arena, make_hub, make_socket):
    hub = make_hub()

    async def wait_for_polls():
        polls = arena.asked.count("positions")
        await eventually(lambda: arena.asked.count("positions") > polls + 2)

    arena.before_state = wait_for_polls
    await make_socket(hub).watch()
    assert arena.asked.count("state") == 1


async def test_a_socket_that_goes_while_its_board_opens_leaves_nothing(arena, make_hub, make_socket):
    hub = make_hub(poll_s=NEVER)
    reading, go_on = asyncio.Event(), asyncio.Event()

    async def hold():
        reading.set()
        await go_on.wait()

    arena.before_state = hold
    gone, stays = make_socket(hub), make_socket(hub)
    coming = asyncio.create_task(gone.watch())
    await reading.wait()
    coming.cancel()
    await asyncio.wait([coming])
    assert hub.presence() == {}
    second = asyncio.create_task(stays.watch())
    hub.detach(stays.outbox)
    go_on.set()
    await second
    await eventually(lambda: hub.presence() == {} and not hub._link.joined)


async def test_a_board_that_is_left_while_a_poll_is_under_way_is_not_joined_again(arena, make_hub, make_socket):
    hub = make_hub()
    leaves, stays = make_socket(hub), make_socket(hub)
    await leaves.watch()
    await stays.watch("puzzle")

    async def leave():
        arena.before_positions = None
        hub.unsubscribe(leaves.outbox, "arcade")
        await eventually(lambda: hub._link.joined == {"leaderboard.2"})

    arena.before_positions = leave
    await eventually(lambda: arena.before_positions is None)
    polls = arena.asked.count("positions")
    await eventually(lambda: arena.asked.count("positions") > polls + 1)
    assert hub._link.joined == {"leaderboard.2"}


async def test_a_group_is_left_after_the_last_watcher_and_joined_again(arena, make_hub, make_socket):
    hub = make_hub(poll_s=NEVER)
    first, second = make_socket(hub), make_socket(hub)
    await first.watch()
    await second.watch()
    hub.unsubscribe(first.outbox, "arcade")
    assert hub._link.joined == {"leaderboard.1"}
    for _ in range(5):
        hub.unsubscribe(second.outbox, "arcade")
        await second.watch()
    hub.unsubscribe(second.outbox, "arcade")
    await eventually(lambda: not hub._link.joined)
    await second.watch()
    await arena.publish("arcade", SMALL)
    await settled(arena, second)


@pytest.mark.slow
async def test_a_deaf_subscription_is_made_anew_after_three_misses(arena, make_hub, make_socket):
    hub = make_hub()
    socket = make_socket(hub)
    await socket.watch()
    layer = hub._link._layer._get_layer()
    layer.groups.clear()  # deaf: what arrives finds nobody
    offset = 0
    while not hub.counters.recycles:
        offset += 1
        await arena.publish("arcade", {"ada": offset})
        await settled(arena, socket)
    assert offset >= 3
    assert hub.counters.caught_up == offset
    await eventually(lambda: hub._link.joined and layer.groups)
    assert hub.counters.frames_heard == 0
    await arena.publish("arcade", SMALL)
    await eventually(lambda: hub.counters.frames_heard == 1)


@pytest.mark.slow
async def test_a_layer_that_delivers_is_not_recycled_however_often_the_poll_is_first(arena, make_hub, make_socket):
    """Under load a poll often sees a frame that is still on its way."""
    hub = make_hub(poll_s=0.01)
    socket = make_socket(hub)
    await socket.watch()
    while hub.counters.caught_up < 10:
        frame = arena.store("arcade", [], 1)
        before = arena.asked.count("positions")
        await eventually(lambda: arena.asked.count("positions") > before + 1)  # noqa: B023
        await arena.announce("arcade", frame)
        await eventually(lambda: hub._boards[1].heard or hub._boards[1].misses == 0)
    assert hub.counters.recycles == 0


async def test_another_epoch_is_one_snapshot_to_everybody(arena, make_hub, make_socket):
    hub = make_hub()
    sockets = [make_socket(hub) for _ in range(3)]
    for socket in sockets:
        await socket.watch()
    await arena.publish("arcade", SMALL, epoch="another")
    await settled(arena, *sockets)
    for socket in sockets:
        assert [message["type"] for message in socket.messages if message["type"] != "heartbeat"] == ["snapshot", "snapshot"]


async def test_a_feed_that_was_lost_is_begun_anew(arena, make_hub, make_socket):
    hub = make_hub()
    socket = make_socket(hub)
    await socket.watch()
    before = arena.newest("arcade")
    arena.lose("arcade")
    await eventually(lambda: arena.boards["arcade"].states)
    await settled(arena, socket)
    assert arena.newest("arcade").epoch != before.epoch


@pytest.mark.slow
async def test_a_frame_that_can_not_be_read_is_counted_and_made_up_for(arena, make_hub, make_socket):
    hub = make_hub(poll_s=NEVER)
    socket = make_socket(hub)
    await socket.watch()
    newest = arena.newest("arcade")
    await arena.layer.group_send("leaderboard.1", {"type": "leaderboard.frame", "leaderboard": 1, "frame": "{"})
    await arena.layer.group_send("leaderboard.1", {"type": "leaderboard.frame"})
    await arena.announce("arcade", Frame(newest.epoch, newest.offset + 1, False, {3: "{}"}))
    await arena.publish("arcade", SMALL)
    await settled(arena, socket)
    assert hub.counters.bad_frames == 2


async def test_a_broken_frame_in_the_feed_is_passed_by_with_a_snapshot(arena, make_hub, make_socket):
    hub = make_hub()
    socket = make_socket(hub)
    await socket.watch()
    frame = arena.store("arcade", [], 1)
    arena.boards["arcade"].frames[-1] = Frame(frame.epoch, frame.offset, False, dict.fromkeys(frame.texts, "{}"))
    await settled(arena, socket)
    assert hub.counters.resyncs == 1


async def test_a_leaderboard_that_is_gone_is_told_to_its_watchers(arena, make_hub, make_socket):
    hub = make_hub()
    socket = make_socket(hub)
    await socket.watch()
    await socket.watch("puzzle")
    del arena.boards["arcade"]
    await eventually(lambda: socket.of("error"))
    assert [(error["code"], error["leaderboard"]) for error in socket.of("error")] == [("leaderboard_not_found", "arcade")]
    assert hub.presence() == {"puzzle": 1}


# --- Rights (those of real credentials: test_private) ------------------------------------------------------------------


class Asked:
    """A bearer that counts how often it is asked."""

    is_key, of_game, times = True, True, 0

    def held(self, now):
        self.times += 1
        return Credential("key:1", 1, None, ("boards:read",))


async def test_of_a_public_board_nobody_is_asked_for_a_right(arena, make_hub, make_socket):
    hub, bearer = make_hub(guard_s=0.01), Asked()
    socket = make_socket(hub)
    socket.outbox.bearer = bearer
    await socket.watch()
    await socket.watch("puzzle")
    arena.boards["puzzle"].is_public = False
    await eventually(lambda: bearer.times >= 3)  # for the private one, at each look
    before = bearer.times
    hub.unsubscribe(socket.outbox, "puzzle")
    await hub._guard_once()
    assert (bearer.times, hub.presence()) == (before, {"arcade": 1})


async def test_more_strangers_than_fit_into_a_batch_are_all_let_go(arena, make_hub, make_socket):
    hub = make_hub(guard_s=0.02, notify_batch=3)
    sockets = [make_socket(hub) for _ in range(10)]
    for socket in sockets:
        await socket.watch()
    sockets[4].outbox.bearer = Asked()
    arena.boards["arcade"].is_public = False
    await eventually(lambda: sum(socket.closed_with == CloseCode.NOT_AUTHENTICATED for socket in sockets) == 9)
    assert (sockets[4].closed_with, hub.presence()) == (None, {"arcade": 1})


async def test_who_left_while_rights_were_looked_at_is_not_closed(arena, make_hub, make_socket):
    hub = make_hub(guard_s=NEVER)
    first, leaver = make_socket(hub), make_socket(hub)
    for socket in (first, leaver):
        await socket.watch()

    class Meanwhile(Asked):
        def held(self, now):
            hub.unsubscribe(leaver.outbox, "arcade")
            return super().held(now)

    first.outbox.bearer = Meanwhile()
    arena.boards["arcade"].is_public = False
    await hub._guard_once()
    assert (leaver.outbox.closing, hub.presence()) == (False, {"arcade": 1})


async def test_a_look_at_rights_that_fails_is_made_again(arena, make_hub, make_socket, monkeypatch):
    hub = make_hub(guard_s=0.02)
    socket = make_socket(hub)
    await socket.watch()
    failures = [StoreUnavailable(), ZeroDivisionError()]
    look_up = arena.infos

    async def fail(leaderboards):
        if failures:
            raise failures.pop()
        return await look_up(leaderboards)

    monkeypatch.setattr(arena, "infos", fail)
    arena.boards["arcade"].is_public = False
    await eventually(lambda: socket.closed_with == CloseCode.NOT_AUTHENTICATED)
    assert failures == []


async def test_while_redis_is_away_rights_end_all_the_same(own_redis, make_hub, make_socket):
    arena = Arena(own_redis.url, "arcade")
    hub = make_hub(url=own_redis.url, source=arena, guard_s=0.02)
    socket = make_socket(hub)
    await socket.watch()
    own_redis.kill()
    await eventually(lambda: not hub.live)
    arena.boards["arcade"].is_public = False
    await eventually(lambda: socket.closed_with == CloseCode.NOT_AUTHENTICATED)
    await arena.aclose()


# --- Resuming ------------------------------------------------------------------------------------------------------------


async def resumed(arena, hub, make_socket, since, *, kept=None):
    socket = make_socket(hub)
    if kept:
        socket.boards = dict(kept)
    await socket.watch(since=since)
    await settled(arena, socket)
    return [message["type"] for message in socket.messages if message["type"] in ("snapshot", "delta")]


async def test_resuming_from_the_hubs_ring_asks_nobody(arena, make_hub, make_socket):
    hub = make_hub(poll_s=NEVER)
    stays = make_socket(hub)
    await stays.watch()
    kept = {"arcade": (arena.newest("arcade").position, [], 0)}
    for score in range(4):
        await arena.publish("arcade", {"ada": score})
    await settled(arena, stays)
    asked = len(arena.asked)
    assert await resumed(arena, hub, make_socket, kept["arcade"][0], kept=kept) == ["delta"] * 4
    assert len(arena.asked) == asked


async def test_resuming_beyond_the_ring_asks_the_feed(arena, make_hub, make_socket):
    """As after a deployment: the client comes to a process that has just begun to watch."""
    hub = make_hub(poll_s=NEVER)
    arena.store("arcade", [], 0)
    kept = {"arcade": (arena.newest("arcade").position, [], 0)}
    for score in range(4):
        await arena.publish("arcade", {"ada": score})
    assert await resumed(arena, hub, make_socket, kept["arcade"][0], kept=kept) == ["delta"] * 4


async def test_what_is_held_nowhere_is_a_snapshot(arena, make_hub, make_socket):
    hub = make_hub(poll_s=NEVER, ring=4)
    arena.held = 2
    arena.store("arcade", [], 0, epoch="e")
    for score in range(8):
        await arena.publish("arcade", {"ada": score})
    for since in (Position("e", 0), Position("e", 5), Position("e", -3), Position("e", 99), Position("f", 8), Position("", 0)):
        assert await resumed(arena, hub, make_socket, since) == ["snapshot"], since


async def test_resuming_where_the_board_is_brings_nothing_but_what_follows(arena, make_hub, make_socket):
    hub = make_hub(poll_s=NEVER)
    arena.store("arcade", [], 0)
    kept = {"arcade": (arena.newest("arcade").position, [], 0)}
    assert await resumed(arena, hub, make_socket, kept["arcade"][0], kept=kept) == []


async def test_a_client_that_is_ahead_of_this_process_makes_it_catch_up(arena, make_hub, make_socket):
    hub = make_hub(poll_s=NEVER)
    stays = make_socket(hub)
    await stays.watch()
    arena.store("arcade", [], 5)
    state = arena.newest("arcade")
    kept = {"arcade": (state.position, [], 5)}
    assert await resumed(arena, hub, make_socket, state.position, kept=kept) == []
    await settled(arena, stays)


# --- Redis away ----------------------------------------------------------------------------------------------------------


@pytest.fixture
async def own(own_redis, make_hub):
    """An arena and a hub on a Redis that may be killed."""
    arena = Arena(own_redis.url, "arcade", "puzzle")
    yield own_redis, arena, make_hub(url=own_redis.url, source=arena)
    own_redis.resume()
    await arena.aclose()


@pytest.mark.slow
async def test_redis_killed_and_back_is_told_once_each_and_caught_up(own, make_socket):
    redis, arena, hub = own
    socket, late = make_socket(hub), make_socket(hub)
    await socket.watch()
    await arena.publish("arcade", SMALL)
    await settled(arena, socket)
    last = arena.newest("arcade").position
    redis.kill()
    await eventually(lambda: socket.of("status"))
    await late.watch()
    await eventually(lambda: late.of("snapshot") and late.of("status"))
    assert (late.of("snapshot")[0]["epoch"], late.of("snapshot")[0]["offset"]) == (OFFLINE, 0)
    assert late.boards["arcade"][1] == arena.sql
    arena.store("arcade", [], 7)  # by another process, say: the feed outlived it
    redis.restart_empty()
    await settled(arena, socket, late)
    assert [message["live"] for message in socket.of("status")] == [False, True]
    assert [message["live"] for message in late.of("status")] == [False, True]
    assert [message["type"] for message in late.messages if message["type"] in ("snapshot", "delta")] == ["snapshot", "snapshot"]
    assert len(socket.of("snapshot")) == 1, "who was live before needs but the deltas"
    assert arena.newest("arcade").position == (last.epoch, last.offset + 1)
    await arena.publish("arcade", SMALL)
    await settled(arena, socket, late)


async def test_an_offline_watcher_gets_a_live_snapshot_even_if_nothing_changed(own, make_socket):
    redis, arena, hub = own
    socket, late = make_socket(hub), make_socket(hub)
    await socket.watch()
    redis.kill()
    await eventually(lambda: not hub.live)
    await late.watch(top=3)
    await eventually(lambda: late.of("snapshot"))
    redis.restart_empty()
    await settled(arena, late, top=3)


async def test_a_board_first_watched_while_redis_is_away_goes_live_with_it(own, make_socket):
    redis, arena, hub = own
    redis.kill()
    socket = make_socket(hub)
    await socket.watch(top=3)
    await socket.watch("puzzle", top=3)
    await eventually(lambda: len(socket.of("snapshot")) == 2 and socket.of("status"))
    assert {message["epoch"] for message in socket.of("snapshot")} == {OFFLINE}
    redis.restart_empty()
    for slug in ("arcade", "puzzle"):
        await eventually(lambda: arena.boards[slug].states)  # noqa: B023
        await settled(arena, socket, slug=slug, top=3)
        await arena.publish(slug, SMALL)
        await settled(arena, socket, slug=slug, top=3)


@pytest.mark.slow
async def test_a_redis_that_hangs_is_away_too(own, make_socket):
    redis, arena, hub = own
    socket = make_socket(hub)
    await socket.watch()
    redis.pause()
    await eventually(lambda: socket.of("status"))
    redis.resume()
    await eventually(lambda: len(socket.of("status")) == 2)
    await arena.publish("arcade", SMALL)
    await settled(arena, socket)


async def test_a_hub_that_nobody_watches_forgets_that_redis_was_away(own, make_socket):
    redis, arena, hub = own
    redis.kill()
    socket = make_socket(hub)
    await socket.watch()
    await eventually(lambda: socket.of("status"))
    hub.unsubscribe(socket.outbox, "arcade")
    await eventually(lambda: hub.live)
    redis.restart_empty()
    await socket.watch("puzzle")
    await settled(arena, socket, slug="puzzle")


# --- Refusals and bounds -------------------------------------------------------------------------------------------------


async def test_an_unknown_board_is_refused(make_hub, make_socket):
    hub = make_hub()
    with pytest.raises(LeaderboardNotFound):
        await make_socket(hub).watch("nowhere")
    assert hub.presence() == {}


async def test_a_state_that_can_not_be_read_in_time_is_refused_and_the_board_is_not_kept(arena, make_hub, make_socket):
    hub = make_hub(state_timeout_s=0.05, poll_s=NEVER)
    arena.before_state = asyncio.Event().wait
    with pytest.raises(StoreUnavailable):
        await make_socket(hub).watch()
    assert hub.presence() == {}
    arena.before_state = None
    socket = make_socket(hub)
    await socket.watch()
    await settled(arena, socket)


async def test_a_subscription_too_many_is_refused(make_hub, make_socket):
    hub = make_hub(subscriptions=1)
    socket = make_socket(hub)
    await socket.watch()
    await socket.watch(top=25)
    with pytest.raises(TooMany):
        await socket.watch("puzzle")
    assert hub.presence() == {"arcade": 1}


async def test_of_two_subscriptions_to_a_board_only_the_later_is_served(make_hub, make_socket):
    hub = make_hub(poll_s=NEVER, heartbeat_s=NEVER)
    socket = make_socket(hub)
    socket.gate.clear()
    socket.outbox.push(PONG)
    await asyncio.sleep(0)  # the writer is busy with the pong
    await socket.watch(top=3)
    await socket.watch(top=10)
    await socket.watch("puzzle")
    hub.unsubscribe(socket.outbox, "puzzle")
    socket.gate.set()
    socket.outbox.push(PONG)
    await eventually(lambda: len(socket.of("pong")) == 2 and socket.of("snapshot"))
    assert [(message["leaderboard"], message["top"]) for message in socket.of("snapshot")] == [("arcade", 10)]


@pytest.mark.slow
async def test_one_socket_that_takes_nothing_holds_up_nobody(arena, make_hub, make_socket):
    hub = make_hub(notify_batch=3, ring=8)
    stuck = make_socket(hub)
    sockets = [make_socket(hub) for _ in range(20)]
    for socket in (stuck, *sockets):
        await socket.watch()
    await settled(arena, stuck, *sockets)
    stuck.gate.clear()
    for score in range(30):
        await arena.publish("arcade", {"ada": score})
        await settled(arena, *sockets)
    for socket in sockets:
        assert len(socket.of("delta")) == 30
    stuck.gate.set()
    await settled(arena, stuck)
    assert len(stuck.of("snapshot")) == 2
    assert len(stuck.of("delta")) <= 1


async def test_a_snapshot_is_encoded_once_for_a_size_and_position(arena, make_hub, make_socket, monkeypatch):
    from leaderboard.feed import wire

    arena.store("arcade", [], 0)
    encoded = []
    encode = wire.state_text
    monkeypatch.setattr(wire, "state_text", lambda *args, **kwargs: encoded.append(kwargs["top"]) or encode(*args, **kwargs))
    hub = make_hub(poll_s=NEVER)
    sockets = [make_socket(hub) for _ in range(10)]
    for socket in sockets:
        await socket.watch(top=3)
    await settled(arena, *sockets, top=3)
    for socket in sockets:
        await socket.watch(top=25)
    await eventually(lambda: all(len(socket.of("snapshot")) == 2 for socket in sockets))
    assert sorted(encoded) == [3, 25]


async def test_closing_leaves_no_task(arena, make_hub, make_socket):
    before = asyncio.all_tasks()
    hub = make_hub(heartbeat_s=NEVER)
    socket = make_socket(hub)
    await socket.watch()
    closing = asyncio.create_task(hub.aclose())
    await eventually(lambda: socket.closed_with)
    await socket.leave()
    await closing
    assert socket.closed_with == 1012
    assert asyncio.all_tasks() - before == set()
