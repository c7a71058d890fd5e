"""Planning a run: written down before anything else, and one export a scheduled time."""

import json
from typing import Any

import pytest

from findings_exporter.aws import run_store
from findings_exporter.aws.table import Table
from findings_exporter.model.errors import Failure
from findings_exporter.steps.plan_export import plan_export
from tests.builders.exporter import SCHEDULE, config, execution, items, minutes, plan

ME, OTHER, THIRD = execution("me"), execution("other"), execution("third")
SCHEDULED = {"schedule": {"scheduled_for": "2026-11-23T03:00:00Z", "arn": SCHEDULE}}


def test_a_right_input_is_planned_and_written_down(table: Table) -> None:
    result = plan_export(table, config(), ME, {"deadline_hours": 2})
    assert result == {"state": "PLANNED", "plan": json.loads(plan({"deadline_hours": 2}, ME).to_json())}
    run = run_store.load(table, ME)
    assert (run.plan, run.input) == (plan({"deadline_hours": 2}, ME), '{"deadline_hours": 2}')


def test_a_repeated_step_changes_nothing(table: Table) -> None:
    first = plan_export(table, config(), ME, SCHEDULED)
    before = items(table)
    assert plan_export(table, config(), ME, SCHEDULED) == first
    assert items(table) == before


@pytest.mark.parametrize("run_input", [{"zzz": 1}, None, [], "x" * 200_000, {"report": {"name": ".."}}])
def test_a_wrong_input_is_written_down_before_it_is_refused(table: Table, run_input: Any) -> None:
    result = plan_export(table, config(), ME, run_input)
    assert (result["state"], result["failure"]["error"]) == ("FAILED", "InvalidInput")
    run = run_store.load(table, ME)
    assert run.plan is None
    assert run_store.open_runs(table) == [ME]


def test_a_second_execution_for_the_same_time_is_a_duplicate(table: Table) -> None:
    plan_export(table, config(), ME, SCHEDULED)
    assert plan_export(table, config(), OTHER, SCHEDULED) == {"state": "DUPLICATE", "of": ME.arn}
    assert run_store.load(table, OTHER).plan is None


def test_a_repeated_delivery_is_a_duplicate_whatever_the_order_of_its_keys(table: Table) -> None:
    plan_export(table, config(), ME, SCHEDULED | {"notify": True})
    (schedule,) = SCHEDULED.values()
    reordered = {"notify": True, "schedule": dict(reversed(schedule.items()))}
    assert plan_export(table, config(), OTHER, reordered) == {"state": "DUPLICATE", "of": ME.arn}


@pytest.mark.parametrize(
    "forged", [{"notify": False}, {"report": {"name": "test-export"}}, {"deadline_hours": 0.1}, {"Comment": "x"}]
)
def test_another_input_for_the_same_time_does_not_silence_the_run(table: Table, forged: dict[str, Any]) -> None:
    plan_export(table, config(), ME, SCHEDULED | forged)
    assert plan_export(table, config(), OTHER, SCHEDULED)["state"] == "PLANNED"
    assert plan_export(table, config(), THIRD, SCHEDULED) == {"state": "DUPLICATE", "of": OTHER.arn}


def test_an_execution_with_the_schedules_time_and_another_input_exports_and_is_notified(table: Table) -> None:
    assert plan_export(table, config(), OTHER, SCHEDULED)["state"] == "PLANNED"
    plan = run_store.load(table, OTHER).plan
    assert plan is not None
    assert plan.notify
    assert plan_export(table, config(), ME, SCHEDULED) == {"state": "DUPLICATE", "of": OTHER.arn}


def test_a_wrong_input_claims_no_time(table: Table) -> None:
    plan_export(table, config(), ME, SCHEDULED | {"zzz": 1})
    assert plan_export(table, config(), OTHER, SCHEDULED)["state"] == "PLANNED"


def test_executions_started_by_hand_are_never_duplicates(table: Table) -> None:
    assert [plan_export(table, config(), each, {})["state"] for each in (ME, OTHER)] == ["PLANNED", "PLANNED"]


def test_a_step_that_runs_on_after_its_run_was_stopped_plans_nothing_more(table: Table) -> None:
    run_store.open_run(table, ME, "{}")
    run_store.record(table, ME, "ABORTED", Failure("Stopped", "stopped"), None, minutes(1))
    result = plan_export(table, config(), ME, {})
    assert (result["state"], result["failure"]["error"]) == ("FAILED", "LockLostError")
    assert run_store.load(table, ME).plan is None
