"""The JavaScript client as npm would pack it, and its types as a user's compiler reads them."""

import gzip
import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.clients.test_vectors import CLIENTS
from tests.servers.browser import NotHere, install_from_npm, kept

JS = CLIENTS / "js"
PACKAGE, VERSION = "typescript", "5.9.3"
SIZE_BUDGETS = {"index.js": 20, "live.js": 9}  # KB, gzipped, of all that is loaded by it; README names them
OPTIONS = {
    "strict": True,
    "noEmit": True,
    "target": "es2024",
    "module": "nodenext",
    "lib": ["es2024", "dom", "dom.iterable"],
    "types": [],
}


def modules() -> list[Path]:
    return sorted((JS / "src").glob("*.js"))


def declared(text: str) -> set[str]:
    return set(re.findall(r"^export (?:const|function|class) (\w+)", text, re.MULTILINE))


def test_every_export_has_a_declaration_and_no_declaration_is_of_nothing() -> None:
    lists = re.findall(r"export \{([^}]+)\}", (JS / "src" / "index.js").read_text())
    exported = {name.strip() for names in lists for name in names.split(",")}
    assert declared((JS / "src" / "index.d.ts").read_text()) == exported


@pytest.mark.parametrize("entrance", SIZE_BUDGETS)
def test_it_is_as_small_as_its_readme_says(entrance: str) -> None:
    loaded, waiting = set[str](), [entrance]
    while waiting:
        loaded.add(name := waiting.pop())
        found = re.findall(r'^(?:import|export) .* from "\./([^"]+)"', (JS / "src" / name).read_text(), re.MULTILINE)
        waiting += [module for module in found if module not in loaded]
    size = sum(len(gzip.compress((JS / "src" / name).read_bytes(), mtime=0)) for name in loaded)
    assert size < SIZE_BUDGETS[entrance] * 1024
    assert f"{SIZE_BUDGETS[entrance]} KB" in (JS / "README.md").read_text()


@pytest.mark.slow
def test_what_is_packed_is_the_source_and_what_describes_it() -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm on PATH")
    done = subprocess.run([npm, "pack", "--dry-run", "--json"], cwd=JS, capture_output=True, text=True, timeout=60, check=True)
    packed = {file["path"] for file in json.loads(done.stdout)[0]["files"]}
    assert packed == {"README.md", "package.json", "src/index.d.ts", *(f"src/{module.name}" for module in modules())}
    assert "dependencies" not in json.loads((JS / "package.json").read_text())


@pytest.fixture(scope="module")
def tsc() -> list[str]:
    """The command. Skips where it can't be had."""
    node = shutil.which("node")
    try:
        library = kept(f"{PACKAGE}-{VERSION}", _install)
    except NotHere as reason:
        pytest.skip(f"no TypeScript: {reason}")
    if node is None:
        pytest.skip("no node on PATH")
    return [node, str(library / "lib" / "_tsc.js")]


def _install(target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        package = install_from_npm(PACKAGE, VERSION, Path(scratch))
        shutil.copytree(package / "lib", target / "lib")
        shutil.copy(package / "package.json", target)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("files", "options"),
    [
        ([str(JS / "src" / "*.js")], {"allowJs": True, "checkJs": True}),
        ([str(JS / "types" / "usage.ts")], {"noUncheckedIndexedAccess": True}),
    ],
    ids=["the code", "its use"],
)
def test_the_types_hold(tsc: list[str], tmp_path: Path, files: list[str], options: dict[str, bool]) -> None:
    config = tmp_path / "tsconfig.json"
    config.write_text(json.dumps({"compilerOptions": {**OPTIONS, **options}, "include": files}))
    done = subprocess.run([*tsc, "-p", str(config)], cwd=JS, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout
