"""A board's rows and how a delta changes them: pure, and tested with the cases of every other client."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

Row = dict[str, Any]

TOPS = (3, 10, 25, 50, 100)  # the sizes that can be watched


class Position(NamedTuple):
    """Where a feed is. Within an epoch offsets have no gaps."""

    epoch: str
    offset: int


def round_up(top: int) -> int:
    """The smallest watched size that holds `top` rows, the largest if none does."""
    return next((size for size in TOPS if size >= top), TOPS[-1])


def apply_delta(rows: Sequence[Row], delta: Mapping[str, Any]) -> list[Row]:
    """Take out `left` and every changed player, insert each changed row at its rank, number 1..N. Nothing given is altered."""
    gone = {*delta["left"], *(row["player"] for row in delta["changed"])}
    after = [row for row in rows if row["player"] not in gone]
    for row in sorted(delta["changed"], key=lambda row: row["rank"]):
        after.insert(row["rank"] - 1, row)
    return [row if row["rank"] == rank else {**row, "rank": rank} for rank, row in enumerate(after, 1)]


def relation(held: Position, arriving: Position) -> Literal["next", "known", "gap"]:
    """What an arriving delta is to what is held: it fits, it is late and harmless, or something before it was lost."""
    if held.epoch != arriving.epoch or arriving.offset > held.offset + 1:
        return "gap"
    return "next" if arriving.offset == held.offset + 1 else "known"
