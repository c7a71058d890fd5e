"""One run's part of the comparison: collect from the batches, then compare with the baseline and write the fingerprint file."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO

from findings_analysis.assessment.priorities import Priorities
from findings_analysis.comparison.arns import Arns
from findings_analysis.comparison.difference import (
    ALL_SCANNED,
    Changes,
    Comparison,
    NotScanned,
    compare,
    moved_days,
    rekeyed,
    with_first_seen,
)
from findings_analysis.comparison.fingerprint_format import FingerprintFile, FingerprintWriter, Header, Summary
from findings_analysis.comparison.fingerprints import EXACT, LOGICAL, Fingerprinter
from findings_analysis.comparison.identity import account_hash
from findings_analysis.comparison.sorting import SortedFingerprints
from findings_analysis.reading.schema import Batch
from findings_exporter.model.taxonomy import NOT_OPEN, STATUS_UNKNOWN, scan_type

SECONDS_A_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Compared:
    """A run that was compared with another one, and what that one's fingerprint file says of itself.

    Attributes
    ----------
    status_unknown
        Missing findings that need not be gone, by account and scan type.
    carried
        Their exact keys.
    """

    changes: Changes
    header: Header
    summary: Summary
    status_unknown: Mapping[tuple[str, str], int]
    carried: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class RunResult:
    """What there is to tell of a run.

    Attributes
    ----------
    compared
        None without a baseline.
    priorities
        The ranked list (:mod:`findings_analysis.assessment.priorities`).
    open_accounts
        Accounts with open findings in this run.
    """

    compared: Compared | None
    priorities: list[dict[str, Any]]
    fix_first_is_exact: bool
    open_accounts: frozenset[str]


class CurrentFindings(AbstractContextManager["CurrentFindings"]):
    """Collects a run's batches; spills to the temporary directory what is more than memory should hold.

    Attributes
    ----------
    open
        Open findings by account and scan type.
    arns
        The ARNs so far.
    """

    def __init__(self, started_at: datetime) -> None:
        self._recorder = Fingerprinter(int(started_at.timestamp()) // SECONDS_A_DAY)
        self._records = SortedFingerprints()
        self._priorities = Priorities()
        self.open: Counter[tuple[str, str]] = Counter()
        self.arns = Arns()

    def __exit__(self, *details: object) -> None:
        self._records.__exit__(*details)

    def add(self, batch: Batch) -> Batch:
        """Take a batch, and return it without the findings that were there before."""
        batch = self.arns.first_of_each(batch)
        told = zip(batch["account_id"], batch["status"], batch["resource_type"], batch["type"], strict=True)
        for (account, status, resource_type, finding_type), count in Counter(told).items():
            if status not in NOT_OPEN:
                self.open[account or "", scan_type(resource_type, finding_type)] += count
        self._priorities.add(batch)
        self._records.add(self._recorder.of(batch))
        return batch

    def compare(
        self,
        header: Header,
        fingerprint_file: BinaryIO,
        baseline: FingerprintFile | None = None,
        days_from: Sequence[FingerprintFile] = (),
        not_scanned: NotScanned = ALL_SCANNED,
    ) -> RunResult:
        """Compare with the baseline, and write this run's fingerprint file.

        Parameters
        ----------
        fingerprint_file
            Empty, and seekable.
        days_from
            Of other runs, for the first-seen days alone.
        not_scanned
            :mod:`findings_analysis.assessment.resumption` judges it.

        Raises
        ------
        OSError
            The fingerprint file cannot be written, or the temporary directory is full.
        """
        before = baseline.blocks if baseline else None
        found, writer = self._walk(header, fingerprint_file, before() if before else None, days_from, not_scanned)
        if before and found.moved:
            # Seldom: an ARN whose vulnerability got another id, whose resource another name, whose title another wording.
            keys = {
                each[EXACT]: each[LOGICAL] for block in self._records.blocks() for each in block if each[EXACT] in found.moved
            }
            fingerprint_file.seek(0)
            fingerprint_file.truncate()
            found, writer = self._walk(header, fingerprint_file, rekeyed(before, keys), days_from, not_scanned)
        compared = None
        status_unknown: Counter[tuple[str, str]] = Counter()
        if baseline and found.changes is not None:
            names = {account_hash(account): account for account in self._accounts(header, baseline)}
            for (kind, key, scanned_by), count in found.changes.by_place.items():
                if kind == STATUS_UNKNOWN:
                    status_unknown[names.get(key, ""), scanned_by] += count
            compared = Compared(found.changes, baseline.header, baseline.summary, status_unknown, found.carried)
        writer.finish(Summary(writer.findings, _nested(self.open), _nested(status_unknown)))
        ranked = self._priorities.ranked(found.resources)
        return RunResult(compared, ranked, self._priorities.is_exact, frozenset(account for account, _ in self.open))

    def _walk(
        self,
        header: Header,
        fingerprint_file: BinaryIO,
        baseline: Iterator[list[bytes]] | None,
        days_from: Sequence[FingerprintFile],
        not_scanned: NotScanned,
    ) -> tuple[Comparison, FingerprintWriter]:
        writer = FingerprintWriter(fingerprint_file.write, header)
        current = self._records.blocks()
        for other in days_from:
            moved = moved_days(self._records.blocks(), other.blocks(), self.arns.keys)
            current = with_first_seen(current, other.blocks(), moved)
        watched = self._priorities.watched()
        return compare(baseline, current, writer.add, arns=self.arns.keys, not_scanned=not_scanned, watched=watched), writer

    def _accounts(self, header: Header, baseline: FingerprintFile) -> set[str]:
        summary = baseline.summary
        return {account for account, _ in self.open} | set(header.scanning) | {*summary.open, *summary.status_unknown}


def _nested(counted: Mapping[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    nested: dict[str, dict[str, int]] = {}
    for (account, scanned_by), count in sorted(counted.items()):
        nested.setdefault(account, {})[scanned_by] = count
    return nested
