"""The AsyncAPI document of the socket, from the vocabulary of `protocol` and the messages of `leaderboard.feed.wire`.

tests/realtime/test_asyncapi.py holds that every message is in it, and the tests' watchers that every frame is as it says.
"""

from functools import cache
from typing import Annotated, Any

import msgspec
from django.http import HttpRequest, HttpResponse
from msgspec import UNSET, Meta, UnsetType

from leaderboard.api import shapes
from leaderboard.api.views import ApiView
from leaderboard.domain.snapshot import TOPS
from leaderboard.domain.text import NAME_LENGTH
from leaderboard.feed import wire
from realtime import protocol
from realtime.limits import Options
from realtime.protocol import CLOSE_CODES, CloseCode, Id
from realtime.wanted import AROUND_MAX

Json = dict[str, Any]


class Pong(msgspec.Struct, tag_field="type", tag="pong", forbid_unknown_fields=True):
    """The answer to a ping."""


class Place(msgspec.Struct, forbid_unknown_fields=True):
    """A position in a board's feed."""

    epoch: str
    offset: int


class Heartbeat(msgspec.Struct, tag_field="type", tag="heartbeat", forbid_unknown_fields=True):
    """Where you are on each board."""

    positions: dict[str, Place]


class Status(msgspec.Struct, tag_field="type", tag="status", forbid_unknown_fields=True):
    """Whether changes can be seen."""

    live: bool


class Submitted(shapes.Submitted, tag_field="type", tag="submitted", forbid_unknown_fields=True):
    """The score is stored."""

    id: Id | UnsetType = UNSET


class Error(msgspec.Struct, tag_field="type", tag="error", forbid_unknown_fields=True):
    """Something was refused."""

    code: Annotated[str, Meta(description="Stable: one of docs/protocol.md, or to a submit one of docs/api.md.")]
    detail: str
    errors: list[dict[str, str]] | UnsetType = UNSET
    retry_in_ms: int | UnsetType = UNSET
    id: Id | UnsetType = UNSET
    leaderboard: Annotated[str, Meta(description="Whose subscription is refused or has ended.")] | UnsetType = UNSET


class Pulse(msgspec.Struct, tag_field="type", tag="pulse", forbid_unknown_fields=True):
    """How lively a board is."""

    leaderboard: str
    watching: Annotated[int, Meta(ge=0, description="Connections that watch the board, of all processes.")]
    scores_per_minute: Annotated[int, Meta(ge=0, description="null while it is not known yet.")] | None


class Around(msgspec.Struct, tag_field="type", tag="around", forbid_unknown_fields=True):
    """Where a player stands, and the rows around it."""

    leaderboard: str
    season: str
    player: str
    rank: Annotated[int, Meta(ge=1)] | None
    total: Annotated[int, Meta(ge=0)]
    entries: Annotated[list[shapes.Row], Meta(max_length=2 * AROUND_MAX + 1)]


class Passed(msgspec.Struct, forbid_unknown_fields=True):
    """Who passed, or was passed."""

    player: str
    name: str


class Overtake(msgspec.Struct, tag_field="type", tag="overtake", forbid_unknown_fields=True):
    """A player's rank changed by passing."""

    leaderboard: str
    season: str
    player: str
    rank: Annotated[int, Meta(ge=1)]
    previous_rank: Annotated[int, Meta(ge=1)]
    passed_by: list[Passed]
    passed: list[Passed]


class Bye(msgspec.Struct, tag_field="type", tag="bye", forbid_unknown_fields=True):
    """This server goes away."""

    code: int
    retry_in_ms: int


COMMANDS = (protocol.Subscribe, protocol.Unsubscribe, protocol.Ack, protocol.Ping, protocol.Submit)
_COMMANDS_SAY = {
    protocol.Subscribe: "Watch a board; for one that is watched already: change its size, or begin again.",
    protocol.Unsubscribe: "Watch it no longer.",
    protocol.Ack: "The last offset that was shown; optional.",
    protocol.Ping: "Is answered with pong.",
    protocol.Submit: "Store a score; is answered with submitted, or with an error.",
}
MESSAGES = (wire.Snapshot, wire.DeltaMessage, Heartbeat, Status, Pong, Submitted, Pulse, Around, Overtake, Error, Bye)

EVENTS = tuple(message for message in MESSAGES if message not in (Pong, Submitted))  # who sends nothing gets no answers

_SINCE: Json = {"type": "string", "description": "The last event's id, <epoch>:<offset>; the header Last-Event-ID goes before it."}
_SUBSCRIBES: Json = {
    "type": "array",
    "minItems": 1,
    "maxItems": Options().subscriptions,
    "items": {"type": "string", "contentMediaType": "application/json", "description": "A subscribe command, with or without its type."},
}
_TOP: Json = {"type": "integer", "minimum": 1, "maximum": TOPS[-1], "description": f"Rounded up to one of {', '.join(map(str, TOPS))}."}
_VIEWPORT: Json = {
    "around": {"type": "integer", "minimum": 1, "maximum": AROUND_MAX, "description": "Rows on either side; with either player or own."},
    "player": {"type": "string", "minLength": 1, "maxLength": NAME_LENGTH, "description": "Whose rank and neighbours are wanted."},
}
_WANTED = {  # a subscription's properties: in a command, and in an address
    "command": {
        "top": {**_TOP, "default": protocol.DEFAULT_TOP},
        "pulse": {"type": "boolean", "default": False, "description": "Whether pulses are wanted."},
        **_VIEWPORT,
        "own": {"type": "boolean", "default": False, "description": "Whether the player is the one whose credential was brought."},
    },
    "address": {"top": _TOP, "pulse": {"enum": [0, 1]}, **_VIEWPORT, "own": {"enum": [0, 1]}},
}


@cache
def document() -> Json:
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Gaming Leaderboard: live boards",
            "version": "1",
            "description": "Text frames, one JSON object each. Ignore types and fields that you do not know. A socket that is refused is "
            "accepted first, told why by an error, and then closed with a code of x-close-codes. docs/protocol.md says the rest.",
        },
        "defaultContentType": "application/json",
        "channels": {
            "socket": {"address": "/ws/", "messages": _refs("messages", (*COMMANDS, *MESSAGES))},
            "board": {
                "address": "/ws/leaderboard/{board}/",
                "description": "Watches that board from the start.",
                "parameters": {"board": {"description": "A leaderboard's slug"}},
                "messages": _refs("messages", (*COMMANDS, *MESSAGES)),
                "bindings": {"ws": {"method": "GET", "query": {"type": "object", "properties": _WANTED["address"]}}},
            },
            "events_of_many": {
                "address": "/sse/",
                "description": "Many boards by one stream of server-sent events.",
                "messages": _refs("messages", EVENTS),
                "bindings": {"http": {"method": "GET", "query": {"type": "object", "properties": {"subscribe": _SUBSCRIBES}}}},
            },
            "events": {
                "address": "/sse/leaderboard/{board}/",
                "description": "The same by server-sent events, where no WebSocket gets through. A refusal is a problem document.",
                "parameters": {"board": {"description": "A leaderboard's slug"}},
                "messages": _refs("messages", EVENTS),
                "bindings": {"http": {"method": "GET", "query": {"type": "object", "properties": _WANTED["address"] | {"since": _SINCE}}}},
            },
        },
        "operations": {
            f"{verb}_{channel}": {
                "action": action,
                "channel": {"$ref": f"#/channels/{channel}"},
                "messages": [{"$ref": f"#/channels/{channel}/messages/{_tag(struct)}"} for struct in structs],
            }
            for channel, known in (("socket", MESSAGES), ("board", MESSAGES), ("events", EVENTS), ("events_of_many", EVENTS))
            for verb, action, structs in (("command", "receive", COMMANDS), ("tell", "send", known))
            if not (known is EVENTS and structs is COMMANDS)
        },
        "components": {"messages": {_tag(struct): _message(struct) for struct in (*COMMANDS, *MESSAGES)}, "schemas": _schemas()},
        "x-close-codes": {str(int(code)): {"retry": code.retry, "codes": _codes(code)} for code in CloseCode},
    }


def _tag(struct: type[msgspec.Struct]) -> str:
    return str(struct.__struct_config__.tag)


def _refs(kind: str, structs: tuple[type[msgspec.Struct], ...]) -> Json:
    return {_tag(struct): {"$ref": f"#/components/{kind}/{_tag(struct)}"} for struct in structs}


def _message(struct: type[msgspec.Struct]) -> Json:
    says = _COMMANDS_SAY.get(struct) or str(struct.__doc__).partition("\n")[0]
    return {"name": _tag(struct), "summary": says, "payload": {"$ref": f"#/components/schemas/{_tag(struct)}"}}


def _schemas() -> Json:
    """The messages by their types, and what they hold by its name."""
    structs = (*COMMANDS, *MESSAGES)
    _, found = msgspec.json.schema_components((*structs, shapes.Row), ref_template="#/components/schemas/{name}")
    named = {struct.__name__: _tag(struct) for struct in structs}
    schemas = {named.get(name, name): schema for name, schema in found.items()}
    schemas["subscribe"]["properties"] |= _WANTED["command"]
    for message, rows in (("snapshot", "entries"), ("delta", "changed")):  # which the publisher has as dicts
        schemas[message]["properties"][rows]["items"] = {"$ref": "#/components/schemas/Row"}
        schemas[message]["additionalProperties"] = False
    return schemas


def _codes(code: CloseCode) -> list[str]:
    return sorted(refusal for refusal, closed in CLOSE_CODES.items() if closed is code)


class AsyncApi(ApiView):
    async def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(msgspec.json.encode(document()), content_type="application/json")
