"""The stream overlay over the real process set. What is behind it must shine through, and nothing but the board may ever be on it."""

import struct
import zlib
from typing import Any

import httpx
import pytest
from playwright.async_api import Locator, Page, expect

from tests.servers.stack import Stack

pytestmark = pytest.mark.slow

BOARD, MODE = "overlay-cup", "overlay"
PLAYERS = [f"ov{number}" for number in range(1, 9)]  # ov1 leads
EVIL = "<img src=x onerror=\"document.title='owned'\">"
TEXT = "document.body.innerText"


@pytest.fixture(scope="module", autouse=True)
def board(stack: Stack) -> None:
    stack.manage(
        "create_board", "--game", "default", "--slug", BOARD, "--title", "Overlay Cup", "--operator", "latest", "--game-mode", MODE
    )
    with httpx.Client(base_url=stack.url, headers={"Authorization": f"Api-Key {stack.api_key}"}) as client:
        scores = [play(player, 1000 - place) for place, player in enumerate(PLAYERS)]
        answer = client.post("/api/v1/scores/batch/", json={"scores": scores}).raise_for_status()
        assert all("session_id" in result for result in answer.json()["results"]), answer.text


def play(player: str, score: int, *, board: str = BOARD, mode: str = MODE, **more: Any) -> dict[str, Any]:
    return {"player": player, "score": score, "leaderboards": [board], "game_mode": mode, **more}


async def submit(stack: Stack, *plays: dict[str, Any]) -> None:
    async with httpx.AsyncClient(base_url=stack.url, headers={"Authorization": f"Api-Key {stack.api_key}"}) as client:
        for one in plays:
            answer = await client.post("/api/v1/scores/", json=one)
            assert answer.status_code == 201, answer.text


async def opened(page: Page, stack: Stack, query: str = "", board: str = BOARD) -> Locator:
    """The names of the rows, once the page is there."""
    await page.goto(f"{stack.url}/overlay/{board}/{query}")
    return names(page)


def names(page: Page) -> Locator:
    return page.locator("[data-part=standings] [data-rows] .name")


def pixel(png: bytes, x: int, y: int) -> tuple[int, ...]:
    """Red, green, blue and alpha of one pixel of a picture with 8 bits a channel."""
    width, _, depth, kind = struct.unpack(">IIBB", png[16:26])
    assert (depth, kind) == (8, 6), "a picture with alpha"
    data, at = b"", 8
    while at < len(png):
        length = struct.unpack(">I", png[at : at + 4])[0]
        if png[at + 4 : at + 8] == b"IDAT":
            data += png[at + 8 : at + 8 + length]
        at += length + 12
    raw, stride, above = zlib.decompress(data), width * 4, bytearray(width * 4)
    for line in range(y + 1):
        start = line * (stride + 1)
        above = unfiltered(raw[start], raw[start + 1 : start + 1 + stride], above)
    return tuple(above[x * 4 : x * 4 + 4])


def unfiltered(how: int, line: bytes, above: bytearray) -> bytearray:
    """A line of PNG as it was before its filter."""
    out = bytearray(line)
    for at in range(len(out)):
        left, over, corner = (out[at - 4], above[at], above[at - 4]) if at >= 4 else (0, above[at], 0)
        guess = left + over - corner
        nearest = min((left, over, corner), key=lambda value: abs(guess - value))
        out[at] = (out[at] + (0, left, over, (left + over) // 2, nearest)[how]) & 255
    return out


async def test_there_is_the_board_on_nothing(page: Page, stack: Stack) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    await page.set_viewport_size({"width": 640, "height": 360})
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        shown = await opened(page, stack)
        await expect(shown).to_have_text(PLAYERS[:5])
        await expect(page.locator("h1")).to_have_text("Overlay Cup")
        picture = await page.screenshot(omit_background=True)
        assert [pixel(picture, x, y)[3] for x, y in ((2, 2), (638, 2), (2, 358), (638, 358))] == [0, 0, 0, 0]
        assert pixel(picture, 40, 100)[3] > 200, "a plate is behind the rows"
    assert await page.evaluate(
        "[document.documentElement.scrollHeight > innerHeight, document.documentElement.scrollWidth > innerWidth]"
    ) == [
        False,
        False,
    ]
    assert await page.evaluate("getComputedStyle(document.body).cursor") == "none"
    assert said == [], "no violation of the policy, no error"


async def test_rows_are_cut_to_what_was_asked_and_always_fit(page: Page, stack: Stack) -> None:
    await page.set_viewport_size({"width": 500, "height": 200})
    for rows in (1, 4, 8):
        await expect(await opened(page, stack, f"?rows={rows}&scale=4")).to_have_text(PLAYERS[:rows])
        box = await page.locator("[data-part=standings] .row").last.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 200
    await submit(stack, play("ov8", 5000))
    await expect(names(page)).to_have_text(["ov8", *PLAYERS[:7]])
    await submit(stack, play("ov8", 993))
    await expect(names(page)).to_have_text(PLAYERS)


@pytest.mark.parametrize("theme", ["arcade", "minimal", "neon", "light", "custom"])
async def test_each_theme_is_legible_on_its_plate_or_by_its_halo(page: Page, stack: Stack, theme: str) -> None:
    await expect(await opened(page, stack, f"?theme={theme}&ink=222&paper=%23ffeedd")).to_have_text(PLAYERS[:5])
    ink, halo = await page.locator("main").evaluate("main => [getComputedStyle(main).color, getComputedStyle(main).textShadow]")
    dark = {"light": True, "custom": True}.get(theme, False)
    assert (sum(map(int, ink[4:-1].split(", "))) < 200) is dark, ink
    first = [int(part) for part in halo[4 : halo.index(")")].split(", ")]
    assert (sum(first) > 600) is dark, f"{ink} has a halo of the other kind: {halo}"
    plate = await page.locator(".row").first.evaluate("row => getComputedStyle(row).backgroundImage")
    assert ("255, 238, 221" in plate) is (theme == "custom")


async def test_what_cannot_be_read_is_as_if_it_were_not_there_and_nothing_of_it_gets_into_the_page(page: Page, stack: Stack) -> None:
    evil = "%3Cimg src=x onerror=document.title='owned'%3E"
    wrong = f"rows=0&rows=999&theme={evil}&delay=-1&scale=1e9&position=url(x)&accent=red;}}*&ink=0&paper=%23ggg&title={evil}"
    wrong += f"&{evil}=1&__proto__=1"
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    await expect(await opened(page, stack, f"?{wrong}")).to_have_text(PLAYERS[:5])
    assert "must be" not in await page.evaluate(TEXT)
    assert await page.locator("html").get_attribute("data-theme") == "arcade"
    await expect(await opened(page, stack, f"?{wrong}&debug=1")).to_have_text(PLAYERS[:5])
    told = await page.locator("[data-part=debug]").inner_text()
    for name in ("rows", "theme", "delay", "scale", "position", "accent", "ink", "paper", "title"):
        assert f"{name} must be " in told
    assert "img" not in told
    assert await page.locator("img").count() == 0
    assert "owned" not in await page.title()
    assert said == []


async def test_a_name_is_text_whatever_it_holds(page: Page, stack: Stack) -> None:
    await submit(stack, play("ov-evil", 6000, name=EVIL))
    await expect(await opened(page, stack, "?rows=1")).to_have_text([EVIL])
    assert "owned" not in await page.title()
    await submit(stack, play("ov-evil", 0))


async def test_a_delay_shows_the_past_and_never_the_present(page: Page, stack: Stack) -> None:
    await page.clock.install()
    frames: list[str] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: frames.append(str(frame))))
    async with page.expect_websocket() as opening:
        await opened(page, stack, "?delay=60&rows=3&debug=1")
    socket = await opening.value
    if not frames:
        await socket.wait_for_event("framereceived")
    await expect(page.locator("[data-part=debug]")).to_contain_text("1 states wait")
    await page.clock.fast_forward(50_000)
    await expect(names(page)).to_have_count(0)
    await page.clock.fast_forward(11_000)
    await expect(names(page)).to_have_text(PLAYERS[:3])
    await submit(stack, play("ov8", 5000))
    await expect(page.locator("[data-part=debug]")).to_contain_text("1 states wait")
    await page.clock.set_system_time(1)  # the machine's clock is set to 1970: no matter
    await page.clock.fast_forward(50_000)
    await expect(names(page)).to_have_text(PLAYERS[:3])
    await page.clock.fast_forward(11_000)
    await expect(names(page)).to_have_text(["ov8", *PLAYERS[:2]])
    await submit(stack, play("ov8", 993))


async def test_what_a_delay_holds_is_bounded_and_the_newest_is_shown(page: Page, stack: Stack) -> None:
    await page.clock.install()
    await opened(page, stack)
    held, shown = await page.evaluate(
        """async () => {
            const { DelayLine } = await import("/static/realtime/js/delay.js");
            const shown = [];
            window.line = new DelayLine(600_000, (state) => shown.push(state));
            window.shown = shown;
            for (let state = 0; state < 50_000; state += 1) window.line.push(state);
            return [window.line.length, shown.length];
        }"""
    )
    assert held <= 50, "a tenth of a second is one state, however many come"
    assert shown == 0
    await page.clock.fast_forward(599_000)
    assert await page.evaluate("shown.length") == 0
    await page.clock.fast_forward(20_000)
    assert await page.evaluate("[line.length, shown.at(-1)]") == [0, 49_999]
