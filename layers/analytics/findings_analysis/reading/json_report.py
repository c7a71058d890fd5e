"""A findings report in JSON, read once as a stream."""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain

from findings_analysis.reading.json_elements import MAX_ELEMENT_BYTES, ElementError, Readable, cleaned, elements
from findings_analysis.reading.json_findings import FindingDecoder
from findings_analysis.reading.schema import BATCH_ROWS, Batch, joined

BUFFER_BYTES = 1 << 20
"""Some hundred findings: what is decoded should stay in the processor's cache."""
JOINED = 12
"""So many decoded buffers make a batch at most: it costs as much as some hundred findings, here and in Parquet, and memory has a
bound however large the findings are."""


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
        See :func:`~findings_analysis.reading.json_elements.elements`. Memory is a multiple of the buffer.

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
    decoded = elements(stream, FindingDecoder(unreadable), buffer_bytes=buffer_bytes, max_element_bytes=max_element_bytes)
    yield from _joined(chain.from_iterable(map(_cut, decoded)))


def _cut(batch: Batch) -> Iterator[Batch]:
    """Give a batch in pieces that are not larger than one may be."""
    rows = len(batch["severity"])
    if rows <= BATCH_ROWS:
        yield batch
    else:
        for begin in range(0, rows, BATCH_ROWS):
            yield {name: values[begin : begin + BATCH_ROWS] for name, values in batch.items()}


def _joined(batches: Iterable[Batch]) -> Iterator[Batch]:
    """Give some batches as one, as long as it is not larger than one may be."""
    group: list[Batch] = []
    rows = 0
    for batch in batches:
        count = len(batch["severity"])
        if rows + count > BATCH_ROWS or len(group) == JOINED:
            yield _taken(group)
            rows = 0
        group.append(batch)
        rows += count
    if group:
        yield _taken(group)


def _taken(group: list[Batch]) -> Batch:
    """Return a group as one batch and leave the group empty, so that it does not live on beside it."""
    batch = joined(group)
    group.clear()
    return batch


def is_finding(element: bytes) -> bool:
    """Return whether :func:`read_json` would read this as a finding."""
    try:
        FindingDecoder(Counter()).one(cleaned(element))
    except ElementError:
        return False
    return True
