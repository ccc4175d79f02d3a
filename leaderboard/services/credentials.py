"""Who asks: an API key or a signed-in user, and what they may do."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from importlib import import_module

from django.conf import settings
from django.contrib.auth import get_user
from django.db import close_old_connections, connections
from django.http import HttpRequest

from leaderboard.domain.errors import Forbidden, NotAuthenticated
from leaderboard.services.catalog import Catalogs, View
from leaderboard.store import Player

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


class Credentials:
    """API keys as the catalog has them: an answer is remembered as long as the catalog's version stands."""

    def __init__(self, catalogs: Catalogs) -> None:
        self._catalogs = catalogs
        self._view: View | None = None
        self._by_key: dict[bytes, tuple[Credential, datetime | None]] = {}

    def held(self, key: bytes, *, now: datetime) -> Credential | None:
        """The key's credential without I/O; None if only SQL can say. Raises NotAuthenticated for one that has expired."""
        view = self._catalogs.held()
        if view is None:
            return None
        if view is not self._view:
            self._view, self._by_key = view, {}
        found = self._by_key.get(key) or self._look_up(view, key)
        if found is None:
            return None
        credential, expires_at = found
        if expires_at is not None and expires_at <= now:
            raise NotAuthenticated("The API key has expired.")
        return credential

    async def find(self, key: bytes, *, now: datetime) -> Credential:
        """The key's credential. Raises NotAuthenticated; a key not held is looked for in SQL first."""
        await self._catalogs.view()
        credential = self.held(key, now=now)
        if credential is None:
            await self._catalogs.refresh()
            credential = self.held(key, now=now)
        if credential is None:
            raise NotAuthenticated("There is no such API key, or it was revoked.")
        return credential

    def _look_up(self, view: View, key: bytes) -> tuple[Credential, datetime | None] | None:
        record = view.keys.get(hashlib.sha256(key).digest())
        if record is None:
            return None
        credential = Credential(submitter=f"key:{record.id}", game_id=record.game_id, player=None, scopes=record.scopes)
        self._by_key[key] = (credential, record.expires_at)  # only keys that exist: bounded by their number
        return self._by_key[key]


def of_user(player: Player) -> Credential:
    """A signed-in user submits for itself and nobody else."""
    return Credential(submitter=f"user:{player.id}", game_id=None, player=player, scopes=(SCORES_WRITE,))


@lru_cache(maxsize=1024)
def api_key(header: bytes) -> bytes:
    """The key of an Authorization header. Raises NotAuthenticated."""
    scheme, _, key = header.partition(b" ")
    if scheme.lower() != b"api-key" or not key.strip():
        raise NotAuthenticated('Use "Authorization: Api-Key <key>".')
    return key.strip()


def signed_in(session_key: str) -> Credential:
    """The user of a browser's session. Raises NotAuthenticated. In a thread: it reads by Django's ORM."""
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    close_old_connections()
    try:
        user = get_user(request)
    finally:
        for connection in connections.all(initialized_only=True):
            if connection.vendor == "postgresql":
                connection.close()  # into the pool: outside Django's own handler nobody else does
    if not user.is_authenticated or not user.is_active:
        raise NotAuthenticated("The session has ended; sign in again.")
    return of_user(Player(id=user.pk, username=user.get_username(), name=user.get_full_name() or user.get_username()))
