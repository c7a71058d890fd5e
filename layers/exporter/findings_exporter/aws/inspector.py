"""Inspector's calls around a findings report, and what their answers may look like."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ConnectionClosedError

from findings_exporter.model.errors import code_of
from findings_exporter.model.plan import Plan

if TYPE_CHECKING:
    from mypy_boto3_inspector2 import Inspector2Client

logger = logging.getLogger(__name__)

ACTIVE: Mapping[str, Any] = {"findingStatus": [{"comparison": "EQUALS", "value": "ACTIVE"}]}
"""A report holds active findings unless its filter names a status; what ListFindings does is not known."""
FINAL = frozenset({"SUCCEEDED", "FAILED", "CANCELLED"})
"""Statuses of a report that has ended. Any other one, also an unknown one, counts as in progress."""


@dataclass(frozen=True, slots=True)
class InspectorReport:
    """What Inspector says of a report. Members that it leaves out are empty."""

    id: str
    status: str
    error_code: str
    error_message: str
    bucket: str
    prefix: str

    @property
    def has_ended(self) -> bool:
        """Whether the report is over, so that Inspector can make another one."""
        return self.status in FINAL


@dataclass(frozen=True, slots=True)
class Inspector:
    """Looking at reports and stopping them, with bounded retries."""

    client: "Inspector2Client"

    def current(self) -> InspectorReport | None:
        """Return the report in progress, if there is one.

        What AWS answers when there never was a report is not known: not found, an empty answer and the last report are
        all understood.
        """
        try:
            return _report(self.client.get_findings_report_status())
        except self.client.exceptions.ResourceNotFoundException:
            return None

    def status(self, report_id: str) -> InspectorReport | None:
        """Return a report, or None when Inspector does not know its id.

        Raises
        ------
        ConnectionClosedError
            The answer is empty, which says nothing of the report.
        """
        try:
            report = _report(self.client.get_findings_report_status(reportId=report_id))
        except self.client.exceptions.ResourceNotFoundException:
            return None
        if report is None:
            raise ConnectionClosedError(endpoint_url=self.client.meta.endpoint_url)
        return report

    def cancel(self, report_id: str) -> None:
        """Ask Inspector to cancel a report; whoever needs to know whether it has stopped looks.

        A refusal is no reason to fail: it comes for a report that has ended meanwhile, and perhaps for one that was asked to
        stop before.
        """
        try:
            self.client.cancel_findings_report(reportId=report_id)
        except (self.client.exceptions.ResourceNotFoundException, self.client.exceptions.ValidationException) as error:
            logger.info("Inspector refused to cancel the report %s (%s): its status decides", report_id, code_of(error))


def _report(answer: Mapping[str, Any]) -> InspectorReport | None:
    destination = answer.get("destination") or {}
    if not answer.get("reportId") or not answer.get("status"):
        return None
    return InspectorReport(
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


def matches_any(client: "Inspector2Client", filter_criteria: Mapping[str, Any]) -> bool | None:
    """Return whether any finding matches the filter of a report; None where the answer does not say.

    Raises
    ------
    ConnectionClosedError
        The answer is empty, which says nothing of findings.
    """
    criteria: Any = {**ACTIVE, **filter_criteria}
    answer = client.list_findings(filterCriteria=criteria, maxResults=1)
    if "findings" not in answer:
        raise ConnectionClosedError(endpoint_url=client.meta.endpoint_url)
    if answer["findings"]:
        return True
    return None if answer.get("nextToken") else False
