"""HTTP clients that ask as fast as they are answered, or at a given rate; what they saw comes back as a Report.

Each web process has a port of its own, and connections take the ports in turn. On one port that the processes share, the kernel
hands a new connection to whoever wakes first: 64 come out as 20 and 44, and the figures would be those of the busier process.
"""

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
from functools import partial
from typing import NamedTuple, Protocol

from bench.http import Answer, Connection, header, request

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
    batch: int = 1
    keyed: bool = False
    game_mode: str = ""
    path: str = SCORES_PATH

    def __call__(self) -> Iterator[bytes]:
        if self.keyed:
            return self._keyed(self.items())
        return itertools.cycle([self._request(items) for items in itertools.repeat(self.items(), self.variety // self.batch)])

    @property
    def variety(self) -> int:
        """How many different scores are worth making beforehand: of players in turn, whole rounds."""
        cast = min(self.players, SUBMITTERS)
        return cast * max(1, POOL // cast) if self.in_turn else POOL

    def items(self) -> Iterator[dict[str, object]]:
        """The scores, endlessly."""
        chance = random.Random(self.players)
        cast = turns(self.players)[:SUBMITTERS]
        numbers = itertools.cycle(cast) if self.in_turn else iter(lambda: chance.choice(cast), None)
        mode = {"game_mode": self.game_mode} if self.game_mode else {}
        return ({"player": player(number), "score": chance.randint(1, MOST_SCORE), **mode} for number in numbers)

    def _request(self, items: Iterator[dict[str, object]]) -> bytes:
        if self.batch == 1:
            return request("POST", self.path, api_key=self.api_key, body=encode(next(items)))
        body = encode({"scores": list(itertools.islice(items, self.batch))})
        return request("POST", BATCH_PATH, api_key=self.api_key, body=body)

    def _keyed(self, items: Iterator[dict[str, object]]) -> Iterator[bytes]:
        """Each with a key never used before: only the key is put in late."""
        mark = secrets.token_hex(8)
        made = [request("POST", self.path, api_key=self.api_key, body=encode(next(items)), idempotency_key=mark) for _ in range(POOL)]
        parts = itertools.cycle([whole.split(mark.encode()) for whole in made])
        head = mark.encode()
        return (b"%b%b%016x%b" % (before, head, number, after) for number, (before, after) in enumerate(parts))


@dataclass(frozen=True, slots=True)
class Reads:
    """GETs of one path or of several in turn; `{player}` in a path is a player drawn at random."""

    paths: tuple[str, ...]
    players: int = 1

    def __call__(self) -> Iterator[bytes]:
        chance = random.Random(self.players)
        pool = POOL if any("{player}" in path for path in self.paths) else 1
        filled = (path.format(player=player(chance.randrange(self.players))) for _ in range(pool) for path in self.paths)
        return itertools.cycle([request("GET", path) for path in filled])


class Check(Protocol):
    """What is wrong with an answer's body; "" for nothing."""

    def __call__(self, body: bytes) -> str: ...


@dataclass(frozen=True, slots=True)
class Plan:
    """Connections take the ports in turn. `per_second` None asks again as soon as an answer is there; `trace` keeps what each
    request was answered; `check` says what is wrong with a body, "" for nothing: then it is a failure.

    `revalidate` is a path that each connection asks for with the ETag it was last given; what has not changed (304) is an answer
    as expected, too.
    """

    ports: Sequence[int]
    requests: Requests
    connections: int
    expected: int
    per_second: float | None = None
    trace: bool = False
    check: Check | None = None
    revalidate: str = ""

    def drive(self) -> "Drive":
        return Drive(self)


class Answered(NamedTuple):
    """When a request was due (time.monotonic), and the body that answered it."""

    due: float
    body: bytes


@dataclass(frozen=True, slots=True)
class Report:
    """Requests answered as expected in the measured span, and failures since the start; `answers` are a traced plan's, `anew` is how
    many of a revalidating plan's got a body, since what they had was old."""

    answered: int
    failed: int
    first_failure: str
    seconds: float
    p50_ms: float
    p99_ms: float
    answers: Sequence[Answered] = ()
    anew: int = 0


@dataclass(slots=True)
class Tally:
    """What a load has seen so far."""

    latencies: "array.array[float]" = field(default_factory=lambda: array.array("d"))
    failed: int = 0
    first_failure: str = ""
    answers: list[Answered] = field(default_factory=list)
    anew: int = 0
    began: float = 0.0

    def begin(self) -> None:
        """Forget what was until now, but not failures: none is ever expected."""
        self.latencies = array.array("d")
        self.answers = []
        self.anew = 0
        self.began = time.monotonic()

    def fail(self, what: str) -> None:
        self.failed += 1
        self.first_failure = self.first_failure or what

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
            anew=self.anew,
        )


class Driving(Protocol):
    """A load under way: from `start` to `stop`, with what it has seen in its tally."""

    tally: Tally

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class Planned(Protocol):
    """What a helper is told to do."""

    def drive(self) -> Driving: ...


class Drive:
    """One plan under way."""

    def __init__(self, plan: Plan) -> None:
        self.tally = Tally()
        self.connections: list[Connection] = []
        self._plan = plan
        self._plain = not plan.trace and plan.check is None and not plan.revalidate  # then an answer's body is nobody's business
        self._requests: Iterator[bytes] = iter(())
        self._idle: deque[Connection] = deque()  # the longest idle first: servers close those that say nothing for seconds
        self._pacing: asyncio.Task[None] | None = None
        self._backlog: deque[float] = deque()  # when requests were due that found no idle connection

    async def start(self) -> None:
        self._requests = self._plan.requests()
        loop = asyncio.get_running_loop()
        for port in itertools.islice(itertools.cycle(self._plan.ports), self._plan.connections):
            _, connection = await loop.create_connection(partial(Connection, self._answered, self._lost), "127.0.0.1", port)
            self.connections.append(connection)
        if self._plan.per_second is not None:
            self._idle.extend(self.connections)
            self._pacing = asyncio.create_task(self._pace(self._plan.per_second))
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
        if self._plain and answer.status == self._plan.expected:
            self.tally.latencies.append(now - connection.sent_at)
        else:
            self._look_at(connection, answer, now)
        if self._pacing is None:
            connection.send(connection.asks or next(self._requests), at=now)
        elif self._backlog:
            connection.send(next(self._requests), at=self._backlog.popleft())
        else:
            self._idle.append(connection)

    def _look_at(self, connection: Connection, answer: Answer, now: float) -> None:
        if wrong := self._wrong(connection, answer):
            self.tally.fail(wrong)
            return
        self.tally.latencies.append(now - connection.sent_at)
        if self._plan.trace:
            self.tally.answers.append(Answered(connection.sent_at, answer.body))

    def _wrong(self, connection: Connection, answer: Answer) -> str:
        """What is wrong with an answer; "" for nothing."""
        plan = self._plan
        if answer.status == 200 and plan.revalidate:
            self.tally.anew += 1
            etag = header(answer.head, "ETag")
            connection.asks = request("GET", plan.revalidate, if_none_match=etag)
            return "" if etag else f"no ETag: {answer.head[:200]!r}"
        if answer.status != plan.expected:
            return f"{answer.status}: {answer.body[:300].decode(errors='replace')}"
        return plan.check(answer.body) if plan.check is not None else ""

    def _lost(self, connection: Connection) -> None:
        with suppress(ValueError):
            self._idle.remove(connection)
        self.tally.fail("a connection was closed")


class Load:
    """Several plans in one process; a report each, in order."""

    def __init__(self, plans: Sequence[Planned]) -> None:
        self._drives = [plan.drive() for plan in plans]

    async def start(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            for drive in self._drives:
                await drive.start()

    def begin(self) -> None:
        for drive in self._drives:
            drive.tally.begin()

    def report(self) -> list[Report]:
        return [drive.tally.report() for drive in self._drives]


def percentile(ascending: Sequence[float], share: float) -> float:
    """The nearest-rank percentile; not a number for nothing."""
    return ascending[max(0, math.ceil(share * len(ascending)) - 1)] if ascending else math.nan


def encode(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
