"""Timestamps in every form that was seen in a findings report or in the API's answers."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from arro3.core import Array, DataType

from findings_analysis.reading.schema import ArrowColumn

type Timestamp = str | float | None

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_FIRST_MILLISECONDS = 1e11
"""As seconds this is the year 5138, as milliseconds 1973: Inspector's findings lie between."""
_LAST_MILLISECONDS = 253_402_300_799_999
"""The end of the year 9999, beyond which no calendar here goes."""
_MONTHS = {
    name: number
    for number, name in enumerate(("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), start=1)
}
_JAVA_DATE = re.compile(
    r"(?:[A-Z][a-z]{2}\s+)?(?P<month>[A-Z][a-z]{2})\s+(?P<day>\d{1,2})\s+(?P<time>[\d:.]+)\s+(?:UTC|GMT|Z)\s+(?P<year>\d{4})"
)
"""``Wed Sep 04 16:59:44.356 UTC 2024``."""
_US_DATE = re.compile(
    r"(?P<month>[A-Z][a-z]{2})[a-z]*\s+(?P<day>\d{1,2}),\s*(?P<year>\d{4}),?\s+(?P<time>[\d:.]+)\s*(?P<half>[AP]M)", re.IGNORECASE
)
"""``Mar 20, 2023, 6:08:05 PM``; newer Java puts a narrow no-break space before PM, which ``\\s`` matches."""
_TIME = re.compile(r"(\d{1,2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?")
_NOON = 12
_STRING, _TIME_TYPE = DataType.string(), DataType.timestamp("ms", tz="UTC")


def epoch_ms(value: Timestamp) -> int | None:
    """Return a timestamp as whole milliseconds since 1970.

    Parameters
    ----------
    value
        ISO 8601 of any precision and offset (UTC where there is none), also with a blank for the T; epoch seconds or epoch
        milliseconds as a number or as text; ``Wed Sep 04 16:59:44.356 UTC 2024``; ``Mar 20, 2023, 6:08:05 PM``.

    Returns
    -------
    int | None
        None for None and for an empty text.

    Raises
    ------
    ValueError
        The text is none of these forms, or no time of the years 1 to 9999.
    """
    if value is None or value == "":
        return None
    if isinstance(value, str):
        text = value.strip()
        try:
            number = float(text)
        except ValueError:
            return (_moment(text) - _EPOCH) // _MILLISECOND
        value = number
    milliseconds = value if abs(value) >= _FIRST_MILLISECONDS else value * 1000
    if not abs(milliseconds) <= _LAST_MILLISECONDS:  # also refuses NaN
        raise ValueError(f"{value} is no time")
    return round(milliseconds)


def epoch_ms_column(values: Sequence[Timestamp]) -> Sequence[int | None]:
    """Return many timestamps as whole milliseconds since 1970; see :func:`epoch_ms`.

    Arrow reads ISO 8601 three times as fast as Python. What it cannot read it calls null, so a null more means: ask Python.
    """
    try:
        texts = Array(values, _STRING)
    except TypeError:  # there are numbers among them
        return [epoch_ms(value) for value in values]
    times = texts.cast(_TIME_TYPE)
    if times.null_count == texts.null_count:
        return ArrowColumn(times)
    return [epoch_ms(value) for value in values]


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = _written_moment(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _written_moment(text: str) -> datetime:
    match = _JAVA_DATE.fullmatch(text) or _US_DATE.fullmatch(text)
    time = match and _TIME.fullmatch(match["time"])
    month = match and _MONTHS.get(match["month"].capitalize())
    if not match or not time or not month:
        raise ValueError(f"{text!r} is no timestamp of a form that is known")
    hour = int(time[1])
    if half := match.groupdict().get("half"):
        hour = hour % _NOON + (_NOON if half.upper() == "PM" else 0)
    microsecond = int((time[4] or "").ljust(6, "0")[:6])
    return datetime(int(match["year"]), month, int(match["day"]), hour, int(time[2]), int(time[3]), microsecond, tzinfo=UTC)
