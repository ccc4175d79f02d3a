"""The JavaScript client in a real browser and the real process set: many boards, a followed player, scores of two tabs, nothing left."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from playwright.async_api import Page

from tests.browser.live import Games, Wire, until, wire_to
from tests.servers.stack import Stack, start_stack

pytestmark = pytest.mark.slow

BOARDS = [f"many-{number:02}" for number in range(34)]  # more than a socket takes
PLAYERS = [f"p{number}" for number in range(6)]
TURNS = 100  # of opening and closing
MAKE = """
from django.core.management import call_command
for slug in {slugs}:
    call_command("create_board", "--game", "default", "--slug", slug, "--operator", "best", "--game-mode", "many")
"""
BLANK = "/static/clients/rows.js"  # a page of the same origin on which nothing else happens

# Counts what is set to happen later, from before any module is loaded.
COUNT_TIMERS = """
window.timers = new Set();
const { setTimeout: set, clearTimeout: clear } = window;
window.setTimeout = (call, ms, ...more) => {
    const timer = set((...given) => { timers.delete(timer); call(...given); }, ms, ...more);
    timers.add(timer);
    return timer;
};
window.clearTimeout = (timer) => { timers.delete(timer); clear(timer); };
"""

# Watches all boards; `shown` has the rows of each, `kinds` the frames that came.
WATCH_ALL = """async (slugs) => {
    const { Boards, applyDelta } = await import("/static/clients/index.js");
    Object.assign(window, { shown: {}, kinds: [], refused: [], pulses: {}, state: "" });
    window.boards = new Boards({ onState: ({ kind }) => (window.state = kind) });
    for (const slug of [...slugs, "nowhere"]) {
        boards.watch(slug, {
            top: 10,
            pulse: true,
            onFrame: (frame) => {
                kinds.push(frame.type);
                shown[slug] = frame.type === "snapshot" ? frame.entries : applyDelta(shown[slug], frame);
            },
            onPulse: ({ watching }) => (pulses[slug] = watching),
            onRefused: ({ code }) => refused.push([slug, code]),
        });
    }
    boards.start();
}"""

FOLLOW = """async ([board, player, transport]) => {
    const { LiveBoard } = await import("/static/clients/index.js");
    Object.assign(window, { around: null, overtakes: [] });
    window.live = new LiveBoard({
        ...{ board, top: 3, player, around: 1, transport },
        onAround: (around) => (window.around = around),
        onOvertake: (overtake) => overtakes.push(overtake),
    }).start();
}"""

OPEN_AND_CLOSE = """async ([slugs, turns]) => {
    const { Boards, LiveBoard } = await import("/static/clients/index.js");
    for (let turn = 0; turn < turns; turn++) {
        await new Promise((shown) => {
            const transport = turn % 4 ? "websocket" : "sse";
            const onChange = () => (board.stop(), shown());
            const board = new LiveBoard({ board: slugs[0], transport, player: "p0", pulse: true, onChange }).start();
        });
        if (turn % 5) continue;
        await new Promise((shown) => {
            const missing = new Set(slugs);
            const boards = new Boards();
            for (const slug of slugs) {
                const onFrame = () => void (missing.delete(slug) && !missing.size && (boards.stop(), shown()));
                boards.watch(slug, { top: 3, pulse: true, onFrame });
            }
            boards.start();
        });
    }
}"""

QUEUE = """async ([apiKey, scores]) => {
    const { Client, SubmitQueue } = await import("/static/clients/index.js");
    window.answered = [];
    window.refused = [];
    window.queue = new SubmitQueue({
        client: new Client({ apiKey, tries: 1 }),
        onAnswer: (_, { score }) => answered.push(score),
        onRefused: (error) => refused.push(error.name),
    });
    for (const score of scores) queue.add({ player: "tabs", score });
    await queue.flush();
}"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Of these tests alone: its web process is killed."""
    directory = tmp_path_factory.mktemp("client")
    with start_stack(f"sqlite:///{directory / 'db.sqlite3'}", directory=directory) as running:
        running.manage("shell", "-c", MAKE.format(slugs=BOARDS))
        yield running


@pytest.fixture
async def many(stack: Stack) -> AsyncIterator["Many"]:
    games = Many(stack)
    games.best = max([0, *(score for _, _, score in await games.top(1))])
    await games.score("p0", 1)
    yield games
    await games.aclose()


@pytest.fixture
async def wire(stack: Stack) -> AsyncIterator[Wire]:
    async with wire_to(stack) as laid:
        yield laid


class Many(Games):
    """One score counts for all of them, and leads."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack, BOARDS[0])
        self.best = 0

    async def score(self, player: str, more: int) -> None:
        self.best += more
        body = {"player": player, "score": self.best, "game_mode": "many"}
        (await self._http.post("/api/v1/scores/", json=body)).raise_for_status()

    async def rest(self) -> dict[str, list[Any]]:
        async def top(slug: str) -> list[Any]:
            answer = await self._http.get(f"/api/v1/leaderboard/{slug}/top/", params={"limit": 10})
            return list(answer.raise_for_status().json()["entries"])

        return dict(zip(BOARDS, await asyncio.gather(*map(top, BOARDS)), strict=True))

    async def around(self, player: str) -> list[Any]:
        answer = await self._http.get(f"/api/v1/leaderboard/{BOARDS[0]}/around/{player}/", params={"limit": 1})
        return list(answer.raise_for_status().json()["entries"])


async def comes_to(page: Page, expression: str, expected: Any) -> None:
    """Wait until the page's value is that. Raises AssertionError with what it is instead."""

    async def is_so() -> bool:
        return bool(await page.evaluate(expression) == expected)

    try:
        await until(is_so, expression)
    except AssertionError:
        raise AssertionError(f"{expression} is {json.dumps(await page.evaluate(expression))}, not {json.dumps(expected)}") from None


async def test_many_boards_end_where_rest_is_after_play_a_cut_network_and_a_killed_server(
    page: Page, stack: Stack, wire: Wire, many: Many
) -> None:
    sockets: list[str] = []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    before = await many.metric("realtime_sockets")
    await page.goto(wire.url + BLANK)
    await page.evaluate(WATCH_ALL, BOARDS)
    await comes_to(page, "shown", await many.rest())
    await comes_to(page, "refused", [["nowhere", "leaderboard_not_found"]])
    await comes_to(page, "pulses", dict.fromkeys(BOARDS, 1))
    assert len(sockets) == 2
    for number in range(12):
        await many.score(PLAYERS[number % 6], 1 + number)
    await comes_to(page, "shown", await many.rest())
    assert await page.evaluate("kinds.filter((kind) => kind === 'snapshot').length") == len(BOARDS), "the rest were deltas"

    await page.context.set_offline(True)
    await wire.cut()
    await comes_to(page, "state", "waiting")
    await many.score("p5", 50)
    await page.evaluate("kinds.length = 0")
    await wire.lay()
    await page.context.set_offline(False)
    await page.evaluate("boards.nudge()")
    await comes_to(page, "shown", await many.rest())
    assert await page.evaluate("[...new Set(kinds)]") == ["delta"], "each board resumed from where it was"

    stack.wait_for_restart("web", stack.kill("web"))
    stack.wait_until_ready()
    await many.score("p4", 50)
    await comes_to(page, "shown", await many.rest())
    await comes_to(page, "state", "live")
    await page.evaluate("boards.stop()")

    async def all_gone() -> bool:
        return await many.metric("realtime_sockets") <= before

    await until(all_gone, "no socket more than before")


@pytest.mark.parametrize("transport", ["websocket", "sse"])
async def test_a_followed_player_stands_where_rest_says_and_hears_who_passed_it(
    page: Page, stack: Stack, many: Many, transport: str
) -> None:
    for player in [*PLAYERS[2:], "p0", "p1"]:
        await many.score(player, 10)
    await page.goto(stack.url + BLANK)
    await page.evaluate(FOLLOW, [BOARDS[0], "p1", transport])
    await comes_to(page, "around && around.entries", await many.around("p1"))
    await many.score("p0", 10)
    await comes_to(page, "around.entries", await many.around("p1"))
    told = "overtakes.map(({ rank, previous_rank, passed_by }) => [rank, previous_rank, passed_by.map(({ player }) => player)])"
    assert await page.evaluate(told) == [[2, 1, ["p0"]]]
    await page.evaluate("live.follow({ player: 'p0', around: 1 })")
    await comes_to(page, "around.entries", await many.around("p0"))
    await page.evaluate("live.stop()")


async def test_a_hundred_boards_opened_and_closed_leave_no_timer_no_listener_and_no_socket(page: Page, stack: Stack, many: Many) -> None:
    await page.add_init_script(COUNT_TIMERS)
    await page.goto(stack.url + BLANK)
    devtools = await page.context.new_cdp_session(page)
    await devtools.send("Performance.enable")
    before = await many.metric("realtime_sockets")

    async def measure() -> dict[str, float]:
        await devtools.send("HeapProfiler.collectGarbage")
        metrics = (await devtools.send("Performance.getMetrics"))["metrics"]
        return {metric["name"]: metric["value"] for metric in metrics if metric["name"] in ("JSEventListeners", "Nodes", "JSHeapUsedSize")}

    async with asyncio.timeout(120):
        await page.evaluate(OPEN_AND_CLOSE, [BOARDS, TURNS // 4])
        first = await measure()
        await page.evaluate(OPEN_AND_CLOSE, [BOARDS, TURNS])
        last = await measure()
    assert await page.evaluate("timers.size") == 0
    assert all(last[name] <= first[name] for name in ("JSEventListeners", "Nodes")), (first, last)
    assert last["JSHeapUsedSize"] - first["JSHeapUsedSize"] < 200_000, (first, last)

    async def all_gone() -> bool:
        return await many.metric("realtime_sockets") <= before

    await until(all_gone, "no socket more than before")


async def test_the_scores_of_two_tabs_are_sent_in_order_and_count_once(page: Page, stack: Stack) -> None:
    sent: list[tuple[str, int]] = []
    await page.goto(stack.url + BLANK)
    await page.context.set_offline(True)
    other = await page.context.new_page()
    await page.context.set_offline(False)
    await other.goto(stack.url + BLANK)
    for tab in (page, other):
        await tab.evaluate("import('/static/clients/index.js')")
    await page.context.set_offline(True)
    await page.evaluate(QUEUE, [stack.api_key, [1, 2, 3]])
    await other.evaluate(QUEUE, [stack.api_key, [4, 5, 6]])
    await page.evaluate("localStorage.setItem('leaderboard.queue.0', '{')")
    assert [len(await tab.evaluate("queue.waiting")) for tab in (page, other)] == [6, 6]
    page.context.on("requestfinished", lambda request: sent.append((request.headers["idempotency-key"], request.post_data_json["score"])))
    await page.context.set_offline(False)
    assert await asyncio.gather(*(tab.evaluate("queue.flush()") for tab in (page, other))) == [None, None]
    assert list(dict.fromkeys(score for _, score in sent)) == [1, 2, 3, 4, 5, 6]
    assert len({key for key, _ in sent}) == 6
    # Each tab has a process of its own, which may learn of what the other has just taken out a moment late: then the last is sent again.
    assert len(sent) <= 7
    assert set(await page.evaluate("answered") + await other.evaluate("answered")) == {1, 2, 3, 4, 5, 6}
    async with httpx.AsyncClient(base_url=stack.url) as client:
        assert (await client.get("/api/v1/leaderboard/global/rank/tabs/")).json()["submissions"] == 6
    assert await page.evaluate("refused") + await other.evaluate("refused") == ["SyntaxError"]
    assert await page.evaluate("localStorage.length") == 0


async def test_a_full_storage_costs_no_score(page: Page, stack: Stack) -> None:
    await page.goto(stack.url + BLANK)
    await page.evaluate(
        """() => {
            for (let size = 1 << 22; size >= 1; size /= 2)
                try { for (let i = 0; ; i++) localStorage.setItem(`full-${size}-${i}`, "x".repeat(size)); } catch {}
        }"""
    )
    await page.evaluate(QUEUE, [stack.api_key, [7]])
    assert await page.evaluate("[answered, queue.waiting]") == [[7], []]
