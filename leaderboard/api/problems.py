"""Refusals as RFC 9457 problem documents: the one table from code to status."""

from typing import Any

import msgspec
from django.conf import settings

from leaderboard.api.request import Answer, Header
from leaderboard.domain import errors
from leaderboard.domain.errors import Refusal

STATUS: dict[type[Refusal], int] = {
    errors.InvalidBody: 400,
    errors.InvalidParameter: 400,
    errors.InvalidPlayer: 400,
    errors.InvalidMetadata: 400,
    errors.InvalidIdempotencyKey: 400,
    errors.PlayerRequired: 400,
    errors.WeakPassword: 400,
    errors.NotAuthenticated: 401,
    errors.SignatureInvalid: 401,
    errors.InvalidCredentials: 401,
    errors.Forbidden: 403,
    errors.SignatureRequired: 403,
    errors.CsrfFailed: 403,
    errors.OriginNotAllowed: 403,
    errors.PlayerNotAllowed: 403,
    errors.AuthoritativeBoard: 403,
    errors.NotFound: 404,
    errors.VersionNotFound: 404,
    errors.LeaderboardNotFound: 404,
    errors.SeasonNotFound: 404,
    errors.NotRanked: 404,
    errors.MethodNotAllowed: 405,
    errors.NotAcceptable: 406,
    errors.RequestTimeout: 408,
    errors.NonceReused: 409,
    errors.NameTaken: 409,
    errors.SlugTaken: 409,
    errors.RerankingUnderWay: 409,
    errors.BodyTooLarge: 413,
    errors.TargetTooLong: 414,
    errors.UnsupportedMediaType: 415,
    errors.GameModeMismatch: 422,
    errors.ScoreOutOfRange: 422,
    errors.TotalOutOfRange: 422,
    errors.IdempotencyKeyReused: 422,
    errors.InvalidDefinition: 422,
    errors.TooLargeForDryRun: 422,
    errors.RateLimited: 429,
    errors.HeadersTooLarge: 431,
    errors.TooManyAttempts: 429,
    errors.InternalError: 500,
    errors.Overloaded: 503,
    errors.StoreUnavailable: 503,
}
RETRY_AFTER_S = {
    errors.Overloaded: 1,
    errors.StoreUnavailable: 2,
    errors.RateLimited: 1,  # says itself how long
    errors.TooManyAttempts: settings.LOGIN_COOLOFF_S,
}

MEDIA_TYPE = "application/problem+json"


def document(refusal: Refusal, request_id: str) -> dict[str, Any]:
    """The problem document as a dict; also an item of a batch's answer."""
    problem: dict[str, Any] = {
        "type": f"urn:gaming-leaderboard:problem:{refusal.code}",
        "title": refusal.title,
        "status": STATUS[type(refusal)],
        "code": refusal.code,
        "detail": refusal.detail,
        "request_id": request_id,
    }
    if refusal.errors:
        problem["errors"] = refusal.errors
    return problem


def answer(refusal: Refusal, request_id: str) -> Answer:
    """The answer to a refused request."""
    headers: tuple[Header, ...] = ((b"content-type", MEDIA_TYPE.encode()),)
    if type(refusal) in RETRY_AFTER_S:
        headers += ((b"retry-after", b"%d" % getattr(refusal, "retry_after_s", RETRY_AFTER_S[type(refusal)])),)
    if STATUS[type(refusal)] == 401:
        headers += ((b"www-authenticate", b"Api-Key, Bearer, Ticket"),)
    return Answer(STATUS[type(refusal)], msgspec.json.encode(document(refusal, request_id)), headers)
