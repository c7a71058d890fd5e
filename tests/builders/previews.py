"""What a preview reads, as tests and the documents' picture need it."""

from datetime import timedelta
from hashlib import sha256
from typing import Any

from findings_exporter.model.taxonomy import SEVERITIES
from findings_exporter.preview.counting import Count, Matches
from findings_exporter.preview.message import Seen
from findings_exporter.preview.reading import RecentRun
from tests.builders.exporter import ACCOUNT, START

COUNTS = dict(zip(SEVERITIES, (4, 0, 0, 0, 0, 0, 0), strict=True))
SCHEDULE_READ = {
    "Name": "findings-ExportFindingsNightly",
    "ScheduleExpression": "cron(0 3 * * ? *)",
    "ScheduleExpressionTimezone": "Europe/Berlin",
    "State": "ENABLED",
}


def listed_finding(number: int = 1, **fields: Any) -> dict[str, Any]:
    """A finding as ListFindings returns it."""
    packages = ("openssl, openssl-libs", "org.apache.logging.log4j:log4j-core", "curl", "lodash")
    repository = ("shop/api", "shop/web", "platform/login", "shop/cart")[number % 4]
    image = f"arn:aws:ecr:eu-central-1:{ACCOUNT}:repository/{repository}/sha256:{sha256(str(number).encode()).hexdigest()}"
    return {
        "findingArn": f"arn:aws:inspector2:eu-central-1:{ACCOUNT}:finding/{number:032x}",
        "awsAccountId": ACCOUNT,
        "title": f"CVE-2026-{21000 + number} - {packages[number % 4]}",
        "severity": "CRITICAL",
        "status": "ACTIVE",
        "resources": [{"type": "AWS_ECR_CONTAINER_IMAGE", "id": image}],
    } | fields


def recent_run(days: int = 1, **fields: Any) -> RecentRun:
    """A run that exported the same some days ago."""
    defaults: dict[str, Any] = {"duration_seconds": 312 + days, "report_seconds": 241, "open_findings": 5 + days}
    return RecentRun(started_at=START - timedelta(days=days), **defaults | fields)


def seen(**fields: Any) -> Seen:
    """What a preview of a small filter reads: four findings, two recent runs, no report in progress, a schedule."""
    defaults: dict[str, Any] = {
        "matches": Matches(Count(COUNTS, "ListFindings"), tuple(listed_finding(number) for number in range(1, 5))),
        "in_progress": None,
        "recent_runs": [recent_run(1), recent_run(2)],
        "schedules": [SCHEDULE_READ],
    }
    return Seen(**defaults | fields)
