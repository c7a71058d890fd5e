"""The table of due dates: a Parquet file beside that of the findings, whose rows were written before due dates were known.

A finding's due date follows from the day on which it was first seen, which only the comparison with earlier runs knows. Both
tables have the column ``finding_key``, by which a query joins them.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import BinaryIO

from arro3.core import Array, DataType, Field, RecordBatch, Schema

from findings_analysis.comparison.fingerprints import NOT_KNOWN, day
from findings_analysis.comparison.identity import EXACT_BYTES, finding_key
from findings_analysis.comparison.watch import DUE_ROW_BYTES
from findings_analysis.output.parquet import write_records

ROWS_AT_ONCE = 16_384
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
    while content := rows.read(DUE_ROW_BYTES * ROWS_AT_ONCE):
        each = [content[at : at + DUE_ROW_BYTES] for at in range(0, len(content), DUE_ROW_BYTES)]
        keys = [finding_key(row[:EXACT_BYTES]) for row in each]
        first_seen = [row[EXACT_BYTES : EXACT_BYTES + 2] for row in each]
        columns = [
            Array(keys, DataType.int64()),
            _dates([None if days == NOT_KNOWN else day(days) for days in first_seen]),
            _dates([int.from_bytes(row[EXACT_BYTES + 2 :]) or None for row in each]),
            Array([started_ms] * len(each), DataType.int64()).cast(DUE_SCHEMA.field("run_started_at").type),
        ]
        yield RecordBatch.from_arrays(columns, schema=DUE_SCHEMA)


def _dates(days: list[int | None]) -> Array:
    return Array(days, DataType.int32()).cast(_DATE)
