"""Inspector's findings reports: start one, watch it, stop it.

Inspector makes one report at a time in an account and Region, has no client token, and anyone may start a report in the
console meanwhile. So Inspector is asked before anything is believed, and *ours* is recognised by the destination.
"""

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Literal

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004 - botocore's own name

from findings_exporter.aws import run_store
from findings_exporter.aws.clients import Clients, StartClients
from findings_exporter.aws.inspector import Report, create
from findings_exporter.aws.lock import has_ended
from findings_exporter.aws.metrics import count_status_check
from findings_exporter.model.errors import (
    DENIED,
    THROTTLED,
    Failure,
    StillCreatingError,
    StillRunningError,
    code_of,
    is_refused,
    text_of,
)
from findings_exporter.model.execution import Execution
from findings_exporter.model.notes import Note
from findings_exporter.model.plan import Plan, execution_of
from findings_exporter.model.run import Run
from findings_exporter.model.text import clean
from findings_exporter.model.wait import next_wait_seconds, turn_wait_seconds
from findings_exporter.steps.verify_report import found_report_id

logger = logging.getLogger(__name__)

IN_PROGRESS = "IN_PROGRESS"
ONE_AT_A_TIME_TEXT = "multiple reports in-progress"
"""Part of AWS' text for a second create. A hint only: the status decides."""
OUTLIVE_MARGIN = timedelta(seconds=10)
LANDING = timedelta(seconds=10)
"""How long a report may take to appear after a create whose answer was lost."""
CANCEL_CHECK_SECONDS = 1
PLACE_CHARACTERS = 200
"""Of where another report goes: its prefix is anybody's, and what became of it stands behind it."""


type Result = dict[str, Any]
"""What a step tells the workflow: ``state``, and with it ``wait_seconds`` or ``failure``."""


def start(start_clients: StartClients, run: Run, clock: Callable[[], datetime], outlives_until: datetime) -> Result:
    """Create the run's report, find the one that an earlier try created, or tell who has the slot.

    Parameters
    ----------
    clock
        Tells the time now; a create that is not answered takes some.
    outlives_until
        When this function is surely over, although its execution may be stopped before.

    Returns
    -------
    Result
        ``STARTED`` (with ``report_id`` and ``wait_seconds``), ``BUSY`` (with ``wait_seconds``) or ``FAILED``.

    Raises
    ------
    LockLostError
        The lock is not this run's (any more).
    """
    clients, plan, now = start_clients.clients, run.require_plan(), clock()
    holder = clients.lock.require(run.execution)
    if run.report_id:
        return _started(clients, run, run.report_id, now, holder.creating_until)
    current = clients.inspector.current()
    if current and _is_at(current, plan):
        return _started(clients, run, current.id, now, holder.creating_until)
    if delivered := found_report_id(start_clients.s3, plan.destination):
        return _started(clients, run, delivered, now, holder.creating_until)
    if holder.creating_until and holder.creating_until >= now:
        # An earlier try of this step may still be creating. Looking again is the only safe thing to do; and like any
        # turn ever more seldom, since an Inspector that fails all day would fill the execution's history.
        return _busy(max((holder.creating_until - now).total_seconds(), _turn_wait(run, now)))
    if current and not current.has_ended:
        return _slot_taken(start_clients, run, current, now)
    if plan.remaining_seconds(now) <= 0:
        return _failed(_too_late(plan, "cause.too_late_not_started"))
    return _create(start_clients, run, holder.creating_until, clock, outlives_until)


def check(clients: Clients, run: Run, now: datetime) -> Result:
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
        return _failed(Failure("Report.UNKNOWN", Note("cause.report_unknown", report=run.report_id)))
    if not report.has_ended:
        if report.status != IN_PROGRESS:
            logger.warning("Inspector told an unknown report status, which counts as in progress: %s", report.status)
        remaining = plan.remaining_seconds(now)
        if remaining <= 0:
            return _failed(_too_late(plan, "cause.too_late_running", report=report.id, status=report.status))
        return {"state": IN_PROGRESS, "wait_seconds": _next_check(clients, run, now)}
    run_store.note_report_ended(clients.table, run.execution, now)
    if report.status == "SUCCEEDED":
        return {"state": "FINISHED", "found_nothing": False}
    if report.error_code == "NO_FINDINGS_FOUND":
        return {"state": "FINISHED", "found_nothing": True}
    code = "CANCELLED" if report.status == "CANCELLED" else report.error_code or "UNKNOWN_ERROR"
    ended = Note("cause.report_ended", report=report.id, status=report.status)
    if report.error_message:
        ended = Note("cause.report_ended_text", report=report.id, status=report.status, text=report.error_message)
    return _failed(Failure(f"Report.{code}", ended))


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
        The report was told to stop but has not stopped by ``until``.
    """
    run = run_store.find(clients.table, execution.id)
    if run is None or run.plan is None:
        return "NONE"
    holder = clients.lock.holder()
    if holder and holder.arn == execution.arn and holder.creating_until and holder.creating_until >= now():
        raise StillCreatingError(Note("cause.still_creating", run=execution.id))
    report = _own_in_progress(clients, run, run.plan)
    if report is None:
        return "NONE"
    logger.info("cancelling the run's own report %s", report.id)
    clients.inspector.cancel(report.id)
    while (seen := clients.inspector.status(report.id)) and not seen.has_ended:
        if now() + timedelta(seconds=CANCEL_CHECK_SECONDS) >= until:
            raise StillRunningError(Note("cause.still_running", report=report.id, status=seen.status))
        time.sleep(CANCEL_CHECK_SECONDS)
    return "CANCELLED"


def _own_in_progress(clients: Clients, run: Run, plan: Plan) -> Report | None:
    report = clients.inspector.status(run.report_id) if run.report_id else None
    # A report known by its id is this run's, unless Inspector says that it goes elsewhere.
    if report and not report.has_ended and (not report.bucket or _is_at(report, plan)):
        return report
    current = clients.inspector.current()
    return current if current and not current.has_ended and _is_at(current, plan) else None


def _create(
    start_clients: StartClients, run: Run, seen: datetime | None, clock: Callable[[], datetime], outlives_until: datetime
) -> Result:
    clients, plan = start_clients.clients, run.require_plan()
    mark = clients.lock.mark_creating(run.execution, outlives_until + OUTLIVE_MARGIN, clock(), seen)
    # An earlier try that still worked may have marked, created, noted its report and cleared its mark since we looked.
    if noted := run_store.load(clients.table, run.execution).report_id:
        return _started(clients, run, noted, clock(), mark)
    try:
        report_id = create(start_clients.creator, plan)
    except ClientError as error:
        if not is_refused(error):
            clients.lock.move_mark(run.execution, mark, clock() + LANDING)
            run_store.note(clients.table, run.execution, Note("run.create_failed", code=code_of(error)))
            raise
        clients.lock.clear_mark(run.execution, mark)
        if code_of(error) in THROTTLED | DENIED:
            raise
        return _refused(start_clients, run, error, clock())
    except (ConnectionError, HTTPClientError):
        # The answer was lost, the report may still appear; but this function sends no other create.
        clients.lock.move_mark(run.execution, mark, clock() + LANDING)
        raise
    return _started(clients, run, report_id, clock(), mark)


def _refused(start_clients: StartClients, run: Run, error: ClientError, now: datetime) -> Result:
    # Somebody may have taken the slot between our look and our create: the status decides, class and text are only hints.
    clients, plan = start_clients.clients, run.require_plan()
    current = clients.inspector.current()
    if current and _is_at(current, plan):
        return _started(clients, run, current.id, now, None)
    if current and not current.has_ended:
        return _slot_taken(start_clients, run, current, now)
    if ONE_AT_A_TIME_TEXT in text_of(error):
        return _busy(_turn_wait(run, now))
    return _failed(Failure("CreateRefused", Note("cause.refused", code=code_of(error), text=text_of(error))))


def _slot_taken(start_clients: StartClients, run: Run, other: Report, now: datetime) -> Result:
    clients, plan = start_clients.clients, run.require_plan()
    remaining = plan.remaining_seconds(now)
    place = clean(f"s3://{other.bucket}/{other.prefix}", PLACE_CHARACTERS)
    if remaining <= 0:
        return _failed(_too_late(plan, "cause.too_late_other", report=other.id, place=place))
    whose = owner_of(clients, other)
    if whose and has_ended(start_clients.states, whose.arn):
        # Ours, but of a run that is over: it has another's filter and place, so it is of no use to anybody.
        clients.inspector.cancel(other.id)
        run_store.note(
            clients.table,
            run.execution,
            Note("run.cancelled_left", report=other.id, run=whose.id),
        )
        return _busy(_turn_wait(run, now))
    if whose is None and plan.on_busy == "fail":
        return _failed(Failure("SlotBusy", Note("cause.busy", report=other.id, place=place)))
    if whose is None and plan.on_busy == "cancel":
        clients.inspector.cancel(other.id)
        run_store.note(
            clients.table,
            run.execution,
            Note("run.cancelled_external", report=other.id, place=place),
        )
        return _busy(_turn_wait(run, now))
    logger.info("Inspector's slot is taken by another report %s", other.id)
    run_store.note(
        clients.table,
        run.execution,
        Note("run.waited_external", report=other.id, place=place),
    )
    return _busy(_turn_wait(run, now))


def owner_of(clients: Clients, report: Report) -> Execution | None:
    """Return the execution of ours that a report belongs to, or None for a foreign one."""
    name = execution_of(report.prefix)
    run = run_store.find(clients.table, name) if name else None
    # Judged by the run's own plan: the deployment's bucket and prefix may have changed since.
    return run.execution if run and run.plan and _is_at(report, run.plan) else None


def _started(clients: Clients, run: Run, report_id: str, now: datetime, mark: datetime | None) -> Result:
    run_store.note_report(clients.table, run.execution, report_id, now)
    if mark:
        # No try creates while an earlier one may: the report that is known now is the only one that can appear.
        clients.lock.clear_mark(run.execution, mark)
    return {"state": "STARTED", "report_id": report_id, "wait_seconds": _next_check(clients, run, now)}


def _next_check(clients: Clients, run: Run, now: datetime) -> int:
    plan = run.require_plan()
    history = run_store.recent_report_seconds(clients.table, plan.report_name)
    elapsed = (now - (run.report_created_at or now)).total_seconds()
    return next_wait_seconds(elapsed, history, plan.remaining_seconds(now))


def _is_at(report: Report, plan: Plan) -> bool:
    return (report.bucket, report.prefix) == (plan.destination.bucket, plan.destination.prefix)


def _too_late(plan: Plan, name: str, **values: str) -> Failure:
    return Failure("DeadlineExceeded", Note(name, hours=f"{plan.deadline_hours:g}", **values))


def _turn_wait(run: Run, now: datetime) -> int:
    elapsed = (now - run.execution.started_at).total_seconds()
    return turn_wait_seconds(elapsed, run.require_plan().remaining_seconds(now))


def _busy(wait_seconds: float) -> Result:
    return {"state": "BUSY", "wait_seconds": max(1, round(wait_seconds))}


def _failed(failure: Failure) -> Result:
    return {"state": "FAILED", "failure": failure.to_dict()}
