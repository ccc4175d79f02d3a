# ruff: noqa: S608 - statements are put together from constants only
"""The SQL of a race, read as of one moment: the best entries, the moderators' last words on them, and the plays behind them.

Bounded: of each player's plays no more than the newest `Race.looked_at` are looked at.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from leaderboard.domain.race import Play, Race, Racer, Word
from leaderboard.domain.score import SCORE_LIMIT, Entry
from leaderboard.store.rows import last_edit_of, milliseconds

# Of the first $3 of a board; of each entry the last edit comes last.
EDITS = """
    SELECT x.user_id, x.until_session, x.total_score, x.subscore, x.created_at FROM leaderboard_entryedit x
    WHERE x.leaderboard_id = $1 AND x.season = $2 AND x.user_id IN (
        SELECT e.user_id FROM leaderboard_leaderboardentry e WHERE e.leaderboard_id = $1 AND e.season = $2
        ORDER BY e.score_key, e.subscore_key, e.session_id LIMIT $3
    ) ORDER BY x.id"""


def plays(at_ms: str, *, user: str, after: str, key: str) -> str:
    """One player's plays that matter: id, user, score, time, their place from the newest and whether they could have fed the board. Of
    those that could not there is only the oldest that was looked at, if there may be older ones.

    `at_ms`: the dialect's expression for `s."timestamp"`. `user`, `after` (a session id) and `key` (the entry's score key) are the
    player's; $4 and on are `arguments`. The walk along gamesession_user_time_idx ends after $13 rows.
    """
    return f"""
        SELECT s.id, s.user_id, s.score, {at_ms}, s.place, s.fits FROM (
            SELECT looked_at.*,
                   min(CASE WHEN fits THEN score_key END) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS best,
                   max(CASE WHEN fits AND "timestamp" < $12 THEN id END) OVER () AS last_before
            FROM (
                SELECT newest.*, $14 * score AS score_key, row_number() OVER (ORDER BY "timestamp" DESC, id DESC) AS place,
                       id > {after} AND (CAST($8 AS text) = '' OR game_mode = $8) AND score >= $9 AND score <= $10
                           AND (NOT $11 OR submitter LIKE 'key:%') AND (NOT $15 OR $14 * score >= {key}) AS fits
                FROM (
                    SELECT s.id, s.user_id, s.score, s.game_mode, s.submitter, s."timestamp" FROM leaderboard_gamesession s
                    WHERE s.user_id = {user} AND s.game_id = $4 AND s."timestamp" >= $6 AND s."timestamp" < $7
                      AND s."timestamp" >= (SELECT l.created_at FROM leaderboard_leaderboard l WHERE l.id = $5)
                    ORDER BY s."timestamp" DESC, s.id DESC LIMIT $13
                ) AS newest
            ) AS looked_at
        ) AS s
        WHERE place = $13
           OR (fits AND CASE WHEN $15 THEN best IS NULL OR score_key < best ELSE "timestamp" >= $12 OR id = last_before END)"""


def arguments(race: Race, moment: Callable[[datetime], object]) -> tuple[Any, ...]:
    """$4 and on of `plays`. `moment`: how the dialect takes one."""
    definition = race.definition
    low, high = definition.min_score, definition.max_score
    return (
        definition.game_id,
        definition.id,
        moment(race.begins),
        moment(race.ends),
        definition.game_mode,
        -SCORE_LIMIT if low is None else low,
        SCORE_LIMIT if high is None else high,
        definition.authoritative,
        moment(race.since),
        race.looked_at,
        definition.rules.score_sign,
        race.reads_records,
    )


def words(rows: list[Any]) -> dict[int, Word]:
    """The last of EDITS by user."""
    found = {row[0]: last_edit_of(row[1:]) for row in rows}
    return {user_id: Word(edit.until_session, edit.score, milliseconds(edit.created_at)) for user_id, edit in found.items()}


def moving(entries: list[Entry], of: dict[int, Word], race: Race) -> list[Entry]:
    """Those whose score can have changed in the span: the others' plays need not be read."""
    since_ms = milliseconds(race.since)
    return [entry for entry in entries if max(entry.achieved_ms, of[entry.user_id].at_ms if entry.user_id in of else 0) >= since_ms]


def after(entry: Entry, of: dict[int, Word]) -> int:
    """The last session that a moderator's word covers."""
    return of[entry.user_id].until_session if entry.user_id in of else 0


def racers(race: Race, entries: list[Entry], of: dict[int, Word], rows: list[Any]) -> list[Racer]:
    """The entries with their rows of `plays`."""
    found: dict[int, list[Any]] = {entry.user_id: [] for entry in entries}
    for row in rows:
        found[row[1]].append(row)
    return [_racer(race, entry, of.get(entry.user_id), found[entry.user_id]) for entry in entries]


def _racer(race: Race, entry: Entry, word: Word | None, rows: list[Any]) -> Racer:
    counted = [Play(row[0], row[1], row[2], row[3]) for row in rows if row[5]]
    is_full = any(row[4] == race.looked_at for row in rows)
    reaches_back = any(play.at_ms < milliseconds(race.since) for play in counted)
    return Racer(entry, word, counted, is_cut=is_full and (race.reads_records or not reaches_back))
