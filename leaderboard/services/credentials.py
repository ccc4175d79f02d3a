"""Who asks: an API key, a player's token, a ticket or a signed-in user, and what they may do.

An `Authorization` header is one of `Api-Key <key>`, `Bearer <access token>`, `Ticket <ticket>`.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from importlib import import_module
from typing import Protocol

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest

from leaderboard.domain.errors import Forbidden, LeaderboardNotFound, NotAuthenticated, SignatureRequired
from leaderboard.services.catalog import Catalogs, View
from leaderboard.services.key_uses import KeyUses
from leaderboard.services.threads import with_orm
from leaderboard.services.tokens import Token, Tokens
from leaderboard.store import Player

SCORES_WRITE = "scores:write"
BOARDS_READ = "boards:read"  # private boards; public ones need nothing
BOARDS_ADMIN = "boards:admin"
PLAYERS_ADMIN = "players:admin"

TOKENS_HELD = 10_000  # verified tokens that are remembered: some 5 MB

SAY_WHO = 'Use "Authorization: Api-Key <key>", "Bearer <token>" or "Ticket <ticket>".'


class Readable(Protocol):
    """What of a leaderboard says who may read it."""

    @property
    def id(self) -> int: ...

    @property
    def game_id(self) -> int: ...

    @property
    def slug(self) -> str: ...

    @property
    def is_public(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Credential:
    """`game_id` is the only game that it reaches, None for a user of the site; `player` is whom it is bound to, None for a key.

    `boards` are the only leaderboards that it reaches, None for all of its game. `key_prefix` names an API key; one that is
    `signed_only` submits by signed requests alone. `is_signed` is set for the one request whose signature was checked.
    """

    submitter: str  # "key:12", "user:5" or, by a token of game 3, "user:5@3": the scope of idempotency keys
    game_id: int | None
    player: Player | None
    scopes: tuple[str, ...]
    boards: frozenset[int] | None = None
    key_prefix: str = ""
    signed_only: bool = False
    is_ticket: bool = False
    key_id: int | None = None  # of an API key
    is_signed: bool = False

    @property
    def is_key(self) -> bool:
        return bool(self.key_prefix)

    def require(self, scope: str) -> None:
        if scope not in self.scopes:
            raise Forbidden(f"This credential lacks the scope {scope!r}.")

    def require_signature(self) -> None:
        """Before a submit. Raises SignatureRequired."""
        if self.signed_only and not self.is_signed:
            raise SignatureRequired("This API key submits by signed requests only.")

    def reaches(self, definition: Readable) -> bool:
        return self.game_id in (None, definition.game_id) and (self.boards is None or definition.id in self.boards)


def check_may_read(definition: Readable, credential: Credential | None) -> None:
    """Whether who asks may read this board. Raises NotAuthenticated, Forbidden or, for another game's credential, LeaderboardNotFound."""
    if definition.is_public:
        return
    if credential is None or credential.game_id is None:  # a user of the site is no game's
        raise NotAuthenticated(f"The leaderboard {definition.slug!r} is private. {SAY_WHO}")
    if not credential.reaches(definition):
        raise LeaderboardNotFound(f"There is no leaderboard {definition.slug!r}.")
    credential.require(BOARDS_READ)


def may_read(definition: Readable, credential: Credential | None) -> bool:
    """The same without saying why not, for lists."""
    try:
        check_may_read(definition, credential)
    except (NotAuthenticated, Forbidden, LeaderboardNotFound):
        return False
    return True


class Credentials:
    """Whose an `Authorization` header is. Keys are as the catalog has them, remembered as long as its version stands."""

    def __init__(self, catalogs: Catalogs, tokens: Tokens, uses: KeyUses) -> None:
        self._catalogs, self._tokens, self._uses = catalogs, tokens, uses
        self._view: View | None = None
        self._by_key: dict[bytes, tuple[Credential, datetime | None]] = {}
        self._by_token: dict[tuple[bytes, bytes], tuple[Credential, Token]] = {}

    def held(self, header: bytes, *, now: datetime) -> Credential | None:
        """Without I/O; None if only SQL can say. Raises NotAuthenticated for what is malformed, forged or expired."""
        scheme, secret = read_header(header)
        if scheme != b"api-key":
            return self._of_token(scheme, secret, now)
        view = self._catalogs.held()
        if view is None:
            return None
        if view is not self._view:
            self._view, self._by_key = view, {}
        found = self._by_key.get(secret) or self._look_up(view, secret)
        if found is None:
            return None
        credential, expires_at = found
        if expires_at is not None and expires_at <= now:
            raise NotAuthenticated("The API key has expired.")
        if credential.key_id is not None:
            self._uses.note(credential.key_id, now)
        return credential

    async def find(self, header: bytes, *, now: datetime) -> Credential:
        """Raises NotAuthenticated; a key not held is looked for in SQL first."""
        await self._catalogs.view()
        credential = self.held(header, now=now)
        if credential is None:
            await self._catalogs.refresh()
            credential = self.held(header, now=now)
        if credential is None:
            raise NotAuthenticated("There is no such API key, or it was revoked.")
        return credential

    def _look_up(self, view: View, key: bytes) -> tuple[Credential, datetime | None] | None:
        record = view.keys.get(hashlib.sha256(key).digest())
        if record is None:
            return None
        credential = Credential(
            submitter=f"key:{record.id}",
            game_id=record.game_id,
            player=None,
            scopes=record.scopes,
            key_prefix=record.prefix,
            signed_only=record.signed_only,
            key_id=record.id,
        )
        self._by_key[key] = (credential, record.expires_at)  # only keys that exist: bounded by their number
        return self._by_key[key]

    def _of_token(self, scheme: bytes, secret: bytes, now: datetime) -> Credential | None:
        found = self._by_token.get((scheme, secret))
        if found is None:
            read = self._tokens.read_access if scheme == b"bearer" else self._tokens.read_ticket
            token = read(secret.decode("latin-1"), now=now)
            if len(self._by_token) >= TOKENS_HELD:
                self._by_token.clear()
            found = self._by_token[scheme, secret] = (_of_token(token, is_ticket=scheme == b"ticket"), token)
        credential, token = found
        if token.expires_at <= now:
            raise NotAuthenticated("The token has expired.")
        if token.key_prefix and not self._stands(token.key_prefix, now):
            return None
        return credential

    def _stands(self, key_prefix: str, now: datetime) -> bool:
        """Whether the key that made a ticket is known here: who takes a key back takes its tickets back. Raises NotAuthenticated."""
        view = self._catalogs.held()
        record = view.keys_by_prefix.get(key_prefix) if view is not None else None
        if record is not None and record.expires_at is not None and record.expires_at <= now:
            raise NotAuthenticated("The API key that made the ticket has expired.")
        return record is not None


def of_user(player: Player) -> Credential:
    """A signed-in user submits for itself and nobody else."""
    return Credential(submitter=f"user:{player.id}", game_id=None, player=player, scopes=(SCORES_WRITE,))


def _of_token(token: Token, *, is_ticket: bool) -> Credential:
    """A player submits for itself and reads its game's boards; a ticket of nobody's reads only."""
    scopes = (BOARDS_READ,) if token.player is None else (SCORES_WRITE, BOARDS_READ)
    submitter = f"ticket:{token.game_id}" if token.player is None else f"user:{token.player.id}@{token.game_id}"
    return Credential(submitter, token.game_id, token.player, scopes, token.boards, is_ticket=is_ticket)


@lru_cache(maxsize=1024)
def read_header(header: bytes) -> tuple[bytes, bytes]:
    """The scheme, in lower case, and the secret of an Authorization header. Raises NotAuthenticated."""
    scheme, _, secret = header.partition(b" ")
    scheme, secret = scheme.lower(), secret.strip()
    if scheme not in (b"api-key", b"bearer", b"ticket") or not secret:
        raise NotAuthenticated(SAY_WHO)
    return scheme, secret


def signed_in(session_key: str) -> Credential:
    """The user of a browser's session. Raises NotAuthenticated or StoreUnavailable. In a thread: it reads by Django's ORM."""
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    user = with_orm(lambda: get_user(request))
    if not user.is_authenticated or not user.is_active:
        raise NotAuthenticated("The session has ended; sign in again.")
    return of_user(Player(id=user.pk, username=user.get_username(), name=user.get_full_name() or user.get_username()))
