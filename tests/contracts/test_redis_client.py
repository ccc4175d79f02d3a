"""What the road to Redis promises to those who share it."""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from leaderboard import redis_client
from leaderboard.redis_client import RedisClient, Road, Script
from tests.servers.redis import RedisServer, start_redis


class Away(Exception):
    pass


class Gone(Exception):
    pass


@asynccontextmanager
async def client_of(server: str | Road, *, unavailable: type[Exception] = Away, scripts: tuple[Script, ...] = (), timeout_ms: int = 5_000):
    client = RedisClient(server, timeout_ms=timeout_ms, retry_ms=0, unavailable=unavailable, scripts=scripts)
    try:
        yield client
    finally:
        await client.aclose()


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[RedisClient]:
    async with client_of(redis_url) as client:
        yield client


@pytest.fixture
def own_server() -> Iterator[RedisServer]:
    server = start_redis()
    yield server
    server.stop()


async def test_clients_of_a_road_are_answered_in_the_order_of_their_calls_on_one_connection(redis_url: str) -> None:
    road = Road(redis_url)
    async with client_of(road) as one, client_of(road, unavailable=Gone) as other:
        calls = [(one if turn % 3 else other).send(((b"RPUSH", b"list", b"%d" % turn),)) for turn in range(300)]
        assert [replies[0] for replies in await asyncio.gather(*calls)] == list(range(1, 301))
        assert await one.call((b"LRANGE", b"list", b"0", b"-1")) == [b"%d" % turn for turn in range(300)]
        assert await one.call((b"CLIENT", b"ID")) == await other.call((b"CLIENT", b"ID"))


async def test_each_client_of_a_road_has_its_own_exception_and_breaker(redis_url: str) -> None:
    road = Road(redis_url)
    async with client_of(road) as one, client_of(road, unavailable=Gone) as other:
        await one.call((b"SET", b"text", b"x"))
        refused, fine = other.send(((b"INCR", b"text"),)), one.send(((b"GET", b"text"),))
        with pytest.raises(Gone, match="not an integer"):
            await refused
        assert await fine == [b"x"]
        assert (one.breaker.failures, other.breaker.failures) == (0, 1)


async def test_replies_of_any_size_and_kind_come_to_the_right_caller(client: RedisClient) -> None:
    large = bytes(range(256)) * 20_000
    assert await client.pipeline([(b"SET", b"large", large), (b"GET", b"large"), (b"GET", b"nothing"), (b"PING",)]) == [
        *(b"OK", large, None, b"PONG")
    ]
    echoes = await asyncio.gather(*(client.call((b"ECHO", b"%d" % turn)) for turn in range(2_000)))
    assert echoes == [b"%d" % turn for turn in range(2_000)]


async def test_a_cancelled_caller_disturbs_no_other(client: RedisClient) -> None:
    calls = [client.send(((b"ECHO", b"%d" % turn),)) for turn in range(100)]
    for call in calls[::2]:
        call.cancel()
    assert await asyncio.gather(*calls[1::2]) == [[b"%d" % turn] for turn in range(1, 100, 2)]
    assert client.breaker.failures == 0


async def test_a_connection_that_breaks_fails_all_in_flight_and_the_next_call_opens_another(own_server: RedisServer) -> None:
    async with client_of(own_server.url) as client:
        await client.call((b"PING",))
        own_server.pause()
        calls = [client.send(((b"PING",),)) for _ in range(50)]
        await asyncio.sleep(0)
        own_server.restart_empty()
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(answer, Away) for answer in answers)
        assert await client.call((b"PING",)) == b"PONG"


async def test_what_is_in_flight_is_bounded(own_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_client, "IN_FLIGHT_BYTES", 1_000)
    async with client_of(own_server.url) as client:
        await client.call((b"PING",))
        own_server.pause()
        calls = [client.send(((b"ECHO", b"x" * 100),)) for _ in range(20)]
        refused = [call for call in calls if call.done()]
        assert 0 < len(refused) < 20
        for call in refused:
            with pytest.raises(Away, match="wait for Redis already"):
                await call
        own_server.resume()
        assert await asyncio.gather(*(call for call in calls if call not in refused)) == [[b"x" * 100]] * (20 - len(refused))
        assert await client.call((b"ECHO", b"x" * 5_000)) == b"x" * 5_000  # alone, a call of any size goes


async def test_a_connection_greets_before_anything_is_sent(own_server: RedisServer) -> None:
    own_server.command("ACL", "SETUSER", "ada", "on", ">s@fe", "~*", "+@all")
    async with client_of(own_server.url.replace("//", "//ada:s%40fe@").replace("/0", "/3") + "?client_name=board") as client:
        listed = await client.call((b"CLIENT", b"INFO"))
        assert [word in listed.split() for word in (b"db=3", b"name=board", b"user=ada")] == [True] * 3
        assert await client.call((b"SET", b"key", b"x")) == b"OK"
    assert own_server.command("DBSIZE") == "0"  # of database 0


async def test_a_refused_greeting_sends_nothing_of_the_calls(own_server: RedisServer) -> None:
    async with client_of(own_server.url.replace("/0", "/99")) as client:
        with pytest.raises(Away, match="out of range"):
            await client.call((b"SET", b"key", b"x"))
    assert own_server.command("DBSIZE") == "0"


async def test_unknown_scripts_are_loaded_within_the_call(redis_server: RedisServer, redis_url: str, tmp_path: Path) -> None:
    (tmp_path / "add.lua").write_text("return redis.call('INCRBY', KEYS[1], ARGV[1])")
    add = Script(tmp_path, "add.lua")
    async with client_of(redis_url, scripts=(add,)) as client:
        replies = await client.pipeline([(b"SET", b"n", b"5"), add.command((b"n",), (b"2",)), (b"PING",), add.command((b"n",), (b"3",))])
        assert replies == [b"OK", 7, b"PONG", 10]
        redis_server.command("SCRIPT", "FLUSH")
        assert await asyncio.gather(*(client.call(add.command((b"n",), (b"1",))) for _ in range(5))) == [11, 12, 13, 14, 15]
        assert client.breaker.failures == 0


@pytest.mark.slow
async def test_closing_waits_for_what_is_in_flight(redis_url: str) -> None:
    async with client_of(redis_url) as client:
        calls = [client.send(((b"ECHO", b"%d" % turn),)) for turn in range(50)]
        await client.aclose()
        assert [call.result() for call in calls] == [[b"%d" % turn] for turn in range(50)]
    gc.collect()  # a transport that was left open would warn here
