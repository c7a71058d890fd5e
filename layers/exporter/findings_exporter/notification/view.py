"""What kind of run it was, read from the run and the headline of its analysis.

Every field of the headline may be missing: a message shows what it understands of what another release has written. Its texts
have passed :mod:`findings_exporter.notification.sanitize`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from findings_exporter.model.run import Run
from findings_exporter.model.taxonomy import SEVERITIES
from findings_exporter.notification.entries import Entry, listed

type HowCompared = Literal["yes", "first_run", "filter_changed", "first_notified", "no_analysis", "unreadable"]


FILES = {"page": "page_key", "analysis": "analysis_key", "parquet": "parquet_prefix"}
"""What the notification links to, and where the headline has it."""


@dataclass(frozen=True, slots=True)
class MessageView:
    """A run whose report was analyzed.

    Attributes
    ----------
    compared
        Whether it was compared with an earlier run; else why not.
    state
        Coverage status: ``lost`` where scanning was deactivated, ``unknown`` where that could not be determined.
    by_severity, beside_open
        Open findings by severity; beside them those that are closed and suppressed, by status.
    new, no_longer_open
        None when it was not compared.
    status_unknown
        Findings that were open where Inspector no longer scans.
    owner
        Whose findings the headline is about; None where it is about all of the report.
    is_last
        Whether no rule names this owner any more, so that it gets no further message.
    owners
        How many findings each owner has; None where there are no owners.
    has_due_dates
        Whether findings have due dates; only then the numbers of overdue ones mean anything.
    due_unknown
        Open findings whose due date is unknown, since it is unknown when they were first seen.
    newly_overdue
        Those that became overdue since the baseline.
    today
        The day that due dates were compared with.
    """

    compared: HowCompared
    state: Literal["active", "lost", "unknown"]
    unusual_drop: bool
    open: int
    total: int
    by_severity: Mapping[str, int]
    beside_open: Mapping[str, int]
    new: int | None
    no_longer_open: int | None
    status_unknown: int
    new_by_severity: Mapping[str, int]
    no_longer_open_by_severity: Mapping[str, int]
    kinds: Mapping[str, int]
    worst_new: Sequence[Entry]
    worst_no_longer_open: Sequence[Entry]
    most_overdue: Sequence[Entry]
    fix_first: Sequence[Entry]
    deactivated: Mapping[str, Sequence[str]]
    deactivated_accounts: int
    scanned: int | None
    not_scanned: int | None
    baseline_at: datetime | None
    reasons: Sequence[str]
    sentences: Sequence[str]
    files: Mapping[str, str]
    owner: str | None
    is_last: bool
    owners: "OwnersView | None"
    has_due_dates: bool
    overdue: Mapping[str, int]
    due_soon: Mapping[str, int]
    due_unknown: int
    newly_overdue: int
    today: date

    @property
    def has_no_changes(self) -> bool:
        """Nothing is new, no longer open, rediscovered, changed, moved or newly overdue, and scanning is active."""
        changed = (self.new, self.no_longer_open, self.rediscovered, len(self.marks), self.moved, self.moved_away)
        return changed == (0, 0, 0, 0, 0, 0) and not self.newly_overdue and self.is_good and not self.is_last

    @property
    def moved(self) -> int:
        """Findings whose owner changed; in an owner's message those that came from others."""
        return self.kinds.get("moved") or 0

    @property
    def moved_away(self) -> int:
        """In an owner's message: findings that went to others."""
        return self.kinds.get("moved_away") or 0

    @property
    def marks(self) -> Mapping[str, int]:
        """What changed in findings that stayed open: how many of each kind, the worst news first."""
        kinds: tuple[str, ...] = ("severity_raised", "exploit_became_available", "severity_lowered", "fix_became_available")
        kinds += ("moved",) if self.owner is None else ()
        return {kind: self.kinds[kind] for kind in kinds if self.kinds.get(kind)}

    @property
    def rediscovered(self) -> int:
        """Findings that are back where it was not sure that Inspector scanned."""
        return self.kinds.get("rediscovered") or 0

    @property
    def is_good(self) -> bool:
        """Scanning is active, and there is no unusual drop."""
        return self.state == "active" and not self.unusual_drop


@dataclass(frozen=True, slots=True)
class OwnersView:
    """The owners of a report.

    Attributes
    ----------
    count
        How many there are.
    unowned
        Open findings without an owner.
    listed
        Those that matter most, each with its numbers.
    """

    count: int
    unowned: int
    listed: Sequence[Mapping[str, Any]]


def view_of(run: Run) -> MessageView | None:
    """Return the run, or None when there is no analysis or it failed."""
    headline = run.analysis
    if headline is None or "error" in headline or run.failure:
        return None
    changes, coverage_status, coverage = (_object(headline, name) for name in ("changes", "coverage_status", "coverage"))
    baseline, due, owners = (_object(headline, name) for name in ("baseline", "due_dates", "owners"))
    has_changes = isinstance(headline.get("changes"), Mapping)
    reason = headline.get("no_baseline")
    state = coverage_status.get("state")
    bucket = headline.get("bucket")
    return MessageView(
        compared="yes"
        if has_changes
        else reason
        if reason in {"first_run", "filter_changed", "first_notified", "no_analysis"}
        else "unreadable",
        state=state if state in {"active", "lost"} else "unknown",
        unusual_drop=coverage_status.get("unusual_drop") is True,
        open=headline.get("open") or 0,
        total=headline.get("total") or 0,
        by_severity=_object(headline, "by_severity"),
        beside_open={name: _object(headline, "by_status").get(name) or 0 for name in ("CLOSED", "SUPPRESSED")},
        new=changes.get("appeared") or 0 if has_changes else None,
        no_longer_open=changes.get("no_longer_open") or 0 if has_changes else None,
        status_unknown=_object(changes, "counts").get("status_unknown") or 0,
        new_by_severity=_object(changes, "appeared_by_severity"),
        no_longer_open_by_severity=_object(changes, "no_longer_open_by_severity"),
        kinds=_object(changes, "counts"),
        worst_new=listed(headline, "worst_new"),
        worst_no_longer_open=listed(headline, "worst_no_longer_open"),
        most_overdue=listed(headline, "most_overdue"),
        fix_first=listed(headline, "fix_first"),
        deactivated=_object(coverage_status, "deactivated"),
        # A headline names the first ones only.
        deactivated_accounts=coverage_status.get("deactivated_accounts") or len(_object(coverage_status, "deactivated")),
        scanned=coverage.get("scanned"),
        not_scanned=coverage.get("not_scanned"),
        baseline_at=datetime.fromisoformat(baseline["started_at"]) if baseline.get("started_at") else None,
        reasons=_list(coverage_status, "reasons"),
        sentences=tuple(dict.fromkeys((*_list(coverage_status, "reasons"), *_list(headline, "sentences")))),
        files={name: headline[field] for name, field in FILES.items() if bucket and headline.get(field)},
        owner=headline["owner"] if isinstance(headline.get("owner"), str) else None,
        is_last=headline.get("last_message") is True,
        owners=OwnersView(
            owners.get("count") or 0,
            owners.get("unowned") or 0,
            [each for each in _list(owners, "listed") if isinstance(each, Mapping)],
        )
        if isinstance(headline.get("owners"), Mapping)
        else None,
        has_due_dates=isinstance(headline.get("due_dates"), Mapping),
        overdue=_object(due, "overdue"),
        due_soon=_object(due, "due_soon"),
        due_unknown=due.get("unknown") or 0,
        newly_overdue=due.get("newly_overdue") or 0,
        today=day(due.get("today")) or run.execution.started_at.date(),
    )


def analysis_failure(run: Run) -> Mapping[str, str] | None:
    """Return why the analysis failed: ``error`` and ``sentence``; None when it did not."""
    if run.analysis is None or "error" not in run.analysis or run.failure:
        return None
    return {
        "error": run.analysis["error"] or "Unknown",
        "sentence": run.analysis.get("sentence") or "The analysis ended without a further word.",
    }


def worst_severity(view: MessageView | None) -> str:
    """Return the severity of the worst new finding: NONE without any, UNKNOWN when the run was not compared."""
    if view is None or view.new is None:
        return "UNKNOWN"
    if not view.new:
        return "NONE"
    return next((each for each in SEVERITIES if view.new_by_severity.get(each)), "UNKNOWN")


def day(value: Any) -> date | None:  # noqa: ANN401 - any JSON
    """Return a day as a headline has it; None where there is none."""
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        return None


def _object(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = parent.get(name)
    return value if isinstance(value, Mapping) else {}


def _list(parent: Mapping[str, Any], name: str) -> Sequence[Any]:
    value = parent.get(name)
    return value if isinstance(value, list | tuple) else ()
