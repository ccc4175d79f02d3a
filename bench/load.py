"""HTTP clients that ask as fast as they are answered, or at a given rate; what they saw comes back as a Report."""

import array
import asyncio
import itertools
import json
import math
import random
import secrets
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from bench.http import Answer, Connection, request

SUBMITTERS = 10_000  # of a larger board these many players submit: what a large board costs, not what many players do
POOL = 20_000  # requests made beforehand, about 300 bytes each
BEAT_S = 0.001  # how often a paced load looks what is due
PATIENCE_S = 10.0
MOST_SCORE = 1_000
SCORES_PATH = "/api/v1/scores/"
BATCH_PATH = "/api/v1/scores/batch/"
BASELINE_PATH = "/scores/"


def player(number: int) -> str:
    return f"player-{number:06d}"


def turns(players: int) -> list[int]:
    """All players once, in an order that is the same in every process."""
    order = list(range(players))
    random.Random(players).shuffle(order)
    return order


class Requests(Protocol):
    """What to ask, endlessly. Made in the helper's process."""

    def __call__(self) -> Iterator[bytes]: ...


@dataclass(frozen=True, slots=True)
class Submits:
    """Scores by players drawn at random, or (`in_turn`) by each in turn, so that two in flight are never of one player.

    Of many players the first SUBMITTERS of their turns submit.
    """

    api_key: str
    players: int
    in_turn: bool = False
    score: int | None = None  # None: random
    batch: int = 1
    keyed: bool = False
    path: str = SCORES_PATH

    def __call__(self) -> Iterator[bytes]:
        chance = random.Random(self.players)
        cast = turns(self.players)[:SUBMITTERS]
        numbers = itertools.cycle(cast) if self.in_turn else iter(lambda: chance.choice(cast), None)
        items = ({"player": player(number), "score": self.score or chance.randint(1, MOST_SCORE)} for number in numbers)
        if self.keyed:
            return self._keyed(items)
        pool = len(cast) if self.in_turn else POOL // self.batch
        return itertools.cycle([self._request(items) for _ in range(pool)])

    def _request(self, items: Iterator[dict[str, object]]) -> bytes:
        if self.batch == 1:
            return request("POST", self.path, api_key=self.api_key, body=_encode(next(items)))
        body = _encode({"scores": list(itertools.islice(items, self.batch))})
        return request("POST", BATCH_PATH, api_key=self.api_key, body=body)

    def _keyed(self, items: Iterator[dict[str, object]]) -> Iterator[bytes]:
        """Each with a key never used before: only the key is put in late."""
        mark = secrets.token_hex(8)
        made = [request("POST", self.path, api_key=self.api_key, body=_encode(next(items)), idempotency_key=mark) for _ in range(POOL)]
        parts = itertools.cycle([whole.split(mark.encode()) for whole in made])
        head = mark.encode()
        return (b"%b%b%016x%b" % (before, head, number, after) for number, (before, after) in enumerate(parts))


@dataclass(frozen=True, slots=True)
class Reads:
    """GETs; `{player}` in the path is a player drawn at random."""

    path: str
    players: int = 1

    def __call__(self) -> Iterator[bytes]:
        chance = random.Random(self.players)
        pool = POOL if "{player}" in self.path else 1
        return itertools.cycle([request("GET", self.path.format(player=player(chance.randrange(self.players)))) for _ in range(pool)])


@dataclass(frozen=True, slots=True)
class Plan:
    """`per_second` None asks again as soon as an answer is there; `trace` keeps what each request was answered."""

    port: int
    requests: Requests
    connections: int
    expected: int
    per_second: float | None = None
    trace: bool = False


class Answered(NamedTuple):
    """When a request was due (time.monotonic), and the body that answered it."""

    due: float
    body: bytes


@dataclass(frozen=True, slots=True)
class Report:
    """Requests answered as expected in the measured span, and failures since the start; `answers` are a traced plan's."""

    answered: int
    failed: int
    first_failure: str
    seconds: float
    p50_ms: float
    p99_ms: float
    answers: Sequence[Answered] = ()


@dataclass(slots=True)
class Drive:
    """One plan under way."""

    plan: Plan
    latencies: "array.array[float]" = field(default_factory=lambda: array.array("d"))
    failed: int = 0
    first_failure: str = ""
    answers: list[Answered] = field(default_factory=list)
    began: float = 0.0
    connections: list[Connection] = field(default_factory=list)
    _requests: Iterator[bytes] = field(init=False)
    _idle: deque[Connection] = field(default_factory=deque)  # the longest idle first: servers close those that say nothing for seconds
    _pacing: "asyncio.Task[None] | None" = None
    _backlog: deque[float] = field(default_factory=deque)  # when requests were due that found no idle connection

    async def start(self) -> None:
        self._requests = self.plan.requests()
        loop = asyncio.get_running_loop()
        for _ in range(self.plan.connections):
            _, connection = await loop.create_connection(lambda: Connection(self._answered, self._lost), "127.0.0.1", self.plan.port)
            self.connections.append(connection)
        if self.plan.per_second is not None:
            self._idle.extend(self.connections)
            self._pacing = asyncio.create_task(self._pace(self.plan.per_second))
            return
        for connection in self.connections:
            connection.send(next(self._requests), at=time.monotonic())

    async def stop(self) -> None:
        """For a process that goes on afterwards."""
        if self._pacing is not None:
            self._pacing.cancel()
        for connection in self.connections:
            connection.close()
        await asyncio.sleep(0)  # that is when transports close

    def begin(self) -> None:
        """Forget what was until now, but not failures: none is ever expected."""
        self.latencies = array.array("d")
        self.answers = []
        self.began = time.monotonic()

    def report(self) -> Report:
        seconds = time.monotonic() - self.began
        latencies = sorted(self.latencies)
        return Report(
            answered=len(latencies),
            failed=self.failed,
            first_failure=self.first_failure,
            seconds=seconds,
            p50_ms=1000 * percentile(latencies, 0.50),
            p99_ms=1000 * percentile(latencies, 0.99),
            answers=self.answers,
        )

    async def _pace(self, per_second: float) -> None:
        """A late answer does not slow the pace down: its latency counts from when the request was due."""
        step, due = 1 / per_second, time.monotonic()
        while True:
            while due <= time.monotonic():
                self._backlog.append(due)
                due += step
            while self._backlog and self._idle:
                self._idle.popleft().send(next(self._requests), at=self._backlog.popleft())
            await asyncio.sleep(BEAT_S)

    def _answered(self, connection: Connection, answer: Answer) -> None:
        now = time.monotonic()
        if answer.status == self.plan.expected:
            self.latencies.append(now - connection.sent_at)
            if self.plan.trace:
                self.answers.append(Answered(connection.sent_at, answer.body))
        else:
            self._fail(f"{answer.status}: {answer.body[:300].decode(errors='replace')}")
        if self._pacing is None:
            connection.send(next(self._requests), at=now)
        elif self._backlog:
            connection.send(next(self._requests), at=self._backlog.popleft())
        else:
            self._idle.append(connection)

    def _lost(self, connection: Connection) -> None:
        with suppress(ValueError):
            self._idle.remove(connection)
        self._fail("a connection was closed")

    def _fail(self, what: str) -> None:
        self.failed += 1
        self.first_failure = self.first_failure or what


class Load:
    """Several plans in one process; a report each, in order."""

    def __init__(self, plans: Sequence[Plan]) -> None:
        self._drives = [Drive(plan) for plan in plans]

    async def start(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            for drive in self._drives:
                await drive.start()

    def begin(self) -> None:
        for drive in self._drives:
            drive.begin()

    def report(self) -> list[Report]:
        return [drive.report() for drive in self._drives]


def percentile(ascending: Sequence[float], share: float) -> float:
    """The nearest-rank percentile; not a number for nothing."""
    return ascending[max(0, math.ceil(share * len(ascending)) - 1)] if ascending else math.nan


def _encode(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
