"""The rules of scores, held against a plain reading of the words: what a list of sessions amounts to."""

from functools import reduce
from itertools import pairwise, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaderboard.domain.score import SCORE_LIMIT, Direction, Entry, Operator, Rules, improves, merge, opening

ADA, BO = 1, 2

scores = st.integers(-3, 3) | st.integers(-SCORE_LIMIT, SCORE_LIMIT)  # small ones, so that ties and cancelling sums are common
plays = st.lists(st.tuples(scores, scores), min_size=1, max_size=8)
rules_of_all_kinds = st.builds(Rules, st.sampled_from(Operator), st.sampled_from(Direction), st.sampled_from(Direction))


def rules_with(operator: Operator) -> st.SearchStrategy[Rules]:
    return st.builds(Rules, st.just(operator), st.sampled_from(Direction), st.sampled_from(Direction))


def openings(rules: Rules, played: list[tuple[int, int]], user_id: int = ADA) -> list[Entry]:
    """One per play; session 10, 20, 30, ... at 10, 20, 30, ... seconds."""
    return [
        opening(rules, user_id=user_id, score=score, subscore=subscore, session_id=10 * number, achieved_ms=10_000 * number)
        for number, (score, subscore) in enumerate(played, 1)
    ]


def fold(rules: Rules, entries: list[Entry]) -> Entry:
    return reduce(lambda held, new: merge(rules.operator, held, new), entries)


def value(rules: Rules, entry: Entry) -> tuple[int, int]:
    return (rules.score_sign * entry.score_key, rules.subscore_sign * entry.subscore_key)


def goodness(rules: Rules, play: tuple[int, int]) -> tuple[int, int]:
    """Larger is better, said once more without keys."""
    score, subscore = play
    more_is_better, more_breaks_ties = rules.sort_order == "desc", rules.subscore_order == "desc"
    return (score if more_is_better else -score, subscore if more_breaks_ties else -subscore)


@given(rules_with(Operator.BEST), plays)
def test_best_keeps_the_pair_of_the_first_of_the_best_runs(rules, played):
    best = max(played, key=lambda play: goodness(rules, play))
    held = fold(rules, openings(rules, played))
    assert value(rules, held) == best
    assert held.session_id == 10 * (played.index(best) + 1)
    assert held.achieved_ms == 1000 * held.session_id


@given(rules_with(Operator.SUM), plays)
def test_sum_adds_score_and_subscore(rules, played):
    held = fold(rules, openings(rules, played))
    assert value(rules, held) == (sum(score for score, _ in played), sum(subscore for _, subscore in played))
    gains = [10 * number for number, play in enumerate(played, 1) if play != (0, 0)]
    assert held.session_id == (gains[-1] if gains else 10)


@given(rules_with(Operator.LATEST), plays)
def test_latest_keeps_the_newest_pair(rules, played):
    held = fold(rules, openings(rules, played))
    assert (value(rules, held), held.session_id) == (played[-1], 10 * len(played))


@given(rules_with(Operator.COUNT), plays)
def test_count_counts(rules, played):
    held = fold(rules, openings(rules, played))
    assert (value(rules, held), held.session_id) == ((len(played), 0), 10 * len(played))


@given(rules_of_all_kinds, plays)
def test_the_version_counts_the_sessions(rules, played):
    held = fold(rules, openings(rules, played))
    assert (held.version, held.user_id) == (len(played), ADA)
    assert held.achieved_ms == 1000 * held.session_id


@given(rules_of_all_kinds, plays)
def test_a_pair_that_is_kept_always_comes_from_one_session(rules, played):
    entries = openings(rules, played)
    held = fold(rules, entries)
    if rules.operator in (Operator.BEST, Operator.LATEST):
        assert held._replace(version=1) in entries


@given(rules_of_all_kinds, plays, st.data())
def test_any_split_of_the_sessions_amounts_to_the_same(rules, played, data):
    entries = openings(rules, played)
    cut = data.draw(st.integers(1, len(entries)))
    whole, parts = fold(rules, entries), [fold(rules, part) for part in (entries[:cut], entries[cut:]) if part]
    together = fold(rules, parts)
    if rules.operator is Operator.SUM:  # gains that cancel out within a part leave no trace of who achieved them
        together = together._replace(session_id=whole.session_id, achieved_ms=whole.achieved_ms)
    assert together == whole


@given(rules_of_all_kinds.filter(lambda rules: rules.operator is not Operator.SUM), plays.filter(lambda played: len(played) <= 4))
def test_sessions_may_come_in_any_order(rules, played):
    entries = openings(rules, played)
    assert {fold(rules, list(order)) for order in permutations(entries)} == {fold(rules, entries)}


@given(rules_with(Operator.SUM), plays.filter(lambda played: len(played) <= 4))
def test_sums_come_out_the_same_in_any_order(rules, played):
    entries = openings(rules, played)
    assert len({value(rules, fold(rules, list(order))) for order in permutations(entries)}) == 1


@given(rules_with(Operator.BEST) | rules_with(Operator.LATEST), scores, scores)
def test_the_same_session_twice_changes_no_value(rules, score, subscore):
    (entry,) = openings(rules, [(score, subscore)])
    assert merge(rules.operator, entry, entry)._replace(version=1) == entry


@given(rules_of_all_kinds, plays, plays)
def test_the_order_puts_the_better_first_and_then_the_earlier(rules, adas, bos):
    entries = [*openings(rules, adas), *(entry._replace(session_id=entry.session_id + 5) for entry in openings(rules, bos, BO))]
    ranked = sorted(entries, key=lambda entry: entry.order)
    for better, worse in pairwise(ranked):
        assert better.order < worse.order, "no two entries are equal"
        left, right = goodness(rules, value(rules, better)), goodness(rules, value(rules, worse))
        assert left > right or (left == right and better.session_id < worse.session_id)


@given(rules_of_all_kinds, scores, scores)
def test_keys_give_back_the_scores(rules, score, subscore):
    (entry,) = openings(rules, [(score, subscore)])
    assert value(rules, entry) == ((1, 0) if rules.operator is Operator.COUNT else (score, subscore))


@given(rules_of_all_kinds, plays)
def test_it_improves_when_the_value_got_better(rules, played):
    entries = openings(rules, played)
    held = entries[0]
    assert improves(None, held)
    for entry in entries[1:]:
        after = merge(rules.operator, held, entry)
        better = goodness(rules, value(rules, after)) > goodness(rules, value(rules, held))
        assert improves(held.order, after) == better
        held = after


@pytest.mark.parametrize("direction", Direction)
def test_it_keeps_the_earlier_of_two_equal_scores(direction):
    rules = Rules(Operator.BEST, direction, direction)
    held = fold(rules, openings(rules, [(7, 3), (7, 3)]))
    assert (held.session_id, held.version) == (10, 2)


def test_best_never_mixes_the_score_of_one_run_with_the_subscore_of_another():
    rules = Rules(Operator.BEST)
    assert value(rules, fold(rules, openings(rules, [(100, 1), (90, 99)]))) == (100, 1)


def test_a_gain_of_nothing_leaves_the_earlier_achiever():
    rules = Rules(Operator.SUM)
    held = fold(rules, openings(rules, [(5, 0), (0, 0)]))
    assert (value(rules, held), held.session_id, held.version) == ((5, 0), 10, 2)
