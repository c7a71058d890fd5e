"""An external report is in progress: it is waited for or cancelled, or the run fails, as the plan says."""

import pytest

from tests.local_aws.deployed_exporter import Exporter
from tests.local_aws.inspector_control import InspectorControl


def test_external_report_is_waited_for(exporter: Exporter, inspector: InspectorControl) -> None:
    external = inspector.external_report()
    run = exporter.start({})
    exporter.reached(run, "Wait for Other Report")
    inspector.end_report(external)

    ended = exporter.ended(run)

    assert ended.status == "SUCCEEDED", ended.cause
    assert statuses(inspector)[external] == "SUCCEEDED"
    assert f"creating another report ({external}" in " ".join(exporter.message_of(run).event["notes"])


def test_external_report_is_cancelled_where_the_plan_says_so(exporter: Exporter, inspector: InspectorControl) -> None:
    external = inspector.external_report()

    ended = exporter.run({"on_busy": "cancel"})

    assert ended.status == "SUCCEEDED", ended.cause
    assert statuses(inspector)[external] == "CANCELLED"
    assert f"The external report {external}" in exporter.message_of(ended.arn).email.replace("\n  ", " ")


def test_external_report_fails_the_run_where_the_plan_says_so(exporter: Exporter, inspector: InspectorControl) -> None:
    external = inspector.external_report()

    ended = exporter.run({"on_busy": "fail"})

    assert (ended.status, ended.error) == ("FAILED", "InspectorBusy")
    assert statuses(inspector) == {external: "IN_PROGRESS"}
    assert "Inspector has a limit of one report at a time" in exporter.message_of(ended.arn).email
    assert exporter.lock() is None


@pytest.mark.parametrize("on_busy", ["wait", "fail"])
def test_external_report_is_never_cancelled_unless_the_plan_says_so(
    on_busy: str, exporter: Exporter, inspector: InspectorControl
) -> None:
    external = inspector.external_report()

    ended = exporter.run({"on_busy": on_busy, "deadline_hours": 0.0003})

    assert ended.status == "FAILED"
    assert statuses(inspector) == {external: "IN_PROGRESS"}


def test_external_report_that_outlasts_the_deadline_is_explained(exporter: Exporter, inspector: InspectorControl) -> None:
    external = inspector.external_report()

    ended = exporter.run({"deadline_hours": 0.0003})

    assert (ended.status, ended.error) == ("FAILED", "DeadlineExceeded")
    assert external in exporter.message_of(ended.arn).email
    assert exporter.lock() is None


def test_report_of_another_layout_in_our_bucket_is_external(exporter: Exporter, inspector: InspectorControl) -> None:
    prefix = "inspector/reports/nightly/year=2026/month=11/day=23/never-ran/"
    external = inspector.external_report(bucketName=exporter.outputs["BucketName"], keyPrefix=prefix)

    ended = exporter.run({"on_busy": "fail"})

    assert ended.error == "InspectorBusy"
    assert statuses(inspector)[external] == "IN_PROGRESS"


def statuses(inspector: InspectorControl) -> dict[str, str]:
    return {report["id"]: report["status"] for report in inspector.record()["reports"]}
