"""Request bodies: what is read, how much of it, and in which shape."""

from typing import Any

import msgspec
from django.http import HttpRequest

from leaderboard.domain.errors import InvalidBody, UnsupportedMediaType
from leaderboard.domain.text import find_duplicate_key
from leaderboard.services.checking import Asked


class ScoreBody(msgspec.Struct, forbid_unknown_fields=True):
    """POST /scores/. Integers only: 1.0, "1" and true are refused, as is any field not listed."""

    score: int
    subscore: int = 0
    game_mode: str = ""
    player: str | None = None
    name: str | None = None  # to show; used when the player is seen first
    metadata: dict[str, Any] | None = None
    leaderboards: list[str] | None = None

    def asked(self, idempotency_key: str | None) -> Asked:
        return Asked(
            score=self.score,
            subscore=self.subscore,
            game_mode=self.game_mode,
            player=self.player,
            name=self.name,
            metadata=self.metadata,
            leaderboards=self.leaderboards,
            idempotency_key=idempotency_key,
        )


class BatchBody(msgspec.Struct, forbid_unknown_fields=True):
    """POST /scores/batch/. Items are decoded one by one, so that a bad one does not spoil the others."""

    scores: list[msgspec.Raw]


_score = msgspec.json.Decoder(ScoreBody)
_batch = msgspec.json.Decoder(BatchBody)


def read_score(request: HttpRequest) -> ScoreBody:
    """Raises InvalidBody or UnsupportedMediaType."""
    return decode_score(_checked(request))


def read_batch(request: HttpRequest) -> list[msgspec.Raw]:
    body: BatchBody = _decode(_batch, _checked(request))
    return body.scores


def decode_score(raw: bytes | msgspec.Raw) -> ScoreBody:
    decoded: ScoreBody = _decode(_score, raw)
    return decoded


def _checked(request: HttpRequest) -> bytes:
    if request.content_type != "application/json":
        raise UnsupportedMediaType(f"Send application/json, not {request.content_type!r}.")
    body: bytes = request.body
    duplicate = find_duplicate_key(body)
    if duplicate is not None:
        raise InvalidBody(f"The key {duplicate!r} is in an object twice.")
    return body


def _decode(decoder: Any, raw: bytes | msgspec.Raw) -> Any:
    try:
        return decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise InvalidBody(str(error) if isinstance(error, msgspec.MsgspecError) else "The body is not valid JSON.") from None
