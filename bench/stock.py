"""Fills a fresh database with games, boards, players, entries and keys: `python -m bench.stock '[["game", "board", 1000], ...]'`.

A process of its own, because settings are read once per process. Prints {"game": "its API key"}.
"""

import io
import json
import os
import sys
from typing import NamedTuple

import django
from django.core.management import call_command
from django.db import connection


class Board(NamedTuple):
    """A board of sums, and how many players stand on it. Its slug is no other game's, and a game has one."""

    game: str
    slug: str
    players: int


GLOBAL = Board("default", "global", 10_000)  # what a fresh installation has

# `bench.load.player` names them the same.
_PLAYERS = """
INSERT INTO auth_user (password, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined)
SELECT '!', false, 'player-' || lpad(number::text, 6, '0'), 'player-' || lpad(number::text, 6, '0'), '', '', false, true, now()
FROM generate_series(0, %s - 1) number"""
_ENTRIES = """
WITH played AS (
    INSERT INTO leaderboard_gamesession (user_id, game_id, score, subscore, game_mode, metadata, timestamp, submitter)
    SELECT u.id, l.game_id, 1 + floor(random() * 100000)::bigint, 0, '', '{}', now(), 'bench'
    FROM auth_user u, leaderboard_leaderboard l
    WHERE l.slug = %s AND u.username IN (SELECT 'player-' || lpad(number::text, 6, '0') FROM generate_series(0, %s - 1) number)
    RETURNING id, user_id, game_id, score, timestamp
)
INSERT INTO leaderboard_leaderboardentry (leaderboard_id, season, user_id, total_score, subscore, score_key, subscore_key, session_id,
                                          achieved_at, submissions, last_updated)
SELECT l.id, 0, p.user_id, p.score, 0, -p.score, 0, p.id, p.timestamp, 1, p.timestamp
FROM played p JOIN leaderboard_leaderboard l ON l.game_id = p.game_id"""


def fill(boards: list[Board]) -> dict[str, str]:
    """Make what is not there, with an entry for each player, in SQL and in the index; the games' keys."""
    from leaderboard.domain.score import Operator, Rules
    from leaderboard.services.definitions import create_board

    with connection.cursor() as cursor:
        cursor.execute(_PLAYERS, [max(board.players for board in boards)])
        for board in boards:
            if board != GLOBAL:
                create_board(board.game, slug=board.slug, rules=Rules(Operator.SUM), create_game=True)
            cursor.execute(_ENTRIES, [board.slug, board.players])
        cursor.execute("VACUUM ANALYZE")
    call_command("rebuild_index", stdout=io.StringIO())
    return {board.game: _key(board.game) for board in boards}


def _key(game: str) -> str:
    said = io.StringIO()
    call_command("create_api_key", game=game, name="bench", stdout=said)
    return said.getvalue().strip()


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gaming_leaderboard.settings")
    django.setup()
    call_command("migrate", verbosity=0, interactive=False)
    print(json.dumps(fill([Board(*row) for row in json.loads(sys.argv[1])])))


if __name__ == "__main__":
    main()
