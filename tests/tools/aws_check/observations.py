"""What was observed on AWS, as plain data, and the description of a report's bytes. Nothing here calls AWS."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from findings_analysis.reading.timestamps import epoch_ms
from findings_exporter.model import report_completeness
from findings_exporter.model.report_completeness import BOM, CSV_COLUMNS
from tests.tools.aws_check.questions import KNOWN_COLUMNS, OTHER, TIME_FORMS, Reason, is_column

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MOST_CELLS = 20_000
"""So many cells, some 300 rows, show how a CSV is written."""
MOST_TIMES = 2_000
MOST_NEW_COLUMNS = 20
SAMPLE_CHARACTERS = 1 << 20
TIME_COLUMNS = ("First Seen", "Last Seen", "Last Updated")
_TIME_MEMBER = re.compile(r'"(?:firstObservedAt|lastObservedAt|updatedAt)"\s*+:\s*+("[^"\\]{0,60}"|-?[0-9][0-9.eE+-]{0,30})')
_CELL = re.compile(r'("(?:[^"]|"")*+"|[^,\r\n]*+)(,|\r\n|\n|\r|\Z)')
_TO_BE_QUOTED = re.compile(r'[",\r\n]')
_URL_SEPARATOR = re.compile(r",( ?)https?://")
_JSON_BEGIN = re.compile(r'\{\s*+"findings"\s*+:\s*+\[')
_FIRST_MEMBER = re.compile(r'"findings"\s*+:\s*+\[\s*+\{\s*+"([A-Za-z]{1,40})"')
_JSON_END = re.compile(r"\}\s*+\]\s*+\}(\s*)\Z")


@dataclass(frozen=True)
class Unanswered:
    """Why something could not be observed.

    Attributes
    ----------
    call, code
        The operation that AWS refused, and the error code; empty where it was not a call.
    """

    reason: Reason
    call: str = ""
    code: str = ""


@dataclass(frozen=True)
class Status:
    """An answer of GetFindingsReportStatus without an ID.

    Attributes
    ----------
    status
        As Inspector names it; empty where the answer describes no report.
    """

    form: Literal["not found", "empty", "report", "refused"]
    status: str = ""
    report_id: str = ""
    bucket: str = ""
    prefix: str = ""
    code: str = ""


@dataclass(frozen=True)
class SecondReport:
    """What became of a second report.

    Attributes
    ----------
    first_in_progress
        Whether the first one still was in progress after the answer.
    """

    is_accepted: bool
    first_in_progress: bool
    code: str = ""
    has_expected_text: bool = False
    is_throttled: bool = False
    is_denied: bool = False
    is_cancelled: bool = False


@dataclass(frozen=True)
class Preview:
    """What the preview counted."""

    total: int
    is_exact: bool
    counted_by: str


@dataclass(frozen=True)
class Page:
    """One page of ListFindings; ``findings`` is None where the answer has no list."""

    findings: int | None
    has_next: bool
    statuses: frozenset[str] = frozenset()
    seconds: float = 0.0


@dataclass(frozen=True)
class AccountStatus:
    """The states that BatchGetAccountStatus returns for this account, each with its error code or an empty text."""

    states: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Members:
    """What ListMembers returned: how many members, or the code of its refusal."""

    members: int
    code: str = ""


@dataclass(frozen=True)
class OtherOwner:
    """Whether GetBucketLocation with another ExpectedBucketOwner was refused."""

    is_refused: bool
    code: str = ""


@dataclass(frozen=True)
class Alarm:
    """Whether an alarm that was set by hand executed its action, and whether it was put back."""

    is_executed: bool
    is_put_back: bool


@dataclass(frozen=True)
class ReportObject:
    """The object under the prefix of a run, with its bytes.

    Attributes
    ----------
    objects
        How many there are.
    start, end
        Its first and last mebibyte; the same where it is no larger.
    """

    objects: int
    is_named_by_id: bool = False
    size_bytes: int = 0
    encryption: str = ""
    has_expected_key: bool | None = None
    content_type: str = ""
    is_multipart: bool = False
    start: bytes = field(default=b"", repr=False)
    end: bytes = field(default=b"", repr=False)

    @property
    def is_whole(self) -> bool:
        """Whether all of its bytes are here."""
        return self.size_bytes == len(self.start)


@dataclass(frozen=True)
class Export:
    """One test export.

    Attributes
    ----------
    error
        Of the execution, such as ``Report.INVALID_PERMISSIONS``; empty where it succeeded.
    nothing_found
        As the delivery has it; empty where the report holds findings.
    in_progress
        Inspector's answer without an ID while the report was in progress.
    """

    report_format: Literal["CSV", "JSON"]
    outcome: str
    error: str
    seconds: float
    nothing_found: str
    bucket: str
    prefix: str
    in_progress: Status | Unanswered
    second: SecondReport | Unanswered | None
    file: ReportObject | Unanswered


@dataclass(frozen=True)
class Topic:
    """Subscriptions of a topic by protocol, and its metrics since aws-check began."""

    confirmed: Sequence[str]
    pending: Sequence[str]
    published: int
    delivered: int
    failed: int


# ---------------------------------------------------------------------------------------------------------------------
# The bytes of a report
# ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FileForm:
    """How a report is written.

    Attributes
    ----------
    facts
        As the question about the form names them.
    is_complete
        Whether verification would accept it.
    time_forms
        The forms of its times; None among them stands for one that the analysis cannot read.
    arns
        Of its findings; empty where not the whole report is here.
    """

    facts: Mapping[str, str]
    is_complete: bool
    time_forms: frozenset[str | None]
    arns: Sequence[str]


def form_of(found: ReportObject, report_format: str) -> FileForm:
    """Describe a report."""
    if found.is_whole:
        is_complete = (form := report_completeness.of_whole(found.start, report_format)).holds == "findings" and not form.fault
    else:
        is_complete = report_completeness.fault_of_edges(found.start, found.end, report_format) is None
    start = found.start.removeprefix(BOM).decode(errors="replace")
    end = found.end.decode(errors="replace")
    facts = {"byte_order_mark": _yes(found.start.startswith(BOM)), "complete": _yes(is_complete)}
    described = _csv(start, end) if report_format == "CSV" else _json(start, end)
    arns = described.arns if found.is_whole and is_complete else ()
    return FileForm({**facts, **described.facts}, is_complete, described.time_forms, arns)


def time_form(value: str | float) -> str | None:
    """Return the form of a time; None where the analysis cannot read it."""
    try:
        milliseconds = epoch_ms(value)
    except ValueError:
        return None
    text = str(value).strip()
    if milliseconds is None:
        return None
    if re.fullmatch(r"[0-9.eE+-]+", text) and "-" not in text.lstrip("-")[:5]:
        return "epoch milliseconds" if abs(float(text)) > 1e11 else "epoch seconds"
    if re.match(r"\d{4}-\d\d-\d\d", text):
        if text.endswith("Z"):
            return "ISO 8601 with Z"
        return "ISO 8601 with offset" if re.search(r"[+-]\d\d:?\d\d$", text) else "ISO 8601 without offset"
    return TIME_FORMS[-1] if text.upper().endswith("M") else TIME_FORMS[-2]


def _csv(start: str, end: str) -> FileForm:
    cells = list(islice(_cells(start), MOST_CELLS))
    quoted = {cell.startswith('"') for cell, _ in cells if cell}
    needed = all(
        cell.startswith('"') == bool(_TO_BE_QUOTED.search(cell[1:-1] if cell.startswith('"') else cell)) for cell, _ in cells
    )
    line_ends = {line_end for _, line_end in cells if line_end not in (",", "")}
    rows = _rows(start)
    header = [name.strip() for name in next(rows, [])]
    sample = list(islice(rows, MOST_CELLS // max(len(header), 1)))
    blanks = {match[1] for row in sample for cell in row for match in _URL_SEPARATOR.finditer(cell)}
    is_header = {name.casefold() for name in CSV_COLUMNS} <= {name.casefold() for name in header}
    new = sorted({name if is_column(name) else OTHER for name in set(header) - KNOWN_COLUMNS})[:MOST_NEW_COLUMNS]
    places = [header.index(name) for name in TIME_COLUMNS if name in header]
    times = [row[place] for row in sample for place in places if place < len(row) and row[place]]
    arn = header.index("Finding ARN") if "Finding ARN" in header else None
    facts = {
        "columns": str(len(header)),
        "missing_columns": ", ".join(sorted(KNOWN_COLUMNS - set(header))) or "none",
        # Only a row that surely is a header is shown: any other could be a finding.
        "new_columns": (", ".join(new) or "none") if is_header else OTHER,
        "quotes": "every cell" if quoted == {True} else "where needed" if needed else "mixed",
        "line_ends": {"\n": "LF", "\r\n": "CR LF"}.get("".join(line_ends), "mixed") if line_ends else "none",
        "list_separator": {"": "comma", " ": "comma and blank"}.get("".join(blanks), "other") if blanks else "not seen",
        "ends_with": "line end" if end.endswith(("\n", "\r")) else "no line end",
    }
    arns = [row[arn] for row in rows_of(start) if arn < len(row)] if arn is not None else []
    return FileForm(facts, True, frozenset(time_form(each) for each in times[:MOST_TIMES]), arns)


def rows_of(text: str) -> list[list[str]]:
    """Return the rows below the header of a CSV."""
    return list(_rows(text))[1:]


def _cells(text: str) -> Iterator[tuple[str, str]]:
    """Yield each cell as it is written, with what ends it."""
    for match in _CELL.finditer(text):
        if match[0]:
            yield match[1], match[2]


def _rows(text: str) -> Iterator[list[str]]:
    csv.field_size_limit(SAMPLE_CHARACTERS)
    try:
        yield from (row for row in csv.reader(io.StringIO(text, newline="")) if not report_completeness.is_blank(row))
    except csv.Error:
        return


def _json(start: str, end: str) -> FileForm:
    first_member = _FIRST_MEMBER.search(start)
    facts: dict[str, str] = {}
    begins = _JSON_BEGIN.match(start.lstrip())
    facts["begins_with"] = (
        '{"findings":[' if begins else "other members" if re.match(r'\s*+\{\s*+"', start) and '"findings"' in start else "other"
    )
    if first_member:
        facts["first_member"] = first_member[1]
        border = re.compile(rf'\}}(\s*+),(\s*+)\{{\s*+"{first_member[1]}"')
        blanks = {bool(match[1] or match[2]) for match in islice(border.finditer(start), MOST_TIMES)}
        facts["between_findings"] = "comma and white space" if True in blanks else "comma" if blanks else "not seen"
    ends = _JSON_END.search(end[-200:])
    facts["ends_with"] = (
        ("]} and white space" if ends[1] else "]}") if ends else "other members" if end.rstrip().endswith("}") else "other"
    )
    times = [json.loads(match[1]) for match in islice(_TIME_MEMBER.finditer(start), MOST_TIMES)]
    return FileForm(facts, True, frozenset(time_form(each) for each in times), _arns(start))


def _arns(text: str) -> list[str]:
    try:
        document: Any = json.loads(text, strict=False)
        return [str(each["findingArn"]) for each in document["findings"]]
    except (ValueError, LookupError, TypeError):
        return []


def _yes(value: bool) -> str:
    return "yes" if value else "no"
