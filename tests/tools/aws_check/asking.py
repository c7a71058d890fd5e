"""Asks everything in an order in which slow answers come last, and assesses what was observed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Literal

from tests.tools.aws_check import calls, rules
from tests.tools.aws_check.calls import observed
from tests.tools.aws_check.observations import Alarm, Export, FileForm, Preview, Unanswered, form_of
from tests.tools.aws_check.questions import QUESTIONS, Reason

if TYPE_CHECKING:
    from tests.tools.aws_check.calls import Deployed
    from tests.tools.aws_check.questions import Answer


def everything(aws: Deployed) -> list[Answer]:
    """Return the answers to all questions, in the order of the questions."""
    began = datetime.now(UTC)
    aws.say("Alarm …")
    alarm = observed(lambda: calls.alarm(aws))
    answers = [rules.alarm_action(alarm)]
    aws.say("Inspector, setup and bucket …")
    before = observed(lambda: calls.status(aws))
    answers += listing(aws)
    answers.append(rules.bucket_owner(observed(lambda: calls.other_owner(aws))))
    checks = observed(lambda: calls.setup(aws))
    aws.say("Test export as CSV; a second report meanwhile …")
    preview, csv = exported(aws, "CSV", notify=True, with_second=True)
    aws.say("Test export as JSON …")
    _, json = exported(aws, "JSON", notify=False, with_second=False)
    after = observed(lambda: calls.status(aws))
    forms = [of_file(each) for each in (csv, json)]
    answers.append(rules.status_without_report(before, after))
    answers += in_progress(csv)
    answers.append(rules.setup_check(checks, csv))
    answers.append(rules.preview_count(preview, csv, forms[0]))
    answers += [*rules.of_export(csv, "CSV"), *rules.of_export(json, "JSON"), rules.duplicate_arn(forms)]
    aws.say("Topics; SNS sends its metrics every five minutes …")
    until = datetime.now(UTC) + timedelta(seconds=aws.patience.metrics)
    alarm_was_set = isinstance(alarm, Alarm) or alarm.reason is Reason.NO_HISTORY
    for name, output, was_sent in (
        ("run-topic", "TopicArn", any(isinstance(each, Export) or each.reason is Reason.NOT_ENDED for each in (csv, json))),
        ("alarm-topic", "AlarmTopicArn", alarm_was_set),
    ):
        seen = observed(partial(calls.topic, aws, output, began, until)) if was_sent else Unanswered(Reason.NOTHING_SENT)
        answers.append(rules.topic(name, seen))
    order = list(QUESTIONS)
    return sorted(answers, key=lambda answer: order.index(answer.id))


def listing(aws: Deployed) -> list[Answer]:
    """Ask Inspector what it lists: findings, the account, its members, its resources."""
    return [
        rules.list_page(observed(lambda: calls.page(aws))),
        rules.list_nothing(observed(lambda: calls.page_of_nothing(aws))),
        rules.account_status(observed(lambda: calls.account_status(aws))),
        rules.list_members(observed(lambda: calls.members(aws))),
        rules.coverage_groups(observed(lambda: calls.coverage_groups(aws))),
    ]


def exported(
    aws: Deployed, report_format: Literal["CSV", "JSON"], *, notify: bool, with_second: bool
) -> tuple[Preview | Unanswered, Export | Unanswered]:
    """Preview and export, with the narrowest filter that matches something."""
    preview: Preview | Unanswered = Unanswered(Reason.NOTHING_FOUND)
    chosen = None
    for chosen in calls.test_inputs(report_format, notify=notify):
        preview = observed(lambda given=chosen: calls.preview(aws, given))  # type: ignore[misc]
        if isinstance(preview, Unanswered) or preview.total:
            break
    return preview, observed(lambda: calls.export(aws, chosen or {}, with_second=with_second))


def in_progress(export: Export | Unanswered) -> list[Answer]:
    """Assess what was seen while the report was in progress."""
    if isinstance(export, Unanswered):
        return [rules.unknown(each, export) for each in ("status-in-progress", "second-report")]
    return [rules.status_in_progress(export), rules.second_report(export.second)]


def of_file(export: Export | Unanswered) -> FileForm | None:
    """Describe the report of an export, where there is one."""
    if isinstance(export, Unanswered) or isinstance(export.file, Unanswered) or not export.file.size_bytes:
        return None
    return form_of(export.file, export.report_format)
