"""CPU time and memory of process trees, from /proc (Linux).

A tree's time is that of its living processes and of all their children that have ended and were waited for, so a backend
that comes and goes within a measurement is counted.
"""

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class ProcessGone(RuntimeError):
    """A server process died during a measurement."""


@dataclass(frozen=True, slots=True)
class Usage:
    """`cpu_s` is user and system seconds since the processes began. Memory that processes share counts once in each."""

    cpu_s: float = 0.0
    rss_bytes: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(self.cpu_s + other.cpu_s, self.rss_bytes + other.rss_bytes)


def usages(groups: Mapping[str, Sequence[int]]) -> dict[str, Usage]:
    """What each group, given as the roots of its process trees, has used. Raises ProcessGone if a root has ended."""
    held: dict[int, Usage] = {}
    children: dict[int, list[int]] = defaultdict(list)
    for pid, parent, usage in _processes():
        held[pid] = usage
        children[parent].append(pid)
    for name, roots in groups.items():
        for root in roots:
            if root not in held:
                raise ProcessGone(f"a process of {name} has ended (pid {root})")
    return {name: sum((held[pid] for root in roots for pid in _tree(root, children)), Usage()) for name, roots in groups.items()}


def _tree(root: int, children: Mapping[int, Sequence[int]]) -> Iterator[int]:
    yield root
    for child in children.get(root, ()):
        yield from _tree(child, children)


def _processes() -> Iterator[tuple[int, int, Usage]]:
    """Process id, its parent's, and its usage."""
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text(encoding="utf-8", errors="replace")
            except (FileNotFoundError, ProcessLookupError):
                continue  # ended meanwhile
            yield (int(entry.name), *read_stat(text))


def read_stat(text: str) -> tuple[int, Usage]:
    """The parent's process id and the usage in a line of /proc/<pid>/stat; see proc(5)."""
    words = text.rpartition(")")[2].split()  # the name before it may hold spaces and parentheses
    ticks = sum(int(word) for word in words[11:15])  # utime, stime, and both of the children that were waited for
    return int(words[1]), Usage(ticks * TICK_S, int(words[21]) * PAGE_BYTES)
