from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from leaderboard.management.errors import one_sentence


class Command(BaseCommand):
    help = "Make an API key for a game's server and print it, alone, on standard output. It is shown this once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--game", required=True, metavar="SLUG", help="the game whose leaderboards the key reaches")
        parser.add_argument("--scopes", metavar="A,B", help="what the key may do (default: all, scores:write,boards:read)")
        parser.add_argument("--name", default="", help="whose key it is, for people")
        parser.add_argument("--create-game", action="store_true", help="make the game if there is none")

    def handle(self, *args: Any, game: str, scopes: str | None, name: str, create_game: bool, **options: Any) -> None:
        from leaderboard.services.definitions import USUAL_SCOPES, create_api_key

        wanted = USUAL_SCOPES if scopes is None else tuple(scope.strip() for scope in scopes.split(",") if scope.strip())
        with one_sentence():
            self.stdout.write(create_api_key(game, scopes=wanted, name=name, create_game=create_game))
