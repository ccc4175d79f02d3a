# ruff: noqa: S608 - statements are put together from constants only
"""The SQL that both dialects speak. Parameters are $1, $2, …; what differs is handed in by the dialect.

An entry is always read as ENTRY's columns, in the order of `Entry`'s fields.
"""

from dataclasses import dataclass

CATALOG_VERSION = "SELECT version FROM leaderboard_catalog WHERE id = 1"
GAMES = "SELECT slug, id FROM leaderboard_game"
DEFINITIONS = """
    SELECT l.id, l.game_id, g.slug, l.slug, l.title, l.operator, l.sort_order, l.subscore_order, l.game_mode, l.reset_schedule,
           l.time_zone, l.min_score, l.max_score, l.authoritative, l.is_active, l.is_public, l.signed_only, l.metadata
    FROM leaderboard_leaderboard l JOIN leaderboard_game g ON g.id = l.game_id
    ORDER BY l.id"""
KEYS = "SELECT id, game_id, prefix, digest, scopes, expires_at, signed_only FROM leaderboard_apikey WHERE revoked_at IS NULL ORDER BY id"
SESSION = """
    SELECT id, user_id, game_id, score, subscore, game_mode, "timestamp" FROM leaderboard_gamesession WHERE id = $1"""
EDITS_SINCE = """
    SELECT id, leaderboard_id, season, user_id, until_session, total_score IS NULL
    FROM leaderboard_entryedit WHERE id > $1 ORDER BY id LIMIT $2"""
LAST_EDIT_ID = "SELECT coalesce(max(id), 0) FROM leaderboard_entryedit"
PING = "SELECT 1"

# Both are walks along gamesession_user_time_idx, one way and the other; what is of one moment is sorted by id.
_PLAY = """
    SELECT id, user_id, game_id, score, subscore, game_mode, "timestamp", metadata, submitter FROM leaderboard_gamesession
    WHERE user_id = $1 AND game_id = $2"""
PLAYS_BEFORE = f"""{_PLAY} AND "timestamp" <= $3 AND ("timestamp" < $3 OR id < $4) ORDER BY "timestamp" DESC, id DESC LIMIT $5"""
PLAYS_BETWEEN = f"""{_PLAY} AND "timestamp" >= $3 AND "timestamp" < $4 ORDER BY "timestamp", id LIMIT $5"""
LAST_EDIT_OF = """
    SELECT until_session, total_score, subscore, created_at FROM leaderboard_entryedit
    WHERE leaderboard_id = $1 AND season = $2 AND user_id = $3 ORDER BY id DESC LIMIT 1"""

# The last of the first $2 sessions after $1.
LAST_LOOKED_AT = """
    SELECT max(id) FROM (SELECT id FROM leaderboard_gamesession WHERE id > $1 ORDER BY id LIMIT $2) AS looked_at"""

# The sessions after $1 up to $2 as words of `leaderboard.index.ledger`: ids are unique, so adding up sets each bit once.
SESSION_WORDS = """
    SELECT id >> 5, CAST(sum(CAST(1 AS bigint) << CAST(id & 31 AS int)) AS bigint)
    FROM leaderboard_gamesession WHERE id > $1 AND id <= $2 GROUP BY id >> 5"""

# Boards are few and entries many: one index probe a board, instead of reading every entry.
BOARDS = """
    WITH RECURSIVE board (leaderboard_id, season) AS (
        SELECT * FROM (
            SELECT leaderboard_id, season FROM leaderboard_leaderboardentry ORDER BY leaderboard_id, season LIMIT 1
        ) AS first
        UNION ALL
        SELECT (SELECT e.leaderboard_id FROM leaderboard_leaderboardentry e
                WHERE (e.leaderboard_id, e.season) > (b.leaderboard_id, b.season) ORDER BY e.leaderboard_id, e.season LIMIT 1),
               (SELECT e.season FROM leaderboard_leaderboardentry e
                WHERE (e.leaderboard_id, e.season) > (b.leaderboard_id, b.season) ORDER BY e.leaderboard_id, e.season LIMIT 1)
        FROM board b WHERE b.leaderboard_id IS NOT NULL
    )
    SELECT leaderboard_id, season FROM board WHERE leaderboard_id IS NOT NULL ORDER BY leaderboard_id, season"""

COUNT = """
    SELECT count(*) FROM (
        SELECT 1 FROM leaderboard_leaderboardentry WHERE leaderboard_id = $1 AND season = $2 LIMIT $3
    ) AS found"""

# How many with the value ($3, $4) stand before the session $5.
TIES = """
    SELECT count(*) FROM leaderboard_leaderboardentry
    WHERE leaderboard_id = $1 AND season = $2 AND score_key = $3 AND subscore_key = $4 AND session_id < $5"""

# The different values among the first $3 entries.
VALUES = """
    SELECT DISTINCT score_key, subscore_key FROM (
        SELECT score_key, subscore_key FROM leaderboard_leaderboardentry WHERE leaderboard_id = $1 AND season = $2
        ORDER BY score_key, subscore_key, session_id LIMIT $3
    ) AS first
    ORDER BY score_key, subscore_key"""

# One page of a board in its order, after the place ($3, $4, $5): what `calculate_ranks` compares.
RANKED_PAGE = """
    SELECT id, rank, score_key, subscore_key, session_id FROM leaderboard_leaderboardentry
    WHERE leaderboard_id = $1 AND season = $2 AND (score_key, subscore_key, session_id) > ($3, $4, $5)
    ORDER BY score_key, subscore_key, session_id LIMIT $6"""

USE_NONCE = """
    INSERT INTO leaderboard_usednonce (key_id, nonce, expires_at) VALUES ($1, $2, $3)
    ON CONFLICT (key_id, nonce) DO NOTHING RETURNING id"""
FORGET_NONCES = """
    DELETE FROM leaderboard_usednonce
    WHERE id IN (SELECT id FROM leaderboard_usednonce WHERE expires_at < $1 ORDER BY expires_at LIMIT $2) RETURNING id"""

# What `replace_entries` writes from: the new entries of one leaderboard, in a temporary table.
NEW_ENTRY_COLUMNS = ("season", "user_id", "score_key", "subscore_key", "session_id", "version")
OPEN_RERANKING = "SELECT 1 FROM leaderboard_reranking WHERE id = $1 AND leaderboard_id = $2 AND state IN ('waiting', 'running')"
LAST_EDIT_ON = "SELECT coalesce(max(id), 0) FROM leaderboard_entryedit WHERE leaderboard_id = $1"
DROP_ENTRIES = """
    DELETE FROM leaderboard_leaderboardentry WHERE leaderboard_id = $1 AND NOT EXISTS (
        SELECT 1 FROM leaderboard_new_entry n
        WHERE n.season = leaderboard_leaderboardentry.season AND n.user_id = leaderboard_leaderboardentry.user_id
    )"""
NEW_RULES = """
    UPDATE leaderboard_leaderboard SET operator = $2, sort_order = $3, subscore_order = $4, game_mode = $5, reset_schedule = $6,
        time_zone = $7, min_score = $8, max_score = $9 WHERE id = $1"""
RERANKED = "UPDATE leaderboard_reranking SET moved = CASE WHEN moved > $2 THEN moved ELSE $2 END WHERE id = $1"


def plays(at_ms: str) -> str:
    """A game's sessions with $1 < id <= $2, as `domain.replay.Play` has them. `at_ms`: the dialect's expression for `s."timestamp"`."""
    return f"""
        SELECT s.id, s.user_id, s.score, s.subscore, s.game_mode, s.submitter, {at_ms}
        FROM leaderboard_gamesession s WHERE s.id > $1 AND s.id <= $2 AND s.game_id = $3 ORDER BY s.id"""


def edits(at_ms: str) -> str:
    return f"""
        SELECT x.id, x.user_id, x.season, x.until_session, x.total_score, x.subscore, x.before, {at_ms}
        FROM leaderboard_entryedit x LEFT JOIN leaderboard_gamesession s ON s.id = x.until_session
        WHERE x.leaderboard_id = $1 ORDER BY x.id"""


def write_new_entries(greatest: str) -> str:
    """$1 the leaderboard, $2 and $3 its signs, $4 the moment, $5 whether only players that hold an entry get one.

    The session is joined for its time, and so that nothing is written for a player erased meanwhile. What stays as it was is not
    written. What changes gets a version above the held one, so that no late write to the index brings the old value back.
    """
    same = " AND ".join(f"held.{name} = excluded.{name}" for name in ("total_score", "score_key", "subscore_key", "session_id"))
    values = ("total_score", "subscore", "score_key", "subscore_key", "session_id", "achieved_at")
    return f"""
        INSERT INTO leaderboard_leaderboardentry AS held
            (leaderboard_id, season, user_id, total_score, subscore, score_key, subscore_key, session_id, submissions, achieved_at,
             last_updated)
        SELECT $1, n.season, n.user_id, n.score_key * $2, n.subscore_key * $3, n.score_key, n.subscore_key, n.session_id, n.version,
               s."timestamp", $4
        FROM leaderboard_new_entry n JOIN leaderboard_gamesession s ON s.id = n.session_id
        WHERE NOT $5 OR EXISTS (SELECT 1 FROM leaderboard_leaderboardentry e
                                WHERE e.leaderboard_id = $1 AND e.season = n.season AND e.user_id = n.user_id)
        ORDER BY n.season, n.user_id
        ON CONFLICT (leaderboard_id, season, user_id) DO UPDATE SET
            {", ".join(f"{name} = excluded.{name}" for name in values)}, rank = NULL,
            submissions = CASE WHEN {same} THEN excluded.submissions ELSE {greatest}(held.submissions + 1, excluded.submissions) END,
            last_updated = {greatest}(held.last_updated, excluded.last_updated)
        WHERE NOT ({same}) OR excluded.submissions > held.submissions"""


@dataclass(frozen=True, slots=True)
class EntryReads:
    """The statements that read entries, in one dialect."""

    top: str
    entry: str
    around: str
    within: str
    since: str
    plays: str
    edits: str


def entry_columns(achieved_ms: str, *, table: str) -> str:
    return f"{table}.user_id, {table}.score_key, {table}.subscore_key, {table}.session_id, {table}.submissions, {achieved_ms}"


def held_entry(user: str, leaderboard: str, season: str) -> str:
    """The entry of one user on one board, on PostgreSQL: the first from there on, if that is it.

    The order leaves no choice of index: asked for three equal columns a planner that has no statistics yet may read the whole board.
    """
    wanted = f"{user}, {leaderboard}, {season}"
    return f"""
        SELECT * FROM (
            SELECT * FROM leaderboard_leaderboardentry e WHERE (e.user_id, e.leaderboard_id, e.season) >= ({wanted})
            ORDER BY e.user_id, e.leaderboard_id, e.season LIMIT 1
        ) AS e WHERE (e.user_id, e.leaderboard_id, e.season) = ({wanted})"""


def entry_reads(achieved_ms: str) -> EntryReads:
    """`achieved_ms`: the dialect's expression for `e.achieved_at` in whole milliseconds since 1970 UTC."""
    at_ms = achieved_ms.replace("e.achieved_at", 's."timestamp"')
    entry = entry_columns(achieved_ms, table="e")
    board = "FROM leaderboard_leaderboardentry e WHERE e.leaderboard_id = $1 AND e.season = $2"
    place = "(e.score_key, e.subscore_key, e.session_id)"
    return EntryReads(
        top=f"SELECT {entry} {board} ORDER BY e.score_key, e.subscore_key, e.session_id LIMIT $3 OFFSET $4",
        entry=f"SELECT {entry} {board} AND e.user_id = $3",
        # The player's own row is neither side's, also when it has moved since the caller read it.
        around=f"""
            SELECT * FROM (SELECT 0 AS side, {entry} {board} AND {place} < ($3, $4, $5) AND e.user_id <> $6
                ORDER BY e.score_key DESC, e.subscore_key DESC, e.session_id DESC LIMIT $7) AS better
            UNION ALL
            SELECT * FROM (SELECT 1 AS side, {entry} {board} AND {place} > ($3, $4, $5) AND e.user_id <> $6
                ORDER BY e.score_key, e.subscore_key, e.session_id LIMIT $7) AS worse""",
        within=f"""
            SELECT {entry} {board} AND e.score_key >= $3 AND e.score_key <= $4
            ORDER BY e.score_key, e.subscore_key, e.session_id LIMIT $5 OFFSET $6""",
        # An entry that a session fed was last updated at that session's time or later; older seasons' are left out by it.
        # "+ 0" leaves only the index by user: by leaderboard a planner that has no statistics yet would read whole boards.
        since=f"""
            SELECT e.leaderboard_id, e.season, {entry}
            FROM (SELECT s.user_id, s.game_id, min(s."timestamp") AS began FROM leaderboard_gamesession s
                  WHERE s.id > $1 AND s.id <= $2 GROUP BY s.user_id, s.game_id) AS played
            JOIN leaderboard_leaderboard l ON l.game_id = played.game_id
            JOIN leaderboard_leaderboardentry e
              ON e.user_id = played.user_id AND e.leaderboard_id + 0 = l.id AND e.last_updated >= played.began""",
        plays=plays(at_ms),
        edits=edits(at_ms),
    )
