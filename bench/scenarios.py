"""What is asked, by how many, of which board. A scenario may have several cases; each is one row of the table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from bench.load import BASELINE_PATH, Check, Reads, Requests, Submits
from bench.right import RightAnswer
from bench.stock import ARCADE, GLOBAL, MILLION, STARS, TEN_THOUSAND, Board

TRICKLE_PER_S = 10.0  # scores by the board's first players while reads are measured: it changes in every tick


class Counts(Enum):
    """What an operation is, and what the latencies are of."""

    REQUESTS = "requests"  # from request to answer
    FRAMES = "frames"  # delivered; latencies are the submits'
    SEEN = "seen"  # submits; from when a star's was due to when a watcher has its score
    REBUILT = "rebuilt"  # entries; latencies are those of the submits meanwhile
    HELD = "held"  # players in Redis; no latencies


class Database(Enum):
    """The large boards have one of their own: a million players weigh on whoever shares it."""

    MAIN = "bench"
    SIZES = "sizes"
    BASELINE = "baseline"


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure (a field of Run) is to be, `at_least` or at most."""

    limit: float
    unit: str = "us"
    figure: str = "total_us"
    at_least: bool = False

    def is_met(self, value: float) -> bool:
        return value >= self.limit if self.at_least else value <= self.limit

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {self.limit:,.0f} {self.unit}"


@dataclass(frozen=True, slots=True)
class Case:
    """One row. `requests` is made with the API key of the board's game.

    `each` is how many operations a request holds. `left_out` are the processes whose time is told, but not counted.
    `stars_per_s` are scores by the board's first players, who hold its top. `in_flight` sends the scores over sockets, so many on each.
    `checked_per_s` are reads, each looked at. `sockets` watch: on a web process of their own, or (`among_web`) on all.
    """

    scenario: str
    name: str
    operation: str
    requests: Callable[[str], Requests]
    connections: int = 64
    board: Board = GLOBAL
    beside: tuple[Board, ...] = ()  # what else the scores feed
    expected: int = 201
    per_second: float | None = None
    each: int = 1
    revalidate: str = ""
    in_flight: int = 0
    stars_per_s: float = 0.0
    checked_per_s: float = 0.0
    check: Check | None = None
    sockets: int = 0
    among_web: bool = False
    counts: Counts = Counts.REQUESTS
    left_out: tuple[str, ...] = ()
    database: Database = Database.MAIN
    goals: tuple[Goal, ...] = ()

    @property
    def title(self) -> str:
        return f"{self.scenario} {self.name}"

    @property
    def baseline(self) -> bool:
        return self.database is Database.BASELINE


def _submits(board: Board = GLOBAL, **how: object) -> Callable[[str], Requests]:
    return lambda key: Submits(key, board.players, **how)  # type: ignore[arg-type]


def _reads(path: str) -> Callable[[str], Requests]:
    return lambda _key: Reads((f"{_PATH}{path}",), GLOBAL.players)


def _us(limit: float) -> tuple[Goal, ...]:
    return (Goal(limit),)


_PATH = f"/api/v1/leaderboard/{GLOBAL.slug}/"
_TOP10 = "top/?limit=10"
SUBMIT = Case("submit", "c64", "score", _submits(), goals=_us(100))
READ = Case("top10", "c16", "read", _reads(_TOP10), connections=16, expected=200, stars_per_s=TRICKLE_PER_S, goals=_us(50))
# At a given rate: a busier machine would make other batches, and the comparison is of costs.
WATCHED = replace(SUBMIT, scenario="submit-watched", per_second=1_000.0, left_out=("watch",), goals=())
# The same number of players submits to either board, in turn.
SIZED = replace(
    SUBMIT,
    scenario="submit-size",
    name="10,000 entries",
    requests=_submits(TEN_THOUSAND, in_turn=True),
    board=TEN_THOUSAND,
    database=Database.SIZES,
    goals=(),
)
FANOUT = Case(
    "fanout",
    "1000 sockets",
    "frame",
    _submits(GLOBAL._replace(players=STARS), in_turn=True),
    per_second=60.0,  # six of the ten rows in each tick: frames of 1 KB
    sockets=1000,
    counts=Counts.FRAMES,
    left_out=("web", "postgres", "redis", "tasks"),
    goals=(Goal(11), Goal(30, "KiB", "socket_kib")),
)

CASES: Sequence[Case] = (
    SUBMIT,
    replace(SUBMIT, name="c256", connections=256),
    replace(SUBMIT, scenario="submit-keyed", requests=_submits(keyed=True), goals=()),
    replace(
        SUBMIT,
        scenario="submit-boards",
        name="4 boards, c64",
        requests=_submits(ARCADE[0], game_mode=ARCADE[-1].game_mode),
        board=ARCADE[0],
        beside=ARCADE[1:],
        goals=_us(180),
    ),
    Case("batch100", "c16", "score", _submits(batch=100), connections=16, expected=200, each=100, goals=_us(30)),
    replace(SUBMIT, scenario="ws-submit", name="16 sockets, 4 in flight", connections=16, in_flight=4, goals=_us(55)),
    READ,
    replace(READ, scenario="top100", requests=_reads("top/?limit=100"), goals=_us(60)),
    replace(READ, scenario="not-modified", requests=_reads(_TOP10), expected=304, revalidate=f"{_PATH}{_TOP10}", goals=_us(40)),
    replace(READ, scenario="around", requests=_reads("around/{player}/?limit=5"), goals=_us(150)),
    replace(READ, scenario="rank", requests=_reads("rank/{player}/"), goals=_us(110)),
    *(replace(WATCHED, name=f"1000/s, {sockets} sockets", sockets=sockets) for sockets in (0, 100, 1000)),
    FANOUT,
    replace(FANOUT, name="5000 sockets", sockets=5000),
    replace(
        SUBMIT,
        scenario="seen",
        name="2000/s, 1000 sockets",
        per_second=1_900.0,
        stars_per_s=100.0,
        sockets=1000,
        among_web=True,
        counts=Counts.SEEN,
        goals=(Goal(250, "ms", "p99_ms"),),
    ),
    SIZED,
    replace(SIZED, name="1,000,000 entries", requests=_submits(MILLION, in_turn=True), board=MILLION),
    replace(
        SIZED,
        scenario="rebuild",
        name="1,000,000 entries, 500/s",
        operation="entry",
        requests=_submits(MILLION, in_turn=True),
        board=MILLION,
        per_second=500.0,
        checked_per_s=100.0,
        check=RightAnswer(MILLION),
        counts=Counts.REBUILT,
        goals=(Goal(200_000, "/s", "per_second", at_least=True),),
    ),
    replace(
        SIZED,
        scenario="memory",
        name="1,000,000 players",
        operation="player",
        board=MILLION,
        counts=Counts.HELD,
        goals=(Goal(220, "B", "player_bytes"),),
    ),
    Case("baseline", "plain Django, c16", "score", _submits(path=BASELINE_PATH), connections=16, database=Database.BASELINE),
)

NAMES = tuple(dict.fromkeys(case.scenario for case in CASES))


def chosen(names: Sequence[str]) -> list[Case]:
    """The cases of these scenarios, all of them for none, in the order of the table."""
    return [case for case in CASES if not names or case.scenario in names]
