"""The picture: the board page's marquee and first rows, in its dark colours, 1200 by 630 as the sites that show links want it.

Blocking and slow (some tenths of a second): for a thread of its own, one at a time.
"""

from functools import cache
from io import BytesIO
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont, features

from realtime.cards.fonts import italic
from realtime.cards.shown import ROWS, Line, Shown
from realtime.cards.text import Cluster, Run, clusters, runs

Colour = tuple[int, int, int]

WIDTH, HEIGHT = 1200, 630
FINE = 2  # shapes are painted so many times as large, since Pillow does not smooth their edges
EDGE = 56
MARQUEE_H = 186
ROWS_Y, ROW_H, PLATE_H = 202, 74, 66
MEDAL_W = 96
NAME_X = EDGE + MEDAL_W + 30
SCORE_W = 480  # at most; what a score leaves is the name's

BLACK, REGULAR = 900, 600  # weights
PAPER, DOTS, PLATE = (11, 9, 32), (23, 19, 58), (22, 18, 47)
MARQUEE, MARQUEE_2, PINK = (27, 19, 80), (87, 16, 82), (224, 18, 79)
INK, QUIET, ON_MARQUEE, ON_MARQUEE_QUIET = (245, 241, 255), (167, 159, 201), (255, 248, 230), (201, 191, 230)
BULB, MEDAL_INK = (255, 201, 60), (35, 22, 58)
MEDALS: tuple[tuple[Colour, Colour], ...] = (
    ((255, 201, 60), (240, 140, 0)),
    ((230, 236, 245), (147, 161, 184)),
    ((243, 176, 124), (178, 96, 43)),
)


class Lettering(NamedTuple):
    """How text is set: the size in pixels, the weight, and whether in italics if those have all of it."""

    size: int
    weight: int = BLACK
    leans: bool = False


KICKER, NUMBER, RANK = Lettering(25, REGULAR), Lettering(38, leans=True), Lettering(40, leans=True)
NAME, FOOT, EMPTY = Lettering(34, 700), Lettering(24, REGULAR), Lettering(52, leans=True)
TITLES = tuple(Lettering(size, leans=True) for size in (84, 72, 62, 54))
SMALLEST = 20  # pixels of a score


def draw(shown: Shown) -> bytes:
    """A PNG."""
    image = _stage(min(len(shown.lines), ROWS)).copy()
    brush = ImageDraw.Draw(image)
    _bill(brush, shown)
    for place, line in enumerate(shown.lines[:ROWS]):
        _row(image, brush, place, line, _share(shown, line))
    if not shown.lines:
        _centred(brush, "NO SCORES YET", EMPTY, middle=(WIDTH // 2, 400), colour=INK)
    _foot(brush, shown)
    packed = BytesIO()
    image.save(packed, "PNG")
    return packed.getvalue()


def _bill(brush: ImageDraw.ImageDraw, shown: Shown) -> None:
    room = WIDTH - 2 * EDGE
    season = f" / {shown.season.upper()}"  # by itself: what the game is written in must not turn the line around
    season_w = _width(_laid(season, KICKER), KICKER)
    game = shown.game.upper()
    game_w = min(_width(_laid(game, KICKER), KICKER), room - season_w)
    _write(brush, game, KICKER, at=(EDGE, 64), colour=ON_MARQUEE_QUIET, room=game_w)
    _write(brush, season, KICKER, at=(EDGE + game_w, 64), colour=ON_MARQUEE_QUIET, room=season_w)
    title = shown.title.upper()
    lettering = next((one for one in TITLES if _width(_laid(title, one), one) <= room), TITLES[-1])
    for shift, colour in ((4, PINK), (0, ON_MARQUEE)):
        _write(brush, title, lettering, at=(EDGE + shift, 142 + shift), colour=colour, room=room)


def _row(image: Image.Image, brush: ImageDraw.ImageDraw, place: int, line: Line, share: float) -> None:
    top = ROWS_Y + place * ROW_H
    base = top + PLATE_H // 2
    medal = MEDALS[place] if place < len(MEDALS) else None
    if share:
        right = NAME_X + int(share * (WIDTH - EDGE - 40 - NAME_X))
        _fade(image, (NAME_X, top + PLATE_H - 4, right, top + PLATE_H - 1), medal[1] if medal else PINK, (0, 255))
    _centred(brush, f"{line.rank:,}", RANK, middle=(EDGE + 32, base), colour=MEDAL_INK if medal else QUIET)
    number, lettering = f"{line.score:,}", NUMBER
    while _width(_laid(number, lettering), lettering) > SCORE_W and lettering.size > SMALLEST:
        lettering = lettering._replace(size=lettering.size - 2)
    score_w = _width(_laid(number, lettering), lettering)
    _write(brush, number, lettering, at=(WIDTH - EDGE - 30 - score_w, base + 13), colour=INK, room=score_w + 1)
    _name(brush, line, base, WIDTH - EDGE - 30 - score_w - 30 - NAME_X)


def _name(brush: ImageDraw.ImageDraw, line: Line, base: int, room: float) -> None:
    """The name, where no font has it the player's id, and where none has that either a bar: never the empty boxes of missing characters."""
    for text in (line.name, line.player):
        if text and clusters(text) is not None:
            _write(brush, text, NAME, at=(NAME_X, base + 12), colour=INK, room=room)
            return
    brush.rounded_rectangle((NAME_X, base - 9, NAME_X + min(room, 220), base + 9), 9, fill=QUIET)


def _foot(brush: ImageDraw.ImageDraw, shown: Shown) -> None:
    words = f"{shown.total:,} {'player' if shown.total == 1 else 'players'}"
    _write(brush, words, FOOT, at=(EDGE, HEIGHT - 22), colour=QUIET, room=400)
    live = "LIVE LEADERBOARD"
    _write(brush, live, FOOT, at=(WIDTH - EDGE - _width(_laid(live, FOOT), FOOT), HEIGHT - 22), colour=BULB, room=400)


def _share(shown: Shown, line: Line) -> float:
    """Of the leader's score; 0 where that says nothing, as where less is better."""
    lead = shown.lines[0].score
    comparable = lead > 0 and all(0 <= one.score <= lead for one in shown.lines)
    return line.score / lead if comparable else 0.0


# --- Text --------------------------------------------------------------------------------------------------------------------


def _write(brush: ImageDraw.ImageDraw, text: str, lettering: Lettering, *, at: tuple[float, float], colour: Colour, room: float) -> None:
    """`at` is the left end of the base line. What is wider than the room is cut, and says so."""
    left, base = at
    for run in _laid(text, lettering, room):
        font = run.face.at(lettering.size, lettering.weight)
        brush.text((left, base), _spelled(run), colour, font, anchor="ls", direction=_direction(run))
        left += _length(run, font)


def _centred(brush: ImageDraw.ImageDraw, text: str, lettering: Lettering, *, middle: tuple[float, float], colour: Colour) -> None:
    laid = _laid(text, lettering)
    left = middle[0] - _width(laid, lettering) / 2
    _write(brush, text, lettering, at=(left, middle[1] + lettering.size * 0.36), colour=colour, room=WIDTH)


def _laid(text: str, lettering: Lettering, room: float | None = None) -> list[Run]:
    parts = _parts(text, lettering)
    whole = runs(parts)
    if room is None or _width(whole, lettering) <= room:
        return whole
    more = _parts("…", lettering)
    fits, over = 0, len(parts)
    while over - fits > 1:
        middle = (fits + over) // 2
        fits, over = (middle, over) if _width(runs(parts[:middle] + more), lettering) <= room else (fits, middle)
    return runs(parts[:fits] + more)


def _parts(text: str, lettering: Lettering) -> list[Cluster]:
    """Without what no font has; a name was looked at before."""
    leaning = italic() if lettering.leans else None
    if leaning is not None and all(leaning.has(char) for char in text):
        return [Cluster(char, leaning) for char in text]
    return clusters(text) or [part for char in text for part in clusters(char) or ()]


def _width(laid: list[Run], lettering: Lettering) -> float:
    return sum(_length(run, run.face.at(lettering.size, lettering.weight)) for run in laid)


def _length(run: Run, font: ImageFont.FreeTypeFont) -> float:
    return font.getlength(_spelled(run), direction=_direction(run))


@cache
def _is_shaping() -> bool:
    return bool(features.check("raqm"))


def _direction(run: Run) -> str | None:
    return ("rtl" if run.is_rtl else "ltr") if _is_shaping() else None


def _spelled(run: Run) -> str:
    """Where Pillow comes without shaping: letters apart, but in their order."""
    return run.text[::-1] if run.is_rtl and not _is_shaping() else run.text


# --- Shapes ------------------------------------------------------------------------------------------------------------------


@cache
def _stage(rows: int) -> Image.Image:
    """All but the text; painted once."""
    image = Image.new("RGB", (WIDTH * FINE, HEIGHT * FINE), PAPER)
    brush = ImageDraw.Draw(image)
    for y in range(MARQUEE_H, HEIGHT, 20):
        for x in range(10, WIDTH, 20):
            _disc(brush, x, y, 1.6, DOTS)
    _marquee(image, brush)
    for place in range(rows):
        _plate(image, brush, place)
    return image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)


def _marquee(image: Image.Image, brush: ImageDraw.ImageDraw) -> None:
    box = (0, 0, WIDTH * FINE, MARQUEE_H * FINE)
    image.paste(MARQUEE, box)
    _fade(image, box, MARQUEE_2, (0, 255))
    light = Image.new("L", image.size, 0)
    stripes = ImageDraw.Draw(light)
    for x in range(-40, WIDTH, 190):
        stripes.polygon(_fine([(x + 90, 0), (x + 150, 0), (x + 60, MARQUEE_H), (x, MARQUEE_H)]), fill=11)
    image.paste((255, 255, 255), (0, 0), light)
    for x in range(15, WIDTH, 30):
        for y in (15, MARQUEE_H - 15):
            for radius, colour in ((7.5, (104, 68, 74)), (5, BULB), (1.8, (255, 255, 255))):
                _disc(brush, x, y, radius, colour)


def _plate(image: Image.Image, brush: ImageDraw.ImageDraw, place: int) -> None:
    left, right, top, bottom = EDGE, WIDTH - EDGE, ROWS_Y + place * ROW_H, ROWS_Y + place * ROW_H + PLATE_H
    corner = 16
    brush.polygon(_fine([(left, top), (right, top), (right, bottom - corner), (right - corner, bottom), (left, bottom)]), fill=PLATE)
    if place >= len(MEDALS):
        return
    light, dark = MEDALS[place]
    _fade(image, (left * FINE, top * FINE, (left + 700) * FINE, bottom * FINE), dark, (84, 0))
    brush.polygon(_fine([(left, top), (left + MEDAL_W, top), (left + MEDAL_W - 18, bottom), (left, bottom)]), fill=dark)
    brush.polygon(_fine([(left, top), (left + 66, top), (left + 48, bottom), (left, bottom)]), fill=light)
    brush.polygon(_fine([(left + 69, top), (left + 75, top), (left + 57, bottom), (left + 51, bottom)]), fill=(255, 255, 255))


def _fade(image: Image.Image, box: tuple[int, int, int, int], colour: Colour, opacity: tuple[int, int]) -> None:
    """Lay a colour over the box that is more or less opaque from left to right."""
    size = (box[2] - box[0], box[3] - box[1])
    if min(size) < 1:
        return
    first, last = opacity
    way = Image.linear_gradient("L").rotate(90).resize(size)
    image.paste(colour, box, way.point([first + (last - first) * step // 255 for step in range(256)]))


def _disc(brush: ImageDraw.ImageDraw, x: float, y: float, radius: float, colour: Colour) -> None:
    brush.ellipse([(x - radius) * FINE, (y - radius) * FINE, (x + radius) * FINE, (y + radius) * FINE], fill=colour)


def _fine(points: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return [(x * FINE, y * FINE) for x, y in points]
