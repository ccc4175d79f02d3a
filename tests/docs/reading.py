"""The documents as tests read them: blocks of code, rows of tables, and whether an answer is the one that is shown."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
API = ROOT / "docs" / "api.md"
OPERATIONS = ROOT / "docs" / "operations.md"
PROTOCOL = ROOT / "docs" / "protocol.md"

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z")
_MADE_PLAYER = re.compile(r"player-[0-9a-f]{12}")
_VARYING = {
    "since",
    "until",
    "points",
    "session_id",
    "timestamp",
    "achieved_at",
    "epoch",
    "offset",
    "request_id",
    "season",
    "season_ends",
    "ms",
    "as_of",
    "next",
    "prev",
    "ticket",
    "created_at",
    "actor",
    "access_token",
    "refresh_token",
}


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, its text, and the line on which it begins."""

    language: str
    text: str
    line: int


def blocks(document: Path, *languages: str) -> list[Block]:
    """The blocks of these languages, in order."""
    text = document.read_text()
    found = [Block(match[1], match[2], text.count("\n", 0, match.start()) + 1) for match in _BLOCK.finditer(text)]
    return [block for block in found if block.language in languages]


def pairs(found: Sequence[Block]) -> list[tuple[Block, Block]]:
    """Each request with the answer that is shown below it."""
    assert found
    assert len(found) % 2 == 0, "every request is followed by its answer"
    return list(zip(found[::2], found[1::2], strict=True))


def table(document: Path, first_heading: str) -> dict[str, list[str]]:
    """A table by its first column, without backticks: the other cells of each row."""
    _, _, rest = document.read_text().partition(f"\n| {first_heading} |")
    assert rest, f"{document.name} has no table with the column {first_heading!r}"
    rows = [line for line in rest.split("\n\n", 1)[0].splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]
    assert len({row[0] for row in cells}) == len(cells), "a row is there twice"
    return {row[0].strip("`"): row[1:] for row in cells}


def difference(shown: Any, answered: Any, at: str = "answer") -> str | None:
    """Where an answer is not the one that is shown, None if it is. Of what varies from run to run only the kind is compared."""
    if isinstance(shown, dict) and isinstance(answered, dict):
        if shown.keys() != answered.keys():
            return f"{at} has the keys {sorted(answered)}, not {sorted(shown)}"
        varying = _VARYING | ({"done", "total"} if "state" in shown else set())  # of a re-ranking: how many sessions there are by then
        found = (_member_difference(key, shown[key], answered[key], at, varying) for key in shown)
        return next(filter(None, found), None)
    if isinstance(shown, list) and isinstance(answered, list):
        if len(shown) != len(answered):
            return f"{at} has {len(answered)} items, not {len(shown)}"
        found = (difference(one, other, f"{at}[{index}]") for index, (one, other) in enumerate(zip(shown, answered, strict=True)))
        return next(filter(None, found), None)
    return None if shown == answered and type(shown) is type(answered) else f"{at} is {json.dumps(answered)}, not {json.dumps(shown)}"


def _member_difference(key: str, shown: Any, answered: Any, at: str, varying: set[str]) -> str | None:
    if key not in varying and _kind(shown) != "a player of a device":
        return difference(shown, answered, f"{at}.{key}")
    alike = _kind(shown) == _kind(answered)
    return None if alike else f"{at}.{key} is {json.dumps(answered)}, which is of another kind than {json.dumps(shown)}"


def _kind(value: Any) -> str:
    if isinstance(value, str) and (moment := _MOMENT.fullmatch(value)):
        return "a time in milliseconds" if moment[1] else "a time in seconds"
    if isinstance(value, str) and _MADE_PLAYER.fullmatch(value):
        return "a player of a device"
    if value in ("all-time", None):
        return str(value)
    return "a number" if isinstance(value, float) else type(value).__name__
