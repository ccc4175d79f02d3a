"""The embeddable board on a site of another origin, under that site's strict policy."""

import gzip
import re
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.async_api import Page, expect
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from tests.browser.axe import Axe
from tests.browser.live import until
from tests.servers.stack import Stack

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "docs" / "examples" / "embed.html"
SIZE_BUDGET = 20 * 1024  # bytes, gzipped, all its modules


class Site:
    """Somebody else's site: one page."""

    def __init__(self, stack: Stack) -> None:
        self.board = '<gaming-leaderboard board="embed-cup" top="3">Top of the <b>house</b></gaming-leaderboard>'
        self.stack, self.url, self.page, self.policy = stack, "", "", ""

    def answer(self, connection: ServerConnection, request: Request) -> Response:
        page = (
            self.page or f'<!doctype html><title>A site</title><script type="module" src="{self.stack.url}/embed.js"></script>{self.board}'
        )
        sockets = self.stack.url.replace("http", "ws")
        policy = self.policy or f"default-src 'none'; script-src {self.stack.url}; connect-src {sockets}"
        body = page.encode()
        told = {"Content-Type": "text/html; charset=utf-8", "Content-Length": str(len(body)), "Connection": "close"}
        return Response(HTTPStatus.OK, "OK", Headers({**told, "Content-Security-Policy": policy}), body)


@pytest.fixture(scope="module", autouse=True)
def board(stack: Stack) -> None:
    stack.manage("create_board", "--game", "default", "--slug", "embed-cup", "--operator", "best", "--game-mode", "embed")


@pytest.fixture
async def site(stack: Stack) -> AsyncIterator[Site]:
    site = Site(stack)

    async def no_sockets(_: ServerConnection) -> None: ...

    async with serve(no_sockets, "127.0.0.1", 0, process_request=site.answer) as server:
        site.url = f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/"
        yield site


async def score(stack: Stack, player: str, score: int) -> None:
    async with httpx.AsyncClient(base_url=stack.url, headers={"Authorization": f"Api-Key {stack.api_key}"}) as client:
        answer = await client.post(
            "/api/v1/scores/", json={"player": player, "score": score, "leaderboards": ["embed-cup"], "game_mode": "embed"}
        )
        assert answer.status_code == 201, answer.text


async def test_it_follows_the_board_on_another_site_under_a_strict_policy(page: Page, site: Site, stack: Stack) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    await page.goto(site.url)
    await expect(page.get_by_role("status")).to_have_text("Live")
    await expect(page.locator("gaming-leaderboard b")).to_have_text("house")
    for number, player in enumerate(["embed-ada", "embed-bo", "embed-cy", "embed-dee"]):
        await score(stack, player, 10**12 + number)
    names = page.locator("gaming-leaderboard [data-rows] .name")
    await expect(names).to_have_text(["embed-dee", "embed-cy", "embed-bo"])
    assert said == [], "no violation of the policy, no error"


async def test_its_board_and_size_may_change_and_it_lets_go_when_it_is_taken_out(page: Page, site: Site, stack: Stack) -> None:
    for number in range(5):
        await score(stack, f"embed-{number}", 10**13 + number)
    sockets: list[str] = []
    closed: list[str] = []
    page.on("websocket", lambda socket: (sockets.append(socket.url), socket.on("close", lambda _: closed.append(socket.url))))
    await page.goto(site.url)
    names = page.locator("gaming-leaderboard [data-rows] .name")
    await expect(names).to_have_count(3)
    await page.evaluate("document.querySelector('gaming-leaderboard').setAttribute('top', '5')")
    await expect(names).to_have_count(5)
    await page.evaluate("document.querySelector('gaming-leaderboard').setAttribute('board', 'nowhere')")
    await expect(page.get_by_role("status")).to_have_text("This leaderboard can't be shown")
    await page.evaluate("document.querySelector('gaming-leaderboard').setAttribute('board', 'embed-cup')")
    await expect(page.get_by_role("status")).to_have_text("Live")
    await page.evaluate("document.querySelector('gaming-leaderboard').remove()")

    async def all_closed() -> bool:
        return len(closed) == len(sockets)

    await until(all_closed, "no socket is left")
    assert len(sockets) == 4


async def test_its_looks_are_the_sites_to_choose(page: Page, site: Site) -> None:
    await page.goto(site.url)
    await expect(page.get_by_role("status")).to_have_text("Live")
    await page.evaluate(
        """() => {
            const board = document.querySelector("gaming-leaderboard");
            board.style.setProperty("--leaderboard-background", "rgb(1, 2, 3)");
            board.style.setProperty("--leaderboard-radius", "7px");
        }"""
    )
    board = page.locator("gaming-leaderboard")
    assert await board.evaluate("board => getComputedStyle(board).backgroundColor") == "rgb(1, 2, 3)"
    assert await board.evaluate("board => getComputedStyle(board).borderRadius") == "7px"


@pytest.fixture
async def sample(site: Site, stack: Stack) -> Site:
    """The page in the documents, on this service's board."""
    site.policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src {stack.url}; connect-src {stack.ws_url}"
    site.page = SAMPLE.read_text().replace("http://localhost:8000", stack.url).replace('"global"', '"embed-cup"')
    for number, player in enumerate(["embed-ada", "embed-bo", "embed-cy"]):
        await score(stack, player, 10**14 + number)
    return site


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_sample_page_is_open_to_all_in_any_light(page: Page, sample: Site, axe: Axe, scheme: Literal["light", "dark"]) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    await page.emulate_media(color_scheme=scheme)
    await page.goto(sample.url)
    await expect(page.get_by_role("status")).to_have_text(["Live"] * 3)
    await expect(page.get_by_role("heading", level=2)).to_have_count(3)
    await axe(page)
    assert said == []


async def test_from_right_to_left_the_rank_is_on_the_right(page: Page, sample: Site) -> None:
    await page.goto(sample.url)
    await expect(page.get_by_role("status")).to_have_text(["Live"] * 3)
    for board, is_rtl in ((page.locator("gaming-leaderboard").nth(0), False), (page.locator("gaming-leaderboard").nth(2), True)):
        rank, name, points = [
            (await board.locator(f"[data-rows] {part}").first.bounding_box() or {})["x"] for part in (".rank", ".name", ".score")
        ]
        assert (rank > name > points) is is_rtl
        if is_rtl:
            assert name - points > 120, "a name in Latin letters stands beside its rank, not at its score"


async def test_who_wants_less_motion_gets_the_same_without_the_ways_between(page: Page, sample: Site, stack: Stack) -> None:
    await page.emulate_media(reduced_motion="reduce")
    await page.goto(sample.url)
    names = page.locator("gaming-leaderboard").first.locator("[data-rows] .name")
    await expect(names.first).to_have_text("embed-cy")
    await page.evaluate(
        """() => {
            window.moved = [];
            Element.prototype.animate = () => window.moved.push(new Error().stack);
        }"""
    )
    await score(stack, "embed-ada", 10**15)
    await expect(names.first).to_have_text("embed-ada")
    assert await page.evaluate("moved") == []


async def test_a_board_without_words_inside_has_no_empty_heading(page: Page, site: Site, axe: Axe) -> None:
    site.board = f"<main><h1>A site</h1>{site.board.replace('Top of the <b>house</b>', '')}</main>"
    await page.goto(site.url)
    await expect(page.get_by_role("status")).to_have_text("Live")
    await expect(page.get_by_role("heading", level=2)).to_have_count(0)
    await page.evaluate("document.querySelector('gaming-leaderboard').append('Late words')")
    await expect(page.get_by_role("heading", level=2)).to_have_text("")
    await expect(page.get_by_role("heading", name="Late words")).to_be_visible()


def test_it_is_small(stack: Stack) -> None:
    host = urlsplit(stack.url)
    seen: dict[str, bytes] = {}
    waiting = ["/embed.js"]
    with httpx.Client(base_url=stack.url) as client:
        while waiting:
            path = waiting.pop()
            answer = client.get(path)
            assert answer.status_code == 200, path
            assert answer.headers["access-control-allow-origin"] == "*", f"{path} can be loaded by other sites"
            assert answer.headers["content-type"].startswith("text/javascript"), path
            seen[path] = answer.content
            for found in re.findall(r'^(?!\s*/?\*).*(?:from |import\()"([^"]+)"', answer.text, re.MULTILINE):
                target = httpx.URL(f"{host.scheme}://{host.netloc}{path}").join(found).path
                waiting += [target] if target not in seen else []
    assert any(path.endswith("sse.js") for path in seen), "the modules behind it were followed, also one that is loaded when it is needed"
    assert sum(len(gzip.compress(content)) for content in seen.values()) < SIZE_BUDGET
