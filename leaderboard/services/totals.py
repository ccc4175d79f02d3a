"""How many entries boards have by SQL, for while the index can't say."""

from collections.abc import Callable
from typing import NamedTuple

from leaderboard.cache.flights import Flights
from leaderboard.domain.score import BoardId
from leaderboard.store import Store

LARGE = 50_000  # entries: up to here counting takes a few ms; of a million 0.1 s, of a server that every submit waits for
HELD_S = 5.0
HELD_BOARDS = 1_000  # beyond it, what is old goes


class _Held(NamedTuple):
    total: int
    until: float


class Totals:
    """A small board is counted each time. A large one once in HELD_S, however many ask: the answer may be that old."""

    def __init__(self, store: Store, *, monotonic: Callable[[], float], large: int = LARGE) -> None:
        self._store, self._monotonic, self._large = store, monotonic, large
        self._held: dict[BoardId, _Held] = {}
        self._flights: Flights[BoardId, int] = Flights()

    async def count(self, board: BoardId, *, at_least: int = 0) -> int:
        """`at_least` is what the caller has seen of the board: no answer has a rank beyond its total. Raises StoreUnavailable."""
        held = self._held.get(board)
        if held is not None and self._monotonic() < held.until:
            return max(held.total, at_least)
        total = await self._store.count(board, limit=self._large + 1)
        if total > self._large:
            total = (await self._flights.join([board], self._load))[board]
        return max(total, at_least)

    async def aclose(self) -> None:
        await self._flights.aclose()

    async def _load(self, boards: list[BoardId]) -> dict[BoardId, int]:
        return {board: await self._count(board) for board in boards}

    async def _count(self, board: BoardId) -> int:
        total, now = await self._store.count(board), self._monotonic()
        if len(self._held) >= HELD_BOARDS:
            self._held = {board: held for board, held in self._held.items() if now < held.until}
        self._held[board] = _Held(total, now + HELD_S)
        return total
