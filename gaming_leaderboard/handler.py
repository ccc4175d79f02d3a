"""API requests on the event loop all the way, by one of two lanes.

Under the Procfile's server a request comes straight from the protocol (`gaming_leaderboard.server`); under any other ASGI server
through `ApiHandler.__call__`. Both make an `ApiRequest` and call `begin`, so that there is one implementation of everything
else. The routes of `leaderboard.api.routes` are answered by their operations; all other paths by Django's resolver and views, still without
Django's own handler, which hops through threads several times a request. What is left out of it is said in docs/decisions/0002.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing
from functools import partial
from time import monotonic

from asgiref.sync import sync_to_async
from corsheaders.middleware import CorsMiddleware
from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.core.signals import got_request_exception, request_finished, request_started
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import Resolver404, get_resolver

from gaming_leaderboard.pages import protect
from leaderboard import metrics
from leaderboard.api import limits, problems, proxies, routes, versions
from leaderboard.api.request import Answer, ApiRequest, Header, Receive, Scope, Send, TalkResponse, Told, headers_of, in_a_task
from leaderboard.domain.errors import (
    BodyTooLarge,
    HeadersTooLarge,
    InternalError,
    InvalidParameter,
    Refusal,
    RequestTimeout,
    StoreUnavailable,
    TargetTooLong,
)

log = logging.getLogger(__name__)

PREFIXES = ("/api/", "/sse/", "/livez", "/readyz", "/metrics")
HAND_OVER = "gaming_leaderboard.hand_over"  # in a scope's extensions: to whom our server leaves the connection of a `Talk`
READ_S = 30.0  # how long a request may take to come in; the largest has a few MB
TARGET_LIMIT = 8 * 1024  # bytes of path and query: a hundred names at their longest would be more than any proxy passes on
HEAD_LIMIT = 32 * 1024  # bytes of target, names and values: cookies and a token are a few KiB
HEADERS_LIMIT = 100
DEADLINE_S = 15.0  # more than every timeout below it; past it the client is told, whatever hangs
HOSTS_HELD = 256  # spellings of this service's names that were looked at; others are looked at each time
WITHOUT_BODY = (204, 304)
REQUEST_TIMEOUT = 408


class ClientGone(Exception):
    """The client hung up before its request was whole."""


class ApiHandler:
    """Answers the paths of PREFIXES; also an ASGI application for them."""

    def __init__(self) -> None:
        self._cors = CorsMiddleware(_no_next)
        self._hosts: set[bytes] = set()
        self._open: dict[ApiRequest, Told] = {}  # in the order they came
        self._watch: asyncio.TimerHandle | None = None
        self._end_of_version_1 = versions.end_of_life(settings.API_V1_DEPRECATED_AT, settings.API_V1_SUNSET_AT)

    def begin(self, request: ApiRequest, told: Callable[[Answer], None], *, refused: Refusal | None = None) -> None:
        """Answer a request: `told` is called once, now or later. `refused` is what the lane found wrong with it."""
        finish = self._open[request] = partial(self._finish, request, told)
        if self._watch is None:
            self._watch = asyncio.get_running_loop().call_later(DEADLINE_S, self._tell_the_late)
        try:
            if refused is not None:
                raise refused
            if request.headers.get(b"host") not in self._hosts or b"x-forwarded-host" in request.headers:
                self._check_host(request)
            waiting = limits.admit(request)
            if waiting is None:
                self._go_on(request, finish)
            else:
                in_a_task(self._go_on_when(waiting, request, finish), finish)
        except Exception as error:
            finish(error)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = head_fault(scope.get("raw_path") or b"", scope.get("query_string", b""), scope["headers"])
        body = refused or await self._body(scope, receive)
        if body is None:
            return
        request = ApiRequest(
            method=scope["method"],
            path=scope["path"],
            query=scope.get("query_string", b""),
            headers=headers_of(scope["headers"]),
            body=body if isinstance(body, bytes) else b"",
            scope=lambda _: proxies.seen_through(scope),
            peer=proxies.peer_of(scope),
        )
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.begin(request, partial(_settle, future), refused=body if isinstance(body, Refusal) else None)
        await _send(request, await future, scope, receive, send)

    def _go_on(self, request: ApiRequest, finish: Told) -> None:
        found = routes.find(request.method, request.path)
        if found is None:
            in_a_task(self._by_django(request, finish), finish)
        else:
            request.route = found.route
            found.operation(request, finish, *found.arguments)

    async def _go_on_when(self, admitted: Awaitable[None], request: ApiRequest, finish: Told) -> None:
        await admitted
        self._go_on(request, finish)

    async def _body(self, scope: Scope, receive: Receive) -> bytes | Refusal | None:
        """None if the client is gone."""
        try:
            async with asyncio.timeout(READ_S):
                return await read_body(receive, limit=body_limit(scope["path"]))
        except TimeoutError:
            return RequestTimeout(f"The body did not come in within {READ_S:g} s.")
        except ClientGone:
            return None

    # --- The end of a request ----------------------------------------------------------------------------------------

    def _finish(self, request: ApiRequest, told: Callable[[Answer], None], outcome: Answer | BaseException) -> None:
        """Once a request: what comes after its deadline goes nowhere."""
        if self._open.pop(request, None) is None:
            return
        answer = outcome if isinstance(outcome, Answer) else self._problem(request, outcome)
        if request.bucket is not None:
            answer = Answer(answer.status, answer.body, answer.headers + request.bucket.headers(), answer.stream, answer.talk)
        if b"origin" in request.headers:
            answer = self._with_cors(request, answer)
        if self._end_of_version_1 and versions.is_version_1(request):
            answer = answer._replace(headers=answer.headers + self._end_of_version_1)
        metrics.REQUESTS.add(request.route, request.method, answer.status)
        told(answer)

    def _problem(self, request: ApiRequest, error: BaseException) -> Answer:
        if isinstance(error, TimeoutError):
            error = StoreUnavailable("The deadline passed; the outcome is unknown.")
        if not isinstance(error, Refusal):
            log.error("unhandled", exc_info=error, extra={"path": request.path, "request_id": request.request_id})
            got_request_exception.send(sender=type(self), request=request.django())
            error = InternalError("See the log for this request_id.")
        return problems.answer(error, request.request_id)

    def _tell_the_late(self) -> None:
        """One timer for all: requests stand in the order they came, so the first is the first that is due."""
        self._watch = None
        late = monotonic() - DEADLINE_S
        for request, finish in list(self._open.items()):
            if request.began > late:
                self._watch = asyncio.get_running_loop().call_later(request.began - late, self._tell_the_late)
                return
            finish(TimeoutError())

    def _with_cors(self, request: ApiRequest, answer: Answer) -> Answer:
        response = HttpResponse()
        del response.headers["Content-Type"]
        self._cors.add_response_headers(request.django(), response)
        return answer._replace(headers=answer.headers + _headers(response))

    # --- What is not on the hot path ---------------------------------------------------------------------------------

    async def _by_django(self, request: ApiRequest, told: Told) -> None:
        """A path that has no operation: Django's resolver, its views and its responses and the signals that close the ORM's connections."""
        page = request.django()
        await request_started.asend(sender=type(self), scope=page.scope)
        preflight = self._cors.check_preflight(page) if request.method == "OPTIONS" else None
        try:
            response: HttpResponseBase = preflight if isinstance(preflight, HttpResponseBase) else await self._view(request, page)
        except BaseException:
            await request_finished.asend(sender=type(self))
            raise
        protect(response)
        if isinstance(response, StreamingHttpResponse):
            told(Answer(response.status_code, b"", _headers(response), _pieces(response)))
        elif isinstance(response, HttpResponse):
            await sync_to_async(response.close, thread_sensitive=True)()
            talk = response.talk if isinstance(response, TalkResponse) else None
            told(Answer(response.status_code, response.content, _headers(response), talk=talk))

    async def _view(self, request: ApiRequest, page: HttpRequest) -> HttpResponseBase:
        try:
            match = get_resolver().resolve(page.path_info)
        except Resolver404:
            raise versions.nothing_at(page.path_info) from None
        page.resolver_match = match
        request.route = match.route
        response: HttpResponseBase = await match.func(page, *match.args, **match.kwargs)
        return response

    def _check_host(self, request: ApiRequest) -> None:
        """Django's rules. What they allow is remembered; it is little, unless names of any spelling are allowed."""
        try:
            request.django().get_host()
        except DisallowedHost:
            raise InvalidParameter("The Host header names no host of this service.") from None
        if len(self._hosts) < HOSTS_HELD:
            self._hosts.add(request.headers.get(b"host", b""))


def body_limit(path: str) -> int:
    """Bytes that a body may have on this path."""
    limit: int = settings.BATCH_BODY_LIMIT if routes.is_batch(path) else settings.BODY_LIMIT
    return limit


def head_fault(path: bytes, query: bytes, headers: Iterable[Header]) -> Refusal | None:
    """What is wrong with the size of a request's head."""
    if len(path) + len(query) > TARGET_LIMIT:
        return TargetTooLong(f"Path and query have at most {TARGET_LIMIT} bytes.")
    sizes = [len(name) + len(value) for name, value in headers]
    if len(sizes) > HEADERS_LIMIT or sum(sizes) + len(path) + len(query) > HEAD_LIMIT:
        return HeadersTooLarge(f"A request has at most {HEADERS_LIMIT} headers and {HEAD_LIMIT} bytes of them.")
    return None


def too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"This route takes at most {limit} bytes.")


async def read_body(receive: Receive, *, limit: int) -> bytes | Refusal:
    """The whole body, or a refusal as soon as it is known to be too large. Raises ClientGone."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            return too_large(limit)
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


def _no_next(_request: HttpRequest) -> HttpResponse:
    raise AssertionError("only the header methods of the middleware are used")


def _settle(future: "asyncio.Future[Answer]", answer: Answer) -> None:
    if not future.done():
        future.set_result(answer)


def _headers(response: HttpResponseBase) -> tuple[Header, ...]:
    cookies = [("set-cookie", cookie.OutputString()) for cookie in response.cookies.values()]
    return tuple((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in (*response.items(), *cookies))


async def _pieces(response: StreamingHttpResponse) -> AsyncGenerator[bytes, None]:
    try:
        async for piece in aiter(response):
            yield piece
    finally:
        await sync_to_async(response.close, thread_sensitive=True)()


async def _send(request: ApiRequest, answer: Answer, scope: Scope, receive: Receive, send: Send) -> None:
    headers = [*answer.headers, (b"x-request-id", request.request_id.encode())]
    hand_over = (scope.get("extensions") or {}).pop(HAND_OVER, None)  # left there it is a circle, which outlives the request
    if answer.status == REQUEST_TIMEOUT:
        headers.append((b"connection", b"close"))  # the rest may come at any time: it is no next request
    if answer.talk is not None and hand_over is not None:
        headers.append((b"connection", b"close"))
    if answer.stream is None and answer.talk is None and answer.status not in WITHOUT_BODY:
        headers.append((b"content-length", b"%d" % len(answer.body)))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    if answer.talk is not None:
        if hand_over is None:
            await answer.talk.over_asgi(receive, send)
        else:
            hand_over(answer.talk)
        return
    if answer.stream is not None and request.method != "HEAD":
        await _send_stream(answer.stream, receive, send)
    await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else answer.body})


async def _send_stream(stream: AsyncGenerator[bytes, None], receive: Receive, send: Send) -> None:
    """Until it ends or the client hangs up; the stream is closed either way."""

    async def pump() -> None:
        async with aclosing(stream):
            async for piece in stream:
                await send({"type": "http.response.body", "body": piece, "more_body": True})

    pumping = asyncio.create_task(pump())
    gone = asyncio.create_task(_until_gone(receive))
    try:
        await asyncio.wait((pumping, gone), return_when=asyncio.FIRST_COMPLETED)
        if pumping.done():
            pumping.result()  # raises what broke it off: the server then closes the connection
    finally:
        for task in (pumping, gone):
            task.cancel()
        await asyncio.gather(pumping, gone, return_exceptions=True)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
