"""One night's part of the comparison: collect from the batches, then compare with the baseline and write the key file."""

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO

from botocore.exceptions import BotoCoreError, ClientError

from findings_digest.changes import Changes, Comparison, compare
from findings_digest.columns import Batch
from findings_digest.fix_first import FixFirst
from findings_digest.identity import account_key
from findings_digest.keys import Header, KeyFileError, KeyReader, KeyWriter, Readable, Summary
from findings_digest.records import STATUSES, Recorder, scan_type
from findings_digest.sorting import SortedRecords

SECONDS_A_DAY = 86_400
READ = (
    "finding_arn",
    "account_id",
    "region",
    "type",
    "severity",
    "status",
    "title",
    "first_observed_at",
    "updated_at",
    "fix_available",
    "exploit_available",
    "epss_score",
    "vulnerability_id",
    "package_names",
    "resource_type",
    "resource_id",
    "resource_name",
)
"""The columns that a night needs of its batches."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A night that was compared with another one, and what that one's key file says of itself."""

    changes: Changes
    header: Header
    summary: Summary


@dataclass(frozen=True, slots=True)
class Told:
    """What there is to tell of a night.

    Attributes
    ----------
    compared
        None without a readable baseline.
    unreadable
        Why the baseline could not be read; None when it could, or when there is none.
    fix_first
        The ranked list (:mod:`findings_digest.fix_first`).
    open_accounts
        Accounts with open findings tonight.
    """

    compared: Compared | None
    unreadable: str | None
    fix_first: list[dict[str, Any]]
    fix_first_is_exact: bool
    open_accounts: frozenset[str]


class Night(AbstractContextManager["Night"]):
    """Collects a night's batches in bounded memory; spills to the temporary directory what is more than memory should hold.

    Attributes
    ----------
    open
        Open findings by account and scan type.
    """

    def __init__(self, started_at: datetime) -> None:
        self._recorder = Recorder(int(started_at.timestamp()) // SECONDS_A_DAY)
        self._records = SortedRecords()
        self._fix_first = FixFirst()
        self.open: Counter[tuple[str, str]] = Counter()

    def __exit__(self, *details: object) -> None:
        self._records.__exit__(*details)

    def add(self, batch: Batch) -> None:
        """Take a batch."""
        told = zip(batch["account_id"], batch["status"], batch["resource_type"], batch["type"], strict=True)
        for (account, status, resource_type, finding_type), count in Counter(told).items():
            if status not in STATUSES:
                self.open[account or "", scan_type(resource_type, finding_type)] += count
        self._fix_first.add(batch)
        self._records.add(self._recorder.of(batch))

    def compare(
        self,
        header: Header,
        key_file: BinaryIO,
        open_baseline: Callable[[], Readable] | None = None,
        off: frozenset[bytes] = frozenset(),
    ) -> Told:
        """Compare with the baseline, and write tonight's key file.

        Parameters
        ----------
        key_file
            Empty, and seekable: when the baseline breaks off in the midst, it is written anew.
        open_baseline
            Opens the baseline's key file; None when there is no baseline.
        off
            What Inspector does not look at: :meth:`findings_digest.coverage.Coverage.off`.

        Raises
        ------
        OSError
            The key file cannot be written, or the temporary directory is full.
        """
        unreadable = None
        if open_baseline:
            try:
                reader = KeyReader(open_baseline())
                return self._told(self._walk(header, key_file, reader, off), reader, None)
            except (KeyFileError, BotoCoreError, ClientError, OSError) as error:
                unreadable = " ".join(str(error).split()) or type(error).__name__
                key_file.seek(0)
                key_file.truncate()
        return self._told(self._walk(header, key_file, None, off), None, unreadable)

    def _walk(self, header: Header, key_file: BinaryIO, reader: KeyReader | None, off: frozenset[bytes]) -> Comparison:
        writer = KeyWriter(key_file.write, header)
        found = compare(
            reader.blocks() if reader else None,
            self._records.blocks(),
            writer.add,
            off=off,
            watched=self._fix_first.watched(),
        )
        accounts = {account for account, _ in self.open} | set(header.scanning)
        if reader and reader.summary:
            accounts |= reader.summary.open.keys() | reader.summary.not_looked_at.keys()
        writer.finish(Summary(writer.findings, _nested(self.open), _nested(_not_looked_at(found.changes, accounts))))
        return found

    def _told(self, found: Comparison, reader: KeyReader | None, unreadable: str | None) -> Told:
        compared = None
        if reader and reader.summary and found.changes is not None:
            compared = Compared(found.changes, reader.header, reader.summary)
        ranked = self._fix_first.ranked(found.resources)
        accounts = frozenset(account for account, _ in self.open)
        return Told(compared, unreadable, ranked, self._fix_first.is_exact, accounts)


def _not_looked_at(changes: Changes | None, accounts: set[str]) -> Counter[tuple[str, str]]:
    names = {account_key(account): account for account in accounts}
    found: Counter[tuple[str, str]] = Counter()
    for (kind, key, scanned_by), count in changes.by_place.items() if changes else ():
        if kind == "not_looked_at":
            found[names.get(key, ""), scanned_by] += count
    return found


def _nested(counted: Mapping[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    nested: dict[str, dict[str, int]] = {}
    for (account, scanned_by), count in sorted(counted.items()):
        nested.setdefault(account, {})[scanned_by] = count
    return nested
