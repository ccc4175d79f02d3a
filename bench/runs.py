"""The runs of a case: load it, wait until it is warm, measure a span, and another."""

import math
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import msgspec

from bench.cpu import Usage, usages
from bench.helper import Helper
from bench.load import Answered, Load, Plan, Planned, Report, Submits, percentile
from bench.right import reads
from bench.scenarios import Case, Counts
from bench.servers import Service
from bench.stock import STARS
from bench.talk import Talk
from bench.watch import Seen, Watch, Watched, Watching, together

UNSEEN_S = 1.0  # a score that is this old and was not shown counts as never seen
KEPT = 10  # of the watchers, when it matters what they saw
A_HELPERS_SOCKETS = 2_500  # a helper with more of them would be what limits a fan-out
MOST_ANEW = 0.5  # of the reads that name an ETag: with more, it is something else that is measured
NOTHING = Usage()
IDLE_S = 3.0  # how long the load is measured without the rebuild, to be taken off


@dataclass(frozen=True, slots=True)
class Run:
    """`cpu_us` is per operation, by group of processes; `client` are the load generators and belong to no total."""

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
    socket_kib: float = 0.0
    player_bytes: float = 0.0
    anew: int = 0  # of the reads that name an ETag, those that were answered with a body
    asked: int = 0  # requests answered by the main load, however many operations they were
    checked: int = 0  # reads that were looked at, each of them right unless it is among the failures


# Of a run in which nobody was asked.
EMPTY = Run(0, 0.0, 0, "", 0.0, math.nan, cpu_us={}, rss_mb={}, p50_ms=math.nan, p99_ms=math.nan)


@dataclass(frozen=True, slots=True)
class Span:
    """What was seen between two moments: by the clients, by the watchers, and by /proc in `seconds` of its own.

    `bare` is what the sockets' process held before it had any.
    """

    reports: Sequence[Report]
    watched: Watched | None
    before: Mapping[str, Usage]
    after: Mapping[str, Usage]
    seconds: float
    bare: Usage = NOTHING


def runs(case: Case, service: Service, *, count: int, seconds: float, warm_up_s: float) -> Iterator[Run]:
    """`count` spans of one load, one after the other. Failed requests are counted, not raised.

    Raises HelperError or ProcessGone when it could not be measured.
    """
    if case.counts is Counts.HELD:
        built = service.built[case.board.slug]
        yield _held(built.entries, built.seconds, built.redis_bytes)
        return
    with ExitStack() as stack:
        ports = service.ports if case.among_web or not case.sockets else [stack.enter_context(service.watched())]
        bare = usages(service.groups).get("watch", NOTHING)
        watches = [stack.enter_context(Helper(partial(Watch, watching))) for watching in _watching(case, ports)]
        load = stack.enter_context(Helper(partial(Load, _plans(case, service))))
        groups = {**service.groups, "client": [load.pid, *(watch.pid for watch in watches)]}
        time.sleep(warm_up_s)
        for _ in range(count):
            if case.counts is Counts.REBUILT:
                yield _rebuilt(case, service, load, groups)
            else:
                yield summary(case, replace(_span(load, watches, groups, lambda: time.sleep(seconds)), bare=bare))


def _span(
    load: Helper[list[Report]], watches: Sequence[Helper[Watched]], groups: Mapping[str, Sequence[int]], wait: Callable[[], object]
) -> Span:
    """What happens while `wait` is under way."""
    for helper in (load, *watches):
        helper.begin()
    before, began = usages(groups), time.monotonic()
    wait()
    after, ended = usages(groups), time.monotonic()
    return Span(load.end(), together([watch.end() for watch in watches]) if watches else None, before, after, ended - began)


def _plans(case: Case, service: Service) -> list[Planned]:
    key = service.keys[case.board.game]
    plan = Plan(
        ports=service.ports,
        requests=case.requests(key),
        connections=case.connections,
        expected=case.expected,
        per_second=case.per_second,
        revalidate=case.revalidate,
    )
    if case.in_flight:
        return [Talk(service.ports, Submits(key, case.board.players), sockets=case.connections, in_flight=case.in_flight)]
    plans: list[Planned] = [plan]
    if case.stars_per_s:
        stars = Submits(key, STARS, in_turn=True)
        trace = case.counts is Counts.SEEN
        plans.append(Plan(service.ports, stars, connections=4, expected=201, per_second=case.stars_per_s, trace=trace))
    if case.checked_per_s:
        asked = reads(case.board)
        plans.append(Plan(service.ports, asked, connections=16, expected=200, per_second=case.checked_per_s, check=case.check))
    return plans


def _watching(case: Case, ports: Sequence[int]) -> list[Watching]:
    """For each helper."""
    helpers = math.ceil(case.sockets / A_HELPERS_SOCKETS)
    keep = KEPT if case.counts is Counts.SEEN else 0
    return [Watching(ports, case.board.slug, case.sockets // helpers, keep=keep) for _ in range(helpers)]


def _rebuilt(case: Case, service: Service, load: Helper[list[Report]], groups: Mapping[str, Sequence[int]]) -> Run:
    """A rebuild under load, and what it cost beyond that load."""
    idle = _span(load, [], groups, lambda: time.sleep(IDLE_S))
    told: dict[str, Any] = {}
    span = _span(load, [], groups, lambda: told.update(service.remake(case.board)))
    result = replace(summary(replace(case, counts=Counts.REQUESTS), span), checked=span.reports[-1].answered)
    return per_entry(result, idle, span, told, entries=case.board.players)


def per_entry(result: Run, idle: Span, span: Span, told: Mapping[str, Any], *, entries: int) -> Run:
    """`told` is what the rebuild's own process says; its CPU is counted with the tasks, where it would be at other times."""

    def spent(name: str) -> float:
        usual = (idle.after[name].cpu_s - idle.before[name].cpu_s) / idle.seconds
        return span.after[name].cpu_s - span.before[name].cpu_s - usual * span.seconds

    cpu_us = {name: spent(name) * 1e6 / entries for name in span.after if name != "client"}
    cpu_us["tasks"] += told["cpu_s"] * 1e6 / entries
    refused = "" if f"{entries:,} entries" in told["said"] else f"not the whole board: {told['said']}"
    return replace(
        result,
        operations=entries,
        seconds=told["seconds"],
        per_second=entries / told["seconds"],
        cpu_us=cpu_us,
        total_us=sum(cpu_us.values()),
        failed=result.failed + bool(refused),
        first_failure=result.first_failure or refused,
    )


def _held(entries: int, seconds: float, redis_bytes: int) -> Run:
    """No load: only what the board's index takes."""
    return replace(EMPTY, operations=entries, seconds=seconds, per_second=entries / seconds, player_bytes=redis_bytes / entries)


def broken_off(why: str) -> Run:
    """In place of a run that could not be measured."""
    return replace(EMPTY, failed=1, first_failure=why)


def summary(case: Case, span: Span) -> Run:
    """Rates are each helper's own, CPU is /proc's: the two spans differ by milliseconds, so they meet as rates."""
    report, watched = span.reports[0], span.watched
    failures = [told.first_failure for told in span.reports if told.failed]
    result = Run(
        operations=report.answered * case.each,
        seconds=report.seconds,
        failed=sum(told.failed for told in span.reports),
        first_failure=next(iter(failures), ""),
        per_second=report.answered * case.each / report.seconds,
        total_us=0.0,
        cpu_us={},
        rss_mb={name: used.rss_bytes / 2**20 for name, used in span.after.items()},
        p50_ms=report.p50_ms,
        p99_ms=report.p99_ms,
        anew=report.anew,
        asked=report.answered,
    )
    if report.anew > MOST_ANEW * report.answered:
        result = replace(result, failed=result.failed + 1, first_failure=f"{report.anew} of {report.answered} were answered anew")
    if watched:
        result = _with_watched(result, case, span, watched)
    if watched and case.counts is Counts.SEEN:
        result = _with_seen(result, span.reports, watched)
    return _with_cpu(result, case, span)


def _with_watched(result: Run, case: Case, span: Span, watched: Watched) -> Run:
    """A lost socket is a failure; a frame that did not come is one where frames are what counts."""
    counted = case.counts is Counts.FRAMES
    faults = {"sockets were closed": watched.lost, "frames did not come": watched.missed if counted else 0}
    said = next((f"{count} {what}" for what, count in faults.items() if count), "")
    result = replace(result, failed=result.failed + sum(faults.values()), first_failure=result.first_failure or said)
    if watched.deltas:
        result = replace(result, frames_per_s=watched.deltas / watched.seconds, frame_bytes=watched.bytes / watched.deltas)
    if not counted:
        return result
    held = span.after["watch"].rss_bytes - span.bare.rss_bytes
    rate = watched.deltas / watched.seconds
    return replace(result, operations=watched.deltas, seconds=watched.seconds, per_second=rate, socket_kib=held / 1024 / case.sockets)


def _with_cpu(result: Run, case: Case, span: Span) -> Run:
    done = result.per_second * span.seconds
    cpu_us = {name: (used.cpu_s - span.before[name].cpu_s) * 1e6 / done if done else math.nan for name, used in span.after.items()}
    counted = [spent for name, spent in cpu_us.items() if name != "client" and name not in case.left_out]
    return replace(result, cpu_us=cpu_us, total_us=sum(counted))


def _with_seen(result: Run, reports: Sequence[Report], watched: Watched) -> Run:
    """All scores are operations; the latencies are from when a star's was due to when a watcher had it."""
    answered = sum(report.answered for report in reports)
    waits = sorted(wait for kept in watched.kept for wait in seen_after(reports[-1].answers, kept))
    unseen = sum(math.isinf(wait) for wait in waits)
    return replace(
        result,
        operations=answered,
        per_second=answered / result.seconds,
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
