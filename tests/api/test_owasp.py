"""Threats of the OWASP API Security Top 10 (2023) that concern the service as a whole; docs/security.md says where the others are tried."""

import ast
import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from django.conf import settings

from leaderboard.domain.throttle import Rate
from leaderboard.services import Services
from realtime.limits import Options
from tests.api.test_limits import statuses, token_of
from tests.cast import Cast
from tests.conftest import SetRates
from tests.test_settings import started

TOP = "/api/v1/leaderboard/arcade-best/top/"
SCORES = "/api/v1/scores/"
DEVICE = "/api/v1/auth/device/"


# --- API4:2023 Unrestricted Resource Consumption ----------------------------------------------------------------------------------


async def test_api4_an_anonymous_flood_of_reads_is_cut_to_its_rate_and_costs_others_nothing(
    api: httpx.AsyncClient, cast: Cast, rates: SetRates
) -> None:
    rates(read_address=20, read_key=20)
    flood = await asyncio.gather(*(api.get(TOP) for _ in range(100)))
    assert [answer.status_code for answer in flood].count(200) == 20
    assert {answer.status_code for answer in flood} == {200, 429}
    assert await statuses(api, 1, headers=cast.auth) == [200]


@pytest.mark.slow
async def test_api4_a_flood_of_batches_counts_by_item(api: httpx.AsyncClient, cast: Cast, rates: SetRates) -> None:
    rates(submit_key=500)
    items = {"scores": [{"player": "ada", "score": 1}] * 100}
    flood = await asyncio.gather(*(api.post(f"{SCORES}batch/", json=items, headers=cast.auth) for _ in range(20)))
    landed = [answer.status_code for answer in flood].count(200)
    assert 4 <= landed <= 5
    assert await cast.count("gamesession") == 100 * landed


async def test_api4_pages_and_bodies_are_bounded_whoever_asks(api: httpx.AsyncClient, cast: Cast) -> None:
    for path in (f"{TOP}?limit=1001", f"{TOP}?offset=10000001", "/api/v1/leaderboard/arcade-best/around/ada/?limit=100000"):
        assert (await api.get(path, headers=cast.auth)).json()["code"] == "invalid_parameter"
    large = await api.post(SCORES, content=b" " * (settings.BODY_LIMIT + 1), headers=cast.auth | {"Content-Type": "application/json"})
    assert large.json()["code"] == "body_too_large"


def test_api4_every_rate_is_finite_for_every_class_of_route() -> None:
    kinds = {(route_class, kind) for route_class in ("submit", "read", "admin") for kind in ("key", "player", "address")}
    assert settings.RATES.keys() == kinds | {("auth", "address")}
    assert all(isinstance(rate, Rate) for rate in settings.RATES.values())


def test_api4_a_process_holds_a_bounded_number_of_sockets_and_a_socket_of_everything() -> None:
    options = Options()
    assert all(
        bound < 100_000
        for bound in (options.sockets, options.subscriptions, options.message_bytes, options.submits, options.replies, options.ring)
    )


async def test_api4_with_redis_away_a_flood_is_still_cut(
    api: httpx.AsyncClient, cast: Cast, rates: SetRates, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates(read_address=20)
    monkeypatch.setattr(services.limits._throttle.client.breaker, "admits", lambda: False)
    flood = await asyncio.gather(*(api.get(TOP) for _ in range(50)))
    assert sorted({answer.status_code for answer in flood}) == [200, 429]
    assert [answer.status_code for answer in flood].count(200) == 20


# --- API6:2023 Unrestricted Access to Sensitive Business Flows ---------------------------------------------------------------------


async def test_api6_mass_sign_in_from_one_address_is_cut_off_whoever_it_says_it_is(
    api: httpx.AsyncClient, cast: Cast, rates: SetRates
) -> None:
    rates(auth_address=5)
    guises = [cast.auth, await token_of(cast, "ada"), {}, {"X-Forwarded-For": "203.0.113.9"}, {"Cookie": "sessionid=x"}]
    answers = [await api.post(DEVICE, json={"device": f"device-{turn}"}, headers=guises[turn % 5]) for turn in range(15)]
    assert [answer.status_code == 429 for answer in answers] == [False] * 5 + [True] * 10


async def test_api6_a_player_can_not_pour_in_scores_faster_than_games_are_played(
    api: httpx.AsyncClient, cast: Cast, rates: SetRates
) -> None:
    rates(submit_player=5)
    ada = await token_of(cast, "ada")
    body = {"score": 1, "leaderboards": ["arcade-best"]}
    by_two_roads = await statuses(api, 4, SCORES, json=body, headers=ada) + await statuses(
        api, 4, f"{SCORES}batch/", json={"scores": [body]}, headers=ada
    )
    assert by_two_roads == [201] * 4 + [200] + [429] * 3
    assert await cast.count("gamesession") == 5


# --- API7:2023 Server Side Request Forgery -----------------------------------------------------------------------------------------

ROOT = Path(__file__).resolve().parents[2]
CALLS_OUT = {"httpx", "requests", "aiohttp", "urllib3", "urllib.request", "http.client", "ftplib", "smtplib"}
UNPICKLES = {"pickle", "marshal", "shelve", "dill", "cloudpickle"}


def imports(*, without: str = "") -> Iterator[tuple[str, str]]:
    """(file, module) of every import of the service's own code, lazy ones too."""
    for package in ("leaderboard", "realtime", "gaming_leaderboard"):
        for file in (ROOT / package).rglob("*.py"):
            name = str(file.relative_to(ROOT))
            for node in ast.walk(ast.parse(file.read_text())):
                if without and name.startswith(without):
                    continue
                if isinstance(node, ast.Import):
                    yield from ((name, alias.name) for alias in node.names)
                elif isinstance(node, ast.ImportFrom):
                    yield name, node.module or ""
                    yield from ((name, f"{node.module}.{alias.name}") for alias in node.names)


@pytest.mark.slow
def test_api7_the_service_asks_no_other_server_whatever_it_is_told() -> None:
    """Only the commands that are clients themselves, started by hand, speak HTTP to somebody."""
    assert [(file, module) for file, module in imports(without="leaderboard/management/") if module in CALLS_OUT] == []


async def test_api7_an_address_in_what_is_sent_stays_text(api: httpx.AsyncClient, cast: Cast) -> None:
    asked = 0

    async def listener(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        writer.close()

    server = await asyncio.start_server(listener, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    body = {"player": address[:60], "name": address[:60], "score": 1, "metadata": {"avatar": address, "$ref": address}}
    assert (await api.post(SCORES, json=body, headers=cast.auth)).status_code == 201
    assert (await api.get(TOP, headers={"Referer": address, "X-Forwarded-Host": "localhost"})).json()["entries"][0]["name"] == address[:60]
    server.close()
    await server.wait_closed()
    assert asked == 0


# --- API8:2023 Security Misconfiguration -------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_api8_limits_are_on_and_nobody_is_trusted_unless_the_operator_says_so(tmp_path: Path) -> None:
    assert started(tmp_path, "settings.RATE_LIMITS, settings.TRUSTED_PROXIES").stdout.strip() == "True ()"


def test_api8_the_servers_own_trust_in_local_proxies_is_off_whatever_the_environment_says() -> None:
    from leaderboard.management.commands.run import WEB

    assert "--no-proxy-headers" in WEB
    assert "--no-proxy-headers" in (ROOT / "Procfile").read_text()
    assert "FORWARDED_ALLOW_IPS" not in os.environ


async def test_api8_a_refusal_for_too_many_says_nothing_of_the_service(api: httpx.AsyncClient, cast: Cast, rates: SetRates) -> None:
    rates(read_address=1)
    await api.get(TOP)
    refused = await api.get(TOP)
    assert refused.json().keys() == {"type", "title", "status", "code", "detail", "request_id"}
    assert not [word for word in ("redis", "gl:", "127.0.0.1", "address:") if word in refused.text.lower()]
    assert "Server" not in refused.headers


# --- API9:2023 Improper Inventory Management ---------------------------------------------------------------------------------------


async def test_api9_no_route_answers_that_no_document_tells_of(api: httpx.AsyncClient, cast: Cast) -> None:
    """Versions that ended, consoles and what was meant for tests: what is not in the list of the resolver is not there."""
    for path in (
        "/api/",
        "/api/v0/leaderboard/",
        "/api/v3/leaderboard/",
        "/api/internal/",
        "/api/debug/",
        "/api/v1/",
        "/api/v1/__debug__/",
    ):
        answer = await api.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json"), path


# --- API10:2023 Unsafe Consumption of APIs -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_api10_what_other_servers_say_is_never_unpickled() -> None:
    """Redis, the broker among its uses, is the one server that the service reads objects from: typed msgpack and JSON only."""
    from gaming_leaderboard.celery import app

    assert [(file, module) for file, module in imports() if module.partition(".")[0] in UNPICKLES] == []
    assert set(app.conf.accept_content) == {"json"}
    assert (app.conf.task_serializer, app.conf.result_serializer) == ("json", "json")
