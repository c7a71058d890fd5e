"""Random histories of Regions: reports of several Regions are started, stopped and lost, and one summary is sent at home.

A history is drawn from a seed that is printed, driven against the real stacks of two or three Regions of one account on the embedded
AWS, and made shorter when it fails. Its printed form is enough to drive it again. What is checked is in
`tests/faults/region_invariants.py`; docs/model.md lists what can happen.
"""

from __future__ import annotations

import json
import queue
import random
import re
import threading
import time
import uuid
from collections import Counter
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING, Any, Self

from tests.faults.lanes import WAIT_SCALE, WAIT_SCALES, Lane
from tests.faults.model import Event
from tests.faults.observe import TRIES_OF_AN_EVENT, snapshot
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
)
from tests.faults.table import counted
from tests.faults.trace import TableStream, outcome_of
from tests.local_aws.deployed_exporter import FunctionFailedError, NotInTimeError, wait_until
from tests.local_aws.server import LocalAws

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from tests.faults.invariants import FaultSeen
    from tests.local_aws.deployed_exporter import Exporter

QUICK = {"*": WAIT_SCALES["*"]}
REGIONS = ("eu-west-1", "us-east-1", "ap-northeast-1")
"""The first one is home."""
SIZES = (2, 3)
"""Of how many Regions there are histories; each has stacks of its own, since home's parameters name its Regions."""
NAMES = ("nightly", "criticals", "weekly")
"""Of reports; the first one is that of the parameters, too."""
PROCESSES = 2
FIRST_LANE = 500
VISIBLE_AFTER_SECONDS = 4
"""Of a message that home could not keep. It is nine minutes on AWS, and real time here."""
BETWEEN_SECONDS, PAUSE_SECONDS, REPORT_SECONDS = 0.05, 0.8, 0.1
QUIET_CHECKS, CHECK_SECONDS, A_HISTORY_SECONDS = 3, 0.15, 120.0
MOST_HOURS = 8
"""Hourly calls until nothing changes any more."""
OTHERS = 8
SHORTER_SECONDS = 120.0
PLAN, FINISH, SUMMARIZE = "PlanReportsFunction", "FinishReportsFunction", "SummarizeFunction"
FUNCTIONS = {"plan": PLAN, "finish": FINISH}
CALLS = {"plan": 9, "finish": 6}
"""About how many calls each one makes."""
FOR_GOOD = ("denied", "server_error")
DIES = ("killed_before", "killed_after", "lost_answer", "stopped", "stopped_held", "result_lost", *FOR_GOOD)
"""What happens to a call of the function that plans or finishes a start, or to its answer; to all later ones, too, where it is for good."""
LOSES: Mapping[str, tuple[str, int | None]] = {
    "refused": ("server_error", None), "denied": ("denied", None), "once": ("server_error", 1), "answer": ("lost_answer", 2),
}  # fmt: skip
DOWN: Mapping[str, tuple[str, str, int, int | None]] = {
    "keep": ("denied", "dynamodb:PutItem", 0, None),
    "read": ("denied", "dynamodb:Query", 0, None),
    "publish": ("denied", "sns:Publish", 0, None),
    "answer": ("lost_answer", "sns:Publish", 0, 1),
    "mark": ("denied", "dynamodb:UpdateItem", 1, 1),
    "close": ("denied", "dynamodb:UpdateItem", 2, 1),
    "killed": ("killed_after", "sns:Publish", 0, 1),
    "page": ("denied", "s3:PutObject", 0, None),
}
"""How home is down: the fault, the call of Summarize, how many pass before, and for how many."""
FILES: Mapping[str, list[str]] = {"unusable": ["a/b"], "fewer": ["nightly"], "other": ["nightly", "extra"]}
START_STATES = ("Plan Reports", "Export Report", "Finish Reports")
RUN_STATES = ("Plan Export", "Acquire Lock", "Wait for Report", "Verify Report", "Record Run", "Notify", "Notify Owners")


# ---- drawing


@dataclass(frozen=True)
class RegionHistory:
    """What happens to the Regions, in order. Any part of a history is a history too."""

    regions: int
    reports: int
    events: tuple[Event, ...]

    def __str__(self) -> str:
        return f"{self.regions} Regions, {self.reports} reports: {'; '.join(map(str, self.events))}"

    @classmethod
    def read(cls, text: str) -> Self:
        """Read a history as it is printed."""
        counts, _, events = text.partition(":")
        regions, reports = map(int, re.findall(r"\d+", counts))
        return cls(regions, reports, tuple(Event.read(part) for part in events.split(";") if part.strip()))

    def without(self, index: int) -> RegionHistory:
        """Return the history without one of its events."""
        return RegionHistory(self.regions, self.reports, self.events[:index] + self.events[index + 1 :])


def drawn(of_seed: int, number: int) -> RegionHistory:
    """Return one of a seed's histories: always the same one, whatever else is drawn."""
    source = random.Random(f"Regions {of_seed}.{number}")
    regions, reports = source.choice((2, 2, 3)), source.choice((1, 2, 2, 3))
    begun = [region for region in range(regions) if source.random() < 0.9] or [0]
    events = [Event("start", region, "twice" if source.random() < 0.15 else "") for region in source.sample(begun, len(begun))]
    for _ in range(source.randint(2, OTHERS)):
        events.insert(source.randint(0, len(events)), _other(source, source.randrange(regions)))
    files = [Event("file", region, source.choice([*FILES])) for region in range(regions) if source.random() < 0.12]
    return RegionHistory(regions, reports, (*files, *events))


def _other(source: random.Random, region: int) -> Event:
    what = source.choice((
        "lose", "lose", "heal", "double", "down", "down", "fail", "stop", "stop-run", "dies", "dies", "hangs", "goes-on",
        "deadline", "later", "clean-up", "hour", "replace", "earlier", "lose-events", "pause", "pause",
    ))  # fmt: skip
    match what:
        case "lose":
            return Event(what, region, source.choice([*LOSES]))
        case "down":
            return Event(what, None, source.choice([*DOWN]))
        case "stop":
            return Event(what, region, source.choice(("", *START_STATES)))
        case "stop-run":
            return Event(what, region, source.choice(("", *RUN_STATES)))
        case "dies":
            function = source.choice([*FUNCTIONS])
            return Event(what, region, f"{function} {source.choice(DIES)} {source.randrange(CALLS[function])}")
        case "replace":
            return Event(what, region, source.choice(("", "all")))
        case "deadline" | "later" | "hour" | "pause":
            return Event(what)
        case _:
            return Event(what, region)


def numbered(asked: str) -> RegionHistory:
    """Return a history by its number, such as 7.42: the seed and the place; or read it as it is printed."""
    if match := re.fullmatch(r"(\d+)\.(\d+)", asked):
        return drawn(int(match[1]), int(match[2]))
    return RegionHistory.read(asked)


# ---- stacks


class RegionLane:
    """The stacks of some Regions of one account, for one history after another."""

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self.lanes, self.home = tuple(lanes), lanes[0]
        exporter = self.home.exporter
        self.queue = exporter.resource("HeadlinesQueue")
        sqs = exporter.client("sqs")
        arn = exporter.client("iam").get_role(RoleName=exporter.resource("NotifyFunctionRole"))["Role"]["Arn"]
        self.sender = exporter.aws.role_client("sqs", arn, account=exporter.account, region=exporter.region)
        redrive = json.loads(
            sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["RedrivePolicy"])["Attributes"]["RedrivePolicy"]
        )
        changed = {
            "VisibilityTimeout": str(VISIBLE_AFTER_SECONDS),
            "RedrivePolicy": json.dumps(redrive | {"maxReceiveCount": 1000}),
        }
        sqs.set_queue_attributes(QueueUrl=self.queue, Attributes=changed)

    @classmethod
    def deploy(cls, aws: LocalAws, number: int, regions: int) -> Self:
        """Deploy the stacks, home first."""
        names = REGIONS[:regions]
        parameters = {"HomeRegion": names[0], "Regions": ",".join(names), "Reports": "FILE", "OwnerMessages": "OFF"}
        return cls([Lane.deploy(aws, number, region, **parameters) for region in names])

    def clear(self, names: Sequence[str], scales: Mapping[str, float]) -> None:
        """Clear what the history before left, and put the file of reports into each Region."""
        for lane in self.lanes:
            lane.clear()
            lane.faults.set_wait_scales(scales)
            lane.inspector.configure(base_seconds=REPORT_SECONDS, fewest_checks=1, cancel_seconds=0.0)
            put_reports(lane.exporter, names)

    def in_queue(self) -> int:
        """Return how many messages of Regions are on their way."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        counts = self.home.exporter.client("sqs").get_queue_attributes(QueueUrl=self.queue, AttributeNames=names)["Attributes"]
        return sum(map(int, counts.values()))


def put_reports(exporter: Exporter, names: Sequence[str]) -> None:
    """Put the file of reports."""
    key, body = "inspector/config/reports.json", json.dumps([{"name": name} for name in names])
    exporter.client("s3").put_object(Bucket=exporter.outputs["BucketName"], Key=key, Body=body.encode())


@contextmanager
def region_lanes(folder: Path, *, emulators: int, sizes: Sequence[int] = SIZES) -> Iterator[list[RegionLane]]:
    """Start emulators and deploy on each of them the stacks for histories of each size."""
    with ExitStack() as stack:
        made: list[RegionLane] = []
        for number in range(emulators):
            log = folder / f"local-aws-regions-{number}.log"
            aws = stack.enter_context(LocalAws(log, wait_scale=WAIT_SCALE, processes=PROCESSES))
            made += [RegionLane.deploy(aws, FIRST_LANE + 10 * number + place, size) for place, size in enumerate(sizes)]
        yield made


# ---- driving


@dataclass(frozen=True)
class Result:
    """The result of a history."""

    history: RegionHistory
    troubles: tuple[str, ...]
    states: tuple[str, ...]
    """What was said of each report in the end."""
    summaries: int
    hours: int
    seconds: float
    seen: str


class Driver:
    """Makes a history happen on the stacks of its Regions."""

    def __init__(self, lane: RegionLane) -> None:
        self.lane, self.home = lane, lane.home.exporter
        self.stream = TableStream(self.home)

    def drive(self, history: RegionHistory) -> Result:
        """Drive a history, wait until everything has settled, and check it."""
        began = time.monotonic()
        self.prepare(NAMES[: history.reports])
        for event in history.events:
            self.happen(event)
            time.sleep(BETWEEN_SECONDS)
        for lane in self.lane.lanes:
            lane.inspector.release()
            lane.faults.clear()
        seen, hours, troubles = self.settled()
        states = tuple(state for each in seen.times for state in each.in_the_end().values())
        summaries = sum(len(each.summaries) for each in seen.times)
        return Result(history, tuple(troubles), states, summaries, hours, time.monotonic() - began, described(seen))

    def prepare(self, names: Sequence[str], scales: Mapping[str, float] = QUICK) -> None:
        """Begin with empty Regions, whose files list these reports."""
        self.names = names
        self.lane.clear(names, scales)
        self.stream.restart()
        self.time = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=2)
        self.parents = [self._arn(lane) for lane in self.lane.lanes]

    def settled(self, seconds: float = A_HISTORY_SECONDS) -> tuple[Seen, int, list[str]]:
        """Wait until everything has settled; return what is seen then, how many hourly calls it took, and what is wrong."""
        troubles = [] if self.come_to_rest(seconds) else [f"it has not come to rest within {seconds:.0f} s"]
        for lane in self.lane.lanes:
            lane.faults.clear()
        hours = self._settle()
        if hours == MOST_HOURS:
            troubles.append(f"after {hours} hourly calls something still changes")
        seen = self._seen()
        self._stop_all()
        return seen, hours, troubles + broken_rules(seen)

    def happen(self, event: Event) -> None:
        """Make an event happen."""
        lane = self.lane.lanes[event.run or 0]
        exporter, faults = lane.exporter, lane.faults
        match event.what:
            case "start":
                arns = [self.parents[event.run or 0], *([self._arn(lane)] if event.how == "twice" else [])]
                for arn in arns:
                    self._start(lane, {"schedule": self._schedule(lane, self.time)}, arn)
            case "earlier":
                lane.inspector.hold()
                self._start(lane, {"schedule": self._schedule(lane, self.time - timedelta(minutes=1))}, self._arn(lane))
                with suppress(NotInTimeError):  # another start is at work
                    wait_until(lambda: exporter.executions() or None, "the first report to begin", 5)
            case "replace" if event.how:
                self._start(lane, {"replaces": self.time.isoformat()}, self._arn(lane))
            case "replace":
                exporter.start({"report": {"name": self.names[0]}, "replaces": self.time.isoformat()})
            case "file":
                put_reports(exporter, FILES[event.how])
            case "lose":
                kind, times = LOSES[event.how]
                faults.put(kind, action="sqs:SendMessage", times=times)
            case "heal":
                faults.clear()
            case "double":
                for item in self.home.items().values():
                    if item["sk"].startswith((f"HEADLINE#{exporter.region}", f"START#{exporter.region}")):
                        self.lane.sender.send_message(QueueUrl=self.lane.queue, MessageBody=item["body"])
            case "down":
                kind, action, skip, times = DOWN[event.how]
                self.lane.home.faults.put(kind, function=SUMMARIZE, action=action, skip=skip, times=times)
            case "fail":
                faults.put("denied", function="StartReportFunction", action="inspector2:CreateFindingsReport", times=1)
            case "stop" if event.how:
                faults.put("stopped_between", state=event.how, execution=self.parents[event.run or 0])
            case "stop-run" if event.how:
                faults.put("stopped_between", state=event.how)
            case "stop":
                self._stop(exporter, self.parents[event.run or 0])
            case "stop-run":
                for execution in exporter.executions():
                    self._stop(exporter, execution.arn)
            case "dies":
                function, kind, call = event.how.split()
                times = None if kind in FOR_GOOD else 1
                skip = 0 if kind == "result_lost" else int(call)
                faults.put(kind, function=FUNCTIONS[function], skip=skip, times=times)
            case "hangs":
                lane.inspector.hold()
            case "goes-on":
                lane.inspector.release()
            case "lose-events":
                lane.send_events(wanted=False)
            case "deadline":
                self._pass_clocks()
                self._invoke(self.home, SUMMARIZE)
            case "later":
                self._pass_clocks(sent=True)
                self._invoke(self.home, SUMMARIZE)
            case "clean-up":
                exporter.send("CleanUpFunction", {})
            case "hour":
                self.home.send(SUMMARIZE, {})
            case "pause":
                time.sleep(PAUSE_SECONDS)
            case _:
                raise ValueError(f"nothing is known of: {event}")

    def _arn(self, lane: Lane) -> str:
        """Return the ARN that the next start of all reports will have."""
        machine: str = lane.exporter.outputs["AllReportsStateMachineArn"]
        return f"{machine.replace(':stateMachine:', ':execution:')}:{uuid.uuid4()}"

    def _start(self, lane: Lane, run_input: Mapping[str, Any], arn: str) -> None:
        exporter = lane.exporter
        machine = exporter.outputs["AllReportsStateMachineArn"]
        with suppress(exporter.states.exceptions.ExecutionAlreadyExists):  # a history may start it again
            exporter.states.start_execution(stateMachineArn=machine, input=json.dumps(run_input), name=arn.rsplit(":", 1)[-1])

    def _schedule(self, lane: Lane, at: datetime) -> dict[str, str]:
        exporter = lane.exporter
        arn = f"arn:aws:scheduler:{exporter.region}:{exporter.account}:schedule/default/nightly"
        return {"scheduled_for": at.isoformat(), "arn": arn}

    def _stop(self, exporter: Exporter, arn: str) -> None:
        states = exporter.states
        # There may be no such execution yet, or it may have ended.
        with suppress(states.exceptions.ExecutionDoesNotExist, states.exceptions.ValidationException):
            states.stop_execution(executionArn=arn, error="Operator", cause="stopped by hand")

    def _stop_all(self) -> None:
        """Stop what has not come to rest, so that the next history begins anew."""
        for lane in self.lane.lanes:
            for arn in self._running(lane):
                self._stop(lane.exporter, arn)
            lane.send_events(wanted=True)

    def _running(self, lane: Lane) -> list[str]:
        place = f":{lane.exporter.region}:{lane.exporter.account}:"
        return [arn for arn in lane.faults.at_work()["executions"] if place in arn]

    def _invoke(self, exporter: Exporter, function: str) -> None:
        with suppress(FunctionFailedError):  # something cannot be done yet
            exporter.invoke(function, {})

    # ---- settling

    def come_to_rest(self, seconds: float = A_HISTORY_SECONDS) -> bool:
        """Wait until all executions have ended, no function works, and the queue is empty; return whether that happened in time."""
        quiet, deadline = 0, time.monotonic() + seconds
        while quiet < QUIET_CHECKS:
            if time.monotonic() > deadline:
                return False
            quiet = 0 if self._is_at_work() else quiet + 1
            time.sleep(CHECK_SECONDS)
        return True

    def _is_at_work(self) -> bool:
        for lane in self.lane.lanes:
            now = lane.faults.at_work()
            if now["functions"] or now["held_calls"] or self._running(lane) or _is_to_be_sent_again(lane):
                return True
        return self.lane.in_queue() > 0

    def _settle(self) -> int:
        """Let hours pass until nothing changes any more; return how many it took."""
        known = None
        for hour in range(MOST_HOURS):
            # No function works: whoever has claimed a message or set a mark has died, and its time is over.
            for lane in self.lane.lanes:
                pass_marks(lane.exporter)
                self._invoke(lane.exporter, "CleanUpFunction")
            self.come_to_rest()
            pass_marks(self.home)
            self._pass_clocks(sent=True)
            self._invoke(self.home, SUMMARIZE)
            self.come_to_rest()
            now = self._state()
            if now == known:
                return hour
            known = now
        return MOST_HOURS

    def _state(self) -> list[object]:
        """Return what an hour can change."""
        kept: list[object] = []
        for lane in self.lane.lanes:
            items = lane.exporter.items()
            kept += sorted(key for key in items if key[0] in ("OUTBOX", "STARTS") or key[1] == "LOCK")
            kept += sorted(
                (key, item.get("open"), item.get("number")) for key, item in items.items() if "number" in item or "open" in item
            )
            kept.append(len(lane.exporter.messages()))
        return [*kept, len(self._published())]

    def _pass_clocks(self, *, sent: bool = False) -> None:
        """Move the deadline of each summary into the past; so the time of its last message, if asked."""
        now = datetime.now(UTC)
        past, long_past = (now - timedelta(minutes=1)).isoformat(), (now - timedelta(hours=7)).isoformat()
        for item in self.home.items().values():
            if item["sk"] != "SUMMARY" or "open" not in item:
                continue
            if "sent_at" not in item:
                _set(self.home, item, "deadline_at", {"S": min(item["deadline_at"], past)})
            elif sent:
                _set(self.home, item, "sent_at", {"S": min(item["sent_at"], long_past)})

    # ---- observing

    def _published(self) -> list[dict[str, Any]]:
        place = {"account": self.home.account, "region": self.home.region}
        published = self.home.aws.control("/_local/sns/published", place)["messages"]
        events = [
            each["bodies"]["default"] for each in published if each["attributes"].get("kind", {}).get("StringValue") == "summary"
        ]
        return [json.loads(event) for event in events]

    def _seen(self) -> Seen:
        regions = tuple(_region(lane) for lane in self.lane.lanes)
        home_items, images, published = self.home.items(), self.stream.images(), self._published()
        times = sorted({pk for pk, _ in home_items if pk.startswith("SUMMARY#")})
        seen = tuple(_time(pk, home_items[pk, "SUMMARY"], images, published) for pk in times)
        faults: tuple[FaultSeen, ...] = regions[0].snapshot.faults
        return Seen(regions, seen, faults)


def pass_marks(exporter: Exporter) -> None:
    """Let every claim and mark be over, as if more time had passed than the function that has set it may run."""
    for item in exporter.items().values():
        for mark in ("notifying_until", "creating_until"):
            if float(item.get(mark, 0)) > time.time():
                _set(exporter, item, mark, {"N": "0"})


def _set(exporter: Exporter, item: Mapping[str, Any], name: str, value: Mapping[str, str]) -> None:
    exporter.client("dynamodb").update_item(
        TableName=exporter.outputs["TableName"],
        Key={"pk": {"S": item["pk"]}, "sk": {"S": item["sk"]}},
        UpdateExpression=f"SET {name} = :value",
        ExpressionAttributeValues={":value": value},
    )


def _is_to_be_sent_again(lane: Lane) -> bool:
    by_event: dict[str, list[str]] = {}
    for each in lane.faults.invocations():
        if each["function"] == "CleanUpFunction" and each["execution"]:
            by_event.setdefault(each["execution"], []).append(each["error"])
    return any(errors[-1] and len(errors) < TRIES_OF_AN_EVENT for errors in by_event.values())


def _region(lane: Lane) -> RegionSeen:
    exporter = lane.exporter
    executions = exporter.executions()
    seen = snapshot(exporter, [each.arn for each in executions])
    items = {item["arn"]: item for (_, sk), item in seen.items.items() if sk == "EXECUTION"}
    listed = exporter.states.get_paginator("list_executions").paginate(
        stateMachineArn=exporter.outputs["AllReportsStateMachineArn"]
    )
    starts = [exporter.describe(each["executionArn"]) for page in listed for each in page["executions"]]
    runs = []
    for each in executions:
        given = json.loads(each.input)
        schedule = given.get("schedule") or {}
        runs.append(
            RunSeen(
                each.arn,
                given.get("AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID", ""),
                (given.get("report") or {}).get("name", NAMES[0]),
                schedule.get("scheduled_for") or given.get("replaces", ""),
                bool(schedule),
                each.started_at.astimezone(UTC).isoformat(),
                outcome_of(items.get(each.arn, {})).partition(":")[0],
            )
        )
    return RegionSeen(
        exporter.region,
        seen,
        tuple(
            StartSeen(
                each.arn,
                (json.loads(each.input).get("schedule") or {}).get("scheduled_for") or json.loads(each.input).get("replaces", ""),
                each.status,
                each.error or "",
                tuple(exporter.states_entered(each.arn)),
                "replaces" in json.loads(each.input),
            )
            for each in starts
        ),
        tuple(runs),
    )


def _time(
    pk: str,
    record: Mapping[str, Any],
    images: Iterable[tuple[float, Mapping[str, Any]]],
    published: Iterable[Mapping[str, Any]],
) -> TimeSeen:
    said: dict[str, Said] = {}
    claims: list[ClaimSeen] = []
    for at, item in images:
        if item["pk"] != pk:
            continue
        if item["sk"] == "SUMMARY" and "frozen" in item:
            deadline_at = datetime.fromisoformat(item["deadline_at"]).timestamp()
            claims.append(ClaimSeen(int(item["number"]), at, frozenset(json.loads(item["frozen"])), deadline_at))
        elif item["sk"] != "SUMMARY":
            said.setdefault(item["sk"], _said(item["sk"], json.loads(item["body"]), at))
    expected = json.loads(record["expected"]) if "expected" in record else None
    time_of = pk.partition("#")[2]
    return TimeSeen(
        scheduled_for=time_of,
        expected=(tuple(expected[0]), tuple(expected[1])) if expected else None,
        is_open="open" in record,
        said=tuple(said.values()),
        claims=tuple(claims),
        summaries=tuple(_summary(event) for event in published if event["scheduled_for"] == time_of),
    )


def _said(key: str, body: Mapping[str, Any], at: float) -> Said:
    return Said(
        key=key,
        region=body["region"],
        kept_at=at,
        report=body.get("report", ""),
        state=body.get("outcome") or body["state"],
        reports=tuple(body.get("reports", ())),
        began=(body["started_at"], body["execution"]),
        replaces=body.get("replaces", False),
    )


def _summary(event: Mapping[str, Any]) -> SummarySeen:
    return SummarySeen(
        number=event["supplement"],
        notification_id=event["notification_id"],
        rows=tuple(((row["region"], row["report"]), row["state"]) for row in event["reports"]),
        # A page that could not be written has no address.
        content=json.dumps({**event, "page_url": None}, sort_keys=True),
        expected=(tuple(event["expected"]["regions"]), tuple(event["expected"]["reports"])),
    )


def described(seen: Seen) -> str:
    """Return what was seen in a few lines, to help understand what is wrong."""
    lines = []
    for region in seen.regions:
        lines += [
            f"{region.region} start {each.arn[-8:]} {each.status} {each.error} {' > '.join(each.states)}"
            for each in region.starts
        ]
        lines += [f"{region.region} run {each.report} {each.outcome} of {each.parent[-8:] or 'a person'}" for each in region.runs]
        struck = [each for each in region.snapshot.faults if each.function]
        lines += [f"{region.region} {each.kind} {each.function} {each.action}" for each in struck]
    for each in seen.times:
        lines.append(f"{each.scheduled_for} {'open' if each.is_open else 'closed'}, expected {each.expected}")
        lines += [f"  {said.kept_at:.3f} {said.key} {said.state}" for said in each.said]
        lines += [f"  {claim.at:.3f} claim {claim.number} of {len(claim.keys)}" for claim in each.claims]
        lines += [f"  message {message.number}: {dict(message.rows)}" for message in each.summaries]
    return "\n".join(lines)


# ---- many of them


def drive_all(lanes: Sequence[RegionLane], histories: Iterable[RegionHistory]) -> list[Result]:
    """Drive histories on all lanes at once, make those shorter that fail, and return the results in their order."""
    waiting: dict[int, queue.SimpleQueue[tuple[int, RegionHistory]]] = {size: queue.SimpleQueue() for size in SIZES}
    for number, history in enumerate(histories):
        waiting[history.regions].put((number, history))
    results: dict[int, Result] = {}

    def work(lane: RegionLane) -> None:
        driver = Driver(lane)
        while True:
            try:
                number, history = waiting[len(lane.lanes)].get_nowait()
            except queue.Empty:
                return
            try:
                result = driver.drive(history)
                results[number] = made_shorter(driver, result) if result.troubles else result
            except Exception as error:
                results[number] = Result(history, (f"it could not be driven: {error!r}",), (), 0, 0, 0.0, "")

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
        result = driver.drive(failed.history.without(index))
        failed = result if result.troubles else failed
        index -= 1
    return failed


def section(of_seed: int, results: Sequence[Result], histories: Sequence[RegionHistory], seconds: float) -> Iterator[str]:
    """Yield the lines about many histories."""
    durations = sorted(result.seconds for result in results)
    said = Counter(state for result in results for state in result.states)
    happened = Counter(event.what for history in histories for event in history.events)
    failed = [(number, result) for number, result in enumerate(results) if result.troubles]
    yield f"Histories of Regions of seed {of_seed}: {len(results)}, with {sum(each.summaries for each in results)} messages, in {seconds:.0f} s"
    yield f"  one takes {median(durations):.1f} s, the longest {durations[-1]:.1f} s, and {max(each.hours for each in results)} hourly calls"
    yield f"  what happened: {counted(happened)}"
    yield f"  what was said of the reports in the end: {counted(said)}"
    yield f"  {len(failed)} break a rule"
    for number, result in failed:
        yield f"  {of_seed}.{number}: {histories[number]}"
        yield f"    made shorter: make faults REGION_HISTORY='{result.history}'"
        yield from (f"    {line}" for line in story(result))


def story(result: Result) -> Iterator[str]:
    """Yield the lines about one history."""
    yield from result.troubles
    yield from result.seen.splitlines()
