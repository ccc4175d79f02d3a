"""The live page in a real browser against the real process set: what it shows is what REST says, whatever happens to the line between."""

import random
from collections.abc import AsyncIterator, Iterator

import pytest
from playwright.async_api import Page, expect

from tests.browser.live import Ears, Games, Wire, shows, until, wire_to
from tests.servers.stack import Stack, start_stack

pytestmark = pytest.mark.slow

TOP = 10
PLAYERS = [f"live-{number:02}" for number in range(15)]
CHANGES, MOMENTS = 200, 10
BOARDS = 100
GROWTH_LIMIT = 200_000  # bytes of the heap from the 20th board to the last: one that stays has its rows, its buffers and its timers


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Of these tests alone: its web process is killed."""
    directory = tmp_path_factory.mktemp("live")
    with start_stack(f"sqlite:///{directory / 'db.sqlite3'}", directory=directory) as running:
        running.manage("create_board", "--game", "default", "--slug", "live-cup", "--operator", "best", "--game-mode", "live-cup")
        yield running


@pytest.fixture
async def games(stack: Stack) -> AsyncIterator[Games]:
    playing = Games(stack, "live-cup")
    for number, player in enumerate(PLAYERS):
        await playing.post(player, 1_000 - number)
    yield playing
    await playing.aclose()


@pytest.fixture
async def wire(stack: Stack) -> AsyncIterator[Wire]:
    async with wire_to(stack) as laid:
        yield laid


async def play(games: Games, changes: int, chance: random.Random) -> None:
    """Each change is one: a score above the player's own best."""
    best = {name: score for _, name, score in await games.top(100)}
    for _ in range(changes):
        player = chance.choice(PLAYERS)
        best[player.title()] += chance.randrange(1, 200)
        await games.post(player, best[player.title()])


async def opened(page: Page, url: str, games: Games) -> None:
    await page.goto(f"{url}/boards/live-cup/?top={TOP}")
    await is_live(page)
    await shows(page, await games.top(TOP))


async def is_live(page: Page) -> None:
    await expect(page.locator("html")).to_have_attribute("data-state", "live")


async def test_after_two_hundred_changes_two_tabs_show_what_rest_says_and_nothing_was_complained_of(
    page: Page, stack: Stack, games: Games
) -> None:
    ears, chance = Ears(page), random.Random(48)
    await opened(page, stack.url, games)
    second = await page.context.new_page()
    second_ears = Ears(second)
    await opened(second, stack.url, games)
    for _ in range(MOMENTS):
        await play(games, CHANGES // MOMENTS, chance)
        expected = await games.top(TOP)
        await shows(page, expected)
        await shows(second, expected)
    assert ears.frames.count("snapshot") == 1, "what came later were deltas"
    assert "delta" in ears.frames
    assert ears.said == second_ears.said == [], "no violation of the policy, no error"


async def test_a_cut_network_is_made_good_by_deltas(page: Page, wire: Wire, games: Games) -> None:
    ears = Ears(page)
    await opened(page, wire.url, games)
    await page.context.set_offline(True)
    await wire.cut()
    await expect(page.locator("html")).not_to_have_attribute("data-state", "live")
    ears.frames.clear()
    await play(games, 20, random.Random(7))
    await wire.lay()
    await page.context.set_offline(False)
    await is_live(page)
    await shows(page, await games.top(TOP))
    assert "delta" in ears.frames
    assert "snapshot" not in ears.frames
    assert ears.violations == []


async def test_it_goes_on_after_the_server_was_killed_and_came_back(page: Page, stack: Stack, games: Games) -> None:
    ears = Ears(page)
    await opened(page, stack.url, games)
    stack.wait_for_restart("web", stack.kill("web"))
    stack.wait_until_ready()
    await play(games, 20, random.Random(3))
    await is_live(page)
    await shows(page, await games.top(TOP))
    assert ears.violations == []


async def test_a_network_that_lets_no_websocket_through_has_the_board_live_all_the_same(page: Page, wire: Wire, games: Games) -> None:
    wire.is_blocking_sockets = True
    ears = Ears(page)
    await opened(page, wire.url, games)
    await play(games, 20, random.Random(5))
    await shows(page, await games.top(TOP))
    assert wire.refused >= 2
    assert ears.frames == []
    assert ears.violations == []


async def test_a_hundred_boards_opened_and_closed_leave_nothing_behind(page: Page, stack: Stack, games: Games) -> None:
    await page.goto(f"{stack.url}/static/clients/rows.js")  # a page of the same origin on which nothing else happens
    devtools = await page.context.new_cdp_session(page)
    sockets = await games.metric("realtime_sockets")
    heaps = []
    for _ in range(BOARDS // 20):
        opened_and_closed = await page.evaluate(_OPEN_AND_CLOSE, [stack.url, 20])
        assert opened_and_closed == 20 * len(PLAYERS[:TOP])
        await devtools.send("HeapProfiler.collectGarbage")
        heaps.append((await devtools.send("Runtime.getHeapUsage"))["usedSize"])

    async def all_gone() -> bool:
        return await games.metric("realtime_sockets") <= sockets

    await until(all_gone, "no socket more than before")
    assert heaps[-1] - heaps[0] < GROWTH_LIMIT, heaps


_OPEN_AND_CLOSE = """async ([url, count]) => {
    const { LiveBoard } = await import("/static/clients/index.js");
    let rows = 0;
    for (let opened = 0; opened < count; opened++) {
        const standings = await new Promise((shown) => {
            const board = new LiveBoard({ url, board: "live-cup", top: 10, onChange: (now) => { board.stop(); shown(now); } }).start();
        });
        rows += standings.rows.length;
    }
    return rows;
}"""
