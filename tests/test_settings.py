"""A bad value of a setting stops the process with a sentence that names it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def started(tmp_path: Path, show: str, **env: str) -> subprocess.CompletedProcess[str]:
    """A fresh process that reads the settings with these variables and prints an expression of them."""
    code = f"from gaming_leaderboard import settings\nprint({show})"
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("RATE_LIMIT", "TRUSTED", "DEBUG"))}
    clean |= {"STATE_DIR": str(tmp_path), **env}
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=clean, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RATE_LIMITS", "yes"),
        ("RATE_LIMIT_SUBMIT_KEY", "fast"),
        ("RATE_LIMIT_AUTH_ADDRESS", "0:20"),
        ("RATE_LIMIT_READ_PLAYER", "10"),
        ("TRUSTED_PROXIES", "10.0.0.1,proxy.example"),
        ("TRUSTED_PROXIES", "*"),
    ],
)
def test_a_bad_value_names_itself(tmp_path: Path, name: str, value: str) -> None:
    done = started(tmp_path, "settings.DEBUG", **{name: value})
    assert done.returncode
    assert f"ImproperlyConfigured: {name} must" in done.stderr.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("env", "on"), [({}, True), ({"DEBUG": "true"}, False), ({"DEBUG": "true", "RATE_LIMITS": "on"}, True), ({"RATE_LIMITS": "off"}, False)]
)
def test_limits_are_on_except_with_debug(tmp_path: Path, env: dict[str, str], on: bool) -> None:
    assert started(tmp_path, "settings.RATE_LIMITS", **env).stdout.strip() == str(on)
