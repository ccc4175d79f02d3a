"""Who keeps leaderboards: an administrator's key, the ORM on the test's database, and how a re-ranking is brought to its end."""

from typing import Any

import httpx
import pytest

from leaderboard import runtime
from leaderboard.domain.score import Entry
from leaderboard.services import Services
from leaderboard.services.rerank import Rerank
from tests.cast import Cast

KEEPER = "gl_keeper00_keeps-the-arcade"


@pytest.fixture
async def keeper(cast: Cast, orm: None) -> dict[str, str]:
    """The headers of a key that administers the arcade's leaderboards."""
    await cast.api_key("arcade", KEEPER, ["scores:write", "boards:admin"])
    return {"Authorization": f"Api-Key {KEEPER}"}


@pytest.fixture
def rerank(services: Services) -> Rerank:
    """The worker's, which does not wait until all has settled."""
    return Rerank(
        store=services.store, index=services.index, catalogs=services.catalogs, players=services.players,
        bell=services.upkeep._bell, clock=runtime.utc_now, settle_s=0,
    )  # fmt: skip


async def post(api: httpx.AsyncClient, headers: dict[str, str], player: str, score: int, **body: Any) -> httpx.Response:
    return await api.post("/api/v1/scores/", json={"player": player, "score": score, **body}, headers=headers)


async def top(api: httpx.AsyncClient, board: str, **query: Any) -> list[tuple[int, str, int, int]]:
    found = await api.get(f"/api/v1/leaderboard/{board}/top/", params={"limit": 1000, **query})
    assert found.status_code == 200, found.text
    return [(row["rank"], row["player"], row["score"], row["subscore"]) for row in found.json()["entries"]]


def values(entries: list[Entry]) -> list[tuple[int, ...]]:
    """All but the version, which counts a re-ranking too."""
    return sorted((*entry.order, entry.user_id, entry.achieved_ms) for entry in entries)


async def is_whole(services: Services) -> None:
    """Every index equals SQL."""
    await services.upkeep.sweep(now=runtime.utc_now())
    for board in await services.upkeep.indexed_boards(now=runtime.utc_now()):
        assert await services.upkeep.check(board) == []
