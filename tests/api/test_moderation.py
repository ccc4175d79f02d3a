"""Moderators over REST: an entry is edited or removed in SQL, in the index and for watchers; who may, and what is kept of it."""

from typing import Any

import httpx
import pytest

from leaderboard import runtime
from leaderboard.services import Services
from tests.cast import Cast

TOP = "/api/v1/leaderboard/arcade-best/top/"
EDITS = "/api/v1/leaderboard/arcade-best/edits/"
MODERATOR = "gl_modera00_takes-care-of-players"
BY_MODERATOR = {"Authorization": f"Api-Key {MODERATOR}"}


def entry(player: str, board: str = "arcade-best") -> str:
    return f"/api/v1/leaderboard/{board}/entries/{player}/"


@pytest.fixture
async def played(api: httpx.AsyncClient, cast: Cast, services: Services, orm: None) -> Cast:
    """Ada leads with 30, then Bo with 20 and Cy with 10; the index is whole."""
    await cast.api_key("arcade", MODERATOR, ["players:admin"])
    for player, score in [("ada", 30), ("bo", 20), ("cy", 10)]:
        assert (await submit(api, cast, player, score))["rank"]
    await services.upkeep.sweep(now=runtime.utc_now())
    return cast


async def submit(api: httpx.AsyncClient, cast: Cast, player: str, score: int, board: str = "arcade-best") -> dict[str, Any]:
    body = {"player": player, "score": score, "leaderboards": [board]}
    answer = await api.post("/api/v1/scores/", json=body, headers=cast.auth)
    assert answer.status_code == 201, answer.text
    result: dict[str, Any] = answer.json()["results"][0]
    return result


async def rows(api: httpx.AsyncClient, path: str = TOP) -> list[tuple[int, str, int]]:
    return [(row["rank"], row["player"], row["score"]) for row in (await api.get(path)).json()["entries"]]


async def drift(services: Services, slug: str = "arcade-best") -> list[object]:
    board = (await services.upkeep.indexed_boards(now=runtime.utc_now(), slug=slug))[0]
    return list(await services.upkeep.check(board))


async def board_id(cast: Cast, slug: str = "arcade-best") -> int:
    found: int = (await cast.sql("SELECT id FROM leaderboard_leaderboard WHERE slug = $1", slug))[0][0]
    return found


async def test_an_edited_entry_moves_everywhere(api: httpx.AsyncClient, played: Cast, services: Services) -> None:
    answer = await api.patch(entry("ada"), json={"score": 15, "reason": "a cheat"}, headers=BY_MODERATOR)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["leaderboard"], told["season"], told["player"]) == ("arcade-best", "all-time", "ada")
    assert (told["score"], told["subscore"], told["reason"]) == (15, 0, "a cheat")
    assert (told["before"]["score"], told["actor"].partition(":")[0]) == (30, "key")
    assert await rows(api) == [(1, "bo", 20), (2, "ada", 15), (3, "cy", 10)]
    assert await drift(services) == []


async def test_a_removed_entry_is_gone_everywhere(api: httpx.AsyncClient, played: Cast, services: Services) -> None:
    answer = await api.delete(entry("ada"), params={"reason": "a bot"}, headers=BY_MODERATOR)
    assert (answer.status_code, answer.json()["score"], answer.json()["reason"]) == (200, None, "a bot")
    assert await rows(api) == [(1, "bo", 20), (2, "cy", 10)]
    assert (await api.get("/api/v1/leaderboard/arcade-best/rank/ada/")).json()["code"] == "not_ranked"
    assert await drift(services) == []


async def test_who_watches_is_told_of_it(api: httpx.AsyncClient, played: Cast, services: Services) -> None:
    leaderboard = await board_id(played)
    await services.live.update_dirty(now=runtime.utc_now())
    before = await services.live.state(leaderboard)
    await api.delete(entry("ada"), headers=BY_MODERATOR)
    await services.live.update_dirty(now=runtime.utc_now())
    after = await services.live.state(leaderboard)
    assert (after.epoch, after.offset) == (before.epoch, before.offset + 1)
    assert [row["player"] for row in after.rows] == ["bo", "cy"]


@pytest.mark.parametrize(
    ("board", "earned", "held"), [("arcade-best", 5, 15), ("arcade-best", 16, 16), ("arcade-sum", 5, 20)], ids=["worse", "better", "a sum"]
)
async def test_the_next_score_meets_the_edited_value(
    api: httpx.AsyncClient, played: Cast, services: Services, board: str, earned: int, held: int
) -> None:
    await submit(api, played, "ada", 30, board)
    await services.upkeep.sweep(now=runtime.utc_now())
    await api.patch(entry("ada", board), json={"score": 15, "reason": ""}, headers=BY_MODERATOR)
    assert (await submit(api, played, "ada", earned, board))["total_score"] == held
    assert await drift(services, board) == []


async def test_a_removed_player_may_earn_an_entry_anew(api: httpx.AsyncClient, played: Cast, services: Services) -> None:
    for score in (31, 32):
        await submit(api, played, "ada", score)
    await api.delete(entry("ada"), headers=BY_MODERATOR)
    result = await submit(api, played, "ada", 12)
    assert (result["rank"], result["previous_rank"], result["total_score"]) == (2, None, 12)
    assert await rows(api) == [(1, "bo", 20), (2, "ada", 12), (3, "cy", 10)]
    assert await drift(services) == []


async def test_a_late_write_does_not_bring_back_what_was_removed(api: httpx.AsyncClient, played: Cast, services: Services) -> None:
    """Another process committed a score, and reaches the index after a moderator took the entry off."""
    for score in (31, 32):
        await submit(api, played, "ada", score)
    board = (await services.upkeep.indexed_boards(now=runtime.utc_now(), slug="arcade-best"))[0]
    player = await services.players.named("ada")
    late = await services.store.entry(board, player.id)
    assert late is not None
    await api.delete(entry("ada"), headers=BY_MODERATOR)
    placed = (await services.index.place({board: [late]}))[board]
    assert placed is not None
    assert (placed.places[0].rank, placed.total) == (1, 2)  # the rank that it would have
    assert await rows(api) == [(1, "bo", 20), (2, "cy", 10)]
    await submit(api, played, "ada", 12)
    await services.index.place({board: [late]})
    assert await rows(api) == [(1, "bo", 20), (2, "ada", 12), (3, "cy", 10)]
    assert await drift(services) == []


async def test_a_late_write_does_not_bring_back_what_was_edited(api: httpx.AsyncClient, played: Cast, services: Services) -> None:
    board = (await services.upkeep.indexed_boards(now=runtime.utc_now(), slug="arcade-best"))[0]
    late = await services.store.entry(board, (await services.players.named("ada")).id)
    assert late is not None
    await api.patch(entry("ada"), json={"score": 1, "reason": ""}, headers=BY_MODERATOR)
    await services.index.place({board: [late]})
    assert await rows(api) == [(1, "bo", 20), (2, "cy", 10), (3, "ada", 1)]


async def test_edits_are_kept_with_who_and_why(api: httpx.AsyncClient, played: Cast) -> None:
    await api.patch(entry("ada"), json={"score": 15, "subscore": 3, "reason": "a typo"}, headers=BY_MODERATOR)
    await api.delete(entry("ada"), params={"reason": "a bot"}, headers=BY_MODERATOR)
    trail = (await api.get(EDITS, headers=BY_MODERATOR)).json()["edits"]
    assert [(edit["player"], edit["score"], edit["subscore"], edit["before"]["score"], edit["reason"]) for edit in trail] == [
        ("ada", None, None, 15, "a bot"),
        ("ada", 15, 3, 30, "a typo"),
    ]
    assert [edit["score"] for edit in (await api.get(EDITS, params={"limit": 1}, headers=BY_MODERATOR)).json()["edits"]] == [None]


async def test_an_edit_covers_the_sessions_up_to_it(api: httpx.AsyncClient, played: Cast) -> None:
    """What a recomputation from sessions relies on."""
    await api.delete(entry("ada"), headers=BY_MODERATOR)
    last = await played.sql("SELECT max(id) FROM leaderboard_gamesession")
    assert await played.sql("SELECT until_session FROM leaderboard_entryedit") == last


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"score": 2**53}, 422, "score_out_of_range"),
        ({"subscore": -(2**53)}, 422, "score_out_of_range"),
        ({"score": 1.5}, 400, "invalid_body"),
        ({"reason": None}, 400, "invalid_body"),
        ({"reason": "x" * 501}, 400, "invalid_parameter"),
        ({"reason": "a\x00b"}, 400, "invalid_parameter"),
    ],
)
async def test_a_bad_edit_is_refused_and_changes_nothing(
    api: httpx.AsyncClient, played: Cast, change: dict[str, Any], status: int, code: str
) -> None:
    answer = await api.patch(entry("ada"), json={"score": 1, "reason": ""} | change, headers=BY_MODERATOR)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (await rows(api))[0] == (1, "ada", 30)
    assert await played.count("entryedit") == 0


@pytest.mark.parametrize("field", ["submissions", "rank", "session_id", "player", "actor", "leaderboard"])
async def test_mass_assignment_of_other_fields_is_refused(api: httpx.AsyncClient, played: Cast, field: str) -> None:
    """OWASP API3."""
    answer = await api.patch(entry("ada"), json={"score": 1, "reason": "", field: 1}, headers=BY_MODERATOR)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_body")
    assert (await rows(api))[0] == (1, "ada", 30)


@pytest.mark.parametrize("player", ["dee", "nobody", "a%00b"])
async def test_who_is_not_ranked_has_nothing_to_edit(api: httpx.AsyncClient, played: Cast, player: str) -> None:
    answer = await api.delete(entry(player), headers=BY_MODERATOR)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_ranked")


async def asked_all(api: httpx.AsyncClient, headers: dict[str, str], board: str = "arcade-best") -> set[tuple[int, str]]:
    answers = [
        await api.patch(entry("ada", board), json={"score": 1, "reason": ""}, headers=headers),
        await api.delete(entry("ada", board), headers=headers),
        await api.get(f"/api/v1/leaderboard/{board}/edits/", headers=headers),
    ]
    return {(answer.status_code, answer.json()["code"]) for answer in answers}


async def test_a_key_without_the_scope_does_not_moderate(api: httpx.AsyncClient, played: Cast) -> None:
    """OWASP API5: function level authorization."""
    assert await asked_all(api, played.auth) == {(403, "forbidden")}
    assert await asked_all(api, {}) == {(401, "not_authenticated")}
    assert (await rows(api))[0] == (1, "ada", 30)


async def test_a_player_does_not_moderate(api: httpx.AsyncClient, played: Cast, services: Services) -> None:
    """OWASP API5: not even its own entry."""
    token = services.tokens.access(await services.players.named("ada"), game_id=played.games["arcade"], now=runtime.utc_now())
    assert await asked_all(api, {"Authorization": f"Bearer {token}"}) == {(403, "forbidden")}


async def test_another_games_moderator_finds_no_such_board(api: httpx.AsyncClient, played: Cast) -> None:
    """OWASP API1: object level authorization. Told as of a board that is not there."""
    await played.api_key("rival", "gl_rivalmod_of-the-rival", ["players:admin"])
    headers = {"Authorization": "Api-Key gl_rivalmod_of-the-rival"}
    assert await asked_all(api, headers) == await asked_all(api, headers, "nowhere") == {(404, "leaderboard_not_found")}
    assert (await rows(api))[0] == (1, "ada", 30)


async def test_a_past_season_is_edited_without_touching_the_present_one(api: httpx.AsyncClient, played: Cast) -> None:
    season = "2026-01-01T00:00:00Z"
    await played.board("arcade-month", reset_schedule="monthly", game_mode="month")
    moved = "UPDATE leaderboard_leaderboardentry SET season = 1767225600, leaderboard_id = $1 WHERE total_score = 20"
    await played.sql(moved, await board_id(played, "arcade-month"))
    answer = await api.patch(entry("bo", "arcade-month"), params={"season": season}, json={"score": 7, "reason": ""}, headers=BY_MODERATOR)
    assert (answer.status_code, answer.json()["season"]) == (200, season)
    assert await rows(api, f"/api/v1/leaderboard/arcade-month/top/?season={season}") == [(1, "bo", 7)]
