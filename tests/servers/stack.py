"""The real process set, as `manage.py run` starts it, for tests and for the bench.

    with start_stack("sqlite:////tmp/x/db.sqlite3", directory=Path("/tmp/x")) as stack:
        post(stack.url + "/api/v1/scores/", key=stack.api_key)
        pid = stack.kill("worker")
        stack.wait_for_restart("worker", pid)

Each has its own state directory, ports and log file. A test that fails shows the tail of the log.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
READY_S = 60.0  # a cold start with its migration, on two cores that others use too
STOP_S = 40.0  # three stop orders of 10 s, and some air
POLL_S = 0.05
TAIL_LINES = 80
OWN = ("DATABASE_URL", "REDIS_URL", "PORT", "HOST", "STATE_DIR", "DEBUG", "SECRET_KEY", "ALLOWED_HOSTS", "CELERY_BROKER_URL")

# Limits are on, as an operator has them, and no test meets them from its one address. A player's rate is another, to be told apart.
RATES = {
    f"RATE_LIMIT_{name}": "100000:100000"
    for name in (
        *("SUBMIT_KEY", "SUBMIT_PLAYER", "SUBMIT_ADDRESS", "READ_KEY", "READ_PLAYER", "READ_ADDRESS"),
        *("ADMIN_KEY", "ADMIN_PLAYER", "ADMIN_ADDRESS", "AUTH_ADDRESS"),
    )
} | {"RATE_LIMIT_SUBMIT_PLAYER": "90000:90000"}

_live: "set[Stack]" = set()


class StackError(AssertionError):
    """The process set did not do what was waited for; the message ends with the tail of its log."""


class Stack:
    """A running process set. `url` is http://127.0.0.1:PORT without a slash at the end, `ws_url` the same with ws."""

    def __init__(self, *, port: int, directory: Path, env: Mapping[str, str]) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.ws_url = f"ws://127.0.0.1:{port}"
        self.directory = directory
        self.log = directory / "run.log"
        self._env = dict(env)
        with self.log.open("ab") as log:
            self._supervisor = subprocess.Popen(
                [sys.executable, "manage.py", "run", "--no-input"],
                cwd=ROOT,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C meant for the tests is not its business
            )
        self._api_key = ""
        _live.add(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The supervisor's."""
        return self._supervisor.pid

    @property
    def output(self) -> str:
        """Everything that the process set has printed."""
        return self.log.read_text(errors="replace")

    @property
    def processes(self) -> dict[str, int]:
        """Name to process id of the newest life of each: redis (when embedded), web, worker, beat."""
        return {name: int(pid) for name, pid in re.findall(r"^(\w+): started, pid (\d+)$", self.output, re.MULTILINE)}

    @property
    def redis_url(self) -> str:
        return self._env.get("REDIS_URL") or (self.directory / "state" / "redis.url").read_text()

    @property
    def api_key(self) -> str:
        """A key of the game `default`: the one printed at the first start, or one made now for a database that had some."""
        if not self._api_key:
            printed = re.search(r"^API key: (\S+)$", self.output, re.MULTILINE)
            self._api_key = printed[1] if printed else self.manage("create_api_key", "--game", "default").strip()
        return self._api_key

    def manage(self, *words: str) -> str:
        """What a management command prints, run in the environment of the set."""
        env = {**self._env, "REDIS_URL": self.redis_url}
        done = subprocess.run(
            [sys.executable, "manage.py", *words], cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False
        )
        if done.returncode:
            raise StackError(f"manage.py {words[0]} ended with {done.returncode}: {done.stderr[-2000:]}")
        return done.stdout

    def kill(self, name: str, number: int = signal.SIGKILL) -> int:
        """Send a signal (SIGKILL; SIGSTOP and SIGCONT too) to one process and return its id. `run` is the supervisor."""
        pid = self.pid if name == "run" else self.processes[name]
        os.kill(pid, number)
        return pid

    def wait_for_restart(self, name: str, pid: int) -> int:
        """The id of the process that took the place of `pid`."""
        self._wait(lambda: self.processes[name] != pid, what=f"restart of {name}")
        return self.processes[name]

    def wait_until_ready(self, path: str = "/readyz") -> None:
        """Wait for a 200 of the path."""
        self._wait(lambda: _status(self.url + path) == 200, what=f"200 from {path}")

    def wait_for_output(self, pattern: str) -> re.Match[str]:
        """The first match in what is printed, once there is one."""
        self._wait(lambda: re.search(pattern, self.output, re.MULTILINE) is not None, what=f"output {pattern!r}")
        found = re.search(pattern, self.output, re.MULTILINE)
        assert found
        return found

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End the set and return the supervisor's exit code. Once ended, it only returns the code again."""
        _live.discard(self)
        if self._supervisor.poll() is None:
            self._supervisor.send_signal(number)
        try:
            return self._supervisor.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._supervisor.kill()
            self._supervisor.wait()
            raise StackError(f"the process set was still there {STOP_S:.0f} s after its signal\n{self.tail()}") from None

    def tail(self) -> str:
        return "\n".join(self.output.splitlines()[-TAIL_LINES:])

    def _wait(self, done: Callable[[], bool], *, what: str) -> None:
        deadline = time.monotonic() + READY_S
        while not done():
            if self._supervisor.poll() is not None:
                raise StackError(f"the process set ended with {self._supervisor.returncode} before: {what}\n{self.tail()}")
            if time.monotonic() > deadline:
                raise StackError(f"not within {READY_S:.0f} s: {what}\n{self.tail()}")
            time.sleep(POLL_S)


def start_stack(
    database_url: str,
    redis_url: str | None = None,
    *,
    directory: Path,
    port: int | None = None,
    env: Mapping[str, str] | None = None,
    ready: str = "/readyz",
) -> Stack:
    """Start the process set and wait until `ready` answers 200. Its state, and its log run.log, are in the directory.

    Without a Redis URL it brings its own server along. Raises StackError, with the tail of the log, when it does not start.
    """
    directory.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    given = {"DATABASE_URL": database_url, "PORT": str(port), "STATE_DIR": str(directory / "state"), **RATES, **(env or {})}
    if redis_url:
        given["REDIS_URL"] = redis_url
    clean = {name: value for name, value in os.environ.items() if name not in OWN and not name.startswith("NEW_RELIC_")}
    stack = Stack(port=port, directory=directory, env={**clean, **given})
    try:
        stack.wait_until_ready(ready)
    except BaseException:
        stack.stop()
        raise
    return stack


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def _status(url: str) -> int | None:
    """None where nobody answers in time."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return None


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One process set for all tests that leave it running: SQLite and the embedded Redis-protocol server."""
    directory = tmp_path_factory.mktemp("stack")
    with start_stack(f"sqlite:///{directory / 'db.sqlite3'}", directory=directory) as running:
        yield running


@pytest.fixture
def new_stack(tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    """Starts process sets of the test's own, to kill and to stop: `new_stack(database_url=..., redis_url=..., env=...)`."""
    started: list[Stack] = []

    def start(database_url: str = "", redis_url: str | None = None, **options: Any) -> Stack:
        directory = options.pop("directory", None) or tmp_path / f"stack{len(started)}"
        url = database_url or f"sqlite:///{directory / 'db.sqlite3'}"
        started.append(start_stack(url, redis_url, directory=directory, **options))
        return started[-1]

    yield start
    for running in reversed(started):
        running.stop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that fails shows what the process sets printed."""
    report = yield
    if report.failed:
        report.sections.extend((f"process set at {running.url}", running.tail()) for running in _live)
    return report
