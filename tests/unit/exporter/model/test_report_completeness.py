"""What is called whole by the ends of a report is read by the analysis, and a report that was cut is not called whole."""

from __future__ import annotations

import csv
import io
import json
import random
from functools import cache
from typing import Any

import pytest

from findings_analysis.reading.csv_report import read_csv
from findings_analysis.reading.errors import MalformedReportError
from findings_analysis.reading.json_report import read_json
from findings_exporter.model.report_completeness import EDGE_BYTES, MAX_ROW_BYTES, fault_of_edges, of_whole
from tests.builders.report_builders import NOW_MS, Stream
from tests.local_aws.emulator.inspector.findings import generate
from tests.local_aws.emulator.inspector.report_files import csv_report, json_report

NOW = NOW_MS / 1000
BOM = b"\xef\xbb\xbf"


@cache
def findings(count: int) -> Any:
    return generate(count, seed=11, now=NOW, accounts=["111122223333"], region="eu-west-1")


@cache
def large(form: str) -> bytes:
    """A report of more than two edges."""
    result = json.loads(json_report(findings(1000)))["findings"]
    forms = {
        "compact": lambda: json_report(findings(1000)),
        "indented": lambda: json.dumps({"findings": result}, indent=2).encode(),
        "a finding a line": lambda: b'{"findings":[' + b"\n,\r\n".join(json.dumps(each).encode() for each in result) + b"]}\n",
        "among other members": lambda: json.dumps(
            {"a": {"findings": ["]}"]}, "findings": result, "b": [1, {"c": "}]}"}]}
        ).encode(),
        "with a mark": lambda: BOM + json_report(findings(1000)),
        "each beginning otherwise": lambda: json.dumps({"findings": [result[0], *map(turned, result[1:])]}).encode(),
        "nested alike": lambda: json.dumps({"findings": [nested(each) for each in result]}).encode(),
        "plain": lambda: csv_report(findings(1500), NOW, "plain"),
        "quoted": lambda: csv_report(findings(1500), NOW, "quoted"),
        "with line ends of Windows": lambda: rewritten(lineterminator="\r\n"),
        "without the last line end": lambda: csv_report(findings(1500), NOW, "plain").rstrip(b"\r\n"),
    }
    content = forms[form]()
    assert len(content) > 2 * EDGE_BYTES
    return content


JSON = [
    "compact",
    "indented",
    "a finding a line",
    "among other members",
    "with a mark",
    "each beginning otherwise",
    "nested alike",
]
CSV = ["plain", "quoted", "with line ends of Windows", "without the last line end"]


def nested(finding: dict[str, Any]) -> dict[str, Any]:
    """A finding with a list whose entries begin as a finding does."""
    first = next(iter(finding))
    return finding | {"more": [{first: 1}] * 20}


def turned(finding: dict[str, Any]) -> dict[str, Any]:
    """A finding whose last member comes first, and one of whose lists has entries that begin as other findings do."""
    first, *_, last = finding
    return {last: finding[last]} | finding | {"more": [{first: 1}, {first: 2}]}


def rewritten(**dialect: Any) -> bytes:
    rows = csv.reader(io.StringIO(csv_report(findings(1500), NOW).decode(), newline=""))
    text = io.StringIO()
    csv.writer(text, **dialect).writerows(rows)
    return text.getvalue().encode()


def fault(content: bytes, report_format: str) -> str | None:
    return fault_of_edges(content[:EDGE_BYTES], content[-EDGE_BYTES:], report_format)


@pytest.mark.parametrize("form", JSON + CSV)
def test_a_large_report_is_whole_in_any_form(form: str) -> None:
    report_format = "JSON" if form in JSON else "CSV"
    assert fault(large(form), report_format) is None
    read: Any = read_json if form in JSON else read_csv
    assert sum(len(batch["type"]) for batch in read(Stream(large(form)))) >= 1000


# Where findings begin in different ways, no border is known by which the tail could be checked.
@pytest.mark.parametrize("form", [form for form in JSON if form != "each beginning otherwise"])
def test_a_large_json_report_that_is_cut_anywhere_is_found(form: str) -> None:
    content, chance = large(form).rstrip(), random.Random(1)
    after_brackets = [at + 1 for at in range(len(content) - 20_000, len(content) - 1) if content[at] in b"}],"]
    cuts = [*(chance.randrange(2 * EDGE_BYTES, len(content)) for _ in range(40)), *chance.sample(after_brackets, 60)]
    for cut in [*cuts, len(content) - 1]:
        assert fault(content[:cut], "JSON"), content[cut - 80 : cut]


@pytest.mark.parametrize("form", CSV)
def test_a_large_csv_that_is_cut_within_a_row_is_found(form: str) -> None:
    content, chance = large(form), random.Random(1)
    after_signs = [at + 1 for at in range(len(content) - 20_000, len(content) - 1) if content[at] in b'",\n']
    cuts = [*(chance.randrange(2 * EDGE_BYTES, len(content)) for _ in range(60)), *chance.sample(after_signs, 80)]
    uncertain = 0
    for cut in cuts:
        if fault(content[:cut], "CSV"):
            continue
        uncertain += 1
        # Between two rows, or within the last cell of one: then it reads as a whole report, too.
        list(read_csv(Stream(content[:cut])))
    assert uncertain < 20


@pytest.mark.parametrize(
    "content", [b"\0" * 3 * EDGE_BYTES, b"<Error>" * EDGE_BYTES, b" " * 2 * EDGE_BYTES, b"[" * 2 * EDGE_BYTES]
)
@pytest.mark.parametrize("report_format", ["JSON", "CSV"])
def test_garbage_is_found(content: bytes, report_format: str) -> None:
    assert fault(content, report_format)


@pytest.mark.parametrize(
    "content",
    [
        b'{"findings":[' + b" " * EDGE_BYTES + b"]}",
        b'{"findings":[1,' + b" " * EDGE_BYTES + b"2]}",
        b'{"a":' + b"[" * EDGE_BYTES,
        b'{"a":"' + b"x" * EDGE_BYTES + b'","findings":[{"findingArn":"x"}]}',
    ],
)
def test_a_large_report_that_does_not_begin_with_a_finding_is_found(content: bytes) -> None:
    assert fault(content, "JSON")


def test_one_finding_that_fills_the_whole_edge_is_left_to_the_analysis() -> None:
    content = json.dumps({"findings": [{"findingArn": "x", "description": "d" * 2 * EDGE_BYTES}]}).encode()
    assert fault(content, "JSON") is None


def test_a_row_as_long_as_is_read_does_not_hide_the_end() -> None:
    header, row = csv_report(findings(1), NOW).split(b"\n", 1)
    long = row.rstrip().removesuffix(b'"') + b"x" * (MAX_ROW_BYTES - len(row)) + b"\n"
    content = header + b"\n" + long * 4
    assert fault(content, "CSV") is None
    assert fault(content[: -len(long) // 2], "CSV") is None  # within the last cell
    assert fault(content[: -len(long) + 50], "CSV")


def test_what_is_whole_here_is_read_there_and_the_other_way_round() -> None:
    chance = random.Random(7)
    contents = {"JSON": json_report(findings(5)), "CSV": csv_report(findings(5), NOW)}
    extras = [
        b"",
        b",",
        b"}",
        b"]",
        b'"',
        b"\n",
        b"\x01",
        b"\xff",
        b"NaN",
        b'"findings":[],',
        b'"a":1,',
        b"  ",
        b"\\ud800",
        b"{}",
    ]
    both = refused = 0
    for _ in range(3000):
        report_format = chance.choice(["JSON", "CSV"])
        content = contents[report_format]
        at = chance.choice([chance.randrange(len(content)), 0, 1, len(content) - 1, len(content) - 2])
        content = content[:at] + chance.choice(extras) + content[at + chance.choice([0, 0, 1, 2, 500]) :]
        form = of_whole(content, report_format)
        read: Any = read_json if report_format == "JSON" else read_csv
        try:
            rows = sum(len(batch["type"]) for batch in read(Stream(content)))
        except MalformedReportError as error:
            refused += 1
            # Whether each finding has what it is counted by is for the analysis alone.
            result = form.fault or " its " in str(error)
            assert result, (content, error)  # noqa: PT017 - it may be raised or not
            continue
        both += 1
        assert not form.fault, (content, form)
        assert form.holds == ("findings" if rows else "nothing")
    assert both > 500
    assert refused > 500


@pytest.mark.parametrize("line", [b"\n", b"\r\n", b"  \n", b"\t", b" \t\r\n\n"])
@pytest.mark.parametrize("count", [3, 3000])
def test_a_line_of_blanks_at_the_end_of_a_csv_is_no_row(line: bytes, count: int) -> None:
    content = csv_report(findings(3000)[:count], NOW, "plain") + line
    assert (len(content) > EDGE_BYTES) == (count == 3000)
    if count == 3000:
        assert fault(content, "CSV") is None
    assert of_whole(content, "CSV").fault is None
    assert sum(len(batch["type"]) for batch in read_csv(Stream(content))) == count


def test_a_large_csv_that_is_cut_after_the_only_quote_is_found() -> None:
    header = b"Finding ARN,Finding Type,Severity,Status,First Seen"
    content = header + b"\n" + b"arn,T,HIGH,ACTIVE,2026-11-01\n" * 80_000
    assert len(content) > 2 * EDGE_BYTES
    assert fault(content, "CSV") is None
    assert fault(content + b'arn,T,"', "CSV")


@pytest.mark.parametrize("form", [b'{"a":"@","findings":[%s]}', b'{"findings":[%s],"a":"@"}'])
def test_what_stands_around_the_findings_is_bounded_alike(form: bytes) -> None:
    finding = json_report(findings(1)).removeprefix(b'{"findings":[').removesuffix(b"]}")
    short, long = (form.replace(b"@", b"x" * size) % finding for size in (EDGE_BYTES // 2, EDGE_BYTES + 1))
    assert of_whole(short, "JSON").fault is None
    assert sum(len(batch["type"]) for batch in read_json(Stream(short))) >= 1
    with pytest.raises(MalformedReportError, match="what stands before or after the findings is larger than 1,048,576 bytes"):
        list(read_json(Stream(long)))


@pytest.mark.parametrize("cut", [1, 2, 3, 1000])
def test_one_finding_that_fills_the_whole_edge_and_breaks_off_is_found(cut: int) -> None:
    content = json.dumps({"findings": [{"findingArn": "x", "description": "d" * 2 * EDGE_BYTES}]}).encode()
    result = fault(content[:-cut], "JSON")
    # Cut after the finding's own brace it looks like the end of a report: that is for the analysis.
    assert (result is None) is content[:-cut].endswith(b"}")
