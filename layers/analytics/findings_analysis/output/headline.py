"""The headline of an analysis: what the messages and the history need of it, small enough for the run's record.

Its lists are short and its texts are cut, by rule: an item of DynamoDB holds 400 KB, and a run has one. Texts come from
findings, so they are untrusted.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from findings_analysis.comparison.baseline import StoredFile
from findings_analysis.comparison.difference import MOVED_AWAY
from findings_analysis.comparison.fingerprints import FIXES
from findings_analysis.output.entries import KnownExploited
from findings_exporter.model import notes
from findings_exporter.model.owner_rules import UNOWNED
from findings_exporter.model.taxonomy import APPEARED, KINDS, NO_LONGER_OPEN, SEVERITIES

HEADLINE_VERSION = "2.0"
CHARACTERS = 40_000
"""Of a headline as JSON; tests hold it."""
SENTENCES, HEADLINE_SENTENCE_CHARACTERS = 10, 400
NEW_SHOWN, NO_LONGER_OPEN_SHOWN, TO_FIX_SHOWN, OVERDUE_SHOWN = 5, 3, 5, 3
PACKAGES, RESOURCES, OWNERS = 5, 5, 50
UNKNOWN_DAY = "9999-12-31"
"""Sorts after all days that are known."""
WORDS = 20
"""Entries of what findings name themselves, such as severities, and accounts with deactivated scanning."""

type ListedFinding = Mapping[str, Any]
"""A finding in one of the analysis' lists."""


@dataclass(frozen=True, slots=True)
class StoredAnalysis:
    """Where the files of an analysis lie.

    Attributes
    ----------
    owners_key, owner_message_count
        What the messages to owners need, and how many are due; None and 0 where none is.
    owners_with_page
        Owners whose page was made.
    """

    bucket: str
    analysis_key: str
    parquet_prefix: str
    fingerprints: StoredFile
    names: StoredFile
    page_key: str | None = None
    owners_key: str | None = None
    owner_message_count: int = 0
    owners_with_page: frozenset[str] = frozenset()


def make_headline(analysis: Mapping[str, Any], stored: StoredAnalysis, owner: str | None = None) -> dict[str, Any]:
    """Return the headline of an analysis, or of one owner's document.

    Parameters
    ----------
    analysis
        The document that docs/analysis.schema.json describes.
    """
    made: dict[str, Any] = {}
    for most in (HEADLINE_SENTENCE_CHARACTERS, 200, 100, 50, 25):
        made = {**_headline(analysis, stored, most), "owner": owner}
        if len(json.dumps(made, ensure_ascii=False)) <= CHARACTERS:
            break
    return made


def _headline(analysis: Mapping[str, Any], stored: StoredAnalysis, most: int) -> dict[str, Any]:
    counts, changes, coverage_status, coverage = (
        analysis[name] for name in ("statistics", "changes", "coverage_status", "coverage")
    )
    baseline = analysis["baseline"]
    return {
        "schema_version": HEADLINE_VERSION,
        "bucket": stored.bucket,
        "analysis_key": stored.analysis_key,
        "page_key": stored.page_key,
        "parquet_prefix": stored.parquet_prefix,
        "fingerprints_key": stored.fingerprints.key,
        "fingerprints_etag": stored.fingerprints.etag,
        "names_key": stored.names.key,
        "names_etag": stored.names.etag,
        "total": counts["total"],
        "open": counts["open"],
        "by_severity": _few(counts["by_severity"]),
        "by_status": _few(counts["by_status"]),
        "baseline": {name: baseline[name] for name in ("execution", "started_at", "age")} if baseline else None,
        "no_baseline": analysis["no_baseline"],
        "changes": _changes(changes) if changes else None,
        "worst_new": _worst(analysis, APPEARED, NEW_SHOWN, most) if changes else [],
        "worst_no_longer_open": _worst(analysis, NO_LONGER_OPEN, NO_LONGER_OPEN_SHOWN, most) if changes else [],
        "fix_first": [_to_fix(each, most) for each in analysis["fix_first"][:TO_FIX_SHOWN]],
        "due_dates": _due_dates(analysis["due_dates"]),
        "most_overdue": _most_overdue(analysis, most),
        "owners": _owners(analysis["owners"], analysis["owners_left_out"]),
        "owners_key": stored.owners_key,
        "owner_message_count": stored.owner_message_count,
        "coverage_status": {
            "state": coverage_status["state"],
            "unusual_drop": coverage_status["unusual_drop"],
            "deactivated": {
                _cut(account, 60): list(types) for account, types in list(coverage_status["deactivated"].items())[:WORDS]
            },
            "deactivated_accounts": len(coverage_status["deactivated"]),
            "reasons": [_cut(each, most) for each in coverage_status["reasons"][:SENTENCES]],
        },
        "coverage": {"scanned": coverage["scanned"], "not_scanned": coverage["not_scanned"]},
        "sentences": [_cut(each, most) for each in analysis["sentences"][:SENTENCES]],
    }


def _changes(changes: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "appeared": changes["counts"]["appeared"],
        "no_longer_open": changes["counts"]["no_longer_open"],
        "counts": {kind: changes["counts"][kind] for kind in (*KINDS, MOVED_AWAY) if kind in changes["counts"]},
        "appeared_by_severity": _by_severity(changes["by_severity"], APPEARED),
        "no_longer_open_by_severity": _by_severity(changes["by_severity"], NO_LONGER_OPEN),
    }


def _by_severity(by_severity: Mapping[str, Mapping[str, int]], kinds: Iterable[str]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for kind in kinds:
        found.update(by_severity[kind])
    return {severity: found[severity] for severity in SEVERITIES if found[severity]}


def _worst(analysis: Mapping[str, Any], kinds: Sequence[str], entries: int, most: int) -> list[dict[str, Any]]:
    """Return the worst of several lists, in the order that each list has: severity, exploit, fix, the longest open.

    Findings that differ only in their resource are one entry. What no file has the name of is left out: it is counted.
    """
    changes = analysis["changes"]
    lists = changes["lists"]
    alike = _alike(sorted((each for kind in kinds for each in lists.get(kind, [])), key=_badness))
    # A list that is cut may have lost some that rank with its last one.
    last = [_rank(lists[kind][-1]) for kind in kinds if lists.get(kind) and changes["counts"][kind] > len(lists[kind])]
    known = analysis["known_exploited"]
    return [_finding(group, known, most, at_least=any(_rank(group[0]) >= each for each in last)) for group in alike[:entries]]


def _most_overdue(analysis: Mapping[str, Any], most: int) -> list[dict[str, Any]]:
    due_dates, known = analysis["due_dates"], analysis["known_exploited"]
    if due_dates is None:
        return []
    listed = due_dates["most_overdue"]
    # Where the list is cut, more resources may be as long overdue.
    is_cut = sum(due_dates["overdue"].values()) > len(listed)
    return [_finding(group, known, most, at_least=is_cut) for group in _alike(listed)[:OVERDUE_SHOWN]]


def _alike(listed: Iterable[ListedFinding]) -> list[list[ListedFinding]]:
    alike: dict[tuple[Any, ...], list[ListedFinding]] = {}
    for each in listed:
        if each["vulnerability_id"] or each["title"]:
            alike.setdefault((*_rank(each), each["resource_type"], each["vulnerability_id"] or each["title"]), []).append(each)
    return list(alike.values())


def _badness(listed: ListedFinding) -> tuple[int, bool, int, str]:
    return (*_rank(listed), listed["first_seen"] or UNKNOWN_DAY)


def _rank(listed: ListedFinding) -> tuple[int, bool, int]:
    return (
        SEVERITIES.index(listed["severity"]),
        not listed["exploit_available"],
        -FIXES.get(listed["fix_available"] or "", 0),
    )


def _finding(alike: Sequence[ListedFinding], known_exploited: KnownExploited, most: int, *, at_least: bool) -> dict[str, Any]:
    first = alike[0]
    packages = {json.dumps(package): package for each in alike for package in each["packages"]}
    # Images of one repository have one name: it is listed once.
    named = {(each["resource"], each["account_id"], each["region"]): each for each in reversed(alike)}
    kev = known_exploited.get(first["vulnerability_id"] or "")
    return {
        "severity": first["severity"],
        "vulnerability_id": _cut(first["vulnerability_id"], min(most, 80)),
        "title": _cut(first["title"], min(most, 200)),
        "resource": _cut(first["resource"], min(most, 200)),
        "resource_type": _cut(first["resource_type"], 60),
        "resources": [_resource({**each, "name": each["resource"]}, most) for each in list(reversed(named.values()))[:RESOURCES]],
        "resource_count": len({each["resource_id"] or each["resource"] for each in alike}),
        "resource_count_at_least": at_least,
        "findings": len(alike),
        "account_id": _cut(_common(alike, "account_id"), 60),
        "region": _cut(_common(alike, "region"), 60),
        "owner": _cut(_common(alike, "owner"), 80),
        "packages": [_package(each, most) for each in list(packages.values())[:PACKAGES]],
        "fix_available": first["fix_available"],
        "exploit_available": first["exploit_available"],
        "in_kev": kev is not None,
        "kev_due_on": kev["due_on"] if kev else None,
        "first_seen": min((each["first_seen"] for each in alike if each["first_seen"]), default=None),
        "due_on": min((each["due_on"] for each in alike if each["due_on"]), default=None),
    }


def _common(alike: Sequence[ListedFinding], field: str) -> str | None:
    values = {each[field] for each in alike}
    return values.pop() if len(values) == 1 else None


def _to_fix(entry: Mapping[str, Any], most: int) -> dict[str, Any]:
    return {
        "rank": entry["rank"],
        "priority_score": entry["priority_score"],
        "vulnerability_id": _cut(entry["vulnerability_id"], min(most, 80)),
        "title": _cut(entry["title"], min(most, 200)),
        "severity": _cut(entry["severity"], 60),
        "exploit_available": entry["exploit_available"] == "YES",
        "runtime_reachability": _cut(entry["runtime_reachability"], 60),
        "packages": [_package(each, most) for each in entry["packages"][:PACKAGES]],
        "resource_count": entry["resource_count"],
        "resources": [_resource(each, most) for each in entry["resources"][:RESOURCES]],
        "due_on": entry["due_on"],
        "in_kev": entry["kev"] is not None,
        "kev_due_on": entry["kev"]["due_on"] if entry["kev"] else None,
        "why": _cut(entry["why"], min(most, 200)),
    }


def _package(package: Mapping[str, Any], most: int) -> dict[str, Any]:
    return {name: _cut(package[name], min(most, 80)) for name in ("name", "installed_version", "fixed_version")}


def _resource(resource: Mapping[str, Any], most: int) -> dict[str, Any]:
    return {
        "name": _cut(resource["name"], min(most, 80)),
        "resource_type": _cut(resource["resource_type"], 60),
        "account_id": _cut(resource["account_id"], 60),
        "region": _cut(resource["region"], 60),
        "owner": _cut(resource["owner"], 80),
        "due_on": resource["due_on"],
    }


def _due_dates(due_dates: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if due_dates is None:
        return None
    return {name: due_dates[name] for name in ("overdue", "due_soon", "newly_overdue", "unknown", "today")}


def _owners(owners: Mapping[str, Any] | None, left_out: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if owners is None:
        return None
    listed = [
        {
            "owner": owner,
            "open": each["counts"]["open"],
            "critical": each["counts"]["by_severity"].get("CRITICAL", 0),
            "new": each["changes"]["counts"]["appeared"] if each["changes"] else None,
            "overdue": sum(each["due_dates"]["overdue"].values()) if each["due_dates"] else None,
        }
        for owner, each in owners.items()
    ]
    listed.sort(key=lambda each: (-(each["overdue"] or 0), -(each["new"] or 0), -each["open"], each["owner"]))
    return {
        "count": len(owners) + (left_out["owners"] if left_out else 0),
        "unowned": owners[UNOWNED]["counts"]["open"] if UNOWNED in owners else 0,
        "listed": listed[:OWNERS],
    }


def _few(counted: Mapping[str, int]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for name, count in list(counted.items())[:WORDS]:
        found[_cut(name, 60)] += count
    return dict(found)


def _cut[T: str | None](text: T, most: int) -> T:
    """Return a text cleaned and cut to a length; None stays, and a note stays one."""
    return text if text is None else notes.cut(text, most)  # type: ignore[return-value] # None went above
