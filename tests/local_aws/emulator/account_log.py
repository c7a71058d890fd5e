"""A log of events for each account, such as calls, invocations and messages. Many threads write while others read."""

from collections import deque


class AccountLog[Entry]:
    """The latest entries of each account. Bounded, so that a demo which runs for days does not grow."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._by_account: dict[str, deque[Entry]] = {}

    def add(self, account: str, entry: Entry) -> None:
        """Add an entry."""
        self._by_account.setdefault(account, deque(maxlen=self._most)).append(entry)

    def of(self, account: str) -> list[Entry]:
        """Return an account's entries, the oldest first."""
        # A copy is made in one step; a walk would meet entries that are being added.
        return list(self._by_account.get(account, ()))

    def forget(self, account: str) -> None:
        """Forget an account's entries."""
        self._by_account.pop(account, None)

    def clear(self) -> None:
        """Forget all."""
        self._by_account.clear()
