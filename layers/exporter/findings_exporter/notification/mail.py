"""The mail of a run: a subject, one screen that a person can act on, then the details."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from findings_exporter.aws.run_store import Run
from findings_exporter.model.config import Config
from findings_exporter.model.errors import Failure
from findings_exporter.model.text import LINE_CHARACTERS, cut_to_line, shown_lines, width, wrapped
from findings_exporter.notification.links import execution_url, object_url, report_url
from findings_exporter.notification.localization import Speech
from findings_exporter.notification.phrases import (
    action_lines,
    action_step,
    bucket_of,
    facts,
    file_of,
    finding_line,
    first_lines,
    fix_line,
    outcome_lines,
)
from findings_exporter.notification.remediation import Explanation, evidence, explain, statements
from findings_exporter.notification.sanitize import for_mail
from findings_exporter.notification.subject_line import title
from findings_exporter.notification.view import Night, digest_failure, night_of

SCREEN_LINES = 24
LISTED_ON_SCREEN = 3


def subject(run: Run, config: Config) -> str:
    """Return a mail's subject: ASCII [AWS: SNS Publish], under 100 characters, one line, in English in every language."""
    return title(for_mail(run), config, Speech.of(config, "en")).encode("ascii", "replace").decode()


def email(run: Run, config: Config) -> str:
    """Return a mail's body, as its reader wants it at 7 a.m.: the outcome first, details last."""
    speech = Speech.of(config)
    run = for_mail(run, speech.language)
    night = night_of(run)
    parts = _of_a_night(run, night, config, speech) if night else _of_an_outcome(run, config, speech)
    return "\n\n".join(part for part in parts if part) + "\n"


def _of_an_outcome(run: Run, config: Config, speech: Speech) -> list[str]:
    """Write of a run that failed, one without an analysis, and one whose analysis failed."""
    parts = ["\n".join(wrapped(line) for line in outcome_lines(run, config, speech))]
    if run.failure:
        parts += _failure_parts(run.failure, explain(run.failure, config, speech.language), speech)
    if failure := digest_failure(run):
        cause = speech.say("cause", error=failure["error"])
        parts.append(f"{cause}\n{wrapped(failure['sentence'], '  ', '  ')}")
    if run.delivery and run.delivery.uri:
        parts.append(f"{speech.say('link.report')}\n{report_url(run, config)}\n{file_of(run.delivery, speech)}")
    return [*parts, _notes(run.notes, speech), *_ending(run, config, speech)]


def _of_a_night(run: Run, night: Night, config: Config, speech: Speech) -> list[str]:
    action = action_lines(night, speech)
    notes = _notes([*(each for each in night.sentences if each not in action), *run.notes], speech)
    if step := action_step(night, speech):
        action.append(speech.say("do_now", step=step))
    first = "\n".join(wrapped(line) for line in first_lines(run, night, config, speech))
    if run.delivery and run.delivery.nothing_found:
        first += "\n" + wrapped(speech.say("nothing_matches"))
    links = _links(run, night, config, speech)
    if night.is_quiet:
        return [first, *links, notes, *_ending(run, config, speech)]
    top = ["\n".join(wrapped(line) for line in action), first] if action else [first]
    return [
        *_screen(top, [_new_list(night, speech), _fix_list(night, speech)], links[:1]),
        _ruled(speech.say("details")),
        _details(night, speech),
        notes,
        _files(run, night, config, speech),
        *_ending(run, config, speech),
    ]


def _screen(first: list[str], lists: list[list[str]], links: list[str]) -> list[str]:
    """Let the lists be as long as the screen allows: what happened and where the files are come before them.

    Where even that is too much, since the link is very long, it is among the files alone.
    """
    for kept_links in (links, []):
        for listed in range(LISTED_ON_SCREEN, 0 if kept_links else -1, -1):
            kept = ["\n".join(lines[: listed + 1]) for lines in lists if listed and len(lines) > 1]
            parts = [*first, *kept, *kept_links]
            # The line of the details comes after an empty one.
            if shown_lines("\n\n".join(parts)) <= SCREEN_LINES:
                return parts
    return first


def _new_list(night: Night, speech: Speech) -> list[str]:
    if not night.new:
        return []
    head = speech.say("head_with_counts", head=speech.say("worst_new"), counts=speech.severities(night.new_by_severity))
    return [cut_to_line(head), *(f"- {finding_line(each, speech, LINE_CHARACTERS - 2)}" for each in night.worst_new)]


def _fix_list(night: Night, speech: Speech) -> list[str]:
    lines = (f"{number}. {fix_line(each, speech, LINE_CHARACTERS - 3)}" for number, each in enumerate(night.fix_first, 1))
    return [speech.say("fix_first"), *lines]


def _links(run: Run, night: Night, config: Config, speech: Speech) -> list[str]:
    """Link to the page, or the digest without one, and to the report.

    A link has a line of its own, so that a mail client finds both its ends.
    """
    shown = "page" if "page" in night.files else "digest"
    urls = {shown: object_url(bucket_of(run), night.files[shown], config) if shown in night.files else None}
    urls["report"] = report_url(run, config)
    return [f"{speech.say(f'link.{name}')}\n{url}" for name, url in urls.items() if url]


def _files(run: Run, night: Night, config: Config, speech: Speech) -> str:
    found = []
    if run.delivery and run.delivery.uri:
        found.append((speech.say("link.report"), file_of(run.delivery, speech), str(report_url(run, config))))
    for name, key in night.files.items():
        found.append((speech.say(f"link.{name}"), f"s3://{bucket_of(run)}/{key}", object_url(bucket_of(run), key, config)))
    return "\n".join([speech.say("files"), *("\n".join((f"- {name}", uri, url)) for name, uri, url in found)]) if found else ""


def _ruled(head: str) -> str:
    start = f"-- {head} "
    return start + "-" * (LINE_CHARACTERS - width(start))


def _details(night: Night, speech: Speech) -> str:
    parts = []
    kinds = [(kind, count) for kind, count in night.kinds.items() if count and speech.known(f"kind.{kind}")]
    if kinds:
        lines = [f"- {speech.say(f'kind.{kind}')}: {speech.number(count)}" for kind, count in kinds]
        for name, counts in (("new", night.new_by_severity), ("gone", night.gone_by_severity)):
            if any(counts.values()):
                lines.append(wrapped(speech.say(name, counts=speech.severities(counts)), "- ", "  "))
        parts.append("\n".join([speech.say("changes"), *lines]))
    if night.by_severity:
        parts.append(f"{speech.say('open_findings')}\n{wrapped(speech.severities(night.by_severity), '  ', '  ')}")
    if beside := [(speech.say(f"status.{name}"), count) for name, count in night.beside_open.items() if count]:
        told = speech.listed(speech.say("count", count=speech.number(count), what=what) for what, count in beside)
        parts.append(speech.say("beside_open", counts=told))
    for name, listed in (("worst_new", night.worst_new), ("worst_gone", night.worst_gone)):
        if listed:
            parts.append("\n".join([speech.say(name), *(_finding_lines(each, speech) for each in listed)]))
    if night.fix_first:
        parts.append("\n".join([speech.say("fix_first_why"), *_fix_lines(night.fix_first, speech)]))
    return "\n\n".join(parts)


def _notes(notes: Sequence[str], speech: Speech) -> str:
    return "\n".join([speech.say("notes"), *(wrapped(each, "- ", "  ") for each in notes)]) if notes else ""


def _finding_lines(finding: Mapping[str, Any], speech: Speech) -> str:
    lines = [wrapped(finding_line(finding, speech), "- ", "  ")]
    if packages := speech.listed(map(str, finding.get("packages") or ())):
        lines.append(wrapped(speech.say("of_finding.packages", packages=packages), "  ", "  "))
    unknown = speech.say("of_finding.several") if (finding.get("resources") or 1) > 1 else "?"
    place = {
        "account": finding.get("account_id") or unknown,
        "region": finding.get("region") or unknown,
        "first_seen": finding.get("first_seen") or "?",
    }
    return "\n".join([*lines, wrapped(speech.say("of_finding.place", **place), "  ", "  ")])


def _fix_lines(fixes: Iterable[Mapping[str, Any]], speech: Speech) -> Iterable[str]:
    for number, each in enumerate(fixes, 1):
        lines = [wrapped(fix_line(each, speech), f"{number}. ", "   ")]
        if each.get("why"):
            lines.append(wrapped(each["why"], "   ", "   "))
        yield "\n".join(lines)


def _ending(run: Run, config: Config, speech: Speech) -> list[str]:
    listed = facts(run, speech)
    column = max([10, *(width(name) for name, _ in listed)])
    execution = speech.say("link.execution")
    return [
        "\n".join(f"{name}{' ' * (column - width(name))} {value}" for name, value in listed),
        f"{execution}\n{execution_url(run, config)}",
        wrapped(speech.say("links_stay", id=run.notification_id)),
    ]


def _failure_parts(failure: Failure, explanation: Explanation, speech: Speech) -> list[str]:
    lines = [line for line in failure.cause.splitlines() if line.strip()]
    cause = [
        *(wrapped(line, "  ", "    " if line.startswith("- ") else "  ") for line in lines),
        wrapped(explanation.why, "  ", "  "),
        *(wrapped(line, "  - ", "    ") for line in evidence(failure)),
    ]
    fix = (wrapped(step, f"  {number}. ", "     ") for number, step in enumerate(explanation.fix, 1))
    return [
        "\n".join([speech.say("cause", error=failure.error), *cause]),
        "\n".join([speech.say("fix_now"), *fix]),
        # Not wrapped: it is to be pasted.
        *(f"{speech.say('to_paste', check=check)}\n{statement}" for check, statement in statements(failure, speech.language)),
    ]
