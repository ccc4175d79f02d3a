"""Request bodies: what is read, how much of it, and in which shape."""

from typing import Any

import msgspec

from leaderboard.api.request import ApiRequest
from leaderboard.domain.errors import InvalidBody, UnsupportedMediaType
from leaderboard.domain.text import find_duplicate_key
from leaderboard.services.checking import Asked
from leaderboard.services.tokens import TICKET_S


class BatchBody(msgspec.Struct, forbid_unknown_fields=True):
    """POST /scores/batch/. Items are decoded one by one, so that a bad one does not spoil the others."""

    scores: list[msgspec.Raw]


class TicketBody(msgspec.Struct, forbid_unknown_fields=True):
    """POST /tickets/."""

    leaderboards: list[str] | None = None
    expires_in: int = TICKET_S


_score = msgspec.json.Decoder(Asked)
_batch = msgspec.json.Decoder(BatchBody)
_ticket = msgspec.json.Decoder(TicketBody)


def read_score(request: ApiRequest) -> Asked:
    """Raises InvalidBody or UnsupportedMediaType."""
    return decode_score(_checked(request))


def read_batch(request: ApiRequest) -> list[msgspec.Raw]:
    body: BatchBody = _decode(_batch, _checked(request))
    return body.scores


def read_ticket(request: ApiRequest) -> TicketBody:
    body: TicketBody = read_json(request, _ticket)
    return body


def read_json(request: ApiRequest, decoder: Any) -> Any:
    """What the decoder makes of the body. Raises InvalidBody or UnsupportedMediaType."""
    return _decode(decoder, _checked(request))


def decode_score(raw: bytes | msgspec.Raw) -> Asked:
    decoded: Asked = _decode(_score, raw)
    return decoded


def _checked(request: ApiRequest) -> bytes:
    media_type = request.headers.get(b"content-type", b"")
    if media_type != b"application/json" and media_type.partition(b";")[0].strip().lower() != b"application/json":
        raise UnsupportedMediaType(f"Send application/json, not {media_type.decode('latin-1')!r}.")
    return checked_json(request.body)


def checked_json(body: bytes) -> bytes:
    """The body, if no object in it has a key twice. Raises InvalidBody."""
    duplicate = find_duplicate_key(body)
    if duplicate is not None:
        raise InvalidBody(f"The key {duplicate!r} is in an object twice.")
    return body


def _decode(decoder: Any, raw: bytes | msgspec.Raw) -> Any:
    try:
        return decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise InvalidBody(str(error) if isinstance(error, msgspec.MsgspecError) else "The body is not valid JSON.") from None
