"""What a preview answers: its schema, and a text that reads well line by line."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from findings_exporter.aws.attempts import Unread
from findings_exporter.aws.inspector import InspectorReport
from findings_exporter.model.errors import Failure
from findings_exporter.model.notes import Note
from findings_exporter.model.plan import make_plan
from findings_exporter.notification.remediation import remediation_for
from findings_exporter.preview.counting import Count, Matches, StoppedBy
from findings_exporter.preview.message import PREVIEW_VERSION, Seen, invalid, previewed
from tests.builders.exporter import ACCOUNT, BUCKET, OTHER_ID, START, config, execution, plan
from tests.builders.previews import COUNTS, SCHEDULE_READ, listed_finding, recent_run, seen
from tests.unit.exporter.notification.test_messages import parts

SCHEMA = json.loads(Path("docs/preview.schema.json").read_text(encoding="utf-8"))
TEST_EXPORT = json.loads(Path("events/test_export.json").read_text(encoding="utf-8"))
NONE = dict.fromkeys(COUNTS, 0)
UNREAD = Unread(Note("why.refused", call="ListSchedules", text="not authorized"), is_refused=True)
BUSY = InspectorReport(OTHER_ID, "IN_PROGRESS", "", "", "their-bucket", "by-hand/")
REFUSED = make_plan({"report": {"nam": "x"}, "on_busy": "never"}, config(), execution())


def stopped(by: StoppedBy, why: str = "x", counts: dict[str, int] = COUNTS) -> Matches:
    """A count that ended early."""
    return Matches(Count(counts, "ListFindings", by, why))


SETS: dict[str, Seen] = {
    "all": seen(),
    "nothing": seen(matches=Matches(Count(NONE, "ListFindings")), recent_runs=[], schedules=[]),
    "unknown": seen(matches=stopped("denied", "no", NONE), in_progress=UNREAD, recent_runs=UNREAD, schedules=UNREAD),
    "busy": seen(in_progress=BUSY, recent_runs=[recent_run(report_seconds=None, open_findings=None)]),
    "at least": seen(matches=stopped("pages")),
}


def answer(name: str, **variables: str) -> dict[str, Any]:
    """An answer as Lambda sends it."""
    made = previewed(plan(TEST_EXPORT), SETS[name], config(**variables), START)
    return dict(json.loads(json.dumps(made)))


def text(made: dict[str, Any]) -> str:
    """The text in one piece, as it reads."""
    return " ".join(" ".join(made["text"]).split())


def refused(language: str = "en") -> dict[str, Any]:
    """The answer to an input that is wrong."""
    assert isinstance(REFUSED, Failure)
    return invalid(REFUSED, config(LANGUAGE=language), START)


@pytest.mark.parametrize("made", [*(answer(name) for name in SETS), refused()], ids=[*SETS, "wrong input"])
def test_an_answer_keeps_its_published_schema(made: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(SCHEMA)
    Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(made)
    assert next(iter(made)) == "text", "what people read stands on top in the console"


def test_the_schema_describes_and_requires_every_field_and_allows_no_other() -> None:
    objects = list(parts(SCHEMA))
    assert len(objects) > 8
    for each in objects:
        assert each["additionalProperties"] is False
        assert sorted(each["required"]) == sorted(each["properties"])
        assert all(field["description"].endswith(".") for field in each["properties"].values())
    assert SCHEMA["properties"]["version"]["const"] == PREVIEW_VERSION


def test_the_text_says_what_is_exported_what_matches_and_what_it_took() -> None:
    said = text(answer("all", TIME_ZONE="Europe/Berlin"))
    for part in (
        "Preview: nothing was exported.",
        f"- Report test-export, JSON, to s3://{BUCKET}/inspector/reports/test-export/",
        "- Filter severity: EQUALS CRITICAL - Filter firstObservedAt: startInclusive 2026-10-24T03:00:00+00:00, endInclusive 2026-11-23",
        "- While Inspector creates another report, the run waits.",
        "Findings that match now: exactly 4, counted with ListFindings 4 critical All of them",
        f"- critical CVE-2026-21001 - org.apache.logging.log4j:log4j-core AWS_ECR_CONTAINER_IMAGE, account {ACCOUNT} arn:aws:ecr:",
        "- 22 Nov 2026, 04:00 CET: 5 min 13 s, Inspector 4 min 1 s, 6 open - 21 Nov",
        "In progress at Inspector now: no report.",
        "- findings-ExportFindingsNightly: cron(0 3 * * ? *), time zone Europe/Berlin, ENABLED, next 24 Nov 2026, 03:00 CET",
    ):
        assert part in said


def test_the_text_is_lines_that_the_console_shows_one_below_the_other() -> None:
    lines = answer("all")["text"]
    assert not any("\n" in line for line in lines)
    assert lines.count("") >= 5, "an empty line stands between the parts"
    # ARNs stay whole, so that they can be pasted.
    assert [line for line in lines if len(line) > 72 and "arn:" not in line and "s3://" not in line] == []


def test_a_filter_reads_without_the_signs_of_json() -> None:
    criteria = {
        "resourceTags": [{"comparison": "EQUALS", "key": "team", "value": "shop"}],
        "severity": [{"comparison": "EQUALS", "value": each} for each in ("HIGH", "CRITICAL")],
        "vulnerablePackages": [{"name": {"comparison": "PREFIX", "value": 'open"ssl'}, "epoch": {"lowerInclusive": 1.0}}],
    }
    said = text(previewed(plan({"report": {"filter_criteria": criteria}}), seen(), config(), START))
    assert "Filter resourceTags: EQUALS team=shop - " in said
    assert "Filter severity: EQUALS HIGH or EQUALS CRITICAL - " in said
    assert 'Filter vulnerablePackages: name PREFIX open"ssl, epoch lowerInclusive 1.0 - ' in said


def test_an_empty_filter_and_an_empty_history_are_said() -> None:
    said = text(json.loads(json.dumps(previewed(plan(), SETS["nothing"], config(), START))))
    assert "- Filter: none, all active findings" in said
    assert "exactly 0" in said
    assert "- none yet, so how long an export takes is unknown" in said
    assert "- none in the group default starts an export" in said


@pytest.mark.parametrize(
    ("by", "wanted"),
    [
        ("pages", "The count stopped: x. A narrower filter"),
        ("time", "after its time was over. A narrower filter"),
        ("throttled", "because Inspector throttled it: x. Try again in a minute."),
        ("denied", "must allow inspector2:ListFindings."),
        ("failed", "The count stopped: x. Try again."),
    ],
)
def test_a_count_that_ended_early_says_at_least_and_why(by: StoppedBy, wanted: str) -> None:
    said = text(previewed(plan(), seen(matches=stopped(by)), config(), START))
    assert "at least 4, counted with ListFindings" in said
    assert wanted in said
    assert "exactly" not in said


def test_nothing_counted_is_unknown_and_not_zero() -> None:
    made = answer("unknown")
    assert "Findings that match now: unknown" in text(made)
    assert (made["count"]["total"], made["count"]["is_exact"]) == (0, False)
    assert "exactly" not in text(made)


def test_what_could_not_be_read_is_unknown_with_the_reason() -> None:
    made = answer("unknown")
    reason = "AWS refused ListSchedules: not authorized"
    for name, word in (
        ("in_progress", "In progress at Inspector now"),
        ("recent_runs", "Recent runs"),
        ("schedules", "Schedules of this deployment"),
    ):
        assert (made[name]["is_known"], made[name]["why"]) == (False, reason)
        assert f"{word}: unknown, because {reason}." in text(made)


def test_the_report_in_progress_is_named() -> None:
    made = answer("busy")
    assert made["in_progress"]["report"] == {"report_id": OTHER_ID, "bucket": "their-bucket", "prefix": "by-hand/"}
    assert f"In progress at Inspector now: the report {OTHER_ID}, to s3://their-bucket/by-hand/." in text(made)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "ENABLED, next 24 Nov 2026, 02:00 UTC"),
        ({"State": "DISABLED"}, "DISABLED: it starts no export"),
        (
            {"FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15}},
            "ENABLED, next 24 Nov 2026, 02:00 UTC or up to 15 min later",
        ),
        ({"ScheduleExpression": "at(2026-11-01T10:00:00)"}, "ENABLED, but over: it starts no export"),
        ({"ScheduleExpression": "cron(0 3 L * ? *)"}, "ENABLED, next unknown ("),
    ],
)
def test_a_schedule_says_when_it_starts_the_next_export(fields: dict[str, Any], said: str) -> None:
    read = seen(schedules=[SCHEDULE_READ | {"Name": "nightly"} | fields])
    made = text(previewed(plan(), read, config(), START))
    assert f"- nightly: {fields.get('ScheduleExpression', 'cron(0 3 * * ? *)')}, time zone Europe/Berlin, {said}" in made


def test_that_all_are_shown_is_said_only_where_the_count_is_exact() -> None:
    listed = tuple(listed_finding() for _ in range(3))
    counts = NONE | {"CRITICAL": 3}
    exact, stopped_early = Count(counts, "ListFindings"), Count(counts, "ListFindings", "throttled", "x")
    assert "All of them" in text(previewed(plan(), seen(matches=Matches(exact, listed)), config(), START))
    assert "All of them" not in text(previewed(plan(), seen(matches=Matches(stopped_early, listed)), config(), START))


def test_a_prefix_with_the_word_of_a_partition_is_shown_whole() -> None:
    made = previewed(plan(KEY_PREFIX="archive/year=all/inspector"), seen(), config(), START)
    assert made["plan"]["destination"]["prefix"].startswith("archive/year=all/inspector/")


def test_what_others_have_written_is_cleaned_and_no_link() -> None:
    hostile = "x\u202e\n\u0000 https://evil.example/" + "y" * 5_000
    odd = listed_finding(title=hostile, resources=[], awsAccountId=None)
    made = previewed(plan(), seen(matches=Matches(Count(COUNTS, "ListFindings"), (odd,))), config(), START)
    (found,) = made["findings"]
    assert len(found["title"]) == 200
    assert found["title"].startswith("x https://evil.example/y")
    assert (found["resource"], found["account"]) == ("", "")
    assert "https://" not in "\n".join(made["text"])


def test_wrong_input_gets_the_words_and_the_fix_of_a_failed_run() -> None:
    assert isinstance(REFUSED, Failure)
    made = refused()
    assert (made["result"], made["failure"]) == ("invalid_input", {"error": "InvalidInput", "cause": str(REFUSED.cause)})
    assert made["plan"] is made["count"] is made["findings"] is None
    said = text(made)
    assert "An execution with this input would fail with InvalidInput." in said
    assert " ".join(str(REFUSED.cause).split()) in said
    assert all(step in said for step in remediation_for(REFUSED, config()).fix)


def test_the_text_is_in_the_language_of_the_deployment_and_the_fields_are_english() -> None:
    made = answer("all", LANGUAGE="ja")
    assert made["text"][0] == "プレビュー: エクスポートは行われていません。"
    assert "正確な件数" in text(made)
    assert "exactly" not in text(made)
    assert isinstance(REFUSED, Failure)
    wrong = refused("ja")
    assert wrong["failure"]["cause"] == str(REFUSED.cause)
    assert str(REFUSED.cause).splitlines()[0] not in text(wrong)
