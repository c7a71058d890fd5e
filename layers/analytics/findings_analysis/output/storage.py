"""Writes an analysis' files to S3."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import batched
from typing import TYPE_CHECKING, BinaryIO

from botocore.exceptions import BotoCoreError, ClientError

from findings_analysis.comparison.baseline import StoredFile
from findings_exporter.model.errors import DENIED, THROTTLED, code_of
from findings_exporter.model.plan import Destination

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


PARQUET, BINARY = "application/vnd.apache.parquet", "application/octet-stream"
MOST_DELETED = 1_000
"""Objects that S3 deletes in one request."""


logger = logging.getLogger(__name__)


class RefusedError(Exception):
    """S3 refused to store a file of the analysis."""


def put(s3: "S3Client", destination: Destination, key: str, content: BinaryIO | bytes, content_type: str) -> StoredFile:
    """Write an object, encrypted as the report is.

    Raises
    ------
    RefusedError
        S3 or KMS does not allow it.
    """
    if not isinstance(content, bytes):
        content.flush()
        content.seek(0)
    with _refusals(destination, key):
        answer = s3.put_object(
            Bucket=destination.bucket,
            Key=key,
            Body=content,
            ContentType=content_type,
            ExpectedBucketOwner=destination.owner,
            ServerSideEncryption="aws:kms",
            SSEKMSKeyId=destination.kms_key_arn,
        )
    return StoredFile(key, answer["ETag"])


def copy(s3: "S3Client", destination: Destination, source: str, key: str) -> int:
    """Let S3 copy an object that an analysis wrote, encrypted as the report is, and return its size in bytes.

    Raises
    ------
    RefusedError
        S3 or KMS does not allow it.
    """
    with _refusals(destination, key):
        head = s3.head_object(Bucket=destination.bucket, Key=source, ExpectedBucketOwner=destination.owner)
        s3.copy_object(
            Bucket=destination.bucket,
            Key=key,
            CopySource={"Bucket": destination.bucket, "Key": source},
            CopySourceIfMatch=head["ETag"],
            ExpectedBucketOwner=destination.owner,
            ExpectedSourceBucketOwner=destination.owner,
            ServerSideEncryption="aws:kms",
            SSEKMSKeyId=destination.kms_key_arn,
        )
    return head["ContentLength"]


def delete(s3: "S3Client", destination: Destination, keys: Sequence[str]) -> None:
    """Delete objects; what cannot be deleted stays, and is logged: nothing depends on it."""
    for some in batched(keys, MOST_DELETED, strict=False):
        try:
            answer = s3.delete_objects(
                Bucket=destination.bucket,
                Delete={"Objects": [{"Key": key} for key in some], "Quiet": True},
                ExpectedBucketOwner=destination.owner,
            )
        except (ClientError, BotoCoreError) as error:
            logger.warning("objects could not be deleted: %s", type(error).__name__)
            return
        if errors := answer.get("Errors"):
            logger.warning("%d objects could not be deleted: %s", len(errors), errors[0].get("Code"))


@contextmanager
def _refusals(destination: Destination, key: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code = code_of(error)
        if code in DENIED or (code.startswith("KMS.") and code not in THROTTLED):
            raise RefusedError(f"S3 refused to store s3://{destination.bucket}/{key}: {error}") from error
        raise
