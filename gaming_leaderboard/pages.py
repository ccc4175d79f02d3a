"""What every page says to the browser, whoever made it: the live page, the admin, Django's error pages."""

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
