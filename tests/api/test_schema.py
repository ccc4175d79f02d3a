"""The OpenAPI document: that it is complete, that it is true, and that its page works under a strict policy."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import yaml
from django.urls import Resolver404, URLResolver, get_resolver, resolve
from jsonschema import Draft202012Validator

from leaderboard.api import problems, schema, versions
from leaderboard.api.views import ApiView
from leaderboard.domain.errors import InternalError
from tests.api.test_recorded import FILES
from tests.servers.stack import ROOT, Stack

DOCUMENT = schema.Generator().get_schema()
CONFIG = ROOT / "schemathesis.toml"
OF_HTTP = ("get", "post", "put", "patch", "delete")


def endpoints(resolver: URLResolver | None = None, prefix: str = "/") -> Iterator[tuple[str, str]]:
    """The method and path of everything that an ApiView answers, but for the routes whose version a header chooses."""
    for entry in (resolver or get_resolver()).url_patterns:
        path = prefix + re.sub(r"<\w+:(\w+)>", r"{\1}", str(entry.pattern))
        if isinstance(entry, URLResolver):
            yield from endpoints(entry, path)
        elif issubclass(view := getattr(entry.callback, "view_class", object), ApiView) and is_named(path):
            yield from ((method.upper(), path) for method in OF_HTTP if hasattr(view, method))


def is_named(path: str) -> bool:
    """Streams are described where sockets are, in the AsyncAPI document."""
    if path.startswith("/sse/"):
        return False
    return not path.startswith("/api/") or path.startswith(("/api/v1/", "/api/v2/", *versions.UNVERSIONED))


def recorded() -> list[dict[str, Any]]:
    return [example for file in FILES for example in msgspec.json.decode(file.read_bytes())]


def path_of(example: dict[str, Any]) -> str:
    """As the document has it; "" for one that is not in it."""
    try:
        route = resolve(example["request"]["path"].partition("?")[0].replace("$ID", "1")).route
    except Resolver404:
        return ""
    return "/" + re.sub(r"<\w+:(\w+)>", r"{\1}", route) if is_named(f"/{route}") else ""


def described() -> set[tuple[str, str]]:
    return {(method.upper(), path) for path, operations in DOCUMENT["paths"].items() for method in operations}


def test_every_route_and_method_is_in_the_document_and_no_other() -> None:
    assert described() == set(endpoints())


def test_every_row_is_of_a_route() -> None:
    assert {tuple(name.split(" ")) for name in schema.OPERATIONS} <= described()


def test_every_reference_leads_somewhere() -> None:
    text = msgspec.json.encode(DOCUMENT).decode()
    named = set(re.findall(r'"#/components/schemas/(\w+)"', text))
    assert named <= DOCUMENT["components"]["schemas"].keys()
    assert {scheme for row in schema.OPERATIONS.values() for way in row.who for scheme in way} <= schema.SCHEMES.keys()


def test_every_name_in_a_path_is_a_parameter() -> None:
    for path, operations in DOCUMENT["paths"].items():
        for operation in operations.values():
            assert re.findall(r"{(\w+)}", path) == [parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"]


def test_every_shape_is_a_schema() -> None:
    for shape in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(shape)


def test_operations_have_names_of_their_own() -> None:
    ids = [operation["operationId"] for operations in DOCUMENT["paths"].values() for operation in operations.values()]
    assert len(set(ids)) == len(ids)


def test_every_refusal_that_is_told_of_has_its_status() -> None:
    status = {refusal.code: str(number) for refusal, number in problems.STATUS.items()}
    for operations in DOCUMENT["paths"].values():
        for operation in operations.values():
            for number, answer in operation["responses"].items():
                told = answer.get("content", {}).get(problems.MEDIA_TYPE, {}).get("schema")
                assert told is None or {status[code] for code in told["properties"]["code"]["enum"]} == {number}


# --- Its routes -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
async def test_the_document_is_served_as_json_and_yaml(api: httpx.AsyncClient) -> None:
    as_json = await api.get("/api/schema/")
    assert as_json.json() == msgspec.json.decode(msgspec.json.encode(DOCUMENT))
    assert as_json.json()["openapi"].startswith("3.1")
    as_yaml = await api.get("/api/schema/?format=yaml")
    assert as_yaml.headers["Content-Type"] == "application/yaml"
    assert yaml.safe_load(as_yaml.text) == as_json.json()
    assert (await api.get("/api/schema/?format=xml")).status_code == 400


async def test_the_page_is_allowed_nothing_but_its_own(api: httpx.AsyncClient) -> None:
    page = await api.get("/api/docs/")
    assert page.headers["Content-Type"].startswith("text/html")
    assert "script-src 'self';" in page.headers["Content-Security-Policy"]
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    assert re.findall(r"<script(?![^>]* src=\"/static/)|<style| style=| on\w+=|https?://", page.text) == []


async def test_the_page_shows_the_routes(stack: Stack, page: Any) -> None:
    """In a real browser, which says what the policy refused."""
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: told.append(str(error)))
    await page.goto(f"{stack.url}/api/docs/")
    await page.get_by_text("/api/v2/leaderboard/{board}/top/", exact=True).wait_for()
    assert told == []


# --- Whether it is true ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("example", [example for example in recorded() if path_of(example)], ids=lambda example: example["name"])
def test_recorded_answers_are_as_the_document_says(example: dict[str, Any]) -> None:
    answer, operation = example["answer"], DOCUMENT["paths"][path_of(example)].get(example["request"]["method"].lower())
    if operation is None:
        assert answer["status"] in (200, 204, 304, 405)  # HEAD, OPTIONS, and methods that there are not
        return
    told = operation["responses"][str(answer["status"])].get("content")
    assert (told is None) == (answer["body"] == "")
    if told is not None:
        shape = {**told[answer["headers"]["content-type"]]["schema"], "components": DOCUMENT["components"]}
        body = re.sub(r'"<(id|session_id|before)>"', "1", answer["body"])  # these are numbers
        Draft202012Validator(shape).validate(msgspec.json.decode(body))


def test_the_tool_takes_the_refusals_of_this_service_for_refusals_and_no_others() -> None:
    """It took a query of 8 KiB for one that had been let through: it did not know 414."""
    told = tomllib.loads(CONFIG.read_text())["checks"]["negative_data_rejection"]["expected-statuses"]
    assert set(told) == set(problems.STATUS.values()) - {problems.STATUS[InternalError]}


ADMINISTRATION = "^(create_leaderboard|change_leaderboard|rerankings?|edit_entry|remove_entry|edits)(_v2)?$"  # nothing gets deleted


def test_the_service_does_what_the_document_says(new_stack: Callable[..., Stack], tmp_path: Path) -> None:
    """What schemathesis makes of the document, right and wrong, is answered as it says. docs/api.md has the line for a longer run."""
    running = new_stack()
    headers = {"Authorization": f"Api-Key {running.api_key}"}
    assert httpx.post(f"{running.url}/api/v1/scores/", json={"player": "ada", "score": 5}, headers=headers).status_code == 201
    assert tried(running, running.api_key, tmp_path) > 400
    admin_key = running.manage("create_api_key", "--game", "default", "--scopes", "boards:admin,players:admin").strip()
    assert tried(running, admin_key, tmp_path, "--include-operation-id-regex", ADMINISTRATION) > 100


def tried(running: Stack, key: str, directory: Path, *more: str) -> int:
    """How many requests were made."""
    command = [
        sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG),
        "run", f"{running.url}/api/schema/", "--header", f"Authorization: Api-Key {key}", "--checks", "all",
        "--exclude-checks", "positive_data_acceptance", "--phases", "examples,coverage,fuzzing", "--max-examples", "10",
        "--generation-deterministic", "--request-timeout", "30", "--continue-on-failure", "--warnings", "off", *more,
    ]  # fmt: skip
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    return int(re.findall(r"(\d+) generated", done.stdout)[0])
