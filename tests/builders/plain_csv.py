"""A CSV report read without any haste, one row at a time by Python's strict reader: what the fast reader must agree with."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from findings_analysis.reading.errors import MalformedReportError
from findings_analysis.reading.numbers import finite
from findings_analysis.reading.resource_names import owner, read_names
from findings_analysis.reading.schema import COLUMNS, NAMES
from findings_analysis.reading.timestamps import epoch_ms
from findings_exporter.model.report_completeness import CSV_COLUMNS

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

TYPES = {column.name: column.type for column in COLUMNS}
HEADERS = {column.name: re.split(" as it stands|,", column.csv)[0] for column in COLUMNS}
REQUIRED = ("finding_arn", "type", "severity", "status", "first_observed_at")
PIECES = (b'"', b'"', b'""', b'"""', b",", b"\n", b"\r", b"\r\n", b"\xff", b"\xc3", b"\0", b"x", b" ", b"", b'"x', b'x"', b"\xef\xbb\xbf",
          b',"', b'",', b'"\n"', b'"\r\n', b"\n\n", b"\r\n\r\n", b"\n  \n", b'\n""\n', b"\na,b\n", b"\n,\n", b"\\", b'\\"', b"'", b"\t")  # fmt: skip
CELLS = {
    "": ("", " ", "a\nb", "a\r\nb", 'say "hi"', '"', "\ufeffx", "😀", "\0", "a,b", "\u2028", "\x1f"),
    "First Seen": ("the other day", "2024-02-30T00:00:00Z", "1700000000"),
    "Last Seen": ("", "then", "1.7e9", "2024-01-01 00:00:00", "nan", "Wed Sep 04 16:59:44.356 UTC 2024"),
    "Epss Score": ("", "NaN", "inf", "1e999", "1e300", "five", "-0.0", "1_0", " 0.5", "0x1"),
    "Affected Packages": (",", "a,", " a , b", "a,b,c", "a, b", "\ta", "a\x0bb", "a,\n"),
    "Reference Urls": (",http://c", "https://x,http://y?a=1,2", "http://a b", "x,https://z , https://q", ",", "http://a\x1f,http://b"),
    "Image In Use Count": ("", "0", "7", "7.0", "-1", "2147483648", "many", "NaN", "0.5"),
    "Image Last In Use At": ("", "then", "1.7e9", "2024-01-01 00:00:00"),
    "Port Range": ("22", "22 - 80", "all", "22-", "1234567890", " 1"),
    "Resource ID": ("", "arn:aws:lambda:eu-west-1:1:function:f:$LATEST", "x@sha256:ab"),
    "AWS Account Id": ("",),
    "Region": ("",),
    "Severity": ("",),
    "Finding ARN": ("", "no ARN"),
}  # fmt: skip
"""What is hostile to a column; under the empty name, to any."""


def read(content: bytes) -> tuple[list[dict[str, Any]], Counter[str], list[str]]:
    """Return the rows, how many values are unreadable, and each error that a reader may stop at; the header must be right."""
    reader = csv.reader(io.StringIO(content.decode(errors="replace").removeprefix("\ufeff"), newline=""), strict=True)
    header = [name.strip().casefold() for name in next(reader)]
    rows: list[dict[str, Any]] = []
    unreadable: Counter[str] = Counter()
    errors: list[MalformedReportError] = []
    count = 0

    def wrong(reason: str) -> None:
        errors.append(MalformedReportError(reason, findings=count, row=count + 2))

    try:
        for cells in reader:
            if len(cells) < 2 and not "".join(cells).strip():
                continue
            if len(cells) != len(header):
                wrong(f"it has {len(cells)} cells where the header has {len(header)}")
                break
            row = Row(dict(zip(header, cells, strict=True)), unreadable)
            if row.fault:
                wrong(row.fault)
            else:
                rows.append({name: row.values[name] for name in NAMES})
            count += 1
    except csv.Error as error:
        wrong(f"it cannot be read: {error}")
    return rows, unreadable, [str(error) for error in errors]


class Row:
    """A row's values, or the first thing that is wrong with it."""

    def __init__(self, cells: dict[str, str], unreadable: Counter[str]) -> None:
        self.cells, self.unreadable = cells, unreadable
        self.fault = next((f"its {HEADERS[name]!r} is empty" for name in REQUIRED if not self.cell(name)), None)
        self.values: dict[str, Any] = {}
        if not self.fault:
            try:
                epoch_ms(self.cell("first_observed_at"))
            except ValueError as error:
                self.fault = f"its 'First Seen' is none: {error}"
        if not self.fault:
            self.fill()

    def cell(self, name: str) -> str:
        return self.cells.get(HEADERS[name].casefold(), "") if HEADERS[name] else ""

    def fill(self) -> None:
        for name, kind in TYPES.items():
            cell = self.cell(name)
            match kind:
                case "string":
                    self.values[name] = cell or None
                case "timestamp":
                    self.values[name] = self.tried(name, epoch_ms)
                case "double":
                    self.values[name] = self.tried(name, finite)
                case "array<string>":
                    self.values[name] = [each.strip() for each in cell.split(",") if each.strip()] or None
        names, arn = read_names(self.cell("resource_id")), self.cell("finding_arn")
        platform = self.values["platform"] = self.cells.get("platform") or None
        urls = re.split(r",\s*(?=https?://)", self.cell("reference_urls").strip())
        ports = self.tried("port_begin", port_range) or (None, None)
        self.values |= {
            "account_id": self.cells.get("aws account id") or owner(arn)[0],
            "region": self.cells.get("region") or owner(arn)[1],
            "reference_urls": [url.rstrip() for url in urls if url.rstrip()] or None,
            "package_count": len(self.values["package_names"] or ()),
            "resource_name": names.name,
            "platform": None if names.function else platform,
            "runtime": platform if names.function else None,
            "image_id": self.cells.get("ami") or names.digest,
            "repository_name": names.repository,
            "function_name": names.function,
            "in_use_count": self.tried("in_use_count", count_of),
            "port_begin": ports[0],
            "port_end": ports[1],
            **dict.fromkeys((name for name, header in HEADERS.items() if not header), None),
        }

    def tried[T](self, name: str, read_cell: Callable[[str], T]) -> T | None:
        try:
            return read_cell(self.cell(name)) if self.cell(name) else None
        except ValueError:
            self.unreadable[name] += 1
            return None


def count_of(cell: str) -> int:
    number = finite(cell)
    if number != int(number) or not 0 <= number < 2**31:
        raise ValueError(cell)
    return int(number)


def port_range(cell: str) -> tuple[int, int]:
    found = re.fullmatch(r"\s*(\d{1,9})\s*(?:-\s*(\d{1,9})\s*)?", cell)
    if not found:
        raise ValueError(cell)
    return int(found[1]), int(found[2] or found[1])


def hostile(chance: random.Random, table: Sequence[Sequence[str]]) -> bytes:
    """Make a report of some of a table's rows; the header stays as it is, and all else may be wrong."""
    header, *others = table
    rows = [list(row) for row in chance.sample(others, chance.randint(1, min(12, len(others))))]
    for _ in range(chance.choice([0, 0, 1, 3])):
        name = chance.choice([*CELLS] if chance.random() < 0.5 else [""])
        place = header.index(name) if name else chance.randrange(len(header))
        if name or header[place] not in CSV_COLUMNS or chance.random() < 0.1:
            chance.choice(rows)[place] = chance.choice(CELLS[name])
    line_end = chance.choice(["\n", "\r\n"])
    quoting: Any = chance.choice([csv.QUOTE_MINIMAL, csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
    head, body = io.StringIO(), io.StringIO()
    csv.writer(head, lineterminator=line_end, quoting=quoting).writerow(header)
    csv.writer(body, lineterminator=line_end, quoting=quoting).writerows(rows)
    content = bytearray(body.getvalue().encode())
    for _ in range(chance.choice([0, 0, 1, 1, 2, 4])):
        at = chance.randrange(len(content) + 1)
        if chance.random() < 0.5:  # where a cell or a row begins or ends
            at = max(content.rfind(chance.choice([b",", b"\n"]), 0, at) + chance.randint(0, 1), 0)
        content[at : at + chance.choice([0, 0, 1])] = chance.choice(PIECES)
    if chance.random() < 0.1:
        del content[chance.randrange(len(content) + 1) :]
    return b"\xef\xbb\xbf" * (chance.random() < 0.2) + head.getvalue().encode() + content
