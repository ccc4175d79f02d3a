"""The answers of version 1 as they were recorded, byte for byte: whoever changes one breaks a client.

Each file of recorded/ is a list of requests with their answers; all are played in order on one fresh cast. To add one, write its
name and its request and run `pytest tests/api/test_recorded.py --record -m "not slow"`, which writes the answers; then read the
difference. An answer that was there and changes belongs into a new version.
"""

import json
import re
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.urls import URLPattern

from leaderboard import runtime
from leaderboard.api import urls
from leaderboard.api.views import ApiView
from leaderboard.services import Services
from tests.cast import Cast
from tests.signing import secret_of, signature

FOLDER = Path(__file__).parent / "recorded"
FILES = sorted(FOLDER.glob("*.json"))
HEADERS = (
    "content-type", "cache-control", "etag", "vary", "allow", "retry-after", "www-authenticate", "idempotency-replayed", "location",
)  # fmt: skip

_JWT = r'"[\w-]+\.[\w-]+\.[\w-]+"'
_MS, _S = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
# What differs from run to run, by the name that it has in an answer. Its form stays.
VOLATILE = {
    "epoch": r'"[0-9a-f]{16}"',
    "session_id": r"\d+",
    "timestamp": f'"{_MS}"',
    "achieved_at": f'"{_MS}"',
    "season": f'"{_S}"',
    "season_ends": f'"{_MS}"',
    "created_at": f'"{_MS}"',
    "since": f'"{_MS}"',
    "until": f'"{_MS}"',
    "id": r"\d+",
    "before": r"\d+",
    "actor": r'"key:\d+"',
    "player": r'"player-[0-9a-f]{12}"',
    "access_token": _JWT,
    "refresh_token": r'"[\w-]{43}"',
    "ticket": _JWT,
}
KEPT = ("id", "access_token", "refresh_token", "ticket")  # the next requests mean those of the last answer that had one: $ID and so on
_POINT = re.compile(rf'\["{_MS}",')
_ETAG = re.compile(r'"[0-9a-f]{24}"')

ADMIN_KEY = "gl_arcade09_keeps-and-moderates"


@pytest.fixture
async def given(cast: Cast, orm: None) -> dict[str, str]:
    """What the marks in a request stand for."""
    await cast.api_key("arcade", ADMIN_KEY, ["boards:admin", "players:admin"])
    keys = {"$API_KEY": cast.key, "$READ_ONLY_KEY": cast.read_only_key, "$RIVAL_KEY": cast.rival_key, "$ADMIN_KEY": ADMIN_KEY}
    return {**keys, "$TIMESTAMP": str(int(time.time()))}


@pytest.mark.slow
async def test_the_answers_of_version_1_are_those_that_were_recorded(
    api: httpx.AsyncClient, given: dict[str, str], services: Services, pytestconfig: pytest.Config
) -> None:
    for file in FILES:
        examples = json.loads(file.read_text())
        answers = [await _played(api, example["request"], given) for example in examples]
        if pytestconfig.getoption("--record"):
            played = [{**example, "answer": answer} for example, answer in zip(examples, answers, strict=True)]
            file.write_text(json.dumps(played, indent=1, ensure_ascii=False) + "\n")
        for example, answer in zip(json.loads(file.read_text()), answers, strict=True):
            assert answer == example["answer"], f"{file.name}: {example['name']}"
        await services.upkeep.sweep(now=runtime.utc_now())  # after the submits the boards are published, and have a position


async def _played(api: httpx.AsyncClient, request: dict[str, Any], given: dict[str, str]) -> dict[str, Any]:
    body = _filled(request.get("body", ""), given).encode()
    headers = {name: _filled(value, given) for name, value in {"X-Request-ID": "recorded", **request.get("headers", {})}.items()}
    if headers.get("X-Signature") == "$SIGNATURE":
        secret = secret_of(given["$API_KEY"])
        headers["X-Signature"] = signature(secret, request["method"], request["path"], headers["X-Timestamp"], headers["X-Nonce"], body)
    answer = await api.request(request["method"], _filled(request["path"], given), headers=headers, content=body)
    given |= {f"${name.upper()}": found[1] for name in KEPT if (found := re.search(rf'"{name}":"?([^",}}]+)', answer.text))}
    told = {name: answer.headers[name] for name in HEADERS if name in answer.headers}
    return {
        "status": answer.status_code,
        "headers": {name: _ETAG.sub('"<tag>"', value) for name, value in told.items()},
        "body": _calm(answer.text),
    }


def _filled(text: str, given: dict[str, str]) -> str:
    for mark, value in given.items():
        text = text.replace(mark, value)
    return text


def _calm(body: str) -> str:
    for name, form in VOLATILE.items():
        body = re.sub(rf'"{name}":{form}', f'"{name}":"<{name}>"', body)
    return _POINT.sub('["<at>",', body)


def examples() -> list[dict[str, Any]]:
    return [example for file in FILES for example in json.loads(file.read_text())]


def methods(route: URLPattern) -> list[str]:
    view: type[ApiView] = route.callback.view_class  # type: ignore[attr-defined]
    return [method for method in ("GET", "POST", "PUT", "PATCH", "DELETE") if hasattr(view, method.lower())]


@pytest.mark.parametrize(
    ("method", "route"),
    [(method, route) for route in urls.urlpatterns for method in methods(route)],
    ids=lambda part: str(getattr(part, "pattern", part)),
)
def test_every_route_of_version_1_has_a_recorded_answer(method: str, route: URLPattern) -> None:
    recorded = [
        example
        for example in examples()
        if example["request"]["method"] == method
        and example["answer"]["status"] < 300
        and route.resolve(_filled(example["request"]["path"], {"$ID": "1"}).partition("?")[0].removeprefix("/api/v1/"))
    ]
    assert recorded


def test_every_example_has_a_name_of_its_own() -> None:
    names = [example["name"] for example in examples()]
    assert len(set(names)) == len(names)
