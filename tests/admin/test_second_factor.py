"""A stolen password opens nothing where staff has a second factor; and who has none yet is told how to get one."""

import io
from collections.abc import Awaitable, Callable

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django.fixtures import Settings

from tests.admin.conftest import Browser

Hire = Callable[..., Awaitable[User]]


@pytest.fixture
async def enrolled(browser: Browser, hire: Hire, settings: Settings) -> TOTPDevice:
    settings.STAFF_SECOND_FACTOR = True
    await hire("mo")
    await enroll("mo")
    return await sync_to_async(TOTPDevice.objects.get)()


async def enroll(name: str, **options: bool) -> str:
    out = io.StringIO()
    await sync_to_async(call_command)("enroll_second_factor", name, stdout=out, **options)
    return out.getvalue()


async def is_in(browser: Browser) -> bool:
    return (await browser.get("/admin/")).status_code == 200


def code_of(device: TOTPDevice, drift: int = 0) -> str:
    return f"{totp(device.bin_key, drift=drift):06d}"


async def test_password_and_code_open_the_admin(browser: Browser, enrolled: TOTPDevice) -> None:
    assert (await browser.sign_in("mo", code=code_of(enrolled))).status_code == 302
    assert await is_in(browser)


@pytest.mark.parametrize("code", ["", "000000", "not a code"])
async def test_a_stolen_password_alone_opens_nothing(browser: Browser, enrolled: TOTPDevice, code: str) -> None:
    assert (await browser.sign_in("mo", code=code)).status_code == 200
    assert not await is_in(browser)


async def test_a_code_that_was_seen_over_a_shoulder_is_used_up(browser: Browser, enrolled: TOTPDevice) -> None:
    code = code_of(enrolled)
    await browser.sign_in("mo", code=code)
    browser.client.cookies.clear()
    assert "was used before" in (await browser.sign_in("mo", code=code)).text
    assert not await is_in(browser)


async def test_guessing_codes_is_slowed_down(browser: Browser, enrolled: TOTPDevice) -> None:
    await browser.sign_in("mo", code="000000")
    assert "Too many wrong codes" in (await browser.sign_in("mo", code=code_of(enrolled))).text
    assert not await is_in(browser)


async def test_a_session_begun_without_a_code_does_not_get_in(browser: Browser, hire: Hire, settings: Settings) -> None:
    """One of before the second factor was asked for."""
    await hire("mo")
    await browser.sign_in("mo")
    assert await is_in(browser)
    settings.STAFF_SECOND_FACTOR = True
    assert not await is_in(browser)


async def test_another_members_code_is_no_factor_of_mine(browser: Browser, enrolled: TOTPDevice, hire: Hire) -> None:
    await hire("di")
    await enroll("di")
    assert (await browser.sign_in("di", code=code_of(enrolled))).status_code == 200
    assert not await is_in(browser)


async def test_a_newcomer_is_told_the_way_in_and_it_leads_there(browser: Browser, hire: Hire, settings: Settings) -> None:
    settings.STAFF_SECOND_FACTOR = True
    await hire("mo")
    assert "python manage.py enroll_second_factor" in (await browser.get("/admin/login/")).text
    assert "enroll_second_factor mo" in (await browser.sign_in("mo")).text
    assert "otpauth://totp/" in await enroll("mo")
    device = await sync_to_async(TOTPDevice.objects.get)()
    assert (await browser.sign_in("mo", code=code_of(device))).status_code == 302


async def test_a_lost_phone_is_replaced_and_lets_nobody_in_any_more(browser: Browser, enrolled: TOTPDevice) -> None:
    await browser.sign_in("mo", code=code_of(enrolled))
    with pytest.raises(CommandError, match="--replace"):
        await enroll("mo")
    await enroll("mo", replace=True)
    assert not await is_in(browser)


async def test_only_staff_is_enrolled(browser: Browser) -> None:
    with pytest.raises(CommandError, match="no 'ada' in the staff"):
        await enroll("ada")


async def test_without_the_setting_a_password_is_enough(browser: Browser, hire: Hire) -> None:
    await hire("mo")
    assert (await browser.sign_in("mo")).status_code == 302
    assert await is_in(browser)
