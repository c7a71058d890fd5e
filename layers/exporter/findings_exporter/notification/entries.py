"""What a headline lists, in the form of this release: findings, and what to fix first.

An earlier release listed packages by their names, resources by their number and a few names, and had ``priorities`` for what is
``fix_first`` now. Any field may be missing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

type Entry = Mapping[str, Any]
"""A finding, several that are alike, or a vulnerability to fix."""

PACKAGE_FIELDS = ("name", "installed_version", "fixed_version")
RESOURCE_FIELDS = ("name", "resource_type", "account_id", "region", "owner", "due_on")


def listed(headline: Mapping[str, Any], name: str) -> Sequence[Entry]:
    """Return one of a headline's lists."""
    found = headline.get(name)
    if name == "fix_first" and found is None:
        found = headline.get("priorities")
    return [_current(each) for each in found if isinstance(each, Mapping)] if isinstance(found, list | tuple) else []


def _current(entry: Entry) -> Entry:
    given = entry.get("resources")
    if isinstance(given, list | tuple):
        resources, count = (
            [_fields(each, RESOURCE_FIELDS) for each in given if isinstance(each, Mapping)],
            entry.get("resource_count"),
        )
        count = count or len(resources) or None
    else:
        resources, count = [_fields({"name": each}, RESOURCE_FIELDS) for each in entry.get("resource_names") or ()], given
    return {
        **entry,
        "packages": [
            _fields(each if isinstance(each, Mapping) else {"name": each}, PACKAGE_FIELDS)
            for each in entry.get("packages") or ()
            if isinstance(each, str | Mapping)
        ],
        "resources": resources,
        "resource_count": count,
        "resource_count_at_least": entry.get("resource_count_at_least", entry.get("resources_at_least")),
    }


def _fields(source: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: source.get(name) for name in names}
