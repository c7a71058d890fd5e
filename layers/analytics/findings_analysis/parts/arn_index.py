"""The ARN hashes of a report of many parts, in some nine bytes each."""

import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from itertools import pairwise

from findings_analysis.comparison.identity import EXACT_BYTES

BUCKETS = 256
"""By the first byte of a hash: a bucket of fifty million has 200,000."""


class SortedArnIndex:
    """Knows which findings a report has, and which of them stand in several parts."""

    def __init__(self) -> None:
        self._collected: list[list[bytes]] = [[] for _ in range(BUCKETS)]
        self._sorted: list[array[int]] = []

    def add(self, arn_hashes: Iterable[bytes]) -> None:
        """Take the ARN hashes of a part, each once."""
        ordered = sorted(arn_hashes)
        ends = [bisect_left(ordered, bytes((first + 1,))) for first in range(BUCKETS - 1)]
        for bucket, begin, end in zip(self._collected, [0, *ends], [*ends, len(ordered)], strict=True):
            bucket.append(b"".join(ordered[begin:end]))

    def repeated(self, most: int) -> set[bytes] | None:
        """Make the index of what was added, and return the hashes that are in several parts; None beyond so many."""
        found: set[bytes] = set()
        for bucket in self._collected:
            numbers = array("Q", b"".join(bucket))
            bucket.clear()
            if sys.byteorder == "little":
                numbers.byteswap()
            ordered = sorted(numbers)
            if len(found) <= most:
                found |= {one.to_bytes(EXACT_BYTES) for one, two in pairwise(ordered) if one == two}
            self._sorted.append(array("Q", ordered))
        return found if len(found) <= most else None

    def present(self, arn_hashes: Iterable[bytes]) -> set[bytes]:
        """Return those of some ARN hashes that are in the report."""
        return {each for each in arn_hashes if self._has(self._sorted[each[0]], int.from_bytes(each))}

    @staticmethod
    def _has(bucket: "array[int]", number: int) -> bool:
        place = bisect_left(bucket, number)
        return place < len(bucket) and bucket[place] == number
