"""A viewport: a player's row with its neighbours, and who passed whom between two looks at it.

Between two looks anything may have happened, and of it only the rows in view are known. So what is told of passing is what
these rows prove, and as many strangers to the earlier look as the change of rank asks for: never more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from leaderboard.domain.snapshot import Row


@dataclass(frozen=True, slots=True)
class Viewed:
    """What is looked at: up to `around` rows on either side of a player, by its username, on a leaderboard in its present season."""

    leaderboard: int
    player: str
    around: int


@dataclass(frozen=True, slots=True)
class View:
    """What there was to see. `rank` is None and there are no rows if the player is not on the board."""

    season: str
    rank: int | None
    total: int
    rows: list[Row]


class Overtake(NamedTuple):
    """Those in view that passed the player, and those that it passed: the nearest first."""

    rank: int
    previous_rank: int
    passed_by: list[Row]
    passed: list[Row]


def overtake(old: View, new: View) -> Overtake | None:
    """What passing there was; None if the rank is the same, or changed for another reason: a player came, or was taken off the board."""
    if old.rank is None or new.rank is None or old.rank == new.rank or old.season != new.season:
        return None
    was_above, was_below = (_players(rows) for rows in _sides(old.rows, old.rank))
    above, below = _sides(new.rows, new.rank)
    came_above, came_below = sum(row["player"] in was_below for row in above), sum(row["player"] in was_above for row in below)
    unexplained = new.rank - old.rank - came_above + came_below
    passed_by = _crossed(above, was_below, was_above, strangers=unexplained)
    passed = _crossed(below, was_above, was_below, strangers=-unexplained)
    if not passed_by and not passed and new.rank < old.rank:
        return None  # somebody above left: nobody was passed
    return Overtake(new.rank, old.rank, passed_by, passed)


def _sides(rows: Sequence[Row], rank: int) -> tuple[list[Row], list[Row]]:
    """Those above the rank and those below it, the nearest first."""
    return [row for row in reversed(rows) if row["rank"] < rank], [row for row in rows if row["rank"] > rank]


def _players(rows: Sequence[Row]) -> set[str]:
    return {row["player"] for row in rows}


def _crossed(rows: Sequence[Row], other_side: set[str], same_side: set[str], *, strangers: int) -> list[Row]:
    """Those that were on the other side, and the nearest of those that were out of view."""
    crossed = []
    for row in rows:
        known = row["player"] in other_side
        if known or (strangers > 0 and row["player"] not in same_side):
            crossed.append(row)
            strangers -= not known
    return crossed
