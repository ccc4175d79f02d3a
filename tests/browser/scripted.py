"""A server whose HTTP answers are the real page, and whose sockets and REST answers are played by the test.

The faults that the page must stand (a lost delta, a refusal, silence) are the ones that the real server does not make.
"""

import asyncio
import json
import mimetypes
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from django.contrib.staticfiles import finders
from django.template.loader import render_to_string
from django.test import RequestFactory
from playwright.async_api import Locator, Page, expect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from leaderboard.domain.snapshot import Row, diff
from realtime.views import PAGE_HEADERS

PATIENCE_S = 20
API = "/api/v1/leaderboard/cup/"
Rest = Callable[[dict[str, str]], Any]  # by the query
CONTEXT = {
    "leaderboard": {
        "slug": "cup",
        "title": "Friday Cup",
        "game": "Galaxy",
        "has_seasons": True,
        "operator": "best",
        "first_score": '{"player": "ada", "score": 1200}',
        "tie_rule": "Earlier wins",
    },
    "boards": [{"slug": "cup", "title": "Friday Cup"}, {"slug": "daily", "title": "Daily"}],
    "top": 10,
}


class Peer:
    """The server's end of one socket that the page opened."""

    def __init__(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.path = connection.request.path
        self._connection = connection

    async def send(self, **message: Any) -> None:
        await self._connection.send(json.dumps(message))

    async def command(self, kind: str) -> dict[str, Any]:
        """The next command of that kind; pings on the way are answered."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                command: dict[str, Any] = json.loads(await self._connection.recv())
                if command["type"] == kind:
                    return command
                if command["type"] == "ping":
                    await self.send(type="pong")

    async def close(self, code: int) -> None:
        await self._connection.close(code)


class Script:
    """A server whose HTTP answers are the real page and whose sockets are played by the test."""

    def __init__(self) -> None:
        self._peers: asyncio.Queue[Peer] = asyncio.Queue()
        self.url = ""
        self.rest: dict[str, Rest] = {}  # what is answered below /api/v1/leaderboard/cup/; the rest is 503
        self.read: list[str] = []  # what was asked for there
        self._heard = asyncio.Event()

    def listen(self, server: Server) -> None:
        self.url = f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/"

    async def peer(self) -> Peer:
        """The next socket that the page opens."""
        return await asyncio.wait_for(self._peers.get(), PATIENCE_S)

    async def meet(self, connection: ServerConnection) -> None:
        await self._peers.put(Peer(connection))
        await connection.wait_closed()

    def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        path = request.path.partition("?")[0]
        if path.startswith("/ws/"):
            return None
        if path.startswith(API):
            return self._told(path.removeprefix(API), request.path.partition("?")[2])
        if path.startswith("/static/"):
            found = finders.find(path.removeprefix("/static/"))
            if found is None:
                return _response(b"", "text/plain", {}, HTTPStatus.NOT_FOUND)
            file = Path(found)
            return _response(file.read_bytes(), mimetypes.guess_type(file.name)[0] or "text/plain", {})
        page = render_to_string("realtime/board.html", CONTEXT, RequestFactory().get("/"))
        return _response(page.encode(), "text/html; charset=utf-8", PAGE_HEADERS)

    def times_asked(self, what: str) -> int:
        return sum(asked.partition("?")[0] == what for asked in self.read)

    async def was_asked(self, what: str, times: int) -> None:
        """Returns once it was asked for so often."""
        while self.times_asked(what) < times:
            self._heard.clear()
            await self._heard.wait()

    def _told(self, what: str, query: str) -> Response:
        self.read.append(f"{what}?{query}")
        self._heard.set()
        told = self.rest.get(what)
        if told is None:
            return _response(b"{}", "application/problem+json", {}, HTTPStatus.SERVICE_UNAVAILABLE)
        return _response(json.dumps(told(dict(parse_qsl(query)))).encode(), "application/json", {})


def _response(body: bytes, content_type: str, headers: dict[str, str], status: HTTPStatus = HTTPStatus.OK) -> Response:
    given = {**headers, "Content-Type": content_type, "Content-Length": str(len(body)), "Connection": "close"}
    return Response(status, status.phrase, Headers(given), body)


@pytest.fixture
async def script() -> AsyncIterator[Script]:
    played = Script()
    async with serve(played.meet, "127.0.0.1", 0, process_request=played.answer) as server:
        played.listen(server)
        yield played


def row(player: str, score: int, **more: Any) -> Row:
    return {"player": player, "name": player.title(), "score": score, "subscore": 0, "submissions": 1, "achieved_at": "", **more}


def ranked(rows: list[Row]) -> list[Row]:
    return [{**row, "rank": rank} for rank, row in enumerate(rows, 1)]


def snapshot(rows: list[Row], offset: int = 1, **more: Any) -> dict[str, Any]:
    frame = {"type": "snapshot", "leaderboard": "cup", "season": "all-time", "top": 10, "epoch": "e", "offset": offset, "total": len(rows)}
    return {**frame, "entries": ranked(rows), **more}


def delta(old: list[Row], new: list[Row], offset: int, **more: Any) -> dict[str, Any]:
    step = diff(ranked(old), ranked(new))
    frame = {"type": "delta", "leaderboard": "cup", "season": "all-time", "top": 10, "epoch": "e", "offset": offset, "total": len(new)}
    return {**frame, "changed": step.changed, "left": step.left, **more}


ADA, BO, CY = row("ada", 300), row("bo", 200), row("cy", 100)
THREE = [ADA, BO, CY]


def names(page: Page) -> Locator:
    return page.locator("[data-part=standings] [data-rows] .name")


def scores(page: Page) -> Locator:
    return page.locator("[data-part=standings] [data-rows] .score")


def part(page: Page, name: str) -> Locator:
    return page.locator(f"[data-part={name}]")


async def state_is(page: Page, state: str) -> None:
    await expect(page.locator("html")).to_have_attribute("data-state", state)


async def opened(page: Page, script: Script, rows: list[Row], query: str = "", **more: Any) -> Peer:
    """The page, live with these rows."""
    await page.goto(script.url + query)
    peer = await script.peer()
    await peer.send(**snapshot(rows, **more))
    await state_is(page, "live")
    return peer
