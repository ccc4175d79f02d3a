"""Submitting over REST: the answers, the boards it feeds, retries, and that a refusal stores nothing."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.cast import Cast


async def post(api: httpx.AsyncClient, cast: Cast, player: str, score: Any, *, key: str | None = None, **body: Any) -> httpx.Response:
    headers = cast.auth | ({"Idempotency-Key": key} if key else {})
    return await api.post("/api/v1/scores/", json={"player": player, "score": score, **body}, headers=headers)


async def test_it_answers_201_with_a_row_for_every_board_that_it_feeds(api: httpx.AsyncClient, cast: Cast) -> None:
    response = await post(api, cast, "ada", 100, subscore=5)
    assert response.status_code == 201
    body = response.json()
    assert {key: body[key] for key in ("player", "score", "subscore", "game_mode")} == {
        "player": "ada", "score": 100, "subscore": 5, "game_mode": "",
    }  # fmt: skip
    assert body["timestamp"].endswith("Z")
    assert body["results"] == [
        {
            "leaderboard": slug, "season": "all-time", "total_score": 100, "subscore": 5, "rank": 1,
            "previous_rank": None, "improved": True, "total": 1,
        }
        for slug in ("arcade-best", "arcade-sum")
    ]  # fmt: skip


async def test_ranks_follow_the_total_order_with_the_earlier_achiever_first(api: httpx.AsyncClient, cast: Cast) -> None:
    for player, score, subscore in [("ada", 50, 1), ("bo", 50, 2), ("cy", 50, 2), ("dee", 60, 0)]:
        await post(api, cast, player, score, subscore=subscore, leaderboards=["arcade-best"])
    top = (await api.get("/api/v1/leaderboard/arcade-best/top/")).json()
    assert [(row["rank"], row["player"]) for row in top["entries"]] == [(1, "dee"), (2, "bo"), (3, "cy"), (4, "ada")]


async def test_the_answer_says_where_the_player_stood_before(api: httpx.AsyncClient, cast: Cast) -> None:
    for player, score in [("ada", 100), ("bo", 50), ("cy", 70)]:
        await post(api, cast, player, score)
    better = (await post(api, cast, "bo", 90, leaderboards=["arcade-best"])).json()["results"][0]
    assert (better["previous_rank"], better["rank"], better["improved"]) == (3, 2, True)
    worse = (await post(api, cast, "bo", 10, leaderboards=["arcade-best"])).json()["results"][0]
    assert (worse["previous_rank"], worse["rank"], worse["improved"], worse["total_score"]) == (2, 2, False, 90)


async def test_ranks_are_the_same_from_sql_and_from_the_index(api: httpx.AsyncClient, cast: Cast) -> None:
    for number in range(30):
        await post(api, cast, f"player-{number % 12}", number * 37 % 101, subscore=number % 3, leaderboards=["arcade-best"])
    from_sql = await _read_everything(api)
    for board in await cast.services.upkeep.indexed_boards(now=_now()):
        await cast.services.upkeep.rebuild(board)
    assert await _read_everything(api) == from_sql
    warm = (await post(api, cast, "player-3", 1000, leaderboards=["arcade-best"])).json()["results"][0]
    assert warm["rank"] == 1
    assert warm["previous_rank"] == from_sql["rank"]["player-3"]["rank"]


def _now() -> Any:
    from leaderboard.runtime import utc_now

    return utc_now()


async def _read_everything(api: httpx.AsyncClient) -> dict[str, Any]:
    base = "/api/v1/leaderboard/arcade-best"
    top = (await api.get(f"{base}/top/?limit=100")).json()
    players = [row["player"] for row in top["entries"]]
    return {
        "page": (await api.get(f"{base}/top/?limit=3&offset=4")).json(),
        "top": top,
        "rank": {player: (await api.get(f"{base}/rank/{player}/")).json() for player in players},
        "around": {player: (await api.get(f"{base}/around/{player}/?limit=2")).json() for player in players},
    }


@pytest.mark.parametrize("limit", [1, 2, 5])
async def test_around_shows_neighbours_at_both_ends_and_in_the_middle(api: httpx.AsyncClient, cast: Cast, limit: int) -> None:
    players = [f"p{number}" for number in range(7)]
    for number, player in enumerate(players):
        await post(api, cast, player, 100 - number, leaderboards=["arcade-best"])
    for number, player in enumerate(players):
        around = (await api.get(f"/api/v1/leaderboard/arcade-best/around/{player}/?limit={limit}")).json()
        expected = list(range(max(0, number - limit), min(len(players), number + limit + 1)))
        assert [(row["rank"], row["player"]) for row in around["entries"]] == [(place + 1, players[place]) for place in expected]


async def test_a_retry_gets_the_first_answer_byte_for_byte(api: httpx.AsyncClient, cast: Cast) -> None:
    first = await post(api, cast, "ada", 100, key="run-1")
    await post(api, cast, "bo", 500)
    await post(api, cast, "ada", 7)
    again = await post(api, cast, "ada", 100, key="run-1")
    assert again.status_code == 201
    assert again.content == first.content
    assert again.headers["Idempotency-Replayed"] == "true"
    assert await cast.count("gamesession") == 3


@pytest.mark.slow
async def test_a_thousand_retries_make_one_session_and_one_answer(api: httpx.AsyncClient, cast: Cast) -> None:
    gate = asyncio.Semaphore(20)

    async def retry() -> bytes:
        async with gate:
            response = await post(api, cast, "ada", 100, key="the-one")
            assert response.status_code == 201
            return response.content

    answers = await asyncio.gather(*(retry() for _ in range(1000)))
    assert len(set(answers)) == 1
    assert await cast.count("gamesession") == 1
    assert (await api.get("/api/v1/leaderboard/arcade-sum/rank/ada/")).json()["score"] == 100


@pytest.mark.parametrize(
    "change", [{"score": 101}, {"subscore": 1}, {"player": "bo"}, {"metadata": {"level": 2}}, {"leaderboards": ["arcade-sum"]}]
)
async def test_the_same_key_with_another_body_is_refused(api: httpx.AsyncClient, cast: Cast, change: dict[str, Any]) -> None:
    await post(api, cast, "ada", 100, key="run-1")
    body = {"player": "ada", "score": 100, **change}
    response = await api.post("/api/v1/scores/", json=body, headers=cast.auth | {"Idempotency-Key": "run-1"})
    assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")
    assert await cast.count("gamesession") == 1


async def test_two_credentials_may_use_the_same_idempotency_key(api: httpx.AsyncClient, cast: Cast) -> None:
    await post(api, cast, "ada", 100, key="run-1")
    other = {"Authorization": f"Api-Key {cast.rival_key}", "Idempotency-Key": "run-1"}
    response = await api.post("/api/v1/scores/", json={"player": "ada", "score": 3}, headers=other)
    assert response.status_code == 201
    assert [result["leaderboard"] for result in response.json()["results"]] == ["rival-best"]


async def test_a_batch_lands_its_good_items_and_names_the_bad(api: httpx.AsyncClient, cast: Cast) -> None:
    scores = [
        {"player": "ada", "score": 5},
        {"player": "bo", "score": "5"},
        {"player": "ada", "score": 6},
        {"player": "cy\u200b", "score": 6},
        {"score": 6},
        {"player": "ada", "score": 7, "leaderboards": ["nowhere"]},
    ]
    response = await api.post("/api/v1/scores/batch/", json={"scores": scores}, headers=cast.auth)
    assert response.status_code == 200
    results = response.json()["results"]
    codes = [result.get("error", {}).get("code") for result in results]
    assert codes == [None, "invalid_body", None, "invalid_player", "player_required", "leaderboard_not_found"]
    sums = [
        row["total_score"] for result in results if "results" in result for row in result["results"] if row["leaderboard"] == "arcade-sum"
    ]
    assert sums == [5, 11]
    assert await cast.count("gamesession") == 2


async def test_a_retried_batch_counts_nothing_twice(api: httpx.AsyncClient, cast: Cast) -> None:
    scores = [{"player": f"p{number % 3}", "score": number} for number in range(40)]
    headers = cast.auth | {"Idempotency-Key": "evening"}
    first = await api.post("/api/v1/scores/batch/", json={"scores": scores}, headers=headers)
    again = await api.post("/api/v1/scores/batch/", json={"scores": scores}, headers=headers)
    assert again.json() == first.json()
    assert await cast.count("gamesession") == 40


async def test_a_mode_feeds_its_own_boards_and_the_blank_ones(api: httpx.AsyncClient, cast: Cast) -> None:
    fed = (await post(api, cast, "ada", 3, game_mode="casual")).json()["results"]
    assert [row["leaderboard"] for row in fed] == ["arcade-best", "arcade-count", "arcade-sum"]
    assert next(row for row in fed if row["leaderboard"] == "arcade-count")["total_score"] == 1


async def test_a_daily_board_says_its_season(api: httpx.AsyncClient, cast: Cast) -> None:
    body = (await post(api, cast, "ada", 3, game_mode="daily", leaderboards=["arcade-daily"])).json()
    assert body["results"][0]["season"] == body["timestamp"][:10] + "T00:00:00Z"
    past = await api.get("/api/v1/leaderboard/arcade-daily/top/?season=previous")
    assert (past.json()["total"], past.json()["entries"]) == (0, [])


async def test_a_board_made_a_moment_ago_is_fed_and_found(api: httpx.AsyncClient, cast: Cast) -> None:
    await post(api, cast, "ada", 1)
    await cast.board("arcade-new", operator="best")
    assert "arcade-new" in [row["leaderboard"] for row in (await post(api, cast, "ada", 2)).json()["results"]]
    assert (await api.get("/api/v1/leaderboard/arcade-new/top/")).json()["total"] == 1


async def test_a_board_made_a_moment_ago_can_be_read(api: httpx.AsyncClient, cast: Cast) -> None:
    assert (await api.get("/api/v1/leaderboard/arcade-best/top/")).status_code == 200
    await cast.board("arcade-newer", operator="best")
    assert (await api.get("/api/v1/leaderboard/arcade-newer/top/")).json()["total"] == 0
    assert (await post(api, cast, "ada", 2, leaderboards=["arcade-newer"])).status_code == 201


async def test_an_expired_key_is_refused(api: httpx.AsyncClient, cast: Cast) -> None:
    await cast.sql("UPDATE leaderboard_apikey SET expires_at = '2026-01-02 00:00:00+00:00' WHERE prefix = $1", cast.key[:11])
    response = await post(api, cast, "ada", 2)
    assert (response.status_code, response.json()["code"]) == (401, "not_authenticated")


async def test_a_revoked_key_stops_at_once_for_writes(api: httpx.AsyncClient, cast: Cast) -> None:
    await post(api, cast, "ada", 1)
    await cast.sql("UPDATE leaderboard_apikey SET revoked_at = '2026-01-02 00:00:00+00:00' WHERE prefix = $1", cast.key[:11])
    await cast.services.catalogs.refresh()
    response = await post(api, cast, "ada", 2)
    assert (response.status_code, response.json()["code"]) == (401, "not_authenticated")
