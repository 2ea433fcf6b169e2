"""Schedule expressions of scheduled actions: `at(...)`, `rate(...)` and `cron(...)`, and when they are due.

One-minute resolution. A local time that daylight saving time skips does not occur, one that it repeats occurs once (the
first time): documented for EventBridge Scheduler, assumed for Application Auto Scaling. A rate counts from the action's
start time, else from the moment given as origin (AWS: from its creation).

References
----------
Application Auto Scaling user guide, "Schedule recurring scaling actions using cron expressions" and PutScheduledAction.
"""

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
_WEEKDAYS = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), start=1)}
_CRON_FIELDS = ("minute", "hour", "day-of-month", "month", "day-of-week", "year")


@dataclass(frozen=True, slots=True)
class At:
    """Once, at a local time."""

    local_time: datetime


@dataclass(frozen=True, slots=True)
class Rate:
    """Again and again at a fixed distance."""

    interval: timedelta


@dataclass(frozen=True, slots=True)
class Cron:
    """At every local minute whose fields all match; day fields keep their text: L, W and # depend on the month."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days_of_month: str
    months: frozenset[int]
    days_of_week: str
    years: frozenset[int]

    def matches_day(self, day: date) -> bool:
        """Whether the local day is one of the expression's."""
        if day.year not in self.years or day.month not in self.months:
            return False
        if self.days_of_week == "?":
            return any(_matches_day_of_month(item, day) for item in self.days_of_month.split(","))
        return any(_matches_day_of_week(item, day) for item in self.days_of_week.split(","))


Schedule = At | Rate | Cron


def parse_schedule(text: str) -> Schedule:
    """Parse a schedule expression.

    Parameters
    ----------
    text
        `at(yyyy-mm-ddThh:mm:ss)`, `rate(value unit)` or `cron(minute hour day-of-month month day-of-week year)`.

    Returns
    -------
    Schedule
        The parsed expression.

    Raises
    ------
    ValueError
        What came, what is allowed.
    """
    match = re.fullmatch(r"(at|rate|cron)\((.*)\)", text.strip())
    if match is None:
        raise ValueError(f"schedule {text!r}; allowed: at(yyyy-mm-ddThh:mm:ss), rate(value unit), cron(six fields)")
    kind, body = match.groups()
    if kind == "at":
        return _parse_at(body)
    return _parse_rate(body) if kind == "rate" else _parse_cron(body)


def _parse_at(body: str) -> At:
    if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", body) is None:
        raise ValueError(f"at({body}); allowed: at(yyyy-mm-ddThh:mm:ss), the zone stands in timezone")
    try:
        return At(datetime.fromisoformat(body))
    except ValueError as error:
        raise ValueError(f"at({body}): {error}") from None


def _parse_rate(body: str) -> Rate:
    match = re.fullmatch(r"([1-9]\d*) (minute|hour|day)(s?)", body)
    if match is None or (match[1] == "1") == (match[3] == "s"):
        raise ValueError(f"rate({body}); allowed: rate(1 minute), rate(5 minutes), also hour(s) and day(s)")
    return Rate(timedelta(**{match[2] + "s": int(match[1])}))


def _parse_cron(body: str) -> Cron:
    fields = body.upper().split()
    if len(fields) != len(_CRON_FIELDS):
        raise ValueError(f"cron({body}) has {len(fields)} fields; AWS wants six: {' '.join(_CRON_FIELDS)}")
    minute, hour, day_of_month, month, day_of_week, year = fields
    if (day_of_month == "?") == (day_of_week == "?"):
        raise ValueError(f"cron({body}): exactly one of day-of-month and day-of-week must be ?")
    for item in day_of_month.split(","):
        if re.fullmatch(r"\?|L|LW|\d{1,2}W", item) is None:
            _parse_field(item, "day-of-month", 1, 31)
        elif item.endswith("W") and item != "LW":
            _parse_field(item[:-1], "day-of-month", 1, 31)
    for item in day_of_week.split(","):
        plain = re.sub(r"(?<=[1-7A-Z])(L|#[1-5])$", "", item)
        if item not in {"?", "L"}:
            _parse_field(plain, "day-of-week", 1, 7, _WEEKDAYS)
    return Cron(
        minutes=_parse_field(minute, "minute", 0, 59),
        hours=_parse_field(hour, "hour", 0, 23),
        days_of_month=day_of_month,
        months=_parse_field(month, "month", 1, 12, _MONTHS),
        days_of_week=day_of_week,
        years=_parse_field(year, "year", 1970, 2199),
    )


def _parse_field(text: str, field: str, low: int, high: int, names: dict[str, int] | None = None) -> frozenset[int]:
    """Values of a field of lists, ranges and steps; a range that runs backwards wraps around (FRI-MON)."""
    values: set[int] = set()
    for item in text.split(","):
        match = re.fullmatch(r"(\*|(\w+)(?:-(\w+))?)(?:/(\d+))?", item)
        if match is None:
            raise ValueError(f"{field} {text!r}; allowed: *, a value, a-b, a/step, or a list of these")
        whole, first, last, step_text = match.groups()
        start = low if whole == "*" else _parse_value(first, field, low, high, names)
        stop = (
            high
            if whole == "*" or (last is None and step_text)
            else _parse_value(last or first, field, low, high, names)
        )
        step = int(step_text or 1)
        if step < 1:
            raise ValueError(f"{field} {text!r}: a step is at least 1")
        span = range(start, stop + 1) if start <= stop else [*range(start, high + 1), *range(low, stop + 1)]
        values.update(list(span)[::step])
    return frozenset(values)


def _parse_value(text: str, field: str, low: int, high: int, names: dict[str, int] | None) -> int:
    value = (names or {}).get(text)
    if value is None and text.isdecimal():
        value = int(text)
    if value is None or not low <= value <= high:
        also = f" or {', '.join(names)}" if names else ""
        raise ValueError(f"{field} {text!r}; allowed: {low} to {high}{also}")
    return value


def _matches_day_of_month(item: str, day: date) -> bool:
    last = calendar.monthrange(day.year, day.month)[1]
    if item == "L":
        return day.day == last
    if item.endswith("W"):
        wanted = last if item == "LW" else min(int(item[:-1]), last)
        return day.day == _nearest_weekday(day.replace(day=wanted)).day
    return day.day in _parse_field(item, "day-of-month", 1, 31)


def _nearest_weekday(day: date) -> date:
    """Nearest Monday to Friday within the same month."""
    shift = {5: -1, 6: 1}.get(day.weekday(), 0)
    moved = day + timedelta(days=shift)
    return moved if moved.month == day.month else day + timedelta(days=-2 if shift > 0 else 2)


def _matches_day_of_week(item: str, day: date) -> bool:
    number = day.isoweekday() % 7 + 1  # SUN = 1
    if item == "L":
        return number == _WEEKDAYS["SAT"]
    if "#" in item:
        weekday, nth = item.split("#")
        return number in _parse_field(weekday, "day-of-week", 1, 7, _WEEKDAYS) and (day.day - 1) // 7 + 1 == int(nth)
    if item.endswith("L"):
        in_last_week = day.day > calendar.monthrange(day.year, day.month)[1] - 7
        return in_last_week and number in _parse_field(item[:-1], "day-of-week", 1, 7, _WEEKDAYS)
    return number in _parse_field(item, "day-of-week", 1, 7, _WEEKDAYS)


def occurrences(
    schedule: Schedule, zone: ZoneInfo, after: datetime, until: datetime, origin: datetime
) -> list[datetime]:
    """When a schedule is due.

    Parameters
    ----------
    schedule
        A parsed expression.
    zone
        Whose clock `at` and `cron` follow.
    after, until
        The interval (after, until], with time zone.
    origin
        Where a rate starts to count.

    Returns
    -------
    list of datetime
        In UTC, ascending.
    """
    if isinstance(schedule, Rate):
        skipped = max((after - origin) // schedule.interval, 0)
        due = origin + (skipped + 1) * schedule.interval
        return [due + n * schedule.interval for n in range(max((until - due) // schedule.interval + 1, 0))]
    local_times = [schedule.local_time] if isinstance(schedule, At) else _cron_times(schedule, zone, after, until)
    moments = (_to_utc(local_time, zone) for local_time in local_times)
    return [moment for moment in moments if moment is not None and after < moment <= until]


def _cron_times(cron: Cron, zone: ZoneInfo, after: datetime, until: datetime) -> Iterator[datetime]:
    day, last = after.astimezone(zone).date(), until.astimezone(zone).date()
    while day <= last:
        if cron.matches_day(day):
            for hour in sorted(cron.hours):
                for minute in sorted(cron.minutes):
                    yield datetime.combine(day, time(hour, minute))
        day += timedelta(days=1)


def _to_utc(local_time: datetime, zone: ZoneInfo) -> datetime | None:
    """Moment of a local time; None where daylight saving time skips it."""
    moment = local_time.replace(tzinfo=zone).astimezone(UTC)
    return moment if moment.astimezone(zone).replace(tzinfo=None) == local_time else None
