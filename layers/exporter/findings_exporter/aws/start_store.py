"""What is written down about the starts of all reports of a Region.

===========  ===================  ==========================================================================
``STARTS``   ``<execution id>``   a start that has not ended: its reports, and the names of their executions
``REPORTS``  ``REPORTS``          which reports the last scheduled start with a usable file was of
===========  ===================  ==========================================================================
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from findings_exporter.aws.run_store import history
from findings_exporter.aws.table import Table
from findings_exporter.model.execution import Execution

STARTS, REPORTS = "STARTS", "REPORTS"
STARTS_KEPT = timedelta(days=60)
READ_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Start:
    """A start of all reports.

    Attributes
    ----------
    scheduled_for
        ISO 8601; None where a person started it, and it replaces nothing.
    replaces
        Whether a person started it in place of the scheduled one.
    reports
        Names of reports, each with the name of its execution.
    """

    execution: Execution
    scheduled_for: str | None
    replaces: bool
    reports: tuple[tuple[str, str], ...]


def open_start(table: Table, start: Start) -> None:
    """Write a start down, before any of its reports begins; a repeated call writes the same."""
    table.put(
        {
            "pk": STARTS,
            "sk": start.execution.id,
            "arn": start.execution.arn,
            "started_at": start.execution.started_at.isoformat(),
            "scheduled_for": start.scheduled_for or "",
            "replaces": int(start.replaces),
            "reports": json.dumps(start.reports),
            "expires": int((start.execution.started_at + STARTS_KEPT).timestamp()),
        }
    )


def close_start(table: Table, execution: Execution) -> None:
    """Forget a start that has ended."""
    table.delete(STARTS, execution.id)


def open_starts(table: Table) -> Sequence[Start]:
    """Return the starts that have not ended, as far as is known."""
    return [
        Start(
            Execution(item["arn"], datetime.fromisoformat(item["started_at"])),
            item["scheduled_for"] or None,
            bool(item["replaces"]),
            tuple((name, execution) for name, execution in json.loads(item["reports"])),
        )
        for item in islice(table.beginning_with(STARTS), READ_AT_ONCE)
    ]


def keep_reports(table: Table, names: Sequence[str]) -> None:
    """Write down which reports a scheduled start is of."""
    table.put({"pk": REPORTS, "sk": REPORTS, "names": json.dumps(names)})


def kept_reports(table: Table) -> list[str]:
    """Return the reports that were last written down; none where no scheduled start has had a usable file."""
    item = table.get(REPORTS, REPORTS)
    return list(json.loads(item["names"])) if item else []


def missing_reports(table: Table, now: datetime, expected_within: timedelta) -> list[str]:
    """Return the expected reports that have not succeeded on schedule for so long."""
    return [name for name in kept_reports(table) if not _succeeded(table, name, now - expected_within)]


def _succeeded(table: Table, report: str, since: datetime) -> bool:
    for line in history(table, report):
        if line["sk"].split("#")[1] < since.isoformat():
            return False
        if line["outcome"] == "SUCCEEDED" and line.get("scheduled") == 1:
            return True
    return False
