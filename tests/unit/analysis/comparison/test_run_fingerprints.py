"""A run is compared with the one before, whatever state its fingerprint file is in; what people read is held against what happened."""

import io
import itertools
import os
import random
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from findings_analysis.assessment.coverage import AccountScanning, Coverage
from findings_analysis.assessment.priorities import WORST_LISTED, Priorities, Ranked
from findings_analysis.assessment.resumption import surely_scanned
from findings_analysis.comparison import difference
from findings_analysis.comparison.arns import Arns
from findings_analysis.comparison.difference import ALL_SCANNED, Changes, NotScanned
from findings_analysis.comparison.fingerprint_format import FingerprintFile, FingerprintReader, Header, checked
from findings_analysis.comparison.fingerprints import DAY_MS
from findings_analysis.comparison.identity import exact_hashes
from findings_analysis.comparison.run_fingerprints import BaselineComparison, PartFingerprints, RunFingerprints
from findings_analysis.output import finding_details
from findings_analysis.output.listed import Listed, watched_of, worst_open
from findings_analysis.reading import schema
from findings_analysis.reading.json_report import read_json
from findings_exporter.model.taxonomy import APPEARED, NO_LONGER_OPEN
from tests.builders import daily_runs
from tests.builders.daily_runs import ACCOUNT, OTHER_ACCOUNT, TODAY, batch, finding, names_file_of
from tests.local_aws.emulator.inspector.findings import evolve, generate, load
from tests.local_aws.emulator.inspector.report_files import json_report

REAL_FINDINGS = Path(os.environ.get("REAL_FINDINGS", "tests/data/real-findings.jsonl.gz"))
NOW = datetime.fromtimestamp(TODAY * 86_400 + 10_800, UTC)
FOLDER = tempfile.TemporaryDirectory()
NUMBERS = itertools.count()


def header(number: int = 1, **scanning: dict[str, str]) -> Header:
    return Header("nightly", f"run-{number}", (NOW + timedelta(days=number)).isoformat(), "same", {}, scanning)


@dataclass
class Kept:
    """What a run left."""

    compared: BaselineComparison | None
    priorities: list[Ranked]
    keys: bytes
    open: dict[tuple[str, str], int]
    listed: Listed

    @property
    def changes(self) -> Changes:
        assert self.compared is not None
        return self.compared.changes

    @property
    def counts(self) -> dict[str, int]:
        return dict(+self.changes.counts)


def fingerprint_file(content: bytes, number: int = 1) -> FingerprintFile:
    """A fingerprint file on the disk, read through once."""
    path = Path(FOLDER.name) / f"{next(NUMBERS)}.keys"
    path.write_bytes(content)
    return checked(path, "nightly", f"run-{number}")


def live(
    batches: list[schema.Batch],
    baseline: bytes | None = None,
    off: NotScanned = ALL_SCANNED,
    days_from: Sequence[bytes] = (),
) -> Kept:
    """One run, as the workflow's function lives it."""
    file = io.BytesIO()
    arns, part, priorities = Arns(), PartFingerprints(NOW), Priorities()
    for each in batches:
        first = arns.first_of_each({schema.OWNER_COLUMN.name: [None] * len(each["finding_arn"]), **each})
        part.add(first)
        priorities.add(first.batch, first.arn_hashes)
    before = fingerprint_file(baseline) if baseline else None
    others = [fingerprint_file(each) for each in days_from]
    current = RunFingerprints(part.blocks, arns, part.open)
    worst = worst_open(priorities)
    found = current.compare(header(), file, before, others, off, watched_of(priorities, worst))
    listed = Listed.of(found, priorities, worst)
    return Kept(
        found.with_baseline, priorities.report.ranked(found.open_findings.of()), file.getvalue(), dict(current.open), listed
    )


def not_scanned(*accounts: str) -> NotScanned:
    coverage = Coverage(ACCOUNT, dict.fromkeys(accounts, AccountScanning("off")))
    scanned = surely_scanned(coverage, {}, (), NOW)
    return NotScanned(scanned.uncertain(), scanned.off())


class TestBaselines:
    ROWS = batch(finding("a"), finding("b", vulnerability_id="CVE-2", account_id=OTHER_ACCOUNT))

    def test_a_first_run_has_nothing_to_compare_with_and_leaves_a_fingerprint_file(self) -> None:
        first = live([self.ROWS])
        assert first.compared is None
        assert live([self.ROWS], first.keys).counts == {"still_open": 2}

    def test_a_run_without_findings_is_a_baseline_too(self) -> None:
        assert live([self.ROWS], live([]).keys).counts == {"new": 2}
        assert live([], live([self.ROWS]).keys).counts == {"resource_removed": 2}

    def test_an_arn_is_the_same_finding_whatever_else_changed(self) -> None:
        before = finding("a", first_observed_at=0, title="GHSA-1 - openssl", vulnerability_id="GHSA-1")
        others = {
            "vulnerability_id": "CVE-2026-9",
            "title": "CVE-2026-9 - openssl",
            "resource_name": "another/name",
            "resource_type": "AWS_EC2_INSTANCE",
            "account_id": OTHER_ACCOUNT,
            "region": "us-east-1",
            "package_names": ["openssl", "libssl"],
            "type": "CODE_VULNERABILITY",
        }
        neighbours = [finding(f"{number}", resource_name=f"r{number}", vulnerability_id=f"v{number}") for number in range(50)]
        baseline = live([batch(before, *neighbours)]).keys
        for changed in [{name: value} for name, value in others.items()] + [others]:
            after = before | changed | {"first_observed_at": TODAY * DAY_MS}
            found = live([batch(*neighbours, after)], baseline)
            assert found.counts == {"still_open": 51}, changed
            assert live([batch(*neighbours, after)], found.keys).counts == {"still_open": 51}
            (record,) = [each for block in fingerprint_file(found.keys).blocks() for each in block if each[26:28] == bytes(2)]
            assert record[16:24] == exact_hashes([before["finding_arn"]])[0], "and its first-seen day survives"

    def test_two_findings_that_change_places_stay_themselves(self) -> None:
        one, two = finding("a", vulnerability_id="v1", severity="LOW"), finding("b", vulnerability_id="v2", severity="CRITICAL")
        swapped = [one | {"vulnerability_id": "v2"}, two | {"vulnerability_id": "v1"}]
        assert live([batch(*swapped)], live([batch(one, two)]).keys).counts == {"still_open": 2}

    def test_one_that_was_not_scanned_is_rediscovered_under_another_name(self) -> None:
        kept = live([], live([self.ROWS]).keys, not_scanned(ACCOUNT, OTHER_ACCOUNT))
        back: schema.Batch = {**self.ROWS, "vulnerability_id": ["CVE-8", "CVE-9"]}
        assert live([back], kept.keys).counts == {"rediscovered": 2}

    def test_an_arn_that_stands_twice_is_one_finding(self) -> None:
        twice = batch(finding("a"), finding("a"), finding("b", vulnerability_id="CVE-2"))
        again = batch(finding("a", vulnerability_id="CVE-3", status="CLOSED"))
        arns, part = Arns(), PartFingerprints(NOW)
        first, second = arns.first_of_each(twice), arns.first_of_each(again)
        part.add(first)
        assert (first.batch["finding_arn"], second.arn_hashes) == ([daily_runs.arn("a"), daily_runs.arn("b")], [])
        assert {name: len(values) for name, values in first.batch.items()} == dict.fromkeys(
            (*schema.NAMES, schema.OWNER_COLUMN.name), 2
        )
        assert (arns.duplicates, dict(part.open)) == (2, {(ACCOUNT, "ecr"): 2})
        current = RunFingerprints(part.blocks, arns, part.open)
        found = current.compare(header(), io.BytesIO(), fingerprint_file(live([batch(finding("a"))]).keys))
        assert found.with_baseline is not None
        assert dict(+found.with_baseline.changes.counts) == {"still_open": 1, "new": 1}

    def test_a_duplicate_that_is_open_is_not_silently_taken_for_closed(self) -> None:
        arns = Arns()
        arns.first_of_each(batch(finding("a", status="CLOSED"), finding("a"), finding("b", vulnerability_id="v"), finding("b")))
        arns.first_of_each(batch(finding("a"), finding("a", status="SUPPRESSED")))
        assert (arns.duplicates, arns.reopened) == (4, 2)

    def test_what_is_closed_where_nothing_is_scanned_is_not_fixed(self) -> None:
        before = live([batch(finding("a"), finding("s", vulnerability_id="v"))]).keys
        off = not_scanned(ACCOUNT)
        deactivated = live(
            [batch(finding("a", status="CLOSED", updated_at=0), finding("s", vulnerability_id="v", status="SUPPRESSED"))],
            before,
            off,
        )
        assert deactivated.counts == {"status_unknown": 1, "suppressed": 1}
        assert live([batch(finding("a"))], deactivated.keys).counts == {"rediscovered": 1}
        assert live([], deactivated.keys, off).counts == {"status_unknown": 1}
        unknown = NotScanned(off.uncertain)
        assert live([batch(finding("a", status="CLOSED"))], before, unknown).counts == {"closed": 1, "status_unknown": 1}

    def test_first_seen_days_come_from_other_runs_too(self) -> None:
        older = live([batch(finding("x", first_observed_at=0), finding("y", vulnerability_id="CVE-2"))]).keys
        rebuilt = batch(finding("z", first_observed_at=TODAY * DAY_MS), finding("y", vulnerability_id="CVE-2", status="CLOSED"))
        for baseline in (None, live([]).keys):
            found = live([rebuilt], baseline, days_from=[live([]).keys, older])
            (records,) = fingerprint_file(found.keys).blocks()
            assert sorted(int.from_bytes(each[26:28]) for each in records) == [0, TODAY - 10]

    def test_first_seen_days_of_other_runs_follow_an_arn_whatever_else_changed(self) -> None:
        older = live(
            [batch(finding("a", first_observed_at=0, vulnerability_id="GHSA-1"), finding("b", vulnerability_id="CVE-5"))]
        ).keys
        now = batch(
            finding("a", first_observed_at=TODAY * DAY_MS, vulnerability_id="CVE-9"),
            finding("b", vulnerability_id="CVE-5", first_observed_at=TODAY * DAY_MS),
        )
        (records,) = fingerprint_file(live([now], days_from=[older]).keys).blocks()
        assert sorted(int.from_bytes(each[26:28]) for each in records) == [0, TODAY - 10]

    def test_a_disk_that_is_full_is_no_matter_of_the_baseline(self) -> None:
        class Full(io.BytesIO):
            def write(self, _: Any, /) -> int:
                raise OSError("No space left on device")

        current = RunFingerprints(PartFingerprints(NOW).blocks, Arns(), Counter())
        with pytest.raises(OSError, match="No space"):
            current.compare(header(), Full(), fingerprint_file(live([self.ROWS]).keys))


class TestSummaries:
    def test_open_findings_are_counted_by_account_and_scan_type(self) -> None:
        rows = [
            finding("a"),
            finding("b", resource_type="AWS_LAMBDA_FUNCTION", type="CODE_VULNERABILITY"),
            finding("c", account_id=OTHER_ACCOUNT),
            finding("d", account_id=OTHER_ACCOUNT, status="CLOSED"),
            finding("e", account_id=None),
        ]
        found = live([batch(*rows[:2]), batch(*rows[2:])])
        assert found.open == {(ACCOUNT, "ecr"): 1, (ACCOUNT, "lambdaCode"): 1, (OTHER_ACCOUNT, "ecr"): 1, ("", "ecr"): 1}
        reader = FingerprintReader(io.BytesIO(found.keys))
        list(reader.blocks())
        assert reader.summary is not None
        assert reader.summary.findings == 5
        assert reader.summary.open == {ACCOUNT: {"ecr": 1, "lambdaCode": 1}, OTHER_ACCOUNT: {"ecr": 1}, "": {"ecr": 1}}

    def test_what_is_not_scanned_is_remembered_with_its_account_until_someone_does(self) -> None:
        off = not_scanned(OTHER_ACCOUNT)
        here, there = finding("a"), finding("b", account_id=OTHER_ACCOUNT)
        kept = live([batch(here, there)])
        for _ in range(3):
            kept = live([batch(here)], kept.keys, off)
            assert kept.counts == {"still_open": 1, "status_unknown": 1}
            reader = FingerprintReader(io.BytesIO(kept.keys))
            assert sum(map(len, reader.blocks())) == 2
            assert reader.summary is not None
            assert reader.summary.status_unknown == {OTHER_ACCOUNT: {"ecr": 1}}
            assert reader.summary.open == {ACCOUNT: {"ecr": 1}}
        assert live([batch(here, there)], kept.keys).counts == {"still_open": 1, "rediscovered": 1}

    def test_resources_are_counted_for_what_to_fix_first(self) -> None:
        rows = [finding(f"{number}", resource_name=f"r{number % 5}", vulnerability_id="CVE-1") for number in range(10)]
        for baseline in (None, live([]).keys):
            (entry,) = live([batch(*rows)], baseline).priorities
            assert (entry.name, entry.resources) == ("CVE-1", 5)


class TestNames:
    def test_so_few_are_wanted_that_they_fit_into_memory(self) -> None:
        rows = [finding(f"{number}", vulnerability_id=f"v{number}") for number in range(1_000)]
        listed = live([batch(*rows)], live([]).keys).listed
        assert len(listed.current) <= difference.CHANGES_LISTED + WORST_LISTED


def batches_of(findings: list[dict[str, Any]]) -> list[schema.Batch]:
    return list(read_json(io.BytesIO(json_report(findings))))


class TestRunsOfTheEmbeddedInspector:
    """Findings that change as the embedded Inspector lets them, read by the report's own reader."""

    CLOCK = TODAY * 86_400.0
    ALL = frozenset({"ACTIVE", "SUPPRESSED", "CLOSED"})

    def daily_runs(self, seed: int, statuses: frozenset[str]) -> tuple[list[Kept], list[Any], list[list[dict[str, Any]]]]:
        found = generate(300, seed=seed, now=self.CLOCK, accounts=(ACCOUNT, OTHER_ACCOUNT), region="eu-west-1")
        kept, result, reports = [live(batches_of(self.of(found, statuses)))], [], [found]
        for number in range(1, 4):
            found, happened = evolve(found, day=number, seed=seed, now=self.CLOCK + 86_400 * number, fixed=0.03, suppressed=0.02)
            kept.append(live(batches_of(self.of(found, statuses)), kept[-1].keys))
            result.append(happened)
            reports.append(found)
        return kept, result, reports

    @staticmethod
    def of(found: list[dict[str, Any]], statuses: frozenset[str]) -> list[dict[str, Any]]:
        return [each for each in found if each["status"] in statuses]

    @pytest.mark.parametrize("seed", range(3))
    def test_with_all_statuses_the_kinds_are_exact(self, seed: int) -> None:
        kept, result, _ = self.daily_runs(seed, self.ALL)
        for run_result, happened in zip(kept[1:], result, strict=True):
            counts = run_result.changes.counts
            assert counts["unchanged_new_arn"] == len(happened.new_arn)
            # A copy of the same vulnerability may be open in another image, or come back where another was closed.
            assert counts["closed"] + counts["one_fewer_resource"] == len(happened.fixed)
            assert counts["suppressed"] == len(happened.suppressed)
            assert counts["new"] + counts["additional_resource"] + counts["reopened"] == len(happened.new)
            assert counts["resource_removed"] == counts["no_longer_reported"] == counts["status_unknown"] == 0

    def test_with_active_findings_only_the_sums_are_right(self) -> None:
        kept, result, reports = self.daily_runs(7, frozenset({"ACTIVE"}))
        for number, (run_result, happened) in enumerate(zip(kept[1:], result, strict=True), 1):
            counts = run_result.changes.counts
            no_longer_open = sum(counts[kind] for kind in NO_LONGER_OPEN)
            assert counts["closed"] == counts["suppressed"] == 0
            assert no_longer_open == len(happened.fixed) + len(happened.suppressed)
            assert counts["unchanged_new_arn"] == len(happened.new_arn)
            active = len(self.of(reports[number], frozenset({"ACTIVE"})))
            assert sum(run_result.open.values()) == active

    def test_first_seen_days_survive_the_rebuilds(self) -> None:
        kept, result, reports = self.daily_runs(11, self.ALL)
        first = {each["findingArn"]: each["firstObservedAt"] // 86_400 for report in reports for each in report}
        rebuilt = {new: old for happened in result for old, new in happened.new_arn.items()}
        listed = [change for run_result in kept[1:] for change in run_result.changes.listed("unchanged_new_arn")]
        names = finding_details.find(names_file_of(batches_of([each for report in reports for each in report])), frozenset(
            change.current[16:24] for change in listed
        ))  # fmt: skip
        assert listed
        for change in listed:
            arn = names[change.current[16:24]]["finding_arn"]
            while arn in rebuilt:
                arn = rebuilt[arn]
            assert int.from_bytes(change.current[26:28]) <= first[arn] < TODAY

    def test_findings_of_a_deactivated_account_are_not_called_closed(self) -> None:
        found = generate(200, seed=5, now=self.CLOCK, accounts=(ACCOUNT, OTHER_ACCOUNT), region="eu-west-1")
        before = live(batches_of(self.of(found, frozenset({"ACTIVE"}))))
        later, _ = evolve(
            found, day=1, seed=5, now=self.CLOCK + 86_400, new=0, fixed=0, suppressed=0, rebuild=False, switch_off=OTHER_ACCOUNT
        )
        off = not_scanned(OTHER_ACCOUNT)
        after = live(batches_of(self.of(later, frozenset({"ACTIVE"}))), before.keys, off)
        lost = sum(count for (account, _), count in before.open.items() if account == OTHER_ACCOUNT)
        assert after.changes.counts["status_unknown"] == lost > 0
        assert sum(after.changes.counts[kind] for kind in NO_LONGER_OPEN) == 0


@pytest.mark.skipif(not REAL_FINDINGS.exists(), reason="REAL_FINDINGS names no file of real findings")
def test_real_findings_are_compared_as_their_raw_json_says() -> None:
    before = load(REAL_FINDINGS)
    dice = random.Random(1)
    repository = next(each["resources"][0] for each in before if each["resources"][0]["type"] == "AWS_ECR_CONTAINER_IMAGE")
    after = []
    for each in before:
        resource = each["resources"][0]
        if resource["id"] == repository["id"]:
            image = {**resource, "id": f"{resource['id'].rsplit(':', 1)[0]}:{'f' * 64}"}
            after.append({**each, "findingArn": each["findingArn"][:-32] + f"{dice.getrandbits(128):032x}", "resources": [image]})
        elif dice.random() < 0.9:
            after.append(each)
    dice.shuffle(after)

    def is_open(each: dict[str, Any]) -> bool:
        return bool(each["status"] == "ACTIVE")

    arns = {each["findingArn"] for each in before if is_open(each)}, {each["findingArn"] for each in after if is_open(each)}
    rebuilt = sum(is_open(each) and each["resources"][0]["id"] == repository["id"] for each in before)
    found = live(batches_of(after), live(batches_of(before)).keys)
    counts = found.changes.counts
    assert rebuilt > 0
    assert counts["unchanged_new_arn"] == rebuilt
    assert counts["still_open"] == len(arns[0] & arns[1])
    assert sum(counts[kind] for kind in NO_LONGER_OPEN) == len(arns[0] - arns[1]) - rebuilt
    assert sum(counts[kind] for kind in APPEARED) == 0
    of_baseline, of_current = found.listed.baseline, found.listed.current
    names = {
        **finding_details.find(names_file_of(batches_of(before)), of_baseline),
        **finding_details.find(names_file_of(batches_of(after)), of_current),
    }
    assert len(names) == len(of_baseline | of_current)
    assert all(each["resource_name"] and each["title"] for each in names.values())
    assert names[found.priorities[0].worst]["severity"] == "CRITICAL"


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.sampled_from(["read", "lost", "filter changed"]), min_size=2, max_size=6))
def test_a_line_of_runs_goes_on_after_every_loss(seed: int, fates: list[str]) -> None:
    """First-seen days reach back to the last run of which no fingerprint file was left; a changed filter loses none."""
    dice = random.Random(seed)
    keys, first_run = b"", 0
    for number, fate in enumerate(fates):
        current = batch(finding(f"{number}-{dice.random()}", first_observed_at=(TODAY + number) * DAY_MS))
        found = live([current], keys if fate == "read" else None, days_from=[keys] if keys and fate == "filter changed" else [])
        if not keys or fate == "lost":
            first_run = number
        if keys and fate == "read":
            assert found.counts == {"unchanged_new_arn": 1}
        (records,) = FingerprintReader(io.BytesIO(found.keys)).blocks()
        assert int.from_bytes(records[0][26:28]) == TODAY + first_run
        keys = found.keys
