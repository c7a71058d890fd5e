"""Checks whether Inspector may write a report to a bucket with a key, as the service does, and writes it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ministack.core import iam_evaluator as iam
from ministack.core.responses import set_request_account_id, set_request_region
from ministack.services import kms, s3

if TYPE_CHECKING:
    from collections.abc import Mapping

OPT_IN_REGIONS = frozenset(
    [
        "af-south-1",
        "ap-east-1",
        "ap-east-2",
        "ap-south-2",
        "ap-southeast-3",
        "ap-southeast-4",
        "ap-southeast-5",
        "ap-southeast-7",
        "ca-west-1",
        "eu-central-2",
        "eu-south-1",
        "eu-south-2",
        "il-central-1",
        "me-central-1",
        "me-south-1",
        "mx-central-1",
    ]
)
"""AWS documents the Regional service principal for me-south-1; that all opt-in Regions have it is a guess."""

# AWS: the statements that the guide asks for.
_BUCKET_ACTIONS = ("s3:PutObject", "s3:PutObjectAcl", "s3:AbortMultipartUpload")
_KEY_ACTIONS = ("kms:Decrypt", "kms:GenerateDataKey")
_KEY_ARN = re.compile(r"arn:aws[a-z-]*:kms:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):key/(?P<id>[\w-]+)")
_CONTENT_TYPES = {"json": "application/json", "csv": "text/csv"}


@dataclass(frozen=True)
class Refusal(Exception):  # noqa: N818 - what Inspector answers, not what went wrong in the emulator
    """Why a report cannot be delivered: the report's errorCode and errorMessage."""

    code: str
    message: str


@dataclass(frozen=True)
class Source:
    """The report to be written, with the values that policies compare: service principal, account, ARN."""

    account: str
    region: str
    report_id: str

    @property
    def principal(self) -> str:
        """The service principal, which is the Region's own in an opt-in Region."""
        return f"inspector2.{self.region}.amazonaws.com" if self.region in OPT_IN_REGIONS else "inspector2.amazonaws.com"

    @property
    def arn(self) -> str:
        """The report's ARN, which policies compare with aws:SourceArn."""
        return f"arn:aws:inspector2:{self.region}:{self.account}:report/{self.report_id}"


def check_destination(source: Source, destination: Mapping[str, str], object_key: str) -> None:
    """Raise Refusal unless bucket and key exist, have the required properties, and allow Inspector.

    Guesses: the bucket is checked before the key, and both when the file is written, not when the report is created.
    """
    name = destination["bucketName"]
    owner = s3._bucket_owner_account(name)
    if owner is None:
        raise Refusal("BUCKET_NOT_FOUND", f"The bucket {name} does not exist")
    region = s3._buckets.get_scoped(owner, None, name)["region"]
    if region != source.region:
        raise Refusal("INCOMPATIBLE_BUCKET_REGION", f"The bucket {name} is in {region}, the findings are in {source.region}")
    if destination.get("expectedBucketOwner", owner) != owner:
        raise Refusal("INVALID_PERMISSIONS", f"The bucket {name} has another owner than expected")
    _require(
        source, owner, s3._bucket_policies.get_scoped(owner, None, name), _BUCKET_ACTIONS, f"arn:aws:s3:::{name}/{object_key}"
    )
    key = _fit_key(destination["kmsKeyArn"], region)
    _require(source, key["Arn"].split(":")[4], key.get("Policy"), _KEY_ACTIONS, key["Arn"])


def _fit_key(arn: str, region: str) -> dict[str, Any]:
    place = _KEY_ARN.fullmatch(arn)
    key = place and kms._keys.get_scoped(place["account"], place["region"], place["id"])
    if not place or not key:
        raise Refusal("MALFORMED_KMS_KEY", f"{arn} is not the ARN of a key that exists")
    unfit = (
        (place["region"] != region, f"is not in the bucket's Region {region}"),
        (key.get("KeyManager") == "AWS", "is not customer managed"),
        (key["KeySpec"] != "SYMMETRIC_DEFAULT" or key["KeyUsage"] != "ENCRYPT_DECRYPT", "is not a symmetric encryption key"),
        (key["KeyState"] != "Enabled", f"is in the state {key['KeyState']}"),
    )
    for is_unfit, why in unfit:
        if is_unfit:
            raise Refusal("MALFORMED_KMS_KEY", f"The key {arn} {why}")
    return dict(key)


def _require(source: Source, owner: str, policy: str | None, actions: tuple[str, ...], resource: str) -> None:
    for action in actions:
        context = iam.EvalContext(
            principal_arn=source.principal,
            principal_type="Service",
            # The emulator takes the resource's account from here; a service principal has none of its own.
            principal_account=owner,
            action=action,
            resource_arn=resource,
            region=source.region,
            secure_transport=True,
            service_context={
                "aws:sourceaccount": source.account,
                "aws:sourcearn": source.arn,
                "aws:principalisawsservice": "true",
                "aws:principalservicename": source.principal,
                "s3:x-amz-server-side-encryption": "aws:kms",
            },
        )
        decision = iam.evaluate_resource_policy(policy, context, service=source.principal).decision
        if decision != "Allow":
            raise Refusal("INVALID_PERMISSIONS", f"{source.principal} may not {action} on {resource} ({decision})")


def write(destination: Mapping[str, str], object_key: str, content: bytes) -> None:
    """Put the object, encrypted with the destination's key. Sets the thread's account to the bucket owner's."""
    name = destination["bucketName"]
    owner = s3._bucket_owner_account(name) or ""
    set_request_account_id(owner)
    set_request_region(s3._buckets.get_scoped(owner, None, name)["region"])
    status, _, answer = s3._put_object(
        name,
        object_key,
        content,
        {
            "content-type": _CONTENT_TYPES[object_key.rsplit(".", 1)[-1]],
            "x-amz-server-side-encryption": "aws:kms",
            "x-amz-server-side-encryption-aws-kms-key-id": destination["kmsKeyArn"],
        },
    )
    if status != 200:
        raise Refusal("INTERNAL_ERROR", f"S3 answered {status}: {answer!r}")
