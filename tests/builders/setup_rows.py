"""Setups, right and wrong, with the coverage status that each deserves: one table for the rules and for the embedded AWS.

A row changes one thing of a setup that is right. The statuses are IAM's, as its guide has them, and not those of any program.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

type Statement = dict[str, Any]
type CheckResult = Literal["passed", "failed", "unknown"]

OTHER_ACCOUNT = "999988887777"


@dataclass(frozen=True)
class Place:
    """A deployment, as policies name its parts."""

    account: str
    region: str
    bucket: str
    key: str
    inspector: str
    start_role: str
    verify_role: str
    owner: str
    prefix: str = "inspector"
    partition: str = "aws"

    @property
    def bucket_arn(self) -> str:
        return f"arn:{self.partition}:s3:::{self.bucket}"

    def reports_of(self, account: str, region: str = "", partition: str = "") -> str:
        return f"arn:{partition or self.partition}:inspector2:{region or self.region}:{account}:report/*"

    @property
    def root(self) -> str:
        return f"arn:{self.partition}:iam::{self.account}:root"


type Change = Callable[[Place], list[Statement]]


@dataclass(frozen=True)
class Row:
    """One setup.

    Attributes
    ----------
    check
        The check that the row is about.
    bucket, key
        The statements of the policies; None: the ones that are right.
    error
        How a report ends where the coverage status is wrong.
    """

    name: str
    check: str
    result: CheckResult
    bucket: Change | None = None
    key: Change | None = None
    error: str = "INVALID_PERMISSIONS"


def ours(place: Place, **more: Any) -> Statement:
    """The conditions that the guide asks for."""
    return {
        "StringEquals": {"aws:SourceAccount": place.account},
        "ArnLike": {"aws:SourceArn": place.reports_of(place.account)},
    } | more


def writes(place: Place, **changes: Any) -> Statement:
    """What lets Inspector write, with changes; a change to None leaves the element out."""
    statement = {
        "Sid": "InspectorMayWriteReports",
        "Effect": "Allow",
        "Principal": {"Service": place.inspector},
        "Action": ["s3:PutObject", "s3:PutObjectAcl", "s3:AbortMultipartUpload"],
        "Resource": f"{place.bucket_arn}/*",
        "Condition": ours(place),
    } | changes
    return {name: value for name, value in statement.items() if value is not None}


def encrypts(place: Place, **changes: Any) -> Statement:
    """What lets Inspector encrypt, with changes; a change to None leaves the element out."""
    statement = {
        "Sid": "InspectorMayEncryptReports",
        "Effect": "Allow",
        "Principal": {"Service": place.inspector},
        "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
        "Resource": "*",
        "Condition": ours(place),
    } | changes
    return {name: value for name, value in statement.items() if value is not None}


def root(place: Place) -> Statement:
    """What leaves a key to the account's own policies."""
    return {"Sid": "Root", "Effect": "Allow", "Principal": {"AWS": place.root}, "Action": "kms:*", "Resource": "*"}


def denies(place: Place, action: str | list[str] = "s3:PutObject", **changes: Any) -> Statement:
    """A Deny of something in the bucket to everybody, with changes."""
    statement = {
        "Sid": "Deny",
        "Effect": "Deny",
        "Principal": "*",
        "Action": action,
        "Resource": f"{place.bucket_arn}/*",
    } | changes
    return {name: value for name, value in statement.items() if value is not None}


def document(statements: list[Statement]) -> dict[str, Any]:
    """A policy."""
    return {"Version": "2012-10-17", "Statement": statements}


def on_bucket(name: str, result: CheckResult, change: Change, **more: Any) -> Row:
    """A row about Inspector and the bucket's policy."""
    return Row(name, "bucket_policy_for_inspector", result, bucket=change, **more)


def on_key(name: str, result: CheckResult, change: Change, **more: Any) -> Row:
    """A row about Inspector and the key's policy, beside the account's root."""
    return Row(name, "key_policy_for_inspector", result, key=lambda place: [root(place), *change(place)], **more)


def with_condition(condition: Callable[[Place], Statement]) -> Change:
    """The bucket's statement with other conditions."""
    return lambda place: [writes(place, Condition=condition(place))]


def beside(statement: Change) -> Change:
    """The bucket's right statement, and another one."""
    return lambda place: [writes(place), *statement(place)]


BUCKET_POLICIES = [
    on_bucket("the guide's statement", "passed", lambda p: [writes(p)]),
    on_bucket("no policy", "failed", lambda _: []),
    # ---- actions
    on_bucket("all actions of s3", "passed", lambda p: [writes(p, Action="s3:*")]),
    on_bucket("all actions", "passed", lambda p: [writes(p, Action="*")]),
    on_bucket("actions by wildcard", "passed", lambda p: [writes(p, Action=["s3:Put*", "s3:Abort*"])]),
    on_bucket("actions in another case", "passed", lambda p: [writes(p, Action=["S3:putobject*", "s3:ABORTMULTIPARTUPLOAD"])]),
    on_bucket("one letter by wildcard", "passed", lambda p: [writes(p, Action=["s3:PutObject*", "s3:AbortMultipartUploa?"])]),
    on_bucket("no PutObjectAcl", "failed", lambda p: [writes(p, Action=["s3:PutObject", "s3:AbortMultipartUpload"])]),
    on_bucket("no AbortMultipartUpload", "failed", lambda p: [writes(p, Action=["s3:PutObject", "s3:PutObjectAcl"])]),
    on_bucket("reading only", "failed", lambda p: [writes(p, Action="s3:Get*")]),
    on_bucket(
        "actions over several statements",
        "passed",
        lambda p: [
            writes(p, Action="s3:PutObject"),
            writes(p, Sid="Two", Action=["s3:PutObjectAcl", "s3:AbortMultipartUpload"]),
        ],
    ),
    on_bucket("NotAction", "unknown", lambda p: [writes(p, Action=None, NotAction="s3:DeleteObject")]),
    # ---- resources
    on_bucket("under the prefix only", "passed", lambda p: [writes(p, Resource=f"{p.bucket_arn}/{p.prefix}/*")]),
    on_bucket("a list of resources", "passed", lambda p: [writes(p, Resource=[p.bucket_arn, f"{p.bucket_arn}/*"])]),
    on_bucket("a wildcard for one letter", "passed", lambda p: [writes(p, Resource=f"{p.bucket_arn}/inspecto?/*")]),
    on_bucket("another prefix", "failed", lambda p: [writes(p, Resource=f"{p.bucket_arn}/other/*")]),
    on_bucket("a prefix that is too narrow", "failed", lambda p: [writes(p, Resource=f"{p.bucket_arn}/{p.prefix}/reports/x/*")]),
    on_bucket("a prefix in another case", "failed", lambda p: [writes(p, Resource=f"{p.bucket_arn}/Inspector/*")]),
    on_bucket("the bucket without its objects", "failed", lambda p: [writes(p, Resource=p.bucket_arn)]),
    on_bucket("NotResource", "unknown", lambda p: [writes(p, Resource=None, NotResource=f"{p.bucket_arn}/secret/*")]),
    on_bucket(
        "a policy variable in the resource", "unknown", lambda p: [writes(p, Resource=f"{p.bucket_arn}/${{aws:SourceAccount}}/*")]
    ),
    # ---- principals
    on_bucket("a list of services", "passed", lambda p: [writes(p, Principal={"Service": ["s3.amazonaws.com", p.inspector]})]),
    on_bucket("everybody, with the conditions", "passed", lambda p: [writes(p, Principal="*")]),
    on_bucket("all of AWS, with the conditions", "passed", lambda p: [writes(p, Principal={"AWS": "*"})]),
    on_bucket("the old Inspector", "failed", lambda p: [writes(p, Principal={"Service": "inspector.amazonaws.com"})]),
    on_bucket("the account instead of the service", "failed", lambda p: [writes(p, Principal={"AWS": p.root})]),
    on_bucket("a role instead of the service", "failed", lambda p: [writes(p, Principal={"AWS": p.start_role})]),
    on_bucket(
        "another Region's name of the service",
        "unknown",
        lambda p: [writes(p, Principal={"Service": "inspector2.eu-central-1.amazonaws.com"})],
    ),
    on_bucket(
        "a Deny with NotPrincipal",
        "unknown",
        beside(lambda p: [denies(p, Principal=None, NotPrincipal={"Service": p.inspector})]),
    ),
    # ---- conditions
    on_bucket("no condition", "passed", lambda p: [writes(p, Condition=None)]),
    on_bucket("only the account", "passed", with_condition(lambda p: {"StringEquals": {"aws:SourceAccount": p.account}})),
    on_bucket("only the ARN", "passed", with_condition(lambda p: {"ArnLike": {"aws:SourceArn": p.reports_of(p.account)}})),
    on_bucket("another account", "failed", with_condition(lambda p: ours(p, StringEquals={"aws:SourceAccount": OTHER_ACCOUNT}))),
    on_bucket(
        "a list of accounts",
        "passed",
        with_condition(
            lambda p: {
                "StringEquals": {"aws:SourceAccount": [OTHER_ACCOUNT, p.account]},
                "ArnLike": {"aws:SourceArn": [p.reports_of(OTHER_ACCOUNT), p.reports_of(p.account)]},
            }
        ),
    ),
    on_bucket(
        "lists of accounts that disagree",
        "failed",
        with_condition(
            lambda p: {
                "StringEquals": {"aws:SourceAccount": [OTHER_ACCOUNT, p.account]},
                "ArnLike": {"aws:SourceArn": [p.reports_of(OTHER_ACCOUNT)]},
            }
        ),
    ),
    on_bucket(
        "another Region in the ARN",
        "failed",
        with_condition(lambda p: ours(p, ArnLike={"aws:SourceArn": p.reports_of(p.account, region="us-east-1")})),
    ),
    on_bucket(
        "another partition in the ARN",
        "failed",
        with_condition(lambda p: ours(p, ArnLike={"aws:SourceArn": p.reports_of(p.account, partition="aws-us-gov")})),
    ),
    on_bucket(
        "every Region in the ARN",
        "passed",
        with_condition(lambda p: ours(p, ArnLike={"aws:SourceArn": p.reports_of(p.account, region="*")})),
    ),
    on_bucket(
        "ArnEquals", "passed", with_condition(lambda p: ours(p, ArnLike={}, ArnEquals={"aws:SourceArn": p.reports_of(p.account)}))
    ),
    on_bucket(
        "StringLike on the ARN",
        "passed",
        with_condition(lambda p: ours(p, ArnLike={}, StringLike={"aws:SourceArn": p.reports_of(p.account)})),
    ),
    on_bucket(
        "StringEquals on an ARN with a wildcard",
        "failed",
        with_condition(lambda p: {"StringEquals": {"aws:SourceArn": p.reports_of(p.account)}}),
    ),
    on_bucket(
        "an ARN pattern of too few parts",
        "unknown",
        with_condition(lambda p: ours(p, ArnLike={"aws:SourceArn": f"arn:{p.partition}:inspector2:*"})),
    ),
    on_bucket(
        "StringEqualsIgnoreCase",
        "passed",
        with_condition(lambda p: ours(p, StringEquals={}, StringEqualsIgnoreCase={"aws:SourceAccount": p.account})),
    ),
    on_bucket(
        "...IfExists",
        "passed",
        with_condition(lambda p: ours(p, StringEquals={}, StringEqualsIfExists={"AWS:sourceaccount": p.account})),
    ),
    on_bucket("a Null check that holds", "passed", with_condition(lambda p: ours(p, Null={"aws:SourceArn": "false"}))),
    on_bucket("a Null check that does not", "failed", with_condition(lambda p: ours(p, Null={"aws:SourceArn": "true"}))),
    on_bucket("TLS demanded in the Allow", "passed", with_condition(lambda p: ours(p, Bool={"aws:SecureTransport": "true"}))),
    on_bucket(
        "an operator for sets",
        "unknown",
        with_condition(lambda p: {"ForAnyValue:StringEquals": {"aws:SourceAccount": p.account}}),
    ),
    on_bucket(
        "an organization",
        "unknown",
        with_condition(lambda p: ours(p, StringEquals={"aws:SourceOrgID": "o-1234567890"})),
    ),
    # ---- Deny statements
    on_bucket(
        "plain HTTP denied",
        "passed",
        beside(lambda p: [denies(p, "s3:*", Condition={"Bool": {"aws:SecureTransport": "false"}})]),
    ),
    on_bucket(
        "plain HTTP denied, as JSON's false",
        "passed",
        beside(lambda p: [denies(p, "s3:*", Condition={"Bool": {"aws:SecureTransport": False}})]),
    ),
    on_bucket(
        "TLS denied by mistake",
        "failed",
        beside(lambda p: [denies(p, Condition={"Bool": {"aws:SecureTransport": "true"}})]),
    ),
    on_bucket("writing denied to everybody", "failed", beside(lambda p: [denies(p)])),
    on_bucket("writing denied to Inspector", "failed", beside(lambda p: [denies(p, Principal={"Service": p.inspector})])),
    on_bucket("ACLs denied", "failed", beside(lambda p: [denies(p, "s3:PutObjectAcl")])),
    on_bucket("deleting denied", "passed", beside(lambda p: [denies(p, "s3:DeleteObject")])),
    on_bucket("another prefix denied", "passed", beside(lambda p: [denies(p, Resource=f"{p.bucket_arn}/other/*")])),
    on_bucket("a role denied", "passed", beside(lambda p: [denies(p, Principal={"AWS": p.start_role})])),
    on_bucket(
        "other accounts' services denied",
        "passed",
        beside(lambda p: [denies(p, Condition={"StringNotEquals": {"aws:SourceAccount": p.account}})]),
    ),
    on_bucket(
        "all but another account's services denied",
        "failed",
        beside(lambda p: [denies(p, Condition={"StringNotEquals": {"aws:SourceAccount": OTHER_ACCOUNT}})]),
    ),
    on_bucket(
        "whoever is not of the organization denied",
        "failed",
        beside(lambda p: [denies(p, Condition={"StringNotEquals": {"aws:PrincipalOrgID": "o-1234567890"}})]),
    ),
    on_bucket(
        "the same, with services let through",
        "passed",
        beside(
            lambda p: [
                denies(
                    p,
                    Condition={
                        "StringNotEquals": {"aws:PrincipalOrgID": "o-1234567890"},
                        "BoolIfExists": {"aws:PrincipalIsAWSService": "false"},
                    },
                )
            ]
        ),
    ),
    on_bucket(
        "whoever comes through another endpoint denied",
        "failed",
        beside(lambda p: [denies(p, Condition={"StringNotEquals": {"aws:SourceVpce": "vpce-1a2b3c4d"}})]),
    ),
    on_bucket(
        "other addresses denied",
        "unknown",
        beside(lambda p: [denies(p, Condition={"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}})]),
    ),
    on_bucket(
        "other encryption denied",
        "unknown",
        beside(lambda p: [denies(p, Condition={"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}})]),
    ),
    on_bucket(
        "a Deny not understood, of something else",
        "passed",
        beside(lambda p: [denies(p, "s3:DeleteObject", Condition={"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}})]),
    ),
    on_bucket(
        "a Deny not understood, and nothing allowed",
        "failed",
        lambda p: [denies(p, Condition={"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}})],
    ),
    on_bucket(
        "an Allow not understood beside a clear one",
        "passed",
        beside(lambda p: [writes(p, Sid="Two", Condition={"DateLessThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"}})]),
    ),
    on_bucket(
        "an Allow not understood alone",
        "unknown",
        with_condition(lambda _: {"DateLessThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"}}),
    ),
]

KEY_POLICIES = [
    on_key("the key: the guide's statement", "passed", lambda p: [encrypts(p)]),
    on_key("the key: no statement for Inspector", "failed", lambda _: []),
    on_key("the key: all actions", "passed", lambda p: [encrypts(p, Action="kms:*")]),
    on_key("the key: named as resource", "passed", lambda p: [encrypts(p, Resource=p.key)]),
    on_key("the key: another key as resource", "failed", lambda p: [encrypts(p, Resource=f"{p.key[:-4]}ffff")]),
    on_key("the key: no Decrypt", "failed", lambda p: [encrypts(p, Action="kms:GenerateDataKey*")]),
    on_key("the key: no GenerateDataKey", "failed", lambda p: [encrypts(p, Action="kms:Decrypt")]),
    on_key("the key: not the whole family", "unknown", lambda p: [encrypts(p, Action=["kms:Decrypt", "kms:GenerateDataKey"])]),
    on_key(
        "the key: another account",
        "failed",
        lambda p: [encrypts(p, Condition=ours(p, StringEquals={"aws:SourceAccount": OTHER_ACCOUNT}))],
    ),
    on_key(
        "the key: another Region in the ARN",
        "failed",
        lambda p: [encrypts(p, Condition=ours(p, ArnLike={"aws:SourceArn": p.reports_of(p.account, region="us-east-1")}))],
    ),
    on_key(
        "the key: through S3 only",
        "unknown",
        lambda p: [encrypts(p, Condition=ours(p, StringEquals={"kms:ViaService": f"s3.{p.region}.amazonaws.com"}))],
    ),
    on_key(
        "the key: denied to services",
        "failed",
        lambda p: [
            encrypts(p),
            {
                "Sid": "Deny",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "kms:Decrypt",
                "Resource": "*",
                "Condition": {"Bool": {"aws:PrincipalIsAWSService": "true"}},
            },
        ],
    ),
    on_key(
        "the key: a Deny with NotAction",
        "unknown",
        lambda p: [
            encrypts(p),
            {
                "Sid": "Deny",
                "Effect": "Deny",
                "Principal": {"Service": p.inspector},
                "NotAction": "kms:Decrypt",
                "Resource": "*",
            },
        ],
    ),
]
