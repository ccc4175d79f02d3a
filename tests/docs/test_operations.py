"""What docs/operations.md tells an operator to do is done here, on real servers, and has the effect that is told."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from tests.docs.reading import OPERATIONS, ROOT, Block, blocks, difference, pairs
from tests.servers.stack import Stack, start_stack

pytestmark = pytest.mark.slow

HEALTH = pairs(blocks(OPERATIONS, "http"))
PATIENCE_S = 30.0


@pytest.mark.parametrize(("request_block", "shown"), HEALTH, ids=[request.text.strip() for request, _ in HEALTH])
def test_a_probe_gets_the_answer_that_is_shown(fresh_stack: Stack, request_block: Block, shown: Block) -> None:
    answer = httpx.get(fresh_stack.url + request_block.text.split(" ")[1].strip())
    head, _, body = shown.text.partition("\n\n")
    assert f"HTTP/1.1 {answer.status_code} " in head
    assert difference(json.loads(body), answer.json()) is None


class Club:
    """A game of its own on a process set: a board and a key."""

    def __init__(self, stack: Stack, game: str) -> None:
        stack.manage("create_board", "--create-game", "--game", game, "--slug", game, "--operator", "sum")
        self.board, self.key = game, stack.manage("create_api_key", "--game", game).strip()

    def post(self, stack: Stack, player: str, score: int, *, key: str = "") -> httpx.Response:
        headers = {"Authorization": f"Api-Key {key or self.key}"}
        return httpx.post(f"{stack.url}/api/v1/scores/", json={"player": player, "score": score}, headers=headers)

    def top(self, stack: Stack) -> list[tuple[str, int]]:
        answer = httpx.get(f"{stack.url}/api/v1/leaderboard/{self.board}/top/").json()
        return [(row["player"], row["score"]) for row in answer["entries"]]


@pytest.fixture(scope="module")
def club(stack: Stack) -> Club:
    club = Club(stack, "ops-club")
    assert [club.post(stack, *play).status_code for play in (("ops-ada", 3), ("ops-bo", 2))] == [201, 201]
    return club


def _database(stack: Stack) -> Path:
    return stack.directory / "db.sqlite3"


def _query(stack: Stack, statement: str) -> list[Any]:
    with closing(sqlite3.connect(_database(stack), timeout=PATIENCE_S)) as connection, connection:
        return connection.execute(statement).fetchall()


def test_a_key_that_was_taken_back_is_not_accepted_any_more(stack: Stack, club: Club) -> None:
    key = stack.manage("create_api_key", "--game", club.board).strip()
    assert club.post(stack, "ops-bo", 0, key=key).status_code == 201
    assert "python manage.py revoke_api_key 1a2b3c4d\n" in OPERATIONS.read_text()
    stack.manage("revoke_api_key", key.split("_")[1])
    deadline = time.monotonic() + PATIENCE_S
    while (answer := club.post(stack, "ops-bo", 0, key=key)).status_code != 401:
        assert time.monotonic() < deadline
    assert answer.json()["code"] == "not_authenticated"
    assert club.post(stack, "ops-bo", 0).status_code == 201


def test_sessions_can_not_be_deleted_past_the_door(stack: Stack, club: Club) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        _query(stack, "DELETE FROM leaderboard_gamesession")
    assert _query(stack, "SELECT erasing FROM leaderboard_catalog") == [(0,)]


def test_an_erased_player_is_gone_from_boards_and_tables(stack: Stack, club: Club) -> None:
    assert club.post(stack, "ops-cy", 9).status_code == 201
    assert "1 sessions and 1 entries" in stack.manage("erase_player", "ops-cy")
    assert club.top(stack) == [("ops-ada", 3), ("ops-bo", 2)]
    assert f"{club.board}: 2 entries, index equals SQL" in stack.manage("check_index", "--board", club.board)
    assert _query(stack, "SELECT count(*) FROM auth_user WHERE username = 'ops-cy'") == [(0,)]
    assert _query(stack, "SELECT erasing FROM leaderboard_catalog") == [(0,)]


# --- Backup and restore -------------------------------------------------------------------------------------------------


@pytest.fixture
def restored(tmp_path: Path, redis_url: str) -> Club:
    """The database as it was in a backup that was made while all ran; Redis as scores that came later have left it."""
    with start_stack(f"sqlite:///{tmp_path / 'db.sqlite3'}", redis_url, directory=tmp_path) as stack:
        cup = Club(stack, "cup")
        assert [cup.post(stack, *play).status_code for play in (("ada", 5), ("bo", 4))] == [201, 201]
        with closing(sqlite3.connect(_database(stack))) as source, closing(sqlite3.connect(tmp_path / "backup.sqlite3")) as target:
            source.backup(target)  # what the shell's .backup does
        assert [cup.post(stack, *play).status_code for play in (("bo", 10), ("cy", 9))] == [201, 201]
        assert cup.top(stack) == [("bo", 14), ("cy", 9), ("ada", 5)]
    for suffix in ("-wal", "-shm"):
        (tmp_path / f"db.sqlite3{suffix}").unlink(missing_ok=True)
    shutil.copy(tmp_path / "backup.sqlite3", tmp_path / "db.sqlite3")
    return cup


def test_after_a_restore_redis_is_filled_by_rebuild_index_or_by_itself_once_emptied(restored: Club, tmp_path: Path, redis_url: str) -> None:
    database_url = f"sqlite:///{tmp_path / 'db.sqlite3'}"
    given = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "STATE_DIR": str(tmp_path / "state")}
    told = [_manage(given, *words) for words in (["check_index"], ["rebuild_index", "--board", "cup"], ["check_index", "--board", "cup"])]
    assert [done.returncode for done in told] == [1, 0, 0]
    assert told[-1].stdout == "cup: 2 entries, index equals SQL\n"

    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
    with start_stack(database_url, redis_url, directory=tmp_path) as stack:
        assert restored.top(stack) == [("ada", 5), ("bo", 4)]
        assert restored.post(stack, "cy", 1).json()["results"][0]["total"] == 3
        _wait_until_checked(given)
        assert restored.top(stack) == [("ada", 5), ("bo", 4), ("cy", 1)]


def _manage(given: dict[str, str], *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "manage.py", *words]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **given}, capture_output=True, text=True, check=False)


def _wait_until_checked(given: dict[str, str]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while _manage(given, "check_index").returncode:
        assert time.monotonic() < deadline, "the index was not rebuilt"
