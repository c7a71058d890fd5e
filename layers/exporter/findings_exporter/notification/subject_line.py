"""A run in one line: the subject of a mail and the title in a chat.

It says first whether to act (``ACTION`` where scan coverage is lost or unknown, open findings dropped unusually, or a report
could not be analyzed; ``FAILED`` where no report was delivered), then the report and its Region, then the numbers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from findings_exporter.model.config import Config
from findings_exporter.model.run import Run
from findings_exporter.notification.localization import Localization
from findings_exporter.notification.remediation import remediation_for
from findings_exporter.notification.view import MessageView, analysis_failure, view_of

TITLE_CHARACTERS = 99
"""Under 100, as a mail's subject must be [AWS: SNS Publish]; a chat's title may be longer."""
LEAST_NAME_CHARACTERS = 12
CUT = "..."


@dataclass(frozen=True, slots=True)
class Headline:
    """What a line says, in its order.

    Attributes
    ----------
    urgency
        ``action``, ``failed``, ``plain``, or ``owner`` for the findings of an owner.
    parts
        The most important one first.
    has_reason
        Whether the first part is why to act.
    """

    urgency: str
    report: str
    parts: Sequence[str]
    owner: str = ""
    has_reason: bool = False


def title(run: Run, config: Config, localization: Localization, most: int = TITLE_CHARACTERS) -> str:
    """Return a run in a line of at most so many characters."""
    made = _headline(run, config, localization)
    separator = "action_list" if made.has_reason else "list"

    def line(report: str, parts: Sequence[str]) -> str:
        text = localization.say(separator).join(filter(None, (parts[0], localization.listed(parts[1:]))))
        return localization.say(f"subject.{made.urgency}", owner=made.owner, report=report, region=config.region, line=text)

    return fitted(line, made.report, made.parts, most)


def fitted(line: Callable[[str, Sequence[str]], str], report: str, parts: Sequence[str], most: int) -> str:
    """Make a line that fits.

    While it is too long, in this order: the last part goes, but never the first one; then the report's name is cut, but not
    to fewer than :data:`LEAST_NAME_CHARACTERS`; then the first part.

    Parameters
    ----------
    line
        Makes the line of a report's name and parts.
    """
    kept = list(parts)
    while len(kept) > 1 and len(line(report, kept)) > most:
        kept.pop()
    report = _cut(report, max(len(report) - (len(line(report, kept)) - most), LEAST_NAME_CHARACTERS))
    return _cut(line(report, kept), most)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - len(CUT)]}{CUT}"


def _headline(run: Run, config: Config, localization: Localization) -> Headline:
    report = run.plan.report_name if run.plan else localization.say("opening.export")
    view, size = view_of(run), localization.size(run.delivery.size_bytes if run.delivery else 0)
    if run.failure:
        return Headline("failed", report, [remediation_for(run.failure, config, localization.language, run).title])
    if view and view.owner is not None:
        reason = [] if view.is_good else [_owner_reason(view, localization)]
        return Headline("owner", report, [*reason, *_owner_numbers(view, localization)], view.owner, has_reason=bool(reason))
    if view:
        reason = [] if view.is_good else [_reason(view, localization)]
        parts = [*reason, *_numbers(view, localization)]
        return Headline("action" if reason else "plain", report, parts, has_reason=bool(reason))
    if analysis_failure(run):
        parts = [localization.say("opening.not_analyzed"), localization.say("opening.delivered", size=size)]
        return Headline("action", report, parts, has_reason=True)
    nothing = run.delivery and run.delivery.nothing_found
    return Headline(
        "plain",
        report,
        [localization.say("opening.nothing_found") if nothing else localization.say("opening.delivered", size=size)],
    )


def _reason(view: MessageView, localization: Localization) -> str:
    match view.state:
        case "lost" if view.deactivated:
            return localization.say("opening.lost", accounts=localization.counted("account", view.deactivated_accounts))
        case "lost":
            return localization.say("opening.nothing_scanned")
        case "unknown":
            return localization.say("opening.unknown")
    return localization.say("opening.drop")


def _owner_reason(view: MessageView, localization: Localization) -> str:
    # Which accounts it is about may be of no concern to this owner.
    return localization.say({"lost": "opening.coverage_lost", "unknown": "opening.unknown"}.get(view.state, "opening.drop"))


def _owner_numbers(view: MessageView, localization: Localization) -> list[str]:
    if view.is_last:
        return [localization.say("opening.last")]
    return _numbers(view, localization)


def _due(view: MessageView, localization: Localization) -> list[str]:
    counts = {"overdue": sum(view.overdue.values()), "due_soon": sum(view.due_soon.values())}
    return [localization.say(f"opening.{name}", count=localization.number(count)) for name, count in counts.items() if count]


def _numbers(view: MessageView, localization: Localization) -> list[str]:
    counted = numbers(view, localization)
    if view.has_no_changes:
        return [localization.say("opening.no_changes", **counted), *_due(view, localization)]
    if view.new is None:
        known = view.compared in {"first_run", "filter_changed"} and view.is_good
        return [localization.say(f"opening.{view.compared if known else 'not_compared'}", **counted), *_due(view, localization)]
    # Where it is not known which account is not scanned, the missing findings say how much is at stake.
    parts = []
    if view.status_unknown and not view.is_good and (view.owner is not None or not view.deactivated):
        parts.append(localization.say("opening.missing", count=localization.number(view.status_unknown)))
    parts += [localization.say("opening.new", **counted), *_due(view, localization)]
    moved = {"moved_here": view.moved, "moved_away": view.moved_away} if view.owner is not None else {}
    parts += [localization.say(f"opening.{how}", count=localization.number(count)) for how, count in moved.items() if count]
    if view.no_longer_open:
        parts.append(localization.say("opening.no_longer_open", **counted))
    if view.rediscovered:
        parts.append(localization.say("opening.rediscovered", count=localization.number(view.rediscovered)))
    if view.marks and not view.new and not view.no_longer_open:
        kind, count = next(iter(view.marks.items()))
        parts.append(localization.say("count", count=localization.number(count), what=localization.say(f"kind.{kind}")))
    return [*parts, localization.say("opening.open", **counted)]


def numbers(view: MessageView, localization: Localization) -> dict[str, str]:
    """Return the numbers of a run as texts; ``worst`` says how many of the new are critical, or of the open if not compared."""
    worst = view.new_by_severity if view.new is not None else view.by_severity
    count = worst.get("CRITICAL") or 0
    shown = (
        localization.say("opening.worst", count=localization.number(count), severity=localization.severity("CRITICAL"))
        if count
        else ""
    )
    return {
        "new": localization.number(view.new or 0),
        "no_longer_open": localization.number(view.no_longer_open or 0),
        "open": localization.number(view.open),
        "worst": shown,
    }
