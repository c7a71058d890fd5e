"""What home makes of what the Regions have said."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from findings_exporter.model.home_messages import HomeMessage, OwnerNumbers
from findings_exporter.model.summary import ENDED_STATES, SUPPLEMENT_WAIT, Expected, is_due
from tests.builders.summaries import HOME, NOW, OTHER, THIRD, TIME, ended, failed, start, summary

WELL: list[HomeMessage] = [start(HOME), start(OTHER), ended(HOME), ended(OTHER)]


class TestStates:
    def test_what_was_not_heard_from_stands_first_and_is_a_problem(self) -> None:
        made = summary(start(HOME), failed(HOME))
        assert [(row.region, row.state) for row in made.rows] == [(OTHER, "SILENT"), (HOME, "FAILED")]
        assert made.level == "PROBLEM"
        assert not made.is_complete

    def test_a_report_that_began_is_running_and_not_silent(self) -> None:
        made = summary(*WELL[:3])
        (row,) = made.in_state("RUNNING")
        assert (row.region, row.since) == (OTHER, "2026-11-30T03:00:02+00:00")
        assert not made.in_state("SILENT")

    def test_a_region_whose_start_notice_is_late_is_not_silent_while_another_report_of_it_is_known(self) -> None:
        expected = Expected((HOME,), ("nightly", "weekly"), by_home=True)
        made = summary(ended(HOME, "nightly"), expected=expected)
        assert {row.report: row.state for row in made.rows} == {"nightly": "SUCCEEDED", "weekly": "RUNNING"}

    def test_a_start_that_found_the_one_before_running_is_said_and_not_waited_for(self) -> None:
        made = summary(start(HOME), ended(HOME), start(OTHER, state="PREVIOUS_RUNNING"))
        assert [row.state for row in made.rows] == ["PREVIOUS_RUNNING", "SUCCEEDED"]
        assert made.is_complete

    def test_a_report_that_a_region_does_not_have_is_said_and_one_that_home_lacks_is_shown(self) -> None:
        made = summary(start(HOME), ended(HOME), start(OTHER, "weekly"), ended(OTHER, "weekly"))
        assert {(row.region, row.report): row.state for row in made.rows if row.is_expected} == {
            (HOME, "nightly"): "SUCCEEDED",
            (OTHER, "nightly"): "NOT_CONFIGURED",
        }
        (unexpected,) = (row for row in made.rows if not row.is_expected)
        assert (unexpected.region, unexpected.report, unexpected.state) == (OTHER, "weekly", "SUCCEEDED")
        assert made.is_complete

    def test_a_run_that_a_person_started_later_stands_for_the_scheduled_one(self) -> None:
        later = ended(HOME, execution="arn:x:y:again", started_at="2026-11-30T09:00:00+00:00", replaces=True)
        made = summary(later, failed(HOME), ended(OTHER))
        assert [row.state for row in made.rows] == ["SUCCEEDED", "SUCCEEDED"]

    def test_that_a_report_never_began_does_not_hide_that_it_did(self) -> None:
        began, never = ended(HOME), failed(HOME, outcome="NOT_STARTED", started_at="2026-11-30T04:00:00+00:00")
        assert next(row for row in summary(began, never).rows if row.region == HOME).state == "SUCCEEDED"

    def test_a_region_with_another_configuration_is_named(self) -> None:
        assert summary(start(HOME), start(OTHER, config_hash="b2")).differing == (OTHER,)
        assert summary(start(HOME), start(OTHER)).differing == ()

    def test_a_file_that_cannot_be_used_is_a_problem_although_all_that_was_exported_is_well(self) -> None:
        came: list[HomeMessage] = [start(HOME, notes=("no file",)), start(OTHER), ended(HOME), ended(OTHER)]
        assert (summary(*came).level, summary(*came).without_file) == ("PROBLEM", [HOME])

    def test_a_supplement_does_not_say_again_that_a_file_cannot_be_used(self) -> None:
        later = ended(OTHER, execution="arn:aws:states:us-east-1:1:execution:exporter-ExportFindings:later", replaces=True)
        came: list[HomeMessage] = [start(HOME, notes=("no file",)), start(OTHER), ended(HOME), ended(OTHER), later]
        assert summary(*came, number=1, new=frozenset([later.key])).level == "NONE"
        assert summary(*came, number=1, new=frozenset([start(HOME).key])).level == "PROBLEM"

    @given(st.permutations([start(HOME), start(OTHER), ended(HOME), failed(OTHER), ended(OTHER, "weekly"), start(THIRD)]))
    def test_the_order_in_which_messages_come_changes_nothing(self, messages: list[HomeMessage]) -> None:
        known = {(row.region, row.report): row for row in summary(*sorted(messages, key=lambda each: each.key)).rows}
        assert {(row.region, row.report): row for row in summary(*messages).rows} == known

    @given(st.sets(st.sampled_from(["h", "o", "hs", "os"])))
    def test_each_expected_report_has_one_row(self, heard: set[str]) -> None:
        known: dict[str, HomeMessage] = {"h": ended(HOME), "o": failed(OTHER), "hs": start(HOME), "os": start(OTHER)}
        rows = summary(*(known[each] for each in sorted(heard))).rows
        assert sorted((row.region, row.report) for row in rows) == [(HOME, "nightly"), (OTHER, "nightly")]
        assert all((row.state in ENDED_STATES) == (row.region[0].replace("e", "h").replace("u", "o") in heard) for row in rows)


class TestNumbers:
    def test_the_total_is_that_of_the_first_report_of_each_region(self) -> None:
        expected = Expected((HOME, OTHER), ("nightly", "weekly"), by_home=True)
        made = summary(
            ended(HOME, open=10, new=1), ended(HOME, "weekly", open=500), ended(OTHER, open=5, new=2), expected=expected
        )
        totals = made.totals
        assert (totals.open, totals.new, totals.regions, totals.of_regions) == (15, 3, 2, 2)

    def test_what_was_not_heard_from_is_not_counted_as_nothing(self) -> None:
        totals = summary(ended(HOME, open=10)).totals
        assert (totals.open, totals.regions, totals.of_regions) == (10, 1, 2)

    def test_a_region_that_is_not_expected_is_in_no_sum(self) -> None:
        stranger = ended(THIRD, open=800, owners=(OwnerNumbers("shop", 800),))
        made = summary(ended(HOME, open=10), stranger)
        assert (made.totals.open, made.totals.regions, made.totals.of_regions) == (10, 1, 2)
        assert made.regions == {HOME, OTHER}
        assert made.owners == []
        assert [row.region for row in made.unexpected] == [THIRD]

    def test_in_a_supplement_another_report_does_not_stand_for_the_first_one(self) -> None:
        expected = Expected((HOME,), ("all", "critical"), by_home=True)
        in_time, late = ended(HOME, "all", open=800), ended(HOME, "critical", open=7, owners=(OwnerNumbers("shop", 7),))
        made = summary(in_time, late, expected=expected, number=1, new=frozenset({late.key}))
        assert (made.totals.open, made.totals.new, made.totals.regions) == (0, None, 0)
        assert made.owners == []

    def test_where_nothing_was_compared_the_new_are_unknown(self) -> None:
        assert summary(ended(HOME, new=None, no_longer_open=None)).totals.new is None

    def test_owners_are_added_up_over_regions(self) -> None:
        shop = OwnerNumbers("shop", 5, 1, None, 2)
        made = summary(
            ended(HOME, owners=(shop, OwnerNumbers("web", 9))), ended(OTHER, owners=(OwnerNumbers("shop", 6, 0, 3, None),))
        )
        assert made.owners == [OwnerNumbers("shop", 11, 1, 3, 2), OwnerNumbers("web", 9, 0, None, None)]

    def test_where_a_region_has_more_owners_than_it_sends_the_sum_of_none_is_known(self) -> None:
        shop = OwnerNumbers("shop", 45)
        made = summary(ended(HOME, owners=(OwnerNumbers("web", 9),), owner_count=51), ended(OTHER, owners=(shop,), owner_count=1))
        assert made.owners is None

    def test_where_the_owners_of_a_region_are_unknown_the_sum_of_none_is_known(self) -> None:
        shop = (OwnerNumbers("shop", 45),)
        assert summary(ended(HOME, owners=shop, owner_count=1), ended(OTHER, open=7)).owners is None
        assert summary(ended(HOME, owners=shop, owner_count=1), ended(OTHER, open=0)).owners == [*shop]
        assert summary(ended(HOME), ended(OTHER)).owners == []

    @pytest.mark.parametrize(
        ("messages", "level"),
        [
            (WELL, "NONE"),
            ([ended(HOME, level="CHANGES", new=1), ended(OTHER)], "CHANGES"),
            ([ended(HOME, coverage="lost", level="PROBLEM"), ended(OTHER)], "PROBLEM"),
            ([ended(HOME, coverage="unknown", level="CHANGES"), ended(OTHER)], "PROBLEM"),
            ([ended(HOME, unusual_drop=True, level="CHANGES"), ended(OTHER)], "PROBLEM"),
            ([ended(HOME, analysis="FAILED", open=None, level="CHANGES"), ended(OTHER)], "PROBLEM"),
            ([failed(HOME, outcome="ABORTED", level="NONE"), ended(OTHER)], "PROBLEM"),
            ([ended(HOME)], "PROBLEM"),
        ],
    )
    def test_the_level_is_that_of_the_worst(self, messages: list[HomeMessage], level: str) -> None:
        assert summary(*messages).level == level


class TestWhenItIsDue:
    DEADLINE = NOW + timedelta(hours=6)

    def test_as_soon_as_everything_has_come(self) -> None:
        assert is_due(summary(*WELL), self.DEADLINE, None, NOW, has_new=True)
        assert not is_due(summary(*WELL[:3]), self.DEADLINE, None, NOW, has_new=True)

    def test_at_the_deadline_whatever_is_missing(self) -> None:
        assert is_due(summary(), self.DEADLINE, None, self.DEADLINE, has_new=False)

    def test_not_before_home_s_own_schedule_has_said_what_is_expected(self) -> None:
        guessed = Expected((HOME, OTHER), ("nightly",), by_home=False)
        assert not is_due(summary(*WELL, expected=guessed), self.DEADLINE, None, NOW, has_new=True)
        assert is_due(summary(*WELL, expected=guessed), self.DEADLINE, None, self.DEADLINE, has_new=True)

    def test_a_supplement_waits_for_the_others_and_is_not_sent_for_nothing(self) -> None:
        sent = self.DEADLINE
        assert not is_due(summary(*WELL[:3]), self.DEADLINE, sent, sent + timedelta(hours=1), has_new=True)
        assert is_due(summary(*WELL), self.DEADLINE, sent, sent + timedelta(hours=1), has_new=True)
        assert is_due(summary(*WELL[:3]), self.DEADLINE, sent, sent + SUPPLEMENT_WAIT, has_new=True)
        assert not is_due(summary(*WELL), self.DEADLINE, sent, sent + timedelta(days=1), has_new=False)


def test_a_supplement_has_what_is_new_and_what_is_still_missing() -> None:
    expected = Expected((HOME, OTHER, THIRD), ("nightly",), by_home=True)
    made = summary(ended(HOME), ended(OTHER), expected=expected, number=1, new=frozenset({ended(OTHER).key}))
    assert [(row.region, row.state) for row in made.rows] == [(THIRD, "SILENT"), (OTHER, "SUCCEEDED")]
    assert made.scheduled_for == TIME
