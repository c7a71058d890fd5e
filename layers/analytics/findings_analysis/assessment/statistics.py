"""How many and how bad: counted batch by batch; what was counted of several parts of a report can be merged.

Findings that are closed or suppressed are counted by their status alone: everything else speaks of what is open.
"""

from __future__ import annotations

import heapq
import itertools
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from findings_analysis.reading.errors import TooLargeError
from findings_analysis.reading.resource_names import read_names
from findings_analysis.reading.schema import COUNTED_NAMES, OWNER_COLUMN, Ragged
from findings_exporter.model.taxonomy import NOT_OPEN, SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from findings_analysis.reading.schema import Batch

NO_VALUE = "NO_VALUE"
"""Stands for a value that a finding does not have: network and code findings have neither fix nor exploit."""
AGE_BANDS = ("0-7", "8-30", "31-90", ">90")
"""Whole days since a finding was first observed, at the run's start; one that is from after it is 0 days old."""
EPSS_BANDS = ("<0.01", "0.01-0.1", "0.1-0.5", ">=0.5")
"""From the lower bound on, to below the upper one."""
TOP_SHOWN = 20
MOST_NAME_BYTES = 256 << 20
"""Of each kind of names; a million images have some 250 MB. The function has 1,769 MB."""
NAME_ENTRY_BYTES = 100
"""Of a dictionary's entry beside the name's letters."""

_DAY_MS = 86_400_000
_AGE_LIMITS_DAYS = (8, 31, 91)
_EPSS_LIMITS = (0.01, 0.1, 0.5)
_KINDS = ("severity", "type", "resource_type", "fix_available", "exploit_available")
_COUNTED_TOGETHER = (*_KINDS, OWNER_COLUMN.name)
_SEVERITY, _AGE, _EPSS = 0, -2, -1
"""Where a combination has them: first the kinds, then the bands as numbers, of which age has the oldest first."""
_AGE_PLACES = {band: place for place, band in enumerate(reversed(AGE_BANDS))}


class Tally:
    """How many findings each name has, exactly.

    Parameters
    ----------
    what
        The names' kind in plural, for the error.
    most_bytes
        Of the names: they come from a report, and may be of any number and length.
    """

    def __init__(self, what: str, most_bytes: int = MOST_NAME_BYTES) -> None:
        self.counts: Counter[str] = Counter()
        self._what, self._most_bytes = what, most_bytes
        self._bytes = 0
        """Not less than the letters of the names, and what a dictionary needs for each."""

    def add(self, names: Iterable[str]) -> None:
        """Count each name once, or as often as a mapping says.

        Raises
        ------
        TooLargeError
            They are more than memory holds.
        """
        names = names if isinstance(names, Mapping) else list(names)
        known = len(self.counts)
        self.counts.update(names)
        if new := len(self.counts) - known:
            self._bytes += new * (NAME_ENTRY_BYTES + max(map(len, names)))
            if self._bytes > self._most_bytes:
                self._bytes = sum(NAME_ENTRY_BYTES + len(name) for name in self.counts)
            if self._bytes > self._most_bytes:
                raise TooLargeError(
                    f"it names {len(self.counts):,} different {self._what}, which need more than {self._most_bytes:,} bytes"
                )

    def top(self, shown: int = TOP_SHOWN) -> list[dict[str, Any]]:
        """Return the most frequent names."""
        return top(self.counts, shown)


def top(counts: Mapping[str, int], shown: int = TOP_SHOWN) -> list[dict[str, Any]]:
    """Return the most frequent names; equally frequent ones by name."""
    ranked = heapq.nsmallest(shown, counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return [{"name": name, "findings": count} for name, count in ranked]


class Statistics:
    """What is counted of a report.

    Parameters
    ----------
    now_ms
        The run's start in epoch milliseconds: ages are of that time.
    """

    def __init__(self, now_ms: int) -> None:
        self.total = 0
        self.statuses: Counter[tuple[str | None, str | None]] = Counter()
        """Findings by status and owner."""
        self.kinds: defaultdict[tuple[str | None, ...], int] = defaultdict(itertools.count().__next__)
        """A number for each combination of the kinds: there are some hundred."""
        self.combinations: Counter[tuple[int, int, int | None]] = Counter()
        """Findings by number of the kinds, band of age and band of EPSS: counting once is quicker than eight times."""
        self.accounts: Counter[tuple[str | None, str | None]] = Counter()
        """Findings by account and owner."""
        self.tallies = {kind: Tally(kind) for kind in ("resources", "vulnerabilities", "packages")}
        oldest = [now_ms - days * _DAY_MS for days in reversed(_AGE_LIMITS_DAYS)]
        # What was first observed at a limit, or before it, is too old for the band.
        self._age_place = partial(bisect_left, oldest)

    def add(self, batch: Batch) -> None:
        """Count a batch; it needs :data:`~findings_analysis.reading.schema.COUNTED_NAMES` and the owner."""
        statuses = batch["status"]
        self.total += len(statuses)
        self.statuses.update(zip(statuses, batch[OWNER_COLUMN.name], strict=True))
        if not NOT_OPEN.isdisjoint(statuses):
            are_open = [status not in NOT_OPEN for status in statuses]
            batch = {name: list(itertools.compress(batch[name], are_open)) for name in (*COUNTED_NAMES, OWNER_COLUMN.name)}
        ages = map(self._age_place, batch["first_observed_at"])
        scores = [None if score is None else bisect_right(_EPSS_LIMITS, score) for score in batch["epss_score"]]
        kinds = map(self.kinds.__getitem__, zip(*[batch[name] for name in _COUNTED_TOGETHER], strict=True))
        self.combinations.update(zip(kinds, ages, scores, strict=True))
        self.accounts.update(zip(batch["account_id"], batch[OWNER_COLUMN.name], strict=True))
        self.tallies["resources"].add(filter(None, batch["resource_id"]))
        self.tallies["resources"].add(_flat(batch["further_resource_ids"]))
        self.tallies["vulnerabilities"].add(filter(None, batch["vulnerability_id"]))
        self.tallies["packages"].add(_flat(batch["package_names"]))

    def merge(self, other: Statistics) -> None:
        """Add what was counted of other findings at the same time."""
        self.total += other.total
        self.statuses.update(other.statuses)
        self.accounts.update(other.accounts)
        kinds = list(other.kinds)
        for (number, age, score), count in other.combinations.items():
            self.combinations[self.kinds[kinds[number]], age, score] += count
        for kind, tally in other.tallies.items():
            self.tallies[kind].add(tally.counts)

    def to_stored(self) -> dict[str, Any]:
        """Return what was counted, so that JSON can hold it; :meth:`from_stored` reads it."""
        kinds = list(self.kinds)
        return {
            "total": self.total,
            "statuses": [[*key, count] for key, count in self.statuses.items()],
            "accounts": [[*key, count] for key, count in self.accounts.items()],
            "combinations": [[kinds[number], age, score, n] for (number, age, score), n in self.combinations.items()],
            "tallies": {kind: tally.counts for kind, tally in self.tallies.items()},
        }

    @classmethod
    def from_stored(cls, now_ms: int, stored: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_stored` returned."""
        made = cls(now_ms)
        made.total = stored["total"]
        made.statuses.update({(status, owner): count for status, owner, count in stored["statuses"]})
        made.accounts.update({(account, owner): count for account, owner, count in stored["accounts"]})
        for kinds, age, score, count in stored["combinations"]:
            made.combinations[made.kinds[tuple(kinds)], age, score] += count
        for kind, counts in stored["tallies"].items():
            made.tallies[kind].add(counts)
        return made

    @property
    def open(self) -> int:
        """Open findings."""
        return sum(count for (status, _), count in self.statuses.items() if status not in NOT_OPEN)

    def by_owner(self) -> dict[str, Statistics]:
        """Return what was counted of each owner, without the most frequent names; nothing where there are no owners."""
        found: defaultdict[str, Statistics] = defaultdict(lambda: Statistics(0))
        for (status, owner), count in self.statuses.items():
            if owner is not None:
                found[owner].statuses[status, None] += count
                found[owner].total += count
        for (account, owner), count in self.accounts.items():
            if owner is not None:
                found[owner].accounts[account, None] += count
        kinds = list(self.kinds)
        for (number, age, score), count in self.combinations.items():
            *others, owner = kinds[number]
            if owner is not None:
                each = found[owner]
                each.combinations[each.kinds[*others, None], age, score] += count
        return dict(found)

    def by(self, kind: str) -> dict[str, int]:
        """Return findings by one of the kinds, the most frequent first, severities by their weight."""
        counts = self._by(_KINDS.index(kind))
        return _named(counts, SEVERITIES if kind == "severity" else ())

    def to_dict(self, duplicates: int = 0) -> dict[str, Any]:
        """Return all counts in the form of ``analysis.json``: the report's statuses, and all else of open findings alone.

        Parameters
        ----------
        duplicates
            How many findings the report had again, which are not counted.
        """
        ages, scores = self._by(_AGE), self._by(_EPSS)
        return {
            "total": self.total,
            "open": self.open,
            "duplicates": duplicates,
            "by_status": _named(_first(self.statuses)),
            **{f"by_{kind}": self.by(kind) for kind in _KINDS},
            "by_account": _named(_first(self.accounts)),
            "by_age": {band: ages[_AGE_PLACES[band]] for band in AGE_BANDS},
            "by_age_and_severity": {band: _named(self._by(_SEVERITY, _AGE_PLACES[band]), SEVERITIES) for band in AGE_BANDS},
            "by_epss": {band: scores[place] for place, band in enumerate(EPSS_BANDS)} | {NO_VALUE: scores[None]},
            "top": {
                "resources": self.tallies["resources"].top(),
                "repositories": top(_repositories(self.tallies["resources"].counts)),
                "vulnerabilities": self.tallies["vulnerabilities"].top(),
                "packages": self.tallies["packages"].top(),
            },
        }

    def _by(self, place: int, age_place: int | None = None) -> Counter[Any]:
        """Return findings by what stands at a place of the combinations; of all ages, or of one band."""
        counts: Counter[Any] = Counter()
        kinds = list(self.kinds)
        for (number, *bands), findings in self.combinations.items():
            combination = (*kinds[number], *bands)
            if age_place in {None, combination[_AGE]}:
                counts[combination[place]] += findings
        return counts


def _repositories(resources: Counter[str]) -> Counter[str]:
    found: Counter[str] = Counter()
    for resource_id, count in resources.items():
        # Each is asked for once: remembering it would only take memory.
        if repository := read_names(resource_id).repository:
            found[repository] += count
    return found


def _first(counts: Mapping[tuple[str | None, str | None], int]) -> Counter[str | None]:
    found: Counter[str | None] = Counter()
    for (name, _), count in counts.items():
        found[name] += count
    return found


def _flat(lists: Sequence[Any]) -> Iterable[str]:
    values = lists.values if isinstance(lists, Ragged) else [value for values in lists if values for value in values]
    return filter(None, values)


def _named(counts: Counter[str | None], order: Sequence[str] = ()) -> dict[str, int]:
    by_name: Counter[str] = Counter()
    for name, count in counts.items():
        by_name[name or NO_VALUE] += count
    known = {name: by_name[name] for name in order if by_name[name]}
    rest = sorted(((name, count) for name, count in by_name.items() if name not in known), key=lambda e: (-e[1], e[0]))
    return known | dict(rest)
