"""Clean up after executions that ended outside the workflow: stopped, timed out, or failed without a notification.

Called by the EventBridge rule on the execution's status and by an hourly cleanup, since those events are delivered best
effort only [AWS: Step Functions developer guide]. Both may come late, twice or at once, and while the workflow's own
failure path ran: each part asks before it acts.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from findings_exporter import notification
from findings_exporter.aws import run_store, start_store
from findings_exporter.aws.clients import CleanUpClients, Clients
from findings_exporter.aws.handler import named
from findings_exporter.aws.lock import ENDED, EXECUTION_TIMEOUT, EXPIRY_MARGIN
from findings_exporter.aws.metrics import count_expectation, count_missing_reports
from findings_exporter.aws.run_store import CleanupMark
from findings_exporter.model.errors import (
    AccessDeniedError,
    ExporterError,
    Failure,
    StillCreatingError,
    StillRunningError,
    code_of,
    translated,
)
from findings_exporter.model.execution import Execution
from findings_exporter.model.notes import Note
from findings_exporter.model.run import Outcome, Run
from findings_exporter.model.text import clean
from findings_exporter.steps._reports import owner_of
from findings_exporter.steps.cancel_report import cancel, own_in_progress, stop
from findings_exporter.steps.finish_reports import finish_ended
from findings_exporter.steps.notify import publish_outcome
from findings_exporter.steps.notify_owners import give_up, send_to_owners
from findings_exporter.steps.record_run import record

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient
    from mypy_boto3_stepfunctions.literals import ExecutionStatusType

logger = logging.getLogger(__name__)

CLEANUP_BACK = timedelta(days=2)
"""How far the hourly cleanup looks for executions that ended before they were written down."""
NOT_SUCCEEDED: tuple["ExecutionStatusType", ...] = ("ABORTED", "FAILED", "TIMED_OUT")
PAGE_EXECUTIONS, PAGES_AT_ONCE = 100, 50
"""Of failed executions, what an hourly cleanup looks at beyond the newest page of each status."""
TIME_FOR_ONE = timedelta(seconds=40)
"""What is left when an hourly cleanup begins with its last run: time to stop its report, and to record its outcome and notify."""
TIME_TO_NOTIFY = timedelta(seconds=20)
"""What is left of it when a report has not stopped."""
CANCEL_WAIT = timedelta(seconds=15)
"""How long an hourly cleanup waits for one report to stop: others have a right to its time."""
STOPPED_CHARACTERS = 1_000
"""Of the cause that a person gave for stopping an execution: it may have 32,768."""
OWNERS_TRIED = timedelta(days=2)
"""How long messages to owners are tried: they are about that day's findings, and later runs have messages of their own."""
EVENT_PATIENCE = timedelta(minutes=15)
"""More than a function has: who comes for one run alone waits as long as it can."""
ENDED_AS: dict[str, Outcome] = {"ABORTED": "ABORTED", "TIMED_OUT": "TIMED_OUT"}


@dataclass(frozen=True, slots=True)
class Ended:
    """An execution that has ended, as DescribeExecution returns it."""

    execution: Execution
    status: str
    input: str
    error: str
    cause: str

    @property
    def failure(self) -> Failure:
        """Why the execution ended, for its record."""
        said = clean(": ".join(text for text in (self.error, self.cause) if text), STOPPED_CHARACTERS)
        match self.status:
            case "ABORTED":
                return Failure("Stopped", Note("cause.stopped_text", text=said) if said else Note("cause.stopped"))
            case "TIMED_OUT":
                return Failure("TimedOut", Note("cause.timed_out"))
            case _:
                return notification.failure_from(self.error or "Unknown", self.cause)


def execution_of(detail: Mapping[str, Any]) -> Execution:
    """Read the detail of a "Step Functions Execution Status Change" event; its dates are epoch milliseconds."""
    return Execution(detail["executionArn"], datetime.fromtimestamp(detail["startDate"] / 1000, UTC))


def clean_up_event(
    clients: CleanUpClients,
    execution: Execution,
    now: Callable[[], datetime],
    function_deadline: datetime,
) -> str:
    """Clean up after the execution that an event names.

    The event is a hint: Step Functions is asked whether the execution has ended, and how.

    Raises
    ------
    StillRunningError
        It has not ended: try again.
    """
    ended = _ended(clients.states, execution, now())
    if ended is None:
        raise StillRunningError(Note("cause.not_ended", run=execution.id))
    if ":execution:" in execution.arn and execution.arn.split(":")[-2] == clients.config.all_reports_arn.split(":")[-1]:
        finish_ended(clients, now())
        clients.home.send_all(clients.table)
        return "CLEANED_UP"
    return clean_up(clients, ended, now, function_deadline)


def clean_up(
    clients: CleanUpClients,
    ended: Ended,
    now: Callable[[], datetime],
    function_deadline: datetime,
    patience: timedelta = EVENT_PATIENCE,
) -> str:
    """Stop the run's own report, release its lock, record its outcome, notify it and its owners: whatever is not done yet.

    Parameters
    ----------
    function_deadline
        When this function is surely over.
    patience
        How long to wait for its report to stop, and how long to send messages to owners, as far as there is time.

    Returns
    -------
    str
        ``NOTHING_LEFT`` when the workflow had done all of it itself, else ``CLEANED_UP``.

    Raises
    ------
    TransientError
        A function of the run still works, its report has not stopped yet, or another function is notifying: try again.
    """
    execution, until = ended.execution, min(now() + patience, function_deadline - TIME_TO_NOTIFY)
    run = run_store.find(clients.table, execution.id) or run_store.open_run(clients.table, execution, ended.input)
    holder = clients.lock.holder()
    holds_lock = holder is not None and holder.arn == execution.arn
    if run.notified_at and not holds_lock:
        # Whoever recorded the outcome may have failed right after it.
        run_store.keep_history(clients.table, run)
        if run.owners_due:
            _notify_owners(clients, run, now, patience, function_deadline)
            return "CLEANED_UP"
        if run.outcome in {"SUCCEEDED", "DUPLICATE"}:
            return "NOTHING_LEFT"
        return _stop_notified(clients, execution, now, until)
    trouble = _stop(clients, execution, now, until)
    run = record(clients.table, execution, ENDED_AS.get(ended.status, "FAILED"), ended.failure, None, now())
    publish_outcome(clients.table, clients.sns, clients.config, execution, now(), function_deadline)
    clients.home.send_all(clients.table)
    if run.owners_due:
        _notify_owners(clients, run, now, patience, function_deadline)
    if trouble:
        raise trouble
    return "CLEANED_UP"


def _notify_owners(
    clients: CleanUpClients, run: Run, now: Callable[[], datetime], patience: timedelta, function_deadline: datetime
) -> None:
    """Send the messages to owners that are missing; what cannot be sent for two days is given up, after alarms all that time."""
    owners, until = clients.of_owners, min(now() + patience, function_deadline - TIME_TO_NOTIFY)
    try:
        send_to_owners(owners, run, now, until, function_deadline)
    except (ExporterError, ClientError) as error:
        if now() < (run.ended_at or run.execution.started_at) + OWNERS_TRIED:
            raise
        logger.error("the messages to the owners are given up: %s", type(error).__name__)  # noqa: TRY400 - a traceback holds content
        why = Note("run.owners_given_up", hours=int(OWNERS_TRIED.total_seconds() / 3600), error=type(error).__name__)
        give_up(owners, run, why, now())


def _stop(clients: Clients, execution: Execution, now: Callable[[], datetime], until: datetime) -> Exception | None:
    """Stop the run's own report and release its lock; trouble does not block its notification."""
    try:
        with translated():
            cancel(clients, execution, now, until)
            clients.lock.release(execution, now())
            # A function that outlived the execution may have created between look and release; now none can any more.
            cancel(clients, execution, now, until)
    except StillCreatingError:
        raise  # over in a minute, and then there is a report to notify about or none
    except (ExporterError, ClientError) as error:
        run_store.note(
            clients.table,
            execution,
            Note("run.not_cleaned_up", error=type(error).__name__),
        )
        return error
    return None


def _stop_notified(clients: Clients, execution: Execution, now: Callable[[], datetime], until: datetime) -> str:
    """Look once more for the report of a run that failed and was notified.

    The failure path looks once. It may have failed to cancel, or a function that outlived its step may have created
    after it looked. A report that cannot be cancelled is an error: an alarm is to report it.
    """
    try:
        with translated():
            report = own_in_progress(clients, execution, now())
    except AccessDeniedError:
        # An account without Inspector. The run's message has it already, and asking again changes nothing.
        return "NOTHING_LEFT"
    if report is None:
        return "NOTHING_LEFT"
    with translated():
        stop(clients, report, now, until)
    return "CLEANED_UP"


def hourly_cleanup(clients: CleanUpClients, now: Callable[[], datetime], function_deadline: datetime) -> list[str]:
    """Clean up after every execution that has ended and left something; the next hourly cleanup goes on where this one stops.

    What is most useful comes first: the lock's holder and the open runs, then the report in progress, then executions that ended
    before they were recorded. An execution that cannot be cleaned up does not keep the others from it.

    Returns
    -------
    list of str
        The names of the executions that were cleaned up.

    Raises
    ------
    Exception
        The first one that was met, after all were tried.
    """
    # First of all: an hourly cleanup that fails later has still seen the hour.
    if clients.config.expected_report:
        count_expectation(clients.config.expected_report)
    cleanup = _HourlyCleanup(clients, now, function_deadline)
    with cleanup.going_on():
        _watch_starts(clients, now())
    before = run_store.cleanup_mark(clients.table)
    mark = cleanup.open_runs(before)
    with cleanup.going_on():
        cleanup.cleaned += _cancel_report_of_ended_run(clients, now, function_deadline)
    with cleanup.going_on():
        mark = cleanup.unwritten(mark)
    if mark != before:
        run_store.keep_cleanup_mark(clients.table, mark)
    # Last: what was cleaned up is to be said home, too.
    clients.home.send_all(clients.table, function_deadline - TIME_TO_NOTIFY - now())
    if cleanup.stopped or mark != CleanupMark():
        logger.warning("the hourly cleanup stopped before its end, to end in time: the next one goes on from there")
    if cleanup.errors:
        raise cleanup.errors[0]
    return cleanup.cleaned


def _watch_starts(clients: CleanUpClients, now: datetime) -> None:
    """Finish starts of all reports that did not do so themselves, and count the reports that are missing."""
    if clients.config.has_summary:
        finish_ended(clients, now)
    if within := clients.config.expected_hours:
        start_store.expect_first(clients.table, clients.config.defaults.report_name, now)
        missing = start_store.missing_reports(clients.table, now, timedelta(hours=within))
        count_missing_reports(len(missing))
        if missing:
            logger.warning("reports missing: %s", ", ".join(missing))


@dataclass(slots=True)
class _HourlyCleanup:
    """One hourly cleanup: what it may use, and what has become of it."""

    clients: CleanUpClients
    now: Callable[[], datetime]
    function_deadline: datetime
    cleaned: list[str] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    stopped: bool = False
    """Whether its time was over before its end."""

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Go on after an error; it is raised at the end."""
        try:
            with translated():
                yield
        except (ExporterError, ClientError) as error:
            self.errors.append(error)

    def open_runs(self, mark: CleanupMark) -> CleanupMark:
        """Clean up after the lock's holder and the open runs, in half of the time at most."""
        until = self.now() + (self._until - self.now()) / 2
        if holder := self.clients.lock.holder():
            self._clean(holder.execution)
        open_runs, last = run_store.open_runs(self.clients.table, mark.open_after), mark.open_after
        for execution in open_runs:
            if self.now() > until:
                self.stopped = True
                return replace(mark, open_after=last)
            self._clean(execution)
            last = execution.started_at.isoformat()
        return replace(mark, open_after=last if len(open_runs) == run_store.OPEN_AT_ONCE else run_store.BEFORE_ALL)

    def unwritten(self, mark: CleanupMark) -> CleanupMark:
        """Clean up after executions that ended before they were recorded.

        Each cleanup looks at the newest of each status, and at older ones from where the last cleanup stopped, so that many
        failed executions do not hide the rest.
        """
        done = replace(mark, status="", token="")
        older = {}
        for status in NOT_SUCCEEDED:
            executions, older[status] = self._page(status, "")
            if not self._clean_up_ended(executions):
                return mark
        statuses, pages = NOT_SUCCEEDED[NOT_SUCCEEDED.index(mark.status) :] if mark.token else NOT_SUCCEEDED, 0
        for status in statuses:
            token = mark.token if mark.token and status == mark.status else older[status]
            while token:
                here = replace(mark, status=status, token=token)
                if pages == PAGES_AT_ONCE:
                    return here
                executions, token = self._page(status, token)
                if not self._clean_up_ended(executions):
                    return here
                pages += 1
        return done

    @property
    def _until(self) -> datetime:
        return self.function_deadline - TIME_FOR_ONE

    def _page(self, status: "ExecutionStatusType", token: str) -> tuple[list[Execution], str]:
        """Return a page of recent executions, and the name of the next one."""
        asked: Any = {
            "stateMachineArn": self.clients.config.state_machine_arn,
            "statusFilter": status,
            "maxResults": PAGE_EXECUTIONS,
        }
        try:
            page = self.clients.states.list_executions(**asked | ({"nextToken": token} if token else {}))
        except ClientError as error:
            # A page's name is forgotten after a day [AWS: ListExecutions].
            if not token or code_of(error) != "InvalidToken":
                raise
            page = self.clients.states.list_executions(**asked)
        listed, since = page["executions"], self.now() - CLEANUP_BACK
        recent = [Execution(each["executionArn"], each["startDate"]) for each in listed if each["startDate"] > since]
        # The newest come first [AWS: ListExecutions].
        return recent, page.get("nextToken", "") if len(recent) == len(listed) else ""

    def _clean_up_ended(self, executions: Iterable[Execution]) -> bool:
        """Clean up after those that were never written down, and return whether there was time for all."""
        for execution in executions:
            if self.now() > self._until:
                self.stopped = True
                return False
            if not run_store.is_known(self.clients.table, execution):
                self._clean(execution)
        return True

    def _clean(self, execution: Execution) -> None:
        if execution.arn in self.seen:
            return
        self.seen.add(execution.arn)
        with named(execution.name):
            try:
                with translated():
                    ended = _ended(self.clients.states, execution, self.now())
                    if ended and self._has_cleaned(ended):
                        self.cleaned.append(execution.name)
            except Exception as error:  # noqa: BLE001 - whatever is wrong with one run, the others are still notified
                logger.warning("the run %s could not be cleaned up yet: %s", execution.id, type(error).__name__)
                self.errors.append(error)

    def _has_cleaned(self, ended: Ended) -> bool:
        return clean_up(self.clients, ended, self.now, self.function_deadline, CANCEL_WAIT) == "CLEANED_UP"


def _cancel_report_of_ended_run(clients: CleanUpClients, now: Callable[[], datetime], function_deadline: datetime) -> list[str]:
    """Cancel a report in progress whose run has ended and was notified, but could not cancel it.

    Raises
    ------
    Exception
        It cannot be cancelled, so that it blocks every other report until it ends.
    """
    try:
        with translated():
            current = clients.inspector.current()
            owner = owner_of(clients, current) if current and not current.has_ended else None
            if owner is None or _ended(clients.states, owner, now()) is None:
                return []
    except (ExporterError, ClientError) as error:
        # No run waits for this look: the next export reports an Inspector that is down or disabled.
        logger.warning("the report in progress at Inspector could not be read: %s", type(error).__name__)
        return []
    with named(owner.name):
        try:
            stopped = cancel(clients, owner, now, min(now() + CANCEL_WAIT, function_deadline - TIME_TO_NOTIFY))
        except StillRunningError:
            logger.warning("the report of an ended run was cancelled, but has not stopped yet")
            return []
        return [owner.name] if stopped == "CANCELLED" else []


def _ended(states: "SFNClient", execution: Execution, now: datetime) -> Ended | None:
    try:
        described = states.describe_execution(executionArn=execution.arn)
    except states.exceptions.ExecutionDoesNotExist:
        # Step Functions forgets an execution after 90 days; one that is older than the time limit cannot be running.
        if now < execution.started_at + EXECUTION_TIMEOUT + EXPIRY_MARGIN:
            return None
        return Ended(execution, "FAILED", "", "Unknown", Note("cause.forgotten"))
    if described["status"] not in ENDED:
        return None
    return Ended(
        execution, described["status"], described.get("input", ""), described.get("error", ""), described.get("cause", "")
    )
