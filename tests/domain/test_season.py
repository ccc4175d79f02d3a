"""Seasons tile time: whatever the schedule, the zone and the clock changes. Moments cluster around clock changes on purpose."""

# ruff: noqa: DTZ001 - hypothesis and cronsim take bounds without a zone

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import example, given
from hypothesis import strategies as st

from leaderboard.domain.errors import InvalidDefinition, SeasonNotFound
from leaderboard.domain.season import Schedule, parse_schedule, parse_season, season_label

ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",  # half an hour of summer time
    "Asia/Kathmandu",  # UTC+5:45
    "America/St_Johns",  # until 2011 set back at 00:01, to the day before
    "Pacific/Apia",  # never had the 30th of December 2011
    "Africa/Cairo",  # skips midnight
    "America/Havana",  # repeats midnight
    "America/Sao_Paulo",
]
NAMED = ["daily", "weekly", "monthly"]
LINES = [
    *NAMED,
    "0 * * * *",
    "*/30 * * * *",
    "30 2 * * *",
    "0 2,3 * * *",
    "*/20 2 * * *",
    "15 23 * * *",
    "0 12 1,15 * FRI",
    "0 0 29 2 *",
    "0 0 L * *",
    "0 5 * * MON#1",
]
MICROSECOND = timedelta.resolution
MINUTE = timedelta(minutes=1)


@cache
def clock_changes(zone: str) -> list[datetime]:
    """Days (UTC noon to noon) of 1990 to 2040 in which the zone's offset changes."""
    noons = [datetime(1990, 1, 1, 12, tzinfo=UTC) + timedelta(days=day) for day in range(365 * 50)]
    offsets = [noon.astimezone(ZoneInfo(zone)).utcoffset() for noon in noons]
    return [noon for noon, (before, behind) in zip(noons, pairwise(offsets), strict=False) if before != behind]


@st.composite
def moments(draw: st.DrawFn, zone: str) -> datetime:
    anywhere = st.datetimes(datetime(1972, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))
    if not clock_changes(zone) or draw(st.booleans()):
        return draw(anywhere)
    return draw(st.sampled_from(clock_changes(zone))) + timedelta(minutes=draw(st.integers(-1440, 3 * 1440)))


@st.composite
def schedules(draw: st.DrawFn) -> tuple[str, str]:
    return draw(st.sampled_from(LINES)), draw(st.sampled_from(ZONES))


@st.composite
def questions(draw: st.DrawFn) -> tuple[Schedule, datetime]:
    line, zone = draw(schedules())
    return parse_schedule(line, zone), draw(moments(zone))


def at(text: str, zone: str = "UTC", *, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)


def walls(resets: list[datetime], zone: str) -> list[str]:
    return [reset.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M%z") for reset in resets]


@given(questions())
def test_a_moment_lies_in_its_season(question):
    schedule, moment = question
    season = schedule.season_at(moment)
    assert season <= moment.timestamp() < schedule.ends(season).timestamp()


@given(questions())
def test_the_next_season_begins_where_one_ends(question):
    schedule, moment = question
    season = schedule.season_at(moment)
    end = schedule.ends(season)
    assert schedule.season_at(end) == end.timestamp()
    assert schedule.season_at(end - MICROSECOND) == season
    assert schedule.previous(schedule.season_at(end)) == (season if season > 0 else None)


@given(questions(), st.integers(0, 10**9))
def test_a_later_moment_has_no_earlier_season(question, seconds):
    schedule, moment = question
    assert schedule.season_at(moment) <= schedule.season_at(moment + timedelta(seconds=seconds))


@given(schedules(), st.data())
def test_the_answer_does_not_depend_on_what_was_asked_before(given_schedule, data):
    line, zone = given_schedule
    schedule = parse_schedule.__wrapped__(line, zone)
    asked = data.draw(st.lists(moments(zone), min_size=1, max_size=6))
    alone = [parse_schedule.__wrapped__(line, zone).season_at(moment) for moment in asked]
    assert [schedule.season_at(moment) for moment in asked] == alone
    assert [schedule.season_at(moment.astimezone(ZoneInfo(zone))) for moment in reversed(asked)] == alone[::-1]


@given(questions())
def test_upcoming_resets_are_the_ends_of_the_seasons_to_come(question):
    schedule, moment = question
    resets = schedule.upcoming(moment, 4)
    assert resets[0] == schedule.ends(schedule.season_at(moment))
    for reset, following in pairwise(resets):
        assert schedule.ends(int(reset.timestamp())) == following


def first_day(named: str, today: date) -> date:
    if named == "weekly":
        return today - timedelta(days=today.weekday())
    return today.replace(day=1) if named == "monthly" else today


@pytest.mark.parametrize("zone", [zone for zone in ZONES if zone != "America/St_Johns"])
@pytest.mark.parametrize("named", NAMED)
@given(data=st.data())
def test_a_named_season_begins_with_the_first_moment_of_its_first_local_day(named, zone, data):
    moment = data.draw(moments(zone))
    local = moment.astimezone(ZoneInfo(zone))
    start = datetime.fromtimestamp(parse_schedule(named, zone).season_at(moment), UTC)
    assert start.astimezone(ZoneInfo(zone)).date() == first_day(named, local.date())
    assert (start - MICROSECOND).astimezone(ZoneInfo(zone)).date() < first_day(named, local.date())


def cron_daemon(line: str, zone: str, start: datetime, days: int) -> Iterator[datetime]:
    """What a cron that looks at the clock every minute would do: slow, and written without a search."""
    fields = CronSim(line, datetime(2000, 1, 1))
    follows_clock = "*" in (line[0], line.split()[1][0])
    seen = (start - 2 * timedelta(days=1)).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    minute = start - 2 * timedelta(days=1)  # a run-up, so that it knows what the clock has shown
    while (minute := minute + MINUTE) < start + timedelta(days=days):
        wall = minute.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        shown = [wall] if follows_clock else [seen + step * MINUTE for step in range(1, int((wall - seen) / MINUTE) + 1)]
        seen = max(seen, wall)
        due = any(
            w.minute in fields.minutes and w.hour in fields.hours and w.month in fields.months and fields.match_day(w.date()) for w in shown
        )
        if due and minute >= start:
            yield minute


CRON_LINES = [line for line in LINES if line not in NAMED]


@pytest.mark.parametrize("line", [line for line in CRON_LINES if line.split()[2:] == ["*", "*", "*"]])
@pytest.mark.parametrize("zone", [zone for zone in ZONES if zone not in ("UTC", "Asia/Kathmandu", "Pacific/Apia")])
def test_it_resets_when_a_cron_that_watches_the_clock_would(zone, line):
    for change in (clock_changes(zone)[0], clock_changes(zone)[1], clock_changes(zone)[-1]):
        start = change - timedelta(hours=12)
        expected = list(cron_daemon(line, zone, start, 2))
        assert expected, "the daemon never fired: this proves nothing"
        assert parse_schedule(line, zone).upcoming(start - MICROSECOND, len(expected)) == expected


@pytest.mark.parametrize("line", [*CRON_LINES, "5-10/2 1 1-7 */3 *", "0 0 13 * FRI", "0 0 */7 * MON", "0 6 LW * *"])
@given(moment=st.datetimes(datetime(1975, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)))
def test_it_agrees_with_cronsim_where_the_clock_never_changes(line, moment):
    assert parse_schedule(line, "UTC").upcoming(moment, 3) == list(islice(CronSim(line, moment), 3))


@pytest.mark.parametrize(
    ("line", "zone", "night", "expected"),
    [
        ("30 2 * * *", "Europe/Berlin", "2026-03-29", ["2026-03-29 03:00+0200", "2026-03-30 02:30+0200"]),
        ("30 2 * * *", "Europe/Berlin", "2026-10-25", ["2026-10-25 02:30+0200", "2026-10-26 02:30+0100"]),
        ("0 2,3 * * *", "Europe/Berlin", "2026-03-29", ["2026-03-29 03:00+0200", "2026-03-30 02:00+0200"]),
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-04", ["2026-10-04 02:30+1100", "2026-10-05 02:15+1100"]),
        ("45 1 * * *", "Australia/Lord_Howe", "2026-04-05", ["2026-04-05 01:45+1100", "2026-04-06 01:45+1030"]),
        ("daily", "Africa/Cairo", "2026-04-23T12:00", ["2026-04-24 01:00+0300", "2026-04-25 00:00+0300"]),
        ("daily", "America/Havana", "2026-10-31T12:00", ["2026-11-01 00:00-0400", "2026-11-02 00:00-0500"]),
        ("daily", "Pacific/Apia", "2011-12-29T12:00", ["2011-12-31 00:00+1400", "2012-01-01 00:00+1400"]),
        ("daily", "America/St_Johns", "2010-11-06T12:00", ["2010-11-07 00:00-0230", "2010-11-08 00:00-0330"]),
        ("0 */6 * * *", "Europe/Berlin", "2026-03-29T00:00", ["2026-03-29 06:00+0200", "2026-03-29 12:00+0200"]),
    ],
)
def test_a_fixed_time_counts_once_a_day_whatever_the_clock_does(line, zone, night, expected):
    assert walls(parse_schedule(line, zone).upcoming(at(night, zone), 2), zone) == expected


def test_an_hourly_season_is_an_hour_long_in_both_nights_of_clock_changes():
    hourly = parse_schedule("0 * * * *", "Europe/Berlin")
    for night, hours in (("2026-03-29", 23), ("2026-10-25", 25)):
        start = at(night, "Europe/Berlin")
        resets = hourly.upcoming(start, hours)
        assert {after - before for before, after in pairwise([start.astimezone(UTC), *resets])} == {timedelta(hours=1)}
        assert resets[-1].astimezone(ZoneInfo("Europe/Berlin")).hour == 0


def test_both_showings_of_a_repeated_hour_are_told_apart():
    hourly = parse_schedule("0 * * * *", "Europe/Berlin")
    first, second = (at("2026-10-25T02:30", "Europe/Berlin", fold=fold) for fold in (0, 1))
    assert hourly.season_at(second) - hourly.season_at(first) == 3600


def test_a_leap_day_is_found_over_a_century_that_has_none():
    leap = parse_schedule("0 0 29 2 *", "UTC")
    assert season_label(leap.season_at(at("2027-07-01"))) == "2024-02-29T00:00:00Z"
    assert leap.ends(leap.season_at(at("2097-01-01"))) == at("2104-02-29")
    rare = parse_schedule("0 0 29 2 */7", "UTC")  # on a Sunday
    assert rare.ends(rare.season_at(at("2090-01-01"))) == at("2128-02-29")


def test_a_boundary_belongs_to_the_new_season():
    daily = parse_schedule("daily", "Asia/Kathmandu")
    assert season_label(daily.season_at(at("2026-11-23", "Asia/Kathmandu"))) == "2026-11-22T18:15:00Z"
    assert season_label(daily.season_at(at("2026-11-23", "Asia/Kathmandu") - MICROSECOND)) == "2026-11-21T18:15:00Z"


def test_a_week_begins_on_monday():
    weekly = parse_schedule("weekly", "UTC")
    assert season_label(weekly.season_at(at("2026-11-29T23:59:59"))) == "2026-11-23T00:00:00Z"
    assert weekly.previous(weekly.season_at(at("2026-11-29"))) == at("2026-11-16").timestamp()


@pytest.mark.parametrize("moment", [at("1970-01-01"), at("2026-11-23", "Europe/Berlin"), datetime.max.replace(tzinfo=UTC)])
def test_an_all_time_board_has_one_season_that_never_ends(moment):
    schedule = parse_schedule("", "Europe/Berlin")
    assert schedule.season_at(moment) == 0
    assert (schedule.ends(0), schedule.previous(0), schedule.upcoming(moment, 3)) == (None, None, [])


def test_a_moment_without_a_zone_is_a_defect_of_the_caller():
    with pytest.raises(TypeError):
        parse_schedule("daily", "UTC").season_at(datetime(2026, 11, 23))


def test_the_first_season_since_1970_has_none_before_it():
    daily = parse_schedule("daily", "UTC")
    assert daily.previous(86400) is None
    assert daily.previous(2 * 86400) == 86400


def test_before_the_first_reset_of_all_there_is_one_long_season():
    leap = parse_schedule("0 0 29 2 *", "UTC")
    assert leap.season_at(at("0001-01-02")) == 0


@pytest.mark.parametrize(
    "schedule",
    [
        "hourly",
        "Daily",
        " ",
        "@daily",
        "* * * *",
        "0 0 0 * * *",
        "60 * * * *",
        "0 24 * * *",
        "0 0 32 * *",
        "0 0 0 * *",
        "0 0 * 13 *",
        "0 0 * * 8",
        "5-1 * * * *",
        "*/0 * * * *",
        "0 0 1_0 * *",
        "٣ * * * *",
        "0 0 30 2 *",
        "0 0 */31 * MON#5",
        "0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0 0 * * *",
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused_with_a_sentence(schedule):
    with pytest.raises(InvalidDefinition) as refused:
        parse_schedule(schedule, "UTC")
    assert [error["field"] for error in refused.value.errors] == ["reset_schedule"]
    assert refused.value.detail.isascii()
    assert refused.value.detail.endswith(".")


@pytest.mark.parametrize(
    "zone", ["", "Mars/Olympus", "Europe", "../UTC", "/etc/passwd", "a\0b", "\ud800", "localtime", "right/UTC", "zone.tab", "x" * 70000]
)
def test_an_unknown_time_zone_is_refused_with_a_sentence(zone):
    with pytest.raises(InvalidDefinition) as refused:
        parse_schedule("daily", zone)
    assert [error["field"] for error in refused.value.errors] == ["time_zone"]
    assert refused.value.detail.isascii()
    assert len(refused.value.detail) < 300


def test_a_line_that_the_clock_always_skips_is_refused():
    parse_schedule("30 2 * 3 SUN#2", "America/New_York")  # a fixed time counts at the end of the gap
    with pytest.raises(InvalidDefinition, match="no time ever matches"):
        parse_schedule("* 2 * 3 SUN#2", "America/New_York")  # following the clock, it last matched in 2006


def test_everything_that_is_wrong_is_said_at_once():
    with pytest.raises(InvalidDefinition) as refused:
        parse_schedule("sometimes", "Nowhere")
    assert {error["field"] for error in refused.value.errors} == {"reset_schedule", "time_zone"}


@given(st.lists(st.text("0123456789*/,-#LWMON?", min_size=1, max_size=6), min_size=4, max_size=6).map(" ".join) | st.text())
def test_any_text_is_either_a_schedule_or_refused(text):
    try:
        schedule = parse_schedule.__wrapped__(text, "Europe/Berlin")
    except InvalidDefinition:
        return
    moment = at("2026-11-23T12:00:00")
    assert schedule.season_at(moment) <= moment.timestamp()


@given(st.integers(1, int(datetime(9000, 1, 1, tzinfo=UTC).timestamp())))
@example(0)
def test_a_label_reads_back_as_its_season(season):
    assert parse_season(season_label(season)) == season


def test_labels_are_rfc_3339_in_utc():
    assert season_label(0) == "all-time"
    assert season_label(int(at("2026-11-23").timestamp())) == "2026-11-23T00:00:00Z"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "current",
        "All-Time",
        "2026-11-23",
        "2026-11-23T00:00:00",
        "2026-11-23T00:00:00+00:00",
        "2026-11-23T00:00:00z",
        "2026-11-23 00:00:00Z",
        "2026-11-23T00:00:00Z\n",
        "2026-02-30T00:00:00Z",
        "2026-11-23T24:00:00Z",
        "1970-01-01T00:00:00Z",
        "1969-12-31T00:00:00Z",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "\uff12026-11-23T00:00:00Z",
        "\ud800",
        "x" * 100000,
    ],
)
def test_a_season_has_one_spelling(text):
    with pytest.raises(SeasonNotFound) as refused:
        parse_season(text)
    assert refused.value.detail.isascii()
    assert len(refused.value.detail) < 300
