"""What to fix first is ranked by a rule that a person can check, in bounded memory, whatever the order."""

import json
import random
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from findings_analysis.assessment import priorities, scores
from findings_analysis.assessment.priorities import Priorities
from findings_analysis.comparison.identity import exact_hashes, vulnerability_hash
from findings_analysis.comparison.watch import OpenVulnerability
from findings_analysis.output.entries import Entries
from tests.builders.daily_runs import batch, finding


def add(found: Priorities, *rows: dict[str, Any]) -> None:
    found.add(batch(*rows), exact_hashes([row["finding_arn"] for row in rows]))


def names_of(found: Priorities, resources: dict[str, int] | None = None, owner: str | None = None) -> list[str]:
    """The names of what to fix first."""
    ranking = found.report if owner is None else found.owners[owner]
    return [each.name for each in ranking.ranked(open_on(resources or {}))]


def open_on(resources: dict[str, int]) -> dict[bytes, OpenVulnerability]:
    return {vulnerability_hash(name): OpenVulnerability(count) for name, count in resources.items()}


def ranked(rows: list[dict[str, Any]], resources: dict[str, int] | None = None, **limits: int) -> list[dict[str, Any]]:
    """What to fix first, as a document has it."""
    found = Priorities(**limits)
    for row in rows:
        add(found, row)
    details = {arn_hash: row for row in rows for arn_hash in exact_hashes([row["finding_arn"]])}
    entries, counts = Entries(details, datetime(2026, 11, 23, tzinfo=UTC)), open_on(resources or {})
    return [entries.to_fix(each, counts.get(vulnerability_hash(each.name))) for each in found.report.ranked(counts)]


def vulnerability(name: str, **values: Any) -> dict[str, Any]:
    return finding(name, vulnerability_id=name, **values)


def test_an_entry_says_what_to_fix_and_why() -> None:
    row = vulnerability("CVE-1", severity="CRITICAL", exploit_available="YES", epss_score=0.943, fix_available="YES",
                        title="CVE-1 - openssl", package_names=["openssl", None, "libssl", "openssl"],
                        package_versions=["3.0.1", None, "1", "3.0.1"], fixed_in_versions=["3.0.7", None, "NotAvailable", "3.0.7"],
                        runtime_reachability="REACHABLE", in_use_count=3)  # fmt: skip
    assert ranked([row], {"CVE-1": 34}) == [
        {
            "rank": 1,
            "priority_score": 114,
            "vulnerability_id": "CVE-1",
            "title": "CVE-1 - openssl",
            "packages": [
                {"name": "openssl", "installed_version": "3.0.1", "fixed_version": "3.0.7"},
                {"name": "libssl", "installed_version": "1", "fixed_version": None},
            ],
            "severity": "CRITICAL",
            "exploit_available": "YES",
            "epss_score": 0.943,
            "fix_available": "YES",
            "runtime_reachability": "REACHABLE",
            "in_use_count": 3,
            "resource_count": 34,
            "resources": [],
            "due_on": None,
            "kev": None,
            "finding_arn": row["finding_arn"],
            "why": "CRITICAL 40 + exploit available 25 + EPSS 94.3% 19 + reachable at runtime and in use 10 + fix available 10"
            " + open on 34 resources 10 = 114",
        }
    ]


@pytest.mark.parametrize(
    ("values", "resources", "why"),
    [
        ({"severity": "UNTRIAGED", "fix_available": "PARTIAL"}, 1, "UNTRIAGED 10 + fix for a part 5 + open on 1 resource 0 = 15"),
        ({"severity": "MEDIUM", "fix_available": None}, 2, "MEDIUM 15 + open on 2 resources 2 = 17"),
        ({"severity": "NEWER", "epss_score": 0.0}, 1_000_000, "NEWER 0 + EPSS 0.0% 0 + open on 1,000,000 resources 10 = 10"),
        ({"severity": "LOW", "epss_score": 7.0}, 31, "LOW 5 + EPSS 700.0% 20 + open on 31 resources 8 = 33"),
        ({"runtime_reachability": "REACHABLE"}, 1, "HIGH 30 + reachable at runtime 10 + open on 1 resource 0 = 40"),
        ({"runtime_reachability": "UNKNOWN"}, 1, "HIGH 30 + open on 1 resource 0 = 30"),
        ({"runtime_reachability": "NEWER", "in_use_count": 0}, 1, "HIGH 30 + open on 1 resource 0 = 30"),
        ({"runtime_reachability": "UNKNOWN", "in_use_count": 1}, 1, "HIGH 30 + in use 10 + open on 1 resource 0 = 40"),
        ({"runtime_reachability": "NOT_REACHABLE"}, 1, "HIGH 30 + not reachable at runtime -10 + open on 1 resource 0 = 20"),
        (
            {"runtime_reachability": "NOT_REACHABLE", "in_use_count": 7},
            1,
            "HIGH 30 + in use 10 + not reachable at runtime -10 + open on 1 resource 0 = 30",
        ),
        (
            {"severity": "INFORMATIONAL", "runtime_reachability": "NOT_REACHABLE", "in_use_count": 0},
            2,
            "INFORMATIONAL 0 + not reachable at runtime -10 + open on 2 resources 2 = -8",
        ),
    ],
)
def test_the_sum_is_given_term_by_term(values: dict[str, Any], resources: int, why: str) -> None:
    (entry,) = ranked([vulnerability("CVE-1", **values)], {"CVE-1": resources})
    assert entry["why"] == why
    assert why.endswith(f"= {entry['priority_score']}")


def test_a_vulnerability_has_the_priority_score_of_its_worst_open_finding() -> None:
    rows = [
        vulnerability("CVE-1", severity="LOW") | {"finding_arn": "low"},
        vulnerability("CVE-1", severity="HIGH") | {"finding_arn": "b"},
        vulnerability("CVE-1", severity="HIGH") | {"finding_arn": "a"},
        vulnerability("CVE-1", severity="CRITICAL", status="CLOSED") | {"finding_arn": "closed"},
        vulnerability("CVE-1", severity="CRITICAL", status="SUPPRESSED") | {"finding_arn": "suppressed"},
    ]
    for order in (rows, rows[::-1]):
        (entry,) = ranked(order)
        assert (entry["severity"], entry["finding_arn"]) == ("HIGH", min("ab", key=lambda arn: exact_hashes([arn])[0]))


def test_what_can_be_fixed_and_is_exploited_comes_before_what_is_merely_severe() -> None:
    rows = [
        vulnerability("severe", severity="CRITICAL", fix_available="NO"),
        vulnerability("exploited", severity="HIGH", exploit_available="YES", fix_available="YES"),
        vulnerability("fixable", severity="CRITICAL", fix_available="YES"),
    ]
    assert [entry["vulnerability_id"] for entry in ranked(rows)] == ["exploited", "fixable", "severe"]


def test_equal_priority_scores_are_ordered_by_resources_then_by_name() -> None:
    rows = [vulnerability(name) for name in ("b", "c", "a")]
    assert [entry["vulnerability_id"] for entry in ranked(rows, {"b": 40, "c": 99, "a": 40})] == ["c", "a", "b"]


def test_findings_without_a_vulnerability_id_stand_under_their_title() -> None:
    rows = [finding(name, vulnerability_id=None, package_names=None, title="Port 22 is reachable") for name in "ab"]
    (entry,) = ranked(rows, {"Port 22 is reachable": 2})
    assert (entry["vulnerability_id"], entry["title"], entry["packages"], entry["resource_count"]) == (
        None,
        "Port 22 is reachable",
        [],
        2,
    )


def test_nothing_open_leaves_an_empty_list() -> None:
    assert ranked([]) == []
    assert Priorities().report.vulnerabilities() == frozenset()


rows = st.lists(
    st.builds(
        vulnerability,
        st.sampled_from([f"v{number}" for number in range(30)]),
        severity=st.sampled_from(["CRITICAL", "HIGH", "MEDIUM", "LOW", "UNTRIAGED", "INFORMATIONAL"]),
        exploit_available=st.sampled_from(["YES", "NO", None]),
        epss_score=st.none() | st.floats(0, 1),
        fix_available=st.sampled_from(["YES", "NO", "PARTIAL", None]),
        runtime_reachability=st.sampled_from(["REACHABLE", "NOT_REACHABLE", "NOT_REACHABLE", "UNKNOWN", None]),
        in_use_count=st.none() | st.integers(0, 2),
        status=st.sampled_from(["ACTIVE", "ACTIVE", "CLOSED"]),
    ),
    max_size=60,
)


def naive(found: list[dict[str, Any]], resources: dict[str, int]) -> list[tuple[int, str]]:
    """The rule as the documentation tells it."""
    score: dict[str, int] = {}
    for row in found:
        if row["status"] == "ACTIVE":
            sums = {"CRITICAL": 40, "HIGH": 30, "MEDIUM": 15, "UNTRIAGED": 10, "LOW": 5, "INFORMATIONAL": 0}[row["severity"]]
            sums += 25 * (row["exploit_available"] == "YES") + {"YES": 10, "PARTIAL": 5}.get(row["fix_available"], 0)
            sums += round(20 * (row["epss_score"] or 0))
            sums += 10 * (row["runtime_reachability"] == "REACHABLE" or (row["in_use_count"] or 0) > 0)
            sums -= 10 * (row["runtime_reachability"] == "NOT_REACHABLE")
            score[row["vulnerability_id"]] = max(score.get(row["vulnerability_id"], -99), sums)
    doublings = [1, 2, 4, 8, 16, 32]
    total = {name: sums + 2 * sum(resources[name] >= each for each in doublings[1:]) for name, sums in score.items()}
    return [(total[name], name) for name in sorted(total, key=lambda name: (-total[name], -resources[name], name))][:3]


@given(rows, st.lists(st.integers(1, 70), min_size=30, max_size=30), st.randoms(use_true_random=False))
def test_the_list_is_exact_whatever_the_order_and_the_number_of_parts(
    found: list[dict[str, Any]], counts: list[int], dice: random.Random
) -> None:
    resources = {f"v{number}": count for number, count in enumerate(counts)}
    expected = naive(found, resources)
    for parts in (1, 2, 5):
        dice.shuffle(found)
        collected = Priorities(listed=3)
        for number in range(parts):
            part = Priorities(listed=3)
            for row in found[number::parts]:
                add(part, row)
            collected.merge(Priorities.from_stored(json.loads(json.dumps(part.to_stored()))))
        watched = collected.report.vulnerabilities()
        result = collected.report.ranked(open_on(resources))
        assert [(each.score, each.name) for each in result] == expected
        assert {vulnerability_hash(each.name) for each in result} <= watched


def test_more_equals_than_memory_holds_are_an_error() -> None:
    found = Priorities(listed=3, most_kept=10)
    with pytest.raises(match="more than 10 vulnerabilities"):
        add(found, *(vulnerability(f"v{number:03}") for number in range(100)))


def test_who_can_no_longer_come_into_the_list_makes_room_and_the_list_stays_exact() -> None:
    found = Priorities(listed=3, most_kept=10)
    add(found, *(vulnerability(f"v{number}", severity="CRITICAL") for number in range(3)))
    for number in range(100):
        add(found, vulnerability(f"low{number}", severity="LOW"))
    assert len(found.report) <= 10


def test_a_late_finding_comes_into_the_list_by_its_epss_and_its_resources_alone() -> None:
    found = Priorities(listed=3, most_kept=10)
    add(found, *(vulnerability(f"v{number:02}", severity="CRITICAL" if number < 3 else "LOW") for number in range(11)))
    add(found, vulnerability("late", severity="MEDIUM", epss_score=1.0))
    assert names_of(found, {"late": 32}) == ["late", "v00", "v01"]


def test_who_can_only_just_reach_the_list_by_its_resources_is_watched() -> None:
    found = Priorities(listed=1)
    worst, spread = vulnerability("one", severity="CRITICAL"), vulnerability("many", severity="HIGH")
    add(found, worst, spread, vulnerability("too-few", severity="HIGH", fix_available="NO") | {"severity": "MEDIUM"})
    assert found.report.vulnerabilities() == {vulnerability_hash("one"), vulnerability_hash("many")}
    # 30 + 10 for 32 resources are the same score as 40 for one, and the number of resources decides.
    assert names_of(found, {"one": 1, "many": 32}) == ["many"]


def test_what_runs_comes_before_what_does_not_and_the_unknown_between() -> None:
    rows = [
        vulnerability("a", runtime_reachability="NOT_REACHABLE"),
        vulnerability("b", runtime_reachability="UNKNOWN"),
        vulnerability("c", in_use_count=1),
        vulnerability("d", in_use_count=0),
        vulnerability("e", runtime_reachability="REACHABLE", severity="MEDIUM"),
    ]
    assert [entry["vulnerability_id"] for entry in ranked(rows)] == ["c", "b", "d", "e", "a"]


def test_a_late_finding_comes_into_the_list_because_it_runs() -> None:
    found = Priorities(listed=3, most_kept=10)
    add(found, *(vulnerability(f"v{number:02}", severity="CRITICAL" if number < 3 else "LOW") for number in range(11)))
    add(found, vulnerability("late", severity="HIGH", in_use_count=1), vulnerability("x", severity="MEDIUM", in_use_count=1))
    assert names_of(found) == ["late", "v00", "v01"]


def test_a_score_below_zero_is_in_a_list_that_has_room() -> None:
    rows = [vulnerability(name, severity="INFORMATIONAL", runtime_reachability="NOT_REACHABLE") for name in "ab"]
    assert [entry["priority_score"] for entry in ranked(rows)] == [-10, -10]


def test_the_documentation_has_the_scores_of_the_code() -> None:
    text = Path("docs/analysis.md").read_text(encoding="utf-8")
    score = Counter(scores.SEVERITY_SCORES)
    table = next(line for line in text.splitlines() if line.startswith("| severity |"))
    assert all(f"{severity} {count}" in table for severity, count in score.items())
    assert f"| exploit available | {scores.EXPLOIT_SCORE} |" in text
    assert f"{scores.EPSS_SCORE} times the probability" in text
    assert f"available {scores.FIX_SCORES['YES']}, partly {scores.FIX_SCORES['PARTIAL']}" in text
    runs, unreachable = scores.RUNS_SCORE, scores.NOT_REACHABLE_SCORE
    assert f"| what runs | reachable at runtime, or in use, {runs}; not reachable {unreachable}; unknown 0 |" in text
    assert f"at most {scores.MAX_RESOURCE_SCORE}" in text


class TestOwners:
    def test_each_has_a_list_of_its_own(self) -> None:
        found = Priorities(listed=2)
        add(found, vulnerability("a", owner="web", severity="LOW"), vulnerability("b", owner="api", severity="CRITICAL"))
        add(found, vulnerability("c", owner="web", severity="HIGH"), vulnerability("d", owner=None, severity="CRITICAL"))
        assert names_of(found) == ["b", "d"]
        assert (names_of(found, owner="web"), names_of(found, owner="api")) == (["c", "a"], ["b"])

    def test_they_are_stored_in_the_order_of_the_report_whatever_the_process(self) -> None:
        # A part may be analyzed by two functions at once: both must leave the same bytes.
        names = [f"owner-{number}" for number in range(40)]
        found = Priorities()
        add(found, *(vulnerability(name, owner=name) for name in names))
        assert list(found.to_stored()["owners"]) == names

    def test_the_worst_open_findings_are_the_same_for_any_number_of_parts(self) -> None:
        rows = [
            vulnerability(f"{n:04}", owner=f"o{n % 7}", severity=["CRITICAL", "HIGH", "LOW"][n % 3], epss_score=(n % 50) / 50)
            for n in range(900)
        ]
        whole, merged = Priorities(), Priorities()
        add(whole, *rows)
        for number in range(5):
            part = Priorities()
            add(part, *rows[number::5])
            merged.merge(Priorities.from_stored(json.loads(json.dumps(part.to_stored()))))
        assert merged.report.worst() == whole.report.worst()
        for owner in whole.owners:
            assert merged.owners[owner].worst() == whole.owners[owner].worst()

    def test_with_more_owners_each_lists_fewer_open_findings(self) -> None:
        found = Priorities()
        for number in range(priorities.MOST_OWNERS_LISTED):
            add(found, vulnerability(f"v{number}", owner=f"o{number}"))
        assert found.worst_of_an_owner == priorities.WORST_OF_OWNERS // priorities.MOST_OWNERS_LISTED
        add(found, *(vulnerability(f"w{n}", owner="o0") for n in range(500)))
        assert len(found.owners["o0"].worst()) == found.worst_of_an_owner
