"""The emulated Inspector makes findings reports as the service does, and fails where a test makes it fail."""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError
from botocore.session import get_session
from botocore.validate import ParamValidator

from findings_analysis.assessment.coverage import read_coverage
from tests.local_aws.inspector_control import InspectorControl
from tests.local_aws.sandbox import ANYTHING, Sandbox, eventually, policy
from tests.local_aws.server import LocalAws, LocalAwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_accounts = itertools.count(200_000_000_001)
REGION, ELSEWHERE, OPT_IN = "eu-west-1", "us-east-1", "me-south-1"
FINDINGS = 60
UNKNOWN_FINDING = f"arn:aws:inspector2:{REGION}:123456789012:finding/{'0' * 32}"
BUCKET_ACTIONS = ["s3:PutObject", "s3:PutObjectAcl", "s3:AbortMultipartUpload"]
KEY_ACTIONS = ["kms:Decrypt", "kms:GenerateDataKey*"]


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    with LocalAws(tmp_path_factory.mktemp("inspector") / "emulator.log") as local_aws:
        yield local_aws


@pytest.fixture
def inspector(aws: LocalAws) -> InspectorAccount:
    return InspectorAccount(aws, str(next(_accounts)))


@dataclass
class InspectorAccount:
    """One account's Inspector, with a bucket and a key that are right for reports."""

    aws: LocalAws
    account: str
    region: str = REGION
    bucket: str = field(init=False)
    key: str = field(init=False)
    control: InspectorControl = field(init=False)
    client: Any = field(init=False)
    s3: Any = field(init=False)

    def __post_init__(self) -> None:
        self.bucket = f"reports-{self.account}-{self.region}"
        self.s3 = self.make_bucket(self.bucket, self.region)
        self.s3.put_bucket_policy(Bucket=self.bucket, Policy=policy(self.bucket_statement()))
        self.key = self.make_key(self.key_statement())
        self.control = InspectorControl(self.aws, self.account, self.region)
        self.control.seed(FINDINGS, seed=1)
        self.control.configure(base_seconds=0.0, seconds_per_1000=0.0)
        self.client = strict(self.aws.client("inspector2", account=self.account, region=self.region))

    @property
    def conditions(self) -> dict[str, Any]:
        arn = f"arn:aws:inspector2:{self.region}:{self.account}:report/*"
        return {"StringEquals": {"aws:SourceAccount": self.account}, "ArnLike": {"aws:SourceArn": arn}}

    def statement(self, actions: list[str], resource: str, **changes: Any) -> dict[str, Any]:
        principal = {"Service": "inspector2.amazonaws.com"}
        allow = {"Effect": "Allow", "Principal": principal, "Action": actions, "Resource": resource}
        return {**allow, "Condition": self.conditions, **changes}

    def bucket_statement(self, bucket: str = "", **changes: Any) -> dict[str, Any]:
        return self.statement(BUCKET_ACTIONS, f"arn:aws:s3:::{bucket or self.bucket}/*", **changes)

    def key_statement(self, **changes: Any) -> dict[str, Any]:
        return self.statement(KEY_ACTIONS, "*", **changes)

    def make_bucket(self, name: str, region: str, account: str = "") -> Any:
        s3 = self.aws.client("s3", account=account or self.account, region=region)
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=name, **place)
        return s3

    def make_key(self, *statements: dict[str, Any], region: str = "", account: str = "", **options: Any) -> str:
        kms = self.aws.client("kms", account=account or self.account, region=region or self.region)
        arn: str = kms.create_key(Policy=policy(*statements), **options)["KeyMetadata"]["Arn"]
        return arn

    def create(self, report_format: str = "JSON", criteria: Any = None, client: Any = None, **destination: Any) -> str:
        place = {"bucketName": self.bucket, "keyPrefix": "p/", "kmsKeyArn": self.key, **destination}
        request = {"reportFormat": report_format, "s3Destination": place}
        if criteria is not None:
            request["filterCriteria"] = criteria
        return str((client or self.client).create_findings_report(**request)["reportId"])

    def status(self, report_id: str = "") -> Any:
        return self.client.get_findings_report_status(**({"reportId": report_id} if report_id else {}))

    def ended(self, report_id: str) -> Any:
        return eventually(lambda: (seen := self.status(report_id))["status"] in {"SUCCEEDED", "FAILED", "CANCELLED"} and seen)

    def run(self, report_format: str = "JSON", criteria: Any = None, **destination: Any) -> Any:
        return self.ended(self.create(report_format, criteria, **destination))

    def read(self, report: Any, extension: str = "json") -> bytes:
        content: bytes = self.s3.get_object(Bucket=self.bucket, Key=f"p/{report['reportId']}.{extension}")["Body"].read()
        return content

    def findings(self, report: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.read(report))["findings"]
        return found

    def objects(self) -> list[str]:
        return [item["Key"] for item in self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", [])]


def strict(client: Any) -> Any:
    """Hold every answer of a client against the service model."""

    def check(parsed: dict[str, Any], model: Any, **_: Any) -> None:
        if "Error" in parsed:
            shape = model.service_model.shape_for(parsed["Error"]["Code"])
            answer = {name: parsed[name] for name in shape.members if name in parsed}
            assert answer["message"]
        else:
            shape, answer = model.output_shape, {k: v for k, v in parsed.items() if k != "ResponseMetadata"}
        report = ParamValidator().validate(answer, shape)
        assert not report.has_errors(), report.generate_report()

    client.meta.events.register("after-call.inspector2", check)
    return client


def refusal(call: Callable[[], Any]) -> Any:
    with pytest.raises(ClientError) as caught:
        call()
    return caught.value.response


def kind(response: Any) -> tuple[int, str, str]:
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"], response.get("reason", "")


def equals(*values: str) -> list[dict[str, str]]:
    return [{"comparison": "EQUALS", "value": value} for value in values]


def test_plain_ministack_still_lacks_findings_reports(tmp_path_factory: pytest.TempPathFactory) -> None:
    with LocalAws(tmp_path_factory.mktemp("plain") / "emulator.log", patches="none") as plain:
        client = plain.client("inspector2")
        assert client.get_findings_report_status(reportId="any")["status"] == "SUCCEEDED"
        destination = {"bucketName": "bucket", "kmsKeyArn": "key"}
        answer = refusal(lambda: client.create_findings_report(reportFormat="JSON", s3Destination=destination))
        assert answer["Error"]["Code"] == "InvalidAction"


class TestLife:
    def test_a_report_ends_as_an_encrypted_object_under_its_prefix(self, inspector: InspectorAccount) -> None:
        report = inspector.run()
        assert re.fullmatch(r"[a-f0-9]{8}(-[a-f0-9]{4}){3}-[a-f0-9]{12}", report["reportId"])
        destination = {"bucketName": inspector.bucket, "keyPrefix": "p/", "kmsKeyArn": inspector.key}
        assert (report["status"], report["destination"]) == ("SUCCEEDED", destination)
        head = inspector.s3.head_object(Bucket=inspector.bucket, Key=f"p/{report['reportId']}.json")
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", inspector.key)
        assert len(inspector.findings(report)) == FINDINGS

    def test_a_csv_report_has_a_row_for_each_finding(self, inspector: InspectorAccount) -> None:
        text = inspector.read(inspector.run("CSV"), "csv").decode()
        rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
        arns = {finding["findingArn"] for finding in inspector.control.findings()}
        assert len(rows[0]) == 55
        assert {row["Finding ARN"] for row in rows} == arns

    def test_the_prefix_is_taken_as_it_is_given(self, inspector: InspectorAccount) -> None:
        report = inspector.run(keyPrefix="without-slash")
        assert inspector.objects() == [f"without-slash{report['reportId']}.json"]

    def test_a_versioned_bucket_gets_a_version(self, inspector: InspectorAccount) -> None:
        inspector.s3.put_bucket_versioning(Bucket=inspector.bucket, VersioningConfiguration={"Status": "Enabled"})
        report = inspector.run()
        assert inspector.s3.head_object(Bucket=inspector.bucket, Key=f"p/{report['reportId']}.json")["VersionId"] != "null"

    def test_it_takes_the_longer_the_more_findings_match(self, inspector: InspectorAccount) -> None:
        inspector.control.configure(base_seconds=0.3, seconds_per_1000=20.0)
        report_id = inspector.create()
        assert inspector.status(report_id)["status"] == "IN_PROGRESS"
        inspector.ended(report_id)
        inspector.run(criteria={"severity": equals("CRITICAL", "LOW")})
        long, short = inspector.control.record()["reports"]
        took = [(report["ended_at"] or 0) - report["created_at"] for report in (long, short)]
        assert long["findings"] == FINDINGS
        assert 0 < (short["findings"] or 0) < 20
        assert took[0] >= 0.3 + FINDINGS * 20.0 / 1000
        assert 0.3 <= took[1] < took[0]

    def test_a_second_report_is_refused_while_one_is_in_progress(self, inspector: InspectorAccount) -> None:
        inspector.control.hold()
        first = inspector.create()
        answer = refusal(inspector.create)
        assert kind(answer) == (400, "ValidationException", "OTHER")
        assert "Cannot have multiple reports in-progress" in answer["message"]
        assert inspector.status()["reportId"] == first
        inspector.control.release()
        assert inspector.ended(first)["status"] == "SUCCEEDED"
        assert inspector.run()["status"] == "SUCCEEDED"
        assert inspector.control.record()["most_in_progress"] == 1

    def test_accounts_and_regions_do_not_block_each_other(self, inspector: InspectorAccount, aws: LocalAws) -> None:
        inspector.control.hold()
        inspector.create()
        for other in (InspectorAccount(aws, str(next(_accounts))), InspectorAccount(aws, inspector.account, ELSEWHERE)):
            assert other.run()["status"] == "SUCCEEDED"

    def test_unknown_reports_are_not_found(self, inspector: InspectorAccount) -> None:
        unknown = "00000000-0000-0000-0000-000000000000"
        for call in (inspector.client.get_findings_report_status, inspector.client.cancel_findings_report):
            assert kind(refusal(partial(call, reportId=unknown))) == (404, "ResourceNotFoundException", "")

    def test_what_is_no_report_id_is_invalid(self, inspector: InspectorAccount) -> None:
        answer = refusal(lambda: inspector.status("report"))
        assert kind(answer) == (400, "ValidationException", "FIELD_VALIDATION_FAILED")
        assert [each["name"] for each in answer["fields"]] == ["reportId"]

    def test_without_a_report_the_status_is_as_configured(self, inspector: InspectorAccount) -> None:
        assert kind(refusal(inspector.status)) == (404, "ResourceNotFoundException", "")
        inspector.control.configure(without_report="last")
        assert kind(refusal(inspector.status)) == (404, "ResourceNotFoundException", "")
        report = inspector.run()
        assert inspector.status()["reportId"] == report["reportId"]
        inspector.control.configure(without_report="empty")
        assert "reportId" not in inspector.status()

    def test_a_cancelled_report_is_over_and_writes_nothing(self, inspector: InspectorAccount) -> None:
        inspector.control.hold()
        report_id = inspector.create()
        assert inspector.client.cancel_findings_report(reportId=report_id)["reportId"] == report_id
        assert inspector.status(report_id)["status"] == "CANCELLED"
        inspector.control.release()
        assert kind(refusal(lambda: inspector.client.cancel_findings_report(reportId=report_id))) == (
            400,
            "ValidationException",
            "OTHER",
        )
        assert inspector.run()["status"] == "SUCCEEDED"
        assert len(inspector.objects()) == 1

    def test_a_cancelled_report_can_block_others_for_a_while(self, inspector: InspectorAccount) -> None:
        inspector.control.configure(cancel_seconds=1.5)
        inspector.control.hold()
        report_id = inspector.create()
        inspector.client.cancel_findings_report(reportId=report_id)
        assert inspector.status()["reportId"] == report_id
        assert kind(refusal(inspector.create))[0] == 400
        assert inspector.ended(report_id)["status"] == "CANCELLED"

    def test_a_reset_forgets_what_was_and_stops_what_runs(self, inspector: InspectorAccount) -> None:
        inspector.control.hold()
        report_id = inspector.create()
        inspector.control.reset()
        assert kind(refusal(lambda: inspector.status(report_id)))[0] == 404
        assert inspector.control.record()["reports"] == []
        assert inspector.objects() == []


class TestRequests:
    @pytest.mark.parametrize(
        ("request_changes", "field_name"),
        [
            ({"reportFormat": "XML"}, "reportFormat"),
            ({"filterCriteria": {"severity": []}}, "filterCriteria.severity"),
            ({"filterCriteria": {"severity": equals(*map(str, range(11)))}}, "filterCriteria.severity"),
            ({"filterCriteria": {"severty": equals("HIGH")}}, "filterCriteria.severty"),
            ({"s3Destination": {"bucketName": "b"}}, "s3Destination.kmsKeyArn"),
        ],
    )
    def test_invalid_ones_are_refused_by_field(
        self, inspector: InspectorAccount, request_changes: dict[str, Any], field_name: str
    ) -> None:
        lax = inspector.aws.client("inspector2", account=inspector.account)
        request = {"reportFormat": "JSON", "s3Destination": {"bucketName": "b", "kmsKeyArn": "k"}, **request_changes}
        body = json.dumps(request).encode()
        # Past botocore's own check of members, to see the emulator's.
        lax.meta.events.register("before-call", lambda params, **_: params.update(body=body))
        answer = refusal(lambda: inspector.create(client=strict(lax)))
        assert kind(answer) == (400, "ValidationException", "FIELD_VALIDATION_FAILED")
        assert [each["name"] for each in answer["fields"]] == [field_name]
        assert inspector.control.record()["reports"] == []

    def test_newer_members_of_the_model_are_known(self, inspector: InspectorAccount) -> None:
        model: Any = get_session().get_service_model("inspector2")
        newest = model.shape_for("FilterCriteria").members
        uncertain = [name for name, shape in newest.items() if name.startswith("cloud") and shape.member.name == "StringFilter"]
        report = inspector.run(criteria={name: [{"comparison": "NOT_EQUALS", "value": "x"}] for name in uncertain})
        assert report["status"] == "SUCCEEDED"

    def test_the_filter_is_applied_and_returned(self, inspector: InspectorAccount) -> None:
        criteria = {"severity": equals("HIGH"), "firstObservedAt": [{"endInclusive": int(time.time()) - 86_400}]}
        report = inspector.run(criteria=criteria)
        found = inspector.findings(report)
        assert report["filterCriteria"]["severity"] == criteria["severity"]
        assert 0 < len(found) < FINDINGS
        assert {(finding["severity"], finding["status"]) for finding in found} == {("HIGH", "ACTIVE")}

    def test_other_statuses_are_exported_when_they_are_named(self, inspector: InspectorAccount) -> None:
        found = inspector.findings(inspector.run(criteria={"findingStatus": equals("SUPPRESSED", "CLOSED")}))
        assert found
        assert "ACTIVE" not in {finding["status"] for finding in found}

    def test_calls_need_the_caller_s_permission(self, inspector: InspectorAccount) -> None:
        sandbox = Sandbox(inspector.aws, inspector.account)
        all_but_create = {"Effect": "Deny", "Action": "inspector2:CreateFindingsReport", "Resource": "*"}
        role = sandbox.role("watcher", ANYTHING, all_but_create)
        client = strict(inspector.aws.role_client("inspector2", role, account=inspector.account))
        assert kind(refusal(lambda: inspector.create(client=client)))[:2] == (403, "AccessDeniedException")
        unprivileged = inspector.aws.role_client("inspector2", sandbox.role("no-permissions"), account=inspector.account)
        assert kind(refusal(unprivileged.get_findings_report_status))[:2] == (403, "AccessDeniedException")
        some_id = "00000000-0000-0000-0000-000000000000"
        assert kind(refusal(lambda: unprivileged.cancel_findings_report(reportId=some_id)))[:2] == (403, "AccessDeniedException")
        assert inspector.control.record()["calls"] == []

    def test_the_record_names_who_called(self, inspector: InspectorAccount) -> None:
        role = Sandbox(inspector.aws, inspector.account).role("exporter", ANYTHING)
        client = strict(inspector.aws.role_client("inspector2", role, account=inspector.account))
        inspector.control.hold()
        report_id = inspector.create(client=client)
        client.cancel_findings_report(reportId=report_id)
        record = inspector.control.record()
        caller = f"arn:aws:sts::{inspector.account}:assumed-role/exporter/test"
        (report,) = record["reports"]
        assert (report["started_by"], report["cancelled_by"], report["status"]) == (caller, caller, "CANCELLED")
        assert report["created_at"] <= (report["ended_at"] or 0)
        calls = [(call["operation"], call["caller"], call["status_code"], call["report_id"]) for call in record["calls"]]
        assert calls == [("create", caller, 200, report_id), ("cancel", caller, 200, report_id)]


class TestDelivery:
    def test_a_bucket_must_exist(self, inspector: InspectorAccount) -> None:
        assert inspector.run(bucketName="missing-bucket")["errorCode"] == "BUCKET_NOT_FOUND"

    def test_a_bucket_must_be_in_the_report_s_region(self, inspector: InspectorAccount) -> None:
        far = f"far-{inspector.account}"
        inspector.make_bucket(far, ELSEWHERE).put_bucket_policy(Bucket=far, Policy=policy(inspector.bucket_statement(far)))
        assert inspector.run(bucketName=far)["errorCode"] == "INCOMPATIBLE_BUCKET_REGION"

    def test_a_bucket_must_have_the_expected_owner(self, inspector: InspectorAccount) -> None:
        assert inspector.run(expectedBucketOwner="999999999999")["errorCode"] == "INVALID_PERMISSIONS"
        assert inspector.run(expectedBucketOwner=inspector.account)["status"] == "SUCCEEDED"

    @pytest.mark.parametrize(
        "changes",
        [
            {"Action": ["s3:PutObject", "s3:PutObjectAcl"]},
            {"Action": ["s3:PutObject", "s3:AbortMultipartUpload"]},
            {"Action": ["s3:PutObjectAcl", "s3:AbortMultipartUpload"]},
            {"Principal": {"Service": "securityhub.amazonaws.com"}},
            {"Principal": {"Service": "inspector2.eu-west-1.amazonaws.com"}},
            {"Resource": "arn:aws:s3:::another-bucket/*"},
            {"Condition": {"StringEquals": {"aws:SourceAccount": "999999999999"}}},
            {"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:inspector2:eu-west-1:999999999999:report/*"}}},
            {"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:inspector2:us-east-1:*:report/*"}}},
        ],
    )
    def test_a_bucket_policy_must_let_inspector_write(self, inspector: InspectorAccount, changes: dict[str, Any]) -> None:
        inspector.s3.put_bucket_policy(Bucket=inspector.bucket, Policy=policy(inspector.bucket_statement(**changes)))
        report = inspector.run()
        assert (report["status"], report["errorCode"]) == ("FAILED", "INVALID_PERMISSIONS")
        assert "s3:" in report["errorMessage"]
        assert inspector.objects() == []

    def test_a_bucket_without_a_policy_lets_no_one_write(self, inspector: InspectorAccount) -> None:
        inspector.s3.delete_bucket_policy(Bucket=inspector.bucket)
        assert inspector.run()["errorCode"] == "INVALID_PERMISSIONS"

    def test_an_explicit_deny_wins(self, inspector: InspectorAccount) -> None:
        deny = inspector.bucket_statement(Effect="Deny", Principal="*", Condition={})
        inspector.s3.put_bucket_policy(Bucket=inspector.bucket, Policy=policy(inspector.bucket_statement(), deny))
        assert inspector.run()["errorCode"] == "INVALID_PERMISSIONS"
        spared: dict[str, Any] = {
            "StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"},
            "Bool": {"aws:SecureTransport": "false"},
        }
        for operator, condition in spared.items():
            deny["Condition"] = {operator: condition}
            inspector.s3.put_bucket_policy(Bucket=inspector.bucket, Policy=policy(inspector.bucket_statement(), deny))
            assert inspector.run()["status"] == "SUCCEEDED"

    @pytest.mark.parametrize(
        "changes",
        [
            {"Action": "kms:Decrypt"},
            {"Action": "kms:GenerateDataKey*"},
            {"Principal": {"Service": "s3.amazonaws.com"}},
            {"Condition": {"StringEquals": {"aws:SourceAccount": "999999999999"}}},
        ],
    )
    def test_a_key_policy_must_let_inspector_encrypt(self, inspector: InspectorAccount, changes: dict[str, Any]) -> None:
        report = inspector.run(kmsKeyArn=inspector.make_key(inspector.key_statement(**changes)))
        assert (report["status"], report["errorCode"]) == ("FAILED", "INVALID_PERMISSIONS")
        assert "kms:" in report["errorMessage"]

    def test_a_denying_key_policy_wins(self, inspector: InspectorAccount) -> None:
        key = inspector.make_key(inspector.key_statement(), inspector.key_statement(Effect="Deny"))
        assert inspector.run(kmsKeyArn=key)["errorCode"] == "INVALID_PERMISSIONS"

    def test_a_key_must_be_fit_and_named_by_its_arn(self, inspector: InspectorAccount) -> None:
        kms = inspector.aws.client("kms", account=inspector.account)
        disabled, dying = inspector.make_key(inspector.key_statement()), inspector.make_key(inspector.key_statement())
        kms.disable_key(KeyId=disabled)
        kms.schedule_key_deletion(KeyId=dying)
        kms.create_alias(AliasName="alias/reports", TargetKeyId=inspector.key)
        place = inspector.key.rsplit(":", 1)[0]
        unfit = [
            inspector.key.rsplit("/", 1)[1],
            f"{place}:alias/reports",
            f"{place}:key/00000000-0000-0000-0000-000000000000",
            inspector.make_key(inspector.key_statement(), region=ELSEWHERE),
            inspector.make_key(inspector.key_statement(), KeySpec="RSA_2048"),
            inspector.make_key(inspector.key_statement(), KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC"),
            disabled,
            dying,
        ]
        assert [inspector.run(kmsKeyArn=key)["errorCode"] for key in unfit] == ["MALFORMED_KMS_KEY"] * len(unfit)

    def test_bucket_and_key_may_be_another_account_s(self, inspector: InspectorAccount) -> None:
        other, bucket = str(next(_accounts)), f"shared-{inspector.account}"
        s3 = inspector.make_bucket(bucket, REGION, other)
        s3.put_bucket_policy(Bucket=bucket, Policy=policy(inspector.bucket_statement(bucket)))
        key = inspector.make_key(inspector.key_statement(), account=other)
        report = inspector.run(bucketName=bucket, kmsKeyArn=key, expectedBucketOwner=other)
        assert report["status"] == "SUCCEEDED"
        assert s3.head_object(Bucket=bucket, Key=f"p/{report['reportId']}.json")["SSEKMSKeyId"] == key

    def test_an_opt_in_region_has_a_service_principal_of_its_own(self, aws: LocalAws) -> None:
        inspector = InspectorAccount(aws, str(next(_accounts)), OPT_IN)
        assert inspector.run()["errorCode"] == "INVALID_PERMISSIONS"
        regional: dict[str, Any] = {"Principal": {"Service": f"inspector2.{OPT_IN}.amazonaws.com"}}
        inspector.s3.put_bucket_policy(Bucket=inspector.bucket, Policy=policy(inspector.bucket_statement(**regional)))
        assert inspector.run(kmsKeyArn=inspector.make_key(inspector.key_statement(**regional)))["status"] == "SUCCEEDED"

    def test_nothing_found_ends_as_configured(self, inspector: InspectorAccount) -> None:
        nothing = {"severity": equals("NONE")}
        report = inspector.run(criteria=nothing)
        assert (report["status"], report["errorCode"]) == ("FAILED", "NO_FINDINGS_FOUND")
        inspector.control.configure(when_nothing_found="no_object")
        assert inspector.run(criteria=nothing)["status"] == "SUCCEEDED"
        assert inspector.objects() == []
        contents = {}
        for how in ("empty_object", "header_only", "malformed"):
            inspector.control.configure(when_nothing_found=how)
            contents[how] = inspector.read(inspector.run(criteria=nothing))
        assert contents == {"empty_object": b"", "header_only": b'{"findings":[]}', "malformed": b'{"findings":[}'}


class TestFindings:
    def test_a_run_shows_in_the_next_report(self, inspector: InspectorAccount) -> None:
        before = {finding["findingArn"] for finding in inspector.findings(inspector.run())}
        changes = inspector.control.evolve(1)
        after = {finding["findingArn"] for finding in inspector.findings(inspector.run())}
        assert before - after == {*changes["fixed"], *changes["suppressed"], *changes["new_arn"]}
        assert after - before == {*changes["new"], *changes["new_arn"].values()}

    def test_they_can_come_from_a_file(self, inspector: InspectorAccount, tmp_path: Any) -> None:
        found = inspector.control.findings()[:7]
        path = tmp_path / "findings.jsonl"
        path.write_text("\n".join(json.dumps(finding) for finding in found))
        assert inspector.control.load(path)["active"] == 7
        inspector.control.configure(timestamps="epoch")
        assert inspector.findings(inspector.run()) == found

    def test_an_account_that_is_deactivated_is_shown_as_disabled(self, inspector: InspectorAccount) -> None:
        accounts = inspector.control.seed(FINDINGS)["accounts"]
        before = inspector.client.list_coverage_statistics()["totalCounts"]
        inspector.control.evolve(1, switch_off=accounts[1])
        answer = inspector.client.batch_get_account_status(accountIds=[*accounts, "999999999999"])
        states = {each["accountId"]: each["state"]["status"] for each in answer["accounts"]}
        assert states == dict.fromkeys(accounts, "ENABLED") | {accounts[1]: "DISABLED"}
        assert [each["accountId"] for each in answer["failedAccounts"]] == ["999999999999"]
        assert 0 < inspector.client.list_coverage_statistics(groupBy="RESOURCE_TYPE")["totalCounts"] < before


class TestListing:
    def listed(self, inspector: InspectorAccount, **request: Any) -> list[str]:
        pages = inspector.client.get_paginator("list_findings").paginate(**request)
        return [finding["findingArn"] for page in pages for finding in page["findings"]]

    def test_plain_ministack_lists_findings_of_its_own_and_ignores_criteria(
        self, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        with LocalAws(tmp_path_factory.mktemp("plain") / "emulator.log", patches="none") as plain:
            too_many = {"title": equals(*map(str, range(11)))}
            assert plain.client("inspector2").list_findings(filterCriteria=too_many)["findings"] == []

    def test_it_lists_what_a_report_with_the_same_criteria_holds(self, inspector: InspectorAccount) -> None:
        for criteria in (
            {},
            {"severity": equals("HIGH", "CRITICAL")},
            {"findingStatus": equals("CLOSED")},
            {"title": equals("none")},
        ):
            active = {"findingStatus": equals("ACTIVE")} | criteria
            held = [finding["findingArn"] for finding in inspector.control.findings(criteria)]
            assert self.listed(inspector, filterCriteria=active, maxResults=7) == held

    def test_it_lists_findings_of_every_status_unless_one_is_named(self, inspector: InspectorAccount) -> None:
        every = inspector.control.findings({"findingStatus": equals("ACTIVE", "SUPPRESSED", "CLOSED")})
        assert len(self.listed(inspector)) == len(every) > FINDINGS

    def test_it_lists_no_more_than_is_asked_for_and_refuses_what_the_service_refuses(self, inspector: InspectorAccount) -> None:
        one = inspector.client.list_findings(maxResults=1)
        assert (len(one["findings"]), bool(one["nextToken"])) == (1, True)
        wrongs: list[dict[str, Any]] = [{"maxResults": 101}, {"filterCriteria": {"severity": []}}]
        for wrong in wrongs:
            lax, body = inspector.aws.client("inspector2", account=inspector.account), json.dumps(wrong).encode()
            # Past botocore's own check of members, to see the emulator's.
            lax.meta.events.register("before-call", lambda params, body=body, **_: params.update(body=body))
            assert kind(refusal(lax.list_findings)) == (400, "ValidationException", "FIELD_VALIDATION_FAILED")

    def test_findings_are_counted_by_account_page_by_page(self, inspector: InspectorAccount) -> None:
        confined = {"findingType": "PACKAGE_VULNERABILITY", "resourceType": "AWS_EC2_INSTANCE"}
        wanted = inspector.control.findings({name: equals(value) for name, value in confined.items()})
        pages = inspector.client.get_paginator("list_finding_aggregations").paginate(
            aggregationType="ACCOUNT", aggregationRequest={"accountAggregation": confined}, PaginationConfig={"PageSize": 1}
        )
        rows = [each["accountAggregation"] for page in pages for each in page["responses"]]
        by_account = Counter(finding["awsAccountId"] for finding in wanted)
        assert {each["accountId"]: each["severityCounts"]["all"] for each in rows} == by_account
        assert len(rows) > 1
        high = sum(finding["severity"] == "HIGH" for finding in wanted)
        assert sum(each["severityCounts"]["high"] for each in rows) == high

    def test_an_aggregation_that_is_not_emulated_is_refused(self, inspector: InspectorAccount) -> None:
        refused = refusal(lambda: inspector.client.list_finding_aggregations(aggregationType="TITLE"))
        assert kind(refused) == (400, "ValidationException", "FIELD_VALIDATION_FAILED")

    def test_it_can_be_broken_as_any_call_can(self, inspector: InspectorAccount) -> None:
        inspector.control.misbehave("throttle", operation="list")
        client = inspector.aws.client("inspector2", account=inspector.account, region=inspector.region)
        assert client.list_findings(maxResults=1)["findings"]
        asked = [(call["operation"], call["status_code"], call["fault"]) for call in inspector.control.record()["calls"]]
        assert asked == [("list", 429, "throttle"), ("list", 200, "")]


class TestScanning:
    def test_the_asking_account_administers_the_others(self, inspector: InspectorAccount) -> None:
        accounts = [inspector.account, *(f"{number:012}" for number in range(120))]
        inspector.control.seed(FINDINGS, accounts=accounts)
        pages = list(inspector.client.get_paginator("list_members").paginate(onlyAssociated=True))
        assert [len(page["members"]) for page in pages] == [50, 50, 20]
        assert [member["accountId"] for page in pages for member in page["members"]] == accounts[1:]
        alone = strict(inspector.aws.client("inspector2", account=accounts[1], region=inspector.region))
        assert alone.list_members()["members"] == []

    def test_status_is_returned_for_at_most_a_hundred_accounts(self, inspector: InspectorAccount) -> None:
        asked = [f"{number:012}" for number in range(101)]
        # botocore does not check the model's limit by itself: the service does.
        assert kind(refusal(lambda: inspector.client.batch_get_account_status(accountIds=asked)))[:2] == (
            400,
            "ValidationException",
        )
        assert len(inspector.client.batch_get_account_status(accountIds=asked[:100])["failedAccounts"]) == 100

    def test_a_scan_type_can_be_switched_off_and_on_again(self, inspector: InspectorAccount) -> None:
        def states() -> dict[str, str]:
            (account,) = inspector.client.batch_get_account_status(accountIds=[inspector.account])["accounts"]
            return {"all": account["state"]["status"], **{k: each["status"] for k, each in account["resourceState"].items()}}

        inspector.control.switch(inspector.account, "ec2", on=False)
        assert states() == dict.fromkeys(["all", "ecr", "lambda", "lambdaCode"], "ENABLED") | {"ec2": "DISABLED"}
        inspector.control.switch(inspector.account, on=False)
        assert set(states().values()) == {"DISABLED"}
        inspector.control.switch(inspector.account, on=True)
        inspector.control.switch(inspector.account, "ec2", on=True)
        assert set(states().values()) == {"ENABLED"}
        with pytest.raises(LocalAwsError, match="unknown scan types: x"):
            inspector.control.switch(inspector.account, "x", on=True)
        with pytest.raises(LocalAwsError, match="member must be one of"):
            inspector.control.switch("999999999999", on=True)

    def test_coverage_can_be_filtered_and_grouped(self, inspector: InspectorAccount) -> None:
        def counts(group: str, **criteria: Any) -> dict[str, int]:
            pages = inspector.client.get_paginator("list_coverage_statistics").paginate(groupBy=group, filterCriteria=criteria)
            return {each["groupKey"]: each["count"] for page in pages for each in page.get("countsByGroup", [])}

        accounts = inspector.control.seed(FINDINGS)["accounts"]
        unmanaged = {"scanStatusCode": equals("INACTIVE")}
        assert counts("SCAN_STATUS_REASON", **unmanaged) == {"UNMANAGED_EC2_INSTANCE": 3}
        assert counts("ACCOUNT_ID", **unmanaged) == dict.fromkeys(accounts, 1)
        scanned = counts("RESOURCE_TYPE", scanStatusCode=equals("ACTIVE"))
        assert min(scanned.values()) >= 3
        inspector.control.switch(accounts[1], on=False)
        assert accounts[1] not in counts("ACCOUNT_ID")
        inspector.control.switch(accounts[2], "ec2", on=False)
        assert counts("RESOURCE_TYPE", accountId=equals(accounts[2])).keys() >= {"AWS_LAMBDA_FUNCTION"}
        assert "AWS_EC2_INSTANCE" not in counts("RESOURCE_TYPE", accountId=equals(accounts[2]))
        others = counts("ACCOUNT_ID", accountId=[{"comparison": "NOT_EQUALS", "value": inspector.account}])
        assert list(others) == [accounts[2]]
        assert kind(refusal(lambda: counts("ACCOUNT_ID", scanMode=equals("EC2_AGENTLESS"))))[0] == 400

    def test_groups_come_in_pages_of_five(self, inspector: InspectorAccount) -> None:
        inspector.control.seed(FINDINGS, accounts=[f"{number:012}" for number in range(12)])
        pages = list(inspector.client.get_paginator("list_coverage_statistics").paginate(groupBy="ACCOUNT_ID"))
        assert [len(page["countsByGroup"]) for page in pages] == [5, 5, 2]
        assert len({page["totalCounts"] for page in pages}) == 1

    def test_an_unchanged_account_is_scanned_too(self, inspector: InspectorAccount) -> None:
        inspector.control.seed(0)
        assert inspector.control.findings() == []
        criteria = {"scanStatusCode": equals("ACTIVE")}
        assert inspector.client.list_coverage_statistics(filterCriteria=criteria)["totalCounts"] == 9

    def test_each_call_needs_the_caller_s_permission(self, inspector: InspectorAccount) -> None:
        unprivileged = inspector.aws.role_client(
            "inspector2", Sandbox(inspector.aws, inspector.account).role("no-permissions"), account=inspector.account
        )
        for call in (
            unprivileged.list_members,
            unprivileged.batch_get_account_status,
            unprivileged.list_coverage_statistics,
            unprivileged.list_connectors,
            partial(unprivileged.batch_get_finding_details, findingArns=[UNKNOWN_FINDING]),
        ):
            assert kind(refusal(call))[:2] == (403, "AccessDeniedException")


class TestCoverageAsTheAnalysisReadsIt:
    """The analysis' own reading, held against the service model by the client."""

    def test_everything_is_on_and_counted(self, inspector: InspectorAccount) -> None:
        accounts = inspector.control.seed(FINDINGS)["accounts"]
        found = read_coverage(inspector.client, inspector.account, {(account, "ecr") for account in accounts})
        assert {account: each.state for account, each in found.accounts.items()} == dict.fromkeys(accounts, "on")
        assert (found.notes, found.not_scanned) == ((), 3)
        assert found.resource_types is not None
        assert found.resource_types["AWS_EC2_INSTANCE"].why_not == {"UNMANAGED_EC2_INSTANCE": 3}
        assert found.scanned == sum(each.scanned or 0 for each in found.accounts.values())

    def test_what_is_switched_off_is_off(self, inspector: InspectorAccount) -> None:
        accounts = inspector.control.seed(FINDINGS)["accounts"]
        inspector.control.switch(accounts[1], on=False)
        inspector.control.switch(accounts[2], "ecr", on=False)
        found = read_coverage(inspector.client, inspector.account, set())
        assert found.accounts[accounts[1]].state == "off"
        assert found.accounts[accounts[1]].scanned == 0
        assert (found.scanning(accounts[2], "ecr"), found.scanning(accounts[2], "ec2")) == ("off", "on")

    def test_without_permission_it_is_unknown_and_said(self, inspector: InspectorAccount) -> None:
        unprivileged = inspector.aws.role_client(
            "inspector2", Sandbox(inspector.aws, inspector.account).role("no-permissions"), account=inspector.account
        )
        found = read_coverage(unprivileged, inspector.account, [])
        assert found.accounts[inspector.account].state == "unknown"
        assert len(found.notes) == 3
        assert all("not authorized" in note for note in found.notes)


def vulnerability_of(finding: dict[str, Any]) -> str:
    return str(finding["packageVulnerabilityDetails"]["vulnerabilityId"])


class TestFindingDetails:
    """What Inspector knows of a finding's vulnerability, held against the service model by the client."""

    def test_kev_dates_are_those_that_a_test_has_put_and_others_have_none(self, inspector: InspectorAccount) -> None:
        inspector.control.seed(FINDINGS)
        package = [each for each in inspector.control.findings() if "packageVulnerabilityDetails" in each]
        first, other = package[0], next(each for each in package if vulnerability_of(each) != vulnerability_of(package[0]))
        added, due = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 22, tzinfo=UTC)
        assert inspector.control.put_into_kev(vulnerability_of(first), added, due, "Apply updates.") >= 1
        answer = inspector.client.batch_get_finding_details(findingArns=[first["findingArn"], other["findingArn"]])
        assert answer["errors"] == []
        in_kev, not_in_kev = answer["findingDetails"]
        assert in_kev["cisaData"] == {"dateAdded": added, "dateDue": due, "action": "Apply updates."}
        assert "cisaData" not in not_in_kev
        assert in_kev.get("epssScore") == first.get("epss", {}).get("score")
        inspector.control.reset()
        inspector.control.seed(FINDINGS)
        (after,) = inspector.client.batch_get_finding_details(findingArns=[first["findingArn"]])["findingDetails"]
        assert "cisaData" not in after

    def test_an_arn_of_which_nothing_is_known_is_an_error_beside_the_others(self, inspector: InspectorAccount) -> None:
        inspector.control.seed(FINDINGS)
        known = inspector.control.findings()[0]["findingArn"]
        answer = inspector.client.batch_get_finding_details(findingArns=[UNKNOWN_FINDING, known])
        assert [each["findingArn"] for each in answer["findingDetails"]] == [known]
        assert [(each["findingArn"], each["errorCode"]) for each in answer["errors"]] == [
            (UNKNOWN_FINDING, "FINDING_DETAILS_NOT_FOUND")
        ]

    def test_more_than_ten_arns_and_what_is_no_arn_are_refused(self, inspector: InspectorAccount) -> None:
        inspector.control.seed(FINDINGS)
        arns = [each["findingArn"] for each in inspector.control.findings()]
        assert len(inspector.client.batch_get_finding_details(findingArns=arns[:10])["findingDetails"]) == 10
        assert kind(refusal(lambda: inspector.client.batch_get_finding_details(findingArns=arns[:11])))[:2] == (
            400,
            "ValidationException",
        )
        assert kind(refusal(lambda: inspector.client.batch_get_finding_details(findingArns=["x"])))[:2] == (
            400,
            "ValidationException",
        )


class TestMisbehaviour:
    @pytest.mark.parametrize(
        ("fault", "status", "code"),
        [("throttle", 429, "ThrottlingException"), ("server_error", 500, "InternalServerException")],
    )
    def test_calls_fail_without_effect(self, inspector: InspectorAccount, fault: Any, status: int, code: str) -> None:
        client = once(inspector)
        inspector.control.hold()
        inspector.control.misbehave(fault, operation="create")
        answer = refusal(lambda: inspector.create(client=client))
        assert kind(answer)[:2] == (status, code)
        assert answer["retryAfterSeconds"] == 1
        report_id = inspector.create(client=client)
        inspector.control.misbehave(fault, times=None)
        for call in (client.get_findings_report_status, client.cancel_findings_report):
            assert kind(refusal(partial(call, reportId=report_id)))[:2] == (status, code)
        inspector.control.behave()
        assert inspector.status(report_id)["status"] == "IN_PROGRESS"

    def test_an_answer_is_lost_after_its_effect(self, inspector: InspectorAccount) -> None:
        client = once(inspector)
        inspector.control.hold()
        inspector.control.misbehave("lose_answer", operation="create")
        with pytest.raises(ConnectionClosedError):
            inspector.create(client=client)
        report_id = inspector.status()["reportId"]
        inspector.control.misbehave("lose_answer", operation="cancel", answer="500")
        assert kind(refusal(lambda: client.cancel_findings_report(reportId=report_id)))[0] == 500
        assert inspector.status(report_id)["status"] == "CANCELLED"

    def test_a_hanging_call_keeps_no_one_else_waiting(self, inspector: InspectorAccount) -> None:
        inspector.control.misbehave("hang", operation="create", seconds=1.5)
        with ThreadPoolExecutor(1) as pool:
            hanging = pool.submit(inspector.create, client=once(inspector))
            eventually(lambda: inspector.control.record()["reports"])
            assert not hanging.done()
            assert hanging.result()

    @pytest.mark.parametrize("code", ["INTERNAL_ERROR", "INVALID_PERMISSIONS", "BUCKET_NOT_FOUND", "QUOTA_EXCEEDED"])
    def test_reports_fail_with_a_code(self, inspector: InspectorAccount, code: str) -> None:
        inspector.control.misbehave("fail", error_code=code)
        report = inspector.run()
        assert (report["status"], report["errorCode"]) == ("FAILED", code)
        assert inspector.run()["status"] == "SUCCEEDED"

    def test_a_report_cancels_itself(self, inspector: InspectorAccount) -> None:
        inspector.control.misbehave("cancel_itself")
        assert inspector.run()["status"] == "CANCELLED"
        assert inspector.control.record()["reports"][0]["cancelled_by"] == ""

    def test_a_report_can_have_an_unknown_status(self, inspector: InspectorAccount) -> None:
        inspector.control.misbehave("unknown_status", seconds=1.0)
        inspector.control.hold()
        report_id = inspector.create()
        assert inspector.status()["status"] == "QUEUED"
        assert kind(refusal(inspector.create))[0] == 400
        eventually(lambda: inspector.status(report_id)["status"] == "IN_PROGRESS")
        inspector.control.release()
        assert inspector.ended(report_id)["status"] == "SUCCEEDED"

    def test_one_report_is_held_until_it_is_released(self, inspector: InspectorAccount) -> None:
        inspector.control.misbehave("hold")
        report_id = inspector.create()
        eventually(lambda: inspector.control.record()["reports"][0]["findings"])
        assert inspector.status(report_id)["status"] == "IN_PROGRESS"
        inspector.control.release()
        assert inspector.ended(report_id)["status"] == "SUCCEEDED"

    def test_a_report_succeeds_without_an_object(self, inspector: InspectorAccount) -> None:
        inspector.control.misbehave("no_object")
        assert inspector.run()["status"] == "SUCCEEDED"
        assert inspector.objects() == []

    def test_an_object_is_broken(self, inspector: InspectorAccount) -> None:
        inspector.control.misbehave("broken_object", times=2)
        with pytest.raises(ValueError, match="Unterminated string"):
            inspector.findings(inspector.run())
        text = inspector.read(inspector.run("CSV"), "csv").decode()
        assert len(list(csv.reader(io.StringIO(text, newline="")))[-1]) < 55

    def test_an_object_is_in_another_place_or_has_another_key(self, inspector: InspectorAccount) -> None:
        inspector.control.misbehave("other_prefix", prefix="q/")
        report = inspector.run()
        assert inspector.objects() == [f"q/{report['reportId']}.json"]
        other = inspector.make_key(inspector.key_statement())
        inspector.control.misbehave("other_key", kms_key_arn=other)
        report = inspector.run()
        assert inspector.s3.head_object(Bucket=inspector.bucket, Key=f"p/{report['reportId']}.json")["SSEKMSKeyId"] == other

    def test_an_external_report_blocks_others_until_it_is_released(self, inspector: InspectorAccount) -> None:
        report_id = inspector.control.external_report(keyPrefix="theirs/")
        assert inspector.status()["reportId"] == report_id
        assert inspector.status()["destination"]["keyPrefix"] == "theirs/"
        assert kind(refusal(inspector.create))[0] == 400
        with pytest.raises(LocalAwsError, match="a report is in progress"):
            inspector.control.external_report()
        inspector.control.release()
        assert inspector.ended(report_id)["status"] == "SUCCEEDED"

    @pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED", "CANCELLED"])
    def test_an_external_report_ends_on_request(self, inspector: InspectorAccount, status: Any) -> None:
        report_id = inspector.control.external_report()
        inspector.control.end_report(report_id, status)
        assert inspector.status(report_id)["status"] == status

    def test_an_external_report_can_be_cancelled(self, inspector: InspectorAccount) -> None:
        inspector.client.cancel_findings_report(reportId=inspector.control.external_report())
        (report,) = inspector.control.record()["reports"]
        assert (report["status"], report["is_external"], bool(report["cancelled_by"])) == ("CANCELLED", True, True)

    @pytest.mark.parametrize(
        ("action", "body"),
        [
            ("configure", {"base_second": 1}),
            ("configure", {"base_seconds": "1"}),
            ("configure", {"without_report": "maybe"}),
            ("misbehave", {"kind": "explode"}),
            ("misbehave", {}),
            ("seed", {"findings": -1}),
            ("load", {"path": "nowhere.jsonl"}),
            ("findings", {"filter_criteria": {"x": []}}),
            ("end_report", {"report_id": "unknown"}),
        ],
    )
    def test_wrong_control_requests_are_refused(self, inspector: InspectorAccount, action: str, body: dict[str, Any]) -> None:
        with pytest.raises(LocalAwsError):
            inspector.aws.control(f"/_local/inspector/{action}", {"account": inspector.account, **body})


def once(inspector: InspectorAccount) -> Any:
    """Return a client that does not retry."""
    return strict(
        boto3.client(
            "inspector2",
            region_name=inspector.region,
            endpoint_url=inspector.aws.endpoint_url,
            aws_access_key_id=inspector.account,
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )
    )


def test_large_reports_do_not_freeze_the_emulator(inspector: InspectorAccount) -> None:
    inspector.control.seed(20_000, seed=2)
    report_id = inspector.create()
    answers = 0
    while inspector.status(report_id)["status"] == "IN_PROGRESS":
        answers += 1
    head = inspector.s3.head_object(Bucket=inspector.bucket, Key=f"p/{report_id}.json")
    assert head["ContentLength"] > 50_000_000
    # It takes about two seconds, in which a frozen server answers once or twice.
    assert answers >= 8
