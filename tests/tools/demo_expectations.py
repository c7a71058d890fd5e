"""What the digest of a night should say, reckoned from what the emulated Inspector was told to change."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tests.local_aws.inspector_control import ChangedFindings

type Finding = Mapping[str, Any]

NEW = ("new", "another_copy")
GONE = ("resource_gone", "no_longer_reported", "copy_gone")
"""What a report of active findings alone can tell of what is fixed or suppressed."""


def expected(before: Sequence[Finding], after: Sequence[Finding], night: ChangedFindings, dark: str) -> dict[str, Any]:
    """Return what the digest should say.

    Parameters
    ----------
    before, after
        The active findings of the two nights.
    night
        What was changed in between.
    dark
        The account in which Inspector was switched off.
    """
    was, now = by_arn(before), by_arn(after)
    gone = [was[arn] for arn in (*night["fixed"], *night["suppressed"])]
    unseen = [finding for finding in before if finding["awsAccountId"] == dark]
    return {
        "open": len(now),
        "new": _severities(now[arn] for arn in night["new"]),
        "gone": _severities(gone),
        "reissued": _severities(now[arn] for arn in night["reissued"].values()),
        "not_looked_at": _severities(unseen),
        "still_open": len(was) - len(gone) - len(night["reissued"]) - len(unseen),
        "dark": [dark],
    }


def told(digest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same of a digest."""
    counts, by_severity = digest["changes"]["counts"], digest["changes"]["by_severity"]

    def sum_of(*kinds: str) -> dict[str, int]:
        found: Counter[str] = sum((Counter(by_severity[kind]) for kind in kinds), Counter())
        return dict(found)

    return {
        "open": digest["counts"]["by_status"].get("ACTIVE", 0),
        "new": sum_of(*NEW),
        "gone": sum_of(*GONE),
        "reissued": sum_of("reissued"),
        "not_looked_at": sum_of("not_looked_at"),
        "still_open": counts["still_open"],
        "dark": list(digest["verdict"]["dark"]),
    }


def resources_with(after: Iterable[Finding], vulnerability: str) -> int:
    """Return on how many resources, as people name them, a vulnerability is open: images of one repository are one."""
    return len(
        {
            (finding["awsAccountId"], finding["resources"][0]["id"].split("/sha256:")[0])
            for finding in after
            if vulnerability in (finding.get("packageVulnerabilityDetails", {}).get("vulnerabilityId"), finding["title"])
        }
    )


def criticals(after: Iterable[Finding]) -> dict[str, dict[str, int]]:
    """Return what the saved question about open criticals should answer, by account."""
    counted: dict[str, dict[str, int]] = {}
    for finding in after:
        if finding["severity"] == "CRITICAL":
            of_account = counted.setdefault(
                finding["awsAccountId"], {"open_criticals": 0, "with_fix": 0, "with_known_exploit": 0}
            )
            of_account["open_criticals"] += 1
            of_account["with_fix"] += finding.get("fixAvailable") == "YES"
            of_account["with_known_exploit"] += finding.get("exploitAvailable") == "YES"
    return counted


def by_arn(findings: Iterable[Finding]) -> dict[str, Finding]:
    """Return findings by ARN."""
    return {finding["findingArn"]: finding for finding in findings}


def _severities(findings: Iterable[Finding]) -> dict[str, int]:
    return dict(Counter(finding["severity"] for finding in findings))
