from argparse import ArgumentParser
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand

from leaderboard.management.errors import one_sentence

if TYPE_CHECKING:
    from leaderboard.services.keys import ListedKey

HEADINGS = ("prefix", "game", "scopes", "signed", "created", "expires", "revoked", "last used", "replaces", "name")


class Command(BaseCommand):
    help = "List API keys, a line each, with what may be shown of them. Times are UTC."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--game", metavar="SLUG", help="the game whose keys to list (default: every game's)")

    def handle(self, *args: Any, game: str | None, **options: Any) -> None:
        from leaderboard.services import keys

        with one_sentence():
            rows = [HEADINGS, *map(_cells, keys.listed(game))]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            self.stdout.write("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _cells(key: "ListedKey") -> tuple[str, ...]:
    moments = map(_moment, (key.created_at, key.expires_at, key.revoked_at, key.last_used_at))
    signed = "only" if key.signed_only else "-"
    return (key.prefix, key.game, ",".join(key.scopes), signed, *moments, key.replaces or "-", key.name)


def _moment(moment: datetime | None) -> str:
    return "-" if moment is None else f"{moment:%Y-%m-%dT%H:%M}Z"
