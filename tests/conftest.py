"""What every test may use: real servers, started on free ports when first asked for, stopped at the end."""

import logging
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from django.conf import settings

from leaderboard import runtime
from leaderboard.domain.throttle import Rate
from leaderboard.services import Services
from tests.cast import Cast, by_hand
from tests.servers.web import serving

logging.getLogger("httpx").setLevel(logging.WARNING)  # a line per request would bury what a failure prints

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # reading the certificates for each client costs more than its requests

SetRates = Callable[..., None]

pytest_plugins = [
    "tests.servers.orm",
    "tests.servers.postgres",
    "tests.servers.redis",
    "tests.servers.browser",
    "tests.servers.stack",
    "tests.browser.axe",
    "tests.browser.scripted",
    "tests.keeper",
]


@pytest.fixture(autouse=True)
def unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test is refused for asking too often, unless it asks for `limited`."""
    monkeypatch.setattr(settings, "RATE_LIMITS", False)


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh, migrated database of each kind."""
    url: str = request.getfixturevalue(f"{request.param}_database")
    return url


@pytest.fixture
async def services(database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Services]:
    """The process's services over fresh servers. Bells are not rung: a test publishes when it wants to."""
    built = runtime.build(database_url, redis_url)
    monkeypatch.setattr(runtime, "services", lambda: built)
    monkeypatch.setattr(runtime, "_send", lambda task, arguments: None)
    yield built
    await built.aclose()


@pytest.fixture
def rates(services: Services, monkeypatch: pytest.MonkeyPatch) -> SetRates:
    """Limits for one test: `rates(read_address=3)` lets three through, and nothing comes back while it runs."""
    monkeypatch.setattr(settings, "RATE_LIMITS", True)

    def set_rates(**bursts: int) -> None:
        for name, burst in bursts.items():
            route_class, kind = name.split("_")
            services.limits._rates[route_class, kind] = Rate(0.001, burst)  # type: ignore[index]

    return set_rates


@pytest.fixture(params=["asgi", "server"])
async def api(services: Services, request: pytest.FixtureRequest) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client of the API in this process, by each lane: through ASGI, and straight from the server's protocol."""
    from asgi import application
    from gaming_leaderboard.handler import ApiHandler

    if request.param == "asgi":
        async with httpx.AsyncClient(transport=httpx.ASGITransport(ApiHandler()), base_url="http://localhost") as client:
            yield client
        return
    async with (
        serving(lane_of(ApiHandler(), application), lifespan="on") as (_, port),
        httpx.AsyncClient(base_url=f"http://localhost:{port}", verify=NO_TLS) as client,
    ):
        yield client


def lane_of(handler: Any, application: Any) -> Any:
    """The application with this handler in its lifespan's state, and without what it does to the process at its end."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            scope["state"]["api"] = handler
            for moment in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{moment}.complete"})
        else:
            await application(scope, receive, send)

    return app


@pytest.fixture
async def cast(services: Services, database_url: str) -> AsyncIterator[Cast]:
    """Two games with boards and keys: Ada leads, Bo follows, Cy is a stranger."""
    async with by_hand(database_url) as run:
        yield await Cast.enter(services, database_url, run)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record", action="store_true", help="write the recorded answers of tests/api/recorded anew")


SLOW_KINDS = ("postgres", "server")
SLOW_FIXTURES = {"postgres_server", "postgres_database", "stack", "new_stack", "chromium", "page", "axe"}


LANES = {"asgi": "sqlite", "server": "postgres", "direct": "postgres"}  # which database a lane is paired with


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What needs PostgreSQL, a browser or the whole process set is slow: `make check` leaves it to `make test`.

    A lane of requests and a database don't meet each other's code, so of their four pairs two are run: each lane and each database once.
    """
    kept, left = [], []
    for item in items:
        (kept if _is_a_pair(item) else left).append(item)
    items[:] = kept
    config.hook.pytest_deselected(items=left)
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if fixtures & SLOW_FIXTURES or set(_kinds(item)) & set(SLOW_KINDS):
            item.add_marker(pytest.mark.slow)


def _kinds(item: pytest.Item) -> list[str]:
    """What an item is run with, as its name says: [server-postgres-...]."""
    callspec = getattr(item, "callspec", None)
    return callspec.id.split("-") if callspec is not None else []


def _is_a_pair(item: pytest.Item) -> bool:
    kinds = _kinds(item)
    lanes = [kind for kind in kinds if kind in LANES]
    databases = [kind for kind in kinds if kind in LANES.values()]
    return not lanes or not databases or LANES[lanes[0]] == databases[0]
