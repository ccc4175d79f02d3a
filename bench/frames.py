"""Just enough of WebSocket (RFC 6455) to count what a server sends: unmasked, uncompressed, unfragmented frames."""

from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

_LENGTH_16, _LENGTH_64 = 126, 127


class Opcode(IntEnum):
    TEXT = 1
    CLOSE = 8
    PING = 9
    PONG = 10


class WireFrame(NamedTuple):
    opcode: int
    payload: bytes


class FrameReader:
    """Cuts a stream into frames, however its pieces fall."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[WireFrame]:
        self._rest = rest = self._rest + data if self._rest else data
        start = 0
        while (bounds := _bounds(rest, start)) is not None and bounds[1] <= len(rest):
            yield WireFrame(rest[start] & 0x0F, rest[bounds[0] : bounds[1]])
            start = bounds[1]
            self._rest = rest[start:]


def upgrade(path: str) -> bytes:
    """The opening handshake. The key is a constant: nothing here needs the proof that the server read it."""
    lines = (f"GET {path} HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")
    return "\r\n".join((*lines, "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "", "")).encode()


def pong(payload: bytes) -> bytes:
    """The answer to a ping, masked with zeros."""
    return bytes((0x80 | Opcode.PONG, 0x80 | len(payload))) + b"\0\0\0\0" + payload


def _bounds(data: bytes, start: int) -> tuple[int, int] | None:
    """Where the payload of the frame at `start` begins and ends; None if its header is not whole."""
    if len(data) < start + 2:
        return None
    length = data[start + 1] & 0x7F
    width = {_LENGTH_16: 2, _LENGTH_64: 8}.get(length, 0)
    begin = start + 2 + width
    if len(data) < begin:
        return None
    return begin, begin + (int.from_bytes(data[start + 2 : begin], "big") if width else length)
