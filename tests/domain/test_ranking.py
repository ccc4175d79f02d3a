"""Percentiles, shared ranks and points, against what they are by their definitions."""

from bisect import bisect_left

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaderboard.domain.ranking import Ranking, percentile, points_to_pass, rank_at, shared_ranks
from leaderboard.domain.score import SCORE_LIMIT, Entry

KEYS = st.one_of(st.integers(-3, 3), st.integers(-SCORE_LIMIT, SCORE_LIMIT))
VALUES = st.tuples(KEYS, st.integers(-2, 2))
BOARDS = st.lists(st.tuples(st.integers(-2, 2), st.integers(-1, 1)), max_size=12).map(
    lambda values: [Entry(user, *value, user, 1, 0) for user, value in enumerate(sorted(values), 1)]
)


@given(total=st.integers(1, 3_000), wanted=st.integers(0, 10_000).map(lambda hundredths: hundredths / 100))
def test_a_percentile_begins_at_the_last_rank_that_has_it(total: int, wanted: float) -> None:
    rank = rank_at(wanted, total)
    assert percentile(rank, total) >= wanted
    assert rank == total or percentile(rank + 1, total) < wanted


def test_the_first_is_at_100_and_an_empty_board_has_no_percentile() -> None:
    assert [percentile(1, 1), percentile(1, 7), percentile(4, 4), percentile(2, 3)] == [100, 100, 25, 66.67]
    assert [rank_at(100, 7), rank_at(0, 7), rank_at(90, 10), rank_at(50, 0)] == [1, 7, 2, 0]


@given(board=BOARDS, first=st.integers(0, 11), ranking=st.sampled_from([Ranking.COMPETITION, Ranking.DENSE]))
def test_equals_share_a_rank_on_any_page(board: list[Entry], first: int, ranking: Ranking) -> None:
    values = [entry.value for entry in board]
    by_hand = {
        Ranking.COMPETITION: [1 + bisect_left(values, value) for value in values],
        Ranking.DENSE: [1 + len({other for other in values if other < value}) for value in values],
    }[ranking][first:]
    page = board[first:]
    told = shared_ranks(page, first_rank=first + 1, first_shared=by_hand[0] if by_hand else 0, ranking=ranking)
    assert told == by_hand


@given(one=VALUES, other=VALUES)
def test_the_points_to_pass_are_the_fewest_that_do(one: tuple[int, int], other: tuple[int, int]) -> None:
    held, ahead = max(one, other), min(one, other)
    points = points_to_pass(held, ahead)
    if points is None:
        assert (-SCORE_LIMIT, held[1]) >= ahead
    else:
        assert held[0] - points >= -SCORE_LIMIT
        assert (held[0] - points, held[1]) < ahead <= (held[0] - points + 1, held[1])


@pytest.mark.parametrize(
    ("held", "ahead", "points"),
    [((-10, 0), (-12, 0), 3), ((-10, -5), (-12, 0), 2), ((-10, 0), (-10, 0), 1), ((0, 0), (-SCORE_LIMIT, 0), None)],
)
def test_a_tie_is_lost_to_who_was_there_before(held: tuple[int, int], ahead: tuple[int, int], points: int | None) -> None:
    assert points_to_pass(held, ahead) == points
