"""The vocabulary of a socket: commands in, messages out, close codes. docs/protocol.md says it to client programmers.

Snapshots and deltas are encoded by the publisher, see `leaderboard.feed.wire`.
"""

import re
from collections.abc import Mapping
from enum import IntEnum
from typing import Annotated, Any

import msgspec

from leaderboard.domain.errors import BadMessage, InvalidBody, InvalidParameter, RateLimited, Refusal
from leaderboard.domain.score import SCORE_LIMIT
from leaderboard.domain.snapshot import TOPS, round_up
from leaderboard.domain.text import find_duplicate_key
from leaderboard.domain.viewport import Overtake, View
from leaderboard.feed import Position
from leaderboard.services.checking import Asked

DEFAULT_TOP = 10
SUBPROTOCOL = "leaderboard.v1"  # what is spoken here, for clients that name it, and
TICKET = "ticket."  # what a browser puts before its ticket to send it beside that: the only header that its pages have a hand in
_SLUG = re.compile(r"[-a-zA-Z0-9_]{1,64}")


class CloseCode(IntEnum):
    """Why a socket was closed. 4xxx that are about the request itself will not get better by trying again."""

    RESTARTING = 1012
    BAD_MESSAGE = 4400
    NOT_AUTHENTICATED = 4401
    FORBIDDEN = 4403
    UNKNOWN_BOARD = 4404
    TOO_SLOW = 4408
    TOO_MANY = 4429

    @property
    def retry(self) -> bool:
        """Whether connecting again, after a jittered pause, makes sense."""
        return self in (CloseCode.RESTARTING, CloseCode.TOO_SLOW, CloseCode.TOO_MANY)


# A refusal's code -> how the socket is closed when the refusal ends it.
CLOSE_CODES: dict[str, CloseCode] = {
    "bad_message": CloseCode.BAD_MESSAGE,
    "invalid_parameter": CloseCode.BAD_MESSAGE,
    "not_authenticated": CloseCode.NOT_AUTHENTICATED,
    "forbidden": CloseCode.FORBIDDEN,
    "origin_not_allowed": CloseCode.FORBIDDEN,
    "not_found": CloseCode.UNKNOWN_BOARD,
    "leaderboard_not_found": CloseCode.UNKNOWN_BOARD,
    "too_slow": CloseCode.TOO_SLOW,
    "too_many": CloseCode.TOO_MANY,
    "store_unavailable": CloseCode.RESTARTING,
    "overloaded": CloseCode.RESTARTING,
}
ENDING = frozenset({"bad_message", "too_many"})  # refusals of a command that end the socket; after others it goes on


class Since(msgspec.Struct, frozen=True):
    epoch: str
    offset: int


class Subscribe(msgspec.Struct, frozen=True, tag_field="type", tag="subscribe"):
    leaderboard: str
    top: Any = DEFAULT_TOP  # checked by `size_of`: out of range is a refusal of its own, not a bad message
    since: Since | None = None
    pulse: Any = False  # these are checked by `realtime.wanted` for the same reason
    around: Any = None
    player: Any = None
    own: Any = False


class Unsubscribe(msgspec.Struct, frozen=True, tag_field="type", tag="unsubscribe"):
    leaderboard: str


class Ack(msgspec.Struct, frozen=True, tag_field="type", tag="ack"):
    leaderboard: str
    offset: int


class Ping(msgspec.Struct, frozen=True, tag_field="type", tag="ping"):
    pass


Id = Annotated[int, msgspec.Meta(ge=-SCORE_LIMIT, le=SCORE_LIMIT)] | Annotated[str, msgspec.Meta(max_length=64)]


class Submit(Asked, forbid_unknown_fields=True, tag_field="type", tag="submit"):
    """The body of POST /scores/ with its key, and the client's own name for the answer."""

    idempotency_key: str | None = None
    id: Id | None = None


class _Head(msgspec.Struct):
    """What a message that could not be read was meant to be."""

    type: Any = None
    id: Any = None


class BadSubmit(InvalidBody):
    """`id` is the message's, as far as it had one."""

    def __init__(self, detail: str, submit_id: Id | None) -> None:
        super().__init__(detail)
        self.id = submit_id


Command = Subscribe | Unsubscribe | Ack | Ping | Submit
_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Command)
_head = msgspec.json.Decoder(_Head)


def read_command(data: bytes) -> Command:
    """Raises BadMessage, and BadSubmit for what is a submit all the same."""
    try:
        if not data.isascii():
            data.decode()
        command: Command = _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:  # thousands of nested arrays end in the latter
        raise _refused(data, error) from None
    if isinstance(command, Submit):
        _check_keys(command, data)
    return command


def _check_keys(command: Submit, data: bytes) -> None:
    """A body with a key twice says two things, over REST and here. Raises BadSubmit."""
    try:
        duplicate = find_duplicate_key(data)
    except InvalidBody as refusal:
        raise BadSubmit(refusal.detail, command.id) from None
    if duplicate is not None:
        raise BadSubmit(f"The key {duplicate!r} is in an object twice.", command.id)


def _refused(data: bytes, error: Exception) -> Refusal:
    try:
        head = _head.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return BadMessage(str(error))
    if head.type != "submit":
        return BadMessage(str(error))
    try:
        return BadSubmit(str(error), msgspec.convert(head.id, Id | None))
    except msgspec.ValidationError:
        return BadSubmit(str(error), None)


def size_of(top: Any) -> int:
    """The watched size that holds `top` rows. Raises InvalidParameter unless it is a whole number from 1 to 100."""
    if isinstance(top, bool) or not isinstance(top, int) or not 1 <= top <= TOPS[-1]:
        raise InvalidParameter(f"top must be a whole number from 1 to {TOPS[-1]}")
    return round_up(top)


def size_of_text(top: str) -> int:
    """The same for a query string, where the number is text."""
    return size_of(int(top) if re.fullmatch(r"[0-9]{1,3}", top) else None)


def is_slug(name: str) -> bool:
    """Whether a leaderboard could have that name; nothing else is passed on to SQL or Redis."""
    return _SLUG.fullmatch(name) is not None


# --- Out: texts in UTF-8 -------------------------------------------------------------------------------------------------

_encode = msgspec.json.Encoder().encode

PONG = b'{"type":"pong"}'


def error_text(refusal: Refusal, *, submit_id: Id | None = None, leaderboard: str | None = None) -> bytes:
    """`leaderboard`: whose subscription is refused or ends."""
    told: dict[str, Any] = {"type": "error", "code": refusal.code, "detail": refusal.detail}
    if refusal.errors:
        told["errors"] = refusal.errors
    if isinstance(refusal, RateLimited):
        told["retry_in_ms"] = 1000 * refusal.retry_after_s
    if submit_id is not None:
        told["id"] = submit_id
    if leaderboard is not None:
        told["leaderboard"] = leaderboard
    return _encode(told)


def submitted_text(body: bytes, *, submit_id: Id | None) -> bytes:
    """`body` is the 201 answer of REST, encoded already: it is put in as it is."""
    if submit_id is None:
        return b'{"type":"submitted",' + body[1:]
    return b'{"type":"submitted","id":%b,%b' % (_encode(submit_id), body[1:])


def heartbeat_text(positions: Mapping[str, Position]) -> bytes:
    told = {slug: {"epoch": position.epoch, "offset": position.offset} for slug, position in positions.items()}
    return _encode({"type": "heartbeat", "positions": told})


def status_text(live: bool) -> bytes:
    return _encode({"type": "status", "live": live})


def pulse_text(slug: str, *, watching: int, scores_per_minute: int | None) -> bytes:
    return _encode({"type": "pulse", "leaderboard": slug, "watching": watching, "scores_per_minute": scores_per_minute})


def around_text(slug: str, player: str, view: View) -> bytes:
    told = {"type": "around", "leaderboard": slug, "season": view.season, "player": player}
    return _encode({**told, "rank": view.rank, "total": view.total, "entries": view.rows})


def overtake_text(slug: str, player: str, season: str, told: Overtake) -> bytes:
    passed_by, passed = ([{"player": row["player"], "name": row["name"]} for row in rows] for rows in (told.passed_by, told.passed))
    heading = {"type": "overtake", "leaderboard": slug, "season": season, "player": player}
    return _encode({**heading, "rank": told.rank, "previous_rank": told.previous_rank, "passed_by": passed_by, "passed": passed})


def bye_text(code: CloseCode, *, retry_in_ms: int) -> bytes:
    return _encode({"type": "bye", "code": int(code), "retry_in_ms": retry_in_ms})
