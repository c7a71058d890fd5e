"""What is written down about runs: one item an execution, its claims, and the history of each report.

One DynamoDB table (keys ``pk`` and ``sk``, sparse index ``Open``):

==========================================  ========================================================================
``EXECUTION#<id>`` / ``EXECUTION``          one run: start, input, plan, report id, outcome, notification
``EXECUTION#<id>`` / ``OWNER#<owner>``      the message to an owner about the run: who sends it, when it was sent (expires)
``REPORT#<name>`` / ``RUN#<start>#<id>``    its line in the history of its report (expires)
``SCHEDULED#<schedule>`` / ``<time>#<input>``  the scheduled time that a run has claimed (expires)
``HOURLY_CLEANUP`` / ``HOURLY_CLEANUP``     where the last hourly cleanup stopped, if it could not do all
``LOCK#<account>#<region>`` / ``LOCK``      the lock, see :mod:`findings_exporter.aws.lock`
==========================================  ========================================================================

The outcome is decided once (the first writer wins, workflow or clean_up), and notified under a claim that only one notifier
can hold at a time. So is each message to an owner, under a claim of its own. A run is open until all of them are sent.
"""

import json
import logging
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError

from findings_exporter.aws.table import Table
from findings_exporter.model import notes
from findings_exporter.model.delivery import Delivery
from findings_exporter.model.errors import Failure, NotificationInProgressError, NotRecordedError, code_of
from findings_exporter.model.execution import Execution
from findings_exporter.model.notes import Note
from findings_exporter.model.plan import Plan
from findings_exporter.model.records import known_fields
from findings_exporter.model.run import Outcome, Run

logger = logging.getLogger(__name__)

EXECUTION_KEPT = timedelta(days=60)
"""Under the 90 days after which Step Functions lets an execution's name be used again."""
CLAIM_KEPT = timedelta(days=30)
HISTORY_KEPT = timedelta(days=400)
HISTORY_READ = 10
HISTORY_LINES_READ = 2_000
"""Lines among which past durations are looked for: they only time the waits."""
INPUT_KEPT_CHARACTERS = 16_384
"""More of the raw input is not kept: an item holds 400 KB, an input may have 256 KiB."""
NOTE_CHARACTERS = 400
OPEN_AT_ONCE = 1_000
"""Open runs that are read at once."""
BEFORE_ALL = "0"
"""Sorts before every start."""
OWNER_ITEM = "OWNER#"
NOT_CLAIMED = "(attribute_not_exists(notifying_until) OR notifying_until < :now)"
"""No notifier works on it: none has begun, or the one that had is surely over."""


@dataclass(frozen=True, slots=True)
class CleanupMark:
    """Where an hourly cleanup stopped that had too much to do.

    Attributes
    ----------
    open_after
        Start of the last open run that it looked at.
    status, token
        The page of failed executions that it did not come to, as ListExecutions names it; empty when it saw all.
    """

    open_after: str = BEFORE_ALL
    status: str = ""
    token: str = ""


def open_run(table: Table, execution: Execution, raw_input: str) -> Run:
    """Write a run down, before anything else is done for it. A repeated call changes nothing."""
    item: dict[str, str | int] = {
        "pk": f"EXECUTION#{execution.id}",
        "sk": "EXECUTION",
        "open": "OPEN",
        "arn": execution.arn,
        "started_at": execution.started_at.isoformat(),
        "input": raw_input[:INPUT_KEPT_CHARACTERS],
    }
    table.put_new(item)
    return load(table, execution)


def load(table: Table, execution: Execution) -> Run:
    """Read a run.

    Raises
    ------
    NotRecordedError
        It was never written down.
    """
    run = find(table, execution.id)
    if run is None:
        raise NotRecordedError(Note("cause.not_recorded", run=execution.id))
    return run


def find(table: Table, name: str) -> Run | None:
    """Read a run by its execution's id, or None when this deployment knows no such execution."""
    item = table.get(f"EXECUTION#{name}", "EXECUTION")
    return _run(item) if item else None


def is_known(table: Table, execution: Execution) -> bool:
    """Tell whether a run was written down."""
    return table.get(*_key(execution)) is not None


def open_runs(table: Table, after: str = BEFORE_ALL) -> list[Execution]:
    """Return executions of which a notification is pending, the oldest first; those up to a start come last."""
    return [_execution(item) for item in table.query_open(OPEN_AT_ONCE, after)]


def cleanup_mark(table: Table) -> CleanupMark:
    """Read where the last hourly cleanup stopped."""
    return CleanupMark(**known_fields(CleanupMark, table.get("HOURLY_CLEANUP", "HOURLY_CLEANUP") or {}))


def keep_cleanup_mark(table: Table, mark: CleanupMark) -> None:
    """Write down where this hourly cleanup stopped."""
    table.put({"pk": "HOURLY_CLEANUP", "sk": "HOURLY_CLEANUP"} | asdict(mark))


def note_plan(table: Table, execution: Execution, plan: Plan) -> bool:
    """Record the plan, and return whether the run may go on: not when it was stopped and its outcome recorded meanwhile.

    The plan is a pure function of input, deployment and start, so that a retry writes the same.
    """
    return table.update(
        _key(execution),
        "SET #plan = :plan",
        {"#plan": "plan"},
        {":plan": plan.to_json()},
        condition="attribute_exists(pk) AND attribute_not_exists(outcome)",
    )


def claim_schedule(table: Table, schedule: str, scheduled_for: str, run_input: str, execution: Execution) -> str:
    """Claim a scheduled time and return the ARN of the execution that holds it.

    The claim is for one input: a second delivery has the same one, while a run with another input cannot claim it
    and so silence it.

    EventBridge Scheduler delivers at least once [AWS: EventBridge Scheduler user guide]. The first execution exports; a
    later one for the same time finds another's ARN here. The same execution's second claim succeeds.
    """
    item: dict[str, str | int] = {
        "pk": f"SCHEDULED#{schedule}",
        "sk": f"{scheduled_for}#{sha256(run_input.encode()).hexdigest()[:16]}",
        "arn": execution.arn,
        "expires": _epoch(execution.started_at + CLAIM_KEPT),
    }
    held = table.put_new(item)
    return str(held["arn"]) if held else execution.arn


def note_report(table: Table, execution: Execution, report_id: str, created_at: datetime) -> None:
    """Write down which report is this run's. The first note stands."""
    table.update(
        _key(execution),
        "SET report_id = if_not_exists(report_id, :id), report_created_at = if_not_exists(report_created_at, :at)",
        {},
        {":id": report_id, ":at": created_at.isoformat()},
    )


def note_report_ended(table: Table, execution: Execution, ended_at: datetime) -> None:
    """Write down when the report was first seen finished: what the next run's waits are computed from."""
    table.update(
        _key(execution),
        "SET report_ended_at = if_not_exists(report_ended_at, :at)",
        {},
        {":at": ended_at.isoformat()},
    )


def note(table: Table, execution: Execution, text: str) -> None:
    """Add a sentence to the run's notes, cleaned and cut. The same sentence is kept once."""
    table.update(_key(execution), "ADD notes :note", {}, {":note": {notes.to_text(notes.cut(text, NOTE_CHARACTERS))}})


def note_analysis(table: Table, execution: Execution, headline: Mapping[str, Any]) -> bool:
    """Record the headline of the run's analysis, and return whether it was recorded: not when the outcome was recorded meanwhile.

    Parameters
    ----------
    headline
        Of :mod:`findings_analysis.output.headline`, or ``error`` and ``sentence`` of an analysis that failed.
    """
    return _note_analysis(table, execution, headline, "attribute_exists(pk) AND attribute_not_exists(outcome)")


def note_analysis_failure(table: Table, execution: Execution, failed: Mapping[str, Any]) -> bool:
    """Write down that an analysis failed, unless something is written down of it: its function's own word stands."""
    condition = "attribute_exists(pk) AND attribute_not_exists(outcome) AND attribute_not_exists(analysis)"
    return _note_analysis(table, execution, failed, condition)


def _note_analysis(table: Table, execution: Execution, headline: Mapping[str, Any], condition: str) -> bool:
    text = json.dumps(notes.to_stored(headline), ensure_ascii=False, separators=(",", ":"))
    return table.update(_key(execution), "SET analysis = :analysis", {}, {":analysis": text}, condition=condition)


def record(
    table: Table,
    execution: Execution,
    outcome: Outcome,
    failure: Failure | None,
    delivery: Delivery | None,
    now: datetime,
) -> tuple[Run, bool]:
    """Decide a run's outcome, once.

    The first writer wins: whoever comes later gets what was recorded. A duplicate, and a success that asked for silence,
    are closed at once, since no notification is due. A silent success of a scheduled time is not: home may wait for it.

    Returns
    -------
    tuple
        The run as recorded, and whether this call decided it.
    """
    run = load(table, execution)
    is_of_a_time = run.plan is not None and bool(run.plan.scheduled_for or run.plan.replaces)
    silent = outcome == "DUPLICATE" or (outcome == "SUCCEEDED" and run.asked_for_silence and not is_of_a_time)
    decided = run.outcome is None and table.update(
        _key(execution),
        "SET outcome = :outcome, ended_at = :now, notification_id = :id, failure = :failure, delivery = :delivery"
        + (", notified_at = :now, expires = :expires REMOVE #open" if silent else ""),
        {"#open": "open"} if silent else {},
        {
            ":outcome": outcome,
            ":now": now.isoformat(),
            ":id": str(uuid.uuid5(uuid.NAMESPACE_URL, execution.arn)),
            ":failure": json.dumps(failure.to_dict() if failure else None),
            ":delivery": json.dumps(delivery.to_dict() if delivery else None),
        }
        | ({":expires": _epoch(now + EXECUTION_KEPT)} if silent else {}),
        condition="attribute_exists(pk) AND attribute_not_exists(outcome)",
    )
    recorded = load(table, execution)
    keep_history(table, recorded)
    return recorded, decided


def claim_notification(table: Table, execution: Execution, notifier: str, now: datetime, until: datetime) -> Run | None:
    """Claim the notification of a recorded outcome.

    Parameters
    ----------
    notifier
        A name of the caller's own.
    until
        When this function is surely over: if it dies, the next one notifies of the same outcome under the same id.

    Returns
    -------
    Run or None
        The run to notify of; None when that was done already.

    Raises
    ------
    NotRecordedError
        There is no outcome to notify of.
    NotificationInProgressError
        Another function holds the claim; worth another try after ``until``.
    """
    claimed = table.update(
        _key(execution),
        "SET notifying_until = :until, notifier = :notifier",
        {},
        {":until": _epoch(until), ":notifier": notifier, ":now": _epoch(now)},
        condition=f"attribute_exists(outcome) AND attribute_not_exists(notified_at) AND {NOT_CLAIMED}",
    )
    item = table.get(f"EXECUTION#{execution.id}", "EXECUTION") or {}
    if "outcome" not in item:
        raise NotRecordedError(Note("cause.no_outcome", run=execution.id))
    if "notified_at" in item:
        return None
    # The client retries by itself: a claim whose answer was lost is refused the second time, but is ours.
    if claimed or item.get("notifier") == notifier:
        return _run(item)
    raise NotificationInProgressError(Note("cause.notified_elsewhere", run=execution.id))


def claim_owner(table: Table, execution: Execution, owner: str, notifier: str, now: datetime, until: datetime) -> bool:
    """Claim the message to an owner about a run, as :func:`claim_notification` does the run's own.

    Returns
    -------
    bool
        Whether it is to be sent; False when that was done already.

    Raises
    ------
    NotificationInProgressError
        Another function holds the claim; worth another try after ``until``.
    """
    claimed = table.update(
        _key(execution, owner),
        "SET notifying_until = :until, notifier = :notifier, expires = :expires",
        {},
        {
            ":until": _epoch(until),
            ":notifier": notifier,
            ":now": _epoch(now),
            ":expires": _epoch(now + EXECUTION_KEPT),
        },
        condition=f"attribute_not_exists(notified_at) AND {NOT_CLAIMED}",
    )
    if claimed:
        return True
    item = table.get(*_key(execution, owner)) or {}
    if "notified_at" in item:
        return False
    if item.get("notifier") == notifier:
        return True
    raise NotificationInProgressError(Note("cause.notified_elsewhere", run=execution.id))


def notified_owners(table: Table, execution: Execution) -> set[str]:
    """Return the owners to whom the message about a run was sent."""
    items = table.beginning_with(f"EXECUTION#{execution.id}", OWNER_ITEM)
    return {item["sk"].removeprefix(OWNER_ITEM) for item in items if "notified_at" in item}


def release_notification(table: Table, execution: Execution, notifier: str, owner: str | None = None) -> None:
    """Give the claim back: this notifier could not publish. Another's claim is left alone."""
    table.update(
        _key(execution, owner),
        "SET notifying_until = :never",
        {},
        {":never": 0, ":notifier": notifier},
        condition="notifier = :notifier",
    )


def mark_notified(table: Table, execution: Execution, now: datetime, *, owners_due: bool = False) -> None:
    """Record that the outcome was published, and close the run unless messages to owners are due."""
    if owners_due:
        table.update(_key(execution), "SET notified_at = :now", {}, {":now": now.isoformat()})
        return
    table.update(
        _key(execution),
        "SET notified_at = :now, expires = :expires REMOVE #open",
        {"#open": "open"},
        {":now": now.isoformat(), ":expires": _epoch(now + EXECUTION_KEPT)},
    )


def mark_owner_notified(table: Table, execution: Execution, owner: str, now: datetime) -> None:
    """Record that the message to an owner was published."""
    table.update(_key(execution, owner), "SET notified_at = :now", {}, {":now": now.isoformat()})


def close_owners(table: Table, execution: Execution, now: datetime) -> None:
    """Record that no message to an owner is left to send, and close the run, whose own notification was sent before."""
    table.update(
        _key(execution),
        "SET owners_done_at = if_not_exists(owners_done_at, :now), expires = :expires REMOVE #open",
        {"#open": "open"},
        {":now": now.isoformat(), ":expires": _epoch(now + EXECUTION_KEPT)},
        condition="attribute_exists(notified_at)",
    )


def recent_report_seconds(table: Table, report_name: str) -> list[int]:
    """Return how long Inspector took for this report's recent successes, the newest first."""
    lines = islice(history(table, report_name), HISTORY_LINES_READ)
    seconds = (line["report_seconds"] for line in lines if line.get("report_seconds") and line["outcome"] == "SUCCEEDED")
    return list(islice(seconds, HISTORY_READ))


def history(table: Table, report_name: str) -> Iterator[dict[str, Any]]:
    """Give the lines of a report's history, the newest first. They are read as far as they are taken."""
    return table.newest(f"REPORT#{report_name}")


def keep_history(table: Table, run: Run) -> None:
    """Write a recorded run's line in the history; a record that gives none does not block its run's notification.

    Raises
    ------
    ClientError
        DynamoDB did not take it now: try again.
    """
    try:
        write_history(table, run)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        logger.error("the run has no line in its report's history: %s", type(error).__name__)  # noqa: TRY400 - a traceback holds content
    except ClientError as error:
        if code_of(error) != "ValidationException":
            raise
        logger.error("the run has no line in its report's history: %s", code_of(error))  # noqa: TRY400 - AWS' words hold content


def write_history(table: Table, run: Run) -> None:
    """Write a recorded run's line in the history of its report; a repeated call writes the same."""
    if run.plan is not None and run.outcome != "DUPLICATE":
        table.put(history_line(run))


def history_line(run: Run) -> dict[str, str | int]:
    """Return a recorded run's line in the history of its report: what later runs look up of it."""
    plan, delivery = run.require_plan(), run.delivery
    item: dict[str, str | int | None] = {
        "pk": f"REPORT#{plan.report_name}",
        "sk": f"RUN#{run.execution.started_at.isoformat()}#{run.execution.id}",
        "arn": run.execution.arn,
        "outcome": run.outcome,
        "error": run.failure.error if run.failure else None,
        "filter_hash": plan.filter_hash,
        "scheduled": int(plan.is_scheduled),
        "replaces": plan.replaces,
        "notified": int(plan.notify),
        "format": plan.report_format,
        "bucket": delivery.bucket if delivery else None,
        "key": delivery.key if delivery else None,
        "version_id": delivery.version_id if delivery else None,
        "size_bytes": delivery.size_bytes if delivery else None,
        "nothing_found": delivery.nothing_found if delivery else None,
        "duration_seconds": run.duration_seconds,
        "report_seconds": run.report_seconds,
        "expires": _epoch((run.ended_at or run.execution.started_at) + HISTORY_KEPT),
    }
    item |= _analysis_fields(run)
    return {name: value for name, value in item.items() if value is not None}


def _analysis_fields(run: Run) -> dict[str, str | int | None]:
    """Return where the analysis' files are, how many findings are open, and the state of scan coverage."""
    analysis = run.analysis
    if run.outcome != "SUCCEEDED" or not analysis or "error" in analysis:
        return {}
    return {
        "analysis_fingerprints": analysis["fingerprints_key"],
        "analysis_fingerprints_etag": analysis["fingerprints_etag"],
        "analysis_names": analysis["names_key"],
        "analysis_names_etag": analysis["names_etag"],
        "by_severity": json.dumps(analysis["by_severity"]),
        "open_findings": analysis["open"],
        "coverage": analysis["coverage_status"]["state"],
    }


def _key(execution: Execution, owner: str | None = None) -> tuple[str, str]:
    return f"EXECUTION#{execution.id}", "EXECUTION" if owner is None else f"{OWNER_ITEM}{owner}"


def _epoch(time: datetime) -> int:
    return int(time.timestamp())


def _execution(item: Mapping[str, Any]) -> Execution:
    return Execution(arn=item["arn"], started_at=datetime.fromisoformat(item["started_at"]))


def _run(item: Mapping[str, Any]) -> Run:
    unread: list[str] = []

    def read[T](name: str, form: Callable[[Any], T]) -> T | None:
        try:
            return form(item[name]) if name in item else None
        except (ArithmeticError, AttributeError, KeyError, RecursionError, TypeError, ValueError):
            unread.append(name)
            return None

    delivery = read("delivery", _delivery)
    kept_notes = {*item.get("notes", ()), *([delivery.note] if delivery and delivery.note else ())}
    return Run(
        execution=_execution(item),
        input=item.get("input", ""),
        plan=read("plan", Plan.from_json),
        report_id=item.get("report_id"),
        report_created_at=read("report_created_at", datetime.fromisoformat),
        report_ended_at=read("report_ended_at", datetime.fromisoformat),
        outcome=item.get("outcome"),
        failure=read("failure", _failure),
        delivery=delivery,
        ended_at=read("ended_at", datetime.fromisoformat),
        notification_id=item.get("notification_id"),
        notified_at=read("notified_at", datetime.fromisoformat),
        owners_done_at=read("owners_done_at", datetime.fromisoformat),
        notes=tuple(sorted(map(notes.from_text, kept_notes))),
        analysis=read("analysis", _analysis),
        unread=tuple(unread),
    )


def _failure(text: str) -> Failure | None:
    fields = json.loads(text)
    return Failure.from_dict(fields) if fields else None


def _delivery(text: str) -> Delivery | None:
    fields = json.loads(text)
    return Delivery.from_dict(fields) if fields else None


def _analysis(text: str) -> Mapping[str, Any] | None:
    analysis: Mapping[str, Any] | None = notes.from_stored(json.loads(text))
    return analysis if analysis is None else dict(analysis)
