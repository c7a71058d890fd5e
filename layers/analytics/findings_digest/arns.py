"""The ARNs of a report: each stands for one finding, however often the report has it."""

from findings_digest.columns import Batch
from findings_digest.identity import exact_keys


class Arns:
    """Takes a report's batches in order and leaves out what was there before.

    Attributes
    ----------
    keys
        Exact keys of all findings so far, some 90 bytes each: 180 MB for two million.
    duplicates
        How many findings were left out.
    """

    def __init__(self) -> None:
        self.keys: set[bytes] = set()
        self.duplicates = 0

    def first_of_each(self, batch: Batch) -> Batch:
        """Return a batch without the findings whose ARN stood before, in it or in an earlier one."""
        keys = exact_keys(batch["finding_arn"])
        if self.keys.isdisjoint(keys) and len(set(keys)) == len(keys):
            self.keys.update(keys)
            return batch
        rows = []
        for row, key in enumerate(keys):
            if key not in self.keys:
                self.keys.add(key)
                rows.append(row)
        self.duplicates += len(keys) - len(rows)
        return {name: [values[row] for row in rows] for name, values in batch.items()}
