"""Which font has which character: those of the installed packages first, then those of the system.

A font is asked by its character map, which is read from the file, since Pillow draws an empty box for what is missing and does not say so.
All of it is lazy: a system's fonts are looked at when a character comes that the packages don't have.
"""

import os
import struct
import sys
from bisect import bisect_right
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from PIL import ImageFont

PACKAGES = ("manimgx_fonts", "manimgx_fonts_cjk")  # Noto Sans: 22 scripts and emoji; Chinese, Japanese and Korean
FIRST = "NotoSans["  # whose Latin is used among the scripts of the others
LAST = "NotoEmoji["  # has digits, too
SUFFIXES = {".ttf", ".otf", ".ttc"}
SYSTEM_FONTS = 4_000  # files that are looked at, at the most
MAP_LIMIT = 4 * 1024 * 1024  # bytes of a character map; the largest have one

_UNICODE = ((3, 10), (0, 6), (0, 4), (3, 1), (0, 3))  # platform and encoding of maps that are Unicode's, the fullest first
_OUTLINES = {b"glyf", b"CFF ", b"CFF2"}  # fonts of bitmaps alone have one size


class Unreadable(Exception):
    """No font, or none of a kind that we know."""


class Face:
    """One font file, of which the first font is used."""

    def __init__(self, path: Path) -> None:
        """Raises Unreadable."""
        self.path = path
        self._starts, self._ends = _characters(path)
        self._sized = cache(self._open)

    def has(self, char: str) -> bool:
        place = bisect_right(self._starts, ord(char)) - 1
        return place >= 0 and ord(char) <= self._ends[place]

    def at(self, size: int, weight: int) -> ImageFont.FreeTypeFont:
        return self._sized(size, weight)

    def _open(self, size: int, weight: int) -> ImageFont.FreeTypeFont:
        font = ImageFont.truetype(self.path, size)
        try:
            axes = font.get_variation_axes()
        except OSError:  # one weight is all it has
            return font
        font.set_variation_by_axes([_along(axis, weight) for axis in axes])
        return font


def _along(axis: ImageFont.Axis, weight: int) -> float:
    name = axis["name"] or b""
    wanted = weight if name.lower() == b"weight" else axis["default"] or 0
    return min(max(wanted, axis["minimum"] or 0), axis["maximum"] or wanted)


def face_of(text: str) -> Face | None:
    """The first that has every character of the text."""
    return next((face for face in _faces() if all(face.has(char) for char in text)), None)


@cache
def italic() -> Face | None:
    """For titles and numbers."""
    return next((face for face in map(_read, _packaged()) if face is not None and "-Italic[" in face.path.name), None)


def _faces() -> Iterator[Face]:
    yield from _first()
    for path in _system():
        face = _read(path)
        if face is not None:
            yield face


@cache
def _first() -> tuple[Face, ...]:
    return tuple(face for path in _packaged() if "Italic" not in path.name and (face := _read(path)) is not None)


@cache
def _packaged() -> tuple[Path, ...]:
    found = [path for name in PACKAGES for folder in _folders(name) for path in folder.iterdir() if path.suffix in SUFFIXES]
    return tuple(sorted(found, key=lambda path: (not path.name.startswith(FIRST), path.name.startswith(LAST), path.name)))


def _folders(package: str) -> list[Path]:
    spec = find_spec(package)
    return [Path(folder) for folder in spec.submodule_search_locations or ()] if spec else []


@cache
def _system() -> tuple[Path, ...]:
    """Bold ones first, of families that have many scripts."""
    found: list[Path] = []
    for folder in _system_folders():
        for directory, _, names in os.walk(folder):
            found += (Path(directory, name) for name in names if Path(name).suffix.lower() in SUFFIXES)
    return tuple(sorted(found[:SYSTEM_FONTS], key=_liking))


def _system_folders() -> list[Path]:
    if sys.platform == "darwin":
        return [Path("/System/Library/Fonts"), Path("/Library/Fonts")]
    if sys.platform == "win32":
        return [Path(os.environ.get("WINDIR", r"C:\Windows"), "Fonts")]
    shared = os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    own = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share"
    return [Path(folder, "fonts") for folder in (own, *shared.split(":"))]


def _liking(path: Path) -> tuple[bool, bool, bool, str]:
    name = path.name.lower()
    return ("serif" in name or "mono" in name, "italic" in name or "oblique" in name, "bold" not in name, name)


@cache
def _read(path: Path) -> Face | None:
    try:
        return Face(path)
    except (OSError, struct.error, Unreadable, ValueError):
        return None


# --- The character map -------------------------------------------------------------------------------------------------------


class _Map(NamedTuple):
    starts: list[int]
    ends: list[int]  # the last of each span


def _characters(path: Path) -> _Map:
    """The spans of characters that the file's first font draws, in ascending order."""
    with path.open("rb") as file:
        head = file.read(16)
        start = struct.unpack(">I", head[12:16])[0] if head[:4] == b"ttcf" else 0
        file.seek(start + 4)
        count = struct.unpack(">H", file.read(8)[:2])[0]
        tables = {tag: (offset, length) for tag, _, offset, length in struct.iter_unpack(">4sIII", file.read(16 * count))}
        if not _OUTLINES & tables.keys() or b"cmap" not in tables:
            raise Unreadable
        offset, length = tables[b"cmap"]
        file.seek(offset)
        table = file.read(min(length, MAP_LIMIT))
    return _joined(sorted(_spans(table)))


def _spans(table: bytes) -> list[tuple[int, int]]:
    count = struct.unpack_from(">H", table, 2)[0]
    maps = {(platform, kind): offset for platform, kind, offset in struct.iter_unpack(">HHI", table[4 : 4 + 8 * count])}
    for wanted in _UNICODE:
        if wanted in maps:
            found = table[maps[wanted] :]
            layout = struct.unpack_from(">H", found)[0]
            if layout == 12:
                return _groups(found)
            if layout == 4:
                return _segments(found)
    raise Unreadable


def _groups(table: bytes) -> list[tuple[int, int]]:
    """Format 12: spans of characters with glyphs one after the other."""
    count = struct.unpack_from(">I", table, 12)[0]
    return [(first, last) for first, last, _ in struct.iter_unpack(">III", table[16 : 16 + 12 * count])]


def _segments(table: bytes) -> list[tuple[int, int]]:
    """Format 4: spans whose glyphs are counted up, or listed; 0 is the empty box."""
    twice = struct.unpack_from(">H", table, 6)[0]
    ends, starts, deltas, offsets = (
        struct.unpack_from(f">{twice // 2}H", table, at) for at in (14, 16 + twice, 16 + 2 * twice, 16 + 3 * twice)
    )
    found: list[tuple[int, int]] = []
    for number, (first, last, delta, offset) in enumerate(zip(starts, ends, deltas, offsets, strict=True)):
        if not offset:
            found += [(char, char) for char in range(first, last + 1) if (char + delta) & 0xFFFF]
            continue
        at = 16 + 3 * twice + 2 * number + offset
        glyphs = struct.unpack_from(f">{last - first + 1}H", table, at)
        found += [(char, char) for char, glyph in enumerate(glyphs, first) if glyph]
    return [span for span in found if span[0] != 0xFFFF]


def _joined(spans: list[tuple[int, int]]) -> _Map:
    joined = _Map([], [])
    for first, last in spans:
        if joined.ends and first <= joined.ends[-1] + 1:
            joined.ends[-1] = max(joined.ends[-1], last)
        else:
            joined.starts.append(first)
            joined.ends.append(last)
    return joined
