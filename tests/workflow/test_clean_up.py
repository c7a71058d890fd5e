"""Executions that end outside the workflow: their report is cancelled, their lock released, and each is notified once."""

from collections import Counter

import pytest

from tests.local_aws.deployed_exporter import Exporter, FunctionFailedError, wait_until
from tests.local_aws.inspector_control import InspectorControl


def stop(exporter: Exporter, arn: str) -> None:
    exporter.states.stop_execution(executionArn=arn, error="Operator", cause="changed my mind")


def test_run_stopped_while_it_waits_for_its_report_is_cleaned_up(exporter: Exporter, inspector: InspectorControl) -> None:
    inspector.hold()
    run = exporter.start({})
    exporter.reached(run, "Wait for Report")

    stop(exporter, run)

    message = exporter.message_of(run)
    assert message.outcome == "ABORTED"
    assert "changed my mind" in " ".join(message.email.split())
    assert [report["status"] for report in inspector.record()["reports"]] == ["CANCELLED"]
    assert_settled(exporter)


def test_run_that_times_out_while_it_waits_for_its_report_is_cleaned_up(exporter: Exporter, inspector: InspectorControl) -> None:
    inspector.hold()
    run = exporter.start({})
    exporter.reached(run, "Wait for Report")

    exporter.aws.control("/_local/executions/time_out", {"executionArn": run, "account": exporter.account})

    message = exporter.message_of(run)
    assert (exporter.describe(run).status, message.outcome) == ("TIMED_OUT", "TIMED_OUT")
    assert message.event["failure"]["error"] == "TimedOut"
    assert [report["status"] for report in inspector.record()["reports"]] == ["CANCELLED"]
    assert_settled(exporter)


def test_run_stopped_while_it_waits_for_the_lock_leaves_the_holder_alone(exporter: Exporter, inspector: InspectorControl) -> None:
    inspector.hold()
    holder = exporter.start({})
    exporter.reached(holder, "Wait for Report")
    run = exporter.start({})
    exporter.reached(run, "Wait for Lock")

    stop(exporter, run)

    assert exporter.message_of(run).outcome == "ABORTED"
    lock = exporter.lock()
    assert lock is not None
    assert lock["owner"] == holder
    inspector.release()
    assert exporter.ended(holder).status == "SUCCEEDED"
    assert_settled(exporter)


def test_run_stopped_while_it_waits_for_an_external_report_leaves_it_alone(
    exporter: Exporter, inspector: InspectorControl
) -> None:
    inspector.external_report()
    run = exporter.start({})
    exporter.reached(run, "Wait for Other Report")

    stop(exporter, run)

    assert exporter.message_of(run).outcome == "ABORTED"
    assert [report["status"] for report in inspector.record()["reports"]] == ["IN_PROGRESS"]
    assert_settled(exporter)


@pytest.mark.usefixtures("no_events")
def test_hourly_cleanup_cleans_up_when_the_event_never_comes(exporter: Exporter, inspector: InspectorControl) -> None:
    inspector.hold()
    run = exporter.start({})
    exporter.reached(run, "Wait for Report")
    stop(exporter, run)
    assert exporter.messages() == []

    swept = exporter.invoke("CleanUpFunction", {})

    assert swept["cleaned"] == [run.rsplit(":", 1)[-1]]
    assert exporter.message_of(run).outcome == "ABORTED"
    assert [report["status"] for report in inspector.record()["reports"]] == ["CANCELLED"]
    assert_settled(exporter)
    assert exporter.invoke("CleanUpFunction", {}) == {"cleaned": []}
    assert len(exporter.messages()) == 1


@pytest.mark.usefixtures("no_events")
def test_stopped_run_is_notified_while_inspector_refuses_and_settled_afterwards(
    exporter: Exporter, inspector: InspectorControl
) -> None:
    inspector.hold()
    run = exporter.start({})
    exporter.reached(run, "Wait for Report")
    stop(exporter, run)
    with exporter.without_statement("CleanUpFunctionRole", "StopTheReport"), pytest.raises(FunctionFailedError):
        exporter.invoke("CleanUpFunction", {})
    assert "cleaning up failed" in " ".join(exporter.message_of(run).event["notes"])
    assert exporter.lock() is not None

    assert exporter.invoke("CleanUpFunction", {})["cleaned"] == [run.rsplit(":", 1)[-1]]

    assert [report["status"] for report in inspector.record()["reports"]] == ["CANCELLED"]
    assert exporter.message_of(run).outcome == "ABORTED"
    assert_settled(exporter)


@pytest.mark.usefixtures("no_events")
def test_hourly_cleanup_leaves_a_living_run_alone(exporter: Exporter, inspector: InspectorControl) -> None:
    inspector.hold()
    run = exporter.start({})
    exporter.reached(run, "Wait for Report")

    assert exporter.invoke("CleanUpFunction", {}) == {"cleaned": []}

    inspector.release()
    assert exporter.ended(run).status == "SUCCEEDED"


@pytest.mark.usefixtures("no_events")
def test_hourly_cleanup_notifies_of_a_run_that_was_never_written_down(exporter: Exporter, inspector: InspectorControl) -> None:
    run = exporter.ended(exporter.start({"bucket": "x"}))
    key = {"pk": {"S": f"EXECUTION#{run.name}"}, "sk": {"S": "EXECUTION"}}
    exporter.client("dynamodb").delete_item(TableName=exporter.outputs["TableName"], Key=key)

    assert run.name in exporter.invoke("CleanUpFunction", {})["cleaned"]

    assert [message.outcome for message in exporter.messages() if message.execution == run.name] == ["FAILED", "FAILED"]
    assert_settled(exporter, messages_a_run=2)


@pytest.mark.usefixtures("no_events")
def test_hourly_cleanup_cancels_a_report_that_a_notified_run_could_not_cancel(
    exporter: Exporter, inspector: InspectorControl
) -> None:
    inspector.hold()
    with exporter.without_statement("CancelReportFunctionRole", "StopTheReport"):
        run = exporter.run({"deadline_hours": 0.0005}, seconds=90)
    assert (run.error, inspector.record()["reports"][0]["status"]) == ("DeadlineExceeded", "IN_PROGRESS")

    assert exporter.invoke("CleanUpFunction", {}) == {"cleaned": [run.name]}

    assert inspector.record()["reports"][0]["status"] == "CANCELLED"
    assert exporter.message_of(run.arn).outcome == "FAILED"


def test_failure_that_the_workflow_notified_is_not_notified_again(exporter: Exporter, inspector: InspectorControl) -> None:
    run = exporter.run({"bucket": "x"})
    detail = {
        "executionArn": run.arn,
        "status": "FAILED",
        "startDate": int(run.started_at.timestamp() * 1000),
        "error": run.error,
    }

    assert exporter.invoke("CleanUpFunction", {"detail": detail}) == {"state": "NOTHING_LEFT"}
    assert exporter.message_of(run.arn).outcome == "FAILED"


def test_failed_run_without_a_notification_is_notified_by_event(exporter: Exporter, inspector: InspectorControl) -> None:
    with exporter.without_statement("NotifyFunctionRole", "PublishToTheTopic"):
        run = exporter.run({}, seconds=90)

    assert (run.status, run.error) == ("FAILED", "AccessDeniedError")
    message = exporter.message_of(run.arn, seconds=60)
    assert message.outcome == "SUCCEEDED"  # as it was recorded: the file is there
    assert_settled(exporter)


@pytest.mark.usefixtures("no_events")
def test_clean_up_waits_while_a_function_may_still_create_a_report(exporter: Exporter, inspector: InspectorControl) -> None:
    inspector.hold()
    run = exporter.start({})
    exporter.reached(run, "Wait for Report")
    stop(exporter, run)
    lock = exporter.lock()
    assert lock is not None
    numbers = {name: int(lock[name]) for name in ("acquired_at", "expires_at")}
    owner = {name: lock[name] for name in ("owner", "owner_started_at")}
    exporter.put_lock(**owner, **numbers, creating_until=numbers["expires_at"])

    with pytest.raises(FunctionFailedError) as raised:
        exporter.invoke("CleanUpFunction", {})
    assert raised.value.type == "StillCreatingError"
    assert exporter.lock() is not None

    exporter.put_lock(**owner, **numbers, creating_until=numbers["acquired_at"] - 1)
    assert exporter.invoke("CleanUpFunction", {})["cleaned"] == [run.rsplit(":", 1)[-1]]
    assert_settled(exporter)


def assert_settled(exporter: Exporter, messages_a_run: int = 1) -> None:
    wait_until(lambda: True if exporter.lock() is None else None, "the lock to be released")
    wait_until(lambda: None if any("open" in item for item in exporter.items().values()) else True, "every run to be closed")
    # A late event finds nothing left to do and notifies of nothing a second time.
    assert exporter.invoke("CleanUpFunction", {}) == {"cleaned": []}
    result = Counter(message.execution for message in exporter.messages())
    assert result == {execution.name: messages_a_run for execution in exporter.executions()}
