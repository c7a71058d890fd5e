"""Writes an analysis' files to S3."""

from typing import TYPE_CHECKING, BinaryIO

from botocore.exceptions import ClientError

from findings_analysis.comparison.baseline import StoredFile
from findings_exporter.model.errors import DENIED, THROTTLED, code_of
from findings_exporter.model.plan import Destination

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


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
    try:
        answer = s3.put_object(
            Bucket=destination.bucket,
            Key=key,
            Body=content,
            ContentType=content_type,
            ExpectedBucketOwner=destination.owner,
            ServerSideEncryption="aws:kms",
            SSEKMSKeyId=destination.kms_key_arn,
        )
    except ClientError as error:
        code = code_of(error)
        if code in DENIED or (code.startswith("KMS.") and code not in THROTTLED):
            raise RefusedError(f"S3 refused to store s3://{destination.bucket}/{key}: {error}") from error
        raise
    return StoredFile(key, answer["ETag"])
