"""A run in one line: the subject of a mail and the title in a chat.

It says first whether to act (``ACTION`` where scan coverage is lost or unknown, open findings dropped unusually, or a report
could not be analysed; ``FAILED`` where no report was delivered), then the report and its Region, then the numbers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from findings_exporter.aws.run_store import Run
from findings_exporter.model.config import Config
from findings_exporter.notification.localization import Speech
from findings_exporter.notification.remediation import explain
from findings_exporter.notification.view import Night, digest_failure, night_of

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
        ``action``, ``failed`` or ``plain``.
    parts
        The most important one first.
    """

    urgency: str
    report: str
    parts: Sequence[str]


def title(run: Run, config: Config, speech: Speech, most: int = TITLE_CHARACTERS) -> str:
    """Return a run in a line of at most so many characters."""
    made = _headline(run, config, speech)
    separator = "action_list" if made.urgency == "action" else "list"

    def line(report: str, parts: Sequence[str]) -> str:
        told = speech.say(separator).join(filter(None, (parts[0], speech.listed(parts[1:]))))
        return speech.say(f"subject.{made.urgency}", report=report, region=config.region, told=told)

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


def _headline(run: Run, config: Config, speech: Speech) -> Headline:
    report = run.plan.report_name if run.plan else speech.say("told.export")
    night, size = night_of(run), speech.size(run.delivery.size_bytes if run.delivery else 0)
    if run.failure:
        return Headline("failed", report, [explain(run.failure, config, speech.language).title])
    if night:
        reason = [] if night.is_good else [_reason(night, speech)]
        return Headline("action" if reason else "plain", report, [*reason, *_numbers(night, speech)])
    if digest_failure(run):
        return Headline("action", report, [speech.say("told.not_analysed"), speech.say("told.delivered", size=size)])
    nothing = run.delivery and run.delivery.nothing_found
    return Headline("plain", report, [speech.say("told.nothing_found") if nothing else speech.say("told.delivered", size=size)])


def _reason(night: Night, speech: Speech) -> str:
    match night.state:
        case "dark" if night.dark:
            return speech.say("told.lost", accounts=speech.counted("account", night.dark_accounts))
        case "dark":
            return speech.say("told.nothing_scanned")
        case "unknown":
            return speech.say("told.unknown")
    return speech.say("told.drop")


def _numbers(night: Night, speech: Speech) -> list[str]:
    counted = numbers(night, speech)
    if night.is_quiet:
        return [speech.say("told.no_changes", **counted)]
    if night.new is None:
        known = night.compared in {"first_run", "filter_changed"} and night.is_good
        return [speech.say(f"told.{night.compared if known else 'not_compared'}", **counted)]
    # Where it is not known which account is not scanned, the missing findings say how much is at stake.
    parts = []
    if night.not_looked_at and not night.is_good and not night.dark:
        parts.append(speech.say("told.missing", count=speech.number(night.not_looked_at)))
    parts.append(speech.say("told.new", **counted))
    if night.gone:
        parts.append(speech.say("told.no_longer_open", **counted))
    if night.seen_again:
        parts.append(speech.say("told.rediscovered", count=speech.number(night.seen_again)))
    if night.marks and not night.new and not night.gone:
        kind, count = next(iter(night.marks.items()))
        parts.append(speech.say("count", count=speech.number(count), what=speech.say(f"kind.{kind}")))
    return [*parts, speech.say("told.open", **counted)]


def numbers(night: Night, speech: Speech) -> dict[str, str]:
    """Return the numbers of a run as texts; ``worst`` says how many of the new are critical, or of the open if not compared."""
    worst = night.new_by_severity if night.new is not None else night.by_severity
    count = worst.get("CRITICAL") or 0
    told = speech.say("told.worst", count=speech.number(count), severity=speech.severity("CRITICAL")) if count else ""
    return {
        "new": speech.number(night.new or 0),
        "gone": speech.number(night.gone or 0),
        "open": speech.number(night.open),
        "worst": told,
    }
