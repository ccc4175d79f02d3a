"""Redis down is a state: scores are taken, ranks come from SQL, and afterwards the index equals SQL again by itself."""

import json
from collections.abc import AsyncIterator, Iterator

import pytest

from leaderboard import runtime
from leaderboard.domain.definition import Feeding, Submission
from leaderboard.index import IndexCold, IndexUnavailable
from leaderboard.services import Services
from leaderboard.services.checking import Asked
from leaderboard.services.credentials import Credential
from leaderboard.services.upkeep import SETTLED_S
from tests.cast import Cast
from tests.servers.redis import RedisServer, start_redis

BOARD = "arcade-best"


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    server = start_redis()
    yield server
    server.stop()


@pytest.fixture
async def services(sqlite_database: str, own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Services]:
    monkeypatch.setattr(runtime.settings, "INDEX_TIMEOUT_MS", 200)
    monkeypatch.setattr(runtime.settings, "INDEX_RETRY_MS", 1)
    built = runtime.build(sqlite_database, own_redis.url)
    monkeypatch.setattr(runtime, "_send", lambda task, arguments: None)
    yield built
    await built.aclose()


@pytest.fixture
async def cast(services: Services, sqlite_database: str) -> Cast:
    return await Cast.enter(services, sqlite_database)


async def submit(cast: Cast, player: str, score: int) -> dict[str, object]:
    credential = Credential(f"key:{cast.games['arcade']}", cast.games["arcade"], None, ("scores:write",))
    asked = Asked(score=score, player=player, leaderboards=[BOARD])
    answer = await cast.services.submits.submit(asked, credential=credential, now=runtime.utc_now())
    result: dict[str, object] = json.loads(answer.body)["results"][0]
    return result


async def commit_and_die(cast: Cast, player: str, score: int) -> None:
    """What is left of a submit whose process was killed between the commit and the index."""
    now = runtime.utc_now()
    view = await cast.services.catalogs.view()
    definition = view.by_slug[BOARD]
    user = (await cast.services.players.ensure([(player, player)]))[player]
    feeding = Feeding(view.board(definition, now), definition.rules)
    submission = Submission(definition.game_id, user.id, score, 0, "", "{}", now, (feeding,))
    await cast.services.store.commit([submission], catalog_version=view.version)


async def ranks(cast: Cast) -> list[tuple[int, str]]:
    top = await cast.services.standings.top(BOARD, season="current", limit=100, offset=0, now=runtime.utc_now())
    return [(row["rank"], row["player"]) for row in top["entries"]]


async def differences(cast: Cast) -> list[object]:
    board = (await cast.services.upkeep.indexed_boards(now=runtime.utc_now(), slug=BOARD))[0]
    return list(await cast.services.upkeep.check(board))


async def warm(cast: Cast) -> None:
    await cast.services.upkeep.sweep(now=runtime.utc_now())
    assert await differences(cast) == []


@pytest.mark.slow
async def test_scores_are_taken_and_ranked_while_redis_hangs(cast: Cast, own_redis: RedisServer) -> None:
    for player, score in [("ada", 30), ("bo", 20), ("cy", 10)]:
        await submit(cast, player, score)
    await warm(cast)
    own_redis.pause()
    try:
        moved = await submit(cast, "cy", 25)
        assert (moved["rank"], moved["previous_rank"], moved["total"]) == (2, 3, 3)
        assert await ranks(cast) == [(1, "ada"), (2, "cy"), (3, "bo")]
    finally:
        own_redis.resume()
    # The next submit brings along what the index missed, before anything is answered from it.
    assert (await submit(cast, "dee", 1))["rank"] == 4
    assert await differences(cast) == []


async def test_what_a_refusing_redis_missed_comes_with_the_next_submit(cast: Cast, own_redis: RedisServer) -> None:
    await submit(cast, "ada", 30)
    await warm(cast)
    own_redis.command("CONFIG", "SET", "maxmemory", "1")  # it answers, and takes no writes
    assert (await submit(cast, "bo", 40))["rank"] == 1
    assert (await submit(cast, "bo", 50))["previous_rank"] == 1
    own_redis.command("CONFIG", "SET", "maxmemory", "0")
    assert (await submit(cast, "cy", 1))["rank"] == 3
    assert await differences(cast) == []


async def test_the_sweep_writes_what_a_dead_process_took_along(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    await submit(cast, "ada", 30)
    await warm(cast)
    clock = [0.0]
    monkeypatch.setattr(cast.services.upkeep, "_monotonic", lambda: clock[0])
    await commit_and_die(cast, "bo", 40)
    await cast.services.upkeep.sweep(now=runtime.utc_now())
    assert len(await differences(cast)) == 1  # it may be under way still
    clock[0] += SETTLED_S
    assert (await cast.services.upkeep.sweep(now=runtime.utc_now())).placed > 0
    assert await differences(cast) == []
    clock[0] += SETTLED_S
    assert (await cast.services.upkeep.sweep(now=runtime.utc_now())).placed == 0  # each session once
    assert await ranks(cast) == [(1, "bo"), (2, "ada")]


async def test_a_redis_that_comes_back_empty_is_filled_by_the_sweep(cast: Cast, own_redis: RedisServer) -> None:
    for number in range(20):
        await submit(cast, f"p{number}", number)
    await warm(cast)
    before = await ranks(cast)
    own_redis.restart_empty()
    assert await ranks(cast) == before  # from SQL
    with pytest.raises((IndexCold, IndexUnavailable)):
        await differences(cast)
    await cast.services.upkeep.sweep(now=runtime.utc_now())
    assert await differences(cast) == []
    assert await ranks(cast) == before


async def test_an_index_of_another_server_is_not_trusted(cast: Cast, own_redis: RedisServer) -> None:
    """A failover may bring a Redis with an older index that says it is ready."""
    await submit(cast, "ada", 30)
    await warm(cast)
    board = (await cast.services.upkeep.indexed_boards(now=runtime.utc_now(), slug=BOARD))[0]
    mark = await cast.services.index.mark()
    assert mark is not None
    await cast.services.index.set_mark(type(mark)("another-server", mark.session_id))
    assert (await cast.services.upkeep.sweep(now=runtime.utc_now())).forgotten > 0
    assert await cast.services.index.ready([board]) == [True]
    assert await differences(cast) == []


async def test_a_flush_in_the_middle_shows_nobody_a_half_filled_board(cast: Cast, own_redis: RedisServer) -> None:
    for number in range(10):
        await submit(cast, f"p{number}", number)
    await warm(cast)
    own_redis.command("FLUSHALL")
    assert (await submit(cast, "ada", 100))["total"] == 11
    assert len(await ranks(cast)) == 11
    await cast.services.live.update_dirty(now=runtime.utc_now())
    assert await differences(cast) == []


async def test_an_index_that_is_newer_than_a_restored_database_is_not_trusted(cast: Cast, services: Services, sqlite_database: str) -> None:
    await submit(cast, "ada", 30)
    await warm(cast)
    mark = await services.index.mark()
    assert mark is not None
    await services.index.set_mark(type(mark)(mark.run_id, 1_000))  # a session that the restored database does not have
    assert (await services.upkeep.sweep(now=runtime.utc_now())).forgotten > 0
    assert await differences(cast) == []
