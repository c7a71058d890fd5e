"""The table of due dates: a Parquet file beside that of the findings, whose rows were written before due dates were known.

A finding's due date follows from the day on which it was first seen, which only the comparison with earlier runs knows. Both
tables have the column ``finding_key``, by which a query joins them.
"""

import sys
from array import array
from collections.abc import Iterator
from datetime import datetime
from typing import BinaryIO

from arro3.core import Array, DataType, Field, RecordBatch, Schema

from findings_analysis.comparison.fingerprints import NOT_KNOWN, day
from findings_analysis.comparison.identity import EXACT_BYTES
from findings_analysis.output.parquet import write_records

_DATE = DataType.date32()
DUE_SCHEMA = Schema(
    [
        Field("finding_key", DataType.int64()),
        Field("first_seen_on", _DATE),
        Field("due_on", _DATE),
        Field("run_started_at", DataType.timestamp("ms", tz="UTC")),
    ]
)


def write(rows: BinaryIO, file: BinaryIO, run_started_at: datetime) -> None:
    """Write the rows that the walk through the fingerprints has left (:mod:`findings_analysis.comparison.watch`)."""
    write_records(DUE_SCHEMA, _records(rows, int(run_started_at.timestamp() * 1000)), file)


def _records(rows: BinaryIO, started_ms: int) -> Iterator[RecordBatch]:
    rows.seek(0)
    while head := rows.read(4):
        count = int.from_bytes(head)
        keys = _numbers("q", rows.read(EXACT_BYTES * count))
        first_seen = _numbers("H", rows.read(2 * count))
        due = _numbers("I", rows.read(4 * count))
        columns = [
            Array(keys, DataType.int64()),
            _dates([None if days == day(NOT_KNOWN) else days for days in first_seen]),
            _dates([days or None for days in due]),
            Array([started_ms] * count, DataType.int64()).cast(DUE_SCHEMA.field("run_started_at").type),
        ]
        yield RecordBatch.from_arrays(columns, schema=DUE_SCHEMA)


def _numbers(kind: str, content: bytes) -> list[int]:
    """Return numbers that are side by side, the most significant byte first."""
    numbers = array(kind, content)
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers.tolist()


def _dates(days: list[int | None]) -> Array:
    return Array(days, DataType.int32()).cast(_DATE)
