"""The ASGI application: API requests by the slim handler, WebSockets by the hub, pages and the admin by Django."""

import gc
import os
from collections.abc import Awaitable, Callable
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gaming_leaderboard.settings")
django_pages = get_asgi_application()

# Django must be set up before these.
from gaming_leaderboard.handler import PREFIXES, ApiHandler  # noqa: E402
from gaming_leaderboard.pages import bounded  # noqa: E402
from leaderboard import runtime  # noqa: E402
from leaderboard.api.proxies import seen_through  # noqa: E402
from realtime.routing import close_realtime, websocket_application  # noqa: E402

api = ApiHandler()
pages = bounded(django_pages)


async def application(scope: dict[str, Any], receive: Callable[..., Awaitable[Any]], send: Callable[..., Awaitable[None]]) -> None:
    """Route by protocol and path; under a server that speaks lifespan, stop cleanly."""
    if scope["type"] == "http":
        await (api(scope, receive, send) if scope["path"].startswith(PREFIXES) else pages(seen_through(scope), receive, send))
    elif scope["type"] == "websocket":
        await websocket_application(seen_through(scope), receive, send)
    elif scope["type"] == "lifespan":
        await _lifespan(scope, receive, send)
    else:
        raise ValueError(f"no such protocol here: {scope['type']}")


async def _lifespan(scope: dict[str, Any], receive: Callable[..., Awaitable[Any]], send: Callable[..., Awaitable[None]]) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            scope.get("state", {})["api"] = api  # for gaming_leaderboard.server
            _hold_still()
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await close_realtime()
            await runtime.services().aclose()
            await send({"type": "lifespan.shutdown.complete"})
            return


def _hold_still() -> None:
    """Keep the garbage collector from walking what lives as long as the process: it took a fifth of the CPU and most of the p99.

    Requests leave no cycles behind, so a rare collection finds as much; 50,000 new objects are some thousand requests.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
