"""What is made of the findings of one part, batch by batch; a report of usual size is one part."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO, Self

from arro3.core import RecordBatch

from findings_analysis.assessment.priorities import Priorities
from findings_analysis.assessment.statistics import Statistics
from findings_analysis.comparison.arns import Arns
from findings_analysis.comparison.identity import finding_key
from findings_analysis.comparison.run_fingerprints import PartFingerprints
from findings_analysis.output import parquet
from findings_analysis.output.names_format import NamesWriter
from findings_analysis.reading.owners import Owners
from findings_analysis.reading.schema import FINDING_KEY, Batch

NO_OWNERS = Owners(None)


@dataclass
class Totals:
    """What is counted and ranked of a report, or of a part of it; parts can be merged.

    Attributes
    ----------
    open
        Open findings by account and scan type.
    unreadable_values
        How many values could not be read, by column.
    duplicates, reopened
        Of :class:`findings_analysis.comparison.arns.Arns`.
    """

    statistics: Statistics
    priorities: Priorities
    open: Counter[tuple[str, str]] = field(default_factory=Counter)
    unreadable_values: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0
    reopened: int = 0

    @classmethod
    def of_nothing(cls, started_at: datetime) -> Self:
        """Return what is counted of no findings."""
        return cls(Statistics(int(started_at.timestamp() * 1000)), Priorities())

    def merge(self, other: "Totals") -> None:
        """Add another part's."""
        self.statistics.merge(other.statistics)
        self.priorities.merge(other.priorities)
        self.open.update(other.open)
        self.unreadable_values.update(other.unreadable_values)
        self.duplicates += other.duplicates
        self.reopened += other.reopened

    def to_stored(self) -> dict[str, Any]:
        """Return them, so that JSON can hold them."""
        return {
            "statistics": self.statistics.to_stored(),
            "priorities": self.priorities.to_stored(),
            "open": list(self.open.items()),
            "unreadable_values": self.unreadable_values,
            "duplicates": self.duplicates,
            "reopened": self.reopened,
        }

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any], started_at: datetime) -> Self:
        """Read what :meth:`to_stored` returned."""
        return cls(
            Statistics.from_stored(int(started_at.timestamp() * 1000), stored["statistics"]),
            Priorities.from_stored(stored["priorities"]),
            Counter({(account, scanned_by): count for (account, scanned_by), count in stored["open"]}),
            Counter(stored["unreadable_values"]),
            stored["duplicates"],
            stored["reopened"],
        )


class PartAnalysis:
    """Reads the findings of a part once, and keeps what is made of them.

    Parameters
    ----------
    table, names
        Empty files, for the Parquet file and the names file.
    owners
        Gives each finding its owner.
    earlier
        Of :class:`findings_analysis.comparison.arns.Arns`.
    """

    def __init__(
        self,
        started_at: datetime,
        table: BinaryIO,
        names: BinaryIO,
        owners: Owners = NO_OWNERS,
        earlier: Mapping[bytes, bool] | None = None,
    ) -> None:
        self._started_at, self._table, self._owners = started_at, table, owners
        self.names = NamesWriter(names.write)
        self.arns = Arns(earlier)
        self.fingerprints = PartFingerprints(started_at)
        self._totals = Totals.of_nothing(started_at)
        self._arn_hashes: list[bytes] = []
        """Of the batch that is being written."""

    def read(self, batches: Iterable[Batch], unreadable_values: Counter[str]) -> Totals:
        """Read all batches, and return what is counted of them.

        Parameters
        ----------
        unreadable_values
            What the batches' reader counts.

        Raises
        ------
        AnalysisError
            The findings cannot be read, or are more than memory holds.
        """
        parquet.write(self._counted(batches), self._table, self._started_at, self._name)
        totals = self._totals
        totals.open, totals.unreadable_values = self.fingerprints.open, unreadable_values
        totals.duplicates, totals.reopened = self.arns.duplicates, self.arns.reopened
        return totals

    def _counted(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Give each batch to all that count it, then to the caller; an ARN that stood before is left out."""
        for batch in batches:
            first = self.arns.first_of_each(self._owners.add_to(batch))
            if first.arn_hashes:
                self._totals.statistics.add(first.batch)
                self._totals.priorities.add(first.batch, first.arn_hashes)
                self.fingerprints.add(first)
                self._arn_hashes = first.arn_hashes
                yield {**first.batch, FINDING_KEY.name: list(map(finding_key, first.arn_hashes))}

    def _name(self, record: RecordBatch) -> None:
        self.names.add(self._arn_hashes, record)
