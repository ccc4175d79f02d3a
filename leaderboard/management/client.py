"""A small HTTP client of the leaderboard's own REST contract, for commands that play a game server.

In: a path and a body. Out: the decoded answer, `Refused` with the problem's code, or `Unreachable` when patience ended.

What is worth a second try is tried again with the same Idempotency-Key, so nothing counts twice: no connection, a timeout,
429, and 502 to 504, which say that the server or the proxy before it is away or overloaded for now.
"""

import http.client
import json
import random
import time
from collections.abc import Callable
from threading import Event
from typing import Any
from urllib.parse import quote, urlsplit

TIMEOUT_S = 10.0  # for a connection and for an answer; the server gives up on its database after 5
PATIENCE_S = 60.0  # how long one call is tried before it is given up
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
ANSWER_LIMIT = 16 * 1024 * 1024  # bytes: a batch of 1000 answers is under 1 MB; more is not our server
TRY_AGAIN = frozenset({429, 502, 503, 504})


class Refused(Exception):
    """The server said no, and would again. `code` is the problem's, or `http_<status>` where there is no problem document."""

    def __init__(self, *, status: int, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.status, self.code, self.detail = status, code, detail


class Unreachable(Exception):
    """No useful answer for `patience_s`. The text says what was seen last."""


class Stopped(Exception):
    """The caller's stop event was set while the client was waiting to try again."""


class Client:
    """One kept-alive connection; not for two threads at once.

    `on_trouble` is told what went wrong, and for how long (seconds) the call has been tried, before each pause. `stop` ends a
    pause early. `patience_s` may be infinite.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        patience_s: float = PATIENCE_S,
        timeout_s: float = TIMEOUT_S,
        on_trouble: Callable[[str, float], None] | None = None,
        stop: Event | None = None,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], bool] | None = None,
    ) -> None:
        """Raises ValueError for a URL that is not http(s)://host[:port][/path] and for a key that can't be sent."""
        self._connection, self._base = _connection(url, timeout_s)
        if not api_key.isascii() or not api_key.isprintable():
            raise ValueError("The API key must be printable ASCII.")
        self.url = url.rstrip("/")
        self._headers = {"Authorization": f"Api-Key {api_key}", "Accept": "application/json", "User-Agent": "gaming-leaderboard"}
        self._patience_s = patience_s
        self._on_trouble = on_trouble or (lambda what, since_s: None)
        self._clock = clock
        self._pause = pause or (stop or Event()).wait

    def get(self, path: str) -> Any:
        return self._call("GET", path, None, {})

    def post(self, path: str, body: Any, *, idempotency_key: str | None = None) -> Any:
        headers = {"Content-Type": "application/json"}
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        return self._call("POST", path, json.dumps(body).encode(), headers)

    def close(self) -> None:
        self._connection.close()

    def _call(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Any:
        began, pause_s = self._clock(), FIRST_PAUSE_S
        while True:
            trouble, wanted_s = "", 0.0
            try:
                status, answer_headers, content = self._exchange(method, path, body, headers)
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()  # the next request opens it anew
                trouble = _reason(error)
            else:
                if status not in TRY_AGAIN:
                    return _answer(status, content)
                trouble, wanted_s = f"HTTP {status}", _retry_after_s(answer_headers.get("Retry-After", ""))
            pause = max(wanted_s, pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - spreads retries, hides nothing
            since_s = self._clock() - began
            if since_s + pause > self._patience_s:
                raise Unreachable(f"{self.url} did not take {method} {path} for {self._patience_s:.0f} s; the last try: {trouble}.")
            self._on_trouble(trouble, since_s)
            if self._pause(pause):
                raise Stopped
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _exchange(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, http.client.HTTPMessage, bytes]:
        self._connection.request(method, self._base + path, body, {**self._headers, **headers})
        response = self._connection.getresponse()
        content = response.read(ANSWER_LIMIT + 1)
        if len(content) > ANSWER_LIMIT:
            raise http.client.HTTPException("the answer is too large to be a leaderboard's")
        return response.status, response.headers, content


def board_path(slug: str) -> str:
    return f"/api/v1/leaderboard/{quote(slug, safe='')}/"


def _connection(url: str, timeout_s: float) -> tuple[http.client.HTTPConnection, str]:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"The URL must look like http://host:port, not {url!r}.")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(parts.hostname, parts.port, timeout=timeout_s), parts.path.rstrip("/")


def _answer(status: int, content: bytes) -> Any:
    try:
        decoded = json.loads(content)
    except ValueError:
        decoded = None
    if 200 <= status < 300 and decoded is not None:
        return decoded
    problem = decoded if isinstance(decoded, dict) else {}
    detail = str(problem.get("detail") or problem.get("title") or "the answer is not a leaderboard's")
    raise Refused(status=status, code=str(problem.get("code") or f"http_{status}"), detail=detail)


def _retry_after_s(header: str) -> float:
    """The seconds asked for; 0 for none and for the date form, which leaves it to the backoff."""
    return float(header) if header.isascii() and header.isdigit() else 0.0


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
