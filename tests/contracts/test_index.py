"""What every Index promises, tried on each make of Redis server; and the pure modules beside it."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gaming_leaderboard import embedded
from leaderboard.domain.ranking import DENSE_PLACES, Ranking
from leaderboard.domain.score import SCORE_LIMIT, BoardId, Entry
from leaderboard.index import Around, Found, IndexCold, IndexUnavailable, Mark, Page, Place, Placed, Placing, Standing
from leaderboard.index import redis as redis_index
from leaderboard.index.drift import Kind, compare
from leaderboard.index.encoding import decode, decode_number, encode, encode_number, member
from leaderboard.index.redis import RedisIndex
from leaderboard.redis_client import Command, connection_options
from tests.servers.redis import RedisServer, start_redis

BOARD, OTHER, THIRD = BoardId(7, 0), BoardId(7, 86_400), BoardId(8, 0)
ADA, BO, CY = 1, 2, 3


def an_entry(user_id: int, score: int, *, session_id: int | None = None, version: int = 1, subscore: int = 0) -> Entry:
    """More is better, as on most boards."""
    session_id = user_id if session_id is None else session_id
    return Entry(user_id, -score, -subscore, session_id, version, 1_700_000_000_000 + session_id)


class Model:
    """The board as plain Python: what Redis is held to."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.held = {entry.user_id: entry for entry in entries}

    @property
    def order(self) -> list[Entry]:
        return sorted(self.held.values(), key=lambda entry: entry.order)

    def rank(self, user_id: int) -> int | None:
        return self.order.index(self.held[user_id]) + 1 if user_id in self.held else None

    def place(self, entry: Entry) -> Placed:
        previous = self.rank(entry.user_id)
        held = self.held.get(entry.user_id)
        if held is None or held.version < entry.version:
            self.held[entry.user_id] = entry
        rank = self.rank(entry.user_id)
        assert rank is not None
        return Placed(rank, previous)

    def place_all(self, batch: list[Entry]) -> tuple[Placed, ...]:
        """Ranks after the batch and before it; who did not move has one rank, the present."""
        before = {entry.user_id: (self.rank(entry.user_id), self.held.get(entry.user_id)) for entry in batch}
        for entry in batch:
            self.place(entry)
        return tuple(self._placed(entry.user_id, *before[entry.user_id]) for entry in batch)

    def _placed(self, user_id: int, previous: int | None, was: Entry | None) -> Placed:
        rank = self.rank(user_id)
        assert rank is not None
        moved = was is None or was.order != self.held[user_id].order
        return Placed(rank, previous if moved else rank)

    def read_in_order(self, page: int = 5_000) -> Callable[[], AsyncIterator[list[Entry]]]:
        """As a store reads that sorts: in board order, as of when it begins."""

        async def pages() -> AsyncIterator[list[Entry]]:
            order = self.order
            for start in range(0, len(order), page):
                yield order[start : start + page]

        return pages

    def read(self, page: int = 5_000) -> Callable[[], AsyncIterator[list[Entry]]]:
        """As a store reads: by user id, each page what is held when its turn comes."""

        async def pages() -> AsyncIterator[list[Entry]]:
            after = -1
            while found := [self.held[user] for user in sorted(self.held) if user > after][:page]:
                after = found[-1].user_id
                yield found

        return pages


async def everything(index: RedisIndex, board: BoardId = BOARD) -> list[Entry]:
    return [entry async for page in index.entries(board, page=700) for entry in page]


async def matches(index: RedisIndex, model: Model, board: BoardId = BOARD) -> None:
    """Every way of reading tells the model's order."""
    order = model.order
    assert await everything(index, board) == order
    assert await index.count(board) == len(order)
    for rank, entry in list(enumerate(order, 1))[:40]:
        page = await index.rank(board, entry.user_id)
        assert page is not None
        assert (page.first_rank, page.entries, page.total) == (rank, (entry,), len(order))


def an_index(url: str, *, timeout_ms: int = 5_000, retry_ms: int = 1, prefix: str = "gl", lease_ms: int = 10_000) -> RedisIndex:
    return RedisIndex(url, timeout_ms=timeout_ms, retry_ms=retry_ms, prefix=prefix, lease_ms=lease_ms)


@asynccontextmanager
async def opened(url: str, **options: int) -> AsyncIterator[RedisIndex]:
    index = an_index(url, **options)  # type: ignore[arg-type]
    try:
        yield index
    finally:
        await index.aclose()


@pytest.fixture
async def index(each_server: RedisServer) -> AsyncIterator[RedisIndex]:
    async with opened(each_server.url) as index:
        yield index


@pytest.fixture
async def ready(index: RedisIndex) -> RedisIndex:
    """BOARD is ready and empty."""
    assert await index.rebuild(BOARD, Model().read()) == 0
    return index


@pytest.fixture
def own_server() -> Iterable[RedisServer]:
    """One to pause and kill."""
    server = start_redis()
    yield server
    server.stop()


# --- Many neighbourhoods at once -----------------------------------------------------------------------------------


async def test_many_arounds_tell_what_each_tells_alone(ready: RedisIndex) -> None:
    await ready.rebuild(THIRD, Model().read())
    await ready.place({BOARD: [an_entry(user, random.randint(0, 40)) for user in range(1, 131)], THIRD: [an_entry(ADA, 7)]})
    wanted = {BOARD: [(user, user % 11) for user in range(131, 0, -1)], THIRD: [(BO, 3), (ADA, 0)]}
    found = await ready.arounds(wanted)
    assert list(found) == [BOARD, THIRD]
    for board, pairs in wanted.items():
        total = await ready.count(board)
        assert found[board] == [Around(await ready.around(board, user, limit=limit), total) for user, limit in pairs]
    assert found[BOARD][0] == Around(None, 130)  # type: ignore[index]


async def test_many_arounds_are_one_round_trip(ready: RedisIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    await ready.rebuild(THIRD, Model().read())
    sent: list[int] = []
    send = ready._bulk.send

    def count(commands: Sequence[Command]) -> "asyncio.Future[list[object]]":
        sent.append(len(commands))
        return send(commands)

    monkeypatch.setattr(ready._bulk, "send", count)
    await ready.arounds({BOARD: [(user, 3) for user in range(101)], THIRD: [(ADA, 3)]})
    assert sent == [4]  # scripts
    assert await ready.arounds({}) == {}
    assert len(sent) == 1


async def test_a_cold_board_among_many_arounds_is_none_and_the_others_are_told(ready: RedisIndex) -> None:
    await ready.place({BOARD: [an_entry(ADA, 1)]})
    assert await ready.arounds({OTHER: [(ADA, 1)], BOARD: [(ADA, 1)]}) == {
        OTHER: None,
        BOARD: [Around(Page((an_entry(ADA, 1),), 1, 1), 1)],
    }


async def test_no_user_is_the_mark_of_a_rebuild(ready: RedisIndex) -> None:
    assert await ready.arounds({BOARD: [(0, 1)]}) == {BOARD: [Around(None, 0)]}


async def test_impossible_neighbourhoods_are_refused(ready: RedisIndex) -> None:
    for limit in (-1, 51):
        with pytest.raises(ValueError, match="no such"):
            await ready.arounds({BOARD: [(ADA, 1), (BO, limit)]})


# --- Order and ranks -----------------------------------------------------------------------------------------------


async def test_it_answers_rank_previous_rank_and_total(ready: RedisIndex) -> None:
    answer = await ready.place({BOARD: [an_entry(ADA, 10), an_entry(BO, 20), an_entry(CY, 15)]})
    assert answer == {BOARD: Placing((Placed(3, None), Placed(1, None), Placed(2, None)), 3)}
    answer = await ready.place({BOARD: [an_entry(ADA, 30, session_id=9, version=2)]})
    assert answer == {BOARD: Placing((Placed(1, 3),), 3)}


async def test_the_earlier_achiever_of_two_equal_values_ranks_first(ready: RedisIndex) -> None:
    await ready.place({BOARD: [an_entry(ADA, 10, session_id=300), an_entry(BO, 10, session_id=255), an_entry(CY, 10, session_id=256)]})
    assert [entry.user_id for entry in (await ready.top(BOARD, limit=3)).entries] == [BO, CY, ADA]


async def test_the_subscore_decides_between_equal_scores(ready: RedisIndex) -> None:
    await ready.place({BOARD: [an_entry(ADA, 10, subscore=-1), an_entry(BO, 10, subscore=256), an_entry(CY, 10, subscore=255)]})
    assert [entry.user_id for entry in (await ready.top(BOARD, limit=3)).entries] == [BO, CY, ADA]


async def test_pages_carry_whole_entries(ready: RedisIndex) -> None:
    entry = Entry(2**63 - 1, -5, 7, 2**53, 2**40, -1)
    await ready.place({BOARD: [entry]})
    assert (await ready.top(BOARD, limit=1)).entries == (entry,)


async def test_the_extremes_of_every_range_keep_their_order(ready: RedisIndex) -> None:
    edges = (-SCORE_LIMIT, 1 - SCORE_LIMIT, -(2**32), -256, -255, -1, 0, 1, 255, 256, 2**32, SCORE_LIMIT - 1, SCORE_LIMIT)
    model = Model()
    for number, (score_key, subscore_key) in enumerate((a, b) for a in edges for b in edges):
        model.place(Entry(2**63 - 1 - number, score_key, subscore_key, 2**53 - number, 1, 0))
    placing = (await ready.place({BOARD: list(model.held.values())}))[BOARD]
    assert placing is not None
    assert placing.total == len(edges) ** 2
    await matches(ready, model)


async def test_a_key_that_a_double_does_not_hold_is_refused_before_anything_is_written(ready: RedisIndex) -> None:
    with pytest.raises(ValueError, match="outside"):
        await ready.place({BOARD: [an_entry(ADA, 1), an_entry(BO, SCORE_LIMIT + 1)]})
    assert await ready.count(BOARD) == 0


async def test_around_stops_at_both_ends(ready: RedisIndex) -> None:
    entries = [an_entry(user, 100 - user) for user in range(1, 10)]
    await ready.place({BOARD: entries})
    for user in range(1, 10):
        for limit in range(11):
            page = await ready.around(BOARD, user, limit=limit)
            assert page is not None
            first = max(1, user - limit)
            assert page.first_rank == first
            assert list(page.entries) == entries[first - 1 : user + limit]
            assert page.total == 9


async def test_a_stranger_is_on_no_page(ready: RedisIndex) -> None:
    assert await ready.rank(BOARD, CY) is None
    assert await ready.around(BOARD, CY, limit=5) is None


async def test_pages_past_the_end_are_empty_and_tell_the_total(ready: RedisIndex) -> None:
    await ready.place({BOARD: [an_entry(ADA, 1), an_entry(BO, 2)]})
    page = await ready.top(BOARD, limit=10, offset=2)
    assert (page.entries, page.first_rank, page.total) == ((), 3, 2)
    assert (await ready.top(BOARD, limit=0)).entries == ()
    assert [entry.user_id for entry in (await ready.top(BOARD, limit=10, offset=1)).entries] == [ADA]


@pytest.mark.parametrize(("limit", "offset"), [(-1, 0), (5_001, 0), (1, -1)])
async def test_pages_that_do_not_exist_are_not_guessed(ready: RedisIndex, limit: int, offset: int) -> None:
    with pytest.raises(ValueError, match="no such page"):
        await ready.top(BOARD, limit=limit, offset=offset)


async def test_large_boards_answer_large_pages(ready: RedisIndex) -> None:
    rng = random.Random(1)
    model = Model(an_entry(user, rng.randrange(50), session_id=rng.randrange(2**30) * 10_000 + user) for user in range(6_000))
    assert await ready.rebuild(BOARD, model.read()) == 6_000
    order = model.order
    assert list((await ready.top(BOARD, limit=5_000, offset=700)).entries) == order[700:5_700]
    page = await ready.around(BOARD, order[3_000].user_id, limit=2_499)
    assert page is not None
    assert list(page.entries) == order[501:5_500]


async def test_boards_of_a_batch_are_answered_each_by_its_own(ready: RedisIndex) -> None:
    await ready.rebuild(THIRD, Model([an_entry(BO, 5)]).read())
    answer = await ready.place({BOARD: [an_entry(ADA, 1)], OTHER: [an_entry(ADA, 1)], THIRD: [an_entry(ADA, 1)]})
    assert answer == {BOARD: Placing((Placed(1, None),), 1), OTHER: None, THIRD: Placing((Placed(2, None),), 2)}
    assert await ready.ready([BOARD, OTHER, THIRD]) == [True, False, True]


async def test_empty_questions_get_empty_answers(ready: RedisIndex) -> None:
    assert await ready.place({}) == {}
    assert await ready.place({BOARD: []}) == {BOARD: Placing((), 0)}
    assert await ready.ready([]) == []
    await ready.remove(BOARD, [])
    await ready.forget([])


async def test_ranks_of_a_batch_are_those_after_it_and_before_it(ready: RedisIndex) -> None:
    await ready.place({BOARD: [an_entry(ADA, 30), an_entry(BO, 20), an_entry(CY, 10)]})
    batch = [an_entry(CY, 40, session_id=7, version=2), an_entry(ADA, 30, version=2), an_entry(BO, 35, session_id=8, version=2)]
    assert await ready.place({BOARD: batch}) == {BOARD: Placing((Placed(1, 3), Placed(3, 3), Placed(2, 2)), 3)}


async def test_of_a_players_entries_in_a_batch_the_newest_counts(ready: RedisIndex) -> None:
    await ready.place({BOARD: [an_entry(BO, 20)]})
    batch = [an_entry(ADA, 5, session_id=9, version=2), an_entry(ADA, 30, session_id=10, version=3), an_entry(ADA, 1, version=1)]
    assert await ready.place({BOARD: batch}) == {BOARD: Placing((Placed(1, None),) * 3, 2)}
    await matches(ready, Model([an_entry(BO, 20), batch[1]]))


async def test_a_batch_may_be_larger_than_the_stack_of_lua(ready: RedisIndex) -> None:
    entries = [an_entry(user, 10_000 - user) for user in range(1, 2_502)]
    placing = (await ready.place({BOARD: entries}))[BOARD]
    assert placing is not None
    assert [place.rank for place in placing.places] == list(range(1, 2_502))
    assert placing.total == 2_501


# --- The version guard ---------------------------------------------------------------------------------------------


async def test_an_older_version_changes_nothing_and_gets_the_held_rank(ready: RedisIndex) -> None:
    held = an_entry(ADA, 10, version=3)
    await ready.place({BOARD: [held, an_entry(BO, 20)]})
    answer = await ready.place({BOARD: [an_entry(ADA, 99, session_id=50, version=2)]})
    assert answer == {BOARD: Placing((Placed(2, 2),), 2)}
    assert (await ready.top(BOARD, limit=2)).entries[1] == held


async def test_the_same_write_twice_is_one(ready: RedisIndex) -> None:
    await ready.place({BOARD: [an_entry(BO, 20)]})
    entry = an_entry(ADA, 30, version=5)
    assert await ready.place({BOARD: [entry, entry]}) == {BOARD: Placing((Placed(1, None), Placed(1, None)), 2)}
    assert await ready.place({BOARD: [entry]}) == {BOARD: Placing((Placed(1, 1),), 2)}


async def test_versions_compare_as_numbers_and_not_as_text(ready: RedisIndex) -> None:
    for version in (1, 2, 10, 127, 128, 255, 256, 65_535, 65_536, 2**32, 2**53 - 1):
        await ready.place({BOARD: [an_entry(ADA, version, version=version)]})
        assert (await ready.top(BOARD, limit=1)).entries[0].version == version
        await ready.place({BOARD: [an_entry(ADA, 0, version=version - 1)]})
        assert (await ready.top(BOARD, limit=1)).entries[0].version == version


async def test_a_version_without_a_new_value_is_kept_and_moves_nobody(ready: RedisIndex) -> None:
    await ready.place({BOARD: [an_entry(ADA, 10), an_entry(BO, 20)]})
    assert await ready.place({BOARD: [an_entry(ADA, 10, version=2)]}) == {BOARD: Placing((Placed(2, 2),), 2)}
    assert (await ready.top(BOARD, limit=2)).entries[1].version == 2


async def test_a_score_that_changes_under_the_same_session_moves(ready: RedisIndex) -> None:
    """The member stays and the zset score changes, as after a correction."""
    await ready.place({BOARD: [an_entry(ADA, 10), an_entry(BO, 20)]})
    assert await ready.place({BOARD: [an_entry(ADA, 30, version=2)]}) == {BOARD: Placing((Placed(1, 2),), 2)}


async def test_batches_in_any_order_converge(ready: RedisIndex) -> None:
    rng = random.Random(2)
    writes = [
        an_entry(user, rng.randrange(30), session_id=user * 100 + version, version=version) for user in range(30) for version in range(1, 9)
    ]
    newest = Model(entry for entry in writes if entry.version == 8)
    rng.shuffle(writes)
    batches = [writes[start : start + 16] for start in range(0, len(writes), 16)]
    await asyncio.gather(*(ready.place({BOARD: batch}) for batch in batches), *(ready.place({BOARD: batch}) for batch in batches))
    await matches(ready, newest)


small = st.integers(-3, 3)
writes = st.lists(st.tuples(st.integers(1, 6), small, small, st.integers(1, 4)), min_size=1, max_size=12)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("place"), writes),
        st.tuples(st.just("remove"), st.lists(st.integers(1, 6), max_size=3)),
        st.tuples(st.just("rebuild"), st.integers(1, 4)),
    ),
    max_size=12,
)


@pytest.mark.slow
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_any_sequence_of_writes_removals_and_rebuilds_equals_the_model(redis_url: str, steps: list[tuple[str, object]]) -> None:
    async def play() -> None:
        model, session = Model(), 0
        async with opened(redis_url) as index:
            await index.rebuild(BOARD, model.read())
            for verb, argument in steps:
                if verb == "place":
                    batch = []
                    for user, score, subscore, version in argument:  # type: ignore[attr-defined]
                        session += 1
                        batch.append(an_entry(user, score, subscore=subscore, session_id=session, version=version))
                    expected = model.place_all(batch)
                    assert await index.place({BOARD: batch}) == {BOARD: Placing(expected, len(model.held))}
                elif verb == "remove":
                    await index.remove(BOARD, argument)  # type: ignore[arg-type]
                    model.held = {user: entry for user, entry in model.held.items() if user not in argument}  # type: ignore[operator]
                else:
                    assert await index.rebuild(BOARD, model.read(page=argument)) == len(model.held)  # type: ignore[arg-type]
            await matches(index, model)

    asyncio.run(play())


# --- Reads of chosen entries ---------------------------------------------------------------------------------------------


def shared(order: list[Entry], entry: Entry, ranking: Ranking) -> int:
    """What the entry is ranked if equals share a rank, counted by hand."""
    better = [other.value for other in order if other.value < entry.value]
    return 1 + (len(better) if ranking is Ranking.COMPETITION else len(set(better)))


held = st.lists(st.tuples(small, small), max_size=12)


@pytest.mark.slow
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=held, low=small, high=small, limit=st.integers(1, 4), offset=st.integers(0, 13), ranking=st.sampled_from(Ranking))
def test_chosen_entries_are_those_of_the_model(
    redis_url: str, values: list[tuple[int, int]], low: int, high: int, limit: int, offset: int, ranking: Ranking
) -> None:
    model = Model(an_entry(user, score, subscore=subscore) for user, (score, subscore) in enumerate(values, 1))
    order = model.order

    def first_shared(page: Sequence[Entry]) -> int | None:
        return shared(order, page[0], ranking) if page and ranking is not Ranking.ORDINAL else None

    async def play() -> None:
        async with opened(redis_url) as index:
            await index.rebuild(BOARD, model.read())
            top = await index.top(BOARD, limit=limit, offset=offset, ranking=ranking)
            chosen = order[offset : offset + limit]
            assert top == Page(tuple(chosen), offset + 1, len(order), first_shared(chosen))
            within = await index.within(BOARD, low, high, limit=limit, offset=offset, ranking=ranking)
            chosen = [entry for entry in order if low <= entry.score_key <= high][offset : offset + limit]
            assert (list(within.entries), within.first_shared, within.total) == (chosen, first_shared(chosen), len(order))
            assert not chosen or within.first_rank == order.index(chosen[0]) + 1
            for place, entry in enumerate(order):
                around = await index.around(BOARD, entry.user_id, limit=limit, ranking=ranking)
                chosen = order[max(0, place - limit) : place + limit + 1]
                assert around == Page(tuple(chosen), max(1, place + 1 - limit), len(order), first_shared(chosen))
            found = (await index.find({BOARD: [*range(20, 0, -1)], OTHER: [ADA]}, ranking=ranking))[BOARD]
            assert found == Found(tuple(Place(entry, place, first_shared([entry])) for place, entry in enumerate(order, 1)), len(order))

    asyncio.run(play())


@pytest.mark.slow
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=held, value=st.tuples(small, small), player=st.one_of(st.none(), st.integers(1, 13)))
def test_a_value_would_stand_behind_its_equals(
    redis_url: str, values: list[tuple[int, int]], value: tuple[int, int], player: int | None
) -> None:
    model = Model(an_entry(user, score, subscore=subscore) for user, (score, subscore) in enumerate(values, 1))
    others = [entry for entry in model.order if entry.user_id != player]
    better = [entry for entry in others if entry.value <= value]

    async def play() -> None:
        async with opened(redis_url) as index:
            await index.rebuild(BOARD, model.read())
            standing = await index.stand(BOARD, value, apart_from=player)
            assert standing == Standing(len(better) + 1, len(others), better[-1] if better else None)

    asyncio.run(play())


async def test_a_players_own_entry_is_not_in_its_own_way(ready: RedisIndex) -> None:
    """Wherever it stands: just before the value, further ahead, behind, or alone."""
    ada, bo, cy = an_entry(ADA, 10), an_entry(BO, 20), an_entry(CY, 30)
    await ready.place({BOARD: [ada, bo, cy]})
    assert await ready.stand(BOARD, (-10, 0), apart_from=ADA) == Standing(3, 2, bo)
    assert await ready.stand(BOARD, (-10, 0), apart_from=CY) == Standing(3, 2, ada)
    assert await ready.stand(BOARD, (-25, 0), apart_from=ADA) == Standing(2, 2, cy)
    assert await ready.stand(BOARD, (-30, 0), apart_from=CY) == Standing(1, 2, None)
    assert await ready.stand(BOARD, (-10, 0), apart_from=99) == Standing(4, 3, ada)


async def test_values_at_the_ends_of_the_range_are_told_apart(ready: RedisIndex) -> None:
    edges = (-SCORE_LIMIT, 1 - SCORE_LIMIT, -(2**48), -256, -255, -1, 0, 1, 255, 256, 2**48, SCORE_LIMIT - 1, SCORE_LIMIT)
    values = [(score, subscore) for score in (-SCORE_LIMIT, 0, SCORE_LIMIT) for subscore in edges]
    await ready.place({BOARD: [Entry(number, *value, number, 1, 0) for number, value in enumerate(values, 1)]})
    for better, value in enumerate(values):
        assert (await ready.stand(BOARD, value)).rank == better + 2
        page = await ready.top(BOARD, limit=1, offset=better, ranking=Ranking.DENSE)
        assert page.first_shared == better + 1


async def test_dense_ranks_are_told_of_values_that_begin_within_the_first_places(ready: RedisIndex) -> None:
    """And competition ranks of all."""
    last = DENSE_PLACES + 2
    entries = [an_entry(user, -(user // 2)) for user in range(2, last + 2)]  # pairs of equals
    await ready.rebuild(BOARD, Model(entries).read())
    told = {}
    for offset in (DENSE_PLACES - 2, DENSE_PLACES - 1, DENSE_PLACES, DENSE_PLACES + 1):
        ranks = [(await ready.top(BOARD, limit=1, offset=offset, ranking=ranking)).first_shared for ranking in list(Ranking)[1:]]
        told[offset - DENSE_PLACES] = ranks
    half = DENSE_PLACES // 2
    assert told == {-2: [DENSE_PLACES - 1, half], -1: [DENSE_PLACES - 1, half], 0: [DENSE_PLACES + 1, None], 1: [DENSE_PLACES + 1, None]}
    found = (await ready.find({BOARD: [last + 1, ADA, 2, last - 1]}, ranking=Ranking.DENSE))[BOARD]
    assert found is not None
    assert [place.shared_rank for place in found.places] == [1, half, None]


async def test_no_chosen_entries_are_told_of_a_cold_board(index: RedisIndex) -> None:
    for read in (index.within(BOARD, 0, 1, limit=1), index.stand(BOARD, (0, 0))):
        with pytest.raises(IndexCold):
            await read
    await index.rebuild(THIRD, Model([an_entry(ADA, 1)]).read())
    assert await index.find({BOARD: [ADA], THIRD: [BO, ADA]}) == {BOARD: None, THIRD: Found((Place(an_entry(ADA, 1), 1),), 1)}
    assert await index.find({}) == {}


@pytest.mark.parametrize("user_ids", [[], [ADA, ADA]])
async def test_players_that_are_none_or_twice_are_the_callers_mistake(ready: RedisIndex, user_ids: list[int]) -> None:
    with pytest.raises(ValueError, match="twice"):
        await ready.find({BOARD: user_ids})


# --- Cold boards and rebuilds ----------------------------------------------------------------------------------------


async def test_a_board_that_was_never_filled_is_cold(index: RedisIndex) -> None:
    assert await index.place({BOARD: [an_entry(ADA, 1)]}) == {BOARD: None}
    assert await index.ready([BOARD]) == [False]
    for read in (index.top(BOARD, limit=1), index.around(BOARD, ADA, limit=1), index.rank(BOARD, ADA), index.count(BOARD)):
        with pytest.raises(IndexCold):
            await read
    with pytest.raises(IndexCold):
        await everything(index)


async def test_a_write_to_a_cold_board_leaves_nothing_behind(index: RedisIndex, each_server: RedisServer) -> None:
    await index.place({BOARD: [an_entry(ADA, 1)]})
    assert each_server.command("DBSIZE") == "0"


@pytest.mark.parametrize("lost", ["state", "order", "players", "order players", "state order", "state players"])
async def test_a_board_that_lost_any_of_its_keys_is_cold(ready: RedisIndex, each_server: RedisServer, lost: str) -> None:
    await ready.place({BOARD: [an_entry(ADA, 1)]})
    each_server.command("DEL", *(f"gl:{{7}}:0:{name}" for name in lost.split()))
    assert await ready.ready([BOARD]) == [False]
    assert await ready.place({BOARD: [an_entry(BO, 1)]}) == {BOARD: None}
    with pytest.raises(IndexCold):
        await ready.top(BOARD, limit=1)
    assert await ready.rebuild(BOARD, Model([an_entry(BO, 1)]).read()) == 1
    assert await everything(ready) == [an_entry(BO, 1)]


async def test_a_flushed_board_is_cold_and_a_rebuild_brings_it_back(ready: RedisIndex, each_server: RedisServer) -> None:
    model = Model([an_entry(ADA, 1), an_entry(BO, 2)])
    await ready.place({BOARD: model.order})
    each_server.command("FLUSHALL")
    assert await ready.place({BOARD: model.order}) == {BOARD: None}
    assert await ready.rebuild(BOARD, model.read()) == 2
    await matches(ready, model)


async def test_a_rebuild_drops_what_the_store_does_not_have(ready: RedisIndex) -> None:
    await ready.place({BOARD: [an_entry(ADA, 1, version=9), an_entry(CY, 1)]})
    model = Model([an_entry(ADA, 2), an_entry(BO, 3)])
    assert await ready.rebuild(BOARD, model.read()) == 2
    await matches(ready, model)


async def test_a_board_is_cold_while_it_is_rebuilt_yet_takes_writes(ready: RedisIndex) -> None:
    model = Model([an_entry(ADA, 1), an_entry(BO, 2)])

    async def read() -> AsyncIterator[list[Entry]]:
        yield model.order
        model.place(an_entry(CY, 3))
        assert await ready.place({BOARD: [an_entry(CY, 3)]}) == {BOARD: None}
        assert await ready.ready([BOARD]) == [False]
        with pytest.raises(IndexCold):
            await ready.top(BOARD, limit=10)

    assert await ready.rebuild(BOARD, read) == 2
    await matches(ready, model)


@pytest.mark.parametrize("reader", [Model.read, Model.read_in_order])
async def test_live_writes_during_a_rebuild_end_equal_to_the_store(
    ready: RedisIndex, reader: Callable[..., Callable[[], AsyncIterator[list[Entry]]]]
) -> None:
    """Before each page some entries of the store change, and their writes reach the index before or after the page does, or twice."""
    rng = random.Random(3)
    model = Model(an_entry(user, rng.randrange(100)) for user in range(400))
    late: list[Entry] = []

    async def read() -> AsyncIterator[list[Entry]]:
        session = 1_000
        async for page in reader(model, page=37)():
            writes = []
            for user in rng.sample(range(450), 20):
                session += 1
                held = model.held.get(user)
                entry = an_entry(user, rng.randrange(100), session_id=session, version=held.version + 1 if held else 1)
                model.place(entry)
                writes.append(entry)
            at_once = rng.sample(writes, 12)
            late.extend(entry for entry in writes if entry not in at_once)
            await ready.place({BOARD: at_once})
            yield page  # as read before these changes
            late.extend(rng.sample(at_once, 3))

    await ready.rebuild(BOARD, read)
    rng.shuffle(late)
    await ready.place({BOARD: late})
    await matches(ready, model)


async def test_a_second_rebuild_leaves_the_first_alone(ready: RedisIndex) -> None:
    model = Model([an_entry(ADA, 1)])

    async def read() -> AsyncIterator[list[Entry]]:
        assert await ready.rebuild(BOARD, Model([an_entry(CY, 9)]).read()) is None
        yield model.order

    assert await ready.rebuild(BOARD, read) == 1
    await matches(ready, model)


async def test_many_rebuilds_at_once_fill_the_board_once_at_a_time(ready: RedisIndex) -> None:
    model = Model(an_entry(user, user) for user in range(50))
    counts = await asyncio.gather(*(ready.rebuild(BOARD, model.read(page=7)) for _ in range(10)))
    assert {50} <= set(counts) <= {50, None}
    await matches(ready, model)


async def test_a_page_that_is_newer_than_a_late_write_wins(ready: RedisIndex) -> None:
    """The write of an earlier version arrives during the rebuild; that of the version which the page has comes later or never."""
    model = Model([an_entry(ADA, 30, session_id=9, version=2), an_entry(BO, 20)])

    async def read() -> AsyncIterator[list[Entry]]:
        await ready.place({BOARD: [an_entry(ADA, 10, version=1)]})
        yield model.order

    assert await ready.rebuild(BOARD, read) == 2
    await matches(ready, model)


@pytest.mark.parametrize("died", ["before its first page", "after its first page"])
async def test_a_rebuild_that_died_is_taken_over_after_its_lease(each_server: RedisServer, ready: RedisIndex, died: str) -> None:
    """It comes to life again while the other is at work, and must not add to what that one fills."""
    model, ghost = Model([an_entry(ADA, 1), an_entry(BO, 2)]), [an_entry(CY, 99)]
    begun, taken, go_on = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def read() -> AsyncIterator[list[Entry]]:
        taken.set()
        await go_on.wait()
        yield model.order

    async def take_over() -> int:
        while (count := await ready.rebuild(BOARD, read)) is None:
            await asyncio.sleep(0)
        return count

    async def read_slowly() -> AsyncIterator[list[Entry]]:
        begun.set()
        if died == "after its first page":
            yield ghost
        await taken.wait()
        yield ghost

    async with opened(each_server.url, lease_ms=30) as slow, asyncio.timeout(20):
        sleeper = asyncio.create_task(slow.rebuild(BOARD, read_slowly))
        await begun.wait()
        other = asyncio.create_task(take_over())
        assert await sleeper is None
        go_on.set()
        assert await other == 2
    await matches(ready, model)


async def test_a_reader_is_closed_before_the_next_one_is_opened(ready: RedisIndex) -> None:
    seen: list[str] = []

    async def read() -> AsyncIterator[list[Entry]]:
        first = not seen
        seen.append("open")
        try:
            yield [an_entry(ADA, 1)]
            if first:
                await ready.remove(BOARD, [BO])
            yield [an_entry(BO, 1)]
            yield [an_entry(CY, 1)]
        finally:
            await asyncio.sleep(0)
            seen.append("closed")

    assert await ready.rebuild(BOARD, read) == 3
    assert seen == ["open", "closed", "open", "closed"]


async def test_a_rebuild_renews_its_lease_with_every_page(each_server: RedisServer, ready: RedisIndex) -> None:
    async def read() -> AsyncIterator[list[Entry]]:
        each_server.command("PEXPIRE", "gl:{7}:0:state", "900")
        yield [an_entry(ADA, 1)]
        yield [an_entry(BO, 2)]
        while int(each_server.command("PTTL", "gl:{7}:0:state")) <= 900:  # the pages are written while this reads on
            await asyncio.sleep(0)

    async with asyncio.timeout(10):
        assert await ready.rebuild(BOARD, read) == 2


@pytest.mark.parametrize("fault", ["FLUSHALL", "remove", "forget", "forget_all", "lost players"])
async def test_a_rebuild_starts_again_when_its_board_is_taken_from_it(ready: RedisIndex, each_server: RedisServer, fault: str) -> None:
    model, reads = Model([an_entry(ADA, 1), an_entry(BO, 2)]), 0

    async def read() -> AsyncIterator[list[Entry]]:
        nonlocal reads
        reads += 1
        if reads > 1:
            yield model.order
            return
        yield [an_entry(CY, 3)]
        while each_server.command("ZCARD", "gl:{7}:0:order") != "1":
            await asyncio.sleep(0)  # until the page is written
        if fault == "FLUSHALL":
            each_server.command("FLUSHALL")
        elif fault == "remove":
            await ready.remove(BOARD, [CY])
        elif fault == "forget":
            await ready.forget([BOARD])
        elif fault == "forget_all":
            assert await ready.forget_all() == 1
        else:
            each_server.command("DEL", "gl:{7}:0:players")

    assert await ready.rebuild(BOARD, read) == 2
    assert reads == 2
    await matches(ready, model)


async def test_a_rebuild_that_is_interrupted_for_ever_gives_up(ready: RedisIndex) -> None:
    async def read() -> AsyncIterator[list[Entry]]:
        yield [an_entry(ADA, 1)]
        await ready.remove(BOARD, [BO])

    with pytest.raises(IndexUnavailable, match="start again"):
        await ready.rebuild(BOARD, read)
    assert await ready.ready([BOARD]) == [False]


async def test_a_store_that_fails_ends_the_rebuild_and_frees_the_lease(ready: RedisIndex) -> None:
    async def broken() -> AsyncIterator[list[Entry]]:
        yield [an_entry(ADA, 1)]
        raise ConnectionResetError("the store went away")

    with pytest.raises(ConnectionResetError):
        await ready.rebuild(BOARD, broken)
    assert await ready.ready([BOARD]) == [False]
    assert await ready.rebuild(BOARD, Model([an_entry(BO, 1)]).read()) == 1


async def test_a_cancelled_rebuild_closes_its_reader_and_frees_the_lease(ready: RedisIndex) -> None:
    reading, closed = asyncio.Event(), asyncio.Event()

    async def read() -> AsyncIterator[list[Entry]]:
        try:
            yield [an_entry(ADA, 1)]
            reading.set()
            await asyncio.Event().wait()
        finally:
            closed.set()

    task = asyncio.create_task(ready.rebuild(BOARD, read))
    await reading.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert closed.is_set()
    assert await ready.rebuild(BOARD, Model([an_entry(BO, 1)]).read()) == 1


# --- Removing and forgetting -----------------------------------------------------------------------------------------


async def test_what_was_taken_back_does_not_come_back_however_new_its_version(ready: RedisIndex) -> None:
    """A removal tells up to which session: what a later one set is another matter, whatever its version."""
    await ready.place({BOARD: [an_entry(ADA, 10, version=5), an_entry(BO, 20)]})
    late = an_entry(ADA, 10**6, session_id=2**40, version=9)
    await ready.remove(BOARD, [ADA], until=2**40)
    placing = Placing((Placed(1, 1), Placed(1, 1)), 1)  # the rank that it would have, and Bo's
    assert await ready.place({BOARD: [late, an_entry(BO, 20)]}) == {BOARD: placing}
    await matches(ready, Model([an_entry(BO, 20)]))
    anew = an_entry(ADA, 1, session_id=2**40 + 1)
    await ready.place({BOARD: [anew]})
    await ready.place({BOARD: [late]})
    await ready.remove(BOARD, [ADA], until=2**40 - 1)  # an older removal comes late
    await ready.place({BOARD: [late]})
    assert anew in await everything(ready)
    assert late not in await everything(ready)
    assert await ready.ready([BOARD]) == [True]


async def test_an_index_that_starts_anew_knows_of_no_removals(ready: RedisIndex) -> None:
    """A restored database gives session ids out again."""
    again = an_entry(ADA, 10**6, session_id=5, version=9)
    await ready.remove(BOARD, [ADA], until=100)
    await ready.forget_all()
    await ready.rebuild(BOARD, Model([]).read())
    await ready.place({BOARD: [again]})
    assert await everything(ready) == [again]


async def test_removed_players_are_gone_and_may_come_back_with_a_first_version(ready: RedisIndex) -> None:
    await ready.place({BOARD: [an_entry(ADA, 10, version=5), an_entry(BO, 20), an_entry(CY, 5)]})
    await ready.remove(BOARD, [ADA, CY, 99])
    await matches(ready, Model([an_entry(BO, 20)]))
    assert await ready.place({BOARD: [an_entry(ADA, 1)]}) == {BOARD: Placing((Placed(2, None),), 2)}


async def test_forgetting_makes_those_boards_cold_and_no_others(ready: RedisIndex) -> None:
    await ready.rebuild(OTHER, Model().read())
    await ready.forget([BOARD])
    assert await ready.ready([BOARD, OTHER]) == [False, True]


async def test_forgetting_all_leaves_nothing_of_any_board_and_all_of_other_prefixes(each_server: RedisServer, index: RedisIndex) -> None:
    for number in range(1, 30):
        await index.rebuild(BoardId(number, number * 60), Model([an_entry(ADA, 1)]).read())
    async with opened(each_server.url, prefix="other") as neighbour:  # type: ignore[arg-type]
        await neighbour.rebuild(BOARD, Model([an_entry(ADA, 1)]).read())
        each_server.command("SET", "gl:{7}:feed:state", "kept")
        assert await index.forget_all() == 29
        assert await neighbour.ready([BOARD]) == [True]
    assert each_server.command("DBSIZE") == "4"
    assert await index.forget_all() == 0


async def test_the_boards_that_hold_anything_are_listed(index: RedisIndex) -> None:
    assert await index.boards() == []
    for board in (BOARD, OTHER, THIRD):
        await index.rebuild(board, Model([an_entry(ADA, 1)]).read())
    await index.forget([OTHER])
    assert sorted(await index.boards()) == [BOARD, THIRD]


async def test_the_sweeps_mark_is_kept_until_the_index_is_lost(index: RedisIndex, each_server: RedisServer) -> None:
    assert await index.mark() is None
    mark = Mark(await index.server_run_id(), 2**53)
    await index.set_mark(mark)
    assert await index.mark() == mark
    each_server.command("FLUSHALL")
    assert await index.mark() is None


# --- A Redis that misbehaves -------------------------------------------------------------------------------------------


async def test_scripts_that_the_server_forgot_are_loaded_again(ready: RedisIndex, each_server: RedisServer) -> None:
    await ready.rebuild(OTHER, Model().read())
    each_server.command("SCRIPT", "FLUSH")
    answer = await ready.place({BOARD: [an_entry(ADA, 1)], OTHER: [an_entry(BO, 1)], THIRD: [an_entry(CY, 1)]})
    assert answer == {BOARD: Placing((Placed(1, None),), 1), OTHER: Placing((Placed(1, None),), 1), THIRD: None}
    each_server.command("SCRIPT", "FLUSH")
    assert await ready.count(BOARD) == 1
    assert ready.failures == 0


async def test_scripts_forgotten_in_the_middle_of_a_rebuild_do_not_stop_it(ready: RedisIndex, each_server: RedisServer) -> None:
    model = Model(an_entry(user, user) for user in range(20))

    async def read() -> AsyncIterator[list[Entry]]:
        async for page in model.read(page=5)():
            each_server.command("SCRIPT", "FLUSH")
            yield page

    assert await ready.rebuild(BOARD, read) == 20
    await matches(ready, model)


async def test_a_hundred_callers_share_few_connections(ready: RedisIndex, each_server: RedisServer) -> None:
    await ready.place({BOARD: [an_entry(ADA, 1)]})
    pages = await asyncio.gather(*(ready.top(BOARD, limit=1) for _ in range(100)))
    assert all(page.entries == (an_entry(ADA, 1),) for page in pages)
    assert len(each_server.command("CLIENT", "LIST").splitlines()) <= 3  # for calls, for the rebuild, and the one that asks


async def test_a_connection_that_the_server_closed_while_idle_costs_nobody_a_failure(ready: RedisIndex, each_server: RedisServer) -> None:
    await asyncio.gather(*(ready.count(BOARD) for _ in range(5)))
    each_server.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    while len(each_server.command("CLIENT", "LIST").splitlines()) > 1:
        pass
    for _ in range(3):
        await asyncio.sleep(0)  # the loop takes note
    await asyncio.gather(*(ready.count(BOARD) for _ in range(5)))
    assert ready.failures == 0


async def test_a_refusal_of_redis_means_away(ready: RedisIndex, each_server: RedisServer) -> None:
    each_server.command("SET", "gl:{7}:86400:state", "ready")
    each_server.command("SET", "gl:{7}:86400:order", "nonsense")
    with pytest.raises(IndexUnavailable, match="WRONGTYPE"):
        await ready.place({BOARD: [an_entry(ADA, 1)], OTHER: [an_entry(ADA, 1)]})
    assert ready.failures == 1


async def until_back(index: RedisIndex) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                await index.ping()
                await index.boards()  # by the connection of rebuilds
                return
            except IndexUnavailable:
                await asyncio.sleep(0.001)


@pytest.mark.slow
async def test_a_rebuild_outlasts_a_call_that_comes_too_late(own_server: RedisServer) -> None:
    model = Model([an_entry(ADA, 1), an_entry(BO, 2)])
    async with opened(own_server.url, timeout_ms=500) as index:

        async def read() -> AsyncIterator[list[Entry]]:
            own_server.pause()
            yield model.order[:1]
            with pytest.raises(IndexUnavailable):
                await index.ping()
            own_server.resume()
            yield model.order[1:]

        assert await index.rebuild(BOARD, read) == 2
        assert index.failures == 1, "the call's alone"
        await until_back(index)
        await matches(index, model)


@pytest.mark.slow
async def test_a_redis_that_hangs_is_away_after_the_timeout_and_then_costs_one_caller_a_period(own_server: RedisServer) -> None:
    async with opened(own_server.url, timeout_ms=150, retry_ms=60_000) as index:
        await index.rebuild(BOARD, Model([an_entry(ADA, 1)]).read())
        own_server.pause()
        with pytest.raises(IndexUnavailable, match="TimeoutError"):
            await index.top(BOARD, limit=1)
        assert index.failures == 1
        for _ in range(100):
            with pytest.raises(IndexUnavailable, match="left alone"):
                await index.top(BOARD, limit=1)
        assert index.failures == 1

    async with opened(own_server.url, timeout_ms=150, retry_ms=0) as index:
        with pytest.raises(IndexUnavailable):
            await index.ping()
        answers = await asyncio.gather(*(index.ping() for _ in range(50)), return_exceptions=True)
        assert [str(answer) for answer in answers].count("TimeoutError: ") == 1  # the one that probed
        own_server.resume()
        await until_back(index)
        assert (await index.top(BOARD, limit=1)).entries == (an_entry(ADA, 1),)


async def test_replies_that_a_cancelled_or_late_call_left_unread_reach_nobody(own_server: RedisServer) -> None:
    async with opened(own_server.url, timeout_ms=5_000) as index:
        await index.rebuild(BOARD, Model(an_entry(user, user) for user in range(1, 20)).read())
        own_server.pause()
        asked = [asyncio.create_task(index.rank(BOARD, user)) for user in range(1, 20)]
        await asyncio.sleep(0.02)  # sent, and not to be answered
        for task in asked:
            task.cancel()
        assert all(isinstance(answer, asyncio.CancelledError) for answer in await asyncio.gather(*asked, return_exceptions=True))
        own_server.resume()
        for user in range(1, 20):
            page = await index.rank(BOARD, user)
            assert page is not None
            assert page.entries[0].user_id == user
        assert index.failures == 0


async def test_a_redis_that_was_killed_comes_back_cold_and_with_another_run_id(own_server: RedisServer) -> None:
    model = Model([an_entry(ADA, 1)])
    async with opened(own_server.url, timeout_ms=2_000) as index:
        await index.rebuild(BOARD, model.read())
        before = await index.server_run_id()
        assert before == await index.server_run_id()
        own_server.kill()
        with pytest.raises(IndexUnavailable):
            await index.place({BOARD: model.order})
        own_server.restart_empty()
        await until_back(index)
        assert await index.server_run_id() != before
        assert await index.place({BOARD: model.order}) == {BOARD: None}
        assert await index.rebuild(BOARD, model.read()) == 1
        await matches(index, model)


async def test_a_rebuild_that_loses_its_redis_says_so_and_can_be_done_again(own_server: RedisServer) -> None:
    model = Model(an_entry(user, user) for user in range(30))

    async def read() -> AsyncIterator[list[Entry]]:
        async for page in model.read(page=10)():
            yield page
            if page[0].user_id == 10:
                own_server.restart_empty()

    async with opened(own_server.url) as index:
        with pytest.raises(IndexUnavailable):
            await index.rebuild(BOARD, read)
        await until_back(index)
        assert await index.ready([BOARD]) == [False]
        assert await index.rebuild(BOARD, model.read()) == 30
        await matches(index, model)


def test_one_index_serves_one_event_loop_after_another(redis_url: str) -> None:
    index = an_index(redis_url)

    async def use() -> int:
        await index.rebuild(BOARD, Model([an_entry(ADA, 1)]).read())
        try:
            return await index.count(BOARD)
        finally:
            await index.aclose()

    assert [asyncio.run(use()) for _ in range(3)] == [1, 1, 1]


async def test_after_closing_the_next_call_opens_anew(ready: RedisIndex) -> None:
    await ready.aclose()
    assert await ready.count(BOARD) == 0


async def test_a_unix_socket_serves_as_well(redis_server: RedisServer, redis_url: str) -> None:
    async with opened(redis_server.socket_url) as index:
        assert await index.rebuild(BOARD, Model().read()) == 0
    async with opened(redis_url) as index:
        assert await index.ready([BOARD]) == [True]


# --- Addresses and the server that is brought along --------------------------------------------------------------------


def test_addresses_are_read_with_tls_sockets_and_databases() -> None:
    connection_class, options = connection_options("rediss://ada:s%40fe@cache.example:6380/3?ssl_cert_reqs=none")
    assert connection_class.__name__ == "SSLConnection"
    assert [options[name] for name in ("host", "port", "db", "username", "password", "ssl_cert_reqs")] == [
        *("cache.example", 6380, 3, "ada", "s@fe", "none")
    ]
    connection_class, options = connection_options("unix:///run/redis.sock?db=2&max_connections=5")
    assert connection_class.__name__ == "UnixDomainSocketConnection"
    assert (options["path"], options["db"]) == ("/run/redis.sock", 2)
    assert "max_connections" not in options
    with pytest.raises(ValueError, match="schemes"):
        connection_options("http://localhost")


def test_a_server_on_the_path_that_is_too_old_is_passed_over(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, said in (("redis-server", "Redis server v=6.0.16 sha=0"), ("valkey-server", "Valkey server v=8.1.0 sha=0")):
        binary = tmp_path / name  # type: ignore[operator]
        binary.write_text(f"#!/bin/sh\necho '{said}'\n")
        binary.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = embedded.find_server()
    assert found is not None
    assert found.name == "valkey-server"


# --- The bytes, without a server -----------------------------------------------------------------------------------------

numbers = st.integers(-(2**64) + 1, 2**64 - 1) | st.integers(-300, 300)
keys = st.integers(-SCORE_LIMIT, SCORE_LIMIT) | st.integers(-300, 300)
entries = st.builds(
    Entry,
    user_id=st.integers(0, 2**63 - 1) | st.integers(0, 300),
    score_key=keys,
    subscore_key=keys,
    session_id=st.integers(0, 2**53) | st.integers(0, 300),
    version=st.integers(0, 2**53 - 1),
    achieved_ms=st.integers(-(2**47), 2**47 - 1),
)


@given(numbers, numbers, st.binary(max_size=3), st.binary(max_size=3))
def test_encoded_numbers_sort_as_the_numbers_do_whatever_follows(a: int, b: int, after_a: bytes, after_b: bytes) -> None:
    if a != b:
        assert (encode_number(a) + after_a < encode_number(b) + after_b) == (a < b)


@given(numbers, st.binary(max_size=3))
def test_a_number_is_read_back_from_where_it_stands(number: int, around: bytes) -> None:
    encoded = encode_number(number)
    assert decode_number(around + encoded + around, len(around)) == (number, len(around) + len(encoded))


@given(entries, entries)
def test_members_of_equal_scores_sort_as_the_entries_do(a: Entry, b: Entry) -> None:
    if a.order[1:] != b.order[1:]:
        assert (member(a) < member(b)) == (a.order[1:] < b.order[1:])


@given(entries)
def test_an_entry_is_read_back_as_it_was_written(entry: Entry) -> None:
    score, user, value = encode(entry)
    assert decode(member(entry), score, value) == entry
    assert decode(member(entry), b"%.17g" % entry.score_key, value) == entry  # as Redis may answer
    assert member(entry).endswith(user)
    assert value.endswith(member(entry)[: -len(user)])


def test_a_usual_player_costs_few_bytes() -> None:
    _, user, value = encode(
        Entry(user_id=50_000, score_key=-1, subscore_key=0, session_id=9_000_000, version=200, achieved_ms=1_700_000_000_000)
    )
    assert (len(user), len(value)) == (3, 13)


# --- Drift -----------------------------------------------------------------------------------------------------------------


def test_every_kind_of_difference_has_its_name() -> None:
    stored = [an_entry(1, 10), an_entry(2, 10, version=2), an_entry(3, 10), an_entry(4, 10), an_entry(6, 1)]
    indexed = [an_entry(6, 1), an_entry(5, 10), an_entry(4, 10, version=2), an_entry(3, 11), an_entry(2, 10)]
    found = compare([stored[:2], stored[2:]], [indexed])
    assert [(difference.user_id, difference.kind) for difference in found] == [
        (1, Kind.MISSING),
        (2, Kind.STALE),
        (3, Kind.WRONG_VALUE),
        (4, Kind.AHEAD),
        (5, Kind.GHOST),
    ]
    assert (found[2].stored, found[2].indexed) == (an_entry(3, 10), an_entry(3, 11))


def test_a_player_met_twice_on_a_moving_board_counts_once() -> None:
    assert compare([[an_entry(1, 20, version=2)]], [[an_entry(1, 20, version=2)], [an_entry(1, 10)]]) == []


async def test_an_index_equal_to_the_store_has_no_drift(ready: RedisIndex) -> None:
    model = Model(an_entry(user, user % 10) for user in range(1_500))
    await ready.rebuild(BOARD, model.read())
    assert compare([model.order], [page async for page in ready.entries(BOARD, page=400)]) == []
    await ready.remove(BOARD, [3])
    found = compare([model.order], [page async for page in ready.entries(BOARD, page=400)])
    assert [(difference.user_id, difference.kind) for difference in found] == [(3, Kind.MISSING)]


def test_every_script_is_registered() -> None:
    scripts = {value for value in vars(redis_index).values() if isinstance(value, redis_index.Script)}
    assert scripts == set(redis_index.SCRIPTS)
