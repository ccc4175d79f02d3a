"""Ranks that equals share: by SQL where the index does not tell them, and into rows."""

from bisect import bisect_left
from collections.abc import Sequence

from leaderboard.domain.errors import InvalidParameter
from leaderboard.domain.ranking import DENSE_PLACES, Ranking
from leaderboard.domain.score import BoardId, Entry
from leaderboard.store import Store


async def in_sql(store: Store, board: BoardId, places: Sequence[tuple[int, Entry]], ranking: Ranking) -> list[int | None]:
    """What each (rank, entry) is ranked if equals share a rank; None for a dense rank that is not told, and for all if ordinal."""
    if ranking is Ranking.ORDINAL or not places:
        return [None] * len(places)
    if ranking is Ranking.COMPETITION:
        ties = await store.ties(board, [entry for _, entry in places])
        return [max(1, rank - tied) for (rank, _), tied in zip(places, ties, strict=True)]
    values = await store.values(board, places=DENSE_PLACES)
    found = [(bisect_left(values, entry.value), entry) for _, entry in places]
    return [at + 1 if at < len(values) and values[at] == entry.value else None for at, entry in found]


def told(shared: int | None) -> int:
    """Raises InvalidParameter: only a dense rank is not told."""
    if shared is None:
        raise InvalidParameter(
            f"Dense ranks are counted within the first {DENSE_PLACES} places only; ask for ranking=competition.",
            errors=[{"field": "ranking", "detail": f"dense within {DENSE_PLACES} places"}],
        )
    return shared
