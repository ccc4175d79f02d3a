"""A board's share image: who gets it, how rarely it is drawn, and that any name can stand in it."""

import asyncio
import threading
from io import BytesIO

import pytest
from django.http import Http404
from django.test import RequestFactory
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from leaderboard import runtime
from leaderboard.domain.errors import Overloaded
from leaderboard.services.checking import Asked
from leaderboard.services.credentials import Credential
from realtime.cards import fonts, picture, views
from realtime.cards.shelf import FRESH_S, ROOM, WAITING, Shelf
from realtime.cards.shown import Line, Shown, season_words
from realtime.cards.text import clusters, runs

NO_FONT_HAS = "\u0378"  # not a character yet
WORDS = "Ada Бо Νίκος نورا דוד さくら 王小明 김철수 Zoë हिन्दी ไทย বাংলা தமிழ் ሰላም გია Հայ"
NAMES = [*WORDS.split(), "🦊", "👩🏽\u200d🚀", "🇩🇪", "❤\ufe0f", "★"]


@pytest.fixture(autouse=True)
def shelf():
    views.shelf.cache_clear()
    yield
    views.shelf.cache_clear()


async def ask(slug="arcade-best", method="GET", **headers):
    given = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
    return await views.card(RequestFactory().generic(method, f"/boards/{slug}/card.png", **given), slug)


async def submit(cast, player, score, board="arcade-best"):
    credential = Credential(f"key:{cast.games['arcade']}", cast.games["arcade"], None, ("scores:write",))
    asked = Asked(score=score, player=player, leaderboards=[board])
    await cast.services.submits.submit(asked, credential=credential, now=runtime.utc_now())


# --- Who gets it ---------------------------------------------------------------------------------------------------------


async def test_it_is_a_picture_of_the_size_that_sites_want(cast):
    await submit(cast, "ada", 300)
    answer = await ask()
    assert (answer.status_code, answer["Content-Type"], answer["Cache-Control"]) == (200, "image/png", "public, max-age=30")
    image = Image.open(BytesIO(answer.content))
    assert (image.format, image.size) == ("PNG", (1200, 630))


async def test_who_has_it_already_is_not_sent_it_again(cast):
    first = await ask()
    again = await ask(**{"if-none-match": f'"other", W/{first["ETag"]}'})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])


async def test_a_head_has_the_length_and_no_picture(cast):
    whole, head = await ask(), await ask(method="HEAD")
    assert (head.status_code, head.content, head["Content-Length"]) == (200, b"", str(len(whole.content)))
    assert (await ask(method="POST")).status_code == 405


async def test_a_private_an_inactive_and_an_unknown_board_have_none_alike(cast):
    await cast.board("arcade-secret", is_public=False)
    await cast.board("arcade-closed", is_active=False)
    said = []
    for slug in ("arcade-secret", "arcade-closed", "no-such"):
        with pytest.raises(Http404) as refusal:
            await ask(slug)
        said.append(str(refusal.value).replace(slug, ""))
    assert len(set(said)) == 1


async def test_a_board_that_turned_private_has_none_though_it_was_drawn(cast):
    await ask()
    await cast.sql("UPDATE leaderboard_leaderboard SET is_public = $1 WHERE slug = 'arcade-best'", False)
    await cast.services.catalogs.refresh()
    with pytest.raises(Http404):
        await ask()


async def test_asking_too_often_is_refused_as_any_read_is(cast, rates):
    rates(read_address=2)
    answers = [await ask() for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1]["Content-Type"] == "application/problem+json"
    assert int(answers[-1]["Retry-After"]) > 0


# --- How rarely it is drawn ------------------------------------------------------------------------------------------------


class Drawing:
    """Draws nothing, but the letters of what it is to draw, and counts. Time is what it says."""

    def __init__(self):
        self.now, self.drawn, self.threads, self.at_once = 0.0, [], set(), 0
        self.go_on = threading.Event()
        self.go_on.set()
        self._busy = threading.Semaphore(1)
        self.shelf = Shelf(self._draw, lambda: self.now)

    def _draw(self, shown):
        assert self._busy.acquire(blocking=False), "two at once"
        self.go_on.wait(10)
        self.drawn.append(shown)
        self.threads.add(threading.get_ident())
        self._busy.release()
        return shown.title.encode()

    async def card(self, board, title="Cup"):
        async def read():
            return Shown(title, "", "", 0, ())

        return await self.shelf.card(board, read)


async def test_a_board_that_changes_is_drawn_once_in_thirty_seconds():
    drawing = Drawing()
    assert (await drawing.card(1, "a")).png == b"a"
    drawing.now = FRESH_S - 0.1
    assert (await drawing.card(1, "b")).png == b"a"
    drawing.now = FRESH_S
    assert (await drawing.card(1, "b")).png == b"b"


async def test_a_board_that_did_not_change_is_not_drawn_again():
    drawing = Drawing()
    first = await drawing.card(1)
    drawing.now = FRESH_S
    assert await drawing.card(1) is first
    assert len(drawing.drawn) == 1
    drawing.now += FRESH_S - 0.1
    await drawing.card(1, "new")
    assert len(drawing.drawn) == 1, "and is fresh for as long again"


async def test_all_who_ask_at_once_get_one_drawing_and_the_loop_goes_on():
    drawing = Drawing()
    drawing.go_on.clear()
    asked = [asyncio.create_task(drawing.card(board)) for board in (1, 1, 2, 2, 3)]
    await asyncio.sleep(0)
    asked[0].cancel()  # one hangs up
    drawing.go_on.set()
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert [card.png for card in found[1:]] == [b"Cup"] * 4
    assert len(drawing.drawn) == 3
    assert drawing.threads - {threading.get_ident()} == drawing.threads


async def test_when_too_many_wait_an_older_card_is_told_and_who_has_none_is_refused():
    drawing = Drawing()
    old = await drawing.card(0)
    drawing.now = FRESH_S
    drawing.go_on.clear()
    waiting = [asyncio.create_task(drawing.card(board)) for board in range(1, WAITING + 1)]
    await asyncio.sleep(0)
    assert await drawing.card(0, "new") is old
    with pytest.raises(Overloaded):
        await drawing.card(WAITING + 1)
    drawing.go_on.set()
    await asyncio.gather(*waiting)
    assert (await drawing.card(0, "new")).png == b"new"


async def test_it_holds_so_many_cards_and_no_more():
    drawing = Drawing()
    for board in range(ROOM + 5):
        await drawing.card(board)
    assert len(drawing.shelf._held) == ROOM


async def test_a_read_that_fails_fails_for_who_asked_and_for_nobody_later():
    drawing = Drawing()

    async def read():
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await drawing.shelf.card(1, read)
    assert (await drawing.card(1)).png == b"Cup"


# --- Any name ----------------------------------------------------------------------------------------------------------------


def lines(*names):
    return tuple(Line(rank, f"p{rank}", name, 1000 - rank) for rank, name in enumerate(names, 1))


def drawn(*names):
    return Image.open(BytesIO(picture.draw(Shown("Cup", "Arcade", "All time", len(names), lines(*names)))))


@pytest.mark.parametrize("name", NAMES)
def test_the_fonts_that_come_along_have_a_name_of_any_great_script(name, monkeypatch):
    monkeypatch.setattr(fonts, "_system", lambda: ())
    assert clusters(name) is not None


@pytest.mark.parametrize("face", fonts._first(), ids=lambda face: face.path.name)
def test_a_character_map_tells_of_glyphs_that_there_are(face):
    font = face.at(40, 700)
    missing = bytes(font.getmask(NO_FONT_HAS))
    assert not face.has(NO_FONT_HAS)
    assert not face.has("\U0010fffd")
    starts = [chr(start) for start in face._starts[:: max(1, len(face._starts) // 50)] if chr(start).isalpha()]
    assert [char for char in starts if bytes(font.getmask(char)) == missing] == []


@pytest.mark.slow
def test_a_name_that_no_font_has_is_told_by_the_players_id_and_else_by_a_bar():
    assert clusters(f"a{NO_FONT_HAS}") is None
    by_id = drawn("Ada", f"x{NO_FONT_HAS}")
    assert by_id.tobytes() == drawn("Ada", "p2").tobytes()
    nameless = Shown("Cup", "Arcade", "All time", 1, (Line(1, NO_FONT_HAS, NO_FONT_HAS, 1),))
    bar = Image.open(BytesIO(picture.draw(nameless))).convert("RGB")
    middle = picture.ROWS_Y + picture.PLATE_H // 2
    assert bar.getpixel((picture.NAME_X + 100, middle)) == picture.QUIET


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("Ada 12", ["Ada 12"]),
        ("נועה", ["נועה"]),
        ("נועה 42", ["42", "נועה "]),
        ("Hi נועה ok", ["Hi ", "נועה", " ", "ok"]),
        ("נועה ok", ["ok", "נועה "]),
        ("א 1 ב", [" ב", "1", "א "]),
        ("🦊 1", ["🦊", " 1"]),
    ],
)
def test_a_line_stands_in_the_order_in_which_it_is_seen(text, seen):
    assert [run.text for run in runs(clusters(text))] == seen


def test_what_belongs_together_is_not_torn():
    assert [part.text for part in clusters("e\u0301👩🏽\u200d🚀🇩🇪🇫🇷!")] == ["e\u0301", "👩🏽\u200d🚀", "🇩🇪", "🇫🇷", "!"]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from([*NAMES, " ", "W", "12", "(", ")"]), max_size=40), st.integers(40, 700))
def test_nothing_is_wider_than_its_room(parts, room):
    text = "".join(parts)
    laid = picture._laid(text, picture.NAME, room)
    assert picture._width(laid, picture.NAME) <= room
    shown = "".join(run.text for run in laid)
    assert sorted(shown) == sorted(text) or "…" in shown


def test_the_greatest_numbers_and_the_longest_names_leave_each_other_room():
    greatest = Line(1, "p", "W" * 150, -(2**53 - 1))
    picture.draw(Shown("W" * 200, "G" * 200, "Season of 24 November 2026", 10**9, (greatest,) * 5))


async def test_what_stands_on_the_board_stands_on_the_card(cast):
    empty = (await ask()).content
    await submit(cast, "ada", 300)
    views.shelf.cache_clear()
    assert (await ask()).content != empty


def test_a_season_is_told_by_its_first_day_where_the_board_is_at_home():
    assert season_words("all-time", "UTC") == "All time"
    assert season_words("2026-11-23T23:00:00Z", "Europe/Berlin") == "Season of 24 November 2026"
