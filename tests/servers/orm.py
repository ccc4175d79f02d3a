"""Django's ORM in this process on a test's own database, as a service's process has it."""

from collections.abc import AsyncIterator
from typing import Any

import environ
import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.db.utils import ConnectionHandler


@pytest.fixture
async def orm(database_url: str, django_db_blocker: Any) -> AsyncIterator[None]:
    """What runs in Django's thread finds this database; for tests of code that reaches SQL by models."""
    before = connections.settings["default"]
    connections.settings["default"] = ConnectionHandler({"default": environ.Env.db_url_config(database_url)}).settings["default"]
    with django_db_blocker.unblock():
        await sync_to_async(_forget)()
        yield
        await sync_to_async(_forget)()
    connections.settings["default"] = before
    await sync_to_async(_forget)()


def _forget() -> None:
    """The thread's connection: it is another database's."""
    connections["default"].close()
    del connections["default"]
