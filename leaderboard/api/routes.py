"""The hot routes: a path to its operation by a few look-ups, where Django's resolver tries one regular expression after the other.

What is not found here (other methods, /api/ with the version in the Accept header, health) goes through Django's resolver
to views that call the same operations.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from leaderboard.api import reads, writes

BATCH_ENDING = "/scores/batch/"
_BOARDS = "/api/v1/leaderboard/"


class Found(NamedTuple):
    """`operation(request, told, *arguments)`; `route` names it in the metrics."""

    route: str
    operation: Callable[..., None]
    arguments: tuple[Any, ...] = ()


_FIXED = {
    ("POST", "/api/v1/scores/"): Found("api/v1/scores/", writes.post_score),
    ("POST", "/api/v1/scores/batch/"): Found("api/v1/scores/batch/", writes.post_batch),
}


def find(method: str, path: str) -> Found | None:
    """The operation of a path, percent-decoded; None if it is none of the hot ones."""
    found = _FIXED.get((method, path))
    if found is not None or method not in ("GET", "HEAD") or not path.startswith(_BOARDS):
        return found
    board, _, rest = path[len(_BOARDS) :].partition("/")
    if rest == "top/":
        return Found("api/v1/leaderboard/<str:board>/top/", reads.top, (board,)) if board else None
    what, _, player = rest.partition("/")
    if not board or len(player) < 2 or not player.endswith("/"):
        return None
    if what == "rank":
        return Found("api/v1/leaderboard/<str:board>/rank/<path:player>/", reads.rank, (board, player[:-1]))
    if what == "around":
        return Found("api/v1/leaderboard/<str:board>/around/<path:player>/", reads.around, (board, player[:-1]))
    return None


def is_batch(path: str) -> bool:
    return path.startswith("/api/") and path.endswith(BATCH_ENDING)
