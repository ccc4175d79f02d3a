"""Medians, the table, and the JSON file that says on what machine and of which commit."""

import json
import math
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.runs import Run
from bench.scenarios import Case

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"
PACKAGES = ("django", "uvicorn", "uvloop", "asyncpg", "redis", "celery", "channels", "channels-redis", "msgspec", "websockets")
GROUPS = ("web", "postgres", "redis", "tasks", "watch")


@dataclass(frozen=True, slots=True)
class Row:
    """A case and its runs."""

    case: Case
    runs: Sequence[Run]

    @property
    def median(self) -> Run:
        """The run whose CPU per operation is the median (the lower one of two), whole, so that its figures belong together.

        One that came to nothing is the worst.
        """
        return sorted(self.runs, key=lambda run: math.inf if math.isnan(run.total_us) else run.total_us)[(len(self.runs) - 1) // 2]


def table(rows: Sequence[Row]) -> str:
    """Plain text, which is Markdown as well."""
    head = ["scenario", "case", "us/op", "(min..max)", "goal", *GROUPS, "ops/s", "p50 ms", "p99 ms", "memory", "frames/s"]
    cells = [head, *map(_cells, rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    lines = [_line(line, widths) for line in cells]
    rule = "|".join("-" * (width + 1) + ("-" if place < 2 else ":") for place, width in enumerate(widths))
    return "\n".join([lines[0], f"|{rule}|", *lines[1:]])


def ratios(rows: Sequence[Row]) -> list[str]:
    """What the rows say about each other: figures of one session, so the machine's mood cancels out."""
    costs = {row.case.title: row.median.total_us for row in rows}
    pairs = (
        ("submit c64", "baseline plain Django, c16", "the plain way costs {:.1f} times a submit", None),
        (
            "submit-watched 1000/s, 0 sockets",
            "submit-watched 1000/s, 1000 sockets",
            "with 1000 watchers the submit path costs {:.2f} times as much",
            None,
        ),
        (
            "submit-size 10,000 entries",
            "submit-size 1,000,000 entries",
            "on 1,000,000 entries a submit costs {:.2f} times as much as on 10,000",
            1.25,
        ),
    )
    return [
        said.format(costs[other] / costs[one]) + (f" (goal: <= {goal}: {_mark(costs[other] / costs[one] <= goal)})" if goal else "")
        for one, other, said, goal in pairs
        if one in costs and other in costs and costs[one]
    ]


def _mark(is_met: bool) -> str:
    return "met" if is_met else "MISSED"


def document(rows: Sequence[Row], *, options: Mapping[str, Any], servers: Mapping[str, str], load: float, now: datetime) -> dict[str, Any]:
    """`load` is the machine's load average before anything began: above 0.5 somebody else was at work."""
    return {
        "time": now.isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "HEAD"),
        "dirty": bool(_git("status", "--porcelain")),
        "options": dict(options),
        "machine": {
            "system": platform.platform(),
            "cpu": _cpu_model(),
            "cpus": os.cpu_count(),
            "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
            "load_average_before": load,
        },
        "versions": {"python": platform.python_version(), **servers, **{name: version(name) for name in PACKAGES}},
        "scenarios": [_described(row) for row in rows],
    }


def write(told: Mapping[str, Any], path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(_plain(told), indent=1, allow_nan=False) + "\n")
    return path


def _plain(value: Any) -> Any:
    """With null for what is not a number or has no end: JSON has no word for them."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _plain(held) for name, held in value.items()}
    return [_plain(held) for held in value] if isinstance(value, list | tuple) else value


def _described(row: Row) -> dict[str, Any]:
    return {
        "scenario": row.case.scenario,
        "case": row.case.name,
        "operation": row.case.operation,
        "counted": [group for group in row.median.cpu_us if group != "client" and group not in row.case.left_out],
        "goals": [
            {**asdict(goal), "value": (value := getattr(row.median, goal.figure)), "met": goal.is_met(value)} for goal in row.case.goals
        ],
        "median": asdict(row.median),
        "runs": [asdict(run) for run in row.runs],
    }


def _cells(row: Row) -> list[str]:
    run, spread = row.median, [run.total_us for run in row.runs]
    measured = not math.isnan(run.total_us)
    return [
        row.case.scenario,
        row.case.name,
        _number(run.total_us) if measured else "",
        f"{min(spread):,.0f}..{max(spread):,.0f}" if measured else "",
        ", ".join(f"{goal} {_mark(goal.is_met(getattr(run, goal.figure)))}" for goal in row.case.goals),
        *(_group_cell(row, group) for group in GROUPS),
        f"{run.per_second:,.0f}",
        f"{run.p50_ms:,.1f}" if measured else "",
        f"{run.p99_ms:,.1f}" if measured else "",
        _memory(run),
        f"{run.frames_per_s:,.0f}" if run.frames_per_s else "",
    ]


def _memory(run: Run) -> str:
    """What it is in the row's case: of a socket, of a player, else of the web processes."""
    if run.player_bytes:
        return f"{run.player_bytes:,.0f} B a player"
    if run.socket_kib:
        return f"{run.socket_kib:,.1f} KiB a socket"
    return f"{run.rss_mb.get('web', 0):,.0f} MB"


def _number(us: float) -> str:
    return f"{us:,.0f}" if us >= 100 else f"{us:,.1f}"


def _group_cell(row: Row, group: str) -> str:
    """In parentheses what is not part of the total."""
    spent = row.median.cpu_us.get(group)
    if spent is None:
        return ""
    return f"({_number(spent)})" if group in row.case.left_out else _number(spent)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) if place < 2 else cell.rjust(width) for place, (cell, width) in enumerate(zip(cells, widths, strict=True)))
    return f"| {' | '.join(padded)} |"


def _git(*words: str) -> str:
    """Empty where this is no checkout."""
    try:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
