"""The servers that are measured: PostgreSQL (durable) and Redis of the bench's own, and the Procfile's processes on them.

Each web process listens on a port of its own, as behind a proxy that spreads connections evenly; see bench.load for why.

Everything listens on this machine only, on free ports, keeps its files in a temporary directory, and ends with the bench.
"""

import asyncio
import http.client
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

from bench.load import BASELINE_PATH, BATCH_PATH, SCORES_PATH, SUBMITTERS, player, turns
from bench.stock import Board, Built
from bench.watch import Watch, Watching
from tests.servers.postgres import start_postgres
from tests.servers.redis import start_redis
from tests.servers.stack import OWN, RATES, free_port

ROOT = Path(__file__).resolve().parent.parent
READY_S = 60.0
STOP_S = 10.0
FILL_S = 300.0  # a million players
ASK_S = 120.0  # to rebuild the index of a million
POLL_S = 0.05
CALL_S = 15.0
BATCH = 1000  # the most that a POST takes
BASELINE_QUEUE = "baseline"  # as bench.baseline.tasks names it


class ServerError(RuntimeError):
    """A server did not do what was waited for; the message ends with the tail of its log."""


class Servers:
    """PostgreSQL and Redis, for as long as the context is entered."""

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.directory = Path(tempfile.mkdtemp(prefix="gl-bench-"))
            stack.callback(shutil.rmtree, self.directory, ignore_errors=True)
            self.postgres = start_postgres(durable=True)
            stack.callback(self.postgres.remove)
            self.redis = start_redis()
            stack.callback(self.redis.stop)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    def versions(self) -> dict[str, str]:
        told = self.redis.command("INFO", "server").splitlines()
        redis = next((line.partition(":")[2] for line in told if line.startswith(("valkey_version:", "redis_version:"))), "?")
        return {"postgresql": str(self.postgres.execute("SHOW server_version")[0][0]), "redis-server": redis}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a service is made of: `web` is how many web processes."""

    boards: tuple[Board, ...]
    web: int = 2
    baseline: bool = False


class Service:
    """The Procfile's processes on a fresh, filled database, for as long as the context is entered."""

    def __init__(self, servers: Servers, wanted: Wanted, *, database: str, say: Callable[[str], None]) -> None:
        self._servers, self._wanted, self._say = servers, wanted, say
        self.keys: dict[str, str] = {}
        self.built: dict[str, Built] = {}
        self.ports = [free_port() for _ in range(wanted.web)]
        self._path = BASELINE_PATH if wanted.baseline else SCORES_PATH
        self.groups: dict[str, list[int]] = {"postgres": [servers.postgres.pid], "redis": [servers.redis.pid]}
        self._log = servers.directory / f"{database}.log"
        self._env = {
            **{name: value for name, value in os.environ.items() if name not in OWN and not name.startswith("NEW_RELIC_")},
            # Limits stay on, so that what they cost is measured; the generator is one address and two keys.
            "RATE_LIMITS": "on",
            **RATES,
            "RATE_LIMIT_READ_ADDRESS": "1000000:1000000",
            "DATABASE_URL": servers.postgres.create_database(database),
            "REDIS_URL": servers.redis.url,
            "STATE_DIR": str(servers.directory / database),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        }
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        Path(self._env["STATE_DIR"]).mkdir()
        self._servers.redis.command("FLUSHALL")
        self._fill(self._wanted.boards)
        self._servers.redis.command("FLUSHALL")  # so that no index is taken for the one that the worker makes of a Redis it does not know
        try:
            self._start_baseline() if self._wanted.baseline else self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop()

    def introduce(self, board: Board, *, game_mode: str = "") -> None:
        """Let each web process meet the players that will submit, as one that has run for a minute has."""
        numbers = turns(board.players)[:SUBMITTERS]
        for first, port in itertools.product(range(0, len(numbers), BATCH), self.ports):
            scores = [{"player": player(number), "score": 1, "game_mode": game_mode} for number in numbers[first : first + BATCH]]
            self._post(BATCH_PATH, {"scores": scores}, port=port, key=self.keys[board.game], expected=200)

    @contextmanager
    def watched(self) -> Iterator[int]:
        """A fresh web process for sockets alone, so that what delivery costs is not mixed with what submits cost; its port.

        It has served a request and closed a socket, so that what it holds then is not the first socket's.
        """
        port = free_port()
        process = self._start_web(port)
        self.groups["watch"] = [process.pid]
        try:
            self._wait(lambda: self._get("/readyz", port=port)[0] == 200, what="200 from /readyz of the sockets' process")
            asyncio.run(_watch_once(port, self._wanted.boards[0].slug))
            yield port
        finally:
            del self.groups["watch"]
            self._processes.remove(process)
            _end([process])

    def remake(self, board: Board) -> dict[str, Any]:
        """What `bench.remake` says of a rebuild of the board's index, by the product's own command."""
        told: dict[str, Any] = json.loads(self._ask("bench.remake", board.slug))
        return told

    def tail(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-40:])

    def _start(self) -> None:
        commands = procfile()
        self.groups["web"] = [self._start_web(port).pid for port in self.ports]
        self.groups["tasks"] = [self._run(commands[name]).pid for name in ("worker", "beat")]
        for port in self.ports:
            self._wait(lambda port=port: self._get("/readyz", port=port)[0] == 200, what="200 from /readyz")  # type: ignore[misc]
        began = time.monotonic()
        self._ask("bench.ready")
        self._say(f"  the worker has the index ready {time.monotonic() - began:.1f} s later")
        board = f"/api/v1/leaderboard/{self._wanted.boards[0].slug}/"
        self._post_one()
        # The first frame makes the epoch; a single score on a full board may be none to see.
        self._wait(lambda: bool(self._position(board)[0]), what="a frame by the worker")

    def _start_baseline(self) -> None:
        """The plain way: the same servers and the same web server, with bench.baseline in the project's place."""
        self.groups["web"] = [self._start_web(port, "bench.baseline.asgi:application").pid for port in self.ports]
        worker = f"exec python -m celery -A bench.baseline.tasks worker --concurrency 2 -Q {BASELINE_QUEUE} -l warning"
        self.groups["tasks"] = [self._run(worker).pid]
        for port in self.ports:
            self._wait(lambda port=port: self._get(self._path, port=port)[0] in (401, 403, 405), what="an answer")  # type: ignore[misc]
        self._post_one()
        self._wait(lambda: self._servers.redis.command("LLEN", BASELINE_QUEUE) == "0", what="an empty queue")

    def _start_web(self, port: int, application: str = "asgi:application") -> "subprocess.Popen[bytes]":
        return self._run(_local(procfile()["web"]).replace("asgi:application", application), PORT=str(port))

    def _run(self, command: str, **env: str) -> "subprocess.Popen[bytes]":
        """The program itself: each line of the Procfile ends in `exec`."""
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                ["sh", "-c", command], cwd=ROOT, env={**self._env, **env}, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self._processes.append(process)
        return process

    def _fill(self, boards: Sequence[Board]) -> None:
        command = [sys.executable, "-m", "bench.stock", json.dumps(boards)]
        complaints = self._servers.directory / "fill.log"
        with (
            complaints.open("wb") as log,
            subprocess.Popen(command, cwd=ROOT, env=self._env, stdout=subprocess.PIPE, stderr=log) as filling,
        ):
            watchdog = threading.Timer(FILL_S, filling.kill)
            watchdog.start()
            assert filling.stdout is not None
            told = ""
            for line in filling.stdout:
                if told:
                    self._say(f"  {told}")
                told = line.decode().strip()
            watchdog.cancel()
        if filling.returncode:
            raise ServerError(f"the database could not be filled: {complaints.read_text(errors='replace')[-2_000:]}")
        came = json.loads(told)
        self.keys = came["keys"]
        self.built = {slug: Built(**built) for slug, built in came["built"].items()}

    def _post_one(self) -> None:
        body = {"player": player(0), "score": 1}
        self._post(self._path, body, port=self.ports[0], key=self.keys[self._wanted.boards[0].game], expected=201)

    def _post(self, path: str, body: dict[str, Any], *, port: int, key: str, expected: int) -> None:
        headers = {"Authorization": f"Api-Key {key}", "Content-Type": "application/json"}
        status, told = self._call("POST", path, port=port, body=json.dumps(body).encode(), headers=headers)
        if status != expected:
            raise ServerError(f"a submit was answered {status}: {told!r}\n{self.tail()}")

    def _position(self, path: str) -> tuple[Any, Any]:
        status, body = self._get(path, port=self.ports[0])
        told = json.loads(body) if status == 200 else {}
        return told.get("epoch"), told.get("offset")

    def _ask(self, module: str, *words: str) -> str:
        """What one of the bench's modules that use the project's own code prints."""
        command = [sys.executable, "-m", module, *words]
        try:
            done = subprocess.run(command, cwd=ROOT, env=self._env, capture_output=True, text=True, timeout=ASK_S, check=False)
        except subprocess.TimeoutExpired:
            raise ServerError(f"{module} did not end within {ASK_S:.0f} s\n{self.tail()}") from None
        if done.returncode:
            raise ServerError(f"{module}: {done.stderr[-2_000:]}")
        return done.stdout

    def _get(self, path: str, *, port: int) -> tuple[int, bytes]:
        return self._call("GET", path, port=port)

    def _call(
        self,
        method: str,
        path: str,
        *,
        port: int,
        body: bytes | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> tuple[int, bytes]:
        """Status and body; status 0 where nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=CALL_S)
        try:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()

    def _wait(self, done: Callable[[], bool], *, what: str) -> None:
        deadline = time.monotonic() + READY_S
        while not done():
            if any(process.poll() is not None for process in self._processes):
                raise ServerError(f"a process ended before: {what}\n{self.tail()}")
            if time.monotonic() > deadline:
                raise ServerError(f"not within {READY_S:.0f} s: {what}\n{self.tail()}")
            time.sleep(POLL_S)

    def _stop(self) -> None:
        _end(self._processes)


def _end(processes: Sequence["subprocess.Popen[bytes]"]) -> None:
    for process in processes:
        process.send_signal(signal.SIGTERM)
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S)
        process.kill()
        process.wait()


async def _watch_once(port: int, board: str) -> None:
    watch = Watch(Watching([port], board, sockets=1))
    await watch.start()
    await watch.stop()


def procfile() -> dict[str, str]:
    """Name to command."""
    lines = (ROOT / "Procfile").read_text().splitlines()
    return {name: command.strip() for name, _, command in (line.partition(":") for line in lines if line)}


def _local(command: str) -> str:
    """For this machine only: of an option that comes twice the last one counts."""
    return f"{command} --host 127.0.0.1"
