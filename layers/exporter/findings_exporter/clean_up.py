"""What is left to do for executions that ended outside the workflow: stopped, timed out, or failed with nothing told.

Called by the EventBridge rule on the execution's status and by an hourly sweep, since those events are delivered best
effort only [AWS: Step Functions developer guide]. Both may come late, twice or at once, and while the workflow's own
failure path ran: each part asks before it acts.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from findings_exporter import messages, recording, reports, runs, telling
from findings_exporter.counts import count_expectation
from findings_exporter.desk import Desk
from findings_exporter.errors import AccessDeniedError, ExporterError, Failure, StillCreatingError, StillRunningError, translated
from findings_exporter.execution import Execution
from findings_exporter.lock import ENDED, EXECUTION_TIMEOUT, EXPIRY_MARGIN
from findings_exporter.runs import Outcome
from findings_exporter.step import named

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_stepfunctions import SFNClient

logger = logging.getLogger(__name__)

SWEEP_BACK = timedelta(days=2)
"""How far the sweep looks for executions that ended before they were written down."""
OUTCOMES: dict[str, Outcome] = {"ABORTED": "ABORTED", "TIMED_OUT": "TIMED_OUT"}


@dataclass(frozen=True, slots=True)
class Ended:
    """An execution that has ended, as DescribeExecution tells."""

    execution: Execution
    status: str
    input: str
    error: str
    cause: str

    @property
    def failure(self) -> Failure:
        """Why the execution ended, for its record."""
        said = ": ".join(text for text in (self.error, self.cause) if text)
        match self.status:
            case "ABORTED":
                # Whoever stops an execution may give a cause of 32,768 characters: it is cut like any other.
                text = f"The execution was stopped before it had finished{f': {said}' if said else '.'}"
                return messages.failure_from("Stopped", text)
            case "TIMED_OUT":
                return Failure("TimedOut", "The execution reached the state machine's time limit before it had finished.")
            case _:
                return messages.failure_from(self.error or "Unknown", self.cause)


def execution_of(detail: Mapping[str, Any]) -> Execution:
    """Read the detail of a "Step Functions Execution Status Change" event; its dates are epoch milliseconds."""
    return Execution(detail["executionArn"], datetime.fromtimestamp(detail["startDate"] / 1000, UTC))


def clean_up_event(
    desk: Desk, states: "SFNClient", sns: "SNSClient", execution: Execution, now: Callable[[], datetime], over_at: datetime
) -> str:
    """Clean up after the execution that an event tells of.

    The event is a hint: Step Functions is asked whether the execution has ended, and how.

    Raises
    ------
    StillRunningError
        It has not ended: try again.
    """
    ended = _ended(states, execution, now())
    if ended is None:
        raise StillRunningError(f"the execution {execution.name} has not ended; this is tried again")
    return clean_up(desk, sns, ended, now, over_at)


def clean_up(desk: Desk, sns: "SNSClient", ended: Ended, now: Callable[[], datetime], over_at: datetime) -> str:
    """Stop the run's own report, release its lock, record its outcome and tell it: whatever of that is not done yet.

    Parameters
    ----------
    over_at
        When this function is surely over.

    Returns
    -------
    str
        ``NOTHING_LEFT`` when the workflow had done all of it itself, else ``CLEANED_UP``.

    Raises
    ------
    TransientError
        A function of the run still works, its report has not stopped yet, or somebody else is telling: try again.
    """
    execution = ended.execution
    run = runs.find(desk.table, execution.id) or runs.open_run(desk.table, execution, ended.input)
    holder = desk.lock.holder()
    holds_lock = holder is not None and holder.arn == execution.arn
    if run.told_at and not holds_lock:
        # Whoever recorded the outcome may have failed right after it.
        runs.write_history(desk.table, run)
        if run.outcome in {"SUCCEEDED", "DUPLICATE"}:
            return "NOTHING_LEFT"
        return _stop_told(desk, execution, now, over_at)
    trouble = _stop(desk, execution, now, over_at)
    recording.record(desk.table, execution, OUTCOMES.get(ended.status, "FAILED"), ended.failure, None, now())
    telling.tell(desk.table, sns, desk.config, execution, now(), over_at)
    if trouble:
        raise trouble
    return "CLEANED_UP"


def _stop(desk: Desk, execution: Execution, now: Callable[[], datetime], over_at: datetime) -> Exception | None:
    """Stop the run's own report and release its lock; trouble does not keep the run from being told."""
    try:
        with translated():
            reports.cancel(desk, execution, now, over_at - telling.MARGIN)
            desk.lock.release(execution, now())
            # A function that outlived the execution may have created between look and release; now none can any more.
            reports.cancel(desk, execution, now, over_at - telling.MARGIN)
    except StillCreatingError:
        raise  # over in a minute, and then there is a report to tell of or none
    except (ExporterError, ClientError) as error:
        runs.note(
            desk.table,
            execution,
            f"Its report or its lock could not be cleaned up yet ({type(error).__name__}); this is tried again.",
        )
        return error
    return None


def _stop_told(desk: Desk, execution: Execution, now: Callable[[], datetime], over_at: datetime) -> str:
    """Look once more for the report of a run that failed and was told.

    The failure path looks once. It may have failed to cancel, or a function that outlived its step may have created
    after it looked.
    """
    try:
        with translated():
            stopped = reports.cancel(desk, execution, now, over_at - telling.MARGIN)
    except AccessDeniedError:
        # The run's message told it already, and asking again changes nothing.
        return "NOTHING_LEFT"
    return "CLEANED_UP" if stopped == "CANCELLED" else "NOTHING_LEFT"


def sweep(desk: Desk, states: "SFNClient", sns: "SNSClient", now: Callable[[], datetime], over_at: datetime) -> list[str]:
    """Clean up after every execution that has ended and of which something is left.

    One that cannot be cleaned up does not keep the others from it.

    Returns
    -------
    list of str
        The names of the executions that were cleaned up.

    Raises
    ------
    Exception
        The first one that was met, after all were tried.
    """
    # First of all: a sweep that fails later has still seen the hour.
    if desk.config.expected_report:
        count_expectation(desk.config.expected_report)
    cleaned: list[str] = []
    errors: list[Exception] = []
    holder = desk.lock.holder()
    candidates = runs.open_runs(desk.table) + ([holder.execution] if holder else [])
    try:
        with translated():
            candidates.extend(_recent_failures(desk, states, now()))
    except (ExporterError, ClientError) as error:
        errors.append(error)
    for execution in _distinct(candidates):
        with named(execution.name):
            try:
                with translated():
                    ended = _ended(states, execution, now())
                    if ended and clean_up(desk, sns, ended, now, over_at) == "CLEANED_UP":
                        cleaned.append(execution.name)
            except Exception as error:  # noqa: BLE001 - whatever is wrong with one run, the others are still told
                logger.warning("the run %s could not be cleaned up yet: %s", execution.name, type(error).__name__)
                errors.append(error)
    cleaned += _free_slot(desk, states, now, over_at)
    if errors:
        raise errors[0]
    return cleaned


def _free_slot(desk: Desk, states: "SFNClient", now: Callable[[], datetime], over_at: datetime) -> list[str]:
    """Cancel a report in progress whose run has ended and was told, but could not cancel it."""
    try:
        with translated():
            current = desk.inspector.current()
            owner = reports.owner_of(desk, current) if current and not current.has_ended else None
            if owner is None or _ended(states, owner, now()) is None:
                return []
            with named(owner.name):
                return [owner.name] if reports.cancel(desk, owner, now, over_at - telling.MARGIN) == "CANCELLED" else []
    except (ExporterError, ClientError) as error:
        # Nobody waits for this look: an Inspector that is down or disabled is told by the next export.
        logger.warning("Inspector's slot could not be looked at: %s", type(error).__name__)
        return []


def _distinct(executions: Iterable[Execution]) -> Iterator[Execution]:
    seen: set[str] = set()
    for execution in executions:
        if execution.arn not in seen:
            seen.add(execution.arn)
            yield execution


def _recent_failures(desk: Desk, states: "SFNClient", now: datetime) -> Iterator[Execution]:
    pages = states.get_paginator("list_executions")
    for status in ("ABORTED", "FAILED", "TIMED_OUT"):
        for page in pages.paginate(stateMachineArn=desk.config.state_machine_arn, statusFilter=status):
            recent = [each for each in page["executions"] if each["startDate"] > now - SWEEP_BACK]
            for each in recent:
                execution = Execution(each["executionArn"], each["startDate"])
                if not runs.is_known(desk.table, execution):
                    yield execution
            if len(recent) < len(page["executions"]):
                break  # the newest come first [AWS: ListExecutions]


def _ended(states: "SFNClient", execution: Execution, now: datetime) -> Ended | None:
    try:
        told = states.describe_execution(executionArn=execution.arn)
    except states.exceptions.ExecutionDoesNotExist:
        # Step Functions forgets an execution after 90 days; one that is older than the time limit cannot be running.
        if now < execution.started_at + EXECUTION_TIMEOUT + EXPIRY_MARGIN:
            return None
        return Ended(execution, "FAILED", "", "Unknown", "Step Functions does not know the execution any more.")
    if told["status"] not in ENDED:
        return None
    return Ended(execution, told["status"], told.get("input", ""), told.get("error", ""), told.get("cause", ""))
