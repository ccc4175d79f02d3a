"""Which dialect a DATABASE_URL means."""

from urllib.parse import unquote, urlsplit

from leaderboard.store import Store
from leaderboard.store.postgres import PostgresStore
from leaderboard.store.sqlite import SqliteStore


def open_store(database_url: str, *, pool_size: int = 6, statement_cache: int = 100, timeout_ms: int = 5_000) -> Store:
    """A store for `sqlite:///path` or `postgresql://…`; nothing is opened before the first call.

    Raises ValueError for any other URL, also for SQLite in memory: each connection would have its own.
    """
    parts = urlsplit(database_url)
    if parts.scheme in ("postgres", "postgresql"):
        return PostgresStore(database_url, pool_size=pool_size, statement_cache=statement_cache, timeout_ms=timeout_ms)
    if parts.scheme != "sqlite":
        raise ValueError(f"The database's URL must start with sqlite:// or postgresql://, not {parts.scheme!r}")
    path = unquote(parts.path[1:])
    if path in ("", ":memory:"):
        raise ValueError("The store needs a SQLite file: sqlite:///name or sqlite:////absolute/name")
    return SqliteStore(path, timeout_ms=timeout_ms)
