"""Looking for a run's report in the bucket."""

from typing import TYPE_CHECKING

from findings_exporter.model.layout import report_id_of
from findings_exporter.model.plan import Destination

if TYPE_CHECKING:
    from datetime import datetime

    from mypy_boto3_s3 import S3Client


def found_objects(s3: "S3Client", destination: Destination) -> dict[str, "datetime"]:
    """Return the objects under the run's own prefix, each with when it was written."""
    listed = s3.list_objects_v2(Bucket=destination.bucket, Prefix=destination.prefix, ExpectedBucketOwner=destination.owner)
    return {item["Key"]: item["LastModified"] for item in listed.get("Contents", []) if not item["Key"].endswith("/")}


def found_report_id(s3: "S3Client", destination: Destination) -> str | None:
    """Return the id of a report that lies under the run's own prefix already: the object is named by it."""
    ids = (report_id_of(key, destination.prefix) for key in found_objects(s3, destination))
    return next(filter(None, ids), None)
