"""The shapes of bodies and answers, for the OpenAPI document. Answers are built elsewhere; tests hold that they have these shapes."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from leaderboard.domain.score import SCORE_LIMIT
from leaderboard.services.checking import Asked

Whole = Annotated[int, Meta(ge=-SCORE_LIMIT, le=SCORE_LIMIT)]
Count = Annotated[int, Meta(ge=0)]
Rank = Annotated[int, Meta(ge=1, description="1 is best.")]
Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
Season = Annotated[str, Meta(description="`all-time`, or the season's start.")]


class Shape(msgspec.Struct, forbid_unknown_fields=True):
    """What is not named here does not come."""


# --- Bodies ---------------------------------------------------------------------------------------------------------------


class Submit(Asked, forbid_unknown_fields=True):
    """One play. Whole numbers are written as such: 1.0 is refused."""


class Batch(Shape):
    """Plays. An item that can't be taken gets a problem in its place; the others land."""

    scores: Annotated[list[Any], Meta(min_length=1, max_length=1000, description="Each is a Submit.")]


# --- Answers --------------------------------------------------------------------------------------------------------------


class Result(Shape):
    """What a player holds on one board after a submit."""

    leaderboard: str
    season: Season
    total_score: Whole
    subscore: Whole
    rank: Rank
    previous_rank: Rank | None
    improved: bool
    total: Count


class Submitted(Shape):
    """A play that is stored."""

    session_id: int
    player: str
    score: Whole
    subscore: Whole
    game_mode: str
    timestamp: Time
    results: list[Result]


class Problem(Shape):
    """A refusal, RFC 9457."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    request_id: str
    errors: list[dict[str, str]] | UnsetType = UNSET


class Failed(Shape):
    """An item of a batch that was refused."""

    error: Problem


class BatchDone(Shape):
    """In the order of the items."""

    results: list[
        Annotated[
            dict[str, Any],
            Meta(extra_json_schema={"oneOf": [{"$ref": "#/components/schemas/Submitted"}, {"$ref": "#/components/schemas/Failed"}]}),
        ]
    ]


class Row(Shape):
    """An entry with its place."""

    rank: Rank
    player: str
    name: str
    score: Whole
    subscore: Whole
    submissions: Count
    achieved_at: Time


class Top(Shape):
    """Rows from the top."""

    leaderboard: str
    season: Season
    epoch: str
    offset: Count
    entries: list[Row]
    total: Count


class Around(Top):
    """A player's row and its neighbours."""

    player: str


class Ranked(Row):
    """One player's row."""

    leaderboard: str
    season: Season
    epoch: str
    offset: Count
    total: Count
    percentile: Annotated[float, Meta(ge=0, le=100)]


class Definition(Shape):
    """A leaderboard as it is listed."""

    leaderboard: str
    title: str
    game: str
    operator: Annotated[str, Meta(extra_json_schema={"enum": ["best", "sum", "latest", "count"]})]
    sort_order: Annotated[str, Meta(extra_json_schema={"enum": ["desc", "asc"]})]
    subscore_order: Annotated[str, Meta(extra_json_schema={"enum": ["desc", "asc"]})]
    game_mode: str
    reset_schedule: str
    time_zone: str
    min_score: Whole | None
    max_score: Whole | None
    authoritative: bool
    is_active: bool
    metadata: dict[str, Any]
    season: Season
    season_ends: Time | None


class Described(Definition):
    """A leaderboard with its size and position."""

    entries: Count
    tie_rule: str
    epoch: str
    offset: Count


class Boards(Shape):
    """The active leaderboards."""

    leaderboards: list[Definition]


# --- Version 2 ------------------------------------------------------------------------------------------------------------


class Info(Shape):
    """The position of the answer in the live feed, its time, and the request's id."""

    epoch: str | None
    offset: Count | None
    as_of: Time
    request_id: str


class Links(Shape):
    """What was asked for, and the pages beside it."""

    self: str
    next: str | UnsetType = UNSET
    prev: str | UnsetType = UNSET


# --- For machines ---------------------------------------------------------------------------------------------------------


class Alive(Shape):
    """The process answers."""

    status: str


class Check(Shape):
    """One dependency."""

    ok: bool
    ms: float
    error: str | UnsetType = UNSET


class Ready(Shape):
    """Each dependency with its time."""

    status: Annotated[str, Meta(extra_json_schema={"enum": ["ready", "degraded", "unavailable"]})]
    checks: dict[str, Check]
