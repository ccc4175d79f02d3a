"""Bad input: a problem document with a stable code, and nothing stored."""

import json
from typing import Any

import httpx
import pytest

from leaderboard.api import problems
from leaderboard.domain import errors
from tests.cast import Cast

LIMIT = 2**53 - 1


def body(**change: Any) -> bytes:
    return json.dumps({"player": "ada", "score": 1} | change).encode()


BAD_BODIES: dict[str, tuple[bytes, int, str]] = {
    "nan": (b'{"player": "ada", "score": NaN}', 400, "invalid_body"),
    "infinity": (b'{"player": "ada", "score": Infinity}', 400, "invalid_body"),
    "1e400": (b'{"player": "ada", "score": 1e400}', 400, "invalid_body"),
    "beyond 2^53": (body(score=LIMIT + 1, leaderboards=["arcade-best"]), 422, "score_out_of_range"),
    "below -2^53": (body(score=-LIMIT - 1, leaderboards=["arcade-sum"]), 422, "score_out_of_range"),
    "2^63": (body(score=2**63), 422, "score_out_of_range"),
    "2^64": (body(score=2**64), 422, "score_out_of_range"),
    "2^63 as subscore": (body(subscore=2**63), 422, "score_out_of_range"),
    "minus zero": (b'{"player": "ada", "score": -0.0}', 400, "invalid_body"),
    "a float": (body(score=1.0), 400, "invalid_body"),
    "underscores": (b'{"player": "ada", "score": 1_000}', 400, "invalid_body"),
    "a string": (body(score="1_000"), 400, "invalid_body"),
    "true": (body(score=True), 400, "invalid_body"),
    "null": (body(score=None), 400, "invalid_body"),
    "no score": (b'{"player": "ada"}', 400, "invalid_body"),
    "no player": (b'{"score": 1}', 400, "player_required"),
    "an unknown field": (body(scroe=1), 400, "invalid_body"),
    "negative where the board says no": (body(score=-1, leaderboards=["arcade-best"]), 422, "score_out_of_range"),
    "above the bound": (body(score=1001, game_mode="bounded"), 422, "score_out_of_range"),
    "not json": (b"score=1", 400, "invalid_body"),
    "empty": (b"", 400, "invalid_body"),
    "a list": (b"[]", 400, "invalid_body"),
    "invalid utf-8": (b'{"player": "\xff\xfe", "score": 1}', 400, "invalid_body"),
    "a lone surrogate": (b'{"player": "\\ud800", "score": 1}', 400, "invalid_body"),
    "nested arrays": (b'{"player": "ada", "score": 1, "metadata": {"a": ' + b"[" * 2000 + b"]" * 2000 + b"}}", 400, "invalid_body"),
    "deep metadata": (body(metadata={"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": 1}}}}}}}}}), 400, "invalid_metadata"),
    "large metadata": (body(metadata={"a": "x" * 3000}), 400, "invalid_metadata"),
    "nul in metadata": (body(metadata={"a": "\x00"}), 400, "invalid_metadata"),
    "duplicate keys": (b'{"player": "ada", "score": 1, "score": 2}', 400, "invalid_body"),
    "duplicate keys by escape": (b'{"player": "ada", "score": 1, "\\u0073core": 2}', 400, "invalid_body"),
    "duplicate keys in metadata": (b'{"player": "ada", "score": 1, "metadata": {"a": 1, "a": 2}}', 400, "invalid_body"),
    "an empty name": (body(player=""), 400, "invalid_player"),
    "a zero-width name": (body(player="a\u200bda"), 400, "invalid_player"),
    "a right-to-left mark": (body(player="\u202eada"), 400, "invalid_player"),
    "a control character": (body(player="a\nda"), 400, "invalid_player"),
    "a long name": (body(player="a" * 151), 400, "invalid_player"),
    "another game's board": (body(leaderboards=["rival-best"]), 404, "leaderboard_not_found"),
    "an unknown board": (body(leaderboards=["nowhere"]), 404, "leaderboard_not_found"),
    "no board": (body(leaderboards=[]), 404, "leaderboard_not_found"),
    "another mode's board": (body(leaderboards=["arcade-count"]), 422, "game_mode_mismatch"),
    "a bad mode": (body(game_mode="x" * 65), 400, "invalid_body"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_BODIES)
async def test_bad_input_gets_a_problem_and_nothing_is_stored(api: httpx.AsyncClient, cast: Cast, case: str) -> None:
    content, status, code = BAD_BODIES[case]
    players = await cast.sql("SELECT count(*) FROM auth_user")
    response = await api.post("/api/v1/scores/", content=content, headers=cast.auth | {"Content-Type": "application/json"})
    assert (response.status_code, response.json()["code"]) == (status, code)
    _is_problem(response)
    assert await cast.count("gamesession") == 0
    assert await cast.count("leaderboardentry") == 0
    assert await cast.sql("SELECT count(*) FROM auth_user") == players


def _is_problem(response: httpx.Response) -> None:
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert {"type", "title", "status", "code", "detail", "request_id"} <= problem.keys()
    assert problem["status"] == response.status_code
    assert problem["request_id"] == response.headers["X-Request-ID"]


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "'; DROP TABLE auth_user; --", "gl:{1}:0:order", "Ünïcödé 名前", "🎮 gamer", "a/b", "a b"]
)
async def test_odd_names_are_only_names(api: httpx.AsyncClient, cast: Cast, name: str) -> None:
    response = await api.post("/api/v1/scores/", json={"player": name, "score": 1}, headers=cast.auth)
    assert response.status_code == 201
    found = await api.get(f"/api/v1/leaderboard/arcade-best/rank/{_quoted(name)}/")
    assert (found.status_code, found.json()["player"]) == (200, name)


def _quoted(name: str) -> str:
    from urllib.parse import quote

    return quote(name, safe="")


@pytest.mark.parametrize("score", [LIMIT, -LIMIT, 0])
async def test_the_whole_range_is_exact(api: httpx.AsyncClient, cast: Cast, score: int) -> None:
    await api.post("/api/v1/scores/", json={"player": "ada", "score": score, "leaderboards": ["arcade-sum"]}, headers=cast.auth)
    for _ in ("cold", "warm"):
        assert (await api.get("/api/v1/leaderboard/arcade-sum/rank/ada/")).json()["score"] == score
        for board in await cast.services.upkeep.indexed_boards(now=_now(), slug="arcade-sum"):
            await cast.services.upkeep.rebuild(board)


def _now() -> Any:
    from leaderboard.runtime import utc_now

    return utc_now()


@pytest.mark.parametrize("score", [LIMIT + 1, 2**63, -(2**63) - 1])
async def test_the_range_holds_where_no_board_is_fed(api: httpx.AsyncClient, cast: Cast, score: int) -> None:
    await cast.sql("UPDATE leaderboard_leaderboard SET is_active = false")
    response = await api.post("/api/v1/scores/", json={"player": "ada", "score": score}, headers=cast.auth)
    assert (response.status_code, response.json()["code"]) == (422, "score_out_of_range")
    assert await cast.count("gamesession") == 0


async def test_a_sum_that_would_leave_the_range_is_refused_and_nothing_of_it_is_stored(api: httpx.AsyncClient, cast: Cast) -> None:
    await api.post("/api/v1/scores/", json={"player": "ada", "score": LIMIT}, headers=cast.auth)
    response = await api.post("/api/v1/scores/", json={"player": "ada", "score": 1}, headers=cast.auth)
    assert (response.status_code, response.json()["code"]) == (422, "total_out_of_range")
    assert await cast.count("gamesession") == 1
    assert (await api.get("/api/v1/leaderboard/arcade-best/rank/ada/")).json()["submissions"] == 1


@pytest.mark.parametrize(
    ("path", "code", "status"),
    [
        ("leaderboard/arcade-best/top/?limit=0", "invalid_parameter", 400),
        ("leaderboard/arcade-best/top/?limit=1001", "invalid_parameter", 400),
        ("leaderboard/arcade-best/top/?limit=1_0", "invalid_parameter", 400),
        ("leaderboard/arcade-best/top/?limit=ten", "invalid_parameter", 400),
        ("leaderboard/arcade-best/top/?offset=-1", "invalid_parameter", 400),
        ("leaderboard/arcade-best/top/?season=2020-13-01", "season_not_found", 404),
        ("leaderboard/arcade-best/around/ada/?limit=0", "invalid_parameter", 400),
        ("leaderboard/arcade-best/rank/nobody/", "not_ranked", 404),
        ("leaderboard/arcade-best/around/nobody/", "not_ranked", 404),
        ("leaderboard/nowhere/", "leaderboard_not_found", 404),
        ("leaderboard/nowhere/top/", "leaderboard_not_found", 404),
        ("nothing/here/", "not_found", 404),
        ("leaderboard", "not_found", 404),
    ],
)
async def test_bad_reads_get_a_problem(api: httpx.AsyncClient, cast: Cast, path: str, code: str, status: int) -> None:
    response = await api.get(f"/api/v1/{path}")
    assert (response.status_code, response.json()["code"]) == (status, code)
    _is_problem(response)


@pytest.mark.parametrize(("method", "path"), [("GET", "scores/"), ("DELETE", "leaderboard/"), ("PUT", "leaderboard/arcade-best/top/")])
async def test_a_wrong_method_gets_a_problem_that_says_which_are_right(api: httpx.AsyncClient, cast: Cast, method: str, path: str) -> None:
    response = await api.request(method, f"/api/v1/{path}")
    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")
    assert response.headers["Allow"]


async def test_only_json_is_taken(api: httpx.AsyncClient, cast: Cast) -> None:
    response = await api.post("/api/v1/scores/", content=body(), headers=cast.auth | {"Content-Type": "text/plain"})
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")


async def test_a_large_body_is_refused_before_it_is_parsed(api: httpx.AsyncClient, cast: Cast) -> None:
    response = await api.post("/api/v1/scores/", content=b"x" * 10_000_000, headers=cast.auth | {"Content-Type": "application/json"})
    assert (response.status_code, response.json()["code"]) == (413, "body_too_large")


@pytest.mark.parametrize("header", [None, "Api-Key", "Api-Key wrong", "Bearer token", "Basic YTpi", "api-key \udcff"])
async def test_without_a_valid_credential_nothing_is_written(api: httpx.AsyncClient, cast: Cast, header: str | None) -> None:
    headers = {"Authorization": header.encode("latin-1", "replace").decode("latin-1")} if header else {}
    response = await api.post("/api/v1/scores/", json={"player": "ada", "score": 1}, headers=headers)
    assert (response.status_code, response.json()["code"]) == (401, "not_authenticated")
    assert await cast.count("gamesession") == 0


async def test_a_key_without_the_scope_is_refused(api: httpx.AsyncClient, cast: Cast) -> None:
    response = await api.post(
        "/api/v1/scores/", json={"player": "ada", "score": 1}, headers={"Authorization": f"Api-Key {cast.read_only_key}"}
    )
    assert (response.status_code, response.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize("key", ["", "x" * 256, "caf\u00e9"])
async def test_an_unusable_idempotency_key_is_refused(api: httpx.AsyncClient, cast: Cast, key: str) -> None:
    headers = {name.encode(): value.encode() for name, value in (cast.auth | {"Idempotency-Key": key}).items()}
    response = await api.post("/api/v1/scores/", json={"player": "ada", "score": 1}, headers=headers)
    assert (response.status_code, response.json()["code"]) == (400, "invalid_idempotency_key")


@pytest.mark.parametrize("count", [0, 1001])
async def test_a_batch_has_a_size(api: httpx.AsyncClient, cast: Cast, count: int) -> None:
    scores = [{"player": "ada", "score": 1}] * count
    response = await api.post("/api/v1/scores/batch/", json={"scores": scores}, headers=cast.auth)
    assert (response.status_code, response.json()["code"]) == (400, "invalid_body")
    assert await cast.count("gamesession") == 0


async def test_the_accept_header_selects_a_version(api: httpx.AsyncClient, cast: Cast) -> None:
    known = await api.get("/api/leaderboard/", headers={"Accept": "application/vnd.api+json; version=1"})
    assert known.json() == (await api.get("/api/v1/leaderboard/")).json()
    unknown = await api.get("/api/leaderboard/", headers={"Accept": "application/vnd.api+json; version=99"})
    assert (unknown.status_code, unknown.json()["code"]) == (406, "not_acceptable")


def test_every_refusal_of_the_api_has_a_status() -> None:
    websocket_only = {errors.BadMessage, errors.TooSlow, errors.TooMany}
    assert set(problems.STATUS) == set(errors.Refusal.__subclasses__()) - websocket_only
