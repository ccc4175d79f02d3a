"""Games and leaderboards: what they are, how they stand, and what an operator does with their index and cache."""

from copy import copy
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db import transaction
from django.db.models import QuerySet
from django.forms import ModelForm
from django.forms.models import construct_instance
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from kombu.exceptions import OperationalError

from leaderboard import runtime
from leaderboard.admin.lists import ACTION_TIMEOUT_S, AWAY, Quick, actor_of, shown_name
from leaderboard.domain.board import check_definition
from leaderboard.domain.errors import InvalidDefinition, Refusal
from leaderboard.domain.score import BoardId
from leaderboard.domain.season import Schedule, parse_schedule, season_label
from leaderboard.domain.text import normal_form
from leaderboard.index import IndexCold
from leaderboard.models import Game, Leaderboard
from leaderboard.services import Services, publishing
from leaderboard.services.boards import definition_of, edit
from leaderboard.services.tokens import Tokens

RESETS_SHOWN = 10
UNKNOWN = "?"
COUNT_TIMEOUT_S = 2.0  # a list is shown without counts sooner than late


class Boards(ChangeList):
    """The page's leaderboards with the live count of each, asked for together."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        counts = live_counts(list(self.result_list))
        for board in self.result_list:
            board.live_count = counts.get(board.pk)


class GameForm(ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Game
        fields = ("slug", "name")

    def clean_name(self) -> str:
        return shown_name(self.cleaned_data["name"])


@admin.register(Game)
class GameAdmin(Quick):
    form = GameForm
    list_display = ("slug", "name")
    ordering = ("slug",)

    def has_delete_permission(self, request: HttpRequest, obj: Game | None = None) -> bool:
        """Of one that is empty: else Django's question would name every row of it."""
        is_empty = obj is not None and not (obj.leaderboards.exists() or obj.sessions.exists())
        return is_empty and super().has_delete_permission(request, obj)


class BoardForm(ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Leaderboard
        fields = "__all__"  # noqa: DJ007 - all of a definition is the operator's

    def clean_title(self) -> str:
        return normal_form(self.cleaned_data["title"])

    def clean(self) -> dict[str, Any]:
        """By the rules that hold over REST."""
        given: dict[str, Any] = super().clean() or {}
        if self.errors:
            return given
        try:
            check_definition(definition_of(construct_instance(self, copy(self.instance))))
        except InvalidDefinition as refusal:
            for error in refusal.errors:
                self.add_error(error["field"], error["detail"])
        return given


@admin.register(Leaderboard)
class LeaderboardAdmin(Quick):
    form = BoardForm
    list_display = ("slug", "title", "game", "operator", "game_mode", "reset_schedule", "is_active", "is_public", "entries", "live")
    list_select_related = ("game",)
    list_filter = ("game", "operator", "is_active")
    search_fields = ("slug", "title")
    actions = ("overlay_address", "clear_cache", "warm_cache", "rebuild_index")

    def has_delete_permission(self, request: HttpRequest, obj: Leaderboard | None = None) -> bool:
        return False  # Django's question before a deletion names every row that goes along; over REST a board goes with its entries

    def has_publish_permission(self, request: HttpRequest) -> bool:
        """A private leaderboard is shown to others by a key that is made for it."""
        return request.user.has_perm("leaderboard.add_apikey")

    @admin.action(description="Overlay address of the chosen leaderboards", permissions=["publish"])
    def overlay_address(self, request: HttpRequest, chosen: QuerySet[Leaderboard]) -> HttpResponse | None:
        """In the answer itself: a redirect would need the tickets kept somewhere in between."""
        boards = [board for board in chosen if board.is_active]
        if self._told_why_not(request, [board.slug for board in boards]):
            return None
        overlays = [self._overlay(request, board) for board in boards]
        context = {**self.admin_site.each_context(request), "title": "Overlays", "opts": self.opts, "overlays": overlays}
        return TemplateResponse(request, "staff/overlays.html", context, headers={"Cache-Control": "no-store"})

    def _overlay(self, request: HttpRequest, board: Leaderboard) -> dict[str, Any]:
        address = request.build_absolute_uri(reverse("overlay", args=[board.slug]))
        if board.is_public:
            return {"board": board, "address": address, "made": None}
        made = publishing.publish(board.slug, tokens=Tokens(settings.SECRET_KEY), now=runtime.utc_now())
        self.log_change(request, board, f"Overlay address, by the API key {made.key_prefix}")
        return {"board": board, "address": f"{address}#ticket={made.ticket}", "made": made}

    @admin.action(description="Clear the cache of the chosen leaderboards", permissions=["change"])
    def clear_cache(self, request: HttpRequest, chosen: QuerySet[Leaderboard]) -> None:
        slugs = [board.slug for board in chosen if board.is_active]
        if self._told_why_not(request, slugs):
            return
        try:
            runtime.run_apart(lambda own: own.caching.clear(now=runtime.utc_now(), slugs=slugs), timeout_s=ACTION_TIMEOUT_S)
        except AWAY as error:
            self.message_user(request, f"Not cleared: {error}", messages.ERROR)
        else:
            self.message_user(request, f"Cleared: {', '.join(slugs)}. Running processes follow within seconds.")

    @admin.action(description="Warm the cache of the chosen leaderboards", permissions=["change"])
    def warm_cache(self, request: HttpRequest, chosen: QuerySet[Leaderboard]) -> None:
        slugs = [board.slug for board in chosen if board.is_active]
        if self._told_why_not(request, slugs):
            return
        try:
            warmed = runtime.run_apart(lambda own: own.caching.warm(now=runtime.utc_now(), slugs=slugs), timeout_s=ACTION_TIMEOUT_S)
        except AWAY as error:
            self.message_user(request, f"Not warmed: {error}", messages.ERROR)
        else:
            self.message_user(request, f"Warm: {', '.join(slugs)}, {warmed.names} names.")

    @admin.action(description="Rebuild the index of the chosen leaderboards", permissions=["change"])
    def rebuild_index(self, request: HttpRequest, chosen: QuerySet[Leaderboard]) -> None:
        """A large board takes a while, so a worker does it."""
        from leaderboard.tasks import rebuild

        boards = [board for board in chosen if board.is_active]
        if self._told_why_not(request, [board.slug for board in boards]):
            return
        try:
            for board in boards:
                season = parse_schedule(board.reset_schedule, board.time_zone).season_at(runtime.utc_now())
                rebuild.apply_async((board.pk, season), retry=False)
        except OperationalError as error:
            self.message_user(request, f"Not asked for: {error}", messages.ERROR)
        else:
            self.message_user(request, f"Asked for: {', '.join(board.slug for board in boards)}.")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return Boards

    @admin.display(description="entries")
    def entries(self, board: Any) -> str:
        """In the current season, as the index counts; a board that is cold or a Redis that is away has no number."""
        count = board.live_count if hasattr(board, "live_count") else live_counts([board]).get(board.pk)
        return UNKNOWN if count is None else f"{count:,}"

    @admin.display(description="live page")
    def live(self, board: Leaderboard) -> str:
        return format_html('<a href="{}">watch</a>', reverse("board", args=[board.slug])) if board.pk and board.is_active else UNKNOWN

    @admin.display(description="current season")
    def season(self, board: Leaderboard) -> str:
        schedule = _schedule(board)
        return UNKNOWN if schedule is None else season_label(schedule.season_at(runtime.utc_now()))

    @admin.display(description="next resets (UTC)")
    def next_resets(self, board: Leaderboard) -> str:
        schedule = _schedule(board)
        resets = [] if schedule is None else schedule.upcoming(runtime.utc_now(), RESETS_SHOWN)
        return format_html_join("", "{}<br>", ((f"{reset:%a %Y-%m-%d %H:%M}",) for reset in resets)) or "never"

    def save_model(self, request: HttpRequest, obj: Leaderboard, form: Any, change: bool) -> None:
        """A change of what entries were computed with ranks them anew, behind, as one over REST does."""
        if not change:
            super().save_model(request, obj, form, change)
            return
        changes = {name: getattr(obj, name) for name in form.changed_data}
        try:
            edited = edit(obj.game_id, form.initial["slug"], changes, actor=actor_of(request))
        except Refusal as refusal:
            messages.error(request, f"Nothing was changed: {refusal}")
            return
        if edited.reranking is not None:
            transaction.on_commit(runtime.ask_reranking)
            self.message_user(request, f"{obj.slug} is ranked anew behind; its rules change when that is done.")

    def _told_why_not(self, request: HttpRequest, slugs: list[str]) -> bool:
        if not slugs:
            self.message_user(request, "None of the chosen leaderboards is active.", messages.WARNING)
        return not slugs

    def get_readonly_fields(self, request: HttpRequest, obj: Leaderboard | None = None) -> tuple[str, ...]:
        return () if obj is None else ("game", "entries", "season", "next_resets", "live")


def _schedule(board: Leaderboard) -> Schedule | None:
    """None for one that can't be read, such as of a time zone that is gone: its page must open all the same."""
    try:
        return parse_schedule(board.reset_schedule, board.time_zone)
    except InvalidDefinition:
        return None


def live_counts(boards: list[Leaderboard]) -> dict[int, int]:
    """How many entries each active board holds now, by leaderboard; those left out are not known."""
    now = runtime.utc_now()
    current = {}
    for board in boards:
        schedule = _schedule(board)
        if schedule is not None and board.is_active:
            current[board.pk] = BoardId(board.pk, schedule.season_at(now))
    if not current:
        return {}

    async def ask(own: Services) -> dict[int, int]:
        ready = await own.index.ready(list(current.values()))
        counts = {}
        for board, is_ready in zip(current.values(), ready, strict=True):
            if is_ready:
                counts[board.leaderboard_id] = await own.index.count(board)
        return counts

    try:
        return runtime.run_apart(ask, timeout_s=COUNT_TIMEOUT_S)
    except (*AWAY, IndexCold):
        return {}
