"""A run's fingerprints: collected from batches, compared with the baseline's, and left as the run's fingerprint file."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

from findings_analysis.comparison.arns import ArnIndex, Hashed
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
from findings_analysis.comparison.identity import account_hash, owner_hash
from findings_analysis.comparison.sorting import SortedFingerprints
from findings_analysis.comparison.watch import OpenFindings, Watched
from findings_exporter.model.taxonomy import NOT_OPEN, STATUS_UNKNOWN, scan_type

SECONDS_A_DAY = 86_400

NOTHING_WATCHED = Watched()

type Blocks = Callable[[], Iterator[list[bytes]]]


@dataclass(frozen=True, slots=True)
class BaselineComparison:
    """What changed since the baseline, and what the baseline's fingerprint file says of itself.

    Attributes
    ----------
    status_unknown
        Missing findings whose status is unknown, by account and scan type.
    carried
        Their ARN hashes: the next run is compared with them, too.
    """

    changes: Changes
    header: Header
    summary: Summary
    status_unknown: Mapping[tuple[str, str], int]
    carried: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class RunComparison:
    """What the walk through a run's fingerprints found.

    Attributes
    ----------
    with_baseline
        None without a baseline.
    open_findings
        What was asked of open findings.
    """

    with_baseline: BaselineComparison | None
    open_findings: OpenFindings


class PartFingerprints:
    """Collects the fingerprints of a report, or of a part of it.

    Attributes
    ----------
    open
        Open findings by account and scan type.
    """

    def __init__(self, started_at: datetime) -> None:
        self._fingerprinter = Fingerprinter(int(started_at.timestamp()) // SECONDS_A_DAY)
        self._sorted = SortedFingerprints()
        self.open: Counter[tuple[str, str]] = Counter()

    def add(self, hashed: Hashed) -> None:
        """Take a batch in which each ARN stands once, and in no earlier batch.

        Raises
        ------
        TooLargeError
            They are more than memory holds.
        """
        batch = hashed.batch
        rows = zip(batch["account_id"], batch["status"], batch["resource_type"], batch["type"], strict=True)
        for (account, status, resource_type, finding_type), count in Counter(rows).items():
            if status not in NOT_OPEN:
                self.open[account or "", scan_type(resource_type, finding_type)] += count
        self._sorted.add(self._fingerprinter.of(batch, hashed.arn_hashes))

    def blocks(self) -> Iterator[list[bytes]]:
        """Return all fingerprints, sorted, in blocks that are not empty."""
        return self._sorted.blocks()


class RunFingerprints:
    """The fingerprints of a run, however they were collected.

    Parameters
    ----------
    blocks
        Gives the sorted fingerprints in blocks, each time anew.
    arns
        The report's ARNs.

    Attributes
    ----------
    open
        Open findings by account and scan type.
    owners
        The names of all owners; None where the run knows none.
    """

    def __init__(
        self,
        blocks: Blocks,
        arns: ArnIndex,
        open_findings: Counter[tuple[str, str]],
        owners: AbstractSet[str] | None = None,
    ) -> None:
        self._blocks, self._arns, self.open, self.owners = blocks, arns, open_findings, owners

    def compare(
        self,
        header: Header,
        fingerprint_file: BinaryIO,
        baseline: FingerprintFile | None = None,
        days_from: Sequence[FingerprintFile] = (),
        not_scanned: NotScanned = ALL_SCANNED,
        watched: Watched = NOTHING_WATCHED,
    ) -> RunComparison:
        """Compare with the baseline, and write this run's fingerprint file.

        Parameters
        ----------
        fingerprint_file
            Empty, and seekable.
        days_from
            Files of other runs, which only know first-seen days.
        not_scanned
            From :mod:`findings_analysis.assessment.resumption`.
        watched
            What else is to be found out of open findings.

        Raises
        ------
        OSError
            The fingerprint file cannot be written, or the temporary directory is full.
        """
        knew_owners = baseline is not None and baseline.summary.owners is not None

        def walk(before: Iterator[list[bytes]] | None) -> tuple[Comparison, OpenFindings, FingerprintWriter]:
            fingerprint_file.seek(0)
            fingerprint_file.truncate()
            writer, open_findings = FingerprintWriter(fingerprint_file.write, header), OpenFindings(watched)
            changes = Changes(owned=self.owners is not None, knows_owners=self.owners is not None and knew_owners)
            current = self._with_days(days_from)
            found = compare(
                before, current, writer.add, arns=self._arns, not_scanned=not_scanned, visit=open_findings.add, changes=changes
            )
            return found, open_findings, writer

        found, open_findings, writer = walk(baseline.blocks() if baseline else None)
        if baseline and found.elsewhere:
            # Rare: under the same ARN the vulnerability has another id, the resource another name, or the title another wording.
            found, open_findings, writer = walk(rekeyed(baseline.blocks, self._logical_hashes(found.elsewhere)))
        compared = self._with_baseline(header, baseline, found) if baseline else None
        unknown = compared.status_unknown if compared else {}
        owners = self._owner_names((baseline.summary.owners if baseline else None) or {}, found.carried_owners)
        writer.finish(Summary(writer.findings, _nested(self.open), _nested(unknown), owners))
        return RunComparison(compared, open_findings)

    def _owner_names(self, before: Mapping[str, str], carried: AbstractSet[bytes]) -> dict[str, str] | None:
        """Return the names of the owners in the fingerprint file: this run's, and those of findings that are carried over."""
        if self.owners is None:
            return None
        names = {owner_hash(owner).hex(): owner for owner in sorted(self.owners)}
        return {known: name for known, name in before.items() if bytes.fromhex(known) in carried} | names

    def _with_days(self, days_from: Sequence[FingerprintFile]) -> Iterator[list[bytes]]:
        """Return the run's sorted fingerprints with the earliest first-seen days that other runs know."""
        current = self._blocks()
        for other in days_from:
            moved = moved_days(self._blocks(), other.blocks(), self._arns)
            current = with_first_seen(current, other.blocks(), moved)
        return current

    def _logical_hashes(self, arns: frozenset[bytes]) -> dict[bytes, bytes]:
        return {each[EXACT]: each[LOGICAL] for block in self._blocks() for each in block if each[EXACT] in arns}

    def _with_baseline(self, header: Header, baseline: FingerprintFile, found: Comparison) -> BaselineComparison:
        assert found.changes is not None
        summary = baseline.summary
        accounts = {account for account, _ in self.open} | {*header.scanning, *summary.open, *summary.status_unknown}
        names = {account_hash(account): account for account in accounts}
        status_unknown: Counter[tuple[str, str]] = Counter()
        for (kind, account, scanned_by), count in found.changes.by_place.items():
            if kind == STATUS_UNKNOWN:
                status_unknown[names.get(account, ""), scanned_by] += count
        return BaselineComparison(found.changes, baseline.header, summary, status_unknown, found.carried)


def _nested(counted: Mapping[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    nested: dict[str, dict[str, int]] = {}
    for (account, scanned_by), count in sorted(counted.items()):
        nested.setdefault(account, {})[scanned_by] = count
    return nested
