"""The road to Redis that the index and the feed share: one pipeline a call, in time, or an answer that it is away.

In: commands as tuples of bytes. Out: their replies, undecoded. What a call promises:
- It ends within `timeout_ms`, connecting included, and raises the owner's `unavailable` if Redis did not answer in
  that time or refused any command of the pipeline. The others may have been carried out: write so that this is harmless.
- After a failure Redis counts as away for `retry_ms`: calls raise at once. Then one call asks again while the others go on
  raising, so that a Redis that hangs holds up one caller per period and not all of them.
- A script that the server does not know (restart, SCRIPT FLUSH) is loaded and called again within the same call.
- A connection whose replies were not all read (timeout, cancellation) is closed, never used again.

Connections belong to the event loop they were made on. A client may be used from several loops; each must `aclose` before it ends.
"""

import asyncio
import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

from hiredis import pack_command
from redis.asyncio.connection import AbstractConnection, Connection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError, ResponseError

Command = tuple[bytes, ...]
_pack = cast(Callable[[Command], bytes], pack_command)  # its stub takes tuples of one

MAX_CONNECTIONS = 16  # per loop: batches need a few; more callers wait their turn within their timeout


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


class RedisClient:
    """See the module's text. `unavailable` is the exception to raise; `scripts` are those that `pipeline` will meet."""

    def __init__(self, url: str, *, timeout_ms: int, retry_ms: int, unavailable: type[Exception], scripts: Iterable[Script] = ()) -> None:
        self.breaker = Breaker(retry_s=retry_ms / 1000, probe_s=timeout_ms / 1000)
        self._timeout_s = timeout_ms / 1000
        self._unavailable = unavailable
        self._sources = {script.sha: script.source for script in scripts}
        self._connection_class, self._options = connection_options(url, connect_timeout_s=self._timeout_s)
        self._pools: dict[asyncio.AbstractEventLoop, _Pool] = {}

    async def call(self, command: Command) -> Any:
        return (await self.pipeline((command,)))[0]

    async def pipeline(self, commands: Sequence[Command]) -> list[Any]:
        """The replies in order; one round trip."""
        if not self.breaker.admits():
            raise self._unavailable("Redis failed a moment ago and is left alone")
        try:
            async with asyncio.timeout(self._timeout_s):
                replies = await self._exchange(commands)
        except (RedisError, OSError) as error:  # TimeoutError is an OSError
            self.breaker.failed()
            raise self._unavailable(f"{type(error).__name__}: {error}") from error
        self.breaker.succeeded()
        return replies

    async def aclose(self) -> None:
        """Close the running loop's connections; the next call opens new ones."""
        pool = self._pools.pop(asyncio.get_running_loop(), None)
        if pool is not None:
            await pool.aclose()

    async def _exchange(self, commands: Sequence[Command]) -> list[Any]:
        pool = self._pool()
        replies = await pool.exchange(commands)
        unknown = [place for place, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if unknown:
            await self._call_again(pool, commands, replies, unknown)
        for reply in replies:
            if isinstance(reply, ResponseError):
                raise reply
        return replies

    async def _call_again(self, pool: "_Pool", commands: Sequence[Command], replies: list[Any], places: list[int]) -> None:
        """Load the scripts that were unknown and repeat the calls in `places`, filling in their replies."""
        missing = {commands[place][1] for place in places}
        loads: list[Command] = [(b"SCRIPT", b"LOAD", self._sources[sha]) for sha in missing]
        answers = await pool.exchange([*loads, *(commands[place] for place in places)])
        for place, reply in zip(places, answers[len(loads) :], strict=True):
            replies[place] = reply

    def _pool(self) -> "_Pool":
        loop = asyncio.get_running_loop()
        pool = self._pools.get(loop)
        if pool is None:
            self._pools = {other: kept for other, kept in self._pools.items() if not other.is_closed()}
            pool = self._pools[loop] = _Pool(self._connection_class, self._options)
        return pool


class _Pool:
    """The connections of one event loop, at most MAX_CONNECTIONS, the warmest first.

    redis-py's own pool spends more on locks and instruments than a pipeline costs, and can lose a connection when a cancelled
    call gives it back; here giving back does not wait.
    """

    def __init__(self, connection_class: type[AbstractConnection], options: dict[str, Any]) -> None:
        self._make: Callable[[], AbstractConnection] = partial(connection_class, **options)
        self._idle: deque[AbstractConnection] = deque()
        self._free = asyncio.Semaphore(MAX_CONNECTIONS)
        self._closed = False

    async def exchange(self, commands: Sequence[Command]) -> list[Any]:
        """The replies in order; a refusal takes its place as a ResponseError."""
        async with self._free:
            connection = self._idle.pop() if self._idle else self._make()
            try:
                replies = await _converse(connection, commands)
            except BaseException:
                await connection.disconnect(nowait=True)  # waits for nothing, so a second cancellation can't cut in
                raise
            if self._closed:
                await connection.disconnect(nowait=True)
            else:
                self._idle.append(connection)
            return replies

    async def aclose(self) -> None:
        self._closed = True
        while self._idle:
            await self._idle.pop().disconnect()


async def _converse(connection: AbstractConnection, commands: Sequence[Command]) -> list[Any]:
    if connection.is_connected and await connection.can_read():
        await connection.disconnect(nowait=True)  # the server hung up while it lay idle
    await connection.send_packed_command(b"".join([_pack(command) for command in commands]), check_health=False)
    return [await _reply(connection) for _ in commands]


async def _reply(connection: AbstractConnection) -> Any:
    try:
        return await connection.read_response(disconnect_on_error=False)
    except ResponseError as refusal:
        return refusal


def connection_options(url: str, *, connect_timeout_s: float) -> tuple[type[AbstractConnection], dict[str, Any]]:
    """What to connect with for redis://, rediss:// (TLS) and unix://. Raises ValueError for any other scheme."""
    options = cast(dict[str, Any], parse_url(url))
    for belongs_to_a_pool in ("max_connections", "timeout"):
        options.pop(belongs_to_a_pool, None)
    connection_class = cast(type[AbstractConnection], options.pop("connection_class", Connection))
    if issubclass(connection_class, Connection):
        options.setdefault("socket_keepalive", True)
    return connection_class, {
        **options,
        "protocol": 2,  # nothing here needs RESP3, and it costs a HELLO per connection
        "decode_responses": False,
        "socket_timeout": None,  # the whole call is timed, cheaper than each read
        "socket_connect_timeout": connect_timeout_s,
        "retry": Retry(NoBackoff(), 0),
        "driver_info": None,
    }
