"""What Inspector delivered: the report object, or one of the three ways of having found nothing.

Nothing found is told in three ways (AWS names the first; the others were seen by third parties): the report FAILED with
NO_FINDINGS_FOUND; it SUCCEEDED without an object; it SUCCEEDED with an object that holds no finding. A malformed object
counts as empty only when it holds no finding at all; else it is corrupt, and said to be.
"""

import json
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from findings_exporter.errors import Failure
from findings_exporter.plan import Destination

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from findings_exporter.runs import Run

TINY_BYTES = 4096
"""At most this much is read to tell an empty report; one real finding alone is about as long."""
EDGE_BYTES = 512
"""Read from each end of a larger report, to tell a truncated one."""
FINDING = re.compile(rb"findingArn|arn:[a-z-]+:inspector2:[a-z0-9-]+:\d{12}:finding/|\"findings\"\s*:\s*\[\s*\{\s*\"")
"""A finding, or the beginning of the first one: a report that broke off there is not an empty one."""
JSON_START = re.compile(rb"\s*\{.*\"findings\"\s*:\s*\[", re.DOTALL)
JSON_END = re.compile(rb"\]\s*\}\s*$")
CSV_COLUMNS = (b"Finding ARN", b"Severity")
REPORT_FILE = re.compile(r"([0-9a-f]{8}-[0-9a-f-]{27})\.(?:json|csv)")
LOOKS, LOOK_SECONDS = 3, 2
"""An object that is not there is looked for again before it counts as nothing found: that would be told as good news."""
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Delivery:
    """The report object that was seen, or why there is none.

    Attributes
    ----------
    key
        None when Inspector found nothing and wrote no object.
    nothing_found
        ``no_findings`` (Inspector said so), ``no_object`` (success without an object), ``empty_object`` (an object
        without any finding), or None when the report holds findings.
    """

    bucket: str
    prefix: str
    key: str | None
    size_bytes: int
    etag: str | None
    version_id: str | None
    kms_key_arn: str | None
    nothing_found: Literal["no_findings", "no_object", "empty_object"] | None

    @property
    def uri(self) -> str | None:
        """The object's S3 URI."""
        return f"s3://{self.bucket}/{self.key}" if self.key else None

    def to_dict(self) -> dict[str, Any]:
        """Return the delivery as it is stored and told."""
        return {name: getattr(self, name) for name in self.__slots__}


def verify_run(s3: "S3Client", run: "Run", *, found_nothing: bool) -> dict[str, Any]:
    """Verify a run's report.

    Returns
    -------
    dict
        ``state``: ``VERIFIED`` (with ``delivery``) or ``FAILED`` (with ``failure``).
    """
    plan = run.require_plan()
    judged = verify(s3, plan.destination, run.report_id or "", plan.report_format, found_nothing=found_nothing)
    if isinstance(judged, Failure):
        return {"state": "FAILED", "failure": judged.to_dict()}
    return {"state": "VERIFIED", "delivery": judged.to_dict()}


def verify(
    s3: "S3Client", destination: Destination, report_id: str, report_format: str, *, found_nothing: bool
) -> Delivery | Failure:
    """Find the report's object by listing the run's own prefix, and judge it.

    Parameters
    ----------
    found_nothing
        Inspector said NO_FINDINGS_FOUND, so that no object is expected.

    Returns
    -------
    Delivery or Failure
        ``Delivery.Encryption`` or ``Delivery.Corrupt`` when the object cannot be trusted.
    """
    owner = destination.owner
    keys = _keys(s3, destination)
    looks = 1 if found_nothing else LOOKS
    while not keys and (looks := looks - 1):
        time.sleep(LOOK_SECONDS)
        keys = _keys(s3, destination)
    if not keys:
        return _nothing(destination, "no_findings" if found_nothing else "no_object")
    # Only Inspector writes under a run's own prefix. The name with the id is what was seen, not what AWS promises.
    key = next((key for key in keys if report_id in key), keys[-1])
    head = s3.head_object(Bucket=destination.bucket, Key=key, ExpectedBucketOwner=owner)
    delivery = Delivery(
        bucket=destination.bucket,
        prefix=destination.prefix,
        key=key,
        size_bytes=head["ContentLength"],
        etag=head.get("ETag"),
        version_id=head.get("VersionId"),
        kms_key_arn=head.get("SSEKMSKeyId"),
        nothing_found=None,
    )
    if wrong := _wrong_encryption(delivery, head.get("ServerSideEncryption"), destination):
        return wrong
    return _judged(s3, delivery, report_format, owner)


def found_report_id(s3: "S3Client", destination: Destination) -> str | None:
    """Return the id of a report that lies under the run's own prefix already: the object is named by it."""
    names = [key.removeprefix(destination.prefix) for key in _keys(s3, destination)]
    return next((match[1] for name in names if (match := REPORT_FILE.fullmatch(name))), None)


def _keys(s3: "S3Client", destination: Destination) -> list[str]:
    listed = s3.list_objects_v2(Bucket=destination.bucket, Prefix=destination.prefix, ExpectedBucketOwner=destination.owner)
    return [item["Key"] for item in listed.get("Contents", []) if not item["Key"].endswith("/")]


def _nothing(destination: Destination, how: Literal["no_findings", "no_object"]) -> Delivery:
    return Delivery(destination.bucket, destination.prefix, None, 0, None, None, None, how)


def _wrong_encryption(delivery: Delivery, encryption: str | None, destination: Destination) -> Failure | None:
    if encryption in {"aws:kms", "aws:kms:dsse"} and delivery.kms_key_arn == destination.kms_key_arn:
        return None
    by = f"with {encryption} under the key {delivery.kms_key_arn or 'of S3'}" if encryption else "not at all"
    return Failure(
        "Delivery.Encryption",
        f"The report {delivery.uri} is encrypted {by}, rather than with the key {destination.kms_key_arn} that was asked for.",
    )


def _judged(s3: "S3Client", delivery: Delivery, report_format: str, owner: str) -> Delivery | Failure:
    start = _read(s3, delivery, f"bytes=0-{TINY_BYTES - 1}", owner).removeprefix(BOM)
    whole = delivery.size_bytes <= TINY_BYTES
    if whole and not holds_findings(start, report_format):
        return Delivery(**delivery.to_dict() | {"nothing_found": "empty_object"})
    end = start if whole else _read(s3, delivery, f"bytes=-{EDGE_BYTES}", owner)
    if fault := fault_of(start, end, report_format):
        return Failure("Delivery.Corrupt", f"The report {delivery.uri} ({delivery.size_bytes:,} bytes) {fault}.")
    return delivery


def holds_findings(content: bytes, report_format: str) -> bool:
    """Tell whether a whole tiny report holds anything that may be a finding."""
    if report_format == "CSV":
        rows = [row for row in content.splitlines() if row.strip()]
        return len(rows) > 1 or FINDING.search(content) is not None
    try:
        document = json.loads(content)
    except ValueError:
        return FINDING.search(content) is not None
    return bool(document.get("findings")) if isinstance(document, dict) else bool(document)


def fault_of(start: bytes, end: bytes, report_format: str) -> str | None:
    """Return what is wrong with a report by its two ends, or None. Reading it whole is the digest's work."""
    if report_format == "CSV":
        header = start.splitlines()[0] if start else b""
        return None if all(column in header for column in CSV_COLUMNS) else "does not begin with the header of a findings report"
    if not JSON_START.match(start):
        return 'does not begin with {"findings":['
    return None if JSON_END.search(end) else "breaks off before its end"


def _read(s3: "S3Client", delivery: Delivery, byte_range: str, owner: str) -> bytes:
    if delivery.size_bytes == 0:
        return b""  # S3 refuses a range of an empty object
    # The ETag pins what was looked at: an object that changes meanwhile is refused rather than mixed.
    answer = s3.get_object(
        Bucket=delivery.bucket,
        Key=str(delivery.key),
        Range=byte_range,
        IfMatch=str(delivery.etag),
        ExpectedBucketOwner=owner,
    )
    return answer["Body"].read()
