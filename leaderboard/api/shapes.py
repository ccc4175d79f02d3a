"""The shapes of bodies and answers, for the OpenAPI document. Answers are built elsewhere; tests hold that they have these shapes."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from leaderboard.domain.ranking import Ranking
from leaderboard.domain.score import SCORE_LIMIT
from leaderboard.services.checking import Asked
from leaderboard.services.sign_in import Profile, Signed

Whole = Annotated[int, Meta(ge=-SCORE_LIMIT, le=SCORE_LIMIT)]
Count = Annotated[int, Meta(ge=0)]
Rank = Annotated[int, Meta(ge=1, description="1 is best.")]
Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
Season = Annotated[str, Meta(description="`all-time`, or the season's start.")]
Percentile = Annotated[float, Meta(ge=0, le=100)]
Shared = Annotated[
    str | UnsetType, Meta(description="Where ranks other than ordinal ones were asked for.", extra_json_schema={"enum": [*Ranking]})
]


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
    ranking: Shared = UNSET


class Chosen(Top):
    """The rows that were asked for."""

    missing: list[str] | UnsetType = UNSET  # of players


class Around(Top, kw_only=True):
    """A player's row and its neighbours."""

    player: str


class Ranked(Row):
    """One player's row."""

    leaderboard: str
    season: Season
    epoch: str
    offset: Count
    total: Count
    percentile: Percentile
    ranking: Shared = UNSET


class Placed(Shape):
    """Where a new entry would stand."""

    leaderboard: str
    season: Season
    epoch: str
    offset: Count
    score: Whole
    subscore: Whole
    rank: Rank
    percentile: Percentile
    total: Count


class Ahead(Shape):
    """Who stands just before, and how many points would pass that row; null: none would."""

    rank: Rank
    player: str
    name: str
    score: Whole
    subscore: Whole
    points: Count | None


class WhatIf(Placed, kw_only=True):
    """Where a score would stand."""

    next: Ahead | None
    would_improve: bool | UnsetType = UNSET  # of a player


class Line(Shape):
    """A player's score over time."""

    player: str
    name: str
    rank: Rank
    complete: Annotated[bool, Meta(description="Whether it says all that happened since then.")]
    points: Annotated[list[tuple[Time, Whole]], Meta(max_length=120, description="When, and the score from then on.")]


class Race(Shape):
    """The scores of the best over time."""

    leaderboard: str
    season: Season
    epoch: str
    offset: Count
    since: Time
    until: Time
    players: Annotated[list[Line], Meta(max_length=10)]


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
    is_public: bool
    signed_only: bool
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


# --- Keeping leaderboards -------------------------------------------------------------------------------------------------


class DryRun(Shape):
    """What a change would do."""

    moved: Count
    entries: Count
    dropped: Count
    top: list[Row]


class Reranking(Shape):
    """How far a change of rules is."""

    id: int
    state: Annotated[str, Meta(extra_json_schema={"enum": ["waiting", "running", "done", "failed"]})]
    done: Count
    total: Count
    moved: Count
    changes: dict[str, Any]
    problem: str
    created_at: Time


class RerankingBegun(Shape):
    """A change of rules that begins."""

    reranking: Reranking


class Rerankings(Shape):
    """The last 100, the newest first."""

    rerankings: list[Reranking]


class Before(Shape):
    """What an entry was."""

    score: Whole
    subscore: Whole
    submissions: Count
    session_id: int
    achieved_at: Time


class Edit(Shape):
    """A moderator's word on an entry. `score` is null where it was removed."""

    id: int
    season: Season
    player: str
    score: Whole | None
    subscore: Whole | None
    before: Before
    reason: str
    actor: str
    created_at: Time


class EditDone(Edit, kw_only=True):
    """The edit that was made."""

    leaderboard: str


class Edits(Shape):
    """The last edits, the newest first."""

    leaderboard: str
    edits: list[Edit]


# --- Players --------------------------------------------------------------------------------------------------------------


class TicketMade(Shape):
    """A ticket, good for so many seconds."""

    ticket: str
    expires_in: int


class SignedIn(Signed, frozen=True, forbid_unknown_fields=True):
    """The player, and two tokens: one to ask with, one for the next two."""


class Myself(Profile, frozen=True, forbid_unknown_fields=True):
    """A player as it sees itself. `game` is null for a browser's user."""


class Standing(Shape):
    """A player's row on one leaderboard."""

    leaderboard: str
    season: Season
    rank: Rank
    score: Whole
    subscore: Whole
    submissions: Count
    achieved_at: Time
    total: Count
    percentile: Percentile


class PlayerStandings(Shape):
    """By leaderboard."""

    player: str
    name: str
    standings: list[Standing]


class Play(Shape):
    """A submit that was stored."""

    session_id: int
    score: Whole
    subscore: Whole
    game_mode: str
    metadata: dict[str, Any]
    timestamp: Time


class PlayerSessions(Shape):
    """The newest first. `before` asks for those after them, null: there are none."""

    player: str
    sessions: list[Play]
    before: int | None


class Improvement(Shape):
    """What a player held from this play on."""

    session_id: int
    score: Whole
    subscore: Whole
    achieved_at: Time


class PlayerHistory(Shape):
    """The oldest first. `complete` is false where the season has more plays than are looked at."""

    leaderboard: str
    season: Season
    player: str
    name: str
    complete: bool
    history: list[Improvement]


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
