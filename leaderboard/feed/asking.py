"""One read for all who ask: while one is under way, those who come gather for the next.

Each is told what was read after it asked, never what was read before, and at most one read is under way, however many ask.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Generic, TypeVar

T = TypeVar("T")
Told = Callable[[T | None], None]

log = logging.getLogger(__name__)


class Asking(Generic[T]):
    """`read(leaderboards, told)` begins a read and calls `told` once, later, with what it could find. For one event loop at a time."""

    def __init__(self, read: Callable[[Sequence[int], Callable[[Mapping[int, T]], None]], None]) -> None:
        self._read = read
        self._waiting: dict[int, list[Told[T]]] = {}
        self._is_under_way = False

    def ask(self, leaderboard: int, told: Told[T]) -> None:
        """`told` is called once, later: with None if the leaderboard was not found. It must not raise."""
        waiting = self._waiting.get(leaderboard)
        if waiting is None:
            self._waiting[leaderboard] = [told]
        else:
            waiting.append(told)
        if not self._is_under_way:
            self._is_under_way = True
            asyncio.get_running_loop().call_soon(self._go)  # the others of this turn shall go with it

    def _go(self) -> None:
        asked, self._waiting = self._waiting, {}
        self._read(tuple(asked), partial(self._answered, asked))

    def _answered(self, asked: dict[int, list[Told[T]]], found: Mapping[int, T]) -> None:
        if self._waiting:
            self._go()  # before the answers: Redis works while these are given
        else:
            self._is_under_way = False
        for leaderboard, waiting in asked.items():
            read = found.get(leaderboard)
            for told in waiting:
                try:
                    told(read)
                except Exception:
                    log.exception("one of those who asked failed")  # the others still get their answer
