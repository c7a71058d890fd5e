"""A log of events in each account and Region, such as calls, invocations and messages. Many threads write while others read."""

from collections import deque


class AccountLog[Entry]:
    """The latest entries of each account in each Region. Bounded, so that a demo which runs for days does not grow."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._by_place: dict[tuple[str, str], deque[Entry]] = {}

    def add(self, account: str, region: str, entry: Entry) -> None:
        """Add an entry."""
        self._by_place.setdefault((account, region), deque(maxlen=self._most)).append(entry)

    def of(self, account: str, region: str) -> list[Entry]:
        """Return an account's entries in a Region, the oldest first."""
        # A copy is made in one step; a walk would meet entries that are being added.
        return list(self._by_place.get((account, region), ()))

    def forget(self, account: str, region: str) -> None:
        """Forget an account's entries in a Region."""
        self._by_place.pop((account, region), None)

    def clear(self) -> None:
        """Forget all."""
        self._by_place.clear()
