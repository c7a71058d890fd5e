"""The names of changed findings: a second pass over the columns that name them, since key files hold digests only."""

from collections.abc import Iterable, Mapping
from typing import Any

from findings_digest.changes import LISTED_KINDS, Changes
from findings_digest.columns import Batch
from findings_digest.identity import exact_keys
from findings_digest.records import EXACT

NAMED = (
    "finding_arn",
    "title",
    "vulnerability_id",
    "package_names",
    "account_id",
    "region",
    "resource_type",
    "resource_name",
    "resource_id",
)
"""The only columns that a pass reads."""

type Names = Mapping[bytes, Mapping[str, Any]]
"""By exact key, the columns :data:`NAMED`."""


def wanted(changes: Changes) -> tuple[frozenset[bytes], frozenset[bytes]]:
    """Return the exact keys whose names are listed: of the baseline's findings, and of tonight's."""
    listed = [change for kind in LISTED_KINDS for change in changes.listed(kind)]
    return (
        frozenset(change.baseline[EXACT] for change in listed if change.baseline),
        frozenset(change.tonight[EXACT] for change in listed if change.tonight),
    )


def find(batches: Iterable[Batch], keys: frozenset[bytes]) -> dict[bytes, dict[str, Any]]:
    """Return the names of some findings.

    Parameters
    ----------
    batches
        The columns :data:`NAMED` of a night, read as a stream; others are passed over.
    keys
        At most some thousands: :func:`wanted`.
    """
    names: dict[bytes, dict[str, Any]] = {}
    for batch in batches:
        for row, key in enumerate(exact_keys(batch["finding_arn"])):
            if key in keys:
                names[key] = {name: batch[name][row] for name in NAMED}
        if len(names) == len(keys):
            break
    return names
