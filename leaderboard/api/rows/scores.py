"""Submitting, and the tickets by which others may."""

from leaderboard.api import bodies, shapes
from leaderboard.api.rows.parts import KEY, PLAYER, V1, WRITER, WRITTEN, Json, Operation, header
from leaderboard.domain import errors

_SUBMIT: Json = {"player": "ada", "name": "Ada", "score": 1200, "subscore": 95, "metadata": {"level": 7}}
_HEADERS = (
    header(
        "Idempotency-Key",
        "A name for this submit: sent again it counts once and gets its first answer; of a batch at most 250 characters",
        minLength=1,
        maxLength=255,
    ),
    header("X-Timestamp", "Of a signed submit: when it was signed, whole seconds since 1970"),
    header("X-Nonce", "Of a signed submit: 16 to 64 letters, digits, `_` and `-`, never used before with this key"),
    header("X-Signature", "Of a signed submit: HMAC-SHA256 under the signing secret in lower-case hex", pattern="^[0-9a-f]{64}$"),
)
_SENT = (
    *WRITTEN, errors.InvalidIdempotencyKey, errors.SignatureInvalid, errors.SignatureRequired, errors.NonceReused,
)  # fmt: skip
_SUBMITTED = (
    *_SENT, errors.InvalidPlayer, errors.InvalidMetadata, errors.PlayerRequired, errors.PlayerNotAllowed, errors.AuthoritativeBoard,
    errors.LeaderboardNotFound, errors.GameModeMismatch, errors.ScoreOutOfRange, errors.TotalOutOfRange, errors.IdempotencyKeyReused,
)  # fmt: skip

OPERATIONS: dict[str, Operation] = {
    f"POST {V1}scores/": Operation(
        "submit_score", "Submit a score; answers ranks", {201: shapes.Submitted}, _SUBMITTED, WRITER, shapes.Submit, _SUBMIT, _HEADERS,
    ),
    f"POST {V1}scores/batch/": Operation(
        "submit_scores", "Submit up to 1000 scores", {200: shapes.BatchDone}, _SENT, WRITER, shapes.Batch, {"scores": [_SUBMIT]}, _HEADERS,
    ),
    f"POST {V1}tickets/": Operation(
        "make_ticket", "Make a ticket: a short-lived right to read, to give to others", {201: shapes.TicketMade},
        (*WRITTEN, errors.LeaderboardNotFound), (*KEY, *PLAYER), bodies.TicketBody, {"leaderboards": ["global"], "expires_in": 3600},
    ),
}  # fmt: skip
