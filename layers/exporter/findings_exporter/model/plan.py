"""A run's plan: its input and the deployment's defaults, checked and frozen.

The plan is a pure function of the input, the deployment and the execution's start, so that a retry gives the same one.
Bucket, prefix, key and owner are the deployment's: whoever may start an execution must not choose where data goes.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Self

from findings_exporter.model import filter_criteria, notes, strict_json
from findings_exporter.model.config import Config
from findings_exporter.model.errors import Failure
from findings_exporter.model.execution import Execution
from findings_exporter.model.filter_criteria import Fault, kind_of, suggestion
from findings_exporter.model.layout import REPORT_NAME, run_prefix
from findings_exporter.model.notes import Note
from findings_exporter.model.records import known_fields
from findings_exporter.model.text import clean

MAX_INPUT_CHARACTERS = 100_000
MIN_DEADLINE_HOURS, MAX_DEADLINE_HOURS = 1 / 60, 24
"""A minute, and under the state machine's own 32 hours, so that our deadline fires first."""
SCHEDULE_BACK, SCHEDULE_AHEAD = timedelta(days=400), timedelta(minutes=5)
"""A run cannot claim a later scheduled time: it would silence the run that it belongs to."""
KEYS = ["report", "on_busy", "deadline_hours", "notify", "schedule", "replaces"]
REPORT_KEYS = ["name", "format", "filter_criteria"]
SCHEDULE_KEYS = ["scheduled_for", "arn"]
IGNORED_KEYS = {"Comment", "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"}
"""The console's own example input, and what nested workflows pass to each other."""
DEPLOYMENT_WORDS = {
    "bucket",
    "bucket_name",
    "prefix",
    "key_prefix",
    "kms_key",
    "kms_key_arn",
    "key",
    "destination",
    "s3_destination",
}
MAX_FAULTS_SHOWN = 20
NAME_CHARACTERS, PATH_CHARACTERS, FAULT_CHARACTERS = 61, 200, 600
"""Of a name, of where a fault is and of what it is. An input's keys and values are anybody's, of any length."""
MAX_DEPTH = 20
"""More than any filter has."""
LONE_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Destination:
    """Where Inspector writes a run's report.

    Attributes
    ----------
    prefix
        The run's own, ending in a slash: the object is found by listing it.
    owner
        Account id that must own the bucket.
    """

    bucket: str
    prefix: str
    kms_key_arn: str
    owner: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What one run does.

    Attributes
    ----------
    filter_criteria
        For CreateFindingsReport, dates as epoch seconds.
    filter_hash
        Hash of the criteria as written, before dates were made absolute.
    is_regular
        Whether the run may stand for the report of its name: people are notified of it, and it has the deployment's filter,
        unless its name is another one than the deployment's.
    replaces
        The scheduled time whose run this one stands for in the summary; a person started it.
    """

    report_name: str
    report_format: Literal["JSON", "CSV"]
    filter_criteria: dict[str, Any]
    filter_hash: str
    on_busy: Literal["wait", "cancel", "fail"]
    deadline_at: datetime
    deadline_hours: float
    notify: bool
    scheduled_for: str | None
    schedule: str | None
    destination: Destination
    is_regular: bool = True
    replaces: str | None = None

    @property
    def is_scheduled(self) -> bool:
        """Whether the schedule started the run."""
        return self.scheduled_for is not None

    def to_json(self) -> str:
        """Return the plan as it is stored."""
        return json.dumps(asdict(self) | {"deadline_at": self.deadline_at.isoformat()}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a stored plan; what a later release may have added is left out."""
        fields = known_fields(cls, json.loads(text))
        return cls(
            **fields
            | {
                "deadline_at": datetime.fromisoformat(fields["deadline_at"]),
                "destination": Destination(**known_fields(Destination, fields["destination"])),
            },
        )

    def remaining_seconds(self, now: datetime) -> float:
        """Return how long the run may still take; negative when its deadline has passed."""
        return (self.deadline_at - now).total_seconds()


def make_plan(run_input: object, config: Config, execution: Execution) -> Plan | Failure:
    """Check an input and freeze the run's plan.

    Parameters
    ----------
    run_input
        The execution's input; ``{}`` exports with the defaults.

    Returns
    -------
    Plan or Failure
        The failure ``InvalidInput`` names all faults of the input at once, each with its field.
    """
    faults: list[Note] = []

    def fault(path: str, text: Note) -> None:
        faults.append(Note("input.fault", path=clean(path, PATH_CHARACTERS), fault=notes.bounded(text, FAULT_CHARACTERS)))

    _texts(run_input, "input", fault)
    if faults:
        return _invalid(faults)
    fields = _object(run_input, "input", KEYS, fault)
    if len(json.dumps(run_input)) > MAX_INPUT_CHARACTERS:
        fault("input", Note("input.too_long", most=MAX_INPUT_CHARACTERS))
        return _invalid(faults)
    report = _object(fields.get("report", {}), "report", REPORT_KEYS, fault)
    schedule = _object(fields.get("schedule", {}), "schedule", SCHEDULE_KEYS, fault)
    name = _name(report.get("name", config.defaults.report_name), fault)
    criteria, criteria_path = _criteria(report, config, fault)
    filter_hash = filter_criteria.hash_of(criteria) if isinstance(criteria, dict) else ""
    notify = _boolean(fields.get("notify", True), "notify", fault)
    hours = _hours(fields.get("deadline_hours", _number(config.defaults.deadline_hours)), fault)
    plan = Plan(
        report_name=name,
        report_format=_one_of(report.get("format", config.defaults.report_format), "report.format", ["JSON", "CSV"], fault),
        filter_criteria=filter_criteria.resolve(criteria, criteria_path, execution.started_at, fault),
        filter_hash=filter_hash,
        on_busy=_one_of(fields.get("on_busy", config.defaults.on_busy), "on_busy", ["wait", "cancel", "fail"], fault),
        deadline_at=execution.started_at + timedelta(hours=hours),
        deadline_hours=hours,
        notify=notify,
        scheduled_for=_time(schedule.get("scheduled_for"), "schedule.scheduled_for", execution.started_at, fault)
        if schedule
        else None,
        schedule=_schedule_arn(schedule, fault),
        destination=Destination(
            bucket=config.bucket,
            prefix=run_prefix(config.key_prefix, name, execution),
            kms_key_arn=config.kms_key_arn,
            owner=config.bucket_owner,
        ),
        replaces=_time(fields["replaces"], "replaces", execution.started_at, fault) if "replaces" in fields else None,
        is_regular=notify and (name != config.defaults.report_name or filter_hash == _default_hash(config)),
    )
    return _invalid(faults) if faults else plan


def _invalid(faults: list[Note]) -> Failure:
    shown = faults[:MAX_FAULTS_SHOWN]
    if len(faults) > len(shown):
        shown.append(Note("input.more", count=len(faults) - len(shown)))
    return Failure("InvalidInput", Note("cause.input", faults=shown))


def _object(value: object, path: str, known: list[str], fault: Fault) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        fault(path, Note("input.not_object", found=kind_of(value)))
        return {}
    prefix = "" if path == "input" else f"{path}."
    for name in value:
        if name in known or (path == "input" and name in IGNORED_KEYS):
            continue
        if name.lower() in DEPLOYMENT_WORDS:
            fault(f"{prefix}{name}", Note("input.of_the_stack"))
        else:
            near = suggestion(name, known)
            unknown = Note("input.unknown", suggestion=near) if near else Note("input.unknown_known", known=known)
            fault(f"{prefix}{clean(name, NAME_CHARACTERS)}", unknown)
    return value


def _texts(value: object, path: str, fault: Fault) -> None:
    """Find what no message and no request could carry: halves of surrogate pairs, in keys and values; and endless nesting."""
    left = [(path, value, 1)]
    while left:
        path, value, depth = left.pop()
        if depth > MAX_DEPTH:
            fault(path, Note("input.too_deep", most=MAX_DEPTH))
        elif isinstance(value, str) and LONE_SURROGATE.search(value):
            fault(path, Note("input.half_character"))
        elif isinstance(value, dict):
            within = "" if path == "input" else f"{path}."
            for name in filter(LONE_SURROGATE.search, value):
                fault(f"{within}{name}", Note("input.half_character_in_name"))
            left.extend((f"{within}{clean(name, NAME_CHARACTERS)}", each, depth + 1) for name, each in reversed(value.items()))
        elif isinstance(value, list):
            left.extend((f"{path}[{index}]", each, depth + 1) for index, each in reversed([*enumerate(value)]))


def _name(value: object, fault: Fault) -> str:
    if not isinstance(value, str) or not REPORT_NAME.fullmatch(value):
        fault("report.name", Note("input.report_name", found=kind_of(value)))
        return "invalid"
    return value


def _criteria(report: Mapping[str, Any], config: Config, fault: Fault) -> tuple[object, str]:
    if "filter_criteria" in report:
        return report["filter_criteria"], "report.filter_criteria"
    path = "the parameter FilterCriteria"
    try:
        criteria = strict_json.loads(config.defaults.filter_criteria)
        _texts(criteria, path, fault)
    except (ValueError, RecursionError) as error:
        fault(path, Note("input.not_json", text=str(error)))
        return {}, path
    return criteria, path


def _default_hash(config: Config) -> str:
    try:
        return filter_criteria.hash_of(strict_json.loads(config.defaults.filter_criteria))
    except (ValueError, TypeError, AttributeError, RecursionError):
        # A wrong parameter, of which a run with a filter of its own need not care.
        return ""


def _number(parameter: str) -> float | str:
    try:
        return float(parameter)
    except ValueError:
        return parameter


def _hours(value: object, fault: Fault) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and MIN_DEADLINE_HOURS <= value <= MAX_DEADLINE_HOURS:
        return value
    hours = Note("input.hours", least=f"{MIN_DEADLINE_HOURS:.3f}", most=MAX_DEADLINE_HOURS, found=kind_of(value))
    fault("deadline_hours", hours)
    return 1


def _one_of[T: str](value: object, path: str, known: list[T], fault: Fault) -> T:
    for each in known:
        if value == each:
            return each
    hint = suggestion(value, list(known)) if isinstance(value, str) else ""
    fault(path, Note("input.one_of", choices=list(known), found=kind_of(value), suggestion=hint))
    return known[0]


def _boolean(value: object, path: str, fault: Fault) -> bool:
    if not isinstance(value, bool):
        fault(path, Note("input.boolean", found=kind_of(value)))
        return True
    return value


def _time(value: object, path: str, started_at: datetime, fault: Fault) -> str | None:
    try:
        written = datetime.fromisoformat(value) if isinstance(value, str) else None
        time = written.astimezone(UTC) if written and written.tzinfo else None
    except (ValueError, OverflowError):  # the year 1 or 9999 may have no UTC
        time = None
    if time is None:
        fault(path, Note("input.time", found=kind_of(value)))
        return None
    if time > started_at + SCHEDULE_AHEAD:
        fault(path, Note("input.future"))
    if time < started_at - SCHEDULE_BACK:
        fault(path, Note("input.past", days=SCHEDULE_BACK.days))
    return time.isoformat()


def _schedule_arn(schedule: Mapping[str, Any], fault: Fault) -> str | None:
    if not schedule:
        return None
    value = schedule.get("arn")
    if not isinstance(value, str) or not re.fullmatch(
        r"arn:[a-z-]+:scheduler:[a-z0-9-]+:\d{12}:schedule/[\w.-]{1,64}/[\w.-]{1,64}", value, re.ASCII
    ):
        fault("schedule.arn", Note("input.schedule_arn", found=kind_of(value)))
        return None
    return value
