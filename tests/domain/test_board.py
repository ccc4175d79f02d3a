from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaderboard.domain.board import check_definition, check_range, check_score
from leaderboard.domain.definition import Definition
from leaderboard.domain.errors import InvalidDefinition, ScoreOutOfRange
from leaderboard.domain.score import SCORE_LIMIT, Operator, Rules

ARCADE = Definition(id=1, game_id=1, game="pac", slug="arcade", title="Arcade", rules=Rules())

bounds = st.none() | st.integers(-10, 10) | st.sampled_from([-SCORE_LIMIT, SCORE_LIMIT])
scores = st.integers(-12, 12) | st.integers(-SCORE_LIMIT - 2, -SCORE_LIMIT + 2) | st.integers(SCORE_LIMIT - 2, SCORE_LIMIT + 2)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"slug": "a"},
        {"slug": "x" * 64},
        {"title": "Ärger im Süden 🎮"},
        {"game_mode": "2v2:ranked"},
        {"reset_schedule": "weekly", "time_zone": "Europe/Berlin"},
        {"reset_schedule": "0 5 * * MON#1", "time_zone": "America/New_York"},
        {"min_score": None},
        {"min_score": -SCORE_LIMIT, "max_score": SCORE_LIMIT},
        {"min_score": 7, "max_score": 7},
        {"rules": Rules(Operator.COUNT), "min_score": 1},
        {"metadata": {"colour": "#fff"}},
    ],
)
def test_a_definition_that_makes_sense_is_let_through(changes):
    check_definition(replace(ARCADE, **changes))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"slug": ""}, "slug"),
        ({"slug": "Arcade"}, "slug"),
        ({"slug": "a b"}, "slug"),
        ({"slug": "a\n"}, "slug"),
        ({"slug": "ä"}, "slug"),
        ({"slug": "x" * 65}, "slug"),
        ({"title": ""}, "title"),
        ({"title": " "}, "title"),
        ({"title": "x" * 121}, "title"),
        ({"title": "a\u202eb"}, "title"),
        ({"game_mode": "a b"}, "game_mode"),
        ({"reset_schedule": "hourly"}, "reset_schedule"),
        ({"reset_schedule": "0 0 30 2 *"}, "reset_schedule"),
        ({"time_zone": "Mars"}, "time_zone"),
        ({"reset_schedule": "daily", "time_zone": "Mars"}, "time_zone"),
        ({"min_score": 1, "max_score": 0}, "max_score"),
        ({"max_score": -1}, "max_score"),
        ({"min_score": -SCORE_LIMIT - 1}, "min_score"),
        ({"max_score": SCORE_LIMIT + 1}, "max_score"),
        ({"metadata": {"a": float("nan")}}, "metadata"),
        ({"metadata": {"a": "x" * 5000}}, "metadata"),
    ],
)
def test_a_definition_that_contradicts_itself_is_refused_by_field(changes, field):
    with pytest.raises(InvalidDefinition) as refused:
        check_definition(replace(ARCADE, **changes))
    assert [error["field"] for error in refused.value.errors] == [field]
    assert all(error["detail"].endswith((".", "-")) for error in refused.value.errors)


def test_all_that_is_wrong_with_a_definition_is_said_at_once():
    wrong = replace(ARCADE, slug="A", title="", game_mode="?", reset_schedule="x", time_zone="y", min_score=2, max_score=1)
    with pytest.raises(InvalidDefinition) as refused:
        check_definition(wrong)
    fields = {error["field"] for error in refused.value.errors}
    assert fields == {"slug", "title", "game_mode", "reset_schedule", "time_zone", "max_score"}


@given(scores, scores, bounds, bounds, st.sampled_from(Operator))
def test_a_score_is_let_through_exactly_if_it_is_within_the_bounds(score, subscore, low, high, operator):
    board = replace(ARCADE, min_score=low, max_score=high, rules=Rules(operator))
    exact = abs(score) <= SCORE_LIMIT and abs(subscore) <= SCORE_LIMIT
    if exact and (low is None or low <= score) and (high is None or score <= high):
        check_score(board, score, subscore)
    else:
        with pytest.raises(ScoreOutOfRange) as refused:
            check_score(board, score, subscore)
        assert [error["leaderboard"] for error in refused.value.errors] == ["arcade"]
        assert "arcade" in refused.value.detail


@pytest.mark.parametrize(
    ("score", "subscore", "errors"),
    [
        (-1, 0, [{"field": "score", "leaderboard": "arcade", "detail": "The score is outside 0 to 100."}]),
        (101, 0, [{"field": "score", "leaderboard": "arcade", "detail": "The score is outside 0 to 100."}]),
        (
            5,
            SCORE_LIMIT + 1,
            [
                {
                    "field": "subscore",
                    "leaderboard": "arcade",
                    "detail": "The subscore is outside -9007199254740991 to 9007199254740991.",
                }
            ],
        ),
    ],
)
def test_a_score_out_of_bounds_is_refused_by_leaderboard_and_bound(score, subscore, errors):
    with pytest.raises(ScoreOutOfRange) as refused:
        check_score(replace(ARCADE, max_score=100), score, subscore)
    assert refused.value.errors == errors


def test_the_bounds_of_the_score_are_not_those_of_the_subscore():
    check_score(replace(ARCADE, min_score=0, max_score=10), 5, -99)


@given(scores, scores)
def test_a_score_that_feeds_no_board_is_still_one_that_everybody_reads_exactly(score, subscore):
    wrong = [field for field, value in (("score", score), ("subscore", subscore)) if abs(value) > SCORE_LIMIT]
    if not wrong:
        check_range(score, subscore)
        return
    with pytest.raises(ScoreOutOfRange) as refused:
        check_range(score, subscore)
    assert [error["field"] for error in refused.value.errors] == wrong[:1]
