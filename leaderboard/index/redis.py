"""The index in Redis: one sorted set and one hash a board, written and read by Lua, one file a script.

Keys of a board, P being the prefix: `P:{leaderboard}:season:` and
- `order`    the sorted set; its bytes are explained in `encoding`
- `players`  the hash user -> value; it holds one field more, the mark of the rebuild that filled it
- `removed`  the hash user -> last session of what was taken back, for REMOVED_S; missing on most boards
- `state`    "ready", or the generation of the rebuild under way, which expires with its lease; missing: cold
And `P:ledger:{chunk}`, a bitmap of the sessions that were recorded (see `ledger`); `P:mark`, the sweep's mark.
"""

import asyncio
import os
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from leaderboard.domain.ranking import DENSE_PLACES, Ranking
from leaderboard.domain.score import BoardId, Entry
from leaderboard.index import Around, Found, IndexCold, IndexUnavailable, Mark, Page, Place, Placed, Placing, Standing
from leaderboard.index.encoding import decode, encode, encode_number
from leaderboard.index.ledger import CHUNK_BITS, EXPIRES_S, WORD_BITS, WORDS, words_of
from leaderboard.redis_client import Command, RedisClient, Road, Script

RECORD_S = 0.1  # how long what is recorded may wait for a batch that takes it along; the sweep looks after 2 s
LEASE_MS = 15_000  # between two pages of a rebuild: three store timeouts
BULK_PATIENCE = 6  # of a step of a rebuild, in timeouts: nobody waits for it, and on a busy machine one lost step loses a million entries
REBUILD_ATTEMPTS = 5  # of one call; being made to start again that often means that something else is wrong
PAGE_LIMIT = 5_000  # entries a read: Lua's stack takes 8,000, and the server is held up for some 5 ms
AROUNDS_CHUNK = 50  # players a script of `arounds`: holds the server up for 1 ms with three neighbours on either side, 2 ms with ten
AROUNDS_LIMIT = 50  # neighbours on either side: a chunk reads as much as a page at most
FILL_CHUNK = 500  # entries a fill script: holds the server up for some 1.5 ms
FILL_CHUNKS = 10  # fill scripts a round trip
REMOVED_S = 86_400  # how long a write of what was taken back is known as such: a process may hold one until its next submit
FORGET_CHUNK = 1_000  # keys a SCAN step looks at

_FOLDER = Path(__file__).parent
PLACE = Script(_FOLDER, "parts.lua", "place.lua")
TOP = Script(_FOLDER, "parts.lua", "page.lua", "top.lua")
AROUND = Script(_FOLDER, "parts.lua", "page.lua", "around.lua")
AROUNDS = Script(_FOLDER, "parts.lua", "page.lua", "arounds.lua")
WITHIN = Script(_FOLDER, "parts.lua", "page.lua", "within.lua")
TIED_TOP = Script(_FOLDER, "parts.lua", "page.lua", "ties.lua", "tied.lua", "top.lua")
TIED_AROUND = Script(_FOLDER, "parts.lua", "page.lua", "ties.lua", "tied.lua", "around.lua")
TIED_WITHIN = Script(_FOLDER, "parts.lua", "page.lua", "ties.lua", "tied.lua", "within.lua")
FIND = Script(_FOLDER, "parts.lua", "ties.lua", "find.lua")
STAND = Script(_FOLDER, "parts.lua", "page.lua", "ties.lua", "stand.lua")
RANK = Script(_FOLDER, "parts.lua", "rank.lua")
READY = Script(_FOLDER, "parts.lua", "ready.lua")
RECORD = Script(_FOLDER, "record.lua")
REMOVE = Script(_FOLDER, "parts.lua", "remove.lua")
BEGIN = Script(_FOLDER, "begin.lua")
FILL = Script(_FOLDER, "parts.lua", "fill.lua")
FINISH = Script(_FOLDER, "parts.lua", "finish.lua")
ABANDON = Script(_FOLDER, "abandon.lua")
SHARED_SCRIPTS = {TOP: TIED_TOP, AROUND: TIED_AROUND, WITHIN: TIED_WITHIN}  # the same page with what its first entry shares
READS = (TOP, AROUND, AROUNDS, WITHIN, *SHARED_SCRIPTS.values(), FIND, STAND, RANK)
SCRIPTS = (PLACE, *READS, READY, RECORD, REMOVE, BEGIN, FILL, FINISH, ABANDON)

_KINDS = {Ranking.ORDINAL: b"", Ranking.COMPETITION: b"competition", Ranking.DENSE: b"%d" % DENSE_PLACES}

T = TypeVar("T")

_unpack = msgspec.msgpack.Decoder(list[int]).decode


class RedisIndex:
    """See `leaderboard.index.Index`. `server` is a URL, or a Road that is shared.

    `lease_ms` is how long a rebuild may be silent before another takes over.
    """

    def __init__(self, server: str | Road, *, timeout_ms: int, retry_ms: int, prefix: str = "gl", lease_ms: int = LEASE_MS) -> None:
        road = Road(server) if isinstance(server, str) else server
        make = partial(RedisClient, retry_ms=retry_ms, unavailable=IndexUnavailable, scripts=SCRIPTS)
        self._client = make(road, timeout_ms=timeout_ms)
        # What takes a server ms is not to stand before a rank in a queue.
        # Its own breaker too: a rank that came late on a busy machine is no reason to give up a million entries.
        self._bulk = make(Road(road.url), timeout_ms=BULK_PATIENCE * timeout_ms)
        self._unrecorded: list[int] = []
        self._recording: asyncio.TimerHandle | None = None
        self._prefix = prefix
        self._lease = b"%d" % lease_ms

    @property
    def failures(self) -> int:
        """How many calls found Redis away, since the start; those that the breaker refused are not counted."""
        return self._client.breaker.failures + self._bulk.breaker.failures

    async def place(self, batch: Mapping[BoardId, Sequence[Entry]]) -> dict[BoardId, Placing | None]:
        if not batch:
            return {}
        records = self._take_records()
        places = [PLACE.command(self._keys_and_removed(board), _packed(entries)) for board, entries in batch.items()]
        replies = await self._client.pipeline([*records, *places])
        return {board: _placing(reply) for board, reply in zip(batch, replies[len(records) :], strict=True)}

    def record(self, session_ids: Iterable[int]) -> None:
        self._unrecorded += session_ids
        if self._recording is None:
            self._recording = asyncio.get_running_loop().call_later(RECORD_S, self._send_records)

    def _send_records(self) -> None:
        records = self._take_records()
        if records:
            self._client.send(records).add_done_callback(_heard)

    def _take_records(self) -> list[Command]:
        if self._recording is not None:
            self._recording.cancel()
            self._recording = None
        words, self._unrecorded = words_of(self._unrecorded), []
        return [self._record_command(chunk, words) for chunk, words in _by_chunk(words).items()]

    async def recorded(self, words: Sequence[int]) -> dict[int, int]:
        self._send_records()
        chunks = sorted({word // WORDS for word in words})
        bitmaps = dict(zip(chunks, await self._client.pipeline([(b"GET", self._chunk_key(chunk)) for chunk in chunks]), strict=True))
        return {word: _word(bitmaps[word // WORDS] or b"", word % WORDS) for word in words}

    async def top(self, board: BoardId, *, limit: int, offset: int = 0, ranking: Ranking = Ranking.ORDINAL) -> Page:
        """`limit` 0 .. PAGE_LIMIT, `offset` from 0; ValueError otherwise."""
        if not 0 <= limit <= PAGE_LIMIT or offset < 0:
            raise ValueError(f"no such page: limit {limit}, offset {offset}")
        return _page(await self._read_ranked(TOP, ranking, board, b"%d" % offset, b"%d" % limit))

    async def around(self, board: BoardId, user_id: int, *, limit: int, ranking: Ranking = Ranking.ORDINAL) -> Page | None:
        """`limit` 0 .. PAGE_LIMIT / 2 - 1; ValueError otherwise."""
        if not 0 <= limit < PAGE_LIMIT // 2:
            raise ValueError(f"no such neighbourhood: {limit}")
        reply = await self._read_ranked(AROUND, ranking, board, encode_number(user_id), b"%d" % limit)
        return _page(reply) if reply else None

    async def arounds(self, wanted: Mapping[BoardId, Sequence[tuple[int, int]]]) -> dict[BoardId, list[Around] | None]:
        """`limit` of each 0 .. AROUNDS_LIMIT; ValueError otherwise."""
        if not all(0 <= limit <= AROUNDS_LIMIT for pairs in wanted.values() for _, limit in pairs):
            raise ValueError("no such neighbourhood")
        parts = [(board, part) for board, pairs in wanted.items() for part in _chunks(pairs, AROUNDS_CHUNK)]
        commands = [AROUNDS.command(self._keys(board), _users_and_limits(part)) for board, part in parts]
        replies = await self._bulk.pipeline(commands) if commands else []  # a rank is not to wait behind a thousand of these
        found: dict[BoardId, list[Around] | None] = {board: [] for board in wanted}
        for (board, _), reply in zip(parts, replies, strict=True):
            held = found[board]
            found[board] = held + _arounds(reply) if held is not None and reply is not None else None
            await asyncio.sleep(0)  # decoding one takes 1 to 3 ms
        return found

    async def within(self, board: BoardId, low: int, high: int, *, limit: int, offset: int = 0, ranking: Ranking = Ranking.ORDINAL) -> Page:
        """`limit` 1 .. PAGE_LIMIT, `offset` from 0; ValueError otherwise."""
        if not 1 <= limit <= PAGE_LIMIT or offset < 0:
            raise ValueError(f"no such page: limit {limit}, offset {offset}")
        return _page(await self._read_ranked(WITHIN, ranking, board, *(b"%d" % number for number in (low, high, offset, limit))))

    async def find(self, wanted: Mapping[BoardId, Sequence[int]], *, ranking: Ranking = Ranking.ORDINAL) -> dict[BoardId, Found | None]:
        """1 .. PAGE_LIMIT different players a board; ValueError otherwise."""
        if not all(0 < len(user_ids) <= PAGE_LIMIT and len(set(user_ids)) == len(user_ids) for user_ids in wanted.values()):
            raise ValueError("no players, too many or one twice")
        kind = _KINDS[ranking]
        commands = [FIND.command(self._keys(board), (kind, *map(encode_number, user_ids))) for board, user_ids in wanted.items()]
        replies = await self._client.pipeline(commands) if commands else []
        return {board: _found(reply) for board, reply in zip(wanted, replies, strict=True)}

    async def stand(self, board: BoardId, value: tuple[int, int], *, apart_from: int | None = None) -> Standing:
        user = b"" if apart_from is None else encode_number(apart_from)
        others, rank, found, values = await self._read(STAND, board, b"%d" % value[0], b"%d" % value[1], user)
        return Standing(rank, others, decode(found[0], found[1], values[0]) if found else None)

    async def rank(self, board: BoardId, user_id: int) -> Page | None:
        reply = await self._read(RANK, board, encode_number(user_id))
        return _page(reply) if reply else None

    async def count(self, board: BoardId) -> int:
        return (await self.top(board, limit=0)).total

    async def remove(self, board: BoardId, user_ids: Sequence[int], *, until: int = 0) -> None:
        arguments = (b"%d" % until, b"%d" % REMOVED_S, *map(encode_number, user_ids))
        await self._client.call(REMOVE.command(self._keys_and_removed(board), arguments))

    async def ready(self, boards: Sequence[BoardId]) -> list[bool]:
        if not boards:
            return []
        return [reply == 1 for reply in await self._client.pipeline([READY.command(self._keys(board)) for board in boards])]

    async def rebuild(self, board: BoardId, read: Callable[[], AsyncIterator[list[Entry]]]) -> int | None:
        for _ in range(REBUILD_ATTEMPTS):
            generation = os.urandom(8).hex().encode()
            if not await self._bulk.call(BEGIN.command(self._keys(board), (generation, self._lease))):
                return None
            count = await self._rebuild_once(board, generation, read())
            if count is not None:
                return count
        raise IndexUnavailable(f"the rebuild of {board} was made to start again {REBUILD_ATTEMPTS} times")

    async def entries(self, board: BoardId, *, page: int = 1_000) -> AsyncIterator[list[Entry]]:
        offset, total = 0, 1
        while offset < total:
            found = _page(await self._read(TOP, board, b"%d" % offset, b"%d" % page, client=self._bulk))
            offset, total = offset + page, found.total
            if found.entries:
                yield list(found.entries)

    async def forget(self, boards: Sequence[BoardId]) -> None:
        if boards:
            await self._client.pipeline([(b"UNLINK", *self._keys(board)) for board in boards])

    async def forget_all(self) -> int:
        """By `players`: the key that exists as long as a board holds anything. What else speaks of these boards goes too."""
        for pattern in (b"%s:ledger:*", b"%s:{*}:*:removed"):
            async for keys in self._walk(pattern % self._prefix.encode()):
                if keys:
                    await self._bulk.call((b"UNLINK", *keys))
        forgotten: set[BoardId] = set()
        async for boards in self._boards():
            await self.forget(boards)
            forgotten.update(boards)
        return len(forgotten)

    async def boards(self) -> list[BoardId]:
        found: set[BoardId] = set()
        async for boards in self._boards():
            found.update(boards)
        return sorted(found)

    async def mark(self) -> Mark | None:
        held: bytes | None = await self._client.call((b"GET", self._mark_key))
        return msgspec.json.decode(held, type=Mark) if held is not None else None

    async def set_mark(self, mark: Mark) -> None:
        await self._client.call((b"SET", self._mark_key, msgspec.json.encode(mark)))

    async def server_run_id(self) -> str:
        found = re.search(rb"^run_id:(\w+)", await self._client.call((b"INFO", b"server")), re.MULTILINE)
        if found is None:
            raise IndexUnavailable("the server does not say its run id")
        return found[1].decode()

    async def ping(self) -> None:
        await self._client.call((b"PING",))

    async def aclose(self) -> None:
        self._send_records()
        await self._client.aclose()
        await self._bulk.aclose()

    @property
    def _mark_key(self) -> bytes:
        return b"%s:mark" % self._prefix.encode()

    def _keys(self, board: BoardId) -> tuple[bytes, bytes, bytes]:
        root = b"%s:{%d}:%d:" % (self._prefix.encode(), board.leaderboard_id, board.season)
        return root + b"state", root + b"order", root + b"players"

    def _keys_and_removed(self, board: BoardId) -> tuple[bytes, ...]:
        state, order, players = self._keys(board)
        return state, order, players, players[:-7] + b"removed"

    async def _read(self, script: Script, board: BoardId, *args: bytes, client: RedisClient | None = None) -> list[Any]:
        reply: list[Any] | None = await (client or self._client).call(script.command(self._keys(board), args))
        if reply is None:
            raise IndexCold(f"{board} is not complete")
        return reply

    async def _read_ranked(self, script: Script, ranking: Ranking, board: BoardId, *args: bytes) -> list[Any]:
        if ranking is Ranking.ORDINAL:
            return await self._read(script, board, *args)
        return await self._read(SHARED_SCRIPTS[script], board, *args, _KINDS[ranking])

    async def _rebuild_once(self, board: BoardId, generation: bytes, pages: AsyncIterator[list[Entry]]) -> int | None:
        """The number of entries read, None if the lease was lost on the way."""
        keys = self._keys(board)
        try:
            count = await self._fill(board, generation, pages)
            if count is None or not await self._bulk.call(FINISH.command(keys, (generation,))):
                return None
        except BaseException:
            with suppress(IndexUnavailable):
                await self._bulk.call(ABANDON.command(keys, (generation,)))
            raise
        finally:
            if isinstance(pages, AsyncGenerator):
                await pages.aclose()
        return count

    async def _fill(self, board: BoardId, generation: bytes, pages: AsyncIterator[list[Entry]]) -> int | None:
        """While Redis takes one part, the next is read and encoded: half the time of one after the other."""
        count = 0
        writing: asyncio.Task[bool] | None = None
        try:
            async for page in pages:
                for part in _chunks(page, FILL_CHUNK * FILL_CHUNKS):
                    commands = [self._fill_command(board, generation, chunk) for chunk in _chunks(part, FILL_CHUNK)]
                    if writing is not None and not await writing:
                        return None
                    writing = asyncio.create_task(self._written(commands))
                count += len(page)
            return count if writing is None or await writing else None
        finally:
            if writing is not None:
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)

    async def _written(self, commands: list[Command]) -> bool:
        return all(await self._bulk.pipeline(commands))

    def _fill_command(self, board: BoardId, generation: bytes, entries: Sequence[Entry]) -> Command:
        return FILL.command(self._keys(board), (generation, self._lease, *_packed(entries)))

    async def _boards(self) -> AsyncIterator[list[BoardId]]:
        """The boards that hold anything, by steps; one may come twice."""
        name = re.compile(rb"%s:\{(\d+)\}:(-?\d+):players" % re.escape(self._prefix.encode()))
        async for found in self._walk(b"*:{*}:*:players"):
            matches = [match for match in map(name.fullmatch, found) if match]
            yield [BoardId(int(match[1]), int(match[2])) for match in matches]

    async def _walk(self, pattern: bytes) -> AsyncIterator[list[bytes]]:
        """The keys of a pattern, by steps; one may come twice."""
        cursor = b"0"
        while True:
            cursor, found = await self._bulk.call((b"SCAN", cursor, b"MATCH", pattern, b"COUNT", b"%d" % FORGET_CHUNK))
            yield found
            if cursor == b"0":
                return

    def _chunk_key(self, chunk: int) -> bytes:
        return b"%s:ledger:{%d}" % (self._prefix.encode(), chunk)

    def _record_command(self, chunk: int, words: Mapping[int, int]) -> Command:
        args = (part for word, bits in words.items() for part in (b"%d" % (word % WORDS), b"%d" % bits))
        return RECORD.command((self._chunk_key(chunk),), (b"%d" % EXPIRES_S, *args))


def _by_chunk(words: Mapping[int, int]) -> dict[int, dict[int, int]]:
    chunks: dict[int, dict[int, int]] = {}
    for word, bits in words.items():
        chunks.setdefault(word >> CHUNK_BITS - WORD_BITS, {})[word] = bits
    return chunks


def _word(bitmap: bytes, place: int) -> int:
    return int.from_bytes(bitmap[4 * place : 4 * place + 4].ljust(4, b"\0"), "big")


def _heard(recording: "asyncio.Future[list[Any]]") -> None:
    """What could not be recorded the sweep writes again; the failure was counted."""
    if not recording.cancelled():
        recording.exception()


def _packed(entries: Sequence[Entry]) -> list[bytes]:
    return [part for entry in entries for part in encode(entry)]


def _chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _users_and_limits(pairs: Iterable[tuple[int, int]]) -> Iterator[bytes]:
    for user_id, limit in pairs:
        yield encode_number(user_id)
        yield b"%d" % limit


def _placing(reply: bytes | None) -> Placing | None:
    if reply is None:
        return None
    total, *ranks = _unpack(reply)
    return Placing(tuple([Placed(rank, previous or None) for rank, previous in zip(ranks[::2], ranks[1::2], strict=True)]), total)


def _page(reply: list[Any]) -> Page:
    total, first_rank, found, values, *shared = reply
    return Page(tuple(map(decode, found[::2], found[1::2], values)), first_rank, total, (shared[0] or None) if shared else None)


def _arounds(reply: list[Any]) -> list[Around]:
    total, *pages = reply
    return [Around(_page(page) if page else None, total) for page in pages]


def _found(reply: list[Any] | None) -> Found | None:
    if reply is None:
        return None
    total, members, values, ranks, shared = reply
    entries = map(decode, members[::2], members[1::2], values)
    return Found(tuple(map(Place, entries, ranks, [rank or None for rank in shared] or [None] * len(ranks))), total)
