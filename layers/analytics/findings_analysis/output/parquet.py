"""Batches to a Parquet file, written as a stream; and columns of such a file, read back."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any, cast

from arro3.core import Array, DataType, Field, RecordBatch, RecordBatchReader, Schema, list_array
from arro3.io import read_parquet, write_parquet

from findings_analysis.reading.schema import COLUMNS, NAMES, RUN_STARTED_AT, TABLE_COLUMNS, ArrowColumn, Ragged

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from findings_analysis.reading.schema import Batch, ColumnType

ROW_GROUP_ROWS = 16_384
"""A row group is encoded in memory before it is written: this many rows take some 30 MB."""
DICTIONARY_BYTES = 16 << 20
"""Descriptions repeat for each finding of a vulnerability: with the usual 1 MB their dictionary is given up too early, and the
file is twice as large."""
COMPRESSION = "zstd(1)"
"""Higher levels take longer and make the file hardly smaller."""
DISTINCT_COLUMNS = ("finding_arn", "first_observed_at", "last_observed_at", "updated_at")
"""Hardly a value twice: a dictionary of these would be a second copy."""

_TEXT = DataType.string()
_TYPES: dict[ColumnType, DataType] = {
    "string": _TEXT,
    "double": DataType.float64(),
    "int": DataType.int32(),
    "timestamp": DataType.timestamp("ms", tz="UTC"),
    "array<string>": DataType.list(Field("element", _TEXT)),
}
_KINDS = {column.name: column.type for column in TABLE_COLUMNS}
_INT64, _INT32, _BOOL = DataType.int64(), DataType.int32(), DataType.bool()
SCHEMA = Schema([Field(column.name, _TYPES[column.type]) for column in TABLE_COLUMNS])
NAMED = (
    "finding_arn",
    "title",
    "vulnerability_id",
    "package_names",
    "account_id",
    "region",
    "resource_type",
    "resource_name",
    "resource_id",
)
"""The columns that name a finding."""
NAMED_SCHEMA = Schema([SCHEMA.field(name) for name in NAMED])


class UnreadableParquetError(Exception):
    """A file is damaged, or no Parquet."""


def write(batches: Iterable[Batch], file: IO[bytes], run_started_at: datetime | None = None) -> None:
    """Write batches as one Parquet file: one row a finding, typed as the columns are.

    Parameters
    ----------
    batches
        Of all columns. They are taken one by one as the file is written, so whatever else looks at them can do so on the way.
    file
        Only its ``write`` and ``flush`` are called, row group by row group: memory holds one of them, whatever the file's size.
        It needs a ``seek``, too, which is not called.
    run_started_at
        Stands in every row, so that a query can tell the latest of several runs; None where there is no run.

    Raises
    ------
    Exception
        Whatever ``batches`` or ``file`` raise, as they raised it.
    """
    started_ms = None if run_started_at is None else int(run_started_at.timestamp() * 1000)
    _write(SCHEMA, (record_batch(batch, started_ms) for batch in batches), file)


def write_named(batches: Iterable[Batch], file: IO[bytes]) -> None:
    """Write batches of some columns, those of :data:`NAMED_SCHEMA`, as one Parquet file; else like :func:`write`."""
    records = (
        RecordBatch.from_arrays([_array(batch[name], _KINDS[name]) for name in NAMED], schema=NAMED_SCHEMA) for batch in batches
    )
    _write(NAMED_SCHEMA, records, file)


def _write(schema: Schema, records: Iterable[RecordBatch], file: IO[bytes]) -> None:
    faults: list[Exception] = []
    try:
        write_parquet(
            RecordBatchReader.from_batches(schema, _noting(records, faults)),
            cast("IO[bytes]", _File(file, faults)),
            compression=COMPRESSION,
            max_row_group_size=ROW_GROUP_ROWS,
            dictionary_page_size_limit=DICTIONARY_BYTES,
            column_dictionary_enabled=dict.fromkeys(DISTINCT_COLUMNS, False),
            skip_arrow_metadata=True,
        )
    except Exception:
        # On its way through Arrow an error becomes a text.
        if faults:
            raise faults[0] from None
        raise
    if faults:
        raise faults[0]


def _noting(records: Iterable[RecordBatch], faults: list[Exception]) -> Iterator[RecordBatch]:
    try:
        for record in records:
            if faults:
                return
            yield record
    except Exception as fault:
        faults.append(fault)
        raise


class _File:
    """A file whose errors are kept: arro3 panics when a write fails, so the rest is dropped and the batches end."""

    def __init__(self, file: IO[bytes], faults: list[Exception]) -> None:
        self._file, self._faults = file, faults
        self.seek, self.flush = file.seek, file.flush

    def write(self, data: bytes) -> int:
        if not self._faults:
            try:
                return self._file.write(data)
            except Exception as fault:  # noqa: BLE001 - raised again when arro3 is done
                self._faults.append(fault)
        return len(data)


def record_batch(batch: Batch, started_ms: int | None = None) -> RecordBatch:
    """Return a batch as Arrow has it, with the run's start in milliseconds since 1970 beside each row."""
    arrays = [_array(batch[column.name], column.type) for column in COLUMNS]
    started = [started_ms] * len(batch[COLUMNS[0].name])
    return RecordBatch.from_arrays([*arrays, _array(started, RUN_STARTED_AT.type)], schema=SCHEMA)


def _array(values: Sequence[Any], kind: ColumnType) -> Array:
    if isinstance(values, ArrowColumn):
        return values.array
    match kind:
        case "timestamp":
            return Array(values, _INT64).cast(_TYPES[kind])
        case "array<string>":
            lists = values if isinstance(values, Ragged) else Ragged.of(values)
            mask = Array([not length for length in lists.lengths], _BOOL)
            return list_array(Array(lists.offsets, _INT32), Array(lists.values, _TEXT), type=_TYPES[kind], mask=mask)
        case _:
            return Array(values, _TYPES[kind])


def read(file: IO[bytes], names: Sequence[str] = NAMES, *, batch_rows: int = 1024) -> Iterator[Batch]:
    """Give chosen columns of a file that :func:`write` wrote.

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
    for record in _read(file, batch_rows):
        told = set(record.column_names)
        if wrong := [name for name in names if name in told and record.column(name).type != _TYPES[_KINDS[name]]]:
            raise UnreadableParquetError(f"the Parquet file is none of ours: its column {wrong[0]} is of another type")
        if "finding_arn" in names and ("finding_arn" not in told or record.column("finding_arn").null_count):
            raise UnreadableParquetError("the Parquet file is none of ours: it lacks ARNs")
        yield {name: ArrowColumn(record.column(name)) if name in told else [None] * record.num_rows for name in names}


def _read(file: IO[bytes], batch_rows: int) -> Iterator[RecordBatch]:
    try:
        yield from read_parquet(file, batch_size=batch_rows)
    except (GeneratorExit, KeyboardInterrupt, SystemExit):
        raise
    # arro3 panics over a damaged footer, and a panic is no Exception.
    except BaseException as fault:
        raise UnreadableParquetError(f"the Parquet file cannot be read: {fault}") from fault
