"""The cache in Redis; see `leaderboard.cache` for what it promises.

Keys, P being the prefix. Every one but the notices runs out by itself.
- `P:{kind.shape}:id`        an entry: msgpack, nil for what SQL does not know, empty for what was forgotten a moment ago
- `P:{kind.shape}.lease:id`  somebody is filling it
- `P:notices`                stream of the last notices
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from leaderboard import metrics
from leaderboard.cache import ABSENT_S, EVERYTHING, FILL_WAIT_S, FORGOTTEN_MS, LEASE_MS, CacheUnavailable, Kind, Notice
from leaderboard.cache.flights import Flights
from leaderboard.redis_client import Command, RedisClient, Script

T = TypeVar("T")
Load = Callable[[list[str]], Awaitable[dict[str, T]]]

NOTICES_KEPT = 1_000  # a process that has more to catch up with counts it as everything
POLL_S = (0.005, 0.03)  # between two looks at what somebody else is filling
JITTER = 0.2  # of a life: what was filled together does not run out together
SCAN_COUNT = 1_000
NONE_YET = b"0-0"  # where a stream without notices begins
FORGOTTEN = b""
ABSENT = msgspec.msgpack.encode(None)

_FOLDER = Path(__file__).parent
TAKE = Script(_FOLDER, "take.lua")
APPEAR = Script(_FOLDER, "appear.lua")

_read_notice = msgspec.msgpack.Decoder(Notice).decode
log = logging.getLogger(__name__)


class Cache:
    """See `leaderboard.cache`. One for each process; `fill` is for one event loop at a time."""

    def __init__(self, url: str, *, timeout_ms: int, retry_ms: int, prefix: str = "gl:cache") -> None:
        self._client = RedisClient(url, timeout_ms=timeout_ms, retry_ms=retry_ms, unavailable=CacheUnavailable, scripts=(TAKE, APPEAR))
        self._prefix = prefix.encode()
        self._notices = self._prefix + b":notices"
        self._flights: Flights[tuple[str, str], Any] = Flights()
        self._listeners: list[Callable[[Notice], None]] = []
        self._heard: bytes | None = None  # the last notice's id; None: whatever comes next counts as everything
        self._all_moved = 0
        self._moved: dict[int, int] = {}

    async def aclose(self) -> None:
        await self._flights.aclose()
        await self._client.aclose()

    # --- Entries -------------------------------------------------------------------------------------------------------

    async def fill(self, kind: Kind[T], keys: Sequence[str], load: Load[T], *, shared: bool = True) -> dict[str, T]:
        """The values of those keys that SQL knows. `load` asks SQL for what nobody holds; it may leave out what it does not know.

        Without `shared` only this process's loads are joined: for what costs SQL less than a look into the cache.
        """

        async def work(missing: list[tuple[str, str]]) -> dict[tuple[str, str], T | None]:
            wanted = [key for _, key in missing]
            found = await self._fill(kind, wanted, load) if shared else await load(wanted)
            return {(kind.name, key): found.get(key) for key in wanted}

        filled = await self._flights.join([(kind.name, key) for key in keys], work)
        return {key: value for (_, key), value in filled.items() if value is not None}

    async def drop(self, kind: Kind[Any], keys: Sequence[str]) -> None:
        """Let the next who asks fill them anew. Raises CacheUnavailable."""
        if keys:
            await self._client.call((b"UNLINK", *(self._key(kind, key) for key in keys)))

    async def forget(self, kind: Kind[Any], keys: Sequence[str]) -> None:
        """Drop what has changed in SQL, and what loads that are under way will bring. Raises CacheUnavailable."""
        if keys:
            life = b"%d" % FORGOTTEN_MS
            await self._client.pipeline([(b"SET", self._key(kind, key), FORGOTTEN, b"PX", life) for key in keys])

    async def appear(self, kind: Kind[Any], keys: Sequence[str]) -> None:
        """What SQL did not know is there now. Does its best: what says otherwise runs out within ABSENT_S."""
        try:
            await self._client.call(APPEAR.command([self._key(kind, key) for key in keys], (ABSENT,)))
        except CacheUnavailable:
            metrics.CACHE.labels(kind.name.partition(".")[0], "away").inc()

    async def drop_all(self) -> int:
        """Drop every entry, browser sessions' copies too; how many keys. Raises CacheUnavailable."""
        dropped, cursor = 0, b"0"
        while True:
            cursor, keys = await self._client.call((b"SCAN", cursor, b"MATCH", self._prefix + b":*", b"COUNT", b"%d" % SCAN_COUNT))
            entries = [key for key in keys if key != self._notices]
            if entries:
                dropped += int(await self._client.call((b"UNLINK", *entries)))
            if cursor == b"0":
                return dropped

    async def _fill(self, kind: Kind[T], keys: list[str], load: Load[T]) -> dict[str, T | None]:
        """By the cache, by waiting for whoever fills it, or by SQL."""
        count = partial(_count, kind)
        found: dict[str, T | None] = {}
        lease = self._key(kind, keys[0], part=b".lease")
        gives_up_at = time.monotonic() + FILL_WAIT_S
        missing, unreadable = keys, set[str]()
        try:
            while missing:
                missing, unreadable, to_fill = await self._look(kind, missing, lease, found)
                if to_fill or not missing:
                    break
                if time.monotonic() > gives_up_at:
                    count("waited_in_vain", len(missing))
                    break
                await asyncio.sleep(random.uniform(*POLL_S))  # noqa: S311 - spread, not secrecy
        except CacheUnavailable:
            count("away", len(missing))
            return found | await load(missing)
        count("hit", len(found))
        if missing:
            count("filled", len(missing))
            loaded = await self._load_and_put(kind, missing, load, lease=lease, unreadable=unreadable)
            found |= {key: loaded.get(key) for key in missing}
        return found

    async def _look(self, kind: Kind[T], keys: list[str], lease: bytes, found: dict[str, T | None]) -> tuple[list[str], set[str], bool]:
        """Put what is held into `found`. What is missing, what of it is held but can't be read, and whether the caller is to load it."""
        *held, leased = await self._client.call(TAKE.command([*(self._key(kind, key) for key in keys), lease], (b"%d" % LEASE_MS,)))
        missing: list[str] = []
        unreadable: set[str] = set()
        to_fill = bool(leased)
        for key, raw in zip(keys, held, strict=True):
            if raw is None:
                missing.append(key)
                continue
            try:
                found[key] = kind.decode(raw)
            except msgspec.MsgspecError:
                missing.append(key)
                to_fill = True  # nobody else would replace it; and what was forgotten is nobody's to fill
                if raw != FORGOTTEN:
                    unreadable.add(key)
        return missing, unreadable, to_fill

    async def _load_and_put(self, kind: Kind[T], keys: list[str], load: Load[T], *, lease: bytes, unreadable: set[str]) -> dict[str, T]:
        try:
            loaded = await load(keys)
        except Exception:
            await self._try([(b"UNLINK", lease)])  # somebody else may have more luck
            raise
        commands = [self._put(kind, key, loaded.get(key), replace=key in unreadable) for key in keys]
        await self._try([*(command for command in commands if command), (b"UNLINK", lease)])
        absent = [key for key in keys if key not in loaded]
        if absent:
            # Created between our look and our entry: its creator found no entry to drop. So look once more.
            appeared = await load(absent)
            if appeared:
                await self.appear(kind, list(appeared))
                loaded = {**loaded, **appeared}
        return loaded

    def _put(self, kind: Kind[T], key: str, value: T | None, *, replace: bool) -> Command | None:
        """Only where nothing is: what was forgotten must not come back, and what is there is no older."""
        life_s = ABSENT_S if value is None else kind.life_s * random.uniform(1 - JITTER, 1)  # noqa: S311 - spread, not secrecy
        try:
            encoded = ABSENT if value is None else msgspec.msgpack.encode(value)
        except (OverflowError, TypeError, ValueError):
            return None  # an integer beyond 64 bits in somebody's metadata: SQL goes on answering for it
        only_new = () if replace else (b"NX",)
        return (b"SET", self._key(kind, key), encoded, b"PX", b"%d" % (life_s * 1000), *only_new)

    async def _try(self, commands: Sequence[Command]) -> None:
        """What is lost here is filled by the next who asks."""
        try:
            await self._client.pipeline(commands)
        except CacheUnavailable as error:
            log.info("cache not written: %s", error)

    def _key(self, kind: Kind[Any], key: str, *, part: bytes = b"") -> bytes:
        return b"%s:{%s}%s:%s" % (self._prefix, kind.name.encode(), part, key.encode("utf-8", "surrogatepass"))

    # --- Notices -------------------------------------------------------------------------------------------------------

    def generation(self, leaderboard_id: int) -> int:
        """Moves when what was made of this board's rows is to be made anew. Of this process only."""
        return self._all_moved + self._moved.get(leaderboard_id, 0)

    def listen(self, listener: Callable[[Notice], None]) -> None:
        self._listeners.append(listener)

    async def tell(self, notice: Notice) -> None:
        """Give notice to every process, this one too: each hears it with its next check. Raises CacheUnavailable."""
        await self._client.call((b"XADD", self._notices, b"MAXLEN", b"~", b"%d" % NOTICES_KEPT, b"*", b"n", msgspec.msgpack.encode(notice)))

    async def hear(self) -> None:
        """Take up what has been told since the last time. While Redis is away nothing is; the first time after it, everything."""
        try:
            since, last = await self._client.pipeline(
                (
                    (b"XRANGE", self._notices, self._heard or b"+", b"+", b"COUNT", b"%d" % (NOTICES_KEPT + 1)),
                    (b"XREVRANGE", self._notices, b"+", b"-", b"COUNT", b"1"),
                )
            )
        except CacheUnavailable:
            self._heard = None
            return
        notices = self._unheard(since)
        if notices is None:
            self._heard, notices = (last[0][0] if last else NONE_YET), [EVERYTHING]
        elif since:
            self._heard = since[-1][0]  # not `last`: one that came between the two commands is heard the next time
        for notice in notices:
            self._take_up(notice)

    def _unheard(self, since: list[Any]) -> list[Notice] | None:
        """The notices after the one heard last, which `since` begins with. None if any may be missing, or can't be read."""
        if self._heard == NONE_YET:
            later = since
        elif since and since[0][0] == self._heard:
            later = since[1:]
        else:
            return None
        try:
            return [_read_notice(fields[1]) for _, fields in later] if len(since) <= NOTICES_KEPT else None
        except (msgspec.MsgspecError, IndexError, TypeError):
            return None

    def _take_up(self, notice: Notice) -> None:
        if notice.everything or notice.players:
            self._all_moved += 1  # a player's name may be on any board
        for leaderboard in notice.boards:
            self._moved[leaderboard] = self._moved.get(leaderboard, 0) + 1
        for listener in self._listeners:
            listener(notice)


def _count(kind: Kind[Any], outcome: str, number: int) -> None:
    metrics.CACHE.labels(kind.name.partition(".")[0], outcome).inc(number)
