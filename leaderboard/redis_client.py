"""The road to Redis that the index and the feed share: one connection a loop, one write a turn, in time or an answer that it is away.

In: commands as tuples of bytes. Out: their replies, undecoded. What a call promises:
- It ends within `timeout_ms`, connecting included, and raises the owner's `unavailable` if Redis did not answer in
  that time or refused any command of the pipeline. The others may have been carried out: write so that this is harmless.
- After a failure Redis counts as away for `retry_ms`: calls raise at once. Then one call asks again while the others go on
  raising, so that a Redis that hangs holds up one caller per period and not all of them.
- A script that the server does not know (restart, SCRIPT FLUSH) is loaded and called again within the same call.
- Calls are carried out in the order in which they were made, whichever clients of a Road made them; a script that had to be loaded
  comes later.
- A caller that is cancelled disturbs nobody: its replies are read and thrown away.
- A connection that breaks, or that leaves a call unanswered for its time, fails at once all that was in flight on it; the
  next call opens another.
- What is in flight is bounded by IN_FLIGHT_BYTES; a call beyond it is refused as `unavailable`.

All calls of a turn of the event loop go out in one write, and replies are matched to calls by their order: concurrent callers share
the system calls, which are most of what a call costs. A call that keeps the server busy keeps the ones behind it waiting, so
bulk work goes on a Road of its own.

Connections belong to the event loop they were made on. A client may be used from several loops; each must `aclose` before it ends.
"""

import asyncio
import contextvars
import hashlib
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

from hiredis import Reader, pack_command
from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection, UnixDomainSocketConnection, parse_url
from redis.exceptions import NoScriptError, ResponseError

Command = tuple[bytes, ...]
_pack = cast(Callable[[Command], bytes], pack_command)  # its stub takes tuples of one

IN_FLIGHT_BYTES = 16 * 2**20  # of commands not answered yet, a loop: 100,000 reads, or several hundred batches
CLOSE_S = 1.0  # for a goodbye over TLS
LATE_S = 0.005  # after its time a call is given this much: a loop that was held up may have its reply unread


class Script:
    """A Lua script made of one or more files of a folder, joined in order."""

    def __init__(self, folder: Path, *names: str) -> None:
        self.source = "\n".join((folder / name).read_text(encoding="utf-8") for name in names).encode()
        self.sha = hashlib.sha1(self.source, usedforsecurity=False).hexdigest().encode()

    def command(self, keys: Sequence[bytes], args: Iterable[bytes] = ()) -> Command:
        return (b"EVALSHA", self.sha, b"%d" % len(keys), *keys, *args)


class Breaker:
    """Whether Redis may be asked now. Counts failures since the start in `failures`."""

    def __init__(self, *, retry_s: float, probe_s: float) -> None:
        self.failures = 0
        self._retry_s = retry_s
        self._probe_s = probe_s
        self._away_until: float | None = None

    def admits(self) -> bool:
        if self._away_until is None:
            return True
        now = time.monotonic()
        if now < self._away_until:
            return False
        self._away_until = now + self._probe_s  # this caller probes; the others keep away until it knows
        return True

    def failed(self) -> None:
        self.failures += 1
        self._away_until = time.monotonic() + self._retry_s

    def succeeded(self) -> None:
        self._away_until = None


class Road:
    """A server as this process reaches it: one connection per event loop, shared by all clients that are made with it."""

    def __init__(self, url: str) -> None:
        self.url = url
        connection_class, options = connection_options(url)
        server: Any = connection_class(**options)  # never connected: it checks the options and holds them
        self._tls = server.ssl_context.get() if isinstance(server, SSLConnection) else None
        self._server = server
        self._lines: dict[asyncio.AbstractEventLoop, _Line] = {}

    def line(self, loop: asyncio.AbstractEventLoop) -> "_Line":
        line = self._lines.get(loop)
        if line is None:
            self._lines = {other: kept for other, kept in self._lines.items() if not other.is_closed()}
            line = self._lines[loop] = _Line(self, loop)
        return line

    async def aclose(self) -> None:
        """Close the running loop's connection when its calls are answered; the next call opens a new one."""
        line = self._lines.pop(asyncio.get_running_loop(), None)
        if line is not None:
            await line.aclose()

    async def connect(self, connection: "_Connection", loop: asyncio.AbstractEventLoop) -> None:
        server = self._server
        if isinstance(server, UnixDomainSocketConnection):
            await loop.create_unix_connection(lambda: connection, server.path)
            return
        await loop.create_connection(lambda: connection, server.host, server.port, ssl=self._tls)
        opened: socket.socket = connection.transport.get_extra_info("socket")
        if server.socket_keepalive:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in server.socket_keepalive_options.items():
                opened.setsockopt(socket.IPPROTO_TCP, option, value)

    def greeting(self) -> list[Command]:
        """What a connection says before anything else."""
        server = self._server
        said: list[Command] = []
        if server.username or server.password:
            names = (server.username, server.password or "") if server.username else (server.password,)
            said.append((b"AUTH", *(name.encode() for name in names)))
        if server.client_name:
            said.append((b"CLIENT", b"SETNAME", server.client_name.encode()))
        if server.db:
            said.append((b"SELECT", b"%d" % int(server.db)))
        return said


class RedisClient:
    """See the module's text. `unavailable` is the exception to raise; `scripts` are those that `pipeline` will meet.

    `server` is a URL, or a Road that several clients share; each has its own breaker.
    """

    def __init__(
        self, server: str | Road, *, timeout_ms: int, retry_ms: int, unavailable: type[Exception], scripts: Iterable[Script] = ()
    ) -> None:
        self.breaker = Breaker(retry_s=retry_ms / 1000, probe_s=timeout_ms / 1000)
        self.timeout_s = timeout_ms / 1000
        self.unavailable = unavailable
        self.sources = {script.sha: script.source for script in scripts}
        self._road = Road(server) if isinstance(server, str) else server

    async def call(self, command: Command) -> Any:
        return (await self.send((command,)))[0]

    async def pipeline(self, commands: Sequence[Command]) -> list[Any]:
        """The replies in order; one round trip."""
        return await self.send(commands)

    def send(self, commands: Sequence[Command]) -> "asyncio.Future[list[Any]]":
        """The same without waiting: what is sent next comes after it. Whoever drops the future hears of no failure."""
        loop = asyncio.get_running_loop()
        call = _Call(self, commands, loop)
        if self.breaker.admits():
            self._road.line(loop).send(call)
        else:
            call.refuse("Redis failed a moment ago and is left alone")
        return call.answer

    async def aclose(self) -> None:
        """Close the running loop's connection, for all who share it; the next call opens a new one."""
        await self._road.aclose()


class _Call:
    """A pipeline on its way: what waits for the next replies of a connection, and the future that its caller has."""

    __slots__ = ("_client", "_commands", "_first", "_unknown", "answer", "deadline", "replies", "size", "wanted")

    def __init__(self, client: RedisClient, commands: Sequence[Command], loop: asyncio.AbstractEventLoop) -> None:
        self._client, self._commands = client, commands
        self._first: list[Any] = []  # the replies of a first time, when some scripts were unknown
        self._unknown: list[int] = []  # their places
        self.answer: asyncio.Future[list[Any]] = loop.create_future()
        self.deadline = loop.time() + client.timeout_s
        self.replies: list[Any] = []
        self.size, self.wanted = 0, len(commands)

    def packed(self) -> bytes:
        commands = self._commands
        return _pack(commands[0]) if len(commands) == 1 else b"".join(map(_pack, commands))

    def answered(self, line: "_Line") -> None:
        """All replies are there."""
        if self._first:
            self._fill_in()
        refusals = [reply for reply in self.replies if isinstance(reply, ResponseError)]
        if not refusals:
            self._client.breaker.succeeded()
            if not self.answer.done():
                self.answer.set_result(self.replies)
        elif not self._first and any(isinstance(refusal, NoScriptError) for refusal in refusals):
            self._call_again(line)
        else:
            self.failed(refusals[0])

    def failed(self, error: Exception) -> None:
        self._client.breaker.failed()
        self.refuse(f"{type(error).__name__}: {error}", error)

    def refuse(self, reason: str, cause: Exception | None = None) -> None:
        if not self.answer.done():
            unavailable = self._client.unavailable(reason)
            unavailable.__cause__ = cause
            self.answer.set_exception(unavailable)

    def _call_again(self, line: "_Line") -> None:
        """Load the scripts that were unknown and repeat the calls of them."""
        self._unknown = [place for place, reply in enumerate(self.replies) if isinstance(reply, NoScriptError)]
        repeated = [self._commands[place] for place in self._unknown]
        loads: list[Command] = [(b"SCRIPT", b"LOAD", self._client.sources[sha]) for sha in {command[1] for command in repeated}]
        self._first, self.replies = self.replies, []
        self._commands = [*loads, *repeated]
        self.wanted = len(self._commands)
        line.send(self)

    def _fill_in(self) -> None:
        """Put the replies of the second time where those of the first were missing."""
        for place, reply in zip(self._unknown, self.replies[-len(self._unknown) :], strict=True):
            self._first[place] = reply
        self.replies = self._first


class _Greeting:
    """What a connection says first: nobody waits for it, and nothing else is sent before it is answered."""

    deadline = float("inf")  # the calls behind it have theirs
    size = 0

    def __init__(self, commands: Sequence[Command]) -> None:
        self.wanted = len(commands)
        self.replies: list[Any] = []

    def answered(self, line: "_Line") -> None:
        refusals = [reply for reply in self.replies if isinstance(reply, ResponseError)]
        if refusals:
            line.lose(refusals[0])
        else:
            line.open()

    def failed(self, error: Exception) -> None:
        pass


class _Line:
    """A loop's connection to a server, made when there is something to send, and what is in flight on it, the oldest first."""

    def __init__(self, road: Road, loop: asyncio.AbstractEventLoop) -> None:
        self._road, self._loop = road, loop
        self._context = contextvars.Context()  # it serves many requests: it must not run in the context of one
        self._calls: deque[_Call | _Greeting] = deque()
        self._size = 0
        self._unsent: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None
        self._opening: asyncio.Task[None] | None = None
        self._is_open = False
        self._drained: asyncio.Future[None] | None = None
        self.connection: _Connection | None = None

    def send(self, call: _Call) -> None:
        data = call.packed()
        if self._calls and self._size + len(data) > IN_FLIGHT_BYTES:
            call.refuse(f"{self._size} bytes wait for Redis already")
            return
        call.size = len(data)
        self._size += call.size
        self._calls.append(call)
        self._unsent.append(data)
        if len(self._unsent) == 1:
            self._loop.call_soon(self._flush, context=self._context)  # the other calls of this turn shall be in the same write
        if self._timer is None:
            self._timer = self._loop.call_at(call.deadline, self._look, context=self._context)

    def open(self) -> None:
        self._is_open = True
        self._flush()

    def replied(self, reply: Any) -> None:
        """The next reply of the connection; IndexError if nobody waits for one."""
        call = self._calls[0]
        replies = call.replies
        replies.append(reply)
        if len(replies) == call.wanted:
            self._calls.popleft()
            self._size -= call.size
            call.answered(self)
            if self._drained is not None and not self._calls:
                self._drained.set_result(None)
                self._drained = None

    def lose(self, error: Exception) -> None:
        """Give the connection up and fail what is in flight; the next call opens another."""
        connection, self.connection, self._is_open = self.connection, None, False
        opening, self._opening = self._opening, None
        calls, self._calls = self._calls, deque()
        self._unsent, self._size = [], 0
        if opening is not None:
            opening.cancel()
        if connection is not None:
            connection.transport.abort()
        for call in calls:
            call.failed(error)
        if self._drained is not None:
            self._drained.set_result(None)
            self._drained = None

    async def aclose(self) -> None:
        """Wait for what is in flight, within its time, and close."""
        if self._calls:
            self._drained = self._loop.create_future()
            await self._drained
        if self._timer is not None:
            self._timer.cancel()
        if self.connection is not None:
            connection, self.connection = self.connection, None
            await connection.aclose()

    def _flush(self) -> None:
        if not self._unsent:
            return
        if self.connection is not None and self._is_open:
            data, self._unsent = self._unsent, []
            self.connection.transport.write(data[0] if len(data) == 1 else b"".join(data))
        elif self._opening is None and self.connection is None:
            self._opening = self._loop.create_task(self._open(), context=self._context)

    async def _open(self) -> None:
        connection = _Connection(self)
        try:
            await self._road.connect(connection, self._loop)
        except OSError as error:
            self._opening = None  # it ends by itself
            self.lose(error)
            return
        self._opening, self.connection = None, connection
        greeting = self._road.greeting()
        if connection.transport.is_closing():
            self.lose(ConnectionResetError("Redis closed the connection"))
        elif greeting:
            self._calls.appendleft(_Greeting(greeting))
            connection.transport.write(b"".join(map(_pack, greeting)))
        else:
            self.open()

    def _look(self, *, again: bool = False) -> None:
        """One timer for all calls: fail them when the time of one is over, else come again when the next one's may be."""
        self._timer = None
        if not self._calls:
            return
        due = min(call.deadline for call in self._calls)
        if self._loop.time() < due:
            self._timer = self._loop.call_at(due, self._look, context=self._context)
        elif again:
            self.lose(TimeoutError())
        else:
            self._timer = self._loop.call_later(LATE_S, partial(self._look, again=True), context=self._context)


class _Connection(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self, line: _Line) -> None:
        self._line = line
        self._reader = Reader(protocolError=ConnectionError, replyError=_refusal, notEnoughData=_NOTHING)
        self._closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        line, next_reply = self._line, self._reader.gets
        self._reader.feed(data)
        try:
            while line.connection is self and (reply := next_reply()) is not _NOTHING:
                line.replied(reply)
        except (ConnectionError, IndexError) as error:  # not a reply, or one that nobody asked for
            line.lose(error)

    def eof_received(self) -> None:
        self._lost(None)

    def connection_lost(self, error: Exception | None) -> None:
        self._lost(error)
        if not self._closed.done():
            self._closed.set_result(None)

    async def aclose(self) -> None:
        self.transport.close()
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._closed
        except TimeoutError:
            self.transport.abort()

    def _lost(self, error: Exception | None) -> None:
        if self._line.connection is self:
            self._line.lose(error or ConnectionResetError("Redis closed the connection"))


_NOTHING = object()  # of a reply


def _refusal(said: str) -> ResponseError:
    """A reply that is an error. It takes a reply's place; it is raised to the caller when all replies are there."""
    return NoScriptError(said) if said.startswith("NOSCRIPT") else ResponseError(said)


def connection_options(url: str) -> tuple[type[AbstractConnection], dict[str, Any]]:
    """What to connect with for redis://, rediss:// (TLS) and unix://. Raises ValueError for any other scheme."""
    options = cast(dict[str, Any], parse_url(url))
    for belongs_to_a_pool in ("max_connections", "timeout"):
        options.pop(belongs_to_a_pool, None)
    return cast(type[AbstractConnection], options.pop("connection_class", Connection)), options
