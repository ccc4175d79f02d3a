"""Players are Django's users: found by their name, deactivated, erased. Staff are users too, and only a superuser touches those."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import UserChangeForm
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html

from leaderboard import runtime
from leaderboard.admin.lists import Quick, shown_name, tell_services
from leaderboard.domain.errors import Refusal
from leaderboard.services.moderation import Erased, erase_player, forget_player

POWERS = ("is_staff", "is_superuser", "groups", "user_permissions")

admin.site.unregister(User)


class PlayerForm(UserChangeForm):  # type: ignore[type-arg]
    """Names by the rules that they come in by: Django's own let in fewer, and a page that complains of a name saves nothing else either."""

    def clean_username(self) -> str:
        name = shown_name(self.cleaned_data["username"])
        if User.objects.filter(username=name).exclude(pk=self.instance.pk).exists():
            raise ValidationError("The name is taken.")
        return name

    def clean_first_name(self) -> str:
        return shown_name(self.cleaned_data["first_name"])

    def clean_last_name(self) -> str:
        return shown_name(self.cleaned_data["last_name"])

    def _get_validation_exclusions(self) -> set[str]:
        return {*super()._get_validation_exclusions(), "username"}  # type: ignore[misc]  # not in the stubs


@admin.register(User)
class PlayerAdmin(Quick, UserAdmin):  # type: ignore[type-arg]
    form = PlayerForm
    list_display = ("username", "first_name", "last_name", "is_active", "is_staff", "entries", "sessions")
    list_filter = ()  # none of these has an index
    ordering = ("username",)
    search_fields = ("username",)
    search_help_text = "The player's whole name, as it is written."
    player = "username"
    actions = ("deactivate", "erase")

    @admin.display(description="entries")
    def entries(self, user: User) -> str:
        return _link("leaderboardentry", user, "entries")

    @admin.display(description="sessions")
    def sessions(self, user: User) -> str:
        return _link("gamesession", user, "sessions")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Who may change users may not make themselves more than they are."""
        return super().get_readonly_fields(request, obj) if _is_superuser(request) else POWERS

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_theirs = obj is None or not (obj.is_staff or obj.is_superuser) or _is_superuser(request)
        return is_theirs and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # what they played refers to them: deactivate, or erase

    def has_erase_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("auth.delete_user")

    @admin.action(description="Deactivate the chosen players: no more scores, no sign-in", permissions=["change"])
    def deactivate(self, request: HttpRequest, chosen: QuerySet[User]) -> None:
        count = self._reachable(request, chosen).update(is_active=False)
        self.message_user(request, f"{count} deactivated. Their entries stay until they are removed.")

    @admin.action(description="Erase the chosen players: all that they played, for good", permissions=["erase"])
    def erase(self, request: HttpRequest, chosen: QuerySet[User]) -> HttpResponse | None:
        players = list(self._reachable(request, chosen))
        if "confirmed" not in request.POST:
            context = {**self.admin_site.each_context(request), "title": "Erase players", "opts": self.opts, "players": players}
            return TemplateResponse(request, "staff/erase.html", context)
        for player in players:
            self._erase(request, player.get_username())
        return None

    def _erase(self, request: HttpRequest, name: str) -> None:
        try:
            erased = erase_player(name)
        except Refusal as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
            return
        tell_services(request, lambda own: _forgotten(own, erased))
        self.message_user(request, f"{name} is erased: {erased.sessions} sessions, {len(erased.boards)} entries.")

    def _reachable(self, request: HttpRequest, chosen: QuerySet[User]) -> QuerySet[User]:
        """Nobody ends their own account by a click too many, and staff is for superusers."""
        others = chosen.exclude(pk=request.user.pk or 0)
        return others if _is_superuser(request) else others.filter(is_staff=False, is_superuser=False)


async def _forgotten(own: Any, erased: Erased) -> None:
    await forget_player(erased, index=own.index, feed=own.feed, live=own.live, now=runtime.utc_now())


def _is_superuser(request: HttpRequest) -> bool:
    return bool(request.user.is_active and getattr(request.user, "is_superuser", False))


def _link(model: str, user: User, text: str) -> str:
    query = urlencode({"q": user.get_username()})
    return format_html('<a href="{}?{}">{}</a>', reverse(f"admin:leaderboard_{model}_changelist"), query, text)
