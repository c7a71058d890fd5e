"""Lines that mail and chat share: the first sentences of a run, a finding, what to fix, a run's facts."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from findings_exporter.model.config import Config
from findings_exporter.model.delivery import Delivery
from findings_exporter.model.run import Run
from findings_exporter.model.text import clean, cut_to_line, in_mail, width
from findings_exporter.notification.links import object_url
from findings_exporter.notification.localization import Localization
from findings_exporter.notification.subject_line import numbers
from findings_exporter.notification.view import MessageView, analysis_failure

URI_CHARACTERS = 2_000
RESOURCE_COLUMNS, LEAST_COLUMNS = 12, 6
"""Of a resource's name before packages are cut for it; and of either at least, since with fewer they say nothing."""
ACCOUNTS_NAMED = 5
IMAGE = "AWS_ECR_CONTAINER_IMAGE"
KINDS_OF_RESOURCE = {IMAGE: "image", "AWS_EC2_INSTANCE": "instance", "AWS_LAMBDA_FUNCTION": "function"}
"""What people call resources, by Inspector's type; others are resources."""


def outcome_lines(run: Run, config: Config, localization: Localization) -> list[str]:
    """Return the outcome of a run without an analysis, and whose it is."""
    name = run.plan.report_name if run.plan else None
    match run.outcome:
        case "SUCCEEDED" if analysis_failure(run):
            how = "not_analyzed"
        case "SUCCEEDED" if run.delivery and run.delivery.nothing_found:
            how = "nothing_found"
        case "SUCCEEDED":
            how = "delivered"
        case "ABORTED":
            how = "stopped" if name else "unnamed_stopped"
        case _:
            how = "failed" if name else "unnamed"
    lines = [
        localization.say(f"headline.{how}", name=name or ""),
        localization.say("account", account=config.account, region=config.region),
    ]
    if run.delivery and run.delivery.nothing_found and not analysis_failure(run):
        lines.append(localization.say(f"nothing_found.{run.delivery.nothing_found}"))
    return lines


def action_lines(view: MessageView, localization: Localization) -> list[str]:
    """Return why to act; empty where there is no need to."""
    if view.is_good:
        return []
    # Other reasons are notes. The last one says most of why coverage is unknown, the first ones of what is off or dropped.
    match view.state:
        case "unknown":
            return [localization.say("headline.unknown"), *view.reasons[-1:]]
        case "lost":
            return [*(view.reasons[:2] if view.deactivated else view.reasons[-1:])] or [localization.say("headline.lost")]
    return [*view.reasons[:1]] or [localization.say("headline.drop")]


def action_step(view: MessageView, localization: Localization) -> str | None:
    """Return what to do now; None where there is nothing to do."""
    if view.is_good:
        return None
    if view.state == "lost" and view.deactivated:
        named = localization.listed(list(view.deactivated)[:ACCOUNTS_NAMED])
        if more := view.deactivated_accounts - len(list(view.deactivated)[:ACCOUNTS_NAMED]):
            named = localization.say("lost.more", places=named, more=localization.counted("account", more))
        return localization.say("lost.step", accounts=named)
    return localization.say({"lost": "nothing_scanned.step", "unknown": "unknown.step"}.get(view.state, "drop.step"))


def first_lines(run: Run, view: MessageView, config: Config, localization: Localization) -> list[str]:
    """Return the sums of a run, whose it is, what it was compared with, and what Inspector scans."""
    name = run.plan.report_name if run.plan else localization.say("opening.export")
    compared = [] if view.compared == "yes" else [localization.say(f"not_compared.{view.compared}")]
    sums = _sums(view, localization)
    if view.baseline_at and not compared:
        age = localization.before(run.execution.started_at - view.baseline_at)
        how = localization.say(
            "unchanged" if view.has_no_changes else "compared", time=localization.time(view.baseline_at), age=age
        )
        sums, compared = ([how, *sums[1:]], []) if view.has_no_changes else (sums, [how])
    lines = [localization.sentences(sums)]
    if view.marks:
        marks = localization.listed(
            localization.say("count", count=localization.number(count), what=localization.say(f"kind.{kind}"))
            for kind, count in view.marks.items()
        )
        lines.append(localization.say("marks", counts=marks))
    lines += [localization.say("report", name=name, account=config.account, region=config.region), *compared]
    if view.state == "active":
        lines.append(_scanning(view, localization))
    return lines


def _sums(view: MessageView, localization: Localization) -> list[str]:
    counted = numbers(view, localization)
    if view.has_no_changes:
        return [localization.say("sum.no_changes"), localization.say("sum.open", **counted)]
    if view.new is None:
        return [localization.counted("sum.findings", view.open, worst=counted["worst"])]
    again = [localization.say("sum.rediscovered", count=localization.number(view.rediscovered))] if view.rediscovered else []
    new = localization.counted("sum.new", view.new, worst=counted["worst"])
    return [new, localization.say("sum.no_longer_open", **counted), *again, localization.say("sum.open", **counted)]


def _scanning(view: MessageView, localization: Localization) -> str:
    if view.scanned is None or view.not_scanned is None:
        return localization.say("scanning.unread")
    how = "some" if view.not_scanned else "all"
    scanned, not_scanned = localization.counted("resource", view.scanned), localization.number(view.not_scanned)
    return localization.say(f"scanning.{how}", scanned=scanned, not_scanned=not_scanned)


def finding_line(finding: Mapping[str, Any], localization: Localization, most: int | None = None) -> str:
    """Return a finding, or several that are alike, in a line.

    Parameters
    ----------
    most
        The columns that a line has. First the resource's name is cut, then the packages, then that there is a fix is left
        out, then that it is an exploit that is available is said shorter; the vulnerability's id never is cut.
    """
    several = (finding.get("resources") or 1) > 1
    names = (finding.get("resource_names") if several else None) or [finding.get("resource") or "?"]
    marks = _marks(finding)

    def line(resource: str, packages: str, mark: str = "") -> str:
        return localization.say(
            "finding",
            severity=localization.severity(str(finding.get("severity"))).upper(),
            vulnerability=_named(finding, packages),
            where=_where(finding, resource, len(names), localization),
            marks=localization.say(f"marks.{mark}") if mark else "",
        )

    # Of several resources the number says more than examples of names.
    shown = [localization.listed(names), ""] if several else [localization.listed(names)]
    tries = [_fitted(partial(line, mark=mark), resource, finding, most) for mark in marks for resource in shown]
    return next((text for text in tries if most is None or width(text) <= most), tries[-1])


def fix_line(fix: Mapping[str, Any], localization: Localization, most: int | None = None) -> str:
    """Return what to fix in a line; ``most`` as for :func:`finding_line`."""

    def line(_: str, packages: str) -> str:
        return localization.say(
            "fix",
            vulnerability=_named(fix, packages),
            severity=localization.severity(str(fix.get("severity"))).upper(),
            exploit=localization.say("mark.exploit") if fix.get("exploit_available") else "",
            resources=localization.counted("resource", fix.get("resources") or 1),
        )

    return _fitted(line, "", fix, most)


def facts(run: Run, localization: Localization) -> list[tuple[str, str]]:
    """Return the names and values of a run's facts."""
    found = []
    if run.plan:
        filtered = localization.listed(run.plan.filter_criteria) or localization.say("fact.no_filter")
        found += [("format", run.plan.report_format), ("filter", filtered)]
    if run.plan and run.plan.scheduled_for:
        found.append(("scheduled", localization.time(datetime.fromisoformat(run.plan.scheduled_for))))
    took = localization.duration(run.duration_seconds)
    if run.report_seconds is not None:
        took = localization.say("fact.took_of_which", duration=took, inspector=localization.duration(run.report_seconds))
    found += [("started", localization.time(run.execution.started_at)), ("took", took)]
    return [(localization.say(f"fact.{name}"), value) for name, value in found]


def page_url(run: Run, view: MessageView, config: Config) -> str | None:
    """Return the link to the run's page, when there is one."""
    return object_url(bucket_of(run), view.files["page"], config) if "page" in view.files else None


def file_of(delivery: Delivery, localization: Localization) -> str:
    """Return where the report lies and how large it is."""
    return localization.say("file", uri=in_mail(clean(delivery.uri, URI_CHARACTERS)), size=localization.size(delivery.size_bytes))


def bucket_of(run: Run) -> str:
    """Return the bucket of a run's files."""
    return str((run.analysis or {}).get("bucket"))


def _marks(finding: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what a line may say of exploit and fix, the longest first."""
    has_fix = finding.get("fix_available") == "YES"
    if finding.get("exploit_available"):
        return ("both", "exploit", "short") if has_fix else ("exploit", "short")
    return ("fix", "") if has_fix else ("",)


def _where(finding: Mapping[str, Any], resource: str, names: int, localization: Localization) -> str:
    """Return where a finding is, or where several that are alike are."""
    resources, findings = finding.get("resources") or 1, finding.get("findings") or 1
    if resources == 1:
        how = "where.one" if findings == 1 else "where.often"
        return localization.say(how, resource=resource, count=localization.number(findings))
    count = localization.counted(KINDS_OF_RESOURCE.get(str(finding.get("resource_type")), "resource"), resources)
    if finding.get("resources_at_least"):
        count = localization.say("at_least", count=count)
    how = "in" if finding.get("resource_type") == IMAGE else "on"
    kind = "" if not resource else "_named" if names == 1 else "_such_as"
    return localization.say(f"where.{how}{kind}", count=count, resource=resource)


def _named(finding: Mapping[str, Any], packages: str) -> str:
    known_as = finding.get("vulnerability_id")
    return f"{known_as} ({packages})" if known_as and packages else str(known_as or finding.get("title") or "?")


def _packages(finding: Mapping[str, Any]) -> str:
    """Return what a vulnerability is in: Inspector's titles are mostly "<id> - <packages>"."""
    start, title = f"{finding.get('vulnerability_id')} - ", str(finding.get("title") or "")
    return title.removeprefix(start) if title.startswith(start) else ""


def _fitted(line: Callable[[str, str], str], resource: str, finding: Mapping[str, Any], most: int | None) -> str:
    packages = _packages(finding)
    whole = line(resource, packages)
    if most is None or width(whole) <= most:
        return whole
    least = line(cut_to_line(resource, RESOURCE_COLUMNS), packages)
    if width(least) > most:
        left = width(packages) - (width(least) - most)
        packages = cut_to_line(packages, left) if left >= LEAST_COLUMNS else ""
    # What the packages leave is the resource's again.
    over = width(line(resource, packages)) - most
    shorter = line(cut_to_line(resource, max(width(resource) - over, LEAST_COLUMNS)), packages)
    return shorter if finding.get("vulnerability_id") else cut_to_line(shorter, most)
