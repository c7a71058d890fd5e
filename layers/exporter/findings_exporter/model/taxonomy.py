"""The words that findings, scans and changes are sorted by, once for both layers. Every function loads it: no imports."""

from collections.abc import Mapping

SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNTRIAGED", "OTHER")
"""The worst first. OTHER stands for a severity that is newer than this code."""
STATUSES = ("ACTIVE", "SUPPRESSED", "CLOSED")
NOT_OPEN = frozenset(STATUSES[1:])
"""Any other status, also one that is newer than this code, counts as open: a new status hides no finding."""
REACHABLE, NOT_REACHABLE, REACHABILITY_UNKNOWN = REACHABILITIES = ("REACHABLE", "NOT_REACHABLE", "UNKNOWN")
"""Whether a vulnerable package runs [AWS: service model, RuntimeReachability]."""

SCAN_TYPES = ("other", "ec2", "ecr", "lambda", "lambdaCode", "codeRepository", "ami", "azure", "gcp")
"""As BatchGetAccountStatus names them [AWS]. ``azure`` and ``gcp`` are the clouds of ListConnectors; ``other`` is in neither
answer. Fingerprints hold their positions: another order needs a new version of the fingerprint file."""
OWN_SCAN_TYPES = SCAN_TYPES[:-2]
"""Scan types that the state of the account itself decides on."""
OTHER_CLOUDS: Mapping[str, str] = {"azure": "Microsoft.", "gcp": ".googleapis.com/"}
"""What the names of a cloud's resource types contain [AWS: service model, ResourceType]."""
SCAN_TYPE_OF: Mapping[str, str] = {
    "AWS_EC2_INSTANCE": "ec2",
    "AWS_ECR_CONTAINER_IMAGE": "ecr",
    "AWS_ECR_REPOSITORY": "ecr",
    "AWS_LAMBDA_FUNCTION": "lambda",
    "CODE_REPOSITORY": "codeRepository",
    "MACHINE_IMAGE": "ami",
}
"""The scan type that finds the findings of a resource type."""

STAYED = ("still_open", "unchanged_new_arn", "rediscovered")
APPEARED = ("new", "additional_resource", "reopened", "unsuppressed")
NO_LONGER_OPEN = ("closed", "suppressed", "resource_removed", "no_longer_reported", "one_fewer_resource")
STATUS_UNKNOWN = "status_unknown"
MOVED = "moved"
"""Its owner has changed."""
MARKS_CHANGED = ("severity_raised", "severity_lowered", "exploit_became_available", "fix_became_available", MOVED)
"""Counted besides the kind of a finding that stayed."""
KINDS = (*STAYED, *APPEARED, *NO_LONGER_OPEN, STATUS_UNKNOWN, *MARKS_CHANGED)
"""The kinds of change, as docs/analysis.md explains them."""
LISTED_KINDS = KINDS[1:]
"""All but findings that are open and unchanged in both reports."""


def scan_type(resource_type: str | None, finding_type: str | None) -> str:
    """Return the scan type that finds such a finding.

    A function's code and its packages are scanned by two types that are activated separately [AWS].
    """
    if resource_type == "AWS_LAMBDA_FUNCTION" and finding_type == "CODE_VULNERABILITY":
        return "lambdaCode"
    if known := SCAN_TYPE_OF.get(resource_type or ""):
        return known
    return next((cloud for cloud, part in OTHER_CLOUDS.items() if part in (resource_type or "")), "other")
