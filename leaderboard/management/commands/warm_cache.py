"""warm_cache: put what is hot into the cache before it is asked for."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from leaderboard import runtime
from leaderboard.domain.errors import Refusal
from leaderboard.feed import FeedUnavailable


class Command(BaseCommand):
    help = "Put the definitions and the names on top of each board into the cache. Beat does the same every 30 s."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--board", metavar="SLUG", help="only this leaderboard")

    def handle(self, *args: Any, board: str | None = None, **options: Any) -> None:
        work = runtime.services().caching.warm(now=runtime.utc_now(), slugs=[board] if board is not None else [])
        try:
            warmed = runtime.run(work)
        except (Refusal, FeedUnavailable) as refusal:
            raise CommandError(str(refusal) or "Redis does not answer.") from None
        self.stdout.write(f"{warmed.boards} boards and {warmed.names:,} names are warm")
