"""Publishing: dirty boards become numbered frames; and what a hub needs to show them.

A rank update reads the top of each dirty board, diffs it with what was last published, numbers the frame
by compare and swap, stores it and announces it to the board's group. It may run twice, late, or in two
workers at once: the loser of the swap has nothing to say, because the winner read the same or newer ranks.
"""

import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime

from leaderboard.domain.definition import Definition
from leaderboard.domain.errors import LeaderboardNotFound
from leaderboard.domain.score import BoardId
from leaderboard.domain.season import season_label
from leaderboard.domain.snapshot import TOPS, Row
from leaderboard.domain.viewport import View, Viewed
from leaderboard.feed import NOWHERE, OFFLINE, Attendance, Feed, FeedUnavailable, Frame, Position, State
from leaderboard.feed.wire import frame_between
from leaderboard.index import Index, IndexCold, IndexUnavailable, Page
from leaderboard.services.catalog import Catalogs
from leaderboard.services.players import Players
from leaderboard.services.rows import rows
from leaderboard.services.totals import Totals
from leaderboard.services.viewports import Viewports
from leaderboard.store import Store

log = logging.getLogger(__name__)

WATCHED = TOPS[-1]
SMALL_BOARD = 20_000  # entries that a rank update rebuilds by itself: about 0.2 s; larger ones get a task of their own
SWAP_TRIES = 3


class Live:
    def __init__(
        self,
        *,
        store: Store,
        index: Index,
        feed: Feed,
        catalogs: Catalogs,
        players: Players,
        totals: Totals,
        announce: Callable[[int, Frame], Awaitable[None]],
        ask_rebuild: Callable[[BoardId], None],
        clock: Callable[[], datetime],
    ) -> None:
        """`announce` sends a frame to the board's group; `ask_rebuild` starts a task for a large board, without blocking."""
        self._store, self._index, self._feed = store, index, feed
        self._catalogs, self._players, self._totals = catalogs, players, totals
        self._announce, self._ask_rebuild, self._clock = announce, ask_rebuild, clock
        self._viewports = Viewports(index=index, catalogs=catalogs, players=players)

    # --- The publisher's side ------------------------------------------------------------------------------------------

    async def update_dirty(self, *, now: datetime) -> int:
        """Publish every dirty board; how many frames came of it. A mark stays if its board could not be published."""
        await self._feed.take_bell()
        published = 0
        view = await self._catalogs.view()
        for leaderboard, count in (await self._feed.dirty()).items():
            definition = view.definitions.get(leaderboard) or (await self._catalogs.refresh()).definitions.get(leaderboard)
            if definition is not None and definition.is_active:
                published += await self.publish(definition, now=now)
            await self._feed.settle(leaderboard, count)
        return published

    async def publish(self, definition: Definition, *, now: datetime) -> bool:
        """Bring the feed of one leaderboard up to its ranks; whether a frame came of it."""
        view = await self._catalogs.view()
        board = view.board(definition, now)
        for _ in range(SWAP_TRIES):
            held = await self._feed.state(definition.id)
            state = _step(held, await self._read(definition, board), season_label(board.season))
            if state is held:
                return False
            frame = frame_between(definition.slug, old=held, new=state)
            if await self._feed.publish(definition.id, after=held.position if held else NOWHERE, state=state, frame=frame):
                await self._announce(definition.id, frame)
                return True
        log.warning("lost every swap", extra={"leaderboard": definition.slug})
        return False

    async def _read(self, definition: Definition, board: BoardId) -> tuple[list[Row], int]:
        """The watched rows and how many entries there are, from the index, healed if it was cold, else from SQL."""
        page = await self._page(board)
        players = await self._players.by_id(entry.user_id for entry in page.entries)
        return rows(page.entries, first_rank=1, rules=definition.rules, players=players), page.total

    async def _page(self, board: BoardId) -> Page:
        try:
            return await self._index.top(board, limit=WATCHED)
        except IndexUnavailable:
            pass
        except IndexCold:
            if await self.heal(board):
                try:
                    return await self._index.top(board, limit=WATCHED)
                except (IndexCold, IndexUnavailable):
                    pass
        entries = await self._store.top(board, limit=WATCHED)
        return Page(tuple(entries), 1, await self._totals.count(board, at_least=len(entries)))

    async def forget(self, leaderboard_id: int, boards: Sequence[BoardId]) -> None:
        """Drop what Redis holds of a leaderboard that was deleted. While it is away, `Upkeep.forget_past` drops the index later."""
        with suppress(IndexUnavailable, FeedUnavailable):
            await self._index.forget(boards)
            await self._feed.forget(leaderboard_id)

    async def heal(self, board: BoardId) -> bool:
        """Rebuild a cold board here if it is small, else ask for a task; whether it is whole now."""
        if await self._store.count(board, limit=SMALL_BOARD + 1) > SMALL_BOARD:
            self._ask_rebuild(board)
            return False
        try:
            return await self._index.rebuild(board, lambda: self._store.entries(board)) is not None
        except IndexUnavailable:
            return False

    # --- The watchers' side: realtime.source.Source -----------------------------------------------------------------------

    async def resolve(self, slug: str) -> Definition | None:
        """The active leaderboard of that slug, None if there is none."""
        try:
            _, definition = await self._catalogs.definition(slug)
        except LeaderboardNotFound:
            return None
        return definition

    async def infos(self, leaderboard_ids: Sequence[int]) -> list[Definition | None]:
        """The leaderboards as they are now, None for one that is gone or not active."""
        view = await self._catalogs.view()
        found = (view.definitions.get(leaderboard_id) for leaderboard_id in leaderboard_ids)
        return [definition if definition is not None and definition.is_active else None for definition in found]

    async def state(self, leaderboard_id: int) -> State:
        """What was last published; published now if nothing was; read from SQL while the feed is away."""
        view = await self._catalogs.view()
        definition = view.definitions.get(leaderboard_id)
        if definition is None or not definition.is_active:
            raise LeaderboardNotFound("The leaderboard is gone.")
        now = self._clock()
        board = view.board(definition, now)
        try:
            held = await self._feed.state(leaderboard_id)
            if held is None or held.season != season_label(board.season):
                await self.publish(definition, now=now)
                held = await self._feed.state(leaderboard_id)
            if held is not None:
                return held
        except FeedUnavailable:
            pass
        read, total = await self._read(definition, board)
        return State(OFFLINE, 0, season_label(board.season), total, read)

    async def positions(self, leaderboard_ids: Sequence[int]) -> list[Position]:
        return await self._feed.positions(leaderboard_ids)

    async def frames_since(self, leaderboard_id: int, position: Position) -> list[Frame] | None:
        return await self._feed.frames_since(leaderboard_id, position)

    async def marks(self, leaderboard_ids: Sequence[int]) -> list[bytes]:
        return await self._feed.marks(leaderboard_ids)

    async def views(self, wanted: Sequence[Viewed]) -> list[View | None]:
        try:
            return await self._viewports.read(wanted, now=self._clock())
        except IndexUnavailable as error:
            raise FeedUnavailable from error

    async def attend(self, process: str, watching: Mapping[int, int], *, asked: Sequence[int], life_ms: int) -> list[Attendance]:
        return await self._feed.attend(process, watching, asked=asked, life_ms=life_ms)


def _step(held: State | None, read: tuple[list[Row], int], season: str) -> State:
    """The state after `held`: itself if nothing that is watched changed, a new epoch if there was none or the season is new."""
    rows_now, total = read
    if held is None or held.season != season:
        return State(secrets.token_hex(8), 0, season, total, rows_now)
    if held.rows == rows_now and held.total == total:
        return held
    return State(held.epoch, held.offset + 1, season, total, rows_now)
