"""Each rule of the summary can fail: what a broken exporter would say, or leave behind, is seen."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.faults.invariants import FaultSeen, InvocationSeen, Snapshot
from tests.faults.region_invariants import (
    ClaimSeen,
    RegionSeen,
    RunSeen,
    Said,
    Seen,
    StartSeen,
    SummarySeen,
    TimeSeen,
    broken_rules,
    state_of,
)

TIME, HOME, OTHER = "2026-11-30T03:00:00+00:00", "eu-west-1", "us-east-1"
BEGAN, LATER = "2026-11-30T03:00:02+00:00", "2026-11-30T09:00:00+00:00"
EXPECTED = ((HOME, OTHER), ("nightly",))
DEADLINE = 1_000.0
EXPORTED = ("Prepare Start", "Plan Reports", "Start Planned?", "Export Reports", "Export Report", "Finish Reports")
EMPTY = Snapshot("reports", (), {}, (), (), (), {})


def start_notice(region: str, state: str = "STARTED", at: float = 10.0, reports: tuple[str, ...] = ("nightly",)) -> Said:
    return Said(f"START#{region}", region, at, "", state, reports, (BEGAN, "start"))


def headline(region: str, outcome: str = "SUCCEEDED", at: float = 100.0, execution: str = "run", began: str = BEGAN) -> Said:
    key = f"HEADLINE#{region}#nightly#{execution}#{outcome}"
    return Said(key, region, at, "nightly", outcome, (), (began, execution))


def message(number: int = 0, notification_id: str = "", **states: str) -> SummarySeen:
    regions = {"home": HOME, "other": OTHER}
    rows = tuple(((regions[name], "nightly"), state) for name, state in states.items())
    return SummarySeen(number, notification_id or f"n-{number}", rows, repr(rows), EXPECTED)


def claim(*said: Said, number: int = 0, at: float = 200.0) -> ClaimSeen:
    return ClaimSeen(number, at, frozenset(each.key for each in said), DEADLINE)


def region(name: str, outcome: str = "SUCCEEDED") -> RegionSeen:
    arn = f"arn:{name}:start"
    planned = {"state": "PLANNED", "reports": [{"name": "nightly", "execution": "run"}]}
    return RegionSeen(
        name,
        replace(EMPTY, invocations=(InvocationSeen("PlanReportsFunction", arn, result=planned),)),
        (StartSeen(arn, TIME, "SUCCEEDED", "", EXPORTED),),
        (RunSeen(f"arn:{name}:run", arn, "nightly", TIME, is_scheduled=True, began=BEGAN, outcome=outcome),),
    )


SAID = (start_notice(HOME), start_notice(OTHER), headline(HOME), headline(OTHER))
SENT = message(home="SUCCEEDED", other="SUCCEEDED")
WELL = Seen(
    (region(HOME), region(OTHER)),
    (TimeSeen(TIME, EXPECTED, is_open=False, said=SAID, claims=(claim(*SAID),), summaries=(SENT,)),),
)


def changed(**time: object) -> Seen:
    """The same with another scheduled time."""
    return replace(WELL, times=(replace(WELL.times[0], **time),))  # type: ignore[arg-type]


def with_other(change: Callable[[RegionSeen], RegionSeen]) -> Seen:
    """The same with another Region that did something else."""
    return replace(WELL, regions=(WELL.regions[0], change(WELL.regions[1])))


def never_started(seen: Seen) -> Seen:
    """The same with a Region that never starts."""
    return replace(seen, regions=(seen.regions[0], RegionSeen(OTHER, EMPTY)))


def rules(seen: Seen) -> set[str]:
    """The rules that are broken."""
    return {each.partition(":")[0] for each in broken_rules(seen)}


def test_a_summary_that_says_what_happened_breaks_no_rule() -> None:
    assert broken_rules(WELL) == []


def test_a_region_that_never_starts_is_silent_and_its_time_stays_open() -> None:
    said, sent = (SAID[0], SAID[2]), message(other="SILENT", home="SUCCEEDED")
    silent = never_started(changed(said=said, claims=(claim(*said, at=DEADLINE),), summaries=(sent,), is_open=True))
    assert broken_rules(silent) == []
    assert rules(changed(said=said, claims=(claim(*said),), summaries=(sent,), is_open=True)) >= {"R4", "R6"}
    assert rules(never_started(replace(silent, times=(replace(silent.times[0], is_open=False),)))) == {"R7"}


def test_a_late_region_comes_in_one_supplement() -> None:
    before, sent = SAID[::2], message(other="SILENT", home="SUCCEEDED")
    later = message(1, other="SUCCEEDED")
    late = tuple(replace(each, kept_at=3_000.0) for each in SAID[1::2])
    claims = (claim(*before, at=DEADLINE), claim(*SAID, number=1, at=3_001.0))
    assert broken_rules(changed(said=(*before, *late), claims=claims, summaries=(sent, later))) == []
    assert "R6" in rules(changed(said=(*before, *late), claims=claims[:1], summaries=(sent,), is_open=True))
    nothing_new = message(1, other="SILENT")
    assert "R3" in rules(changed(said=(*before, *late), claims=claims, summaries=(sent, nothing_new)))


@pytest.mark.parametrize(
    ("summaries", "is_allowed"),
    [
        ((SENT, SENT), False),
        ((SENT, replace(SENT, content="other")), False),
        ((SENT, replace(SENT, number=2, notification_id="n-2")), False),
        ((SENT, replace(SENT, number=1)), False),
        ((SENT,), True),
    ],
)
def test_one_content_a_number(summaries: tuple[SummarySeen, ...], *, is_allowed: bool) -> None:
    assert ("R1" in rules(changed(summaries=summaries))) != is_allowed


@pytest.mark.parametrize(
    ("fault", "is_a_reason"),
    [
        (FaultSeen("killed_after", "SummarizeFunction", "sns:Publish", ""), True),
        (FaultSeen("lost_answer", "SummarizeFunction", "sns:Publish", ""), True),
        (FaultSeen("denied", "SummarizeFunction", "dynamodb:UpdateItem", ""), True),
        (FaultSeen("denied", "SummarizeFunction", "dynamodb:Query", ""), False),
        (FaultSeen("killed_after", "NotifyFunction", "sns:Publish", ""), False),
    ],
)
def test_a_copy_is_allowed_where_its_publisher_died_or_could_not_know(fault: FaultSeen, *, is_a_reason: bool) -> None:
    copied = replace(changed(summaries=(SENT, SENT)), faults_at_home=(fault,))
    assert ("R1" not in rules(copied)) == is_a_reason
    other_content = changed(summaries=(SENT, replace(SENT, content="other")))
    assert "R1" in rules(replace(other_content, faults_at_home=(fault,)))


def test_a_message_is_about_all_that_was_kept_before_it_and_always_the_same() -> None:
    assert "R2" in rules(changed(claims=(claim(*SAID[:3]),)))
    assert "R2" in rules(changed(claims=(claim(*SAID), claim(*SAID[1:], at=300.0))))


@pytest.mark.parametrize(
    "sent",
    [
        message(home="SUCCEEDED", other="FAILED"),
        message(home="SUCCEEDED", other="SILENT"),
        message(home="SUCCEEDED"),
        message(home="SUCCEEDED", other="RUNNING"),
    ],
)
def test_each_row_says_what_its_region_has_said(sent: SummarySeen) -> None:
    assert "R3" in rules(changed(summaries=(sent,)))


def test_what_was_not_heard_from_stands_first() -> None:
    said = (SAID[0], SAID[2])
    for sent, broken in ((message(home="SUCCEEDED", other="SILENT"), True), (message(other="SILENT", home="SUCCEEDED"), False)):
        seen = never_started(changed(said=said, claims=(claim(*said, at=DEADLINE),), summaries=(sent,), is_open=True))
        assert ("R5" in rules(seen)) == broken


def test_what_is_said_in_the_end_is_what_happened() -> None:
    assert rules(with_other(lambda _: region(OTHER, "ABORTED"))) == {"R6"}
    never_began = (*SAID[:3], headline(OTHER, "NOT_STARTED"))
    wrong = changed(said=never_began, claims=(claim(*never_began),), summaries=(message(other="NOT_STARTED", home="SUCCEEDED"),))
    assert "R6" in rules(wrong)
    assert "R6" in rules(changed(summaries=(), claims=()))


def test_a_report_does_not_run_for_ever() -> None:
    said = SAID[:3]
    running = changed(
        said=said, claims=(claim(*said, at=DEADLINE),), summaries=(message(other="RUNNING", home="SUCCEEDED"),), is_open=True
    )
    stopped = replace(running, regions=(running.regions[0], replace(running.regions[1], runs=())))
    assert "R6" in rules(stopped)


@pytest.mark.parametrize("key", [("OUTBOX", "x"), ("STARTS", "y")])
def test_nothing_is_left_behind(key: tuple[str, str]) -> None:
    left = {key: {"pk": key[0], "sk": key[1]}}
    assert rules(with_other(lambda other: replace(other, snapshot=replace(other.snapshot, items=left)))) == {"R8"}
    running = replace(WELL.regions[1].starts[0], status="RUNNING")
    assert "R8" in rules(with_other(lambda other: replace(other, starts=(running,))))


def test_a_scheduled_time_is_exported_once_and_one_failure_stops_no_other() -> None:
    assert "R9" in rules(with_other(lambda other: replace(other, runs=other.runs * 2)))
    assert "R9" in rules(with_other(lambda other: replace(other, runs=())))


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ([], "SILENT"),
        ([start_notice(OTHER)], "RUNNING"),
        ([start_notice(OTHER, "PREVIOUS_RUNNING")], "PREVIOUS_RUNNING"),
        ([start_notice(OTHER, reports=("weekly",))], "NOT_CONFIGURED"),
        ([start_notice(HOME)], "SILENT"),
        ([headline(OTHER), headline(OTHER, "NOT_STARTED", began=LATER)], "SUCCEEDED"),
        ([headline(OTHER, "FAILED"), headline(OTHER, execution="again", began=LATER)], "SUCCEEDED"),
        ([replace(headline(OTHER), report="weekly")], "RUNNING"),
        ([replace(headline(OTHER), report="weekly", replaces=True)], "SILENT"),
        ([replace(headline(OTHER, "NOT_STARTED"), report="weekly")], "SILENT"),
    ],
)
def test_the_state_of_a_report_follows_from_what_its_region_has_said(said: list[Said], state: str) -> None:
    assert state_of((OTHER, "nightly"), said) == state
