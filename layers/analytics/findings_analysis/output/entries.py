"""The entries of lists that people read: a resource, a package, a finding, a vulnerability to fix first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import zip_longest
from typing import Any

from findings_analysis.assessment.priorities import Ranked
from findings_analysis.assessment.scores import why
from findings_analysis.comparison.difference import MOVED_AWAY, Change
from findings_analysis.comparison.due import DueDates
from findings_analysis.comparison.fingerprints import (
    EXACT,
    FIRST_SEEN,
    FIXES,
    NO_OWNER,
    NOT_KNOWN,
    OWNER,
    day,
    fix,
    has_exploit,
    severity,
)
from findings_analysis.comparison.watch import OpenVulnerability
from findings_analysis.output.finding_details import DetailsByArn
from findings_exporter.model.owner_rules import UNOWNED
from findings_exporter.model.taxonomy import MOVED

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIX_WORDS = {number: word for word, number in FIXES.items()}
NO_FIXED_VERSION = "NotAvailable"
"""What Inspector writes where no version fixes a package [seen in real findings]."""

type KnownExploited = Mapping[str, Mapping[str, Any]]
"""What CISA says of vulnerabilities that are known to be exploited, by their ids: ``added_on``, ``due_on``, ``action``."""


@dataclass(frozen=True, slots=True)
class Entries:
    """Makes entries.

    Attributes
    ----------
    details
        Of all findings that are listed.
    now
        The run's start.
    owner_names
        By the owners' bytes in the fingerprints; None where the run knows no owners.
    due_dates
        None where findings have none.
    are_aligned
        Whether lists of versions are aligned with the packages: in a JSON report, not in a CSV.
    """

    details: DetailsByArn
    now: datetime
    owner_names: Mapping[bytes, str] | None = None
    due_dates: DueDates | None = None
    known_exploited: KnownExploited = field(default_factory=dict)
    are_aligned: bool = True

    def changed(self, change: Change) -> dict[str, Any]:
        """Return a finding that changed."""
        fingerprint = change.fingerprint
        detail = self.details.get(fingerprint[EXACT], {})
        before = self.details.get(change.baseline[EXACT], {}) if change.baseline and change.current else {}
        has_another_arn = change.kind in {"unchanged_new_arn", "rediscovered"}
        first_seen = min(each[FIRST_SEEN] for each in (change.baseline, change.current) if each)
        is_there = change.current or change.kind == "status_unknown"
        return {
            "finding_arn": detail.get("finding_arn"),
            "previous_finding_arn": before.get("finding_arn") if has_another_arn else None,
            **self._recognized(detail),
            "severity": severity(fingerprint),
            "previous_severity": severity(change.baseline) if change.baseline and change.current else None,
            "exploit_available": has_exploit(fingerprint),
            "fix_available": FIX_WORDS.get(fix(fingerprint)),
            **self._days(first_seen),
            "owner": self._owner(fingerprint),
            "previous_owner": self._owner(change.baseline) if change.kind in {MOVED, MOVED_AWAY} else None,
            "due_on": self._due_on(fingerprint) if is_there else None,
        }

    def open(self, fingerprint: bytes, score: int | None = None) -> dict[str, Any]:
        """Return an open finding; with its priority score where that is known."""
        detail = self.details.get(fingerprint[EXACT], {})
        return {
            "finding_arn": detail.get("finding_arn"),
            **self._recognized(detail),
            "severity": severity(fingerprint),
            "exploit_available": has_exploit(fingerprint),
            "fix_available": FIX_WORDS.get(fix(fingerprint)),
            **self._days(fingerprint[FIRST_SEEN]),
            "owner": self._owner(fingerprint),
            "due_on": self._due_on(fingerprint),
            "epss_score": detail.get("epss_score"),
            "runtime_reachability": detail.get("runtime_reachability"),
            "in_use_count": detail.get("in_use_count"),
            "priority_score": score,
        }

    def to_fix(self, ranked: Ranked, open_on: OpenVulnerability | None) -> dict[str, Any]:
        """Return a vulnerability to fix first.

        Parameters
        ----------
        open_on
            The resources that it is open on.
        """
        worst = self.details.get(ranked.worst, {})
        scored = {name: worst.get(name) for name in _SCORED} | {"severity": worst.get("severity") or "OTHER"}
        return {
            "rank": ranked.rank,
            "priority_score": ranked.score,
            "vulnerability_id": worst.get("vulnerability_id"),
            "title": worst.get("title"),
            "packages": packages(worst, are_aligned=self.are_aligned),
            **scored,
            "resource_count": ranked.resources,
            "resources": [self._resource(each) for each in open_on.worst] if open_on else [],
            "due_on": _date(open_on.due_on) if open_on else None,
            "kev": self.known_exploited.get(worst.get("vulnerability_id") or ""),
            "finding_arn": worst.get("finding_arn"),
            "why": why(scored, ranked.resources),
        }

    def _recognized(self, detail: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "title": detail.get("title"),
            "vulnerability_id": detail.get("vulnerability_id"),
            "packages": packages(detail, are_aligned=self.are_aligned),
            "account_id": detail.get("account_id"),
            "region": detail.get("region"),
            "resource_type": detail.get("resource_type"),
            "resource": detail.get("resource_name") or detail.get("resource_id"),
            "resource_id": detail.get("resource_id"),
        }

    def _resource(self, fingerprint: bytes) -> dict[str, Any]:
        detail = self.details.get(fingerprint[EXACT], {})
        return {
            "name": detail.get("resource_name") or detail.get("resource_id"),
            "resource_type": detail.get("resource_type"),
            "resource_id": detail.get("resource_id"),
            "account_id": detail.get("account_id"),
            "region": detail.get("region"),
            "owner": self._owner(fingerprint),
            "first_seen": self._days(fingerprint[FIRST_SEEN])["first_seen"],
            "due_on": self._due_on(fingerprint),
            "finding_arn": detail.get("finding_arn"),
        }

    def _days(self, first_seen: bytes) -> dict[str, Any]:
        if first_seen == NOT_KNOWN:
            return {"first_seen": None, "days_open": None}
        seen = EPOCH + timedelta(days=day(first_seen))
        return {"first_seen": f"{seen:%Y-%m-%d}", "days_open": max((self.now - seen).days, 0)}

    def _owner(self, fingerprint: bytes) -> str | None:
        if self.owner_names is None:
            return None
        return UNOWNED if fingerprint[OWNER] == NO_OWNER else self.owner_names.get(fingerprint[OWNER], UNOWNED)

    def _due_on(self, fingerprint: bytes) -> str | None:
        return _date(self.due_dates.due_on(fingerprint)) if self.due_dates else None


_SCORED = ("exploit_available", "epss_score", "fix_available", "runtime_reachability", "in_use_count")


def packages(detail: Mapping[str, Any], *, are_aligned: bool = True) -> list[dict[str, str | None]]:
    """Return a finding's packages with their installed and fixed versions.

    Where the lists are not aligned, only a single version says of which package it is.
    """
    names: Sequence[str | None] = detail.get("package_names") or []
    found = {}
    is_clear = are_aligned or len(names) == 1
    listed = [detail.get(column) or [] for column in ("package_versions", "fixed_in_versions")]
    versions = [each if is_clear and len(each) == len(names) else [None] * len(names) for each in listed]
    for name, installed, fixed in zip_longest(names, *versions):
        if name:
            fixed_version = None if fixed == NO_FIXED_VERSION else fixed
            found[name, installed, fixed_version] = {
                "name": name,
                "installed_version": installed,
                "fixed_version": fixed_version,
            }
    return list(found.values())


def _date(days: int | None) -> str | None:
    return None if days is None else (date(1970, 1, 1) + timedelta(days=days)).isoformat()
