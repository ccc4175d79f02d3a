"""A board that somebody watches in this process: where it is, what it shows, and each watcher's own position.

A watcher is not sent frames; it is owed whatever lies between its position and the board's. What that is follows
from two numbers alone: the next frame while it is held, else one snapshot. So nothing can be lost, doubled or
reordered between a snapshot and the frames after it, a slow watcher costs no memory, and resuming is no special case.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from enum import Enum, auto
from typing import TYPE_CHECKING

import msgspec

from leaderboard.domain.snapshot import TOPS, Delta, patch
from leaderboard.feed import NOWHERE, Frame, Position, State, group_name, wire
from realtime.history import History
from realtime.metrics import Counters
from realtime.source import LeaderboardInfo
from realtime.wire import Message

if TYPE_CHECKING:
    from realtime.outbox import Outbox


class Step(Enum):
    """What became of a frame."""

    TAKEN = auto()
    KNOWN = auto()  # it is here already
    GAP = auto()  # frames before it are missing, or it is of another epoch, or broken


class Standing:
    """A state and its snapshots, each encoded when first asked for."""

    def __init__(self, slug: str, state: State) -> None:
        self.state = state
        self._slug = slug
        self._messages: dict[int, Message] = {}

    def message(self, top: int) -> Message:
        if top not in self._messages:
            self._messages[top] = Message(wire.state_text(self._slug, self.state, top=top).encode(), self.state.position)
        return self._messages[top]


class Messages(dict[int, Message]):
    """By size, each framed when first asked for."""

    def __init__(self, texts: dict[int, str], position: Position) -> None:
        self._texts, self._position = texts, position

    def __missing__(self, top: int) -> Message:
        self[top] = message = Message(self._texts[top].encode(), self._position)
        return message


class Parcel:
    """A frame as it goes to the sockets: it brings a watcher from `before` to `after`."""

    __slots__ = ("after", "before", "epoch", "messages", "offset")

    def __init__(self, frame: Frame) -> None:
        self.epoch, self.offset = frame.epoch, frame.offset
        self.before, self.after = Position(frame.epoch, frame.offset - 1), Position(frame.epoch, frame.offset)
        self.messages = Messages(frame.texts, self.after)


class Board:
    """Its tasks belong to the hub."""

    def __init__(self, info: LeaderboardInfo, *, ring: int, counters: Counters) -> None:
        self.info = info
        self.group = group_name(info.id)
        self.subscriptions: dict[Outbox, Subscription] = {}
        self.arriving = 0  # subscribers that wait for the board to open
        self.standing: Standing | None = None  # None until a live state is known
        self.offline: Standing | None = None  # what SQL said while Redis is away
        self.early: list[Frame] = []  # frames that came before the first state
        self.heard = 0  # frames that came by the layer since the last poll
        self.misses = 0  # polls that found frames which the layer did not bring
        self.opening: asyncio.Task[None] | None = None
        self.catching_up: asyncio.Task[None] | None = None
        self.again = False  # a frame came that the catching up under way may not know of
        self.history: History[Parcel] = History(ring)
        self.newest: Parcel | None = None  # None if the last step was no frame
        self.counters = counters

    @property
    def position(self) -> Position:
        return self.history.position

    @property
    def watched(self) -> bool:
        return bool(self.subscriptions) or self.arriving > 0

    @property
    def being_opened(self) -> bool:
        return self.opening is not None and not self.opening.done()

    def behind(self, position: Position) -> bool:
        """Whether the feed's position says that there is something to fetch."""
        same = position.epoch == self.position.epoch
        return self.standing is None or not same or position.offset > self.position.offset

    def restart(self, state: State) -> None:
        """Be where the state is; early frames that follow it are taken."""
        self.standing = Standing(self.info.slug, state)
        self.history.restart(state.position)
        self.newest = None
        early, self.early = self.early, []
        for frame in early:
            self.take(frame)

    def take(self, frame: Frame) -> Step:
        if frame.epoch == self.position.epoch and frame.offset <= self.position.offset:
            return Step.KNOWN
        if self.standing is None or not self.history.follows(frame):
            return Step.GAP
        try:
            state = _follow(self.standing.state, frame)
        except (msgspec.MsgspecError, KeyError):
            self.counters.bad_frames += 1
            return Step.GAP
        self.standing = Standing(self.info.slug, state)
        self.newest = Parcel(frame)
        self.history.append(self.newest)
        self.counters.frames_received += 1
        return Step.TAKEN

    def recall(self, frames: Iterable[Frame]) -> None:
        """Take in older frames, for a watcher that comes back."""
        self.history.prepend([Parcel(frame) for frame in frames if frame.offset <= self.position.offset])

    def hand_out(self, subscriptions: Sequence[Subscription]) -> None:
        """Bring watchers to where the board is, as far as their wires take it.

        Nearly all lack just the newest frame and have nothing else waiting (then a wire is ready): this loop is what delivery costs.
        """
        newest, sent = self.newest, 0
        for subscription in subscriptions:
            wire = subscription.outbox.wire
            if newest is not None and wire.ready and subscription.position == newest.before:
                wire.write(newest.messages[subscription.top])
                subscription.position = newest.after
                sent += 1
            else:
                subscription.outbox.owe(subscription)
        self.counters.messages_sent += sent


class Subscription:
    """One socket's watching of one board: the size and the position it has been brought to."""

    __slots__ = ("acked", "board", "ended", "outbox", "position", "top")

    def __init__(self, board: Board, outbox: Outbox, *, top: int, position: Position = NOWHERE) -> None:
        self.board = board
        self.outbox = outbox
        self.top = top
        self.position = position
        self.acked: int | None = None
        self.ended = False

    @property
    def behind(self) -> bool:
        return not self.ended and self.board.standing is not None and self.position != self.board.position

    def end(self) -> None:
        """It is owed nothing more."""
        self.ended = True
        self.position = NOWHERE  # which no frame follows

    def next_message(self) -> Message | None:
        """What brings the watcher one step nearer to the board, None if it is there."""
        if not self.behind or self.board.standing is None:
            return None
        parcel = self.board.history.after(self.position)
        if parcel is not None:
            self.position = parcel.after
            return parcel.messages[self.top]
        self._count_stale()
        self.position = self.board.position
        return self.board.standing.message(self.top)

    def _count_stale(self) -> None:
        missed = self.board.position.offset - self.position.offset
        if self.position.epoch == self.board.position.epoch and missed > 0:
            self.board.counters.stale_snapshots += 1
            self.board.counters.sends_dropped += missed

    def acknowledge(self, offset: int) -> None:
        """Recorded for the lag figure only; what can't be true is ignored."""
        if 0 <= offset <= self.position.offset:
            self.acked = offset
            self.board.counters.acks += 1
            self.board.counters.ack_lag_frames += self.board.position.offset - offset


def _follow(state: State, frame: Frame) -> State:
    """The state after a frame. Raises KeyError or MsgspecError for a frame that does not hold every size, readable."""
    texts = [frame.texts[top] for top in TOPS]
    step = wire.read(texts[-1])  # the largest size holds what all others show
    rows = step.entries if isinstance(step, wire.Snapshot) else patch(state.rows, Delta(step.changed, step.left))
    return State(frame.epoch, frame.offset, step.season, step.total, rows)
