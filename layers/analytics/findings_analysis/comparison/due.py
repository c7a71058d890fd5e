"""Due dates of open findings, counted in the walk through a run's fingerprints.

Due is the day on which a finding was first seen (ours: it survives the rebuild of an image), plus the days of its severity. It is
overdue after that day, and due soon on that day and the seven before. Where the first-seen day is not known, neither is the due
date, and it is counted apart.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import NamedTuple

from findings_analysis.comparison.fingerprints import EXACT, FIRST_SEEN, MARKS, NOT_KNOWN, OWNER, RANKED, day, severity
from findings_exporter.model.due_dates import DUE_SOON_DAYS

MOST_OVERDUE_LISTED = 10


@dataclass(frozen=True, slots=True)
class DueDates:
    """What makes due dates of first-seen days.

    Attributes
    ----------
    days
        From first seen to due, by severity.
    today
        The run's day since 1970, in the deployment's time zone.
    before
        The baseline's; None without one.
    """

    days: Mapping[str, int]
    today: int
    before: int | None = None

    @property
    def today_on(self) -> str:
        """The run's day, ISO 8601."""
        return (date(1970, 1, 1) + timedelta(days=self.today)).isoformat()

    def due_on(self, fingerprint: bytes) -> int | None:
        """Return a finding's due day since 1970; None where it has none, or none that is known."""
        days, first_seen = self.days.get(severity(fingerprint)), fingerprint[FIRST_SEEN]
        return None if days is None or first_seen == NOT_KNOWN else day(first_seen) + days

    def is_due(self, word: str) -> bool:
        """Tell whether findings of a severity have due dates."""
        return word in self.days


class MostOverdue:
    """The findings that are overdue for longest; of equal ones the worst."""

    def __init__(self, most: int = MOST_OVERDUE_LISTED) -> None:
        self._most = most
        self._kept: list[tuple[int, int, bytes, bytes]] = []

    def add(self, due_on: int, fingerprint: bytes) -> None:
        """Take an overdue finding."""
        entry = (due_on, -fingerprint[MARKS], fingerprint[EXACT], fingerprint)
        if len(self._kept) < self._most or entry < self._kept[-1]:
            self._kept.append(entry)
            self._kept.sort()
            del self._kept[self._most :]

    def may_take(self, due_on: int) -> bool:
        """Tell whether a finding of a due day can be among them."""
        return len(self._kept) < self._most or due_on <= self._kept[-1][0]

    def fingerprints(self) -> list[bytes]:
        """Return them in order."""
        return [fingerprint for *_, fingerprint in self._kept]


class DueCount(NamedTuple):
    """Due findings of the report, or of one owner: by severity, or their number."""

    overdue: Counter[str]
    due_soon: Counter[str]
    newly_overdue: int
    unknown: int


@dataclass(slots=True)
class DueFindings:
    """What is due, by owner; the keys are the owners' bytes in the fingerprints."""

    dates: DueDates
    overdue: Counter[tuple[bytes, str]] = field(default_factory=Counter)
    due_soon: Counter[tuple[bytes, str]] = field(default_factory=Counter)
    newly_overdue: Counter[bytes] = field(default_factory=Counter)
    unknown: Counter[bytes] = field(default_factory=Counter)
    most_overdue: dict[bytes | None, MostOverdue] = field(default_factory=lambda: {None: MostOverdue()})
    """None stands for the whole report."""

    def add(self, fingerprints: Iterable[bytes]) -> None:
        """Take open findings, with the first-seen days that survived."""
        alike: dict[bytes, list[bytes]] = {}
        for each in fingerprints:
            alike.setdefault(each[MARKS:], []).append(each)
        for same in alike.values():
            first = same[0]
            owner, word = first[OWNER], severity(first)
            if not self.dates.is_due(word):
                continue
            due_on = self.dates.due_on(first)
            if due_on is None:
                self.unknown[owner] += len(same)
            elif due_on < self.dates.today:
                self._add_overdue(owner, word, due_on, same)
            elif due_on <= self.dates.today + DUE_SOON_DAYS:
                self.due_soon[owner, word] += len(same)

    def _add_overdue(self, owner: bytes, word: str, due_on: int, same: list[bytes]) -> None:
        self.overdue[owner, word] += len(same)
        if self.dates.before is not None and due_on >= self.dates.before:
            self.newly_overdue[owner] += len(same)
        for listed in (self.most_overdue[None], self.most_overdue.setdefault(owner, MostOverdue())):
            if listed.may_take(due_on):
                for each in same:
                    listed.add(due_on, each)

    def of(self, owner: bytes | None = None) -> DueCount:
        """Return what is due of an owner, or of the whole report."""

        def by_severity(counts: Counter[tuple[bytes, str]]) -> Counter[str]:
            found: Counter[str] = Counter()
            for (each, word), count in counts.items():
                if owner in {None, each}:
                    found[word] += count
            return Counter({word: found[word] for word in reversed(RANKED) if found[word]})

        def number(counts: Counter[bytes]) -> int:
            return counts.total() if owner is None else counts[owner]

        return DueCount(by_severity(self.overdue), by_severity(self.due_soon), number(self.newly_overdue), number(self.unknown))
