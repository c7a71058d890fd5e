"""Cancel Report: the run's own report is stopped, and no other one."""

import pytest

from findings_exporter.aws import run_store
from findings_exporter.aws.clients import Clients
from findings_exporter.model.errors import StillCreatingError, StillRunningError
from findings_exporter.steps.cancel_report import cancel
from tests.builders.exporter import (
    BUCKET,
    OTHER_ID,
    REPORT_ID,
    START,
    Clock,
    FakeInspector,
    FakeStates,
    execution,
    minutes,
    my_prefix,
    my_turn,
    plan,
    planned,
)

ME, OTHER = execution("run-1"), execution("run-0")
EXTERNAL_PREFIX = "console/exports/"


class TestCancel:
    def cancel(self, clients: Clients, clock: Clock | None = None) -> str:
        return cancel(clients, ME, clock or Clock(minutes(5)), minutes(6))

    def test_a_run_that_was_never_written_down_has_nothing_to_cancel(self, clients: Clients, inspector: FakeInspector) -> None:
        assert self.cancel(clients) == "NONE"
        assert inspector.calls == []

    def test_a_run_without_a_plan_has_nothing_to_cancel(self, clients: Clients, inspector: FakeInspector) -> None:
        run_store.open_run(clients.table, ME, "{}")
        assert self.cancel(clients) == "NONE"
        assert inspector.calls == []

    @pytest.mark.parametrize("expected", [my_prefix(), my_prefix().rstrip("/")], ids=["with a last slash", "without"])
    @pytest.mark.parametrize("id_is_known", [True, False])
    def test_the_runs_report_is_cancelled_and_waited_out(
        self, clients: Clients, inspector: FakeInspector, id_is_known: bool, expected: str
    ) -> None:
        my_turn(clients)
        if id_is_known:
            run_store.note_report(clients.table, ME, REPORT_ID, minutes(1))
        inspector.put(REPORT_ID, "IN_PROGRESS", expected)
        inspector.checks_to_cancel = 5
        assert self.cancel(clients) == "CANCELLED"
        assert inspector.reports[REPORT_ID]["status"] == "CANCELLED"

    def test_a_cancel_that_takes_too_long_is_tried_again(self, clients: Clients, inspector: FakeInspector) -> None:
        my_turn(clients)
        inspector.put(REPORT_ID, "IN_PROGRESS", my_prefix())
        inspector.checks_to_cancel = 100
        with pytest.raises(StillRunningError, match=f"{REPORT_ID} was cancelled but still has the status CANCELLING"):
            self.cancel(clients)
        assert 55 <= inspector.calls.count("status") <= 60

    def test_a_report_that_vanishes_while_it_is_cancelled_has_ended(
        self, clients: Clients, inspector: FakeInspector, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        my_turn(clients)
        inspector.put(REPORT_ID, "IN_PROGRESS", my_prefix())
        monkeypatch.setattr(FakeInspector, "cancel_findings_report", lambda self, reportId: self.reports.pop(reportId))  # noqa: N803
        assert self.cancel(clients) == "CANCELLED"

    def test_nothing_is_cancelled_before_a_create_can_no_longer_land(self, clients: Clients, inspector: FakeInspector) -> None:
        my_turn(clients)
        clients.lock.mark_creating(ME, minutes(5.5), minutes(5))
        with pytest.raises(StillCreatingError):
            self.cancel(clients)
        inspector.put(REPORT_ID, "IN_PROGRESS", my_prefix())  # a function that outlived its execution created it
        assert self.cancel(clients, Clock(minutes(5.6))) == "CANCELLED"

    def test_another_runs_creating_is_no_reason_to_wait(self, clients: Clients) -> None:
        planned(clients.table, ME)
        clients.lock.acquire(FakeStates().client, OTHER, START)
        clients.lock.mark_creating(OTHER, minutes(50), minutes(5))
        assert self.cancel(clients) == "NONE"

    @pytest.mark.parametrize("first", ["SUCCEEDED", "FAILED", "CANCELLED", "forgotten"])
    def test_a_second_report_of_the_run_is_cancelled_where_the_noted_one_has_ended(
        self, clients: Clients, inspector: FakeInspector, first: str
    ) -> None:
        my_turn(clients)
        run_store.note_report(clients.table, ME, OTHER_ID, minutes(1))
        if first != "forgotten":
            inspector.put(OTHER_ID, first, my_prefix())
        inspector.put(REPORT_ID, "IN_PROGRESS", my_prefix())
        assert self.cancel(clients) == "CANCELLED"
        assert inspector.reports[REPORT_ID]["status"] == "CANCELLED"

    @pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED", "CANCELLED"])
    def test_a_report_that_has_ended_is_left_alone(self, clients: Clients, inspector: FakeInspector, status: str) -> None:
        my_turn(clients)
        run_store.note_report(clients.table, ME, REPORT_ID, minutes(1))
        inspector.put(REPORT_ID, status, my_prefix())
        assert self.cancel(clients) == "NONE"
        assert "cancel" not in inspector.calls

    def test_a_report_that_inspector_does_not_know_is_left_alone(self, clients: Clients) -> None:
        my_turn(clients)
        run_store.note_report(clients.table, ME, REPORT_ID, minutes(1))
        assert self.cancel(clients) == "NONE"

    @pytest.mark.parametrize("on_busy", ["wait", "cancel", "fail"])
    @pytest.mark.parametrize("id_is_known", [True, False])
    @pytest.mark.parametrize(
        ("bucket", "prefix"),
        [
            (BUCKET, EXTERNAL_PREFIX),
            (BUCKET, plan(of=OTHER).destination.prefix),
            (BUCKET, plan(of=ME).destination.prefix + "deeper/"),
            (BUCKET, plan(of=ME).destination.prefix.rstrip("/") + "0"),
            ("their-bucket", plan(of=ME).destination.prefix),
        ],
    )
    def test_a_report_elsewhere_is_never_cancelled(
        self, clients: Clients, inspector: FakeInspector, on_busy: str, id_is_known: bool, bucket: str, prefix: str
    ) -> None:
        my_turn(clients, {"on_busy": on_busy})
        if id_is_known:
            run_store.note_report(clients.table, ME, OTHER_ID, minutes(1))
        inspector.put(OTHER_ID, "IN_PROGRESS", prefix, bucket)
        assert self.cancel(clients) == "NONE"
        assert "cancel" not in inspector.calls
