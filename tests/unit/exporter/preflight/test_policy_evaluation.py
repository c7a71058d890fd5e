"""Policies are evaluated as IAM does it: each row of the table by its status, and each rule by itself."""

from typing import Any

import pytest

from findings_exporter.preflight.bucket import bucket_policy_for_exporter, bucket_policy_for_inspector
from findings_exporter.preflight.check import Check
from findings_exporter.preflight.key import key_policy_for_exporter, key_policy_for_inspector
from findings_exporter.preflight.policy_evaluation import Request, _like, all_of, any_of, decide, shortfalls
from tests.builders.exporter import START
from tests.builders.report_builders import hang_guard
from tests.builders.setup_builders import bucket, deployment, key, place
from tests.builders.setup_rows import (
    BUCKET_POLICIES,
    KEY_POLICIES,
    OTHER_ACCOUNT,
    Row,
    denies,
    document,
    encrypts,
    ours,
    root,
    writes,
)

ROWS = [*BUCKET_POLICIES, *KEY_POLICIES]
EVERY_ROW = pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
NO_DENY = [row for row in ROWS if row.result == "failed" and "denied" not in row.name]
HERE = place(deployment())
ROLE = HERE.verify_role


def policy_checks(row: Row) -> dict[str, Check]:
    """Every check of a policy that a row has something to do with."""
    here = deployment()
    found = [
        bucket_policy_for_inspector(bucket(row), here, START),
        bucket_policy_for_exporter(bucket(row), here, START),
        key_policy_for_inspector(key(row), here),
        key_policy_for_exporter(key(row), here),
    ]
    return {check.name: check for check in found}


def test_the_table_is_long_enough_to_matter() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert len(ROWS) >= 40
    assert {row.result for row in BUCKET_POLICIES} == {row.result for row in KEY_POLICIES} == {"passed", "failed", "unknown"}


@EVERY_ROW
def test_a_row_has_its_status(row: Row) -> None:
    assert policy_checks(row)[row.check].result == row.result


@EVERY_ROW
def test_what_has_not_passed_comes_with_its_fix(row: Row) -> None:
    check = policy_checks(row)[row.check]
    assert check.sentence.endswith(".")
    if row.result == "passed":
        assert (check.fix, check.statements, check.policy) == ((), (), None)
    else:
        assert check.fix


@pytest.mark.parametrize("row", NO_DENY, ids=[row.name for row in NO_DENY])
def test_the_whole_policy_with_the_statement_is_right_and_keeps_all_that_was_there(row: Row) -> None:
    wrong = policy_checks(row)[row.check]
    assert wrong.policy is not None
    before = row.bucket or row.key
    assert before
    assert [each for each in wrong.policy["Statement"] if each not in wrong.statements] == before(HERE)
    sids = [each["Sid"] for each in wrong.policy["Statement"]]
    assert len(set(sids)) == len(sids)

    fixed = (
        bucket_policy_for_inspector(bucket(policy=wrong.policy), deployment(), START)
        if row.bucket
        else key_policy_for_inspector(key(policy=wrong.policy), deployment())
    )

    # What is not understood stays so, but nothing is missing any more.
    assert fixed.result == ("unknown" if "not understood" in row.name else "passed")


def test_a_statement_under_a_taken_id_gets_another() -> None:
    taken = [writes(HERE, Resource="x"), writes(HERE, Sid="InspectorMayWriteReports2", Resource="x")]
    check = bucket_policy_for_inspector(bucket(policy=document(taken)), deployment(), START)
    assert check.statements == (writes(HERE, Sid="InspectorMayWriteReports3"),)


def test_a_policy_that_is_open_to_other_accounts_says_so() -> None:
    for condition, is_open in ((None, True), (ours(HERE), False), ({"StringEquals": {"aws:SourceAccount": HERE.account}}, False)):
        writing = bucket_policy_for_inspector(bucket(policy=document([writes(HERE, Condition=condition)])), deployment(), START)
        encrypting = key_policy_for_inspector(key(policy=document([encrypts(HERE, Condition=condition)])), deployment())
        assert ["other accounts" in check.sentence for check in (writing, encrypting)] == [is_open, is_open]


class TestWords:
    def test_what_keeps_a_near_statement_from_applying_is_named(self) -> None:
        policy = document(
            [
                writes(HERE, Condition=ours(HERE, StringEquals={"aws:SourceAccount": OTHER_ACCOUNT})),
                writes(HERE, Sid="Narrow", Resource=f"{HERE.bucket_arn}/other/*", Action="s3:GetObject"),
                writes(HERE, Sid="Old", Principal={"Service": "inspector2.me-south-1.amazonaws.com"}),
                writes(HERE, Sid="Mail", Principal={"Service": "ses.amazonaws.com"}),
            ]
        )
        request = deployment().inspectors_writes(START)[0]
        lines = shortfalls(policy, request)
        assert lines[0] == (
            "statement 1 (InspectorMayWriteReports) does not apply: "
            f"its StringEquals aws:SourceAccount is {OTHER_ACCOUNT}, but the call has {HERE.account}"
        )
        assert "it does not name s3:PutObject; it covers" in lines[1]
        assert len(lines) == 2  # Old is not understood rather than false, and Mail is not near

    def test_a_deny_is_quoted(self) -> None:
        check = policy_checks(Row("", "", "failed", bucket=lambda p: [writes(p), denies(p)]))["bucket_policy_for_inspector"]
        assert "denies s3:PutObject to Inspector (inspector2.amazonaws.com) (statement 2 (Deny))." in check.sentence
        assert check.evidence[0].startswith('statement 2 (Deny): {"Sid": "Deny", "Effect": "Deny"')
        assert check.statements == ()  # nothing is missing: something is too much

    def test_a_deny_and_a_missing_allow_are_both_fixed(self) -> None:
        check = policy_checks(Row("", "", "failed", bucket=lambda p: [denies(p, "s3:PutObjectAcl")]))[
            "bucket_policy_for_inspector"
        ]
        assert check.fix[0].startswith("Narrow or remove")
        assert check.fix[1].startswith("Add the policy statement below")
        assert check.statements == (writes(HERE),)


class TestRoles:
    def request(self, **context: str | None) -> Request:
        known: dict[str, str | None] = {"aws:securetransport": "true"}
        return Request(ROLE, "s3:GetObject", f"{HERE.bucket_arn}/x", known | context)

    def allow(self, principal: Any) -> dict[str, Any]:
        return document([writes(HERE, Principal=principal, Action="s3:GetObject", Condition=None)])

    @pytest.mark.parametrize(
        ("principal", "outcome"),
        [
            ({"AWS": ROLE}, "allowed"),
            ({"AWS": [f"arn:aws:iam::{OTHER_ACCOUNT}:root", ROLE]}, "allowed"),
            ({"AWS": HERE.account}, "allowed"),
            ({"AWS": HERE.root}, "allowed"),
            ({"AWS": "*"}, "allowed"),
            ("*", "allowed"),
            ({"AWS": OTHER_ACCOUNT}, "not allowed"),
            ({"AWS": f"{ROLE}2"}, "not allowed"),
            ({"AWS": ROLE.replace("arn:aws:", "arn:aws-cn:")}, "not allowed"),
            ({"AWS": "AROAEXAMPLE1234567890"}, "not allowed"),  # a role that was deleted
            ({"Service": "lambda.amazonaws.com"}, "not allowed"),
            ({"Federated": "cognito-identity.amazonaws.com"}, "not allowed"),
            ({"AWS": f"arn:aws:sts::{HERE.account}:assumed-role/findings-VerifyReportFunctionRole/verify"}, "unknown"),
            ({"CanonicalUser": "79a59df900b949e55d96a1e698fbaced"}, "unknown"),
            ({"AWS": f"arn:aws:iam::{HERE.account}:role/*"}, "unknown"),
            ({"AWS": 123}, "unknown"),
            ({"Service": "*"}, "unknown"),
            ({"Sentinel": "x"}, "unknown"),
            ("someone", "unknown"),
            ({}, "unknown"),
        ],
    )
    def test_a_principal_is_the_role_its_account_or_every_account(self, principal: Any, outcome: str) -> None:
        assert decide(self.allow(principal), self.request()).outcome == outcome

    @pytest.mark.parametrize("principal", [{"AWS": ROLE}, {"CanonicalUser": "79a5"}, {"Federated": "x"}, {"AWS": OTHER_ACCOUNT}])
    def test_no_account_is_a_service(self, principal: Any) -> None:
        policy = document([writes(HERE, Principal=principal)])
        assert decide(policy, deployment().inspectors_writes(START)[0]).outcome == "not allowed"

    def test_a_deny_wins_even_where_another_policy_allows(self) -> None:
        denied = document([denies(HERE, "s3:GetObject", Principal={"AWS": ROLE})])
        assert decide(denied, self.request(), is_allowed_elsewhere=True).outcome == "denied"
        assert decide(None, self.request(), is_allowed_elsewhere=True).outcome == "allowed"
        unclear = document([denies(HERE, "s3:GetObject", Condition={"IpAddress": {"aws:SourceIp": "192.0.2.1"}})])
        assert decide(unclear, self.request(), is_allowed_elsewhere=True).outcome == "unknown"


class TestOddDocuments:
    REQUEST = Request("inspector2.amazonaws.com", "s3:PutObject", f"{HERE.bucket_arn}/x", {})

    @pytest.mark.parametrize("statement", [{"Effect": "Maybe"}, "text", 7, None])
    def test_a_statement_that_aws_would_not_store_is_not_understood(self, statement: Any) -> None:
        assert decide(document([statement]), self.REQUEST).outcome == "unknown"

    @pytest.mark.parametrize(
        "changes",
        [
            {"Extra": 1},
            {"Condition": "x"},
            {"Condition": {"StringEquals": "x"}},
            {"Action": 7},
            {"Resource": [{}]},
            {"Condition": {"StringEqualz": {"aws:SourceAccount": "1"}}},
            {"Condition": {"NotBool": {"aws:SecureTransport": "true"}}},
            {"Condition": {"Null": {"aws:SourceArn": ["true", "false"]}}},
            {"Condition": {"StringEquals": {"aws:SourceAccount": "${aws:PrincipalAccount}"}}},
        ],
    )
    def test_an_element_that_is_not_understood_is_neither_met_nor_not(self, changes: dict[str, Any]) -> None:
        request = deployment().inspectors_writes(START)[0]
        assert decide(document([writes(HERE, **changes)]), request).outcome == "unknown"

    def test_one_statement_needs_no_list(self) -> None:
        policy = {"Version": "2012-10-17", "Statement": writes(HERE)}
        assert decide(policy, deployment().inspectors_writes(START)[0]).outcome == "allowed"
        check = key_policy_for_inspector(key(policy={"Statement": root(HERE)}), deployment())
        assert check.policy == {"Statement": [root(HERE), encrypts(HERE)]}

    def test_an_empty_policy_allows_nothing(self) -> None:
        assert decide({}, self.REQUEST).outcome == "not allowed"


class TestConditions:
    @pytest.mark.parametrize(
        ("condition", "context", "outcome"),
        [
            ({"StringNotEquals": {"k": "a"}}, {"k": "b"}, "allowed"),
            ({"StringNotEquals": {"k": ["a", "b"]}}, {"k": "b"}, "not allowed"),
            ({"StringNotEquals": {"k": "a"}}, {"k": None}, "allowed"),
            ({"StringNotLike": {"k": "a*"}}, {"k": "abc"}, "not allowed"),
            ({"StringNotEqualsIgnoreCase": {"k": "A"}}, {"k": "a"}, "not allowed"),
            ({"ArnNotLike": {"k": "arn:aws:s3:::a*"}}, {"k": "arn:aws:s3:::b"}, "allowed"),
            ({"ArnNotEquals": {"k": "arn:*"}}, {"k": "arn:aws:s3:::b"}, "unknown"),
            ({"ArnLike": {"k": "arn:aws:s3:::*"}}, {"k": "b"}, "not allowed"),
            ({"ArnLike": {"k": "arn:aws:*:eu:*:x"}}, {"k": "arn:aws:s3:eu:a:b"}, "not allowed"),
            ({"StringEquals": {"k": "a"}}, {"k": None}, "not allowed"),
            ({"StringEquals": {"k": []}}, {"k": "a"}, "not allowed"),
            ({"StringEqualsIfExists": {"k": "a"}}, {"k": None}, "allowed"),
            ({"StringEqualsIfExists": {"k": "a"}}, {"k": "b"}, "not allowed"),
            ({"BoolIfExists": {"k": "true"}}, {"k": None}, "allowed"),
            ({"Bool": {"k": "TRUE"}}, {"k": "true"}, "allowed"),
            ({"StringLike": {"k": "a?c"}}, {"k": "a[c"}, "allowed"),
            ({"StringLike": {"k": "[ab]"}}, {"k": "a"}, "not allowed"),
            ({"StringEquals": {"k": "a"}}, {}, "unknown"),
            ({"StringEquals": {"k": "a"}, "Bool": {"other": "true"}}, {"k": "b"}, "not allowed"),
            ({"Null": {"k": "true"}}, {"k": None}, "allowed"),
            ({"Null": {"k": True}}, {"k": "a"}, "not allowed"),
            ({"NumericEquals": {"k": "1"}}, {"k": "1"}, "unknown"),
        ],
    )
    def test_an_operator_compares_as_the_guide_says(
        self, condition: dict[str, Any], context: dict[str, str | None], outcome: str
    ) -> None:
        request = Request("inspector2.amazonaws.com", "s3:PutObject", f"{HERE.bucket_arn}/x", context)
        assert decide(document([writes(HERE, Condition=condition)]), request).outcome == outcome


@pytest.mark.parametrize("pattern", ["*?" * 20 + "x", "*a" * 20 + "x", "?*" * 500 + "x", "*" * 1000 + "x", "*a*?" * 300 + "x"])
def test_wildcards_are_matched_in_time_that_grows_as_the_text_does(pattern: str) -> None:
    arn = f"{HERE.bucket_arn}/{'a' * 2000}"
    policy = document([writes(HERE, Resource=f"{HERE.bucket_arn}/{pattern}")])
    with hang_guard():
        outcomes = [
            decide(policy, Request("inspector2.amazonaws.com", "s3:PutObject", arn + end, {})).outcome for end in ("y", "x")
        ]
    assert outcomes == ["not allowed", "unknown"]


@pytest.mark.parametrize(
    ("pattern", "text", "is_met"),
    [
        ("a*b*c", "a-b-b-c", True),
        ("a*b*c", "a-c-b", False),
        ("*?*?", "ab", True),
        ("*?*?", "a", False),
        ("*ab", "aab", True),
        ("a*?b", "ab", False),
        ("a\n*", "a\nb\nc", True),
        ("[!a]*", "[!a]x", True),
    ],
)
def test_wildcards_match_as_the_guide_says(pattern: str, text: str, is_met: bool) -> None:
    assert _like(pattern, text) is is_met


def test_what_is_not_understood_decides_nothing_where_something_else_does() -> None:
    assert [all_of([True, None]), all_of([False, None]), all_of([True]), all_of([])] == [None, False, True, True]
    assert [any_of([True, None]), any_of([False, None]), any_of([False]), any_of([])] == [True, None, False, False]
