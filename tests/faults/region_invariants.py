"""The rules of the summary (docs/model.md: R1 to R9), as a pure function of what was seen when everything has settled.

No module of the exporter is imported here: what home made of the Regions' messages is compared with the messages themselves,
with the executions, and with what was written to home's table, in the order of time.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.faults.invariants import KEEPS_FROM_MARKING, KILLS, LOSES_THE_ANSWER, SUCCEEDED, violations

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from tests.faults.invariants import FaultSeen, Snapshot

type Pair = tuple[str, str]
"""A Region and the name of a report."""

SILENT, RUNNING, NOT_STARTED, PREVIOUS_RUNNING, NOT_CONFIGURED = (
    "SILENT", "RUNNING", "NOT_STARTED", "PREVIOUS_RUNNING", "NOT_CONFIGURED",
)  # fmt: skip
UNSETTLED = (SILENT, RUNNING)
SUMMARIZE = "SummarizeFunction"
READ_SECONDS = 2.0
"""The messages are read, and soon after that the message about them is claimed. What was kept so long before, was read."""


@dataclass(frozen=True)
class Said:
    """A message of a Region, as home keeps it."""

    key: str
    region: str
    kept_at: float
    """Epoch seconds."""
    report: str = ""
    """Empty for a start notice."""
    state: str = ""
    """Of a start notice; of a headline, its outcome."""
    reports: tuple[str, ...] = ()
    """That a start notice names."""
    began: tuple[str, str] = ("", "")
    """When, and which execution."""
    replaces: bool = False


@dataclass(frozen=True)
class ClaimSeen:
    """A claim of a message about a scheduled time, as home's table had it."""

    number: int
    at: float
    keys: frozenset[str]
    """Of the messages of Regions that it is about."""
    deadline_at: float


@dataclass(frozen=True)
class SummarySeen:
    """A message about a scheduled time that the topic's subscriber got."""

    number: int
    notification_id: str
    rows: tuple[tuple[Pair, str], ...]
    """What it says of each report, in its order."""
    content: str
    """All that it says."""
    expected: tuple[tuple[str, ...], tuple[str, ...]]
    """Regions and reports, as home expected them then."""


@dataclass(frozen=True)
class TimeSeen:
    """All that home has of one scheduled time."""

    scheduled_for: str
    expected: tuple[tuple[str, ...], tuple[str, ...]] | None
    """Regions and reports, as home's own schedule has begun them."""
    is_open: bool
    said: tuple[Said, ...] = ()
    claims: tuple[ClaimSeen, ...] = ()
    summaries: tuple[SummarySeen, ...] = ()

    def in_the_end(self) -> dict[Pair, str]:
        """Return what the messages say in the end: a later one replaces what an earlier one says."""
        return {pair: state for message in self.summaries for pair, state in message.rows}


@dataclass(frozen=True)
class StartSeen:
    """An execution of Export All Reports."""

    arn: str
    scheduled_for: str
    status: str
    error: str
    states: tuple[str, ...]
    replaces: bool = False
    """Whether a person started it in place of the scheduled one: it says home nothing of what it begins."""


@dataclass(frozen=True)
class RunSeen:
    """An execution of Export Findings."""

    arn: str
    parent: str
    """The ARN of the execution that started it; empty where a person did."""
    report: str
    scheduled_for: str
    """Or the time that it replaces."""
    is_scheduled: bool
    began: str
    outcome: str


@dataclass(frozen=True)
class RegionSeen:
    """All of one Region."""

    region: str
    snapshot: Snapshot
    starts: tuple[StartSeen, ...] = ()
    runs: tuple[RunSeen, ...] = ()


@dataclass(frozen=True)
class Seen:
    """All Regions, and what home has."""

    regions: tuple[RegionSeen, ...]
    """Home first."""
    times: tuple[TimeSeen, ...]
    faults_at_home: tuple[FaultSeen, ...] = ()

    def runs_of(self, time: str, pair: Pair) -> list[RunSeen]:
        """Return the runs of a report for a scheduled time, the first to begin first; a duplicate is none."""
        runs = [run for each in self.regions if each.region == pair[0] for run in each.runs]
        of_it = [run for run in runs if (run.report, run.scheduled_for) == (pair[1], time) and run.outcome != "DUPLICATE"]
        return sorted(of_it, key=lambda run: (run.began, run.arn))


def broken_rules(seen: Seen) -> list[str]:
    """Return every rule that does not hold."""
    broken = [f"{each.region}: {violation}" for each in seen.regions for violation in violations(each.snapshot)]
    broken += [f"R8: {each.region}: {what}" for each in seen.regions for what in _left_behind(each)]
    broken += [f"R9: {each.region}: {what}" for each in seen.regions for what in _starts(each)]
    for time in seen.times:
        broken += [f"R1: {what}" for what in _one_content(time, seen.faults_at_home)]
        broken += [f"R2: {what}" for what in _all_that_came_is_read(time)]
        broken += [f"R3: {what}" for what in _says_what_was_said(time)]
        broken += [f"R4: {what}" for what in _not_before_its_time(time)]
        broken += [f"R5: {what}" for what in _most_urgent_first(time)]
        broken += [f"R6: {what}" for what in _says_in_the_end_what_happened(seen, time)]
        broken += [f"R7: {what}" for what in _is_closed(time)]
    return broken


def state_of(pair: Pair, said: Collection[Said]) -> str:
    """Return what is to be said of a report, by what its Region has said."""
    region, report = pair
    of_region = [each for each in said if each.region == region]
    ends = [each for each in of_region if each.report == report]
    start = next((each for each in of_region if not each.report), None)
    if ends:
        return max(ends, key=lambda each: (each.state != NOT_STARTED, each.began)).state
    if start:
        return PREVIOUS_RUNNING if start.state == PREVIOUS_RUNNING else RUNNING if report in start.reports else NOT_CONFIGURED
    return RUNNING if any(each.state != NOT_STARTED and not each.replaces for each in of_region) else SILENT


def _one_content(time: TimeSeen, faults: Collection[FaultSeen]) -> Iterator[str]:
    """One content a message; a copy only where its publisher died, or could not know or record that it had published."""
    numbers = [each.number for each in time.summaries]
    if sorted(set(numbers)) != list(range(len(set(numbers)))):
        yield f"{time.scheduled_for}: messages {numbers}"
    for number in set(numbers):
        copies = [each for each in time.summaries if each.number == number]
        if len({(each.notification_id, each.content) for each in copies}) > 1:
            yield f"{time.scheduled_for}: the copies of message {number} differ"
    ids = {each.number: each.notification_id for each in time.summaries}
    if len(set(ids.values())) != len(ids):
        yield f"{time.scheduled_for}: two messages have one id"
    reasons = sum(
        fault.kind in KILLS
        or (fault.action == "sns:Publish" and fault.kind in LOSES_THE_ANSWER)
        or (fault.action == "dynamodb:UpdateItem" and fault.kind in KEEPS_FROM_MARKING)
        for fault in faults
        if fault.function == SUMMARIZE
    )
    if len(numbers) - len(set(numbers)) > reasons:
        yield f"{time.scheduled_for}: messages {numbers}, with {reasons} reasons for a copy"


def _all_that_came_is_read(time: TimeSeen) -> Iterator[str]:
    """A message is about all that was kept when it was claimed first, and once claimed it is about the same for ever."""
    about: dict[int, ClaimSeen] = {}
    for claim in time.claims:
        first = about.setdefault(claim.number, claim)
        if claim.keys != first.keys:
            yield f"{time.scheduled_for}: message {claim.number} was frozen twice"
    for claim in about.values():
        missing = {each.key for each in time.said if each.kept_at < claim.at - READ_SECONDS} - claim.keys
        if missing:
            yield f"{time.scheduled_for}: message {claim.number} leaves out {sorted(missing)}"


def _says_what_was_said(time: TimeSeen) -> Iterator[str]:
    """Each row says what its Region has said; what it has not said anything of is silent, and nothing else is."""
    frozen = {claim.number: claim.keys for claim in time.claims}
    before: frozenset[str] = frozenset()
    for message in {each.number: each for each in time.summaries}.values():
        if message.number not in frozen:
            yield f"{time.scheduled_for}: message {message.number} was not claimed"
            continue
        said = [each for each in time.said if each.key in frozen[message.number]]
        for pair, state in message.rows:
            if state != (wanted := state_of(pair, said)):
                yield f"{time.scheduled_for}: message {message.number} calls {pair} {state}, not {wanted}"
        rows = [pair for pair, _ in message.rows]
        if len(set(rows)) != len(rows):
            yield f"{time.scheduled_for}: message {message.number} has a report twice"
        if (
            missing := set(_pairs(message.expected, said))
            - set(rows)
            - (_said_before(message, time.said, before) if message.number else set())
        ):
            yield f"{time.scheduled_for}: message {message.number} is silent about {sorted(missing)}"
        if message.number and all(state in UNSETTLED for _, state in message.rows):
            yield f"{time.scheduled_for}: supplement {message.number} says nothing new"
        before |= frozen[message.number]


def _pairs(expected: tuple[tuple[str, ...], tuple[str, ...]] | None, said: Collection[Said]) -> Iterator[Pair]:
    """Yield each report of each Region that is to be in a message: what home expects, and what a Region has named."""
    regions, reports = expected or ((), ())
    yield from ((region, report) for region in regions for report in reports)
    for each in said:
        yield from ((each.region, report) for report in ((each.report,) if each.report else each.reports))


def _said_before(message: SummarySeen, said: Collection[Said], keys: frozenset[str]) -> set[Pair]:
    """Return the reports that an earlier message has settled: a supplement need not name them again."""
    before = [each for each in said if each.key in keys]
    return {pair for pair in _pairs(message.expected, said) if state_of(pair, before) not in UNSETTLED}


def _not_before_its_time(time: TimeSeen) -> Iterator[str]:
    """The summary is sent when nothing is waited for, or at its deadline."""
    for claim in time.claims:
        said = [each for each in time.said if each.key in claim.keys]
        waited_for = [
            pair for pair in set(_pairs(time.expected, said)) if _is_expected(time, pair) and state_of(pair, said) in UNSETTLED
        ]
        if claim.number == 0 and waited_for and claim.at < claim.deadline_at:
            yield f"{time.scheduled_for}: the summary was sent before its deadline, though {sorted(waited_for)} were missing"


def _is_expected(time: TimeSeen, pair: Pair) -> bool:
    regions, reports = time.expected or ((), ())
    return pair[0] in regions and pair[1] in reports


def _most_urgent_first(time: TimeSeen) -> Iterator[str]:
    """What was not heard from stands first, then what is running, then what ended badly, then the rest."""
    for message in time.summaries:
        urgency = [
            (SILENT, RUNNING).index(state) if state in UNSETTLED else 3 if state == SUCCEEDED else 2 for _, state in message.rows
        ]
        if urgency != sorted(urgency):
            yield f"{time.scheduled_for}: message {message.number} has the order {[state for _, state in message.rows]}"


def _says_in_the_end_what_happened(seen: Seen, time: TimeSeen) -> Iterator[str]:
    """What is said in the end is what became of each report: nothing is lost, and nothing runs for ever."""
    said = time.in_the_end()
    for region in seen.regions:
        started = [start for start in region.starts if start.scheduled_for == time.scheduled_for]
        said_of = {pair: state for pair, state in said.items() if pair[0] == region.region}
        ran = {run.report for run in region.runs if run.scheduled_for == time.scheduled_for and run.outcome != "DUPLICATE"}
        for report in ran - {report for _, report in said_of}:
            yield f"{time.scheduled_for}: {region.region} has exported {report}, and no message says so"
        for pair, state in said_of.items():
            runs = seen.runs_of(time.scheduled_for, pair)
            happened = {runs[-1].outcome} if runs else {SILENT, NOT_STARTED, PREVIOUS_RUNNING, NOT_CONFIGURED}
            if not started and not runs:
                happened = {SILENT}
            if state not in happened:
                yield f"{time.scheduled_for}: {pair} is {state} in the end, and not {' or '.join(sorted(happened))}"
            if not runs and state == SILENT and any(_has_begun(start) for start in started):
                yield f"{time.scheduled_for}: {pair} is {state} in the end, though its Region has begun"
    if time.said and not time.summaries:
        yield f"{time.scheduled_for}: no summary was sent"
    if time.expected and not time.summaries:
        yield f"{time.scheduled_for}: home has begun it, and no summary was sent"


def _has_begun(start: StartSeen) -> bool:
    return "Export Reports" in start.states and not start.replaces


def _is_closed(time: TimeSeen) -> Iterator[str]:
    """A scheduled time is open as long as something of it is waited for, and no longer."""
    regions, reports = time.expected or ((), ())
    said, expected = time.in_the_end(), [(region, report) for region in regions for report in reports]
    is_waited_for = any(said.get(pair, SILENT) in UNSETTLED for pair in expected) if expected else SILENT in said.values()
    if time.is_open and not is_waited_for:
        yield f"{time.scheduled_for}: all is said, and it is still open"
    if not time.is_open and is_waited_for:
        yield f"{time.scheduled_for}: it is closed, though something is waited for"


def _left_behind(region: RegionSeen) -> Iterator[str]:
    """No message to home is left, no start, and no start that still runs."""
    for pk, sk in region.snapshot.items:
        if pk in ("OUTBOX", "STARTS"):
            yield f"{pk} {sk} is left"
    for start in region.starts:
        if start.status == RUNNING:
            yield f"{start.arn} still runs"


def _starts(region: RegionSeen) -> Iterator[str]:
    """A scheduled time is exported once, and one report's failure stops no other."""
    by_time: Mapping[Pair, int] = Counter((run.scheduled_for, run.report) for run in region.runs if run.is_scheduled)
    for (time, report), count in by_time.items():
        if count > 1:
            yield f"{report} was started {count} times for {time}"
    for start in region.starts:
        if start.status != SUCCEEDED and start.error != "ReportsFailed":
            continue
        children = sorted(run.report for run in region.runs if run.parent == start.arn)
        listed = sorted(report for report, _ in _listed(region, start))
        if listed and children != listed:
            yield f"{start.arn} was to export {listed} and has started {children}"


def _listed(region: RegionSeen, start: StartSeen) -> Iterator[Pair]:
    """Yield the reports that Plan Reports has listed, each with the name of its execution."""
    planned = [
        each.result["reports"]
        for each in region.snapshot.invocations
        if (each.function, each.execution) == ("PlanReportsFunction", start.arn)
        and isinstance(each.result, dict)
        and each.result.get("state") == "PLANNED"
    ]
    yield from {(report["name"], report["execution"]) for report in planned[0]} if planned else ()
