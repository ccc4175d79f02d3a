"""What processes share beside the hot path. Two sets of services over one database and one Redis are two processes here."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from leaderboard import runtime
from leaderboard.cache import EVERYTHING, CacheUnavailable, Kind, Notice
from leaderboard.cache.redis import NOTICES_KEPT, Cache
from leaderboard.domain.errors import NotRanked
from leaderboard.services import Services
from leaderboard.services import players as module
from leaderboard.services.catalog import CATALOG
from leaderboard.services.players import NAME, PAGE, PLAYER, players_changed
from leaderboard.store import Player
from tests.cast import Cast
from tests.servers.redis import RedisServer, start_redis

NUMBER = Kind("number", int, life_s=60.0)
WORD = Kind("word", str, life_s=60.0)


class Source:
    """SQL's part: counts what it is asked, and may be held up."""

    def __init__(self, **known: int) -> None:
        self.known, self.asked = known, Counter[str]()
        self.gate = asyncio.Event()
        self.gate.set()
        self.entered = asyncio.Event()

    async def load(self, keys: list[str]) -> dict[str, int]:
        self.asked.update(keys)
        self.entered.set()
        found = {key: self.known[key] for key in keys if key in self.known}
        await self.gate.wait()
        return found


def cache_over(server: RedisServer) -> Cache:
    return Cache(server.url, timeout_ms=200, retry_ms=1)


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    server = start_redis()
    yield server
    server.stop()


@pytest.fixture
async def two(each_server: RedisServer) -> AsyncIterator[tuple[Cache, Cache]]:
    """Two processes' caches over one server, of either make."""
    caches = cache_over(each_server), cache_over(each_server)
    yield caches
    for cache in caches:
        await cache.aclose()


# --- Entries ------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
async def test_one_process_fills_while_the_others_wait(two: tuple[Cache, Cache]) -> None:
    source = Source(a=1, b=2)
    source.gate.clear()
    first = asyncio.create_task(two[0].fill(NUMBER, ["a", "b"], source.load))
    await source.entered.wait()
    others = [asyncio.create_task(cache.fill(NUMBER, ["a", "b"], source.load)) for cache in two for _ in range(10)]
    await asyncio.sleep(0.1)  # they have looked and found somebody at it
    assert not any(task.done() for task in (first, *others))
    source.gate.set()
    assert [await task for task in (first, *others)] == [{"a": 1, "b": 2}] * 21
    assert source.asked == {"a": 1, "b": 1}


async def test_a_process_asks_once_for_all_who_wait_though_some_go_away(two: tuple[Cache, Cache]) -> None:
    source = Source(a=1)
    source.gate.clear()
    waiting = [asyncio.create_task(two[0].fill(NUMBER, ["a"], source.load, shared=False)) for _ in range(10)]
    await source.entered.wait()
    waiting[0].cancel()
    source.gate.set()
    assert await asyncio.gather(*waiting[1:]) == [{"a": 1}] * 9
    assert source.asked == {"a": 1}


async def test_whoever_fails_leaves_it_to_the_next(two: tuple[Cache, Cache]) -> None:
    async def fail(keys: list[str]) -> dict[str, int]:
        raise RuntimeError("SQL is away")

    with pytest.raises(RuntimeError, match="SQL is away"):
        await two[0].fill(NUMBER, ["a"], fail)
    source = Source(a=1)
    assert await two[1].fill(NUMBER, ["a"], source.load) == {"a": 1}


@pytest.mark.slow
async def test_when_the_filler_dies_the_others_go_on(two: tuple[Cache, Cache]) -> None:
    source, never = Source(a=1), Source(a=1)
    never.gate.clear()
    dead = asyncio.create_task(two[0].fill(NUMBER, ["a"], never.load))
    await never.entered.wait()
    assert await two[1].fill(NUMBER, ["a"], source.load) == {"a": 1}
    dead.cancel()


async def test_only_what_is_missing_is_asked_for(two: tuple[Cache, Cache]) -> None:
    source = Source(a=1, b=2, c=3)
    await two[0].fill(NUMBER, ["a", "c"], source.load)
    assert await two[1].fill(NUMBER, ["a", "b", "c"], source.load) == {"a": 1, "b": 2, "c": 3}
    assert source.asked == {"a": 1, "b": 1, "c": 1}


async def test_what_is_forgotten_is_not_brought_back_by_a_load_that_began_before(two: tuple[Cache, Cache]) -> None:
    source = Source(a=1)
    source.gate.clear()
    late = asyncio.create_task(two[0].fill(NUMBER, ["a"], source.load))
    await source.entered.wait()
    source.known["a"] = 2  # committed, and then told
    await two[1].forget(NUMBER, ["a"])
    source.gate.set()
    assert await late == {"a": 1}
    assert await two[1].fill(NUMBER, ["a"], source.load) == {"a": 2}


async def test_what_is_dropped_is_filled_anew(two: tuple[Cache, Cache]) -> None:
    source = Source(a=1)
    await two[0].fill(NUMBER, ["a"], source.load)
    source.known["a"] = 2
    await two[1].drop(NUMBER, ["a"])
    assert await two[0].fill(NUMBER, ["a"], source.load) == {"a": 2}
    assert await two[1].fill(NUMBER, ["a"], source.load) == {"a": 2}
    assert source.asked == {"a": 2}


async def test_what_is_not_there_is_not_asked_for_again_until_it_appears(two: tuple[Cache, Cache]) -> None:
    source = Source()
    assert await two[0].fill(NUMBER, ["a"], source.load) == {}
    asked = source.asked["a"]
    assert await two[1].fill(NUMBER, ["a"], source.load) == {}
    assert source.asked["a"] == asked
    source.known["a"] = 1
    await two[1].appear(NUMBER, ["a"])
    assert await two[0].fill(NUMBER, ["a"], source.load) == {"a": 1}


async def test_what_appears_while_it_is_looked_for_is_found(two: tuple[Cache, Cache]) -> None:
    """Its creator finds no entry to drop yet; the entry that says "not there" comes later and must not stay."""
    source = Source()
    source.gate.clear()
    looking = asyncio.create_task(two[0].fill(NUMBER, ["a"], source.load))
    await source.entered.wait()
    source.known["a"] = 1
    await two[1].appear(NUMBER, ["a"])
    source.gate.set()
    assert await looking == {"a": 1}
    assert await two[1].fill(NUMBER, ["a"], source.load) == {"a": 1}


@pytest.mark.parametrize("poison", ["no-msgpack", "x"], ids=["noise", "another type's value"])
async def test_what_cannot_be_read_is_missing_and_is_mended(own_redis: RedisServer, poison: str) -> None:
    cache, asked = cache_over(own_redis), Counter[str]()

    async def load(keys: list[str]) -> dict[str, str]:
        asked.update(keys)
        return dict.fromkeys(keys, "right")

    key = f"gl:cache:{{{WORD.name}}}:a"
    own_redis.command("SET", key, poison)
    assert await cache.fill(WORD, ["a"], load) == {"a": "right"}
    assert await cache.fill(WORD, ["a"], load) == {"a": "right"}
    assert asked == {"a": 1}
    assert int(own_redis.command("PTTL", key)) > 0
    await cache.aclose()


async def test_a_value_that_msgpack_cannot_hold_is_answered_by_sql(two: tuple[Cache, Cache]) -> None:
    source = Source(a=2**70, b=2)
    for _ in range(2):
        assert await two[0].fill(NUMBER, ["a", "b"], source.load) == {"a": 2**70, "b": 2}
    assert source.asked == {"a": 2, "b": 1}


async def test_every_entry_runs_out(own_redis: RedisServer) -> None:
    cache, source = cache_over(own_redis), Source(a=1)
    await cache.fill(NUMBER, ["a", "none"], source.load)
    await cache.forget(NUMBER, ["b"])
    for key, most in (("a", 60_000), ("none", 5_000), ("b", 15_000)):
        assert 0 < int(own_redis.command("PTTL", f"gl:cache:{{{NUMBER.name}}}:{key}")) <= most
    await cache.aclose()


async def test_without_redis_it_goes_straight_to_sql(own_redis: RedisServer) -> None:
    cache, source = cache_over(own_redis), Source(a=1)
    own_redis.kill()
    assert await cache.fill(NUMBER, ["a"], source.load) == {"a": 1}
    await cache.appear(NUMBER, ["a"])
    await cache.hear()
    with pytest.raises(CacheUnavailable):
        await cache.forget(NUMBER, ["a"])
    await cache.aclose()


# --- Notices ------------------------------------------------------------------------------------------------------------


class Ear:
    def __init__(self, cache: Cache) -> None:
        self.cache, self.heard = cache, list[Notice]()
        cache.listen(self.heard.append)

    async def news(self) -> list[Notice]:
        self.heard.clear()
        await self.cache.hear()
        return list(self.heard)


async def test_a_notice_reaches_every_process_once_and_in_order(two: tuple[Cache, Cache]) -> None:
    ears = [Ear(cache) for cache in two]
    for ear in ears:
        assert await ear.news() == [EVERYTHING]  # what was told before is not known
    notices = [Notice(boards=(1,)), Notice(players=(5,), names=("ada", "countess"))]
    for _ in range(2):
        for notice in notices:
            await two[0].tell(notice)
        for ear in ears:
            assert await ear.news() == notices
            assert await ear.news() == []


async def test_generations_move_with_what_concerns_a_board(two: tuple[Cache, Cache]) -> None:
    teller, cache = two
    await cache.hear()
    before = {board: cache.generation(board) for board in (1, 2)}
    await teller.tell(Notice(boards=(1,)))
    await cache.hear()
    assert [cache.generation(board) - before[board] for board in (1, 2)] == [1, 0]
    await teller.tell(Notice(players=(5,)))  # on whatever board
    await teller.tell(EVERYTHING)
    await cache.hear()
    assert [cache.generation(board) - before[board] for board in (1, 2)] == [3, 2]


@pytest.mark.slow
async def test_what_may_have_been_missed_counts_as_everything(own_redis: RedisServer) -> None:
    cache = cache_over(own_redis)
    ear = Ear(cache)
    await ear.news()
    await cache.tell(Notice(boards=(1,)))
    await ear.news()
    own_redis.command("FLUSHALL")
    assert await ear.news() == [EVERYTHING]
    assert await ear.news() == []
    own_redis.pause()
    assert await ear.news() == []
    own_redis.resume()
    await asyncio.sleep(0.01)  # the breaker's
    while not await ear.news():
        await asyncio.sleep(0.01)
    assert ear.heard == [EVERYTHING]
    for board in range(NOTICES_KEPT + 1):
        await cache.tell(Notice(boards=(board,)))
    assert await ear.news() == [EVERYTHING]
    assert await ear.news() == []
    own_redis.command("XADD", "gl:cache:notices", "*", "n", "no-notice")
    assert await ear.news() == [EVERYTHING]
    await cache.aclose()


# --- Definitions and names ----------------------------------------------------------------------------------------------


class Counted:
    """A store that counts what it is asked."""

    def __init__(self, services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls = Counter[str]()
        for name in ("catalog", "catalog_version", "players", "players_named", "ensure_players"):
            monkeypatch.setattr(services.store, name, self._counting(name, getattr(services.store, name)))

    def _counting(self, name: str, method: Any) -> Any:
        async def call(*arguments: Any) -> Any:
            self.calls[name] += 1
            return await method(*arguments)

        return call


@pytest.fixture
async def other(services: Services, database_url: str, redis_url: str) -> AsyncIterator[Services]:
    built = runtime.build(database_url, redis_url)
    yield built
    await built.aclose()


@pytest.fixture
def counted(services: Services, other: Services, monkeypatch: pytest.MonkeyPatch) -> list[Counted]:
    return [Counted(each, monkeypatch) for each in (services, other)]


async def test_of_many_processes_that_see_a_new_version_one_asks_sql(
    cast: Cast, services: Services, other: Services, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    processes = [services, other, *(runtime.build(database_url, redis_url) for _ in range(6))]
    counts = [Counted(each, monkeypatch) for each in processes]
    for slug in ("first", "second"):
        await cast.board(slug)
        views = await asyncio.gather(*(each.catalogs.refresh() for each in processes))
        assert all(slug in view.by_slug for view in views)
        assert sum(count.calls["catalog"] for count in counts) == 1
        for count in counts:
            count.calls.clear()
    for each in processes[2:]:
        await each.aclose()


async def test_the_document_says_what_sql_says(cast: Cast, services: Services, other: Services, counted: list[Counted]) -> None:
    await services.catalogs.refresh()
    shared = await other.catalogs.refresh()
    assert counted[1].calls["catalog"] == 0
    stored = await other.store.catalog()
    assert shared.version == stored.version
    assert shared.games == stored.games
    assert sorted(shared.definitions.values(), key=lambda definition: definition.id) == list(stored.definitions)
    assert sorted(shared.keys.values(), key=lambda key: key.id) == list(stored.keys)


async def test_a_version_that_a_restore_took_back_is_not_given_out_again(cast: Cast, services: Services) -> None:
    """Else a document of what was lost would be taken for what came after it."""
    before = await services.store.catalog_version()
    await cast.board("lost")
    lost = await services.catalogs.refresh()
    await cast.sql("DELETE FROM leaderboard_leaderboard WHERE slug = $1", "lost")
    await cast.sql("UPDATE leaderboard_catalog SET version = $1", before)  # as the backup had it
    await cast.board("found")
    after = await services.catalogs.refresh()
    assert after.version > lost.version
    assert ("lost" in after.by_slug, "found" in after.by_slug) == (False, True)


async def test_a_page_of_names_is_asked_of_sql_once_for_all_processes(
    cast: Cast, services: Services, other: Services, counted: list[Counted]
) -> None:
    wanted = [(f"p{number}", f"Player {number}") for number in range(PAGE)]
    created = await services.players.ensure(wanted)
    ids = [created[username].id for username, _ in wanted]
    await services.players.share(ids)
    named = await asyncio.gather(*(other.players.by_id(ids) for _ in range(20)))
    assert [named[0][user_id].name for user_id in ids] == [name for _, name in wanted]
    assert all(found == named[0] for found in named)
    assert (counted[0].calls["players"], counted[1].calls["players"]) == (1, 0)
    assert (await other.players.named("p3")).id == ids[3]
    assert counted[1].calls["players_named"] == 0


async def test_a_process_that_knows_a_player_answers_at_once(cast: Cast, services: Services) -> None:
    assert services.players.held("ada") is None
    ada = (await services.players.ensure([("ada", "Ada")]))["ada"]
    assert services.players.held("ada") == ada


async def test_a_player_that_nobody_knew_is_found_as_soon_as_it_is_there(
    cast: Cast, services: Services, other: Services, counted: list[Counted]
) -> None:
    for _ in range(2):
        for each in (services, other):
            with pytest.raises(NotRanked):
                await each.players.named("ada")
    assert counted[0].calls["players_named"] + counted[1].calls["players_named"] == 2  # the look, and the look after it
    await other.players.ensure([("ada", "Ada")])
    assert (await services.players.named("ada")).name == "Ada"


async def test_a_name_too_long_for_any_player_costs_nothing(cast: Cast, services: Services, counted: list[Counted]) -> None:
    with pytest.raises(NotRanked):
        await services.players.named("x" * 151)
    assert counted[0].calls["players_named"] == 0


async def test_a_changed_name_is_seen_by_the_others_with_their_next_check(cast: Cast, services: Services, other: Services) -> None:
    for each in (services, other):
        await each.catalogs.refresh()
        ada = (await each.players.ensure([("ada", "Ada")]))["ada"]
        await each.players.named("ada")
        await each.players.share([ada.id])
    await cast.sql("UPDATE auth_user SET username = $1, first_name = $2 WHERE id = $3", "countess", "Countess", ada.id)
    await players_changed(services.cache, user_ids=[ada.id], names=["ada", "countess"])
    for each in (services, other):
        await each.catalogs.refresh()
        assert each.players.held("ada") is None
        assert (await each.players.by_id([ada.id]))[ada.id] == Player(ada.id, "countess", "Countess")
        assert (await each.players.named("countess")).id == ada.id
        with pytest.raises(NotRanked):
            await each.players.named("ada")


async def test_a_name_that_was_looked_up_before_a_notice_is_not_held_after_it(
    cast: Cast, services: Services, other: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    await services.catalogs.refresh()
    ada = (await other.players.ensure([("ada", "Ada")]))["ada"]
    read, may_go_on, players = asyncio.Event(), asyncio.Event(), services.store.players

    async def slow(user_ids: list[int]) -> dict[int, Player]:
        found = await players(user_ids)
        read.set()
        await may_go_on.wait()
        return found

    monkeypatch.setattr(services.store, "players", slow)
    late = asyncio.create_task(services.players.by_id([ada.id]))
    await read.wait()
    await cast.sql("UPDATE auth_user SET first_name = $1 WHERE id = $2", "Countess", ada.id)
    await players_changed(other.cache, user_ids=[ada.id], names=["ada"])
    await services.catalogs.refresh()
    may_go_on.set()
    assert (await late)[ada.id].name == "Ada"
    assert (await services.players.by_id([ada.id]))[ada.id].name == "Countess"


async def test_what_was_learnt_is_given_up_in_time_and_within_bounds(
    cast: Cast, services: Services, monkeypatch: pytest.MonkeyPatch, counted: list[Counted]
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    await services.players.ensure([("ada", "Ada")])
    clock[0] += module.LIFE_S / 2 + 1
    assert services.players.held("ada") is not None
    clock[0] += module.LIFE_S / 2 - 0.5
    assert services.players.held("ada") is None
    await services.players.ensure([("ada", "Ada")])
    clock[0] += 10 * module.LIFE_S
    assert services.players.held("ada") is None
    monkeypatch.setattr(module, "HELD", 10)
    await services.players.ensure([(f"p{number}", "") for number in range(6)])
    assert services.players.held("p0") is not None
    await services.players.ensure([(f"q{number}", "") for number in range(6)])
    assert (services.players.held("p0"), services.players.held("q0") is not None) == (None, True)


# --- Warming and clearing -----------------------------------------------------------------------------------------------

BOARD = "arcade-best"


async def play(api: Any, cast: Cast, *players: str) -> None:
    for score, player in enumerate(players, 1):
        body = {"player": player, "score": score, "leaderboards": [BOARD]}
        assert (await api.post("/api/v1/scores/", json=body, headers=cast.auth)).status_code == 201


async def test_what_is_warm_is_not_asked_of_sql(api: Any, cast: Cast, services: Services, other: Services, counted: list[Counted]) -> None:
    players = [f"p{number}" for number in range(PAGE)]
    await play(api, cast, *players)
    warmed = await services.caching.warm(now=runtime.utc_now())
    assert (warmed.boards, warmed.names) == (8, PAGE)  # the cast's seven boards and the default one
    counted[0].calls.clear()
    await other.catalogs.refresh()
    top = await other.store.top(await board_of(other), limit=100)
    assert len(await other.players.by_id(entry.user_id for entry in top)) == PAGE
    assert (counted[1].calls["catalog"], counted[1].calls["players"]) == (0, 0)


async def board_of(services: Services) -> Any:
    view, definition = await services.catalogs.definition(BOARD)
    return view.board(definition, runtime.utc_now())


async def test_only_boards_that_moved_are_warmed_again(api: Any, cast: Cast, services: Services) -> None:
    await services.caching.warm(now=runtime.utc_now())
    assert (await services.caching.warm(now=runtime.utc_now())).boards == 0
    await play(api, cast, "ada")
    await services.live.update_dirty(now=runtime.utc_now())
    assert await services.caching.warm(now=runtime.utc_now()) == (1, 1)
    assert await services.caching.warm(now=runtime.utc_now(), slugs=["arcade-sum"]) == (1, 0)
    assert max([(await services.caching.warm(now=runtime.utc_now())).boards for _ in range(5)]) > 0  # entries run out


async def test_clearing_a_board_reaches_the_other_process(
    api: Any, cast: Cast, services: Services, other: Services, counted: list[Counted]
) -> None:
    await play(api, cast, "ada")
    for each in (services, other):
        await each.caching.warm(now=runtime.utc_now())
        await each.players.named("ada")
    board = (await other.catalogs.definition(BOARD))[1].id
    neighbour = (await other.catalogs.definition("arcade-sum"))[1].id
    before = other.catalogs.generation(board), other.catalogs.generation(neighbour)
    # Behind the triggers' back, as nothing but a restored or mended table would: no version moves, so only clearing shows it.
    version = await services.store.catalog_version()
    await cast.sql("UPDATE leaderboard_leaderboard SET title = $1 WHERE slug = $2", "Mended", BOARD)
    await cast.sql("UPDATE leaderboard_catalog SET version = $1", version)
    await cast.sql("UPDATE auth_user SET first_name = $1 WHERE username = $2", "Countess", "ada")
    assert (await other.catalogs.refresh()).by_slug[BOARD].title != "Mended"
    for count in counted:
        count.calls.clear()
    await services.caching.clear(now=runtime.utc_now(), slugs=[BOARD])
    assert (await other.catalogs.refresh()).by_slug[BOARD].title == "Mended"
    assert (await services.catalogs.refresh()).by_slug[BOARD].title == "Mended"
    assert counted[0].calls["catalog"] + counted[1].calls["catalog"] == 1
    assert (other.catalogs.generation(board) - before[0], other.catalogs.generation(neighbour) - before[1]) == (1, 0)
    assert (await other.players.named("ada")).name == "Countess"


async def test_clearing_everything_leaves_the_index_and_the_feed_alone(
    api: Any, cast: Cast, services: Services, other: Services, redis_server: RedisServer
) -> None:
    await play(api, cast, "ada")
    await services.upkeep.sweep(now=runtime.utc_now())
    await services.caching.warm(now=runtime.utc_now())
    await services.players.named("ada")
    kept = int(redis_server.command("DBSIZE"))
    position = await services.feed.position((await services.catalogs.definition(BOARD))[1].id)
    dropped = await services.caching.clear(now=runtime.utc_now())
    assert dropped >= 2
    assert int(redis_server.command("DBSIZE")) == kept - dropped + 1  # the notice
    for kind, key in ((CATALOG, str(await services.store.catalog_version())), (NAME, "ada"), (PLAYER, "1")):
        assert redis_server.command("EXISTS", f"gl:cache:{{{kind.name}}}:{key}") == "0"
    assert await services.feed.position((await services.catalogs.definition(BOARD))[1].id) == position
    assert (await services.index.top(await board_of(services), limit=10)).total == 1
    assert other.players.held("ada") is None
