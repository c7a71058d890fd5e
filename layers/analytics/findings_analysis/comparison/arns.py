"""The ARNs of a report: each stands for one finding, however often the report has it."""

from collections.abc import Iterable
from typing import Protocol

from findings_analysis.comparison.identity import exact_hashes
from findings_analysis.reading.schema import Batch
from findings_exporter.model.taxonomy import NOT_OPEN


class Arns:
    """Takes a report's batches in order and leaves out what was there before.

    Attributes
    ----------
    hashes
        ARN hashes of all findings so far, some 90 bytes each: 180 MB for two million.
    duplicates
        How many findings were left out.
    reopened
        How many of them are open, while what was taken is not.
    """

    def __init__(self) -> None:
        self.hashes: set[bytes] = set()
        self.duplicates = self.reopened = 0
        self._not_open: set[bytes] = set()

    def first_of_each(self, batch: Batch) -> Batch:
        """Return a batch without the findings whose ARN stood before, in it or in an earlier one."""
        hashes, statuses = exact_hashes(batch["finding_arn"]), batch["status"]
        if not NOT_OPEN.isdisjoint(statuses):
            self._not_open.update(arn_hash for arn_hash, status in zip(hashes, statuses, strict=True) if status in NOT_OPEN)
        if self.hashes.isdisjoint(hashes) and len(set(hashes)) == len(hashes):
            self.hashes.update(hashes)
            return batch
        rows = []
        for row, arn_hash in enumerate(hashes):
            if arn_hash not in self.hashes:
                self.hashes.add(arn_hash)
                rows.append(row)
            elif statuses[row] not in NOT_OPEN and arn_hash in self._not_open:
                self.reopened += 1
        self.duplicates += len(hashes) - len(rows)
        return {name: [values[row] for row in rows] for name, values in batch.items()}

    def present(self, hashes: Iterable[bytes]) -> set[bytes]:
        """Return which of some ARN hashes the report has so far."""
        return self.hashes.intersection(hashes)


class ArnIndex(Protocol):
    """Knows the ARNs of a whole report."""

    def present(self, hashes: Iterable[bytes]) -> set[bytes]:
        """Return which of some ARN hashes the report has."""
