"""The stream overlay over the real process set. What is behind it must shine through, and nothing but the board may ever be on it."""

import asyncio
import json
import mimetypes
import re
import struct
import zlib
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.contrib.staticfiles import finders
from django.template.loader import render_to_string
from playwright.async_api import Locator, Page, expect
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from realtime.overlay import OVERLAY_HEADERS
from tests.browser.axe import Axe
from tests.servers.stack import Stack

pytestmark = pytest.mark.slow

BOARD, MODE = "overlay-cup", "overlay"
PLAYERS = [f"ov{number}" for number in range(1, 9)]  # ov1 leads
EVIL = "<img src=x onerror=\"document.title='owned'\">"
TEXT = "document.body.innerText"


@pytest.fixture(scope="module", autouse=True)
def cup(stack: Stack) -> None:
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


async def test_a_followed_player_rises_from_below_into_the_rows(page: Page, stack: Stack) -> None:
    shown = await opened(page, stack, "?rows=3&player=ov8")
    await expect(shown).to_have_text([*PLAYERS[:3], "ov8"])
    await expect(page.locator("[data-apart] [aria-current] .plate")).to_have_text("8")
    await submit(stack, play("ov8", 5000))
    await expect(shown).to_have_text(["ov8", *PLAYERS[:2]])
    await submit(stack, play("ov8", 993))
    await expect(shown).to_have_text([*PLAYERS[:3], "ov8"])


async def test_who_wants_less_motion_gets_the_same_without_the_ways_between(page: Page, stack: Stack) -> None:
    await page.emulate_media(reduced_motion="reduce")
    await page.add_init_script("Element.prototype.animate = () => { throw new Error('it moved'); }")
    shown = await opened(page, stack)
    await expect(shown).to_have_text(PLAYERS[:5])
    await submit(stack, play("ov8", 5000))
    await expect(shown).to_have_text(["ov8", *PLAYERS[:4]])
    assert await page.locator(".row").first.evaluate("row => getComputedStyle(row).transitionDuration") == "0s"
    await submit(stack, play("ov8", 993))
    await expect(shown).to_have_text(PLAYERS[:5])


@pytest.mark.parametrize("theme", ["arcade", "light", "neon"])
async def test_it_is_read_aloud_as_the_table_that_it_is(page: Page, stack: Stack, axe: Axe, theme: str) -> None:
    await expect(await opened(page, stack, f"?theme={theme}&player=ov2")).to_have_text(PLAYERS[:5])
    await expect(page.locator("h1")).to_be_visible()
    await axe(page)


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


# --- Private boards ----------------------------------------------------------------------------------------------------------

PRIVATE = "overlay-private"


@pytest.fixture(scope="module")
def private(stack: Stack) -> str:
    made = ("--slug", PRIVATE, "--operator", "latest", "--game-mode", "overlay-private", "--private")
    stack.manage("create_board", "--game", "default", *made)
    with httpx.Client(base_url=stack.url, headers={"Authorization": f"Api-Key {stack.api_key}"}) as client:
        for player, score in (("ov1", 20), ("ov2", 10)):
            client.post("/api/v1/scores/", json=play(player, score, board=PRIVATE, mode="overlay-private")).raise_for_status()
    return PRIVATE


def ticket_of(stack: Stack, board: str) -> str:
    return stack.manage("create_ticket", "--board", board).strip()


async def test_a_ticket_behind_the_hash_opens_its_board_and_reaches_no_server(page: Page, stack: Stack, private: str) -> None:
    ticket = ticket_of(stack, private)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(f"{request.url} {request.headers.get('referer')}"))
    page.on("websocket", lambda socket: asked.append(socket.url))
    await expect(await opened(page, stack, f"#ticket={ticket}", private)).to_have_text(["ov1", "ov2"])
    await expect(page.locator("h1")).to_have_text("Overlay private")
    await page.reload()
    await expect(names(page)).to_have_text(["ov1", "ov2"])
    assert len(asked) > 10
    assert not any(ticket in line for line in asked)
    assert ticket not in await page.content()
    assert ticket not in stack.output
    async with page.expect_websocket() as opening:  # other letters behind the # are another visitor
        await page.evaluate("location.hash = '#ticket=no.good.ticket'")
    socket = await opening.value
    if not socket.is_closed():
        await socket.wait_for_event("close")
    assert await page.evaluate(TEXT) == ""


@pytest.mark.parametrize("slug", [PRIVATE, "never-made"])
async def test_a_board_that_is_not_to_be_seen_shows_nothing_at_all(page: Page, stack: Stack, private: str, slug: str) -> None:
    async with page.expect_websocket() as opening:
        await opened(page, stack, "", slug)
    socket = await opening.value
    if not socket.is_closed():
        await socket.wait_for_event("close")
    assert await page.evaluate(TEXT) == ""
    assert slug not in await page.content()
    await opened(page, stack, "?debug=1", slug)
    await expect(page.locator("[data-part=debug]")).to_contain_text("refused")


async def test_revoking_the_key_ends_the_overlay_within_seconds_and_silently(page: Page, stack: Stack, private: str) -> None:
    async with page.expect_websocket() as opening:
        await opened(page, stack, f"#ticket={ticket_of(stack, private)}", private)
    await expect(names(page)).to_have_text(["ov1", "ov2"])
    await expect(page.locator("h1")).to_be_visible()
    before = await page.evaluate(TEXT)
    listed = [line for line in stack.manage("list_api_keys", "--game", "default").splitlines() if f"Overlays of {PRIVATE}" in line]
    prefix = re.findall(r"\b[0-9a-f]{8}\b", listed[-1])[0]
    socket = await opening.value
    async with socket.expect_event("close"):
        await asyncio.to_thread(stack.manage, "revoke_api_key", prefix)
    await submit(stack, play("ov3", 30, board=private, mode="overlay-private"))
    assert page.context.browser is not None
    other = await page.context.browser.new_page()
    await expect(await opened(other, stack, f"#ticket={ticket_of(stack, private)}", private)).to_have_text(["ov3", "ov1", "ov2"])
    assert await page.evaluate(TEXT) == before, "nothing new, and no word about why"
    await submit(stack, play("ov3", 1, board=private, mode="overlay-private"))


# --- Outages -----------------------------------------------------------------------------------------------------------------


async def test_it_goes_on_after_a_server_died_and_says_nothing(page: Page, new_stack: Callable[..., Stack]) -> None:
    stack = new_stack()
    await submit(stack, {"player": "ada", "score": 20}, {"player": "bo", "score": 10})
    async with page.expect_websocket() as opening:
        await opened(page, stack, "", "global")
    await expect(names(page)).to_have_text(["ada", "bo"])
    await expect(page.locator("h1")).to_be_visible()
    before = await page.evaluate(TEXT)
    socket = await opening.value
    async with socket.expect_event("close"):
        pid = stack.kill("web")
    assert await page.evaluate(TEXT) == before
    await asyncio.to_thread(stack.wait_for_restart, "web", pid)
    await asyncio.to_thread(stack.wait_until_ready)
    await submit(stack, {"player": "bo", "score": 50})
    await expect(names(page)).to_have_text(["bo", "ada"])
    await expect(page.locator("main")).not_to_have_attribute("data-stale", "")


class Mute:
    """A server whose page is the overlay and whose sockets are closed as soon as they are there, until it has something to say."""

    def __init__(self) -> None:
        self.sockets: asyncio.Queue[ServerConnection] = asyncio.Queue()

    async def meet(self, connection: ServerConnection) -> None:
        await self.sockets.put(connection)
        await connection.wait_closed()

    async def next(self) -> ServerConnection:
        return await asyncio.wait_for(self.sockets.get(), 20)

    def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        path = request.path.partition("?")[0]
        if path.startswith("/ws/"):
            return None
        if path.startswith("/static/"):
            file = Path(finders.find(path.removeprefix("/static/")) or "")
            return _response(HTTPStatus.OK, file.read_bytes(), mimetypes.guess_type(file.name)[0] or "text/plain")
        if path.startswith("/overlay/"):
            return _response(HTTPStatus.OK, render_to_string("realtime/overlay.html").encode(), "text/html; charset=utf-8")
        return _response(HTTPStatus.NOT_FOUND, b"{}", "application/problem+json")


def _response(status: HTTPStatus, body: bytes, content_type: str) -> Response:
    told = {**OVERLAY_HEADERS, "Content-Type": content_type, "Content-Length": str(len(body)), "Connection": "close"}
    return Response(status, status.phrase, Headers(told), body)


def snapshot(*players: str, epoch: str, top: int = 10) -> str:
    frame = {"type": "snapshot", "leaderboard": "cup", "season": "all-time", "top": top, "epoch": epoch, "offset": 1, "total": len(players)}
    return json.dumps({**frame, "entries": [row(rank, name) for rank, name in enumerate(players, 1)]})


def row(rank: int, player: str, score: int = 100) -> dict[str, Any]:
    return {"rank": rank, "player": player, "name": player.title(), "score": score - rank}


def around(player: str, rank: int | None, *entries: dict[str, Any], season: str = "all-time") -> str:
    return json.dumps(
        {"type": "around", "leaderboard": "cup", "season": season, "player": player, "rank": rank, "total": 40, "entries": entries}
    )


async def test_a_followed_player_is_kept_in_sight_below_the_rows_and_marked_among_them(page: Page) -> None:
    mute = Mute()
    async with serve(mute.meet, "127.0.0.1", 0, process_request=mute.answer) as server:
        url = f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/overlay/cup/"
        await page.set_viewport_size({"width": 400, "height": 150})
        await page.goto(f"{url}?title=off&rows=3&player=eve&position=bottom")
        socket = await mute.next()
        assert socket.request is not None
        assert "player=eve" in socket.request.path
        await socket.send(snapshot("ada", "bo", "cy", epoch="a", top=3))
        await expect(names(page)).to_have_text(["Ada", "Bo", "Cy"])
        apart = page.locator("[data-apart] .row").last
        await expect(apart).to_have_count(0)
        await socket.send(around("eve", 27, row(26, "dee"), row(27, "eve"), row(28, "flo")))
        await expect(names(page)).to_have_text(["Ada", "Bo", "Cy", "Eve"])
        await expect(apart.locator(".plate")).to_have_text("27")
        box = await apart.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 150 - 8, "the margin is left free"
        await expect(apart).to_have_attribute("aria-current", "true")
        await socket.send(around("eve", None))
        await expect(names(page)).to_have_text(["Ada", "Bo", "Cy"])
        await socket.send(around("eve", 27, row(27, "eve"), season="another"))
        await socket.send(around("eve", 25, row(25, "eve")))
        await expect(apart.locator(".plate")).to_have_text("25")
        delta = {"changed": [row(2, "eve")], "left": ["cy"], "offset": 2, "epoch": "a", "top": 3, "total": 40, "season": "all-time"}
        await socket.send(json.dumps({"type": "delta", "leaderboard": "cup", **delta}))
        await expect(names(page)).to_have_text(["Ada", "Eve", "Bo"])
        await expect(apart).to_have_count(0)
        await expect(page.locator("[data-rows] [aria-current] .name")).to_have_text(["Eve"])
        await page.reload()  # and if the server does not take the player, there is the board all the same
        await (await mute.next()).close(4400)
        socket = await mute.next()
        assert socket.request is not None
        assert "player" not in socket.request.path
        await socket.send(snapshot("ada", "bo", epoch="b", top=3))
        await expect(names(page)).to_have_text(["Ada", "Bo"])


async def test_a_night_of_reconnects_leaves_the_standings_dimmed_and_not_a_word(page: Page) -> None:
    mute = Mute()
    async with serve(mute.meet, "127.0.0.1", 0, process_request=mute.answer) as server:
        await page.clock.install()
        await page.goto(f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/overlay/cup/?title=off")
        first = await mute.next()
        await first.send(snapshot("ada", "bo", epoch="a"))
        await expect(names(page)).to_have_text(["Ada", "Bo"])
        before = await page.evaluate(TEXT)
        await first.close(1011)
        for _ in range(30):
            await page.clock.fast_forward(20 * 60_000)  # ten hours in all
            await (await mute.next()).close(1011)
        await expect(page.locator("main")).to_have_attribute("data-stale", "")
        assert await page.evaluate(TEXT) == before
        await page.clock.fast_forward(20 * 60_000)
        last = await mute.next()
        await last.send(snapshot("bo", "ada", epoch="b"))
        await expect(names(page)).to_have_text(["Bo", "Ada"])
        await expect(page.locator("main")).not_to_have_attribute("data-stale", "")
