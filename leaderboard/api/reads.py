"""The operations that read boards. See `request` for what an operation is."""

from typing import Any
from urllib.parse import parse_qs

import msgspec

from leaderboard import runtime
from leaderboard.api.request import Answer, ApiRequest, Told, in_a_task
from leaderboard.domain.errors import InvalidParameter

_encode = msgspec.json.Encoder().encode


def top(request: ApiRequest, told: Told, board: str) -> None:
    """Rows from rank offset+1."""
    in_a_task(_top(request, told, board), told)


def rank(request: ApiRequest, told: Told, board: str, player: str) -> None:
    """One player's row, with total and percentile."""
    in_a_task(_rank(request, told, board, player), told)


def around(request: ApiRequest, told: Told, board: str, player: str) -> None:
    """A player's row and its neighbours."""
    in_a_task(_around(request, told, board, player), told)


async def _top(request: ApiRequest, told: Told, board: str) -> None:
    query = _Query(request.query)
    limit, offset = query.whole("limit", default=10), query.whole("offset", default=0)
    told(_json(await runtime.services().standings.top(board, season=query.season, limit=limit, offset=offset, now=runtime.utc_now())))


async def _rank(request: ApiRequest, told: Told, board: str, player: str) -> None:
    query = _Query(request.query)
    told(_json(await runtime.services().standings.rank(board, player, season=query.season, now=runtime.utc_now())))


async def _around(request: ApiRequest, told: Told, board: str, player: str) -> None:
    query = _Query(request.query)
    limit = query.whole("limit", default=5)
    told(_json(await runtime.services().standings.around(board, player, season=query.season, limit=limit, now=runtime.utc_now())))


def _json(answer: dict[str, Any]) -> Answer:
    return Answer(200, _encode(answer))


class _Query:
    """A query string. Of a parameter that comes twice the last one counts."""

    def __init__(self, query: bytes) -> None:
        self._values = parse_qs(query.decode("latin-1"), keep_blank_values=True) if query else {}

    @property
    def season(self) -> str:
        return self._text("season") or "current"

    def whole(self, name: str, *, default: int) -> int:
        """A plain decimal integer: no sign but minus, no underscore, no space. Raises InvalidParameter."""
        text = self._text(name)
        if text is None:
            return default
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 18):
            raise InvalidParameter(f"{name} must be a whole number.", errors=[{"field": name, "detail": "a whole number"}])
        return int(text)

    def _text(self, name: str) -> str | None:
        values = self._values.get(name)
        return values[-1] if values else None
