"""The race: the scores of a board's best over the last minutes."""

import asyncio
import random
from datetime import timedelta
from typing import Any

import httpx
import pytest

from leaderboard import runtime
from leaderboard.domain.errors import Overloaded, StoreUnavailable
from leaderboard.services import Services, race
from leaderboard.services.standings import Known
from tests.api.test_players_reads import get, play
from tests.api.test_private_boards import ticket_of
from tests.cast import Cast

SUM, BEST, DAILY = "arcade-sum", "arcade-best", "arcade-daily"


def of(board: str, **asked: Any) -> str:
    return f"/api/v1/leaderboard/{board}/race/?{httpx.QueryParams(asked)}"


@pytest.mark.parametrize("board", [SUM, BEST, "arcade-latest", "arcade-count"])
async def test_every_line_ends_at_the_score_in_the_top(api: httpx.AsyncClient, cast: Cast, board: str) -> None:
    rng, now = random.Random(5), runtime.utc_now()
    mode = {"arcade-latest": "contest", "arcade-count": "casual"}.get(board, "")
    for second in range(60):
        await play(cast, f"p{rng.randrange(12)}", rng.randrange(50), game_mode=mode, now=now - timedelta(seconds=60 - second))
    top = await get(api, f"/api/v1/leaderboard/{board}/top/")
    answer = await get(api, of(board, minutes=1440))
    assert [(row["player"], row["rank"], row["points"][-1][1], row["complete"]) for row in answer["players"]] == [
        (row["player"], row["rank"], row["score"], True) for row in top["entries"]
    ]
    assert all(answer["since"] <= at <= answer["until"] for row in answer["players"] for at, _ in row["points"])
    some = await get(api, of(board, limit=2, minutes=1440))
    assert [row["player"] for row in some["players"]] == [row["player"] for row in top["entries"]][:2]


async def test_a_line_begins_with_what_was_held_then(api: httpx.AsyncClient, cast: Cast) -> None:
    now = runtime.utc_now()
    for minutes, score in ((90, 5), (30, 2)):
        await play(cast, "ada", score, now=now - timedelta(minutes=minutes))
    (ada,) = (await get(api, of(SUM)))["players"]
    assert [score for _, score in ada["points"]] == [5, 7]
    assert ada["points"][0][0] == (await get(api, of(SUM)))["since"]
    (ada,) = (await get(api, of(SUM, minutes=100)))["players"]
    assert [score for _, score in ada["points"]] == [5, 7]
    (ada,) = (await get(api, of(SUM, minutes=1)))["players"]
    assert [score for _, score in ada["points"]] == [7]


async def test_it_tells_nothing_from_before_the_season(cast: Cast, services: Services) -> None:
    known = await services.standings.find(DAILY)
    noon = runtime.utc_now().replace(hour=12)
    for at, score in ((noon - timedelta(days=1), 900), (noon, 15)):
        await play(cast, "ada", score, now=at, game_mode="daily")
    answer = await told(services, known, minutes=1440, now=noon + timedelta(seconds=1))
    assert b"900" not in answer
    assert f'"since":"{noon:%Y-%m-%d}T00:00:00.000Z"'.encode() in answer
    empty = await told(services, known, minutes=5, now=noon + timedelta(days=1))
    assert b'"players":[]' in empty


async def told(services: Services, known: Known, *, limit: int = 10, minutes: int = 60, now: Any = None) -> bytes:
    return (await services.races.race(known, limit=limit, minutes=minutes, now=now or runtime.utc_now())).body


async def test_those_who_ask_at_once_share_one_answer_and_it_is_held_for_seconds(
    cast: Cast, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, clock, read = 0, [0.0], services.store.race

    async def counted(what: Any) -> Any:
        nonlocal asked
        asked += 1
        return await read(what)

    monkeypatch.setattr(services.store, "race", counted)
    monkeypatch.setattr(services.races, "_monotonic", lambda: clock[0])
    known = await services.standings.find(SUM)
    await play(cast, "ada", 5)
    first = await asyncio.gather(*(told(services, known) for _ in range(50)))
    assert (asked, len(set(first))) == (1, 1)
    await play(cast, "ada", 5)
    clock[0] = race.HELD_S - 0.1
    assert (await told(services, known), asked) == (first[0], 1)
    clock[0] = race.HELD_S
    assert (await told(services, known) != first[0], asked) == (True, 2)
    await asyncio.gather(*(told(services, known, minutes=minutes) for minutes in range(1, 31)))
    assert len(services.races._held) == 31
    monkeypatch.setattr(race, "HELD", 3)
    await told(services, known, minutes=99)
    assert len(services.races._held) == 3


async def test_of_different_races_at_once_only_some_may_wait(services: Services, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(race, "WAITING", 3)
    known = await services.standings.find(SUM)
    asked = (told(services, known, minutes=minutes) for minutes in range(1, 7))
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [isinstance(answer, Overloaded) for answer in answers] == [False] * 3 + [True] * 3
    assert b'"players":[]' in await told(services, known, minutes=7)  # and later it goes on

    async def hangs(what: Any) -> Any:
        await asyncio.Event().wait()

    monkeypatch.setattr(services.store, "race", hangs)
    monkeypatch.setattr(race, "FILL_S", 0.01)
    with pytest.raises(StoreUnavailable):
        await told(services, known, minutes=8)


async def test_what_is_asked_wrongly_is_refused(api: httpx.AsyncClient, cast: Cast) -> None:
    for asked in ({"limit": 0}, {"limit": 11}, {"minutes": 0}, {"minutes": 1441}, {"minutes": "x"}, {"limit": "1.5"}):
        assert (await get(api, of(SUM, **asked), 400))["code"] == "invalid_parameter", asked
    assert (await get(api, of("nowhere"), 404))["code"] == "leaderboard_not_found"


async def test_a_private_boards_race_is_told_to_who_may_read_it(api: httpx.AsyncClient, cast: Cast, services: Services) -> None:
    await cast.board("arcade-secret", is_public=False)
    await play(cast, "ada", 5)
    assert (await get(api, of("arcade-secret"), 401))["code"] == "not_authenticated"
    await get(api, of("arcade-secret"), 404, Authorization=f"Api-Key {cast.rival_key}")
    assert len((await get(api, of("arcade-secret"), 200, **cast.auth))["players"]) == 1
    ticket = await ticket_of(services, cast, "arcade", "arcade-secret")
    answer = await api.get(of("arcade-secret"), headers=ticket)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "private, no-cache")
    assert (await get(api, of("arcade-secret"), 401))["code"] == "not_authenticated", "also what is held"


async def test_an_answer_that_did_not_change_is_not_sent_again(api: httpx.AsyncClient, cast: Cast) -> None:
    await play(cast, "ada", 5)
    tag = (await api.get(of(SUM))).headers["etag"]
    again = await api.get(of(SUM), headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    second = (await api.get(of(SUM).replace("/v1/", "/v2/"))).json()
    assert second["data"]["players"][0]["points"][-1][1] == 5


async def test_a_race_that_was_dear_is_held_for_longer(cast: Cast, services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, read = [0.0], services.store.race

    async def slow(what: Any) -> Any:
        clock[0] += 2
        return await read(what)

    monkeypatch.setattr(services.store, "race", slow)
    monkeypatch.setattr(services.races, "_monotonic", lambda: clock[0])
    known = await services.standings.find(SUM)
    for now, is_made in ((0, True), (2 + 2 * race.HELD_TIMES - 1, False), (2 + 2 * race.HELD_TIMES, True)):
        clock[0] = now
        await told(services, known)
        assert (clock[0] > now) == is_made
