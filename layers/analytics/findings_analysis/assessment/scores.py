"""The priority score of a finding: a sum that a person can check.

==================  =====================================================================================
severity            CRITICAL 40, HIGH 30, MEDIUM 15, UNTRIAGED 10, LOW 5, others 0
available exploit   25
EPSS                20 times the probability that it is exploited within 30 days, rounded
what runs           reachable at runtime, or in use, 10; not reachable -10; unknown 0
fix                 available 10, partly 5: what can be done at once comes before what cannot
==================  =====================================================================================

What runs: Inspector says of a finding's packages whether they are reachable at runtime (see the column
``runtime_reachability``), and of an image whether it is in use (``in_use_count`` above 0). Both together count once. A package
that is not reachable in an image that is in use gets 10 and -10: the evidence contradicts itself. An image that is in use
nowhere loses nothing, since Inspector looks at ECS and EKS only. Ten is the step from HIGH to CRITICAL: the evidence moves a
finding by one such step, and never outweighs an available exploit. A score below 0 is possible.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

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
_MARKS = ("severity", "exploit_available", "fix_available", "runtime_reachability", "in_use_count")


def scored(batch: Batch, least: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Give the rows of open findings whose scores reach a number, and their scores.

    Parameters
    ----------
    least
        The number for each row.
    """
    marks = zip(*(batch[name] for name in _MARKS), strict=True)
    without_epss = map(_ScoreWithoutEpss().__getitem__, marks)
    # Most findings have too low a score, whatever their EPSS, so that their other columns are not read.
    rows = [(row, part, asked) for row, (part, asked) in enumerate(zip(without_epss, least)) if part >= asked - EPSS_SCORE]  # noqa: B905 - the numbers may go on
    for row, part, asked in rows:
        score = part + epss_score(batch["epss_score"][row])
        if score >= asked and batch["status"][row] not in NOT_OPEN:
            yield row, score


class _ScoreWithoutEpss(dict[tuple[Any, ...], int]):
    """Points by :data:`_MARKS`: a batch has few such combinations."""

    def __missing__(self, marks: tuple[Any, ...]) -> int:
        severity, exploit, fix, reachability, in_use_count = marks
        score = SEVERITY_SCORES.get(severity, 0) + FIX_SCORES.get(fix or "", 0) + (EXPLOIT_SCORE if exploit == "YES" else 0)
        score += sum(each for _, each in runs_terms(reachability, in_use_count))
        self[marks] = score
        return score


def runs_terms(reachability: str | None, in_use_count: int | None) -> list[tuple[str, int]]:
    """Return what is known of whether a finding's packages run, and the score for each."""
    is_reachable, is_in_use = reachability == REACHABLE, (in_use_count or 0) > 0
    terms = []
    if is_reachable or is_in_use:
        name = "reachable_in_use" if is_reachable and is_in_use else "reachable" if is_reachable else "in_use"
        terms.append((name, RUNS_SCORE))
    if reachability == NOT_REACHABLE:
        terms.append(("not_reachable", NOT_REACHABLE_SCORE))
    return terms


def epss_score(epss: float | None) -> int:
    """Return the score for a probability of an exploit."""
    return round(EPSS_SCORE * min(max(epss or 0.0, 0.0), 1.0))


def resource_score(count: int) -> int:
    """Return the score for a number of resources: 2 for each doubling, at most 10 (from 32 resources on)."""
    return min(RESOURCE_SCORE_PER_DOUBLING * (max(count, 1).bit_length() - 1), MAX_RESOURCE_SCORE)


def why(finding: Mapping[str, Any], count: int) -> Note:
    """Return how the score of a vulnerability adds up: its worst finding's, and that of its number of resources."""
    of_severity = SEVERITY_SCORES.get(finding["severity"], 0)
    terms = [(Note("priority.severity", severity=named("severity", finding["severity"]), score=of_severity), of_severity)]
    if finding["exploit_available"] == "YES":
        terms.append((Note("priority.exploit", score=EXPLOIT_SCORE), EXPLOIT_SCORE))
    if (epss := finding["epss_score"]) is not None:
        terms.append((Note("priority.epss", percent=f"{epss:.1%}", score=epss_score(epss)), epss_score(epss)))
    for name, score in runs_terms(finding["runtime_reachability"], finding["in_use_count"]):
        terms.append((Note(f"priority.{name}", score=score), score))
    if (fix := finding["fix_available"]) in FIX_SCORES:
        terms.append((Note(FIX_TERMS[fix], score=FIX_SCORES[fix]), FIX_SCORES[fix]))
    of_resources = resource_score(count)
    terms.append((Note("priority.resources", count=count, score=of_resources), of_resources))
    return Note("priority", terms=[term for term, _ in terms], total=sum(score for _, score in terms))
