"""Nothing that a user can meet is left out of the documents, and they tell of nothing that is not there."""

import ast
import importlib
import inspect
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import load_command_class
from django.urls import URLPattern, URLResolver, get_resolver
from prometheus_client import Metric
from prometheus_client.metrics import MetricWrapperBase

from gaming_leaderboard import handler, pages
from gaming_leaderboard.celery import QUEUES, app
from leaderboard import metrics
from leaderboard.api import problems, versions, writes
from leaderboard.domain import errors, ranking, text
from leaderboard.domain.score import SCORE_LIMIT
from leaderboard.services import careers, ranges, rerank, standings
from leaderboard.services.checking import Asked
from leaderboard.store import RANK_COUNT_LIMIT
from realtime.limits import Options
from realtime.metrics import Counters, _Exposed
from tests.docs.reading import API, OPERATIONS, PROTOCOL, README, ROOT, blocks, table

DOCUMENTS = [README, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMANDS = sorted(path.stem for path in (ROOT / "leaderboard/management/commands").glob("[a-z]*.py"))
CODE = [path for part in ("gaming_leaderboard", "leaderboard", "realtime") for path in sorted((ROOT / part).rglob("*.py"))]

READERS = ("env.str", "_whole", "_one_of", "_list", "_rate", "_networks")  # of a variable in settings.py


# --- Settings -----------------------------------------------------------------------------------------------------------


def settings_read() -> dict[str, str]:
    """Every variable that settings.py reads, with its default where that is written down as a constant."""
    tree = ast.parse((ROOT / "gaming_leaderboard/settings.py").read_text())
    found = {}
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        if ast.unparse(call.func) in READERS and isinstance(call.args[0], ast.Constant):
            defaults = [keyword.value for keyword in call.keywords if keyword.arg == "default"]
            found[call.args[0].value] = "".join(str(default.value) for default in defaults if isinstance(default, ast.Constant))
    return found


def test_every_setting_has_its_line_with_its_default() -> None:
    told = table(OPERATIONS, "variable")
    assert told.keys() == settings_read().keys()
    for name, default in settings_read().items():
        assert f"`{default}`" in told[name][0] if default else told[name][0]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_no_document_names_a_setting_that_is_not_there(document: Path) -> None:
    named = {name or other for name, other in re.findall(r"`([A-Z]+(?:_[A-Z]+)+)(?:=\S*)?`|\b([A-Z]+(?:_[A-Z]+)+)=", document.read_text())}
    others = {"API_KEY", "NEW_RELIC_LICENSE_KEY", "NEW_RELIC_CONFIG_FILE"}
    constants = {name for path in CODE for name in re.findall(r"^([A-Z_]+)(?::[^=\n]*)? = ", path.read_text(), re.MULTILINE)}
    assert named - settings_read().keys() - others - constants == set()


# --- Errors -------------------------------------------------------------------------------------------------------------


def codes() -> set[str]:
    return {member.code for _, member in inspect.getmembers(errors, inspect.isclass) if member is not errors.Refusal}


def test_every_error_code_of_the_api_has_its_line_with_its_status() -> None:
    told = {code: int(cells[0]) for code, cells in table(API, "code").items()}
    assert told == {refusal.code: status for refusal, status in problems.STATUS.items()}


def test_codes_that_are_said_over_websocket_only_are_in_the_protocol() -> None:
    for code in codes() - {refusal.code for refusal in problems.STATUS}:
        assert f"`{code}`" in API.read_text()
        assert code in table(PROTOCOL, "code")


def test_the_answers_that_say_when_to_come_back_are_told() -> None:
    told = table(API, "code")
    assert {code for code, (_, when) in told.items() if "Retry-After" in when} == {refusal.code for refusal in problems.RETRY_AFTER_S}


# --- Metrics ------------------------------------------------------------------------------------------------------------


def collected() -> Iterator[Metric]:
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase | metrics.Tally):
            yield from metric.collect()
    yield from _Exposed(Counters(), lambda: {"global": 1}).collect()


def exposed() -> set[str]:
    """The names as /metrics has them; a histogram by its own."""
    return {f"{metric.name}_total" if metric.type == "counter" else metric.name for metric in collected()}


def test_every_metric_has_its_line() -> None:
    tables = [line.split("`")[1] for line in OPERATIONS.read_text().splitlines() if re.match(r"\| `(leaderboard|realtime)_", line)]
    assert sorted(tables) == sorted(exposed())


def test_no_document_names_a_metric_that_is_not_there() -> None:
    named = re.findall(r"\b(?:leaderboard|realtime)_[a-z_]+_total\b|\brealtime_[a-z_]+\b", OPERATIONS.read_text())
    assert set(named) <= exposed()


@pytest.mark.parametrize("name", [name for name, value in vars(metrics).items() if isinstance(value, MetricWrapperBase | metrics.Tally)])
def test_every_metric_that_is_told_is_counted_somewhere(name: str) -> None:
    users = [
        path for path in CODE if path.name != "metrics.py" and re.search(rf"\bmetrics\.{name}\b|import .*\b{name}\b", path.read_text())
    ]
    assert users, f"nothing ever counts {name}"


# --- System checks ------------------------------------------------------------------------------------------------------


def test_every_system_check_has_its_line() -> None:
    ids = set(re.findall(r'id="(leaderboard\.[EW]\d+)"', (ROOT / "leaderboard/checks.py").read_text()))
    assert table(OPERATIONS, "id").keys() == ids


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_no_document_names_a_check_that_is_not_there(document: Path) -> None:
    assert set(re.findall(r"leaderboard\.[EW]\d+", document.read_text())) <= table(OPERATIONS, "id").keys()


# --- Routes -------------------------------------------------------------------------------------------------------------


def routes(resolver: URLResolver | None = None, prefix: str = "/") -> Iterator[str]:
    """Every path of ours with {names} in it; the routes under /api/v2/ and /api/ are those of /api/v1/ again, and the admin is Django's."""
    for entry in (resolver or get_resolver()).url_patterns:
        path = prefix + re.sub(r"<\w+:(\w+)>", r"{\1}", str(entry.pattern)).replace("api/v2/", "api/v1/")
        if path in versions.UNVERSIONED:
            yield path
        elif path == "/admin/" or (path.startswith("/api/") and not path.startswith("/api/v1/") and path != "/api/"):
            yield path if path == "/admin/" else path.replace("/api/", "/api/v1/", 1)
        elif isinstance(entry, URLResolver):
            yield from routes(entry, path)
        elif isinstance(entry, URLPattern):
            yield path


def test_every_route_of_the_api_has_its_line_and_no_other_is_told() -> None:
    told = {path.split(" ")[1] for path in table(API, "method and path")}  # a route may take several methods
    assert sorted(told) == sorted({path for path in routes() if path.startswith("/api/")})


@pytest.mark.parametrize("path", sorted({path for path in routes() if not path.startswith("/api/")}))
def test_every_other_route_is_told_of(path: str) -> None:
    shown = path.replace("{slug}", "{board}")
    assert any(f"`{shown}`" in document.read_text() for document in (README, OPERATIONS))


# --- Commands -----------------------------------------------------------------------------------------------------------


def test_every_command_has_its_line_in_the_readme() -> None:
    told = table(README, "command")
    make = {name for line in re.findall(r"^\.PHONY:(.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE) for name in line.split()}
    assert told.keys() == {f"make {target}" for target in make} | {f"python manage.py {command}" for command in COMMANDS}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_no_document_names_a_command_that_is_not_there(document: Path) -> None:
    of_django = {"migrate", "check", "createsuperuser"}
    assert set(re.findall(r"manage\.py ([a-z_]+)", document.read_text())) <= {*COMMANDS, *of_django}


def commands_shown() -> list[str]:
    lines = [line for path in (README, API, OPERATIONS) for block in blocks(path, "bash") for line in block.text.splitlines()]
    return [line for line in lines if line.startswith("python manage.py ") and line.split()[2] in COMMANDS]


@pytest.mark.parametrize("line", commands_shown())
def test_a_command_that_is_shown_takes_its_options(line: str) -> None:
    command, *words = shlex.split(line.removeprefix("python manage.py "))
    assert load_command_class("leaderboard", command).create_parser("manage.py", command).parse_args(words)


@pytest.mark.parametrize("command", ["create_board", "run"])
def test_the_options_that_operations_lists_are_there(command: str) -> None:
    paragraph = next(part for part in OPERATIONS.read_text().split("\n\n") if part.startswith(f"`{command}` "))
    assert set(re.findall(r"`(--[a-z-]+)", paragraph.split(";")[0])) <= _options(command)


def _options(command: str) -> set[str]:
    parser = load_command_class("leaderboard", command).create_parser("manage.py", command)
    return set(parser._option_string_actions)


# --- Celery -------------------------------------------------------------------------------------------------------------


def test_every_queue_and_task_has_its_line() -> None:
    routed: dict[str, set[str]] = {queue: set() for queue in QUEUES}
    for task, route in app.conf.task_routes.items():
        routed[route["queue"]].add(task.rpartition(".")[2])
    told = {queue: set(re.findall(r"`(\w+)`", tasks)) for queue, (tasks,) in table(OPERATIONS, "queue").items()}
    assert told == routed
    assert list(told) == list(QUEUES)
    assert table(OPERATIONS, "task").keys() == set().union(*routed.values())


@pytest.mark.parametrize("entry", app.conf.beat_schedule.values(), ids=app.conf.beat_schedule.keys())
def test_the_timetable_is_the_one_that_is_told(entry: dict[str, Any]) -> None:
    rung_by = table(OPERATIONS, "task")[entry["task"].rpartition(".")[2]][0]
    assert f"beat, every {entry['schedule']:.0f} s" in rung_by


# --- Limits -------------------------------------------------------------------------------------------------------------


def limits() -> dict[str, list[str]]:
    return {
        "`score`, `subscore`, and what they add up to": [str(-SCORE_LIMIT), str(SCORE_LIMIT)],
        "path and query": [f"{handler.TARGET_LIMIT // 1024} KiB"],
        "headers": [f"{handler.HEADERS_LIMIT}, ", f"{handler.HEAD_LIMIT // 1024} KiB"],
        "time for a request to come in": [f"{handler.READ_S:.0f} s"],
        "time for an answer": [f"{handler.DEADLINE_S:.0f} s"],
        "body of a submit": [f"{settings.BODY_LIMIT // 1024} KiB"],
        "body of a batch": [f"{settings.BATCH_BODY_LIMIT // 1024**2} MiB", f"1 to {writes.BATCH_ITEMS} "],
        "nesting of a body": [f"{text.BODY_DEPTH} levels"],
        "`metadata`": [f"{settings.METADATA_LIMIT} bytes", f"{text.METADATA_DEPTH} levels"],
        "`player`, `name`": [f"1 to {text.NAME_LENGTH} "],
        "`game_mode`": [f"{text.GAME_MODE_LENGTH} "],
        "`Idempotency-Key`": [f"1 to {text.KEY_LENGTH} ", f"batch {writes.BATCH_KEY_LENGTH}"],
        "`limit`": [f"1 to {standings.LIMIT_MAX}"],
        "`offset`": [f"0 to {standings.OFFSET_MAX}"],
        "`players`": [f"1 to {ranges.NAMES_MAX} "],
        "plays that a history is made from": [str(careers.PLAYS_READ)],
        "plays that a dry run reads": [f"{rerank.DRY_RUN_SESSIONS} "],
        "rows of a range of ranks": [str(standings.LIMIT_MAX)],
        "dense ranks": [f"first {ranking.DENSE_PLACES} "],
    }


@pytest.mark.parametrize("what", limits())
def test_the_limits_that_are_told_are_the_ones_that_hold(what: str) -> None:
    (told,) = table(API, "what")[what.strip("`")]
    for limit in limits()[what]:
        assert limit in f"{told} "


def test_the_fields_of_a_submit_are_told() -> None:
    assert table(API, "field").keys() == set(Asked.__struct_fields__)


def test_the_bounds_in_operations_are_the_ones_that_hold() -> None:
    said = OPERATIONS.read_text()
    assert str(settings.QUEUE_LIMIT) in said
    assert settings.STORE_TIMEOUT_MS == 5_000, "statement_timeout = '5s' in the lines for PgBouncer"
    assert RANK_COUNT_LIMIT == 10_000, "the ten-thousandth in the runbook"
    assert Options().heartbeat_s < 10
    assert f"after {pages.BEGIN_S:.0f} s" in said
    assert f"more than {pages.FORM_LIMIT // 1024**2} MiB" in said


def test_the_lines_for_pgbouncer_are_the_settings_that_are_sent_without_it() -> None:
    postgres = importlib.import_module("leaderboard.store.postgres")
    told = dict(re.findall(r"ALTER ROLE leaderboard SET (\w+) = (\w+);", OPERATIONS.read_text()))
    assert told == postgres.SETTINGS


# --- The documents among themselves ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", document.read_text()):
        assert target.startswith("https://") or (document.parent / target).exists(), target


@pytest.mark.parametrize("document", [README, API, OPERATIONS], ids=lambda path: path.name)
def test_lines_are_of_a_length_that_can_be_read(document: Path) -> None:
    long = [line for line in document.read_text().splitlines() if len(line) > 140 and not line.startswith("|")]
    assert long == []


def test_every_picture_is_small_enough_for_a_readme() -> None:
    pictures = [*(ROOT / "docs" / "images").iterdir()]
    assert pictures
    assert [picture.name for picture in pictures if picture.stat().st_size > 250 * 1024] == []


# --- Threats --------------------------------------------------------------------------------------------------------------


def test_every_threat_of_the_list_is_tried_somewhere_that_names_it() -> None:
    told = table(ROOT / "docs" / "security.md", "threat")
    assert [name.split(" ")[0] for name in told] == [f"API{number}" for number in range(1, 11)]
    for name, (_, files) in told.items():
        texts = [(ROOT / file.strip(" `")).read_text() for file in files.split(",")]
        assert any(re.search(rf"api{name.split(' ')[0][3:]}\b|{name.split(' ')[0]}\b", text, re.IGNORECASE) for text in texts), name
