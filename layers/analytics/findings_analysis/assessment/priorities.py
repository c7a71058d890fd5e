"""What to fix first: a short list of vulnerabilities, ranked by a sum that a person can check.

==================  =====================================================================================
severity            CRITICAL 40, HIGH 30, MEDIUM 15, UNTRIAGED 10, LOW 5, others 0
available exploit   25
EPSS                20 times the probability that it is exploited within 30 days, rounded
what runs           reachable at runtime, or in use, 10; not reachable -10; unknown 0
fix                 available 10, partly 5: what can be done at once comes before what cannot
resources           2 for each doubling of the resources that it is open on, at most 10 (from 32 resources on)
==================  =====================================================================================

What runs: Inspector says of a finding's packages whether they are reachable at runtime (see the column
``runtime_reachability``), and of an image whether it is in use (``in_use_count`` above 0). Both together count once. A package
that is not reachable in an image that is in use gets 10 and -10: the evidence contradicts itself. An image that is in use
nowhere loses nothing, since Inspector looks at ECS and EKS only. Ten is the step from HIGH to CRITICAL: the evidence moves a
vulnerability by one such step, and never outweighs an available exploit.

A vulnerability (its id, or the title where there is none) has the score of its worst open finding. Equal scores are ordered
by the number of resources, then by name. The same findings in any order give the same list. A score below 0 is possible.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from findings_analysis.comparison.identity import vulnerability_hash
from findings_analysis.reading.errors import TooLargeError
from findings_analysis.reading.schema import Batch
from findings_exporter.model.notes import Note, named
from findings_exporter.model.taxonomy import NOT_OPEN, NOT_REACHABLE, REACHABLE

SEVERITY_SCORES = {"CRITICAL": 40, "HIGH": 30, "MEDIUM": 15, "UNTRIAGED": 10, "LOW": 5}
EXPLOIT_SCORE = 25
EPSS_SCORE = 20
FIX_SCORES = {"YES": 10, "PARTIAL": 5}
FIX_TERMS = {"YES": "priority.fix", "PARTIAL": "priority.fix_partial"}
RUNS_SCORE, NOT_REACHABLE_SCORE = 10, -10
LEAST_SCORE = NOT_REACHABLE_SCORE
"""Of no severity, and not reachable."""
RESOURCE_SCORE_PER_DOUBLING, MAX_RESOURCE_SCORE = 2, 10
RANKS_LISTED = 10
FIRST_ROOM = 500
"""With more candidates than this, those that cannot come into the list are dropped for the first time."""
MOST_KEPT = 500_000
"""Vulnerabilities that are held in memory (some 500 bytes each): more than the world knows."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A vulnerability's worst open finding, without what its number of resources adds."""

    score: int
    finding_arn: str
    vulnerability_id: str | None
    title: str | None
    packages: tuple[str, ...]
    severity: str
    exploit_available: str | None
    epss_score: float | None
    fix_available: str | None
    runtime_reachability: str | None
    in_use_count: int | None

    @property
    def name(self) -> str:
        """The vulnerability's id, or the title where there is none."""
        return self.vulnerability_id or self.title or ""


class Priorities:
    """Collects candidates from batches: those that can come into the list, by name."""

    def __init__(self, listed: int = RANKS_LISTED, most_kept: int = MOST_KEPT) -> None:
        self._listed, self._most_kept = listed, most_kept
        self._candidates: dict[str, Candidate] = {}
        self._least = LEAST_SCORE
        """A lower score than this cannot come into the list."""
        self._room = min(FIRST_ROOM, most_kept)
        """With more candidates than this they are dropped again."""

    def add(self, batch: Batch) -> None:
        """Take the open findings of a batch.

        Raises
        ------
        TooLargeError
            Memory cannot hold those that could come into the list.
        """
        marks = zip(*(batch[name] for name in _MARKS), strict=True)
        without_epss, least = map(_ScoreWithoutEpss().__getitem__, marks), self._least
        # Most findings have too low a score, whatever their EPSS, so that their other columns are not read.
        for row, part in [(row, each) for row, each in enumerate(without_epss) if each >= least - EPSS_SCORE]:
            score = part + _epss_score(batch["epss_score"][row])
            if score >= least and batch["status"][row] not in NOT_OPEN:
                self._take(batch, row, score)
        if len(self._candidates) > self._room:
            self._make_room()

    def _take(self, batch: Batch, row: int, score: int) -> None:
        arn, vulnerability_id, title = batch["finding_arn"][row], batch["vulnerability_id"][row], batch["title"][row]
        if self._has_worse(vulnerability_id or title or "", score, arn):
            return
        candidate = Candidate(
            score,
            arn,
            vulnerability_id,
            title,
            packages=tuple(dict.fromkeys(filter(None, batch["package_names"][row] or ()))),
            severity=batch["severity"][row],
            exploit_available=batch["exploit_available"][row],
            epss_score=batch["epss_score"][row],
            fix_available=batch["fix_available"][row],
            runtime_reachability=batch["runtime_reachability"][row],
            in_use_count=batch["in_use_count"][row],
        )
        self._keep(candidate)

    def merge(self, other: "Priorities") -> None:
        """Take the candidates of other findings."""
        for candidate in other.candidates():
            self._keep(candidate)
        if len(self._candidates) > self._room:
            self._make_room()

    def candidates(self) -> Iterable[Candidate]:
        """Return the worst finding of each vulnerability that can come into the list."""
        return self._candidates.values()

    def _keep(self, candidate: Candidate) -> None:
        """Keep a vulnerability's worst finding, and of equally bad ones that of the first ARN."""
        if not self._has_worse(candidate.name, candidate.score, candidate.finding_arn):
            self._candidates[candidate.name] = candidate

    def _has_worse(self, name: str, score: int, arn: str) -> bool:
        known = self._candidates.get(name)
        return known is not None and (-known.score, known.finding_arn) <= (-score, arn)

    def to_stored(self) -> list[dict[str, Any]]:
        """Return the candidates, so that JSON can hold them; :meth:`from_stored` reads them."""
        return [asdict(each) for each in self.candidates()]

    @classmethod
    def from_stored(cls, stored: Iterable[Mapping[str, Any]]) -> Self:
        """Read what :meth:`to_stored` returned."""
        made = cls()
        for each in stored:
            made._keep(Candidate(**{**each, "packages": tuple(each["packages"])}))
        return made

    def watched(self) -> frozenset[bytes]:
        """Return the hashes of the vulnerabilities that can come into the list: whose resources are to be counted."""
        least = self._least_score()
        return frozenset(vulnerability_hash(name) for name, each in self._candidates.items() if each.score >= least)

    def ranked(self, resources: Mapping[bytes, int]) -> list[dict[str, Any]]:
        """Return the list, as the analysis has it.

        Parameters
        ----------
        resources
            On how many resources each watched vulnerability is open.
        """
        least = self._least_score()
        ranked = []
        for name, each in self._candidates.items():
            if each.score >= least:
                count = resources.get(vulnerability_hash(name), 1)
                ranked.append((-each.score - _resource_score(count), -count, name, each))
        ranked.sort(key=lambda entry: entry[:3])
        return [
            {
                "rank": rank,
                "priority_score": -score,
                "vulnerability_id": each.vulnerability_id,
                "title": each.title,
                "packages": list(each.packages),
                "severity": each.severity,
                "exploit_available": each.exploit_available,
                "epss_score": each.epss_score,
                "fix_available": each.fix_available,
                "runtime_reachability": each.runtime_reachability,
                "in_use_count": each.in_use_count,
                "resources": -count,
                "finding_arn": each.finding_arn,
                "why": _why(each, -count),
            }
            for rank, (score, count, _, each) in enumerate(ranked[: self._listed], 1)
        ]

    def _least_score(self) -> int:
        """Return the score below which a vulnerability cannot come into the list, whatever the number of its resources."""
        best = sorted((each.score for each in self._candidates.values()), reverse=True)[: self._listed]
        return best[-1] - MAX_RESOURCE_SCORE if len(best) == self._listed else LEAST_SCORE

    def _make_room(self) -> None:
        self._least = self._least_score()
        left = {name: each for name, each in self._candidates.items() if each.score >= self._least}
        if len(left) > self._most_kept:
            raise TooLargeError(f"more than {self._most_kept:,} vulnerabilities could be what to fix first")
        self._candidates = left
        self._room = min(max(FIRST_ROOM, 2 * len(left)), self._most_kept)


_MARKS = ("severity", "exploit_available", "fix_available", "runtime_reachability", "in_use_count")


class _ScoreWithoutEpss(dict[tuple[Any, ...], int]):
    """Points by :data:`_MARKS`: a batch has few such combinations."""

    def __missing__(self, marks: tuple[Any, ...]) -> int:
        severity, exploit, fix, reachability, in_use_count = marks
        score = SEVERITY_SCORES.get(severity, 0) + FIX_SCORES.get(fix or "", 0) + (EXPLOIT_SCORE if exploit == "YES" else 0)
        score += sum(points for _, points in runs_terms(reachability, in_use_count))
        self[marks] = score
        return score


def runs_terms(reachability: str | None, in_use_count: int | None) -> list[tuple[str, int]]:
    """Return what is known of whether a finding's packages run, and the points for each."""
    is_reachable, is_in_use = reachability == REACHABLE, (in_use_count or 0) > 0
    terms = []
    if is_reachable or is_in_use:
        name = "reachable_in_use" if is_reachable and is_in_use else "reachable" if is_reachable else "in_use"
        terms.append((name, RUNS_SCORE))
    if reachability == NOT_REACHABLE:
        terms.append(("not_reachable", NOT_REACHABLE_SCORE))
    return terms


def _epss_score(epss: float | None) -> int:
    return round(EPSS_SCORE * min(max(epss or 0.0, 0.0), 1.0))


def _resource_score(count: int) -> int:
    return min(RESOURCE_SCORE_PER_DOUBLING * (max(count, 1).bit_length() - 1), MAX_RESOURCE_SCORE)


def _why(each: Candidate, count: int) -> Note:
    scores = [SEVERITY_SCORES.get(each.severity, 0), _resource_score(count)]
    terms = [Note("priority.severity", severity=named("severity", each.severity), score=scores[0])]
    if each.exploit_available == "YES":
        terms.append(Note("priority.exploit", score=EXPLOIT_SCORE))
        scores.append(EXPLOIT_SCORE)
    if each.epss_score is not None:
        terms.append(Note("priority.epss", percent=f"{each.epss_score:.1%}", score=_epss_score(each.epss_score)))
        scores.append(_epss_score(each.epss_score))
    for name, points in runs_terms(each.runtime_reachability, each.in_use_count):
        terms.append(Note(f"priority.{name}", score=points))
        scores.append(points)
    if each.fix_available in FIX_SCORES:
        terms.append(Note(FIX_TERMS[each.fix_available], score=FIX_SCORES[each.fix_available]))
        scores.append(FIX_SCORES[each.fix_available])
    terms.append(Note("priority.resources", count=count, score=scores[1]))
    return Note("priority", terms=terms, total=sum(scores))
