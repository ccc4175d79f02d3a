from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand

from leaderboard.management.arguments import days
from leaderboard.management.errors import one_sentence


class Command(BaseCommand):
    help = "Make an API key for a game's server and print it, alone, on standard output. It is shown this once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--game", required=True, metavar="SLUG", help="the game whose leaderboards the key reaches")
        parser.add_argument("--scopes", metavar="A,B", help="what the key may do (default: scores:write,boards:read)")
        parser.add_argument("--name", default="", help="whose key it is, for people")
        parser.add_argument("--expires", type=days, metavar="DAYS", help="how long it works (default: until it is revoked)")
        parser.add_argument(
            "--signed", action="store_true", help="take its submits signed only; prints its signing secret on standard error"
        )
        parser.add_argument("--create-game", action="store_true", help="make the game if there is none")

    def handle(self, *args: Any, scopes: str | None, expires: timedelta | None, signed: bool, **options: Any) -> None:
        from leaderboard import runtime
        from leaderboard.services import keys

        with one_sentence():
            new = keys.create(
                options["game"],
                scopes=keys.USUAL_SCOPES if scopes is None else tuple(filter(None, map(str.strip, scopes.split(",")))),
                name=options["name"],
                expires_at=None if expires is None else runtime.utc_now() + expires,
                signed_only=signed,
                create_game=options["create_game"],
            )
        self.stdout.write(new.key)
        if signed:
            self.stderr.write(f"Signing secret: {new.signing_secret}")
