"""The admin in a real browser: sign in with the second factor, edit an entry, and another window's live page moves.

Nothing on the way is refused by the page's own policy.
"""

import base64
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from django_otp.oath import totp
from playwright.async_api import Page, expect

from tests.servers.stack import Stack

pytestmark = pytest.mark.slow

PASSWORD = "correct horse battery"
MAKE_MO = f"from django.contrib.auth.models import User; User.objects.create_superuser('mo', password='{PASSWORD}')"
TOLD = "addEventListener('securitypolicyviolation', e => console.error('REFUSED', e.violatedDirective, e.blockedURI, e.sample))"


@pytest.fixture
def staffed(new_stack: Callable[..., Stack]) -> Stack:
    """A service whose staff needs a second factor, with Mo, Ada and Bo."""
    stack = new_stack(env={"STAFF_SECOND_FACTOR": "on"})
    stack.manage("shell", "-c", MAKE_MO)
    for player, score in [("ada", 30), ("bo", 20)]:
        submit(stack, player, score)
    return stack


def submit(stack: Stack, player: str, score: int) -> None:
    headers = {"Authorization": f"Api-Key {stack.api_key}"}
    answer = httpx.post(f"{stack.url}/api/v1/scores/", json={"player": player, "score": score}, headers=headers)
    assert answer.status_code == 201, answer.text


def code(stack: Stack) -> str:
    """What Mo's phone shows, once it has scanned what the command draws."""
    printed = stack.manage("enroll_second_factor", "mo", "--replace")
    url = urlsplit(re.findall(r"^otpauth://\S+$", printed, re.MULTILINE)[0])
    return f"{totp(base64.b32decode(parse_qs(url.query)['secret'][0])):06d}"


async def listen(page: Page) -> list[str]:
    refused: list[str] = []

    def hear(message: Any) -> None:
        if "REFUSED" in message.text or "Content Security Policy" in message.text:
            refused.append(f"{page.url}: {message.text}")

    page.on("console", hear)
    await page.add_init_script(TOLD)
    return refused


async def sign_in(page: Page, stack: Stack) -> None:
    await page.goto(f"{stack.url}/admin/")
    await expect(page.get_by_text("enroll_second_factor NAME")).to_be_visible()
    await page.get_by_label("Username").fill("mo")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_text("On the server run: python manage.py enroll_second_factor mo")).to_be_visible()
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_label("Code of your phone").fill(code(stack))
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("link", name="Live boards")).to_be_visible()


async def test_an_edit_in_the_admin_moves_the_live_page(page: Page, staffed: Stack) -> None:
    assert page.context.browser
    watching = await page.context.browser.new_page()
    refused = await listen(page)
    seen = await listen(watching)
    await watching.goto(staffed.url + "/boards/global/")
    names = watching.locator("[data-rows] .name")
    await expect(names).to_have_text(["ada", "bo"])
    await sign_in(page, staffed)
    await page.goto(f"{staffed.url}/admin/leaderboard/leaderboardentry/?q=ada")
    await page.locator("#result_list a").first.click()
    await page.get_by_label("Total score").fill("7")
    await page.get_by_label("Reason").fill("a cheat")
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.get_by_text("was changed successfully")).to_be_visible()
    await expect(names).to_have_text(["bo", "ada"])
    await page.goto(f"{staffed.url}/admin/leaderboard/leaderboardentry/?q=ada")
    await page.locator("#result_list a").first.click()
    await page.get_by_role("link", name="Delete").click()
    await page.get_by_role("button", name="Yes").click()
    await expect(names).to_have_text(["bo"])
    assert refused + seen == []


async def test_no_page_of_the_admin_needs_what_its_policy_forbids(page: Page, staffed: Stack) -> None:
    submit(staffed, "<script>document.title='owned'</script>", 10)
    refused = await listen(page)
    await sign_in(page, staffed)
    lists = ["leaderboard/" + name for name in ("game", "leaderboard", "apikey", "gamesession", "leaderboardentry", "entryedit")]
    for path in [*lists, "auth/user", "auth/group", "otp_totp/totpdevice"]:
        await page.goto(f"{staffed.url}/admin/{path}/")
        await expect(page.locator("#content")).to_be_visible()
        first = page.locator("#result_list tbody a").first
        if await first.count():
            await first.click()
            await expect(page.locator("#content")).to_be_visible()
        assert await page.title() != "owned"
    for path in ("leaderboard/leaderboard/add", "leaderboard/apikey/add", "auth/user/add", "auth/group/add", "password_change"):
        await page.goto(f"{staffed.url}/admin/{path}/")
        await expect(page.locator("#content")).to_be_visible()
    await page.goto(f"{staffed.url}/nowhere/")
    await expect(page.get_by_role("heading", name="Not here")).to_be_visible()
    assert refused == []


async def test_a_new_key_works_and_is_gone_with_its_page(page: Page, staffed: Stack) -> None:
    refused = await listen(page)
    await sign_in(page, staffed)
    await page.goto(f"{staffed.url}/admin/leaderboard/apikey/add/")
    await page.get_by_label("Game").select_option(label="default")
    await page.get_by_role("button", name="Save", exact=True).click()
    key = await page.locator("#key").text_content()
    answer = httpx.post(f"{staffed.url}/api/v1/scores/", json={"player": "cy", "score": 1}, headers={"Authorization": f"Api-Key {key}"})
    assert answer.status_code == 201
    await page.get_by_role("link", name="I have kept it").click()
    assert str(key) not in await page.content()
    assert refused == []
