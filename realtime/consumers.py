"""Sockets: read a command, call the hub, answer. A socket that is refused is accepted first and then closed with its code,
since a browser can't see the status of a failed handshake.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar
from urllib.parse import parse_qs

from channels.consumer import get_handler_name
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer

from leaderboard.domain.errors import BadMessage, NotFound, Refusal, TooMany
from leaderboard.feed import Position
from realtime.hub import Hub
from realtime.limits import TokenBucket
from realtime.outbox import Outbox
from realtime.protocol import (
    DEFAULT_TOP,
    ENDING,
    PONG,
    Ack,
    Command,
    Subscribe,
    Unsubscribe,
    error_text,
    read_command,
    size_of,
    size_of_text,
)

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


def admit(scope: Scope) -> None:
    """Whether this socket may be here at all: the place for origin and credential checks. Raises a Refusal."""


class CommandConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]  # channels is untyped
    """`/ws/`: takes commands. Two tasks a socket: the server's own writes, one reads.

    Other than stock consumers it has no channel of the layer (the hub has one for all) and its messages make no thread hop.
    """

    get_hub: ClassVar[Callable[[], Hub]]

    def __init__(self, *, get_hub: Callable[[], Hub]) -> None:
        super().__init__()
        self.hub = get_hub()
        options = self.hub.options
        self._bucket = TokenBucket(burst=options.message_burst, per_s=options.messages_per_s, now=self._now())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope, self.base_send = scope, send
        if (await receive())["type"] != "websocket.connect":
            return  # gone before it came
        await self.accept()
        self.outbox: Outbox = self.hub.attach()
        reader = asyncio.create_task(self._listen(receive))
        reader.add_done_callback(lambda _: self.outbox.end() if self.outbox.closing is None else None)
        try:
            await self.outbox.run(send)
        finally:
            self.hub.detach(self.outbox)
            reader.cancel()
            await asyncio.wait([reader])
        if not reader.cancelled():
            reader.result()  # a defect in the reader shows in the server's log

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Without the stock look after database connections, which is a thread hop a message."""
        await getattr(self, get_handler_name(message))(message)

    async def websocket_receive(self, message: dict[str, Any]) -> None:
        """What a refusal of a command does to the socket is in `protocol.ENDING`."""
        try:
            await self._obey(self._read(message))
        except Refusal as refusal:
            self._answer(refusal, ends=refusal.code in ENDING)

    async def websocket_disconnect(self, message: dict[str, Any]) -> None:
        raise StopConsumer

    async def open(self) -> None:
        """What is to be done before the first command. A Refusal ends the socket."""

    async def _listen(self, receive: Receive) -> None:
        try:
            admit(self.scope)
            await self.open()
        except Refusal as refusal:
            self._answer(refusal, ends=True)
        try:
            while self.outbox.closing is None:
                await self.dispatch(await receive())
        except StopConsumer:
            self.outbox.end()

    def _answer(self, refusal: Refusal, *, ends: bool) -> None:
        if ends:
            self.outbox.refuse(refusal)
        else:
            self.hub.counters.refused += 1
            self.outbox.push(error_text(refusal))

    def _read(self, message: dict[str, Any]) -> Command:
        """Cheapest checks first. Raises TooMany or BadMessage."""
        if not self._bucket.take(self._now()):
            raise TooMany("too many messages")
        text: str | None = message.get("text")
        if text is None:
            raise BadMessage("binary frames are not understood")
        data = text.encode()
        if len(data) > self.hub.options.message_bytes:
            raise BadMessage(f"a message may have {self.hub.options.message_bytes} bytes")
        return read_command(data)

    async def _obey(self, command: Command) -> None:
        if isinstance(command, Subscribe):
            since = Position(command.since.epoch, command.since.offset) if command.since else None
            await self.hub.subscribe(self.outbox, command.leaderboard, top=size_of(command.top), since=since)
        elif isinstance(command, Unsubscribe):
            self.hub.unsubscribe(self.outbox, command.leaderboard)
        elif isinstance(command, Ack):
            if subscription := self.outbox.subscriptions.get(command.leaderboard):
                subscription.acknowledge(command.offset)
        else:
            self.outbox.push(PONG)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


class BoardConsumer(CommandConsumer):
    """`/ws/leaderboard/{board}/?top=10`: subscribes at once, and takes commands too."""

    async def open(self) -> None:
        query = parse_qs(self.scope["query_string"].decode("latin-1"), keep_blank_values=True)
        top = size_of_text(query.get("top", [str(DEFAULT_TOP)])[-1])
        await self.hub.subscribe(self.outbox, self.scope["url_route"]["kwargs"]["board"], top=top)


class LostConsumer(CommandConsumer):
    """Any other path."""

    async def open(self) -> None:
        raise NotFound("there are /ws/ and /ws/leaderboard/{board}/")
