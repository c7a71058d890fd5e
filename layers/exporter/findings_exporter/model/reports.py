"""Which reports a schedule starts: the one of the parameters, or those of ``<prefix>/config/reports.json``.

The file is a list of reports, each with a name and what an execution's input may say of a report. Its JSON Schema is
docs/reports.schema.json. Each entry is checked as an input is, so that what is wrong is found before anything is started.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from findings_exporter.model import strict_json
from findings_exporter.model.config import Config
from findings_exporter.model.errors import ConfigFileError, Failure
from findings_exporter.model.execution import Execution
from findings_exporter.model.filter_criteria import kind_of, suggestion
from findings_exporter.model.notes import Note
from findings_exporter.model.plan import make_plan
from findings_exporter.model.text import clean

MOST_REPORTS, MOST_REPORTS_BYTES = 10, 100_000
"""A state's data has 256 KiB [AWS: Step Functions quotas]; reports of one Region are exported one after the other."""
MOST_REPORTS_FAULTS, REPORTS_FAULT_CHARACTERS = 20, 600
FIELDS = ("name", "format", "filter_criteria")
OPTIONS = ("on_busy", "deadline_hours")
EXECUTION_NAME_CHARACTERS = 47
"""Of a report's name in the name of an execution, which has 80 characters [AWS: StartExecution]."""


class ReportsError(ConfigFileError):
    """The file of reports cannot be used."""


@dataclass(frozen=True, slots=True)
class Report:
    """One report that a schedule starts.

    Attributes
    ----------
    input
        What its execution's input says of it; empty for the report of the parameters.
    """

    name: str
    input: Mapping[str, Any]

    def execution_name(self, parent: str) -> str:
        """Return the name of its execution, which is fixed by the one that starts it: to start it again does nothing."""
        return f"{self.name[:EXECUTION_NAME_CHARACTERS]}-{sha256(f'{parent} {self.name}'.encode()).hexdigest()[:16]}"


def only_report(config: Config) -> tuple[Report, ...]:
    """Return the report of the parameters."""
    return (Report(config.defaults.report_name, {}),)


def read_reports(content: bytes, config: Config, execution: Execution, *, knows_filter: bool = True) -> tuple[Report, ...]:
    """Read the file.

    Parameters
    ----------
    knows_filter
        Whether the configuration has the parameter FilterCriteria, which a report of the name ReportName must not differ from.

    Raises
    ------
    ReportsError
        It is wrong; each fault is named with its place.
    """
    if len(content) > MOST_REPORTS_BYTES:
        raise ReportsError([Note("owners.too_long", count=len(content), most=MOST_REPORTS_BYTES)])
    try:
        listed = strict_json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ReportsError([Note("owners.no_json", why=clean(error, REPORTS_FAULT_CHARACTERS))]) from None
    if not isinstance(listed, list):
        raise ReportsError([Note("reports.list", found=kind_of(listed))])
    if not 1 <= len(listed) <= MOST_REPORTS:
        raise ReportsError([Note("reports.count", count=len(listed), most=MOST_REPORTS)])
    faults: list[str] = []
    reports = [_report(entry, f"[{place}]", config, execution, faults) for place, entry in enumerate(listed)]
    for place, report in enumerate(reports):
        if report and knows_filter and not _is_regular(report, config, execution):
            # Its runs would count as tries with another filter: never as what later ones are compared with.
            wrong = Note("reports.other_filter", name=report.name)
            faults.append(Note("owners.fault", path=f"[{place}]", wrong=wrong))
    names = [str(entry["name"]) for entry in listed if isinstance(entry, dict) and "name" in entry]
    twice = [clean(name, EXECUTION_NAME_CHARACTERS) for name in dict.fromkeys(names) if names.count(name) > 1]
    faults += [Note("reports.twice", name=name) for name in twice]
    if faults:
        raise ReportsError(faults[:MOST_REPORTS_FAULTS])
    return tuple(filter(None, reports))


def _report(entry: object, place: str, config: Config, execution: Execution, faults: list[str]) -> Report | None:
    def fault(path: str, wrong: str) -> None:
        faults.append(Note("owners.fault", path=path, wrong=wrong))

    if not isinstance(entry, dict):
        fault(place, Note("reports.entry", found=kind_of(entry)))
        return None
    known = [*FIELDS, *OPTIONS]
    for name in entry:
        if name not in known:
            near = suggestion(name, known)
            unknown = Note("input.unknown", suggestion=near) if near else Note("input.unknown_known", known=known)
            fault(f"{place}.{clean(name, EXECUTION_NAME_CHARACTERS)}", unknown)
    if "name" not in entry:
        fault(place, Note("reports.no_name"))
        return None
    report = {name: entry[name] for name in FIELDS if name in entry}
    run_input = {"report": report} | {name: entry[name] for name in OPTIONS if name in entry}
    plan = make_plan(run_input, config, execution)
    if isinstance(plan, Failure):
        for each in plan.cause.values["faults"] if isinstance(plan.cause, Note) else [plan.cause]:
            values = each.values if isinstance(each, Note) else {}
            if "path" in values:
                # An input has a report's name, format and filter in its field "report"; an entry of the file has them itself.
                fault(f"{place}.{values['path'].removeprefix('report.')}", values["fault"])
            else:
                fault(place, each)
        return None
    return Report(plan.report_name, run_input)


def _is_regular(report: Report, config: Config, execution: Execution) -> bool:
    plan = make_plan(dict(report.input), config, execution)
    return isinstance(plan, Failure) or plan.is_regular
