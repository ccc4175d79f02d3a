"""The one statement that stores a batch on PostgreSQL: its text, its arguments, and what its rows say.

One statement is one round trip and one commit. Per score it costs a few microseconds of Python, so the arguments go as arrays
(a column each) and what many submissions share, the boards they feed, goes once.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from leaderboard.domain.definition import Feeding, Submission
from leaderboard.domain.score import BoardId, Entry, Operator
from leaderboard.store import Landed, Refused, Result
from leaderboard.store.rows import refusal_for
from leaderboard.store.statements import entry_columns

NO_METADATA = "{}"

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

# `unnest` in the list of columns gives a value at a time; in FROM each array would be written out and read back first. Of arrays of
# different lengths the shorter ones end in nulls, so what no submission of the batch has goes as an empty array. What many share goes
# once a kind. A player that is no more, or that is not active, is found by a look-up of its own (as a join it might be planned as a
# scan of all users), or by the version that moves with any such change: then who was there under it still is.
_PLAYED = """
    allowed AS MATERIALIZED (
        SELECT players_version FROM leaderboard_catalog WHERE id = 1 AND version = $1 AND ($13::bigint IS NULL OR players_version = $13)
    ),
    played AS MATERIALIZED (
        SELECT nextval('leaderboard_gamesession_id_seq') AS id, given.*, {known} AS known
        FROM (SELECT unnest($2::bigint[]) AS user_id, unnest($3::bigint[]) AS score, unnest($4::bigint[]) AS subscore,
                     unnest($5::timestamptz[]) AS at, unnest($6::int[]) AS kind, unnest($7::text[]) AS metadata,
                     unnest($8::text[]) AS key, unnest($9::bytea[]) AS fingerprint) AS given
        WHERE EXISTS (SELECT FROM allowed)
    ),
    stored AS (
        INSERT INTO leaderboard_gamesession
            (id, user_id, game_id, score, subscore, game_mode, metadata, "timestamp", submitter, idempotency_key, fingerprint)
        SELECT id, user_id, ($10::bigint[])[kind], score, coalesce(subscore, 0), ($11::text[])[kind],
               CASE WHEN metadata IS NULL THEN '{{}}'::jsonb ELSE metadata::jsonb END, at, ($12::text[])[kind], key, fingerprint
        FROM played WHERE known {order}
        RETURNING id
    )"""
# Two processes with the same keys wait for each other in one direction only. Of one key twice in a batch the first wins.
_KEYED_ORDER = """ORDER BY ($12::text[])[kind] COLLATE "C", key COLLATE "C", id
        ON CONFLICT (submitter, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING"""
_PLAIN_ORDER = "ORDER BY id"
_LOOKED_UP = "(SELECT is_active FROM auth_user WHERE auth_user.id = given.user_id)"

_FED = """
    fed AS MATERIALIZED (
        SELECT feed.operator, feed.leaderboard_id, feed.season, feed.score_sign, feed.subscore_sign,
               played.user_id, played.id, played.at,
               CASE feed.operator WHEN 'count' THEN 1 ELSE played.score END AS score,
               CASE feed.operator WHEN 'count' THEN 0 ELSE coalesce(played.subscore, 0) END AS subscore
        FROM unnest($14::int[], $15::text[], $16::bigint[], $17::bigint[], $18::int[], $19::int[])
             AS feed (kind, operator, leaderboard_id, season, score_sign, subscore_sign)
        JOIN played ON played.kind = feed.kind
        WHERE {only_stored}
    )"""
# IS TRUE keeps this a hashed look-up; as a plain condition it becomes a join that the planner may do by comparing all with all.
_ONLY_STORED = "(played.id IN (SELECT id FROM stored)) IS TRUE"

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
            last_updated = GREATEST(held.last_updated, excluded.last_updated),
            previous_score_key = held.score_key, previous_subscore_key = held.subscore_key, previous_session_id = held.session_id
        RETURNING held.leaderboard_id, {entry}, held.previous_score_key, held.previous_subscore_key, held.previous_session_id
    )"""

# First the ids: null where the player is not known, negative where the key was there. Then a row per entry.
_IDS = "SELECT ARRAY(SELECT {told} FROM played ORDER BY id), (SELECT players_version FROM allowed), " + ", ".join(["NULL::bigint"] * 9)  # noqa: S608 - constants only
_TOLD_PLAIN = "CASE WHEN known THEN id END"
_TOLD_KEYED = "CASE WHEN (id IN (SELECT id FROM stored)) IS TRUE THEN id WHEN known THEN -id END"
_ENTRIES = "SELECT NULL, now.* FROM ({entries}) AS now"

REPEATED = """
    SELECT asked.submitter, asked.key, s.id, s.user_id, s.fingerprint, a.answer
    FROM unnest($1::text[], $2::text[]) AS asked (submitter, key)
    JOIN leaderboard_gamesession s
      ON s.submitter = asked.submitter AND s.idempotency_key = asked.key AND s.idempotency_key IS NOT NULL
    LEFT JOIN leaderboard_submitanswer a ON a.session_id = s.id"""


class Statement:
    """A batch's statement: its text and its arguments.

    With a `players_version` under which all its players may play they are not looked up, and if it has moved, nothing is stored.
    """

    __slots__ = ("arguments", "text")

    def __init__(self, batch: Sequence[Submission], catalog_version: int, players_version: int | None = None) -> None:
        games, users, scores, subscores, modes, metadata, times, feeds, submitters, keys, fingerprints = zip(*batch, strict=True)
        # Kinds are told apart by their feeds' identity: equality is slow to compute, and most are the very same object.
        kinds: dict[tuple[int, int, str, str], int] = {}
        kind_of = [kinds.setdefault(kind, len(kinds) + 1) for kind in zip(map(id, feeds), games, modes, submitters, strict=True)]
        feeds_of = {id(each): each for each in feeds}
        fed = [(number, feeding) for (identity, *_), number in kinds.items() for feeding in feeds_of[identity]]
        operators = frozenset([_MERGED_AS[feeding.rules.operator] for _, feeding in fed])
        keyed = any(key is not None for key in keys)
        self.text = _text(operators, keyed, players_version is not None)
        self.arguments = (
            catalog_version,
            users,
            scores,
            subscores if any(subscores) else (),
            times,
            kind_of,
            metadata if any(text != NO_METADATA for text in metadata) else (),
            keys if keyed else (),
            fingerprints if keyed else (),
            [game for _, game, _, _ in kinds],
            [mode for _, _, mode, _ in kinds],
            [submitter for *_, submitter in kinds],
            players_version,
            *_feed_columns(fed),
        )


class Stored:
    """What the rows of a batch's statement say.

    `ids` has the session of each submission, None where the player is not known, and below 0 where its key was there before; it is
    empty if a version has moved and nothing was stored.
    """

    __slots__ = ("_rows", "ids", "players_version")

    def __init__(self, rows: Sequence[Any]) -> None:
        self.ids: list[int | None] = rows[0][0]
        self.players_version: int = rows[0][1]
        self._rows = rows

    def outcomes(self, batch: Sequence[Submission]) -> list[Landed | Refused | None]:
        """What each submission became; None if a session with its key was there before."""
        entries = {(row[2], row[1]): row for row in self._rows}  # a submission feeds a leaderboard in one season
        return [_outcome(item, session_id, entries) for item, session_id in zip(batch, self.ids, strict=True)]


def _outcome(item: Submission, session_id: int | None, entries: dict[tuple[int, int], Any]) -> Landed | Refused | None:
    if session_id is None:
        return Refused(refusal_for("user"))
    if session_id < 0:
        return None
    user_id = item.user_id
    return Landed(session_id, tuple([_result(feeding.board, entries[user_id, feeding.board.leaderboard_id]) for feeding in item.feeds]))


def _result(board: BoardId, row: Any) -> Result:
    return Result(board, None if row[8] is None else row[8:], Entry._make(row[2:8]))


def _feed_columns(fed: Sequence[tuple[int, Feeding]]) -> tuple[Any, ...]:
    if not fed:
        return ()
    rows = [
        (number, feeding.rules.operator.value, *feeding.board, feeding.rules.score_sign, feeding.rules.subscore_sign)
        for number, feeding in fed
    ]
    return tuple(zip(*rows, strict=True))


@lru_cache(maxsize=32)  # eight sets of operators, with keys or without, with players looked up or not
def _text(operators: frozenset[Operator], keyed: bool, trusting: bool) -> str:
    parts = [_PLAYED.format(known="true" if trusting else _LOOKED_UP, order=_KEYED_ORDER if keyed else _PLAIN_ORDER)]
    if operators:
        parts.append(_FED.format(only_stored=_ONLY_STORED if keyed else "played.known"))
    names = [operator for operator in _MERGES if operator in operators]
    parts += [_upsert(operator) for operator in names]
    answers = [_IDS.format(told=_TOLD_KEYED if keyed else _TOLD_PLAIN)]
    if names:
        entries = " UNION ALL ".join(f"SELECT * FROM {operator}_entries" for operator in names)  # noqa: S608 - constants only
        answers.append(_ENTRIES.format(entries=entries))
    return f"WITH {','.join(parts)}\n{' UNION ALL '.join(answers)}"


def _upsert(operator: Operator) -> str:
    return _UPSERT.format(
        name=f"{operator}_entries",
        operators=",".join(given for given, merged in _MERGED_AS.items() if merged is operator),
        merge=", ".join(_MERGES[operator]),
        entry=entry_columns(ACHIEVED_MS.format(table="held"), table="held"),
    )
