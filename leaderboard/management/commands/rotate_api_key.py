from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from leaderboard.management.arguments import seconds
from leaderboard.management.errors import one_sentence


class Command(BaseCommand):
    help = "Make a new API key in place of one and print it, alone, on standard output. The old one works on for the overlap."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("prefix", help="the old key's prefix: what stands between the two _ of the key")
        parser.add_argument("--overlap", type=seconds, metavar="SECONDS", help="how long the old key works on (default: a day)")

    def handle(self, *args: Any, prefix: str, overlap: int | None, **options: Any) -> None:
        from leaderboard import runtime
        from leaderboard.services import keys

        with one_sentence():
            new = keys.rotate(prefix, overlap_s=keys.OVERLAP_S if overlap is None else overlap, now=runtime.utc_now())
        self.stdout.write(new.key)
        if new.signed_only:
            self.stderr.write(f"Signing secret: {new.signing_secret}")
