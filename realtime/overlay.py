"""The stream overlay's page, the same for every board, private or not there: its socket brings what it may show."""

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

# Any site may frame it: there is nothing on it to click, and who frames it can't look inside. A studio's page or a scene of a browser-based
# mixer does. What it needs is its own; the referrer is kept back, since the address may name a player.
OVERLAY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors *",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


async def overlay(request: HttpRequest, slug: str) -> HttpResponse:
    """Whether there is such a board is not said here: the page's ticket is behind the `#`, where no server sees it."""
    response = HttpResponse(render_to_string("realtime/overlay.html"), headers=OVERLAY_HEADERS)
    response.xframe_options_exempt = True  # Django's word for it
    return response
