"""Chosen entries, percentiles, what would be, and ranks that equals share: from the index and from SQL, held to the domain's order."""

import json
import random
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from leaderboard import runtime
from leaderboard.domain.ranking import percentile, points_to_pass
from leaderboard.domain.score import SCORE_LIMIT
from leaderboard.services import Services
from leaderboard.services.checking import Asked
from leaderboard.services.credentials import Credential
from tests.cast import Cast

BEST, SUM, LATEST, COUNT = "arcade-best", "arcade-sum", "arcade-latest", "arcade-count"
MODES = {LATEST: "contest", COUNT: "casual"}
NAMES = ["ada", "bo", "cy", "dee", "eve", "flo", "gil", "a/b", "ünï côde", "x,y", "top/rank", "%2F"]


def at(board: str, what: str, **asked: Any) -> str:
    return f"/api/v1/leaderboard/{board}/{what}/?{httpx.QueryParams(asked)}"


async def play(cast: Cast, player: str, score: int, subscore: int = 0, *, board: str = BEST) -> None:
    credential = Credential("key:1", cast.games["arcade"], None, ("scores:write",))
    asked = Asked(score=score, subscore=subscore, player=player, leaderboards=[board], game_mode=MODES.get(board, ""))
    await cast.services.submits.submit(asked, credential=credential, now=runtime.utc_now())


async def get(api: httpx.AsyncClient, path: str, status: int = 200, **headers: str) -> dict[str, Any]:
    answer = await api.get(path, headers=headers)
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def both(api: httpx.AsyncClient, services: Services, path: str, status: int = 200) -> dict[str, Any]:
    """What the index answers, which must be what SQL answers."""
    await services.upkeep.sweep(now=runtime.utc_now())
    warm = await get(api, path, status)
    await services.index.forget(await services.index.boards())
    cold = await get(api, path, status)
    hidden = {"request_id"}
    assert {key: value for key, value in cold.items() if key not in hidden} == {k: v for k, v in warm.items() if k not in hidden}
    return warm


@pytest.fixture
async def crowd(cast: Cast) -> Cast:
    """Two share each of six values; who came first is first."""
    for number, name in enumerate(NAMES):
        await play(cast, name, 100 - 10 * (number // 2), number % 4 // 2)
    return cast


def ranks(answer: dict[str, Any]) -> list[tuple[str, int]]:
    return [(row["player"], row["rank"]) for row in answer["entries"]]


async def everything(api: httpx.AsyncClient, board: str = BEST) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (await get(api, at(board, "top", limit=1000)))["entries"]
    return rows


# --- Entries of players --------------------------------------------------------------------------------------------------


async def test_friends_are_told_in_board_order_with_those_who_have_no_entry(
    api: httpx.AsyncClient, crowd: Cast, services: Services
) -> None:
    answer = await both(api, services, at(BEST, "entries", players="gil,nobody,ada,cy,ada,nobody,Ada"))
    assert [row for row in await everything(api) if row["player"] in ("gil", "ada", "cy")] == answer["entries"]
    assert (answer["missing"], answer["total"]) == (["nobody", "Ada"], len(NAMES))
    assert answer.keys() == {"leaderboard", "season", "epoch", "offset", "entries", "missing", "total"}


async def test_a_name_of_any_spelling_may_be_asked_for(api: httpx.AsyncClient, crowd: Cast, services: Services) -> None:
    names = "&".join(f"player={quote(name, safe='')}" for name in NAMES)
    answer = await both(api, services, f"/api/v1/leaderboard/{BEST}/entries/?{names}&players=ada,zoe%00")
    assert ranks(answer) == [(name, rank) for rank, name in enumerate(NAMES, 1)]
    assert answer["missing"] == ["zoe\0"]


async def test_friends_who_nobody_knows_and_boards_that_are_empty_have_no_entries(
    api: httpx.AsyncClient, cast: Cast, services: Services
) -> None:
    answer = await both(api, services, at(BEST, "entries", players="ada"))
    assert (answer["entries"], answer["missing"], answer["total"]) == ([], ["ada"], 0)
    await play(cast, "ada", 1, board=SUM)
    assert (await both(api, services, at(BEST, "entries", players="ada")))["missing"] == ["ada"]


NO_ENTRIES = [
    "", "limit=3", "players=", "players=a,,b", f"players={','.join('abcdefghij' * 10)},k", "players=a&rank_from=1&rank_to=2",
    "rank_from=1&rank_to=2&score_to=3", "rank_from=1", "rank_to=1", "rank_from=0&rank_to=2", "rank_from=3&rank_to=2",
    "rank_from=1&rank_to=1001", "rank_from=20000000&rank_to=20000001", "rank_from=x&rank_to=2", "score_from=5&score_to=4",
    f"score_from={-SCORE_LIMIT - 1}", f"score_to={SCORE_LIMIT + 1}", "score_from=1&limit=0", "score_from=1&limit=1001",
    "score_from=1&offset=-1", "score_from=1.5", "players=a&ranking=olympic",
    "players=a&limit=0", "rank_from=1&rank_to=2&offset=x", "&".join(["player=a"] * 201),
]  # fmt: skip


async def test_what_entries_can_not_be_asked_for_is_refused(api: httpx.AsyncClient, cast: Cast) -> None:
    for query in NO_ENTRIES:
        assert (await get(api, f"/api/v1/leaderboard/{BEST}/entries/?{query}", 400))["code"] == "invalid_parameter", query


# --- Entries of ranges ---------------------------------------------------------------------------------------------------


async def test_a_range_of_ranks_is_that_part_of_the_board(api: httpx.AsyncClient, crowd: Cast, services: Services) -> None:
    for first, last in [(1, 1), (2, 5), (12, 12), (11, 20), (13, 14), (1, 1000)]:
        answer = await both(api, services, at(BEST, "entries", rank_from=first, rank_to=last))
        assert answer["entries"] == (await everything(api))[first - 1 : last]
        assert answer["total"] == len(NAMES)


SCORE_RANGES: list[dict[str, int]] = [
    {"score_from": 60, "score_to": 80},
    {"score_from": 61, "score_to": 79},
    {"score_from": 80},
    {"score_to": 50},
    {"score_from": 101},
    {"score_from": 80, "score_to": 80, "limit": 1, "offset": 1},
    {"score_to": 100, "offset": 13},
    {"score_from": -SCORE_LIMIT, "score_to": SCORE_LIMIT, "limit": 7, "offset": 3},
]


@pytest.mark.parametrize("sort_order", ["desc", "asc"])
async def test_a_range_of_scores_is_meant_in_scores_whatever_the_order(
    api: httpx.AsyncClient, cast: Cast, services: Services, sort_order: str
) -> None:
    await cast.board("range", sort_order=sort_order)
    for number, name in enumerate(NAMES):
        await play(cast, name, 100 - 10 * (number // 2), board="range")
    for asked in SCORE_RANGES:
        answer = await both(api, services, at("range", "entries", **asked))
        low, high = asked.get("score_from", -SCORE_LIMIT), asked.get("score_to", SCORE_LIMIT)
        inside = [row for row in await everything(api, "range") if low <= row["score"] <= high]
        offset = asked.get("offset", 0)
        assert answer["entries"] == inside[offset : offset + asked.get("limit", 10)]


# --- Percentiles ---------------------------------------------------------------------------------------------------------


async def test_there_is_one_percentile(api: httpx.AsyncClient, crowd: Cast, services: Services) -> None:
    """That of `rank`, whether it is asked for by player, by score, or for the row at which it begins."""
    for row in await everything(api):
        path = quote(row["player"], safe="")
        by_rank = await get(api, f"/api/v1/leaderboard/{BEST}/rank/{path}/")
        assert await get(api, at(BEST, "percentile", player=row["player"])) == by_rank
        begins = await get(api, at(BEST, "percentile", percentile=f"{by_rank['percentile']:.2f}"))
        assert begins == by_rank
    await both(api, services, at(BEST, "percentile", player="bo"))


async def test_a_percentile_begins_at_a_row(api: httpx.AsyncClient, crowd: Cast, services: Services) -> None:
    for wanted, rank in [("100", 1), ("91.67", 2), ("91.68", 1), ("90", 2), ("50", 7), ("8.33", 12), ("0", 12), ("0.00", 12)]:
        answer = await both(api, services, at(BEST, "percentile", percentile=wanted))
        assert (answer["rank"], answer["player"], answer["total"]) == (rank, NAMES[rank - 1], 12)


async def test_a_board_of_one_is_all_percentiles_and_an_empty_one_has_none(api: httpx.AsyncClient, cast: Cast, services: Services) -> None:
    assert (await both(api, services, at(BEST, "percentile", percentile="50"), 404))["code"] == "not_ranked"
    assert (await both(api, services, at(BEST, "percentile", score=5)))["percentile"] == 100
    await play(cast, "ada", 5)
    for wanted in ("0", "50", "100"):
        assert (await both(api, services, at(BEST, "percentile", percentile=wanted)))["player"] == "ada"
    told = {score: (await both(api, services, at(BEST, "percentile", score=score)))["percentile"] for score in (4, 5, 6)}
    assert told == {4: 50, 5: 50, 6: 100}


NO_PERCENTILE = [
    ("", 400, "invalid_parameter"),
    ("player=ada&score=5", 400, "invalid_parameter"),
    ("percentile=101", 400, "invalid_parameter"),
    ("percentile=-1", 400, "invalid_parameter"),
    ("percentile=12.345", 400, "invalid_parameter"),
    ("percentile=nan", 400, "invalid_parameter"),
    ("score=5&subscore=x", 400, "invalid_parameter"),
    ("player=ada&subscore=5", 400, "invalid_parameter"),
    (f"score={SCORE_LIMIT + 1}", 422, "score_out_of_range"),
    ("player=nobody", 404, "not_ranked"),
    ("score=5&season=yesterday", 404, "season_not_found"),
]


async def test_what_percentile_can_not_be_asked_for_is_refused(api: httpx.AsyncClient, cast: Cast) -> None:
    for query, status, code in NO_PERCENTILE:
        assert (await get(api, f"/api/v1/leaderboard/{BEST}/percentile/?{query}", status))["code"] == code


# --- What if -------------------------------------------------------------------------------------------------------------


async def test_what_would_be_is_told_and_nothing_is_written(api: httpx.AsyncClient, crowd: Cast, services: Services) -> None:
    counts = [await crowd.count(table) for table in ("gamesession", "leaderboardentry")]
    answer = await both(api, services, at(BEST, "what_if", score=80))
    head = {key: answer.pop(key) for key in ("leaderboard", "season", "epoch", "offset")}
    assert (head["leaderboard"], head["season"]) == (BEST, "all-time")
    assert answer == {
        "score": 80, "subscore": 0, "rank": 7, "total": 13, "percentile": percentile(7, 13),
        "next": {"rank": 6, "player": "flo", "name": "flo", "score": 80, "subscore": 0, "points": 1},
    }  # fmt: skip
    assert [await crowd.count(table) for table in ("gamesession", "leaderboardentry")] == counts


@pytest.mark.slow
@pytest.mark.parametrize("board", [BEST, SUM, LATEST, COUNT])
async def test_what_would_be_is_what_is_after_the_submit(api: httpx.AsyncClient, cast: Cast, services: Services, board: str) -> None:
    """For every operator: then the score is submitted, and the player stands where it was told."""
    chance = random.Random(board)
    for _ in range(25):
        player, score, subscore = chance.choice(NAMES), chance.randrange(6), chance.randrange(-2, 3)
        told = await both(api, services, at(board, "what_if", score=score, subscore=subscore, player=player))
        rows = await everything(api, board)
        before = next((row for row in rows if row["player"] == player), None)
        await play(cast, player, score, subscore, board=board)
        rows = await everything(api, board)
        row = next(row for row in rows if row["player"] == player)
        assert (told["rank"], told["score"], told["subscore"], told["total"]) == (row["rank"], row["score"], row["subscore"], len(rows))
        ahead = rows[row["rank"] - 2] if row["rank"] > 1 else None
        sign = 1 if board == LATEST else -1
        keys = [(-each["score"], sign * each["subscore"]) for each in (row, ahead or row)]
        assert (told["next"] is None) == (ahead is None)
        if told["next"] is not None and ahead is not None:
            points = points_to_pass(keys[0], keys[1])
            assert told["next"] == {key: ahead[key] for key in ("rank", "player", "name", "score", "subscore")} | {"points": points}
        was = None if before is None else (-before["score"], sign * before["subscore"])
        assert told["would_improve"] == (was is None or keys[0] < was)


async def test_no_points_pass_the_largest_score(api: httpx.AsyncClient, cast: Cast, services: Services) -> None:
    for largest, points in ((SCORE_LIMIT - 1, 1), (SCORE_LIMIT, None)):
        await play(cast, "ada", largest)
        answer = await both(api, services, at(BEST, "what_if", score=largest))
        assert (answer["rank"], answer["next"]["points"]) == (2, points)


NO_SUBMIT = [
    (BEST, "", 400, "invalid_parameter"),
    (BEST, "score=one", 400, "invalid_parameter"),
    (BEST, "score=-1", 422, "score_out_of_range"),
    ("arcade-bounded", "score=1001", 422, "score_out_of_range"),
    ("arcade-bounded", "score=9&player=ada", 422, "score_out_of_range"),
    (BEST, "score=9&player=", 400, "invalid_player"),
    (BEST, "score=9&player=..", 400, "invalid_player"),
    (BEST, f"score=1&subscore={SCORE_LIMIT + 1}", 422, "score_out_of_range"),
    (SUM, "score=1&player=ada", 422, "total_out_of_range"),
    ("nowhere", "score=1", 404, "leaderboard_not_found"),
]


async def test_what_could_not_be_submitted_would_not_be(api: httpx.AsyncClient, cast: Cast) -> None:
    await play(cast, "ada", SCORE_LIMIT, board=SUM)
    for board, query, status, code in NO_SUBMIT:
        assert (await get(api, f"/api/v1/leaderboard/{board}/what_if/?{query}", status))["code"] == code


# --- Ranks that equals share ---------------------------------------------------------------------------------------------


def shared(rows: list[dict[str, Any]], ranking: str) -> dict[str, int]:
    """By hand: how many are better, or how many different values are."""
    values = {row["player"]: (-row["score"], -row["subscore"]) for row in rows}
    better = {player: [other for other in values.values() if other < value] for player, value in values.items()}
    return {player: 1 + len(found if ranking == "competition" else set(found)) for player, found in better.items()}


@pytest.mark.slow
@pytest.mark.parametrize("ranking", ["competition", "dense"])
async def test_equals_share_a_rank_in_every_read(api: httpx.AsyncClient, crowd: Cast, services: Services, ranking: str) -> None:
    await play(crowd, "late", 100)
    await play(crowd, "last", 0)
    rows = await everything(api)
    expected = shared(rows, ranking)
    reads = [at(BEST, "top", ranking=ranking, limit=limit, offset=offset) for limit, offset in [(20, 0), (3, 1), (2, 4), (1, 13), (5, 14)]]
    reads += [f"/api/v1/leaderboard/{BEST}/around/{name}/?limit=2&ranking={ranking}" for name in ("ada", "cy", "late", "last")]
    reads += [
        at(BEST, "entries", players="late,bo,gil,last", ranking=ranking),
        at(BEST, "entries", rank_from=2, rank_to=6, ranking=ranking),
    ]
    reads += [at(BEST, "entries", score_from=70, score_to=90, ranking=ranking, offset=1)]
    for path in reads:
        answer, plain = await both(api, services, path), await get(api, path.replace(ranking, "ordinal"))
        assert answer.pop("ranking") == ranking
        for row in answer["entries"]:
            assert row["rank"] == expected[row["player"]], path
        order = [(row["player"], row["score"]) for row in plain["entries"]]
        assert [(row["player"], row["score"]) for row in answer["entries"]] == order, "the order is the same"
    for name in ("ada", "late", "last"):
        answer = await both(api, services, f"/api/v1/leaderboard/{BEST}/rank/{name}/?ranking={ranking}")
        plain = await get(api, f"/api/v1/leaderboard/{BEST}/rank/{name}/")
        assert answer == plain | {"rank": expected[name], "ranking": ranking}


async def test_ordinal_ranks_are_what_was_always_told_to_the_byte(api: httpx.AsyncClient, crowd: Cast) -> None:
    for path in ("top/?limit=3", "around/ada/", "rank/bo/", "entries/?players=ada", "entries/?rank_from=1&rank_to=3"):
        plain = await api.get(f"/api/v1/leaderboard/{BEST}/{path}")
        joint = "&" if "?" in path else "?"
        for ranking in ("ordinal", ""):
            assert (await api.get(f"/api/v1/leaderboard/{BEST}/{path}{joint}ranking={ranking}")).content == plain.content


async def test_a_dense_rank_that_is_too_far_to_count_is_refused_and_never_wrong(
    api: httpx.AsyncClient, crowd: Cast, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leaderboard.services.shared_ranks.DENSE_PLACES", 3)
    monkeypatch.setitem(__import__("leaderboard.index.redis", fromlist=["x"])._KINDS, "dense", b"3")
    assert ranks(await both(api, services, at(BEST, "top", ranking="dense", offset=3)))[0] == ("dee", 2)
    for path in (at(BEST, "top", ranking="dense", offset=4), at(BEST, "entries", players="ada,eve", ranking="dense")):
        assert (await both(api, services, path, 400))["code"] == "invalid_parameter"
    assert (await both(api, services, at(BEST, "top", ranking="dense", offset=50)))["entries"] == []
    assert ranks(await both(api, services, at(BEST, "top", ranking="competition", offset=4)))[0] == ("eve", 5)


# --- Seasons, tags, privacy ----------------------------------------------------------------------------------------------

READS = ["entries/?players=ada", "entries/?rank_from=1&rank_to=3", "entries/?score_from=1", "percentile/?player=ada", "percentile/?score=1",
         "percentile/?percentile=50", "what_if/?score=3", "what_if/?score=3&player=ada"]  # fmt: skip


async def test_a_past_season_can_be_asked_for(api: httpx.AsyncClient, cast: Cast, services: Services) -> None:
    credential = Credential("key:1", cast.games["arcade"], None, ("scores:write",))
    for days, score in ((1, 30), (0, 20)):
        asked = Asked(score=score, player="ada", game_mode="daily", leaderboards=["arcade-daily"])
        await services.submits.submit(asked, credential=credential, now=runtime.utc_now() - timedelta(days=days))
    await services.upkeep.sweep(now=runtime.utc_now())
    for path in READS:
        answers = [await get(api, f"/api/v1/leaderboard/arcade-daily/{path}&season={season}") for season in ("current", "previous")]
        assert answers[0]["season"] > answers[1]["season"]
        scores = [json.dumps(answer) for answer in answers]
        assert "score=" in path or ['"score": 20' in scores[0], '"score": 30' in scores[1]] == [True, True], path


async def test_who_holds_the_answer_is_told_so(api: httpx.AsyncClient, crowd: Cast) -> None:
    for path in READS:
        first = await api.get(f"/api/v1/leaderboard/{BEST}/{path}")
        assert (first.status_code, first.headers["Cache-Control"]) == (200, "no-cache")
        again = await api.get(f"/api/v1/leaderboard/{BEST}/{path}", headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        named = await api.get(f"/api/leaderboard/{BEST}/{path}", headers={"Accept": "application/vnd.api+json; version=1"})
        assert (named.content, named.headers["Vary"]) == (first.content, "accept")


async def test_a_private_board_is_read_with_a_credential_of_its_game(api: httpx.AsyncClient, cast: Cast) -> None:
    await cast.sql("UPDATE leaderboard_leaderboard SET is_public = false WHERE slug = $1", BEST)
    await cast.services.catalogs.refresh()
    await play(cast, "ada", 5)
    ticket = cast.services.tokens.ticket(game_id=cast.games["arcade"], boards=None, now=runtime.utc_now())
    for path in (f"/api/v1/leaderboard/{BEST}/{read}" for read in READS):
        assert (await get(api, path, 401))["code"] == "not_authenticated"
        assert (await get(api, path, 401, Authorization="Api-Key nonsense"))["code"] == "not_authenticated"
        assert (await get(api, path, 404, Authorization=f"Api-Key {cast.rival_key}"))["code"] == "leaderboard_not_found"
        await get(api, path, 200, Authorization=f"Api-Key {cast.read_only_key}")
        await get(api, path, 200, Authorization=f"Ticket {ticket}")
