"""The store on PostgreSQL, by asyncpg."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

import asyncpg

from leaderboard.domain.definition import Submission
from leaderboard.domain.errors import StoreUnavailable
from leaderboard.domain.race import Race, Racer
from leaderboard.domain.score import BoardId, Entry
from leaderboard.store import (
    RANK_COUNT_LIMIT,
    Catalog,
    CatchUp,
    KeyRecord,
    Landed,
    Outcome,
    Player,
    Refused,
    Repeated,
    Replacement,
    Seasoned,
    StaleCatalog,
    postgres_commit,
    postgres_replace,
    statements,
)
from leaderboard.store import race as racing
from leaderboard.store.reads import Reads
from leaderboard.store.rows import PLACE_BEFORE_ALL, definition_of, key_of, new_user, player_of, refusal_for

T = TypeVar("T")

RELEASE_S = 1.0  # how long a connection may take to come back from a cancelled statement before it is thrown away
ATTEMPTS = 5  # at a transaction that the server rolled back to end a deadlock
IDLE_S = 300.0  # an unused connection is closed after this
KNOWN_PLAYERS = 1_000_000  # whom a process remembers to have looked up: some 60 MB; beyond it it begins anew
RANK_PAGE = 2_000  # rows whose rank is written in one short transaction

# Every statement of this store is an index look-up over a board that may be empty when it is planned and hold millions later,
# or takes arrays of any length: one generic plan by index fits all, and planning costs more than most of them.
SETTINGS = {"jit": "off", "plan_cache_mode": "force_generic_plan", "enable_seqscan": "off", "enable_bitmapscan": "off"}

_ENTRY = statements.entry_columns(postgres_commit.ACHIEVED_MS.format(table="e"), table="e")
_READS = replace(
    statements.entry_reads(postgres_commit.ACHIEVED_MS.format(table="e")),
    entry=f"SELECT {_ENTRY} FROM ({statements.held_entry('$3', '$1', '$2')}) AS e",  # noqa: S608 - constants only
)
_PLAYERS_BY_ID = "SELECT id, username, first_name, last_name FROM auth_user WHERE id = ANY ($1::bigint[])"
_PLAYERS_BY_NAME = "SELECT id, username, first_name, last_name FROM auth_user WHERE username = ANY ($1::text[])"
_NEW_USERS = """
    INSERT INTO auth_user (username, password, first_name, last_name, email, is_superuser, is_staff, is_active, date_joined)
    SELECT username, password, first_name, '', '', false, false, true, now()
    FROM unnest($1::text[], $2::text[], $3::text[]) AS given (username, password, first_name)
    ORDER BY username COLLATE "C"
    ON CONFLICT (username) DO NOTHING"""
_NEW_ANSWERS = """
    INSERT INTO leaderboard_submitanswer (session_id, answer)
    SELECT given.id, given.answer FROM unnest($1::bigint[], $2::bytea[]) AS given (id, answer)
    WHERE EXISTS (SELECT FROM leaderboard_gamesession s WHERE s.id = given.id)
    ORDER BY given.id
    ON CONFLICT (session_id) DO NOTHING
    RETURNING session_id"""
_KEY_USES = """
    INSERT INTO leaderboard_apikeyuse (key_id, last_used_at)
    SELECT given.id, given.used_at FROM unnest($1::bigint[], $2::timestamptz[]) AS given (id, used_at)
    WHERE EXISTS (SELECT FROM leaderboard_apikey k WHERE k.id = given.id)
    ORDER BY given.id
    ON CONFLICT (key_id) DO UPDATE SET last_used_at = GREATEST(leaderboard_apikeyuse.last_used_at, excluded.last_used_at)"""
_ANSWERS = "SELECT session_id, answer FROM leaderboard_submitanswer WHERE session_id = ANY ($1::bigint[])"
_FIND = f"""
    SELECT given.leaderboard_id, given.season, {_ENTRY}
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS given (leaderboard_id, season, user_id)
    CROSS JOIN LATERAL ({statements.held_entry("given.user_id", "given.leaderboard_id", "given.season")}) AS e"""  # noqa: S608 - constants only
# The last entry that is counted is looked up once a board: what is no better than that, most of a large board, is not counted.
_RANKS = f"""
    WITH wanted AS MATERIALIZED (
        SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[]) WITH ORDINALITY
             AS given (leaderboard_id, season, user_id, score_key, subscore_key, session_id, place)
    ), last AS MATERIALIZED (
        SELECT board.*, found.*
        FROM (SELECT DISTINCT leaderboard_id, season FROM wanted) AS board
        CROSS JOIN LATERAL (
            SELECT e.score_key, e.subscore_key, e.session_id FROM leaderboard_leaderboardentry e
            WHERE e.leaderboard_id = board.leaderboard_id AND e.season = board.season
            ORDER BY e.score_key, e.subscore_key, e.session_id LIMIT 1 OFFSET $7::bigint - 1
        ) AS found
    )
    SELECT CASE WHEN (last.score_key, last.subscore_key, last.session_id) < (wanted.score_key, wanted.subscore_key, wanted.session_id)
        THEN GREATEST($7 + 1, (
            SELECT e.rank FROM ({statements.held_entry("wanted.user_id", "wanted.leaderboard_id", "wanted.season")}) AS e))
        ELSE 1 + (SELECT count(*) FROM leaderboard_leaderboardentry e
                  WHERE e.leaderboard_id = wanted.leaderboard_id AND e.season = wanted.season
                    AND (e.score_key, e.subscore_key, e.session_id) < (wanted.score_key, wanted.subscore_key, wanted.session_id)) END
    FROM wanted LEFT JOIN last USING (leaderboard_id, season)
    ORDER BY wanted.place"""  # noqa: S608 - constants only
# Rows are locked in the order in which commits lock them, and only then written.
_WRITE_RANKS = """
    WITH held AS MATERIALIZED (
        SELECT e.id, given.rank
        FROM unnest($1::bigint[], $2::bigint[]) AS given (id, rank) JOIN leaderboard_leaderboardentry e ON e.id = given.id
        ORDER BY e.user_id FOR NO KEY UPDATE OF e
    )
    UPDATE leaderboard_leaderboardentry e SET rank = held.rank FROM held WHERE e.id = held.id"""
_RACE = f"""
    SELECT found.* FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS given (user_id, after, score_key)
    CROSS JOIN LATERAL ({
    racing.plays(
        postgres_commit.ACHIEVED_MS.format(table="s").replace("achieved_at", '"timestamp"'),
        user="given.user_id",
        after="given.after",
        key="given.score_key",
    )
}) AS found"""  # noqa: S608 - constants only
# A board in its order. To fetch the rows one by one in the order of the index costs three times as much as to read them as they lie and
# to sort them; but then nothing is there before all is.
_ONE_BOARD = f"SELECT {_ENTRY} FROM leaderboard_leaderboardentry e WHERE e.leaderboard_id = $1 AND e.season = $2"  # noqa: S608 - constants only
_SORTED = f"SELECT * FROM ({_ONE_BOARD} OFFSET 0) AS found ORDER BY score_key, subscore_key, session_id"  # noqa: S608 - constants only
_WALKED = f"{_ONE_BOARD} ORDER BY e.score_key, e.subscore_key, e.session_id"
_SORT = "SET LOCAL enable_bitmapscan = on; SET LOCAL enable_indexscan = off"
_WALK = "SET LOCAL enable_sort = off"
_LAST_GIVEN = "SELECT coalesce(pg_sequence_last_value('leaderboard_gamesession_id_seq'), 0)"
_LAST_COMMITTED = "SELECT coalesce(max(id), 0) FROM leaderboard_gamesession WHERE id <= $1"
_WRITERS = """
    SELECT virtualtransaction FROM pg_locks
    WHERE locktype = 'relation' AND relation = 'leaderboard_gamesession'::regclass AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')"""

# One submission's fault: told to it alone. asyncpg's own complaint about a value is an InterfaceError and a ValueError.
_UNSTORABLE = (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError, ValueError)
# The connection or the server is gone or going.
_AWAY = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.ReadOnlySQLTransactionError,
)


class _Connection(asyncpg.Connection):  # type: ignore[misc] # asyncpg has no types
    """A connection whose session state nobody changes, so that giving it back needs no round trip."""

    __slots__ = ()

    def get_reset_query(self) -> str:
        return ""


class PostgresStore(Reads):
    """A `Store` (see the package) with one connection pool per event loop, opened on first use."""

    _reads = _READS

    def __init__(
        self,
        dsn: str,
        *,
        pool_size: int = 6,
        statement_cache: int = 100,
        timeout_ms: int = 5_000,
        rank_count_limit: int = RANK_COUNT_LIMIT,
    ) -> None:
        """`statement_cache` 0 is for a PgBouncer that knows no prepared statements.

        It also refuses settings at connect; give the role those of SETTINGS with ALTER ROLE … SET.
        """
        self._dsn = dsn
        self._pool_size = pool_size
        self._statement_cache = statement_cache
        self._timeout_s = timeout_ms / 1000
        self._rank_count_limit = rank_count_limit
        self._pools: dict[asyncio.AbstractEventLoop, Any] = {}
        self._at_hand: dict[asyncio.AbstractEventLoop, Any] = {}  # of each pool one connection: to take it and give it back costs 60 us
        self._acquiring: Counter[asyncio.AbstractEventLoop] = Counter()  # how many wait for their pool
        self._settled_id = 0
        self._known = _Known()

    async def commit(self, batch: Sequence[Submission], *, catalog_version: int) -> list[Outcome]:
        if not batch:
            return []
        if len({item.user_id for item in batch}) != len(batch):
            raise ValueError("A batch holds at most one submission per user")

        async def work(connection: Any) -> list[Outcome]:
            return await _commit(connection, batch, catalog_version, self._known)

        return await self._call(work, repeatable=False)

    async def keep_answer(self, answers: Sequence[tuple[int, bytes]]) -> list[bytes]:
        given = dict(reversed(answers))  # of a session's answers the first is kept

        async def work(connection: Any) -> list[bytes]:
            new = {row[0] for row in await connection.fetch(_NEW_ANSWERS, list(given), list(given.values()))}
            old = [session_id for session_id in given if session_id not in new]
            kept = dict(await connection.fetch(_ANSWERS, old)) if old else {}
            return [bytes(kept.get(session_id, given[session_id])) for session_id, _ in answers]

        return await self._call(work, repeatable=True)

    async def catalog(self) -> Catalog:
        async def work(connection: Any) -> Catalog:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                return Catalog(
                    version=await connection.fetchval(statements.CATALOG_VERSION),
                    games=dict(await connection.fetch(statements.GAMES)),
                    definitions=tuple([definition_of(row) for row in await connection.fetch(statements.DEFINITIONS)]),
                    keys=await _keys(connection),
                )

        return await self._call(work, repeatable=True)

    async def ensure_players(self, players: Sequence[tuple[str, str]]) -> dict[str, Player]:
        names = dict(players)

        async def find(connection: Any) -> dict[str, Player]:
            return _by_name(await connection.fetch(_PLAYERS_BY_NAME, list(names)))

        async def work(connection: Any) -> dict[str, Player]:
            found = await find(connection)
            new = [new_user(username, name) for username, name in names.items() if username not in found]
            if not new:
                return found
            await connection.execute(_NEW_USERS, *map(list, zip(*new, strict=True)))
            return await find(connection)

        return await self._call(work, repeatable=True)

    async def players(self, user_ids: Sequence[int]) -> dict[int, Player]:
        return {row[0]: player_of(row) for row in await self._rows(_PLAYERS_BY_ID, list(user_ids))}

    async def players_named(self, usernames: Sequence[str]) -> dict[str, Player]:
        return _by_name(await self._rows(_PLAYERS_BY_NAME, list(usernames)))

    async def find(self, wanted: Sequence[tuple[BoardId, int]]) -> list[tuple[BoardId, Entry]]:
        if not wanted:
            return []
        columns = zip(*[(*board, user_id) for board, user_id in wanted], strict=True)
        return [(BoardId(row[0], row[1]), Entry(*row[2:])) for row in await self._rows(_FIND, *map(list, columns))]

    async def ranks(self, wanted: Sequence[tuple[BoardId, Entry]]) -> list[int]:
        if not wanted:
            return []
        columns = zip(*[(*board, entry.user_id, *entry.order) for board, entry in wanted], strict=True)
        return [row[0] for row in await self._rows(_RANKS, *map(list, columns), self._rank_count_limit)]

    async def last_session_id(self) -> int:
        async def work(connection: Any) -> int:
            return int(await connection.fetchval(_LAST_COMMITTED, await self._settled(connection)))

        return await self._call(work, repeatable=True)

    async def entries_since(self, session_id: int, *, limit: int) -> tuple[int, list[tuple[BoardId, Entry]]]:
        async def work(connection: Any) -> tuple[int, list[tuple[BoardId, Entry]]]:
            settled = await self._settled(connection)
            last = await connection.fetchval(statements.LAST_LOOKED_AT, session_id, limit)
            rows = await connection.fetch(_READS.since, session_id, last) if last else []
            looked_at = max(session_id, min(last or 0, settled))
            return looked_at, [(BoardId(row[0], row[1]), Entry(*row[2:])) for row in rows]

        return await self._call(work, repeatable=True)

    async def entries(self, board: BoardId, *, page: int = 5_000) -> AsyncIterator[list[Entry]]:
        """In board order, as of one moment. If the sort is not done in a statement's time, by the index of that order."""
        begun = False
        for settings, statement in ((_SORT, _SORTED), (_WALK, _WALKED)):
            try:
                async with AsyncExitStack() as held:
                    async with asyncio.timeout(self._timeout_s):
                        connection = await held.enter_async_context(self._connection())
                        await held.enter_async_context(connection.transaction(readonly=True))
                        await connection.execute(settings)
                        cursor = await connection.cursor(statement, *board)
                        rows = await cursor.fetch(page)
                    while rows:
                        begun = True
                        yield list(map(Entry._make, rows))
                        rows = await cursor.fetch(page, timeout=self._timeout_s)
                return
            except _AWAY as error:
                if begun or statement is _WALKED:
                    raise StoreUnavailable from error

    async def calculate_ranks(self, board: BoardId) -> int:
        changed, above, place = 0, 0, PLACE_BEFORE_ALL
        while rows := await self._rows(statements.RANKED_PAGE, *board, *place, RANK_PAGE):
            moved = [(row[0], rank) for rank, row in enumerate(rows, above + 1) if row[1] != rank]
            if moved:
                await self._rows(_WRITE_RANKS, *map(list, zip(*moved, strict=True)))
            changed, above, place = changed + len(moved), above + len(rows), tuple(rows[-1][2:])
        return changed

    async def note_key_uses(self, uses: Sequence[tuple[int, datetime]]) -> None:
        if uses:
            await self._rows(_KEY_USES, *map(list, zip(*uses, strict=True)))

    async def use_nonce(self, key_id: int, nonce: str, *, expires_at: datetime) -> bool:
        async def work(connection: Any) -> bool:
            return bool(await connection.fetch(statements.USE_NONCE, key_id, nonce, expires_at))

        try:
            return await self._call(work, repeatable=False)
        except asyncpg.ForeignKeyViolationError:
            return False

    async def forget_nonces(self, *, before: datetime, limit: int) -> int:
        return len(await self._rows(statements.FORGET_NONCES, before, limit))

    async def replace_entries(self, what: Replacement, entries: Iterable[list[Seasoned]], catch_up: CatchUp) -> int | None:
        try:
            async with asyncio.timeout(postgres_replace.REPLACE_S), self._connection() as connection, connection.transaction():
                return await postgres_replace.replace(connection, what, entries, catch_up, plays=_READS.plays)
        except (*_AWAY, asyncpg.TransactionRollbackError, asyncpg.LockNotAvailableError) as error:
            if isinstance(error, ValueError):
                raise
            raise StoreUnavailable from error

    async def race(self, race: Race) -> list[Racer]:
        async def work(connection: Any) -> list[Racer]:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                entries = [Entry(*row) for row in await connection.fetch(_READS.top, *race.board, race.limit, 0)]
                words = racing.words(await connection.fetch(racing.EDITS, *race.board, race.limit)) if entries else {}
                asked = [(each.user_id, racing.after(each, words), each.score_key) for each in racing.moving(entries, words, race)]
                given = map(list, zip(*asked, strict=True))
                rows = await connection.fetch(_RACE, *given, *racing.arguments(race, self._moment)) if asked else []
                return racing.racers(race, entries, words, rows)

        return await self._call(work, repeatable=True)

    async def aclose(self) -> None:
        """Close this loop's connections, and what is left of loops that are closed."""
        self._forget_closed_loops()
        loop = asyncio.get_running_loop()
        pool, at_hand = self._pools.pop(loop, None), self._at_hand.pop(loop, None)
        if pool is None:
            return
        try:
            async with asyncio.timeout(self._timeout_s):
                if at_hand is not None:
                    await pool.release(at_hand)
                await pool.close()
        except _AWAY:
            pool.terminate()

    async def _settled(self, connection: Any) -> int:
        """A session id such that no session with a smaller or equal one can still appear.

        Ids are given before a commit and may become visible in another order. Whoever was given one holds a lock on the
        table until it is visible: when all who held one after the id was read are gone, it has settled. If one of
        them stays (a long transaction), the id is that of an earlier call.
        """
        last = await connection.fetchval(_LAST_GIVEN)
        writers = await _writers(connection)
        for _ in range(10):
            if not writers:
                self._settled_id = last
                break
            await asyncio.sleep(0.005)  # a commit takes a few ms
            writers &= await _writers(connection)
        return self._settled_id

    async def _rows(self, statement: str, *arguments: object) -> list[Any]:
        async def work(connection: Any) -> list[Any]:
            return await connection.fetch(statement, *arguments)  # type: ignore[no-any-return]

        return await self._call(work, repeatable=True)

    def _moment(self, moment: datetime) -> object:
        return moment

    async def _call(self, work: Callable[[Any], Awaitable[T]], *, repeatable: bool) -> T:
        """Do the work on a connection. `repeatable`: doing it twice is the same as once.

        Only what can't have happened is tried again: a rolled back transaction, and one for which no connection was had.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._attempts(work, repeatable=repeatable)
        except (*_AWAY, asyncpg.TransactionRollbackError) as error:
            if isinstance(error, ValueError):
                raise  # a value of ours that asyncpg can't encode
            raise StoreUnavailable from error

    async def _attempts(self, work: Callable[[Any], Awaitable[T]], *, repeatable: bool) -> T:
        lost = False
        for attempt in range(1, ATTEMPTS + 1):
            begun = False
            try:
                async with self._connection() as connection:
                    begun = True
                    return await work(connection)
            except asyncpg.TransactionRollbackError:
                if attempt == ATTEMPTS:
                    raise
            except _AWAY as error:
                if lost or (begun and not repeatable) or isinstance(error, ValueError):
                    raise
                lost = True
        raise AssertionError("the last attempt returns or raises")

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        """The one at hand, or one of the pool. What did not end well goes back to the pool, which looks what has become of it.

        So does every one while somebody waits for the pool: else those who are quick would hand theirs on to each other for ever.
        """
        loop = asyncio.get_running_loop()
        connection = self._at_hand.pop(loop, None)
        pool = await self._pool()
        if connection is not None and connection.is_closed():
            await pool.release(connection, timeout=RELEASE_S)
            connection = None
        if connection is None:
            self._acquiring[loop] += 1
            try:
                connection = await pool.acquire()
            finally:
                self._acquiring[loop] -= 1
        ended_well = False
        try:
            yield connection
            ended_well = True
        finally:
            if ended_well and not self._acquiring[loop] and loop not in self._at_hand and self._pools.get(loop) is pool:
                self._at_hand[loop] = connection
            else:
                await pool.release(connection, timeout=RELEASE_S)

    async def _pool(self) -> Any:
        loop = asyncio.get_running_loop()
        if loop not in self._pools:
            self._forget_closed_loops()
            # Empty at first, so that this doesn't wait and no other task comes between.
            self._pools[loop] = await asyncpg.create_pool(
                self._dsn,
                min_size=0,
                max_size=self._pool_size,
                max_queries=2**31,  # an old connection is as good as a new one
                max_inactive_connection_lifetime=IDLE_S,
                connection_class=_Connection,
                statement_cache_size=self._statement_cache,
                max_cached_statement_lifetime=0,
                server_settings=self._server_settings(),
            )
        return self._pools[loop]

    def _server_settings(self) -> dict[str, str]:
        if not self._statement_cache:
            return {"application_name": "leaderboard"}
        return {"application_name": "leaderboard", "statement_timeout": str(round(self._timeout_s * 1000)), **SETTINGS}

    def _forget_closed_loops(self) -> None:
        for loop in [loop for loop in self._pools if loop.is_closed()]:
            with suppress(RuntimeError):  # its loop can't be told any more
                self._at_hand.pop(loop, None)
                del self._acquiring[loop]
                self._pools.pop(loop).terminate()


class _Known:
    """Players whom a commit has looked up: they may play as long as the version stands under which it did.

    One tuple, so that loops in other threads never see the players of one version under another.
    """

    def __init__(self) -> None:
        self._held: tuple[int | None, set[int]] = (None, set())

    def version_of(self, batch: Sequence[Submission]) -> int | None:
        """The version under which all of them may play; None if it is not known of each."""
        version, users = self._held
        return version if users.issuperset([item.user_id for item in batch]) else None

    def note(self, version: int, users: Iterable[int]) -> None:
        """They were looked up under this version."""
        held, known = self._held
        if held != version or len(known) > KNOWN_PLAYERS:
            known = set()
            self._held = (version, known)
        known.update(users)


async def _commit(connection: Any, batch: Sequence[Submission], catalog_version: int, known: _Known) -> list[Outcome]:
    try:
        outcomes = await _store(connection, batch, catalog_version, known)
    except _UNSTORABLE:
        async with connection.transaction():
            outcomes = await _store_apart(connection, batch, catalog_version, known)
    return await _with_repeated(connection, batch, outcomes)


async def _store(connection: Any, batch: Sequence[Submission], catalog_version: int, known: _Known) -> list[Landed | Refused | None]:
    version = known.version_of(batch)
    if version is not None:
        stored = await _stored(connection, postgres_commit.Statement(batch, catalog_version, version))
        if stored.ids:
            return stored.outcomes(batch)
    stored = await _stored(connection, postgres_commit.Statement(batch, catalog_version))
    if not stored.ids:
        raise StaleCatalog
    known.note(stored.players_version, [item.user_id for item, session_id in zip(batch, stored.ids, strict=True) if session_id is not None])
    return stored.outcomes(batch)


async def _stored(connection: Any, statement: postgres_commit.Statement) -> postgres_commit.Stored:
    return postgres_commit.Stored(await connection.fetch(statement.text, *statement.arguments))


async def _store_apart(connection: Any, batch: Sequence[Submission], catalog_version: int, known: _Known) -> list[Landed | Refused | None]:
    """Store what can be, by halves, inside the caller's transaction; what can't be stored is refused by itself."""
    try:
        async with connection.transaction():
            return await _store(connection, batch, catalog_version, known)
    except _UNSTORABLE as error:
        if len(batch) == 1:
            return [_refused(error)]
    half = len(batch) // 2
    first = await _store_apart(connection, batch[:half], catalog_version, known)
    return first + await _store_apart(connection, batch[half:], catalog_version, known)


def _refused(error: Exception) -> Refused:
    constraint = getattr(error, "constraint_name", None) or ""
    if isinstance(error, asyncpg.InvalidTextRepresentationError | asyncpg.UntranslatableCharacterError):
        constraint = "metadata"  # the one value that is parsed
    return Refused(refusal_for(constraint))


async def _with_repeated(connection: Any, batch: Sequence[Submission], outcomes: Sequence[Landed | Refused | None]) -> list[Outcome]:
    """Fill in what was there before. Read after the statement: what it met may have been committed while it ran."""
    met = [item for item, outcome in zip(batch, outcomes, strict=True) if outcome is None]
    if not met:
        return [outcome for outcome in outcomes if outcome is not None]
    rows = await connection.fetch(postgres_commit.REPEATED, [item.submitter for item in met], [item.idempotency_key for item in met])
    known = {(row[0], row[1]): Repeated(row[2], row[3], row[4] or b"", row[5]) for row in rows}
    return [outcome or _repeated(known, item) for item, outcome in zip(batch, outcomes, strict=True)]


def _repeated(known: dict[tuple[str, str | None], Repeated], item: Submission) -> Repeated:
    repeated = known.get((item.submitter, item.idempotency_key))
    if repeated is None:  # erased in the moment between; a retry will store it
        raise StoreUnavailable("The session of this Idempotency-Key was just erased; try again")
    return repeated


async def _keys(connection: Any) -> tuple[KeyRecord, ...]:
    return tuple([key_of(row) for row in await connection.fetch(statements.KEYS)])


async def _writers(connection: Any) -> set[str]:
    """The transactions that may have been given session ids and not shown them yet."""
    return {row[0] for row in await connection.fetch(_WRITERS)}


def _by_name(rows: Sequence[Any]) -> dict[str, Player]:
    return {row[1]: player_of(row) for row in rows}
