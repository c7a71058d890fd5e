"""Messages to owners on the embedded AWS: after the run's own, once each, and nothing about them changes how the run ends.

What the analysis leaves for owners is made by hand here, while the run waits for its report: so the workflow leaves the analysis out.
"""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.builders.exporter import headline
from tests.local_aws.deployed_exporter import Exporter, FunctionFailedError, wait_until
from tests.local_aws.fault_control import FaultControl
from tests.local_aws.inspector_control import InspectorControl
from tests.local_aws.server import LocalAws
from tests.workflow.test_roles import OF_OWNERS

OWNERS = ("payments", "shop", "unowned")
STATE = "Notify Owners"


@pytest.fixture(scope="module")
def notifying(exporter_aws: LocalAws) -> Exporter:
    """A stack that notifies owners."""
    parameters = {"OwnerMessages": "ALL", "NotificationEmail": "security@example.com"}
    made = Exporter.deploy(exporter_aws, "owners", parameters=parameters)
    machine = {"stateMachineArn": made.state_machine}
    definition = json.loads(made.states.describe_state_machine(**machine)["definition"])
    definition["States"]["Prepare Run"]["Assign"]["analysis"] = "OFF"
    made.states.update_state_machine(**machine, definition=json.dumps(definition))
    return made


@pytest.fixture
def stack(notifying: Exporter) -> Iterator[Exporter]:
    """The same, cleared of what an earlier test left."""
    notifying.forget()
    FaultControl(notifying).forget()
    control = inspector_of(notifying)
    control.reset()
    control.seed(findings=20, seed=1)
    control.configure(base_seconds=0.2, seconds_per_1000=0.0)
    yield notifying
    FaultControl(notifying).forget()


def inspector_of(stack: Exporter) -> InspectorControl:
    return InspectorControl(stack.aws, stack.account, stack.region)


def put_messages(stack: Exporter, arn: str, content: object) -> str:
    """Put the file with the messages to the owners of a run, as its analysis does, and return its key."""
    now = datetime.now(UTC)
    key = f"inspector/analyses/nightly/year={now:%Y}/month={now:%m}/day={now:%d}/{arn.rsplit(':', 1)[-1]}/owners.json"
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    stack.client("s3").put_object(Bucket=stack.outputs["BucketName"], Key=key, Body=body)
    return key


def set_analysis(stack: Exporter, arn: str, analysis: dict[str, Any]) -> None:
    """Write an analysis into a run's record."""
    stack.client("dynamodb").update_item(
        TableName=stack.outputs["TableName"],
        Key={"pk": {"S": f"EXECUTION#{arn.rsplit(':', 1)[-1]}"}, "sk": {"S": "EXECUTION"}},
        UpdateExpression="SET analysis = :analysis",
        ExpressionAttributeValues={":analysis": {"S": json.dumps(analysis)}},
    )


def owned_run(stack: Exporter, content: object = None, run_input: dict[str, Any] | None = None) -> str:
    """Start a run that has messages to owners, and let it go on once they are there."""
    inspector = inspector_of(stack)
    inspector.hold()
    arn = stack.start(run_input or {})
    stack.reached(arn, "Wait for Report")
    bucket = stack.outputs["BucketName"]
    entries = [
        headline(owner=owner, bucket=bucket, owners_key=None, owner_message_count=0, last_message=False) for owner in OWNERS
    ]
    document = {"schema_version": "1.0", "owners": entries} if content is None else content
    key = put_messages(stack, arn, document)
    set_analysis(stack, arn, headline(bucket=bucket, owner=None, owners_key=key, owner_message_count=len(OWNERS)))
    inspector.release()
    return arn


def sent(stack: Exporter, arn: str) -> Counter[str]:
    """How many messages each owner got about a run."""
    return Counter(each.owner for each in stack.owner_messages() if each.execution == arn.rsplit(":", 1)[-1])


def is_open(stack: Exporter, arn: str) -> bool:
    return "open" in stack.run_item(arn)


def hourly_cleanup(stack: Exporter) -> str:
    """Run it, and return the error that it ended in; empty where it did not."""
    try:
        stack.invoke("CleanUpFunction", {})
    except FunctionFailedError as error:
        return str(error.type)
    return ""


def test_each_owner_is_notified_once_after_the_run_and_the_run_is_closed(stack: Exporter) -> None:
    arn = owned_run(stack)
    assert stack.ended(arn).status == "SUCCEEDED"
    assert stack.states_entered(arn)[-4:] == ["Owners to Notify?", STATE, "Export Failed?", "Export Succeeded"]
    assert sent(stack, arn) == Counter(OWNERS)
    first = stack.message_of(arn).published_at
    assert all(each.published_at > first for each in stack.owner_messages())
    assert not is_open(stack, arn)
    marks = [item for (_, sk), item in stack.items().items() if sk.startswith("OWNER#")]
    assert len(marks) == 3
    assert all("notified_at" in item and "expires" in item for item in marks)
    assert hourly_cleanup(stack) == ""
    assert sent(stack, arn) == Counter(OWNERS)


def test_a_team_gets_what_is_theirs_by_its_filter_policy_and_whoever_has_none_gets_all(stack: Exporter) -> None:
    sqs, sns = stack.client("sqs"), stack.client("sns")

    def subscribed(name: str, **attributes: str) -> str:
        queue = str(sqs.create_queue(QueueName=name)["QueueUrl"])
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        let_in = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}]}
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(let_in)})
        raw = {"RawMessageDelivery": "true"}
        sns.subscribe(TopicArn=stack.outputs["OwnerTopicArn"], Protocol="sqs", Endpoint=arn, Attributes=raw | attributes)
        return queue

    shop = subscribed("shop-findings", FilterPolicy=json.dumps({"owner": ["shop"]}))
    everyone = subscribed("all-findings")

    assert stack.ended(owned_run(stack)).status == "SUCCEEDED"

    def received(queue: str) -> list[str]:
        messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        return sorted(json.loads(each["Body"])["owner"] for each in messages)

    assert wait_until(lambda: received(shop) or None, "the team's message") == ["shop"]
    assert received(shop) == []
    assert wait_until(lambda: received(everyone) or None, "all messages") == sorted(OWNERS)
    topic = stack.client("sns").list_subscriptions_by_topic(TopicArn=stack.outputs["TopicArn"])["Subscriptions"]
    assert [each["Protocol"] for each in topic] == ["email"]


def test_a_run_that_asked_for_silence_notifies_no_owner(stack: Exporter) -> None:
    arn = owned_run(stack, run_input={"notify": False})
    assert stack.ended(arn).status == "SUCCEEDED"
    assert STATE not in stack.states_entered(arn)
    assert hourly_cleanup(stack) == ""
    assert sent(stack, arn) == Counter()
    assert not is_open(stack, arn)


@pytest.mark.parametrize("content", [b"broken", {"owners": {}}, b""])
def test_a_file_that_cannot_be_used_fails_no_run_is_reported_and_sent_once_it_is_right(stack: Exporter, content: object) -> None:
    arn = owned_run(stack, content)
    assert stack.ended(arn).status == "SUCCEEDED"
    assert is_open(stack, arn)
    assert hourly_cleanup(stack) == "NotRecordedError"
    put_messages(stack, arn, {"owners": [headline(owner=owner) for owner in OWNERS]})
    assert hourly_cleanup(stack) == ""
    assert sent(stack, arn) == Counter(OWNERS)
    assert not is_open(stack, arn)


def test_what_is_no_name_of_an_owner_keeps_no_other_owner_from_their_message(stack: Exporter) -> None:
    entries = [headline(owner=owner) for owner in ("../shop", "shop", "OWNER#x", "unowned")]
    arn = owned_run(stack, {"owners": entries})
    assert stack.ended(arn).status == "SUCCEEDED"
    assert sent(stack, arn) == Counter({"shop": 1, "unowned": 1})
    assert sorted(sk for _, sk in stack.items() if sk.startswith("OWNER#")) == ["OWNER#shop", "OWNER#unowned"]
    assert is_open(stack, arn)
    put_messages(stack, arn, {"owners": [headline(owner=owner) for owner in ("shop", "unowned")]})
    assert hourly_cleanup(stack) == ""


def test_a_run_that_is_stopped_before_its_owners_are_notified_has_them_notified_by_the_cleanup(stack: Exporter) -> None:
    name = "stopped-before-its-owners"
    arn = f"{stack.state_machine.replace(':stateMachine:', ':execution:')}:{name}"
    FaultControl(stack).put("stopped_between", state=STATE, execution=arn)
    inspector = inspector_of(stack)
    inspector.hold()
    stack.start({}, name=name)
    stack.reached(arn, "Wait for Report")
    entries = {"owners": [headline(owner=owner) for owner in OWNERS]}
    key = put_messages(stack, arn, entries)
    set_analysis(stack, arn, headline(bucket=stack.outputs["BucketName"], owners_key=key, owner_message_count=3))
    inspector.release()
    assert stack.ended(arn).status == "ABORTED"
    assert stack.message_of(arn).outcome == "SUCCEEDED"
    wait_until(lambda: None if is_open(stack, arn) else True, "the event's cleanup to notify the owners")
    assert sent(stack, arn) == Counter(OWNERS)


@pytest.mark.parametrize("kind", ["throttle", "server_error", "denied"])
def test_a_topic_that_fails_for_good_fails_no_run_and_the_hourly_cleanup_sends_what_is_missing(
    stack: Exporter, kind: Any
) -> None:
    faults = FaultControl(stack)
    faults.put(kind, function="NotifyOwnersFunction", action="sns:Publish", skip=1, times=None)
    arn = owned_run(stack)
    assert stack.ended(arn, seconds=90).status == "SUCCEEDED"
    assert sent(stack, arn) == Counter(["payments"])
    assert is_open(stack, arn)
    faults.clear()
    assert hourly_cleanup(stack) == ""
    assert sent(stack, arn) == Counter(OWNERS)
    assert not is_open(stack, arn)


def test_a_claim_that_a_killed_function_left_holds_up_that_owner_alone(stack: Exporter) -> None:
    arn = owned_run(stack, {"owners": []})
    assert stack.ended(arn).status == "SUCCEEDED"
    assert not is_open(stack, arn)  # there was nothing to send
    name, soon = arn.rsplit(":", 1)[-1], int((datetime.now(UTC) + timedelta(seconds=5)).timestamp())
    put_messages(stack, arn, {"owners": [headline(owner=owner) for owner in OWNERS]})
    dynamodb, table = stack.client("dynamodb"), stack.outputs["TableName"]
    dynamodb.update_item(
        TableName=table,
        Key={"pk": {"S": f"EXECUTION#{name}"}, "sk": {"S": "EXECUTION"}},
        UpdateExpression="SET #open = :open REMOVE owners_done_at",
        ExpressionAttributeNames={"#open": "open"},
        ExpressionAttributeValues={":open": {"S": "OPEN"}},
    )
    claim = {"notifying_until": {"N": str(soon)}, "notifier": {"S": "killed"}}
    dynamodb.put_item(TableName=table, Item={"pk": {"S": f"EXECUTION#{name}"}, "sk": {"S": "OWNER#shop"}} | claim)
    assert hourly_cleanup(stack) == "NotificationInProgressError"
    assert sent(stack, arn) == Counter(["payments", "unowned"])
    wait_until(lambda: True if hourly_cleanup(stack) == "" else None, "the claim to run out")
    assert sent(stack, arn) == Counter(OWNERS)


def test_the_setup_check_assesses_the_owners_their_topic_and_the_roles(stack: Exporter) -> None:
    def checked() -> dict[str, dict[str, Any]]:
        return {each["name"]: each for each in stack.invoke("CheckSetupFunction", {})["checks"]}

    none = checked()
    assert none["owners"]["result"] == "failed"
    assert "OwnerMessages is ALL, but there are no owners" in none["owners"]["sentence"]
    assert none["owner_permissions"]["result"] == none["due_dates"]["result"] == "passed"
    stack.put_owner_rules([{"owner": "shop", "accounts": ["*"]}])
    assert checked()["owners"]["sentence"] == "The file inspector/config/owners.json has 1 rule that names an owner."
    stack.put_owner_rules([{"owner": "the shop", "accounts": ["*"]}])
    wrong = checked()["owners"]
    assert wrong["result"] == "failed"
    assert wrong["evidence"][0].startswith("[0].owner must be a name")


@pytest.mark.parametrize(("role", "sid"), sorted(OF_OWNERS), ids=lambda each: each)
def test_statement_is_needed(role: str, sid: str, stack: Exporter) -> None:
    if role == "CleanUpFunctionRole":
        with stack.without_statement("NotifyOwnersFunctionRole", "ReadOwnerMessages"):
            arn = owned_run(stack)
            assert stack.ended(arn, seconds=90).status == "SUCCEEDED"
        with stack.without_statement(role, sid):
            assert hourly_cleanup(stack) == "AccessDeniedError"
    else:
        with stack.without_statement(role, sid):
            arn = owned_run(stack)
            assert stack.ended(arn, seconds=90).status == "SUCCEEDED"
    assert sent(stack, arn) == Counter()
    assert is_open(stack, arn)
    assert hourly_cleanup(stack) == ""
    assert sent(stack, arn) == Counter(OWNERS)
