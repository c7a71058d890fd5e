"""A findings report in CSV, read once as a stream.

Columns are found by their names: their number grew over the years (52, 55, probably 57), and their order is not documented.
It is unknown, too, whether Inspector quotes every cell, which line ends it writes, and whether a blank follows the comma
between the values of a cell; all of it is read.

Arrow reads the cells, five times as fast as Python, but it is lenient: an open quote would swallow rows in silence. So a strict
expression looks at the quotes first. Where each opens a cell at its beginning or closes one at its end, as in nearly every
report, one match goes through a whole chunk. Elsewhere rows are matched one by one, and Arrow must find as many. Each row must
have as many cells as the header. Where any of this fails, Python's strict reader takes the same bytes and finds what is wrong,
if anything is.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from functools import cache
from itertools import batched, repeat
from typing import TYPE_CHECKING

from arro3.core import DataType, Field, Schema
from arro3.io import read_csv as read_arrow

from findings_analysis.reading.errors import MalformedReportError
from findings_analysis.reading.numbers import finite, whole
from findings_analysis.reading.resource_names import owner, resource_names
from findings_analysis.reading.schema import BATCH_ROWS, NAMES, REQUIRED_NAMES, ArrowColumn, Ragged
from findings_analysis.reading.timestamps import epoch_ms, epoch_ms_column
from findings_exporter.model.report_completeness import MAX_ROW_BYTES, is_blank

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from arro3.core import RecordBatch

    from findings_analysis.reading.json_elements import Readable
    from findings_analysis.reading.schema import Batch

CHUNK_BYTES = 4 << 20
"""Some 2,700 rows: a batch costs as much as some hundred of them."""
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
    "in_use_count": "Image In Use Count",
    "last_in_use_at": "Image Last In Use At",
}
_TEXTS = ("finding_arn", "type", "severity", "status", "title", "description", "remediation", "fix_available",
          "exploit_available", "scoring_vector", "vulnerability_id", "source", "source_url", "vendor_severity",
          "nvd_cvss3_vector", "detector_name", "resource_type", "resource_id", "resource_tags", "vpc_id")  # fmt: skip
_MOMENTS = ("first_observed_at", "last_observed_at", "updated_at", "last_known_exploit_at", "vendor_created_at",
            "last_in_use_at")  # fmt: skip
_NUMBERS = ("inspector_score", "epss_score", "nvd_cvss3_score")
_LISTS = ("package_names", "package_versions", "fixed_in_versions", "package_managers", "file_paths", "image_tags",
          "network_path")  # fmt: skip
_NO_VALUE = ("score_source", "vendor_updated_at", "detector_id", "rule_id", "start_line", "end_line", "protocol",
             "resource_count", "further_resource_ids", "package_purls", "package_reachabilities", "source_layer_hashes",
             "runtime_reachability", "runtime_reachability_reason")  # fmt: skip
_FIELD = rb'(?:"(?:[^"]++|"")*+"|[^",\r\n][^,\r\n]*+|)'
_ROW = re.compile(_FIELD + rb"(?:," + _FIELD + rb")*+\r?\n")
"""A whole row as Python's strict reader takes it, too: quotes open a cell at its beginning and close it at its end."""
_BEGUN_ROW = re.compile(rb"(?:" + _FIELD + rb',)*+(?:"(?:[^"]++|"")*+"?|[^",\r\n][^,\r\n]*+|)\r?\Z')
"""What may become a whole row when more is read."""
_EMPTY_LINES = re.compile(rb"(?:\r?\n)++")
_SOUND = re.compile(rb'[^"]*+(?:(?<![^,\n])"[^"]*+(?:""[^"]*+)*+"(?=[,\r\n])[^"]*+)*+')
"""From the beginning of a row as far as all quotes stand at a cell's edges; it ends outside of quotes."""
_LONE_RETURN = re.compile(rb"\r(?!\n)")
"""Outside of quotes it ends a row, too; that is left to Python's reader."""
_TIME, _NUMBER, _WHOLE = DataType.timestamp("ms", tz="UTC"), DataType.float64(), DataType.int64()
_TEXT, _UNUSED = DataType.string(), DataType.null()
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
    if stream.readinto(memoryview(bytearray(1))):
        raise _malformed("its end cannot be found", findings)


def header_of(start: bytes) -> tuple[bytes, int] | None:
    """Return a report's header row and the number of its cells.

    Parameters
    ----------
    start
        The report's first bytes.

    Returns
    -------
    tuple[bytes, int] | None
        The row as it stands, with its line end and without a byte-order mark; None where it is not whole.

    Raises
    ------
    MalformedReportError
        As :func:`read_csv` raises it for this header.
    """
    row = _ROW.match(start.removeprefix(codecs.BOM_UTF8))
    return (row.group(), len(_Header(row.group()).names)) if row else None


def leading_rows(content: bytes, cells: int) -> tuple[int, int] | None:
    """Walk over the whole rows at the beginning of a piece of a report.

    Parameters
    ----------
    content
        It begins where a row begins, and may end anywhere.
    cells
        As many as the header has.

    Returns
    -------
    tuple[int, int] | None
        The number of whole rows, without blank ones, and where the last of them ends, blank ones included. None where a row has
        more or fewer cells, or is quoted as the strict expression does not take it: then ``content`` may begin elsewhere.
    """
    rows = end = 0
    wanted = _row_of(cells)
    while True:
        if lines := _EMPTY_LINES.match(content, end):
            end = lines.end()
        if row := wanted.match(content, end):
            rows += 1
        elif not (row := _ROW.match(content, end)) or not _is_blank(row.group()):
            break
        end = row.end()
    return (rows, end) if not row and _BEGUN_ROW.match(content, end) else None


def is_sound(content: bytes) -> bool:
    """Tell whether all quotes of a piece that begins where a row begins stand at a cell's edges, up to its last line end."""
    found = _SOUND.match(content)
    return found is not None and b"\n" not in content[found.end() :]


@cache
def _row_of(cells: int) -> re.Pattern[bytes]:
    return re.compile(_FIELD + rb"(?:," + _FIELD + rb"){%d}\r?\n" % (cells - 1))


def _is_blank(row: bytes) -> bool:
    return all(map(is_blank, csv.reader(io.StringIO(row.decode(errors="replace"), newline=""), strict=True)))


def _chunks(stream: Readable, chunk_bytes: int, most_bytes: int) -> Iterator[tuple[bytes, int | None]]:
    """Give the header, then whole rows with their number; what cannot be cut into rows comes last, with the number 0.

    Where all quotes are sound, the number is None: Arrow finds the same rows as a strict reader.
    """
    buffer = bytearray(max(chunk_bytes, len(codecs.BOM_UTF8)))
    filled = _fill(stream, buffer, 0)
    ended = filled < len(buffer)
    if buffer.startswith(codecs.BOM_UTF8):
        del buffer[: len(codecs.BOM_UTF8)]
        filled -= len(codecs.BOM_UTF8)
    find = _header_end
    while True:
        end, rows = find(buffer, filled)
        if end:
            yield bytes(buffer[:end]), rows
            find = _whole_rows
            filled -= end
            buffer[:filled] = buffer[end : end + filled]
        elif ended or filled > most_bytes:
            break
        else:
            buffer += bytes(max(chunk_bytes, filled))
        filled = _fill(stream, buffer, filled)
        ended = filled < len(buffer)
    if filled or find is _header_end:
        yield bytes(buffer[:filled]), 0


def _fill(stream: Readable, buffer: bytearray, filled: int) -> int:
    """Read until the buffer is full, or the report ends, and return how much is in it."""
    with memoryview(buffer) as view:
        while filled < len(view) and (count := stream.readinto(view[filled:])):
            filled += count
    return filled


def _header_end(content: bytearray, size: int) -> tuple[int, int | None]:
    row = _ROW.match(content, 0, size)
    return (row.end(), 1) if row else (0, 0)


def _whole_rows(content: bytearray, size: int) -> tuple[int, int | None]:
    """Return where the whole rows at the beginning end, and their number; None where their quotes are sound."""
    sound = _SOUND.match(content, 0, size)
    assert sound, "it matches nothing, too"
    end = _line_end(content, sound.end())
    if end and not _LONE_RETURN.search(content, 0, end):
        return end, None
    end = rows = 0
    while row := _ROW.match(content, end, size):
        rows += 1
        end = row.end()
    return end, rows


def _line_end(content: bytearray, end: int) -> int:
    """Return the place after the last line end outside of quotes, before a place that is outside, too; 0 where there is none."""
    quotes = 0
    while (line_end := content.rfind(b"\n", 0, end)) >= 0:
        quotes += content.count(b'"', line_end, end)
        if quotes % 2 == 0:
            return line_end + 1
        end = line_end
    return 0


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
        used = {name.casefold() for name in _HEADERS.values()}
        self.schema = Schema([Field(str(place), _TEXT if name in used else _UNUSED) for place, name in enumerate(self.names)])

    def place(self, name: str) -> int | None:
        """Return where the cells of a column of ours are."""
        return self.places.get(_HEADERS[name].casefold())


def _cells(header: _Header, content: bytes, rows: int | None, findings: int, unreadable: Counter[str]) -> Iterator[_Cells]:
    """Read rows: by Arrow where it reads as many as there are and nothing in them is doubtful, else by Python's own reader."""
    records = _records(header, content, rows)
    if records is not None:
        for record in records:
            yield _ArrowCells(header, record, findings, unreadable)
            findings += record.num_rows
        return
    for taken in batched(_rows(content, len(header.names), findings), BATCH_ROWS, strict=False):
        yield _Cells(header, taken, findings, unreadable)
        findings += len(taken)


def _records(header: _Header, content: bytes, rows: int | None) -> list[RecordBatch] | None:
    # An error of arro3 that quotes a NUL ends the process, and a byte-order mark is dropped where it begins the first row.
    if rows == 0 or b"\0" in content or content.startswith(codecs.BOM_UTF8):
        return None
    try:
        records = [*read_arrow(content, header.schema, has_header=False, batch_size=BATCH_ROWS)]
    except Exception:  # noqa: BLE001 - arro3 raises all kinds; Python's reader finds what is wrong, if anything is
        return None
    records = [record for record in records if record.num_rows]
    return records if rows in {None, sum(record.num_rows for record in records)} else None


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

    def is_full(self, name: str) -> bool:
        """Return whether no cell is empty."""
        return "" not in self.raw(name)

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

    def counts(self, name: str) -> Sequence[int | None]:
        """Return whole numbers that a column can hold."""
        return [self._read(name, _count, cell, row) if cell else None for row, cell in enumerate(self.raw(name))]

    def lists(self, name: str) -> Ragged:
        """Return lists of what stands between commas."""
        cells = self.raw(name)
        # All cells at once, which is three times as fast, unless there are blanks at a value's edge, or nothing between commas.
        joined = ",".join(filter(None, cells))
        values: list[str | None] = [*joined.split(",")] if joined else []
        # White space that is no blank is not printable.
        if "" in values or ", " in joined or " ," in joined or joined != joined.strip() or not joined.isprintable():
            return Ragged.of([[value for value in map(str.strip, cell.split(",")) if value] for cell in cells])
        return Ragged(values, _lengths(cells, ",") if values else [0] * self.count)

    def urls(self, name: str) -> Ragged:
        """Return lists of addresses, which may hold commas themselves."""
        cells = self.raw(name)
        # All cells at once, too, unless there are blanks, or a comma before the first address.
        joined = "".join(cells)
        cut = "\n".join(cells).replace(",http://", "\fhttp://").replace(",https://", "\fhttps://")
        values: list[str | None] = [*cut.split()]
        lengths = _lengths(cut.split("\n"), "\f") if joined else [0] * self.count
        if len(values) != sum(lengths) or joined.split(maxsplit=1) != [joined][: len(joined)]:
            return Ragged.of([[url for url in map(str.rstrip, _URL_COMMA.split(cell.strip())) if url] for cell in cells])
        return Ragged(values, lengths)

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
        column = self._column(name)
        if column is None or column.array.null_count == self.count:
            return ("",) * self.count
        return [cell or "" for cell in column] if column.array.null_count else column.values

    def is_full(self, name: str) -> bool:
        column = self._column(name)
        return column is not None and not column.array.null_count

    def texts(self, name: str) -> Sequence[str | None]:
        column = self._column(name)
        if column is None or (name in REQUIRED_NAMES and column.array.null_count):
            return super().texts(name)
        return column

    def moments(self, name: str) -> Sequence[int | None]:
        return self._cast(name, _TIME) or super().moments(name)

    def numbers(self, name: str) -> Sequence[float | None]:
        found = self._cast(name, _NUMBER)
        # To Arrow "NaN" is a number, too; no whole number can be made of it.
        if found and found.array.cast(_WHOLE).null_count == found.array.null_count:
            return found
        return super().numbers(name)

    def _column(self, name: str) -> ArrowColumn | None:
        place = self._header.place(name)
        return None if place is None else self._record[place]

    def _cast(self, name: str, kind: DataType) -> ArrowColumn | None:
        """Return cells as another type; None where that leaves one out that is not empty."""
        column = self._column(name)
        if column is None:
            return None
        texts = column.array
        found = texts.cast(kind)
        refused = found.null_count != texts.null_count or (name in REQUIRED_NAMES and found.null_count)
        return None if refused else ArrowColumn(found)


def _count(cell: str) -> int:
    return whole(cell, 0, 2**31)


def _port_range(cell: str) -> tuple[int, int]:
    ports = _PORTS.fullmatch(cell)
    if not ports:
        raise ValueError(cell)
    return int(ports[1]), int(ports[2] or ports[1])


def _lengths(cells: Sequence[str], separator: str) -> list[int]:
    """Return how many values each cell has between separators."""
    return [count + 1 if cell else 0 for cell, count in zip(cells, map(str.count, cells, repeat(separator)), strict=True)]


def _owners(cells: _Cells, name: str, place: int) -> Sequence[str | None]:
    """Return accounts or Regions; where a row has none, what its ARN says."""
    if cells.is_full(name):
        return cells.texts(name)
    return [each or owner(arn)[place] for each, arn in zip(cells.raw(name), cells.raw("finding_arn"), strict=True)]


def _columns(cells: _Cells) -> Batch:
    resources = map(resource_names, cells.raw("resource_id"))
    names, repositories, functions, images = zip(*resources, strict=True)
    platforms: Sequence[str | None] = cells.texts("platform")
    runtimes: Sequence[str | None] = [None] * cells.count
    if any(functions):
        runtimes = [cell if function else None for cell, function in zip(platforms, functions, strict=True)]
        platforms = [None if function else cell for cell, function in zip(platforms, functions, strict=True)]
    amis = cells.raw("image_id")
    ports = cells.ports()
    lists = {name: cells.lists(name) for name in _LISTS}
    found: Batch = {
        **{name: cells.texts(name) for name in _TEXTS},
        **{name: cells.moments(name) for name in _MOMENTS},
        **{name: cells.numbers(name) for name in _NUMBERS},
        **lists,
        **dict.fromkeys(_NO_VALUE, [None] * cells.count),
        "account_id": _owners(cells, "account_id", 0),
        "region": _owners(cells, "region", 1),
        "reference_urls": cells.urls("reference_urls"),
        "package_count": lists["package_names"].lengths,
        "resource_name": names,
        "platform": platforms,
        "runtime": runtimes,
        "image_id": [ami or image for ami, image in zip(amis, images, strict=True)],
        "repository_name": repositories,
        "function_name": functions,
        "in_use_count": cells.counts("in_use_count"),
        "port_begin": [begin for begin, _ in ports],
        "port_end": [end for _, end in ports],
    }
    return {name: found[name] for name in NAMES}
