"""A report may be cut anywhere: its parts have its findings, each once, and a wrong cut is an error."""

import csv
import io
import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from findings_analysis.parts import cutting
from findings_analysis.parts.byte_range import as_csv, as_json, in_report
from findings_analysis.parts.part import Part, are_whole
from findings_analysis.reading.csv_report import read_csv
from findings_analysis.reading.errors import MalformedReportError
from findings_analysis.reading.json_report import read_json
from tests.builders.report_builders import FINDINGS, HOSTILE, Stream, hang_guard, json_reports, rows_of
from tests.local_aws.emulator.inspector.findings import generate
from tests.local_aws.emulator.inspector.report_files import csv_report

ROWS = list(
    csv.reader(io.StringIO(csv_report(generate(12, seed=5, now=1.78e9, accounts=["111122223333"], region="eu-west-1"), 1.78e9).decode("utf-8-sig"), newline=""))
)  # fmt: skip
HEADER, *CELLS = ROWS
hostile_cells = st.lists(st.sampled_from([*HOSTILE, '"\r\n"', '","', ",,,"]), max_size=8).map("".join)


def reading(content: bytes) -> Callable[[int, int], bytes]:
    return lambda begin, end: content[begin:end]


def rows_of_part(content: bytes, part: Part, report_format: str) -> list[dict[str, Any]]:
    """What a part is read as: rows, or the error."""
    stream = Stream(content[part.begin : part.end])
    try:
        if report_format == "CSV":
            header = cutting.csv_header(reading(content), len(content))[0]
            return rows_of(read_csv(as_csv(stream, part, header)))
        return rows_of(read_json(as_json(stream, part, len(content))))
    except MalformedReportError as error:
        raise in_report(error, part) from error


def rows_of_parts(content: bytes, parts: Iterable[Part], report_format: str) -> list[dict[str, Any]]:
    return [row for part in parts for row in rows_of_part(content, part, report_format)]


def halves(content: bytes, cut: int) -> list[Part]:
    return [Part(1, 0, cut), Part(2, cut, len(content))]


def check_every_cut(content: bytes, report_format: str) -> int:
    """Cut at every byte; return how many different cuts there are."""
    whole = rows_of_part(content, Part(1, 0, len(content)), report_format)
    cells = cutting.csv_header(reading(content), len(content))[1] if report_format == "CSV" else 0
    cuts = set()
    for place in range(len(content)):
        find = (lambda piece: cutting._csv_cut(cells, piece)) if report_format == "CSV" else cutting._json_cut
        cut = cutting._first_cut(reading(content), find, place, len(content))
        if cut is not None and cut not in cuts:
            cuts.add(cut)
            assert rows_of_parts(content, halves(content, cut), report_format) == whole, (place, cut)
    return len(cuts)


@st.composite
def csv_reports(draw: Any) -> bytes:
    rows = [list(row) for row in draw(st.lists(st.sampled_from(CELLS), min_size=1, max_size=5))]
    for row in rows:
        for column in ("Description", "Title", "Resource Tags"):
            if draw(st.booleans()):
                row[HEADER.index(column)] = draw(hostile_cells)
    text = io.StringIO()
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    ending = draw(st.sampled_from(["\n", "\r\n"]))
    csv.writer(text, lineterminator=ending, quoting=quoting).writerows([HEADER, *rows])
    whole = text.getvalue()
    return (b"\xef\xbb\xbf" if draw(st.booleans()) else b"") + (
        whole if draw(st.booleans()) else whole.removesuffix(ending)
    ).encode()


@settings(max_examples=60, deadline=None)
@given(st.data(), st.lists(FINDINGS, max_size=4))
def test_a_json_report_of_any_legal_form_is_cut_at_every_byte(data: st.DataObject, findings: list[dict[str, Any]]) -> None:
    cuts = check_every_cut(data.draw(json_reports(findings)), "JSON")
    assert cuts <= max(len(findings) - 1, 0)


@settings(max_examples=25, deadline=None)
@given(csv_reports())
def test_a_csv_report_of_any_dialect_is_cut_at_every_byte(content: bytes) -> None:
    rows = len(rows_of_part(content, Part(1, 0, len(content)), "CSV"))
    assert check_every_cut(content, "CSV") >= rows - 1


@pytest.mark.parametrize("report_format", ["JSON", "CSV"])
@pytest.mark.parametrize("part_bytes", [1, 3_000, 20_000, 1 << 20])
def test_parts_are_of_about_a_size_and_all_of_the_report(report_format: str, part_bytes: int) -> None:
    found = generate(120, seed=8, now=1.78e9, accounts=["111122223333"], region="eu-west-1")
    content = csv_report(found, 1.78e9) if report_format == "CSV" else json.dumps({"findings": found}).encode()
    parts = cutting.cut(reading(content), len(content), part_bytes, report_format)
    assert are_whole(parts, len(content))
    largest = max(len(line) for line in content.split(b"findingArn"))
    assert max(part.end - part.begin for part in parts) <= max(part_bytes, len(content) / cutting.MOST_PARTS) + 2 * largest
    assert rows_of_parts(content, parts, report_format) == rows_of_part(content, Part(1, 0, len(content)), report_format)
    assert len(parts) >= min(120, len(content) // part_bytes) * 0.7


def test_a_huge_report_has_larger_parts_instead_of_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "MOST_PARTS", 4)
    content = json.dumps({"findings": generate(60, seed=8, now=1.78e9, accounts=["1"], region="eu-west-1")}).encode()
    assert len(cutting.cut(reading(content), len(content), 100, "JSON")) == 4


class TestMisplacedCuts:
    """Whatever place was guessed, a part that does not end between two findings is an error of a part before it, or of its own."""

    @settings(max_examples=40, deadline=None)
    @given(st.data(), st.lists(FINDINGS, min_size=1, max_size=3))
    def test_no_wrong_cut_of_a_json_report_makes_another_report(
        self, data: st.DataObject, findings: list[dict[str, Any]]
    ) -> None:
        content = data.draw(json_reports(findings))
        whole = rows_of_part(content, Part(1, 0, len(content)), "JSON")
        for cut in data.draw(st.lists(st.integers(1, len(content) - 1), max_size=60)):
            try:
                rows = rows_of_parts(content, halves(content, cut), "JSON")
            except MalformedReportError:
                continue
            assert rows == whole, cut

    @settings(max_examples=15, deadline=None)
    @given(st.data(), csv_reports())
    def test_no_wrong_cut_of_a_csv_report_makes_another_report(self, data: st.DataObject, content: bytes) -> None:
        whole = rows_of_part(content, Part(1, 0, len(content)), "CSV")
        line_ends = [place for place in range(1, len(content)) if content[place - 1 : place] == b"\n"]
        for cut in data.draw(st.lists(st.sampled_from(line_ends), max_size=20)):
            try:
                rows = rows_of_parts(content, halves(content, cut), "CSV")
            except MalformedReportError:
                continue
            assert rows == whole, cut

    def test_a_forged_row_within_a_cell_is_never_taken_for_a_finding(self) -> None:
        forged = ",".join(CELLS[0]).replace('"', "")
        rows = [list(CELLS[0]), list(CELLS[1])]
        rows[1][HEADER.index("Description")] = f"x\n{forged}\n" * 3
        text = io.StringIO()
        csv.writer(text).writerows([HEADER, *rows])
        content = text.getvalue().encode()
        wrong = content.index(b"\n", content.index(b'"x\n')) + 1
        with pytest.raises(MalformedReportError):
            rows_of_part(content, Part(1, 0, wrong), "CSV")
        assert check_every_cut(content, "CSV") >= 1


def test_an_error_in_a_part_names_its_place_in_the_report() -> None:
    findings = generate(30, seed=2, now=1.78e9, accounts=["1"], region="eu-west-1")
    content = json.dumps({"findings": findings}).encode()
    parts = cutting.cut(reading(content), len(content), len(content) // 3, "JSON")
    # A colon: half a pair of quotation marks would be noticed at the end of whatever is read.
    broken = content.index(b'"severity":', parts[1].begin + 8_000) + len(b'"severity"')
    damaged = content[:broken] + b"?" + content[broken + 1 :]
    with pytest.raises(MalformedReportError) as whole:
        rows_of_part(damaged, Part(1, 0, len(content)), "JSON")
    with pytest.raises(MalformedReportError, match=f"of the part that begins at byte {parts[1].begin:,}") as of_part:
        rows_of_part(damaged, parts[1], "JSON")
    assert of_part.value.offset == whole.value.offset


def test_where_no_finding_follows_the_report_is_malformed() -> None:
    content = b'{"findings":[' + b" " * (cutting.MOST_SEARCH_BYTES * 3 // 2) + b"]}"
    with pytest.raises(MalformedReportError, match="no finding was found in"):
        cutting.cut(reading(content), len(content), len(content) // 40, "JSON")
    with pytest.raises(MalformedReportError):
        cutting.cut(reading(b"a,b\n1,2\n"), 8, 2, "CSV")


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@pytest.mark.parametrize("column", ["File Path", "Resource Tags", "Title", "Description"])
def test_a_forged_row_within_a_cell_moves_no_cut(column: str, quoting: Any) -> None:
    rows = [list(row) for row in CELLS * 20]
    place = HEADER.index(column)
    for row in rows:
        row[place] = "/x\n" + "," * place + "x"
    text = io.StringIO()
    csv.writer(text, quoting=quoting).writerows([HEADER, *rows])
    content = text.getvalue().encode()
    parts = cutting.cut(reading(content), len(content), len(content) // 12, "CSV")
    assert len(parts) > 9
    assert rows_of_parts(content, parts, "CSV") == rows_of_part(content, Part(1, 0, len(content)), "CSV")


@pytest.mark.parametrize("lines", ["\n" * 200_000, "a\n\n" * 60_000, ("," * (len(HEADER) - 1) + "\n") * 3_000])
def test_lines_within_a_cell_or_at_the_end_cost_a_walk_and_no_more(lines: str) -> None:
    rows = [list(row) for row in CELLS[:3]]
    rows[1][HEADER.index("Description")] = f"a{lines}b"
    text = io.StringIO()
    csv.writer(text).writerows([HEADER, *rows])
    content = (text.getvalue() + "\n" * 50_000).encode()
    with hang_guard(30):
        for share in range(1, 10):
            cutting._first_cut(
                reading(content), lambda piece: cutting._csv_cut(len(HEADER), piece), len(content) * share // 10, len(content)
            )


@pytest.mark.parametrize("report_format", ["JSON", "CSV"])
def test_more_is_read_where_a_finding_or_the_header_is_long(report_format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "SEARCH_BYTES", 300)
    found = generate(20, seed=8, now=1.78e9, accounts=["111122223333"], region="eu-west-1")
    content = csv_report(found, 1.78e9) if report_format == "CSV" else json.dumps({"findings": found}).encode()
    parts = cutting.cut(reading(content), len(content), 5_000, report_format)
    assert len(parts) > 3
    assert rows_of_parts(content, parts, report_format) == rows_of_part(content, Part(1, 0, len(content)), report_format)


def test_a_cell_of_many_lines_costs_no_search_of_the_rest_for_each_line() -> None:
    rows = [list(row) for row in CELLS[:3]]
    rows[0][HEADER.index("Description")] = "line\n" * 60_000
    text = io.StringIO()
    csv.writer(text).writerows([HEADER, *rows])
    content = text.getvalue().encode()
    with hang_guard(20):
        (first, second) = cutting.cut(reading(content), len(content), len(content) // 2 + 1, "CSV")
    assert (first.end, second.begin) == (content.index(b"\n", content.rindex(b"line\n") + 5) + 1,) * 2


@pytest.mark.parametrize(
    ("parts", "whole"),
    [
        ([(1, 0, 10)], True), ([(1, 0, 4), (2, 4, 10)], True), ([(1, 0, 4), (2, 5, 10)], False), ([(1, 0, 5), (2, 4, 10)], False),
        ([(1, 1, 10)], False), ([(1, 0, 9)], False), ([], False), ([(2, 0, 10)], False), ([(1, 0, 0), (2, 0, 10)], False),
    ],
)  # fmt: skip
def test_parts_are_whole_when_nothing_is_left_out_and_nothing_twice(parts: list[tuple[int, int, int]], whole: bool) -> None:
    assert are_whole([Part(*each) for each in parts], 10) is whole
