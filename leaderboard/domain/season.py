"""Seasons: the spans between a leaderboard's resets.

A reset schedule names wall-clock times in the leaderboard's time zone: "" (never: the all-time season), "daily", "weekly"
(Monday) and "monthly", all at 00:00, or a cron line of five fields as Vixie cron reads it. If both the day of the month and the
weekday are restricted, either will do; if one of them starts with `*`, both must match.

When the clock is changed, as in Vixie cron:
- A line with a fixed hour and minute (so also daily, weekly, monthly) resets once a day come what may: a time that the clock skips
  counts at the end of the gap, a time that it shows twice counts the first time.
- A line whose minute or hour starts with `*` follows the clock: a skipped time does not count, a repeated one counts twice, so that
  an hourly season is an hour long that night too.

A season is named by its start, in seconds since 1970 UTC, and 0 names the all-time season. A moment at a boundary belongs to the new
season. Meant for moments after 1970.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from leaderboard.domain.errors import InvalidDefinition, SeasonNotFound

ALL_TIME = 0
ALL_TIME_LABEL = "all-time"

SCHEDULE_LENGTH = 100  # characters, as the column holds
TIME_ZONE_LENGTH = 64

_NAMED = {"daily": "0 0 * * *", "weekly": "0 0 * * 1", "monthly": "0 0 1 * *"}

_DAY = timedelta(days=1)
EVER = datetime.min.replace(tzinfo=UTC)
NEVER = datetime.max.replace(tzinfo=UTC)

# The rarest line there is, a 29th of February on one weekday, skips 40 years around 1900 or 2100. Longer than that is never.
_SEARCH_DAYS = 41 * 366

# Zone files list their clock changes up to 2037 and repeat one rule from then on: what matches after that does for good.
_RULES_SETTLED = datetime(2038, 1, 1, tzinfo=UTC)

# Zone files that are no zone of the world: they depend on the machine, or count leap seconds.
_NO_ZONE = re.compile(r"localtime|posixrules|Factory|(?:right|posix)/.*")

_LABEL = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_LAST_YEAR = 9000  # far enough from the calendar's end for arithmetic in any time zone


class Schedule:
    """When one leaderboard's seasons begin. Get it from `parse_schedule`.

    It remembers the season it was asked for last, since nearly every submit falls into the same one: that costs two comparisons.
    The memory is one tuple, replaced as a whole, so threads may share a schedule.
    """

    def __init__(self, resets: "_Resets | None") -> None:
        self._resets = resets
        self._span = Span(EVER, NEVER, ALL_TIME) if resets is None else Span(NEVER, NEVER, ALL_TIME)

    def season_at(self, moment: datetime) -> int:
        """The season that `moment` (aware) falls into."""
        return self.span_at(moment).season

    def span_at(self, moment: datetime) -> "Span":
        """That season from start to end."""
        span = self._span
        if span.start <= moment < span.end:
            return span
        span = self._span = self._span_at(moment)
        return span

    def ends(self, season: int) -> datetime | None:
        """When the season is over, which is when the next begins; None for the all-time season."""
        if self._resets is None:
            return None
        return self._resets.after(season_start(season))

    def previous(self, season: int) -> int | None:
        """The season before; None if there is none since 1970."""
        if self._resets is None:
            return None
        start = self._resets.until(season_start(season) - timedelta.resolution)
        return None if start is None or start.timestamp() <= 0 else int(start.timestamp())

    def upcoming(self, moment: datetime, count: int) -> list[datetime]:
        """The next `count` resets after `moment`, in UTC; none for an all-time schedule."""
        resets: list[datetime] = []
        while self._resets is not None and len(resets) < count and (reset := self._resets.after(moment)) is not None:
            resets.append(reset)
            moment = reset
        return resets

    def _span_at(self, moment: datetime) -> "Span":
        if self._resets is None:
            return self._span
        start = self._resets.until(moment)
        end = self._resets.after(moment)
        return Span(start or EVER, end or NEVER, int(start.timestamp()) if start else ALL_TIME)


class Span(NamedTuple):
    """start <= moment < end"""

    start: datetime
    end: datetime
    season: int


@lru_cache(maxsize=1024)  # definitions are loaded anew whenever one changes; the schedules keep what they remember
def parse_schedule(schedule: str, time_zone: str) -> Schedule:
    """Raises InvalidDefinition, with an error for each of `reset_schedule` and `time_zone` that is wrong."""
    errors: list[dict[str, str]] = []
    zone = _zone(time_zone)
    if zone is None:
        errors.append({"field": "time_zone", "detail": f"{_shown(time_zone)} is no time zone of the tz database, such as Europe/Berlin."})
    line = _cron(_NAMED.get(schedule, schedule)) if schedule else None
    if isinstance(line, str):
        errors.append({"field": "reset_schedule", "detail": f"{_shown(schedule)}: {line}"})
    if zone is not None and isinstance(line, CronSim):
        resets = _Resets(line, zone)
        if resets.after(_RULES_SETTLED) is not None:
            return Schedule(resets)
        errors.append({"field": "reset_schedule", "detail": f"{_shown(schedule)}: no time ever matches it."})
    if errors:
        raise InvalidDefinition(" ".join(error["detail"] for error in errors), errors=errors)
    return Schedule(None)


@lru_cache(maxsize=4096)  # every answer carries one
def season_label(season: int) -> str:
    """The season as outsiders see it: "all-time", or its start such as "2026-11-23T00:00:00Z"."""
    return ALL_TIME_LABEL if season == ALL_TIME else season_start(season).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_season(text: str) -> int:
    """The season of a label. It has one spelling, so that it is one key in caches. Raises SeasonNotFound."""
    if text == ALL_TIME_LABEL:
        return ALL_TIME
    if _LABEL.fullmatch(text):
        try:
            start = datetime.fromisoformat(text)
        except ValueError:  # such as the 30th of February
            start = EVER
        if start.timestamp() > 0 and start.year <= _LAST_YEAR:
            return int(start.timestamp())
    raise SeasonNotFound(f"{_shown(text)} is no season: it is all-time, or a start such as 2026-11-23T00:00:00Z.")


def season_start(season: int) -> datetime:
    """In UTC. The all-time season has none; 1970 stands in."""
    return datetime.fromtimestamp(season, UTC)


def _shown(text: str) -> str:
    """For a message: in quotes, printable ASCII, not long."""
    return ascii(text if len(text) <= SCHEDULE_LENGTH else text[:SCHEDULE_LENGTH] + "...")


def _zone(name: str) -> ZoneInfo | None:
    if len(name) > TIME_ZONE_LENGTH or _NO_ZONE.fullmatch(name):
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # unknown; no path of its kind or no zone file; a folder
        return None


def _cron(line: str) -> CronSim | str:
    """The parsed line, or what is wrong with it."""
    if len(line) > SCHEDULE_LENGTH:
        return f"longer than {SCHEDULE_LENGTH} characters."
    if len(line.split()) != 5:
        return "neither blank, daily, weekly, monthly nor a cron line of five fields."
    try:
        return CronSim(line, datetime(2000, 1, 1))  # noqa: DTZ001 - parsed only; the walk through time is ours
    except CronSimError as error:
        return f"{str(error).lower()} in the cron line."


class _Resets:
    """The moments of a cron line in a time zone, as an ordered set that can be searched both ways.

    cronsim reads the fields and matches dates. The walk is ours: its own forward and backward iterations disagree around clock
    changes, and then seasons would overlap.
    """

    def __init__(self, line: CronSim, zone: ZoneInfo) -> None:
        self._line = line
        self._zone = zone
        self._times = [time(hour, minute) for hour in sorted(line.hours) for minute in sorted(line.minutes)]
        _, minute, hour, *_ = line.parts  # the first is the seconds field that cronsim adds
        self._follows_clock = minute.startswith("*") or hour.startswith("*")
        # A schedule that resets every minute has 1,440 moments a day, a millisecond's work or more.
        self._on = lru_cache(maxsize=8)(self._moments)

    def after(self, moment: datetime) -> datetime | None:
        """The first reset later than `moment`."""
        return self._search(moment, 1)

    def until(self, moment: datetime) -> datetime | None:
        """The last reset not later than `moment`."""
        return self._search(moment, -1)

    def _search(self, moment: datetime, step: int) -> datetime | None:
        # From a day behind, and to a day beyond the first hit: a clock that is set back at midnight brings yesterday's
        # times once more after today's first ones.
        for day in self._days(moment.astimezone(self._zone).date() - step * _DAY, step):
            if found := self._beyond(moment, day, step):
                found += self._beyond(moment, day + step * _DAY, step)
                return min(found) if step > 0 else max(found)
        return None

    def _beyond(self, moment: datetime, day: date, step: int) -> list[datetime]:
        if not self._matches(day):
            return []
        resets = self._on(day)
        index = bisect_right(resets, moment)
        return resets[index:] if step > 0 else resets[:index]

    def _days(self, day: date, step: int) -> Iterator[date]:
        for _ in range(_SEARCH_DAYS):
            if self._matches(day):
                yield day
            try:
                day += step * _DAY
            except OverflowError:  # the calendar's end
                return

    def _matches(self, day: date) -> bool:
        return day.month in self._line.months and self._line.match_day(day)

    def _moments(self, day: date) -> list[datetime]:
        """The resets of one local date, ascending, in UTC."""
        return sorted({moment for at in self._times for moment in self._occurrences(datetime.combine(day, at))})

    def _occurrences(self, wall: datetime) -> Iterator[datetime]:
        """When the zone's clock counts as showing `wall`."""
        first, second = (wall.replace(tzinfo=self._zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        if first <= second:
            yield first
            if first < second and self._follows_clock:
                yield second
        elif not self._follows_clock:  # skipped: read by the offset before the gap it lies behind it, and the other way round
            yield self._gap_end(second, first)

    def _gap_end(self, before: datetime, behind: datetime) -> datetime:
        offset = before.astimezone(self._zone).utcoffset()
        seconds = range(int((behind - before).total_seconds()) + 1)
        changed = bisect_left(
            seconds, True, key=lambda second: (before + timedelta(seconds=second)).astimezone(self._zone).utcoffset() != offset
        )
        return before + timedelta(seconds=changed)
