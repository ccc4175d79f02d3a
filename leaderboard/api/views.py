"""The REST routes of version 1 as adrf's views: what Django's resolver finds. The work is done by `reads` and `writes`."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from adrf.views import APIView
from django.http import HttpResponse
from django.http.response import HttpResponseBase

from leaderboard.api import problems, reads, tickets, writes
from leaderboard.api.request import Answer, DjangoApiRequest
from leaderboard.domain.errors import MethodNotAllowed

METHODS = ("get", "head", "post", "put", "patch", "delete")


class ApiView(APIView):  # type: ignore[misc]  # adrf has no types
    """A DRF view without DRF's per-request machinery: no thread hop, no negotiation, the request as Django made it.

    A Refusal goes through to the handler, which makes the problem document.
    """

    async def dispatch(self, request: DjangoApiRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        method = "get" if request.method == "HEAD" else (request.method or "").lower()
        handler: Callable[..., Awaitable[HttpResponse]] | None = getattr(self, method, None) if method in self.http_method_names else None
        if method == "options":
            return HttpResponse(status=204, headers={"Allow": f"{self._allowed()}, OPTIONS"})
        if handler is not None:
            return await handler(request, *args, **kwargs)
        refused = response(problems.answer(MethodNotAllowed(f"This route takes {self._allowed()}."), request.request_id))
        refused.headers["Allow"] = f"{self._allowed()}, OPTIONS"
        return refused

    def _allowed(self) -> str:
        """Every method that the view has, in the order of METHODS. A view that gets also answers HEAD; OPTIONS is everybody's."""
        return ", ".join(name.upper() for name in METHODS if hasattr(self, "get" if name == "head" else name))


class Scores(ApiView):
    async def post(self, request: DjangoApiRequest) -> HttpResponse:
        return await answered(writes.post_score, request)


class ScoresBatch(ApiView):
    async def post(self, request: DjangoApiRequest) -> HttpResponse:
        return await answered(writes.post_batch, request)


class Tickets(ApiView):
    async def post(self, request: DjangoApiRequest) -> HttpResponse:
        return await answered(tickets.post_ticket, request)


class Leaderboards(ApiView):
    async def get(self, request: DjangoApiRequest) -> HttpResponse:
        return await answered(reads.boards, request)


class LeaderboardDetail(ApiView):
    async def get(self, request: DjangoApiRequest, board: str) -> HttpResponse:
        return await answered(reads.detail, request, board)


class Top(ApiView):
    async def get(self, request: DjangoApiRequest, board: str) -> HttpResponse:
        return await answered(reads.top, request, board)


class Rank(ApiView):
    async def get(self, request: DjangoApiRequest, board: str, player: str) -> HttpResponse:
        return await answered(reads.rank, request, board, player)


class Around(ApiView):
    async def get(self, request: DjangoApiRequest, board: str, player: str) -> HttpResponse:
        return await answered(reads.around, request, board, player)


def response(answer: Answer) -> HttpResponse:
    """Django's response of an operation's answer."""
    response = HttpResponse(answer.body, status=answer.status)
    del response.headers["Content-Type"]  # Django's own; the answer says what it has
    for name, value in answer.headers:
        response.headers[name.decode("latin-1")] = value.decode("latin-1")
    return response


async def answered(operation: Callable[..., None], request: DjangoApiRequest, *arguments: Any) -> HttpResponse:
    future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    operation(request.api, partial(_settle, future), *arguments)
    return response(await future)


def _settle(future: "asyncio.Future[Answer]", outcome: Answer | BaseException) -> None:
    if future.done():
        return
    if isinstance(outcome, BaseException):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
