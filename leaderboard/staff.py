"""The admin's site: who may enter. With STAFF_SECOND_FACTOR a password is half of what it takes; a code of the phone is the other."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.admin.sites import AdminSite
from django.db import transaction
from django.http import HttpRequest
from django_otp import DEVICE_ID_SESSION_KEY
from django_otp.models import Device
from django_otp.plugins.otp_totp.models import TOTPDevice

ENROLL = "python manage.py enroll_second_factor"


class SignIn(AdminAuthenticationForm):
    """Name and password, then the code. What is said of the code is said only to who knows the password."""

    code = forms.CharField(required=False, max_length=10, widget=forms.TextInput({"autocomplete": "one-time-code", "inputmode": "numeric"}))

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean()
        user: Any = self.get_user()
        if settings.STAFF_SECOND_FACTOR and user is not None:
            user.otp_device = _verified(user, cleaned.get("code", "").replace(" ", ""))  # django-otp keeps it in the session
        return cleaned


class StaffSite(AdminSite):
    site_header = site_title = "Gaming Leaderboard"
    index_title = "Administration"
    login_form = SignIn
    login_template = "staff/sign_in.html"

    def has_permission(self, request: HttpRequest) -> bool:
        return super().has_permission(request) and (not settings.STAFF_SECOND_FACTOR or _is_verified(request))

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        asked = {"second_factor": settings.STAFF_SECOND_FACTOR, "enroll": ENROLL}
        return super().login(request, {**asked, **(extra_context or {})})


def _verified(user: Any, code: str) -> Device:
    """The device that made the code. Raises ValidationError. A code works once, and guessing is slowed down by the device's row."""
    with transaction.atomic():  # left before anything is raised: a failure that was counted stays counted
        device = TOTPDevice.objects.select_for_update().filter(user=user, confirmed=True).order_by("-id").first()
        is_allowed = device is not None and bool(code) and device.verify_is_allowed()[0]
        is_right = is_allowed and device.verify_token(code)
    if device is None:
        raise forms.ValidationError(f"Staff needs a second factor, and you have none yet. On the server run: {ENROLL} {user}")
    if not code:
        raise forms.ValidationError("Enter the code that your phone shows.")
    if not is_allowed:
        raise forms.ValidationError("Too many wrong codes; wait a moment and try again.")
    if not is_right:
        raise forms.ValidationError("The code is wrong, or was used before: wait for the next one.")
    return device


def _is_verified(request: HttpRequest) -> bool:
    """Whether this session was begun with a code of a device that the user still has."""
    identity = request.session.get(DEVICE_ID_SESSION_KEY)
    device = Device.from_persistent_id(identity) if identity else None
    return device is not None and device.user_id == request.user.pk and device.confirmed
