"""Load: many runs started at once, in an account as fresh as AWS gives it, with a Lambda concurrency of 10.

The lock is not a queue: the run that asks when the lock is free gets it. The six rules must hold all the same, and the cost
of waiting is counted on the executions' own histories.
"""

from __future__ import annotations

import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.price import USD_A_TRANSITION
from tests.faults.invariants import owner_name, violations
from tests.faults.lanes import Lane
from tests.faults.model import End, Event, History, broken_laws, disagreements
from tests.faults.observe import clean_up_hourly, come_to_rest, is_anything_left, snapshot
from tests.faults.trace import TableStream, outcome_of, trace
from tests.local_aws.server import LocalAws

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.local_aws.deployed_exporter import Exporter

RUNS = 50
FRESH_CONCURRENCY = 10
PROCESSES = 4
WAIT_SCALE = 0.2
"""With the scale of the histories, the waiting runs would ask more often than two cores can answer."""
LANE = 99
MOST_SECONDS = 600.0
REPORT_SECONDS = 1.0
WAITING = ("Wait for Lock", "Acquire Lock", "Lock Acquired?")
FIRST_ASKING = 2
"""Transitions of a run that gets the lock at once: Acquire Lock and its choice."""


@dataclass(frozen=True)
class Served:
    """How one run of many was served."""

    name: str
    started_at: float
    report_at: float | None
    """When its report was created."""
    transitions: int
    """Spent on waiting for the lock, with the further tries of throttled tasks."""
    throttled: int

    @property
    def waited(self) -> float:
        """Seconds from its start to its report."""
        return (self.report_at or self.started_at) - self.started_at


@dataclass(frozen=True)
class Load:
    """The result of many runs at once."""

    served: tuple[Served, ...]
    ends: tuple[End, ...]
    most_in_progress: int
    troubles: tuple[str, ...]
    seconds: float


@contextmanager
def fresh_account(folder: Path) -> Iterator[Lane]:
    """Deploy the exporter to an account with the limits of a new AWS account: ten functions at once, the next is throttled."""
    log = folder / "local-aws-load.log"
    with LocalAws(log, wait_scale=WAIT_SCALE, concurrency=FRESH_CONCURRENCY, processes=PROCESSES) as aws:
        yield Lane.deploy(aws, LANE)


def run_load(lane: Lane, runs: int = RUNS) -> Load:
    """Start runs at once, and return the result."""
    history = History(tuple(Event("start", run, "plain") for run in range(runs)))
    lane.clear()
    lane.faults.set_wait_scales({"*": WAIT_SCALE})
    lane.inspector.configure(base_seconds=REPORT_SECONDS, fewest_checks=1)
    exporter, stream = lane.exporter, TableStream(lane.exporter)
    arns = [lane.new_execution() for _ in range(runs)]
    began = time.monotonic()
    for arn in arns:
        lane.start(arn, {})
    came_to_rest = come_to_rest(exporter, arns, MOST_SECONDS)
    seconds = time.monotonic() - began
    is_left = is_anything_left(snapshot(exporter, arns))
    (seen, _), record = clean_up_hourly(exporter, arns), lane.inspector.record()
    ends = {
        run: End(outcome_of(seen.item(execution)), len(seen.notifications(execution)))
        for run, execution in enumerate(seen.executions)
    }
    troubles = [str(violation) for violation in violations(seen)]
    troubles += broken_laws(trace(exporter, stream, arns))
    troubles += disagreements(history, ends)
    if not came_to_rest:
        troubles.append(f"not all have ended within {MOST_SECONDS:.0f} s")
    if is_left:
        troubles.append("something was left for the hourly cleanup")
    reports = {owner_name(report): report["created_at"] for report in record["reports"]}
    served = tuple(_served(exporter, arn, reports) for arn in arns)
    return Load(served, tuple(ends.values()), record["most_in_progress"], tuple(troubles), seconds)


def _served(exporter: Exporter, arn: str, reports: dict[str, float]) -> Served:
    pages = exporter.states.get_paginator("get_execution_history").paginate(executionArn=arn)
    events: list[dict[str, Any]] = [event for page in pages for event in page["events"]]
    entered = [event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event]
    failed = [event["taskFailedEventDetails"]["error"] for event in events if "taskFailedEventDetails" in event]
    name = arn.rsplit(":", 1)[-1]
    waiting = sum(entered.count(state) for state in WAITING) - FIRST_ASKING
    # AWS charges a retry of a task like a transition.
    return Served(
        name=name,
        started_at=events[0]["timestamp"].timestamp(),
        report_at=reports.get(name),
        transitions=waiting + len(failed),
        throttled=failed.count("Lambda.TooManyRequestsException"),
    )


def tau(order: Sequence[int]) -> float:
    """Return Kendall's tau of an order of service, given as places of arrival: 1 is first come first served, 0 is chance."""
    pairs = list(combinations(order, 2))
    agreeing = sum(earlier < later for earlier, later in pairs)
    return 2 * agreeing / len(pairs) - 1 if pairs else 1.0


def section(load: Load) -> Iterator[str]:
    """Yield the lines about a load."""
    served = [run for run in load.served if run.report_at]
    order = sorted(range(len(load.served)), key=lambda place: load.served[place].report_at or float("inf"))
    waits, transitions = sorted(run.waited for run in served), sorted(run.transitions for run in load.served)
    throttled = [run.throttled for run in load.served]
    outcomes = Counter(end.outcome for end in load.ends)
    yield f"Load: {len(load.served)} runs at once, Lambda concurrency {FRESH_CONCURRENCY}, waits at {WAIT_SCALE} of their time"
    yield f"  all ended in {load.seconds:.0f} s: {', '.join(f'{outcome} {count}' for outcome, count in outcomes.items())}"
    yield f"  reports in progress at once, at most: {load.most_in_progress}"
    yield f"  messages a run: {', '.join(map(str, sorted({end.notifications for end in load.ends})))}"
    yield f"  order of service against order of arrival: Kendall's tau {tau(order):+.2f} (1 is a queue, 0 is chance)"
    if served:
        yield f"  from start to report: {median(waits):.0f} s, the longest {waits[-1]:.0f} s"
    yield (
        f"  transitions spent waiting: {median(transitions):.0f} a run, at most {transitions[-1]}: "
        f"USD {sum(transitions) * USD_A_TRANSITION:.4f} in all"
    )
    yield f"  throttled invocations: {sum(throttled)}, at most {max(throttled)} of one run"
    yield from (f"  {trouble}" for trouble in load.troubles)
