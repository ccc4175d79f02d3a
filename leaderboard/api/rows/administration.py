"""Keeping leaderboards, and moderating their entries."""

from leaderboard.api import shapes
from leaderboard.api.administration import BoardChanges, NewBoard
from leaderboard.api.moderation import EDITS_LIMIT, EditBody
from leaderboard.api.rows.parts import KEY, OF_A_BOARD, OF_A_PLAYER, SEASON, V1, WRITTEN, Operation, flag, query
from leaderboard.domain import errors
from leaderboard.services.moderation import REASON_LENGTH

_BOARD = f"{V1}leaderboard/{{board}}/"
_REASON = query("reason", "Kept with the edit", type="string", maxLength=REASON_LENGTH, default="")
_LIMIT = query("limit", "Edits", type="integer", minimum=1, maximum=EDITS_LIMIT, default=100)

OPERATIONS: dict[str, Operation] = {
    f"POST {V1}leaderboard/": Operation(
        "create_leaderboard", "Make a leaderboard", {201: shapes.Definition}, (*WRITTEN, errors.SlugTaken, errors.InvalidDefinition), KEY,
        NewBoard, {"leaderboard": "spring-cup", "title": "Spring cup", "max_score": 5000},
    ),
    f"PATCH {_BOARD}": Operation(
        "change_leaderboard", "Change a leaderboard, or say what a change would do",
        {200: (shapes.Definition, shapes.DryRun), 202: shapes.RerankingBegun},
        (*WRITTEN, errors.LeaderboardNotFound, errors.InvalidDefinition, errors.RerankingUnderWay, errors.TooLargeForDryRun), KEY,
        BoardChanges, {"title": "Cup of the spring"}, (flag("dry_run", "Say what it would do, and do nothing"),),
    ),
    f"DELETE {_BOARD}": Operation(
        "delete_leaderboard", "Make a leaderboard inactive, or delete it for good", {204: None},
        (*WRITTEN, errors.LeaderboardNotFound), KEY, parameters=(flag("hard", "For good"),),
    ),
    f"GET {_BOARD}rerankings/": Operation(
        "rerankings", "How far changes of a leaderboard's rules are, the newest first", {200: shapes.Rerankings}, OF_A_BOARD, KEY
    ),
    f"GET {_BOARD}rerankings/{{number}}/": Operation("reranking", "How far one is", {200: shapes.Reranking}, OF_A_BOARD, KEY),
    f"PATCH {_BOARD}entries/{{player}}/": Operation(
        "edit_entry", "Give an entry another value", {200: shapes.EditDone},
        (*OF_A_PLAYER, errors.CsrfFailed, errors.ScoreOutOfRange), KEY, EditBody, {"score": 700, "reason": "level 3 was bugged"}, (SEASON,),
    ),
    f"DELETE {_BOARD}entries/{{player}}/": Operation(
        "remove_entry", "Take an entry off its board", {200: shapes.EditDone}, (*OF_A_PLAYER, errors.CsrfFailed), KEY,
        parameters=(_REASON, SEASON),
    ),
    f"GET {_BOARD}edits/": Operation(
        "edits", "Who edited what, and why, the newest first", {200: shapes.Edits}, OF_A_BOARD, KEY, parameters=(_LIMIT,)
    ),
}  # fmt: skip
