"""Cells of the fault matrix for several reports with one summary: one Region that is its own home, with two reports.

The calls are recorded as in `tests/faults/matrix.py`, and broken in the same ways: all of Plan Reports, Finish Reports and
Summarize, and those that Notify and clean_up make for home. The rules are those of `tests/faults/region_invariants.py`.
"""

from __future__ import annotations

import re
import time
from hashlib import sha256
from typing import TYPE_CHECKING

from findings_exporter.notification.remediation import REMEDIATIONS
from tests.faults.lanes import WAIT_SCALES
from tests.faults.matrix import (
    OF_REPORTS,
    STATE,
    STATE_KINDS,
    STEP,
    STEP_KINDS,
    TRIES_TO_MEET,
    Cell,
    Result,
    at_service,
    first_at_services,
    hangs_on,
    kinds_of_call,
    places_of,
)
from tests.faults.model import Event
from tests.faults.region_histories import NAMES, VISIBLE_AFTER_SECONDS, Driver, described

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.faults.matrix import Place, Scenario
    from tests.faults.region_histories import RegionLane
    from tests.faults.region_invariants import Seen, StartSeen

REPORTS = NAMES[:2]
STEPS = ("PlanReports", "FinishReports", "Summarize")
FOR_HOME = re.compile(r"(?:dynamodb:(?:PutItem|Query|DeleteItem)|sqs:SendMessage)#")
"""What Notify and clean_up call for home, beside calls of the same kind that were there before."""
USUAL: dict[Scenario, tuple[str, str]] = {
    "reports": ("SUCCEEDED", ""),
    "report-stopped": ("FAILED", "ReportsFailed"),
    "start-stopped": ("ABORTED", "Operator"),
}
"""Status and error of the start when nothing is broken: both reports are exported; the first one is stopped while it waits; the start is
stopped before the second one begins."""
SAID: dict[Scenario, tuple[str, str]] = {
    "reports": ("SUCCEEDED", "SUCCEEDED"),
    "report-stopped": ("ABORTED", "SUCCEEDED"),
    "start-stopped": ("SUCCEEDED", "NOT_STARTED"),
}
"""What the summary says of the reports then."""
A_CELL_SECONDS = 500.0
"""A service that never answers is tried by each of a step's retries."""
CHANGES_NO_END = ("Summarize", "CleanUp")
"""Steps that work outside the start's execution: whatever becomes of them, it ends as usual."""


def region_cells(lane: RegionLane) -> list[Cell]:
    """Run each scenario unbroken, and return every cell that its calls, steps and states make."""
    driver, made, hung = Driver(lane), [], set()
    # The functions that a deployment starts at once, as the schedules do, are none of the scenario's.
    driver.come_to_rest()
    for scenario in OF_REPORTS:
        driver.prepare(REPORTS, WAIT_SCALES)
        _begin(driver, scenario)
        driver.come_to_rest()
        places = _places(driver, scenario)
        states = lane.home.exporter.states_entered(driver.parents[0])
        seen, _, troubles = driver.settled()
        if troubles := [*troubles, *_troubles_of_end(driver, scenario, None, seen)]:
            raise AssertionError(f"{scenario} does not hold without any fault: {troubles}\n{described(seen)}")
        first = first_at_services(places)
        hangs = [cell for cell in hangs_on(scenario, first) if at_service(cell) not in hung]
        hung |= {at_service(cell) for cell in hangs}
        made += [
            Cell(scenario, step, call, kind)
            for step, call, method in places
            for kind in kinds_of_call(scenario, step, call, method, is_first=(step, call) in first)
            # No execution waits for Summarize.
            if not (kind.is_stop and step == "Summarize")
        ]
        made += hangs
        if scenario == "reports":
            made += [Cell(scenario, step, STEP, kind) for step in ("PlanReports", "FinishReports") for kind in STEP_KINDS]
            # A run's own states were broken in the other scenarios.
            made += [Cell(scenario, state, STATE, kind) for state in dict.fromkeys(states) for kind in STATE_KINDS]
    return made


def try_region_cell(lane: RegionLane, cell: Cell) -> Result:
    """Run a cell and check the rules."""
    started, driver = time.monotonic(), Driver(lane)
    for _ in range(TRIES_TO_MEET):
        try:
            driver.prepare(REPORTS, WAIT_SCALES)
            _break(driver, cell)
            _begin(driver, cell.scenario)
            if cell.kind.is_lasting and cell.step == "Summarize":
                # The queue gives it the messages again and again, until the cause is removed.
                driver.lane.home.exporter.ended(driver.parents[0], A_CELL_SECONDS)
                time.sleep(VISIBLE_AFTER_SECONDS)
                driver.lane.home.faults.clear()
            seen, hours, troubles = driver.settled(A_CELL_SECONDS)
        except Exception as error:
            return Result(cell, "broken", (f"the cell could not be run: {error!r}",), time.monotonic() - started, 0, "")
        troubles += _troubles_of_end(driver, cell.scenario, cell, seen)
        has_met = any(fault.kind == cell.kind.fault for fault in seen.regions[0].snapshot.faults)
        if has_met or troubles:
            break
    if not has_met:
        troubles.append("the fault has taken no effect")
    start = _start(driver, seen)
    outcome = start.error if start.status == "FAILED" else start.status
    return Result(cell, outcome, tuple(troubles), time.monotonic() - started, hours, described(seen))


def _begin(driver: Driver, scenario: Scenario) -> None:
    if scenario == "report-stopped":
        driver.lane.home.faults.put("stopped_between", state="Wait for Report", execution=_run(driver, REPORTS[0]))
    if scenario == "start-stopped":
        driver.lane.home.faults.put("stopped_between", state="Export Report", execution=driver.parents[0], skip=1)
    driver.happen(Event("start", 0))


def _run(driver: Driver, report: str) -> str:
    """Return the ARN that the run of a report will have."""
    parent, machine = driver.parents[0], driver.lane.home.exporter.state_machine.replace(":stateMachine:", ":execution:")
    return f"{machine}:{report}-{sha256(f'{parent} {report}'.encode()).hexdigest()[:16]}"


def _worked_for(driver: Driver, scenario: Scenario, step: str) -> str:
    """Return the ARN of the execution for which a step is broken; a queue's messages name none."""
    if step == "Summarize":
        return ""
    is_of_run = step == "Notify" or (step == "CleanUp" and scenario == "report-stopped")
    return _run(driver, REPORTS[0]) if is_of_run else driver.parents[0]


def _places(driver: Driver, scenario: Scenario) -> list[Place]:
    """Return the calls that are broken in a scenario; of those that Summarize repeats, the first two and the last."""
    calls, found = driver.lane.home.faults.calls(), []
    for step in ("CleanUp",) if scenario != "reports" else (*STEPS, "Notify"):
        of_step = [
            call
            for call in calls
            if call["function"] == f"{step}Function" and call["execution"] == _worked_for(driver, scenario, step)
        ]
        places = list(places_of(of_step, {}))
        if step in ("Notify", "CleanUp"):
            places = [place for place in places if FOR_HOME.match(place[1])]
        if step == "Summarize":
            last = {call.partition("#")[0]: call for _, call, _ in places}
            places = [place for place in places if place[1].endswith(("#1", "#2")) or place[1] in last.values()]
        found += places
    return found


def _break(driver: Driver, cell: Cell) -> None:
    kind, faults = cell.kind, driver.lane.home.faults
    if cell.call == STATE:
        faults.put(kind.fault, state=cell.step, execution=driver.parents[0])
    elif cell.call == STEP:
        faults.put(kind.fault, function=cell.function, execution=driver.parents[0], times=kind.times, error=kind.error)
    else:
        action, number = cell.call.split("#")
        execution = _worked_for(driver, cell.scenario, cell.step)
        faults.put(kind.fault, function=cell.function, action=action, execution=execution, skip=int(number) - 1, times=kind.times)
    if kind.is_event_lost:
        driver.lane.home.send_events(wanted=False)


def _start(driver: Driver, seen: Seen) -> StartSeen:
    return next(start for start in seen.regions[0].starts if start.arn == driver.parents[0])


def _troubles_of_end(driver: Driver, scenario: Scenario, cell: Cell | None, seen: Seen) -> Iterator[str]:
    """Check how the start ended, and that there is one message about its scheduled time, with both reports."""
    start, kind = _start(driver, seen), cell.kind if cell else None
    ended = start.status, start.error
    if cell and kind and kind.is_stop and cell.step != "Notify":
        if ended != ("ABORTED", "Operator"):
            yield f"ended as {' '.join(ended)}, though it was stopped"
        return
    if cell and kind and kind.is_stop:
        return  # the run of the first report was stopped, before or after it had notified
    is_for_home = cell and (cell.step in CHANGES_NO_END or cell.call.startswith("sqs:"))
    if kind is None or not kind.is_lasting or is_for_home:
        if ended != USUAL[scenario]:
            yield f"ended as {' '.join(ended)}, not as {' '.join(USUAL[scenario])}"
        yield from _troubles_of_summary(seen, SAID[scenario])
    elif ended != USUAL[scenario] and start.error not in {*REMEDIATIONS, "ReportsFailed"}:
        yield f"ended as {start.error}, which nothing explains"


def _troubles_of_summary(seen: Seen, wanted: Sequence[str]) -> Iterator[str]:
    if len(seen.times) != 1:
        yield f"home has {len(seen.times)} scheduled times"
    for each in seen.times:
        if {message.number for message in each.summaries} != {0}:
            yield f"messages {[message.number for message in each.summaries]} about one scheduled time"
        said = [each.in_the_end().get((seen.regions[0].region, report)) for report in REPORTS]
        if said != list(wanted):
            yield f"the summary says {said}, not {list(wanted)}"
