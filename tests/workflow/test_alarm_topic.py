"""Alarms have a topic of their own; each run and the setup check say when no subscription there is confirmed."""

from collections.abc import Iterator

import pytest

from tests.local_aws.deployed_exporter import Exporter
from tests.local_aws.inspector_control import InspectorControl

NOTE = "Alarms are not delivered: the topic "


@pytest.fixture
def unheard(exporter: Exporter) -> Iterator[None]:
    """The alarm topic has no subscription."""
    with exporter.without_alarm_subscription():
        yield


def notes(exporter: Exporter, arn: str) -> list[str]:
    """What the run's message says of alarms, the same in the event and in the mail."""
    message = exporter.message_of(arn)
    found = [each for each in message.event["notes"] if each.startswith(NOTE)]
    assert (NOTE in " ".join(message.email.split())) is bool(found)
    return found


def test_both_topics_have_the_address(exporter: Exporter) -> None:
    sns = exporter.client("sns")
    subscribed = [
        sns.list_subscriptions_by_topic(TopicArn=exporter.outputs[output])["Subscriptions"]
        for output in ("TopicArn", "AlarmTopicArn")
    ]
    assert [[(each["Protocol"], each["Endpoint"]) for each in of_topic] for of_topic in subscribed] == [
        [("email", "security@example.com")],
        [("email", "security@example.com")],
    ]


def test_runs_say_nothing_while_alarms_are_delivered(exporter: Exporter) -> None:
    assert notes(exporter, exporter.run({}).arn) == []


@pytest.mark.usefixtures("unheard")
def test_a_run_says_that_alarms_are_not_delivered(exporter: Exporter) -> None:
    (note,) = notes(exporter, exporter.run({}).arn)
    assert exporter.outputs["AlarmTopicArn"].rpartition(":")[2] in note


@pytest.mark.usefixtures("unheard")
def test_so_does_a_run_that_was_stopped(exporter: Exporter, inspector: InspectorControl) -> None:
    inspector.hold()
    arn = exporter.start({})
    exporter.reached(arn, "Wait for Report")
    exporter.states.stop_execution(executionArn=arn)
    assert len(notes(exporter, arn)) == 1


@pytest.mark.usefixtures("unheard")
def test_so_does_the_setup_check(exporter: Exporter) -> None:
    checks = {check["name"]: check for check in exporter.invoke("CheckSetupFunction", {})["checks"]}
    assert checks["alarm_topic"]["result"] == "failed"
    assert "has no subscription" in checks["alarm_topic"]["sentence"]


@pytest.mark.usefixtures("unheard")
def test_a_run_is_notified_although_the_alarm_topic_may_not_be_read(exporter: Exporter) -> None:
    with exporter.without_statement("NotifyFunctionRole", "AskWhoHearsAlarms"):
        assert notes(exporter, exporter.run({}).arn) == []
