"""Viewports: what single watchers see around a player, beside the top that all see.

A shared frame says nothing of rank 4,711. So once a second the process asks which boards of its viewports moved, by the marks
that every change moves, and reads all viewports of these in one round trip: none if nothing moved, and none for a socket that
has not taken what it was told last. A viewport that is new is read at once, together with those that came with it.

While Redis is away, or a board is cold, viewports wait: SQL is never asked for them.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from leaderboard.domain.errors import Overloaded, StoreUnavailable
from leaderboard.domain.viewport import View, Viewed, overtake
from leaderboard.feed import FeedUnavailable
from realtime.board import Subscription
from realtime.limits import Options
from realtime.metrics import Counters
from realtime.protocol import around_text, overtake_text
from realtime.source import Source
from realtime.wire import Message

logger = logging.getLogger(__name__)

GATHER_S = 0.05  # between two reads for those who are new


class Viewport:
    """`mark` is the board's when it was last read, None before the first time; `told` what the socket was told last."""

    __slots__ = ("mark", "subscription", "told", "told_at", "viewed")

    def __init__(self, subscription: Subscription, viewed: Viewed) -> None:
        self.subscription, self.viewed = subscription, viewed
        self.mark: bytes | None = None
        self.told: View | None = None
        self.told_at = float("-inf")


class Viewports:
    """Those of one hub, which runs `watch` and `welcome` as tasks. `now` is the time of the loop."""

    def __init__(self, source: Source, *, counters: Counters, options: Options, now: Callable[[], float]) -> None:
        self._source, self._counters, self._options, self._now = source, counters, options, now
        self._held: dict[Subscription, Viewport] = {}
        self._looking = asyncio.Lock()  # a viewport must not be told by two looks at once
        self._new = asyncio.Event()

    def check_room(self, *, instead_of: Subscription | None = None) -> None:
        """Raises Overloaded if there can't be one more, nor one in place of that subscription's."""
        if len(self._held) - (instead_of in self._held) >= self._options.viewports:
            self._counters.viewports_refused += 1
            raise Overloaded("this process holds as many viewports as it may; the board can be watched without one")

    def begin(self, subscription: Subscription, *, player: str, around: int) -> None:
        self._held[subscription] = Viewport(subscription, Viewed(subscription.board.info.id, player, around))
        self._counters.viewports = len(self._held)
        self._new.set()

    def end(self, subscription: Subscription) -> None:
        """Nothing happens if it has none."""
        if self._held.pop(subscription, None) is not None:
            self._counters.viewports = len(self._held)

    # --- Looking ---------------------------------------------------------------------------------------------------------

    async def watch(self) -> None:
        while True:
            await asyncio.sleep(self._options.viewport_s)
            await _tried(self.look())

    async def welcome(self) -> None:
        while True:
            await self._new.wait()
            self._new.clear()
            await _tried(self.look(only_new=True))
            await asyncio.sleep(GATHER_S)

    async def look(self, *, only_new: bool = False) -> None:
        """Tell every viewport that changed, unless it was told less than a tick ago. Raises FeedUnavailable or StoreUnavailable."""
        async with self._looking, asyncio.timeout(self._options.state_timeout_s):
            now = self._now()
            rested = now - self._options.viewport_s
            due = [held for held in self._held.values() if (held.mark is None if only_new else held.told_at <= rested)]
            if due:
                await self._look_at(due, now)

    async def _look_at(self, viewports: Sequence[Viewport], now: float) -> None:
        """The marks are read first, so what is seen is no older than they are."""
        boards = list({viewport.viewed.leaderboard for viewport in viewports})
        marks = dict(zip(boards, await self._source.marks(boards), strict=True))
        due = self._idle([viewport for viewport in viewports if viewport.mark != marks[viewport.viewed.leaderboard]])
        if not due:
            return
        wanted = list(dict.fromkeys(viewport.viewed for viewport in due))
        views = dict(zip(wanted, await self._source.views(wanted), strict=True))
        messages: dict[Viewed, Message] = {}
        for count, viewport in enumerate(due, 1):
            view = views[viewport.viewed]
            if view is not None and self._held.get(viewport.subscription) is viewport:
                viewport.mark = marks[viewport.viewed.leaderboard]
                self._tell(viewport, view, messages, now)
            if count % self._options.notify_batch == 0:
                await asyncio.sleep(0)

    def _idle(self, moved: list[Viewport]) -> list[Viewport]:
        """Those whose sockets have taken all that they were told. Others are looked at again, and told then what there is then."""
        idle = [viewport for viewport in moved if not viewport.subscription.outbox.waiting]
        self._counters.views_held_back += len(moved) - len(idle)
        return idle

    def _tell(self, viewport: Viewport, view: View, messages: dict[Viewed, Message], now: float) -> None:
        """`messages` are those of this look: who looks at the same is told the same."""
        told, viewport.told = viewport.told, view
        if told == view:
            return
        viewport.told_at = now
        slug, viewed, outbox = viewport.subscription.board.info.slug, viewport.viewed, viewport.subscription.outbox
        passing = overtake(told, view) if told is not None else None
        if passing is not None:
            outbox.tell(Message(overtake_text(slug, viewed.player, view.season, passing)))
        if viewed not in messages:
            messages[viewed] = Message(around_text(slug, viewed.player, view))
        outbox.tell(messages[viewed])
        self._counters.views_sent += 1


async def _tried(look: Coroutine[Any, Any, None]) -> None:
    """The next tick tries again."""
    try:
        await look
    except FeedUnavailable:
        pass  # the hub says so, and counts it
    except (StoreUnavailable, TimeoutError) as error:
        logger.warning("viewports can't be read: %s", error)
    except Exception:
        logger.exception("a look at the viewports failed")
