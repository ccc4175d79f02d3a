"""The buckets that processes share: against real Redis, and without it."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leaderboard import metrics
from leaderboard.domain import throttle as rule
from leaderboard.domain.errors import RateLimited
from leaderboard.domain.throttle import Rate
from leaderboard.redis_client import Road
from leaderboard.throttle import redis
from leaderboard.throttle.redis import TAKE, Bucket, Throttle
from tests.servers.redis import RedisServer, start_redis

SLOW = Rate(0.001, 100)  # nothing comes back while a test runs, and nobody takes ahead
FAST = Rate(2_000.0, 2_000)  # a lease of 100


class Clock:
    def __init__(self) -> None:
        self.offset = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.offset


@asynccontextmanager
async def process(url: str, *, timeout_ms: int = 5_000) -> AsyncIterator[Throttle]:
    """The buckets of a process."""
    throttle = Throttle(Road(url), timeout_ms=timeout_ms, retry_ms=0, monotonic=Clock())
    try:
        yield throttle
    finally:
        await throttle.aclose()


@pytest.fixture
async def throttle(redis_url: str) -> AsyncIterator[Throttle]:
    async with process(redis_url) as throttle:
        yield throttle


@pytest.fixture
def own_server() -> Iterator[RedisServer]:
    server = start_redis()
    yield server
    server.stop()


async def let_through(bucket: Bucket, requests: int, tokens: int = 1) -> int:
    """How many of requests that come at once are not refused."""
    outcomes = await asyncio.gather(*(bucket.take(tokens) for _ in range(requests)), return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, RateLimited)]
    assert all(outcome is None or isinstance(outcome, RateLimited) for outcome in outcomes)
    return requests - len(refused)


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(
    rate=st.builds(Rate, st.floats(0.001, 1_000_000), st.integers(1, 1_000_000)),
    debt=st.integers(-10, 10**10),
    need=st.integers(0, 3_000),
    ahead=st.integers(0, 3_000),
)
def test_the_script_takes_as_its_pure_twin_does(redis_server: RedisServer, rate: Rate, debt: int, need: int, ahead: int) -> None:
    from redis import Redis

    with Redis.from_url(redis_server.url) as server:
        key = b"twin"
        seconds, micros = server.time()
        server.set(key, seconds * 1_000_000 + micros + debt)
        together = server.pipeline(transaction=True)  # else what is full again in a moment is gone before it is looked at
        together.eval(TAKE.source, 1, key, *(f"{number!a}" for number in (rate.per_s, rate.burst, need, ahead)))
        (granted, left), held = together.get(key).execute()
        full_at = int(held or 0)
        was = min(rate.cost_us(rate.burst), max(0, seconds * 1_000_000 + micros + debt - (full_at - left)) if granted else left)
        assert (granted, left) == rule.take(rate, was, need=need, ahead=ahead)
        server.delete(key)


async def test_a_bucket_gives_its_burst_and_no_more(throttle: Throttle) -> None:
    bucket = throttle.bucket("read", "address:1", SLOW)
    assert await let_through(bucket, 150) == 100
    with pytest.raises(RateLimited) as refused:
        await bucket.take()
    assert 990 <= refused.value.retry_after_s <= 1_000
    assert await let_through(throttle.bucket("read", "address:2", SLOW), 1) == 1
    assert await let_through(throttle.bucket("auth", "address:1", SLOW), 1) == 1


async def test_a_batch_takes_as_many_as_it_has_or_none(throttle: Throttle) -> None:
    bucket = throttle.bucket("submit", "player:1", SLOW)
    assert await let_through(bucket, 1, tokens=90) == 1
    assert await let_through(bucket, 1, tokens=11) == 0
    assert await let_through(bucket, 1, tokens=10) == 1
    with pytest.raises(RateLimited, match="At most 100 at once"):
        await bucket.take(101)


async def test_two_processes_let_through_what_the_bucket_holds_and_not_one_more_where_there_is_no_lease(redis_url: str) -> None:
    async with process(redis_url) as one, process(redis_url) as other:
        buckets = [throttle.bucket("submit", "player:1", SLOW) for throttle in (one, other)]
        assert sum(await asyncio.gather(*(let_through(bucket, 200) for bucket in buckets))) == 100


@pytest.mark.slow
async def test_two_processes_let_through_more_than_the_bucket_by_no_more_than_their_leases(redis_url: str) -> None:
    async with process(redis_url) as one, process(redis_url) as other:
        buckets = [throttle.bucket("submit", "key:1", FAST) for throttle in (one, other)]
        for bucket in buckets:
            await bucket.take()
        leases = sum(bucket.held for bucket in buckets)
        assert 0 < leases <= 2 * FAST.per_s * redis.LEASE_S
        began, passed = time.monotonic(), 0
        while time.monotonic() - began < 0.5:
            passed += sum(await asyncio.gather(*(let_through(bucket, 300) for bucket in buckets)))
        held_since = leases
        assert passed <= FAST.burst + FAST.per_s * (time.monotonic() - began) + held_since
        assert passed >= FAST.burst


async def test_a_lease_is_spent_without_a_question(throttle: Throttle, redis_server: RedisServer) -> None:
    bucket = throttle.bucket("submit", "key:1", FAST)
    await bucket.take()
    asked = _calls(redis_server)
    assert all(bucket.spend() for _ in range(50))
    await asyncio.sleep(0)
    assert _calls(redis_server) == asked


async def test_a_lease_is_made_up_before_it_runs_out(throttle: Throttle) -> None:
    bucket = throttle.bucket("submit", "key:1", FAST)
    await bucket.take()
    for _ in range(1_000):
        assert bucket.spend(), "a request had to wait"
        while bucket.held < 50:
            await asyncio.sleep(0)


async def test_many_who_wait_for_one_bucket_ask_together(throttle: Throttle, redis_server: RedisServer) -> None:
    before = _calls(redis_server)
    assert await let_through(throttle.bucket("read", "address:1", SLOW), 100) == 100
    assert _calls(redis_server) - before <= 3  # the first alone, then the others; and once the script was unknown


async def test_an_empty_bucket_is_not_asked_again_and_again(throttle: Throttle, redis_server: RedisServer) -> None:
    bucket = throttle.bucket("read", "address:1", SLOW)
    await let_through(bucket, 101)
    asked = _calls(redis_server)
    assert await let_through(bucket, 1_000) == 0
    assert _calls(redis_server) == asked


def _calls(server: RedisServer) -> int:
    found = [line for line in server.command("INFO", "commandstats").splitlines() if line.startswith("cmdstat_evalsha:")]
    return int(found[0].split("calls=")[1].split(",")[0]) if found else 0


async def test_time_fills_it_again(throttle: Throttle) -> None:
    rate = Rate(50, 2)
    bucket = throttle.bucket("read", "address:1", rate)
    assert await let_through(bucket, 5) == 2
    async with asyncio.timeout(10):
        while await let_through(bucket, 1) == 0:
            await asyncio.sleep(0.005)


async def test_a_caller_that_is_cancelled_takes_nobody_along(throttle: Throttle) -> None:
    bucket = throttle.bucket("read", "address:1", SLOW)
    calls = [asyncio.create_task(bucket.take()) for _ in range(10)]
    await asyncio.sleep(0)
    for call in calls[::2]:
        call.cancel()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert outcomes[1::2] == [None] * 5


async def test_a_bucket_that_is_full_again_leaves_nothing_in_redis(throttle: Throttle, redis_server: RedisServer) -> None:
    await throttle.bucket("read", "address:1", SLOW).take()
    assert 0 < int(redis_server.command("PTTL", "gl:limit:read:address:1")) <= 1_000_001


# --- Without Redis ---------------------------------------------------------------------------------------------------------


async def test_with_redis_away_each_process_has_a_bucket_of_its_own_at_the_same_rate(own_server: RedisServer) -> None:
    async with process(own_server.url, timeout_ms=500) as throttle:
        bucket = throttle.bucket("read", "address:1", SLOW)
        assert await let_through(bucket, 30) == 30
        own_server.kill()
        assert await let_through(bucket, 200) == 70
        assert await let_through(throttle.bucket("read", "address:2", SLOW), 200) == 100
        clock: Any = throttle.monotonic
        clock.offset += 10_000.0
        assert await let_through(bucket, 20) == 10


async def test_a_redis_that_hangs_holds_a_request_up_once(own_server: RedisServer) -> None:
    throttle = Throttle(Road(own_server.url), timeout_ms=100, retry_ms=60_000, monotonic=time.monotonic)
    bucket = throttle.bucket("read", "address:1", SLOW)
    await bucket.take()
    own_server.pause()
    try:
        assert await let_through(bucket, 200) == 99
        assert throttle.client.breaker.failures == 1
    finally:
        own_server.resume()
        await throttle.aclose()


# --- What is told ------------------------------------------------------------------------------------------------------------


async def test_the_headers_say_the_policy_and_what_is_left(throttle: Throttle) -> None:
    bucket = throttle.bucket("submit", "player:1", Rate(10, 40))
    assert bucket.headers() == ((b"ratelimit-policy", b'"submit";q=40;w=4'), (b"ratelimit", b'"submit";r=40;t=0'))
    await bucket.take(39)
    assert bucket.headers()[1][1] in (b'"submit";r=1;t=4', b'"submit";r=2;t=4')


async def test_a_large_bucket_tells_what_is_left_in_steps_and_never_too_much(throttle: Throttle) -> None:
    bucket = throttle.bucket("submit", "key:1", Rate(0.001, 40_000))
    await bucket.take(250)
    assert bucket.headers()[1][1].startswith(b'"submit";r=39600;')


async def test_a_refusal_is_counted_by_class_and_kind(throttle: Throttle) -> None:
    before = metrics.RATE_LIMITED._counts["auth", "address"]
    assert await let_through(throttle.bucket("auth", "address:1", Rate(0.001, 1)), 3) == 1
    assert metrics.RATE_LIMITED._counts["auth", "address"] == before + 2


async def test_buckets_in_use_are_bounded_and_those_of_a_moment_ago_are_kept(throttle: Throttle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis, "BUCKETS_HELD", 10)
    kept = throttle.bucket("read", "address:kept", SLOW)
    for number in range(100):
        throttle.bucket("read", f"address:{number}", SLOW)
        assert throttle.bucket("read", "address:kept", SLOW) is kept
    assert len(throttle._buckets) + len(throttle._before) <= 20
