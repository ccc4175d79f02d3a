"""What text from outside may hold: names, modes, metadata, keys.

Nothing is repaired except the normal form of a name: what is not fit is refused, with a sentence that says why.

Names. A player's name is its identity and is shown to others, so two names that look the same should be the same and no name
may disturb the text around it. It is NFC, and holds none of: control and format characters (bidi marks, zero-width and soft
hyphens), line breaks, invisible letters (Hangul fillers, variation selectors), lone surrogates, private or unassigned code
points, or spaces other than U+0020 and the ideographic U+3000. Emoji are welcome. Inside an emoji the two invisible characters
that it is made with are allowed: U+FE0F after a symbol, U+200D between two. Look-alikes of different scripts are not detected.
"""

import json
import math
import re
from collections.abc import Iterator
from itertools import accumulate, pairwise
from typing import Any
from unicodedata import category, normalize

from leaderboard.domain.errors import InvalidBody, InvalidIdempotencyKey, InvalidMetadata, InvalidPlayer
from leaderboard.domain.score import SCORE_LIMIT

NAME_LENGTH = 150  # characters; Django's usernames hold as many
GAME_MODE_LENGTH = 64
KEY_LENGTH = 255
METADATA_BYTES = 2048
METADATA_DEPTH = 8
BODY_DEPTH = 64  # far below the depth at which parsers run out of stack

_GAME_MODE = re.compile(r"[A-Za-z0-9_.:-]{0,64}")
_ESCAPE = re.compile(rb"\\.", re.DOTALL)
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_NO_BRACKETS = bytes(set(range(256)) - set(_STEPS))

_JOINER, _EMOJI_STYLE, _BLANK_BRAILLE = "\u200d", "\ufe0f", "\u2800"
_FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Invisible though they are letters, marks or symbols: Unicode's Default_Ignorable_Code_Point outside those categories, and blank Braille.
_INVISIBLE = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
_SPACES = " \u3000"

_dump = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def clean_name(text: str, *, what: str, limit: int = NAME_LENGTH) -> str:
    """The name in NFC. `what` says in the refusal which name it is. Raises InvalidPlayer."""
    # Nearly every name is plain ASCII and is settled here; what is all dots goes on to be looked at.
    if len(text) <= limit and text.isascii() and text.isprintable() and text.strip(" ") == text and text.strip("."):
        return text
    name = normal_form(text, limit)
    if fault := name_fault(name, limit=limit):
        raise InvalidPlayer(f"The {what} {fault}.", errors=[{"field": what, "detail": f"The {what} {fault}."}])
    return name


def name_fault(name: str, *, limit: int) -> str | None:
    """What keeps a text from being a name, as the end of a sentence; None if nothing does."""
    if not name:
        return "is empty"
    if len(name) > limit:
        return f"is longer than {limit} characters"
    if name[0].isspace() or name[-1].isspace():
        return "begins or ends with white space"
    if name in (".", ".."):
        return "can't stand in a URL"
    if category(name[0]).startswith("M"):
        return "begins with a mark that would join the character before it"
    around = ["", *name, ""]
    for before, char, behind in zip(around, name, around[2:], strict=False):
        if not _is_fit(before, char, behind):
            return f"holds U+{ord(char):04X}, which is invisible or no character of a name"
    return None


def check_game_mode(text: str) -> str:
    """Blank, or up to 64 letters, digits and `_ . : -`. Raises InvalidBody."""
    if not _GAME_MODE.fullmatch(text):
        detail = f"A game mode has at most {GAME_MODE_LENGTH} characters, each a letter from A to Z, a digit or one of _ . : -"
        raise InvalidBody(detail, errors=[{"field": "game_mode", "detail": detail}])
    return text


def check_idempotency_key(text: str) -> str:
    """Raises InvalidIdempotencyKey."""
    if not (0 < len(text) <= KEY_LENGTH and text.isascii() and text.isprintable()):
        raise InvalidIdempotencyKey(f"An Idempotency-Key has 1 to {KEY_LENGTH} characters of printable ASCII.")
    return text


def encode_metadata(value: dict[str, Any] | None, *, limit_bytes: int = METADATA_BYTES) -> str:
    """The metadata as compact JSON text that every database and every client reads alike. Raises InvalidMetadata.

    Integers stay within +-SCORE_LIMIT, since JavaScript would read others as a different number.
    """
    if not value and (value is None or isinstance(value, dict)):
        return "{}"
    fault = _json_fault(value, METADATA_DEPTH) if isinstance(value, dict) else "is not a JSON object"
    if fault is None:
        text = _dump(value)
        if len(text) <= limit_bytes and (text.isascii() or len(text.encode()) <= limit_bytes):
            return text
        fault = f"takes more than {limit_bytes} bytes"
    raise InvalidMetadata(f"The metadata {fault}.", errors=[{"field": "metadata", "detail": f"The metadata {fault}."}])


def find_duplicate_key(body: bytes) -> str | None:
    """A key that a JSON object in the body holds twice, fit to be shown; None if there is none.

    Parsers differ on which of the two counts, so such a body says two things. A body that passes is also at most BODY_DEPTH levels
    deep: no parser runs out of stack on it. Raises InvalidBody if it is deeper, or if it could not be read. Of a body that is not
    JSON nothing more is said; the parser will.
    """
    if body.count(b"[") + body.count(b"{") > BODY_DEPTH and _is_deep(body):
        raise InvalidBody(f"The body is nested more than {BODY_DEPTH} levels deep.")
    if b"\\" not in body:
        # Without escapes every quote begins or ends a string, and equal keys are equal bytes: if all strings differ, so do all keys.
        strings = body.split(b'"')[1::2]
        if len(set(strings)) == len(strings):
            return None
    try:
        json.loads(body.decode(), object_pairs_hook=_distinct)
    except _DuplicateKeyError as found:
        return found.key[:64].encode(errors="replace").decode()
    except ValueError as error:  # not UTF-8, not JSON, or an integer of thousands of digits
        raise InvalidBody("The body is not JSON in UTF-8.") from error
    return None


class _DuplicateKeyError(Exception):
    def __init__(self, key: str) -> None:
        self.key = key


def _distinct(pairs: list[tuple[str, Any]]) -> None:
    if len(pairs) > 1 and len(dict(pairs)) < len(pairs):
        keys = sorted(key for key, _ in pairs)
        raise _DuplicateKeyError(next(key for key, after in pairwise(keys) if key == after))


def _is_deep(body: bytes) -> bool:
    """Whether brackets nest more than BODY_DEPTH levels. Exact up to the first thing that is not JSON, where parsers stop."""
    brackets = b"".join(_ESCAPE.sub(b"", body).split(b'"')[::2]).translate(None, _NO_BRACKETS)
    return any(level > BODY_DEPTH for level in accumulate(map(_STEPS.__getitem__, brackets)))


def normal_form(text: str, limit: int = NAME_LENGTH) -> str:
    """NFC, unless the text is too long for any normal form: sorting a long run of marks takes quadratic time."""
    return normalize("NFC", text) if len(text) <= 4 * limit else text


def _is_fit(before: str, char: str, behind: str) -> bool:
    if char.isascii():
        return char.isprintable()
    if char == _EMOJI_STYLE:
        return _is_symbol(before)
    if char == _JOINER:
        return (_is_symbol(before) or before == _EMOJI_STYLE or _is_skin_tone(before)) and _is_symbol(behind)
    if category(char) == "Zs":
        return char in _SPACES
    return _is_symbol(char) or not (category(char) in _FORBIDDEN_CATEGORIES or _INVISIBLE.match(char))


def _is_symbol(char: str) -> bool:
    """An emoji or the like. Pictographs count before this Python's Unicode tables know them: each year brings new ones."""
    if char in ("", _BLANK_BRAILLE):
        return False
    return category(char) == "So" or ("\U0001f300" <= char <= "\U0001faff" and category(char) == "Cn")


def _is_skin_tone(char: str) -> bool:
    return "\U0001f3fb" <= char <= "\U0001f3ff"


def _json_fault(value: Any, levels: int) -> str | None:
    """What keeps a value from being stored as JSON, as the end of a sentence."""
    if isinstance(value, str):
        return _string_fault(value)
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, int):
        return None if -SCORE_LIMIT <= value <= SCORE_LIMIT else "holds an integer beyond +-(2^53-1); send it as a string"
    if isinstance(value, float):
        return None if math.isfinite(value) else "holds a number that is not finite"
    if not isinstance(value, dict | list):
        return f"holds a {type(value).__name__}, which is no JSON"
    if levels == 0:
        return f"is nested more than {METADATA_DEPTH} levels deep"
    if isinstance(value, dict) and not all(isinstance(key, str) for key in value):
        return "holds a key that is no string"
    return next((fault for part in _parts(value) if (fault := _json_fault(part, levels - 1))), None)


def _parts(value: dict[str, Any] | list[Any]) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value
        yield from value.values()
    else:
        yield from value


def _string_fault(text: str) -> str | None:
    if "\0" in text:
        return "holds a NUL character"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "holds half a surrogate pair"
    return None
