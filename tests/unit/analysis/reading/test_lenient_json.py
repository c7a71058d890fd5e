"""No unreadable value of an optional member loses a finding, in JSON no more than in a CSV: it is None, and counted."""

from __future__ import annotations

import csv
import io
import json
import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import inspect

from findings_analysis.reading import json_findings
from findings_analysis.reading.csv_report import read_csv
from findings_analysis.reading.json_report import read_json
from findings_analysis.reading.numbers import MAX_DIGITS, finite
from findings_analysis.reading.schema import NAMES, REQUIRED_NAMES
from tests.builders.report_builders import NOW_MS, Stream, rows_of
from tests.local_aws.emulator.inspector.findings import generate
from tests.local_aws.emulator.inspector.report_files import NEWER_CSV_COLUMNS, csv_report, json_report

if TYPE_CHECKING:
    from collections.abc import Iterator

type Path = tuple[str, ...]

WHOLE = {"findingArn": "arn:aws:inspector2:eu-west-1:111122223333:finding/1", "type": "T", "severity": "HIGH",
         "status": "ACTIVE", "firstObservedAt": 1.5e9}  # fmt: skip
FITTING = {"source": "NVD", "version": "3.1"}
"""Without these an entry of ``cvss`` is none that a column is read from."""


def members(kind: inspect.Type, path: Path = ()) -> Iterator[tuple[Path, inspect.Type]]:
    """Every optional member of the model, with its path and its type."""
    if isinstance(kind, inspect.UnionType):
        (kind,) = [each for each in kind.types if not isinstance(each, inspect.NoneType)][:1]
    if isinstance(kind, inspect.ListType):
        yield from members(kind.item_type, (*path, "[]"))
    if isinstance(kind, inspect.StructType):
        for field in kind.fields:
            raw = json_findings.RAW_MEMBERS.get(field.name)
            of = inspect.type_info(raw) if raw else field.type
            if not field.required:
                yield (*path, field.encode_name), of
            yield from members(of, (*path, field.encode_name))


MEMBERS = dict(members(inspect.type_info(json_findings._Finding)))
INVALID: dict[type, list[Any]] = {
    inspect.StrType: [7, 0.5, True, [], ["x"], {}, math.nan],
    inspect.FloatType: ["high", "NaN", "1e999", True, [], {}, math.nan, math.inf, -math.inf, 10**400],
    inspect.IntType: ["all", 0.5, 2**31, -(2**31) - 1, True, [], {}, math.nan],
    inspect.ListType: ["x", 7, True, {}],
    inspect.DictType: ["x", 7, True, []],
    inspect.StructType: ["x", 7, True, [], [{}]],
}


def kinds_of(kind: inspect.Type) -> list[type]:
    return [type(each) for each in (kind.types if isinstance(kind, inspect.UnionType) else [kind])]


def wrong_values(kind: inspect.Type) -> list[Any]:
    kinds = kinds_of(kind)
    if inspect.FloatType in kinds and inspect.StrType in kinds:
        return [True, [], {}, math.nan, math.inf, "the other day"]
    return [value for each in kinds if each in INVALID for value in INVALID[each]]


def at(path: Path, value: Any) -> Any:
    """A finding with one optional member."""
    for name in reversed(path):
        value = [value] if name == "[]" else {name: value} | (FITTING if "cvss" in path and name == path[-1] else {})
    return WHOLE | value


def read(*findings: Any, **settings: Any) -> tuple[list[dict[str, Any]], Counter[str]]:
    unreadable: Counter[str] = Counter()
    content = json.dumps({"findings": findings}).encode()
    return rows_of(read_json(Stream(content), unreadable=unreadable, **settings)), unreadable


def test_the_model_has_as_many_members_as_there_are_to_read() -> None:
    assert len(MEMBERS) > 60
    assert ("packageVulnerabilityDetails", "cvss", "[]", "baseScore") in MEMBERS
    assert ("resources", "[]", "details", "awsEcrContainerImage", "imageTags") in MEMBERS


@pytest.mark.parametrize("path", MEMBERS, ids=".".join)
def test_an_unreadable_member_is_none_and_counted_and_its_finding_stays(path: Path) -> None:
    for value in wrong_values(MEMBERS[path]):
        if "cvss" in path and path[-1] in FITTING:
            continue  # then it is not NVD's score of version 3, whatever else it is
        finding = at(path, value)
        rows, unreadable = read(WHOLE, finding, finding, WHOLE)
        (plain, *_), _ = read(at(path, None))
        assert rows == [rows[0], plain, plain, rows[0]], value
        assert list(unreadable.values()) == [2], (value, unreadable)
        # Named by its column, or as the member that several columns are read from.
        (name,) = unreadable
        assert name in NAMES or name in {*json_findings._Finding.__struct_fields__, *json_findings._Details.__struct_fields__,
                                         "adjusted_cvss", "cvss", "vulnerable_packages", "open_port_range", "details"}  # fmt: skip


@pytest.mark.parametrize("path", MEMBERS, ids=".".join)
@pytest.mark.parametrize("value", [None, ""])
def test_what_is_not_reported_is_not_counted(path: Path, value: Any) -> None:
    rows, unreadable = read(WHOLE | {"fixAvailable": 7}, at(path, value))
    assert len(rows) == 2
    assert unreadable == {"fix_available": 1}


@pytest.mark.parametrize("path", [path for path, kind in MEMBERS.items() if inspect.ListType in kinds_of(kind)], ids=".".join)
def test_an_unreadable_entry_of_a_list_loses_no_other(path: Path) -> None:
    good: Any = "x" if path[-1] in {"referenceUrls", "imageTags"} else FITTING
    rows, unreadable = read(at(path, [good, 7, None, good]))
    alone, _ = read(
        at(path, [good, *([{}] if good is FITTING and path != ("packageVulnerabilityDetails", "cvss") else []), good])
    )
    assert rows == alone
    assert unreadable.total() == 1


def test_tags_keep_what_can_be_read() -> None:
    rows, unreadable = read(at(("resources", "[]", "tags"), {"team": "a", "cost": 7, "empty": None}))
    assert json.loads(rows[0]["resource_tags"]) == {"team": "a", "cost": None, "empty": None}
    assert unreadable == {"resource_tags": 1}


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from(sorted(MEMBERS)), max_size=4),
    st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
                 lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=2)),
    st.sampled_from([16, 1 << 20]),
)  # fmt: skip
def test_no_json_in_place_of_optional_members_loses_a_finding(paths: list[Path], value: Any, buffer_bytes: int) -> None:
    findings = [at(path, value) for path in paths]
    rows, _ = read(WHOLE, *findings, WHOLE, buffer_bytes=buffer_bytes)
    assert len(rows) == len(paths) + 2
    for name in set(REQUIRED_NAMES) & set(NAMES):
        assert {row[name] for row in rows} == {rows[0][name]}


# ---- the same in both formats

NUMBERS = [
    "0.5",
    "7",
    " 7 ",
    "1e1",
    "NaN",
    "nan",
    "inf",
    "-Infinity",
    "1e999",
    "true",
    "high",
    "0x1",
    "",
    " ",
    "1_0",
    "٣",
    "5" * 500,
]
TIMES = ["2026-11-01T00:00:00Z", "1.6e9", "1600000000000", "NaN", "1e999", "the other day", "", "10000-01-01T00:00:00Z", "true"]
IMAGE = ("resources", "details", "awsEcrContainerImage")
CELLS = {
    "inspector_score": ("Inspector Score", ("inspectorScore",), NUMBERS),
    "epss_score": ("Epss Score", ("epss", "score"), NUMBERS),
    "last_observed_at": ("Last Seen", ("lastObservedAt",), TIMES),
    "vendor_created_at": ("Vendor Advisory Published", ("packageVulnerabilityDetails", "vendorCreatedAt"), TIMES),
    "in_use_count": ("Image In Use Count", (*IMAGE, "inUseCount"), [*NUMBERS, "-1", "2147483647", "2147483648", "3.0"]),
    "last_in_use_at": ("Image Last In Use At", (*IMAGE, "lastInUseAt"), TIMES),
}


@pytest.mark.parametrize("name", CELLS)
def test_a_text_for_a_number_or_a_time_is_read_alike_in_json_and_in_a_csv(name: str) -> None:
    header, path, texts = CELLS[name]
    readable = "2026-11-01" if texts is TIMES else "1"
    now = NOW_MS / 1000
    findings = generate(1, seed=1, now=now, accounts=["111122223333"], region="eu-west-1")[:1]
    for text in texts:
        for beside in ("", readable):  # which makes Arrow read the column, or refuse it
            row = next(csv.DictReader(io.StringIO(csv_report(findings, now, columns=NEWER_CSV_COLUMNS).decode(), newline="")))
            table = io.StringIO()
            writer = csv.DictWriter(table, row)
            writer.writeheader()
            writer.writerows([row | {header: text}, row | {header: beside}])
            of_csv: Counter[str] = Counter()
            from_csv = rows_of(read_csv(Stream(table.getvalue().encode()), unreadable=of_csv))[0][name]
            finding = json.loads(json_report(findings))["findings"][0]
            inner = finding
            for each in path[:-1]:
                inner = inner[each][0] if each == "resources" else inner.setdefault(each, {})
            inner[path[-1]] = text
            rows, of_json = read(finding)
            assert (rows[0][name], of_json) == (from_csv, of_csv), text


@pytest.mark.parametrize("count", [-1, -0.5, 2**31])
def test_an_image_is_in_use_a_number_of_times_that_its_column_can_hold(count: float) -> None:
    image = {"awsEcrContainerImage": {"inUseCount": count, "imageTags": ["a"]}}
    rows, unreadable = read(WHOLE | {"resources": [{"details": image}]})
    assert (rows[0]["in_use_count"], rows[0]["image_tags"], unreadable) == (None, ["a"], {"in_use_count": 1})


@pytest.mark.parametrize("text", ["0.5", 0.5, 7, "7", " 7 ", "1" * 300])
def test_a_text_that_holds_a_number_is_that_number(text: Any) -> None:
    assert finite(text) == float(text)


@pytest.mark.parametrize("value", ["NaN", math.inf, "1e999", 10**400, True, None, [], {}, "", "high", "1" * (MAX_DIGITS + 1)])
def test_whatever_else_is_no_number(value: Any) -> None:
    with pytest.raises(ValueError, match=r"no number|could not convert"):
        finite(value)


def test_every_name_of_a_column_is_one() -> None:
    assert set(json_findings._COLUMN_OF.values()) <= set(NAMES)
    for structure, member in json_findings._COLUMN_OF:
        assert member in getattr(json_findings, structure).__struct_fields__
    assert issubclass(json_findings._Finding, msgspec.Struct)
    assert json_findings.RAW_MEMBERS.keys() <= {field for each in (json_findings._Finding, json_findings._Packages)
                                                for field in each.__struct_fields__}  # fmt: skip


@pytest.mark.parametrize("member", ["inspectorScore", "updatedAt", "title", "aMember"])
def test_a_number_of_many_digits_costs_no_finding(member: str) -> None:
    content = json.dumps({"findings": [WHOLE, WHOLE | {member: 1, "fixAvailable": 7}]}).replace(
        f'"{member}": 1', f'"{member}": {"1" * 10_000}'
    )
    assert len(rows_of(read_json(Stream(content.encode())))) == 2
