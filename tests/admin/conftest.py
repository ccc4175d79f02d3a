"""Browsers of the staff, in front of the admin in this process, on each database."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Permission, User
from django.core.asgi import get_asgi_application
from pytest_django.fixtures import Settings

from tests.cast import Cast

PASSWORD = "correct horse battery"


@dataclass
class Browser:
    client: httpx.AsyncClient
    headers: dict[str, str] = field(default_factory=lambda: {"Referer": "http://localhost/"})

    async def get(self, path: str, **query: str) -> httpx.Response:
        return await self.client.get(path, params=query or None)

    async def post(self, path: str, **form: Any) -> httpx.Response:
        token = {"csrfmiddlewaretoken": self.client.cookies["csrftoken"]}
        return await self.client.post(path, data=form | token, headers=self.headers)

    async def sign_in(self, name: str, **more: str) -> httpx.Response:
        await self.get("/admin/login/")
        return await self.post("/admin/login/", username=name, password=PASSWORD, next="/admin/", **more)


@pytest.fixture
async def browser(cast: Cast, orm: None, settings: Settings, redis_url: str) -> AsyncIterator[Browser]:
    settings.DATABASE_URL, settings.REDIS_URL = cast.database_url, redis_url  # of the services that a page builds
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.db"
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # what a sign-in costs is another test's matter
    transport = httpx.ASGITransport(get_asgi_application())
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield Browser(client)


@pytest.fixture
def hire(browser: Browser) -> Callable[..., Awaitable[User]]:
    """Makes a member of the staff: `hire("mo")` for a superuser, `hire("mo", "view_apikey")` for one with these permissions."""

    def make(name: str, permissions: tuple[str, ...]) -> User:
        values = {"is_staff": True, "is_superuser": not permissions, "password": make_password(PASSWORD)}
        User.objects.bulk_create([User(username=name, **values)])  # which sends no signals: nobody knows the name yet
        user = User.objects.get(username=name)
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        return user

    return lambda name, *permissions: sync_to_async(make)(name, permissions)
