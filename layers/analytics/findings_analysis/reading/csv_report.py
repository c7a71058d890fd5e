"""A findings report in CSV, read once as a stream.

Columns are found by their names: their number grew over the years (52, 55, probably 57), and their order is not documented.
It is unknown, too, whether Inspector quotes every cell, which line ends it writes, and whether a blank follows the comma
between the values of a cell; all of it is read.

Rows are split by a strict expression, so that an open quote cannot swallow some in silence; Arrow reads their cells, five
times as fast as Python. Arrow is lenient, so it must find as many rows as there are, each with as many cells as the header. Else,
and where that fails, Python's strict reader takes the same bytes and finds what is wrong, if anything is.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from itertools import batched
from math import isfinite
from typing import TYPE_CHECKING

from arro3.core import DataType, Field, Schema
from arro3.io import read_csv as read_arrow

from findings_analysis.reading.errors import MalformedReportError
from findings_analysis.reading.numbers import finite
from findings_analysis.reading.resource_names import owner, resource_names
from findings_analysis.reading.schema import BATCH_ROWS, NAMES, REQUIRED_NAMES, ArrowColumn, Ragged
from findings_analysis.reading.timestamps import epoch_ms, epoch_ms_column
from findings_exporter.model.report_completeness import MAX_ROW_BYTES, is_blank

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from arro3.core import RecordBatch

    from findings_analysis.reading.json_elements import Readable
    from findings_analysis.reading.schema import Batch

CHUNK_BYTES = 1 << 20
"""Some seven hundred rows."""
MAX_CELL_CHARACTERS = MAX_ROW_BYTES
"""Without a cap one unclosed quote would pull in the rest of the report."""

_HEADERS = {
    "finding_arn": "Finding ARN",
    "account_id": "AWS Account Id",
    "region": "Region",
    "type": "Finding Type",
    "severity": "Severity",
    "status": "Status",
    "title": "Title",
    "description": "Description",
    "remediation": "Remediation",
    "first_observed_at": "First Seen",
    "last_observed_at": "Last Seen",
    "updated_at": "Last Updated",
    "fix_available": "Fix Available",
    "exploit_available": "Exploit Available",
    "last_known_exploit_at": "Last Exploited At",
    "inspector_score": "Inspector Score",
    "scoring_vector": "Inspector Score Vector",
    "epss_score": "Epss Score",
    "vulnerability_id": "Vulnerability Id",
    "source": "Vendor",
    "source_url": "Vendor Advisory",
    "vendor_severity": "Vendor Severity",
    "vendor_created_at": "Vendor Advisory Published",
    "reference_urls": "Reference Urls",
    "nvd_cvss3_score": "NVD CVSS3 Score",
    "nvd_cvss3_vector": "NVD CVSS3 Vector",
    "package_names": "Affected Packages",
    "package_versions": "Package Installed Version",
    "fixed_in_versions": "Fixed in Version",
    "package_managers": "Package Manager",
    "file_paths": "File Path",
    "detector_name": "Detector Name",
    "network_path": "Network Paths",
    "resource_type": "Resource Type",
    "resource_id": "Resource ID",
    "resource_tags": "Resource Tags",
    "platform": "Platform",
    "image_id": "Ami",
    "image_tags": "Container Image Tags",
    "vpc_id": "Resource Vpc",
    "port_begin": "Port Range",
}
_TEXTS = ("finding_arn", "type", "severity", "status", "title", "description", "remediation", "fix_available",
          "exploit_available", "scoring_vector", "vulnerability_id", "source", "source_url", "vendor_severity",
          "nvd_cvss3_vector", "detector_name", "resource_type", "resource_id", "resource_tags", "vpc_id")  # fmt: skip
_MOMENTS = ("first_observed_at", "last_observed_at", "updated_at", "last_known_exploit_at", "vendor_created_at")
_NUMBERS = ("inspector_score", "epss_score", "nvd_cvss3_score")
_LISTS = ("package_names", "package_versions", "fixed_in_versions", "package_managers", "file_paths", "image_tags",
          "network_path")  # fmt: skip
_NO_VALUE = ("score_source", "vendor_updated_at", "detector_id", "rule_id", "start_line", "end_line", "protocol",
             "resource_count", "further_resource_ids")  # fmt: skip
_FIELD = rb'(?:"(?:[^"]++|"")*+"|[^",\r\n][^,\r\n]*+|)'
_ROW = re.compile(_FIELD + rb"(?:," + _FIELD + rb")*+\r?\n")
"""A whole row as Python's strict reader takes it, too: quotes open a cell at its beginning and close it at its end."""
_TIME, _NUMBER = DataType.timestamp("ms", tz="UTC"), DataType.float64()
_URL_COMMA = re.compile(r",\s*+(?=https?://)")
"""It begins with the comma: were blanks before it part of it, each one of a million would begin a search through the rest."""
_PORTS = re.compile(r"\s*(\d{1,9})\s*(?:-\s*(\d{1,9})\s*)?")
"""No more digits than the column can hold."""


def read_csv(
    stream: Readable,
    *,
    unreadable: Counter[str] | None = None,
    chunk_bytes: int = CHUNK_BYTES,
    max_cell_characters: int = MAX_CELL_CHARACTERS,
) -> Iterator[Batch]:
    """Give a report's findings, flattened.

    Parameters
    ----------
    stream
        The report, from its first byte: UTF-8, with or without a byte-order mark. Bytes that are none become U+FFFD.
    unreadable
        Takes, by column, how many times, numbers and port ranges could not be read; they are None. The first time a finding
        was seen is not among them: age is counted by it, so there an unreadable one is an error.
    chunk_bytes
        So much is read at a time. Memory is a small multiple of it.
    max_cell_characters
        Largest cell, and about the largest row.

    Yields
    ------
    Batch
        1 to :data:`~findings_analysis.reading.schema.BATCH_ROWS` findings.

    Raises
    ------
    MalformedReportError
        The report is none, or a row has more or fewer cells than the header, a stray quote, or lacks what it is counted by;
        it says at which row and after how many findings.
    """
    # csv has one limit for the whole process; nothing else in this process reads CSV.
    csv.field_size_limit(max_cell_characters)
    unreadable = Counter() if unreadable is None else unreadable
    chunks = _chunks(stream, chunk_bytes, max_cell_characters)
    header = _Header(next(chunks)[0])
    findings = 0
    for content, rows in chunks:
        for cells in _cells(header, content, rows, findings, unreadable):
            yield _columns(cells)
            findings += cells.count


def _chunks(stream: Readable, chunk_bytes: int, most_bytes: int) -> Iterator[tuple[bytes, int]]:
    """Give the header, then whole rows with their number; what cannot be cut into rows comes last, with the number 0."""
    rest, ended, header, wanted = b"", False, True, max(chunk_bytes, len(codecs.BOM_UTF8))
    while not ended:
        buffer = bytearray(wanted)
        filled = 0
        while filled < wanted and (count := stream.readinto(memoryview(buffer)[filled:])):
            filled += count
        ended = filled < wanted
        rest += memoryview(buffer)[:filled]
        if header:
            rest = rest.removeprefix(codecs.BOM_UTF8)
            if first := _ROW.match(rest):
                yield first.group(), 1
                header, rest = False, rest[first.end() :]
        position = rows = 0
        if not header:
            while row := _ROW.match(rest, position):
                rows += 1
                position = row.end()
        if rows:
            yield rest[:position], rows
            rest, wanted = rest[position:], chunk_bytes
        elif len(rest) > most_bytes:
            break
        else:
            wanted = max(chunk_bytes, len(rest))
    if rest or header:
        yield rest, 0


class _Header:
    """Where which column is."""

    def __init__(self, content: bytes) -> None:
        rows = [*_rows(content, 0, 0)]
        self.names = [name.strip().casefold() for row in rows for name in row]
        self.places = {name: place for place, name in enumerate(self.names)}
        for name in REQUIRED_NAMES:
            if _HEADERS[name].casefold() not in self.places:
                raise MalformedReportError(f"it has no column {_HEADERS[name]!r}", findings=0, row=1)
        if len(rows) != 1:
            raise MalformedReportError("its end cannot be found", findings=0, row=1)
        if len(self.names) != len(self.places):
            raise MalformedReportError("two columns have the same name", findings=0, row=1)
        self.schema = Schema([Field(str(place), DataType.string()) for place in range(len(self.names))])

    def place(self, name: str) -> int | None:
        """Return where the cells of a column of ours are."""
        return self.places.get(_HEADERS[name].casefold())


def _cells(header: _Header, content: bytes, rows: int, findings: int, unreadable: Counter[str]) -> Iterator[_Cells]:
    """Read rows: by Arrow where it reads as many as there are and nothing in them is doubtful, else by Python's own reader."""
    record = _record(header, content, rows)
    if record is not None:
        yield _ArrowCells(header, record, findings, unreadable)
        return
    for taken in batched(_rows(content, len(header.names), findings), BATCH_ROWS, strict=False):
        yield _Cells(header, taken, findings, unreadable)
        findings += len(taken)


def _record(header: _Header, content: bytes, rows: int) -> RecordBatch | None:
    try:
        record = read_arrow(content, header.schema, has_header=False, batch_size=rows).read_next_batch() if rows else None
    except Exception:  # noqa: BLE001 - arro3 raises all kinds; Python's reader finds what is wrong, if anything is
        return None
    return record if record is not None and record.num_rows == rows else None


def _rows(content: bytes, cells: int, findings: int) -> Iterator[list[str]]:
    """Give the rows that are not blank, each with as many cells as the header; 0 cells for the header itself."""
    header = not cells
    try:
        for row in csv.reader(io.StringIO(content.decode(errors="replace"), newline=""), strict=True):
            if is_blank(row):
                continue
            if not header and len(row) != cells:
                raise _malformed(f"it has {len(row)} cells where the header has {cells}", findings)
            yield row
            findings += 1
    except csv.Error as error:
        raise _malformed(f"it cannot be read: {error}", findings - header) from None


def _malformed(reason: str, findings: int) -> MalformedReportError:
    """Return the error for the row after some findings; -1 is before the header."""
    return MalformedReportError(reason, findings=max(findings, 0), row=findings + 2)


class _Cells:
    """Some rows, column by column, each read as what it is."""

    def __init__(self, header: _Header, taken: Sequence[list[str]], findings: int, unreadable: Counter[str]) -> None:
        self._header, self._findings, self._unreadable = header, findings, unreadable
        self._columns = list(zip(*taken, strict=True))
        self.count = len(taken)

    def raw(self, name: str) -> Sequence[str]:
        """Return cells as they stand; empty ones where the file has no such column."""
        place = self._header.place(name)
        return ("",) * self.count if place is None else self._columns[place]

    def texts(self, name: str) -> Sequence[str | None]:
        """Return texts, of which the required ones must not be empty."""
        cells = self.raw(name)
        if name in REQUIRED_NAMES and "" in cells:
            raise _malformed(f"its {_HEADERS[name]!r} is empty", self._findings + cells.index(""))
        return [cell or None for cell in cells]

    def moments(self, name: str) -> Sequence[int | None]:
        """Return timestamps as epoch milliseconds."""
        cells = self.texts(name)
        try:
            return epoch_ms_column(cells)
        except ValueError:
            return [self._read(name, epoch_ms, cell, row) for row, cell in enumerate(cells)]

    def numbers(self, name: str) -> Sequence[float | None]:
        """Return scores."""
        return [self._read(name, finite, cell or None, row) for row, cell in enumerate(self.raw(name))]

    def lists(self, name: str) -> Ragged:
        """Return lists of what stands between commas."""
        cells = self.raw(name)
        # All cells at once, which is three times as fast, unless there are blanks at a value's edge, or nothing between commas.
        joined = ",".join([cell for cell in cells if cell])
        values: list[str | None] = [*joined.split(",")] if joined else []
        if "" in values or any(blank in joined for blank in (", ", " ,", "\t", "\n", "\r")) or joined != joined.strip():
            return Ragged.of([[value for value in map(str.strip, cell.split(",")) if value] for cell in cells])
        return Ragged(values, [cell.count(",") + 1 if cell else 0 for cell in cells])

    def urls(self, name: str) -> Ragged:
        """Return lists of addresses, which may hold commas themselves."""
        cells = self.raw(name)
        # All cells at once, too, unless there are blanks, or a comma before the first address.
        filled = [cell for cell in cells if cell]
        text = "\n".join(filled)
        one_a_line = text.replace(",http://", "\nhttp://").replace(",https://", "\nhttps://")
        values: list[str | None] = [*one_a_line.split("\n")] if filled else []
        if text.split() != filled or "" in values:
            return Ragged.of([[url for url in map(str.rstrip, _URL_COMMA.split(cell.strip())) if url] for cell in cells])
        return Ragged(values, [cell.count(",http://") + cell.count(",https://") + 1 if cell else 0 for cell in cells])

    def ports(self) -> list[tuple[int | None, int | None]]:
        """Return first and last port."""
        return [
            (self._read("port_begin", _port_range, cell, row) or (None, None)) if cell else (None, None)
            for row, cell in enumerate(self.raw("port_begin"))
        ]

    def _read[T](self, name: str, read: Callable[[str], T], cell: str | None, row: int) -> T | None:
        if cell is None:
            return None
        try:
            return read(cell)
        except ValueError as error:
            if name in REQUIRED_NAMES:
                raise _malformed(f"its {_HEADERS[name]!r} is none: {error}", self._findings + row) from None
            self._unreadable[name] += 1
            return None


class _ArrowCells(_Cells):
    """The same from Arrow: texts stay there until they are used. Whatever is doubtful is read as of plain rows."""

    def __init__(self, header: _Header, record: RecordBatch, findings: int, unreadable: Counter[str]) -> None:
        super().__init__(header, (), findings, unreadable)
        self._record = [ArrowColumn(column) for column in record.columns]
        self.count = record.num_rows

    def raw(self, name: str) -> Sequence[str]:
        place = self._header.place(name)
        return ("",) * self.count if place is None else [cell or "" for cell in self._record[place]]

    def texts(self, name: str) -> Sequence[str | None]:
        place = self._header.place(name)
        if place is None or (name in REQUIRED_NAMES and self._record[place].array.null_count):
            return super().texts(name)
        return self._record[place]

    def moments(self, name: str) -> Sequence[int | None]:
        return self._cast(name, _TIME) or super().moments(name)

    def numbers(self, name: str) -> Sequence[float | None]:
        found = self._cast(name, _NUMBER)
        # To Arrow "NaN" is a number, too.
        return found if found and isfinite(sum(filter(None, found))) else super().numbers(name)

    def _cast(self, name: str, kind: DataType) -> ArrowColumn | None:
        """Return cells as another type; None where that leaves one out that is not empty."""
        place = self._header.place(name)
        if place is None:
            return None
        texts = self._record[place].array
        found = texts.cast(kind)
        refused = found.null_count != texts.null_count or (name in REQUIRED_NAMES and found.null_count)
        return None if refused else ArrowColumn(found)


def _port_range(cell: str) -> tuple[int, int]:
    ports = _PORTS.fullmatch(cell)
    if not ports:
        raise ValueError(cell)
    return int(ports[1]), int(ports[2] or ports[1])


def _account_ids(cells: _Cells) -> Sequence[str | None]:
    accounts = cells.texts("account_id")
    if None not in accounts:
        return accounts
    return [
        account or owner(arn or "")[0] for account, arn in zip(cells.raw("account_id"), cells.texts("finding_arn"), strict=True)
    ]


def _columns(cells: _Cells) -> Batch:
    names = [resource_names(cell) for cell in cells.raw("resource_id")]
    platforms = cells.texts("platform")
    is_function = [bool(each.function) for each in names]
    ports = cells.ports()
    lists = {name: cells.lists(name) for name in _LISTS}
    found: Batch = {
        **{name: cells.texts(name) for name in _TEXTS},
        **{name: cells.moments(name) for name in _MOMENTS},
        **{name: cells.numbers(name) for name in _NUMBERS},
        **lists,
        **dict.fromkeys(_NO_VALUE, [None] * cells.count),
        "account_id": _account_ids(cells),
        "region": [region or owner(arn)[1] for region, arn in zip(cells.raw("region"), cells.raw("finding_arn"), strict=True)],
        "reference_urls": cells.urls("reference_urls"),
        "package_count": lists["package_names"].lengths,
        "resource_name": [each.name for each in names],
        "platform": [None if function else cell for function, cell in zip(is_function, platforms, strict=True)],
        "runtime": [cell if function else None for function, cell in zip(is_function, platforms, strict=True)],
        "image_id": [ami or each.digest for ami, each in zip(cells.raw("image_id"), names, strict=True)],
        "repository_name": [each.repository for each in names],
        "function_name": [each.function for each in names],
        "port_begin": [begin for begin, _ in ports],
        "port_end": [end for _, end in ports],
    }
    return {name: found[name] for name in NAMES}
