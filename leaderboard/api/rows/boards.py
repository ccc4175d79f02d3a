"""Reading leaderboards."""

from leaderboard.api import shapes
from leaderboard.api.rows.parts import (
    CREDENTIALED,
    OF_A_BOARD,
    OF_A_PLAYER,
    OF_A_SEASON,
    OFFSET,
    RANKING,
    READER,
    SEASON,
    SUBSCORE,
    V1,
    Operation,
    limit,
    query,
    score,
)
from leaderboard.domain import errors
from leaderboard.services import race
from leaderboard.services.ranges import NAMES_MAX
from leaderboard.services.standings import OFFSET_MAX

_BOARD = f"GET {V1}leaderboard/{{board}}/"
_PLAYERS = query(
    "players", f"Of some players, 1 to {NAMES_MAX}: their names with commas between them", type="string", minLength=1, example="ada,bo"
)
_PLAYER = query("player", "The same, each name by itself", type="array", items={"type": "string", "minLength": 1}, maxItems=NAMES_MAX)
_RANKS = (
    query("rank_from", "Of a range of ranks: the first", type="integer", minimum=1, maximum=OFFSET_MAX + 1),
    query("rank_to", "And the last, at most 1000 rows on", type="integer", minimum=1),
)
_SCORES = (
    score("score_from", "Of a range of scores: the least; either may be left out"),
    score("score_to", "And the largest"),
    limit(10, "Rows of the range of scores"),
    OFFSET,
)

OPERATIONS: dict[str, Operation] = {
    f"GET {V1}leaderboard/": Operation(
        "list_leaderboards", "List the leaderboards", {200: shapes.Boards}, CREDENTIALED, READER, has_tag=True
    ),
    f"{_BOARD}": Operation(
        "describe_leaderboard", "One leaderboard's definition and size", {200: shapes.Described}, OF_A_BOARD, READER, has_tag=True
    ),
    f"{_BOARD}top/": Operation(
        "top", "Rows from the top", {200: shapes.Top}, OF_A_SEASON, READER, parameters=(limit(10, "Rows"), OFFSET, SEASON, RANKING),
        has_tag=True,
    ),
    f"{_BOARD}rank/{{player}}/": Operation(
        "rank", "One player's row", {200: shapes.Ranked}, OF_A_PLAYER, READER, parameters=(SEASON, RANKING), has_tag=True
    ),
    f"{_BOARD}around/{{player}}/": Operation(
        "around", "A player's row and its neighbours", {200: shapes.Around}, OF_A_PLAYER, READER,
        parameters=(limit(5, "Rows on either side"), SEASON, RANKING), has_tag=True,
    ),
    f"{_BOARD}entries/": Operation(
        "entries", "The rows of some players, or of a range of ranks or scores: ask for one of the three", {200: shapes.Chosen},
        OF_A_SEASON, READER, parameters=(_PLAYERS, _PLAYER, *_RANKS, *_SCORES, SEASON, RANKING), has_tag=True,
    ),
    f"{_BOARD}percentile/": Operation(
        "percentile", "The percentile of a player or a score, or the row at which one begins: ask for one of the three",
        {200: (shapes.Ranked, shapes.Placed)}, (*OF_A_PLAYER, errors.ScoreOutOfRange), READER,
        parameters=(
            query("player", "Whose row", type="string", example="ada"), score("score", "Of a new entry"), SUBSCORE,
            query("percentile", "0 to 100, with up to two decimals", type="string", pattern=r"^[0-9]{1,3}(\.[0-9]{1,2})?$"), SEASON,
        ), has_tag=True,
    ),
    f"{_BOARD}what_if/": Operation(
        "what_if", "Where a score would stand; nothing is written", {200: shapes.WhatIf},
        (*OF_A_SEASON, errors.InvalidPlayer, errors.ScoreOutOfRange, errors.TotalOutOfRange), READER, parameters=(
            score("score", "Of the play", required=True, example=1200), SUBSCORE,
            query("player", "Whose play it would be; without one, of a new entry", type="string", example="ada"), SEASON,
        ), has_tag=True,
    ),
    f"{_BOARD}race/": Operation(
        "race", "The scores of the best over the last minutes", {200: shapes.Race}, (*OF_A_BOARD, errors.Overloaded), READER, parameters=(
            query("limit", "Players", type="integer", minimum=1, maximum=race.LIMIT_MAX, default=10),
            query("minutes", "How far back", type="integer", minimum=1, maximum=race.MINUTES_MAX, default=60),
        ), has_tag=True,
    ),
}  # fmt: skip
