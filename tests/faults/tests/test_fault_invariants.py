"""Each of the six rules can fail: what a broken exporter would leave behind is seen."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.faults.invariants import (
    ExecutionSeen,
    FaultSeen,
    InvocationSeen,
    MessageSeen,
    OwnerMessageSeen,
    Snapshot,
    violations,
)
from tests.local_aws.inspector_control import CallRecord, ReportRecord

MACHINE = "arn:aws:states:eu-west-1:111122223333:execution:exporter"
ARN, OTHER = f"{MACHINE}:run-1", f"{MACHINE}:run-2"
PREFIX = "inspector/reports/nightly/year=2026/month=11/day=23"
KEY = f"{PREFIX}/run-1/id-1.json"
PLAN = {
    "report_format": "JSON",
    "filter_criteria": {},
    "on_busy": "wait",
    "notify": True,
    "destination": {"bucket": "reports", "prefix": f"{PREFIX}/run-1/"},
}
DELIVERY = {"key": KEY, "size_bytes": 9, "nothing_found": None}
RUN_KEY, HISTORY_KEY, LOCK_KEY = ("EXECUTION#run-1", "EXECUTION"), ("REPORT#nightly", "RUN#run-1"), ("LOCK#1#eu", "LOCK")


def report(**changes: Any) -> ReportRecord:
    made: Any = {
        "id": "id-1",
        "format": "JSON",
        "destination": {"bucketName": "reports", "keyPrefix": f"{PREFIX}/run-1/"},
        "filter_criteria": {},
        "created_at": 10.0,
        "ended_at": 20.0,
        "status": "SUCCEEDED",
        "is_external": False,
        **changes,
    }
    return made  # type: ignore[no-any-return]  # members that no rule reads are left out


def call(operation: str, time: float, report_id: str, execution: str = ARN) -> CallRecord:
    made: Any = {"operation": operation, "time": time, "report_id": report_id, "execution": execution, "status_code": 200}
    return made | {"caller": "another role"}  # type: ignore[no-any-return]


def message(**changes: Any) -> MessageSeen:
    return replace(MessageSeen("run-1", "SUCCEEDED", "n-1", KEY, 9), **changes)


def run_item(**changes: Any) -> dict[str, Any]:
    item = {
        "arn": ARN,
        "plan": json.dumps(PLAN),
        "report_id": "id-1",
        "outcome": "SUCCEEDED",
        "notification_id": "n-1",
        "delivery": json.dumps(DELIVERY),
        "notified_at": "2026-11-23T03:10:00+00:00",
        **changes,
    }
    return {name: value for name, value in item.items() if value is not None}


def history(**changes: Any) -> dict[str, Any]:
    return {"arn": ARN, "outcome": "SUCCEEDED", **changes}


GOOD = Snapshot(
    bucket="reports",
    executions=(ExecutionSeen(ARN, "SUCCEEDED", states=("Plan Export", "Record Run", "Export Succeeded")),),
    items={RUN_KEY: run_item(), HISTORY_KEY: history()},
    reports=(report(),),
    inspector_calls=(call("create", 10.0, "id-1"),),
    messages=(message(),),
    objects={KEY: 9},
    invocations=(InvocationSeen("PlanExportFunction", ARN, result={"state": "PLANNED", "plan": PLAN}),),
)


def ended(status: str, *states: str) -> tuple[ExecutionSeen, ...]:
    return (ExecutionSeen(ARN, status, states=states),)


def items(**changes: Any) -> dict[tuple[str, str], Any]:
    return {**GOOD.items, RUN_KEY: run_item(**changes)}


EXTERNAL = report(id="id-f", is_external=True, destination={"bucketName": "theirs", "keyPrefix": "by-hand/"})
CANCELS = {**PLAN, "on_busy": "cancel"}
SILENT = {**PLAN, "notify": False}
NOTIFIED_TWICE = (message(), message())
OWNERS_KEY = "inspector/analyses/nightly/run-1/owners.json"
DUE = {
    "analysis": json.dumps({"owner_message_count": 2, "owners_key": OWNERS_KEY}),
    "owners_done_at": "2026-11-23T03:11:00+00:00",
}
SHOP, UNOWNED = OwnerMessageSeen("run-1", "shop", "o-1"), OwnerMessageSeen("run-1", "unowned", "o-2")
OWNED = replace(GOOD, items=items(**DUE), owners={OWNERS_KEY: ("shop", "unowned")}, owner_messages=(SHOP, UNOWNED))
SILENT_OWNED = replace(OWNED, items=items(**DUE, plan=json.dumps(SILENT)), messages=(), invocations=())
"""Its owners are not notified: here they were, all the same."""


def lost(function: str, kind: str = "lost_answer") -> tuple[FaultSeen, ...]:
    """A fault of a publish after which a copy may come."""
    return (FaultSeen(kind, function, "sns:Publish", ARN),)


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(GOOD, id="a success"),
        pytest.param(OWNED, id="each owner was notified"),
        pytest.param(replace(SILENT_OWNED, owner_messages=()), id="a silent run, whose owners are not notified either"),
        pytest.param(
            replace(OWNED, owner_messages=(SHOP, SHOP, UNOWNED), faults=lost("NotifyOwnersFunction")),
            id="an owner was notified again since the answer of SNS was lost",
        ),
        pytest.param(
            replace(OWNED, owner_messages=(SHOP, UNOWNED, UNOWNED), faults=lost("CleanUpFunction", "killed_after")),
            id="an owner was notified again since the cleanup was killed",
        ),
        pytest.param(
            replace(GOOD, reports=(report(), EXTERNAL), inspector_calls=(call("cancel", 5.0, "id-f"),), items=items(plan=json.dumps(CANCELS)),
                    invocations=()),
            id="an external report is cancelled as the plan says",
        ),
        pytest.param(
            replace(GOOD, messages=NOTIFIED_TWICE, faults=(FaultSeen("lost_answer", "NotifyFunction", "sns:Publish", ARN),)),
            id="notified again since the answer of SNS was lost",
        ),
        pytest.param(
            replace(GOOD, messages=NOTIFIED_TWICE, faults=(FaultSeen("killed_before", "CleanUpFunction", "dynamodb:UpdateItem", ""),)),
            id="notified again since the publisher was killed",
        ),
        pytest.param(
            replace(GOOD, executions=ended("FAILED", "Record Run", "Notify"), invocations=(InvocationSeen("NotifyFunction", ARN, "Error"),)),
            id="a success whose notification failed in the workflow",
        ),
        pytest.param(
            replace(GOOD, executions=ended("FAILED", "Record Run", "Notify"), faults=(FaultSeen("lambda_throttled", "NotifyFunction", "", ARN),)),
            id="a success whose notification found no room in Lambda",
        ),
        pytest.param(
            replace(GOOD, messages=(), items=items(plan=json.dumps(SILENT)), invocations=()), id="a success that asked for silence"
        ),
        pytest.param(
            replace(GOOD, items={RUN_KEY: run_item(outcome="DUPLICATE", plan=None, report_id=None, delivery="null")}, messages=(), reports=(),
                    inspector_calls=(), invocations=()),
            id="a duplicate",
        ),
        pytest.param(
            replace(GOOD, items=items(delivery=json.dumps({"key": None, "size_bytes": 0, "nothing_found": "no_findings"})),
                    messages=(message(key=None, size_bytes=0),), objects={}),
            id="nothing was found",
        ),
        pytest.param(
            replace(GOOD, executions=ended("ABORTED"), reports=(report(status="CANCELLED"),),
                    inspector_calls=(call("create", 10.0, "id-1"), call("cancel", 20.0, "id-1", "")),
                    items={RUN_KEY: run_item(outcome="ABORTED", delivery="null"), HISTORY_KEY: history(outcome="ABORTED")},
                    messages=(message(outcome="ABORTED", key=None, size_bytes=0),)),
            id="a stopped run whose report the hourly cleanup cancelled",
        ),
    ],
)  # fmt: skip
def test_rules_hold_for_what_a_working_exporter_leaves(seen: Snapshot) -> None:
    assert violations(seen) == []


@pytest.mark.parametrize(
    ("invariant", "seen", "what"),
    [
        (1, replace(GOOD, reports=(report(), report(id="id-2", created_at=19.0, destination={"keyPrefix": "p/run-2/"}))), "in progress at once"),
        (1, replace(GOOD, inspector_calls=(call("create", 10.0, "id-1"), call("create", 15.0, "", OTHER))), "was tried"),
        (1, replace(GOOD, reports=(report(), report(created_at=30.0, ended_at=40.0))), "started 2 reports"),
        (2, replace(GOOD, reports=(report(), EXTERNAL), inspector_calls=(call("cancel", 15.0, "id-f"),)), "external report id-f"),
        (2, replace(GOOD, reports=(report(), EXTERNAL), inspector_calls=(call("cancel", 15.0, "id-f", ""),)), "another role, whose plan"),
        (2, replace(GOOD, inspector_calls=(call("cancel", 15.0, "id-1", OTHER),)), "which was alive"),
        (3, replace(GOOD, executions=ended("RUNNING")), "still runs"),
        (3, replace(GOOD, items={**GOOD.items, LOCK_KEY: {"owner": ARN}}), "holds the lock"),
        (3, replace(GOOD, reports=(report(status="IN_PROGRESS", ended_at=None),)), "runs on"),
        (3, replace(GOOD, items=items(open="OPEN")), "still open"),
        (4, replace(GOOD, items={}), "no outcome is recorded"),
        (4, replace(GOOD, messages=()), "no notification of"),
        (4, replace(GOOD, items=items(notified_at=None)), "not marked as sent"),
        (4, replace(GOOD, messages=NOTIFIED_TWICE), "2 notifications, with 0 reasons"),
        (4, replace(GOOD, messages=NOTIFIED_TWICE, faults=(FaultSeen("throttle", "NotifyFunction", "sns:Publish", ARN),)), "2 notifications"),
        (4, replace(GOOD, messages=NOTIFIED_TWICE, faults=(FaultSeen("killed_after", "StartReportFunction", "", ARN),)), "2 notifications"),
        (4, replace(GOOD, messages=NOTIFIED_TWICE, faults=(FaultSeen("killed_after", "NotifyFunction", "", OTHER),)), "2 notifications"),
        (4, replace(GOOD, messages=(message(outcome="FAILED"),)), "notified as FAILED"),
        (4, replace(GOOD, messages=(message(notification_id="n-2"),)), "(n-2)"),
        (4, replace(GOOD, items={**GOOD.items, HISTORY_KEY: history(outcome="FAILED")}), "the history says"),
        (4, replace(GOOD, items=items(plan=json.dumps(SILENT)), invocations=()), "must send no notification"),
        (4, replace(GOOD, executions=ended("ABORTED", "Wait for Report")), "ended as ABORTED and was recorded as SUCCEEDED"),
        (4, replace(GOOD, items=items(outcome="FAILED"), messages=(message(outcome="FAILED"),)), "ended as SUCCEEDED and was recorded as FAILED"),
        (4, replace(OWNED, owner_messages=(SHOP,)), "no message was sent to unowned"),
        (4, replace(OWNED, owner_messages=()), "no message was sent to shop"),
        (4, replace(OWNED, items=items(**DUE | {"owners_done_at": None})), "messages to owners are not marked as sent"),
        (4, replace(OWNED, owner_messages=(SHOP, UNOWNED, replace(SHOP, owner="payments"))), "sent to payments, who is to get none"),
        (4, SILENT_OWNED, "sent to shop, who is to get none"),
        (4, replace(OWNED, owner_messages=(SHOP, SHOP, UNOWNED)), "1 messages to owners are copies, with 0 reasons"),
        (4, replace(OWNED, owner_messages=(SHOP, SHOP, UNOWNED), faults=lost("NotifyFunction")), "copies, with 0 reasons"),
        (4, replace(OWNED, messages=NOTIFIED_TWICE, faults=lost("NotifyOwnersFunction")), "2 notifications, with 0 reasons"),
        (4, replace(OWNED, owner_messages=(SHOP, SHOP, UNOWNED, UNOWNED), faults=lost("NotifyOwnersFunction")), "2 messages to owners are copies"),
        (4, replace(OWNED, owner_messages=(SHOP, replace(SHOP, notification_id="o-9"), UNOWNED), faults=lost("NotifyOwnersFunction")), "several ids"),
        (5, replace(GOOD, items=items(delivery=None)), "without a delivery"),
        (5, replace(GOOD, executions=ended("FAILED", "Record Run", "Notify")), "not in its notification"),
        (5, replace(GOOD, objects={}), "has None bytes"),
        (5, replace(GOOD, objects={KEY: 8}), "has 8 bytes"),
        (5, replace(GOOD, messages=(message(size_bytes=8),)), f"notified {KEY} (8)"),
        (5, replace(GOOD, items=items(delivery=json.dumps({"key": None, "size_bytes": 0, "nothing_found": None}))), "nothing says"),
        (5, replace(GOOD, items=items(delivery=json.dumps({**DELIVERY, "key": "else/id-1.json"})), objects={"else/id-1.json": 9}), "not its own"),
        (6, replace(GOOD, invocations=(InvocationSeen("PlanExportFunction", ARN, result={"plan": {**PLAN, "notify": False}}),)), "changed by a repeat"),
        (6, replace(GOOD, reports=(report(format="CSV"),)), "not what its plan says"),
        (6, replace(GOOD, items=items(report_id="id-2")), "recorded is id-2"),
        (6, replace(GOOD, items={RUN_KEY: run_item()}), "0 lines of history, not 1"),
        (6, replace(GOOD, items={**GOOD.items, ("REPORT#nightly", "RUN#again"): history()}), "2 lines of history, not 1"),
    ],
)  # fmt: skip
def test_rule_is_broken_by(invariant: int, seen: Snapshot, what: str) -> None:
    assert any(each.invariant == invariant and what in each.what for each in violations(seen)), violations(seen)
