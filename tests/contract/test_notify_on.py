"""The stack's own email subscription lets through what ``NotifyOn`` says, of every kind of message that the topic gets."""

import json
from typing import Any

import pytest

from findings_exporter import notification
from findings_exporter.notification import short
from findings_exporter.preflight import message
from tests.builders.exporter import START, config
from tests.builders.rendered import Place, Rendered
from tests.contract.parts import TEMPLATE
from tests.tools import gallery
from tests.unit.exporter.notification.test_messages_of_a_run import DAILY_RUNS
from tests.unit.exporter.notification.test_subscriptions import passes
from tests.unit.exporter.preflight.test_preflight_message import HERE, SETS

ADDRESS = "security@example.com"
CHOICES: dict[str, set[str]] = {"ALL": {"PROBLEM", "CHANGES", "NONE"}, "CHANGES": {"PROBLEM", "CHANGES"}, "PROBLEMS": {"PROBLEM"}}
RUNS = DAILY_RUNS | gallery.failures()
PUBLISHED: dict[str, dict[str, Any]] = {
    **{kind: notification.publication(run, config())["MessageAttributes"] for kind, run in RUNS.items()},
    **{
        f"short message of {kind}": notification._published(
            "", "", short.attributes(run, config()), notification._of_runs(config())
        )["MessageAttributes"]
        for kind, run in RUNS.items()
    },
    **{f"setup check, {kind}": message.publication(found, HERE, START)["MessageAttributes"] for kind, found in SETS.items()},
}
"""The attributes of every kind of message, as they are published."""


def subscription(choice: str | None = None) -> dict[str, Any]:
    """The email subscription of the topic of runs, for a choice of NotifyOn."""
    chosen = {"NotifyOn": choice} if choice else {}
    rendered = Rendered(Place(parameters={"NotificationEmail": ADDRESS, **chosen}))
    of_topic = [each for each in rendered.of_type("AWS::SNS::Subscription").values() if each["TopicArn"] == rendered.arn("Topic")]
    (found,) = of_topic
    return found


def delivered_attributes(attributes: dict[str, Any]) -> dict[str, Any]:
    """Published attributes as SNS delivers them."""
    return {name: {"Type": each["DataType"], "Value": each["StringValue"]} for name, each in attributes.items()}


def test_every_choice_is_tried_and_all_is_the_default() -> None:
    parameter = TEMPLATE["Parameters"]["NotifyOn"]
    assert set(parameter["AllowedValues"]) == set(CHOICES)
    assert subscription() == subscription("ALL")
    assert set(notification.LEVELS) == CHOICES["ALL"]


@pytest.mark.parametrize("choice", CHOICES)
def test_the_address_gets_the_levels_of_its_choice_and_no_other(choice: str) -> None:
    policy = subscription(choice)["FilterPolicy"]
    delivered = {kind for kind, attributes in PUBLISHED.items() if passes(policy, delivered_attributes(attributes))}
    wanted = {kind for kind, attributes in PUBLISHED.items() if attributes["level"]["StringValue"] in CHOICES[choice]}
    assert delivered == wanted
    assert {PUBLISHED[kind]["level"]["StringValue"] for kind in delivered} == CHOICES[choice]


@pytest.mark.parametrize("choice", CHOICES)
def test_no_choice_filters_a_failure_or_a_coverage_that_is_lost_or_unknown(choice: str) -> None:
    policy = subscription(choice)["FilterPolicy"]
    alarming = {
        kind
        for kind, attributes in PUBLISHED.items()
        if "coverage" in attributes
        # With Analysis: OFF coverage is never known, and that is what the deployer chose.
        and not kind.endswith("without-an-analysis")
        and (attributes["outcome"]["StringValue"] != "SUCCEEDED" or attributes["coverage"]["StringValue"] in {"lost", "unknown"})
    }
    assert len(alarming) > 20
    assert [kind for kind in alarming if not passes(policy, delivered_attributes(PUBLISHED[kind]))] == []
    assert passes(policy, delivered_attributes(PUBLISHED["setup check, failed"]))
    assert passes(policy, delivered_attributes(PUBLISHED["setup check, unknown"]))


@pytest.mark.parametrize("choice", CHOICES)
def test_there_is_always_a_filter_policy_that_sns_reads_from_the_attributes(choice: str) -> None:
    found = subscription(choice)
    assert found["FilterPolicyScope"] == "MessageAttributes"
    assert list(found["FilterPolicy"]) == ["level"]
    assert (found["Protocol"], found["Endpoint"]) == ("email", ADDRESS)
    assert json.loads(json.dumps(found["FilterPolicy"])) == found["FilterPolicy"]


def test_every_message_has_the_level() -> None:
    assert [kind for kind, attributes in PUBLISHED.items() if "level" not in attributes] == []
