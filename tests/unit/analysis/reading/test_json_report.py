"""A JSON report is read right in whatever legal form it comes, and what is broken is reported, never counted."""

from __future__ import annotations

import json
import math
import os
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from findings_analysis.reading.errors import MalformedReportError
from findings_analysis.reading.json_elements import elements, first_element_end
from findings_analysis.reading.json_findings import FindingDecoder
from findings_analysis.reading.json_report import is_finding, read_json
from findings_analysis.reading.schema import BATCH_ROWS, NAMES
from tests.builders.report_builders import FINDINGS, Stream, expected_row, json_reports, rows_of, tags_read
from tests.local_aws.emulator.inspector.findings import generate, load
from tests.local_aws.emulator.inspector.report_files import json_report

REAL_FINDINGS = Path(os.environ.get("REAL_FINDINGS", "tests/data/real-findings.jsonl.gz"))
PIECES = st.lists(st.sampled_from([1, 2, 3, 7, 64, 1000, 1 << 20]), min_size=1, max_size=4)
SMALLEST = {
    "findingArn": "arn:aws:inspector2:eu-west-1:111122223333:finding/1",
    "type": "T",
    "severity": "HIGH",
    "status": "ACTIVE",
    "firstObservedAt": 1.5e9,
}


def read(content: bytes, **settings: Any) -> list[dict[str, Any]]:
    return rows_of(read_json(Stream(content), **settings))


def report(*findings: Any) -> bytes:
    return json.dumps({"findings": findings}).encode()


@settings(max_examples=40, deadline=None)
@given(st.data(), st.lists(FINDINGS, max_size=6), PIECES, st.sampled_from([16, 100, 1000, 1 << 18]))
def test_any_legal_form_in_any_pieces_gives_the_same_columns(
    data: st.DataObject, findings: list[Any], pieces: list[int], buffer_bytes: int
) -> None:
    content = data.draw(json_reports(findings))
    expected = [expected_row(finding) for finding in findings]
    batches = list(read_json(Stream(content, pieces), buffer_bytes=buffer_bytes))
    assert tags_read(rows_of(batches)) == expected
    assert all(tuple(batch) == NAMES for batch in batches)


@pytest.mark.parametrize("buffer_bytes", [16, 5_000, 60_000, 1 << 18])
def test_a_realistic_report_is_read_whatever_the_buffer(buffer_bytes: int) -> None:
    findings = generate(300, seed=7, now=1.78e9, accounts=["111122223333"], region="eu-west-1")
    compact = read(json_report(findings), buffer_bytes=buffer_bytes)
    indented = read(json.dumps({"findings": json.loads(json_report(findings))["findings"]}, indent=2).encode())
    assert compact == indented
    assert [row["title"] for row in compact] == [finding["title"] for finding in findings]


def test_what_looks_like_a_border_within_a_text_or_a_list_is_none() -> None:
    trap = '},{"findingArn": "'
    finding = SMALLEST | {"description": trap, "aMember": [{"findingArn": trap}, {"findingArn": "x"}]}
    rows = read(report(*[finding] * 50), buffer_bytes=2000)
    assert [row["description"] for row in rows] == [trap] * 50


def test_bare_control_characters_stay_in_the_text() -> None:
    content = report(SMALLEST | {"description": "a@b"}, SMALLEST).replace(b"a@b", b"a\n\x01\tb")
    assert [row["description"] for row in read(content)] == ["a\n\x01\tb", None]


def test_half_a_surrogate_pair_becomes_the_replacement_character() -> None:
    # What a text that was cut at 1,024 UTF-16 units may end in.
    content = report(SMALLEST | {"description": "@", "title": "😀"}).replace(b"@", rb"a\ud83d")
    assert [(row["description"], row["title"]) for row in read(content)] == [("a\ufffd", "😀")]


def test_batches_are_never_larger_than_promised() -> None:
    batches = list(read_json(Stream(report(*[SMALLEST] * 10_000)), buffer_bytes=8 << 20))
    sizes = [len(batch["type"]) for batch in batches]
    assert max(sizes) <= BATCH_ROWS
    assert sum(sizes) == 10_000


def test_what_is_decoded_at_a_time_is_joined_whatever_its_columns_are_made_of() -> None:
    # A time that Arrow cannot read makes one column a list, and one that is as long as some buffers makes them grow.
    odd = SMALLEST | {"updatedAt": "Mar 20, 2023, 6:08:05 PM", "description": "x" * 5000}
    findings = [SMALLEST | {"findingArn": str(number), "firstObservedAt": "2024-01-01T00:00:00Z"} for number in range(400)]
    content = report(*findings[:200], odd, *findings[200:])
    batches = list(read_json(Stream(content), buffer_bytes=2000))
    assert len(content) > 20 * 2000
    assert len(batches) <= 5
    assert rows_of(batches) == read(content)


def test_an_unreadable_timestamp_is_counted_where_nothing_is_counted_by_it() -> None:
    unreadable: Counter[str] = Counter()
    content = report(SMALLEST | {"updatedAt": "the other day"}, SMALLEST | {"updatedAt": 1.6e9})
    assert [row["updated_at"] for row in read(content, unreadable=unreadable)] == [None, 1_600_000_000_000]
    assert unreadable == {"updated_at": 1}


@pytest.mark.parametrize(
    ("words", "result"),
    [
        ([], None),
        ([None, ""], None),
        (["REACHABLE"], ("REACHABLE", "of REACHABLE 0")),
        (["NOT_REACHABLE", None, "REACHABLE"], ("REACHABLE", "of REACHABLE 2")),
        (["NOT_REACHABLE", "NOT_REACHABLE"], ("NOT_REACHABLE", "of NOT_REACHABLE 0")),
        (["NOT_REACHABLE", "UNKNOWN"], ("UNKNOWN", "of UNKNOWN 1")),
        (["NOT_REACHABLE", None], ("UNKNOWN", None)),
        (["NEWER", "NEWER"], ("NEWER", "of NEWER 0")),
        (["NEWER", "NOT_REACHABLE"], ("UNKNOWN", None)),
    ],
)
def test_one_reachable_package_makes_a_finding_reachable_and_one_unknown_leaves_it_open(words: Any, result: Any) -> None:
    packages = [
        {"runtimeReachability": word, "runtimeReachabilityReason": f"of {word} {number}"} for number, word in enumerate(words)
    ]
    (row,) = read(report(SMALLEST | {"packageVulnerabilityDetails": {"vulnerablePackages": packages}}))
    assert (row["runtime_reachability"], row["runtime_reachability_reason"]) == (result or (None, None))
    assert (row["package_reachabilities"] or []) == [word or None for word in words]


def fault(content: bytes, **settings: Any) -> MalformedReportError:
    with pytest.raises(MalformedReportError) as raised:
        read(content, **settings)
    return raised.value


def test_an_unreadable_first_observation_is_an_error_at_its_finding() -> None:
    content = report(SMALLEST, SMALLEST | {"firstObservedAt": "the other day"}, SMALLEST)
    error = fault(content)
    assert (error.findings, error.offset) == (1, content.index(b"{", 20))
    assert "the other day" in str(error)


@pytest.mark.parametrize("buffer_bytes", [16, 1 << 18])
def test_a_finding_that_is_not_one_reports_its_place_and_the_findings_before(buffer_bytes: int) -> None:
    wrong = SMALLEST | {"severity": 7}
    content = report(*[SMALLEST] * 40, wrong, *[SMALLEST] * 40)
    error = fault(content, buffer_bytes=buffer_bytes)
    assert (error.findings, error.offset) == (40, content.rindex(b"{", 0, content.index(b'"severity": 7')))
    assert "its severity is missing or unreadable (it is no text)" in str(error)


@pytest.mark.parametrize("required", SMALLEST)
@pytest.mark.parametrize("value", [None, "", True, [], {}, math.nan, math.inf])
def test_an_unreadable_value_that_findings_are_counted_by_is_an_error(required: str, value: Any) -> None:
    error = fault(report(SMALLEST, SMALLEST | {required: value}))
    assert error.findings == 1
    assert required in str(error)


@pytest.mark.parametrize("missing", SMALLEST)
def test_a_finding_without_what_it_is_counted_by_is_an_error(missing: str) -> None:
    wrong = {name: value for name, value in SMALLEST.items() if name != missing}
    assert fault(report(SMALLEST, wrong)).findings == 1


DEEP = 20_000
NESTED = [b"[" * DEEP + b"]" * DEEP, b'{"a":' * DEEP + b"1" + b"}" * DEEP]


@pytest.mark.parametrize("nested", NESTED)
@pytest.mark.parametrize(
    "place", [b'"aMember":@', b'"epss":@', b'"resources":@', b'"resources":[{"tags":@}]', b'"title":@', b'"severity":@']
)
def test_a_finding_that_is_nested_too_deeply_is_reported(nested: bytes, place: bytes) -> None:
    deep = report(SMALLEST | {"@": 1}).replace(b'"@": 1', place.replace(b"@", nested))
    for content in (deep, report(*[SMALLEST] * 3000).replace(b"}]}", b"}," + deep[len(b'{"findings": [') :])):
        error = fault(content)
        assert "nested too deeply" in str(error)
        assert error.findings in {0, 3000}


@pytest.mark.parametrize("nested", NESTED)
@pytest.mark.parametrize("form", [b'{"a":@,"findings":[]}', b'{"findings":[],"a":@}', b"@", b'{"findings":@}'])
def test_a_report_that_is_nested_too_deeply_is_reported(nested: bytes, form: bytes) -> None:
    fault(form.replace(b"@", nested))


@pytest.mark.parametrize("nested", [b"[" * 1000 + b"]" * 1000, b'{"a":' * 1000 + b"1" + b"}" * 1000])
def test_a_thousand_levels_are_read(nested: bytes) -> None:
    content = report(SMALLEST | {"a": "@", "title": 7}).replace(b'"@"', nested)
    assert len(read(content.replace(b"]}", b'],"a":' + nested + b"}"))) == 1


class Watched:
    """A decoder that counts what it is asked for."""

    def __init__(self) -> None:
        self.decoder, self.batches, self.ones = FindingDecoder(Counter()), 0, 0

    def batch(self, array: Any) -> Any:
        self.batches += 1
        return self.decoder.batch(array)

    def one(self, element: bytes) -> Any:
        self.ones += 1
        return self.decoder.one(element)

    def of(self, findings: Any) -> Any:
        return self.decoder.of(findings)


@pytest.mark.parametrize("dirt", [b"\x01", rb"\ud83d", b"\n"])
def test_control_characters_in_every_finding_cost_one_more_decoding_of_each_buffer(dirt: bytes) -> None:
    content = report(*[SMALLEST | {"description": "@" * 1000}] * 2000).replace(b"@@", b"@" + dirt)
    watched = Watched()
    batches = list(elements(Stream(content), watched, buffer_bytes=1 << 16))
    assert sum(len(batch["type"]) for batch in batches) == 2000
    # In place, and cleaned.
    assert watched.batches <= 2 * (len(content) / (1 << 15))
    assert watched.ones == 0


@pytest.mark.parametrize(("member", "slows"), [({"severity": "NEWER"}, True), ({"inspectorScore": "high"}, False)])
def test_a_newer_word_makes_the_rest_be_read_as_texts_an_unreadable_value_does_not(member: dict[str, Any], slows: bool) -> None:
    decoder = FindingDecoder(Counter())
    known = SMALLEST | {"type": "CODE_VULNERABILITY"}
    list(elements(Stream(report(known, known | member, known)), decoder, buffer_bytes=1 << 16))
    assert (decoder._decode == decoder._decode_any) is slows


def test_unreadable_values_in_every_finding_cost_one_more_decoding_of_each_finding() -> None:
    watched = Watched()
    content = report(*[SMALLEST | {"description": "x" * 1000, "inspectorScore": "high"}] * 2000)
    batches = list(elements(Stream(content), watched, buffer_bytes=1 << 16))
    assert sum(len(batch["type"]) for batch in batches) == watched.ones == 2000
    assert watched.batches <= 2 * (len(content) / (1 << 15))


def test_every_truncation_of_a_report_is_reported_with_the_whole_findings_before_it() -> None:
    content = report(*[SMALLEST] * 3)
    ends = [end for end in range(len(content)) if content[end - 1 : end] == b"}"]
    for size in range(len(content)):
        error = fault(content[:size])
        whole = sum(end <= size for end in ends)
        # A finding is sure only once a comma or a bracket follows it.
        assert error.findings in {whole - 1, whole}
        assert error.offset is not None
        assert error.offset <= size


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "ends too early"),
        (b"{}", "name was expected"),
        (b"[]", "'{' was expected"),
        (b'{"findings":{}}', "'[' was expected"),
        (b'{"findings":[}', "'{' was expected"),
        (b'{"findings":[],"findings":[]}', "second member"),
        (b'{"findings":[]} {}', "after its end"),
        (b'{"findings":[]', "ends too early"),
        (b'{"other":1}', "no member 'findings'"),
        (b'{"other":tru,"findings":[]}', "cannot be decoded"),
        (b'{"findings":[] "other":1}', "',' was expected"),
    ],
)
def test_what_is_no_report_is_reported(content: bytes, reason: str) -> None:
    error = fault(content)
    assert error.findings == 0
    assert reason in str(error)


def test_findings_without_a_comma_between_or_with_one_too_many_are_reported() -> None:
    content = report(SMALLEST, SMALLEST)
    assert fault(content.replace(b"}, {", b"} {")).findings in {0, 1}
    assert fault(content.replace(b"}, {", b"},, {")).findings == 1
    assert fault(content.replace(b"}]}", b"},]}")).findings == 2


def test_an_element_larger_than_the_cap_is_reported_before_it_fills_the_memory() -> None:
    content = report(SMALLEST, SMALLEST | {"description": 100_000 * "x"})
    error = fault(content, buffer_bytes=1000, max_element_bytes=10_000)
    assert error.findings == 1
    assert "larger than 10,000 bytes" in str(error)
    assert len(read(content, buffer_bytes=1000, max_element_bytes=200_000)) == 2


def test_a_quote_that_is_never_closed_stops_at_the_cap() -> None:
    content = report(*[SMALLEST] * 2000).replace(b'"HIGH"', b'"HIGH', 1)
    stream = Stream(content)
    with pytest.raises(MalformedReportError):
        list(read_json(stream, buffer_bytes=1000, max_element_bytes=10_000))
    assert stream.position < 50_000


def mutated(content: bytes, chance: random.Random) -> bytes:
    at, size = chance.randrange(len(content)), chance.choice([1, 1, 2, 30, 700])
    kind = chance.randrange(4)
    if kind == 0:
        return content[:at]
    if kind == 1:
        return content[:at] + content[at + size :]
    if kind == 2:
        return content[:at] + bytes(chance.choices(b'{}[]",:\\x0 \n\x00', k=min(size, 3))) + content[at + 1 :]
    return content[:at] + content[at : at + size] + content[at:]


def test_malformed_reports_are_reported_or_read_right() -> None:
    chance = random.Random(4)
    findings = generate(6, seed=3, now=1.78e9, accounts=["111122223333"], region="eu-west-1")
    result = 0
    for _ in range(1500):
        content = mutated(json_report(findings), chance)
        stream = Stream(content)
        try:
            rows = rows_of(read_json(stream, buffer_bytes=chance.choice([16, 3000, 10_000]), max_element_bytes=100_000))
        except MalformedReportError:
            result += 1
            continue
        # What is read at all is read as the whole document says, which a patient reader takes, too.
        document = json.loads(content.decode(errors="replace"), strict=False)
        assert [row["finding_arn"] for row in rows] == [finding["findingArn"] for finding in document["findings"]]
    assert result > 500


@pytest.mark.parametrize(
    ("content", "end"),
    [
        (b"{}", 2),
        (b'{"a":[{"b":"}\\"]"},[]]},{}', 23),
        (b'{"a":"\xff\n{"}]', 11),
        (b"[{}]", None),
        (b' {"a":1}', None),
        (b'"a"', None),
        (b"", None),
        (b'{"a":[1,2}]', None),
        (b'{"a":[1,2}}', None),
        (b'{"a":{"b":1}', None),
        (b'{"a":"b}', None),
        (b'{"a":"b\\"}', None),
    ],
)
def test_an_element_ends_with_its_last_bracket(content: bytes, end: int | None) -> None:
    assert first_element_end(content, 0) == end
    assert first_element_end(b"{" + content, 1) == (end and end + 1)


def test_an_element_of_a_report_ends_where_it_is_whole() -> None:
    element = json.dumps(generate(1, seed=2, now=1.78e9, accounts=["111122223333"], region="eu-west-1")[0]).encode()
    assert first_element_end(element + b"," + element, 0) == len(element)
    assert {first_element_end(element[:size], 0) for size in range(len(element))} == {None}


@pytest.mark.parametrize(
    ("element", "result"),
    [
        (SMALLEST, True),
        (SMALLEST | {"severity": "NEWER", "inspectorScore": "high"}, True),
        (SMALLEST | {"severity": 7}, False),
        (SMALLEST | {"firstObservedAt": "the other day"}, False),
        ({name: value for name, value in SMALLEST.items() if name != "findingArn"}, False),
        ({}, False),
        ([], False),
        (7, False),
    ],
)
def test_an_element_is_a_finding_if_the_reader_takes_it(element: Any, result: bool) -> None:
    content = json.dumps(element).encode()
    assert is_finding(content) is result
    assert not is_finding(content[:-1])
    assert not is_finding(content + b"," + content)
    if result:
        assert is_finding(content.replace(b"ACTIVE", b"\xff\n\\ud83d"))
        assert len(read(b'{"findings":[' + content + b"]}")) == 1
    else:
        fault(b'{"findings":[' + content + b"]}")


@pytest.mark.skipif(not REAL_FINDINGS.exists(), reason="REAL_FINDINGS names no file of real findings")
@pytest.mark.parametrize("form", ["iso", "epoch"])
def test_real_findings_are_all_read(form: Any) -> None:
    findings = load(REAL_FINDINGS)
    rows = read(json_report(findings, form))
    assert len(rows) == len(findings) == 1125
    for row, finding in zip(rows, findings, strict=True):
        expected = expected_real_row(finding)
        assert {name: row[name] for name in expected} == expected


def expected_real_row(finding: dict[str, Any]) -> dict[str, Any]:
    details = finding.get("packageVulnerabilityDetails", {})
    return {
        "description": finding["description"] or None,
        "first_observed_at": round(finding["firstObservedAt"] * 1000),
        "severity": finding["severity"],
        "reference_urls": details.get("referenceUrls") or None,
        "package_names": [package["name"] for package in details.get("vulnerablePackages", [])] or None,
        "resource_id": finding["resources"][0]["id"],
    }
