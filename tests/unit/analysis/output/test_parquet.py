"""Parquet files hold the columns as they are documented, and give chosen ones back."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import pytest
from arro3.core import DataType
from arro3.io import read_parquet
from hypothesis import given, settings
from hypothesis import strategies as st

from findings_analysis.output import parquet
from findings_analysis.reading import parquet_columns
from findings_analysis.reading.errors import MalformedReportError
from findings_analysis.reading.json_report import read_json
from findings_analysis.reading.schema import NAMES, TABLE_COLUMNS
from tests.builders.report_builders import FINDINGS, NOW_MS, Stream, json_reports, rows_of
from tests.local_aws.emulator.inspector.findings import generate
from tests.local_aws.emulator.inspector.report_files import json_report


class Sink:
    """Takes a file without ever holding it, as an upload does: it can neither be read nor sought in."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def write(self, data: bytes) -> int:
        self.sizes.append(len(data))
        return len(data)

    def flush(self) -> None:
        pass

    def seek(self, *_: int) -> int:
        raise AssertionError("what was uploaded cannot be read again")


@settings(max_examples=15, deadline=None)
@given(st.data(), st.lists(FINDINGS, max_size=6))
def test_what_is_written_is_read_back(data: st.DataObject, findings: list[Any]) -> None:
    batches = list(read_json(Stream(data.draw(json_reports(findings))), buffer_bytes=1000))
    file = io.BytesIO()
    parquet.write(batches, file)
    assert rows_of(parquet_columns.read(file)) == rows_of(batches)


def realistic(count: int) -> list[Any]:
    findings = generate(count, seed=2, now=NOW_MS / 1000, accounts=["111122223333"], region="eu-west-1")
    return list(read_json(Stream(json_report(findings))))


def test_chosen_columns_are_read_in_the_order_and_batches_asked_for() -> None:
    file, batches = io.BytesIO(), realistic(500)
    parquet.write(batches, file)
    result = list(parquet_columns.read(file, ("title", "first_observed_at", "package_names"), batch_rows=100))
    assert {tuple(batch) for batch in result} == {("title", "first_observed_at", "package_names")}
    assert max(len(batch["title"]) for batch in result) <= 100
    assert [(row["title"], row["first_observed_at"], row["package_names"]) for row in rows_of(result)] == [
        (row["title"], row["first_observed_at"], row["package_names"]) for row in rows_of(batches)
    ]


def test_a_column_that_an_older_file_lacks_is_none() -> None:
    file = io.BytesIO()
    parquet.write(realistic(10), file)
    assert {row["made_up_tomorrow"] for row in rows_of(parquet_columns.read(file, ("severity", "made_up_tomorrow")))} == {None}


def test_the_file_has_the_documented_types() -> None:
    file = io.BytesIO()
    parquet.write(realistic(10), file)
    schema = read_parquet(file).schema
    kinds = {
        "string": DataType.is_string,
        "double": DataType.is_floating,
        "int": DataType.is_int32,
        "bigint": DataType.is_int64,
        "timestamp": DataType.is_timestamp,
        "array<string>": DataType.is_list,
    }
    assert tuple(schema.names) == (*NAMES, "run_started_at", "owner", "finding_key")
    for column in TABLE_COLUMNS:
        assert kinds[column.type](schema.field(column.name).type), column.name


def test_every_row_holds_when_its_run_began() -> None:
    file, batches = io.BytesIO(), realistic(500)
    parquet.write(batches, file, datetime(2026, 11, 25, 3, 0, 0, 123_456, tzinfo=UTC))
    rows = rows_of(parquet_columns.read(file, ("finding_arn", "run_started_at")))
    assert [row["finding_arn"] for row in rows] == [row["finding_arn"] for row in rows_of(batches)]
    assert {row["run_started_at"] for row in rows} == {1_795_575_600_123}


def test_a_file_of_no_run_holds_no_start() -> None:
    file = io.BytesIO()
    parquet.write(realistic(10), file)
    assert {row["run_started_at"] for row in rows_of(parquet_columns.read(file, ("run_started_at",)))} == {None}


def test_a_file_without_findings_is_a_file() -> None:
    file = io.BytesIO()
    parquet.write([], file)
    assert rows_of(parquet_columns.read(file)) == []


def test_row_groups_are_written_as_they_fill() -> None:
    batches = realistic(1000)
    sink, taken = Sink(), []

    def passing() -> Any:
        for batch in batches * 40:
            taken.append(sum(sink.sizes))
            yield batch

    parquet.write(passing(), sink)  # type: ignore[arg-type] # all that it needs of a file
    assert 0 < taken[-1] < sum(sink.sizes)


def test_repeated_texts_are_stored_once_a_row_group() -> None:
    batches = realistic(1000)
    sizes = []
    for times in (1, 10):
        file = io.BytesIO()
        parquet.write(batches * times, file)
        sizes.append(file.tell())
    assert sizes[1] < 3 * sizes[0]


def test_a_report_that_breaks_while_it_is_written_is_reported_as_itself() -> None:
    def breaking() -> Any:
        yield from realistic(10)
        raise MalformedReportError("it ends too early", findings=10, offset=7)

    with pytest.raises(MalformedReportError, match="after 10 whole findings"):
        parquet.write(breaking(), io.BytesIO())


def test_an_upload_that_fails_is_reported_as_itself() -> None:
    class Refusing(Sink):
        def write(self, _: bytes) -> int:
            raise PermissionError("denied")

    with pytest.raises(PermissionError, match="denied"):
        parquet.write(realistic(10), Refusing())  # type: ignore[arg-type] # all that it needs of a file


@pytest.mark.parametrize("content", [b"", b"PAR1 and no more", b"x" * 100])
def test_a_file_that_is_no_parquet_is_an_error_that_can_be_caught(content: bytes) -> None:
    with pytest.raises(parquet_columns.UnreadableParquetError):
        list(parquet_columns.read(io.BytesIO(content)))
