"""What every page says to the browser, whoever made it: the live page, the admin, Django's error pages; and how long one may take."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

# Everything that a page needs is its own; nothing is inline, so that a name which got into a page as markup still runs nothing.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]

BEGIN_S = 60.0  # until an answer begins: as long as a proxy waits; an action of the admin on a page of players takes a while
FORM_LIMIT = 1024 * 1024  # bytes of a form; the largest is a board with its metadata


def bounded(application: Application) -> Application:
    """The application of the pages: Django's takes whatever comes in, to the disk's end, and waits as long as the database does."""

    async def inner(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        size, has_begun = 0, False

        async def taken() -> Message:
            """What came in; past the limit the client is as good as gone, which Django cleans up after."""
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            return message if size <= FORM_LIMIT else {"type": "http.disconnect"}

        async def said(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            deadline.reschedule(None)  # a slow client may take its time
            await send(message)

        try:
            async with asyncio.timeout(BEGIN_S) as deadline:
                await application(scope, taken, said)
        except TimeoutError:
            if has_begun:
                raise
            await _refuse(send, 503)
        else:
            if size > FORM_LIMIT and not has_begun:
                await _refuse(send, 413)

    return inner


async def _refuse(send: Send, status: int) -> None:
    """The rest of the body may come at any time: the connection takes no next request."""
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"0"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def protect(response: HttpResponseBase) -> HttpResponseBase:
    """The response, with these headers if it is a page. What a view said itself stands."""
    if response.headers.get("Content-Type", "").startswith("text/html"):
        framed = getattr(response, "xframe_options_exempt", False)  # its own policy says who may
        for name, value in HEADERS.items():
            if not (framed and name == "X-Frame-Options"):
                response.headers.setdefault(name, value)
        if settings.DEBUG and response.status_code >= 400:  # Django's error pages for developers carry their style inline
            response.headers["Content-Security-Policy"] = POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
    return response


@sync_and_async_middleware
def pages_are_protected(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Outermost: it sees the error pages of all others too."""
    if iscoroutinefunction(get_response):

        async def protected_async(request: HttpRequest) -> HttpResponseBase:
            waiting: Awaitable[HttpResponseBase] = get_response(request)
            return protect(await waiting)

        return protected_async

    def protected(request: HttpRequest) -> HttpResponseBase:
        return protect(get_response(request))

    return protected
