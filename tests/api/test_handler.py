"""The slim handler: what it keeps of Django's behaviour and what it adds."""

import asyncio
from typing import Any

import httpx
import pytest
from django.conf import settings
from django.core.signals import got_request_exception
from django.http import HttpRequest, HttpResponse
from django.urls import path

from gaming_leaderboard import handler
from gaming_leaderboard.handler import ApiHandler


async def fails(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("planted")


async def hangs(request: HttpRequest) -> HttpResponse:
    await asyncio.sleep(60)
    raise AssertionError("the deadline did not come")


async def answers(request: HttpRequest) -> HttpResponse:
    response = HttpResponse("hello")
    response.set_cookie("seen", "1")
    return response


urlpatterns = [path("api/fails/", fails), path("api/hangs/", hangs), path("api/answers/", answers)]


@pytest.fixture
async def client(settings: Any) -> Any:
    settings.ROOT_URLCONF = __name__
    async with httpx.AsyncClient(transport=httpx.ASGITransport(ApiHandler()), base_url="http://localhost") as client:
        yield client


async def test_what_breaks_is_a_problem_with_a_request_id_and_a_signal(client: httpx.AsyncClient) -> None:
    seen: list[str] = []

    def note(sender: Any, request: HttpRequest, **_: Any) -> None:
        seen.append(request.path)

    got_request_exception.connect(note)
    try:
        response = await client.get("/api/fails/", headers={"X-Request-ID": "from-the-proxy"})
    finally:
        got_request_exception.disconnect(note)
    assert (response.status_code, response.json()["code"]) == (500, "internal_error")
    assert response.headers["X-Request-ID"] == response.json()["request_id"] == "from-the-proxy"
    assert "planted" not in response.text
    assert seen == ["/api/fails/"]


async def test_a_request_id_that_is_not_one_is_replaced(client: httpx.AsyncClient) -> None:
    response = await client.get("/api/answers/", headers={"X-Request-ID": "a b<script>"})
    assert response.headers["X-Request-ID"].isalnum()


async def test_every_request_has_a_deadline(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler, "DEADLINE_S", 0.05)
    response = await client.get("/api/hangs/")
    assert (response.status_code, response.json()["code"]) == (503, "store_unavailable")
    assert response.headers["Retry-After"]


async def test_cookies_and_head_requests_are_as_django_has_them(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/answers/")).cookies["seen"] == "1"
    head = await client.head("/api/answers/")
    assert (head.text, head.headers["Content-Length"]) == ("", "5")


async def test_another_host_is_refused(client: httpx.AsyncClient) -> None:
    response = await client.get("/api/answers/", headers={"Host": "evil.example"})
    assert (response.status_code, response.json()["code"]) == (400, "invalid_parameter")


async def test_cross_origin_reads_are_allowed_to_named_origins_only(client: httpx.AsyncClient, settings: Any) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://board.example"]
    allowed = await client.get("/api/answers/", headers={"Origin": "https://board.example"})
    assert allowed.headers["Access-Control-Allow-Origin"] == "https://board.example"
    other = await client.get("/api/answers/", headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in other.headers
    preflight = await client.options("/api/answers/", headers={"Origin": "https://board.example", "Access-Control-Request-Method": "POST"})
    assert preflight.status_code == 200
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]


async def test_a_page_of_a_listed_origin_may_send_and_read_what_this_api_has_of_its_own(client: httpx.AsyncClient, settings: Any) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://board.example"]
    page = {"Origin": "https://board.example"}
    answer = await client.get("/api/answers/", headers=page)
    exposed = set(answer.headers["Access-Control-Expose-Headers"].lower().split(", "))
    assert exposed == {*("ratelimit", "ratelimit-policy", "retry-after", "deprecation", "sunset", "idempotency-replayed", "x-request-id")}
    preflight = await client.options("/api/answers/", headers={**page, "Access-Control-Request-Method": "POST"})
    allowed = set(preflight.headers["Access-Control-Allow-Headers"].lower().split(", "))
    assert {"authorization", "content-type", "idempotency-key", "last-event-id", "x-csrftoken", "x-request-id"} <= allowed


async def test_a_client_that_hangs_up_in_its_body_is_nobodys_error() -> None:
    sent: list[Any] = []
    messages = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message)

    await ApiHandler()({"type": "http", "path": "/api/v1/scores/", "method": "POST", "headers": []}, receive, send)
    assert sent == []


async def test_a_body_is_refused_as_soon_as_it_is_too_large() -> None:
    taken = 0

    async def receive() -> Any:
        nonlocal taken
        taken += 1
        return {"type": "http.request", "body": b"x" * 10_000, "more_body": True}

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "path": "/api/v1/scores/", "method": "POST", "headers": [(b"host", b"localhost")], "query_string": b"",
    }  # fmt: skip
    await ApiHandler()(scope, receive, send)
    assert sent[0]["status"] == 413
    assert taken == 1 + settings.BODY_LIMIT // 10_000


async def test_a_body_that_trickles_in_is_refused_by_its_deadline_under_any_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler, "READ_S", 0.1)

    async def receive() -> Any:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b"x", "more_body": True}

    status, headers, body = await _asked(receive)
    assert (status, b'"code":"request_timeout"' in body) == (408, True)
    assert (b"connection", b"close") in headers


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"query_string": b"x" * 9_000}, 414),
        ({"raw_path": b"/api/" + b"x" * 9_000}, 414),
        ({"headers": [(b"host", b"localhost"), (b"x-long", b"x" * 40_000)]}, 431),
        ({"headers": [(b"host", b"localhost"), *((b"x-%d" % number, b"") for number in range(100))]}, 431),
    ],
)
async def test_a_head_that_is_too_large_is_refused_under_any_server_and_its_body_not_read(change: dict[str, Any], status: int) -> None:
    async def receive() -> Any:
        raise AssertionError("the body was read")

    assert (await _asked(receive, **change))[0] == status


async def _asked(receive: Any, **change: Any) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "path": "/api/v1/scores/", "method": "POST", "headers": [(b"host", b"localhost")], "query_string": b"", **change,
    }  # fmt: skip
    await ApiHandler()(scope, receive, send)
    return sent[0]["status"], sent[0]["headers"], sent[1]["body"]
