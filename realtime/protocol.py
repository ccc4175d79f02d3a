"""The vocabulary of a socket: commands in, messages out, close codes. docs/protocol.md says it to client programmers.

Snapshots and deltas are encoded by the publisher, see `leaderboard.feed.wire`.
"""

import re
from collections.abc import Mapping
from enum import IntEnum
from typing import Any

import msgspec

from leaderboard.domain.errors import BadMessage, InvalidParameter, Refusal
from leaderboard.domain.snapshot import TOPS, round_up
from leaderboard.feed import Position

DEFAULT_TOP = 10
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
    "not_found": CloseCode.UNKNOWN_BOARD,
    "leaderboard_not_found": CloseCode.UNKNOWN_BOARD,
    "too_slow": CloseCode.TOO_SLOW,
    "too_many": CloseCode.TOO_MANY,
    "store_unavailable": CloseCode.RESTARTING,
}
ENDING = frozenset({"bad_message", "too_many"})  # refusals of a command that end the socket; after others it goes on


class Since(msgspec.Struct, frozen=True):
    epoch: str
    offset: int


class Subscribe(msgspec.Struct, frozen=True, tag_field="type", tag="subscribe"):
    leaderboard: str
    top: Any = DEFAULT_TOP  # checked by `size_of`: out of range is a refusal of its own, not a bad message
    since: Since | None = None


class Unsubscribe(msgspec.Struct, frozen=True, tag_field="type", tag="unsubscribe"):
    leaderboard: str


class Ack(msgspec.Struct, frozen=True, tag_field="type", tag="ack"):
    leaderboard: str
    offset: int


class Ping(msgspec.Struct, frozen=True, tag_field="type", tag="ping"):
    pass


Command = Subscribe | Unsubscribe | Ack | Ping
_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Command)


def read_command(data: bytes) -> Command:
    """Raises BadMessage."""
    try:
        command: Command = _decoder.decode(data)
    except (msgspec.MsgspecError, RecursionError) as error:  # thousands of nested arrays end in the latter
        raise BadMessage(str(error)) from error
    return command


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


PONG = '{"type":"pong"}'


def error_text(refusal: Refusal) -> str:
    return _text({"type": "error", "code": refusal.code, "detail": refusal.detail})


def heartbeat_text(positions: Mapping[str, Position]) -> str:
    told = {slug: {"epoch": position.epoch, "offset": position.offset} for slug, position in positions.items()}
    return _text({"type": "heartbeat", "positions": told})


def status_text(live: bool) -> str:
    return _text({"type": "status", "live": live})


def bye_text(code: CloseCode, *, retry_in_ms: int) -> str:
    return _text({"type": "bye", "code": int(code), "retry_in_ms": retry_in_ms})


def _text(message: dict[str, Any]) -> str:
    return msgspec.json.encode(message).decode()
