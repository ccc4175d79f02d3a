"""Text as it is seen: which font draws which part, and which part stands where if some of it runs from right to left.

The order is Unicode's bidirectional one, less what a name can't hold: there are no marks and no embeddings in names, see domain/text.py.
"""

from collections.abc import Iterator
from itertools import groupby, pairwise
from typing import NamedTuple
from unicodedata import bidirectional, category

from realtime.cards.fonts import Face, face_of

_JOINER = "\u200d"
_IGNORABLE = frozenset("\u200d\ufe0e\ufe0f")  # they choose the look of what is before them, and have no glyph
_STRONG = {"L": 0, "R": 1, "AL": 1}


class Cluster(NamedTuple):
    """What is one character to who reads it."""

    text: str
    face: Face


class Run(NamedTuple):
    """A part that is drawn at once."""

    text: str
    face: Face
    is_rtl: bool


def clusters(text: str) -> list[Cluster] | None:
    """None if there is a character that no font has."""
    found: list[Cluster] = []
    script: Face | None = None  # of the letters before; what other characters stand among them is drawn at once with them
    for part in _parts(text):
        wanted = "".join(char for char in part if char not in _IGNORABLE)
        kind = category(part[0])[0]
        face = script if script is not None and kind not in "LS" and all(map(script.has, wanted)) else face_of(wanted)
        if face is None:
            return None
        if kind == "L":
            script = face
        found.append(Cluster(part, face))
    return found


def runs(parts: list[Cluster]) -> list[Run]:
    """From left to right."""
    levels = _levels([part.text for part in parts])
    found = [
        (level, Run("".join(part.text for _, part in group), face, is_rtl=level % 2 == 1))
        for (level, face), group in groupby(zip(levels, parts, strict=True), key=lambda pair: (pair[0], pair[1].face))
    ]
    for turned in range(max(levels, default=0), 0, -1):
        found = list(_turned(found, turned))
    return [run for _, run in found]


def _turned(found: list[tuple[int, Run]], level: int) -> Iterator[tuple[int, Run]]:
    for is_deep, group in groupby(found, key=lambda pair: pair[0] >= level):
        there = list(group)
        yield from reversed(there) if is_deep else there


def _levels(parts: list[str]) -> list[int]:
    """Even: from left to right; a level stands within those below it."""
    kinds = [bidirectional(part[0]) for part in parts]
    base = next((_STRONG[kind] for kind in kinds if kind in _STRONG), 0)
    directions = _resolved(kinds, base)
    return [_level(kind, direction, base) for kind, direction in zip(kinds, directions, strict=True)]


def _level(kind: str, direction: int, base: int) -> int:
    if kind in ("EN", "AN") and (direction or base):
        return 2  # a number runs from left to right whatever is around it
    return direction if base == 0 or direction else 2


def _resolved(kinds: list[str], base: int) -> list[int]:
    """The direction of each: its own, a number that of what is before it, others that of both neighbours if they agree."""
    before, last = [], base
    for kind in kinds:
        last = _STRONG.get(kind, last)
        before.append(last)
    behind, last = [], base
    for kind in reversed(kinds):
        last = _STRONG.get(kind, last)
        behind.append(last)
    both = zip(kinds, before, reversed(behind), strict=True)
    return [one if kind in ("EN", "AN") or one == other else base for kind, one, other in both]


def _parts(text: str) -> list[str]:
    """Split where a reader would: marks and skin tones stay with what they belong to, flags and joined emoji together."""
    parts: list[str] = []
    for before, char in pairwise("\0" + text):
        if parts and (_continues(char) or before == _JOINER or (_is_regional(char) and _is_half_a_flag(parts[-1]))):
            parts[-1] += char
        else:
            parts.append(char)
    return parts


def _continues(char: str) -> bool:
    return char in _IGNORABLE or category(char)[0] == "M" or "\U0001f3fb" <= char <= "\U0001f3ff"


def _is_regional(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _is_half_a_flag(part: str) -> bool:
    return len(part) == 1 and _is_regional(part)
