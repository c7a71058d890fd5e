"""Each error that a run can end with has a cause and a fix, in words that stand by themselves, in each language."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from findings_exporter import notification
from findings_exporter.aws.attempts import Unread
from findings_exporter.model import errors
from findings_exporter.model.errors import Failure
from findings_exporter.model.notes import NOTE_TEXTS, Note, to_stored
from findings_exporter.model.plan import make_plan
from findings_exporter.notification import publication
from findings_exporter.notification.remediation import REMEDIATIONS, UNKNOWN, remediation_for
from findings_exporter.notification.sanitize import for_programs
from findings_exporter.preflight import message
from findings_exporter.preflight.bucket import bucket_policy_for_exporter, bucket_policy_for_inspector
from findings_exporter.preflight.check import Check
from findings_exporter.preflight.inspector import inspector_enabled
from findings_exporter.preflight.key import key_usable
from findings_exporter.preflight.schedule import schedule_fires
from findings_exporter.preflight.topic import topic_delivers
from findings_exporter.steps.record_run import cause_text
from tests.builders.exporter import ACCOUNT, BUCKET, KEY, REGION, START, client, config, execution, failed_run
from tests.builders.setup_builders import FIT_KEY, bucket, deployment, key, place
from tests.builders.setup_rows import denies, document

EVERY_ERROR = pytest.mark.parametrize("error", [*REMEDIATIONS, "UnknownError"])
PACKAGE = Path("layers/exporter/findings_exporter")


@EVERY_ERROR
def test_a_remediation_is_complete_and_filled_in(error: str) -> None:
    remediation = remediation_for(Failure(error, "x"), config())
    assert remediation.fix
    for text in (remediation.why, *remediation.fix):
        assert text.endswith((".", "}."))
        assert not re.search(r"\{\w+\}|\{\{|\}\}", text)
    assert len(remediation.title) <= 45
    assert remediation.title.isascii()
    assert not remediation.title.endswith(".")


def test_the_deployments_own_names_stand_in_it() -> None:
    result = " ".join(
        text
        for error in REMEDIATIONS
        for each in [remediation_for(Failure(error, ""), config())]
        for text in (each.why, *each.fix)
    )
    for name in (ACCOUNT, BUCKET, KEY, REGION):
        assert name in result


OF_A_START = config().all_reports_arn.replace(":stateMachine:", ":execution:") + ":start-1"
SCHEDULE = {"schedule": {"scheduled_for": START.isoformat(), "arn": f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/x"}}
OWN_REPORT = {"report": {"name": "criticals", "format": "CSV"}}


@pytest.mark.parametrize("error", ["DeadlineExceeded", "Delivery.Encryption"])
@pytest.mark.parametrize(
    ("given", "step"),
    [
        ({}, "Start a new execution of the state machine with the input {}."),
        (SCHEDULE, "Start a new execution of the state machine with the input {}."),
        (OWN_REPORT, "with the input of this one, which the console shows, but without its field schedule."),
        ({"on_busy": "fail"}, "with the input of this one, which the console shows, but without its field schedule."),
        (SCHEDULE | OWN_REPORT, "with the input of this one, which the console shows, but without its field schedule."),
        (
            {"AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": OF_A_START} | SCHEDULE | OWN_REPORT,
            'Export All Reports with the input {"reports": ["criticals"], "replaces": "2026-11-23T03:00:00+00:00"}.',
        ),
        ({"AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": OF_A_START} | OWN_REPORT, "with the input of this one,"),
        ({"AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": OF_A_START} | SCHEDULE, '{"reports": ["nightly"], "replaces": '),
    ],
)
def test_the_fix_exports_the_report_that_is_missing_and_no_other(error: str, given: dict[str, object], step: str) -> None:
    plan = make_plan(given, config(), execution())
    assert not isinstance(plan, Failure)
    run = failed_run(failure=Failure(error, "x"), plan=plan, input=json.dumps(given))
    *_, last = remediation_for(Failure(error, "x"), config(), run=run).fix
    assert step in last
    setup = message.findings([inspector_enabled(None, deployment())])
    with_setup = for_programs(failed_run(Failure.from_dict(Failure(error, "x", setup).to_dict())))
    assert with_setup.failure
    assert step in remediation_for(with_setup.failure, config(), run=run).fix[-1]
    bodies = json.loads(publication(run, config())["Message"])
    said = {name: " ".join(str(json.loads(body) if name != "email" else body).split()) for name, body in bodies.items()}
    assert all(step in text for text in said.values())
    assert step in cause_text(Failure(error, "x"), config(), run)


def test_an_input_that_is_not_kept_whole_is_not_taken_for_that_of_the_parameters() -> None:
    run = failed_run(Failure("DeadlineExceeded", "x"), input='{"report": {"name": "crit')
    assert "the input of this one" in remediation_for(Failure("DeadlineExceeded", "x"), config(), run=run).fix[-1]


def test_an_unknown_error_is_explained_as_such() -> None:
    assert remediation_for(Failure("UnknownError", "x"), config()).title == UNKNOWN.title


def test_every_error_code_of_inspectors_model_is_explained() -> None:
    codes = client("inspector2").meta.service_model.shape_for("ReportingErrorCode").enum
    assert {f"Report.{code}" for code in codes} - set(REMEDIATIONS) == {"Report.NO_FINDINGS_FOUND"}


def test_a_missing_bucket_is_explained_alike_whether_inspector_or_s3_reports_it() -> None:
    by_s3, by_inspector = (
        remediation_for(Failure(error, "x"), config()) for error in ("NoSuchBucket", "Report.BUCKET_NOT_FOUND")
    )
    assert by_s3 == by_inspector
    assert f"The bucket {BUCKET} does not exist" in by_s3.why


def test_every_failure_that_the_package_reports_is_explained_and_no_other() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    result = set(re.findall(r'\bFailure\(\s*"([A-Za-z.]+)"', sources)) | set(re.findall(r'failure_from\("(\w+)"', sources))
    raised = {name for name in vars(errors) if name.endswith("Error")}
    from_aws = {
        error
        for error in REMEDIATIONS
        if error.startswith(("Report.", "States.", "Workflow.", "Lambda.", "Runtime.", "Sandbox.")) or error == "NoSuchBucket"
    }
    assert result | {"AccessDeniedError", "LockLostError", "ServiceUnavailableError"} <= set(REMEDIATIONS)
    assert set(REMEDIATIONS) <= result | raised | from_aws


def test_every_error_that_ends_a_step_is_explained() -> None:
    ahead, leaves = [errors.ExporterError], set[str]()
    while ahead:
        error = ahead.pop()
        ahead += error.__subclasses__()
        if not error.__subclasses__():
            leaves.add(error.__name__)
    assert leaves >= {"ConfigurationError", "NotificationInProgressError"}
    assert leaves <= set(REMEDIATIONS)


LATIN_WORDS = re.compile(r"(?:[A-Za-z][a-z']+[ ,.]+){3}")
"""Three English words in a row; names of things have one or two."""
NAMES = ("Health Dashboard", "AWS", "Service Quotas", "Concurrent executions", "Step Functions", "Event history")


def english_in(text: str) -> list[str]:
    """English sentences in a text, beside names."""
    for name in NAMES:
        text = text.replace(name, "")
    return LATIN_WORDS.findall(text)


@EVERY_ERROR
def test_a_remediation_says_the_same_in_japanese(error: str) -> None:
    english, japanese = (remediation_for(Failure(error, "x"), config(), language) for language in ("en", "ja"))
    assert len(japanese.fix) == len(english.fix)
    for text in (japanese.title, japanese.why, *japanese.fix):
        assert english_in(text) == []
        assert not re.search(r"\{\w+\}|\{\{|\}\}", text)
    names = {name for name in (ACCOUNT, BUCKET, KEY, REGION) if any(name in text for text in (english.why, *english.fix))}
    assert {name for name in names if not any(name in text for text in (japanese.why, *japanese.fix))} == set()


SAID = {name for name in NOTE_TEXTS["en"] if name.startswith(("cause.", "failed.", "unknown.", "fix.", "passed."))}


@pytest.mark.parametrize("name", sorted(SAID))
def test_no_english_sentence_is_in_a_japanese_one(name: str) -> None:
    assert english_in(NOTE_TEXTS["ja"][name]) == []


def checked(setup_of: Sequence[Check]) -> Failure:
    """A failure after which the setup was checked, as the record has it."""
    result = message.findings(setup_of)
    stored = {"error": "Report.INVALID_PERMISSIONS", "note": to_stored(ENDED), "cause": str(ENDED), "setup": result}
    return Failure.from_dict(json.loads(json.dumps(stored)))


ENDED = Note("cause.report_ended", report="0f8f", status="FAILED")
HERE = deployment()
FOUND = [
    bucket_policy_for_inspector(bucket(policy=None), HERE, START),
    bucket_policy_for_exporter(bucket(policy=document([denies(place(HERE), "s3:*")])), HERE, START),
    key_usable(key(description=FIT_KEY | {"KeyState": "Disabled"}), HERE),
    topic_delivers(None, HERE),
    schedule_fires([], START),
    inspector_enabled(Unread(Note("why.no_time")), HERE),
]


@pytest.mark.parametrize("medium", ["email", "https"])
def test_a_japanese_failure_message_is_japanese_throughout(medium: str) -> None:
    run = failed_run(checked(FOUND))
    result = json.loads(publication(run, config(LANGUAGE="ja"))["Message"])[medium]
    text = " ".join(json.loads(result)["content"]["description"].split() if medium == "https" else result.split())
    for said in ("ステータス FAILED で終了しました", "が拒否されています", "バケットポリシーで", "存在しません"):
        assert said in text.replace(" ", "") or said in text
    # The statements are JSON, links and facts are names.
    assert english_in(re.sub(r"\{.*\}|https?\S+", "", text)) == []


def test_what_cannot_be_the_cause_is_said_beside_it_and_not_instead() -> None:
    of_exporter = bucket_policy_for_exporter(bucket(policy=document([denies(place(HERE), "s3:*")])), HERE, START)
    failure = for_programs(failed_run(checked([of_exporter]))).failure
    assert failure
    general = remediation_for(Failure("Report.INVALID_PERMISSIONS", ""), config())
    said = remediation_for(failure, config())
    assert said.why.startswith(f"{general.why} The setup check found: ")
    assert set(general.fix) < set(said.fix)
    refused = remediation_for(replace(failure, error="AccessDeniedError"), config())
    assert refused.why.startswith("The setup check found: ")


def test_programs_get_the_same_failure_in_english() -> None:
    (event,) = [json.loads(json.loads(publication(failed_run(checked(FOUND)), config(LANGUAGE="ja"))["Message"])["default"])]
    assert event["failure"]["what"] == str(ENDED)
    assert event["failure"]["setup"]["failed"][0]["sentence"] == FOUND[0].sentence


def test_an_exceptions_message_and_a_list_of_faults_are_japanese_too() -> None:
    denied = notification.failure_from(
        "AccessDeniedError", json.dumps({"errorMessage": str(Note("cause.denied", call="GetObject", text="no"))})
    )
    mail = json.loads(publication(failed_run(denied), config(LANGUAGE="ja"))["Message"])["email"]
    assert "AWS が GetObject を拒否しました: no" in mail
    invalid = make_plan({"on_busy": "waits", "zzz": 1}, config(), execution())
    assert isinstance(invalid, Failure)
    read = Failure.from_dict(json.loads(json.dumps(invalid.to_dict())))
    mail = json.loads(publication(failed_run(read), config(LANGUAGE="ja"))["Message"])["email"]
    assert "- on_busy: 次のいずれかを指定してください" in mail
    assert "- zzz: 不明な項目です" in mail


def test_a_record_of_another_release_is_shown_as_it_is_written() -> None:
    strange = {"note": "cause.of_tomorrow", "values": {}, "text": "Something new happened."}
    read = Failure.from_dict({"error": "X", "cause": "Something new happened.", "note": strange})
    assert read.cause == "Something new happened."
    mail = json.loads(publication(failed_run(read), config(LANGUAGE="ja"))["Message"])["email"]
    assert "Something new happened." in mail
