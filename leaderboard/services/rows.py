"""Entries as the contracts show them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache

from leaderboard.domain.score import Entry, Rules
from leaderboard.domain.snapshot import Row
from leaderboard.store import Player


def rfc3339(moment: datetime) -> str:
    """UTC with milliseconds: 2026-11-23T12:00:00.000Z."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def rows(entries: Sequence[Entry], *, first_rank: int, rules: Rules, players: Mapping[int, Player]) -> list[Row]:
    """One row per entry, ranks counted up from `first_rank`."""
    score_sign, subscore_sign = rules.score_sign, rules.subscore_sign
    found: list[Row] = []
    for rank, (user_id, score_key, subscore_key, _, version, achieved_ms) in enumerate(entries, first_rank):
        player = players.get(user_id)
        second, ms = divmod(achieved_ms, 1000)
        found.append(
            {
                "rank": rank,
                "player": player.username if player is not None else f"#{user_id}",
                "name": player.name if player is not None else f"#{user_id}",
                "score": score_sign * score_key,
                "subscore": subscore_sign * subscore_key,
                "submissions": version,
                "achieved_at": f"{_second(second)}.{ms:03d}Z",
            }
        )
    return found


@lru_cache(maxsize=65_536)  # 10 MB; a board's rows are read far more often than they are achieved
def _second(since_1970: int) -> str:
    return datetime.fromtimestamp(since_1970, UTC).isoformat()[: -len("+00:00")]
