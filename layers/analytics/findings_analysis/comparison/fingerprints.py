"""What is kept of a finding for the next run's comparison: 30 bytes, which sort by the finding's identity.

::

    logical key 16 | exact key 8 | marks 1 | scan type 1 | first-seen day 2 | closed day 2

The marks are severity (3 bits), known exploit (1), fix (2) and status (2), from the highest bit down, so that the higher
byte is the worse finding. Days count from 1970 in UTC.
"""

from collections.abc import Iterable

from findings_analysis.comparison.identity import EXACT_BYTES, LOGICAL_BYTES, LogicalHashes, exact_hashes
from findings_analysis.reading.bounded_cache import Remembered
from findings_analysis.reading.schema import Batch
from findings_exporter.model.taxonomy import SCAN_TYPES, SEVERITIES, scan_type

FINGERPRINT_BYTES = 30
LOGICAL = slice(0, LOGICAL_BYTES)
EXACT = slice(LOGICAL_BYTES, LOGICAL_BYTES + EXACT_BYTES)
MARKS = 24
SCAN_TYPE = 25
IDENTITY_AND_MARKS = slice(0, 26)
FIRST_SEEN = slice(26, 28)
CLOSED = slice(28, 30)

OPEN, SUPPRESSED, CLOSED_STATUS, UNKNOWN_STATUS = range(4)
"""Statuses. Whatever Inspector calls neither suppressed nor closed is open: a new status hides nothing. The last one is not
Inspector's: the finding was open when it was last scanned, and scanning has stopped or is not confirmed."""
STATUS_NUMBERS = {"SUPPRESSED": SUPPRESSED, "CLOSED": CLOSED_STATUS}
RANKED = tuple(reversed(SEVERITIES))
"""A severity's place here is its number: the worst has the highest."""
FIXES = {"NO": 1, "PARTIAL": 2, "YES": 3}
DAY_MS = 86_400_000
LAST_DAY = 65_535
"""The year 2149; later and earlier days are taken for the last and the first one that two bytes can hold."""
NO_DAY, LATEST_DAY = b"\0\0", b"\xff\xff"


class Fingerprinter:
    """Makes records of batches.

    Parameters
    ----------
    today
        The run's day since 1970, for what has no time of its own.
    """

    def __init__(self, today: int) -> None:
        self._keys = LogicalHashes()
        self._marks = Remembered[tuple[str | None, ...], bytes](_marks)
        self._days = Remembered[int | None, bytes](lambda day: _two_bytes(today if day is None else day))

    def of(self, batch: Batch) -> list[bytes]:
        """Return a batch's records, in its order.

        Parameters
        ----------
        batch
            Besides the columns of the identities, first_observed_at, status, severity, exploit_available, fix_available,
            resource_type and type are read; updated_at where it is there, as the day on which a finding was closed.
        """
        columns_of_marks = (
            batch[name] for name in ("severity", "status", "exploit_available", "fix_available", "resource_type", "type")
        )
        columns = (
            self._keys.of(batch),
            exact_hashes(batch["finding_arn"]),
            self._marks.of(zip(*columns_of_marks, strict=True)),
            self._days.of(_days(batch["first_observed_at"])),
            self._closed(batch),
        )
        return list(map(b"".join, zip(*columns, strict=True)))

    def _closed(self, batch: Batch) -> list[bytes]:
        statuses = batch["status"]
        if "CLOSED" not in statuses:
            return [NO_DAY] * len(statuses)
        days = self._days.of(_days(batch.get("updated_at") or [None] * len(statuses)))
        return [day if status == "CLOSED" else NO_DAY for day, status in zip(days, statuses, strict=True)]


def _marks(columns: tuple[str | None, ...]) -> bytes:
    severity_text, status_text, exploit, fix_text, resource_type, finding_type = columns
    rank = RANKED.index(severity_text) if severity_text in RANKED else 0
    marks = rank << 5 | (exploit == "YES") << 4 | FIXES.get(fix_text or "", 0) << 2 | STATUS_NUMBERS.get(status_text or "", OPEN)
    return bytes((marks, SCAN_TYPES.index(scan_type(resource_type, finding_type))))


def _two_bytes(day: int) -> bytes:
    return min(max(day, 0), LAST_DAY).to_bytes(2)


def status(record: bytes) -> int:
    """Return a record's status."""
    return record[MARKS] & 3


def is_open(record: bytes) -> bool:
    """Tell whether the finding is open in the report that the record is of."""
    return record[MARKS] & 3 == OPEN


def was_open(record: bytes) -> bool:
    """Tell whether the finding was open when it was last scanned."""
    return record[MARKS] & 3 in {OPEN, UNKNOWN_STATUS}


def severity(record: bytes) -> str:
    """Return a record's severity."""
    return RANKED[record[MARKS] >> 5]


def has_exploit(record: bytes) -> bool:
    """Tell whether an exploit is known."""
    return bool(record[MARKS] & 16)


def fix(record: bytes) -> int:
    """Return 0 when it is unknown whether there is a fix, 1 for none, 2 for a partial one, 3 for one."""
    return record[MARKS] >> 2 & 3


def day(two_bytes: bytes) -> int:
    """Return a day since 1970 from a record's two bytes."""
    return int.from_bytes(two_bytes)


def with_status(record: bytes, new: int) -> bytes:
    """Return a record with another status."""
    return record[:MARKS] + bytes((record[MARKS] & ~3 | new,)) + record[MARKS + 1 :]


def cut(data: bytes | bytearray) -> list[bytes]:
    """Return the records that stand one after another in a piece of memory."""
    whole = bytes(data)
    return [whole[start : start + FINGERPRINT_BYTES] for start in range(0, len(whole), FINGERPRINT_BYTES)]


def earliest_first_seen(records: Iterable[bytes]) -> dict[bytes, bytes]:
    """Return the earliest first-seen day of each logical identity, by its key."""
    earliest: dict[bytes, bytes] = {}
    for record in records:
        key, first = record[LOGICAL], record[FIRST_SEEN]
        if earliest.get(key, LATEST_DAY) >= first:
            earliest[key] = first
    return earliest


def _days(milliseconds: Iterable[int | None]) -> list[int | None]:
    return [None if each is None else each // DAY_MS for each in milliseconds]
