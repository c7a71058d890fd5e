"""A fault of the embedded AWS affects a function as the same failure on AWS does. The fault matrix relies on that."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.local_aws.sandbox import ANYTHING, Sandbox, eventually
from tests.local_aws.server import REPOSITORY, LocalAws, LocalAwsError

if TYPE_CHECKING:
    from collections.abc import Iterator

_accounts = itertools.count(150_000_000_001)
_CODE = """
import sys; sys.path.append(SITE_PACKAGES)
import boto3
from botocore.config import Config
config = Config(read_timeout=4, retries={"mode": "standard", "total_max_attempts": 1})
def client(service): return boto3.client(service, config=config)
def count(): client("dynamodb").update_item(
    TableName="counts", Key={"pk": {"S": "n"}}, UpdateExpression="ADD n :one", ExpressionAttributeValues={":one": {"N": "1"}})
def handler(event, context):
    try:
        BODY
    except Exception as error:
        answer = getattr(error, "response", None) or {}
        return [type(error).__name__, answer.get("Error", {}).get("Code"), answer.get("ResponseMetadata", {}).get("HTTPStatusCode")]
""".replace("SITE_PACKAGES", repr(str(REPOSITORY / ".venv/lib/python3.13/site-packages")))
_RETRY = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 1}]


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    with LocalAws(tmp_path_factory.mktemp("faults") / "emulator.log", wait_scale=0.01) as aws:
        yield aws


@pytest.fixture
def sandbox(aws: LocalAws) -> Sandbox:
    sandbox = Sandbox(aws, str(next(_accounts)))
    sandbox.client("dynamodb").create_table(
        TableName="counts",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return sandbox


def function(sandbox: Sandbox, body: str = "count()") -> str:
    return sandbox.function("work", _CODE.replace("BODY", body), ANYTHING, Timeout=60)


def put(sandbox: Sandbox, kind: str, **where: Any) -> None:
    sandbox.control("/_local/faults/put", kind=kind, **{"function": "work", **where})


def counted(sandbox: Sandbox) -> int:
    item = sandbox.client("dynamodb").get_item(TableName="counts", Key={"pk": {"S": "n"}}).get("Item", {})
    return int(item["n"]["N"]) if item else 0


def start(sandbox: Sandbox, function_arn: str, **more: Any) -> str:
    """Start an execution whose one step gets the execution in its event, as the exporter's steps do."""
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": {"FunctionName": function_arn, "Payload": {"execution": {"arn": "{% $states.context.Execution.Id %}"}}},
        "End": True,
        **more,
    }
    return sandbox.start({"StartAt": "Work", "States": {"Work": task}})


def ended(sandbox: Sandbox, arn: str) -> Any:
    return eventually(lambda: (seen := sandbox.execution(arn))["status"] != "RUNNING" and seen)


def at_rest(sandbox: Sandbox) -> bool:
    return not sandbox.control("/_local/faults/at_work")["functions"]


CALLS = {
    "dynamodb": "count()",
    "states": "client('stepfunctions').list_state_machines()",
    "inspector2": "client('inspector2').get_findings_report_status()",
    "s3": "client('s3').list_buckets()",
    "sns": "client('sns').list_topics()",
    "kms": "client('kms').list_keys()",
}


@pytest.mark.parametrize(
    ("service", "throttled", "broken", "denied"),
    [
        ("dynamodb", ["ThrottlingException", 400], ["InternalServerError", 500], ["AccessDeniedException", 400]),
        ("states", ["ThrottlingException", 400], ["InternalServerError", 500], ["AccessDeniedException", 400]),
        ("inspector2", ["ThrottlingException", 429], ["InternalServerException", 500], ["AccessDeniedException", 403]),
        ("s3", ["SlowDown", 503], ["InternalError", 500], ["AccessDenied", 403]),
        ("sns", ["Throttling", 400], ["InternalError", 500], ["AuthorizationError", 403]),
        ("kms", ["ThrottlingException", 400], ["InternalServerError", 500], ["AccessDeniedException", 400]),
    ],
)
def test_call_is_refused_in_its_services_own_words(
    service: str, throttled: list[Any], broken: list[Any], denied: list[Any], sandbox: Sandbox
) -> None:
    function(sandbox, CALLS[service])
    for kind, answer in {"throttle": throttled, "server_error": broken, "denied": denied}.items():
        put(sandbox, kind)
        assert sandbox.invoke("work")[1:] == answer
    assert counted(sandbox) == 0


@pytest.mark.parametrize(
    ("kind", "error", "effects"),
    [("lost_answer", "ConnectionClosedError", 1), ("hang", "ReadTimeoutError", 0), ("late", "ReadTimeoutError", 1)],
)
def test_call_is_not_answered(kind: str, error: str, effects: int, sandbox: Sandbox) -> None:
    function(sandbox)
    put(sandbox, kind, seconds=6)
    assert sandbox.invoke("work")[0] == error
    assert counted(sandbox) == (effects if kind == "lost_answer" else 0)
    eventually(lambda: sandbox.control("/_local/faults/at_work")["held_calls"] == 0)
    assert counted(sandbox) == effects


def test_answer_breaks_off_before_its_length(sandbox: Sandbox) -> None:
    body = (
        "seen = []; c = client('dynamodb'); "
        "c.meta.events.register('before-parse', lambda response_dict, **_: seen.append([len(response_dict['body']),"
        " int(response_dict['headers']['content-length'])])); c.list_tables(); return seen"
    )
    function(sandbox, body)
    put(sandbox, "short_answer")
    ((got, said),) = sandbox.invoke("work")
    assert 0 < got < said


@pytest.mark.parametrize(("kind", "effects"), [("killed_before", 0), ("killed_after", 1)])
def test_function_is_killed(kind: str, effects: int, sandbox: Sandbox) -> None:
    put(sandbox, kind)
    assert ended(sandbox, start(sandbox, function(sandbox)))["error"] == "Runtime.ExitError"
    assert counted(sandbox) == effects
    sandbox.invoke("work")
    assert counted(sandbox) == effects + 1


def test_execution_is_stopped_while_its_function_works_on(sandbox: Sandbox) -> None:
    put(sandbox, "stopped")
    assert ended(sandbox, start(sandbox, function(sandbox)))["status"] == "ABORTED"
    eventually(lambda: at_rest(sandbox))
    assert counted(sandbox) == 1


def test_stopped_executions_call_is_held_until_its_caller_was_answered(sandbox: Sandbox) -> None:
    events, cleaner = sandbox.client("events"), sandbox.function("clean", "def handler(event, context): pass\n")
    pattern = {"source": ["aws.states"], "detail": {"status": ["ABORTED"]}}
    events.put_rule(Name="ended", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="ended", Targets=[{"Id": "clean", "Arn": cleaner}])
    put(sandbox, "stopped_held")
    assert ended(sandbox, start(sandbox, function(sandbox)))["status"] == "ABORTED"
    eventually(lambda: counted(sandbox) == 1)
    calls = sandbox.control("/_local/calls")["calls"]
    (result,) = [each for each in sandbox.control("/_local/invocations")["invocations"] if each["function"] == "clean"]
    assert result["ended_at"] is not None
    assert [call["fault"] for call in calls] == ["stopped_held"]


@pytest.mark.parametrize("kind", ["overlap_before", "overlap_after"])
def test_step_is_repeated_while_its_function_still_works(kind: str, sandbox: Sandbox) -> None:
    put(sandbox, kind)
    execution = start(sandbox, function(sandbox), Retry=_RETRY)
    assert ended(sandbox, execution)["status"] == "SUCCEEDED"
    eventually(lambda: at_rest(sandbox))
    first, second = sandbox.control("/_local/invocations")["invocations"]
    assert first["started_at"] < second["started_at"] < second["ended_at"] < first["ended_at"]
    assert counted(sandbox) == 2


def test_event_is_delivered_twice_when_no_step_waits(sandbox: Sandbox) -> None:
    put(sandbox, "overlap_before")
    function(sandbox)
    sandbox.client("lambda").invoke(
        FunctionName="work", InvocationType="Event", Payload=b'{"detail": {"executionArn": "an-arn"}}'
    )
    eventually(lambda: counted(sandbox) == 2)
    assert [each["execution"] for each in sandbox.control("/_local/invocations")["invocations"]] == ["an-arn", "an-arn"]


def test_result_is_lost_after_the_function_has_worked(sandbox: Sandbox) -> None:
    put(sandbox, "result_lost", error="Lambda.Unknown")
    arn = function(sandbox)
    assert ended(sandbox, start(sandbox, arn))["error"] == "Lambda.Unknown"
    assert counted(sandbox) == 1


def test_step_is_throttled_before_its_function_works(sandbox: Sandbox) -> None:
    put(sandbox, "lambda_throttled")
    assert ended(sandbox, start(sandbox, function(sandbox)))["error"] == "Lambda.TooManyRequestsException"
    assert counted(sandbox) == 0


def test_execution_is_stopped_on_entering_a_state(sandbox: Sandbox) -> None:
    put(sandbox, "stopped_between", function="", state="Work")
    assert ended(sandbox, start(sandbox, function(sandbox)))["status"] == "ABORTED"
    assert sandbox.control("/_local/invocations")["invocations"] == []


def test_fault_meets_only_what_it_was_put_on(sandbox: Sandbox) -> None:
    function(sandbox, "[count() for _ in range(4)]")
    put(sandbox, "denied", action="dynamodb:UpdateItem", skip=2, times=1)
    put(sandbox, "denied", action="dynamodb:GetItem")
    put(sandbox, "denied", execution="another")
    assert sandbox.invoke("work")[1] == "AccessDeniedException"
    assert counted(sandbox) == 2
    (struck,) = sandbox.control("/_local/faults")["struck"]
    assert (struck["kind"], struck["function"], struck["action"]) == ("denied", "work", "dynamodb:UpdateItem")
    assert sandbox.invoke("work") is None
    assert counted(sandbox) == 6


def test_lasting_fault_is_taken_away(sandbox: Sandbox) -> None:
    function(sandbox)
    put(sandbox, "throttle", times=None)
    for _ in range(2):
        assert sandbox.invoke("work")[1] == "ThrottlingException"
    sandbox.control("/_local/faults/clear")
    assert sandbox.invoke("work") is None
    assert len(sandbox.control("/_local/faults")["struck"]) == 2


@pytest.mark.parametrize("wrong", [{}, {"kind": "bad weather"}, {"kind": "hang", "who": "me"}])
def test_unknown_fault_is_refused(wrong: dict[str, Any], sandbox: Sandbox) -> None:
    with pytest.raises(LocalAwsError):
        sandbox.control("/_local/faults/put", **wrong)


def test_an_invocation_is_recorded_with_its_execution_and_its_end(sandbox: Sandbox) -> None:
    execution = start(sandbox, function(sandbox, "return {'said': event['execution']['arn'].rsplit(':', 1)[-1]}"))
    ended(sandbox, execution)
    (invocation,) = sandbox.control("/_local/invocations", clear=True)["invocations"]
    assert invocation["execution"] == execution
    assert invocation["result"] == {"said": execution.rsplit(":", 1)[-1]}
    assert invocation["started_at"] < invocation["ended_at"]
    assert sandbox.control("/_local/invocations")["invocations"] == []


def test_a_call_leads_to_the_process_that_made_it(sandbox: Sandbox) -> None:
    """Two processes of one function run at once, and each call is traced to its process."""
    function(sandbox, "import time; time.sleep(1); count()")
    for name in ("one", "two"):
        payload = json.dumps({"detail": {"executionArn": name}}).encode()
        sandbox.client("lambda").invoke(FunctionName="work", InvocationType="Event", Payload=payload)
    eventually(lambda: counted(sandbox) == 2 and at_rest(sandbox))
    invocations = sandbox.control("/_local/invocations")["invocations"]
    assert max(each["started_at"] for each in invocations) < min(each["ended_at"] for each in invocations)
    calls = {call["invocation"]: call["execution"] for call in sandbox.control("/_local/calls")["calls"]}
    assert calls == {each["id"]: each["execution"] for each in invocations}
    assert sorted(calls.values()) == ["one", "two"]


@pytest.mark.parametrize(
    ("scales", "is_slow"),
    [({}, False), ({"Wait": 0.2}, True), ({"*": 0.2}, True), ({"*": 0.2, "Wait": 0.0}, False), ({"Work": 0.2}, False)],
)
def test_a_wait_can_have_a_pace_of_its_own(scales: dict[str, float], is_slow: bool, sandbox: Sandbox) -> None:
    sandbox.control("/_local/wait_scales", scales=scales)
    execution = sandbox.run({"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 10, "End": True}}})
    assert ((execution["stopDate"] - execution["startDate"]).total_seconds() > 2) == is_slow


@pytest.mark.parametrize(("error", "is_slow"), [("TooEarlyError", True), ("Exception", False)])
def test_a_retry_can_have_the_pace_of_its_error(error: str, is_slow: bool, sandbox: Sandbox) -> None:
    sandbox.control("/_local/wait_scales", scales={"TooEarlyError": 2.0})
    arn = sandbox.function("fail", "class TooEarlyError(Exception): pass\ndef handler(event, context): raise " + error)
    execution = ended(sandbox, start(sandbox, arn, Retry=_RETRY))
    first, second = sandbox.control("/_local/invocations")["invocations"]
    assert execution["error"] == error
    assert (second["started_at"] - first["ended_at"] > 1.9) == is_slow


def test_an_execution_can_have_begun_long_ago(sandbox: Sandbox) -> None:
    sandbox.control("/_local/next_start", seconds_ago=90)
    began = "{% $states.context.Execution.StartTime %}"
    answer = {"StartAt": "Answer", "States": {"Answer": {"Type": "Pass", "Output": began, "End": True}}}
    execution = sandbox.run(answer)
    assert 89 < (execution["stopDate"] - execution["startDate"]).total_seconds() < 120
    assert datetime.fromisoformat(json.loads(execution["output"])) == execution["startDate"]
    again = sandbox.client("stepfunctions").start_execution(stateMachineArn=execution["stateMachineArn"])
    assert abs((datetime.now(UTC) - again["startDate"]).total_seconds()) < 30


def test_control_requests_can_be_sent_in_one(sandbox: Sandbox) -> None:
    with sandbox.aws.batch(sandbox.account) as batch:
        batch.control("/_local/faults/put", {"kind": "denied"})
        batch.control("/_local/wait_scales", {"scales": {"*": 3}})
    function(sandbox)
    assert sandbox.invoke("work")[1] == "AccessDeniedException"
    with pytest.raises(LocalAwsError, match="/_local/unheard-of"), sandbox.aws.batch(sandbox.account) as batch:
        batch.control("/_local/unheard-of")


def start_map(sandbox: Sandbox, function_arn: str) -> str:
    """Start an execution whose Map invokes a function for each of three parts, all at once."""
    payload = {"execution": {"arn": "{% $states.context.Execution.Id %}"}, "part": "{% $states.input %}"}
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": {"FunctionName": function_arn, "Payload": payload},
        "Retry": _RETRY,
        "End": True,
    }
    parts = [{"number": number} for number in (1, 2, 3)]
    processor = {"StartAt": "Work", "States": {"Work": task}}
    return sandbox.start(
        {"StartAt": "Each", "States": {"Each": {"Type": "Map", "Items": parts, "ItemProcessor": processor, "End": True}}}
    )


@pytest.mark.parametrize("kind", ["overlap_before", "result_lost"])
def test_a_fault_meets_one_of_a_maps_items(kind: str, sandbox: Sandbox) -> None:
    put(sandbox, kind, event={"part": {"number": 2}})
    assert ended(sandbox, start_map(sandbox, function(sandbox)))["status"] == "SUCCEEDED"
    parts = [each["event"]["part"]["number"] for each in sandbox.control("/_local/invocations")["invocations"]]
    assert sorted(parts) == [1, 2, 2, 3]
    assert counted(sandbox) == 4


def test_execution_is_stopped_on_entering_a_state_of_a_map(sandbox: Sandbox) -> None:
    put(sandbox, "stopped_between", function="", state="Work")
    assert ended(sandbox, start_map(sandbox, function(sandbox)))["status"] == "ABORTED"
    assert counted(sandbox) == 0
