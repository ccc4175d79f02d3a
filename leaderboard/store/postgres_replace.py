"""Replacing a leaderboard's entries on PostgreSQL: the steps inside one transaction."""

from collections.abc import Iterable
from typing import Any

from leaderboard.domain.replay import Play
from leaderboard.store import CatchUp, EditedMeanwhile, Replacement, Seasoned, statements
from leaderboard.store.rows import rule_columns

REPLACE_S = 600.0  # the whole; most of it goes on beside the submits
LOCK_MS = 3_000  # submits queue behind a lock that is waited for; past this the re-ranking is put off

_SETTINGS = f"""
    SET LOCAL statement_timeout = '{REPLACE_S:.0f}s'; SET LOCAL lock_timeout = '{LOCK_MS}ms';
    SET LOCAL enable_seqscan = on; SET LOCAL plan_cache_mode = force_custom_plan"""
_NEW_ENTRIES = """
    CREATE TEMP TABLE leaderboard_new_entry (season bigint, user_id bigint, score_key bigint, subscore_key bigint, session_id bigint,
        version bigint) ON COMMIT DROP"""
# The board first: whoever deletes one has it before the lock that follows. Then every commit under way ends, and later ones
# see the new version of the catalog. Edits wait too.
_HOLD_BOARD = "SELECT id FROM leaderboard_leaderboard WHERE id = $1 FOR UPDATE"
_LOCK = "LOCK TABLE leaderboard_gamesession, leaderboard_entryedit IN SHARE ROW EXCLUSIVE MODE"
_FORGET_NEW = """
    DELETE FROM leaderboard_new_entry n USING unnest($1::bigint[], $2::bigint[]) AS late (season, user_id)
    WHERE n.season = late.season AND n.user_id = late.user_id"""
_CASTS = {"$1": "$1::bigint", "$2": "$2::bigint", "$3": "$3::bigint", "$4": "$4::timestamptz", "$5": "$5::boolean"}


def _with_casts(statement: str) -> str:
    for mark, cast in _CASTS.items():
        statement = statement.replace(mark, cast)
    return statement


_WRITE_NEW_ENTRIES = _with_casts(statements.write_new_entries("greatest"))


async def replace(connection: Any, what: Replacement, entries: Iterable[list[Seasoned]], catch_up: CatchUp, *, plays: str) -> int | None:
    """See `Store.replace_entries`; in the caller's transaction."""
    new, rules = what.definition, what.definition.rules
    await connection.execute(_SETTINGS)
    await connection.execute(_NEW_ENTRIES)
    for page in entries:
        await _add(connection, page)
    await connection.execute("ANALYZE leaderboard_new_entry")
    await connection.fetchval(_HOLD_BOARD, new.id)
    await connection.execute(_LOCK)
    if await connection.fetchval(f"{statements.OPEN_RERANKING} FOR UPDATE", what.reranking_id, new.id) is None:
        return None
    if await connection.fetchval(statements.LAST_EDIT_ON, new.id) != what.last_edit:
        raise EditedMeanwhile
    late = catch_up([Play(*row) for row in await connection.fetch(plays, what.after, 2**62, new.game_id)])
    await connection.execute(_FORGET_NEW, [season for season, _ in late], [entry.user_id for _, entry in late])
    await _add(connection, late)
    dropped = await connection.execute(statements.DROP_ENTRIES, new.id)
    await connection.execute(_WRITE_NEW_ENTRIES, new.id, rules.score_sign, rules.subscore_sign, what.now, what.held_only)
    await connection.execute(statements.NEW_RULES, *rule_columns(new))
    await connection.execute(statements.RERANKED, what.reranking_id, what.moved)
    return int(dropped.removeprefix("DELETE "))


async def _add(connection: Any, page: list[Seasoned]) -> None:
    records = [(season, entry.user_id, *entry.order, entry.version) for season, entry in page]
    await connection.copy_records_to_table("leaderboard_new_entry", records=records, columns=statements.NEW_ENTRY_COLUMNS)
