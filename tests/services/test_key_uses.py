"""When keys were last used: written beside the requests, rarely, and at no cost to them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from leaderboard.domain.errors import StoreUnavailable
from leaderboard.services import Services
from leaderboard.services.key_uses import WRITE_EVERY
from tests.cast import Cast

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


async def ask(services: Services, key: str, now: datetime) -> None:
    await services.credentials.find(f"Api-Key {key}".encode(), now=now)


async def written(cast: Cast) -> dict[str, str]:
    rows = await cast.sql("SELECT k.prefix, u.last_used_at FROM leaderboard_apikeyuse u JOIN leaderboard_apikey k ON k.id = u.key_id")
    return {prefix: str(moment)[:19] for prefix, moment in rows}


@pytest.fixture
def writes(services: Services, monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The ids of each write that is asked of the store."""
    seen: list[list[int]] = []
    real = services.store.note_key_uses

    async def note(uses: Any) -> None:
        seen.append([key_id for key_id, _ in uses])
        await real(uses)

    monkeypatch.setattr(services.store, "note_key_uses", note)
    return seen


async def test_a_request_by_a_key_leaves_its_moment(api: httpx.AsyncClient, cast: Cast, services: Services) -> None:
    assert await written(cast) == {}
    before = datetime.now(UTC)
    await api.post("/api/v1/scores/", json={"player": "ada", "score": 1}, headers=cast.auth)
    await services.key_uses.aclose()
    [(prefix, moment)] = (await written(cast)).items()
    assert prefix == cast.key[:11]
    assert str(before)[:19] <= moment <= str(datetime.now(UTC))[:19]


async def test_it_is_written_once_in_some_minutes_however_many_requests(cast: Cast, services: Services, writes: list[list[int]]) -> None:
    for second in range(200):
        await ask(services, cast.key, NOON + timedelta(seconds=second))
        await services.key_uses.aclose()
    assert len(writes) == 1
    assert await written(cast) == {cast.key[:11]: "2026-05-01 12:00:00"}
    await ask(services, cast.key, NOON + WRITE_EVERY)
    await services.key_uses.aclose()
    assert len(writes) == 2
    assert await written(cast) == {cast.key[:11]: "2026-05-01 12:05:00"}


async def test_keys_that_come_together_are_written_together(cast: Cast, services: Services, writes: list[list[int]]) -> None:
    await services.catalogs.refresh()
    for key in (cast.key, cast.rival_key, cast.read_only_key):
        services.credentials.held(f"Api-Key {key}".encode(), now=NOON)
    await services.key_uses.aclose()
    assert [len(ids) for ids in writes] == [3]
    assert len(await written(cast)) == 3


async def test_a_use_does_not_move_the_catalogs_version(cast: Cast, services: Services) -> None:
    """Else every process would load every definition anew for it."""
    before = await services.store.catalog_version()
    await ask(services, cast.key, NOON)
    await services.key_uses.aclose()
    assert await services.store.catalog_version() == before


async def test_a_refused_key_leaves_nothing(cast: Cast, services: Services, writes: list[list[int]]) -> None:
    await cast.sql("UPDATE leaderboard_apikey SET expires_at = '2026-05-01 11:00:00+00:00'")
    await services.catalogs.refresh()
    for key in (cast.key, "gl_nobody"):
        with pytest.raises(Exception, match=r"expired|no such"):
            await ask(services, key, NOON)
    await services.key_uses.aclose()
    assert writes == []


async def test_a_database_that_is_away_is_asked_once_and_the_request_is_served(
    cast: Cast, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    async def away(uses: Any) -> None:
        asked.append(uses)
        raise StoreUnavailable

    monkeypatch.setattr(services.store, "note_key_uses", away)
    for second in range(10):
        await ask(services, cast.key, NOON + timedelta(seconds=second))
        await services.key_uses.aclose()
    assert len(asked) == 1
    assert await written(cast) == {}
