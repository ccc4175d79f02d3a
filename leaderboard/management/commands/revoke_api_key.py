from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from leaderboard.management.errors import one_sentence


class Command(BaseCommand):
    help = "End an API key for good. Running processes refuse it within 5 s."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("prefix", help="what stands between the two _ of the key")

    def handle(self, *args: Any, prefix: str, **options: Any) -> None:
        from leaderboard import runtime
        from leaderboard.services import keys

        with one_sentence():
            keys.revoke(prefix, now=runtime.utc_now())
        self.stdout.write(f"API key {prefix} is revoked; running processes refuse it within 5 s.")
