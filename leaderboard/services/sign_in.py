"""Players' sign-in: by device, by name and password, by refresh token. What it gives: a token that submits, and one that renews it.

In: what a client sent, and the moment. Out: `Signed`, or a `Refusal` that says no more than whoever is asking may know. An access
token is checked without a look-up (`services.tokens`) and can't be taken back, so it is short-lived. A refresh token is in SQL, as
its digest, and works once: its successor is of the same family, and a second use (a thief's, or the owner's after a thief) ends
the family.
"""

import hashlib
import secrets
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import msgspec
from axes.handlers.proxy import AxesProxyHandler
from django.contrib.auth import authenticate, get_user_model
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.signals import user_logged_in
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.http import HttpRequest

from leaderboard.domain.errors import (
    InvalidCredentials,
    NameTaken,
    NotAuthenticated,
    NotFound,
    Overloaded,
    TooManyAttempts,
    WeakPassword,
)
from leaderboard.domain.text import clean_name
from leaderboard.models import Device, RefreshToken
from leaderboard.services.catalog import Catalogs, View
from leaderboard.services.threads import Threads
from leaderboard.services.tokens import ACCESS_S, Tokens
from leaderboard.store import Player

REFRESH_S = 30 * 24 * 3600  # a game that is not played for so long asks its player to sign in again
REFRESH_BYTES = 32  # 256 random bits: a plain SHA-256 of it can't be reversed by guessing
DEVICE_TRIES = 3  # two requests of a new device at once: the second finds what the first made

# A hash takes some 30 ms of CPU and 19 MiB. Past two at a time they would take the CPU from submits; past 32 waiting, half a second.
HASHING, HASHING_WAITING = 2, 32
LOOKING_UP, LOOKING_UP_WAITING = 2, 128  # milliseconds each


class Signed(msgspec.Struct, frozen=True):
    """The answer to every sign-in."""

    player: str
    name: str
    access_token: str
    token_type: str
    expires_in: int
    refresh_token: str
    refresh_expires_in: int


class Profile(msgspec.Struct, frozen=True):
    """A player as it sees itself. `game` is None for a browser's user, who belongs to none."""

    player: str
    name: str
    game: str | None


class SignIn:
    def __init__(self, tokens: Tokens, catalogs: Catalogs) -> None:
        self._tokens, self._catalogs = tokens, catalogs
        self._hashing = Threads("hashing", count=HASHING, waiting=HASHING_WAITING)
        self._accounts = Threads("accounts", count=LOOKING_UP, waiting=LOOKING_UP_WAITING)

    async def by_device(self, device_id: str, *, name: str | None, game: str, now: datetime) -> tuple[Signed, bool]:
        """The player of that device in that game, and whether it was made just now. Raises InvalidCredentials if it is shut out."""
        shown = "" if name is None else clean_name(name, what="name")
        game_id = await self._game_id(game)
        player, refresh, is_new = await self._accounts.run(partial(_of_device, game_id, device_id, shown, now))
        return self._signed(player, refresh, game_id=game_id, now=now), is_new

    async def register(self, username: str, password: str, *, name: str | None, game: str, now: datetime) -> Signed:
        """Make a player with a password. Raises NameTaken or WeakPassword."""
        username = clean_name(username, what="username")
        shown = "" if name is None else clean_name(name, what="name")
        game_id = await self._game_id(game)
        player, refresh = await self._hashing.run(partial(_register, username, shown, password, game_id, now))
        return self._signed(player, refresh, game_id=game_id, now=now)

    async def login(self, username: str, password: str, *, game: str, address: str, now: datetime) -> Signed:
        """By name and password. Raises InvalidCredentials or TooManyAttempts."""
        username = clean_name(username, what="username")
        game_id = await self._game_id(game)
        player, refresh = await self._hashing.run(partial(_log_in, username, password, game_id, address, now))
        return self._signed(player, refresh, game_id=game_id, now=now)

    async def refresh(self, token: str, *, now: datetime) -> Signed:
        """A refresh token's successor. Raises InvalidCredentials; if it was used before, its family is ended."""
        player, game_id, successor = await self._accounts.run(partial(_rotate, token, now))
        return self._signed(player, successor, game_id=game_id, now=now)

    async def log_out(self, token: str, *, now: datetime) -> None:
        """End the token's family. Of a token that is none nothing is said."""
        await self._accounts.run(partial(_log_out, token, now))

    async def profile(self, user_id: int, *, game_id: int | None) -> Profile:
        """Raises NotAuthenticated for a player that is no more."""
        player = await self._accounts.run(lambda: _player(_active(user_id)))
        return Profile(player.username, player.name, _slug_of(await self._catalogs.view(), game_id))

    async def rename(self, user_id: int, name: str, *, game_id: int | None) -> Profile:
        """Change the name that boards show; not the one that it signs in with. Raises NotAuthenticated."""
        shown = clean_name(name, what="name")
        player = await self._accounts.run(partial(_rename, user_id, shown))
        return Profile(player.username, player.name, _slug_of(await self._catalogs.view(), game_id))

    async def aclose(self) -> None:
        await self._hashing.aclose()
        await self._accounts.aclose()

    async def _game_id(self, slug: str) -> int:
        view = await self._catalogs.view()
        if slug not in view.games:
            view = await self._catalogs.refresh()  # one made a moment ago
        if slug not in view.games:
            raise NotFound(f"There is no game {slug!r}.")
        return view.games[slug]

    def _signed(self, player: Player, refresh: str, *, game_id: int, now: datetime) -> Signed:
        access = self._tokens.access(player, game_id=game_id, now=now)
        return Signed(player.username, player.name, access, "Bearer", ACCESS_S, refresh, REFRESH_S)


def purge(now: datetime) -> int:
    """Delete the refresh tokens that have expired, and say how many. A family goes as it came, its oldest first."""
    return RefreshToken.objects.filter(expires_at__lte=now).delete()[0]


def _slug_of(view: View, game_id: int | None) -> str | None:
    return next((slug for slug, identity in view.games.items() if identity == game_id), None)


# --- In a thread: accounts -------------------------------------------------------------------------------------------------


def _of_device(game_id: int, device_id: str, shown: str, now: datetime) -> tuple[Player, str, bool]:
    digest = hashlib.sha256(device_id.encode()).digest()
    for _ in range(DEVICE_TRIES):
        device = Device.objects.filter(game_id=game_id, digest=digest).select_related("user").first()
        if device is not None:
            if not device.user.is_active:
                raise InvalidCredentials
            return _player(device.user), _begin_family(device.user, game_id, now), False
        try:
            return *_new_device(game_id, digest, shown, now), True
        except IntegrityError:
            continue
    raise Overloaded("This device is signing in many times at once; try again shortly.")


@transaction.atomic
def _new_device(game_id: int, digest: bytes, shown: str, now: datetime) -> tuple[Player, str]:
    user = get_user_model().objects.create_user(f"player-{secrets.token_hex(6)}", first_name=shown)
    Device.objects.create(game_id=game_id, digest=digest, user=user)
    return _player(user), _begin_family(user, game_id, now)


def _register(username: str, shown: str, password: str, game_id: int, now: datetime) -> tuple[Player, str]:
    user = get_user_model()(username=username, first_name=shown if shown != username else "")
    if get_user_model().objects.filter(username=username).exists():  # before the work of a hash
        raise NameTaken
    _check_password(password, user)
    user.set_password(password)
    try:
        with transaction.atomic():
            user.save(force_insert=True)
            return _player(user), _begin_family(user, game_id, now)
    except IntegrityError:
        raise NameTaken from None


def _check_password(password: str, user: User) -> None:
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise WeakPassword(" ".join(error.messages), errors=[{"field": "password", "detail": said} for said in error.messages]) from None


def _log_in(username: str, password: str, game_id: int, address: str, now: datetime) -> tuple[Player, str]:
    """By Django's backends: an unknown name costs a hash too, and failures are counted with those of the admin's login."""
    request = HttpRequest()
    request.META = {"REMOTE_ADDR": address}
    credentials: dict[str, Any] = {"username": username}
    if not AxesProxyHandler.is_allowed(request, credentials):
        raise TooManyAttempts
    user = authenticate(request, username=username, password=password)
    if user is None:
        raise InvalidCredentials
    user_logged_in.send(sender=type(user), request=request, user=user)
    return _player(user), _begin_family(user, game_id, now)


def _active(user_id: int) -> User:
    user = get_user_model().objects.filter(pk=user_id, is_active=True).first()
    if user is None:
        raise NotAuthenticated("The player is no more, or may not play.")
    return user


def _rename(user_id: int, shown: str) -> Player:
    user = _active(user_id)
    user.first_name, user.last_name = shown if shown != user.username else "", ""
    user.save(update_fields=["first_name", "last_name"])  # its signal tells every process
    return _player(user)


def _player(user: Any) -> Player:
    return Player(user.pk, user.username, user.get_full_name() or user.username)


# --- In a thread: families of refresh tokens ------------------------------------------------------------------------------


def _begin_family(user: Any, game_id: int, now: datetime) -> str:
    return _new_token(user, game_id, uuid4(), now)


def _new_token(user: Any, game_id: int, family: UUID, now: datetime) -> str:
    token = secrets.token_urlsafe(REFRESH_BYTES)
    expires_at = now + timedelta(seconds=REFRESH_S)
    RefreshToken.objects.create(user=user, game_id=game_id, family=family, digest=_digest(token), expires_at=expires_at)
    return token


def _rotate(token: str, now: datetime) -> tuple[Player, int, str]:
    """The player, its game, and the successor. Of two uses at once one waits for the other, and is then the second."""
    known = RefreshToken.objects.filter(digest=_digest(token), expires_at__gt=now)
    with transaction.atomic():
        if known.filter(used_at=None, revoked_at=None).update(used_at=now):
            held = known.select_related("user").get()
            if not held.user.is_active:
                raise InvalidCredentials
            return _player(held.user), held.game_id, _new_token(held.user, held.game_id, held.family, now)
        _end_family(token, now)
    raise InvalidCredentials


def _log_out(token: str, now: datetime) -> None:
    with transaction.atomic():
        _end_family(token, now)


def _end_family(token: str, now: datetime) -> None:
    """A statement that waited for a rotation does not see the successor that this made; the next one does, so until none is found."""
    families = RefreshToken.objects.filter(digest=_digest(token)).values_list("family", flat=True)
    for family in list(families):
        while RefreshToken.objects.filter(family=family, revoked_at=None).update(revoked_at=now):
            pass


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
