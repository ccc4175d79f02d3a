"""The store on SQLite: one thread that writes, a few that read beside it (WAL), and the same promises as PostgreSQL's.

Only one transaction writes at a time, so a batch may look before it stores: what is held, what was sent before.
Entries are merged by `leaderboard.domain.score` itself.
"""

import asyncio
import json
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote

from leaderboard.domain.definition import Feeding, Submission
from leaderboard.domain.errors import StoreUnavailable
from leaderboard.domain.race import Race, Racer
from leaderboard.domain.replay import Play
from leaderboard.domain.score import BoardId, Entry, merge, opening
from leaderboard.store import (
    RANK_COUNT_LIMIT,
    Catalog,
    CatchUp,
    EditedMeanwhile,
    Landed,
    Outcome,
    Player,
    Refused,
    Repeated,
    Replacement,
    Result,
    Seasoned,
    StaleCatalog,
    statements,
)
from leaderboard.store import race as racing
from leaderboard.store.reads import Reads
from leaderboard.store.rows import (
    PLACE_BEFORE_ALL,
    definition_of,
    key_of,
    milliseconds,
    new_user,
    player_of,
    refusal_for,
    rule_columns,
)

T = TypeVar("T")

READERS = 2  # threads; reads are short, and Python runs one thread at a time
STEPS = 10_000  # virtual machine steps between two looks at the clock: well under a millisecond
RANK_PAGE = 2_000  # rows whose rank is written in one short transaction

# Django writes times as text, UTC, with six decimals or none. SQLite would round the decimals up into the next second.
_ACHIEVED_MS = "CAST(strftime('%s', substr(e.achieved_at, 1, 19)) AS INTEGER) * 1000 + CAST(substr(e.achieved_at, 21, 3) AS INTEGER)"
_READS = statements.entry_reads(_ACHIEVED_MS)
_PAGE = f"""
    SELECT {statements.entry_columns(_ACHIEVED_MS, table="e")} FROM leaderboard_leaderboardentry e
    WHERE e.leaderboard_id = $1 AND e.season = $2 AND e.user_id > $3 ORDER BY e.user_id LIMIT $4"""  # noqa: S608 - constants only
_PLAYERS_BY_ID = "SELECT id, username, first_name, last_name FROM auth_user WHERE id IN (SELECT value FROM json_each($1))"
_PLAYERS_BY_NAME = "SELECT id, username, first_name, last_name FROM auth_user WHERE username IN (SELECT value FROM json_each($1))"
# CROSS JOIN: from what is given to the unique index, whatever the planner thinks of the sizes.
_FIND = f"""
    SELECT e.leaderboard_id, e.season, {statements.entry_columns(_ACHIEVED_MS, table="e")}
    FROM json_each($1) AS given CROSS JOIN leaderboard_leaderboardentry e
    WHERE e.leaderboard_id = json_extract(given.value, '$[0]') AND e.season = json_extract(given.value, '$[1]')
      AND e.user_id = json_extract(given.value, '$[2]')"""  # noqa: S608 - constants only
_UNKNOWN_USERS = "SELECT value FROM json_each($1) WHERE NOT EXISTS (SELECT 1 FROM auth_user WHERE id = value AND is_active)"
_NEW_USER = """
    INSERT INTO auth_user (username, password, first_name, last_name, email, is_superuser, is_staff, is_active, date_joined)
    VALUES (?, ?, ?, '', '', 0, 0, 1, strftime('%Y-%m-%d %H:%M:%f000', 'now')) ON CONFLICT (username) DO NOTHING"""
_NEW_SESSION = """
    INSERT INTO leaderboard_gamesession
        (id, user_id, game_id, score, subscore, game_mode, metadata, "timestamp", submitter, idempotency_key, fingerprint)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_LAST_GIVEN = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'leaderboard_gamesession'"
_LAST_COMMITTED = "SELECT coalesce(max(id), 0) FROM leaderboard_gamesession"
_REPEATED = """
    SELECT s.id, s.user_id, s.fingerprint, a.answer FROM leaderboard_gamesession s
    LEFT JOIN leaderboard_submitanswer a ON a.session_id = s.id
    WHERE s.submitter = ? AND s.idempotency_key = ? AND s.idempotency_key IS NOT NULL"""
_HELD = f"""
    SELECT e.user_id, e.score_key, e.subscore_key, e.session_id, e.submissions, {_ACHIEVED_MS}, e.achieved_at, e.last_updated
    FROM leaderboard_leaderboardentry e WHERE e.leaderboard_id = ? AND e.season = ? AND e.user_id = ?"""  # noqa: S608 - constants only
_WRITE_ENTRY = """
    INSERT INTO leaderboard_leaderboardentry
        (leaderboard_id, season, user_id, total_score, subscore, score_key, subscore_key, session_id, submissions,
         achieved_at, last_updated, previous_score_key, previous_subscore_key, previous_session_id)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (leaderboard_id, season, user_id) DO UPDATE SET
        total_score = excluded.total_score, subscore = excluded.subscore, score_key = excluded.score_key,
        subscore_key = excluded.subscore_key, session_id = excluded.session_id, submissions = excluded.submissions,
        achieved_at = excluded.achieved_at, last_updated = excluded.last_updated, previous_score_key = excluded.previous_score_key,
        previous_subscore_key = excluded.previous_subscore_key, previous_session_id = excluded.previous_session_id"""
_NEW_ANSWER = """
    INSERT INTO leaderboard_submitanswer (session_id, answer)
    SELECT ?1, ?2 WHERE EXISTS (SELECT 1 FROM leaderboard_gamesession WHERE id = ?1)
    ON CONFLICT (session_id) DO NOTHING"""
_KEY_USE = """
    INSERT INTO leaderboard_apikeyuse (key_id, last_used_at)
    SELECT ?1, ?2 WHERE EXISTS (SELECT 1 FROM leaderboard_apikey WHERE id = ?1)
    ON CONFLICT (key_id) DO UPDATE SET last_used_at = max(last_used_at, excluded.last_used_at)"""
_ANSWER = "SELECT answer FROM leaderboard_submitanswer WHERE session_id = ?"
_BETTER = """
    SELECT count(*) FROM (
        SELECT 1 FROM leaderboard_leaderboardentry
        WHERE leaderboard_id = ? AND season = ? AND (score_key, subscore_key, session_id) < (?, ?, ?) LIMIT ?
    )"""
_CALCULATED_RANK = "SELECT rank FROM leaderboard_leaderboardentry WHERE leaderboard_id = ? AND season = ? AND user_id = ?"
_WRITE_RANK = "UPDATE leaderboard_leaderboardentry SET rank = ? WHERE id = ?"

_RACE = racing.plays(_ACHIEVED_MS.replace("e.achieved_at", 's."timestamp"'), user="$1", after="$2", key="$3")

_NEW_ENTRIES = """
    CREATE TEMP TABLE leaderboard_new_entry (season, user_id, score_key, subscore_key, session_id, version,
        PRIMARY KEY (season, user_id)) WITHOUT ROWID"""
_NO_NEW_ENTRIES = "DROP TABLE IF EXISTS temp.leaderboard_new_entry"
_ADD_NEW_ENTRY = "INSERT OR REPLACE INTO temp.leaderboard_new_entry VALUES (?, ?, ?, ?, ?, ?)"
_WRITE_NEW_ENTRIES = statements.write_new_entries("max")
REPLACE_S = 120.0  # while a large board's entries are replaced others wait; more than this is a fault

# One submission's fault: it breaks a constraint, or is no value that SQLite can hold.
_UNSTORABLE = (sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.ProgrammingError, OverflowError, UnicodeError)


class _Held(NamedTuple):
    """An entry with its times as they are stored."""

    entry: Entry
    achieved_at: str
    last_updated: str


class _Threads:
    """Threads that each keep a connection, and the way to them from an event loop."""

    def __init__(self, path: str, *, count: int, timeout_s: float) -> None:
        self._path = path
        self._count = count
        self._timeout_s = timeout_s
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._executor: ThreadPoolExecutor | None = None

    async def run(self, work: Callable[[sqlite3.Connection], T], *, timeout_s: float | None = None) -> T:
        """The work's result; a caller that is cancelled leaves a work that has begun to end by itself.

        Raises StoreUnavailable, also when the time is up.
        """
        timeout_s = self._timeout_s if timeout_s is None else timeout_s
        if self._executor is None:
            self._local = threading.local()
            self._executor = ThreadPoolExecutor(self._count, thread_name_prefix="leaderboard-sqlite")
        deadline = time.monotonic() + timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                return await asyncio.get_running_loop().run_in_executor(self._executor, self._work, work, deadline)
        except (sqlite3.OperationalError, sqlite3.DatabaseError, OSError) as error:
            if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
                raise
            raise StoreUnavailable from error

    async def aclose(self) -> None:
        executor, self._executor = self._executor, None
        if executor is not None:
            await asyncio.to_thread(executor.shutdown)
            for connection in self._connections:
                connection.close()
            self._connections.clear()

    def _work(self, work: Callable[[sqlite3.Connection], T], deadline: float) -> T:
        connection = self._connection()
        connection.set_progress_handler(lambda: time.monotonic() > deadline, STEPS)
        return work(connection)

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._open()
            self._connections.append(connection)
        return connection

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"file:{quote(self._path)}?mode=rw",  # never a new, empty database
            uri=True,
            timeout=self._timeout_s,
            isolation_level=None,
            check_same_thread=False,  # closed by another thread once its own has ended
        )
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")  # a commit is on disk when it returns
        connection.execute("PRAGMA foreign_keys=ON")
        return connection


class SqliteStore(Reads):
    """A `Store` (see the package) on one file."""

    _reads = _READS

    def __init__(self, path: str, *, timeout_ms: int = 5_000, rank_count_limit: int = RANK_COUNT_LIMIT) -> None:
        self._rank_count_limit = rank_count_limit
        self._writer = _Threads(path, count=1, timeout_s=timeout_ms / 1000)
        self._readers = _Threads(path, count=READERS, timeout_s=timeout_ms / 1000)

    async def commit(self, batch: Sequence[Submission], *, catalog_version: int) -> list[Outcome]:
        if not batch:
            return []
        if len({item.user_id for item in batch}) != len(batch):
            raise ValueError("A batch holds at most one submission per user")
        return await self._writer.run(lambda connection: _commit(connection, batch, catalog_version))

    async def keep_answer(self, answers: Sequence[tuple[int, bytes]]) -> list[bytes]:
        def work(connection: sqlite3.Connection) -> list[bytes]:
            with _transaction(connection):
                connection.executemany(_NEW_ANSWER, answers)
                return [_kept_answer(connection, *given) for given in answers]

        return await self._writer.run(work)

    async def catalog(self) -> Catalog:
        return await self._readers.run(_catalog)

    async def ensure_players(self, players: Sequence[tuple[str, str]]) -> dict[str, Player]:
        names = dict(players)
        usernames = json.dumps(list(names))
        found = await self._players_by_name(usernames)
        new = [new_user(username, name) for username, name in names.items() if username not in found]
        if not new:
            return found

        def work(connection: sqlite3.Connection) -> None:
            with _transaction(connection):
                connection.executemany(_NEW_USER, new)

        await self._writer.run(work)
        return await self._players_by_name(usernames)

    async def players(self, user_ids: Sequence[int]) -> dict[int, Player]:
        return {row[0]: player_of(row) for row in await self._rows(_PLAYERS_BY_ID, json.dumps(list(user_ids)))}

    async def players_named(self, usernames: Sequence[str]) -> dict[str, Player]:
        return await self._players_by_name(json.dumps(list(usernames)))

    async def find(self, wanted: Sequence[tuple[BoardId, int]]) -> list[tuple[BoardId, Entry]]:
        rows = await self._rows(_FIND, json.dumps([(*board, user_id) for board, user_id in wanted]))
        return [(BoardId(row[0], row[1]), Entry(*row[2:])) for row in rows]

    async def ranks(self, wanted: Sequence[tuple[BoardId, Entry]]) -> list[int]:
        def work(connection: sqlite3.Connection) -> list[int]:
            with _transaction(connection, "DEFERRED"):
                return [_rank(connection, board, entry, self._rank_count_limit) for board, entry in wanted]

        return await self._readers.run(work)

    async def last_session_id(self) -> int:
        return int(await self._value(_LAST_COMMITTED))

    async def entries_since(self, session_id: int, *, limit: int) -> tuple[int, list[tuple[BoardId, Entry]]]:
        def work(connection: sqlite3.Connection) -> tuple[int, list[tuple[BoardId, Entry]]]:
            with _transaction(connection, "DEFERRED"):
                last = _fetch(connection, statements.LAST_LOOKED_AT, session_id, limit)[0][0]
                rows = _fetch(connection, _READS.since, session_id, last) if last else []
            return last or session_id, [(BoardId(row[0], row[1]), Entry(*row[2:])) for row in rows]

        return await self._readers.run(work)

    async def entries(self, board: BoardId, *, page: int = 5_000) -> AsyncIterator[list[Entry]]:
        """By user id, each page its own read."""
        last = -1
        while rows := await self._rows(_PAGE, *board, last, page):
            last = rows[-1][0]
            yield [Entry(*row) for row in rows]

    async def calculate_ranks(self, board: BoardId) -> int:
        changed, above, place = 0, 0, PLACE_BEFORE_ALL
        while rows := await self._rows(statements.RANKED_PAGE, *board, *place, RANK_PAGE):
            moved = [(rank, row[0]) for rank, row in enumerate(rows, above + 1) if row[1] != rank]
            if moved:
                await self._write_all(_WRITE_RANK, moved)
            changed, above, place = changed + len(moved), above + len(rows), tuple(rows[-1][2:])
        return changed

    async def note_key_uses(self, uses: Sequence[tuple[int, datetime]]) -> None:
        await self._write_all(_KEY_USE, [(key_id, _text_of(used_at)) for key_id, used_at in uses])

    async def use_nonce(self, key_id: int, nonce: str, *, expires_at: datetime) -> bool:
        try:
            return bool(await self._write(statements.USE_NONCE, key_id, nonce, _text_of(expires_at)))
        except sqlite3.IntegrityError:  # no such key
            return False

    async def forget_nonces(self, *, before: datetime, limit: int) -> int:
        return len(await self._write(statements.FORGET_NONCES, _text_of(before), limit))

    async def replace_entries(self, what: Replacement, entries: Iterable[list[Seasoned]], catch_up: CatchUp) -> int | None:
        """The new entries are laid aside page by page, with commits between them; only the replacing itself holds these up."""
        await self._writer.run(_make_new_entries)
        try:
            for page in entries:
                await self._writer.run(partial(_add_new_entries, page=page))
            return await self._writer.run(partial(_replace, what=what, catch_up=catch_up), timeout_s=REPLACE_S)
        finally:
            await self._writer.run(lambda connection: connection.execute(_NO_NEW_ENTRIES))

    async def race(self, race: Race) -> list[Racer]:
        return await self._readers.run(partial(_race, race=race))

    async def aclose(self) -> None:
        await self._readers.aclose()
        await self._writer.aclose()

    async def _players_by_name(self, usernames: str) -> dict[str, Player]:
        return {row[1]: player_of(row) for row in await self._rows(_PLAYERS_BY_NAME, usernames)}

    async def _rows(self, statement: str, *arguments: object) -> list[Any]:
        return await self._readers.run(lambda connection: _fetch(connection, statement, *arguments))

    async def _write(self, statement: str, *arguments: object) -> list[Any]:
        """One statement, a transaction of its own; what it returns."""
        return await self._writer.run(lambda connection: _fetch(connection, statement, *arguments))

    def _moment(self, moment: datetime) -> object:
        return _text_of(moment)

    async def _write_all(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        def work(connection: sqlite3.Connection) -> None:
            with _transaction(connection):
                connection.executemany(statement, rows)

        await self._writer.run(work)


def _commit(connection: sqlite3.Connection, batch: Sequence[Submission], catalog_version: int) -> list[Outcome]:
    with _transaction(connection):
        if connection.execute(statements.CATALOG_VERSION).fetchone()[0] != catalog_version:
            raise StaleCatalog
        unknown = _unknown_users(connection, batch)
        stored = iter(_store_apart(connection, [item for item in batch if item.user_id not in unknown]))
        return [Refused(refusal_for("user")) if item.user_id in unknown else next(stored) for item in batch]


def _unknown_users(connection: sqlite3.Connection, batch: Sequence[Submission]) -> set[int]:
    """Foreign keys are checked when the transaction ends, too late to refuse one submission alone."""
    return {row[0] for row in connection.execute(_UNKNOWN_USERS, (json.dumps([item.user_id for item in batch]),))}


def _store_apart(connection: sqlite3.Connection, batch: Sequence[Submission]) -> list[Outcome]:
    """Store what can be; if the whole can't, then by halves. What can't be stored is refused by itself."""
    try:
        with _savepoint(connection):
            return _store(connection, batch)
    except _UNSTORABLE as error:
        if len(batch) == 1:
            return [Refused(refusal_for(str(error) if isinstance(error, sqlite3.IntegrityError) else ""))]
    half = len(batch) // 2
    return _store_apart(connection, batch[:half]) + _store_apart(connection, batch[half:])


def _store(connection: sqlite3.Connection, batch: Sequence[Submission]) -> list[Outcome]:
    """Look, merge, then write the sessions and the entries each in one go."""
    last = connection.execute(_LAST_GIVEN).fetchone()[0]
    outcomes: list[Outcome] = []
    sessions: list[tuple[Any, ...]] = []
    entries: list[tuple[Any, ...]] = []
    for item in batch:
        repeated = _repeated(connection, item)
        if repeated is not None:
            outcomes.append(repeated)
            continue
        session_id = last + len(sessions) + 1
        at = _text_of(item.timestamp)
        sessions.append(_session_row(item, session_id, at))
        results = [_feed(connection, item, feeding, session_id=session_id, at=at, rows=entries) for feeding in item.feeds]
        outcomes.append(Landed(session_id, tuple(results)))
    connection.executemany(_NEW_SESSION, sessions)
    connection.executemany(_WRITE_ENTRY, entries)
    return outcomes


def _repeated(connection: sqlite3.Connection, item: Submission) -> Repeated | None:
    """What its key made before. A key that is twice in a batch breaks the constraint and is found when the batch is halved."""
    if item.idempotency_key is None:
        return None
    row = connection.execute(_REPEATED, (item.submitter, item.idempotency_key)).fetchone()
    return Repeated(row[0], row[1], row[2] or b"", row[3]) if row else None


def _session_row(item: Submission, session_id: int, at: str) -> tuple[Any, ...]:
    values = (session_id, item.user_id, item.game_id, item.score, item.subscore, item.game_mode, item.metadata)
    return (*values, at, item.submitter, item.idempotency_key, item.fingerprint)


def _feed(
    connection: sqlite3.Connection, item: Submission, feeding: Feeding, *, session_id: int, at: str, rows: list[tuple[Any, ...]]
) -> Result:
    """What the submission makes of one board; the entry's row to write is added to `rows`."""
    board, rules = feeding.board, feeding.rules
    held = _held(connection, board, item.user_id)
    new = opening(
        rules,
        user_id=item.user_id,
        score=item.score,
        subscore=item.subscore,
        session_id=session_id,
        achieved_ms=milliseconds(item.timestamp),
    )
    now = merge(rules.operator, held.entry, new) if held else new
    achieved_at = held.achieved_at if held and now.session_id == held.entry.session_id else at
    last_updated = max(held.last_updated, at) if held else at
    before = held.entry.order if held else None
    values = (rules.score_sign * now.score_key, rules.subscore_sign * now.subscore_key, now.score_key, now.subscore_key)
    rows.append((*board, item.user_id, *values, now.session_id, now.version, achieved_at, last_updated, *(before or (None, None, None))))
    return Result(board, before, now)


def _held(connection: sqlite3.Connection, board: BoardId, user_id: int) -> _Held | None:
    row = connection.execute(_HELD, (*board, user_id)).fetchone()
    return _Held(Entry(*row[:6]), row[6], row[7]) if row else None


def _make_new_entries(connection: sqlite3.Connection) -> None:
    connection.execute(_NO_NEW_ENTRIES)  # of one that was cancelled
    connection.execute(_NEW_ENTRIES)


def _add_new_entries(connection: sqlite3.Connection, page: list[Seasoned]) -> None:
    rows = [(season, entry.user_id, *entry.order, entry.version) for season, entry in page]
    connection.executemany(_ADD_NEW_ENTRY, rows)


def _replace(connection: sqlite3.Connection, what: Replacement, catch_up: CatchUp) -> int | None:
    new, rules = what.definition, what.definition.rules
    with _transaction(connection):
        if not _fetch(connection, statements.OPEN_RERANKING, what.reranking_id, new.id):
            return None
        if _fetch(connection, statements.LAST_EDIT_ON, new.id)[0][0] != what.last_edit:
            raise EditedMeanwhile
        late = [Play(*row) for row in _fetch(connection, _READS.plays, what.after, 2**62, new.game_id)]
        _add_new_entries(connection, catch_up(late))
        dropped = connection.execute(statements.DROP_ENTRIES, {"1": new.id}).rowcount
        _fetch(connection, _WRITE_NEW_ENTRIES, new.id, rules.score_sign, rules.subscore_sign, _text_of(what.now), what.held_only)
        _fetch(connection, statements.NEW_RULES, *rule_columns(new))
        _fetch(connection, statements.RERANKED, what.reranking_id, what.moved)
        return dropped


def _race(connection: sqlite3.Connection, race: Race) -> list[Racer]:
    arguments = racing.arguments(race, _text_of)
    with _transaction(connection, "DEFERRED"):
        entries = [Entry(*row) for row in _fetch(connection, _READS.top, *race.board, race.limit, 0)]
        words = racing.words(_fetch(connection, racing.EDITS, *race.board, race.limit))
        rows: list[Any] = []
        for entry in racing.moving(entries, words, race):
            rows += _fetch(connection, _RACE, entry.user_id, racing.after(entry, words), entry.score_key, *arguments)
    return racing.racers(race, entries, words, rows)


def _kept_answer(connection: sqlite3.Connection, session_id: int, answer: bytes) -> bytes:
    row = connection.execute(_ANSWER, (session_id,)).fetchone()
    return row[0] if row else answer  # no row: the session was erased


def _catalog(connection: sqlite3.Connection) -> Catalog:
    with _transaction(connection, "DEFERRED"):
        return Catalog(
            version=connection.execute(statements.CATALOG_VERSION).fetchone()[0],
            games=dict(connection.execute(statements.GAMES)),
            definitions=tuple([definition_of(row) for row in connection.execute(statements.DEFINITIONS)]),
            keys=tuple([key_of(row) for row in connection.execute(statements.KEYS)]),
        )


def _rank(connection: sqlite3.Connection, board: BoardId, entry: Entry, limit: int) -> int:
    better = connection.execute(_BETTER, (*board, *entry.order, limit)).fetchone()[0]
    if better < limit:
        return int(better) + 1
    row = connection.execute(_CALCULATED_RANK, (*board, entry.user_id)).fetchone()
    return max(limit + 1, row[0] if row and row[0] is not None else 0)


def _fetch(connection: sqlite3.Connection, statement: str, *arguments: object) -> list[Any]:
    """The rows of a statement with $1, $2, …, which are names to SQLite."""
    return connection.execute(statement, {str(number): value for number, value in enumerate(arguments, 1)}).fetchall()


@contextmanager
def _transaction(connection: sqlite3.Connection, mode: str = "IMMEDIATE") -> Iterator[None]:
    """A writer is IMMEDIATE: it waits for its turn at the start, where waiting is safe."""
    connection.execute(f"BEGIN {mode}")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def _savepoint(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("SAVEPOINT part")
    try:
        yield
    except BaseException:
        if connection.in_transaction:  # an interrupt rolls everything back
            connection.execute("ROLLBACK TO part")
            connection.execute("RELEASE part")
        raise
    connection.execute("RELEASE part")


def _text_of(moment: datetime) -> str:
    """As Django writes a time."""
    return str(moment.astimezone(UTC).replace(tzinfo=None))
