"""The one statement that stores a batch on PostgreSQL: its text, its arguments, and what its rows say.

One statement is one round trip and one commit. Per score it costs a few microseconds of Python, so the arguments go as arrays
(a column each) and what many submissions share, the boards they feed, goes once.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from leaderboard.domain.definition import Feeding, Submission
from leaderboard.domain.score import Entry, Operator
from leaderboard.store import Landed, Result, StaleCatalog
from leaderboard.store.statements import entry_columns

# The cast rounds to the exact microsecond that is stored; the division rounds down.
ACHIEVED_MS = "(date_part('epoch', {table}.achieved_at) * 1000000)::bigint / 1000"

# How a new value meets the held one: `leaderboard.domain.score.merge`, in SQL.
_IS_BETTER = "(excluded.score_key, excluded.subscore_key, excluded.session_id) < (held.score_key, held.subscore_key, held.session_id)"
_IS_NEWER = "excluded.session_id > held.session_id"
_ADDS = f"(excluded.score_key <> 0 OR excluded.subscore_key <> 0) AND {_IS_NEWER}"
_VALUES = ("total_score", "subscore", "score_key", "subscore_key")
_ACHIEVED = ("session_id", "achieved_at")


def _taken(columns: Iterable[str], condition: str) -> list[str]:
    return [f"{column} = CASE WHEN {condition} THEN excluded.{column} ELSE held.{column} END" for column in columns]


_MERGES: dict[Operator, list[str]] = {
    Operator.BEST: _taken(_VALUES + _ACHIEVED, _IS_BETTER),
    Operator.LATEST: _taken(_VALUES + _ACHIEVED, _IS_NEWER),
    Operator.SUM: [f"{column} = held.{column} + excluded.{column}" for column in _VALUES] + _taken(_ACHIEVED, _ADDS),
}
# A count is a sum of ones. Every process locks entries in this order of operators, and within one by board and user.
_MERGED_AS = {Operator.BEST: Operator.BEST, Operator.SUM: Operator.SUM, Operator.COUNT: Operator.SUM, Operator.LATEST: Operator.LATEST}

_PLAYED = """
    allowed AS MATERIALIZED (SELECT FROM leaderboard_catalog WHERE id = 1 AND version = $1),
    played AS MATERIALIZED (
        SELECT nextval((SELECT pg_get_serial_sequence('leaderboard_gamesession', 'id')::regclass)) AS id, given.*
        FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::timestamptz[],
                    $9::text[], $10::text[], $11::bytea[], $12::int[]) WITH ORDINALITY
             AS given (user_id, game_id, score, subscore, game_mode, metadata, at, submitter, key, fingerprint, feeds, place)
        WHERE EXISTS (SELECT FROM allowed)
    ),
    stored AS (
        INSERT INTO leaderboard_gamesession
            (id, user_id, game_id, score, subscore, game_mode, metadata, "timestamp", submitter, idempotency_key, fingerprint)
        SELECT id, user_id, game_id, score, subscore, game_mode, metadata::jsonb, at, submitter, key, fingerprint
        FROM played {order}
        RETURNING id
    )"""
# Two processes with the same keys wait for each other in one direction only. Of one key twice in a batch the first wins.
_KEYED_ORDER = """ORDER BY submitter COLLATE "C", key COLLATE "C", place
        ON CONFLICT (submitter, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING"""
_PLAIN_ORDER = "ORDER BY place"

_FED = """
    fed AS MATERIALIZED (
        SELECT feed.operator, feed.leaderboard_id, feed.season, feed.score_sign, feed.subscore_sign,
               played.user_id, played.id, played.at,
               CASE feed.operator WHEN 'count' THEN 1 ELSE played.score END AS score,
               CASE feed.operator WHEN 'count' THEN 0 ELSE played.subscore END AS subscore
        FROM unnest($13::int[], $14::text[], $15::bigint[], $16::bigint[], $17::int[], $18::int[])
             AS feed (feeds, operator, leaderboard_id, season, score_sign, subscore_sign)
        JOIN played ON played.feeds = feed.feeds
        {only_stored}
    )"""
# IS TRUE keeps this a hashed look-up; as a plain condition it becomes a join that the planner may do by comparing all with all.
_ONLY_STORED = "WHERE (played.id IN (SELECT id FROM stored)) IS TRUE"

_UPSERT = """
    {name} AS (
        INSERT INTO leaderboard_leaderboardentry AS held
            (leaderboard_id, season, user_id, total_score, subscore, score_key, subscore_key, session_id, achieved_at,
             submissions, last_updated)
        SELECT leaderboard_id, season, user_id, score, subscore, score * score_sign, subscore * subscore_sign, id, at, 1, at
        FROM fed WHERE operator = ANY ('{{{operators}}}') ORDER BY leaderboard_id, season, user_id
        ON CONFLICT (leaderboard_id, season, user_id) DO UPDATE SET
            {merge},
            submissions = held.submissions + 1,
            last_updated = GREATEST(held.last_updated, excluded.last_updated)
        RETURNING held.leaderboard_id, held.season, {entry}, ({before}) AS before
    )"""
# What the statement's snapshot holds: the entry before this statement. An update keeps the row's id, and by id there is one way
# to look it up; by board and user the planner may take another index while the table is young, and read the whole board for each.
_BEFORE = """
            SELECT ARRAY[before.score_key, before.subscore_key, before.session_id, before.submissions, {achieved_ms}]
            FROM leaderboard_leaderboardentry before WHERE before.id = held.id"""

# The ids given, the ids stored, then a row per entry.
_ANSWER = """
    SELECT 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint,
           ARRAY(SELECT id FROM played ORDER BY place)
    UNION ALL SELECT 0, 0, 0, 0, 0, 0, 0, 0, ARRAY(SELECT id FROM stored)"""

REPEATED = """
    SELECT asked.submitter, asked.key, s.id, s.user_id, s.fingerprint, a.answer
    FROM unnest($1::text[], $2::text[]) AS asked (submitter, key)
    JOIN leaderboard_gamesession s
      ON s.submitter = asked.submitter AND s.idempotency_key = asked.key AND s.idempotency_key IS NOT NULL
    LEFT JOIN leaderboard_submitanswer a ON a.session_id = s.id"""


class Statement:
    """A batch's statement: its text and its arguments."""

    __slots__ = ("arguments", "text")

    def __init__(self, batch: Sequence[Submission], catalog_version: int) -> None:
        feeds, places = _shared_feeds(batch)
        operators = {_MERGED_AS[feeding.rules.operator] for feedings in feeds for feeding in feedings}
        self.text = _text(frozenset(operators), any(item.idempotency_key is not None for item in batch))
        self.arguments = (
            catalog_version,
            [item.user_id for item in batch],
            [item.game_id for item in batch],
            [item.score for item in batch],
            [item.subscore for item in batch],
            [item.game_mode for item in batch],
            [item.metadata for item in batch],
            [item.timestamp for item in batch],
            [item.submitter for item in batch],
            [item.idempotency_key for item in batch],
            [item.fingerprint for item in batch],
            places,
            *_feed_columns(feeds, with_entries=bool(operators)),
        )


def landed(batch: Sequence[Submission], rows: Sequence[Any]) -> list[Landed | None]:
    """What each submission became; None if a session with its key was there before. Raises StaleCatalog."""
    ids = rows[0][8]
    if not ids:
        raise StaleCatalog
    stored = set(rows[1][8])
    entries = {(user_id, leaderboard_id, season): held for leaderboard_id, season, user_id, *held in rows[2:]}
    return [
        Landed(session_id, tuple([_result(item.user_id, feeding, entries) for feeding in item.feeds])) if session_id in stored else None
        for item, session_id in zip(batch, ids, strict=True)
    ]


def _result(user_id: int, feeding: Feeding, entries: dict[tuple[int, int, int], list[Any]]) -> Result:
    board = feeding.board
    score_key, subscore_key, session_id, version, achieved_ms, before = entries[user_id, board[0], board[1]]
    return Result(
        board,
        Entry(user_id, *before) if before else None,
        Entry(user_id, score_key, subscore_key, session_id, version, achieved_ms),
    )


def _shared_feeds(batch: Sequence[Submission]) -> tuple[list[tuple[Feeding, ...]], list[int]]:
    """The different `feeds` of a batch, and for each submission which it has."""
    by_identity: dict[int, int] = {}  # equality of feeds is slow to compute, and most are the very same object
    by_value: dict[tuple[Feeding, ...], int] = {}
    places = []
    for item in batch:
        place = by_identity.get(id(item.feeds))
        if place is None:
            place = by_identity[id(item.feeds)] = by_value.setdefault(item.feeds, len(by_value))
        places.append(place)
    return list(by_value), places


def _feed_columns(feeds: Sequence[tuple[Feeding, ...]], *, with_entries: bool) -> tuple[list[Any], ...]:
    if not with_entries:
        return ()
    rows = [
        (place, feeding.rules.operator.value, *feeding.board, feeding.rules.score_sign, feeding.rules.subscore_sign)
        for place, feedings in enumerate(feeds)
        for feeding in feedings
    ]
    return tuple(map(list, zip(*rows, strict=True)))


@lru_cache(maxsize=16)  # eight sets of operators, with keys or without
def _text(operators: frozenset[Operator], keyed: bool) -> str:
    parts = [_PLAYED.format(order=_KEYED_ORDER if keyed else _PLAIN_ORDER)]
    if operators:
        parts.append(_FED.format(only_stored=_ONLY_STORED if keyed else ""))
    names = [operator for operator in _MERGES if operator in operators]
    parts += [_upsert(operator) for operator in names]
    answers = [_ANSWER, *(f"SELECT * FROM {operator}_entries" for operator in names)]  # noqa: S608 - constants only
    return f"WITH {','.join(parts)}\n{' UNION ALL '.join(answers)}"


def _upsert(operator: Operator) -> str:
    return _UPSERT.format(
        name=f"{operator}_entries",
        operators=",".join(given for given, merged in _MERGED_AS.items() if merged is operator),
        merge=", ".join(_MERGES[operator]),
        entry=entry_columns(ACHIEVED_MS.format(table="held"), table="held"),
        before=_BEFORE.format(achieved_ms=ACHIEVED_MS.format(table="before")),
    )
