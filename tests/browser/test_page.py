"""The live page in a real browser: its rows and its connection.

Most tests play the server's side of the socket by hand, since the faults that the page must stand (a lost delta, a refusal, silence)
are the ones that the real server does not make. The last test has the real process set.
"""

import asyncio
import random
import re
from itertools import pairwise
from typing import Any

import httpx
import pytest
from playwright.async_api import Page, expect

from leaderboard.domain.snapshot import TOPS, diff, patch
from tests.browser.scripted import (
    ADA,
    BO,
    CY,
    PATIENCE_S,
    THREE,
    Script,
    delta,
    names,
    opened,
    part,
    ranked,
    row,
    scores,
    snapshot,
    state_is,
)
from tests.servers.stack import Stack

pytestmark = pytest.mark.slow

# --- The rows --------------------------------------------------------------------------------------------------------


async def test_its_patch_is_the_domains_patch(page: Page, script: Script) -> None:
    chance = random.Random(48)
    cases = []
    for _ in range(300):
        old, new = (
            ranked([row(player, chance.randrange(4)) for player in chance.sample("abcdefghijkl", chance.randrange(9))]) for _ in "on"
        )
        step = diff(old, new)
        chance.shuffle(step.changed)
        assert patch(old, step) == new
        cases.append({"old": old, "delta": step._asdict(), "new": new})
    await opened(page, script, THREE)
    patched = await page.evaluate(
        """async cases => {
            const { applyDelta } = await import("/static/clients/rows.js");
            return cases.map(({ old, delta }) => applyDelta(old, delta));
        }""",
        cases,
    )
    assert patched == [case["new"] for case in cases]


async def test_rows_follow_the_deltas(page: Page, script: Script) -> None:
    peer = await opened(page, script, THREE)
    await expect(names(page)).to_have_text(["Ada", "Bo", "Cy"])
    first, dee = [{**CY, "score": 400}, ADA], row("dee", 50)
    await peer.send(**delta(THREE, [*first, dee], 2))
    await expect(names(page)).to_have_text(["Cy", "Ada", "Dee"])
    await expect(scores(page)).to_have_text(["400", "300", "50"])
    await expect(page.locator("[data-leaving] tr")).to_have_count(0)
    await expect(page.locator("[data-rows] tr").first.locator(".movement")).to_have_attribute("aria-label", "up 2 places")


async def test_a_fast_stream_ends_where_the_server_is(page: Page, script: Script) -> None:
    chance = random.Random(7)
    rows = [row(f"p{number}", 1000 - number) for number in range(100)]
    peer = await opened(page, script, rows, "?top=100", top=100)
    for offset in range(2, 102):
        chance.shuffle(moved := chance.sample(range(100), 10))
        new = list(rows)
        for a, b in pairwise(moved):
            new[a], new[b] = new[b], {**new[a], "score": new[a]["score"] + offset}
        await peer.send(**delta(rows, new, offset, top=100))
        rows = new
    await expect(names(page)).to_have_text([row["name"] for row in rows])
    await expect(scores(page)).to_have_text([f"{row['score']:,}" for row in rows])
    await expect(page.locator("[data-leaving] tr")).to_have_count(0)
    async with asyncio.timeout(PATIENCE_S):  # nothing is kept running
        await page.evaluate(
            """async () => {
                for (let ways; (ways = document.getAnimations()).length; ) await Promise.allSettled(ways.map((way) => way.finished));
            }"""
        )


async def test_a_name_is_text_whatever_it_holds(page: Page, script: Script) -> None:
    evil = "<img src=x onerror=\"document.title='owned'\">"
    await opened(page, script, [row("a", 3, name=evil), row("b", 2, name="نورا"), row("c", 1, name="")])
    await expect(names(page)).to_have_text([evil, "نورا", "c"])
    assert "owned" not in await page.title()
    assert await names(page).nth(1).evaluate("name => getComputedStyle(name).direction") == "rtl"


async def test_it_is_a_table_with_headers(page: Page, script: Script) -> None:
    await opened(page, script, THREE)
    table = page.get_by_role("table")
    await expect(table.get_by_role("columnheader", name="Score", exact=True)).to_have_count(1)
    await expect(table.get_by_role("rowheader")).to_have_text(["Ada", "Bo", "Cy"])
    await expect(table.locator("caption")).to_have_text("All players")


async def test_subscores_are_shown_once_there_is_one(page: Page, script: Script) -> None:
    peer = await opened(page, script, THREE)
    header = page.locator("thead .subscore")
    await expect(header).to_be_hidden()
    await peer.send(**delta(THREE, [{**ADA, "subscore": 7}, BO, CY], 2))
    await expect(header).to_be_visible()
    await expect(page.locator("[data-rows] .subscore").first).to_have_text("7")


async def test_an_empty_board_says_how_to_begin(page: Page, script: Script) -> None:
    peer = await opened(page, script, [])
    await expect(page.get_by_text("No scores yet: post the first")).to_be_visible()
    await expect(page.get_by_text("curl http")).to_be_visible()
    await peer.send(**delta([], [ADA], 2))
    await expect(names(page)).to_have_text(["Ada"])
    await expect(part(page, "empty")).to_be_hidden()


async def test_a_new_leader_is_called_out_once_in_five_seconds(page: Page, script: Script) -> None:
    await page.clock.install()
    peer = await opened(page, script, THREE)
    await page.clock.pause_at(await page.evaluate("Date.now() / 1000 + 10"))
    boards = [THREE, [{**BO, "score": 500}, ADA, CY], [{**CY, "score": 600}, {**BO, "score": 500}, ADA]]
    await peer.send(**delta(boards[0], boards[1], 2, total=4))
    await expect(part(page, "total")).to_have_text("4")
    await page.clock.run_for(100)
    await expect(part(page, "spoken")).to_have_text("Bo leads with 500")
    await peer.send(**delta(boards[1], boards[2], 3, total=5))
    await expect(part(page, "total")).to_have_text("5")
    await page.clock.run_for(4_800)
    await expect(part(page, "spoken")).to_have_text("Bo leads with 500")
    await page.clock.run_for(200)
    await expect(part(page, "spoken")).to_have_text("Cy leads with 600")


async def test_reduced_motion_moves_nothing(page: Page, script: Script) -> None:
    await page.emulate_media(reduced_motion="reduce")
    await page.add_init_script("Element.prototype.animate = () => { throw new Error('it moved'); }")
    peer = await opened(page, script, THREE)
    await peer.send(**delta(THREE, [{**CY, "score": 400}, row("dee", 350), ADA], 2))
    await expect(names(page)).to_have_text(["Cy", "Dee", "Ada"])
    await expect(scores(page)).to_have_text(["400", "350", "300"])


async def test_rows_glide_to_their_new_places(page: Page, script: Script) -> None:
    await page.add_init_script(
        """window.glides = [];
        const animate = Element.prototype.animate;
        Element.prototype.animate = function (frames, timing) {
            if (!timing.pseudoElement) window.glides.push([this.querySelector(".name").textContent, frames[0].transform]);
            return animate.call(this, frames, timing);
        };"""
    )
    peer = await opened(page, script, THREE)
    await peer.send(**delta(THREE, [{**CY, "score": 400}, ADA, BO], 2))
    await expect(names(page)).to_have_text(["Cy", "Ada", "Bo"])
    glides = await page.evaluate("window.glides")
    assert sorted(glides) == [["Ada", "translateY(-100%)"], ["Bo", "translateY(-100%)"], ["Cy", "translateY(200%)"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_top_ten_needs_no_scrolling_on_a_projector(page: Page, script: Script, scheme: Any) -> None:
    await page.emulate_media(color_scheme=scheme)
    await page.set_viewport_size({"width": 1920, "height": 1080})
    await opened(page, script, [row(f"player {number} " + "x" * 200, 10**15 - number) for number in range(10)])
    await expect(names(page)).to_have_count(10)
    assert await page.evaluate(
        "[document.documentElement.scrollHeight <= innerHeight, document.documentElement.scrollWidth <= innerWidth]"
    ) == [
        True,
        True,
    ]


async def test_a_phone_needs_no_scrolling_sideways(page: Page, script: Script) -> None:
    await page.set_viewport_size({"width": 360, "height": 740})
    await opened(page, script, [row(f"player {number} " + "x" * 200, 10**9 - number, subscore=10**6) for number in range(10)])
    await expect(names(page)).to_have_count(10)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


# --- The connection --------------------------------------------------------------------------------------------------


async def test_it_asks_by_the_path_first(page: Page, script: Script) -> None:
    peer = await opened(page, script, THREE, "?top=7")
    assert peer.path == "/ws/leaderboard/cup/?top=10&pulse=1"


async def test_a_gap_asks_for_a_snapshot_and_shows_nothing_of_what_follows(page: Page, script: Script) -> None:
    peer = await opened(page, script, THREE)
    swapped, later = [{**BO, "score": 900}, ADA, CY], [{**CY, "score": 999}, {**BO, "score": 900}, ADA]
    await peer.send(**delta(swapped, later, 3))
    assert "since" not in await peer.command("subscribe")
    await peer.send(**delta(later, [row("eve", 1)], 4))
    await peer.send(**snapshot(later, 5, total=77))
    await expect(part(page, "total")).to_have_text("77")
    await expect(names(page)).to_have_text(["Cy", "Bo", "Ada"])


async def test_deltas_that_are_late_or_of_other_boards_and_sizes_change_nothing(page: Page, script: Script) -> None:
    peer = await opened(page, script, THREE, offset=5)
    eve = [row("eve", 1)]
    await peer.send(**delta(THREE, eve, 5))
    await peer.send(**delta(THREE, eve, 6, leaderboard="daily"))
    await peer.send(**delta(THREE, eve, 6, top=3))
    await peer.send(type="confetti", amount=9)
    await peer.send(**delta(THREE, [ADA, CY, BO], 6, news="unknown fields too"))
    await expect(names(page)).to_have_text(["Ada", "Cy", "Bo"])


async def test_a_heartbeat_ahead_of_it_tells_of_a_lost_delta(page: Page, script: Script) -> None:
    peer = await opened(page, script, THREE)
    await peer.send(type="heartbeat", positions={"cup": {"epoch": "e", "offset": 1}, "daily": {"epoch": "f", "offset": 9}})
    await peer.send(type="heartbeat", positions={"cup": {"epoch": "e", "offset": 2}})
    await peer.command("subscribe")
    await peer.send(**snapshot([BO, ADA], 2))
    await expect(names(page)).to_have_text(["Bo", "Ada"])


async def test_it_resumes_where_it_was(page: Page, script: Script) -> None:
    peer = await opened(page, script, THREE)
    await peer.close(1012)
    again = await script.peer()
    assert again.path == "/ws/"
    assert (await again.command("subscribe"))["since"] == {"epoch": "e", "offset": 1}
    await again.send(**delta(THREE, [BO, ADA, CY], 2))
    await expect(names(page)).to_have_text(["Bo", "Ada", "Cy"])
    await state_is(page, "live")


async def test_it_is_live_again_when_nothing_was_missed(page: Page, script: Script) -> None:
    await (await opened(page, script, THREE)).close(1012)
    again = await script.peer()
    await again.command("subscribe")
    await again.command("ping")
    await again.send(type="pong")
    await state_is(page, "live")
    await expect(names(page)).to_have_text(["Ada", "Bo", "Cy"])


async def test_what_is_refused_on_resuming_is_asked_for_anew(page: Page, script: Script) -> None:
    await page.clock.install()
    await (await opened(page, script, THREE)).close(1012)
    again = await script.peer()
    await again.command("subscribe")
    await again.send(type="error", code="leaderboard_not_found", detail="gone")
    await again.send(type="pong")
    await state_is(page, "connecting")
    await page.clock.fast_forward(60_000)
    assert (await script.peer()).path.startswith("/ws/leaderboard/cup/")


@pytest.mark.parametrize(("code", "words"), [(4400, "Reload"), (4401, "Sign in"), (4403, "may not watch"), (4404, "no such leaderboard")])
async def test_a_refusal_is_explained_and_not_tried_again(page: Page, script: Script, code: int, words: str) -> None:
    await page.clock.install()
    await (await opened(page, script, THREE)).close(code)
    await state_is(page, "refused")
    await expect(part(page, "reason")).to_contain_text(words)
    await page.clock.fast_forward(120_000)
    await page.evaluate("dispatchEvent(new Event('online'))")
    await state_is(page, "refused")


async def test_silence_is_taken_for_a_dead_connection(page: Page, script: Script) -> None:
    await page.clock.install()
    peer = await opened(page, script, THREE)
    await page.clock.fast_forward(20_000)
    await peer.send(type="heartbeat", positions={})
    await peer.send(**delta(THREE, [BO, ADA, CY], 2))
    await expect(names(page)).to_have_text(["Bo", "Ada", "Cy"])
    await page.clock.fast_forward(20_000)
    await state_is(page, "live")
    await page.clock.fast_forward(6_000)
    await page.clock.fast_forward(6_000)
    assert (await script.peer()).path == "/ws/"


async def test_it_says_that_the_feed_is_away(page: Page, script: Script) -> None:
    peer = await opened(page, script, THREE)
    await peer.send(type="status", live=False)
    await state_is(page, "paused")
    await expect(part(page, "reason")).to_contain_text("live feed is away")
    await peer.send(type="status", live=True)
    await state_is(page, "live")
    await expect(part(page, "reason")).to_be_hidden()


async def test_it_says_when_it_tries_again(page: Page, script: Script) -> None:
    await page.clock.install()
    peer = await opened(page, script, THREE)
    await page.clock.pause_at(await page.evaluate("Date.now() / 1000 + 10"))
    await peer.send(type="bye", code=1012, retry_in_ms=7_000)
    await peer.close(1012)
    await expect(page.locator(".status")).to_have_text("Reconnecting in 7 s")
    await page.clock.run_for(3_000)
    await expect(page.locator(".status")).to_have_text("Reconnecting in 4 s")
    await page.evaluate("dispatchEvent(new Event('online'))")
    await script.peer()


async def test_another_size_is_asked_for_on_the_same_socket(page: Page, script: Script) -> None:
    peer = await opened(page, script, THREE)
    await page.get_by_label("3", exact=True).check(force=True)
    command = await peer.command("subscribe")
    assert command == {"type": "subscribe", "leaderboard": "cup", "top": 3, "pulse": True}
    assert command["top"] in TOPS
    await peer.send(**snapshot([BO, ADA, CY], 9, top=3))
    await expect(names(page)).to_have_text(["Bo", "Ada", "Cy"])
    assert page.url.endswith("?top=3")


# --- The real thing --------------------------------------------------------------------------------------------------


async def test_a_posted_score_moves_the_page(page: Page, stack: Stack) -> None:
    async with httpx.AsyncClient(base_url=stack.url, headers={"Authorization": f"Api-Key {stack.api_key}"}) as client:
        await page.goto(stack.url + "/boards/global/")
        await state_is(page, "live")
        for player, score in [("page-ada", 10**9), ("page-bo", 2 * 10**9)]:
            answer = await client.post("/api/v1/scores/", json={"player": player, "score": score})
            assert answer.status_code == 201, answer.text
        await expect(names(page).filter(has_text=re.compile("^page-"))).to_have_text(["page-bo", "page-ada"])
