"""What rows are made of: who may ask, what is asked with, and what may be refused."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from leaderboard.domain import errors
from leaderboard.domain.errors import Refusal
from leaderboard.domain.ranking import Ranking
from leaderboard.domain.score import SCORE_LIMIT
from leaderboard.services.standings import LIMIT_MAX, OFFSET_MAX

Json = dict[str, Any]
Security = tuple[Mapping[str, list[str]], ...]

V1 = "/api/v1/"


# --- Who may ask ----------------------------------------------------------------------------------------------------------

SCHEMES: Json = {
    "ApiKey": {"type": "apiKey", "in": "header", "name": "Authorization", "description": "A game server's: `Api-Key <key>`"},
    "Bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "A player's access token"},
    "Ticket": {"type": "apiKey", "in": "header", "name": "Authorization", "description": "Opens private boards: `Ticket <ticket>`"},
    "Session": {"type": "apiKey", "in": "cookie", "name": "sessionid", "description": "A signed-in browser's"},
    "Csrf": {"type": "apiKey", "in": "header", "name": "X-CSRFToken", "description": "The value of the cookie `csrftoken`"},
}
KEY: Security = ({"ApiKey": []},)
PLAYER: Security = ({"Bearer": []},)
TICKET: Security = ({"Ticket": []},)
BROWSER: Security = ({"Session": []},)
WRITING_BROWSER: Security = ({"Session": [], "Csrf": []},)
WRITER: Security = (*KEY, *PLAYER, *TICKET, *WRITING_BROWSER)
READER: Security = ({}, *KEY, *PLAYER, *TICKET)  # public boards need nothing
ANYONE: Security = ({},)

# --- What is asked with ---------------------------------------------------------------------------------------------------


def query(name: str, says: str, *, required: bool = False, **schema: Any) -> Json:
    return {"name": name, "in": "query", "description": says, "schema": schema, **({"required": True} if required else {})}


def header(name: str, says: str, **schema: Any) -> Json:
    return {"name": name, "in": "header", "description": says, "schema": {"type": "string", **schema}}


def limit(default: int, says: str) -> Json:
    return query("limit", says, type="integer", minimum=1, maximum=LIMIT_MAX, default=default)


def score(name: str, says: str, *, required: bool = False, **schema: Any) -> Json:
    return query(name, says, required=required, type="integer", minimum=-SCORE_LIMIT, maximum=SCORE_LIMIT, **schema)


def flag(name: str, says: str) -> Json:
    return query(name, says, type="string", enum=["true", "false"], default="false")


SEASON = query("season", "`current`, `previous`, `all-time`, or a season's start as answers name it", type="string", default="current")
OFFSET = query("offset", "Rows to skip", type="integer", minimum=0, maximum=OFFSET_MAX, default=0)
RANKING = query(
    "ranking", "Which ranks equals get; empty is the default", type="string", enum=[*Ranking, ""], default=Ranking.ORDINAL.value
)
SUBSCORE = score("subscore", "Ranks among equal scores", default=0)
CURSOR = query("cursor", "As a link has it; it goes without `offset` and `season`", type="string")
IF_NONE_MATCH = header("If-None-Match", "Tags that are held")
PATH: dict[str, Json] = {
    "board": {"description": "The leaderboard's slug", "example": "global"},
    "player": {"description": "The name under which the player's scores come in", "example": "ada"},
    "number": {"description": "The re-ranking's `id`", "example": 1},
}

# --- What is refused ------------------------------------------------------------------------------------------------------

EVERYWHERE = (
    errors.InvalidParameter,
    errors.NotFound,
    errors.RequestTimeout,
    errors.BodyTooLarge,
    errors.TargetTooLong,
    errors.HeadersTooLarge,
    errors.InternalError,
    errors.Overloaded,
    errors.StoreUnavailable,
)
COUNTED = (errors.RateLimited,)  # under /api/
WITH_BODY = (errors.InvalidBody, errors.UnsupportedMediaType)
CREDENTIALED = (errors.NotAuthenticated, errors.Forbidden)
WRITTEN = (*CREDENTIALED, errors.CsrfFailed)
OF_A_BOARD = (*CREDENTIALED, errors.LeaderboardNotFound)
OF_A_SEASON = (*OF_A_BOARD, errors.SeasonNotFound)
OF_A_PLAYER = (*OF_A_SEASON, errors.NotRanked)


class Operation(NamedTuple):
    """A route's method. `answers` are shapes by status: a struct, a tuple of which it is one, None where there is no body, or str for
    text of the type `media`."""

    id: str
    summary: str
    answers: Mapping[int, Any]
    refusals: tuple[type[Refusal], ...] = ()
    who: Security = ANYONE
    body: Any = None
    body_example: Json | None = None
    parameters: tuple[Json, ...] = ()
    media: str = "application/json"
    has_tag: bool = False  # an ETag, and 304 to who holds it
