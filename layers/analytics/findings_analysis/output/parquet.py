"""Writes batches to a Parquet file as a stream."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any, cast

from arro3.core import Array, DataType, RecordBatch, RecordBatchReader, Schema, list_array
from arro3.io import write_parquet

from findings_analysis.reading.parquet_columns import ARROW_TYPES, SCHEMA
from findings_analysis.reading.schema import COLUMNS, FINDING_KEY, OWNER_COLUMN, RUN_STARTED_AT, ArrowColumn, Ragged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
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

_INT64, _INT32, _BOOL = DataType.int64(), DataType.int32(), DataType.bool()
_TEXT = DataType.string()


def write(
    batches: Iterable[Batch],
    file: IO[bytes],
    run_started_at: datetime | None = None,
    seen: Callable[[RecordBatch], object] = lambda _: None,
) -> None:
    """Write batches as one Parquet file: one row a finding, typed as the columns are.

    Parameters
    ----------
    batches
        Of all columns. arro3 asks for them one by one as it writes: it has no writer that takes them.
    file
        Only its ``write`` and ``flush`` are called, row group by row group: memory holds one of them, whatever the file's size.
        It needs a ``seek``, too, which is not called.
    run_started_at
        Written in every row, so that a query can find the latest of several runs; None where there is no run.
    seen
        Is given each record before it is written.

    Raises
    ------
    Exception
        Whatever ``batches`` or ``file`` raise, as they raised it.
    """
    started_ms = None if run_started_at is None else int(run_started_at.timestamp() * 1000)

    def records() -> Iterator[RecordBatch]:
        for batch in batches:
            record = record_batch(batch, started_ms)
            seen(record)
            yield record

    write_records(SCHEMA, records(), file)


def write_records(schema: Schema, records: Iterable[RecordBatch], file: IO[bytes]) -> None:
    """Write records of a schema as one Parquet file; otherwise like :func:`write`."""
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
    rows = len(batch[COLUMNS[0].name])
    beside = [_array([started_ms] * rows, RUN_STARTED_AT.type)]
    beside += [_array(batch.get(column.name) or [None] * rows, column.type) for column in (OWNER_COLUMN, FINDING_KEY)]
    return RecordBatch.from_arrays([*arrays, *beside], schema=SCHEMA)


def _array(values: Sequence[Any], kind: ColumnType) -> Array:
    if isinstance(values, ArrowColumn):
        return values.array
    match kind:
        case "timestamp":
            return Array(values, _INT64).cast(ARROW_TYPES[kind])
        case "array<string>":
            lists = values if isinstance(values, Ragged) else Ragged.of(values)
            mask = Array([not length for length in lists.lengths], _BOOL)
            return list_array(Array(lists.offsets, _INT32), Array(lists.values, _TEXT), type=ARROW_TYPES[kind], mask=mask)
        case _:
            return Array(values, ARROW_TYPES[kind])
