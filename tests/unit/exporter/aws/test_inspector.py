"""Inspector's three calls, and every form that its answers may have."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError
from botocore.stub import Stubber

from findings_exporter.aws.inspector import Inspector, InspectorReport, create
from tests.builders.exporter import ACCOUNT, BUCKET, KEY, REPORT_ID, plan

if TYPE_CHECKING:
    from mypy_boto3_inspector2 import Inspector2Client

PREFIX = "inspector/reports/nightly/"
ANSWER: dict[str, Any] = {
    "reportId": REPORT_ID,
    "status": "IN_PROGRESS",
    "destination": {"bucketName": BUCKET, "keyPrefix": PREFIX, "kmsKeyArn": KEY},
}


@pytest.fixture
def client() -> "Inspector2Client":
    """A client without a connection."""
    return boto3.client("inspector2")


@pytest.fixture
def stub(client: "Inspector2Client") -> Iterator[Stubber]:
    """Every request that the client may make, with its answer."""
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def test_the_report_in_progress_is_returned(client: "Inspector2Client", stub: Stubber) -> None:
    stub.add_response("get_findings_report_status", ANSWER, {})
    assert Inspector(client).current() == InspectorReport(REPORT_ID, "IN_PROGRESS", "", "", BUCKET, PREFIX)


@pytest.mark.parametrize("answer", [{}, {"reportId": ""}, {"status": "SUCCEEDED"}, {"reportId": REPORT_ID}])
def test_an_empty_answer_is_no_report(client: "Inspector2Client", stub: Stubber, answer: dict[str, Any]) -> None:
    stub.add_response("get_findings_report_status", answer, {})
    assert Inspector(client).current() is None


def test_an_empty_answer_does_not_mean_that_the_requested_report_is_missing(client: "Inspector2Client", stub: Stubber) -> None:
    stub.add_response("get_findings_report_status", {}, {"reportId": REPORT_ID})
    with pytest.raises(ConnectionClosedError):
        Inspector(client).status(REPORT_ID)


def test_not_found_is_no_report(client: "Inspector2Client", stub: Stubber) -> None:
    stub.add_client_error("get_findings_report_status", "ResourceNotFoundException", http_status_code=404)
    assert Inspector(client).current() is None
    stub.add_client_error("get_findings_report_status", "ResourceNotFoundException", http_status_code=404)
    assert Inspector(client).status(REPORT_ID) is None


def test_any_other_error_goes_up(client: "Inspector2Client", stub: Stubber) -> None:
    for _ in range(2):
        stub.add_client_error("get_findings_report_status", "AccessDeniedException", http_status_code=403)
    with pytest.raises(ClientError, match="AccessDenied"):
        Inspector(client).current()
    with pytest.raises(ClientError, match="AccessDenied"):
        Inspector(client).status(REPORT_ID)


@pytest.mark.parametrize("expected", [PREFIX, PREFIX.rstrip("/")])
def test_a_prefix_is_the_same_with_and_without_its_last_slash(client: "Inspector2Client", stub: Stubber, expected: str) -> None:
    answer = ANSWER | {"destination": ANSWER["destination"] | {"keyPrefix": expected}}
    stub.add_response("get_findings_report_status", answer, {})
    report = Inspector(client).current()
    assert report is not None
    assert report.prefix == PREFIX


@pytest.mark.parametrize("prefix", [{}, {"keyPrefix": ""}])
def test_a_destination_without_a_prefix_stays_without_one(
    client: "Inspector2Client", stub: Stubber, prefix: dict[str, str]
) -> None:
    answer = ANSWER | {"destination": {"bucketName": BUCKET, "kmsKeyArn": KEY} | prefix}
    stub.add_response("get_findings_report_status", answer, {})
    assert Inspector(client).current() == InspectorReport(REPORT_ID, "IN_PROGRESS", "", "", BUCKET, "")


def test_a_report_is_returned_with_its_error_and_without_a_destination(client: "Inspector2Client", stub: Stubber) -> None:
    answer = {"reportId": REPORT_ID, "status": "FAILED", "errorCode": "INTERNAL_ERROR", "errorMessage": "oops"}
    stub.add_response("get_findings_report_status", answer, {"reportId": REPORT_ID})
    assert Inspector(client).status(REPORT_ID) == InspectorReport(REPORT_ID, "FAILED", "INTERNAL_ERROR", "oops", "", "")


@pytest.mark.parametrize(
    ("status", "ended"),
    [("SUCCEEDED", True), ("FAILED", True), ("CANCELLED", True), ("IN_PROGRESS", False), ("QUEUED", False)],
)
def test_only_known_final_statuses_let_another_report_start(status: str, ended: bool) -> None:
    assert InspectorReport(REPORT_ID, status, "", "", "", "").has_ended is ended


def test_a_report_is_cancelled(client: "Inspector2Client", stub: Stubber) -> None:
    stub.add_response("cancel_findings_report", {"reportId": REPORT_ID}, {"reportId": REPORT_ID})
    Inspector(client).cancel(REPORT_ID)


@pytest.mark.parametrize("code", ["ResourceNotFoundException", "ValidationException"])
def test_a_refused_cancel_leaves_it_to_the_reports_status(client: "Inspector2Client", stub: Stubber, code: str) -> None:
    stub.add_client_error("cancel_findings_report", code, http_status_code=400)
    Inspector(client).cancel(REPORT_ID)


def test_a_denied_cancel_goes_up(client: "Inspector2Client", stub: Stubber) -> None:
    stub.add_client_error("cancel_findings_report", "AccessDeniedException", http_status_code=403)
    with pytest.raises(ClientError, match="AccessDenied"):
        Inspector(client).cancel(REPORT_ID)


@pytest.mark.parametrize(
    ("criteria", "sent"),
    [
        ({}, {}),
        (
            {"severity": [{"comparison": "EQUALS", "value": "HIGH"}]},
            {"filterCriteria": {"severity": [{"comparison": "EQUALS", "value": "HIGH"}]}},
        ),
    ],
)
def test_a_report_is_created_at_the_runs_own_prefix_in_a_bucket_of_the_right_owner(
    client: "Inspector2Client", stub: Stubber, criteria: dict[str, Any], sent: dict[str, Any]
) -> None:
    made = plan({"report": {"format": "CSV", "filter_criteria": criteria}})
    expected = sent | {
        "reportFormat": "CSV",
        "s3Destination": {
            "bucketName": BUCKET,
            "keyPrefix": "inspector/reports/nightly/year=2026/month=11/day=23/run-1/",
            "kmsKeyArn": KEY,
            "expectedBucketOwner": ACCOUNT,
        },
    }
    stub.add_response("create_findings_report", {"reportId": REPORT_ID}, expected)
    assert create(client, made) == REPORT_ID


def test_an_answer_without_an_id_is_an_answer_that_was_lost(client: "Inspector2Client", stub: Stubber) -> None:
    stub.add_response("create_findings_report", {})
    with pytest.raises(ConnectionClosedError):
        create(client, plan())
