"""The pages of a private board are not there, and no other page names it."""

import html
import json
import re

import pytest
from django.http import Http404
from django.test import RequestFactory

from leaderboard import runtime
from leaderboard.services.checking import Asked
from leaderboard.services.credentials import Credential
from realtime import lobby as lobbies
from realtime.lobby import lobby
from realtime.views import board
from tests.cast import BOARDS, RIVAL_BOARDS


async def page_of(slug):
    return (await board(RequestFactory().get("/"), slug)).content.decode()


async def lobby_page(**scope):
    return (await lobby(RequestFactory().get("/", **scope))).content.decode()


def cards(page):
    return re.findall(r'data-board="([^"]+)"', page)


async def submit(cast, slug):
    credential = Credential(f"key:{cast.games['arcade']}", cast.games["arcade"], None, ("scores:write",))
    modes = {"arcade-count": "casual", "arcade-latest": "contest"}
    asked = Asked(score=1, player="ada", leaderboards=[slug], game_mode=modes.get(slug, ""))
    await cast.services.submits.submit(asked, credential=credential, now=runtime.utc_now())
    await cast.services.live.update_dirty(now=runtime.utc_now())


async def test_a_private_boards_page_is_as_one_that_never_was(services, cast):
    await cast.board("arcade-secret", is_public=False)
    said = []
    for slug in ("arcade-secret", "no-secret"):
        with pytest.raises(Http404) as refusal:
            await page_of(slug)
        said.append(str(refusal.value).replace(slug, ""))
    assert said[0] == said[1]
    assert "arcade-secret" not in await page_of("arcade-best")


async def test_an_empty_boards_page_says_how_to_post_a_score_that_counts_there(services, cast):
    told = html.unescape(re.search(r"-d '(.+)'</code>", await page_of("arcade-count"))[1])
    assert json.loads(told) == {"player": "ada", "score": 1200, "game_mode": "casual", "leaderboards": ["arcade-count"]}
    told = html.unescape(re.search(r"-d '(.+)'</code>", await page_of("arcade-sum"))[1])
    assert json.loads(told) == {"player": "ada", "score": 1200, "leaderboards": ["arcade-sum"]}


# --- The lobby -----------------------------------------------------------------------------------------------------------


async def test_the_lobby_has_a_link_to_every_board_of_everybodys_and_no_other(services, cast):
    await cast.board("aaa-secret", is_public=False)
    await cast.board("aaa-closed", is_active=False)
    shown = await lobby_page()
    assert set(cards(shown)) == {"global", *BOARDS, *RIVAL_BOARDS}
    assert all(f'href="/boards/{slug}/"' in shown for slug in cards(shown))
    assert "aaa-" not in shown
    assert set(re.findall("<h2><bdi>(.+)</bdi></h2>", shown)) == {"default", "arcade", "rival"}


async def test_the_boards_that_moved_last_stand_first(services, cast):
    for slug in ("arcade-count", "arcade-sum"):
        await submit(cast, slug)
    assert cards(await lobby_page())[:2] == ["arcade-sum", "arcade-count"]
    await submit(cast, "arcade-count")
    assert cards(await lobby_page())[:2] == ["arcade-count", "arcade-sum"]


async def test_boards_without_scores_stand_last_however_new_they_are(services, cast):
    await submit(cast, "arcade-sum")
    await cast.board("aaa-new")
    await services.catalogs.refresh()
    await services.feed.watermark((await services.standings.find("aaa-new")).definition.id)  # looked at, which leaves a mark
    assert cards(await lobby_page())[0] == "arcade-sum"


async def test_without_redis_boards_stand_by_title(services, cast, monkeypatch):
    away = runtime.build(cast.database_url, "redis://127.0.0.1:1/0")
    monkeypatch.setattr(runtime, "services", lambda: away)
    shown = cards(await lobby_page())
    assert shown == sorted(shown)
    assert len(shown) == 1 + len(BOARDS) + len(RIVAL_BOARDS)
    await away.aclose()


async def test_what_a_card_says_without_javascript_is_how_scores_meet_and_when_it_starts_anew(services, cast):
    await cast.board("arcade-golf", sort_order="asc", reset_schedule="0 18 * * 5")
    shown = await lobby_page()
    for words in ("The best score counts, resets daily", "All scores added up, all time", "The lowest score counts, resets on a schedule"):
        assert words in shown
    assert len(re.findall(r'data-ends="20\d\d-', shown)) == 2


async def test_a_title_is_text_whatever_it_holds(services, cast):
    evil = "<script>alert(1)</script>"
    await cast.sql("UPDATE leaderboard_leaderboard SET title = $1 WHERE slug = 'arcade-best'", evil)
    shown = await lobby_page()
    assert evil not in shown
    assert "&lt;script&gt;" in shown


async def test_a_lobby_without_boards_says_how_to_make_one(services, cast):
    await cast.sql("UPDATE leaderboard_leaderboard SET is_active = $1", False)
    shown = await lobby_page()
    assert "create_board" in shown
    assert "lobby.js" not in shown


async def test_it_can_be_searched_once_there_are_many(services, cast):
    for number in range(lobbies.SEARCH_FROM - 9):
        await cast.board(f"arcade-{number:03d}")
    assert 'type="search"' not in await lobby_page()
    await cast.board("arcade-more")
    await services.catalogs.refresh()
    assert 'type="search"' in await lobby_page()


async def test_more_boards_than_a_page_has_are_said_to_be_there(services, cast, monkeypatch):
    monkeypatch.setattr(lobbies, "CARDS", 3)
    shown = await lobby_page()
    assert len(cards(shown)) == 3
    assert "5 more" in shown


# --- Shared links --------------------------------------------------------------------------------------------------------


def told(page):
    return dict(re.findall(r'<meta (?:property|name)="((?:og|twitter):[^"]+)" content="([^"]*)">', page))


async def test_a_shared_lobby_says_its_address_as_the_viewer_came_by_it(services, cast):
    shown = await lobby_page(HTTP_HOST="localhost", secure=True)
    assert told(shown)["og:url"] == "https://localhost/"
    assert "og:image" not in told(shown)


def test_a_shared_board_brings_its_picture():
    from django.template.loader import render_to_string

    leaderboard = {"slug": "cup", "title": 'The "Cup"', "game": "Arcade"}
    request = RequestFactory().get("/boards/cup/?top=3", HTTP_HOST="localhost", secure=True)
    shared = told(render_to_string("realtime/share.html", {"leaderboard": leaderboard}, request))
    assert shared["og:url"] == "https://localhost/boards/cup/"
    assert shared["og:image"] == "https://localhost/boards/cup/card.png"
    assert shared["og:title"] == "The &quot;Cup&quot;"
    assert (shared["twitter:card"], shared["og:image:width"], shared["og:image:height"]) == ("summary_large_image", "1200", "630")
