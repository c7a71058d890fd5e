"""The model of lock, report and notification (docs/model.md), in Python.

It checks a history in two ways. `disagreements` lists the runs whose end the history's events do not allow; `broken_laws`
replays what was recorded, in the order of time, and lists the changes that break a law. No module of the exporter is
imported here.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

RUNS = 6
"""The most runs of a history."""
HOWS = {
    "plain": "as the console starts it",
    "quiet": "a success sends no notification",
    "cancel": "on_busy is cancel",
    "fail": "on_busy is fail",
    "short": "its deadline passes within seconds",
    "scheduled": "for the one scheduled time, which all such runs of a history share",
    "wrong": "with an input that is refused",
}
"""How a run is started."""
REPORT_FAILURE, ITS_OWN_CANCEL = "FAILED: Report.INTERNAL_ERROR", "FAILED: Report.CANCELLED"
TRIES_OF_AN_EVENT = 3
HIT = ("ABORTED", "TIMED_OUT")


# ---- what happens


@dataclass(frozen=True)
class Event:
    """One thing that happens in a history; docs/model.md lists them."""

    what: str
    run: int | None = None
    how: str = ""

    def __str__(self) -> str:
        return " ".join(part for part in (self.what, "" if self.run is None else str(self.run), self.how) if part)

    @classmethod
    def read(cls, text: str) -> Self:
        """Read an event as it is printed."""
        what, _, rest = text.strip().partition(" ")
        number, _, how = rest.partition(" ")
        return cls(what, int(number), how) if number.isdigit() else cls(what, None, rest)


@dataclass(frozen=True)
class History:
    """What happens, in order. Any part of a history is a history too, so it can be made shorter."""

    events: tuple[Event, ...]

    def __str__(self) -> str:
        return "; ".join(str(event) for event in self.events)

    @classmethod
    def read(cls, text: str) -> Self:
        """Read a history as it is printed."""
        return cls(tuple(Event.read(part) for part in text.split(";") if part.strip()))

    def started(self) -> dict[int, str]:
        """Return how each run is started."""
        return {event.run: event.how for event in self.events if event.what == "start" and event.run is not None}

    def has(self, what: str, run: int | None = None) -> bool:
        """Return whether something happens, to any run or to one."""
        return any(event.what == what and (run is None or event.run == run) for event in self.events)

    def without(self, index: int) -> History:
        """Return the history without one of its events."""
        return History(self.events[:index] + self.events[index + 1 :])


# ---- what may become of each run


@dataclass(frozen=True)
class End:
    """How a run ended: its outcome (a failure's with its error), and how many notifications were sent."""

    outcome: str
    notifications: int


def allowed(history: History, run: int) -> frozenset[str]:
    """Return the outcomes that a run may have: success, unless one of the history's events can affect it."""
    started = history.started()
    how, others = started[run], len(started) > 1
    reasons = {
        "ABORTED": history.has("stop", run) or history.has("outlive", run),
        "TIMED_OUT": history.has("time-out", run),
    }
    if how == "wrong":
        return frozenset({"FAILED: InvalidInput"}) | {outcome for outcome, holds in reasons.items() if holds}
    reasons |= {
        "DUPLICATE": how == "scheduled" and list(started.values()).count("scheduled") > 1,
        "FAILED: DeadlineExceeded": how == "short",
        "FAILED: LockNotObtained": how == "short" and others,
        "FAILED: InspectorBusy": how == "fail" and history.has("external"),
        "FAILED: LockLostError": others and history.has("expire"),
        REPORT_FAILURE: history.has("fails"),
        ITS_OWN_CANCEL: history.has("cancels"),
    }
    return frozenset({"SUCCEEDED"}) | {outcome for outcome, holds in reasons.items() if holds}


def notifications(how: str, outcome: str) -> int:
    """Return how many notifications an outcome has: one, or none where the run asks for none."""
    return 0 if outcome == "DUPLICATE" or (outcome, how) == ("SUCCEEDED", "quiet") else 1


def disagreements(history: History, ends: Mapping[int, End]) -> Iterator[str]:
    """Say where the ends of the runs are not what the history allows."""
    for run, how in history.started().items():
        end = ends[run]
        if end.outcome not in (may := allowed(history, run)):
            yield f"run {run} ({how}) ended as {end.outcome}; allowed: {', '.join(sorted(may))}"
        if end.notifications != (times := notifications(how, end.outcome)):
            yield f"run {run} ({how}) ended as {end.outcome} and had {end.notifications} notifications, not {times}"
    daily_runs = [ends[run].outcome for run, how in history.started().items() if how == "scheduled"]
    exported = [outcome for outcome in daily_runs if outcome != "DUPLICATE"]
    if daily_runs and (not exported or len([outcome for outcome in exported if outcome not in HIT]) > 1):
        yield f"one of the runs for the same scheduled time exports, not {len(exported)}: {daily_runs}"
    counts = Counter(end.outcome for end in ends.values())
    for what, outcome in (("fails", REPORT_FAILURE), ("cancels", ITS_OWN_CANCEL)):
        if counts[outcome] > (most := sum(event.what == what for event in history.events)):
            yield f"{counts[outcome]} runs ended as {outcome}, though only {most} reports did"


def needs_hourly_cleanup(history: History, clean_ups_failed: int, last_states: Collection[str]) -> bool:
    """Return whether something may be left for the hourly cleanup.

    That is the case when an event was lost, or failed three times, or when a function that outlived its execution took the
    lock after the event had been handled.
    """
    return history.has("lose") or clean_ups_failed >= TRIES_OF_AN_EVENT or "Acquire Lock" in last_states


# ---- what was seen, in the order of time


@dataclass(frozen=True)
class LockState:
    """The lock's item."""

    owner: str
    expires_at: int
    creating_until: int = 0


@dataclass(frozen=True)
class RunState:
    """The table's item of a run."""

    on_busy: str = ""
    """Empty without a plan."""
    report: str = ""
    outcome: str = ""
    notification_id: str = ""
    notified: bool = False
    owners_done: bool = False
    """Whether its messages to owners are marked as sent."""


@dataclass(frozen=True)
class Began:
    """An execution has started."""

    at: float
    run: str


@dataclass(frozen=True)
class Over:
    """An execution has ended."""

    at: float
    run: str
    status: str


@dataclass(frozen=True)
class LockWritten:
    """The lock was written; None is free."""

    at: float
    before: LockState | None
    after: LockState | None


@dataclass(frozen=True)
class RunWritten:
    """A run's record was written."""

    at: float
    run: str
    before: RunState
    after: RunState


@dataclass(frozen=True)
class ReportBegan:
    """A report has started; without a run it is an external one."""

    at: float
    report: str
    run: str


@dataclass(frozen=True)
class ReportOver:
    """A report has ended."""

    at: float
    report: str
    status: str


@dataclass(frozen=True)
class CancelAsked:
    """Inspector was asked to cancel a report: by a step or a cleanup of a run, or by the hourly cleanup, which names none."""

    at: float
    report: str
    run: str
    began: float
    """When the Start Report began that asked (it read the lock after that); ``at`` where another function asked."""


@dataclass(frozen=True)
class Published:
    """A message has reached the topic."""

    at: float
    run: str
    outcome: str
    notification_id: str


@dataclass(frozen=True)
class OwnerWritten:
    """The item of a message to an owner was written."""

    at: float
    run: str
    owner: str
    notified: bool


@dataclass(frozen=True)
class OwnerPublished:
    """A message has reached the owners' topic."""

    at: float
    run: str
    owner: str


type Seen = (
    Began | Over | LockWritten | RunWritten | ReportBegan | ReportOver | CancelAsked | Published | OwnerWritten | OwnerPublished
)


def broken_laws(seen: Iterable[Seen]) -> list[str]:
    """Replay what was recorded and return every change that is not allowed, with the law of docs/model.md that forbids it."""
    replay = Replay()
    broken = [f"{each.at:.3f} {law}" for each in sorted(seen, key=lambda each: each.at) for law in replay.step(each)]
    return broken + list(replay.left_behind())


@dataclass
class Replay:
    """The states of lock, reports and runs, so far."""

    lock: LockState | None = None
    held_until: dict[str, float] = field(default_factory=dict)
    """Until when each run is known to have held the lock."""
    living: set[str] = field(default_factory=set)
    ended: dict[str, str] = field(default_factory=dict)
    """Statuses by run."""
    runs: dict[str, RunState] = field(default_factory=dict)
    in_progress: dict[str, str] = field(default_factory=dict)
    """The run of each report in progress, empty for an external one."""
    finished: dict[str, set[str]] = field(default_factory=dict)
    """How the reports of each run have ended."""
    owners: dict[str, str] = field(default_factory=dict)
    published: set[str] = field(default_factory=set)
    owners_published: set[tuple[str, str]] = field(default_factory=set)
    """Runs, each with an owner who was notified of it."""
    owners_pending: set[tuple[str, str]] = field(default_factory=set)
    """Runs, each with an owner whose message was claimed and is not marked as sent."""

    def step(self, seen: Seen) -> Iterator[str]:
        """Take one change in, and yield the laws that it breaks."""
        match seen:
            case Began(run=run):
                self.living.add(run)
            case Over(run=run, status=status):
                self.living.discard(run)
                self.ended[run] = status
            case LockWritten():
                yield from self._lock_laws(seen)
                if self.lock:
                    self.held_until[self.lock.owner] = seen.at
                self.lock = seen.after
            case RunWritten():
                yield from self._record_laws(seen)
                self.runs[seen.run] = seen.after
            case ReportBegan():
                yield from self._create_laws(seen)
                self.in_progress[seen.report] = self.owners[seen.report] = seen.run
            case ReportOver():
                owner = self.in_progress.pop(seen.report, "")
                self.finished.setdefault(owner, set()).add(seen.status)
            case CancelAsked():
                yield from self._cancel_laws(seen)
            case Published():
                yield from self._notification_laws(seen)
                self.published.add(seen.run)
            case OwnerPublished(run=run, owner=owner):
                yield from self._owner_laws(seen)
                self.owners_published.add((run, owner))
            case OwnerWritten(run=run, owner=owner):
                if seen.notified and (run, owner) not in self.owners_published:
                    yield f"O2: {owner} was marked as notified of {run} before the message was sent"
                (self.owners_pending.discard if seen.notified else self.owners_pending.add)((run, owner))

    def left_behind(self) -> Iterator[str]:
        """Yield what must not be left when everything has settled."""
        if self.lock:
            yield f"L2: at the end the lock is still held by {self.lock.owner}"
        yield from (f"S1: at the end the report {report} of {run} runs on" for report, run in self.in_progress.items() if run)
        yield from (f"T4: at the end no notification of {run} was sent" for run, state in self.runs.items() if not state.notified)
        yield from (f"T4: {run} has ended and no record of it was ever made" for run in self.ended.keys() - self.runs.keys())

    def _lock_laws(self, seen: LockWritten) -> Iterator[str]:
        before, after, at = seen.before, seen.after, seen.at
        if before != self.lock:
            yield f"the lock was {before} and not {self.lock}: something was missed"
        if before is None:
            if after and after.creating_until:
                yield f"L3: {after.owner} took the lock with a mark on it"
            return
        stands = before.creating_until >= at
        if after is None:
            if stands:
                yield f"L2: the lock of {before.owner} was given back while a report may still be created"
            if before.owner in self.in_progress.values():
                yield f"L2: the lock of {before.owner} was given back while its report was in progress"
        elif after.owner != before.owner:
            if before.owner in self.living and before.expires_at >= at:
                yield f"L1: {after.owner} took the lock of {before.owner}, which still runs"
            if stands:
                yield f"L1: {after.owner} took the lock of {before.owner} while a report may still be created"
        elif stands and after.creating_until > before.creating_until:
            yield f"L3: a mark of {before.owner} was set over one that is still valid"

    def _create_laws(self, seen: ReportBegan) -> Iterator[str]:
        if not seen.run:
            return
        if self.lock is None or self.lock.owner != seen.run:
            yield f"S1: {seen.run} created a report without holding the lock"
        elif self.lock.creating_until < seen.at:
            yield f"S1: {seen.run} created a report without a valid mark"
        if others := [run for run in self.in_progress.values() if run]:
            yield f"S1: {seen.run} created a report while one of {others} was in progress"
        if self.runs.get(seen.run, RunState()).outcome:
            yield f"S1: {seen.run} created a report after its outcome was recorded"
        if self.finished.get(seen.run):
            yield f"S1: {seen.run} created a second report"

    def _cancel_laws(self, seen: CancelAsked) -> Iterator[str]:
        owner = self.owners.get(seen.report)
        if owner is None:
            yield f"S2: {seen.run} asked to cancel {seen.report}, which was never started"
        elif not owner:
            holds = self.lock is not None and self.lock.owner == seen.run
            # Inspector's cancel has no condition: a run that loses the lock after it has read it cannot know.
            held = holds or self.held_until.get(seen.run, 0) >= seen.began
            if not held or self.runs.get(seen.run, RunState()).on_busy != "cancel":
                yield f"S3: {seen.run or 'the hourly cleanup'} asked to cancel an external report"
        elif owner in self.living and seen.run != owner:
            yield f"S2: {seen.run or 'the hourly cleanup'} asked to cancel the report of {owner}, which still runs"

    def _record_laws(self, seen: RunWritten) -> Iterator[str]:
        before, after, run = seen.before, seen.after, seen.run
        for name in ("on_busy", "report", "outcome", "notification_id"):
            if getattr(before, name) and getattr(after, name) != getattr(before, name):
                yield f"T1: {name} of {run} was changed from {getattr(before, name)} to {getattr(after, name)}"
        if after.outcome and not before.outcome:
            yield from self._outcome_laws(run, after)
        if after.notified and not before.notified and run not in self.published and not _is_silent(before, after):
            yield f"T4: {run} was marked as notified before a notification was sent"
        if after.owners_done and not before.owners_done:
            pending = sorted(owner for of, owner in self.owners_pending if of == run)
            if pending or not after.notified:
                yield f"O2: the owners of {run} were marked as done while messages to {pending or 'itself'} were pending"

    def _outcome_laws(self, run: str, state: RunState) -> Iterator[str]:
        outcome, status = state.outcome, self.ended.get(run, "RUNNING")
        if outcome in HIT and status != outcome:
            yield f"T2: {outcome} was recorded of {run}, which is {status}"
        if outcome == "DUPLICATE" and state.on_busy:
            yield f"T2: {run} was planned and recorded as a duplicate"
        if outcome == "SUCCEEDED" and not self.finished.get(run, set()) & {"SUCCEEDED", "NO_FINDINGS_FOUND"}:
            yield f"T2: success was recorded of {run}, whose report has not succeeded"

    def _notification_laws(self, seen: Published) -> Iterator[str]:
        state = self.runs.get(seen.run, RunState())
        if not state.outcome:
            yield f"T3: {seen.run} was notified as {seen.outcome} before an outcome was recorded"
        elif (seen.outcome, seen.notification_id) != (state.outcome.partition(":")[0], state.notification_id):
            yield f"T3: {seen.run} was notified as {seen.outcome} and recorded as {state.outcome}"
        if seen.run in self.published:
            yield f"T3: {seen.run} was notified again, though no publisher was killed"

    def _owner_laws(self, seen: OwnerPublished) -> Iterator[str]:
        state = self.runs.get(seen.run, RunState())
        if state.outcome != "SUCCEEDED" or not state.notified:
            yield f"O1: {seen.owner} was notified of {seen.run}, which was not notified as a success before"
        if (seen.run, seen.owner) in self.owners_published:
            yield f"O1: {seen.owner} was notified of {seen.run} again, though no publisher was killed"


def _is_silent(before: RunState, after: RunState) -> bool:
    # Closed by the same write that recorded it: no notification is to be sent.
    return not before.outcome and after.outcome in ("SUCCEEDED", "DUPLICATE")
