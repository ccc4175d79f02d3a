"""Just enough of HTTP/1.1 to ask a leaderboard: keep-alive, Content-Length, one request in flight.

Requests are bytes made beforehand and answers are only split, so that asking costs a fraction of answering.
"""

import asyncio
from collections.abc import Callable
from typing import NamedTuple, cast

_HEAD_END = b"\r\n\r\n"
_VERSION = b"HTTP/1.1 "
_LENGTH = b"\r\ncontent-length:"
_BODILESS = (204, 304)  # whatever Content-Length says


class Answer(NamedTuple):
    status: int
    body: bytes
    head: bytes = b""  # with its line ends, for those who want a header


class MalformedAnswer(ValueError):
    """Not an answer that this client can read."""


class AnswerReader:
    """Cuts a stream into answers, however its pieces fall.

    A server writes its headers in one order, so Content-Length is looked for where the last answer had it, and only searched for
    where it is not there.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._label = b"?"  # "\r\nContent-Length:" as the server spells it, and where that begins
        self._label_at = 0

    def feed(self, data: bytes) -> list[Answer]:
        """The answers that are whole now. Raises MalformedAnswer."""
        if self._rest:
            data = self._rest + data
        answers, start = [], 0
        while (head_end := data.find(_HEAD_END, start)) >= 0:
            body_start = head_end + 4
            status = _status(data, start)
            body_end = body_start if status in _BODILESS else body_start + self._content_length(data, start, head_end)
            if len(data) < body_end:
                break
            answers.append(Answer(status, data[body_start:body_end], data[start:body_start]))
            start = body_end
        self._rest = data[start:]
        return answers

    def _content_length(self, data: bytes, start: int, head_end: int) -> int:
        at = start + self._label_at
        if at > head_end or not data.startswith(self._label, at):
            at = self._search(data, start, head_end)
        begin = at + len(_LENGTH)
        digits = data[begin : data.find(b"\r", begin)].strip()
        if at < start or not digits.isdigit():
            raise MalformedAnswer(f"no Content-Length: {data[start : start + 200]!r}")
        return int(digits)

    def _search(self, data: bytes, start: int, head_end: int) -> int:
        """Where the header is in this head, remembered for the next; -1 for nowhere."""
        at = data[start:head_end].lower().find(_LENGTH)
        if at < 0:
            return -1
        self._label_at, self._label = at, data[start + at : start + at + len(_LENGTH)]
        return start + at


def request(method: str, path: str, *, api_key: str = "", body: bytes = b"", idempotency_key: str = "", if_none_match: str = "") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    if api_key:
        lines.append(f"Authorization: Api-Key {api_key}")
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    if idempotency_key:
        lines.append(f"Idempotency-Key: {idempotency_key}")
    if if_none_match:
        lines.append(f"If-None-Match: {if_none_match}")
    return "\r\n".join(lines).encode() + _HEAD_END + body


def header(head: bytes, name: str) -> str:
    """A header's value, empty if the head has none of that name."""
    at = head.lower().find(b"\r\n%b:" % name.lower().encode())
    if at < 0:
        return ""
    begin = at + len(name) + 3
    return head[begin : head.find(b"\r", begin)].strip().decode()


class Connection(asyncio.Protocol):
    """One connection. `on_answer(self, answer)` is told each answer; `on_lost(self)` that there will be no more."""

    def __init__(self, on_answer: "Callable[[Connection, Answer], None]", on_lost: "Callable[[Connection], None]") -> None:
        self.sent_at = 0.0  # when the request in flight was sent, or was due
        self.asks = b""  # its own next requests, for who asks whether an answer of its own still holds
        self.write: Callable[[bytes], None] = _not_connected
        self._on_answer, self._on_lost = on_answer, on_lost
        self._feed = AnswerReader().feed
        self._transport: asyncio.WriteTransport | None = None

    def send(self, data: bytes, *, at: float) -> None:
        self.sent_at = at
        self.write(data)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    @property
    def peer(self) -> int:
        """The port that it is connected to."""
        assert self._transport is not None
        return int(self._transport.get_extra_info("peername")[1])

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)
        self.write = self._transport.write

    def data_received(self, data: bytes) -> None:
        for answer in self._feed(data):
            self._on_answer(self, answer)

    def connection_lost(self, exc: Exception | None) -> None:
        self._on_lost(self)


def _not_connected(data: bytes) -> None:
    raise ConnectionError("not connected")


def _status(data: bytes, start: int) -> int:
    digits = data[start + 9 : start + 12]
    if not data.startswith(_VERSION, start) or not digits.isdigit():
        raise MalformedAnswer(f"not a status line: {data[start : start + 40]!r}")
    return int(digits)
