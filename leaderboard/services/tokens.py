"""Signed tokens: who a player is, and what a socket or page may read, checked in memory without a look-up.

An access token is a player's, for one game, and short-lived; what renews it is in SQL (`services.players_auth`). A ticket opens boards to
who holds it, for a socket or a page that can't send a header or must not hold a key. Both are JWTs (HS256) under a key
derived from SECRET_KEY; `typ` keeps one from being taken for the other.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt

from leaderboard.domain.errors import NotAuthenticated
from leaderboard.store import Player

ACCESS_S = 900  # a token that is taken is of use this long; a player signed out or removed may submit this long
TICKET_S = 60  # from the answer that gave it to the handshake
TICKET_MAX_S = 366 * 24 * 3600  # a stream overlay's lives for a season
TOKEN_LENGTH = 4096  # characters; longer ones are not looked at

_ALGORITHM = "HS256"
_ACCESS, _TICKET = "access", "ticket"


@dataclass(frozen=True, slots=True)
class Token:
    """What a token says. `player` is None for a ticket of nobody's; `boards` are leaderboard ids, None for all of the game's.

    `key_prefix` names the API key that made a ticket and with which it ends.
    """

    game_id: int
    expires_at: datetime
    player: Player | None = None
    boards: frozenset[int] | None = None
    key_prefix: str = ""


class Tokens:
    def __init__(self, secret: str) -> None:
        self._key = hashlib.sha256(b"gaming-leaderboard.tokens\0" + secret.encode()).digest()

    def access(self, player: Player, *, game_id: int, now: datetime, life_s: int = ACCESS_S) -> str:
        """A player's token, good for that game for `life_s`."""
        return self._sign(_ACCESS, now, life_s, game=game_id, sub=str(player.id), username=player.username)

    def ticket(
        self,
        *,
        game_id: int,
        boards: Iterable[int] | None,
        player: Player | None = None,
        key_prefix: str = "",
        now: datetime,
        life_s: int = TICKET_S,
    ) -> str:
        """Opens these boards of the game, or all; a player's ticket submits for that player as well."""
        more: dict[str, Any] = {} if boards is None else {"boards": sorted(boards)}
        if player is not None:
            more |= {"sub": str(player.id), "username": player.username}
        if key_prefix:
            more["key"] = key_prefix
        return self._sign(_TICKET, now, life_s, game=game_id, **more)

    def read_access(self, token: str, *, now: datetime) -> Token:
        """Raises NotAuthenticated."""
        return self._read(_ACCESS, token, now)

    def read_ticket(self, token: str, *, now: datetime) -> Token:
        """Raises NotAuthenticated."""
        return self._read(_TICKET, token, now)

    def _sign(self, kind: str, now: datetime, life_s: int, **claims: Any) -> str:
        times = {"iat": now, "exp": now + timedelta(seconds=life_s)}
        return jwt.encode({**claims, **times}, self._key, algorithm=_ALGORITHM, headers={"typ": kind})

    def _read(self, kind: str, token: str, now: datetime) -> Token:
        try:
            if len(token) > TOKEN_LENGTH:
                raise ValueError("too long")
            found = jwt.decode_complete(
                token, self._key, algorithms=[_ALGORITHM], options={"require": ["exp", "game"], "verify_exp": False, "verify_iat": False}
            )
            said = _said(found["payload"])
            if found["header"].get("typ") != kind:
                raise ValueError("of another kind")
        except (jwt.PyJWTError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
            raise NotAuthenticated(f"The {kind} token is not one of ours.") from None
        if said.expires_at <= now:
            raise NotAuthenticated(f"The {kind} token has expired.")
        return said


def _said(claims: dict[str, Any]) -> Token:
    player = Player(int(claims["sub"]), claims["username"], claims["username"]) if "sub" in claims else None
    boards = frozenset(claims["boards"]) if "boards" in claims else None
    return Token(int(claims["game"]), datetime.fromtimestamp(claims["exp"], UTC), player, boards, str(claims.get("key", "")))
