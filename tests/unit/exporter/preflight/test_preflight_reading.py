"""What a setup check reads, against AWS' own models; what cannot be read never fails the check."""

import io
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber

from findings_exporter.aws.attempts import READ_MARGIN, Attempts, Unread
from findings_exporter.model.owner_rules import MOST_FILE_BYTES
from findings_exporter.preflight import check_all, check_report
from findings_exporter.preflight.check import Check
from findings_exporter.preflight.reading import BucketSeen, PreflightClients, Reader
from tests.builders.exporter import ACCOUNT, ALARM_TOPIC, BUCKET, KEY, MACHINE, REGION, START, TOPIC, Clock, minutes
from tests.builders.setup_builders import FIT_KEY, QUEUE, deployment, place
from tests.builders.setup_rows import document, encrypts, root, writes

HERE = place(deployment())
OWNERS_KEY = "inspector/config/owners.json"
SERVICES = ("inspector2", "s3", "kms", "iam", "sns", "scheduler", "sqs")
POLICY = document([writes(HERE)])
KEY_POLICY = document([root(HERE), encrypts(HERE)])
ENABLED: dict[str, Any] = {"status": "ENABLED", "errorCode": "ALREADY_ENABLED", "errorMessage": "x"}
STATE = {
    "accountId": ACCOUNT,
    "state": ENABLED,
    "resourceState": {"ec2": ENABLED, "ecr": ENABLED},
}
TOPIC_ATTRIBUTES = {"SubscriptionsConfirmed": "1", "SubscriptionsPending": "0", "KmsMasterKeyId": KEY}
ALARMS = {
    "Effect": "Allow",
    "Principal": {"Service": "cloudwatch.amazonaws.com"},
    "Action": "sns:Publish",
    "Resource": ALARM_TOPIC,
}
ALARM_TOPIC_ATTRIBUTES = TOPIC_ATTRIBUTES | {"Policy": json.dumps({"Version": "2012-10-17", "Statement": [ALARMS]})}
SCHEDULE = {"Name": "nightly", "GroupName": "default", "Target": {"Arn": MACHINE}}
FULL_SCHEDULE = {
    "Name": "nightly",
    "ScheduleExpression": "cron(0 3 * * ? *)",
    "State": "ENABLED",
    "FlexibleTimeWindow": {"Mode": "OFF"},
    "Target": {"Arn": MACHINE, "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/schedule"},
}


@dataclass
class Aws:
    """The services that a check asks, each giving the answers of a list in order."""

    clients: PreflightClients
    stubs: dict[str, Stubber]
    answered: list[str] = field(default_factory=list)

    def answers(self, service: str, call: str, answer: dict[str, Any], **request: Any) -> None:
        self.stubs[service].add_response(call, answer, request or None)

    def refuses(self, service: str, call: str, code: str, status: int = 403, **headers: str) -> None:
        metadata = {"HTTPHeaders": {name.replace("_", "-"): value for name, value in headers.items()}}
        self.stubs[service].add_client_error(call, code, "said AWS", status, response_meta=metadata)

    @property
    def reader(self) -> Reader:
        return Reader(self.clients, Attempts(lambda: START, minutes(5)))


@pytest.fixture
def aws() -> Iterator[Aws]:
    make: Any = boto3.client  # the stubs type a client by a literal name
    clients = {name: make(name, region_name=REGION) for name in SERVICES}
    stubs = {name: Stubber(client) for name, client in clients.items()}
    with ExitStack() as stack:
        for stub in stubs.values():
            stack.enter_context(stub)
        yield Aws(PreflightClients(deployment(), *clients.values()), stubs)
        for stub in stubs.values():
            stub.assert_no_pending_responses()


def a_right_report(aws: Aws) -> None:
    """Everything that a report needs, as AWS returns it."""
    aws.answers("s3", "get_bucket_location", {"LocationConstraint": REGION}, Bucket=BUCKET)
    aws.answers("s3", "get_bucket_policy", {"Policy": json.dumps(POLICY)}, Bucket=BUCKET)
    aws.answers("s3", "get_bucket_location", {"LocationConstraint": REGION}, Bucket=BUCKET, ExpectedBucketOwner=ACCOUNT)
    aws.answers("kms", "describe_key", {"KeyMetadata": FIT_KEY | {"KeyId": "x"}}, KeyId=KEY)
    aws.answers("kms", "get_key_policy", {"Policy": json.dumps(KEY_POLICY)}, KeyId=KEY, PolicyName="default")
    aws.answers("inspector2", "batch_get_account_status", {"accounts": [STATE]}, accountIds=[ACCOUNT])
    for permission in deployment().report_permissions(START):
        simulated(aws, permission.role, *permission.actions)


def no_owner_rules(aws: Aws) -> None:
    """The bucket has no file of owners: one of a longer name is none."""
    listed = {"Contents": [{"Key": "inspector/config/owners.json.bak"}]}
    place = {"Bucket": BUCKET, "ExpectedBucketOwner": ACCOUNT}
    aws.answers("s3", "list_objects_v2", listed, **place, Prefix=OWNERS_KEY, MaxKeys=1)


def simulated(aws: Aws, role: str, *actions: str) -> None:
    """IAM simulates a role's calls as allowed."""
    results = [{"EvalActionName": action, "EvalResourceName": "arn", "EvalDecision": "allowed"} for action in actions]
    aws.answers(
        "iam",
        "simulate_principal_policy",
        {"EvaluationResults": results},
        PolicySourceArn=role,
        ActionNames=list(actions),
        ResourceArns=ANY,
        ContextEntries=ANY,
    )


def results(found: list[Check]) -> dict[str, str]:
    """The status of each check."""
    return {check.name: check.result for check in found}


def test_a_report_whose_setup_is_right_has_only_passed_checks(aws: Aws) -> None:
    a_right_report(aws)
    found = check_report(aws.clients, lambda: START, minutes(5))
    assert set(results(found).values()) == {"passed"}
    assert len({check.name for check in found}) == len(found) == 9
    assert "coverage" not in results(found)


def test_a_run_whose_setup_is_right_has_only_passed_checks(aws: Aws) -> None:
    a_right_report(aws)
    aws.answers(
        "inspector2",
        "list_coverage_statistics",
        {"totalCounts": 7},
        filterCriteria={"scanStatusCode": [{"comparison": "EQUALS", "value": "ACTIVE"}]},
    )
    aws.answers("sns", "get_topic_attributes", {"Attributes": TOPIC_ATTRIBUTES}, TopicArn=TOPIC)
    aws.answers("kms", "describe_key", {"KeyMetadata": FIT_KEY | {"KeyId": "x"}}, KeyId=KEY)
    aws.answers("kms", "get_key_policy", {"Policy": json.dumps(KEY_POLICY)}, KeyId=KEY, PolicyName="default")
    for permission in [*deployment().analysis_permissions(START), *deployment().topic_permissions(KEY)]:
        simulated(aws, permission.role, *permission.actions)
    aws.answers("sns", "get_topic_attributes", {"Attributes": ALARM_TOPIC_ATTRIBUTES}, TopicArn=ALARM_TOPIC)
    no_owner_rules(aws)
    aws.answers("scheduler", "list_schedules", {"Schedules": [SCHEDULE]}, GroupName="default", MaxResults=100)
    aws.answers("scheduler", "get_schedule", FULL_SCHEDULE, GroupName="default", Name="nightly")
    counts = {"ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesNotVisible": "0"}
    aws.answers("sqs", "get_queue_attributes", {"Attributes": counts}, QueueUrl=QUEUE, AttributeNames=ANY)
    found = check_all(aws.clients, lambda: START, minutes(5))
    assert set(results(found).values()) == {"passed"}
    assert len({check.name for check in found}) == len(found) == 21


def test_a_key_that_cannot_be_right_is_not_asked_for(aws: Aws) -> None:
    def found(arn: str) -> dict[str, str]:
        clients = PreflightClients(
            deployment(KMS_KEY_ARN=arn), *(getattr(aws.clients, name) for name in PreflightClients.__slots__[1:])
        )
        no_time = Reader(clients, Attempts(lambda: START, START))
        assert isinstance(no_time.bucket().region, Unread)
        return results(check_report(clients, lambda: START, START))

    for arn in (KEY.replace(REGION, "us-east-1"), f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/findings"):
        result = found(arn)
        assert result.pop("key") == "failed"
        assert set(result.values()) == {"unknown"}


@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException", "AuthorizationError"])
def test_a_refusal_is_returned_and_does_no_harm(aws: Aws, code: str) -> None:
    aws.refuses("sns", "get_topic_attributes", code)
    assert aws.reader.topic(TOPIC) == Unread("AWS refused GetTopicAttributes: said AWS", is_refused=True, code=code)


def test_whatever_else_goes_wrong_is_returned_and_does_no_harm(aws: Aws) -> None:
    aws.refuses("sns", "get_topic_attributes", "Throttling", 400)
    assert aws.reader.topic(TOPIC) == Unread("GetTopicAttributes failed (Throttling): said AWS", code="Throttling")
    aws.clients.sns.meta.events.register("before-parameter-build", partial(fail, EndpointConnectionError(endpoint_url="sns")))
    topic = aws.reader.topic(TOPIC)
    assert isinstance(topic, Unread)
    assert topic.why.startswith("AWS did not answer: ")


def fail(error: Exception, **_: Any) -> None:
    """Break off a call."""
    raise error


@pytest.mark.parametrize(
    ("service", "call", "code", "read"),
    [
        ("sns", "get_topic_attributes", "NotFound", lambda reader: reader.topic(TOPIC)),
        ("sqs", "get_queue_attributes", "AWS.SimpleQueueService.NonExistentQueue", lambda reader: reader.undelivered()),
        ("kms", "describe_key", "NotFoundException", lambda reader: reader.key(KEY).description),
        ("s3", "get_bucket_location", "NoSuchBucket", lambda reader: reader.bucket().region),
    ],
)
def test_what_is_not_there_is_none(aws: Aws, service: str, call: str, code: str, read: Callable[[Reader], object]) -> None:
    aws.refuses(service, call, code, 404)
    assert read(aws.reader) is None


def test_nothing_is_read_when_the_function_is_nearly_over(aws: Aws) -> None:
    late = Reader(aws.clients, Attempts(Clock(), START + READ_MARGIN))
    assert late.topic(TOPIC) == Unread("there was no time left")
    in_time = Reader(aws.clients, Attempts(Clock(), START + READ_MARGIN + timedelta(seconds=1)))
    aws.answers("sns", "get_topic_attributes", {"Attributes": {"a": "b"}})
    assert in_time.topic(TOPIC) == {"a": "b"}


class TestInspector:
    def test_an_account_that_is_missing_from_the_answer_is_unread(self, aws: Aws) -> None:
        failed = {"accountId": ACCOUNT, "errorCode": "ACCESS_DENIED", "errorMessage": "no"}
        aws.answers("inspector2", "batch_get_account_status", {"accounts": [], "failedAccounts": [failed]})
        assert aws.reader.account() == Unread("Inspector returned ACCESS_DENIED: no")

    def test_an_account_that_it_does_not_know_is_none(self, aws: Aws) -> None:
        aws.answers("inspector2", "batch_get_account_status", {"accounts": []})
        assert aws.reader.account() is None


class TestBucket:
    @pytest.mark.parametrize(("expected", "region"), [(None, "us-east-1"), ("EU", "eu-west-1"), ("eu-central-1", "eu-central-1")])
    def test_its_region_has_its_modern_name(self, aws: Aws, expected: str | None, region: str) -> None:
        location = {"LocationConstraint": expected} if expected else {}
        aws.answers("s3", "get_bucket_location", location)
        aws.refuses("s3", "get_bucket_policy", "NoSuchBucketPolicy", 404)
        aws.answers("s3", "get_bucket_location", location)
        assert aws.reader.bucket() == BucketSeen(region, is_owners=True, policy=None)

    def test_an_owner_that_s3_refuses_is_not_the_owner(self, aws: Aws) -> None:
        aws.answers("s3", "get_bucket_location", {"LocationConstraint": REGION})
        aws.answers("s3", "get_bucket_policy", {"Policy": "no JSON"})
        aws.refuses("s3", "get_bucket_location", "AccessDenied")
        assert aws.reader.bucket() == BucketSeen(REGION, is_owners=False, policy=Unread("it is not a JSON object"))

    def test_an_owner_that_could_not_be_asked_for_is_unread(self, aws: Aws) -> None:
        aws.answers("s3", "get_bucket_location", {"LocationConstraint": REGION})
        aws.answers("s3", "get_bucket_policy", {"Policy": "{}"})
        aws.refuses("s3", "get_bucket_location", "InternalError", 500)
        assert isinstance(aws.reader.bucket().is_owners, Unread)

    def test_another_accounts_bucket_reports_its_region_beside_the_refusal(self, aws: Aws) -> None:
        aws.refuses("s3", "get_bucket_location", "AccessDenied")
        aws.refuses("s3", "get_bucket_policy", "MethodNotAllowed", 405)
        aws.refuses("s3", "head_bucket", "403", x_amz_bucket_region="eu-west-3")
        seen = aws.reader.bucket()
        assert (seen.region, isinstance(seen.is_owners, Unread), isinstance(seen.policy, Unread)) == ("eu-west-3", True, True)

    def test_a_region_that_s3_does_not_name_is_unread(self, aws: Aws) -> None:
        aws.refuses("s3", "get_bucket_location", "AccessDenied")
        aws.refuses("s3", "get_bucket_policy", "AccessDenied")
        aws.refuses("s3", "head_bucket", "403")
        assert isinstance(aws.reader.bucket().region, Unread)
        aws.refuses("s3", "get_bucket_location", "AccessDenied")
        aws.refuses("s3", "get_bucket_policy", "AccessDenied")
        no_answer = partial(fail, EndpointConnectionError(endpoint_url="s3"))
        aws.clients.s3.meta.events.register("before-parameter-build.s3.HeadBucket", no_answer)
        assert isinstance(aws.reader.bucket().region, Unread)


class TestKey:
    def test_a_key_that_may_not_be_described_may_still_show_its_policy(self, aws: Aws) -> None:
        aws.refuses("kms", "describe_key", "AccessDeniedException", 400)
        aws.answers("kms", "get_key_policy", {"Policy": "{}"})
        seen = aws.reader.key(KEY)
        assert (isinstance(seen.description, Unread), seen.policy) == (True, {})


class TestPermissions:
    def test_a_simulation_has_the_context_of_the_call(self, aws: Aws) -> None:
        here = deployment()
        listing = next(each for each in here.report_permissions(START) if each.actions == ("s3:ListBucket",))
        of_request = [
            ("aws:RequestedRegion", REGION),
            ("aws:PrincipalArn", here.start_role),
            ("aws:PrincipalAccount", ACCOUNT),
        ]
        aws.answers(
            "iam",
            "simulate_principal_policy",
            {"EvaluationResults": []},
            PolicySourceArn=here.start_role,
            ActionNames=["s3:ListBucket"],
            ResourceArns=[f"arn:aws:s3:::{BUCKET}"],
            ContextEntries=[
                *({"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"} for key, value in of_request),
                {
                    "ContextKeyName": "s3:prefix",
                    "ContextKeyValues": ["inspector/reports/nightly/year=2026/month=11/day=23/setup-check/"],
                    "ContextKeyType": "string",
                },
            ],
        )
        assert aws.reader.permission(listing).results == []

    def test_a_role_that_is_not_there_is_unread(self, aws: Aws) -> None:
        aws.refuses("iam", "simulate_principal_policy", "NoSuchEntity", 404)
        seen = aws.reader.permission(deployment().report_permissions(START)[0])
        assert seen.results == Unread("IAM does not know the role")


class TestSchedules:
    def test_those_of_the_workflow_are_found_among_others(self, aws: Aws) -> None:
        other = SCHEDULE | {"Name": "other", "Target": {"Arn": f"{MACHINE}2"}}
        aws.answers("scheduler", "list_schedules", {"Schedules": [other], "NextToken": "more"})
        aws.answers("scheduler", "list_schedules", {"Schedules": [SCHEDULE]})
        aws.answers("scheduler", "get_schedule", FULL_SCHEDULE)
        schedules = aws.reader.schedules()
        assert not isinstance(schedules, Unread)
        assert [each["Name"] for each in schedules] == ["nightly"]

    def test_one_that_was_deleted_meanwhile_is_left_out(self, aws: Aws) -> None:
        aws.answers("scheduler", "list_schedules", {"Schedules": [SCHEDULE]})
        aws.refuses("scheduler", "get_schedule", "ResourceNotFoundException", 404)
        assert aws.reader.schedules() == []

    def test_a_refused_listing_or_reading_is_unread(self, aws: Aws) -> None:
        aws.refuses("scheduler", "list_schedules", "AccessDeniedException")
        assert isinstance(aws.reader.schedules(), Unread)
        aws.answers("scheduler", "list_schedules", {"Schedules": [SCHEDULE]})
        aws.refuses("scheduler", "get_schedule", "AccessDeniedException")
        assert isinstance(aws.reader.schedules(), Unread)
        aws.refuses("scheduler", "list_schedules", "ResourceNotFoundException", 404)
        assert isinstance(aws.reader.schedules(), Unread)

    def test_thousands_of_schedules_are_not_all_read(self, aws: Aws) -> None:
        for page in range(10):
            aws.answers("scheduler", "list_schedules", {"Schedules": [], "NextToken": str(page)})
        assert aws.reader.schedules() == Unread("the account has more than 1,000 schedules")


def test_messages_that_a_consumer_has_received_are_counted_too(aws: Aws) -> None:
    counts = {"ApproximateNumberOfMessages": "2", "ApproximateNumberOfMessagesNotVisible": "1"}
    aws.answers("sqs", "get_queue_attributes", {"Attributes": counts})
    assert aws.reader.undelivered() == 3


def test_the_file_of_the_owners_is_read_as_far_as_it_may_be_long(aws: Aws) -> None:
    place, body = {"Bucket": BUCKET, "ExpectedBucketOwner": ACCOUNT}, b"x" * (MOST_FILE_BYTES + 10)
    aws.answers("s3", "list_objects_v2", {"Contents": [{"Key": OWNERS_KEY}]}, **place, Prefix=OWNERS_KEY, MaxKeys=1)
    aws.answers("s3", "get_object", {"Body": StreamingBody(io.BytesIO(body), len(body))}, **place, Key=OWNERS_KEY)
    content = aws.reader.owner_rules()
    assert isinstance(content, bytes)
    assert len(content) == MOST_FILE_BYTES + 1


def test_a_file_of_owners_that_is_missing_differs_from_one_that_may_not_be_read(aws: Aws) -> None:
    no_owner_rules(aws)
    assert aws.reader.owner_rules() is None
    aws.refuses("s3", "list_objects_v2", "AccessDenied")
    assert isinstance(aws.reader.owner_rules(), Unread)
    aws.refuses("s3", "list_objects_v2", "NoSuchBucket", 404)
    assert isinstance(aws.reader.owner_rules(), Unread)
    place = {"Bucket": BUCKET, "ExpectedBucketOwner": ACCOUNT}
    aws.answers("s3", "list_objects_v2", {"Contents": [{"Key": OWNERS_KEY}]}, **place, Prefix=OWNERS_KEY, MaxKeys=1)
    aws.refuses("s3", "get_object", "AccessDenied")
    assert isinstance(aws.reader.owner_rules(), Unread)


def test_the_topic_of_the_owners_is_checked_only_where_they_get_messages(aws: Aws) -> None:
    def names(messages: str) -> set[str]:
        others = (getattr(aws.clients, name) for name in PreflightClients.__slots__[1:])
        return {
            each.name for each in check_all(PreflightClients(deployment(OWNER_MESSAGES=messages), *others), lambda: START, START)
        }

    assert names("ALL") - names("OFF") == {"owner_topic", "owner_permissions"}
    assert {"owners", "due_dates"} <= names("OFF")
