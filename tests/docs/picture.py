"""Makes docs/images/board.png: the live page of the real product during the demo's evening.

python -m tests.docs.picture
"""

import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.async_api import Page, async_playwright

from tests.servers.browser import find_chromium, launch_flags
from tests.servers.stack import ROOT, Stack, start_stack

PICTURE = ROOT / "docs" / "images" / "board.png"
SIZE_LIMIT = 250 * 1024  # bytes: a README is read on telephones, too
EVENING_S = 10  # of the demo: enough for ten names with scores of some size
SHOWN_S = 30

# Rows glide and numbers count while scores come in; the picture is taken between two moves, while
# the arrows of the last one are still to be seen.
_SETTLED = """async () => {
  const glides = () => document.getAnimations().some(({ playState, effect }) =>
    playState === "running" && isFinite(effect.getComputedTiming().endTime));
  for (let seen = ""; ; await new Promise((go) => setTimeout(go, 700))) {
    const scores = [...document.querySelectorAll("[data-rows] .score")].map((cell) => cell.innerText).join();
    if (scores === seen && !glides()) return;
    seen = scores;
  }
}"""


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with start_stack(f"sqlite:///{directory / 'db.sqlite3'}", directory=directory) as stack:
            asyncio.run(_take(stack))
    size = PICTURE.stat().st_size
    if size > SIZE_LIMIT:
        raise SystemExit(f"{PICTURE} has {size:,} bytes, more than {SIZE_LIMIT:,}")
    print(f"{PICTURE.relative_to(ROOT)}: {size:,} bytes")


async def _take(stack: Stack) -> None:
    chromium = find_chromium()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium.path, env={**os.environ, **chromium.env}, args=launch_flags())
        page = await browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="dark")
        await page.goto(f"{stack.url}/boards/global/")
        await asyncio.to_thread(_play, stack)
        await _settle(page)
        PICTURE.parent.mkdir(parents=True, exist_ok=True)
        await page.screenshot(path=PICTURE)
        await browser.close()


async def _settle(page: Page) -> None:
    async with asyncio.timeout(SHOWN_S):
        await page.evaluate(_SETTLED)


def _play(stack: Stack) -> None:
    demo = ("manage.py", "demo", "--url", stack.url, "--api-key", stack.api_key, "--duration", str(EVENING_S))
    subprocess.run([sys.executable, *demo], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
