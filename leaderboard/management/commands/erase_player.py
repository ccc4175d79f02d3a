"""erase_player: delete all that a player submitted, for good."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from leaderboard import runtime
from leaderboard.domain.errors import Refusal
from leaderboard.feed import FeedUnavailable
from leaderboard.index import IndexUnavailable
from leaderboard.services.moderation import erase_player, forget_player


class Command(BaseCommand):
    help = "Delete a player's game sessions and entries and strip the account of its names. There is no way back."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("player")

    def handle(self, *args: Any, player: str, **options: Any) -> None:
        try:
            erased = erase_player(player)
        except Refusal as refusal:
            raise CommandError(str(refusal)) from None
        self.stdout.write(f"{erased.sessions} sessions and {len(erased.boards)} entries of {player!r} are gone")
        services = runtime.services()
        try:
            runtime.run(forget_player(erased, index=services.index, feed=services.feed, live=services.live, now=runtime.utc_now()))
        except (FeedUnavailable, IndexUnavailable):
            self.stderr.write("Redis does not answer: run rebuild_index when it is back")
