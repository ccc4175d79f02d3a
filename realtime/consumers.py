"""Sockets as ASGI sees them: accept, find out who it is, and let a `Session` talk.

A socket that is refused is accepted first and then closed with its code, since a browser can't see the status of a failed
handshake. Under `realtime.server` the consumer is done once the session has begun; elsewhere it stays and carries messages.
"""

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar

from channels.generic.websocket import AsyncWebsocketConsumer

from leaderboard.domain.errors import NotFound, Refusal
from realtime.desk import Desk
from realtime.hub import Hub
from realtime.protocol import SUBPROTOCOL
from realtime.server import EXTENSION
from realtime.session import Session
from realtime.wanted import wanted_in
from realtime.wire import AsgiWire, Receive, Send

Scope = dict[str, Any]


class CommandConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]  # channels is untyped
    """`/ws/`: takes commands. Other than stock consumers it has no channel of the layer: the hub has one for all."""

    get_hub: ClassVar[Callable[[], Hub]]
    get_desk: ClassVar[Callable[[], Desk]]

    def __init__(self, *, get_hub: Callable[[], Hub], get_desk: Callable[[], Desk]) -> None:
        super().__init__()
        self.hub, self.desk = get_hub(), get_desk()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (await receive())["type"] != "websocket.connect":
            return  # gone before it came
        spoken = SUBPROTOCOL if SUBPROTOCOL in scope.get("subprotocols", ()) else None  # never one that a ticket is in
        await send({"type": "websocket.accept", "subprotocol": spoken})
        session = Session(self.hub, self.desk)
        take_over = scope.get("extensions", {}).get(EXTENSION)
        wire = take_over(session, self.hub.options) if take_over else None
        if wire is not None:
            session.begin(wire)
            await self._open(session, scope)
        else:
            await self._serve(session, scope, receive, send)

    async def _serve(self, session: Session, scope: Scope, receive: Receive, send: Send) -> None:
        """Two tasks a socket: this one writes, one reads."""
        wire = AsgiWire(send, session, self.hub.options)
        session.begin(wire)
        reader = asyncio.create_task(self._read(session, wire, scope, receive))
        try:
            await wire.run()
        finally:
            reader.cancel()
            await asyncio.wait([reader])
        if not reader.cancelled():
            reader.result()  # a defect in the reader shows in the server's log

    async def _read(self, session: Session, wire: AsgiWire, scope: Scope, receive: Receive) -> None:
        try:
            await self._open(session, scope)
            await wire.listen(receive)
        finally:
            wire.end()  # with a defect in the reader, too

    async def _open(self, session: Session, scope: Scope) -> None:
        async def opening() -> None:
            session.outbox.bearer = await self.desk.admit(scope)
            await self.open(session, scope)

        await session.open(opening)

    async def open(self, session: Session, scope: Scope) -> None:
        """What is to be done before the first command. A Refusal ends the socket."""


class BoardConsumer(CommandConsumer):
    """`/ws/leaderboard/{board}/?top=10`, and the rest of `realtime.wanted`: subscribes at once, and takes commands too."""

    async def open(self, session: Session, scope: Scope) -> None:
        board = scope["url_route"]["kwargs"]["board"]
        try:
            await self.hub.subscribe(session.outbox, board, wanted_in(scope["query_string"].decode("latin-1")))
        except Refusal as refusal:
            session.outbox.refuse(refusal, leaderboard=board)


class LostConsumer(CommandConsumer):
    """Any other path."""

    async def open(self, session: Session, scope: Scope) -> None:
        raise NotFound("there are /ws/ and /ws/leaderboard/{board}/")
