"""The vocabulary, and that docs/protocol.md tells all of it."""

import inspect
import json
import re
from pathlib import Path

import pytest

from leaderboard.domain.errors import Refusal
from leaderboard.domain.viewport import Overtake, View
from leaderboard.feed import Position, wire
from realtime import protocol
from realtime.limits import Options, TokenBucket
from realtime.protocol import CLOSE_CODES, ENDING, CloseCode

DOC = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()


COMMANDS = (protocol.Subscribe, protocol.Unsubscribe, protocol.Ack, protocol.Ping, protocol.Submit)


def message_types():
    told = [struct.__struct_config__.tag for struct in COMMANDS]
    told += [struct.__struct_config__.tag for struct in (wire.Snapshot, wire.DeltaMessage)]
    texts = [
        protocol.PONG,
        protocol.error_text(Refusal()),
        protocol.heartbeat_text({}),
        protocol.status_text(True),
        protocol.bye_text(CloseCode.RESTARTING, retry_in_ms=1),
        protocol.submitted_text(b'{"session_id":1}', submit_id=None),
        protocol.pulse_text("arcade", watching=1, scores_per_minute=None),
        protocol.around_text("arcade", "ada", View("all-time", None, 0, [])),
        protocol.overtake_text("arcade", "ada", "all-time", Overtake(2, 1, [], [])),
    ]
    return told + [json.loads(text)["type"] for text in texts]


def test_every_message_builder_is_known_to_these_tests():
    made = {name for name, made in inspect.getmembers(protocol, inspect.isfunction) if made.__annotations__.get("return") is bytes}
    assert made == {
        "error_text",
        "heartbeat_text",
        "status_text",
        "bye_text",
        "submitted_text",
        "pulse_text",
        "around_text",
        "overtake_text",
    }


@pytest.mark.parametrize("kind", message_types())
def test_every_message_type_has_its_line_and_an_example(kind):
    assert f"| `{kind}` |" in DOC
    assert f'{{"type":"{kind}"' in DOC.replace('"type": ', '"type":')


@pytest.mark.parametrize("code", CloseCode)
def test_every_close_code_has_its_line_with_whether_to_retry(code):
    line = next((line for line in DOC.splitlines() if line.startswith(f"| {int(code)} |")), "")
    assert line, f"{code} is not told"
    assert ("| yes" in line) == code.retry
    assert ("| no" in line) != code.retry


@pytest.mark.parametrize("code", sorted(CLOSE_CODES))
def test_every_error_code_has_its_line(code):
    assert f"| `{code}` |" in DOC


def test_every_example_in_the_document_is_json():
    examples = re.findall(r"^```json\n(.*?)^```", DOC, re.MULTILINE | re.DOTALL)
    assert len(examples) >= len(message_types())
    for example in examples:
        json.loads(example)


def test_the_bounds_in_the_document_are_the_ones_that_hold():
    options = Options()
    for bound in (options.subscriptions, options.message_burst, int(options.messages_per_s), 16):
        assert re.search(rf"\b{bound}\b", DOC)


def test_what_ends_a_socket_has_a_close_code():
    assert CLOSE_CODES.keys() >= ENDING


def test_a_heartbeat_names_each_position():
    told = json.loads(protocol.heartbeat_text({"arcade": Position("e", 7)}))
    assert told == {"type": "heartbeat", "positions": {"arcade": {"epoch": "e", "offset": 7}}}


def test_a_bucket_lets_a_burst_through_and_then_so_many_a_second():
    bucket = TokenBucket(burst=5, per_s=2, now=0)
    assert [bucket.take(0) for _ in range(6)] == [True] * 5 + [False]
    assert [bucket.take(1) for _ in range(3)] == [True, True, False]
    assert [bucket.take(1000) for _ in range(6)] == [True] * 5 + [False]
