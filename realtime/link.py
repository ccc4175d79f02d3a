"""The process's one subscription to the channel layer: one channel, a group for every watched board.

The layer forgets: it loses messages around a Redis restart without a signal, and never notices a half-open link. So this
offers what the hub needs to help itself: every call has a timeout, and `recycle` makes everything anew.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol

logger = logging.getLogger(__name__)


class Layer(Protocol):
    """The part of a channel layer that is used. It must not be shared: `recycle` flushes it."""

    async def new_channel(self) -> str: ...
    async def receive(self, channel: str) -> dict[str, Any]: ...
    async def group_add(self, group: str, channel: str) -> None: ...
    async def group_discard(self, group: str, channel: str) -> None: ...
    async def flush(self) -> None: ...


class LinkError(Exception):
    """The layer did not do it in time."""


class Link:
    """`on_message` is awaited for every message, one after the other."""

    def __init__(self, layer: Layer, *, on_message: Callable[[dict[str, Any]], Awaitable[None]], timeout_s: float) -> None:
        self._layer = layer
        self._on_message = on_message
        self._timeout_s = timeout_s
        self._lock = asyncio.Lock()  # joins, leaves and recycling in the order asked
        self._channel: str | None = None
        self._receiver: asyncio.Task[None] | None = None
        self.joined: set[str] = set()

    async def join(self, group: str) -> None:
        """Raises LinkError."""
        await self._bounded(lambda: self._join(group))

    async def leave(self, group: str) -> None:
        """Raises LinkError."""
        await self._bounded(lambda: self._leave(group))

    async def recycle(self, groups: Iterable[str]) -> None:
        """Drop connection and channel, and join the groups on new ones. Raises LinkError; then `joined` says what is missing."""
        await self._bounded(lambda: self._recycle(groups))

    async def aclose(self) -> None:
        await self._bounded(lambda: self._recycle(()))

    async def _bounded(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            async with asyncio.timeout(self._timeout_s), self._lock:
                await work()
        except Exception as error:  # each layer raises its own kinds
            raise LinkError(repr(error)) from error

    async def _join(self, group: str) -> None:
        if group in self.joined:
            return
        if self._channel is None:
            self._channel = await self._layer.new_channel()
            self._receiver = asyncio.create_task(self._receive(self._channel))
        await self._layer.group_add(group, self._channel)
        self.joined.add(group)

    async def _leave(self, group: str) -> None:
        if self._channel is None or group not in self.joined:
            return
        self.joined.discard(group)
        await self._layer.group_discard(group, self._channel)

    async def _recycle(self, groups: Iterable[str]) -> None:
        try:
            await self._layer.flush()
        finally:
            # After the flush: a receiver that ends on a layer with its channel still there would unsubscribe it, which may hang.
            self._channel = None
            self.joined.clear()
            await self._stop_receiver()
        for group in groups:
            await self._join(group)

    async def _stop_receiver(self) -> None:
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.cancel()
            await asyncio.wait([receiver])

    async def _receive(self, channel: str) -> None:
        while True:
            try:
                await self._on_message(await self._layer.receive(channel))
            except Exception:
                logger.exception("a message from the channel layer could not be handled")
                await asyncio.sleep(0.1)  # a layer that fails at once must not spin
