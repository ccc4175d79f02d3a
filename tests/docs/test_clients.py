"""What docs/clients.md shows is run where it can be, compiled where it can't, and read where no compiler is at hand."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients.test_generated import GODOT, UNITY, missing_names
from tests.docs.reading import ROOT, Block, blocks
from tests.servers.stack import Stack

DOCUMENT = ROOT / "docs" / "clients.md"
GDSCRIPT = blocks(DOCUMENT, "gdscript")
CSHARP = blocks(DOCUMENT, "csharp")
# What the examples take from the game that they stand in.
GAME = """
using System;
using System.Threading.Tasks;
using GamingLeaderboard;

class Game
{
    const string DeviceId = "";
    void Show(string text) { Console.WriteLine(text); }
    Task<string> SignIn() { return Task.FromResult(""); }
"""


def here(block: Block, stack: Stack) -> str:
    assert "https://scores.example" in block.text
    return block.text.replace("https://scores.example", stack.url)


@pytest.mark.slow
def test_the_python_example_runs(stack: Stack) -> None:
    (example,) = blocks(DOCUMENT, "python")
    paths = {"PYTHONPATH": str(ROOT / "clients" / "python")}
    assert _ran([sys.executable, "-c", here(example, stack)], stack, **paths).split("\n")[0].isdigit()


@pytest.mark.slow
def test_the_javascript_example_runs(stack: Stack) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node on PATH")
    (example,) = blocks(DOCUMENT, "js")
    module = (ROOT / "clients" / "js" / "src" / "index.js").as_uri()
    text = here(example, stack).replace('"gaming-leaderboard"', f'"{module}"')
    assert _ran([node, "--input-type=module", "--eval", text], stack).split("\n")[0].isdigit()


@pytest.mark.slow
def test_the_csharp_examples_compile(tmp_path: Path) -> None:
    compiler = shutil.which("mcs")
    if compiler is None:
        pytest.skip("no mcs on PATH to compile the examples with (Debian: mono-mcs)")
    methods = "".join(
        f"    async Task Example{block.line}()\n    {{\n        await Task.Yield();\n{block.text}    }}\n" for block in CSHARP
    )
    (tmp_path / "Game.cs").write_text(f"{GAME}{methods}}}\n")
    sources = [*map(str, sorted((UNITY / "Runtime").glob("*.cs"))), str(tmp_path / "Game.cs")]
    _ran([compiler, "-langversion:7.2", "-target:library", "-r:System.Net.Http.dll", f"-out:{tmp_path / 'game.dll'}", *sources])


def test_the_gdscript_examples_name_what_is_there() -> None:
    assert len(GDSCRIPT) == 2
    assert missing_names({f"line {block.line}": block.text for block in GDSCRIPT}) == []


@pytest.mark.slow
def test_the_gdscript_examples_can_be_read(tmp_path: Path) -> None:
    pytest.importorskip("gdtoolkit", reason="no gdtoolkit to read GDScript with (pip: gdtoolkit)")
    for block in GDSCRIPT:
        (tmp_path / f"line_{block.line}.gd").write_text(block.text)
    shutil.copy(GODOT / "gdlintrc", tmp_path)
    scripts = map(str, tmp_path.glob("*.gd"))
    _ran([sys.executable, "-c", "from gdtoolkit.linter.__main__ import main; main()", *scripts], at=tmp_path)


def _ran(command: list[str], stack: Stack | None = None, at: Path = ROOT, **env: str) -> str:
    key = {"API_KEY": stack.api_key} if stack else {}
    told = subprocess.run(command, env={**os.environ, **key, **env}, cwd=at, capture_output=True, text=True, timeout=120, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    return told.stdout
