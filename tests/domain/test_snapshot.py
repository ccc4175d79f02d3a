"""Old snapshot + delta = new snapshot, for any two; and no smaller delta would do."""

from copy import deepcopy
from itertools import combinations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from leaderboard.domain.snapshot import TOPS, Delta, Row, diff, patch, round_up

PLAYERS = ["ada", "bo", "cy", *(f"player-{number}" for number in range(97))]


def board(*rows: tuple[str, int]) -> list[Row]:
    return [{"rank": rank, "player": player, "score": score} for rank, (player, score) in enumerate(rows, 1)]


@st.composite
def boards(draw: st.DrawFn, most: int = 12) -> list[Row]:
    """Few players and few scores, so that most of them stay, move or change between two boards."""
    players = draw(st.lists(st.sampled_from(PLAYERS[:most]), unique=True, max_size=most))
    return board(*((player, draw(st.integers(0, 2))) for player in players))


@st.composite
def big_changes(draw: st.DrawFn) -> tuple[list[Row], list[Row]]:
    """A top N of every watched size, before and after some of a larger board's scores have changed."""
    top = draw(st.sampled_from(TOPS))
    scores = {player: 1000 - 5 * number for number, player in enumerate(PLAYERS)}
    old = _top(scores, top)
    scores.update(draw(st.dictionaries(st.sampled_from(PLAYERS), st.integers(0, 1100), max_size=12)))
    return old, _top(scores, top)


def _top(scores: dict[str, int], top: int) -> list[Row]:
    ranked = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
    return board(*ranked)[:top]


def longest_run(values: list[int]) -> int:
    """The length of the longest increasing subsequence, by the quadratic definition."""
    lengths: list[int] = []
    for position, value in enumerate(values):
        lengths.append(1 + max((lengths[before] for before in range(position) if values[before] < value), default=0))
    return max(lengths, default=0)


def kept_places(old: list[Row], new: list[Row]) -> list[int]:
    """Where the rows of `new` that kept their data stood in `old`."""
    before = {row["player"]: (place, row["score"]) for place, row in enumerate(old)}
    return [before[row["player"]][0] for row in new if before.get(row["player"], (0, None))[1] == row["score"]]


@given(boards(), boards())
@example([], [])
@example([], board(("ada", 1)))
@example(board(("ada", 1)), [])
def test_the_old_snapshot_and_the_delta_make_the_new_one(old, new):
    assert patch(old, diff(old, new)) == new


@given(big_changes())
def test_it_holds_for_every_watched_size(change):
    old, new = change
    assert patch(old, diff(old, new)) == new


@given(boards(), boards(), boards())
def test_deltas_follow_one_another(first, second, third):
    assert patch(patch(first, diff(first, second)), diff(second, third)) == third


@given(boards())
def test_nothing_changed_is_an_empty_delta(rows):
    assert diff(rows, deepcopy(rows)) == Delta([], [])


@given(boards(), boards())
def test_a_row_is_sent_only_if_it_is_new_altered_or_moved(old, new):
    delta = diff(old, new)
    assert len(delta.changed) == len(new) - longest_run(kept_places(old, new))
    assert sorted(delta.left) == sorted({row["player"] for row in old} - {row["player"] for row in new})
    assert [row["rank"] for row in delta.changed] == sorted(row["rank"] for row in delta.changed)


@given(boards(most=5), boards(most=5))
def test_no_smaller_delta_would_do(old, new):
    delta = diff(old, new)
    for smaller in combinations(new, max(len(delta.changed) - 1, 0)):
        if len(smaller) < len(delta.changed):
            assert patch(old, Delta(list(smaller), delta.left)) != new


@given(boards(), boards())
def test_patching_leaves_what_it_was_given_alone(old, new):
    delta = diff(old, new)
    before = deepcopy((old, delta))
    patch(old, delta)
    assert (old, delta) == before


@given(boards(), boards(), st.randoms(use_true_random=False))
def test_the_order_of_the_changed_rows_on_the_wire_does_not_matter(old, new, random):
    changed, left = diff(old, new)
    random.shuffle(changed)
    assert patch(old, Delta(changed, left)) == new


def test_a_player_that_overtakes_one_is_one_row():
    old = board(("ada", 9), ("bo", 8), ("cy", 7))
    new = board(("ada", 9), ("cy", 7), ("bo", 8))
    assert len(diff(old, new).changed) == 1


def test_a_new_leader_pushes_the_last_one_out():
    old = board(("ada", 9), ("bo", 8), ("cy", 7))
    new = board(("dee", 10), ("ada", 9), ("bo", 8))
    assert diff(old, new) == Delta([new[0]], ["cy"])


def test_a_field_that_appears_or_goes_is_a_change():
    old = board(("ada", 9), ("bo", 8))
    new = [old[0], {**old[1], "name": "Bo"}]
    assert diff(old, new).changed == [new[1]]
    assert diff(new, old).changed == [old[1]]


@pytest.mark.parametrize(("asked", "watched"), [(1, 3), (3, 3), (4, 10), (10, 10), (11, 25), (26, 50), (51, 100), (100, 100), (101, 100)])
def test_a_watched_size_is_rounded_up(asked, watched):
    assert round_up(asked) == watched
