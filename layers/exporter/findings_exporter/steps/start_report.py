"""Start Report: create the run's report, find the one of an earlier try, or wait while Inspector makes another one.

Inspector makes one report at a time in an account and Region, has no client token, and anyone may start a report in the
console meanwhile. So Inspector is asked before each create, and the run's own report is recognized by its destination.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004 - botocore's own name

from findings_exporter.aws import run_store
from findings_exporter.aws.bucket import found_report_id
from findings_exporter.aws.clients import Clients, StartClients
from findings_exporter.aws.inspector import InspectorReport, create
from findings_exporter.aws.lock import has_ended
from findings_exporter.model.errors import DENIED, THROTTLED, Failure, code_of, is_refused, text_of
from findings_exporter.model.notes import Note
from findings_exporter.model.run import Run
from findings_exporter.model.text import clean
from findings_exporter.steps._reports import is_at, next_check, owner_of
from findings_exporter.steps._results import Result, failed, too_late, wait_for_turn

logger = logging.getLogger(__name__)

ONE_AT_A_TIME_TEXT = "multiple reports in-progress"
"""Part of AWS' text for a second create. A hint only: the status decides."""
OUTLIVE_MARGIN = timedelta(seconds=10)
LANDING = timedelta(seconds=10)
"""How long a report may take to appear after a create whose answer was lost."""
PLACE_CHARACTERS = 200
"""Of another report's destination: its prefix may be long, and the rest of the sentence stands behind it."""


def start_report(clients: StartClients, run: Run, clock: Callable[[], datetime], function_deadline: datetime) -> Result:
    """Create the run's report, find the one that an earlier try created, or return whose report is in progress.

    Parameters
    ----------
    clock
        Tells the time now; a create that is not answered takes some.
    function_deadline
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
    plan, now = run.require_plan(), clock()
    holder = clients.lock.require(run.execution)
    if run.report_id:
        return _started(clients, run, run.report_id, now, holder.creating_until)
    current = clients.inspector.current()
    if current and is_at(current, plan):
        return _started(clients, run, current.id, now, holder.creating_until)
    if delivered := found_report_id(clients.s3, plan.destination):
        return _started(clients, run, delivered, now, holder.creating_until)
    if holder.creating_until and holder.creating_until >= now:
        # An earlier try of this step may still be creating. Looking again is the only safe thing to do; and like any
        # turn ever more seldom, since an Inspector that fails all day would fill the execution's history.
        return _busy(max((holder.creating_until - now).total_seconds(), wait_for_turn(run, now)))
    if current and not current.has_ended:
        return _other_in_progress(clients, run, current, now)
    if plan.remaining_seconds(now) <= 0:
        return failed(too_late(plan, "cause.too_late_not_started"))
    return _create(clients, run, holder.creating_until, clock, function_deadline)


def _create(
    clients: StartClients, run: Run, seen: datetime | None, clock: Callable[[], datetime], function_deadline: datetime
) -> Result:
    plan = run.require_plan()
    mark = clients.lock.mark_creating(run.execution, function_deadline + OUTLIVE_MARGIN, clock(), seen)
    # An earlier try that still worked may have marked, created, noted its report and cleared its mark since we looked.
    if noted := run_store.load(clients.table, run.execution).report_id:
        return _started(clients, run, noted, clock(), mark)
    try:
        report_id = create(clients.creator, plan)
    except ClientError as error:
        if not is_refused(error):
            clients.lock.move_mark(run.execution, mark, clock() + LANDING)
            run_store.note(clients.table, run.execution, Note("run.create_failed", code=code_of(error)))
            raise
        clients.lock.clear_mark(run.execution, mark)
        if code_of(error) in THROTTLED | DENIED:
            raise
        return _refused(clients, run, error, clock())
    except (ConnectionError, HTTPClientError):
        # The answer was lost, the report may still appear; but this function sends no other create.
        clients.lock.move_mark(run.execution, mark, clock() + LANDING)
        raise
    return _started(clients, run, report_id, clock(), mark)


def _refused(clients: StartClients, run: Run, error: ClientError, now: datetime) -> Result:
    # Another report may have been started since the last status check: the status decides, class and text are only hints.
    plan = run.require_plan()
    current = clients.inspector.current()
    if current and is_at(current, plan):
        return _started(clients, run, current.id, now, None)
    if current and not current.has_ended:
        return _other_in_progress(clients, run, current, now)
    if ONE_AT_A_TIME_TEXT in text_of(error):
        return _busy(wait_for_turn(run, now))
    return failed(Failure("CreateRefused", Note("cause.refused", code=code_of(error), text=text_of(error))))


def _other_in_progress(clients: StartClients, run: Run, other: InspectorReport, now: datetime) -> Result:
    plan = run.require_plan()
    remaining = plan.remaining_seconds(now)
    place = clean(f"s3://{other.bucket}/{other.prefix}", PLACE_CHARACTERS)
    if remaining <= 0:
        return failed(too_late(plan, "cause.too_late_other", report=other.id, place=place))
    whose = owner_of(clients, other)
    if whose and has_ended(clients.states, whose.arn):
        # Ours, but of a run that is over: it has another's filter and place, so no run can use it.
        clients.inspector.cancel(other.id)
        run_store.note(
            clients.table,
            run.execution,
            Note("run.cancelled_left", report=other.id, run=whose.id),
        )
        return _busy(wait_for_turn(run, now))
    if whose is None and plan.on_busy == "fail":
        return failed(Failure("InspectorBusy", Note("cause.busy", report=other.id, place=place)))
    if whose is None and plan.on_busy == "cancel":
        clients.inspector.cancel(other.id)
        run_store.note(
            clients.table,
            run.execution,
            Note("run.cancelled_external", report=other.id, place=place),
        )
        return _busy(wait_for_turn(run, now))
    logger.info("another report is in progress at Inspector: %s", other.id)
    run_store.note(
        clients.table,
        run.execution,
        Note("run.waited_external", report=other.id, place=place),
    )
    return _busy(wait_for_turn(run, now))


def _started(clients: Clients, run: Run, report_id: str, now: datetime, mark: datetime | None) -> Result:
    run_store.note_report(clients.table, run.execution, report_id, now)
    if mark:
        # No try creates while an earlier one may: the report that is known now is the only one that can appear.
        clients.lock.clear_mark(run.execution, mark)
    return {"state": "STARTED", "report_id": report_id, "wait_seconds": next_check(clients, run, now)}


def _busy(wait_seconds: float) -> Result:
    return {"state": "BUSY", "wait_seconds": max(1, round(wait_seconds))}
