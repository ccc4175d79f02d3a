"""A process that loads the servers, and the pipe by which the bench tells it when the measurement begins and ends."""

import asyncio
import gc
import multiprocessing
import os
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection as Pipe
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

import uvloop

READY_S = 60.0  # to connect a thousand sockets, on a busy machine
ANSWER_S = 20.0
END_S = 5.0

Report_co = TypeVar("Report_co", covariant=True)
Told = TypeVar("Told")


class Work(Protocol[Report_co]):
    """What a helper does, from `start` to its end. `begin` and `report` are the bounds of the measured span."""

    async def start(self) -> None: ...

    def begin(self) -> None: ...

    def report(self) -> Report_co: ...


class HelperError(RuntimeError):
    """A helper failed, or did not answer in time."""


class Helper(Generic[Told]):
    """Runs `make()` in a process of its own; `make` must pickle. Entered, it has started its work."""

    def __init__(self, make: Callable[[], Work[Told]]) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, its_end = context.Pipe()
        self._process = context.Process(target=_main, args=(its_end, make), daemon=True)
        self._process.start()
        its_end.close()

    def __enter__(self) -> Self:
        try:
            self._hear(READY_S)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def begin(self) -> None:
        self._pipe.send("begin")
        self._hear(ANSWER_S)

    def end(self) -> Told:
        """What the work reports of the span since `begin`."""
        self._pipe.send("end")
        report: Told = self._hear(ANSWER_S)
        return report

    def _hear(self, timeout_s: float) -> Any:
        """What it says next. One that does not say it in time, or only half of it, is killed, which ends the pipe."""
        watchdog = threading.Timer(timeout_s, self._process.kill)
        watchdog.start()
        try:
            told = self._pipe.recv()
        except (EOFError, OSError):
            raise HelperError(f"a helper died (see above), or did not answer within {timeout_s:.0f} s") from None
        finally:
            watchdog.cancel()
        if isinstance(told, Exception):
            raise HelperError(f"a helper failed: {told}") from told
        return told

    def _stop(self) -> None:
        self._pipe.close()  # which it takes as the order to end
        self._process.join(END_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _main(pipe: Pipe, make: Callable[[], Work[Any]]) -> None:
    gc.disable()  # it lives for seconds, and a collection would show as a server's latency
    try:
        uvloop.run(_serve(pipe, make()))
    except KeyboardInterrupt:
        pass  # a Ctrl-C is the bench's to tell
    except Exception as error:
        pipe.send(error)


async def _serve(pipe: Pipe, work: Work[Any]) -> None:
    """Obey until the other end is closed."""
    await work.start()
    over = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().add_reader(pipe.fileno(), _obey, pipe, work, over)
    os.set_blocking(pipe.fileno(), True)  # a report may be longer than the pipe holds, and a pipe can't send the rest later
    pipe.send(None)
    await over


def _obey(pipe: Pipe, work: Work[Any], over: "asyncio.Future[None]") -> None:
    try:
        order = pipe.recv()
    except (EOFError, OSError):
        if not over.done():
            over.set_result(None)
        return
    try:
        if order == "begin":
            work.begin()
        pipe.send(work.report() if order == "end" else None)
    except Exception as error:
        pipe.send(error)
