"""Sorting the fingerprints of a part, merging those of several, and walking two sorted runs side by side.

Everything is in blocks (lists of records), since Python sorts, slices and compares lists in C.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from findings_analysis.reading.errors import AnalysisError

MOST_IN_MEMORY = 4_000_000
"""Fingerprints of one part (80 bytes each): more than twice as many as a part of a report of the shortest real findings has."""
BLOCK_RECORDS = 16_384


class TooManyFindingsError(AnalysisError):
    """A part of a report has more findings than memory holds."""


class SortedFingerprints:
    """Takes fingerprints in any order and gives them back sorted, as often as they are asked for."""

    def __init__(self, most: int = MOST_IN_MEMORY, block_records: int = BLOCK_RECORDS) -> None:
        self._most, self._block_records = most, block_records
        self._fingerprints: list[bytes] = []
        self._is_sorted = True

    def __len__(self) -> int:
        return len(self._fingerprints)

    def add(self, fingerprints: list[bytes]) -> None:
        """Take some fingerprints.

        Raises
        ------
        TooManyFindingsError
            They are more than memory holds.
        """
        self._fingerprints += fingerprints
        self._is_sorted = False
        if len(self._fingerprints) > self._most:
            raise TooManyFindingsError(f"more than {self._most:,} findings stand where some hundred thousand were expected")

    def blocks(self) -> Iterator[list[bytes]]:
        """Return all fingerprints, sorted, in blocks that are not empty."""
        if not self._is_sorted:
            self._fingerprints.sort()
            self._is_sorted = True
        each = self._block_records
        return (self._fingerprints[start : start + each] for start in range(0, len(self._fingerprints), each))


def merged(streams: Iterable[Iterator[list[bytes]]]) -> Iterator[list[bytes]]:
    """Merge sorted streams of blocks into one.

    Whatever is not past the nearest end of a stream's block is complete; sorting what is a few sorted pieces side by side
    is a merge in C.
    """
    fronts = [(block, stream) for stream in streams if (block := next(stream, []))]
    while fronts:
        bound = min(block[-1] for block, _ in fronts)
        ready: list[bytes] = []
        left = []
        for block, stream in fronts:
            end = bisect_right(block, bound)
            ready += block[:end]
            if rest := block[end:] or next(stream, []):
                left.append((rest, stream))
        fronts = left
        ready.sort()
        yield ready


@dataclass(frozen=True, slots=True)
class Window:
    """The records of two runs within one range of keys: groups are whole.

    Attributes
    ----------
    previous, following
        This run's neighbours of the window, empty at the ends: what lies on its edges.
    """

    baseline: list[bytes]
    current: list[bytes]
    previous: bytes
    following: bytes


@dataclass(slots=True)
class _Feed:
    stream: Iterator[list[bytes]]
    records: list[bytes] = field(default_factory=list)
    has_ended: bool = False

    def pull(self) -> None:
        block = next(self.stream, None)
        if block is None:
            self.has_ended = True
        else:
            self.records += block

    def take(self, bound: bytes | None) -> list[bytes]:
        end = len(self.records) if bound is None else bisect_left(self.records, bound)
        taken = self.records[:end]
        del self.records[:end]
        return taken


def windows(baseline: Iterator[list[bytes]], current: Iterator[list[bytes]], group: slice) -> Iterator[Window]:
    """Walk two sorted runs side by side.

    Parameters
    ----------
    group
        The first bytes of a record that identify its group. All records of a group come in one window.
    """
    feeds = before, after = _Feed(baseline), _Feed(current)
    previous = b""
    while True:
        for feed in feeds:
            if not feed.records and not feed.has_ended:
                feed.pull()
        # Of a run that goes on, the last group may go on too: it waits for the next window.
        bound = min((feed.records[-1][group] for feed in feeds if not feed.has_ended), default=None)
        taken_baseline, taken_current = before.take(bound), after.take(bound)
        if taken_baseline or taken_current:
            yield Window(taken_baseline, taken_current, previous, after.records[0] if after.records else b"")
            previous = taken_current[-1] if taken_current else previous
        elif bound is None:
            return
        else:
            for feed in feeds:
                if not feed.has_ended and feed.records[-1][group] == bound:
                    feed.pull()
