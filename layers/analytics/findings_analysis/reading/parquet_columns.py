"""The Parquet file's columns as Arrow has them, and columns of such a file, read back as a stream."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from arro3.core import DataType, Field, RecordBatch, Schema
from arro3.io import read_parquet

from findings_analysis.reading.schema import NAMES, TABLE_COLUMNS, ArrowColumn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from findings_analysis.reading.schema import Batch, ColumnType

_TEXT = DataType.string()
ARROW_TYPES: dict[ColumnType, DataType] = {
    "string": _TEXT,
    "double": DataType.float64(),
    "int": DataType.int32(),
    "bigint": DataType.int64(),
    "timestamp": DataType.timestamp("ms", tz="UTC"),
    "array<string>": DataType.list(Field("element", _TEXT)),
}
TYPE_OF = {column.name: column.type for column in TABLE_COLUMNS}
SCHEMA = Schema([Field(column.name, ARROW_TYPES[column.type]) for column in TABLE_COLUMNS])
DETAIL_COLUMNS = (
    "finding_arn",
    "title",
    "vulnerability_id",
    "package_names",
    "account_id",
    "region",
    "resource_type",
    "resource_name",
    "resource_id",
    "package_versions",
    "fixed_in_versions",
    "severity",
    "exploit_available",
    "fix_available",
    "epss_score",
    "runtime_reachability",
    "in_use_count",
)
"""What people need to recognize a finding, and to fix it."""
DETAIL_SCHEMA = Schema([SCHEMA.field(name) for name in DETAIL_COLUMNS])


class UnreadableParquetError(Exception):
    """A file is damaged, or no Parquet."""


def read(file: IO[bytes], names: Sequence[str] = NAMES, *, batch_rows: int = 1024) -> Iterator[Batch]:
    """Give chosen columns of a file that :mod:`findings_analysis.output.parquet` wrote.

    Parameters
    ----------
    file
        Can be read and sought in.
    names
        Which columns; one that the file does not have is None everywhere, since older files may lack newer columns.
    batch_rows
        Most rows of a batch.

    Yields
    ------
    Batch
        Lists and None as in any batch.

    Raises
    ------
    UnreadableParquetError
        The file is damaged, or no Parquet.
    """
    for record in _checked(file, names, batch_rows):
        present = set(record.column_names)
        yield {name: ArrowColumn(record.column(name)) if name in present else [None] * record.num_rows for name in names}


def read_records(file: IO[bytes], schema: Schema, *, batch_rows: int) -> Iterator[RecordBatch]:
    """Give a file that has a schema's columns as Arrow has it; otherwise like :func:`read`."""
    for record in _checked(file, schema.names, batch_rows):
        if missing := [name for name in schema.names if name not in record.column_names]:
            raise UnreadableParquetError(f"the Parquet file is none of ours: it lacks the column {missing[0]}")
        yield record


def _checked(file: IO[bytes], names: Sequence[str], batch_rows: int) -> Iterator[RecordBatch]:
    for record in _read(file, batch_rows):
        present = set(record.column_names)
        if wrong := [name for name in names if name in present and record.column(name).type != ARROW_TYPES[TYPE_OF[name]]]:
            raise UnreadableParquetError(f"the Parquet file is none of ours: its column {wrong[0]} is of another type")
        if "finding_arn" in names and ("finding_arn" not in present or record.column("finding_arn").null_count):
            raise UnreadableParquetError("the Parquet file is none of ours: it lacks ARNs")
        yield record


def _read(file: IO[bytes], batch_rows: int) -> Iterator[RecordBatch]:
    try:
        yield from read_parquet(file, batch_size=batch_rows)
    except (GeneratorExit, KeyboardInterrupt, SystemExit):
        raise
    # arro3 panics over a damaged footer, and a panic is no Exception.
    except BaseException as fault:
        raise UnreadableParquetError(f"the Parquet file cannot be read: {fault}") from fault
