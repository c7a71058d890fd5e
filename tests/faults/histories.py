"""Random histories: runs are started, stopped and lose their lock in any order, and their ends are compared with the model.

A history is drawn by hypothesis from a seed that is printed, driven against the real workflow on the embedded AWS, and
made shorter when it fails. Its printed form is enough to drive it again.
"""

from __future__ import annotations

import queue
import re
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.faults.invariants import violations
from tests.faults.lanes import WAIT_SCALES
from tests.faults.model import HOWS, RUNS, End, Event, History, broken_laws, disagreements, needs_hourly_cleanup
from tests.faults.observe import clean_up_hourly, come_to_rest, is_anything_left, snapshot, summary
from tests.faults.table import counted
from tests.faults.trace import TableStream, outcome_of, trace
from tests.local_aws.server import LocalAwsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tests.faults.invariants import Snapshot
    from tests.faults.lanes import Lane

DEADLINE_HOURS = 0.0013
"""4.7 s, in the functions' own time."""
BETWEEN_SECONDS, PAUSE_SECONDS = 0.05, 0.6
REPORT_SECONDS, CANCEL_SECONDS = 0.4, 1.5
A_HISTORY_SECONDS = 300.0
STATES = (
    "Plan Export", "Acquire Lock", "Wait for Lock", "Start Report", "Wait for Other Report", "Wait for Report",
    "Check Report", "Cancel Report", "Release Lock", "Verify Report", "Analyze Report", "Record Run", "Notify",
    "Notify Owners",
)  # fmt: skip
"""Where an execution is stopped, on entering the state; without one it is stopped at once."""
OUTLIVING = {
    "acquire": ("AcquireLockFunction", "dynamodb:UpdateItem"),
    "create": ("StartReportFunction", "inspector2:CreateFindingsReport"),
    "release": ("ReleaseLockFunction", "dynamodb:DeleteItem"),
    "record": ("RecordRunFunction", "dynamodb:UpdateItem"),
    "publish": ("NotifyFunction", "sns:Publish"),
    "owners": ("NotifyOwnersFunction", "sns:Publish"),
}
"""The calls that a function makes while its execution is stopped; with "late" the call takes effect after clean_up ran."""
KINDS: tuple[tuple[tuple[str, ...], tuple[Event, ...]], ...] = (
    ((*HOWS, "plain", "plain"), ()),
    (("plain", "quiet"), ()),
    (("scheduled", "scheduled", "plain"), ()),
    (("fail", "cancel", "short", "plain"), (Event("external"),)),
)
"""How the runs of a history are started, and what comes first: any way, the usual one, one scheduled time, another report."""
EXAMPLES = 3
LANES_EACH, PROCESSES = 2, 2
"""Lanes on each emulator, and processes of each function: as many as a laptop can start for six runs at once."""
SHORTER_SECONDS = 90.0
LINE_CHARACTERS = 400


# ---- drawing


def drawn(of_seed: int, number: int) -> History:
    """Return one of a seed's histories: always the same one, whatever else is drawn."""
    found: list[History] = []

    # Hypothesis begins with the simplest example and then varies the one before: the last of a few is like neither.
    @seed(f"{of_seed}.{number}")
    @settings(max_examples=EXAMPLES, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(_histories())
    def draw(history: History) -> None:
        found.append(history)

    draw()
    return found[-1]


@st.composite
def _histories(draw: st.DrawFn) -> History:
    hows, first = draw(st.sampled_from(KINDS))
    starts = draw(st.lists(st.sampled_from(hows), min_size=1, max_size=RUNS))
    events = [Event("start", run, how) for run, how in enumerate(starts)]
    for event in draw(st.lists(_others(len(starts)), max_size=2 * RUNS)):
        events.insert(draw(st.integers(0, len(events))), event)
    return History((*first, *events))


def _others(runs: int) -> st.SearchStrategy[Event]:
    of_runs = st.integers(0, runs - 1)

    def to_a_run(*whats: str, hows: tuple[str, ...] = ("",)) -> st.SearchStrategy[Event]:
        return st.builds(Event, st.sampled_from(whats), of_runs, st.sampled_from(hows))

    def to_all(*whats: str) -> st.SearchStrategy[Event]:
        return st.sampled_from([Event(what) for what in whats])

    return st.one_of(
        to_a_run("stop", hows=STATES),
        to_a_run("stop", "time-out"),
        to_a_run("outlive", hows=tuple(place + how for place in OUTLIVING for how in ("", " late"))),
        to_a_run("clean-up"),
        to_all("hourly_cleanup", "lose", "lose", "send"),
        to_all("expire", "expire", "pause"),
        to_all("external", "external", "leaves"),
        to_all("hangs", "fails", "cancels", "lingers", "goes-on"),
        to_all("pause"),
    )


def numbered(asked: str) -> History:
    """Return a history by its number, such as 7.42: the seed and the place; or read it as it is printed."""
    if match := re.fullmatch(r"(\d+)\.(\d+)", asked):
        return drawn(int(match[1]), int(match[2]))
    return History.read(asked)


# ---- driving


@dataclass(frozen=True)
class Result:
    """The result of a history."""

    history: History
    troubles: tuple[str, ...]
    ends: Mapping[int, End]
    """By run."""
    hourly_cleanups: int
    seconds: float
    seen: str


class Driver:
    """Makes a history happen on a lane."""

    def __init__(self, lane: Lane) -> None:
        self.lane, self.exporter, self.inspector = lane, lane.exporter, lane.inspector
        self.stream = TableStream(lane.exporter)

    def drive(self, history: History) -> Result:
        """Drive a history, wait until everything has settled, and check it."""
        began = time.monotonic()
        self._prepare()
        for event in history.events:
            self._happen(event)
            time.sleep(BETWEEN_SECONDS)
        self._let_inspector_go_on()
        arns = [self.arns[run] for run in history.started()]
        came_to_rest = come_to_rest(self.exporter, arns, A_HISTORY_SECONDS)
        is_left = is_anything_left(snapshot(self.exporter, arns))
        seen, hourly_cleanups = clean_up_hourly(self.exporter, arns)
        ends = {run: _end(seen, self.arns[run]) for run in history.started()}
        troubles = [str(violation) for violation in violations(seen)]
        troubles += broken_laws(trace(self.exporter, self.stream, arns))
        troubles += disagreements(history, ends)
        if not came_to_rest:
            troubles.append(f"it has not come to rest within {A_HISTORY_SECONDS:.0f} s")
            self._stop_all(arns)
        else:
            last_states = [state for each in seen.executions for state in each.states[-1:]]
            if is_left and not needs_hourly_cleanup(history, _clean_ups_failed(seen), last_states):
                troubles.append("no event was lost, but something was left for the hourly cleanup")
            if hourly_cleanups > 1:
                troubles.append(f"one hourly cleanup was not enough: it took {hourly_cleanups}")
        return Result(history, tuple(troubles), ends, hourly_cleanups, time.monotonic() - began, summary(seen))

    def _prepare(self) -> None:
        self.lane.clear()
        self.lane.faults.set_wait_scales(
            {**WAIT_SCALES, "Wait for Other Report": WAIT_SCALES["*"], "Wait for Lock": 2 * WAIT_SCALES["*"]}
        )
        self.inspector.configure(base_seconds=REPORT_SECONDS, fewest_checks=1, cancel_seconds=0.0)
        self.arns = [self.lane.new_execution() for _ in range(RUNS)]
        self.daily_run = self.lane.scheduled_input()
        self.external = ""
        self.stream.restart()

    def _input(self, how: str) -> Mapping[str, Any]:
        inputs: dict[str, dict[str, Any]] = {
            "plain": {},
            "quiet": {"notify": False},
            "cancel": {"on_busy": "cancel"},
            "fail": {"on_busy": "fail"},
            "short": {"deadline_hours": DEADLINE_HOURS},
            "scheduled": self.daily_run,
            "wrong": {"bucket": "mine"},
        }
        return inputs[how]

    def _happen(self, event: Event) -> None:
        arn = self.arns[event.run or 0]
        match event.what:
            case "start":
                self.lane.start(arn, self._input(event.how))
            case "stop" if event.how:
                self.lane.faults.put("stopped_between", state=event.how, execution=arn)
            case "stop":
                states = self.exporter.states
                # There may be no such execution yet, or it may have ended.
                with suppress(states.exceptions.ExecutionDoesNotExist, states.exceptions.ValidationException):
                    states.stop_execution(executionArn=arn, error="Operator", cause="stopped by hand")
            case "outlive":
                place, _, late = event.how.partition(" ")
                function, action = OUTLIVING[place]
                self.lane.faults.put("stopped_held" if late else "stopped", function=function, action=action, execution=arn)
            case "time-out":
                with suppress(LocalAwsError):
                    self._control("/_local/executions/time_out", executionArn=arn)
            case "clean-up":
                with suppress(self.exporter.states.exceptions.ExecutionDoesNotExist):  # it has not started yet
                    began = self.exporter.describe(arn).started_at.timestamp()
                    self._clean_up({"detail": {"executionArn": arn, "startDate": int(began * 1000)}})
            case "hourly_cleanup":
                self._clean_up({})
            case "lose" | "send":
                self.lane.send_events(wanted=event.what == "send")
            case "expire":
                self._expire_lock()
            case "external":
                with suppress(LocalAwsError):  # another report is in progress
                    self.external = self.inspector.external_report()
            case "leaves":
                self._end_external()
            case "hangs":
                self.inspector.misbehave("hold")
            case "fails":
                self.inspector.misbehave("fail")
            case "cancels":
                self.inspector.misbehave("cancel_itself")
            case "lingers":
                self.inspector.configure(cancel_seconds=CANCEL_SECONDS)
            case "goes-on":
                self.inspector.release()
            case "pause":
                time.sleep(PAUSE_SECONDS)
            case _:
                raise ValueError(f"nothing is known of: {event}")

    def _clean_up(self, event: dict[str, object]) -> None:
        # As EventBridge does it: asynchronously, with retries after a failure.
        self.exporter.send("CleanUpFunction", event)

    def _expire_lock(self) -> None:
        dynamodb, lock = self.exporter.client("dynamodb"), self.exporter.lock()
        if lock is None:
            return
        with suppress(dynamodb.exceptions.ConditionalCheckFailedException):  # it has changed hands meanwhile
            dynamodb.update_item(
                TableName=self.exporter.outputs["TableName"],
                Key={"pk": {"S": lock["pk"]}, "sk": {"S": lock["sk"]}},
                UpdateExpression="SET expires_at = :past",
                ConditionExpression="#owner = :owner",
                ExpressionAttributeNames={"#owner": "owner"},
                ExpressionAttributeValues={":past": {"N": str(int(time.time()) - 1)}, ":owner": {"S": lock["owner"]}},
            )

    def _stop_all(self, arns: list[str]) -> None:
        for arn in arns:
            self._happen(Event("stop", self.arns.index(arn)))
        come_to_rest(self.exporter, arns)

    def _let_inspector_go_on(self) -> None:
        self._end_external()
        self.inspector.behave()
        self.inspector.release()

    def _end_external(self) -> None:
        if self.external:
            self.inspector.end_report(self.external)
        self.external = ""

    def _control(self, path: str, **body: object) -> None:
        self.exporter.aws.control(path, {"account": self.exporter.account, "region": self.exporter.region, **body})


def _clean_ups_failed(seen: Snapshot) -> int:
    failed = [each.execution for each in seen.invocations if each.function == "CleanUpFunction" and each.error]
    return max((failed.count(execution) for execution in failed if execution), default=0)


def _end(seen: Snapshot, arn: str) -> End:
    execution = next(each for each in seen.executions if each.arn == arn)
    return End(outcome_of(seen.item(execution)), len(seen.notifications(execution)))


# ---- judging many


def check_all_laws(lanes: Sequence[Lane], histories: Iterable[History]) -> list[Result]:
    """Drive histories on all lanes at once, make those shorter that fail, and return the results in their order."""
    waiting: queue.SimpleQueue[tuple[int, History]] = queue.SimpleQueue()
    for numbered in enumerate(histories):
        waiting.put(numbered)
    results: dict[int, Result] = {}

    def work(lane: Lane) -> None:
        driver = Driver(lane)
        while True:
            try:
                number, history = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                result = driver.drive(history)
                results[number] = made_shorter(driver, result) if result.troubles else result
            except Exception as error:
                results[number] = Result(history, (f"it could not be driven: {error!r}",), {}, 0, 0.0, "")

    threads = [threading.Thread(target=work, args=(lane,), daemon=True) for lane in lanes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [results[number] for number in sorted(results)]


def made_shorter(driver: Driver, failed: Result) -> Result:
    """Leave out one event after the other, as long as it still fails; what does not fail every time may stay longer."""
    deadline = time.monotonic() + SHORTER_SECONDS
    index = len(failed.history.events) - 1
    while index >= 0 and time.monotonic() < deadline:
        shorter = failed.history.without(index)
        if shorter.started() and (result := driver.drive(shorter)).troubles:
            failed = result
        index -= 1
    return failed


def section(of_seed: int, results: Sequence[Result], histories: Sequence[History], seconds: float) -> Iterator[str]:
    """Yield the lines about many histories."""
    durations = sorted(result.seconds for result in results)
    ends = Counter(end.outcome for result in results for end in result.ends.values())
    happened = Counter(event.what for history in histories for event in history.events)
    failed = [(number, result) for number, result in enumerate(results) if result.troubles]
    yield f"Histories of seed {of_seed}: {len(results)}, with {sum(ends.values())} runs, in {seconds:.0f} s"
    yield f"  one takes {median(durations):.1f} s, the longest {durations[-1]:.1f} s"
    yield f"  what happened: {counted(happened)}"
    yield f"  what became of the runs: {counted(ends)}"
    yield f"  {len(failed)} disagree with the model"
    for number, result in failed:
        yield f"  {of_seed}.{number}: {histories[number]}"
        yield f"    made shorter: make faults HISTORY='{result.history}'"
        yield from (f"    {line}" for line in story(result))


def story(result: Result) -> Iterator[str]:
    """Yield the lines about one history."""
    yield from result.troubles
    for run, end in result.ends.items():
        yield f"run {run}: {end.outcome or 'no outcome'}, {end.notifications} notifications"
    yield from (line[:LINE_CHARACTERS] for line in result.seen.splitlines())
