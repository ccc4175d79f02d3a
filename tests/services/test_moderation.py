"""Erasing a player: the one door in the append-only rule, and the boards without the player."""

import os
import subprocess
import sys

import httpx
import pytest

from leaderboard import runtime
from leaderboard.services import Services
from tests.cast import Cast
from tests.servers.stack import ROOT


def manage(database_url: str, redis_url: str, *words: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "DATABASE_URL": database_url, "REDIS_URL": redis_url, "SECRET_KEY": "for-tests-only-" * 4}
    return subprocess.run([sys.executable, "manage.py", *words], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.slow
async def test_an_erased_player_is_gone_from_sql_and_from_every_board(
    api: httpx.AsyncClient, cast: Cast, services: Services, database_url: str, redis_url: str
) -> None:
    for player, score in [("ada", 3), ("bo", 2), ("ada", 5), ("cy", 1)]:
        await api.post(
            "/api/v1/scores/", json={"player": player, "score": score}, headers=cast.auth | {"Idempotency-Key": f"{player}{score}"}
        )
    await services.upkeep.sweep(now=runtime.utc_now())
    done = manage(database_url, redis_url, "erase_player", "ada")
    assert (done.returncode, done.stdout) == (0, "2 sessions and 2 entries of 'ada' are gone\n")
    top = (await api.get("/api/v1/leaderboard/arcade-best/top/")).json()
    assert [(row["rank"], row["player"]) for row in top["entries"]] == [(1, "bo"), (2, "cy")]
    assert await cast.count("gamesession") == 2
    assert await cast.sql("SELECT count(*) FROM auth_user WHERE username = 'ada'") == [(0,)]
    assert manage(database_url, redis_url, "check_index").returncode == 0
    with pytest.raises(Exception, match="append-only"):  # the door is shut again
        await cast.sql("DELETE FROM leaderboard_gamesession")


@pytest.mark.slow
async def test_check_index_finds_drift_and_rebuild_index_mends_it(
    api: httpx.AsyncClient, cast: Cast, services: Services, database_url: str, redis_url: str
) -> None:
    for player, score in [("ada", 3), ("bo", 2)]:
        await api.post("/api/v1/scores/", json={"player": player, "score": score}, headers=cast.auth)
    assert "not indexed" in manage(database_url, redis_url, "check_index").stdout
    assert manage(database_url, redis_url, "rebuild_index").returncode == 0
    assert manage(database_url, redis_url, "check_index").returncode == 0
    newest = "(SELECT max(user_id) FROM leaderboard_leaderboardentry)"
    await cast.sql(f"UPDATE leaderboard_leaderboardentry SET submissions = submissions + 1 WHERE user_id = {newest}")
    drifted = manage(database_url, redis_url, "check_index", "--board", "arcade-best")
    assert (drifted.returncode, "stale" in drifted.stdout) == (1, True)
    assert "entries" in manage(database_url, redis_url, "rebuild_index", "--board", "arcade-best").stdout
    assert manage(database_url, redis_url, "check_index", "--board", "arcade-best").returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("command", ["check_index", "rebuild_index"])
def test_a_command_says_in_a_sentence_what_is_wrong(database_url: str, redis_url: str, command: str) -> None:
    unknown = manage(database_url, redis_url, command, "--board", "nowhere")
    assert (unknown.returncode, unknown.stderr.strip()) == (1, "CommandError: There is no leaderboard 'nowhere'.")
    away = manage(database_url, "redis://127.0.0.1:1/0", command)
    assert away.returncode == 1
    assert away.stderr.startswith("CommandError: ")
    assert "Traceback" not in away.stderr
