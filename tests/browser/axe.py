"""axe-core: what a page gets wrong for those who use it by keyboard or screen reader.

    async def test_the_page_is_open_to_all(page, axe):
        await page.goto(url)
        await axe(page)

The script comes from npm once, into the user's cache, with or without Node on PATH, and only if it is the very release that is named here.
It is evaluated, not added as an element: a page's own policy stays as strict as it is.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

from tests.servers.browser import NotHere, install_from_npm, kept

PACKAGE = "axe-core"
PACKAGE_VERSION = "4.14.1"
SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"  # of axe.min.js
TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")

# What moves is looked at where it comes to rest: a name that fades in has no contrast yet. What runs for ever is not waited for.
_RUN = """async ([tags, without]) => {
  const ends = (animation) => isFinite(animation.effect?.getComputedTiming().endTime ?? Infinity);
  await Promise.allSettled(document.getAnimations().filter(ends).map((animation) => animation.finished));
  const { violations } = await axe.run({ exclude: without }, { runOnly: tags, resultTypes: ["violations"] });
  return violations.map(({ id, impact, help, nodes }) => ({
    id, impact, help, nodes: nodes.map(({ target, failureSummary }) => [target.flat(3).join(" "), failureSummary]),
  }));
}"""

Axe = Callable[..., Coroutine[Any, Any, None]]


def find_axe() -> str:
    """The script. Raises NotHere."""
    script = (kept(f"{PACKAGE}-{PACKAGE_VERSION}", _install) / "axe.min.js").read_bytes()
    if hashlib.sha256(script).hexdigest() != SHA256:
        raise NotHere(f"{PACKAGE} {PACKAGE_VERSION} is another than the one named here")
    return script.decode()


def _install(target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        shutil.copy(install_from_npm(PACKAGE, PACKAGE_VERSION, Path(scratch)) / "axe.min.js", target)


async def check(script: str, page: Page, *, without: tuple[str, ...] = ()) -> None:
    """Raises AssertionError with each broken rule and where. `without`: CSS selectors of parts that are not looked at."""
    if not await page.evaluate("typeof axe === 'object'"):
        await page.evaluate(script)
    found = await page.evaluate(_RUN, [TAGS, [[selector] for selector in without]])
    told = [f"{rule['id']} ({rule['impact']}): {rule['help']}\n{_places(rule['nodes'])}" for rule in found]
    assert not told, f"axe finds at {page.url}:\n" + "\n".join(told)


def _places(nodes: list[list[str]]) -> str:
    return "\n".join(f"  {target}: {' '.join(summary.split())}" for target, summary in nodes)


@pytest.fixture(scope="session")
def axe() -> Axe:
    """`await axe(page)` fails with what axe-core finds. Skips where the script can't be had."""
    try:
        script = find_axe()
    except NotHere as reason:
        pytest.skip(f"no axe-core: {reason}")

    async def run(page: Page, **options: Any) -> None:
        await check(script, page, **options)

    return run
