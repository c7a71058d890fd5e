"""The embedded Inspector makes findings reports as the service does, and goes wrong when it is told to."""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError
from botocore.session import get_session
from botocore.validate import ParamValidator

from findings_digest.coverage import read_coverage
from tests.local_aws.inspector_control import InspectorControl
from tests.local_aws.sandbox import ANYTHING, Sandbox, eventually, policy
from tests.local_aws.server import LocalAws, LocalAwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_accounts = itertools.count(200_000_000_001)
REGION, ELSEWHERE, OPT_IN = "eu-west-1", "us-east-1", "me-south-1"
FINDINGS = 60
BUCKET_ACTIONS = ["s3:PutObject", "s3:PutObjectAcl", "s3:AbortMultipartUpload"]
KEY_ACTIONS = ["kms:Decrypt", "kms:GenerateDataKey*"]


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    with LocalAws(tmp_path_factory.mktemp("inspector") / "emulator.log") as local_aws:
        yield local_aws


@pytest.fixture
def desk(aws: LocalAws) -> Desk:
    return Desk(aws, str(next(_accounts)))


@dataclass
class Desk:
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
    with LocalAws(tmp_path_factory.mktemp("plain") / "emulator.log", parts="none") as plain:
        client = plain.client("inspector2")
        assert client.get_findings_report_status(reportId="any")["status"] == "SUCCEEDED"
        destination = {"bucketName": "bucket", "kmsKeyArn": "key"}
        answer = refusal(lambda: client.create_findings_report(reportFormat="JSON", s3Destination=destination))
        assert answer["Error"]["Code"] == "InvalidAction"


class TestLife:
    def test_a_report_ends_as_an_encrypted_object_under_its_prefix(self, desk: Desk) -> None:
        report = desk.run()
        assert re.fullmatch(r"[a-f0-9]{8}(-[a-f0-9]{4}){3}-[a-f0-9]{12}", report["reportId"])
        destination = {"bucketName": desk.bucket, "keyPrefix": "p/", "kmsKeyArn": desk.key}
        assert (report["status"], report["destination"]) == ("SUCCEEDED", destination)
        head = desk.s3.head_object(Bucket=desk.bucket, Key=f"p/{report['reportId']}.json")
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", desk.key)
        assert len(desk.findings(report)) == FINDINGS

    def test_a_csv_report_has_a_row_for_each_finding(self, desk: Desk) -> None:
        text = desk.read(desk.run("CSV"), "csv").decode()
        rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
        arns = {finding["findingArn"] for finding in desk.control.findings()}
        assert len(rows[0]) == 55
        assert {row["Finding ARN"] for row in rows} == arns

    def test_the_prefix_is_taken_as_it_is_given(self, desk: Desk) -> None:
        report = desk.run(keyPrefix="without-slash")
        assert desk.objects() == [f"without-slash{report['reportId']}.json"]

    def test_a_versioned_bucket_gets_a_version(self, desk: Desk) -> None:
        desk.s3.put_bucket_versioning(Bucket=desk.bucket, VersioningConfiguration={"Status": "Enabled"})
        report = desk.run()
        assert desk.s3.head_object(Bucket=desk.bucket, Key=f"p/{report['reportId']}.json")["VersionId"] != "null"

    def test_it_takes_the_longer_the_more_findings_match(self, desk: Desk) -> None:
        desk.control.configure(base_seconds=0.3, seconds_per_1000=20.0)
        report_id = desk.create()
        assert desk.status(report_id)["status"] == "IN_PROGRESS"
        desk.ended(report_id)
        desk.run(criteria={"severity": equals("CRITICAL", "LOW")})
        long, short = desk.control.record()["reports"]
        took = [(report["ended_at"] or 0) - report["created_at"] for report in (long, short)]
        assert long["findings"] == FINDINGS
        assert 0 < (short["findings"] or 0) < 20
        assert took[0] >= 0.3 + FINDINGS * 20.0 / 1000
        assert 0.3 <= took[1] < took[0]

    def test_a_second_report_is_refused_while_one_is_in_progress(self, desk: Desk) -> None:
        desk.control.hold()
        first = desk.create()
        answer = refusal(desk.create)
        assert kind(answer) == (400, "ValidationException", "OTHER")
        assert "Cannot have multiple reports in-progress" in answer["message"]
        assert desk.status()["reportId"] == first
        desk.control.release()
        assert desk.ended(first)["status"] == "SUCCEEDED"
        assert desk.run()["status"] == "SUCCEEDED"
        assert desk.control.record()["most_in_progress"] == 1

    def test_accounts_and_regions_have_slots_of_their_own(self, desk: Desk, aws: LocalAws) -> None:
        desk.control.hold()
        desk.create()
        for other in (Desk(aws, str(next(_accounts))), Desk(aws, desk.account, ELSEWHERE)):
            assert other.run()["status"] == "SUCCEEDED"

    def test_unknown_reports_are_not_found(self, desk: Desk) -> None:
        unknown = "00000000-0000-0000-0000-000000000000"
        for call in (desk.client.get_findings_report_status, desk.client.cancel_findings_report):
            assert kind(refusal(partial(call, reportId=unknown))) == (404, "ResourceNotFoundException", "")

    def test_what_is_no_report_id_is_invalid(self, desk: Desk) -> None:
        answer = refusal(lambda: desk.status("report"))
        assert kind(answer) == (400, "ValidationException", "FIELD_VALIDATION_FAILED")
        assert [each["name"] for each in answer["fields"]] == ["reportId"]

    def test_without_a_report_the_status_is_as_configured(self, desk: Desk) -> None:
        assert kind(refusal(desk.status)) == (404, "ResourceNotFoundException", "")
        desk.control.configure(without_report="last")
        assert kind(refusal(desk.status)) == (404, "ResourceNotFoundException", "")
        report = desk.run()
        assert desk.status()["reportId"] == report["reportId"]
        desk.control.configure(without_report="empty")
        assert "reportId" not in desk.status()

    def test_a_cancelled_report_is_over_and_writes_nothing(self, desk: Desk) -> None:
        desk.control.hold()
        report_id = desk.create()
        assert desk.client.cancel_findings_report(reportId=report_id)["reportId"] == report_id
        assert desk.status(report_id)["status"] == "CANCELLED"
        desk.control.release()
        assert kind(refusal(lambda: desk.client.cancel_findings_report(reportId=report_id))) == (
            400,
            "ValidationException",
            "OTHER",
        )
        assert desk.run()["status"] == "SUCCEEDED"
        assert len(desk.objects()) == 1

    def test_a_cancelled_report_can_keep_the_slot_for_a_while(self, desk: Desk) -> None:
        desk.control.configure(cancel_seconds=1.5)
        desk.control.hold()
        report_id = desk.create()
        desk.client.cancel_findings_report(reportId=report_id)
        assert desk.status()["reportId"] == report_id
        assert kind(refusal(desk.create))[0] == 400
        assert desk.ended(report_id)["status"] == "CANCELLED"

    def test_a_reset_forgets_what_was_and_stops_what_runs(self, desk: Desk) -> None:
        desk.control.hold()
        report_id = desk.create()
        desk.control.reset()
        assert kind(refusal(lambda: desk.status(report_id)))[0] == 404
        assert desk.control.record()["reports"] == []
        assert desk.objects() == []


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
    def test_invalid_ones_are_refused_by_field(self, desk: Desk, request_changes: dict[str, Any], field_name: str) -> None:
        lax = desk.aws.client("inspector2", account=desk.account)
        request = {"reportFormat": "JSON", "s3Destination": {"bucketName": "b", "kmsKeyArn": "k"}, **request_changes}
        body = json.dumps(request).encode()
        # Past botocore's own check of members, to see the emulator's.
        lax.meta.events.register("before-call", lambda params, **_: params.update(body=body))
        answer = refusal(lambda: desk.create(client=strict(lax)))
        assert kind(answer) == (400, "ValidationException", "FIELD_VALIDATION_FAILED")
        assert [each["name"] for each in answer["fields"]] == [field_name]
        assert desk.control.record()["reports"] == []

    def test_newer_members_of_the_model_are_known(self, desk: Desk) -> None:
        model: Any = get_session().get_service_model("inspector2")
        newest = model.shape_for("FilterCriteria").members
        unseen = [name for name, shape in newest.items() if name.startswith("cloud") and shape.member.name == "StringFilter"]
        report = desk.run(criteria={name: [{"comparison": "NOT_EQUALS", "value": "x"}] for name in unseen})
        assert report["status"] == "SUCCEEDED"

    def test_the_filter_is_applied_and_told(self, desk: Desk) -> None:
        criteria = {"severity": equals("HIGH"), "firstObservedAt": [{"endInclusive": int(time.time()) - 86_400}]}
        report = desk.run(criteria=criteria)
        found = desk.findings(report)
        assert report["filterCriteria"]["severity"] == criteria["severity"]
        assert 0 < len(found) < FINDINGS
        assert {(finding["severity"], finding["status"]) for finding in found} == {("HIGH", "ACTIVE")}

    def test_other_statuses_are_exported_when_they_are_named(self, desk: Desk) -> None:
        found = desk.findings(desk.run(criteria={"findingStatus": equals("SUPPRESSED", "CLOSED")}))
        assert found
        assert "ACTIVE" not in {finding["status"] for finding in found}

    def test_calls_need_the_caller_s_permission(self, desk: Desk) -> None:
        sandbox = Sandbox(desk.aws, desk.account)
        all_but_create = {"Effect": "Deny", "Action": "inspector2:CreateFindingsReport", "Resource": "*"}
        role = sandbox.role("watcher", ANYTHING, all_but_create)
        client = strict(desk.aws.role_client("inspector2", role, account=desk.account))
        assert kind(refusal(lambda: desk.create(client=client)))[:2] == (403, "AccessDeniedException")
        nobody = desk.aws.role_client("inspector2", sandbox.role("nobody"), account=desk.account)
        assert kind(refusal(nobody.get_findings_report_status))[:2] == (403, "AccessDeniedException")
        some_id = "00000000-0000-0000-0000-000000000000"
        assert kind(refusal(lambda: nobody.cancel_findings_report(reportId=some_id)))[:2] == (403, "AccessDeniedException")
        assert desk.control.record()["calls"] == []

    def test_the_record_names_who_called(self, desk: Desk) -> None:
        role = Sandbox(desk.aws, desk.account).role("exporter", ANYTHING)
        client = strict(desk.aws.role_client("inspector2", role, account=desk.account))
        desk.control.hold()
        report_id = desk.create(client=client)
        client.cancel_findings_report(reportId=report_id)
        record = desk.control.record()
        caller = f"arn:aws:sts::{desk.account}:assumed-role/exporter/test"
        (report,) = record["reports"]
        assert (report["started_by"], report["cancelled_by"], report["status"]) == (caller, caller, "CANCELLED")
        assert report["created_at"] <= (report["ended_at"] or 0)
        calls = [(call["operation"], call["caller"], call["status_code"], call["report_id"]) for call in record["calls"]]
        assert calls == [("create", caller, 200, report_id), ("cancel", caller, 200, report_id)]


class TestDelivery:
    def test_a_bucket_must_exist(self, desk: Desk) -> None:
        assert desk.run(bucketName="nobody-s-bucket")["errorCode"] == "BUCKET_NOT_FOUND"

    def test_a_bucket_must_be_in_the_report_s_region(self, desk: Desk) -> None:
        far = f"far-{desk.account}"
        desk.make_bucket(far, ELSEWHERE).put_bucket_policy(Bucket=far, Policy=policy(desk.bucket_statement(far)))
        assert desk.run(bucketName=far)["errorCode"] == "INCOMPATIBLE_BUCKET_REGION"

    def test_a_bucket_must_have_the_expected_owner(self, desk: Desk) -> None:
        assert desk.run(expectedBucketOwner="999999999999")["errorCode"] == "INVALID_PERMISSIONS"
        assert desk.run(expectedBucketOwner=desk.account)["status"] == "SUCCEEDED"

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
    def test_a_bucket_policy_must_let_inspector_write(self, desk: Desk, changes: dict[str, Any]) -> None:
        desk.s3.put_bucket_policy(Bucket=desk.bucket, Policy=policy(desk.bucket_statement(**changes)))
        report = desk.run()
        assert (report["status"], report["errorCode"]) == ("FAILED", "INVALID_PERMISSIONS")
        assert "s3:" in report["errorMessage"]
        assert desk.objects() == []

    def test_a_bucket_without_a_policy_lets_nobody_write(self, desk: Desk) -> None:
        desk.s3.delete_bucket_policy(Bucket=desk.bucket)
        assert desk.run()["errorCode"] == "INVALID_PERMISSIONS"

    def test_an_explicit_deny_wins(self, desk: Desk) -> None:
        deny = desk.bucket_statement(Effect="Deny", Principal="*", Condition={})
        desk.s3.put_bucket_policy(Bucket=desk.bucket, Policy=policy(desk.bucket_statement(), deny))
        assert desk.run()["errorCode"] == "INVALID_PERMISSIONS"
        spared: dict[str, Any] = {
            "StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"},
            "Bool": {"aws:SecureTransport": "false"},
        }
        for operator, condition in spared.items():
            deny["Condition"] = {operator: condition}
            desk.s3.put_bucket_policy(Bucket=desk.bucket, Policy=policy(desk.bucket_statement(), deny))
            assert desk.run()["status"] == "SUCCEEDED"

    @pytest.mark.parametrize(
        "changes",
        [
            {"Action": "kms:Decrypt"},
            {"Action": "kms:GenerateDataKey*"},
            {"Principal": {"Service": "s3.amazonaws.com"}},
            {"Condition": {"StringEquals": {"aws:SourceAccount": "999999999999"}}},
        ],
    )
    def test_a_key_policy_must_let_inspector_encrypt(self, desk: Desk, changes: dict[str, Any]) -> None:
        report = desk.run(kmsKeyArn=desk.make_key(desk.key_statement(**changes)))
        assert (report["status"], report["errorCode"]) == ("FAILED", "INVALID_PERMISSIONS")
        assert "kms:" in report["errorMessage"]

    def test_a_denying_key_policy_wins(self, desk: Desk) -> None:
        key = desk.make_key(desk.key_statement(), desk.key_statement(Effect="Deny"))
        assert desk.run(kmsKeyArn=key)["errorCode"] == "INVALID_PERMISSIONS"

    def test_a_key_must_be_fit_and_named_by_its_arn(self, desk: Desk) -> None:
        kms = desk.aws.client("kms", account=desk.account)
        disabled, dying = desk.make_key(desk.key_statement()), desk.make_key(desk.key_statement())
        kms.disable_key(KeyId=disabled)
        kms.schedule_key_deletion(KeyId=dying)
        kms.create_alias(AliasName="alias/reports", TargetKeyId=desk.key)
        place = desk.key.rsplit(":", 1)[0]
        unfit = [
            desk.key.rsplit("/", 1)[1],
            f"{place}:alias/reports",
            f"{place}:key/00000000-0000-0000-0000-000000000000",
            desk.make_key(desk.key_statement(), region=ELSEWHERE),
            desk.make_key(desk.key_statement(), KeySpec="RSA_2048"),
            desk.make_key(desk.key_statement(), KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC"),
            disabled,
            dying,
        ]
        assert [desk.run(kmsKeyArn=key)["errorCode"] for key in unfit] == ["MALFORMED_KMS_KEY"] * len(unfit)

    def test_bucket_and_key_may_be_another_account_s(self, desk: Desk) -> None:
        other, bucket = str(next(_accounts)), f"shared-{desk.account}"
        s3 = desk.make_bucket(bucket, REGION, other)
        s3.put_bucket_policy(Bucket=bucket, Policy=policy(desk.bucket_statement(bucket)))
        key = desk.make_key(desk.key_statement(), account=other)
        report = desk.run(bucketName=bucket, kmsKeyArn=key, expectedBucketOwner=other)
        assert report["status"] == "SUCCEEDED"
        assert s3.head_object(Bucket=bucket, Key=f"p/{report['reportId']}.json")["SSEKMSKeyId"] == key

    def test_an_opt_in_region_has_a_service_principal_of_its_own(self, aws: LocalAws) -> None:
        desk = Desk(aws, str(next(_accounts)), OPT_IN)
        assert desk.run()["errorCode"] == "INVALID_PERMISSIONS"
        regional: dict[str, Any] = {"Principal": {"Service": f"inspector2.{OPT_IN}.amazonaws.com"}}
        desk.s3.put_bucket_policy(Bucket=desk.bucket, Policy=policy(desk.bucket_statement(**regional)))
        assert desk.run(kmsKeyArn=desk.make_key(desk.key_statement(**regional)))["status"] == "SUCCEEDED"

    def test_nothing_found_ends_as_configured(self, desk: Desk) -> None:
        nothing = {"severity": equals("NONE")}
        report = desk.run(criteria=nothing)
        assert (report["status"], report["errorCode"]) == ("FAILED", "NO_FINDINGS_FOUND")
        desk.control.configure(when_nothing_found="no_object")
        assert desk.run(criteria=nothing)["status"] == "SUCCEEDED"
        assert desk.objects() == []
        contents = {}
        for how in ("empty_object", "header_only", "malformed"):
            desk.control.configure(when_nothing_found=how)
            contents[how] = desk.read(desk.run(criteria=nothing))
        assert contents == {"empty_object": b"", "header_only": b'{"findings":[]}', "malformed": b'{"findings":[}'}


class TestFindings:
    def test_a_night_shows_in_the_next_report(self, desk: Desk) -> None:
        before = {finding["findingArn"] for finding in desk.findings(desk.run())}
        night = desk.control.evolve(1)
        after = {finding["findingArn"] for finding in desk.findings(desk.run())}
        assert before - after == {*night["fixed"], *night["suppressed"], *night["reissued"]}
        assert after - before == {*night["new"], *night["reissued"].values()}

    def test_they_can_come_from_a_file(self, desk: Desk, tmp_path: Any) -> None:
        found = desk.control.findings()[:7]
        path = tmp_path / "findings.jsonl"
        path.write_text("\n".join(json.dumps(finding) for finding in found))
        assert desk.control.load(path)["active"] == 7
        desk.control.configure(timestamps="epoch")
        assert desk.findings(desk.run()) == found

    def test_an_account_that_is_switched_off_is_told_as_disabled(self, desk: Desk) -> None:
        accounts = desk.control.seed(FINDINGS)["accounts"]
        before = desk.client.list_coverage_statistics()["totalCounts"]
        desk.control.evolve(1, switch_off=accounts[1])
        answer = desk.client.batch_get_account_status(accountIds=[*accounts, "999999999999"])
        states = {each["accountId"]: each["state"]["status"] for each in answer["accounts"]}
        assert states == dict.fromkeys(accounts, "ENABLED") | {accounts[1]: "DISABLED"}
        assert [each["accountId"] for each in answer["failedAccounts"]] == ["999999999999"]
        assert 0 < desk.client.list_coverage_statistics(groupBy="RESOURCE_TYPE")["totalCounts"] < before


class TestListing:
    def listed(self, desk: Desk, **request: Any) -> list[str]:
        pages = desk.client.get_paginator("list_findings").paginate(**request)
        return [finding["findingArn"] for page in pages for finding in page["findings"]]

    def test_plain_ministack_lists_findings_of_its_own_and_judges_no_criteria(
        self, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        with LocalAws(tmp_path_factory.mktemp("plain") / "emulator.log", parts="none") as plain:
            too_many = {"title": equals(*map(str, range(11)))}
            assert plain.client("inspector2").list_findings(filterCriteria=too_many)["findings"] == []

    def test_it_lists_what_a_report_with_the_same_criteria_holds(self, desk: Desk) -> None:
        for criteria in (
            {},
            {"severity": equals("HIGH", "CRITICAL")},
            {"findingStatus": equals("CLOSED")},
            {"title": equals("none")},
        ):
            active = {"findingStatus": equals("ACTIVE")} | criteria
            held = [finding["findingArn"] for finding in desk.control.findings(criteria)]
            assert self.listed(desk, filterCriteria=active, maxResults=7) == held

    def test_it_lists_findings_of_every_status_unless_one_is_named(self, desk: Desk) -> None:
        every = desk.control.findings({"findingStatus": equals("ACTIVE", "SUPPRESSED", "CLOSED")})
        assert len(self.listed(desk)) == len(every) > FINDINGS

    def test_it_lists_no_more_than_is_asked_for_and_refuses_what_the_service_refuses(self, desk: Desk) -> None:
        one = desk.client.list_findings(maxResults=1)
        assert (len(one["findings"]), bool(one["nextToken"])) == (1, True)
        wrongs: list[dict[str, Any]] = [{"maxResults": 101}, {"filterCriteria": {"severity": []}}]
        for wrong in wrongs:
            lax, body = desk.aws.client("inspector2", account=desk.account), json.dumps(wrong).encode()
            # Past botocore's own check of members, to see the emulator's.
            lax.meta.events.register("before-call", lambda params, body=body, **_: params.update(body=body))
            assert kind(refusal(lax.list_findings)) == (400, "ValidationException", "FIELD_VALIDATION_FAILED")

    def test_it_can_be_broken_as_any_call_can(self, desk: Desk) -> None:
        desk.control.misbehave("throttle", operation="list")
        client = desk.aws.client("inspector2", account=desk.account, region=desk.region)
        assert client.list_findings(maxResults=1)["findings"]
        asked = [(call["operation"], call["status_code"], call["fault"]) for call in desk.control.record()["calls"]]
        assert asked == [("list", 429, "throttle"), ("list", 200, "")]


class TestScanning:
    def test_the_asking_account_administers_the_others(self, desk: Desk) -> None:
        accounts = [desk.account, *(f"{number:012}" for number in range(120))]
        desk.control.seed(FINDINGS, accounts=accounts)
        pages = list(desk.client.get_paginator("list_members").paginate(onlyAssociated=True))
        assert [len(page["members"]) for page in pages] == [50, 50, 20]
        assert [member["accountId"] for page in pages for member in page["members"]] == accounts[1:]
        alone = strict(desk.aws.client("inspector2", account=accounts[1], region=desk.region))
        assert alone.list_members()["members"] == []

    def test_status_is_told_of_at_most_a_hundred_accounts(self, desk: Desk) -> None:
        asked = [f"{number:012}" for number in range(101)]
        # botocore does not check the model's limit by itself: the service does.
        assert kind(refusal(lambda: desk.client.batch_get_account_status(accountIds=asked)))[:2] == (400, "ValidationException")
        assert len(desk.client.batch_get_account_status(accountIds=asked[:100])["failedAccounts"]) == 100

    def test_a_scan_type_can_be_switched_off_and_on_again(self, desk: Desk) -> None:
        def states() -> dict[str, str]:
            (account,) = desk.client.batch_get_account_status(accountIds=[desk.account])["accounts"]
            return {"all": account["state"]["status"], **{k: each["status"] for k, each in account["resourceState"].items()}}

        desk.control.switch(desk.account, "ec2", on=False)
        assert states() == dict.fromkeys(["all", "ecr", "lambda", "lambdaCode"], "ENABLED") | {"ec2": "DISABLED"}
        desk.control.switch(desk.account, on=False)
        assert set(states().values()) == {"DISABLED"}
        desk.control.switch(desk.account, on=True)
        desk.control.switch(desk.account, "ec2", on=True)
        assert set(states().values()) == {"ENABLED"}
        with pytest.raises(LocalAwsError, match="unknown scan types: x"):
            desk.control.switch(desk.account, "x", on=True)
        with pytest.raises(LocalAwsError, match="member must be one of"):
            desk.control.switch("999999999999", on=True)

    def test_coverage_can_be_filtered_and_grouped(self, desk: Desk) -> None:
        def counts(group: str, **criteria: Any) -> dict[str, int]:
            pages = desk.client.get_paginator("list_coverage_statistics").paginate(groupBy=group, filterCriteria=criteria)
            return {each["groupKey"]: each["count"] for page in pages for each in page.get("countsByGroup", [])}

        accounts = desk.control.seed(FINDINGS)["accounts"]
        unmanaged = {"scanStatusCode": equals("INACTIVE")}
        assert counts("SCAN_STATUS_REASON", **unmanaged) == {"UNMANAGED_EC2_INSTANCE": 3}
        assert counts("ACCOUNT_ID", **unmanaged) == dict.fromkeys(accounts, 1)
        scanned = counts("RESOURCE_TYPE", scanStatusCode=equals("ACTIVE"))
        assert min(scanned.values()) >= 3
        desk.control.switch(accounts[1], on=False)
        assert accounts[1] not in counts("ACCOUNT_ID")
        desk.control.switch(accounts[2], "ec2", on=False)
        assert counts("RESOURCE_TYPE", accountId=equals(accounts[2])).keys() >= {"AWS_LAMBDA_FUNCTION"}
        assert "AWS_EC2_INSTANCE" not in counts("RESOURCE_TYPE", accountId=equals(accounts[2]))
        others = counts("ACCOUNT_ID", accountId=[{"comparison": "NOT_EQUALS", "value": desk.account}])
        assert list(others) == [accounts[2]]
        assert kind(refusal(lambda: counts("ACCOUNT_ID", scanMode=equals("EC2_AGENTLESS"))))[0] == 400

    def test_groups_come_in_pages_of_five(self, desk: Desk) -> None:
        desk.control.seed(FINDINGS, accounts=[f"{number:012}" for number in range(12)])
        pages = list(desk.client.get_paginator("list_coverage_statistics").paginate(groupBy="ACCOUNT_ID"))
        assert [len(page["countsByGroup"]) for page in pages] == [5, 5, 2]
        assert len({page["totalCounts"] for page in pages}) == 1

    def test_a_quiet_account_is_scanned_too(self, desk: Desk) -> None:
        desk.control.seed(0)
        assert desk.control.findings() == []
        criteria = {"scanStatusCode": equals("ACTIVE")}
        assert desk.client.list_coverage_statistics(filterCriteria=criteria)["totalCounts"] == 9

    def test_each_call_needs_the_caller_s_permission(self, desk: Desk) -> None:
        nobody = desk.aws.role_client("inspector2", Sandbox(desk.aws, desk.account).role("nobody"), account=desk.account)
        for call in (
            nobody.list_members,
            nobody.batch_get_account_status,
            nobody.list_coverage_statistics,
            nobody.list_connectors,
        ):
            assert kind(refusal(call))[:2] == (403, "AccessDeniedException")


class TestCoverageAsTheDigestReadsIt:
    """The digest's own reading, held against the service model by the client."""

    def test_everything_is_on_and_counted(self, desk: Desk) -> None:
        accounts = desk.control.seed(FINDINGS)["accounts"]
        found = read_coverage(desk.client, desk.account, {(account, "ecr") for account in accounts})
        assert {account: each.state for account, each in found.accounts.items()} == dict.fromkeys(accounts, "on")
        assert (found.notes, found.not_scanned) == ((), 3)
        assert found.resource_types is not None
        assert found.resource_types["AWS_EC2_INSTANCE"].why_not == {"UNMANAGED_EC2_INSTANCE": 3}
        assert found.scanned == sum(each.scanned or 0 for each in found.accounts.values())

    def test_what_is_switched_off_is_off(self, desk: Desk) -> None:
        accounts = desk.control.seed(FINDINGS)["accounts"]
        desk.control.switch(accounts[1], on=False)
        desk.control.switch(accounts[2], "ecr", on=False)
        found = read_coverage(desk.client, desk.account, set())
        assert found.accounts[accounts[1]].state == "off"
        assert found.accounts[accounts[1]].scanned == 0
        assert (found.scanning(accounts[2], "ecr"), found.scanning(accounts[2], "ec2")) == ("off", "on")

    def test_without_permission_it_is_unknown_and_said(self, desk: Desk) -> None:
        nobody = desk.aws.role_client("inspector2", Sandbox(desk.aws, desk.account).role("nobody"), account=desk.account)
        found = read_coverage(nobody, desk.account, [])
        assert found.accounts[desk.account].state == "unknown"
        assert len(found.notes) == 3
        assert all("not authorized" in note for note in found.notes)


class TestMisbehaviour:
    @pytest.mark.parametrize(
        ("fault", "status", "code"),
        [("throttle", 429, "ThrottlingException"), ("server_error", 500, "InternalServerException")],
    )
    def test_calls_fail_without_effect(self, desk: Desk, fault: Any, status: int, code: str) -> None:
        client = once(desk)
        desk.control.hold()
        desk.control.misbehave(fault, operation="create")
        answer = refusal(lambda: desk.create(client=client))
        assert kind(answer)[:2] == (status, code)
        assert answer["retryAfterSeconds"] == 1
        report_id = desk.create(client=client)
        desk.control.misbehave(fault, times=None)
        for call in (client.get_findings_report_status, client.cancel_findings_report):
            assert kind(refusal(partial(call, reportId=report_id)))[:2] == (status, code)
        desk.control.behave()
        assert desk.status(report_id)["status"] == "IN_PROGRESS"

    def test_an_answer_is_lost_after_its_effect(self, desk: Desk) -> None:
        client = once(desk)
        desk.control.hold()
        desk.control.misbehave("lose_answer", operation="create")
        with pytest.raises(ConnectionClosedError):
            desk.create(client=client)
        report_id = desk.status()["reportId"]
        desk.control.misbehave("lose_answer", operation="cancel", answer="500")
        assert kind(refusal(lambda: client.cancel_findings_report(reportId=report_id)))[0] == 500
        assert desk.status(report_id)["status"] == "CANCELLED"

    def test_a_hanging_call_keeps_nobody_else_waiting(self, desk: Desk) -> None:
        desk.control.misbehave("hang", operation="create", seconds=1.5)
        with ThreadPoolExecutor(1) as pool:
            hanging = pool.submit(desk.create, client=once(desk))
            eventually(lambda: desk.control.record()["reports"])
            assert not hanging.done()
            assert hanging.result()

    @pytest.mark.parametrize("code", ["INTERNAL_ERROR", "INVALID_PERMISSIONS", "BUCKET_NOT_FOUND", "QUOTA_EXCEEDED"])
    def test_reports_fail_with_a_code(self, desk: Desk, code: str) -> None:
        desk.control.misbehave("fail", error_code=code)
        report = desk.run()
        assert (report["status"], report["errorCode"]) == ("FAILED", code)
        assert desk.run()["status"] == "SUCCEEDED"

    def test_a_report_cancels_itself(self, desk: Desk) -> None:
        desk.control.misbehave("cancel_itself")
        assert desk.run()["status"] == "CANCELLED"
        assert desk.control.record()["reports"][0]["cancelled_by"] == ""

    def test_a_report_has_a_status_that_nobody_knows(self, desk: Desk) -> None:
        desk.control.misbehave("unknown_status", seconds=1.0)
        desk.control.hold()
        report_id = desk.create()
        assert desk.status()["status"] == "QUEUED"
        assert kind(refusal(desk.create))[0] == 400
        eventually(lambda: desk.status(report_id)["status"] == "IN_PROGRESS")
        desk.control.release()
        assert desk.ended(report_id)["status"] == "SUCCEEDED"

    def test_one_report_is_held_until_it_is_released(self, desk: Desk) -> None:
        desk.control.misbehave("hold")
        report_id = desk.create()
        eventually(lambda: desk.control.record()["reports"][0]["findings"])
        assert desk.status(report_id)["status"] == "IN_PROGRESS"
        desk.control.release()
        assert desk.ended(report_id)["status"] == "SUCCEEDED"

    def test_a_report_succeeds_without_an_object(self, desk: Desk) -> None:
        desk.control.misbehave("no_object")
        assert desk.run()["status"] == "SUCCEEDED"
        assert desk.objects() == []

    def test_an_object_is_broken(self, desk: Desk) -> None:
        desk.control.misbehave("broken_object", times=2)
        with pytest.raises(ValueError, match="Unterminated string"):
            desk.findings(desk.run())
        text = desk.read(desk.run("CSV"), "csv").decode()
        assert len(list(csv.reader(io.StringIO(text, newline="")))[-1]) < 55

    def test_an_object_is_in_another_place_or_has_another_key(self, desk: Desk) -> None:
        desk.control.misbehave("other_prefix", prefix="q/")
        report = desk.run()
        assert desk.objects() == [f"q/{report['reportId']}.json"]
        other = desk.make_key(desk.key_statement())
        desk.control.misbehave("other_key", kms_key_arn=other)
        report = desk.run()
        assert desk.s3.head_object(Bucket=desk.bucket, Key=f"p/{report['reportId']}.json")["SSEKMSKeyId"] == other

    def test_a_foreign_report_has_the_slot_until_it_is_released(self, desk: Desk) -> None:
        report_id = desk.control.foreign_report(keyPrefix="theirs/")
        assert desk.status()["reportId"] == report_id
        assert desk.status()["destination"]["keyPrefix"] == "theirs/"
        assert kind(refusal(desk.create))[0] == 400
        with pytest.raises(LocalAwsError, match="a report is in progress"):
            desk.control.foreign_report()
        desk.control.release()
        assert desk.ended(report_id)["status"] == "SUCCEEDED"

    @pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED", "CANCELLED"])
    def test_a_foreign_report_ends_when_told(self, desk: Desk, status: Any) -> None:
        report_id = desk.control.foreign_report()
        desk.control.end_report(report_id, status)
        assert desk.status(report_id)["status"] == status

    def test_a_foreign_report_can_be_cancelled(self, desk: Desk) -> None:
        desk.client.cancel_findings_report(reportId=desk.control.foreign_report())
        (report,) = desk.control.record()["reports"]
        assert (report["status"], report["is_foreign"], bool(report["cancelled_by"])) == ("CANCELLED", True, True)

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
    def test_wrong_control_requests_are_refused(self, desk: Desk, action: str, body: dict[str, Any]) -> None:
        with pytest.raises(LocalAwsError):
            desk.aws.control(f"/_local/inspector/{action}", {"account": desk.account, **body})


def once(desk: Desk) -> Any:
    """Return a client that does not retry."""
    return strict(
        boto3.client(
            "inspector2",
            region_name=desk.region,
            endpoint_url=desk.aws.endpoint_url,
            aws_access_key_id=desk.account,
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )
    )


def test_large_reports_do_not_freeze_the_emulator(desk: Desk) -> None:
    desk.control.seed(20_000, seed=2)
    report_id = desk.create()
    answers = 0
    while desk.status(report_id)["status"] == "IN_PROGRESS":
        answers += 1
    head = desk.s3.head_object(Bucket=desk.bucket, Key=f"p/{report_id}.json")
    assert head["ContentLength"] > 50_000_000
    # It takes about two seconds, in which a frozen server answers once or twice.
    assert answers >= 8
