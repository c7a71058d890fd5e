"""A report without findings is good news only if scanning is active."""

from typing import Any

import pytest

from findings_analysis.assessment.coverage import AccountScanning, Coverage, Scanning
from findings_analysis.assessment.coverage_status import CoverageStatus, assess
from findings_analysis.comparison.fingerprint_format import Header, Summary
from findings_exporter.model.taxonomy import OWN_SCAN_TYPES, SCAN_TYPES
from tests.builders.daily_runs import ACCOUNT, OTHER_ACCOUNT

THIRD = "777788889999"


def coverage(scanned: int | None = 7, not_scanned: int | None = 1, **states: Scanning | dict[str, Scanning]) -> Coverage:
    """Coverage of accounts a (this one), b and c."""
    accounts = {}
    for name, state in (states or {"a": "on"}).items():
        account = {"a": ACCOUNT, "b": OTHER_ACCOUNT, "c": THIRD}[name]
        if isinstance(state, dict):
            accounts[account] = AccountScanning("on", state)
        else:
            accounts[account] = AccountScanning(state, why="" if state == "on" else "its reason")
    return Coverage(ACCOUNT, accounts, scanned, not_scanned)


def baseline(
    found: dict[str, int], status_unknown: dict[str, int] | None = None, scanning: dict[str, dict[str, str]] | None = None
) -> tuple[Header, Summary]:
    header = Header("nightly", "run-0", "2026-11-22T03:00:00+00:00", "same", {}, scanning or {})
    return header, Summary(
        sum(found.values()),
        {account: {"ecr": count} for account, count in found.items()},
        {account: {"ecr": count} for account, count in (status_unknown or {}).items()},
    )


def current(**found: int) -> dict[tuple[str, str], int]:
    return {({"a": ACCOUNT, "b": OTHER_ACCOUNT}[name], "ecr"): count for name, count in found.items()}


def text(coverage_status: CoverageStatus) -> str:
    return " ".join(coverage_status.reasons)


class TestActive:
    def test_nothing_found_while_scanning_is_active_is_no_problem(self) -> None:
        coverage_status = assess(current(), coverage(a="on", b="on"))
        assert (coverage_status.state, coverage_status.unusual_drop) == ("active", False)
        assert text(coverage_status) == "The report has no open findings. Scanning is active: 7 resources are scanned."

    def test_nothing_found_while_scanning_is_deactivated_is_lost_coverage_also_in_the_first_run(self) -> None:
        coverage_status = assess(current(), coverage(a="off"))
        assert coverage_status.state == "lost"
        assert "Scanning is deactivated in 111122223333 (its reason), so nothing is scanned there" in text(coverage_status)

    def test_nothing_found_where_the_state_cannot_be_read_is_unknown(self) -> None:
        coverage_status = assess(current(), coverage(a="unknown", b="on"))
        assert coverage_status.state == "unknown"
        assert "It is unknown whether Inspector scans 111122223333 (its reason)" in text(coverage_status)

    def test_nothing_found_and_no_account_known_is_unknown(self) -> None:
        assert assess(current(), Coverage(ACCOUNT, {})).state == "unknown"

    def test_a_member_that_was_never_scanned_does_not_count_as_lost_coverage(self) -> None:
        assert assess(current(), coverage(a="on", b="off")).state == "active"

    def test_resources_that_are_not_scanned_at_all_are_lost_coverage(self) -> None:
        coverage_status = assess(current(), coverage(0, 12))
        assert coverage_status.state == "lost"
        assert "scans none of its 12 resources" in text(coverage_status)

    def test_findings_that_are_still_reported_do_not_hide_that_nothing_is_scanned(self) -> None:
        coverage_status = assess(current(a=40), coverage(0, 12), baseline({ACCOUNT: 41}))
        assert (coverage_status.state, coverage_status.unusual_drop) == ("lost", False)
        assert text(coverage_status).startswith("The report still has open findings. Inspector scans none of its 12 resources")

    def test_that_nothing_is_scanned_is_certain_even_where_a_state_cannot_be_read(self) -> None:
        assert assess(current(), coverage(0, 12, a="on", b="unknown")).state == "lost"

    def test_no_resource_at_all_is_unknown(self) -> None:
        assert assess(current(), coverage(0, 0)).state == "unknown"

    @pytest.mark.parametrize(("scanned", "not_scanned"), [(None, None), (None, 3), (0, None)])
    def test_a_number_of_resources_that_cannot_be_read_is_unknown_coverage(
        self, scanned: int | None, not_scanned: int | None
    ) -> None:
        coverage_status = assess(current(), coverage(scanned, not_scanned))
        assert coverage_status.state == "unknown"
        assert "how many resources it scans could not be read" in text(coverage_status)

    def test_resources_that_are_surely_scanned_are_enough_for_active_coverage(self) -> None:
        coverage_status = assess(current(), coverage(7, None))
        assert coverage_status.state == "active"
        assert "7 resources are scanned" in text(coverage_status)

    def test_resources_that_cannot_be_read_do_not_matter_to_a_run_that_does_not_need_them(self) -> None:
        assert assess(current(a=3), coverage(None, None)).state == "active"


class TestUnusualDrop:
    @pytest.mark.parametrize(
        ("before", "now", "falls"), [(20, 10, True), (20, 11, False), (19, 0, False), (1_000, 500, True), (1_000, 0, True)]
    )
    def test_it_is_one_from_at_least_twenty_to_at_most_half(self, before: int, now: int, falls: bool) -> None:
        coverage_status = assess(current(a=now), coverage(), baseline({ACCOUNT: before}))
        assert coverage_status.unusual_drop == falls
        assert coverage_status.state == "active"
        assert (f"Unusual drop: {before:,} open findings when last scanned" in text(coverage_status)) == falls

    def test_an_account_may_fall_while_the_whole_stands(self) -> None:
        coverage_status = assess(current(a=900, b=3), coverage(a="on", b="unknown"), baseline({ACCOUNT: 900, OTHER_ACCOUNT: 40}))
        assert (coverage_status.state, coverage_status.unusual_drop) == ("unknown", True)
        assert "Unusual drop in account 444455556666: 40 open findings when last scanned, 3 now" in text(coverage_status)

    def test_the_fall_of_the_only_account_is_said_once(self) -> None:
        coverage_status = assess(current(a=3), coverage(a="on"), baseline({ACCOUNT: 40}))
        assert [each for each in coverage_status.reasons if "drop" in each] == [
            "Unusual drop: 40 open findings when last scanned, 3 now."
        ]

    def test_an_account_whose_state_is_unknown_matters_only_if_it_fell(self) -> None:
        coverage_status = assess(current(a=900, b=39), coverage(a="on", b="unknown"), baseline({ACCOUNT: 900, OTHER_ACCOUNT: 40}))
        assert (coverage_status.state, coverage_status.reasons) == ("active", ())

    def test_an_account_that_inspector_no_longer_knows_is_unknown(self) -> None:
        assert assess(current(a=900), coverage(a="on"), baseline({ACCOUNT: 900, OTHER_ACCOUNT: 40})).state == "unknown"

    def test_what_is_still_reported_where_coverage_is_lost_hides_no_fall_elsewhere(self) -> None:
        header, _ = baseline({})
        before = Summary(200, {ACCOUNT: {"ec2": 100, "ecr": 100}}, {})
        ec2_off: dict[str, Scanning] = {"ec2": "off", "ecr": "on"}
        now = {(ACCOUNT, "ec2"): 100, (ACCOUNT, "ecr"): 2}
        coverage_status = assess(now, coverage(a=ec2_off), (header, before))
        assert (coverage_status.state, coverage_status.unusual_drop) == ("lost", True)
        drop = "Unusual drop: 100 open findings when last scanned, 2 now."
        assert f"{drop} Places where scanning is deactivated are not in these numbers." in text(coverage_status)

    def test_the_fall_of_an_account_that_has_left_is_said_to_be_that(self) -> None:
        accounts = {ACCOUNT: AccountScanning("on"), OTHER_ACCOUNT: AccountScanning("unknown", is_member=False)}
        coverage_status = assess(current(a=100), Coverage(ACCOUNT, accounts, 10, 0), baseline({ACCOUNT: 100, OTHER_ACCOUNT: 30}))
        assert (coverage_status.state, coverage_status.unusual_drop) == ("active", True)
        assert text(coverage_status).endswith("Many findings are missing. No longer a member account of Inspector: 444455556666.")

    def test_what_is_lost_explains_the_fall(self) -> None:
        coverage_status = assess(current(a=30), coverage(a="on", b="off"), baseline({ACCOUNT: 30, OTHER_ACCOUNT: 40}))
        assert (coverage_status.state, coverage_status.unusual_drop, len(coverage_status.reasons)) == ("lost", False, 2)

    def test_findings_without_an_account_are_not_counted_twice(self) -> None:
        header, summary = baseline({"": 25, ACCOUNT: 1})
        coverage_status = assess(current(a=1), coverage(), (header, summary))
        assert "Unusual drop: 26 open findings when last scanned, 1 now." in coverage_status.reasons
        assert (
            "Unusual drop in findings without an account: 25 open findings when last scanned, 0 now." in coverage_status.reasons
        )

    def test_without_a_baseline_nothing_fell(self) -> None:
        assert assess(current(a=1), coverage()) == CoverageStatus("active", False, {}, (), coverage())


class TestUnknown:
    def test_findings_that_are_missing_where_scanning_is_unknown_make_coverage_unknown(self) -> None:
        ecr: dict[str, Scanning] = {"ecr": "on"}
        missing = {(ACCOUNT, "azure"): 9, (OTHER_ACCOUNT, "ecr"): 1, (ACCOUNT, "ecr"): 2, (THIRD, "ec2"): 1}
        coverage_status = assess(current(a=30), coverage(a=ecr, b="unknown"), baseline({ACCOUNT: 30}), status_unknown=missing)
        assert (coverage_status.state, coverage_status.deactivated) == ("unknown", {})
        assert text(coverage_status) == (
            "13 findings are missing where it is unknown whether Inspector scans: 111122223333 (Azure: Inspector returned no status),"
            " 111122223333 (ECR: scanning was not certain at the last run, and at most half of the open findings are back),"
            " 444455556666 (ECR: its reason), 777788889999 (EC2: Inspector returned no status)."
        )

    def test_what_is_lost_is_not_said_twice(self) -> None:
        coverage_status = assess(current(a=9), coverage(a="on", b="off"), baseline({ACCOUNT: 9, OTHER_ACCOUNT: 12}),
                        status_unknown={(OTHER_ACCOUNT, "ecr"): 12})  # fmt: skip
        assert (coverage_status.state, len(coverage_status.reasons)) == ("lost", 2)

    def test_an_account_that_is_no_longer_a_member_does_not_make_coverage_unknown(self) -> None:
        left = {ACCOUNT: AccountScanning("on"), OTHER_ACCOUNT: AccountScanning("unknown", is_member=False)}
        assert assess(current(), Coverage(ACCOUNT, left, 7, 0)).state == "active"


class TestCoverageLost:
    def test_an_account_that_was_switched_off_since_is_lost(self) -> None:
        missing = {(OTHER_ACCOUNT, "ecr"): 12}
        coverage_status = assess(
            current(a=900), coverage(a="on", b="off"), baseline({ACCOUNT: 900, OTHER_ACCOUNT: 12}), status_unknown=missing
        )
        assert coverage_status.state == "lost"
        assert list(coverage_status.deactivated) == [OTHER_ACCOUNT]
        assert (
            "Inspector no longer scans account 444455556666 (all scan types are deactivated). 12 findings that were open there are missing"
            in text(coverage_status)
        )

    def test_it_is_lost_also_while_its_findings_are_still_reported(self) -> None:
        on = {OTHER_ACCOUNT: dict.fromkeys(SCAN_TYPES, "on")}
        coverage_status = assess(
            current(a=9, b=12), coverage(a="on", b="off"), baseline({ACCOUNT: 9, OTHER_ACCOUNT: 12}, scanning=on)
        )
        assert coverage_status.state == "lost"
        assert "(all scan types are deactivated)" in text(coverage_status)

    def test_one_scan_type_may_be_switched_off_alone(self) -> None:
        off: dict[str, Scanning] = {"ec2": "on", "ecr": "off", "lambda": "off"}
        coverage_status = assess(current(), coverage(a=off), baseline({ACCOUNT: 5}))
        assert coverage_status.deactivated == {ACCOUNT: ("ecr",)}

    def test_it_stays_lost_until_it_is_active_again(self) -> None:
        forgotten = baseline({ACCOUNT: 9}, status_unknown={OTHER_ACCOUNT: 12}, scanning={OTHER_ACCOUNT: {"ecr": "off"}})
        assert assess(current(a=9), coverage(a="on", b="off"), forgotten).state == "lost"
        assert assess(current(a=9), coverage(a="on", b="on"), forgotten).state == "active"

    def test_what_was_deactivated_before_and_had_no_findings_is_not_lost(self) -> None:
        coverage_status = assess(
            current(a=9), coverage(a="on", b="off"), baseline({ACCOUNT: 9}, scanning={OTHER_ACCOUNT: {"ecr": "off"}})
        )
        assert (coverage_status.state, coverage_status.reasons) == ("active", ())

    def test_what_another_run_knew_of_scanning_counts_where_there_is_no_baseline(self) -> None:
        was_on = {OTHER_ACCOUNT: {"ecr": "on"}}
        coverage_status = assess(current(a=9), coverage(a="on", b="off"), scanning_before=was_on)
        assert (coverage_status.state, list(coverage_status.deactivated)) == ("lost", [OTHER_ACCOUNT])
        assert assess(current(a=9), coverage(a="on", b="off"), scanning_before={}).state == "active"

    def test_many_lost_accounts_are_named_by_the_first_few(self) -> None:
        accounts = {f"{number:012}": AccountScanning("off") for number in range(9)}
        coverage_status = assess(current(), Coverage(ACCOUNT, accounts), baseline(dict.fromkeys(accounts, 2)))
        assert "000000000004 (all scan types), 4 more. The status of what was open there is unknown." in text(coverage_status)
        assert "000000000004, 4 more, so nothing is scanned there" in text(coverage_status)
        assert len(coverage_status.deactivated) == 9

    def test_it_is_stored_as_plain_data(self) -> None:
        coverage_status = assess(current(a=900), coverage(a="on", b="off"), baseline({ACCOUNT: 900, OTHER_ACCOUNT: 12}))
        expected: dict[str, Any] = {
            "state": "lost",
            "unusual_drop": False,
            "deactivated": {OTHER_ACCOUNT: list(OWN_SCAN_TYPES)},
            "reasons": list(coverage_status.reasons),
        }
        assert coverage_status.to_dict() == expected
