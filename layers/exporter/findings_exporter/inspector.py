"""Inspector's three calls around a findings report, and what their answers may look like."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ConnectionClosedError

from findings_exporter.plan import Plan

if TYPE_CHECKING:
    from mypy_boto3_inspector2 import Inspector2Client

FINAL = frozenset({"SUCCEEDED", "FAILED", "CANCELLED"})
"""Statuses of a report that has ended. Any other one, also an unknown one, counts as in progress."""


@dataclass(frozen=True, slots=True)
class Report:
    """What Inspector says of a report. Members that it leaves out are empty."""

    id: str
    status: str
    error_code: str
    error_message: str
    bucket: str
    prefix: str

    @property
    def has_ended(self) -> bool:
        """Whether the report is over, so that the slot is free again."""
        return self.status in FINAL


@dataclass(frozen=True, slots=True)
class Inspector:
    """Looking at reports and stopping them, with bounded retries."""

    client: "Inspector2Client"

    def current(self) -> Report | None:
        """Return the report in progress, if there is one.

        What AWS answers when there never was a report is not known: not found, an empty answer and the last report are
        all understood.
        """
        try:
            return _report(self.client.get_findings_report_status())
        except self.client.exceptions.ResourceNotFoundException:
            return None

    def status(self, report_id: str) -> Report | None:
        """Return a report, or None when Inspector does not know its id."""
        try:
            return _report(self.client.get_findings_report_status(reportId=report_id))
        except self.client.exceptions.ResourceNotFoundException:
            return None

    def cancel(self, report_id: str) -> None:
        """Cancel a report. One that has ended meanwhile counts as cancelled."""
        try:
            self.client.cancel_findings_report(reportId=report_id)
        except (self.client.exceptions.ResourceNotFoundException, self.client.exceptions.ValidationException):
            report = self.status(report_id)
            if report is not None and not report.has_ended:
                raise


def _report(answer: Mapping[str, Any]) -> Report | None:
    destination = answer.get("destination") or {}
    if not answer.get("reportId") or not answer.get("status"):
        return None
    return Report(
        id=answer["reportId"],
        status=answer["status"],
        error_code=answer.get("errorCode") or "",
        error_message=answer.get("errorMessage") or "",
        bucket=destination.get("bucketName", ""),
        # Whether Inspector gives a prefix back with its last slash is not known; ours have one.
        prefix=f"{prefix.rstrip('/')}/" if (prefix := destination.get("keyPrefix", "")) else "",
    )


def create(creator: "Inspector2Client", plan: Plan) -> str:
    """Create a report and return its id.

    Parameters
    ----------
    creator
        A client that never retries by itself.
    """
    request: Any = {
        "reportFormat": plan.report_format,
        "s3Destination": {
            "bucketName": plan.destination.bucket,
            "keyPrefix": plan.destination.prefix,
            "kmsKeyArn": plan.destination.kms_key_arn,
            "expectedBucketOwner": plan.destination.owner,
        },
    }
    if plan.filter_criteria:
        request["filterCriteria"] = plan.filter_criteria
    answer = creator.create_findings_report(**request)
    # A connection that breaks within the answer can leave an empty one, and botocore takes it for a whole one.
    if not answer.get("reportId"):
        raise ConnectionClosedError(endpoint_url=creator.meta.endpoint_url)
    return answer["reportId"]
