"""Snapshots of a top N and what changed between two of them.

A row is the wire's row: a dict with at least "rank" and "player". The rank of a row is its place in
the list (1 is the first), so two rows are the same when all but "rank" is equal.

The promise: `patch(old, diff(old, new)) == new` for any two snapshots in which no player is twice.
"""

from bisect import bisect_left
from typing import Any, NamedTuple

Row = dict[str, Any]

TOPS = (3, 10, 25, 50, 100)  # the sizes that can be watched; a request is rounded up


class Delta(NamedTuple):
    """`changed`: rows that are new, moved or altered, by ascending rank. `left`: players that are gone."""

    changed: list[Row]
    left: list[str]


def round_up(top: int) -> int:
    """The smallest watched size that holds `top` rows, the largest if none does."""
    return next((size for size in TOPS if size >= top), TOPS[-1])


def diff(old: list[Row], new: list[Row]) -> Delta:
    """The smallest delta: rows that kept their data and their relative order are not in it."""
    place = {row["player"]: index for index, row in enumerate(old)}
    kept = [index for index, row in enumerate(new) if row["player"] in place and _same(old[place[row["player"]]], row)]
    still = _longest_increasing([place[new[index]["player"]] for index in kept])
    unmoved = {kept[position] for position in still}
    present = {row["player"] for row in new}
    return Delta(
        changed=[row for index, row in enumerate(new) if index not in unmoved],
        left=[row["player"] for row in old if row["player"] not in present],
    )


def patch(old: list[Row], delta: Delta) -> list[Row]:
    """Take out `left` and every changed player, insert each changed row at its rank, number 1..N."""
    gone = {*delta.left, *(row["player"] for row in delta.changed)}
    rows = [row for row in old if row["player"] not in gone]
    for row in sorted(delta.changed, key=lambda row: row["rank"]):
        rows.insert(row["rank"] - 1, row)
    return [row if row["rank"] == rank else {**row, "rank": rank} for rank, row in enumerate(rows, 1)]


def _same(a: Row, b: Row) -> bool:
    return a.keys() == b.keys() and all(a[key] == b[key] for key in a if key != "rank")


def _longest_increasing(values: list[int]) -> list[int]:
    """Positions of one longest increasing subsequence of distinct values; O(n log n)."""
    tails: list[int] = []  # the smallest last value of a run of each length
    at: list[int] = []  # and its position
    before: list[int] = []  # the position that precedes each position in its run
    for position, value in enumerate(values):
        length = bisect_left(tails, value)
        before.append(at[length - 1] if length else -1)
        tails[length : length + 1] = [value]
        at[length : length + 1] = [position]
    run: list[int] = []
    position = at[-1] if at else -1
    while position >= 0:
        run.append(position)
        position = before[position]
    return run[::-1]
