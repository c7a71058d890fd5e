"""The comparison of two runs as one would write it without a thought for memory: what the real one is held against.

Works on whole findings, knows no fingerprints, and says of each kind how many findings of which logical
identity have it.
"""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from findings_analysis.comparison.fingerprints import DAY_MS
from findings_analysis.comparison.identity import exact_hashes
from tests.builders import daily_runs

RANKS = ["UNTRIAGED", "INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL"]
FIXES = ["NO", "PARTIAL", "YES"]
RESOURCES = {"shop/cart": "AWS_ECR_CONTAINER_IMAGE", "i-0abc": "AWS_EC2_INSTANCE", "resize": "AWS_LAMBDA_FUNCTION"}
SCAN_TYPES = {"shop/cart": "ecr", "i-0abc": "ec2", "resize": "lambda"}

type Logical = tuple[str, str, str, frozenset[str]]


@dataclass(frozen=True)
class Seen:
    """One finding of a run, or what is remembered of it."""

    account: str
    resource: str
    vulnerability: str
    packages: frozenset[str]
    number: int
    status: str = "ACTIVE"
    severity: str = "HIGH"
    exploit: str = "NO"
    fix: str = "NO"
    first_seen: int = 0
    closed: int = 0

    @property
    def logical(self) -> Logical:
        return self.account, self.resource, self.vulnerability, self.packages

    @property
    def place(self) -> tuple[str, str, str]:
        return self.account, self.resource, self.vulnerability

    @property
    def arn(self) -> int:
        return self.number

    @property
    def was_open(self) -> bool:
        return self.status in {"ACTIVE", "UNKNOWN"}

    @property
    def is_open(self) -> bool:
        return self.status == "ACTIVE"

    def row(self) -> dict[str, Any]:
        """The finding as a reader would give it."""
        return daily_runs.finding(
            str(self.arn),
            account_id=self.account,
            resource_name=self.resource,
            resource_type=RESOURCES[self.resource],
            vulnerability_id=self.vulnerability,
            package_names=sorted(self.packages),
            status=self.status,
            severity=self.severity,
            exploit_available=self.exploit,
            fix_available=self.fix,
            first_observed_at=self.first_seen * DAY_MS,
            updated_at=self.closed * DAY_MS,
        )


def compare(
    baseline: list[Seen], current: list[Seen], off: set[tuple[str, str]], unknown: set[tuple[str, str]]
) -> tuple[Counter[tuple[str, Logical]], list[Seen]]:
    """Return how many findings of each kind and identity there are, and what the next run is compared with."""
    kinds: Counter[tuple[str, Logical]] = Counter()
    baseline = [as_called_now(before, current) for before in baseline]
    unmatched, pairs, fresh = list(baseline), [], []
    for after in current:
        same = [before for before in unmatched if before.arn == after.arn]
        if same:
            unmatched.remove(same[0])
            pairs.append((same[0], after))
        else:
            fresh.append(after)
    missing: list[tuple[Seen, Seen | None]] = []
    for before, after in pairs:
        if before.was_open and after.is_open:
            kind = "rediscovered" if before.status == "UNKNOWN" else "still_open"
            kinds[kind, after.logical] += 1
            kinds.update((mark, after.logical) for mark in marks(before, after))
        elif before.was_open and after.status == "SUPPRESSED":
            kinds["suppressed", after.logical] += 1
        elif before.was_open:
            missing.append((before, after))
        elif after.is_open:
            kinds["unsuppressed" if before.status == "SUPPRESSED" else "reopened", after.logical] += 1
    # Several equal findings cannot be distinguished: closed ones are matched first, and of each those that were open.
    missing.sort(key=surely_open_first)
    missing += sorted(((before, None) for before in unmatched if before.was_open), key=surely_open_first)
    for after in [each for each in fresh if each.is_open]:
        same_identity = [pair for pair in missing if pair[0].logical == after.logical]
        if same_identity:
            before = same_identity[0][0]
            missing.remove(same_identity[0])
            kinds["rediscovered" if before.status == "UNKNOWN" else "unchanged_new_arn", after.logical] += 1
        elif any(each.was_open and each.logical == after.logical for each in baseline):
            kinds["additional_resource", after.logical] += 1
        elif any(each.status == "CLOSED" and each.logical == after.logical for each in baseline):
            kinds["reopened", after.logical] += 1
        else:
            kinds["new", after.logical] += 1
    uncertain = []
    for before, closed in missing:
        latest = closed or before
        place = latest.account, SCAN_TYPES[latest.resource]
        if place in off or (closed is None and place in unknown):
            kinds["status_unknown", before.logical] += 1
            uncertain.append(replace(latest, status="UNKNOWN", closed=0))
        elif any(each.is_open and each.logical == before.logical for each in current):
            kinds["one_fewer_resource", before.logical] += 1
        elif closed is not None:
            kinds["closed", before.logical] += 1
        elif any((each.account, each.resource) == (before.account, before.resource) for each in current):
            kinds["no_longer_reported", before.logical] += 1
        else:
            kinds["resource_removed", before.logical] += 1
    return kinds, remembered(baseline, current, pairs, uncertain)


def surely_open_first(pair: tuple[Seen, Seen | None]) -> tuple[bool, bytes]:
    before, _ = pair
    return before.status != "ACTIVE", exact_hashes([before.row()["finding_arn"]])[0]


def as_called_now(before: Seen, current: list[Seen]) -> Seen:
    """The same ARN is the same finding: one that has another account, resource or vulnerability now had it then."""
    for after in current:
        if after.arn == before.arn and after.place != before.place:
            account, resource, vulnerability = after.place
            return replace(before, account=account, resource=resource, vulnerability=vulnerability, packages=after.packages)
    return before


def remembered(baseline: list[Seen], current: list[Seen], pairs: list[tuple[Seen, Seen]], uncertain: list[Seen]) -> list[Seen]:
    """This run's findings and those that Inspector does not scan, each with the earliest day of all its copies."""

    def earliest(logical: Logical) -> int:
        return min(each.first_seen for each in (*baseline, *current) if each.logical == logical)

    def first_seen(logical: Logical) -> int:
        return min([earliest(logical)] + [earliest(before.logical) for before, after in pairs if after.logical == logical])

    paired = {after: before.closed for before, after in pairs if before.status == after.status == "CLOSED"}

    def closed(each: Seen) -> int:
        return paired.get(each, each.closed) if each.status == "CLOSED" else 0

    kept = [replace(each, closed=closed(each)) for each in current if each.arn not in {other.arn for other in uncertain}]
    return [replace(each, first_seen=first_seen(each.logical)) for each in (*kept, *uncertain)]


def marks(before: Seen, after: Seen) -> list[str]:
    """What changed in how bad a finding is."""
    changed = []
    if before.severity != after.severity:
        worse = RANKS.index(after.severity) > RANKS.index(before.severity)
        changed.append("severity_raised" if worse else "severity_lowered")
    if (before.exploit, after.exploit) == ("NO", "YES"):
        changed.append("exploit_became_available")
    if after.fix != "NO" and FIXES.index(after.fix) > FIXES.index(before.fix):
        changed.append("fix_became_available")
    return changed
