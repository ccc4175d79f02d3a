"""Encoded answers, held as long as the board stands where it stood.

An answer is kept under a token that was read before its data (see `leaderboard.feed`, watermarks), and it is given to a read only
if the token, read after that read had come, is the same. A submit moves the token after it is in the index and before
it is answered, so a read that begins after a submit's answer shows the submit, whichever process took it.

What a token does not tell is bounded by KEEP_S: a mark that was lost because Redis failed between a submit's place and its mark.
"""

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from functools import partial
from typing import NamedTuple

import msgspec

from leaderboard import metrics
from leaderboard.domain.errors import StoreUnavailable
from leaderboard.feed import Feed, Watermark

log = logging.getLogger(__name__)

KEEP_S = 1.0
HELD = 4_096  # answers, and
HELD_BYTES = 32 * 2**20  # of bodies: 250 of a thousand rows, 20,000 of ten
FILL_S = 10.0  # each wait of a fill has its time; this ends what hangs all the same

_encode = msgspec.json.Encoder().encode
_count = metrics.ANSWERS.add


class Encoded(NamedTuple):
    """A body as JSON, and its entity tag: a digest of the bytes, so the same in every process."""

    body: bytes
    tag: bytes


Told = Callable[[Encoded | BaseException], None]
Fill = Callable[[Watermark | None], Awaitable[Encoded]]
Token = tuple[Hashable, ...]


class Wanted(NamedTuple):
    """What is asked for."""

    leaderboard: int
    key: Hashable  # names the answer among all
    state: Hashable  # names what it is made from besides the leaderboard's entries


class _Kept(NamedTuple):
    token: Token
    until: float
    answer: Encoded


class _Flight(NamedTuple):
    """A fill under way, and who waits for it."""

    token: Token
    until: float
    waiting: list[Told]


def encoded(answer: object) -> Encoded:
    body = _encode(answer)
    return Encoded(body, b'"%b"' % hashlib.blake2b(body, digest_size=12).hexdigest().encode())


class Answers:
    """For one event loop at a time."""

    def __init__(
        self, feed: Feed, *, held: int = HELD, held_bytes: int = HELD_BYTES, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._feed, self._monotonic = feed, monotonic
        self._held, self._held_bytes = held, held_bytes
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()  # the one used longest ago first
        self._bytes = 0
        self._flights: dict[Hashable, _Flight] = {}  # the youngest of each key
        self._tasks: set[asyncio.Task[Encoded]] = set()  # the loop itself holds them weakly

    def find(self, wanted: Wanted, fill: Fill, told: Told) -> None:
        """Tell the answer, later: the one that is held, or what `fill` makes of data that it reads when it is called.

        Those who find the board at the same token share a fill. While Redis is away each has its own, which is not kept.
        """
        self._feed.ask_watermark(wanted.leaderboard, partial(self._marked, wanted, fill, told))

    def _marked(self, wanted: Wanted, fill: Fill, told: Told, watermark: Watermark | None) -> None:
        if watermark is None:
            _count("away")
            self._start(fill(None), partial(_tell, told))
            return
        token, now = (watermark, wanted.state), self._monotonic()
        kept = self._kept.get(wanted.key)
        if kept is not None and kept.token == token and now < kept.until:
            self._kept.move_to_end(wanted.key)
            _count("hit")
            told(kept.answer)
            return
        flight = self._flights.get(wanted.key)
        if flight is not None and flight.token == token and now < flight.until:
            _count("shared")
            flight.waiting.append(told)
            return
        _count("filled")
        flight = self._flights[wanted.key] = _Flight(token, now + KEEP_S, [told])
        self._start(fill(watermark), partial(self._landed, wanted.key, flight))

    def _landed(self, key: Hashable, flight: _Flight, outcome: Encoded | BaseException) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
            if isinstance(outcome, Encoded):
                self._keep(key, _Kept(flight.token, flight.until, outcome))
        for told in flight.waiting:
            _tell(told, outcome)

    def _keep(self, key: Hashable, kept: _Kept) -> None:
        self._drop(key)
        self._kept[key] = kept
        self._bytes += len(kept.answer.body)
        while len(self._kept) > self._held or self._bytes > self._held_bytes:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: Hashable) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._bytes -= len(kept.answer.body)

    def _start(self, work: Awaitable[Encoded], told: Told) -> None:
        task = asyncio.get_running_loop().create_task(_in_time(work))
        self._tasks.add(task)
        task.add_done_callback(partial(self._done, told))

    def _done(self, told: Told, task: asyncio.Task[Encoded]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            told(StoreUnavailable("The process is stopping."))
        else:
            told(task.exception() or task.result())


def _tell(told: Told, outcome: Encoded | BaseException) -> None:
    try:
        told(outcome)
    except Exception:
        log.exception("one of those who asked failed")  # the others still get their answer


async def _in_time(work: Awaitable[Encoded]) -> Encoded:
    async with asyncio.timeout(FILL_S):
        return await work
