"""Each handler once, loaded as Lambda loads it: one run from plan to notification, a failure, and the hourly cleanup."""

import importlib.util
import io
import json
import logging
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import boto3
import pytest
from moto.sns.models import sns_backends

from findings_exporter import RELEASE
from findings_exporter.aws import handler, run_store
from findings_exporter.aws.lock import Lock
from findings_exporter.aws.table import Table
from findings_exporter.model.errors import AccessDeniedError, ConfigurationError, UnsupportedReleaseError
from tests.builders.exporter import (
    ACCOUNT,
    ALARM_TOPIC,
    BUCKET,
    KEY,
    REGION,
    REPORT_ID,
    START,
    TOPIC,
    FakeContext,
    FakeInspector,
    FakeStates,
    client,
    client_error,
    delivery,
    execution,
    make_bucket,
    nothing,
    planned,
    put_report,
)
from tests.contract.parts import RESOURCES, camel, folder_of
from tests.contract.releases import FROZEN, kept

CONTEXT: Any = FakeContext()
ME = execution("run-1", handler.utc_now())
STEPS = [
    "plan_export", "acquire_lock", "start_report", "check_report", "cancel_report", "release_lock", "verify_report",
    "cut_report", "analyze_part", "analyze_report", "record_run", "notify", "notify_owners",
]  # fmt: skip
SECRET = "SECRET-FINDING-TEXT"
MAIL = "someone@example.com"
FINDING = {
    "findingArn": f"arn:aws:inspector2:{REGION}:{ACCOUNT}:finding/1",
    "title": SECRET + MAIL,
    "type": "PACKAGE_VULNERABILITY",
    "severity": "HIGH",
    "status": "ACTIVE",
    "firstObservedAt": "2026-11-20T00:00:00Z",
}
REPORT = json.dumps({"findings": [FINDING]})


def load(folder: str) -> ModuleType:
    """Load a function's module by its path."""
    spec = importlib.util.spec_from_file_location(f"function_{folder}", Path("functions") / folder / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def account(table: Table, inspector: FakeInspector, states: FakeStates, monkeypatch: pytest.MonkeyPatch) -> Table:
    """An account with everything deployed; Inspector and Step Functions are fakes, the rest is moto."""
    real, fakes = boto3.client, {"inspector2": inspector.client, "stepfunctions": states.client}

    def client(service: Any, **more: Any) -> Any:
        return fakes[service] if service in fakes else real(service, **more)

    monkeypatch.setattr(handler, "boto3", SimpleNamespace(client=client))
    make_bucket()
    sns = boto3.client("sns")
    assert sns.create_topic(Name="findings-Topic")["TopicArn"] == TOPIC
    assert sns.create_topic(Name="findings-Alarms")["TopicArn"] == ALARM_TOPIC
    sns.subscribe(TopicArn=ALARM_TOPIC, Protocol="sqs", Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:alarms")
    states.add(ME)
    return table


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the functions log."""
    stream = io.StringIO()
    log_handler = handler.logger.registered_handler
    assert isinstance(log_handler, logging.StreamHandler)
    before = log_handler.setStream(stream)
    yield stream
    if before is not None:
        log_handler.setStream(before)


def event(**fields: Any) -> dict[str, Any]:
    """What the state machine sends."""
    return {"release": RELEASE, "execution": {"arn": ME.arn, "started_at": ME.started_at.isoformat()}} | fields


def call(folder: str, **fields: Any) -> dict[str, Any]:
    """Call a step; its answer travels as JSON."""
    answer: dict[str, Any] = json.loads(json.dumps(load(folder).handler(event(**fields), CONTEXT)))
    return answer


def published_events() -> list[dict[str, Any]]:
    """The events that were published."""
    published = sns_backends[ACCOUNT][REGION].topics[TOPIC].sent_notifications
    return [json.loads(json.loads(each[1])["default"]) for each in published]


def begin() -> None:
    """Run a run up to its report."""
    assert call("plan_export", input={})["state"] == "PLANNED"
    assert call("acquire_lock") == {"state": "ACQUIRED"}
    assert call("start_report")["state"] == "STARTED"


def export(inspector: FakeInspector) -> None:
    """Run a run as the state machine does."""
    begin()
    assert call("check_report")["state"] == "IN_PROGRESS"
    report = inspector.reports[REPORT_ID]
    report["status"] = "SUCCEEDED"
    put_report(REPORT.encode(), f"{report['destination']['keyPrefix']}{REPORT_ID}.json")
    assert call("check_report") == {"state": "FINISHED", "found_nothing": False}
    assert call("release_lock") == {"state": "RELEASED"}
    verified = call("verify_report", found_nothing=False)
    assert (verified["state"], verified["delivery"]["kms_key_arn"]) == ("VERIFIED", KEY)
    assert call("analyze_report", delivery=verified["delivery"]) == {"state": "ANALYZED"}
    recorded = call("record_run", failure=None, delivery=verified["delivery"], duplicate=False, analysis_failure=None)
    assert recorded == {"state": "NOTIFICATION_PENDING", "outcome": "SUCCEEDED", "failure": None}
    assert call("notify") == {"state": "NOTIFIED", "failure": None, "owners_due": False}


def test_a_run_is_planned_exported_verified_recorded_and_notified(account: Table, inspector: FakeInspector) -> None:
    export(inspector)
    assert call("notify") == {"state": "ALREADY_NOTIFIED", "failure": None, "owners_due": False}
    (published,) = published_events()
    assert (published["outcome"], published["delivery"]["nothing_found"]) == ("SUCCEEDED", None)


def test_a_large_report_is_divided_analyzed_in_parts_and_merged(account: Table, inspector: FakeInspector) -> None:
    begin()
    report = inspector.reports[REPORT_ID]
    report["status"] = "SUCCEEDED"
    findings = [FINDING | {"findingArn": f"{FINDING['findingArn']}{number}"} for number in range(20)]
    put_report(json.dumps({"findings": findings}).encode(), f"{report['destination']['keyPrefix']}{REPORT_ID}.json")
    delivery = call("verify_report", found_nothing=False)["delivery"]
    answer = call("cut_report", delivery=delivery, part_bytes=delivery["size_bytes"] // 4)
    assert answer["state"] == "CUT"
    assert [part["number"] for part in answer["parts"]] == list(range(1, len(answer["parts"]) + 1))
    assert len(answer["parts"]) >= 3
    for part in answer["parts"]:
        assert call("analyze_part", delivery=delivery, part=part) == {"state": "PART_ANALYZED"}
    assert call("analyze_report", delivery=delivery, parts=answer["parts"]) == {"state": "ANALYZED"}
    headline = run_store.load(account, ME).analysis
    assert headline is not None
    assert headline["total"] == len(findings)


def test_a_failed_run_is_cancelled_released_recorded_and_notified(account: Table, inspector: FakeInspector) -> None:
    begin()
    inspector.checks_to_cancel = 3
    assert call("cancel_report") == {"state": "CANCELLED"}
    assert inspector.reports[REPORT_ID]["status"] == "CANCELLED"
    assert call("cancel_report") == {"state": "NONE"}
    assert call("release_lock") == call("release_lock") == {"state": "RELEASED"}
    failure = {"error": "Workflow.Timeout", "cause": ""}
    recorded = call("record_run", failure=failure, delivery=None, duplicate=False)
    assert (recorded["outcome"], recorded["failure"]["error"]) == ("FAILED", "Workflow.Timeout")
    assert call("notify") == {"state": "NOTIFIED", "failure": recorded["failure"], "owners_due": False}
    assert [each["outcome"] for each in published_events()] == ["FAILED"]


def test_a_run_whose_record_broke_off_gets_its_line_in_the_history_when_it_is_notified(
    account: Table, inspector: FakeInspector
) -> None:
    export(inspector)
    (line,) = list(account.newest("REPORT#nightly"))
    account.client.delete_item(TableName=account.name, Key={"pk": {"S": line["pk"]}, "sk": {"S": line["sk"]}})
    assert call("notify")["state"] == "ALREADY_NOTIFIED"
    assert list(account.newest("REPORT#nightly")) == [line]


def test_a_start_keeps_the_lock_until_its_function_is_surely_over(account: Table, inspector: FakeInspector) -> None:
    seen: list[timedelta] = []

    def check() -> None:
        holder = Lock(account, ACCOUNT, REGION).holder()
        assert holder is not None
        assert holder.creating_until is not None
        seen.append(holder.creating_until - handler.utc_now())

    inspector.on_create = check
    begin()
    assert timedelta(seconds=60) < seen[0] < timedelta(seconds=72)


@pytest.mark.parametrize(("found_nothing", "how"), [(True, "no_findings"), (False, "no_object")])
def test_how_an_empty_report_is_known_is_passed_on(account: Table, found_nothing: bool, how: str) -> None:
    begin()
    assert call("verify_report", found_nothing=found_nothing)["delivery"]["nothing_found"] == how


@pytest.mark.parametrize("by", ["event", "hourly_cleanup"])
def test_what_a_stopped_execution_leaves_is_cleaned_up(
    account: Table, inspector: FakeInspector, states: FakeStates, by: str
) -> None:
    begin()
    states.add(ME, "ABORTED")
    detail = {"executionArn": ME.arn, "status": "ABORTED", "startDate": int(ME.started_at.timestamp() * 1000), "input": "{}"}
    handler = load("clean_up").handler
    if by == "event":
        assert handler({"detail": detail}, CONTEXT) == {"state": "CLEANED_UP"}
        assert handler({"detail": detail}, CONTEXT) == {"state": "NOTHING_LEFT"}
    else:
        assert handler({}, CONTEXT) == {"cleaned": ["run-1"]}
        assert handler({}, CONTEXT) == {"cleaned": []}
    assert inspector.reports[REPORT_ID]["status"] == "CANCELLED"
    assert [each["outcome"] for each in published_events()] == ["ABORTED"]
    assert run_store.open_runs(account) == []


@pytest.mark.parametrize("folder", STEPS)
def test_an_event_of_an_unknown_release_is_refused_before_anything_is_done(
    account: Table, inspector: FakeInspector, folder: str
) -> None:
    with pytest.raises(UnsupportedReleaseError):
        load(folder).handler(event(release=RELEASE + 1), CONTEXT)
    assert inspector.calls == []
    assert run_store.open_runs(account) == []


@pytest.mark.parametrize("folder", [folder for folder in STEPS if folder in map(folder_of, FROZEN[str(RELEASE - 1)])])
def test_an_event_of_the_release_before_is_accepted(account: Table, inspector: FakeInspector, folder: str) -> None:
    begin()
    if folder == "notify":
        call("record_run", failure=None, delivery=None, duplicate=True)
    delivered = nothing("no_findings").to_dict() if folder == "analyze_report" else None
    if folder in {"cut_report", "analyze_part"}:
        found = client("s3").head_object(Bucket=BUCKET, Key=put_report(REPORT.encode()))
        delivered = delivery(size_bytes=found["ContentLength"], etag=found["ETag"], version_id=None).to_dict()
    fields = {
        "found_nothing": False,
        "failure": None,
        "duplicate": False,
        "part": {"number": 1, "begin": 0, "end": len(REPORT)},
        "part_bytes": 1 << 29,
    }
    assert call(folder, input={}, delivery=delivered, release=RELEASE - 1, **fields)


@pytest.mark.parametrize("release", kept())
def test_a_run_that_began_under_a_release_that_may_still_run_ends_well(
    account: Table, inspector: FakeInspector, release: str
) -> None:
    def sent(task: str) -> dict[str, Any]:
        frozen = FROZEN[release][task]
        execution = {"arn": ME.arn, "started_at": ME.started_at.isoformat()}
        answer = load(folder_of(task)).handler(frozen["events"][0] | {"execution": execution}, CONTEXT)
        assert answer["state"] in frozen["reads"]["states"] or "state" not in frozen["reads"]["members"]
        return dict(answer)

    for task in ("Plan Export", "Acquire Lock"):
        sent(task)
    assert isinstance(sent("Start Report")["wait_seconds"], int)
    assert isinstance(sent("Check Report")["wait_seconds"], int)
    report = inspector.reports[REPORT_ID]
    report["status"] = "SUCCEEDED"
    put_report(REPORT.encode(), f"{report['destination']['keyPrefix']}{REPORT_ID}.json")
    assert sent("Check Report")["found_nothing"] is False
    sent("Release Lock")
    assert sent("Verify Report")["delivery"].keys() >= FROZEN[release]["Record Run"]["events"][0]["delivery"].keys()
    assert sent("Record Run") == {"state": "NOTIFICATION_PENDING", "outcome": "SUCCEEDED", "failure": None}
    sent("Notify")
    assert [each["outcome"] for each in published_events()] == ["SUCCEEDED"]


@pytest.mark.parametrize("folder", [*STEPS, "check_setup", "preview_export", "clean_up"])
def test_a_function_without_its_environment_says_so_when_it_starts(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TABLE_NAME")
    with pytest.raises(ConfigurationError, match="TABLE_NAME"):
        load(folder)


@pytest.mark.parametrize("folder", [*STEPS, "preview_export", "clean_up"])
def test_a_function_makes_no_client_that_its_role_has_no_use_for(
    folder: str, account: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: set[str] = set()

    def client(service: Any, **more: Any) -> Any:
        made.add(str(service))
        return boto3.client(service, **more)

    monkeypatch.setattr(handler, "boto3", SimpleNamespace(client=client))
    load(folder)
    role = json.dumps(RESOURCES[f"{camel(folder)}FunctionRole"])
    allowed = {service.replace("states", "stepfunctions") for service in re.findall(r'"(\w+):[A-Z]\w+\*?"', role)}
    assert made
    assert made <= allowed


def test_every_function_is_a_folder_with_one_short_file() -> None:
    folders = sorted(path.parent.name for path in Path("functions").glob("*/app.py"))
    assert folders == sorted([*STEPS, "check_setup", "preview_export", "clean_up", "plan_reports", "finish_reports", "summarize"])
    assert all(len(path.read_text(encoding="utf-8").splitlines()) <= 60 for path in Path("functions").glob("*/app.py"))


def test_the_log_names_each_step_of_its_execution_and_nothing_confidential(
    account: Table, inspector: FakeInspector, states: FakeStates, log: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    criteria = {"title": [{"comparison": "EQUALS", "value": SECRET + MAIL}]}
    call("plan_export", input={"report": {"filter_criteria": criteria}})
    call("acquire_lock")
    inspector.put("external", "IN_PROGRESS", f"console-{ACCOUNT}/", "their-bucket")
    assert call("start_report")["state"] == "BUSY"
    del inspector.reports["external"]
    export(inspector)
    late = planned(account, execution("run-2", START)).execution
    states.add(late, "FAILED", cause=SECRET)
    inspector.refuse("current", client_error("AccessDenied", 403, text=ACCOUNT))
    with pytest.raises(AccessDeniedError):
        load("clean_up").handler({}, CONTEXT)
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    states_logged = [line["state"] for line in lines if line["message"] == "step done"]
    assert states_logged[-3:] == ["ANALYZED", "NOTIFICATION_PENDING", "NOTIFIED"]
    assert all(line["execution"] == "run-1" for line in lines[:-2])
    assert lines[-2]["message"] == "the run run-2 could not be cleaned up yet: AccessDeniedError"
    assert [line["execution"] for line in lines[-2:]] == ["run-2", "hourly_cleanup"]
    assert {line["service"] for line in lines} == {"findings_exporter"}
    assert any("another report is in progress at Inspector" in line["message"] for line in lines)
    written = log.getvalue() + capsys.readouterr().out
    assert "ExportsSucceeded" in written
    for secret in (ACCOUNT, SECRET, MAIL, "testing"):
        assert secret not in written


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            client_error("AccessDenied", 403, text=ACCOUNT),
            {"error": "AccessDeniedError", "call": "Operation", "code": "AccessDenied"},
        ),
        (
            client_error("ValidationException", 400, text=SECRET),
            {"error": "ClientError", "call": "Operation", "code": "ValidationException"},
        ),
        (KeyError(SECRET), {"error": "KeyError"}),
    ],
)
def test_an_error_that_ends_a_step_is_logged_with_its_execution_and_without_its_words(
    account: Table, inspector: FakeInspector, log: io.StringIO, answer: Exception, expected: dict[str, str]
) -> None:
    begin()
    inspector.refuse("status", answer)
    with pytest.raises(Exception):  # noqa: B017 - whatever it is, it goes up
        call("check_report")
    line = json.loads(log.getvalue().splitlines()[-1])
    assert (line["level"], line["message"], line["execution"]) == ("ERROR", "step failed", "run-1")
    assert {name: line[name] for name in ("error", "call", "code") if name in line} == expected
    for confidential in (ACCOUNT, SECRET, "Traceback"):
        assert confidential not in log.getvalue()


def test_each_line_of_an_hourly_cleanup_names_the_run_that_it_is_about(
    account: Table, inspector: FakeInspector, states: FakeStates, log: io.StringIO
) -> None:
    begin()
    states.add(ME, "ABORTED")
    late = planned(account, execution("run-2", START)).execution
    states.add(late, "FAILED")
    assert sorted(load("clean_up").handler({}, CONTEXT)["cleaned"]) == ["run-1", "run-2"]
    handler.logger.info("the hourly cleanup goes on")
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    cancelled = [line["execution"] for line in lines if line["message"].startswith("cancelling the run's own report")]
    assert cancelled == ["run-1"]
    assert lines[-1]["execution"] == "hourly_cleanup"


def test_an_hourly_cleanup_that_cancels_a_blocking_report_names_its_run(
    account: Table, inspector: FakeInspector, states: FakeStates, log: io.StringIO
) -> None:
    begin()
    call("release_lock")
    call("record_run", failure={"error": "Workflow.Timeout", "cause": ""}, delivery=None, duplicate=False)
    call("notify")
    states.add(ME, "FAILED")
    assert load("clean_up").handler({}, CONTEXT) == {"cleaned": ["run-1"]}
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [line["execution"] for line in lines if line["message"].startswith("cancelling")] == ["run-1"]


def test_a_run_that_waits_for_its_turn_logs_the_holder(account: Table, states: FakeStates, log: io.StringIO) -> None:
    holder = execution("run-0", handler.utc_now())
    states.add(holder)
    assert Lock(account, ACCOUNT, REGION).acquire(states.client, holder, handler.utc_now()) is None
    call("plan_export", input={})
    assert call("acquire_lock")["state"] == "HELD"
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    message = [line for line in lines if line["message"] == "the run run-0 holds the lock"]
    assert [(line["level"], line["execution"]) for line in message] == [("INFO", "run-1")]
