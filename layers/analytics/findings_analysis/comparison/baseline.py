"""Which earlier run a report is compared with, and why there may be none.

The baseline is the newest verified run of the same report name and the same filter as written (its hash is taken before
relative dates are resolved) that sent a notification: what appeared in a run without one must not go unreported. For the same
reason a scheduled run is compared with scheduled ones only; a run on demand with the newest of both. The format may be another
one: fingerprints are made from what both formats have.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple, Self

from findings_exporter.model.notes import Note

HISTORY_FIELDS = ("analysis_fingerprints", "analysis_fingerprints_etag", "analysis_names", "analysis_names_etag")
"""What an analysis adds to its run's line in the history: keys and ETags of its objects in the run's bucket."""

type NoBaselineReason = Literal["first_run", "filter_changed", "first_notified", "no_analysis", "unreadable"]


class StoredFile(NamedTuple):
    """An object that an analysis wrote.

    Attributes
    ----------
    etag
        As S3 answered: an object with another one is not what was written.
    """

    key: str
    etag: str


@dataclass(frozen=True, slots=True)
class EarlierRun:
    """An earlier verified run, as its line in the history has it.

    Attributes
    ----------
    execution
        Its id.
    report_key
        Where its report lies; None when Inspector found nothing and wrote none.
    fingerprints, names
        Where the analysis left its fingerprint file and its names file; None where it left none.
    """

    execution: str
    started_at: datetime
    filter_hash: str
    is_scheduled: bool
    is_notified: bool
    report_format: str
    bucket: str
    report_key: str | None
    fingerprints: StoredFile | None
    names: StoredFile | None

    @classmethod
    def of(cls, line: Mapping[str, Any], execution: str, started_at: datetime) -> Self | None:
        """Read a line of the history; None for a run that was not verified, began later than the one given, or is that."""
        parts = str(line.get("sk", "")).split("#", 2)
        if len(parts) != 3 or parts[0] != "RUN" or line.get("outcome") != "SUCCEEDED":  # noqa: PLR2004 - RUN, start, execution
            return None
        try:
            started = datetime.fromisoformat(parts[1])
        except ValueError:
            return None
        if not started.tzinfo or started >= started_at or parts[2] == execution:
            return None
        return cls(
            execution=parts[2],
            started_at=started,
            filter_hash=str(line.get("filter_hash", "")),
            is_scheduled=line.get("scheduled") == 1,
            is_notified=line.get("notified") == 1,
            report_format=str(line.get("format", "")),
            bucket=str(line.get("bucket", "")),
            report_key=line.get("key"),
            fingerprints=_stored(line, "analysis_fingerprints"),
            names=_stored(line, "analysis_names"),
        )

    def is_comparable(self, *, scheduled: bool) -> bool:
        """Tell whether a scheduled run, or one on demand, may be compared with it."""
        return self.is_notified and (self.is_scheduled or not scheduled)

    def age_text(self, started_at: datetime) -> str:
        """Return how long before another run it began, in words."""
        hours = round((started_at - self.started_at).total_seconds() / 3600)
        if hours < 48:  # noqa: PLR2004 - from two days on, days
            return f"{hours} hour{'' if hours == 1 else 's'}"
        return f"{round(hours / 24)} days"


@dataclass(frozen=True, slots=True)
class NoBaseline:
    """Why there is nothing to compare with.

    Attributes
    ----------
    sentence
        For people.
    """

    reason: NoBaselineReason
    sentence: str


def earlier_runs(lines: Iterable[Mapping[str, Any]], execution: str, started_at: datetime) -> Iterator[EarlierRun]:
    """Give the verified runs before a run.

    Parameters
    ----------
    lines
        Of the report's history (``REPORT#<name>`` / ``RUN#<start>#<execution>``), the newest first.
    execution, started_at
        The run that is compared: neither itself nor a run that began later is given.
    """
    return (run for line in lines if (run := EarlierRun.of(line, execution, started_at)))


def choose(earlier: Iterable[EarlierRun], filter_hash: str, *, scheduled: bool) -> EarlierRun | NoBaseline:
    """Choose the baseline.

    Parameters
    ----------
    earlier
        The newest first. They are taken until the baseline is found: no number of runs hides it.
    scheduled
        Whether the run that is compared was started by the schedule.

    Returns
    -------
    EarlierRun or NoBaseline
        A baseline has a fingerprint file.
    """
    newest, same, comparable = None, False, False
    for run in earlier:
        newest = newest or run
        if run.filter_hash != filter_hash:
            continue
        same = True
        if not run.is_comparable(scheduled=scheduled):
            continue
        comparable = True
        if run.fingerprints and run.bucket:
            return run
    if newest is None:
        return NoBaseline("first_run", Note("baseline.first_run"))
    if not same:
        return NoBaseline("filter_changed", Note("baseline.filter_changed", at=_utc(newest.started_at)))
    if not comparable:
        return NoBaseline("first_notified", Note("baseline.first_scheduled" if scheduled else "baseline.first_notified"))
    return NoBaseline("no_analysis", Note("baseline.no_analysis"))


def unreadable(baseline: EarlierRun, why: str) -> NoBaseline:
    """Return what is said when the baseline's fingerprint file cannot be read."""
    key = baseline.fingerprints.key if baseline.fingerprints else ""
    return NoBaseline("unreadable", Note("baseline.unreadable", at=_utc(baseline.started_at), key=key, why=why))


def _stored(line: Mapping[str, Any], name: str) -> StoredFile | None:
    key, etag = line.get(name), line.get(f"{name}_etag")
    return StoredFile(str(key), str(etag)) if key and etag else None


def _utc(time: datetime) -> str:
    return time.astimezone(UTC).isoformat()
