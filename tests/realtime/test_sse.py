"""Boards by server-sent events: the promises that sockets get, on the wires of an HTTP answer."""

import asyncio
import random
import re
from contextlib import ExitStack

import pytest
from django.conf import settings

from gaming_leaderboard import handler
from leaderboard.feed import Position
from realtime.protocol import CloseCode
from realtime.sse import Stream
from realtime.wanted import Wanted
from tests.events import installed, many, streaming_server, watching
from tests.realtime.arena import CAST, NoDesk, eventually

pytestmark = pytest.mark.slow

ARCADE = "/sse/leaderboard/arcade/"


@pytest.fixture(params=["direct", "cookie", "asgi"])
def lane(request):
    """Straight from our server's protocol; by ASGI on our server, as requests with cookies go; and by ASGI on another server."""
    return request.param


@pytest.fixture
async def make_server(make_hub, lane):
    """A server whose hub is of the arena; keyword arguments are the hub's."""
    with ExitStack() as stack:
        servers = []

        async def make(**options):
            hub = make_hub(**options)
            stack.enter_context(installed(hub, NoDesk()))
            servers.append(streaming_server(lane))
            await servers[-1].start()
            return servers[-1], hub

        yield make
        for server in servers:
            await server.stop()


@pytest.fixture
def watch(lane):
    def watch(server, path=ARCADE, headers=None, **more):
        return watching(server.port, path, {**({"Cookie": "theme=dark"} if lane == "cookie" else {}), **(headers or {})}, **more)

    return watch


# --- Frames --------------------------------------------------------------------------------------------------------------


async def test_it_says_what_a_socket_says_byte_for_byte(make_server, arena, watch):
    server, hub = await make_server(heartbeat_s=3600)
    await arena.publish("arcade", {"ada": 3, "bo": 2})
    async with server.client("/ws/leaderboard/arcade/?top=3") as client, watch(server, f"{ARCADE}?top=3") as events:
        told = []
        recv = client.connection.recv

        async def listening():
            told.append(await recv())
            return told[-1]

        client.connection.recv = listening
        await arena.until_subscribed("arcade", hub._link.joined)
        for score in range(10, 20):
            await arena.publish("arcade", {"ada": score, "bo": 2, "ünïcode\u2028": 7}, name="{}\n\r".format)
        for watcher in (client, events):
            await watcher.until(lambda watcher=watcher: watcher.shows("arcade", arena.newest("arcade"), top=3))
        assert events.texts == told
        assert events.messages[0]["type"] == "snapshot"


async def test_its_head_says_that_nothing_may_keep_or_gather_it(make_server, watch):
    server, hub = await make_server()
    async with watch(server) as events:
        assert events.status == 200
        assert events.headers["content-type"] == "text/event-stream"
        assert (events.headers["cache-control"], events.headers["x-accel-buffering"]) == ("no-store", "no")
        assert "x-request-id" in events.headers
        await events.next("snapshot")
        low, high = hub.options.retry_in_ms
        assert low <= events.retry_ms <= high
        await events.next("heartbeat")


async def test_old_snapshot_and_deltas_are_the_new_snapshot(make_server, arena, watch):
    server, hub = await make_server()
    chance, scores = random.Random(7), {}
    async with watch(server, f"{ARCADE}?top=25") as events:
        await events.next("snapshot")
        await arena.until_subscribed("arcade", hub._link.joined)
        for number in range(1, 151):
            scores[chance.choice(CAST)] = chance.randrange(1000)
            if chance.random() < 0.1:
                scores.pop(chance.choice(list(scores)))
            await arena.publish("arcade", scores)
            if number % 10 == 0:  # well within what is held for who lags
                await events.until(lambda: events.shows("arcade", arena.newest("arcade"), top=25))
        assert len(events.of("delta")) > 100


async def test_what_goes_to_single_watchers_comes_after_the_board(make_server, arena, watch):
    server, _ = await make_server(viewport_s=0.02, pulse_s=0.02)
    arena.change("arcade", {"ada": 30, "bo": 20, "cy": 10})
    await arena.publish("arcade", {"ada": 30, "bo": 20, "cy": 10})
    async with watch(server, f"{ARCADE}?top=3&pulse=1&around=1&player=bo") as events:
        assert (await events.next())["type"] == "snapshot"
        assert (await events.next("pulse"))["watching"] == 1
        await events.until(lambda: events.of("around"))
        assert [row["player"] for row in events.of("around")[0]["entries"]] == ["ada", "bo", "cy"]
        arena.change("arcade", {"ada": 30, "bo": 40, "cy": 10})
        assert (await events.next("overtake"))["passed"] == [{"player": "ada", "name": "Ada"}]
        assert (await events.next("around"))["rank"] == 1


async def test_what_is_told_before_the_answer_begins_waits_for_the_board(make_hub, arena):
    hub = make_hub(viewport_s=0.02, pulse_s=0.02)
    arena.change("arcade", {"ada": 30})
    stream, told = Stream(hub), []
    await hub.subscribe(stream.outbox, "arcade", Wanted(pulse=True, around=1, player="ada"))
    await eventually(lambda: stream.outbox.waiting)

    async def send(message):
        told.append(message["body"])
        if len(told) == 3:
            raise OSError

    await stream.over_asgi(asyncio.Event().wait, send)
    assert [re.findall(rb'"type":"(\w+)"', body)[:1] for body in told][:2] == [[], [b"snapshot"]]
    assert hub.presence() == {}


# --- Coming back ---------------------------------------------------------------------------------------------------------


async def test_who_comes_back_with_its_last_event_gets_what_it_missed_and_no_snapshot(make_server, arena, watch):
    server, _ = await make_server()
    for score in (0, 1):
        await arena.publish("arcade", {"ada": score})
    async with watch(server) as events:
        await events.next("snapshot")
        events.cut()
    for score in range(2, 7):
        await arena.publish("arcade", {"ada": score})
    old = f"{ARCADE}?since={arena.newest('arcade').epoch}:0"  # a browser keeps to its first address, and says the rest in a header
    for path, headers in ((old, {"Last-Event-ID": events.last_id}), (f"{ARCADE}?since={events.last_id}", {})):
        async with watch(server, path, headers) as again:
            again.boards.update(events.boards)
            await again.until(lambda again=again: again.shows("arcade", arena.newest("arcade"), top=10))
            assert [message["type"] for message in again.messages if message["type"] != "heartbeat"] == ["delta"] * 5


@pytest.mark.parametrize("told", ["0123456789abcdef:3", "offline:0", "nonsense", ""])
async def test_who_comes_back_from_elsewhere_gets_a_snapshot(make_server, arena, watch, told):
    server, _ = await make_server()
    await arena.publish("arcade", {"ada": 1})
    async with watch(server, headers={"Last-Event-ID": told}) as events:
        assert (await events.next())["type"] == "snapshot"


async def test_who_missed_nothing_is_told_so_by_a_heartbeat(make_server, arena, watch):
    server, _ = await make_server()
    await arena.publish("arcade", {"ada": 1})
    position = arena.newest("arcade").position
    async with watch(server, headers={"Last-Event-ID": f"{position.epoch}:{position.offset}"}) as events:
        events.boards["arcade"] = (position, [], 0)
        assert (await events.next())["positions"] == {"arcade": position._asdict()}


# --- Many boards -----------------------------------------------------------------------------------------------------------


async def test_many_boards_come_by_one_stream_and_each_resumes(make_server, arena, watch):
    server, hub = await make_server()
    for slug in ("arcade", "puzzle"):
        await arena.publish(slug, {"ada": 1, "bo": 2})
    asked = {"arcade": {"type": "subscribe", "leaderboard": "arcade", "top": 3}, "puzzle": {"leaderboard": "puzzle", "pulse": True}}
    async with watch(server, many(*asked.values())) as events:
        await events.until(lambda: {"arcade", "puzzle"} <= events.boards.keys() and events.of("pulse"))
        await arena.until_subscribed("puzzle", hub._link.joined)
        await arena.publish("puzzle", {"ada": 3, "bo": 2})
        await events.until(lambda: events.shows("puzzle", arena.newest("puzzle"), top=10))
        assert {message["leaderboard"] for message in events.of("pulse")} == {"puzzle"}
        events.cut()
    await arena.publish("arcade", {"ada": 7, "bo": 2})
    resumed = [{**command, "since": events.boards[slug][0]._asdict()} for slug, command in asked.items()]
    async with watch(server, many(*resumed)) as again:
        again.boards.update(events.boards)
        await again.until(lambda: again.shows("arcade", arena.newest("arcade"), top=3))
        await again.next("heartbeat")
        assert (len(again.of("delta")), again.of("snapshot")) == (1, [])


async def test_a_board_that_is_refused_leaves_the_others_of_its_stream(make_server, arena, watch):
    server, hub = await make_server(guard_s=0.02)
    commands = [{"leaderboard": "nowhere"}, {"leaderboard": "arcade", "top": 0}, {"leaderboard": "puzzle"}, {"leaderboard": "board1"}]
    async with watch(server, many(*commands)) as events:
        await events.until(lambda: {"puzzle", "board1"} <= events.boards.keys() and len(events.of("error")) == 2)
        told = {message["leaderboard"]: message["code"] for message in events.of("error")}
        assert told == {"nowhere": "leaderboard_not_found", "arcade": "invalid_parameter"}
        del arena.boards["puzzle"]
        assert (await events.next("error"))["leaderboard"] == "puzzle"
        await arena.until_subscribed("board1", hub._link.joined)
        await arena.publish("board1", {"ada": 1})
        await events.until(lambda: events.shows("board1", arena.newest("board1"), top=10))
    await eventually(lambda: hub.counters.sockets == 0 and hub.presence() == {})


async def test_as_many_boards_as_a_socket_has_come_by_one_stream(make_server, watch):
    server, hub = await make_server()
    slugs = [f"board{number}" for number in range(hub.options.subscriptions)]
    async with watch(server, many(*({"leaderboard": slug, "top": 3, "pulse": True} for slug in slugs))) as events:
        await events.until(lambda: events.boards.keys() == set(slugs))
        assert hub.presence() == dict.fromkeys(slugs, 1)


# --- Slow, silent and gone -------------------------------------------------------------------------------------------------


def long_names(player):
    return player * 30


def crowd(turn):
    return {player: turn + place for place, player in enumerate(CAST[:40])}


async def test_who_reads_slowly_gets_one_snapshot_and_holds_up_nobody(make_server, arena, watch):
    server, hub = await make_server(ring=16, heartbeat_s=3600, write_buffer_bytes=16_384)
    async with watch(server, f"{ARCADE}?top=100", lazy=True) as slow, watch(server) as quick:
        await slow.next("snapshot")
        await quick.next("snapshot")
        await arena.until_subscribed("arcade", hub._link.joined)
        for turn in range(300):
            await arena.publish("arcade", crowd(turn), name=long_names)
            await quick.until(lambda: quick.shows("arcade", arena.newest("arcade"), top=10))
        assert len(quick.of("delta")) == 300
        await slow.until(lambda: slow.shows("arcade", arena.newest("arcade"), top=100))
        assert len(slow.of("snapshot")) == 2  # the first one and the one that made up for the rest
        assert len(slow.of("delta")) < 250
        await arena.publish("arcade", {"ada": 1})
        assert (await slow.next())["type"] == "delta"
    assert hub.counters.stale_snapshots == 1


async def test_who_reads_nothing_is_given_up(make_server, arena, watch):
    server, hub = await make_server(heartbeat_s=3600, write_buffer_bytes=16_384, send_timeout_s=0.2, close_grace_s=0.1)
    async with watch(server, f"{ARCADE}?top=100", lazy=True) as silent:
        await silent.next("snapshot")
        await arena.until_subscribed("arcade", hub._link.joined)
        for turn in range(2000):
            if not hub.counters.sockets:
                break
            await arena.publish("arcade", crowd(turn), name=long_names)
        await eventually(lambda: hub.counters.sockets == 0)
    assert (hub.counters.too_slow_closes, hub.presence()) == (1, {})


async def test_who_leaves_is_noticed(make_server, watch):
    server, hub = await make_server()
    async with watch(server) as one, watch(server) as other:
        await one.next("snapshot")
        await other.next("snapshot")
        assert hub.presence() == {"arcade": 2}
        one.cut()
        await eventually(lambda: hub.presence() == {"arcade": 1})
    await eventually(lambda: hub.counters.sockets == 0)


async def test_who_leaves_before_the_answer_is_forgotten(make_server, arena, watch):
    server, hub = await make_server(send_timeout_s=0.2)
    opened = asyncio.Event()

    async def hold():
        opened.set()
        await asyncio.sleep(0.05)

    arena.before_state = hold
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(20), watch_cancelled(watch, server, opened):
            pass
    await eventually(lambda: hub.counters.sockets == 0 and hub.presence() == {})


def watch_cancelled(watch, server, opened):
    class Leaving:
        async def __aenter__(self):
            task = asyncio.create_task(watch(server).__aenter__())
            await opened.wait()
            task.cancel()
            await task

        async def __aexit__(self, *_):
            pass

    return Leaving()


async def test_a_stream_that_nobody_begins_is_given_up(make_hub):
    hub = make_hub(send_timeout_s=0.1)
    stream = Stream(hub)
    await hub.subscribe(stream.outbox, "arcade", Wanted())
    await eventually(lambda: hub.counters.sockets == 0)
    assert (hub.presence(), hub.counters.too_slow_closes) == ({}, 1)


async def test_a_connection_that_is_full_when_it_is_left_to_a_stream_gets_nothing_until_it_is_drained(make_hub, arena):
    hub, loop = make_hub(heartbeat_s=3600), asyncio.get_running_loop()
    stream, accepted = Stream(hub), loop.create_future()
    await hub.subscribe(stream.outbox, "arcade", Wanted())

    class Accepting(asyncio.Protocol):
        def connection_made(self, transport):
            accepted.set_result(transport)

    async with await loop.create_server(Accepting, "127.0.0.1", 0) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        stream.take_over(await accepted, set(), paused=True)
        await arena.publish("arcade", {"ada": 1})
        assert hub.counters.messages_sent == 0
        stream.outbox.wire.resume_writing()
        assert hub.counters.messages_sent == 1
        await reader.readuntil(b'"type":"snapshot"')
        writer.close()
        await eventually(lambda: hub.counters.sockets == 0)


async def test_it_outlives_the_deadline_of_requests_and_the_idle_time_of_connections(make_server, arena, watch, monkeypatch):
    monkeypatch.setattr(handler, "DEADLINE_S", 0.2)
    server, hub = await make_server()
    server._config.timeout_keep_alive = 0.2
    async with watch(server) as events:
        for _ in range(12):  # beats of 50 ms
            await events.next("heartbeat")
        await arena.until_subscribed("arcade", hub._link.joined)
        await arena.publish("arcade", {"ada": 1})
        await events.until(lambda: events.shows("arcade", arena.newest("arcade"), top=10))


# --- Redis away, and the end -------------------------------------------------------------------------------------------------


async def test_it_says_that_redis_is_away_and_catches_up(make_server, own_redis, watch):
    from tests.realtime.arena import Arena

    arena = Arena(own_redis.url, "arcade")
    server, hub = await make_server(url=own_redis.url, source=arena)
    try:
        await arena.publish("arcade", {"ada": 1})
        async with watch(server) as events:
            await events.next("snapshot")
            own_redis.kill()
            assert (await events.next("status"))["live"] is False
            async with watch(server) as late:
                assert (await late.next("snapshot"))["epoch"] == "offline"
                assert late.last_id == "offline:0"
                own_redis.restart_empty()
                for watcher in (events, late):
                    await watcher.next("status")
                await arena.publish("arcade", {"ada": 2})
                for watcher in (events, late):
                    await watcher.until(lambda watcher=watcher: watcher.shows("arcade", arena.newest("arcade"), top=10))
            assert [message["type"] for message in events.messages].count("snapshot") == 1
    finally:
        await hub.aclose()
        await arena.aclose()


async def test_a_hub_that_closes_says_bye_and_ends_the_answer(make_server, watch):
    server, hub = await make_server()
    async with watch(server) as events:
        await events.next("snapshot")
        hub.say_bye()
        assert (await events.rest())[-1] == "bye"
        assert events.messages[-1]["code"] == CloseCode.RESTARTING
        await eventually(lambda: hub.counters.sockets == 0)
        async with watch(server) as late:  # comes back by itself, as a refusal would not let a browser do
            assert await late.rest() == ["bye"]


async def test_a_server_that_stops_does_not_wait_for_its_watchers(make_server, watch):
    server, hub = await make_server()
    server.uvicorn.config.timeout_graceful_shutdown = 3600  # of the server itself
    async with watch(server) as events:
        await events.next("snapshot")
        hub.say_bye()
        async with asyncio.timeout(20):
            await server.stop()
        assert (await events.rest())[-1] == "bye"


@pytest.mark.parametrize("lane", ["direct", "cookie"])
async def test_a_server_that_stops_of_itself_ends_what_was_left_to_it(make_server, watch, lane):
    server, hub = await make_server(heartbeat_s=3600)
    async with watch(server) as events:
        await events.next("snapshot")
        await server.stop()
        assert await events.rest() == []
        await eventually(lambda: hub.counters.sockets == 0)


async def test_a_board_that_is_gone_ends_its_streams(make_server, arena, watch):
    server, hub = await make_server(guard_s=0.02, heartbeat_s=3600)
    async with watch(server) as events:
        await events.next("snapshot")
        del arena.boards["arcade"]
        assert await events.rest() == ["error"]
        assert events.messages[-1]["code"] == "leaderboard_not_found"
        await eventually(lambda: hub.counters.sockets == 0)


# --- Refusals ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"{ARCADE}?top=0", 400, "invalid_parameter"),
        (f"{ARCADE}?top=ten", 400, "invalid_parameter"),
        (f"{ARCADE}?around=11&player=ada", 400, "invalid_parameter"),
        (f"{ARCADE}?player=ada", 400, "invalid_parameter"),
        (f"{ARCADE}?pulse=yes", 400, "invalid_parameter"),
        (f"{ARCADE}?around=3&own=1", 401, "not_authenticated"),
        (f"{ARCADE}?since=yesterday", 400, "invalid_parameter"),
        (f"{ARCADE}?since=", 400, "invalid_parameter"),
        ("/sse/leaderboard/nowhere/", 404, "leaderboard_not_found"),
        ("/sse/leaderboard/no%20slug/", 404, "leaderboard_not_found"),
        ("/sse/leaderboard/arcade", 404, "not_found"),
        ("/sse/", 400, "invalid_parameter"),
        (many(*({"leaderboard": f"board{number}"} for number in range(33))), 400, "invalid_parameter"),
        (many("arcade"), 400, "invalid_parameter"),
        (many({"top": 3}), 400, "invalid_parameter"),
        (many({"type": "submit", "leaderboard": "arcade"}), 400, "invalid_parameter"),
        (many({"leaderboard": "arcade"}, "[" * 2_000), 400, "invalid_parameter"),
    ],
)
async def test_what_is_wrong_is_said_before_it_begins(make_server, watch, path, status, code):
    server, hub = await make_server()
    async with watch(server, path) as events:
        assert (events.status, events.headers["content-type"]) == (status, "application/problem+json")
        assert (await events.problem())["code"] == code
    assert hub.counters.sockets == 0


async def test_one_too_many_is_told_when_to_come_back(make_server, watch):
    server, hub = await make_server(sockets=1)
    async with watch(server) as events, watch(server) as other:
        await events.next("snapshot")
        assert (other.status, other.headers["retry-after"]) == (503, "1")
        assert (await other.problem())["code"] == "overloaded"
        await eventually(lambda: hub.counters.sockets == 1)
    await eventually(lambda: hub.counters.sockets == 0)


async def test_a_board_that_cannot_be_read_is_told_when_to_come_back(make_server, arena, watch):
    server, hub = await make_server(state_timeout_s=0.05)
    arena.before_state = lambda: asyncio.sleep(20)
    async with watch(server) as events:
        assert (events.status, (await events.problem())["code"]) == (503, "store_unavailable")
        assert "retry-after" in events.headers
    assert hub.counters.sockets == 0


async def test_other_methods_are_answered(make_server, watch):
    server, hub = await make_server()
    async with watch(server, method="HEAD") as head:
        assert (head.status, head.headers["content-type"]) == (200, "text/event-stream")
    async with watch(server, method="OPTIONS") as options:
        assert (options.status, options.headers["allow"]) == (204, "get, head, options")
    async with watch(server, method="POST", headers={"Content-Length": "0"}) as post:
        assert (post.status, (await post.problem())["code"]) == (405, "method_not_allowed")
    async with watch(server, "/sse/leaderboard/nowhere/", method="HEAD") as head:
        assert head.status == 404
    assert hub.counters.sockets == 0


@pytest.mark.parametrize("lane", ["direct", "cookie"])  # uvicorn's own tells only the last request that the client is gone
async def test_a_next_request_on_the_same_connection_is_never_reached(make_server, arena, watch, lane, caplog):
    server, hub = await make_server(heartbeat_s=3600)
    more = "GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    async with watch(server, sent_along=more) as events:
        await events.next("snapshot")
        events._writer.write(more.encode() * 3)
        await arena.until_subscribed("arcade", hub._link.joined)
        await arena.publish("arcade", {"ada": 1})
        await events.until(lambda: events.shows("arcade", arena.newest("arcade"), top=10))
        events.cut()
        await eventually(lambda: hub.counters.sockets == 0)
    assert caplog.records == []


# --- Pages of other sites --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("watch_origins", "origin", "allowed"),
    [
        (["*"], "https://fans.example", "*"),
        (["*"], "https://listed.example", "https://listed.example"),
        (["https://fans.example"], "https://fans.example", "https://fans.example"),
        (["https://fans.example"], "https://elsewhere.example", None),
        (["*"], None, None),
    ],
)
async def test_pages_that_may_watch_by_a_socket_may_watch_so(make_server, watch, monkeypatch, watch_origins, origin, allowed):
    monkeypatch.setattr(settings, "WS_ALLOWED_ORIGINS", watch_origins)
    monkeypatch.setattr(settings, "CORS_ALLOWED_ORIGINS", ["https://listed.example"])
    server, _ = await make_server()
    for path in (ARCADE, "/sse/leaderboard/nowhere/"):
        async with watch(server, path, {"Origin": origin} if origin else {}) as events:
            assert events.headers.get("access-control-allow-origin") == allowed
            assert allowed is None or "retry-after" in events.headers["access-control-expose-headers"]


async def test_no_frame_has_a_line_that_breaks():
    from realtime.wire import Message

    message = Message(b'{"name":"a\\nb"}', Position("e", 7))
    assert message.event == b'id: e:7\ndata: {"name":"a\\nb"}\n\n'
    assert message.event is message.event, "made once"
    assert message.chunk is message.chunk
    assert re.fullmatch(rb"[0-9a-f]+\r\n.*\r\n", message.chunk, re.DOTALL)
