"""The channels of a chat: they get the topic's messages, and give no permission."""

from typing import Any

import pytest

from tests.builders.rendered import ACCOUNT, CHAT, CHINA, GOV, STACK, VARIANTS, Place, Rendered
from tests.contract.parts import TEMPLATE

CHANNELS = "AWS::Chatbot::SlackChannelConfiguration", "AWS::Chatbot::MicrosoftTeamsChannelConfiguration"
SLACK, TEAMS = ({name: each for name, each in CHAT.items() if name.startswith(kind)} for kind in ("Slack", "Teams"))
WITH = Rendered(VARIANTS["chat"])


@pytest.mark.parametrize(
    ("parameters", "channels", "roles"), [({}, [], 0), (SLACK, CHANNELS[:1], 1), (TEAMS, CHANNELS[1:], 1), (CHAT, CHANNELS, 1)]
)
def test_a_stack_has_the_channels_of_its_parameters(parameters: dict[str, str], channels: list[str], roles: int) -> None:
    rendered = Rendered(Place(parameters=parameters))
    assert [kind for kind in CHANNELS if rendered.of_type(kind)] == list(channels)
    assert len([name for name in rendered.of_type("AWS::IAM::Role") if name == "ChatRole"]) == roles


@pytest.mark.parametrize("place", [CHINA, GOV])
def test_other_partitions_have_no_chat_service(place: Place) -> None:
    assert place.parameters == CHAT
    rendered = Rendered(place)
    assert [kind for kind in CHANNELS if rendered.of_type(kind)] == []
    assert "ChatRole" not in rendered.resources


def test_a_configuration_is_named_after_stack_and_region_since_its_name_is_of_the_account() -> None:
    names = {
        channel["ConfigurationName"]
        for region in ("eu-west-1", "us-east-1")
        for kind in CHANNELS
        for channel in Rendered(Place(region=region, parameters=CHAT)).of_type(kind).values()
    }
    assert names == {f"{STACK}-{region}-{chat}" for region in ("eu-west-1", "us-east-1") for chat in ("slack", "teams")}
    longest = "s" * 65 + "-ap-southeast-1-slack"
    assert len(longest) <= 128


@pytest.mark.parametrize("kind", CHANNELS)
def test_a_channel_gets_both_topics_and_has_no_permissions(kind: str) -> None:
    (channel,) = WITH.of_type(kind).values()
    role: dict[str, Any] = WITH.of_type("AWS::IAM::Role")["ChatRole"]
    assert channel["SnsTopicArns"] == [WITH.arn("Topic"), WITH.arn("AlarmTopic")]
    assert channel["GuardrailPolicies"] == ["arn:aws:iam::aws:policy/AWSDenyAll"]
    assert role.keys().isdisjoint({"Policies", "ManagedPolicyArns"})
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "chatbot.amazonaws.com"}
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}


@pytest.mark.parametrize(("rule", "names"), [("SlackNeedsBoth", SLACK), ("TeamsNeedsAllThree", TEAMS)])
def test_a_half_named_channel_is_refused(rule: str, names: dict[str, str]) -> None:
    found = TEMPLATE["Rules"][rule]
    assert all(name in found["Assertions"][0]["AssertDescription"] for name in names)
    assert all(f"'Ref': '{name}'" in str(found["RuleCondition"]) for name in names)
    assert all(f"'Ref': '{name}'" in str(found["Assertions"][0]["Assert"]) for name in names)


def test_no_statement_of_a_function_role_reaches_the_chat_role() -> None:
    # Another account's bucket and key know the stack's functions by the path of their roles.
    paths = {name: role["Path"] for name, role in WITH.of_type("AWS::IAM::Role").items() if "Path" in role}
    assert not any(paths["ChatRole"].startswith(path) for name, path in paths.items() if name != "ChatRole")
