"""What is new, no longer open, rebuilt or worse is what a naive comparison of whole findings says, in little memory."""

import io
import random
from collections import Counter
from collections.abc import Collection, Iterable
from itertools import chain, pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from findings_analysis.comparison import difference, fingerprint_format, sorting
from findings_analysis.comparison.arns import Arns
from findings_analysis.comparison.difference import Changes, NotScanned, compare
from findings_analysis.comparison.fingerprint_format import FingerprintReader, FingerprintWriter, Header, Summary
from findings_analysis.comparison.fingerprints import (
    CLOSED,
    CLOSED_STATUS,
    DAY_MS,
    EXACT,
    FIRST_SEEN,
    LOGICAL,
    NO_OWNER,
    OPEN,
    OWNER,
    SCAN_TYPE,
    UNKNOWN_STATUS,
    Fingerprinter,
    day,
)
from findings_analysis.comparison.identity import ACCOUNT, ON_RESOURCE, RESOURCE, account_hash, vulnerability_hash
from findings_analysis.comparison.watch import OpenFindings, Watched
from findings_exporter.model.taxonomy import (
    APPEARED,
    LISTED_KINDS,
    MARKS_CHANGED,
    NO_LONGER_OPEN,
    SCAN_TYPES,
    STATUS_UNKNOWN,
    STAYED,
)
from tests.builders import daily_runs, naive_comparison
from tests.builders.daily_runs import TODAY, batch, finding, records
from tests.builders.naive_comparison import RESOURCES, Seen
from tests.builders.naive_comparison import SCAN_TYPES as SCAN_TYPE_OF

STATUS_WORDS = ["ACTIVE", "SUPPRESSED", "CLOSED", "UNKNOWN"]


def places_of(*places: tuple[str, str]) -> frozenset[bytes]:
    return frozenset(account_hash(account) + bytes([SCAN_TYPES.index(kind)]) for account, kind in places)


def off(*places: tuple[str, str]) -> NotScanned:
    return NotScanned(places_of(*places), places_of(*places))


def compared(
    baseline: list[dict[str, Any]], current: list[dict[str, Any]], *switched_off: tuple[str, str]
) -> tuple[dict[str, int], list[bytes]]:
    """The kinds of two runs, and the records that are kept."""
    kept: list[bytes] = []
    found = compare(
        iter([records(*baseline)] * bool(baseline)),
        iter([records(*current)] * bool(current)),
        kept.extend,
        not_scanned=off(*switched_off),
    )
    assert found.changes is not None
    assert kept == sorted(kept)
    return {kind: count for kind, count in found.changes.counts.items() if count}, kept


def first_seen(kept: list[bytes]) -> list[int]:
    return [day(each[FIRST_SEEN]) for each in kept]


class TestKinds:
    def test_an_unchanged_run_changes_nothing(self) -> None:
        daily_run = [finding("a"), finding("b", vulnerability_id="CVE-2")]
        kinds, kept = compared(daily_run, daily_run)
        assert kinds == {"still_open": 2}
        assert kept == records(*daily_run)

    def test_a_finding_that_was_not_there_is_new(self) -> None:
        assert compared([], [finding("a")])[0] == {"new": 1}

    def test_a_rebuilt_image_gives_its_findings_new_arns(self) -> None:
        kinds, kept = compared([finding("a", first_observed_at=5 * DAY_MS)], [finding("b", first_observed_at=9 * DAY_MS)])
        assert kinds == {"unchanged_new_arn": 1}
        assert first_seen(kept) == [5]

    def test_a_rebuilt_image_gives_its_findings_new_arns_also_where_the_old_ones_are_reported_as_closed(self) -> None:
        assert compared([finding("a")], [finding("a", status="CLOSED"), finding("b")])[0] == {"unchanged_new_arn": 1}

    def test_an_old_image_that_stays_for_a_run_makes_an_additional_resource_and_its_first_seen_day_survives(self) -> None:
        old, new = finding("a", first_observed_at=5 * DAY_MS), finding("b", first_observed_at=9 * DAY_MS)
        kinds, kept = compared([old], [old, new])
        assert kinds == {"still_open": 1, "additional_resource": 1}
        assert first_seen(kept) == [5, 5]
        assert compared([old, new], [new])[0] == {"still_open": 1, "one_fewer_resource": 1}

    def test_the_same_arn_is_the_same_finding_although_its_packages_changed(self) -> None:
        kinds, kept = compared(
            [finding("a", first_observed_at=5 * DAY_MS)],
            [finding("a", package_names=["openssl", "libssl"], first_observed_at=6 * DAY_MS)],
        )
        assert kinds == {"still_open": 1}
        assert first_seen(kept) == [5]

    def test_an_active_only_report_classifies_a_missing_finding_by_whether_its_resource_is_still_reported_on(self) -> None:
        other = finding("b", vulnerability_id="CVE-2")
        assert compared([finding("a"), other], [other])[0] == {"still_open": 1, "no_longer_reported": 1}
        elsewhere = finding("c", resource_name="shop/basket")
        assert compared([finding("a"), elsewhere], [elsewhere])[0] == {"still_open": 1, "resource_removed": 1}

    @pytest.mark.parametrize(("status", "kind"), [("CLOSED", "closed"), ("SUPPRESSED", "suppressed")])
    def test_a_report_with_other_statuses_classifies_them_exactly(self, status: str, kind: str) -> None:
        assert compared([finding("a")], [finding("a", status=status)])[0] == {kind: 1}
        assert compared([finding("a", status=status)], [finding("a", status=status)])[0] == {}

    @pytest.mark.parametrize(("status", "kind"), [("CLOSED", "reopened"), ("SUPPRESSED", "unsuppressed")])
    def test_what_comes_back_is_classified_as_such(self, status: str, kind: str) -> None:
        assert compared([finding("a", status=status)], [finding("a")])[0] == {kind: 1}

    def test_what_was_closed_comes_back_under_another_arn_too(self) -> None:
        before = finding("a", status="CLOSED", first_observed_at=5 * DAY_MS)
        kinds, kept = compared([before], [before, finding("b")])
        assert kinds == {"reopened": 1}
        assert set(first_seen(kept)) == {5}

    def test_an_unknown_status_hides_nothing(self) -> None:
        assert compared([finding("a")], [finding("a", status="PENDING")])[0] == {"still_open": 1}

    def test_findings_that_inspector_does_not_scan_have_an_unknown_status(self) -> None:
        here, there = finding("a"), finding("b", account_id=daily_runs.OTHER_ACCOUNT)
        kinds, kept = compared([here, there], [here], (daily_runs.OTHER_ACCOUNT, "ecr"))
        assert kinds == {"still_open": 1, "status_unknown": 1}
        assert len(kept) == 2, "it is remembered"

    def test_they_are_carried_over_until_inspector_scans_again(self) -> None:
        daily_run, place = [finding("a", first_observed_at=5 * DAY_MS)], (daily_runs.ACCOUNT, "ecr")
        _, kept = compared(daily_run, [], place)
        for current, switched_off, kind in (
            ([], [place], "status_unknown"),
            ([finding("a")], [], "rediscovered"),
            ([finding("b")], [], "rediscovered"),
            ([], [], "resource_removed"),
        ):
            again: list[bytes] = []
            found = compare(iter([kept]), iter([records(*current)] * bool(current)), again.extend, not_scanned=off(*switched_off))
            assert found.changes is not None
            assert +found.changes.counts == {kind: 1}
            assert first_seen(again) == ([] if kind == "resource_removed" else [5])

    def test_what_is_carried_over_takes_part_in_the_earliest_day_of_its_copies(self) -> None:
        kinds, kept = compared(
            [finding("a", first_observed_at=9 * DAY_MS)],
            [finding("b", first_observed_at=4 * DAY_MS, status="SUPPRESSED")],
            (daily_runs.ACCOUNT, "ecr"),
        )
        assert kinds == {"status_unknown": 1}
        assert first_seen(kept) == [4, 4]

    @pytest.mark.parametrize("was_unknown", ["a", "b"])
    def test_of_two_closed_copies_the_one_that_was_open_has_the_new_arn_whatever_their_arns(self, was_unknown: str) -> None:
        copies = {"a": finding("a"), "b": finding("b")}
        was_open = next(name for name in copies if name != was_unknown)
        _, unknown = compared([copies[was_unknown]], [], (daily_runs.ACCOUNT, "ecr"))
        baseline = sorted([*unknown, *records(copies[was_open])])
        current = records(finding("a", status="CLOSED"), finding("b", status="CLOSED"), finding("c"))
        found = compare(iter([baseline]), iter([current]), len)
        assert found.changes is not None
        assert +found.changes.counts == {"unchanged_new_arn": 1, "one_fewer_resource": 1}

    def test_of_missing_copies_those_that_were_open_have_the_new_arns(self) -> None:
        copies = [finding(name) for name in "abcd"]
        for was_unknown in copies:
            _, unknown = compared([was_unknown], [], (daily_runs.ACCOUNT, "ecr"))
            baseline = sorted([*unknown, *records(*(each for each in copies if each is not was_unknown))])
            found = compare(iter([baseline]), iter([records(*(finding(name) for name in "xyz"))]), len).changes
            assert found is not None
            assert +found.counts == {"unchanged_new_arn": 3, "one_fewer_resource": 1}

    def test_another_scan_type_of_the_account_is_still_scanned(self) -> None:
        assert compared([finding("a")], [], (daily_runs.ACCOUNT, "ec2"))[0] == {"resource_removed": 1}

    def test_findings_share_an_identity_and_are_counted_one_to_one(self) -> None:
        kinds, _ = compared([finding(each) for each in "abc"], [finding(each) for each in "cdefg"])
        assert kinds == {"still_open": 1, "unchanged_new_arn": 2, "additional_resource": 2}
        kinds, _ = compared([finding(each) for each in "abcde"], [finding(each) for each in "ef"])
        assert kinds == {"still_open": 1, "unchanged_new_arn": 1, "one_fewer_resource": 3}

    def test_a_finding_that_a_report_holds_twice_counts_twice(self) -> None:
        assert compared([finding("a")], [finding("a"), finding("a")])[0] == {"still_open": 1, "additional_resource": 1}
        assert compared([finding("a"), finding("a")], [finding("a"), finding("a")])[0] == {"still_open": 2}

    def test_a_finding_that_a_baseline_holds_twice_has_not_moved_where_the_report_has_it_once(self) -> None:
        once = records(finding("a"))
        assert not compare(iter([once * 2]), iter([once]), len, arns=CountingArns([once[0][EXACT]])).elsewhere

    @pytest.mark.parametrize(
        ("before", "after", "marks"),
        [
            ({"severity": "HIGH"}, {"severity": "CRITICAL"}, {"severity_raised"}),
            ({"severity": "UNTRIAGED"}, {"severity": "LOW"}, {"severity_raised"}),
            ({"severity": "HIGH"}, {"severity": "MEDIUM"}, {"severity_lowered"}),
            ({"exploit_available": None}, {"exploit_available": "YES"}, {"exploit_became_available"}),
            ({"exploit_available": "YES"}, {"exploit_available": "NO"}, set()),
            ({"fix_available": "NO"}, {"fix_available": "YES"}, {"fix_became_available"}),
            ({"fix_available": "PARTIAL"}, {"fix_available": "YES"}, {"fix_became_available"}),
            ({"fix_available": None}, {"fix_available": "NO"}, set()),
            ({"fix_available": "YES"}, {"fix_available": "NO"}, set()),
        ],
    )
    @pytest.mark.parametrize("name", ["a", "b"])
    def test_what_stays_may_have_become_worse_or_better(
        self, before: dict[str, Any], after: dict[str, Any], marks: set[str], name: str
    ) -> None:
        kinds, _ = compared([finding("a", **before)], [finding(name, **after)])
        assert kinds.keys() - {"still_open", "unchanged_new_arn"} == marks


class TestFirstSeen:
    def test_it_survives_several_rebuilds(self) -> None:
        kept: list[bytes] = []
        compare(None, iter([records(finding("0", first_observed_at=100 * DAY_MS))]), kept.extend)
        for rebuild in range(1, 6):
            after = records(finding(str(rebuild), first_observed_at=(100 + rebuild) * DAY_MS))
            baseline, kept = kept, []
            compare(iter([baseline]), iter([after]), kept.extend)
            quiet, kept = kept, []
            compare(iter([quiet]), iter([after]), kept.extend)  # a run without a rebuild
        assert first_seen(kept) == [100]

    def test_it_is_the_same_for_all_copies_from_the_first_run_on(self) -> None:
        kept: list[bytes] = []
        daily_run = records(
            finding("a", first_observed_at=9 * DAY_MS),
            finding("b", first_observed_at=4 * DAY_MS),
            finding("c", vulnerability_id="x"),
        )
        assert compare(None, iter([daily_run]), kept.extend).changes is None
        assert sorted(first_seen(kept)) == [4, 4, TODAY - 10]
        assert [each[LOGICAL] for each in kept] == [each[LOGICAL] for each in daily_run]

    def test_an_earlier_day_of_inspectors_own_is_taken(self) -> None:
        _, kept = compared([finding("a", first_observed_at=9 * DAY_MS)], [finding("a", first_observed_at=4 * DAY_MS)])
        assert first_seen(kept) == [4]

    def test_the_day_on_which_a_finding_was_closed_is_the_first_one_reported(self) -> None:
        def closed(at: int) -> dict[str, Any]:
            return finding("a", status="CLOSED", updated_at=at * DAY_MS)

        for before, after in ((7, 9), (9, 7)):
            _, kept = compared([closed(before)], [closed(after)])
            assert [day(each[CLOSED]) for each in kept] == [before]


class TestSummary:
    def test_days_to_close_are_counted_from_the_first_seen_day_over_rebuilds(self) -> None:
        before = records(finding("b", first_observed_at=90 * DAY_MS))
        carried: list[bytes] = []
        compare(iter([records(finding("a", first_observed_at=50 * DAY_MS))]), iter([before]), carried.extend)
        after = records(finding("b", status="CLOSED", first_observed_at=90 * DAY_MS, updated_at=100 * DAY_MS))
        found = compare(iter([carried]), iter([after]), len).changes
        assert found is not None
        assert (found.counts["closed"], found.days_to_close) == (1, 50)

    def test_a_clock_that_was_set_back_makes_no_negative_days(self) -> None:
        found = compare(
            iter([records(finding("a", first_observed_at=9 * DAY_MS))]),
            iter([records(finding("a", status="CLOSED", first_observed_at=9 * DAY_MS, updated_at=3 * DAY_MS))]),
            len,
        ).changes
        assert found is not None
        assert found.days_to_close == 0

    def test_kinds_are_counted_by_severity_account_and_scan_type(self) -> None:
        rows = [finding("a"), finding("b", vulnerability_id="x", severity="LOW", account_id=daily_runs.OTHER_ACCOUNT)]
        found = compare(iter(()), iter([records(*rows)]), len).changes
        assert found is not None
        assert found.by_severity == {("new", "HIGH"): 1, ("new", "LOW"): 1}
        assert found.by_place == {
            ("new", account_hash(daily_runs.ACCOUNT), "ecr"): 1,
            ("new", account_hash(daily_runs.OTHER_ACCOUNT), "ecr"): 1,
        }

    def test_the_worst_are_listed_first_and_no_more_than_wanted(self) -> None:
        rows = [
            finding(
                f"{number}",
                vulnerability_id=f"v{number}",
                severity=severity,
                exploit_available=exploit,
                first_observed_at=number * DAY_MS,
            )
            for number, (severity, exploit) in enumerate(
                [("LOW", "NO"), ("CRITICAL", "NO"), ("HIGH", "YES"), ("CRITICAL", "YES"), ("HIGH", "NO")] * 40
            )
        ]
        random.Random(1).shuffle(rows)
        found = compare(iter(()), iter([records(*rows)]), len, changes=Changes(60)).changes
        assert found is not None
        days = [day(each.current[FIRST_SEEN]) for each in found.listed("new")]
        assert days == [*range(3, 200, 5), *range(1, 200, 5)][:60]
        assert found.counts["new"] == 200
        assert found.listed("closed") == []

    @given(st.permutations(range(12)))
    def test_the_list_does_not_depend_on_the_order(self, order: list[int]) -> None:
        listed = difference.WorstChanges(3)
        for number in order * 3:
            listed.add([(b"", daily_runs.record(f"{number}", severity=["UNTRIAGED", "INFORMATIONAL"][number % 2]))])
        expected = difference.WorstChanges(1_000)
        for number in order * 3:
            expected.add([(b"", daily_runs.record(f"{number}", severity=["UNTRIAGED", "INFORMATIONAL"][number % 2]))])
        assert len(expected.changes("new")) == 36
        assert listed.changes("new") == expected.changes("new")[:3]

    def test_resources_of_watched_vulnerabilities_are_counted_once_each_and_open_ones_only(self) -> None:
        watched = frozenset({vulnerability_hash("CVE-1"), vulnerability_hash("CVE-9")})
        rows = [
            *(finding(f"{n}", vulnerability_id="CVE-1", resource_name=f"r{n % 3}", package_names=[f"p{n}"]) for n in range(6)),
            finding("closed", vulnerability_id="CVE-1", resource_name="r9", status="CLOSED"),
            finding("other", vulnerability_id="CVE-2", resource_name="r9"),
        ]
        for baseline in (None, iter(())):
            found = OpenFindings(Watched({NO_OWNER: watched}))
            compare(baseline, iter([records(*rows)]), len, visit=found.add)
            assert {known: each.resources for known, each in found.of().items()} == {vulnerability_hash("CVE-1"): 3}


class TestOwners:
    def test_a_finding_that_this_report_has_keeps_this_reports_owner(self) -> None:
        before, after = b"\0\0\0\1", b"\0\0\0\2"
        same, rebuilt, closed = "a", "b", "c"
        rows = {name: finding(name, vulnerability_id=name) for name in (same, rebuilt, closed)}
        baseline = sorted(each[:-4] + before for each in records(*rows.values()))
        rows = {same: rows[same], rebuilt: finding("new", vulnerability_id=rebuilt), closed: rows[closed] | {"status": "CLOSED"}}
        current = sorted(each[:-4] + after for each in records(*rows.values()))
        kept: list[bytes] = []
        found = compare(iter([baseline]), iter([current]), kept.extend).changes
        assert found is not None
        assert +found.counts == {"still_open": 1, "unchanged_new_arn": 1, "closed": 1}
        assert [each[OWNER] for each in kept] == [after] * 3

    def test_what_is_carried_over_keeps_the_owner_of_its_last_report(self) -> None:
        baseline = [each[:-4] + b"\0\0\0\1" for each in records(finding("a"))]
        kept: list[bytes] = []
        compare(iter([baseline]), iter(()), kept.extend, not_scanned=off((daily_runs.ACCOUNT, "ecr")))
        assert [each[OWNER] for each in kept] == [b"\0\0\0\1"]


class CountingArns(Arns):
    """Says how often it was asked, and for what."""

    def __init__(self, hashes: Iterable[bytes]) -> None:
        super().__init__()
        self.hashes.update(hashes)
        self.asked: list[set[bytes]] = []

    def present(self, hashes: Iterable[bytes]) -> set[bytes]:
        self.asked.append(set(hashes))
        return super().present(self.asked[-1])


def test_the_reports_arns_are_asked_for_what_is_absent_and_once_for_many_groups() -> None:
    rows = [finding(f"{number}", vulnerability_id=f"v{number}") for number in range(100)]
    baseline, current = records(*rows), records(*rows[:40], finding("40", vulnerability_id="elsewhere"))
    absent = {each[EXACT] for each in records(*rows[40:])}
    for of_days in (False, True):
        arns = CountingArns(each[EXACT] for each in current)
        if of_days:
            moved = set(difference.moved_days(iter([current]), iter([baseline]), arns))
        else:
            moved = set(compare(iter([baseline]), iter([current]), len, arns=arns).elsewhere)
        assert moved == {daily_runs.record("40")[EXACT]}
        assert len(arns.asked) <= 3
        assert set().union(*arns.asked) == absent


CHANGED: dict[str, dict[str, float]] = {
    "the same again": {},
    "some new, some missing": {"missing": 0.1, "new": 0.1},
    "every image rebuilt": {"arn": 1},
    "most images rebuilt": {"arn": 0.8, "missing": 0.1, "new": 0.2},
    "nothing in common": {"missing": 1, "new": 1},
    "all missing": {"missing": 1},
    "all worse": {"marks": 1},
    "all of another status": {"status": 1},
    "another owner": {"owner": 0.5},
    "earlier and later days": {"day": 0.5, "arn": 0.1},
    "some moved to another group": {"group": 0.2},
    "everything at once": dict.fromkeys(("missing", "new", "arn", "marks", "status", "owner", "day", "what", "group"), 0.3),
}


class Reports:
    """Makes records that meet each other often: few groups, few identities of each."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self._arns = iter(self.random.sample(range(1 << 20), 1 << 10))

    def group(self) -> bytes:
        """Account, resource and vulnerability."""
        return b"".join(self.random.randrange(count).to_bytes(size) for count, size in ((2, 4), (3, 5), (3, 4)))

    def first(self, statuses: list[int]) -> list[bytes]:
        """Records of any kind."""
        return sorted(self.changed(self.group() + bytes(21), statuses=statuses) for _ in range(self.random.randrange(1, 60)))

    def after(self, baseline: list[bytes], shares: dict[str, float]) -> list[bytes]:
        """The next report, in which such shares of the records changed in such ways."""
        kept = [each for each in baseline if self.random.random() >= shares.get("missing", 0)]
        current = [
            self.changed(each, [way for way, share in shares.items() if self.random.random() < share], statuses=[0, 0, 1, 2])
            for each in kept
        ]
        fresh = [self.changed(self.group() + bytes(21), statuses=[0, 0, 0, 1, 2]) for _ in range(40)]
        return sorted(current + fresh[: int(40 * shares.get("new", 0))])

    def changed(
        self, record: bytes, ways: Collection[str] = ("what", "arn", "marks", "status", "day"), *, statuses: list[int]
    ) -> bytes:
        """A record that changed in some ways."""
        group, what, arn, marks, scan_type, days, owner = (
            record[a:b] for a, b in pairwise((0, 13, 16, 24, 25, 26, 30, 34))
        )  # fmt: skip
        choose = self.random.randrange
        group = self.group() if "group" in ways else group
        what = choose(3).to_bytes(3) if "what" in ways else what
        arn = next(self._arns).to_bytes(8) if "arn" in ways else arn
        status = self.random.choice(statuses) if "status" in ways else marks[0] & 3
        status = OPEN if status == UNKNOWN_STATUS != max(statuses) else status
        marks = bytes([(choose(48) << 2 if "marks" in ways else marks[0] & ~3) | status])
        first_seen = choose(100, 104).to_bytes(2) if "day" in ways else days[:2]
        closed = choose(104, 106).to_bytes(2) if status == CLOSED_STATUS else bytes(2)
        owner = choose(1, 3).to_bytes(4) if "owner" in ways else owner
        return group + what + arn + marks + scan_type + first_seen + closed + owner


def group_by_group(
    baseline: list[bytes], current: list[bytes], not_scanned: NotScanned, listed_at_most: int
) -> tuple[Changes, list[bytes], set[bytes]]:
    """What the walk through both runs does, without windows and without a short path for what did not change."""
    changes, kept, absent = Changes(listed_at_most), [], set()
    reported = {each[RESOURCE] for each in current}
    for group in {each[ON_RESOURCE] for each in (*baseline, *current)}:
        before, after = ([each for each in side if each[ON_RESOURCE] == group] for side in (baseline, current))
        found = difference.compare_groups(before, after, reported, not_scanned)
        for kind, pairs in found.changes.items():
            changes.add(kind, pairs)
        kept += found.kept
        absent |= {each[EXACT] for each in found.absent}
    return changes, sorted(kept), absent & {each[EXACT] for each in current}


@pytest.mark.parametrize("name", CHANGED)
def test_a_walk_in_small_windows_finds_what_each_group_by_itself_has(name: str) -> None:
    for seed in range(60):
        reports = Reports(seed)
        baseline: list[bytes] = []
        compare(None, iter([reports.first([0, 0, 0, 0, 1, 2, 3])]), baseline.extend)
        current = reports.after(baseline, CHANGED[name])
        places = {each[ACCOUNT] + each[SCAN_TYPE : SCAN_TYPE + 1] for each in baseline} if seed % 2 else set()
        not_scanned = NotScanned(frozenset(places), frozenset(sorted(places)[: seed % 3]))
        kept: list[bytes] = []
        most, size, other_size = (
            reports.random.choice([1, 3, 300]),
            reports.random.randint(1, 70),
            reports.random.randint(1, 70),
        )
        walked = compare(
            (baseline[at : at + size] for at in range(0, len(baseline), size)),
            (current[at : at + other_size] for at in range(0, len(current), other_size)),
            kept.extend,
            arns=CountingArns(each[EXACT] for each in current),
            not_scanned=not_scanned,
            changes=Changes(most),
        )
        expected, expected_kept, moved = group_by_group(baseline, current, not_scanned, most)
        found = walked.changes
        assert found is not None
        assert kept == expected_kept
        assert walked.elsewhere == moved
        assert found.counts == expected.counts
        assert (found.by_severity, found.by_place) == (expected.by_severity, expected.by_place)
        assert found.days_to_close == expected.days_to_close
        assert {kind: found.listed(kind) for kind in LISTED_KINDS} == {kind: expected.listed(kind) for kind in LISTED_KINDS}


seen = st.builds(
    Seen,
    account=st.sampled_from([daily_runs.ACCOUNT, daily_runs.OTHER_ACCOUNT]),
    resource=st.sampled_from(sorted(RESOURCES)),
    vulnerability=st.sampled_from(["CVE-1", "CVE-2"]),
    packages=st.sampled_from([frozenset({"openssl"}), frozenset({"openssl", "libssl"})]),
    number=st.integers(0, 20),
    status=st.sampled_from(["ACTIVE"] * 4 + ["SUPPRESSED", "CLOSED"]),
    severity=st.sampled_from(["LOW", "HIGH", "CRITICAL"]),
    exploit=st.sampled_from(["NO", "YES"]),
    fix=st.sampled_from(["NO", "PARTIAL", "YES"]),
    first_seen=st.integers(100, 105),
    closed=st.integers(106, 108),
)
places = st.sets(
    st.tuples(st.sampled_from([daily_runs.ACCOUNT, daily_runs.OTHER_ACCOUNT]), st.sampled_from(sorted(SCAN_TYPE_OF.values()))),
    max_size=3,
)


@st.composite
def daily_run(draw: st.DrawFn) -> tuple[list[Seen], set[tuple[str, str]], set[tuple[str, str]]]:
    """A report in any order, where Inspector is surely not scanning, and where it is not sure."""
    found = draw(st.permutations(draw(st.lists(seen, max_size=14, unique_by=lambda each: each.arn))))
    return found, draw(places), draw(places)


def fingerprint_file(kept: list[list[bytes]]) -> bytes:
    file = io.BytesIO()
    writer = FingerprintWriter(file.write, Header("n", "e", "s", "f", {}, {}))
    for each in kept:
        writer.add(each)
    writer.finish(Summary(writer.findings, {}, {}))
    return file.getvalue()


def as_remembered(each: Seen) -> bytes:
    record = daily_runs.record(str(each.arn), **{name: value for name, value in each.row().items() if name != "finding_arn"})
    marks = record[24] & ~3 | STATUS_WORDS.index(each.status)
    return (
        record[:24] + bytes([marks]) + record[25:28] + (each.closed if each.status == "CLOSED" else 0).to_bytes(2) + record[30:]
    )


class TestHistories:
    @settings(max_examples=150, deadline=None)
    @given(st.lists(daily_run(), min_size=1, max_size=5), st.integers(1, 5))
    def test_every_run_is_compared_as_the_naive_comparison_does(
        self, history: list[tuple[list[Seen], set[tuple[str, str]], set[tuple[str, str]]]], block: int
    ) -> None:
        identities = {}
        for found, _, _ in history:
            for each in found:
                identities[daily_runs.record(**{k: v for k, v in each.row().items() if k != "finding_arn"})[LOGICAL]] = (
                    each.logical
                )
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fingerprint_format, "BLOCK_RECORDS", block)
            baseline: bytes = fingerprint_file([])
            naive: list[Seen] = []
            for found, switched_off, unknown in history:
                expected, naive_next = naive_comparison.compare(naive, found, switched_off, unknown)
                not_scanned = NotScanned(places_of(*switched_off, *unknown), places_of(*switched_off))
                kept: list[list[bytes]] = []
                current = sorting.SortedFingerprints(block_records=block)
                current.add(Fingerprinter(TODAY).of(batch(*(each.row() for each in found))))
                comparison = self.compare(FingerprintReader(io.BytesIO(baseline)), current, kept, not_scanned)
                assert comparison.changes is not None
                self.check(comparison.changes, expected, identities)
                self.check_sums(comparison.changes.counts, naive, found)
                assert sorted(chain.from_iterable(kept)) == sorted(map(as_remembered, naive_next))
                baseline, naive = fingerprint_file(kept), naive_next

    @staticmethod
    def compare(
        baseline: FingerprintReader, current: sorting.SortedFingerprints, kept: list[list[bytes]], not_scanned: NotScanned
    ) -> difference.Comparison:
        before = list(baseline.blocks())
        logical = {each[EXACT]: each[LOGICAL] for block in current.blocks() for each in block}
        arns = Arns()
        arns.hashes.update(logical)
        found = compare(iter(before), current.blocks(), kept.append, arns=arns, not_scanned=not_scanned, changes=Changes(1_000))
        if found.elsewhere:
            kept.clear()
            moved = {exact: logical[exact] for exact in found.elsewhere}
            again = difference.rekeyed(lambda: iter(before), moved)
            found = compare(again, current.blocks(), kept.append, arns=arns, not_scanned=not_scanned, changes=Changes(1_000))
        assert not found.elsewhere
        return found

    @staticmethod
    def check(found: Changes, expected: Counter[Any], identities: dict[bytes, Any]) -> None:
        # Packages may change under one ARN: what went is difference by the identity that it had.
        kinds = Counter(
            (kind, identities[(change.baseline if kind in {"closed", "one_fewer_resource"} else change.fingerprint)[LOGICAL]])
            for kind in LISTED_KINDS
            for change in found.listed(kind)
        )
        assert found.counts["still_open"] == sum(count for (kind, _), count in expected.items() if kind == "still_open")
        marked = set(MARKS_CHANGED)
        assert {each: n for each, n in kinds.items() if each[0] not in marked} == {
            each: n for each, n in expected.items() if each[0] != "still_open" and each[0] not in marked
        }
        # Which of several equal findings was reported under a new ARN is not difference, so marks are compared where none was.
        if not any(kind in {"unchanged_new_arn", "rediscovered"} for kind, _ in expected):
            assert {each: n for each, n in kinds.items() if each[0] in marked} == {
                each: n for each, n in expected.items() if each[0] in marked
            }
        assert sum(found.by_severity.values()) == sum(found.by_place.values()) == sum(kinds.values())

    @staticmethod
    def check_sums(counts: Counter[str], baseline: list[Seen], current: list[Seen]) -> None:
        assert sum(counts[kind] for kind in (*STAYED, *NO_LONGER_OPEN, STATUS_UNKNOWN)) == sum(each.was_open for each in baseline)
        assert sum(counts[kind] for kind in (*STAYED, *APPEARED)) == sum(each.is_open for each in current)
