"""The ARNs of a report: each stands for one finding, however often the report has it."""

from findings_analysis.comparison.identity import exact_hashes
from findings_analysis.reading.schema import Batch
from findings_exporter.model.taxonomy import NOT_OPEN


class Arns:
    """Takes a report's batches in order and leaves out what was there before.

    Attributes
    ----------
    keys
        Exact keys of all findings so far, some 90 bytes each: 180 MB for two million.
    duplicates
        How many findings were left out.
    reopened
        How many of them are open, while what was taken is not.
    """

    def __init__(self) -> None:
        self.keys: set[bytes] = set()
        self.duplicates = self.reopened = 0
        self._not_open: set[bytes] = set()

    def first_of_each(self, batch: Batch) -> Batch:
        """Return a batch without the findings whose ARN stood before, in it or in an earlier one."""
        keys, statuses = exact_hashes(batch["finding_arn"]), batch["status"]
        if not NOT_OPEN.isdisjoint(statuses):
            self._not_open.update(key for key, status in zip(keys, statuses, strict=True) if status in NOT_OPEN)
        if self.keys.isdisjoint(keys) and len(set(keys)) == len(keys):
            self.keys.update(keys)
            return batch
        rows = []
        for row, key in enumerate(keys):
            if key not in self.keys:
                self.keys.add(key)
                rows.append(row)
            elif statuses[row] not in NOT_OPEN and key in self._not_open:
                self.reopened += 1
        self.duplicates += len(keys) - len(rows)
        return {name: [values[row] for row in rows] for name, values in batch.items()}
