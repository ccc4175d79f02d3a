"""Signed requests: what a signature covers, whose it is, and that each works once. docs/api.md says it to client programmers.

A signature shows that a request comes from who holds the signing secret, unchanged and just now: an API key that was read on its way,
in a proxy or a log, submits nothing where signatures are required. The secret is not stored: it is derived from SECRET_KEY
and the API key's prefix.
"""

import base64
import hashlib
import hmac
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from leaderboard.domain.errors import NonceReused, SignatureInvalid
from leaderboard.services.credentials import Credential
from leaderboard.store import Store

WINDOW_S = 300  # either side of the server's clock
# A nonce is kept for longer than its request is good: the process that forgets it may have a clock ahead of the one that checks.
KEPT_S = 2 * WINDOW_S
PAGE = 5_000  # nonces that are deleted in one short transaction

_TIMESTAMP = re.compile(rb"[0-9]{1,11}")
_NONCE = re.compile(rb"[A-Za-z0-9_-]{16,64}")


class Signed(NamedTuple):
    """A request as it came. `target` is the path, and the query with its "?" if there is one; what is missing is empty."""

    method: str
    target: str
    body: bytes
    timestamp: bytes
    nonce: bytes
    signature: bytes


def signing_secret(prefix: str, secret: str) -> str:
    """What the holder of the API key with this prefix signs with. `secret` is SECRET_KEY."""
    root = hashlib.sha256(b"gaming-leaderboard.signatures\0" + secret.encode()).digest()
    derived = hmac.digest(root, b"signing:" + prefix.encode(), "sha256")
    return base64.urlsafe_b64encode(derived).rstrip(b"=").decode()


def signature_of(signed: Signed, secret: str) -> bytes:
    """Lower-case hex, under a signing secret."""
    body = hashlib.sha256(signed.body).hexdigest().encode()
    text = b"\n".join((signed.method.encode(), signed.target.encode(), signed.timestamp, signed.nonce, body))
    return hmac.new(secret.encode(), text, "sha256").hexdigest().encode()


class Signatures:
    """`secret` is SECRET_KEY."""

    def __init__(self, store: Store, secret: str) -> None:
        self._store, self._secret = store, secret

    async def check(self, signed: Signed, credential: Credential, *, now: datetime) -> Credential:
        """The credential, as one whose request is signed. Its nonce is used up, whatever becomes of the request.

        Raises SignatureInvalid, NonceReused or StoreUnavailable.
        """
        if credential.key_id is None:
            raise SignatureInvalid("Only the holder of an API key signs.")
        moment = _moment(signed, now)
        expected = signature_of(signed, signing_secret(credential.key_prefix, self._secret))
        if not hmac.compare_digest(expected, signed.signature):
            raise SignatureInvalid("X-Signature is not that of this request under the API key's signing secret.")
        expires_at = moment + timedelta(seconds=KEPT_S)
        if not await self._store.use_nonce(credential.key_id, signed.nonce.decode(), expires_at=expires_at):
            raise NonceReused("Sign each request anew, a retry too, with a nonce of its own.")
        return replace(credential, is_signed=True)

    async def forget(self, *, now: datetime) -> int:
        """Delete the nonces of requests that nobody would take any more; how many."""
        forgotten = 0
        while True:
            page = await self._store.forget_nonces(before=now, limit=PAGE)
            forgotten += page
            if page < PAGE:
                return forgotten


def _moment(signed: Signed, now: datetime) -> datetime:
    """When it was signed. Raises SignatureInvalid for parts that are malformed or missing, or a moment outside the window."""
    if not _NONCE.fullmatch(signed.nonce):
        raise SignatureInvalid("X-Nonce must be 16 to 64 letters, digits, _ and -.")
    if not _TIMESTAMP.fullmatch(signed.timestamp):
        raise SignatureInvalid("X-Timestamp must be whole seconds since 1970 UTC.")
    moment = datetime.fromtimestamp(int(signed.timestamp), UTC)
    if abs(now - moment) > timedelta(seconds=WINDOW_S):
        raise SignatureInvalid(f"X-Timestamp is more than {WINDOW_S} s from the server's clock.")
    return moment
