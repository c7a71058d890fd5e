"""A findings report in CSV, read once as a stream.

Columns are found by their names: their number grew over the years (52, 55, probably 57), and nobody promises their order.
Nobody knows either whether Inspector quotes every cell, which line ends it writes, and whether a blank follows the comma
between the values of a cell; all of it is read.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING

from findings_digest.columns import NAMES, REQUIRED_NAMES, Ragged
from findings_digest.errors import MalformedReportError
from findings_digest.names import REMEMBERED, owner, resource_names
from findings_digest.timestamps import epoch_ms, epoch_ms_column

if TYPE_CHECKING:
    from collections.abc import Buffer, Callable, Iterator, Sequence

    from findings_digest.columns import Batch
    from findings_digest.json_elements import Readable

BATCH_ROWS = 512
"""A batch should stay in the processor's cache."""
MAX_CELL_CHARACTERS = 4 << 20
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
    "resource_type": "Resource Type",
    "resource_id": "Resource ID",
    "resource_tags": "Resource Tags",
    "platform": "Platform",
    "image_id": "Ami",
    "image_tags": "Container Image Tags",
    "vpc_id": "Resource Vpc",
    "port_begin": "Port Range",
}
_BUFFER_BYTES = 1 << 18
_FURTHER_TEXTS = ("finding_arn", "title", "description", "remediation", "scoring_vector", "source", "source_url",
                  "vendor_severity", "nvd_cvss3_vector", "detector_name", "resource_tags", "vpc_id")  # fmt: skip
_FURTHER_MOMENTS = ("last_observed_at", "updated_at", "last_known_exploit_at", "vendor_created_at")
_FURTHER_LISTS = ("package_versions", "fixed_in_versions", "package_managers", "file_paths", "image_tags")
_COMMA = re.compile(r"\s*,\s*")
_URL_COMMA = re.compile(r"\s*,\s*(?=https?://)")
_PORTS = re.compile(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?")


def read_csv(
    stream: Readable,
    *,
    counted_only: bool = False,
    unreadable: Counter[str] | None = None,
    batch_rows: int = BATCH_ROWS,
    max_cell_characters: int = MAX_CELL_CHARACTERS,
) -> Iterator[Batch]:
    """Give a report's findings, flattened.

    Parameters
    ----------
    stream
        The report, from its first byte: UTF-8, with or without a byte-order mark.
    counted_only
        Whether :data:`~findings_digest.columns.COUNTED_NAMES` are enough; else all columns are given.
    unreadable
        Takes, by column, how many times, numbers and port ranges nobody could read; they are None. The first time a finding
        was seen is not among them: age is counted by it, so there an unreadable one is an error.
    batch_rows
        Most rows of a batch.
    max_cell_characters
        Largest cell.

    Yields
    ------
    Batch
        1 to ``batch_rows`` findings.

    Raises
    ------
    MalformedReportError
        The report is none, or a row has more or fewer cells than the header, a stray quote, or lacks what it is counted by;
        it tells at which row and after how many findings.
    """
    # csv has one limit for the whole process; nobody else here reads CSV.
    csv.field_size_limit(max_cell_characters)
    text = io.TextIOWrapper(io.BufferedReader(_Raw(stream), _BUFFER_BYTES), encoding="utf-8-sig", newline="")
    rows = _Rows(csv.reader(text, strict=True))
    columns = _counted_columns if counted_only else _all_columns
    while taken := rows.take(batch_rows):
        yield columns(_Cells(rows, taken, Counter() if unreadable is None else unreadable))
        rows.findings += len(taken)


class _Raw(io.RawIOBase):
    """A stream as Python's text layer wants it."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int | None:
        return self._stream.readinto(memoryview(buffer))


class _Rows:
    """The file's rows, with whatever is wrong told in our words."""

    def __init__(self, reader: Iterator[list[str]]) -> None:
        self._reader = reader
        self.findings = 0
        header = self.take(1, header=True)
        self.places = {name.strip().casefold(): place for place, name in enumerate(header[0] if header else ())}
        self._cells = len(self.places)
        for name in REQUIRED_NAMES:
            if _HEADERS[name].casefold() not in self.places:
                raise MalformedReportError(f"it has no column {_HEADERS[name]!r}", findings=0, row=1)
        if self._cells != len(header[0]):
            raise MalformedReportError("two columns have the same name", findings=0, row=1)

    def take(self, most: int, *, header: bool = False) -> list[list[str]]:
        """Return the next rows that are not blank."""
        taken: list[list[str]] = []
        try:
            for row in self._reader:
                if not row:
                    continue
                if not header and len(row) != self._cells:
                    raise self.malformed(f"it has {len(row)} cells where the header has {self._cells}", len(taken))
                taken.append(row)
                if len(taken) == most:
                    break
        except (csv.Error, UnicodeDecodeError) as error:
            raise self.malformed(f"it cannot be read: {error}", -1 if header else len(taken)) from None
        return taken

    def malformed(self, reason: str, further: int) -> MalformedReportError:
        """Return the error for the row that comes after some further ones."""
        findings = self.findings + further
        return MalformedReportError(reason, findings=max(findings, 0), row=findings + 2)


class _Cells:
    """Some rows, column by column, each read as what it is."""

    def __init__(self, rows: _Rows, taken: list[list[str]], unreadable: Counter[str]) -> None:
        self._rows, self._unreadable = rows, unreadable
        self._columns = list(zip(*taken, strict=True))
        self.count = len(taken)

    def raw(self, name: str) -> Sequence[str]:
        """Return cells as they stand; empty ones where the file has no such column."""
        place = self._rows.places.get(_HEADERS[name].casefold())
        return ("",) * self.count if place is None else self._columns[place]

    def texts(self, name: str) -> list[str | None]:
        """Return texts, of which the required ones must not be empty."""
        cells = self.raw(name)
        if name in REQUIRED_NAMES and "" in cells:
            raise self._rows.malformed(f"its {_HEADERS[name]!r} is empty", cells.index(""))
        return [cell or None for cell in cells]

    def moments(self, name: str) -> list[int | None]:
        """Return timestamps as epoch milliseconds."""
        cells = self.texts(name)
        try:
            return epoch_ms_column(cells)
        except ValueError:
            return [self._read(name, epoch_ms, cell, row) for row, cell in enumerate(cells)]

    def numbers(self, name: str) -> list[float | None]:
        """Return scores."""
        cells = self.raw(name)
        try:
            return [float(cell) if cell else None for cell in cells]
        except ValueError:
            return [self._read(name, float, cell or None, row) for row, cell in enumerate(cells)]

    def lists(self, name: str, cut: Callable[[str], Sequence[str]] | None = None) -> Ragged:
        """Return lists of what stands between commas."""
        return Ragged.of(list(map(cut or _cut, self.raw(name))))

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
                raise self._rows.malformed(f"its {_HEADERS[name]!r} is none: {error}", row) from None
            self._unreadable[name] += 1
            return None


def _port_range(cell: str) -> tuple[int, int]:
    ports = _PORTS.fullmatch(cell)
    if not ports:
        raise ValueError(cell)
    return int(ports[1]), int(ports[2] or ports[1])


@lru_cache(REMEMBERED)
def _cut(cell: str) -> tuple[str, ...]:
    return tuple(value for value in _COMMA.split(cell.strip()) if value)


def _cut_urls(cell: str) -> list[str]:
    return [value for value in _URL_COMMA.split(cell.strip()) if value]


def _counted_columns(cells: _Cells) -> Batch:
    return {
        "account_id": _account_ids(cells),
        **{name: cells.texts(name) for name in ("type", "severity", "status")},
        "first_observed_at": cells.moments("first_observed_at"),
        "fix_available": cells.texts("fix_available"),
        "exploit_available": cells.texts("exploit_available"),
        "epss_score": cells.numbers("epss_score"),
        "vulnerability_id": cells.texts("vulnerability_id"),
        "package_names": cells.lists("package_names"),
        "resource_type": cells.texts("resource_type"),
        "resource_id": cells.texts("resource_id"),
        "further_resource_ids": [None] * cells.count,
    }


def _account_ids(cells: _Cells) -> list[str | None]:
    return [
        account or owner(arn or "")[0] for account, arn in zip(cells.raw("account_id"), cells.texts("finding_arn"), strict=True)
    ]


def _all_columns(cells: _Cells) -> Batch:
    not_told: list[None] = [None] * cells.count
    names = [resource_names(cell) for cell in cells.raw("resource_id")]
    platforms = cells.texts("platform")
    is_function = [bool(told.function) for told in names]
    ports = cells.ports()
    packages = cells.lists("package_names")
    found: Batch = _counted_columns(cells) | {
        "package_names": packages,
        **{name: cells.texts(name) for name in _FURTHER_TEXTS},
        **{name: cells.moments(name) for name in _FURTHER_MOMENTS},
        **{name: cells.numbers(name) for name in ("inspector_score", "nvd_cvss3_score")},
        **{name: cells.lists(name) for name in _FURTHER_LISTS},
        **dict.fromkeys(("score_source", "vendor_updated_at", "protocol", "resource_count"), not_told),
        "region": [region or owner(arn)[1] for region, arn in zip(cells.raw("region"), cells.raw("finding_arn"), strict=True)],
        "reference_urls": cells.lists("reference_urls", _cut_urls),
        "package_count": packages.lengths,
        "resource_name": [told.name for told in names],
        "platform": [None if function else cell for function, cell in zip(is_function, platforms, strict=True)],
        "runtime": [cell if function else None for function, cell in zip(is_function, platforms, strict=True)],
        "image_id": [ami or told.digest for ami, told in zip(cells.raw("image_id"), names, strict=True)],
        "repository_name": [told.repository for told in names],
        "function_name": [told.function for told in names],
        "port_begin": [begin for begin, _ in ports],
        "port_end": [end for _, end in ports],
    }
    return {name: found[name] for name in NAMES}
