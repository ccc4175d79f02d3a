"""Django's ORM in this process on a test's own database, as a service's process has it."""

from collections.abc import AsyncIterator
from typing import Any

import environ
import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.db.utils import ConnectionHandler

from leaderboard import runtime
from leaderboard.services import Services


@pytest.fixture
async def orm(database_url: str, services: Services, django_db_blocker: Any) -> AsyncIterator[None]:
    """What runs in Django's thread, or in one that begins after this, finds the test's database."""
    database = environ.Env.db_url_config(database_url)
    if database_url.startswith("sqlite"):
        database["OPTIONS"] = {"timeout": 20, "transaction_mode": "IMMEDIATE"}
    before = connections.settings["default"]
    connections.settings["default"] = ConnectionHandler({"default": database}).settings["default"]
    with django_db_blocker.unblock():
        await sync_to_async(_forget)()
        yield
        await sync_to_async(_forget)()
    connections.settings["default"] = before
    await sync_to_async(_forget)()
    runtime.run(services.cache.aclose())  # signals tell of names over a loop of their own


def _forget() -> None:
    """The thread's connection: it is another database's."""
    connections["default"].close()
    del connections["default"]
