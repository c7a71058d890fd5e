"""Until when findings are to be fixed: a day for each severity, counted from the day on which they were first seen."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from findings_exporter.model import strict_json
from findings_exporter.model.filter_criteria import kind_of
from findings_exporter.model.notes import Note
from findings_exporter.model.taxonomy import SEVERITIES

MOST_DAYS = 3_650
DUE_SOON_DAYS = 7
"""What is due today or within so many days is due soon."""


class RemediationDaysError(ValueError):
    """The parameter RemediationDays cannot be used; its text says why."""


@dataclass(frozen=True, slots=True)
class RemediationDays:
    """Days from first seen to due, by severity; a severity that is not in it has no due date."""

    days: Mapping[str, int]

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read the parameter, such as ``{"CRITICAL": 15, "HIGH": 30}``; None where it is empty: there are no due dates.

        Raises
        ------
        RemediationDaysError
            It is wrong.
        """
        if not text.strip():
            return None
        try:
            days = strict_json.loads(text)
        except (ValueError, RecursionError) as error:
            raise RemediationDaysError(Note("owners.no_json", why=str(error))) from None
        if not isinstance(days, dict):
            raise RemediationDaysError(Note("due.object", found=kind_of(days)))
        for name, each in days.items():
            if name not in SEVERITIES:
                raise RemediationDaysError(Note("due.severity", name=name, choices=list(SEVERITIES)))
            if not isinstance(each, int) or isinstance(each, bool) or not 1 <= each <= MOST_DAYS:
                raise RemediationDaysError(Note("due.days", name=name, found=kind_of(each)))
        return cls({name: days[name] for name in SEVERITIES if name in days}) if days else None


def day_in_zone(time: datetime, zone: str) -> int:
    """Return the day since 1970 of a time in a time zone; in UTC where the zone is not known."""
    try:
        local = time.astimezone(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        local = time.astimezone(UTC)
    return (local.date() - date(1970, 1, 1)).days
