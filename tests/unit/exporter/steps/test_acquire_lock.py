"""Acquire Lock: a turn is taken, waited for, or given up."""

import pytest

from findings_exporter.aws import run_store
from findings_exporter.aws.lock import Lock
from findings_exporter.aws.table import Table
from findings_exporter.model.execution import Execution
from findings_exporter.model.notes import Note, to_stored
from findings_exporter.model.run import Outcome
from findings_exporter.steps.acquire_lock import acquire_lock
from tests.builders.exporter import FakeStates, execution, items, minutes, planned

ME, OTHER = execution("me"), execution("other")


def held_by_other(lock: Lock, states: FakeStates) -> None:
    """Let another, living run hold the lock."""
    states.add(OTHER)
    assert lock.acquire(states.client, OTHER, minutes(0)) is None


def test_a_turn_is_taken_when_the_lock_is_free(lock: Lock, states: FakeStates, table: Table) -> None:
    assert acquire_lock(lock, states.client, planned(table, ME), minutes(0)) == {"state": "ACQUIRED"}
    assert run_store.load(table, ME).notes == ()


def test_a_holder_whose_name_is_hostile_is_named_by_its_id(lock: Lock, states: FakeStates, table: Table) -> None:
    hostile = states.add(execution("run-1\u202e@here"))
    assert lock.acquire(states.client, hostile, minutes(0)) is None
    run = planned(table, ME)
    acquire_lock(lock, states.client, run, minutes(20))
    assert run_store.load(table, ME).notes == (f"The run waited: the run {hostile.id} was exporting.",)
    failed = acquire_lock(lock, states.client, run, minutes(361))["failure"]["cause"]
    assert hostile.id in failed
    assert failed.isascii()


def test_a_held_turn_is_waited_for_and_the_reason_noted_once(lock: Lock, states: FakeStates, table: Table) -> None:
    held_by_other(lock, states)
    run = planned(table, ME)
    assert acquire_lock(lock, states.client, run, minutes(20)) == {"state": "HELD", "wait_seconds": 120, "holder": "other"}
    assert acquire_lock(lock, states.client, run, minutes(359))["wait_seconds"] == 60
    assert run_store.load(table, ME).notes == ("The run waited: the run other was exporting.",)


def test_a_turn_that_comes_after_the_deadline_is_given_up(lock: Lock, states: FakeStates, table: Table) -> None:
    held_by_other(lock, states)
    result = acquire_lock(lock, states.client, planned(table, ME), minutes(360))
    assert result == {
        "state": "FAILED",
        "failure": {
            "error": "LockNotObtained",
            "cause": "The run other was still exporting when this run's deadline of 6 hours passed.",
            "note": to_stored(Note("cause.lock_held", run="other", hours="6")),
        },
    }


@pytest.mark.parametrize("holder", [None, OTHER, ME], ids=["free", "another's", "mine"])
@pytest.mark.parametrize("outcome", ["SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT", "DUPLICATE"])
def test_a_run_whose_outcome_is_recorded_does_not_begin_again(
    lock: Lock, states: FakeStates, table: Table, outcome: Outcome, holder: Execution | None
) -> None:
    planned(table, ME)
    run_store.record(table, ME, outcome, None, None, minutes(1))
    if holder:
        lock.acquire(states.client, holder, minutes(2))
        states.add(holder, "ABORTED")
    before = items(table)
    result = acquire_lock(lock, states.client, run_store.load(table, ME), minutes(3))
    assert (result["state"], result["failure"]["error"]) == ("FAILED", "LockLostError")
    assert "Redrive is not supported: start a new execution" in result["failure"]["cause"]
    assert items(table) == before
