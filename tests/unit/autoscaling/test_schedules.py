"""Schedule expressions are due when AWS's documentation says, daylight saving time included."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from autoscaling.schedules import occurrences, parse_schedule

BERLIN = ZoneInfo("Europe/Berlin")
GREENWICH = ZoneInfo("UTC")


def due(text: str, after: str, until: str, zone: ZoneInfo = GREENWICH, origin: str | None = None) -> list[str]:
    start, end = (datetime.fromisoformat(moment).replace(tzinfo=UTC) for moment in (after, until))
    first = datetime.fromisoformat(origin).replace(tzinfo=UTC) if origin else start
    return [f"{moment:%Y-%m-%dT%H:%M}" for moment in occurrences(parse_schedule(text), zone, start, end, first)]


def test_cron_follows_the_local_clock_when_summer_time_begins() -> None:
    # Summer time begins on 2026-03-29 at 02:00: 08:00 is 07:00 UTC before and 06:00 UTC from then on.
    times = due("cron(0 8 * * ? *)", "2026-03-27", "2026-03-31", BERLIN)
    assert times == ["2026-03-27T07:00", "2026-03-28T07:00", "2026-03-29T06:00", "2026-03-30T06:00"]


def test_cron_skips_a_local_time_that_summer_time_skips() -> None:
    assert due("cron(30 2 * * ? *)", "2026-03-28T12:00", "2026-03-30T12:00", BERLIN) == ["2026-03-30T00:30"]


def test_cron_is_due_once_when_winter_time_repeats_the_hour() -> None:
    assert due("cron(30 2 * * ? *)", "2026-10-24T12:00", "2026-10-25T12:00", BERLIN) == ["2026-10-25T00:30"]


@pytest.mark.parametrize(
    ("expression", "days"),
    [
        ("cron(0 0 L * ? *)", [31]),
        ("cron(0 0 15W * ? *)", [14]),  # 2026-08-15 is a Saturday
        ("cron(0 0 LW * ? *)", [31]),  # a Monday
        ("cron(0 0 1W * ? *)", [3]),  # the 1st is a Saturday: the month is not left
        ("cron(0 0 ? * 6#2 *)", [14]),
        ("cron(0 0 ? * FRI#2 *)", [14]),
        ("cron(0 0 ? * 2L *)", [31]),
        ("cron(0 0 ? * L *)", [1, 8, 15, 22, 29]),
        ("cron(0 0 ? * FRI-SUN *)", [1, 2, 7, 8, 9, 14, 15, 16, 21, 22, 23, 28, 29, 30]),
        ("cron(0 0 1,15-17 8 ? 2026)", [1, 15, 16, 17]),
        ("cron(0 0 1/10 AUG ? 2026)", [1, 11, 21, 31]),
        ("cron(0 0 * JAN-JUL ? *)", []),
    ],
)
def test_cron_day_fields_mean_what_aws_documents(expression: str, days: list[int]) -> None:
    times = due(expression, "2026-07-31T12:00", "2026-08-31T12:00")
    assert [int(moment[8:10]) for moment in times] == days


def test_cron_steps_through_minutes_and_hours() -> None:
    assert due("cron(0/30 8-9 * * ? *)", "2026-08-01", "2026-08-02") == [
        "2026-08-01T08:00",
        "2026-08-01T08:30",
        "2026-08-01T09:00",
        "2026-08-01T09:30",
    ]


def test_at_is_due_once_in_its_zone() -> None:
    assert due("at(2026-07-01T08:00:00)", "2026-06-01", "2026-08-01", BERLIN) == ["2026-07-01T06:00"]
    assert due("at(2026-07-01T08:00:00)", "2026-08-01", "2026-09-01", BERLIN) == []


def test_rate_counts_from_its_origin() -> None:
    times = due("rate(5 minutes)", "2026-08-01T00:07", "2026-08-01T00:20", origin="2026-08-01T00:00")
    assert times == ["2026-08-01T00:10", "2026-08-01T00:15", "2026-08-01T00:20"]


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("every(5 minutes)", "allowed: at"),
        ("at(2026-02-30T00:00:00)", "day"),
        ("at(2026-02-03)", "yyyy-mm-ddThh:mm:ss"),
        ("rate(0 minutes)", "allowed: rate"),
        ("rate(1 minutes)", "rate\\(1 minute\\)"),
        ("rate(5 minute)", "rate\\(5 minutes\\)"),
        ("cron(0 8 * * *)", "5 fields; AWS wants six"),
        ("cron(0 8 * * * *)", "exactly one of day-of-month and day-of-week must be \\?"),
        ("cron(60 8 * * ? *)", "minute '60'; allowed: 0 to 59"),
        ("cron(0 8 ? * XYZ *)", "day-of-week 'XYZ'"),
        ("cron(0 8 32 * ? *)", "day-of-month '32'"),
        ("cron(0 8 40W * ? *)", "day-of-month '40'"),
        ("cron(0/0 8 * * ? *)", "at least 1"),
    ],
)
def test_schedule_is_refused_with_reason_when_malformed(expression: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_schedule(expression)
