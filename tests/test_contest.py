import json
import os
from pathlib import Path
from typing import Any

import pytest

from leaderboard.contest import MalformedContest, Step, parse, timeline
from leaderboard.domain.score import Direction, Entry, Operator, Rules, merge, opening

MINUTE = 60_000
RULES = Rules(Operator.LATEST, Direction.DESC, Direction.ASC)

Try = tuple[str, str, str, int]  # team, problem, verdict, minute


def world_final() -> Path:
    """The folder of the 48th World Finals; skips where it is missing."""
    folder = Path(os.environ.get("CONTEST_DATA") or Path(__file__).resolve().parents[2] / "shared/data/icpc-world-finals-48")
    if not (folder / "run.json").is_file():
        pytest.skip(f"no contest data in {folder}; name its folder by CONTEST_DATA")
    return folder


def run(team: str, problem: str, verdict: str, minute: int, number: int) -> dict[str, Any]:
    return {"submission_id": str(number), "team_id": team, "problem_id": problem, "status": verdict, "timestamp": minute * MINUTE}


def contest_files(*tries: Try, teams: tuple[str, ...] = ("ada", "bo"), **config: Any) -> dict[str, Any]:
    """The three files, decoded, of a contest timed in milliseconds."""
    return {
        "config": {"contest_name": "Tiny", "penalty": 1200, "options": {"submission_timestamp_unit": "millisecond"}, **config},
        "teams": [{"team_id": team, "name": team.capitalize()} for team in teams],
        "runs": [run(*item, number) for number, item in enumerate(tries)],
    }


def played(files: dict[str, Any]) -> list[Step]:
    return timeline(parse(**{name: json.dumps(content).encode() for name, content in files.items()}))


def standings(steps: list[Step]) -> list[tuple[int, str, int, int]]:
    """(rank, team, solved, penalty) as a board of the domain's rules shows them: the steps are its submits, in order."""
    held: dict[str, Entry] = {}
    for session_id, step in enumerate(steps, 1):
        new = opening(RULES, user_id=0, score=step.solved, subscore=step.penalty, session_id=session_id, achieved_ms=step.at_ms)
        held[step.team_id] = merge(RULES.operator, held[step.team_id], new) if step.team_id in held else new
    ordered = sorted(held.items(), key=lambda item: item[1].order)
    return [(rank, team, -entry.score_key, entry.subscore_key) for rank, (team, entry) in enumerate(ordered, 1)]


def test_the_world_final_ends_with_its_real_standings():
    folder = world_final()
    contest = parse(
        config=(folder / "config.json").read_bytes(), teams=(folder / "team.json").read_bytes(), runs=(folder / "run.json").read_bytes()
    )
    steps = timeline(contest)
    assert contest.name == "The 48th ICPC World Finals"
    assert [step.at_ms for step in steps] == sorted(step.at_ms for step in steps)
    assert [list(row) for row in standings(steps)] == json.loads((folder / "expected_final.json").read_bytes())


def test_an_accepted_problem_costs_the_minute_that_had_begun():
    files = contest_files(("ada", "A", "ACCEPTED", 7))
    files["runs"][0]["timestamp"] = 8 * MINUTE - 1
    assert played(files) == [Step(8 * MINUTE - 1, "0", "ada", "Ada", 1, 7)]


def test_each_rejected_try_before_acceptance_costs_the_penalty():
    steps = played(contest_files(("ada", "A", "WRONG_ANSWER", 1), ("ada", "A", "RUNTIME_ERROR", 2), ("ada", "A", "ACCEPTED", 3)))
    assert [(step.solved, step.penalty) for step in steps] == [(1, 3 + 2 * 20)]


def test_the_penalty_is_the_contests_own():
    steps = played(contest_files(("ada", "A", "WRONG_ANSWER", 1), ("ada", "A", "ACCEPTED", 3), penalty=600))
    assert [step.penalty for step in steps] == [3 + 10]


def test_rejected_tries_at_a_problem_that_is_never_solved_cost_nothing():
    steps = played(contest_files(("ada", "A", "WRONG_ANSWER", 1), ("ada", "B", "ACCEPTED", 5)))
    assert [(step.solved, step.penalty) for step in steps] == [(1, 5)]


def test_rejected_tries_of_another_team_cost_nothing():
    steps = played(contest_files(("bo", "A", "WRONG_ANSWER", 1), ("ada", "A", "ACCEPTED", 5)))
    assert [(step.team_id, step.penalty) for step in steps] == [("ada", 5)]


@pytest.mark.parametrize("verdict", ["COMPILATION_ERROR", "PRESENTATION_ERROR", "PENDING", "FROZEN", "SKIPPED"])
def test_what_was_not_judged_wrong_is_free(verdict: str):
    steps = played(contest_files(("ada", "A", verdict, 1), ("ada", "A", "ACCEPTED", 5)))
    assert [step.penalty for step in steps] == [5]


def test_nothing_counts_on_a_problem_that_is_solved():
    steps = played(
        contest_files(
            ("ada", "A", "ACCEPTED", 5), ("ada", "A", "WRONG_ANSWER", 6), ("ada", "A", "ACCEPTED", 7), ("ada", "B", "ACCEPTED", 9)
        )
    )
    assert [(step.submission_id, step.solved, step.penalty) for step in steps] == [("0", 1, 5), ("3", 2, 14)]


def test_steps_are_in_time_order_whatever_the_files_order():
    steps = played(contest_files(("bo", "A", "ACCEPTED", 9), ("ada", "A", "ACCEPTED", 5), ("ada", "B", "WRONG_ANSWER", 1)))
    assert [step.team_id for step in steps] == ["ada", "bo"]


def test_of_two_at_one_moment_the_files_order_decides():
    steps = played(contest_files(("bo", "A", "ACCEPTED", 5), ("ada", "A", "ACCEPTED", 5)))
    assert standings(steps) == [(1, "bo", 1, 5), (2, "ada", 1, 5)]


def test_of_equal_standings_the_earlier_is_first():
    steps = played(
        contest_files(("ada", "A", "WRONG_ANSWER", 1), ("ada", "A", "ACCEPTED", 10), ("bo", "A", "ACCEPTED", 30), teams=("bo", "ada"))
    )
    assert standings(steps) == [(1, "ada", 1, 30), (2, "bo", 1, 30)]


def test_a_submission_that_is_to_be_ignored_is():
    files = contest_files(("ada", "A", "WRONG_ANSWER", 1), ("ada", "A", "ACCEPTED", 5))
    files["runs"][0]["is_ignore"] = True
    assert [step.penalty for step in played(files)] == [5]


@pytest.mark.parametrize(
    ("unit", "timestamp"), [("second", 300), ("millisecond", 300_000), ("microsecond", 300_000_000), ("nanosecond", 300_000_000_000)]
)
def test_times_come_in_the_contests_unit(unit: str, timestamp: int):
    files = contest_files(("ada", "A", "ACCEPTED", 0), options={"submission_timestamp_unit": unit})
    files["runs"][0]["timestamp"] = timestamp
    assert [(step.at_ms, step.penalty) for step in played(files)] == [(300_000, 5)]


def test_times_without_a_unit_are_seconds_and_the_penalty_is_twenty_minutes_unless_given():
    files = contest_files(("ada", "A", "WRONG_ANSWER", 0), ("ada", "A", "ACCEPTED", 0))
    files["config"] = {}
    files["runs"][1]["timestamp"] = 300
    assert [(step.at_ms, step.penalty) for step in played(files)] == [(300_000, 25)]


def test_an_id_may_be_a_number_in_one_file_and_text_in_another():
    files = contest_files(("7", "A", "ACCEPTED", 5), teams=("7",))
    files["runs"][0]["team_id"] = 7
    assert [step.team_id for step in played(files)] == ["7"]


def test_a_name_in_several_languages_is_shown_in_the_fallback_language():
    files = contest_files(("ada", "A", "ACCEPTED", 5))
    files["teams"][0]["name"] = {"fallback_lang": "en", "texts": {"en": "The Adas", "de": "Die Adas"}}
    assert [step.name for step in played(files)] == ["The Adas"]


def test_a_team_without_a_name_is_shown_by_its_id():
    files = contest_files(("ada", "A", "ACCEPTED", 5))
    files["teams"][0]["name"] = " "
    assert [step.name for step in played(files)] == ["ada"]


def test_the_fingerprint_tells_contests_apart_and_knows_them_again():
    def fingerprint(files: dict[str, Any]) -> str:
        return parse(**{name: json.dumps(content).encode() for name, content in files.items()}).fingerprint

    one = contest_files(("ada", "A", "ACCEPTED", 5))
    assert fingerprint(one) == fingerprint(contest_files(("ada", "A", "ACCEPTED", 5)))
    assert fingerprint(one) != fingerprint(contest_files(("ada", "A", "ACCEPTED", 6)))
    assert fingerprint(one) != fingerprint(contest_files(("ada", "A", "ACCEPTED", 5), penalty=600))


def test_a_contest_without_a_solved_problem_has_no_steps():
    assert played(contest_files(("ada", "A", "WRONG_ANSWER", 5))) == []


@pytest.mark.parametrize(
    ("file", "content", "sentence"),
    [
        ("runs", b"[", "run.json is not JSON"),
        ("config", b"\xff", "config.json is not JSON"),
        ("runs", b"{}", "run.json must be a list."),
        ("teams", b'{"ada": {}}', "team.json must be a list."),
        ("config", b"[]", "config.json must be an object."),
        ("config", b'{"penalty": -60}', "config.json: penalty must be a whole number from 0, not -60."),
        ("config", b'{"penalty": 90}', "config.json: penalty must be whole minutes in seconds, not 90."),
        ("config", b'{"options": {"calculation_of_penalty": "in_seconds"}}', "config.json: the penalty can be calculated in_minutes only."),
        ("config", b'{"options": {"submission_timestamp_unit": "day"}}', "submission_timestamp_unit must be one of"),
        ("config", b'{"options": {"submission_timestamp_unit": []}}', "submission_timestamp_unit must be one of"),
        ("config", b'{"contest_name": 5}', "config.json: contest_name must be text, not 5."),
        ("teams", b"[5]", "team.json: team 0 must be an object."),
        ("teams", b'[{"name": "Ada"}]', "team.json: team 0: team_id must be text or a whole number, not None."),
        ("teams", b'[{"team_id": "ada"}, {"team_id": "ada"}]', "team.json: team 1: there are two teams 'ada'."),
        ("runs", b'["x"]', "run.json: submission 0 must be an object."),
    ],
)
def test_a_malformed_file_is_refused_with_a_sentence(file: str, content: bytes, sentence: str):
    files = {name: json.dumps(part).encode() for name, part in contest_files(("ada", "A", "ACCEPTED", 5)).items()}
    with pytest.raises(MalformedContest) as refusal:
        parse(**{**files, file: content})
    assert sentence in str(refusal.value)


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("team_id", "cy", "there is no team 'cy' in team.json"),
        ("team_id", True, "team_id must be text or a whole number"),
        ("problem_id", None, "problem_id must be text or a whole number"),
        ("submission_id", "0", "there are two submissions '0'"),
        ("submission_id", "", "submission_id must be text or a whole number"),
        ("timestamp", -1, "timestamp must be a whole number from 0, not -1"),
        ("timestamp", 1.5, "timestamp must be a whole number from 0, not 1.5"),
        ("timestamp", "300", "timestamp must be a whole number from 0, not '300'"),
        ("status", None, "status must be text, not None"),
    ],
)
def test_a_malformed_submission_is_named_by_its_place(field: str, value: Any, sentence: str):
    files = contest_files(("bo", "A", "ACCEPTED", 1), ("ada", "A", "ACCEPTED", 5))
    files["runs"][1][field] = value
    with pytest.raises(MalformedContest) as refusal:
        played(files)
    assert str(refusal.value).startswith("run.json: submission 1")
    assert sentence in str(refusal.value)
