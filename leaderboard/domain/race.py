"""The race: each of the best entries' score over time, from what it is now back to the beginning of a span.

A line ends at what its entry holds. Sums and counts are taken back from there, play by play, so that the newest part is right also where
the older plays were not all read. A line begins at a moderator's last word on its entry if that is in the span: what was held
before it was taken back.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from leaderboard.domain.definition import Definition
from leaderboard.domain.score import BoardId, Entry, Operator, Rules

Point = tuple[int, int]  # milliseconds since 1970 UTC, the total score from then on

POINTS = 120  # of a line at most
PLAYS_READ = 2_000  # of a player: ten players' take 50 ms
RECORDS_READ = 5_000  # where plays before the span decide as well


class Race(NamedTuple):
    """What is asked for: the first `limit` players of a board, from `since` on. `begins` and `ends` are the season's."""

    definition: Definition
    board: BoardId
    begins: datetime
    ends: datetime
    since: datetime
    limit: int

    @property
    def reads_records(self) -> bool:
        return self.definition.rules.operator is Operator.BEST

    @property
    def looked_at(self) -> int:
        return RECORDS_READ if self.reads_records else PLAYS_READ


class Play(NamedTuple):
    """A kept session, as far as it matters here. In order of their ids they came in."""

    session_id: int
    user_id: int
    score: int
    at_ms: int


class Word(NamedTuple):
    """A moderator's last word: what was held after `until_session`; a score of None: nothing."""

    until_session: int
    score: int | None
    at_ms: int


class Racer(NamedTuple):
    """One of the best, with what its line is made from.

    `plays` could have fed the leaderboard and come after the last `word`, in any order. On a best leaderboard they are those that were
    better than all before them and no better than the entry; else those since the span began, and the last one before.
    `is_cut`: older ones were not read, which would matter.
    """

    entry: Entry
    word: Word | None
    plays: Sequence[Play]
    is_cut: bool = False


class Line(NamedTuple):
    """`is_complete` is False if it does not say all that happened in the span."""

    points: list[Point]
    is_complete: bool


def line(rules: Rules, racer: Racer, *, since_ms: int) -> Line:
    """What was held at `since_ms`, unless it was nothing, and each other score from then on."""
    entry, word = racer.entry, racer.word
    score = rules.score_sign * entry.score_key
    if entry.achieved_ms < since_ms and (word is None or word.at_ms < since_ms):
        return Line([(since_ms, score)], is_complete=True)
    # One after the session that set the entry named other leaderboards only, or gained nothing.
    racer = racer._replace(plays=[play for play in sorted(racer.plays) if play.session_id <= entry.session_id])
    made = _taken_back if rules.operator in (Operator.SUM, Operator.COUNT) else _folded
    held, steps = made(rules, racer, since_ms)
    if word is not None and word.score is not None:
        if word.at_ms >= since_ms:
            held, steps = None, [(word.at_ms, word.score), *steps]
        elif held is None:
            held = word.score
    points = _changes([(since_ms, held), *steps] if held is not None else steps)
    if points and points[-1][1] == score:
        return Line(points, is_complete=not racer.is_cut)
    # A play that named other leaderboards only, or rules that changed in between: the entry is what counts.
    return Line(_changes([*points, (max(entry.achieved_ms, points[-1][0] if points else since_ms), score)]), is_complete=False)


def thinned(points: Sequence[Point]) -> list[Point]:
    """At most POINTS of them: the first, the last, the extremes of each stretch of time and what it ends with."""
    if len(points) <= POINTS:
        return list(points)
    for stretches in (POINTS // 2, POINTS // 4):  # two points a stretch where scores go one way, else four
        kept = _thinned(points, stretches)
        if len(kept) <= POINTS:
            break
    return kept


def _taken_back(rules: Rules, racer: Racer, since_ms: int) -> tuple[int | None, list[Point]]:
    """Of plays in their order: what was held at the beginning, None for nothing or not known, and what was held after each play since."""
    entry = racer.entry
    plays = [play for play in racer.plays if play.at_ms >= since_ms][-entry.version :]  # no more than it has taken
    value, steps = rules.score_sign * entry.score_key, []
    for play in reversed(plays):
        steps.append((play.at_ms, value))
        value -= 1 if rules.operator is Operator.COUNT else play.score
    was_there = len(plays) < entry.version and not racer.is_cut
    return value if was_there else None, steps[::-1]


def _folded(rules: Rules, racer: Racer, since_ms: int) -> tuple[int | None, list[Point]]:
    """The same for what a play replaces as a whole."""
    is_best, sign, word = rules.operator is Operator.BEST, rules.score_sign, racer.word
    best = sign * word.score if is_best and word is not None and word.score is not None else None
    held, steps = None, []
    for play in racer.plays:
        if best is not None and sign * play.score >= best:
            continue  # no better than a moderator's word
        if play.at_ms < since_ms:
            held = play.score
        else:
            steps.append((play.at_ms, play.score))
    # What was best before the plays that were read is not known: only the last is sure.
    return (None, steps[-1:]) if is_best and racer.is_cut else (held, steps)


def _changes(points: Sequence[Point]) -> list[Point]:
    """Those that change the score, in time: plays are in the order in which they were stored, and their clocks may differ a little."""
    kept: list[Point] = []
    for at_ms, score in points:
        if not kept or kept[-1][1] != score:
            kept.append((max(at_ms, kept[-1][0]) if kept else at_ms, score))
    return kept


def _thinned(points: Sequence[Point], stretches: int) -> list[Point]:
    first_ms, last_ms = points[0][0], points[-1][0]
    groups: dict[int, list[int]] = {}
    for place, (at_ms, _) in enumerate(points):
        groups.setdefault((at_ms - first_ms) * stretches // (last_ms - first_ms + 1), []).append(place)
    kept: set[int] = set()
    for places in groups.values():
        kept |= {places[0], places[-1]}
        kept |= {min(places, key=lambda place: points[place][1]), max(places, key=lambda place: points[place][1])}
    return [points[place] for place in sorted(kept)]
