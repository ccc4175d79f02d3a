"""What every store promises (see `leaderboard.store`), tried on PostgreSQL and on SQLite."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leaderboard.domain.errors import (
    InvalidBody,
    InvalidMetadata,
    InvalidPlayer,
    ScoreOutOfRange,
    StoreUnavailable,
    TotalOutOfRange,
)
from leaderboard.domain.score import SCORE_LIMIT, BoardId, Direction, Entry, Operator, Rules
from leaderboard.domain.season import EVER, NEVER
from leaderboard.store import Landed, LastEdit, Outcome, PlayRecord, Refused, Repeated, StaleCatalog, Store, postgres
from leaderboard.store.batch import GroupCommit
from leaderboard.store.factory import open_store
from leaderboard.store.postgres import PostgresStore
from leaderboard.store.sqlite import SqliteStore
from tests.contracts.store_cast import Fold, Ground, batches, break_ground, later, orm, sql, told
from tests.servers.postgres import PostgresServer, migrate, start_postgres

EVERY = tuple(Operator)


@pytest.fixture(params=["postgres", "sqlite"])
def database_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_database"))


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


@pytest.fixture
async def second_store(database_url: str) -> AsyncIterator[Store]:
    """Another process's store on the same database."""
    store = open_store(database_url)
    yield store
    await store.aclose()


def with_limit(url: str, rank_count_limit: int) -> Store:
    if url.startswith("sqlite"):
        return SqliteStore(url.removeprefix("sqlite:///"), rank_count_limit=rank_count_limit)
    return PostgresStore(url, rank_count_limit=rank_count_limit)


# --- Commit against the domain -----------------------------------------------------------------------------------------

SCORES = st.one_of(st.integers(-3, 3), st.integers(-SCORE_LIMIT // 64, SCORE_LIMIT // 64))
PLAYS = st.lists(st.tuples(st.integers(0, 3), SCORES, st.integers(-2, 2), st.integers(0, 100)), min_size=1, max_size=25)


@pytest.mark.slow
@given(plays=PLAYS, up=st.booleans(), sub_up=st.booleans())
@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_commits_equal_the_domains_fold(ground: Ground, plays: list[tuple[int, int, int, int]], up: bool, sub_up: bool) -> None:
    """All operators and directions at once; each example has a season of its own, so that its boards are empty."""
    season = 1 + len(await ground.store.boards())
    feeds = ground.feeds(*EVERY, season=season, up=up, sub_up=sub_up)
    players = [ground.ada, ground.bo, ground.cy, ground.crowd[0]]
    submissions = [
        ground.play(players[player], score, subscore, feeds=feeds, timestamp=later(second / 7)) for player, score, subscore, second in plays
    ]
    fold = Fold()
    for batch in batches(submissions):
        for submission, landed in zip(batch, await ground.landed(*batch), strict=True):
            assert told(landed) == fold.add(submission, landed)
    for feeding in feeds:
        expected = fold.board(feeding.board)
        assert await ground.store.top(feeding.board, limit=100) == expected
        assert await ground.store.count(feeding.board) == len(expected)
        assert await ground.store.ranks([(feeding.board, entry) for entry in expected]) == list(range(1, len(expected) + 1))


async def test_a_batch_with_different_feeds_and_keys_lands_each_on_its_boards(ground: Ground) -> None:
    rng = random.Random(7)
    fold = Fold()
    users = [ground.ada, ground.bo, ground.cy, *ground.crowd]
    for number in range(30):
        batch = [
            ground.play(
                user,
                rng.randint(-5, 5),
                rng.randint(-2, 2),
                feeds=ground.feeds(*rng.sample(EVERY, rng.randint(0, 4)), season=rng.randint(0, 1)),
                key=f"{number}-{user}" if rng.random() < 0.3 else None,
                timestamp=later(rng.random() * 1_000),
            )
            for user in rng.sample(users, rng.randint(1, len(users)))
        ]
        for submission, landed in zip(batch, await ground.landed(*batch), strict=True):
            assert told(landed) == fold.add(submission, landed)
    for operator in EVERY:
        for season in (0, 1):
            board = ground.board(operator, season)
            assert await ground.store.top(board, limit=100) == fold.board(board)


async def test_session_ids_follow_the_batchs_order_and_grow(ground: Ground) -> None:
    first = await ground.landed(ground.play(ground.cy), ground.play(ground.ada, key="z"), ground.play(ground.bo, key="a"))
    second = await ground.landed(ground.play(ground.bo), ground.play(ground.ada))
    ids = [landed.session_id for landed in first + second]
    assert ids == sorted(set(ids))


async def test_the_columns_beside_the_keys_follow_the_value(ground: Ground) -> None:
    await ground.commit(ground.play(ground.ada, 5, 2, timestamp=later(0), feeds=ground.feeds(Operator.BEST, up=True, sub_up=False)))
    await ground.commit(ground.play(ground.ada, 4, 9, timestamp=later(60), feeds=ground.feeds(Operator.BEST, up=True, sub_up=False)))
    await ground.commit(ground.play(ground.ada, 1, 1, timestamp=later(30), feeds=ground.feeds(Operator.BEST, up=True, sub_up=False)))
    (row,) = sql(
        ground.url,
        "SELECT total_score, subscore, score_key, subscore_key, submissions, CAST(achieved_at AS varchar(19)),"
        " CAST(last_updated AS varchar(19)) FROM leaderboard_leaderboardentry",
    )
    assert row[:5] == (5, 2, -5, 2, 3)
    assert [str(moment)[:19] for moment in row[5:]] == ["2026-05-01 12:00:00", "2026-05-01 12:01:00"]


async def test_a_submission_without_boards_still_stores_its_session(ground: Ground) -> None:
    (landed,) = await ground.landed(ground.play(ground.ada, 7, 3, feeds=(), game_mode="solo"))
    assert landed.results == ()
    session = await ground.store.session(landed.session_id)
    assert session is not None
    assert (session.user_id, session.game_id, session.score, session.subscore) == (ground.ada, ground.game_id, 7, 3)
    assert (session.game_mode, session.timestamp) == ("solo", later(0))
    assert await ground.store.session(landed.session_id + 1) is None


async def test_an_empty_batch_is_nothing(ground: Ground) -> None:
    assert await ground.commit() == []


async def test_a_user_twice_in_a_batch_is_the_callers_mistake(ground: Ground) -> None:
    with pytest.raises(ValueError, match="one submission per user"):
        await ground.commit(ground.play(ground.ada), ground.play(ground.ada))
    assert ground.rows("gamesession") == 0


async def test_times_keep_their_microseconds_and_their_zone(ground: Ground) -> None:
    zurich = timezone(timedelta(hours=2))
    for moment in (
        datetime(2026, 7, 1, 1, 2, 3, 999_999, tzinfo=zurich),
        datetime(2026, 7, 1, 1, 2, 3, 1_000, tzinfo=UTC),
        datetime(2026, 7, 1, 1, 2, 4, tzinfo=UTC),
        datetime(2026, 7, 1, 1, 2, 5, 123_456, tzinfo=UTC),
    ):
        (landed,) = await ground.landed(ground.play(ground.ada, feeds=ground.feeds(Operator.LATEST), timestamp=moment))
        session = await ground.store.session(landed.session_id)
        assert session is not None
        assert session.timestamp == moment
        assert landed.results[0].current.achieved_ms == int(moment.timestamp()) * 1000 + moment.microsecond // 1000
        assert await ground.store.entry(ground.board(Operator.LATEST), ground.ada) == landed.results[0].current


# --- Idempotency -------------------------------------------------------------------------------------------------------


async def test_a_key_that_was_used_stores_nothing_and_says_what_it_made(ground: Ground) -> None:
    (landed,) = await ground.landed(ground.play(ground.ada, key="k", fingerprint=b"first"))
    again = await ground.commit(
        ground.play(ground.bo),
        ground.play(ground.ada, 99, key="k", fingerprint=b"second"),
        ground.play(ground.cy, key="k", submitter="key:2"),
    )
    assert [type(outcome) for outcome in again] == [Landed, Repeated, Landed]
    assert again[1] == Repeated(landed.session_id, ground.ada, b"first", None)
    assert ground.rows("gamesession") == 3
    entry = await ground.store.entry(ground.board(), ground.ada)
    assert entry == landed.results[0].current


async def test_of_one_key_twice_in_a_batch_the_first_wins(ground: Ground) -> None:
    first, filler, second = await ground.commit(
        ground.play(ground.bo, key="k"), ground.play(ground.cy), ground.play(ground.ada, key="k", feeds=ground.feeds(*EVERY))
    )
    assert isinstance(first, Landed)
    assert isinstance(filler, Landed)
    assert second == Repeated(first.session_id, ground.bo, b"asked", None)
    assert await ground.store.entry(ground.board(Operator.SUM), ground.ada) is None


async def test_the_first_answer_kept_is_the_answer(ground: Ground) -> None:
    (landed,) = await ground.landed(ground.play(ground.ada, key="k"))
    (other,) = await ground.landed(ground.play(ground.ada, key="l"))
    assert await ground.store.keep_answer([(landed.session_id, b"first")]) == [b"first"]
    assert await ground.store.keep_answer([(other.session_id, b"other"), (landed.session_id, b"second")]) == [b"other", b"first"]
    (again,) = await ground.commit(ground.play(ground.ada, key="k"))
    assert again == Repeated(landed.session_id, ground.ada, b"asked", b"first")


async def test_racing_answers_all_get_the_same_one(ground: Ground, second_store: Store) -> None:
    (landed,) = await ground.landed(ground.play(ground.ada, key="k"))
    kept = await asyncio.gather(
        *([ground.store, second_store][number % 2].keep_answer([(landed.session_id, b"%d" % number)]) for number in range(20))
    )
    assert len({answer for (answer,) in kept}) == 1
    assert ground.rows("submitanswer") == 1


async def test_the_answer_of_a_session_that_was_erased_is_not_kept(ground: Ground) -> None:
    assert await ground.store.keep_answer([(10**9, b"late")]) == [b"late"]
    assert ground.rows("submitanswer") == 0


@pytest.mark.slow
async def test_a_thousand_retries_of_one_key_through_two_stores_make_one_session(ground: Ground, second_store: Store) -> None:
    async def retry(store: Store, user_id: int) -> Outcome:
        return (await store.commit([ground.play(user_id, feeds=ground.feeds(*EVERY), key="k")], catalog_version=ground.version))[0]

    outcomes = await asyncio.gather(*(retry([ground.store, second_store][number % 2], ground.ada) for number in range(1_000)))
    landed = [outcome for outcome in outcomes if isinstance(outcome, Landed)]
    repeated = [outcome for outcome in outcomes if isinstance(outcome, Repeated)]
    assert (len(landed), len(repeated)) == (1, 999)
    assert {outcome.session_id for outcome in repeated} == {landed[0].session_id}
    assert ground.rows("gamesession") == 1
    entry = await ground.store.entry(ground.board(Operator.SUM), ground.ada)
    assert entry is not None
    assert (entry.score_key, entry.version) == (-10, 1)


# --- Refusals ----------------------------------------------------------------------------------------------------------


async def test_a_sum_that_would_leave_the_range_is_refused_alone_and_stores_nothing(ground: Ground) -> None:
    feeds = ground.feeds(Operator.BEST, Operator.SUM)
    await ground.commit(ground.play(ground.ada, SCORE_LIMIT, feeds=feeds), ground.play(ground.bo, -SCORE_LIMIT, -1, feeds=feeds))
    users = [ground.ada, ground.cy, ground.bo, *ground.crowd]
    changes: dict[int, tuple[int, int]] = {ground.ada: (1, 0), ground.bo: (0, -SCORE_LIMIT)}
    outcomes = await ground.commit(*(ground.play(user, *changes.get(user, (7, 1)), feeds=feeds, key=f"k{user}") for user in users))
    for user, outcome in zip(users, outcomes, strict=True):
        if user in changes:
            assert isinstance(outcome, Refused)
            assert isinstance(outcome.refusal, TotalOutOfRange)
        else:
            assert isinstance(outcome, Landed)
    assert ground.rows("gamesession") == len(users)
    for operator in (Operator.BEST, Operator.SUM):
        entry = await ground.store.entry(ground.board(operator), ground.ada)
        assert entry is not None
        assert (entry.score_key, entry.version) == (-SCORE_LIMIT, 1)
    (retried,) = await ground.commit(ground.play(ground.ada, -1, feeds=feeds, key=f"k{ground.ada}"))
    assert isinstance(retried, Landed), "a refused submission left its key unused"


async def test_what_sql_cannot_hold_is_refused_alone(ground: Ground) -> None:
    bad = [
        (ground.play(ground.ada, SCORE_LIMIT + 1, feeds=()), ScoreOutOfRange),
        (ground.play(ground.ada, 2**63), InvalidBody),
        (ground.play(ground.ada, metadata="{"), InvalidMetadata),
        (ground.play(ground.ada, game_mode="\ud800"), InvalidBody),
        (ground.play(10**9), InvalidPlayer),
    ]
    for submission, refusal in bad:
        outcomes = await ground.commit(ground.play(ground.bo), submission, ground.play(ground.cy))
        assert [type(outcome) for outcome in outcomes] == [Landed, Refused, Landed]
        assert isinstance(outcomes[1], Refused)
        assert type(outcomes[1].refusal) is refusal
    assert ground.rows("gamesession") == 2 * len(bad)


@pytest.mark.parametrize("key", [None, "k"])
async def test_a_player_that_is_not_active_is_refused_alone_and_stores_nothing(ground: Ground, key: str | None) -> None:
    feeds = ground.feeds(*EVERY)
    await ground.landed(ground.play(ground.ada, feeds=feeds, key=key))
    sql(ground.url, f"UPDATE auth_user SET is_active = false WHERE id = {ground.ada}")
    for again in (key, "another"):
        outcomes = await ground.commit(ground.play(ground.ada, 99, feeds=feeds, key=again), ground.play(ground.bo, feeds=feeds))
        assert [type(outcome) for outcome in outcomes] == [Refused, Landed]
        assert isinstance(outcomes[0], Refused)
        assert type(outcomes[0].refusal) is InvalidPlayer
    assert ground.rows("gamesession") == 3
    sql(ground.url, f"UPDATE auth_user SET is_active = true WHERE id = {ground.ada}")
    assert len(await ground.landed(ground.play(ground.ada, feeds=feeds))) == 1


async def test_players_whom_a_process_knows_are_refused_from_the_moment_they_may_not_play(ground: Ground) -> None:
    feeds = ground.feeds(*EVERY)
    players = (ground.ada, ground.bo, ground.cy)

    async def refused() -> set[int]:
        outcomes = await ground.commit(*(ground.play(player, feeds=feeds) for player in players))
        return {player for player, outcome in zip(players, outcomes, strict=True) if isinstance(outcome, Refused)}

    for _ in range(2):
        assert await refused() == set()
    sql(ground.url, f"UPDATE auth_user SET is_active = (id <> {ground.ada})")
    for _ in range(2):
        assert await refused() == {ground.ada}
    sql(ground.url, "UPDATE auth_user SET is_active = true")
    assert await refused() == set()
    (gone,) = (await ground.store.ensure_players([("gone", "")])).values()
    players = (ground.ada, ground.bo, gone.id)
    sql(ground.url, f"DELETE FROM auth_user WHERE id = {gone.id}")
    assert await refused() == {gone.id}


async def test_what_else_changes_about_a_user_moves_no_version(postgres_ground: Ground) -> None:
    """A sign-in writes its moment into the user's row; for that nobody needs to be looked up again."""
    read = "SELECT players_version FROM leaderboard_catalog"
    before = sql(postgres_ground.url, read)
    sql(postgres_ground.url, "UPDATE auth_user SET last_login = now(), first_name = 'New', is_active = is_active")
    assert sql(postgres_ground.url, read) == before
    sql(postgres_ground.url, f"UPDATE auth_user SET is_active = false WHERE id IN ({postgres_ground.ada}, {postgres_ground.bo})")
    assert sql(postgres_ground.url, read) > before


async def test_a_refusal_does_not_hide_a_repetition(ground: Ground) -> None:
    feeds = ground.feeds(Operator.SUM)
    (landed,) = await ground.landed(ground.play(ground.ada, SCORE_LIMIT, feeds=feeds, key="k"))
    refused, repeated = await ground.commit(ground.play(10**9, feeds=feeds), ground.play(ground.ada, SCORE_LIMIT, feeds=feeds, key="k"))
    assert isinstance(refused, Refused)
    assert repeated == Repeated(landed.session_id, ground.ada, b"asked", None)


async def test_a_stale_catalog_stores_nothing(ground: Ground) -> None:
    sql(ground.url, "UPDATE leaderboard_leaderboard SET is_active = false")
    with pytest.raises(StaleCatalog):
        await ground.commit(ground.play(ground.ada, feeds=ground.feeds(*EVERY)), ground.play(ground.bo, key="k", feeds=()))
    assert (ground.rows("gamesession"), ground.rows("leaderboardentry")) == (0, 0)
    ground.version = await ground.store.catalog_version()
    assert len(await ground.landed(ground.play(ground.ada))) == 1


# --- The catalog -------------------------------------------------------------------------------------------------------


async def test_the_catalog_holds_games_definitions_and_the_keys_that_are_not_revoked(ground: Ground) -> None:
    digest = "decode('00ff', 'hex')" if ground.is_postgres else "x'00ff'"
    for prefix, revoked, expires in (
        ("a", "NULL", "NULL"),
        ("b", "'2026-01-01 00:00:00+00'", "NULL"),
        ("c", "NULL", "'2027-01-01 00:00:00'"),
    ):
        sql(
            ground.url,
            f"""INSERT INTO leaderboard_apikey (game_id, name, prefix, digest, scopes, created_at, expires_at, revoked_at)
                VALUES ({ground.game_id}, '', '{prefix}', {digest}, '["submit", "read"]', '2026-01-01 00:00:00', {expires}, {revoked})""",
        )
    catalog = await ground.store.catalog()
    assert catalog.games == {"default": ground.game_id}
    definition = next(each for each in catalog.definitions if each.slug == "contract-latest")
    assert definition.rules == Rules(Operator.LATEST, Direction.DESC, Direction.ASC)
    assert (definition.game, definition.game_mode, definition.reset_schedule) == ("default", "hard", "daily")
    assert (definition.time_zone, definition.min_score, definition.max_score) == ("Europe/Zurich", -5, None)
    assert (definition.authoritative, definition.is_active, definition.metadata) == (True, True, {"a": [1]})
    assert [(key.digest, key.scopes, key.expires_at) for key in catalog.keys] == [
        (b"\x00\xff", ("submit", "read"), None),
        (b"\x00\xff", ("submit", "read"), datetime(2027, 1, 1, tzinfo=UTC)),
    ]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE leaderboard_leaderboard SET title = 'New'",
        "UPDATE leaderboard_game SET name = 'New'",
        "INSERT INTO leaderboard_game (slug, name) VALUES ('other', 'Other')",
        "DELETE FROM leaderboard_leaderboard WHERE slug = 'contract-sum'",
    ],
)
async def test_any_change_of_a_definition_moves_the_version(ground: Ground, change: str) -> None:
    assert await ground.store.catalog_version() == ground.version
    sql(ground.url, change)
    moved = await ground.store.catalog_version()
    assert moved > ground.version
    assert (await ground.store.catalog()).version == moved


# --- Players -----------------------------------------------------------------------------------------------------------


async def test_players_are_made_once_and_found_again(ground: Ground, second_store: Store) -> None:
    names = [("zoë", "Zoë Z."), ("max", "max"), ("ada", "Ignored"), ("long", "x" * 200), ("max", "twice")]
    made, other = await asyncio.gather(ground.store.ensure_players(names), second_store.ensure_players(list(reversed(names))))
    assert {name: player.id for name, player in made.items()} == {name: player.id for name, player in other.items()}
    assert made["ada"].id == ground.ada
    assert {name: player.name for name, player in made.items() if name != "max"} == {
        "zoë": "Zoë Z.",
        "ada": "ada",
        "long": "x" * 150,
    }
    assert await ground.store.players_named(["zoë", "nobody"]) == {"zoë": made["zoë"]}
    assert await ground.store.players([ground.ada, made["zoë"].id, 10**9]) == {ground.ada: made["ada"], made["zoë"].id: made["zoë"]}
    assert await ground.store.ensure_players([]) == {}
    assert await ground.store.players([]) == {}


async def test_a_name_to_show_is_first_and_last_name(ground: Ground) -> None:
    sql(ground.url, "UPDATE auth_user SET first_name = 'Ada', last_name = 'Lovelace' WHERE username = 'ada'")
    sql(ground.url, "UPDATE auth_user SET last_name = 'Diddley' WHERE username = 'bo'")
    found = await ground.store.players([ground.ada, ground.bo])
    assert [player.name for player in found.values()] == ["Ada Lovelace", "Diddley"]


# --- Reads -------------------------------------------------------------------------------------------------------------


async def crowded(ground: Ground, scores: list[int]) -> list[Entry]:
    """The best board's entries after one submission per score, in board order."""
    players = await ground.store.ensure_players([(f"c{number}", "") for number in range(len(scores))])
    batch = [ground.play(player.id, score) for player, score in zip(players.values(), scores, strict=True)]
    return sorted((landed.results[0].current for landed in await ground.landed(*batch)), key=lambda entry: entry.order)


async def test_top_gives_any_page_of_the_order(ground: Ground) -> None:
    entries = await crowded(ground, [number % 7 for number in range(30)])
    for offset, limit in ((0, 30), (0, 10), (10, 10), (25, 10), (30, 10), (0, 1000)):
        assert await ground.store.top(ground.board(), limit=limit, offset=offset) == entries[offset : offset + limit]


async def test_around_gives_both_sides_at_every_place(ground: Ground) -> None:
    entries = await crowded(ground, [number % 3 for number in range(9)])
    for place, entry in enumerate(entries):
        better, worse = await ground.store.around(ground.board(), entry, limit=3)
        assert better == entries[max(0, place - 3) : place]
        assert worse == entries[place + 1 : place + 4]


async def test_around_leaves_the_players_own_row_out_also_when_it_has_moved(ground: Ground) -> None:
    entries = await crowded(ground, [1, 2, 3])
    await ground.commit(ground.play(entries[2].user_id, 9))
    better, worse = await ground.store.around(ground.board(), entries[2], limit=5)
    assert (better, worse) == (entries[:2], [])


async def test_a_range_of_scores_is_in_the_boards_order(ground: Ground) -> None:
    entries = await crowded(ground, [number % 7 for number in range(30)])
    for low, high in ((-4, -2), (-6, 0), (-100, 100), (-3, -3), (1, 5), (-2, -4)):
        inside = [entry for entry in entries if low <= entry.score_key <= high]
        for offset, limit in ((0, 30), (0, 4), (3, 4), (29, 4)):
            assert await ground.store.within(ground.board(), low, high, limit=limit, offset=offset) == inside[offset : offset + limit]


async def test_entries_are_found_by_board_and_player(ground: Ground) -> None:
    entries = await crowded(ground, [3, 1, 2])
    (other,) = await ground.landed(ground.play(ground.ada, feeds=ground.feeds(Operator.LATEST)))
    boards = [ground.board(), ground.board(Operator.LATEST), ground.board(season=7), BoardId(10**6, 0)]
    wanted = [(board, user_id) for board in boards for user_id in (ground.ada, 10**9, *(entry.user_id for entry in entries))]
    found = await ground.store.find(wanted)
    assert sorted(found) == sorted([(boards[1], other.results[0].current), *((boards[0], entry) for entry in entries)])
    assert await ground.store.find([]) == []


async def test_ties_count_the_earlier_ones_of_the_same_value(ground: Ground) -> None:
    entries = await crowded(ground, [5, 5, 1, 5, 9])
    assert await ground.store.ties(ground.board(), entries) == [0, 0, 1, 2, 0]
    assert await ground.store.ties(ground.board(Operator.SUM), entries) == [0] * 5


async def test_values_are_the_different_ones_of_the_first_places(ground: Ground) -> None:
    await crowded(ground, [5, 5, 1, 5, 9])
    values = [(-9, 0), (-5, 0), (-1, 0)]
    assert [len(await ground.store.values(ground.board(), places=places)) for places in range(7)] == [0, 1, 2, 2, 2, 3, 3]
    assert await ground.store.values(ground.board(), places=5) == values


async def test_a_players_plays_are_walked_both_ways(ground: Ground) -> None:
    """Several of one moment and of moments less than a millisecond apart, other players' and another game's between them."""
    sql(ground.url, "INSERT INTO leaderboard_game (slug, name) VALUES ('other', 'Other')")
    other = (await ground.store.catalog()).games["other"]
    ground.version = await ground.store.catalog_version()
    ids: list[int] = []
    for number in range(7):
        at = later(number // 2 / 1_000_000)
        (landed,) = await ground.landed(ground.play(ground.ada, number, timestamp=at, game_mode="m", metadata='{"n": [1]}'))
        await ground.landed(ground.play(ground.bo, 1, timestamp=at), ground.play(ground.ada, 1, timestamp=at, game_id=other, feeds=()))
        ids.append(landed.session_id)
    walked: list[PlayRecord] = []
    while page := await ground.store.plays_before(ground.ada, ground.game_id, before=walked[-1] if walked else None, limit=3):
        walked += page
    assert [play.id for play in walked] == ids[::-1]
    assert (walked[-1].score, walked[-1].game_mode, walked[-1].submitter, walked[-1].timestamp) == (0, "m", "key:1", later(0))
    assert json.loads(walked[-1].metadata) == {"n": [1]}
    for since, until, expected in ((0, 4, ids), (1, 3, ids[2:6]), (1, 1, []), (3, 9, ids[6:])):
        span = (later(since / 1_000_000), later(until / 1_000_000))
        assert [play.id for play in await ground.store.plays_between(ground.ada, ground.game_id, *span, limit=10)] == expected
    assert [play.id for play in await ground.store.plays_between(ground.ada, ground.game_id, EVER, NEVER, limit=3)] == ids[:3]


async def test_the_last_edit_of_an_entry_is_found(ground: Ground) -> None:
    board = ground.board()
    assert await ground.store.last_edit(board, ground.ada) is None
    for user, season, until, score in (
        (ground.ada, 0, 3, "7"),
        (ground.ada, 0, 5, "NULL"),
        (ground.bo, 0, 9, "1"),
        (ground.ada, 1, 8, "2"),
    ):
        sql(
            ground.url,
            f"""INSERT INTO leaderboard_entryedit
                    (leaderboard_id, season, user_id, until_session, total_score, subscore, reason, actor, created_at)
                VALUES ({board.leaderboard_id}, {season}, {user}, {until}, {score}, 4, '', 'user:1', '2026-01-01 00:00:00+00:00')""",
        )
    made_at = datetime(2026, 1, 1, tzinfo=UTC)
    assert await ground.store.last_edit(board, ground.ada) == LastEdit(5, None, 4, made_at)
    assert await ground.store.last_edit(ground.board(season=1), ground.ada) == LastEdit(8, 2, 4, made_at)


async def test_players_are_found_by_their_names(ground: Ground) -> None:
    assert {name: player.id for name, player in (await ground.store.players_named(["bo", "nobody", "ada"])).items()} == {
        "ada": ground.ada,
        "bo": ground.bo,
    }
    assert await ground.store.players_named([]) == {}


async def test_ranks_count_the_better_ones_on_each_board(ground: Ground) -> None:
    entries = await crowded(ground, [5, 5, 1, 9])
    await ground.commit(ground.play(ground.ada, 3, feeds=ground.feeds(Operator.LATEST)))
    wanted = [(ground.board(), entry) for entry in entries] + [(ground.board(Operator.LATEST), entries[0]), (BoardId(10**6, 0), entries[0])]
    assert await ground.store.ranks(wanted) == [1, 2, 3, 4, 1, 1]
    assert await ground.store.ranks([]) == []


async def test_ranks_stop_counting_at_the_limit_and_use_the_calculated_rank(ground: Ground) -> None:
    entries = await crowded(ground, [10, 9, 8, 7, 6, 5])
    store = with_limit(ground.url, 3)
    wanted = [(ground.board(), entry) for entry in entries]
    assert await store.ranks(wanted) == [1, 2, 3, 4, 4, 4]
    assert await store.calculate_ranks(ground.board()) == 6
    assert await store.ranks(wanted) == [1, 2, 3, 4, 5, 6]
    sql(ground.url, "UPDATE leaderboard_leaderboardentry SET rank = 1")
    assert await store.ranks(wanted) == [1, 2, 3, 4, 4, 4], "a rank that can't be any more is not told"
    await store.aclose()


async def test_counting_stops_at_the_limit(ground: Ground) -> None:
    await crowded(ground, [5, 4, 3])
    assert [await ground.store.count(ground.board(), limit=limit) for limit in (0, 2, 3, 4)] == [0, 2, 3, 3]


async def test_entries_come_by_pages_each_player_once(ground: Ground) -> None:
    entries = await crowded(ground, list(range(11)))
    pages = [page async for page in ground.store.entries(ground.board(), page=4)]
    assert [len(page) for page in pages] == [4, 4, 3]
    assert sorted(entry for page in pages for entry in page) == sorted(entries)
    assert [page async for page in ground.store.entries(ground.board(Operator.SUM))] == []


async def test_entries_come_in_board_order_as_of_one_moment(postgres_ground: Ground) -> None:
    """Who is overtaken, or overtakes the reader, while the pages go by, is on them once and as before."""
    ground = postgres_ground
    entries = await crowded(ground, [number % 5 for number in range(11)])
    pages = []
    async for page in ground.store.entries(ground.board(), page=4):
        pages.append(page)
        await ground.landed(ground.play(entries[-len(pages)].user_id, 9))
    assert pages == [entries[:4], entries[4:8], entries[8:]]


async def test_a_board_too_large_to_be_sorted_in_time_comes_by_the_index_of_its_order(
    postgres_ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = await crowded(postgres_ground, [number % 5 for number in range(11)])
    monkeypatch.setattr(postgres, "_SORTED", "SELECT pg_sleep(600), $1::bigint, $2::bigint")
    store = open_store(postgres_ground.url, timeout_ms=500)
    pages = [page async for page in store.entries(postgres_ground.board(), page=4)]
    assert [entry for page in pages for entry in page] == sorted(entries, key=lambda entry: entry.order)
    await store.aclose()


async def test_a_reader_of_entries_that_stops_early_gives_its_connection_back(postgres_ground: Ground) -> None:
    await crowded(postgres_ground, list(range(11)))
    store = open_store(postgres_ground.url, pool_size=1)
    for _ in range(2):
        pages = store.entries(postgres_ground.board(), page=4)
        assert len(await anext(pages)) == 4
        await pages.aclose()  # type: ignore[attr-defined]
    assert await store.count(postgres_ground.board()) == 11
    await store.aclose()


async def test_a_connection_that_ends_between_pages_means_unavailable(postgres_ground: Ground) -> None:
    await crowded(postgres_ground, list(range(11)))
    pages = postgres_ground.store.entries(postgres_ground.board(), page=4)
    await anext(pages)
    sql(postgres_ground.url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'leaderboard'")
    with pytest.raises(StoreUnavailable):
        await anext(pages)


async def test_boards_are_those_with_entries(ground: Ground) -> None:
    assert await ground.store.boards() == []
    for season in (0, 100, 50):
        await ground.commit(ground.play(ground.ada, feeds=ground.feeds(Operator.SUM, Operator.BEST, season=season)))
    leaderboards = sorted([ground.leaderboards[Operator.SUM], ground.leaderboards[Operator.BEST]])
    assert await ground.store.boards() == [BoardId(each, season) for each in leaderboards for season in (0, 50, 100)]


async def test_a_player_who_is_not_on_a_board_has_no_entry(ground: Ground) -> None:
    assert await ground.store.entry(ground.board(), ground.ada) is None
    assert await ground.store.top(ground.board(), limit=10) == []
    assert await ground.store.count(ground.board()) == 0


async def test_entries_since_a_session_are_those_that_it_may_have_changed(ground: Ground) -> None:
    assert await ground.store.last_session_id() == 0
    assert await ground.store.entries_since(0, limit=10) == (0, [])
    (old,) = await ground.landed(ground.play(ground.ada, feeds=ground.feeds(Operator.SUM, season=1), timestamp=later(0)))
    new = await ground.landed(
        ground.play(ground.ada, feeds=ground.feeds(*EVERY, season=2), timestamp=later(60)),
        ground.play(ground.bo, feeds=ground.feeds(Operator.BEST, season=2), timestamp=later(61)),
    )
    await ground.landed(ground.play(ground.cy, timestamp=later(62)))
    last = await ground.store.last_session_id()
    assert last == new[1].session_id + 1

    looked_at, changed = await ground.store.entries_since(old.session_id, limit=2)
    assert looked_at == new[1].session_id
    assert {(board, entry.user_id): entry for board, entry in changed} == {
        (result.board, result.current.user_id): result.current for landed in new for result in landed.results
    }
    looked_at, changed = await ground.store.entries_since(looked_at, limit=2)
    assert (looked_at, [entry.user_id for _, entry in changed]) == (last, [ground.cy])
    assert await ground.store.entries_since(last, limit=2) == (last, [])


async def test_calculated_ranks_are_the_order_and_only_changes_are_written(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    for dialect in ("postgres", "sqlite"):
        monkeypatch.setattr(f"leaderboard.store.{dialect}.RANK_PAGE", 4)
    entries = await crowded(ground, [number % 5 for number in range(11)])
    assert await ground.store.calculate_ranks(ground.board()) == 11
    assert await ground.store.calculate_ranks(ground.board()) == 0
    ranks = dict(sql(ground.url, "SELECT user_id, rank FROM leaderboard_leaderboardentry"))
    assert [ranks[entry.user_id] for entry in entries] == list(range(1, 12))
    await ground.commit(ground.play(entries[2].user_id, 99))
    assert await ground.store.calculate_ranks(ground.board()) == 3
    assert await ground.store.calculate_ranks(ground.board(Operator.SUM)) == 0


# --- Concurrency -------------------------------------------------------------------------------------------------------


async def test_two_stores_hammering_the_same_players_lose_nothing(ground: Ground, second_store: Store) -> None:
    """Every batch holds every player, in a different order; ranks are calculated meanwhile."""
    users = [ground.ada, ground.bo, ground.cy, *ground.crowd]
    feeds = ground.feeds(*EVERY)

    async def hammer(store: Store, seed: int) -> None:
        rng = random.Random(seed)
        for number in range(12):
            batch = [ground.play(user, 1, feeds=feeds, key=f"{seed}-{number}-{user}") for user in rng.sample(users, len(users))]
            outcomes = await store.commit(batch, catalog_version=ground.version)
            assert all(isinstance(outcome, Landed) for outcome in outcomes)

    async def rank() -> None:
        for _ in range(6):
            await second_store.calculate_ranks(ground.board(Operator.SUM))

    await asyncio.gather(*(hammer([ground.store, second_store][seed % 2], seed) for seed in range(4)), rank())
    assert ground.rows("gamesession") == 48 * len(users)
    for entry in await ground.store.top(ground.board(Operator.SUM), limit=100):
        assert (entry.score_key, entry.version) == (-48, 48)
    best = await ground.store.top(ground.board(Operator.BEST), limit=100)
    firsts = dict(sql(ground.url, "SELECT user_id, min(id) FROM leaderboard_gamesession GROUP BY user_id"))
    lasts = dict(sql(ground.url, "SELECT user_id, max(id) FROM leaderboard_gamesession GROUP BY user_id"))
    assert {entry.user_id: entry.session_id for entry in best} == firsts
    assert {e.user_id: e.session_id for e in await ground.store.top(ground.board(Operator.LATEST), limit=100)} == lasts
    if ground.is_postgres:
        (deadlocks,) = sql(ground.url, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        assert deadlocks == (0,)


async def test_group_commit_over_the_store_lands_what_came_in(ground: Ground) -> None:
    async def flush(batch: list[Any]) -> list[Outcome]:
        return await ground.store.commit(batch, catalog_version=ground.version)

    commits: GroupCommit[Any, Outcome] = GroupCommit(flush, batch_limit=8, queue_limit=1_000)
    users = [ground.ada, ground.bo, *ground.crowd]
    fold = Fold()
    submissions = [ground.play(users[number % len(users)], number, feeds=ground.feeds(*EVERY)) for number in range(200)]
    outcomes = await asyncio.gather(*(commits.submit(submission, owner=submission.user_id) for submission in submissions))
    for submission, outcome in zip(submissions, outcomes, strict=True):
        assert isinstance(outcome, Landed)
        assert told(outcome) == fold.add(submission, outcome)
    await commits.aclose()


async def test_cancelled_calls_leave_the_store_healthy(ground: Ground) -> None:
    await crowded(ground, list(range(50)))

    async def read() -> object:
        return await ground.store.top(ground.board(), limit=50)

    for turns in range(40):
        task = asyncio.create_task(read())
        for _ in range(turns % 8):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    writing = [asyncio.create_task(ground.commit(ground.play(user))) for user in ground.crowd]
    await asyncio.sleep(0)
    for task in writing:
        task.cancel()
    await asyncio.gather(*writing, return_exceptions=True)
    assert len(await asyncio.gather(*(read() for _ in range(20)))) == 20
    assert len(await ground.landed(ground.play(ground.ada))) == 1


async def test_a_closed_store_opens_anew(ground: Ground) -> None:
    await ground.store.ping()
    await ground.store.aclose()
    await ground.store.aclose()
    await ground.store.ping()


def test_a_store_serves_one_event_loop_after_the_other(database_url: str) -> None:
    store = open_store(database_url)

    async def use() -> int:
        await store.ping()
        version = await store.catalog_version()
        await store.aclose()
        return version

    assert asyncio.run(use()) == asyncio.run(use())


# --- What the database itself holds ------------------------------------------------------------------------------------


async def test_sessions_are_append_only_but_for_the_erasure_door(ground: Ground) -> None:
    (landed,) = await ground.landed(ground.play(ground.ada))
    session = f"leaderboard_gamesession WHERE id = {landed.session_id}"
    for change in (f"DELETE FROM {session}", "UPDATE leaderboard_gamesession SET score = 1"):
        with pytest.raises(Exception, match="append-only"):
            sql(ground.url, change)
    sql(ground.url, "UPDATE leaderboard_catalog SET erasing = true")
    sql(ground.url, f"DELETE FROM {session}")
    assert ground.rows("gamesession") == 0


async def test_the_orm_reads_what_the_store_wrote(ground: Ground, django_db_blocker: Any) -> None:
    await ground.store.ensure_players([("dee", "Dee Dee")])
    (landed,) = await ground.landed(
        ground.play(ground.ada, 5, 2, metadata='{"weapon": "örk"}', timestamp=later(0.25), key="k", feeds=ground.feeds(Operator.SUM))
    )
    await ground.store.keep_answer([(landed.session_id, b"\x00answer")])

    def read(alias: str) -> tuple[Any, ...]:
        from django.contrib.auth import get_user_model

        from leaderboard.models import GameSession, LeaderboardEntry

        session = GameSession.objects.using(alias).select_related("answer").get()
        entry = LeaderboardEntry.objects.using(alias).get()
        dee = get_user_model().objects.using(alias).get(username="dee")
        return (
            (session.metadata, session.timestamp, bytes(session.fingerprint), bytes(session.answer.answer)),
            (entry.total_score, entry.subscore, entry.achieved_at, entry.last_updated, entry.session_id == session.pk),
            (dee.first_name, dee.has_usable_password(), dee.is_active, dee.date_joined.tzinfo is not None),
            GameSession.objects.using(alias).filter(timestamp__gte=later(0.25)).count(),
        )

    session, entry, dee, found = await asyncio.to_thread(orm, ground.url, read, blocker=django_db_blocker)
    assert session == ({"weapon": "örk"}, later(0.25), b"asked", b"\x00answer")
    assert entry == (5, 2, later(0.25), later(0.25), True)
    assert dee == ("Dee Dee", False, True, True)
    assert found == 1


async def test_the_store_reads_what_the_orm_wrote(ground: Ground, django_db_blocker: Any) -> None:
    def write(alias: str) -> int:
        from django.contrib.auth import get_user_model

        from leaderboard.models import ApiKey, GameSession, Leaderboard, LeaderboardEntry

        leaderboard = Leaderboard.objects.using(alias).get(slug="contract-best")
        leaderboard.metadata = {"theme": "dark"}
        leaderboard.save()
        ApiKey.objects.using(alias).create(game=leaderboard.game, prefix="p", digest=b"d" * 32, scopes=["x"], expires_at=later(1.5))
        user = get_user_model().objects.db_manager(alias).create_user("eve", first_name="Eve")
        session = GameSession.objects.using(alias).create(user=user, game=leaderboard.game, score=4, timestamp=later(0.125), metadata={})
        LeaderboardEntry.objects.using(alias).create(
            leaderboard=leaderboard, user=user, total_score=4, score_key=-4, subscore_key=0, session_id=session.pk,
            achieved_at=later(0.125), last_updated=later(0.125),
        )  # fmt: skip
        return session.pk

    session_id = await asyncio.to_thread(orm, ground.url, write, blocker=django_db_blocker)
    catalog = await ground.store.catalog()
    assert catalog.version > ground.version
    assert next(each.metadata for each in catalog.definitions if each.slug == "contract-best") == {"theme": "dark"}
    assert [(key.digest, key.expires_at) for key in catalog.keys] == [(b"d" * 32, later(1.5))]
    eve = (await ground.store.players_named(["eve"]))["eve"]
    assert eve.name == "Eve"
    session = await ground.store.session(session_id)
    assert session is not None
    assert session.timestamp == later(0.125)
    entry = await ground.store.entry(ground.board(), eve.id)
    assert entry == Entry(eve.id, -4, 0, session_id, 1, round(later(0.125).timestamp() * 1000))
    assert await ground.store.last_session_id() == session_id
    ground.version = catalog.version
    (landed,) = await ground.landed(ground.play(eve.id, 5, timestamp=later(9)))
    assert landed.session_id > session_id
    assert landed.results[0].before == entry.order


# --- Away --------------------------------------------------------------------------------------------------------------


async def test_a_database_that_is_not_there_is_unavailable(tmp_path: Any) -> None:
    for url in (f"sqlite:///{tmp_path}/none.sqlite3", "postgresql://nobody@127.0.0.1:1/none"):
        store = open_store(url)
        for call in (store.ping(), store.catalog(), store.keep_answer([(1, b"")]), store.last_session_id()):
            with pytest.raises(StoreUnavailable):
                await call
        await store.aclose()
    assert list(tmp_path.iterdir()) == [], "no new database is made"


@pytest.mark.slow
async def test_a_writer_that_does_not_get_its_turn_gives_up_in_time(ground: Ground, database_url: str) -> None:
    """Another connection holds the catalog's row or the file: the wait has an end, and afterwards all is well."""
    hurried = open_store(database_url, timeout_ms=200)
    with lock(ground), pytest.raises(StoreUnavailable):
        await hurried.commit([ground.play(ground.ada)], catalog_version=ground.version)
    assert ground.rows("gamesession") == 0
    assert isinstance((await hurried.commit([ground.play(ground.ada)], catalog_version=ground.version))[0], Landed)
    await hurried.aclose()


class lock:  # noqa: N801 - reads as a statement
    """Holds what a commit needs, by a connection of its own."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground

    def __enter__(self) -> None:
        if self.ground.is_postgres:
            import psycopg

            self.connection: Any = psycopg.connect(self.ground.url)
            self.connection.execute("LOCK TABLE leaderboard_gamesession IN EXCLUSIVE MODE")
        else:
            import sqlite3

            self.connection = sqlite3.connect(self.ground.url.removeprefix("sqlite:///"), isolation_level=None)
            self.connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, *_: object) -> None:
        self.connection.rollback()
        self.connection.close()


async def test_a_session_that_is_not_visible_yet_is_not_passed_over(postgres_ground: Ground) -> None:
    """An id is given before its commit. A later id that commits first must not move the sweep past it."""
    import psycopg

    ground = postgres_ground
    with psycopg.connect(ground.url) as slow:
        slow.execute(
            'INSERT INTO leaderboard_gamesession (user_id, game_id, score, subscore, game_mode, metadata, "timestamp", submitter) '
            f"VALUES ({ground.bo}, {ground.game_id}, 1, 0, '', '{{}}', now(), '')"
        )
        (landed,) = await ground.landed(ground.play(ground.ada))
        looked_at, changed = await ground.store.entries_since(0, limit=10)
        assert [entry.user_id for _, entry in changed] == [ground.ada], "what is visible is told all the same"
        assert looked_at < landed.session_id
        assert await ground.store.last_session_id() < landed.session_id
    assert (await ground.store.entries_since(looked_at, limit=10))[0] == landed.session_id
    assert await ground.store.last_session_id() == landed.session_id


async def test_connections_that_the_server_ended_are_replaced(postgres_ground: Ground) -> None:
    ground = postgres_ground
    await asyncio.gather(*(ground.store.ping() for _ in range(10)))
    sql(ground.url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'leaderboard'")
    assert await asyncio.gather(*(ground.store.count(ground.board()) for _ in range(10))) == [0] * 10
    assert len(await ground.landed(ground.play(ground.ada))) == 1


async def test_plans_made_on_an_empty_board_read_few_rows_of_a_full_one(postgres_ground: Ground) -> None:
    """It planned its first statements before any statistics, looked users up by the index of ranks, and each commit read whole boards."""
    ground = postgres_ground
    feeds = ground.feeds(*EVERY)
    await ground.landed(ground.play(ground.ada, feeds=feeds))
    players = await ground.store.ensure_players([(f"many{number}", "") for number in range(500)])
    ids = [player.id for player in players.values()]
    for start in range(0, 500, 100):
        await ground.landed(*(ground.play(user, user, feeds=feeds) for user in ids[start : start + 100]))
    for user in ids[:100]:
        assert await ground.store.entry(ground.board(), user)
        assert len((await ground.store.entries_since(await ground.store.last_session_id() - 1, limit=1))[1]) == 4
    entry = (await ground.landed(ground.play(ground.ada, feeds=feeds)))[0].results[0].current
    assert await ground.store.entry(ground.board(), ground.ada) == entry
    assert len(await ground.store.top(ground.board(), limit=5)) == 5
    assert len((await ground.store.around(ground.board(), entry, limit=2))[0]) == 2
    await ground.store.aclose()  # a connection tells its statistics when it ends
    read = "SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname = 'leaderboard_leaderboardentry'"
    scanned = "SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'leaderboard_leaderboardentry'"
    assert sql(ground.url, read)[0][0] < 10_000, "about four for each of 500 players' four entries, and whole boards for none"
    assert sql(ground.url, scanned) == [(0,)]


async def test_it_works_without_a_statement_cache(postgres_ground: Ground) -> None:
    store = open_store(postgres_ground.url, statement_cache=0, pool_size=2)
    for _ in range(3):
        outcomes = await store.commit([postgres_ground.play(postgres_ground.ada)], catalog_version=postgres_ground.version)
        assert isinstance(outcomes[0], Landed)
        assert [page async for page in store.entries(postgres_ground.board())] == [await store.top(postgres_ground.board(), limit=9)]
    await store.aclose()


async def test_who_waits_for_a_connection_gets_one_however_busy_the_others_are(postgres_ground: Ground) -> None:
    """Those who had one handed it on to each other: it was kept at hand for the next, and never came back to the pool."""
    store = open_store(postgres_ground.url, pool_size=2)
    done: Counter[int] = Counter()

    async def ask(number: int) -> None:
        while min(done[each] for each in range(5)) < 3:
            await store.ping()
            done[number] += 1

    async with asyncio.timeout(30):
        await asyncio.gather(*map(ask, range(5)))
    await store.aclose()


@pytest.mark.parametrize("url", ["mysql://x/y", "sqlite://", "sqlite:///:memory:", ""])
def test_a_url_that_is_no_store_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"SQLite file|must start with"):
        open_store(url)


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """A server that the test may stop and kill."""
    server = start_postgres(durable=True)
    yield server
    server.remove()


@pytest.mark.slow
async def test_a_server_that_is_killed_and_comes_back_has_every_landed_score(own_server: PostgresServer) -> None:
    url = own_server.create_database("game")
    await asyncio.to_thread(migrate, url)
    store = open_store(url, timeout_ms=2_000)
    ground = await break_ground(url, store)
    acknowledged = 0
    unclear = 0

    async def submit_until_it_is_gone(user: int) -> None:
        nonlocal acknowledged, unclear
        while True:
            try:
                await ground.landed(ground.play(user, 1, feeds=ground.feeds(Operator.SUM)))
            except StoreUnavailable:
                unclear += 1
                return
            acknowledged += 1
            if acknowledged == 50:
                own_server.kill()

    await asyncio.gather(*(submit_until_it_is_gone(user) for user in ground.crowd))
    with pytest.raises(StoreUnavailable):
        await store.ping()
    await asyncio.to_thread(own_server.start)
    await store.ping()
    assert acknowledged <= ground.rows("gamesession") <= acknowledged + unclear
    total = sum(-entry.score_key for entry in await store.top(ground.board(Operator.SUM), limit=100))
    assert total == ground.rows("gamesession")
    assert len(await ground.landed(ground.play(ground.ada))) == 1
    await store.aclose()


# --- Moderators' edits -------------------------------------------------------------------------------------------------


async def test_edits_are_read_in_order_from_a_place_on(ground: Ground) -> None:
    assert (await ground.store.last_edit_id(), await ground.store.edits_since(0, limit=5)) == (0, [])
    for until, total in [(4, "NULL"), (5, "17"), (6, "NULL")]:
        values = f"{ground.board().leaderboard_id}, 0, {ground.ada}, {until}, {total}, 0, '', 'user:1', '2026-05-01 12:00:00+00:00'"
        columns = "leaderboard_id, season, user_id, until_session, total_score, subscore, reason, actor, created_at"
        sql(ground.url, f"INSERT INTO leaderboard_entryedit ({columns}) VALUES ({values})")
    first, *others = await ground.store.edits_since(0, limit=5)
    assert (first.board, first.user_id, first.until_session, first.is_removal) == (ground.board(), ground.ada, 4, True)
    assert [(edit.until_session, edit.is_removal) for edit in others] == [(5, False), (6, True)]
    assert await ground.store.edits_since(first.id, limit=1) == others[:1]
    assert await ground.store.last_edit_id() == others[-1].id


# --- What API keys leave behind ------------------------------------------------------------------------------------------


def new_key(ground: Ground, prefix: str) -> int:
    """The id of a new API key, made by hand."""
    digest = "x'00'" if not ground.is_postgres else "'\\x00'"
    sql(
        ground.url,
        f"""INSERT INTO leaderboard_apikey (game_id, name, prefix, digest, scopes, created_at)
            VALUES ({ground.game_id}, '', '{prefix}', {digest}, '[]', '2026-01-01 00:00:00+00')""",
    )
    return int(sql(ground.url, f"SELECT id FROM leaderboard_apikey WHERE prefix = '{prefix}'")[0][0])


async def test_a_nonce_is_new_once_to_each_key(ground: Ground, second_store: Store) -> None:
    ones, others = new_key(ground, "one"), new_key(ground, "other")
    assert await ground.store.use_nonce(ones, "n" * 64, expires_at=later(0))
    assert not await second_store.use_nonce(ones, "n" * 64, expires_at=later(60))
    assert await second_store.use_nonce(others, "n" * 64, expires_at=later(0))
    assert await ground.store.use_nonce(ones, "N" * 64, expires_at=later(0)), "case counts"
    assert ground.rows("usednonce") == 3


async def test_of_many_who_use_a_nonce_at_once_one_is_told_that_it_is_new(ground: Ground, second_store: Store) -> None:
    key_id = new_key(ground, "one")
    for number in range(5):
        told = await asyncio.gather(
            *[store.use_nonce(key_id, f"nonce-{number}", expires_at=later(0)) for store in (ground.store, second_store) * 10]
        )
        assert sum(told) == 1


async def test_a_nonce_of_no_key_is_not_new_and_breaks_nothing(ground: Ground) -> None:
    assert not await ground.store.use_nonce(10**9, "n" * 16, expires_at=later(0))
    assert ground.rows("usednonce") == 0
    assert await ground.store.use_nonce(new_key(ground, "one"), "n" * 16, expires_at=later(0))


async def test_nonces_are_forgotten_from_the_oldest_on_and_never_before_their_time(ground: Ground) -> None:
    key_id = new_key(ground, "one")
    for second in (3, 0, 0.5, 1, 2):
        await ground.store.use_nonce(key_id, f"at-{second}", expires_at=later(second))
    assert await ground.store.forget_nonces(before=later(0), limit=10) == 0
    assert await ground.store.forget_nonces(before=later(2), limit=2) == 2
    assert {row[0] for row in sql(ground.url, "SELECT nonce FROM leaderboard_usednonce")} == {"at-1", "at-2", "at-3"}
    assert await ground.store.forget_nonces(before=later(2), limit=2) == 1
    assert {row[0] for row in sql(ground.url, "SELECT nonce FROM leaderboard_usednonce")} == {"at-2", "at-3"}


async def test_the_latest_use_of_a_key_is_kept(ground: Ground, second_store: Store) -> None:
    one, other = new_key(ground, "one"), new_key(ground, "other")
    await ground.store.note_key_uses([])
    await ground.store.note_key_uses([(one, later(60.5)), (other, later(0)), (10**9, later(0))])
    await second_store.note_key_uses([(one, later(60)), (other, later(1.5))])
    rows = sql(ground.url, "SELECT key_id, CAST(last_used_at AS varchar(21)) FROM leaderboard_apikeyuse ORDER BY key_id")
    assert [(row[0], str(row[1])[:21]) for row in rows] == [(one, "2026-05-01 12:01:00.5"), (other, "2026-05-01 12:00:01.5")]
