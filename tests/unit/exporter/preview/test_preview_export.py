"""The function preview_export: an execution's input in, what it would export out, and nothing changed."""

import json
from datetime import timedelta
from itertools import count, repeat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from findings_exporter.aws import run_store
from findings_exporter.aws.table import Table
from findings_exporter.model.errors import Failure
from findings_exporter.model.plan import make_plan
from findings_exporter.preview import preview_export
from findings_exporter.preview.reading import RECENT_RUNS, PreviewClients
from tests.builders.exporter import (
    MACHINE,
    OTHER_ID,
    START,
    FakeContext,
    client,
    client_error,
    config,
    ended_run,
    execution,
    failed_run,
    headline,
    items,
    minutes,
    plan,
)
from tests.builders.inspector_findings import FakeFindings
from tests.builders.previews import SCHEDULE_READ
from tests.local_aws.emulator.inspector.findings import generate
from tests.unit.exporter.steps.test_functions import load

FINDINGS = generate(150, seed="function", now=START.timestamp(), accounts=("111122223333",), region="eu-central-1")
EVENTS = sorted(Path("events").glob("*.json"))


class Inspector(FakeFindings):
    """Inspector with findings, and a report in progress or none."""

    report: Any = None
    exceptions = client("inspector2").exceptions

    def get_findings_report_status(self) -> dict[str, Any]:
        """GetFindingsReportStatus without an id."""
        if self.report is None:
            raise self.exceptions.ResourceNotFoundException({"Error": {"Code": "ResourceNotFoundException"}}, "x")
        if isinstance(self.report, Exception):
            raise self.report
        return dict(self.report)


class Scheduler:
    """EventBridge Scheduler with one schedule of this stack and one of another."""

    def get_paginator(self, _: str) -> Any:
        """ListSchedules."""
        listed = [
            {"Name": name, "GroupName": "default", "Target": {"Arn": arn}} for name, arn in (("other", "arn"), ("ours", MACHINE))
        ]
        return SimpleNamespace(paginate=lambda **_: [{"Schedules": listed}])

    def get_schedule(self, Name: str, **_: str) -> dict[str, Any]:  # noqa: N803
        """GetSchedule."""
        return SCHEDULE_READ | {"Name": Name}


@pytest.fixture
def inspector() -> Inspector:
    return Inspector(FINDINGS)


@pytest.fixture
def clients(table: Table, inspector: Inspector) -> PreviewClients:
    asked: Any = (inspector, Scheduler())
    return PreviewClients(config(), table, *asked)


def preview(clients: PreviewClients, run_input: object) -> dict[str, Any]:
    """An answer as Lambda sends it."""
    return dict(json.loads(json.dumps(preview_export(clients, run_input, lambda: START, minutes(1)))))


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.stem)
def test_every_example_input_is_previewed(clients: PreviewClients, path: Path) -> None:
    made = preview(clients, json.loads(path.read_text(encoding="utf-8")))
    assert (made["result"], made["count"]["is_exact"]) == ("previewed", True)


def test_a_preview_changes_nothing(clients: PreviewClients, table: Table, inspector: Inspector) -> None:
    before = items(table)
    preview(clients, {"report": {"filter_criteria": {"title": [{"comparison": "PREFIX", "value": "C"}]}}})
    assert items(table) == before
    assert {name for name, _ in inspector.calls} == {"ListFindings"}


@pytest.mark.parametrize("wrong", [None, [], "x", 7, {"reprot": {}}, {"report": {"format": "PDF"}}, {"deadline_hours": 99}])
def test_wrong_input_gives_the_words_of_a_run_and_asks_aws_nothing(
    clients: PreviewClients, inspector: Inspector, wrong: object
) -> None:
    of_a_run = make_plan(wrong, clients.config, execution())
    assert isinstance(of_a_run, Failure)
    assert preview(clients, wrong)["failure"] == {"error": "InvalidInput", "cause": str(of_a_run.cause)}
    assert inspector.calls == []


def test_a_wrong_parameter_of_the_stack_gives_the_words_of_a_run(table: Table) -> None:
    wrong = config(FILTER_CRITERIA="{")
    nothing: Any = None
    of_a_run = make_plan({}, wrong, execution())
    assert isinstance(of_a_run, Failure)
    made = preview_export(PreviewClients(wrong, table, nothing, nothing), {}, lambda: START, minutes(1))
    assert made["failure"]["cause"] == str(of_a_run.cause)


def test_the_plan_has_the_filter_with_dates_that_can_be_pasted_as_an_input(clients: PreviewClients) -> None:
    criteria = {"firstObservedAt": ["last 7 days"], "portRange": [{"beginInclusive": 22, "endInclusive": 22}]}
    shown = preview(clients, {"report": {"filter_criteria": criteria}})["plan"]["filter_criteria"]
    assert shown["firstObservedAt"] == [
        {"startInclusive": "2026-11-16T03:00:00+00:00", "endInclusive": "2026-11-23T03:00:00+00:00"}
    ]
    assert shown["portRange"] == criteria["portRange"]
    again = plan({"report": {"filter_criteria": shown}}).filter_criteria
    assert again == plan({"report": {"filter_criteria": criteria}}).filter_criteria


def test_a_report_in_progress_differs_from_one_that_has_ended(clients: PreviewClients, inspector: Inspector) -> None:
    inspector.report = {"reportId": OTHER_ID, "status": "IN_PROGRESS", "destination": {"bucketName": "b", "keyPrefix": "p"}}
    assert preview(clients, {})["in_progress"] == {
        "is_known": True,
        "why": None,
        "report": {"report_id": OTHER_ID, "bucket": "b", "prefix": "p/"},
    }
    inspector.report = {**inspector.report, "status": "SUCCEEDED"}
    assert preview(clients, {})["in_progress"]["report"] is None
    inspector.report = client_error("AccessDeniedException", 403, "GetFindingsReportStatus")
    assert preview(clients, {})["in_progress"]["is_known"] is False


def test_the_schedule_of_the_stack_is_shown_and_no_other(clients: PreviewClients) -> None:
    assert preview(clients, {})["schedules"]["schedules"] == [
        {"name": "ours", "expression": "cron(0 3 * * ? *)", "time_zone": "Europe/Berlin", "state": "ENABLED"}
    ]


def test_only_successful_runs_with_the_same_name_and_filter_say_how_long_it_takes(clients: PreviewClients, table: Table) -> None:
    narrow = {"report": {"filter_criteria": {"severity": [{"comparison": "EQUALS", "value": "LOW"}]}}}
    named = {"report": {"name": "other"}}
    inputs: list[dict[str, Any]] = [{}, narrow, named, {}, {}, {}, {}, {}]
    for number, run_input in enumerate(inputs):
        of = execution(f"run-{number}", minutes(number))
        run_store.write_history(table, ended_run(execution=of, plan=plan(run_input, of), analysis=headline(open=number)))
    of = execution("of-another-release", minutes(30))
    line = {**run_store.history_line(ended_run(execution=of, plan=plan({}, of)))}
    del line["duration_seconds"]
    table.put(line)
    of = execution("failed", minutes(20))
    run_store.write_history(table, failed_run(Failure("X", "x"), execution=of, plan=plan({}, of)))
    runs = preview(clients, {})["recent_runs"]["runs"]
    assert [each["open_findings"] for each in runs] == [7, 6, 5, 4, 3]
    assert len(runs) == RECENT_RUNS
    assert runs[0]["started_at"] == minutes(7).isoformat()
    assert [each["open_findings"] for each in preview(clients, narrow)["recent_runs"]["runs"]] == [1]
    assert preview(clients, {"report": {"name": "new"}})["recent_runs"]["runs"] == []


def test_any_number_of_other_runs_hides_none(clients: PreviewClients, monkeypatch: pytest.MonkeyPatch) -> None:
    of = execution("alike", minutes(1))
    alike = run_store.history_line(ended_run(execution=of, plan=plan({}, of), analysis=headline(open=7)))
    monkeypatch.setattr(run_store, "history", lambda *_: iter([{"outcome": "FAILED"}] * 5_000 + [alike]))
    assert [each["open_findings"] for each in preview(clients, {})["recent_runs"]["runs"]] == [7]


def test_a_history_that_cannot_be_read_to_its_end_is_unknown_and_not_empty(
    clients: PreviewClients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_store, "history", lambda *_: repeat({"outcome": "FAILED"}))
    ticks = count()
    answer = preview_export(clients, {}, lambda: START + timedelta(milliseconds=next(ticks)), minutes(1))
    recent = answer["recent_runs"]
    assert (recent["is_known"], recent["why"], recent["runs"]) == (False, "there was no time left", [])
    # The schedule is read first.
    assert answer["schedules"]["is_known"]


def test_without_the_table_recent_runs_are_unknown(clients: PreviewClients) -> None:
    clients.table.client.delete_table(TableName=clients.table.name)
    recent = preview(clients, {})["recent_runs"]
    assert (recent["is_known"], recent["why"]) == (False, "the table of the runs does not exist")


def test_the_function_answers_whatever_it_is_sent(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    module, context = load("preview_export"), FakeContext()
    object.__setattr__(module.clients, "inspector2", Inspector(FINDINGS))
    object.__setattr__(module.clients, "scheduler", Scheduler())
    assert module.handler({}, context)["result"] == "previewed"
    assert module.handler(["x"], context)["result"] == "invalid_input"
