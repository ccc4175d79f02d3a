"""clear_cache: drop what is cached, of one leaderboard or all of it."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from leaderboard import runtime
from leaderboard.cache import CacheUnavailable
from leaderboard.domain.errors import Refusal


class Command(BaseCommand):
    help = "Drop what is cached, in Redis and in every running process. Nothing is lost: SQL is asked again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--board", metavar="SLUG", help="only this leaderboard")

    def handle(self, *args: Any, board: str | None = None, **options: Any) -> None:
        work = runtime.services().caching.clear(now=runtime.utc_now(), slugs=[board] if board is not None else [])
        try:
            dropped = runtime.run(work)
        except (Refusal, CacheUnavailable) as refusal:
            raise CommandError(str(refusal) or "Redis does not answer.") from None
        self.stdout.write(f"{board or 'the whole cache'}: cleared, {dropped:,} entries at most; running processes follow within seconds")
