"""Just enough of HTTP/1.1 to ask a leaderboard: keep-alive, Content-Length, one request in flight.

Requests are bytes made beforehand and answers are only split, so that asking costs a fraction of answering.
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import NamedTuple, cast

_HEAD_END = b"\r\n\r\n"


class Answer(NamedTuple):
    status: int
    body: bytes


class MalformedAnswer(ValueError):
    """Not an answer that this client can read."""


class AnswerReader:
    """Cuts a stream into answers, however its pieces fall."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Answer]:
        """The answers that are whole now. Raises MalformedAnswer."""
        self._rest += data
        while (head_end := self._rest.find(_HEAD_END)) >= 0:
            body_start = head_end + len(_HEAD_END)
            body_end = body_start + _content_length(self._rest[:body_start])
            if len(self._rest) < body_end:
                return
            answer = Answer(_status(self._rest), self._rest[body_start:body_end])
            self._rest = self._rest[body_end:]
            yield answer


def request(method: str, path: str, *, api_key: str = "", body: bytes = b"", idempotency_key: str = "") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    if api_key:
        lines.append(f"Authorization: Api-Key {api_key}")
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    if idempotency_key:
        lines.append(f"Idempotency-Key: {idempotency_key}")
    return "\r\n".join(lines).encode() + _HEAD_END + body


class Connection(asyncio.Protocol):
    """One connection. `on_answer(self, answer)` is told each answer; `on_lost(self)` that there will be no more."""

    def __init__(self, on_answer: "Callable[[Connection, Answer], None]", on_lost: "Callable[[Connection], None]") -> None:
        self.sent_at = 0.0  # when the request in flight was sent, or was due
        self._on_answer, self._on_lost = on_answer, on_lost
        self._reader = AnswerReader()
        self._transport: asyncio.WriteTransport | None = None

    def send(self, data: bytes, *, at: float) -> None:
        assert self._transport is not None
        self.sent_at = at
        self._transport.write(data)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        for answer in self._reader.feed(data):
            self._on_answer(self, answer)

    def connection_lost(self, exc: Exception | None) -> None:
        self._on_lost(self)


def _status(head: bytes) -> int:
    if not head.startswith(b"HTTP/1.1 ") or not head[9:12].isdigit():
        raise MalformedAnswer(f"not a status line: {head[:40]!r}")
    return int(head[9:12])


def _content_length(head: bytes) -> int:
    lower = head.lower()
    start = lower.find(b"\r\ncontent-length:")
    digits = lower[start + 17 : lower.find(b"\r\n", start + 2)].strip()
    if start < 0 or not digits.isdigit():
        raise MalformedAnswer(f"no Content-Length: {head[:200]!r}")
    return int(digits)
