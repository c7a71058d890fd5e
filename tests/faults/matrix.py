"""The fault matrix: every call that real runs make, and every step, each broken in every way.

The calls are recorded, not listed, so a new call of a step is covered automatically. A cell is named
`<scenario>/<step>/<call>#<number>/<kind>`; the call is `step` for a fault of the whole step, and `state` for one that
takes effect when the state is entered. A call for one part of a large report has the part's number behind the step:
`AnalyzePart.3`.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from findings_exporter.notification.remediation import REMEDIATIONS
from tests.faults.invariants import Snapshot, violations
from tests.faults.lanes import WAIT_SCALES
from tests.faults.observe import clean_up_hourly, come_to_rest, summary

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tests.faults.lanes import Lane
    from tests.local_aws.fault_control import Call

type Place = tuple[str, str, str]
"""Step, call and method."""
type Scenario = Literal[
    "nightly", "parts", "deadline", "refused", "stopped", "swept", "reports", "report-stopped", "start-stopped"
]

OF_REPORTS: tuple[Scenario, ...] = ("reports", "report-stopped", "start-stopped")
"""Those of several reports with one summary: `tests/faults/region_cells.py`."""
ALL_SCENARIOS: tuple[Scenario, ...] = get_args(Scenario.__value__)
SCENARIOS: tuple[Scenario, ...] = tuple(each for each in ALL_SCENARIOS if each not in OF_REPORTS)
"""A scheduled run that succeeds; one whose report is analyzed in parts; a run that its deadline ends; one whose setup is wrong; one
that is stopped while it waits; the same, but the event of its end is lost."""
USUAL = {
    "nightly": ("SUCCEEDED", ""),
    "parts": ("SUCCEEDED", ""),
    "deadline": ("FAILED", "DeadlineExceeded"),
    "refused": ("FAILED", "Report.INVALID_PERMISSIONS"),
    "stopped": ("ABORTED", "Operator"),
    "swept": ("ABORTED", "Operator"),
}
"""Status and error of the execution when nothing is broken."""
WAITS_IN = "Wait for Report"
DEADLINE_HOURS = 0.0015
"""5.4 s: enough for the steps before the report; the report then waits in real time until the deadline has passed."""
LATEST_HOURS = 0.05
"""3 minutes: longer than any temporary fault delays a run, and the end of retries that would go on forever."""
TRIES_TO_MEET = 2
CLIENT_TRIES = 3
"""How often the functions' clients try a call."""
STEP, STATE = "step", "state"
OTHERWISE: dict[Scenario, tuple[str, ...]] = {
    "nightly": (),
    "parts": ("CutReport", "AnalyzePart.1", "AnalyzePart.3", "AnalyzeReport"),
    "deadline": ("CancelReport", "ReleaseLock", "RecordRun", "Notify", "CleanUp"),
    "refused": (),
    "stopped": ("CleanUp",),
    "swept": ("CleanUp",),
}
"""The steps that behave differently in a scenario than in those before. The others were already broken there."""
ONLY: dict[Scenario, tuple[str, ...]] = {
    # The setup check writes nothing: what it cannot read is unknown, and the run's notification is sent either way.
    "refused": ("throttle", "short", "denied-on", "killed-bef", "stopped"),
    # The hourly cleanup calls the same clean_up as the event does.
    "swept": ("error", "lost-3", "denied-on", "late", "killed-bef", "killed-aft", "overlap-bef", "overlap-aft"),
    # clean_up does for home what Notify and Finish Reports do.
    "report-stopped": ("error-on", "lost-3", "denied-on", "late", "killed-bef", "killed-aft", "overlap-aft"),
    "start-stopped": ("error-on", "lost-3", "denied-on", "late", "killed-bef", "killed-aft", "overlap-aft"),
}
"""The kinds that test something new for a scenario's calls; all kinds, where none are named."""
FEWEST_PARTS, LATER_PART = 3, 3
FEWEST_OWNERS = 2
"""One whose message is broken, and one behind it."""
LATER_KINDS = ("error-on", "lost-3", "denied-on", "killed-aft", "stopped", "overlap-aft")
"""The kinds that test something new for the calls of a later part, which are alike to those of the first."""
AS_IN_NIGHTLY = re.compile(r"AnalyzeReport/(?:inspector2:|dynamodb:(?:GetItem|Query))")
"""What the merge of parts asks like the analysis of a small report."""
NOTIFIES_OWNERS = "NotifyOwners"
MARK_SECONDS = {"StartReport": 75, "Notify": 75, NOTIFIES_OWNERS: 105, "CleanUp": 165}
"""How long the mark of a function is valid: a little longer than it may run."""
READ = re.compile(r"\w+:(?:Get|List|Describe|Query)")


@dataclass(frozen=True)
class Kind:
    """One way of breaking a call, a step or a state."""

    name: str
    fault: str
    times: int | None = 1
    error: str = "Lambda.SdkClientException"
    is_event_lost: bool = False
    needs_effect: bool = False
    """It differs from another kind only by the call's effect. A read has none, so it is left out."""
    is_alike_for_reads: bool = False
    """All reads of a step behave alike with it, so it is put only on the first call at a service."""
    seconds: float = 2.0
    """About how long a cell takes, for the order."""

    @property
    def is_lasting(self) -> bool:
        """Whether it takes effect again and again."""
        return self.times is None

    @property
    def is_stop(self) -> bool:
        """Whether it stops the execution."""
        return self.fault.startswith("stopped")


CALL_KINDS = (
    Kind("throttle", "throttle", CLIENT_TRIES, is_alike_for_reads=True),
    Kind("throttle-on", "throttle", None, is_alike_for_reads=True, seconds=14),
    Kind("error", "server_error", CLIENT_TRIES, is_alike_for_reads=True),
    Kind("error-on", "server_error", None, needs_effect=True, seconds=14),
    Kind("lost", "lost_answer", needs_effect=True),
    Kind("lost-3", "lost_answer", CLIENT_TRIES, needs_effect=True),
    Kind("short", "short_answer", is_alike_for_reads=True),
    Kind("denied-on", "denied", None),
    Kind("hang", "hang", is_alike_for_reads=True, seconds=11),
    Kind("late", "late", needs_effect=True, seconds=11),
    Kind("killed-bef", "killed_before", is_alike_for_reads=True, seconds=5),
    Kind("killed-aft", "killed_after", needs_effect=True, seconds=5),
    Kind("stopped", "stopped", is_alike_for_reads=True),
    Kind("stop-held", "stopped_held", seconds=5),
    Kind("overlap-bef", "overlap_before", seconds=5),
    Kind("overlap-aft", "overlap_after", needs_effect=True, seconds=5),
)
HANG_ON = Kind("hang-on", "hang", None, seconds=190)
"""Takes minutes, and its result depends on the step and the service alone: put once on each one's first call."""
STEP_KINDS = (
    Kind("result-lost", "result_lost"),
    Kind("unknown", "result_lost", error="Lambda.Unknown"),
    Kind("crowded", "lambda_throttled", 2),
    Kind("crowded-on", "lambda_throttled", None, seconds=5),
)
STATE_KINDS = (Kind("stopped", "stopped_between"), Kind("stop-without-event", "stopped_between", is_event_lost=True))
KINDS = {kind.name: kind for kind in (*CALL_KINDS, HANG_ON)}


@dataclass(frozen=True)
class Cell:
    """One call, step or state of a scenario, broken in one way."""

    scenario: Scenario
    step: str
    call: str
    kind: Kind

    def __str__(self) -> str:
        return f"{self.scenario}/{self.step.replace(' ', '_')}/{self.call}/{self.kind.name}"

    @property
    def part(self) -> int:
        """The number of the part whose calls it breaks; 0 where the step works for the whole report."""
        return int(self.step.partition(".")[2] or 0)

    @property
    def function(self) -> str:
        """The logical id of the function that it breaks."""
        return f"{self.step.partition('.')[0]}Function"

    @property
    def changes_no_end(self) -> bool:
        """Whether the execution ends as usual even if it lasts: the run was notified before."""
        return self.step == NOTIFIES_OWNERS

    @property
    def seconds(self) -> float:
        """About how long it takes, for the order. A function that fails after it has set a mark leaves it, and it expires in real time."""
        is_cut_off = self.kind.fault.startswith(("killed", "stopped_held", "overlap"))
        is_a_write = self.call not in (STEP, STATE) and not READ.match(self.call)
        left = MARK_SECONDS.get(self.step, 0) if is_cut_off or is_a_write or self.kind.is_lasting else 0
        # A create that fails all the time is tried until the deadline.
        tried = LATEST_HOURS * 3600 if self.step == "StartReport" and self.kind.name == "error-on" else 0
        return max(self.kind.seconds, left, tried)

    @classmethod
    def named(cls, name: str) -> Cell:
        """Return the cell of a name."""
        scenario, step, call, kind_name = name.split("/")
        kinds = {STEP: STEP_KINDS, STATE: STATE_KINDS}.get(call, tuple(KINDS.values()))
        kind = next(kind for kind in kinds if kind.name == kind_name)
        return cls(next(each for each in ALL_SCENARIOS if each == scenario), step.replace("_", " "), call, kind)


@dataclass(frozen=True)
class Result:
    """The result of a cell."""

    cell: Cell
    outcome: str
    """How the execution ended, in a word."""
    troubles: tuple[str, ...]
    seconds: float
    hourly_cleanups: int
    story: str


def cells(lane: Lane) -> list[Cell]:
    """Run each scenario unbroken, and return every cell that its calls, steps and states make."""
    made: list[Cell] = []
    known: set[tuple[str, str]] = set()
    hung: set[tuple[str, str]] = set()
    for scenario in SCENARIOS:
        seen = run(lane, scenario)[0]
        troubles = [*map(str, violations(seen)), *_troubles_of_end(scenario, None, seen)]
        if USUAL[scenario] == USUAL["nightly"] and len({each.owner for each in seen.owner_messages}) < FEWEST_OWNERS:
            troubles.append(f"it notified fewer than {FEWEST_OWNERS} owners")
        if troubles:
            raise AssertionError(f"{scenario} does not hold without any fault: {troubles}\n{summary(seen)}")
        # The hourly cleanup works for no single execution; where the event arrives, nothing is left for it to do.
        worked_for = "" if scenario == "swept" else seen.executions[0].arn
        calls = [call for call in lane.faults.calls() if call["execution"] == worked_for]
        places = _places_of_parts(lane, calls) if scenario == "parts" else list(places_of(calls, {}))
        steps = {invocation.function for invocation in seen.invocations if invocation.function != "CleanUpFunction"}
        first = first_at_services(places)
        hangs = [cell for cell in hangs_on(scenario, first) if scenario != "swept" and at_service(cell) not in hung]
        hangs = [cell for cell in hangs if cell.part <= 1]
        hung |= {at_service(cell) for cell in hangs}
        found = [
            *(
                Cell(scenario, step, call, kind)
                for step, call, method in places
                for kind in kinds_of_call(scenario, step, call, method, is_first=(step, call) in first)
            ),
            *hangs,
            *(Cell(scenario, _short(step), STEP, kind) for step in sorted(steps) for kind in STEP_KINDS),
            *(Cell(scenario, state, STATE, kind) for state in dict.fromkeys(seen.executions[0].states) for kind in STATE_KINDS),
        ]
        # The steps before the scenarios differ were broken in the first scenario already.
        made += [
            cell
            for cell in found
            if scenario == "nightly" or (cell.step, cell.call) not in known or cell.step in OTHERWISE[scenario]
        ]
        known |= {(cell.step, cell.call) for cell in found}
    return made


def places_of(calls: Iterable[Call], parts: Mapping[str, int]) -> Iterator[Place]:
    """Yield step, call and method of each call; an invocation for a part has the part's number behind the step."""
    counts: dict[tuple[str, str], int] = {}
    for call in calls:
        part = parts.get(call["invocation"])
        key = _short(call["function"]) + (f".{part}" if part else ""), call["action"]
        counts[key] = counts.get(key, 0) + 1
        yield key[0], f"{call['action']}#{counts[key]}", call["method"]


def _places_of_parts(lane: Lane, calls: Iterable[Call]) -> list[Place]:
    """Return the calls of the first part, of a later one, and of the steps around: of those that repeat one, the first and the last."""
    parts = {each["id"]: each["event"]["part"]["number"] for each in lane.faults.invocations() if "part" in (each["event"] or {})}
    if len(parts) < FEWEST_PARTS:
        raise AssertionError(f"the report was divided into {len(parts)} parts")
    places = [
        (step, call, method)
        for step, call, method in places_of(calls, parts)
        if step.partition(".")[2] in ("", "1", str(LATER_PART)) and not AS_IN_NIGHTLY.match(f"{step}/{call}")
    ]
    last = {(step, call.partition("#")[0]): call for step, call, _ in places}
    return [each for each in places if each[1].endswith("#1") or last[each[0], each[1].partition("#")[0]] == each[1]]


def kinds_of_call(scenario: Scenario, step: str, call: str, method: str, *, is_first: bool) -> Iterator[Kind]:
    """Yield the ways in which a call is broken."""
    for kind in CALL_KINDS:
        if kind.is_stop and step == "CleanUp":
            continue  # its execution has ended
        if kind.fault == "short_answer" and method == "HEAD":
            continue  # an answer without a body cannot break off
        if READ.match(call) and (kind.needs_effect or (kind.is_alike_for_reads and not is_first)):
            continue
        if kind.name in (LATER_KINDS if step.endswith(f".{LATER_PART}") else ONLY.get(scenario, KINDS)):
            yield kind


def first_at_services(places: Iterable[Place]) -> list[tuple[str, str]]:
    """Return each step's first call at each service."""
    first = {(step, call.split(":")[0]): call for step, call, _ in reversed(list(places))}
    return [(step, call) for (step, _), call in first.items()]


def hangs_on(scenario: Scenario, first: Iterable[tuple[str, str]]) -> Iterator[Cell]:
    """Yield the cells in which a service never answers."""
    return (Cell(scenario, step, call, HANG_ON) for step, call in first)


def at_service(cell: Cell) -> tuple[str, str]:
    """Return the step and the service that a cell breaks."""
    return cell.step, cell.call.partition(":")[0]


def _short(function: str) -> str:
    return function.removesuffix("Function")


def try_cell(lane: Lane, cell: Cell) -> Result:
    """Run a cell and check the rules."""
    started = time.monotonic()
    for _ in range(TRIES_TO_MEET):
        try:
            seen, hourly_cleanups = run(lane, cell.scenario, cell)
        except Exception as error:
            return Result(cell, "broken", (f"the cell could not be run: {error!r}",), time.monotonic() - started, 0, "")
        troubles = [*map(str, violations(seen)), *_troubles_of_end(cell.scenario, cell.kind, seen)]
        if cell.changes_no_end and not cell.kind.is_stop and (execution := seen.executions[0]).status != "SUCCEEDED":
            troubles.append(f"a fault in the messages to owners ended the execution as {execution.status} {execution.error}")
        has_met = any(fault.kind == cell.kind.fault for fault in seen.faults)
        if has_met or troubles:
            break
        # Functions that start cold may use up the deadline before the report is made: then nothing is to be cancelled.
    if not has_met:
        troubles.append("the fault has taken no effect")
    return Result(cell, _outcome(seen), tuple(troubles), time.monotonic() - started, hourly_cleanups, summary(seen))


def run(lane: Lane, scenario: Scenario, cell: Cell | None = None) -> tuple[Snapshot, int]:
    """Run a scenario, broken as the cell says, until nothing is left to do."""
    lane.clear()
    arn = lane.new_execution()
    if cell:
        _break(lane, cell, arn)
    _begin(lane, scenario, arn)
    come_to_rest(lane.exporter, [arn])  # if it does not, a rule is broken
    # The hourly cleanup clears what is left once the cause is removed.
    lift = lane.faults.clear if cell and cell.kind.is_lasting else None
    return clean_up_hourly(lane.exporter, [arn], lift, lift_after=int(scenario == "swept"))


def _break(lane: Lane, cell: Cell, arn: str) -> None:
    kind = cell.kind
    # The hourly cleanup works for no single execution.
    execution = "" if cell.scenario == "swept" else arn
    if cell.call == STATE:
        lane.faults.put(kind.fault, state=cell.step, execution=arn)
    elif cell.call == STEP:
        lane.faults.put(kind.fault, function=cell.function, execution=arn, times=kind.times, error=kind.error)
    else:
        action, number = cell.call.split("#")
        lane.faults.put(
            kind.fault,
            function=cell.function,
            action=action,
            execution=execution,
            event={"part": {"number": cell.part}} if cell.part else {},
            skip=int(number) - 1,
            times=kind.times,
        )
    if kind.is_event_lost:
        lane.send_events(wanted=False)


def _begin(lane: Lane, scenario: Scenario, arn: str) -> None:
    match scenario:
        case "nightly":
            lane.start(arn, {**lane.scheduled_input(), "deadline_hours": LATEST_HOURS})
        case "parts":
            lane.divide_reports()
            lane.start(arn, {**lane.scheduled_input(), "deadline_hours": LATEST_HOURS})
        case "deadline":
            lane.inspector.hold()
            lane.faults.set_wait_scales({**WAIT_SCALES, WAITS_IN: 1.0})
            lane.start(arn, {"deadline_hours": DEADLINE_HOURS})
        case "refused":
            lane.inspector.misbehave("fail", error_code="INVALID_PERMISSIONS")
            lane.start(arn, {})
        case "stopped" | "swept":
            lane.inspector.hold()
            if scenario == "swept":
                lane.send_events(wanted=False)
            lane.faults.put("stopped_between", state=WAITS_IN, execution=arn)
            lane.start(arn, {})


def _troubles_of_end(scenario: Scenario, kind: Kind | None, seen: Snapshot) -> Iterator[str]:
    """Check how the execution ended: as usual after a temporary fault, with an explained error after a lasting one."""
    (execution,) = seen.executions
    ended, usual = (execution.status, execution.error), USUAL[scenario]
    if kind is None and any("/parts/" in key for key in seen.objects):
        yield "parts were left after they had been merged"
    if kind and kind.is_stop:
        usual = USUAL["stopped"]
    if ended == usual:
        if ended == USUAL["nightly"] and not (kind and kind.is_lasting) and (trouble := _trouble_of_analysis(seen)):
            yield trouble
        return
    if kind is None or not kind.is_lasting or execution.status != "FAILED":
        yield f"ended as {' '.join(ended)}, not as {' '.join(usual)}"
    elif execution.error not in REMEDIATIONS:
        yield f"ended as {execution.error}, which nothing explains"


def _trouble_of_analysis(seen: Snapshot) -> str | None:
    """Return what is wrong with the analysis of a verified report after a temporary fault: it must be whole."""
    stored = seen.item(seen.executions[0]).get("analysis")
    if stored is None:
        return "the report has no analysis"
    error = json.loads(stored).get("error")
    return f"the analysis failed as {error}" if error else None


def _outcome(seen: Snapshot) -> str:
    (execution,) = seen.executions
    return execution.error if execution.status == "FAILED" else execution.status
