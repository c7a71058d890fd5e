"""How many and how bad: counted batch by batch, in memory that does not grow with the report.

Findings that are closed or suppressed are counted by their status alone: everything else speaks of what is open.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from functools import partial
from typing import TYPE_CHECKING, Any

from findings_analysis.reading.resource_names import read_names
from findings_analysis.reading.schema import COUNTED_NAMES, Ragged
from findings_exporter.model.taxonomy import NOT_OPEN, SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from findings_analysis.reading.schema import Batch

NO_VALUE = "NO_VALUE"
"""Stands for a value that a finding does not have: network and code findings have neither fix nor exploit."""
AGE_BANDS = ("0-7", "8-30", "31-90", ">90")
"""Whole days since a finding was first observed, at the run's start; one that is from after it is 0 days old."""
EPSS_BANDS = ("<0.01", "0.01-0.1", "0.1-0.5", ">=0.5")
"""From the lower bound on, to below the upper one."""
TOP_ENTRIES = 50_000
"""So many names of each kind are counted exactly, and twice as many kept at most: some 25 MB for the ARNs of images."""
TOP_SHOWN = 20

_DAY_MS = 86_400_000
_AGE_LIMITS_DAYS = (8, 31, 91)
_EPSS_LIMITS = (0.01, 0.1, 0.5)
_KINDS = ("severity", "type", "resource_type", "fix_available", "exploit_available")
_SEVERITY, _AGE, _EPSS = 0, -2, -1
"""Where a combination has them: first the kinds, then the bands as numbers, of which age has the oldest first."""
_AGE_PLACES = {band: place for place, band in enumerate(reversed(AGE_BANDS))}


class Top:
    """The most frequent names: exact while they fit, then with a bound [Misra and Gries, Finding repeated elements, 1982].

    When there are twice as many names as may stay, the count of the first that may not stay is subtracted from all, and names
    without a rest are dropped. The count of a name that stays is too low by at most the sum of what was subtracted,
    :attr:`error`: at most the number of all that was counted, divided by ``entries``.

    Parameters
    ----------
    entries
        How many names may stay.
    forgotten
        Is called with how much is subtracted from each name.
    """

    def __init__(self, entries: int, forgotten: Callable[[Counter[str]], None] | None = None) -> None:
        self.counts: Counter[str] = Counter()
        self.error = 0
        self._entries = entries
        self._forgotten = forgotten

    def add(self, names: Iterable[str]) -> None:
        """Count each name once, or as often as a Counter says."""
        self.counts.update(names)
        if len(self.counts) > 2 * self._entries:
            self._shrink()

    def _shrink(self) -> None:
        taken = sorted(self.counts.values(), reverse=True)[self._entries]
        self.error += taken
        if self._forgotten:
            self._forgotten(Counter({name: min(count, taken) for name, count in self.counts.items()}))
        self.counts = Counter({name: count - taken for name, count in self.counts.items() if count > taken})

    def to_dict(self, shown: int = TOP_SHOWN) -> dict[str, Any]:
        """Return the most frequent names, whether their counts are exact, and by how much they may be too low."""
        ranked = sorted(self.counts.items(), key=lambda entry: (-entry[1], entry[0]))[:shown]
        return {
            "exact": not self.error,
            "too_low_by_at_most": self.error,
            "entries": [{"name": name, "findings": count} for name, count in ranked],
        }


class Statistics:
    """What is counted of a report.

    Parameters
    ----------
    now_ms
        The run's start in epoch milliseconds: ages are of that time.
    top_entries
        How many names of a kind are counted exactly; see :data:`TOP_ENTRIES`.
    """

    def __init__(self, now_ms: int, top_entries: int = TOP_ENTRIES) -> None:
        self.total = 0
        self.statuses: Counter[str | None] = Counter()
        self.kinds: defaultdict[tuple[str | None, ...], int] = defaultdict(itertools.count().__next__)
        """A number for each combination of the kinds: there are some hundred."""
        self.combinations: Counter[tuple[int, int, int | None]] = Counter()
        """Findings by number of the kinds, band of age and band of EPSS: counting once is quicker than eight times."""
        self.accounts: Counter[str | None] = Counter()
        self.repositories = Top(top_entries)
        self.resources = Top(top_entries, lambda taken: self.repositories.add(_repositories(taken)))
        self.vulnerabilities = Top(top_entries)
        self.packages = Top(top_entries)
        oldest = [now_ms - days * _DAY_MS for days in reversed(_AGE_LIMITS_DAYS)]
        # What was first observed at a limit, or before it, is too old for the band.
        self._age_place = partial(bisect_left, oldest)

    def add(self, batch: Batch) -> None:
        """Count a batch; it needs :data:`~findings_analysis.reading.schema.COUNTED_NAMES`."""
        statuses = batch["status"]
        self.total += len(statuses)
        self.statuses.update(statuses)
        if not NOT_OPEN.isdisjoint(statuses):
            rows = [row for row, status in enumerate(statuses) if status not in NOT_OPEN]
            batch = {name: [batch[name][row] for row in rows] for name in COUNTED_NAMES}
        ages = map(self._age_place, batch["first_observed_at"])
        scores = [None if score is None else bisect_right(_EPSS_LIMITS, score) for score in batch["epss_score"]]
        kinds = map(self.kinds.__getitem__, zip(*[batch[name] for name in _KINDS], strict=True))
        self.combinations.update(zip(kinds, ages, scores, strict=True))
        self.accounts.update(batch["account_id"])
        self.resources.add(filter(None, batch["resource_id"]))
        self.resources.add(_flat(batch["further_resource_ids"]))
        self.vulnerabilities.add(filter(None, batch["vulnerability_id"]))
        self.packages.add(_flat(batch["package_names"]))

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
            "open": sum(count for status, count in self.statuses.items() if status not in NOT_OPEN),
            "duplicates": duplicates,
            "by_status": _named(self.statuses),
            **{f"by_{kind}": self.by(kind) for kind in _KINDS},
            "by_account": _named(self.accounts),
            "by_age": {band: ages[_AGE_PLACES[band]] for band in AGE_BANDS},
            "by_age_and_severity": {band: _named(self._by(_SEVERITY, _AGE_PLACES[band]), SEVERITIES) for band in AGE_BANDS},
            "by_epss": {band: scores[place] for place, band in enumerate(EPSS_BANDS)} | {NO_VALUE: scores[None]},
            "top": {
                "resources": self.resources.to_dict(),
                "repositories": self._all_repositories().to_dict(),
                "vulnerabilities": self.vulnerabilities.to_dict(),
                "packages": self.packages.to_dict(),
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

    def _all_repositories(self) -> Top:
        # They are looked up where a resource is given up and at the end, not for each finding.
        all_repositories = Top(len(self.repositories.counts) + len(self.resources.counts))
        all_repositories.error = self.repositories.error
        all_repositories.add(self.repositories.counts)
        all_repositories.add(_repositories(self.resources.counts))
        return all_repositories


def _repositories(resources: Counter[str]) -> Counter[str]:
    found: Counter[str] = Counter()
    for resource_id, count in resources.items():
        # Each is asked for once: remembering it would only take memory.
        if repository := read_names(resource_id).repository:
            found[repository] += count
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
