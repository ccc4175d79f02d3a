"""Just enough of WebSocket (RFC 6455) to talk to a server that sends unmasked, uncompressed, unfragmented frames."""

from enum import IntEnum
from typing import NamedTuple

_LENGTH_16, _LENGTH_64 = 126, 127
_NO_MASK = b"\0\0\0\0"  # a client must mask; with zeros there is nothing to do, and the server's work is the same


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

    def feed(self, data: bytes) -> list[WireFrame]:
        if self._rest:
            data = self._rest + data
        frames, start = [], 0
        while (bounds := _bounds(data, start)) is not None and bounds[1] <= len(data):
            frames.append(WireFrame(data[start] & 0x0F, data[bounds[0] : bounds[1]]))
            start = bounds[1]
        self._rest = data[start:]
        return frames


def upgrade(path: str, *, api_key: str = "") -> bytes:
    """The opening handshake. The key is a constant: nothing here needs the proof that the server read it."""
    lines = [f"GET {path} HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
    if api_key:
        lines.append(f"Authorization: Api-Key {api_key}")
    return "\r\n".join((*lines, "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "", "")).encode()


def text(payload: bytes) -> bytes:
    """A client's text frame."""
    return _frame(Opcode.TEXT, payload)


def pong(payload: bytes) -> bytes:
    """The answer to a ping."""
    return _frame(Opcode.PONG, payload)


def _frame(opcode: Opcode, payload: bytes) -> bytes:
    if len(payload) < _LENGTH_16:
        return bytes((0x80 | opcode, 0x80 | len(payload))) + _NO_MASK + payload
    return bytes((0x80 | opcode, 0x80 | _LENGTH_16)) + len(payload).to_bytes(2, "big") + _NO_MASK + payload


def _bounds(data: bytes, start: int) -> tuple[int, int] | None:
    """Where the payload of the frame at `start` begins and ends; None if its header is not whole."""
    if len(data) < start + 2:
        return None
    length = data[start + 1] & 0x7F
    if length < _LENGTH_16:
        return start + 2, start + 2 + length
    begin = start + (4 if length == _LENGTH_16 else 10)
    if len(data) < begin:
        return None
    return begin, begin + int.from_bytes(data[start + 2 : begin], "big")
