"""A request leaves nothing to the garbage collector, which in a web process runs rarely and then holds up everybody."""

import gc
from collections.abc import Iterator

import httpx
import pytest

from tests.cast import Cast

BOARD = "arcade-best"
ROUNDS = 30


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("api", ["server"], indirect=True)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/scores/"),
        ("GET", f"/api/v1/leaderboard/{BOARD}/top/"),
        ("GET", f"/api/v1/leaderboard/{BOARD}/rank/ada/"),
        ("GET", f"/api/v1/leaderboard/{BOARD}/around/ada/"),
    ],
)
async def test_a_request_leaves_no_circle_behind(api: httpx.AsyncClient, cast: Cast, method: str, path: str) -> None:
    async def ask() -> None:
        body = {"json": {"player": "ada", "score": 1}} if method == "POST" else {}
        answer = await api.request(method, path, headers={"Authorization": f"Api-Key {cast.key}"}, **body)
        assert answer.status_code in (200, 201)

    await api.post("/api/v1/scores/", headers={"Authorization": f"Api-Key {cast.key}"}, json={"player": "ada", "score": 1})
    for _ in range(ROUNDS):  # caches fill, connections open
        await ask()
    gc.collect()
    for _ in range(ROUNDS):
        await ask()
    left = _ours()
    assert left == []


def _ours() -> list[str]:
    """The types of this project's objects that only a collection would free."""
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        gc.collect()
        modules = ("leaderboard", "gaming_leaderboard", "realtime")
        return sorted({type(found).__qualname__ for found in gc.garbage if type(found).__module__.partition(".")[0] in modules})
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
