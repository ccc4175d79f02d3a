"""What the hub asks the rest of the house for. The services implement it; tests do too."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from leaderboard.domain.viewport import View, Viewed
from leaderboard.feed import OFFLINE, Attendance, Frame, Position, State

__all__ = ["OFFLINE", "LeaderboardInfo", "Source"]


class LeaderboardInfo(Protocol):
    """What the hub needs to know of a leaderboard."""

    @property
    def id(self) -> int: ...

    @property
    def slug(self) -> str: ...

    @property
    def game_id(self) -> int: ...

    @property
    def is_public(self) -> bool: ...


class Source(Protocol):
    """Every call ends within a timeout of its own; the hub has one around it as well."""

    async def resolve(self, slug: str) -> LeaderboardInfo | None:
        """The leaderboard of that name, None if there is none that may be watched."""
        ...

    async def infos(self, leaderboards: Sequence[int]) -> Sequence[LeaderboardInfo | None]:
        """What they are now, in the order asked; None for one that may not be watched any more. Raises StoreUnavailable."""
        ...

    async def state(self, leaderboard: int) -> State:
        """The state at its position; makes the first one if none is known. While Redis is away: from SQL, with epoch OFFLINE.

        Raises LeaderboardNotFound when the leaderboard is gone, StoreUnavailable when SQL is needed and away too.
        """
        ...

    async def marks(self, leaderboards: Sequence[int]) -> Sequence[bytes]:
        """The last mark of each, in the order asked: it moves with every change, outside of every top N too.

        One round trip. Raises FeedUnavailable.
        """
        ...

    async def views(self, wanted: Sequence[Viewed]) -> Sequence[View | None]:
        """What there is to see, in the order asked: no older than marks that were read before. None where that can't be said now.

        One round trip for all. Raises FeedUnavailable or StoreUnavailable.
        """
        ...

    async def attend(self, process: str, watching: Mapping[int, int], *, asked: Sequence[int], life_ms: int) -> Sequence[Attendance]:
        """Say how many sockets of this process watch which leaderboards, for so long; learn of those asked for, in their order.

        One round trip. Raises FeedUnavailable.
        """
        ...

    async def positions(self, leaderboards: Sequence[int]) -> list[Position]:
        """One round trip, in the order asked. Raises FeedUnavailable."""
        ...

    async def frames_since(self, leaderboard: int, position: Position) -> list[Frame] | None:
        """The frames after `position`, contiguous up to the newest; None if that can't be had. Raises FeedUnavailable."""
        ...
