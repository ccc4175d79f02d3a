"""A signed-in browser submits over its page's socket; another site's page does not, though the browser sends the cookie along."""

import asyncio
import json
from contextlib import suppress

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.servers.stack import Stack

PASSWORD = "correct horse battery"
MAKE_BO = f"""
from django.contrib.auth.models import User
if not User.objects.filter(username="bo-of-the-site").exists():
    User.objects.create_superuser("bo-of-the-site", password="{PASSWORD}", first_name="Bo")
"""
SUBMIT = {"type": "submit", "id": 1, "score": 5, "leaderboards": ["global"]}


@pytest.fixture
def browser(stack: Stack):
    stack.manage("shell", "-c", MAKE_BO)
    with httpx.Client(base_url=stack.url, headers={"Referer": stack.url + "/"}, trust_env=False) as client:
        client.get("/admin/login/")
        form = {"username": "bo-of-the-site", "password": PASSWORD, "csrfmiddlewaretoken": client.cookies["csrftoken"]}
        assert client.post("/admin/login/?next=/admin/", data=form).status_code == 302
        yield client


async def told(stack, message, *, cookie, origin):
    headers = {"Cookie": f"theme=dark; sessionid={cookie}"}
    async with asyncio.timeout(20), connect(f"{stack.ws_url}/ws/", additional_headers=headers, origin=origin, proxy=None) as connection:
        with suppress(ConnectionClosed):  # turned away already, and told why
            await connection.send(json.dumps(message))
        return json.loads(await connection.recv())


async def test_a_page_of_this_site_submits_for_its_user(stack, browser):
    answer = await told(stack, SUBMIT, cookie=browser.cookies["sessionid"], origin=stack.url)
    assert (answer["type"], answer["id"], answer["player"]) == ("submitted", 1, "bo-of-the-site")


async def test_a_user_may_not_name_a_player(stack, browser):
    answer = await told(stack, SUBMIT | {"player": "ada"}, cookie=browser.cookies["sessionid"], origin=stack.url)
    assert answer["code"] == "player_not_allowed"


@pytest.mark.parametrize("origin", ["https://elsewhere.example", "null", "", "http://127.0.0.1:1", "http://127.0.0.1.elsewhere.example"])
async def test_cross_site_hijacking_another_sites_page_is_turned_away_though_the_browser_sends_the_cookie(stack, browser, origin):
    before = browser.get("/api/v1/leaderboard/global/top/").json()["entries"]
    answer = await told(stack, SUBMIT, cookie=browser.cookies["sessionid"], origin=origin)
    assert (answer["type"], answer["code"]) == ("error", "origin_not_allowed")
    assert browser.get("/api/v1/leaderboard/global/top/").json()["entries"] == before


async def test_a_cookie_without_an_origin_is_nobodys(stack, browser):
    answer = await told(stack, SUBMIT, cookie=browser.cookies["sessionid"], origin=None)
    assert (answer["code"], answer["id"]) == ("not_authenticated", 1)


async def test_an_ended_session_is_nobody(stack, browser):
    assert (await told(stack, SUBMIT, cookie="gone", origin=stack.url))["code"] == "not_authenticated"
