"""Text from outside mentions no one, links nowhere, forges nothing and hides nothing, in every medium and every place."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from findings_exporter import notification
from findings_exporter.model.errors import Failure
from findings_exporter.model.plan import make_plan
from findings_exporter.model.run import Run
from findings_exporter.model.text import each_text
from findings_exporter.notification import failure_from
from findings_exporter.notification.event import ANALYSIS_FIELDS, export_event
from findings_exporter.notification.remediation import OF_THE_SETUP
from findings_exporter.preflight import message
from findings_exporter.preflight.check import Check
from findings_exporter.steps import record_run
from tests.builders.exporter import START, config, delivery, ended_run, execution, failed_run, finding, fix, headline, on, plan
from tests.builders.setup_builders import deployment
from tests.unit.exporter.notification.test_messages import CHAT_SCHEMA

INVISIBLE = "\u202e\u2066\u200b\u200d\u2060\ufeff\u00ad\u061c\u115f\u3164\ufe0f\U000e0041\U000e0101\x00\x1b\x85\u2028"
"""What turns the direction, is not seen, controls a terminal or breaks a line."""
HOSTILE = (
    f"OUTSIDE{INVISIBLE} <!channel> <@U123> @here <https://evil.example/x|sign in> [sign in](https://evil.example) www.evil.example"
    " `code` *bold* HTTPS://evil.example \r\n\nFORGED SECTION\n1. Sign in"
)
NAME = "OUTSIDE\u202e@here"
"""As hostile as Step Functions lets a name be."""
SETUP = {
    "result": "failed",
    "failed": [{"check": "key", "sentence": HOSTILE, "evidence": [HOSTILE], "fix": [HOSTILE], "statements": [{"Sid": "Ours"}]}],
    "unknown": [{"check": "key", "sentence": HOSTILE}],
}
KEPT = {"state", "no_baseline", "started_at", "severity", "fix_available", "resource_type", "today"}
"""Fields of a headline whose words decide what is said: each is replaced in a run of its own."""


def hostile_headline(**fields: Any) -> dict[str, Any]:
    """A headline whose every text is hostile, names of fields that are anybody's included."""
    listed = [finding(**on("x", "y", count=7, owner="z"), owner="z")] * 2
    made = headline(worst_new=listed, worst_no_longer_open=listed, fix_first=[fix()] * 2, **fields)
    made["coverage_status"] = made["coverage_status"] | {
        "deactivated": {HOSTILE: [HOSTILE]},
        "deactivated_accounts": 1,
        "reasons": [HOSTILE],
    }
    made["by_severity"] = {HOSTILE: 7}
    made["owners"] = {"count": 7, "unowned": 1, "listed": [{"owner": "z", "open": 7, "critical": 1, "new": None, "overdue": 2}]}
    made["due_dates"] = {
        "overdue": {HOSTILE: 7},
        "due_soon": {HOSTILE: 1},
        "newly_overdue": 1,
        "unknown": 1,
        "today": "2026-11-23",
    }
    made["most_overdue"] = listed
    made["changes"]["appeared_by_severity"] = {HOSTILE: 7, "CRITICAL": 1}
    exact = frozenset({name for name in made if name.endswith(("_key", "_prefix"))} | {"bucket"} | KEPT)
    replaced: dict[str, Any] = each_text(made, lambda name, text: HOSTILE if name else text, exact)
    return replaced


def test_a_key_of_any_length_is_shown_as_it_is() -> None:
    keys = {name: f"{'long/' * 200}{name}" for name in ANALYSIS_FIELDS if name.endswith(("_key", "_prefix"))}
    assert len(keys) == 4
    result = export_event(ended_run(analysis=headline(**keys)), config())["analysis"]
    assert {name: result[name] for name in keys} == keys


def planned(**fields: Any) -> Any:
    """A plan as no input gives it."""
    return replace(plan(), report_name=HOSTILE, filter_criteria={HOSTILE: []}, **fields)


RUNS: dict[str, Run] = {
    "coverage": ended_run(plan=planned(), analysis=hostile_headline(), notes=(HOSTILE,)),
    "lost coverage": ended_run(plan=planned(), analysis=hostile_headline(coverage_status={"state": "lost", "unusual_drop": True}), notes=(HOSTILE,)),
    "run of new words": ended_run(
        analysis=each_text(headline(worst_new=[finding(severity=HOSTILE, fix_available=HOSTILE, resource_type=HOSTILE)]),
                         lambda name, text: HOSTILE if name == "severity" else text)
    ),
    "analysis failed": ended_run(analysis={"error": HOSTILE, "sentence": HOSTILE}, notes=(HOSTILE,)),
    "failure": failed_run(failure_from(HOSTILE, HOSTILE), plan=planned(), notes=(HOSTILE,)),
    "failure as recorded": failed_run(Failure(HOSTILE, " ".join(HOSTILE.splitlines()))),
    "exception": failed_run(failure_from("X", json.dumps({"errorMessage": HOSTILE}))),
    "failure with a setup": failed_run(replace(failure_from(OF_THE_SETUP[0], HOSTILE), setup=SETUP)),
    "stopped": failed_run(failure_from("Stopped", f"The execution was stopped before it finished: {HOSTILE}")),
    "names": ended_run(execution=execution(NAME), delivery=delivery(key=f"{HOSTILE}/report.json")),
    "short": ended_run(execution=execution(NAME), outcome="FAILED", plan=planned(), failure=None),
}  # fmt: skip
EVERY_RUN = pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
LANGUAGES = pytest.mark.parametrize("language", ["en", "ja"])


def texts(value: Any) -> Iterator[str]:
    """Every text of a JSON value, names of fields included."""
    match value:
        case str():
            yield value
        case dict():
            for name, each in value.items():
                yield name
                yield from texts(each)
        case list():
            for each in value:
                yield from texts(each)


def assert_seen(text: str) -> None:
    """Nothing in a text is hidden or turns its direction."""
    hidden = [each for each in text if each in INVISIBLE or (each not in "\n\u3000" and not each.isprintable())]
    assert hidden == []


def assert_links_nowhere(text: str) -> None:
    """No address of another is one that a client links to. Our own links quote what is in them."""
    text = re.sub(r"https://eu-central-1\.console\.aws\.amazon\.com/[!-~]*", "", text)
    assert "://evil" not in text.lower()
    assert "www.evil" not in text
    assert "s://OUTSIDE" not in text


def assert_mentions_no_one(text: str) -> None:
    """A chat neither calls anybody for a text nor makes a link or another type of it."""
    assert_seen(text)
    assert_links_nowhere(text)
    for sign in ("<", ">", "@", "](", "`code", "*bold"):
        assert sign not in text


def bodies(run: Run, language: str) -> dict[str, str]:
    """What is published for each protocol."""
    result = notification.publication(run, config(LANGUAGE=language))
    assert result["Subject"].isascii()
    assert result["Subject"].isprintable()
    for attribute in result["MessageAttributes"].values():
        assert_seen(attribute["StringValue"])
        assert "\n" not in attribute["StringValue"]
    found: dict[str, str] = json.loads(result["Message"])
    return found


@LANGUAGES
@EVERY_RUN
def test_a_mail_shows_it_whole_and_harmless(run: Run, language: str) -> None:
    mail = bodies(run, language)["email"]
    assert "OUTSIDE" in mail
    assert_seen(mail)
    assert_links_nowhere(mail)
    assert "\n\nFORGED" not in mail
    assert "\nFORGED SECTION\n" not in mail


@LANGUAGES
@EVERY_RUN
def test_a_chat_shows_it_whole_and_harmless(run: Run, language: str) -> None:
    chat = json.loads(bodies(run, language)["https"])
    assert "OUTSIDE" in json.dumps(chat)
    Draft202012Validator(CHAT_SCHEMA).validate(chat)
    for text in texts(chat):
        assert_mentions_no_one(text)
        assert not any(line.startswith("FORGED") for line in text.split("\n"))


@EVERY_RUN
def test_programs_get_it_cleaned_and_what_they_look_up_as_it_is(run: Run) -> None:
    event = json.loads(bodies(run, "en")["default"])
    exact = {"execution": event["execution"].pop("arn"), "name": event["execution"].pop("name")}
    delivered = event.pop("delivery") or {}
    for text in texts(event):
        assert_seen(text)
        assert "\n" not in text
    if run is not RUNS["short"]:
        assert exact == {"execution": run.execution.arn, "name": run.execution.name}
    assert delivered.get("key") == (run.delivery.key if run.delivery and delivered else None)


@EVERY_RUN
def test_the_workflows_cause_has_nothing_hidden(run: Run) -> None:
    ended = record_run.ended_failure(run, config())
    for text in (ended or {}).values():
        assert_seen(text)


def test_a_cause_of_an_exception_is_one_line() -> None:
    assert "\n" not in failure_from("AccessDeniedError", json.dumps({"errorMessage": HOSTILE})).cause
    assert "\n" not in failure_from("States.Runtime", HOSTILE).cause


def test_what_a_setup_check_read_is_shown_harmless() -> None:
    check = Check("key", "failed", HOSTILE, (HOSTILE,), (HOSTILE,), ({"Sid": "Ours"},))
    result = messages_of_the_check(check)
    assert_seen(result["email"])
    assert_links_nowhere(result["email"])
    assert "\n\nFORGED" not in result["email"]
    for text in texts(json.loads(result["https"])["content"]):
        assert_mentions_no_one(text)
    for text in texts(json.loads(result["default"])):
        assert_seen(text)
    for text in texts(message.findings([check])):
        assert_seen(text)
        assert "\n" not in text


def messages_of_the_check(check: Check) -> dict[str, str]:
    """The bodies of the message that tells a check."""
    result: dict[str, str] = json.loads(message.publication([check], deployment(), START)["Message"])
    return result


def test_a_policy_of_megabytes_is_left_out_of_the_message() -> None:
    found = [
        Check(f"{number}", "failed", "夜" * 5_000, ("夜" * 5_000,) * 40, ("夜" * 5_000,), ({"Sid": "x" * 3_000},))
        for number in range(25)
    ]
    result = message.publication(found, deployment(), START)
    assert len(result["Message"].encode()) < 256 * 1024
    assert len(json.loads(json.loads(result["Message"])["default"])["checks"]) == 25


def test_an_input_that_forges_sections_and_mentions_is_shown_on_a_line_for_each_fault() -> None:
    run_input = {
        "on_busy": "<!channel> <https://evil.example/x|sign in>",
        "report": {"filter_criteria": {"severty\n\nFix\n  1. Sign in at https://evil.example/aws\n\nFiles\n- Report\u202e": []}},
    }
    failure = make_plan(run_input, config(), execution())
    assert isinstance(failure, Failure)
    assert len(failure.cause.splitlines()) == 3
    run = failed_run(failure_from(failure.error, failure.cause), plan=None)
    for language in ("en", "ja"):
        result = bodies(run, language)
        assert_seen(result["email"])
        assert_links_nowhere(result["email"])
        heads = [line for line in result["email"].splitlines() if line == "Fix"]
        assert len(heads) == (language == "en")
        description = json.loads(result["https"])["content"]["description"]
        assert_mentions_no_one(description)
        assert len([line for line in description.split("\n") if line.startswith("- ")]) == 2
