"""Whether a schedule starts exports. With a home Region, a scheduled time is one of all Regions."""

from datetime import UTC, datetime

import pytest

from findings_exporter.preflight.schedule import schedule_fires

NOW = datetime(2026, 11, 23, 3, 0, 30, tzinfo=UTC)
CREATED = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "has_home", "result"),
    [
        ("rate(1 day)", True, "failed"),
        ("rate(1 day)", False, "passed"),
        ("cron(0 3 * * ? *)", True, "passed"),
    ],
)
def test_a_rate_is_no_time_in_common(expression: str, has_home: bool, result: str) -> None:
    given = {
        "Name": "nightly",
        "ScheduleExpression": expression,
        "State": "ENABLED",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "CreationDate": CREATED,
        "LastModificationDate": CREATED,
    }
    check = schedule_fires([given], NOW, has_home=has_home)
    assert check.result == result
    assert ("cron(0 3 * * ? *)" in " ".join(check.fix)) is (result == "failed")
