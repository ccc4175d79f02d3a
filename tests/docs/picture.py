"""Takes the pictures of the documents from the running product, during the demo's evening: `make pictures`.

python -m tests.docs.picture [board] [overlay] [lobby]
"""

import argparse
import asyncio
import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.async_api import Browser, Frame, Page, async_playwright

from leaderboard.management.commands.run import DEMO_BOARDS
from tests.servers.browser import find_chromium, launch_flags
from tests.servers.stack import ROOT, Stack, start_stack

IMAGES = ROOT / "docs" / "images"
SIZE_LIMIT = 250 * 1024  # bytes: a README is read on telephones, too
EVENING_S = 150  # of the demo: enough for names with scores of some size, and a race between them
SHOWN_S = 30
SHADES = 64  # of each colour: nobody sees the difference, and a picture is a third smaller
# Rows glide and numbers count while scores come in; a picture is taken between two moves, while
# the arrows of the last one are still to be seen.
_SETTLED = """async () => {
  const glides = () => document.getAnimations().some(({ playState, effect }) =>
    playState === "running" && isFinite(effect.getComputedTiming().endTime));
  for (let seen = ""; ; await new Promise((go) => setTimeout(go, 700))) {
    const text = document.body.innerText;
    const scores = [...document.querySelectorAll(".score")].map((cell) => cell.textContent).join() || text;
    if (scores && scores === seen && !glides()) return;
    seen = scores;
  }
}"""

# A game behind the overlay: an evening sky with a sun, over a road of light that no game has to itself.
_SCENE = """<!doctype html><title>A game</title><style>
  body { margin: 0; height: 100vh; overflow: hidden; position: relative;
    background: linear-gradient(#0a0620 0%, #2b0f54 34%, #7d1d6b 50%, #f0587a 58%, #14082e 58.2%, #0a0418 100%); }
  .sun { position: absolute; left: 50%; top: 20%; width: 34vh; height: 34vh; margin-left: -17vh; border-radius: 50%;
    background: linear-gradient(#ffe27a, #ff7a59 55%, #e0318c);
    mask: repeating-linear-gradient(#000 0 5.2vh, transparent 5.2vh 6vh); }
  .floor { position: absolute; inset: 58% -60% -40%; transform: perspective(40vh) rotateX(58deg); transform-origin: top;
    background:
      repeating-linear-gradient(90deg, #ff4fa3 0 2px, transparent 2px 7vh),
      repeating-linear-gradient(#ff4fa3 0 2px, transparent 2px 6vh);
    mask: linear-gradient(transparent, #000 40%); opacity: 0.55; }
  .ship { position: absolute; left: 68%; bottom: 50%; width: 0; height: 0; margin-left: -6vh; border: 6vh solid transparent; border-top: 0;
    border-bottom: 9vh solid #37e6d4; filter: drop-shadow(0 0 3vh #37e6d4); }
  iframe { position: absolute; inset: 0; width: 100%; height: 100%; border: 0; color-scheme: normal; }
</style><div class="sun"></div><div class="floor"></div><div class="ship"></div><iframe src="/overlay/global/?rows=5"></iframe>"""


# Where each is opened, and how large.
PICTURES = {
    "board": ("/boards/global/", 1280, 800),
    "overlay": ("/a-game/", 1280, 720),
    "lobby": ("/", 1280, 800),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.docs.picture", description="Takes the pictures of the documents.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(PICTURES)}; all if you name none")
    names = parser.parse_args().names or [*PICTURES]
    with tempfile.TemporaryDirectory() as directory, start_stack(f"sqlite:///{directory}/db.sqlite3", directory=Path(directory)) as stack:
        for slug, rules in DEMO_BOARDS.items():
            stack.manage("create_board", "--game", "default", "--slug", slug, *rules)
        asyncio.run(_take(stack, names))
    too_large = [name for name in names if _told_size(IMAGES / f"{name}.png") > SIZE_LIMIT]
    if too_large:
        raise SystemExit(f"more than {SIZE_LIMIT:,} bytes: {', '.join(too_large)}")


def _told_size(picture: Path) -> int:
    size = picture.stat().st_size
    print(f"{picture.relative_to(ROOT)}: {size:,} bytes")
    return size


async def _take(stack: Stack, names: list[str]) -> None:
    """The pages are open all evening, so that they have something to tell."""
    chromium = await asyncio.to_thread(find_chromium)
    IMAGES.mkdir(parents=True, exist_ok=True)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium.path, env={**os.environ, **chromium.env}, args=launch_flags())
        pages = {name: await _opened(browser, stack, name) for name in names}
        await asyncio.to_thread(_play, stack)
        for name, page in pages.items():
            await _settle(page.frames[-1])
            _save(await page.screenshot(), IMAGES / f"{name}.png")
        await browser.close()


def _save(picture: bytes, path: Path) -> None:
    step = 256 // SHADES
    shaded = Image.open(io.BytesIO(picture)).convert("RGB").point(lambda value: min(255, round(value / step) * step))
    shaded.save(path, optimize=True)


async def _opened(browser: Browser, stack: Stack, name: str) -> Page:
    path, width, height = PICTURES[name]
    page = await browser.new_page(viewport={"width": width, "height": height}, color_scheme="dark")
    await page.route("**/a-game/", lambda route: route.fulfill(body=_SCENE, content_type="text/html; charset=utf-8"))
    await page.goto(stack.url + path)
    if name == "board":
        await page.locator("[data-part=race-minutes]").select_option("15")  # the least: an evening is short here
    return page


async def _settle(frame: Frame) -> None:
    async with asyncio.timeout(SHOWN_S):
        await frame.evaluate(_SETTLED)


def _play(stack: Stack) -> None:
    demo = ("manage.py", "demo", "--url", stack.url, "--api-key", stack.api_key, "--duration", str(EVENING_S))
    subprocess.run([sys.executable, *demo], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
