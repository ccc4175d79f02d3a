"""rebuild_index: fill the rank index anew from SQL, while the service runs."""

import sys
from argparse import ArgumentParser
from collections.abc import AsyncIterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from leaderboard import runtime
from leaderboard.domain.errors import Refusal
from leaderboard.index import IndexUnavailable


class Command(BaseCommand):
    help = "Fill the rank index anew from SQL. Reads answer from SQL meanwhile, and scores go on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--board", metavar="SLUG", help="only this leaderboard")

    def handle(self, *args: Any, board: str | None = None, **options: Any) -> None:
        try:
            runtime.run(self._rebuild(board))
        except (Refusal, IndexUnavailable) as refusal:
            raise CommandError(str(refusal) or "Redis does not answer.") from None

    async def _rebuild(self, slug: str | None) -> None:
        services = runtime.services()
        boards = await services.upkeep.indexed_boards(now=runtime.utc_now(), slug=slug)
        view = await services.catalogs.view()
        for number, board in enumerate(boards, 1):
            name = view.definitions[board.leaderboard_id].slug
            total = await services.store.count(board)
            count = await services.upkeep.rebuild(board, progress=_progress(f"[{number}/{len(boards)}] {name}", total))
            outcome = "another rebuild is under way" if count is None else f"{count:,} entries"
            self.stdout.write(f"[{number}/{len(boards)}] {name}: {outcome}")


def _progress(label: str, total: int) -> Any:
    """A line that is written over, on a terminal only."""

    async def counted(pages: AsyncIterator[list[Any]]) -> AsyncIterator[list[Any]]:
        done = 0
        async for page in pages:
            yield page
            done += len(page)
            if sys.stderr.isatty():
                sys.stderr.write(f"\r{label}: {done:,} of {total:,}   ")
        if sys.stderr.isatty():
            sys.stderr.write("\r")

    return counted
