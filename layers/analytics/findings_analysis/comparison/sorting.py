"""Sorting the fingerprints of a part, merging those of several, and walking two sorted runs side by side.

Everything is in blocks (lists of records), since Python sorts, slices and compares lists in C.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from heapq import heapify, heappop, heapreplace

from findings_analysis.reading.errors import TooLargeError

MOST_IN_MEMORY = 4_000_000
"""Fingerprints of one part, 80 bytes each: 320 MB. A part of 512 MiB with findings of 500 bytes has a million."""
SORTED_BLOCK = 16_384
MERGED_AT_ONCE = 8_192
"""So many records are read of several streams, at least, before they are sorted together."""


class SortedFingerprints:
    """Takes fingerprints in any order and gives them back sorted, as often as they are asked for."""

    def __init__(self, most: int = MOST_IN_MEMORY, block_records: int = SORTED_BLOCK) -> None:
        self._most, self._block_records = most, block_records
        self._fingerprints: list[bytes] = []
        self._is_sorted = True

    def add(self, fingerprints: list[bytes]) -> None:
        """Take some fingerprints.

        Raises
        ------
        TooLargeError
            They are more than memory holds.
        """
        self._fingerprints += fingerprints
        self._is_sorted = False
        if len(self._fingerprints) > self._most:
            raise TooLargeError(f"more than {self._most:,} findings stand where some hundred thousand were expected")

    def blocks(self) -> Iterator[list[bytes]]:
        """Return all fingerprints, sorted, in blocks that are not empty."""
        if not self._is_sorted:
            self._fingerprints.sort()
            self._is_sorted = True
        each = self._block_records
        return (self._fingerprints[start : start + each] for start in range(0, len(self._fingerprints), each))


def merged(streams: Iterable[Iterator[list[bytes]]]) -> Iterator[list[bytes]]:
    """Merge sorted streams of blocks into one.

    Holds one block of each stream, and what it reads for the next block that it yields. That one has some thousands of records
    even where the streams are many and their blocks small: how many streams there are costs little.
    """
    held: list[bytes] = []
    ends: list[tuple[bytes, int, Iterator[list[bytes]]]] = []  # the last record that was read of each stream, as a heap
    for number, stream in enumerate(streams):
        if block := next(stream, []):
            held += block
            ends.append((block[-1], number, stream))
    heapify(ends)
    while ends:
        wanted = len(held) + MERGED_AT_ONCE
        while ends and len(held) < wanted:
            _, number, stream = ends[0]
            if block := next(stream, []):
                held += block
                heapreplace(ends, (block[-1], number, stream))
            else:
                heappop(ends)
        held.sort()  # of sorted pieces side by side, this is a merge in C
        # What comes later is not before the nearest of the streams' ends.
        complete = bisect_right(held, ends[0][0]) if ends else len(held)
        if complete:
            yield held[:complete]
            del held[:complete]


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
    at: int = 0  # what stands before it was taken
    has_ended: bool = False

    def is_empty(self) -> bool:
        return self.at == len(self.records)

    def pull(self) -> None:
        block = next(self.stream, None)
        if block is None:
            self.has_ended = True
            return
        del self.records[: self.at]
        self.at = 0
        self.records += block

    def take(self, bound: bytes | None) -> list[bytes]:
        end = len(self.records) if bound is None else bisect_left(self.records, bound, self.at)
        taken = self.records[self.at : end]
        self.at = end
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
            if feed.is_empty() and not feed.has_ended:
                feed.pull()
        # Of a run that goes on, the last group may go on too: it waits for the next window.
        bound = min((feed.records[-1][group] for feed in feeds if not feed.has_ended), default=None)
        taken_baseline, taken_current = before.take(bound), after.take(bound)
        if taken_baseline or taken_current:
            yield Window(taken_baseline, taken_current, previous, b"" if after.is_empty() else after.records[after.at])
            previous = taken_current[-1] if taken_current else previous
        elif bound is None:
            return
        else:
            for feed in feeds:
                if not feed.has_ended and feed.records[-1][group] == bound:
                    feed.pull()
