"""uvicorn's HTTP protocol with a shorter way for API requests: from the parser to `ApiHandler.begin` and back to the transport.

An ASGI call costs a scope, a task, two events and four awaits a request: about 30 us of CPU where the whole of this is 8. What the
shorter way does not do (WebSocket upgrades, cookies, requests sent ahead of their turn, a client that does not read its
answers, `Expect: 100-continue`, limits on concurrency) goes on through uvicorn's own code and ASGI, to the same handler.

    python -m uvicorn asgi:application --http gaming_leaderboard.server:HttpProtocol

The application puts its handler into the lifespan's state as `api`; without it every request goes through ASGI.
"""

import asyncio
import logging
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import lru_cache, partial
from typing import Any
from urllib.parse import unquote

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from gaming_leaderboard.handler import (
    HAND_OVER,
    HEAD_LIMIT,
    HEADERS_LIMIT,
    PREFIXES,
    READ_S,
    TARGET_LIMIT,
    WITHOUT_BODY,
    ApiHandler,
    body_limit,
    head_fault,
    too_large,
)
from leaderboard.api import problems, proxies
from leaderboard.api.request import Answer, ApiRequest, Header, Scope, Talk, headers_of, in_a_task
from leaderboard.domain.errors import HeadersTooLarge, InternalError, Refusal

log = logging.getLogger(__name__)

READ_LIMIT = 16 * 1024 * 1024  # bytes of one request, of which most are thrown away: past it the connection is closed

_PREFIXES = tuple(prefix.encode() for prefix in PREFIXES)
_TALKING = b"/sse/"
_LEAVE_TO_ASGI = frozenset((b"cookie", b"expect", b"upgrade"))
_NOT_IN_A_HEADER = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class HttpProtocol(HttpToolsProtocol):
    """One connection. `cycle` is the request under way, an `Exchange` or uvicorn's own."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.api: ApiHandler | None = self.app_state.get("api")
        self._is_plain = self.limit_concurrency is None and not self.root_path

    _exchange: "Exchange | None" = None
    _is_reading = False  # a request has begun to come in and is not whole
    _in_head = False  # and neither are its headers
    _piece = _come = 0  # bytes of the present piece; and of what came after the piece in which the request began
    _since = 0.0  # when the last answer was given, or the request that is coming in began

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._since = self.loop.time()
        self._set_timer(self.timeout_keep_alive)

    def data_received(self, data: bytes) -> None:
        """The parser puts no bound on a head, or on what a body in chunks comes with."""
        self._piece = len(data)
        self._come += len(data)
        super().data_received(data)
        if self._is_reading and self._come > (HEAD_LIMIT if self._in_head else READ_LIMIT):
            self._cut_off()

    def _cut_off(self) -> None:
        if self.api is not None and self._in_head and self._is_free():
            self._refuse(HeadersTooLarge(f"A request has at most {HEAD_LIMIT} bytes of headers."), self.api)
        self.transport.close()

    def _refuse(self, fault: Refusal, api: ApiHandler) -> None:
        """Answer a request that is not read any further; the connection ends with it."""
        self.url = self.url[:100]
        self.cycle = self._exchange = Exchange(self, api, {})  # type: ignore[assignment]
        self._exchange.refuse(fault)

    def _is_free(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def on_message_begin(self) -> None:
        self._in_head = True
        self._come = 0
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._exchange = None
        self._is_reading = True
        self._since = self.loop.time()

    def on_headers_complete(self) -> None:
        self._in_head = False
        if self._come + self._piece > HEAD_LIMIT or len(self.headers) > HEADERS_LIMIT or len(self.url) > TARGET_LIMIT:
            fault = head_fault(self.url, b"", self.headers)
            if fault is not None and self.api is not None and self._is_free():
                self._refuse(fault, self.api)
                return
        headers = headers_of(self.headers)
        if self.api is not None and self._may_go_straight(headers):
            self.cycle = self._exchange = Exchange(self, self.api, headers)  # type: ignore[assignment]  # what uvicorn asks of a cycle, it has
            return
        url, lines, expect = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.headers, self.expect_100_continue = url, lines, expect
        self.scope["headers"] = lines
        super().on_headers_complete()
        if url.startswith(_TALKING):
            self.scope["extensions"] = {HAND_OVER: partial(self.hand_over, self.cycle)}  # type: ignore[dict-item]

    def on_body(self, body: bytes) -> None:
        if self._exchange is None:
            super().on_body(body)
        else:
            self._exchange.take(body)

    def on_message_complete(self) -> None:
        self._is_reading = False
        if self._exchange is None:
            super().on_message_complete()
        else:
            self._exchange.begin()

    def _may_go_straight(self, headers: dict[bytes, bytes]) -> bool:
        return (
            self._is_plain
            and self._is_free()
            and self.url.startswith(_PREFIXES)
            and _LEAVE_TO_ASGI.isdisjoint(headers)
            and not self.flow.write_paused
            and self.parser.get_http_version() == "1.1"
        )

    def scope_of(self, request: ApiRequest) -> Scope:
        """For those who want Django's request."""
        return proxies.seen_through(
            {
                "type": "http",
                "http_version": "1.1",
                "method": request.method,
                "scheme": self.scheme,
                "path": request.path,
                "query_string": request.query,
                "root_path": "",
                "headers": list(request.headers.items()),
                "client": self.client,
                "server": self.server,
            }
        )

    def hand_over(self, cycle: Any, talk: Talk) -> None:
        """Leave the rest of the answer under way to `talk`, and the connection with it: a request that came after it is never reached."""
        if cycle.disconnected or self.transport.is_closing():
            talk.abandon()
            return
        cycle.disconnected = True  # uvicorn's has nothing more to say
        self._stop_timer()
        self.flow.resume_reading()  # else nobody hears when the client leaves
        self.connections.discard(self)
        talk.take_over(self.transport, self.connections, paused=self.flow.write_paused)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop_timer()

    # --- One timer a connection, moved on when it rings, not with every request ------------------------------------------

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
            return
        self._since = self.loop.time()
        self._set_timer(self.timeout_keep_alive)

    def timeout_keep_alive_handler(self) -> None:
        self.timeout_keep_alive_task = None
        if not self._is_reading and self.cycle is not None and not self.cycle.response_complete:
            return  # the end of this request sets the timer again
        left = self._since + (READ_S if self._is_reading else self.timeout_keep_alive) - self.loop.time()
        if left > 0:
            self._set_timer(left)
        else:
            super().timeout_keep_alive_handler()

    def _set_timer(self, in_s: float) -> None:
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(in_s, self.timeout_keep_alive_handler)

    def handle_websocket_upgrade(self) -> None:
        self._stop_timer()
        super().handle_websocket_upgrade()

    def _unset_keepalive_if_required(self) -> None:
        """Called by uvicorn with all data that comes: the timer looks for itself."""

    def _stop_timer(self) -> None:
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None


class Exchange:
    """One request on its shorter way. uvicorn reads and sets `keep_alive`, `disconnected`, `response_complete` and `message_event`."""

    __slots__ = (
        "_api",
        "_limit",
        "_parts",
        "_protocol",
        "_request",
        "_size",
        "_streaming",
        "disconnected",
        "keep_alive",
        "response_complete",
    )

    def __init__(self, protocol: HttpProtocol, api: ApiHandler, headers: dict[bytes, bytes]) -> None:
        self._protocol, self._api = protocol, api
        self.keep_alive: bool = protocol.parser.should_keep_alive()
        self.disconnected = self.response_complete = False
        path, query, self._limit = _target(protocol.url)
        self._request = ApiRequest(
            method=protocol.parser.get_method().decode(),
            path=path,
            query=query,
            headers=headers,
            body=b"",
            scope=protocol.scope_of,
            peer=protocol.client[0] if protocol.client else "",
        )
        self._parts: list[bytes] = []
        self._size = 0
        self._streaming: asyncio.Task[None] | None = None

    @property
    def message_event(self) -> "Exchange":
        return self

    def set(self) -> None:
        """The message that uvicorn has for a cycle under way: its client is gone."""
        if self._streaming is not None:
            self._streaming.cancel()

    def take(self, part: bytes) -> None:
        """A piece of the body. The rest of one that is too large is read and thrown away."""
        self._size += len(part)
        if self._size <= self._limit:
            self._parts.append(part)
        elif self._parts is not _REFUSED:
            self._parts = _REFUSED
            self._api.begin(self._request, self._answer, refused=too_large(self._limit))

    def refuse(self, fault: Refusal) -> None:
        """What comes of the request is thrown away, and nothing after it is read."""
        self._parts, self.keep_alive = _REFUSED, False
        self._api.begin(self._request, self._answer, refused=fault)

    def begin(self) -> None:
        if self._parts is not _REFUSED:
            self._request.body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
            self._api.begin(self._request, self._answer)

    def _answer(self, answer: Answer) -> None:
        protocol = self._protocol
        if self.disconnected or protocol.transport.is_closing():
            self.response_complete = True
            if answer.talk is not None:
                answer.talk.abandon()
            return
        self.keep_alive = self.keep_alive and answer.talk is None
        try:
            head = self._head(answer)
        except ValueError:
            log.exception("an answer that can't be sent", extra={"path": self._request.path, "request_id": self._request.request_id})
            answer = problems.answer(InternalError("See the log for this request_id."), self._request.request_id)
            head = self._head(answer)
        if answer.stream is not None and self._request.method != "HEAD":
            self._streaming = in_a_task(self._write_stream(head, answer.stream), self._broke_off, timeout_s=None)
            return
        protocol.transport.write(head if self._request.method == "HEAD" else head + answer.body)
        if answer.talk is not None:
            protocol.hand_over(self, answer.talk)
            return
        self._end()

    async def _write_stream(self, head: bytes, stream: AsyncGenerator[bytes, None]) -> None:
        """In chunks, no faster than the client reads."""
        protocol = self._protocol
        protocol.transport.write(head)
        async with aclosing(stream):
            async for piece in stream:
                await protocol.flow.drain()
                if self.disconnected or protocol.transport.is_closing():
                    return
                if piece:
                    protocol.transport.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        protocol.transport.write(b"0\r\n\r\n")
        self._end()

    def _broke_off(self, error: Answer | BaseException) -> None:
        """The client sees that the last chunk is missing."""
        log.error("a stream broke off", extra={"path": self._request.path, "request_id": self._request.request_id}, exc_info=error)  # type: ignore[arg-type]
        self._protocol.transport.close()

    def _end(self) -> None:
        protocol = self._protocol
        self.response_complete = True
        if not self.keep_alive:
            protocol.transport.close()
        protocol.on_response_complete()

    def _head(self, answer: Answer) -> bytes:
        headers = answer.headers if self.keep_alive else (*answer.headers, (b"connection", b"close"))
        return b"%b%b%bx-request-id: %b\r\n%b\r\n" % (
            STATUS_LINE[answer.status],
            _lines(tuple(self._protocol.server_state.default_headers)),
            _lines(headers),
            self._request.request_id.encode(),
            _length(answer),
        )


_REFUSED: list[bytes] = []


def _length(answer: Answer) -> bytes:
    if answer.stream is not None or answer.talk is not None:
        return b"transfer-encoding: chunked\r\n"
    return b"" if answer.status in WITHOUT_BODY else b"content-length: %d\r\n" % len(answer.body)


@lru_cache(maxsize=1024)  # nearly all requests are for a few targets
def _target(url: bytes) -> tuple[str, bytes, int]:
    """The path, decoded; the query; and how large a body may be."""
    path, _, query = url.partition(b"?")
    text = path.decode("latin-1")
    if "%" in text:
        text = unquote(text)
    return text, query, body_limit(text)


@lru_cache(maxsize=1024)  # the same few again and again; a date lives for a second, an ETag for as long as its answer
def _lines(headers: tuple[Header, ...]) -> bytes:
    """Raises ValueError for a value that would end its line."""
    for name, value in headers:
        if _NOT_IN_A_HEADER.search(value):
            raise ValueError(f"not the value of {name!r}: {value!r}")
    return b"".join([b"%b: %b\r\n" % header for header in headers])
