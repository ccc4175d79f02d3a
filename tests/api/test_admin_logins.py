"""Guessing a password at the admin's login: counted with the failures of the REST login, and ended with them."""

from collections.abc import AsyncIterator

import httpx
import pytest
from django.contrib.auth.hashers import make_password

from tests.cast import Cast

pytestmark = pytest.mark.usefixtures("orm")

PASSWORD = "correct horse battery"


@pytest.fixture
async def pages(cast: Cast) -> AsyncIterator[httpx.AsyncClient]:
    """A browser's way to the admin, in which Flo could sign in."""
    from asgi import application

    await cast.sql(
        "INSERT INTO auth_user (username, password, first_name, last_name, email, is_superuser, is_staff, is_active, date_joined) "
        "VALUES ('flo', $1, '', '', '', true, true, true, '2026-01-01 00:00:00+00:00')",
        make_password(PASSWORD),
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://localhost") as client:
        yield client


async def log_in(pages: httpx.AsyncClient, password: str) -> httpx.Response:
    await pages.get("/admin/login/")
    form = {"username": "flo", "password": password, "csrfmiddlewaretoken": pages.cookies["csrftoken"]}
    return await pages.post("/admin/login/?next=/admin/", data=form)


@pytest.mark.slow
async def test_owasp_api2_guessing_at_the_admin_ends_after_five_failures(pages: httpx.AsyncClient, cast: Cast) -> None:
    statuses = [(await log_in(pages, f"guess {number}")).status_code for number in range(5)]
    assert statuses == [200] * 4 + [429]
    locked = await log_in(pages, PASSWORD)
    assert (locked.status_code, locked.text) == (429, "Too many failed logins. Try again later.")
    assert "sessionid" not in pages.cookies
    kept = await cast.sql("SELECT failures_since_start FROM axes_accessattempt")
    assert kept == [(5,)], "an attempt while it is locked does not lock it for longer"
    await cast.sql("DELETE FROM axes_accessattempt")  # as the admin does
    assert (await log_in(pages, PASSWORD)).status_code == 302


@pytest.mark.slow
async def test_failures_over_rest_and_at_the_admin_are_counted_together(pages: httpx.AsyncClient) -> None:
    for number in range(5):
        await pages.post("/api/v1/auth/login/", json={"username": "flo", "password": f"guess {number}"})
    assert (await log_in(pages, PASSWORD)).status_code == 429


async def test_what_is_kept_of_a_failure_at_the_admin_holds_no_secret(pages: httpx.AsyncClient, cast: Cast) -> None:
    await log_in(pages, "a secret nobody may read")
    kept = repr(await cast.sql("SELECT * FROM axes_accessattempt"))
    assert "flo" in kept
    assert "nobody may read" not in kept
    assert pages.cookies["csrftoken"] not in kept
