"""The setup check assesses who owns what, until when, and whether the owners can be notified."""

import json
from typing import Any

import pytest

from findings_exporter.aws.attempts import Unread
from findings_exporter.preflight.check import Check
from findings_exporter.preflight.owners import due_dates, owner_rules, owners_topic_delivers
from tests.builders.exporter import config
from tests.builders.setup_builders import deployment
from tests.builders.setup_rows import document

KEY = "inspector/config/owners.json"
HERE = deployment(OWNER_MESSAGES="ALL")
RULE = {"owner": "shop", "accounts": ["111122223333"]}


def rules(content: Any, **variables: str) -> Check:
    """What the check says of a file, given as JSON, bytes, None or Unread."""
    raw = content if content is None or isinstance(content, bytes | Unread) else json.dumps(content).encode()
    return owner_rules(raw, config(**variables))


class TestRules:
    def test_no_file_passes_where_no_one_is_to_be_notified(self) -> None:
        assert rules(None) == rules(None, OWNER_MESSAGES="OFF")
        assert (rules(None).result, rules(None).fix) == ("passed", ())

    def test_a_tag_makes_a_file_unnecessary(self) -> None:
        check = rules(None, OWNER_TAG="team", OWNER_MESSAGES="ALL")
        assert check.result == "passed"
        assert "team" in check.sentence

    @pytest.mark.parametrize("messages", ["CHANGES", "ALL"])
    @pytest.mark.parametrize("content", [None, []])
    def test_messages_without_any_owner_are_reported_with_what_to_do(self, messages: str, content: Any) -> None:
        check = rules(content, OWNER_MESSAGES=messages)
        assert check.result == "failed"
        assert f"OwnerMessages is {messages}" in check.sentence
        assert KEY in check.fix[0]

    def test_rules_that_can_be_used_are_counted(self) -> None:
        assert rules([RULE]).sentence == f"The file {KEY} has 1 rule that names an owner."
        assert rules([RULE, RULE], OWNER_MESSAGES="ALL").sentence == f"The file {KEY} has 2 rules that name owners."

    def test_each_fault_is_named_with_its_place(self) -> None:
        check = rules([RULE, {"owner": "a b", "accounts": ["1"]}, {"owner": "x"}, {"owner": "y", "region": ["eu-west-1"]}])
        assert (check.result, check.sentence) == (
            "failed",
            f"The file {KEY} cannot be used, so that the owners of findings are unknown.",
        )
        assert [line.split()[0] for line in check.evidence] == ["[1].owner", "[2]", "[3].region", "[3]"]

    @pytest.mark.parametrize("content", [b"", b"{", b"\xff", {}, 7, "x", [7], b"[" * 100_000, b" " * (2 << 20)])
    def test_whatever_lies_there_is_assessed(self, content: Any) -> None:
        check = rules(content)
        assert check.result == "failed"
        assert check.evidence
        assert check.fix

    def test_what_cannot_be_read_is_unknown(self) -> None:
        check = rules(Unread("AWS refused GetObject: not you", is_refused=True))
        assert (check.result, check.sentence) == (
            "unknown",
            f"The check could not read the file {KEY}: AWS refused GetObject: not you.",
        )


class TestDueDates:
    @pytest.mark.parametrize("text", ["", "  ", "{}"])
    def test_none_pass(self, text: str) -> None:
        assert due_dates(config(REMEDIATION_DAYS=text)).sentence == "There are no due dates: RemediationDays is empty."

    def test_they_are_shown_as_they_are_read(self) -> None:
        check = due_dates(config(REMEDIATION_DAYS='{"HIGH": 30, "CRITICAL": 1}'))
        assert (check.result, check.sentence) == (
            "passed", "Due dates count from the first-seen day: CRITICAL 1 day, HIGH 30 days.",
        )  # fmt: skip

    @pytest.mark.parametrize(
        ("text", "wrong"),
        [("[15]", "object"), ("{", "not JSON"), ('{"HIHG": 1}', "HIHG"), ('{"HIGH": 0}', "HIGH"), ('{"HIGH": "x"}', "HIGH")],
    )
    def test_what_is_wrong_is_named(self, text: str, wrong: str) -> None:
        check = due_dates(config(REMEDIATION_DAYS=text))
        assert check.result == "failed"
        assert wrong in check.sentence
        assert "RemediationDays" in check.fix[0]


class TestTopic:
    def test_a_team_that_is_subscribed_is_enough(self) -> None:
        check = owners_topic_delivers({"SubscriptionsConfirmed": "1", "SubscriptionsPending": "0"}, HERE)
        assert (check.name, check.result) == ("owner_topic", "passed")

    def test_without_a_subscription_no_owner_is_notified(self) -> None:
        check = owners_topic_delivers({"SubscriptionsConfirmed": "0", "SubscriptionsPending": "2"}, HERE)
        assert check.result == "failed"
        assert "to be confirmed: 2" in check.sentence
        assert "filter policy on the attribute owner" in check.fix[0]

    def test_a_policy_that_denies_the_exporter_is_found(self) -> None:
        statement = {
            "Sid": "No",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sns:Publish",
            "Resource": HERE.config.owner_topic_arn,
        }
        attributes = {"SubscriptionsConfirmed": "1", "SubscriptionsPending": "0", "Policy": json.dumps(document([statement]))}
        check = owners_topic_delivers(attributes, HERE)
        assert check.result == "failed"
        assert "denies the exporter to publish" in check.sentence

    def test_one_that_does_not_exist_or_cannot_be_read_never_passes(self) -> None:
        assert owners_topic_delivers(None, HERE).result == "failed"
        assert owners_topic_delivers(Unread("no time"), HERE).result == "unknown"
        assert owners_topic_delivers({"Policy": "{", "SubscriptionsConfirmed": "1"}, HERE).result == "unknown"
