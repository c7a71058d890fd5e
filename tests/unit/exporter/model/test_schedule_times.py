"""When a schedule fires next, as EventBridge Scheduler counts; and what is not known is named."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from findings_exporter.model.schedule_times import NotUnderstoodError, next_time

NOW = datetime(2026, 11, 23, 3, 0, 30, tzinfo=UTC)
CREATED = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


def schedule(expression: str, zone: str = "UTC", **fields: Any) -> dict[str, Any]:
    """A schedule as GetSchedule tells it."""
    dates = {"CreationDate": CREATED, "LastModificationDate": CREATED}
    return {"ScheduleExpression": expression, "ScheduleExpressionTimezone": zone} | dates | fields


def fires_at(expression: str, zone: str = "UTC", now: datetime = NOW, **fields: Any) -> str | None:
    """The next time, in UTC."""
    due = next_time(schedule(expression, zone, **fields), now)
    return f"{due.astimezone(UTC):%Y-%m-%d %H:%M}" if due else None


@pytest.mark.parametrize(
    ("expression", "time"),
    [
        ("cron(0 3 * * ? *)", "2026-11-24 03:00"),
        ("cron(1 3 * * ? *)", "2026-11-23 03:01"),
        ("cron(0 3 ? * MON-FRI *)", "2026-11-24 03:00"),
        ("cron(0 3 ? * sun *)", "2026-11-29 03:00"),
        ("cron(0 3 ? * 1 *)", "2026-11-29 03:00"),  # AWS counts from Sunday
        ("cron(0 3 ? * 7 *)", "2026-11-28 03:00"),
        ("cron(*/20 * * * ? *)", "2026-11-23 03:20"),
        ("cron(5/20 * * * ? *)", "2026-11-23 03:05"),
        ("cron(0 1,13 * * ? *)", "2026-11-23 13:00"),
        ("cron(0 3 1 JAN,JUL ? *)", "2027-01-01 03:00"),
        ("cron(0 3 29 2 ? *)", "2028-02-29 03:00"),
        ("cron(0 3 1 1 ? 2030-2031)", "2030-01-01 03:00"),
        ("cron(0 3 1-7/3 12 ? *)", "2026-12-01 03:00"),
        ("cron(0 3 * * ? 2025)", None),
        ("at(2026-11-24T03:00:00)", "2026-11-24 03:00"),
        ("at(2026-11-22T03:00:00)", None),
        ("rate(1 day)", "2026-11-23 12:00"),
        ("rate(5 hours)", "2026-11-23 04:00"),
        ("rate(10 minutes)", "2026-11-23 03:10"),
    ],
)
def test_the_common_forms_are_computed(expression: str, time: str | None) -> None:
    assert fires_at(expression) == time


@pytest.mark.parametrize(
    "expression",
    [
        "cron(0 3 L * ? *)", "cron(0 3 15W * ? *)", "cron(0 3 ? * 6#3 *)", "cron(0 3 * * * *)", "cron(0 3 ? * ? *)",
        "cron(0 3 * *)", "cron(60 3 * * ? *)", "cron(0 3 ? * SAT-MON *)", "cron(0 3 * FOO ? *)", "cron(*/0 3 * * ? *)",
        "cron(0 3 31 2 ? *)", "cron(0 3 * * ? 2199)", "rate(0 days)", "rate(1 week)", "at(tomorrow)", "every day",
    ],
)  # fmt: skip
def test_what_is_not_understood_is_not_guessed(expression: str) -> None:
    with pytest.raises(NotUnderstoodError):
        fires_at(expression)


class TestTimeZones:
    def test_a_time_is_the_zones_own(self) -> None:
        assert fires_at("cron(0 3 * * ? *)", "Europe/Berlin") == "2026-11-24 02:00"
        assert fires_at("cron(0 3 * * ? *)", "America/New_York") == "2026-11-23 08:00"
        assert fires_at("at(2026-11-24T03:00:00)", "Asia/Kolkata") == "2026-11-23 21:30"

    def test_a_time_that_summer_time_leaves_out_is_skipped(self) -> None:
        spring = datetime(2026, 3, 28, 12, 0, tzinfo=UTC)
        assert fires_at("cron(30 2 * * ? *)", "Europe/Berlin", spring) == "2026-03-30 00:30"

    def test_an_hour_that_comes_twice_counts_once(self) -> None:
        first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # 02:30 in Berlin, for the first time
        assert fires_at("cron(30 2 * * ? *)", "Europe/Berlin", first - timedelta(seconds=1)) == "2026-10-25 00:30"
        assert fires_at("cron(30 2 * * ? *)", "Europe/Berlin", first) == "2026-10-26 01:30"

    @pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd", ""])
    def test_a_zone_that_is_not_known_here_is_not_taken_for_another(self, zone: str) -> None:
        with pytest.raises(NotUnderstoodError, match="time zone"):
            fires_at("cron(0 3 * * ? *)", zone)


class TestBeginAndEnd:
    def test_nothing_fires_before_the_start_date(self) -> None:
        start = datetime(2026, 12, 24, 3, 0, tzinfo=UTC)
        assert fires_at("cron(0 3 * * ? *)", StartDate=start) == "2026-12-24 03:00"
        assert fires_at("rate(1 day)", StartDate=start) == "2026-12-24 03:00"
        assert fires_at("rate(7 days)", StartDate=datetime(2026, 11, 20, 3, 0, tzinfo=UTC)) == "2026-11-27 03:00"

    def test_nothing_fires_after_the_end_date(self) -> None:
        assert fires_at("cron(0 3 * * ? *)", EndDate=datetime(2026, 11, 24, 2, 0, tzinfo=UTC)) is None
        assert fires_at("cron(0 3 * * ? *)", EndDate=datetime(2026, 11, 24, 4, 0, tzinfo=UTC)) == "2026-11-24 03:00"

    def test_from_when_a_changed_rate_counts_is_not_known(self) -> None:
        with pytest.raises(NotUnderstoodError, match="AWS does not return"):
            fires_at("rate(1 day)", LastModificationDate=CREATED + timedelta(days=1))
