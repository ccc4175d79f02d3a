"""Every refusal of the domain: a class, a stable code, and the data that explains it.

The edges (REST, WebSocket) turn a refusal into a status or a close code in one table each; see
`leaderboard.api.problems` and `realtime.protocol`. A code never changes once released.
"""

from typing import ClassVar


class Refusal(Exception):
    """Something asked for that will not be done. `code` is stable; `detail` is for people."""

    code: ClassVar[str] = "refused"
    title: ClassVar[str] = "Refused"

    def __init__(self, detail: str = "", *, errors: list[dict[str, str]] | None = None) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.errors = errors or []


class InvalidBody(Refusal):
    code, title = "invalid_body", "The body is not what this route takes"


class InvalidParameter(Refusal):
    code, title = "invalid_parameter", "A query parameter is out of range or malformed"


class InvalidPlayer(Refusal):
    code, title = "invalid_player", "Not a usable player name"


class InvalidMetadata(Refusal):
    code, title = "invalid_metadata", "The metadata is too large, too deep or not storable"


class InvalidIdempotencyKey(Refusal):
    code, title = "invalid_idempotency_key", "The Idempotency-Key is empty, too long or not printable ASCII"


class BodyTooLarge(Refusal):
    code, title = "body_too_large", "The body is larger than this route takes"


class TargetTooLong(Refusal):
    code, title = "target_too_long", "The path and query are longer than any of ours"


class HeadersTooLarge(Refusal):
    code, title = "headers_too_large", "The request has too many headers, or too long ones"


class RequestTimeout(Refusal):
    """The request did not come in whole in time. Nothing was stored."""

    code, title = "request_timeout", "The request took too long to come in"


class UnsupportedMediaType(Refusal):
    code, title = "unsupported_media_type", "The body must be application/json"


class NotAcceptable(Refusal):
    code, title = "not_acceptable", "No such version or media type"


class NotAuthenticated(Refusal):
    code, title = "not_authenticated", "A valid credential is needed"


class SignatureInvalid(Refusal):
    code, title = "signature_invalid", "The request's signature is not right"


class SignatureRequired(Refusal):
    code, title = "signature_required", "Only a signed request may do that"


class NonceReused(Refusal):
    code, title = "nonce_reused", "This nonce came with a signed request before"


class InvalidCredentials(Refusal):
    """One for all that can be wrong with a sign-in: which names exist, and who was shut out, is nobody's business."""

    code, title = "invalid_credentials", "The name, password, device or refresh token is of no use"


class TooManyAttempts(Refusal):
    code, title = "too_many_attempts", "Too many failed logins; try again later"


class WeakPassword(Refusal):
    code, title = "weak_password", "The password is too easy to guess"


class NameTaken(Refusal):
    code, title = "name_taken", "There is a player of that name"


class Forbidden(Refusal):
    code, title = "forbidden", "This credential may not do that"


class CsrfFailed(Refusal):
    code, title = "csrf_failed", "The CSRF token is missing or wrong"


class NotFound(Refusal):
    code, title = "not_found", "No such resource"


class VersionNotFound(Refusal):
    code, title = "version_not_found", "The API has no such version"


class LeaderboardNotFound(Refusal):
    code, title = "leaderboard_not_found", "No such leaderboard"


class SeasonNotFound(Refusal):
    code, title = "season_not_found", "The leaderboard has no such season"


class NotRanked(Refusal):
    code, title = "not_ranked", "The player has no entry on this leaderboard"


class MethodNotAllowed(Refusal):
    code, title = "method_not_allowed", "The route does not take this method"


class PlayerRequired(Refusal):
    code, title = "player_required", "An API key must say for which player it submits"


class PlayerNotAllowed(Refusal):
    code, title = "player_not_allowed", "Only an API key may name the player"


class AuthoritativeBoard(Refusal):
    code, title = "authoritative_board", "Only an API key may write to this leaderboard"


class GameModeMismatch(Refusal):
    code, title = "game_mode_mismatch", "The leaderboard is for another game mode"


class ScoreOutOfRange(Refusal):
    code, title = "score_out_of_range", "The score is outside the leaderboard's bounds"


class TotalOutOfRange(Refusal):
    code, title = "total_out_of_range", "The sum would leave the range of exact integers"


class IdempotencyKeyReused(Refusal):
    code, title = "idempotency_key_reused", "This Idempotency-Key came with another body before"


class InvalidDefinition(Refusal):
    code, title = "invalid_definition", "The leaderboard's definition contradicts itself"


class Overloaded(Refusal):
    """A bounded queue is full. Nothing was stored; retry with the same Idempotency-Key."""

    code, title = "overloaded", "Too much is waiting; try again shortly"


class StoreUnavailable(Refusal):
    """SQL did not answer in time. The outcome of a write is unknown: retry with the same Idempotency-Key."""

    code, title = "store_unavailable", "The database is not available; try again shortly"


class SlugTaken(Refusal):
    code, title = "slug_taken", "There is a leaderboard of that slug already"


class RerankingUnderWay(Refusal):
    code, title = "reranking_under_way", "The leaderboard is being re-ranked; wait until that is done"


class TooLargeForDryRun(Refusal):
    code, title = "too_large_for_dry_run", "There are more sessions than a dry run reads"


class RateLimited(Refusal):
    """Too often. Nothing was stored; the same may be sent again after `retry_after_s`."""

    code, title = "rate_limited", "Too many requests"

    def __init__(self, detail: str = "", *, retry_after_s: int = 1) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class InternalError(Refusal):
    code, title = "internal_error", "Something broke on our side"


# What follows is said over WebSocket only.


class BadMessage(Refusal):
    code, title = "bad_message", "Not a message that this socket understands"


class TooSlow(Refusal):
    code, title = "too_slow", "The client does not keep up with the board"


class OriginNotAllowed(Refusal):
    code, title = "origin_not_allowed", "A page of this origin may not do that here"


class TooMany(Refusal):
    code, title = "too_many", "Too many subscriptions or messages"
