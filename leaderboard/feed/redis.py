"""The feed in Redis. What must change together changes in one Lua script; see the *.lua files.

Keys, P being the prefix. The marks, in one slot:
- `P:{dirty}:boards`   hash leaderboard -> its latest mark, until it is settled;  `P:{dirty}:mark` the last mark given out
- `P:{dirty}:changed`  hash leaderboard -> its latest mark
- `P:{dirty}:scores`   hash leaderboard -> how many scores it took
- `P:{dirty}:bell`     exists while a rank update is on its way;  `P:{dirty}:rung_at` when it last was, or is to be, due
Who watches, in another:
- `P:{watching}:processes`  sorted set of processes by the ms until when their word counts
- `P:{watching}:of:{process}`  hash leaderboard -> watchers
A leaderboard's, `P:{leaderboard}:feed:` and
- `state`     the last State;  `position` its epoch and offset, for readers that want no more
- `frames`    list of the last frames, contiguous, the newest at `position`
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from leaderboard.feed import NO_SCORES, NOWHERE, Attendance, FeedUnavailable, Frame, Position, State, Watermark
from leaderboard.feed.asking import Asking
from leaderboard.redis_client import Command, RedisClient, Road, Script

HISTORY = 512  # frames kept a leaderboard: 51 s of a board that moves at every tick of 100 ms

_FOLDER = Path(__file__).parent
RING = Script(_FOLDER, "marks.lua", "ring.lua")
STAMP = Script(_FOLDER, "marks.lua", "stamp.lua")
SETTLE = Script(_FOLDER, "settle.lua")
PUBLISH = Script(_FOLDER, "publish.lua")
SINCE = Script(_FOLDER, "since.lua")
ATTEND = Script(_FOLDER, "attend.lua")

logger = logging.getLogger(__name__)


class RedisFeed:
    """See `leaderboard.feed.Feed`. `server` is a URL, or a Road that is shared: then calls of its clients keep their order.

    `tick_ms` is how close two bells may follow; `history` how many frames are kept.
    """

    def __init__(
        self, server: str | Road, *, tick_ms: int, timeout_ms: int, retry_ms: int, prefix: str = "gl", history: int = HISTORY
    ) -> None:
        self._client = RedisClient(
            server,
            timeout_ms=timeout_ms,
            retry_ms=retry_ms,
            unavailable=FeedUnavailable,
            scripts=(RING, STAMP, SETTLE, PUBLISH, SINCE, ATTEND),
        )
        self._tick = b"%d" % tick_ms
        self._history = b"%d" % history
        self._prefix = prefix.encode()
        self._dirty, self._changed, self._mark, self._bell, self._rung_at, self._scores = (
            b"%s:{dirty}:%s" % (self._prefix, name) for name in (b"boards", b"changed", b"mark", b"bell", b"rung_at", b"scores")
        )
        self._processes = b"%s:{watching}:processes" % self._prefix
        self._positions: dict[int, Command] = {}  # how to ask for them
        self._asked: dict[int, list[asyncio.Future[Position]]] = {}  # of this turn of the loop: who waits for one
        self._asking = Asking(self._read_watermarks)

    @property
    def failures(self) -> int:
        """How many calls found Redis away, since the start; those that the breaker refused are not counted."""
        return self._client.breaker.failures

    async def mark_dirty(self, leaderboards: Sequence[int], *, scores: Mapping[int, int] = NO_SCORES) -> int | None:
        if not leaderboards:
            return None
        keys = (self._dirty, self._changed, self._mark, self._bell, self._rung_at, self._scores)
        told = [b"%d" % number for leaderboard in leaderboards for number in (leaderboard, scores.get(leaderboard, 0))]
        delay: int = await self._client.call(RING.command(keys, (self._tick, *told)))
        return None if delay < 0 else delay

    async def take_bell(self) -> None:
        await self._client.call((b"DEL", self._bell))

    async def dirty(self) -> Mapping[int, int]:
        flat = await self._client.call((b"HGETALL", self._dirty))
        return {int(leaderboard): int(mark) for leaderboard, mark in zip(flat[::2], flat[1::2], strict=True)}

    async def settle(self, leaderboard: int, mark: int) -> bool:
        reply: int = await self._client.call(SETTLE.command((self._dirty,), (b"%d" % leaderboard, b"%d" % mark)))
        return reply == 1

    def ask_watermark(self, leaderboard: int, told: Callable[[Watermark | None], None]) -> None:
        self._asking.ask(leaderboard, told)

    async def watermark(self, leaderboard: int) -> Watermark:
        future: asyncio.Future[Watermark | None] = asyncio.get_running_loop().create_future()
        self.ask_watermark(leaderboard, lambda found: None if future.done() else future.set_result(found))
        found = await future
        if found is None:
            raise FeedUnavailable("Redis did not tell the watermark")
        return found

    async def marks(self, leaderboards: Sequence[int]) -> list[bytes]:
        if not leaderboards:
            return []
        held = await self._client.call((b"HMGET", self._changed, *(b"%d" % leaderboard for leaderboard in leaderboards)))
        return [mark or b"" for mark in held]

    async def attend(self, process: str, watching: Mapping[int, int], *, asked: Sequence[int], life_ms: int) -> list[Attendance]:
        name, root = process.encode(), b"%s:{watching}:of:" % self._prefix
        said = [b"%d" % number for pair in watching.items() for number in pair]
        boards = [b"%d" % leaderboard for leaderboard in asked]
        commands = [ATTEND.command((self._processes, root + name), (name, root, b"%d" % life_ms, b"%d" % len(watching), *said, *boards))]
        if boards:
            commands.append((b"HMGET", self._scores, *boards))
        watched, *counted = await self._client.pipeline(commands)
        return [Attendance(count, int(scores or 0)) for count, scores in zip(watched, counted[0] if counted else (), strict=True)]

    def ask_position(self, leaderboard: int) -> "asyncio.Future[Position]":
        loop = asyncio.get_running_loop()
        asked: asyncio.Future[Position] = loop.create_future()  # one each: whoever is cancelled cancels his own
        waiting = self._asked.get(leaderboard)
        if waiting is not None:
            waiting.append(asked)
            return asked
        if not self._asked:
            loop.call_soon(self._asked.clear)
        waiting = self._asked[leaderboard] = [asked]
        self._client.send((self._position_command(leaderboard),)).add_done_callback(partial(_tell_position, waiting))
        return asked

    async def position(self, leaderboard: int) -> Position:
        return (await self.positions((leaderboard,)))[0]

    async def positions(self, leaderboards: Sequence[int]) -> list[Position]:
        if not leaderboards:
            return []
        return [_position(reply) for reply in await self._client.pipeline([*map(self._position_command, leaderboards)])]

    async def state(self, leaderboard: int) -> State | None:
        stored: bytes | None = await self._client.call((b"GET", self._key(leaderboard, b"state")))
        if stored is None:
            return None
        try:
            return _decode_state(stored)
        except msgspec.DecodeError as error:
            # Written by another release. Dropped as a whole, so that the next publish can begin anew from NOWHERE.
            logger.warning("feed of leaderboard %d is not readable and is dropped: %s", leaderboard, error)
            await self.forget(leaderboard)
            return None

    async def publish(self, leaderboard: int, *, after: Position, state: State, frame: Frame) -> bool:
        _check_numbers(after, state, frame)
        args = (
            *(after.epoch.encode(), b"%d" % after.offset),
            *(frame.epoch.encode(), b"%d" % frame.offset),
            *(_encode(state), _encode(frame)),
            *(b"1" if frame.resets else b"0", self._history),
        )
        keys = [self._key(leaderboard, name) for name in (b"state", b"position", b"frames")]
        reply: int = await self._client.call(PUBLISH.command(keys, args))
        return reply == 1

    async def frames_since(self, leaderboard: int, position: Position) -> list[Frame] | None:
        keys = [self._key(leaderboard, name) for name in (b"position", b"frames")]
        reply = await self._client.call(SINCE.command(keys, (position.epoch.encode(), b"%d" % position.offset)))
        if reply is None:
            return None
        try:
            return [_decode_frame(stored) for stored in reply]
        except msgspec.DecodeError as error:
            logger.warning("feed frames of leaderboard %d are not readable: %s", leaderboard, error)
            return None

    async def forget(self, leaderboard: int) -> None:
        await self._client.call((b"UNLINK", *(self._key(leaderboard, name) for name in (b"state", b"position", b"frames"))))

    async def ping(self) -> None:
        await self._client.call((b"PING",))

    async def aclose(self) -> None:
        await self._client.aclose()

    def _read_watermarks(self, leaderboards: Sequence[int], told: Callable[[Mapping[int, Watermark]], None]) -> None:
        """One round trip, and a second one if any has no mark yet. `told` gets nothing while Redis is away."""

        def answered(replies: "asyncio.Future[list[Any]]") -> None:
            if replies.exception() is not None:
                told({})
                return
            marks, *positions = replies.result()
            if None in marks:
                self._stamp(leaderboards, positions, told)
            else:
                told(_watermarks(leaderboards, marks, positions))

        changed = (b"HMGET", self._changed, *(b"%d" % leaderboard for leaderboard in leaderboards))
        self._client.send((changed, *map(self._position_command, leaderboards))).add_done_callback(answered)

    def _stamp(self, leaderboards: Sequence[int], positions: list[Any], told: Callable[[Mapping[int, Watermark]], None]) -> None:
        def answered(replies: "asyncio.Future[list[Any]]") -> None:
            told({} if replies.exception() is not None else _watermarks(leaderboards, replies.result()[0], positions))

        stamp = STAMP.command((self._changed, self._mark), (b"%d" % leaderboard for leaderboard in leaderboards))
        self._client.send((stamp,)).add_done_callback(answered)

    def _position_command(self, leaderboard: int) -> Command:
        command = self._positions.get(leaderboard)
        if command is None:
            command = self._positions[leaderboard] = (b"HMGET", self._key(leaderboard, b"position"), b"epoch", b"offset")
        return command

    def _key(self, leaderboard: int, name: bytes) -> bytes:
        return b"%s:{%d}:feed:%s" % (self._prefix, leaderboard, name)


def _position(reply: list[Any]) -> Position:
    epoch, offset = reply
    return Position(epoch.decode(), int(offset)) if epoch and offset else NOWHERE


def _tell_position(waiting: "list[asyncio.Future[Position]]", replies: "asyncio.Future[list[Any]]") -> None:
    position = _position(replies.result()[0]) if replies.exception() is None else NOWHERE
    for asked in waiting:
        if not asked.done():
            asked.set_result(position)


def _watermarks(leaderboards: Sequence[int], marks: list[bytes], positions: list[Any]) -> dict[int, Watermark]:
    return {
        leaderboard: Watermark(mark, _position(position))
        for leaderboard, mark, position in zip(leaderboards, marks, positions, strict=True)
    }


_encode = msgspec.msgpack.encode
_decode_state = msgspec.msgpack.Decoder(State).decode
_decode_frame = msgspec.msgpack.Decoder(Frame).decode


def _check_numbers(after: Position, state: State, frame: Frame) -> None:
    """A publisher that numbers wrongly is a defect, not an outcome."""
    if state.position != (frame.epoch, frame.offset) or not frame.epoch:
        raise ValueError(f"frame {frame.epoch}/{frame.offset} does not lead to state {state.epoch}/{state.offset}")
    if frame.epoch == after.epoch and frame.offset != after.offset + 1:
        raise ValueError(f"offset {frame.offset} does not follow {after.offset}")
    if frame.epoch != after.epoch and not frame.resets:
        raise ValueError("a new epoch begins with a frame that resets")
