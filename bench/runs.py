"""The runs of a case: load it, wait until it is warm, measure a span, and another."""

import math
import time
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial

import msgspec

from bench.cpu import Usage, usages
from bench.helper import Helper
from bench.load import Answered, Load, Plan, Report, Submits, percentile
from bench.scenarios import TRICKLE_PER_S, Case, Counts
from bench.servers import Service
from bench.watch import Seen, Watch, Watched, Watching

UNSEEN_S = 1.0  # a score that is this old and was not shown counts as never seen


@dataclass(frozen=True, slots=True)
class Run:
    """`cpu_us` is per operation, by group of processes; `client` is the load generator's own and belongs to no total."""

    operations: int
    seconds: float
    failed: int
    first_failure: str
    per_second: float
    total_us: float
    cpu_us: Mapping[str, float]
    rss_mb: Mapping[str, float]
    p50_ms: float
    p99_ms: float
    frames_per_s: float = 0.0
    frame_bytes: float = 0.0


@dataclass(frozen=True, slots=True)
class Span:
    """What was seen between two moments: by the clients, by the watchers, and by /proc in `seconds` of its own."""

    reports: Sequence[Report]
    watched: Watched | None
    before: Mapping[str, Usage]
    after: Mapping[str, Usage]
    seconds: float


def runs(case: Case, service: Service, *, count: int, seconds: float, warm_up_s: float) -> Iterator[Run]:
    """`count` spans of one load, one after the other. Failed requests are counted, not raised.

    Raises HelperError or ProcessGone when it could not be measured.
    """
    with ExitStack() as stack:
        watch = stack.enter_context(Helper(partial(Watch, _watching(case, service)))) if case.sockets else None
        load = stack.enter_context(Helper(partial(Load, _plans(case, service))))
        time.sleep(warm_up_s)
        for _ in range(count):
            yield summary(case, _span(load, watch, {**service.groups, "client": [load.pid]}, seconds))


def _span(load: Helper[list[Report]], watch: Helper[Watched] | None, groups: Mapping[str, Sequence[int]], seconds: float) -> Span:
    load.begin()
    if watch:
        watch.begin()
    before, began = usages(groups), time.monotonic()
    time.sleep(seconds)
    after, ended = usages(groups), time.monotonic()
    return Span(load.end(), watch.end() if watch else None, before, after, ended - began)


def _plans(case: Case, service: Service) -> list[Plan]:
    key = service.keys[case.board.game]
    plan = Plan(
        port=service.port,
        requests=case.requests(key),
        connections=case.connections,
        expected=case.expected,
        per_second=case.per_second,
        trace=case.counts is Counts.SEEN,
    )
    trickle = replace(plan, requests=Submits(key, case.board.players), connections=4, expected=201, per_second=TRICKLE_PER_S)
    return [plan, trickle] if case.trickle else [plan]


def _watching(case: Case, service: Service) -> Watching:
    return Watching(service.watch_port, case.board.slug, case.sockets, top=case.top, keep=case.counts is Counts.SEEN)


def summary(case: Case, span: Span) -> Run:
    """Rates are each helper's own, CPU is /proc's: the two spans differ by milliseconds, so they meet as rates."""
    report, watched = span.reports[0], span.watched
    failures = [told.first_failure for told in span.reports if told.failed]
    result = Run(
        operations=report.answered * case.each,
        seconds=report.seconds,
        failed=sum(told.failed for told in span.reports) + (watched.lost if watched else 0),
        first_failure=next(iter(failures), "a watcher's socket was closed" if watched and watched.lost else ""),
        per_second=report.answered * case.each / report.seconds,
        total_us=0.0,
        cpu_us={},
        rss_mb={name: used.rss_bytes / 2**20 for name, used in span.after.items()},
        p50_ms=report.p50_ms,
        p99_ms=report.p99_ms,
    )
    if watched and watched.deltas:
        result = replace(result, frames_per_s=watched.deltas / watched.seconds, frame_bytes=watched.bytes / watched.deltas)
    if watched and case.counts is Counts.FRAMES:
        result = replace(result, operations=watched.deltas, seconds=watched.seconds, per_second=watched.deltas / watched.seconds)
    if watched and case.counts is Counts.SEEN:
        result = _with_seen(result, report, watched)
    return _with_cpu(result, case, span)


def _with_cpu(result: Run, case: Case, span: Span) -> Run:
    done = result.per_second * span.seconds
    cpu_us = {name: (used.cpu_s - span.before[name].cpu_s) * 1e6 / done if done else math.nan for name, used in span.after.items()}
    counted = [spent for name, spent in cpu_us.items() if name != "client" and name not in case.left_out]
    return replace(result, cpu_us=cpu_us, total_us=sum(counted))


def _with_seen(result: Run, report: Report, watched: Watched) -> Run:
    """Its latencies from when a score was due to when the watcher had it."""
    waits = sorted(seen_after(report.answers, watched.kept))
    unseen = sum(math.isinf(wait) for wait in waits)
    return replace(
        result,
        p50_ms=1000 * percentile(waits, 0.50),
        p99_ms=1000 * percentile(waits, 0.99),
        failed=result.failed + unseen,
        first_failure=result.first_failure or (f"{unseen} scores were not seen" if unseen else ""),
    )


def seen_after(answers: Sequence[Answered], kept: Sequence[Seen]) -> list[float]:
    """For each answered submit, in how many seconds a message showed its player with that sum or more; infinity for never.

    Sums only grow here. What was due in the last UNSEEN_S is left out: the measurement ended before it had to be seen.
    """
    last = max((answer.due for answer in answers), default=0.0) - UNSEEN_S
    waiting: dict[str, deque[tuple[int, float]]] = defaultdict(deque)
    for due, body in sorted(answers):
        if due <= last:
            told = msgspec.json.decode(body)
            waiting[told["player"]].append((told["results"][0]["total_score"], due))
    waits = []
    for at, text in kept:
        message = msgspec.json.decode(text)
        for row in message.get("changed") or message.get("entries") or ():
            scores = waiting[row["player"]]
            while scores and scores[0][0] <= row["score"]:
                waits.append(at - scores.popleft()[1])
    return waits + [math.inf] * sum(map(len, waiting.values()))
