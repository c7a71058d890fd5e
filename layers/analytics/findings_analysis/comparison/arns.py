"""The ARNs of a report: each stands for one finding, however often the report has it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, Protocol

from findings_analysis.comparison.identity import exact_hashes
from findings_analysis.reading.schema import Batch
from findings_exporter.model.taxonomy import NOT_OPEN


class ArnIndex(Protocol):
    """Knows which findings a report has."""

    def present(self, arn_hashes: Iterable[bytes]) -> set[bytes]:
        """Return those of some ARN hashes that are in the report."""
        ...


class Hashed(NamedTuple):
    """A batch, and the ARN hash of each finding."""

    batch: Batch
    arn_hashes: list[bytes]


class Arns:
    """Takes a report's batches in order and leaves out what was there before.

    Parameters
    ----------
    earlier
        Of a part of a report: ARN hashes of earlier parts that the part has again, and whether what was taken of them is
        not open.

    Attributes
    ----------
    hashes
        ARN hashes of all findings so far, some 90 bytes each.
    duplicates
        How many findings were left out.
    reopened
        How many of them are open, while what was taken is not.
    """

    def __init__(self, earlier: Mapping[bytes, bool] | None = None) -> None:
        self.hashes: set[bytes] = set()
        self.duplicates = self.reopened = 0
        self._earlier = earlier or {}
        self._not_open = {arn_hash for arn_hash, is_not_open in self._earlier.items() if is_not_open}

    def present(self, arn_hashes: Iterable[bytes]) -> set[bytes]:
        """Return those of some ARN hashes that are in the report."""
        return self.hashes.intersection(arn_hashes)

    def first_of_each(self, batch: Batch) -> Hashed:
        """Return a batch without the findings whose ARN stood before, in it or in an earlier one."""
        hashes, statuses = exact_hashes(batch["finding_arn"]), batch["status"]
        if self.hashes.isdisjoint(hashes) and len(set(hashes)) == len(hashes) and self._earlier.keys().isdisjoint(hashes):
            self.hashes.update(hashes)
            if not NOT_OPEN.isdisjoint(statuses):
                self._not_open.update([arn_hash for arn_hash, status in zip(hashes, statuses, strict=True) if status in NOT_OPEN])
            return Hashed(batch, hashes)
        rows = list(self._first_rows(hashes, statuses))
        self.duplicates += len(hashes) - len(rows)
        return Hashed({name: [values[row] for row in rows] for name, values in batch.items()}, [hashes[row] for row in rows])

    def _first_rows(self, hashes: list[bytes], statuses: Iterable[str]) -> Iterator[int]:
        for row, (arn_hash, status) in enumerate(zip(hashes, statuses, strict=True)):
            if arn_hash not in self.hashes and arn_hash not in self._earlier:
                self.hashes.add(arn_hash)
                if status in NOT_OPEN:
                    self._not_open.add(arn_hash)
                yield row
            elif status not in NOT_OPEN and arn_hash in self._not_open:
                self.reopened += 1
