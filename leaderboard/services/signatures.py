"""Signed requests: what a signature covers, whose it is, and that each works once. docs/api.md says it to client programmers.

A signature shows that a request comes from who holds the signing secret, unchanged and just now: an API key that was read on its way,
in a proxy or a log, submits nothing where signatures are required. The secret is not stored: it is derived from SECRET_KEY
and the API key's prefix.
"""

import base64
import hashlib
import hmac


def signing_secret(prefix: str, secret: str) -> str:
    """What the holder of the API key with this prefix signs with. `secret` is SECRET_KEY."""
    root = hashlib.sha256(b"gaming-leaderboard.signatures\0" + secret.encode()).digest()
    derived = hmac.digest(root, b"signing:" + prefix.encode(), "sha256")
    return base64.urlsafe_b64encode(derived).rstrip(b"=").decode()
