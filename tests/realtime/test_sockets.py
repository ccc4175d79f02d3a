"""Real sockets: uvicorn, the channel layer on Redis, and a client that checks every message."""

import asyncio
import contextlib
import json
import random

import pytest
from websockets.exceptions import ConnectionClosed

from leaderboard.domain.snapshot import TOPS
from realtime.protocol import CloseCode
from tests.realtime.arena import CAST, eventually, ranked

pytestmark = pytest.mark.slow

SMALL = {"ada": 30, "bo": 20, "cy": 10}


async def test_a_path_subscribes_at_once_and_shows_every_change(arena, make_server):
    arena.store("arcade", [], 0)
    server, _ = await make_server()
    async with server.client("/ws/leaderboard/arcade/?top=3") as client:
        first = await client.next("snapshot")
        await arena.publish("arcade", SMALL)
        await arena.publish("arcade", {**SMALL, "cy": 25})
        await client.until(lambda: client.shows("arcade", arena.newest("arcade"), top=3))
    assert list(first) == ["type", "leaderboard", "season", "top", "epoch", "offset", "total", "entries"]
    assert [message["type"] for message in client.messages if message["type"] != "heartbeat"] == ["snapshot", "delta", "delta"]
    assert list(client.of("delta")[0]) == ["type", "leaderboard", "season", "top", "epoch", "offset", "total", "changed", "left"]


async def test_a_board_that_was_never_published_starts_empty(make_server):
    server, _ = await make_server()
    async with server.client("/ws/leaderboard/arcade/") as client:
        assert (await client.next("snapshot"))["entries"] == []


@pytest.mark.parametrize(("asked", "given"), [(1, 3), (3, 3), (4, 10), (11, 25), (26, 50), (51, 100), (100, 100)])
async def test_top_is_rounded_up_to_a_watched_size(arena, make_server, asked, given):
    arena.store("arcade", [], 0)
    server, _ = await make_server()
    async with server.client(f"/ws/leaderboard/arcade/?top={asked}") as client:
        assert (await client.next("snapshot"))["top"] == given
        await client.send(type="subscribe", leaderboard="puzzle", top=asked)
        assert (await client.next("snapshot"))["top"] == given


@pytest.mark.parametrize("top", ["0", "101", "-3", "ten", "", "1e1", "1_0", "%D9%A3", "999999999999"])
async def test_a_path_with_an_impossible_top_is_refused(make_server, top):
    server, _ = await make_server()
    async with server.client(f"/ws/leaderboard/arcade/?top={top}") as client:
        assert await client.rest() == CloseCode.BAD_MESSAGE
        assert [message["code"] for message in client.of("error")] == ["invalid_parameter"]


@pytest.mark.parametrize("top", [0, 101, -3, "10", 2.5, True, None, [], 10**30])
async def test_a_command_with_an_impossible_top_is_answered_and_the_socket_goes_on(make_server, top):
    server, _ = await make_server()
    async with server.client() as client:
        await client.send(type="subscribe", leaderboard="arcade", top=top)
        error = await client.next("error")
        assert (error["code"], error["leaderboard"]) == ("invalid_parameter", "arcade")
        await client.send(type="ping")
        await client.next("pong")


async def test_an_unknown_board_by_path_is_accepted_then_told_then_closed(make_server):
    server, hub = await make_server()
    for board in ("nowhere", "%00", "a" * 300, "ünïcödé", "..", "arcade%20or%201"):
        async with server.client(f"/ws/leaderboard/{board}/") as client:
            assert await client.rest() == CloseCode.UNKNOWN_BOARD
            assert [message["code"] for message in client.of("error")] == ["leaderboard_not_found"]
            assert "leaderboard" in client.of("error")[0]
    assert hub.presence() == {}


async def test_a_viewport_and_a_pulse_come_by_address_and_by_command(arena, make_server):
    arena.change("arcade", SMALL)
    server, _ = await make_server()
    async with server.client("/ws/leaderboard/arcade/?top=3&pulse=1&around=1&player=ada") as by_address, server.client() as by_command:
        await by_command.send(type="subscribe", leaderboard="arcade", top=3, pulse=True, around=1, player="ada")
        for client in (by_address, by_command):
            await client.until(lambda client=client: client.of("snapshot") and client.of("pulse") and client.of("around"))
            assert [row["player"] for row in client.of("around")[0]["entries"]] == ["ada", "bo"]


async def test_a_path_with_an_impossible_viewport_is_refused(make_server):
    server, hub = await make_server()
    async with server.client("/ws/leaderboard/arcade/?around=3") as client:
        assert await client.rest() == CloseCode.BAD_MESSAGE
        assert [(message["code"], message["leaderboard"]) for message in client.of("error")] == [("invalid_parameter", "arcade")]
    assert hub.presence() == {}


async def test_any_other_path_is_closed_as_unknown(make_server):
    server, _ = await make_server()
    async with server.client("/ws/elsewhere/") as client:
        assert await client.rest() == CloseCode.UNKNOWN_BOARD
        assert client.of("error")[0]["code"] == "not_found"


async def test_an_unknown_board_by_command_is_answered_and_the_socket_goes_on(make_server):
    server, _ = await make_server()
    async with server.client() as client:
        for slug in ("nowhere", "", "a b", "\x00", "x" * 5000):
            await client.send(type="subscribe", leaderboard=slug, top=3)
            error = await client.next("error")
            assert (error["code"], error["leaderboard"]) == ("leaderboard_not_found", slug)
        await client.send(type="subscribe", leaderboard="arcade", top=3)
        await client.next("snapshot")


BAD = [
    "{",
    "",
    "null",
    "[]",
    '"subscribe"',
    "{}",
    '{"type":"dance"}',
    '{"type":7}',
    '{"type":"subscribe"}',
    '{"type":"subscribe","leaderboard":7}',
    '{"type":"subscribe","leaderboard":"arcade","since":{"epoch":"x"}}',
    '{"type":"subscribe","leaderboard":"arcade","since":{"epoch":"x","offset":1e400}}',
    '{"type":"ack","leaderboard":"arcade","offset":"3"}',
    '{"type":"ping"} {"type":"ping"}',
    "[" * 15_000,
    '{"type":"ping","x":' + "[" * 8_000 + "]" * 8_000 + "}",
    '{"type":"subscribe","leaderboard":"\\ud800"}',
    b'{"type":"ping"}',
    json.dumps({"type": "ping", "padding": "x" * 16_400}),
    "x" * 60_000,
    "é" * 9_000,  # short in characters, long in bytes
]


@pytest.mark.parametrize("message", BAD, ids=lambda message: repr(message[:40]))
async def test_a_bad_message_is_told_and_ends_the_socket(make_server, message):
    server, _ = await make_server()
    async with server.client() as client:
        await client.connection.send(message)
        assert await client.rest() == CloseCode.BAD_MESSAGE
        assert [told["code"] for told in client.of("error")] == ["bad_message"]


async def test_unknown_fields_are_ignored(make_server):
    server, _ = await make_server()
    async with server.client() as client:
        await client.send(type="ping", colour="blue")
        await client.next("pong")


async def test_a_message_of_just_the_limit_is_taken(make_server):
    server, _ = await make_server()
    async with server.client() as client:
        frame = json.dumps({"type": "ping", "padding": ""})
        await client.connection.send(json.dumps({"type": "ping", "padding": "x" * (16 * 1024 - len(frame))}))
        await client.next("pong")


async def test_a_flood_of_tiny_frames_ends_the_flooder_alone(arena, make_server):
    arena.store("arcade", [], 0)
    server, _ = await make_server()
    async with server.client("/ws/leaderboard/arcade/?top=3") as other, server.client() as flooder:
        await other.next("snapshot")
        flood = asyncio.create_task(_flood(flooder))
        assert await flooder.rest() == CloseCode.TOO_MANY
        await flood
        assert flooder.of("error")[-1]["code"] == "too_many"
        assert len(flooder.of("pong")) < 1_000  # the burst, and what refilled meanwhile
        await arena.publish("arcade", SMALL)
        await other.until(lambda: other.shows("arcade", arena.newest("arcade"), top=3))


async def _flood(client):
    with contextlib.suppress(OSError, ConnectionClosed):
        for _ in range(10_000):
            await client.connection.send('{"type":"ping"}')


async def test_more_than_thirty_two_subscriptions_are_too_many(make_server):
    server, _ = await make_server(message_burst=100)
    async with server.client() as client:
        for number in range(32):
            await client.send(type="subscribe", leaderboard=f"board{number}", top=3)
        await client.send(type="subscribe", leaderboard="board0", top=10)  # a change, not one more
        await client.until(lambda: len(client.of("snapshot")) == 33)
        await client.send(type="subscribe", leaderboard="board32", top=3)
        assert await client.rest() == CloseCode.TOO_MANY


async def test_heartbeats_carry_the_positions_of_the_boards_that_are_watched(arena, make_server):
    arena.store("arcade", [], 0, epoch="e1")
    server, _ = await make_server()
    async with server.client() as client:
        assert (await client.next("heartbeat"))["positions"] == {}
        await client.send(type="subscribe", leaderboard="arcade", top=3)
        await client.next("snapshot")
        assert (await client.next("heartbeat"))["positions"] == {"arcade": {"epoch": "e1", "offset": 0}}
        await arena.publish("arcade", SMALL)
        await client.next("delta")
        assert (await client.next("heartbeat"))["positions"] == {"arcade": {"epoch": "e1", "offset": 1}}


async def test_unsubscribing_ends_the_messages_of_that_board_only(arena, make_server):
    server, hub = await make_server()
    async with server.client("/ws/leaderboard/arcade/?top=3") as client:
        await client.next("snapshot")
        await client.send(type="subscribe", leaderboard="puzzle", top=3)
        await client.next("snapshot")
        await client.send(type="unsubscribe", leaderboard="arcade")
        await client.send(type="unsubscribe", leaderboard="never")
        await client.send(type="ping")
        await client.next("pong")
        assert hub.presence() == {"puzzle": 1}
        await arena.publish("arcade", SMALL)
        await arena.publish("puzzle", SMALL)
        assert (await client.next("delta"))["leaderboard"] == "puzzle"


async def test_acks_are_counted_with_their_lag(arena, make_server):
    server, hub = await make_server()
    async with server.client("/ws/leaderboard/arcade/?top=3") as client:
        await client.next("snapshot")
        await arena.publish("arcade", SMALL)
        await arena.publish("arcade", {**SMALL, "bo": 50})
        await client.until(lambda: client.shows("arcade", arena.newest("arcade"), top=3))
        for offset in (1, 99, -1):  # the last two can't be
            await client.send(type="ack", leaderboard="arcade", offset=offset)
        await client.send(type="ack", leaderboard="never", offset=1)
        await client.send(type="ping")
        await client.next("pong")
    assert (hub.counters.acks, hub.counters.ack_lag_frames) == (1, 1)


@pytest.mark.slow
async def test_old_snapshot_and_deltas_make_the_new_one_whatever_comes_and_goes(arena, make_server):
    """Random boards, sizes, subscriptions, cut and resumed sockets and lost layer messages; every watcher ends where SQL is."""
    chance = random.Random(7)
    server, _ = await make_server(ring=8)
    arena.held = 20
    scores = {player: chance.randrange(1000) for player in CAST}
    stop = asyncio.Event()

    async def play():
        for turn in range(250):
            for player in chance.sample(CAST, chance.randrange(1, 6)):
                scores[player] = chance.randrange(1000)
            gone = {player: score for player, score in scores.items() if chance.random() > 0.01}
            slug = chance.choice(("arcade", "puzzle"))
            epoch = f"epoch{turn}" if chance.random() < 0.02 else None
            frame = arena.store(slug, ranked(gone), len(gone), epoch=epoch)
            if chance.random() > 0.1:
                await arena.announce(slug, frame)
            await asyncio.sleep(chance.choice((0, 0, 0.002, 0.01)))
        stop.set()

    async def watch():
        top = chance.choice(TOPS)
        kept = {}
        while True:
            async with server.client() as client:
                client.boards = dict(kept)
                for slug in ("arcade", "puzzle"):
                    since = {"since": kept[slug][0]._asdict()} if slug in kept else {}
                    await client.send(type="subscribe", leaderboard=slug, top=top, **since)
                for _ in range(chance.randrange(1, 40)):
                    await client.next()
                    if chance.random() < 0.05:
                        await client.send(type="subscribe", leaderboard="arcade", top=top)
                if stop.is_set():
                    await client.until(lambda: all(client.shows(slug, arena.newest(slug), top=top) for slug in ("arcade", "puzzle")))  # noqa: B023
                    return
            kept = client.boards if chance.random() < 0.7 else {}
            top = top if kept else chance.choice(TOPS)

    async with asyncio.timeout(60):
        await asyncio.gather(play(), *(watch() for _ in range(6)))


async def test_a_socket_that_was_cut_resumes_with_the_deltas_it_missed(arena, make_server):
    server, _ = await make_server()
    async with server.client("/ws/leaderboard/arcade/?top=3") as stays, server.client("/ws/leaderboard/arcade/?top=3") as cut:
        await stays.next("snapshot")
        await cut.next("snapshot")
        await cut.connection.close()
        for score in range(5):
            await arena.publish("arcade", {**SMALL, "ada": 100 + score})
        await stays.until(lambda: stays.shows("arcade", arena.newest("arcade"), top=3))
        async with server.client() as again:
            again.boards = cut.boards
            position = cut.boards["arcade"][0]
            await again.send(type="subscribe", leaderboard="arcade", top=3, since=position._asdict())
            await again.until(lambda: again.shows("arcade", arena.newest("arcade"), top=3))
        assert not again.of("snapshot")
        assert len(again.of("delta")) == 5


@pytest.mark.slow
async def test_a_slow_reader_gets_one_snapshot_instead_of_what_it_missed(arena, make_server):
    server, hub = await make_server(ring=16, heartbeat_s=3600)
    async with server.client("/ws/leaderboard/arcade/?top=100", lazy=True) as slow, server.client("/ws/leaderboard/arcade/") as quick:
        await slow.next("snapshot")
        await quick.next("snapshot")
        for turn in range(300):
            await arena.publish("arcade", {player: turn + i for i, player in enumerate(CAST[:40])}, name=lambda player: player * 30)
            await quick.until(lambda: quick.shows("arcade", arena.newest("arcade"), top=10))
        assert len(quick.of("delta")) == 300
        await slow.until(lambda: slow.shows("arcade", arena.newest("arcade"), top=100))
        assert len(slow.of("snapshot")) == 2  # the first one and the one that made up for the rest
        assert len(slow.of("delta")) < 250
        await arena.publish("arcade", SMALL)
        assert (await slow.next())["type"] == "delta"
    assert hub.counters.stale_snapshots == 1
    assert hub.counters.sends_dropped == 300 - len(slow.of("delta")) + 1


@pytest.mark.slow
async def test_a_client_that_never_reads_is_closed_as_too_slow_while_the_others_get_all(arena, make_server):
    server, hub = await make_server(send_timeout_s=0.5, close_grace_s=10)
    async with server.client("/ws/leaderboard/arcade/?top=100", lazy=True) as deaf, server.client("/ws/leaderboard/arcade/") as quick:
        await deaf.next("snapshot")
        await quick.next("snapshot")
        turn = 0
        while not hub.counters.too_slow_closes:
            turn += 1
            await arena.publish("arcade", {player: turn + i for i, player in enumerate(CAST[:40])}, name=lambda player: player * 30)
            await quick.until(lambda: quick.shows("arcade", arena.newest("arcade"), top=10))
        assert len(quick.of("delta")) == turn
        assert not quick.of("status")
        assert await deaf.rest() == CloseCode.TOO_SLOW
        assert deaf.of("error")[-1]["code"] == "too_slow"
    await eventually(lambda: hub.counters.sockets == 0)


@pytest.mark.slow
async def test_two_hundred_sockets_leave_nothing_behind(arena, make_server):
    server, hub = await make_server()
    async with server.client("/ws/leaderboard/arcade/") as warm:
        await warm.next("snapshot")
    await eventually(lambda: hub.counters.sockets == 0 and not hub.presence() and not hub._link.joined)
    before = len(asyncio.all_tasks())
    async with asyncio.TaskGroup() as group:
        for number in range(200):
            group.create_task(_come_and_go(server, arena, number))
    await eventually(lambda: hub.counters.sockets == 0 and not hub._link.joined and len(asyncio.all_tasks()) <= before)
    assert hub.presence() == {}
    assert not hub._outboxes
    assert not server.uvicorn.server_state.connections


async def _come_and_go(server, arena, number):
    async with server.client(f"/ws/leaderboard/board{number % 8}/?top=3") as client:
        await client.next("snapshot")
        if number % 10 == 0:
            await arena.publish(f"board{number % 8}", {"ada": number})
        if number % 3 == 0:
            client.connection.transport.abort()


async def test_closing_the_hub_says_bye_and_when_to_come_back(make_server):
    server, hub = await make_server()
    async with server.client("/ws/leaderboard/arcade/") as watcher, server.client() as idle:
        await watcher.next("snapshot")
        await idle.send(type="ping")
        await idle.next("pong")
        closing = asyncio.create_task(hub.aclose())
        for client in (watcher, idle):
            assert await client.rest() == CloseCode.RESTARTING
            low, high = hub.options.retry_in_ms
            bye = client.messages[-1]
            assert (bye["type"], bye["code"]) == ("bye", 1012)
            assert low <= bye["retry_in_ms"] <= high
        await closing
        async with server.client("/ws/leaderboard/arcade/") as late:
            assert await late.rest() == CloseCode.RESTARTING
            assert late.of("bye")


async def test_a_socket_too_many_is_told_to_come_back(make_server):
    server, hub = await make_server(sockets=1)
    async with server.client("/ws/leaderboard/arcade/") as first:
        await first.next("snapshot")
        async with server.client("/ws/leaderboard/arcade/") as second:
            assert await second.rest() == CloseCode.RESTARTING
            assert [message["code"] for message in second.of("error")] == ["overloaded"]
            assert not second.of("snapshot")
        await eventually(lambda: hub.counters.sockets == 1)
        await first.send(type="ping")
        await first.next("pong")
