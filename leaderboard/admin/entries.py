"""Entries, their edits, and the sessions they are made of."""

from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest

from leaderboard import runtime
from leaderboard.admin.lists import Quick, ReadOnly, actor_of, tell_services
from leaderboard.domain.errors import Refusal
from leaderboard.domain.score import BoardId
from leaderboard.domain.season import season_label
from leaderboard.models import EntryEdit, GameSession, LeaderboardEntry
from leaderboard.services import moderation

SEARCH_HELP = "The player's whole name, as it is written."


class EntryForm(ModelForm):  # type: ignore[type-arg]
    reason = forms.CharField(max_length=moderation.REASON_LENGTH, required=False, help_text="Kept with the edit.")

    class Meta:
        model = LeaderboardEntry
        fields = ("total_score", "subscore")


@admin.register(LeaderboardEntry)
class LeaderboardEntryAdmin(Quick):
    """A value that is typed here is an edit: one transaction, audited, shown live."""

    form = EntryForm
    readonly_fields = ("leaderboard", "season", "user", "submissions", "achieved_at", "last_updated", "rank")
    fields = (*readonly_fields, "total_score", "subscore", "reason")
    list_display = ("user", "leaderboard", "season_began", "total_score", "subscore", "submissions", "rank", "last_updated")
    list_filter = ("leaderboard",)
    list_select_related = ("leaderboard", "user")
    ordering = ("leaderboard_id", "season", "score_key", "subscore_key", "session_id")  # leaderboard_score_idx: each board by rank
    search_fields = ("user__username",)
    search_help_text = SEARCH_HELP
    player = "user__username"

    @admin.display(description="season")
    def season_began(self, entry: LeaderboardEntry) -> str:
        return season_label(entry.season)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # entries are earned

    def save_model(self, request: HttpRequest, obj: LeaderboardEntry, form: Any, change: bool) -> None:
        given = form.cleaned_data
        try:
            edit = moderation.edit_entry(
                BoardId(obj.leaderboard_id, obj.season),
                obj.user.get_username(),
                total_score=given["total_score"],
                subscore=given["subscore"],
                reason=given["reason"],
                actor=actor_of(request),
                now=runtime.utc_now(),
            )
        except Refusal as refusal:
            messages.error(request, f"Nothing was changed: {refusal}")
        else:
            _show(request, [edit])

    def delete_model(self, request: HttpRequest, obj: LeaderboardEntry) -> None:
        self._remove(request, [obj])

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[LeaderboardEntry]) -> None:
        self._remove(request, list(queryset.select_related("user")))

    def _remove(self, request: HttpRequest, entries: list[LeaderboardEntry]) -> None:
        edits = []
        for entry in entries:
            board = BoardId(entry.leaderboard_id, entry.season)
            try:
                edits.append(
                    moderation.remove_entry(board, entry.user.get_username(), reason="removed in the admin", actor=actor_of(request))
                )
            except Refusal as refusal:
                messages.error(request, str(refusal))
        _show(request, edits)


@admin.register(EntryEdit)
class EntryEditAdmin(ReadOnly):
    """Who did what: never changed."""

    list_display = ("id", "user", "leaderboard", "total_score", "subscore", "reason", "actor", "created_at")
    list_select_related = ("leaderboard", "user")
    ordering = ("-id",)
    search_fields = ("user__username",)
    search_help_text = SEARCH_HELP
    player = "user__username"


@admin.register(GameSession)
class GameSessionAdmin(ReadOnly):
    list_display = ("id", "user", "game", "score", "subscore", "game_mode", "timestamp")
    list_select_related = ("user", "game")
    ordering = ("-id",)
    exclude = ("fingerprint",)
    search_fields = ("user__username",)
    search_help_text = SEARCH_HELP
    player = "user__username"


def _show(request: HttpRequest, edits: list[EntryEdit]) -> None:
    """After the commit of the whole page: the index is never ahead of SQL."""
    records = [moderation.recorded(edit) for edit in edits]
    transaction.on_commit(partial(tell_services, request, lambda own: own.upkeep.show(records)))
