"""The names of changed findings: a second pass over the columns that name them, since fingerprint files hold hashes only."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from findings_analysis.comparison.difference import Changes
from findings_analysis.comparison.fingerprints import EXACT
from findings_analysis.comparison.identity import exact_hashes
from findings_analysis.reading import parquet_columns
from findings_analysis.reading.parquet_columns import DETAIL_COLUMNS
from findings_analysis.reading.schema import Batch
from findings_exporter.model.taxonomy import LISTED_KINDS

type DetailsByArn = Mapping[bytes, Mapping[str, Any]]
"""By ARN hash, the columns :data:`DETAIL_COLUMNS`."""


def wanted(changes: Changes) -> tuple[frozenset[bytes], frozenset[bytes]]:
    """Return the ARN hashes whose names are listed: of the baseline's findings, and of this run's."""
    listed = [change for kind in LISTED_KINDS for change in changes.listed(kind)]
    return (
        frozenset(change.baseline[EXACT] for change in listed if change.baseline),
        frozenset(change.current[EXACT] for change in listed if change.current),
    )


def find(batches: Iterable[Batch], keys: frozenset[bytes]) -> dict[bytes, dict[str, Any]]:
    """Return the names of some findings.

    Parameters
    ----------
    batches
        The columns :data:`DETAIL_COLUMNS` of a run, read as a stream; others are passed over.
    keys
        At most some thousands: :func:`wanted`.
    """
    names: dict[bytes, dict[str, Any]] = {}
    for batch in batches:
        for row, key in enumerate(exact_hashes(batch["finding_arn"])):
            if key in keys:
                names[key] = {name: batch[name][row] for name in DETAIL_COLUMNS}
        if len(names) == len(keys):
            break
    return names


def passing(
    paths: Iterable[Path], wanted_keys: frozenset[bytes], carried: frozenset[bytes], names: dict[bytes, dict[str, Any]]
) -> Iterator[Batch]:
    """Read an earlier run's files once: note the names that are wanted, and give the findings that are carried over.

    Parameters
    ----------
    paths
        Parquet files with the columns :data:`DETAIL_COLUMNS`; a finding of several files is given once.
    names
        Takes the names, by ARN hash.

    Raises
    ------
    UnreadableParquetError
        A file is damaged, or none of ours.
    """
    left = set(carried)
    for path in paths:
        with path.open("rb") as file:
            for batch in parquet_columns.read(file, DETAIL_COLUMNS):
                keys = exact_hashes(batch["finding_arn"])
                if not wanted_keys.isdisjoint(keys):
                    for row, key in enumerate(keys):
                        if key in wanted_keys:
                            names.setdefault(key, {name: batch[name][row] for name in DETAIL_COLUMNS})
                rows = [row for row, key in enumerate(keys) if key in left]
                left.difference_update([keys[row] for row in rows])
                if rows:
                    yield {name: [batch[name][row] for row in rows] for name in DETAIL_COLUMNS}
