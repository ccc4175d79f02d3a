"""What a trusted proxy says of the client before it: its address and whether it came by https. Nobody else is believed."""

from typing import Any

from django.conf import settings

from leaderboard.api.request import Scope
from leaderboard.domain.address import client_address, is_trusted

_SECURE = {"http": "https", "https": "https", "ws": "wss", "wss": "wss"}
_PLAIN = {secure: plain for plain, secure in _SECURE.items() if plain != secure}


def address_of(peer: str, headers: dict[bytes, bytes]) -> str:
    """The client's address, of a connection from `peer`."""
    forwarded = headers.get(b"x-forwarded-for")
    if forwarded is None or not settings.TRUSTED_PROXIES:
        return peer
    return client_address(peer, forwarded.decode("latin-1"), settings.TRUSTED_PROXIES)


def seen_through(scope: Scope) -> Scope:
    """The scope as the client's own connection would have made it, for Django's REMOTE_ADDR and is_secure and for origins."""
    peer = peer_of(scope)
    if not settings.TRUSTED_PROXIES or not is_trusted(peer, settings.TRUSTED_PROXIES):
        return scope
    said = [value for name, value in scope["headers"] if name == b"x-forwarded-proto"]
    forwarded = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for")
    address = client_address(peer, forwarded.decode("latin-1"), settings.TRUSTED_PROXIES)
    client = scope["client"] if address == peer else (address, 0)
    return {**scope, "client": client, "scheme": _scheme(scope.get("scheme", "http"), said)}


def peer_of(scope: Scope) -> str:
    client: Any = scope.get("client")
    return str(client[0]) if client else ""


def _scheme(scheme: str, said: list[bytes]) -> str:
    """The nearest proxy's word, which is the last."""
    word = said[-1].rpartition(b",")[2].strip().lower() if said else b""
    if word in (b"https", b"wss"):
        return _SECURE.get(scheme, scheme)
    return _PLAIN.get(scheme, scheme) if word in (b"http", b"ws") else scheme
