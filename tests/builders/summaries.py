"""What Regions say of a scheduled time, in few words."""

from datetime import UTC, datetime
from typing import Any

from findings_exporter.model.home_messages import HomeMessage, ReportHeadline, StartNotice
from findings_exporter.model.summary import Expected, ReportsSummary, assess

HOME, OTHER, THIRD = "eu-west-1", "us-east-1", "ap-northeast-1"
TIME = "2026-11-30T03:00:00+00:00"
NOW = datetime(2026, 11, 30, 5, tzinfo=UTC)
ACCOUNT = "111122223333"
EXPECTED = Expected((HOME, OTHER), ("nightly",), by_home=True)


def start(region: str = HOME, *reports: str, **fields: Any) -> StartNotice:
    """A Region's start notice."""
    given: dict[str, Any] = {
        "region": region,
        "scheduled_for": TIME,
        "started_at": "2026-11-30T03:00:02+00:00",
        "execution": f"arn:aws:states:{region}:{ACCOUNT}:execution:exporter-ExportAllReports:start",
        "state": "STARTED",
        "reports": reports or ("nightly",),
        "config_hash": "a1",
    }
    return StartNotice(**given | fields)


def ended(region: str = HOME, report: str = "nightly", **fields: Any) -> ReportHeadline:
    """How a report of a Region ended: well and without changes, unless said otherwise."""
    given: dict[str, Any] = {
        "region": region,
        "scheduled_for": TIME,
        "report": report,
        "execution": f"arn:aws:states:{region}:{ACCOUNT}:execution:exporter-ExportFindings:{report}-1",
        "started_at": "2026-11-30T03:00:05+00:00",
        "ended_at": "2026-11-30T03:20:05+00:00",
        "outcome": "SUCCEEDED",
        "level": "NONE",
        "analysis": "DONE",
        "coverage": "active",
        "open": 1_000,
        "by_severity": {"CRITICAL": 10, "HIGH": 990},
        "new": 0,
        "no_longer_open": 0,
        "page_url": f"https://{region}.console.aws.amazon.com/s3/object/reports?region={region}&prefix=index.html",
        "execution_url": f"https://{region}.console.aws.amazon.com/states/home?region={region}#/v2/executions/details/x",
    }
    return ReportHeadline(**given | fields)


def failed(region: str = HOME, report: str = "nightly", outcome: str = "FAILED", **fields: Any) -> ReportHeadline:
    """A report that was not delivered."""
    nothing: dict[str, Any] = {"open": None, "new": None, "no_longer_open": None, "by_severity": {}, "page_url": None}
    error = {
        "analysis": "NONE",
        "coverage": "unknown",
        "error": "Report.INVALID_PERMISSIONS",
        "cause": "Inspector may not write.",
    }
    return ended(region, report, **{"outcome": outcome, "level": "PROBLEM"} | nothing | error | fields)


def summary(
    *messages: HomeMessage, expected: Expected = EXPECTED, number: int = 0, new: frozenset[str] | None = None
) -> ReportsSummary:
    """The summary of what came."""
    return assess(TIME, HOME, expected, messages, number, new)
