"""The operations that read boards. See `request` for what an operation is.

Every answer has an entity tag, and a client that names it in If-None-Match gets 304 without a body while the answer is the same. The
tag is a digest of the body, so it is strong and the same whichever process answers.

A private board is answered to who may read it, and its answers say that nobody but the client may keep them. A read of yours: ask
`may_read` where nothing may wait, else `find`, and give the definition to `answered`.
"""

import re
from collections.abc import Awaitable, Callable
from functools import lru_cache, partial
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from leaderboard import runtime
from leaderboard.api.auth import authenticate, held_credential
from leaderboard.api.request import JSON, Answer, ApiRequest, Header, Told, in_a_task
from leaderboard.domain.definition import Definition
from leaderboard.domain.errors import InvalidParameter, NotAuthenticated
from leaderboard.domain.ranking import Ranking
from leaderboard.services.answers import Encoded, encoded
from leaderboard.services.credentials import Credential, check_may_read
from leaderboard.services.standings import Known, check_window

QUERY_LENGTH = 100  # of a query that is remembered; all that are right are shorter

_VERSION = "/api/v"  # where the path has it
_NO_CACHE = (b"cache-control", b"no-cache")  # keep it, but ask whether it is still right: the next score may change it
_PRIVATE = (b"cache-control", b"private, no-cache")
_VARY = (b"vary", b"authorization")

Audience = tuple[Header, ...]  # whose an answer is, as caches are told
EVERYBODYS: Audience = (_NO_CACHE,)
BY_READER: Audience = (_NO_CACHE, _VARY)  # others may be told more
READERS: Audience = (_PRIVATE, _VARY)
_BY_VERSION: dict[Audience, Audience] = {  # where the version is in the Accept header
    EVERYBODYS: (_NO_CACHE, (b"vary", b"accept")),
    BY_READER: (_NO_CACHE, (b"vary", b"accept, authorization")),
    READERS: (_PRIVATE, (b"vary", b"accept, authorization")),
}
_TAG = re.compile(rb'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


class Asked(NamedTuple):
    """A query string. Of a parameter that comes twice the last one counts."""

    season: str
    limit: int
    offset: int
    ranking: Ranking


def boards(request: ApiRequest, told: Told) -> None:
    """Every active leaderboard's definition: the public ones, and those that who asks may read."""
    in_a_task(_boards(request, told), told)


def detail(request: ApiRequest, told: Told, board: str) -> None:
    """One definition, its season, entry count, tie rule and position."""
    in_a_task(of_board(request, told, board, partial(runtime.services().standings.describe, board, now=runtime.utc_now())), told)


def top(request: ApiRequest, told: Told, board: str) -> None:
    """Rows from rank offset+1."""
    asked = _asked(request.query, 10, 0)
    known = runtime.services().standings.held(board)
    if known is None or not may_read(request, known.definition):
        in_a_task(_top_of_a_stranger(request, told, board, asked), told)
    else:
        _top(request, told, known, asked)


def rank(request: ApiRequest, told: Told, board: str, player: str) -> None:
    """One player's row, with total and percentile."""
    asked = _asked(request.query)
    work = partial(runtime.services().standings.rank, board, player, season=asked.season, now=runtime.utc_now(), ranking=asked.ranking)
    in_a_task(of_board(request, told, board, work), told)


def around(request: ApiRequest, told: Told, board: str, player: str) -> None:
    """A player's row and its neighbours."""
    asked = _asked(request.query, 5)
    how: dict[str, Any] = {"season": asked.season, "limit": asked.limit, "now": runtime.utc_now(), "ranking": asked.ranking}
    in_a_task(of_board(request, told, board, partial(runtime.services().standings.around, board, player, **how)), told)


async def _top_of_a_stranger(request: ApiRequest, told: Told, board: str, asked: Asked) -> None:
    check_window(asked.limit, asked.offset)
    _top(request, told, await find(request, board), asked)


def _top(request: ApiRequest, told: Told, known: Known, asked: Asked) -> None:
    runtime.services().standings.begin_top(
        known,
        season=asked.season,
        limit=asked.limit,
        offset=asked.offset,
        now=runtime.utc_now(),
        told=partial(_told, request, told, EVERYBODYS if known.definition.is_public else READERS),
        ranking=asked.ranking,
    )


async def _boards(request: ApiRequest, told: Told) -> None:
    found, private = await runtime.services().standings.boards(now=runtime.utc_now(), credential=await _reader(request))
    _told(request, told, READERS if private else BY_READER, encoded(found))


async def of_board(request: ApiRequest, told: Told, board: str, work: Callable[[], Awaitable[dict[str, Any] | Encoded]]) -> None:
    """Tell what `work` says of a board, if who asks may read it."""
    definition = (await find(request, board)).definition
    await answered(request, told, EVERYBODYS if definition.is_public else READERS, work())


async def answered(request: ApiRequest, told: Told, audience: Audience, work: Awaitable[dict[str, Any] | Encoded]) -> None:
    """Tell what `work` says, whoever asks."""
    found = await work
    _told(request, told, audience, found if isinstance(found, Encoded) else encoded(found))


# --- Who may ask -------------------------------------------------------------------------------------------------------------


def may_read(request: ApiRequest, definition: Definition) -> bool:
    """Whether who asks is known to be allowed to; False if it takes I/O to say, see `find`. A public board costs nothing.

    Raises NotAuthenticated, Forbidden or, for another game's credential, LeaderboardNotFound.
    """
    if definition.is_public:
        return True
    credential = held_credential(request)
    if credential is None and b"authorization" in request.headers:
        return False
    check_may_read(definition, credential)
    return True


async def find(request: ApiRequest, board: str) -> Known:
    """A leaderboard that who asks may read. Raises as `may_read`."""
    known = await runtime.services().standings.find(board)
    if not may_read(request, known.definition):
        check_may_read(known.definition, await authenticate(request))
    return known


async def _reader(request: ApiRequest) -> Credential | None:
    """Who asks; None for nobody, and for a credential that is none: public boards are everybody's."""
    if b"authorization" not in request.headers:
        return None
    try:
        return held_credential(request) or await authenticate(request)
    except NotAuthenticated:
        return None


# --- The answer ------------------------------------------------------------------------------------------------------------


def _told(request: ApiRequest, told: Told, audience: Audience, outcome: Encoded | BaseException) -> None:
    told(_answer(request, outcome, audience) if isinstance(outcome, Encoded) else outcome)


def _answer(request: ApiRequest, found: Encoded, audience: Audience) -> Answer:
    policy = audience if request.path.startswith(_VERSION) else _BY_VERSION[audience]
    headers: tuple[Header, ...] = ((b"etag", found.tag), *policy)
    held = request.headers.get(b"if-none-match")
    if held is not None and is_held(held, found.tag):
        return Answer(304, b"", headers)
    return Answer(200, found.body, JSON + headers)


def is_held(held: bytes, tag: bytes) -> bool:
    """Whether an If-None-Match names the tag: by itself, in a list, as a weak one (a proxy that compresses makes it so), or by *."""
    return held == tag or held.strip() == b"*" or tag in _TAG.findall(held)


# --- The question ----------------------------------------------------------------------------------------------------------


def _asked(query: bytes, limit: int | None = None, offset: int | None = None) -> Asked:
    """`limit` and `offset` are the defaults of a route that has them; other routes do not look. Raises InvalidParameter."""
    return _remembered(query, limit, offset) if len(query) <= QUERY_LENGTH else _read(query, limit, offset)


def _read(query: bytes, limit: int | None, offset: int | None) -> Asked:
    values = parse_qs(query.decode("latin-1"), keep_blank_values=True) if query else {}
    return Asked(season_asked(values), whole(values, "limit", limit), whole(values, "offset", offset), ranking_asked(values))


_remembered = lru_cache(maxsize=4096)(_read)


def season_asked(values: dict[str, list[str]]) -> str:
    return values.get("season", [""])[-1] or "current"


def ranking_asked(values: dict[str, list[str]]) -> Ranking:
    """Raises InvalidParameter."""
    text = values.get("ranking", [""])[-1] or Ranking.ORDINAL
    if text not in list(Ranking):
        known = ", ".join(Ranking)
        raise InvalidParameter(f"ranking must be one of {known}.", errors=[{"field": "ranking", "detail": known}])
    return Ranking(text)


def whole(values: dict[str, list[str]], name: str, default: int | None) -> int:
    """A plain decimal integer: no sign but minus, no underscore, no space. Raises InvalidParameter."""
    if default is None or name not in values:
        return default or 0
    text = values[name][-1]
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 18):
        raise InvalidParameter(f"{name} must be a whole number.", errors=[{"field": name, "detail": "a whole number"}])
    return int(text)
