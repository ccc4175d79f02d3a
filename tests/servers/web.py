"""The web server of the Procfile in this process, so that a test can look at both ends of a connection."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn

from gaming_leaderboard.server import HttpProtocol


@asynccontextmanager
async def serving(application: Any, **options: Any) -> AsyncIterator[tuple[uvicorn.Server, int]]:
    """The server and its port on 127.0.0.1."""
    config = uvicorn.Config(
        application,
        host="127.0.0.1",
        port=0,
        http=HttpProtocol,
        log_config=None,
        access_log=False,
        server_header=False,
        **{"ws": "none", "timeout_graceful_shutdown": 2, **options},
    )
    server = Quiet(config)
    task = asyncio.create_task(server.serve())
    try:
        while not server.started:
            if task.done():
                task.result()
            await asyncio.sleep(0.005)
        yield server, server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await task


class Quiet(uvicorn.Server):
    """Leaves the process's signals alone."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
