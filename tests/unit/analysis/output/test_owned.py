"""What is said of owners adds up to what is said of the report, and is what a naive comparison of each owner's findings says."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from findings_analysis.comparison.difference import Changes
from findings_analysis.comparison.due import DueDates, DueFindings
from findings_analysis.comparison.fingerprints import DAY_MS, FIRST_SEEN, NOT_KNOWN
from findings_exporter.model.taxonomy import APPEARED, KINDS, LISTED_KINDS, NO_LONGER_OPEN, SEVERITIES
from tests.builders.daily_runs import TODAY, finding, records
from tests.unit.analysis.output.test_document import analysis

OWNERS = ("payments", "platform", "unowned")
DAYS = {"CRITICAL": 15, "HIGH": 30, "MEDIUM": 90}
DUE = DueDates(DAYS, TODAY, TODAY - 1)


def row(number: int, owner: str, *, version: int = 0, **values: Any) -> dict[str, Any]:
    """A finding of its own vulnerability; another version is the same one in a rebuilt image."""
    return finding(
        f"{number:x}{version}", vulnerability_id=f"CVE-{number}", resource_name=f"r{number % 3}", owner=owner, **values
    )


rows_before = st.lists(
    st.tuples(
        st.sampled_from(OWNERS),
        st.sampled_from(["CRITICAL", "HIGH", "MEDIUM", "LOW"]),
        st.sampled_from(["ACTIVE", "ACTIVE", "ACTIVE", "CLOSED", "SUPPRESSED"]),
        st.integers(0, 120),
    ),
    min_size=1,
    max_size=14,
)
what_happened = st.lists(
    st.tuples(
        st.sampled_from(["stays", "stays", "rebuilt", "missing", "closed", "opened"]),
        st.sampled_from([None, None, *OWNERS]),
    ),
    min_size=14,
    max_size=14,
)
rows_new = st.lists(st.tuples(st.sampled_from(OWNERS), st.sampled_from(SEVERITIES[:4]), st.integers(0, 60)), max_size=6)


def two_reports(before: list[Any], happened: list[Any], new: list[Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The findings of two reports."""
    first, second = [], []
    for number, ((owner, severity, status, age), (what, moved_to)) in enumerate(zip(before, happened, strict=False)):
        values = {"severity": severity, "status": status, "first_observed_at": (TODAY - age) * DAY_MS}
        first.append(row(number, owner, **values))
        now = moved_to or owner
        if what in {"stays", "rebuilt"}:
            second.append(row(number, now, version=int(what == "rebuilt"), **values))
        elif what in {"closed", "opened"}:
            second.append(row(number, now, **values | {"status": "CLOSED" if what == "closed" else "ACTIVE"}))
    for number, (owner, severity, age) in enumerate(new, 100):
        second.append(row(number, owner, severity=severity, first_observed_at=(TODAY - age) * DAY_MS))
    return first, second


def is_open(each: dict[str, Any]) -> bool:
    return bool(each["status"] == "ACTIVE")


@settings(max_examples=50, deadline=None)
@given(rows_before, what_happened, rows_new)
def test_every_number_of_the_report_is_the_sum_over_its_owners(before: list[Any], happened: list[Any], new: list[Any]) -> None:
    first, second = two_reports(before, happened, new)
    made = analysis(second, first, due_dates=DUE)
    if not second:
        return
    owners = made["owners"].values()
    statistics, changes, due = made["statistics"], made["changes"], made["due_dates"]
    for name in ("total", "open"):
        assert sum(each["counts"][name] for each in owners) == statistics[name]
    for name in ("by_severity", "by_status"):
        assert sum((Counter(each["counts"][name]) for each in owners), Counter()) == Counter(statistics[name])
    for kind in (*KINDS, "appeared", "no_longer_open"):
        assert sum(each["changes"]["counts"][kind] for each in owners) == changes["counts"][kind], kind
    assert sum(each["changes"]["counts"]["moved_away"] for each in owners) == changes["counts"]["moved"]
    for kind in LISTED_KINDS:
        assert sum((Counter(each["changes"]["by_severity"][kind]) for each in owners), Counter()) == changes["by_severity"][kind]
    for name in ("overdue", "due_soon"):
        assert sum((Counter(each["due_dates"][name]) for each in owners), Counter()) == Counter(due[name])
    for name in ("newly_overdue", "unknown"):
        assert sum(each["due_dates"][name] for each in owners) == due[name]


@settings(max_examples=50, deadline=None)
@given(rows_before, what_happened, rows_new)
def test_an_owners_changes_are_those_of_its_findings_alone(before: list[Any], happened: list[Any], new: list[Any]) -> None:
    first, second = two_reports(before, happened, new)
    if not second:
        return
    made = analysis(second, first)
    then = {each["vulnerability_id"]: each for each in first if is_open(each)}
    now = {each["vulnerability_id"]: each for each in second if is_open(each)}
    for owner in OWNERS:
        counts = made["owners"][owner]["changes"]["counts"] if owner in made["owners"] else Counter()
        mine_then = {name for name, each in then.items() if each["owner"] == owner}
        mine_now = {name for name, each in now.items() if each["owner"] == owner}
        assert counts["moved"] == len({name for name in mine_now & then.keys() if then[name]["owner"] != owner})
        assert counts["moved_away"] == len({name for name in mine_then & now.keys() if now[name]["owner"] != owner})
        assert sum(counts[kind] for kind in APPEARED) == len(mine_now - then.keys())
        assert sum(counts[kind] for kind in NO_LONGER_OPEN) == len(mine_then - now.keys())
        # What an owner had, without what went, and with what came, is what it has.
        stays = len(mine_then) - counts["moved_away"] + counts["moved"]
        assert stays + sum(counts[kind] for kind in APPEARED) - sum(counts[kind] for kind in NO_LONGER_OPEN) == len(mine_now)


def test_a_finding_that_changes_its_owner_is_neither_new_nor_no_longer_open_and_both_are_notified() -> None:
    made = analysis([row(1, "platform"), row(2, "platform")], [row(1, "payments"), row(2, "platform")])
    assert (made["changes"]["counts"]["appeared"], made["changes"]["counts"]["no_longer_open"]) == (0, 0)
    (listed,) = made["changes"]["lists"]["moved"]
    assert (listed["owner"], listed["previous_owner"], listed["finding_arn"][-2:]) == ("platform", "payments", "10")
    counts = {owner: each["changes"]["counts"] for owner, each in made["owners"].items()}
    assert (counts["payments"]["moved_away"], counts["platform"]["moved"], counts["platform"]["still_open"]) == (1, 1, 2)
    assert made["owners"]["payments"]["counts"]["total"] == 0


def test_nothing_has_moved_where_the_baseline_knew_no_owners() -> None:
    made = analysis([row(1, "platform")], [row(1, None), row(2, None)])  # type: ignore[arg-type]
    assert made["changes"]["counts"]["moved"] == 0
    assert made["owners"]["platform"]["changes"]["counts"]["still_open"] == 1
    assert made["owners"]["unowned"]["changes"]["counts"]["no_longer_open"] == 1


def test_without_owners_nothing_is_said_of_them() -> None:
    made = analysis([finding("a")], [finding("a")])
    assert (made["owners"], made["owners_left_out"], made["changes"]["counts"]["moved"]) == (None, None, 0)


def test_an_owner_sees_what_to_fix_first_where_and_until_when() -> None:
    package = {
        "package_names": ["openssl"],
        "package_versions": ["3.0.1"],
        "fixed_in_versions": ["3.0.7"],
        "severity": "CRITICAL",
    }
    rows = [
        finding("a", owner="payments", vulnerability_id="CVE-1", first_observed_at=(TODAY - 20) * DAY_MS, **package),
        finding("b", owner="payments", vulnerability_id="CVE-1", resource_name="other", **package),
        finding("c", owner="platform", vulnerability_id="CVE-1", resource_name="third", **package),
    ]
    made = analysis(rows, due_dates=DUE)
    (of_owner,) = made["owners"]["payments"]["fix_first"]
    assert of_owner["packages"] == [{"name": "openssl", "installed_version": "3.0.1", "fixed_version": "3.0.7"}]
    assert [(each["name"], each["due_on"], each["owner"]) for each in of_owner["resources"]] == [
        ("shop/cart", "2026-11-18", "payments"),
        ("other", "2026-11-28", "payments"),
    ]
    assert (of_owner["resource_count"], of_owner["due_on"]) == (2, "2026-11-18")
    (of_report,) = made["fix_first"]
    assert (of_report["resource_count"], len(of_report["resources"])) == (3, 3)


@pytest.mark.parametrize(
    ("age", "expected"),
    [(30, "due_soon"), (31, "overdue"), (23, "due_soon"), (22, None)],
)
def test_a_finding_is_overdue_after_its_day_and_due_soon_seven_days_before(age: int, expected: str | None) -> None:
    due = analysis([finding("a", severity="HIGH", first_observed_at=(TODAY - age) * DAY_MS)], due_dates=DUE)["due_dates"]
    found = {"overdue": sum(due["overdue"].values()), "due_soon": sum(due["due_soon"].values()), "unknown": due["unknown"]}
    assert {name for name, count in found.items() if count} == ({expected} if expected else set())
    assert due["newly_overdue"] == int(expected == "overdue")


def test_only_overdue_findings_are_listed_as_such_however_they_are_read() -> None:
    ages = [20, 10, 3, 0]
    rows = [finding(f"{age:02}", severity="CRITICAL", first_observed_at=(TODAY - age) * DAY_MS) for age in ages]
    rows.append(finding("99", severity="LOW", first_observed_at=0))
    due = DueFindings(DUE)
    for record in records(*rows):
        due.add([record])
    assert due.of().overdue == Counter(CRITICAL=1)
    assert len(due.most_overdue()) == 1


def test_what_was_carried_over_from_a_run_without_owners_has_not_moved() -> None:
    changes = Changes(owned=True, knows_owners=True)
    (unknown,), (now,), (before,) = (records(row(1, owner)) for owner in (None, "platform", "payments"))  # type: ignore[arg-type]
    changes.add("rediscovered", [(unknown, now)])
    assert changes.counts["moved"] == 0
    changes.add("rediscovered", [(before, now)])
    assert changes.counts["moved"] == 1


def test_where_the_first_seen_day_is_not_known_the_due_date_is_not_either() -> None:
    (known,) = records(finding("a", severity="HIGH", first_observed_at=0))
    due = DueFindings(DUE)
    due.add([known, known[: FIRST_SEEN.start] + NOT_KNOWN + known[FIRST_SEEN.stop :]])
    assert (due.of().overdue, due.of().unknown) == (Counter(HIGH=1), 1)


def test_five_rebuilt_images_do_not_reset_a_due_date() -> None:
    before = [row(1, "payments", first_observed_at=(TODAY - 20) * DAY_MS, severity="CRITICAL")]
    for version in range(1, 6):
        rebuilt = [row(1, "payments", version=version, first_observed_at=TODAY * DAY_MS, severity="CRITICAL")]
        made = analysis(rebuilt, before, due_dates=DUE)
        assert made["due_dates"]["overdue"] == {"CRITICAL": 1}
        assert made["due_dates"]["most_overdue"][0]["due_on"] == "2026-11-18"
        # As the next run knows it, by its fingerprint file.
        before = [rebuilt[0] | {"first_observed_at": (TODAY - 20) * DAY_MS}]


def test_a_severity_without_days_has_no_due_date() -> None:
    made = analysis([finding("a", severity="LOW", first_observed_at=0)], due_dates=DUE)
    assert (made["due_dates"]["overdue"], made["due_dates"]["unknown"]) == ({}, 0)
    assert made["fix_first"][0]["due_on"] is None
