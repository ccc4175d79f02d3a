"""How scores meet and how entries are ordered: the one place that decides both.

SQL (`leaderboard.store`) and Redis (`leaderboard.index`) repeat these rules in their own languages
and are tested against this module with random submissions.

Keys. An order is easier to keep when smaller is always better, so a board's direction is taken out
once: `score_key = -score` where higher is better, `score_key = score` where lower is. The total
order of a board is the ascending order of `(score_key, subscore_key, session_id)`. Session ids are
unique and grow, so the last part says "the earlier achiever first" and no two entries are equal.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

SCORE_LIMIT = 2**53 - 1  # the largest integer that JSON clients and Redis doubles both hold exactly


class Operator(StrEnum):
    """How a new score meets the one that is held."""

    BEST = "best"  # keep the better (score, subscore) pair; the pair always comes from one run
    SUM = "sum"  # add score and subscore
    LATEST = "latest"  # the newest pair replaces
    COUNT = "count"  # how many were submitted; the scores do not matter


class Direction(StrEnum):
    DESC = "desc"  # more is better
    ASC = "asc"  # less is better


class BoardId(NamedTuple):
    """One leaderboard in one season: the thing that has ranks."""

    leaderboard_id: int
    season: int  # when the season began, seconds since 1970 UTC; 0 for the all-time season


@dataclass(frozen=True, slots=True)
class Rules:
    """What decides an entry's value and its place."""

    operator: Operator = Operator.BEST
    sort_order: Direction = Direction.DESC
    subscore_order: Direction = Direction.DESC

    @property
    def score_sign(self) -> int:
        """Multiply a score by this to get its key, and a key to get its score."""
        return -1 if self.sort_order is Direction.DESC else 1

    @property
    def subscore_sign(self) -> int:
        return -1 if self.subscore_order is Direction.DESC else 1


Order = tuple[int, int, int]  # (score_key, subscore_key, session_id): ascending is better first; unique on a board


class Entry(NamedTuple):
    """What a player holds on a board, in keys (smaller is better). A tuple: a submit makes two for each board it feeds.

    `session_id` is the session that set the value, `achieved_ms` its time (milliseconds since 1970
    UTC), `version` how many submissions the entry has taken: a higher version is newer.
    """

    user_id: int
    score_key: int
    subscore_key: int
    session_id: int
    version: int
    achieved_ms: int

    @property
    def order(self) -> Order:
        return (self.score_key, self.subscore_key, self.session_id)

    @property
    def value(self) -> tuple[int, int]:
        """What two entries may have in common."""
        return (self.score_key, self.subscore_key)


def opening(rules: Rules, *, user_id: int, score: int, subscore: int, session_id: int, achieved_ms: int) -> Entry:
    """The entry that one session makes by itself. Every entry is a `merge` of these."""
    if rules.operator is Operator.COUNT:
        score, subscore = 1, 0
    return Entry(user_id, rules.score_sign * score, rules.subscore_sign * subscore, session_id, 1, achieved_ms)


def merge(operator: Operator, held: Entry, new: Entry) -> Entry:
    """What is held after a session's `opening` entry has come in.

    A sum that gains (0, 0) keeps its achiever: nothing was achieved by it. The range of the result
    is not checked here; the store refuses what leaves +-SCORE_LIMIT.
    """
    version = held.version + new.version
    if operator is Operator.BEST:
        kept = new if new.order < held.order else held
        return Entry(held.user_id, kept.score_key, kept.subscore_key, kept.session_id, version, kept.achieved_ms)
    if operator is Operator.LATEST:
        kept = new if new.session_id > held.session_id else held
        return Entry(held.user_id, kept.score_key, kept.subscore_key, kept.session_id, version, kept.achieved_ms)
    added = new.score_key != 0 or new.subscore_key != 0
    achiever = max(held, new, key=lambda entry: entry.session_id) if added else held
    return Entry(
        held.user_id,
        held.score_key + new.score_key,
        held.subscore_key + new.subscore_key,
        achiever.session_id,
        version,
        achiever.achieved_ms,
    )


def improves(before: Order | None, current: Entry) -> bool:
    """Whether the held value became better: a first entry does, an equal value does not."""
    return before is None or (current.score_key, current.subscore_key) < before[:2]
