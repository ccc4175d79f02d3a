"""What every store promises of replacing a leaderboard's entries, tried on PostgreSQL and on SQLite."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from leaderboard.domain.definition import Definition
from leaderboard.domain.replay import Play
from leaderboard.domain.score import Entry, Operator, Rules
from leaderboard.store import EditedMeanwhile, Landed, Replacement, Seasoned, StaleCatalog
from leaderboard.store.factory import open_store
from tests.contracts.store_cast import NOON, Ground, break_ground, later, sql


@pytest.fixture(params=["postgres", "sqlite"])
def database_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_database"))


@pytest.fixture
async def ground(database_url: str) -> AsyncIterator[Ground]:
    store = open_store(database_url)
    yield await break_ground(database_url, store)
    await store.aclose()


async def definition(ground: Ground) -> Definition:
    found = {item.id: item for item in (await ground.store.catalog()).definitions}
    return found[ground.leaderboards[Operator.BEST]]


async def replacement(ground: Ground, *, after: int, held_only: bool = False, state: str = "running") -> Replacement:
    """To the sum, of which there is a re-ranking in the table."""
    held = await definition(ground)
    sql(
        ground.url,
        f"""INSERT INTO leaderboard_reranking (leaderboard_id, changes, state, done, total, moved, problem, actor, created_at, changed_at)
            VALUES ({held.id}, '{{}}', '{state}', 0, 0, 0, '', '', '2026-05-01 12:00:00+00', '2026-05-01 12:00:00+00')""",
    )
    number = sql(ground.url, "SELECT max(id) FROM leaderboard_reranking")[0][0]
    new = replace(held, rules=Rules(Operator.SUM), game_mode="", max_score=1000)
    return Replacement(number, new, after, 0, held_only, 3, later(60))


def entry(user_id: int, score: int, session_id: int, version: int = 1) -> Entry:
    return Entry(user_id, -score, 0, session_id, version, 0)


def nothing(plays: list[Play]) -> list[Seasoned]:
    assert plays == []
    return []


async def held(ground: Ground) -> list[tuple[int, ...]]:
    return [(item.user_id, -item.score_key, item.session_id, item.version) for item in await ground.store.top(ground.board(), limit=100)]


async def test_plays_come_by_pages_with_where_to_go_on(ground: Ground) -> None:
    landed = await ground.landed(*[ground.play(user, user * 10) for user in ground.crowd])
    ids, at_ms = [item.session_id for item in landed], int(NOON.timestamp() * 1000)
    every = [Play(number, user, user * 10, 0, "", "key:1", at_ms) for number, user in zip(ids, ground.crowd, strict=True)]
    plays = ground.store.plays
    assert await plays(ground.game_id, after=ids[0], until=ids[-1], limit=3) == (ids[3], every[1:4])
    assert await plays(ground.game_id, after=ids[3], until=ids[5], limit=100) == (ids[5], every[4:6])
    assert await plays(ground.game_id + 1, after=0, until=ids[-1], limit=100) == (ids[-1], [])
    assert await plays(ground.game_id, after=ids[-1], until=ids[-1] + 9, limit=100) == (ids[-1] + 9, [])


async def test_the_new_entries_stand_with_the_new_rules_and_the_old_ones_are_gone(ground: Ground) -> None:
    for user, score in ((ground.ada, 5), (ground.ada, 5), (ground.bo, 7), (ground.cy, 9)):
        await ground.landed(ground.play(user, score))
    first, second, bo, cy = [row[0] for row in sql(ground.url, "SELECT id FROM leaderboard_gamesession ORDER BY id")]
    sql(ground.url, "UPDATE leaderboard_leaderboardentry SET rank = 1")
    what = await replacement(ground, after=cy)
    before = await ground.store.catalog_version()
    pages = [[(0, entry(ground.ada, 10, second, 2))], [(0, entry(ground.bo, 7, bo))]]
    assert await ground.store.replace_entries(what, pages, nothing) == 1
    assert await held(ground) == [(ground.ada, 10, second, 3), (ground.bo, 7, bo, 1)], "what changed has a version above the held one"
    assert first < second
    now = await definition(ground)
    assert (now.rules, now.game_mode, now.max_score) == (what.definition.rules, "", 1000)
    assert await ground.store.catalog_version() > before
    assert sql(ground.url, "SELECT moved FROM leaderboard_reranking") == [(3,)]
    assert dict(sql(ground.url, "SELECT user_id, rank FROM leaderboard_leaderboardentry")) == {ground.ada: None, ground.bo: 1}
    stored = sql(ground.url, f"SELECT total_score, subscore, score_key FROM leaderboard_leaderboardentry WHERE user_id = {ground.ada}")
    assert stored == [(10, 0, -10)]


async def test_a_submit_that_was_checked_before_is_refused_and_one_that_landed_is_caught_up_with(ground: Ground) -> None:
    await ground.landed(ground.play(ground.ada, 5))
    (last,) = sql(ground.url, "SELECT max(id) FROM leaderboard_gamesession")[0]
    what = await replacement(ground, after=last)
    (landed,) = await ground.landed(ground.play(ground.bo, 8))

    def catch_up(plays: list[Play]) -> list[Seasoned]:
        assert [play.session_id for play in plays] == [landed.session_id]
        return [(0, entry(ground.bo, 8, landed.session_id)), (0, entry(ground.ada, 6, last))]

    assert await ground.store.replace_entries(what, [[(0, entry(ground.ada, 5, last))]], catch_up) == 0
    assert await held(ground) == [(ground.bo, 8, landed.session_id, 1), (ground.ada, 6, last, 2)]
    with pytest.raises(StaleCatalog):
        await ground.commit(ground.play(ground.ada, 5))


async def test_commits_beside_it_come_before_or_are_refused(ground: Ground) -> None:
    """Each session is in what `catch_up` saw, or was refused: none in between."""
    await ground.landed(ground.play(ground.ada, 5))
    what = await replacement(ground, after=0)
    seen: list[int] = []
    landed: list[int] = []
    begun = asyncio.Event()

    async def submit(user: int) -> None:
        while True:
            try:
                (outcome,) = await ground.commit(ground.play(user, 1))
            except StaleCatalog:
                return
            assert isinstance(outcome, Landed)
            landed.append(outcome.session_id)
            begun.set()

    def catch_up(plays: list[Play]) -> list[Seasoned]:
        seen.extend(play.session_id for play in plays)
        return []

    players = [asyncio.create_task(submit(user)) for user in ground.crowd]
    await begun.wait()
    await ground.store.replace_entries(what, [], catch_up)
    await asyncio.gather(*players)
    assert sorted(landed) == sorted(seen)[1:]


async def test_only_players_that_hold_an_entry_get_one_where_that_is_asked(ground: Ground) -> None:
    (fed,) = await ground.landed(ground.play(ground.ada, 5))
    (named,) = await ground.landed(ground.play(ground.bo, 8, feeds=()))
    what = await replacement(ground, after=named.session_id, held_only=True)
    pages = [[(0, entry(ground.ada, 6, fed.session_id)), (0, entry(ground.bo, 8, named.session_id))]]
    assert await ground.store.replace_entries(what, pages, nothing) == 0
    assert await held(ground) == [(ground.ada, 6, fed.session_id, 2)]


async def test_nothing_is_written_for_a_session_that_was_erased(ground: Ground) -> None:
    (landed,) = await ground.landed(ground.play(ground.ada, 5))
    what = await replacement(ground, after=landed.session_id)
    pages = [[(0, entry(ground.ada, 5, landed.session_id)), (0, entry(ground.bo, 9, landed.session_id + 1))]]
    await ground.store.replace_entries(what, pages, nothing)
    assert [user for user, *_ in await held(ground)] == [ground.ada]


@pytest.mark.parametrize("state", ["done", "failed"])
async def test_a_reranking_that_is_over_changes_nothing(ground: Ground, state: str) -> None:
    (landed,) = await ground.landed(ground.play(ground.ada, 5))
    what = await replacement(ground, after=landed.session_id, state=state)
    assert await ground.store.replace_entries(what, [], nothing) is None
    assert (await definition(ground)).rules.operator is Operator.BEST
    assert len(await held(ground)) == 1


@pytest.mark.parametrize("fault", [EditedMeanwhile, ZeroDivisionError])
async def test_what_breaks_it_off_leaves_all_as_it_was_and_the_next_one_succeeds(ground: Ground, fault: type[Exception]) -> None:
    (landed,) = await ground.landed(ground.play(ground.ada, 5))
    what = await replacement(ground, after=landed.session_id)

    def catch_up(plays: list[Play]) -> Any:
        raise ZeroDivisionError

    broken = what._replace(last_edit=1) if fault is EditedMeanwhile else what
    with pytest.raises(fault):
        await ground.store.replace_entries(broken, [[(0, entry(ground.bo, 1, landed.session_id))]], catch_up)
    assert await held(ground) == [(ground.ada, 5, landed.session_id, 1)]
    assert (await definition(ground)).rules.operator is Operator.BEST
    assert await ground.store.replace_entries(what, [], nothing) == 1
    assert await held(ground) == []
