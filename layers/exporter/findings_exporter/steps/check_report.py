"""Check Report: look at the run's report, and say how long to wait before the next check."""

import logging
from datetime import datetime

from findings_exporter.aws import run_store
from findings_exporter.aws.clients import Clients
from findings_exporter.aws.metrics import count_status_check
from findings_exporter.model.errors import Failure
from findings_exporter.model.notes import Note
from findings_exporter.model.run import Run
from findings_exporter.steps._reports import next_check
from findings_exporter.steps._results import Result, failed, too_late

logger = logging.getLogger(__name__)

IN_PROGRESS = "IN_PROGRESS"


def check_report(clients: Clients, run: Run, now: datetime) -> Result:
    """Look at the run's report.

    Returns
    -------
    Result
        ``IN_PROGRESS`` (with ``wait_seconds``), ``FINISHED`` (with ``found_nothing``) or ``FAILED``.

    Raises
    ------
    LockLostError
        The lock is not this run's (any more).
    """
    plan = run.require_plan()
    clients.lock.require(run.execution)
    report = clients.inspector.status(run.report_id or "")
    count_status_check(plan.report_name)
    if report is None:
        return failed(Failure("Report.UNKNOWN", Note("cause.report_unknown", report=run.report_id)))
    if not report.has_ended:
        if report.status != IN_PROGRESS:
            logger.warning("Inspector returned an unknown report status, which counts as in progress: %s", report.status)
        remaining = plan.remaining_seconds(now)
        if remaining <= 0:
            return failed(too_late(plan, "cause.too_late_running", report=report.id, status=report.status))
        return {"state": IN_PROGRESS, "wait_seconds": next_check(clients, run, now)}
    run_store.note_report_ended(clients.table, run.execution, now)
    if report.status == "SUCCEEDED":
        return {"state": "FINISHED", "found_nothing": False}
    if report.error_code == "NO_FINDINGS_FOUND":
        return {"state": "FINISHED", "found_nothing": True}
    code = "CANCELLED" if report.status == "CANCELLED" else report.error_code or "UNKNOWN_ERROR"
    ended = Note("cause.report_ended", report=report.id, status=report.status)
    if report.error_message:
        ended = Note("cause.report_ended_text", report=report.id, status=report.status, text=report.error_message)
    return failed(Failure(f"Report.{code}", ended))
