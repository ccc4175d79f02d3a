"""The slim way for API requests: ASGI in, view, ASGI out, on the event loop all the way.

Django's own handler hops through threads several times a request (signals, middleware, closing), which costs more than the
request. Here the request, the URL resolver, the views and the responses are Django's; what is left out is said in
docs/decisions/0002-slim-handler.md. Pages and the admin go through the stock handler.
"""

import asyncio
import io
import logging
import re
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from corsheaders.middleware import CorsMiddleware
from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest
from django.core.signals import got_request_exception
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, get_resolver

from leaderboard import metrics
from leaderboard.api import problems
from leaderboard.domain.errors import BodyTooLarge, InternalError, InvalidParameter, NotFound, Refusal, StoreUnavailable

log = logging.getLogger(__name__)

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

PREFIXES = ("/api/", "/livez", "/readyz", "/metrics")
BATCH_PATH = re.compile(r"^/api/(v\d+/)?scores/batch/$")
DEADLINE_S = 15.0  # more than every timeout below it; past it the client is told, whatever hangs
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class ClientGone(Exception):
    """The client hung up before its request was whole."""


class ApiRequest(ASGIRequest):
    """Django's request, with a name for logs and answers."""

    def __init__(self, scope: Scope, body: io.BytesIO) -> None:
        super().__init__(scope, body)
        given = self.META.get("HTTP_X_REQUEST_ID", "")
        self.request_id = given if REQUEST_ID.fullmatch(given) else secrets.token_hex(8)


class ApiHandler:
    """An ASGI application for the paths of PREFIXES."""

    def __init__(self) -> None:
        self._cors = CorsMiddleware(_no_next)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await _read_body(scope, receive)
        except ClientGone:
            return
        request = ApiRequest(scope, io.BytesIO(body if isinstance(body, bytes) else b""))
        response = await self._answer(request, body if isinstance(body, Refusal) else None)
        response.headers["X-Request-ID"] = request.request_id
        if "HTTP_ORIGIN" in request.META:
            self._cors.add_response_headers(request, response)
        route = request.resolver_match.route if request.resolver_match else "none"
        metrics.REQUESTS.labels(route, request.method, response.status_code).inc()
        await _send(request, response, send)

    async def _answer(self, request: ApiRequest, refused: Refusal | None) -> HttpResponse:
        try:
            preflight = self._cors.check_preflight(request) if request.method == "OPTIONS" else None
            if isinstance(preflight, HttpResponse):
                return preflight
            if refused is not None:
                raise refused
            request.get_host()
            async with asyncio.timeout(DEADLINE_S):
                return await self._view(request)
        except Refusal as refusal:
            return problems.response(refusal, request)
        except DisallowedHost:
            return problems.response(InvalidParameter("The Host header names no host of this service."), request)
        except TimeoutError:
            return problems.response(StoreUnavailable("The deadline passed; the outcome is unknown."), request)
        except Exception:
            log.exception("unhandled", extra={"path": request.path, "request_id": request.request_id})
            got_request_exception.send(sender=type(self), request=request)
            return problems.response(InternalError("See the log for this request_id."), request)

    async def _view(self, request: ApiRequest) -> HttpResponse:
        try:
            match = get_resolver().resolve(request.path_info)
        except Resolver404:
            hint = "" if request.path_info.endswith("/") else " Paths end in a slash."
            raise NotFound(f"There is nothing at {request.path_info!r}.{hint}") from None
        request.resolver_match = match
        response: HttpResponse = await match.func(request, *match.args, **match.kwargs)
        return response


def _no_next(_request: HttpRequest) -> HttpResponse:
    raise AssertionError("only the header methods of the middleware are used")


async def _read_body(scope: Scope, receive: Receive) -> bytes | Refusal:
    """The whole body, or a refusal as soon as it is known to be too large. Raises ClientGone."""
    limit = settings.BATCH_BODY_LIMIT if BATCH_PATH.match(scope["path"]) else settings.BODY_LIMIT
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            return BodyTooLarge(f"This route takes at most {limit} bytes.")
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


async def _send(request: HttpRequest, response: HttpResponse, send: Send) -> None:
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.items()]
    headers.append((b"content-length", str(len(response.content)).encode()))
    headers += [(b"set-cookie", cookie.OutputString().encode("ascii")) for cookie in response.cookies.values()]
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else response.content})
