"""64 clients submit while the web process, the worker and Redis are killed -9 at random moments.

Afterwards every acknowledged score is in SQL exactly once, the index equals SQL within 10 s with nobody's help, and a spectator sees what
REST says. A failure prints its seed; KILL_SEED=… runs it again.
"""

import asyncio
import os
import random
import time
from pathlib import Path

import httpx
import pytest

from tests.cast import run_sql
from tests.faults.checker import Attempt, Session, shown_wrong, violations
from tests.servers.stack import Stack, StackError, start_stack
from tests.watcher import Watcher

pytestmark = pytest.mark.slow

CLIENTS = 64
PLAYERS = 40  # fewer than clients, so that they meet
KILLS = ("web", "redis", "worker", "web", "worker", "redis", "beat", "web")
CONVERGED_S = 10.0
GIVE_UP_S = 60.0

SESSIONS = """SELECT s.id, s.idempotency_key, u.username, s.score FROM leaderboard_gamesession s JOIN auth_user u ON u.id = s.user_id"""
SUMS = """SELECT u.username, e.total_score FROM leaderboard_leaderboardentry e
          JOIN leaderboard_leaderboard b ON b.id = e.leaderboard_id JOIN auth_user u ON u.id = e.user_id WHERE b.slug = 'global'"""


async def test_killing_processes_loses_nothing_and_counts_nothing_twice(database_url: str, tmp_path: Path) -> None:
    seed = int(os.environ.get("KILL_SEED") or random.randrange(10**6))
    print(f"KILL_SEED={seed}")
    chance = random.Random(seed)
    with start_stack(database_url, directory=tmp_path) as stack:
        watcher = Watcher(stack.ws_url, "global")
        await watcher.start()
        over = asyncio.Event()
        clients = [asyncio.create_task(_client(stack, number, random.Random(f"{seed}-{number}"), over)) for number in range(CLIENTS)]
        for name in KILLS:
            await asyncio.sleep(chance.uniform(0.3, 1.2))
            pid = await asyncio.to_thread(stack.kill, name)
            await asyncio.to_thread(stack.wait_for_restart, name, pid)
        await asyncio.sleep(chance.uniform(0.2, 0.8))
        over.set()
        attempts = [attempt for log in await asyncio.gather(*clients) for attempt in log]
        await asyncio.to_thread(_index_is_clean, stack, time.monotonic() + CONVERGED_S)
        top = await _top(stack)
        converged = await watcher.until(top, timeout_s=CONVERGED_S)
        await watcher.stop()

        outcomes = [attempt.outcome for attempt in attempts]
        print(f"{len(attempts)} attempts, {outcomes.count('unknown')} unknown, {watcher.connections} connections of the watcher")
        assert outcomes.count("ok") > CLIENTS
        sessions = [Session(*row) for row in await run_sql(database_url, SESSIONS)]
        sums = dict(await run_sql(database_url, SUMS))
        assert violations(attempts, sessions, sums) == []
        assert converged, shown_wrong(watcher.rows, top)


async def _client(stack: Stack, number: int, chance: random.Random, over: asyncio.Event) -> list[Attempt]:
    """One game client: posts scores one after the other; an unclear outcome is retried with the same key."""
    log: list[Attempt] = []
    headers = {"Authorization": f"Api-Key {stack.api_key}"}
    async with httpx.AsyncClient(base_url=stack.url, headers=headers, timeout=5, trust_env=False) as client:
        while not over.is_set():
            body = {"player": f"player-{chance.randrange(PLAYERS)}", "score": chance.randrange(1000)}
            log.append(await _attempt(client, f"{number}-{len(log)}", body))
            await asyncio.sleep(chance.uniform(0.02, 0.3))
    return log


async def _attempt(client: httpx.AsyncClient, key: str, body: dict[str, object]) -> Attempt:
    player, score = str(body["player"]), int(str(body["score"]))
    deadline = time.monotonic() + GIVE_UP_S
    while time.monotonic() < deadline:
        try:
            response = await client.post("/api/v1/scores/", json=body, headers={"Idempotency-Key": key})
        except httpx.HTTPError:
            await asyncio.sleep(0.1)
            continue
        if response.status_code == 201:
            return Attempt(key, player, score, "ok", response.json()["session_id"])
        assert response.status_code == 503, response.text  # nothing else may come: never a 500, never a hang
        await asyncio.sleep(0.1)
    return Attempt(key, player, score, "unknown")


def _index_is_clean(stack: Stack, deadline: float) -> None:
    while True:
        try:
            stack.manage("check_index")
        except StackError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


async def _top(stack: Stack) -> list[dict[str, object]]:
    async with httpx.AsyncClient(trust_env=False) as client:
        response = await client.get(f"{stack.url}/api/v1/leaderboard/global/top/?limit=10")
        entries: list[dict[str, object]] = response.json()["entries"]
        return entries
