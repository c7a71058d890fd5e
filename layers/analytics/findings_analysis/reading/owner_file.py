"""The file of owners, as people have put it into the bucket (:mod:`findings_exporter.model.owner_rules`)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from findings_exporter.model.errors import DENIED, THROTTLED, code_of
from findings_exporter.model.notes import Note
from findings_exporter.model.owner_rules import MOST_FILE_BYTES, OwnerRules, OwnerRulesError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from findings_exporter.model.plan import Destination

MOST_WHY_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class OwnerFile:
    """Who owns what, as a run knows it.

    Attributes
    ----------
    rules
        None where there are no owners: neither a file nor a tag, or a file that cannot be used. A tag does not stand for such a
        file: its rules come first.
    etag
        Of the file; empty where none was read. All parts of a report must have read the same.
    notes
        Why the file cannot be used.
    """

    rules: OwnerRules | None = None
    etag: str = ""
    notes: tuple[str, ...] = ()


def read_owner_file(s3: "S3Client", destination: "Destination", key: str, tag: str) -> OwnerFile:
    """Read the file, if there is one.

    A file that cannot be used never fails an analysis: the owners are unknown then, and a note says what is wrong.

    Raises
    ------
    ClientError
        S3 could not serve; the handler translates it.
    """
    bucket, owner = destination.bucket, destination.owner
    try:
        # Asked for by listing: without a right to list all of the bucket, S3 refuses to read an object that is not there.
        listed = s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1, ExpectedBucketOwner=owner).get("Contents", [])
    except ClientError as error:
        why = _refusal(error)
        return OwnerFile(notes=(Note("owners.unknown", key=key, why=why),))
    if not any(each["Key"] == key for each in listed):
        return OwnerFile(OwnerRules(tag=tag) if tag else None)
    try:
        answer = s3.get_object(Bucket=bucket, Key=key, ExpectedBucketOwner=owner)
        content = answer["Body"].read(MOST_FILE_BYTES + 1)
    except ClientError as error:
        if code_of(error) == "NoSuchKey":  # deleted since it was listed
            return OwnerFile(OwnerRules(tag=tag) if tag else None)
        return OwnerFile(notes=(Note("owners.unread", key=key, why=_refusal(error)),))
    try:
        return OwnerFile(OwnerRules.parse(content, tag), answer["ETag"])
    except OwnerRulesError as error:
        return OwnerFile(None, answer["ETag"], (Note("owners.not_used", key=key, faults=list(error.faults)),))


def _refusal(error: ClientError) -> str:
    """Return why S3 or KMS refuses; anything else is worth another try, and raised."""
    code = code_of(error)
    if code not in DENIED and not (code.startswith("KMS.") and code not in THROTTLED):
        raise error
    return str(error)[:MOST_WHY_CHARACTERS]
