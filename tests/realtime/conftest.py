import contextlib

import pytest

from realtime.hub import Hub
from realtime.limits import Options
from realtime.routing import websocket_app
from tests.realtime.arena import OURS, STOCK, Arena, NoDesk, Server, Socket, make_layer
from tests.servers.redis import start_redis

# A poll and a heartbeat that tests need not wait for.
SWIFT = {"poll_s": 0.03, "poll_backoff_s": 0.1, "call_timeout_s": 1.0, "heartbeat_s": 0.05}


@pytest.fixture
async def arena(redis_url):
    arena = Arena(redis_url, "arcade", "puzzle", *(f"board{number}" for number in range(40)))
    yield arena
    await arena.aclose()


@pytest.fixture
async def make_hub(redis_url, arena):
    """Hubs on the session's Redis; keyword arguments are options."""
    hubs = []

    def make(url=redis_url, source=arena, **options):
        hubs.append(Hub(source=source, layer=make_layer(url), options=Options(**{**SWIFT, **options})))
        return hubs[-1]

    yield make
    for hub in hubs:
        await hub.aclose()


@pytest.fixture
async def make_socket():
    async with contextlib.AsyncExitStack() as stack:

        def make(hub):
            socket = Socket(hub)
            stack.push_async_callback(socket.leave)
            return socket

        yield make


@pytest.fixture(params=[OURS, STOCK], ids=["direct", "asgi"])
def ws(request):
    """The two ways to a socket: what holds on one holds on the other."""
    return request.param


@pytest.fixture
async def make_server(make_hub, ws):
    """A server and its hub; keyword arguments are the hub's."""
    servers = []

    async def make(**options):
        hub, desk = make_hub(**options), NoDesk()
        servers.append(Server(websocket_app(lambda: hub, lambda: desk), ws=ws))
        await servers[-1].start()
        return servers[-1], hub

    yield make
    for server in servers:
        await server.stop()


@pytest.fixture
def own_redis():
    """A server that a test may kill."""
    server = start_redis()
    yield server
    server.stop()
