"""Keeps a set of operating system processes alive and ends them in order. It knows nothing of what they do.

In: `Process` descriptions. Out: running children that are started again when they die, and a line of text for each thing
that happens: `web: started, pid 123`.

What it promises:
- A process that ends is started again: at once the first time, then after 0.2 s, doubling to 5 s; 30 s alive start that anew.
- SIGINT, SIGTERM and SIGHUP end everything: by stop order, the next order when the one before has gone. A process that is still
  there 10 s after its SIGTERM is killed with all that it started. A second signal kills everything now.
- No child outlives the supervisor, even when it is killed -9 (Linux; elsewhere the children share its process group).
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STOP_TIMEOUT_S = 10.0  # what a process gets to end by itself
FIRST_DELAY_S = 0.2
LONGEST_DELAY_S = 5.0  # long enough not to burn a core on a process that can't start, short enough to be back soon after a fix
STEADY_S = 30.0  # alive this long, the next death counts as the first

# Runs in the child and then becomes the program. The kernel kills the program when its parent goes, and the look at the
# parent afterwards covers a parent that went before the kernel was asked. A hook between fork and exec would do the same, but is
# not safe beside threads, and asyncio waits for children in threads.
_BOUND_TO_PARENT = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
try:
    os.execvp(sys.argv[2], sys.argv[2:])
except OSError as error:
    sys.exit(f"{sys.argv[2]}: {error.strerror}")
"""


@dataclass(frozen=True, eq=False)  # each is itself: two of the same description are two processes
class Process:
    """A program to keep running. `env` is its whole environment; the lower stop order is ended first."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    stop_order: int = 0
    keep: bool = True  # False: its end is told, and that is all


class RestartDelay:
    """How long one process waits before it is started again."""

    def __init__(self) -> None:
        self._next_s = 0.0

    def after(self, alive_s: float) -> float:
        """The delay in seconds after a life of `alive_s`."""
        delay = 0.0 if alive_s >= STEADY_S else self._next_s
        self._next_s = min(LONGEST_DELAY_S, delay * 2) or FIRST_DELAY_S
        return delay


def tell(line: str) -> None:
    """Print a line at once. A terminal that has gone is no reason to stop half-way through stopping."""
    with contextlib.suppress(OSError):
        os.write(1, f"{line}\n".encode())


def describe(code: int) -> str:
    """`exit code 3`, or `signal SIGKILL` for the negative codes of subprocess."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal
        return f"signal {-code}"


class Supervisor:
    """Owns its children from `start` to the end of `run`. One per process, since it takes over the stop signals."""

    def __init__(self, *, directory: Path, say: Callable[[str], None] = tell, stop_timeout_s: float = STOP_TIMEOUT_S) -> None:
        self._directory = directory
        self._say = say
        self._stop_timeout_s = stop_timeout_s
        self._ending = asyncio.Event()
        self._tasks: dict[asyncio.Task[int], Process] = {}
        self._running: dict[Process, asyncio.subprocess.Process] = {}

    async def run(self, plan: Callable[[], Awaitable[None]]) -> None:
        """Run the plan, which starts processes, and keep those until a signal comes; then end them all.

        A signal during the plan cancels it. What the plan raises is raised here, after everything has ended.
        """
        loop = asyncio.get_running_loop()
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, self._signalled)
        try:
            await self._carry_out(plan)
        finally:
            await self._stop()
            for number in STOP_SIGNALS:
                loop.remove_signal_handler(number)

    def start(self, process: Process) -> None:
        """Start the process and keep it; returns before it runs."""
        self._own(process, self._keep(process))

    async def once(self, process: Process) -> int:
        """Run the process to its end, not again, and return its exit code, negative for a signal."""
        return await asyncio.shield(self._own(process, self._live(process)))

    def _own(self, process: Process, life: Coroutine[None, None, int]) -> "asyncio.Task[int]":
        task = asyncio.create_task(life)
        self._tasks[task] = process
        return task

    def _signalled(self) -> None:
        if self._ending.is_set():
            for process in list(self._running):
                self._kill(process)
        self._ending.set()

    async def _carry_out(self, plan: Callable[[], Awaitable[None]]) -> None:
        planned = asyncio.ensure_future(plan())
        ending = asyncio.ensure_future(self._ending.wait())
        try:
            await asyncio.wait({planned, ending}, return_when=asyncio.FIRST_COMPLETED)
            if planned.done():
                planned.result()
                await ending
        finally:
            planned.cancel()
            ending.cancel()
            await asyncio.wait({planned, ending})

    async def _keep(self, process: Process) -> int:
        delay = RestartDelay()
        while True:
            born = time.monotonic()
            code = await self._live(process)
            alive_s = time.monotonic() - born
            if self._ending.is_set():
                self._say(f"{process.name}: stopped")
                return code
            told = f"{process.name}: ended with {describe(code)} after {alive_s:.1f} s"
            if not process.keep:
                self._say(told)
                return code
            await self._pause(told, delay.after(alive_s))
            if self._ending.is_set():
                return code

    async def _pause(self, told: str, delay_s: float) -> None:
        when = f"in {delay_s:.1f} s" if delay_s else "now"
        self._say(f"{told}, starting it again {when}")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ending.wait(), delay_s)

    async def _live(self, process: Process) -> int:
        """One life of the process, from start to exit code."""
        try:
            child = await self._spawn(process)
        except OSError as error:
            self._say(f"{process.name}: can't be started: {error}")
            return 127
        self._running[process] = child
        if self._ending.is_set():  # the signal came while it was being started, and `_stop` has not seen it
            child.terminate()
        self._say(f"{process.name}: started, pid {child.pid}")
        try:
            return await child.wait()
        finally:
            # The rest of its group: workers of a master that was killed would hold its port against the next one.
            self._kill(process)
            del self._running[process]

    async def _spawn(self, process: Process) -> asyncio.subprocess.Process:
        argv = list(process.argv)
        if sys.platform == "linux":
            argv = [sys.executable, "-I", "-S", "-c", _BOUND_TO_PARENT, str(os.getpid()), *argv]
        return await asyncio.create_subprocess_exec(
            *argv,
            env=dict(process.env),
            cwd=self._directory,
            stdin=asyncio.subprocess.DEVNULL,
            start_new_session=sys.platform == "linux",  # Ctrl-C reaches the supervisor alone, which knows the order
        )

    def _kill(self, process: Process) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if sys.platform == "linux":
                os.killpg(self._running[process].pid, signal.SIGKILL)
            else:
                self._running[process].kill()

    async def _stop(self) -> None:
        self._ending.set()
        for order in sorted({process.stop_order for process in self._tasks.values()}):
            await self._stop_order(order)
        for task in self._tasks:
            if task.done():
                task.result()  # a fault of the supervisor itself shows, once all else is done

    async def _stop_order(self, order: int) -> None:
        tasks = {task for task, process in self._tasks.items() if process.stop_order == order}
        running = [process for process in self._running if process.stop_order == order]
        for process in running:
            with contextlib.suppress(ProcessLookupError):
                self._running[process].terminate()
        _, late = await asyncio.wait(tasks, timeout=self._stop_timeout_s)
        for task in late:
            process = self._tasks[task]
            self._say(f"{process.name}: still there {self._stop_timeout_s:.0f} s after SIGTERM, killed")
            self._kill(process)
        if late:
            await asyncio.wait(late, timeout=self._stop_timeout_s)
