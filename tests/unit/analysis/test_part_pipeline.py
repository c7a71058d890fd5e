"""A report that was analyzed in parts leaves the same files as one that was analyzed as a whole."""

import io
import json
import os
import weakref
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from findings_analysis.assessment import priorities
from findings_analysis.part_pipeline import analyze_part_of_run, cut_run
from findings_analysis.parts import merging
from findings_analysis.parts.part_analysis import Totals
from findings_analysis.parts.part_files import PartFiles
from findings_analysis.pipeline import analyze_run
from findings_analysis.reading import parquet_columns
from findings_exporter.aws import run_store
from findings_exporter.aws.clients import AnalysisClients, PartClients
from findings_exporter.aws.table import Table
from findings_exporter.model.delivery import Delivery
from findings_exporter.model.errors import ServiceUnavailableError, translated
from findings_exporter.model.run import Run
from tests.builders import exporter as builders
from tests.builders.exporter import BUCKET, START, FakeInspector, client, client_error, config
from tests.local_aws.emulator.inspector.findings import evolve, generate, load
from tests.local_aws.emulator.inspector.report_files import csv_report, json_report
from tests.unit.analysis.test_pipeline import S3, content_of, delivered

REAL_FINDINGS = Path(os.environ.get("REAL_FINDINGS", "tests/data/real-findings.jsonl.gz"))
FINDINGS = generate(150, seed=3, now=START.timestamp(), accounts=[builders.ACCOUNT, "444455556666"], region=builders.REGION)
LATER, _ = evolve(FINDINGS, day=1, seed=3, now=START.timestamp() + 86_400)
DAY = timedelta(days=1)


@pytest.fixture
def s3(table: Table) -> S3:
    builders.make_bucket()
    return S3()


@pytest.fixture
def clients(table: Table, s3: Any, inspector: FakeInspector) -> AnalysisClients:
    put_owners(OWNERS)
    settings = {"OWNER_TAG": "team", "OWNER_MESSAGES": "ALL", "REMEDIATION_DAYS": '{"CRITICAL": 15, "HIGH": 30, "MEDIUM": 90}'}
    return AnalysisClients(config(**settings), table, s3, inspector.client, lambda: START)


OWNERS = [{"owner": "shop", "repositories": ["shop/*"]}, {"owner": "platform", "resource_types": ["AWS_EC2_INSTANCE"]}]


def put_owners(rules: object) -> None:
    client("s3").put_object(Bucket=BUCKET, Key="inspector/config/owners.json", Body=json.dumps(rules).encode())


def report_of(findings: list[Any], report_format: str) -> bytes:
    return csv_report(findings, START.timestamp()) if report_format == "CSV" else json_report(findings)


def keys_under(prefix: str) -> list[str]:
    listed = client("s3").list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
    return [each["Key"] for each in listed]


def in_parts(clients: AnalysisClients, run: Run, delivery: Delivery, number: int, **answers: Any) -> dict[str, Any]:
    """Analyze a run's report in about so many parts, as the workflow does."""
    of_parts = PartClients(clients.config, clients.table, clients.s3, clients.now)
    cut = cut_run(of_parts, run, delivery, max(delivery.size_bytes // number, 1))
    if cut["state"] != "CUT":
        return cut
    answers.setdefault("parts", []).extend(cut["parts"])
    for part in reversed(cut["parts"]):
        answer = analyze_part_of_run(of_parts, run, delivery, part)
        if answer["state"] != "PART_ANALYZED":
            return answer
    if between := answers.get("between"):
        between()
    return analyze_run(clients, run, delivery, cut["parts"])


def files(headline: dict[str, Any]) -> dict[str, Any]:
    """What an analysis has left, its Parquet as sorted rows."""
    rows: list[Any] = []
    for key in keys_under(headline["parquet_prefix"]):
        for batch in parquet_columns.read(io.BytesIO(content_of(key))):
            rows += zip(*[map(json.dumps, batch[name]) for name in parquet_columns.SCHEMA.names if name in batch], strict=True)
    page = content_of(headline["page_key"])
    folder = headline["analysis_key"].removesuffix("analysis.json")
    of_owners = {key: content_of(key) for key in keys_under(f"{folder}owners")}
    assert len(of_owners) > 3
    return {
        "owners": of_owners,
        "due": content_of(keys_under("inspector/due/")[-1]),
        "fingerprints": content_of(headline["fingerprints_key"]),
        "analysis": json.loads(content_of(headline["analysis_key"])),
        "page": page,
        "rows": sorted(rows),
    }


def headline_of(clients: AnalysisClients, run: Run) -> dict[str, Any]:
    stored = run_store.load(clients.table, run.execution).analysis
    assert stored is not None
    return dict(stored)


def record(clients: AnalysisClients, run: Run, delivery: Delivery) -> None:
    run_store.record(clients.table, run.execution, "SUCCEEDED", None, delivery, run.execution.started_at + timedelta(minutes=9))


def _unavailable(*_: Any) -> bool:
    raise ServiceUnavailableError("DynamoDB does not answer")


def first_run(clients: AnalysisClients, report_format: str) -> None:
    run, delivery = delivered(clients, "run-0", START - DAY, report_of(FINDINGS, report_format), report_format)
    assert in_parts(clients, run, delivery, 3) == {"state": "ANALYZED"}
    record(clients, run, delivery)


REPEATING = [*LATER, *LATER[:40], *({**each, "status": "CLOSED"} for each in LATER[5:9]), *LATER[60:63]]


@pytest.mark.parametrize("findings", [LATER, REPEATING], ids=["plain", "repeating"])
@pytest.mark.parametrize("report_format", ["JSON", "CSV"])
def test_any_number_of_parts_leaves_what_the_whole_leaves(
    clients: AnalysisClients, report_format: str, findings: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "MOST_REPEATING_PARTS", 64)
    first_run(clients, report_format)
    run, delivery = delivered(clients, "run-1", START, report_of(findings, report_format), report_format)
    assert analyze_run(clients, run, delivery) == {"state": "ANALYZED"}
    headline = headline_of(clients, run)
    whole = files(headline)
    assert whole["analysis"]["changes"]["counts"]["unchanged_new_arn"]
    assert whole["analysis"]["changes"]["lists"]["new"][0]["finding_arn"]
    assert {"shop", "platform", "payments", "unowned"} <= whole["analysis"]["owners"].keys()
    assert (whole["analysis"]["statistics"]["duplicates"] > 0) == (findings is REPEATING)
    names = content_of(headline["names_key"])
    for number in (1, 2, 8, 64) if findings is REPEATING else (3,):
        parts: list[Any] = []
        assert in_parts(clients, run, delivery, number, parts=parts) == {"state": "ANALYZED"}
        assert (len(parts) > 1) == (number > 1)
        headline = headline_of(clients, run)
        found = files(headline)
        assert found["fingerprints"] == whole["fingerprints"], number
        assert found == whole, number
        assert len(keys_under(headline["parquet_prefix"])) == len(parts)
        assert keys_under(headline["analysis_key"].replace("analysis.json", "parts/")) == []
    assert len(content_of(headline["names_key"])) > len(names) > 0


@pytest.mark.skipif(not REAL_FINDINGS.exists(), reason="REAL_FINDINGS names no file of real findings")
@pytest.mark.parametrize("report_format", ["JSON", "CSV"])
def test_parts_of_real_findings_leave_what_the_whole_leaves(clients: AnalysisClients, report_format: str) -> None:
    content = report_of(load(REAL_FINDINGS), report_format)
    run, delivery = delivered(clients, "run-1", START, content, report_format)
    assert analyze_run(clients, run, delivery) == {"state": "ANALYZED"}
    whole = files(headline_of(clients, run))
    for number in (2, 8, 64):
        assert in_parts(clients, run, delivery, number) == {"state": "ANALYZED"}
        assert files(headline_of(clients, run)) == whole, number


def test_what_is_carried_over_is_named_in_the_next_run_too(clients: AnalysisClients, monkeypatch: pytest.MonkeyPatch) -> None:
    first_run(clients, "JSON")
    state: Any = {"status": "DISABLED", "errorCode": "RESOURCE_NOT_FOUND", "errorMessage": ""}
    types = dict.fromkeys(("ec2", "ecr", "lambda", "lambdaCode"), state)
    answer = {"accounts": [{"accountId": "444455556666", "state": state, "resourceState": types}]}
    monkeypatch.setattr(FakeInspector, "batch_get_account_status", lambda *_, **__: answer)
    here = [each for each in LATER if each["awsAccountId"] == builders.ACCOUNT]
    for number in range(2):
        run, delivery = delivered(clients, f"run-{number + 1}", START + number * DAY, report_of(here, "JSON"))
        assert in_parts(clients, run, delivery, 4) == {"state": "ANALYZED"}
        record(clients, run, delivery)
        analysis = json.loads(content_of(headline_of(clients, run)["analysis_key"]))
        listed = analysis["changes"]["lists"]["status_unknown"]
        assert listed
        assert all(each["title"] and each["account_id"] == "444455556666" for each in listed)


class TestFailures:
    @pytest.fixture
    def delivered_run(self, clients: AnalysisClients) -> tuple[Run, Delivery]:
        return delivered(clients, "run-1", START, report_of(FINDINGS, "JSON"))

    def test_a_part_that_is_malformed_is_recorded_with_its_place(self, clients: AnalysisClients) -> None:
        content = report_of(FINDINGS, "JSON")
        broken = content.index(b'"severity"', len(content) // 2)
        run, delivery = delivered(clients, "run-1", START, content[:broken] + b"?" + content[broken + 1 :])
        assert in_parts(clients, run, delivery, 6) == {"state": "NOT_ANALYZED", "error": "Analysis.ReportMalformed"}
        assert "of the part that begins at byte" in headline_of(clients, run)["sentence"]
        assert keys_under("inspector/findings/") == []

    def test_a_report_that_cannot_be_cut_is_recorded(self, clients: AnalysisClients) -> None:
        run, delivery = delivered(clients, "run-1", START, b"neither,a,report\n" * 100, "CSV")
        assert in_parts(clients, run, delivery, 6) == {"state": "NOT_ANALYZED", "error": "Analysis.ReportMalformed"}

    def test_a_report_that_was_replaced_is_read_no_further(self, clients: AnalysisClients) -> None:
        run, delivery = delivered(clients, "run-1", START, report_of(FINDINGS, "JSON"))
        assert delivery.key
        builders.put_report(report_of(LATER, "JSON"), delivery.key)
        assert in_parts(clients, run, delivery, 6) == {"state": "NOT_ANALYZED", "error": "Analysis.ReportChanged"}

    @pytest.mark.parametrize("kind", ["json", "totals", "fingerprints", "names", "parquet"])
    @pytest.mark.parametrize("how", ["deleted", "replaced", "another part's"])
    def test_parts_that_someone_spoiled_are_not_merged(
        self, clients: AnalysisClients, delivered_run: tuple[Run, Delivery], kind: str, how: str
    ) -> None:
        def between() -> None:
            first, second = (
                key for key in keys_under("inspector/analyses/nightly/") if key.endswith((f"/0002.{kind}", f"/0003.{kind}"))
            )
            if how == "deleted":
                client("s3").delete_object(Bucket=BUCKET, Key=first)
            else:
                content = b"else" if how == "replaced" else content_of(second)
                client("s3").put_object(Bucket=BUCKET, Key=first, Body=content)

        answer = in_parts(clients, *delivered_run, 6, between=between)
        assert answer == {"state": "NOT_ANALYZED", "error": "Analysis.PartsUnusable"}
        assert f"0002.{kind}" in headline_of(clients, delivered_run[0])["sentence"]
        assert keys_under("inspector/findings/") == []

    def test_a_part_that_two_functions_analyze_at_once_is_the_same_part(
        self, clients: AnalysisClients, delivered_run: tuple[Run, Delivery]
    ) -> None:
        parts: list[Any] = []

        def between() -> None:
            of_parts = PartClients(clients.config, clients.table, clients.s3, clients.now)
            totals = {key: content_of(key) for key in keys_under("inspector/analyses/nightly/") if key.endswith("json")}
            for part in parts[:2]:
                analyze_part_of_run(of_parts, *delivered_run, part)
            for key, content in totals.items():  # the first one's totals come last
                client("s3").put_object(Bucket=BUCKET, Key=key, Body=content)

        assert in_parts(clients, *delivered_run, 4, parts=parts, between=between) == {"state": "ANALYZED"}

    def test_a_merge_that_breaks_off_while_it_reads_a_part_again_can_be_tried_again(
        self, clients: AnalysisClients, s3: S3
    ) -> None:
        run, delivery = delivered(clients, "run-1", START, report_of(REPEATING, "JSON"))
        parts: list[Any] = []
        for kind in ("again.fingerprints", "again.json"):
            s3.errors["put_object", kind] = client_error("SlowDown", 503)
            with pytest.raises(ServiceUnavailableError), translated():
                in_parts(clients, run, delivery, 6, parts=parts)
            s3.errors.clear()
            assert analyze_run(clients, run, delivery, parts) == {"state": "ANALYZED"}
            parts.clear()

    def test_a_failure_never_replaces_what_another_invocation_has_written(
        self, clients: AnalysisClients, delivered_run: tuple[Run, Delivery]
    ) -> None:
        parts: list[Any] = []
        assert in_parts(clients, *delivered_run, 4, parts=parts) == {"state": "ANALYZED"}
        before = headline_of(clients, delivered_run[0])
        # It began before the other one had ended, so that it does not know of the headline.
        assert analyze_run(clients, *delivered_run, parts) == {"state": "NOT_ANALYZED", "error": "Analysis.PartsUnusable"}
        assert headline_of(clients, delivered_run[0]) == before

    def test_parts_that_are_not_all_of_the_report_are_not_merged(
        self, clients: AnalysisClients, delivered_run: tuple[Run, Delivery]
    ) -> None:
        parts: list[Any] = []
        in_parts(clients, *delivered_run, 4, parts=parts)
        assert analyze_run(clients, *delivered_run, parts[:-1]) == {"state": "NOT_ANALYZED", "error": "Analysis.PartsUnusable"}

    def test_parquet_files_that_cannot_all_be_published_are_taken_back(
        self, clients: AnalysisClients, s3: S3, delivered_run: tuple[Run, Delivery]
    ) -> None:
        s3.errors["copy_object", "0003.parquet"] = client_error("AccessDenied", 403)
        assert in_parts(clients, *delivered_run, 6) == {"state": "NOT_ANALYZED", "error": "Analysis.NotStored"}
        assert keys_under("inspector/findings/") == []

    def test_a_step_that_is_repeated_after_it_has_deleted_the_parts_changes_nothing(
        self, clients: AnalysisClients, delivered_run: tuple[Run, Delivery]
    ) -> None:
        parts: list[Any] = []
        assert in_parts(clients, *delivered_run, 4, parts=parts) == {"state": "ANALYZED"}
        run, delivery = run_store.load(clients.table, delivered_run[0].execution), delivered_run[1]
        before = headline_of(clients, run), files(headline_of(clients, run))
        assert analyze_run(clients, run, delivery, parts) == {"state": "ANALYZED"}
        assert (headline_of(clients, run), files(headline_of(clients, run))) == before

    def test_the_parts_stay_until_the_headline_is_recorded(
        self, clients: AnalysisClients, delivered_run: tuple[Run, Delivery], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        parts: list[Any] = []
        with monkeypatch.context() as patch:
            patch.setattr(run_store, "note_analysis", _unavailable)
            with pytest.raises(ServiceUnavailableError):
                in_parts(clients, *delivered_run, 4, parts=parts)
        assert analyze_run(clients, *delivered_run, parts) == {"state": "ANALYZED"}

    @pytest.mark.parametrize("refusal", ["all", "each"])
    def test_parts_that_cannot_be_deleted_stay_and_cost_nothing_else(
        self, clients: AnalysisClients, delivered_run: tuple[Run, Delivery], monkeypatch: pytest.MonkeyPatch, refusal: str
    ) -> None:
        def refuse(**_: Any) -> dict[str, Any]:
            if refusal == "all":
                raise client_error("AccessDenied", 403)
            return {"Errors": [{"Key": "x", "Code": "AccessDenied"}]}

        monkeypatch.setattr(clients.s3, "delete_objects", refuse, raising=False)
        assert in_parts(clients, *delivered_run, 3) == {"state": "ANALYZED"}
        assert len(keys_under("inspector/findings/")) >= 3

    def test_a_report_that_cannot_be_read_is_not_cut(
        self, clients: AnalysisClients, s3: S3, delivered_run: tuple[Run, Delivery]
    ) -> None:
        s3.errors["get_object", "reports/"] = client_error("AccessDenied", 403)
        assert in_parts(clients, *delivered_run, 3) == {"state": "NOT_ANALYZED", "error": "Analysis.ReportUnreadable"}

    def test_an_outage_is_tried_again_and_then_leaves_the_same(
        self, clients: AnalysisClients, s3: S3, delivered_run: tuple[Run, Delivery]
    ) -> None:
        parts: list[Any] = []
        s3.errors["get_object", "0002.names"] = client_error("SlowDown", 503)
        with pytest.raises(ServiceUnavailableError):
            in_parts(clients, *delivered_run, 4, parts=parts)
        s3.errors.clear()
        assert analyze_run(clients, *delivered_run, parts) == {"state": "ANALYZED"}

    def test_the_merge_holds_the_totals_of_one_part_at_a_time(
        self, clients: AnalysisClients, delivered_run: tuple[Run, Delivery], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        read: list[weakref.ref[Totals]] = []
        totals_of = PartFiles.totals

        def totals(files: PartFiles, *arguments: Any) -> Totals:
            assert [each for each in read[:-1] if each()] == []
            made = totals_of(files, *arguments)
            read.append(weakref.ref(made))
            return made

        def between() -> None:
            assert all(len(content_of(key)) < 2_000 for key in keys_under("inspector/analyses/nightly/") if key.endswith("json"))

        monkeypatch.setattr(PartFiles, "totals", totals)
        assert in_parts(clients, *delivered_run, 6, between=between) == {"state": "ANALYZED"}
        assert len(read) >= 6

    def test_too_many_parts_with_repeated_findings_are_an_error_that_says_so(
        self, clients: AnalysisClients, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(merging, "MOST_REPEATING_PARTS", 2)
        run, delivery = delivered(clients, "run-1", START, report_of(FINDINGS * 3, "JSON"))
        assert in_parts(clients, run, delivery, 12) == {"state": "NOT_ANALYZED", "error": "Analysis.FindingsRepeated"}
        assert "have findings that are in earlier parts" in headline_of(clients, run)["sentence"]

    def test_more_repeated_findings_than_memory_is_made_for_are_an_error_that_says_so(
        self, clients: AnalysisClients, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(merging, "MOST_REPEATED", 20)
        run, delivery = delivered(clients, "run-1", START, report_of(FINDINGS * 2, "JSON"))
        assert in_parts(clients, run, delivery, 4) == {"state": "NOT_ANALYZED", "error": "Analysis.FindingsRepeated"}
        assert "more than 20 findings are in several of its parts" in headline_of(clients, run)["sentence"]


def test_parts_that_were_analyzed_with_different_rules_are_not_merged(clients: AnalysisClients) -> None:
    run, delivery = delivered(clients, "run-1", START, report_of(FINDINGS, "JSON"))
    answer = in_parts(clients, run, delivery, 3, between=lambda: put_owners(OWNERS[:1]))
    assert answer == {"state": "NOT_ANALYZED", "error": "Analysis.OwnersChanged"}
    assert "Start a new execution" in headline_of(clients, run)["sentence"]
    # Another try finds the same rules everywhere.
    assert in_parts(clients, run, delivery, 3) == {"state": "ANALYZED"}


def test_parts_that_together_have_too_many_owners_are_an_explained_failure(
    clients: AnalysisClients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(priorities, "MOST_OWNERS", 3)
    by_owner = sorted(FINDINGS, key=lambda each: each["resources"][0]["id"])
    run, delivery = delivered(clients, "run-1", START, report_of(by_owner, "JSON"))
    assert in_parts(clients, run, delivery, 20) == {"state": "NOT_ANALYZED", "error": "Analysis.TooManyOwners"}
