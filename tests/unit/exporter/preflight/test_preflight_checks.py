"""Each check by what was read: fine, wrong with its fix, and unknown for what could not be read."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from findings_exporter.aws.attempts import Unread
from findings_exporter.model.errors import ConfigurationError
from findings_exporter.preflight.bucket import (
    bucket_exists,
    bucket_owner,
    bucket_policy_for_analysis,
    bucket_policy_for_exporter,
    bucket_policy_for_inspector,
)
from findings_exporter.preflight.check import Check
from findings_exporter.preflight.deployment import Deployment, Permission
from findings_exporter.preflight.inspector import anything_scanned, inspector_enabled
from findings_exporter.preflight.key import key_policy_for_analysis, key_policy_for_exporter, key_policy_for_inspector, key_usable
from findings_exporter.preflight.reading import BucketSeen, KeySeen, PermissionSeen
from findings_exporter.preflight.roles import permissions
from findings_exporter.preflight.schedule import schedule_fires
from findings_exporter.preflight.topic import alarms_delivered, nothing_undelivered, topic_delivers, topic_key_usable
from tests.builders.exporter import ACCOUNT, ALARM_TOPIC, BUCKET, KEY, REGION, START, TOPIC
from tests.builders.setup_builders import FIT_KEY, SETUP_VARIABLES, bucket, deployment, key, place
from tests.builders.setup_rows import OTHER_ACCOUNT, denies, document, encrypts, root, writes

HERE = deployment()
UNREAD = Unread("AWS refused it", is_refused=True)
EXTERNAL = {"BUCKET_OWNER": OTHER_ACCOUNT, "KMS_KEY_ARN": KEY.replace(ACCOUNT, OTHER_ACCOUNT)}


def test_what_was_not_read_is_unknown_and_never_passed() -> None:
    nothing, no_key = BucketSeen(UNREAD, UNREAD, UNREAD), KeySeen(UNREAD, UNREAD)
    seen = PermissionSeen(HERE.report_permissions(START)[0], UNREAD)
    for check in (
        inspector_enabled(UNREAD, HERE),
        anything_scanned(UNREAD),
        anything_scanned(None),
        bucket_exists(nothing, HERE),
        bucket_owner(nothing, HERE),
        bucket_policy_for_inspector(nothing, HERE, START),
        bucket_policy_for_exporter(nothing, HERE, START),
        bucket_policy_for_analysis(nothing, HERE, START),
        key_policy_for_analysis(no_key, HERE),
        key_usable(no_key, HERE),
        key_policy_for_inspector(no_key, HERE),
        key_policy_for_exporter(no_key, HERE),
        permissions("permissions", [seen]),
        topic_delivers(UNREAD, HERE),
        topic_key_usable(UNREAD, None, HERE),
        topic_key_usable(None, None, HERE),
        topic_key_usable({"KmsMasterKeyId": KEY}, no_key, HERE),
        schedule_fires(UNREAD, START),
        nothing_undelivered(UNREAD),
    ):
        assert check.result == "unknown", check.name
        assert check.sentence.startswith("The check could not "), check.sentence
        assert check.policy is None


def test_a_policy_that_cannot_be_read_still_comes_with_the_statement_to_look_for() -> None:
    check = bucket_policy_for_inspector(bucket(policy=UNREAD), HERE, START)
    assert check.statements == (writes(place(HERE)),)
    assert check.fix[-1].startswith("Make sure that")


class TestInspector:
    @staticmethod
    def account(status: str, **types: str) -> dict[str, Any]:
        return {
            "accountId": ACCOUNT,
            "state": {"status": status},
            "resourceState": {kind: {"status": each} for kind, each in types.items()},
        }

    @pytest.mark.parametrize(
        ("status", "types", "result", "expected"),
        [
            ("ENABLED", {"ec2": "ENABLED", "ecr": "ENABLED"}, "passed", "enabled for ec2, ecr."),
            ("ENABLED", {"ec2": "ENABLED", "ecr": "DISABLED"}, "passed", "enabled for ec2, but not for ecr."),
            ("ENABLED", {"ec2": "DISABLED"}, "failed", "scans nothing"),
            ("DISABLED", {"ec2": "DISABLED"}, "failed", "scans nothing"),
            ("SUSPENDED", {}, "failed", "scans nothing"),
            ("ENABLING", {"ec2": "ENABLING"}, "unknown", "is ENABLING"),
            ("DISABLING", {"ec2": "ENABLED"}, "unknown", "is DISABLING"),
            ("SOMETHING_NEW", {}, "unknown", "is SOMETHING_NEW"),
        ],
    )
    def test_it_is_enabled_for_something(self, status: str, types: dict[str, str], result: str, expected: str) -> None:
        check = inspector_enabled(self.account(status, **types), HERE)
        assert (check.result, expected in check.sentence) == (result, True)
        assert f"account: {status}" in check.evidence

    def test_an_account_that_it_does_not_know_has_failed(self) -> None:
        assert inspector_enabled(None, HERE).result == "failed"

    @pytest.mark.parametrize(("count", "result"), [(0, "failed"), (1, "passed"), (12_345, "passed")])
    def test_an_empty_report_means_something_only_if_something_is_scanned(self, count: int, result: str) -> None:
        assert anything_scanned(count).result == result


class TestBucket:
    @pytest.mark.parametrize(
        ("region", "result", "expected"),
        [(REGION, "passed", f"is in {REGION}"), (None, "failed", "does not exist"), ("us-east-1", "failed", "is in us-east-1")],
    )
    def test_it_is_there_and_in_the_region(self, region: str | None, result: str, expected: str) -> None:
        check = bucket_exists(bucket(region=region), HERE)
        assert (check.result, expected in check.sentence) == (result, True)
        assert bool(check.fix) is (result == "failed")

    def test_it_belongs_to_whom_the_deployment_names(self) -> None:
        assert bucket_owner(bucket(), HERE).result == "passed"
        assert bucket_owner(bucket(is_owners=False), HERE).result == "failed"

    @pytest.mark.parametrize(
        ("changes", "result"),
        [
            ({"Principal": {"AWS": HERE.verify_role}}, "failed"),
            ({"Condition": {"StringNotEquals": {"aws:SourceVpce": "vpce-1a2b3c4d"}}}, "failed"),
            ({"Condition": {"ArnNotLike": {"aws:PrincipalArn": [HERE.verify_role, HERE.start_role]}}}, "passed"),
            ({"Condition": {"ArnNotLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/admin"}}}, "failed"),
            ({"Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-1234567890"}}}, "unknown"),
            ({"Condition": {"Bool": {"aws:SecureTransport": "false"}}}, "passed"),
            ({"Action": "s3:PutObject"}, "passed"),
            ({"Principal": {"AWS": f"arn:aws:iam::{OTHER_ACCOUNT}:root"}}, "passed"),
        ],
    )
    def test_a_deny_keeps_the_exporter_out_whatever_its_roles_may_do(self, changes: dict[str, Any], result: str) -> None:
        policy = document([writes(place(HERE)), denies(place(HERE), **{"action": "s3:GetObject"} | changes_of(changes))])
        check = bucket_policy_for_exporter(bucket(policy=policy), HERE, START)
        assert (check.name, check.result) == ("bucket_policy_for_exporter", result)

    def test_in_one_account_the_roles_own_policies_are_enough(self) -> None:
        assert bucket_policy_for_exporter(bucket(policy=None), HERE, START).result == "passed"

    def test_another_accounts_bucket_must_let_the_exporter_in(self) -> None:
        there = deployment(**EXTERNAL)
        wrong = bucket_policy_for_exporter(bucket(policy=None), there, START)
        assert wrong.result == "failed"
        assert wrong.policy == document([dict(each) for each in wrong.statements])
        assert [each["Sid"] for each in wrong.statements] == [
            "ExporterMayList",
            "ExporterMayReadAndWrite",
            "ExporterMayDeleteParts",
        ]
        assert bucket_policy_for_exporter(bucket(policy=wrong.policy), there, START).result == "passed"

    def test_another_accounts_bucket_may_name_the_roles_one_by_one(self) -> None:
        there = deployment(**EXTERNAL)
        lists = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": there.bucket_arn, "Sid": "List"}
        reads = {"Effect": "Allow", "Action": "s3:Get*", "Resource": f"{there.bucket_arn}/*", "Sid": "Read"}
        both = {"Principal": {"AWS": [there.start_role, there.verify_role]}}
        enough = document([lists | both, reads | {"Principal": {"AWS": there.verify_role}}])
        assert bucket_policy_for_exporter(bucket(policy=enough), there, START).result == "passed"
        one = document([lists | {"Principal": {"AWS": there.verify_role}}, reads | both])
        assert bucket_policy_for_exporter(bucket(policy=one), there, START).result == "failed"

    def test_listing_below_another_prefix_is_not_enough(self) -> None:
        there = deployment(**EXTERNAL, KEY_PREFIX="team/inspector")
        statements = [dict(each) for each in deployment(**EXTERNAL).bucket_statements_for_exporter()]
        assert bucket_policy_for_exporter(bucket(policy=document(statements)), there, START).result == "failed"

    @pytest.mark.parametrize(("folder", "result"), [("analyses", "failed"), ("findings", "failed"), ("elsewhere", "passed")])
    def test_a_deny_may_keep_the_analysis_alone_out(self, folder: str, result: str) -> None:
        deny = denies(place(HERE), Resource=f"{HERE.bucket_arn}/{HERE.config.key_prefix}/{folder}/*")
        seen = bucket(policy=document([writes(place(HERE)), deny]))
        assert bucket_policy_for_analysis(seen, HERE, START).result == result
        assert bucket_policy_for_exporter(seen, HERE, START).result == "passed"

    def test_what_lets_the_exporter_in_lets_the_analysis_in(self) -> None:
        there = deployment(**EXTERNAL)
        wrong = bucket_policy_for_analysis(bucket(policy=None), there, START)
        assert (wrong.name, wrong.result) == ("bucket_policy_for_analysis", "failed")
        assert bucket_policy_for_analysis(bucket(policy=wrong.policy), there, START).result == "passed"


def changes_of(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Changes to a Deny; its action has a name of its own."""
    return {"action" if name == "Action" else name: value for name, value in changes.items()}


class TestKey:
    @pytest.mark.parametrize(
        ("description", "expected"),
        [
            ({"KeyState": "Disabled"}, "is not enabled (Disabled)"),
            ({"KeyState": "PendingDeletion"}, "is not enabled (PendingDeletion)"),
            ({"KeyState": "PendingImport"}, "is not enabled (PendingImport)"),
            ({"KeyState": "Unavailable"}, "is not enabled (Unavailable)"),
            ({"KeySpec": "RSA_2048"}, "is not symmetric"),
            ({"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}, "is not symmetric, is not for encryption"),
            ({"KeyUsage": "SIGN_VERIFY"}, "is not for encryption"),
            ({"KeyManager": "AWS"}, "is not customer managed"),
        ],
    )
    def test_a_key_that_inspector_cannot_use_has_failed(self, description: dict[str, str], expected: str) -> None:
        check = key_usable(key(description=FIT_KEY | description), HERE)
        assert (check.result, expected in check.sentence) == ("failed", True)
        assert "ExistingKeyArn" in check.fix[-1]
        assert f"{next(iter(description))}: {next(iter(description.values()))}" in check.evidence

    def test_a_key_that_is_fit_has_passed(self) -> None:
        assert key_usable(key(), HERE).result == "passed"

    def test_a_key_that_is_not_there_has_failed(self) -> None:
        assert "does not exist" in key_usable(key(description=None), HERE).sentence

    @pytest.mark.parametrize(
        ("arn", "expected"),
        [
            (f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/findings", "is not the ARN of a KMS key"),
            ("11111111-2222-3333-4444-555555555555", "is not the ARN of a KMS key"),
            (KEY.replace(REGION, "us-east-1"), f"is not in {REGION}"),
        ],
    )
    def test_a_key_is_named_by_an_arn_of_this_region(self, arn: str, expected: str) -> None:
        check = key_usable(key(), deployment(KMS_KEY_ARN=arn))
        assert (check.result, expected in check.sentence) == ("failed", True)

    def test_the_account_may_leave_the_key_to_its_roles_policies(self) -> None:
        here = place(HERE)
        assert key_policy_for_exporter(key(policy=document([root(here)])), HERE).result == "passed"
        wrong = key_policy_for_exporter(key(policy=document([encrypts(here)])), HERE)
        assert (wrong.result, [each["Sid"] for each in wrong.statements]) == ("failed", ["ExporterMayUseTheKey"])
        assert key_policy_for_exporter(key(policy=wrong.policy), HERE).result == "passed"

    def test_a_role_may_be_let_in_by_name(self) -> None:
        by_name = root(place(HERE)) | {"Principal": {"AWS": HERE.verify_role}, "Action": "kms:Decrypt"}
        assert key_policy_for_exporter(key(policy=document([by_name])), HERE).result == "passed"

    def test_who_may_decrypt_only_cannot_keep_analyses(self) -> None:
        reads = root(place(HERE)) | {"Action": "kms:Decrypt"}
        assert key_policy_for_exporter(key(policy=document([reads])), HERE).result == "passed"
        wrong = key_policy_for_analysis(key(policy=document([reads])), HERE)
        assert (wrong.name, wrong.result) == ("key_policy_for_analysis", "failed")
        assert key_policy_for_analysis(key(policy=wrong.policy), HERE).result == "passed"

    @pytest.mark.parametrize(
        ("service", "partition", "result"), [("s3", "aws", "passed"), ("sns", "aws", "failed"), ("s3", "aws-cn", "unknown")]
    )
    def test_the_exporter_decrypts_through_s3(self, service: str, partition: str, result: str) -> None:
        region = "cn-north-1" if partition == "aws-cn" else REGION
        there = deployment(region=region, partition=partition)
        via = {"StringEquals": {"kms:ViaService": f"{service}.{region}.amazonaws.com"}}
        policy = document([root(place(there)) | {"Condition": via}])
        assert key_policy_for_exporter(key(policy=policy), there).result == result

    def test_another_accounts_key_must_let_the_exporter_in(self) -> None:
        there = deployment(**EXTERNAL)
        theirs = root(place(there)) | {"Principal": {"AWS": f"arn:aws:iam::{OTHER_ACCOUNT}:root"}}
        wrong = key_policy_for_exporter(key(policy=document([theirs])), there)
        assert wrong.result == "failed"
        assert key_policy_for_exporter(key(policy=wrong.policy), there).result == "passed"


class TestRegions:
    OPT_IN = "inspector2.me-south-1.amazonaws.com"

    def checked(self, there: Deployment, service: str) -> tuple[str, str]:
        here = replace(place(there), inspector=service)
        writing = bucket(policy=document([writes(here)]))
        encrypting = key(policy=document([root(here), encrypts(here)]))
        return (
            bucket_policy_for_inspector(writing, there, START).result,
            key_policy_for_inspector(encrypting, there).result,
        )

    def test_an_opt_in_region_wants_its_own_principal(self) -> None:
        there = deployment(region="me-south-1", inspector=self.OPT_IN)
        assert self.checked(there, self.OPT_IN) == ("passed", "passed")
        assert self.checked(there, "inspector2.amazonaws.com") == ("failed", "failed")
        assert self.checked(there, "inspector2.af-south-1.amazonaws.com") == ("unknown", "unknown")

    @pytest.mark.parametrize(
        ("region", "partition"), [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov"), ("eu-central-1", "aws")]
    )
    def test_each_partition_has_its_own_arns(self, region: str, partition: str) -> None:
        there = deployment(region=region, partition=partition)
        assert self.checked(there, "inspector2.amazonaws.com") == ("passed", "passed")
        other = deployment(region=region, partition="aws" if partition != "aws" else "aws-cn")
        wrong = bucket_policy_for_inspector(bucket(of=other, policy=document([writes(place(other))])), there, START)
        assert wrong.result == "failed"
        assert wrong.statements[0]["Resource"] == f"arn:{partition}:s3:::{BUCKET}/*"
        assert f"arn:{partition}:inspector2:{region}:{ACCOUNT}:report/*" in str(wrong.statements[0])
        assert bucket_policy_for_inspector(bucket(policy=wrong.policy), there, START).result == "passed"


class TestPermissions:
    @staticmethod
    def seen(**result: Any) -> PermissionSeen:
        shown = {"EvalActionName": "s3:GetObject", "EvalResourceName": "arn:${Partition}", "EvalDecision": "allowed"} | result
        return PermissionSeen(Permission(HERE.verify_role, ("s3:GetObject",), "arn"), [shown])

    def check(self, *seen: PermissionSeen) -> Check:
        return permissions("permissions", seen)

    def test_what_iam_simulates_as_allowed_has_passed(self) -> None:
        assert self.check(self.seen(), self.seen()).result == "passed"

    @pytest.mark.parametrize("decision", ["implicitDeny", "explicitDeny"])
    def test_what_it_simulates_as_denied_has_failed(self, decision: str) -> None:
        check = self.check(self.seen(), self.seen(EvalDecision=decision))
        assert check.result == "failed"
        assert "findings-VerifyReportFunctionRole" in check.sentence
        assert check.evidence == (f"findings-VerifyReportFunctionRole: s3:GetObject on arn: {decision}",)
        assert check.fix == ("Deploy the stack again. The template contains what is missing.",)

    def test_a_boundary_that_forbids_it_is_named(self) -> None:
        boundary = {"AllowedByPermissionsBoundary": False}
        check = self.check(self.seen(EvalDecision="implicitDeny", PermissionsBoundaryDecisionDetail=boundary))
        assert check.result == "failed"
        assert check.evidence[0].endswith("implicitDeny by the permissions boundary")
        assert check.fix[1].startswith("If a permissions boundary is named above")

    @pytest.mark.parametrize("decision", ["implicitDeny", "explicitDeny"])
    def test_what_an_organizations_policy_forbids_in_a_simulation_is_unknown_and_named(self, decision: str) -> None:
        refused = self.seen(EvalDecision=decision, OrganizationsDecisionDetail={"AllowedByOrganizations": False})
        check = self.check(self.seen(), refused)
        assert check.result == "unknown"
        assert check.sentence.startswith("In the IAM simulation, a policy of the organization refuses calls of the exporter.")
        assert check.evidence == (
            f"findings-VerifyReportFunctionRole: s3:GetObject on arn: {decision} by a policy of the organization",
        )
        assert check.fix[0].startswith("Ask the owner")

    def test_what_the_organization_allows_depends_on_the_rest(self) -> None:
        allowing = {"AllowedByOrganizations": True}
        assert self.check(self.seen(EvalDecision="implicitDeny", OrganizationsDecisionDetail=allowing)).result == "failed"
        assert self.check(self.seen(OrganizationsDecisionDetail=allowing)).result == "passed"

    @pytest.mark.parametrize(
        ("details", "result"),
        [
            ({"identity-based policy": "allowed", "resource-based policy": "implicitDeny"}, "passed"),
            ({"IAM Policy": "allowed"}, "passed"),
            ({"identity-based policy": "implicitDeny", "resource-based policy": "allowed"}, "unknown"),
            ({"identity-based policy": "allowed", "permissions boundary": "implicitDeny"}, "unknown"),
            ({"resource-based policy": "implicitDeny"}, "unknown"),
            ({}, "unknown"),
        ],
    )
    @pytest.mark.parametrize("is_specific", [False, True])
    def test_a_key_of_another_account_depends_on_the_roles_part_and_never_fails(
        self, details: dict[str, str], result: str, is_specific: bool
    ) -> None:
        key = f"arn:aws:kms:{REGION}:{OTHER_ACCOUNT}:key/11111111-2222-3333-4444-555555555555"
        specific = {"EvalResourceName": key, "EvalResourceDecision": "implicitDeny", "EvalDecisionDetails": details}
        found = {"EvalActionName": "kms:Decrypt", "EvalDecision": "implicitDeny"} | (
            {"ResourceSpecificResults": [specific]} if is_specific else {"EvalDecisionDetails": details}
        )
        check = self.check(PermissionSeen(Permission(HERE.verify_role, ("kms:Decrypt",), key), [found]))
        assert check.result == result
        assert check.evidence

    def test_a_key_of_this_account_depends_on_the_whole(self) -> None:
        found = {
            "EvalActionName": "kms:Decrypt",
            "EvalDecision": "implicitDeny",
            "EvalDecisionDetails": {"IAM Policy": "allowed"},
        }
        assert self.check(PermissionSeen(Permission(HERE.verify_role, ("kms:Decrypt",), KEY), [found])).result == "failed"

    def test_conditions_on_the_region_and_the_caller_are_simulated_with_them(self) -> None:
        for each in [*HERE.report_permissions(START), *HERE.analysis_permissions(START), *HERE.topic_permissions(KEY)]:
            context = dict(each.context)
            assert context["aws:RequestedRegion"] == REGION
            assert context["aws:PrincipalArn"] == each.role
            assert context["aws:PrincipalAccount"] == ACCOUNT
            assert ("kms:ViaService" in context) is any(action.startswith("kms:") for action in each.actions)

    def test_a_condition_that_was_not_given_its_key_says_nothing(self) -> None:
        missing = {"MissingContextValues": ["aws:PrincipalOrgID"]}
        specific = {"EvalResourceName": "arn", "EvalResourceDecision": "implicitDeny"} | missing
        for result in (missing, {"ResourceSpecificResults": [specific]}):
            assert self.check(self.seen(EvalDecision="implicitDeny", **result)).result == "unknown"

    def test_what_is_surely_denied_has_failed_even_where_the_rest_is_unread(self) -> None:
        unread = PermissionSeen(Permission(HERE.start_role, ("s3:ListBucket",), "arn"), UNREAD)
        assert self.check(unread, self.seen(EvalDecision="explicitDeny")).result == "failed"
        assert self.check(unread, self.seen()).result == "unknown"

    def test_they_are_what_the_steps_do(self) -> None:
        wanted = {(each.role, action) for each in HERE.report_permissions(START) for action in each.actions}
        assert wanted == {
            (HERE.start_role, "inspector2:CancelFindingsReport"),
            (HERE.start_role, "inspector2:CreateFindingsReport"),
            (HERE.start_role, "inspector2:GetFindingsReportStatus"),
            (HERE.start_role, "inspector2:ListFindings"),
            (HERE.start_role, "s3:ListBucket"),
            *((HERE.cancel_role, f"inspector2:{each}") for each in ("CancelFindingsReport", "GetFindingsReportStatus")),
            *((HERE.clean_up_role, f"inspector2:{each}") for each in ("CancelFindingsReport", "GetFindingsReportStatus")),
            (HERE.verify_role, "inspector2:ListFindings"),
            (HERE.verify_role, "s3:ListBucket"),
            (HERE.verify_role, "s3:GetObject"),
            (HERE.verify_role, "kms:Decrypt"),
        }
        assert {(each.role, action) for each in HERE.analysis_permissions(START) for action in each.actions} == {
            (HERE.cut_role, "s3:GetObject"),
            (HERE.cut_role, "kms:Decrypt"),
            (HERE.part_role, "s3:GetObject"),
            (HERE.part_role, "s3:PutObject"),
            (HERE.part_role, "kms:Decrypt"),
            (HERE.part_role, "kms:GenerateDataKey"),
            (HERE.analysis_role, "s3:DeleteObject"),
            (HERE.analysis_role, "inspector2:BatchGetAccountStatus"),
            (HERE.analysis_role, "inspector2:BatchGetFindingDetails"),
            (HERE.analysis_role, "inspector2:ListCoverageStatistics"),
            (HERE.analysis_role, "inspector2:ListMembers"),
            (HERE.analysis_role, "s3:GetObject"),
            (HERE.analysis_role, "s3:PutObject"),
            (HERE.analysis_role, "kms:Decrypt"),
            (HERE.analysis_role, "kms:GenerateDataKey"),
        }
        assert [each.actions for each in HERE.topic_permissions(None)] == [("sns:Publish",)]
        assert {each.role for each in HERE.topic_permissions(KEY)} == {HERE.notify_role}
        assert [each.actions for each in HERE.owner_permissions(KEY, START)] == [
            ("s3:GetObject",), ("kms:Decrypt",), ("sns:Publish",), ("kms:Decrypt", "kms:GenerateDataKey"),
        ]  # fmt: skip
        assert {each.role for each in HERE.owner_permissions(KEY, START)} == {HERE.notify_owners_role}


class TestTopic:
    @staticmethod
    def topic(**attributes: str) -> dict[str, str]:
        return {"SubscriptionsConfirmed": "1", "SubscriptionsPending": "0", "KmsMasterKeyId": KEY} | attributes

    def denying(self, **changes: Any) -> str:
        statement = {"Sid": "No", "Effect": "Deny", "Principal": "*", "Action": "sns:Publish", "Resource": TOPIC} | changes
        return json.dumps(document([statement]))

    def test_it_reaches_someone(self) -> None:
        assert topic_delivers(self.topic(), HERE).sentence == "The topic has 1 confirmed subscription."
        assert topic_delivers(self.topic(SubscriptionsConfirmed="2"), HERE).sentence == "The topic has 2 confirmed subscriptions."

    def test_it_reaches_no_one_until_a_mail_is_confirmed(self) -> None:
        check = topic_delivers(self.topic(SubscriptionsConfirmed="0", SubscriptionsPending="1"), HERE)
        assert (check.result, "to be confirmed: 1" in check.sentence) == ("failed", True)

    def test_it_is_there(self) -> None:
        assert topic_delivers(None, HERE).result == "failed"

    def test_its_policy_lets_the_exporter_publish(self) -> None:
        plain_http = self.denying(Condition={"Bool": {"aws:SecureTransport": "false"}})
        odd = self.denying(Condition={"IpAddress": {"aws:SourceIp": "192.0.2.1"}})
        results = [topic_delivers(self.topic(Policy=policy), HERE).result for policy in (plain_http, self.denying(), odd, "[]")]
        assert results == ["passed", "failed", "unknown", "unknown"]

    def alarm_topic(self, confirmed: int = 1, pending: int = 0, **changes: Any) -> dict[str, str]:
        condition = {
            "StringEquals": {"aws:SourceAccount": ACCOUNT},
            "ArnLike": {"aws:SourceArn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:*"},
        }
        allow = {"Sid": "AlarmsMayPublish", "Effect": "Allow", "Principal": {"Service": "cloudwatch.amazonaws.com"},
                 "Action": "sns:Publish", "Resource": ALARM_TOPIC, "Condition": condition} | changes  # fmt: skip
        return self.topic(
            SubscriptionsConfirmed=str(confirmed), SubscriptionsPending=str(pending), Policy=json.dumps(document([allow]))
        )

    @pytest.mark.parametrize(
        ("confirmed", "pending", "result", "sentence"),
        [
            (1, 0, "passed", "The alarm topic has 1 confirmed subscription."),
            (2, 0, "passed", "The alarm topic has 2 confirmed subscriptions."),
            (0, 0, "failed", f"No alarm is delivered: the alarm topic {ALARM_TOPIC} has no subscription."),
            (0, 1, "failed", f"The alarm topic {ALARM_TOPIC} has unconfirmed subscriptions: 1. No alarm is delivered to them."),
            (1, 1, "failed", f"The alarm topic {ALARM_TOPIC} has unconfirmed subscriptions: 1. No alarm is delivered to them."),
        ],
    )
    def test_alarms_are_delivered_once_every_subscription_is_confirmed(
        self, confirmed: int, pending: int, result: str, sentence: str
    ) -> None:
        check = alarms_delivered(self.alarm_topic(confirmed, pending), HERE)
        assert (check.name, check.result, check.sentence) == ("alarm_topic", result, sentence)
        assert bool(check.fix) is (result == "failed")

    def test_alarms_need_a_topic_whose_policy_lets_cloudwatch_in(self) -> None:
        assert alarms_delivered(None, HERE).result == "failed"
        assert alarms_delivered(Unread("denied"), HERE).result == "unknown"
        of_another = {"StringEquals": {"aws:SourceAccount": OTHER_ACCOUNT}}
        odd = {"IpAddress": {"aws:SourceIp": "192.0.2.1"}}
        result = [alarms_delivered(self.alarm_topic(Condition=each), HERE).result for each in (of_another, odd)]
        assert result == ["failed", "unknown"]
        closed = alarms_delivered(self.alarm_topic(Effect="Deny"), HERE)
        assert (closed.result, closed.fix[0].startswith("Narrow")) == ("failed", True)

    def test_its_key_can_be_used(self) -> None:
        assert topic_key_usable(self.topic(), key(), HERE).result == "passed"
        assert topic_key_usable(self.topic(), None, HERE).result == "passed"
        disabled = topic_key_usable(self.topic(), key(description=FIT_KEY | {"KeyState": "Disabled"}), HERE)
        assert (disabled.name, disabled.result) == ("topic_key", "failed")
        closed = topic_key_usable(self.topic(), key(policy=document([])), HERE)
        assert (closed.result, closed.statements, closed.policy) == ("failed", (), None)
        assert closed.fix == ("Deploy the stack again. The template contains what is missing.",)


class TestSchedule:
    @staticmethod
    def schedule(expression: str = "cron(0 3 * * ? *)", **fields: Any) -> dict[str, Any]:
        return {
            "Name": "findings-nightly",
            "ScheduleExpression": expression,
            "State": "ENABLED",
            "FlexibleTimeWindow": {"Mode": "OFF"},
        } | fields

    def test_it_says_when_it_fires_next(self) -> None:
        check = schedule_fires([self.schedule()], START)
        assert (check.result, check.sentence) == ("passed", "The next scheduled run is on 2026-11-24 03:00 UTC.")
        assert check.evidence == ("findings-nightly: cron(0 3 * * ? *) UTC, ENABLED",)

    def test_it_gives_the_time_of_its_zone_and_how_late_it_may_be(self) -> None:
        window = {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15}
        there = self.schedule(ScheduleExpressionTimezone="Europe/Berlin", FlexibleTimeWindow=window)
        sentence = schedule_fires([there], START).sentence
        assert sentence == (
            "The next scheduled run is on 2026-11-24 03:00 Europe/Berlin (2026-11-24 02:00 UTC), up to 15 minutes later."
        )

    def test_the_first_of_several_counts(self) -> None:
        several = [self.schedule(), self.schedule("cron(0 1 * * ? *)"), self.schedule("cron(0 0 * * ? *)", State="DISABLED")]
        assert "2026-11-24 01:00 UTC" in schedule_fires(several, START).sentence

    @pytest.mark.parametrize(
        ("schedules", "result", "expected"),
        [
            ([], "failed", "No schedule starts the workflow"),
            ([schedule(State="DISABLED")], "failed", "is disabled"),
            ([schedule("at(2020-01-01T00:00:00)")], "failed", "has no future run"),
            ([schedule("cron(0 3 L * ? *)")], "unknown", "L in a cron expression"),
            ([schedule(ScheduleExpressionTimezone="Mars/Olympus")], "unknown", "time zone Mars/Olympus"),
        ],
    )
    def test_one_that_does_not_fire_has_failed_and_one_that_is_not_understood_is_unknown(
        self, schedules: list[dict[str, Any]], result: str, expected: str
    ) -> None:
        check = schedule_fires(schedules, START)
        assert (check.result, expected in check.sentence) == (result, True)


@pytest.mark.parametrize(("count", "result"), [(0, "passed"), (3, "failed"), (None, "failed")])
def test_the_dead_letter_queue_is_there_and_empty(count: int | None, result: str) -> None:
    assert nothing_undelivered(count).result == result


class TestDeployment:
    @pytest.mark.parametrize("name", SETUP_VARIABLES)
    def test_a_missing_variable_is_named(self, name: str) -> None:
        with pytest.raises(ConfigurationError, match=name):
            Deployment.from_env(HERE.config, {each: "x" for each in SETUP_VARIABLES if each != name})

    def test_a_sample_report_lies_where_this_reports_would(self) -> None:
        tomorrow = datetime(2026, 12, 31, 23, 59, tzinfo=UTC) + timedelta(minutes=1)
        csv = deployment(REPORT_NAME="weekly", REPORT_FORMAT="CSV", KEY_PREFIX="a/b")
        assert csv.report_key(tomorrow).startswith("a/b/reports/weekly/year=2027/month=01/day=01/")
        assert csv.report_key(tomorrow).endswith(".csv")
