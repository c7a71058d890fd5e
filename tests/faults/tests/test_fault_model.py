"""The model allows what may happen, and each of its laws can be broken."""

import re
from dataclasses import replace

import pytest

from tests.faults.model import (
    HOWS,
    Began,
    CancelAsked,
    End,
    History,
    LockState,
    LockWritten,
    Over,
    OwnerPublished,
    OwnerWritten,
    Published,
    ReportBegan,
    ReportOver,
    RunState,
    RunWritten,
    Seen,
    allowed,
    broken_laws,
    disagreements,
    needs_hourly_cleanup,
)

A, B = "run-a", "run-b"
FREE = None
LATER = 1_000
HELD, MARKED, OTHERS = LockState(A, LATER), LockState(A, LATER, 70), LockState(B, LATER)
NEW, PLANNED, CANCELLING = RunState(), RunState("wait"), RunState("cancel")
STARTED = RunState("wait", "report-a")
RECORDED = RunState("wait", "report-a", "SUCCEEDED", "id-a")
NOTIFIED = replace(RECORDED, notified=True)

DAILY_RUN: list[Seen] = [
    Began(1, A),
    RunWritten(2, A, NEW, PLANNED),
    LockWritten(3, FREE, HELD),
    LockWritten(4, HELD, MARKED),
    ReportBegan(5, "report-a", A),
    RunWritten(6, A, PLANNED, STARTED),
    LockWritten(7, MARKED, HELD),
    ReportOver(8, "report-a", "SUCCEEDED"),
    LockWritten(9, HELD, FREE),
    RunWritten(10, A, STARTED, RECORDED),
    Published(11, A, "SUCCEEDED", "id-a"),
    RunWritten(12, A, RECORDED, NOTIFIED),
    Over(13, A, "SUCCEEDED"),
]


OWNERS_DONE = replace(NOTIFIED, owners_done=True)
TO_AN_OWNER: list[Seen] = [
    OwnerWritten(12.1, A, "shop", notified=False),
    OwnerPublished(12.2, A, "shop"),
    OwnerWritten(12.3, A, "shop", notified=True),
    RunWritten(12.4, A, NOTIFIED, OWNERS_DONE),
]


def test_an_owner_is_claimed_notified_and_marked_and_then_the_run_is_done() -> None:
    assert broken_laws([*DAILY_RUN, *TO_AN_OWNER]) == []


@pytest.mark.parametrize(
    ("law", "seen"),
    [
        ("O1", [OwnerPublished(11.5, A, "shop")]),
        ("O1", [OwnerPublished(9.5, A, "shop")]),
        ("O1", [*TO_AN_OWNER, OwnerPublished(12.25, A, "shop")]),
        ("O2", [each for each in TO_AN_OWNER if not isinstance(each, OwnerPublished)]),
        ("O2", [TO_AN_OWNER[0], TO_AN_OWNER[1], TO_AN_OWNER[3]]),
        ("O2", [RunWritten(11.5, A, RECORDED, replace(RECORDED, owners_done=True))]),
    ],
)
def test_a_law_about_owners_is_broken_by(law: str, seen: list[Seen]) -> None:
    assert law in {each.split()[1].removesuffix(":") for each in broken_laws([*DAILY_RUN, *seen])}


def test_a_run_without_faults_breaks_no_invariant() -> None:
    assert broken_laws(DAILY_RUN) == []
    assert broken_laws(reversed(DAILY_RUN)) == []  # in any order: they are sorted by time


def broken_by(*added: Seen, without: tuple[int, ...] = ()) -> set[str]:
    """Return the laws that are broken when the run also has these, and lacks what happened at these times."""
    broken = broken_laws([*[each for each in DAILY_RUN if each.at not in without], *added])
    return {law for each in broken for law in re.findall(r"\b[LST]\d(?=:)", each)}


@pytest.mark.parametrize(
    ("law", "added", "without"),
    [
        ("L1", [Began(1, B), LockWritten(8.5, HELD, OTHERS), LockWritten(9, OTHERS, FREE)], (9,)),
        ("L1", [Over(7.5, A, "ABORTED"), LockWritten(6.5, MARKED, OTHERS), LockWritten(9, OTHERS, FREE)], (7, 9)),
        ("L2", [LockWritten(6.5, MARKED, FREE)], (7, 9)),
        ("L2", [LockWritten(7.5, HELD, FREE)], (9,)),
        ("L2", [], (9,)),
        ("L3", [LockWritten(3, FREE, MARKED)], (3, 4)),
        ("L3", [LockWritten(4.5, MARKED, replace(MARKED, creating_until=90)), LockWritten(7, replace(MARKED, creating_until=90), HELD)], (7,)),
        ("S1", [], (3, 4, 7, 9)),
        ("S1", [], (4, 7)),
        ("S1", [ReportBegan(5.5, "report-b", B), ReportOver(5.7, "report-b", "SUCCEEDED")], ()),
        ("S1", [ReportBegan(8.2, "report-2", A), ReportOver(8.4, "report-2", "SUCCEEDED")], ()),
        ("S1", [RunWritten(4.5, A, PLANNED, replace(PLANNED, outcome="FAILED: X", notification_id="id-a"))], (6, 10, 11, 12)),
        ("S1", [], (8,)),
        ("S2", [CancelAsked(6, "report-a", B, 5.9)], ()),
        ("S2", [CancelAsked(6, "report-a", "", 5.9)], ()),
        ("S2", [CancelAsked(6, "report-x", A, 5.9)], ()),
        ("S3", [ReportBegan(2, "report-f", ""), CancelAsked(3.5, "report-f", A, 3.4), ReportOver(3.6, "report-f", "CANCELLED")], ()),
        ("S3", [ReportBegan(2, "report-f", ""), CancelAsked(2.5, "report-f", A, 2.4), ReportOver(2.6, "report-f", "CANCELLED")], ()),
        ("T1", [RunWritten(12.5, A, NOTIFIED, replace(NOTIFIED, outcome="ABORTED"))], ()),
        ("T1", [RunWritten(12.5, A, NOTIFIED, replace(NOTIFIED, report="report-b"))], ()),
        ("T2", [], (8,)),
        ("T2", [RunWritten(10, A, STARTED, replace(RECORDED, outcome="ABORTED"))], (10,)),
        ("T2", [RunWritten(10, A, STARTED, replace(RECORDED, outcome="DUPLICATE"))], (10,)),
        ("T3", [Published(9.5, A, "SUCCEEDED", "id-a")], (11,)),
        ("T3", [Published(11, A, "FAILED", "id-a")], (11,)),
        ("T3", [Published(11, A, "SUCCEEDED", "id-b")], (11,)),
        ("T3", [Published(11.5, A, "SUCCEEDED", "id-a")], ()),
        ("T4", [], (11,)),
        ("T4", [], (12,)),
        ("T4", [Began(1, B), Over(3, B, "ABORTED")], ()),
    ],
)  # fmt: skip
def test_each_invariant_can_be_broken(law: str, added: list[Seen], without: tuple[int, ...]) -> None:
    assert law in broken_by(*added, without=without)


def test_a_dead_holders_lock_is_taken_and_its_report_cancelled_by_the_next_run() -> None:
    taken: list[Seen] = [
        *DAILY_RUN[:7],
        Began(1, B),
        Over(7.5, A, "ABORTED"),
        LockWritten(8, HELD, OTHERS),
        CancelAsked(9, "report-a", B, 8.9),
        ReportOver(9, "report-a", "CANCELLED"),
    ]
    assert {law.partition(":")[0] for law in broken_laws(taken)} == {"L2", "T4"}  # nothing but what is left at the end


def test_a_lock_past_its_expiry_may_be_taken_from_a_living_run() -> None:
    expired = replace(HELD, expires_at=7)
    taken: list[Seen] = [*DAILY_RUN[:7], LockWritten(7.5, HELD, expired), Began(1, B), LockWritten(8, expired, OTHERS)]
    assert not [law for law in broken_laws(taken) if "L1" in law]


def test_an_external_report_is_cancelled_by_a_holder_whose_plan_says_so() -> None:
    external: list[Seen] = [
        ReportBegan(1, "report-f", ""),
        CancelAsked(3.5, "report-f", A, 3.4),
        ReportOver(3.6, "report-f", "CANCELLED"),
    ]
    planned = [RunWritten(2, A, NEW, CANCELLING), *[each for each in DAILY_RUN if each.at != 2]]
    assert not [law for law in broken_laws(planned + external) if "S3" in law]


@pytest.mark.parametrize(("began", "is_broken"), [(3.4, False), (3.6, True)])
def test_a_run_that_lost_its_lock_after_it_read_it_may_cancel_an_external_report(began: float, is_broken: bool) -> None:
    lost_lock: list[Seen] = [
        RunWritten(2, A, NEW, CANCELLING),
        ReportBegan(2.5, "report-f", ""),
        LockWritten(3, FREE, HELD),
        LockWritten(3.5, HELD, OTHERS),
        CancelAsked(3.7, "report-f", A, began),
    ]
    assert is_broken == any("S3" in law for law in broken_laws(lost_lock))


@pytest.mark.parametrize(
    ("text", "run", "outcomes"),
    [
        ("start 0 plain", 0, {"SUCCEEDED"}),
        ("start 0 wrong", 0, {"FAILED: InvalidInput"}),
        ("start 0 plain; start 1 plain; stop 1 Notify", 0, {"SUCCEEDED"}),
        ("start 0 plain; start 1 plain; stop 1 Notify", 1, {"SUCCEEDED", "ABORTED"}),
        ("start 0 plain; outlive 0 create late; time-out 0", 0, {"SUCCEEDED", "ABORTED", "TIMED_OUT"}),
        ("start 0 scheduled", 0, {"SUCCEEDED"}),
        ("start 0 scheduled; start 1 scheduled", 1, {"SUCCEEDED", "DUPLICATE"}),
        ("start 0 short", 0, {"SUCCEEDED", "FAILED: DeadlineExceeded"}),
        ("start 0 short; start 1 plain", 0, {"SUCCEEDED", "FAILED: DeadlineExceeded", "FAILED: LockNotObtained"}),
        ("start 0 fail; external", 0, {"SUCCEEDED", "FAILED: InspectorBusy"}),
        ("start 0 plain; external; expire; hangs; lose", 0, {"SUCCEEDED"}),
        ("start 0 plain; start 1 plain; expire", 0, {"SUCCEEDED", "FAILED: LockLostError"}),
        ("start 0 plain; fails; cancels", 0, {"SUCCEEDED", "FAILED: Report.INTERNAL_ERROR", "FAILED: Report.CANCELLED"}),
    ],
)  # fmt: skip
def test_what_may_become_of_a_run_follows_from_what_can_reach_it(text: str, run: int, outcomes: set[str]) -> None:
    assert allowed(History.read(text), run) == outcomes


@pytest.mark.parametrize(
    ("text", "ends", "agrees"),
    [
        ("start 0 plain", [End("SUCCEEDED", 1)], True),
        ("start 0 plain", [End("SUCCEEDED", 0)], False),
        ("start 0 plain", [End("SUCCEEDED", 2)], False),
        ("start 0 plain", [End("", 0)], False),
        ("start 0 plain", [End("FAILED: Report.INTERNAL_ERROR", 1)], False),
        ("start 0 quiet", [End("SUCCEEDED", 0)], True),
        ("start 0 quiet", [End("SUCCEEDED", 1)], False),
        ("start 0 quiet; stop 0", [End("ABORTED", 1)], True),
        ("start 0 scheduled; start 1 scheduled", [End("DUPLICATE", 0), End("SUCCEEDED", 1)], True),
        ("start 0 scheduled; start 1 scheduled", [End("SUCCEEDED", 1), End("SUCCEEDED", 1)], False),
        ("start 0 scheduled; start 1 scheduled", [End("DUPLICATE", 0), End("DUPLICATE", 0)], False),
        ("start 0 scheduled; start 1 scheduled; stop 0", [End("ABORTED", 1), End("SUCCEEDED", 1)], True),
        ("start 0 scheduled; start 1 scheduled; stop 0", [End("ABORTED", 1), End("DUPLICATE", 0)], True),
        ("start 0 plain; start 1 plain; fails", [End("FAILED: Report.INTERNAL_ERROR", 1), End("SUCCEEDED", 1)], True),
        ("start 0 plain; start 1 plain; fails", [End("FAILED: Report.INTERNAL_ERROR", 1)] * 2, False),
    ],
)
def test_the_ends_of_runs_are_held_against_their_history(text: str, ends: list[End], agrees: bool) -> None:
    assert (not list(disagreements(History.read(text), dict(enumerate(ends))))) is agrees


def test_something_is_left_for_the_hourly_cleanup_only_where_an_event_was_lost_or_came_too_early() -> None:
    stopped = History.read("start 0 plain; stop 0")
    assert not needs_hourly_cleanup(stopped, clean_ups_failed=2, last_states=["Start Report"])
    assert needs_hourly_cleanup(stopped, clean_ups_failed=3, last_states=["Start Report"])
    assert needs_hourly_cleanup(History.read("lose; start 0 plain; stop 0"), clean_ups_failed=0, last_states=["Start Report"])
    assert needs_hourly_cleanup(stopped, clean_ups_failed=0, last_states=["Acquire Lock"])


def test_a_history_is_read_as_it_is_printed() -> None:
    text = "external; start 0 plain; stop 0 Wait for Other Report; outlive 1 create late; goes-on; time-out 3"
    history = History.read(text)
    assert str(history) == text
    assert history.started() == {0: "plain"}
    assert str(history.without(1)) == text.replace("start 0 plain; ", "")


def test_every_way_of_starting_a_run_has_its_outcomes() -> None:
    for how in HOWS:
        assert allowed(History.read(f"start 0 {how}"), 0)
