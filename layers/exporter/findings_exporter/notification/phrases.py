"""Lines that mail and chat share: the first sentences of a run or of an owner's findings, due dates, owners, a run's facts."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from findings_exporter.model.config import Config
from findings_exporter.model.delivery import Delivery
from findings_exporter.model.owner_rules import UNOWNED
from findings_exporter.model.run import Run
from findings_exporter.model.text import clean, in_mail
from findings_exporter.notification.links import object_url
from findings_exporter.notification.localization import Localization
from findings_exporter.notification.subject_line import numbers
from findings_exporter.notification.view import MessageView, OwnersView, analysis_failure

URI_CHARACTERS = 2_000
ACCOUNTS_NAMED = 5


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
        case _ if run.plan and run.is_unverified:
            how = "unverified"
        case "ABORTED":
            how = "stopped" if name else "unnamed_stopped"
        case _:
            how = "failed" if name else "unnamed"
    lines = [
        localization.say(f"headline.{how}", name=name or ""),
        localization.say("account", account=config.account, region=config.region),
    ]
    if run.plan and run.is_unverified:
        destination = run.plan.destination
        lines.insert(1, localization.say("unverified.place", place=f"s3://{destination.bucket}/{destination.prefix}"))
    if run.delivery and run.delivery.nothing_found and not analysis_failure(run):
        lines.append(localization.say(f"nothing_found.{run.delivery.nothing_found}"))
    return lines


def action_lines(view: MessageView, localization: Localization) -> list[str]:
    """Return why to act; empty where there is no need to."""
    if view.owner is not None:
        return _owner_action_lines(view, localization)
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
    """Return what to do now; None where there is nothing to do, or where it is not the reader who can do it."""
    if view.is_good or view.owner is not None:
        return None
    if view.state == "lost" and view.deactivated:
        named = localization.listed(list(view.deactivated)[:ACCOUNTS_NAMED])
        if more := view.deactivated_accounts - len(list(view.deactivated)[:ACCOUNTS_NAMED]):
            named = localization.say("lost.more", places=named, more=localization.counted("account", more))
        return localization.say("lost.step", accounts=named)
    return localization.say({"lost": "nothing_scanned.step", "unknown": "unknown.step"}.get(view.state, "drop.step"))


def first_lines(run: Run, view: MessageView, config: Config, localization: Localization) -> list[str]:
    """Return the sums, what is overdue, whose it is, what it was compared with, and what Inspector scans."""
    name = run.plan.report_name if run.plan else localization.say("opening.export")
    compared = [] if view.compared == "yes" else [localization.say(f"not_compared.{view.compared}")]
    sums = _sums(view, localization)
    if view.baseline_at and not compared:
        age = localization.before(run.execution.started_at - view.baseline_at)
        how = localization.say(
            "unchanged" if view.has_no_changes else "compared", time=localization.time(view.baseline_at), age=age
        )
        sums, compared = ([how, *sums[1:]], []) if view.has_no_changes else (sums, [how])
    place = {"name": name, "account": config.account, "region": config.region}
    lines = [localization.sentences(sums), *([] if view.is_last else due_lines(view, localization))]
    if view.marks:
        counts = localization.listed(
            localization.say("count", count=localization.number(count), what=localization.say(f"kind.{kind}"))
            for kind, count in view.marks.items()
        )
        lines.append(localization.say("marks", counts=counts))
    if view.owner is None or view.is_last:
        lines += [localization.say("report", **place), *compared]
    else:
        # Its reader may know nothing of the export.
        about = "owner.about_unowned" if view.owner == UNOWNED else "owner.about"
        lines = [localization.say(about, owner=view.owner, **place), *lines, *compared]
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
    moved = {"moved_here": view.moved, "moved_away": view.moved_away} if view.owner is not None else {}
    again += [localization.say(f"sum.{how}", count=localization.number(count)) for how, count in moved.items() if count]
    return [new, localization.say("sum.no_longer_open", **counted), *again, localization.say("sum.open", **counted)]


def _scanning(view: MessageView, localization: Localization) -> str:
    if view.scanned is None or view.not_scanned is None:
        return localization.say("scanning.unread")
    how = ("" if view.owner is None else "owner_") + ("some" if view.not_scanned else "all")
    scanned, not_scanned = localization.counted("resource", view.scanned), localization.number(view.not_scanned)
    return localization.say(f"scanning.{how}", scanned=scanned, not_scanned=not_scanned)


def _owner_action_lines(view: MessageView, localization: Localization) -> list[str]:
    """Return what the owner must know before the numbers; the report's own reasons are notes, since they count all owners."""
    lines = [localization.say("owner.last", owner=view.owner)] if view.is_last else []
    if not view.is_good:
        lines.append(localization.say({"lost": "headline.lost", "unknown": "headline.unknown"}.get(view.state, "owner.drop")))
    if view.status_unknown:
        lines.append(localization.counted("owner.missing", view.status_unknown))
    return [*lines, localization.say("owner.last_step")] if view.is_last else lines


def due_lines(view: MessageView, localization: Localization) -> list[str]:
    """Return what is overdue and what is due soon; empty where findings have no due dates."""
    if not view.has_due_dates:
        return []
    if overdue := localization.severities(view.overdue):
        how = "due.newly_overdue" if view.newly_overdue else "due.overdue"
        sentences = [localization.say(how, counts=overdue, new=localization.number(view.newly_overdue))]
    else:
        # What is missing may be overdue, too.
        is_all = view.is_good and not view.status_unknown
        sentences = [
            localization.say("due.nothing_known" if view.due_unknown else "due.nothing" if is_all else "due.nothing_reported")
        ]
    if due_soon := localization.severities(view.due_soon):
        sentences.append(localization.say("due.soon", counts=due_soon))
    if view.due_unknown:
        sentences.append(localization.counted("due.unknown", view.due_unknown))
    return [localization.sentences(sentences)]


def owner_lines(owners: OwnersView, localization: Localization, most: int) -> list[str]:
    """Return a heading, then owners with their numbers, at most so many, then how many more there are, and what has no owner."""
    lines = [
        localization.say("owners.head", count=localization.number(owners.count)),
        *(_owner_line(each, localization) for each in owners.listed[:most]),
    ]
    last = []
    if more := max(owners.count - len(owners.listed[:most]), 0):
        last.append(localization.counted("owners.more", more))
    last.append(localization.counted("owners.unowned", owners.unowned) if owners.unowned else localization.say("owners.all"))
    return [*lines, localization.sentences(last)]


def _owner_line(owner: Mapping[str, Any], localization: Localization) -> str:
    name, critical = owner.get("owner"), owner.get("critical") or 0
    worst = localization.say("opening.worst", count=localization.number(critical), severity=localization.severity("CRITICAL"))
    counts = [localization.say("opening.open", open=localization.number(owner.get("open") or 0)) + (worst if critical else "")]
    if owner.get("new") is not None:
        counts.append(localization.say("opening.new", new=localization.number(owner["new"]), worst=""))
    if owner.get("overdue") is not None:
        counts.append(localization.say("opening.overdue", count=localization.number(owner["overdue"])))
    shown = localization.say("unowned") if name == UNOWNED else name or "?"
    return localization.say("owners.line", owner=shown, numbers=localization.listed(counts))


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
