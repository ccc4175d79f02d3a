"""How a client signs, written from docs/api.md and not from the service's own code."""

import hashlib
import hmac
import json
import secrets
import time
from typing import Any

import httpx
from django.conf import settings

from leaderboard.services.signatures import signing_secret

SCORES = "/api/v1/scores/"
BATCH = "/api/v1/scores/batch/"


def secret_of(key: str) -> str:
    """The signing secret of one of the cast's keys, whose prefixes are their first letters."""
    return signing_secret(key[:11], settings.SECRET_KEY)


def signature(secret: str, method: str, path: str, timestamp: str, nonce: str, body: bytes) -> str:
    text = "\n".join([method, path, timestamp, nonce, hashlib.sha256(body).hexdigest()])
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def signed_headers(
    key: str, body: bytes, *, path: str = SCORES, secret: str | None = None, age_s: int = 0, nonce: str | None = None
) -> dict[str, str]:
    timestamp, nonce = str(int(time.time()) - age_s), secrets.token_urlsafe(24) if nonce is None else nonce
    return {
        "Authorization": f"Api-Key {key}",
        "Content-Type": "application/json",
        "X-Timestamp": timestamp,
        "X-Nonce": nonce,
        "X-Signature": signature(secret_of(key) if secret is None else secret, "POST", path, timestamp, nonce, body),
    }


def score(player: str = "ada", points: int = 10, **more: Any) -> bytes:
    return json.dumps({"player": player, "score": points, **more}).encode()


async def post_signed(
    api: httpx.AsyncClient, key: str, body: bytes, *, path: str = SCORES, headers: dict[str, str] | None = None, **how: Any
) -> httpx.Response:
    return await api.post(path, content=body, headers=signed_headers(key, body, path=path, **how) | (headers or {}))


def outcome(response: httpx.Response) -> tuple[int, str]:
    """Status and code, "" for what is no problem."""
    return response.status_code, response.json().get("code", "")
