"""Where a missing finding is no longer open: only where Inspector surely scans, and has found again what it knew before.

After scanning was activated again, Inspector finds everything anew over hours. A place (account and scan type) that was not
surely scanned at the last run is therefore not surely scanned now, whatever Inspector says, until more than half of what was
open there is back or :data:`RESUMES_WITHIN` has passed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from findings_analysis.assessment.coverage import Coverage, Place
from findings_analysis.comparison.fingerprint_format import FingerprintFile
from findings_analysis.comparison.identity import account_hash
from findings_exporter.model.taxonomy import SCAN_TYPES

RESUMES_WITHIN = timedelta(hours=24)
"""A guess: AWS does not say how long findings take to come back [docs/limits.md]."""
BACK = 0.5
"""More than this share of what was open; less is an unusual drop, too."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """What is surely scanned.

    Attributes
    ----------
    states
        Account, scan type, ``on``, ``off`` or ``unknown``: what a fingerprint file remembers.
    resuming
        Where Inspector says that it scans, and what was open is not back yet: since when.
    """

    states: Mapping[str, Mapping[str, str]]
    resuming: Mapping[str, Mapping[str, datetime]]
    left: frozenset[str]

    def uncertain(self) -> frozenset[bytes]:
        """Return the places where the status of a missing finding is unknown, in the form that a comparison takes."""
        return self._places("off", "unknown") | {account_hash("") + bytes((number,)) for number in range(len(SCAN_TYPES))}

    def off(self) -> frozenset[bytes]:
        """Return the places in which surely nothing is scanned: a finding that a report has as closed need not be fixed."""
        return self._places("off")

    def _places(self, *states: str) -> frozenset[bytes]:
        return frozenset(
            account_hash(account) + bytes((SCAN_TYPES.index(scan_type),))
            for account, scan_types in self.states.items()
            if account not in self.left
            for scan_type, state in scan_types.items()
            if state in states
        )


def surely_scanned(
    coverage: Coverage, open_now: Mapping[Place, int], earlier: Sequence[FingerprintFile], started_at: datetime
) -> Scanned:
    """Assess what is surely scanned.

    Parameters
    ----------
    open_now
        Open findings of the report.
    earlier
        Fingerprint files of earlier runs, the baseline's among them. The states of the newest one count.
    """
    newest = max(earlier, key=lambda each: each.header.started_at, default=None)
    states: dict[str, dict[str, str]] = {}
    resuming: dict[str, dict[str, datetime]] = {}
    for account, each in coverage.accounts.items():
        states[account] = {}
        for scan_type in SCAN_TYPES:
            state: str = each.scanning(scan_type)
            if coverage.scans_nothing and state == "on":
                state = "unknown"
            if state == "on" and newest and newest.header.scanning.get(account, {}).get(scan_type) != "on":
                since = newest.header.resuming.get(account, {}).get(scan_type, started_at)
                before = max(_open_at(fingerprint_file, account, scan_type) for fingerprint_file in earlier)
                if open_now.get((account, scan_type), 0) <= BACK * before > 0 and started_at - since < RESUMES_WITHIN:
                    state = "unknown"
                    resuming.setdefault(account, {})[scan_type] = since
            states[account][scan_type] = state
    return Scanned(states, resuming, frozenset(account for account, each in coverage.accounts.items() if not each.is_member))


def _open_at(fingerprint_file: FingerprintFile, account: str, scan_type: str) -> int:
    summary = fingerprint_file.summary
    return sum(counted.get(account, {}).get(scan_type, 0) for counted in (summary.open, summary.status_unknown))
