"""What a watcher asks for when it subscribes: by a command, or by the query of an address. One reading for every wire."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from leaderboard.domain.errors import InvalidParameter
from leaderboard.domain.text import NAME_LENGTH, normal_form
from leaderboard.feed import Position
from realtime.protocol import DEFAULT_TOP, Subscribe, size_of, size_of_text

AROUND_MAX = 10  # rows on either side


@dataclass(frozen=True, slots=True)
class Wanted:
    """`top` is a watched size. `around` rows on either side of `player`, or of the player whose credential it is (`own`).

    Either of the two is given exactly if `around` is.
    """

    top: int = DEFAULT_TOP
    since: Position | None = None  # the last position of one who comes back
    pulse: bool = False
    around: int | None = None
    player: str | None = None
    own: bool = False


def wanted_of(command: Subscribe) -> Wanted:
    """Raises InvalidParameter."""
    since = Position(command.since.epoch, command.since.offset) if command.since else None
    viewport = _viewport(command.around, command.player, _truth("own", command.own))
    return Wanted(size_of(command.top), since, _truth("pulse", command.pulse), *viewport)


def wanted_in(query: str) -> Wanted:
    """The same in an address, percent-encoded, where everything is text and who comes back says so elsewhere. Raises InvalidParameter."""
    found = parse_qs(query, keep_blank_values=True)

    def last(name: str, read: Callable[[str], Any], default: Any = None) -> Any:
        return read(found[name][-1]) if name in found else default

    viewport = _viewport(last("around", _number), last("player", str), _truth("own", last("own", _bit, False)))
    return Wanted(last("top", size_of_text, DEFAULT_TOP), None, _truth("pulse", last("pulse", _bit, False)), *viewport)


def _viewport(around: Any, player: Any, own: bool) -> tuple[int | None, str | None, bool]:
    if around is None and player is None and not own:
        return None, None, False
    if isinstance(around, bool) or not isinstance(around, int) or not 1 <= around <= AROUND_MAX:
        raise InvalidParameter(f"around must be a whole number from 1 to {AROUND_MAX}")
    if (player is not None) == own:
        raise InvalidParameter("around goes with either player or own")
    if own:
        return around, None, True
    name = normal_form(player) if isinstance(player, str) else ""
    if not 1 <= len(name) <= NAME_LENGTH or "\0" in name:
        raise InvalidParameter(f"player must be a name of 1 to {NAME_LENGTH} characters")
    return around, name, False


def _truth(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise InvalidParameter(f"{name} must be true or false; in an address 1 or 0")
    return value


def _bit(text: str) -> Any:
    return {"1": True, "0": False}.get(text)


def _number(text: str) -> Any:
    return int(text) if re.fullmatch(r"[0-9]{1,2}", text) else text
