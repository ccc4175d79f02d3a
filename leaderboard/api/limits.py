"""The door of the API: every request under /api/ and /sse/ takes a token from the bucket of who asks before anything is done for it."""

import re
from collections.abc import Coroutine
from contextlib import suppress
from functools import lru_cache, partial
from typing import Any

from django.conf import settings

from leaderboard import runtime
from leaderboard.api import proxies
from leaderboard.api.request import ApiRequest
from leaderboard.domain.address import subscriber
from leaderboard.domain.errors import NotAuthenticated, StoreUnavailable
from leaderboard.services.credentials import Credential
from leaderboard.services.limits import ADMIN, AUTH, READ, SUBMIT

_PATH = re.compile(r"/api/(?:v[0-9]+/)?([^/]*)/(.*)", re.DOTALL)
_READING = ("GET", "HEAD", "OPTIONS")


def admit(request: ApiRequest) -> Coroutine[Any, Any, None] | None:
    """Take a token. None: taken, go on; else wait for it, it raises RateLimited if there is none."""
    if not settings.RATE_LIMITS:
        return None
    route_class = class_of(request.method, request.path)
    if route_class is None:
        return None
    credential = _held(request)
    if credential is None and b"authorization" in request.headers and runtime.services().catalogs.held() is None:
        return _admit_when_known(request, route_class)
    return _take(request, route_class, credential)


async def take_batch(request: ApiRequest, size: int) -> None:
    """Take for the rest of a batch; one was taken at the door. Raises RateLimited."""
    if request.bucket is not None:
        await request.bucket.take(size - 1, of=size)


async def count_for(request: ApiRequest, credential: Credential) -> None:
    """From here on it counts for this player and no more for the address, which paid for finding out. Raises RateLimited."""
    if request.bucket is not None:
        waiting = _take(request, class_of(request.method, request.path) or READ, credential)
        if waiting is not None:
            await waiting


@lru_cache(maxsize=4096)
def class_of(method: str, path: str) -> str | None:
    """The class of a route; None for what is no API, such as health."""
    found = _PATH.fullmatch(path)
    if found is None:
        return READ if path.startswith(("/api/", "/sse/")) else None  # a stream counts once, when it is opened
    if found[1] == "auth":
        return AUTH
    if method in _READING:
        return READ
    return SUBMIT if found[1] == "scores" else ADMIN


def _take(request: ApiRequest, route_class: str, credential: Credential | None) -> Coroutine[Any, Any, None] | None:
    bucket = request.bucket = runtime.services().limits.bucket(route_class, credential, partial(_address, request))
    return None if bucket is None or bucket.spend() else bucket.take()


async def _admit_when_known(request: ApiRequest, route_class: str) -> None:
    """The first requests of a process: until the keys are loaded all would count for one address."""
    with suppress(StoreUnavailable):
        await runtime.services().catalogs.view()
    waiting = _take(request, route_class, _held(request))
    if waiting is not None:
        await waiting


def _held(request: ApiRequest) -> Credential | None:
    """Who it is as far as this process knows; an unknown key or a forged token is nobody's."""
    header = request.headers.get(b"authorization")
    if header is None:
        return None
    try:
        request.credential = runtime.services().credentials.held(header, now=runtime.utc_now())
    except NotAuthenticated:
        return None
    return request.credential


def _address(request: ApiRequest) -> str:
    return subscriber(proxies.address_of(request.peer, request.headers))
