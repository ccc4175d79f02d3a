"""Re-ranking: it ends where a fresh board would be, with submits going on, and whatever dies on the way."""

import asyncio
import os
import random
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leaderboard import runtime
from leaderboard.domain.errors import Refusal
from leaderboard.domain.replay import Replay
from leaderboard.domain.season import parse_schedule
from leaderboard.domain.snapshot import patch
from leaderboard.feed.wire import read
from leaderboard.index import IndexUnavailable
from leaderboard.services import Services, boards
from leaderboard.services.boards import in_thread
from leaderboard.services.checking import Asked
from leaderboard.services.credentials import Credential
from leaderboard.services.rerank import STALE_S, Rerank
from tests.cast import Cast
from tests.keeper import is_whole, post, top, values
from tests.servers.stack import ROOT

BOARD = "/api/v1/leaderboard/arcade-best/"
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)

CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "operator": st.sampled_from(["best", "sum", "latest", "count"]),
        "sort_order": st.sampled_from(["desc", "asc"]),
        "subscore_order": st.sampled_from(["desc", "asc"]),
        "game_mode": st.sampled_from(["", "a", "b"]),
        "reset_schedule": st.sampled_from(["", "daily", "0 */6 * * *"]),
        "min_score": st.sampled_from([None, -3, 0, 2]),
        "max_score": st.sampled_from([None, 5, 8]),
    },
)
PLAYS = st.lists(
    st.tuples(
        st.sampled_from(["ada", "bo", "cy"]), st.integers(-4, 9), st.integers(-1, 1), st.sampled_from(["", "a", "b"]), st.integers(0, 5)
    ),
    max_size=20,
)
numbers = iter(range(10_000))


async def fed(services: Services, game_id: int, plays: list[Any]) -> list[Any]:
    """Submit them in order; those that were taken."""
    who = Credential(submitter=f"key:{game_id}", game_id=game_id, player=None, scopes=("scores:write",))
    taken = []
    now = NOON
    for item in plays:
        player, score, subscore, mode, hours = item
        now += timedelta(hours=hours)
        asked = Asked(score=score, subscore=subscore, game_mode=mode, player=player)
        try:
            await services.submits.submit(asked, credential=who, now=now)
        except Refusal:
            taken.append((player, None, 0, "", hours))
        else:
            taken.append(item)
    return taken


async def standings(services: Services, slug: str) -> dict[int, list[tuple[int, ...]]]:
    """By season, in order: who, and the value. Session ids are left out: another board has others."""
    view = await services.catalogs.refresh()
    found: dict[int, list[tuple[int, ...]]] = {}
    for board in await services.store.boards():
        if board.leaderboard_id == view.by_slug[slug].id:
            entries = await services.store.top(board, limit=1000)
            found[board.season] = [(entry.user_id, entry.score_key, entry.subscore_key, entry.achieved_ms) for entry in entries]
    return found


@pytest.mark.slow
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=CHANGES, change=CHANGES, plays=PLAYS)
async def test_a_board_that_was_ranked_anew_is_a_fresh_one_fed_with_the_same(
    cast: Cast, services: Services, rerank: Rerank, orm: None, before: Any, change: Any, plays: list[Any]
) -> None:
    old, fresh = f"old-{next(numbers)}", f"fresh-{next(numbers)}"
    for game in (old, fresh):
        await cast.sql("INSERT INTO leaderboard_game (slug, name) VALUES ($1, $1)", game)
        cast.games[game] = (await cast.sql("SELECT id FROM leaderboard_game WHERE slug = $1", game))[0][0]
    await cast.board(old, game=old, **before)
    await cast.board(fresh, game=fresh, **{**before, **change})
    await services.catalogs.refresh()
    taken = await fed(services, cast.games[old], plays)
    await fed(services, cast.games[fresh], _with_pauses(taken))

    plan = await in_thread(boards.propose, cast.games[old], old, change)
    told = await rerank.preview(plan, now=NOON)
    await in_thread(boards.edit, cast.games[old], old, change, actor="key:1")
    await rerank.resume()
    found = await standings(services, old)
    assert found == await standings(services, fresh)
    assert told["entries"] == sum(map(len, found.values()))
    await is_whole(services)


def _with_pauses(taken: list[Any]) -> list[Any]:
    """Without what was refused, at the same times."""
    kept: list[Any] = []
    waited = 0
    for player, score, subscore, mode, hours in taken:
        waited += hours
        if score is not None:
            kept.append((player, score, subscore, mode, waited))
            waited = 0
    return kept


async def expected(services: Services, slug: str, cast: Cast) -> list[tuple[int, ...]]:
    """What the domain makes of all that is kept."""
    definition = (await services.catalogs.refresh()).by_slug[slug]
    schedule = parse_schedule(definition.reset_schedule, definition.time_zone)
    replay = Replay(definition, schedule, made_ms=0, edits=await services.store.edits(definition.id))
    last = await services.store.last_session_id()
    replay.take((await services.store.plays(definition.game_id, after=0, until=last, limit=10**6))[1])
    return values(replay.ranked(0))


async def stored(services: Services, slug: str) -> list[tuple[int, ...]]:
    definition = (await services.catalogs.refresh()).by_slug[slug]
    board = (await services.catalogs.view()).board(definition, runtime.utc_now())
    return values([entry async for page in services.store.entries(board) for entry in page])


@pytest.mark.slow
async def test_submits_go_on_all_the_while_and_none_is_lost_or_counts_twice(
    api: httpx.AsyncClient, cast: Cast, services: Services, rerank: Rerank, keeper: dict[str, str]
) -> None:
    chance = random.Random(7)
    over = asyncio.Event()
    acknowledged = 0

    async def play(number: int) -> None:
        nonlocal acknowledged
        while not over.is_set():
            answer = await post(api, cast.auth, f"player-{number}", chance.randrange(100), subscore=chance.randrange(3))
            assert answer.status_code == 201, answer.text
            acknowledged += 1

    players = [asyncio.create_task(play(number)) for number in range(8)]
    for change in ({"operator": "sum"}, {"sort_order": "asc"}, {"operator": "latest", "max_score": 60}, {"operator": "count"}):
        assert (await api.patch(BOARD, json=change, headers=keeper)).status_code == 202
        await rerank.resume()
        if "max_score" in change:
            assert (await api.patch(BOARD, json={"max_score": None}, headers=keeper)).status_code == 202
            await rerank.resume()
    over.set()
    outcomes = await asyncio.gather(*players, return_exceptions=True)
    refused = [outcome for outcome in outcomes if outcome is not None and "score_out_of_range" not in str(outcome)]
    assert refused == []
    assert await cast.count("gamesession") == acknowledged > 0
    assert await stored(services, "arcade-best") == await expected(services, "arcade-best", cast)
    assert sum(score for _, _, score, _ in await top(api, "arcade-best")) == acknowledged, "a count of all there is"
    await is_whole(services)


async def test_watchers_are_brought_to_the_new_order_by_frames_without_a_gap(
    api: httpx.AsyncClient, cast: Cast, services: Services, rerank: Rerank, keeper: dict[str, str]
) -> None:
    for player, score in (("ada", 5), ("bo", 3), ("bo", 4), ("cy", 1)):
        await post(api, cast.auth, player, score)
    await is_whole(services)
    number = (await services.catalogs.view()).by_slug["arcade-best"].id
    before = await services.feed.state(number)
    assert before is not None
    await api.patch(BOARD, json={"operator": "sum", "sort_order": "asc"}, headers=keeper)
    await rerank.resume()
    await services.live.update_dirty(now=runtime.utc_now())
    after, rows = await services.feed.state(number), before.rows
    assert after is not None
    for frame in await services.feed.frames_since(number, before.position) or []:
        assert not frame.resets
        rows = patch(rows, read(frame.texts[100]))  # type: ignore[arg-type]
    assert [(row["player"], row["score"]) for row in rows] == [("cy", 1), ("ada", 5), ("bo", 7)]
    assert rows == after.rows


async def test_who_was_not_on_the_board_does_not_appear_by_another_operator(
    api: httpx.AsyncClient, cast: Cast, services: Services, rerank: Rerank, keeper: dict[str, str]
) -> None:
    """Bo's submit named another board, which a session does not tell."""
    await post(api, cast.auth, "ada", 5, leaderboards=["arcade-best"])
    await post(api, cast.auth, "bo", 9, leaderboards=["arcade-sum"])
    told = (await api.patch(f"{BOARD}?dry_run=true", json={"operator": "sum"}, headers=keeper)).json()
    await api.patch(BOARD, json={"operator": "sum"}, headers=keeper)
    await rerank.resume()
    assert await top(api, "arcade-best") == [(1, "ada", 5, 0)]
    assert (told["entries"], [row["player"] for row in told["top"]]) == (1, ["ada"])


async def test_an_entry_that_a_moderator_removed_does_not_come_back(
    api: httpx.AsyncClient, cast: Cast, services: Services, rerank: Rerank, keeper: dict[str, str]
) -> None:
    for player, score in (("ada", 90), ("bo", 3), ("cy", 5)):
        await post(api, cast.auth, player, score)
    await edited(cast, "ada", None)
    await edited(cast, "cy", 50)
    for player in ("ada", "cy"):
        await post(api, cast.auth, player, 1)
    await api.patch(BOARD, json={"operator": "sum", "game_mode": ""}, headers=keeper)
    await rerank.resume()
    assert await top(api, "arcade-best") == [(1, "cy", 51, 0), (2, "bo", 3, 0), (3, "ada", 1, 0)]


async def edited(cast: Cast, player: str, total: int | None) -> None:
    """A moderator's edit as it is recorded. The entry itself is left alone: the re-ranking is what makes it anew here."""
    await cast.sql(
        """INSERT INTO leaderboard_entryedit
               (leaderboard_id, season, user_id, until_session, total_score, subscore, before, reason, actor, created_at)
           SELECT e.leaderboard_id, e.season, e.user_id, (SELECT max(id) FROM leaderboard_gamesession), CAST($2 AS bigint), 0,
                  '{"session_id": 1, "achieved_at": "2026-05-01T12:00:00.000Z"}', '', 'key:1', '2026-05-01 12:00:00+00:00'
           FROM leaderboard_leaderboardentry e JOIN leaderboard_leaderboard l ON l.id = e.leaderboard_id
           JOIN auth_user u ON u.id = e.user_id WHERE l.slug = 'arcade-best' AND u.username = $1""",
        player,
        total,
    )


async def test_an_edit_in_the_moment_of_replacing_is_not_lost(
    api: httpx.AsyncClient, cast: Cast, services: Services, rerank: Rerank, keeper: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for player, score in (("ada", 90), ("bo", 3)):
        await post(api, cast.auth, player, score)
    await api.patch(BOARD, json={"operator": "sum"}, headers=keeper)
    replace = type(services.store).replace_entries
    edits = iter([("ada", 7)])

    async def after_an_edit(self: Any, *arguments: Any) -> Any:
        for edit in edits:
            await edited(cast, *edit)
        return await replace(self, *arguments)

    monkeypatch.setattr(type(services.store), "replace_entries", after_an_edit)
    await rerank.resume()
    assert await top(api, "arcade-best") == [(1, "ada", 7, 0), (2, "bo", 3, 0)]


async def test_a_late_write_of_an_old_value_changes_nothing(
    api: httpx.AsyncClient, cast: Cast, services: Services, rerank: Rerank, keeper: dict[str, str]
) -> None:
    for player, score in (("ada", 5), ("ada", 5), ("ada", 50), ("bo", 3)):
        await post(api, cast.auth, player, score)
    board = (await services.upkeep.indexed_boards(now=runtime.utc_now(), slug="arcade-best"))[0]
    late = [entry async for page in services.store.entries(board) for entry in page]
    await api.patch(BOARD, json={"max_score": 10}, headers=keeper)  # fewer plays count for Ada than before
    await rerank.resume()
    await is_whole(services)
    await services.index.place({board: late})
    assert await top(api, "arcade-best") == [(1, "ada", 5, 0), (2, "bo", 3, 0)]
    await is_whole(services)


DIE = """
import os, signal, django
django.setup()
from leaderboard import runtime
from leaderboard.services import rerank
def die(*_, **__): os.kill(os.getpid(), signal.SIGKILL)
{how}
runtime.run(runtime.services().rerank.resume())
"""
HOWS = {
    "while it reads": "rerank.Replay.take = die",
    "with the new entries laid aside": "rerank._catch_up = die",
    "with all replaced, before anybody was told": "rerank.Rerank._show = die",
}


@pytest.mark.slow
@pytest.mark.parametrize("how", HOWS.values(), ids=HOWS.keys())
async def test_a_worker_that_is_killed_is_followed_by_another(
    api: httpx.AsyncClient,
    cast: Cast,
    services: Services,
    rerank: Rerank,
    keeper: dict[str, str],
    database_url: str,
    redis_url: str,
    how: str,
) -> None:
    for player, score in (("ada", 5), ("bo", 3), ("bo", 4)):
        await post(api, cast.auth, player, score)
    await is_whole(services)
    number = (await api.patch(BOARD, json={"operator": "sum"}, headers=keeper)).json()["reranking"]["id"]
    env = {**os.environ, "DATABASE_URL": database_url, "REDIS_URL": redis_url, "SECRET_KEY": "for-tests-only-" * 4}
    killed = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", DIE.format(how=how)], cwd=ROOT, env=env, capture_output=True, timeout=60, check=False
    )
    assert killed.returncode == -9, killed.stderr
    assert (await post(api, cast.auth, "cy", 6)).status_code == 201
    assert (await api.get(f"{BOARD}rerankings/{number}/", headers=keeper)).json()["state"] == "running"
    assert await rerank.resume() == 0, "its worker may be alive"
    rerank._clock = _later(STALE_S + 1)
    assert await rerank.resume() == 1
    done = (await api.get(f"{BOARD}rerankings/{number}/", headers=keeper)).json()
    assert (done["state"], done["moved"] >= 2) == ("done", True)
    assert await top(api, "arcade-best") == [(1, "bo", 7, 0), (2, "cy", 6, 0), (3, "ada", 5, 0)]
    await is_whole(services)


def _later(seconds: float) -> Callable[[], datetime]:
    return lambda: runtime.utc_now() + timedelta(seconds=seconds)


async def test_twice_is_the_same_as_once(
    api: httpx.AsyncClient, cast: Cast, services: Services, rerank: Rerank, keeper: dict[str, str]
) -> None:
    for player, score in (("ada", 5), ("bo", 3), ("bo", 4)):
        await post(api, cast.auth, player, score)
    await api.patch(BOARD, json={"operator": "sum"}, headers=keeper)
    await rerank.resume()
    held = await cast.sql("SELECT * FROM leaderboard_leaderboardentry ORDER BY id")
    await cast.sql("UPDATE leaderboard_reranking SET state = 'waiting'")
    assert await rerank.resume() == 1
    assert await cast.sql("SELECT * FROM leaderboard_leaderboardentry ORDER BY id") == held
    assert await cast.sql("SELECT state, moved FROM leaderboard_reranking") == [("done", 2)]


async def test_two_workers_at_once_do_it_once(
    api: httpx.AsyncClient, cast: Cast, services: Services, rerank: Rerank, keeper: dict[str, str]
) -> None:
    await post(api, cast.auth, "ada", 5)
    await api.patch(BOARD, json={"operator": "sum"}, headers=keeper)
    other = services.rerank
    other._settle_s = 0
    assert sum(await asyncio.gather(rerank.resume(), other.resume())) == 1


async def test_a_worker_that_is_at_it_does_not_hold_up_its_other_threads(
    api: httpx.AsyncClient, cast: Cast, rerank: Rerank, keeper: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await post(api, cast.auth, "ada", 5)
    await api.patch(BOARD, json={"operator": "sum"}, headers=keeper)
    begun, go_on, step = asyncio.Event(), asyncio.Event(), rerank._rerank

    async def slowly(plan: Any) -> None:
        begun.set()
        await go_on.wait()
        await step(plan)

    monkeypatch.setattr(rerank, "_rerank", slowly)
    first = asyncio.create_task(rerank.resume())
    await begun.wait()
    assert await rerank.resume() == 0
    assert not first.done()
    go_on.set()
    assert await first == 1


async def test_while_redis_is_away_it_waits(
    api: httpx.AsyncClient, cast: Cast, services: Services, rerank: Rerank, keeper: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for player, score in (("ada", 5), ("bo", 3), ("bo", 4)):
        await post(api, cast.auth, player, score)
    number = (await api.patch(BOARD, json={"operator": "sum"}, headers=keeper)).json()["reranking"]["id"]
    away = runtime.build("sqlite:///unused", "redis://127.0.0.1:1/0").index
    monkeypatch.setattr(rerank, "_index", away)
    with pytest.raises(IndexUnavailable):
        await rerank.resume()
    assert (await api.get(f"{BOARD}rerankings/{number}/", headers=keeper)).json()["state"] == "waiting"
    assert await top(api, "arcade-best") == [(1, "ada", 5, 0), (2, "bo", 4, 0)]
    monkeypatch.setattr(rerank, "_index", services.index)
    await rerank.resume()
    assert await top(api, "arcade-best") == [(1, "bo", 7, 0), (2, "ada", 5, 0)]


async def test_one_that_makes_no_sense_any_more_fails_and_is_not_in_the_way(
    api: httpx.AsyncClient, cast: Cast, rerank: Rerank, keeper: dict[str, str]
) -> None:
    await post(api, cast.auth, "ada", 5)
    await api.patch(BOARD, json={"max_score": 10}, headers=keeper)
    await api.patch("/api/v1/leaderboard/arcade-sum/", json={"operator": "best"}, headers=keeper)
    await cast.sql("UPDATE leaderboard_leaderboard SET min_score = 20 WHERE slug = 'arcade-best'")
    assert await rerank.resume() == 1
    assert await cast.sql("SELECT state, problem FROM leaderboard_reranking ORDER BY id") == [
        ("failed", "invalid_definition"),
        ("done", ""),
    ]


async def test_a_defect_ends_it_with_a_word_and_leaves_the_board_as_it_was(
    api: httpx.AsyncClient, cast: Cast, services: Services, rerank: Rerank, keeper: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await post(api, cast.auth, "ada", 5)
    await api.patch(BOARD, json={"operator": "sum"}, headers=keeper)
    monkeypatch.setattr("leaderboard.services.rerank._catch_up", lambda replay, plays: 1 / 0)
    await rerank.resume()
    (told,) = (await api.get(f"{BOARD}rerankings/", headers=keeper)).json()["rerankings"]
    assert (told["state"], told["problem"]) == ("failed", "ZeroDivisionError")
    assert (await api.get(BOARD)).json()["operator"] == "best"
    assert (await post(api, cast.auth, "ada", 6)).status_code == 201
