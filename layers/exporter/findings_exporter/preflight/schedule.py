"""The schedule: whether one starts exports, and when it fires next."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from findings_exporter.aws.attempts import Unread
from findings_exporter.model.notes import Note
from findings_exporter.model.schedule_times import NotUnderstoodError, next_time
from findings_exporter.preflight.check import Check, unread


def schedule_fires(schedules: Sequence[Mapping[str, Any]] | Unread, now: datetime, *, has_home: bool = False) -> Check:
    """Check whether a schedule starts exports, and when it does next.

    Parameters
    ----------
    has_home
        Whether the exports of several Regions at one scheduled time are summarized.
    """
    name = "schedule"
    if isinstance(schedules, Unread):
        return unread(name, schedules)
    if not schedules:
        return Check(name, "failed", Note("failed.schedule"), (), (Note("fix.deploy"),))
    on = [each for each in schedules if each["State"] == "ENABLED"]
    evidence = tuple(
        f"{each['Name']}: {each['ScheduleExpression']} {each.get('ScheduleExpressionTimezone', 'UTC')}, {each['State']}"
        for each in schedules
    )
    if not on:
        return Check(name, "failed", Note("failed.schedule_disabled"), evidence, (Note("fix.schedule_enable"),))
    if has_home and any(each["ScheduleExpression"].startswith("rate(") for each in on):
        # A rate counts from the deployment of each stack, so that a time of one Region is none of another.
        return Check(name, "failed", Note("failed.schedule_rate"), evidence, (Note("fix.schedule_cron"),))
    try:
        times = [due for each in on if (due := next_time(each, now))]
    except NotUnderstoodError as error:
        return Check(name, "unknown", Note("unknown.schedule_next", why=error.why), evidence)
    if not times:
        return Check(name, "failed", Note("failed.schedule_over"), evidence, (Note("fix.schedule_expression"),))
    first = min(times)
    late = next((each["FlexibleTimeWindow"].get("MaximumWindowInMinutes", 0) for each in on if next_time(each, now) == first), 0)
    in_utc = f"{first.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    time = in_utc if str(first.tzinfo) == "UTC" else f"{first:%Y-%m-%d %H:%M} {first.tzinfo} ({in_utc})"
    sentence = Note("passed.schedule_window", time=time, minutes=late) if late else Note("passed.schedule", time=time)
    return Check(name, "passed", sentence, evidence)
