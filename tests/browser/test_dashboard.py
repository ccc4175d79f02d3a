"""What stands around the rows of the live page, in a real browser: news, numbers, the season, find me, and the ranks behind the top."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import httpx
import pytest
from playwright.async_api import Page, expect

from leaderboard.domain.score import SCORE_LIMIT
from leaderboard.domain.snapshot import Row
from tests.browser.axe import Axe
from tests.browser.scripted import (
    ADA,
    BO,
    CY,
    PATIENCE_S,
    THREE,
    Peer,
    Script,
    delta,
    names,
    opened,
    part,
    ranked,
    row,
    snapshot,
    state_is,
)
from tests.servers.stack import Stack

pytestmark = pytest.mark.slow

UNKNOWN = "\N{EN DASH}"


def around(rows: list[Row], player: str, first: int, total: int) -> dict[str, Any]:
    """The message of a viewport; its rows begin at that rank."""
    entries = [{**row, "rank": rank} for rank, row in enumerate(rows, first)]
    rank = next(entry["rank"] for entry in entries if entry["player"] == player)
    told = {"type": "around", "leaderboard": "cup", "season": "all-time", "player": player}
    return {**told, "rank": rank, "total": total, "entries": entries}


async def follow(page: Page, peer: Peer, player: str) -> dict[str, Any]:
    await part(page, "find-player").fill(player)
    await part(page, "find-player").press("Enter")
    return await peer.command("subscribe")


# --- What moves, in signs and words ----------------------------------------------------------------------------------


async def test_a_score_that_grew_says_by_how_much(page: Page, script: Script) -> None:
    peer = await opened(page, script, THREE)
    await peer.send(**delta(THREE, [ADA, {**BO, "score": 250}, CY], 2))
    await peer.send(**delta([ADA, {**BO, "score": 250}, CY], [ADA, {**BO, "score": 290}, CY], 3))
    gain = part(page, "standings").locator("tr[data-player=bo] .gain").get_by_role("img")
    await expect(gain).to_have_text("+90")
    await expect(gain).to_have_accessible_name("gained 90")


async def test_news_tells_the_lead_overtakes_and_entries(page: Page, script: Script) -> None:
    peer = await opened(page, script, THREE)
    second = [{**CY, "score": 400}, ADA, row("dee", 250), BO]
    await peer.send(**delta(THREE, second, 2))
    stories = page.locator(".story")
    await expect(stories.first).to_have_text("Cy takes the lead from Ada")
    await expect(stories.nth(1)).to_have_text("Dee enters at rank 3")
    await peer.send(**delta(second, [second[0], {**BO, "score": 350}, ADA, second[2]], 3))
    await expect(stories.first).to_have_text("Bo passes Ada and 1 more, now rank 2")
    await expect(part(page, "news-empty")).to_be_hidden()
    await expect(page.locator(".event time").first).to_have_attribute("datetime", re.compile(r"^20\d\d-"))


async def test_news_keeps_thirty_and_tells_three_a_second(page: Page, script: Script) -> None:
    await page.clock.install()
    peer = await opened(page, script, THREE)
    rows, offset = THREE, 1
    for turn in range(16):
        new = [row(f"p{turn}{place}", 10_000 * (turn + 1) - place) for place in range(5)] + rows[:5]
        offset += 1
        await peer.send(**delta(rows, new, offset, total=100 + turn))
        rows = new
        await expect(part(page, "total")).to_have_text(str(100 + turn))
        await page.clock.run_for(1_000)
        await expect(page.locator(".event")).to_have_count(min(30, 3 * (turn + 1)))


async def test_a_focused_star_keeps_the_focus_while_its_row_moves(page: Page, script: Script) -> None:
    peer = await opened(page, script, THREE)
    await page.get_by_role("button", name="Follow Ada").focus()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowDown")
    await expect(page.get_by_role("button", name="Follow Cy")).to_be_focused()
    await peer.send(**delta(THREE, [{**CY, "score": 900}, ADA, BO], 2))
    await expect(names(page)).to_have_text(["Cy", "Ada", "Bo"])
    await expect(page.get_by_role("button", name="Follow Cy")).to_be_focused()
    assert await page.locator("[data-part=standings] .star[tabindex='0']").count() == 1


# --- Numbers and seasons ---------------------------------------------------------------------------------------------


async def test_the_pulse_is_shown_and_forgotten_with_its_line(page: Page, script: Script) -> None:
    peer = await opened(page, script, THREE)
    await peer.send(type="pulse", leaderboard="cup", watching=1200, scores_per_minute=None)
    await expect(part(page, "watching")).to_have_text("1,200")
    await expect(part(page, "pace")).to_have_text(UNKNOWN)
    await peer.send(type="pulse", leaderboard="cup", watching=3, scores_per_minute=340)
    await expect(part(page, "pace")).to_have_text("340")
    await page.context.set_offline(True)
    await peer.close(1012)
    await expect(part(page, "pace")).to_have_text(UNKNOWN)
    await expect(part(page, "watching")).to_have_text(UNKNOWN)


def season(name: str, ends: datetime) -> Any:
    return lambda _: {"season": name, "season_ends": ends.isoformat()}


async def test_the_season_is_counted_down_and_the_next_one_asked_for(page: Page, script: Script) -> None:
    await page.clock.install()
    script.rest[""] = season("2030-01-01T00:00:00Z", datetime.now(UTC) + timedelta(days=1, hours=2))
    peer = await opened(page, script, THREE, season="2030-01-01T00:00:00Z")
    await expect(part(page, "ends-in")).to_have_text(re.compile(r"^1 d 01:59:[45]\d$|^1 d 02:00:00$"))
    second, eve = "2030-01-02T00:00:00Z", [row("eve", 1)]
    script.rest[""] = season(second, datetime.now(UTC) + timedelta(seconds=20))
    await peer.send(**snapshot(eve, 9, season=second))
    await expect(part(page, "season")).to_have_text("Season of Jan 2, 2030")
    await expect(page.locator(".story")).to_have_text(["Season of Jan 2, 2030 begins"])
    await expect(part(page, "ends-in")).to_have_text(re.compile(r"^00:00:(0[5-9]|1\d|20)$"))
    await peer.send(**delta(eve, eve, 10, season=second, total=61))  # the line is not silent while the clock runs
    await expect(part(page, "total")).to_have_text("61")
    await page.clock.run_for(20_500)
    await expect(part(page, "ends-word")).to_have_text("Season over")
    await peer.send(**delta(eve, eve, 11, season=second, total=62))
    await expect(part(page, "total")).to_have_text("62")
    asked = script.times_asked("")
    await page.clock.run_for(6_000)
    async with asyncio.timeout(PATIENCE_S):
        await script.was_asked("", asked + 1)
    script.rest[""] = season("2030-01-03T00:00:00Z", datetime.now(UTC) + timedelta(hours=3))
    await peer.send(**snapshot([ADA], 12, season="2030-01-03T00:00:00Z"))
    await expect(part(page, "ends-word")).to_have_text("Season ends in")


async def test_without_rest_the_rows_are_live_and_each_part_says_so_itself(page: Page, script: Script) -> None:
    peer = await opened(page, script, [row(f"p{n}", 900 - n) for n in range(10)], total=500)
    await expect(part(page, "race-reason")).to_contain_text("can't be shown")
    await page.evaluate("scrollTo(0, 5000)")
    await expect(part(page, "beyond-when")).to_have_text("can't be read anew now, trying again")
    await peer.send(**snapshot([ADA], 2))
    await expect(names(page)).to_have_text(["Ada"])


def raced(rows: list[Row]) -> Any:
    now = datetime.now(UTC)
    times = [(now - timedelta(minutes=minutes)).isoformat() for minutes in (10, 5, 0)]
    players = [
        {**row, "rank": rank, "points": [[times[0], row["score"] // 2], [times[1], row["score"]]]} for rank, row in enumerate(rows, 1)
    ]
    return lambda _: {"leaderboard": "cup", "season": "all-time", "since": times[0], "until": times[2], "players": players}


async def test_the_race_is_read_once_and_goes_on_by_the_frames(page: Page, script: Script) -> None:
    await page.clock.install()
    script.rest["race/"] = raced(THREE)
    peer = await opened(page, script, THREE)
    chart = part(page, "race-chart")
    await expect(chart.locator(".race-name")).to_have_text(["Ada", "Bo", "Cy"])
    await peer.send(**delta(THREE, [{**CY, "score": 700}, ADA, BO], 2))
    await expect(chart.locator(".race-item", has_text="Cy").locator(".race-score")).to_have_text("700")
    assert script.times_asked("race/") == 1
    await part(page, "race-minutes").select_option("1440")
    async with asyncio.timeout(PATIENCE_S):
        await script.was_asked("race/", 2)
    assert script.read[-1] == "race/?limit=10&minutes=1440"
    await peer.send(**snapshot([row("dee", 900), *THREE], 3))  # whose past nobody has told
    await expect(chart.locator(".race-name", has_text="Dee")).to_be_attached()
    await page.clock.run_for(10_000)
    async with asyncio.timeout(PATIENCE_S):
        await script.was_asked("race/", 3)


# --- Find me ---------------------------------------------------------------------------------------------------------


async def test_the_field_follows_a_player_with_the_rows_around(page: Page, script: Script) -> None:
    peer = await opened(page, script, THREE)
    command = await follow(page, peer, "Zoe")
    assert (command["player"], command["around"]) == ("Zoe", 2)
    await expect(part(page, "my-name")).to_have_text("Zoe")
    await peer.send(**around([row("x", 12), row("Zoe", 11), row("y", 10)], "Zoe", 1_041, 5_000))
    await expect(part(page, "my-rank")).to_have_text("1,042")
    await expect(part(page, "my-total")).to_have_text("of 5,000")
    own = part(page, "my-rows").locator("[data-rows] tr[aria-current=true]")
    await expect(own.locator(".name")).to_have_text("Zoe")
    await expect(part(page, "my-rows").locator("[data-rows] .plate")).to_have_text(["1,041", "1,042", "1,043"])
    assert "player=Zoe" in page.url


async def test_a_name_on_the_screen_is_found_as_well(page: Page, script: Script) -> None:
    peer = await opened(page, script, [row("a-1", 3, name="Ada Lovelace"), BO])
    assert (await follow(page, peer, "ada lovelace"))["player"] == "a-1"


async def test_who_is_followed_is_remembered_and_forgotten(page: Page, script: Script) -> None:
    peer = await opened(page, script, THREE)
    await page.get_by_role("button", name="Follow Bo").click()
    assert (await peer.command("subscribe"))["player"] == "bo"
    await expect(part(page, "standings").locator("tr[data-player=bo]")).to_have_attribute("aria-current", "true")
    await page.goto("about:blank")
    again = await opened(page, script, THREE)
    assert "player=bo" in again.path
    await expect(page.get_by_role("button", name="Follow Bo")).to_have_attribute("aria-pressed", "true")
    await page.get_by_role("button", name="Stop following").click()
    assert "player" not in await again.command("subscribe")
    await expect(part(page, "find-player")).to_be_focused()
    assert await page.evaluate("localStorage.length") == 0


async def test_the_address_names_who_is_followed(page: Page, script: Script) -> None:
    peer = await opened(page, script, THREE, "?player=cy")
    assert "player=cy" in peer.path
    await peer.send(type="around", leaderboard="cup", season="all-time", player="cy", rank=None, total=3, entries=[])
    await expect(part(page, "my-reason")).to_contain_text("Not ranked")


async def test_an_overtake_is_a_toast_and_is_said(page: Page, script: Script) -> None:
    peer = await opened(page, script, THREE, "?player=cy")
    passing = {"type": "overtake", "leaderboard": "cup", "season": "all-time", "player": "cy"}
    others = [{"player": "bo", "name": "Bo"}, {"player": "ada", "name": "Ada"}]
    await peer.send(**passing, rank=9, previous_rank=7, passed_by=others, passed=[])
    await expect(page.locator(".toast")).to_have_text("▼Bo and 1 more passed you, rank 9")
    await expect(part(page, "spoken")).to_have_text("Bo and 1 more passed you, rank 9")
    await peer.send(**passing, rank=8, previous_rank=9, passed_by=[], passed=others[:1])
    await expect(page.locator(".toast").last).to_have_text("▲You passed Bo, rank 8")


# --- The ranks behind the top ----------------------------------------------------------------------------------------

MANY = 5_000


def pages_of(rows: list[Row]) -> Any:
    def top(query: dict[str, str]) -> dict[str, Any]:
        first, limit = int(query["offset"]), int(query["limit"])
        return {"entries": ranked(rows)[first : first + limit], "total": len(rows)}

    return top


async def board_of_many(page: Page, script: Script) -> tuple[Peer, list[Row]]:
    rows = [row(f"p{number}", 100_000 - number) for number in range(1, MANY + 1)]
    script.rest["top/"] = pages_of(rows)
    return await opened(page, script, rows[:10], total=MANY), rows


def beyond(page: Page, rank: int) -> Any:
    return page.locator(f"[data-beyond] tr[aria-rowindex='{rank + 1}']")


async def test_five_thousand_ranks_are_there_by_scrolling(page: Page, script: Script) -> None:
    await board_of_many(page, script)
    await expect(part(page, "standings")).to_have_attribute("aria-rowcount", str(MANY + 1))
    await page.keyboard.press("End")
    await expect(beyond(page, MANY).locator(".name")).to_have_text(f"P{MANY}")
    await expect(part(page, "beyond-where")).to_contain_text("of 5,000")
    await expect(part(page, "beyond-when")).to_have_text(re.compile("as read at .*:"))
    for part_of_it in (0.25, 0.5, 0.75):
        await page.evaluate("share => scrollTo(0, document.documentElement.scrollHeight * share)", part_of_it)
        await expect(part(page, "beyond-when")).to_have_text(re.compile("as read at .*:"))
    shown = await page.locator("[data-beyond] tr").evaluate_all(
        "rows => rows.map(row => [row.dataset.player, Number(row.dataset.rank), row.getBoundingClientRect().top])"
    )
    assert shown == sorted(shown, key=lambda it: it[1])
    assert [f"p{rank}" for _, rank, _ in shown] == [player for player, _, _ in shown]
    assert len({round(b[2] - a[2]) for a, b in pairwise(shown)}) <= 2  # a row height apart, but for rounding
    assert len(shown) < 100
    await page.get_by_role("button", name="Back to the top").click()
    await expect(names(page).first).to_be_in_viewport()
    await expect(part(page, "beyond-note")).to_be_hidden()
    assert len(script.read) < 20


async def test_ranks_in_view_are_read_anew_when_the_board_moved(page: Page, script: Script) -> None:
    peer, rows = await board_of_many(page, script)
    await page.evaluate("scrollTo(0, document.documentElement.scrollHeight / 2)")
    seen = page.locator("[data-beyond] tr").first
    await expect(seen).to_have_attribute("data-rank", re.compile(r"^\d{4}$"))  # no more those right below the top
    rank = int(await seen.get_attribute("data-rank") or 0)
    before = await page.evaluate("scrollY")
    rows.insert(100, rows.pop(MANY - 1))
    await peer.send(**delta(rows[:10], rows[:10], 2, total=MANY))
    await expect(beyond(page, rank).locator(".name")).to_have_text(f"P{rank - 1}")
    assert await page.evaluate("scrollY") == before


async def test_my_row_is_a_key_away_wherever_it_is(page: Page, script: Script) -> None:
    peer, rows = await board_of_many(page, script)
    await follow(page, peer, "p3000")
    await peer.send(**around(rows[2997:3002], "p3000", 2_998, MANY))
    await expect(part(page, "my-rank")).to_have_text("3,000")
    await page.keyboard.press("m")
    await expect(beyond(page, 3_000)).to_be_in_viewport()
    await expect(beyond(page, 3_000)).to_have_attribute("aria-current", "true")


# --- Keyboard, screens, directions -----------------------------------------------------------------------------------


async def test_keys_are_listed_and_can_be_switched_off(page: Page, script: Script) -> None:
    peer = await opened(page, script, THREE)
    await page.keyboard.press("1")
    assert (await peer.command("subscribe"))["top"] == 3
    await page.keyboard.press("/")
    await expect(part(page, "find-player")).to_be_focused()
    await page.keyboard.type("1?m")
    await expect(part(page, "find-player")).to_have_value("1?m")
    await page.get_by_role("button", name="Keyboard shortcuts").click()
    dialog = page.get_by_role("dialog", name="Keyboard shortcuts")
    await expect(dialog).to_be_visible()
    await dialog.get_by_role("checkbox").uncheck()
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await page.keyboard.press("?")
    await expect(dialog).to_be_hidden()


async def test_another_board_is_one_click_away(page: Page, script: Script) -> None:
    await opened(page, script, THREE)
    boards = page.get_by_role("navigation", name="Boards")
    await expect(boards.get_by_role("link", name="Friday Cup")).to_have_attribute("aria-current", "page")
    await expect(boards.get_by_role("link", name="Daily")).to_have_attribute("href", "/boards/daily/")
    await expect(boards.get_by_role("link", name="All boards")).to_have_attribute("href", "/")


async def test_a_phone_shows_one_part_at_a_time_and_always_my_rank(page: Page, script: Script) -> None:
    await page.set_viewport_size({"width": 390, "height": 844})
    peer = await opened(page, script, THREE)
    views = page.get_by_role("navigation", name="Parts of this page")
    await expect(page.get_by_role("heading", name="News")).to_be_hidden()
    await views.get_by_role("button", name="News").click()
    await expect(page.get_by_role("heading", name="News")).to_be_visible()
    await expect(part(page, "standings")).to_be_hidden()
    await views.get_by_role("button", name="Find me").click()
    await follow(page, peer, "bo")
    await peer.send(**around(THREE, "bo", 1, 3))
    await expect(part(page, "my-rows")).to_be_visible()
    await views.get_by_role("button", name="Board").click()
    await expect(part(page, "my-rank")).to_be_in_viewport()
    await expect(part(page, "my-rows")).to_be_hidden()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("width", [390, 1280])
async def test_from_right_to_left_all_is_mirrored(page: Page, script: Script, width: int) -> None:
    await page.set_viewport_size({"width": width, "height": 800})
    await opened(page, script, [row("a", 300, name="نورا"), BO, CY])
    await page.evaluate("document.documentElement.dir = 'rtl'")
    rank = await part(page, "standings").locator("[data-rows] .plate").first.bounding_box()
    score = await part(page, "standings").locator("[data-rows] .score").first.bounding_box()
    assert rank
    assert score
    assert rank["x"] > score["x"] + score["width"]
    right = await page.get_by_role("heading", level=1).evaluate(
        "title => { const text = document.createRange(); text.selectNodeContents(title); return text.getBoundingClientRect().right; }"
    )
    assert right > width - 60, "the title begins at the right, whichever way it reads"
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("width", [390, 1280])
async def test_a_long_title_leaves_the_numbers_their_place(page: Page, script: Script, width: int) -> None:
    await page.set_viewport_size({"width": width, "height": 800})
    peer = await opened(page, script, THREE)
    marquee = page.locator(".marquee")
    before = await marquee.bounding_box()
    await page.get_by_role("heading", level=1).evaluate("title => { title.textContent = 'A very long title of a board '.repeat(9); }")
    assert await marquee.bounding_box() == before
    await page.get_by_role("heading", level=1).evaluate("title => { title.textContent = 'Global'; }")
    await peer.close(1012)
    await state_is(page, "waiting")
    assert await marquee.bounding_box() == before
    assert await page.get_by_role("heading", level=1).evaluate("title => title.scrollWidth <= title.clientWidth"), "it is whole"


async def test_numbers_and_times_are_as_the_viewer_writes_them_where_the_viewer_is(page: Page, script: Script) -> None:
    assert page.context.browser
    theirs = await (await page.context.browser.new_context(locale="de-DE", timezone_id="Asia/Kolkata")).new_page()
    await theirs.clock.set_fixed_time(datetime(2026, 5, 1, 12, 0, 5, tzinfo=UTC))
    await opened(theirs, script, [row("ada", 1_234_567), BO], total=5_000)
    await expect(part(theirs, "standings").locator("[data-rows] .score").first).to_have_text("1.234.567")
    await expect(part(theirs, "total")).to_have_text("5.000")
    await expect(part(theirs, "updated")).to_have_text("17:30:05")


# Of each row of a table: how far the score is from the name's cell and from the row's end, and how wide the name's cell is.
_ROOM = """(rows) => {
  const written = (cell) => { const range = document.createRange(); range.selectNodeContents(cell); return range.getBoundingClientRect(); };
  return rows.map((row) => {
    const [name, score] = [row.querySelector(".player").getBoundingClientRect(), written(row.querySelector(".score"))];
    return [score.left - name.right, row.getBoundingClientRect().right - score.right, name.width].map(Math.round);
  });
}"""


@pytest.mark.parametrize(
    ("size", "top", "least"),
    [((360, 740), 10, 60), ((1280, 800), 3, 100), ((1280, 800), 10, 100), ((1280, 800), 25, 100), ((1920, 1080), 10, 140)],
)
async def test_names_and_whole_scores_have_room_in_any_font(
    page: Page, script: Script, size: tuple[int, int], top: int, least: int
) -> None:
    await page.set_viewport_size({"width": size[0], "height": size[1]})
    peer = await opened(page, script, [row("me", 1)], f"?top={top}&player=me", top=top)
    for offset, score in enumerate((72_590, 12_345_678, SCORE_LIMIT, -SCORE_LIMIT), 2):
        rows = [row("me", score), *(row(f"player number {n}", score) for n in range(3))]
        await peer.send(**snapshot(rows, offset, top=top))
        await peer.send(**around(rows, "me", 1, 4))
        for face in ("serif", "sans-serif"):
            await page.evaluate("(face) => document.documentElement.style.setProperty('--display', face)", face)
            await expect(part(page, "standings").locator("[data-rows] .score").last).to_have_text(f"{score:,}")
            for told in await part(page, "standings").locator("[data-rows] .row").evaluate_all(_ROOM):
                before, behind, name = told
                assert before >= 0, (score, face, told)
                assert behind >= 0, (score, face, told)
                assert name >= least, (score, face, told)
    await page.evaluate("document.documentElement.dataset.view = 'me'")
    await expect(part(page, "my-score")).to_have_text(f"{-SCORE_LIMIT:,}")
    assert min(min(told) for told in await part(page, "my-rows").locator("[data-rows] .row").evaluate_all(_ROOM)) >= 0
    own, panel = [await part(page, name).bounding_box() for name in ("my-score", "me")]
    assert own
    assert panel
    assert own["x"] + own["width"] <= panel["x"] + panel["width"]


_SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const { value, sources } of list.getEntries()) window.shifts.push([value, sources.map(({ node }) => node?.className ?? "")]);
}).observe({ type: "layout-shift", buffered: true });
"""


# Each part is painted before the next one comes, as on a slow line.
_PAINTED = "new Promise((go) => requestAnimationFrame(() => setTimeout(() => requestAnimationFrame(() => setTimeout(go)))))"


@pytest.mark.parametrize("size", [(390, 844), (1280, 800), (1920, 1080)])
async def test_nothing_jumps_when_the_parts_arrive(page: Page, script: Script, size: tuple[int, int]) -> None:
    await page.add_init_script(_SHIFTS)
    await page.set_viewport_size({"width": size[0], "height": size[1]})
    script.rest[""] = season("all-time", datetime.now(UTC) + timedelta(hours=5))
    rows = [row(f"player {number}", 90_000 - number) for number in range(10)]
    await page.goto(script.url)
    peer = await script.peer()
    await expect(part(page, "waiting")).to_be_attached()
    await page.evaluate(_PAINTED)
    await peer.send(**snapshot(rows, total=5_000))
    await state_is(page, "live")
    await page.evaluate(_PAINTED)
    await peer.send(type="pulse", leaderboard="cup", watching=12, scores_per_minute=340)
    await expect(part(page, "pace")).to_have_text("340")
    await expect(part(page, "ends-in")).not_to_have_text(UNKNOWN)
    await expect(part(page, "race-reason")).not_to_be_empty()
    shifts = await page.evaluate("new Promise((go) => requestAnimationFrame(() => setTimeout(() => go(window.shifts))))")
    assert sum(value for value, _ in shifts) < 0.02, shifts


_VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => window.violations.push([event.violatedDirective, event.blockedURI]));
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_is_open_to_all_and_breaks_no_policy(page: Page, script: Script, axe: Axe, scheme: Any) -> None:
    await page.add_init_script(_VIOLATIONS)
    await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    script.rest[""] = season("all-time", datetime.now(UTC) + timedelta(hours=5))
    peer, rows = await board_of_many(page, script)
    await peer.send(type="pulse", leaderboard="cup", watching=12, scores_per_minute=340)
    moved = [{**rows[2], "score": 200_000}, *rows[:2], *rows[3:10]]
    await peer.send(**delta(rows[:10], moved, 2, total=MANY))
    await follow(page, peer, "p8")
    await peer.send(**around(rows[5:10], "p8", 6, MANY))
    await expect(page.locator(".event")).not_to_have_count(0)
    await expect(part(page, "my-rank")).to_have_text("8")
    await axe(page)
    await page.keyboard.press("?")
    await axe(page)
    await page.keyboard.press("Escape")
    await page.set_viewport_size({"width": 390, "height": 844})
    await axe(page)
    await page.evaluate("scrollTo(0, 9000)")
    await expect(part(page, "beyond-note")).to_be_visible()
    await axe(page)
    assert await page.evaluate("window.violations") == []


async def test_an_hour_of_frames_leaves_the_page_as_small_as_it_was(page: Page, script: Script) -> None:
    rows = [row(f"p{number}", 1_000 - number) for number in range(10)]
    peer = await opened(page, script, rows)
    sizes = []
    for offset in range(2, 242):
        rows = sorted([*rows[:9], row(f"n{offset}", 1_000 + offset * 10)], key=lambda row: -row["score"])
        await peer.send(**snapshot(rows, offset, total=offset))
        if offset % 80 == 1:
            await expect(part(page, "total")).to_have_text(str(offset))
            await expect(names(page)).to_have_text([row["name"] for row in rows])
            await expect(page.locator("[data-leaving] tr")).to_have_count(0)
            sizes.append(await page.locator("body *").count())
    assert sizes[-1] <= sizes[0] + 30 * 6  # the news, full


# --- The real thing --------------------------------------------------------------------------------------------------


async def test_the_real_page_ends_where_rest_is(page: Page, stack: Stack, axe: Axe) -> None:
    stack.manage("create_board", "--game", "default", "--slug", "dash", "--operator", "best", "--game-mode", "dash", "--reset", "daily")
    headers = {"Authorization": f"Api-Key {stack.api_key}"}
    async with httpx.AsyncClient(base_url=stack.url, headers=headers, timeout=30) as client:
        many = [{"player": f"dash-{n}", "score": 10_000 - n, "game_mode": "dash"} for n in range(300)]
        assert (await client.post("/api/v1/scores/batch/", json={"scores": many})).status_code == 200
        await page.goto(stack.url + "/boards/dash/?player=dash-150")
        await state_is(page, "live")
        await expect(part(page, "my-rank")).to_have_text("151")
        await expect(part(page, "watching")).to_have_text("1")
        await expect(part(page, "ends-in")).to_have_text(re.compile(r"\d\d:\d\d:\d\d"))
        jump = {"player": "dash-200", "score": 9_851, "game_mode": "dash"}  # before 150, by a point
        assert (await client.post("/api/v1/scores/", json=jump)).status_code == 201
        await expect(page.locator(".toast")).to_contain_text("dash-200 passed you")
        await expect(part(page, "my-rank")).to_have_text("152")
        await page.keyboard.press("m")
        await expect(beyond(page, 152)).to_have_attribute("data-player", "dash-150")
        top = (await client.get("/api/v1/leaderboard/dash/top/?limit=300")).json()["entries"]
        shown = await page.locator("[data-beyond] tr").evaluate_all(
            "rows => rows.map(row => [Number(row.dataset.rank), row.dataset.player])"
        )
        assert shown == [[entry["rank"], entry["player"]] for entry in top if shown[0][0] <= entry["rank"] <= shown[-1][0]]
        await axe(page)
