"""The command: `python -m bench [scenario ...] [--seconds 3] [--runs 3] [--warm-up 5] [--web 2]`."""

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
from bench.runs import Run, broken_off, runs
from bench.scenarios import NAMES, Case, Database, chosen
from bench.servers import ServerError, Servers, Service, Wanted

WARM_UP_S = 5.0  # the sweep runs every 2 s and takes up what is 2 s old: with less, a submit seems cheaper than it is
DESCRIPTOR_LIMIT = 8_192  # thousands of sockets in one process
OTHER_DESCRIPTORS = 200  # of such a process


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
            cases = [case for case in chosen(options.scenarios) if _is_possible(case)]
            rows = [row for sitting in _sittings(cases) for row in _sit(sitting, servers, options)]
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
    parser.add_argument("--web", type=int, default=2, help="web processes (default: 2)")
    parser.add_argument("--output", type=Path, help="the JSON file (default: bench/results/<time>.json)")
    options = parser.parse_args(argv)
    unknown = [name for name in options.scenarios if name not in NAMES]
    if unknown:
        parser.error(f"there is no scenario {unknown[0]!r}; there are {', '.join(NAMES)}")
    if options.runs < 1 or options.web < 1 or options.seconds <= 0 or options.warm_up < 0:
        parser.error("--seconds, --runs and --web must be more than nothing, --warm-up not less")
    return options


def _is_possible(case: Case) -> bool:
    """Whether a process may have as many sockets; where not, it says so."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY or case.sockets + OTHER_DESCRIPTORS <= limit:
        return True
    _say(f"{case.title}: left out, a process may have only {limit} descriptors here (ulimit -n)")
    return False


def _sittings(cases: Sequence[Case]) -> list[list[Case]]:
    """The cases by the database that they need, in the order of Database."""
    return [sitting for database in Database if (sitting := [case for case in cases if case.database is database])]


def _sit(cases: Sequence[Case], servers: Servers, options: argparse.Namespace) -> list[Row]:
    wanted = Wanted(
        boards=tuple(dict.fromkeys(board for case in cases for board in (case.board, *case.beside))),
        web=options.web,
        baseline=cases[0].baseline,
    )
    _say("starting the plain way" if wanted.baseline else "starting PostgreSQL, Redis, web, worker and beat")
    with Service(servers, wanted, database=cases[0].database.value, say=_say) as service:
        return [Row(case, _runs(case, service, options)) for case in cases]


def _runs(case: Case, service: Service, options: argparse.Namespace) -> list[Run]:
    if not case.baseline:
        service.introduce(case.board, game_mode=case.beside[-1].game_mode if case.beside else "")
    done: list[Run] = []
    try:
        for told in runs(case, service, count=options.runs, seconds=options.seconds, warm_up_s=options.warm_up):
            done.append(told)
            _say(f"{case.title}, run {len(done)}/{options.runs}: {_told(case, told)}")
    except (ServerError, HelperError, ProcessGone) as error:
        _say(f"{case.title}: BROKEN OFF, {error}")  # the other cases may still tell something
        done.append(broken_off(str(error)))
    return done


def _told(case: Case, run: Run) -> str:
    failed = f", {run.failed} FAILED: {run.first_failure}" if run.failed else ""
    if run.player_bytes:
        return f"{run.player_bytes:,.0f} bytes a player{failed}"
    looked_at = f", {run.checked} reads looked at" if run.checked else ""
    return f"{run.total_us:,.1f} us a {case.operation}, {run.per_second:,.0f}/s, p99 {run.p99_ms:,.1f} ms{looked_at}{failed}"


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
