"""WebSocket watchers that count what they are sent; one of them may keep it, to be read after the run."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

from bench.frames import FrameReader, Opcode, pong, upgrade

TOGETHER = 32  # sockets that are opened at once: fewer than a listen queue holds
PATIENCE_S = 20.0
_HEAD_END = b"\r\n\r\n"
_DELTA = b'{"type":"delta"'
_SNAPSHOT = b'{"type":"snapshot"'


class Seen(NamedTuple):
    """A message and when it came (time.monotonic)."""

    at: float
    text: bytes


@dataclass(frozen=True, slots=True)
class Watching:
    port: int
    board: str
    sockets: int
    top: int = 10
    keep: bool = False


@dataclass(frozen=True, slots=True)
class Watched:
    """Deltas delivered to all sockets in the measured span, and their bytes; `again` counts snapshots, which a socket that keeps up
    gets none of. `kept` is everything that the first socket was sent since it was opened."""

    deltas: int
    bytes: int
    again: int
    lost: int
    seconds: float
    kept: Sequence[Seen]


class Watcher(asyncio.Protocol):
    """One socket. `on_message` is told each text; `ready` is done with the first."""

    def __init__(self, path: str, on_message: Callable[[bytes], None], on_lost: Callable[[], None]) -> None:
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._path, self._on_message, self._on_lost = path, on_message, on_lost
        self._frames = FrameReader()
        self._head: bytes | None = b""  # of the handshake's answer; None once that is read
        self._transport: asyncio.WriteTransport | None = None

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)
        self._transport.write(upgrade(self._path))

    def data_received(self, data: bytes) -> None:
        if self._head is not None:
            data = self._shake_hands(self._head + data)
        for opcode, payload in self._frames.feed(data):
            if opcode == Opcode.TEXT:
                self._take(payload)
            elif opcode == Opcode.PING and self._transport is not None:
                self._transport.write(pong(payload))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ready.done():
            self.ready.set_exception(ConnectionError("a socket was closed before its first message"))
        self._on_lost()

    def _shake_hands(self, data: bytes) -> bytes:
        """What comes after the handshake's answer, nothing until that is whole."""
        head, end, rest = data.partition(_HEAD_END)
        if not end:
            self._head = data
            return b""
        if not head.startswith(b"HTTP/1.1 101"):
            self.ready.set_exception(ConnectionError(f"no WebSocket: {head[:100].decode(errors='replace')}"))
        self._head = None
        return rest

    def _take(self, text: bytes) -> None:
        if not self.ready.done():
            self.ready.set_result(None)
        self._on_message(text)


class Watch:
    """All watchers of one helper."""

    def __init__(self, watching: Watching) -> None:
        self._watching = watching
        self._deltas = self._bytes = self._again = self._lost = 0
        self._kept: list[Seen] = []
        self._watchers: list[Watcher] = []
        self._began = 0.0

    async def start(self) -> None:
        count = self._watching.sockets
        for first in range(0, count, TOGETHER):
            await asyncio.gather(*(self._open(number) for number in range(first, min(count, first + TOGETHER))))

    def begin(self) -> None:
        self._deltas = self._bytes = self._again = 0
        self._began = time.monotonic()

    def report(self) -> Watched:
        return Watched(self._deltas, self._bytes, self._again, self._lost, time.monotonic() - self._began, self._kept)

    async def stop(self) -> None:
        """For a process that goes on afterwards."""
        for watcher in self._watchers:
            watcher.close()
        await asyncio.sleep(0)  # that is when transports close

    async def _open(self, number: int) -> None:
        path = f"/ws/leaderboard/{self._watching.board}/?top={self._watching.top}"
        told = self._keep if self._watching.keep and number == 0 else self._count
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(PATIENCE_S):
            _, watcher = await loop.create_connection(lambda: Watcher(path, told, self._lose), "127.0.0.1", self._watching.port)
            self._watchers.append(watcher)
            await watcher.ready

    def _count(self, text: bytes) -> None:
        if text.startswith(_DELTA):
            self._deltas += 1
            self._bytes += len(text)
        elif text.startswith(_SNAPSHOT):
            self._again += 1

    def _keep(self, text: bytes) -> None:
        self._kept.append(Seen(time.monotonic(), text))
        self._count(text)

    def _lose(self) -> None:
        self._lost += 1
