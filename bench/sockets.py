"""A WebSocket client: the handshake, frames, pongs. What a text means is its owner's business."""

import asyncio
from collections.abc import Callable
from typing import cast

from bench.frames import FrameReader, Opcode, pong, upgrade

_HEAD_END = b"\r\n\r\n"
_TEXT = Opcode.TEXT.value  # an enum's member is slower to look up than a name


class Socket(asyncio.Protocol):
    """One socket. `on_text(text)` is told each text, `on_lost()` that there will be no more; `opened` is done with the handshake."""

    def __init__(self, path: str, on_text: Callable[[bytes], None], on_lost: Callable[[], None], *, api_key: str = "") -> None:
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._asks = upgrade(path, api_key=api_key)
        self._on_text, self._on_lost = on_text, on_lost
        self._feed = FrameReader().feed
        self._head: bytes | None = b""  # of the handshake's answer; None once that is read
        self._transport: asyncio.WriteTransport | None = None

    def write(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.write(data)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)
        self._transport.write(self._asks)

    def data_received(self, data: bytes) -> None:
        if self._head is not None:
            data = self._shake_hands(self._head + data)
        for opcode, payload in self._feed(data):
            if opcode == _TEXT:
                self._on_text(payload)
            elif opcode == Opcode.PING:
                self.write(pong(payload))

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail("a socket was closed before it was open")
        self._on_lost()

    def _shake_hands(self, data: bytes) -> bytes:
        """What comes after the handshake's answer, nothing until that is whole."""
        head, end, rest = data.partition(_HEAD_END)
        if not end:
            self._head = data
            return b""
        self._head = None
        if head.startswith(b"HTTP/1.1 101"):
            self.opened.set_result(None)
        else:
            self._fail(f"no WebSocket: {head[:100].decode(errors='replace')}")
        return rest

    def _fail(self, what: str) -> None:
        if not self.opened.done():
            self.opened.set_exception(ConnectionError(what))
