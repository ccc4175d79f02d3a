"""Boards by server-sent events, for networks that let no WebSocket through: the same frames, each as an event of an HTTP answer.

A client says all that it wants in the address, since it can say nothing later. Whom a socket would close with a code gets a problem
document instead of a stream, while there is time: until the board is open. From then on a stream is an outbox like a socket's, with a
wire of its own, so that what is owed, who is slow and who may watch is decided in one place.
"""

import asyncio
import random
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import msgspec
from django.conf import settings
from django.http import HttpResponse

from leaderboard.api import problems
from leaderboard.api.request import DjangoApiRequest, Receive, Send, TalkResponse
from leaderboard.api.views import ApiView, response
from leaderboard.domain.errors import BadMessage, InvalidParameter, Overloaded, Refusal
from leaderboard.feed import Position
from realtime.desk import Scope
from realtime.hub import Hub
from realtime.limits import Options
from realtime.outbox import Outbox
from realtime.protocol import Subscribe, error_text
from realtime.routing import current_desk, current_hub
from realtime.server import DirectWire, notice_lost_peers
from realtime.wanted import wanted_in, wanted_of
from realtime.wire import AsgiWire, Message, chunk

MEDIA_TYPE = "text/event-stream"
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # nginx would hold events back until it has some KiB
_POSITION = re.compile(r"([0-9A-Za-z]{1,64}):([0-9]{1,15})")
_LAST_CHUNK = b"0\r\n\r\n"
_subscribe = msgspec.json.Decoder(Subscribe)

Watch = Callable[[Hub, Outbox], Awaitable[None]]


class _Streams(ApiView):
    def wish(self, request: DjangoApiRequest, **path: str) -> Watch:
        """What to subscribe to. Raises InvalidParameter."""
        raise NotImplementedError

    async def get(self, request: DjangoApiRequest, **path: str) -> HttpResponse:
        answer: HttpResponse
        try:
            stream = await _open(request, self.wish(request, **path))
            answer = TalkResponse(stream, content_type=MEDIA_TYPE, headers=HEADERS)
        except BadMessage as refusal:  # which is about messages; here it can only be the address
            answer = response(problems.answer(InvalidParameter(refusal.detail), request.request_id))
        except Refusal as refusal:
            answer = response(problems.answer(refusal, request.request_id))
        _allow_origin(request, answer)
        return answer


class Events(_Streams):
    """`/sse/leaderboard/{board}/?top=10`: one board. When that is gone there is nothing to stay for."""

    def wish(self, request: DjangoApiRequest, **path: str) -> Watch:
        wanted = replace(wanted_in(request.api.query.decode("latin-1")), since=_since(request))

        async def watch(hub: Hub, outbox: Outbox) -> None:
            outbox.of_one_board = True
            await hub.subscribe(outbox, path["board"], wanted)

        return watch


class ManyEvents(_Streams):
    """`/sse/?subscribe={...}&subscribe={...}`: many boards, each asked for as on a socket, and refused as there, by a message."""

    def wish(self, request: DjangoApiRequest, **path: str) -> Watch:
        commands = _subscribes(request.GET.getlist("subscribe"), at_most=current_hub().options.subscriptions)

        async def watch(hub: Hub, outbox: Outbox) -> None:
            async def one(command: Subscribe) -> None:
                try:
                    await hub.subscribe(outbox, command.leaderboard, wanted_of(command))
                except Refusal as refusal:
                    hub.counters.refused += 1
                    outbox.answer(error_text(refusal, leaderboard=command.leaderboard))

            await asyncio.gather(*map(one, commands))

        return watch


def _subscribes(texts: list[str], *, at_most: int) -> list[Subscribe]:
    """The last for each board. Raises InvalidParameter."""
    if not 1 <= len(texts) <= at_most:
        wrong = f"1 to {at_most} of them are wanted"
    else:
        try:
            commands = [_subscribe.decode(text) for text in texts]
            return list({command.leaderboard: command for command in commands}.values())
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            wrong = str(error)
    raise InvalidParameter(f"subscribe: {wrong}", errors=[{"field": "subscribe", "detail": wrong}])


async def _open(request: DjangoApiRequest, watch: Watch) -> "Stream | None":
    """A stream that is owed what it watches; None for who asks for the headers only. Raises what `Desk.admit` and `watch` do."""
    bearer = await current_desk().admit(_handshake(request))
    hub = current_hub()
    stream = Stream(hub)
    try:
        stream.outbox.bearer = bearer
        if not hub.closing:
            if stream.outbox.closing:
                raise Overloaded("This process holds as many watchers as it may.")
            await watch(hub, stream.outbox)
    except BaseException:
        stream.abandon()
        raise
    if request.method == "HEAD":
        stream.abandon()
        return None
    return stream


def _since(request: DjangoApiRequest) -> Position | None:
    """Where the client has been brought to. A browser that comes back by itself says so in a header, and keeps to the first address.

    Raises InvalidParameter for an address that says something else.
    """
    told = _POSITION.fullmatch(request.headers.get("Last-Event-ID", ""))
    if told is None and "since" in request.GET:
        told = _POSITION.fullmatch(request.GET["since"])
        if told is None:
            raise InvalidParameter("since must be <epoch>:<offset>.", errors=[{"field": "since", "detail": "<epoch>:<offset>"}])
    return None if told is None else Position(told[1], int(told[2]))


def _handshake(request: DjangoApiRequest) -> Scope:
    """The request as the desk sees handshakes: a browser names no origin to the page's own site, but says that it is the same."""
    scope: Scope = request.scope
    if "Origin" in request.headers or request.headers.get("Sec-Fetch-Site") != "same-origin":
        return scope
    origin = f"{request.scheme}://{request.get_host()}"
    return {**scope, "headers": [*scope["headers"], (b"origin", origin.encode("latin-1"))]}


def _allow_origin(request: DjangoApiRequest, answer: HttpResponse) -> None:
    """Pages that may watch by a socket may watch so. Those that may use the whole API are told by the handler."""
    origin, everybody = request.headers.get("Origin"), "*" in settings.WS_ALLOWED_ORIGINS
    if origin is None or origin in settings.CORS_ALLOWED_ORIGINS or not (everybody or origin in settings.WS_ALLOWED_ORIGINS):
        return
    answer.headers["Access-Control-Allow-Origin"] = "*" if everybody else origin
    answer.headers["Access-Control-Expose-Headers"] = "Retry-After"
    answer.headers["Vary"] = "origin"


class Stream:
    """One client's events: a `Talk`, and the listener of its wire. Until the answer begins it is a wire itself, one that takes nothing."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._loop = asyncio.get_running_loop()
        self.ready = False
        self.busy_since: float | None = self._loop.time()  # one that nobody begins is given up like one that nobody reads
        self._ended: tuple[int, str, Message] | None = None
        self.outbox = hub.attach(self)

    # --- A wire, until the answer has begun ------------------------------------------------------------------------------

    def write(self, message: Message) -> None:
        raise AssertionError("it is never ready")

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def probe(self) -> bool:
        return True

    def close(self, code: int, reason: str, last_word: Message, *, impatient: bool = False) -> None:
        self._ended = (code, reason, last_word)
        self._loop.call_soon(self.abandon)

    # --- A talk ------------------------------------------------------------------------------------------------------------

    async def over_asgi(self, receive: Receive, send: Send) -> None:
        wire = AsgiEvents(send, self, self._hub.options)
        self._begin(wire)
        reader = asyncio.create_task(wire.listen(receive))
        try:
            await send({"type": "http.response.body", "body": self._greeting(), "more_body": True})
            await wire.run()
        finally:
            reader.cancel()
            await asyncio.wait([reader])
            self.lost()

    def take_over(self, transport: asyncio.Transport, connections: set[Any], *, paused: bool) -> None:
        notice_lost_peers(transport)
        wire = DirectEvents(transport, self, connections, self._hub.options)
        connections.add(wire)
        transport.set_protocol(wire)
        if paused:
            wire.pause_writing()
        transport.write(chunk(self._greeting()))
        self._begin(wire)

    def abandon(self) -> None:
        self._hub.detach(self.outbox)

    def _begin(self, wire: "AsgiEvents | DirectEvents") -> None:
        self.outbox.begin(wire)
        if self._ended is not None:
            wire.close(*self._ended)

    def _greeting(self) -> bytes:
        """When to come back after the end, at random: browsers obey, and so don't come back all at once."""
        low, high = self._hub.options.retry_in_ms
        return b"retry: %d\n\n" % random.randint(low, high)  # noqa: S311 (spreads reconnects, guards nothing)

    # --- A listener --------------------------------------------------------------------------------------------------------

    def received(self, payload: bytes) -> None:
        pass

    def broken(self, refusal: BadMessage) -> None:
        pass

    def chatters(self) -> bool:
        return False

    def drained(self) -> None:
        self.outbox.flush()

    def lost(self) -> None:
        self._hub.detach(self.outbox)


class AsgiEvents(AsgiWire):
    """For any server."""

    def __init__(self, send: Send, listener: Stream, options: Options) -> None:
        super().__init__(send, listener, options)

    async def listen(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.end()

    def _said(self, message: Message) -> dict[str, Any]:
        return {"type": "http.response.body", "body": message.event, "more_body": True}

    def _closed(self, code: int, reason: str) -> dict[str, Any]:
        return {"type": "http.response.body", "body": b""}


class DirectEvents(DirectWire):
    """On the transport of our own server: nothing is awaited, and what is written is made once for all."""

    __slots__ = ()

    def write(self, message: Message) -> None:
        self._transport.write(message.chunk)

    def probe(self) -> bool:
        """Nothing can be asked of the client; the kernel notices that it is gone."""
        return True

    def close(self, code: int, reason: str, last_word: Message, *, impatient: bool = False) -> None:
        if not self._closing:
            self._transport.write(last_word.chunk)
            self._close(code, reason)

    def data_received(self, data: bytes) -> None:
        """A next request, while this one is being answered: it is never reached."""

    def _close(self, code: int, reason: str) -> None:
        self.ready, self._closing = False, True
        self._transport.write(_LAST_CHUNK)
        self._abort = asyncio.get_running_loop().call_later(self._options.close_grace_s, self._transport.abort)
        self._transport.close()
