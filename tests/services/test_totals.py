"""Counting by SQL: exact for small boards; of a large one once in a while, never less than what was seen."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from leaderboard.domain.score import BoardId
from leaderboard.services.totals import HELD_S, Totals
from leaderboard.store.sqlite import SqliteStore

BOARD, OTHER = BoardId(1, 0), BoardId(2, 0)
LARGE = 3


class Counted(SqliteStore):
    """A store that says how often it counted all of a board."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.totals = {BOARD: 2, OTHER: 0}
        self.counted: list[BoardId] = []

    async def count(self, board: BoardId, *, limit: int = 2**62) -> int:
        await asyncio.sleep(0)
        if limit > LARGE + 1:
            self.counted.append(board)
        return min(self.totals[board], limit)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Counted]:
    store = Counted(str(tmp_path / "empty.sqlite3"))
    yield store
    await store.aclose()


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def totals(store: Counted, clock: Clock) -> AsyncIterator[Totals]:
    totals = Totals(store, monotonic=clock, large=LARGE)
    yield totals
    await totals.aclose()


async def test_a_small_board_is_counted_each_time(store: Counted, totals: Totals) -> None:
    assert await totals.count(BOARD) == 2
    store.totals[BOARD] = LARGE
    assert await totals.count(BOARD) == LARGE
    assert store.counted == [], "what is small needs no second look"


async def test_a_large_board_is_counted_once_however_many_ask(store: Counted, totals: Totals, clock: Clock) -> None:
    store.totals[BOARD] = 10
    assert await asyncio.gather(*(totals.count(BOARD) for _ in range(20))) == [10] * 20
    store.totals[BOARD] = 11
    clock.now += HELD_S - 0.1
    assert await totals.count(BOARD) == 10
    assert store.counted == [BOARD]


async def test_what_is_held_grows_old(store: Counted, totals: Totals, clock: Clock) -> None:
    store.totals[BOARD] = 10
    await totals.count(BOARD)
    clock.now += HELD_S
    store.totals[BOARD] = 12
    assert await totals.count(BOARD) == 12
    clock.now += HELD_S
    store.totals[BOARD] = 1
    assert await totals.count(BOARD) == 1, "a board that was cleared is small again"


async def test_no_rank_is_beyond_the_total(store: Counted, totals: Totals) -> None:
    store.totals[BOARD] = 10
    assert await totals.count(BOARD) == 10
    assert await totals.count(BOARD, at_least=13) == 13
    assert await totals.count(BOARD) == 10
    assert await totals.count(OTHER, at_least=1) == 1


async def test_boards_are_counted_apart(store: Counted, totals: Totals) -> None:
    store.totals |= {BOARD: 10, OTHER: 20}
    assert await asyncio.gather(totals.count(BOARD), totals.count(OTHER)) == [10, 20]
