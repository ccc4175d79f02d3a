"""The versions of the REST interface: which one a request asks for, and what is said of one that goes away."""

import re
from datetime import datetime
from email.utils import format_datetime

from leaderboard.api.request import ApiRequest, Header
from leaderboard.domain.errors import NotAcceptable, NotFound, Refusal, VersionNotFound

VERSIONS = ("1", "2")
DEFAULT = "1"  # who names no version under /api/ gets what they got before there was another
UNVERSIONED = ("/api/schema/", "/api/docs/", "/api/asyncapi.json")

_MEDIA_TYPE = "application/vnd.api+json"
_IN_PATH = re.compile(r"/api/v([0-9][^/]*)")
_THERE_IS = f"there is {', '.join(VERSIONS)}."


def asked(accept: str) -> str:
    """The version that an Accept header chooses: of those that are there, the one it likes best. Raises NotAcceptable.

    Other media types choose nothing, and neither does what can't be read: answers are JSON whatever a client prefers.
    """
    named = [(quality, version) for quality, version in map(_named, accept.split(",")) if version is not None and quality > 0]
    if not named:
        return DEFAULT
    there_are = [(quality, version) for quality, version in named if version in VERSIONS]
    if not there_are:
        raise NotAcceptable(f"There is no version {named[0][1]!r}; {_THERE_IS}")
    return max(there_are, key=lambda item: item[0])[1]  # the first of equals


def _named(part: str) -> tuple[float, str | None]:
    """The quality and the version of one media range; None for the version if it is not ours."""
    media_type, *rest = part.split(";")
    if media_type.strip().lower() != _MEDIA_TYPE:
        return 1.0, None
    parameters = {name.strip().lower(): value.strip().strip('"') for name, _, value in (item.partition("=") for item in rest)}
    return _quality(parameters.get("q", "1")), parameters.get("version", DEFAULT)


def _quality(text: str) -> float:
    return float(text) if re.fullmatch(r"[01](\.[0-9]{0,3})?", text) else 1.0


def nothing_at(path: str) -> Refusal:
    """What a path that leads nowhere is refused with."""
    named = _IN_PATH.match(path)
    if named is not None and named[1] not in VERSIONS:
        return VersionNotFound(f"There is no version {named[1]!r}; {_THERE_IS}")
    hint = "" if path.endswith("/") else " Paths end in a slash."
    return NotFound(f"There is nothing at {path!r}.{hint}")


# --- The end of version 1 -------------------------------------------------------------------------------------------------


def end_of_life(deprecated_at: datetime | None, sunset_at: datetime | None) -> tuple[Header, ...]:
    """The headers of RFC 9745 and RFC 8594."""
    headers: tuple[Header, ...] = ()
    if deprecated_at is not None:
        headers += ((b"deprecation", b"@%d" % deprecated_at.timestamp()),)
    if sunset_at is not None:
        headers += ((b"sunset", format_datetime(sunset_at, usegmt=True).encode()),)
    return headers


def is_version_1(request: ApiRequest) -> bool:
    """Whether an answer is one of version 1."""
    if not request.path.startswith("/api/") or request.path.startswith(UNVERSIONED):
        return False
    if _IN_PATH.match(request.path):
        return request.path.startswith("/api/v1/")
    try:
        return asked(request.header(b"accept") or "") == "1"
    except NotAcceptable:
        return False
