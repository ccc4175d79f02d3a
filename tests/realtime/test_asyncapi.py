"""The AsyncAPI document of the socket. That frames are as it says is looked at by every watcher, see tests/frames.py."""

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from leaderboard.domain.errors import BadMessage, ScoreOutOfRange
from leaderboard.feed import Position
from realtime import asyncapi, protocol
from realtime.protocol import CLOSE_CODES, CloseCode
from tests.frames import NotAsTold, as_told
from tests.realtime.test_protocol import message_types

DOCUMENT = json.loads(json.dumps(asyncapi.document()))
EXAMPLES = [
    json.loads(block)
    for block in re.findall(
        r"^```json\n(.*?)^```", (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(), re.MULTILINE | re.DOTALL
    )
]


@pytest.mark.parametrize("kind", message_types())
def test_every_message_is_in_the_document(kind):
    assert kind in DOCUMENT["components"]["messages"]
    for channel in ("socket", "board"):
        assert kind in DOCUMENT["channels"][channel]["messages"]


def test_events_are_what_is_said_to_who_says_nothing():
    told = {
        name: {ref["$ref"].rpartition("/")[2] for ref in DOCUMENT["operations"][f"tell_{name}"]["messages"]}
        for name in ("socket", "events", "events_of_many")
    }
    for channel in ("events", "events_of_many"):
        assert told["socket"] - told[channel] == {"pong", "submitted"}
        assert DOCUMENT["channels"][channel]["messages"].keys() == told[channel]
        assert f"command_{channel}" not in DOCUMENT["operations"]


def test_commands_are_received_and_messages_are_sent():
    told = {name: [ref["$ref"].rpartition("/")[2] for ref in operation["messages"]] for name, operation in DOCUMENT["operations"].items()}
    commands = [
        struct.__struct_config__.tag for struct in (protocol.Subscribe, protocol.Unsubscribe, protocol.Ack, protocol.Ping, protocol.Submit)
    ]
    assert told["command_socket"] == told["command_board"] == commands
    assert sorted([*told["tell_socket"], *commands]) == sorted(message_types())
    assert {name: operation["action"] for name, operation in DOCUMENT["operations"].items() if name.endswith("socket")} == {
        "command_socket": "receive",
        "tell_socket": "send",
    }


def test_every_reference_leads_somewhere():
    for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(DOCUMENT))):
        place = DOCUMENT
        for step in reference.split("/"):
            place = place[step]


def test_every_schema_is_one():
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_every_close_code_is_told_with_the_codes_that_end_in_it():
    assert DOCUMENT["x-close-codes"].keys() == {str(int(code)) for code in CloseCode}
    told = {refusal: int(code) for code, what in DOCUMENT["x-close-codes"].items() for refusal in what["codes"]}
    assert told == {refusal: int(code) for refusal, code in CLOSE_CODES.items()}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["type"])
def test_every_example_of_the_protocol_is_as_the_document_says(example):
    schema = {"$ref": f"#/components/schemas/{example['type']}", "components": DOCUMENT["components"]}
    Draft202012Validator(schema).validate(example)


@pytest.mark.parametrize(
    "text",
    [
        protocol.PONG,
        protocol.status_text(False),
        protocol.heartbeat_text({"arcade": Position("e", 7)}),
        protocol.bye_text(CloseCode.RESTARTING, retry_in_ms=5),
        protocol.error_text(BadMessage()),
        protocol.error_text(ScoreOutOfRange(errors=[{"field": "score", "detail": "no"}]), submit_id="mine"),
    ],
)
def test_what_the_protocol_says_is_as_the_document_says(text):
    as_told(json.loads(text))


@pytest.mark.parametrize("text", ['{"type":"poke"}', '{"type":"pong","more":1}', '{"type":"status","live":1}', '{"type":"ping"}', "{}"])
def test_another_message_would_be_noticed(text):
    with pytest.raises(NotAsTold):
        as_told(json.loads(text))


async def test_the_document_is_served(api):
    served = await api.get("/api/asyncapi.json")
    assert (served.status_code, served.json()) == (200, DOCUMENT)
    assert served.json()["asyncapi"].startswith("3.0")
    assert (await api.post("/api/asyncapi.json")).status_code == 405
