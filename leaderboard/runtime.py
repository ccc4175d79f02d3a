"""One set of services per process, built from the settings; and a loop for code that has none (tasks, commands).

Entrances import this module; services never do.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar

import msgspec
from channels.layers import get_channel_layer
from django.conf import settings

from gaming_leaderboard.celery import app as celery_app
from leaderboard import metrics
from leaderboard.cache.redis import Cache
from leaderboard.domain.score import BoardId
from leaderboard.feed import Frame, group_name
from leaderboard.feed.redis import RedisFeed
from leaderboard.index.redis import RedisIndex
from leaderboard.redis_client import Road
from leaderboard.services import Services
from leaderboard.services.bell import Bell
from leaderboard.services.caching import Caching
from leaderboard.services.careers import Careers
from leaderboard.services.catalog import Catalogs
from leaderboard.services.credentials import Credentials
from leaderboard.services.key_uses import KeyUses
from leaderboard.services.limits import Limits
from leaderboard.services.live import Live
from leaderboard.services.players import Players
from leaderboard.services.race import Races
from leaderboard.services.ranges import Ranges
from leaderboard.services.rerank import Rerank
from leaderboard.services.sign_in import SignIn
from leaderboard.services.signatures import Signatures
from leaderboard.services.standings import Standings
from leaderboard.services.submit import Submits
from leaderboard.services.tokens import Tokens
from leaderboard.services.totals import Totals
from leaderboard.services.upkeep import Upkeep
from leaderboard.store.factory import open_store
from leaderboard.throttle.redis import Throttle

T = TypeVar("T")

ASK_AGAIN_S = 5.0  # how long a rebuild that was asked for is not asked for again
RERANKED_SETTLED_S = 2.0  # more than INDEX_TIMEOUT_MS and CATALOG_MAX_AGE_MS
ANNOUNCE_TIMEOUT_S = 2.0  # a layer that hangs must not hold the publisher: hubs catch up by their poll


def utc_now() -> datetime:
    return datetime.now(UTC)


@cache
def services() -> Services:
    """The process's services. Connections open on first use, in the loop that uses them."""
    return build(settings.DATABASE_URL, settings.REDIS_URL)


def build(database_url: str, redis_url: str) -> Services:
    """Services over these servers; everything else from the settings."""
    store = open_store(
        database_url,
        pool_size=settings.DATABASE_POOL_SIZE,
        statement_cache=settings.DATABASE_STATEMENT_CACHE,
        timeout_ms=settings.STORE_TIMEOUT_MS,
    )
    road = Road(redis_url)
    index = RedisIndex(road, timeout_ms=settings.INDEX_TIMEOUT_MS, retry_ms=settings.INDEX_RETRY_MS)
    feed = RedisFeed(road, tick_ms=settings.LIVE_TICK_MS, timeout_ms=settings.INDEX_TIMEOUT_MS, retry_ms=settings.INDEX_RETRY_MS)
    throttle = Throttle(road, timeout_ms=settings.INDEX_TIMEOUT_MS, retry_ms=settings.INDEX_RETRY_MS, monotonic=time.monotonic)
    shared = Cache(redis_url, timeout_ms=settings.CACHE_TIMEOUT_MS, retry_ms=settings.INDEX_RETRY_MS)
    catalogs = Catalogs(store, shared, max_age_ms=settings.CATALOG_MAX_AGE_MS)
    players = Players(store, shared)
    known: dict[str, Any] = {"store": store, "index": index, "feed": feed, "catalogs": catalogs, "players": players}
    tokens = Tokens(settings.SECRET_KEY)
    key_uses = KeyUses(store)
    totals = Totals(store, monotonic=time.monotonic)
    live = Live(**known, totals=totals, announce=_announce, ask_rebuild=_ask_rebuild, clock=utc_now)
    bell = Bell(feed, _ring)
    submits = Submits(
        store=store,
        index=index,
        catalogs=catalogs,
        players=players,
        totals=totals,
        bell=bell,
        batch_limit=settings.BATCH_LIMIT,
        queue_limit=settings.QUEUE_LIMIT,
        metadata_limit=settings.METADATA_LIMIT,
    )
    upkeep = Upkeep(store=store, index=index, catalogs=catalogs, live=live, bell=bell, monotonic=time.monotonic)
    standings = Standings(**known, totals=totals, bell=bell)
    return Services(
        **known,
        cache=shared,
        caching=Caching(**known, cache=shared),
        credentials=Credentials(catalogs, tokens, key_uses),
        tokens=tokens,
        signatures=Signatures(store, settings.SECRET_KEY),
        limits=Limits(throttle, settings.RATES if settings.RATE_LIMITS else {}),
        key_uses=key_uses,
        sign_in=SignIn(tokens, catalogs),
        submits=submits,
        totals=totals,
        standings=standings,
        careers=Careers(store=store, index=index, catalogs=catalogs, players=players, totals=totals, bell=bell),
        races=Races(store=store, feed=feed, catalogs=catalogs, players=players, monotonic=time.monotonic),
        ranges=Ranges(standings, store=store, index=index, feed=feed, players=players, totals=totals),
        live=live,
        upkeep=upkeep,
        rerank=Rerank(
            store=store,
            index=index,
            catalogs=catalogs,
            players=players,
            bell=bell,
            clock=utc_now,
            settle_s=RERANKED_SETTLED_S,
        ),
    )


async def _announce(leaderboard: int, frame: Frame) -> None:
    """Tell the hubs. A frame lost here is found by their poll, so a failure is counted, not raised."""
    message = {"type": "leaderboard.frame", "leaderboard": leaderboard, "frame": msgspec.json.encode(frame).decode()}
    try:
        async with asyncio.timeout(ANNOUNCE_TIMEOUT_S):
            await get_channel_layer().group_send(group_name(leaderboard), message)
    except Exception:
        metrics.ANNOUNCE_FAILED.inc()


# --- Bells: publishing a task is blocking I/O, so it happens in a thread of its own, never on the loop ------------------

_bells = ThreadPoolExecutor(max_workers=1, thread_name_prefix="bell")
_asked: dict[BoardId, float] = {}


def _ring(delay_ms: int) -> None:
    asyncio.get_running_loop().call_later(delay_ms / 1000, _bells.submit, _send, "leaderboard.tasks.rank_update", ())


def _ask_rebuild(board: BoardId) -> None:
    if time.monotonic() - _asked.get(board, float("-inf")) > ASK_AGAIN_S:
        _asked[board] = time.monotonic()
        _bells.submit(_send, "leaderboard.tasks.rebuild", (board.leaderboard_id, board.season))


def ask_reranking() -> None:
    """Beat asks again, should this be lost."""
    _bells.submit(_send, "leaderboard.tasks.rerank", ())


def _send(task: str, arguments: tuple[int, ...]) -> None:
    """A bell that can't be rung is counted: the sweep finds the dirty mark."""
    try:
        route = celery_app.conf.task_routes[task]
        celery_app.send_task(task, args=arguments, queue=route["queue"], retry=False, expires=60)
        metrics.BELLS.inc()
    except Exception:
        metrics.BELLS_FAILED.inc()


# --- A loop for synchronous entrances ------------------------------------------------------------------------------------


@cache
def _background_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="services", daemon=True).start()
    return loop


def run(work: Coroutine[Any, Any, T], *, timeout_s: float | None = None) -> T:
    """Run `work` on this process's background loop and wait for it. Raises TimeoutError after `timeout_s`."""
    future = asyncio.run_coroutine_threadsafe(work, _background_loop())
    try:
        return future.result(timeout_s)
    except TimeoutError:
        future.cancel()
        raise


def run_apart(work: Callable[[Services], Coroutine[Any, Any, T]], *, timeout_s: float | None = None) -> T:
    """As `run`, with services of its own: for pages, since those of a web process belong to its loop. Opens connections; rare work only."""

    async def apart() -> T:
        own = build(settings.DATABASE_URL, settings.REDIS_URL)
        try:
            return await work(own)
        finally:
            await own.aclose()

    return run(apart(), timeout_s=timeout_s)
