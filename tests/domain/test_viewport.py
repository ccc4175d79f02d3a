"""Who passed whom, as far as two looks at a neighbourhood can tell."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaderboard.domain.snapshot import Row
from leaderboard.domain.viewport import Overtake, View, overtake

ME = "me"


def look(order: str | list[str], *, around: int = 2, season: str = "all-time") -> View:
    """What `me` sees of a board with these players, best first."""
    players = order.split() if isinstance(order, str) else order
    if ME not in players:
        return View(season, None, len(players), [])
    rank = players.index(ME) + 1
    rows: list[Row] = [
        {"rank": place, "player": player} for place, player in enumerate(players, 1) if rank - around <= place <= rank + around
    ]
    return View(season, rank, len(players), rows)


def told(old: str, new: str) -> tuple[object, ...] | None:
    found = overtake(look(old), look(new))
    return found and (found.previous_rank, found.rank, *([row["player"] for row in side] for side in (found.passed_by, found.passed)))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("a me b c", "a me b c", None),
        ("a me b c", "a b me c", (2, 3, ["b"], [])),
        ("a b me c", "me a b c", (3, 1, [], ["a", "b"])),
        ("a me b c", "c b a me", (2, 4, ["b"], [])),  # c was passing too, and is out of view; a was above all the while
        ("a me b c", "a c b me", (2, 4, ["b", "c"], [])),
        ("a me b c", "a c me b", (2, 3, ["c"], [])),
        ("a b me c", "c me a b", (3, 2, ["c"], ["a", "b"])),
        ("a b c me d e f g", "a b g c me d e f", (4, 5, ["g"], [])),  # from out of view
        ("a b c me d e f g", "g a b c me d e f", (4, 5, [], [])),  # from out of view to out of view: still passed
        ("a b c d e f me", "me a b c d e f", (7, 1, [], ["a", "b"])),  # past many at once: those that it is now near
        ("a b me c", "a me c", None),  # b was taken off
        ("a b c d me e", "b c d me e", None),  # a, which was out of view, was
        ("a me b", "me b a", (2, 1, [], ["a"])),  # a fell
        ("me a b", "new me a b", (1, 2, ["new"], [])),  # a new player
        ("a b", "a me b", None),  # came itself
        ("a me b", "a b", None),
        ("a me b", "b me a", None),  # the rank is the same
    ],
)
def test_what_two_looks_tell(old: str, new: str, expected: tuple[int, int, list[str], list[str]] | None) -> None:
    assert told(old, new) == expected


def test_another_season_is_no_overtaking() -> None:
    assert overtake(look("a me"), look("me a", season="2026-W47")) is None


ORDERS = st.permutations([ME, *"abcdefghijkl"])


@given(ORDERS, ORDERS, st.integers(1, 10), st.data())
def test_only_who_passed_is_named_and_whenever_the_rank_fell_it_is_told(
    old: list[str], new: list[str], around: int, data: st.DataObject
) -> None:
    """Nobody named passed the other way; where all are in view, all are named."""
    before, after = look(old, around=around), look(new, around=around)
    found = overtake(before, after)
    if old.index(ME) == new.index(ME):
        assert found is None
        return
    above_before, above_after = set(old[: old.index(ME)]), set(new[: new.index(ME)])
    if len(above_after) > len(above_before):
        assert found is not None
    if found is None:
        return
    assert isinstance(found, Overtake)
    seen = {row["player"] for row in before.rows}
    passed_by, passed = ([row["player"] for row in side] for side in (found.passed_by, found.passed))
    assert {player for player in passed_by if player in seen} <= above_after - above_before
    assert {player for player in passed if player in seen} <= above_before - above_after
    assert passed_by == sorted(passed_by, key=new.index, reverse=True)
    assert passed == sorted(passed, key=new.index)
    if len(seen) == len(old) == len(after.rows):
        assert (set(passed_by), set(passed)) == (above_after - above_before, above_before - above_after)


@given(st.permutations("abcdefghijkl"), st.integers(0, 12), st.integers(0, 12), st.integers(1, 10))
def test_one_that_moves_alone_is_told_of_everybody_in_view_that_it_passed(order: list[str], start: int, end: int, around: int) -> None:
    old, new = [*order[:start], ME, *order[start:]], [*order[:end], ME, *order[end:]]
    found = overtake(look(old, around=around), look(new, around=around))
    if start == end:
        assert found is None
        return
    assert found is not None
    crossed = order[end:start] or order[start:end][::-1]
    named = [row["player"] for row in (found.passed if end < start else found.passed_by)]
    assert named == crossed[:around]
    assert not (found.passed_by if end < start else found.passed)
