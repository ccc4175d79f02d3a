"""For machines that watch the service: alive, ready, and the numbers."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import prometheus_client
from channels.layers import get_channel_layer
from django.http import HttpRequest, HttpResponse

from leaderboard import runtime
from leaderboard.api.views import ApiView

CHECK_TIMEOUT_S = 2.0


class Livez(ApiView):
    async def get(self, request: HttpRequest) -> HttpResponse:
        """The process answers. Asks nobody else, so that a broken dependency gets nobody restarted."""
        return HttpResponse(b'{"status":"alive"}', content_type="application/json")


class Readyz(ApiView):
    async def get(self, request: HttpRequest) -> HttpResponse:
        """Each dependency with its time. 503 only without SQL: with Redis away scores are still taken and ranks come from SQL."""
        services = runtime.services()
        checks = {
            "database": services.store.ping,
            "index": services.index.ping,
            "feed": services.feed.ping,
            "channel_layer": _ping_layer,
        }
        found = dict(zip(checks, await asyncio.gather(*(_timed(check) for check in checks.values())), strict=True))
        ready = found["database"]["ok"]
        whole = all(item["ok"] for item in found.values())
        body = {"status": "ready" if whole else "degraded" if ready else "unavailable", "checks": found}
        return HttpResponse(msgspec.json.encode(body), status=200 if ready else 503, content_type="application/json")


class Metrics(ApiView):
    async def get(self, request: HttpRequest) -> HttpResponse:
        """Prometheus text of this process."""
        return HttpResponse(prometheus_client.generate_latest(), content_type=prometheus_client.CONTENT_TYPE_LATEST)


async def _timed(check: Callable[[], Awaitable[Any]]) -> dict[str, Any]:
    began = time.perf_counter()
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            await check()
        error = None
    except Exception as failure:
        error = type(failure).__name__
    answer: dict[str, Any] = {"ok": error is None, "ms": round(1000 * (time.perf_counter() - began), 2)}
    return answer if error is None else {**answer, "error": error}


async def _ping_layer() -> None:
    await get_channel_layer().group_send("ping", {"type": "ping"})
