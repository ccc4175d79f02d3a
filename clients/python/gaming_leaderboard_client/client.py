"""The two clients: one blocks, one awaits. What they can be asked is written once; what it means is in `calls`."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Self

import httpx

from gaming_leaderboard_client import calls
from gaming_leaderboard_client.calls import Call, LeaderboardError, NoAnswer

TIMEOUT_S = 15.0
TRIES = 5


class _Asks(ABC):
    """What both can be asked. The answer is decoded JSON; from `AsyncClient`, an awaitable of it."""

    def submit(self, score: int, *, player: str | None = None, key: str | None = None, **more: Any) -> Any:
        """Store a score; where it stands on each board.

        `more`: name, subscore, game_mode, metadata, leaderboards. `key`: an idempotency key of yours.
        """
        return self._call(calls.submit({"score": score, "player": player, **more}, key))

    def submit_many(self, scores: Sequence[Mapping[str, Any]], *, key: str | None = None) -> Any:
        """Up to 1000 at once; each one's answer, or its problem under "error"."""
        return self._call(calls.submit_many(scores, key))

    def boards(self) -> Any:
        """The definitions of all leaderboards."""
        return self._call(calls.boards())

    def board(self, board: str) -> Any:
        """One leaderboard's definition, season and size."""
        return self._call(calls.board(board))

    def top(self, board: str, *, limit: int | None = None, offset: int | None = None, season: str | None = None) -> Any:
        """Rows from rank offset + 1 on, under "entries"."""
        return self._call(calls.board(board, "top", limit=limit, offset=offset, season=season))

    def rank(self, board: str, player: str, *, season: str | None = None) -> Any:
        """The player's row; None if it is not ranked."""
        return self._call(calls.board(board, "rank", player, season=season))

    def around(self, board: str, player: str, *, limit: int | None = None, season: str | None = None) -> Any:
        """The player's row and `limit` on either side; None if it is not ranked."""
        return self._call(calls.board(board, "around", player, limit=limit, season=season))

    @abstractmethod
    def _call(self, call: Call) -> Any: ...


class Client(_Asks):
    """Blocking. Use it as a context manager, or close it. Threads may share it."""

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        token: str | None = None,
        ticket: str | None = None,
        timeout_s: float = TIMEOUT_S,
        tries: int = TRIES,
    ) -> None:
        """`url` is where the service is, such as https://scores.example. `tries` are those of one call."""
        self._http = httpx.Client(**_options(url, timeout_s, calls.authorization(api_key=api_key, token=token, ticket=ticket)))
        self._tries = tries

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _call(self, call: Call) -> Any:
        attempt = 0
        while True:
            try:
                response = self._http.request(**_request(call))
                return calls.answer(call, response.status_code, response.text, response.headers.get("retry-after"))
            except httpx.TransportError as error:
                failed: LeaderboardError | NoAnswer = NoAnswer(repr(error))
            except (LeaderboardError, NoAnswer) as error:
                failed = error
            time.sleep(calls.wait_s(failed, attempt, tries=self._tries))
            attempt += 1


class AsyncClient(_Asks):
    """The same for asyncio: every answer is awaited."""

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        token: str | None = None,
        ticket: str | None = None,
        timeout_s: float = TIMEOUT_S,
        tries: int = TRIES,
    ) -> None:
        """As `Client`."""
        self._http = httpx.AsyncClient(**_options(url, timeout_s, calls.authorization(api_key=api_key, token=token, ticket=ticket)))
        self._tries = tries

    async def aclose(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _call(self, call: Call) -> Any:
        attempt = 0
        while True:
            try:
                response = await self._http.request(**_request(call))
                return calls.answer(call, response.status_code, response.text, response.headers.get("retry-after"))
            except httpx.TransportError as error:
                failed: LeaderboardError | NoAnswer = NoAnswer(repr(error))
            except (LeaderboardError, NoAnswer) as error:
                failed = error
            await asyncio.sleep(calls.wait_s(failed, attempt, tries=self._tries))
            attempt += 1


def _options(url: str, timeout_s: float, headers: dict[str, str]) -> dict[str, Any]:
    return {"base_url": f"{url.rstrip('/')}/api/v1/", "timeout": timeout_s, "headers": headers}


def _request(call: Call) -> dict[str, Any]:
    return {"method": call.method, "url": call.path, "params": call.query, "content": call.content(), "headers": call.headers()}
