"""The server's protocol: what it keeps of HTTP/1.1 on its shorter way, and what it leaves to ASGI. Over real connections."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import uvicorn
from django.conf import settings
from django.core.signals import request_finished, request_started
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path

from gaming_leaderboard import server
from gaming_leaderboard.handler import ApiHandler
from gaming_leaderboard.server import HttpProtocol
from tests.conftest import lane_of
from tests.servers.web import serving

pytestmark = pytest.mark.slow  # seconds of sockets

BIG = b"x" * 500_000

gates: dict[str, asyncio.Event] = {}


async def echo(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.body, content_type="text/plain")


async def gated(request: HttpRequest) -> HttpResponse:
    await gates.setdefault("gate", asyncio.Event()).wait()
    return HttpResponse("gated", content_type="text/plain")


async def big(request: HttpRequest) -> HttpResponse:
    return HttpResponse(BIG, content_type="text/plain")


async def split(request: HttpRequest) -> HttpResponse:
    response = HttpResponse("never seen")
    response.headers._store["x-evil"] = ("X-Evil", "a\r\nSet-Cookie: b")  # past Django's own check
    return response


async def stream(request: HttpRequest) -> StreamingHttpResponse:
    async def pieces() -> AsyncIterator[bytes]:
        try:
            for number in range(int(request.GET["pieces"])):
                yield b"%d;" % number
            if "then" in request.GET:
                await gates.setdefault(request.GET["then"], asyncio.Event()).wait()
            if "break" in request.GET:
                raise RuntimeError("planted")
        finally:
            gates.setdefault("ended", asyncio.Event()).set()

    return StreamingHttpResponse(pieces(), content_type="text/plain")


urlpatterns = [
    path("api/stream/", stream),
    path("api/echo/", echo),
    path("api/gated/", gated),
    path("api/big/", big),
    path("api/split/", split),
]


class Wire:
    """A client that says exactly what it is told to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, method: str, target: str, *lines: str, body: bytes = b"", version: str = "1.1") -> None:
        length = (f"Content-Length: {len(body)}",) if body else ()
        head = "\r\n".join((f"{method} {target} HTTP/{version}", "Host: localhost", *length, *lines, "", ""))
        self.writer.write(head.encode() + body)

    async def answer(self, *, has_body: bool = True) -> tuple[int, str, bytes]:
        """Status, head and body."""
        async with asyncio.timeout(10):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
            length = re.search(r"content-length: (\d+)", head)
            body = await self.reader.readexactly(int(length[1])) if length and has_body else b""
        return int(head[9:12]), head, body

    async def ask(self, method: str, target: str, *lines: str, body: bytes = b"") -> tuple[int, str, bytes]:
        self.send(method, target, *lines, body=body)
        return await self.answer(has_body=method != "HEAD")

    async def is_closed(self) -> bool:
        async with asyncio.timeout(10):
            try:
                return await self.reader.read(1) == b""
            except ConnectionResetError:  # what was sent and never read makes a close a reset
                return True


class Site:
    def __init__(self, server: uvicorn.Server, port: int, scopes: list[str]) -> None:
        self.server, self.port = server, port
        self.through_asgi = scopes  # the paths that came that way
        self._wires: list[Wire] = []

    async def connect(self) -> Wire:
        self._wires.append(Wire(*await asyncio.open_connection("127.0.0.1", self.port)))
        return self._wires[-1]

    async def hang_up(self) -> None:
        for wire in self._wires:
            wire.writer.transport.abort()
        await asyncio.sleep(0.01)

    @property
    def protocols(self) -> list[HttpProtocol]:
        return [protocol for protocol in self.server.server_state.connections if isinstance(protocol, HttpProtocol)]


@asynccontextmanager
async def open_site(**options: Any) -> AsyncIterator[Site]:
    handler, scopes = ApiHandler(), []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope["path"])
        await handler(scope, receive, send)

    gates.clear()
    async with serving(lane_of(handler, application), lifespan="on", **options) as (server, port):
        site = Site(server, port, scopes)
        try:
            yield site
        finally:
            await site.hang_up()


@pytest.fixture
async def site(settings: Any) -> AsyncIterator[Site]:
    settings.ROOT_URLCONF = __name__
    async with open_site() as site:
        yield site


@pytest.fixture
async def wire(site: Site) -> Wire:
    return await site.connect()


async def test_a_connection_serves_one_request_after_the_other(site: Site, wire: Wire) -> None:
    for body in (b"one", b"two", b"three"):
        assert (await wire.ask("POST", "/api/echo/", body=body))[2] == body
    assert site.through_asgi == []
    assert site.server.server_state.total_requests == 3


async def test_requests_sent_ahead_are_answered_in_their_order(site: Site, wire: Wire) -> None:
    wire.send("GET", "/api/gated/")
    for body in (b"second", b"third"):
        wire.send("POST", "/api/echo/", body=body)
    await asyncio.sleep(0.05)
    gates["gate"].set()
    assert [(await wire.answer())[2] for _ in range(3)] == [b"gated", b"second", b"third"]
    assert site.through_asgi == ["/api/echo/", "/api/echo/"]


async def test_a_target_is_split_and_decoded_as_by_asgi(wire: Wire) -> None:
    target = "/api/n%C3%B6/%2e?limit=1&a=%20"
    straight, through = [await wire.ask("GET", target, "X-Request-ID: same", *lines) for lines in ((), ("Cookie: a=b",))]
    assert "/api/nö/." in straight[2].decode()
    assert straight[2] == through[2]


async def test_cookies_and_expectations_go_through_asgi(site: Site, wire: Wire) -> None:
    assert (await wire.ask("POST", "/api/echo/", "Cookie: a=b", body=b"x"))[2] == b"x"
    wire.send("POST", "/api/echo/", "Expect: 100-continue", "Content-Length: 2")
    assert (await wire.answer(has_body=False))[0] == 100
    wire.writer.write(b"ok")
    assert (await wire.answer())[2] == b"ok"
    assert site.through_asgi == ["/api/echo/", "/api/echo/"]


async def test_a_body_in_chunks_is_put_together(wire: Wire) -> None:
    wire.send("POST", "/api/echo/", "Transfer-Encoding: chunked")
    for chunk in (b"3\r\nabc\r\n", b"2\r\nde\r\n", b"0\r\n\r\n"):
        wire.writer.write(chunk)
        await asyncio.sleep(0.01)
    assert (await wire.answer())[2] == b"abcde"


async def test_the_rest_of_a_body_that_is_too_large_is_thrown_away(wire: Wire) -> None:
    status, _, body = await wire.ask("POST", "/api/echo/", body=b"x" * (settings.BODY_LIMIT + 200_000))
    assert (status, b"body_too_large" in body) == (413, True)
    assert (await wire.ask("POST", "/api/echo/", body=b"next"))[2] == b"next"


async def test_a_head_request_has_the_length_and_no_body(wire: Wire) -> None:
    status, head, _ = await wire.ask("HEAD", "/api/gated/nothing/")
    assert status == 404
    assert int(re.search(r"content-length: (\d+)", head)[1]) > 0  # type: ignore[index]
    assert (await wire.ask("POST", "/api/echo/", body=b"next"))[2] == b"next"


async def test_who_asks_for_an_end_gets_it(site: Site, wire: Wire) -> None:
    _, head, _ = await wire.ask("POST", "/api/echo/", "Connection: close", body=b"x")
    assert "connection: close" in head
    assert await wire.is_closed()
    old = await site.connect()
    old.send("POST", "/api/echo/", body=b"old", version="1.0")
    assert (await old.answer())[2] == b"old"
    assert await old.is_closed()


async def test_what_is_no_http_is_refused(wire: Wire) -> None:
    wire.writer.write(b"NONSENSE\r\n\r\n")
    assert (await wire.answer())[0] == 400
    assert await wire.is_closed()


async def test_no_answer_carries_a_line_break_in_a_header(wire: Wire, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.CRITICAL, logger="gaming_leaderboard.server"):
        status, head, _ = await wire.ask("GET", "/api/split/")
    assert (status, "evil" in head.lower(), "set-cookie" in head.lower()) == (500, False, False)


async def test_an_idle_connection_is_closed_and_a_busy_one_is_not(settings: Any) -> None:
    settings.ROOT_URLCONF = __name__
    async with open_site(timeout_keep_alive=0.1) as site:
        busy, idle = await site.connect(), await site.connect()
        for wire in (busy, idle):
            await wire.ask("POST", "/api/echo/", body=b"x")
        busy.send("GET", "/api/gated/")
        assert await idle.is_closed()
        gates.setdefault("gate", asyncio.Event()).set()
        assert (await busy.answer())[2] == b"gated"
        assert await busy.is_closed()


async def test_a_request_that_comes_in_slowly_is_not_taken_for_idleness(settings: Any) -> None:
    settings.ROOT_URLCONF = __name__
    async with open_site(timeout_keep_alive=0.1) as site:
        slow, idle = await site.connect(), await site.connect()
        for wire in (slow, idle):
            await wire.ask("POST", "/api/echo/", body=b"x")
        slow.writer.write(b"POST /api/echo/ HTTP/1.1\r\nHost: localhost\r\n")
        assert await idle.is_closed()
        slow.writer.write(b"Content-Length: 2\r\n\r\nok")
        assert (await slow.answer())[2] == b"ok"


async def test_who_says_nothing_or_never_ends_is_let_go(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.ROOT_URLCONF = __name__
    monkeypatch.setattr(server, "READ_S", 0.3)
    async with open_site(timeout_keep_alive=0.1) as site:
        silent, head, body = [await site.connect() for _ in range(3)]
        head.writer.write(b"POST /api/echo/ HTTP/1.1\r\nHost: localhost\r\n")
        body.send("POST", "/api/echo/", "Content-Length: 3")
        body.writer.write(b"a")
        assert [await wire.is_closed() for wire in (silent, head, body)] == [True, True, True]


async def test_a_stopping_server_finishes_what_is_under_way(settings: Any) -> None:
    settings.ROOT_URLCONF = __name__
    async with open_site() as site:
        busy, idle = await site.connect(), await site.connect()
        await idle.ask("POST", "/api/echo/", body=b"x")
        busy.send("GET", "/api/gated/")
        while "gate" not in gates:
            await asyncio.sleep(0.01)
        site.server.should_exit = True
        assert await idle.is_closed()
        gates["gate"].set()
        _, head, body = await busy.answer()
        assert (body, "connection: close" in head) == (b"gated", True)
        assert await busy.is_closed()


async def test_a_client_that_hangs_up_is_nobodys_error(site: Site, wire: Wire, caplog: pytest.LogCaptureFixture) -> None:
    wire.send("GET", "/api/gated/")
    while "gate" not in gates:
        await asyncio.sleep(0.01)
    wire.writer.transport.abort()
    while site.protocols:
        await asyncio.sleep(0.01)
    gates["gate"].set()
    await asyncio.sleep(0.05)
    assert caplog.records == []


async def test_a_client_that_does_not_read_is_answered_no_further(site: Site, wire: Wire) -> None:
    for _ in range(100):
        wire.send("GET", "/api/big/")
    while not site.protocols or not site.protocols[0].flow.write_paused:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    assert site.protocols[0].transport.get_write_buffer_size() < 3 * len(BIG)
    assert [(await wire.answer())[2] == BIG for _ in range(100)] == [True] * 100


LANES = pytest.mark.parametrize("lane", [(), ("Cookie: a=b",)], ids=["straight", "asgi"])


@LANES
async def test_a_stream_comes_in_pieces_and_leaves_the_connection_open(wire: Wire, lane: tuple[str, ...]) -> None:
    wire.send("GET", "/api/stream/?pieces=3", *lane)
    _, head, _ = await wire.answer()
    assert "transfer-encoding: chunked" in head
    async with asyncio.timeout(10):
        assert await wire.reader.readuntil(b"0\r\n\r\n") == b"2\r\n0;\r\n2\r\n1;\r\n2\r\n2;\r\n0\r\n\r\n"
    assert (await wire.ask("POST", "/api/echo/", body=b"next"))[2] == b"next"


@LANES
async def test_a_stream_ends_when_its_client_hangs_up(wire: Wire, lane: tuple[str, ...]) -> None:
    wire.send("GET", "/api/stream/?pieces=1&then=never", *lane)
    await wire.answer()
    async with asyncio.timeout(10):
        await wire.reader.readuntil(b"0;\r\n")
        wire.writer.transport.abort()
        await gates.setdefault("ended", asyncio.Event()).wait()


@LANES
async def test_a_stream_that_breaks_is_seen_to_be_broken(wire: Wire, lane: tuple[str, ...], caplog: pytest.LogCaptureFixture) -> None:
    wire.send("GET", "/api/stream/?pieces=1&break", *lane)
    await wire.answer()
    async with asyncio.timeout(10):
        assert not (await wire.reader.read()).endswith(b"0\r\n\r\n")
    assert "planted" in caplog.text


async def test_a_stream_goes_no_faster_than_its_client_reads(site: Site, wire: Wire) -> None:
    wire.send("GET", "/api/stream/?pieces=1000000")
    await wire.answer()
    while not site.protocols[0].flow.write_paused:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    assert site.protocols[0].transport.get_write_buffer_size() < 1_000_000


async def test_djangos_request_signals_come_in_pairs(site: Site, wire: Wire) -> None:
    seen: list[str] = []

    def started(**_: Any) -> None:
        seen.append("started")

    def finished(**_: Any) -> None:
        seen.append("finished")

    request_started.connect(started)
    request_finished.connect(finished)
    try:
        for target in ("/api/echo/", "/api/nothing/", "/api/stream/?pieces=1"):
            wire.send("GET", target, "Connection: close") if "stream" in target else await wire.ask("GET", target)
        async with asyncio.timeout(10):
            await wire.reader.read()
    finally:
        request_started.disconnect(started)
        request_finished.disconnect(finished)
    assert seen == ["started", "finished"] * 3


# --- The size and the time of a request ----------------------------------------------------------------------------------------


@LANES
@pytest.mark.parametrize(
    ("target", "lines", "status", "code"),
    [
        ("/api/echo/?" + "x" * 9_000, [], 414, "target_too_long"),
        ("/api/" + "%C3%BC" * 1_500 + "/", [], 414, "target_too_long"),
        ("/api/echo/", ["X-Long: " + "x" * 40_000], 431, "headers_too_large"),
        ("/api/echo/", [f"X-{number}: 1" for number in range(101)], 431, "headers_too_large"),
    ],
    ids=["query", "path", "one header", "many headers"],
)
async def test_a_head_that_is_too_large_is_refused(
    site: Site, wire: Wire, target: str, lines: list[str], status: int, code: str, lane: tuple[str, ...]
) -> None:
    wire.send("GET", target, *lines, *lane)
    told, head, body = await wire.answer()
    assert (told, code.encode() in body, "connection: close" in head) == (status, True, True)
    assert await wire.is_closed()


async def test_a_head_of_just_the_limits_is_taken(wire: Wire) -> None:
    status, _, body = await wire.ask("POST", "/api/echo/?" + "x" * 8_000, *[f"X-{number}: {'x' * 200}" for number in range(97)], body=b"ok")
    assert (status, body) == (200, b"ok")


@pytest.mark.parametrize(
    "start", [b"GET /api/echo/ HTTP/1.1\r\nHost: localhost\r\nX-Long: ", b"GET /api/", b"GET /boards/x/ HTTP/1.1\r\nX-Long: "]
)
async def test_a_head_without_an_end_is_cut_off_as_soon_as_it_is_too_large(site: Site, wire: Wire, start: bytes) -> None:
    wire.writer.write(start)
    assert await sent_until_cut_off(wire, b"x" * 10_000) < 20_000_000  # what the kernel's buffers hold, not what was read


async def sent_until_cut_off(wire: Wire, piece: bytes) -> int:
    sent = 0
    async with asyncio.timeout(20):
        while not wire.writer.is_closing() and not wire.reader.at_eof():
            wire.writer.write(piece)
            sent += len(piece)
            with suppress(ConnectionError):
                await wire.writer.drain()
            await asyncio.sleep(0)
    return sent


async def test_many_requests_in_one_piece_are_no_large_head(site: Site, wire: Wire) -> None:
    one = b"POST /api/echo/ HTTP/1.1\r\nHost: localhost\r\nX-Some: " + b"x" * 1_000 + b"\r\nContent-Length: 2\r\n\r\nok"
    wire.writer.write(one * 99 + one[:500])
    assert [(await wire.answer())[2] for _ in range(99)] == [b"ok"] * 99
    wire.writer.write(one[500:])
    assert (await wire.answer())[2] == b"ok"


async def test_trailers_without_an_end_are_cut_off(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "READ_LIMIT", 100_000)
    wire.send("POST", "/api/echo/", "Transfer-Encoding: chunked")
    wire.writer.write(b"2\r\nok\r\n0\r\n")
    assert await sent_until_cut_off(wire, b"X-More: " + b"x" * 10_000 + b"\r\n") < 20_000_000


@LANES
async def test_a_body_that_trickles_in_is_cut_off_by_its_deadline(
    site: Site, wire: Wire, monkeypatch: pytest.MonkeyPatch, lane: tuple[str, ...]
) -> None:
    monkeypatch.setattr(server, "READ_S", 0.3)
    wire.send("POST", "/api/echo/", "Content-Length: 100000", *lane)
    async with asyncio.timeout(10):
        while not wire.writer.is_closing() and not wire.reader.at_eof():
            wire.writer.write(b"x")
            await asyncio.sleep(0.02)
    assert await wire.is_closed()
