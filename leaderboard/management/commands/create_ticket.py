from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.urls import reverse

from leaderboard.management.arguments import days
from leaderboard.management.errors import one_sentence


class Command(BaseCommand):
    help = "Make a ticket for overlays, that reads one leaderboard, and print it, alone, on standard output; its address on standard error."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--board", required=True, metavar="SLUG", help="the leaderboard that it opens, and no other")
        parser.add_argument("--days", type=days, metavar="DAYS", help="how long it works (default: 90, at most 366)")
        parser.add_argument(
            "--url", default=f"http://localhost:{settings.PORT}", help="where viewers' machines reach the service (default: this machine)"
        )

    def handle(self, *args: Any, board: str, days: timedelta | None, url: str, **options: Any) -> None:
        from leaderboard import runtime
        from leaderboard.services import publishing
        from leaderboard.services.tokens import Tokens

        with one_sentence():
            lives = publishing.OVERLAY_DAYS if days is None else days.days
            made = publishing.publish(board, tokens=Tokens(settings.SECRET_KEY), days=lives, now=runtime.utc_now())
        self.stdout.write(made.ticket)
        self.stderr.write(f"Overlay: {url.rstrip('/')}{reverse('overlay', args=[board])}#ticket={made.ticket}")
        self.stderr.write(f"It works until {made.expires_at:%Y-%m-%d}, or until `manage.py revoke_api_key {made.key_prefix}`.")
