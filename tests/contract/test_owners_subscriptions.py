"""What docs/subscriptions.md offers a team lets through what is theirs and nothing else, and the topic is one of its own."""

import json
import re
from typing import Any

import pytest

from findings_exporter import notification
from tests.builders.exporter import config, ended_run, headline
from tests.unit.exporter.notification.test_subscriptions import TO_OWNERS, passes

SECTION = TO_OWNERS.split("\n## ")[0]
FILTERS: list[dict[str, Any]] = [
    json.loads(json.loads(text)["FilterPolicy"]) for text in re.findall(r"--attributes '(.+?)'", SECTION)
]
FILTERS += [json.loads(text) for text in re.findall(r"--attribute-value '(.+?)'", SECTION)]
OVERDUE = json.loads(re.findall(r"### Only what is overdue\n\n```json\n(.*?)```", SECTION, re.DOTALL)[0])


def attributes(owner: str, **fields: Any) -> dict[str, Any]:
    """The attributes of a message to an owner, as SNS delivers them."""
    run = ended_run()
    published = notification.owner_publication(run, headline(owner=owner, **fields), config(OWNER_MESSAGES="ALL"))
    return {
        name: {"Type": each["DataType"], "Value": each["StringValue"]} for name, each in published["MessageAttributes"].items()
    }


def test_the_page_has_a_command_for_each_kind_of_subscriber() -> None:
    protocols = re.findall(r"--protocol (\w+)", SECTION)
    assert sorted(protocols) == ["email", "lambda", "sqs"]
    assert "create-slack-channel-configuration" in SECTION
    assert "create-microsoft-teams-channel-configuration" in SECTION
    assert len(FILTERS) == 4


@pytest.mark.parametrize("policy", FILTERS, ids=json.dumps)
def test_a_team_gets_what_is_theirs_and_nothing_else(policy: dict[str, Any]) -> None:
    assert policy == {"owner": ["shop"]}
    assert passes(policy, attributes("shop"))
    assert not any(passes(policy, attributes(owner)) for owner in ("unowned", "shop2", "SHOP", "shop.0123abcd"))


def test_only_what_is_overdue_lets_nothing_else_through() -> None:
    values = attributes("shop")
    late, punctual = ({**values, "overdue": {"Type": "String", "Value": value}} for value in ("true", "false"))
    assert passes(OVERDUE, late)
    assert not passes(OVERDUE, punctual)


def test_the_page_names_every_attribute_of_a_message_to_an_owner() -> None:
    table = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", SECTION, re.MULTILINE)
    named = {name for names in table for name in re.findall(r"`(\w+)`", names)}
    assert named == set(attributes("shop"))
    assert attributes("shop")["owner"]["Value"] == "shop"


def test_what_only_aws_can_show_is_marked() -> None:
    assert SECTION.count("*Needs AWS to try:") == 2
