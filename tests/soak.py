"""A page held open for long: `python -m tests.soak --minutes 30 --per-minute 500`.

Two live pages in Chromium, one of a contest that is replayed, one of an arcade's simulated evening, beside the real process set. Ten
times on the way play pauses, and once the pages show what REST says, memory is measured: the pages' heap after a collection, their nodes
and listeners, open sockets, the server's resident memory. Ends with 1 if a page did not come to show what REST says, complained, fell
behind (a snapshot where deltas should have come), or if something grew.

No part of the suite: it takes as long as it is told.
"""

import argparse
import asyncio
import itertools
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

import httpx
from playwright.async_api import Browser, CDPSession, Page, async_playwright

from leaderboard.contest import parse, timeline
from leaderboard.simulation import Play, evening
from tests.browser.live import Ears, Games, shows
from tests.servers.browser import find_chromium, launch_flags
from tests.servers.stack import Stack, start_stack

CONTEST = "soak-contest"
ARCADE = "global"
TOP = 25
SAMPLES = 10
CONTEST_SHARE = 3  # every third change at most is the contest's
GUESTS = 300
BATCH = 100
POSTERS = 8  # under way at a time: answers take longer on a busy machine, and the pace is to hold
# How much more the second half may have than the first: a share, and what is noise however little there is.
ROOM = {
    "heap_kb": (0.10, 1_000),
    "nodes": (0.10, 200),
    "listeners": (0.10, 20),
    "sockets": (0, 0),
    "web_mb": (0.10, 15),
    "worker_mb": (0.10, 15),
}

Body = dict[str, Any]


@dataclass(frozen=True)
class Sample:
    """At a quiet moment. Both pages together; `equal_ms`: how long after the last answer they showed what REST says."""

    minute: float
    changes: int
    equal_ms: int
    heap_kb: int
    nodes: int
    listeners: int
    sockets: int
    web_mb: int
    worker_mb: int


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--per-minute", type=int, default=500, help="changes, of both boards together (default: 500)")
    parser.add_argument("--contest", type=Path, default=os.environ.get("CONTEST_DATA"), help="a contest's folder (default: CONTEST_DATA)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with start_stack(f"sqlite:///{directory / 'db.sqlite3'}", directory=directory) as stack:
            sys.exit(1 if asyncio.run(_soak(stack, options.minutes * 60, options.per_minute, options.contest)) else 0)


async def _soak(stack: Stack, seconds: float, per_minute: int, contest: Path | None) -> list[str]:
    """What was wrong."""
    subscore = ("--subscore-order", "asc")
    stack.manage("create_board", "--game", "default", "--slug", CONTEST, "--operator", "latest", *subscore, "--game-mode", "contest")
    async with AsyncExitStack() as ends:
        http = httpx.AsyncClient(base_url=stack.url, headers={"Authorization": f"Api-Key {stack.api_key}"}, timeout=30)
        await ends.enter_async_context(http)
        plays = await _opening(http)
        changes = _changes(_steps(contest), plays)
        browser = await _browser(ends)
        pages = [await Watched.open(browser, stack, board) for board in (CONTEST, ARCADE)]
        for page in pages:
            ends.push_async_callback(page.games.aclose)
        samples = await _play(http, stack, pages, changes, seconds=seconds, per_minute=per_minute)
    complaints = [*itertools.chain(*(page.complaints() for page in pages)), *_grown(samples)]
    print("\n".join(complaints) or f"ends equal to REST after {samples[-1].changes:,} changes, nothing grew")
    return complaints


async def _browser(ends: AsyncExitStack) -> Browser:
    chromium = await asyncio.to_thread(find_chromium)
    playwright = await ends.enter_async_context(async_playwright())
    env = {**os.environ, **chromium.env}
    browser = await playwright.chromium.launch(executable_path=chromium.path, env=env, args=launch_flags())
    ends.push_async_callback(browser.close)
    return browser


# --- Who plays ------------------------------------------------------------------------------------------------------------


async def _opening(http: httpx.AsyncClient) -> Iterator[Play]:
    """The evening, once those are in who played before it."""
    plays = evening(seed=48, players=GUESTS)
    first = [_play_body(next(plays)) for _ in range(GUESTS)]
    for at in range(0, GUESTS, BATCH):
        (await http.post("/api/v1/scores/batch/", json={"scores": first[at : at + BATCH]})).raise_for_status()
    return plays


def _play_body(play: Play) -> Body:
    body = {"player": play.player, "name": play.name, "score": play.score, "game_mode": play.game_mode, "leaderboards": [ARCADE]}
    return {**body, "metadata": play.metadata}


def _steps(folder: Path | None) -> list[Body]:
    """The contest's, in order; none where there is no data."""
    if folder is None:
        print("no contest data: simulated play only; name its folder by --contest")
        return []
    contest = parse(
        **{name: (folder / f"{file}.json").read_bytes() for name, file in (("config", "config"), ("teams", "team"), ("runs", "run"))}
    )
    of_contest = {"game_mode": "contest", "leaderboards": [CONTEST]}
    return [
        {"player": step.team_id, "name": step.name, "score": step.solved, "subscore": step.penalty, **of_contest}
        for step in timeline(contest)
    ]


def _changes(steps: Sequence[Body], plays: Iterator[Play]) -> Iterator[Body]:
    """Without an end: every third is a step of the contest, which begins anew when it is over."""
    contest = itertools.cycle(steps) if steps else None
    for number in itertools.count():
        yield next(contest) if contest and number % CONTEST_SHARE == 0 else _play_body(next(plays))


async def _play(
    http: httpx.AsyncClient, stack: Stack, pages: Sequence["Watched"], changes: Iterator[Body], *, seconds: float, per_minute: int
) -> list[Sample]:
    samples: list[Sample] = []
    total = max(SAMPLES, round(seconds / 60 * per_minute))
    began, posted = time.monotonic(), 0
    print("  ".join(f"{field.name:>9}" for field in fields(Sample)))
    for number in range(1, SAMPLES + 1):
        until = total * number // SAMPLES
        await _post(http, itertools.islice(changes, until - posted), posted, began=began, pace_s=60 / per_minute)
        posted = until
        samples.append(await _sample(stack, pages, posted, (time.monotonic() - began) / 60))
        print("  ".join(f"{value:>9,.1f}" if isinstance(value, float) else f"{value:>9,}" for value in astuple(samples[-1])), flush=True)
    return samples


async def _post(http: httpx.AsyncClient, changes: Iterator[Body], first: int, *, began: float, pace_s: float) -> None:
    """Each at its time, some at once. Two of one team keep their order: a step is far from the next."""
    room = asyncio.Semaphore(POSTERS)

    async def post(body: Body) -> None:
        try:
            (await http.post("/api/v1/scores/", json=body)).raise_for_status()
        finally:
            room.release()

    async with asyncio.TaskGroup() as under_way:
        for number, body in enumerate(changes, first):
            await asyncio.sleep(max(0.0, began + number * pace_s - time.monotonic()))
            await room.acquire()
            under_way.create_task(post(body))


# --- What is seen ---------------------------------------------------------------------------------------------------------


class Watched:
    """A page that is held open."""

    def __init__(self, page: Page, devtools: CDPSession, games: Games) -> None:
        self.page, self.games, self._devtools, self._ears = page, games, devtools, Ears(page)
        self._errors: list[str] = []
        self._not_equal = ""
        page.on("pageerror", lambda error: self._errors.append(str(error)))

    @classmethod
    async def open(cls, browser: Browser, stack: Stack, board: str) -> "Watched":
        page = await (await browser.new_context(viewport={"width": 1280, "height": 800})).new_page()
        watched = cls(page, await page.context.new_cdp_session(page), Games(stack, board))
        await watched._devtools.send("Performance.enable")
        await page.goto(f"{stack.url}/boards/{board}/?top={TOP}")
        return watched

    async def settle(self) -> None:
        try:
            await shows(self.page, await self.games.top(TOP))
        except AssertionError as error:
            self._not_equal = str(error)

    async def measure(self) -> dict[str, int]:
        await self._devtools.send("HeapProfiler.collectGarbage")
        found = {metric["name"]: int(metric["value"]) for metric in (await self._devtools.send("Performance.getMetrics"))["metrics"]}
        return {"heap_kb": found["JSHeapUsedSize"] // 1024, "nodes": found["Nodes"], "listeners": found["JSEventListeners"]}

    def complaints(self) -> list[str]:
        told = [f"{self.games.board}: {said}" for said in (*self._errors, *self._ears.said, *filter(None, [self._not_equal]))]
        snapshots = self._ears.frames.count("snapshot")
        return told if snapshots <= 1 else [*told, f"{self.games.board}: {snapshots} snapshots where one was due"]


async def _sample(stack: Stack, pages: Sequence[Watched], changes: int, minute: float) -> Sample:
    paused = time.monotonic()
    for page in pages:
        await page.settle()
    equal_ms = round(1000 * (time.monotonic() - paused))
    measured = [await page.measure() for page in pages]
    sums = {name: sum(each[name] for each in measured) for name in measured[0]}
    memory = {f"{name}_mb": _resident_mb(stack.processes[name]) for name in ("web", "worker")}
    sockets = int(await pages[0].games.metric("realtime_sockets"))
    return Sample(minute=minute, changes=changes, equal_ms=equal_ms, sockets=sockets, **sums, **memory)


def _resident_mb(pid: int) -> int:
    """Of a process and its children."""
    statuses = [Path(f"/proc/{each}/status").read_text() for each in _tree(pid)]
    return sum(int(line.split()[1]) for status in statuses for line in status.splitlines() if line.startswith("VmRSS:")) // 1024


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from _tree(int(child))


def _grown(samples: Sequence[Sample]) -> list[str]:
    """What the second half has more of than the first. Each half by its median; what the first sample warms up does not count."""
    halves = samples[1 : len(samples) // 2 + 1], samples[len(samples) // 2 + 1 :]
    told = []
    for name, (share, noise) in ROOM.items():
        before, after = (statistics.median(getattr(sample, name) for sample in half) for half in halves)
        if after > before * (1 + share) + noise:
            told.append(f"{name} grew from {before:,.0f} to {after:,.0f}")
    return told


if __name__ == "__main__":
    main()
