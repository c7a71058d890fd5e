"""A night is compared with the one before, whatever state its key file is in; what people read is held against what happened."""

import io
import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ResponseStreamingError
from hypothesis import given, settings
from hypothesis import strategies as st

from findings_digest import changes, columns, naming, night
from findings_digest.changes import Changes
from findings_digest.coverage import AccountScanning, Coverage
from findings_digest.json_report import read_json
from findings_digest.keys import Header, KeyReader
from findings_digest.night import Night, Told
from findings_digest.records import DAY_MS
from tests.local_aws.emulator.inspector.findings import evolve, generate, load
from tests.local_aws.emulator.inspector.report_files import json_report
from tests.unit import nights
from tests.unit.nights import ACCOUNT, OTHER_ACCOUNT, TODAY, batch, finding

REAL_FINDINGS = Path(os.environ.get("REAL_FINDINGS", "tests/data/real-findings.jsonl.gz"))
NOW = datetime.fromtimestamp(TODAY * 86_400 + 10_800, UTC)


def header(number: int = 1, **scanning: dict[str, str]) -> Header:
    return Header("nightly", f"night-{number}", (NOW + timedelta(days=number)).isoformat(), "same", {}, scanning)


@dataclass
class Kept:
    """What a night told, and its key file."""

    told: Told
    keys: bytes
    open: dict[tuple[str, str], int]

    @property
    def changes(self) -> Changes:
        assert self.told.compared is not None
        return self.told.compared.changes

    @property
    def counts(self) -> dict[str, int]:
        return dict(+self.changes.counts)


def live(
    batches: list[columns.Batch], baseline: bytes | Callable[[], Any] | None = None, off: frozenset[bytes] = frozenset()
) -> Kept:
    """One night, as the workflow's function lives it."""
    file = io.BytesIO()
    opened = (lambda: io.BytesIO(baseline)) if isinstance(baseline, bytes) else baseline
    with Night(NOW) as tonight:
        for each in batches:
            tonight.add(each)
        told = tonight.compare(header(), file, opened, off)
        return Kept(told, file.getvalue(), dict(tonight.open))


def no_such_key() -> Any:
    raise ClientError({"Error": {"Code": "NoSuchKey", "Message": "The specified key does not exist."}}, "GetObject")


class Breaking(io.BytesIO):
    """The body of an answer that breaks off."""

    def __init__(self, content: bytes, error: Exception) -> None:
        super().__init__(content)
        self.error = error

    def read(self, size: int | None = -1, /) -> bytes:
        piece = super().read(size)
        if not piece:
            raise self.error
        return piece


class TestBaselines:
    ROWS = batch(finding("a"), finding("b", vulnerability_id="CVE-2", account_id=OTHER_ACCOUNT))

    def test_a_first_night_has_nothing_to_compare_with_and_leaves_a_key_file(self) -> None:
        first = live([self.ROWS])
        assert (first.told.compared, first.told.unreadable) == (None, None)
        assert live([self.ROWS], first.keys).counts == {"still_open": 2}

    def test_a_night_without_findings_is_a_baseline_too(self) -> None:
        assert live([self.ROWS], live([]).keys).counts == {"new": 2}
        assert live([], live([self.ROWS]).keys).counts == {"resource_gone": 2}

    @pytest.mark.parametrize(
        ("damaged", "why"),
        [
            (lambda content: content[:-20], "truncated"),
            (lambda content: content[:40] + b"?" + content[41:], "damaged"),
            (lambda _: b"not a key file at all", "no key file"),
            (lambda _: b"", "truncated at its first bytes"),
        ],
    )
    def test_a_damaged_one_is_told_and_tonights_key_file_is_as_without(self, damaged: Callable[[bytes], bytes], why: str) -> None:
        before = live([batch(finding("z", first_observed_at=0))]).keys
        found = live([self.ROWS], damaged(before))
        assert found.told.compared is None
        assert why in str(found.told.unreadable)
        assert found.keys == live([self.ROWS]).keys

    @pytest.mark.parametrize("error", [ResponseStreamingError(error="reset by peer"), OSError("read failed"), OSError()])
    def test_one_that_breaks_off_in_the_midst_is_told_and_nothing_of_it_stays(self, error: Exception) -> None:
        before = live([batch(*(finding(f"{number}", resource_name=f"r{number}") for number in range(300)))]).keys
        found = live([self.ROWS], lambda: Breaking(before[:2_000], error))
        assert found.told.compared is None
        assert found.told.unreadable in {str(error), "OSError"}
        assert found.keys == live([self.ROWS]).keys

    def test_one_that_is_not_there_any_more_is_told(self) -> None:
        found = live([self.ROWS], no_such_key)
        assert "The specified key does not exist." in str(found.told.unreadable)

    def test_a_disk_that_is_full_is_no_matter_of_the_baseline(self) -> None:
        class Full(io.BytesIO):
            def write(self, _: Any, /) -> int:
                raise OSError("No space left on device")

        with Night(NOW) as tonight, pytest.raises(OSError, match="No space"):
            tonight.compare(header(), Full(), lambda: io.BytesIO(live([self.ROWS]).keys))


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
        reader = KeyReader(io.BytesIO(found.keys))
        list(reader.blocks())
        assert reader.summary is not None
        assert reader.summary.findings == 5
        assert reader.summary.open == {ACCOUNT: {"ecr": 1, "lambdaCode": 1}, OTHER_ACCOUNT: {"ecr": 1}, "": {"ecr": 1}}

    def test_what_nobody_looks_at_is_remembered_with_its_account_until_somebody_does(self) -> None:
        off = Coverage(ACCOUNT, {OTHER_ACCOUNT: AccountScanning("off")}).off()
        here, there = finding("a"), finding("b", account_id=OTHER_ACCOUNT)
        kept = live([batch(here, there)])
        for _ in range(3):
            kept = live([batch(here)], kept.keys, off)
            assert kept.counts == {"still_open": 1, "not_looked_at": 1}
            reader = KeyReader(io.BytesIO(kept.keys))
            assert sum(map(len, reader.blocks())) == 2
            assert reader.summary is not None
            assert reader.summary.not_looked_at == {OTHER_ACCOUNT: {"ecr": 1}}
            assert reader.summary.open == {ACCOUNT: {"ecr": 1}}
        assert live([batch(here, there)], kept.keys).counts == {"still_open": 1, "seen_again": 1}

    def test_resources_are_counted_for_what_to_fix_first(self) -> None:
        rows = [finding(f"{number}", resource_name=f"r{number % 5}", vulnerability_id="CVE-1") for number in range(10)]
        for baseline in (None, live([]).keys):
            (entry,) = live([batch(*rows)], baseline).told.fix_first
            assert (entry["vulnerability_id"], entry["resources"]) == ("CVE-1", 5)

    def test_the_columns_that_it_says_it_reads_are_enough(self) -> None:
        rows = batch(finding("a", status="CLOSED", updated_at=0), finding("b"))
        assert live([{name: rows[name] for name in night.READ}]).keys == live([rows]).keys


class TestNames:
    def test_only_what_is_listed_is_looked_for_and_the_pass_ends_when_all_is_found(self) -> None:
        before, after = [finding("a")], [finding("b"), finding("c", vulnerability_id="CVE-2", severity="LOW")]
        found = live([batch(*after)], live([batch(*before)]).keys)
        of_baseline, of_tonight = naming.wanted(found.changes)
        passes = iter([batch(*after), {}])  # a second batch would be refused
        names = naming.find(passes, of_tonight)
        assert sorted(each["finding_arn"] for each in names.values()) == [nights.arn("b"), nights.arn("c")]
        assert set(next(iter(names.values()))) == set(naming.NAMED)
        assert [each["finding_arn"] for each in naming.find([batch(*before)], of_baseline).values()] == [nights.arn("a")]

    def test_what_is_not_there_is_left_out(self) -> None:
        assert naming.find([batch(finding("a"))], frozenset({b"another"})) == {}
        assert naming.find([], frozenset({b"another"})) == {}

    def test_so_few_are_wanted_that_they_fit_into_memory(self) -> None:
        rows = [finding(f"{number}", vulnerability_id=f"v{number}") for number in range(1_000)]
        _, of_tonight = naming.wanted(live([batch(*rows)], live([]).keys).changes)
        assert len(of_tonight) == changes.LISTED


def batches_of(findings: list[dict[str, Any]]) -> list[columns.Batch]:
    return list(read_json(io.BytesIO(json_report(findings))))


class TestNightsOfTheEmbeddedInspector:
    """Findings that change as the embedded Inspector lets them, read by the report's own reader."""

    CLOCK = TODAY * 86_400.0
    ALL = frozenset({"ACTIVE", "SUPPRESSED", "CLOSED"})

    def nights(self, seed: int, statuses: frozenset[str]) -> tuple[list[Kept], list[Any], list[list[dict[str, Any]]]]:
        found = generate(300, seed=seed, now=self.CLOCK, accounts=(ACCOUNT, OTHER_ACCOUNT), region="eu-west-1")
        kept, told, reports = [live(batches_of(self.of(found, statuses)))], [], [found]
        for number in range(1, 4):
            found, happened = evolve(
                found, night=number, seed=seed, now=self.CLOCK + 86_400 * number, fixed=0.03, suppressed=0.02
            )
            kept.append(live(batches_of(self.of(found, statuses)), kept[-1].keys))
            told.append(happened)
            reports.append(found)
        return kept, told, reports

    @staticmethod
    def of(found: list[dict[str, Any]], statuses: frozenset[str]) -> list[dict[str, Any]]:
        return [each for each in found if each["status"] in statuses]

    @pytest.mark.parametrize("seed", range(3))
    def test_with_all_statuses_the_kinds_are_exact(self, seed: int) -> None:
        kept, told, _ = self.nights(seed, self.ALL)
        for night_told, happened in zip(kept[1:], told, strict=True):
            counts = night_told.changes.counts
            assert counts["reissued"] == len(happened.reissued)
            # A copy of the same vulnerability may be open in another image, or come back where another was closed.
            assert counts["closed"] + counts["copy_gone"] == len(happened.fixed)
            assert counts["suppressed"] == len(happened.suppressed)
            assert counts["new"] + counts["another_copy"] + counts["reopened"] == len(happened.new)
            assert counts["resource_gone"] == counts["no_longer_reported"] == counts["not_looked_at"] == 0

    def test_with_active_findings_only_the_sums_are_right(self) -> None:
        kept, told, reports = self.nights(7, frozenset({"ACTIVE"}))
        for number, (night_told, happened) in enumerate(zip(kept[1:], told, strict=True), 1):
            counts = night_told.changes.counts
            gone = sum(counts[kind] for kind in changes.GONE)
            assert counts["closed"] == counts["suppressed"] == 0
            assert gone == len(happened.fixed) + len(happened.suppressed)
            assert counts["reissued"] == len(happened.reissued)
            active = len(self.of(reports[number], frozenset({"ACTIVE"})))
            assert sum(night_told.open.values()) == active

    def test_first_seen_days_survive_the_rebuilds(self) -> None:
        kept, told, reports = self.nights(11, self.ALL)
        first = {each["findingArn"]: each["firstObservedAt"] // 86_400 for report in reports for each in report}
        rebuilt = {new: old for happened in told for old, new in happened.reissued.items()}
        listed = [change for night_told in kept[1:] for change in night_told.changes.listed("reissued")]
        names = naming.find(batches_of([each for report in reports for each in report]), frozenset(
            change.tonight[16:24] for change in listed
        ))  # fmt: skip
        assert listed
        for change in listed:
            arn = names[change.tonight[16:24]]["finding_arn"]
            while arn in rebuilt:
                arn = rebuilt[arn]
            assert int.from_bytes(change.tonight[26:28]) <= first[arn] < TODAY

    def test_an_account_that_was_switched_off_is_not_looked_at(self) -> None:
        found = generate(200, seed=5, now=self.CLOCK, accounts=(ACCOUNT, OTHER_ACCOUNT), region="eu-west-1")
        before = live(batches_of(self.of(found, frozenset({"ACTIVE"}))))
        later, _ = evolve(
            found, night=1, seed=5, now=self.CLOCK + 86_400, new=0, fixed=0, suppressed=0, rebuild=False, switch_off=OTHER_ACCOUNT
        )
        off = Coverage(ACCOUNT, {OTHER_ACCOUNT: AccountScanning("off")}).off()
        after = live(batches_of(self.of(later, frozenset({"ACTIVE"}))), before.keys, off)
        lost = sum(count for (account, _), count in before.open.items() if account == OTHER_ACCOUNT)
        assert after.changes.counts["not_looked_at"] == lost > 0
        assert sum(after.changes.counts[kind] for kind in changes.GONE) == 0


@pytest.mark.skipif(not REAL_FINDINGS.exists(), reason="REAL_FINDINGS names no file of real findings")
def test_real_findings_are_compared_as_their_raw_json_tells_it() -> None:
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
    assert counts["reissued"] == rebuilt
    assert counts["still_open"] == len(arns[0] & arns[1])
    assert sum(counts[kind] for kind in changes.GONE) == len(arns[0] - arns[1]) - rebuilt
    assert sum(counts[kind] for kind in changes.APPEARED) == 0
    of_baseline, of_tonight = naming.wanted(found.changes)
    names = naming.find(batches_of(before), of_baseline) | naming.find(batches_of(after), of_tonight)
    assert len(names) == len(of_baseline | of_tonight)
    assert all(each["resource_name"] and each["title"] for each in names.values())
    assert found.told.fix_first[0]["severity"] == "CRITICAL"


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.sampled_from(["read", "lost", "truncated", "filter changed"]), min_size=2, max_size=6))
def test_a_line_of_nights_goes_on_after_every_loss(seed: int, fates: list[str]) -> None:
    """First-seen days reach back to the last night whose key file was lost, and no farther."""
    dice = random.Random(seed)
    keys, first_night = b"", 0
    for number, fate in enumerate(fates):
        tonight = batch(finding(f"{number}-{dice.random()}", first_observed_at=(TODAY + number) * DAY_MS))
        baseline: bytes | Callable[[], Any] | None = keys or None
        if fate == "lost":
            baseline = no_such_key
        elif fate == "truncated" and keys:
            baseline = keys[: dice.randrange(len(keys))]
        elif fate == "filter changed":
            baseline = None
        found = live([tonight], baseline)
        if found.told.compared is None:
            first_night = number
        else:
            assert found.counts == {"reissued": 1}
        (records,) = KeyReader(io.BytesIO(found.keys)).blocks()
        assert int.from_bytes(records[0][26:28]) == TODAY + first_night
        keys = found.keys
