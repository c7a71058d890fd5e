"""The analysis keeps its schema, and says in words what numbers cannot."""

import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from findings_analysis.assessment.coverage import AccountScanning, Coverage, Scanning, TypeCoverage
from findings_analysis.assessment.coverage_status import assess
from findings_analysis.assessment.priorities import Priorities
from findings_analysis.assessment.resumption import surely_scanned
from findings_analysis.assessment.statistics import Statistics
from findings_analysis.comparison.arns import Arns
from findings_analysis.comparison.baseline import EarlierRun, NoBaseline, NoBaselineReason, StoredFile
from findings_analysis.comparison.difference import NotScanned
from findings_analysis.comparison.due import DueDates
from findings_analysis.comparison.fingerprint_format import Header
from findings_analysis.comparison.fingerprints import DAY_MS
from findings_analysis.comparison.identity import owner_hash
from findings_analysis.comparison.run_fingerprints import PartFingerprints, RunFingerprints
from findings_analysis.output import finding_details
from findings_analysis.output.document import AnalysisResults, AnalyzedReport, assemble, statuses_asked
from findings_analysis.output.entries import Entries
from findings_analysis.output.listed import Listed, watched_of, worst_open
from findings_analysis.output.owned import Owned
from findings_exporter.model.taxonomy import KINDS, LISTED_KINDS, SCAN_TYPES, SEVERITIES
from tests.builders.daily_runs import ACCOUNT, OTHER_ACCOUNT, REGION, TODAY, arn, batch, finding, names_file
from tests.unit.analysis.comparison.test_run_fingerprints import NOW, fingerprint_file

SCHEMA = json.loads(Path("docs/analysis.schema.json").read_text(encoding="utf-8"))
DOCUMENT = Path("docs/analysis.md").read_text(encoding="utf-8")
EVERY_STATUS = {"findingStatus": [{"comparison": "EQUALS", "value": each} for each in ("ACTIVE", "SUPPRESSED", "CLOSED")]}
BASELINE = EarlierRun(
    "run-0", NOW - timedelta(days=1), "h", True, True, "JSON", "findings", "reports/r.json",
    StoredFile("k", "e1"), StoredFile("n", "e2"),
)  # fmt: skip
NONE = NoBaseline("first_run", "This is the first one.")
ALL_ON: dict[str, Scanning] = dict.fromkeys(SCAN_TYPES, "on")
ON = Coverage(
    ACCOUNT,
    {ACCOUNT: AccountScanning("on", ALL_ON), OTHER_ACCOUNT: AccountScanning("on", ALL_ON)},
    7,
    0,
    {"AWS_EC2_INSTANCE": TypeCoverage(7)},
)


def report(**fields: Any) -> AnalyzedReport:
    values: dict[str, Any] = {
        "name": "nightly",
        "format": "JSON",
        "execution": "run-1",
        "started_at": NOW,
        "account": ACCOUNT,
        "region": REGION,
        "filter_hash": "0123456789abcdef",
        "filter_criteria": EVERY_STATUS,
        "bucket": "findings",
        "key": "reports/r.json",
    }
    return AnalyzedReport(**values | fields)


def analysis(
    current: list[dict[str, Any]],
    before: list[dict[str, Any]] | None = None,
    *,
    coverage: Coverage = ON,
    baseline: EarlierRun | NoBaseline = BASELINE,
    criteria_before: dict[str, Any] | None = None,
    named: bool = True,
    due_dates: DueDates | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """The analysis of a run, made as the workflow's function makes it, and held against the schema."""
    of = report(**fields)
    written, counts = io.BytesIO(), Statistics(int(NOW.timestamp() * 1000))
    keys_before = None
    if before is not None:
        part = PartFingerprints(NOW - timedelta(days=1))
        part.add(Arns().first_of_each(batch(*before)))
        owners_before = owners_in(before)
        header = Header("nightly", "run-0", "", "h", criteria_before or dict(of.filter_criteria), {})
        RunFingerprints(part.blocks, Arns(), part.open, owners_before).compare(header, written)
        keys_before = written.getvalue()
    scanned = surely_scanned(coverage, {}, (), NOW)
    arns, priorities = Arns(), Priorities()
    part = PartFingerprints(NOW)
    first = arns.first_of_each(batch(*current))
    part.add(first)
    priorities.add(first.batch, first.arn_hashes)
    counts.add(first.batch)
    owners = owners_in(current)
    fingerprints = RunFingerprints(part.blocks, arns, part.open, owners)
    worst = worst_open(priorities)
    file_before = fingerprint_file(keys_before, 0) if keys_before is not None else None
    comparison = fingerprints.compare(
        Header("nightly", "run-1", "", "h", of.filter_criteria, scanned.states),
        io.BytesIO(),
        file_before,
        not_scanned=NotScanned(scanned.uncertain(), scanned.off()),
        watched=replace(watched_of(priorities, worst), due_dates=due_dates),
    )
    compared = comparison.with_baseline
    listed = Listed.of(comparison, priorities, worst)
    names: dict[bytes, Any] = {}
    if named:
        names = {
            **finding_details.find(names_file(*(before or [])), listed.baseline),
            **finding_details.find(names_file(*current), listed.current),
        }
    known = file_before.summary.owners if file_before else None
    owner_names = {bytes.fromhex(each): name for each, name in (known or {}).items()}
    owner_names |= {owner_hash(owner): owner for owner in owners or ()}
    entries = Entries(names, NOW, owner_names if owners is not None else None, due_dates)
    changes = compared.changes if compared else None
    of_owners = counts.by_owner()
    owned = Owned(of_owners, priorities, changes, comparison.open_findings, entries, owner_names) if owners is not None else None
    coverage_status = assess(fingerprints.open, coverage, (compared.header, compared.summary) if compared else None)
    results = AnalysisResults(
        counts=counts.to_dict(),
        baseline=baseline if before is not None else NONE,
        compared=compared,
        entries=entries,
        coverage_status=coverage_status,
        priorities=priorities,
        open_findings=comparison.open_findings,
        owned=owned,
        open_accounts=frozenset(account for account, _ in fingerprints.open),
    )
    made = assemble(of, results)
    check(made)
    return made


def owners_in(rows: list[dict[str, Any]]) -> frozenset[str] | None:
    """The owners of rows; None where none has any."""
    return frozenset(row["owner"] for row in rows if row["owner"]) or None


def check(made: dict[str, Any]) -> None:
    stored = json.loads(json.dumps(made))
    Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(stored)
    assert stored == made, "an analysis is the same after it was stored"


def text(made: dict[str, Any]) -> str:
    return " ".join(made["sentences"])


class TestSchema:
    def test_it_describes_and_requires_every_field_and_allows_no_other(self) -> None:
        Draft202012Validator.check_schema(SCHEMA)
        for each in objects(SCHEMA):
            assert all("description" in field for field in each["properties"].values())
            if "by_severity" not in each["properties"] or "total" not in each["properties"]:  # counts stay open for more
                assert each["additionalProperties"] is False
                assert list(each["required"]) == list(each["properties"])

    def test_it_knows_the_kinds_scan_types_and_severities_of_the_code(self) -> None:
        result = SCHEMA["properties"]["changes"]["oneOf"][1]["properties"]
        assert set(result["counts"]["properties"]) == {*KINDS, "appeared", "no_longer_open"}
        assert set(result["lists"]["properties"]) == set(result["by_severity"]["properties"]) == set(LISTED_KINDS)
        coverage_status = SCHEMA["properties"]["coverage_status"]["properties"]["deactivated"]["additionalProperties"]["items"][
            "enum"
        ]
        assert coverage_status == list(SCAN_TYPES)
        assert SCHEMA["$defs"]["listed"]["properties"]["severity"]["enum"] == list(SEVERITIES)

    def test_the_document_explains_every_kind_and_every_reason(self) -> None:
        explained = set(re.findall(r"`([a-z_]+)`", DOCUMENT))
        reasons: tuple[NoBaselineReason, ...] = ("first_run", "filter_changed", "first_notified", "no_analysis", "unreadable")
        assert {*KINDS, *reasons} <= explained
        assert set(SCHEMA["properties"]["no_baseline"]["enum"]) == {*reasons, None}


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    """Every object of a schema that names its fields."""
    if isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
            yield schema
        for value in schema.values():
            yield from objects(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from objects(value)


class TestFirstRun:
    def test_it_has_counts_and_no_changes_and_says_why(self) -> None:
        made = analysis([finding("a"), finding("b", vulnerability_id="CVE-2", status="CLOSED")])
        assert (made["baseline"], made["changes"], made["no_baseline"]) == (None, None, "first_run")
        assert (made["statistics"]["total"], made["statistics"]["by_status"]) == (2, {"ACTIVE": 1, "CLOSED": 1})
        assert made["sentences"] == ["This is the first one."]
        assert [entry["vulnerability_id"] for entry in made["fix_first"]] == ["CVE-2026-1"]

    def test_a_run_without_findings_has_an_analysis_too(self) -> None:
        made = analysis([], key=None)
        assert (made["statistics"]["total"], made["fix_first"], made["report"]["key"]) == (0, [], None)
        assert "The report has no open findings. Scanning is active" in text(made)

    def test_it_names_the_baseline_and_its_age(self) -> None:
        assert analysis([finding("a")], [finding("a")])["baseline"] == {
            "execution": "run-0",
            "started_at": (NOW - timedelta(days=1)).isoformat(),
            "age_seconds": 86_400,
            "age": "24 hours",
            "format": "JSON",
            "key": "reports/r.json",
        }

    def test_an_unchanged_finding_is_listed_with_both_arns_and_its_first_day(self) -> None:
        made = analysis(
            [finding("b", severity="CRITICAL", fix_available="YES", package_names=["openssl", None])],
            [finding("a", first_observed_at=(TODAY - 100) * DAY_MS, package_names=["openssl"])],
        )
        expected = {
            "finding_arn": arn("b"),
            "previous_finding_arn": arn("a"),
            "title": "CVE-2026-1 - openssl",
            "vulnerability_id": "CVE-2026-1",
            "packages": [{"name": "openssl", "installed_version": None, "fixed_version": None}],
            "account_id": ACCOUNT,
            "region": REGION,
            "resource_type": "AWS_ECR_CONTAINER_IMAGE",
            "resource": "shop/cart",
            "resource_id": f"arn:aws:ecr:eu-central-1:{ACCOUNT}:repository/shop/cart/sha256:{'b':0>64}",
            "severity": "CRITICAL",
            "previous_severity": "HIGH",
            "exploit_available": False,
            "fix_available": "YES",
            "first_seen": "2026-08-15",
            "days_open": 100,
            "owner": None,
            "previous_owner": None,
            "due_on": None,
        }
        assert made["changes"]["lists"]["unchanged_new_arn"] == [expected]
        for kind in ("severity_raised", "fix_became_available"):
            assert made["changes"]["lists"][kind] == [expected | {"previous_finding_arn": None}]

    def test_a_no_longer_open_finding_has_its_name_from_the_baseline(self) -> None:
        made = analysis([], [finding("a", resource_name=None)])
        (no_longer_open,) = made["changes"]["lists"]["resource_removed"]
        assert (no_longer_open["finding_arn"], no_longer_open["previous_severity"], no_longer_open["days_open"]) == (
            arn("a"),
            None,
            10,
        )
        assert no_longer_open["resource"].startswith("arn:aws:ecr")

    def test_an_additional_resource_has_the_first_day_of_the_first_one(self) -> None:
        old = finding("a", first_observed_at=(TODAY - 50) * DAY_MS)
        made = analysis([old, finding("b", first_observed_at=TODAY * DAY_MS)], [old])
        assert [each["days_open"] for each in made["changes"]["lists"]["additional_resource"]] == [50]

    def test_counts_and_sums_and_severities_and_accounts(self) -> None:
        stays = finding("s", vulnerability_id="CVE-0")
        made = analysis(
            [
                stays,
                finding("n", severity="LOW", vulnerability_id="CVE-N", account_id=OTHER_ACCOUNT),
                finding("c", status="CLOSED"),
            ],
            [stays, finding("c")],
        )["changes"]
        assert {kind: count for kind, count in made["counts"].items() if count} == {
            "still_open": 1, "new": 1, "closed": 1, "appeared": 1, "no_longer_open": 1,
        }  # fmt: skip
        assert (made["by_severity"]["new"], made["by_severity"]["closed"]) == ({"LOW": 1}, {"HIGH": 1})
        assert made["by_account"] == {
            ACCOUNT: {"appeared": 0, "no_longer_open": 1, "status_unknown": 0},
            OTHER_ACCOUNT: {"appeared": 1, "no_longer_open": 0, "status_unknown": 0},
        }

    def test_mean_days_to_close_are_given_where_something_was_closed(self) -> None:
        first = [(TODAY - 9) * DAY_MS, (TODAY - 4) * DAY_MS]
        before = [finding(f"{at}", vulnerability_id=f"{at}", first_observed_at=at) for at in first]
        after = [each | {"status": "CLOSED", "updated_at": TODAY * DAY_MS} for each in before]
        assert analysis(after, before)["changes"]["mean_days_to_close"] == 6.5
        assert analysis(before, before)["changes"]["mean_days_to_close"] is None

    def test_thousands_of_changes_stay_a_list_that_a_page_can_hold(self) -> None:
        rows = [finding(f"{number}", vulnerability_id=f"v{number}", resource_name=f"r{number}") for number in range(3_000)]
        made = analysis(rows, [])
        assert made["changes"]["counts"]["new"] == 3_000
        assert len(made["changes"]["lists"]["new"]) == made["changes"]["listed_at_most"] == 300
        assert len(json.dumps(made)) < 256 << 10


class TestSentences:
    def test_active_findings_alone_leave_open_why_one_is_missing(self) -> None:
        made = analysis([], [finding("a")], filter_criteria={})
        assert made["report"]["statuses"] == ["ACTIVE"]
        assert "does not include closed or suppressed findings" in text(made)

    def test_a_filter_that_asks_for_closed_ones_leaves_less_open(self) -> None:
        closed_too = {"findingStatus": EVERY_STATUS["findingStatus"][::2]}
        assert "does not include suppressed findings" in text(analysis([], [finding("a")], filter_criteria=closed_too))

    def test_with_every_status_no_limitation_is_noted(self) -> None:
        assert analysis([finding("a")], [finding("a")])["sentences"] == []

    def test_a_window_that_moves_is_named_as_such(self) -> None:
        def window(start: float) -> dict[str, Any]:
            return EVERY_STATUS | {"firstObservedAt": [{"startInclusive": start, "endInclusive": start + 604_800}]}

        moved = analysis([finding("a")], [finding("a")], filter_criteria=window(86_400.0), criteria_before=window(0.0))
        assert "no longer open includes what left the window" in text(moved)
        assert analysis([finding("a")], [finding("a")], filter_criteria=window(0), criteria_before=window(0.0))["sentences"] == []

    def test_a_lost_account_is_named_first_and_its_findings_are_neither_no_longer_open_nor_open(self) -> None:
        coverage = replace(ON, accounts={**ON.accounts, OTHER_ACCOUNT: AccountScanning("off", why="DISABLED")})
        made = analysis([finding("a")], [finding("a"), finding("b", account_id=OTHER_ACCOUNT)], coverage=coverage)
        assert made["coverage_status"]["state"] == "lost"
        assert made["sentences"][0] == made["coverage_status"]["reasons"][0]
        assert made["changes"]["counts"]["status_unknown"] == 1
        assert made["changes"]["by_account"] == {OTHER_ACCOUNT: {"appeared": 0, "no_longer_open": 0, "status_unknown": 1}}
        assert "1 finding is missing where it is not certain that Inspector scans" in text(made)

    def test_what_could_not_be_read_is_named(self) -> None:
        made = analysis([finding("a")], coverage=Coverage(ACCOUNT, {}, notes=("The coverage could not be read.",)))
        assert "The coverage could not be read." in made["sentences"]

    def test_names_that_could_not_be_read_are_null_and_counted(self) -> None:
        made = analysis([finding("a"), finding("b", vulnerability_id="x")], [finding("a", severity="LOW")], named=False)
        assert made["changes"]["lists"]["new"][0]["finding_arn"] is None
        assert "2 listed findings have no details" in text(made)

    def test_a_baseline_of_another_format_is_named_as_such(self) -> None:
        of_csv, code = replace(BASELINE, report_format="CSV"), finding("c", type="CODE_VULNERABILITY")
        result = text(analysis([code], [code], baseline=of_csv))
        assert "The last comparable report is in CSV, this one is in JSON. A CSV does not have all" in result
        assert "was in CSV" not in text(analysis([code], [code], baseline=of_csv, format="CSV"))
        assert "was in CSV" not in text(analysis([finding("a")], [finding("a")], baseline=of_csv))


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (None, {"ACTIVE"}),
        ([], {"ACTIVE"}),
        ([("EQUALS", "CLOSED")], {"CLOSED"}),
        ([("EQUALS", "ACTIVE"), ("EQUALS", "CLOSED")], {"ACTIVE", "CLOSED"}),
        ([("PREFIX", "S")], {"SUPPRESSED"}),
        ([("PREFIX", "")], {"ACTIVE", "SUPPRESSED", "CLOSED"}),
        ([("NOT_EQUALS", "CLOSED")], {"ACTIVE", "SUPPRESSED"}),
        ([("NOT_EQUALS", "CLOSED"), ("NOT_EQUALS", "SUPPRESSED")], {"ACTIVE"}),
        ([("EQUALS", "ACTIVE"), ("NOT_EQUALS", "CLOSED")], {"ACTIVE"}),
    ],
)
def test_the_filter_says_which_statuses_a_report_holds(filters: list[tuple[str, str]] | None, expected: set[str]) -> None:
    criteria = {} if filters is None else {"findingStatus": [{"comparison": how, "value": what} for how, what in filters]}
    assert statuses_asked(criteria) == expected
