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

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import chain, pairwise
from typing import NamedTuple

from findings_analysis.comparison.arns import ArnIndex
from findings_analysis.comparison.fingerprints import (
    AFTER_FIRST_SEEN,
    BEFORE_OWNER,
    CLOSED,
    CLOSED_STATUS,
    EXACT,
    FIRST_SEEN,
    IDENTITY_AND_MARKS,
    LATEST_DAY,
    LOGICAL,
    MARKS,
    NO_DAY,
    NO_OWNER,
    NOT_KNOWN,
    OPEN,
    OWNER,
    RANKED,
    SCAN_TYPE,
    SUPPRESSED,
    UNKNOWN_STATUS,
    day,
    earliest_first_seen,
    fix,
    has_exploit,
    is_open,
    status,
    was_open,
    with_status,
)
from findings_analysis.comparison.identity import ACCOUNT, ON_RESOURCE, RESOURCE
from findings_analysis.comparison.sorting import Window, merged, windows
from findings_exporter.model.taxonomy import MOVED, NO_LONGER_OPEN, SCAN_TYPES, STATUS_UNKNOWN, STAYED

MARKS_AND_SCAN_TYPE = slice(MARKS, SCAN_TYPE + 1)
CHANGES_LISTED = 300
"""So many findings of each kind are named, some thousands in all: what a person can search in the page. All are counted."""
CHANGES_OF_OWNER_LISTED = 50
"""The same of each owner: there may be hundreds."""
MOVED_AWAY = "moved_away"
"""Counted for the owner that a finding had before, beside ``moved`` for the one that it has now."""
OF_BASELINE = frozenset({*NO_LONGER_OPEN, STATUS_UNKNOWN, MOVED_AWAY})
"""Kinds that are the owner's of the baseline."""


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


type Pair = tuple[bytes, bytes]
"""A finding's fingerprints of the baseline and of this report; empty where it was not there."""
type Found = defaultdict[str, list[Pair]]
"""Changes by kind."""


class WorstChanges:
    """The first so many changes of one kind: the worst severity first, then a known exploit, a fix, the longest open."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: list[tuple[int, bytes, bytes, bytes]] = []
        self._last: tuple[int, bytes, bytes, bytes] | None = None  # of a full list: only what comes before it can come in

    def add(self, pairs: Iterable[Pair]) -> None:
        """Take changes, in any order."""
        least_marks = -self._last[0] if self._last else 0
        offered = [
            (-(latest[MARKS] >> 2), latest[FIRST_SEEN], after, before)
            for before, after in pairs
            if (latest := after or before)[MARKS] >> 2 >= least_marks
        ]
        self._kept += [each for each in offered if each < self._last] if self._last else offered
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
            self._last = self._kept[-1]


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
    days_to_close, closed_with_days
        Sum of the days from first seen to closed, over the findings of the kind ``closed`` whose first-seen day is known, and
        how many these are.
    by_owner
        By the owner's bytes, kind and severity, ``moved_away`` among the kinds. Empty where this run knows no owners.
    owned, knows_owners
        Whether this run knows owners, and whether both runs do: else nothing has moved.
    """

    listed_at_most: int = CHANGES_LISTED
    owned: bool = False
    knows_owners: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    by_severity: Counter[tuple[str, str]] = field(default_factory=Counter)
    by_place: Counter[tuple[str, bytes, str]] = field(default_factory=Counter)
    by_owner: Counter[tuple[bytes, str, str]] = field(default_factory=Counter)
    days_to_close: int = 0
    closed_with_days: int = 0
    _listed: dict[str, WorstChanges] = field(default_factory=dict)
    _listed_of_owner: dict[tuple[bytes, str], WorstChanges] = field(default_factory=dict)

    def add(self, kind: str, pairs: Collection[Pair]) -> None:
        """Count changes of one kind, and what they changed in how bad the findings are."""
        if kind == "still_open":
            self.add_still_open([after for _, after in pairs])
        else:
            self._count(kind, pairs)
        if kind in STAYED:
            marked: Found = defaultdict(list)
            for before, after in pairs:
                if before[MARKS] >> 2 != after[MARKS] >> 2:
                    for each in marks_changed(before, after):
                        marked[each].append((before, after))
            for each, changed in marked.items():
                self._count(each, changed)
            if self.knows_owners:
                self.add_moved([(before, after) for before, after in pairs if before[OWNER] != after[OWNER]])
        elif kind == "closed":
            known = [(before, after) for before, after in pairs if before[FIRST_SEEN] != NOT_KNOWN]
            self.closed_with_days += len(known)
            self.days_to_close += sum(max(day(after[CLOSED]) - day(before[FIRST_SEEN]), 0) for before, after in known)

    def add_still_open(self, current: Collection[bytes]) -> None:
        """Count findings that are open in both reports under the same ARN."""
        self.counts["still_open"] += len(current)
        for alike, count in Counter(
            [each[MARKS : MARKS + 1] + each[OWNER] for each in current if each[OWNER] != NO_OWNER]
        ).items():
            self.by_owner[alike[1:], "still_open", RANKED[alike[0] >> 5]] += count

    def add_moved(self, pairs: Collection[Pair]) -> None:
        """Count open findings whose owner has changed; one that was carried over from a run without owners had none."""
        if pairs := [(before, after) for before, after in pairs if before[OWNER] != NO_OWNER]:
            self._count(MOVED, pairs)
            self._count_of_owners(MOVED_AWAY, pairs)

    def listed(self, kind: str) -> list[Change]:
        """Return the first changes of a kind, the worst first."""
        return self._listed[kind].changes(kind) if kind in self._listed else []

    def listed_of_owner(self, owner: bytes, kind: str) -> list[Change]:
        """Return an owner's first changes of a kind, the worst first."""
        listed = self._listed_of_owner.get((owner, kind))
        return listed.changes(kind) if listed else []

    def _count(self, kind: str, pairs: Collection[Pair]) -> None:
        self.counts[kind] += len(pairs)
        latest = [after or before for before, after in pairs]
        for alike, count in Counter([each[ACCOUNT] + each[MARKS_AND_SCAN_TYPE] for each in latest]).items():
            *account, marks, scan_type = alike
            self.by_severity[kind, RANKED[marks >> 5]] += count
            self.by_place[kind, bytes(account), SCAN_TYPES[scan_type]] += count
        if kind not in self._listed:
            self._listed[kind] = WorstChanges(self.listed_at_most)
        self._listed[kind].add(pairs)
        self._count_of_owners(kind, pairs)

    def _count_of_owners(self, kind: str, pairs: Collection[Pair]) -> None:
        if not self.owned:
            return
        of_owners: dict[bytes, list[Pair]] = {}
        for pair in pairs:
            before, after = pair
            of_owners.setdefault((before if before and kind in OF_BASELINE else after or before)[OWNER], []).append(pair)
        for owner, owned in of_owners.items():
            for rank, count in Counter([(after or before)[MARKS] >> 5 for before, after in owned]).items():
                self.by_owner[owner, kind, RANKED[rank]] += count
            key = (owner, kind)
            if key not in self._listed_of_owner:
                self._listed_of_owner[key] = WorstChanges(min(self.listed_at_most, CHANGES_OF_OWNER_LISTED))
            self._listed_of_owner[key].add(owned)


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


SAME_ARN = {
    (OPEN, OPEN): "still_open",
    (UNKNOWN_STATUS, OPEN): "rediscovered",
    (OPEN, SUPPRESSED): "suppressed",
    (UNKNOWN_STATUS, SUPPRESSED): "suppressed",
    (SUPPRESSED, OPEN): "unsuppressed",
    (CLOSED_STATUS, OPEN): "reopened",
}
"""What is known for sure since both reports have the ARN, by the statuses."""


class GroupsCompared(NamedTuple):
    """What became of some groups.

    Attributes
    ----------
    changes
        By kind.
    kept
        The fingerprints to keep for the next run, with the first-seen days that survive; not sorted.
    absent
        The baseline's fingerprints that no fingerprint of their group has the ARN of.
    """

    changes: Mapping[str, list[Pair]]
    kept: list[bytes]
    absent: list[bytes]


def compare_groups(
    baseline: list[bytes], current: list[bytes], reported: AbstractSet[bytes], not_scanned: NotScanned = ALL_SCANNED
) -> GroupsCompared:
    """Compare groups between two runs; a group is one vulnerability on one resource.

    Parameters
    ----------
    baseline, current
        All records of the groups, sorted.
    reported
        The resources of which this report has any finding.

    Notes
    -----
    All groups are compared at once, since a group by itself has few records and would cost more than they do. None takes part
    in another's comparison: records meet by their logical identity, or by their group and ARN.
    """
    pairs, fresh, absent = _dated(*_paired_by_arn(baseline, current))
    found: Found = defaultdict(list)
    closed = []
    for before, after in pairs:
        if kind := SAME_ARN.get((before[MARKS] & 3, after[MARKS] & 3)):
            found[kind].append((before, after))
        elif was_open(before):  # a rebuilt image may have it again
            closed.append((before, after))
    missing = [
        *sorted(closed, key=_surely_open_first),
        # Of one identity and status, these are in the order of their ARNs.
        *[(before, b"") for before in _of_status(absent, OPEN)],
        *[(before, b"") for before in _of_status(absent, UNKNOWN_STATUS)],
    ]
    came, missing = _matched_by_identity(missing, _of_status(fresh, OPEN), found)
    if came:
        _find_appeared(came, baseline, found)
    uncertain = _find_missing(missing, {after[LOGICAL] for after in _of_status(current, OPEN)}, reported, not_scanned, found)
    stayed = [after for _, after in pairs if not uncertain or after[ON_RESOURCE] + after[EXACT] not in uncertain]
    return GroupsCompared(found, [*stayed, *fresh, *uncertain.values()], absent)


def _of_status(fingerprints: Iterable[bytes], *statuses: int) -> list[bytes]:
    return [each for each in fingerprints if each[MARKS] & 3 in statuses]


def _find_appeared(came: list[bytes], baseline: list[bytes], found: Found) -> None:
    was_there = {before[LOGICAL] for before in _of_status(baseline, OPEN, UNKNOWN_STATUS)}
    was_closed = {before[LOGICAL] for before in _of_status(baseline, CLOSED_STATUS)}
    for after in came:
        identity = after[LOGICAL]
        kind = "additional_resource" if identity in was_there else "reopened" if identity in was_closed else "new"
        found[kind].append((b"", after))


def _find_missing(
    missing: list[Pair], is_there: AbstractSet[bytes], reported: AbstractSet[bytes], not_scanned: NotScanned, found: Found
) -> dict[bytes, bytes]:
    """Find out why findings are missing, and return what to keep of those that may be open all the same, by group and ARN."""
    uncertain: dict[bytes, bytes] = {}
    if not_scanned.uncertain or not_scanned.off:
        for before, after in [pair for pair in missing if not_scanned.hides(*pair)]:
            latest = with_status(after or before, UNKNOWN_STATUS)
            uncertain[before[ON_RESOURCE] + before[EXACT]] = latest[: CLOSED.start] + NO_DAY + latest[OWNER]
            found[STATUS_UNKNOWN].append((before, b""))
        missing = [pair for pair in missing if not not_scanned.hides(*pair)]
    for pair in missing:
        before, after = pair
        if before[LOGICAL] in is_there:
            kind = "one_fewer_resource"
        elif after:
            kind = "closed"
        else:
            kind = "no_longer_reported" if before[RESOURCE] in reported else "resource_removed"
        found[kind].append(pair)
    return uncertain


def _paired_by_arn(baseline: list[bytes], current: list[bytes]) -> tuple[list[Pair], list[bytes], list[bytes]]:
    """Return what both runs have, what only this run has, and what only the baseline has: sorted, at least of each status."""
    if {each[EXACT] for each in current}.isdisjoint([each[EXACT] for each in baseline]):
        return [], current, baseline
    by_arn: dict[bytes, list[bytes]] = {}
    # Where a report had a finding twice, an open one goes before one whose status was unknown.
    for before in sorted(baseline, key=status):
        by_arn.setdefault(before[ON_RESOURCE] + before[EXACT], []).append(before)
    pairs, fresh = [], []
    for after in current:
        if same := by_arn.get(after[ON_RESOURCE] + after[EXACT]):
            pairs.append((same.pop(0), after))
        else:
            fresh.append(after)
    return pairs, fresh, [before for left in by_arn.values() for before in left]


def _dated(pairs: list[Pair], fresh: list[bytes], absent: list[bytes]) -> tuple[list[Pair], list[bytes], list[bytes]]:
    """Return the same: what is this run's, and what is remembered of the baseline, with the first-seen days that survive."""
    befores, afters = [before for before, _ in pairs], [after for _, after in pairs]
    by_identity = earliest_first_seen(chain(befores, absent, afters, fresh))
    earliest = by_identity
    if others := [(before, after) for before, after in pairs if before[LOGICAL] != after[LOGICAL]]:  # their packages changed
        earliest = dict(by_identity)
        for before, after in others:
            earliest[after[LOGICAL]] = min(earliest[after[LOGICAL]], by_identity[before[LOGICAL]])
    dated = [
        # Of two days on which a finding was closed, the first one stands.
        (before, after[: CLOSED.start] + before[CLOSED] + after[OWNER])
        if status(before) == status(after) == CLOSED_STATUS
        else (before, after)
        for before, after in zip(befores, _with_days(afters, earliest), strict=True)
    ]
    return dated, _with_days(fresh, earliest), _with_days(absent, earliest)


def _with_days(fingerprints: Iterable[bytes], first_seen: Mapping[bytes, bytes]) -> list[bytes]:
    return [
        each
        if (first := first_seen[each[LOGICAL]]) == each[FIRST_SEEN]
        else each[IDENTITY_AND_MARKS] + first + each[AFTER_FIRST_SEEN]
        for each in fingerprints
    ]


def _surely_open_first(pair: Pair) -> tuple[int, bytes]:
    before, _ = pair
    return status(before), before[EXACT]


def _matched_by_identity(missing: list[Pair], came: list[bytes], found: Found) -> tuple[list[bytes], list[Pair]]:
    """Pair equal logical identities one to one, and return what is left of both sides.

    Closed findings come first, since a rebuilt image closes the findings of the image before; then missing ones, which may have
    any reason. Of each, findings that were open come before those whose status was unknown, whatever the order of the report.
    """
    if {after[LOGICAL] for after in came}.isdisjoint([before[LOGICAL] for before, _ in missing]):
        return came, missing
    waiting: dict[bytes, Pair] = {}
    copies: dict[bytes, deque[Pair]] = {}  # few have any: no deque for each identity
    for pair in missing:
        if waiting.setdefault(identity := pair[0][LOGICAL], pair) is not pair:
            copies.setdefault(identity, deque()).append(pair)
    left = []
    for after in came:
        if same := waiting.pop(identity := after[LOGICAL], None):
            before, _ = same
            found["rediscovered" if before[MARKS] & 3 == UNKNOWN_STATUS else "unchanged_new_arn"].append((before, after))
            if more := copies.get(identity):
                waiting[identity] = more.popleft()
        else:
            left.append(after)
    return left, [*waiting.values(), *chain.from_iterable(copies.values())]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What one walk through two runs found.

    Attributes
    ----------
    changes
        None without a baseline.
    elsewhere
        ARN hashes of the findings that both runs have under different logical identities. They were taken for one that went
        and one that came: :func:`rekeyed` brings them together for a second walk.
    carried
        ARN hashes of what is kept for the next run although this report does not have it.
    carried_owners
        Its owners' bytes.
    """

    changes: Changes | None
    elsewhere: frozenset[bytes]
    carried: frozenset[bytes]
    carried_owners: frozenset[bytes]


def compare(  # noqa: PLR0913 - what is counted on the way is named
    baseline: Iterator[list[bytes]] | None,
    current: Iterator[list[bytes]],
    keep: Callable[[list[bytes]], object],
    *,
    arns: ArnIndex | None = None,
    not_scanned: NotScanned = ALL_SCANNED,
    visit: Callable[[list[bytes]], object] = lambda _: None,
    changes: Changes | None = None,
) -> Comparison:
    """Compare two runs in one walk.

    Parameters
    ----------
    baseline, current
        Sorted fingerprints in blocks; None when there is nothing to compare with.
    keep
        Is given what to keep for the next run, sorted.
    arns
        Of all of this run's findings. None is enough where no finding can have moved to another group.
    visit
        Is given this run's open findings with the first-seen days that survived; those of one group come at once.
    changes
        Empty, to be filled.

    Notes
    -----
    Most groups are as they were: same ARNs, same marks, no first-seen day earlier than the one that is known. They are
    found by set operations, and only the others are compared by :func:`compare_groups`.
    """
    changes = changes or Changes()
    elsewhere: set[bytes] = set()
    carried: set[bytes] = set()
    carried_owners: set[bytes] = set()
    for window in windows(iter(()) if baseline is None else baseline, current, ON_RESOURCE):
        kept = (
            _with_days(window.current, earliest_first_seen(window.current))
            if baseline is None
            else _compare_window(window, changes, not_scanned, arns, elsewhere)
        )
        keep(kept)
        unknown = _of_status(kept, UNKNOWN_STATUS)
        carried.update([each[EXACT] for each in unknown])
        carried_owners.update([each[OWNER] for each in unknown])
        visit(_of_status(kept, OPEN))
    return Comparison(None if baseline is None else changes, frozenset(elsewhere), frozenset(carried), frozenset(carried_owners))


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


def moved_days(current: Iterator[list[bytes]], earlier: Iterator[list[bytes]], arns: ArnIndex) -> dict[bytes, bytes]:
    """Return the first-seen days of findings whose ARN stands elsewhere in this report, by ARN hash."""
    moved: dict[bytes, bytes] = {}
    for window in windows(earlier, current, ON_RESOURCE):
        absent = _absent(window.baseline, window.current)
        present = arns.present([each[EXACT] for each in absent])
        moved.update((each[EXACT], each[FIRST_SEEN]) for each in absent if each[EXACT] in present)
    return moved


def _absent(baseline: list[bytes], current: list[bytes]) -> list[bytes]:
    """Return the baseline's fingerprints whose ARN this report does not have in their group."""
    here = {each[ON_RESOURCE] + each[EXACT] for each in current}
    return [each for each in baseline if each[ON_RESOURCE] + each[EXACT] not in here]


def _compare_window(
    window: Window, changes: Changes, not_scanned: NotScanned, arns: ArnIndex | None, elsewhere: set[bytes]
) -> list[bytes]:
    quiet, moved, baseline, current = _quiet_and_touched(window.baseline, window.current)
    changes.add_still_open(_of_status(quiet, OPEN))
    if moved and changes.knows_owners:
        changes.add_moved(moved)
    if not baseline and not current:
        return quiet
    # Sorted fingerprints of one resource stand together: what the window does not hold can only be right beside it.
    reported = {each[RESOURCE] for each in (*window.current, window.previous, window.following)}
    compared = compare_groups(baseline, current, reported, not_scanned)
    for kind, pairs in compared.changes.items():
        changes.add(kind, pairs)
    if arns and (present := arns.present([each[EXACT] for each in compared.absent])):
        # The absent ones may be copies of what is there.
        elsewhere.update([each[EXACT] for each in _absent(compared.absent, current) if each[EXACT] in present])
    return sorted([*quiet, *compared.kept])


class Parted(NamedTuple):
    """The groups of a window: those that are as they were, whoever owns them, and the others.

    Attributes
    ----------
    quiet
        What to keep of the former.
    moved
        Open findings among them that have another owner.
    baseline, current
        Both runs' fingerprints of the latter.
    """

    quiet: list[bytes]
    moved: list[Pair]
    baseline: list[bytes]
    current: list[bytes]


def _quiet_and_touched(baseline: list[bytes], current: list[bytes]) -> Parted:
    before = {each[IDENTITY_AND_MARKS]: each for each in baseline}
    after = {each[IDENTITY_AND_MARKS]: each for each in current}
    if before.keys().isdisjoint(after):
        return Parted([], [], baseline, current)
    touched = {identity[ON_RESOURCE] for identity in before.keys() ^ after.keys()}
    owners: dict[bytes, bytes] = {}
    for identity, each in after.items():
        if each != (known := before.get(identity, each)):
            # An earlier first-seen day spreads to the copies. A later one is that of a rebuilt image: the known one stands.
            if each[BEFORE_OWNER] < known[BEFORE_OWNER]:
                touched.add(identity[ON_RESOURCE])
            elif each[OWNER] != known[OWNER]:
                owners[identity] = each[OWNER]
    if len(before) < len(baseline) or len(after) < len(current):
        for fingerprints in (baseline, current):
            twice = (one for one, two in pairwise(fingerprints) if one[IDENTITY_AND_MARKS] == two[IDENTITY_AND_MARKS])
            touched |= {each[ON_RESOURCE] for each in twice}
    if not touched and not owners:
        return Parted(baseline, [], [], [])
    quiet = [each for each in baseline if each[ON_RESOURCE] not in touched]
    moved = []
    if owners:
        # Another owner is this run's.
        now = [each[BEFORE_OWNER] + owners.get(each[IDENTITY_AND_MARKS], each[OWNER]) for each in quiet]
        moved = [pair for pair in zip(quiet, now, strict=True) if pair[0] != pair[1] and is_open(pair[0])]
        quiet = now
    return Parted(
        quiet,
        moved,
        [each for each in baseline if each[ON_RESOURCE] in touched],
        [each for each in current if each[ON_RESOURCE] in touched],
    )
