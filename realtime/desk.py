"""Where sockets hand in scores: who they are, and then the one road that REST takes too.

A game server says who it is by an `Authorization` header in its handshake, as over REST. A browser's page can't send one: it brings a
ticket among the subprotocols, or is known by its user's session cookie. A browser sends the cookie with every site's handshakes, and there
is no CSRF token in one; so a page that brings either must be of this site or of one that the operator lists. Without both it may
watch what is public, wherever it is from.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, parse_cookie

from leaderboard.domain.errors import BadMessage, NotAuthenticated, OriginNotAllowed, Refusal
from leaderboard.services.checking import Asked
from leaderboard.services.credentials import Credential, Credentials, signed_in
from leaderboard.services.limits import SUBMIT, Limits
from leaderboard.services.submit import Answer, Submits
from leaderboard.throttle.redis import Bucket
from realtime.protocol import TICKET

SESSION_AGE_S = 5.0  # how old what is known of a browser's session may be when it submits
SECRETS = ("ticket", "token", "access_token", "api_key")  # what clients may take an address to be the place for
SIGN_IN = 'A submit needs "Authorization: Api-Key <key>" or a ticket of a player in the handshake, or a signed-in browser on an own page.'

Outcome = Answer | BaseException
Told = Callable[[Outcome], None]
Scope = Mapping[str, Any]


class Bearer(Protocol):
    """Who is at the other end of a socket; asked again at every submit, and once a second for private boards: rights end."""

    is_key: bool
    of_game: bool  # else it opens no private board

    def held(self, now: datetime) -> Credential | None:
        """Without I/O; None if that can't say. Raises NotAuthenticated."""
        ...

    async def find(self, now: datetime) -> Credential:
        """Raises NotAuthenticated."""
        ...


class HeaderBearer:
    of_game = True

    def __init__(self, credentials: Credentials, header: bytes, *, is_key: bool) -> None:
        self._credentials, self._header = credentials, header
        self.is_key = is_key

    def held(self, now: datetime) -> Credential | None:
        return self._credentials.held(self._header, now=now)

    async def find(self, now: datetime) -> Credential:
        return await self._credentials.find(self._header, now=now)


class BrowserBearer:
    """Looked up at the first submit: most pages only watch."""

    is_key = of_game = False

    def __init__(self, session_key: str) -> None:
        self._session_key = session_key
        self._credential: Credential | None = None
        self._looked_at = float("-inf")
        self._now = asyncio.get_running_loop().time

    def held(self, now: datetime) -> Credential | None:
        return self._credential if self._now() - self._looked_at < SESSION_AGE_S else None

    async def find(self, now: datetime) -> Credential:
        self._credential = None
        self._credential = await sync_to_async(signed_in)(self._session_key)
        self._looked_at = self._now()
        return self._credential


class Desk:
    """One per process and event loop. `clock` says what time it is; `origins` are the other sites whose pages may act for who they are.

    `watch_origins` are those whose pages may watch as nobody, "*" for all. A submit takes from the bucket that one over REST takes from;
    without `limits` from none.
    """

    def __init__(
        self,
        submits: Submits,
        credentials: Credentials,
        *,
        clock: Callable[[], datetime],
        origins: frozenset[str],
        watch_origins: frozenset[str] = frozenset("*"),
        limits: Limits | None = None,
    ) -> None:
        self._submits, self._credentials, self._limits = submits, credentials, limits
        self._clock, self._origins, self._watch_origins = clock, origins, watch_origins
        self._tasks: set[asyncio.Task[None]] = set()

    async def admit(self, scope: Scope) -> Bearer | None:
        """Whose socket this is by its handshake; None for nobody's, which may watch what is public.

        Raises NotAuthenticated for a credential that is none, OriginNotAllowed, and BadMessage for one in the address.
        """
        _check_address(scope["query_string"])
        headers = dict(scope["headers"])
        told, origin = headers.get(b"authorization"), headers.get(b"origin")
        if told is not None:  # no browser's page can send it, so no page was tricked into sending it
            return await self._holder(told)
        ticket = next((name.removeprefix(TICKET) for name in scope.get("subprotocols", ()) if name.startswith(TICKET)), None)
        session_key = parse_cookie(headers.get(b"cookie", b"").decode("latin-1")).get(settings.SESSION_COOKIE_NAME)
        if origin is not None:
            self._check_origin(scope, headers, acts=bool(ticket is not None or session_key))
        if ticket is not None:
            return await self._holder(b"Ticket " + ticket.encode("latin-1", "replace"))
        return BrowserBearer(session_key) if session_key and origin is not None else None

    async def _holder(self, header: bytes) -> HeaderBearer:
        now = self._clock()
        credential = self._credentials.held(header, now=now) or await self._credentials.find(header, now=now)
        return HeaderBearer(self._credentials, header, is_key=credential.is_key)

    def submit(self, asked: Asked, key: str | None, *, bearer: Bearer | None, told: Told) -> None:
        """Store one score and tell its answer or what went wrong, once, now or later. `key` is its idempotency key."""
        now = self._clock()
        try:
            if bearer is None:
                raise NotAuthenticated(SIGN_IN)
            credential = bearer.held(now)
            if credential is None or not self._may_at_once(credential):
                self._submit_later(asked, key, bearer, credential, told)
            else:
                self._submits.begin(asked, key, credential=credential, now=now, told=told)
        except Refusal as refusal:
            told(refusal)

    def _bucket(self, credential: Credential) -> Bucket | None:
        return None if self._limits is None else self._limits.bucket(SUBMIT, credential, str)  # who has no credential is refused before

    def _may_at_once(self, credential: Credential) -> bool:
        bucket = self._bucket(credential)
        return bucket is None or bucket.spend()

    def _submit_later(self, asked: Asked, key: str | None, bearer: Bearer, known: Credential | None, told: Told) -> None:
        """After a look at SQL for who this is, or at Redis for whether it may."""

        async def submit() -> None:
            try:
                credential = known or await bearer.find(self._clock())
                bucket = self._bucket(credential)
                if bucket is not None:
                    await bucket.take()
                self._submits.begin(asked, key, credential=credential, now=self._clock(), told=told)
            except Exception as error:
                told(error)

        task = asyncio.create_task(submit())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _check_origin(self, scope: Scope, headers: Mapping[bytes, bytes], *, acts: bool) -> None:
        """Raises OriginNotAllowed. `acts`: the handshake says who it is."""
        if (not acts and "*" in self._watch_origins) or self._is_own_page(scope, headers):
            return
        if acts or headers[b"origin"].decode("latin-1") not in self._watch_origins:
            raise OriginNotAllowed("Pages of this origin may not act for who they are here; see CORS_ALLOWED_ORIGINS." if acts else "")

    def _is_own_page(self, scope: Scope, headers: Mapping[bytes, bytes]) -> bool:
        origin = headers.get(b"origin", b"").decode("latin-1")
        if origin in self._origins:
            return True
        parts = urlsplit(origin)
        request = HttpRequest()
        request.META = {
            "HTTP_" + name.decode("latin-1").upper().replace("-", "_"): value.decode("latin-1") for name, value in headers.items()
        }
        try:
            host = request.get_host()
        except DisallowedHost:
            return False
        # Behind a proxy that does not say so, a secure page comes as plain ws; a plain page must not use a secure one's socket.
        schemes = ("https",) if scope.get("scheme") in ("wss", "https") else ("http", "https")
        return parts.scheme in schemes and parts.netloc.lower() == host.lower()


def _check_address(query: bytes) -> None:
    """Raises BadMessage. An address ends up in logs, histories and Referer headers."""
    if query and any(name.lower() in SECRETS for name in parse_qs(query.decode("latin-1"), keep_blank_values=True)):
        raise BadMessage("a secret must not be in an address: send it as Authorization, or as the subprotocol ticket.<ticket>")
