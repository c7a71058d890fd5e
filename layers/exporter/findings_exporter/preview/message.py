"""What a preview answers: fields for programs, and a text for people, line by line.

The console shows an answer as indented JSON: a text in one piece would be a single line there. So its lines are a list.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from findings_exporter.aws.attempts import Unread
from findings_exporter.aws.inspector import InspectorReport
from findings_exporter.model.config import Config
from findings_exporter.model.errors import Failure
from findings_exporter.model.filter_criteria import with_dates
from findings_exporter.model.notes import Note, in_language
from findings_exporter.model.plan import Plan
from findings_exporter.model.schedule_times import NotUnderstoodError, next_time
from findings_exporter.model.text import clean, each_text, in_mail, wrapped
from findings_exporter.notification.localization import Localization
from findings_exporter.notification.remediation import remediation_for
from findings_exporter.preview.counting import Count, Matches
from findings_exporter.preview.reading import RecentRun

PREVIEW_TYPE, PREVIEW_VERSION = "inspector-findings-exporter.export-previewed", "1.0"
"""Of the answer; its JSON Schema is docs/preview.schema.json."""
PREVIEWED_CHARACTERS, FILTER_CHARACTERS, PREVIEWED_WHY_CHARACTERS = 200, 1_000, 1_000
"""Of a title, a resource or a name; of a filter in the text; of why something is unknown."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a preview of a valid input has read."""

    matches: Matches
    in_progress: InspectorReport | Unread | None
    recent_runs: Sequence[RecentRun] | Unread
    schedules: Sequence[Mapping[str, Any]] | Unread


def invalid(failure: Failure, config: Config, now: datetime) -> dict[str, Any]:
    """Return the answer to an input that an execution would refuse, in the words of its failure."""
    localization = Localization.of(config)
    remediation = remediation_for(failure, config, localization.language)
    text = [
        _wrapped([Note("preview.invalid", error=failure.error)], localization),
        _wrapped(in_language(failure.cause, localization.language).splitlines(), localization),
        [line for number, step in enumerate(remediation.fix, 1) for line in wrapped(step, f"{number}. ", "   ").splitlines()],
    ]
    return _answer("invalid_input", config, now, text) | {"failure": {"error": failure.error, "cause": str(failure.cause)}}


def previewed(plan: Plan, seen: Seen, config: Config, now: datetime) -> dict[str, Any]:
    """Return the answer to a valid input. Its fields are English, its text is not."""
    localization = Localization.of(config)
    text = [
        _wrapped([Note("preview.nothing_exported")], localization),
        _plan_lines(plan, localization),
        _count_lines(seen.matches.count, localization),
        _finding_lines(seen.matches, localization),
        _recent_lines(seen.recent_runs, localization),
        _in_progress_lines(seen.in_progress, localization),
        _schedule_lines(seen.schedules, now, localization),
    ]
    return _answer("previewed", config, now, text) | {
        "plan": _plan(plan),
        "count": _count(seen.matches.count),
        "findings": [_finding(each) for each in seen.matches.findings],
        "in_progress": _known(seen.in_progress) | {"report": _report(seen.in_progress)},
        "recent_runs": _known(seen.recent_runs) | {"runs": [_run(each) for each in _listed(seen.recent_runs)]},
        "schedules": _known(seen.schedules) | {"schedules": [_schedule(each) for each in _listed(seen.schedules)]},
    }


def _answer(result: str, config: Config, now: datetime, text: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Return the fields that every answer has, the text first: so it stands on top in the console."""
    lines = [line for part in text if part for line in ("", *part)][1:]
    return {
        "text": lines,
        "type": PREVIEW_TYPE,
        "version": PREVIEW_VERSION,
        "result": result,
        "account": config.account,
        "region": config.region,
        "previewed_at": now.isoformat(),
        **dict.fromkeys(("failure", "plan", "count", "findings", "in_progress", "recent_runs", "schedules")),
    }


# ---- for programs


def _plan(plan: Plan) -> dict[str, Any]:
    destination = plan.destination
    return {
        "report_name": plan.report_name,
        "report_format": plan.report_format,
        "filter_criteria": each_text(with_dates(plan.filter_criteria), lambda _, text: _encodable(text)),
        "on_busy": plan.on_busy,
        "deadline_hours": plan.deadline_hours,
        "notify": plan.notify,
        "destination": {"bucket": destination.bucket, "prefix": _folder(plan), "kms_key_arn": destination.kms_key_arn},
    }


def _count(count: Count) -> dict[str, Any]:
    return {
        "total": count.total,
        "is_exact": count.is_exact,
        "by_severity": dict(count.by_severity),
        "counted_by": count.counted_by,
        "stopped_by": count.stopped_by,
        "why": _why(count.why) if count.why else None,
    }


def _finding(finding: Mapping[str, Any]) -> dict[str, str]:
    resource: Mapping[str, Any] = next(iter(finding.get("resources") or []), {})
    found = {
        "title": finding.get("title"),
        "severity": finding.get("severity"),
        "account": finding.get("awsAccountId"),
        "resource_type": resource.get("type"),
        "resource": resource.get("id"),
    }
    return {name: _shown(text or "") for name, text in found.items()}


def _report(report: InspectorReport | Unread | None) -> dict[str, str] | None:
    if not isinstance(report, InspectorReport):
        return None
    return {"report_id": _shown(report.id), "bucket": _shown(report.bucket), "prefix": _shown(report.prefix)}


def _run(run: RecentRun) -> dict[str, Any]:
    return {
        "started_at": run.started_at.isoformat(),
        "duration_seconds": run.duration_seconds,
        "report_seconds": run.report_seconds,
        "open_findings": run.open_findings,
    }


def _schedule(schedule: Mapping[str, Any]) -> dict[str, str]:
    found = {
        "name": schedule["Name"],
        "expression": schedule["ScheduleExpression"],
        "time_zone": schedule.get("ScheduleExpressionTimezone", "UTC"),
        "state": schedule["State"],
    }
    return {name: _shown(text) for name, text in found.items()}


def _known(read: object) -> dict[str, Any]:
    return {"is_known": not isinstance(read, Unread), "why": _why(read.why) if isinstance(read, Unread) else None}


def _listed[T](read: Sequence[T] | Unread) -> Sequence[T]:
    return () if isinstance(read, Unread) else read


# ---- for people


def _plan_lines(plan: Plan, localization: Localization) -> list[str]:
    choices = Note("preview.or").said(localization.language)
    filters = [
        Note("preview.filter", name=name, filters=_escaped(choices.join(map(_filter, entries)), FILTER_CHARACTERS))
        for name, entries in with_dates(plan.filter_criteria).items()
    ]
    where = f"s3://{plan.destination.bucket}/{_folder(plan)}"
    lines = [
        Note("preview.report", name=plan.report_name, format=plan.report_format, where=where),
        *(filters or [Note("preview.no_filter")]),
        Note(f"preview_on_busy.{plan.on_busy}"),
    ]
    return _section("preview.plan", lines, localization)


def _count_lines(count: Count, localization: Localization) -> list[str]:
    total = localization.number(count.total)
    if count.is_exact:
        head = Note("preview.exact", total=total, call=count.counted_by)
    elif count.total:
        head = Note("preview.at_least", total=total, call=count.counted_by)
    else:
        head = Note("preview.uncounted", call=count.counted_by)
    lines = _wrapped([head], localization)
    if count.total:
        lines += wrapped(localization.severities(count.by_severity), "  ", "  ").splitlines()
    if count.stopped_by:
        why = _escaped(in_language(count.why, localization.language), PREVIEWED_WHY_CHARACTERS)
        lines += _wrapped([Note(f"preview_stopped.{count.stopped_by}", why=why)], localization)
    return lines


def _finding_lines(matches: Matches, localization: Localization) -> list[str]:
    if not matches.findings:
        return []
    lines = []
    for each in map(_finding, matches.findings):
        where = Note("preview.resource", type=each["resource_type"], account=each["account"])
        lines += [f"- {localization.severity(each['severity'])}  {in_mail(each['title'])}"]
        lines += [f"  {in_mail(where.said(localization.language))}", f"  {in_mail(each['resource'])}"]
    has_all = matches.count.is_exact and len(matches.findings) == matches.count.total
    some = "preview.all_findings" if has_all else "preview.some_findings"
    return [*_wrapped([Note(some, count=len(matches.findings))], localization), *lines]


def _recent_lines(runs: Sequence[RecentRun] | Unread, localization: Localization) -> list[str]:
    if isinstance(runs, Unread):
        return _unknown("preview.recent_unknown", runs, localization)
    lines = []
    for run in runs:
        facts = [localization.duration(run.duration_seconds)]
        if run.report_seconds is not None:
            facts.append(Note("preview.inspector_took", duration=localization.duration(run.report_seconds)))
        if run.open_findings is not None:
            facts.append(Note("preview.run_findings", count=run.open_findings))
        shown = localization.listed(in_language(each, localization.language) for each in facts)
        lines.append(Note("preview.run", time=localization.time(run.started_at), facts=shown))
    return _section("preview.recent", lines or [Note("preview.no_recent")], localization)


def _in_progress_lines(report: InspectorReport | Unread | None, localization: Localization) -> list[str]:
    if isinstance(report, Unread):
        return _unknown("preview.in_progress_unknown", report, localization)
    if report is None:
        return _wrapped([Note("preview.idle")], localization)
    place = _escaped(f"s3://{report.bucket}/{report.prefix}", PREVIEWED_CHARACTERS)
    return _wrapped([Note("preview.in_progress", report=_shown(report.id), place=place)], localization)


def _schedule_lines(schedules: Sequence[Mapping[str, Any]] | Unread, now: datetime, localization: Localization) -> list[str]:
    if isinstance(schedules, Unread):
        return _unknown("preview.schedule_unknown", schedules, localization)
    lines = [_schedule_line(each, now, localization) for each in schedules]
    return _section("preview.schedule", lines or [Note("preview.no_schedule")], localization)


def _schedule_line(schedule: Mapping[str, Any], now: datetime, localization: Localization) -> Note:
    what = {name: in_mail(text) for name, text in _schedule(schedule).items()}
    if schedule["State"] != "ENABLED":
        return Note("preview_schedule.off", **what)
    try:
        due = next_time(schedule, now)
    except NotUnderstoodError as error:
        return Note("preview_schedule.unknown", why=in_language(error.why, localization.language), **what)
    if due is None:
        return Note("preview_schedule.over", **what)
    what["time"] = localization.time(due)
    if minutes := schedule.get("FlexibleTimeWindow", {}).get("MaximumWindowInMinutes"):
        return Note("preview_schedule.window", minutes=minutes, **what)
    return Note("preview_schedule.on", **what)


def _section(head: str, lines: Sequence[str], localization: Localization) -> list[str]:
    said = [in_language(each, localization.language) for each in lines]
    return [*_wrapped([Note(head)], localization), *(line for each in said for line in wrapped(each, "- ", "  ").splitlines())]


def _unknown(name: str, unread: Unread, localization: Localization) -> list[str]:
    why = _escaped(in_language(unread.why, localization.language), PREVIEWED_WHY_CHARACTERS)
    return _wrapped([Note(name, why=why)], localization)


def _filter(entry: Mapping[str, Any]) -> str:
    """Return an entry of a filter without the signs of JSON: in the console each quote would have a backslash."""
    if "comparison" in entry:
        return f"{entry['comparison']} {'='.join(entry[name] for name in ('key', 'value') if name in entry)}"
    shown = {name: _filter(value) if isinstance(value, Mapping) else value for name, value in entry.items()}
    return ", ".join(f"{name} {value}" for name, value in shown.items())


def _wrapped(sentences: Sequence[str], localization: Localization) -> list[str]:
    return [line for each in sentences for line in wrapped(in_language(each, localization.language)).splitlines()]


def _folder(plan: Plan) -> str:
    """Return the prefix of the plan's report; the execution's own part, which a preview has not, is left out."""
    return plan.destination.prefix.rsplit("/year=", 1)[0] + "/"


def _why(text: str) -> str:
    return clean(text, PREVIEWED_WHY_CHARACTERS)


def _shown(text: object) -> str:
    return clean(text, PREVIEWED_CHARACTERS)


def _escaped(text: str, most: int) -> str:
    return in_mail(clean(text, most))


def _encodable(text: str) -> str:
    return text.encode(errors="replace").decode()
