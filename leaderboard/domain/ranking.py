"""What a place on a board is called: percentiles, ranks that equals share, and what is lacking to the next place."""

from bisect import bisect_right
from collections.abc import Sequence
from enum import StrEnum

from leaderboard.domain.score import SCORE_LIMIT, Entry

DENSE_PLACES = 10_000  # dense ranks are told of values that begin within them: to tell one, every entry before it is looked at


class Ranking(StrEnum):
    """How entries of equal score and subscore are ranked. Their order is always the same."""

    ORDINAL = "ordinal"  # 1 2 3: the earlier achiever first
    COMPETITION = "competition"  # 1 1 3
    DENSE = "dense"  # 1 1 2


def percentile(rank: int, total: int) -> float:
    """The share of the board that stands no better, the player included: 100 for the first."""
    return round(100 * (total - rank + 1) / max(total, rank), 2)


def rank_at(wanted: float, total: int) -> int:
    """The last rank whose percentile is at least `wanted` (0 to 100); 0 on an empty board."""
    return bisect_right(range(1, total + 1), -wanted, key=lambda rank: -percentile(rank, total))


def shared_ranks(entries: Sequence[Entry], *, first_rank: int, first_shared: int, ranking: Ranking) -> list[int]:
    """The ranks of consecutive entries if equals share one; the first entry's is known."""
    ranks: list[int] = []
    for place, entry in enumerate(entries):
        if place == 0:
            ranks.append(first_shared)
        elif entry.value == entries[place - 1].value:
            ranks.append(ranks[-1])
        else:
            ranks.append(ranks[-1] + 1 if ranking is Ranking.DENSE else first_rank + place)
    return ranks


def points_to_pass(held: tuple[int, int], ahead: tuple[int, int]) -> int | None:
    """By how much the score of a value must become better to stand before one that is ahead; None if no score does.

    Of equal scores the better subscore is first, and of equal values the one that was there before.
    """
    needed = ahead[0] - (held[1] >= ahead[1])
    return held[0] - needed if needed >= -SCORE_LIMIT else None
