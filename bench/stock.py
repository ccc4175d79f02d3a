"""Fills a fresh database with games, boards, players, entries and keys: `python -m bench.stock '[["game", "board", 1000], ...]'`.

A process of its own, because settings are read once per process. Says what it does, and in the last line as JSON what came of it.
"""

import io
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import NamedTuple

import django
from django.core.management import call_command
from django.db import connection, transaction


class Board(NamedTuple):
    """A board of sums, and how many players stand on it (none yet, if not `filled`). Its slug is no other game's.

    Its first STARS players stand so high that they stay its top. With `known` ranks everybody stands far from the next.
    """

    game: str
    slug: str
    players: int
    known: bool = False
    filled: bool = True
    reset: str = ""
    game_mode: str = ""


STARS = 10
GLOBAL = Board("default", "global", 10_000)  # what a fresh installation has
ARCADE = (
    Board("bench-arcade", "bench-all-time", 10_000, filled=False),
    Board("bench-arcade", "bench-daily", 10_000, filled=False, reset="daily"),
    Board("bench-arcade", "bench-weekly", 10_000, filled=False, reset="weekly"),
    Board("bench-arcade", "bench-mode", 10_000, filled=False, game_mode="arcade"),
)
TEN_THOUSAND = Board("bench-10k", "bench-10k", 10_000, known=True)
MILLION = Board("bench-1m", "bench-1m", 1_000_000, known=True)

APART = 1_000_000  # between neighbours whose ranks are known: a thousand submits of the highest score
STRIDE = 618_033  # no common divisor with a power of ten: neighbours in rank are strangers in every other order

_STAR_SCORE = 1_000_000_000
# `bench.load.player` names them the same.
_PLAYERS = """
INSERT INTO auth_user (password, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined)
SELECT '!', false, 'player-' || lpad(number::text, 6, '0'), 'player-' || lpad(number::text, 6, '0'), '', '', false, true, now()
FROM generate_series(0, %s - 1) number"""
_SESSIONS = """
INSERT INTO leaderboard_gamesession (user_id, game_id, score, subscore, game_mode, metadata, timestamp, submitter)
SELECT u.id, l.game_id, {score}, 0, '', '{{}}', now(), 'bench'
FROM leaderboard_leaderboard l, (SELECT id, right(username, 6)::bigint AS number FROM auth_user WHERE username LIKE 'player-%%') u
WHERE l.slug = %(slug)s AND u.number < %(players)s"""
_ENTRIES = """
INSERT INTO leaderboard_leaderboardentry (leaderboard_id, season, user_id, total_score, subscore, score_key, subscore_key, session_id,
                                          achieved_at, submissions, last_updated, rank)
SELECT l.id, 0, p.user_id, p.score, 0, -p.score, 0, p.id, p.timestamp, 1, p.timestamp, {rank}
FROM leaderboard_gamesession p JOIN leaderboard_leaderboard l ON l.game_id = p.game_id
WHERE l.slug = %(slug)s"""
_RANDOM = "1 + floor(random() * 100000)::bigint + CASE WHEN u.number < %(stars)s THEN %(star_score)s ELSE 0 END"
_KNOWN_RANK = "%(players)s - p.score / %(apart)s + 1"  # as the last calculation left it: what SQL answers far down a board
_KNOWN = "(%(players)s - u.number * %(stride)s %% %(players)s) * %(apart)s"


@dataclass(frozen=True, slots=True)
class Built:
    """What the product's own rebuild made of a board, nobody else at work; `redis_bytes` is what Redis holds more than before."""

    entries: int
    seconds: float
    redis_bytes: int


@dataclass(frozen=True, slots=True)
class Filled:
    """The games' API keys, and by slug what was built."""

    keys: dict[str, str]
    built: dict[str, Built]


def standing(number: int, players: int) -> int:
    """A player's rank on a board whose ranks are known."""
    return number * STRIDE % players + 1


def fill(boards: list[Board]) -> Filled:
    """Make what is not there, with an entry for each player, in SQL and in the index."""
    _say(f"{max(board.players for board in boards):,} players", lambda: _players(boards))
    for board in boards:
        _define(board)
        if board.filled:
            _say(f"{board.slug}: {board.players:,} entries in SQL", lambda board=board: _enter(board))  # type: ignore[misc]
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    built = {board.slug: _build(board) for board in boards}
    return Filled({board.game: _key(board.game) for board in boards}, built)


def _players(boards: list[Board]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_PLAYERS, [max(board.players for board in boards)])


def _define(board: Board) -> None:
    from leaderboard.domain.score import Operator, Rules
    from leaderboard.services.definitions import create_board

    if board != GLOBAL:
        rules = Rules(Operator.SUM)
        create_board(board.game, slug=board.slug, rules=rules, game_mode=board.game_mode, reset_schedule=board.reset, create_game=True)


def _enter(board: Board) -> None:
    """A session and an entry for each player. Without the checks of foreign keys, which would be most of the work."""
    values = {"stars": STARS, "star_score": _STAR_SCORE, "stride": STRIDE, "apart": APART, **board._asdict()}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(_SESSIONS.format(score=_KNOWN if board.known else _RANDOM), values)
        cursor.execute(_ENTRIES.format(rank=_KNOWN_RANK if board.known else "NULL"), values)


def _build(board: Board) -> Built:
    from leaderboard.models import LeaderboardEntry

    entries = LeaderboardEntry.objects.filter(leaderboard__slug=board.slug).count()
    before, began = _redis_bytes(), time.monotonic()
    call_command("rebuild_index", board=board.slug, stdout=io.StringIO())
    built = Built(entries, time.monotonic() - began, _redis_bytes() - before)
    if entries:
        print(f"{board.slug}: index rebuilt at {entries / built.seconds:,.0f} entries/s", flush=True)
    return built


def _redis_bytes() -> int:
    import redis
    from django.conf import settings

    with redis.Redis.from_url(settings.REDIS_URL) as client:
        return int(client.info("memory")["used_memory"])


def _key(game: str) -> str:
    said = io.StringIO()
    call_command("create_api_key", game=game, name="bench", stdout=said)
    return said.getvalue().strip()


def _say(what: str, do: Callable[[], None]) -> None:
    began = time.monotonic()
    do()
    print(f"{what}: {time.monotonic() - began:.1f} s", flush=True)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gaming_leaderboard.settings")
    django.setup()
    call_command("migrate", verbosity=0, interactive=False)
    print(json.dumps(asdict(fill([Board(*row) for row in json.loads(sys.argv[1])]))))


if __name__ == "__main__":
    main()
