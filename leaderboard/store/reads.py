"""The reads that are one statement, the same in both dialects."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from leaderboard.domain.replay import Edit, Play
from leaderboard.domain.score import BoardId, Entry
from leaderboard.domain.season import NEVER
from leaderboard.store import COUNT_ALL, EditRecord, LastEdit, PlayRecord, SessionRecord, statements
from leaderboard.store.rows import edit_of, last_edit_of, play_of, session_of


class Reads(ABC):
    """What `Store` promises of them; a dialect says how rows are got, each call in its own time-out."""

    _reads: ClassVar[statements.EntryReads]

    @abstractmethod
    async def _rows(self, statement: str, *arguments: object) -> list[Any]: ...

    @abstractmethod
    def _moment(self, moment: datetime) -> object:
        """As the dialect's statements take it."""

    async def _value(self, statement: str, *arguments: object) -> Any:
        return (await self._rows(statement, *arguments))[0][0]

    async def catalog_version(self) -> int:
        return int(await self._value(statements.CATALOG_VERSION))

    async def session(self, session_id: int) -> SessionRecord | None:
        rows = await self._rows(statements.SESSION, session_id)
        return session_of(rows[0]) if rows else None

    async def plays_before(self, user_id: int, game_id: int, *, before: SessionRecord | None, limit: int) -> list[PlayRecord]:
        moment, identity = (NEVER, 0) if before is None else (before.timestamp, before.id)
        rows = await self._rows(statements.PLAYS_BEFORE, user_id, game_id, self._moment(moment), identity, limit)
        return [play_of(row) for row in rows]

    async def plays_between(self, user_id: int, game_id: int, since: datetime, until: datetime, *, limit: int) -> list[PlayRecord]:
        span = (self._moment(since), self._moment(until))
        return [play_of(row) for row in await self._rows(statements.PLAYS_BETWEEN, user_id, game_id, *span, limit)]

    async def last_edit(self, board: BoardId, user_id: int) -> LastEdit | None:
        rows = await self._rows(statements.LAST_EDIT_OF, *board, user_id)
        return last_edit_of(rows[0]) if rows else None

    async def top(self, board: BoardId, *, limit: int, offset: int = 0) -> list[Entry]:
        return [Entry(*row) for row in await self._rows(self._reads.top, *board, limit, offset)]

    async def entry(self, board: BoardId, user_id: int) -> Entry | None:
        rows = await self._rows(self._reads.entry, *board, user_id)
        return Entry(*rows[0]) if rows and rows[0][0] == user_id else None

    async def around(self, board: BoardId, entry: Entry, *, limit: int) -> tuple[list[Entry], list[Entry]]:
        rows = await self._rows(self._reads.around, *board, *entry.order, entry.user_id, limit)
        sides: tuple[list[Entry], list[Entry]] = ([], [])
        for side, *columns in rows:
            sides[side].append(Entry(*columns))
        return _in_order(sides[0]), _in_order(sides[1])

    async def within(self, board: BoardId, low: int, high: int, *, limit: int, offset: int = 0) -> list[Entry]:
        return [Entry(*row) for row in await self._rows(self._reads.within, *board, low, high, limit, offset)]

    async def ties(self, board: BoardId, entries: Sequence[Entry]) -> list[int]:
        return [int(await self._value(statements.TIES, *board, *entry.order)) for entry in entries]

    async def values(self, board: BoardId, *, places: int) -> list[tuple[int, int]]:
        return [(row[0], row[1]) for row in await self._rows(statements.VALUES, *board, places)]

    async def count(self, board: BoardId, *, limit: int = COUNT_ALL) -> int:
        return int(await self._value(statements.COUNT, *board, limit))

    async def boards(self) -> list[BoardId]:
        return [BoardId(*row) for row in await self._rows(statements.BOARDS)]

    async def session_words(self, after: int, until: int) -> dict[int, int]:
        return {row[0]: row[1] for row in await self._rows(statements.SESSION_WORDS, after, until)}

    async def edits_since(self, edit_id: int, *, limit: int) -> list[EditRecord]:
        rows = await self._rows(statements.EDITS_SINCE, edit_id, limit)
        return [EditRecord(row[0], BoardId(row[1], row[2]), row[3], row[4], bool(row[5])) for row in rows]

    async def last_edit_id(self) -> int:
        return int(await self._value(statements.LAST_EDIT_ID))

    async def plays(self, game_id: int, *, after: int, until: int, limit: int) -> tuple[int, list[Play]]:
        looked_at = min(await self._value(statements.LAST_LOOKED_AT, after, limit) or until, until)
        return looked_at, [Play(*row) for row in await self._rows(self._reads.plays, after, looked_at, game_id)]

    async def edits(self, leaderboard_id: int) -> list[Edit]:
        return [edit_of(row) for row in await self._rows(self._reads.edits, leaderboard_id)]

    async def ping(self) -> None:
        await self._value(statements.PING)


def _in_order(entries: Sequence[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda entry: entry.order)
