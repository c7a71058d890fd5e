"""What kind of night it was, read from the run and the brief of its digest.

Every field of the brief may be missing: a message tells what it understands of what another release has written. Its texts
have passed :mod:`findings_exporter.notification.sanitize`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from findings_exporter.aws.run_store import Run
from findings_exporter.notification.localization import SEVERITIES

type Compared = Literal["yes", "first_run", "filter_changed", "first_notified", "no_digest", "unreadable"]


@dataclass(frozen=True, slots=True)
class Night:
    """A night whose report was analysed.

    Attributes
    ----------
    compared
        Whether it was compared with an earlier run; else why not.
    state
        ``dark``: Inspector was not looking. ``unknown``: nobody knows.
    by_severity, beside_open
        Open findings by severity; beside them those that are closed and suppressed, by status.
    new, gone
        None when it was not compared.
    not_looked_at
        Findings that were open where Inspector does not look any more.
    """

    compared: Compared
    state: Literal["good", "dark", "unknown"]
    sudden_fall: bool
    open: int
    total: int
    by_severity: Mapping[str, int]
    beside_open: Mapping[str, int]
    new: int | None
    gone: int | None
    not_looked_at: int
    new_by_severity: Mapping[str, int]
    gone_by_severity: Mapping[str, int]
    kinds: Mapping[str, int]
    worst_new: Sequence[Mapping[str, Any]]
    worst_gone: Sequence[Mapping[str, Any]]
    fix_first: Sequence[Mapping[str, Any]]
    dark: Mapping[str, Sequence[str]]
    dark_accounts: int
    scanned: int | None
    not_scanned: int | None
    baseline_at: datetime | None
    reasons: Sequence[str]
    sentences: Sequence[str]
    files: Mapping[str, str]

    @property
    def is_quiet(self) -> bool:
        """Nothing new, gone, seen again, worse or better, and Inspector was looking."""
        same = (self.new, self.gone, self.seen_again, len(self.marks)) == (0, 0, 0, 0)
        return same and self.state == "good" and not self.sudden_fall

    @property
    def marks(self) -> Mapping[str, int]:
        """What changed in findings that stayed open: how many of each kind, the worst news first."""
        kinds = ("severity_raised", "exploit_became_known", "severity_lowered", "fix_became_available")
        return {kind: self.kinds[kind] for kind in kinds if self.kinds.get(kind)}

    @property
    def seen_again(self) -> int:
        """Findings that are back where it was not sure that Inspector scanned."""
        return self.kinds.get("seen_again") or 0

    @property
    def is_good(self) -> bool:
        """Inspector was looking, and nothing fell suddenly."""
        return self.state == "good" and not self.sudden_fall


def night_of(run: Run) -> Night | None:
    """Return the night, or None when there is no digest or it failed."""
    brief = run.digest
    if brief is None or "error" in brief or run.failure:
        return None
    changes, verdict, coverage = (_object(brief, name) for name in ("changes", "verdict", "coverage"))
    baseline = _object(brief, "baseline")
    has_changes = isinstance(brief.get("changes"), Mapping)
    reason = brief.get("no_baseline")
    state = verdict.get("state")
    bucket = brief.get("bucket")
    return Night(
        compared="yes"
        if has_changes
        else reason
        if reason in {"first_run", "filter_changed", "first_notified", "no_digest"}
        else "unreadable",
        state=state if state in {"good", "dark"} else "unknown",
        sudden_fall=verdict.get("sudden_fall") is True,
        open=brief.get("open") or 0,
        total=brief.get("total") or 0,
        by_severity=_object(brief, "by_severity"),
        beside_open={name: _object(brief, "by_status").get(name) or 0 for name in ("CLOSED", "SUPPRESSED")},
        new=changes.get("appeared") or 0 if has_changes else None,
        gone=changes.get("gone") or 0 if has_changes else None,
        not_looked_at=_object(changes, "counts").get("not_looked_at") or 0,
        new_by_severity=_object(changes, "appeared_by_severity"),
        gone_by_severity=_object(changes, "gone_by_severity"),
        kinds=_object(changes, "counts"),
        worst_new=_list(brief, "worst_new"),
        worst_gone=_list(brief, "worst_gone"),
        fix_first=_list(brief, "fix_first"),
        dark=_object(verdict, "dark"),
        # A brief names the first ones only.
        dark_accounts=verdict.get("dark_accounts") or len(_object(verdict, "dark")),
        scanned=coverage.get("scanned"),
        not_scanned=coverage.get("not_scanned"),
        baseline_at=datetime.fromisoformat(baseline["started_at"]) if baseline.get("started_at") else None,
        reasons=_list(verdict, "reasons"),
        sentences=tuple(dict.fromkeys((*_list(verdict, "reasons"), *_list(brief, "sentences")))),
        files={name: brief[f"{name}_key"] for name in ("page", "digest", "parquet") if bucket and brief.get(f"{name}_key")},
    )


def digest_failure(run: Run) -> Mapping[str, str] | None:
    """Return why the digest failed: ``error`` and ``sentence``; None when it did not."""
    if run.digest is None or "error" not in run.digest or run.failure:
        return None
    return {
        "error": run.digest["error"] or "Unknown",
        "sentence": run.digest.get("sentence") or "The digest ended without a further word.",
    }


def worst_severity(night: Night | None) -> str:
    """Return the severity of the worst new finding: NONE without any, UNKNOWN when the night was not compared."""
    if night is None or night.new is None:
        return "UNKNOWN"
    if not night.new:
        return "NONE"
    return next((each for each in SEVERITIES if night.new_by_severity.get(each)), "UNKNOWN")


def _object(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = parent.get(name)
    return value if isinstance(value, Mapping) else {}


def _list(parent: Mapping[str, Any], name: str) -> Sequence[Any]:
    value = parent.get(name)
    return value if isinstance(value, list | tuple) else ()
