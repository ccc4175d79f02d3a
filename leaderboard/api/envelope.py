"""Version 2: every answer of version 1 in one envelope, and pages of rows by cursor.

    {"data": <the answer>, "meta": {"epoch", "offset", "as_of", "request_id"}, "links": {"self", "next"?, "prev"?}}

A route of version 1 has its twin by being in `urls`. The view of version 1 does the work; its answer is decoded and put in place
here. An answer's position moves to `meta`; a refusal is the same problem document in both versions.

A cursor names the row at the edge of its page, not a place: the next page begins below wherever that row is by then. So as long as
the row's player does not score, no player that keeps its score is left out or seen twice, whatever others do. If the player
does score, the page begins at the place where the row was. A cursor keeps to the season in which it was given. In a range of
scores places count from the first row of the range. Plays need no cursor: none ever comes between two of them.
"""

import asyncio
import hashlib
from collections.abc import Callable
from functools import partial, wraps
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

import msgspec
from django.core.signing import BadSignature, Signer
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.urls import path

from leaderboard import runtime
from leaderboard.api import more_reads, reads
from leaderboard.api.request import Answer, ApiRequest, DjangoApiRequest
from leaderboard.api.urls import urlpatterns as version_1
from leaderboard.domain.errors import InvalidParameter, Refusal
from leaderboard.services.rows import rfc3339
from leaderboard.services.standings import OFFSET_MAX, check_window

# The routes whose rows come in pages, with their default limit: they take `limit` and `offset` and answer `entries`.
_RANGE = "leaderboard/<str:board>/entries/"  # pages, if it is asked for a range of scores
PAGED = {"leaderboard/<str:board>/top/": 10, _RANGE: 10}
_PLAYS = "players/<path:player>/sessions/"  # answers itself where its next page begins, in `before`

_LENGTH = 4000  # of a cursor; the longest name of emoji makes 2,700
_PLACE = {"cursor", "limit", "offset", "season"}  # what of a query says which rows; the rest goes into the links as it is

_encode = msgspec.json.Encoder().encode
_signer = Signer(salt="leaderboard.api.cursor")

View = Callable[..., Any]  # awaits a response


class Cursor(NamedTuple):
    """The page `after` or before a row, which was in this `place` (from 1) when it was given."""

    board: str
    season: str
    after: bool
    place: int
    player: str
    state: list[Any]  # what changes when the player scores


class Window(NamedTuple):
    """The rows that are asked for, of all or of a range of scores."""

    board: str
    span: dict[str, str]
    limit: int
    offset: int


def enveloped(view: View, route: str) -> View:
    """The view of a route of version 1, for version 2."""

    @wraps(view)
    async def twin(request: DjangoApiRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        itself = request.get_full_path()
        held = request.api.headers.pop(b"if-none-match", None)  # names a tag of version 2, which the view does not know
        window = await _window(request, kwargs["board"], route) if route in PAGED and request.method in ("GET", "HEAD") else None
        response: HttpResponseBase = await view(request, *args, **kwargs)
        if not isinstance(response, HttpResponse) or response.headers.get("Content-Type") != "application/json":
            return response
        data = msgspec.json.decode(response.content)
        links = {"self": itself, **(await _neighbours(request, data, window) if window else {})}
        if route == _PLAYS and data["before"] is not None:
            links["next"] = _address(request, {"before"}, before=data["before"])
        return _in_envelope(request, response, data, links, held)

    return twin


def _in_envelope(request: DjangoApiRequest, response: HttpResponse, data: Any, links: dict[str, str], held: bytes | None) -> HttpResponse:
    position = _take_position(data)
    raw = msgspec.Raw(_encode(data))
    if "ETag" in response.headers:
        # Of what says something: the time and the number of a request would make every answer another one.
        tag = b'"%b"' % hashlib.blake2b(_encode((raw, position, links)), digest_size=12).hexdigest().encode()
        response.headers["ETag"] = tag.decode()
        if held is not None and reads.is_held(held, tag):
            return _not_modified(response)
    meta = {**position, "as_of": rfc3339(runtime.utc_now()), "request_id": request.request_id}
    response.content = _encode({"data": raw, "meta": meta, "links": links})
    return response


def _take_position(data: Any) -> dict[str, Any]:
    """The position in the live feed, out of the answer; of none both are null."""
    if isinstance(data, dict) and "epoch" in data and "offset" in data:
        return {"epoch": data.pop("epoch"), "offset": data.pop("offset")}
    return {"epoch": None, "offset": None}


def _not_modified(response: HttpResponse) -> HttpResponse:
    headers = {name: value for name, value in response.items() if name != "Content-Type"}
    empty = HttpResponse(status=304, headers=headers)
    del empty.headers["Content-Type"]
    return empty


# --- Pages ----------------------------------------------------------------------------------------------------------------


async def _window(request: DjangoApiRequest, board: str, route: str) -> Window | None:
    """What the query asks for; a cursor is put into the limit, offset and season that the view knows. Raises InvalidParameter."""
    query = dict(parse_qsl(request.META["QUERY_STRING"], keep_blank_values=True))
    span = {name: query[name] for name in ("score_from", "score_to") if name in query and route == _RANGE}
    limit, offset = _whole(query.get("limit"), PAGED[route]), _whole(query.get("offset"), 0)
    if limit is None or offset is None or (route == _RANGE and not span):
        return None  # the view says what is wrong with them, or there are no pages
    check_window(limit, offset)
    if "cursor" not in query:
        return Window(board, span, limit, offset)
    if query.keys() & {"offset", "season"}:
        raise _not_a_cursor("A cursor holds the place and the season; it goes without offset and season.")
    cursor = _read(query["cursor"], board)
    begin, rows = _rows(cursor, await _place_now(request.api, cursor, span), limit)
    _put_query(request, {**query, "limit": str(rows), "offset": str(begin), "season": cursor.season})
    return Window(board, span, limit, begin)


def _whole(text: str | None, default: int) -> int | None:
    if text is None:
        return default
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


def _rows(cursor: Cursor, place: int, limit: int) -> tuple[int, int]:
    """How many rows to skip and how many to show."""
    if cursor.after:
        return place, limit
    above = place - 1
    return max(above - limit, 0), min(above, limit) or limit  # nothing is above the first any more: the first page


async def _place_now(request: ApiRequest, cursor: Cursor, span: dict[str, str]) -> int:
    """The place of the cursor's row; the one that it had if it is not the same row any more."""
    row = await _asked(request, partial(reads.rank, player=cursor.player), cursor.board, season=cursor.season)
    if row is None or _state(row) != cursor.state:
        return cursor.place
    first = await _row_of_range(request, cursor.board, {**span, "season": cursor.season}, 0) if span else None
    return max(1, int(row["rank"]) - (first["rank"] - 1 if first else 0))


async def _row_of_range(request: ApiRequest, board: str, query: dict[str, str], offset: int) -> dict[str, Any] | None:
    """One row of a range of scores."""
    found = await _asked(request, more_reads.entries, board, **query, limit="1", offset=str(offset))
    return next(iter(found["entries"]), None) if found else None


async def _asked(request: ApiRequest, operation: Callable[..., None], board: str, **query: str) -> dict[str, Any] | None:
    """What version 1 answers who asks; None for a refusal."""
    asked = ApiRequest(
        method="GET",
        path=request.path,
        query=urlencode(query).encode(),
        headers=request.headers,
        body=b"",
        scope=lambda _: dict(request.django().scope),
    )
    future: asyncio.Future[Answer | BaseException] = asyncio.get_running_loop().create_future()
    operation(asked, future.set_result, board)
    answer = await future
    if isinstance(answer, BaseException) and not isinstance(answer, Refusal):
        raise answer
    found: dict[str, Any] | None = msgspec.json.decode(answer.body) if isinstance(answer, Answer) and answer.status == 200 else None
    return found


async def _neighbours(request: DjangoApiRequest, data: dict[str, Any], window: Window) -> dict[str, str]:
    rows, links = data["entries"], {}
    last = window.offset + len(rows)
    if rows and last < OFFSET_MAX and await _goes_on(request, data, window, last):
        links["next"] = _link(request, data, window, rows[-1], place=last, after=True)
    if rows and window.offset > 0:
        links["prev"] = _link(request, data, window, rows[0], place=window.offset + 1, after=False)
    return links


async def _goes_on(request: DjangoApiRequest, data: dict[str, Any], window: Window, last: int) -> bool:
    """Whether there is a row after the `last`; how many a range of scores has its answer does not say."""
    if not window.span:
        return bool(last < data["total"])
    is_full = len(data["entries"]) >= window.limit
    return is_full and await _row_of_range(request.api, window.board, {**window.span, "season": data["season"]}, last) is not None


def _link(request: DjangoApiRequest, data: dict[str, Any], window: Window, row: dict[str, Any], *, place: int, after: bool) -> str:
    cursor = Cursor(window.board, data["season"], after, place, row["player"], _state(row))
    return _address(request, _PLACE, limit=window.limit, cursor=_signer.sign_object(cursor))


def _address(request: DjangoApiRequest, instead_of: set[str], **new: Any) -> str:
    """What was asked for, but for some of the query."""
    others = [item for item in parse_qsl(request.META["QUERY_STRING"], keep_blank_values=True) if item[0] not in instead_of]
    return f"{request.get_full_path().partition('?')[0]}?{urlencode([*others, *new.items()])}"


def _state(row: dict[str, Any]) -> list[Any]:
    return [row["score"], row["subscore"], row["achieved_at"]]


def _read(text: str, board: str) -> Cursor:
    """Raises InvalidParameter for what was not made here, or for another leaderboard."""
    try:
        cursor = Cursor(*_signer.unsign_object(text[: _LENGTH + 1]))
    except BadSignature:
        raise _not_a_cursor("The cursor is none that was given out here.") from None
    if cursor.board != board:
        raise _not_a_cursor("The cursor is another leaderboard's.")
    return cursor


def _not_a_cursor(detail: str) -> InvalidParameter:
    return InvalidParameter(detail, errors=[{"field": "cursor", "detail": "one of links.next and links.prev"}])


def _put_query(request: DjangoApiRequest, query: dict[str, str]) -> None:
    text = urlencode({name: value for name, value in query.items() if name != "cursor"})
    request.api.query = text.encode()
    request.META["QUERY_STRING"] = text
    request.__dict__.pop("GET", None)  # Django's own reading of it, if somebody has looked already


urlpatterns = [path(str(route.pattern), enveloped(route.callback, str(route.pattern))) for route in version_1 if route.callback]
