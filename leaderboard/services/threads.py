"""Threads for rare work over Django's ORM, beside the event loop and beside everybody else's threads.

Bounded: a flood of one kind of work is refused, and the other kinds go on.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from asgiref.sync import sync_to_async
from django.db import InterfaceError, OperationalError, close_old_connections, connections

from leaderboard.domain.errors import Overloaded, StoreUnavailable

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """`count` threads; beyond what they are at, `waiting` pieces of work may wait for them."""

    def __init__(self, name: str, *, count: int, waiting: int) -> None:
        self._name, self._count = name, count
        self._room = threading.BoundedSemaphore(count + waiting)
        self._executor: ThreadPoolExecutor | None = None

    async def run(self, work: Callable[[], T]) -> T:
        """The work's result. A caller that is cancelled leaves work that has begun to end by itself.

        Raises Overloaded at once if too much is waiting, StoreUnavailable if the database can't be reached.
        """
        if not self._room.acquire(blocking=False):
            raise Overloaded
        if self._executor is None:
            self._executor = ThreadPoolExecutor(self._count, thread_name_prefix=f"leaderboard-{self._name}")
        future = self._executor.submit(with_orm, work)
        future.add_done_callback(lambda _: self._room.release())
        return await asyncio.wrap_future(future)

    async def aclose(self) -> None:
        """Wait for what is under way; the next call starts anew."""
        executor, self._executor = self._executor, None
        if executor is not None:
            await asyncio.to_thread(executor.shutdown)


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function over the ORM from a coroutine, in Django's own thread. Raises StoreUnavailable while the database is away."""
    return await sync_to_async(with_orm)(partial(work, *args, **kwargs))


def with_orm(work: Callable[[], T]) -> T:
    """For any thread but those of Django's handler, which gives connections back by itself."""
    close_old_connections()
    try:
        return work()
    except (OperationalError, InterfaceError) as error:
        raise StoreUnavailable from error
    finally:
        for connection in connections.all(initialized_only=True):
            if connection.vendor == "postgresql" and not connection.in_atomic_block:
                connection.close()  # into the pool: outside Django's own handler nobody else does
