"""Gap: S3 ignores the bucket owner that a request expects.

Refuses a request whose `x-amz-expected-bucket-owner` is not the account that owns the bucket.

Guard: test_s3_refuses_a_bucket_of_another_owner_than_expected.
"""

from typing import Any

from ministack.services import s3


def install() -> None:
    """Check the expected owner before anything else."""
    scope = s3._apply_bucket_scope

    def scope_of_owner(method: str, bucket: str, key: str, headers: dict[str, str], *request: Any) -> Any:
        expected, owner = headers.get("x-amz-expected-bucket-owner"), s3._bucket_owner_account(bucket)
        if bucket and expected and owner and expected != owner:
            return s3._error("AccessDenied", "Access Denied", 403, f"/{bucket}")
        return scope(method, bucket, key, headers, *request)

    s3._apply_bucket_scope = scope_of_owner
