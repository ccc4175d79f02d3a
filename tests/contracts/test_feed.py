"""What every Feed promises, tried on each make of Redis server."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from itertools import pairwise

import pytest

from leaderboard.feed import NOWHERE, FeedUnavailable, Frame, Position, State, group_name
from leaderboard.feed.asking import Asking
from leaderboard.feed.redis import RedisFeed
from tests.servers.redis import RedisServer, start_redis

GLOBAL, DAILY = 7, 8
TICK_MS = 200
BELL, RUNG_AT = "gl:{dirty}:bell", "gl:{dirty}:rung_at"


def a_feed(url: str, *, tick_ms: int = TICK_MS, timeout_ms: int = 5_000, retry_ms: int = 1, history: int = 512) -> RedisFeed:
    return RedisFeed(url, tick_ms=tick_ms, timeout_ms=timeout_ms, retry_ms=retry_ms, history=history)


def a_step(offset: int, *, epoch: str = "e1", resets: bool = False, text: str = "") -> tuple[State, Frame]:
    rows = [{"rank": 1, "player": "ada", "score": offset}]
    text = text or f'{{"offset":{offset}}}'
    return State(epoch, offset, "2026-W47", 1, rows), Frame(epoch, offset, resets, {3: text, 100: text + " "})


async def publish(feed: RedisFeed, after: Position, *, resets: bool = False, epoch: str = "e1", leaderboard: int = GLOBAL) -> Position:
    offset = after.offset + 1 if after.epoch == epoch else 1
    state, frame = a_step(offset, epoch=epoch, resets=resets or after.epoch != epoch)
    assert await feed.publish(leaderboard, after=after, state=state, frame=frame)
    return state.position


async def publish_many(feed: RedisFeed, count: int) -> Position:
    position = NOWHERE
    for _ in range(count):
        position = await publish(feed, position)
    return position


@pytest.fixture
async def feed(each_server: RedisServer) -> AsyncIterator[RedisFeed]:
    feed = a_feed(each_server.url)
    yield feed
    await feed.aclose()


@pytest.fixture
async def short(each_server: RedisServer) -> AsyncIterator[RedisFeed]:
    """Keeps five frames."""
    feed = a_feed(each_server.url, history=5)
    yield feed
    await feed.aclose()


@pytest.fixture
def own_server() -> Iterable[RedisServer]:
    server = start_redis()
    yield server
    server.stop()


# --- The bell ------------------------------------------------------------------------------------------------------


async def test_an_isolated_change_rings_at_once(feed: RedisFeed, each_server: RedisServer) -> None:
    assert await feed.mark_dirty([GLOBAL]) == 0
    await feed.take_bell()
    each_server.command("SET", RUNG_AT, "1700000000000")  # long ago
    assert await feed.mark_dirty([GLOBAL]) == 0


async def test_while_a_bell_rings_nobody_else_does(feed: RedisFeed) -> None:
    assert await feed.mark_dirty([GLOBAL]) == 0
    assert [await feed.mark_dirty([GLOBAL, DAILY]) for _ in range(10)] == [None] * 10
    assert set(await feed.dirty()) == {GLOBAL, DAILY}


async def test_a_mark_after_the_bell_was_taken_rings_within_the_tick_that_follows(feed: RedisFeed) -> None:
    await feed.mark_dirty([GLOBAL])
    await feed.take_bell()
    delay = await feed.mark_dirty([GLOBAL])
    assert delay is not None
    assert 0 <= delay <= TICK_MS


async def test_a_bell_that_was_taken_early_is_not_rung_twice(each_server: RedisServer) -> None:
    """Its task is still to come and will see this mark as well."""
    feed = a_feed(each_server.url, tick_ms=60_000)
    try:
        assert await feed.mark_dirty([GLOBAL]) == 0
        await feed.take_bell()
        delay = await feed.mark_dirty([GLOBAL])
        assert delay is not None
        assert delay > 50_000
        await feed.take_bell()
        assert await feed.mark_dirty([GLOBAL]) is None
    finally:
        await feed.aclose()


async def test_bells_are_a_tick_apart_over_many_markers_of_two_feeds(each_server: RedisServer) -> None:
    """Even if each is taken as soon as it is rung, before it is due."""
    async with AsyncExitStack() as stack, asyncio.timeout(20):
        feeds = [a_feed(each_server.url, tick_ms=25), a_feed(each_server.url, tick_ms=25)]
        for feed in feeds:
            stack.push_async_callback(feed.aclose)
        due: list[int] = []
        while len(due) < 6:
            answers = await asyncio.gather(*(feeds[number % 2].mark_dirty([GLOBAL, number]) for number in range(50)))
            rung = [answer for answer in answers if answer is not None]
            assert len(rung) <= 1
            if rung:
                assert 0 <= rung[0] <= 25
                due.append(int(each_server.command("GET", RUNG_AT)))
            await feeds[0].take_bell()
        assert all(later - earlier >= 25 for earlier, later in pairwise(due))


async def test_a_bell_whose_task_was_lost_is_rung_again(feed: RedisFeed, each_server: RedisServer) -> None:
    await feed.mark_dirty([GLOBAL])
    assert 0 < int(each_server.command("PTTL", BELL)) <= 1_000
    each_server.command("DEL", BELL)  # as its expiry does
    assert await feed.mark_dirty([GLOBAL]) is not None


async def test_a_bell_outlives_a_long_tick(each_server: RedisServer) -> None:
    feed = a_feed(each_server.url, tick_ms=30_000)
    try:
        await feed.mark_dirty([GLOBAL])
        assert 50_000 < int(each_server.command("PTTL", BELL)) <= 60_000
    finally:
        await feed.aclose()


async def test_a_server_clock_that_stepped_back_delays_no_bell_past_a_tick(feed: RedisFeed, each_server: RedisServer) -> None:
    each_server.command("SET", RUNG_AT, "99999999999999")
    assert await feed.mark_dirty([GLOBAL]) == TICK_MS


async def test_marking_nothing_rings_nothing(feed: RedisFeed) -> None:
    assert await feed.mark_dirty([]) is None
    assert await feed.dirty() == {}


# --- Marks ---------------------------------------------------------------------------------------------------------


async def test_a_settled_leaderboard_is_not_dirty(feed: RedisFeed) -> None:
    await feed.mark_dirty([GLOBAL, DAILY])
    marks = await feed.dirty()
    assert await feed.settle(GLOBAL, marks[GLOBAL]) is True
    assert await feed.dirty() == {DAILY: marks[DAILY]}
    assert await feed.settle(GLOBAL, marks[GLOBAL]) is True


async def test_a_mark_made_between_reading_and_settling_survives(feed: RedisFeed) -> None:
    await feed.mark_dirty([GLOBAL])
    read = await feed.dirty()
    await feed.mark_dirty([GLOBAL])
    assert await feed.settle(GLOBAL, read[GLOBAL]) is False
    assert set(await feed.dirty()) == {GLOBAL}


@pytest.mark.parametrize("flushed", [False, True])
async def test_a_slow_publisher_does_not_settle_the_marks_that_came_after_another_settled(
    feed: RedisFeed, each_server: RedisServer, flushed: bool
) -> None:
    """Counting marks would not do: one before and one after look alike."""
    await feed.mark_dirty([GLOBAL])
    slow = await feed.dirty()
    if flushed:
        each_server.command("FLUSHALL")
    else:
        assert await feed.settle(GLOBAL, slow[GLOBAL])
    await feed.mark_dirty([GLOBAL])
    assert await feed.settle(GLOBAL, slow[GLOBAL]) is False
    assert set(await feed.dirty()) == {GLOBAL}


async def test_marks_grow_though_the_server_clock_steps_back(feed: RedisFeed, each_server: RedisServer) -> None:
    each_server.command("SET", "gl:{dirty}:mark", "5000000000000000")
    await feed.mark_dirty([GLOBAL])
    await feed.mark_dirty([DAILY])
    assert await feed.dirty() == {GLOBAL: 5_000_000_000_000_001, DAILY: 5_000_000_000_000_002}


async def test_every_mark_made_while_publishers_work_is_seen_by_one_of_them(feed: RedisFeed) -> None:
    """Each publisher reads the truth after it has read the marks; in the end what was published is the last truth."""
    truth, published = 0, -1

    async def mark() -> None:
        nonlocal truth
        for _ in range(50):
            truth += 1
            await feed.mark_dirty([GLOBAL])

    async def work() -> None:
        nonlocal published
        while (marks := await feed.dirty()) or not marking.done():
            seen = truth
            await asyncio.sleep(0)
            published = max(published, seen)
            for leaderboard, count in marks.items():
                await feed.settle(leaderboard, count)

    marking = asyncio.gather(*(mark() for _ in range(3)))
    await asyncio.gather(marking, work(), work())
    assert (published, truth) == (150, 150)


# --- Watermarks ------------------------------------------------------------------------------------------------------


async def test_a_mark_moves_the_watermark_of_its_leaderboard_and_of_no_other(feed: RedisFeed) -> None:
    here, there = await feed.watermark(GLOBAL), await feed.watermark(DAILY)
    assert await feed.watermark(GLOBAL) == here
    await feed.mark_dirty([GLOBAL])
    assert await feed.watermark(GLOBAL) != here
    assert await feed.watermark(DAILY) == there


async def test_a_watermark_that_was_does_not_come_back_when_the_mark_is_settled(feed: RedisFeed) -> None:
    """The change may be below what is published: then neither the position nor the dirty marks tell of it any more."""
    seen = {await feed.watermark(GLOBAL)}
    for number in range(1, 5):
        await feed.mark_dirty([GLOBAL])
        seen.add(await feed.watermark(GLOBAL))
        await feed.settle(GLOBAL, (await feed.dirty())[GLOBAL])
        assert len(seen | {await feed.watermark(GLOBAL)}) == number + 1


async def test_a_frame_moves_the_watermark(feed: RedisFeed) -> None:
    before = await feed.watermark(GLOBAL)
    position = await publish(feed, NOWHERE)
    assert await feed.watermark(GLOBAL) == before._replace(position=position)


async def test_no_watermark_comes_twice_over_flushes(feed: RedisFeed, each_server: RedisServer) -> None:
    seen = []
    for _ in range(5):
        each_server.command("FLUSHALL")
        seen.append(await feed.watermark(GLOBAL))
        await feed.mark_dirty([GLOBAL])
        seen.append(await feed.watermark(GLOBAL))
        each_server.command("FLUSHALL")
        await feed.mark_dirty([GLOBAL])
        seen.append(await feed.watermark(GLOBAL))
    assert len(set(seen)) == len(seen)


async def test_those_who_ask_for_several_leaderboards_at_once_are_told_their_own(feed: RedisFeed) -> None:
    await feed.mark_dirty([DAILY])
    position = await publish(feed, NOWHERE, leaderboard=DAILY)
    alone = [await feed.watermark(leaderboard) for leaderboard in (DAILY, GLOBAL, 99)]
    assert alone[0].position == position
    assert await asyncio.gather(*(feed.watermark(leaderboard) for leaderboard in (DAILY, GLOBAL, 99) * 20)) == alone * 20


async def test_a_watermark_is_not_older_than_the_mark_that_was_made_before_it_was_asked_for(each_server: RedisServer) -> None:
    """By another process, while this one's askers share round trips."""
    async with AsyncExitStack() as stack:
        ours, theirs = a_feed(each_server.url), a_feed(each_server.url)
        for feed in (ours, theirs):
            stack.push_async_callback(feed.aclose)

        async def mark_and_ask(leaderboard: int) -> None:
            for _ in range(30):
                await theirs.mark_dirty([leaderboard])
                mark = (await theirs.dirty())[leaderboard]
                assert int((await ours.watermark(leaderboard)).changed) >= mark

        await asyncio.gather(*(mark_and_ask(leaderboard) for leaderboard in (1, 1, 2, 2, 3)))


async def test_a_position_that_was_asked_for_is_of_before_what_is_sent_after_it(feed: RedisFeed) -> None:
    first = await publish(feed, NOWHERE)
    state, frame = a_step(first.offset + 1)
    asked = [feed.ask_position(GLOBAL) for _ in range(3)]
    other = feed.ask_position(DAILY)
    asked[0].cancel()  # type: ignore[attr-defined]
    assert await feed.publish(GLOBAL, after=first, state=state, frame=frame)
    assert [await position for position in asked[1:]] == [first, first]
    assert await other == NOWHERE
    assert await feed.ask_position(GLOBAL) == state.position


def test_those_who_ask_during_a_read_are_told_by_the_next_and_one_who_fails_keeps_nobody_from_it() -> None:
    reads: list[tuple[Sequence[int], Callable[[Mapping[int, str]], None]]] = []
    told: list[tuple[str, str | None]] = []

    def ask(asking: Asking[str], leaderboard: int, name: str) -> None:
        asking.ask(leaderboard, lambda found: told.append((name, found)))

    def fail(found: str | None) -> None:
        raise RuntimeError("planted")

    async def story() -> None:
        asking: Asking[str] = Asking(lambda leaderboards, answered: reads.append((leaderboards, answered)))
        ask(asking, GLOBAL, "ada")
        asking.ask(GLOBAL, fail)
        ask(asking, GLOBAL, "bo")
        await asyncio.sleep(0)
        ask(asking, DAILY, "cy")
        ask(asking, GLOBAL, "dee")
        await asyncio.sleep(0)
        assert [leaderboards for leaderboards, _ in reads] == [(GLOBAL,)]
        reads[0][1]({GLOBAL: "first"})
        assert told == [("ada", "first"), ("bo", "first")]
        assert [leaderboards for leaderboards, _ in reads] == [(GLOBAL,), (DAILY, GLOBAL)]
        reads[1][1]({GLOBAL: "second"})
        assert told[2:] == [("cy", None), ("dee", "second")]
        ask(asking, GLOBAL, "eve")
        await asyncio.sleep(0)
        assert len(reads) == 3

    asyncio.run(story())


# --- Frames --------------------------------------------------------------------------------------------------------


async def test_nothing_is_known_of_a_leaderboard_before_its_first_frame(feed: RedisFeed) -> None:
    assert await feed.position(GLOBAL) == NOWHERE
    assert await feed.state(GLOBAL) is None
    assert await feed.frames_since(GLOBAL, NOWHERE) is None


async def test_state_position_and_frame_are_stored_together_and_read_back_whole(feed: RedisFeed) -> None:
    state, frame = a_step(1, resets=True, text='{"name":"Ada ☃ \\u202e"}')
    assert await feed.publish(GLOBAL, after=NOWHERE, state=state, frame=frame) is True
    assert await feed.state(GLOBAL) == state
    assert await feed.position(GLOBAL) == state.position
    following, delta = a_step(2)
    assert await feed.publish(GLOBAL, after=state.position, state=following, frame=delta) is True
    assert await feed.frames_since(GLOBAL, state.position) == [delta]
    assert await feed.state(GLOBAL) == following


@pytest.mark.parametrize("after", [NOWHERE, Position("e1", 1), Position("e1", 3), Position("e0", 2)])
async def test_a_frame_made_from_another_position_is_not_stored(feed: RedisFeed, after: Position) -> None:
    position = await publish_many(feed, 2)
    state, frame = a_step(after.offset + 1, epoch="e1" if after.epoch == "e1" else "e9", resets=True)
    assert await feed.publish(GLOBAL, after=after, state=state, frame=frame) is False
    assert await feed.position(GLOBAL) == position
    assert (await feed.state(GLOBAL)) == a_step(2)[0]
    assert await feed.frames_since(GLOBAL, position) == []


async def test_two_racing_publishers_number_without_gap_or_double(each_server: RedisServer) -> None:
    async def race(feed: RedisFeed, name: str) -> int:
        won = 0
        while (position := await feed.position(GLOBAL)).offset < 60:
            new = position == NOWHERE
            state, frame = a_step(position.offset + 1, epoch=position.epoch or name, resets=new, text=name)
            won += await feed.publish(GLOBAL, after=position, state=state, frame=frame)
        return won

    async with AsyncExitStack() as stack:
        feeds = [a_feed(each_server.url), a_feed(each_server.url)]
        for feed in feeds:
            stack.push_async_callback(feed.aclose)
        assert sum(await asyncio.gather(race(feeds[0], "a"), race(feeds[1], "b"), race(feeds[1], "c"))) == 60
        frames = await feeds[0].frames_since(GLOBAL, Position((await feeds[0].position(GLOBAL)).epoch, 0))
        assert frames is not None
        assert [frame.offset for frame in frames] == list(range(1, 61))


async def test_frames_since_answers_from_every_position_that_is_held(short: RedisFeed) -> None:
    newest = await publish_many(short, 12)
    assert await short.frames_since(GLOBAL, newest) == []
    for missing in range(1, 6):
        frames = await short.frames_since(GLOBAL, Position("e1", 12 - missing))
        assert frames is not None
        assert [frame.offset for frame in frames] == list(range(13 - missing, 13))


@pytest.mark.parametrize(
    "position",
    [Position("e1", 6), Position("e1", 0), Position("e1", 13), Position("e1", -1), Position("e0", 12), Position("e0", 11), NOWHERE],
    ids=["trimmed", "long ago", "the future", "below zero", "another epoch, same offset", "another epoch", "nowhere"],
)
async def test_frames_since_a_position_that_is_not_held_can_not_be_had(short: RedisFeed, position: Position) -> None:
    await publish_many(short, 12)
    assert await short.frames_since(GLOBAL, position) is None


async def test_a_new_epoch_drops_the_frames_of_the_old_one(feed: RedisFeed) -> None:
    old = await publish_many(feed, 8)
    new = await publish(feed, old, epoch="e2")
    assert new == Position("e2", 1)
    assert await feed.frames_since(GLOBAL, old) is None
    assert await feed.frames_since(GLOBAL, Position("e2", -3)) is None
    following = await publish(feed, new, epoch="e2")
    frames = await feed.frames_since(GLOBAL, new)
    assert frames is not None
    assert [(frame.epoch, frame.offset) for frame in frames] == [following]


async def test_a_watcher_that_applies_frames_since_is_never_led_past_a_gap(short: RedisFeed) -> None:
    rng = random.Random(4)
    position, seen = NOWHERE, NOWHERE
    for step in range(120):
        epoch = f"e{step // 30}"
        position = await publish(short, position, epoch=epoch)
        if rng.random() < 0.4:
            frames = await short.frames_since(GLOBAL, seen)
            if frames is None:
                seen = position
                continue
            for frame in frames:
                assert (frame.epoch, frame.offset) == (seen.epoch, seen.offset + 1)
                seen = Position(frame.epoch, frame.offset)
            assert seen == position


async def test_leaderboards_do_not_share_frames(feed: RedisFeed) -> None:
    here = await publish_many(feed, 3)
    there = await publish(feed, NOWHERE, epoch="e5", leaderboard=DAILY)
    assert await feed.positions([DAILY, 99, GLOBAL]) == [there, NOWHERE, here]
    assert await feed.positions([]) == []


@pytest.mark.parametrize(
    ("after", "state", "frame"),
    [
        (NOWHERE, a_step(1)[0], a_step(2, resets=True)[1]),
        (NOWHERE, a_step(1)[0], a_step(1)[1]),
        (Position("e1", 1), a_step(3)[0], a_step(3)[1]),
        (NOWHERE, a_step(1, epoch="")[0], a_step(1, epoch="", resets=True)[1]),
    ],
    ids=["state and frame differ", "an epoch begins with a delta", "a gap", "no epoch"],
)
async def test_a_publisher_that_numbers_wrongly_is_stopped(feed: RedisFeed, after: Position, state: State, frame: Frame) -> None:
    with pytest.raises(ValueError, match=r"frame|offset|epoch"):
        await feed.publish(GLOBAL, after=after, state=state, frame=frame)


async def test_what_another_release_wrote_is_not_known_and_does_not_stop_the_feed(
    feed: RedisFeed, each_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    await publish_many(feed, 2)
    each_server.command("LSET", "gl:{7}:feed:frames", "-1", "nonsense")
    assert await feed.frames_since(GLOBAL, Position("e1", 1)) is None
    each_server.command("SET", "gl:{7}:feed:state", "nonsense")
    assert await feed.state(GLOBAL) is None
    assert await feed.position(GLOBAL) == NOWHERE
    assert caplog.text.count("not readable") == 2
    assert await publish(feed, NOWHERE, epoch="e2") == Position("e2", 1)
    assert await feed.state(GLOBAL) is not None


# --- A Redis that misbehaves -----------------------------------------------------------------------------------------


async def test_a_flush_is_a_new_beginning(feed: RedisFeed, each_server: RedisServer) -> None:
    position = await publish_many(feed, 3)
    await feed.mark_dirty([GLOBAL])
    each_server.command("FLUSHALL")
    assert await feed.dirty() == {}
    assert await feed.position(GLOBAL) == NOWHERE
    assert await feed.frames_since(GLOBAL, position) is None
    state, frame = a_step(4)
    assert await feed.publish(GLOBAL, after=position, state=state, frame=frame) is False
    assert await feed.mark_dirty([GLOBAL]) == 0
    assert await publish(feed, NOWHERE, epoch="e2") == Position("e2", 1)


async def test_scripts_that_the_server_forgot_are_loaded_again(feed: RedisFeed, each_server: RedisServer) -> None:
    for _ in range(2):
        each_server.command("SCRIPT", "FLUSH")
        await feed.mark_dirty([GLOBAL])
    assert feed.failures == 0


@pytest.mark.slow
async def test_a_redis_that_hangs_is_away_and_comes_back(own_server: RedisServer) -> None:
    feed = a_feed(own_server.url, timeout_ms=150, retry_ms=0)
    try:
        position = await publish_many(feed, 2)
        own_server.pause()
        with pytest.raises(FeedUnavailable):
            await feed.mark_dirty([GLOBAL])
        assert feed.failures == 1
        with pytest.raises(FeedUnavailable):
            await feed.watermark(GLOBAL)
        assert await feed.ask_position(GLOBAL) == NOWHERE
        own_server.resume()
        async with asyncio.timeout(20):
            while await held(feed) is None:
                await asyncio.sleep(0.001)
        assert await held(feed) == position
    finally:
        await feed.aclose()


async def held(feed: RedisFeed) -> Position | None:
    try:
        return await feed.position(GLOBAL)
    except FeedUnavailable:
        return None


def test_a_leaderboard_has_one_group() -> None:
    assert group_name(GLOBAL) == "leaderboard.7"


# --- What people look at: scores and watchers ---------------------------------------------------------------------------


async def test_scores_are_counted_with_the_marks_they_move(feed: RedisFeed) -> None:
    async def counted() -> list[int]:
        return [told.scores for told in await feed.attend("one", {}, asked=[GLOBAL, DAILY], life_ms=1_000)]

    assert await counted() == [0, 0]
    await feed.mark_dirty([GLOBAL, DAILY], scores={GLOBAL: 3, DAILY: 1})
    await feed.mark_dirty([GLOBAL], scores={GLOBAL: 250})
    assert await counted() == [253, 1]


async def test_a_mark_that_no_score_made_counts_none(feed: RedisFeed) -> None:
    await feed.mark_dirty([GLOBAL])
    await feed.mark_dirty([GLOBAL, DAILY], scores={DAILY: 2})
    assert [told.scores for told in await feed.attend("one", {}, asked=[GLOBAL, DAILY], life_ms=1_000)] == [0, 2]


async def test_the_last_marks_are_told_in_the_order_asked_and_outlive_settling(feed: RedisFeed) -> None:
    assert await feed.marks([GLOBAL, DAILY]) == [b"", b""]
    await feed.mark_dirty([GLOBAL])
    marks = await feed.marks([DAILY, GLOBAL])
    assert marks[0] == b""
    assert await feed.settle(GLOBAL, int(marks[1]))
    assert await feed.marks([DAILY, GLOBAL]) == marks
    assert await feed.marks([]) == []
    assert (await feed.watermark(GLOBAL)).changed == marks[1]
    await feed.mark_dirty([GLOBAL])
    assert await feed.marks([GLOBAL]) != marks[1:]


async def watching(feed: RedisFeed, process: str, watched: Mapping[int, int], *asked: int, life_ms: int = 60_000) -> list[int]:
    return [told.watching for told in await feed.attend(process, watched, asked=asked, life_ms=life_ms)]


async def test_watchers_of_all_processes_are_told_to_each(feed: RedisFeed) -> None:
    assert await watching(feed, "one", {GLOBAL: 3}, GLOBAL, DAILY) == [3, 0]
    assert await watching(feed, "two", {GLOBAL: 4, DAILY: 1}, GLOBAL, DAILY) == [7, 1]
    assert await watching(feed, "one", {DAILY: 1}, DAILY, GLOBAL) == [2, 4], "what it said before is replaced"
    assert await watching(feed, "three", {}, GLOBAL, DAILY) == [4, 2], "who only looks is not counted"
    assert await watching(feed, "two", {}) == []
    assert await watching(feed, "one", {DAILY: 1}, GLOBAL, DAILY) == [0, 1], "who has no watchers any more is forgotten at once"


async def test_a_process_that_says_no_more_is_forgotten_with_its_keys(feed: RedisFeed, each_server: RedisServer) -> None:
    await watching(feed, "killed", {GLOBAL: 9}, life_ms=1)
    while each_server.command("EXISTS", "gl:{watching}:of:killed") != "0":
        pass
    assert await watching(feed, "one", {GLOBAL: 1}, GLOBAL) == [1]
    assert each_server.command("ZCARD", "gl:{watching}:processes") == "1"
    assert 0 < int(each_server.command("PTTL", "gl:{watching}:of:one")) <= 60_000
    assert 0 < int(each_server.command("PTTL", "gl:{watching}:processes")) <= 60_000


async def test_one_that_dies_does_not_take_the_word_of_others_along(feed: RedisFeed, each_server: RedisServer) -> None:
    await watching(feed, "stays", {GLOBAL: 5})
    await watching(feed, "killed", {GLOBAL: 9}, life_ms=1)
    while each_server.command("EXISTS", "gl:{watching}:of:killed") != "0":
        pass
    assert await watching(feed, "one", {}, GLOBAL) == [5]


async def test_thousands_of_boards_are_told_at_once(feed: RedisFeed) -> None:
    many = {leaderboard: leaderboard % 7 for leaderboard in range(1, 4_001)}
    await watching(feed, "two", {4_000: 10})
    assert await watching(feed, "one", many, *many) == [*[many[board] for board in range(1, 4_000)], many[4_000] + 10]
