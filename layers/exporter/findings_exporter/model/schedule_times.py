"""When a schedule fires next.

Times are those of EventBridge Scheduler [AWS: EventBridge Scheduler user guide, schedule types].

The common forms are computed; the rest (L, W, #, a rate whose beginning AWS does not document) is not understood.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

from findings_exporter.model.notes import Note

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
ITEM = re.compile(r"(?P<first>\*|\w+)(-(?P<last>\w+))?(/(?P<step>\d+))?", re.ASCII)
RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
DAYS_AHEAD = 366 * 8
"""The longest wait for a 29 February."""


class NotUnderstoodError(Exception):
    """The time of the next run cannot be computed, and why."""

    def __init__(self, why: Note) -> None:
        super().__init__(why)
        self.why = why


def next_time(schedule: Mapping[str, Any], now: datetime) -> datetime | None:
    """Return when a schedule (as GetSchedule returns it) fires next, in its own time zone; None: never again.

    Raises
    ------
    NotUnderstoodError
        It cannot be said.
    """
    expression, zone = schedule["ScheduleExpression"], _zone(schedule.get("ScheduleExpressionTimezone", "UTC"))
    start, end = schedule.get("StartDate"), schedule.get("EndDate")
    since = max(now, start - timedelta(minutes=1)) if start else now
    if expression.startswith("at("):
        time = _at(expression, zone)
        due = time if time > now else None
    elif expression.startswith("rate("):
        due = _next_rate(expression, schedule, now).astimezone(zone)
    else:
        due = _next_cron(expression, since.astimezone(zone))
    return due if due and (end is None or due <= end) else None


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise NotUnderstoodError(Note("why.time_zone", zone=name)) from error


def _at(expression: str, zone: ZoneInfo) -> datetime:
    try:
        return datetime.strptime(expression, "at(%Y-%m-%dT%H:%M:%S)").replace(tzinfo=zone)
    except ValueError as error:
        raise NotUnderstoodError(Note("why.expression", expression=expression)) from error


def _next_rate(expression: str, schedule: Mapping[str, Any], now: datetime) -> datetime:
    match = RATE.fullmatch(expression)
    if match is None or int(match[1]) == 0:
        raise NotUnderstoodError(Note("why.expression", expression=expression))
    created, changed = schedule.get("CreationDate"), schedule.get("LastModificationDate")
    first: datetime | None = schedule.get("StartDate") or (created if created == changed else None)
    if first is None:
        # From when AWS counts after a change is not documented.
        raise NotUnderstoodError(Note("why.rate", number=match[1], unit=match[2]))
    every = timedelta(**{f"{match[2]}s": int(match[1])})
    return first if first > now else first + every * ((now - first) // every + 1)


def _next_cron(expression: str, since: datetime) -> datetime | None:
    match = re.fullmatch(r"cron\(([^()]*)\)", expression)
    fields = match[1].split() if match else []
    if len(fields) != 6 or (fields[2] == "?") is (fields[4] == "?"):  # noqa: PLR2004 - the six fields of AWS' cron
        raise NotUnderstoodError(Note("why.expression", expression=expression))
    minutes, hours = _values(fields[0], 0, 59), _values(fields[1], 0, 23)
    days, weekdays = _values(fields[2], 1, 31), _values(fields[4], 1, 7, WEEKDAYS)
    months, years = _values(fields[3], 1, 12, MONTHS), _values(fields[5], 1970, 2199)
    day = since.date()
    for ahead in range(DAYS_AHEAD):
        day = since.date() + timedelta(days=ahead)
        # AWS counts the days of a week from Sunday, as 1.
        if day.year in years and day.month in months and day.day in days and day.isoweekday() % 7 + 1 in weekdays:
            for hour, minute in product(sorted(hours), sorted(minutes)):
                time = datetime(day.year, day.month, day.day, hour, minute, tzinfo=since.tzinfo)
                if time.astimezone(UTC) > since and _exists(time):
                    return time
    if max(years) > day.year:
        raise NotUnderstoodError(Note("why.eight_years", expression=expression))
    return None


def _exists(time: datetime) -> bool:
    """Tell whether the clock shows a time at all: AWS leaves out what falls into the hour that summer time skips."""
    return time.astimezone(UTC).astimezone(time.tzinfo).replace(fold=0) == time.replace(fold=0)


def _values(field: str, lowest: int, highest: int, names: Sequence[str] = ()) -> set[int]:
    found: set[int] = set()
    for item in ("*" if field == "?" else field).split(","):
        match = ITEM.fullmatch(item)
        if match is None:
            raise NotUnderstoodError(Note("why.cron_field", field=field))
        everything = match["first"] == "*"
        first = lowest if everything else _number(match["first"], names, field)
        last = _number(match["last"], names, field) if match["last"] else highest if everything or match["step"] else first
        if not lowest <= first <= last <= highest or match["step"] == "0":
            raise NotUnderstoodError(Note("why.cron_field", field=field))
        found |= set(range(first, last + 1, int(match["step"] or 1)))
    return found


def _number(text: str, names: Sequence[str], field: str) -> int:
    if text.upper() in names:
        return names.index(text.upper()) + 1
    if not text.isdecimal():
        raise NotUnderstoodError(Note("why.cron_field", field=field))
    return int(text)
