"""Whether alarms are delivered: what each run's message says of it, and when it says nothing."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError
from botocore.stub import Stubber

from findings_exporter.aws.alarm_topic import unconfirmed_note
from tests.builders.exporter import ALARM_TOPIC, config

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient


@pytest.fixture
def client() -> "SNSClient":
    return boto3.client("sns")


@pytest.fixture
def sns(client: "SNSClient") -> Iterator[Stubber]:
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("confirmed", "pending", "said"),
    [
        ("1", "0", None),
        ("3", "0", None),
        ("0", "0", "Alarms are not delivered: the topic findings-Alarms has no subscription."),
        ("0", "1", "Alarms have unconfirmed subscriptions: 1. Open the link"),
        ("2", "1", "Alarms have unconfirmed subscriptions: 1. Open the link"),
    ],
)
def test_a_note_says_while_a_subscription_is_missing(
    client: "SNSClient", sns: Stubber, confirmed: str, pending: str, said: str | None
) -> None:
    attributes = {"SubscriptionsConfirmed": confirmed, "SubscriptionsPending": pending}
    sns.add_response("get_topic_attributes", {"Attributes": attributes}, {"TopicArn": ALARM_TOPIC})
    note = unconfirmed_note(client, config())
    assert note is None if said is None else note is not None and note.startswith(said)


def test_a_topic_without_numbers_has_no_subscription(client: "SNSClient", sns: Stubber) -> None:
    sns.add_response("get_topic_attributes", {"Attributes": {}}, {"TopicArn": ALARM_TOPIC})
    assert "has no subscription" in str(unconfirmed_note(client, config()))


@pytest.mark.parametrize(
    "refuse",
    [
        lambda stub: stub.add_client_error("get_topic_attributes", "AuthorizationError", http_status_code=403),
        lambda stub: stub.add_client_error("get_topic_attributes", "NotFound", http_status_code=404),
        lambda stub: stub.add_client_error("get_topic_attributes", "InternalError", http_status_code=500),
    ],
)
def test_what_cannot_be_read_is_logged_and_no_message_waits_for_it(
    client: "SNSClient", sns: Stubber, refuse: Callable[[Stubber], None], caplog: pytest.LogCaptureFixture
) -> None:
    refuse(sns)
    assert unconfirmed_note(client, config()) is None
    assert "the subscriptions of the alarm topic could not be read" in caplog.text


def test_neither_does_a_message_wait_for_an_answer_that_does_not_come(
    client: "SNSClient", monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(**_: object) -> None:
        raise ReadTimeoutError(endpoint_url="https://sns")

    monkeypatch.setattr(client, "get_topic_attributes", hang)
    assert unconfirmed_note(client, config()) is None
