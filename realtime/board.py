"""A board that somebody watches in this process: where it is, what it shows, and each watcher's own position.

A watcher is not sent frames; it is owed whatever lies between its position and the board's. What that is follows
from two numbers alone: the next frame while it is held, else one snapshot. So nothing can be lost, doubled or
reordered between a snapshot and the frames after it, a slow watcher costs no memory, and resuming is no special case.
"""

from __future__ import annotations

import asyncio
from enum import Enum, auto
from typing import TYPE_CHECKING

import msgspec

from leaderboard.domain.snapshot import TOPS, Delta, patch
from leaderboard.feed import NOWHERE, Frame, Position, State, group_name, wire
from realtime.history import History
from realtime.metrics import Counters
from realtime.source import LeaderboardInfo

if TYPE_CHECKING:
    from realtime.outbox import Outbox


class Step(Enum):
    """What became of a frame."""

    TAKEN = auto()
    KNOWN = auto()  # it is here already
    GAP = auto()  # frames before it are missing, or it is of another epoch, or broken


class Standing:
    """A state and its snapshot texts, each encoded when first asked for."""

    def __init__(self, slug: str, state: State) -> None:
        self.state = state
        self._slug = slug
        self._texts: dict[int, str] = {}

    def text(self, top: int) -> str:
        if top not in self._texts:
            self._texts[top] = wire.state_text(self._slug, self.state, top=top)
        return self._texts[top]


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
        self.history = History(ring)
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
        self.history.append(frame)
        self.counters.frames_received += 1
        return Step.TAKEN


class Subscription:
    """One socket's watching of one board: the size and the position it has been brought to."""

    __slots__ = ("acked", "board", "ended", "position", "top")

    def __init__(self, board: Board, *, top: int, position: Position = NOWHERE) -> None:
        self.board = board
        self.top = top
        self.position = position
        self.acked: int | None = None
        self.ended = False

    @property
    def behind(self) -> bool:
        return not self.ended and self.board.standing is not None and self.position != self.board.position

    def next_text(self) -> str | None:
        """What brings the watcher one step nearer to the board, None if it is there."""
        if not self.behind or self.board.standing is None:
            return None
        frame = self.board.history.after(self.position)
        if frame is not None:
            self.position = Position(frame.epoch, frame.offset)
            return frame.texts[self.top]
        self._count_stale()
        self.position = self.board.position
        return self.board.standing.text(self.top)

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
