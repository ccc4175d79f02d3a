"""One cast for all tests: the game `arcade` with its boards and key, and a stranger's game `rival`."""

import asyncio
import hashlib
import json
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import environ

from leaderboard.services import Services

Run = Callable[..., Awaitable[list[Any]]]

BOARDS: dict[str, dict[str, Any]] = {
    "arcade-best": {"operator": "best"},
    "arcade-sum": {"operator": "sum", "min_score": None},
    "arcade-latest": {"operator": "latest", "subscore_order": "asc", "game_mode": "contest"},
    "arcade-count": {"operator": "count", "game_mode": "casual"},
    "arcade-daily": {"operator": "best", "reset_schedule": "daily", "game_mode": "daily"},
    "arcade-bounded": {"operator": "best", "game_mode": "bounded", "min_score": 10, "max_score": 1000},
}
RIVAL_BOARDS: dict[str, dict[str, Any]] = {"rival-best": {"operator": "best"}}


@dataclass
class Cast:
    services: Services
    database_url: str
    _run: "Run | None" = None
    games: dict[str, int] = field(default_factory=dict)
    key: str = "gl_arcade00_secret-of-the-arcade"
    read_only_key: str = "gl_arcade01_reads-only"
    rival_key: str = "gl_rival000_secret-of-the-rival"

    @classmethod
    async def enter(cls, services: Services, database_url: str, run: "Run | None" = None) -> "Cast":
        """`run` runs statements as long as the cast is there; without it each gets a connection of its own."""
        cast = cls(services, database_url, run)
        for game, boards in {"arcade": BOARDS, "rival": RIVAL_BOARDS}.items():
            await cast.sql("INSERT INTO leaderboard_game (slug, name) VALUES ($1, $1)", game)
            cast.games[game] = (await cast.sql("SELECT id FROM leaderboard_game WHERE slug = $1", game))[0][0]
            for slug, definition in boards.items():
                await cast.board(slug, game=game, **definition)
        await cast.api_key("arcade", cast.key, ["scores:write", "boards:read"])
        await cast.api_key("arcade", cast.read_only_key, ["boards:read"])
        await cast.api_key("rival", cast.rival_key, ["scores:write", "boards:read"])
        return cast

    async def board(self, slug: str, *, game: str = "arcade", **definition: Any) -> None:
        values = {
            "operator": "best", "sort_order": "desc", "subscore_order": "desc", "game_mode": "", "reset_schedule": "",
            "time_zone": "UTC", "min_score": 0, "max_score": None, "authoritative": False, "is_active": True,
            **definition, "slug": slug, "title": slug.title(), "game_id": self.games[game],
        }  # fmt: skip
        names = list(values)
        marks = ", ".join(f"${number}" for number in range(1, len(names) + 1))
        await self.sql(
            f"INSERT INTO leaderboard_leaderboard ({', '.join(names)}, metadata, created_at) "
            f"VALUES ({marks}, '{{}}', '2026-01-01 00:00:00+00:00')",
            *values.values(),
        )

    async def api_key(self, game: str, key: str, scopes: list[str]) -> None:
        await self.sql(
            "INSERT INTO leaderboard_apikey (game_id, name, prefix, digest, scopes, created_at) "
            "VALUES ($1, 'test', $2, $3, $4, '2026-01-01 00:00:00+00:00')",
            self.games[game], key[:11], hashlib.sha256(key.encode()).digest(), json.dumps(scopes),
        )  # fmt: skip

    async def sql(self, statement: str, *arguments: Any) -> list[Any]:
        """Run a statement by hand, outside the store, as an operator would."""
        if self._run is not None:
            return await self._run(statement, *arguments)
        return await run_sql(self.database_url, statement, *arguments)

    async def count(self, table: str) -> int:
        count: int = (await self.sql(f"SELECT count(*) FROM leaderboard_{table}"))[0][0]
        return count

    @property
    def auth(self) -> dict[str, str]:
        return {"Authorization": f"Api-Key {self.key}"}


async def run_sql(database_url: str, statement: str, *arguments: Any) -> list[Any]:
    """The rows of one statement with $1-style parameters, as tuples."""
    async with by_hand(database_url) as run:
        return await run(statement, *arguments)


@asynccontextmanager
async def by_hand(database_url: str) -> AsyncIterator[Run]:
    """What runs statements, each committed by itself: one connection a statement would cost more than the statements."""
    if database_url.startswith("sqlite"):
        database = sqlite3.connect(environ.Env.db_url_config(database_url)["NAME"], isolation_level=None, timeout=20)

        async def run(statement: str, *arguments: Any) -> list[Any]:
            return database.execute(statement, {str(number): value for number, value in enumerate(arguments, 1)}).fetchall()

        try:
            yield run
        finally:
            database.close()
        return
    connection, lock = await asyncpg.connect(database_url), asyncio.Lock()

    async def run_there(statement: str, *arguments: Any) -> list[Any]:
        async with lock:
            return [tuple(row) for row in await connection.fetch(statement, *arguments)]

    try:
        yield run_there
    finally:
        await connection.close()
