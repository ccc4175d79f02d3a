"""Django's admin. What has ranks is changed through the services, so entries and sessions are read-only here."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from leaderboard.models import ApiKey, Game, GameSession, Leaderboard, LeaderboardEntry

admin.site.site_header = admin.site.site_title = "Gaming Leaderboard"


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
