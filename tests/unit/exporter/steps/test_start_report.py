"""Start Report: one report is created, whatever other reports Inspector has."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from findings_exporter.aws import run_store
from findings_exporter.aws.clients import StartClients
from findings_exporter.aws.lock import Lock
from findings_exporter.aws.table import Table
from findings_exporter.model.errors import LockLostError, NotRecordedError, StillCreatingError
from findings_exporter.model.notes import Note, to_stored
from findings_exporter.steps import start_report
from tests.builders.exporter import (
    BUCKET,
    EVENTS_A_STANDARD_EXECUTION_MAY_HAVE,
    EVENTS_PER_CHECK,
    OTHER_ID,
    REPORT_ID,
    START,
    Clock,
    FakeInspector,
    FakeStates,
    client_error,
    execution,
    minutes,
    my_prefix,
    my_turn,
    plan,
    planned,
    put_report,
)

ME, OTHER = execution("run-1"), execution("run-0")
EXTERNAL_PREFIX = "console/exports/"
ONE_AT_A_TIME = "Cannot have multiple reports in-progress"
ANY_REFUSAL = pytest.mark.parametrize(
    ("code", "status"), [("ValidationException", 400), ("ConflictException", 409), ("ServiceQuotaExceededException", 402)]
)


def start(start_clients: StartClients, at: float = 1) -> dict[str, Any]:
    """Run the step as its handler does."""
    return start_report.start_report(start_clients, run_store.load(start_clients.table, ME), lambda: minutes(at), minutes(at + 1))


def creating_until(lock: Lock) -> object:
    """Until when a function of the lock's holder may create."""
    holder = lock.holder()
    assert holder is not None
    return holder.creating_until


def notes(table: Table) -> tuple[str, ...]:
    """The notes of my run."""
    return run_store.load(table, ME).notes


class TestStart:
    def test_a_report_is_created_when_no_other_is_in_progress(
        self, start_clients: StartClients, inspector: FakeInspector, table: Table
    ) -> None:
        my_turn(start_clients)
        assert start(start_clients) == {"state": "STARTED", "report_id": REPORT_ID, "wait_seconds": 15}
        assert inspector.requests[0]["s3Destination"]["keyPrefix"] == my_prefix()
        run = run_store.load(table, ME)
        assert (run.report_id, run.report_created_at) == (REPORT_ID, minutes(1))
        assert creating_until(start_clients.lock) is None

    def test_a_repeated_step_starts_no_second_report(self, start_clients: StartClients, inspector: FakeInspector) -> None:
        my_turn(start_clients)
        first = start(start_clients)
        assert start(start_clients, at=1.1)["report_id"] == first["report_id"]
        assert inspector.calls.count("create") == 1

    def test_without_the_lock_nothing_is_done(self, start_clients: StartClients, inspector: FakeInspector) -> None:
        planned(start_clients.table, ME)
        with pytest.raises(LockLostError):
            start(start_clients)
        start_clients.lock.acquire(FakeStates().client, OTHER, START)
        with pytest.raises(LockLostError):
            start(start_clients)
        assert inspector.calls == []

    def test_a_run_without_a_plan_is_not_started(self, start_clients: StartClients) -> None:
        run_store.open_run(start_clients.table, ME, "{}")
        with pytest.raises(NotRecordedError):
            start(start_clients)

    @pytest.mark.parametrize("expected", [my_prefix(), my_prefix().rstrip("/")], ids=["with a last slash", "without"])
    @pytest.mark.parametrize("status", ["IN_PROGRESS", "QUEUED"])
    def test_a_report_of_an_earlier_try_is_found_by_its_status(
        self, start_clients: StartClients, inspector: FakeInspector, status: str, expected: str
    ) -> None:
        my_turn(start_clients)
        inspector.put(REPORT_ID, status, expected)
        assert start(start_clients)["report_id"] == REPORT_ID
        assert "create" not in inspector.calls

    def test_a_finished_report_of_an_earlier_try_is_found_by_listing(
        self, start_clients: StartClients, inspector: FakeInspector
    ) -> None:
        my_turn(start_clients)
        put_report(b"{}", f"{my_prefix()}{REPORT_ID}.json")
        assert start(start_clients)["report_id"] == REPORT_ID
        assert "create" not in inspector.calls

    def test_an_object_that_is_no_report_is_not_taken_for_one(
        self, start_clients: StartClients, inspector: FakeInspector
    ) -> None:
        my_turn(start_clients)
        put_report(b"", my_prefix())
        put_report(b"x", f"{my_prefix()}readme.json")
        put_report(b"x", f"{my_prefix()}deeper/{OTHER_ID}.json")
        assert start(start_clients)["report_id"] == REPORT_ID
        assert inspector.calls.count("create") == 1

    def test_a_finished_external_report_does_not_block(self, start_clients: StartClients, inspector: FakeInspector) -> None:
        my_turn(start_clients)
        inspector.put(OTHER_ID, "IN_PROGRESS", EXTERNAL_PREFIX)
        inspector.reports[OTHER_ID]["status"] = "SUCCEEDED"

        def the_last_one(reportId: str | None = None) -> dict[str, Any]:  # noqa: N803
            return inspector.reports[reportId or OTHER_ID]

        inspector.get_findings_report_status = the_last_one  # type: ignore[method-assign]
        assert start(start_clients)["state"] == "STARTED"

    def test_an_external_report_is_waited_for(self, start_clients: StartClients, inspector: FakeInspector, table: Table) -> None:
        my_turn(start_clients, {"on_busy": "wait"})
        inspector.put(OTHER_ID, "IN_PROGRESS", EXTERNAL_PREFIX, "their-bucket")
        assert start(start_clients, at=20) == {"state": "BUSY", "wait_seconds": 120}
        assert start(start_clients, at=30) == {"state": "BUSY", "wait_seconds": 180}
        assert inspector.calls == ["current", "current"]
        place = f"s3://their-bucket/{EXTERNAL_PREFIX}"
        assert notes(table) == (
            f"The run waited: Inspector was already creating another report ({OTHER_ID}, to {place}).",
        )  # fmt: skip

    @pytest.mark.parametrize(
        ("on_busy", "expected"),
        [("wait", "Inspector was already creating another report"), ("cancel", "was cancelled, because on_busy is cancel")],
    )
    def test_a_prefix_of_any_length_and_content_leaves_what_became_of_its_report(
        self, start_clients: StartClients, inspector: FakeInspector, table: Table, on_busy: str, expected: str
    ) -> None:
        my_turn(start_clients, {"on_busy": on_busy})
        inspector.put(OTHER_ID, "IN_PROGRESS", "x\n\u202e\u200b" * 300, "their-bucket")
        start(start_clients, at=20)
        (note,) = notes(table)
        assert expected in note
        assert note.isprintable()

    def test_an_external_report_ends_the_run_where_on_busy_is_fail(
        self, start_clients: StartClients, inspector: FakeInspector
    ) -> None:
        my_turn(start_clients, {"on_busy": "fail"})
        inspector.put(OTHER_ID, "IN_PROGRESS", EXTERNAL_PREFIX)
        result = start(start_clients)
        assert (result["state"], result["failure"]["error"]) == ("FAILED", "InspectorBusy")
        assert OTHER_ID in result["failure"]["cause"]
        assert "cancel" not in inspector.calls

    def test_an_external_report_is_cancelled_only_where_on_busy_says_so(
        self, start_clients: StartClients, inspector: FakeInspector, table: Table
    ) -> None:
        my_turn(start_clients, {"on_busy": "cancel"})
        inspector.put(OTHER_ID, "IN_PROGRESS", EXTERNAL_PREFIX)
        assert start(start_clients) == {"state": "BUSY", "wait_seconds": 15}
        assert start(start_clients, at=20) == {"state": "BUSY", "wait_seconds": 120}
        assert start(start_clients, at=100) == {"state": "BUSY", "wait_seconds": 300}
        assert inspector.reports[OTHER_ID]["status"] == "CANCELLING"
        assert "on_busy is cancel" in notes(table)[0]
        inspector.reports[OTHER_ID]["status"] = "CANCELLED"
        assert start(start_clients)["state"] == "STARTED"

    @pytest.mark.parametrize(
        ("bucket", "prefix"),
        [
            ("their-bucket", "inspector/reports/nightly/year=2026/month=11/day=23/run-0/"),
            (BUCKET, "inspector/reports/nightly/year=2026/month=11/day=23/unknown/"),
            (BUCKET, "inspector/reports/weekly/year=2026/month=11/day=23/run-0/"),
            (BUCKET, "elsewhere/reports/nightly/year=2026/month=11/day=23/run-0/"),
        ],
        ids=[
            "our layout in another bucket",
            "our layout, but no execution of ours",
            "an execution's name, but another report's place",
            "an execution's name, but another prefix",
        ],
    )
    def test_a_report_that_only_looks_like_ours_is_external(
        self, start_clients: StartClients, inspector: FakeInspector, states: FakeStates, bucket: str, prefix: str
    ) -> None:
        my_turn(start_clients, {"on_busy": "fail"})
        planned(start_clients.table, OTHER)
        states.add(OTHER, "ABORTED")
        inspector.put(OTHER_ID, "IN_PROGRESS", prefix, bucket)
        assert start(start_clients)["failure"]["error"] == "InspectorBusy"
        assert "cancel" not in inspector.calls

    @pytest.mark.parametrize("on_busy", ["wait", "fail"])
    def test_a_dead_runs_report_is_cancelled_whatever_on_busy_says(
        self, start_clients: StartClients, inspector: FakeInspector, states: FakeStates, on_busy: str
    ) -> None:
        my_turn(start_clients, {"on_busy": on_busy})
        planned(start_clients.table, OTHER)
        states.add(OTHER, "ABORTED")
        inspector.put(OTHER_ID, "IN_PROGRESS", plan(of=OTHER).destination.prefix)
        assert start(start_clients) == {"state": "BUSY", "wait_seconds": 15}
        assert start(start_clients, at=20) == {"state": "BUSY", "wait_seconds": 120}
        assert start(start_clients, at=100) == {"state": "BUSY", "wait_seconds": 300}
        assert inspector.reports[OTHER_ID]["status"] == "CANCELLING"
        assert notes(start_clients.table) == (
            f"The report {OTHER_ID}, left by the ended run run-0, was cancelled.",
        )  # fmt: skip

    def test_a_dead_runs_report_is_recognised_where_inspector_returns_its_prefix_without_the_last_slash(
        self, start_clients: StartClients, inspector: FakeInspector, states: FakeStates
    ) -> None:
        my_turn(start_clients, {"on_busy": "fail"})
        planned(start_clients.table, OTHER)
        states.add(OTHER, "ABORTED")
        inspector.put(OTHER_ID, "IN_PROGRESS", plan(of=OTHER).destination.prefix.rstrip("/"))
        assert start(start_clients)["state"] == "BUSY"
        assert inspector.reports[OTHER_ID]["status"] == "CANCELLING"

    def test_a_dead_runs_report_is_recognised_after_a_deployment_has_moved_the_place(
        self, start_clients: StartClients, inspector: FakeInspector, states: FakeStates
    ) -> None:
        my_turn(start_clients, {"on_busy": "fail"})
        run_store.open_run(start_clients.table, OTHER, "{}")
        before = plan({}, OTHER, BUCKET="the-bucket-before", KEY_PREFIX="before")
        run_store.note_plan(start_clients.table, OTHER, before)
        states.add(OTHER, "ABORTED")
        inspector.put(OTHER_ID, "IN_PROGRESS", before.destination.prefix, before.destination.bucket)
        assert start(start_clients)["state"] == "BUSY"
        assert inspector.reports[OTHER_ID]["status"] == "CANCELLING"

    @pytest.mark.parametrize("whose", ["dead", "external"])
    def test_a_cancelled_report_that_never_stops_is_asked_for_until_the_deadline_within_the_history(
        self, start_clients: StartClients, inspector: FakeInspector, states: FakeStates, whose: str
    ) -> None:
        hours = 4  # later on a wait is at its longest: what holds by then holds all day
        my_turn(start_clients, {"on_busy": "cancel", "deadline_hours": hours})
        planned(start_clients.table, OTHER)
        states.add(OTHER, "ABORTED")
        inspector.put(OTHER_ID, "IN_PROGRESS", EXTERNAL_PREFIX if whose == "external" else plan(of=OTHER).destination.prefix)
        elapsed = 0
        for _ in range(EVENTS_A_STANDARD_EXECUTION_MAY_HAVE // EVENTS_PER_CHECK // 5 * hours // 24):
            result = start(start_clients, at=elapsed / 60)
            if result["state"] != "BUSY":
                break
            elapsed += result["wait_seconds"]
        assert (elapsed, result["failure"]["error"]) == (hours * 3600, "DeadlineExceeded")

    @pytest.mark.parametrize("on_busy", ["wait", "cancel", "fail"])
    def test_a_living_runs_report_is_waited_for_whatever_on_busy_says(
        self, start_clients: StartClients, inspector: FakeInspector, states: FakeStates, on_busy: str
    ) -> None:
        my_turn(start_clients, {"on_busy": on_busy})
        planned(start_clients.table, OTHER)
        states.add(OTHER)
        inspector.put(OTHER_ID, "IN_PROGRESS", plan(of=OTHER).destination.prefix)
        assert start(start_clients)["state"] == "BUSY"
        assert "cancel" not in inspector.calls

    @pytest.mark.parametrize("whose", ["external", "dead"])
    def test_another_report_that_never_ends_ends_the_run_at_its_deadline(
        self, start_clients: StartClients, inspector: FakeInspector, states: FakeStates, whose: str
    ) -> None:
        my_turn(start_clients)
        planned(start_clients.table, OTHER)
        states.add(OTHER, "ABORTED")
        inspector.put(OTHER_ID, "STUCK", EXTERNAL_PREFIX if whose == "external" else plan(of=OTHER).destination.prefix)
        result = start(start_clients, at=360)
        assert result["failure"]["error"] == "DeadlineExceeded"
        assert "The deadline of 6 hours has passed. Inspector was still creating another report" in result["failure"]["cause"]

    def test_a_turn_that_comes_too_late_is_not_used(self, start_clients: StartClients, inspector: FakeInspector) -> None:
        my_turn(start_clients)
        result = start(start_clients, at=361)
        assert result["failure"]["error"] == "DeadlineExceeded"
        assert inspector.calls == ["current"]

    def test_creating_is_marked_until_the_function_is_surely_over(
        self, start_clients: StartClients, inspector: FakeInspector
    ) -> None:
        seen: list[object] = []
        inspector.on_create = lambda: seen.append(creating_until(start_clients.lock))
        my_turn(start_clients)
        start(start_clients)
        assert seen == [minutes(2) + start_report.OUTLIVE_MARGIN + timedelta(seconds=1)]

    @pytest.mark.parametrize(
        "lost",
        [
            client_error("InternalServerException", 500),
            client_error("ServiceUnavailable", 503),
            ReadTimeoutError(endpoint_url="https://inspector2"),
            ConnectionClosedError(endpoint_url="https://inspector2"),
        ],
        ids=["500", "503", "timeout", "closed"],
    )
    def test_after_a_lost_answer_the_next_try_checks_and_waits_rather_than_creates_twice(
        self, start_clients: StartClients, inspector: FakeInspector, lost: Exception
    ) -> None:
        my_turn(start_clients)
        inspector.refuse("create", lost)
        with pytest.raises(type(lost)):
            start(start_clients)
        assert creating_until(start_clients.lock) == minutes(1) + start_report.LANDING
        assert start(start_clients, at=1.1) == {"state": "BUSY", "wait_seconds": 15}
        inspector.put(REPORT_ID, "IN_PROGRESS", my_prefix())  # the create had its effect after all
        assert start(start_clients, at=1.15)["report_id"] == REPORT_ID
        assert inspector.calls.count("create") == 1
        assert creating_until(start_clients.lock) is None

    def test_a_lost_answer_keeps_the_mark_from_the_time_at_which_it_was_lost(
        self, start_clients: StartClients, inspector: FakeInspector
    ) -> None:
        run = my_turn(start_clients)
        clock = Clock(minutes(1))

        def half_a_minute_passes() -> None:
            clock.time = minutes(1.5)

        inspector.on_create = half_a_minute_passes
        inspector.refuse("create", ReadTimeoutError(endpoint_url="https://inspector2"))
        with pytest.raises(ReadTimeoutError):
            start_report.start_report(start_clients, run, clock, minutes(2))
        assert creating_until(start_clients.lock) == minutes(1.5) + clock.step + start_report.LANDING

    def test_a_second_function_of_the_run_creates_nothing_beside_the_first(
        self, start_clients: StartClients, inspector: FakeInspector
    ) -> None:
        my_turn(start_clients)
        marks: list[object] = []

        def second() -> None:
            inspector.on_create = None
            run = run_store.load(start_clients.table, ME)
            with pytest.raises(StillCreatingError):
                start_report._create(start_clients, run, None, lambda: minutes(1), minutes(5))
            marks.append(creating_until(start_clients.lock))

        inspector.on_create = second
        assert start(start_clients)["state"] == "STARTED"
        assert marks == [minutes(2) + start_report.OUTLIVE_MARGIN + timedelta(seconds=1)]
        assert inspector.calls.count("create") == 1

    def test_a_try_that_checked_before_another_one_created_takes_that_report(
        self, start_clients: StartClients, inspector: FakeInspector
    ) -> None:
        stale = my_turn(start_clients)
        first = start(start_clients)
        inspector.reports[REPORT_ID]["status"] = "FAILED"  # it has ended already, so another report can start
        second = start_report._create(start_clients, stale, None, lambda: minutes(2), minutes(3))
        assert (second["state"], second["report_id"]) == ("STARTED", first["report_id"])
        assert inspector.calls.count("create") == 1
        assert creating_until(start_clients.lock) is None

    def test_a_try_that_checked_before_an_answer_was_lost_checks_again(
        self, start_clients: StartClients, inspector: FakeInspector
    ) -> None:
        stale = my_turn(start_clients)
        inspector.refuse("create", ConnectionClosedError(endpoint_url="https://inspector2"))
        with pytest.raises(ConnectionClosedError):
            start(start_clients)
        with pytest.raises(StillCreatingError):
            start_report._create(start_clients, stale, None, lambda: minutes(5), minutes(6))
        assert inspector.calls.count("create") == 1

    @pytest.mark.parametrize("answer", ["lost", "refused", "created"])
    def test_an_answer_that_comes_after_the_mark_has_passed_leaves_the_next_functions_mark_alone(
        self, start_clients: StartClients, inspector: FakeInspector, answer: str
    ) -> None:
        run = my_turn(start_clients)
        lock, marks = start_clients.lock, []
        inspector.on_create = lambda: marks.append(
            lock.mark_creating(ME, minutes(9), minutes(5), lock.require(ME).creating_until)
        )
        if answer == "lost":
            inspector.refuse("create", ConnectionClosedError(endpoint_url="https://inspector2"))
        elif answer == "refused":
            inspector.refuse("create", client_error("ThrottlingException", 429))
        with suppress(ClientError, ConnectionClosedError):
            start_report.start_report(start_clients, run, lambda: minutes(1), minutes(2))
        assert [creating_until(lock)] == marks

    def test_after_a_lost_answer_that_had_no_effect_the_report_is_created_when_it_is_safe(
        self, start_clients: StartClients, inspector: FakeInspector
    ) -> None:
        my_turn(start_clients)
        inspector.refuse("create", client_error("InternalServerException", 500))
        with pytest.raises(ClientError):
            start(start_clients)
        assert start(start_clients, at=1.15)["state"] == "BUSY"
        assert start(start_clients, at=1.3)["state"] == "STARTED"

    @pytest.mark.parametrize("code", ["ThrottlingException", "TooManyRequestsException", "AccessDeniedException", "AccessDenied"])
    def test_a_create_that_was_refused_for_sure_keeps_no_one_waiting(
        self, start_clients: StartClients, inspector: FakeInspector, code: str
    ) -> None:
        my_turn(start_clients)
        inspector.refuse("create", client_error(code, 429))
        with pytest.raises(ClientError, match=code):
            start(start_clients)
        assert creating_until(start_clients.lock) is None
        assert start(start_clients)["state"] == "STARTED"

    @ANY_REFUSAL
    def test_a_create_that_another_report_preceded_waits(
        self, start_clients: StartClients, inspector: FakeInspector, code: str, status: int
    ) -> None:
        my_turn(start_clients)
        inspector.on_create = lambda: inspector.put(OTHER_ID, "IN_PROGRESS", EXTERNAL_PREFIX)
        inspector.refuse("create", client_error(code, status, text="whatever the text says"))
        assert start(start_clients, at=20) == {"state": "BUSY", "wait_seconds": 120}
        assert creating_until(start_clients.lock) is None
        assert OTHER_ID in notes(start_clients.table)[0]

    @ANY_REFUSAL
    def test_a_refused_create_is_tried_again_where_the_text_names_another_report_although_none_is_in_progress(
        self, start_clients: StartClients, inspector: FakeInspector, code: str, status: int
    ) -> None:
        my_turn(start_clients)
        inspector.refuse("create", client_error(code, status, text=ONE_AT_A_TIME))
        assert start(start_clients, at=20) == {"state": "BUSY", "wait_seconds": 120}
        assert creating_until(start_clients.lock) is None

    @ANY_REFUSAL
    def test_a_refused_create_that_finds_its_own_report_takes_it(
        self, start_clients: StartClients, inspector: FakeInspector, code: str, status: int
    ) -> None:
        my_turn(start_clients)
        inspector.on_create = lambda: inspector.put(OTHER_ID, "IN_PROGRESS", my_prefix())
        inspector.refuse("create", client_error(code, status, text=ONE_AT_A_TIME))
        assert start(start_clients)["report_id"] == OTHER_ID

    @ANY_REFUSAL
    def test_a_create_that_inspector_refuses_ends_the_run_with_inspectors_words(
        self, start_clients: StartClients, inspector: FakeInspector, code: str, status: int
    ) -> None:
        my_turn(start_clients)
        inspector.refuse("create", client_error(code, status, text="FilterCriteria is too narrow"))
        assert start(start_clients)["failure"] == {
            "error": "CreateRefused",
            "cause": f"Inspector refused to create the report ({code}): FilterCriteria is too narrow",
            "note": to_stored(Note("cause.refused", code=code, text="FilterCriteria is too narrow")),
        }
        assert creating_until(start_clients.lock) is None

    def test_the_first_wait_is_as_long_as_recent_reports_took(self, start_clients: StartClients) -> None:
        table = start_clients.table
        for seconds, name in ((1000, "n-3"), (900, "n-2")):
            of = execution(name, START - timedelta(days=int(name[-1])))
            planned(table, of)
            run_store.note_report(table, of, OTHER_ID, of.started_at)
            run_store.note_report_ended(table, of, of.started_at + timedelta(seconds=seconds))
            run_store.record(table, of, "SUCCEEDED", None, None, of.started_at + timedelta(hours=1))
        my_turn(start_clients)
        assert start(start_clients)["wait_seconds"] == 810
