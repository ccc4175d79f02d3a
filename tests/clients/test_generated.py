"""The typed clients: that they are what the present document gives, that they can be read, and that they work where there are the tools."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping

import pytest

from clients.generate import CLIENTS, files_of, present
from tests.servers.stack import Stack

UNITY, GODOT = CLIENTS / "unity", CLIENTS / "godot"
SCRIPTS = sorted(GODOT.rglob("*.gd"))
VECTORS = CLIENTS / "vectors" / "rows.json"
API = present()


def test_they_are_what_the_present_document_gives() -> None:
    stale = [str(path.relative_to(CLIENTS)) for path, text in files_of(API).items() if not path.exists() or path.read_text() != text]
    assert stale == [], "run `make clients`"


def test_every_route_for_games_has_a_method_and_every_code_a_name() -> None:
    ids = {operation.id for operation in API.operations}
    assert {"submit_score", "submit_scores", "top", "rank", "around", "sign_in_device", "make_ticket"} <= ids
    assert not ids & {"delete_leaderboard", "edit_entry"}, "what needs an administrator's key is no part of a game"
    assert {"not_ranked", "rate_limited", "leaderboard_not_found"} <= {*API.codes}


def test_a_change_of_the_document_changes_both() -> None:
    document = json.loads(json.dumps({"paths": {}, "components": {"schemas": {"Problem": {"properties": {"mood": {"type": "integer"}}}}}}))
    from clients.generate.model import api_of

    told = "".join(files_of(api_of(document)).values())
    assert "public long? Mood" in told
    assert "var mood: Variant = null" in told


# --- Unity ----------------------------------------------------------------------------------------------------------------


def test_every_file_of_the_package_has_what_unity_knows_it_by() -> None:
    package = json.loads((UNITY / "package.json").read_text())
    assert package["name"] == "com.gaming-leaderboard.client"
    files = [path for path in UNITY.rglob("*") if path.suffix != ".meta" and "Tests~" not in path.parts]
    ids = [re.search(r"guid: (\w{32})", path.with_name(path.name + ".meta").read_text()) for path in files]
    assert len({found[1] for found in ids if found}) == len(files)


@pytest.fixture(scope="module")
def check(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command that runs the C# client's own check, compiled as Unity would: C# 7, no package."""
    compiler, runtime = shutil.which("mcs"), shutil.which("mono")
    if compiler is None or runtime is None:
        pytest.skip("no mcs and mono on PATH to compile the C# client with (Debian: mono-mcs, libmono-system-net-http4.0-cil)")
    program = tmp_path_factory.mktemp("csharp") / "Check.exe"
    sources = [*map(str, sorted((UNITY / "Runtime").glob("*.cs"))), str(UNITY / "Tests~" / "Check.cs")]
    told = subprocess.run(
        [compiler, "-langversion:7.2", "-warnaserror", "-r:System.Net.Http.dll", f"-out:{program}", *sources],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stdout + told.stderr
    return [runtime, str(program), str(VECTORS)]


def test_the_csharp_client_passes_its_check(check: list[str]) -> None:
    assert _ran(check) == "ok"


@pytest.mark.slow
def test_the_csharp_client_works_with_the_service(check: list[str], stack: Stack) -> None:
    stack.manage("create_board", "--game", "default", "--slug", "mono-cup", "--operator", "best")
    assert _ran([*check, stack.url, stack.api_key, "mono-cup"]) == "ok"


def _ran(command: list[str]) -> str:
    told = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    return told.stdout.strip()


# --- Godot ----------------------------------------------------------------------------------------------------------------


def missing_names(scripts: Mapping[str, str]) -> list[str]:
    """What the scripts take from the addon's and is not there."""
    addon = [path.read_text() for path in (GODOT / "addons").rglob("*.gd")]
    names = {
        found[1]: {*re.findall(r"(?:func|const|class|enum|var|signal)\s+(\w+)", text), "new"}
        for text in addon
        if (found := re.search(r"^class_name (\w+)", text, re.MULTILINE))
    }
    assert len(names) == len(addon), "each script of the addon has a name of its own"
    used = [(script, *found) for script, text in scripts.items() for found in re.findall(r"\b((?:Live)?Leaderboard\w+)\.(\w+)", text)]
    assert used
    return [f"{script}: {owner}.{member}" for script, owner, member in used if member not in names.get(owner, ())]


def test_every_name_that_a_script_takes_from_another_is_there() -> None:
    assert missing_names({path.name: path.read_text() for path in SCRIPTS}) == []


@pytest.mark.slow
def test_the_godot_client_can_be_read() -> None:
    """By a parser and linter of GDScript, since the engine is seldom where the tests run."""
    pytest.importorskip("gdtoolkit", reason="no gdtoolkit to read GDScript with (pip: gdtoolkit)")
    lint = [sys.executable, "-c", "from gdtoolkit.linter.__main__ import main; main()", *map(str, SCRIPTS)]
    told = subprocess.run(lint, cwd=GODOT, capture_output=True, text=True, timeout=120, check=False)
    assert told.returncode == 0, told.stdout + told.stderr


def test_the_godot_client_passes_its_tests() -> None:
    godot = shutil.which("godot") or shutil.which("godot4")
    if godot is None:
        pytest.skip("no godot on PATH: the Godot client is only read")
    _ran([godot, "--headless", "--path", str(GODOT), "--import"])
    assert _ran([godot, "--headless", "--path", str(GODOT), "--script", "test/vectors.gd", "--", str(VECTORS)]).endswith("ok")
