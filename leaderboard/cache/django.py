"""Django's own cache, for browser sessions: Redis beside the database, never instead of it.

What differs from Django's RedisCache: values are msgpack; a Redis that is away is a miss and not an error; nothing lives longer than
LIFE_S, so that a session whose sign-out Redis did not hear of is soon asked of the database again; `clear` drops its own keys
instead of the whole server, which holds the index too; and connections are the process's, not each request's.
"""

import logging
import time
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import msgspec
from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from leaderboard import metrics

T = TypeVar("T")

LIFE_S = 300
RETRY_S = 0.5  # how long a Redis that failed is left alone

log = logging.getLogger(__name__)


class MsgpackSerializer:
    """Sessions are JSON by contract, so msgpack holds them."""

    def dumps(self, value: Any) -> bytes:
        return msgspec.msgpack.encode(value)

    def loads(self, raw: bytes) -> Any:
        return msgspec.msgpack.decode(raw)


class TolerantClient(RedisCacheClient):
    """Answers as an empty cache while Redis is away, or where a value can't be read or written."""

    def __init__(self, servers: list[str], **options: Any) -> None:
        super().__init__(servers, retry=Retry(NoBackoff(), 0), **options)
        self._away_until = 0.0

    def get(self, key: Any, default: Any) -> Any:
        return self._try(lambda: super(TolerantClient, self).get(key, default), otherwise=default)

    def set(self, key: Any, value: Any, timeout: Any) -> None:
        self._try(lambda: super(TolerantClient, self).set(key, value, timeout), otherwise=None)

    def add(self, key: Any, value: Any, timeout: Any) -> bool:
        return self._try(lambda: super(TolerantClient, self).add(key, value, timeout), otherwise=False)

    def delete(self, key: Any) -> bool:
        return self._try(lambda: super(TolerantClient, self).delete(key), otherwise=False)

    def has_key(self, key: Any) -> bool:
        return self._try(lambda: super(TolerantClient, self).has_key(key), otherwise=False)

    def drop(self, pattern: str) -> None:
        """Delete the keys that match."""
        client = self.get_client(write=True)
        for key in client.scan_iter(pattern, count=1_000):
            client.unlink(key)

    def _try(self, work: Callable[[], T], *, otherwise: T) -> T:
        if time.monotonic() < self._away_until:
            return otherwise
        try:
            return work()
        except RedisError as error:
            self._away_until = time.monotonic() + RETRY_S
            metrics.CACHE.labels("django", "away").inc()
            log.info("cache away: %s", error)
        except (msgspec.MsgspecError, OverflowError, TypeError, ValueError) as error:
            log.warning("a cached value can't be read or written: %s", error)
        return otherwise


class TolerantRedisCache(RedisCache):
    _servers: list[str]
    _options: dict[str, Any]

    @property
    def _cache(self) -> TolerantClient:
        return _client(tuple(self._servers), tuple(self._options.items()))

    def get_backend_timeout(self, timeout: Any = DEFAULT_TIMEOUT) -> int:
        asked = super().get_backend_timeout(timeout)
        return LIFE_S if asked is None else int(min(asked, LIFE_S))

    def clear(self) -> None:
        self._cache.drop(f"{self.key_prefix}:*")


@cache
def _client(servers: tuple[str, ...], options: tuple[tuple[str, Any], ...]) -> TolerantClient:
    """One for the process: Django makes a cache for every request, whose connections nobody would use again."""
    return TolerantClient(list(servers), **dict(options))
