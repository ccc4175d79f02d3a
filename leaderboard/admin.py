"""Django's admin. What has ranks is changed through the services, so entries and sessions are read-only here."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from kombu.exceptions import OperationalError

from leaderboard.cache import CacheUnavailable
from leaderboard.domain.errors import Refusal
from leaderboard.domain.season import parse_schedule
from leaderboard.feed import FeedUnavailable
from leaderboard.models import ApiKey, Game, GameSession, Leaderboard, LeaderboardEntry

ACTION_TIMEOUT_S = 20.0
AWAY = (CacheUnavailable, FeedUnavailable, Refusal, TimeoutError)


class ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]
    show_full_result_count = False  # a million rows are not counted for a heading

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Game)
class GameAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("slug", "name")


@admin.register(Leaderboard)
class LeaderboardAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("slug", "title", "game", "operator", "sort_order", "game_mode", "reset_schedule", "is_active")
    list_filter = ("game", "operator", "is_active")
    search_fields = ("slug", "title")
    actions = ("clear_cache", "warm_cache", "rebuild_index")

    @admin.action(description="Clear the cache of the chosen leaderboards", permissions=["change"])
    def clear_cache(self, request: HttpRequest, chosen: QuerySet[Leaderboard]) -> None:
        from leaderboard import runtime

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
        from leaderboard import runtime

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
        from leaderboard import runtime
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

    def _told_why_not(self, request: HttpRequest, slugs: list[str]) -> bool:
        if not slugs:
            self.message_user(request, "None of the chosen leaderboards is active.", messages.WARNING)
        return not slugs

    def get_readonly_fields(self, request: HttpRequest, obj: Leaderboard | None = None) -> tuple[str, ...]:
        """What entries were computed with can't change under them."""
        return ("game", "operator", "sort_order", "subscore_order", "reset_schedule", "time_zone") if obj else ()


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnly):
    """Keys are made by `manage.py create_api_key`, which shows the secret once."""

    list_display = ("prefix", "game", "name", "scopes", "created_at", "expires_at", "revoked_at")
    exclude = ("digest",)


@admin.register(GameSession)
class GameSessionAdmin(ReadOnly):
    list_display = ("id", "user", "game", "score", "subscore", "game_mode", "timestamp")
    list_select_related = ("user", "game")


@admin.register(LeaderboardEntry)
class LeaderboardEntryAdmin(ReadOnly):
    list_display = ("leaderboard", "season", "user", "total_score", "subscore", "submissions", "rank", "last_updated")
    list_filter = ("leaderboard",)
    list_select_related = ("leaderboard", "user")
