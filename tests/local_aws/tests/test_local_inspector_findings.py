"""The emulated Inspector's findings look like real ones, and change from day to day as real ones do."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from statistics import mean, quantiles
from typing import TYPE_CHECKING, Any

import pytest
from botocore.session import get_session
from botocore.validate import ParamValidator

from tests.local_aws.emulator.inspector.findings import DAY, ChangedFindings, Finding, evolve, generate, load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("sealed")

NOW = 1_780_000_000.0
ACCOUNTS = ("000000000000", "111122223333")


def make(count: int = 300, seed: int = 1) -> list[Finding]:
    return generate(count, seed=seed, now=NOW, accounts=ACCOUNTS, region="eu-west-1")


def by_arn(findings: Iterable[Finding]) -> dict[str, Finding]:
    return {finding["findingArn"]: finding for finding in findings}


def active(findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding["status"] == "ACTIVE"]


@pytest.fixture(scope="module")
def many() -> list[Finding]:
    return make(20_000)


class TestGenerated:
    def test_as_many_are_active_as_were_wanted_and_a_few_others_come_on_top(self) -> None:
        statuses = Counter(finding["status"] for finding in make(1_000))
        assert statuses["ACTIVE"] == 1_000
        assert statuses["SUPPRESSED"]
        assert statuses["CLOSED"]

    def test_the_same_seed_makes_the_same_findings(self) -> None:
        assert make(seed=1) == make(seed=1)
        assert not by_arn(make(seed=1)).keys() & by_arn(make(seed=2)).keys()

    def test_nothing_can_be_made(self) -> None:
        assert make(0) == []

    def test_they_fit_the_service_model(self) -> None:
        shape = get_session().get_service_model("inspector2").shape_for("Finding")
        for finding in make(500):
            report = ParamValidator().validate(finding, shape)
            assert not report.has_errors(), report.generate_report()

    def test_each_has_an_arn_of_its_own(self, many: list[Finding]) -> None:
        assert len(by_arn(many)) == len(many)

    def test_no_timestamp_is_in_the_future(self, many: list[Finding]) -> None:
        latest = max(finding[name] for finding in many for name in ("firstObservedAt", "lastObservedAt", "updatedAt"))
        assert NOW - DAY < latest <= NOW
        assert all(finding["firstObservedAt"] <= finding["lastObservedAt"] for finding in many)

    def test_every_account_has_findings_on_each_kind_of_resource(self, many: list[Finding]) -> None:
        kinds = {(finding["awsAccountId"], finding["resources"][0]["type"]) for finding in many}
        assert len(kinds) == len(ACCOUNTS) * 3

    @pytest.mark.parametrize(
        ("share_of", "low", "high"),
        [
            (lambda f: f["severity"] == "MEDIUM", 0.42, 0.48),
            (lambda f: f["severity"] == "HIGH", 0.37, 0.43),
            (lambda f: f["severity"] == "LOW", 0.04, 0.07),
            (lambda f: f["severity"] == "CRITICAL", 0.03, 0.056),
            (lambda f: f["severity"] == "UNTRIAGED", 0.018, 0.038),
            (lambda f: f["severity"] == "INFORMATIONAL", 0.014, 0.034),
            (lambda f: f["type"] == "PACKAGE_VULNERABILITY", 0.97, 0.99),
            (lambda f: f["type"] == "NETWORK_REACHABILITY", 0.012, 0.02),
            (lambda f: f["type"] == "CODE_VULNERABILITY", 0.001, 0.006),
            (lambda f: f.get("fixAvailable") == "YES", 0.84, 0.91),
            (lambda f: f.get("fixAvailable") == "PARTIAL", 0.003, 0.016),
            (lambda f: f.get("exploitAvailable") == "YES", 0.03, 0.07),
            (lambda f: "inspectorScore" not in f, 0.11, 0.71),
            (lambda f: "epss" not in f, 0.05, 0.5),
            (lambda f: f["title"].startswith("CVE-"), 0.94, 0.99),
            (lambda f: len(f["description"]) == 1024, 0.13, 0.19),
            (lambda f: "\n" in f["description"], 0.09, 0.38),
            (lambda f: "\r" in f["description"], 0.01, 0.05),
            (lambda f: "," in f["description"], 0.55, 0.65),
            (lambda f: '"' in f["description"], 0.05, 0.11),
            (lambda f: not f["description"].isascii(), 0.015, 0.045),
            (lambda f: f["description"].startswith(" "), 0.1, 0.3),
            (lambda f: f["remediation"]["recommendation"]["text"] == "None Provided", 0.91, 0.97),
        ],
    )
    def test_shares_are_those_of_real_findings(
        self, many: list[Finding], share_of: Callable[[Finding], bool], low: float, high: float
    ) -> None:
        assert low <= mean(share_of(finding) for finding in active(many)) <= high

    def test_sizes_are_those_of_real_findings(self, many: list[Finding]) -> None:
        sizes = [len(json.dumps(finding, separators=(",", ":"))) for finding in many]
        descriptions = [len(finding["description"]) for finding in many]
        details = [finding["packageVulnerabilityDetails"] for finding in many if "packageVulnerabilityDetails" in finding]
        urls = [len(detail["referenceUrls"]) for detail in details]
        packages = [len(detail["vulnerablePackages"]) for detail in details]
        assert 2_600 <= mean(sizes) <= 3_600
        assert 4_000 <= quantiles(sizes, n=100)[98] <= 5_500
        assert 395 <= mean(descriptions) <= 455
        assert max(descriptions) == 1_024
        assert 3.2 <= mean(urls) <= 4.0
        assert 14 <= quantiles(urls, n=100)[98] <= 22
        assert max(urls) == 105
        assert 1.5 <= mean(packages) <= 1.7
        assert (min(packages), max(packages)) == (1, 6)
        assert 2.7 <= len(details) / len({detail["vulnerabilityId"] for detail in details}) <= 3.4

    def test_network_and_code_findings_say_nothing_of_fixes_and_exploits(self, many: list[Finding]) -> None:
        others = [finding for finding in many if finding["type"] != "PACKAGE_VULNERABILITY"]
        assert others
        assert not any({"fixAvailable", "exploitAvailable"} & finding.keys() for finding in others)

    def test_some_tag_is_a_spreadsheet_formula(self, many: list[Finding]) -> None:
        assert any(tag.startswith("=") for finding in many for tag in finding["resources"][0]["tags"].values())


class TestRun:
    def test_the_same_day_changes_the_same_and_leaves_the_day_before_alone(self) -> None:
        before = make()
        first = evolve(before, day=1, seed=1, now=NOW + DAY)
        assert before == make()
        assert first == evolve(before, day=1, seed=1, now=NOW + DAY)
        assert first[1] != evolve(before, day=2, seed=1, now=NOW + DAY)[1]

    def test_the_returned_changes_are_those_that_were_made(self) -> None:
        before = make()
        after, changes = evolve(before, day=1, seed=1, now=NOW + DAY)
        old, new = by_arn(before), by_arn(after)
        assert changes.new_arn
        changed_to = {
            "CLOSED": {*changes.fixed, *changes.new_arn},
            "SUPPRESSED": set(changes.suppressed),
        }
        for status, arns in changed_to.items():
            assert {arn for arn in old if old[arn]["status"] == "ACTIVE" and new[arn]["status"] == status} == arns
        assert new.keys() - old.keys() == {*changes.new, *changes.new_arn.values()}
        assert all(new[arn]["firstObservedAt"] == NOW + DAY for arn in new.keys() - old.keys())
        assert (len(changes.fixed), len(changes.suppressed), len(changes.new)) == (6, 2, 8)

    def test_a_rebuilt_image_brings_the_same_vulnerabilities_under_new_arns(self) -> None:
        before = make()
        after, changes = evolve(before, day=1, seed=1, now=NOW + DAY)
        old, new = by_arn(before), by_arn(after)
        repository = changes.rebuilt_image.rsplit("/", 1)[0]
        for old_arn, new_arn in changes.new_arn.items():
            assert old[old_arn]["resources"][0]["id"] == changes.rebuilt_image
            assert new[new_arn]["title"] == old[old_arn]["title"]
            (resource,) = new[new_arn]["resources"]
            assert resource["id"] != changes.rebuilt_image
            assert resource["id"] == f"{repository}/{resource['details']['awsEcrContainerImage']['imageHash']}"
        assert not any(f["resources"][0]["id"] == changes.rebuilt_image for f in active(after))

    def test_what_was_closed_long_ago_is_forgotten(self) -> None:
        before = make()
        closed = {finding["findingArn"] for finding in before if finding["status"] == "CLOSED"}
        after, changes = evolve(before, day=1, seed=1, now=NOW + 29 * DAY)
        assert changes.removed == ()
        after, changes = evolve(after, day=2, seed=1, now=NOW + 31 * DAY)
        assert closed
        assert set(changes.removed) == closed
        assert not closed & by_arn(after).keys()

    def test_an_account_whose_inspector_is_switched_off_has_no_findings_any_more(self) -> None:
        after, changes = evolve(make(), day=1, seed=1, now=NOW + DAY, switch_off=ACCOUNTS[1])
        assert {finding["awsAccountId"] for finding in after} == {ACCOUNTS[0]}
        assert len(changes.removed) == sum(finding["awsAccountId"] == ACCOUNTS[1] for finding in make())

    def test_a_run_without_changes_only_updates_the_last_observation(self) -> None:
        quiet: dict[str, Any] = {"fixed": 0, "suppressed": 0, "new": 0, "rebuild": False}
        after, changes = evolve(make(), day=1, seed=1, now=NOW + DAY, **quiet)
        assert changes == ChangedFindings()
        assert [{**finding, "lastObservedAt": 0} for finding in after] == [{**f, "lastObservedAt": 0} for f in make()]
        assert all(finding["lastObservedAt"] == NOW + DAY for finding in active(after))

    def test_nothing_stays_nothing(self) -> None:
        assert evolve([], day=1, seed=1, now=NOW)[0] == []

    def test_a_month_of_runs_keeps_every_finding_valid(self) -> None:
        findings = make(100)
        for day in range(1, 31):
            findings, _ = evolve(findings, day=day, seed=1, now=NOW + day * DAY)
        assert len(by_arn(findings)) == len(findings)
        assert 60 <= len(active(findings)) <= 110


@pytest.mark.parametrize("compress", [True, False])
def test_findings_are_read_from_json_lines(tmp_path: Path, *, compress: bool) -> None:
    lines = "\n".join(json.dumps(finding) for finding in make(10)).encode()
    path = tmp_path / ("findings.jsonl.gz" if compress else "findings.jsonl")
    path.write_bytes(gzip.compress(lines) if compress else lines)
    assert load(path) == make(10)
