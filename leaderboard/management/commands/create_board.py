from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from leaderboard.domain.score import Direction, Operator, Rules
from leaderboard.management.errors import one_sentence


class Command(BaseCommand):
    help = "Make a leaderboard and say in a line what exists now."

    def add_arguments(self, parser: ArgumentParser) -> None:
        directions = [direction.value for direction in Direction]
        parser.add_argument("--game", required=True, metavar="SLUG", help="the game whose scores feed it")
        parser.add_argument("--slug", required=True, help="its name in URLs, unique over all games")
        parser.add_argument(
            "--operator", required=True, choices=[operator.value for operator in Operator], help="how a new score meets the held"
        )
        parser.add_argument("--order", default="desc", choices=directions, help="desc: more is better (default)")
        parser.add_argument("--subscore-order", default="desc", choices=directions, help="the same for the subscore, which breaks ties")
        parser.add_argument("--game-mode", default="", metavar="MODE", help="the only mode that feeds it (default: every mode)")
        parser.add_argument("--reset", default="", metavar="SCHEDULE", help="daily, weekly, monthly or five cron fields (default: never)")
        parser.add_argument("--time-zone", default="UTC", metavar="ZONE", help="in which the schedule is meant (default: UTC)")
        bound = parser.add_mutually_exclusive_group()
        bound.add_argument("--min-score", type=int, default=0, metavar="N", help="refuse scores below (default: 0)")
        bound.add_argument("--no-min-score", action="store_const", const=None, dest="min_score", help="take negative scores of any size")
        parser.add_argument("--max-score", type=int, metavar="N", help="refuse scores above (default: none)")
        parser.add_argument("--private", action="store_true", help="readable by credentials of its game only (default: by anybody)")
        parser.add_argument("--signed", action="store_true", help="take signed submits only")
        parser.add_argument("--title", default="", help="for people (default: from the slug)")
        parser.add_argument("--create-game", action="store_true", help="make the game if there is none")

    def handle(self, *args: Any, **options: Any) -> None:
        from leaderboard.services.definitions import create_board

        rules = Rules(Operator(options["operator"]), Direction(options["order"]), Direction(options["subscore_order"]))
        with one_sentence():
            board = create_board(
                options["game"],
                slug=options["slug"],
                rules=rules,
                title=options["title"],
                game_mode=options["game_mode"],
                reset_schedule=options["reset"],
                time_zone=options["time_zone"],
                min_score=options["min_score"],
                max_score=options["max_score"],
                is_public=not options["private"],
                signed_only=options["signed"],
                create_game=options["create_game"],
            )
        self.stdout.write(
            f"Leaderboard {board.slug} of game {options['game']}: operator {board.operator}, score {board.sort_order}, "
            f"subscore {board.subscore_order}, {_fed_by(board.game_mode)}, {_seasons(board.reset_schedule, board.time_zone)}, "
            f"scores {_bounds(board.min_score, board.max_score)}{'' if board.is_public else ', private'}"
            f"{', signed submits only' if board.signed_only else ''}."
        )


def _fed_by(game_mode: str) -> str:
    return f"game mode {game_mode}" if game_mode else "every game mode"


def _seasons(reset_schedule: str, time_zone: str) -> str:
    return f"reset {reset_schedule} ({time_zone})" if reset_schedule else "all-time"


def _bounds(low: int | None, high: int | None) -> str:
    if low is None and high is None:
        return "without bounds"
    return f"from {low}" if high is None else f"up to {high}" if low is None else f"from {low} to {high}"
