"""How texts get to a client, in ways that behave the same.

A wire takes a message only while it is `ready`, and says when it is again. So nothing waits in it but what the network has
not taken yet, and whoever has more to say (the outbox) decides then what is still worth saying.

- `AsgiWire` works on every server: a task of the socket's own awaits ASGI's `send`, one message at a time.
- `realtime.server.DirectWire` writes to the transport of our own server: no task, no await.

`realtime.sse` has one of either kind for server-sent events.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from leaderboard.domain.errors import BadMessage
from leaderboard.feed import Position
from realtime.frames import Opcode, frame
from realtime.limits import Options

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]


class Message:
    """A text, encoded and framed once for however many clients. A frame of a board says where that brings the watcher.

    As an event it is framed when one is first asked for: most messages go to sockets only.
    """

    __slots__ = ("_chunk", "_event", "_position", "framed", "payload")

    def __init__(self, payload: bytes, position: Position | None = None) -> None:
        self.payload = payload
        self.framed = frame(Opcode.TEXT, payload)
        self._position = position
        self._event: bytes | None = None
        self._chunk: bytes | None = None

    @property
    def event(self) -> bytes:
        """As a server-sent event. JSON has no line breaks but those that are escaped."""
        if self._event is None:
            name = b"" if self._position is None else b"id: %b:%d\n" % (self._position.epoch.encode(), self._position.offset)
            self._event = b"%bdata: %b\n\n" % (name, self.payload)
        return self._event

    @property
    def chunk(self) -> bytes:
        """The event as a chunk of an HTTP/1.1 body."""
        if self._chunk is None:
            self._chunk = chunk(self.event)
        return self._chunk


def chunk(piece: bytes) -> bytes:
    """A piece of an HTTP/1.1 body whose length nobody knows."""
    return b"%x\r\n%b\r\n" % (len(piece), piece)


class Listener(Protocol):
    """Whom a wire tells what happens on it. Never called from within a call to the wire."""

    def received(self, payload: bytes) -> None:
        """A text, in UTF-8 if it is text at all."""
        ...

    def broken(self, refusal: BadMessage) -> None:
        """Something came that is no message."""
        ...

    def chatters(self) -> bool:
        """A control frame came that wants an answer; False if there were too many, and then it gets none."""
        ...

    def drained(self) -> None:
        """The wire is ready again."""
        ...

    def lost(self) -> None:
        """The client is gone, or the wire has been closed. Said once; the last call."""
        ...


class Wire(Protocol):
    ready: bool  # takes a message; never again once it is closed
    busy_since: float | None  # when it last ceased to be ready (time of the loop), None while it is

    def write(self, message: Message) -> None:
        """Only while it is ready. Never waits."""
        ...

    def pause_reading(self) -> None:
        """Receive nothing for now; at most what came before this call is received still."""
        ...

    def resume_reading(self) -> None: ...

    def probe(self) -> bool:
        """Ask for a sign of life; False if the client has given none since it was last asked. To be called now and then."""
        ...

    def close(self, code: int, reason: str, last_word: Message, *, impatient: bool = False) -> None:
        """Say a last word and close, and take no more. Ends within the grace, whatever the client does.

        `impatient`: what was written before and is not on its way yet need not arrive.
        """
        ...


class AsgiWire:
    """`run` hands over until the socket is closed or gone, and must be awaited by somebody."""

    def __init__(self, send: Send, listener: Listener, options: Options) -> None:
        self.ready = True
        self.busy_since: float | None = None
        self._now = asyncio.get_running_loop().time
        self._send, self._listener, self._options = send, listener, options
        self._next: Message | None = None
        self._closing: tuple[int, str, Message] | None = None
        self._gone = False
        self._wake = asyncio.Event()
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._patience: asyncio.Timeout | None = None  # one for the writer's life: one a send would cost a third of the send

    def write(self, message: Message) -> None:
        self.ready, self.busy_since = False, self._now()
        self._next = message
        self._wake.set()

    def pause_reading(self) -> None:
        self._may_read.clear()

    def resume_reading(self) -> None:
        self._may_read.set()

    def probe(self) -> bool:
        """The server has pings of its own."""
        return True

    def close(self, code: int, reason: str, last_word: Message, *, impatient: bool = False) -> None:
        self.ready = False
        if self._closing is None:
            self._closing = (code, reason, last_word)
        if impatient and self._patience is not None:
            self._patience.reschedule(self._now())
            self._patience = None  # once: a scope that is ending must not be touched
        self._wake.set()

    async def run(self) -> None:
        try:
            async with asyncio.timeout(None) as self._patience:
                await self._hand_over()
        except TimeoutError:
            pass  # given up: only the last word is left
        except (OSError, RuntimeError):  # how servers say that the client is gone
            self._gone = True
        finally:
            self.ready, self._patience = False, None
        if self._closing is not None and not self._gone:
            await self._part(*self._closing)
        self._listener.lost()

    async def listen(self, receive: Receive) -> None:
        """Tell the listener what comes until the client is gone or the wire is closed."""
        while self._closing is None:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                break
            text = message.get("text")
            if text is None:
                self._listener.broken(BadMessage("binary frames are not understood"))
            else:
                self._listener.received(text.encode())
            await self._may_read.wait()
        self.end()

    def end(self) -> None:
        """Nobody reads any more."""
        self._gone = self._gone or self._closing is None
        self._wake.set()

    async def _hand_over(self) -> None:
        while not self._gone:
            message, self._next = self._next, None
            if message is not None:
                await self._send(self._said(message))
            if self._closing is not None:
                return
            if message is not None:
                self.ready, self.busy_since = True, None
                self._listener.drained()
            if self._next is None:
                self._wake.clear()
                await self._wake.wait()

    async def _part(self, code: int, reason: str, last_word: Message) -> None:
        try:
            async with asyncio.timeout(self._options.close_grace_s):
                await self._send(self._said(last_word))
                await self._send(self._closed(code, reason))
        except (OSError, RuntimeError):  # a timeout is an OSError too: it is gone or will not listen
            return

    def _said(self, message: Message) -> dict[str, Any]:
        return {"type": "websocket.send", "text": message.payload.decode()}

    def _closed(self, code: int, reason: str) -> dict[str, Any]:
        return {"type": "websocket.close", "code": code, "reason": reason}
