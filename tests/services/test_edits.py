"""A moderator's edit while Redis is away, or by a process that died after its commit: the sweep brings it to the index."""

import pytest
from asgiref.sync import sync_to_async

from leaderboard import runtime
from leaderboard.domain.score import BoardId
from leaderboard.feed import FeedUnavailable
from leaderboard.index import IndexUnavailable
from leaderboard.services import moderation
from tests.cast import Cast
from tests.servers.redis import RedisServer
from tests.services.test_when_redis_is_away import BOARD, cast, differences, own_redis, ranks, services, submit, warm

__all__ = ["cast", "own_redis", "services"]  # fixtures


@pytest.fixture
def database_url(sqlite_database: str) -> str:
    return sqlite_database


@pytest.fixture
async def played(cast: Cast, orm: None) -> Cast:
    for player, score in [("ada", 30), ("ada", 31), ("bo", 20), ("cy", 10)]:
        await submit(cast, player, score)
    await warm(cast)
    return cast


async def remove(cast: Cast, player: str) -> moderation.EntryEdit:
    board = (await cast.services.standings.board(BOARD, season="current", now=runtime.utc_now())).id
    return await sync_to_async(moderation.remove_entry)(board, player, reason="", actor="user:1")


async def edit(cast: Cast, player: str, score: int) -> moderation.EntryEdit:
    board = (await cast.services.standings.board(BOARD, season="current", now=runtime.utc_now())).id
    how = {"total_score": score, "reason": "", "actor": "user:1", "now": runtime.utc_now()}
    return await sync_to_async(moderation.edit_entry)(board, player, **how)


async def sweep(cast: Cast) -> int:
    """As beat does it: one that finds Redis away is made up for by the next."""
    while True:
        try:
            return (await cast.services.upkeep.sweep(now=runtime.utc_now())).placed
        except (IndexUnavailable, FeedUnavailable):
            continue


async def test_the_sweep_shows_what_a_dead_process_edited(played: Cast) -> None:
    await edit(played, "ada", 15)
    await remove(played, "bo")
    assert len(await differences(played)) == 2
    assert await sweep(played) == 2
    assert await ranks(played) == [(1, "ada"), (2, "cy")]
    assert await differences(played) == []
    assert await sweep(played) == 0  # and once is enough


@pytest.mark.slow
async def test_what_was_removed_while_redis_hung_is_gone_when_it_is_back(played: Cast, own_redis: RedisServer) -> None:
    own_redis.pause()
    try:
        removed = await remove(played, "ada")
        with pytest.raises(IndexUnavailable):
            await played.services.upkeep.show([moderation.recorded(removed)])
        assert await ranks(played) == [(1, "bo"), (2, "cy")]  # by SQL
    finally:
        own_redis.resume()
    await sweep(played)
    assert await ranks(played) == [(1, "bo"), (2, "cy")]
    assert await differences(played) == []


@pytest.mark.slow
async def test_what_a_process_still_holds_of_it_does_not_bring_it_back(played: Cast, own_redis: RedisServer) -> None:
    """A score was taken while Redis hung; a moderator removed it; the process places what it holds with its next submit."""
    own_redis.pause()
    try:
        await submit(played, "ada", 99)
        await remove(played, "ada")
    finally:
        own_redis.resume()
    await sweep(played)
    await submit(played, "cy", 11)
    assert await ranks(played) == [(1, "bo"), (2, "cy")]
    assert await differences(played) == []


async def test_a_score_earned_between_the_removal_and_the_index_is_kept(played: Cast) -> None:
    """The index holds the old entry under a higher version, and ignores the new one until the removal reaches it."""
    removed = await remove(played, "ada")
    await submit(played, "ada", 25)
    await played.services.upkeep.show([moderation.recorded(removed)])
    assert await differences(played) == []
    assert await ranks(played) == [(1, "ada"), (2, "bo"), (3, "cy")]


async def test_an_old_removal_that_comes_again_touches_nothing_newer(played: Cast) -> None:
    removed = moderation.recorded(await remove(played, "ada"))
    await played.services.upkeep.show([removed])
    await submit(played, "ada", 25)
    await played.services.upkeep.show([removed])
    assert await differences(played) == []
    assert await ranks(played) == [(1, "ada"), (2, "bo"), (3, "cy")]


async def test_a_redis_that_comes_back_empty_needs_no_edits(played: Cast, own_redis: RedisServer) -> None:
    await remove(played, "ada")
    own_redis.command("FLUSHALL")
    assert await sweep(played) == 0
    assert await ranks(played) == [(1, "bo"), (2, "cy")]
    assert await differences(played) == []


async def test_an_edit_of_a_past_season_leaves_the_sweep_going(played: Cast) -> None:
    leaderboard = (await played.services.standings.board(BOARD, season="current", now=runtime.utc_now())).id.leaderboard_id
    await played.sql("UPDATE leaderboard_leaderboardentry SET season = 86400 WHERE total_score = 20")
    await sync_to_async(moderation.remove_entry)(BoardId(leaderboard, 86_400), "bo", reason="", actor="user:1")
    assert await sweep(played) == 1
