"""The buckets of a process, and their questions to Redis; see `leaderboard.throttle` for what they promise.

Keys, P being the prefix: `P:{route class}:{subject}`, a number that runs out when the bucket is full.
"""

import asyncio
import math
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from leaderboard import metrics
from leaderboard.domain import throttle
from leaderboard.domain.errors import RateLimited
from leaderboard.domain.throttle import Rate, Taken
from leaderboard.redis_client import RedisClient, Road, Script

LEASE_S = 0.05  # of the rate: 20 questions a second at the most, and what a process that dies takes with it
BUCKETS_HELD = 10_000  # in use; as many of before are kept: some 5 MB in all
STEPS = 100  # of what an answer tells is left: so that the headers of a busy bucket are of few kinds, and kept

Headers = tuple[tuple[bytes, bytes], ...]

TAKE = Script(Path(__file__).parent, "take.lua")


class ThrottleUnavailable(Exception):
    """Redis did not answer in time."""


class Throttle:
    """A process's buckets. Belongs to one event loop. `monotonic` is in seconds."""

    def __init__(self, road: Road, *, timeout_ms: int, retry_ms: int, monotonic: Callable[[], float], prefix: str = "gl:limit") -> None:
        self.client = RedisClient(road, timeout_ms=timeout_ms, retry_ms=retry_ms, unavailable=ThrottleUnavailable, scripts=(TAKE,))
        self.monotonic = monotonic
        self._prefix = prefix.encode()
        self._buckets: dict[tuple[str, str], Bucket] = {}
        self._before: dict[tuple[str, str], Bucket] = {}

    def bucket(self, route_class: str, subject: str, rate: Rate) -> "Bucket":
        """`subject` begins with its kind and a colon."""
        named = (route_class, subject)
        return self._buckets.get(named) or self._found(named, rate)

    def _found(self, named: tuple[str, str], rate: Rate) -> "Bucket":
        bucket = self._before.get(named) or Bucket(self, b"%b:%b:%b" % (self._prefix, *(part.encode() for part in named)), named, rate)
        if len(self._buckets) >= BUCKETS_HELD:
            self._before, self._buckets = self._buckets, {}
        self._buckets[named] = bucket
        return bucket

    async def aclose(self) -> None:
        """Close the running loop's connection, for all who share it."""
        await self.client.aclose()


class Bucket:
    """One of the shared buckets, as this process knows it."""

    __slots__ = (
        *("_ahead", "_asking", "_full_at", "_key", "_low", "_named", "_throttle", "_waiters", "_wanted", "held", "rate"),
        *("_lines", "_step", "_told"),
    )

    def __init__(self, of: Throttle, key: bytes, named: tuple[str, str], rate: Rate) -> None:
        self._throttle, self._key, self._named, self.rate = of, key, named, rate
        self._ahead = min(rate.burst // 2, int(rate.per_s * LEASE_S))
        self._low = self._ahead // 2
        self.held = 0  # tokens of this process's own
        self._full_at = -math.inf  # by this process's clock, as far as it knows: others may have taken since
        self._asking = False
        self._step = max(1, rate.burst // STEPS)
        self._told: tuple[int, int] | None = None
        self._lines: Headers = ()
        self._wanted = 0  # tokens that somebody waits for
        self._waiters: list[asyncio.Future[None]] = []

    def spend(self, tokens: int = 1) -> bool:
        """Take tokens of the lease; False if it does not have as many."""
        if self.held < tokens:
            return False
        self.held -= tokens
        if self.held < self._low and not self._asking:
            self._ask(0)
        return True

    async def take(self, tokens: int = 1, *, of: int = 1) -> None:
        """Take tokens; waits for Redis where the lease does not do. Raises RateLimited.

        `of` is what a request needs in all, if it has taken some already: more than the burst is refused whatever is left.
        """
        if max(of, tokens) > self.rate.burst:
            self._refuse(f"At most {self.rate.burst} at once.", throttle.wait_us(self.rate, self._debt(), need=self.rate.burst))
        while not self.spend(tokens):
            self._check(tokens)
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            self._wanted += tokens
            try:
                if not self._asking:
                    self._ask(tokens - self.held)
                await waiter
            finally:
                self._wanted -= tokens

    def headers(self) -> Headers:
        """`RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers), as it stands now."""
        rate, debt_s = self.rate, max(0.0, self._full_at - self._throttle.monotonic())
        left = min(rate.burst, self.held + max(0, rate.burst - math.ceil(debt_s * rate.per_s)))
        told = (left - left % self._step, math.ceil(debt_s))
        if told != self._told:
            self._told, self._lines = told, _headers(self._named[0], rate, *told)
        return self._lines

    def _debt(self) -> int:
        """At the least: what others took since the last answer is not in it."""
        return max(0, math.ceil((self._full_at - self._throttle.monotonic()) * 1_000_000)) if self._full_at > -math.inf else 0

    def _check(self, tokens: int) -> None:
        """Refuse without a question what the shared bucket can't have either. Raises RateLimited."""
        rate = self.rate
        wait = throttle.wait_us(rate, self._debt(), need=tokens - self.held)
        if wait > 0:
            self._refuse(f"{rate.per_s:g} a second, {rate.burst} at once.", wait)

    def _refuse(self, detail: str, wait_us: int) -> None:
        route_class, subject = self._named
        metrics.RATE_LIMITED.add(route_class, subject.partition(":")[0])
        raise RateLimited(detail, retry_after_s=max(1, math.ceil(wait_us / 1_000_000)))

    # --- Questions -----------------------------------------------------------------------------------------------------------

    def _ask(self, need: int) -> None:
        """For what is needed now, and a lease, or what the others who wait need."""
        self._asking = True
        ahead = max(self._ahead, self._wanted - need)
        numbers = (self.rate.per_s, self.rate.burst, need, ahead)
        answer = self._throttle.client.send((TAKE.command((self._key,), [b"%a" % number for number in numbers]),))
        answer.add_done_callback(partial(self._answered, self._throttle.monotonic(), need, ahead))

    def _answered(self, asked_at: float, need: int, ahead: int, answer: "asyncio.Future[list[Any]]") -> None:
        """While Redis is away this process's own bucket answers."""
        if not answer.cancelled() and answer.exception() is None:
            taken = Taken(*answer.result()[0])
        else:
            taken = throttle.take(self.rate, self._debt(), need=need, ahead=ahead)
            asked_at = self._throttle.monotonic()
        self.held += taken.granted
        self._full_at = asked_at + taken.debt_us / 1_000_000
        self._asking = False
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


@lru_cache(maxsize=4096)
def _headers(route_class: str, rate: Rate, left: int, full_in_s: int) -> Headers:
    window = math.ceil(rate.burst / rate.per_s)
    return (
        (b"ratelimit-policy", b'"%b";q=%d;w=%d' % (route_class.encode(), rate.burst, window)),
        (b"ratelimit", b'"%b";r=%d;t=%d' % (route_class.encode(), left, full_in_s)),
    )
