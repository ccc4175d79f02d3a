"""Server-sent events as a browser reads them, over a plain connection, so that a test may also read slowly or not at all."""

import asyncio
import json
import socket
from contextlib import asynccontextmanager, contextmanager, suppress
from urllib.parse import urlencode

from gaming_leaderboard.handler import ApiHandler
from gaming_leaderboard.server import HttpProtocol
from realtime import routing
from realtime.routing import websocket_application
from tests.realtime.arena import OURS, PATIENCE_S, Server, Watcher


def many(*commands):
    """The address of several boards, each asked for as on a socket."""
    texts = [command if isinstance(command, str) else json.dumps(command) for command in commands]
    return "/sse/?" + urlencode([("subscribe", text) for text in texts])


class EventStream(Watcher):
    """An answer: its status and headers, and then every event, checked as a socket's messages are."""

    def __init__(self, reader, writer):
        super().__init__()
        self._reader, self._writer = reader, writer
        self.status, self.headers = 0, {}
        self.retry_ms = None
        self.last_id = ""
        self.texts = []  # of the events' data

    async def head(self):
        async with asyncio.timeout(PATIENCE_S):
            first, *lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().splitlines()
        self.status = int(first.split(" ")[1])
        self.headers = dict(line.lower().split(": ", 1) for line in lines if line)
        return self

    async def problem(self):
        return json.loads(await self._reader.readexactly(int(self.headers["content-length"])))

    async def next(self, kind=None):
        """The next message (of that type)."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                fields = await self._event()
                if fields is None:
                    raise EOFError
                if "retry" in fields:
                    self.retry_ms = int(fields["retry"])
                if "data" in fields:
                    message = self._take_event(fields)
                    if kind in (None, message["type"]):
                        return message

    async def until(self, condition):
        while not condition():
            await self.next()

    async def rest(self):
        """The types of all that comes until the server has said that this is all."""
        seen = len(self.messages)
        with suppress(EOFError):
            while True:
                await self.next()
        return [message["type"] for message in self.messages[seen:]]

    def cut(self):
        self._writer.transport.abort()

    def _take_event(self, fields):
        self.texts.append(fields["data"])
        message = self.take(fields["data"])
        numbered = message["type"] in ("snapshot", "delta")
        assert ("id" in fields) == numbered
        if numbered:
            self.last_id = fields["id"]
            assert self.last_id == f"{message['epoch']}:{message['offset']}"
        return message

    async def _event(self):
        """One chunk is one event here: it goes out at once and whole. None for the last chunk."""
        size = int(await self._reader.readline(), 16)
        body = await self._reader.readexactly(size)
        assert await self._reader.readexactly(2) == b"\r\n"
        if not size:
            return None
        assert body.endswith(b"\n\n")
        lines = body.decode().removesuffix("\n\n").split("\n")
        assert len({line.split(": ", 1)[0] for line in lines}) == len(lines), "a line broke"
        return dict(line.split(": ", 1) for line in lines)


@asynccontextmanager
async def watching(port, path, headers=None, *, method="GET", lazy=False, sent_along=""):
    """`lazy`: with the smallest buffers, for who does not read."""
    connection = socket.socket()
    if lazy:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    connection.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=connection, limit=4_096 if lazy else 2**20)
    lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", *(f"{name}: {value}" for name, value in (headers or {}).items())]
    writer.write("\r\n".join([*lines, "", sent_along]).encode())
    try:
        yield await EventStream(reader, writer).head()
    finally:
        writer.transport.abort()


@contextmanager
def installed(hub, desk):
    """The running loop's hub and desk, for what asks `realtime.routing` for them."""
    loop = asyncio.get_running_loop()
    routing._hubs[loop], routing._desks[loop] = hub, desk
    try:
        yield
    finally:
        del routing._hubs[loop], routing._desks[loop]


def streaming_server(lane):
    """A server whose streams go by this lane: `direct` from our server's protocol, `asgi` by ASGI on uvicorn's own."""
    api, own = ApiHandler(), lane != "asgi"

    async def app(scope, receive, send):
        await (api if scope["type"] == "http" else websocket_application)(scope, receive, send)

    return Server(app, ws=OURS, http=HttpProtocol if own else "httptools", api=api if own else None)
