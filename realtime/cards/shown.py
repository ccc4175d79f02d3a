"""What a card shows."""

from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from leaderboard.domain.definition import Definition
from leaderboard.domain.season import ALL_TIME_LABEL

ROWS = 5


class Line(NamedTuple):
    rank: int
    player: str
    name: str
    score: int


class Shown(NamedTuple):
    """Equal ones make equal pictures."""

    title: str
    game: str
    season: str
    total: int
    lines: tuple[Line, ...]


def shown(definition: Definition, standings: dict[str, Any]) -> Shown:
    """`standings` are those of the first ROWS, as REST tells them."""
    lines = tuple(Line(row["rank"], row["player"], row["name"], row["score"]) for row in standings["entries"])
    season = season_words(standings["season"], definition.time_zone)
    return Shown(definition.title, definition.game, season, standings["total"], lines)


def season_words(season: str, time_zone: str) -> str:
    """`season` is as on the wire; a day is that of the board's time zone, in which it resets."""
    if season == ALL_TIME_LABEL:
        return "All time"
    began = datetime.fromisoformat(season).astimezone(ZoneInfo(time_zone))
    return f"Season of {began.day} {began:%B %Y}"
