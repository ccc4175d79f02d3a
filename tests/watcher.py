"""A spectator: connects, applies deltas as docs/protocol.md says, resumes by `since`, and remembers how it came to its rows."""

import asyncio
import json
from contextlib import suppress
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from leaderboard.domain.snapshot import Delta, Row, patch
from tests.frames import as_told


class Gap(AssertionError):
    """A delta came that does not follow the last frame: the server broke its promise."""


class Watcher:
    """Watches one board until `stop`; reconnects by itself. `rows` is what a spectator would see."""

    def __init__(self, ws_url: str, leaderboard: str, *, top: int = 10) -> None:
        self._url, self._leaderboard, self._top = f"{ws_url}/ws/", leaderboard, top
        self.rows: list[Row] = []
        self.epoch, self.offset, self.total = "", 0, 0
        self.snapshots = self.deltas = self.connections = 0
        self.heard = asyncio.Event()
        self._socket: ClientConnection | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns once the first snapshot is there."""
        self._task = asyncio.create_task(self._run())
        await asyncio.wait_for(self.heard.wait(), 20)

    async def cut(self) -> None:
        """Break the connection without a word, as a network does."""
        if self._socket is not None:
            self._socket.transport.abort()

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def until(self, rows: list[Row], *, timeout_s: float) -> bool:
        """Whether the spectator came to see these rows in time."""
        try:
            async with asyncio.timeout(timeout_s):
                while self.rows != rows:
                    self.heard.clear()
                    await self.heard.wait()
        except TimeoutError:
            return False
        return True

    async def _run(self) -> None:
        while True:
            try:
                async with connect(self._url, open_timeout=5, proxy=None) as self._socket:
                    self.connections += 1
                    await self._socket.send(json.dumps(self._subscription()))
                    async for text in self._socket:
                        self._take(as_told(json.loads(text)))
            except (OSError, WebSocketException, TimeoutError):
                pass
            if self._task is not None and self._task.done():
                return
            await asyncio.sleep(0.1)

    def _subscription(self) -> dict[str, Any]:
        command: dict[str, Any] = {"type": "subscribe", "leaderboard": self._leaderboard, "top": self._top}
        if self.epoch:
            command["since"] = {"epoch": self.epoch, "offset": self.offset}
        return command

    def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "snapshot":
            self.snapshots += 1
            self.rows = message["entries"]
        elif message["type"] == "delta":
            if (message["epoch"], message["offset"]) != (self.epoch, self.offset + 1):
                raise Gap(f"{message['epoch']}/{message['offset']} after {self.epoch}/{self.offset}")
            self.deltas += 1
            self.rows = patch(self.rows, Delta(message["changed"], message["left"]))
        else:
            return
        self.epoch, self.offset, self.total = message["epoch"], message["offset"], message["total"]
        self.heard.set()
