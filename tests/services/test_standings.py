"""Reads of a top: what is held is given only while the board stands where it stood, whichever process moved it."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import pytest

from leaderboard import metrics, runtime
from leaderboard.cache import Notice
from leaderboard.domain.errors import InvalidParameter, SeasonNotFound, StoreUnavailable
from leaderboard.feed import Watermark
from leaderboard.services import Services, answers
from leaderboard.services.answers import Answers, Encoded, Wanted, encoded
from leaderboard.services.checking import Asked
from leaderboard.services.credentials import Credential
from tests.cast import Cast
from tests.servers.redis import RedisServer, start_redis

BOARD, DAILY = "arcade-best", "arcade-daily"


@pytest.fixture
async def other(services: Services, database_url: str, redis_url: str) -> AsyncIterator[Services]:
    """Another process's services over the same servers."""
    built = runtime.build(database_url, redis_url)
    yield built
    await built.aclose()


async def submit(cast: Cast, player: str, score: int, *, through: Services, board: str = BOARD, now: Any = None, **more: Any) -> None:
    credential = Credential(f"key:{cast.games['arcade']}", cast.games["arcade"], None, ("scores:write",))
    asked = Asked(score=score, player=player, leaderboards=[board], **more)
    await through.submits.submit(asked, credential=credential, now=now or runtime.utc_now())


async def warm(cast: Cast) -> None:
    await cast.services.upkeep.sweep(now=runtime.utc_now())


async def begin(
    services: Services, *, board: str = BOARD, limit: int = 10, offset: int = 0, season: str = "current", now: Any = None
) -> "asyncio.Future[Encoded]":
    """A read that has begun: its question is asked."""
    known = services.standings.held(board) or await services.standings.find(board)
    future: asyncio.Future[Encoded] = asyncio.get_running_loop().create_future()

    def told(outcome: Encoded | BaseException) -> None:
        if isinstance(outcome, Encoded):
            future.set_result(outcome)
        else:
            future.set_exception(outcome)

    services.standings.begin_top(known, season=season, limit=limit, offset=offset, now=now or runtime.utc_now(), told=told)
    return future


async def top(services: Services, **window: Any) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads((await (await begin(services, **window))).body)
    return answer


async def from_scratch(services: Services, **window: Any) -> dict[str, Any]:
    asked = {"season": "current", "limit": 10, "offset": 0, "now": runtime.utc_now(), **window}
    return await services.standings.top(asked.pop("board", BOARD), **asked)


def scores(answer: dict[str, Any]) -> dict[str, int]:
    return {row["player"]: row["score"] for row in answer["entries"]}


class Counting:
    """How reads came by their answers since this was made."""

    def __init__(self) -> None:
        self._before = self._all()

    def _all(self) -> Counter[str]:
        return Counter({sample.labels["outcome"]: int(sample.value) for family in metrics.ANSWERS.collect() for sample in family.samples})

    @property
    def outcomes(self) -> dict[str, int]:
        return dict(self._all() - self._before)


# --- Fresh -----------------------------------------------------------------------------------------------------------------


async def test_a_read_through_another_process_shows_what_was_acknowledged_before_it_began(cast: Cast, other: Services) -> None:
    """Nothing is published meanwhile: the position alone would not tell."""
    await submit(cast, "ada", 1, through=cast.services)
    await warm(cast)
    for score in range(2, 60):
        one, another = random.sample([cast.services, other], 2)
        await submit(cast, "ada", score, through=one)
        assert scores(await top(another)) == scores(await top(one)) == {"ada": score}


@pytest.mark.slow
async def test_everybody_reads_his_own_writes_while_all_write(cast: Cast, other: Services) -> None:
    await submit(cast, "ada", 1, through=cast.services)
    await warm(cast)
    chance = random.Random(7)

    async def play(player: str) -> None:
        for score in range(1, 15):
            await submit(cast, player, score, through=chance.choice([cast.services, other]))
            assert scores(await top(chance.choice([cast.services, other]), limit=100))[player] == score

    async def publish() -> None:
        while True:
            await cast.services.live.update_dirty(now=runtime.utc_now())
            await asyncio.sleep(0)

    publishing = asyncio.create_task(publish())
    await asyncio.gather(*(play(f"p{number}") for number in range(12)))
    publishing.cancel()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
async def test_a_held_answer_is_what_a_read_from_scratch_gives(cast: Cast, other: Services, redis_server: RedisServer, seed: int) -> None:
    chance = random.Random(seed)
    processes = [cast.services, other]
    await warm(cast)
    counting = Counting()
    for _ in range(150):
        deed = chance.random()
        if deed < 0.2:
            await submit(cast, f"p{chance.randrange(12)}", chance.randrange(50), through=chance.choice(processes))
        elif deed < 0.3:
            await chance.choice(processes).live.update_dirty(now=runtime.utc_now())
        elif deed < 0.32:
            redis_server.command("FLUSHALL")
        elif deed < 0.36:
            await warm(cast)
        else:
            process, window = chance.choice(processes), {"limit": chance.choice([3, 10]), "offset": chance.choice([0, 5])}
            assert await top(process, **window) == await from_scratch(process, **window)
    assert counting.outcomes.keys() >= {"hit", "filled"}


async def test_both_processes_give_one_answer_one_tag(cast: Cast, other: Services) -> None:
    await submit(cast, "ada", 30, through=cast.services)
    await warm(cast)
    first, second = await (await begin(cast.services)), await (await begin(other))
    assert first == second
    await submit(cast, "bo", 20, through=other)
    assert (await (await begin(cast.services))).tag != first.tag


async def test_a_published_frame_is_in_the_next_answer(cast: Cast) -> None:
    await warm(cast)
    await submit(cast, "ada", 30, through=cast.services)
    before = await top(cast.services)
    assert await cast.services.live.update_dirty(now=runtime.utc_now()) == 1
    after = await top(cast.services)
    position = await cast.services.feed.position((await cast.services.catalogs.definition(BOARD))[1].id)
    assert (after["epoch"], after["offset"]) == position != (before["epoch"], before["offset"])


async def test_a_new_season_begins_for_held_answers_too(cast: Cast) -> None:
    """At midnight nothing is marked."""
    now = runtime.utc_now()
    await submit(cast, "ada", 30, through=cast.services, board=DAILY, game_mode="daily", now=now)
    await warm(cast)
    today = await top(cast.services, board=DAILY, now=now)
    tomorrow = await top(cast.services, board=DAILY, now=now + timedelta(days=1))
    yesterday = await top(cast.services, board=DAILY, season="previous", now=now + timedelta(days=1))
    assert (scores(today), scores(tomorrow), scores(yesterday)) == ({"ada": 30}, {}, {"ada": 30})
    assert today["season"] == yesterday["season"] != tomorrow["season"]


async def test_a_changed_definition_is_in_the_next_answer(cast: Cast) -> None:
    await submit(cast, "ada", 30, through=cast.services)
    await warm(cast)
    assert scores(await top(cast.services)) == {"ada": 30}
    await cast.sql("UPDATE leaderboard_leaderboard SET sort_order = 'asc' WHERE slug = $1", BOARD)
    await cast.services.catalogs.refresh()
    assert scores(await top(cast.services)) == {"ada": -30}  # the index holds keys; the rules turn them into scores


async def test_what_was_cleared_is_made_anew(cast: Cast) -> None:
    await submit(cast, "ada", 30, through=cast.services)
    await warm(cast)
    for _ in range(2):
        await top(cast.services)
    await cast.services.cache.tell(Notice(boards=((await cast.services.catalogs.definition(BOARD))[1].id,)))
    await cast.services.catalogs.refresh()
    counting = Counting()
    await top(cast.services)
    assert counting.outcomes == {"filled": 1}


async def test_an_answer_is_held_for_its_time_at_most(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """What no mark tells of, such as a new name, is seen then."""
    await warm(cast)
    monkeypatch.setattr(answers, "KEEP_S", 0.0)
    counting = Counting()
    for _ in range(3):
        await top(cast.services)
    assert counting.outcomes == {"filled": 3}


# --- Cheap -----------------------------------------------------------------------------------------------------------------


async def test_a_stampede_makes_one_answer_for_all(cast: Cast) -> None:
    await submit(cast, "ada", 30, through=cast.services)
    await warm(cast)
    await submit(cast, "ada", 31, through=cast.services)
    counting = Counting()
    found = await asyncio.gather(*[await begin(cast.services) for _ in range(50)])
    assert counting.outcomes == {"filled": 1, "shared": 49}
    assert len(set(found)) == 1
    await top(cast.services)
    assert counting.outcomes == {"filled": 1, "shared": 49, "hit": 1}


async def test_windows_and_boards_do_not_share_answers(cast: Cast) -> None:
    for number, player in enumerate(["ada", "bo", "cy"]):
        await submit(cast, player, 30 - number, through=cast.services)
    await warm(cast)
    windows = [{"limit": 1}, {"limit": 2}, {"limit": 1, "offset": 1}, {"board": "arcade-sum"}, {"board": DAILY}, {}]
    asked = [await begin(cast.services, **window) for window in windows]
    shown = [list(scores(json.loads(answer.body))) for answer in await asyncio.gather(*asked)]
    assert shown == [["ada"], ["ada", "bo"], ["bo"], [], [], ["ada", "bo", "cy"]]


@pytest.mark.parametrize("window", [{"limit": 0}, {"limit": 1001}, {"offset": -1}, {"season": "1999"}, {"season": "previous"}])
async def test_what_is_asked_wrongly_is_refused_at_once(cast: Cast, window: dict[str, Any]) -> None:
    with pytest.raises((InvalidParameter, SeasonNotFound)):
        await begin(cast.services, **window)


# --- Answers by themselves -----------------------------------------------------------------------------------------------


class Shelf:
    """Answers over a real feed, with fills that are counted."""

    def __init__(self, services: Services, **bounds: int) -> None:
        self.answers = Answers(services.feed, **bounds)
        self.filled: list[str] = []

    async def read(self, key: str, *, size: int = 1) -> Encoded:
        future: asyncio.Future[Encoded] = asyncio.get_running_loop().create_future()

        async def fill(watermark: Watermark | None) -> Encoded:
            self.filled.append(key)
            return encoded(key * size)

        self.answers.find(Wanted(7, key, ()), fill, future.set_result)  # type: ignore[arg-type]
        return await future

    async def reads(self, keys: str, *, size: int = 1) -> str:
        """Read each key; the keys that had to be filled."""
        self.filled.clear()
        for key in keys:
            assert (await self.read(key, size=size)).body == b'"%b"' % (key.encode() * size)
        return "".join(self.filled)


@pytest.mark.parametrize(("bounds", "size"), [({"held": 3}, 1), ({"held_bytes": 3 * 102}, 100)])
async def test_what_is_held_is_bounded_and_what_was_used_last_stays(services: Services, bounds: dict[str, int], size: int) -> None:
    shelf = Shelf(services, **bounds)
    assert await shelf.reads("abc", size=size) == "abc"
    assert await shelf.reads("abc", size=size) == ""
    assert await shelf.reads("bacd", size=size) == "d"
    assert await shelf.reads("acd", size=size) == ""
    assert await shelf.reads("b", size=size) == "b"


async def test_an_answer_larger_than_all_that_may_be_held_is_given_and_not_held(services: Services) -> None:
    shelf = Shelf(services, held_bytes=50)
    assert await shelf.reads("aa", size=100) == "aa"
    assert await shelf.reads("bb", size=10) == "b"


async def test_a_fill_that_fails_is_told_to_all_who_wait_and_is_not_held(services: Services) -> None:
    held = Answers(services.feed)
    fills: list[Watermark | None] = []
    told: list[Encoded | BaseException] = []

    async def fill(watermark: Watermark | None) -> Encoded:
        fills.append(watermark)
        if len(fills) == 1:
            raise StoreUnavailable("planted")
        return encoded("fine")

    async def ask(count: int) -> None:
        done = asyncio.Event()
        for _ in range(count):
            held.find(Wanted(7, "key", ()), fill, lambda outcome: (told.append(outcome), done.set() if len(told) % 3 == 0 else None))
        await done.wait()

    await ask(3)
    assert [type(outcome) for outcome in told] == [StoreUnavailable] * 3
    await ask(3)
    assert told[3:] == [encoded("fine")] * 3
    assert len(fills) == 2


# --- Redis away ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    server = start_redis()
    yield server
    server.stop()


@pytest.mark.slow
async def test_while_redis_is_away_every_read_comes_from_sql(
    sqlite_database: str, own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime.settings, "INDEX_TIMEOUT_MS", 200)
    monkeypatch.setattr(runtime.settings, "INDEX_RETRY_MS", 1)
    monkeypatch.setattr(runtime, "_send", lambda task, arguments: None)
    services = runtime.build(sqlite_database, own_redis.url)
    try:
        cast = await Cast.enter(services, sqlite_database)
        await submit(cast, "ada", 30, through=services)
        await warm(cast)
        assert scores(await top(services)) == {"ada": 30}
        own_redis.pause()
        counting = Counting()
        for score in (31, 32):
            await submit(cast, "ada", score, through=services)
            answer = await top(services)
            assert (scores(answer), answer["epoch"], answer["total"]) == ({"ada": score}, "", 1)
        assert counting.outcomes == {"away": 2}
    finally:
        own_redis.resume()
        await services.aclose()


async def test_while_a_board_is_cold_reads_come_from_sql_and_have_it_rebuilt(cast: Cast, redis_server: RedisServer) -> None:
    await submit(cast, "ada", 30, through=cast.services)
    await warm(cast)
    for score in (31, 32):
        redis_server.command("FLUSHALL")
        await submit(cast, "ada", score, through=cast.services)
        assert scores(await top(cast.services)) == {"ada": score}
    leaderboard = (await cast.services.catalogs.definition(BOARD))[1].id
    await cast.services.feed.settle(leaderboard, (await cast.services.feed.dirty())[leaderboard])
    await top(cast.services)
    assert leaderboard in await cast.services.feed.dirty()
