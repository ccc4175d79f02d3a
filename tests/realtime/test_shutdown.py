"""A whole server that is asked to stop, as by a deployment; and what the project's own routing offers to its entrances."""

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from realtime import routing
from tests.realtime.arena import PATIENCE_S, Client, eventually, quiet_wire


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_server_that_is_asked_to_stop_says_bye_before_it_closes_its_sockets(redis_url, ws, number):
    listening = socket.create_server(("127.0.0.1", 0))
    arguments = ["tests.realtime.app:application", "--fd", str(listening.fileno()), "--lifespan", "off", "--ws", ws]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "uvicorn", *arguments, "--log-level", "error"),
        cwd=Path(__file__).parents[2],
        env={**os.environ, "REDIS_URL": redis_url},
        pass_fds=[listening.fileno()],
    )
    try:
        url = f"ws://127.0.0.1:{listening.getsockname()[1]}/ws/leaderboard/arcade/"
        async with connect(url, open_timeout=PATIENCE_S, proxy=None) as connection:
            client = Client(connection)
            await client.next("snapshot")
            process.send_signal(number)
            assert await client.rest() == 1012
            assert client.messages[-1]["type"] == "bye"
        async with asyncio.timeout(PATIENCE_S):
            await process.wait()
    finally:
        listening.close()
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_closing_without_a_hub_is_no_error():
    await routing.close_realtime()


async def test_closing_closes_the_loops_hub_once(make_hub):
    hub = make_hub()
    routing._hubs[asyncio.get_running_loop()] = hub
    outbox = hub.attach(quiet_wire())
    assert routing.current_hub() is hub
    hub.detach(outbox)
    await routing.close_realtime()
    await routing.close_realtime()
    assert routing._hubs == {}
    await eventually(lambda: hub.closing)
