"""Between a write and the live boards: which boards are dirty, and the numbered frames.

In: board names from the submit path; frames from the publisher. Out: the dirty set to the publisher; the
last snapshot, the position and recent frames to whoever shows a board. All of it lives in Redis and may be
lost: then the next publish starts a new epoch and watchers get a snapshot.

What a Feed promises
- `mark_dirty` is one round trip however many boards, and answers whether the caller is to ring the bell: at most one
  caller per tick is, over all processes (server time). The bell is a rank-update task; it carries no data.
- A dirty mark stays until `settle` is called with the mark that was read before publishing; a mark made in between
  survives. A publisher that dies loses nothing. A mark is a number that is never given out again, so two publishers
  that overlap can't settle each other's news.
- A bell that is lost on the way (its task never ran) is rung again by the first mark after a second or two ticks, whichever is longer.
- A watermark names what a leaderboard's entries were at a moment. Every mark moves it, settled or not, and it never comes back, over a
  flush neither. So whoever reads a watermark and then entries has entries that are no older than it, and they hold as long as the
  watermark does: every change that anybody was told of before it was read is in them.
- `publish` numbers: it stores the frame only if the position is still the one the frame was made from
  (compare and swap), so offsets are contiguous within an epoch and two publishers can't both win.
- `frames_since` returns every frame after a position, or None if any is missing: never a gap.
- Scores are counted with the marks that they move: a count goes up, and begins again when Redis lost it. A mark that no score made
  counts none. What is counted is for people to look at; a score that Redis did not hear of is missing from it.
- What a process says of its watchers counts until it says more, or for as long as it said: one that is killed is not counted for long.
- Feeds are per leaderboard, not per season: a frame says its season, and a new season starts a new epoch.
- A lost feed is a new epoch, and epochs are never used again (random 64 bits).
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, Protocol

import msgspec

from leaderboard.domain.snapshot import Row


class FeedUnavailable(Exception):
    """Redis did not answer in time; the live feed waits, submits do not."""


class Position(NamedTuple):
    epoch: str  # "" before anything was published
    offset: int


NOWHERE = Position("", 0)
NO_SCORES: Mapping[int, int] = MappingProxyType({})
OFFLINE = "offline"  # the epoch of a state that was read from SQL because Redis is away; its offset is 0


class Watermark(NamedTuple):
    """Where a leaderboard's entries and its feed stand. Equal ones are of the same moment."""

    changed: bytes  # the last mark
    position: Position


class Attendance(NamedTuple):
    """How many watch a leaderboard, by all processes, and how many scores it took since Redis began to count."""

    watching: int
    scores: int


class State(msgspec.Struct, frozen=True):
    """What was last published of a leaderboard: the whole top 100 at a position."""

    epoch: str
    offset: int
    season: str  # as on the wire
    total: int
    rows: list[Row]

    @property
    def position(self) -> Position:
        return Position(self.epoch, self.offset)


class Frame(msgspec.Struct, frozen=True):
    """One numbered step of a leaderboard: for each watched size the encoded message that brings a watcher there.

    `resets` is true when the messages are snapshots (a new epoch), false when they are deltas from offset - 1.
    """

    epoch: str
    offset: int
    resets: bool
    texts: dict[int, str]


class Feed(Protocol):
    """See the module's text for what every implementation promises."""

    async def mark_dirty(self, leaderboards: Sequence[int], *, scores: Mapping[int, int] = NO_SCORES) -> int | None:
        """Mark and return in how many ms the caller is to ring the bell, None if somebody else does. `scores`: how many each took."""
        ...

    async def take_bell(self) -> None:
        """The bell has been heard: from now on a mark rings anew. Call before `dirty`."""
        ...

    async def dirty(self) -> Mapping[int, int]:
        """The dirty leaderboards, each with its latest mark."""
        ...

    async def settle(self, leaderboard: int, mark: int) -> bool:
        """Take the mark off unless there was another since; whether it is off."""
        ...

    def ask_watermark(self, leaderboard: int, told: Callable[[Watermark | None], None]) -> None:
        """`told` is called once, later, with a watermark read after this call; with None while Redis is away.

        Calls share round trips: those that come while one is under way go together with the next. For one event loop at a time.
        """
        ...

    async def watermark(self, leaderboard: int) -> Watermark:
        """The same for one who waits. Raises FeedUnavailable."""
        ...

    async def marks(self, leaderboards: Sequence[int]) -> list[bytes]:
        """The last mark of each, settled or not: what moves with every change. Empty for one that has none. One round trip."""
        ...

    async def attend(self, process: str, watching: Mapping[int, int], *, asked: Sequence[int], life_ms: int) -> list[Attendance]:
        """Say how many watch which leaderboards by this process, in place of what it said before, and learn of those asked for.

        One round trip. What is said counts for `life_ms`; a process without watchers is forgotten at once.
        """
        ...

    def ask_position(self, leaderboard: int) -> Awaitable[Position]:
        """The position, asked for at once: what is sent to Redis after this call is answered later than it. NOWHERE while Redis is away.

        Calls of one turn of the event loop share one. For one event loop at a time.
        """
        ...

    async def position(self, leaderboard: int) -> Position: ...

    async def positions(self, leaderboards: Sequence[int]) -> list[Position]:
        """One round trip."""
        ...

    async def state(self, leaderboard: int) -> State | None:
        """What was last published, None if nothing is known: the position is NOWHERE then."""
        ...

    async def publish(self, leaderboard: int, *, after: Position, state: State, frame: Frame) -> bool:
        """Store state and frame if the position is still `after`; whether it was.

        False may also mean that this very frame was stored by a try that seemed to fail: read `state` before making another.
        """
        ...

    async def frames_since(self, leaderboard: int, position: Position) -> list[Frame] | None:
        """The frames after `position`, in order, contiguous up to the newest; [] if it is the newest; None if that can't be had.

        Nothing can be had from NOWHERE, nor from a position that the feed has not reached or does not know.
        """
        ...

    async def forget(self, leaderboard: int) -> None:
        """Drop what was published of a leaderboard that is gone."""
        ...

    async def ping(self) -> None: ...

    async def aclose(self) -> None: ...


def group_name(leaderboard: int) -> str:
    """The channel-layer group that a leaderboard's frames are sent to."""
    return f"leaderboard.{leaderboard}"
