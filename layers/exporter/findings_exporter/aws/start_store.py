"""What is written down about the starts of all reports of a Region.

===========  ===================  ==========================================================================
``STARTS``   ``<execution id>``   a start that has not ended: its reports, and the names of their executions
``REPORTS``  ``REPORTS``          which reports are expected, those of the last scheduled start with a usable file, and since when
===========  ===================  ==========================================================================
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

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


def keep_reports(table: Table, names: Sequence[str], now: datetime) -> None:
    """Write down which reports a scheduled start is of; one that was expected before stays expected since then."""
    item = table.get(REPORTS, REPORTS)
    before, since = (json.loads(item["names"]), _since(item)) if item else ([], {})
    kept = {name: since.get(name) if name in before else now.isoformat() for name in names}
    table.put(_reports(names, {name: time for name, time in kept.items() if time}))


def expect_first(table: Table, name: str, now: datetime) -> None:
    """Expect a report from now on where none was expected yet: a schedule that never begins a start is noticed by it."""
    table.put_new(_reports([name], {name: now.isoformat()}))


def kept_reports(table: Table) -> list[str]:
    """Return the reports that were last written down; none where no scheduled start has had a usable file."""
    item = table.get(REPORTS, REPORTS)
    return list(json.loads(item["names"])) if item else []


def missing_reports(table: Table, now: datetime, expected_within: timedelta) -> list[str]:
    """Return the reports that have been expected for so long, and have not succeeded on schedule or in place of it since."""
    item = table.get(REPORTS, REPORTS)
    if item is None:
        return []
    back, since = now - expected_within, _since(item)
    expected = [name for name in json.loads(item["names"]) if since.get(name, "") <= back.isoformat()]
    return [name for name in expected if not _succeeded(table, name, back)]


def _reports(names: Sequence[str], since: Mapping[str, str]) -> dict[str, str | int]:
    return {"pk": REPORTS, "sk": REPORTS, "names": json.dumps(names), "since": json.dumps(since)}


def _since(item: Mapping[str, Any]) -> dict[str, str]:
    """Return since when reports are expected; of one without a time it is not known, so that it counts as long ago."""
    return dict(json.loads(item.get("since", "{}")))


def _succeeded(table: Table, report: str, since: datetime) -> bool:
    for line in history(table, report):
        if line["sk"].split("#")[1] < since.isoformat():
            return False
        if line["outcome"] == "SUCCEEDED" and (line.get("scheduled") == 1 or "replaces" in line):
            return True
    return False
