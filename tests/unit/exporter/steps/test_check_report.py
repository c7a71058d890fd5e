"""Check Report: a report is waited for until it has ended or the deadline has passed."""

import pytest

from findings_exporter.aws import run_store
from findings_exporter.aws.clients import Clients
from findings_exporter.model.errors import LockLostError
from findings_exporter.model.notes import Note, to_stored
from findings_exporter.model.run import Run
from findings_exporter.steps.check_report import check_report
from tests.builders.exporter import (
    REPORT_ID,
    FakeInspector,
    execution,
    minutes,
    my_prefix,
    my_turn,
)

ME = execution("run-1")


class TestCheck:
    @pytest.fixture
    def started(self, clients: Clients) -> Run:
        my_turn(clients)
        run_store.note_report(clients.table, ME, REPORT_ID, minutes(1))
        return run_store.load(clients.table, ME)

    @pytest.mark.parametrize("status", ["IN_PROGRESS", "QUEUED", "CANCELLING_SOON"])
    def test_a_report_that_has_not_ended_is_checked_again(
        self, clients: Clients, started: Run, inspector: FakeInspector, status: str
    ) -> None:
        inspector.put(REPORT_ID, status, my_prefix())
        assert check_report(clients, started, minutes(11)) == {"state": "IN_PROGRESS", "wait_seconds": 60}
        assert check_report(clients, started, minutes(359.9))["wait_seconds"] == 6

    def test_each_status_check_is_counted(
        self, clients: Clients, started: Run, inspector: FakeInspector, capsys: pytest.CaptureFixture[str]
    ) -> None:
        inspector.put(REPORT_ID, "IN_PROGRESS", my_prefix())
        for minute in (11, 12, 13):
            check_report(clients, started, minutes(minute))
        assert capsys.readouterr().out.count('"StatusChecks":[1.0]') == 3

    def test_a_report_that_succeeded_has_finished(self, clients: Clients, started: Run, inspector: FakeInspector) -> None:
        inspector.put(REPORT_ID, "SUCCEEDED", my_prefix())
        assert check_report(clients, started, minutes(11)) == {"state": "FINISHED", "found_nothing": False}
        assert check_report(clients, started, minutes(12))["state"] == "FINISHED"
        assert run_store.load(clients.table, ME).report_ended_at == minutes(11)

    def test_a_report_without_findings_has_finished(self, clients: Clients, started: Run, inspector: FakeInspector) -> None:
        inspector.put(REPORT_ID, "FAILED", my_prefix(), errorCode="NO_FINDINGS_FOUND")
        assert check_report(clients, started, minutes(11)) == {"state": "FINISHED", "found_nothing": True}

    @pytest.mark.parametrize(
        ("fields", "error", "cause"),
        [
            ({"status": "FAILED", "errorCode": "INTERNAL_ERROR"}, "Report.INTERNAL_ERROR", "ended with the status FAILED."),
            (
                {"status": "FAILED", "errorCode": "INVALID_PERMISSIONS", "errorMessage": "no"},
                "Report.INVALID_PERMISSIONS",
                "Inspector says: no",
            ),
            ({"status": "FAILED", "errorCode": "BUCKET_NOT_FOUND"}, "Report.BUCKET_NOT_FOUND", REPORT_ID),
            ({"status": "FAILED", "errorCode": "INCOMPATIBLE_BUCKET_REGION"}, "Report.INCOMPATIBLE_BUCKET_REGION", "FAILED"),
            ({"status": "FAILED", "errorCode": "MALFORMED_KMS_KEY"}, "Report.MALFORMED_KMS_KEY", "FAILED"),
            ({"status": "FAILED", "errorCode": "SOMETHING_NEW"}, "Report.SOMETHING_NEW", "FAILED"),
            ({"status": "FAILED"}, "Report.UNKNOWN_ERROR", "FAILED"),
            ({"status": "CANCELLED"}, "Report.CANCELLED", "ended with the status CANCELLED."),
            ({"status": "CANCELLED", "errorCode": "INTERNAL_ERROR"}, "Report.CANCELLED", "CANCELLED"),
        ],
        ids=lambda value: "-".join(value.values()) if isinstance(value, dict) else "",
    )
    def test_a_report_that_failed_ends_the_run_by_its_error(
        self, clients: Clients, started: Run, inspector: FakeInspector, fields: dict[str, str], error: str, cause: str
    ) -> None:
        status = fields["status"]
        inspector.put(REPORT_ID, status, my_prefix(), **{name: value for name, value in fields.items() if name != "status"})
        result = check_report(clients, started, minutes(11))
        assert (result["state"], result["failure"]["error"]) == ("FAILED", error)
        assert cause in result["failure"]["cause"]

    def test_a_report_that_inspector_no_longer_knows_ends_the_run(self, clients: Clients, started: Run) -> None:
        assert check_report(clients, started, minutes(11))["failure"]["error"] == "Report.UNKNOWN"

    def test_a_report_that_runs_past_the_deadline_ends_the_run(
        self, clients: Clients, started: Run, inspector: FakeInspector
    ) -> None:
        inspector.put(REPORT_ID, "IN_PROGRESS", my_prefix())
        assert check_report(clients, started, minutes(360))["failure"] == {
            "error": "DeadlineExceeded",
            "cause": "The deadline of 6 hours has passed."
            f" The report {REPORT_ID} still has the status IN_PROGRESS. The run asks Inspector to cancel it.",
            "note": to_stored(Note("cause.too_late_running", hours="6", report=REPORT_ID, status="IN_PROGRESS")),
        }  # fmt: skip

    def test_a_report_that_ends_just_past_the_deadline_still_counts(
        self, clients: Clients, started: Run, inspector: FakeInspector
    ) -> None:
        inspector.put(REPORT_ID, "SUCCEEDED", my_prefix())
        assert check_report(clients, started, minutes(361))["state"] == "FINISHED"

    def test_without_the_lock_nothing_is_checked(self, clients: Clients, started: Run, inspector: FakeInspector) -> None:
        clients.lock.release(ME, minutes(2))
        with pytest.raises(LockLostError):
            check_report(clients, started, minutes(11))
        assert inspector.calls == []
