"""How a report can end, and what the message says then."""

import json
from typing import Any

import pytest

from findings_exporter.notification.remediation import AGAIN, REMEDIATIONS
from tests.local_aws.deployed_exporter import Exporter
from tests.local_aws.inspector_control import InspectorControl

ERROR_CODES = ["INTERNAL_ERROR", "INVALID_PERMISSIONS", "BUCKET_NOT_FOUND", "INCOMPATIBLE_BUCKET_REGION", "MALFORMED_KMS_KEY"]


@pytest.mark.parametrize("code", ERROR_CODES)
def test_each_error_code_is_explained_in_the_mail(code: str, exporter: Exporter, inspector: InspectorControl) -> None:
    inspector.misbehave("fail", error_code=code)

    ended = exporter.run({})

    assert (ended.status, ended.error) == ("FAILED", f"Report.{code}")
    message = exporter.message_of(ended.arn)
    remediation = REMEDIATIONS[f"Report.{code}"]
    assert remediation.title in message.subject
    words = " ".join(message.email.split())
    assert f"Cause (Report.{code})" in words
    # The setup check may add that it found no problem: this failure has no cause that it could see.
    cause = words.split(f" Cause (Report.{code}) ")[1].split(" Fix ")[0]
    assert " ended with the status FAILED. " in cause
    assert f" {filled(remediation.why, exporter)}" in cause
    assert "The setup check found: " not in cause
    for number, step in enumerate(remediation.fix, 1):
        assert f" {number}. {filled(step, exporter)} " in words
    assert ended.arn in message.email
    assert message.event["failure"]["error"] == f"Report.{code}"
    assert_nothing_is_left(exporter, inspector)


def test_unknown_error_code_is_shown_as_it_came(exporter: Exporter, inspector: InspectorControl) -> None:
    inspector.misbehave("fail", error_code="BRAND_NEW_CODE")

    ended = exporter.run({})

    assert ended.error == "Report.BRAND_NEW_CODE"
    assert "The exporter has no explanation for this error." in " ".join(exporter.message_of(ended.arn).email.split())


@pytest.mark.parametrize(
    ("nothing_found", "how"),
    [
        ("fail", "no_findings"),
        ("no_object", "no_object"),
        ("empty_object", "empty_object"),
        ("header_only", "empty_object"),
        ("malformed", "empty_object"),
    ],
)
@pytest.mark.parametrize("report_format", ["JSON", "CSV"])
def test_nothing_found_is_a_success_that_says_so(
    nothing_found: Any, how: str, report_format: str, exporter: Exporter, inspector: InspectorControl
) -> None:
    inspector.seed(findings=0, seed=1)
    inspector.configure(when_nothing_found=nothing_found)

    ended = exporter.run({"report": {"format": report_format}})

    assert ended.status == "SUCCEEDED", ended.cause
    assert ended.output["delivery"]["nothing_found"] == how
    message = exporter.message_of(ended.arn)
    assert message.subject.endswith(": first report, 0 open")
    assert "no finding matches the filter." in " ".join(message.email.split())


def test_a_success_without_the_file_is_a_failure_where_findings_match(exporter: Exporter, inspector: InspectorControl) -> None:
    inspector.misbehave("no_object")

    ended = exporter.run({})

    assert (ended.status, ended.error) == ("FAILED", "Delivery.Missing")
    assert "the report file is missing" in exporter.message_of(ended.arn).subject


def test_broken_report_is_distinguished_from_an_empty_one(exporter: Exporter, inspector: InspectorControl) -> None:
    inspector.misbehave("broken_object")

    ended = exporter.run({})

    assert (ended.status, ended.error) == ("FAILED", "Delivery.Corrupt")
    assert "breaks off before its end" in " ".join(exporter.message_of(ended.arn).email.split())
    assert len(exporter.objects()) == 1  # kept, to be looked at
    assert_nothing_is_left(exporter, inspector)


def test_report_under_another_key_is_refused(exporter: Exporter, inspector: InspectorControl) -> None:
    kms = exporter.client("kms")
    other = kms.create_key()["KeyMetadata"]["Arn"]
    inspector.misbehave("other_key", kms_key_arn=other)

    ended = exporter.run({})

    assert (ended.status, ended.error) == ("FAILED", "Delivery.Encryption")
    assert other in exporter.message_of(ended.arn).email


def test_report_that_someone_cancels_is_a_failure(exporter: Exporter, inspector: InspectorControl) -> None:
    inspector.misbehave("cancel_itself")

    ended = exporter.run({})

    assert (ended.status, ended.error) == ("FAILED", "Report.CANCELLED")
    assert_nothing_is_left(exporter, inspector)


@pytest.mark.parametrize("answer", ["not_found", "empty", "last"])
def test_runs_succeed_whatever_inspector_answers_when_it_makes_no_report(
    answer: Any, exporter: Exporter, inspector: InspectorControl
) -> None:
    inspector.configure(without_report=answer)

    assert [exporter.run({}).status for _ in range(2)] == ["SUCCEEDED", "SUCCEEDED"]

    assert len({report["object_key"] for report in inspector.record()["reports"]}) == 2


def test_report_that_takes_time_to_stop_is_waited_out(exporter: Exporter, inspector: InspectorControl) -> None:
    inspector.configure(cancel_seconds=2.0)
    inspector.hold()

    ended = exporter.run({"deadline_hours": 0.0005})

    assert ended.error == "DeadlineExceeded"
    assert [report["status"] for report in inspector.record()["reports"]] == ["CANCELLED"]


def test_unknown_status_counts_as_in_progress(exporter: Exporter, inspector: InspectorControl) -> None:
    inspector.misbehave("unknown_status", seconds=0.5)

    assert exporter.run({}).status == "SUCCEEDED"


def test_deadline_cancels_the_report_and_says_so(exporter: Exporter, inspector: InspectorControl) -> None:
    inspector.hold()

    ended = exporter.run({"deadline_hours": 0.0005})

    assert (ended.status, ended.error) == ("FAILED", "DeadlineExceeded")
    assert [report["status"] for report in inspector.record()["reports"]] == ["CANCELLED"]
    assert "raise the parameter DeadlineHours" in " ".join(exporter.message_of(ended.arn).email.split())
    assert_nothing_is_left(exporter, inspector)


@pytest.mark.parametrize(
    ("fault", "call", "times"),
    [
        ("throttle", "create", 2),
        ("throttle", "status", 4),
        ("server_error", "status", 4),
        ("server_error", "create", 1),
    ],
)
def test_transient_errors_of_inspector_does_not_fail_the_run(
    fault: Any, call: Any, times: int, exporter: Exporter, inspector: InspectorControl
) -> None:
    inspector.misbehave(fault, operation=call, times=times)

    ended = exporter.run({}, seconds=90)

    assert ended.status == "SUCCEEDED", ended.cause
    assert [report["status"] for report in inspector.record()["reports"]] == ["SUCCEEDED"]


def test_report_whose_create_was_not_answered_is_found_and_not_made_twice(
    exporter: Exporter, inspector: InspectorControl
) -> None:
    inspector.misbehave("lose_answer", operation="create", times=1)

    ended = exporter.run({}, seconds=90)

    assert ended.status == "SUCCEEDED", ended.cause
    assert len(inspector.record()["reports"]) == 1


def test_bucket_policy_without_inspector_ends_in_an_explained_failure(exporter: Exporter, inspector: InspectorControl) -> None:
    s3, bucket = exporter.client("s3"), exporter.outputs["BucketName"]
    policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    without = policy | {"Statement": [each for each in policy["Statement"] if each["Sid"] != "InspectorMayWriteReports"]}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(without))

    ended = exporter.run({})

    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    assert ended.error == "Report.INVALID_PERMISSIONS"
    assert bucket in exporter.message_of(ended.arn).email


def test_deleted_bucket_ends_in_an_explained_failure(exporter: Exporter, inspector: InspectorControl) -> None:
    # A stack of its own, since its bucket does not come back.
    bucket = "findings-of-another-team"
    s3 = exporter.client("s3")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": exporter.region})
    parameters = {"ExistingBucketName": bucket, "ExistingBucketOwner": exporter.account}
    other = Exporter.deploy(exporter.aws, "without-bucket", parameters=parameters)
    s3.delete_bucket(Bucket=bucket)

    ended = other.run({}, seconds=60)

    assert (ended.status, ended.error) == ("FAILED", "NoSuchBucket")
    assert f"The bucket {bucket} does not exist" in " ".join(other.message_of(ended.arn).email.split())


def filled(text: str, exporter: Exporter) -> str:
    """A text of an explanation with the deployment's names."""
    return text.format(
        again=AGAIN["parameters"],
        account=exporter.account,
        bucket=exporter.outputs["BucketName"],
        key=exporter.outputs["ReportsKeyArn"],
        owner=exporter.account,
        region=exporter.region,
    )


def assert_nothing_is_left(exporter: Exporter, inspector: InspectorControl) -> None:
    assert exporter.lock() is None
    assert not any(report["status"] == "IN_PROGRESS" for report in inspector.record()["reports"])
    assert not any("open" in item for item in exporter.items().values())


@pytest.mark.parametrize("report_format", ["JSON", "CSV"])
def test_a_malformed_object_where_nothing_matches_is_checked_with_inspector_and_noted(
    report_format: str, exporter: Exporter, inspector: InspectorControl
) -> None:
    inspector.seed(findings=0, seed=1)
    inspector.configure(when_nothing_found="malformed")
    inspector.misbehave("throttle", operation="list", times=4)

    ended = exporter.run({"report": {"format": report_format}}, seconds=90)

    assert ended.status == "SUCCEEDED", ended.cause
    assert "ListFindings with the same filter returns no finding" in " ".join(exporter.message_of(ended.arn).email.split())
    asked = [call for call in inspector.record()["calls"] if call["operation"] == "list"]
    assert [call["status_code"] for call in asked] == [429] * 4 + [200]


def test_a_malformed_object_although_findings_match_is_a_broken_report(exporter: Exporter, inspector: InspectorControl) -> None:
    inspector.seed(findings=0, seed=1)
    inspector.configure(when_nothing_found="malformed")
    inspector.hold()
    run = exporter.start({})
    exporter.reached(run, "Wait for Report")
    inspector.seed(findings=3, seed=1)
    inspector.release()

    ended = exporter.ended(run)

    assert (ended.status, ended.error) == ("FAILED", "Delivery.Corrupt")
    assert "ListFindings returns findings for the same filter" in " ".join(exporter.message_of(run).email.split())


def test_a_csv_that_breaks_off_within_a_row_is_a_broken_report(exporter: Exporter, inspector: InspectorControl) -> None:
    inspector.misbehave("broken_object")
    assert exporter.run({"report": {"format": "CSV"}}).error == "Delivery.Corrupt"
