"""What is asked, what the answer means, and whether to ask again: the same for both clients, without I/O.

A submit has an idempotency key, so that it is repeated without counting twice while its outcome is unclear: no answer, or one that
says that the server can't now. What is refused (4xx) is raised at once.
"""

import json
import random
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

Row = dict[str, Any]

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 10.0
LONGEST_RETRY_AFTER_S = 60.0


class LeaderboardError(Exception):
    """A refusal of the server: its status, its stable `code`, and the whole problem document."""

    def __init__(self, status: int, problem: Mapping[str, Any], *, retry_after_s: float | None = None) -> None:
        super().__init__(problem.get("detail") or problem.get("title") or f"The server answered {status}")
        self.status = status
        self.code: str = problem.get("code", "unknown")
        self.problem = dict(problem)
        self.retry_after_s = retry_after_s

    @property
    def is_temporary(self) -> bool:
        """Whether the same may be accepted later."""
        return self.status == 429 or self.status >= 500


class NoAnswer(Exception):
    """The network, or time. Whether something happened is not known: ask again with the same key."""

    is_temporary = True


@dataclass(frozen=True)
class Call:
    """One request: `path` under /api/v1/, percent-encoded."""

    method: str
    path: str
    query: dict[str, Any] = field(default_factory=dict)
    body: Any = None
    key: str | None = None
    none_for: str | None = None  # the code that is answered by None
    part: str | None = None  # of the answer, if not all of it

    def headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json"}
        if self.body is not None:
            headers["Content-Type"] = "application/json"
        if self.key is not None:
            headers["Idempotency-Key"] = self.key
        return headers

    def content(self) -> bytes | None:
        return None if self.body is None else json.dumps(self.body, ensure_ascii=False, allow_nan=False).encode()


def new_key() -> str:
    """An idempotency key that nobody else has."""
    return secrets.token_hex(16)


def submit(submission: Mapping[str, Any], key: str | None) -> Call:
    return Call("POST", "scores/", body={k: v for k, v in submission.items() if v is not None}, key=key or new_key())


def submit_many(scores: Sequence[Mapping[str, Any]], key: str | None) -> Call:
    return Call("POST", "scores/batch/", body={"scores": list(scores)}, key=key or new_key(), part="results")


def boards() -> Call:
    return Call("GET", "leaderboard/", part="leaderboards")


def board(slug: str, what: str = "", player: str | None = None, **query: Any) -> Call:
    """`what` is "", top, rank or around."""
    parts = [slug, *([what] if what else []), *([player] if player is not None else [])]
    path = "leaderboard/" + "".join(f"{quote(part, safe='')}/" for part in parts)
    given = {name: value for name, value in query.items() if value is not None}
    return Call("GET", path, given, none_for="not_ranked" if player is not None else None)


def authorization(*, api_key: str | None, token: str | None, ticket: str | None) -> dict[str, str]:
    for scheme, secret in (("Api-Key", api_key), ("Bearer", token), ("Ticket", ticket)):
        if secret is not None:
            return {"Authorization": f"{scheme} {secret}"}
    return {}


def answer(call: Call, status: int, text: str, retry_after: str | None) -> Any:
    """The decoded body. Raises LeaderboardError, or NoAnswer for what no server of ours says."""
    try:
        decoded = json.loads(text)
    except ValueError as error:
        if status < 400:
            raise NoAnswer("The answer is not JSON") from error  # a proxy's page, or cut off on the way
        decoded = {}
    if status < 400:
        return decoded if call.part is None else decoded[call.part]
    problem = decoded if isinstance(decoded, dict) else {}
    if call.none_for is not None and problem.get("code") == call.none_for:
        return None
    raise LeaderboardError(status, problem, retry_after_s=_seconds(retry_after))


def wait_s(error: LeaderboardError | NoAnswer, attempt: int, *, tries: int) -> float:
    """How long before the next try: at random up to a bound that doubles, and at least what the server asked for.

    Raises the error if trying again is of no use, or if attempt (from 0) was the last.
    """
    if not error.is_temporary or attempt + 1 >= tries:
        raise error
    spread = random.random() * min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0**attempt)  # noqa: S311 - no secret
    asked = error.retry_after_s if isinstance(error, LeaderboardError) else None
    return max(spread, asked or 0.0)


def _seconds(text: str | None) -> float | None:
    return min(float(text), LONGEST_RETRY_AFTER_S) if text is not None and text.isascii() and text.isdigit() else None
