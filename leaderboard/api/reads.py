"""The operations that read boards. See `request` for what an operation is.

Every answer has an entity tag, and a client that names it in If-None-Match gets 304 without a body while the answer is the same. The
tag is a digest of the body, so it is strong and the same whichever process answers.
"""

import re
from collections.abc import Awaitable
from functools import lru_cache, partial
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from leaderboard import runtime
from leaderboard.api.request import JSON, Answer, ApiRequest, Header, Told, in_a_task
from leaderboard.domain.errors import InvalidParameter
from leaderboard.services.answers import Encoded, encoded
from leaderboard.services.standings import Known, check_window

QUERY_LENGTH = 100  # of a query that is remembered; all that are right are shorter

_VERSION = "/api/v1/"
_NO_CACHE = (b"cache-control", b"no-cache")  # keep it, but ask whether it is still right: the next score may change it
_VARY = (b"vary", b"accept")  # where the version is in the Accept header
_TAG = re.compile(rb'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


class Asked(NamedTuple):
    """A query string. Of a parameter that comes twice the last one counts."""

    season: str
    limit: int
    offset: int


def boards(request: ApiRequest, told: Told) -> None:
    """Every active leaderboard's definition."""
    in_a_task(_answered(request, told, runtime.services().standings.boards(now=runtime.utc_now())), told)


def detail(request: ApiRequest, told: Told, board: str) -> None:
    """One definition, its season, entry count, tie rule and position."""
    in_a_task(_answered(request, told, runtime.services().standings.describe(board, now=runtime.utc_now())), told)


def top(request: ApiRequest, told: Told, board: str) -> None:
    """Rows from rank offset+1."""
    asked = _asked(request.query, 10, 0)
    known = runtime.services().standings.held(board)
    if known is None:
        in_a_task(_top_of_a_stranger(request, told, board, asked), told)
    else:
        _top(request, told, known, asked)


def rank(request: ApiRequest, told: Told, board: str, player: str) -> None:
    """One player's row, with total and percentile."""
    asked = _asked(request.query)
    work = runtime.services().standings.rank(board, player, season=asked.season, now=runtime.utc_now())
    in_a_task(_answered(request, told, work), told)


def around(request: ApiRequest, told: Told, board: str, player: str) -> None:
    """A player's row and its neighbours."""
    asked = _asked(request.query, 5)
    work = runtime.services().standings.around(board, player, season=asked.season, limit=asked.limit, now=runtime.utc_now())
    in_a_task(_answered(request, told, work), told)


async def _top_of_a_stranger(request: ApiRequest, told: Told, board: str, asked: Asked) -> None:
    check_window(asked.limit, asked.offset)
    _top(request, told, await runtime.services().standings.find(board), asked)


def _top(request: ApiRequest, told: Told, known: Known, asked: Asked) -> None:
    runtime.services().standings.begin_top(
        known,
        season=asked.season,
        limit=asked.limit,
        offset=asked.offset,
        now=runtime.utc_now(),
        told=partial(_told, request, told),
    )


async def _answered(request: ApiRequest, told: Told, work: Awaitable[dict[str, Any]]) -> None:
    _told(request, told, encoded(await work))


# --- The answer ------------------------------------------------------------------------------------------------------------


def _told(request: ApiRequest, told: Told, outcome: Encoded | BaseException) -> None:
    told(_answer(request, outcome) if isinstance(outcome, Encoded) else outcome)


def _answer(request: ApiRequest, found: Encoded) -> Answer:
    headers: tuple[Header, ...] = ((b"etag", found.tag), _NO_CACHE)
    if not request.path.startswith(_VERSION):
        headers = (*headers, _VARY)
    held = request.headers.get(b"if-none-match")
    if held is not None and _is_held(held, found.tag):
        return Answer(304, b"", headers)
    return Answer(200, found.body, JSON + headers)


def _is_held(held: bytes, tag: bytes) -> bool:
    """Whether an If-None-Match names the tag: by itself, in a list, as a weak one (a proxy that compresses makes it so), or by *."""
    return held == tag or held.strip() == b"*" or tag in _TAG.findall(held)


# --- The question ----------------------------------------------------------------------------------------------------------


def _asked(query: bytes, limit: int | None = None, offset: int | None = None) -> Asked:
    """`limit` and `offset` are the defaults of a route that has them; other routes do not look. Raises InvalidParameter."""
    return _remembered(query, limit, offset) if len(query) <= QUERY_LENGTH else _read(query, limit, offset)


def _read(query: bytes, limit: int | None, offset: int | None) -> Asked:
    values = parse_qs(query.decode("latin-1"), keep_blank_values=True) if query else {}
    return Asked(values.get("season", [""])[-1] or "current", _whole(values, "limit", limit), _whole(values, "offset", offset))


_remembered = lru_cache(maxsize=4096)(_read)


def _whole(values: dict[str, list[str]], name: str, default: int | None) -> int:
    """A plain decimal integer: no sign but minus, no underscore, no space. Raises InvalidParameter."""
    if default is None or name not in values:
        return default or 0
    text = values[name][-1]
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 18):
        raise InvalidParameter(f"{name} must be a whole number.", errors=[{"field": name, "detail": "a whole number"}])
    return int(text)
