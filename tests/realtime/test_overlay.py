"""The overlay's page is one shell for all boards: it says nothing, may be framed, and keeps what is behind the # to itself."""

import re
from pathlib import Path

import httpx
import pytest
from django.contrib.staticfiles import finders
from django.core.asgi import get_asgi_application

from gaming_leaderboard.pages import HEADERS


async def get(path: str) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(get_asgi_application()), base_url="http://localhost") as client:
        return await client.get(path)


@pytest.mark.slow
async def test_every_board_has_the_same_page_also_one_that_is_private_or_was_never_made(services, cast):
    await cast.board("arcade-secret", is_public=False)
    pages = [await get(f"/overlay/{slug}/") for slug in ("arcade-best", "arcade-secret", "no-board_9")]
    assert {page.status_code for page in pages} == {200}
    assert len({page.content for page in pages}) == 1
    assert "arcade" not in pages[0].text.lower()
    assert "<title>Leaderboard</title>" in pages[0].text


@pytest.mark.parametrize("slug", ["a.b", "<script>", "a b", "%2e%2e"])
async def test_what_is_no_slug_has_no_page(slug):
    assert (await get(f"/overlay/{slug}/")).status_code == 404


async def test_any_site_may_frame_it_and_it_runs_nothing_inline():
    said = (await get("/overlay/arcade-best/?rows=5")).headers
    policy = {part.split()[0]: part.split()[1:] for part in said["Content-Security-Policy"].split(";")}
    assert policy["frame-ancestors"] == ["*"]
    assert (policy["default-src"], policy["script-src"], policy["style-src"]) == (["'none'"], ["'self'"], ["'self'"])
    assert "X-Frame-Options" not in said
    assert said["Referrer-Policy"] == "no-referrer"
    others = HEADERS.keys() - {"Content-Security-Policy", "X-Frame-Options", "Referrer-Policy"}
    assert all(said[name] == HEADERS[name] for name in others)


@pytest.mark.parametrize("path", ["/boards/global/", "/nowhere/"])
async def test_no_other_page_may_be_framed(services, cast, path):
    said = (await get(path)).headers
    assert said["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in said["Content-Security-Policy"]


async def test_its_page_asks_for_nothing_that_would_hold_the_query_of_its_address(services, cast):
    text = (await get('/overlay/global/?theme="><script>1</script>&player=eve')).text
    assert "eve" not in text
    assert "<script>" not in text


def test_its_style_is_for_the_older_browsers_that_mixers_carry():
    style = re.sub(r"/\*.*?\*/", "", Path(finders.find("realtime/overlay.css")).read_text(), flags=re.DOTALL)
    assert re.findall(r"color-mix|light-dark|:has\(|paint-order|[0-9](?:dv|sv|lv)\w+|&", style) == []
