"""What is written down: once, by whoever comes first, and readable for the next one."""

import json
from datetime import timedelta
from typing import Any

import pytest

from findings_exporter.aws import run_store
from findings_exporter.aws.table import Table
from findings_exporter.model.errors import Failure, NotificationInProgressError, NotRecordedError
from findings_exporter.model.run import Outcome, Run
from tests.builders.exporter import (
    OTHER_ID,
    REPORT_ID,
    SCHEDULE,
    START,
    delivery,
    ended_run,
    execution,
    items,
    minutes,
    nothing,
    plan,
    planned,
)

ME, OTHER = execution("me"), execution("other")
HEADLINE = {
    "fingerprints_key": "d/findings.fingerprints",
    "fingerprints_etag": "e2",
    "parquet_prefix": "f/me/",
    "names_key": "d/findings.names",
    "names_etag": "e1",
    "by_severity": {"CRITICAL": 3},
    "open": 7,
    "coverage_status": {"state": "lost"},
}
FAILED_ANALYSIS = {"error": "Analysis.NotStored", "sentence": "It could not be stored."}
BROKEN = Failure("Report.INTERNAL_ERROR", "Inspector failed.")


def succeed(table: Table, run_input: dict[str, Any] | None = None) -> Run:
    """Record a success of my run."""
    planned(table, ME, run_input)
    return run_store.record(table, ME, "SUCCEEDED", None, delivery(), minutes(12))[0]


def test_a_run_is_written_down_once(table: Table) -> None:
    first = run_store.open_run(table, ME, '{"a": 1}')
    before = items(table)
    assert run_store.open_run(table, ME, "something else") == first == run_store.load(table, ME)
    assert items(table) == before
    assert (first.execution, first.input, first.plan, first.outcome) == (ME, '{"a": 1}', None, None)


def test_a_huge_input_is_kept_in_part(table: Table) -> None:
    assert len(run_store.open_run(table, ME, "x" * 262_144).input) == run_store.INPUT_KEPT_CHARACTERS


def test_a_run_that_was_never_written_down_is_named(table: Table) -> None:
    assert run_store.find(table, "me") is None
    with pytest.raises(NotRecordedError, match="no record of the execution me"):
        run_store.load(table, ME)


def test_what_happens_is_noted_and_the_first_note_stands(table: Table) -> None:
    planned(table, ME)
    run_store.note_report(table, ME, REPORT_ID, minutes(1))
    run_store.note_report(table, ME, OTHER_ID, minutes(5))
    run_store.note_report_ended(table, ME, minutes(11))
    run_store.note_report_ended(table, ME, minutes(15))
    for text in ("b", "a", "b"):
        run_store.note(table, ME, text)
    run = run_store.load(table, ME)
    assert (run.plan, run.report_id, run.report_created_at, run.report_ended_at) == (
        plan(of=ME),
        REPORT_ID,
        *map(minutes, (1, 11)),
    )
    assert run.report_seconds == 600
    assert run.notes == ("a", "b")


def test_what_a_later_release_added_to_an_outcome_is_left_out(table: Table) -> None:
    recorded = succeed(table)
    stored = {**delivery().to_dict(), "analysis": "of a later release"}
    key = ("EXECUTION#me", "EXECUTION")
    table.update(key, "SET delivery = :delivery", {}, {":delivery": json.dumps(stored)})
    assert run_store.load(table, ME) == recorded
    failure = {"error": "X", "cause": "x", "coverage_status": "of a later release"}
    table.update(key, "SET failure = :failure", {}, {":failure": json.dumps(failure)})
    assert run_store.load(table, ME).failure == Failure("X", "x")


def test_a_note_creates_no_run(table: Table) -> None:
    run_store.note(table, ME, "a")
    run_store.note_report(table, ME, REPORT_ID, minutes(1))
    run_store.mark_notified(table, ME, minutes(1))
    assert items(table) == []


def test_durations_are_known_only_when_both_ends_are() -> None:
    assert ended_run().report_seconds == 600
    assert ended_run(report_created_at=None).report_seconds is None
    assert ended_run(report_ended_at=None).report_seconds is None
    assert ended_run().duration_seconds == 720
    assert ended_run(ended_at=None).duration_seconds == 0


class TestClaim:
    TIME, INPUT = "2026-11-23T03:00:00+00:00", '{"notify": true}'

    def test_a_scheduled_time_belongs_to_the_first_run(self, table: Table) -> None:
        assert run_store.claim_schedule(table, SCHEDULE, self.TIME, self.INPUT, ME) == ME.arn
        assert run_store.claim_schedule(table, SCHEDULE, self.TIME, self.INPUT, OTHER) == ME.arn

    def test_a_claim_accepts_its_own_run_again(self, table: Table) -> None:
        run_store.claim_schedule(table, SCHEDULE, self.TIME, self.INPUT, ME)
        before = items(table)
        assert run_store.claim_schedule(table, SCHEDULE, self.TIME, self.INPUT, ME) == ME.arn
        assert items(table) == before

    def test_another_time_or_schedule_is_free(self, table: Table) -> None:
        run_store.claim_schedule(table, SCHEDULE, self.TIME, self.INPUT, ME)
        assert run_store.claim_schedule(table, SCHEDULE, "2026-11-24T03:00:00+00:00", self.INPUT, OTHER) == OTHER.arn
        assert run_store.claim_schedule(table, SCHEDULE + "2", self.TIME, self.INPUT, OTHER) == OTHER.arn

    def test_another_input_for_the_same_time_is_another_claim(self, table: Table) -> None:
        forged = '{"notify": false}'
        assert run_store.claim_schedule(table, SCHEDULE, self.TIME, forged, OTHER) == OTHER.arn
        assert run_store.claim_schedule(table, SCHEDULE, self.TIME, self.INPUT, ME) == ME.arn
        assert run_store.claim_schedule(table, SCHEDULE, self.TIME, forged, ME) == OTHER.arn

    def test_a_claim_of_the_longest_input_fits_a_key(self, table: Table) -> None:
        assert run_store.claim_schedule(table, SCHEDULE, self.TIME, "x" * 100_000, ME) == ME.arn

    def test_a_claim_expires_by_itself(self, table: Table) -> None:
        run_store.claim_schedule(table, SCHEDULE, self.TIME, self.INPUT, ME)
        assert items(table)[0]["expires"] == {"N": str(int((START + run_store.CLAIM_KEPT).timestamp()))}


class TestRecord:
    def test_the_first_writer_decides_the_outcome(self, table: Table) -> None:
        planned(table, ME)
        first, decided = run_store.record(table, ME, "FAILED", BROKEN, None, minutes(12))
        second, again = run_store.record(table, ME, "ABORTED", Failure("Stopped", "x"), None, minutes(20))
        assert (decided, again) == (True, False)
        assert first == second
        assert (second.outcome, second.failure, second.ended_at) == ("FAILED", BROKEN, minutes(12))

    def test_a_writer_that_read_before_another_wrote_still_comes_second(
        self, table: Table, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stale = planned(table, ME)
        run_store.record(table, ME, "FAILED", BROKEN, None, minutes(12))
        real, reads = run_store.load, [stale]
        monkeypatch.setattr(run_store, "load", lambda table, execution: reads.pop() if reads else real(table, execution))
        recorded, decided = run_store.record(table, ME, "SUCCEEDED", None, delivery(), minutes(13))
        assert not decided
        assert recorded.outcome == "FAILED"

    def test_a_run_that_was_never_written_down_gets_no_outcome(self, table: Table) -> None:
        with pytest.raises(NotRecordedError):
            run_store.record(table, ME, "FAILED", BROKEN, None, minutes(12))
        assert items(table) == []

    @pytest.mark.parametrize("how", [delivery(), nothing("no_object")])
    def test_a_success_is_recorded_with_its_delivery(self, table: Table, how: Any) -> None:
        planned(table, ME)
        run, _ = run_store.record(table, ME, "SUCCEEDED", None, how, minutes(12))
        assert (run.outcome, run.delivery, run.failure, run.notified_at) == ("SUCCEEDED", how, None, None)

    def test_an_outcome_keeps_its_notification_id(self, table: Table) -> None:
        one = succeed(table).notification_id
        planned(table, OTHER)
        other = run_store.record(table, OTHER, "FAILED", BROKEN, None, minutes(12))[0].notification_id
        assert one
        assert one != other

    def test_a_run_is_open_until_its_notification_is_sent(self, table: Table) -> None:
        succeed(table)
        assert run_store.open_runs(table) == [ME]
        run_store.mark_notified(table, ME, minutes(13))
        assert run_store.open_runs(table) == []
        assert run_store.load(table, ME).notified_at == minutes(13)

    def test_an_open_run_is_found_even_where_the_rest_of_its_item_cannot_be_read(self, table: Table) -> None:
        run_store.open_run(table, ME, "{}")
        table.update(("EXECUTION#me", "EXECUTION"), "SET #plan = :plan", {"#plan": "plan"}, {":plan": "no JSON"})
        assert run_store.open_runs(table) == [ME]
        assert run_store.is_known(table, ME)
        assert not run_store.is_known(table, OTHER)

    def test_open_runs_come_the_oldest_first(self, table: Table) -> None:
        for name, days in (("b", 1), ("a", 2)):
            run_store.open_run(table, execution(name, START - timedelta(days=days)), "{}")
        assert [each.name for each in run_store.open_runs(table)] == ["a", "b"]

    @pytest.mark.parametrize(
        ("outcome", "notify", "silent"),
        [("SUCCEEDED", False, True), ("SUCCEEDED", True, False), ("FAILED", False, False), ("DUPLICATE", True, True)],
    )
    def test_only_a_success_that_asked_for_it_and_a_duplicate_are_silent(
        self, table: Table, outcome: Outcome, notify: bool, silent: bool
    ) -> None:
        planned(table, ME, {"notify": notify})
        run, _ = run_store.record(table, ME, outcome, None, None, minutes(12))
        assert (run.notified_at == minutes(12)) is silent
        assert (run_store.open_runs(table) == []) is silent
        kept = (table.get("EXECUTION#me", "EXECUTION") or {}).get("expires")
        assert kept == (int((minutes(12) + run_store.EXECUTION_KEPT).timestamp()) if silent else None)

    def test_a_failure_before_the_plan_is_reported_too(self, table: Table) -> None:
        run_store.open_run(table, ME, "{}")
        run, decided = run_store.record(table, ME, "FAILED", BROKEN, None, minutes(1))
        assert decided
        assert run.notified_at is None
        assert len(items(table)) == 1


class TestNotification:
    def test_one_notification_at_a_time(self, table: Table) -> None:
        succeed(table)
        run = run_store.claim_notification(table, ME, "first", minutes(13), minutes(14))
        assert run is not None
        assert run.outcome == "SUCCEEDED"
        with pytest.raises(NotificationInProgressError, match="the notification of the execution me"):
            run_store.claim_notification(table, ME, "second", minutes(14), minutes(15))

    def test_a_notification_that_died_is_repeated_after_its_lease(self, table: Table) -> None:
        succeed(table)
        first = run_store.claim_notification(table, ME, "first", minutes(13), minutes(14))
        second = run_store.claim_notification(table, ME, "second", minutes(14.1), minutes(16))
        assert first == second

    def test_an_outcome_is_not_notified_twice(self, table: Table) -> None:
        succeed(table)
        run_store.claim_notification(table, ME, "first", minutes(13), minutes(14))
        run_store.mark_notified(table, ME, minutes(13))
        assert run_store.claim_notification(table, ME, "second", minutes(99), minutes(100)) is None

    def test_only_its_holder_gives_a_claim_back(self, table: Table) -> None:
        succeed(table)
        run_store.claim_notification(table, ME, "first", minutes(13), minutes(14))
        run_store.claim_notification(table, ME, "second", minutes(14.1), minutes(16))
        run_store.release_notification(table, ME, "first")
        with pytest.raises(NotificationInProgressError):
            run_store.claim_notification(table, ME, "third", minutes(15), minutes(17))
        run_store.release_notification(table, ME, "second")
        assert run_store.claim_notification(table, ME, "third", minutes(15), minutes(17)) is not None

    @pytest.mark.parametrize("written", [False, True])
    def test_a_notification_needs_an_outcome(self, table: Table, written: bool) -> None:
        if written:
            planned(table, ME)
        with pytest.raises(NotRecordedError, match="has no outcome"):
            run_store.claim_notification(table, ME, "first", minutes(13), minutes(14))

    def test_a_claim_whose_answer_was_lost_is_still_ours(self, table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
        succeed(table)
        real = Table.update

        def answer_lost(self: Table, *arguments: Any, **more: Any) -> bool:
            real(self, *arguments, **more)
            return real(self, *arguments, **more)  # the client's own retry, refused by its first try

        monkeypatch.setattr(Table, "update", answer_lost)
        assert run_store.claim_notification(table, ME, "first", minutes(13), minutes(14)) is not None


class TestAnalysis:
    def test_a_run_without_an_analysis_has_none(self, table: Table) -> None:
        assert planned(table, ME).analysis is None

    def test_what_is_written_down_is_read_again_and_a_later_try_writes_over_it(self, table: Table) -> None:
        planned(table, ME)
        assert run_store.note_analysis(table, ME, FAILED_ANALYSIS)
        assert run_store.note_analysis(table, ME, HEADLINE)
        assert run_store.load(table, ME).analysis == HEADLINE

    def test_after_the_outcome_nothing_is_written_down_any_more(self, table: Table) -> None:
        succeed(table)
        assert not run_store.note_analysis(table, ME, HEADLINE)
        assert not run_store.note_analysis_failure(table, ME, FAILED_ANALYSIS)
        assert run_store.load(table, ME).analysis is None

    def test_what_the_workflow_caught_never_replaces_what_the_function_wrote(self, table: Table) -> None:
        planned(table, ME)
        assert run_store.note_analysis(table, ME, HEADLINE)
        assert not run_store.note_analysis_failure(table, ME, FAILED_ANALYSIS)
        assert run_store.load(table, ME).analysis == HEADLINE

    def test_a_success_leaves_in_the_history_what_the_next_analysis_looks_up(self, table: Table) -> None:
        planned(table, ME)
        run_store.note_analysis(table, ME, HEADLINE)
        run_store.record(table, ME, "SUCCEEDED", None, delivery(), minutes(12))
        (line,) = run_store.history(table, "nightly")
        assert {name: value for name, value in line.items() if name.startswith("analysis")} == {
            "analysis_fingerprints": "d/findings.fingerprints",
            "analysis_fingerprints_etag": "e2",
            "analysis_names": "d/findings.names",
            "analysis_names_etag": "e1",
        }
        assert (json.loads(line["by_severity"]), line["open_findings"]) == ({"CRITICAL": 3}, 7)
        assert line["coverage"] == "lost"

    @pytest.mark.parametrize(("outcome", "analysis"), [("ABORTED", HEADLINE), ("SUCCEEDED", FAILED_ANALYSIS)])
    def test_no_later_analysis_is_compared_with_a_run_that_failed_or_whose_analysis_did(
        self, table: Table, outcome: Any, analysis: dict[str, Any]
    ) -> None:
        planned(table, ME)
        run_store.note_analysis(table, ME, analysis)
        run_store.record(table, ME, outcome, None, delivery(), minutes(12))
        (line,) = run_store.history(table, "nightly")
        assert not line.keys() & {"analysis_fingerprints", "analysis_names", "by_severity", "open_findings", "coverage"}


class TestHistory:
    def test_a_reports_history_is_its_recent_successes_newest_first(self, table: Table) -> None:
        for daily_run in range(1, 26):
            each = execution(f"n{daily_run}", START - timedelta(days=daily_run))
            planned(table, each)
            run_store.note_report(table, each, REPORT_ID, each.started_at)
            run_store.note_report_ended(table, each, each.started_at + timedelta(seconds=daily_run))
            failure = BROKEN if daily_run % 3 == 0 else None
            run_store.record(table, each, "FAILED" if failure else "SUCCEEDED", failure, None, each.started_at)
        assert run_store.recent_report_seconds(table, "nightly") == [1, 2, 4, 5, 7, 8, 10, 11, 13, 14]
        assert run_store.recent_report_seconds(table, "other") == []

    def test_a_success_without_a_report_says_nothing_of_durations(self, table: Table) -> None:
        succeed(table)
        assert run_store.recent_report_seconds(table, "nightly") == []

    def test_a_line_holds_what_the_next_run_compares_with(self, table: Table) -> None:
        succeed(table)
        lines = list(table.newest("REPORT#nightly"))
        made, got = plan(of=ME), delivery()
        assert lines == [
            {
                "pk": "REPORT#nightly",
                "sk": "RUN#2026-11-23T03:00:00+00:00#me",
                "arn": ME.arn,
                "outcome": "SUCCEEDED",
                "filter_hash": made.filter_hash,
                "scheduled": 0,
                "notified": 1,
                "format": "JSON",
                "bucket": got.bucket,
                "key": got.key,
                "version_id": "v1",
                "size_bytes": got.size_bytes,
                "duration_seconds": 720,
                "expires": int((minutes(12) + run_store.HISTORY_KEPT).timestamp()),
            }
        ]

    def test_a_failure_leaves_its_error_and_a_duplicate_no_line(self, table: Table) -> None:
        planned(table, ME)
        run_store.record(table, ME, "FAILED", BROKEN, None, minutes(1))
        planned(table, OTHER)
        run_store.record(table, OTHER, "DUPLICATE", None, None, minutes(1))
        lines = list(table.newest("REPORT#nightly"))
        assert [(line["arn"], line["error"]) for line in lines] == [(ME.arn, "Report.INTERNAL_ERROR")]

    def test_recording_again_writes_the_same_line(self, table: Table) -> None:
        succeed(table)
        before = items(table)
        run_store.record(table, ME, "FAILED", BROKEN, None, minutes(99))
        assert items(table) == before

    def test_the_whole_item_stays_small_with_a_huge_input_and_cause(self, table: Table) -> None:
        run_store.open_run(table, ME, "x" * 262_144)
        run_store.note_plan(table, ME, plan(of=ME))
        run_store.record(table, ME, "FAILED", Failure("x" * 256, "ä" * 3000), None, minutes(1))
        assert len(json.dumps(items(table))) < 100_000
