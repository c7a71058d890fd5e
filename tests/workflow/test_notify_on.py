"""What the stack's own email subscription filters on the embedded AWS, and that an update changes the filter and never removes it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.local_aws.deployed_exporter import Exporter, wait_until
from tests.local_aws.inspector_control import InspectorControl
from tests.local_aws.server import LocalAws


@pytest.fixture
def problems(exporter_aws: LocalAws) -> Iterator[Exporter]:
    """A stack whose address gets problems only."""
    stack = Exporter.deploy(
        exporter_aws, "problems", parameters={"NotificationEmail": "security@example.com", "NotifyOn": "PROBLEMS"}
    )
    inspector = InspectorControl(exporter_aws, stack.account, stack.region)
    inspector.reset()
    inspector.seed(findings=20, seed=1)
    inspector.configure(base_seconds=0.2, seconds_per_1000=0.0)
    yield stack
    stack.client("cloudformation").delete_stack(StackName=stack.stack_name)


def filter_policy(stack: Exporter) -> dict[str, Any]:
    """The filter policy of the subscription that the stack made for the address."""
    sns = stack.client("sns")
    (subscription,) = sns.list_subscriptions_by_topic(TopicArn=stack.outputs["TopicArn"])["Subscriptions"]
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "security@example.com")
    attributes = sns.get_subscription_attributes(SubscriptionArn=subscription["SubscriptionArn"])["Attributes"]
    policy: dict[str, Any] = json.loads(attributes["FilterPolicy"])
    return policy


def test_problems_are_delivered_and_a_first_report_is_not(problems: Exporter) -> None:
    policy = filter_policy(problems)
    sns, sqs = problems.client("sns"), problems.client("sqs")
    queue = sqs.create_queue(QueueName="filtered-like-the-address")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    let_in = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}]}
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(let_in)})
    sns.subscribe(
        TopicArn=problems.outputs["TopicArn"],
        Protocol="sqs",
        Endpoint=arn,
        Attributes={"RawMessageDelivery": "true", "FilterPolicy": json.dumps(policy)},
    )

    succeeded = problems.run({})
    failed = problems.run({"report": {"name": "?"}})

    assert (succeeded.status, failed.status) == ("SUCCEEDED", "FAILED")
    levels = {arn: problems.message_of(arn).attributes["level"] for arn in (succeeded.arn, failed.arn)}
    assert {arn: each["StringValue"] for arn, each in levels.items()} == {succeeded.arn: "CHANGES", failed.arn: "PROBLEM"}
    got: list[Any] = wait_until(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"), "the failure in the queue")
    assert [json.loads(each["Body"])["execution"]["arn"] for each in got] == [failed.arn]
    assert "Messages" not in sqs.receive_message(QueueUrl=queue)


def test_an_update_to_all_lists_every_level_and_keeps_the_filter_policy(problems: Exporter) -> None:
    assert filter_policy(problems) == {"level": ["PROBLEM"]}
    cloudformation = problems.client("cloudformation")
    parameters = cloudformation.describe_stacks(StackName=problems.stack_name)["Stacks"][0]["Parameters"]
    kept = [each for each in parameters if each["ParameterKey"] != "NotifyOn"]
    cloudformation.update_stack(
        StackName=problems.stack_name,
        UsePreviousTemplate=True,
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        Parameters=[*kept, {"ParameterKey": "NotifyOn", "ParameterValue": "ALL"}],
    )

    def updated() -> bool | None:
        status = cloudformation.describe_stacks(StackName=problems.stack_name)["Stacks"][0]["StackStatus"]
        assert "ROLLBACK" not in status
        return True if status == "UPDATE_COMPLETE" else None

    wait_until(updated, "the stack to be updated", seconds=60)
    assert filter_policy(problems) == {"level": ["PROBLEM", "CHANGES", "NONE"]}
