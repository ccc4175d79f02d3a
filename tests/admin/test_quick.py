"""Lists of many: as few queries for a crowd as for three, and each by an index."""

from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from leaderboard import runtime
from leaderboard.admin.lists import COUNTED
from leaderboard.models import ApiKey, ApiKeyUse, EntryEdit, Game, GameSession, Leaderboard, LeaderboardEntry
from tests.cast import Cast

LISTS = (LeaderboardEntry, GameSession, User)
MANY: list[tuple[Any, dict[str, str]]] = [(model, query) for model in LISTS for query in ({}, {"q": "p7"})]
FEW = ("leaderboard_leaderboard ", "leaderboard_game ")  # tables that are read whole
IDS = [f"{model.__name__}{' by name' if query else ''}" for model, query in MANY]

PLAYERS = """INSERT INTO auth_user (username, password, first_name, last_name, email, is_superuser, is_staff, is_active, date_joined)
    SELECT 'p' || i, '!', '', '', '', {false}, {false}, {true}, '2026-01-01 00:00:00+00:00' FROM {numbers}"""
ENTRIES = """INSERT INTO leaderboard_leaderboardentry (leaderboard_id, season, user_id, total_score, subscore, score_key, subscore_key,
    session_id, achieved_at, submissions, last_updated)
    SELECT {board}, 0, id, id, 0, -id, 0, id, '2026-01-01 00:00:00+00:00', 1, '2026-01-01 00:00:00+00:00' FROM auth_user"""
SESSIONS = """INSERT INTO leaderboard_gamesession (user_id, game_id, score, subscore, game_mode, metadata, timestamp, submitter)
    SELECT id, {game}, id, 0, '', '{{}}', '2026-01-01 00:00:00+00:00', '' FROM auth_user"""


async def crowd(cast: Cast, size: int) -> None:
    is_sqlite = cast.database_url.startswith("sqlite")
    numbers = f"generate_series(1, {size}) AS g(i)"
    if is_sqlite:
        numbers = f"(WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < {size}) SELECT i FROM g)"
    words = {"true": "1", "false": "0"} if is_sqlite else {"true": "true", "false": "false"}
    board = (await cast.sql("SELECT id FROM leaderboard_leaderboard WHERE slug = 'arcade-best'"))[0][0]
    for statement in (PLAYERS, ENTRIES, SESSIONS):
        await cast.sql(statement.format(numbers=numbers, board=board, game=cast.games["arcade"], **words))
    if not is_sqlite:
        await cast.sql("ANALYZE")


def asked(model: Any, query: dict[str, str]) -> tuple[str, list[str]]:
    """A list's page, and what it asks SQL."""
    request = RequestFactory().get("/", query)
    request.user = User(pk=1, username="mo", is_staff=True, is_superuser=True, is_active=True)  # type: ignore[assignment]
    with CaptureQueriesContext(connection) as captured:
        page = admin.site._registry[model].changelist_view(request)
        text = page.render().content.decode()  # type: ignore[attr-defined]
    return text, [each["sql"] for each in captured.captured_queries]


@pytest.mark.parametrize(("model", "query"), MANY, ids=IDS)
async def test_a_crowd_takes_no_more_queries_than_three(cast: Cast, orm: None, model: Any, query: dict[str, str]) -> None:
    await crowd(cast, 7)
    few = await sync_to_async(asked)(model, query)
    await cast.sql("DELETE FROM leaderboard_leaderboardentry")
    await cast.sql("UPDATE auth_user SET username = 'old-' || username")
    await crowd(cast, 60)
    many = await sync_to_async(asked)(model, query)
    assert len(many[1]) == len(few[1]) <= 4


def furnish(first: int, last: int) -> None:
    """Games, each with a leaderboard, a key that was used, and an edit of an entry."""
    for number in range(first, last):
        game = Game.objects.create(slug=f"g{number}", name="g")
        board = Leaderboard.objects.create(game=game, slug=f"b{number}", title="b")
        key = ApiKey.objects.create(game=game, prefix=f"p{number}", digest=b"%032d" % number)
        ApiKeyUse.objects.create(key=key, last_used_at=runtime.utc_now())
        user = User.objects.create(username=f"u{number}")
        EntryEdit.objects.create(leaderboard=board, season=0, user=user, until_session=0, actor="user:1")


@pytest.mark.parametrize("model", [Leaderboard, ApiKey, EntryEdit])
async def test_a_list_of_games_things_asks_nothing_for_each_row(
    cast: Cast, orm: None, settings: Settings, redis_url: str, model: Any
) -> None:
    settings.DATABASE_URL, settings.REDIS_URL = cast.database_url, redis_url  # of the services that count boards' entries
    await sync_to_async(furnish)(0, 3)
    few = await sync_to_async(asked)(model, {})
    await sync_to_async(furnish)(3, 20)
    many = await sync_to_async(asked)(model, {})
    assert len(many[1]) == len(few[1]) <= 4


@pytest.mark.parametrize(("model", "query"), MANY, ids=IDS)
async def test_a_list_reads_no_table_from_end_to_end(cast: Cast, orm: None, model: Any, query: dict[str, str]) -> None:
    if cast.database_url.startswith("sqlite"):
        pytest.skip("SQLite's plans have no sizes")
    await crowd(cast, 3 * COUNTED)
    _, statements = await sync_to_async(asked)(model, query)
    pages = [statement for statement in statements if "COUNT(" not in statement]
    plans = {statement: await plan(cast, statement) for statement in pages}
    for statement, lines in plans.items():
        scans = [
            line for line in lines if "Seq Scan" in line and "leaderboard_leaderboard " not in line and "leaderboard_game " not in line
        ]
        assert not scans, (statement, lines)


async def plan(cast: Cast, statement: str) -> list[str]:
    return [line for (line,) in await cast.sql(f"EXPLAIN {statement}")]


@pytest.mark.parametrize("model", LISTS)
async def test_counting_stops(cast: Cast, orm: None, model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leaderboard.admin.lists.COUNTED", 50)
    await crowd(cast, 60)
    page, statements = await sync_to_async(asked)(model, {})
    counts = [statement for statement in statements if "COUNT(" in statement]
    assert len(counts) == 1
    assert "LIMIT 50" in counts[0]
    assert "50 " in page
