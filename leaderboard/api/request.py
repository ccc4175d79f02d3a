"""A request and its answer as the routes of the hot path see them: bytes, without a framework.

Every request under /api/ is made into an `ApiRequest`, whichever server took it. An operation (`writes`, `reads`) gets it
with `told`, and calls that once, now or later, with the `Answer` or with what went wrong. Nothing waits: a submit's
answer comes from the group commit, a cached read's at once.
"""

import asyncio
import io
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from itertools import count
from secrets import token_hex
from time import monotonic
from typing import Any, NamedTuple, Protocol

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse

from leaderboard.services.credentials import Credential
from leaderboard.throttle.redis import Bucket

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]

JSON: tuple[Header, ...] = ((b"content-type", b"application/json"),)
TASK_S = 20.0  # the client is told sooner that time is up; this ends what hangs
REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")

_process = token_hex(6)
_numbers = count()
_tasks: set[asyncio.Task[None]] = set()  # the loop itself holds them weakly


class Talk(Protocol):
    """Who goes on with the body of an answer, in pieces of its own, for as long as both sides like. One of these is called, once."""

    async def over_asgi(self, receive: Receive, send: Send) -> None:
        """After the head; returns when all is said, or the client gone."""
        ...

    def take_over(self, transport: asyncio.Transport, connections: set[Any], *, paused: bool) -> None:
        """Be the transport's protocol, in one of the server's `connections`. The body is in chunks. `paused`: it takes no more for now."""
        ...

    def abandon(self) -> None:
        """The client is gone already."""
        ...


class Answer(NamedTuple):
    """`headers` are lower case; the lane adds length and request id. A body in pieces comes from a `stream`, or a `talk` says it."""

    status: int
    body: bytes
    headers: tuple[Header, ...] = JSON
    stream: AsyncGenerator[bytes, None] | None = None
    talk: Talk | None = None


Told = Callable[[Answer | BaseException], None]


class DjangoApiRequest(ASGIRequest):
    """Django's request, for what is not on the hot path: sessions, CORS, the routes of Django's resolver."""

    def __init__(self, scope: Scope, request: "ApiRequest") -> None:
        super().__init__(scope, io.BytesIO(request.body))
        self.api = request
        self.request_id = request.request_id


class TalkResponse(HttpResponse):
    """A view's response that a talk goes on with; without one a head."""

    def __init__(self, talk: Talk | None, **options: Any) -> None:
        super().__init__(**options)
        self.talk = talk


class ApiRequest:
    """`headers` are by lower-case name. `route` names the operation in metrics; `began` is in seconds of the monotonic clock.

    `peer` is the address at the other end of the connection, which may be a proxy's; `bucket` is what it was counted in, if any, and
    `credential` whose it is, if that was found on the way.
    """

    __slots__ = (
        *("_django", "_scope", "began", "body", "bucket", "credential", "headers", "method", "path", "peer", "query", "request_id"),
        "route",
    )

    def __init__(
        self,
        *,
        method: str,
        path: str,
        query: bytes,
        headers: dict[bytes, bytes],
        body: bytes,
        scope: "Callable[[ApiRequest], Scope]",
        peer: str = "",
    ) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.peer = peer
        self.bucket: Bucket | None = None
        self.credential: Credential | None = None
        self.route = "none"
        self.began = monotonic()
        self._scope = scope
        self._django: DjangoApiRequest | None = None
        given = self.headers.get(b"x-request-id")
        self.request_id = given.decode() if given is not None and REQUEST_ID.fullmatch(given) else f"{_process}{next(_numbers):08x}"

    def header(self, name: bytes) -> str | None:
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    def django(self) -> DjangoApiRequest:
        """The same request as Django has it; made when it is first asked for."""
        if self._django is None:
            self._django = DjangoApiRequest(self._scope(self), self)
        return self._django


def client_address(request: ApiRequest) -> str:
    """Who is at the other end of the connection. Over a Unix socket that is somebody on this machine."""
    return str(request.django().META.get("REMOTE_ADDR") or "127.0.0.1")


def in_a_task(work: Awaitable[None], told: Told, *, timeout_s: float | None = TASK_S) -> "asyncio.Task[None]":
    """For an operation that has to wait. `work` tells its answer itself; what it raises is told here."""
    task = asyncio.get_running_loop().create_task(_run(work, told, timeout_s))
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
    return task


async def _run(work: Awaitable[None], told: Told, timeout_s: float | None) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await work
    except Exception as error:
        told(error)


def headers_of(headers: Sequence[Header]) -> dict[bytes, bytes]:
    """By name; those that came twice are joined as Django joins them."""
    found = dict(headers)
    if len(found) == len(headers):
        return found
    found = {}
    for name, value in headers:
        separator = b"; " if name == b"cookie" else b","
        found[name] = found[name] + separator + value if name in found else value
    return found
