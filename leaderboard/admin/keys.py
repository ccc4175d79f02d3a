"""API keys: made, rotated and revoked here. A key is shown on the page that answers its making, and nowhere again."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from leaderboard import runtime
from leaderboard.admin.lists import Quick, shown_name
from leaderboard.domain.errors import Refusal
from leaderboard.models import ApiKey
from leaderboard.services import keys
from leaderboard.services.keys import SCOPES, USUAL_SCOPES


class KeyForm(ModelForm):  # type: ignore[type-arg]
    scopes = forms.MultipleChoiceField(
        choices=[(scope, scope) for scope in SCOPES], initial=USUAL_SCOPES, widget=forms.CheckboxSelectMultiple
    )

    class Meta:
        model = ApiKey
        fields = ("game", "name", "scopes", "expires_at", "signed_only")

    def clean_name(self) -> str:
        return shown_name(self.cleaned_data["name"])


@admin.register(ApiKey)
class ApiKeyAdmin(Quick):
    form = KeyForm
    list_display = ("prefix", "game", "name", "scopes", "signed_only", "created_at", "expires_at", "revoked_at", "last_used")
    list_filter = ("game",)
    list_select_related = ("game", "use")
    ordering = ("-id",)
    exclude = ("digest",)
    actions = ("rotate", "revoke")

    @admin.display(description="last used")
    def last_used(self, key: ApiKey) -> Any:
        use = getattr(key, "use", None)
        return use and use.last_used_at

    def has_change_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False  # a key is ended and followed by another, never altered

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False  # who had which key stays known

    def has_end_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("leaderboard.change_apikey")

    def has_renew_permission(self, request: HttpRequest) -> bool:
        return self.has_end_permission(request) and self.has_add_permission(request)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        given = form.cleaned_data
        obj.made = keys.create(
            given["game"].slug,
            scopes=given["scopes"],
            name=given["name"],
            expires_at=given["expires_at"],
            signed_only=given["signed_only"],
        )
        obj.pk, obj.prefix = ApiKey.objects.values_list("pk", "prefix").get(prefix=obj.made.prefix)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        return self._shown_once(request, obj.made)

    @admin.action(description="Rotate the chosen key: another like it, this one ends in a day", permissions=["renew"])
    def rotate(self, request: HttpRequest, chosen: QuerySet[ApiKey]) -> HttpResponse | None:
        if len(chosen) != 1:
            self.message_user(request, "Rotate one key at a time: each new one is shown once.", messages.WARNING)
            return None
        try:
            return self._shown_once(request, keys.rotate(chosen[0].prefix, now=runtime.utc_now()))
        except Refusal as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
            return None

    @admin.action(description="Revoke the chosen keys, at once and for good", permissions=["end"])
    def revoke(self, request: HttpRequest, chosen: QuerySet[ApiKey]) -> None:
        ended = [key.prefix for key in chosen if key.revoked_at is None]
        for prefix in ended:
            keys.revoke(prefix, now=runtime.utc_now())
        self.message_user(request, f"Revoked: {', '.join(ended) or 'none'}. Running processes refuse them within seconds.")

    def _shown_once(self, request: HttpRequest, made: keys.NewKey) -> HttpResponse:
        """In the answer itself: a redirect would need the key kept somewhere in between."""
        context = {**self.admin_site.each_context(request), "title": "A new API key", "opts": self.opts, "made": made}
        return TemplateResponse(request, "staff/new_key.html", context, headers={"Cache-Control": "no-store"})
