"""What every page says to the browser. Named after what it keeps out."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.asgi import get_asgi_application
from django.http import HttpResponse
from pytest_django.fixtures import Settings

from gaming_leaderboard import pages
from gaming_leaderboard.pages import protect
from leaderboard.api.proxies import seen_through
from leaderboard.domain.address import read_network

ROOT = Path(__file__).resolve().parent.parent
LOGIN, LOST = "/admin/login/", "/nowhere/"


async def get(path: str, *, url: str = "http://localhost", **headers: str) -> httpx.Response:
    """From Django's side of the service, made with the settings as they are now."""
    django = get_asgi_application()

    async def seen(scope: Any, receive: Any, send: Any) -> None:
        await django(seen_through(scope), receive, send)

    transport = httpx.ASGITransport(seen, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=url) as client:
        return await client.get(path, headers=headers)


def policy(response: httpx.Response) -> dict[str, str]:
    parts = [part.strip().partition(" ") for part in response.headers["Content-Security-Policy"].split(";")]
    return {name: sources for name, _, sources in parts}


@pytest.mark.parametrize(("path", "status"), [(LOGIN, 200), (LOST, 404)])
async def test_inline_script_has_no_way_in(path: str, status: int) -> None:
    response = await get(path)
    assert response.status_code == status
    assert (policy(response)["default-src"], policy(response)["script-src"], policy(response)["style-src"]) == (
        "'none'",
        "'self'",
        "'self'",
    )
    assert policy(response)["base-uri"] == "'none'"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", [LOGIN, LOST])
async def test_clickjacking_finds_no_frame(path: str) -> None:
    response = await get(path)
    assert (policy(response)["frame-ancestors"], response.headers["X-Frame-Options"]) == ("'none'", "DENY")


@pytest.mark.parametrize("path", [LOGIN, LOST])
async def test_other_sites_get_neither_referrer_nor_window_nor_form(path: str) -> None:
    response = await get(path)
    assert (response.headers["Referrer-Policy"], response.headers["Cross-Origin-Opener-Policy"]) == ("same-origin", "same-origin")
    assert policy(response)["form-action"] == "'self'"
    assert "camera=()" in response.headers["Permissions-Policy"]


async def test_a_page_that_refuses_the_host_is_protected_too() -> None:
    response = await get(LOGIN, url="http://elsewhere.example")
    assert (response.status_code, policy(response)["script-src"]) == (400, "'self'")


@pytest.mark.filterwarnings("ignore:Django checks for ServeStatic:UserWarning")
async def test_a_developers_error_page_may_have_its_style_but_no_script(settings: Settings) -> None:
    settings.DEBUG = True
    response = await get(LOST)
    assert (policy(response)["style-src"], policy(response)["script-src"]) == ("'self' 'unsafe-inline'", "'self'")


def test_what_a_page_says_itself_stands_and_what_is_no_page_is_left_alone() -> None:
    own = protect(HttpResponse(headers={"Content-Security-Policy": "default-src 'self'"}))
    assert own.headers["Content-Security-Policy"] == "default-src 'self'"
    assert protect(HttpResponse(b"{}", content_type="application/json")).headers == {"Content-Type": "application/json"}


# --- Bounds --------------------------------------------------------------------------------------------------------------


async def asked(application: Any, *bodies: bytes) -> list[dict[str, Any]]:
    """What is sent for a request whose body comes in these parts."""
    sent: list[dict[str, Any]] = []
    parts = [*({"type": "http.request", "body": body, "more_body": True} for body in bodies), {"type": "http.request", "body": b""}]

    async def receive() -> Any:
        return parts.pop(0) if parts else await asyncio.Event().wait()

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": LOGIN, "query_string": b"", "headers": [(b"host", b"localhost")]}
    await pages.bounded(application)(scope, receive, send)
    return sent


async def test_a_form_without_end_is_refused_before_it_fills_the_disk() -> None:
    bodies = [b"x" * (pages.FORM_LIMIT // 4)] * 4
    assert (await asked(get_asgi_application(), *bodies))[0]["status"] == 403  # no CSRF token
    refused = await asked(get_asgi_application(), *bodies, b"x")
    assert (refused[0]["status"], (b"connection", b"close") in refused[0]["headers"]) == (413, True)


async def test_a_page_that_hangs_is_given_up_and_one_that_has_begun_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "BEGIN_S", 0.05)
    ended = asyncio.Event()

    async def hangs(_scope: Any, _receive: Any, _send: Any) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    async def slow(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(0.1)
        await send({"type": "http.response.body", "body": b"here"})

    assert (await asked(hangs))[0]["status"] == 503
    assert ended.is_set()
    assert [message.get("body") for message in await asked(slow)] == [None, b"here"]


async def test_the_service_bounds_its_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    import asgi

    monkeypatch.setattr(pages, "FORM_LIMIT", 10)
    transport = httpx.ASGITransport(asgi.application)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        assert (await client.post(LOGIN, content=b"x" * 11)).status_code == 413


# --- https ---------------------------------------------------------------------------------------------------------------


def described(**env: str) -> dict[str, Any]:
    """The settings that an environment makes."""
    names = "SESSION_COOKIE_SECURE CSRF_COOKIE_SECURE SECURE_SSL_REDIRECT SECURE_HSTS_SECONDS STAFF_SECOND_FACTOR"
    code = f"import json; from gaming_leaderboard import settings as s; print(json.dumps([getattr(s, n) for n in {names.split()!r}]))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env={**os.environ, **env}, capture_output=True, text=True, check=True)
    return dict(zip(names.split(), json.loads(done.stdout), strict=True))


@pytest.mark.slow
def test_a_laptop_by_plain_http_keeps_its_cookies_and_is_sent_nowhere() -> None:
    assert not any(described(HTTPS="false", SECRET_KEY="s" * 50).values())


@pytest.mark.slow
def test_https_makes_cookies_secure_and_stays() -> None:
    made = described(HTTPS="true", SECRET_KEY="s" * 50)
    assert all(made.values())
    assert made["SECURE_HSTS_SECONDS"] >= 31_536_000


async def test_a_page_over_http_is_sent_to_https_where_that_is_spoken(settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT, settings.SECURE_HSTS_SECONDS = True, 31_536_000
    settings.TRUSTED_PROXIES = (read_network("127.0.0.1"),)  # whose word is taken
    sent = await get(LOGIN)
    assert (sent.status_code, sent.headers["Location"]) == (301, "https://localhost/admin/login/")
    there = await get(LOGIN, **{"X-Forwarded-Proto": "https"})
    assert (there.status_code, there.headers["Strict-Transport-Security"]) == (200, "max-age=31536000")


@pytest.mark.slow
def test_the_production_example_passes_the_checks_of_a_deployment() -> None:
    lines = [line for line in (ROOT / "deploy/production.env").read_text().splitlines() if line and not line.startswith("#")]
    env = {**os.environ, **dict(line.split("=", 1) for line in lines)}
    argv = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "System check identified no issues (0 silenced).\n"), done.stderr


def test_the_session_cookie_is_not_for_scripts_and_not_for_other_sites() -> None:
    from django.conf import settings

    assert (settings.SESSION_COOKIE_HTTPONLY, settings.SESSION_COOKIE_SAMESITE, settings.CSRF_COOKIE_SAMESITE) == (True, "Lax", "Lax")
