"""Entries as the contracts show them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from leaderboard.domain.score import Entry, Rules
from leaderboard.domain.snapshot import Row
from leaderboard.store import Player


def rfc3339(moment: datetime) -> str:
    """UTC with milliseconds: 2026-11-23T12:00:00.000Z."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def rows(entries: Sequence[Entry], *, first_rank: int, rules: Rules, players: Mapping[int, Player]) -> list[Row]:
    """One row per entry, ranks counted up from `first_rank`."""
    return [_row(rank, entry, rules, players.get(entry.user_id)) for rank, entry in enumerate(entries, first_rank)]


def _row(rank: int, entry: Entry, rules: Rules, player: Player | None) -> dict[str, Any]:
    return {
        "rank": rank,
        "player": player.username if player else f"#{entry.user_id}",
        "name": player.name if player else f"#{entry.user_id}",
        "score": rules.score_sign * entry.score_key,
        "subscore": rules.subscore_sign * entry.subscore_key,
        "submissions": entry.version,
        "achieved_at": rfc3339(datetime.fromtimestamp(entry.achieved_ms / 1000, UTC)),
    }
