"""The brief of a digest: what the messages and the history need of it, small enough for the run's record.

Its lists are short and its texts are cut, by rule: an item of DynamoDB holds 400 KB, and a run has one. Texts come from
findings, so anybody may have written them.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from findings_digest.baseline import StoredFile
from findings_digest.changes import APPEARED, GONE, MARKS_CHANGED, STAYED, UNKNOWN
from findings_digest.records import FIXES, SEVERITIES

SCHEMA_VERSION = "1.0"
CHARACTERS = 24_000
"""Of a brief as JSON; tests hold it."""
SENTENCES, SENTENCE_CHARACTERS = 10, 400
WORST_NEW, WORST_GONE, FIX_FIRST = 5, 3, 5
PACKAGES = 5
WORDS = 20
"""Entries of what findings name themselves, such as severities, and accounts that are dark."""
KINDS = (*STAYED, *APPEARED, *GONE, UNKNOWN, *MARKS_CHANGED)
_UNTELLABLE = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")
"""Breaks a line, turns the direction of the text around it, or is no character."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Where a digest's files lie; ``carried`` is None where nothing is carried over."""

    bucket: str
    digest_key: str
    parquet: StoredFile
    keys: StoredFile
    carried: StoredFile | None = None
    page_key: str | None = None


def brief(digest: Mapping[str, Any], stored: Stored) -> dict[str, Any]:
    """Return the brief of a digest.

    Parameters
    ----------
    digest
        The document that docs/digest.schema.json describes.
    """
    made: dict[str, Any] = {}
    for most in (SENTENCE_CHARACTERS, 200, 100, 50):
        made = _brief(digest, stored, most)
        if len(json.dumps(made, ensure_ascii=False)) <= CHARACTERS:
            break
    return made


def _brief(digest: Mapping[str, Any], stored: Stored, most: int) -> dict[str, Any]:
    counts, changes, verdict, coverage = (digest[name] for name in ("counts", "changes", "verdict", "coverage"))
    baseline = digest["baseline"]
    lists = changes["lists"] if changes else {}
    return {
        "schema_version": SCHEMA_VERSION,
        "bucket": stored.bucket,
        "digest_key": stored.digest_key,
        "page_key": stored.page_key,
        "parquet_key": stored.parquet.key,
        "parquet_etag": stored.parquet.etag,
        "keys_key": stored.keys.key,
        "keys_etag": stored.keys.etag,
        "carried_key": stored.carried.key if stored.carried else None,
        "carried_etag": stored.carried.etag if stored.carried else None,
        "total": counts["total"],
        "open": counts["open"],
        "by_severity": _few(counts["by_severity"]),
        "by_status": _few(counts["by_status"]),
        "baseline": {name: baseline[name] for name in ("execution", "started_at", "age")} if baseline else None,
        "no_baseline": digest["no_baseline"],
        "changes": _changes(changes) if changes else None,
        "worst_new": [_finding(each, most) for each in _worst(lists, APPEARED, WORST_NEW)],
        "worst_gone": [_finding(each, most) for each in _worst(lists, GONE, WORST_GONE)],
        "fix_first": [_to_fix(each, most) for each in digest["fix_first"][:FIX_FIRST]],
        "verdict": {
            "state": verdict["state"],
            "sudden_fall": verdict["sudden_fall"],
            "dark": {_cut(account, 60): list(types) for account, types in list(verdict["dark"].items())[:WORDS]},
            "dark_accounts": len(verdict["dark"]),
            "reasons": [_cut(each, most) for each in verdict["reasons"][:SENTENCES]],
        },
        "coverage": {"scanned": coverage["scanned"], "not_scanned": coverage["not_scanned"]},
        "sentences": [_cut(each, most) for each in digest["sentences"][:SENTENCES]],
    }


def _changes(changes: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "appeared": changes["counts"]["appeared"],
        "gone": changes["counts"]["gone"],
        "counts": {kind: changes["counts"][kind] for kind in KINDS},
        "appeared_by_severity": _by_severity(changes["by_severity"], APPEARED),
        "gone_by_severity": _by_severity(changes["by_severity"], GONE),
    }


def _by_severity(by_severity: Mapping[str, Mapping[str, int]], kinds: Iterable[str]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for kind in kinds:
        found.update(by_severity[kind])
    return {severity: found[severity] for severity in reversed(SEVERITIES) if found[severity]}


def _worst(lists: Mapping[str, list[dict[str, Any]]], kinds: Iterable[str], most: int) -> list[dict[str, Any]]:
    """Return the worst of several lists, in the order that each list has: severity, exploit, fix, the longest open."""
    listed = [each for kind in kinds for each in lists.get(kind, [])]
    return sorted(listed, key=_badness)[:most]


def _badness(listed: Mapping[str, Any]) -> tuple[int, bool, int, str]:
    return (
        -SEVERITIES.index(listed["severity"]),
        not listed["exploit_known"],
        -FIXES.get(listed["fix_available"] or "", 0),
        listed["first_seen"],
    )


def _finding(listed: Mapping[str, Any], most: int) -> dict[str, Any]:
    return {
        "severity": listed["severity"],
        "vulnerability_id": _cut(listed["vulnerability_id"], min(most, 80)),
        "title": _cut(listed["title"], min(most, 200)),
        "resource": _cut(listed["resource"], min(most, 200)),
        "account_id": _cut(listed["account_id"], 60),
        "region": _cut(listed["region"], 60),
        "packages": [_cut(each, min(most, 80)) for each in listed["packages"][:PACKAGES]],
        "fix_available": listed["fix_available"],
        "exploit_known": listed["exploit_known"],
        "first_seen": listed["first_seen"],
    }


def _to_fix(entry: Mapping[str, Any], most: int) -> dict[str, Any]:
    return {
        "rank": entry["rank"],
        "points": entry["points"],
        "vulnerability_id": _cut(entry["vulnerability_id"], min(most, 80)),
        "title": _cut(entry["title"], min(most, 200)),
        "severity": _cut(entry["severity"], 60),
        "exploit_known": entry["exploit_available"] == "YES",
        "resources": entry["resources"],
        "why": _cut(entry["why"], min(most, 200)),
    }


def _few(counted: Mapping[str, int]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for name, count in list(counted.items())[:WORDS]:
        found[_cut(name, 60)] += count
    return dict(found)


def _cut[T: str | None](text: T, most: int) -> T:
    """Cut a text to a length, on one line, and show that it was cut."""
    if text is None:
        return text
    told = _UNTELLABLE.sub(" ", text).strip()
    return told if len(told) <= most else f"{told[: most - 1]}…"  # type: ignore[return-value] # None went above
