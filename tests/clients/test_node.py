"""The JavaScript client in Node against the real service, by each way to listen that Node has."""

import asyncio
import json
import shutil

import pytest
from gaming_leaderboard_client import AsyncClient

from tests.clients.test_vectors import CLIENTS
from tests.servers.stack import Stack

NODE = shutil.which("node")

# Prints the standings after each change, and ends when it is told to.
WATCH = """
import { LiveBoard } from "./src/index.js";
const [url, transport, slug] = process.argv.slice(1);
const board = new LiveBoard({ url, board: slug, top: 100, transport, onChange: (now) => console.log(JSON.stringify(now)) }).start();
process.stdin.on("data", () => {
  board.stop();
  process.stdin.destroy();
});
"""


@pytest.mark.skipif(NODE is None, reason="no node on PATH")
@pytest.mark.parametrize("transport", ["auto", "sse"])
async def test_a_board_is_live_in_node(stack: Stack, transport: str) -> None:
    assert NODE
    slug = player = f"node-{transport}"
    stack.manage("create_board", "--game", "default", "--slug", slug, "--operator", "best")
    watching = await asyncio.create_subprocess_exec(
        *(NODE, "--input-type=module", "-e", WATCH, stack.url, transport, slug),
        cwd=CLIENTS / "js",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert watching.stdout
    assert watching.stdin
    try:
        async with AsyncClient(stack.url, api_key=stack.api_key) as client, asyncio.timeout(60):
            await watching.stdout.readline()
            await client.submit(5, player=player, leaderboards=[slug])
            async for line in watching.stdout:
                standings = json.loads(line)
                if any(row["player"] == player for row in standings["rows"]):
                    break
            top = await client.top(slug, limit=100)
            assert [standings["rows"], standings["total"]] == [top["entries"], top["total"]]
            watching.stdin.write(b"enough\n")
            assert await watching.wait() == 0, "nothing holds the process after stop"
    finally:
        if watching.returncode is None:
            watching.kill()
            await watching.wait()
