"""Version 2: every answer of version 1 in one envelope, and pages of rows by cursor.

    {"data": <the answer>, "meta": {"epoch", "offset", "as_of", "request_id"}, "links": {"self", "next"?, "prev"?}}

A route of version 1 has its twin by being in `urls`. The view of version 1 does the work; its answer is decoded and put in place
here. An answer's position moves to `meta`; a refusal is the same problem document in both versions.

A cursor names the row at the edge of its page, not a place: the next page begins below wherever that row is by then. So as long as
the row's player does not score, no player that keeps its score is left out or seen twice, whatever others do. If the player
does score, the page begins at the place where the row was. A cursor keeps to the season in which it was given.
"""

import asyncio
import hashlib
from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

import msgspec
from django.core.signing import BadSignature, Signer
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.urls import path

from leaderboard import runtime
from leaderboard.api import reads
from leaderboard.api.request import Answer, ApiRequest, DjangoApiRequest
from leaderboard.api.urls import urlpatterns as version_1
from leaderboard.domain.errors import InvalidParameter, Refusal
from leaderboard.services.rows import rfc3339
from leaderboard.services.standings import OFFSET_MAX, check_window

# The routes whose rows come in pages, with their default limit: they take `limit` and `offset` and answer `entries` of `total`.
PAGED = {"leaderboard/<str:board>/top/": 10}

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
    """The rows that are asked for."""

    board: str
    limit: int
    offset: int


def enveloped(view: View, route: str) -> View:
    """The view of a route of version 1, for version 2."""
    default_limit = PAGED.get(route)

    @wraps(view)
    async def twin(request: DjangoApiRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        itself = request.get_full_path()
        held = request.api.headers.pop(b"if-none-match", None)  # names a tag of version 2, which the view does not know
        is_paged = default_limit is not None and request.method in ("GET", "HEAD")
        window = await _window(request, kwargs["board"], default_limit or 1) if is_paged else None
        response: HttpResponseBase = await view(request, *args, **kwargs)
        if not isinstance(response, HttpResponse) or response.headers.get("Content-Type") != "application/json":
            return response
        return _in_envelope(request, response, window, itself, held)

    return twin


def _in_envelope(request: DjangoApiRequest, response: HttpResponse, window: Window | None, itself: str, held: bytes | None) -> HttpResponse:
    data = msgspec.json.decode(response.content)
    links = {"self": itself, **(_neighbours(request, data, window) if window else {})}
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


async def _window(request: DjangoApiRequest, board: str, default_limit: int) -> Window | None:
    """What the query asks for; a cursor is put into the limit, offset and season that the view knows. Raises InvalidParameter."""
    query = dict(parse_qsl(request.META["QUERY_STRING"], keep_blank_values=True))
    limit, offset = _whole(query.get("limit"), default_limit), _whole(query.get("offset"), 0)
    if limit is None or offset is None:
        return None  # the view says what is wrong with them
    check_window(limit, offset)
    if "cursor" not in query:
        return Window(board, limit, offset)
    if query.keys() & {"offset", "season"}:
        raise _not_a_cursor("A cursor holds the place and the season; it goes without offset and season.")
    cursor = _read(query["cursor"], board)
    begin, rows = _rows(cursor, await _place_now(request.api, cursor), limit)
    _put_query(request, {**query, "limit": str(rows), "offset": str(begin), "season": cursor.season})
    return Window(board, limit, begin)


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


async def _place_now(request: ApiRequest, cursor: Cursor) -> int:
    """The place of the cursor's row; the one that it had if it is not the same row any more."""
    asked = ApiRequest(
        method="GET",
        path=request.path,
        query=urlencode({"season": cursor.season}).encode(),
        headers=request.headers,
        body=b"",
        scope=lambda _: dict(request.django().scope),
    )
    future: asyncio.Future[Answer | BaseException] = asyncio.get_running_loop().create_future()
    reads.rank(asked, future.set_result, cursor.board, cursor.player)
    answer = await future
    if isinstance(answer, Answer) and answer.status == 200:
        row = msgspec.json.decode(answer.body)
        return int(row["rank"]) if _state(row) == cursor.state else cursor.place
    if isinstance(answer, BaseException) and not isinstance(answer, Refusal):
        raise answer
    return cursor.place


def _neighbours(request: DjangoApiRequest, data: dict[str, Any], window: Window) -> dict[str, str]:
    rows, links = data["entries"], {}
    last = window.offset + len(rows)
    if rows and last < min(data["total"], OFFSET_MAX):
        links["next"] = _link(request, data, window, rows[-1], place=last, after=True)
    if rows and window.offset > 0:
        links["prev"] = _link(request, data, window, rows[0], place=window.offset + 1, after=False)
    return links


def _link(request: DjangoApiRequest, data: dict[str, Any], window: Window, row: dict[str, Any], *, place: int, after: bool) -> str:
    cursor = Cursor(window.board, data["season"], after, place, row["player"], _state(row))
    others = [item for item in parse_qsl(request.META["QUERY_STRING"], keep_blank_values=True) if item[0] not in _PLACE]
    query = urlencode([*others, ("limit", window.limit), ("cursor", _signer.sign_object(cursor))])
    return f"{request.get_full_path().partition('?')[0]}?{query}"


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
