"""aws-check on the embedded AWS, with the permissions that docs/operations.md lists: nothing is different as it is, and each
misbehavior of the emulated Inspector is noticed."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import pytest

from findings_exporter.aws.inspector import FINAL
from tests.local_aws.deployed_exporter import KEY_PREFIX, Exporter, wait_until
from tests.local_aws.inspector_control import InspectorControl
from tests.local_aws.server import REPOSITORY
from tests.tools.aws_check import __main__ as aws_check
from tests.tools.aws_check import asking, calls, rules
from tests.tools.aws_check.calls import Deployed, Patience
from tests.tools.aws_check.observations import Export, Preview
from tests.tools.aws_check.questions import QUESTIONS, Answer, Reason, Result

ROLE = "aws-check"
QUICK = Patience(pause=0.05, export=60, history=0.1, metrics=0)
NOT_ON_THE_EMBEDDED_AWS = {
    "alarm-action": Reason.NO_HISTORY,
    "list-page": Reason.TOO_FEW,
    "list-members": Reason.ADMINISTRATOR,
    "run-topic": Reason.NO_METRIC,
    "alarm-topic": Reason.NO_METRIC,
}
"""It records no action of an alarm and has no metrics of SNS; its account administers others, and has few findings."""


@pytest.fixture(scope="module")
def checker(deployed: Exporter) -> Callable[[str, int], Any]:
    """Clients with the permissions of docs/operations.md, and no others."""
    section = (
        (REPOSITORY / "docs/operations.md").read_text().partition("## Check what only AWS can show")[2].partition("\n## ")[0]
    )
    actions = sorted(set(re.findall(r"`([a-z0-9]+:[A-Z]\w+)`", section)))
    assert len(actions) > 15
    iam = deployed.client("iam")
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}
    role = iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
    iam.put_role_policy(RoleName=ROLE, PolicyName="documented", PolicyDocument=json.dumps(policy))
    make = cache(lambda service: deployed.aws.role_client(service, role, account=deployed.account, region=deployed.region))
    return lambda service, _tries: make(service)


@pytest.fixture
def aws(exporter: Exporter, inspector: InspectorControl, checker: Callable[[str, int], Any]) -> Deployed:
    # A report takes long enough to be seen in progress.
    inspector.configure(base_seconds=0.5)
    return calls.deployed(exporter.stack_name, exporter.region, checker, QUICK, say=lambda _: None)


def results(answers: list[Answer]) -> dict[str, str]:
    return {answer.id: answer.result for answer in answers}


def test_nothing_is_different_as_it_is(
    aws: Deployed, exporter: Exporter, inspector: InspectorControl, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cloudwatch = exporter.client("cloudwatch")
    alarm = {"AlarmNames": [f"{exporter.stack_name}-{calls.ALARM}"]}
    before = cloudwatch.describe_alarms(**alarm)["MetricAlarms"][0]["StateValue"]

    assert aws_check.run(aws, tmp_path / "aws-check.json") == 0

    text = (tmp_path / "aws-check.json").read_text()
    found = json.loads(text)
    assert {each["id"]: each["reason"] for each in found["answers"] if each["result"] == "UNKNOWN"} == NOT_ON_THE_EMBEDDED_AWS
    assert {
        each["id"] for each in found["answers"] if each["result"] == "AS_EXPECTED"
    } == QUESTIONS.keys() - NOT_ON_THE_EMBEDDED_AWS
    assert found["release"] == found["checked_with"]
    seen = {each["id"]: each["seen"] for each in found["answers"]}
    assert seen["second-report"] == {"answer": "refused", "code": "ValidationException", "text": "as expected"}
    assert (seen["csv-form"]["columns"], seen["csv-form"]["quotes"]) == ("55", "where needed")
    assert (seen["json-form"]["first_member"], seen["json-times"]["forms"]) == ("awsAccountId", "ISO 8601 with Z")
    assert seen["preview-count"]["report"] == "as many"
    # What it changed is put back, and of two exports people hear once.
    assert cloudwatch.describe_alarms(**alarm)["MetricAlarms"][0]["StateValue"] == before
    assert [report["status"] for report in inspector.record()["reports"]] == ["SUCCEEDED", "SUCCEEDED"]
    assert [execution.status for execution in exporter.executions()] == ["SUCCEEDED", "SUCCEEDED"]
    assert len(exporter.messages()) == 1
    held = {
        part for finding in inspector.findings() for part in (finding["findingArn"], finding["title"], finding["awsAccountId"])
    }
    names = {exporter.account, alarm["AlarmNames"][0], exporter.outputs["BucketName"], "arn:", "security@example.com"}
    shown = text + capsys.readouterr().out
    assert [each for each in held | names if each in shown] == []


# ---- misbehavior: only what concerns it is asked, since a whole run takes seconds


def made(aws: Deployed, report_format: Literal["CSV", "JSON"]) -> Export:
    """Let Inspector make a report as a run does, without the run."""
    inspector2, prefix, config = aws.client("inspector2", 1), f"{KEY_PREFIX}/reports/made/{uuid4()}/", aws.config
    destination = {"bucketName": config.bucket, "keyPrefix": prefix, "kmsKeyArn": config.kms_key_arn}
    report = inspector2.create_findings_report(reportFormat=report_format, s3Destination=destination)["reportId"]
    in_progress = calls.status(aws)

    def ended() -> dict[str, Any] | None:
        status: dict[str, Any] = inspector2.get_findings_report_status(reportId=report)
        return status if status["status"] in FINAL else None

    status = wait_until(ended, "the report to end")
    file = calls.report_object(aws, prefix, report)
    nothing_found = "no_findings" if status["status"] == "FAILED" else "" if file.objects else "no_object"
    return Export(report_format, "SUCCEEDED", "", 1.0, nothing_found, config.bucket, prefix, in_progress, None, file)


def test_what_the_code_accepts_is_named(aws: Deployed, inspector: InspectorControl) -> None:
    inspector.configure(base_seconds=0.1, timestamps="epoch", csv_style="quoted")
    csv, json = ({answer.id: answer for answer in rules.of_export(made(aws, name), name)} for name in ("CSV", "JSON"))
    found = [csv["csv-form"].seen["quotes"], csv["csv-form"].seen["line_ends"], json["json-times"].seen["forms"]]
    assert found == ["every cell", "CR LF", "epoch seconds"]
    inspector.configure(without_report="empty")
    empty = calls.status(aws)
    inspector.configure(without_report="last")
    answer = rules.status_without_report(empty, calls.status(aws))
    assert (answer.result, answer.seen) == (Result.AS_EXPECTED, {"before": "empty", "after": "the last report"})
    assert {answer.result for answer in (*csv.values(), *json.values())} == {Result.AS_EXPECTED}


@pytest.mark.parametrize(
    ("kind", "details", "different"),
    [
        ("unknown_status", {"seconds": 0.3}, {"status-in-progress"}),
        ("no_object", {}, {"json-object"}),
        ("other_prefix", {}, {"json-object"}),
        ("broken_object", {}, {"json-form"}),
        ("other_key", {}, {"json-object"}),
    ],
)
def test_a_report_that_misbehaves_is_noticed(
    kind: Any, details: dict[str, Any], different: set[str], aws: Deployed, exporter: Exporter, inspector: InspectorControl
) -> None:
    if kind == "other_key":
        details = {"kms_key_arn": exporter.client("kms").create_key()["KeyMetadata"]["Arn"]}
    inspector.misbehave(kind, **details)
    export = made(aws, "JSON")
    found = results([*rules.of_export(export, "JSON"), rules.status_in_progress(export)])
    assert {name for name, result in found.items() if result is Result.DIFFERENT} == different


@pytest.mark.parametrize("kind", ["no_object", "empty_object", "header_only", "malformed", "fail"])
def test_a_report_of_nothing_where_the_preview_counted_some_is_noticed(
    kind: Any, aws: Deployed, inspector: InspectorControl
) -> None:
    inspector.seed(findings=0)
    inspector.configure(base_seconds=0.0, when_nothing_found=kind)
    export = made(aws, "JSON")
    assert rules.preview_count(Preview(4, True, "ListFindings"), export, asking.of_file(export)).result is not Result.AS_EXPECTED
    found = results(rules.of_export(export, "JSON"))
    assert found["json-times"] is Result.UNKNOWN
    if kind == "malformed":
        assert found["json-form"] is Result.DIFFERENT


@pytest.mark.parametrize(("kind", "error"), [("fail", "Report.INTERNAL_ERROR"), ("cancel_itself", "Report.CANCELLED")])
def test_a_run_that_fails_is_noticed(kind: Any, error: str, aws: Deployed, inspector: InspectorControl) -> None:
    inspector.misbehave(kind)
    _, export = asking.exported(aws, "JSON", notify=False, with_second=False)
    (answer, *rest) = rules.of_export(export, "JSON")
    assert (answer.result, answer.seen["error"]) == (Result.DIFFERENT, error)
    assert {each.reason for each in rest} == {Reason.NOT_STARTED}


def test_a_report_that_is_held_leaves_its_questions_unknown(aws: Deployed, inspector: InspectorControl) -> None:
    inspector.misbehave("hold")
    _, export = asking.exported(replace(aws, patience=replace(QUICK, export=0.3)), "JSON", notify=False, with_second=False)
    assert {answer.reason for answer in rules.of_export(export, "JSON")} == {Reason.NOT_ENDED}
    inspector.release()


def test_a_second_report_that_is_accepted_is_noticed_and_cancelled(aws: Deployed, inspector: InspectorControl) -> None:
    inspector.configure(reports_at_a_time=2)
    first = inspector.external_report()
    assert rules.second_report(calls.second_report(aws, first)).result is Result.DIFFERENT
    assert [report["status"] for report in inspector.record()["reports"]] == ["IN_PROGRESS", "CANCELLED"]


@pytest.mark.parametrize("kind", ["server_error", "lose_answer"])
def test_a_call_that_fails_leaves_its_own_questions_unknown(kind: Any, aws: Deployed, inspector: InspectorControl) -> None:
    inspector.misbehave(kind, operation="list", times=None)
    found = results(asking.listing(aws))
    assert (found["list-page"], found["list-nothing"]) == (Result.UNKNOWN, Result.UNKNOWN)
    assert (found["account-status"], found["coverage-groups"]) == (Result.AS_EXPECTED, Result.AS_EXPECTED)
