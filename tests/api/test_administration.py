"""Keeping leaderboards over REST: who may, what is refused, and that a refusal changes nothing."""

from typing import Any

import httpx
import pytest

from leaderboard.services import Services
from leaderboard.services.rerank import Rerank
from tests.cast import Cast
from tests.keeper import is_whole, post, top

BOARD = "/api/v1/leaderboard/arcade-best/"
NEW = {"leaderboard": "new-board", "operator": "sum", "max_score": 500, "metadata": {"colour": "red"}, "is_public": True}


async def test_a_new_board_is_described_listed_and_fed_at_once(api: httpx.AsyncClient, cast: Cast, keeper: dict[str, str]) -> None:
    made = await api.post("/api/v1/leaderboard/", json=NEW, headers=keeper)
    assert made.status_code == 201, made.text
    shown = (await api.get("/api/v1/leaderboard/new-board/")).json()
    assert made.json().items() <= shown.items()
    assert {name: shown[name] for name in ("title", "game", "operator", "max_score", "metadata", "is_public", "signed_only")} == {
        "title": "New board", "game": "arcade", "operator": "sum", "max_score": 500, "metadata": {"colour": "red"},
        "is_public": True, "signed_only": False,
    }  # fmt: skip
    submitted = (await post(api, cast.auth, "ada", 7)).json()
    assert "new-board" in [result["leaderboard"] for result in submitted["results"]]


async def test_a_title_is_kept_in_its_normal_form(api: httpx.AsyncClient, keeper: dict[str, str]) -> None:
    spelt = {"title": "Zoe\u0308s Cup"}
    made = await api.post("/api/v1/leaderboard/", json={"leaderboard": "cup"} | spelt, headers=keeper)
    assert made.json()["title"] == "Zo\u00ebs Cup"
    assert (await api.patch(BOARD, json=spelt, headers=keeper)).json()["title"] == "Zo\u00ebs Cup"


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ({"leaderboard": "arcade-best"}, 409, "slug_taken", None),
        ({"leaderboard": "rival-best"}, 409, "slug_taken", None),
        ({"leaderboard": "Not a slug"}, 422, "invalid_definition", "leaderboard"),
        ({"leaderboard": "b", "max_score": -1}, 422, "invalid_definition", "max_score"),
        ({"leaderboard": "b", "reset_schedule": "hourly"}, 422, "invalid_definition", "reset_schedule"),
        ({"leaderboard": "b", "time_zone": "Europe/Atlantis"}, 422, "invalid_definition", "time_zone"),
        ({"leaderboard": "b", "game_mode": "no spaces"}, 422, "invalid_definition", "game_mode"),
        ({"leaderboard": "b", "title": ""}, 422, "invalid_definition", "title"),
        ({"leaderboard": "b", "title": "a\u202eb"}, 422, "invalid_definition", "title"),
        ({"leaderboard": "b", "metadata": {"a": "x" * 3000}}, 422, "invalid_definition", "metadata"),
        ({"leaderboard": "b", "operator": "median"}, 400, "invalid_body", None),
        ({"leaderboard": "b", "game": "rival"}, 400, "invalid_body", None),
        ({"leaderboard": "b", "id": 1}, 400, "invalid_body", None),
        ({"title": "No slug"}, 400, "invalid_body", None),
    ],
)
async def test_a_board_that_makes_no_sense_is_refused_and_not_made(
    api: httpx.AsyncClient, cast: Cast, keeper: dict[str, str], body: dict[str, Any], status: int, code: str, field: str | None
) -> None:
    before = await cast.count("leaderboard")
    refused = await api.post("/api/v1/leaderboard/", json=body, headers=keeper)
    assert (refused.status_code, refused.json()["code"]) == (status, code), refused.text
    assert field is None or field in [error["field"] for error in refused.json()["errors"]]
    assert await cast.count("leaderboard") == before


async def test_what_does_not_rank_anew_changes_at_once(api: httpx.AsyncClient, cast: Cast, keeper: dict[str, str]) -> None:
    changes = {"title": "Best of all", "authoritative": True, "is_public": True, "signed_only": False, "metadata": {"a": 1}}
    edited = await api.patch(BOARD, json={**changes, "operator": "best", "min_score": 0}, headers=keeper)
    assert edited.status_code == 200, edited.text
    assert changes.items() <= edited.json().items()
    assert changes.items() <= (await api.get(BOARD)).json().items()
    assert await cast.count("reranking") == 0


async def test_a_board_is_inactive_until_it_is_made_active_again(api: httpx.AsyncClient, cast: Cast, keeper: dict[str, str]) -> None:
    await post(api, cast.auth, "ada", 7)
    gone = await api.delete(BOARD, headers=keeper)
    assert (gone.status_code, gone.content) == (204, b"")
    assert (await api.get(BOARD)).json()["code"] == "leaderboard_not_found"
    assert (await api.get(f"{BOARD}top/")).status_code == 404
    assert (await api.delete(BOARD, headers=keeper)).status_code == 204
    assert (await api.patch(BOARD, json={}, headers=keeper)).json()["is_active"] is False
    assert (await api.patch(BOARD, json={"is_active": True}, headers=keeper)).status_code == 200
    assert await top(api, "arcade-best") == [(1, "ada", 7, 0)]


async def test_a_board_that_is_deleted_for_good_leaves_the_sessions_only(
    api: httpx.AsyncClient, cast: Cast, keeper: dict[str, str], services: Services, rerank: Rerank
) -> None:
    for player in ("ada", "bo"):
        await post(api, cast.auth, player, 7)
    await api.patch(BOARD, json={"operator": "sum"}, headers=keeper)
    await rerank.resume()
    await is_whole(services)
    ((number,),) = await cast.sql("SELECT id FROM leaderboard_leaderboard WHERE slug = 'arcade-best'")
    assert (await services.feed.state(number)) is not None
    assert (await api.delete(f"{BOARD}?hard=true", headers=keeper)).status_code == 204
    assert (await api.get(BOARD)).status_code == 404
    assert (await api.delete(f"{BOARD}?hard=true", headers=keeper)).status_code == 404
    assert await cast.sql("SELECT count(*) FROM leaderboard_leaderboardentry WHERE leaderboard_id = $1", number) == [(0,)]
    assert await cast.count("reranking") == 0
    assert await cast.count("gamesession") == 2
    assert (await services.feed.state(number)) is None
    assert number not in [board.leaderboard_id for board in await services.index.boards()]
    assert (await post(api, cast.auth, "ada", 9)).status_code == 201
    assert (await api.post("/api/v1/leaderboard/", json={"leaderboard": "arcade-best"}, headers=keeper)).status_code == 201


ROUTES = [
    ("POST", "/api/v1/leaderboard/", {"leaderboard": "stolen"}),
    ("PATCH", BOARD, {"title": "Stolen"}),
    ("PATCH", f"{BOARD}?dry_run=true", {"operator": "sum"}),
    ("PATCH", BOARD, {"operator": "sum"}),
    ("DELETE", BOARD, None),
    ("DELETE", f"{BOARD}?hard=true", None),
    ("GET", f"{BOARD}rerankings/", None),
    ("GET", f"{BOARD}rerankings/1/", None),
]


@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
async def test_broken_function_level_authorization_a_key_without_the_scope_may_not(
    api: httpx.AsyncClient, cast: Cast, keeper: dict[str, str], method: str, path: str, body: Any
) -> None:
    for headers, status, code in ((cast.auth, 403, "forbidden"), ({}, 401, "not_authenticated")):
        refused = await api.request(method, path, json=body, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert await cast.sql("SELECT title, operator, is_active FROM leaderboard_leaderboard WHERE slug = 'arcade-best'") == [
        ("Arcade-Best", "best", True)
    ]


@pytest.mark.parametrize(("method", "path", "body"), ROUTES[1:])
async def test_broken_object_level_authorization_another_games_board_is_not_found(
    api: httpx.AsyncClient, cast: Cast, keeper: dict[str, str], method: str, path: str, body: Any
) -> None:
    await cast.api_key("rival", "gl_rival111_administers", ["boards:admin"])
    refused = await api.request(method, path, json=body, headers={"Authorization": "Api-Key gl_rival111_administers"})
    assert (refused.status_code, refused.json()["code"]) == (404, "leaderboard_not_found")
    assert await cast.sql("SELECT title, operator, is_active FROM leaderboard_leaderboard WHERE slug = 'arcade-best'") == [
        ("Arcade-Best", "best", True)
    ]


@pytest.mark.parametrize("field", ["leaderboard", "slug", "game", "game_id", "id", "created_at", "season"])
async def test_mass_assignment_a_field_that_is_not_for_editing_is_refused(
    api: httpx.AsyncClient, keeper: dict[str, str], field: str
) -> None:
    refused = await api.patch(BOARD, json={field: "rival"}, headers=keeper)
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_body")


async def test_a_change_that_ranks_anew_goes_on_behind_and_shows_how_far_it_is(
    api: httpx.AsyncClient, cast: Cast, keeper: dict[str, str], rerank: Rerank, services: Services
) -> None:
    for player, score in (("ada", 5), ("bo", 3), ("bo", 4)):
        await post(api, cast.auth, player, score)
    accepted = await api.patch(BOARD, json={"operator": "sum", "title": "Sum of all"}, headers=keeper)
    assert accepted.status_code == 202, accepted.text
    begun = accepted.json()["reranking"]
    assert (begun["state"], begun["done"], begun["moved"], begun["changes"]) == ("waiting", 0, 0, {"operator": "sum"})
    shown = (await api.get(BOARD)).json()
    assert (shown["title"], shown["operator"]) == ("Sum of all", "best")
    again = await api.patch(BOARD, json={"operator": "latest"}, headers=keeper)
    assert (again.status_code, again.json()["code"]) == (409, "reranking_under_way")
    assert (await api.patch(BOARD, json={"title": "Sum"}, headers=keeper)).status_code == 200
    assert await top(api, "arcade-best") == [(1, "ada", 5, 0), (2, "bo", 4, 0)]

    assert await rerank.resume() == 1
    done = (await api.get(f"{BOARD}rerankings/{begun['id']}/", headers=keeper)).json()
    assert done == {**begun, "state": "done", "done": 3, "total": 3, "moved": 2}
    assert (await api.get(f"{BOARD}rerankings/", headers=keeper)).json() == {"rerankings": [done]}
    assert await top(api, "arcade-best") == [(1, "bo", 7, 0), (2, "ada", 5, 0)]
    await is_whole(services)
    assert await top(api, "arcade-best") == [(1, "bo", 7, 0), (2, "ada", 5, 0)]
    assert (await api.get(BOARD)).json()["operator"] == "sum"
    assert (await api.get(f"{BOARD}rerankings/999/", headers=keeper)).json()["code"] == "not_found"
    assert (await api.patch(BOARD, json={"operator": "latest"}, headers=keeper)).status_code == 202


async def test_a_dry_run_says_what_then_happens_and_writes_nothing(
    api: httpx.AsyncClient, cast: Cast, keeper: dict[str, str], rerank: Rerank, services: Services
) -> None:
    for player, score in (("ada", 50), ("bo", 30), ("cy", 5), ("bo", 10)):
        await post(api, cast.auth, player, score)
    await is_whole(services)
    before = (await cast.sql("SELECT * FROM leaderboard_leaderboardentry ORDER BY id"), await services.store.catalog_version())
    change = {"sort_order": "asc", "min_score": 8}
    told = await api.patch(f"{BOARD}?dry_run=true", json=change, headers=keeper)
    assert told.status_code == 200, told.text
    assert {name: told.json()[name] for name in ("moved", "entries", "dropped")} == {"moved": 2, "entries": 2, "dropped": 1}
    assert (await cast.sql("SELECT * FROM leaderboard_leaderboardentry ORDER BY id"), await services.store.catalog_version()) == before
    assert await cast.count("reranking") == 0
    assert (await api.patch(BOARD, json=change, headers=keeper)).status_code == 202
    await rerank.resume()
    await is_whole(services)
    rows = (await api.get(f"{BOARD}top/")).json()["entries"]
    assert [_without_count(row) for row in rows] == [_without_count(row) for row in told.json()["top"]]
    assert (await api.get(f"{BOARD}rerankings/", headers=keeper)).json()["rerankings"][0]["moved"] == 2


def _without_count(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "submissions"}


async def test_a_dry_run_that_would_take_too_long_is_refused(
    api: httpx.AsyncClient, cast: Cast, keeper: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leaderboard.services.rerank.DRY_RUN_SESSIONS", 1)
    for player in ("ada", "bo"):
        await post(api, cast.auth, player, 7)
    refused = await api.patch(f"{BOARD}?dry_run=true", json={"operator": "sum"}, headers=keeper)
    assert (refused.status_code, refused.json()["code"]) == (422, "too_large_for_dry_run")


@pytest.mark.parametrize(("method", "query"), [("PATCH", "dry_run=yes"), ("DELETE", "hard=1")])
async def test_a_switch_is_true_or_false(api: httpx.AsyncClient, keeper: dict[str, str], method: str, query: str) -> None:
    refused = await api.request(method, f"{BOARD}?{query}", json={}, headers=keeper)
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_parameter")


async def test_every_method_of_a_route_is_in_its_allow_header(api: httpx.AsyncClient, cast: Cast) -> None:
    allowed = {path: (await api.put(path)).headers["Allow"] for path in (BOARD, "/api/v1/leaderboard/", f"{BOARD}rerankings/")}
    assert allowed == {
        BOARD: "GET, HEAD, PATCH, DELETE, OPTIONS",
        "/api/v1/leaderboard/": "GET, HEAD, POST, OPTIONS",
        f"{BOARD}rerankings/": "GET, HEAD, OPTIONS",
    }
