"""What a page shows against what REST says, and a network between the two that can be cut."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
from playwright.async_api import ConsoleMessage, Page, WebSocket

from tests.servers.stack import Stack

PATIENCE_MS = 30_000
Shown = list[list[Any]]  # rank, name, score

_ROWS = """[...document.querySelectorAll("[data-part=standings] [data-rows] tr")].map((row) => [
    Number(row.dataset.rank),
    row.querySelector(".name").textContent,
    Number(row.querySelector(".score").textContent.replace(/[^0-9-]/g, "")),
])"""
_SHOWS = f"(expected) => JSON.stringify({_ROWS}) === expected"


class Games:
    """A game's server: posts scores for one board, and reads it."""

    def __init__(self, stack: Stack, board: str) -> None:
        self.board = board
        self._http = httpx.AsyncClient(base_url=stack.url, headers={"Authorization": f"Api-Key {stack.api_key}"}, timeout=30)

    async def aclose(self) -> None:
        await self._http.aclose()

    async def post(self, player: str, score: int) -> None:
        body = {"player": player, "name": player.title(), "score": score, "game_mode": self.board, "leaderboards": [self.board]}
        answer = await self._http.post("/api/v1/scores/", json=body)
        assert answer.status_code == 201, answer.text

    async def top(self, limit: int) -> Shown:
        answer = await self._http.get(f"/api/v1/leaderboard/{self.board}/top/", params={"limit": limit})
        return [[row["rank"], row["name"], row["score"]] for row in answer.raise_for_status().json()["entries"]]

    async def metric(self, name: str) -> float:
        text = (await self._http.get("/metrics")).text
        return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.split("{")[0].split(" ")[0] == name)


async def shows(page: Page, expected: Shown, timeout_ms: float = PATIENCE_MS) -> None:
    """Wait until the page's rows are these. Raises AssertionError with what it shows instead."""
    try:
        await page.wait_for_function(_SHOWS, arg=json.dumps(expected, ensure_ascii=False, separators=(",", ":")), timeout=timeout_ms)
    except Exception as error:
        raise AssertionError(f"the page shows {await page.evaluate(_ROWS)}, not {expected}") from error


class Ears:
    """What a page's console says, and which frames its sockets bring."""

    def __init__(self, page: Page) -> None:
        self.said: list[str] = []
        self.frames: list[str] = []  # their types, of all sockets, in order
        page.on("console", self._hear)
        page.on("websocket", self._follow)

    @property
    def violations(self) -> list[str]:
        return [said for said in self.said if "Content Security Policy" in said]

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.said.append(message.text)

    def _follow(self, socket: WebSocket) -> None:
        socket.on("framereceived", lambda text: self.frames.append(json.loads(text)["type"]))


class Wire:
    """A network between browsers and the service. It can be cut, and it can let no WebSocket through."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._port = 0
        self.is_blocking_sockets = False
        self.refused = 0  # WebSockets

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def lay(self) -> None:
        """Or lay it again, on the same port."""
        self._server = await asyncio.start_server(self._meet, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Every connection breaks, and no other comes about."""
        assert self._server is not None
        self._server.close()
        for task in [*self._tasks]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with suppress(OSError, asyncio.CancelledError):
                await self._carry(reader, writer)
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.read(65_536)  # a browser opens a connection of its own for a WebSocket
        if self.is_blocking_sockets and first.startswith(b"GET /ws/"):
            self.refused += 1
            return
        other_reader, other_writer = await asyncio.open_connection("127.0.0.1", self._target)
        try:
            other_writer.write(first)
            ways = [asyncio.ensure_future(_pour(reader, other_writer)), asyncio.ensure_future(_pour(other_reader, writer))]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        finally:
            other_writer.transport.abort()


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()


@asynccontextmanager
async def wire_to(stack: Stack) -> AsyncIterator[Wire]:
    wire = Wire(stack.port)
    await wire.lay()
    try:
        yield wire
    finally:
        await wire.cut()


async def until(is_so: Callable[[], Coroutine[Any, Any, bool]], what: str) -> None:
    """Asked again and again; bounded."""
    try:
        async with asyncio.timeout(PATIENCE_MS / 1000):
            while not await is_so():
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"it did not come to: {what}") from None
