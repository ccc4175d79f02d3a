"""The process set: how processes are kept, and what `manage.py run` does with the real ones."""

import asyncio
import os
import re
import shlex
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from gaming_leaderboard.supervisor import LONGEST_DELAY_S, STEADY_S, Process, RestartDelay, Supervisor, describe
from leaderboard.management.commands import run as run_command
from tests.servers.stack import ROOT, Stack

pytestmark = pytest.mark.slow

PATIENCE_S = 20.0

FOREVER = "import signal; signal.pause()"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True)\nwhile True: signal.pause()"


class Told:
    """The supervisor's lines, and a way to wait for one."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._more = asyncio.Event()

    def __call__(self, line: str) -> None:
        self.lines.append(line)
        self._more.set()

    async def line(self, pattern: str, *, times: int = 1) -> re.Match[str]:
        """The match of the n-th line with the pattern, once there is one."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                self._more.clear()
                found = [match for line in self.lines if (match := re.search(pattern, line))]
                if len(found) >= times:
                    return found[times - 1]
                await self._more.wait()

    async def pid(self, name: str, *, life: int = 1) -> int:
        return int((await self.line(rf"^{name}: started, pid (\d+)$", times=life))[1])


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def supervisor(told: Told, tmp_path: Path) -> Supervisor:
    return Supervisor(directory=tmp_path, say=told)


def python(name: str, code: str, *, stop_order: int = 0, keep: bool = True) -> Process:
    return Process(name, (sys.executable, "-I", "-S", "-c", code), dict(os.environ), stop_order, keep)


async def until_signal(supervisor: Supervisor, script: Callable[[], Awaitable[None]], *processes: Process) -> None:
    """Keep the processes while the script goes on, then stop everything the way a terminal does."""

    async def plan() -> None:
        for process in processes:
            supervisor.start(process)
        await script()
        os.kill(os.getpid(), signal.SIGINT)

    async with asyncio.timeout(PATIENCE_S):
        await supervisor.run(plan)


async def gone(pid: int) -> None:
    """Wait for the end of a process that is not our child, or is a zombie."""
    async with asyncio.timeout(PATIENCE_S):
        while not _ended(pid):
            await asyncio.sleep(0.01)


def _ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


# --- How long a restart waits -------------------------------------------------------------------------------------------


def test_the_first_restart_is_at_once_and_later_ones_wait_twice_as_long_up_to_five_seconds() -> None:
    delay = RestartDelay()
    assert [delay.after(0.0) for _ in range(8)] == [0.0, 0.2, 0.4, 0.8, 1.6, 3.2, LONGEST_DELAY_S, LONGEST_DELAY_S]


def test_a_long_life_makes_the_next_death_the_first_again() -> None:
    delay = RestartDelay()
    waits = [delay.after(alive_s) for alive_s in (0.0, 0.0, 0.0, STEADY_S, 0.0, STEADY_S - 0.1)]
    assert waits == [0.0, 0.2, 0.4, 0.0, 0.2, 0.4]


def test_it_never_runs_out_of_numbers() -> None:
    delay = RestartDelay()
    assert {delay.after(0.0) for _ in range(5_000)} == {0.0, 0.2, 0.4, 0.8, 1.6, 3.2, LONGEST_DELAY_S}


@pytest.mark.parametrize(("code", "text"), [(0, "exit code 0"), (3, "exit code 3"), (-9, "signal SIGKILL"), (-40, "signal 40")])
def test_it_describes_how_a_process_ended(code: int, text: str) -> None:
    assert describe(code) == text


# --- Keeping ------------------------------------------------------------------------------------------------------------


async def test_a_process_that_is_killed_is_started_again_at_once(supervisor: Supervisor, told: Told) -> None:
    async def script() -> None:
        first = await told.pid("web")
        os.kill(first, signal.SIGKILL)
        assert await told.pid("web", life=2) != first

    await until_signal(supervisor, script, python("web", FOREVER))
    assert any(re.fullmatch(r"web: ended with signal SIGKILL after \d+\.\d s, starting it again now", line) for line in told.lines)


async def test_a_process_that_keeps_failing_is_started_again_more_and_more_slowly(supervisor: Supervisor, told: Told) -> None:
    async def script() -> None:
        await told.line("starting it again in 0.4 s")

    await until_signal(supervisor, script, python("beat", "raise SystemExit(3)"))
    waits = [line.split(", ")[1] for line in told.lines if "exit code 3" in line]
    assert waits == ["starting it again now", "starting it again in 0.2 s", "starting it again in 0.4 s"]


async def test_a_program_that_is_not_there_is_told_and_tried_again(supervisor: Supervisor, told: Told) -> None:
    async def script() -> None:
        await told.line("starting it again in 0.2 s")

    await until_signal(supervisor, script, Process("web", ("/nowhere/at-all",), {}))


async def test_a_process_that_need_not_be_kept_ends_once(supervisor: Supervisor, told: Told) -> None:
    async def script() -> None:
        await told.line("demo: ended with exit code 0")
        await told.pid("web")

    await until_signal(supervisor, script, python("demo", "", keep=False), python("web", FOREVER))
    assert sum("demo: started" in line for line in told.lines) == 1


async def test_what_a_killed_master_leaves_behind_goes_before_it_is_started_again(
    supervisor: Supervisor, told: Told, tmp_path: Path
) -> None:
    master = f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {FOREVER!r}]); print(p.pid, file=open('worker', 'w'), flush=True); p.wait()"  # noqa: E501

    async def script() -> None:
        pid = await told.pid("web")
        async with asyncio.timeout(PATIENCE_S):
            while not (text := (tmp_path / "worker").read_text() if (tmp_path / "worker").exists() else ""):
                await asyncio.sleep(0.01)
        os.kill(pid, signal.SIGKILL)
        await gone(int(text))

    await until_signal(supervisor, script, python("web", master))


async def test_once_gives_the_exit_code(supervisor: Supervisor) -> None:
    codes = []

    async def script() -> None:
        codes.append(await supervisor.once(python("prepare", "raise SystemExit(7)")))

    await until_signal(supervisor, script)
    assert codes == [7]


async def test_a_child_sees_its_own_environment_and_directory_and_no_input(supervisor: Supervisor, tmp_path: Path) -> None:
    code = "import os, sys; open('seen', 'w').write(repr((sorted(os.environ), os.getcwd(), sys.stdin.read())))"

    async def script() -> None:
        await supervisor.once(Process("look", (sys.executable, "-c", code), {"ONLY": "this", "LC_ALL": "C.UTF-8"}))

    await until_signal(supervisor, script)
    assert (tmp_path / "seen").read_text() == repr((["LC_ALL", "ONLY"], str(tmp_path), ""))


# --- Stopping -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_each_stop_signal_ends_everything(supervisor: Supervisor, told: Told, number: signal.Signals) -> None:
    async def plan() -> None:
        supervisor.start(python("web", FOREVER))
        supervisor.start(python("worker", FOREVER))
        await told.pid("web")
        await told.pid("worker")
        os.kill(os.getpid(), number)

    async with asyncio.timeout(PATIENCE_S):
        await supervisor.run(plan)
    for name in ("web", "worker"):
        assert f"{name}: stopped" in told.lines
        assert _ended(await told.pid(name))


async def test_it_ends_the_lower_stop_order_before_it_asks_the_next(supervisor: Supervisor, told: Told, tmp_path: Path) -> None:
    """The web's last requests still need Redis: the one that is stopped last must not have had its signal by then."""
    last = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: (open('asked', 'w').close(), sys.exit()))\nopen('ready', 'w').close()\nwhile True: signal.pause()"  # noqa: E501
    first = "import os, signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(9 if os.path.exists('asked') else 0))\nopen('first', 'w').close()\nwhile True: signal.pause()"  # noqa: E501

    async def script() -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not ((tmp_path / "ready").exists() and (tmp_path / "first").exists()):
                await asyncio.sleep(0.01)

    codes: list[str] = []
    web, redis = python("web", first, stop_order=0), python("redis", last, stop_order=2)
    await until_signal(supervisor, script, redis, web)
    codes = [line for line in told.lines if line.endswith("stopped")]
    assert codes == ["web: stopped", "redis: stopped"]
    assert (tmp_path / "asked").exists()


async def test_one_that_ignores_the_signal_is_killed(told: Told, tmp_path: Path) -> None:
    supervisor = Supervisor(directory=tmp_path, say=told, stop_timeout_s=0.3)
    code = STUBBORN.replace("print('deaf', flush=True)", "open('deaf', 'w').close()")

    async def script() -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not (tmp_path / "deaf").exists():
                await asyncio.sleep(0.01)

    await until_signal(supervisor, script, python("web", code))
    assert "web: still there 0 s after SIGTERM, killed" in told.lines
    assert _ended(await told.pid("web"))


async def test_a_second_signal_does_not_wait(supervisor: Supervisor, told: Told, tmp_path: Path) -> None:
    code = (
        "import signal; signal.signal(signal.SIGTERM, lambda *_: open('asked', 'w').close())\n"
        "open('deaf', 'w').close()\nwhile True: signal.pause()"
    )

    async def second_signal() -> None:
        while not (tmp_path / "asked").exists():
            await asyncio.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    async def script() -> None:
        while not (tmp_path / "deaf").exists():
            await asyncio.sleep(0.01)

    impatient = asyncio.create_task(second_signal())
    await until_signal(supervisor, script, python("web", code))
    await impatient
    assert not any("still there" in line for line in told.lines)


async def test_a_signal_during_the_plan_ends_the_plan_and_what_it_started(supervisor: Supervisor, told: Told) -> None:
    async def plan() -> None:
        asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGTERM)
        await supervisor.once(python("prepare", FOREVER))
        raise AssertionError("the plan went on")

    async with asyncio.timeout(PATIENCE_S):
        await supervisor.run(plan)
    assert _ended(await told.pid("prepare"))


async def test_a_plan_that_fails_ends_what_it_started_and_raises(supervisor: Supervisor, told: Told) -> None:
    async def plan() -> None:
        supervisor.start(python("redis", FOREVER))
        await told.pid("redis")
        raise LookupError("no database")

    with pytest.raises(LookupError, match="no database"):
        async with asyncio.timeout(PATIENCE_S):
            await supervisor.run(plan)
    assert _ended(await told.pid("redis"))


async def test_a_process_that_waits_for_its_restart_is_not_started_while_stopping(supervisor: Supervisor, told: Told) -> None:
    async def script() -> None:
        await told.line("starting it again in 0.8 s")

    await until_signal(supervisor, script, python("beat", "raise SystemExit(1)"))
    assert sum("started, pid" in line for line in told.lines) == 4


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent is gone")
async def test_no_child_outlives_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    code = f"""
import asyncio, os, pathlib, sys
from gaming_leaderboard.supervisor import Process, Supervisor

async def main():
    supervisor = Supervisor(directory=pathlib.Path({str(tmp_path)!r}))
    async def plan():
        supervisor.start(Process("web", (sys.executable, "-I", "-S", "-c", {STUBBORN!r})))
    await supervisor.run(plan)
asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        started = parent.stdout.readline()
        assert parent.stdout.readline() == "deaf\n"
        parent.kill()
    await gone(int(started.rsplit(" ", 1)[1]))


# --- The command --------------------------------------------------------------------------------------------------------


def manage(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL", "PORT", "HOST")}
    return subprocess.run(
        [sys.executable, "manage.py", *words], cwd=ROOT, env={**clean, **env}, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def test_a_port_that_is_taken_gives_one_sentence_before_anything_starts(taken_port: int, tmp_path: Path) -> None:
    done = manage("run", "--port", str(taken_port), STATE_DIR=str(tmp_path / "state"), SECRET_KEY="x" * 50)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        f"CommandError: Port {taken_port} is taken by another program: stop that, or choose a port, as in PORT={taken_port + 1}."
    ]
    assert not (tmp_path / "state").exists()


def test_an_address_that_this_machine_has_not_gives_one_sentence(tmp_path: Path) -> None:
    done = manage("run", "--port", "8000", HOST="192.0.2.1", STATE_DIR=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith("CommandError: The web can't listen on 192.0.2.1 port 8000: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_second_run_in_the_same_state_directory_is_refused(tmp_path: Path) -> None:
    with run_command._alone(tmp_path):
        done = manage("run", "--port", str(run_command._free_port()), STATE_DIR=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr == f"CommandError: Another run uses {tmp_path} already: stop it, or give this one its own STATE_DIR.\n"


def test_the_procfile_starts_the_same_programs_as_run() -> None:
    lines = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())
    assert set(lines) == {"web", "worker", "beat", "release"}
    assert _after(lines["web"], "asgi:application") == ["--host", "0.0.0.0", "--port", "$PORT", *run_command.WEB]
    assert _after(lines["worker"], "worker") == list(run_command.WORKER)


def _after(line: str, word: str) -> list[str]:
    words = shlex.split(line)
    return words[words.index(word) + 1 :]


@pytest.mark.parametrize(
    ("host", "name"),
    [("127.0.0.1", "localhost"), ("0.0.0.0", "localhost"), ("::", "localhost"), ("10.0.0.7", "10.0.0.7"), ("fd00::7", "[fd00::7]")],
)
def test_the_urls_name_what_this_machine_can_open(host: str, name: str) -> None:
    assert run_command.Options(host=host, port=8000, redis_url=None, demo=False).url == f"http://{name}:8000"


# --- The real process set -----------------------------------------------------------------------------------------------


def submit(stack: Stack, player: str, score: int) -> httpx.Response:
    headers = {"Authorization": f"Api-Key {stack.api_key}"}
    return httpx.post(f"{stack.url}/api/v1/scores/", json={"player": player, "score": score}, headers=headers, timeout=PATIENCE_S)


@pytest.mark.slow
async def test_it_starts_from_nothing_and_stops_without_a_trace(new_stack: Callable[..., Stack], tmp_path: Path) -> None:
    stack = new_stack(directory=tmp_path)
    assert re.search(r"^API key: \S+$", stack.output, re.MULTILINE)
    assert f"Gaming Leaderboard is up at http://localhost:{stack.port}/" in stack.wait_for_output("Gaming Leaderboard is up.*")[0]
    assert set(stack.processes) == {"redis", "prepare", "web", "worker", "beat"}
    answer = submit(stack, "ada", 7)
    assert answer.status_code == 201
    assert answer.json()["results"][0]["rank"] == 1

    assert stack.stop(signal.SIGINT) == 0
    for pid in stack.processes.values():
        await gone(pid)
    assert not (tmp_path / "state" / "redis.url").exists()
    stopped = re.findall(r"^(\w+): stopped$", stack.output, re.MULTILINE)
    assert stopped[0] == "web"
    assert stopped[-1] == "redis"

    stack.log.unlink()
    again = new_stack(directory=tmp_path)
    assert "API key:" not in again.output
    assert submit(again, "bo", 9).json()["results"][0]["total"] == 2


@pytest.mark.slow
def test_each_process_that_is_killed_comes_back(stack: Stack) -> None:
    before = stack.redis_url
    for name in ("redis", "worker", "beat", "web"):
        stack.wait_for_restart(name, stack.kill(name))
    stack.wait_until_ready()
    assert stack.redis_url == before
    assert submit(stack, "cy", 1).status_code == 201


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent is gone")
async def test_nothing_outlives_a_run_that_is_killed(new_stack: Callable[..., Stack]) -> None:
    stack = new_stack()
    stack.kill("run")
    for pid in stack.processes.values():
        await gone(pid)


@pytest.mark.slow
def test_it_uses_the_servers_that_it_is_given(new_stack: Callable[..., Stack], postgres_database: str, redis_url: str) -> None:
    stack = new_stack(postgres_database, redis_url)
    assert set(stack.processes) == {"prepare", "web", "worker", "beat"}
    assert submit(stack, "ada", 7).status_code == 201
    assert stack.stop() == 0
    assert "leaderboard.W002" in stack.output  # a secret of this machine's own, beside PostgreSQL


def test_the_demo_has_a_leaderboard_of_each_kind_and_leaves_those_that_are_there(tmp_path: Path, sqlite_database: str) -> None:
    environment = {**os.environ, "DATABASE_URL": sqlite_database, "STATE_DIR": str(tmp_path), "SECRET_KEY": "for-tests-only-" * 4}
    titles = []
    for title in ("Tonight", "Blitz cup"):
        subprocess.run(
            [sys.executable, "manage.py", "run", "--prepare", "--demo"], cwd=ROOT, env=environment, check=True, capture_output=True
        )
        with closing(sqlite3.connect(sqlite_database.removeprefix("sqlite:///"))) as database, database:
            titles.append(dict(database.execute("SELECT slug, title FROM leaderboard_leaderboard")))
            database.execute("UPDATE leaderboard_leaderboard SET title = ? WHERE slug = 'blitz'", (title,))
    assert set(titles[0]) == {"global", *run_command.DEMO_BOARDS}
    assert titles[1] == {**titles[0], "blitz": "Tonight"}
