"""The WebSocket side of the web server: `uvicorn --ws realtime.server:SocketServer`.

The handshake is uvicorn's, and any ASGI application works as under its own classes. One that finds `EXTENSION` in the scope may
take the socket over once it is accepted. From then on there is no ASGI task, no queue and no timer for it: what the client
sends is told to a listener, and messages go to the transport as they are. That is a third of the time a delivered frame
takes through ASGI's `send`, and half of the memory of a socket.
"""

import asyncio
import socket
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from leaderboard.domain.errors import BadMessage
from realtime.frames import PROTOCOL_ERROR, TOO_BIG, Broken, Opcode, Reader, close_frame, frame
from realtime.limits import KEEPALIVE_IDLE_S, KEEPALIVE_INTERVAL_S, KEEPALIVE_PROBES, PEER_GONE_MS, Options
from realtime.wire import Listener, Message

EXTENSION = "realtime.take_over"
GOING_AWAY = 1012
_NO_STATUS = 1000
_PING = frame(Opcode.PING, b"")
_TEXT, _BINARY, _PING_CODE, _CLOSE = Opcode.TEXT.value, Opcode.BINARY.value, Opcode.PING.value, Opcode.CLOSE.value


class SocketServer(WebSocketsSansIOProtocol):
    """uvicorn's protocol up to the handshake's end; afterwards too, if nobody takes over."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn.available_extensions = None  # compressing costs 30 KiB a socket, and time for every single frame
        self._early = False  # whether the client spoke before it was answered

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        notice_lost_peers(transport)

    def data_received(self, data: bytes) -> None:
        self._early = self.handshake_initiated
        super().data_received(data)

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.close_sent:
            self._extensions[EXTENSION] = self.take_over

    @property
    def _extensions(self) -> dict[Any, Any]:
        return self.scope["extensions"] or {}

    def take_over(self, listener: Listener, options: Options) -> "DirectWire | None":
        """The socket, right after `websocket.accept` was sent; the application may return and leave it open.

        None if the client is gone, or has sent more than its handshake: that is read by the parser of before.
        """
        if self._early or self.disconnected or self.close_sent or self.transport.is_closing():
            return None
        self.stop_keepalive()
        del self._extensions[EXTENSION]  # a circle, which would outlive the handshake
        wire = DirectWire(self.transport, listener, self.connections, options)
        self.connections.discard(self)
        self.connections.add(wire)  # type: ignore[arg-type]  # uvicorn only calls `shutdown`
        self.transport.set_protocol(wire)
        self.transport = _HandedOver()
        return wire


class _HandedOver(asyncio.Transport):
    """In place of a transport that is somebody else's: at the end of the ASGI task uvicorn closes what it has."""

    def close(self) -> None:
        pass


class DirectWire(asyncio.Protocol):
    """A `realtime.wire.Wire` on a transport."""

    __slots__ = (
        "_abort",
        "_closing",
        "_connections",
        "_heard",
        "_held",
        "_listener",
        "_options",
        "_paused",
        "_reader",
        "_transport",
        "busy_since",
        "ready",
    )

    def __init__(self, transport: asyncio.Transport, listener: Listener, connections: set[Any], options: Options) -> None:
        self.ready = True
        self.busy_since: float | None = None
        self._transport, self._listener, self._connections, self._options = transport, listener, connections, options
        self._reader = Reader(options.message_bytes)
        self._heard = True  # since the last probe
        self._paused = False
        self._held = False  # whether something came while paused
        self._closing = False
        self._abort: asyncio.TimerHandle | None = None
        transport.set_write_buffer_limits(high=options.write_buffer_bytes)

    # --- A wire ----------------------------------------------------------------------------------------------------------

    def write(self, message: Message) -> None:
        self._transport.write(message.framed)

    def pause_reading(self) -> None:
        """The transport goes on until it brings something: pausing it costs more than that rare piece's room."""
        self._paused = True

    def resume_reading(self) -> None:
        self._paused = False
        if self._held:
            asyncio.get_running_loop().call_soon(self._go_on)

    def probe(self) -> bool:
        heard, self._heard = self._heard or self._held, False
        if heard and self.ready:
            self._transport.write(_PING)  # goes out together with the heartbeat
        return heard or not self.ready  # one that takes nothing is the send timeout's business

    def close(self, code: int, reason: str, last_word: Message, *, impatient: bool = False) -> None:
        self._transport.write(last_word.framed)
        self._close(code, reason)

    # --- A protocol of the transport ---------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        self._heard = True
        self._reader.feed(data)
        if self._paused:
            self._hold()
        else:
            self._read()

    def pause_writing(self) -> None:
        self.ready, self.busy_since = False, asyncio.get_running_loop().time()

    def resume_writing(self) -> None:
        if not self._closing:
            self.ready, self.busy_since = True, None
            self._listener.drained()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ready, self._closing = False, True
        self._connections.discard(self)
        if self._abort is not None:
            self._abort.cancel()
        self._listener.lost()

    def shutdown(self) -> None:
        """uvicorn stops. The hub has said bye by then, unless the process was not asked by a signal."""
        if not self._closing:
            self._close(GOING_AWAY, "")
        self._transport.close()

    # --- Reading -----------------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        """All that has come; the rest is held when somebody pauses in between."""
        try:
            while (found := self._reader.next()) is not None:
                self._take(*found)
                if self._paused:
                    self._hold()
                    return
        except Broken as broken:
            self._break_off(broken)

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == _CLOSE:
            self._answer_close(payload)
        elif self._closing:
            return
        elif opcode == _TEXT:
            self._listener.received(payload)
        elif opcode == _BINARY:
            self._listener.broken(BadMessage("binary frames are not understood"))
        elif opcode == _PING_CODE and self._listener.chatters() and self.ready:
            self._transport.write(frame(Opcode.PONG, payload))

    def _hold(self) -> None:
        if not self._held:
            self._held = True
            self._transport.pause_reading()

    def _go_on(self) -> None:
        if self._paused or not self._held or self._transport.is_closing():
            return
        self._held = False
        self._transport.resume_reading()
        self._read()

    # --- Closing -----------------------------------------------------------------------------------------------------------

    def _close(self, code: int, reason: str) -> None:
        """The client is expected to answer with its own close, or to hang up."""
        if self._closing:
            return
        self.ready, self._closing = False, True
        self._transport.write(close_frame(code, reason))
        self._abort = asyncio.get_running_loop().call_later(self._options.close_grace_s, self._transport.abort)
        self._paused = False
        self._go_on()

    def _answer_close(self, payload: bytes) -> None:
        if not self._closing:
            code = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else _NO_STATUS
            self._close(code, "")
        self._transport.close()

    def _break_off(self, broken: Broken) -> None:
        """What follows can't be read, so neither can the client's close: ours is the last that is said, and then the stream ends."""
        if broken.code == TOO_BIG and not self._closing:
            self._listener.broken(BadMessage(f"a message may have {self._options.message_bytes} bytes"))
        self._close(PROTOCOL_ERROR, "")
        self._reader = _Deaf()
        if self._transport.can_write_eof() and not self._transport.is_closing():
            self._transport.write_eof()


class _Deaf(Reader):
    """Hears nothing more."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(0)

    def feed(self, data: bytes) -> None:
        pass


def notice_lost_peers(transport: asyncio.BaseTransport) -> None:
    """Let the kernel give up a connection whose other end vanished without a word, whether or not something is being sent."""
    connection = transport.get_extra_info("socket")
    if connection is None or connection.family not in (socket.AF_INET, socket.AF_INET6):
        return
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_USER_TIMEOUT", PEER_GONE_MS),
        ("TCP_KEEPIDLE", KEEPALIVE_IDLE_S),
        ("TCP_KEEPINTVL", KEEPALIVE_INTERVAL_S),
        ("TCP_KEEPCNT", KEEPALIVE_PROBES),
    ):
        if hasattr(socket, name):  # not every system has every one
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
