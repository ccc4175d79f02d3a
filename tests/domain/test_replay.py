"""The fold of kept sessions and edits: what counts, where, and that it is what the submits made of it."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaderboard.domain.definition import Definition
from leaderboard.domain.replay import Edit, Play, Replay, replay
from leaderboard.domain.score import SCORE_LIMIT, Direction, Entry, Operator, Rules, merge, opening
from leaderboard.domain.season import parse_schedule

ADA, BO = 1, 2
MADE = 1_000_000
DAY = 86_400_000
RULES = Rules(Operator.SUM)


def play(session_id: int, score: int, *, user: int = ADA, at: int = MADE, subscore: int = 0, mode: str = "", by: str = "key:1") -> Play:
    return Play(session_id, user, score, subscore, mode, by, at)


def edit(until: int, total: int | None, *, number: int = 1, season: int = 0, user: int = ADA, session: int = 1, at: int = MADE) -> Edit:
    return Edit(number, user, season, until, total, 0, session, at, at)


def folded(plays: list[Play], *, rules: Rules = RULES, edits: list[Edit] | None = None, **definition: object) -> Replay:
    given = Definition(id=9, game_id=1, game="g", slug="s", title="S", rules=rules, **definition)  # type: ignore[arg-type]
    made = Replay(given, parse_schedule(given.reset_schedule, given.time_zone), made_ms=MADE, edits=edits or [])
    made.take(plays)
    return made


def scores(made: Replay, season: int = 0) -> dict[int, int]:
    sign = made.definition.rules.score_sign
    return {entry.user_id: sign * entry.score_key for entry in made.ranked(season)}


RULE = st.builds(Rules, st.sampled_from(Operator), st.sampled_from(Direction), st.sampled_from(Direction))
PLAYS = st.lists(st.tuples(st.sampled_from([ADA, BO]), st.integers(-5, 5), st.integers(-2, 2)), max_size=30).map(
    lambda given: [play(number, score, user=user, subscore=sub) for number, (user, score, sub) in enumerate(given, 1)]
)


@given(rules=RULE, plays=PLAYS)
def test_it_is_what_the_submits_made_of_it(rules: Rules, plays: list[Play]) -> None:
    held: dict[int, Entry] = {}
    for item in plays:
        new = opening(
            rules, user_id=item.user_id, score=item.score, subscore=item.subscore, session_id=item.session_id, achieved_ms=item.at_ms
        )
        held[item.user_id] = merge(rules.operator, held[item.user_id], new) if item.user_id in held else new
    assert folded(plays, rules=rules, min_score=None).seasons[0] == held
    for user in (ADA, BO):
        assert replay(rules, [item for item in plays if item.user_id == user]) == held.get(user)


@given(rules=RULE, plays=PLAYS, cut=st.integers(0, 30), total=st.none() | st.integers(-5, 5))
def test_after_an_edit_only_later_plays_come_in(rules: Rules, plays: list[Play], cut: int, total: int | None) -> None:
    alone = replay(rules, [item for item in plays if item.user_id == ADA], edit=edit(cut, total))
    made = folded(plays, rules=rules, edits=[edit(cut, total)], min_score=None)
    assert made.seasons[0].get(ADA) == alone
    later = replay(rules, [item for item in plays if item.user_id == ADA and item.session_id > cut])
    if total is None:
        assert alone == later
    if later is None:
        assert alone == (None if total is None else Entry(ADA, rules.score_sign * total, 0, 1, 1, MADE))
    assert made.seasons[0].get(BO) == replay(rules, [item for item in plays if item.user_id == BO])


@pytest.mark.parametrize(
    ("item", "definition"),
    [
        (play(1, 5, at=MADE - 1), {}),
        (play(1, 5, mode="casual"), {"game_mode": "ranked"}),
        (play(1, 5), {"min_score": 6}),
        (play(1, 5), {"max_score": 4}),
        (play(1, 5, by="user:3"), {"authoritative": True}),
    ],
    ids=["before the board", "another mode", "too low", "too high", "by a player, on an authoritative board"],
)
def test_what_would_not_have_fed_the_board_does_not_count(item: Play, definition: dict[str, object]) -> None:
    assert folded([item], **definition).ranked(0) == []
    assert scores(folded([item._replace(at_ms=MADE, game_mode="ranked", score=5, submitter="key:1")], game_mode="ranked")) == {ADA: 5}


def test_a_sum_that_would_leave_the_range_is_passed_over_as_its_submit_was_refused() -> None:
    assert scores(folded([play(1, SCORE_LIMIT), play(2, 1), play(3, -1)], min_score=None)) == {ADA: SCORE_LIMIT - 1}


def test_each_play_counts_in_the_season_of_its_time() -> None:
    made = folded([play(1, 1, at=DAY), play(2, 2, at=2 * DAY - 1), play(3, 4, at=2 * DAY)], reset_schedule="daily")
    assert {board.season: scores(made, board.season) for board in made.boards()} == {86_400: {ADA: 3}, 172_800: {ADA: 4}}


def test_a_removed_entry_stays_removed_when_its_season_has_another_name() -> None:
    cheated = [play(1, 100, at=DAY), play(2, 100, at=2 * DAY)]
    removed = edit(2, None, season=0, at=2 * DAY)
    made = folded([*cheated, play(3, 5, at=2 * DAY)], edits=[removed], reset_schedule="daily")
    assert {board.season: scores(made, board.season) for board in made.boards()} == {172_800: {ADA: 5}}


def test_an_edit_of_a_season_says_nothing_of_those_before_it() -> None:
    plays = [play(1, 7, at=DAY), play(2, 100, at=2 * DAY)]
    made = folded(plays, edits=[edit(2, None, season=172_800, at=2 * DAY)], reset_schedule="daily")
    assert {board.season: scores(made, board.season) for board in made.boards()} == {86_400: {ADA: 7}}


def test_of_several_edits_the_last_one_counts() -> None:
    plays = [play(1, 100), play(2, 100), play(3, 1)]
    assert scores(folded(plays, edits=[edit(2, None, number=8), edit(1, 50, number=7)])) == {ADA: 1}
    assert scores(folded(plays, edits=[edit(2, 10, number=9), edit(1, None, number=7)])) == {ADA: 11}


def test_an_edit_keeps_the_place_among_equals() -> None:
    made = folded([play(1, 9), play(2, 5, user=BO)], edits=[edit(2, 5, session=1)], rules=Rules(Operator.BEST))
    assert [entry.user_id for entry in made.ranked(0)] == [ADA, BO]


def test_the_season_of_a_moment_is_the_schedules() -> None:
    noon = datetime(2026, 5, 1, 12, tzinfo=UTC)
    at = int(noon.timestamp() * 1000)
    made = folded([play(1, 1, at=at)], reset_schedule="weekly", time_zone="Europe/Zurich")
    assert [board.season for board in made.boards()] == [parse_schedule("weekly", "Europe/Zurich").season_at(noon)]
