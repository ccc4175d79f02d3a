"""Our own WebSocket class under uvicorn: what it takes over, what it leaves to ASGI, and whom it lets go."""

import asyncio
import gc
import json
import socket
import sys

import pytest
from websockets.asyncio.client import connect
from websockets.frames import Frame, Opcode

from realtime.limits import PEER_GONE_MS
from realtime.protocol import CloseCode
from realtime.routing import websocket_app
from realtime.server import DirectWire
from tests.realtime.arena import CAST, OURS, NoDesk, Server, eventually

pytestmark = pytest.mark.slow

NEVER = 3600


@pytest.fixture
def ws():
    return OURS


@pytest.fixture
async def serve():
    """Serve any ASGI application by our class."""
    servers = []

    async def start(application):
        servers.append(Server(application, ws=OURS))
        await servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        await server.stop()


class Raw:
    """A client that does nothing by itself: no pongs, no close."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    @classmethod
    async def connect(cls, port, path="/ws/", **headers):
        self = cls(*await asyncio.open_connection("127.0.0.1", port))
        lines = [f"GET {path} HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
        lines += ["Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", *(f"{name}: {value}" for name, value in headers.items())]
        self.writer.write("\r\n".join((*lines, "", "")).encode())
        return self

    async def handshake(self):
        return await self.reader.readuntil(b"\r\n\r\n")

    def send(self, opcode, payload):
        self.writer.write(Frame(opcode, payload).serialize(mask=True))

    async def next(self):
        """Opcode and payload."""
        first, size = await self.reader.readexactly(2)
        if size >= 126:
            size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8), "big")
        return Opcode(first & 15), await self.reader.readexactly(size)

    async def until(self, opcode):
        async with asyncio.timeout(20):
            while (found := await self.next())[0] is not opcode:
                pass
            return found[1]

    async def close_code(self):
        return int.from_bytes((await self.until(Opcode.CLOSE))[:2], "big")

    async def leave(self):
        self.writer.close()
        await self.writer.wait_closed()


@pytest.fixture
async def raw():
    clients = []

    async def make(port, path="/ws/", **headers):
        clients.append(await Raw.connect(port, path, **headers))
        return clients[-1]

    yield make
    for client in clients:
        await client.leave()


def wires(server):
    return [connection for connection in server.uvicorn.server_state.connections if isinstance(connection, DirectWire)]


async def test_sockets_cost_no_task_each_and_their_handshake_is_forgotten(make_server):
    server, hub = await make_server(heartbeat_s=NEVER)
    async with server.client("/ws/leaderboard/arcade/") as warm:
        await warm.next("snapshot")
        tasks = len(asyncio.all_tasks())
        async with server.client("/ws/leaderboard/arcade/") as client, server.client() as other:
            await client.next("snapshot")
            await other.send(type="ping")
            await other.next("pong")
            clients = 2  # the library's own task for each, in this same process
            await eventually(lambda: len(asyncio.all_tasks()) <= tasks + clients)
            assert len(wires(server)) == hub.counters.sockets == 3
            assert not server.uvicorn.server_state.tasks
            gc.collect()
            kept = [held for held in gc.get_objects() if type(held).__name__ in ("SocketServer", "ServerProtocol", "BoardConsumer")]
            assert kept == []


async def test_the_kernel_is_told_to_notice_a_client_that_vanished(make_server):
    server, _ = await make_server()
    async with server.client() as client:
        await client.send(type="ping")
        await client.next("pong")
        accepted = wires(server)[0]._transport.get_extra_info("socket")
        assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        if sys.platform == "linux":
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == PEER_GONE_MS
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) * 1000 <= PEER_GONE_MS


async def test_a_client_that_answers_no_ping_is_let_go_and_the_others_are_not(make_server, raw):
    server, hub = await make_server(probe_every=1)
    client = await raw(server.port, "/ws/leaderboard/arcade/")
    await client.handshake()
    async with server.client() as lively:
        assert await client.until(Opcode.PING) == b""
        assert await client.close_code() == CloseCode.TOO_SLOW
        assert hub.counters.silent_closes == 1
        await lively.send(type="ping")
        await lively.next("pong")
        assert hub.counters.sockets == 2 or not wires(server)[1:]


async def test_one_that_does_not_take_its_close_is_cut_off_after_the_grace(make_server, raw):
    server, hub = await make_server(probe_every=1, close_grace_s=0.05)
    client = await raw(server.port)
    await client.handshake()
    await eventually(lambda: hub.counters.silent_closes)
    await eventually(lambda: hub.counters.sockets == 0 and not wires(server))


async def test_what_waits_for_a_client_that_never_reads_is_bounded(arena, make_server):
    server, hub = await make_server(write_buffer_bytes=20_000, send_timeout_s=NEVER, heartbeat_s=NEVER)
    async with server.client("/ws/leaderboard/arcade/?top=100", lazy=True) as deaf:
        await deaf.next("snapshot")
        [wire] = wires(server)
        longest = 0
        for turn in range(200):
            frame = await arena.publish("arcade", {player: turn + i for i, player in enumerate(CAST[:40])}, name=lambda p: p * 30)
            await eventually(lambda turn=turn: hub.counters.frames_received == turn + 1)
            longest = max(longest, len(frame.texts[100]))
            assert wire._transport.get_write_buffer_size() <= 20_000 + longest + 20
        assert not wire.ready
        await deaf.until(lambda: deaf.shows("arcade", arena.newest("arcade"), top=100))
        assert len(deaf.of("snapshot")) == 2


async def test_frames_before_the_handshakes_answer_are_not_lost(make_server, serve, raw):
    """A client may not do that, but one that does is served by the parser that has its bytes."""
    _, hub = await make_server()
    gate, asked, desk = asyncio.Event(), asyncio.Event(), NoDesk()
    inner = websocket_app(lambda: hub, lambda: desk)

    async def hesitant(scope, receive, send):
        asked.set()
        await gate.wait()
        await inner(scope, receive, send)

    server = await serve(hesitant)
    client = await raw(server.port)
    await asked.wait()
    client.send(Opcode.TEXT, b'{"type":"ping"}')
    await eventually(lambda: any(getattr(one, "_early", False) for one in server.uvicorn.server_state.connections))
    gate.set()
    await client.handshake()
    assert json.loads(await client.until(Opcode.TEXT)) == {"type": "pong"}
    assert not wires(server)


async def test_any_asgi_application_works_as_under_uvicorns_own_class(serve):
    async def echo(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"] * 2})

    server = await serve(echo)
    async with server.client() as client:
        await client.connection.send("ab")
        assert await client.connection.recv() == "abab"


async def test_compression_is_not_agreed_on(make_server):
    server, _ = await make_server()
    async with connect(f"ws://127.0.0.1:{server.port}/ws/", compression="deflate", proxy=None) as connection:
        assert "Sec-WebSocket-Extensions" not in connection.response.headers


async def test_the_clients_close_is_answered_with_its_code(make_server, raw):
    server, hub = await make_server(heartbeat_s=NEVER)
    client = await raw(server.port)
    await client.handshake()
    client.send(Opcode.CLOSE, (3001).to_bytes(2, "big") + b"enough")
    assert await client.close_code() == 3001
    assert await client.reader.read() == b""
    await eventually(lambda: hub.counters.sockets == 0 and not wires(server))


async def test_what_is_no_websocket_is_closed_and_the_others_go_on(arena, make_server, raw):
    server, hub = await make_server(heartbeat_s=NEVER)
    client = await raw(server.port)
    await client.handshake()
    async with server.client("/ws/leaderboard/arcade/?top=3") as other:
        await other.next("snapshot")
        client.writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert await client.close_code() == 1002
        assert await client.reader.read() == b""
        await client.leave()
        await eventually(lambda: hub.counters.sockets == 1)
        await arena.publish("arcade", {"ada": 1})
        await other.until(lambda: other.shows("arcade", arena.newest("arcade"), top=3))


async def test_pings_are_answered_but_not_without_end(make_server, raw):
    server, _ = await make_server(heartbeat_s=NEVER, message_burst=5, messages_per_s=0)
    client = await raw(server.port)
    await client.handshake()
    for number in range(6):
        client.send(Opcode.PING, str(number).encode())
    for number in range(5):
        assert await client.next() == (Opcode.PONG, str(number).encode())
    assert await client.close_code() == CloseCode.TOO_MANY


async def test_a_server_that_stops_without_a_bye_closes_with_1012(make_server, raw):
    server, _ = await make_server(heartbeat_s=NEVER)
    client = await raw(server.port)
    await client.handshake()
    await eventually(lambda: wires(server))
    await server.stop()
    assert await client.close_code() == 1012


async def test_commands_in_one_piece_are_obeyed_in_order(make_server, raw):
    """Opening a board takes a while; what was sent behind it waits for it."""
    server, hub = await make_server(heartbeat_s=NEVER)
    client = await raw(server.port)
    await client.handshake()
    commands = [{"type": "subscribe", "leaderboard": slug, "top": 3} for slug in ("arcade", "puzzle")]
    commands += [{"type": "unsubscribe", "leaderboard": "arcade"}, {"type": "ping"}]
    client.writer.write(b"".join(Frame(Opcode.TEXT, json.dumps(command).encode()).serialize(mask=True) for command in commands))
    told = [json.loads(await client.until(Opcode.TEXT)) for _ in range(3)]
    assert [message["type"] for message in told] == ["snapshot", "snapshot", "pong"]
    assert hub.presence() == {"puzzle": 1}
