"""Waits until runs have settled, and takes a snapshot then."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tests.faults.invariants import (
    ExecutionSeen,
    FaultSeen,
    InvocationSeen,
    MessageSeen,
    OwnerMessageSeen,
    Snapshot,
)
from tests.local_aws.deployed_exporter import FunctionFailedError
from tests.local_aws.fault_control import FaultControl
from tests.local_aws.inspector_control import InspectorControl

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.local_aws.deployed_exporter import Exporter

CHECK_SECONDS, LONGEST_CHECK_SECONDS = 0.25, 1.5
"""Between two checks. The pause grows with the time that has passed, since many runs are watched at once."""
QUIET_CHECKS, QUIET_CHECKS_BEFORE_A_RETRY = 2, 40
"""Checks without activity before runs count as settled. A failed event is sent again after one minute and two, which the
emulator scales: 2.4 s at the usual scale, later on a busy machine. After the larger number, no retry is coming."""
TRIES_OF_AN_EVENT = 3
CLEANUP_SECONDS = 4.0
"""The least time between two hourly cleanups. They wait longer for a mark to expire, since they can do nothing before."""
SETTLE_SECONDS = 220.0
"""A mark is valid as long as its function may run, in real time: clean_up's for 150 s."""


def come_to_rest(exporter: Exporter, arns: Sequence[str], seconds: float = 300.0) -> bool:
    """Wait until executions have ended and the clean_up of their events too; return whether that happened in time."""
    faults, quiet, started = FaultControl(exporter), 0, time.monotonic()
    while True:
        # In this order: an event that is sent again between the two requests then counts as at work.
        is_to_be_sent_again = bool(quiet) and _is_to_be_sent_again(faults, arns)
        now = faults.at_work()
        is_at_work = now["functions"] or now["held_calls"] or not set(arns).isdisjoint(now["executions"])
        quiet = 0 if is_at_work else quiet + 1
        if quiet >= QUIET_CHECKS and (quiet >= QUIET_CHECKS_BEFORE_A_RETRY or not is_to_be_sent_again):
            return True
        elapsed = time.monotonic() - started
        if elapsed > seconds:
            return False
        time.sleep(CHECK_SECONDS if quiet else min(max(CHECK_SECONDS, elapsed / 20), LONGEST_CHECK_SECONDS))


def _is_to_be_sent_again(faults: FaultControl, arns: Sequence[str]) -> bool:
    for arn in arns:
        by_event = [each for each in faults.invocations() if each["function"] == "CleanUpFunction" and each["execution"] == arn]
        if by_event and by_event[-1]["error"] and len(by_event) < TRIES_OF_AN_EVENT:
            return True
    return False


def clean_up_hourly(
    exporter: Exporter, arns: Sequence[str], lift: Callable[[], None] | None = None, lift_after: int = 0
) -> tuple[Snapshot, int]:
    """Run the hourly cleanup until nothing is left; bounded, so that the rest is a violation and not a hang.

    Parameters
    ----------
    lift
        Called after so many cleanups, to remove what has lasted until then.

    Returns
    -------
    tuple
        The snapshot, and how many cleanups it took: at least one.
    """
    hourly_cleanups, deadline = 0, time.monotonic() + SETTLE_SECONDS
    while True:
        if lift and hourly_cleanups == lift_after:
            lift()
        hourly_cleanups += 1
        with suppress(FunctionFailedError):  # something cannot be done yet
            exporter.invoke("CleanUpFunction", {})
        seen = snapshot(exporter, arns)
        if not is_anything_left(seen):
            break
        if time.monotonic() > deadline:
            return seen, hourly_cleanups
        time.sleep(min(max(CLEANUP_SECONDS, _until_marks_have_passed(seen)), max(0.0, deadline - time.monotonic())))
    # A late call may have taken effect during a later cleanup.
    return (snapshot(exporter, arns) if hourly_cleanups > 1 and come_to_rest(exporter, arns) else seen), hourly_cleanups


def _until_marks_have_passed(seen: Snapshot) -> float:
    marks = [float(item.get("creating_until", 0)) for (_, sk), item in seen.items.items() if sk == "LOCK"]
    pending = [item for item in seen.items.values() if "open" in item or item["sk"].startswith("OWNER#")]
    marks += [float(item.get("notifying_until", 0)) for item in pending if "notified_at" not in item]
    return max(marks, default=0.0) + 1 - time.time()


def is_anything_left(seen: Snapshot) -> bool:
    """Return whether anything is left for the hourly cleanup: a lock, an open record, or a report of ours in progress."""
    if any(sk == "LOCK" or "open" in item for (_, sk), item in seen.items.items()):
        return True
    return any(report["status"] == "IN_PROGRESS" for report in seen.ours())


def snapshot(exporter: Exporter, arns: Sequence[str]) -> Snapshot:
    """Take a snapshot of these executions."""
    faults = FaultControl(exporter)
    record = InspectorControl(exporter.aws, exporter.account, exporter.region).record()
    sizes = exporter.sizes()
    return Snapshot(
        bucket=exporter.outputs["BucketName"],
        executions=tuple(_execution(exporter, arn) for arn in arns),
        items=exporter.items(),
        reports=tuple(record["reports"]),
        inspector_calls=tuple(record["calls"]),
        messages=tuple(_message(each.event) for each in exporter.messages()),
        objects=sizes,
        owner_messages=tuple(
            OwnerMessageSeen(each.execution, each.owner, each.event["notification_id"]) for each in exporter.owner_messages()
        ),
        owners={key: _owners(exporter, key) for key in sizes if "/analyses/" in key and key.endswith("/owners.json")},
        invocations=tuple(
            InvocationSeen(each["function"], each["execution"], each["error"], each["result"]) for each in faults.invocations()
        ),
        faults=tuple(FaultSeen(each["kind"], each["function"], each["action"], each["execution"]) for each in faults.struck()),
    )


def _execution(exporter: Exporter, arn: str) -> ExecutionSeen:
    seen = exporter.describe(arn)
    return ExecutionSeen(arn, seen.status, seen.error or "", tuple(exporter.states_entered(arn)))


def _owners(exporter: Exporter, key: str) -> tuple[str, ...]:
    return tuple(each["owner"] for each in json.loads(exporter.read(key))["owners"])


def _message(event: dict[str, Any]) -> MessageSeen:
    delivery = event["delivery"] or {}
    return MessageSeen(
        execution=event["execution"]["name"],
        outcome=event["outcome"],
        notification_id=event["notification_id"],
        key=delivery.get("key"),
        size_bytes=delivery.get("size_bytes", 0),
    )


def summary(seen: Snapshot) -> str:
    """Return a snapshot in a few lines, to help understand a violation."""
    lines = [f"{each.name}: {each.status} {each.error} {' > '.join(each.states)}" for each in seen.executions]
    lines += [json.dumps(item) for (_, sk), item in seen.items.items() if sk in ("LOCK", "EXECUTION") or sk.startswith("OWNER#")]
    lines += [
        f"report {report['id']} {report['status']} from {report['created_at']:.2f} to {report['ended_at'] or 0:.2f}"
        for report in seen.reports
    ]
    lines += [f"{call['time']:.2f} {call['operation']} {call['status_code']}" for call in seen.inspector_calls]
    lines += [f"{each.function}: {each.error or 'done'}" for each in seen.invocations]
    return "\n".join(lines)
