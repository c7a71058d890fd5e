"""What kind of run it was, read from the run and the headline of its analysis.

Every field of the headline may be missing: a message shows what it understands of what another release has written. Its texts
have passed :mod:`findings_exporter.notification.sanitize`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from findings_exporter.model.run import Run
from findings_exporter.model.taxonomy import SEVERITIES

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
    worst_new: Sequence[Mapping[str, Any]]
    worst_no_longer_open: Sequence[Mapping[str, Any]]
    priorities: Sequence[Mapping[str, Any]]
    deactivated: Mapping[str, Sequence[str]]
    deactivated_accounts: int
    scanned: int | None
    not_scanned: int | None
    baseline_at: datetime | None
    reasons: Sequence[str]
    sentences: Sequence[str]
    files: Mapping[str, str]

    @property
    def has_no_changes(self) -> bool:
        """Nothing is new, no longer open, rediscovered or changed, and scanning is active."""
        same = (self.new, self.no_longer_open, self.rediscovered, len(self.marks)) == (0, 0, 0, 0)
        return same and self.state == "active" and not self.unusual_drop

    @property
    def marks(self) -> Mapping[str, int]:
        """What changed in findings that stayed open: how many of each kind, the worst news first."""
        kinds = ("severity_raised", "exploit_became_available", "severity_lowered", "fix_became_available")
        return {kind: self.kinds[kind] for kind in kinds if self.kinds.get(kind)}

    @property
    def rediscovered(self) -> int:
        """Findings that are back where it was not sure that Inspector scanned."""
        return self.kinds.get("rediscovered") or 0

    @property
    def is_good(self) -> bool:
        """Scanning is active, and there is no unusual drop."""
        return self.state == "active" and not self.unusual_drop


def view_of(run: Run) -> MessageView | None:
    """Return the run, or None when there is no analysis or it failed."""
    headline = run.analysis
    if headline is None or "error" in headline or run.failure:
        return None
    changes, coverage_status, coverage = (_object(headline, name) for name in ("changes", "coverage_status", "coverage"))
    baseline = _object(headline, "baseline")
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
        worst_new=_list(headline, "worst_new"),
        worst_no_longer_open=_list(headline, "worst_no_longer_open"),
        priorities=_list(headline, "priorities"),
        deactivated=_object(coverage_status, "deactivated"),
        # A headline names the first ones only.
        deactivated_accounts=coverage_status.get("deactivated_accounts") or len(_object(coverage_status, "deactivated")),
        scanned=coverage.get("scanned"),
        not_scanned=coverage.get("not_scanned"),
        baseline_at=datetime.fromisoformat(baseline["started_at"]) if baseline.get("started_at") else None,
        reasons=_list(coverage_status, "reasons"),
        sentences=tuple(dict.fromkeys((*_list(coverage_status, "reasons"), *_list(headline, "sentences")))),
        files={name: headline[field] for name, field in FILES.items() if bucket and headline.get(field)},
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


def _object(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = parent.get(name)
    return value if isinstance(value, Mapping) else {}


def _list(parent: Mapping[str, Any], name: str) -> Sequence[Any]:
    value = parent.get(name)
    return value if isinstance(value, list | tuple) else ()
