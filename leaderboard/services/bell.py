"""Saying that a board changed: the mark, and the bell if it is this process's turn to ring it."""

from collections.abc import Callable, Iterable, Mapping

from leaderboard.feed import NO_SCORES, Feed, FeedUnavailable


class Bell:
    def __init__(self, feed: Feed, ring: Callable[[int], None]) -> None:
        """`ring(delay_ms)` asks for a rank-update task in that time, without blocking."""
        self._feed, self._ring = feed, ring

    async def mark_dirty(self, leaderboards: Iterable[int], *, scores: Mapping[int, int] = NO_SCORES) -> None:
        """Mark, and ring if the feed says so: whoever is told to and does not keeps the bell from everybody for a second.

        `scores`: how many each took, if that is why. Raises FeedUnavailable.
        """
        marked = sorted(set(leaderboards))
        if not marked:
            return
        delay_ms = await self._feed.mark_dirty(marked, scores=scores)
        if delay_ms is not None:
            self._ring(delay_ms)

    async def try_mark_dirty(self, leaderboards: Iterable[int], *, scores: Mapping[int, int] = NO_SCORES) -> bool:
        """The same for those who have better to do than wait for Redis: the sweep finds the boards when it is back. Whether it is here."""
        try:
            await self.mark_dirty(leaderboards, scores=scores)
        except FeedUnavailable:
            return False
        return True
