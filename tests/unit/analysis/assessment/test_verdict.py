"""Quiet is not dark: a night without findings is good news only if Inspector was looking."""

from typing import Any

import pytest

from findings_analysis.assessment.coverage import AccountScanning, Coverage, Scanning
from findings_analysis.assessment.coverage_status import Verdict, judge
from findings_analysis.comparison.fingerprint_format import Header, Summary
from findings_analysis.comparison.fingerprints import OWN_SCAN_TYPES, SCAN_TYPES
from tests.builders.nights import ACCOUNT, OTHER_ACCOUNT

THIRD = "777788889999"


def coverage(scanned: int | None = 7, not_scanned: int | None = 1, **states: Scanning | dict[str, Scanning]) -> Coverage:
    """Coverage of accounts a (this one), b and c."""
    accounts = {}
    for name, state in (states or {"a": "on"}).items():
        account = {"a": ACCOUNT, "b": OTHER_ACCOUNT, "c": THIRD}[name]
        if isinstance(state, dict):
            accounts[account] = AccountScanning("on", state)
        else:
            accounts[account] = AccountScanning(state, why="" if state == "on" else "as told")
    return Coverage(ACCOUNT, accounts, scanned, not_scanned)


def baseline(
    found: dict[str, int], not_looked_at: dict[str, int] | None = None, scanning: dict[str, dict[str, str]] | None = None
) -> tuple[Header, Summary]:
    header = Header("nightly", "night-0", "2026-11-22T03:00:00+00:00", "same", {}, scanning or {})
    return header, Summary(
        sum(found.values()),
        {account: {"ecr": count} for account, count in found.items()},
        {account: {"ecr": count} for account, count in (not_looked_at or {}).items()},
    )


def tonight(**found: int) -> dict[tuple[str, str], int]:
    return {({"a": ACCOUNT, "b": OTHER_ACCOUNT}[name], "ecr"): count for name, count in found.items()}


def text(verdict: Verdict) -> str:
    return " ".join(verdict.reasons)


class TestQuiet:
    def test_nothing_found_with_scanning_on_is_a_good_night(self) -> None:
        verdict = judge(tonight(), coverage(a="on", b="on"))
        assert (verdict.state, verdict.sudden_fall) == ("good", False)
        assert text(verdict) == "The report has no open findings. Scanning is active: 7 resources are scanned."

    def test_nothing_found_with_scanning_off_is_an_alarm_also_in_the_first_night(self) -> None:
        verdict = judge(tonight(), coverage(a="off"))
        assert verdict.state == "dark"
        assert "Inspector is off in 111122223333 (as told), so nothing is scanned there" in text(verdict)

    def test_nothing_found_where_the_state_cannot_be_read_is_unknown(self) -> None:
        verdict = judge(tonight(), coverage(a="unknown", b="on"))
        assert verdict.state == "unknown"
        assert "It is unknown whether Inspector scans 111122223333 (as told)" in text(verdict)

    def test_nothing_found_and_no_account_known_is_unknown(self) -> None:
        assert judge(tonight(), Coverage(ACCOUNT, {})).state == "unknown"

    def test_a_member_that_was_never_scanned_does_not_darken_a_quiet_night(self) -> None:
        assert judge(tonight(), coverage(a="on", b="off")).state == "good"

    def test_resources_that_are_not_scanned_at_all_are_an_alarm(self) -> None:
        verdict = judge(tonight(), coverage(0, 12))
        assert verdict.state == "dark"
        assert "scans none of its 12 resources" in text(verdict)

    def test_findings_that_are_still_told_of_do_not_hide_that_nothing_is_scanned(self) -> None:
        verdict = judge(tonight(a=40), coverage(0, 12), baseline({ACCOUNT: 41}))
        assert (verdict.state, verdict.sudden_fall) == ("dark", False)
        assert text(verdict).startswith("The report still has open findings. Inspector scans none of its 12 resources")

    def test_that_nothing_is_scanned_is_certain_even_where_a_state_cannot_be_read(self) -> None:
        assert judge(tonight(), coverage(0, 12, a="on", b="unknown")).state == "dark"

    def test_no_resource_at_all_is_unknown(self) -> None:
        assert judge(tonight(), coverage(0, 0)).state == "unknown"

    @pytest.mark.parametrize(("scanned", "not_scanned"), [(None, None), (None, 3), (0, None)])
    def test_a_number_of_resources_that_cannot_be_read_makes_no_good_news(
        self, scanned: int | None, not_scanned: int | None
    ) -> None:
        verdict = judge(tonight(), coverage(scanned, not_scanned))
        assert verdict.state == "unknown"
        assert "how many resources it scans could not be read" in text(verdict)

    def test_resources_that_are_surely_scanned_are_enough_for_a_good_night(self) -> None:
        verdict = judge(tonight(), coverage(7, None))
        assert verdict.state == "good"
        assert "7 resources are scanned" in text(verdict)

    def test_resources_that_cannot_be_read_do_not_trouble_a_night_that_needs_no_explanation(self) -> None:
        assert judge(tonight(a=3), coverage(None, None)).state == "good"


class TestSuddenFall:
    @pytest.mark.parametrize(
        ("before", "now", "falls"), [(20, 10, True), (20, 11, False), (19, 0, False), (1_000, 500, True), (1_000, 0, True)]
    )
    def test_it_is_one_from_at_least_twenty_to_at_most_half(self, before: int, now: int, falls: bool) -> None:
        verdict = judge(tonight(a=now), coverage(), baseline({ACCOUNT: before}))
        assert verdict.sudden_fall == falls
        assert verdict.state == "good"
        assert (f"Unusual drop: {before:,} open findings at the last scan" in text(verdict)) == falls

    def test_an_account_may_fall_while_the_whole_stands(self) -> None:
        verdict = judge(tonight(a=900, b=3), coverage(a="on", b="unknown"), baseline({ACCOUNT: 900, OTHER_ACCOUNT: 40}))
        assert (verdict.state, verdict.sudden_fall) == ("unknown", True)
        assert "Unusual drop in account 444455556666: 40 open findings at the last scan, 3 now" in text(verdict)

    def test_the_fall_of_the_only_account_is_said_once(self) -> None:
        verdict = judge(tonight(a=3), coverage(a="on"), baseline({ACCOUNT: 40}))
        assert [each for each in verdict.reasons if "drop" in each] == ["Unusual drop: 40 open findings at the last scan, 3 now."]

    def test_an_account_whose_state_is_unknown_matters_only_if_it_fell(self) -> None:
        verdict = judge(tonight(a=900, b=39), coverage(a="on", b="unknown"), baseline({ACCOUNT: 900, OTHER_ACCOUNT: 40}))
        assert (verdict.state, verdict.reasons) == ("good", ())

    def test_an_account_that_inspector_does_not_know_any_more_is_unknown(self) -> None:
        assert judge(tonight(a=900), coverage(a="on"), baseline({ACCOUNT: 900, OTHER_ACCOUNT: 40})).state == "unknown"

    def test_what_is_dark_explains_the_fall(self) -> None:
        verdict = judge(tonight(a=30), coverage(a="on", b="off"), baseline({ACCOUNT: 30, OTHER_ACCOUNT: 40}))
        assert (verdict.state, verdict.sudden_fall, len(verdict.reasons)) == ("dark", False, 2)

    def test_findings_without_an_account_are_not_counted_twice(self) -> None:
        header, summary = baseline({"": 25, ACCOUNT: 1})
        verdict = judge(tonight(a=1), coverage(), (header, summary))
        assert "Unusual drop: 26 open findings at the last scan, 1 now." in verdict.reasons
        assert "Unusual drop in findings without an account: 25 open findings at the last scan, 0 now." in verdict.reasons

    def test_without_a_baseline_nothing_fell(self) -> None:
        assert judge(tonight(a=1), coverage()) == Verdict("good", False, {}, (), coverage())


class TestUnsure:
    def test_what_is_missing_where_scanning_is_not_sure_makes_no_good_night(self) -> None:
        ecr: dict[str, Scanning] = {"ecr": "on"}
        missing = {(ACCOUNT, "azure"): 9, (OTHER_ACCOUNT, "ecr"): 1, (ACCOUNT, "ecr"): 2, (THIRD, "ec2"): 1}
        verdict = judge(tonight(a=30), coverage(a=ecr, b="unknown"), baseline({ACCOUNT: 30}), not_looked_at=missing)
        assert (verdict.state, verdict.dark) == ("unknown", {})
        assert text(verdict) == (
            "13 findings are missing where it is unknown whether Inspector scans: 111122223333 (Azure: Inspector returned no status),"
            " 111122223333 (ECR: scanning was not certain at the last run, and at most half of the open findings are back),"
            " 444455556666 (ECR: as told), 777788889999 (EC2: Inspector returned no status)."
        )

    def test_what_is_dark_is_not_said_twice(self) -> None:
        verdict = judge(tonight(a=9), coverage(a="on", b="off"), baseline({ACCOUNT: 9, OTHER_ACCOUNT: 12}),
                        not_looked_at={(OTHER_ACCOUNT, "ecr"): 12})  # fmt: skip
        assert (verdict.state, len(verdict.reasons)) == ("dark", 2)

    def test_an_account_that_is_no_member_any_more_does_not_make_a_quiet_night_unknown(self) -> None:
        left = {ACCOUNT: AccountScanning("on"), OTHER_ACCOUNT: AccountScanning("unknown", is_member=False)}
        assert judge(tonight(), Coverage(ACCOUNT, left, 7, 0)).state == "good"


class TestDark:
    def test_an_account_that_was_switched_off_since_is_dark(self) -> None:
        missing = {(OTHER_ACCOUNT, "ecr"): 12}
        verdict = judge(
            tonight(a=900), coverage(a="on", b="off"), baseline({ACCOUNT: 900, OTHER_ACCOUNT: 12}), not_looked_at=missing
        )
        assert verdict.state == "dark"
        assert list(verdict.dark) == [OTHER_ACCOUNT]
        assert (
            "Inspector no longer scans account 444455556666 (all scan types are off). 12 findings that were open there are missing"
            in text(verdict)
        )

    def test_it_is_dark_also_while_its_findings_are_still_reported(self) -> None:
        on = {OTHER_ACCOUNT: dict.fromkeys(SCAN_TYPES, "on")}
        verdict = judge(tonight(a=9, b=12), coverage(a="on", b="off"), baseline({ACCOUNT: 9, OTHER_ACCOUNT: 12}, scanning=on))
        assert verdict.state == "dark"
        assert "(all scan types are off)" in text(verdict)

    def test_one_scan_type_may_be_switched_off_alone(self) -> None:
        off: dict[str, Scanning] = {"ec2": "on", "ecr": "off", "lambda": "off"}
        verdict = judge(tonight(), coverage(a=off), baseline({ACCOUNT: 5}))
        assert verdict.dark == {ACCOUNT: ("ecr",)}

    def test_it_stays_an_alarm_until_it_is_on_again(self) -> None:
        forgotten = baseline({ACCOUNT: 9}, not_looked_at={OTHER_ACCOUNT: 12}, scanning={OTHER_ACCOUNT: {"ecr": "off"}})
        assert judge(tonight(a=9), coverage(a="on", b="off"), forgotten).state == "dark"
        assert judge(tonight(a=9), coverage(a="on", b="on"), forgotten).state == "good"

    def test_what_was_off_before_and_had_no_findings_is_no_alarm(self) -> None:
        verdict = judge(tonight(a=9), coverage(a="on", b="off"), baseline({ACCOUNT: 9}, scanning={OTHER_ACCOUNT: {"ecr": "off"}}))
        assert (verdict.state, verdict.reasons) == ("good", ())

    def test_what_another_run_knew_of_scanning_counts_where_there_is_no_baseline(self) -> None:
        was_on = {OTHER_ACCOUNT: {"ecr": "on"}}
        verdict = judge(tonight(a=9), coverage(a="on", b="off"), scanning_before=was_on)
        assert (verdict.state, list(verdict.dark)) == ("dark", [OTHER_ACCOUNT])
        assert judge(tonight(a=9), coverage(a="on", b="off"), scanning_before={}).state == "good"

    def test_many_dark_accounts_are_named_by_the_first_few(self) -> None:
        accounts = {f"{number:012}": AccountScanning("off") for number in range(9)}
        verdict = judge(tonight(), Coverage(ACCOUNT, accounts), baseline(dict.fromkeys(accounts, 2)))
        assert "000000000004 (all scan types), 4 more. What was open there is not fixed; its status is unknown." in text(verdict)
        assert "000000000004, 4 more, so nothing is scanned there" in text(verdict)
        assert len(verdict.dark) == 9

    def test_it_is_stored_as_plain_data(self) -> None:
        verdict = judge(tonight(a=900), coverage(a="on", b="off"), baseline({ACCOUNT: 900, OTHER_ACCOUNT: 12}))
        expected: dict[str, Any] = {
            "state": "dark",
            "sudden_fall": False,
            "dark": {OTHER_ACCOUNT: list(OWN_SCAN_TYPES)},
            "reasons": list(verdict.reasons),
        }
        assert verdict.to_dict() == expected
