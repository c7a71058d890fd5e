"""What the analysis of the demo's second run should report, computed from what was changed in the emulated Inspector."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tests.local_aws.inspector_control import ChangedFindings

type Finding = Mapping[str, Any]

NEW = ("new", "additional_resource")
NO_LONGER_OPEN = ("resource_removed", "no_longer_reported", "one_fewer_resource")
"""The kinds in which a report of active findings alone shows what was fixed or suppressed."""


def expected(before: Sequence[Finding], after: Sequence[Finding], changed: ChangedFindings, deactivated: str) -> dict[str, Any]:
    """Return what the analysis should report.

    Parameters
    ----------
    before, after
        The active findings at the two runs.
    changed
        What was changed in between.
    deactivated
        The account in which scanning was deactivated.
    """
    was, now = by_arn(before), by_arn(after)
    no_longer_open = [was[arn] for arn in (*changed["fixed"], *changed["suppressed"])]
    not_scanned = [finding for finding in before if finding["awsAccountId"] == deactivated]
    return {
        "open": len(now),
        "new": _severities(now[arn] for arn in changed["new"]),
        "no_longer_open": _severities(no_longer_open),
        "new_arn": _severities(now[arn] for arn in changed["new_arn"].values()),
        "status_unknown": _severities(not_scanned),
        "unchanged": len(was) - len(no_longer_open) - len(changed["new_arn"]) - len(not_scanned),
        "coverage_lost": [deactivated],
    }


def reported(analysis: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same numbers as an analysis reports them."""
    counts, by_severity = analysis["changes"]["counts"], analysis["changes"]["by_severity"]

    def sum_of(*kinds: str) -> dict[str, int]:
        found: Counter[str] = sum((Counter(by_severity[kind]) for kind in kinds), Counter())
        return dict(found)

    return {
        "open": analysis["statistics"]["by_status"].get("ACTIVE", 0),
        "new": sum_of(*NEW),
        "no_longer_open": sum_of(*NO_LONGER_OPEN),
        "new_arn": sum_of("unchanged_new_arn"),
        "status_unknown": sum_of("status_unknown"),
        "unchanged": counts["still_open"],
        "coverage_lost": list(analysis["coverage_status"]["deactivated"]),
    }


def resources_with(after: Iterable[Finding], vulnerability: str) -> int:
    """Return on how many resources a vulnerability is open; all images of one repository count as one."""
    return len(
        {
            (finding["awsAccountId"], finding["resources"][0]["id"].split("/sha256:")[0])
            for finding in after
            if vulnerability in (finding.get("packageVulnerabilityDetails", {}).get("vulnerabilityId"), finding["title"])
        }
    )


def by_arn(findings: Iterable[Finding]) -> dict[str, Finding]:
    """Return findings by ARN."""
    return {finding["findingArn"]: finding for finding in findings}


def _severities(findings: Iterable[Finding]) -> dict[str, int]:
    return dict(Counter(finding["severity"] for finding in findings))
