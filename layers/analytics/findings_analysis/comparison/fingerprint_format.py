"""The fingerprint file: what the next run is compared with. One fingerprint a finding, sorted, about 19 bytes each.

::

    magic "IFEFPRT" | version 1
    section  header   JSON: which run it is of
    section  block    up to 32,768 fingerprints; as many as there are
    section  summary  JSON: what is in the file

    block = fingerprints 4 | packed columns, compressed | raw columns

Sections are those of :mod:`findings_analysis.comparison.sections`.

A block holds its fingerprints byte by byte: first all first bytes, then all second ones, and so on. The bytes of account and
resource, of marks and days repeat, and compress to almost nothing; those of hashes are random, and stay as they are.
Whoever reads it goes through once, holding a block at a time.
"""

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec

from findings_analysis.comparison.fingerprints import FINGERPRINT_BYTES, MARKS, SCAN_TYPE, cut
from findings_analysis.comparison.identity import IDENTITY_VERSION
from findings_analysis.comparison.sections import DamagedFileError, ReadableFile, SectionReader, Write, write_section
from findings_exporter.model.taxonomy import SCAN_TYPES, SEVERITIES

MAGIC = b"IFEFPRT\x01"
BLOCK_RECORDS = 32_768
PACKED = (*range(9), *range(24, FINGERPRINT_BYTES))
RAW = tuple(range(9, 24))
HIGHEST = {PACKED.index(MARKS): (len(SEVERITIES) - 1) << 5 | 31, PACKED.index(SCAN_TYPE): len(SCAN_TYPES) - 1}
"""The highest byte that some packed columns can hold."""
HEADER, BLOCK, SUMMARY = b"H", b"B", b"S"


type Counted = Mapping[str, Mapping[str, Annotated[int, msgspec.Meta(ge=0)]]]
"""Account, scan type, number."""
type Scalar = str | float | int | bool | None


@dataclass(frozen=True, slots=True)
class Header:
    """Which run a fingerprint file is of.

    Attributes
    ----------
    started_at
        When the run began, ISO 8601.
    filter_criteria
        The run's filter with its dates made absolute. Two runs of one filter hash that differ here have a moving window.
    scanning
        Whether Inspector was surely scanning: account, scan type, then ``on``, ``off`` or ``unknown``.
    resuming
        Since when Inspector says that it scans again where its findings are not back yet: account, scan type, ISO 8601.
    """

    report: str
    execution: str
    started_at: str
    filter_hash: str
    filter_criteria: Mapping[str, Sequence[Mapping[str, Scalar | Mapping[str, Scalar]]]]
    scanning: Mapping[str, Mapping[str, str]]
    resuming: Mapping[str, Mapping[str, datetime]] = field(default_factory=dict)
    identity_version: int = IDENTITY_VERSION


@dataclass(frozen=True, slots=True)
class Summary:
    """What is in a fingerprint file.

    Attributes
    ----------
    findings
        Records, whatever their status.
    open
        Open findings.
    status_unknown
        Findings that were open when they were last scanned, of accounts and scan types that may not be scanned any more.
    owners
        Names of owners by the hexadecimal hash that is in the fingerprints; None where the run knew no owners.
    """

    findings: int
    open: Counted
    status_unknown: Counted
    owners: Mapping[str, str] | None = None


class FingerprintWriter:
    """Writes a fingerprint file as a stream: a header, sorted fingerprints in any number of pieces, a summary."""

    def __init__(self, write: Write, header: Header, block_records: int | None = None) -> None:
        self._write, self._block_records = write, block_records or BLOCK_RECORDS
        self._waiting: list[bytes] = []
        self.findings = 0
        write(MAGIC)
        write_section(write, HEADER, _json(header))

    def add(self, fingerprints: list[bytes]) -> None:
        """Write fingerprints; each piece begins where the one before ended."""
        self._waiting += fingerprints
        self.findings += len(fingerprints)
        each, whole = self._block_records, len(self._waiting) // self._block_records * self._block_records
        for start in range(0, whole, each):
            write_section(self._write, BLOCK, _packed(self._waiting[start : start + each]))
        del self._waiting[:whole]

    def finish(self, summary: Summary) -> None:
        """Write what waits, and the summary; without it the file counts as truncated."""
        if self._waiting:
            write_section(self._write, BLOCK, _packed(self._waiting))
        write_section(self._write, SUMMARY, _json(summary))


class FingerprintReader:
    """Reads a fingerprint file as a stream.

    Attributes
    ----------
    header
        Read at once.
    summary
        None until :meth:`blocks` came to its end.

    Raises
    ------
    DamagedFileError
        It is no fingerprint file, of another version, damaged or truncated. Each method may raise it.
    """

    def __init__(self, source: ReadableFile) -> None:
        self._sections = SectionReader(source, MAGIC, "fingerprint file")
        self.summary: Summary | None = None
        self.header = _parsed(Header, self._expected(HEADER))
        if self.header.identity_version != IDENTITY_VERSION:
            raise DamagedFileError(f"its findings are identified by rules of another release ({self.header.identity_version})")

    def blocks(self) -> Iterator[list[bytes]]:
        """Yield the fingerprints, sorted, in blocks that are not empty."""
        found, last = 0, b""
        while True:
            kind, content = self._sections.section(f"its finding {found + 1:,}")
            if kind == SUMMARY:
                break
            fingerprints = _unpacked(content) if kind == BLOCK else []
            if not fingerprints or fingerprints[0] < last:
                raise DamagedFileError(f"it is damaged at its finding {found + 1:,}")
            last = fingerprints[-1]
            found += len(fingerprints)
            yield fingerprints
        summary = _parsed(Summary, content)
        if summary.findings != found:
            raise DamagedFileError(f"it holds {found:,} findings, where {summary.findings:,} were written")
        self.summary = summary

    @property
    def whole(self) -> Summary:
        """The summary, once :meth:`blocks` came to its end."""
        assert self.summary is not None
        return self.summary

    def _expected(self, kind: bytes) -> bytes:
        found, content = self._sections.section("its header")
        if found != kind:
            raise DamagedFileError("it does not begin with its header")
        return content


@dataclass(frozen=True, slots=True)
class FingerprintFile:
    """A fingerprint file on the disk that was read through once, so that all of it can be read."""

    path: Path
    header: Header
    summary: Summary

    def blocks(self) -> Iterator[list[bytes]]:
        """Yield the fingerprints, sorted, in blocks that are not empty."""
        with self.path.open("rb") as file:
            yield from FingerprintReader(file).blocks()


def checked(path: Path, report: str, execution: str) -> FingerprintFile:
    """Read a file through once.

    Raises
    ------
    DamagedFileError
        It is no whole fingerprint file, or of another run than was said.
    """
    with path.open("rb") as file:
        reader = FingerprintReader(file)
        if (reader.header.report, reader.header.execution) != (report, execution):
            raise DamagedFileError("it is of another run")
        for _ in reader.blocks():
            pass
        return FingerprintFile(path, reader.header, reader.whole)


def _json(facts: Header | Summary) -> bytes:
    return json.dumps(asdict(facts), separators=(",", ":"), sort_keys=True, default=datetime.isoformat).encode()


def _parsed[T: (Header, Summary)](kind: type[T], content: bytes) -> T:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DamagedFileError(f"its {kind.__name__.lower()} cannot be understood: {error}") from error


def _packed(fingerprints: list[bytes]) -> bytes:
    together = b"".join(fingerprints)
    packed = zlib.compress(b"".join(together[at::FINGERPRINT_BYTES] for at in PACKED), level=1)
    return len(fingerprints).to_bytes(4) + packed + b"".join(together[at::FINGERPRINT_BYTES] for at in RAW)


def _unpacked(content: bytes) -> list[bytes]:
    """Return a block's fingerprints, or none when it does not hold what it should."""
    count = int.from_bytes(content[:4])
    if count > BLOCK_RECORDS:
        return []
    stream = zlib.decompressobj()
    try:
        packed = stream.decompress(content[4:], len(PACKED) * count + 1)
    except zlib.error:
        return []
    raw = stream.unused_data
    if len(packed) != len(PACKED) * count or len(raw) != len(RAW) * count:
        return []
    if any(max(packed[at * count : (at + 1) * count], default=0) > most for at, most in HIGHEST.items()):
        return []
    together = bytearray(FINGERPRINT_BYTES * count)
    for columns, places in ((packed, PACKED), (raw, RAW)):
        for number, at in enumerate(places):
            together[at::FINGERPRINT_BYTES] = columns[number * count : (number + 1) * count]
    return cut(together)
