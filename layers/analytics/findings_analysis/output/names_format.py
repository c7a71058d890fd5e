"""The names file: what people need to recognize the findings of a run, found by their ARN hashes without reading all columns.

::

    magic "IFENAME" | version 1
    section  names  some 16,384 findings, fewer if their names are long; as many as there are
    section  end    findings 8

    names = findings 4 | their ARN hashes, 8 each | a Parquet file of the columns DETAIL_COLUMNS

Sections are those of :mod:`findings_analysis.comparison.sections`. Parquet files are read as a whole, so there is one a
section: where no hash is wanted, it is passed over. Findings that are carried over stand behind the run's own.
"""

import io
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple

from arro3.core import Array, DataType, RecordBatch

from findings_analysis.comparison.identity import EXACT_BYTES
from findings_analysis.comparison.sections import DamagedFileError, ReadableFile, SectionReader, Write, write_section
from findings_analysis.output import parquet
from findings_analysis.reading.parquet_columns import DETAIL_COLUMNS, DETAIL_SCHEMA, UnreadableParquetError, read_records

NAMES_MAGIC = b"IFENAME\x01"
NAMES_SECTION, END_SECTION = b"N", b"E"
SECTION_ROWS, SECTION_BYTES = 16_384, 16 << 20
"""A section ends with the batch that reaches one of them; a batch has some megabytes."""
_INT32 = DataType.int32()


class NamesWriter:
    """Writes a names file as a stream."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._hashes: list[bytes] = []
        self._records: list[RecordBatch] = []
        self._bytes = 0
        self.findings = 0
        write(NAMES_MAGIC)

    def add(self, arn_hashes: Sequence[bytes], record: RecordBatch) -> None:
        """Take findings.

        Parameters
        ----------
        record
            Of at least the columns :data:`~findings_analysis.reading.parquet_columns.DETAIL_COLUMNS`, a row for each hash.
        """
        names = record.select(list(DETAIL_COLUMNS))
        self._hashes += arn_hashes
        self._records.append(names)
        self._bytes += names.nbytes
        if len(self._hashes) >= SECTION_ROWS or self._bytes >= SECTION_BYTES:
            self._section()

    def add_file(self, source: ReadableFile) -> None:
        """Take all findings of another names file, as they stand."""
        for count, content in _sections(source):
            self.findings += count
            write_section(self._write, NAMES_SECTION, content)

    def finish(self) -> None:
        """Write what waits, and the end; without it the file counts as truncated."""
        if self._hashes:
            self._section()
        write_section(self._write, END_SECTION, self.findings.to_bytes(8))

    def _section(self) -> None:
        file = io.BytesIO()
        parquet.write_records(DETAIL_SCHEMA, self._records, file)
        write_section(self._write, NAMES_SECTION, len(self._hashes).to_bytes(4) + b"".join(self._hashes) + file.getvalue())
        self.findings += len(self._hashes)
        self._hashes, self._records, self._bytes = [], [], 0


class FoundNames(NamedTuple):
    """Some of a names file's findings: their ARN hashes, and a row for each."""

    arn_hashes: list[bytes]
    record: RecordBatch

    def of(self, wanted: AbstractSet[bytes]) -> "FoundNames":
        """Return those of some ARN hashes, each once."""
        first = {arn_hash: row for row, arn_hash in reversed(list(enumerate(self.arn_hashes))) if arn_hash in wanted}
        return FoundNames(list(first), self.record.take(Array(list(first.values()), _INT32)))

    def rows(self) -> dict[bytes, dict[str, Any]]:
        """Return the findings' values by column, by ARN hash."""
        columns = [self.record.column(name).to_pylist() for name in DETAIL_COLUMNS]
        rows = [dict(zip(DETAIL_COLUMNS, values, strict=True)) for values in zip(*columns, strict=True)]
        return dict(zip(self.arn_hashes, rows, strict=True))


def find(source: ReadableFile, wanted: AbstractSet[bytes]) -> Iterator[FoundNames]:
    """Give the findings of some ARN hashes, section by section.

    Raises
    ------
    DamagedFileError
        It is no names file, of another version, damaged or truncated.
    """
    for count, content in _sections(source):
        parquet_begins = 4 + EXACT_BYTES * count
        hashes = [content[start : start + EXACT_BYTES] for start in range(4, parquet_begins, EXACT_BYTES)]
        if wanted.isdisjoint(hashes):
            continue
        rows = [row for row, each in enumerate(hashes) if each in wanted]
        record = _record(content[parquet_begins:])
        if record.num_rows != count:
            raise DamagedFileError("a section holds another number of names than it says")
        yield FoundNames([hashes[row] for row in rows], record.take(Array(rows, _INT32)))


def _sections(source: ReadableFile) -> Iterator[tuple[int, bytes]]:
    reader, found = SectionReader(source, NAMES_MAGIC, "names file"), 0
    while True:
        kind, content = reader.section(f"its finding {found + 1:,}")
        if kind == END_SECTION:
            break
        count = int.from_bytes(content[:4])
        if kind != NAMES_SECTION or not count or len(content) < 4 + EXACT_BYTES * count:
            raise DamagedFileError(f"it is damaged at its finding {found + 1:,}")
        found += count
        yield count, content
    if source.read(1):
        raise DamagedFileError("something follows its end")
    if found != int.from_bytes(content):
        raise DamagedFileError(f"it holds {found:,} findings, where {int.from_bytes(content):,} were written")


def _record(content: bytes) -> RecordBatch:
    """Return a section's Parquet file as one batch."""
    try:
        records = list(read_records(io.BytesIO(content), DETAIL_SCHEMA, batch_rows=1 << 20))
    except UnreadableParquetError as error:
        raise DamagedFileError(str(error)) from error
    if len(records) != 1:
        raise DamagedFileError("a section holds no names")
    return records[0]
