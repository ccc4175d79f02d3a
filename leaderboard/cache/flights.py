"""One load at a time for each key of a process; whoever asks meanwhile waits for it."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Flights(Generic[K, V]):
    """Loads belong to nobody: one whose callers have all gone goes on, and `aclose` ends it. For one event loop at a time."""

    def __init__(self) -> None:
        self._under_way: dict[K, asyncio.Task[dict[K, V]]] = {}

    async def join(self, keys: Sequence[K], load: Callable[[list[K]], Awaitable[dict[K, V]]]) -> dict[K, V]:
        """What `load` returns for the keys that nobody is loading, with what others are."""
        mine = [key for key in dict.fromkeys(keys) if key not in self._under_way]
        if mine:
            self._start(mine, load)
        loads = {self._under_way[key] for key in keys}
        loaded = [await asyncio.shield(task) for task in loads]
        return {key: found[key] for found in loaded for key in keys if key in found}

    async def aclose(self) -> None:
        tasks = set(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, keys: list[K], load: Callable[[list[K]], Awaitable[dict[K, V]]]) -> None:
        async def work() -> dict[K, V]:
            return await load(keys)

        task = asyncio.create_task(work())
        self._under_way |= dict.fromkeys(keys, task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[dict[K, V]]") -> None:
        self._under_way = {key: other for key, other in self._under_way.items() if other is not task}
        if not task.cancelled():
            task.exception()  # callers have been told; if all have gone there is nobody to tell
