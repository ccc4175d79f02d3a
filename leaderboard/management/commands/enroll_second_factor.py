from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction


class Command(BaseCommand):
    help = "Give a member of the staff a second factor: a code that an authenticator app makes. Shown this once, to be scanned."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="the name by which they sign in to the admin")
        parser.add_argument("--replace", action="store_true", help="take back the one they have: a phone was lost")

    def handle(self, *args: Any, user: str, replace: bool, **options: Any) -> None:
        url = _enrolled(user, replace=replace)
        self.stdout.write(f"Scan this with an authenticator app, or open it on the phone:\n{url}")
        self._draw(url)

    def _draw(self, url: str) -> None:
        import qrcode

        code = qrcode.QRCode(border=2)
        code.add_data(url)
        code.print_ascii(out=self.stdout)


@transaction.atomic
def _enrolled(username: str, *, replace: bool) -> str:
    from django_otp.plugins.otp_totp.models import TOTPDevice

    user = get_user_model().objects.select_for_update().filter(username=username, is_staff=True, is_active=True).first()
    if user is None:
        raise CommandError(f"There is no {username!r} in the staff.")
    devices = TOTPDevice.objects.filter(user=user)
    if replace:
        devices.delete()
    elif devices.exists():
        raise CommandError(f"{username!r} has a second factor; --replace takes it back and makes another.")
    url: str = TOTPDevice.objects.create(user=user, name="authenticator").config_url
    return url
