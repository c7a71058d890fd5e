"""Runs take turns: never two reports in progress, a dead holder is taken over, a living one is waited for."""

import time

import pytest

from tests.local_aws.deployed_exporter import Exporter, wait_until
from tests.local_aws.inspector_control import InspectorControl


@pytest.mark.parametrize("count", [2, 5])
def test_runs_at_once_all_succeed_one_after_the_other(count: int, exporter: Exporter, inspector: InspectorControl) -> None:
    runs = [exporter.ended(arn, seconds=90) for arn in [exporter.start({}) for _ in range(count)]]

    assert [run.status for run in runs] == ["SUCCEEDED"] * count
    record = inspector.record()
    # Inspector itself refuses a second report in progress, so the lock is checked by the creates that were tried.
    assert [call["status_code"] for call in record["calls"] if call["operation"] == "create"] == [200] * count
    assert sorted(message.execution for message in exporter.messages()) == sorted(run.name for run in runs)
    assert exporter.lock() is None


def test_second_run_waits_while_lock_is_held_and_says_so(exporter: Exporter, inspector: InspectorControl) -> None:
    inspector.hold()
    first = exporter.start({})
    exporter.reached(first, "Wait for Report")
    second = exporter.start({})
    exporter.reached(second, "Wait for Lock")
    assert exporter.describe(second).status == "RUNNING"
    inspector.release()

    assert exporter.ended(first).status == "SUCCEEDED"
    assert exporter.ended(second).status == "SUCCEEDED"
    assert f"the run {first.rsplit(':', 1)[-1]} was exporting" in " ".join(exporter.message_of(second).event["notes"])


@pytest.mark.usefixtures("no_events")
def test_dead_holders_lock_is_taken_over_and_its_report_cancelled(exporter: Exporter, inspector: InspectorControl) -> None:
    inspector.hold()
    dead = exporter.start({})
    exporter.reached(dead, "Wait for Report")
    exporter.states.stop_execution(executionArn=dead)
    assert exporter.lock() is not None
    living = exporter.start({})
    wait_until(lambda: inspector.record()["reports"][0]["status"] == "CANCELLED" or None, "the dead run's report to be cancelled")
    inspector.release()

    ended = exporter.ended(living)

    assert ended.status == "SUCCEEDED", ended.cause
    assert [report["status"] for report in inspector.record()["reports"]] == ["CANCELLED", "SUCCEEDED"]
    assert "left by the ended run" in " ".join(exporter.message_of(living).event["notes"])
    assert exporter.lock() is None


def test_expired_lock_of_an_unknown_execution_is_taken_over(exporter: Exporter, inspector: InspectorControl) -> None:
    now = int(time.time())
    exporter.put_lock(
        owner=f"{exporter.state_machine}:deleted",
        owner_started_at="2026-01-01T00:00:00+00:00",
        acquired_at=now - 9,
        expires_at=now - 1,
    )

    assert exporter.run({}).status == "SUCCEEDED"


def test_lock_that_is_never_released_ends_in_an_explained_failure(exporter: Exporter, inspector: InspectorControl) -> None:
    inspector.hold()
    holder = exporter.start({})
    exporter.reached(holder, "Wait for Report")

    waiting = exporter.run({"deadline_hours": 0.0003})

    assert (waiting.status, waiting.error) == ("FAILED", "LockNotObtained")
    message = exporter.message_of(waiting.arn)
    assert holder.rsplit(":", 1)[-1] in message.email
    assert "runs export one after the other" in " ".join(message.email.split())
    assert exporter.lock() is not None  # the holder's
    inspector.release()
    assert exporter.ended(holder).status == "SUCCEEDED"
