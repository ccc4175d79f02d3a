"""WebSocket frames (RFC 6455), without I/O: what a client sent, and what a server sends.

Only what this service needs: no extensions, so no reserved bits, and no message longer than a limit that is known before it is read.
"""

from enum import IntEnum

from websockets.frames import apply_mask  # type: ignore[attr-defined]  # in C where there is a wheel

CONTROL_BYTES = 125  # the longest payload of a control frame
_LENGTH_16, _LENGTH_64 = 126, 127
_FIN, _RESERVED, _OPCODE, _MASKED, _LENGTH = 0x80, 0x70, 0x0F, 0x80, 0x7F
_FIRST_CONTROL = 0x8


class Opcode(IntEnum):
    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


class Broken(Exception):
    """What came breaks the protocol: nothing after it can be understood. `code` is the close code that says so."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


PROTOCOL_ERROR, TOO_BIG = 1002, 1009
OPCODES = frozenset(Opcode)


def frame(opcode: int, payload: bytes) -> bytes:
    """A server's frame: whole and unmasked."""
    size = len(payload)
    if size < _LENGTH_16:
        return bytes((_FIN | opcode, size)) + payload
    if size < 1 << 16:
        return bytes((_FIN | opcode, _LENGTH_16)) + size.to_bytes(2, "big") + payload
    return bytes((_FIN | opcode, _LENGTH_64)) + size.to_bytes(8, "big") + payload


def close_frame(code: int, reason: str = "") -> bytes:
    return frame(Opcode.CLOSE, code.to_bytes(2, "big") + reason.encode()[: CONTROL_BYTES - 2])


class Reader:
    """Cuts what a client sends into messages, however its pieces fall. Feed it, then ask for the next until there is none."""

    __slots__ = ("_at", "_data", "_kind", "_limit", "_parts")

    def __init__(self, limit: int) -> None:
        self._limit = limit  # bytes of a message
        self._data = b""
        self._at = 0  # where in the data the next frame begins
        self._kind = Opcode.CONTINUATION  # of the message whose fragments are being gathered; CONTINUATION for none
        self._parts = b""

    def feed(self, data: bytes) -> None:
        self._data = self._data[self._at :] + data if self._data else data
        self._at = 0

    def next(self) -> tuple[int, bytes] | None:
        """Opcode and payload of the next message or control frame, None until more has come. Raises Broken."""
        while self._data and (found := self._next_frame()) is not None:
            opcode, fin, payload = found
            if opcode >= _FIRST_CONTROL or (fin and opcode):
                return opcode, payload
            if opcode:
                self._kind, self._parts = Opcode(opcode), payload
                continue
            self._parts += payload
            if fin:
                whole, self._parts, kind, self._kind = self._parts, b"", self._kind, Opcode.CONTINUATION
                return kind, whole
        return None

    def _next_frame(self) -> tuple[int, int, bytes] | None:
        data, at = self._data, self._at
        if len(data) - at < 2:
            return None
        first, second = data[at], data[at + 1]
        opcode, fin, size = first & _OPCODE, first & _FIN, second & _LENGTH
        if first & _RESERVED or not second & _MASKED or opcode not in OPCODES:
            raise Broken(PROTOCOL_ERROR)
        at += 2
        if size >= _LENGTH_16:
            width = 2 if size == _LENGTH_16 else 8
            if len(data) - at < width:
                return None
            size = int.from_bytes(data[at : at + width], "big")
            at += width
        self._check(opcode, fin, size)
        end = at + 4 + size
        if len(data) < end:
            return None
        if end == len(data):
            self._data, self._at = b"", 0  # an idle socket keeps nothing
        else:
            self._at = end
        return opcode, fin, apply_mask(data[at + 4 : end], data[at : at + 4])

    def _check(self, opcode: int, fin: int, size: int) -> None:
        """Before anything of the payload is kept."""
        if opcode >= _FIRST_CONTROL:
            if size > CONTROL_BYTES or not fin:
                raise Broken(PROTOCOL_ERROR)
        elif bool(opcode) == bool(self._kind):  # a new message within another, or the rest of none
            raise Broken(PROTOCOL_ERROR)
        elif len(self._parts) + size > self._limit:
            raise Broken(TOO_BIG)
