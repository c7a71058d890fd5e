"""Which findings people will see: their names are looked up, those of no others."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from findings_analysis.assessment.priorities import Priorities, Ranking
from findings_analysis.comparison.difference import MOVED_AWAY, Change, Changes
from findings_analysis.comparison.fingerprints import EXACT, NO_OWNER
from findings_analysis.comparison.identity import owner_hash, vulnerability_hash
from findings_analysis.comparison.run_fingerprints import RunComparison
from findings_analysis.comparison.watch import OpenFindings, Watched
from findings_analysis.output.entries import Entries
from findings_analysis.output.finding_details import DetailsByArn
from findings_exporter.model.taxonomy import APPEARED, LISTED_KINDS

WORST_APPEARED = 5
"""New findings of each kind that are asked about."""

type Worst = Mapping[str | None, list[tuple[int, bytes]]]
"""Scores and ARN hashes of the worst open findings, by owner; None stands for the whole report."""


def worst_open(priorities: Priorities) -> Worst:
    """Return the worst open findings that the pages list."""
    return {None: priorities.report.worst(), **{owner: each.worst() for owner, each in priorities.owners.items()}}


def watched_of(priorities: Priorities, worst: Worst) -> Watched:
    """Return what is to be found out of open findings in the walk through the fingerprints, without due dates."""
    vulnerabilities = {NO_OWNER: priorities.report.vulnerabilities()}
    vulnerabilities |= {owner_hash(owner): each.vulnerabilities() for owner, each in priorities.owners.items()}
    return Watched(vulnerabilities, frozenset(arn_hash for each in worst.values() for _, arn_hash in each))


@dataclass(frozen=True, slots=True)
class Listed:
    """The findings that are listed anywhere.

    Attributes
    ----------
    to_fix
        The worst finding of each vulnerability that is to be fixed first, those of the report before those of its owners.
    baseline, current
        ARN hashes of the baseline's findings, and of this run's.
    """

    to_fix: list[bytes]
    changes: Changes | None
    baseline: frozenset[bytes]
    current: frozenset[bytes]

    @classmethod
    def of(cls, comparison: RunComparison, priorities: Priorities, worst: Worst) -> "Listed":
        """Collect them."""
        found = comparison.open_findings
        changes = comparison.with_baseline.changes if comparison.with_baseline else None
        changed = list(_changed(changes)) if changes else []
        rankings = [(NO_OWNER, priorities.report), *((owner_hash(owner), each) for owner, each in priorities.owners.items())]
        to_fix = list(dict.fromkeys(arn_hash for owner, ranking in rankings for arn_hash in _worst(found, owner, ranking)))
        resources = [each for owner, ranking in rankings for each in _resources(found, owner, ranking)]
        overdue = [each for listed in found.due.most_overdue_of.values() for each in listed.fingerprints()] if found.due else []
        return cls(
            to_fix,
            changes,
            frozenset(change.baseline[EXACT] for change in changed if change.baseline),
            frozenset(
                chain(
                    (change.current[EXACT] for change in changed if change.current),
                    to_fix,
                    (each[EXACT] for each in (*resources, *overdue)),
                    (arn_hash for each in worst.values() for _, arn_hash in each),
                )
            ),
        )

    def to_ask_about(self, details: DetailsByArn) -> dict[str, str]:
        """Return the vulnerabilities of which more is asked, by id, each with a finding's ARN."""
        appeared = [change for kind in APPEARED for change in self.changes.listed(kind)[:WORST_APPEARED]] if self.changes else []
        found: dict[str, str] = {}
        for arn_hash in (*self.to_fix, *(change.current[EXACT] for change in appeared)):
            detail = details.get(arn_hash, {})
            if (vulnerability_id := detail.get("vulnerability_id")) and (arn := detail.get("finding_arn")):
                found.setdefault(vulnerability_id, arn)
        return found


def open_rows(worst: Iterable[tuple[int, bytes]], open_findings: OpenFindings, entries: Entries) -> list[dict[str, Any]]:
    """Return open findings as a page lists them."""
    found = open_findings.findings
    return [entries.open(found[arn_hash], score) for score, arn_hash in worst if arn_hash in found]


def _changed(changes: Changes) -> Iterator[Change]:
    for kind in LISTED_KINDS:
        yield from changes.listed(kind)
    for owner in {owner for owner, _, _ in changes.by_owner}:
        for kind in (*LISTED_KINDS, MOVED_AWAY):
            yield from changes.listed_of_owner(owner, kind)


def _worst(found: OpenFindings, owner: bytes, ranking: Ranking) -> list[bytes]:
    return [each.worst for each in ranking.ranked(found.of(owner))]


def _resources(found: OpenFindings, owner: bytes, ranking: Ranking) -> Iterator[bytes]:
    for each in ranking.ranked(found.of(owner)):
        if open_on := found.of(owner).get(vulnerability_hash(each.name)):
            yield from open_on.worst
