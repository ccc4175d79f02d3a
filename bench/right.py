"""Whether a read of a board whose ranks are known is right.

The players of such a board stand far apart, so that what is submitted while it is measured moves nobody: each rank is known
beforehand, and nobody is ever missing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from bench.load import Reads
from bench.stock import Board, standing


def reads(board: Board) -> Reads:
    """One of each kind in turn."""
    path = f"/api/v1/leaderboard/{board.slug}"
    return Reads((f"{path}/rank/{{player}}/", f"{path}/around/{{player}}/?limit=5", f"{path}/top/?limit=10"), board.players)


@dataclass(frozen=True, slots=True)
class RightAnswer:
    """Says what is wrong with a rank, around or top of the board; "" for nothing."""

    board: Board

    def __call__(self, body: bytes) -> str:
        told = msgspec.json.decode(body)
        rows: Sequence[Mapping[str, Any]] = told.get("entries", [told])
        if told["total"] != self.board.players:
            return f"{told['total']} players where there are {self.board.players}"
        if not rows:
            return "no rows"
        wrong = [row for row in rows if row["rank"] != standing(int(row["player"][-6:]), self.board.players)]
        return f"wrong ranks: {wrong[:3]}" if wrong else ""
