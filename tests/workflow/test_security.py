"""Who is refused: roles without rights, other accounts, plain HTTP, services on behalf of other accounts; and what the logs do not hold."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.local_aws.deployed_exporter import Exporter
from tests.local_aws.inspector_control import InspectorControl
from tests.local_aws.sandbox import ANYTHING, Sandbox, eventually, policy
from tests.local_aws.server import DEFAULT_REGION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.local_aws.server import LocalAws

ACCOUNT, OTHER_ACCOUNT = "314159265358", "271828182845"
ADDRESS = "wanda.recognisable@example.com"
PATIENCE = 90.0
DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError", "AuthorizationErrorException"}

type Clients = Callable[[str], Any]
type Call = Callable[[Clients, Mapping[str, str]], object]

LOCK = {"pk": {"S": "LOCK"}, "sk": {"S": "LOCK"}}
ON_SHARED_RESOURCES: dict[str, Call] = {
    "read a report": lambda client, at: client("s3").get_object(Bucket=at["bucket"], Key=at["report"]),
    "list reports": lambda client, at: client("s3").list_objects_v2(Bucket=at["bucket"]),
    "write a report": lambda client, at: client("s3").put_object(Bucket=at["bucket"], Key="inspector/reports/x", Body=b"{}"),
    "publish": lambda client, at: client("sns").publish(TopicArn=at["topic"], Message="all is well"),
    "publish an alarm": lambda client, at: client("sns").publish(TopicArn=at["alarm_topic"], Message="all is well"),
    "queue": lambda client, at: client("sqs").send_message(QueueUrl=at["queue"], MessageBody="{}"),
    "read the queue": lambda client, at: client("sqs").receive_message(QueueUrl=at["queue"]),
    "read records": lambda client, at: client("dynamodb").scan(TableName=at["table"]),
    "find open runs": lambda client, at: client("dynamodb").query(
        TableName=at["table"],
        IndexName="Open",
        KeyConditionExpression="#open = :open",
        ExpressionAttributeNames={"#open": "open"},
        ExpressionAttributeValues={":open": {"S": "OPEN"}},
    ),
    "take the lock": lambda client, at: client("dynamodb").put_item(TableName=at["table"], Item=LOCK),
}
"""On what has, or could have, a policy of its own."""
IN_THE_ACCOUNT: dict[str, Call] = {
    "subscribe": lambda client, at: client("sns").subscribe(TopicArn=at["topic"], Protocol="email", Endpoint="me@example.com"),
    "subscribe to alarms": lambda client, at: client("sns").subscribe(
        TopicArn=at["alarm_topic"], Protocol="email", Endpoint="me@example.com"
    ),
    "encrypt with the key": lambda client, at: client("kms").generate_data_key(KeyId=at["key"], KeySpec="AES_256"),
    # A wrong input: no test waits for this run, and its report must not arrive while other tests read the bucket.
    "start an export": lambda client, at: client("stepfunctions").start_execution(stateMachineArn=at["machine"], input="[]"),
    "invoke a step": lambda client, at: client("lambda").invoke(FunctionName=at["clean_up"], Payload="{}"),
    "read the log": lambda client, at: client("logs").filter_log_events(logGroupName=at["log"]),
}


@pytest.fixture(scope="module")
def guarded(exporter_aws: LocalAws) -> Exporter:
    """A deployment in an account that is recognised wherever its id stands."""
    return Exporter.deploy(exporter_aws, "guarded", account=ACCOUNT, parameters={"NotificationEmail": ADDRESS})


@pytest.fixture
def inspector(guarded: Exporter) -> InspectorControl:
    control = InspectorControl(guarded.aws, ACCOUNT)
    control.reset()
    control.seed(findings=20, seed=1)
    control.configure(base_seconds=0.2, seconds_per_1000=0.0)
    return control


@pytest.fixture(scope="module")
def at(guarded: Exporter) -> Mapping[str, str]:
    """What there is to reach; one report lies in the bucket."""
    InspectorControl(guarded.aws, ACCOUNT).seed(findings=20, seed=1)
    ended = guarded.run({}, PATIENCE)
    assert ended.status == "SUCCEEDED", ended.cause
    return {
        "bucket": guarded.outputs["BucketName"],
        "report": ended.output["delivery"]["key"],
        "topic": guarded.outputs["TopicArn"],
        "alarm_topic": guarded.outputs["AlarmTopicArn"],
        "queue": guarded.outputs["DeadLetterQueueUrl"],
        "queue_arn": f"arn:aws:sqs:{DEFAULT_REGION}:{ACCOUNT}:{guarded.outputs['DeadLetterQueueUrl'].rsplit('/', 1)[-1]}",
        "table": f"arn:aws:dynamodb:{DEFAULT_REGION}:{ACCOUNT}:table/{guarded.outputs['TableName']}",
        "key": guarded.outputs["ReportsKeyArn"],
        "machine": guarded.state_machine,
        "clean_up": guarded.resource("CleanUpFunction"),
        "log": guarded.resource("StartReportLogGroup"),
    }


@pytest.fixture(scope="module")
def roles(exporter_aws: LocalAws) -> dict[str, str]:
    own, other = Sandbox(exporter_aws, ACCOUNT), Sandbox(exporter_aws, OTHER_ACCOUNT)
    return {
        "stranger": own.role("stranger"),
        "administrator": own.role("administrator", ANYTHING),
        "outsider": other.role("outsider", ANYTHING),
    }


def clients(aws: LocalAws, role: str, *, plain: bool = False) -> Clients:
    """Clients of a role, over TLS as it were, or over plain HTTP."""

    def client(service: str) -> Any:
        made = aws.role_client(service, role, account=role.split(":")[4])
        if plain:
            made.meta.events.register("before-send", say_plain_http)
        return made

    return client


def say_plain_http(request: Any, **_: object) -> None:
    request.headers["x-forwarded-proto"] = "http"


def code_of(call: Call, client: Clients, at: Mapping[str, str]) -> str:
    try:
        call(client, at)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "done"


class TestStrangers:
    @pytest.mark.parametrize("what", ON_SHARED_RESOURCES | IN_THE_ACCOUNT)
    def test_a_role_of_the_account_without_rights_is_refused(
        self, what: str, exporter_aws: LocalAws, roles: dict[str, str], at: Mapping[str, str]
    ) -> None:
        call = (ON_SHARED_RESOURCES | IN_THE_ACCOUNT)[what]
        assert code_of(call, clients(exporter_aws, roles["stranger"]), at) in DENIED
        assert code_of(call, clients(exporter_aws, roles["administrator"]), at) == "done"

    @pytest.mark.parametrize("what", ON_SHARED_RESOURCES)
    def test_an_administrator_of_another_account_is_refused(
        self, what: str, exporter_aws: LocalAws, roles: dict[str, str], at: Mapping[str, str]
    ) -> None:
        assert code_of(ON_SHARED_RESOURCES[what], clients(exporter_aws, roles["outsider"]), at) in DENIED


@pytest.mark.parametrize("what", ON_SHARED_RESOURCES)
def test_plain_http_is_refused_whatever_rights_one_has(
    what: str, exporter_aws: LocalAws, roles: dict[str, str], at: Mapping[str, str]
) -> None:
    call = ON_SHARED_RESOURCES[what]
    assert code_of(call, clients(exporter_aws, roles["administrator"], plain=True), at) in DENIED
    assert code_of(call, clients(exporter_aws, roles["administrator"]), at) == "done"


class TestConfusedDeputy:
    def test_inspector_writes_no_report_of_another_account_into_the_bucket(
        self, exporter_aws: LocalAws, at: Mapping[str, str], guarded: Exporter
    ) -> None:
        before = guarded.objects()
        thief = Thief(exporter_aws)
        assert thief.report_to(at["bucket"], thief.key) == "INVALID_PERMISSIONS"
        assert guarded.objects() == before

    def test_inspector_encrypts_no_report_of_another_account_with_the_key(
        self, exporter_aws: LocalAws, at: Mapping[str, str]
    ) -> None:
        thief = Thief(exporter_aws)
        assert thief.report_to(thief.bucket, thief.key) == ""
        assert thief.report_to(thief.bucket, at["key"]) == "INVALID_PERMISSIONS"

    @pytest.mark.parametrize(
        ("service", "kind", "action", "resource"),
        [
            ("inspector2.amazonaws.com", "inspector2:{region}:{account}:report/x", "s3:PutObject", "bucket"),
            ("inspector2.amazonaws.com", "inspector2:{region}:{account}:report/x", "kms:GenerateDataKey", "key"),
            ("cloudwatch.amazonaws.com", "cloudwatch:{region}:{account}:alarm:x", "sns:Publish", "alarm_topic"),
            ("cloudwatch.amazonaws.com", "cloudwatch:{region}:{account}:alarm:x", "kms:Decrypt", "key"),
            ("events.amazonaws.com", "events:{region}:{account}:rule/{rule}", "sqs:SendMessage", "queue_arn"),
        ],
    )
    def test_a_service_is_let_in_on_this_deployments_business_only(
        self, service: str, kind: str, action: str, resource: str, guarded: Exporter, at: Mapping[str, str]
    ) -> None:
        rule = guarded.resource("CleanUpFunctionExecutionEnded")
        target = f"arn:aws:s3:::{at['bucket']}/inspector/reports/x.json" if resource == "bucket" else at[resource]

        def decision(account: str = ACCOUNT, region: str = DEFAULT_REGION, **changed: str | None) -> str:
            source = "arn:aws:" + kind.format(region=region, account=account, rule=rule)
            asked = {"service": service, "action": action, "resource": target, "source_account": account, "source_arn": source}
            answer = guarded.aws.control("/_local/authorization/service", {**asked, **changed, "account": ACCOUNT})
            return str(answer["decision"])

        assert decision() == "Allow"
        assert decision(account=OTHER_ACCOUNT) != "Allow"
        assert decision(region="us-east-1") != "Allow"
        assert decision(source_arn=f"arn:aws:config:{DEFAULT_REGION}:{ACCOUNT}:rule/x") != "Allow"
        assert decision(source_arn=None) != "Allow"
        assert decision(service="config.amazonaws.com") != "Allow"
        assert decision(action=f"{action.split(':', maxsplit=1)[0]}:Delete") != "Allow"


class Thief:
    """A principal with all rights in another account that uses our resources by name."""

    def __init__(self, aws: LocalAws) -> None:
        self.sandbox = Sandbox(aws, OTHER_ACCOUNT)
        inspector = InspectorControl(aws, OTHER_ACCOUNT)
        inspector.seed(findings=5, seed=2)
        inspector.configure(base_seconds=0.1, seconds_per_1000=0.0)
        self.bucket = f"reports-of-{OTHER_ACCOUNT}"
        let_in = {"Effect": "Allow", "Principal": {"Service": "inspector2.amazonaws.com"}}
        place = {"CreateBucketConfiguration": {"LocationConstraint": DEFAULT_REGION}}
        s3 = self.sandbox.client("s3")
        if self.bucket not in [each["Name"] for each in s3.list_buckets()["Buckets"]]:
            s3.create_bucket(Bucket=self.bucket, **place)
        writes = {**let_in, "Action": "s3:*", "Resource": f"arn:aws:s3:::{self.bucket}/*"}
        s3.put_bucket_policy(Bucket=self.bucket, Policy=policy(writes))
        key = self.sandbox.client("kms").create_key(Policy=policy({**let_in, "Action": "kms:*", "Resource": "*"}))
        self.key: str = key["KeyMetadata"]["Arn"]

    def report_to(self, bucket: str, key: str) -> str:
        """Make a report, and return its error code."""
        client = self.sandbox.client("inspector2")
        destination = {"bucketName": bucket, "keyPrefix": "inspector/reports/nightly/", "kmsKeyArn": key}
        report = client.create_findings_report(reportFormat="JSON", s3Destination=destination)["reportId"]

        def ended() -> Any:
            status = client.get_findings_report_status(reportId=report)
            return None if status["status"] == "IN_PROGRESS" else status

        return str(eventually(ended).get("errorCode", ""))


def test_the_logs_hold_no_finding_no_filter_value_no_address_and_no_account(
    guarded: Exporter, inspector: InspectorControl
) -> None:
    finding = inspector.findings()[0]
    wanted = {"report": {"filter_criteria": {"title": [{"comparison": "EQUALS", "value": finding["title"]}]}}}
    misspelt = {"report": {"filter_criteria": {"severity": [{"comparison": "EQUALS", "value": "SECRETIVE"}]}}}

    exported = guarded.run(wanted, PATIENCE)
    refused = guarded.run(misspelt, PATIENCE)
    with guarded.without_statement("StartReportFunctionRole", "CreateTheReport"):
        denied = guarded.run(wanted, PATIENCE)
    guarded.invoke("CleanUpFunction", {})

    # All three went their way, with the values in them.
    assert finding["findingArn"] in guarded.read(exported.output["delivery"]["key"]).decode()
    assert "SECRETIVE" in str(refused.cause)
    assert denied.error == "AccessDeniedError"
    lines = log_lines(guarded)
    result = "\n".join(lines)
    assert all(name in result for name in (exported.name, refused.name, denied.name))
    secrets = [finding["title"], finding["findingArn"], finding["description"][:40], "SECRETIVE", ADDRESS, "wanda"]
    assert [secret for secret in secrets if secret in result] == []
    for line in lines:
        # Lambda itself prints the exception that ends a function: AWS' words, with the ARN of the role that was refused.
        of_the_platform = '"errorType"' in line and '"service"' not in line
        assert ACCOUNT not in (re.sub(r"arn:aws:\S+", "", line) if of_the_platform else line), line


def log_lines(exporter: Exporter) -> list[str]:
    """Every line of every log group of the deployment's account."""
    logs = exporter.client("logs")
    groups = [
        group["logGroupName"] for page in logs.get_paginator("describe_log_groups").paginate() for group in page["logGroups"]
    ]
    pages = [page for name in groups for page in logs.get_paginator("filter_log_events").paginate(logGroupName=name)]
    return [event["message"] for page in pages for event in page["events"]]


ELSEWHERE = {"bucketName": "mine", "keyPrefix": "x/", "kmsKeyArn": f"arn:aws:kms:eu-west-1:{OTHER_ACCOUNT}:key/x"}
GRASPING = [
    {"destination": ELSEWHERE},
    {"report": {"s3Destination": ELSEWHERE}},
    {"report": {"name": "nightly/../../other"}},
    {"plan": {"destination": ELSEWHERE}},
    {"execution": {"arn": "arn:aws:states:eu-west-1:1:execution:x:y"}, "key_prefix": "", "kms_key_arn": "x"},
    {"Comment": "the console's own example", "report": {"name": "year=2026"}},
    {"report": {"name": "other-team"}},
    {"notify": True, "deadline_hours": 1, "on_busy": "fail"},
]


def test_no_input_reaches_another_bucket_key_or_prefix(guarded: Exporter, inspector: InspectorControl) -> None:
    ended = [guarded.run(each, PATIENCE) for each in GRASPING]

    assert [each.status for each in ended].count("SUCCEEDED") == 2
    reports = inspector.record()["reports"]
    assert len(reports) == 2
    for report in reports:
        destination = report["destination"]
        assert destination.pop("keyPrefix").startswith("inspector/reports/")
        assert destination == {
            "bucketName": guarded.outputs["BucketName"],
            "kmsKeyArn": guarded.outputs["ReportsKeyArn"],
            "expectedBucketOwner": ACCOUNT,
        }
