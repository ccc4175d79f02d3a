"""The page of a private board is not there, and no other page names it."""

import pytest
from django.http import Http404
from django.test import RequestFactory

from realtime.views import board


async def page_of(*slug):
    return (await board(RequestFactory().get("/"), *slug)).content.decode()


async def test_a_private_boards_page_is_as_one_that_never_was(services, cast):
    await cast.board("arcade-secret", is_public=False)
    said = []
    for slug in ("arcade-secret", "no-secret"):
        with pytest.raises(Http404) as refusal:
            await page_of(slug)
        said.append(str(refusal.value).replace(slug, ""))
    assert said[0] == said[1]
    assert "arcade-secret" not in await page_of("arcade-best")


@pytest.mark.parametrize("home", ["global", "arcade-best"])
async def test_the_home_page_passes_private_boards_over(services, cast, home):
    await cast.board("aaa-secret", is_public=False)
    if home != "global":
        await cast.sql("UPDATE leaderboard_leaderboard SET is_public = $1 WHERE slug = 'global'", False)
    shown = await page_of()
    assert f'data-board="{home}"' in shown
    assert "aaa-secret" not in shown
