"""A row for every route and method, by subject. Of version 1: the document makes the twins of version 2 itself."""

from leaderboard.api.rows import administration, boards, players, scores, service
from leaderboard.api.rows.parts import SCHEMES, Operation

__all__ = ["OPERATIONS", "SCHEMES", "Operation"]

OPERATIONS: dict[str, Operation] = {
    **scores.OPERATIONS,
    **boards.OPERATIONS,
    **administration.OPERATIONS,
    **players.OPERATIONS,
    **service.OPERATIONS,
}
