"""Who asks: an API key or a signed-in user, and what they may do."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from leaderboard.domain.errors import Forbidden, NotAuthenticated
from leaderboard.services.catalog import Catalogs, View
from leaderboard.store import KeyRecord, Player

SCORES_WRITE = "scores:write"


@dataclass(frozen=True, slots=True)
class Credential:
    """`game_id` is the only game that it reaches, None for a user; `player` is whom it is bound to, None for a key."""

    submitter: str  # "key:12" or "user:5": the scope of idempotency keys
    game_id: int | None
    player: Player | None
    scopes: tuple[str, ...]

    def require(self, scope: str) -> None:
        if scope not in self.scopes:
            raise Forbidden(f"This credential lacks the scope {scope!r}.")


async def check_api_key(catalogs: Catalogs, key: str, *, now: datetime) -> Credential:
    """The credential of a key. Raises NotAuthenticated; a key not held is looked for in SQL first."""
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
    record = _held(await catalogs.view(), digest) or _held(await catalogs.refresh(), digest)
    if record is None:
        raise NotAuthenticated("There is no such API key, or it was revoked.")
    if record.expires_at is not None and record.expires_at <= now:
        raise NotAuthenticated("The API key has expired.")
    return Credential(submitter=f"key:{record.id}", game_id=record.game_id, player=None, scopes=record.scopes)


def of_user(player: Player) -> Credential:
    """A signed-in user submits for itself and nobody else."""
    return Credential(submitter=f"user:{player.id}", game_id=None, player=player, scopes=(SCORES_WRITE,))


def _held(view: View, digest: bytes) -> KeyRecord | None:
    return view.keys.get(digest)
