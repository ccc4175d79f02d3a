"""What README.md shows is run: the calls by curl, the watchers in a real browser and by Python, against the real process set."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import Page

from tests.docs.reading import README, Block, blocks, difference, pairs
from tests.servers.stack import Stack

pytestmark = pytest.mark.slow

DEMO, TEST, *CALLS = blocks(README, "bash", "json")
EXAMPLES = pairs(CALLS)
PATIENCE_S = 20
STATUS = "curl -w '\n%{http_code}' "


@pytest.fixture(scope="module")
def answers(fresh_stack: Stack) -> dict[int, tuple[Any, int]]:
    """Body and status of every call, by its line. They are a story: the board as the README describes it, then all, in order, once."""
    if shutil.which("curl") is None:
        pytest.skip("no curl on PATH")
    before = {"scores": [{"player": "bo", "name": "Bo", "score": 1500}, {"player": "cy", "name": "Cy", "score": 900}]}
    headers = {"Authorization": f"Api-Key {fresh_stack.api_key}"}
    httpx.post(f"{fresh_stack.url}/api/v1/scores/batch/", json=before, headers=headers).raise_for_status()
    return {call.line: _curl(call, fresh_stack) for call, _ in EXAMPLES}


def _curl(call: Block, stack: Stack) -> tuple[Any, int]:
    script = here(call.text, stack).replace("curl ", STATUS, 1)
    done = subprocess.run(
        ["bash", "-c", script], env={**os.environ, "API_KEY": stack.api_key}, capture_output=True, text=True, timeout=30, check=True
    )
    body, _, status = done.stdout.rpartition("\n")
    return json.loads(body), int(status)


def here(text: str, stack: Stack) -> str:
    """The example with the stack's address."""
    assert "localhost:8000" in text
    return text.replace("localhost:8000", f"127.0.0.1:{stack.port}")


@pytest.mark.parametrize(("call", "shown"), EXAMPLES, ids=[f"line {call.line}" for call, _ in EXAMPLES])
def test_the_call_gets_the_answer_that_is_shown(answers: dict[int, tuple[Any, int]], call: Block, shown: Block) -> None:
    answered, status = answers[call.line]
    assert status == (201 if "-d " in call.text else 200)
    assert difference(json.loads(shown.text), answered) is None


def test_a_call_that_is_sent_again_counts_once(answers: dict[int, tuple[Any, int]], fresh_stack: Stack) -> None:
    post = EXAMPLES[0][0]
    assert _curl(post, fresh_stack) == answers[post.line]


# --- Watching -----------------------------------------------------------------------------------------------------------


class Evening:
    """Scores that change the order, and how the examples are to print the board afterwards."""

    def __init__(self, stack: Stack) -> None:
        self._client = httpx.AsyncClient(base_url=stack.url, headers={"Authorization": f"Api-Key {stack.api_key}"})

    async def __aenter__(self) -> "Evening":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def post(self, player: str, score: int) -> None:
        (await self._client.post("/api/v1/scores/", json={"player": player, "score": score})).raise_for_status()

    async def lines(self) -> list[str]:
        top = (await self._client.get("/api/v1/leaderboard/global/top/?limit=10")).json()
        return [f"{row['rank']}. {row['name']} {row['score']}" for row in top["entries"]]


@pytest.fixture
async def evening(answers: dict[int, tuple[Any, int]], fresh_stack: Stack) -> AsyncIterator[Evening]:
    async with Evening(fresh_stack) as evening:
        yield evening


async def _shows_changes(printed: "asyncio.Queue[list[str]]", evening: Evening) -> None:
    """The board as it is, then after a newcomer in front, one who passes, and a last one."""
    await _wait_for(printed, await evening.lines())
    for player, score in (("fay", 2000), ("cy", 1200), ("gus", 1)):
        await evening.post(player, score)
        await _wait_for(printed, await evening.lines())


async def _wait_for(printed: "asyncio.Queue[list[str]]", lines: list[str]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while await printed.get() != lines:
            pass


async def test_the_javascript_watcher_shows_the_board_as_it_changes(page: Page, fresh_stack: Stack, evening: Evening) -> None:
    (example,) = blocks(README, "js")
    printed: asyncio.Queue[list[str]] = asyncio.Queue()
    page.on("console", lambda message: printed.put_nowait(message.text.split("\n")))
    await page.goto(f"{fresh_stack.url}/livez")  # of the same origin, without the page's policy: a console is not bound by it either
    await page.evaluate(here(example.text, fresh_stack) + "\nnull;")  # else the handler, the last value, would be called
    await _shows_changes(printed, evening)


async def test_the_python_watcher_shows_the_board_as_it_changes(fresh_stack: Stack, evening: Evening, tmp_path: Path) -> None:
    (example,) = blocks(README, "python")
    script = tmp_path / "watch.py"
    script.write_text(here(example.text, fresh_stack))
    printed: asyncio.Queue[list[str]] = asyncio.Queue()
    process = await asyncio.create_subprocess_exec(sys.executable, str(script), stdout=asyncio.subprocess.PIPE)
    assert process.stdout
    reader = asyncio.create_task(_read(process.stdout, printed))
    try:
        await _shows_changes(printed, evening)
    finally:
        process.kill()
        await process.wait()
        await reader


async def _read(stream: asyncio.StreamReader, printed: "asyncio.Queue[list[str]]") -> None:
    async for line in stream:
        printed.put_nowait(eval(line))


# --- Trying it ----------------------------------------------------------------------------------------------------------


def test_the_two_commands_are_the_demo_and_the_tests() -> None:
    assert (DEMO.text, TEST.text) == ("make demo\n", "make test\n")


def test_the_key_is_printed_as_the_readme_says(fresh_stack: Stack) -> None:
    assert "`API key: ...`" in README.read_text()
    assert f"API key: {fresh_stack.api_key}\n" in fresh_stack.output
