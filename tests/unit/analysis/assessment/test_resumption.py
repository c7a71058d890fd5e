"""What is surely scanned: not what was only just switched on again, until its findings are back or a day has passed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from findings_analysis.assessment.coverage import AccountScanning, Coverage, Scanning
from findings_analysis.assessment.resumption import Scanned, surely_scanned
from findings_analysis.comparison.fingerprint_format import FingerprintFile, Header, Summary
from findings_analysis.comparison.identity import account_hash
from findings_exporter.model.taxonomy import OWN_SCAN_TYPES, SCAN_TYPES
from tests.builders.daily_runs import ACCOUNT, OTHER_ACCOUNT

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


def coverage(state: Scanning = "on", **fields: Any) -> Coverage:
    return Coverage(ACCOUNT, {ACCOUNT: AccountScanning(state, dict.fromkeys(OWN_SCAN_TYPES, "on"))}, **fields)


def earlier(
    ecr: str | None, hours_ago: float = 24, was_open: int = 100, carried: int = 0, since: datetime | None = None
) -> FingerprintFile:
    """A fingerprint file of a run that knew so much of the account's images."""
    scanning = {} if ecr is None else {ACCOUNT: dict.fromkeys(SCAN_TYPES, "on") | {"ecr": ecr}}
    started_at = (NOW - timedelta(hours=hours_ago)).isoformat()
    header = Header("nightly", "run-1", started_at, "x", {}, scanning, {ACCOUNT: {"ecr": since}} if since else {})
    return FingerprintFile(Path(), header, Summary(was_open, {ACCOUNT: {"ecr": was_open}}, {ACCOUNT: {"ecr": carried}}))


def assessed(now_open: int, *before: FingerprintFile, **fields: Any) -> tuple[str, datetime | None]:
    """The state of the account's images, and since when they are coming back."""
    found = surely_scanned(coverage(**fields), {(ACCOUNT, "ecr"): now_open}, before, NOW)
    return found.states[ACCOUNT]["ecr"], found.resuming.get(ACCOUNT, {}).get("ecr")


def test_what_was_on_stays_on_however_few_are_left() -> None:
    assert assessed(0, earlier("on")) == ("on", None)


def test_without_an_earlier_run_inspectors_status_counts() -> None:
    assert assessed(0) == ("on", None)


@pytest.mark.parametrize("state", ["off", "unknown"])
@pytest.mark.parametrize(("back", "on"), [(0, False), (5, False), (50, False), (51, True), (100, True)])
def test_more_than_half_must_be_back(state: str, back: int, on: bool) -> None:
    expected = ("on", None) if on else ("unknown", NOW)
    assert assessed(back, earlier(state, was_open=0, carried=100)) == expected
    assert assessed(back, earlier(state, was_open=100)) == expected


@pytest.mark.parametrize(("hours", "on"), [(0.1, False), (23.9, False), (24, True)])
def test_or_a_day_must_have_passed_since_inspector_first_reported_it_active(hours: float, on: bool) -> None:
    since = NOW - timedelta(hours=hours)
    assert assessed(0, earlier("unknown", since=since)) == (("on", None) if on else ("unknown", since))


def test_a_place_without_findings_need_not_wait() -> None:
    assert assessed(0, earlier("off", was_open=0)) == ("on", None)
    assert assessed(0, earlier(None, was_open=0)) == ("on", None)


def test_what_was_not_known_before_was_not_active() -> None:
    assert assessed(0, earlier(None)) == ("unknown", NOW)


def test_the_newest_run_decides_whichever_it_is_and_what_any_knew_must_come_back() -> None:
    baseline, silent = earlier("on", hours_ago=24), earlier("off", hours_ago=2, was_open=0, carried=0)
    assert assessed(0, baseline, silent) == assessed(0, silent, baseline) == ("unknown", NOW)
    assert assessed(0, earlier("off", hours_ago=24), earlier("on", hours_ago=2)) == ("on", None)


def test_where_no_known_resource_is_scanned_nothing_is() -> None:
    assert assessed(100, earlier("on"), scanned=0, not_scanned=12) == ("unknown", None)


def places(found: frozenset[bytes], account: str = ACCOUNT) -> set[str]:
    return {each for number, each in enumerate(SCAN_TYPES) if account_hash(account) + bytes([number]) in found}


def test_a_comparison_gets_all_that_is_not_active_and_what_is_surely_deactivated() -> None:
    found = Scanned({ACCOUNT: {"ec2": "on", "ecr": "unknown", "lambda": "off"}}, {}, frozenset())
    assert (places(found.uncertain()), places(found.off())) == ({"ecr", "lambda"}, {"lambda"})
    assert places(found.uncertain(), "") == set(SCAN_TYPES), "of a finding without an account nothing is sure"


def test_an_account_that_is_no_member_need_not_resume() -> None:
    left = Coverage(ACCOUNT, {OTHER_ACCOUNT: AccountScanning("unknown", is_member=False)})
    assert places(surely_scanned(left, {}, (), NOW).uncertain(), OTHER_ACCOUNT) == set()
