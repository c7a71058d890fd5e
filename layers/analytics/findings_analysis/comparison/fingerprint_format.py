"""The fingerprint file: what the next run is compared with. One record a finding, sorted, about 18 bytes each.

::

    magic "IFEFPRT" | version 1
    section  header   JSON: which run it is of
    section  block    up to 32,768 records; as many as there are
    section  summary  JSON: what is in the file

    section = kind 1 | length 4 | CRC-32 of what follows 4 | content
    block   = records 4 | packed columns, compressed | raw columns

A block holds its records byte by byte: first all first bytes, then all second ones, and so on. The bytes of account and
resource, of marks and days repeat, and compress to almost nothing; those of hashes are random, and stay as they are.
Whoever reads it goes through once, holding a block at a time.
"""

import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Protocol

import msgspec

from findings_analysis.comparison.fingerprints import FINGERPRINT_BYTES, MARKS, SCAN_TYPE, cut
from findings_analysis.comparison.identity import IDENTITY_VERSION
from findings_exporter.model.taxonomy import SCAN_TYPES, SEVERITIES

MAGIC = b"IFEFPRT\x01"
BLOCK_RECORDS = 32_768
PACKED = (*range(9), *range(24, FINGERPRINT_BYTES))
RAW = tuple(range(9, 24))
HIGHEST = {PACKED.index(MARKS): (len(SEVERITIES) - 1) << 5 | 31, PACKED.index(SCAN_TYPE): len(SCAN_TYPES) - 1}
"""The highest byte that some packed columns can hold."""
MAX_SECTION_BYTES = 8 << 20
"""More than a block or the facts of ten thousand accounts take: a longer one is a damaged length."""
HEADER, BLOCK, SUMMARY = b"H", b"B", b"S"


type Counted = Mapping[str, Mapping[str, Annotated[int, msgspec.Meta(ge=0)]]]
"""Account, scan type, number."""
type Scalar = str | float | int | bool | None


class FingerprintFileError(Exception):
    """A fingerprint file cannot be read; the message says why."""


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
    """

    findings: int
    open: Counted
    status_unknown: Counted


class ReadableFile(Protocol):
    """A file, or the body of an answer of S3."""

    def read(self, size: int, /) -> bytes:
        """Return up to so many bytes; none at the end."""
        ...


class FingerprintWriter:
    """Writes a fingerprint file as a stream: a header, sorted records in any number of pieces, a summary."""

    def __init__(self, write: Callable[[bytes], object], header: Header) -> None:
        self._write = write
        self._waiting: list[bytes] = []
        self.findings = 0
        write(MAGIC)
        self._section(HEADER, _json(header))

    def add(self, records: list[bytes]) -> None:
        """Write records; each piece begins where the one before ended."""
        self._waiting += records
        self.findings += len(records)
        while len(self._waiting) >= BLOCK_RECORDS:
            self._section(BLOCK, _packed(self._waiting[:BLOCK_RECORDS]))
            del self._waiting[:BLOCK_RECORDS]

    def finish(self, summary: Summary) -> None:
        """Write what waits, and the summary; without it the file counts as truncated."""
        if self._waiting:
            self._section(BLOCK, _packed(self._waiting))
        self._section(SUMMARY, _json(summary))

    def _section(self, kind: bytes, content: bytes) -> None:
        self._write(kind + len(content).to_bytes(4) + zlib.crc32(content).to_bytes(4) + content)


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
    FingerprintFileError
        It is no fingerprint file, of another version, damaged or truncated. Each method may raise it.
    """

    def __init__(self, source: ReadableFile) -> None:
        self._source = source
        self.summary: Summary | None = None
        magic = self._exactly(len(MAGIC), "its first bytes")
        if magic != MAGIC:
            same = magic[:-1] == MAGIC[:-1]
            raise FingerprintFileError(
                f"it has the version {magic[-1]}, of another release" if same else "it is no fingerprint file"
            )
        self.header = _parsed(Header, self._expected(HEADER))
        if self.header.identity_version != IDENTITY_VERSION:
            raise FingerprintFileError(
                f"its findings are identified by rules of another release ({self.header.identity_version})"
            )

    def blocks(self) -> Iterator[list[bytes]]:
        """Yield the records, sorted, in blocks that are not empty."""
        found, last = 0, b""
        while True:
            kind, content = self._section(f"its finding {found + 1:,}")
            if kind == SUMMARY:
                break
            records = _unpacked(content) if kind == BLOCK else []
            if not records or records[0] < last:
                raise FingerprintFileError(f"it is damaged at its finding {found + 1:,}")
            last = records[-1]
            found += len(records)
            yield records
        summary = _parsed(Summary, content)
        if summary.findings != found:
            raise FingerprintFileError(f"it holds {found:,} findings, where {summary.findings:,} were written")
        self.summary = summary

    @property
    def whole(self) -> Summary:
        """The summary, once :meth:`blocks` came to its end."""
        assert self.summary is not None
        return self.summary

    def _expected(self, kind: bytes) -> bytes:
        found, content = self._section("its header")
        if found != kind:
            raise FingerprintFileError("it does not begin with its header")
        return content

    def _section(self, where: str) -> tuple[bytes, bytes]:
        head = self._exactly(9, where)
        size = int.from_bytes(head[1:5])
        if size > MAX_SECTION_BYTES:
            raise FingerprintFileError(f"it is damaged at {where}")
        content = self._exactly(size, where)
        if zlib.crc32(content) != int.from_bytes(head[5:]):
            raise FingerprintFileError(f"it is damaged at {where}: the checksum is wrong")
        return head[:1], content

    def _exactly(self, size: int, where: str) -> bytes:
        pieces = []
        while size > 0 and (piece := self._source.read(size)):
            pieces.append(piece)
            size -= len(piece)
        if size:
            raise FingerprintFileError(f"it is truncated at {where}")
        return b"".join(pieces)


@dataclass(frozen=True, slots=True)
class FingerprintFile:
    """A fingerprint file on the disk that was read through once, so that all of it can be read."""

    path: Path
    header: Header
    summary: Summary

    def blocks(self) -> Iterator[list[bytes]]:
        """Yield the records, sorted, in blocks that are not empty."""
        with self.path.open("rb") as file:
            yield from FingerprintReader(file).blocks()


def checked(path: Path, report: str, execution: str) -> FingerprintFile:
    """Read a file through once.

    Raises
    ------
    FingerprintFileError
        It is no whole fingerprint file, or of another run than was said.
    """
    with path.open("rb") as file:
        reader = FingerprintReader(file)
        if (reader.header.report, reader.header.execution) != (report, execution):
            raise FingerprintFileError("it is of another run")
        for _ in reader.blocks():
            pass
        return FingerprintFile(path, reader.header, reader.whole)


def _json(facts: Header | Summary) -> bytes:
    return json.dumps(asdict(facts), separators=(",", ":"), sort_keys=True, default=datetime.isoformat).encode()


def _parsed[T: (Header, Summary)](kind: type[T], content: bytes) -> T:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FingerprintFileError(f"its {kind.__name__.lower()} cannot be understood: {error}") from error


def _packed(records: list[bytes]) -> bytes:
    together = b"".join(records)
    packed = zlib.compress(b"".join(together[at::FINGERPRINT_BYTES] for at in PACKED), level=1)
    return len(records).to_bytes(4) + packed + b"".join(together[at::FINGERPRINT_BYTES] for at in RAW)


def _unpacked(content: bytes) -> list[bytes]:
    """Return a block's records, or none when it does not hold what it should."""
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
