"""The task that forgets nonces, as the worker runs it."""

import logging
from datetime import UTC, datetime, timedelta

import pytest

from leaderboard import tasks
from leaderboard.domain.errors import StoreUnavailable
from leaderboard.services import Services
from tests.cast import Cast


async def test_it_deletes_those_that_are_too_old_and_no_other(cast: Cast, services: Services) -> None:
    [(key_id,)] = await cast.sql("SELECT id FROM leaderboard_apikey WHERE prefix = $1", cast.key[:11])
    now = datetime.now(UTC)
    for name, age in {"old": timedelta(minutes=1), "good": timedelta(minutes=-5)}.items():
        await services.store.use_nonce(key_id, name, expires_at=now - age)
    tasks.forget_nonces()
    assert await cast.sql("SELECT nonce FROM leaderboard_usednonce") == [("good",)]


async def test_a_database_that_is_away_puts_it_off(
    services: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def away(**_: object) -> int:
        raise StoreUnavailable

    monkeypatch.setattr(services.store, "forget_nonces", away)
    with caplog.at_level(logging.WARNING):
        tasks.forget_nonces()
    assert "put off" in caplog.text
