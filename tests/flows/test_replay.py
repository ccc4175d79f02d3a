"""A real contest, replayed through REST, ends in its official standings in REST, in SQL, in the index and on a watcher's screen."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cast import run_sql
from tests.servers.stack import ROOT, Stack, start_stack
from tests.watcher import Watcher

pytestmark = pytest.mark.slow

CONTEST = Path(os.environ.get("CONTEST_DATA") or ROOT.parent / "shared/data/icpc-world-finals-48")

STANDINGS = """SELECT u.username, e.total_score, e.subscore FROM leaderboard_leaderboardentry e
    JOIN leaderboard_leaderboard b ON b.id = e.leaderboard_id JOIN auth_user u ON u.id = e.user_id
    WHERE b.slug = 'finals' ORDER BY e.score_key, e.subscore_key, e.session_id"""


@pytest.mark.skipif(not CONTEST.is_dir(), reason=f"the contest's data is not at {CONTEST} (set CONTEST_DATA)")
async def test_a_replayed_contest_ends_in_its_official_standings(database_url: str, tmp_path: Path) -> None:
    expected = [[rank, team, solved, penalty] for rank, team, solved, penalty in json.loads((CONTEST / "expected_final.json").read_text())]
    with start_stack(database_url, directory=tmp_path) as stack:
        stack.manage(*["create_board", "--game", "default", "--slug", "finals", "--operator", "latest", "--subscore-order", "asc"])
        watcher = Watcher(stack.ws_url, "finals")
        await watcher.start()
        replay = asyncio.create_task(asyncio.to_thread(_replay, stack))
        for share in (0.3, 0.6):  # cut off twice on the way; each time the deltas missed must come, not a snapshot
            await _until_total(stack, round(share * len(expected)))
            await watcher.cut()
        await replay

        assert await _top(stack) == expected
        assert [[rank, *row] for rank, row in enumerate(await run_sql(database_url, STANDINGS), 1)] == expected
        assert "index equals SQL" in stack.manage("check_index", "--board", "finals")
        head = (await _read(stack, "top/?limit=10"))["entries"]
        assert await watcher.until(head, timeout_s=10)
        await watcher.stop()
        assert (watcher.connections, watcher.snapshots) == (3, 1)
        assert watcher.deltas > 20

        before = await _read(stack, "top/?limit=1000")
        await asyncio.to_thread(_replay, stack)  # a second time counts nothing twice
        assert (await _read(stack, "top/?limit=1000"))["entries"] == before["entries"]


def _replay(stack: Stack) -> str:
    return stack.manage("replay", str(CONTEST), "--url", stack.url, "--api-key", stack.api_key, "--speed", "2000", "--board", "finals")


async def _read(stack: Stack, path: str) -> dict[str, Any]:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer: dict[str, Any] = (await client.get(f"{stack.url}/api/v1/leaderboard/finals/{path}")).json()
        return answer


async def _top(stack: Stack) -> list[list[Any]]:
    entries = (await _read(stack, "top/?limit=1000"))["entries"]
    return [[row["rank"], row["player"], row["score"], row["subscore"]] for row in entries]


async def _until_total(stack: Stack, total: int) -> None:
    async with asyncio.timeout(60):
        while (await _read(stack, "top/?limit=1"))["total"] < total:
            await asyncio.sleep(0.05)
