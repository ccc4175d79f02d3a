"""API keys' whole life: made, rotated, revoked, listed. Rare writes over the ORM, for commands and the admin.

A key is shown when it is made and never again: its digest is stored, and its signing secret is derived (`services.signatures`). Each
change moves the catalog's version by trigger, and each process looks at that version within CATALOG_MAX_AGE_MS: that is how a
revocation is heard everywhere.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from leaderboard.domain.errors import InvalidDefinition, NotFound
from leaderboard.domain.text import name_fault
from leaderboard.models import ApiKey, Game
from leaderboard.services.credentials import BOARDS_ADMIN, BOARDS_READ, PLAYERS_ADMIN, SCORES_WRITE
from leaderboard.services.definitions import game_of, stored
from leaderboard.services.signatures import signing_secret

SCOPES = (SCORES_WRITE, BOARDS_READ, BOARDS_ADMIN, PLAYERS_ADMIN)  # all there are
USUAL_SCOPES = (SCORES_WRITE, BOARDS_READ)  # what a new key gets unless told otherwise
SECRET_BYTES = 24  # 192 random bits: a plain SHA-256 of it can't be reversed by guessing
PREFIX_BYTES = 4  # 8 characters to tell keys apart in the admin and in logs
PREFIX_TRIES = 5  # with a million keys one try collides once in 4,000 times
OVERLAP_S = 24 * 3600  # time to bring a new key to every server


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made, `gl_<prefix>_<secret>`: the only time that it and its signing secret are seen. Neither is in its repr."""

    key: str = field(repr=False)
    prefix: str
    signing_secret: str = field(repr=False)
    signed_only: bool = False


@dataclass(frozen=True, slots=True)
class ListedKey:
    """What may be shown of a key. `replaces` is the prefix of the key that it was rotated from."""

    prefix: str
    game: str
    name: str
    scopes: tuple[str, ...]
    signed_only: bool
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    replaces: str | None


@transaction.atomic
def create(
    game_slug: str,
    *,
    scopes: Sequence[str] = USUAL_SCOPES,
    name: str = "",
    expires_at: datetime | None = None,
    signed_only: bool = False,
    create_game: bool = False,
) -> NewKey:
    """Store a new key of the game. Raises NotFound for an unknown game unless `create_game`, InvalidDefinition for unknown scopes."""
    wanted = tuple(dict.fromkeys(scopes))
    unknown = [scope for scope in wanted if scope not in SCOPES]
    if unknown or not wanted:
        what = f"There is no scope {unknown[0]!r}" if unknown else "A key needs a scope"
        raise InvalidDefinition(f"{what}; the scopes are {', '.join(SCOPES)}.")
    if name and (fault := name_fault(name, limit=len(name))):  # how long it may be the column says
        raise InvalidDefinition(f"name: The name {fault}.")
    game = game_of(game_slug, create=create_game)
    return _new(game=game, name=name, scopes=list(wanted), expires_at=expires_at, signed_only=signed_only)


@transaction.atomic
def rotate(prefix: str, *, overlap_s: int = OVERLAP_S, now: datetime) -> NewKey:
    """A new key like this one, which goes on for `overlap_s`, or until it would have ended anyway.

    A key that was made for a time is followed by one for as long a time, from now. Raises NotFound for a key that does not work any
    more, or that has a successor.
    """
    old = ApiKey.objects.select_for_update().filter(prefix=prefix).first()
    if old is None:
        raise NotFound(f"There is no API key {prefix!r}.")
    _check_may_be_rotated(old, now)
    expires_at = None if old.expires_at is None else now + (old.expires_at - old.created_at)
    new = _new(
        game=old.game,
        name=old.name,
        scopes=old.scopes,
        expires_at=expires_at,
        signed_only=old.signed_only,
        replaces=old,
    )
    ends = now + timedelta(seconds=overlap_s)
    old.expires_at = ends if old.expires_at is None else min(ends, old.expires_at)
    old.save(update_fields=["expires_at"])
    return new


def revoke(prefix: str, *, now: datetime) -> None:
    """End a key for good: every process refuses it within seconds. Raises NotFound. A key that was revoked keeps its moment."""
    if (
        not ApiKey.objects.filter(prefix=prefix, revoked_at=None).update(revoked_at=now)
        and not ApiKey.objects.filter(prefix=prefix).exists()
    ):
        raise NotFound(f"There is no API key {prefix!r}.")


def listed(game_slug: str | None = None) -> list[ListedKey]:
    """The keys of a game or of all, the oldest first, those that ended too. Raises NotFound for an unknown game."""
    keys = ApiKey.objects.select_related("game", "use", "replaces").order_by("game__slug", "pk")
    if game_slug is not None:
        keys = keys.filter(game=game_of(game_slug, create=False))
    return [_listed(key) for key in keys]


def _listed(key: ApiKey) -> ListedKey:
    use = getattr(key, "use", None)  # a key that was never used has none
    return ListedKey(
        prefix=key.prefix,
        game=key.game.slug,
        name=key.name,
        scopes=tuple(key.scopes),
        signed_only=key.signed_only,
        created_at=key.created_at,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        last_used_at=None if use is None else use.last_used_at,
        replaces=None if key.replaces is None else key.replaces.prefix,
    )


def _check_may_be_rotated(key: ApiKey, now: datetime) -> None:
    """Raises NotFound."""
    successor = key.replaced_by.first()
    if successor is not None:
        raise NotFound(f"The API key {key.prefix!r} was rotated before; rotate its successor {successor.prefix!r}.")
    if key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now):
        raise NotFound(f"The API key {key.prefix!r} has ended; make a new one.")


def _new(
    *, game: Game, name: str, scopes: list[str], expires_at: datetime | None, signed_only: bool, replaces: ApiKey | None = None
) -> NewKey:
    for _ in range(PREFIX_TRIES):
        prefix = secrets.token_hex(PREFIX_BYTES)
        key = f"gl_{prefix}_{secrets.token_hex(SECRET_BYTES)}"
        if ApiKey.objects.filter(prefix=prefix).exists():
            continue
        row = ApiKey(game=game, name=name, prefix=prefix, digest=hashlib.sha256(key.encode()).digest(), scopes=scopes)
        row.expires_at, row.signed_only, row.replaces = expires_at, signed_only, replaces
        stored(row)
        return NewKey(key, prefix, signing_secret(prefix, settings.SECRET_KEY), signed_only)
    raise RuntimeError(f"{PREFIX_TRIES} random prefixes were all taken: the random source is broken")
