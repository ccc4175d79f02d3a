"""A programming contest as a timeline of standings, pure: what `manage.py replay` plays.

In: the three files of a contest in the XCPCIO board format, as bytes. Out: `Step`s in time order, one for each
submission that changed its team's standing; or `MalformedContest` with a sentence that names the file and the place.

The rules are the field's: a team's score is the number of problems it solved, its penalty the sum over those of the
minute of acceptance and a fixed fine for each rejected try before it. What the judges could not run is free, and
nothing counts on a problem that is solved.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

MS_PER_MINUTE = 60_000
DEFAULT_PENALTY_S = 1_200  # the format's own default
TICKS_PER_MS: Mapping[str, tuple[int, int]] = {  # unit -> how to get milliseconds: multiply, divide
    "second": (1_000, 1),
    "millisecond": (1, 1),
    "microsecond": (1, 1_000),
    "nanosecond": (1, 1_000_000),
}
ACCEPTED = frozenset({"ACCEPTED", "CORRECT"})
# What costs a fine if the problem is solved later. Other verdicts (compilation error, pending, skipped, ...) are free.
REJECTED = frozenset(
    {
        "WRONG_ANSWER",
        "INCORRECT",
        "TIME_LIMIT_EXCEEDED",
        "MEMORY_LIMIT_EXCEEDED",
        "OUTPUT_LIMIT_EXCEEDED",
        "IDLENESS_LIMIT_EXCEEDED",
        "RUNTIME_ERROR",
        "NO_OUTPUT",
        "REJECTED",
        "JUDGEMENT_FAILED",
        "HACKED",
    }
)


class MalformedContest(Exception):
    """The files are not a contest that can be played. The text is a sentence for people."""


@dataclass(frozen=True, slots=True)
class Run:
    """One submission to the judges. `at_ms` counts from the start of the contest."""

    at_ms: int
    submission_id: str
    team_id: str
    problem_id: str
    status: str


@dataclass(frozen=True, slots=True)
class Contest:
    """`runs` are in time order, those of one moment in the file's order. `fingerprint` tells contests apart."""

    name: str
    penalty_minutes: int
    teams: Mapping[str, str]  # team id -> name
    runs: tuple[Run, ...]
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Step:
    """A team's standing as an accepted submission made it. `penalty` is in minutes, `at_ms` from the start."""

    at_ms: int
    submission_id: str
    team_id: str
    name: str
    solved: int
    penalty: int


@dataclass(slots=True)
class _Tally:
    """One team while its submissions are counted."""

    rejected: dict[str, int] = field(default_factory=lambda: defaultdict(int))  # problem -> tries that will cost
    solved: set[str] = field(default_factory=set)
    penalty: int = 0


def timeline(contest: Contest) -> list[Step]:
    """Every change of a team's standing, in the order in which they happened."""
    return list(_steps(contest))


def _steps(contest: Contest) -> Iterator[Step]:
    tallies: dict[str, _Tally] = defaultdict(_Tally)
    for run in contest.runs:
        tally = tallies[run.team_id]
        if run.problem_id in tally.solved:
            continue
        if run.status in REJECTED:
            tally.rejected[run.problem_id] += 1
        elif run.status in ACCEPTED:
            tally.solved.add(run.problem_id)
            tally.penalty += run.at_ms // MS_PER_MINUTE + contest.penalty_minutes * tally.rejected[run.problem_id]
            name = contest.teams[run.team_id]
            yield Step(run.at_ms, run.submission_id, run.team_id, name, len(tally.solved), tally.penalty)


def parse(*, config: bytes, teams: bytes, runs: bytes) -> Contest:
    """The contest in the contents of `config.json`, `team.json` and `run.json`. Raises MalformedContest."""
    settings = _object(_decode(config, "config.json"), "config.json")
    options = _object(settings.get("options", {}), "config.json: options")
    if options.get("calculation_of_penalty", "in_minutes") != "in_minutes":
        raise MalformedContest("config.json: the penalty can be calculated in_minutes only.")
    named = _teams(_decode(teams, "team.json"))
    return Contest(
        name=_text(settings.get("contest_name", ""), "config.json: contest_name") or "Contest",
        penalty_minutes=_penalty_minutes(settings),
        teams=named,
        runs=_runs(_decode(runs, "run.json"), unit=options.get("submission_timestamp_unit", "second"), teams=named),
        fingerprint=hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in (config, teams, runs))).hexdigest(),
    )


def _penalty_minutes(settings: dict[str, Any]) -> int:
    seconds = _whole(settings.get("penalty", DEFAULT_PENALTY_S), "config.json: penalty")
    if seconds % 60:
        raise MalformedContest(f"config.json: penalty must be whole minutes in seconds, not {seconds}.")
    return seconds // 60


def _teams(decoded: Any) -> dict[str, str]:
    named: dict[str, str] = {}
    for index, item in enumerate(_list(decoded, "team.json")):
        where = f"team.json: team {index}"
        team = _object(item, where)
        team_id = _id(team.get("team_id", team.get("id")), f"{where}: team_id")
        if team_id in named:
            raise MalformedContest(f"{where}: there are two teams {team_id!r}.")
        named[team_id] = _text(team.get("name", ""), f"{where}: name") or team_id
    return named


def _runs(decoded: Any, *, unit: Any, teams: Mapping[str, str]) -> tuple[Run, ...]:
    if not isinstance(unit, str) or unit not in TICKS_PER_MS:
        raise MalformedContest(f"config.json: submission_timestamp_unit must be one of {', '.join(TICKS_PER_MS)}, not {unit!r}.")
    runs: list[Run] = []
    seen: set[str] = set()
    for index, item in enumerate(_list(decoded, "run.json")):
        where = f"run.json: submission {index}"
        raw = _object(item, where)
        run = _run(raw, where=where, unit=unit)
        if run.team_id not in teams:
            raise MalformedContest(f"{where}: there is no team {run.team_id!r} in team.json.")
        if run.submission_id in seen:
            raise MalformedContest(f"{where}: there are two submissions {run.submission_id!r}.")
        seen.add(run.submission_id)
        if not raw.get("is_ignore", False):
            runs.append(run)
    return tuple(sorted(runs, key=lambda run: run.at_ms))  # stable: the file's order decides between equal times


def _run(raw: dict[str, Any], *, where: str, unit: str) -> Run:
    times, parts = TICKS_PER_MS[unit]
    status = raw.get("status")
    if not isinstance(status, str):
        raise MalformedContest(f"{where}: status must be text, not {status!r}.")
    return Run(
        at_ms=_whole(raw.get("timestamp"), f"{where}: timestamp") * times // parts,
        submission_id=_id(raw.get("submission_id", raw.get("id")), f"{where}: submission_id"),
        team_id=_id(raw.get("team_id"), f"{where}: team_id"),
        problem_id=_id(raw.get("problem_id"), f"{where}: problem_id"),
        status=status.upper(),
    )


# --- What JSON may hold, each with its sentence -------------------------------------------------------------------------


def _decode(content: bytes, where: str) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise MalformedContest(f"{where} is not JSON: {error}.") from None


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise MalformedContest(f"{where} must be an object.")
    return value


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise MalformedContest(f"{where} must be a list.")
    return value


def _whole(value: Any, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise MalformedContest(f"{where} must be a whole number from 0, not {value!r}.")
    return value


def _id(value: Any, where: str) -> str:
    """Ids are text or whole numbers in the wild; a number and its text are the same id."""
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise MalformedContest(f"{where} must be text or a whole number, not {value!r}.")
    return str(value)


def _text(value: Any, where: str) -> str:
    """Plain text, or the format's text in several languages, of which the fallback is taken."""
    if isinstance(value, dict):
        value = _object(value.get("texts", {}), where).get(str(value.get("fallback_lang", "")), value.get("fallback", ""))
    if not isinstance(value, str):
        raise MalformedContest(f"{where} must be text, not {value!r}.")
    return value.strip()
