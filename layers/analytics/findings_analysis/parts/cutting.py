"""Where a report is cut: at places that stand between two findings.

A place is found by looking at the bytes around it, so it is a guess. What makes the cuts exact is the reading of the parts.
Reading from a true beginning is strict, so a part whose end is not between two findings leaves a text, a cell or a bracket open,
which is an error. The first part begins truly, and a part that is read without an error ends truly, where the next one begins:
so if every part is read, every cut was right. A wrong one fails the analysis; it never makes another report of it.

JSON is cut at the comma between two findings, ``},{``: it must be followed by a member's name and, after it, by a whole finding.
Within a text no such place exists, since the quote before the name would end the text; in a list within a finding the elements
are no findings. CSV is cut behind a line end from which on all rows, as far as is read, have as many cells as the header; one is
preferred from which on all quotes stand at a cell's edges, since texts from outside can look like rows.
"""

import re
from collections.abc import Callable, Iterator
from functools import partial

from findings_analysis.parts.part import Part
from findings_analysis.reading.csv_report import header_of, is_sound, leading_rows
from findings_analysis.reading.errors import MalformedReportError
from findings_analysis.reading.json_elements import MAX_ELEMENT_BYTES, first_element_end
from findings_analysis.reading.json_report import is_finding

MOST_PARTS = 300
"""A larger report has larger parts. The workflow's history has room for 25,000 events, some 14 a part that is tried twice; and
five parts at a time, each as long as its function may run, must end before the workflow does."""
SEARCH_BYTES = 1 << 20
"""So much is read behind a place where a cut should be: some 400 findings."""
MOST_SEARCH_BYTES = 3 * MAX_ELEMENT_BYTES
"""Where it holds no whole finding, more is read: findings may be as large as a third of this."""

SOUND_BYTES = 64 << 10
"""Of CSV, some thirty rows."""
PLACES_TRIED = 4
"""Places of each kind that are tried. One is enough unless a row has quotes within a cell that has none around it."""

type Read = Callable[[int, int], bytes]
"""Returns the report's bytes from the first place to before the second one."""
type Find = Callable[[bytes], int | None]
"""Returns where the first cut in some bytes is, if there is one."""

_LINE_ENDS = re.compile(rb"\n(?:\r?\n)*+")
_COMMA = re.compile(rb'\}[ \t\r\n]*+(,)[ \t\r\n]*+(?=\{[ \t\r\n]*+"[A-Za-z\\])')


def cut(read: Read, size_bytes: int, part_bytes: int, report_format: str) -> list[Part]:
    """Cut a report into parts of about a size.

    Parameters
    ----------
    read
        From the report; some megabytes a part are read.
    part_bytes
        A part has about as many bytes; more where there would be more parts than :data:`MOST_PARTS`.

    Returns
    -------
    list of Part
        One at least. They are all of the report.

    Raises
    ------
    MalformedReportError
        Behind a place no two findings follow one another, though as much was read as two findings take.
    """
    find = partial(_csv_cut, csv_header(read, size_bytes)[1]) if report_format == "CSV" else _json_cut
    ends = list(_ends(read, find, size_bytes, max(part_bytes, -(-size_bytes // MOST_PARTS))))
    return [Part(number, begin, end) for number, (begin, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True), 1)]


def _ends(read: Read, find: Find, size_bytes: int, part_bytes: int) -> Iterator[int]:
    number = -(-size_bytes // part_bytes)
    last = 0
    for place in range(1, number):
        # Evenly, so that no part is much longer than the others.
        end = _first_cut(read, find, max(size_bytes * place // number, last), size_bytes)
        if end is None:
            break
        if end > last:
            yield end
            last = end
    yield size_bytes


def _first_cut(read: Read, find: Find, begin: int, size_bytes: int) -> int | None:
    """Return the first cut at a place or behind it; None where the report ends before."""
    search_bytes = SEARCH_BYTES
    while True:
        end = min(begin + search_bytes, size_bytes)
        found = find(read(begin, end))
        if found is not None:
            return begin + found
        if end == size_bytes:
            return None
        if search_bytes >= MOST_SEARCH_BYTES:
            raise MalformedReportError(f"no finding was found in {search_bytes:,} bytes", findings=None, offset=begin)
        search_bytes = min(4 * search_bytes, MOST_SEARCH_BYTES)


def _json_cut(content: bytes) -> int | None:
    for match in _COMMA.finditer(content):
        begin = match.end()
        end = first_element_end(content, begin)
        if end is not None and is_finding(content[begin:end]):
            return match.start(1)
    return None


def csv_header(read: Read, size_bytes: int) -> tuple[bytes, int]:
    """Return the header's row of a CSV report, and the number of its cells.

    Raises
    ------
    MalformedReportError
        It is none.
    """
    search_bytes = SEARCH_BYTES
    while (header := header_of(read(0, min(search_bytes, size_bytes)))) is None and search_bytes < min(
        size_bytes, MOST_SEARCH_BYTES
    ):
        search_bytes = min(4 * search_bytes, MOST_SEARCH_BYTES)
    if header is None:
        raise MalformedReportError("its end cannot be found", findings=0, row=1)
    return header


def _csv_cut(cells: int, content: bytes) -> int | None:
    candidates = list(_line_ends(content))
    # A text with line ends and commas can be made to look like rows, but hardly with all of its quotes at a cell's edges.
    for is_likely in (is_sound, lambda _: True):
        for begin in candidates:
            if is_likely(content[begin : begin + SOUND_BYTES]):
                found = leading_rows(content[begin:], cells)
                if found is not None and found[0]:
                    return begin
    return None


def _line_ends(content: bytes) -> Iterator[int]:
    """Give places behind line ends: the first few with an even number of quotes before them, and the first few with an odd one.

    With the one or the other number a place is outside of quotes. Of empty lines the last one counts.
    """
    left = {0: PLACES_TRIED, 1: PLACES_TRIED}
    quotes = position = 0
    while any(left.values()) and (line_end := _LINE_ENDS.search(content, position)):
        quotes += content.count(b'"', position, line_end.start())
        position = line_end.end()
        if left[quotes % 2]:
            left[quotes % 2] -= 1
            yield position
