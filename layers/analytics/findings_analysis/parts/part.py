"""A part of a report: a range of its bytes that ends between two findings."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Part:
    """A range of a report's bytes.

    Attributes
    ----------
    number
        From 1.
    begin, end
        Bytes from begin to before end. The first part begins at 0, each next one where the one before ends, and the last one ends
        with the report.
    """

    number: int
    begin: int
    end: int

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Read a part from an event."""
        return cls(int(fields["number"]), int(fields["begin"]), int(fields["end"]))

    def to_dict(self) -> dict[str, int]:
        """Return the part as it is in events."""
        return asdict(self)


def are_whole(parts: Sequence[Part], size_bytes: int) -> bool:
    """Tell whether parts are all of a report, in order."""
    begins, ends = [part.begin for part in parts], [part.end for part in parts]
    numbers = [part.number for part in parts]
    return (
        numbers == list(range(1, len(parts) + 1))
        and begins == [0, *ends[:-1]]
        and ends[-1:] == [size_bytes]
        and all(part.begin < part.end for part in parts)
    )
