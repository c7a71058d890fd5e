"""The lock: one run at a time, no guess about who lives, nothing wiped by a late retry."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from findings_exporter.aws.lock import EXECUTION_TIMEOUT, EXPIRY_MARGIN, Lock, has_ended
from findings_exporter.aws.table import Table
from findings_exporter.model.errors import LockLostError, StillCreatingError
from tests.builders.exporter import FakeStates, client_error, execution, items, minutes

ME, OTHER, THIRD = execution("me"), execution("other"), execution("third")
NEVER_EXPIRED = ME.started_at + EXECUTION_TIMEOUT + EXPIRY_MARGIN


def held_by_other(lock: Lock, states: FakeStates) -> None:
    """Let another, living run hold the lock."""
    states.add(OTHER)
    assert lock.acquire(states.client, OTHER, minutes(0)) is None


def creating_until(lock: Lock) -> datetime | None:
    """Until when a function of the lock's holder may create."""
    holder = lock.holder()
    assert holder is not None
    return holder.creating_until


def test_a_free_lock_is_taken(lock: Lock, states: FakeStates) -> None:
    assert lock.acquire(states.client, ME, minutes(1)) is None
    holder = lock.holder()
    assert holder is not None
    assert (holder.execution, holder.creating_until) == (ME, None)


def test_a_second_run_waits_while_the_lock_is_held(lock: Lock, states: FakeStates) -> None:
    held_by_other(lock, states)
    holder = lock.acquire(states.client, ME, minutes(1))
    assert holder is not None
    assert holder.execution == OTHER
    assert lock.holder() == holder


def test_the_owners_second_acquire_changes_nothing(lock: Lock, states: FakeStates, table: Table) -> None:
    lock.acquire(states.client, ME, minutes(1))
    lock.mark_creating(ME, minutes(3), minutes(1))
    before = items(table)
    assert lock.acquire(states.client, ME, minutes(2)) is None
    assert items(table) == before


def test_even_an_expired_lock_is_not_taken_anew_by_its_owner(lock: Lock, states: FakeStates, table: Table) -> None:
    lock.acquire(states.client, ME, minutes(1))
    before = items(table)
    assert lock.acquire(states.client, ME, NEVER_EXPIRED + timedelta(hours=1)) is None
    assert items(table) == before


def test_a_late_retry_of_a_dead_run_wipes_nothing(lock: Lock, states: FakeStates, table: Table) -> None:
    lock.acquire(states.client, ME, minutes(1))
    states.add(ME, "ABORTED")
    states.add(OTHER)
    assert lock.acquire(states.client, OTHER, minutes(2)) is None
    before = items(table)
    refused_by = lock.acquire(states.client, ME, minutes(3))
    assert refused_by is not None
    assert refused_by.arn == OTHER.arn
    assert items(table) == before


@pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"])
def test_a_lock_of_an_ended_run_is_taken_over(lock: Lock, states: FakeStates, status: str) -> None:
    held_by_other(lock, states)
    states.add(OTHER, status)
    assert lock.acquire(states.client, ME, minutes(1)) is None
    holder = lock.holder()
    assert holder is not None
    assert holder.arn == ME.arn


@pytest.mark.parametrize("status", ["RUNNING", "PENDING_REDRIVE", "SOMETHING_NEW"])
def test_a_lock_of_a_run_that_may_live_is_respected(lock: Lock, states: FakeStates, status: str) -> None:
    held_by_other(lock, states)
    states.add(OTHER, status)
    assert lock.acquire(states.client, ME, minutes(1)) is not None


def test_an_expired_lock_is_taken_without_asking(lock: Lock, states: FakeStates) -> None:
    held_by_other(lock, states)
    states.refusal = client_error("AccessDeniedException")
    assert lock.acquire(states.client, ME, NEVER_EXPIRED) is not None
    assert lock.acquire(states.client, ME, NEVER_EXPIRED + timedelta(seconds=1)) is None


def test_a_holder_that_step_functions_does_not_know_counts_as_alive(lock: Lock, states: FakeStates) -> None:
    held_by_other(lock, states)
    states.executions.clear()
    assert lock.acquire(states.client, ME, minutes(1)) is not None


@pytest.mark.parametrize("code", ["AccessDeniedException", "ExecutionDoesNotExist"])
def test_a_refused_answer_counts_as_alive(states: FakeStates, code: str) -> None:
    states.refusal = client_error(code)
    assert not has_ended(states.client, ME.arn)


def test_an_outage_is_not_taken_for_an_answer(states: FakeStates) -> None:
    states.refusal = client_error("InternalError", 500)
    with pytest.raises(type(states.refusal)):
        has_ended(states.client, ME.arn)


@pytest.mark.parametrize("now", [minutes(1), NEVER_EXPIRED + timedelta(hours=1)], ids=["dead", "expired"])
def test_no_one_takes_a_lock_while_a_function_may_still_create(lock: Lock, states: FakeStates, now: datetime) -> None:
    held_by_other(lock, states)
    lock.mark_creating(OTHER, now + timedelta(seconds=30), now)
    states.add(OTHER, "ABORTED")
    holder = lock.acquire(states.client, ME, now)
    assert holder is not None
    assert holder.creating_until is not None
    assert lock.acquire(states.client, ME, now + timedelta(seconds=32)) is None
    taken = lock.holder()
    assert taken is not None
    assert (taken.arn, taken.creating_until) == (ME.arn, None)


def test_a_lock_that_changes_hands_while_we_ask_is_not_taken_from_its_new_holder(lock: Lock, states: FakeStates) -> None:
    held_by_other(lock, states)

    class Late(FakeStates):
        def describe_execution(self, executionArn: str) -> dict[str, Any]:  # noqa: N803
            assert executionArn == OTHER.arn
            lock.release(OTHER, minutes(2))
            assert lock.acquire(FakeStates().client, THIRD, minutes(2)) is None
            return {"status": "ABORTED"}

    holder = lock.acquire(Late().client, ME, minutes(2))
    assert holder is not None
    assert holder.arn == THIRD.arn


def test_a_released_lock_is_free(lock: Lock, states: FakeStates, table: Table) -> None:
    held_by_other(lock, states)
    lock.release(OTHER, minutes(1))
    assert items(table) == []
    lock.release(OTHER, minutes(2))
    assert lock.holder() is None


def test_another_runs_lock_counts_as_released(lock: Lock, states: FakeStates, table: Table) -> None:
    held_by_other(lock, states)
    before = items(table)
    lock.release(ME, minutes(1))
    assert items(table) == before


def test_a_lock_is_not_released_while_a_function_may_still_create(lock: Lock, states: FakeStates) -> None:
    lock.acquire(states.client, ME, minutes(0))
    lock.mark_creating(ME, minutes(1), minutes(0))
    with pytest.raises(StillCreatingError, match=r"me may still be creating a report until 03:01:01 UTC"):
        lock.release(ME, minutes(1))
    lock.release(ME, minutes(1.1))
    assert lock.holder() is None


def test_a_mark_is_returned_as_it_is_stored_in_whole_seconds_and_never_too_early(lock: Lock, states: FakeStates) -> None:
    lock.acquire(states.client, ME, minutes(0))
    until = minutes(1) + timedelta(milliseconds=900)
    assert lock.mark_creating(ME, until, minutes(0)) == minutes(1) + timedelta(seconds=1) == creating_until(lock)


def test_a_second_function_of_mine_must_not_create_before_the_firsts_mark_has_passed(
    lock: Lock, states: FakeStates, table: Table
) -> None:
    lock.acquire(states.client, ME, minutes(0))
    mark = lock.mark_creating(ME, minutes(2), minutes(1))
    before = items(table)
    for now in (minutes(1), mark, mark + timedelta(milliseconds=999)):
        with pytest.raises(
            StillCreatingError, match=r"A function of the execution me may still be creating a report until 03:02:01 UTC"
        ):
            lock.mark_creating(ME, minutes(4), now, mark)
    assert items(table) == before
    second = lock.mark_creating(ME, minutes(4), mark + timedelta(seconds=1), mark)
    assert second == minutes(4) + timedelta(seconds=1) == creating_until(lock)


@pytest.mark.parametrize("seen", [None, minutes(0)], ids=["none", "an older one"])
def test_a_mark_that_was_set_since_a_function_checked_refuses_it_even_when_it_has_passed(
    lock: Lock, states: FakeStates, seen: datetime | None
) -> None:
    lock.acquire(states.client, ME, minutes(0))
    mark = lock.mark_creating(ME, minutes(2), minutes(1))
    with pytest.raises(StillCreatingError):
        lock.mark_creating(ME, minutes(9), minutes(5), seen)
    assert creating_until(lock) == mark


def test_a_mark_that_is_cleared_while_a_second_function_asks_still_refuses_it(
    lock: Lock, states: FakeStates, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock.acquire(states.client, ME, minutes(0))
    mark = lock.mark_creating(ME, minutes(2), minutes(1))
    real = Table.update

    def cleared_afterwards(self: Table, *arguments: Any, **more: Any) -> bool:
        answer = real(self, *arguments, **more)
        monkeypatch.setattr(Table, "update", real)
        lock.clear_mark(ME, mark)
        return answer

    monkeypatch.setattr(Table, "update", cleared_afterwards)
    with pytest.raises(StillCreatingError, match=r"A function of the execution me may still be creating a report\."):
        lock.mark_creating(ME, minutes(4), minutes(1), mark)
    assert creating_until(lock) is None


def test_a_mark_is_moved_and_cleared(lock: Lock, states: FakeStates) -> None:
    lock.acquire(states.client, ME, minutes(0))
    mark = lock.mark_creating(ME, minutes(2), minutes(0))
    lock.move_mark(ME, mark, minutes(1))
    assert creating_until(lock) == minutes(1)
    lock.clear_mark(ME, minutes(1))
    assert creating_until(lock) is None


def test_a_second_functions_mark_is_left_alone(lock: Lock, states: FakeStates, table: Table) -> None:
    lock.acquire(states.client, ME, minutes(0))
    first = lock.mark_creating(ME, minutes(2), minutes(0))
    lock.mark_creating(ME, minutes(5), minutes(3), first)
    before = items(table)
    lock.move_mark(ME, first, minutes(9))
    lock.clear_mark(ME, first)
    assert items(table) == before


def test_a_cleared_mark_does_not_come_back(lock: Lock, states: FakeStates) -> None:
    lock.acquire(states.client, ME, minutes(0))
    mark = lock.mark_creating(ME, minutes(2), minutes(0))
    lock.clear_mark(ME, mark)
    lock.move_mark(ME, mark, minutes(9))
    assert creating_until(lock) is None


def test_only_the_owner_marks_moves_and_clears(lock: Lock, states: FakeStates, table: Table) -> None:
    held_by_other(lock, states)
    with pytest.raises(LockLostError, match=r"me does not hold the lock; the execution other holds it.*Redrive"):
        lock.mark_creating(ME, minutes(1), minutes(0))
    mark = lock.mark_creating(OTHER, minutes(1), minutes(0))
    before = items(table)
    lock.move_mark(ME, mark, minutes(9))
    lock.clear_mark(ME, mark)
    assert items(table) == before


def test_a_free_lock_cannot_be_marked(lock: Lock, table: Table) -> None:
    with pytest.raises(LockLostError, match="it is free"):
        lock.mark_creating(ME, minutes(1), minutes(0))
    lock.move_mark(ME, minutes(1), minutes(2))
    lock.clear_mark(ME, minutes(1))
    assert items(table) == []


def test_a_run_without_the_lock_is_stopped(lock: Lock, states: FakeStates) -> None:
    with pytest.raises(LockLostError):
        lock.require(ME)
    held_by_other(lock, states)
    with pytest.raises(LockLostError):
        lock.require(ME)
    assert lock.require(OTHER).execution == OTHER


def test_each_account_and_region_has_its_own_lock(table: Table, states: FakeStates) -> None:
    assert Lock(table, "1", "eu-central-1").acquire(states.client, ME, minutes(0)) is None
    assert Lock(table, "1", "us-east-1").acquire(states.client, OTHER, minutes(0)) is None
    assert Lock(table, "2", "eu-central-1").acquire(states.client, THIRD, minutes(0)) is None


def test_an_outage_while_locking_is_not_a_holder(lock: Lock, states: FakeStates) -> None:
    lost = Lock(Table(lock.table.client, "no-such-table"), lock.account, lock.region)
    with pytest.raises(lock.table.client.exceptions.ResourceNotFoundException):
        lost.acquire(states.client, ME, minutes(0))
    with pytest.raises(lock.table.client.exceptions.ResourceNotFoundException):
        lost.release(ME, minutes(0))
