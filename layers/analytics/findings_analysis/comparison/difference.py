"""What changed between two runs: a comparison of multisets of fingerprints, in one walk through both.

Every finding that was open at the baseline, or is open now, gets one kind:

===================  ================================================================================================
still_open           open in both reports under the same ARN
unchanged_new_arn    missing or closed under its ARN, and open under another one: the image was rebuilt
rediscovered         back in an account, or of a scan type, where it was not sure that Inspector scanned
new                  the baseline has no such finding
additional_resource  new, and the same vulnerability was already open on the same resource (another image of it)
reopened             closed at the baseline
unsuppressed         suppressed at the baseline
closed               this report has it as closed
suppressed           this report has it as suppressed
resource_removed     missing, and so is everything else on its resource
no_longer_reported   missing, while its resource is still reported on
one_fewer_resource   missing or closed, while the same vulnerability is still open on the same resource
status_unknown       missing, and it is not sure that Inspector scans there: it may be open or fixed
===================  ================================================================================================

The same ARN is matched first, whatever else changed; then, among what is left, equal logical identities, one to one. An ARN
is in a report once: :mod:`findings_analysis.comparison.arns`.
Findings that are open in both may also have become worse or better: :data:`MARKS_CHANGED`.

The first-seen day belongs to the logical identity: the earliest day in an unbroken line of reports.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from findings_analysis.comparison.fingerprints import (
    AFTER_FIRST_SEEN,
    CLOSED,
    CLOSED_STATUS,
    EXACT,
    FIRST_SEEN,
    IDENTITY_AND_MARKS,
    LATEST_DAY,
    LOGICAL,
    MARKS,
    NO_DAY,
    OWNER,
    SCAN_TYPE,
    SUPPRESSED,
    UNKNOWN_STATUS,
    day,
    earliest_first_seen,
    fix,
    has_exploit,
    is_open,
    severity,
    status,
    was_open,
    with_status,
)
from findings_analysis.comparison.identity import ACCOUNT, ON_RESOURCE, RESOURCE, VULNERABILITY
from findings_analysis.comparison.sorting import Window, merged, windows
from findings_exporter.model.taxonomy import SCAN_TYPES, STATUS_UNKNOWN, STAYED

CHANGES_LISTED = 300
"""So many findings of each kind are named, some thousands in all: what a person can search in the page. All are counted."""


class Change(NamedTuple):
    """What happened to one finding.

    Attributes
    ----------
    baseline, current
        Its fingerprints; empty where it was not there. Both have the first-seen day that survived.
    """

    kind: str
    baseline: bytes
    current: bytes

    @property
    def fingerprint(self) -> bytes:
        """The latest that is known of it."""
        return self.current or self.baseline


class WorstChanges:
    """The first so many changes of one kind: the worst severity first, then a known exploit, a fix, the longest open."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: list[tuple[int, bytes, bytes, bytes]] = []
        self._worst: tuple[int, bytes] | None = None

    def add(self, change: Change) -> None:
        """Take a change, in any order of changes."""
        fingerprint = change.fingerprint
        order = (-(fingerprint[MARKS] >> 2), fingerprint[FIRST_SEEN])
        if self._worst and order > self._worst:
            return
        self._kept.append((*order, change.current, change.baseline))
        if len(self._kept) > 4 * self._most:
            self._cut()

    def changes(self, kind: str) -> list[Change]:
        """Return them in order."""
        self._cut()
        return [Change(kind, baseline, current) for _, _, current, baseline in self._kept]

    def _cut(self) -> None:
        self._kept.sort()
        del self._kept[self._most :]
        if len(self._kept) == self._most:
            self._worst = self._kept[-1][:2]


@dataclass(slots=True)
class Changes:
    """The comparison of two runs.

    Attributes
    ----------
    counts
        Findings of each kind; :data:`MARKS_CHANGED` count findings that stayed.
    by_severity
        By kind and severity: this run's, or the last known one of a finding that is no longer open.
    by_place
        By kind, account hash (:func:`findings_analysis.comparison.identity.account_hash`) and scan type.
    days_to_close
        Sum of the days from first seen to closed, over the findings of the kind ``closed``.
    """

    listed_at_most: int = CHANGES_LISTED
    counts: Counter[str] = field(default_factory=Counter)
    by_severity: Counter[tuple[str, str]] = field(default_factory=Counter)
    by_place: Counter[tuple[str, bytes, str]] = field(default_factory=Counter)
    days_to_close: int = 0
    _listed: dict[str, WorstChanges] = field(default_factory=dict)

    def add(self, change: Change) -> None:
        """Count a change, and what it changed in how bad the finding is."""
        self._count(change)
        if change.kind in STAYED:
            for kind in marks_changed(change.baseline, change.current):
                self._count(Change(kind, change.baseline, change.current))
        elif change.kind == "closed":
            self.days_to_close += max(day(change.current[CLOSED]) - day(change.baseline[FIRST_SEEN]), 0)

    def listed(self, kind: str) -> list[Change]:
        """Return the first changes of a kind, the worst first."""
        return self._listed[kind].changes(kind) if kind in self._listed else []

    def _count(self, change: Change) -> None:
        kind, fingerprint = change.kind, change.fingerprint
        self.counts[kind] += 1
        if kind != "still_open":
            self.by_severity[kind, severity(fingerprint)] += 1
            self.by_place[kind, fingerprint[ACCOUNT], SCAN_TYPES[fingerprint[SCAN_TYPE]]] += 1
            if kind not in self._listed:
                self._listed[kind] = WorstChanges(self.listed_at_most)
            self._listed[kind].add(change)


def marks_changed(before: bytes, after: bytes) -> list[str]:
    """Return what changed in how bad a finding is, which is open in both reports."""
    changed = []
    if before[MARKS] >> 5 != after[MARKS] >> 5:
        changed.append("severity_raised" if before[MARKS] >> 5 < after[MARKS] >> 5 else "severity_lowered")
    if has_exploit(after) and not has_exploit(before):
        changed.append("exploit_became_available")
    if fix(after) > max(fix(before), 1):
        changed.append("fix_became_available")
    return changed


class NotScanned(NamedTuple):
    """Places: account hashes followed by the number of a scan type.

    Attributes
    ----------
    uncertain
        Where it is not sure that Inspector scans: a missing finding may still be open.
    off
        Of them, where it surely does not: a closed finding need not be fixed.
    """

    uncertain: frozenset[bytes] = frozenset()
    off: frozenset[bytes] = frozenset()

    def hides(self, before: bytes, after: bytes) -> bool:
        """Tell whether an open finding that is missing, or closed now, may be open all the same."""
        latest = after or before
        return latest[ACCOUNT] + latest[SCAN_TYPE : SCAN_TYPE + 1] in (self.off if after else self.uncertain)


ALL_SCANNED = NotScanned()


def compare_group(
    baseline: list[bytes], current: list[bytes], *, resource_is_reported: bool, not_scanned: NotScanned = ALL_SCANNED
) -> tuple[list[Change], list[bytes]]:
    """Compare one vulnerability on one resource between two runs.

    Parameters
    ----------
    baseline, current
        Records, sorted.
    resource_is_reported
        Whether this report has any finding of the resource.

    Returns
    -------
    tuple
        The changes; and the fingerprints to keep for the next run, with the first-seen days that survive.
    """
    if not baseline:  # nearly all that changes is of one run alone
        kept = _same_first_seen(current)
        return [Change("new", b"", after) for after in kept if is_open(after)], kept
    pairs, fresh, absent = _paired_by_arn(baseline, current)
    changes, closed = _same_arn(pairs)
    missing = [*sorted(closed, key=_surely_open_first), *sorted(_missing(absent), key=_surely_open_first)]
    came, missing = _matched_by_identity(missing, [after for after in fresh if is_open(after)], changes)
    was_there = {before[LOGICAL] for before in baseline if was_open(before)}
    was_closed = {before[LOGICAL] for before in baseline if status(before) == CLOSED_STATUS}
    for after in came:
        kind = "additional_resource" if after[LOGICAL] in was_there else "reopened" if after[LOGICAL] in was_closed else "new"
        changes.append(Change(kind, b"", after))
    is_there = {after[LOGICAL] for after in current if is_open(after)}
    uncertain: dict[bytes, bytes] = {}
    for before, after in missing:
        if not_scanned.hides(before, after):
            kind = STATUS_UNKNOWN
            latest = with_status(after or before, UNKNOWN_STATUS)
            uncertain[before[EXACT]] = latest[: CLOSED.start] + NO_DAY + latest[OWNER]
        elif before[LOGICAL] in is_there:
            kind = "one_fewer_resource"
        elif after:
            kind = "closed"
        else:
            kind = "no_longer_reported" if resource_is_reported else "resource_removed"
        changes.append(Change(kind, before, b"" if kind == STATUS_UNKNOWN else after))
    reported = [after for _, after in pairs if after[EXACT] not in uncertain]
    return changes, sorted([*reported, *fresh, *uncertain.values()])


def _paired_by_arn(baseline: list[bytes], current: list[bytes]) -> tuple[list[tuple[bytes, bytes]], list[bytes], list[bytes]]:
    """Return what both runs have, what only this run has and what only the baseline has.

    What is this run's, and what is remembered of the baseline, comes with the first-seen days that survive.
    """
    by_arn: dict[bytes, deque[bytes]] = {}
    # Where a report had a finding twice, an open one goes before one whose status was unknown.
    for before in sorted(baseline, key=status):
        by_arn.setdefault(before[EXACT], deque()).append(before)
    pairs, fresh = [], []
    for after in current:
        if same := by_arn.get(after[EXACT]):
            pairs.append((same.popleft(), after))
        else:
            fresh.append(after)
    by_identity = earliest_first_seen([*baseline, *current])
    earliest = dict(by_identity)
    for before, after in pairs:
        if before[LOGICAL] != after[LOGICAL]:  # its packages changed
            earliest[after[LOGICAL]] = min(earliest[after[LOGICAL]], by_identity[before[LOGICAL]])

    def dated(each: bytes, closed: bytes) -> bytes:
        return each[IDENTITY_AND_MARKS] + earliest[each[LOGICAL]] + closed + each[OWNER]

    return (
        # Of two days on which a finding was closed, the first one stands.
        [
            (before, dated(after, before[CLOSED] if status(before) == status(after) == CLOSED_STATUS else after[CLOSED]))
            for before, after in pairs
        ],
        [dated(after, after[CLOSED]) for after in fresh],
        [dated(before, before[CLOSED]) for left in by_arn.values() for before in left],
    )


def _same_arn(pairs: list[tuple[bytes, bytes]]) -> tuple[list[Change], list[tuple[bytes, bytes]]]:
    """Return what is known for sure since both reports have the ARN, and what was closed: a rebuilt image may have it again."""
    changes, closed = [], []
    for before, after in pairs:
        if was_open(before) and is_open(after):
            changes.append(Change("rediscovered" if status(before) == UNKNOWN_STATUS else "still_open", before, after))
        elif was_open(before) and status(after) == SUPPRESSED:
            changes.append(Change("suppressed", before, after))
        elif was_open(before):
            closed.append((before, after))
        elif is_open(after):
            changes.append(Change("unsuppressed" if status(before) == SUPPRESSED else "reopened", before, after))
    return changes, closed


def _missing(absent: list[bytes]) -> list[tuple[bytes, bytes]]:
    return [(before, b"") for before in absent if was_open(before)]


def _surely_open_first(pair: tuple[bytes, bytes]) -> tuple[int, bytes]:
    before, _ = pair
    return status(before), before[EXACT]


def _matched_by_identity(
    missing: list[tuple[bytes, bytes]], came: list[bytes], changes: list[Change]
) -> tuple[list[bytes], list[tuple[bytes, bytes]]]:
    """Pair equal logical identities one to one, and return what is left of both sides.

    Closed findings come first, since a rebuilt image closes the findings of the image before; then missing ones, which may have
    any reason. Of each, findings that were open come before those whose status was unknown, whatever the order of the report.
    """
    waiting: dict[bytes, deque[tuple[bytes, bytes]]] = {}
    for pair in missing:
        waiting.setdefault(pair[0][LOGICAL], deque()).append(pair)
    left = []
    for after in came:
        if queue := waiting.get(after[LOGICAL]):
            before, _ = queue.popleft()
            changes.append(Change("rediscovered" if status(before) == UNKNOWN_STATUS else "unchanged_new_arn", before, after))
        else:
            left.append(after)
    return left, [pair for queue in waiting.values() for pair in queue]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What one walk through two runs found.

    Attributes
    ----------
    changes
        None without a baseline.
    resources
        On how many resources each watched vulnerability is open now, by its hash.
    moved
        ARN hashes of the findings that both runs have under different logical identities. They were taken for one that went
        and one that came: :func:`rekeyed` brings them together for a second walk.
    carried
        ARN hashes of what is kept for the next run although this report does not have it.
    """

    changes: Changes | None
    resources: Counter[bytes]
    moved: frozenset[bytes]
    carried: frozenset[bytes]


def compare(  # noqa: PLR0913 - what is counted on the way is named
    baseline: Iterator[list[bytes]] | None,
    current: Iterator[list[bytes]],
    keep: Callable[[list[bytes]], object],
    *,
    arns: AbstractSet[bytes] = frozenset(),
    not_scanned: NotScanned = ALL_SCANNED,
    watched: frozenset[bytes] = frozenset(),
    listed_at_most: int = CHANGES_LISTED,
) -> Comparison:
    """Compare two runs in one walk.

    Parameters
    ----------
    baseline, current
        Sorted fingerprints in blocks; None when there is nothing to compare with.
    keep
        Is given what to keep for the next run, sorted.
    arns
        ARN hashes of all of this run's findings.
    watched
        Hashes of vulnerabilities (:func:`findings_analysis.comparison.identity.vulnerability_hash`) whose resources are counted.

    Notes
    -----
    Most groups are as they were: same ARNs, same marks, no first-seen day earlier than the one that is known. They are
    found by set operations, and only the others are compared one by one.
    """
    changes = Changes(listed_at_most)
    resources: Counter[bytes] = Counter()
    moved: set[bytes] = set()
    carried: set[bytes] = set()
    for window in windows(iter(()) if baseline is None else baseline, current, ON_RESOURCE):
        kept = (
            _same_first_seen(window.current) if baseline is None else _compare_window(window, changes, not_scanned, arns, moved)
        )
        keep(kept)
        carried.update([each[EXACT] for each in kept if each[MARKS] & 3 == UNKNOWN_STATUS])
        if watched:
            open_on = {each[ON_RESOURCE] for each in window.current if each[VULNERABILITY] in watched and is_open(each)}
            resources.update([each[VULNERABILITY] for each in open_on])
    return Comparison(None if baseline is None else changes, resources, frozenset(moved), frozenset(carried))


def rekeyed(baseline: Callable[[], Iterator[list[bytes]]], keys: Mapping[bytes, bytes]) -> Iterator[list[bytes]]:
    """Give a run's fingerprints, sorted, some of them under another logical hash.

    Parameters
    ----------
    baseline
        Gives the sorted fingerprints in blocks, each time anew.
    keys
        Logical hashes by ARN hashes.
    """
    moved = sorted(keys[each[EXACT]] + each[LOGICAL.stop :] for block in baseline() for each in block if each[EXACT] in keys)
    others = ([each for each in block if each[EXACT] not in keys] for block in baseline())
    return merged([filter(None, others), iter([moved] if moved else [])])


def with_first_seen(
    current: Iterator[list[bytes]], earlier: Iterator[list[bytes]], moved: Mapping[bytes, bytes]
) -> Iterator[list[bytes]]:
    """Give this run's fingerprints, sorted, with the first-seen days that an earlier run knew of the same findings.

    Parameters
    ----------
    earlier
        Of any run of the report, whatever its filter.
    moved
        :func:`moved_days`.
    """
    for window in windows(earlier, current, ON_RESOURCE):
        if window.current:
            known = earliest_first_seen(window.baseline)
            by_arn = {each[EXACT]: each[FIRST_SEEN] for each in window.baseline}
            yield [
                each[IDENTITY_AND_MARKS]
                + min(
                    each[FIRST_SEEN],
                    known.get(each[LOGICAL], LATEST_DAY),
                    by_arn.get(each[EXACT], LATEST_DAY),
                    moved.get(each[EXACT], LATEST_DAY),
                )
                + each[AFTER_FIRST_SEEN]
                for each in window.current
            ]


def moved_days(current: Iterator[list[bytes]], earlier: Iterator[list[bytes]], arns: AbstractSet[bytes]) -> dict[bytes, bytes]:
    """Return the first-seen days of findings whose ARN stands elsewhere in this report, by ARN hash."""
    moved = {}
    for window in windows(earlier, current, ON_RESOURCE):
        here = {(each[EXACT], each[ON_RESOURCE]) for each in window.current}
        for each in window.baseline:
            if each[EXACT] in arns and (each[EXACT], each[ON_RESOURCE]) not in here:
                moved[each[EXACT]] = each[FIRST_SEEN]
    return moved


def _compare_window(
    window: Window, changes: Changes, not_scanned: NotScanned, arns: AbstractSet[bytes], moved: set[bytes]
) -> list[bytes]:
    touched = _touched_groups(window.baseline, window.current)
    quiet = [each for each in window.baseline if each[ON_RESOURCE] not in touched] if touched else window.baseline
    changes.counts["still_open"] += len([each for each in quiet if is_open(each)])
    if not touched:
        return quiet
    groups: dict[bytes, tuple[list[bytes], list[bytes]]] = {group: ([], []) for group in touched}
    for side, fingerprints in enumerate((window.baseline, window.current)):
        for each in fingerprints:
            if each[ON_RESOURCE] in groups:
                groups[each[ON_RESOURCE]][side].append(each)
    # Sorted fingerprints of one resource stand together: what the window does not hold can only be right beside it.
    reported = {each[RESOURCE] for each in (*window.current, window.previous, window.following)}
    kept = quiet
    for group in sorted(groups):
        before, after = groups[group]
        if absent := {each[EXACT] for each in before} - {each[EXACT] for each in after}:
            moved |= absent & arns
        found, fingerprints = compare_group(
            before, after, resource_is_reported=group[RESOURCE] in reported, not_scanned=not_scanned
        )
        for change in found:
            changes.add(change)
        kept += fingerprints
    kept.sort()
    return kept


def _touched_groups(baseline: list[bytes], current: list[bytes]) -> set[bytes]:
    before = {each[IDENTITY_AND_MARKS]: each for each in baseline}
    after = {each[IDENTITY_AND_MARKS]: each for each in current}
    touched = {identity[ON_RESOURCE] for identity in before.keys() ^ after.keys()}
    # An earlier first-seen day spreads to the copies. A later one is that of a rebuilt image: the known one stands.
    touched |= {identity[ON_RESOURCE] for identity, each in after.items() if each < before.get(identity, b"")}
    if len(before) < len(baseline) or len(after) < len(current):
        for fingerprints in (baseline, current):
            twice = (one for one, two in pairwise(fingerprints) if one[IDENTITY_AND_MARKS] == two[IDENTITY_AND_MARKS])
            touched |= {each[ON_RESOURCE] for each in twice}
    return touched


def _same_first_seen(fingerprints: list[bytes]) -> list[bytes]:
    """Return fingerprints with one first-seen day for each logical identity: copies that were seen first at different times."""
    if all(one[LOGICAL] != two[LOGICAL] for one, two in pairwise(fingerprints)):
        return fingerprints
    earliest = earliest_first_seen(fingerprints)
    return [each[IDENTITY_AND_MARKS] + earliest[each[LOGICAL]] + each[AFTER_FIRST_SEEN] for each in fingerprints]
