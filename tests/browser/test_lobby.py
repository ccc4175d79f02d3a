"""The lobby in a real browser, with the real process set: cards that live while they are in view."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from playwright.async_api import Locator, Page, WebSocket, expect

from leaderboard.domain.score import SCORE_LIMIT
from tests.browser.axe import Axe
from tests.browser.live import Ears, wire_to
from tests.servers.stack import Stack

pytestmark = pytest.mark.slow

PATIENCE_S = 20
BOARDS = 40  # more than a socket takes, and than a screen shows
GAME = "lobby"
TOLD = "addEventListener('securitypolicyviolation', e => console.error('REFUSED', e.violatedDirective, e.blockedURI, e.sample))"


class House:
    """A game of its own with many boards, on the stack that all tests share."""

    def __init__(self, stack: Stack) -> None:
        self.url = stack.url
        key = stack.manage("create_api_key", "--game", GAME, "--create-game", "--scopes", "scores:write,boards:admin").strip()
        self._client = httpx.Client(base_url=f"{stack.url}/api/v1/", headers={"Authorization": f"Api-Key {key}"})
        self.board("lobby-first", title="Première manche")
        self.board("lobby-daily", title="Daily dash", reset_schedule="daily")
        for number in range(BOARDS - 2):
            self.board(f"lobby-{number:03d}", title=f"Stage {number}")

    def board(self, slug: str, **definition: Any) -> None:
        self._said(201, "POST", "leaderboard/", {"leaderboard": slug, "operator": "best", "game_mode": slug, **definition})

    def change(self, slug: str, **definition: Any) -> None:
        self._said(200, "PATCH", f"leaderboard/{slug}/", definition)

    def score(self, slug: str, player: str, score: int) -> None:
        body = {"player": player, "score": score, "leaderboards": [slug], "game_mode": slug}
        self._said(201, "POST", "scores/", body)

    def close(self) -> None:
        self._client.close()

    def _said(self, status: int, method: str, path: str, body: dict[str, Any]) -> None:
        answer = self._client.request(method, path, json=body)
        assert answer.status_code == status, answer.text


@pytest.fixture(scope="module")
def house(stack: Stack) -> Iterator[House]:
    house = House(stack)
    yield house
    house.close()


class Line:
    """What the page said on its sockets."""

    def __init__(self, page: Page) -> None:
        self.sockets: list[WebSocket] = []
        self.watched: set[str] = set()
        self.most = 0
        self._said = asyncio.Event()
        page.on("websocket", self._opened)

    def _opened(self, socket: WebSocket) -> None:
        self.sockets.append(socket)
        socket.on("framesent", self._sent)

    def _sent(self, text: str | bytes) -> None:
        command = json.loads(text)
        if command["type"] == "subscribe":
            self.watched.add(command["leaderboard"])
        elif command["type"] == "unsubscribe":
            self.watched.discard(command["leaderboard"])
        self.most = max(self.most, len(self.watched))
        self._said.set()

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not done():
                self._said.clear()
                await self._said.wait()


def card(page: Page, slug: str) -> Locator:
    return page.locator(f'.card[data-board="{slug}"]')


def names(page: Page, slug: str) -> Locator:
    return card(page, slug).locator("[data-rows] .name")


def part(page: Page, name: str) -> Locator:
    return page.locator(f'[data-part="{name}"]')


async def order(page: Page) -> list[str]:
    slugs: list[str] = await page.locator('.card[data-of="lobby"]').evaluate_all("cards => cards.map(card => card.dataset.board)")
    return slugs


async def opened(page: Page, house: House, query: str = "") -> list[str]:
    """The lobby, live; what its policy refused and its console complained of."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    await page.add_init_script(TOLD)
    await page.goto(f"{house.url}/{query}")
    await expect(part(page, "status")).to_have_text("Live")
    return said


async def test_a_card_is_live_and_leads_to_its_board(page: Page, house: House, axe: Axe) -> None:
    said = await opened(page, house, "?q=premiere")
    first = card(page, "lobby-first")
    await expect(first.get_by_text("No scores yet: post the first")).to_be_visible()
    await first.get_by_text("How?").click()
    await expect(first.locator("pre")).to_contain_text('"leaderboards":["lobby-first"]')
    for player, score in [("lobby-ada", 10), ("lobby-bo", 20), ("lobby-cy", 30), ("lobby-dee", 40)]:
        house.score("lobby-first", player, score)
    await expect(names(page, "lobby-first")).to_have_text(["lobby-dee", "lobby-cy", "lobby-bo"])
    await expect(first.locator('[data-part="players"]')).to_have_text("4")
    house.score("lobby-first", "lobby-ada", 50)
    await expect(names(page, "lobby-first")).to_have_text(["lobby-ada", "lobby-dee", "lobby-cy"])
    await expect(first.locator("[data-leaving] tr")).to_have_count(0)
    await expect(first.locator('[data-part="watching"]')).to_have_text("1")
    pace = first.locator('[data-part="pace"]')
    await expect(pace).to_have_text(re.compile(r"^\d+$"))
    for score in range(60):  # a rate looks back a minute; of the five before them no six seconds make as many
        house.score("lobby-first", "lobby-ada", score)
    await expect(pace).to_have_text(re.compile(r"^([6-9]\d|\d{3,})$"))
    await expect(first).to_have_attribute("data-moving", "")
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        await axe(page)
    await first.get_by_role("link").focus()
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/boards/lobby-first/")
    assert said == []


async def test_a_page_that_is_not_there_leads_to_the_boards(page: Page, house: House, axe: Axe) -> None:
    said: list[str] = []
    await page.add_init_script(TOLD)
    page.on("console", lambda message: said.append(message.text))
    answer = await page.goto(f"{house.url}/boards/no-such-board/")
    assert answer
    assert answer.status == 404
    await expect(page.get_by_role("heading", name="Not here")).to_be_visible()
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        await axe(page)
    assert not any("REFUSED" in line for line in said)
    await page.get_by_role("link", name="All boards").click()
    await expect(part(page, "status")).to_have_text("Live")


async def test_only_what_is_in_view_is_watched_by_one_socket(page: Page, house: House) -> None:
    line = Line(page)
    await page.set_viewport_size({"width": 390, "height": 844})
    await opened(page, house, "?q=lobby")
    slugs = await order(page)
    near, far = slugs[0], slugs[-1]
    await expect(card(page, near).locator(".stage")).to_have_count(1)
    assert far not in line.watched
    house.score(far, "lobby-ada", 1)
    await card(page, far).scroll_into_view_if_needed()
    await expect(names(page, far)).to_have_text(["lobby-ada"])
    await line.until(lambda: near not in line.watched)
    house.score(near, "lobby-eve", 2000)
    await card(page, near).scroll_into_view_if_needed()
    await expect(names(page, near).first).to_have_text("lobby-eve")
    await page.set_viewport_size({"width": 1280, "height": 20_000})  # all in view
    await line.until(lambda: len(line.watched) == 32)
    await page.evaluate("new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))")  # all that it wants to say is said
    assert (line.most, len(line.sockets)) == (32, 1)


async def test_a_network_that_lets_no_websocket_through_has_the_cards_live_all_the_same(page: Page, house: House, stack: Stack) -> None:
    async with wire_to(stack) as wire:
        wire.is_blocking_sockets = True
        ears = Ears(page)
        await page.set_viewport_size({"width": 390, "height": 844})
        await page.goto(f"{wire.url}/?q=lobby")
        await expect(part(page, "status")).to_have_text("Live")
        slugs = await order(page)
        near, far = slugs[0], slugs[-1]
        house.score(near, "lobby-flo", 3000)
        await expect(names(page, near).first).to_have_text("lobby-flo")
        house.score(far, "lobby-gus", 3000)
        await card(page, far).scroll_into_view_if_needed()
        await expect(names(page, far).first).to_have_text("lobby-gus")
        house.score(far, "lobby-gus", 4000)
        await expect(card(page, far).locator("[data-rows] .score").first).to_have_text("4,000")
        await expect(card(page, far).locator('[data-part="watching"]')).to_have_text("1")
        assert wire.refused >= 2
        assert ears.frames == ears.violations == []


async def test_the_order_changes_when_it_is_asked_for_and_not_before(page: Page, house: House) -> None:
    await opened(page, house)
    before = await order(page)
    house.score(before[3], "lobby-ada", 99)
    await expect(names(page, before[3]).get_by_text("lobby-ada")).to_be_visible()
    assert await order(page) == before
    await page.get_by_role("button", name="A to Z").click()
    sorted_by_title = await order(page)
    assert sorted_by_title[:3] == ["lobby-daily", "lobby-first", "lobby-000"]
    assert sorted_by_title.index("lobby-009") < sorted_by_title.index("lobby-010")
    await page.get_by_role("button", name="Ends soon").click()
    assert (await order(page))[0] == "lobby-daily"
    await expect(page.get_by_role("button", name="Ends soon")).to_have_attribute("aria-pressed", "true")
    await page.reload()
    assert (await order(page))[0] == before[3], "the last that moved"


async def test_a_board_is_found_by_words_of_its_title_and_its_game(page: Page, house: House) -> None:
    await opened(page, house)
    await page.keyboard.press("/")
    search = page.get_by_role("searchbox", name="Find")
    await expect(search).to_be_focused()
    await search.fill("LOBBY stage 17")
    await expect(page.locator(".card:visible")).to_have_count(1)
    await expect(card(page, "lobby-017")).to_be_visible()
    await expect(page.locator("[data-game]:visible")).to_have_count(1)
    await page.reload()
    await expect(page.locator(".card:visible")).to_have_count(1)
    await search.fill("no such board")
    await expect(part(page, "nothing")).to_be_visible()
    await search.fill("")
    await expect(card(page, "lobby-first")).to_be_visible()
    assert "q=" not in page.url


async def test_a_board_that_is_no_longer_everybodys_leaves(page: Page, house: House) -> None:
    house.board("lobby-leaving", title="Leaving")
    await opened(page, house, "?q=leaving")
    await expect(card(page, "lobby-leaving").locator(".stage")).to_be_visible()
    house.change("lobby-leaving", is_public=False)
    await expect(card(page, "lobby-leaving")).to_have_count(0)


async def test_a_season_is_counted_down_to_its_end(page: Page, house: House) -> None:
    await opened(page, house, "?q=daily+dash")
    daily = card(page, "lobby-daily")
    ends = await daily.get_attribute("data-ends")
    left = daily.locator('[data-part="ends"]')
    await expect(left).to_be_visible()
    await page.evaluate("ends => { Date.now = () => Date.parse(ends) - 3_722_000; }", ends)
    await expect(left).to_have_text("1h 2m")
    await page.evaluate("ends => { Date.now = () => Date.parse(ends) - 62_000; }", ends)
    await expect(left).to_have_text("1m 3s")
    await page.evaluate("ends => { Date.now = () => Date.parse(ends) + 30_000; }", ends)
    await expect(left).to_have_text("now")
    asked = re.compile("/api/v1/leaderboard/lobby-daily/$")
    next_end = '{"season_ends": "2099-01-01T00:00:00.000Z"}'
    await page.route(asked, lambda route: route.fulfill(body=next_end, content_type="application/json"))
    await expect(left).to_have_text(re.compile(r"^\d[\d,]+d \d+h$"))


async def test_it_fits_a_phone_in_either_direction(page: Page, house: House) -> None:
    await page.set_viewport_size({"width": 390, "height": 844})
    await opened(page, house)
    for direction in ("ltr", "rtl"):
        await page.evaluate("direction => { document.documentElement.dir = direction; }", direction)
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    sign = page.locator(".sign").first
    title, box = await sign.get_by_role("link").bounding_box(), await sign.bounding_box()
    assert title
    assert box
    assert box["x"] + box["width"] - title["x"] - title["width"] < 40, "the title begins at the right"


async def test_without_javascript_it_is_a_list_of_links(page: Page, house: House) -> None:
    assert page.context.browser
    plain = await page.context.browser.new_page(java_script_enabled=False)
    await plain.goto(house.url)
    await expect(card(plain, "lobby-first").get_by_role("link", name="Première manche")).to_have_attribute("href", "/boards/lobby-first/")
    await expect(card(plain, "lobby-daily").get_by_text("The best score counts, resets daily")).to_be_visible()
    await expect(part(plain, "controls")).to_be_hidden()
    await expect(part(plain, "lamp")).to_be_hidden()
    assert ((await card(plain, "lobby-first").bounding_box()) or {})["height"] < 150, "no room is kept for what does not come"


async def test_a_great_score_leaves_room_for_the_name(page: Page, house: House) -> None:
    house.board("lobby-great", title="Greatest")
    house.score("lobby-great", "somebody with a name", SCORE_LIMIT)
    await page.set_viewport_size({"width": 360, "height": 740})
    await opened(page, house, "?q=greatest")
    row = card(page, "lobby-great").locator("[data-rows] .row")
    await expect(row.locator(".score")).to_have_text(f"{SCORE_LIMIT:,}")
    name, score, whole = [await place.bounding_box() for place in (row.locator(".player"), row.locator(".score"), row)]
    assert name
    assert score
    assert whole
    assert name["width"] > 60
    assert name["x"] + name["width"] <= score["x"]
    assert score["x"] + score["width"] <= whole["x"] + whole["width"]
