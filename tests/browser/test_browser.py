"""The browser itself, so that a page that fails is the page's fault."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page
from websockets.asyncio.server import ServerConnection, serve

pytestmark = pytest.mark.slow


@pytest.fixture
async def echo_url() -> AsyncIterator[str]:
    async def echo(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(f"you said {message}")

    async with serve(echo, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}"


async def test_it_lays_out_a_page_and_runs_its_script(page: Page) -> None:
    await page.set_content("<h1>Board</h1><script>document.querySelector('h1').append(' of ' + [3, 1, 2].toSorted().join(' '))</script>")
    heading = page.locator("h1")
    assert await heading.inner_text() == "Board of 1 2 3"
    box = await heading.bounding_box()
    assert box is not None
    assert box["height"] > 10
    assert len(await page.screenshot()) > 1_000


async def test_its_scripts_speak_over_a_websocket(page: Page, echo_url: str) -> None:
    said = await page.evaluate(
        """url => new Promise((resolve, reject) => {
            const socket = new WebSocket(url);
            socket.onopen = () => socket.send("hello");
            socket.onmessage = message => resolve(message.data);
            socket.onerror = () => reject(new Error("no connection"));
        })""",
        echo_url,
    )
    assert said == "you said hello"
