"""The filter policies that docs/subscriptions.md offers let through what they promise, and never silence an alarm."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from moto.sns.utils import FilterPolicyMatcher

from findings_exporter import notification
from tests.builders.exporter import TOPIC, client, config
from tests.builders.rendered import Place, Rendered
from tests.tools import gallery
from tests.unit.exporter.notification.test_messages_of_a_run import DAILY_RUNS

DOCUMENT = Path("docs/subscriptions.md").read_text(encoding="utf-8")
OF_RUNS, TO_OWNERS = DOCUMENT.split("## Messages to owners\n")
"""What the page says of messages about runs, and of those to owners, which have a topic and attributes of their own."""
POLICIES: dict[str, dict[str, Any]] = {
    head: json.loads(text) for head, text in re.findall(r"^### (.+?)\n.*?```json\n(.*?)```", OF_RUNS, re.MULTILINE | re.DOTALL)
}
RUNS = DAILY_RUNS | gallery.failures()
FAILURES = set(gallery.failures())
LOST = {"scan-coverage-lost", "nothing-scanned"}
PROBLEMS = FAILURES | LOST | {"coverage-unknown", "unusual-drop", "analysis-failed"}
WITH_NEW_CRITICALS = {
    "changes",
    "owners-and-due-dates",
    "several-places",
    "without-a-page",
    "another-report",
    "scan-coverage-lost",
}
ALARM: dict[str, Any] = {}
ADDRESS = {"NotificationEmail": "a@example.com"}
SETUP_CHECK = {name: {"Type": "String", "Value": value} for name, value in (("region", "eu-central-1"), ("level", "PROBLEM"))}
EXAMPLES = {
    "Only problems": PROBLEMS,
    "Problems and changes": set(RUNS) - {"no-changes", "nothing-found-again"},
    "Only failed runs": FAILURES,
    "Only what needs action": PROBLEMS | WITH_NEW_CRITICALS,
    "Only lost scan coverage": LOST,
    "Only one report": set(RUNS) - {"another-report"},
}
EVERY_EXAMPLE = pytest.mark.parametrize("example", EXAMPLES)


def passes(policy: dict[str, Any], attributes: dict[str, Any]) -> bool:
    """Whether a message with such attributes comes through.

    No filter policy matches a message without any attribute, whatever it says; moto's matcher does not know that. [AWS: SNS
    developer guide, key matching]
    """
    return bool(attributes) and bool(FilterPolicyMatcher(policy, "MessageAttributes").matches(attributes, "{}"))


def test_every_example_of_the_page_is_tried() -> None:
    assert set(POLICIES) == set(EXAMPLES)


@EVERY_EXAMPLE
def test_an_example_lets_through_what_it_promises_and_nothing_else(example: str) -> None:
    result = {
        kind: {name: {"Type": "String", "Value": value} for name, value in notification.attributes(run, config()).items()}
        for kind, run in RUNS.items()
    }
    assert {kind for kind, attributes in result.items() if passes(POLICIES[example], attributes)} == EXAMPLES[example]


@EVERY_EXAMPLE
def test_an_example_silences_no_setup_check(example: str) -> None:
    assert passes(POLICIES[example], SETUP_CHECK)


@pytest.mark.parametrize("policy", [*POLICIES.values(), {"outcome": [{"exists": False}]}])
def test_no_filter_policy_lets_an_alarm_through_so_alarms_have_a_topic_without_one(policy: dict[str, Any]) -> None:
    assert not passes(policy, ALARM)
    subscriptions = [
        each
        for each in Rendered(Place(parameters=ADDRESS)).of_type("AWS::SNS::Subscription").values()
        if each["TopicArn"].endswith("-Alarms")
    ]
    assert subscriptions
    assert all("FilterPolicy" not in each for each in subscriptions)
    assert "without a filter policy" in " ".join(DOCUMENT.split())


@EVERY_EXAMPLE
def test_sns_takes_an_example(example: str, aws: None) -> None:
    sns = client("sns")
    topic = sns.create_topic(Name=TOPIC.rsplit(":", 1)[-1])["TopicArn"]
    policy = json.dumps(POLICIES[example])
    subscription = sns.subscribe(
        TopicArn=topic,
        Protocol="email",
        Endpoint="a@example.com",
        Attributes={"FilterPolicy": policy, "FilterPolicyScope": "MessageAttributes"},
        ReturnSubscriptionArn=True,
    )["SubscriptionArn"]
    assert (
        json.loads(sns.get_subscription_attributes(SubscriptionArn=subscription)["Attributes"]["FilterPolicy"])
        == POLICIES[example]
    )


def test_the_page_names_every_attribute_and_its_values() -> None:
    section = OF_RUNS.split("## What you can filter by\n")[1]
    table = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", section, re.MULTILINE))
    attributes = [notification.attributes(run, config()) for run in RUNS.values()]
    assert set(table) == set(attributes[0])
    for name in ("outcome", "coverage", "worst_new_severity", "level"):
        assert {each[name] for each in attributes} <= set(re.findall(r"`(\w+)`", table[name]))
