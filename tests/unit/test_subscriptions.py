"""The filter policies that docs/subscriptions.md offers let through what they promise, and never silence an alarm."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from moto.sns.utils import FilterPolicyMatcher

from findings_exporter import messages
from tests import gallery
from tests.unit.builders import TOPIC, client, config

DOCUMENT = Path("docs/subscriptions.md").read_text(encoding="utf-8")
POLICIES: dict[str, dict[str, Any]] = {
    head: json.loads(text) for head, text in re.findall(r"^### (.+?)\n.*?```json\n(.*?)```", DOCUMENT, re.MULTILINE | re.DOTALL)
}
RUNS = gallery.runs()
FAILURES = {kind for kind in RUNS if kind.startswith("failed-")}
DARK = {"dark", "dark-nothing-scanned"}
WITH_NEW_CRITICALS = {"changes", "changes-in-several-places", "changes-without-a-page", "changes-of-another-report", "dark"}
ALARM: dict[str, Any] = {}
SETUP_CHECK = {"region": {"Type": "String", "Value": "eu-central-1"}}
EXAMPLES = {
    "Only when something failed": FAILURES,
    "Only when there is something to do": FAILURES | DARK | WITH_NEW_CRITICALS,
    "Everything but good nights without anything new": set(RUNS) - {"quiet", "nothing-found", "nothing-found-again"},
    "Only dark nights and alarms": DARK,
    "Only one report": set(RUNS) - {"changes-of-another-report"},
}
EVERY_EXAMPLE = pytest.mark.parametrize("example", EXAMPLES)


def passes(example: str, attributes: dict[str, Any]) -> bool:
    """Whether a message with such attributes comes through."""
    return bool(FilterPolicyMatcher(POLICIES[example], "MessageAttributes").matches(attributes, "{}"))


def test_every_example_of_the_page_is_tried() -> None:
    assert set(POLICIES) == set(EXAMPLES)


@EVERY_EXAMPLE
def test_an_example_lets_through_what_it_promises_and_nothing_else(example: str) -> None:
    told = {
        kind: {name: {"Type": "String", "Value": value} for name, value in messages.attributes(run, config()).items()}
        for kind, run in RUNS.items()
    }
    assert {kind for kind, attributes in told.items() if passes(example, attributes)} == EXAMPLES[example]


@EVERY_EXAMPLE
@pytest.mark.parametrize("attributes", [ALARM, SETUP_CHECK], ids=["alarm", "setup check"])
def test_an_example_silences_neither_alarms_nor_setup_checks(example: str, attributes: dict[str, Any]) -> None:
    assert passes(example, attributes)


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
    table = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", DOCUMENT, re.MULTILINE))
    told = [messages.attributes(run, config()) for run in RUNS.values()]
    assert set(table) == set(told[0])
    for name in ("outcome", "night", "worst_new_severity"):
        assert {each[name] for each in told} <= set(re.findall(r"`(\w+)`", table[name]))
