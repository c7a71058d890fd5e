"""A findings report in JSON, read once as a stream."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from findings_analysis.reading.json_elements import MAX_ELEMENT_BYTES, Decoder, Readable, elements
from findings_analysis.reading.json_findings import counted_decoder, full_decoder
from findings_analysis.reading.schema import BATCH_ROWS, Batch

BUFFER_BYTES = 1 << 20
"""A batch costs as much as some hundred rows, so it should have some hundreds; what is decoded should stay in the cache."""


def read_json(
    stream: Readable,
    *,
    counted_only: bool = False,
    unreadable: Counter[str] | None = None,
    buffer_bytes: int = BUFFER_BYTES,
    max_element_bytes: int = MAX_ELEMENT_BYTES,
) -> Iterator[Batch]:
    """Give a report's findings, flattened.

    Parameters
    ----------
    stream
        The report, from its first byte.
    counted_only
        Whether :data:`~findings_analysis.reading.schema.COUNTED_NAMES` are enough; else all columns are given.
    unreadable
        Takes, by column, how many values could not be read; they are None. What findings are counted by is not among them:
        an unreadable ARN, type, severity, status or first time seen is an error.
    buffer_bytes, max_element_bytes
        See :func:`~findings_analysis.reading.json_elements.elements`. Memory is a small multiple of the buffer.

    Yields
    ------
    Batch
        1 to :data:`~findings_analysis.reading.schema.BATCH_ROWS` findings.

    Raises
    ------
    MalformedReportError
        The report ends too early, or is none; it says at which byte and after how many findings.
    """
    unreadable = Counter() if unreadable is None else unreadable
    decoder: Decoder[Any, Batch] = counted_decoder(unreadable) if counted_only else full_decoder(unreadable)
    for batch in elements(stream, decoder, buffer_bytes=buffer_bytes, max_element_bytes=max_element_bytes):
        rows = len(batch["severity"])
        if rows <= BATCH_ROWS:
            yield batch
        else:
            for begin in range(0, rows, BATCH_ROWS):
                yield {name: values[begin : begin + BATCH_ROWS] for name, values in batch.items()}
