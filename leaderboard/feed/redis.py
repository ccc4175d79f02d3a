"""The feed in Redis. What must change together changes in one Lua script; see the *.lua files.

Keys, P being the prefix. The marks, in one slot:
- `P:{dirty}:boards`   hash leaderboard -> its latest mark;  `P:{dirty}:mark` the last mark given out
- `P:{dirty}:bell`     exists while a rank update is on its way;  `P:{dirty}:rung_at` when it last was, or is to be, due
A leaderboard's, `P:{leaderboard}:feed:` and
- `state`     the last State;  `position` its epoch and offset, for readers that want no more
- `frames`    list of the last frames, contiguous, the newest at `position`
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from leaderboard.feed import NOWHERE, FeedUnavailable, Frame, Position, State
from leaderboard.redis_client import RedisClient, Script

HISTORY = 512  # frames kept a leaderboard: 51 s of a board that moves at every tick of 100 ms

_FOLDER = Path(__file__).parent
RING = Script(_FOLDER, "ring.lua")
SETTLE = Script(_FOLDER, "settle.lua")
PUBLISH = Script(_FOLDER, "publish.lua")
SINCE = Script(_FOLDER, "since.lua")

logger = logging.getLogger(__name__)


class RedisFeed:
    """See `leaderboard.feed.Feed`. `tick_ms` is how close two bells may follow; `history` how many frames are kept."""

    def __init__(self, url: str, *, tick_ms: int, timeout_ms: int, retry_ms: int, prefix: str = "gl", history: int = HISTORY) -> None:
        self._client = RedisClient(
            url, timeout_ms=timeout_ms, retry_ms=retry_ms, unavailable=FeedUnavailable, scripts=(RING, SETTLE, PUBLISH, SINCE)
        )
        self._tick = b"%d" % tick_ms
        self._history = b"%d" % history
        self._prefix = prefix.encode()
        self._dirty, self._mark, self._bell, self._rung_at = (
            b"%s:{dirty}:%s" % (self._prefix, name) for name in (b"boards", b"mark", b"bell", b"rung_at")
        )

    @property
    def failures(self) -> int:
        """How many calls found Redis away, since the start; those that the breaker refused are not counted."""
        return self._client.breaker.failures

    async def mark_dirty(self, leaderboards: Sequence[int]) -> int | None:
        if not leaderboards:
            return None
        keys = (self._dirty, self._mark, self._bell, self._rung_at)
        delay: int = await self._client.call(RING.command(keys, (self._tick, *(b"%d" % leaderboard for leaderboard in leaderboards))))
        return None if delay < 0 else delay

    async def take_bell(self) -> None:
        await self._client.call((b"DEL", self._bell))

    async def dirty(self) -> Mapping[int, int]:
        flat = await self._client.call((b"HGETALL", self._dirty))
        return {int(leaderboard): int(mark) for leaderboard, mark in zip(flat[::2], flat[1::2], strict=True)}

    async def settle(self, leaderboard: int, mark: int) -> bool:
        reply: int = await self._client.call(SETTLE.command((self._dirty,), (b"%d" % leaderboard, b"%d" % mark)))
        return reply == 1

    async def position(self, leaderboard: int) -> Position:
        return (await self.positions((leaderboard,)))[0]

    async def positions(self, leaderboards: Sequence[int]) -> list[Position]:
        if not leaderboards:
            return []
        replies = await self._client.pipeline(
            [(b"HMGET", self._key(leaderboard, b"position"), b"epoch", b"offset") for leaderboard in leaderboards]
        )
        return [Position(epoch.decode(), int(offset)) if epoch and offset else NOWHERE for epoch, offset in replies]

    async def state(self, leaderboard: int) -> State | None:
        stored: bytes | None = await self._client.call((b"GET", self._key(leaderboard, b"state")))
        if stored is None:
            return None
        try:
            return _decode_state(stored)
        except msgspec.DecodeError as error:
            # Written by another release. Dropped as a whole, so that the next publish can begin anew from NOWHERE.
            logger.warning("feed of leaderboard %d is not readable and is dropped: %s", leaderboard, error)
            await self._client.call((b"UNLINK", *(self._key(leaderboard, name) for name in (b"state", b"position", b"frames"))))
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

    async def ping(self) -> None:
        await self._client.call((b"PING",))

    async def aclose(self) -> None:
        await self._client.aclose()

    def _key(self, leaderboard: int, name: bytes) -> bytes:
        return b"%s:{%d}:feed:%s" % (self._prefix, leaderboard, name)


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
