"""WebSocket watchers that count what they are sent, and whether every frame came; some keep it, to be read after the run."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bench.sockets import Socket

TOGETHER = 32  # sockets that are opened at once: fewer than a listen queue holds
PATIENCE_S = 20.0
IN_THE_AIR = 10  # frames by which one socket may be behind another at a moment: a second of them
_DELTA = b'{"type":"delta"'
_SNAPSHOT = b'{"type":"snapshot"'
_OFFSET = b'"offset":'


class Seen(NamedTuple):
    """A message and when it came (time.monotonic)."""

    at: float
    text: bytes


@dataclass(frozen=True, slots=True)
class Watching:
    """Sockets take the ports in turn; the first `keep` of them keep what they are sent."""

    ports: Sequence[int]
    board: str
    sockets: int
    top: int = 10
    keep: int = 0


@dataclass(frozen=True, slots=True)
class Watched:
    """Deltas delivered to all sockets in the measured span, and their bytes. `missed` are frames that a socket did not get: a gap in
    its offsets, or a snapshot in place of them; `lost` are sockets. `kept` is everything that some were sent since they were opened."""

    deltas: int
    bytes: int
    missed: int
    lost: int
    seconds: float
    kept: Sequence[Sequence[Seen]]


class Watcher:
    """One socket: what it was sent, and up to which offset."""

    def __init__(self, path: str, on_lost: Callable[[], None], *, keep: bool) -> None:
        self.socket = Socket(path, self._keep if keep else self._take, on_lost)
        self.began = asyncio.Event()  # with the first message
        self.offset = 0
        self.kept: list[Seen] = []
        self.forget()

    def forget(self) -> None:
        self.deltas = self.bytes = self.missed = 0

    def _take(self, text: bytes) -> None:
        if text.startswith(_DELTA):
            self.deltas += 1
            self.bytes += len(text)
            self._move(text)
        elif text.startswith(_SNAPSHOT):
            self._move(text)

    def _move(self, text: bytes) -> None:
        begin = text.find(_OFFSET) + len(_OFFSET)
        offset = int(text[begin : text.find(b",", begin)])
        if offset != self.offset + 1 and self.began.is_set():
            self.missed += max(1, offset - self.offset - 1)
        self.offset = offset
        self.began.set()

    def _keep(self, text: bytes) -> None:
        self.kept.append(Seen(time.monotonic(), text))
        self._take(text)


class Watch:
    """All watchers of one helper."""

    def __init__(self, watching: Watching) -> None:
        self._watching = watching
        self._watchers: list[Watcher] = []
        self._lost = 0
        self._began_at = 0.0

    async def start(self) -> None:
        count = self._watching.sockets
        for first in range(0, count, TOGETHER):
            await asyncio.gather(*(self._open(number) for number in range(first, min(count, first + TOGETHER))))

    def begin(self) -> None:
        for watcher in self._watchers:
            watcher.forget()
        self._began_at = time.monotonic()

    def report(self) -> Watched:
        watchers = self._watchers
        newest = max((watcher.offset for watcher in watchers), default=0)
        behind = sum(max(0, newest - watcher.offset - IN_THE_AIR) for watcher in watchers)
        return Watched(
            deltas=sum(watcher.deltas for watcher in watchers),
            bytes=sum(watcher.bytes for watcher in watchers),
            missed=sum(watcher.missed for watcher in watchers) + behind,
            lost=self._lost,
            seconds=time.monotonic() - self._began_at,
            kept=[watcher.kept for watcher in watchers if watcher.kept],
        )

    async def stop(self) -> None:
        """For a process that goes on afterwards."""
        for watcher in self._watchers:
            watcher.socket.close()
        await asyncio.sleep(0)  # that is when transports close

    async def _open(self, number: int) -> None:
        watching = self._watching
        path = f"/ws/leaderboard/{watching.board}/?top={watching.top}"
        watcher = Watcher(path, self._lose, keep=number < watching.keep)
        port = watching.ports[number % len(watching.ports)]
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.get_running_loop().create_connection(lambda: watcher.socket, "127.0.0.1", port)
            self._watchers.append(watcher)
            await watcher.socket.opened
            await watcher.began.wait()

    def _lose(self) -> None:
        self._lost += 1


def together(reports: Sequence[Watched]) -> Watched:
    """What the helpers of one case saw, as if they were one."""
    return Watched(
        deltas=sum(told.deltas for told in reports),
        bytes=sum(told.bytes for told in reports),
        missed=sum(told.missed for told in reports),
        lost=sum(told.lost for told in reports),
        seconds=max(told.seconds for told in reports),
        kept=[kept for told in reports for kept in told.kept],
    )
