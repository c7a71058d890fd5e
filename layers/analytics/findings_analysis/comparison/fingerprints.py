"""What is kept of a finding for the next run's comparison: 34 bytes, which sort by the finding's identity.

::

    logical hash 16 | ARN hash 8 | marks 1 | scan type 1 | first-seen day 2 | closed day 2 | owner 4

The marks are severity (3 bits), known exploit (1), fix (2) and status (2), from the highest bit down, so that the higher
byte is the worse finding. Days count from 1970 in UTC; the latest first-seen day stands for one that is not known, and an
earlier one replaces it. The owner is a hash of its name, which the file's summary lists; zeros stand for no owner.
"""

from collections.abc import Iterable, Sequence

from findings_analysis.comparison.identity import EXACT_BYTES, LOGICAL_BYTES, LogicalHashes, exact_hashes, owner_hash
from findings_analysis.reading.bounded_cache import Remembered
from findings_analysis.reading.schema import OWNER_COLUMN, Batch
from findings_exporter.model.taxonomy import SCAN_TYPES, SEVERITIES, scan_type

FINGERPRINT_BYTES = 34
LOGICAL = slice(0, LOGICAL_BYTES)
EXACT = slice(LOGICAL_BYTES, LOGICAL_BYTES + EXACT_BYTES)
MARKS = 24
SCAN_TYPE = 25
IDENTITY_AND_MARKS = slice(0, 26)
FIRST_SEEN = slice(26, 28)
CLOSED = slice(28, 30)
OWNER = slice(30, 34)
AFTER_FIRST_SEEN = slice(28, 34)
BEFORE_OWNER = slice(0, 30)
DATED = slice(24, 28)
"""Marks, scan type and first-seen day: what a due date follows from."""
NO_OWNER = b"\0\0\0\0"

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
NOT_KNOWN = LATEST_DAY
"""As a first-seen day."""


class Fingerprinter:
    """Makes fingerprints of batches.

    Parameters
    ----------
    today
        The run's day since 1970, on which what has no time of its own counts as closed.
    """

    def __init__(self, today: int) -> None:
        self._keys = LogicalHashes()
        self._marks = Remembered[tuple[str | None, ...], bytes](_marks)
        self._first_seen = Remembered[int | None, bytes](lambda day: NOT_KNOWN if day is None else _two_bytes(day))
        self._closed_on = Remembered[int | None, bytes](lambda day: _two_bytes(today if day is None else day))
        self._owners = Remembered[str | None, bytes](lambda owner: NO_OWNER if owner is None else owner_hash(owner))

    def of(self, batch: Batch, arn_hashes: Sequence[bytes] | None = None) -> list[bytes]:
        """Return a batch's fingerprints, in its order.

        Parameters
        ----------
        arn_hashes
            :func:`findings_analysis.comparison.identity.exact_hashes` of the batch, where they are known already.
        batch
            Besides the columns of the identities, first_observed_at, status, severity, exploit_available, fix_available,
            resource_type and type are read; updated_at where it is there, as the day on which a finding was closed; and the
            owner where it is there.
        """
        columns_of_marks = (
            batch[name] for name in ("severity", "status", "exploit_available", "fix_available", "resource_type", "type")
        )
        columns = (
            self._keys.of(batch),
            exact_hashes(batch["finding_arn"]) if arn_hashes is None else arn_hashes,
            self._marks.of(zip(*columns_of_marks, strict=True)),
            self._first_seen.of(_days(batch["first_observed_at"])),
            self._closed(batch),
            self._owners.of(batch.get(OWNER_COLUMN.name) or [None] * len(batch["finding_arn"])),
        )
        return list(map(b"".join, zip(*columns, strict=True)))

    def _closed(self, batch: Batch) -> list[bytes]:
        statuses = batch["status"]
        if "CLOSED" not in statuses:
            return [NO_DAY] * len(statuses)
        days = self._closed_on.of(_days(batch.get("updated_at") or [None] * len(statuses)))
        return [day if status == "CLOSED" else NO_DAY for day, status in zip(days, statuses, strict=True)]


def _marks(columns: tuple[str | None, ...]) -> bytes:
    severity_text, status_text, exploit, fix_text, resource_type, finding_type = columns
    rank = RANKED.index(severity_text) if severity_text in RANKED else 0
    marks = rank << 5 | (exploit == "YES") << 4 | FIXES.get(fix_text or "", 0) << 2 | STATUS_NUMBERS.get(status_text or "", OPEN)
    return bytes((marks, SCAN_TYPES.index(scan_type(resource_type, finding_type))))


def _two_bytes(day: int) -> bytes:
    return min(max(day, 0), LAST_DAY).to_bytes(2)


def status(fingerprint: bytes) -> int:
    """Return a fingerprint's status."""
    return fingerprint[MARKS] & 3


def is_open(fingerprint: bytes) -> bool:
    """Tell whether the finding is open in the report that the fingerprint is of."""
    return fingerprint[MARKS] & 3 == OPEN


def was_open(fingerprint: bytes) -> bool:
    """Tell whether the finding was open when it was last scanned."""
    return fingerprint[MARKS] & 3 in {OPEN, UNKNOWN_STATUS}


def severity(fingerprint: bytes) -> str:
    """Return a fingerprint's severity."""
    return RANKED[fingerprint[MARKS] >> 5]


def has_exploit(fingerprint: bytes) -> bool:
    """Tell whether an exploit is known."""
    return bool(fingerprint[MARKS] & 16)


def fix(fingerprint: bytes) -> int:
    """Return 0 when it is unknown whether there is a fix, 1 for none, 2 for a partial one, 3 for one."""
    return fingerprint[MARKS] >> 2 & 3


def day(two_bytes: bytes) -> int:
    """Return a day since 1970 from a fingerprint's two bytes."""
    return int.from_bytes(two_bytes)


def with_status(fingerprint: bytes, new: int) -> bytes:
    """Return a fingerprint with another status."""
    return fingerprint[:MARKS] + bytes((fingerprint[MARKS] & ~3 | new,)) + fingerprint[MARKS + 1 :]


def cut(data: bytes | bytearray) -> list[bytes]:
    """Return the fingerprints that stand one after another in a piece of memory."""
    whole = bytes(data)
    return [whole[start : start + FINGERPRINT_BYTES] for start in range(0, len(whole), FINGERPRINT_BYTES)]


def earliest_first_seen(fingerprints: Iterable[bytes]) -> dict[bytes, bytes]:
    """Return the earliest first-seen day of each logical identity, by its hash."""
    earliest: dict[bytes, bytes] = {}
    for fingerprint in fingerprints:
        key, first = fingerprint[LOGICAL], fingerprint[FIRST_SEEN]
        if earliest.get(key, LATEST_DAY) >= first:
            earliest[key] = first
    return earliest


def _days(milliseconds: Iterable[int | None]) -> list[int | None]:
    return [None if each is None else each // DAY_MS for each in milliseconds]
