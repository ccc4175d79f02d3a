"""`/boards/{slug}/card.png`: what a link to a board looks like where it is shared."""

import time
from functools import cache, partial
from secrets import token_hex

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from leaderboard import runtime
from leaderboard.api import problems
from leaderboard.api.reads import is_held
from leaderboard.api.views import response
from leaderboard.domain.address import subscriber
from leaderboard.domain.definition import Definition
from leaderboard.domain.errors import LeaderboardNotFound, NotAuthenticated, Refusal
from leaderboard.services.credentials import check_may_read
from leaderboard.services.limits import READ
from realtime.cards.shelf import Card, Shelf
from realtime.cards.shown import ROWS, Shown, shown

HEADERS = {"Cache-Control": "public, max-age=30", "Cross-Origin-Resource-Policy": "cross-origin", "X-Content-Type-Options": "nosniff"}


@require_safe
async def card(request: HttpRequest, slug: str) -> HttpResponse:
    """Everybody's boards only: whoever follows a link comes as nobody. Counts as a read of the address that asks."""
    try:
        await _admit(request)
        found = await _card(slug)
    except (LeaderboardNotFound, NotAuthenticated):
        raise Http404(f"There is no leaderboard {slug!r}.") from None
    except Refusal as refusal:
        return response(problems.answer(refusal, token_hex(8)))
    headers = {**HEADERS, "ETag": found.tag.decode()}
    if is_held(request.headers.get("If-None-Match", "").encode("latin-1", "replace"), found.tag):
        return HttpResponse(status=304, headers=headers)
    body = b"" if request.method == "HEAD" else found.png
    return HttpResponse(body, content_type="image/png", headers={**headers, "Content-Length": str(len(found.png))})


async def _admit(request: HttpRequest) -> None:
    """Raises RateLimited."""
    bucket = runtime.services().limits.bucket(READ, None, lambda: subscriber(str(request.META.get("REMOTE_ADDR") or "127.0.0.1")))
    if bucket is not None and not bucket.spend():
        await bucket.take()


async def _card(slug: str) -> Card:
    known = await runtime.services().standings.find(slug)
    check_may_read(known.definition, None)
    return await shelf().card(known.definition.id, partial(_read, known.definition))


async def _read(definition: Definition) -> Shown:
    now = runtime.utc_now()
    return shown(definition, await runtime.services().standings.top(definition.slug, season="current", limit=ROWS, offset=0, now=now))


@cache
def shelf() -> Shelf:
    """The process's."""
    return Shelf(_draw, time.monotonic)


def _draw(wanted: Shown) -> bytes:
    from realtime.cards.picture import draw  # Pillow and the fonts are loaded by who needs them, in the thread that draws

    return draw(wanted)
