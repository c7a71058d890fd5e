"""What an analysis says of owners: the numbers and lists of each, which add up to the report's."""

from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from findings_analysis.assessment.priorities import MOST_OWNERS_LISTED, Priorities, Ranking
from findings_analysis.assessment.statistics import Statistics
from findings_analysis.comparison.difference import MOVED_AWAY, Changes
from findings_analysis.comparison.due import DueCount, DueFindings
from findings_analysis.comparison.fingerprints import NO_OWNER
from findings_analysis.comparison.identity import owner_hash, vulnerability_hash
from findings_analysis.comparison.watch import OpenFindings
from findings_analysis.output.entries import Entries
from findings_exporter.model.owner_rules import UNOWNED
from findings_exporter.model.taxonomy import APPEARED, KINDS, LISTED_KINDS, NO_LONGER_OPEN, SEVERITIES, STATUS_UNKNOWN

WORST_NEW_LISTED = 10
CHANGED = frozenset(KINDS[1:]) - {"unchanged_new_arn"} | {MOVED_AWAY}
"""Kinds that an owner is notified of."""


class Owned:
    """The findings of all owners.

    Parameters
    ----------
    statistics
        By owner, without those that have no finding in this report any more.
    changes
        None without a baseline.
    names
        Of this run's owners and of the baseline's, by their bytes in the fingerprints.
    in_rules
        Owners that a rule names, with findings or without.
    """

    def __init__(  # noqa: PLR0913 - the results of the stages
        self,
        statistics: Mapping[str, Statistics],
        priorities: Priorities,
        changes: Changes | None,
        open_findings: OpenFindings,
        entries: Entries,
        names: Mapping[bytes, str],
        in_rules: AbstractSet[str] = frozenset(),
    ) -> None:
        self.statistics, self.entries, self._in_rules = statistics, entries, in_rules
        self._priorities, self._changes, self._open_findings = priorities, changes, open_findings
        self._counts: dict[str, Counter[tuple[str, str]]] = {}
        """Changes by owner, then by kind and severity."""
        for (owner, kind, word), count in (changes.by_owner if changes else {}).items():
            self._counts.setdefault(names.get(owner, UNOWNED), Counter())[kind, word] += count
        self._ranked = sorted({*statistics, *self._counts}, key=lambda owner: (owner != UNOWNED, -self.open(owner), owner))

    def open(self, owner: str) -> int:
        """Return how many open findings an owner has."""
        return self.statistics[owner].open if owner in self.statistics else 0

    def listed(self) -> list[str]:
        """Return the owners with a page and a message: ``unowned``, then those with the most open findings, then by name."""
        return self._ranked[:MOST_OWNERS_LISTED]

    def left_out(self) -> list[str]:
        """Return the owners beyond."""
        return self._ranked[MOST_OWNERS_LISTED:]

    def has_changed(self, owner: str) -> bool:
        """Tell whether an owner has anything to be notified of."""
        counts = self.change_counts([owner])
        due = self._due([owner])
        return bool(counts and any(counts[kind] for kind in CHANGED)) or bool(due and due["newly_overdue"])

    def has_vanished(self, owner: str) -> bool:
        """Tell whether an owner is not one any more: no rule names it, and all that it had has other owners now."""
        if owner in self._in_rules or owner == UNOWNED or owner in self.statistics:
            return False
        counts = self.change_counts([owner]) or {}
        # What is missing, and may be open, is still this owner's.
        return counts.get(MOVED_AWAY, 0) > 0 and not counts.get(STATUS_UNKNOWN, 0)

    def in_document(self, owner: str) -> dict[str, Any]:
        """Return what the document says of an owner; the key of the page is known when the page is stored."""
        appeared = self.worst_appeared(owner)[:WORST_NEW_LISTED]
        return {
            "page_key": None,
            **self.numbers([owner]),
            "fix_first": self.to_fix(owner),
            "worst_new": appeared,
            "most_overdue": self.most_overdue(owner),
        }

    def numbers(self, owners: Iterable[str]) -> dict[str, Any]:
        """Return the numbers of some owners together."""
        owners = list(owners)
        counts = [self.statistics[owner].to_dict() for owner in owners if owner in self.statistics]
        changes = self.change_counts(owners)
        return {
            "counts": {
                "total": sum(each["total"] for each in counts),
                "open": sum(each["open"] for each in counts),
                "by_severity": _together(each["by_severity"] for each in counts),
                "by_status": _together(each["by_status"] for each in counts),
            },
            "changes": None if changes is None else {"counts": changes, "by_severity": self.changes_by_severity(owners)},
            "due_dates": self._due(owners),
        }

    def change_counts(self, owners: Iterable[str]) -> dict[str, int] | None:
        """Return changes by kind; None without a baseline."""
        if self._changes is None:
            return None
        counts: Counter[str] = Counter()
        for owner in owners:
            for (kind, _), count in self._counts.get(owner, {}).items():
                counts[kind] += count
        return {kind: counts[kind] for kind in (*KINDS, MOVED_AWAY)} | {
            "appeared": sum(counts[kind] for kind in APPEARED),
            "no_longer_open": sum(counts[kind] for kind in NO_LONGER_OPEN),
        }

    def changes_by_severity(self, owners: Iterable[str]) -> dict[str, dict[str, int]]:
        """Return changes by kind and severity."""
        found = {kind: Counter[str]() for kind in (*LISTED_KINDS, MOVED_AWAY)}
        for owner in owners:
            for (kind, word), count in self._counts.get(owner, {}).items():
                if kind in found:
                    found[kind][word] += count
        return {kind: {word: counts[word] for word in SEVERITIES if counts[word]} for kind, counts in found.items()}

    def changed(self, owner: str, kind: str) -> list[dict[str, Any]]:
        """Return an owner's listed changes of a kind."""
        if self._changes is None:
            return []
        listed = [each for key in sorted(self._bytes(owner)) for each in self._changes.listed_of_owner(key, kind)]
        return [self.entries.changed(each) for each in listed]

    def worst_appeared(self, owner: str) -> list[dict[str, Any]]:
        """Return an owner's new findings, the worst first."""
        listed = [each for kind in APPEARED for each in self.changed(owner, kind)]
        return sorted(listed, key=lambda each: (SEVERITIES.index(each["severity"]), not each["exploit_available"]))

    def to_fix(self, owner: str) -> list[dict[str, Any]]:
        """Return what an owner is to fix first."""
        ranking = self._priorities.owners.get(owner)
        return to_fix(ranking, self._open_findings, owner_hash(owner), self.entries) if ranking else []

    def most_overdue(self, owner: str) -> list[dict[str, Any]]:
        """Return the findings that are overdue for longest."""
        due = self._open_findings.due
        return [self.entries.open(each) for each in due.most_overdue(owner_hash(owner))] if due else []

    def _due(self, owners: Iterable[str]) -> dict[str, Any] | None:
        due = self._open_findings.due
        return due_numbers(due, [due.of(owner_hash(owner)) for owner in owners]) if due else None

    @staticmethod
    def _bytes(owner: str) -> set[bytes]:
        """Return what stands for an owner in fingerprints: of a baseline that knew no owners, everything is unowned."""
        return {owner_hash(owner), NO_OWNER} if owner == UNOWNED else {owner_hash(owner)}


def to_fix(ranking: Ranking, open_findings: OpenFindings, owner: bytes, entries: Entries) -> list[dict[str, Any]]:
    """Return what to fix first of a ranking.

    Parameters
    ----------
    owner
        The owner's bytes in the fingerprints; :data:`~findings_analysis.comparison.fingerprints.NO_OWNER` for the whole report.
    """
    open_on = open_findings.of(owner)
    return [entries.to_fix(ranked, open_on.get(vulnerability_hash(ranked.name))) for ranked in ranking.ranked(open_on)]


def due_numbers(due: DueFindings, counts: Iterable[DueCount]) -> dict[str, Any]:
    """Return what is due of some owners together, or of the report."""
    counts = list(counts)
    return {
        "overdue": _together(each.overdue for each in counts),
        "due_soon": _together(each.due_soon for each in counts),
        "newly_overdue": sum(each.newly_overdue for each in counts),
        "unknown": sum(each.unknown for each in counts),
        "today": due.dates.today_on,
    }


def _together(counted: Iterable[Mapping[str, int]]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for each in counted:
        found.update(each)
    return {word: found[word] for word in SEVERITIES if word in found} | {
        word: count for word, count in sorted(found.items()) if word not in SEVERITIES
    }
