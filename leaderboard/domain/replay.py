"""What a leaderboard's entries are, from the kept sessions and the moderators' edits alone: the fold that a re-ranking does.

A session counts if it is of the leaderboard's game (the caller sees to that), was played since the leaderboard was made, has its mode,
is within its bounds and, on an authoritative leaderboard, came with an API key. It counts in the season of its time. A session
that would take a sum out of range is passed over, as its submit would have been refused.

An edit covers its player's sessions from the start of its season to `until_session`. In their place the player holds what the edit
says, or nothing, and later sessions come in as ever. Of several edits of an entry the last one counts.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from leaderboard.domain.definition import Definition
from leaderboard.domain.score import SCORE_LIMIT, BoardId, Entry, Operator, Rules, merge, opening
from leaderboard.domain.season import ALL_TIME, Schedule, season_start

_EPOCH = season_start(ALL_TIME)
_MILLISECOND = timedelta(milliseconds=1)

BY_KEY = "key:"  # how the submitter of a game server begins


class Play(NamedTuple):
    """A kept session, as far as it matters here."""

    session_id: int
    user_id: int
    score: int
    subscore: int
    game_mode: str
    submitter: str
    at_ms: int


class Edit(NamedTuple):
    """A moderator's word. `total_score` None: the entry was removed. An edited value keeps its session and that one's time.

    `until_ms` is when `until_session` was.
    """

    id: int
    user_id: int
    season: int
    until_session: int
    total_score: int | None
    subscore: int
    session_id: int
    achieved_ms: int
    until_ms: int


def replay(rules: Rules, plays: Iterable[Play], *, edit: Edit | None = None) -> Entry | None:
    """One entry: what its last edit says, then the sessions after it, in the order of their ids."""
    held = _edited(rules, edit) if edit is not None else None
    for play in plays:
        if edit is None or play.session_id > edit.until_session:
            held = _after(rules, held, play)
    return held


class Replay:
    """All entries of one leaderboard, from sessions that come in the order of their ids. Memory: some 300 bytes an entry."""

    def __init__(self, definition: Definition, schedule: Schedule, *, made_ms: int, edits: Iterable[Edit] = ()) -> None:
        self.definition = definition
        self._schedule, self._made_ms = schedule, made_ms
        self._span = (0, 0, ALL_TIME)  # the season of the last play: begins, ends (ms), season
        self._covered: dict[int, list[Edit]] = defaultdict(list)
        self.seasons: dict[int, dict[int, Entry]] = defaultdict(dict)
        self.last_edit = 0
        for edit in sorted(edits):
            self._cover(edit)

    def take(self, plays: Iterable[Play]) -> set[tuple[int, int]]:
        """Fold them in; the (season, player) of each entry that may have changed."""
        changed = set()
        rules = self.definition.rules
        for play in plays:
            if self._counts(play):
                season, user_id = self._season(play.at_ms), play.user_id
                entries = self.seasons[season]
                held = entries.get(user_id)
                entry = _after(rules, held, play)
                if entry is not held:
                    entries[user_id] = entry
                    changed.add((season, user_id))
        return changed

    def boards(self) -> list[BoardId]:
        return [BoardId(self.definition.id, season) for season, entries in sorted(self.seasons.items()) if entries]

    def ranked(self, season: int) -> list[Entry]:
        """A season's entries, best first."""
        return sorted(self.seasons.get(season, {}).values(), key=lambda entry: entry[1:4])

    def _counts(self, play: Play) -> bool:
        definition = self.definition
        return (
            play.at_ms >= self._made_ms
            and definition.game_mode in ("", play.game_mode)
            and (definition.min_score is None or play.score >= definition.min_score)
            and (definition.max_score is None or play.score <= definition.max_score)
            and (not definition.authoritative or play.submitter.startswith(BY_KEY))
            and not (play.user_id in self._covered and self._is_covered(play))
        )

    def _is_covered(self, play: Play) -> bool:
        """By time, since a change of the schedule gives an edit's season another name, or none."""
        return any(play.session_id <= edit.until_session and play.at_ms >= edit.season * 1000 for edit in self._covered[play.user_id])

    def _cover(self, edit: Edit) -> None:
        self._covered[edit.user_id].append(edit)
        self.last_edit = max(self.last_edit, edit.id)
        entries, entry = self.seasons[self._season_of(edit)], _edited(self.definition.rules, edit)
        if entry is None:
            entries.pop(edit.user_id, None)
        else:
            entries[edit.user_id] = entry

    def _season_of(self, edit: Edit) -> int:
        """Its own if the schedule knows it, else the one that its last covered session is in."""
        known = self._season(edit.season * 1000) == edit.season
        is_all_time = self._schedule.ends(edit.season) is None
        return edit.season if known and (edit.season != ALL_TIME or is_all_time) else self._season(edit.until_ms)

    def _season(self, at_ms: int) -> int:
        begins, ends, season = self._span
        if not begins <= at_ms < ends:
            span = self._schedule.span_at(_EPOCH + at_ms * _MILLISECOND)
            begins, ends, season = self._span = (_ms(span.start), _ms(span.end), span.season)
        return season


def _ms(moment: datetime) -> int:
    return (moment - _EPOCH) // _MILLISECOND


def _edited(rules: Rules, edit: Edit) -> Entry | None:
    if edit.total_score is None:
        return None
    keys = (rules.score_sign * edit.total_score, rules.subscore_sign * edit.subscore)
    return Entry(edit.user_id, *keys, edit.session_id, 1, edit.achieved_ms)


def _after(rules: Rules, held: Entry | None, play: Play) -> Entry:
    """What is held after the play: what was, if it does not fit."""
    new = opening(rules, user_id=play.user_id, score=play.score, subscore=play.subscore, session_id=play.session_id, achieved_ms=play.at_ms)
    if held is None:
        return new
    entry = merge(rules.operator, held, new)
    if rules.operator in (Operator.SUM, Operator.COUNT) and not (
        -SCORE_LIMIT <= entry.score_key <= SCORE_LIMIT and -SCORE_LIMIT <= entry.subscore_key <= SCORE_LIMIT
    ):
        return held
    return entry
