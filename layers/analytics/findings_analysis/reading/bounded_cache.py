"""What is made of values that come again and again, in bounded memory."""

from collections.abc import Callable, Hashable, Iterable
from sys import getsizeof

MOST_BYTES = 32 << 20
ENTRY_BYTES = 200
"""Of the dictionary itself, and of what is made."""


def size_of(value: object) -> int:
    """Return about how many bytes a text, or a tuple of texts, takes."""
    return getsizeof(value) + (sum(map(getsizeof, value)) if isinstance(value, tuple) else 0)


class Remembered[Value: Hashable, Made](dict[Value, Made]):
    """What is made of a value, by the value.

    Whole columns are looked up at once, since that happens in C. The bound is one of bytes, since values come from a report
    and may be of any length: beyond it everything is forgotten.

    Parameters
    ----------
    make
        What is made is a small multiple of its value at most, unless ``size`` says otherwise.
    size
        How many bytes a value and what is made of it take.
    """

    def __init__(
        self, make: Callable[[Value], Made], *, size: Callable[[Value], int] = size_of, most_bytes: int = MOST_BYTES
    ) -> None:
        super().__init__()
        self._make, self._size, self._most_bytes = make, size, most_bytes
        self.bytes = 0

    def __missing__(self, value: Value) -> Made:
        made = self._make(value)
        size = ENTRY_BYTES + self._size(value)
        if size > self._most_bytes:
            return made
        if self.bytes + size > self._most_bytes:
            self.clear()
            self.bytes = 0
        self.bytes += size
        self[value] = made
        return made

    def of(self, column: Iterable[Value]) -> list[Made]:
        """Return what is made of each value of a column."""
        return list(map(self.__getitem__, column))
