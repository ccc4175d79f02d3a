"""Publishing: old snapshot + deltas = new snapshot = what REST says; coalesced, numbered, and new with each season."""

import asyncio
import json
import random
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from leaderboard import runtime
from leaderboard.domain.snapshot import TOPS, Delta, Row, patch
from leaderboard.feed import Frame, Position
from leaderboard.feed.redis import RING
from leaderboard.index.redis import PLACE
from leaderboard.redis_client import _Line
from leaderboard.services import Services
from tests.cast import Cast

BOARD = "arcade-best"


async def post(api: httpx.AsyncClient, cast: Cast, player: str, score: int, **body: object) -> None:
    response = await api.post(
        "/api/v1/scores/", json={"player": player, "score": score, "leaderboards": [BOARD], **body}, headers=cast.auth
    )
    assert response.status_code == 201


async def id_of(services: Services, slug: str) -> int:
    return (await services.catalogs.definition(slug))[1].id


def follow(rows: list[Row], frame: Frame, top: int) -> list[Row]:
    """What a watcher of this size has after the frame."""
    message = json.loads(frame.texts[top])
    assert (message["epoch"], message["offset"], message["top"]) == (frame.epoch, frame.offset, top)
    if frame.resets:
        snapshot: list[Row] = message["entries"]
        return snapshot
    return patch(rows, Delta(message["changed"], message["left"]))


async def test_the_mark_follows_the_entries_in_the_same_write(
    api: httpx.AsyncClient, cast: Cast, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rank update that heard of the mark before the entries are there would publish the board as it was, and settle the mark."""
    await post(api, cast, "ada", 1)
    written: list[bytes] = []
    flush = _Line._flush

    def listening(line: _Line) -> None:
        written.append(b"".join(line._unsent))
        flush(line)

    monkeypatch.setattr(_Line, "_flush", listening)
    await post(api, cast, "ada", 2)
    (both,) = [data for data in written if PLACE.sha in data or RING.sha in data]
    assert -1 < both.find(PLACE.sha) < both.find(RING.sha)


@pytest.mark.parametrize("seed", range(3))
async def test_deltas_lead_from_each_snapshot_to_the_next_for_every_size(
    api: httpx.AsyncClient, cast: Cast, services: Services, seed: int
) -> None:
    chance = random.Random(seed)
    leaderboard = await id_of(services, BOARD)
    first = await services.live.state(leaderboard)
    watched: dict[int, list[Row]] = {top: first.rows[:top] for top in TOPS}
    position = first.position
    for _ in range(12):
        for _ in range(chance.randrange(6)):
            await post(api, cast, f"p{chance.randrange(15)}", chance.randrange(60), subscore=chance.randrange(3))
        await services.live.update_dirty(now=runtime.utc_now())
        frames = await services.live.frames_since(leaderboard, position)
        assert frames is not None
        for frame in frames:
            assert (frame.epoch, frame.offset) == (position.epoch, position.offset + 1)
            watched = {top: follow(rows, frame, top) for top, rows in watched.items()}
            position = Position(frame.epoch, frame.offset)
        rest = (await api.get(f"/api/v1/leaderboard/{BOARD}/top/?limit=100")).json()
        assert (rest["epoch"], rest["offset"]) == tuple(position)
        for top in TOPS:
            assert watched[top] == rest["entries"][:top]


@pytest.mark.slow
async def test_a_thousand_scores_ring_the_bell_once_a_tick_at_most(
    api: httpx.AsyncClient, cast: Cast, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    bells: list[str] = []
    monkeypatch.setattr(runtime, "_send", lambda task, arguments: bells.append(task))
    began = asyncio.get_running_loop().time()
    scores = [{"player": f"p{number % 50}", "score": number} for number in range(500)]
    for _ in range(2):
        await api.post("/api/v1/scores/batch/", json={"scores": scores}, headers=cast.auth)
    elapsed_ticks = (asyncio.get_running_loop().time() - began) * 1000 / runtime.settings.LIVE_TICK_MS
    await asyncio.sleep(2 * runtime.settings.LIVE_TICK_MS / 1000)
    # Nobody takes the bell here, so one bell is all that may be pending; it is rung anew only after it ran out (1 s).
    assert 1 <= len(bells) <= 1 + elapsed_ticks
    assert set(bells) == {"leaderboard.tasks.rank_update"}


@pytest.mark.slow
async def test_a_bell_that_was_heard_may_be_rung_again(api: httpx.AsyncClient, cast: Cast, services: Services) -> None:
    leaderboard = await id_of(services, BOARD)
    for _ in range(3):
        rung = [await services.feed.mark_dirty([leaderboard]) for _ in range(5)]
        assert [delay is None for delay in rung] == [False, True, True, True, True]
        await asyncio.sleep((rung[0] or 0) / 1000)
        await services.live.update_dirty(now=runtime.utc_now())


async def test_a_mark_outlives_a_publisher_that_dies(api: httpx.AsyncClient, cast: Cast, services: Services) -> None:
    await post(api, cast, "ada", 1)
    await services.feed.take_bell()  # heard, and then killed
    assert await id_of(services, BOARD) in await services.feed.dirty()
    await services.upkeep.sweep(now=runtime.utc_now())
    assert await services.feed.dirty() == {}
    assert (await services.live.state(await id_of(services, BOARD))).total == 1


async def test_two_publishers_at_once_number_without_gap_or_double(api: httpx.AsyncClient, cast: Cast, services: Services) -> None:
    leaderboard = await id_of(services, BOARD)
    start = (await services.live.state(leaderboard)).position
    for score in range(1, 9):
        await post(api, cast, "ada", score)
        await asyncio.gather(*(services.live.update_dirty(now=runtime.utc_now()) for _ in range(4)))
    frames = await services.live.frames_since(leaderboard, start)
    assert frames is not None
    assert [frame.offset for frame in frames] == list(range(start.offset + 1, start.offset + 1 + len(frames)))
    assert json.loads(frames[-1].texts[3])["changed"][0]["score"] == 8


async def test_a_new_season_is_a_new_epoch_with_an_empty_board(api: httpx.AsyncClient, cast: Cast, services: Services) -> None:
    daily = {"leaderboards": ["arcade-daily"], "game_mode": "daily"}
    await post(api, cast, "ada", 1, **daily)
    leaderboard = await id_of(services, "arcade-daily")
    await services.upkeep.sweep(now=runtime.utc_now())
    today = await services.live.state(leaderboard)
    assert today.total == 1
    await services.upkeep.sweep(now=datetime.now(UTC) + timedelta(days=1))
    tomorrow = await services.feed.state(leaderboard)
    assert tomorrow is not None
    assert (tomorrow.total, tomorrow.rows) == (0, [])
    assert tomorrow.epoch != today.epoch
    assert tomorrow.season > today.season


async def test_a_quiet_board_publishes_nothing(api: httpx.AsyncClient, cast: Cast, services: Services) -> None:
    await post(api, cast, "ada", 5)
    assert await services.live.update_dirty(now=runtime.utc_now()) == 1
    await post(api, cast, "ada", 5, leaderboards=["arcade-sum"])  # another board's business
    before = await services.feed.position(await id_of(services, BOARD))
    await services.live.update_dirty(now=runtime.utc_now())
    assert await services.feed.position(await id_of(services, BOARD)) == before


@pytest.mark.slow
async def test_a_sweep_keeps_the_bell_from_nobody(
    api: httpx.AsyncClient, cast: Cast, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep marked boards without ringing; after it no change was published until the bell ran out, a second later."""
    rung = asyncio.Event()
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(runtime, "_send", lambda task, arguments: loop.call_soon_threadsafe(rung.set))
    for score in range(1, 4):
        await services.index.forget(await services.upkeep.indexed_boards(now=runtime.utc_now()))
        await services.upkeep.sweep(now=runtime.utc_now())
        rung.clear()
        await post(api, cast, "ada", score)
        await asyncio.wait_for(rung.wait(), 5)
        await services.live.update_dirty(now=runtime.utc_now())


async def test_whoever_finds_a_board_cold_rings_the_bell(
    api: httpx.AsyncClient, cast: Cast, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mark whose bell nobody rings would keep the bell from everybody else."""
    bells: list[str] = []
    rung = asyncio.Event()

    def send(task: str, arguments: tuple[int, ...]) -> None:
        bells.append(task)
        loop.call_soon_threadsafe(rung.set)

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(runtime, "_send", send)
    await api.get(f"/api/v1/leaderboard/{BOARD}/top/")
    await asyncio.wait_for(rung.wait(), 5)
    assert bells == ["leaderboard.tasks.rank_update"]


async def test_scores_are_counted_by_board_and_nothing_else_is(api: httpx.AsyncClient, cast: Cast, services: Services) -> None:
    best, total = await id_of(services, BOARD), await id_of(services, "arcade-sum")

    async def counted() -> list[int]:
        return [told.scores for told in await services.feed.attend("one", {}, asked=[best, total], life_ms=1_000)]

    scores = [{"player": f"p{number % 3}", "score": number, "leaderboards": [BOARD]} for number in range(7)]
    await api.post("/api/v1/scores/batch/", json={"scores": scores}, headers=cast.auth)
    await api.post("/api/v1/scores/", json={"player": "ada", "score": 1}, headers=cast.auth | {"Idempotency-Key": "one"})
    await api.post("/api/v1/scores/", json={"player": "ada", "score": 1}, headers=cast.auth | {"Idempotency-Key": "one"})
    assert await counted() == [8, 1]
    await services.upkeep.sweep(now=runtime.utc_now())
    await services.upkeep.rebuild((await services.standings.board(BOARD, season="current", now=runtime.utc_now())).id)
    assert await counted() == [8, 1]
