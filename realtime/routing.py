"""Where WebSocket paths lead, and the process's hub: made at the first socket, closed with the process."""

import asyncio
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from channels import DEFAULT_CHANNEL_LAYER
from channels.layers import channel_layers
from channels.routing import URLRouter
from django.conf import settings
from django.urls import re_path
from prometheus_client import REGISTRY
from prometheus_client.registry import Collector

from realtime import metrics
from realtime.consumers import BoardConsumer, CommandConsumer, LostConsumer
from realtime.desk import Desk
from realtime.hub import Hub

_hubs: dict[asyncio.AbstractEventLoop, Hub] = {}
_desks: dict[asyncio.AbstractEventLoop, Desk] = {}
_exposed: dict[asyncio.AbstractEventLoop, Collector] = {}


def websocket_app(get_hub: Callable[[], Hub], get_desk: Callable[[], Desk]) -> Any:
    """An ASGI application for the scope type "websocket"."""
    known = {"get_hub": get_hub, "get_desk": get_desk}
    return URLRouter(
        [
            re_path(r"^ws/leaderboard/(?P<board>[^/]+)/?$", BoardConsumer.as_asgi(**known)),
            re_path(r"^ws/?$", CommandConsumer.as_asgi(**known)),
            re_path(r"", LostConsumer.as_asgi(**known)),
        ]
    )


def current_hub() -> Hub:
    """The hub of the running loop, over a channel layer of its own: the hub flushes it when it stays deaf."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        from leaderboard import runtime

        _hubs[loop] = Hub(source=runtime.services().live, layer=channel_layers.make_backend(DEFAULT_CHANNEL_LAYER), clock=runtime.utc_now)
        _exposed[loop] = metrics.expose(_hubs[loop].counters, _hubs[loop].presence)
        say_bye_at_signal(_hubs[loop], loop)
    return _hubs[loop]


def current_desk() -> Desk:
    """The desk of the running loop."""
    loop = asyncio.get_running_loop()
    if loop not in _desks:
        from leaderboard import runtime

        services = runtime.services()
        _desks[loop] = Desk(
            services.submits,
            services.credentials,
            clock=runtime.utc_now,
            origins=frozenset(settings.CORS_ALLOWED_ORIGINS),
            watch_origins=frozenset(settings.WS_ALLOWED_ORIGINS),
            limits=services.limits,
        )
    return _desks[loop]


async def close_realtime() -> None:
    """Close the running loop's hub, if there is one."""
    _desks.pop(asyncio.get_running_loop(), None)
    hub = _hubs.get(asyncio.get_running_loop())
    if hub is not None:
        await hub.aclose()
        del _hubs[asyncio.get_running_loop()]
        exposed = _exposed.pop(asyncio.get_running_loop(), None)
        if exposed is not None:
            REGISTRY.unregister(exposed)


def say_bye_at_signal(hub: Hub, loop: asyncio.AbstractEventLoop) -> None:
    """Say bye as soon as the process is asked to stop: a server closes its sockets before it tells the application."""
    if threading.current_thread() is not threading.main_thread():
        return  # only the main thread may set handlers
    for number in (signal.SIGTERM, signal.SIGINT):
        handler = signal.getsignal(number)
        if callable(handler):  # the server's; without one the process dies at once and there is nothing to say
            signal.signal(number, _before(handler, hub, loop))


def _before(handler: Callable[[int, FrameType | None], Any], hub: Hub, loop: asyncio.AbstractEventLoop) -> Any:
    def handle(number: int, frame: FrameType | None) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(hub.say_bye)
        handler(number, frame)

    return handle


websocket_application = websocket_app(current_hub, current_desk)
