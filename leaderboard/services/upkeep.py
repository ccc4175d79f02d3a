"""What keeps the index equal to SQL with nobody's help, and what an operator asks for by hand."""

import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime

import msgspec

from leaderboard.domain.score import BoardId, Entry
from leaderboard.index import Index, Mark
from leaderboard.index.drift import Difference, compare
from leaderboard.index.ledger import missing
from leaderboard.services.bell import Bell
from leaderboard.services.catalog import Catalogs
from leaderboard.services.live import Live
from leaderboard.store import EditRecord, Store

Pages = AsyncIterator[list[Entry]]

log = logging.getLogger(__name__)

SETTLED_S = 2.0  # a write to the index comes within INDEX_TIMEOUT_MS of its commit, or not at all
SWEEP_PAGE = 2_000  # sessions whose entries are read at a time
EDITS_PAGE = 500  # edits brought to the index at a time: two round trips each, and a moderator makes few
SWEEP_RANGE = 200_000  # session ids compared at a time: some 6,000 rows of SQL


class Swept(msgspec.Struct, frozen=True):
    """What a sweep did, for the log and for tests."""

    placed: int  # entries written for a process that did not come to it
    forgotten: int  # boards made cold because Redis is another server
    published: int  # frames


class Upkeep:
    def __init__(self, *, store: Store, index: Index, catalogs: Catalogs, live: Live, bell: Bell, monotonic: Callable[[], float]) -> None:
        self._store, self._index = store, index
        self._catalogs, self._live, self._bell, self._monotonic = catalogs, live, bell, monotonic
        self._looks: deque[tuple[float, int]] = deque()  # (when, the last session id at that time)

    async def sweep(self, *, now: datetime) -> Swept:
        """Find what a crash left behind: index writes that never came, marks whose bell was lost, cold boards, new seasons.

        Raises IndexUnavailable or FeedUnavailable while Redis is away: the next sweep does the work.
        """
        forgotten = await self._notice_other_server()
        placed = await self._place_again() + await self._show_edits()
        await self._notice_cold(now)
        return Swept(placed=placed, forgotten=forgotten, published=await self._live.update_dirty(now=now))

    async def _notice_other_server(self) -> int:
        """A Redis that was restarted or failed over may hold an older index, one whose SQL was restored a newer: make every board cold."""
        run_id = await self._index.server_run_id()
        mark = await self._index.mark()
        if mark is not None and mark.run_id == run_id and await self._still_there(mark.session_id):
            return 0
        self._looks.clear()
        last_edit = await self._store.last_edit_id()
        last = await self._store.last_session_id()  # before: a board that is rebuilt from now on has these, and later ones are looked at
        forgotten = await self._index.forget_all()
        await self._index.set_mark(Mark(run_id, last, last_edit))
        log.warning("the index starts anew", extra={"run_id": run_id, "boards": forgotten})
        return forgotten

    async def _still_there(self, session_id: int) -> bool:
        """Whether SQL holds the mark's session; a restored one may not."""
        return session_id == 0 or await self._store.session(session_id) is not None

    async def _place_again(self) -> int:
        """Write the entries of the sessions that nobody recorded; the version makes it harmless where they had arrived.

        Each session is looked at once, when it is SETTLED_S old: by then its own process has recorded it, or never will.
        """
        mark = await self._index.mark()
        until = await self._settled()
        if mark is None or until <= mark.session_id:
            return 0
        placed = 0
        for after in range(mark.session_id, until, SWEEP_RANGE):
            last = min(after + SWEEP_RANGE, until)
            placed += await self._place_missing(await self._missing(after, last))
            await self._index.set_mark(msgspec.structs.replace(mark, session_id=last))
        return placed

    async def _show_edits(self) -> int:
        """What moderators did since the last sweep: the process that did it may not have reached the index."""
        mark = await self._index.mark()
        edits = await self._store.edits_since(mark.edit_id, limit=EDITS_PAGE) if mark is not None else []
        if mark is None or not edits:
            return 0
        await self.show(edits)
        await self._index.set_mark(msgspec.structs.replace(mark, edit_id=edits[-1].id))
        return len(edits)

    async def show(self, edits: Sequence[EditRecord]) -> None:
        """Bring committed edits to the index and to who watches. Coming again is harmless.

        SQL is read after the index forgot the player: a score earned since then is either seen here, or placed by its own process.
        Raises IndexUnavailable or FeedUnavailable: then the sweep does it when Redis is back.
        """
        for edit in edits:
            if edit.is_removal:
                await self._index.remove(edit.board, [edit.user_id], until=edit.until_session)
            held = await self._store.entry(edit.board, edit.user_id)
            if held is not None:
                await self._index.place({edit.board: [held]})
        await self._bell.mark_dirty(edit.board.leaderboard_id for edit in edits)

    async def _missing(self, after: int, until: int) -> list[int]:
        stored = await self._store.session_words(after, until)
        return missing(stored, await self._index.recorded(list(stored)))

    async def _place_missing(self, session_ids: list[int]) -> int:
        """By pages of sessions that begin with a missing one: others on the page are written too, and may be."""
        placed = done = 0
        for session_id in session_ids:
            if session_id <= done:
                continue
            limit = min(SWEEP_PAGE, session_ids[-1] - session_id + 1)
            done, entries = await self._store.entries_since(session_id - 1, limit=limit)
            by_board: dict[BoardId, list[Entry]] = {}
            for board, entry in entries:
                by_board.setdefault(board, []).append(entry)
            await self._index.place(by_board)
            await self._bell.mark_dirty(board.leaderboard_id for board in by_board)
            placed += len(entries)
        return placed

    async def _settled(self) -> int:
        """The last session that was there SETTLED_S ago, as far as this process has looked; 0 if it has not."""
        moment = self._monotonic()
        self._looks.append((moment, await self._store.last_session_id()))
        while len(self._looks) > 1 and self._looks[1][0] <= moment - SETTLED_S:
            self._looks.popleft()
        looked_at, last = self._looks[0]
        return last if looked_at <= moment - SETTLED_S else 0

    async def _notice_cold(self, now: datetime) -> None:
        """A board that is not in the index is dirty: the next rank update fills it. A new season begins like that."""
        view = await self._catalogs.view()
        boards = [view.board(definition, now) for definition in view.definitions.values() if definition.is_active]
        ready = await self._index.ready(boards)
        await self._bell.mark_dirty(board.leaderboard_id for board, is_ready in zip(boards, ready, strict=True) if not is_ready)

    async def rebuild(self, board: BoardId, *, progress: Callable[[Pages], Pages] = lambda pages: pages) -> int | None:
        """Fill a board's index anew; the number of entries, None if another rebuild is under way.

        `progress` may wrap the pages to see them go by.
        """
        count = await self._index.rebuild(board, lambda: progress(self._store.entries(board)))
        await self._bell.try_mark_dirty([board.leaderboard_id])
        return count

    async def indexed_boards(self, *, now: datetime, slug: str | None = None) -> list[BoardId]:
        """The boards that the index is to hold: every active leaderboard in its current season."""
        if slug is not None:
            view, definition = await self._catalogs.definition(slug)
            return [view.board(definition, now)]
        view = await self._catalogs.refresh()
        return [view.board(definition, now) for definition in view.definitions.values() if definition.is_active]

    async def check(self, board: BoardId) -> list[Difference]:
        """How the index of a board differs from SQL: [] if not at all. Raises IndexCold if it is not complete.

        While scores arrive a difference may be a write under way; what is found is looked at again before it is reported.
        """
        found = await self._compare(board)
        if not found:
            return found
        again = {(difference.kind, difference.user_id) for difference in await self._compare(board)}
        return [difference for difference in found if (difference.kind, difference.user_id) in again]

    async def _compare(self, board: BoardId) -> list[Difference]:
        indexed = [page async for page in self._index.entries(board)]
        stored = [page async for page in self._store.entries(board)]
        return compare(stored, indexed)

    async def calculate_ranks(self, *, now: datetime) -> int:
        """Write present ranks into SQL for every current board; how many changed."""
        return sum([await self._store.calculate_ranks(board) for board in await self.indexed_boards(now=now)])

    async def forget_past(self, *, now: datetime) -> int:
        """Drop the index of seasons that are over: SQL answers for them. How many boards."""
        current = set(await self.indexed_boards(now=now))
        past = [board for board in await self._index.boards() if board not in current]
        await self._index.forget(past)
        return len(past)
