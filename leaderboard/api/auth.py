"""Who asks, from the request: its Authorization header, or a browser's session with its CSRF token."""

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware

from leaderboard import runtime
from leaderboard.api import limits
from leaderboard.api.request import ApiRequest
from leaderboard.domain.errors import CsrfFailed, NotAuthenticated
from leaderboard.services.credentials import SAY_WHO, Credential, signed_in
from leaderboard.services.signatures import Signed

SIGNATURE = b"x-signature"


def _unreachable(request: HttpRequest) -> HttpResponse:
    raise AssertionError("the CSRF check never calls on")


_csrf = CsrfViewMiddleware(_unreachable)


def held_credential(request: ApiRequest) -> Credential | None:
    """The credential of a header that this process knows; None if it takes I/O to say. Raises NotAuthenticated."""
    if request.credential is not None:
        return request.credential  # the door has found it a moment ago
    header = request.headers.get(b"authorization")
    if header is None:
        return None
    return runtime.services().credentials.held(header, now=runtime.utc_now())


async def authenticate(request: ApiRequest) -> Credential:
    """The request's credential. Raises NotAuthenticated or CsrfFailed."""
    header = request.headers.get(b"authorization")
    if header is not None:
        return await runtime.services().credentials.find(header, now=runtime.utc_now())
    if b"cookie" in request.headers and settings.SESSION_COOKIE_NAME in request.django().COOKIES:
        credential = await _session_user(request.django())
        await limits.count_for(request, credential)
        return credential
    raise NotAuthenticated(f"{SAY_WHO} Or sign in.")


async def submitter(request: ApiRequest) -> Credential:
    """The credential of a request that hands in scores; a signature that is given is checked, required or not.

    Raises NotAuthenticated, CsrfFailed, SignatureInvalid or NonceReused.
    """
    credential = held_credential(request) or await authenticate(request)
    if SIGNATURE not in request.headers:
        return credential
    target = f"{request.path}?{request.query.decode('latin-1')}" if request.query else request.path
    signed = Signed(
        request.method,
        target,
        request.body,
        timestamp=request.headers.get(b"x-timestamp", b""),
        nonce=request.headers.get(b"x-nonce", b""),
        signature=request.headers[SIGNATURE],
    )
    return await runtime.services().signatures.check(signed, credential, now=runtime.utc_now())


async def _session_user(request: HttpRequest) -> Credential:
    """A browser's user. Cookies are sent by other sites' pages too, so the CSRF token decides first."""
    _csrf.process_request(request)
    refused = _csrf.process_view(request, _unreachable, (), {})
    if refused is not None:
        raise CsrfFailed("Send the CSRF cookie's value in the header X-CSRFToken.")
    return await sync_to_async(signed_in)(request.COOKIES[settings.SESSION_COOKIE_NAME])
