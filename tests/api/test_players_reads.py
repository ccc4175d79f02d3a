"""One player: on all leaderboards, play by play, and the plays that made its entry better."""

import json
import random
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from leaderboard import runtime
from leaderboard.services import Services, careers
from leaderboard.services.checking import Asked
from leaderboard.services.credentials import Credential
from leaderboard.store import Player
from tests.cast import Cast

BEST, SUM, LATEST, DAILY, RIVAL = "arcade-best", "arcade-sum", "arcade-latest", "arcade-daily", "rival-best"


async def play(cast: Cast, player: str, score: int, *boards: str, now: datetime | None = None, game: str = "arcade", **more: Any) -> int:
    """The id of the session."""
    credential = Credential("key:1", cast.games[game], None, ("scores:write",))
    asked = Asked(score=score, player=player, leaderboards=list(boards) or None, **more)
    answer = await cast.services.submits.submit(asked, credential=credential, now=now or runtime.utc_now())
    return int(json.loads(answer.body)["session_id"])


async def get(api: httpx.AsyncClient, path: str, status: int = 200, **headers: str) -> dict[str, Any]:
    answer = await api.get(path, headers=headers)
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    return body


def of(player: str, what: str, **asked: Any) -> str:
    return f"/api/v1/players/{quote(player, safe='')}/{what}/?{httpx.QueryParams(asked)}"


async def token_of(cast: Cast, player: str, game: str = "arcade") -> str:
    found = (await cast.services.players.known([player]))[player]
    return f"Bearer {cast.services.tokens.access(found, game_id=cast.games[game], now=runtime.utc_now())}"


# --- On all leaderboards -------------------------------------------------------------------------------------------------


@pytest.fixture
async def everywhere(cast: Cast) -> Cast:
    for player, score in (("ada", 30), ("bo", 40), ("a/standings", 30)):
        await play(cast, player, score)
        await play(cast, player, score, game_mode="daily")
        await play(cast, player, score, game="rival")
    return cast


@pytest.mark.parametrize("player", ["ada", "a/standings"])
async def test_a_players_standings_are_its_rows_on_every_board(
    api: httpx.AsyncClient, everywhere: Cast, services: Services, player: str
) -> None:
    await services.upkeep.sweep(now=runtime.utc_now())
    warm = await get(api, of(player, "standings"))
    assert (warm["player"], warm["name"]) == (player, player)
    assert [row["leaderboard"] for row in warm["standings"]] == [BEST, DAILY, SUM, RIVAL]
    for row in warm["standings"]:
        alone = await get(api, f"/api/v1/leaderboard/{row['leaderboard']}/rank/{quote(player, safe='')}/")
        assert row == {key: alone[key] for key in row}
        assert row.keys() >= {"season", "rank", "score", "subscore", "total", "percentile", "submissions", "achieved_at"}
    boards = await services.index.boards()
    await services.index.forget(boards[:2])
    assert await get(api, of(player, "standings")) == warm, "some boards by SQL"
    await services.index.forget(boards)
    assert await get(api, of(player, "standings")) == warm, "all of them"


async def test_many_boards_are_asked_for_by_parts(
    api: httpx.AsyncClient, everywhere: Cast, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    await services.upkeep.sweep(now=runtime.utc_now())
    whole = await get(api, of("ada", "standings"))
    monkeypatch.setattr(careers, "BOARDS_AT_ONCE", 2)
    assert await get(api, of("ada", "standings")) == whole


async def test_standings_are_of_a_game_if_one_is_named_and_of_the_present_season(api: httpx.AsyncClient, everywhere: Cast) -> None:
    answer = await get(api, of("ada", "standings", game="rival"))
    assert [row["leaderboard"] for row in answer["standings"]] == [RIVAL]
    await play(everywhere, "cy", 5, DAILY, game_mode="daily", now=runtime.utc_now() - timedelta(days=2))
    for path in (of("ada", "standings", game="nowhere"), of("nobody", "standings"), of("cy", "standings"), of("\0", "standings")):
        assert (await get(api, path, 404))["code"] == "not_ranked"


async def test_private_boards_are_told_to_their_game_only_and_nobody_learns_who_plays_there(
    api: httpx.AsyncClient, everywhere: Cast
) -> None:
    await play(everywhere, "secret", 5, BEST)
    await everywhere.sql("UPDATE leaderboard_leaderboard SET is_public = false WHERE slug <> $1", SUM)
    await everywhere.services.catalogs.refresh()

    async def boards(**headers: str) -> list[str]:
        return [row["leaderboard"] for row in (await get(api, of("ada", "standings"), **headers))["standings"]]

    assert await boards() == [SUM]
    assert await boards(Authorization=f"Api-Key {everywhere.key}") == [BEST, DAILY, SUM]
    assert await boards(Authorization=f"Api-Key {everywhere.rival_key}") == [SUM, RIVAL]
    best = (await everywhere.services.standings.find(BEST)).definition.id
    ticket = everywhere.services.tokens.ticket(game_id=everywhere.games["arcade"], boards=[best], now=runtime.utc_now())
    assert await boards(Authorization=f"Ticket {ticket}") == [BEST, SUM]
    await get(api, of("ada", "standings"), 401, Authorization="Api-Key nonsense")
    hidden, unknown = [await get(api, of(player, "standings"), 404) for player in ("secret", "nobody")]
    assert hidden["detail"].replace("secret", "nobody") == unknown["detail"]


# --- Play by play --------------------------------------------------------------------------------------------------------


async def test_plays_are_told_the_newest_first_by_pages(api: httpx.AsyncClient, cast: Cast) -> None:
    chance, now, ids = random.Random(1), runtime.utc_now(), []
    for number in range(9):
        await play(cast, "bo", 1)
        ids.append(await play(cast, "ada", number, BEST, now=now + timedelta(microseconds=number // 3 * 500_000), metadata={"n": number}))
        await play(cast, "ada", 1, game="rival", now=now + timedelta(seconds=chance.random()))
    told: list[int] = []
    before: dict[str, int] = {}
    while True:
        page = await get(api, of("ada", "sessions", limit=2, **before), **cast.auth)
        told += [row["session_id"] for row in page["sessions"]]
        if page["before"] is None:
            break
        before = {"before": page["before"]}
    assert told == ids[::-1]
    first = (await get(api, of("ada", "sessions", limit=1), **cast.auth))["sessions"][0]
    assert first.keys() == {"session_id", "score", "subscore", "game_mode", "metadata", "timestamp"}
    assert (first["score"], first["metadata"]) == (8, {"n": 8})
    assert (await get(api, of("ada", "sessions", before=ids[0]), **cast.auth))["sessions"] == []


async def test_plays_are_read_by_their_game_and_by_the_player_alone(api: httpx.AsyncClient, cast: Cast) -> None:
    mine = await play(cast, "ada", 5, BEST)
    theirs = await play(cast, "bo", 5, game="rival")
    await cast.api_key("arcade", "gl_arcade02_writes-only", ["scores:write"])
    own, others = await token_of(cast, "ada"), await token_of(cast, "bo")
    ticket = cast.services.tokens.ticket(game_id=cast.games["arcade"], boards=None, now=runtime.utc_now())
    path = of("ada", "sessions")
    for status, code, authorization in [
        (200, None, f"Api-Key {cast.read_only_key}"),
        (200, None, own),
        (401, "not_authenticated", ""),
        (403, "forbidden", "Api-Key gl_arcade02_writes-only"),
        (403, "forbidden", others),
        (403, "forbidden", f"Ticket {ticket}"),
        (404, "not_ranked", f"Api-Key {cast.rival_key}"),
        (404, "not_ranked", await token_of(cast, "ada", "rival")),
    ]:
        answer = await get(api, path, status, **({"Authorization": authorization} if authorization else {}))
        assert answer.get("code") == code
    assert [row["session_id"] for row in (await get(api, path, 200, Authorization=own))["sessions"]] == [mine]
    unknown, rivals = [await get(api, of(player, "sessions"), 404, **cast.auth) for player in ("nobody", "bo")]
    assert rivals["detail"].replace("bo", "nobody") == unknown["detail"]
    for player, before in (("ada", theirs), ("ada", 10**6), ("bo", theirs), ("nobody", mine), ("ada", "x"), ("ada", "")):
        assert (await get(api, of(player, "sessions", before=before), 400, **cast.auth))["code"] == "invalid_parameter"
    assert (await get(api, of("ada", "sessions", limit=1001), 400, **cast.auth))["code"] == "invalid_parameter"


async def test_a_user_of_the_site_is_no_games(cast: Cast) -> None:
    user = Credential("user:5", None, Player(5, "ada", "Ada"), ("scores:write",))
    with pytest.raises(careers.NotAuthenticated):
        await cast.services.careers.sessions("ada", credential=user, limit=1, before=None)


# --- How an entry became what it is ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("board", [BEST, SUM, LATEST])
async def test_the_history_is_what_submits_were_told_to_have_improved(api: httpx.AsyncClient, cast: Cast, board: str) -> None:
    chance, improved = random.Random(board), []
    more = {"game_mode": "contest"} if board == LATEST else {}
    credential = Credential("key:1", cast.games["arcade"], None, ("scores:write",))
    for _ in range(20):
        asked = Asked(score=chance.randrange(8), subscore=chance.randrange(3), player="ada", **more)
        answer = json.loads((await cast.services.submits.submit(asked, credential=credential, now=runtime.utc_now())).body)
        result = next(each for each in answer["results"] if each["leaderboard"] == board)
        if result["improved"]:
            improved.append({"session_id": answer["session_id"], "score": result["total_score"], "subscore": result["subscore"]})
        await play(cast, "bo", 50)
    answer = await get(api, of("ada", "history", leaderboard=board))
    assert [{key: row[key] for key in ("session_id", "score", "subscore")} for row in answer["history"]] == improved
    assert (answer["player"], answer["leaderboard"], answer["complete"]) == ("ada", board, True)
    some = await get(api, of("ada", "history", leaderboard=board, limit=2))
    assert some["history"] == answer["history"][-2:]


async def test_plays_that_can_not_have_come_in_are_no_history(api: httpx.AsyncClient, cast: Cast) -> None:
    """Of another game, mode or season, out of bounds, or better than the entry of a best board: then it named other boards."""
    now = runtime.utc_now()
    await play(cast, "ada", 900, DAILY, game_mode="daily", now=now - timedelta(days=1))
    first = await play(cast, "ada", 10, DAILY, game_mode="daily", now=now)
    await play(cast, "ada", 20, BEST, game_mode="daily", now=now)
    await play(cast, "ada", 11, game_mode="other", now=now)
    await play(cast, "ada", 12, game="rival", now=now, game_mode="daily")
    last = await play(cast, "ada", 15, DAILY, game_mode="daily", now=now)
    told = (await get(api, of("ada", "history", leaderboard=DAILY)))["history"]
    assert [(row["session_id"], row["score"]) for row in told] == [(first, 10), (last, 15)]
    past = await get(api, of("ada", "history", leaderboard=DAILY, season="previous"))
    assert [row["score"] for row in past["history"]] == [900]
    await cast.sql("UPDATE leaderboard_leaderboard SET min_score = 12 WHERE slug = $1", DAILY)
    await cast.services.catalogs.refresh()
    assert [row["score"] for row in (await get(api, of("ada", "history", leaderboard=DAILY)))["history"]] == [15]


async def test_what_a_player_sent_itself_is_no_history_of_an_authoritative_board(api: httpx.AsyncClient, cast: Cast) -> None:
    await play(cast, "ada", 5)
    ada = (await cast.services.players.known(["ada"]))["ada"]
    own = Credential(f"user:{ada.id}", cast.games["arcade"], ada, ("scores:write",))
    await cast.services.submits.submit(Asked(score=6), credential=own, now=runtime.utc_now())
    await play(cast, "ada", 7)
    for authoritative, scores in ((False, [5, 6, 7]), (True, [5, 7])):
        await cast.sql("UPDATE leaderboard_leaderboard SET authoritative = $1 WHERE slug = $2", authoritative, BEST)
        await cast.services.catalogs.refresh()
        assert [row["score"] for row in (await get(api, of("ada", "history", leaderboard=BEST)))["history"]] == scores


async def test_the_history_begins_at_a_moderators_word(api: httpx.AsyncClient, cast: Cast) -> None:
    ids = [await play(cast, "ada", score, BEST) for score in (5, 30, 40)]
    board = (await cast.services.standings.find(BEST)).definition.id
    user = (await cast.services.players.known(["ada"]))["ada"].id
    for score, told in ((29, [30, 40]), (30, [40]), (None, [30, 40])):
        await cast.sql(
            "INSERT INTO leaderboard_entryedit (leaderboard_id, season, user_id, until_session, total_score, subscore, reason, actor,"
            " created_at) VALUES ($1, 0, $2, $3, $4, 0, '', 'user:1', '2026-01-01 00:00:00+00:00')",
            board, user, ids[0], score,
        )  # fmt: skip
        assert [row["score"] for row in (await get(api, of("ada", "history", leaderboard=BEST)))["history"]] == told


async def test_a_history_that_is_too_long_says_that_it_is_not_complete(
    api: httpx.AsyncClient, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    for score in range(1, 5):
        await play(cast, "ada", score, BEST)
    for most, complete, scores in ((4, True, [1, 2, 3, 4]), (3, False, [1, 2, 3])):
        monkeypatch.setattr(careers, "PLAYS_READ", most)
        answer = await get(api, of("ada", "history", leaderboard=BEST))
        assert (answer["complete"], [row["score"] for row in answer["history"]]) == (complete, scores)


async def test_a_history_needs_what_its_board_needs(api: httpx.AsyncClient, cast: Cast) -> None:
    await play(cast, "ada", 5, BEST)
    await play(cast, "bo", 5, SUM)
    for path, status, code in [
        (of("ada", "history"), 400, "invalid_parameter"),
        (of("ada", "history", leaderboard=BEST, limit=0), 400, "invalid_parameter"),
        (of("ada", "history", leaderboard="nowhere"), 404, "leaderboard_not_found"),
        (of("ada", "history", leaderboard=BEST, season="nonsense"), 404, "season_not_found"),
        (of("bo", "history", leaderboard=BEST), 404, "not_ranked"),
        (of("nobody", "history", leaderboard=BEST), 404, "not_ranked"),
    ]:
        assert (await get(api, path, status))["code"] == code
    await cast.sql("UPDATE leaderboard_leaderboard SET is_public = false WHERE slug = $1", BEST)
    await cast.services.catalogs.refresh()
    path = of("ada", "history", leaderboard=BEST)
    await get(api, path, 401)
    await get(api, path, 404, Authorization=f"Api-Key {cast.rival_key}")
    assert len((await get(api, path, 200, **cast.auth))["history"]) == 1
