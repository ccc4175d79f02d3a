"""The command: `python -m bench [scenario ...] [--seconds 3] [--runs 3] [--warm-up 10] [--web 1]`."""

import argparse
import os
import resource
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench import report
from bench.cpu import ProcessGone
from bench.helper import HelperError
from bench.report import Row
from bench.runs import Run, runs
from bench.scenarios import NAMES, Case, chosen
from bench.servers import ServerError, Servers, Service, Wanted

WARM_UP_S = 10.0  # the sweep writes again what came in the last 12 s: with less, a submit seems cheaper than it is
DESCRIPTOR_LIMIT = 8_192  # a thousand sockets on either side, in a process each


def main(argv: Sequence[str] | None = None) -> int:
    """1 if any request failed: then the figures are of something else."""
    options = _options(argv)
    if not sys.platform.startswith("linux"):
        sys.exit("The bench reads /proc, which only Linux has.")
    _raise_descriptor_limit()
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # so that everything started is ended
    now, load = datetime.now(UTC), os.getloadavg()[0]
    try:
        with Servers() as servers:
            rows = [row for cases in _sittings(chosen(options.scenarios)) for row in _sit(cases, servers, options)]
            versions = servers.versions()
    except (ServerError, HelperError, ProcessGone) as error:
        sys.exit(f"bench: {error}")
    asked = {"seconds": options.seconds, "runs": options.runs, "warm_up": options.warm_up, "web": options.web}
    told = report.document(rows, options=asked, servers=versions, load=load, now=now)
    path = report.write(told, options.output or report.RESULTS / f"{now:%Y%m%dT%H%M%SZ}.json")
    print("", report.table(rows), "", *report.ratios(rows), f"load average before: {load:.2f}; written to {path}", sep="\n")
    return _complain(rows)


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="What an operation costs; see docs/performance.md.")
    parser.add_argument("scenarios", nargs="*", metavar="scenario", help=f"of {', '.join(NAMES)} (default: all)")
    parser.add_argument("--seconds", type=float, default=3.0, help="measured in each run (default: 3)")
    parser.add_argument("--runs", type=int, default=3, help="of which the median is told (default: 3)")
    parser.add_argument("--warm-up", type=float, default=WARM_UP_S, help=f"seconds of load before the first run (default: {WARM_UP_S:.0f})")
    parser.add_argument("--web", type=int, default=1, help="web processes on the port (default: 1)")
    parser.add_argument("--output", type=Path, help="the JSON file (default: bench/results/<time>.json)")
    options = parser.parse_args(argv)
    unknown = [name for name in options.scenarios if name not in NAMES]
    if unknown:
        parser.error(f"there is no scenario {unknown[0]!r}; there are {', '.join(NAMES)}")
    if options.runs < 1 or options.web < 1 or options.seconds <= 0 or options.warm_up < 0:
        parser.error("--seconds, --runs and --web must be more than nothing, --warm-up not less")
    return options


def _sittings(cases: Sequence[Case]) -> list[list[Case]]:
    """The cases by what has to run for them: the project, then the plain way."""
    return [sitting for plain in (False, True) if (sitting := [case for case in cases if case.baseline is plain])]


def _sit(cases: Sequence[Case], servers: Servers, options: argparse.Namespace) -> list[Row]:
    wanted = Wanted(
        boards=tuple(dict.fromkeys(case.board for case in cases)),
        web=options.web,
        watched=any(case.sockets for case in cases),
        baseline=cases[0].baseline,
    )
    _say("starting the plain way" if wanted.baseline else "starting PostgreSQL, Redis, web, worker and beat")
    with Service(servers, wanted, database="baseline" if wanted.baseline else "bench") as service:
        return [Row(case, _runs(case, service, options)) for case in cases]


def _runs(case: Case, service: Service, options: argparse.Namespace) -> list[Run]:
    if not case.baseline:
        service.introduce(case.board)
    done: list[Run] = []
    for told in runs(case, service, count=options.runs, seconds=options.seconds, warm_up_s=options.warm_up):
        done.append(told)
        _say(
            f"{case.title}, run {len(done)}/{options.runs}: {told.total_us:,.0f} us a {case.operation}, {told.per_second:,.0f}/s, "
            f"p99 {told.p99_ms:,.1f} ms{f', {told.failed} FAILED' if told.failed else ''}"
        )
    return done


def _complain(rows: Sequence[Row]) -> int:
    failures = [f"{row.case.title}: {run.failed} failed, the first: {run.first_failure}" for row in rows for run in row.runs if run.failed]
    print(*failures, sep="\n", end="\n" if failures else "", file=sys.stderr)
    return 1 if failures else 0


def _raise_descriptor_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < DESCRIPTOR_LIMIT:
        most = DESCRIPTOR_LIMIT if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTOR_LIMIT)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
