"""Which earlier run a report is compared with, and why there may be none.

The baseline is the newest verified run of the same report name and the same filter as written (its hash is taken before
relative dates are resolved). Its format may be another one: keys are made from what both formats tell.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

HISTORY_FIELDS = ("digest_keys", "digest_keys_version", "digest_parquet", "digest_parquet_version")
"""What a digest adds to its run's line in the history: keys and version ids of two objects in the run's bucket. A version id
is left out where the bucket keeps none."""

type NoBaselineReason = Literal["first_run", "filter_changed", "no_digest", "unreadable"]


@dataclass(frozen=True, slots=True)
class Baseline:
    """The run that is compared with.

    Attributes
    ----------
    execution
        Its id.
    report_key
        Where its report lies; None when Inspector found nothing and wrote none.
    keys_key, parquet_key
        Where the digest left its key file and its Parquet; the latter is None when it left none.
    """

    execution: str
    started_at: datetime
    report_format: str
    bucket: str
    report_key: str | None
    keys_key: str
    keys_version: str | None
    parquet_key: str | None
    parquet_version: str | None

    def age_text(self, started_at: datetime) -> str:
        """Return how long before another run it began, as people say it."""
        hours = round((started_at - self.started_at).total_seconds() / 3600)
        if hours < 48:  # noqa: PLR2004 - two days are told as days
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


def choose(items: Iterable[Mapping[str, Any]], execution: str, started_at: datetime, filter_hash: str) -> Baseline | NoBaseline:
    """Choose the baseline from the lines of a report's history (``REPORT#<name>`` / ``RUN#<start>#<execution>``).

    Parameters
    ----------
    items
        In any order; other lines are passed over. A line without the fields of a digest is a run whose digest failed, or
        that ran before there was one.
    execution, started_at, filter_hash
        The run that looks for a baseline: neither itself nor a run that began later is one.
    """
    earlier = []
    for item in items:
        started, other = _start_of(item)
        if started is not None and other != execution and started < started_at and item.get("outcome") == "SUCCEEDED":
            earlier.append((started, other, item))
    if not earlier:
        return NoBaseline("first_run", "This is the first report of its name, so there is nothing to compare it with yet.")
    same = [entry for entry in earlier if entry[2].get("filter_hash") == filter_hash]
    if not same:
        newest = max(earlier, key=lambda entry: entry[:2])[0]
        return NoBaseline(
            "filter_changed",
            f"The filter is not the one of the earlier reports of this name (the last one began on {_time_text(newest)}), so"
            " nothing can be said of what changed. The next report with this filter will be compared with this one.",
        )
    digested = [entry for entry in same if entry[2].get("digest_keys") and entry[2].get("bucket")]
    if not digested:
        return NoBaseline("no_digest", "No earlier report of this name and filter has a digest to compare this one with.")
    started, other, item = max(digested, key=lambda entry: entry[:2])
    return Baseline(
        execution=other,
        started_at=started,
        report_format=str(item.get("format", "")),
        bucket=str(item["bucket"]),
        report_key=item.get("key"),
        keys_key=str(item["digest_keys"]),
        keys_version=item.get("digest_keys_version"),
        parquet_key=item.get("digest_parquet"),
        parquet_version=item.get("digest_parquet_version"),
    )


def unreadable(baseline: Baseline, why: str) -> NoBaseline:
    """Return what is said when the baseline's key file cannot be read."""
    return NoBaseline(
        "unreadable",
        f"What changed cannot be told: the keys of the last comparable report ({_time_text(baseline.started_at)},"
        f" {baseline.keys_key}) cannot be read: {why}. First-seen dates are Inspector's own tonight. The next report will be"
        " compared with this one.",
    )


def _start_of(item: Mapping[str, Any]) -> tuple[datetime | None, str]:
    parts = str(item.get("sk", "")).split("#", 2)
    if len(parts) != 3 or parts[0] != "RUN":  # noqa: PLR2004 - RUN, start, execution
        return None, ""
    try:
        started = datetime.fromisoformat(parts[1])
    except ValueError:
        return None, ""
    return (started if started.tzinfo else None), parts[2]


def _time_text(time: datetime) -> str:
    return f"{time:%d %b %Y, %H:%M} UTC"
