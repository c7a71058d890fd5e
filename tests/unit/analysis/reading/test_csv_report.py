"""A CSV report is read by its headers, in whatever style it comes, and holds what a JSON report of the same findings holds."""

from __future__ import annotations

import csv
import io
import itertools
import os
import random
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from findings_analysis.assessment.statistics import Statistics
from findings_analysis.parts.part_analysis import NO_OWNERS
from findings_analysis.reading.csv_report import header_of, leading_rows, read_csv
from findings_analysis.reading.errors import MalformedReportError
from findings_analysis.reading.json_report import read_json
from findings_analysis.reading.schema import BATCH_ROWS, COLUMNS, NAMES
from findings_exporter.model.report_completeness import is_blank
from tests.builders import plain_csv
from tests.builders.report_builders import NOW_MS, Stream, hang_guard, hostile_texts, rows_of, tags_read
from tests.local_aws.emulator.inspector.findings import Finding, generate, load
from tests.local_aws.emulator.inspector.report_files import CSV_COLUMNS, NEWER_CSV_COLUMNS, csv_report, json_report

if TYPE_CHECKING:
    from collections.abc import Iterator

REAL_FINDINGS = Path(os.environ.get("REAL_FINDINGS", "tests/data/real-findings.jsonl.gz"))
NOW = NOW_MS / 1000
HOSTILE_REPORTS, HOSTILE_SEED = int(os.environ.get("HOSTILE_REPORTS", "400")), int(os.environ.get("HOSTILE_SEED", "1"))
"""More of them, and others, are read by setting these."""
NEW_COLUMNS = NEWER_CSV_COLUMNS[len(CSV_COLUMNS) :]
OLD_COLUMNS = tuple(name for name in CSV_COLUMNS if name not in {"Epss Score", "Detector Name", "Package Manager"})
LISTS = {column.name for column in COLUMNS if column.type == "array<string>"}
NOT_IN_CSV = {column.name for column in COLUMNS if not column.csv} - {"further_resource_ids"}


@pytest.fixture(autouse=True)
def limit_of_a_cell() -> Iterator[None]:
    """Put back csv's limit, which is one for the whole process, for what a test itself reads with it."""
    before = csv.field_size_limit()
    yield
    csv.field_size_limit(before)


def make(count: int, seed: int = 1) -> list[Finding]:
    return generate(count, seed=seed, now=NOW, accounts=["111122223333", "012345678901"], region="eu-west-1")


def read(content: bytes, **settings: Any) -> list[dict[str, Any]]:
    return rows_of(read_csv(Stream(content), **settings))


def counts_of(batches: Any) -> dict[str, Any]:
    counts = Statistics(NOW_MS)
    for batch in batches:
        counts.add(NO_OWNERS.add_to(batch))
    return counts.to_dict()


def cells(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def render(rows: list[dict[str, str]], columns: Any = CSV_COLUMNS, **dialect: Any) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", extrasaction="ignore", **dialect)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


@pytest.mark.parametrize("style", ["plain", "quoted"])
def test_json_and_csv_of_the_same_findings_are_counted_alike(style: Any) -> None:
    findings = make(1500)
    json, table = Stream(json_report(findings)), Stream(csv_report(findings, NOW, style))
    counts = counts_of(read_csv(table))
    assert counts == counts_of(read_json(json))


def test_json_and_csv_of_the_same_findings_give_the_same_columns_but_where_a_csv_cannot_hold_them() -> None:
    findings = make(800)
    from_json = tags_read(rows_of(read_json(Stream(json_report(findings)))))
    for result, known in zip(read(csv_report(findings, NOW, columns=NEWER_CSV_COLUMNS)), from_json, strict=True):
        for name in NAMES:
            if name in NOT_IN_CSV:
                assert result[name] is None
            elif name == "resource_tags":
                assert sorted(result[name] or "") == sorted(",".join(f"{key}:{tag}" for key, tag in (known[name] or {}).items()))
            elif name in LISTS:
                # A CSV leaves no gaps, and names a package manager once.
                assert set(result[name] or ()) == set(known[name] or ()) - {None}, name
            else:
                assert result[name] == known[name], name


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.fixed_dictionaries({"Title": hostile_texts, "Description": hostile_texts, "Resource Tags": hostile_texts}), max_size=6),
    st.permutations([*CSV_COLUMNS, *NEW_COLUMNS]),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC]),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.lists(st.sampled_from([1, 2, 7, 1000]), min_size=1, max_size=3),
    st.sampled_from([1, 100, 3000, 1 << 20]),
)  # fmt: skip
def test_any_order_style_and_text_is_read_alike(
    texts: list[dict[str, str]], columns: list[str], quoting: Any, line_end: str, mark: bool, pieces: list[int], chunk_bytes: int
) -> None:
    rows = [row | text for row, text in zip(cells(csv_report(make(6), NOW)), texts, strict=False)]
    content = render(rows, columns, quoting=quoting, lineterminator=line_end)
    batches = list(read_csv(Stream(b"\xef\xbb\xbf" * mark + content, pieces), chunk_bytes=chunk_bytes))
    assert all(tuple(batch) == NAMES for batch in batches)
    result = rows_of(batches)
    assert [(row["title"], row["description"], row["resource_tags"]) for row in result] == [
        (text["Title"] or None, text["Description"] or None, text["Resource Tags"] or None) for text in texts
    ]
    assert [row["finding_arn"] for row in result] == [row["Finding ARN"] for row in rows]


def test_the_52_columns_of_the_guide_are_enough() -> None:
    findings = make(100)
    rows = read(render(cells(csv_report(findings, NOW)), OLD_COLUMNS))
    assert len(OLD_COLUMNS) == 52
    assert len(rows) == len(findings)
    assert {row["epss_score"] for row in rows} == {row["package_managers"] for row in rows} == {None}


def test_a_file_without_the_newer_columns_has_all_findings_and_no_use_of_an_image() -> None:
    rows = read(csv_report(make(100), NOW))
    assert len(rows) == len(make(100))
    assert {row["in_use_count"] for row in rows} == {row["last_in_use_at"] for row in rows} == {None}


@pytest.mark.parametrize("separator", [",", ", ", " , "])
def test_values_within_a_cell_are_cut_at_commas_with_or_without_a_blank(separator: str) -> None:
    row = cells(csv_report(make(1), NOW))[0] | {
        "Affected Packages": separator.join(["a", "b", "c"]),
        "Fixed in Version": separator.join(["1", "2"]),
        "Reference Urls": separator.join(["https://x/?a=1,2", "http://y"]),
    }
    (result,) = read(render([row]))
    assert (result["package_names"], result["fixed_in_versions"], result["package_count"]) == (["a", "b", "c"], ["1", "2"], 3)
    assert result["reference_urls"] == ["https://x/?a=1,2", "http://y"]


def test_addresses_are_cut_cell_by_cell_whatever_the_cells_beside() -> None:
    result = {
        "https://x,http://y?a=1,2": ["https://x", "http://y?a=1,2"],
        "": None,
        "https://z , https://q": ["https://z", "https://q"],
        "http://a b": ["http://a b"],
        " ": None,
        ",http://c": ["http://c"],
    }
    row = cells(csv_report(make(1), NOW))[0]
    # Also in pairs: one cell too many must not make up for one too few.
    for urls in [*itertools.permutations(result, 2), tuple(result)]:
        rows = read(render([row | {"Reference Urls": each} for each in urls]))
        assert [each["reference_urls"] for each in rows] == [result[each] for each in urls]


@pytest.mark.parametrize("blanks", [" ", "\t", "\n", " ,", ", "])
def test_addresses_are_cut_in_time_that_grows_as_the_cell_does(blanks: str) -> None:
    row = cells(csv_report(make(1), NOW))[0]
    with hang_guard():
        (result,) = read(
            render([row | {"Reference Urls": "http://a" + 400_000 // len(blanks) * blanks + "b,http://c"}]), chunk_bytes=1 << 22
        )
    assert result["reference_urls"][-1] == "http://c"


@pytest.mark.parametrize("name", ["Inspector Score", "Last Seen", "Port Range"])
def test_a_number_of_many_digits_is_read_in_time_that_grows_as_they_do(name: str) -> None:
    row = cells(csv_report(make(1), NOW))[0]
    unreadable: Counter[str] = Counter()
    with hang_guard():
        (result,) = read(render([row | {name: 500_000 * "7"}]), unreadable=unreadable)
    assert (
        result[{"Inspector Score": "inspector_score", "Last Seen": "last_observed_at", "Port Range": "port_begin"}[name]] is None
    )
    assert unreadable.total() == 1


def test_bytes_that_are_no_text_cost_no_finding() -> None:
    content = csv_report(make(3), NOW).replace(b"CVE-", b"CV\xff-", 1)
    rows = read(content)
    assert len(rows) == len(make(3))
    assert "CV\ufffd-" in str(rows[0])


def fault(content: bytes, **settings: Any) -> MalformedReportError:
    with pytest.raises(MalformedReportError) as raised:
        read(content, **settings)
    return raised.value


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no column 'Finding ARN'"),
        (b"AWS Account Id,Severity,Fix Av", "no column 'Finding ARN'"),
        (b"Finding ARN,Finding Type,Severity,Status,First Seen,severity", "two columns"),
        (b'"Finding ARN', "cannot be read"),
        (b"\xff\xfeF", "no column 'Finding ARN'"),
    ],
)
def test_what_is_no_report_is_reported(content: bytes, reason: str) -> None:
    error = fault(content)
    assert (error.findings, error.row) == (0, 1)
    assert reason in str(error)


def test_a_header_without_rows_is_a_report_of_nothing() -> None:
    assert read(csv_report([], NOW)) == []


@pytest.mark.parametrize("chunk_bytes", [1, 5000, 1 << 20])
@pytest.mark.parametrize(
    ("name", "cell"), [("Finding ARN", ""), ("Severity", ""), ("First Seen", "the other day"), ("First Seen", "")]
)
def test_a_row_that_cannot_be_counted_is_reported_by_its_number(name: str, cell: str, chunk_bytes: int) -> None:
    rows = cells(csv_report(make(10), NOW))
    rows[7][name] = cell
    error = fault(render(rows), chunk_bytes=chunk_bytes)
    assert (error.findings, error.row) == (7, 9)
    assert name in str(error)


@pytest.mark.parametrize("chunk_bytes", [1, 1 << 20])
@pytest.mark.parametrize("damage", [lambda row: row[:-1], lambda row: [*row, "more"], lambda row: row[:1]])
def test_a_row_with_more_or_fewer_cells_is_reported_by_its_number(damage: Any, chunk_bytes: int) -> None:
    table = list(csv.reader(io.StringIO(csv_report(make(10), NOW).decode(), newline="")))
    table[5] = damage(table[5])
    text = io.StringIO()
    csv.writer(text).writerows(table)
    error = fault(text.getvalue().encode(), chunk_bytes=chunk_bytes)
    assert (error.findings, error.row) == (4, 6)
    assert "cells" in str(error)


def test_a_cell_larger_than_the_cap_is_reported_before_it_fills_the_memory() -> None:
    rows = cells(csv_report(make(2), NOW))
    rows[1]["Description"] = 100_000 * "x"
    assert fault(render(rows), chunk_bytes=1000, max_cell_characters=10_000).row == 3
    assert len(read(render(rows))) == 2


def small_report(rows: int, line_end: str = "\n") -> bytes:
    header = "Finding ARN,Finding Type,Severity,Status,First Seen\n"
    return (header + "".join(f"arn:{row:07},T,HIGH,ACTIVE,1700000000{line_end}" for row in range(rows))).encode()


def test_batches_are_never_larger_than_promised_and_an_error_says_its_row_in_any_of_them() -> None:
    sizes = [len(batch["type"]) for batch in read_csv(Stream(small_report(10_000)))]
    assert max(sizes) <= BATCH_ROWS
    assert sum(sizes) == 10_000
    error = fault(small_report(10_000).replace(b"arn:0009000,T,HIGH", b"arn:0009000,T,"))
    assert (error.findings, error.row) == (9000, 9002)


def test_rows_whose_ends_are_not_found_are_not_lost_in_silence() -> None:
    # Python's reader takes a lone carriage return as a row's end, so that what was read ends well.
    content = small_report(100, "\r")
    chunk_bytes = 10 * (content.index(b"\r") - content.index(b"\n"))
    assert len(read(content)) == 100
    error = fault(content, chunk_bytes=chunk_bytes, max_cell_characters=chunk_bytes - 1)
    assert (error.findings, error.row) == (10, 12)
    assert "its end cannot be found" in str(error)


@pytest.mark.parametrize("ports", ["all", "22 - 12345678901"])
def test_unreadable_numbers_and_times_are_counted_where_nothing_is_counted_by_them(ports: str) -> None:
    rows = cells(csv_report(make(1), NOW))
    rows[0] |= {"Last Seen": "then", "Inspector Score": "high", "Port Range": ports}
    unreadable: Counter[str] = Counter()
    (result,) = read(render(rows), unreadable=unreadable)
    assert (result["last_observed_at"], result["inspector_score"], result["port_begin"]) == (None, None, None)
    assert unreadable == {"last_observed_at": 1, "inspector_score": 1, "port_begin": 1}


@pytest.mark.parametrize("score", ["NaN", "nan", "inf", "-Infinity"])
@pytest.mark.parametrize("beside", ["0.5", "five"])
def test_a_score_that_is_no_number_is_not_counted_as_one(score: str, beside: str) -> None:
    # The cell beside it makes Arrow read the column, or refuse it.
    rows = [row | {"Epss Score": each} for row, each in zip(cells(csv_report(make(2), NOW)), (score, beside), strict=False)]
    unreadable: Counter[str] = Counter()
    result = read(render(rows), unreadable=unreadable)
    assert [row["epss_score"] for row in result] == [None, 0.5 if beside == "0.5" else None]
    assert unreadable == {"epss_score": 1 if beside == "0.5" else 2}


def test_malformed_reports_are_reported_or_read_right() -> None:
    chance = random.Random(5)
    findings = make(8)
    result = 0
    for _ in range(200):
        content = csv_report(findings, NOW, chance.choice(["plain", "quoted"]))
        at, size = chance.randrange(len(content)), chance.choice([1, 1, 3, 700])
        kind = chance.randrange(3)
        rest = content[at + size :]
        content = content[:at] + (b"", rest, bytes(chance.choices(b'",\n\r x', k=size)) + rest)[kind]
        try:
            rows = read(content, chunk_bytes=chance.choice([1, 5000, 1 << 20]))
        except MalformedReportError:
            result += 1
            continue
        patient = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
        assert len(rows) == sum(not is_blank(row) for row in patient) - 1
    assert result > 66


def agrees_with_plain(content: bytes, pieces: list[int], chunk_bytes: int) -> str:
    expected, expected_unreadable, errors = plain_csv.read(content)
    unreadable: Counter[str] = Counter()
    stream = Stream(content, pieces)
    if errors:
        # Of several errors it may report another one than the first: columns are read before rows.
        with pytest.raises(MalformedReportError) as raised:
            list(read_csv(stream, chunk_bytes=chunk_bytes))
        assert str(raised.value) in errors
        return "refused"
    batches = list(read_csv(stream, unreadable=unreadable, chunk_bytes=chunk_bytes))
    assert all(1 <= len(batch["severity"]) <= BATCH_ROWS for batch in batches)
    assert rows_of(batches) == expected
    assert unreadable == expected_unreadable
    return "read"


def test_hostile_reports_are_read_as_a_plain_reader_reads_them_or_refused_with_its_words() -> None:
    chance = random.Random(HOSTILE_SEED)
    table = list(csv.reader(io.StringIO(csv_report(make(40), NOW, columns=NEWER_CSV_COLUMNS).decode(), newline="")))
    result = Counter(
        agrees_with_plain(
            plain_csv.hostile(chance, table),
            chance.choice([[1 << 20], [1000, 1, 7]]),
            chance.choice([1, 50, 300, 3000, 1 << 20, 1 << 20]),
        )
        for _ in range(HOSTILE_REPORTS)
    )
    assert min(result["read"], result["refused"]) > HOSTILE_REPORTS / 5


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_ALL, csv.QUOTE_MINIMAL])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_the_header_is_given_as_it_stands_once_it_is_whole(mark: bytes, quoting: Any, line_end: str) -> None:
    columns = [*CSV_COLUMNS, 'a "quoted", long\r\nname']
    header = render([], columns, quoting=quoting, lineterminator=line_end)
    assert header_of(mark + header + b"more") == (header, len(columns))
    assert {header_of((mark + header)[:size]) for size in range(len(mark + header))} == {None}


@pytest.mark.parametrize("header", [b"\n", b"a,b\n", render([], [*CSV_COLUMNS, "severity"])])
def test_a_wrong_header_is_refused_as_the_whole_report_is(header: bytes) -> None:
    with pytest.raises(MalformedReportError) as raised:
        header_of(header)
    assert str(raised.value) == str(fault(header))


@pytest.mark.parametrize(
    ("content", "result"),
    [
        (b"", (0, 0)),
        (b"a,b,c\n1,2,3\n", (2, 12)),
        (b"a,b,c\r\n1,2,3", (1, 7)),
        (b"a,b,c\n1,2", (1, 6)),
        (b"a,b,c\n1,2,3,4,5", (1, 6)),
        (b'"a","b ""b"" ,\n","c"\r\n,,\n', (2, 25)),
        (b'a,b,c\n1,"2\n3,4', (1, 6)),
        (b'a,b,c\n1,"2', (1, 6)),
        (b'a,b,c\n1,"2"', (1, 6)),
        (b'a,b,c\n1,"2""', (1, 6)),
        (b"a,b,c\n1,2,3\r", (1, 6)),
        (b'a,say "b",c\n', (1, 12)),
        (b'\n \r\n""\na,b,c\n\n', (1, 14)),
        (b'"\n"\n', (0, 4)),
        (b"\xff,\0,\n", (1, 5)),
        (b"a,b\n", None),
        (b"a,b,c,d\n", None),
        (b"x\n", None),
        (b"a,b,c\nx\n1,2,3\n", None),
        (b'a,"b"x,c\n', None),
        (b'a,"b"x', None),
        (b'a,b,"c" \n', None),
        (b"a,b,c\rd,e,f\n", None),
    ],
)  # fmt: skip
def test_whole_rows_are_walked_over_up_to_the_first_that_is_not_whole(content: bytes, result: tuple[int, int] | None) -> None:
    assert leading_rows(content, 3) == result


def test_a_walk_over_rows_finds_those_that_a_plain_reader_finds() -> None:
    chance = random.Random(3)
    table = list(csv.reader(io.StringIO(csv_report(make(40), NOW, columns=NEWER_CSV_COLUMNS).decode(), newline="")))
    result = Counter[bool]()
    for _ in range(200):
        content = plain_csv.hostile(chance, table)
        header, cells = header_of(content) or (b"", 0)
        content = content.removeprefix(b"\xef\xbb\xbf").removeprefix(header)
        walked = leading_rows(content[: chance.randrange(len(content) + 1)], cells)
        if walked:
            rows = csv.reader(io.StringIO(content[: walked[1]].decode(errors="replace"), newline=""), strict=True)
            assert [len(row) for row in rows if not is_blank(row)] == [cells] * walked[0]
        result[bool(walked)] += 1
    assert min(result.values()) > 20


@pytest.mark.skipif(not REAL_FINDINGS.exists(), reason="REAL_FINDINGS names no file of real findings")
@pytest.mark.parametrize("style", ["plain", "quoted"])
def test_real_findings_are_counted_alike_in_both_formats(style: Any) -> None:
    findings = load(REAL_FINDINGS)
    result = counts_of(read_csv(Stream(csv_report(findings, NOW, style))))
    assert result == counts_of(read_json(Stream(json_report(findings, "epoch"))))
    assert result["total"] == 1125
    assert result["open"] == 1120
    assert result["by_resource_type"] == {"AWS_ECR_CONTAINER_IMAGE": 903, "AWS_EC2_INSTANCE": 217}
