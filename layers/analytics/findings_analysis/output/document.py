"""The analysis of a report, as it is stored: counts, what changed, scan coverage, what to fix first.

Its JSON Schema is docs/analysis.schema.json. What is not known is null, and a sentence says why; sentences are for
people, everything else is for programs.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from findings_analysis.assessment.coverage_status import CoverageStatus
from findings_analysis.assessment.priorities import Priorities
from findings_analysis.comparison.baseline import EarlierRun, NoBaseline
from findings_analysis.comparison.fingerprints import EXACT, NO_OWNER
from findings_analysis.comparison.identity import account_hash
from findings_analysis.comparison.run_fingerprints import BaselineComparison
from findings_analysis.comparison.watch import OpenFindings
from findings_analysis.output.entries import Entries
from findings_analysis.output.finding_details import DetailsByArn
from findings_analysis.output.owned import Owned, due_numbers, to_fix
from findings_exporter.model.notes import Note
from findings_exporter.model.taxonomy import APPEARED, KINDS, LISTED_KINDS, NO_LONGER_OPEN, SEVERITIES, STATUS_UNKNOWN, STATUSES

SCHEMA_VERSION = "2.0"
"""Of docs/analysis.schema.json; from the first release on a new field comes with a new version."""


@dataclass(frozen=True, slots=True)
class AnalyzedReport:
    """The report that the analysis is of.

    Attributes
    ----------
    filter_criteria
        The filter with its dates made absolute.
    key
        The report's object; None when Inspector found nothing and wrote none.
    """

    name: str
    format: str
    execution: str
    started_at: datetime
    account: str
    region: str
    filter_hash: str
    filter_criteria: Mapping[str, Any]
    bucket: str
    key: str | None


@dataclass(frozen=True, slots=True)
class AnalysisResults:
    """What the stages of an analysis found.

    Attributes
    ----------
    counts
        Of :mod:`findings_analysis.assessment.statistics`.
    baseline
        The run that was chosen, or why there is none.
    compared
        None without a baseline.
    entries
        Makes the entries of lists.
    coverage_status
        Of :mod:`findings_analysis.assessment.coverage_status`.
    priorities, open_findings
        What to fix first, and what the walk through the fingerprints found of it.
    owned
        None where the run knows no owners.
    open_accounts
        Accounts with open findings.
    """

    counts: Mapping[str, Any]
    baseline: EarlierRun | NoBaseline
    compared: BaselineComparison | None
    entries: Entries
    coverage_status: CoverageStatus
    priorities: Priorities
    open_findings: OpenFindings
    owned: Owned | None
    open_accounts: frozenset[str]


def statuses_asked(filter_criteria: Mapping[str, Any]) -> frozenset[str]:
    """Return the statuses that a report with a filter holds.

    Without a filter of its status a report holds active findings only [AWS: exporting Inspector findings reports].
    """
    filters = filter_criteria.get("findingStatus") or [{"comparison": "EQUALS", "value": "ACTIVE"}]
    return frozenset(status for status in STATUSES if _matches(status, filters))


def _matches(status: str, filters: Sequence[Mapping[str, str]]) -> bool:
    # Of several filters of one field one must match [AWS]; that each of those that exclude must hold is a guess.
    including = [each for each in filters if each["comparison"] != "NOT_EQUALS"]
    excluded = [each["value"] for each in filters if each["comparison"] == "NOT_EQUALS"]
    included = [
        status.startswith(each["value"]) if each["comparison"] == "PREFIX" else status == each["value"] for each in including
    ]
    return status not in excluded and (any(included) or not including)


def assemble(report: AnalyzedReport, results: AnalysisResults) -> dict[str, Any]:
    """Put the document together."""
    coverage_status, baseline, counts = results.coverage_status, results.baseline, results.counts
    sentences = [*coverage_status.reasons, *coverage_status.coverage.notes]
    compared_with, reason, changes = None, None, None
    if isinstance(baseline, NoBaseline):
        reason = baseline.reason
        sentences.append(baseline.sentence)
    elif results.compared:
        compared_with = _baseline(baseline, report.started_at)
        changes = _changes(results.compared, results.open_accounts, results.entries, report)
        sentences += change_sentences(results.compared, report.filter_criteria, results.entries.details)
        if baseline.report_format != report.format and counts["by_type"].keys() - {"PACKAGE_VULNERABILITY"}:
            sentences.append(Note("compared.formats", before=baseline.report_format, now=report.format))
    return {
        "schema_version": SCHEMA_VERSION,
        "report": {
            "name": report.name,
            "format": report.format,
            "execution": report.execution,
            "started_at": report.started_at.isoformat(),
            "account": report.account,
            "region": report.region,
            "filter_hash": report.filter_hash,
            "statuses": sorted(statuses_asked(report.filter_criteria)),
            "bucket": report.bucket,
            "key": report.key,
        },
        "baseline": compared_with,
        "no_baseline": reason,
        "statistics": dict(counts),
        "changes": changes,
        "coverage_status": coverage_status.to_dict(),
        "coverage": coverage_status.coverage.to_dict(),
        "fix_first": to_fix(results.priorities.report, results.open_findings, NO_OWNER, results.entries),
        "due_dates": _due_dates(results),
        "owners": _owners(results.owned, sentences) if results.owned else None,
        "owners_left_out": _owners_left_out(results.owned) if results.owned else None,
        "known_exploited": dict(results.entries.known_exploited),
        "sentences": sentences,
    }


def _due_dates(results: AnalysisResults) -> dict[str, Any] | None:
    due = results.open_findings.due
    if due is None:
        return None
    listed = [results.entries.open(each) for each in due.most_overdue()]
    return {**due_numbers(due, [due.of()]), "days": dict(due.dates.days), "most_overdue": listed}


def _owners(owned: Owned, sentences: list[str]) -> dict[str, Any]:
    if left_out := owned.left_out():
        listed = owned.listed()
        sentences.append(Note("owners.beyond", count=len(listed) + len(left_out), most=len(listed)))
    return {owner: owned.in_document(owner) for owner in owned.listed()}


def _owners_left_out(owned: Owned) -> dict[str, Any] | None:
    left_out = owned.left_out()
    return {"owners": len(left_out), **owned.numbers(left_out)} if left_out else None


def change_sentences(compared: BaselineComparison, filter_criteria: Mapping[str, Any], details: DetailsByArn) -> list[str]:
    """Return sentences about the limits of a comparison."""
    changes = compared.changes
    statuses = statuses_asked(filter_criteria)
    sentences: list[str] = []
    if not {"CLOSED", "SUPPRESSED"} <= statuses and any(changes.counts[kind] for kind in NO_LONGER_OPEN):
        first, *others = [Note(f"status.{each.lower()}") for each in ("CLOSED", "SUPPRESSED") if each not in statuses]
        left_out = Note("compared.or", first=first, second=others[0]) if others else first
        sentences.append(Note("compared.status_filter", statuses=left_out))
    if dict(filter_criteria) != dict(compared.header.filter_criteria):
        sentences.append(Note("compared.moving_window"))
    if unknown := changes.counts[STATUS_UNKNOWN]:
        sentences.append(Note("compared.not_scanned", count=unknown))
    listed = {change.fingerprint[EXACT] for kind in LISTED_KINDS for change in changes.listed(kind)}
    if nameless := len(listed - details.keys()):
        sentences.append(Note("compared.no_details", count=nameless))
    return sentences


def _baseline(baseline: EarlierRun, started_at: datetime) -> dict[str, Any]:
    return {
        "execution": baseline.execution,
        "started_at": baseline.started_at.isoformat(),
        "age_seconds": round((started_at - baseline.started_at).total_seconds()),
        "age": baseline.age_text(started_at),
        "format": baseline.report_format,
        "key": baseline.report_key,
    }


def _changes(
    compared: BaselineComparison, open_accounts: frozenset[str], entries: Entries, report: AnalyzedReport
) -> dict[str, Any]:
    changes = compared.changes
    closed = changes.closed_with_days
    return {
        "counts": {kind: changes.counts[kind] for kind in KINDS}
        | {
            "appeared": sum(changes.counts[kind] for kind in APPEARED),
            "no_longer_open": sum(changes.counts[kind] for kind in NO_LONGER_OPEN),
        },
        "by_severity": {
            kind: {word: changes.by_severity[kind, word] for word in SEVERITIES if changes.by_severity[kind, word]}
            for kind in LISTED_KINDS
        },
        "by_account": _by_account(compared, {report.account, *open_accounts}),
        "mean_days_to_close": round(changes.days_to_close / closed, 1) if closed else None,
        "listed_at_most": changes.listed_at_most,
        "lists": {kind: [entries.changed(change) for change in changes.listed(kind)] for kind in LISTED_KINDS},
    }


def _by_account(compared: BaselineComparison, accounts: set[str]) -> dict[str, dict[str, int]]:
    """Return by account how many findings appeared, are no longer open, and have an unknown status."""
    accounts = accounts | compared.summary.open.keys() | compared.summary.status_unknown.keys()
    names = {account_hash(account): account for account in sorted(accounts)}
    found: dict[str, Counter[str]] = {}
    sides = (
        dict.fromkeys(APPEARED, "appeared") | dict.fromkeys(NO_LONGER_OPEN, "no_longer_open") | {STATUS_UNKNOWN: STATUS_UNKNOWN}
    )
    for (kind, key, _), count in compared.changes.by_place.items():
        if kind in sides:
            found.setdefault(names.get(key, "unknown"), Counter())[sides[kind]] += count
    return {
        account: {side: found[account][side] for side in ("appeared", "no_longer_open", STATUS_UNKNOWN)}
        for account in sorted(found)
    }
