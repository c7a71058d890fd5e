"""Due dates of open findings, counted in the walk through a run's fingerprints.

Due is the day on which a finding was first seen (ours: it survives the rebuild of an image), plus the days of its severity. It is
overdue after that day, and due soon on that day and the seven before. Where the first-seen day is not known, neither is the due
date, and it is counted apart.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import NamedTuple

from findings_analysis.comparison.fingerprints import DATED, EXACT, FIRST_SEEN, MARKS, NOT_KNOWN, OWNER, RANKED, day, severity
from findings_exporter.model.due_dates import DUE_SOON_DAYS

MOST_OVERDUE_LISTED = 10
NO_STATE, IS_OVERDUE, IS_NEWLY_OVERDUE, IS_DUE_SOON, IS_UNKNOWN = range(5)
FAR = 1 << 30
"""A day that is never reached."""


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
        return self.due_day(severity(fingerprint), fingerprint[FIRST_SEEN])

    def due_day(self, word: str, first_seen: bytes) -> int | None:
        """Return the same of a severity and a first-seen day."""
        days = self.days.get(word)
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

    @property
    def latest(self) -> int:
        """The latest due day that can come in: of a list that is not full, any that is reached."""
        return self._kept[-1][0] if len(self._kept) == self._most else FAR - 1

    def fingerprints(self) -> list[bytes]:
        """Return them in order."""
        return [fingerprint for *_, fingerprint in self._kept]


class DueCount(NamedTuple):
    """Due findings of the report, or of one owner: by severity, or their number."""

    overdue: Counter[str]
    due_soon: Counter[str]
    newly_overdue: int
    unknown: int


class _State(NamedTuple):
    """What follows from a finding's severity and first-seen day.

    Attributes
    ----------
    counted
        Severity and state as two bytes: findings are counted by it.
    late_since
        The due day of one that is overdue; else a day that is never reached.
    due_on
        The due day in four bytes, 0 for none that is known.
    """

    counted: bytes
    late_since: int
    due_on: bytes


class _States(dict[bytes, _State]):
    """By :data:`~findings_analysis.comparison.fingerprints.DATED`: there are some thousand, for millions of findings."""

    def __init__(self, dates: DueDates) -> None:
        super().__init__()
        self._dates = dates

    def __missing__(self, dated: bytes) -> _State:
        word, first_seen, dates = RANKED[dated[0] >> 5], dated[FIRST_SEEN.start - DATED.start :], self._dates
        due_on = dates.due_day(word, first_seen)
        state, late_since = NO_STATE, FAR
        if due_on is None:
            state = IS_UNKNOWN if dates.is_due(word) else NO_STATE
        elif due_on < dates.today:
            is_new = dates.before is not None and due_on >= dates.before
            state, late_since = IS_NEWLY_OVERDUE if is_new else IS_OVERDUE, due_on
        elif due_on <= dates.today + DUE_SOON_DAYS:
            state = IS_DUE_SOON
        made = self[dated] = _State(bytes((dated[0] >> 5, state)), late_since, max(due_on or 0, 0).to_bytes(4))
        return made


@dataclass(slots=True)
class DueFindings:
    """What is due, by owner; the keys are the owners' bytes in the fingerprints."""

    dates: DueDates
    overdue: Counter[tuple[bytes, str]] = field(default_factory=Counter)
    due_soon: Counter[tuple[bytes, str]] = field(default_factory=Counter)
    newly_overdue: Counter[bytes] = field(default_factory=Counter)
    unknown: Counter[bytes] = field(default_factory=Counter)
    most_overdue_of: dict[bytes, MostOverdue] = field(default_factory=dict)
    _states: _States = field(init=False)

    def __post_init__(self) -> None:
        """Make ready."""
        self._states = _States(self.dates)

    def add(self, fingerprints: Sequence[bytes]) -> None:
        """Take open findings, with the first-seen days that survived."""
        states = self._states
        for counted, number in Counter([each[OWNER] + states[each[DATED]].counted for each in fingerprints]).items():
            self._count(counted[:-2], RANKED[counted[-2]], counted[-1], number)
        latest = {owner: listed.latest for owner, listed in self.most_overdue_of.items()}
        for each in [each for each in fingerprints if states[each[DATED]].late_since <= latest.get(each[OWNER], FAR - 1)]:
            self.most_overdue_of.setdefault(each[OWNER], MostOverdue()).add(states[each[DATED]].late_since, each)

    def _count(self, owner: bytes, word: str, state: int, number: int) -> None:
        if state in {IS_OVERDUE, IS_NEWLY_OVERDUE}:
            self.overdue[owner, word] += number
        if state == IS_NEWLY_OVERDUE:
            self.newly_overdue[owner] += number
        elif state == IS_DUE_SOON:
            self.due_soon[owner, word] += number
        elif state == IS_UNKNOWN:
            self.unknown[owner] += number

    def due_days(self, fingerprints: Sequence[bytes]) -> bytes:
        """Return the due days of findings, four bytes each, 0 for none that is known."""
        return b"".join([self._states[each[DATED]].due_on for each in fingerprints])

    def most_overdue(self, owner: bytes | None = None) -> list[bytes]:
        """Return the findings that are overdue for longest, of an owner or of the whole report."""
        if owner is not None:
            return self.most_overdue_of[owner].fingerprints() if owner in self.most_overdue_of else []
        # The report's are among those of its owners.
        together = MostOverdue()
        for listed in self.most_overdue_of.values():
            for each in listed.fingerprints():
                together.add(self._states[each[DATED]].late_since, each)
        return together.fingerprints()

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
