"""The six rules that hold whatever fails, as pure functions of a snapshot that is taken when everything has settled.

No module of the exporter is imported here: the rules are checked on the emulator's records and the table's items, not with
the exporter's own code.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.local_aws.inspector_control import CallRecord, ReportRecord

RUNNING, SUCCEEDED, DUPLICATE = "RUNNING", "SUCCEEDED", "DUPLICATE"
OUTCOME_OF_STATUS = {"FAILED": "FAILED", "ABORTED": "ABORTED", "TIMED_OUT": "TIMED_OUT"}

PUBLISHERS = ("NotifyFunction", "CleanUpFunction")
PUBLISHERS_TO_OWNERS = ("NotifyOwnersFunction", "CleanUpFunction")
KILLS = frozenset({"killed_before", "killed_after"})
LOSES_THE_ANSWER = frozenset({"lost_answer", "short_answer", "late"})
"""Faults of Publish after which a publisher cannot know whether SNS has the message."""
KEEPS_FROM_MARKING = LOSES_THE_ANSWER | {"throttle", "server_error", "denied", "hang"}
"""Faults of UpdateItem after which a publisher may not have recorded that it has published."""


@dataclass(frozen=True)
class ExecutionSeen:
    """One execution, as Step Functions describes it."""

    arn: str
    status: str
    error: str = ""
    states: tuple[str, ...] = ()
    """The states that it entered, in order."""

    @property
    def name(self) -> str:
        """The execution's name."""
        return self.arn.rsplit(":", 1)[-1]


@dataclass(frozen=True)
class MessageSeen:
    """One message that the topic's subscriber got."""

    execution: str
    outcome: str
    notification_id: str
    key: str | None = None
    """The report object that it names."""
    size_bytes: int = 0


@dataclass(frozen=True)
class OwnerMessageSeen:
    """One message that the owners' topic got."""

    execution: str
    owner: str
    notification_id: str


@dataclass(frozen=True)
class InvocationSeen:
    """One time that a function ran."""

    function: str
    """Its logical id."""
    execution: str
    """The ARN of the execution that it worked for; empty for the hourly cleanup."""
    error: str = ""
    result: Any = None


@dataclass(frozen=True)
class FaultSeen:
    """One time that a fault took effect on a call or a step."""

    kind: str
    function: str
    """The logical id of the function."""
    action: str
    """The IAM action of the call; empty for a fault of a step."""
    execution: str


@dataclass(frozen=True)
class Snapshot:
    """The state of everything once nothing is left to do. Times are epoch seconds."""

    bucket: str
    executions: tuple[ExecutionSeen, ...]
    items: Mapping[tuple[str, str], Mapping[str, Any]]
    """The table, by (pk, sk)."""
    reports: tuple[ReportRecord, ...]
    inspector_calls: tuple[CallRecord, ...]
    messages: tuple[MessageSeen, ...]
    objects: Mapping[str, int]
    """Sizes by key."""
    invocations: tuple[InvocationSeen, ...] = ()
    owner_messages: tuple[OwnerMessageSeen, ...] = ()
    owners: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By the key of a file with messages to owners, the owners in it."""
    faults: tuple[FaultSeen, ...] = ()

    def item(self, execution: ExecutionSeen) -> Mapping[str, Any]:
        """Return the table's item of an execution; empty when there is none."""
        return next((item for (_, sk), item in self.items.items() if sk == "EXECUTION" and item["arn"] == execution.arn), {})

    def plan(self, execution: ExecutionSeen) -> dict[str, Any] | None:
        """Return an execution's plan."""
        item = self.item(execution)
        plan: dict[str, Any] | None = json.loads(item["plan"]) if "plan" in item else None
        return plan

    def owners_to_notify(self, execution: ExecutionSeen) -> tuple[str, ...]:
        """Return the owners who are to get a message about an execution: those of its recorded success, unless it is silent."""
        item = self.item(execution)
        analysis = json.loads(item.get("analysis", "null")) or {}
        if item.get("outcome") != SUCCEEDED or not analysis.get("owner_message_count") or _is_silent(self, execution, SUCCEEDED):
            return ()
        return self.owners.get(analysis["owners_key"], ())

    def history(self, execution: ExecutionSeen) -> list[Mapping[str, Any]]:
        """Return an execution's lines in the history of its report."""
        return [item for (pk, _), item in self.items.items() if pk.startswith("REPORT#") and item["arn"] == execution.arn]

    def notifications(self, execution: ExecutionSeen) -> list[MessageSeen]:
        """Return the messages about an execution."""
        return [message for message in self.messages if message.execution == execution.name]

    def ours(self) -> list[ReportRecord]:
        """Return the reports that the exporter started."""
        return [report for report in self.reports if not report["is_external"]]

    def reports_of(self, execution: ExecutionSeen) -> list[ReportRecord]:
        """Return the reports that were started for an execution: they lie under its name."""
        return [report for report in self.ours() if owner_name(report) == execution.name]


@dataclass(frozen=True)
class Violation:
    """A rule that did not hold."""

    invariant: int
    what: str

    def __str__(self) -> str:
        return f"invariant {self.invariant}: {self.what}"


def violations(seen: Snapshot) -> list[Violation]:
    """Return every rule that does not hold."""
    rules = (
        one_report_at_a_time,
        external_reports_are_left_alone,
        nothing_is_left_of_an_ended_execution,
        every_outcome_is_notified_once,
        a_success_was_verified,
        repeats_change_nothing,
    )
    return [Violation(number, what) for number, rule in enumerate(rules, 1) for what in rule(seen)]


def owner_name(report: ReportRecord) -> str:
    """Return the name of the execution under whose prefix a report goes."""
    return report["destination"].get("keyPrefix", "").rstrip("/").rsplit("/", 1)[-1]


def one_report_at_a_time(seen: Snapshot) -> Iterator[str]:
    """Invariant 1. Inspector itself refuses a second report, so creates that were only tried count as well."""
    ours = sorted(seen.ours(), key=lambda report: report["created_at"])
    for index, earlier in enumerate(ours):
        for later in ours[index + 1 :]:
            if _in_progress(earlier, later["created_at"]):
                yield f"the reports {earlier['id']} and {later['id']} of ours were in progress at once"
    for call in seen.inspector_calls:
        if call["operation"] != "create":
            continue
        met = next((r for r in ours if r["id"] != call["report_id"] and _in_progress(r, call["time"])), None)
        if met:
            yield f"a create of {call.get('execution', '')} was tried ({call['status_code']}) while our report {met['id']} ran"
    for execution in seen.executions:
        if len(started := seen.reports_of(execution)) > 1:
            yield f"{execution.name} started {len(started)} reports"


def external_reports_are_left_alone(seen: Snapshot) -> Iterator[str]:
    """Invariant 2, and a related one: no run cancels the report of another run that is still running."""
    by_id = {report["id"]: report for report in seen.reports}
    plans = {execution.arn: seen.plan(execution) for execution in seen.executions}
    living = {e.name: e for e in seen.executions if e.status in (RUNNING, SUCCEEDED)}
    for call in seen.inspector_calls:
        report = by_id.get(call["report_id"]) if call["operation"] == "cancel" else None
        if report is None:
            continue
        caller = call.get("execution", "")
        if report["is_external"]:
            if (plans.get(caller) or {}).get("on_busy") != "cancel":
                yield f"the external report {report['id']} was cancelled by {caller or call['caller']}, whose plan does not say so"
        elif (owner := living.get(owner_name(report))) and owner.arn != caller:
            yield f"the report of {owner.name}, which was alive, was cancelled by {caller or call['caller']}"


def nothing_is_left_of_an_ended_execution(seen: Snapshot) -> Iterator[str]:
    """Invariant 3. An execution that still runs breaks it too: no execution may hang."""
    locks = [item for (pk, _), item in seen.items.items() if pk.startswith("LOCK#")]
    for execution in seen.executions:
        if execution.status == RUNNING:
            yield f"{execution.name} still runs"
            continue
        if any(lock["owner"] == execution.arn for lock in locks):
            yield f"{execution.name} has ended ({execution.status}) and holds the lock"
        for report in seen.reports_of(execution):
            if report["status"] == "IN_PROGRESS":
                yield f"{execution.name} has ended ({execution.status}) and its report {report['id']} runs on"
        if "open" in seen.item(execution):
            yield f"{execution.name} has ended ({execution.status}) and its record is still open"


def every_outcome_is_notified_once(seen: Snapshot) -> Iterator[str]:
    """Invariant 4: at least once, and again only where the publisher died or lost SNS' answer; always the same."""
    for execution in seen.executions:
        if execution.status == RUNNING:
            continue
        item, result = seen.item(execution), seen.notifications(execution)
        name, outcome = execution.name, item.get("outcome")
        if outcome is None:
            yield f"{name} has ended ({execution.status}) and no outcome is recorded"
            continue
        if "notified_at" not in item:
            yield f"{name}: its notification is not marked as sent"
        yield from _fits_the_status(execution, outcome)
        history = [line["outcome"] for line in seen.history(execution)]
        if any(line != outcome for line in history):
            yield f"{name}: recorded as {outcome}, but the history says {history}"
        if _is_silent(seen, execution, outcome):
            if result:
                yield f"{name}: {outcome} must send no notification, but {len(result)} were sent"
            continue
        if not result:
            yield f"{name}: no notification of {outcome} was sent"
        for message in result:
            if (message.outcome, message.notification_id) != (outcome, item["notification_id"]):
                yield f"{name}: recorded as {outcome} ({item['notification_id']}), notified as {message.outcome} ({message.notification_id})"
        if len(result) - 1 > (reasons := _reasons_for_a_copy(seen, execution, PUBLISHERS)):
            yield f"{name}: {len(result)} notifications, with {reasons} reasons for a second one"
    yield from _every_owner_is_notified_once(seen)


def _every_owner_is_notified_once(seen: Snapshot) -> Iterator[str]:
    """A part of invariant 4: what holds for a run's own notification holds for each of its messages to owners."""
    for execution in seen.executions:
        wanted, name = seen.owners_to_notify(execution), execution.name
        sent = [each for each in seen.owner_messages if each.execution == name]
        if execution.status == RUNNING:
            continue
        for owner in sorted({each.owner for each in sent} - set(wanted)):
            yield f"{name}: a message was sent to {owner}, who is to get none"
        if wanted and "owners_done_at" not in seen.item(execution):
            yield f"{name}: its messages to owners are not marked as sent"
        for owner in wanted:
            ids = [each.notification_id for each in sent if each.owner == owner]
            if not ids:
                yield f"{name}: no message was sent to {owner}"
            if len(set(ids)) > 1:
                yield f"{name}: the messages to {owner} have several ids"
        copies = len(sent) - len({each.owner for each in sent})
        if copies > (reasons := _reasons_for_a_copy(seen, execution, PUBLISHERS_TO_OWNERS)):
            yield f"{name}: {copies} messages to owners are copies, with {reasons} reasons for one"


def a_success_was_verified(seen: Snapshot) -> Iterator[str]:
    """Invariant 5."""
    for execution in seen.executions:
        item = seen.item(execution)
        successes = [m for m in seen.notifications(execution) if m.outcome == SUCCEEDED]
        if execution.status != SUCCEEDED and not successes and item.get("outcome") != SUCCEEDED:
            continue
        if item.get("outcome") == DUPLICATE:
            continue
        delivery = json.loads(item.get("delivery", "null"))
        if delivery is None:
            yield f"{execution.name}: success without a delivery"
            continue
        if delivery["key"] is None:
            if delivery["nothing_found"] is None:
                yield f"{execution.name}: success without an object, and nothing says that nothing was found"
        elif seen.objects.get(delivery["key"]) != delivery["size_bytes"]:
            there = seen.objects.get(delivery["key"])
            yield f"{execution.name}: {delivery['key']} has {there} bytes, not {delivery['size_bytes']} as recorded"
        elif f"/{execution.name}/" not in delivery["key"]:
            yield f"{execution.name}: {delivery['key']} is not its own report"
        if execution.status == "FAILED" and not _notification_failed(seen, execution):
            yield f"{execution.name}: success was notified, but the execution failed ({execution.error}), and not in its notification"
        for message in successes:
            if (message.key, message.size_bytes) != (delivery["key"], delivery["size_bytes"]):
                yield f"{execution.name}: notified {message.key} ({message.size_bytes}), recorded {delivery['key']} ({delivery['size_bytes']})"


def repeats_change_nothing(seen: Snapshot) -> Iterator[str]:
    """Invariant 6: one plan, one report id, one line of history, whatever was repeated."""
    for execution in seen.executions:
        item, plan = seen.item(execution), seen.plan(execution)
        planned = [
            invocation.result["plan"]
            for invocation in seen.invocations
            if invocation.execution == execution.arn and isinstance(invocation.result, dict) and "plan" in invocation.result
        ]
        if any(each != plan for each in planned):
            yield f"{execution.name}: its plan was changed by a repeat"
        for report in seen.reports_of(execution):
            if plan is None or not _is_as_planned(report, plan):
                yield f"{execution.name}: its report {report['id']} is not what its plan says"
            if "report_id" in item and item["report_id"] != report["id"]:
                yield f"{execution.name}: its report is {report['id']}, recorded is {item['report_id']}"
        lines, wanted = len(seen.history(execution)), int(plan is not None and item.get("outcome") not in (None, DUPLICATE))
        if lines != wanted:
            yield f"{execution.name}: {lines} lines of history, not {wanted}"


def _in_progress(report: ReportRecord, at: float) -> bool:
    return report["created_at"] <= at and (report["ended_at"] is None or at < report["ended_at"])


def _is_as_planned(report: ReportRecord, plan: Mapping[str, Any]) -> bool:
    destination = plan["destination"]
    asked = report["destination"]
    # The criteria by name only: a date has one form in the plan and another one in the API.
    planned = plan["report_format"], plan["filter_criteria"].keys(), destination["bucket"], destination["prefix"]
    return planned == (report["format"], report["filter_criteria"].keys(), asked["bucketName"], asked["keyPrefix"])


def _is_silent(seen: Snapshot, execution: ExecutionSeen, outcome: str) -> bool:
    plan = seen.plan(execution)
    return outcome == DUPLICATE or (outcome == SUCCEEDED and plan is not None and not plan["notify"])


def _fits_the_status(execution: ExecutionSeen, outcome: str) -> Iterator[str]:
    """The recorded outcome must be how the execution ended.

    One exception: an outcome that the workflow recorded before its execution was stopped, or before its notification
    failed. Then the file is there, or the failure is known, and the notification says so.
    """
    if execution.status == SUCCEEDED:
        fits = outcome in (SUCCEEDED, DUPLICATE)
    else:
        fits = outcome == OUTCOME_OF_STATUS[execution.status] or "Record Run" in execution.states
    if not fits:
        yield f"{execution.name} has ended as {execution.status} and was recorded as {outcome}"


def _notification_failed(seen: Snapshot, execution: ExecutionSeen) -> bool:
    tries = [each for each in seen.invocations if (each.function, each.execution) == ("NotifyFunction", execution.arn)]
    faults = [each for each in seen.faults if (each.function, each.execution) == ("NotifyFunction", execution.arn)]
    return any(each.error for each in tries) or any(not each.action for each in faults)


def _reasons_for_a_copy(seen: Snapshot, execution: ExecutionSeen, publishers: tuple[str, ...]) -> int:
    """Count how often a publisher of this execution was killed, or could not know or record that it had published."""
    met = [f for f in seen.faults if f.function in publishers and f.execution in (execution.arn, "")]
    return sum(
        fault.kind in KILLS
        or (fault.action == "sns:Publish" and fault.kind in LOSES_THE_ANSWER)
        or (fault.action == "dynamodb:UpdateItem" and fault.kind in KEEPS_FROM_MARKING)
        for fault in met
    )
