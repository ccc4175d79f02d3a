"""Every example of docs/api.md is a request to the real process set, and its answer is the one that is shown."""

import json
import re
import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from tests.docs.conftest import LISTED_ORIGIN
from tests.docs.reading import API, Block, blocks, difference, pairs, table
from tests.servers.stack import Stack
from tests.signing import signature

pytestmark = pytest.mark.slow

EXAMPLES = pairs(blocks(API, "http"))
ADMIN = "from django.contrib.auth.models import User; User.objects.create_superuser('flo', password='pinball-wizard')"

SECRET = """
from django.conf import settings
from leaderboard.services.signatures import signing_secret
print(signing_secret("{}", settings.SECRET_KEY))
"""


@dataclass(frozen=True)
class Message:
    """A request or an answer, as it is written in the document."""

    first: str
    headers: dict[str, str]
    body: str

    @classmethod
    def read(cls, block: Block) -> "Message":
        head, _, body = block.text.partition("\n\n")
        first, *lines = head.splitlines()
        return cls(first, dict(line.split(": ", 1) for line in lines), body)


@pytest.fixture(scope="module")
def keys(fresh_stack: Stack) -> dict[str, str]:
    """What the last two of the document's commands print, after all of them have been run."""
    (commands,) = blocks(API, "bash")
    printed = [fresh_stack.manage(*shlex.split(line.removeprefix("python manage.py "))) for line in commands.text.splitlines()]
    return {"$ADMIN_KEY": printed[-2].strip(), "$API_KEY": printed[-1].strip()}


@pytest.fixture(scope="module")
def signing_secret(fresh_stack: Stack, keys: dict[str, str]) -> str:
    return fresh_stack.manage("shell", "--no-imports", "-c", SECRET.format(keys["$API_KEY"].split("_")[1])).strip()


@pytest.fixture(scope="module")
def answers(fresh_stack: Stack, keys: dict[str, str], signing_secret: str) -> dict[int, httpx.Response]:
    """Every example's answer, by the line of its request. They are a story: all are sent, in order, once."""
    given = dict(keys)
    with httpx.Client(base_url=fresh_stack.url) as client:
        return {request.line: _send(client, _signed(Message.read(request), signing_secret), given) for request, _ in EXAMPLES}


def _send(client: httpx.Client, request: Message, given: dict[str, str]) -> httpx.Response:
    """The answer; the tokens in it are the ones that the next requests mean."""

    def filled(text: str) -> str:
        for name, value in given.items():
            text = text.replace(name, value)
        return text

    method, path = request.first.split(" ")
    headers = {name: filled(value) for name, value in request.headers.items()}
    answer = client.request(method, path, headers=headers, content=filled(request.body))
    until = time.monotonic() + 20
    while method == "GET" and any(f'"state":"{state}"' in answer.text for state in ("waiting", "running")) and time.monotonic() < until:
        time.sleep(0.1)  # the documents show what is seen when it is done
        answer = client.request(method, path, headers=headers, content=filled(request.body))
    said = answer.json() if answer.content else {}
    given |= {f"${name.upper()}": said[name] for name in ("access_token", "refresh_token") if name in said}
    return answer


def _signed(request: Message, secret: str) -> Message:
    """The request with the time and the signature, where it shows that it has one."""
    if request.headers.get("X-Signature") != "$SIGNATURE":
        return request
    method, path = request.first.split(" ")
    timestamp = str(int(time.time()))
    given = signature(secret, method, path, timestamp, request.headers["X-Nonce"], request.body.encode())
    return replace(request, headers={**request.headers, "X-Timestamp": timestamp, "X-Signature": given})


DOCUMENTS = {"GET /api/schema/", "GET /api/docs/", "GET /api/asyncapi.json"}  # are told of in prose: their answers are documents themselves


def test_every_route_has_an_example() -> None:
    shown = [Message.read(request).first.partition("?")[0].replace("/api/v2/", "/api/v1/") for request, _ in EXAMPLES]
    for route in table(API, "method and path").keys() - DOCUMENTS:
        pattern = re.sub(r"\\{\w+\\}", "[^?]+", re.escape(route))
        assert any(re.fullmatch(pattern, example) for example in shown), route


@pytest.mark.parametrize(("request_block", "shown_block"), EXAMPLES, ids=[f"line {block.line}" for block, _ in EXAMPLES])
def test_the_example_gets_the_answer_that_is_shown(answers: dict[int, httpx.Response], request_block: Block, shown_block: Block) -> None:
    answer, shown = answers[request_block.line], Message.read(shown_block)
    assert f"HTTP/1.1 {answer.status_code}" == " ".join(shown.first.split(" ")[:2]), answer.text
    assert {name: answer.headers.get(name) for name in shown.headers} == shown.headers
    if shown.body or answer.content:
        assert difference(json.loads(shown.body), answer.json()) is None


def test_a_retry_is_shown_with_the_bytes_of_the_first_answer(answers: dict[int, httpx.Response]) -> None:
    replayed = [line for line, answer in answers.items() if "Idempotency-Replayed" in answer.headers]
    stored = [line for line, answer in answers.items() if answer.status_code == 201 and "session_id" in answer.json()]
    first = [line for line in stored if line not in replayed]
    assert [answers[line].content for line in replayed] == [answers[line].content for line in first[: len(replayed)]]


def test_the_answers_of_a_position_may_be_given_as_since(answers: dict[int, httpx.Response], fresh_stack: Stack) -> None:
    """The document sends the reader from `epoch` and `offset` to the live protocol; there they must be known."""
    from websockets.sync.client import connect

    with httpx.Client(base_url=fresh_stack.url) as client, connect(f"{fresh_stack.ws_url}/ws/leaderboard/friday-cup/") as socket:
        position = json.loads(socket.recv(timeout=10))
        top = client.get("/api/v1/leaderboard/friday-cup/top/").json()
        assert (top["epoch"], top["offset"] >= position["offset"]) == (position["epoch"], True)


def test_a_page_of_a_listed_origin_may_read(fresh_stack: Stack) -> None:
    with httpx.Client(base_url=fresh_stack.url) as client:
        allowed = {
            origin: client.get("/api/v1/leaderboard/", headers={"Origin": origin}).headers.get("Access-Control-Allow-Origin")
            for origin in (LISTED_ORIGIN, "https://elsewhere.example")
        }
    assert allowed == {LISTED_ORIGIN: LISTED_ORIGIN, "https://elsewhere.example": None}


# --- A browser in which a player is signed in ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser(fresh_stack: Stack) -> Iterator[httpx.Client]:
    """Signed in at the admin, with the cookies that a browser would hold."""
    fresh_stack.manage("shell", "-c", ADMIN)
    with httpx.Client(base_url=fresh_stack.url) as client:
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', client.get("/admin/login/").text)
        assert token
        form = {"username": "flo", "password": "pinball-wizard", "csrfmiddlewaretoken": token[1], "next": "/admin/"}
        client.post("/admin/login/", data=form)
        assert "sessionid" in client.cookies
        yield client


@pytest.mark.parametrize(
    ("with_token", "body", "status", "said"),
    [
        (True, {"score": 5}, 201, {"player": "flo"}),
        (False, {"score": 5}, 403, {"code": "csrf_failed"}),
        (True, {"score": 5, "player": "ada"}, 403, {"code": "player_not_allowed"}),
    ],
)
def test_a_signed_in_player_submits_for_itself_with_the_csrf_token(
    browser: httpx.Client, answers: dict[int, httpx.Response], with_token: bool, body: dict[str, Any], status: int, said: dict[str, str]
) -> None:
    headers = {"X-CSRFToken": browser.cookies["csrftoken"]} if with_token else {}
    answer = browser.post("/api/v1/scores/", json={**body, "leaderboards": ["month"]}, headers=headers)
    assert answer.status_code == status, answer.text
    assert said.items() <= answer.json().items()
