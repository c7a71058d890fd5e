"""A findings report in JSON, read once as a stream."""

from collections import Counter
from collections.abc import Iterator

from findings_analysis.reading.json_elements import MAX_ELEMENT_BYTES, ElementError, Readable, cleaned, elements
from findings_analysis.reading.json_findings import FindingDecoder
from findings_analysis.reading.schema import BATCH_ROWS, Batch

BUFFER_BYTES = 8 << 20
"""Some 2,800 findings: a batch costs as much as some hundred of them, here and in Parquet."""


def read_json(
    stream: Readable,
    *,
    unreadable: Counter[str] | None = None,
    buffer_bytes: int = BUFFER_BYTES,
    max_element_bytes: int = MAX_ELEMENT_BYTES,
) -> Iterator[Batch]:
    """Give a report's findings, flattened.

    Parameters
    ----------
    stream
        The report, from its first byte.
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
    for batch in elements(stream, FindingDecoder(unreadable), buffer_bytes=buffer_bytes, max_element_bytes=max_element_bytes):
        rows = len(batch["severity"])
        if rows <= BATCH_ROWS:
            yield batch
        else:
            for begin in range(0, rows, BATCH_ROWS):
                yield {name: values[begin : begin + BATCH_ROWS] for name, values in batch.items()}


def is_finding(element: bytes) -> bool:
    """Return whether :func:`read_json` would read this as a finding."""
    try:
        FindingDecoder(Counter()).one(cleaned(element))
    except ElementError:
        return False
    return True
