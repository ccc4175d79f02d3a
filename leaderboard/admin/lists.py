"""What every list of the admin has, and how a page reaches the services."""

from collections.abc import Callable, Coroutine
from functools import cached_property
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest

from leaderboard.cache import CacheUnavailable
from leaderboard.domain.errors import Refusal
from leaderboard.domain.text import name_fault, normal_form
from leaderboard.feed import FeedUnavailable
from leaderboard.index import IndexUnavailable
from leaderboard.services import Services

ACTION_TIMEOUT_S = 20.0
AWAY = (CacheUnavailable, FeedUnavailable, IndexUnavailable, Refusal, TimeoutError)
COUNTED = 10_000  # rows that a list counts and leads to: some ms; what lies behind is found by its player


class FirstPages(Paginator):  # type: ignore[type-arg]
    """Counts no further than COUNTED."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        found: int = rows.order_by().values("pk")[:COUNTED].count()
        return found


class Quick(admin.ModelAdmin):  # type: ignore[type-arg]
    """A list of many. `player` is the way from a row to the player that a search names, in the ORM's words."""

    paginator = FirstPages
    show_full_result_count = False
    list_per_page = 50
    sortable_by = ()  # by any column would sort the table
    player = ""

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> tuple[QuerySet[Any], bool]:
        """The whole name, as it is written: an index look-up, where a part of one reads the table."""
        if not search_term or not self.player:
            return super().get_search_results(request, queryset, search_term)
        return queryset.filter(**{self.player: search_term.replace("\0", "")}), False


class ReadOnly(Quick):
    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def shown_name(text: str) -> str:
    """What a form's name is kept as. Raises ValidationError for one that would disturb the text around it."""
    name = normal_form(text, len(text))
    if name and (fault := name_fault(name, limit=len(name))):  # how long it may be the column says
        raise ValidationError(f"The name {fault}.")
    return name


def actor_of(request: HttpRequest) -> str:
    """Who it is, for the records."""
    return f"user:{request.user.pk}"


def tell_services(request: HttpRequest, work: Callable[[Services], Coroutine[Any, Any, Any]]) -> None:
    """What SQL holds already is brought to the index and to watchers; while Redis is away, later and by itself."""
    from leaderboard import runtime

    try:
        runtime.run_apart(work, timeout_s=ACTION_TIMEOUT_S)
    except AWAY as error:
        messages.warning(request, f"Done in the database; boards show it once Redis is back ({error!r}).")
