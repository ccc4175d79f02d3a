"""The REST routes of version 1. Each parses, calls one service and renders what it says."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from adrf.views import APIView
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from leaderboard import metrics, runtime
from leaderboard.api import bodies, problems
from leaderboard.api.auth import authenticate
from leaderboard.domain.errors import InvalidBody, InvalidIdempotencyKey, InvalidParameter, MethodNotAllowed, Refusal
from leaderboard.domain.text import check_idempotency_key
from leaderboard.services.checking import Asked
from leaderboard.services.submit import Answer

BATCH_ITEMS = 1000
BATCH_KEY_LENGTH = 250  # each item's own key is this one, a colon and its place: 255 in all

_encode = msgspec.json.Encoder().encode


class ApiView(APIView):  # type: ignore[misc]  # adrf has no types
    """A DRF view without DRF's per-request machinery: no thread hop, no negotiation, the request as Django made it."""

    async def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        method = "get" if request.method == "HEAD" else (request.method or "").lower()
        handler: Callable[..., Awaitable[HttpResponse]] | None = getattr(self, method, None) if method in self.http_method_names else None
        if method == "options":
            return HttpResponse(status=204, headers={"Allow": f"{self._allowed()}, OPTIONS"})
        if handler is None:
            answer = problems.response(MethodNotAllowed(f"This route takes {self._allowed()}."), request)
            answer.headers["Allow"] = f"{self._allowed()}, OPTIONS"
            return answer
        try:
            return await handler(request, *args, **kwargs)
        except Refusal as refusal:
            return problems.response(refusal, request)

    def _allowed(self) -> str:
        return ", ".join(name.upper() for name in ("get", "head", "post") if hasattr(self, "get" if name == "head" else name))


class Scores(ApiView):
    async def post(self, request: HttpRequest) -> HttpResponse:
        """Submit one score: 201 with its rank on every board that it feeds."""
        credential = await authenticate(request)
        asked = bodies.read_score(request).asked(request.META.get("HTTP_IDEMPOTENCY_KEY"))
        try:
            answer = await runtime.services().submits.submit(asked, credential=credential, now=runtime.utc_now())
        except Refusal as refusal:
            metrics.SUBMITTED.labels(refusal.code).inc()
            raise
        metrics.SUBMITTED.labels("replayed" if answer.replayed else "landed").inc()
        response = HttpResponse(answer.body, status=201, content_type="application/json")
        if answer.replayed:
            response.headers["Idempotency-Replayed"] = "true"
        return response


class ScoresBatch(ApiView):
    async def post(self, request: HttpRequest) -> HttpResponse:
        """Submit up to 1000 scores: 200 with, per item, its 201 body or its problem."""
        credential = await authenticate(request)
        items = bodies.read_batch(request)
        if not 1 <= len(items) <= BATCH_ITEMS:
            raise InvalidBody(f'"scores" must hold 1 to {BATCH_ITEMS} items.', errors=[{"field": "scores", "detail": f"1..{BATCH_ITEMS}"}])
        key = request.META.get("HTTP_IDEMPOTENCY_KEY")
        asked: list[Asked] = []
        refused: dict[int, Refusal] = {}
        keys = [_item_key(key, position) for position in range(len(items))]
        for position, raw in enumerate(items):
            try:
                asked.append(bodies.decode_score(raw).asked(keys[position]))
            except Refusal as refusal:
                refused[position] = refusal
        answers = iter(await runtime.services().submits.submit_many(asked, credential=credential, now=runtime.utc_now()))
        results = [refused[position] if position in refused else next(answers) for position in range(len(items))]
        return HttpResponse(_batch_body(results, problems.request_id(request)), content_type="application/json")


class Leaderboards(ApiView):
    async def get(self, request: HttpRequest) -> HttpResponse:
        """The boards."""
        return _json(await runtime.services().standings.boards(now=runtime.utc_now()))


class LeaderboardDetail(ApiView):
    async def get(self, request: HttpRequest, board: str) -> HttpResponse:
        """One definition, its season, entry count, tie rule and position."""
        return _json(await runtime.services().standings.describe(board, now=runtime.utc_now()))


class Top(ApiView):
    async def get(self, request: HttpRequest, board: str) -> HttpResponse:
        """Rows from rank offset+1."""
        return _json(
            await runtime.services().standings.top(
                board,
                season=request.GET.get("season", "current"),
                limit=_whole(request, "limit", default=10),
                offset=_whole(request, "offset", default=0),
                now=runtime.utc_now(),
            )
        )


class Rank(ApiView):
    async def get(self, request: HttpRequest, board: str, player: str) -> HttpResponse:
        """One player's row, with total and percentile."""
        season = request.GET.get("season", "current")
        return _json(await runtime.services().standings.rank(board, player, season=season, now=runtime.utc_now()))


class Around(ApiView):
    async def get(self, request: HttpRequest, board: str, player: str) -> HttpResponse:
        """A player's row and its neighbours."""
        return _json(
            await runtime.services().standings.around(
                board,
                player,
                season=request.GET.get("season", "current"),
                limit=_whole(request, "limit", default=5),
                now=runtime.utc_now(),
            )
        )


def _json(answer: dict[str, Any]) -> HttpResponse:
    return HttpResponse(_encode(answer), content_type="application/json")


def _whole(request: HttpRequest, name: str, *, default: int) -> int:
    """A query parameter as a plain decimal integer: no sign but minus, no underscore, no space. Raises InvalidParameter."""
    text = request.GET.get(name)
    if text is None:
        return default
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 18):
        raise InvalidParameter(f"{name} must be a whole number.", errors=[{"field": name, "detail": "a whole number"}])
    return int(text)


def _item_key(key: str | None, position: int) -> str | None:
    """Each item of a batch has a key of its own, so that a retried batch counts nothing twice."""
    if key is None:
        return None
    if len(key) > BATCH_KEY_LENGTH:
        raise InvalidIdempotencyKey(f"The Idempotency-Key of a batch has at most {BATCH_KEY_LENGTH} characters.")
    return f"{check_idempotency_key(key)}:{position}"


def _batch_body(results: list[Answer | Refusal], request_id: str) -> bytes:
    """Answers are encoded already; they are put in as they are."""
    parts = []
    for result in results:
        if isinstance(result, Answer):
            metrics.SUBMITTED.labels("replayed" if result.replayed else "landed").inc()
            parts.append(result.body)
        else:
            metrics.SUBMITTED.labels(result.code).inc()
            parts.append(_encode({"error": problems.document(result, request_id)}))
    return b'{"results":[' + b",".join(parts) + b"]}"
