"""The status of check_setup agrees with what then really happens: for every row of the table, on one deployment.

What is fine must succeed, what is wrong must fail with the row's error, and what is unknown may do either. The embedded
AWS decides with an evaluator of its own; where the two read IAM differently, this fails.

Not shown here: AWS managed keys (every key of the embedded AWS is the customer's), the partitions of China and GovCloud
(it knows one), organizations' policies, another account's bucket or key (it decides on those by account, not by role), and
conditions that let a role in by aws:PrincipalArn (it takes the session's ARN for it). Unit tests hold these statuses.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.builders.setup_rows import (
    BUCKET_POLICIES,
    KEY_POLICIES,
    OTHER_ACCOUNT,
    Place,
    Row,
    denies,
    document,
    encrypts,
    root,
    writes,
)
from tests.local_aws.deployed_exporter import Exporter, wait_until
from tests.local_aws.inspector_control import InspectorControl
from tests.local_aws.server import DEFAULT_ACCOUNT, DEFAULT_REGION, REPOSITORY, LocalAws

STACK, BUCKET = "exporter-to-check", "findings-to-check"
ROWS_A_TEST = 8
OF_THE_REPORT = ("bucket", "bucket_owner", "bucket_policy_for_inspector", "key", "key_policy_for_inspector")
"""The checks of what Inspector itself needs."""


@dataclass
class Court:
    """A deployment with an existing bucket and key, whose setup is made wrong, checked, and tried."""

    exporter: Exporter
    inspector: InspectorControl
    place: Place

    def client(self, service: str) -> Any:
        return self.exporter.client(service)

    def set_bucket_policy(self, policy: dict[str, Any] | None) -> None:
        if policy and policy["Statement"]:
            self.client("s3").put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(policy))
        else:
            self.client("s3").delete_bucket_policy(Bucket=BUCKET)

    def set_key_policy(self, policy: dict[str, Any]) -> None:
        self.client("kms").put_key_policy(KeyId=self.place.key, PolicyName="default", Policy=json.dumps(policy))

    def set_right(self) -> None:
        """Make the setup right."""
        self.set_bucket_policy(document([writes(self.place)]))
        self.set_key_policy(document([root(self.place), encrypts(self.place)]))

    def assessed(self) -> dict[str, Any]:
        """Return the checks by name."""
        result = self.exporter.invoke("CheckSetupFunction", {})
        return {check["name"]: check for check in result["checks"]}

    def result_for_report(self, checks: dict[str, Any]) -> str:
        """Return the coverage status on what Inspector needs, as a whole."""
        results = {checks[name]["result"] for name in OF_THE_REPORT}
        return "failed" if "failed" in results else "unknown" if "unknown" in results else "passed"

    def report_ends(self, key: str | None = None) -> str:
        """Make a report, as the workflow does, and return how it ends: SUCCEEDED or an error code."""
        inspector2 = self.exporter.aws.role_client("inspector2", self.place.start_role, region=self.place.region)
        now = time.gmtime()
        destination = {
            "bucketName": self.place.bucket,
            "keyPrefix": f"{self.place.prefix}/reports/nightly/year={now.tm_year}/month={now.tm_mon:02}/day={now.tm_mday:02}/x/",
            "kmsKeyArn": key or self.place.key,
            "expectedBucketOwner": self.place.owner,
        }
        report = inspector2.create_findings_report(reportFormat="JSON", s3Destination=destination)["reportId"]

        def ended() -> dict[str, Any] | None:
            result: dict[str, Any] = inspector2.get_findings_report_status(reportId=report)
            return None if result["status"] == "IN_PROGRESS" else result

        result = wait_until(ended, f"the report {report} to end")
        return str(result["status"] if result["status"] == "SUCCEEDED" else result["errorCode"])


@pytest.fixture(scope="module")
def court(exporter_aws: LocalAws, deployed: Exporter) -> Court:
    s3, kms = (exporter_aws.client(service) for service in ("s3", "kms"))
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": DEFAULT_REGION})
    key = kms.create_key()["KeyMetadata"]["Arn"]
    parameters = {"ExistingBucketName": BUCKET, "ExistingBucketOwner": DEFAULT_ACCOUNT, "ExistingKeyArn": key}
    exporter = Exporter.deploy(exporter_aws, STACK, parameters=parameters | {"NotificationEmail": "security@example.com"})
    return Court(exporter, InspectorControl(exporter_aws), place_of(exporter, BUCKET, key, "inspector2.amazonaws.com"))


def place_of(exporter: Exporter, bucket: str, key: str, inspector: str) -> Place:
    """Return a deployment as rows name it."""
    iam = exporter.client("iam")
    start, verify = (
        iam.get_role(RoleName=exporter.resource(f"{step}ReportFunctionRole"))["Role"]["Arn"] for step in ("Start", "Verify")
    )
    return Place(
        account=exporter.account,
        region=exporter.region,
        bucket=bucket,
        key=key,
        inspector=inspector,
        start_role=start,
        verify_role=verify,
        owner=exporter.account,
    )


@pytest.fixture(autouse=True)
def _quick(court: Court) -> Iterator[None]:
    court.inspector.reset()
    court.inspector.seed(findings=3, seed=1)
    court.inspector.configure(base_seconds=0.0, seconds_per_1000=0.0)
    court.set_right()
    yield
    court.set_right()


def chunks(rows: list[Row]) -> list[Any]:
    """Several rows a test: most of a test's time is not the row's."""
    parts = [rows[start : start + ROWS_A_TEST] for start in range(0, len(rows), ROWS_A_TEST)]
    return [pytest.param(part, id=f"{part[0].name} to {part[-1].name}".replace(" ", "-")) for part in parts]


def agrees(result: str, ended: str, error: str) -> bool:
    """Whether a status and what then happened go together."""
    return result == "unknown" or ended == ("SUCCEEDED" if result == "passed" else error)


@pytest.mark.parametrize("rows", chunks([*BUCKET_POLICIES, *KEY_POLICIES]))
def test_a_policy_does_what_its_status_says(rows: list[Row], court: Court) -> None:
    disagreements = []
    for row in rows:
        court.set_right()
        if row.bucket:
            court.set_bucket_policy(document(row.bucket(court.place)))
        if row.key:
            court.set_key_policy(document(row.key(court.place)))
        checks, ended = court.assessed(), court.report_ends()
        result = court.result_for_report(checks)
        if (checks[row.check]["result"], result) != (row.result, row.result) or not agrees(result, ended, row.error):
            disagreements.append((row.name, row.result, checks[row.check]["result"], result, ended))
    assert disagreements == []


def test_the_statements_to_add_fix_what_they_are_for(court: Court) -> None:
    still_wrong = []
    for row in [*BUCKET_POLICIES, *KEY_POLICIES]:
        if row.result != "failed" or "denied" in row.name:
            continue
        court.set_right()
        (court.set_bucket_policy if row.bucket else court.set_key_policy)(document((row.bucket or row.key)(court.place)))  # type: ignore[misc]
        policy = court.assessed()[row.check]["policy"]
        (court.set_bucket_policy if row.bucket else court.set_key_policy)(policy)
        if "not understood" not in row.name and (ended := court.report_ends()) != "SUCCEEDED":
            still_wrong.append((row.name, ended))
    assert still_wrong == []


# ---- what bucket and key are


@contextmanager
def no_bucket(court: Court) -> Iterator[str]:
    with moved_bucket(court, None):
        yield court.place.key


@contextmanager
def bucket_elsewhere(court: Court) -> Iterator[str]:
    with moved_bucket(court, court.exporter.aws.client("s3", region="us-west-2"), "us-west-2"):
        yield court.place.key


@contextmanager
def strangers_closed_bucket(court: Court) -> Iterator[str]:
    with moved_bucket(court, court.exporter.aws.client("s3", account=OTHER_ACCOUNT)):
        yield court.place.key


@contextmanager
def strangers_open_bucket(court: Court) -> Iterator[str]:
    s3 = court.exporter.aws.client("s3", account=OTHER_ACCOUNT)
    with moved_bucket(court, s3):
        to_us = {"Sid": "Us", "Effect": "Allow", "Principal": {"AWS": court.place.root}, "Action": "s3:GetBucketLocation"}
        statements = [writes(court.place), to_us | {"Resource": court.place.bucket_arn}]
        s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(document(statements)))
        yield court.place.key


@contextmanager
def moved_bucket(court: Court, s3: Any, region: str = DEFAULT_REGION) -> Iterator[None]:
    """Let another bucket of the same name, or none, stand where the right one was."""
    empty(court.client("s3"))
    court.client("s3").delete_bucket(Bucket=BUCKET)
    if s3:
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": region})
    try:
        yield
    finally:
        if s3:
            empty(s3)
            s3.delete_bucket(Bucket=BUCKET)
        court.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": DEFAULT_REGION})
        court.set_right()


def empty(s3: Any) -> None:
    """Delete all objects."""
    for item in s3.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        s3.delete_object(Bucket=BUCKET, Key=item["Key"])


@contextmanager
def disabled_key(court: Court) -> Iterator[str]:
    court.client("kms").disable_key(KeyId=court.place.key)
    yield court.place.key
    court.client("kms").enable_key(KeyId=court.place.key)


@contextmanager
def key_waiting_for_deletion(court: Court) -> Iterator[str]:
    court.client("kms").schedule_key_deletion(KeyId=court.place.key, PendingWindowInDays=7)
    yield court.place.key
    court.client("kms").cancel_key_deletion(KeyId=court.place.key)
    court.client("kms").enable_key(KeyId=court.place.key)


def other_key(region: str = DEFAULT_REGION, **properties: str) -> Callable[[Court], AbstractContextManager[str]]:
    """Let the deployment name a key of another kind or place."""

    @contextmanager
    def scenario(court: Court) -> Iterator[str]:
        kms = court.exporter.aws.client("kms", region=region)
        policy = document([root(court.place), encrypts(court.place)])
        key = kms.create_key(Policy=json.dumps(policy), **properties)["KeyMetadata"]["Arn"]
        with deployed_with(court, key):
            yield key

    return scenario


def named(change: Callable[[str], str]) -> Callable[[Court], AbstractContextManager[str]]:
    """Let the deployment name the key in another way."""

    @contextmanager
    def scenario(court: Court) -> Iterator[str]:
        with deployed_with(court, change(court.place.key)):
            yield change(court.place.key)

    return scenario


@contextmanager
def deployed_with(court: Court, key: str) -> Iterator[None]:
    """What a deployment with another ExistingKeyArn changes of the check: its environment, and what its role may see."""
    functions, iam = court.client("lambda"), court.client("iam")
    function, role = (court.exporter.resource(name) for name in ("CheckSetupFunction", "CheckSetupFunctionRole"))
    variables = functions.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
    policy = iam.list_role_policies(RoleName=role)["PolicyNames"][0]
    document_before = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
    changed = json.loads(json.dumps(document_before).replace(court.place.key, key))
    functions.update_function_configuration(FunctionName=function, Environment={"Variables": variables | {"KMS_KEY_ARN": key}})
    iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(changed))
    yield
    iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(document_before))
    functions.update_function_configuration(FunctionName=function, Environment={"Variables": variables})


type Scenario = Callable[[Court], AbstractContextManager[str]]
STATES: dict[str, tuple[Scenario, str, str, str]] = {
    "the bucket is not there": (no_bucket, "bucket", "failed", "BUCKET_NOT_FOUND"),
    "the bucket is in another Region": (bucket_elsewhere, "bucket", "failed", "INCOMPATIBLE_BUCKET_REGION"),
    "the bucket is another account's and closed": (strangers_closed_bucket, "bucket_owner", "unknown", ""),
    "the bucket is another account's and open": (strangers_open_bucket, "bucket_owner", "failed", "INVALID_PERMISSIONS"),
    "the key is disabled": (disabled_key, "key", "failed", "MALFORMED_KMS_KEY"),
    "the key waits for its deletion": (key_waiting_for_deletion, "key", "failed", "MALFORMED_KMS_KEY"),
    "the key is another, and right": (other_key(), "key", "passed", ""),
    "the key is asymmetric": (other_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT"), "key", "failed", "MALFORMED_KMS_KEY"),
    "the key signs": (other_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY"), "key", "failed", "MALFORMED_KMS_KEY"),
    "the key authenticates": (
        other_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC"),
        "key",
        "failed",
        "MALFORMED_KMS_KEY",
    ),
    "the key waits for its material": (other_key(Origin="EXTERNAL"), "key", "failed", "MALFORMED_KMS_KEY"),
    "the key is in another Region": (other_key(region="us-east-1"), "key", "failed", "MALFORMED_KMS_KEY"),
    "the key is not there": (named(lambda key: f"{key[:-12]}000000000000"), "key", "failed", "MALFORMED_KMS_KEY"),
    "the key is named by an alias": (
        named(lambda key: f"{key.split(':key/')[0]}:alias/findings"),
        "key",
        "failed",
        "MALFORMED_KMS_KEY",
    ),
}


@pytest.mark.parametrize("name", STATES)
def test_a_state_of_bucket_or_key_does_what_its_status_says(name: str, court: Court) -> None:
    scenario, check, result, error = STATES[name]
    with scenario(court) as key:
        checks, ended = court.assessed(), court.report_ends(key)
    assert checks[check]["result"] == result, checks[check]
    assert agrees(court.result_for_report(checks), ended, error), ended
    assert court.result_for_report(court.assessed()) == "passed"  # and all is as it was


def test_an_opt_in_region_wants_its_own_principal(exporter_aws: LocalAws, court: Court) -> None:
    there = Exporter.deploy(exporter_aws, "exporter-opt-in", region="me-south-1")
    inspector = InspectorControl(exporter_aws, region="me-south-1")
    inspector.seed(findings=3, seed=1)
    inspector.configure(base_seconds=0.0, seconds_per_1000=0.0)
    regional = "inspector2.me-south-1.amazonaws.com"
    place = place_of(there, there.outputs["BucketName"], there.outputs["ReportsKeyArn"], regional)
    opt_in = Court(there, inspector, place)
    ended = {}
    for principal in (regional, "inspector2.amazonaws.com"):
        statement = writes(place, Principal={"Service": principal})
        there.client("s3").put_bucket_policy(Bucket=place.bucket, Policy=json.dumps(document([statement])))
        ended[principal] = (opt_in.result_for_report(opt_in.assessed()), opt_in.report_ends())
    assert ended == {regional: ("passed", "SUCCEEDED"), "inspector2.amazonaws.com": ("failed", "INVALID_PERMISSIONS")}


# ---- what the exporter's own roles may do


def can_read(court: Court) -> bool:
    """Whether start_report and verify_report can do what they do in the bucket."""
    start, verify = (court.exporter.aws.role_client("s3", role) for role in (court.place.start_role, court.place.verify_role))
    key = next(item["Key"] for item in court.client("s3").list_objects_v2(Bucket=BUCKET)["Contents"])
    try:
        for s3 in (start, verify):
            s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{key.rsplit('/', 1)[0]}/", ExpectedBucketOwner=court.place.owner)
        verify.get_object(Bucket=BUCKET, Key=key, ExpectedBucketOwner=court.place.owner)
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDenied":
            raise
        return False
    return True


@pytest.mark.parametrize(
    ("name", "changes", "result"),
    [
        ("nothing denied", {"Principal": {"AWS": f"arn:aws:iam::{OTHER_ACCOUNT}:root"}}, "passed"),
        ("reading denied to everybody", {}, "failed"),
        ("listing denied", {"Action": "s3:ListBucket", "Resource": "arn:aws:s3:::findings-to-check"}, "failed"),
        ("all roles but one denied", {"Condition": {"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/admin"}}}, "failed"),
        ("whoever has no endpoint denied", {"Condition": {"StringNotEquals": {"aws:SourceVpce": "vpce-1a2b3c4d"}}}, "failed"),
        ("plain HTTP denied", {"Condition": {"Bool": {"aws:SecureTransport": "false"}}}, "passed"),
    ],
)
def test_the_exporter_can_read_as_the_status_says(name: str, changes: dict[str, Any], result: str, court: Court) -> None:
    assert court.report_ends() == "SUCCEEDED"
    deny = denies(court.place, "s3:GetObject") | changes
    court.set_bucket_policy(document([writes(court.place), deny]))
    assert court.assessed()["bucket_policy_for_exporter"]["result"] == result
    assert can_read(court) is (result == "passed")
    empty(court.client("s3"))


@pytest.mark.parametrize(
    ("role", "sid"),
    [
        ("StartReportFunctionRole", "CreateTheReport"),
        ("StartReportFunctionRole", "FindTheReport"),
        ("VerifyReportFunctionRole", "FindTheReport"),
        ("VerifyReportFunctionRole", "ReadTheReport"),
        ("VerifyReportFunctionRole", "DecryptTheReport"),
    ],
)
def test_a_role_that_lacks_a_statement_is_named(role: str, sid: str, court: Court) -> None:
    with court.exporter.without_statement(role, sid):
        check = court.assessed()["permissions"]
        result = court.exporter.run({}).error
    assert check["result"] == "failed"
    assert court.exporter.resource(role) in check["sentence"]
    # KMS permission on S3's traffic is not enforced here.
    assert result == ("AccessDeniedError" if sid != "DecryptTheReport" else None)


def wrong(checks: dict[str, Any]) -> set[str]:
    """The checks that are wrong, but for the schedule, which is switched off in tests."""
    return {name for name, check in checks.items() if check["result"] == "failed"} - {"schedule"}


@pytest.mark.parametrize("sid", ["ReadTheReport", "KeepAnalyses"])
def test_an_analysis_that_lacks_a_statement_is_named_and_keeps_no_export_from_succeeding(sid: str, court: Court) -> None:
    with court.exporter.without_statement("AnalyzeReportFunctionRole", sid):
        checks, ended = court.assessed(), court.exporter.run({})
    assert wrong(checks) == {"analysis_permissions"}
    assert court.exporter.resource("AnalyzeReportFunctionRole") in checks["analysis_permissions"]["sentence"]
    assert ended.status == "SUCCEEDED"
    assert court.exporter.message_of(ended.arn).event["analysis_failure"]["error"]


@pytest.mark.parametrize(
    ("role", "sid"),
    [
        ("CutReportFunctionRole", "ReadTheReport"),
        ("CutReportFunctionRole", "DecryptTheReport"),
        ("AnalyzePartFunctionRole", "ReadTheReport"),
        ("AnalyzePartFunctionRole", "WriteItsPart"),
        ("AnalyzePartFunctionRole", "UseTheReportsKey"),
        ("AnalyzeReportFunctionRole", "DeleteMergedParts"),
    ],
)
def test_what_only_a_large_report_needs_is_found_before_there_is_one(role: str, sid: str, court: Court) -> None:
    with court.exporter.without_statement(role, sid):
        checks = court.assessed()
    assert wrong(checks) == {"analysis_permissions"}
    assert court.exporter.resource(role) in checks["analysis_permissions"]["sentence"]


def test_a_bucket_that_denies_the_analyses_files_is_found_before(court: Court) -> None:
    court.set_bucket_policy(
        document([writes(court.place), denies(court.place, Resource=f"{court.place.bucket_arn}/*/analyses/*")])
    )
    checks, ended = court.assessed(), court.exporter.run({})
    assert wrong(checks) == {"bucket_policy_for_analysis"}
    assert ended.status == "SUCCEEDED"
    assert court.exporter.message_of(ended.arn).event["analysis_failure"]["error"]


# ---- the messages


def test_the_statements_in_a_failed_runs_message_fix_it(court: Court) -> None:
    court.set_bucket_policy(document([writes(court.place, Resource=f"{court.place.bucket_arn}/other/*")]))

    ended = court.exporter.run({})

    assert ended.error == "Report.INVALID_PERMISSIONS"
    message = court.exporter.message_of(ended.arn)
    (wrong,) = message.event["failure"]["setup"]["failed"]
    assert wrong["check"] == "bucket_policy_for_inspector"
    result = " ".join(message.email.split())
    assert wrong["sentence"] in result
    assert f"it covers {court.place.bucket_arn}/other/*" in result
    (statement,) = wrong["statements"]
    for text in (message.email, message.chat["content"]["description"], str(ended.cause)):
        assert json.dumps(statement, indent=2) in text
    before = json.loads(court.client("s3").get_bucket_policy(Bucket=BUCKET)["Policy"])
    court.set_bucket_policy(before | {"Statement": [*before["Statement"], statement]})
    assert court.exporter.run({}).status == "SUCCEEDED"


@contextmanager
def as_it_is(court: Court) -> Iterator[str]:
    yield court.place.key


@pytest.mark.parametrize(
    ("error", "scenario", "check"),
    [
        ("NoSuchBucket", no_bucket, "bucket"),
        ("Report.MALFORMED_KMS_KEY", disabled_key, "key"),
        ("Report.BUCKET_NOT_FOUND", as_it_is, None),
        ("Report.INCOMPATIBLE_BUCKET_REGION", as_it_is, None),
    ],
)
def test_a_failure_of_the_setup_is_notified_with_the_result_of_the_check(
    error: str, scenario: Scenario, check: str | None, court: Court
) -> None:
    if error.startswith("Report.") and check is None:
        court.inspector.misbehave("fail", error_code=error.removeprefix("Report."))  # for a reason that no check can see
    with scenario(court):
        ended = court.exporter.run({}, seconds=90)
    assert ended.error == error
    message = court.exporter.message_of(ended.arn)
    setup = message.event["failure"]["setup"]
    assert [each["check"] for each in setup["failed"]] == ([check] if check else [])
    text = " ".join(message.email.split())
    assert ("The setup check found: " if check else "The setup check found no problem. ") in text
    assert "Check Setup" in court.exporter.states_entered(ended.arn)


def test_other_failures_are_notified_without_a_setup_check(court: Court) -> None:
    court.inspector.misbehave("fail", error_code="INTERNAL_ERROR")
    ended = court.exporter.run({})
    assert "Check Setup" not in court.exporter.states_entered(ended.arn)
    assert court.exporter.message_of(ended.arn).event["failure"]["setup"] is None


def test_a_check_that_cannot_run_prevents_no_notification(court: Court) -> None:
    functions, function = court.client("lambda"), court.exporter.resource("CheckSetupFunction")
    variables = functions.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
    broken = {name: value for name, value in variables.items() if name != "INSPECTOR_PRINCIPAL"}
    functions.update_function_configuration(FunctionName=function, Environment={"Variables": broken})
    court.set_bucket_policy(None)

    ended = court.exporter.run({}, seconds=90)

    functions.update_function_configuration(FunctionName=function, Environment={"Variables": variables})
    assert ended.error == "Report.INVALID_PERMISSIONS"
    message = court.exporter.message_of(ended.arn)
    assert message.event["failure"]["setup"] is None
    assert "does not allow Inspector to write reports of this account" in " ".join(message.email.split())


def test_the_result_of_a_check_is_published_on_demand(court: Court) -> None:
    place = {"account": court.exporter.account, "region": court.exporter.region}
    court.exporter.aws.control("/_local/sns/published", place | {"clear": True})
    result = court.exporter.invoke("CheckSetupFunction", json.loads((REPOSITORY / "events/check_setup.json").read_text()))
    (published,) = court.exporter.aws.control("/_local/sns/published", place)["messages"]
    assert published["topic_arn"] == court.exporter.outputs["TopicArn"]
    assert published["bodies"]["email"] == result["text"]
    assert result["result"] == "failed"  # the tests' schedules are off
    assert [check["name"] for check in result["checks"] if check["result"] == "failed"] == ["schedule"]
    assert json.loads(published["bodies"]["default"])["result"] == "failed"
