"""Cancel Report: stop the run's own report after something went wrong, so that Inspector can make another one."""

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal

from findings_exporter.aws import run_store
from findings_exporter.aws.clients import Clients
from findings_exporter.aws.inspector import InspectorReport
from findings_exporter.model.errors import StillCreatingError, StillRunningError
from findings_exporter.model.execution import Execution
from findings_exporter.model.notes import Note
from findings_exporter.model.plan import Plan
from findings_exporter.model.run import Run
from findings_exporter.steps._reports import is_at
from findings_exporter.steps._results import Result

logger = logging.getLogger(__name__)

CANCEL_CHECK_SECONDS = 1
ANSWER_MARGIN = timedelta(seconds=10)
"""What is left of the function's time to raise an error that the workflow retries."""


def cancel_report(clients: Clients, execution: Execution, now: Callable[[], datetime], function_deadline: datetime) -> Result:
    """Cancel the run's report and wait until it has stopped.

    Returns
    -------
    Result
        ``state``: ``CANCELLED``, or ``NONE`` when the run has no report in progress.
    """
    return {"state": cancel(clients, execution, now, function_deadline - ANSWER_MARGIN)}


def cancel(clients: Clients, execution: Execution, now: Callable[[], datetime], until: datetime) -> Literal["NONE", "CANCELLED"]:
    """Stop the run's own report, if there is one, and wait until it has stopped.

    The report is found by its id or, should the create's answer have been lost, by its destination.

    Parameters
    ----------
    now
        The clock; this function waits.
    until
        When to stop waiting.

    Raises
    ------
    StillCreatingError
        A function of this run may still be creating one.
    StillRunningError
        The report was cancelled but has not stopped by ``until``.
    """
    report = own_in_progress(clients, execution, now())
    if report is None:
        return "NONE"
    stop(clients, report, now, until)
    return "CANCELLED"


def own_in_progress(clients: Clients, execution: Execution, now: datetime) -> InspectorReport | None:
    """Find the run's own report, if it is in progress.

    Raises
    ------
    StillCreatingError
        A function of this run may still be creating one.
    """
    run = run_store.find(clients.table, execution.id)
    if run is None or run.plan is None:
        return None
    holder = clients.lock.holder()
    if holder and holder.arn == execution.arn and holder.creating_until and holder.creating_until >= now:
        raise StillCreatingError(Note("cause.still_creating", run=execution.id))
    return _in_progress(clients, run, run.plan)


def stop(clients: Clients, report: InspectorReport, now: Callable[[], datetime], until: datetime) -> None:
    """Cancel a report and wait until it has stopped.

    Raises
    ------
    StillRunningError
        It has not stopped by ``until``.
    """
    logger.info("cancelling the run's own report %s", report.id)
    clients.inspector.cancel(report.id)
    while (seen := clients.inspector.status(report.id)) and not seen.has_ended:
        if now() + timedelta(seconds=CANCEL_CHECK_SECONDS) >= until:
            raise StillRunningError(Note("cause.still_running", report=report.id, status=seen.status))
        time.sleep(CANCEL_CHECK_SECONDS)


def _in_progress(clients: Clients, run: Run, plan: Plan) -> InspectorReport | None:
    report = clients.inspector.status(run.report_id) if run.report_id else None
    # A report known by its id is this run's, unless Inspector says that it goes elsewhere.
    if report and not report.has_ended and (not report.bucket or is_at(report, plan)):
        return report
    current = clients.inspector.current()
    return current if current and not current.has_ended and is_at(current, plan) else None
