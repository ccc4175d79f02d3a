"""check_index: compare the rank index with SQL and print what differs; exit 1 on any drift."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from leaderboard import runtime
from leaderboard.domain.errors import Refusal
from leaderboard.index import IndexCold, IndexUnavailable

SHOWN = 20  # differences printed per board


class Command(BaseCommand):
    help = "Compare the rank index with SQL, entry by entry. Exit 1 if anything differs or a board is not indexed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--board", metavar="SLUG", help="only this leaderboard")

    def handle(self, *args: Any, board: str | None = None, **options: Any) -> None:
        try:
            drifted = runtime.run(self._check(board))
        except (Refusal, IndexUnavailable) as refusal:
            raise CommandError(str(refusal) or "Redis does not answer.") from None
        if drifted:
            sys.exit(1)

    async def _check(self, slug: str | None) -> int:
        """How many boards differ."""
        services = runtime.services()
        drifted = 0
        boards = await services.upkeep.indexed_boards(now=runtime.utc_now(), slug=slug)
        view = await services.catalogs.view()
        for board in boards:
            name = view.definitions[board.leaderboard_id].slug
            try:
                drifts = await services.upkeep.check(board)
            except IndexCold:
                self.stdout.write(f"{name}: not indexed (SQL answers for it)")
                drifted += 1
                continue
            if not drifts:
                self.stdout.write(f"{name}: {await services.store.count(board):,} entries, index equals SQL")
                continue
            drifted += 1
            self.stdout.write(f"{name}: {len(drifts):,} differences")
            for drift in drifts[:SHOWN]:
                self.stdout.write(f"  {drift.kind}: user {drift.user_id}, SQL {drift.stored}, index {drift.indexed}")
        return drifted
