"""The operations that read chosen entries, percentiles and what would be; see `request`. Answers are made as in `reads`."""

import re
from functools import partial
from typing import Any
from urllib.parse import parse_qs

from leaderboard import runtime
from leaderboard.api.reads import BY_READER, READERS, answered, find, of_board, ranking_asked, season_asked, whole
from leaderboard.api.request import ApiRequest, Told, in_a_task
from leaderboard.domain.errors import InvalidParameter
from leaderboard.domain.score import SCORE_LIMIT
from leaderboard.domain.text import clean_name
from leaderboard.services.credentials import Credential
from leaderboard.services.standings import check_window

Values = dict[str, list[str]]

FIELDS_MAX = 200  # of a query; 100 players may come each by itself

_PERCENTILE = re.compile(r"[0-9]{1,3}(\.[0-9]{1,2})?")  # no finer than those that are told
_KINDS = (("players", "player"), ("rank_from", "rank_to"), ("score_from", "score_to"))  # what `entries` may be asked for


def entries(request: ApiRequest, told: Told, board: str) -> None:
    """Entries of some players, of a range of ranks or of a range of scores."""
    in_a_task(of_board(request, told, board, partial(_entries, request, board)), told)


def percentile(request: ApiRequest, told: Told, board: str) -> None:
    """The percentile of a player or a score, or the row at which one begins."""
    in_a_task(of_board(request, told, board, partial(_percentile, request, board)), told)


def what_if(request: ApiRequest, told: Told, board: str) -> None:
    """Where a score would stand; nothing is written."""
    in_a_task(of_board(request, told, board, partial(_what_if, request, board)), told)


def player_standings(request: ApiRequest, told: Told, player: str) -> None:
    """One player on all leaderboards that who asks may read."""
    in_a_task(answered(request, told, BY_READER, _player_standings(request, player)), told)


def player_sessions(request: ApiRequest, told: Told, player: str) -> None:
    """A player's plays in the credential's game, the newest first."""
    in_a_task(answered(request, told, READERS, _player_sessions(request, player)), told)


def player_history(request: ApiRequest, told: Told, player: str) -> None:
    """The plays that made a player's entry better."""
    in_a_task(answered(request, told, BY_READER, _player_history(request, player)), told)


async def _entries(request: ApiRequest, board: str) -> dict[str, Any]:
    values, ranges, now = values_of(request), runtime.services().ranges, runtime.utc_now()
    kind = _one_of(values, _KINDS)
    limit, offset = whole(values, "limit", 10), whole(values, "offset", 0)
    check_window(limit, offset)  # also where they choose nothing
    how: dict[str, Any] = {"season": season_asked(values), "ranking": ranking_asked(values), "now": now}
    if kind == "players":
        names = [name for text in values.get("players", []) for name in text.split(",")] + values.get("player", [])
        return await ranges.of_players(await find(request, board), names, **how)
    if kind == "rank_from":
        first, last = _needed(values, "rank_from"), _needed(values, "rank_to")
        return await ranges.by_rank(await find(request, board), first, last, **how)
    low, high = whole(values, "score_from", -SCORE_LIMIT), whole(values, "score_to", SCORE_LIMIT)
    return await ranges.by_score(await find(request, board), low, high, limit=limit, offset=offset, **how)


async def _percentile(request: ApiRequest, board: str) -> dict[str, Any]:
    values, services, now = values_of(request), runtime.services(), runtime.utc_now()
    kind = _one_of(values, (("player",), ("score",), ("percentile",)))
    season = season_asked(values)
    if "subscore" in values and kind != "score":
        raise _wrong("subscore", "goes with score")
    if kind == "player":
        return await services.standings.rank(board, values["player"][-1], season=season, now=now)
    if kind == "score":
        score, subscore = _needed(values, "score"), whole(values, "subscore", 0)
        return await services.ranges.percentile_of(await find(request, board), score, subscore, season=season, now=now)
    text = values["percentile"][-1]
    if not _PERCENTILE.fullmatch(text):
        raise _wrong("percentile", "0 to 100, with at most two decimals")
    return await services.ranges.row_at(await find(request, board), float(text), season=season, now=now)


async def _what_if(request: ApiRequest, board: str) -> dict[str, Any]:
    values = values_of(request)
    score, subscore = _needed(values, "score"), whole(values, "subscore", 0)
    player = clean_name(values["player"][-1], what="player") if "player" in values else None
    known = await find(request, board)
    how: dict[str, Any] = {"player": player, "season": season_asked(values), "now": runtime.utc_now()}
    return await runtime.services().ranges.what_if(known, score, subscore, **how)


async def _player_standings(request: ApiRequest, player: str) -> dict[str, Any]:
    values = values_of(request)
    game, credential = values.get("game", [""])[-1], await _credential(request)
    return await runtime.services().careers.standings(player, game=game, credential=credential, now=runtime.utc_now())


async def _player_sessions(request: ApiRequest, player: str) -> dict[str, Any]:
    values, credential = values_of(request), await _credential(request)
    before = _needed(values, "before") if "before" in values else None
    return await runtime.services().careers.sessions(player, credential=credential, limit=whole(values, "limit", 20), before=before)


async def _player_history(request: ApiRequest, player: str) -> dict[str, Any]:
    values = values_of(request)
    if "leaderboard" not in values:
        raise _wrong("leaderboard", "a slug, which is missing")
    season, limit = season_asked(values), whole(values, "limit", 100)
    known = await find(request, values["leaderboard"][-1])
    return await runtime.services().careers.history(known, player, season=season, limit=limit, now=runtime.utc_now())


# --- Who asks ----------------------------------------------------------------------------------------------------------------


async def _credential(request: ApiRequest) -> Credential | None:
    """Whose the request is by its header. Raises NotAuthenticated for a header that is nobody's."""
    header = request.headers.get(b"authorization")
    return None if header is None else await runtime.services().credentials.find(header, now=runtime.utc_now())


# --- The question ------------------------------------------------------------------------------------------------------------


def values_of(request: ApiRequest) -> Values:
    """Raises InvalidParameter."""
    try:
        return parse_qs(request.query.decode("latin-1"), keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except ValueError:
        raise InvalidParameter(f"A query has at most {FIELDS_MAX} parameters.") from None


def _one_of(values: Values, kinds: tuple[tuple[str, ...], ...]) -> str:
    """The first name of the one kind that is asked for. Raises InvalidParameter."""
    asked = [names[0] for names in kinds if any(name in values for name in names)]
    if len(asked) != 1:
        shown = "; ".join(" and ".join(names) for names in kinds)
        raise InvalidParameter(
            f"Ask for exactly one of: {shown}.", errors=[{"field": names[0], "detail": "one of them"} for names in kinds]
        )
    return asked[0]


def _needed(values: Values, name: str) -> int:
    """Raises InvalidParameter."""
    if name not in values:
        raise _wrong(name, "a whole number, which is missing")
    return whole(values, name, 0)


def _wrong(field: str, detail: str) -> InvalidParameter:
    return InvalidParameter(f"{field}: {detail}.", errors=[{"field": field, "detail": detail}])
