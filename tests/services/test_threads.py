"""Threads beside the loop: bounded, and what is given up gives its room back."""

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest
from django.db import InterfaceError, OperationalError

from leaderboard.domain.errors import Overloaded, StoreUnavailable
from leaderboard.services.threads import Threads


@pytest.fixture
async def threads() -> AsyncIterator[Threads]:
    made = Threads("test", count=1, waiting=1)
    yield made
    await made.aclose()


async def test_what_is_past_the_bound_is_refused_at_once_and_room_comes_back(threads: Threads) -> None:
    gate = threading.Event()
    working = [asyncio.create_task(threads.run(gate.wait)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await threads.run(gate.wait)
    gate.set()
    assert await asyncio.gather(*working) == [True, True]
    assert await threads.run(lambda: 7) == 7


async def test_a_caller_that_goes_away_before_its_turn_leaves_its_room_to_others(threads: Threads) -> None:
    gate = threading.Event()
    working = asyncio.create_task(threads.run(gate.wait))
    for _ in range(5):
        waiting = asyncio.create_task(threads.run(gate.wait))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    gate.set()
    assert await working


async def test_a_caller_that_goes_away_during_its_turn_keeps_the_bound(threads: Threads) -> None:
    """Its work still takes a thread: a flood of impatient clients must not pile up more than the bound."""
    gate, begun = threading.Event(), threading.Event()
    impatient = asyncio.create_task(threads.run(lambda: begun.set() or gate.wait()))
    await asyncio.to_thread(begun.wait, 10)
    impatient.cancel()
    waiting = asyncio.create_task(threads.run(lambda: 7))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await threads.run(lambda: 8)
    gate.set()
    assert await waiting == 7


@pytest.mark.parametrize("error", [OperationalError("no such host"), InterfaceError("closed")], ids=repr)
async def test_a_database_that_is_away_is_told_so(threads: Threads, error: Exception) -> None:
    def broken() -> None:
        raise error

    with pytest.raises(StoreUnavailable):
        await threads.run(broken)
    assert await threads.run(lambda: 7) == 7


async def test_after_it_was_closed_it_opens_anew(threads: Threads) -> None:
    assert await threads.run(lambda: 1) == 1
    await threads.aclose()
    assert await threads.run(lambda: 2) == 2
