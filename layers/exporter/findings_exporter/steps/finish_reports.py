"""Finish Reports: say home which reports of a start never began, and forget the start.

Each report that began says itself how it ended, whatever becomes of the start: Notify does, or clean_up.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from findings_exporter.aws import outbox, start_store
from findings_exporter.aws.clients import CleanUpClients, ReportsClients
from findings_exporter.aws.start_store import Start
from findings_exporter.model.errors import code_of
from findings_exporter.model.execution import Execution
from findings_exporter.model.home_messages import SAID_CAUSE_CHARACTERS, SAID_ERROR_CHARACTERS, ReportHeadline
from findings_exporter.model.notes import Note
from findings_exporter.model.text import clean
from findings_exporter.steps._results import Result
from findings_exporter.steps.plan_reports import is_running


def finish_reports(clients: ReportsClients, execution: Execution, results: Sequence[Mapping[str, Any]], now: datetime) -> Result:
    """Finish a start whose reports have all ended.

    Parameters
    ----------
    results
        Of each report: ``name``, and ``error`` and ``cause`` where it failed, else null.

    Returns
    -------
    Result
        ``state``: ``FINISHED``, or ``REPORTS_FAILED`` with ``failed``: their names.
    """
    causes = {each["name"]: each for each in results if each.get("error")}
    for start in start_store.open_starts(clients.table):
        if start.execution.arn == execution.arn:
            _finish(clients, start, causes, now)
    clients.home.send_all(clients.table)
    if causes:
        return {"state": "REPORTS_FAILED", "failed": list(causes)}
    return {"state": "FINISHED"}


def finish_ended(clients: ReportsClients | CleanUpClients, now: datetime) -> list[str]:
    """Finish the starts that ended without finishing themselves: stopped, timed out, or failed. Return their names."""
    ended = [start for start in start_store.open_starts(clients.table) if not is_running(clients.states, start.execution.arn)]
    for start in ended:
        _finish(clients, start, {}, now)
    return [start.execution.name for start in ended]


def _finish(
    clients: ReportsClients | CleanUpClients, start: Start, causes: Mapping[str, Mapping[str, Any]], now: datetime
) -> None:
    for report, child in start.reports:
        arn = f"{clients.config.state_machine_arn.replace(':stateMachine:', ':execution:')}:{child}"
        if start.scheduled_for and not _exists(clients, arn):
            failed = causes.get(report, {})
            cause = str(failed.get("cause") or Note("reports.stopped"))
            headline = ReportHeadline(
                region=clients.config.region,
                scheduled_for=start.scheduled_for,
                report=report,
                execution=arn,
                started_at=start.execution.started_at.astimezone(UTC).isoformat(),
                ended_at=now.astimezone(UTC).isoformat(),
                outcome="NOT_STARTED",
                level="PROBLEM",
                replaces=start.replaces,
                error=clean(failed.get("error") or "NotStarted", SAID_ERROR_CHARACTERS),
                cause=clean(cause, SAID_CAUSE_CHARACTERS),
            )
            outbox.keep(clients.table, headline, now)
    start_store.close_start(clients.table, start.execution)


def _exists(clients: ReportsClients | CleanUpClients, arn: str) -> bool:
    try:
        clients.states.describe_execution(executionArn=arn)
    except ClientError as error:
        if code_of(error) != "ExecutionDoesNotExist":
            raise
        return False
    return True
