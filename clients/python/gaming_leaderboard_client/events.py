"""What happened between two standings of one board, size and season, as a spectator would tell it: pure.

A player has one event at most, the most important that is true of it: to take the lead is told as that and not as an overtake too.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Row = dict[str, Any]
Event = dict[str, Any]  # {"kind": "lead" | "overtake" | "entered" | "left", "player", "name", ...}


def events_between(old: Sequence[Row], new: Sequence[Row]) -> list[Event]:
    """The most important first: the lead, overtakes and entries by rank, who left.

    `lead` has "score" and "from" (who led before, or None); `overtake`, by the player's own score, has "rank", "previousRank" and "passed",
    the one right behind it first; `entered` has "rank"; `left` means left these standings, not always the board.
    """
    before = {row["player"]: row for row in old}
    lead = bool(new) and (not old or new[0]["player"] != old[0]["player"])
    others = new[1:] if lead else new
    present = {row["player"] for row in new}
    return [
        *([{"kind": "lead", **_who(new[0]), "score": new[0]["score"], "from": _who(old[0]) if old else None}] if lead else []),
        *_overtakes(others, before, new),
        *({"kind": "entered", **_who(row), "rank": row["rank"]} for row in others if row["player"] not in before),
        *({"kind": "left", **_who(row)} for row in old if row["player"] not in present),
    ]


def _overtakes(rows: Sequence[Row], before: Mapping[str, Row], new: Sequence[Row]) -> Iterator[Event]:
    """Who only slid up because others fell or left has overtaken nobody."""
    for row in rows:
        held = before.get(row["player"])
        if held is None or row["rank"] >= held["rank"] or _value(row) == _value(held):
            continue
        passed = [other for other in new[row["rank"] :] if other["player"] in before and before[other["player"]]["rank"] < held["rank"]]
        if passed:
            ranks = {"rank": row["rank"], "previousRank": held["rank"]}
            yield {"kind": "overtake", **_who(row), **ranks, "passed": [_who(other) for other in passed]}


def _value(row: Row) -> tuple[int, int]:
    return row["score"], row["subscore"]


def _who(row: Row) -> dict[str, str]:
    return {"player": row["player"], "name": row["name"]}
