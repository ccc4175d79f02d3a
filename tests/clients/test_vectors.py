"""The cases that every client's reducer is tested with, and the server's own."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from leaderboard.domain.snapshot import Delta, patch, round_up

CLIENTS = Path(__file__).resolve().parents[2] / "clients"
VECTORS: dict[str, list[dict[str, Any]]] = json.loads((CLIENTS / "vectors" / "rows.json").read_text())
EVENTS: list[dict[str, Any]] = json.loads((CLIENTS / "vectors" / "events.json").read_text())["events"]


@pytest.mark.parametrize("case", VECTORS["deltas"], ids=[case["name"] for case in VECTORS["deltas"]])
def test_a_delta_makes_the_new_rows_of_the_old_ones(case: dict[str, Any]) -> None:
    assert patch(case["old"], Delta(**case["delta"])) == case["new"]


def test_a_top_is_rounded_up_to_a_watched_size() -> None:
    assert [round_up(case["asked"]) for case in VECTORS["tops"]] == [case["given"] for case in VECTORS["tops"]]


@pytest.mark.slow
def test_the_javascript_client_passes_its_tests() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node on PATH: the JavaScript client is tested in the browser only")
    run = subprocess.run([node, "--test", "test/"], cwd=CLIENTS / "js", capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
