"""Re-ranking: a leaderboard's entries made anew from the kept sessions under new rules, while submits go on.

The new entries are made beside the old ones, in memory, and take their place in one transaction, together with the new rules
(`Store.replace_entries`): before it everything goes by the old ones, after it by the new ones. Whatever dies on the way leaves either all
or nothing of that, and a re-ranking that is not done is begun again; doing it twice is the same as once.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import datetime
from functools import partial
from itertools import islice
from time import monotonic
from typing import Any, NamedTuple

from leaderboard.domain.definition import Definition
from leaderboard.domain.errors import Overloaded, StoreUnavailable, TooLargeForDryRun
from leaderboard.domain.replay import Play, Replay
from leaderboard.domain.score import BoardId, Entry
from leaderboard.domain.season import Schedule, parse_schedule
from leaderboard.feed import FeedUnavailable
from leaderboard.index import Index, IndexUnavailable
from leaderboard.models import Reranking
from leaderboard.services import boards
from leaderboard.services.bell import Bell
from leaderboard.services.boards import Plan
from leaderboard.services.catalog import Catalogs
from leaderboard.services.players import Players
from leaderboard.services.rows import rows
from leaderboard.services.threads import in_thread
from leaderboard.store import EditedMeanwhile, Replacement, Seasoned, Store

log = logging.getLogger(__name__)

PAGE = 5_000  # sessions read at a time
NOTED_S = 1.0  # between two notes of how far it is
STALE_S = 120.0  # without a note: its worker is dead, or replaces a very large board
DRY_RUN_SESSIONS = 1_000_000  # some 8 s and 600 bytes an entry; an answer has 15 s
TOP = 10  # rows that a dry run shows
TRIES = 5  # an edit in the moment of replacing has it made again
AWAY = (StoreUnavailable, IndexUnavailable, FeedUnavailable, TimeoutError)


class Moves(NamedTuple):
    """What a change does, over all seasons. `moved`: entries that are new or stand at another rank; `dropped`: those that go."""

    moved: int = 0
    entries: int = 0
    dropped: int = 0


class Rerank:
    def __init__(
        self,
        *,
        store: Store,
        index: Index,
        catalogs: Catalogs,
        players: Players,
        bell: Bell,
        clock: Callable[[], datetime],
        settle_s: float,
    ) -> None:
        """`settle_s`: by then a write to the index that was under way has come, and no process holds the old definition."""
        self._store, self._index, self._catalogs, self._players, self._bell = store, index, catalogs, players, bell
        self._clock, self._settle_s = clock, settle_s
        self._one = asyncio.Lock()  # memory, and SQLite's one writer, are for one at a time
        self._dry = asyncio.Lock()

    async def resume(self) -> int:
        """Do every re-ranking that waits or was left by a dead worker; how many. Raises what is away: a later call goes on.

        At once 0 while another call of this process is at it: that one will come to all that waits, and must not be waited for by
        every thread of the worker.
        """
        done = 0
        if self._one.locked():
            return done
        async with self._one:
            while (plan := await in_thread(boards.claim, now=self._clock(), stale_s=STALE_S)) is not None:
                await self._see_through(plan)
                done += 1
        return done

    async def preview(self, plan: Plan, *, now: datetime) -> dict[str, Any]:
        """What a change would do; nothing is written. Raises TooLargeForDryRun, or Overloaded while another is being looked at."""
        until = await self._store.last_session_id()
        if until > DRY_RUN_SESSIONS:
            raise TooLargeForDryRun(f"A dry run reads up to {DRY_RUN_SESSIONS} sessions; there are {until}.")
        if self._dry.locked():
            raise Overloaded("This process is making another dry run; try again shortly.")
        async with self._dry:
            replay = await self._replayed(plan, until)
            moves = await self._moves(plan, replay)
            board = BoardId(plan.after.id, _schedule(plan.after).season_at(now))
            top = await self._first(plan, replay, board)
        players = await self._players.by_id([entry.user_id for entry in top])
        return {**moves._asdict(), "top": rows(top, first_rank=1, rules=plan.after.rules, players=players)}

    # --- The steps ---------------------------------------------------------------------------------------------------------

    async def _see_through(self, plan: Plan) -> None:
        try:
            await self._rerank(plan)
        except AWAY:
            with suppress(StoreUnavailable):
                await self._note(plan, state=Reranking.State.WAITING)
            raise
        except Exception as error:
            log.exception("a re-ranking failed", extra={"leaderboard": plan.before.slug})
            await self._note(plan, state=Reranking.State.FAILED, problem=type(error).__name__)
        else:
            await self._note(plan, state=Reranking.State.DONE)

    async def _rerank(self, plan: Plan) -> None:
        await self._index.ping()  # without Redis nothing could be shown at the end, and all would be done again
        for _ in range(TRIES):
            until = await self._store.last_session_id()
            replay = await self._replayed(plan, until, progress=partial(self._progress, plan, until))
            moves = await self._moves(plan, replay)
            what = Replacement(plan.reranking_id, plan.after, until, replay.last_edit, plan.held_only, moves.moved, self._clock())
            before = await self._boards(plan.after.id)
            try:
                dropped = await self._store.replace_entries(what, _pages(replay), partial(_catch_up, replay))
            except EditedMeanwhile:
                continue
            if dropped is not None:
                await self._show(plan.after, {*before, *replay.boards()}, was_dropped=dropped > 0)
            return
        raise StoreUnavailable("Entries are being edited; the re-ranking is put off.")

    async def _replayed(self, plan: Plan, until: int, *, progress: Callable[[int], Awaitable[None]] | None = None) -> Replay:
        """The fold of the sessions up to `until`, off the loop: it costs a few microseconds a session."""
        edits = await self._store.edits(plan.after.id)
        replay = Replay(plan.after, _schedule(plan.after), made_ms=plan.made_ms, edits=edits)
        looked_at, noted_at = 0, float("-inf")
        while looked_at < until:
            if progress is not None and monotonic() - noted_at >= NOTED_S:
                await progress(looked_at)
                noted_at = monotonic()
            looked_at, plays = await self._store.plays(plan.after.game_id, after=looked_at, until=until, limit=PAGE)
            await asyncio.to_thread(replay.take, plays)
        if progress is not None:
            await progress(until)
        return replay

    async def _progress(self, plan: Plan, until: int, looked_at: int) -> None:
        await self._note(plan, done=looked_at, total=until)

    async def _note(self, plan: Plan, **columns: Any) -> None:
        await in_thread(boards.note, plan.reranking_id, now=self._clock(), **columns)

    async def _moves(self, plan: Plan, replay: Replay) -> Moves:
        """One season at a time: what is held of the old entries is one season's ranks."""
        total = Moves()
        for board in sorted({*await self._boards(plan.after.id), *replay.boards()}):
            old = [entry async for page in self._store.entries(board) for entry in page]
            found = await asyncio.to_thread(_moves, old, replay.ranked(board.season), held_only=plan.held_only)
            total = Moves(*map(sum, zip(total, found, strict=True)))
        return total

    async def _first(self, plan: Plan, replay: Replay, board: BoardId) -> list[Entry]:
        new = await asyncio.to_thread(replay.ranked, board.season)
        if plan.held_only:
            held = {entry.user_id async for page in self._store.entries(board) for entry in page}
            new = [entry for entry in new if entry.user_id in held]
        return new[:TOP]

    async def _boards(self, leaderboard_id: int) -> list[BoardId]:
        return [board for board in await self._store.boards() if board.leaderboard_id == leaderboard_id]

    async def _show(self, definition: Definition, shown: set[BoardId], *, was_dropped: bool) -> None:
        """Have the index made anew from SQL, and the watchers told. Raises IndexUnavailable or FeedUnavailable.

        Again when all has settled: a late write may have brought back a player who is no more on the board, and a process that still
        held the old definition may have shown entries by its signs.
        """
        await self._catalogs.refresh()
        await self._index.forget(sorted(shown))
        await self._bell.mark_dirty([definition.id])
        await asyncio.sleep(self._settle_s)
        if was_dropped:
            await self._index.forget(sorted(shown))
        await self._bell.mark_dirty([definition.id])


def _schedule(definition: Definition) -> Schedule:
    return parse_schedule(definition.reset_schedule, definition.time_zone)


def _moves(old: list[Entry], new: list[Entry], *, held_only: bool) -> Moves:
    """Between two states of one board; `new` is in its order."""
    ranks = {entry.user_id: rank for rank, entry in enumerate(sorted(old, key=lambda entry: entry.order), 1)}
    kept = [entry.user_id for entry in new if not held_only or entry.user_id in ranks]
    moved = sum(ranks.get(user_id) != rank for rank, user_id in enumerate(kept, 1))
    return Moves(moved, len(kept), len(ranks.keys() - set(kept)))


def _pages(replay: Replay) -> Iterator[list[Seasoned]]:
    found = ((season, entry) for season, entries in replay.seasons.items() for entry in entries.values())
    return iter(lambda: list(islice(found, PAGE)), [])


def _catch_up(replay: Replay, plays: list[Play]) -> list[Seasoned]:
    return [(season, replay.seasons[season][user_id]) for season, user_id in sorted(replay.take(plays))]
