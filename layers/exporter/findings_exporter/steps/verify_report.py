"""Verify Report: find the report object, and make sure that it is whole and encrypted as asked.

Inspector says in three ways that it found nothing (AWS names the first; third parties saw the others): the report FAILED with
NO_FINDINGS_FOUND; it SUCCEEDED without an object; it SUCCEEDED with an object that holds no finding. Malformed objects were
seen there, too: a tiny one counts as nothing found only where Inspector itself, asked for one finding, shows none.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from botocore.exceptions import ClientError

from findings_exporter.aws.bucket import found_objects
from findings_exporter.aws.inspector import matches_any
from findings_exporter.model import notes, report_completeness
from findings_exporter.model.delivery import Delivery
from findings_exporter.model.errors import THROTTLED, Failure, code_of, is_refused
from findings_exporter.model.notes import Note
from findings_exporter.model.plan import Destination
from findings_exporter.model.report_completeness import EDGE_BYTES
from findings_exporter.steps._results import Result, failed

if TYPE_CHECKING:
    from datetime import datetime

    from mypy_boto3_inspector2 import Inspector2Client
    from mypy_boto3_s3 import S3Client

    from findings_exporter.model.run import Run

TINY_BYTES = 4096
"""The largest object that can be a way of saying that nothing was found; one real finding alone is about as long."""
CHECKS, CHECK_SECONDS = 3, 2
"""An object that is not there is looked for again before it counts as nothing found: that would be values as good news."""

WITHOUT_OBJECT = {
    "refused": "cause.missing_refused", "unclear": "cause.missing_unclear", "findings": "cause.missing_findings",
}  # fmt: skip
MALFORMED = {
    "refused": "cause.corrupt_refused", "unclear": "cause.corrupt_unclear", "findings": "cause.corrupt_findings",
}  # fmt: skip
"""What a failure says where it is not sure that nothing matches the filter, by the reason."""

type AsksInspector = Callable[[], bool | None]
"""Asks whether any finding matches the run's filter now; None where the answer does not say."""


def verify_report(s3: "S3Client", inspector2: "Inspector2Client", run: "Run", *, found_nothing: bool) -> Result:
    """Verify a run's report.

    Returns
    -------
    Result
        ``state``: ``VERIFIED`` (with ``delivery``) or ``FAILED`` (with ``failure``).
    """
    plan = run.require_plan()

    def ask() -> bool | None:
        return matches_any(inspector2, plan.filter_criteria)

    verified = verify(s3, ask, plan.destination, run.report_id or "", plan.report_format, found_nothing=found_nothing)
    if isinstance(verified, Failure):
        return failed(verified)
    return {"state": "VERIFIED", "delivery": verified.to_dict()}


def verify(
    s3: "S3Client",
    ask: AsksInspector,
    destination: Destination,
    report_id: str,
    report_format: str,
    *,
    found_nothing: bool,
) -> Delivery | Failure:
    """Find the report's object by listing the run's own prefix, and check it.

    Parameters
    ----------
    found_nothing
        Inspector said NO_FINDINGS_FOUND, so that no object is expected.

    Returns
    -------
    Delivery or Failure
        ``Delivery.Encryption`` or ``Delivery.Corrupt`` when the object cannot be trusted, ``Delivery.Missing`` when there is
        none, and it is not sure that there is nothing to report.
    """
    owner = destination.owner
    objects = found_objects(s3, destination)
    listings = 1 if found_nothing else CHECKS
    while not objects and (listings := listings - 1):
        time.sleep(CHECK_SECONDS)
        objects = found_objects(s3, destination)
    if not objects:
        return _nothing(destination, "no_findings") if found_nothing else _without_object(ask, destination)
    key = _likeliest(objects, destination.prefix, report_id)
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
    if failure := _encryption_failure(delivery, head.get("ServerSideEncryption"), destination):
        return failure
    return _checked_content(s3, ask, delivery, report_format, owner)


def _likeliest(objects: dict[str, "datetime"], prefix: str, report_id: str) -> str:
    """Return the key of the report: one named by its id, and of several the newest.

    Only Inspector writes under a run's own prefix. The name with the id is what was seen, not what AWS promises.
    """
    named = [key for key in objects if report_id and report_id in key.removeprefix(prefix)]
    return max(named or objects, key=lambda key: (objects[key], key))


def _nothing(destination: Destination, how: Literal["no_findings", "no_object"]) -> Delivery:
    return Delivery(destination.bucket, destination.prefix, None, 0, None, None, None, how)


def _encryption_failure(delivery: Delivery, encryption: str | None, destination: Destination) -> Failure | None:
    if encryption in {"aws:kms", "aws:kms:dsse"} and delivery.kms_key_arn == destination.kms_key_arn:
        return None
    how = "cause.encryption" if delivery.kms_key_arn else "cause.encryption_s3"
    values = {"uri": delivery.uri, "encryption": encryption, "key": delivery.kms_key_arn, "wanted": destination.kms_key_arn}
    return Failure("Delivery.Encryption", Note(how if encryption else "cause.encryption_none", **values))


def _checked_content(
    s3: "S3Client", ask: AsksInspector, delivery: Delivery, report_format: str, owner: str
) -> Delivery | Failure:
    start = _read(s3, delivery, f"bytes=0-{EDGE_BYTES - 1}", owner)
    if delivery.size_bytes > EDGE_BYTES:
        end = _read(s3, delivery, f"bytes=-{EDGE_BYTES}", owner)
        fault = report_completeness.fault_of_edges(start, end, report_format)
        return _corrupt(delivery, fault) if fault else delivery
    form = report_completeness.of_whole(start, report_format)
    if form.holds != "findings" and delivery.size_bytes > TINY_BYTES:
        return _corrupt(delivery, form.fault or Note("form.no_findings_long"))
    match form.holds:
        case "findings":
            return _corrupt(delivery, form.fault) if form.fault else delivery
        case "nothing":
            return replace(delivery, nothing_found="empty_object")
        case "unclear":
            return _confirmed_by_inspector(ask, delivery, form.fault or Note("form.no_findings"))


def _without_object(ask: AsksInspector, destination: Destination) -> Delivery | Failure:
    """Check a success without an object: Inspector may write none where nothing matches, and something may have taken it away."""
    doubt, values = _doubt(ask)
    if not doubt:
        return _nothing(destination, "no_object")
    uri = f"s3://{destination.bucket}/{destination.prefix}"
    return Failure("Delivery.Missing", Note(WITHOUT_OBJECT[doubt], uri=uri, **values))


def _doubt(ask: AsksInspector) -> tuple[Literal["", "refused", "unclear", "findings"], dict[str, str]]:
    """Return why it is not sure that nothing matches the filter; an empty text where it is."""
    try:
        matches = ask()
    except ClientError as error:
        if code_of(error) in THROTTLED or not is_refused(error):
            raise
        return "refused", {"code": code_of(error)}
    return ("unclear" if matches is None else "findings" if matches else ""), {}


def _confirmed_by_inspector(ask: AsksInspector, delivery: Delivery, fault: Note) -> Delivery | Failure:
    """Check a tiny object without any finding that is in no known form: a malformed one was seen where nothing matched."""
    doubt, values = _doubt(ask)
    if doubt:
        return _corrupt(delivery, fault, MALFORMED[doubt], **values)
    note = Note("run.tiny_report", uri=delivery.uri, size=delivery.size_bytes, fault=fault)
    return replace(delivery, nothing_found="empty_object", note=notes.to_text(note))


def _corrupt(delivery: Delivery, fault: Note, name: str = "cause.corrupt", **values: str) -> Failure:
    cause = Note(name, uri=delivery.uri, bytes=delivery.size_bytes, fault=fault, **values)
    return Failure("Delivery.Corrupt", cause)


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
