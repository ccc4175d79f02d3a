"""The lobby: every public board as a card. It carries no scores: the cards in view bring them by one socket."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from leaderboard import runtime
from leaderboard.domain.definition import Definition
from leaderboard.domain.score import BoardId, Direction, Operator
from leaderboard.domain.season import Schedule
from leaderboard.feed import FeedUnavailable
from leaderboard.index import Index, IndexCold, IndexUnavailable
from leaderboard.services import Services
from leaderboard.services.rows import rfc3339
from realtime.views import PAGE_HEADERS

CARDS = 500  # what one page shows; the rest are found over REST
SEARCH_FROM = 13  # cards: so many that they are more than one looks over

_COUNTS = {
    Operator.SUM: "All scores added up",
    Operator.LATEST: "The latest score counts",
    Operator.COUNT: "Every play counts one",
}
_BEST = {Direction.DESC: "The best score counts", Direction.ASC: "The lowest score counts"}
_RESETS = {"": "all time", "daily": "resets daily", "weekly": "resets weekly", "monthly": "resets monthly"}


async def lobby(request: HttpRequest) -> HttpResponse:
    """All public active boards, those that moved last first; private ones are not there."""
    services = runtime.services()
    view = await services.catalogs.view()
    public = [definition for definition in view.by_slug.values() if definition.is_active and definition.is_public]
    now = runtime.utc_now()
    boards = {definition.slug: view.board(definition, now) for definition in public}
    ordered = await _by_activity(services, public, boards)
    cards = [_card(definition, view.schedule(definition), boards[definition.slug].season) for definition in ordered[:CARDS]]
    context = {"games": _by_game(cards), "cards": len(cards), "more": len(ordered) - len(cards), "now": rfc3339(now)}
    context["has_search"] = len(cards) >= SEARCH_FROM
    return HttpResponse(render_to_string("realtime/lobby.html", context, request), headers=PAGE_HEADERS)


async def _by_activity(services: Services, definitions: Iterable[Definition], boards: Mapping[str, BoardId]) -> list[Definition]:
    """Those with scores before those without, the last changed first; by title where nothing is known, as while Redis is away.

    Redis is asked once, for all together.
    """
    titled = sorted(definitions, key=lambda definition: (definition.title.casefold(), definition.slug))
    activity = await asyncio.gather(*(_activity(services, boards[definition.slug]) for definition in titled))
    return [definition for _, definition in sorted(zip(activity, titled, strict=True), key=lambda pair: pair[0], reverse=True)]


async def _activity(services: Services, board: BoardId) -> tuple[bool, int]:
    """Whether it has scores, and a number that grows with every change of any board."""
    try:
        watermark, count = await asyncio.gather(services.feed.watermark(board.leaderboard_id), _count(services.index, board))
    except FeedUnavailable:
        return False, 0
    return count > 0, int(watermark.changed or 0)


async def _count(index: Index, board: BoardId) -> int:
    """0 where only SQL knows, which is not asked for an order: who looks at a card warms its board."""
    try:
        return await index.count(board)
    except (IndexCold, IndexUnavailable):
        return 0


def _by_game(cards: Sequence[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    """In the order of their liveliest cards."""
    games: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for card in cards:
        games[card["game"]].append(card)
    return list(games.items())


def _card(definition: Definition, schedule: Schedule, season: int) -> dict[str, Any]:
    ends = schedule.ends(season)
    return {
        "slug": definition.slug,
        "title": definition.title,
        "game": definition.game,
        "game_mode": definition.game_mode,
        "rule": f"{_counts(definition)}, {_RESETS.get(definition.reset_schedule, 'resets on a schedule')}",
        "season_ends": rfc3339(ends) if ends is not None else "",
    }


def _counts(definition: Definition) -> str:
    """How a new score meets the held one, in words."""
    rules = definition.rules
    return _COUNTS.get(rules.operator) or _BEST[rules.sort_order]
