"""Rules of security on the template as it is deployed, and that make lint and make audit find what they are there for."""

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import yaml

from tests.builders.cloudformation import read_template
from tests.builders.rendered import ACCOUNT, VARIANTS, Policy, Rendered
from tests.contract.parts import RESOURCES, TEMPLATE_TEXT, listed, of_type

REGION = "eu-west-1"
OWN = Rendered()
EVERY_VARIANT = pytest.mark.parametrize("variant", VARIANTS)
REFERENCE = "https://docs.aws.amazon.com/service-authorization/latest/reference/"
SNS_GUIDE = "https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html"
FAMILIES = {
    ("CheckSetupFunctionRole", "kms:GenerateDataKey*"): SNS_GUIDE,
    ("NotifyFunctionRole", "kms:GenerateDataKey*"): SNS_GUIDE,
    ("NotifyOwnersFunctionRole", "kms:GenerateDataKey*"): SNS_GUIDE,
    ("CleanUpFunctionRole", "kms:GenerateDataKey*"): SNS_GUIDE,
    ("SummarizeFunctionRole", "kms:GenerateDataKey*"): SNS_GUIDE,
}
"""Wildcards in actions of roles, with the guide that names them: one action with and without its plain text."""
INSPECTOR, LOGS, SCHEDULER, TRACES = (
    f"{REFERENCE}list_{page}.html"
    for page in ("amazoninspector2", "amazoncloudwatchlogs", "amazoneventbridgescheduler", "awsx-ray")
)
KNOW_NO_RESOURCE = {
    "inspector2:BatchGetAccountStatus": INSPECTOR,
    "inspector2:BatchGetFindingDetails": INSPECTOR,
    "inspector2:CancelFindingsReport": INSPECTOR,
    "inspector2:CreateFindingsReport": INSPECTOR,
    "inspector2:GetFindingsReportStatus": INSPECTOR,
    "inspector2:ListConnectors": INSPECTOR,
    "inspector2:ListCoverageStatistics": INSPECTOR,
    "inspector2:ListFindingAggregations": INSPECTOR,
    "inspector2:ListFindings": INSPECTOR,
    "inspector2:ListMembers": INSPECTOR,
    "logs:CreateLogDelivery": LOGS,
    "logs:DeleteLogDelivery": LOGS,
    "logs:DescribeLogGroups": LOGS,
    "logs:DescribeResourcePolicies": LOGS,
    "logs:GetLogDelivery": LOGS,
    "logs:ListLogDeliveries": LOGS,
    "logs:PutResourcePolicy": LOGS,
    "logs:UpdateLogDelivery": LOGS,
    "scheduler:ListSchedules": SCHEDULER,
    "xray:GetSamplingRules": TRACES,
    "xray:GetSamplingTargets": TRACES,
    "xray:PutTelemetryRecords": TRACES,
    "xray:PutTraceSegments": TRACES,
}
"""Actions for which the service authorization reference, named here, has no resource type; make lint knows it, too."""
PARTS_OF_RESOURCES = {
    f"arn:aws:states:{REGION}:{ACCOUNT}:execution:findings-ExportFindings:*",
    f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/*",
    "arn:aws:s3:::findings-Bucket/inspector/reports/*",
    "arn:aws:s3:::findings-Bucket/inspector/analyses/*",
    "arn:aws:s3:::findings-Bucket/inspector/analyses/*/owners.json",
    "arn:aws:s3:::findings-Bucket/inspector/analyses/*/parts/*",
    "arn:aws:s3:::findings-Bucket/inspector/due/*",
    "arn:aws:s3:::findings-Bucket/inspector/findings/*",
}
"""Resources with a wildcard, beside log streams: this machine's executions, reports and analyses, and schedules (CloudFormation names
the stack's own, and a reference to it would be circular)."""
WITHOUT_A_SOURCE = {
    "lambda.amazonaws.com": "a function's role is of the function's account: whoever creates the function must be allowed to pass it",
}
"""Services that need no condition on their source, and why none of another account can use them here."""


def statements(kind: str, rendered: Rendered = OWN) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every statement of a kind of policy, with where it stands."""
    for policy in rendered.policies():
        if policy.kind == kind:
            for statement in policy.document["Statement"]:
                yield policy.where, statement


class TestRoles:
    @EVERY_VARIANT
    def test_no_action_is_a_wildcard_but_the_named_families(self, variant: str) -> None:
        wild = {
            (role, action)
            for role, statement in statements("identity", Rendered(VARIANTS[variant]))
            for action in listed(statement["Action"])
            if "*" in action
        }
        roles = Rendered(VARIANTS[variant]).of_type("AWS::IAM::Role")
        assert wild == {(role, action) for role, action in FAMILIES if role in roles}

    def test_every_resource_is_named_where_the_service_knows_one(self) -> None:
        everywhere = {
            action
            for _, statement in statements("identity")
            if "*" in listed(statement["Resource"])
            for action in listed(statement["Action"])
        }
        assert everywhere == set(KNOW_NO_RESOURCE)

    def test_parts_of_resources_are_named_as_far_as_they_are_known(self) -> None:
        partly = {
            resource
            for _, statement in statements("identity")
            for resource in listed(statement["Resource"])
            if "*" in resource and resource != "*" and ":log-group:" not in resource
        }
        assert partly == PARTS_OF_RESOURCES

    def test_only_merged_parts_and_parquet_files_are_deleted_and_only_by_the_step_that_merges(self) -> None:
        deleting = [
            (role, each["Resource"]) for role, each in statements("identity") if "s3:DeleteObject" in listed(each["Action"])
        ]
        bucket = "arn:aws:s3:::findings-Bucket/inspector"
        assert deleting == [("AnalyzeReportFunctionRole", [f"{bucket}/analyses/*/parts/*", f"{bucket}/findings/*"])]

    def test_a_part_is_written_among_the_parts_only(self) -> None:
        writing = [
            each["Resource"]
            for role, each in statements("identity")
            if role == "AnalyzePartFunctionRole" and "s3:PutObject" in listed(each["Action"])
        ]
        assert writing == ["arn:aws:s3:::findings-Bucket/inspector/analyses/*/parts/*"]

    def test_listing_the_bucket_is_confined_to_the_reports_and_the_configuration(self) -> None:
        listings = {
            (role.removesuffix("FunctionRole"), each["Condition"]["StringLike"]["s3:prefix"])
            for role, each in statements("identity")
            if "s3:ListBucket" in listed(each["Action"])
        }
        assert listings == {
            *((role, "inspector/reports/*") for role in ("StartReport", "VerifyReport")),
            *((role, "inspector/config/*") for role in ("AnalyzePart", "AnalyzeReport", "CheckSetup")),
        }

    def test_no_role_writes_what_people_configure(self) -> None:
        writing = [
            resource
            for _, each in statements("identity")
            if any(action in {"s3:PutObject", "s3:DeleteObject"} for action in listed(each["Action"]))
            for resource in listed(each["Resource"])
        ]
        assert writing
        assert [each for each in writing if fnmatchcase("arn:aws:s3:::findings-Bucket/inspector/config/owners.json", each)] == []

    @pytest.mark.parametrize("role", ["NotifyOwnersFunctionRole", "CleanUpFunctionRole"])
    def test_owners_are_notified_on_their_own_topic_only_where_they_are_notified_at_all(self, role: str) -> None:
        def published(rendered: Rendered) -> set[str]:
            allowing = [each for where, each in statements("identity", rendered) if where == role]
            return {arn for each in allowing if "sns:Publish" in listed(each["Action"]) for arn in listed(each["Resource"])}

        run = {OWN.arn("Topic")} if role == "CleanUpFunctionRole" else set()
        assert published(Rendered(VARIANTS["owners"])) == run | {OWN.arn("OwnerTopic")}
        assert published(OWN) == run

    @pytest.mark.parametrize("role", ["NotifyOwnersFunctionRole", "CleanUpFunctionRole"])
    def test_what_notifies_owners_reads_their_messages_and_nothing_else_of_an_analysis(self, role: str) -> None:
        reading = [
            resource
            for where, each in statements("identity")
            if where == role and "s3:GetObject" in listed(each["Action"])
            for resource in listed(each["Resource"])
        ]
        assert reading == ["arn:aws:s3:::findings-Bucket/inspector/analyses/*/owners.json"]


class TestResources:
    @EVERY_VARIANT
    def test_a_service_has_access_for_a_source_of_this_account_only(self, variant: str) -> None:
        rendered = Rendered(VARIANTS[variant])
        seen = 0
        for kind in ("resource", "trust"):
            for where, statement in statements(kind, rendered):
                principal = statement["Principal"]
                service = principal.get("Service") if isinstance(principal, dict) else None
                if statement["Effect"] == "Allow" and service and service not in WITHOUT_A_SOURCE:
                    assert ACCOUNT in json.dumps(statement.get("Condition", {})), where
                    seen += 1
        assert seen >= 5

    @pytest.mark.parametrize(
        ("where", "action"),
        [
            ("BucketPolicy", "s3:*"),
            ("DeadLetterQueuePolicy", "sqs:*"),
            ("Table", "dynamodb:*"),
            ("TopicPolicy", "sns:Publish"),
            ("AlarmTopicPolicy", "sns:Publish"),
            ("OwnerTopicPolicy", "sns:Publish"),
        ],
    )
    def test_nothing_that_holds_data_is_reached_without_tls(self, where: str, action: str) -> None:
        stack = Rendered(VARIANTS["owners"])
        denied = [each for place, each in statements("resource", stack) if place == where and each["Effect"] == "Deny"]
        (statement,) = denied
        assert (statement["Principal"], statement["Action"]) == ("*", action)
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}

    def test_everything_that_holds_data_is_encrypted(self) -> None:
        key = OWN.arn("Key")
        (bucket,), (table,), (queue,) = (
            OWN.of_type(f"AWS::{kind}").values() for kind in ("S3::Bucket", "DynamoDB::Table", "SQS::Queue")
        )
        topics = Rendered(VARIANTS["owners"]).of_type("AWS::SNS::Topic")
        (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
        assert table["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": key}
        assert {name: topic["KmsMasterKeyId"] for name, topic in topics.items()} == dict.fromkeys(
            ("Topic", "AlarmTopic", "OwnerTopic"), key
        )
        assert queue["SqsManagedSseEnabled"] is True
        assert all(bucket["PublicAccessBlockConfiguration"].values())

    def test_nothing_invokes_a_function_but_its_caller(self) -> None:
        for permission in OWN.of_type("AWS::Lambda::Permission").values():
            assert permission["Principal"] == "events.amazonaws.com"
            assert permission["SourceArn"] == OWN.arn("CleanUpFunctionExecutionEnded")

    def test_what_could_not_be_started_is_tried_again_for_an_hour(self) -> None:
        targets = {name: each["Target"] for name, each in OWN.of_type("AWS::Scheduler::Schedule").items()}
        targets |= {name: each["Targets"][0] for name, each in OWN.of_type("AWS::Events::Rule").items()}
        retries = {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 20}
        assert {name: target["RetryPolicy"] for name, target in targets.items()} == {
            "ExportFindingsNightly": retries,
            "CleanUpFunctionHourlyCleanup": retries,
            "CleanUpFunctionExecutionEnded": retries,
        }

    def test_what_is_invoked_asynchronously_has_a_dead_letter_queue(self) -> None:
        targets = [each for rule in OWN.of_type("AWS::Events::Rule").values() for each in rule["Targets"]] + [
            schedule["Target"] for schedule in OWN.of_type("AWS::Scheduler::Schedule").values()
        ]
        functions = OWN.of_type("AWS::Lambda::Function")
        asynchronous = {name for name in functions if OWN.arn(name) in {target["Arn"] for target in targets}}
        assert asynchronous == {name for name, function in functions.items() if "DeadLetterConfig" in function}
        assert all("DeadLetterConfig" in target for target in targets)


class TestLogs:
    def test_the_workflows_log_holds_no_input_and_no_output(self) -> None:
        (machine,) = OWN.of_type("AWS::StepFunctions::StateMachine").values()
        logging = machine["LoggingConfiguration"]
        assert (logging["IncludeExecutionData"], logging["Level"]) == (False, "ERROR")

    def test_functions_log_at_info(self) -> None:
        for function in OWN.of_type("AWS::Lambda::Function").values():
            assert function["LoggingConfig"]["ApplicationLogLevel"] == "INFO"
            assert function["Environment"]["Variables"]["POWERTOOLS_LOG_LEVEL"] == "INFO"


def linted(template: Mapping[str, Any]) -> tuple[int, str]:
    """What make lint says of a template's policies."""
    policies = [{"where": each.where, "kind": each.kind, "document": each.document} for each in every_policy(template)]
    command = [".venv-security/bin/python", "-W", "ignore", ".ci/check_policies.py"]
    result = subprocess.run(command, input=json.dumps(policies), capture_output=True, text=True, check=False)
    return result.returncode, result.stdout


def every_policy(template: Mapping[str, Any]) -> list[Policy]:
    return [policy for place in VARIANTS.values() for policy in Rendered(place, json.loads(json.dumps(template))).policies()]


def statement_of(template: Mapping[str, Any], role: str, sid: str) -> dict[str, Any]:
    (policy,) = template["Resources"][role]["Properties"]["Policies"]
    found: dict[str, Any] = next(each for each in policy["PolicyDocument"]["Statement"] if each["Sid"] == sid)
    return found


class TestLint:
    def test_an_action_that_no_service_knows_is_found(self) -> None:
        template = read_template(Path("template.yaml"))
        statement_of(template, "CheckReportFunctionRole", "ReadTheReport")["Action"] = "inspector2:GetFindingReportStatus"
        code, result = linted(template)
        assert code == 1
        assert "CheckReportFunctionRole" in result
        assert "UNKNOWN_ACTION" in result
        assert "GetFindingReportStatus" in result

    def test_an_action_that_only_parliament_does_not_know_is_one_of_the_service(self) -> None:
        text = Path(".ci/check_policies.py").read_text(encoding="utf-8")
        newer = re.findall(r'"UNKNOWN_ACTION", "\w+", "([\w-]+):(\w+)"', text)
        assert newer
        for service, operation in newer:
            assert operation in botocore.session.Session().get_service_model(service).operation_names

    def test_a_needless_wildcard_and_an_unneeded_exception_are_found(self) -> None:
        template = read_template(Path("template.yaml"))
        statement_of(template, "PlanExportFunctionRole", "KeepRecords")["Resource"] = "*"
        del template["Resources"]["AcquireLockFunctionRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"][-1]
        code, result = linted(template)
        assert code == 1
        assert "PlanExportFunctionRole" in result
        assert "RESOURCE_STAR" in result
        assert "no policy needs this exception any more: RESOURCE_MISMATCH AcquireLockFunctionRole" in result

    def test_a_public_bucket_is_found(self, tmp_path: Path) -> None:
        public = tmp_path / "template.yaml"
        public.write_text(TEMPLATE_TEXT.replace("BlockPublicPolicy: true", "BlockPublicPolicy: false"), encoding="utf-8")
        checkov, rules = Path(".venv-security/bin/checkov").resolve(), Path(".checkov.yaml").resolve()
        environment = {**os.environ, "CKV_SKIP_PACKAGE_UPDATE_CHECK": "true"}
        command = [str(checkov), f"--config-file={rules}", f"--file={public}"]
        result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert result.returncode == 1
        assert "CKV_AWS_54" in result.stdout
        assert "AWS::S3::Bucket.Bucket" in result.stdout


ANSWERS = {
    "clean": '{"dependencies": [{"name": "boto3", "version": "1", "vulns": []}]}',
    "vulnerable": '{"dependencies": [{"name": "boto3", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2"]}]}]}',
    "skipped": '{"dependencies": [{"name": "boto3", "version": "1", "vulns": []}, {"name": "x", "skip_reason": "not found"}]}',
    "offline": "",
}


REQUIREMENTS = sorted(str(path) for path in Path("layers").glob("*/requirements.txt"))


class TestAudit:
    def test_it_asks_about_every_layer_that_is_deployed(self) -> None:
        layers = {f"{layer['ContentUri']}/requirements.txt" for layer in of_type("AWS::Serverless::LayerVersion").values()}
        assert layers == set(REQUIREMENTS)
        # No function brings requirements of its own.
        assert list(Path("functions").rglob("requirements.txt")) == []
        recipe = subprocess.run(["make", "-n", "audit"], capture_output=True, text=True, check=True).stdout
        assert f".ci/audit.py {' '.join(REQUIREMENTS)}" in recipe

    @pytest.mark.parametrize(
        ("answer", "options", "code", "expected"),
        [
            ("clean", [], 0, "1 packages asked about, 0 with known vulnerabilities"),
            ("vulnerable", [], 1, "boto3 1: PYSEC-1, fixed in 2"),
            ("vulnerable", ["--unasked-is-fine"], 1, "1 with known vulnerabilities"),
            ("skipped", [], 2, "could not be asked about: x "),
            ("skipped", ["--unasked-is-fine"], 0, "could not be asked about: x "),
            ("offline", [], 2, "could not be asked about: any package (no route to host)"),
            ("offline", ["--unasked-is-fine"], 0, "could not be asked about: any package (no route to host)"),
        ],
    )
    def test_an_audit_says_what_is_known_and_what_could_not_be_asked(
        self, answer: str, options: list[str], code: int, expected: str, tmp_path: Path
    ) -> None:
        program = f"import sys\nassert sys.argv[-2:] == {[f'--requirement={each}' for each in REQUIREMENTS]!r}\nprint({ANSWERS[answer]!r})\nsys.exit('no route to host' if {answer == 'offline'} else 0)\n"
        (tmp_path / "pip_audit.py").write_text(program, encoding="utf-8")
        audit = subprocess.run(
            [".venv/bin/python", ".ci/audit.py", *REQUIREMENTS, *options],
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (audit.returncode, audit.stderr) == (code, "")
        assert expected in audit.stdout


class TestDocument:
    DOCUMENT = Path("docs/security.md").read_text(encoding="utf-8")

    def test_the_tests_that_it_names_exist(self) -> None:
        named = re.findall(r"`((?:test_|Test)[a-zA-Z_]+)`", self.DOCUMENT)
        sources = "".join(path.read_text(encoding="utf-8") for path in Path("tests").rglob("test_*.py"))
        assert len(named) >= 4
        assert [name for name in named if not re.search(rf"(def|class) {name}\b", sources)] == []

    def test_it_names_every_rule_that_is_broken_on_purpose(self) -> None:
        skipped = set(yaml.safe_load(Path(".checkov.yaml").read_text(encoding="utf-8"))["skip-check"])
        for resource in RESOURCES.values():
            skipped |= {each["id"] for each in resource.get("Metadata", {}).get("checkov", {}).get("skip", [])}
        result = re.findall(r"^\| (CKV_AWS_[\d, ]+) \|", self.DOCUMENT, re.MULTILINE)
        assert {f"CKV_AWS_{number}" for row in result for number in re.findall(r"\d+", row)} == skipped
