"""The race chart in a real browser, on a page of its own under the policy that every page has."""

import json
import mimetypes
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from playwright.async_api import Page, Route, expect

from gaming_leaderboard.pages import POLICY
from leaderboard.domain.score import SCORE_LIMIT

pytestmark = pytest.mark.slow

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
NOON_MS = int(NOON.timestamp() * 1000)
PAGE = """<!doctype html><html lang="en" dir="{direction}"><head><meta charset="utf-8"><title>Race</title>
<link rel="stylesheet" href="/static/{theme}"><link rel="stylesheet" href="/static/realtime/chart.css">
<link rel="stylesheet" href="/size.css">
</head><body><main><div id="race"></div></main><script type="module" src="/mount.js"></script></body></html>"""
SIZE = "#race { inline-size: 100%; block-size: 30rem; }"
MOUNT = """
import { RaceChart } from "/static/realtime/js/chart.js";
addEventListener("securitypolicyviolation", (event) => console.error(event.violatedDirective));
window.chart = new RaceChart(document.getElementById("race"));
"""
NAMES = ("Ada", "Bo", "Cy", "Dora", "Eve", "Flo", "Gus", "مريم", "Ida the Unreasonably Long-Named", "Jo")


LAID_OUT = """() => {
    const { width, height } = document.querySelector(".race-plot").getBoundingClientRect();
    return document.querySelector(".race-svg").getAttribute("viewBox") === `0 0 ${width} ${height}`;
}"""
COUNTED = """() => {
    const ask = requestAnimationFrame;
    window.asked = 0;
    window.requestAnimationFrame = (frame) => { asked += 1; return ask(frame); };
}"""


class Chart:
    """The chart on the page, told things as the dashboard tells them. Time is set."""

    def __init__(self, page: Page) -> None:
        self.page, self.at = page, NOON_MS

    async def open(self, *, direction: str = "ltr") -> None:
        self.direction = direction
        await self.page.goto("http://chart.test/")
        await self.page.wait_for_function("window.chart")

    async def load(self, players: dict[str, list[tuple[int, int]]], *, minutes: int = 60, season: str = "all-time") -> None:
        """Players by name, the best first, with points of (minutes before noon, score)."""
        told = [
            {"player": name.lower(), "name": name, "rank": rank, "points": [[moment(before), score] for before, score in points]}
            for rank, (name, points) in enumerate(players.items(), 1)
        ]
        await self.page.evaluate(
            "race => chart.load(race)", {"season": season, "since": moment(minutes), "until": moment(0), "players": told}
        )

    async def follow(self, *scores: tuple[str, int], seconds: float = 1) -> None:
        self.at += int(seconds * 1000)
        rows = [{"player": name.lower(), "name": name, "rank": rank, "score": score} for rank, (name, score) in enumerate(scores, 1)]
        await self.page.evaluate("([rows, at]) => chart.follow(rows, at)", [rows, self.at])

    async def settle(self) -> None:
        """All moves are done. A new size is told by the browser's next rendering, which waits for no clock that a test sets."""
        await self.page.wait_for_function(LAID_OUT)
        await self.page.clock.run_for(2_000)

    async def labels(self) -> list[str]:
        return [str(text) for text in await self.page.locator(".race-label").evaluate_all("all => all.map(one => one.ariaLabel)")]

    async def boxes(self, selector: str) -> list[dict[str, float]]:
        found: list[dict[str, float]] = await self.page.locator(selector).evaluate_all(
            "all => all.map(one => one.getBoundingClientRect().toJSON())"
        )
        return found


def moment(minutes_before: float) -> str:
    return (NOON - timedelta(minutes=minutes_before)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def ten(rng: random.Random) -> dict[str, list[tuple[int, int]]]:
    scores = sorted((rng.randrange(1_000, 90_000) for _ in NAMES), reverse=True)
    return {name: [(60, score // 3), (30, score // 2), (5, score)] for name, score in zip(NAMES, scores, strict=True)}


@pytest.fixture
async def chart(page: Page) -> AsyncIterator[Chart]:
    """No request leaves the browser; a line on its console fails the test."""
    shown, said = Chart(page), []
    theme = "realtime/theme.css" if finders.find("realtime/theme.css") else "realtime/board.css"

    async def answer(route: Route) -> None:
        path = route.request.url.removeprefix("http://chart.test/").partition("?")[0]
        own = {"": PAGE.format(direction=shown.direction, theme=theme), "size.css": SIZE, "mount.js": MOUNT, "favicon.ico": ""}
        found = finders.find(path.removeprefix("static/")) if path not in own else None
        kind = "text/html" if path == "" else mimetypes.guess_type(path)[0]
        body = own[path] if found is None else Path(str(found)).read_text()
        await route.fulfill(body=body, content_type=kind, headers={"Content-Security-Policy": POLICY})

    await page.route("**/*", answer)
    page.on("console", lambda message: said.append(message.text))
    await page.clock.install(time=NOON - timedelta(minutes=1))  # it runs until it is paused
    await page.clock.pause_at(NOON + timedelta(seconds=1))
    yield shown
    assert said == []


async def test_lines_follow_frames_and_words_say_the_same(chart: Chart) -> None:
    await chart.open()
    await expect(chart.page.locator(".race-empty")).to_be_visible()
    await chart.load({"Ada": [(60, 100), (10, 900)], "Bo": [(60, 500), (20, 800)]})
    await chart.settle()
    await expect(chart.page.locator(".race-empty")).to_be_hidden()
    assert await chart.labels() == ["1. Ada, 900", "2. Bo, 800"]
    assert await chart.page.locator("table tr").all_inner_texts() == ["Rank\tPlayer\tThen\tNow", "1\tAda\t100\t900", "2\tBo\t500\t800"]
    first = await chart.page.locator(".race-path").evaluate_all("all => all.map(one => one.getAttribute('d'))")

    await chart.follow(("Bo", 1000), ("Ada", 900), ("Cy", 50))
    await chart.settle()
    assert await chart.labels() == ["1. Bo, 1,000", "2. Ada, 900", "3. Cy, 50"]
    heads = await chart.boxes(".race-lines .race-head")
    assert sorted(heads, key=lambda box: -box["top"]) == heads, "the leader is drawn last, and stands on top"
    assert await chart.page.locator(".is-leader .race-name").all_inner_texts() == ["Bo"]
    moved = await chart.page.locator(".race-path").evaluate_all("all => all.map(one => one.getAttribute('d'))")
    assert (len(first), len(moved)) == (2, 3)
    assert await chart.page.locator("table tr").nth(1).inner_text() == "1\tAda\t100\t900", "words change at most every 5 s"
    await chart.page.clock.run_for(5_000)
    assert await chart.page.locator("table tr").nth(1).inner_text() == "1\tBo\t500\t1,000"

    await chart.follow(("Bo", 1000))
    await chart.settle()
    assert await chart.labels() == ["1. Bo, 1,000"]
    await chart.follow(("Bo", 1000), ("Ada", 950))
    await chart.load({"Cy": [(1, 5)]}, season="2026-05-01T00:00:00Z")
    await chart.settle()
    assert await chart.labels() == ["1. Cy, 5"], "another season's lines are gone"
    await chart.page.evaluate("chart.destroy(); chart.follow([], 0)")
    assert await chart.page.locator("#race > *").count() == 0


async def test_labels_do_not_cover_each_other_at_any_size_and_stand_on_the_side_where_lines_end(chart: Chart) -> None:
    rng = random.Random(4)
    for direction in ("ltr", "rtl"):
        await chart.open(direction=direction)
        for width, height in ((1280, 800), (390, 844), (1920, 1080)):
            await chart.page.set_viewport_size({"width": width, "height": height})
            await chart.load(ten(rng))
            await chart.settle()
            boxes = await chart.boxes(".race-item:not([hidden])")
            assert len(boxes) == 10
            assert all(one["bottom"] <= other["top"] + 0.5 for one, other in pairwise(boxes)), (width, direction)
            (plot,) = await chart.boxes(".race-rules")
            right = all(box["left"] > plot["right"] for box in boxes)
            left = all(box["right"] < plot["left"] for box in boxes)
            assert (right, left) == (direction == "ltr", direction == "rtl")


async def test_scores_at_the_edge_are_whole_however_great(chart: Chart) -> None:
    for direction in ("ltr", "rtl"):
        await chart.open(direction=direction)
        for width in (390, 1280):
            await chart.page.set_viewport_size({"width": width, "height": 800})
            for high, low in ((SCORE_LIMIT, -SCORE_LIMIT), (12_345_678, 12_345_600)):
                await chart.load({"Ada": [(60, low), (30, high)]}, season=f"of {high - low}")
                await chart.settle()
                (frame,) = await chart.boxes(".race-svg")
                texts = await chart.boxes(".race-score-tick")
                assert all(frame["left"] <= text["left"] and text["right"] <= frame["right"] for text in texts), (direction, texts)


async def test_where_less_is_better_the_leader_stands_on_top(chart: Chart) -> None:
    await chart.open()
    await chart.load({"Ada": [(60, 900), (10, 100)], "Bo": [(60, 500)]})
    await chart.settle()
    bo, ada = await chart.boxes(".race-lines .race-head")
    assert ada["top"] < bo["top"]


async def test_a_young_board_fills_the_chart(chart: Chart) -> None:
    await chart.open()
    await chart.load({"Ada": [(4, 100), (2, 900)], "Bo": [(3, 500)]})
    await chart.settle()
    (plot,) = await chart.boxes(".race-rules")
    lines = await chart.boxes(".race-path")
    assert min(box["left"] for box in lines) == pytest.approx(plot["left"], abs=4)


async def test_a_line_is_chosen_and_walked_along_by_keyboard_and_by_pointer(chart: Chart) -> None:
    page = chart.page
    await chart.open()
    await chart.load({"Ada": [(60, 100), (30, 400), (10, 900)], "Bo": [(60, 500)]})
    await chart.settle()
    readout = page.locator(".race-readout")
    await page.keyboard.press("Tab")
    await expect(page.locator(".race-label").first).to_be_focused()
    await expect(page.locator(".race-line.is-chosen")).to_have_count(1)
    for expected in ("Ada · 900", "Ada · 400", "Ada · 100", "Ada · 100"):
        await page.keyboard.press("ArrowLeft")
        await expect(readout).to_contain_text(expected)
    await page.keyboard.press("ArrowRight")
    await expect(readout).to_contain_text("Ada · 400")
    await page.keyboard.press("ArrowDown")
    await expect(page.locator(".race-label").nth(1)).to_be_focused()
    await chart.follow(("Bo", 5000), ("Ada", 900))
    await chart.settle()
    assert await page.evaluate("document.activeElement.dataset.player") == "bo", "a label that moves keeps the focus"
    await page.keyboard.press("Escape")
    await expect(page.locator(".is-chosen")).to_have_count(0)
    await page.keyboard.press("Shift+Tab")
    await expect(page.locator(".race-labels :focus")).to_have_count(0)

    (head,) = [box for box in await chart.boxes(".is-leader .race-head") if box["width"] > 0][:1]
    await chart.follow(("Bo", 5000), ("Ada", 900), seconds=300)
    await chart.settle()
    await page.mouse.move(head["left"] - 4, head["top"] + 4)
    await expect(readout).to_contain_text("Bo · 5,000")
    await page.mouse.move(2, 700)
    await expect(readout).to_be_hidden()


async def test_twenty_thousand_frames_leave_few_points_and_few_elements(chart: Chart) -> None:
    await chart.open()
    await chart.load(ten(random.Random(1)))
    held = await chart.page.evaluate(
        """async (start) => {
            const seen = [];
            for (let turn = 0; turn < 20_000; turn += 1) {
                const score = (place) => 1_000_000 + turn * (3 + (place * 7) % 5) + ((turn * 31 + place * 17) % 97);
                const player = (place) => "p" + ((place + (turn >> 9)) % 40);
                const rows = Array.from({ length: 14 }, (_, place) => ({ player: player(place), name: "P", score: score(place) }));
                rows.sort((one, other) => other.score - one.score).forEach((row, place) => (row.rank = place + 1));
                chart.follow(rows, start + turn * 120);
                if (turn % 1000 === 999) seen.push(chart.size);
            }
            return seen;
        }""",
        NOON_MS,
    )
    assert max(held) <= 10 * 256 + 20 * 64, held
    await chart.settle()
    assert await chart.page.locator(".race-label").count() == 10
    assert await chart.page.evaluate("document.querySelectorAll('#race *').length") < 250
    longest = await chart.page.locator(".race-path").evaluate_all("all => Math.max(...all.map(one => one.getAttribute('d').length))")
    assert longest < 8_000


async def test_nothing_runs_while_nothing_changes_and_reduced_motion_jumps(chart: Chart) -> None:
    await chart.open()
    await chart.load({"Ada": [(60, 100)], "Bo": [(60, 50)]})
    await chart.settle()
    await chart.page.evaluate(COUNTED)
    await chart.page.clock.run_for(20_000)
    assert 1 <= await chart.page.evaluate("asked") <= 20, "time goes on a pixel at a time, a second at least"
    await chart.follow(("Bo", 1000), ("Ada", 100))
    await chart.settle()
    gliding = await chart.page.evaluate("asked")
    assert gliding > 5
    await chart.page.emulate_media(reduced_motion="reduce")
    await chart.settle()
    await chart.page.evaluate("asked = 0")
    await chart.follow(("Ada", 3000), ("Bo", 1000))
    await chart.page.clock.run_for(100)
    assert await chart.page.evaluate("asked") <= 2, (
        "one for the frame, and one if time went on by a pixel; a frame may be under way already"
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_colour_stands_out_from_what_is_behind_it(chart: Chart, scheme: Any) -> None:
    await chart.page.emulate_media(color_scheme=scheme)
    await chart.open()
    names = ["--paper", "--plate", *(f"--race-{number}" for number in range(1, 11))]
    colours = json.loads(
        await chart.page.evaluate(
            """(names) => {
                const style = getComputedStyle(document.getElementById("race"));
                return JSON.stringify(names.map((name) => style.getPropertyValue(name).trim()));
            }""",
            names,
        )
    )
    paper, plate, *lines = (luminance(colour) for colour in colours)
    assert len(set(colours[2:])) == 10
    for behind in (paper, plate):
        ratios = [(max(line, behind) + 0.05) / (min(line, behind) + 0.05) for line in lines]
        assert min(ratios) >= 3, ratios


def luminance(colour: str) -> float:
    """Of #rrggbb, by WCAG."""
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


async def test_what_is_thinned_keeps_its_ends_and_extremes_and_what_is_spread_its_order(chart: Chart) -> None:
    await chart.open()
    faults = await chart.page.evaluate(
        """async () => {
            const { thinned } = await import("/static/realtime/js/race-lines.js");
            const { edges, scoreTicks, spread } = await import("/static/realtime/js/race-scale.js");
            const faults = [];
            const any = (most) => Math.floor(Math.random() * most);
            for (let turn = 0; turn < 500; turn += 1) {
                const points = Array.from({ length: 1 + any(400) }, () => [any(1000), any(99) - 40]);
                points.sort((one, other) => one[0] - other[0]);
                const kept = thinned(points, 64);
                const scores = (all) => all.map((point) => point[1]);
                const same = (what) => Math[what](...scores(points)) === Math[what](...scores(kept));
                const ends = kept[0] === points[0] && kept.at(-1) === points.at(-1);
                if (kept.length > 64 || !ends || !same("min") || !same("max")) faults.push(points);
                const count = 1 + any(10);
                const wanted = Array.from({ length: count }, () => any(500)).sort((one, other) => one - other);
                const centres = spread(wanted, 20, 320);
                const apart = centres.every((centre, place) => !place || centre - centres[place - 1] >= 20 - 1e-6);
                if (!apart || centres[0] < 10 - 1e-6 || centres.at(-1) > 310 + 1e-6) faults.push(wanted);
                const [low, high] = [any(10 ** any(16)), any(10 ** any(16))].sort((one, other) => one - other);
                const ticks = scoreTicks(low, high, 5);
                const [from, to] = edges(low, high, ticks);
                const few = ticks.length >= 2 && ticks.length <= 9;
                if (from > low || to < high || from >= to || !few) faults.push([low, high, ticks, from, to]);
            }
            return faults.slice(0, 3);
        }"""
    )
    assert faults == []
