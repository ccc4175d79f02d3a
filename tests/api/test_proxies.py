"""What a proxy says of the client before it: believed of those that the operator names, of nobody else. By both lanes."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.urls import path

from gaming_leaderboard.handler import ApiHandler
from leaderboard.api.proxies import seen_through
from leaderboard.domain.address import read_network
from realtime.desk import Desk
from tests.conftest import lane_of
from tests.docs.reading import ROOT
from tests.servers.web import serving


async def who(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"address": request.META["REMOTE_ADDR"], "secure": request.is_secure()})


urlpatterns = [path("api/who/", who)]

FORWARDED = {"X-Forwarded-For": "1.1.1.1, 203.0.113.9", "X-Forwarded-Proto": "https"}


@pytest.fixture(params=["asgi", "server"])
async def client(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    monkeypatch.setattr(settings, "ROOT_URLCONF", __name__)
    handler = ApiHandler()
    if request.param == "asgi":
        async with httpx.AsyncClient(transport=httpx.ASGITransport(handler), base_url="http://localhost") as client:
            yield client
        return
    async with (
        serving(lane_of(handler, handler), lifespan="on", proxy_headers=False) as (_, port),
        httpx.AsyncClient(base_url=f"http://localhost:{port}") as client,
    ):
        yield client


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "TRUSTED_PROXIES", (read_network("127.0.0.1"), read_network("::1")))


async def test_who_is_not_named_is_not_believed(client: httpx.AsyncClient) -> None:
    told = (await client.get("/api/who/", headers=FORWARDED)).json()
    assert told["address"] in ("127.0.0.1", "::1")
    assert told["secure"] is False


@pytest.mark.parametrize("lane", [{}, {"Cookie": "a=b"}], ids=["straight", "asgi"])
async def test_a_named_proxy_says_where_the_client_is_and_how_it_came(
    client: httpx.AsyncClient, trusting: None, lane: dict[str, str]
) -> None:
    assert (await client.get("/api/who/", headers=FORWARDED | lane)).json() == {"address": "203.0.113.9", "secure": True}


@pytest.mark.parametrize(
    ("said", "secure"),
    [("https", True), ("http", False), ("http, https", True), ("https, http", False), ("HTTPS", True), ("gopher", False)],
)
async def test_the_nearest_proxys_word_on_the_scheme_counts(client: httpx.AsyncClient, trusting: None, said: str, secure: bool) -> None:
    assert (await client.get("/api/who/", headers={"X-Forwarded-Proto": said})).json()["secure"] is secure


@pytest.mark.parametrize(("proto", "origin", "own"), [("https", "http", False), ("https", "https", True), ("http", "http", True)])
def test_a_plain_page_is_not_a_secure_sockets_own(trusting: None, proto: str, origin: str, own: bool) -> None:
    headers = [(b"host", b"localhost"), (b"x-forwarded-proto", proto.encode()), (b"origin", f"{origin}://localhost".encode())]
    scope: dict[str, Any] = {"type": "websocket", "scheme": "ws", "client": ("127.0.0.1", 1), "headers": headers}
    seen = seen_through(scope)
    assert Desk._is_own_page(_a_desk(), seen, dict(headers)) is own


def _a_desk() -> Desk:
    desk = Desk.__new__(Desk)
    desk._origins = frozenset()
    return desk


@pytest.mark.parametrize("file", ["Procfile", "leaderboard/management/commands/run.py"])
def test_the_server_itself_believes_no_header(file: str) -> None:
    """uvicorn would believe every proxy on this machine, and with it every client that a local proxy passes on."""
    assert "--no-proxy-headers" in (ROOT / file).read_text()
