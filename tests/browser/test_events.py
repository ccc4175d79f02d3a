"""Server-sent events in a real browser, by the client that docs/protocol.md shows."""

import asyncio
import signal
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from playwright.async_api import Page

from tests.docs.reading import PROTOCOL, blocks
from tests.servers.stack import Stack

pytestmark = pytest.mark.slow

MANY = {f"RATE_LIMIT_{name}": "100000:100000" for name in ("SUBMIT_KEY", "READ_ADDRESS")}

# Keeps the types of all messages, whichever EventSource brings them.
COUNTING = """
window.told = [];
window.shown = { rows: [], total: 0 };
window.EventSource = class extends EventSource {
  constructor(address) {
    super(address);
    this.addEventListener("message", ({ data }) => told.push(JSON.parse(data).type));
  }
};
"""


def documented() -> str:
    """`apply` and `watchEvents` as the document has them, without the calls below them."""
    texts = [block.text for block in blocks(PROTOCOL, "js")]
    client, events = (next(text for text in texts if name in text) for name in ("function apply", "function watchEvents"))
    apply = client[client.index("function apply") : client.index("\nwatch(")]
    return apply + events[: events.index("\nwatchEvents(")]


async def submit(stack: Stack, count: int) -> list[Any]:
    """Play, and what REST says then."""
    async with httpx.AsyncClient(base_url=stack.url, headers={"Authorization": f"Api-Key {stack.api_key}"}) as client:
        for number in range(count):
            answer = await client.post("/api/v1/scores/", json={"player": f"p{number % 7}", "score": 1 + number * number % 97})
            assert answer.status_code == 201, answer.text
        top = await client.get("/api/v1/leaderboard/global/top/?limit=10")
        return list(top.json()["entries"])


async def shows(page: Page, rows: list[Any]) -> None:
    await page.wait_for_function("rows => JSON.stringify(shown.rows) === JSON.stringify(rows)", arg=rows, timeout=30_000)


async def test_the_documented_client_goes_on_after_its_server_was_killed_or_stopped(new_stack: Callable[..., Stack], page: Page) -> None:
    stack = await asyncio.to_thread(new_stack, env=MANY)
    await page.goto(f"{stack.url}/livez")
    await page.evaluate(COUNTING + documented() + '\nwatchEvents("global", 10, (rows, total) => { shown = { rows, total }; });')
    await shows(page, await submit(stack, 20))
    for number in (signal.SIGKILL, signal.SIGTERM):
        pid = stack.kill("web", number)
        await asyncio.to_thread(stack.wait_for_restart, "web", pid)
        await asyncio.to_thread(stack.wait_until_ready)
        await shows(page, await submit(stack, 20))
    told = await page.evaluate("told")
    assert told.count("snapshot") == 1, "it began anew instead of going on"
    assert told.count("bye") == 1, "only who is asked to stop can say so"
    assert told.count("delta") > 2

    await page.goto(f"http://localhost:{stack.port}/livez")  # another origin
    await page.evaluate(COUNTING + f'new EventSource("{stack.url}/sse/leaderboard/global/")')
    await page.wait_for_function("told.includes('snapshot')")
