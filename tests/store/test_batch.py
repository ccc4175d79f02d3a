"""Group commit: what is gathered, in which order it lands, and what happens to those who can't wait."""

import asyncio
import contextvars
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leaderboard.domain.errors import Overloaded
from leaderboard.store.batch import GroupCommit


class Gate:
    """A flush that waits until it is let through, and remembers what it was given."""

    def __init__(self, *, is_open: bool = False) -> None:
        self.batches: list[list[str]] = []
        self.waiting: list[asyncio.Event] = []
        self.is_open = is_open
        self.most_at_once = 0
        self.now = 0

    async def flush(self, batch: list[str]) -> list[str]:
        self.batches.append(batch)
        self.now += 1
        self.most_at_once = max(self.most_at_once, self.now)
        if not self.is_open:
            event = asyncio.Event()
            self.waiting.append(event)
            await event.wait()
        self.now -= 1
        return [f"landed {item}" for item in batch]

    def let_one_through(self) -> None:
        self.waiting.pop(0).set()

    def let_all_through(self) -> None:
        self.is_open = True
        while self.waiting:
            self.let_one_through()


def group(gate: Gate, *, linger_s: float = 0.0, **options: int) -> GroupCommit[str, str]:
    return GroupCommit(gate.flush, linger_s=linger_s, **{"batch_limit": 4, "queue_limit": 10, **options})


def start(commits: GroupCommit[str, str], *items: str, owner: str | None = None) -> list["asyncio.Task[str]"]:
    """Submit each item as its own caller; by default each is its own owner."""
    return [asyncio.create_task(commits.submit(item, owner=owner or item)) for item in items]


async def settle() -> None:
    """Let everything that can run, run."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_lone_item_is_flushed_at_once() -> None:
    gate = Gate(is_open=True)
    assert await group(gate).submit("a", owner="ada") == "landed a"


async def test_callers_of_one_turn_of_the_loop_share_a_batch() -> None:
    gate = Gate(is_open=True)
    await asyncio.gather(*start(group(gate), "a", "b", "c"))
    assert gate.batches == [["a", "b", "c"]]


async def test_what_comes_during_two_flushes_is_the_next_batch() -> None:
    gate = Gate()
    commits = group(gate)
    tasks = []
    for item in "abcd":
        tasks += start(commits, item)
        await settle()
    assert gate.batches == [["a"], ["b"]]
    assert (commits.flying, commits.waiting) == (2, 2)
    gate.let_all_through()
    await asyncio.gather(*tasks)
    assert gate.batches == [["a"], ["b"], ["c", "d"]]
    assert gate.most_at_once == 2


LONG_S = 3600.0


async def test_what_follows_a_batch_of_several_waits_for_those_who_were_answered() -> None:
    gate = Gate()
    commits = group(gate, in_flight=1, linger_s=LONG_S)
    first = start(commits, "a1", "b1")
    await settle()
    first += start(commits, "c1")
    await settle()
    gate.let_one_through()
    await settle()
    second = start(commits, "a2")
    await settle()
    assert gate.batches == [["a1", "b1"]], "b was answered too, and may ask again"
    second += start(commits, "b2")
    await settle()
    assert gate.batches == [["a1", "b1"], ["c1", "a2", "b2"]]
    gate.let_all_through()
    await asyncio.gather(*first, *second)


async def test_who_does_not_come_again_is_not_waited_for_any_longer() -> None:
    gate = Gate(is_open=True)
    commits = group(gate, in_flight=1, linger_s=0.01)
    await asyncio.gather(*start(commits, "a1", "b1"))
    assert await asyncio.wait_for(commits.submit("a2", owner="a2"), 10) == "landed a2"
    assert gate.batches == [["a1", "b1"], ["a2"]]


async def test_nothing_lingers_after_a_batch_of_one_or_when_the_next_one_is_full() -> None:
    gate = Gate()
    commits = group(gate, in_flight=1, linger_s=LONG_S)
    tasks = start(commits, "a")
    await settle()
    tasks += start(commits, "b")
    gate.let_one_through()
    await settle()
    assert gate.batches == [["a"], ["b"]]
    tasks += start(commits, *"cdef")
    await settle()
    gate.let_one_through()
    await settle()
    tasks += start(commits, *"ghij")
    await settle()
    gate.let_one_through()
    await settle()
    assert gate.batches[2:] == [["c", "d", "e", "f"], ["g", "h", "i", "j"]]
    gate.let_all_through()
    await asyncio.gather(*tasks)


async def test_closing_does_not_linger() -> None:
    gate = Gate(is_open=True)
    commits = group(gate, in_flight=1, linger_s=LONG_S)
    await asyncio.gather(*start(commits, "a1", "b1"))
    (late,) = start(commits, "a2")
    await settle()
    assert not late.done()
    await commits.aclose()
    assert await late == "landed a2"


async def test_a_batch_holds_at_most_its_limit() -> None:
    gate = Gate()
    tasks = start(group(gate, in_flight=1), *"abcdefg")
    await settle()
    assert gate.batches == [["a", "b", "c", "d"]]
    gate.let_all_through()
    await asyncio.gather(*tasks)
    assert gate.batches[1] == ["e", "f", "g"]


async def test_an_owners_items_go_one_after_the_other_and_others_pass_them_by() -> None:
    gate = Gate()
    commits = group(gate)
    adas = start(commits, "ada 1", "ada 2", "ada 3", owner="ada")
    bos = start(commits, "bo 1", owner="bo")
    await settle()
    assert gate.batches == [["ada 1", "bo 1"]], "the second batch slot is free, but Ada's first is in flight"
    gate.let_one_through()
    await settle()
    assert gate.batches[1:] == [["ada 2"]]
    gate.let_all_through()
    await asyncio.gather(*adas, *bos)
    assert gate.batches[1:] == [["ada 2"], ["ada 3"]]


async def test_a_full_queue_refuses_at_once_and_keeps_nothing() -> None:
    gate = Gate()
    commits = group(gate, queue_limit=2, in_flight=1)
    flying = start(commits, "a")
    await settle()
    waiting = start(commits, "b", "c")
    await settle()
    with pytest.raises(Overloaded):
        await commits.submit("d", owner="d")
    with pytest.raises(Overloaded):
        await commits.submit_many([("d", "d")])
    gate.let_all_through()
    await asyncio.gather(*flying, *waiting)
    assert gate.batches == [["a"], ["b", "c"]]
    assert await commits.submit("d", owner="d") == "landed d"


async def test_many_are_taken_all_or_none() -> None:
    gate = Gate()
    commits = group(gate, queue_limit=3)
    with pytest.raises(Overloaded):
        await commits.submit_many([(item, item) for item in "abcd"])
    assert (gate.batches, commits.waiting) == ([], 0)
    gate.is_open = True
    assert await commits.submit_many([(item, item) for item in "abc"]) == ["landed a", "landed b", "landed c"]


async def test_many_of_one_owner_land_in_their_order() -> None:
    gate = Gate(is_open=True)
    outcomes = await group(gate).submit_many([("1", "ada"), ("2", "ada"), ("b", "bo"), ("3", "ada")])
    assert outcomes == ["landed 1", "landed 2", "landed b", "landed 3"]
    assert gate.batches == [["1", "b"], ["2"], ["3"]]


async def test_every_item_of_a_failed_batch_gets_its_error_and_the_next_batch_lands() -> None:
    class DownError(Exception):
        pass

    failing = True

    async def flush(batch: list[str]) -> list[str]:
        if failing:
            raise DownError
        return batch

    commits = GroupCommit(flush, batch_limit=4, queue_limit=10)
    outcomes = await asyncio.gather(*(commits.submit(item, owner=item) for item in "abc"), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [DownError] * 3
    assert [type(outcome) for outcome in await commits.submit_many([("a", "a"), ("b", "a")])] == [DownError] * 2
    failing = False
    assert await commits.submit("a", owner="a") == "a"


async def test_a_flush_that_miscounts_is_an_error_of_all() -> None:
    async def flush(batch: list[str]) -> list[str]:
        return batch[1:]

    commits = GroupCommit(flush, batch_limit=4, queue_limit=10)
    with pytest.raises(RuntimeError, match="0 outcomes for 1 items"):
        await commits.submit("a", owner="a")


async def test_a_caller_that_goes_away_takes_its_waiting_item_along() -> None:
    gate = Gate()
    commits = group(gate, in_flight=1, queue_limit=3)
    first = start(commits, "a")
    await settle()
    gone, later, other = [*start(commits, "ada 1", "ada 2", owner="ada"), *start(commits, "b")]
    await settle()
    gone.cancel()
    await settle()
    assert commits.waiting == 2, "its place is free again"
    gate.let_all_through()
    await asyncio.gather(*first, later, other)
    assert gate.batches == [["a"], ["b", "ada 2"]], "what Ada sent after it goes on"


async def test_a_deferred_item_can_be_taken_out_of_the_middle() -> None:
    gate = Gate()
    commits = group(gate)
    one, two, three = start(commits, "1", "2", "3", owner="ada")
    await settle()
    two.cancel()
    await settle()
    assert commits.waiting == 1
    gate.let_all_through()
    await asyncio.gather(one, three)
    assert gate.batches == [["1"], ["3"]]


async def test_an_item_whose_flush_has_begun_lands_though_its_caller_is_gone() -> None:
    gate = Gate()
    commits = group(gate)
    gone, stays = start(commits, "a", "b")
    await settle()
    gone.cancel()
    await settle()
    gate.let_all_through()
    assert await stays == "landed b"
    assert gate.batches == [["a", "b"]]
    assert await commits.submit("a", owner="a") == "landed a", "the owner is free again"


async def test_a_cancelled_submit_of_many_takes_out_those_that_wait() -> None:
    gate = Gate()
    commits = group(gate, in_flight=1, batch_limit=1)
    task = asyncio.create_task(commits.submit_many([("a", "a"), ("b", "b"), ("c", "a")]))
    await settle()
    task.cancel()
    await settle()
    assert commits.waiting == 0
    gate.let_all_through()
    await commits.aclose()
    assert gate.batches == [["a"]]


async def test_closing_waits_for_what_was_taken_and_refuses_what_comes() -> None:
    gate = Gate()
    commits = group(gate, in_flight=1)
    tasks = start(commits, "a", "b", owner="ada")
    await settle()
    closing = asyncio.create_task(commits.aclose())
    await settle()
    assert not closing.done()
    with pytest.raises(Overloaded):
        await commits.submit("c", owner="c")
    gate.let_all_through()
    await closing
    assert await asyncio.gather(*tasks) == ["landed a", "landed b"]


async def test_closing_at_once_loses_nothing() -> None:
    gate = Gate(is_open=True)
    commits = group(gate)
    (task,) = start(commits, "a")
    await asyncio.sleep(0)
    await commits.aclose()
    assert await task == "landed a"


async def test_a_cancelled_flush_leaves_nobody_waiting_and_nothing_stuck() -> None:
    gate = Gate()
    commits = group(gate, in_flight=1)
    first = start(commits, "a")
    await settle()
    second = start(commits, "b")
    await settle()
    (flush,) = [task for task in asyncio.all_tasks() if "_carry" in repr(task)]
    flush.cancel()
    gate.is_open = True
    outcomes = await asyncio.gather(*first, *second, return_exceptions=True)
    assert [type(outcomes[0]), outcomes[1]] == [asyncio.CancelledError, "landed b"]


async def test_a_flush_does_not_run_in_a_callers_context() -> None:
    request: contextvars.ContextVar[str] = contextvars.ContextVar("request", default="none")
    seen = []

    async def flush(batch: list[str]) -> list[str]:
        seen.append(request.get())
        return batch

    commits = GroupCommit(flush, batch_limit=4, queue_limit=10)
    request.set("ada's")
    await asyncio.gather(*(commits.submit(item, owner="ada") for item in "abc"))
    assert seen == ["none"] * 3


SCHEDULES = st.lists(
    st.tuples(
        st.sampled_from(["submit", "cancel", "finish", "turn"]),
        st.integers(0, 3),  # the owner, or which of the callers
    ),
    max_size=60,
)


@pytest.mark.slow
@given(schedule=SCHEDULES, batch_limit=st.integers(1, 4), in_flight=st.integers(1, 3), queue_limit=st.integers(1, 8))
@settings(deadline=None, max_examples=200)
def test_any_schedule_keeps_the_promises(schedule: list[tuple[str, int]], batch_limit: int, in_flight: int, queue_limit: int) -> None:
    asyncio.run(_play(schedule, batch_limit=batch_limit, in_flight=in_flight, queue_limit=queue_limit))


async def _play(schedule: list[tuple[str, int]], *, batch_limit: int, in_flight: int, queue_limit: int) -> None:
    flying: list[tuple[set[int], asyncio.Event]] = []
    flushed: list[tuple[int, int]] = []

    async def flush(batch: list[tuple[int, int]]) -> list[tuple[int, int]]:
        owners = {owner for owner, _ in batch}
        assert 1 <= len(batch) <= batch_limit
        assert len(owners) == len(batch), "one item per owner and batch"
        assert all(not owners & others for others, _ in flying), "an owner is in flight once"
        assert len(flying) < in_flight
        flushed.extend(batch)
        flying.append((owners, event := asyncio.Event()))
        await event.wait()
        return batch

    def finish(index: int) -> None:
        if flying:
            flying.pop(index % len(flying))[1].set()

    commits: GroupCommit[tuple[int, int], tuple[int, int]] = GroupCommit(
        flush, batch_limit=batch_limit, queue_limit=queue_limit, in_flight=in_flight
    )
    tasks: dict[tuple[int, int], asyncio.Task[tuple[int, int]]] = {}
    for number, (step, which) in enumerate(schedule):
        if step == "submit":
            tasks[which, number] = asyncio.create_task(commits.submit((which, number), owner=which))
        elif step == "cancel" and tasks:
            list(tasks.values())[which % len(tasks)].cancel()
        elif step == "finish":
            finish(which)
        await asyncio.sleep(0)
        assert commits.waiting <= queue_limit
        if step == "turn":
            await settle()
            assert not commits.waiting or flying, "something waits while nothing is under way"
    closing = asyncio.create_task(commits.aclose())
    while not closing.done():
        await settle()
        finish(0)
    await settle()
    assert commits.waiting == 0

    assert len(set(flushed)) == len(flushed), "nothing lands twice"
    for owner in range(4):
        numbers = [number for of, number in flushed if of == owner]
        assert numbers == sorted(numbers), "an owner's items land in their order"
    for item, task in tasks.items():
        if task.cancelled():
            continue
        if isinstance(task.exception(), Overloaded):
            assert item not in flushed
        else:
            assert task.result() == item
            assert item in flushed


async def test_a_thousand_items_of_one_owner_do_not_slow_the_others_down() -> None:
    """Work is counted in flushes, not in time: Bo's item goes with the first batch that is gathered after it came."""
    gate = Gate()
    commits = group(gate, batch_limit=256, queue_limit=4_096)
    adas = start(commits, *map(str, range(1_000)), owner="ada")
    await settle()
    bos = start(commits, "bo", owner="bo")
    await settle()
    assert gate.batches == [["0"], ["bo"]]
    random.Random(1).shuffle(adas)
    for task in adas[:900]:
        task.cancel()
    gate.let_all_through()
    await asyncio.gather(*adas, *bos, return_exceptions=True)
    assert 100 <= len(gate.batches) <= 103
