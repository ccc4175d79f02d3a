"""What keeps sessions, entries and answers true to what they refer to, where PostgreSQL has no foreign keys."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import psycopg
import pytest

from leaderboard.domain.errors import InvalidPlayer
from leaderboard.domain.score import Operator
from leaderboard.store import Landed, Refused, StaleCatalog
from leaderboard.store.factory import open_store
from tests.contracts.store_cast import Ground, break_ground, orm, sql
from tests.services.test_moderation import manage

WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted"


@pytest.fixture
async def ground(database_url: str) -> AsyncIterator[Ground]:
    store = open_store(database_url)
    yield await break_ground(database_url, store)
    await store.aclose()


@pytest.fixture
async def postgres_ground(postgres_database: str) -> AsyncIterator[Ground]:
    store = open_store(postgres_database)
    yield await break_ground(postgres_database, store)
    await store.aclose()


async def until_somebody_waits(ground: Ground) -> None:
    async with asyncio.timeout(10):
        while sql(ground.url, WAITING) == [(0,)]:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM auth_user WHERE username = 'ada'",
        "UPDATE auth_user SET id = 1000000 WHERE username = 'ada'",
        "DELETE FROM leaderboard_leaderboard WHERE slug = 'contract-sum'",
        "DELETE FROM leaderboard_game WHERE slug = 'arcade'",
    ],
)
async def test_what_is_referred_to_stays(ground: Ground, change: str) -> None:
    sql(ground.url, "INSERT INTO leaderboard_game (slug, name) VALUES ('arcade', 'Arcade')")
    ground.version = await ground.store.catalog_version()
    game_id = (await ground.store.catalog()).games["arcade"]
    await ground.landed(ground.play(ground.ada, game_id=game_id, feeds=ground.feeds(Operator.SUM)))
    with pytest.raises(Exception, match=r"referred to|FOREIGN KEY"):
        sql(ground.url, change)


async def test_what_nothing_refers_to_can_go(ground: Ground) -> None:
    await ground.landed(ground.play(ground.ada))
    sql(ground.url, "DELETE FROM auth_user WHERE username = 'bo'")
    sql(ground.url, "DELETE FROM leaderboard_leaderboard WHERE slug = 'contract-sum'")
    assert sql(ground.url, "SELECT count(*) FROM auth_user WHERE username = 'bo'") == [(0,)]


async def test_users_are_not_emptied_under_their_sessions(postgres_ground: Ground) -> None:
    await postgres_ground.landed(postgres_ground.play(postgres_ground.ada))
    with pytest.raises(psycopg.Error, match="referred to"):
        sql(postgres_ground.url, "TRUNCATE auth_user CASCADE")


async def test_a_score_of_a_player_who_is_deleted_at_the_same_time_is_refused(postgres_ground: Ground) -> None:
    ground = postgres_ground
    with psycopg.connect(ground.url) as deleting:
        deleting.execute("DELETE FROM auth_user WHERE username = 'cy'")
        commit = asyncio.create_task(ground.commit(ground.play(ground.cy), ground.play(ground.ada)))
        await until_somebody_waits(ground)
    refused, landed = await commit
    assert isinstance(refused, Refused)
    assert isinstance(refused.refusal, InvalidPlayer)
    assert isinstance(landed, Landed)
    assert (ground.rows("gamesession"), ground.rows("leaderboardentry")) == (1, 1)


async def test_a_score_for_a_board_that_is_deleted_at_the_same_time_is_checked_again(postgres_ground: Ground) -> None:
    ground = postgres_ground
    with psycopg.connect(ground.url) as deleting:
        deleting.execute("DELETE FROM leaderboard_leaderboard WHERE slug = 'contract-best'")
        commit = asyncio.create_task(ground.commit(ground.play(ground.ada)))
        await until_somebody_waits(ground)
    with pytest.raises(StaleCatalog):
        await commit
    assert (ground.rows("gamesession"), ground.rows("leaderboardentry")) == (0, 0)


@pytest.mark.parametrize("victim", ["auth_user WHERE username = 'cy'", "leaderboard_game WHERE slug = 'arcade'"])
async def test_deleting_waits_for_the_scores_under_way(postgres_ground: Ground, victim: str) -> None:
    ground = postgres_ground
    sql(ground.url, "INSERT INTO leaderboard_game (slug, name) VALUES ('arcade', 'Arcade')")
    game_id = (await ground.store.catalog()).games["arcade"]
    with psycopg.connect(ground.url) as submitting:
        submitting.execute(new_session(ground.cy, game_id))
        deletion = asyncio.create_task(asyncio.to_thread(sql, ground.url, f"DELETE FROM {victim}"))
        await until_somebody_waits(ground)
    with pytest.raises(psycopg.errors.ForeignKeyViolation, match="referred to"):
        await deletion


async def test_erasing_a_player_waits_for_its_score_under_way(postgres_ground: Ground, redis_url: str) -> None:
    """Else the session would stay, without the entry that it made."""
    ground = postgres_ground
    await ground.landed(ground.play(ground.ada))
    with psycopg.connect(ground.url) as submitting:
        submitting.execute(new_session(ground.ada, ground.game_id))
        erasure = asyncio.create_task(asyncio.to_thread(manage, ground.url, redis_url, "erase_player", "ada"))
        await until_somebody_waits(ground)
    done = await erasure
    assert done.stdout.startswith("2 sessions and ")
    assert ground.rows("gamesession") == 0


def new_session(user_id: int, game_id: int) -> str:
    return (
        'INSERT INTO leaderboard_gamesession (user_id, game_id, score, subscore, game_mode, metadata, "timestamp", submitter) '
        f"VALUES ({user_id}, {game_id}, 1, 0, '', '{{}}', now(), '')"
    )


@pytest.mark.parametrize(
    ("question", "index"),
    [
        (lambda model: model.GameSession.objects.filter(game_mode="hard").order_by("-score")[:10], "gamesession_mode_score_idx"),
        (lambda model: model.GameSession.objects.filter(user_id=1).order_by("-timestamp")[:10], "gamesession_user_time_idx"),
        (
            lambda model: model.LeaderboardEntry.objects.filter(leaderboard_id=1, season=0, rank__lte=100).order_by("rank"),
            "leaderboard_rank_idx",
        ),
    ],
)
async def test_the_partial_indexes_serve_what_they_are_for(
    postgres_ground: Ground, question: Callable[[Any], Any], index: str, django_db_blocker: Any
) -> None:
    from leaderboard import models

    ground = postgres_ground
    for setting in ("enable_seqscan", "enable_bitmapscan"):  # an empty table is read whole unless that is forbidden
        sql(ground.url, f"ALTER DATABASE {ground.url.rpartition('/')[2]} SET {setting} = off")
    plan = await asyncio.to_thread(orm, ground.url, lambda alias: question(models).using(alias).explain(), blocker=django_db_blocker)
    assert index in plan
