"""What a preview reads beside the findings: the report in progress, recent runs, and the schedule."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from findings_exporter.aws import run_store
from findings_exporter.aws.attempts import READ_ATTEMPTS, Attempts, Unread
from findings_exporter.aws.handler import client
from findings_exporter.aws.inspector import Inspector, InspectorReport
from findings_exporter.aws.table import Table
from findings_exporter.model.config import Config
from findings_exporter.model.notes import Note
from findings_exporter.model.plan import Plan

if TYPE_CHECKING:
    from mypy_boto3_inspector2 import Inspector2Client
    from mypy_boto3_scheduler import EventBridgeSchedulerClient

RECENT_RUNS = 5


@dataclass(frozen=True, slots=True)
class PreviewClients:
    """Whom a preview asks."""

    config: Config
    table: Table
    inspector2: "Inspector2Client"
    scheduler: "EventBridgeSchedulerClient"

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """Make the clients; once, at a handler's module level."""
        return cls(
            config,
            Table(client("dynamodb"), config.table_name),
            client("inspector2", attempts=READ_ATTEMPTS),
            client("scheduler", attempts=READ_ATTEMPTS),
        )


@dataclass(frozen=True, slots=True)
class RecentRun:
    """A run that exported with the same name and filter, and succeeded.

    Attributes
    ----------
    report_seconds
        How long Inspector took of it; None where that was not seen.
    open_findings
        None where the report was not analyzed.
    """

    started_at: datetime
    duration_seconds: int
    report_seconds: int | None
    open_findings: int | None


def in_progress(clients: PreviewClients, attempts: Attempts) -> InspectorReport | Unread | None:
    """Return the report that Inspector is creating; None: it creates none."""
    current = attempts.read(Inspector(clients.inspector2).current)
    return None if isinstance(current, InspectorReport) and current.has_ended else current


def recent_runs(clients: PreviewClients, plan: Plan, attempts: Attempts) -> list[RecentRun] | Unread:
    """Return the last successful runs with the plan's report name and filter, the newest first.

    They are looked for among all runs of the report, as far as there is time: others, however many, do not hide them.
    """

    def found() -> list[RecentRun] | Unread:
        runs: list[RecentRun] = []
        for line in run_store.history(clients.table, plan.report_name):
            if len(runs) == RECENT_RUNS:
                break
            if attempts.is_late:
                return runs or Unread(Note("why.no_time"))
            runs += [_recent_run(line)] if _is_alike(line, plan) else []
        return runs

    runs = attempts.read(found)
    return Unread(Note("why.no_table")) if runs is None else runs


def _is_alike(line: Mapping[str, Any], plan: Plan) -> bool:
    # Another release may have written the line.
    is_success = line.get("outcome") == "SUCCEEDED" and isinstance(line.get("duration_seconds"), int)
    return is_success and line.get("filter_hash") == plan.filter_hash


def _recent_run(line: Mapping[str, Any]) -> RecentRun:
    return RecentRun(
        datetime.fromisoformat(line["sk"].split("#")[1]),
        line["duration_seconds"],
        line.get("report_seconds"),
        line.get("open_findings"),
    )
