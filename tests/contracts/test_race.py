"""A race's lines against a naive replay of the same plays, on PostgreSQL and on SQLite."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leaderboard.domain import race as domain
from leaderboard.domain.definition import Definition
from leaderboard.domain.race import Point, Race, line, thinned
from leaderboard.domain.score import BoardId, Direction, Entry, Operator, Rules, merge, opening
from leaderboard.domain.season import EVER, NEVER
from leaderboard.store.factory import open_store
from leaderboard.store.rows import milliseconds
from tests.contracts.store_cast import NOON, Ground, break_ground, later, sql

SINCE = later(50)
PLAYS = st.lists(  # who, score, subscore, seconds, of this board's mode, by a game server
    st.tuples(st.integers(0, 2), st.integers(-3, 9), st.integers(0, 1), st.integers(0, 100), st.booleans(), st.booleans()),
    min_size=1,
    max_size=25,
)


@pytest.fixture(params=["postgres", "sqlite"])
def database_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_database"))


@pytest.fixture
async def ground(database_url: str) -> AsyncIterator[Ground]:
    store = open_store(database_url)
    yield await break_ground(database_url, store)
    await store.aclose()


async def definition_of(ground: Ground, operator: Operator, *, up: bool = True) -> Definition:
    catalog = await ground.store.catalog()
    found = next(each for each in catalog.definitions if each.id == ground.leaderboards[operator])
    return replace(found, rules=Rules(operator, Direction.DESC if up else Direction.ASC, Direction.ASC))


async def lines(ground: Ground, definition: Definition, season: int = 0, *, limit: int = 10) -> dict[int, tuple[list[Point], bool]]:
    race = Race(definition, BoardId(definition.id, season), EVER, NEVER, SINCE, limit)
    racers = await ground.store.race(race)
    assert [racer.entry for racer in racers] == await ground.store.top(race.board, limit=limit)
    return {racer.entry.user_id: tuple(line(definition.rules, racer, since_ms=milliseconds(SINCE))) for racer in racers}  # type: ignore[misc]


def replayed(rules: Rules, held: Entry | None, user_id: int, plays: list[tuple[int, int, int, int]]) -> list[Point]:
    """What was held since SINCE, play by play."""
    points: list[Point] = []
    for session_id, score, subscore, at_ms in plays:
        new = opening(rules, user_id=user_id, score=score, subscore=subscore, session_id=session_id, achieved_ms=at_ms)
        held = merge(rules.operator, held, new) if held else new
        if at_ms < milliseconds(SINCE):
            points = [(milliseconds(SINCE), rules.score_sign * held.score_key)]
        elif not points or points[-1][1] != rules.score_sign * held.score_key:
            points.append((at_ms, rules.score_sign * held.score_key))
    return points


@pytest.mark.slow
@pytest.mark.parametrize("operator", list(Operator))
@given(plays=PLAYS, up=st.booleans())
@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_a_line_is_what_the_entry_held_play_by_play(
    ground: Ground, operator: Operator, plays: list[tuple[int, int, int, int, bool, bool]], up: bool
) -> None:
    """Each example has players of its own. Plays of another mode, out of bounds, or not by a game server, fed nothing."""
    definition = replace(await definition_of(ground, operator, up=up), min_score=-2, max_score=8)
    season = 1 + len(await ground.store.boards())
    named = await ground.store.ensure_players([(f"racer-{operator}-{season}-{who}", "") for who in range(3)])
    users = sorted(player.id for player in named.values())
    fed: dict[int, list[tuple[int, int, int, int]]] = {}
    for who, score, subscore, second, is_hard, by_key in sorted(plays, key=lambda play: play[3]):
        counts = is_hard and by_key and -2 <= score <= 8
        (landed,) = await ground.landed(
            ground.play(
                users[who], score, subscore, timestamp=later(second),
                game_mode="hard" if is_hard else "easy", submitter="key:1" if by_key else "user:1",
                feeds=ground.feeds(operator, season=season, up=up) if counts else (),
            )
        )  # fmt: skip
        if counts:
            fed.setdefault(users[who], []).append((landed.session_id, score, subscore, milliseconds(later(second))))
    found = await lines(ground, definition, season)
    assert found == {user: (replayed(definition.rules, None, user, own), True) for user, own in fed.items()}


async def test_a_line_begins_at_a_moderators_word_and_before_it_at_what_the_word_left(ground: Ground) -> None:
    definition = await definition_of(ground, Operator.SUM)
    feeds = ground.feeds(Operator.SUM)

    async def play(score: int, second: int) -> int:
        (landed,) = await ground.landed(ground.play(ground.ada, score, timestamp=later(second), game_mode="hard", feeds=feeds))
        return landed.session_id

    def edit(until: int, score: str, second: int) -> None:
        sql(
            ground.url,
            f"""INSERT INTO leaderboard_entryedit (leaderboard_id, season, user_id, until_session, total_score, subscore, reason, actor,
                    created_at) VALUES ({definition.id}, 0, {ground.ada}, {until}, {score}, 0, '', 'test',
                    '{later(second).strftime("%Y-%m-%d %H:%M:%S")}')""",
        )
        if score != "NULL":
            sql(
                ground.url,
                f"""UPDATE leaderboard_leaderboardentry SET total_score = {score}, score_key = -({score}), submissions = submissions + 1
                    WHERE leaderboard_id = {definition.id} AND user_id = {ground.ada}""",
            )

    await play(100, 55)
    last = await play(50, 57)
    edit(last, "7", 60)
    await play(3, 70)
    assert await lines(ground, definition) == {ground.ada: ([(milliseconds(later(60)), 7), (milliseconds(later(70)), 10)], True)}
    last = await play(90, 80)
    sql(ground.url, f"DELETE FROM leaderboard_leaderboardentry WHERE leaderboard_id = {definition.id}")
    edit(last, "NULL", 85)
    assert await lines(ground, definition) == {}
    await play(4, 90)
    assert await lines(ground, definition) == {ground.ada: ([(milliseconds(later(90)), 4)], True)}


async def test_a_board_is_no_older_than_its_leaderboard(ground: Ground) -> None:
    """Plays from before it was made fed others, and are not taken back from its sums."""
    definition = await definition_of(ground, Operator.SUM)
    await ground.landed(ground.play(ground.ada, 50, timestamp=later(60), game_mode="hard", feeds=()))
    sql(ground.url, f"UPDATE leaderboard_leaderboard SET created_at = '2026-05-01 12:01:05' WHERE id = {definition.id}")
    ground.version = await ground.store.catalog_version()
    for score, second in ((5, 70), (6, 80)):
        await ground.landed(ground.play(ground.ada, score, timestamp=later(second), game_mode="hard", feeds=ground.feeds(Operator.SUM)))
    sql(ground.url, "UPDATE leaderboard_leaderboardentry SET submissions = 9")  # as after a re-ranking
    found = await lines(ground, definition)
    assert found == {ground.ada: ([(milliseconds(SINCE), 0), (milliseconds(later(70)), 5), (milliseconds(later(80)), 11)], True)}


@pytest.mark.parametrize(
    ("operator", "points"),
    [
        (Operator.SUM, [(97, 98), (98, 99), (99, 100)]),
        (Operator.COUNT, [(97, 98), (98, 99), (99, 100)]),
        (Operator.LATEST, [(97, 97), (98, 98), (99, 99)]),
        (Operator.BEST, [(99, 99)]),
    ],
)
async def test_of_more_plays_than_are_read_the_newest_part_is_told_and_said_not_to_be_all(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, operator: Operator, points: list[Point]
) -> None:
    for name in ("PLAYS_READ", "RECORDS_READ"):
        monkeypatch.setattr(domain, name, 3)
    definition = await definition_of(ground, operator)
    for second in range(100):
        score = 1 if operator is Operator.SUM else second
        await ground.landed(ground.play(ground.ada, score, timestamp=later(second), game_mode="hard", feeds=ground.feeds(operator)))
    found = await lines(ground, definition)
    assert found == {ground.ada: ([(milliseconds(later(second)), score) for second, score in points], False)}
    monkeypatch.setattr(domain, "PLAYS_READ", 60)
    monkeypatch.setattr(domain, "RECORDS_READ", 110)
    whole, is_complete = (await lines(ground, definition))[ground.ada]
    assert (len(whole), is_complete) == (51, True)  # the fifty of the span, and what was held before


@pytest.mark.parametrize(
    ("operator", "points"),
    [
        (Operator.SUM, [(65, 20), (70, 90)]),
        (Operator.COUNT, [(65, 1), (70, 2)]),
        (Operator.LATEST, [(50, 20), (60, 60), (65, 65), (70, 70)]),
        (Operator.BEST, [(50, 20), (60, 60), (65, 65), (70, 70)]),
    ],
)
async def test_a_play_that_named_other_leaderboards_does_not_move_the_end(ground: Ground, operator: Operator, points: list[Point]) -> None:
    """A play does not say which it named: no more are counted than the entry took, and none after the one that set it."""
    definition = await definition_of(ground, operator)
    for second, names_this in ((20, True), (60, False), (65, False), (70, True), (80, False)):
        feeds = ground.feeds(operator) if names_this else ()
        await ground.landed(ground.play(ground.bo, second, timestamp=later(second), game_mode="hard", feeds=feeds))
    found = await lines(ground, definition)
    assert found == {ground.bo: ([(milliseconds(later(second)), score) for second, score in points], True)}


@pytest.mark.slow
@given(st.lists(st.tuples(st.integers(0, 300), st.integers(-20, 20)), min_size=121, max_size=600))
def test_a_thinned_line_keeps_its_ends_and_extremes(steps: list[tuple[int, int]]) -> None:
    points = sorted(steps, key=lambda step: step[0])
    kept = thinned(points)
    assert 2 <= len(kept) <= domain.POINTS
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    for extreme in (min, max):
        assert extreme(score for _, score in kept) == extreme(score for _, score in points)
    places = iter(points)
    assert all(point in places for point in kept), "some points, in their order"


def test_a_line_that_only_rises_keeps_twice_as_many_stretches() -> None:
    points = [(at, at) for at in range(1000)]
    assert len(thinned(points)) == domain.POINTS
    assert thinned(points[:120]) == points[:120]


def test_the_plays_clocks_may_differ_and_a_line_still_goes_on_in_time() -> None:
    rules = Rules(Operator.LATEST, Direction.DESC, Direction.DESC)
    start = milliseconds(NOON)
    plays = [domain.Play(number, 1, number, start + at) for number, at in ((1, 10), (2, 30), (3, 20), (4, 40))]
    racer = domain.Racer(Entry(1, -4, 0, 4, 4, start + 40), None, plays)
    points, _ = line(rules, racer, since_ms=start)
    assert [(at - start, score) for at, score in points] == [(10, 1), (30, 2), (30, 3), (40, 4)]
