"""A part's bytes as a report of its own."""

from findings_analysis.parts.part import Part
from findings_analysis.reading.errors import MalformedReportError
from findings_analysis.reading.json_elements import Readable

JSON_HEAD, JSON_TAIL = b'{"findings":[', b"]}"
COMMA = b","


class Framed:
    """A stream with other bytes before and behind it."""

    def __init__(self, head: bytes, stream: Readable, tail: bytes) -> None:
        self._head, self._stream, self._tail = memoryview(head), stream, memoryview(tail)

    def readinto(self, buffer: memoryview) -> int:
        """Fill the buffer, or a part of it, and return how many bytes that were; 0 is the end."""
        if self._head:
            count, self._head = _moved(self._head, buffer)
            return count
        if count := self._stream.readinto(buffer) or 0:
            return count
        count, self._tail = _moved(self._tail, buffer)
        return count


def _moved(piece: memoryview, buffer: memoryview) -> tuple[int, memoryview]:
    count = min(len(piece), len(buffer))
    buffer[:count] = piece[:count]
    return count, piece[count:]


def as_csv(stream: Readable, part: Part, header: bytes) -> Framed:
    """Return a part of a CSV report as a report of its own, with the report's header."""
    return Framed(header if part.begin else b"", stream, b"")


def as_json(stream: Readable, part: Part, size_bytes: int) -> Framed:
    """Return a part of a JSON report as a report of its own.

    Raises
    ------
    MalformedReportError
        It does not begin with the comma between two findings.
    """
    if part.begin:
        first = memoryview(bytearray(1))
        if not stream.readinto(first) or first != COMMA:
            raise MalformedReportError("',' was expected", findings=0, offset=0)
    return Framed(JSON_HEAD if part.begin else b"", stream, JSON_TAIL if part.end < size_bytes else b"")


def in_report(error: MalformedReportError, part: Part) -> MalformedReportError:
    """Return an error about a part read as a report of its own as one about the report."""
    if not part.begin:
        return error
    offset = None if error.offset is None else part.begin + len(COMMA) + max(error.offset - len(JSON_HEAD), 0)
    return MalformedReportError(error.reason, findings=error.findings, offset=offset, row=error.row, part_begins=part.begin)
