"""Publishable tickets: what opens a private leaderboard to an overlay, behind the `#` of its address.

Whoever sees the address on a stream can use it, so such a ticket reads one leaderboard and nothing else. It is a key's that is made for
that leaderboard's overlays: to revoke the key ends them all within seconds, and no game server with them. Nobody ever sees that key.
Rare writes over the ORM, for commands and the admin.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction

from leaderboard.domain.errors import InvalidDefinition, NotFound
from leaderboard.models import ApiKey, Leaderboard
from leaderboard.services import keys
from leaderboard.services.credentials import BOARDS_READ
from leaderboard.services.tokens import TICKET_MAX_S, Tokens

OVERLAY_DAYS = 90  # an evening's address is not for ever; a season's is asked for
DAY_S = 24 * 3600
DAYS_MAX = TICKET_MAX_S // DAY_S


@dataclass(frozen=True, slots=True)
class Published:
    """A ticket for everybody who sees it; `key_prefix` names the key with which it ends."""

    ticket: str = field(repr=False)
    key_prefix: str
    expires_at: datetime


@transaction.atomic
def publish(slug: str, *, tokens: Tokens, days: int = OVERLAY_DAYS, now: datetime) -> Published:
    """A ticket of nobody's that reads this leaderboard. Raises NotFound or InvalidDefinition."""
    if not 1 <= days <= DAYS_MAX:
        raise InvalidDefinition(f"A ticket lives from 1 to {DAYS_MAX} days, not {days}.")
    board = Leaderboard.objects.select_for_update(of=("self",)).select_related("game").filter(slug=slug, is_active=True).first()
    if board is None:
        raise NotFound(f"There is no active leaderboard {slug!r}.")
    prefix = _key_of(board)
    ticket = tokens.ticket(game_id=board.game_id, boards={board.pk}, key_prefix=prefix, now=now, life_s=days * DAY_S)
    return Published(ticket, prefix, now + timedelta(days=days))


def _key_of(board: Leaderboard) -> str:
    """The prefix of the key of this leaderboard's overlays, made if none stands. The lock on the leaderboard keeps two from making two."""
    name = f"Overlays of {board.slug}"
    standing = ApiKey.objects.filter(game=board.game, name=name, revoked_at=None, expires_at=None).order_by("pk")
    fit = next((key.prefix for key in standing if key.scopes == [BOARDS_READ]), None)
    return fit or keys.create(board.game.slug, scopes=(BOARDS_READ,), name=name).prefix
