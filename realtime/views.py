"""The live page. It carries no scores: the page's socket brings them."""

import json
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.templatetags.static import static

from leaderboard import runtime
from leaderboard.domain.definition import Definition
from leaderboard.domain.errors import LeaderboardNotFound, NotAuthenticated
from leaderboard.services.credentials import check_may_read
from leaderboard.services.standings import TIE_RULE

LINKED = 24  # boards that a page leads to by itself; the lobby has all

# Everything the page needs is its own; nothing is inline.
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-cache",
}


EMBED_HEADERS = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin", "Cache-Control": "no-cache"}


async def board(request: HttpRequest, slug: str) -> HttpResponse:
    """One board, live. Private boards have no page: a browser opens one as nobody."""
    catalogs = runtime.services().catalogs
    view = await catalogs.view()
    public = [definition for definition in view.by_slug.values() if definition.is_active and definition.is_public]
    active = sorted(public, key=lambda definition: definition.slug)
    try:
        _, definition = await catalogs.definition(slug)
        check_may_read(definition, None)
    except (LeaderboardNotFound, NotAuthenticated):
        raise Http404(f"There is no leaderboard {slug!r}.") from None
    boards = [{"slug": item.slug, "title": item.title} for item in _near(definition, active)]
    context = {"leaderboard": _described(definition), "boards": boards, "top": 10}
    return HttpResponse(render_to_string("realtime/board.html", context, request), headers=PAGE_HEADERS)


async def embed(request: HttpRequest) -> HttpResponse:
    """The script of the embeddable board under an address that stays: sites of any origin may load it."""
    script = f'export * from "{static("realtime/js/embed.js")}";\n'
    return HttpResponse(script, content_type="text/javascript; charset=utf-8", headers=EMBED_HEADERS)


def _near(here: Definition, active: list[Definition]) -> list[Definition]:
    """The boards beside this one, itself among them."""
    place = next((place for place, item in enumerate(active) if item.slug == here.slug), 0)
    first = max(0, min(place - LINKED // 2, len(active) - LINKED))
    return active[first : first + LINKED]


def _described(definition: Definition) -> dict[str, Any]:
    return {
        "slug": definition.slug,
        "title": definition.title,
        "game": definition.game,
        "has_seasons": bool(definition.reset_schedule),
        "operator": definition.rules.operator.value,
        "first_score": _first_score(definition),
        "tie_rule": TIE_RULE,
    }


def _first_score(definition: Definition) -> str:
    """The body of a submit that counts on this board."""
    mode = {"game_mode": definition.game_mode} if definition.game_mode else {}
    return json.dumps({"player": "ada", "score": 1200, **mode, "leaderboards": [definition.slug]})
