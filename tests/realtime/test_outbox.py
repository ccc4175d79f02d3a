"""The writer of one socket, with sends that are held back by hand."""

import asyncio
import json

import pytest

from leaderboard.domain.errors import BadMessage
from leaderboard.feed import State, wire
from realtime.board import Board, Step, Subscription
from realtime.limits import Options
from realtime.metrics import Counters
from realtime.outbox import Outbox
from realtime.protocol import PONG, CloseCode, submitted_text
from tests.realtime.arena import InMemory, Leaderboard, Watcher, eventually, ranked

SUBMITTED = submitted_text(
    b'{"session_id":1,"player":"ada","score":1,"subscore":0,"game_mode":"","timestamp":"2026-11-01T20:00:00.000Z","results":[]}',
    submit_id=7,
)


class Line(Watcher):
    """The far end of an outbox."""

    def __init__(self, **options):
        super().__init__()
        self.counters, self.options, self.live = Counters(), Options(**options), True
        self.line = InMemory(self.send, self.options)
        self.outbox = self.line.outbox = Outbox(self.line.wire, is_live=lambda: self.live, counters=self.counters, options=self.options)
        self.gate = asyncio.Event()
        self.gate.set()
        self.sending = 0
        self.close = None

    async def send(self, message):
        self.sending += 1
        await self.gate.wait()
        if message["type"] == "websocket.close":
            self.close = (message["code"], message["reason"])
        else:
            self.take(message["text"])

    def watch(self, board, *, top=3):
        subscription = Subscription(board, self.outbox, top=top)
        self.outbox.subscriptions[board.info.slug] = subscription
        self.outbox.owe(subscription)
        return subscription


@pytest.fixture
async def run():
    tasks = []

    def start(line):
        tasks.append(asyncio.create_task(line.line.wire.run()))
        return tasks[-1]

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def now():
    return asyncio.get_running_loop().time()


def a_board(slug="arcade", *, ring=4, counters=None):
    board = Board(Leaderboard(1, slug), ring=ring, counters=counters or Counters())
    board.restart(State("e", 0, "all-time", 0, []))
    return board


def advance(board, count=1):
    for _ in range(count):
        old = board.standing.state
        new = State("e", old.offset + 1, "all-time", 1, ranked({"ada": old.offset}))
        assert board.take(wire.frame_between(board.info.slug, old=old, new=new)) is Step.TAKEN


async def test_it_sends_what_is_owed_in_order(run):
    line, board = Line(), a_board()
    run(line)
    subscription = line.watch(board)
    advance(board, 2)
    line.outbox.owe(subscription)
    await eventually(lambda: line.shows("arcade", board.standing.state, top=3))
    advance(board, 2)
    line.outbox.owe(subscription)
    await eventually(lambda: line.shows("arcade", board.standing.state, top=3))
    assert [message["type"] for message in line.messages] == ["snapshot", "delta", "delta", "delta", "delta"]


async def test_within_the_ring_a_late_socket_gets_every_frame_and_beyond_it_one_snapshot(run):
    line = Line()
    board = a_board(ring=4, counters=line.counters)
    run(line)
    subscription = line.watch(board)
    await eventually(lambda: line.messages)
    for frames, kinds in ((4, ["delta"] * 4), (5, ["snapshot"]), (100, ["snapshot"]), (1, ["delta"])):
        line.messages.clear()
        advance(board, frames)
        line.outbox.owe(subscription)
        await eventually(lambda: line.shows("arcade", board.standing.state, top=3))
        assert [message["type"] for message in line.messages] == kinds
    assert line.counters.stale_snapshots == 2
    assert line.counters.sends_dropped == 105


async def test_frames_that_pass_while_a_send_is_under_way_keep_their_order(run):
    line, board = Line(), a_board(ring=4)
    line.gate.clear()
    run(line)
    subscription = line.watch(board)
    await eventually(lambda: line.sending)
    advance(board, 50)
    line.outbox.owe(subscription)
    line.gate.set()
    await eventually(lambda: line.shows("arcade", board.standing.state, top=3))
    assert [message["offset"] for message in line.messages] == [0, 50]


async def test_a_busy_board_does_not_starve_another(run):
    line = Line()
    busy, quiet = a_board("busy", ring=64), a_board("quiet")
    line.gate.clear()
    run(line)
    first = line.watch(busy)
    await eventually(lambda: line.sending)
    advance(busy, 40)
    line.outbox.owe(first)
    line.watch(quiet)
    line.gate.set()
    await eventually(lambda: line.shows("busy", busy.standing.state, top=3))
    assert [message["leaderboard"] for message in line.messages].index("quiet") <= 2


async def test_replies_are_bounded_and_what_is_dropped_is_counted(run):
    line = Line(replies=3)
    for _ in range(6):
        line.outbox.push(PONG)  # the wire takes the first
    run(line)
    await eventually(lambda: len(line.messages) == 4)
    assert line.counters.sends_dropped == 2


async def test_an_answer_is_not_dropped_however_many_replies_wait(run):
    line = Line(replies=3)
    for _ in range(6):
        line.outbox.push(PONG)
    line.outbox.answer(SUBMITTED)
    assert line.outbox.waiting == 4
    run(line)
    await eventually(lambda: line.of("submitted"))
    assert line.outbox.waiting == 0


async def test_a_send_that_does_not_end_closes_the_socket_as_too_slow(run):
    line = Line(send_timeout_s=0.01, close_grace_s=10)
    line.gate.clear()
    line.outbox.push(PONG)
    run(line)
    await eventually(lambda: line.outbox.give_up_if_stuck(now()) or line.counters.too_slow_closes)
    line.gate.set()
    await eventually(lambda: line.close)
    assert line.close == (CloseCode.TOO_SLOW, "too_slow")
    assert line.messages == [{"type": "error", "code": "too_slow", "detail": "The client does not keep up with the board"}]


async def test_a_socket_that_does_not_even_take_its_close_is_given_up(run):
    line = Line(send_timeout_s=0.01, close_grace_s=0.01)
    line.gate.clear()
    line.outbox.push(PONG)
    writer = run(line)
    await eventually(lambda: line.outbox.give_up_if_stuck(now()) or writer.done())
    assert line.close is None


async def test_a_writer_that_has_nothing_to_send_is_not_stuck(run):
    line = Line(send_timeout_s=0)
    run(line)
    for count in (1, 2):
        line.outbox.push(PONG)
        await eventually(lambda: len(line.messages) == count)  # noqa: B023
        line.outbox.give_up_if_stuck(now())
    assert line.counters.too_slow_closes == 0


async def test_a_refusal_is_the_last_word(run):
    line = Line()
    for _ in range(3):
        line.outbox.push(PONG)  # the wire takes the first; the others wait, and are dropped
    line.outbox.refuse(BadMessage("why"))
    line.outbox.refuse(BadMessage("a second reason"))
    line.outbox.push(PONG)
    await run(line)
    assert line.messages == [{"type": "pong"}, {"type": "error", "code": "bad_message", "detail": "why"}]
    assert line.close == (CloseCode.BAD_MESSAGE, "bad_message")


@pytest.mark.parametrize("error", [ConnectionResetError(), RuntimeError("after close")])
async def test_a_client_that_is_gone_ends_the_writer_quietly(run, error):
    line = Line()

    async def send(message):
        raise error

    line.line.wire._send = send
    line.outbox.push(PONG)
    await run(line)
    assert line.close is None
    assert not line.line.wire.ready


async def test_the_status_is_told_once_a_change_and_only_to_watchers(run):
    line, idle = Line(), Line()
    run(line)
    run(idle)
    line.watch(a_board())
    await eventually(lambda: line.of("snapshot"))
    for live in (False, True, False, True):
        line.live = idle.live = live
        for one in (line, idle):
            one.outbox.flush()
            one.outbox.flush()
        await eventually(lambda: line.messages[-1] == {"type": "status", "live": live})  # noqa: B023
    assert len(line.of("status")) == 4
    assert not idle.messages


async def test_a_heartbeat_says_where_this_socket_is_not_where_the_board_is(run):
    line, board = Line(), a_board(ring=64)
    line.gate.clear()
    run(line)
    subscription = line.watch(board)
    await eventually(lambda: line.sending)
    advance(board, 10)
    line.outbox.heartbeat()
    line.outbox.heartbeat()
    line.outbox.owe(subscription)
    line.gate.set()
    await eventually(lambda: line.of("heartbeat"))
    assert line.messages[-1]["positions"] == {"arcade": {"epoch": "e", "offset": 10}}
    assert len(line.messages) == 12
    assert json.loads(PONG) == {"type": "pong"}


async def test_an_ended_subscription_is_owed_nothing(run):
    line, board = Line(), a_board()
    line.outbox.push(PONG)  # the wire is busy
    subscription = line.watch(board)
    subscription.end()
    run(line)
    line.outbox.push(PONG)
    await eventually(lambda: len(line.of("pong")) == 2)
    advance(board)
    board.hand_out([subscription])
    line.outbox.push(PONG)
    await eventually(lambda: len(line.of("pong")) == 3)
    assert [message["type"] for message in line.messages] == ["pong"] * 3


async def test_handing_out_brings_watchers_wherever_they_are_to_the_board(run):
    """The newest frame to those who lack just that, and by the rules of the outbox to the others: behind, busy, or new."""
    board = a_board(ring=4)
    lines = [Line() for _ in range(4)]
    for line in lines:
        run(line)
    level, behind, busy, new = lines
    subscriptions = [line.watch(board) for line in (level, behind, busy)]
    await eventually(lambda: all(line.of("snapshot") for line in (level, behind, busy)))
    advance(board)
    board.hand_out([subscriptions[0], subscriptions[2]])
    await eventually(lambda: level.of("delta") and busy.of("delta"))
    busy.gate.clear()
    busy.outbox.push(PONG)
    advance(board)
    subscriptions.append(Subscription(board, new.outbox, top=3))
    board.hand_out(subscriptions)
    assert not busy.of("pong")
    busy.gate.set()
    for line in lines:
        await eventually(lambda: line.shows("arcade", board.standing.state, top=3))  # noqa: B023
    assert [len(line.of("delta")) for line in lines] == [2, 2, 2, 0]


async def test_a_frame_is_framed_once_for_all_who_watch_its_size(run):
    board = a_board()
    lines = [Line() for _ in range(3)]
    for line in lines:
        run(line)
    subscriptions = [line.watch(board) for line in lines]
    await eventually(lambda: all(line.of("snapshot") for line in lines))
    advance(board)
    board.hand_out(subscriptions)
    await eventually(lambda: all(line.of("delta") for line in lines))
    assert list(board.newest.messages) == [3]
