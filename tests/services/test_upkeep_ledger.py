"""The sweep writes again what no process recorded, and nothing else."""

import pytest

from leaderboard import runtime
from leaderboard.index.ledger import missing, words_of
from leaderboard.services.upkeep import SETTLED_S, Upkeep
from tests.cast import Cast
from tests.services.test_when_redis_is_away import BOARD, commit_and_die, differences, submit, warm


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    async def settled_sweep(self, upkeep: Upkeep) -> int:
        """How many entries a sweep wrote that finds all that is there now settled."""
        await upkeep.sweep(now=runtime.utc_now())
        self.now += SETTLED_S
        return (await upkeep.sweep(now=runtime.utc_now())).placed


@pytest.fixture
async def clock(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(cast.services.upkeep, "_monotonic", lambda: clock.now)
    await submit(cast, "ada", 30)
    await warm(cast)
    await clock.settled_sweep(cast.services.upkeep)
    return clock


async def test_what_was_recorded_is_not_written_again(cast: Cast, clock: Clock) -> None:
    for number in range(70):
        await submit(cast, f"p{number}", number)
    assert await clock.settled_sweep(cast.services.upkeep) == 0
    assert await differences(cast) == []


async def test_one_lost_among_many_is_found(cast: Cast, clock: Clock) -> None:
    for number in range(40):
        await submit(cast, f"p{number}", number)
    await commit_and_die(cast, "bo", 400)
    for number in range(40):
        await submit(cast, f"p{number}", 100 + number)
    assert len(await differences(cast)) == 1
    assert await clock.settled_sweep(cast.services.upkeep) == 1
    assert await differences(cast) == []


async def test_a_process_that_died_between_placing_and_marking_leaves_no_board_unseen(
    cast: Cast, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index is right then; who watches would not have been told."""
    await cast.services.live.update_dirty(now=runtime.utc_now())

    async def died(leaderboards: object, *, scores: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(cast.services.submits._bell, "mark_dirty", died)
        with pytest.raises(RuntimeError):
            await submit(cast, "bo", 99)
    assert await differences(cast) == []
    view = await cast.services.catalogs.view()
    identity = view.by_slug[BOARD].id
    assert "bo" not in [row["player"] for row in (await cast.services.live.state(identity)).rows]
    assert await clock.settled_sweep(cast.services.upkeep) == 1
    assert "bo" in [row["player"] for row in (await cast.services.live.state(identity)).rows]


async def test_a_ledger_that_is_lost_costs_writes_and_nothing_else(cast: Cast, clock: Clock) -> None:
    await submit(cast, "bo", 40)
    await cast.services.index.recorded([0])  # what was recorded has arrived
    await cast.services.index.forget_all()
    await cast.services.live.update_dirty(now=runtime.utc_now())
    assert await clock.settled_sweep(cast.services.upkeep) == 1
    assert await differences(cast) == []


@pytest.mark.parametrize("first", [1, 31, 32, 65_535, 65_536, 2**40])
async def test_words_of_sql_and_of_the_index_name_the_same_sessions(cast: Cast, first: int) -> None:
    index, recorded = cast.services.index, [first, first + 1, first + 33, first + 65_536]
    index.record(recorded[:2])
    index.record(recorded[1:])
    await index.recorded([0])  # sends them; a script that is not loaded yet is carried out later than what was sent right after it
    stored = words_of([*recorded, first + 2])
    assert missing(stored, await index.recorded(list(stored))) == [first + 2]


@pytest.mark.slow
async def test_the_store_tells_its_sessions_in_words(cast: Cast) -> None:
    for number in range(70):
        await submit(cast, f"p{number}", number)
    ids = [row[0] for row in await cast.sql("SELECT id FROM leaderboard_gamesession ORDER BY id")]
    assert await cast.services.store.session_words(0, ids[-1]) == words_of(ids)
    assert await cast.services.store.session_words(ids[5], ids[50]) == words_of(ids[6:51])
    assert await cast.services.store.session_words(ids[-1], ids[-1] + 10) == {}
