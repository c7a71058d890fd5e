"""Gap: MiniStack's BatchGetFindingDetails knows no emulated finding, and its errors lack members that the model requires.

Answers with what Inspector knows of a finding's vulnerability: the EPSS score, and the dates of CISA's catalog of known exploited
vulnerabilities (KEV) where a test has put the vulnerability there. The shapes are those of AWS' service model.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.local_aws.emulator.inspector.findings import Finding

ARNS_A_CALL = 10
"""AWS: API reference, BatchGetFindingDetails."""
_ARN = re.compile(r"arn:(aws[a-zA-Z-]*)?:inspector2:[a-z]{2}(-gov)?-[a-z]+-\d{1}:\d{12}:finding/[a-f0-9]{32}")
KEV_MEMBERS = ("dateAdded", "dateDue", "action")


def fault_of(request: Mapping[str, Any]) -> str | None:
    """Return what is wrong with a request, as the service model's bounds have it."""
    arns = request.get("findingArns")
    if not isinstance(arns, list) or not 1 <= len(arns) <= ARNS_A_CALL:
        return f"findingArns must hold 1 to {ARNS_A_CALL} ARNs"
    wrong = [arn for arn in arns if not isinstance(arn, str) or not _ARN.fullmatch(arn)]
    return f"not the ARN of a finding: {wrong[0]}" if wrong else None


def details(
    findings: Sequence[Finding], kev: Mapping[str, Mapping[str, Any]], arns: Sequence[str]
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Return the details of findings, and an error for each ARN of which nothing is known.

    Parameters
    ----------
    kev
        By vulnerability id, the members of ``cisaData``; dates are epoch seconds.
    """
    wanted = set(arns)
    by_arn = {finding["findingArn"]: finding for finding in findings if finding["findingArn"] in wanted}
    found, errors = [], []
    for arn in dict.fromkeys(arns):
        finding = by_arn.get(arn)
        if finding is None:
            message = "The finding details were not found."
            errors.append({"findingArn": arn, "errorCode": "FINDING_DETAILS_NOT_FOUND", "errorMessage": message})
            continue
        known: dict[str, Any] = {"findingArn": arn, "referenceUrls": [], "cwes": [], "tools": [], "ttps": [], "evidences": []}
        if "epss" in finding:
            known["epssScore"] = finding["epss"]["score"]
        package = finding.get("packageVulnerabilityDetails") or {}
        known["referenceUrls"] = list(package.get("referenceUrls", ()))[:100]
        # A vulnerability that is not in the catalog has no such member: this is a guess.
        if (cisa := kev.get(package.get("vulnerabilityId", ""))) is not None:
            known["cisaData"] = dict(cisa)
        found.append(known)
    return found, errors


def install() -> None:
    """Answer BatchGetFindingDetails where findings were seeded."""
    # Here, because the rest of this module is also imported where there is no MiniStack.
    from ministack.core.responses import error_response_json, get_region, json_response
    from ministack.services import inspector2

    from tests.local_aws.emulator.inspector import reports

    path = "/findings/details/batch/get"
    plain = inspector2._path_handlers[path]

    def handle(data: dict[str, Any], account_id: str) -> Any:
        here = reports.place(account_id, get_region())
        if not here.accounts:
            return plain(data, account_id)
        if fault := fault_of(data):
            return error_response_json(
                "ValidationException", fault, 400, extra={"reason": "FIELD_VALIDATION_FAILED", "fields": []}
            )
        found, errors = details(here.findings, here.kev, data["findingArns"])
        return json_response({"findingDetails": found, "errors": errors})

    inspector2._path_handlers[path] = handle
