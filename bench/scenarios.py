"""What is asked, by how many, of which board. A scenario may have several cases; each is one row of the table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from bench.load import BASELINE_PATH, Reads, Requests, Submits
from bench.stock import GLOBAL, Board

SMALL = Board("bench-small", "bench-small", 100)
LARGE = Board("bench-large", "bench-large", 100_000)
CROWD = Board("bench-crowd", "bench-crowd", 20)  # at 100 scores a second about five of its top ten change in a tick: frames of 1 KB
STAGE = Board("bench-stage", "bench-stage", 50)  # all of it is watched, so every score is seen

TRICKLE_PER_S = 20.0  # scores while reads are measured, so that the board moves


class Counts(Enum):
    """What an operation is, and what the latencies are of."""

    REQUESTS = "requests"  # from request to answer
    FRAMES = "frames"  # delivered; latencies are the submits'
    SEEN = "seen"  # submits; from when one was due to when a watcher has its score


@dataclass(frozen=True, slots=True)
class Case:
    """One row. `requests` is made with the API key of the board's game.

    `each` is how many operations a request holds. `left_out` are the processes whose time is told, but not counted.
    """

    scenario: str
    name: str
    operation: str
    requests: Callable[[str], Requests]
    connections: int = 64
    board: Board = GLOBAL
    expected: int = 201
    per_second: float | None = None
    each: int = 1
    trickle: bool = False
    sockets: int = 0
    top: int = 10
    counts: Counts = Counts.REQUESTS
    left_out: tuple[str, ...] = ()
    baseline: bool = False

    @property
    def title(self) -> str:
        return f"{self.scenario} {self.name}"


def _submits(board: Board = GLOBAL, **how: object) -> Callable[[str], Requests]:
    return lambda key: Submits(key, board.players, **how)  # type: ignore[arg-type]


def _reads(path: str) -> Callable[[str], Requests]:
    return lambda _key: Reads(f"/api/v1/leaderboard/{GLOBAL.slug}/{path}", GLOBAL.players)


SUBMIT = Case("submit", "c64", "score", _submits())
READ = Case("top10", "c16", "read", _reads("top/?limit=10"), connections=16, expected=200, trickle=True)
# At a given rate: a busier machine would make other batches, and the comparison is of costs.
WATCHED = replace(SUBMIT, scenario="submit-watched", per_second=1_000.0, left_out=("watch",))
SIZED = Case("submit-size", "100 entries", "score", _submits(SMALL, in_turn=True), board=SMALL)

CASES: Sequence[Case] = (
    SUBMIT,
    replace(SUBMIT, name="c256", connections=256),
    replace(SUBMIT, scenario="submit-keyed", requests=_submits(keyed=True)),
    Case("batch100", "c16", "score", _submits(batch=100), connections=16, expected=200, each=100),
    READ,
    replace(READ, scenario="top100", requests=_reads("top/?limit=100")),
    replace(READ, scenario="around", requests=_reads("around/{player}/?limit=5")),
    replace(READ, scenario="rank", requests=_reads("rank/{player}/")),
    *(replace(WATCHED, name=f"1000/s, {sockets} sockets", sockets=sockets) for sockets in (0, 100, 1000)),
    SIZED,
    replace(SIZED, name="100,000 entries", requests=_submits(LARGE, in_turn=True), board=LARGE),
    Case(
        "fanout",
        "1000 sockets",
        "frame",
        _submits(CROWD, in_turn=True),
        board=CROWD,
        per_second=100.0,
        sockets=1000,
        counts=Counts.FRAMES,
        left_out=("web", "postgres", "redis", "tasks"),
    ),
    Case(
        "latency",
        "500 scores/s, seen",
        "score",
        _submits(STAGE, in_turn=True),
        connections=32,
        board=STAGE,
        per_second=500.0,
        sockets=1,
        top=100,
        counts=Counts.SEEN,
        left_out=("watch",),
    ),
    Case("baseline", "plain Django, c16", "score", _submits(path=BASELINE_PATH), connections=16, baseline=True),
)

NAMES = tuple(dict.fromkeys(case.scenario for case in CASES))


def chosen(names: Sequence[str]) -> list[Case]:
    """The cases of these scenarios, all of them for none, in the order of the table."""
    return [case for case in CASES if not names or case.scenario in names]
