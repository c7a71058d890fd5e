"""Counts findings by account, as ListFindingAggregations does for the aggregation type ACCOUNT.

The request and the answer are those of the service model. That only active findings are counted, and that an account without
findings has no row, are guesses.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tests.local_aws.emulator.inspector import criteria

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.local_aws.emulator.inspector.findings import Finding

MOST_ROWS = 100
FINDING_TYPES = ("NETWORK_REACHABILITY", "PACKAGE_VULNERABILITY", "CODE_VULNERABILITY")
RESOURCE_TYPES = (
    "AWS_EC2_INSTANCE", "AWS_ECR_CONTAINER_IMAGE", "AWS_LAMBDA_FUNCTION", "CODE_REPOSITORY", "Microsoft.Compute/virtualMachines",
    "Microsoft.ContainerRegistry/registry/containerImage", "Microsoft.Web/sites", "cloudfunctions.googleapis.com/Function",
    "compute.googleapis.com/Instance", "artifactregistry.googleapis.com/DockerImage",
)  # fmt: skip
"""To which an aggregation by account can be confined: fewer than findings have. A test compares them with the service model."""


def problems(request: Mapping[str, Any]) -> list[criteria.Problem]:
    """Return what the service refuses about a request; the emulator knows no aggregation but by account."""
    found: list[criteria.Problem] = []
    if request.get("aggregationType") != "ACCOUNT":
        found.append(("aggregationType", "must be ACCOUNT: the emulator knows no other"))
    if "accountIds" in request:
        found += criteria.problems({"awsAccountId": request["accountIds"]})
    wanted = request.get("aggregationRequest") or {"accountAggregation": {}}
    if set(wanted) != {"accountAggregation"}:
        return [*found, ("aggregationRequest", "must have the one member accountAggregation")]
    for name, value in wanted["accountAggregation"].items():
        if value not in {"findingType": FINDING_TYPES, "resourceType": RESOURCE_TYPES}.get(name, ()):
            found.append((f"aggregationRequest.accountAggregation.{name}", "is not known"))
    most = request.get("maxResults", MOST_ROWS)
    if not isinstance(most, int) or not 1 <= most <= MOST_ROWS:
        found.append(("maxResults", f"must be from 1 to {MOST_ROWS}"))
    return found


def by_account(findings: Sequence[Finding], request: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a row for each account with findings, in the order of account ids."""
    confined = (request.get("aggregationRequest") or {}).get("accountAggregation", {})
    wanted = {name: [{"comparison": "EQUALS", "value": value}] for name, value in confined.items()}
    accounts = {"awsAccountId": request["accountIds"]} if "accountIds" in request else {}
    matches = criteria.matcher(wanted | accounts)
    rows: dict[str, list[Finding]] = {}
    for finding in filter(matches, findings):
        rows.setdefault(finding["awsAccountId"], []).append(finding)
    return [{"accountId": account, **_counts(rows[account])} for account in sorted(rows)]


def _counts(findings: Sequence[Finding]) -> dict[str, Any]:
    severities = Counter(finding["severity"].lower() for finding in findings)
    named = ("critical", "high", "medium", "low", "informational", "untriaged")
    return {
        "severityCounts": {"all": len(findings)} | {severity: severities[severity] for severity in named},
        "exploitAvailableCount": sum(finding.get("exploitAvailable") == "YES" for finding in findings),
        "fixAvailableCount": sum(finding.get("fixAvailable") == "YES" for finding in findings),
    }
