"""Whether a report file is whole, checked by at most a mebibyte at each of its ends.

A report of up to :data:`EDGE_BYTES` is checked as a whole. Of a larger one the two ends are checked:

- its head, up to the first finding, or the CSV's header;
- its tail, as many whole findings or rows as are in it, up to the last byte.

What lies between is for the analysis to check: it reads each byte, and calls malformed what is not whole. Nothing that the
analysis reads is called broken here. Not even the whole file shows that a CSV was cut exactly between two rows, or within the
last cell of a row that is not quoted.
"""

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from findings_exporter.model.notes import Note

EDGE_BYTES = 1 << 20
"""Some three hundred findings. What stands before and after the findings of a JSON report is no longer than that, either."""
MAX_ROW_BYTES = EDGE_BYTES // 2
"""The longest row of a CSV that is surely read: so an edge holds a whole one. A real row has some two kilobytes."""
BOM = b"\xef\xbb\xbf"
CSV_COLUMNS = ("Finding ARN", "Finding Type", "Severity", "Status", "First Seen")
"""What findings are counted by: a report has these columns, whatever else it has."""

_NOTHING = re.compile(r'(?:\{_\}|\[_\]|null|\{_"findings"_:_\[_\]_\})?'.replace("_", r"[ \t\r\n]*+"))
_SPACE = re.compile(r"[ \t\r\n]*+")
_FIRST_MEMBER = re.compile(r'\{[ \t\r\n]*+"[^"\\]*+"')
_FINDING = re.compile(r"findingArn|arn:[a-z-]+:inspector2:[a-z0-9-]+:\d{12}:finding/|\"findings\"\s*+:\s*+\[\s*+\{\s*+\"")
"""A finding, or the beginning of the first one."""
_NOT_A_REPORT = "form.not_a_report"
_CUT = "form.cut"
# Only the structure counts here, so numbers, which may have any length, are not read.
_decoder = json.JSONDecoder(parse_float=len, parse_int=len, parse_constant=len, strict=False)


@dataclass(frozen=True, slots=True)
class Form:
    """What a report file is by its form.

    Attributes
    ----------
    holds
        ``nothing``: it says in one of the known forms that nothing was found. ``unclear``: no finding is in it, and it is in
        none of these forms.
    fault
        What is wrong with it, as the rest of a sentence that begins with "it"; None where nothing is.
    """

    holds: Literal["findings", "nothing", "unclear"]
    fault: Note | None = None


class _FaultError(Exception):
    """The text is not what a report is."""

    def __init__(self, name: str, **values: object) -> None:
        self.fault = Note(name, **values)
        super().__init__(self.fault)


def of_whole(content: bytes, report_format: str) -> Form:
    """Check a report that was read from its first byte to its last."""
    text = content.removeprefix(BOM).decode(errors="replace")
    try:
        if not text.strip(" \t\r\n"):
            return Form("nothing")
        return _csv_form(text) if report_format == "CSV" else _json_form(text)
    except _FaultError as fault:
        return Form("findings" if _FINDING.search(text) else "unclear", fault.fault)


def is_blank(row: list[str]) -> bool:
    """Return whether a line of a CSV holds nothing but white space: it is no row."""
    return not row or (len(row) == 1 and not row[0].strip())


def fault_of_edges(start: bytes, end: bytes, report_format: str) -> Note | None:
    """Return what is wrong with a larger report by its first and its last :data:`EDGE_BYTES`, or None."""
    # An edge that ends in the midst of the report may cut a character in two.
    head, tail = start.removeprefix(BOM).decode(errors="replace"), end.decode(errors="replace")
    try:
        if report_format == "CSV":
            _check_csv_tail(tail, cells=len(_header(_rows(head))))
        else:
            _check_json_tail(tail, _first_member(head))
    except _FaultError as fault:
        return fault.fault
    return None


# ---- JSON


def _json_form(text: str) -> Form:
    if _NOTHING.fullmatch(text.strip(" \t\r\n")):
        return Form("nothing")
    if not _findings(text):
        return Form("unclear", Note("form.no_findings"))
    return Form("findings")


def _findings(text: str) -> list[Any]:
    """Return the findings of a whole report."""
    findings, position = _value(text, _begin(text) - 1)
    if not all(isinstance(each, dict) for each in findings):
        raise _FaultError("form.no_finding")
    _check_end(text, position)
    return list(findings)


def _check_end(text: str, position: int) -> None:
    """Read what stands after the list of findings: other members at most."""
    position = _skip(text, position)
    while text[position] != "}":
        name, position = _name(text, _expect(",", text, position))
        if name == "findings":
            raise _FaultError("form.second_list")
        position = _skip(text, _value(text, position)[1])
    if _after_space(text, position + 1) < len(text):
        raise _FaultError("form.goes_on")


def _begin(text: str) -> int:
    """Return where the first finding begins, after the members that stand before the list."""
    position = _expect("{", text, _skip(text, 0), _NOT_A_REPORT)
    while True:
        name, position = _name(text, position)
        if name == "findings":
            return _expect("[", text, position, _NOT_A_REPORT)
        position = _expect(",", text, _skip(text, _value(text, position)[1]), _NOT_A_REPORT)


def _first_member(head: str) -> str:
    """Return the name of the first finding's first member, in its quotes."""
    try:
        found = _FIRST_MEMBER.match(head, _skip(head, _begin(head)))
    except _FaultError:
        raise _FaultError(_NOT_A_REPORT) from None
    if not found:
        raise _FaultError("form.bad_start")
    return found[0].removeprefix("{").strip(" \t\r\n")


def _check_json_tail(tail: str, first_member: str) -> None:
    """Read the last findings, from something that looks like a border between two to the end of the report."""
    if not tail.rstrip(" \t\r\n").endswith("}"):
        raise _FaultError(_CUT)
    border = re.compile(rf"\}}[ \t\r\n]*+,[ \t\r\n]*+(?=\{{[ \t\r\n]*+{re.escape(first_member)})")
    position = 0
    while found := border.search(tail, position):
        position = found.end()
        try:
            position = _value(tail, position)[1]
            while tail[after := _skip(tail, position)] != "]":
                position = _value(tail, _skip(tail, _expect(",", tail, after)))[1]
            return _check_end(tail, after + 1)
        except _FaultError as fault:
            if fault.fault.name == _CUT:
                raise
            # A border within a finding, whose list ends before the report does: the search goes on behind it.
    # Without any border, one finding, or what stands after the last one, fills the whole edge.
    return None


def _name(text: str, position: int) -> tuple[str, int]:
    """Return a member's name, and where its value begins."""
    position = _skip(text, position)
    if text[position] != '"':
        raise _FaultError("form.no_json", position=position)
    name, position = _value(text, position)
    return name, _skip(text, _expect(":", text, _skip(text, position)))


def _value(text: str, position: int) -> tuple[Any, int]:
    try:
        return _decoder.raw_decode(text, position)
    except json.JSONDecodeError as error:
        is_cut = error.pos >= len(text.rstrip(" \t\r\n")) or error.msg.startswith("Unterminated string")
        raise (_FaultError(_CUT) if is_cut else _FaultError("form.no_json", position=error.pos)) from None
    except RecursionError:
        raise _FaultError("form.too_deep") from None


def _skip(text: str, position: int) -> int:
    """Return where the next thing that is not white space stands."""
    position = _after_space(text, position)
    if position == len(text):
        raise _FaultError(_CUT)
    return position


def _after_space(text: str, position: int) -> int:
    return _SPACE.match(text, position).end()  # type: ignore[union-attr] # it matches nothing, too


def _expect(sign: str, text: str, position: int, fault: str | None = None) -> int:
    """Return the place after a sign that must stand here."""
    if text[position] != sign:
        raise _FaultError(fault) if fault else _FaultError("form.no_json", position=position)
    return position + 1


# ---- CSV


def _csv_form(text: str) -> Form:
    rows = _rows(text)
    header, count = _header(rows), 1
    for row in rows:
        if not is_blank(row):
            count += 1
            if len(row) != len(header):
                raise _FaultError("form.cells", cells=len(row), row=count, header=len(header))
    if count > 1:
        return Form("findings")
    if not text.rstrip(" \t").endswith(("\n", "\r")):
        return Form("unclear", Note("form.cut_header"))
    return Form("nothing")


def _rows(text: str) -> Iterator[list[str]]:
    # One limit for the whole process; the analysis sets its own.
    csv.field_size_limit(EDGE_BYTES)
    try:
        yield from csv.reader(io.StringIO(text, newline=""), strict=True)
    except csv.Error as error:
        is_cut = "unexpected end of data" in str(error)
        raise (_FaultError("form.cut_quotes") if is_cut else _FaultError("form.no_csv", text=str(error))) from None


def _header(rows: Iterator[list[str]]) -> list[str]:
    header = [name.strip().casefold() for name in next(rows, [])]
    if not {name.casefold() for name in CSV_COLUMNS} <= set(header):
        raise _FaultError("form.no_header")
    if len(set(header)) != len(header):
        raise _FaultError("form.double_column")
    return header


def _check_csv_tail(tail: str, cells: int) -> None:
    """Read the last rows, from the first line end in the tail, which lies either between two rows or within quotes."""
    rest = tail[tail.find("\n") + 1 :]
    if not any(_are_rows(rest, cells, within_quotes=within_quotes) for within_quotes in (False, True)):
        raise _FaultError("form.cut_row")


def _are_rows(text: str, cells: int, *, within_quotes: bool) -> bool:
    try:
        rows = [len(row) for row in _rows('"' * within_quotes + text) if not is_blank(row)]
    except _FaultError:
        return False
    # The first one is only a part of a row where it begins within quotes.
    whole = rows[within_quotes:]
    return bool(whole) and set(whole) == {cells}
