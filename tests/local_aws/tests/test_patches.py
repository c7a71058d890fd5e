"""Each patch of the embedded AWS is still needed, and still works.

A test on the plain emulator fails when MiniStack has closed the gap: the patch can be removed. The same test on the patched
emulator fails when MiniStack's internals have changed and the patch no longer works.
"""

from __future__ import annotations

import io
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from findings_analysis.output import parquet
from findings_analysis.reading.schema import NAMES
from tests.local_aws.deployed_exporter import wait_until
from tests.local_aws.sandbox import ANYTHING, Sandbox, eventually, policy, zipped
from tests.local_aws.server import REPOSITORY, LocalAws, LocalAwsError

if TYPE_CHECKING:
    from collections.abc import Iterator

_accounts = itertools.count(100_000_000_001)
_RETURN = "def handler(event, context):\n    return {'handled': event}\n"
_FAIL = "class ExportFailedError(Exception): pass\ndef handler(event, context):\n    raise ExportFailedError('taken')\n"


@pytest.fixture(scope="module")
def plain_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    with LocalAws(tmp_path_factory.mktemp("plain") / "emulator.log", patches="none", wait_scale=0.01) as aws:
        yield aws


@pytest.fixture(scope="module")
def full_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("full") / "emulator.log"


@pytest.fixture(scope="module")
def full_aws(full_log: Path) -> Iterator[LocalAws]:
    with LocalAws(full_log, wait_scale=0.01) as aws:
        yield aws


@pytest.fixture
def plain(plain_aws: LocalAws) -> Sandbox:
    return Sandbox(plain_aws, str(next(_accounts)))


@pytest.fixture
def full(full_aws: LocalAws) -> Sandbox:
    return Sandbox(full_aws, str(next(_accounts)))


def _machine(**states: dict[str, Any]) -> dict[str, Any]:
    return {"StartAt": next(iter(states)), "States": states}


def _task(function_arn: str, **more: Any) -> dict[str, Any]:
    return _machine(Work={"Type": "Task", "Resource": function_arn, "End": True, **more})


def _burst(sandbox: Sandbox, size: int) -> list[str]:
    """Invoke a slow function many times at once; return the process of each invocation, or the error."""
    sandbox.function("work", "import os, time\ndef handler(event, context):\n    time.sleep(1)\n    return os.getpid()\n")
    client = boto3.client(
        "lambda",
        region_name="eu-west-1",
        endpoint_url=sandbox.aws.endpoint_url,
        aws_access_key_id=sandbox.account,
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )

    def answer(_: int) -> str:
        try:
            return str(json.load(client.invoke(FunctionName="work")["Payload"]))
        except ClientError as error:
            return str(error.response["Error"]["Code"])

    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(answer, range(size)))


def _watch_executions(sandbox: Sandbox) -> str:
    url, arn = sandbox.queue("watch")
    events = sandbox.client("events")
    pattern = {"source": ["aws.states"], "detail-type": ["Step Functions Execution Status Change"]}
    events.put_rule(Name="watch", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="watch", Targets=[{"Id": "queue", "Arn": arn}])
    return url


def _status_events(sandbox: Sandbox, url: str) -> list[dict[str, Any]]:
    return [json.loads(message["Body"])["detail"] for message in sandbox.messages(url)]


class TestServer:
    def test_a_failed_start_shows_the_end_of_the_log(self, full_aws: LocalAws, tmp_path: Path) -> None:
        aws = LocalAws(tmp_path / "emulator.log")
        aws._port = full_aws._port
        full_aws_answers = aws._is_healthy
        aws._is_healthy = lambda: False  # type: ignore[method-assign]  # the other emulator would answer
        with pytest.raises(LocalAwsError, match="already in use"):
            aws.start()
        assert full_aws_answers()

    def test_nothing_stays_behind_when_the_parent_is_killed(self, tmp_path: Path) -> None:
        script = (
            "import pathlib, sys, time\n"
            "from tests.local_aws.sandbox import Sandbox\n"
            "from tests.local_aws.server import LocalAws\n"
            "aws = LocalAws(pathlib.Path(sys.argv[1]))\n"
            "aws.start()\n"
            "sandbox = Sandbox(aws, '111111111111')\n"
            "sandbox.function('work', 'def handler(event, context): return 1')\n"
            "sandbox.invoke('work')\n"
            "print(aws.process_id, flush=True)\n"
            "time.sleep(60)\n"
        )
        parent = subprocess.Popen(
            [sys.executable, "-c", script, tmp_path / "emulator.log"],
            cwd=REPOSITORY,
            env={**os.environ, "TMPDIR": str(tmp_path)},
            stdout=subprocess.PIPE,
        )
        assert parent.stdout is not None
        with parent.stdout:
            group = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        assert eventually(lambda: not _group_exists(group))

    def test_accounts_see_nothing_of_each_other(self, full_aws: LocalAws, full: Sandbox) -> None:
        full.client("dynamodb").create_table(
            TableName="runs",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        assert full.client("dynamodb").list_tables()["TableNames"] == ["runs"]
        assert full_aws.client("dynamodb", account="999999999999").list_tables()["TableNames"] == []


def _group_exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


class TestControlAndTransport:
    def test_a_refused_control_request_says_why(self, full: Sandbox) -> None:
        with pytest.raises(LocalAwsError, match="no execution"):
            full.control("/_local/executions/time_out", executionArn="unknown")

    def test_policies_that_demand_tls_let_local_traffic_through(self, plain: Sandbox, full: Sandbox) -> None:
        def put(sandbox: Sandbox) -> str:
            bucket = f"reports-{sandbox.account}"
            sandbox.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
            only_tls = {
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": f"arn:aws:s3:::{bucket}/*",
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
            sandbox.client("s3").put_bucket_policy(Bucket=bucket, Policy=policy(only_tls))
            role = sandbox.role("writer", ANYTHING)
            client = sandbox.aws.role_client("s3", role, account=sandbox.account)
            return _code(lambda: client.put_object(Bucket=bucket, Key="a", Body=b"a"))

        assert put(plain) == "AccessDenied"
        assert put(full) == ""

    def test_a_request_may_say_that_it_came_by_plain_http(self, full: Sandbox) -> None:
        url, arn = full.queue("letters")
        only_tls = {"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": arn}
        only_tls["Condition"] = {"Bool": {"aws:SecureTransport": "false"}}  # type: ignore[assignment]
        full.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy(only_tls)})
        client = full.aws.role_client("sqs", full.role("writer", ANYTHING), account=full.account)
        assert _code(lambda: client.send_message(QueueUrl=url, MessageBody="a")) == ""
        client.meta.events.register("before-send", lambda request, **_: request.headers.update({"x-forwarded-proto": "http"}))
        assert _code(lambda: client.send_message(QueueUrl=url, MessageBody="a")) == "AccessDenied"

    def test_the_calls_of_a_function_are_recorded(self, plain: Sandbox, full: Sandbox) -> None:
        with pytest.raises(LocalAwsError):
            plain.control("/_local/calls")
        code = "import boto3\ndef handler(event, context):\n    boto3.client('sns').list_topics()\n"
        layer = REPOSITORY / ".venv/lib/python3.13/site-packages"
        full.function("caller", f"import sys; sys.path.append({str(layer)!r})\n{code}", Timeout=20)
        assert full.invoke("caller")["errorType"] == "AuthorizationErrorException"
        (call,) = full.control("/_local/calls", clear=True)["calls"]
        assert {name: call[name] for name in ("action", "role", "session", "status")} == {
            "action": "sns:ListTopics",
            "role": "caller-function",
            "session": "caller",
            "status": 403,
        }
        assert full.control("/_local/calls") == {"calls": []}


def _code(call: Any) -> str:
    try:
        call()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


class TestBucketOwner:
    def test_s3_refuses_a_bucket_of_another_owner_than_expected(self, plain: Sandbox, full: Sandbox) -> None:
        def refused(sandbox: Sandbox, owner: str) -> bool:
            try:
                sandbox.client("s3").get_bucket_location(Bucket="owned-by-" + sandbox.account, ExpectedBucketOwner=owner)
            except ClientError as error:
                return error.response["Error"]["Code"] == "AccessDenied"
            return False

        for sandbox in (plain, full):
            location = {"LocationConstraint": "eu-west-1"}
            sandbox.client("s3").create_bucket(Bucket="owned-by-" + sandbox.account, CreateBucketConfiguration=location)
        assert [refused(full, full.account), refused(full, "999999999999")] == [False, True]
        assert not refused(plain, "999999999999")


class TestPolicySimulation:
    @staticmethod
    def simulated(sandbox: Sandbox, iam: Any, prefix: str) -> list[str]:
        answer = iam.simulate_principal_policy(
            PolicySourceArn=f"arn:aws:iam::{sandbox.account}:role/reader",
            ActionNames=["s3:ListBucket", "s3:GetObject"],
            ResourceArns=["arn:aws:s3:::b"],
            ContextEntries=[{"ContextKeyName": "s3:prefix", "ContextKeyValues": [prefix], "ContextKeyType": "string"}],
        )
        return [result["EvalDecision"] for result in answer["EvaluationResults"]]

    @staticmethod
    def reader(sandbox: Sandbox) -> None:
        reports = {"StringLike": {"s3:prefix": "reports/*"}}
        listing = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::b", "Condition": reports}
        denied = {"Effect": "Deny", "Action": "s3:GetObject", "Resource": "*"}
        sandbox.role("reader", listing, denied)

    def test_a_simulation_knows_the_requests_context(self, plain: Sandbox, full: Sandbox) -> None:
        for sandbox in (plain, full):
            self.reader(sandbox)
        assert self.simulated(full, full.client("iam"), "reports/x/") == ["allowed", "explicitDeny"]
        assert self.simulated(full, full.client("iam"), "other/") == ["implicitDeny", "explicitDeny"]
        assert self.simulated(plain, plain.client("iam"), "reports/x/") == ["implicitDeny", "explicitDeny"]
        with pytest.raises(ClientError, match="NoSuchEntity"):
            full.client("iam").simulate_principal_policy(PolicySourceArn="arn:aws:iam::1:role/x", ActionNames=["s3:GetObject"])

    def test_a_simulation_returns_a_roles_part_of_another_accounts_key(self, full: Sandbox) -> None:
        role = full.role("reader", {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"})

        def simulated(account: str) -> dict[str, Any]:
            key = f"arn:aws:kms:eu-west-1:{account}:key/1"
            asked = {"PolicySourceArn": role, "ActionNames": ["kms:Decrypt"], "ResourceArns": [key]}
            (result,) = full.client("iam").simulate_principal_policy(**asked)["EvaluationResults"]
            return dict(result)

        own, external = simulated(full.account), simulated("999999999999")
        assert (own["EvalDecision"], own.get("EvalDecisionDetails")) == ("allowed", None)
        assert external["EvalDecision"] == "implicitDeny"
        assert external["EvalDecisionDetails"] == {"identity-based policy": "allowed", "resource-based policy": "implicitDeny"}

    def test_a_simulation_needs_the_permission_on_the_role(self, plain: Sandbox, full: Sandbox) -> None:
        def asks(sandbox: Sandbox, role: str) -> str:
            allowed = f"arn:aws:iam::{sandbox.account}:role/{role}"
            asking = sandbox.role(
                f"asker-of-{role}", {"Effect": "Allow", "Action": "iam:SimulatePrincipalPolicy", "Resource": allowed}
            )
            try:
                return self.simulated(sandbox, sandbox.aws.role_client("iam", asking, account=sandbox.account), "reports/x/")[0]
            except ClientError as error:
                return str(error.response["Error"]["Code"])

        for sandbox in (plain, full):
            self.reader(sandbox)
        assert [asks(full, "reader"), asks(full, "other")] == ["allowed", "AccessDenied"]
        assert asks(plain, "reader") == "AccessDenied"


class TestLambdaRuntime:
    def test_a_function_s_exception_keeps_its_class_name(self, plain: Sandbox, full: Sandbox) -> None:
        def error_type(sandbox: Sandbox) -> str:
            sandbox.function("fail", _FAIL)
            return str(sandbox.invoke("fail")["errorType"])

        assert error_type(plain) == "Runtime.HandlerError"
        assert error_type(full) == "ExportFailedError"

    def test_a_function_sees_only_its_layers_and_its_own_code(self, plain: Sandbox, full: Sandbox) -> None:
        code = (
            "import importlib.util\ndef handler(event, context):\n"
            "    return {name: bool(importlib.util.find_spec(name)) for name in ('ministack', 'shared', 'tests')}\n"
        )

        def seen(sandbox: Sandbox) -> Any:
            content = {"ZipFile": zipped({"python/shared.py": ""})}
            layer = sandbox.client("lambda").publish_layer_version(LayerName="shared", Content=content)
            sandbox.function("check", code, Layers=[layer["LayerVersionArn"]])
            return sandbox.invoke("check")

        assert seen(plain)["ministack"]
        assert seen(full) == {"ministack": False, "shared": True, "tests": False}

    def test_a_function_that_cannot_be_imported_says_so(self, plain: Sandbox, full: Sandbox) -> None:
        def error_type(sandbox: Sandbox) -> str:
            sandbox.function("broken", "import a_library_that_the_layer_forgot\n")
            return str(sandbox.invoke("broken")["errorType"])

        assert error_type(plain) != "Runtime.ImportModuleError"
        assert error_type(full) == "Runtime.ImportModuleError"

    def test_a_function_has_lambda_s_environment(self, plain: Sandbox, full: Sandbox) -> None:
        code = (
            "import logging, os\ndef handler(event, context):\n"
            "    logging.getLogger().info('checked')\n"
            "    return dict(os.environ)\n"
        )
        logging = {"LogFormat": "JSON", "ApplicationLogLevel": "INFO"}

        def environment(sandbox: Sandbox) -> Any:
            sandbox.function("check", code, LoggingConfig=logging, Environment={"Variables": {"TABLE": "runs"}})
            return sandbox.invoke("check")

        assert "HOME" in environment(plain)
        seen = environment(full)
        assert not {"HOME", "AUTH", "EMULATOR_PATCHES"} & seen.keys()
        assert seen["TABLE"] == "runs"
        assert seen["TZ"] == ":UTC"
        assert seen["AWS_LAMBDA_LOG_FORMAT"] == "JSON"
        assert seen["AWS_ENDPOINT_URL"] == full.aws.endpoint_url
        assert any('"message": "checked"' in line and json.loads(line)["level"] == "INFO" for line in full.log_lines("check"))

    def test_processes_of_functions_have_hash_seeds_and_modules_of_their_own(self, full: Sandbox) -> None:
        code = "import app\ndef handler(event, context): return [hash('one text'), getattr(app, 'kept', None)]\n"
        for name in ("one", "other"):
            full.function(name, code + f"kept = {name!r}\n")
        (one_hash, one), (other_hash, other) = full.invoke("one"), full.invoke("other")
        assert (one, other) == ("one", "other")
        assert one_hash != other_hash

    def test_a_function_that_is_timed_out_works_no_more(self, full: Sandbox, tmp_path: Path) -> None:
        written = tmp_path / "written"
        code = (
            "import time\ndef handler(event, context):\n"
            f"    while True:\n        open({str(written)!r}, 'a').write('.')\n        time.sleep(0.01)\n"
        )
        assert full.run(_task(full.function("slow", code, Timeout=1)))["error"] == "Sandbox.Timedout"
        size = written.stat().st_size
        time.sleep(0.1)
        assert 0 < size == written.stat().st_size

    def test_a_burst_of_invocations_shares_a_few_processes(self, tmp_path: Path) -> None:
        with LocalAws(tmp_path / "emulator.log", processes=2) as aws:
            answers = _burst(Sandbox(aws, str(next(_accounts))), size=6)
        assert len(set(answers)) == 2

    def test_a_process_that_is_not_used_ends_and_another_one_comes(self, tmp_path: Path) -> None:
        with LocalAws(tmp_path / "emulator.log", idle_seconds=1) as aws:
            sandbox = Sandbox(aws, str(next(_accounts)))
            sandbox.function("process", "import os\ndef handler(event, context): return os.getpid()\n")

            first = sandbox.invoke("process")
            assert sandbox.invoke("process") == first
            wait_until(lambda: not Path(f"/proc/{first}").exists() or None, "the process to end", 10)
            assert sandbox.invoke("process") != first

    def test_an_update_lets_an_invocation_in_progress_end_with_its_code(self, full: Sandbox, tmp_path: Path) -> None:
        begun, may_end = tmp_path / "begun", tmp_path / "may-end"
        code = (
            "import os, time\ndef handler(event, context):\n"
            f"    open({str(begun)!r}, 'w').close()\n"
            f"    while not os.path.exists({str(may_end)!r}): time.sleep(0.01)\n"
            "    return 'before'\n"
        )
        full.function("updated", code, Timeout=20)
        with ThreadPoolExecutor(1) as pool:
            in_progress = pool.submit(full.invoke, "updated")
            wait_until(lambda: begun.exists() or None, "the function to begin")
            after = zipped({"app.py": "def handler(event, context): return 'after'\n"})
            full.client("lambda").update_function_code(FunctionName="updated", ZipFile=after)
            full.client("lambda").update_function_configuration(FunctionName="updated", Timeout=10)
            assert full.invoke("updated") == "after"
            may_end.touch()
            assert in_progress.result() == "before"
        assert full.invoke("updated") == "after"

    def test_more_invocations_than_an_account_may_run_at_once_are_throttled(self, tmp_path: Path) -> None:
        with LocalAws(tmp_path / "emulator.log", concurrency=2) as aws:
            answers = _burst(Sandbox(aws, str(next(_accounts))), size=6)
        assert answers.count("TooManyRequestsException") == 4

    def test_a_function_that_takes_too_long_is_timed_out(self, full: Sandbox) -> None:
        function = full.function("slow", "import time\ndef handler(event, context): time.sleep(30)\n", Timeout=1)
        assert full.run(_task(function))["error"] == "Sandbox.Timedout"

    def test_a_function_that_exits_says_so(self, full: Sandbox) -> None:
        function = full.function("exit", "import os\ndef handler(event, context): os._exit(1)\n")
        assert full.run(_task(function))["error"] == "Runtime.ExitError"


class TestAsynchronousInvocation:
    def test_a_failing_event_target_is_retried_and_goes_to_the_dead_letter_queue(self, plain: Sandbox, full: Sandbox) -> None:
        def send(sandbox: Sandbox) -> str:
            url, arn = sandbox.queue("dead-letters")
            function = sandbox.function("fail", _FAIL, ANYTHING, DeadLetterConfig={"TargetArn": arn})
            events = sandbox.client("events")
            events.put_rule(Name="rule", EventPattern=json.dumps({"source": ["test"]}))
            events.put_targets(Rule="rule", Targets=[{"Id": "function", "Arn": function}])
            events.put_events(Entries=[{"Source": "test", "DetailType": "Test", "Detail": '{"n": 1}'}])
            return url

        plain_url, url = send(plain), send(full)
        (message,) = eventually(lambda: full.messages(url))
        assert json.loads(message["Body"])["detail"] == {"n": 1}
        assert message["MessageAttributes"]["ErrorMessage"]["StringValue"] == "taken"
        assert _starts(full, "fail") == 3
        assert _starts(plain, "fail") == 1
        assert plain.messages(plain_url) == []

    def test_a_failure_destination_needs_the_function_role_s_permission(
        self, plain: Sandbox, full: Sandbox, full_log: Path
    ) -> None:
        def send(sandbox: Sandbox) -> str:
            url, arn = sandbox.queue("failures")
            sandbox.function("fail", _FAIL)
            sandbox.client("lambda").put_function_event_invoke_config(
                FunctionName="fail", MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": arn}}
            )
            sandbox.client("lambda").invoke(FunctionName="fail", InvocationType="Event")
            return url

        plain_url, url = send(plain), send(full)
        assert eventually(lambda: plain.messages(plain_url))
        assert eventually(lambda: "the failed event of fail is lost" in full_log.read_text())
        assert full.messages(url) == []


def _starts(sandbox: Sandbox, function: str) -> int:
    return sum(line.startswith("START ") for line in sandbox.log_lines(function))


class TestMetrics:
    def test_embedded_metrics_reach_cloudwatch(self, plain: Sandbox, full: Sandbox) -> None:
        document = {
            "_aws": {
                "Timestamp": 1,
                "CloudWatchMetrics": [{"Namespace": "Exporter", "Dimensions": [["Report"]], "Metrics": [{"Name": "Findings"}]}],
            },
            "Report": "nightly",
            "Findings": [3, 4],
        }

        def metrics(sandbox: Sandbox) -> Any:
            sandbox.function("count", f"def handler(event, context): print({json.dumps(document)!r})\n")
            sandbox.invoke("count")
            return sandbox.client("cloudwatch").list_metrics(Namespace="Exporter")["Metrics"]

        assert metrics(plain) == []
        (metric,) = metrics(full)
        assert (metric["MetricName"], metric["Dimensions"]) == ("Findings", [{"Name": "Report", "Value": "nightly"}])

    def test_executions_are_counted(self, plain: Sandbox, full: Sandbox) -> None:
        def names(sandbox: Sandbox) -> set[str]:
            sandbox.run(_machine(End={"Type": "Succeed"}))
            metrics = sandbox.client("cloudwatch").list_metrics(Namespace="AWS/States")["Metrics"]
            return {metric["MetricName"] for metric in metrics}

        assert names(plain) == set()
        assert names(full) == {"ExecutionsStarted", "ExecutionsSucceeded"}


class TestStateMachineLanguage:
    def test_succeed_has_an_output(self, plain: Sandbox, full: Sandbox) -> None:
        machine = _machine(End={"Type": "Succeed", "Output": {"sum": "{% 1 + 1 %}"}})
        assert plain.run(machine)["output"] == "{}"
        assert json.loads(full.run(machine)["output"]) == {"sum": 2}

    def test_assign_sees_the_values_of_before(self, plain: Sandbox, full: Sandbox) -> None:
        machine = _machine(
            First={"Type": "Pass", "Assign": {"a": 1, "b": 2}, "Next": "Swap"},
            Swap={"Type": "Pass", "Assign": {"a": "{% $b %}", "b": "{% $a %}"}, "Next": "End"},
            End={"Type": "Pass", "Output": "{% [$a, $b] %}", "End": True},
        )
        assert plain.run(machine)["output"] == "[2, 2]"
        assert full.run(machine)["output"] == "[2, 1]"

    def test_a_condition_must_be_a_boolean(self, plain: Sandbox, full: Sandbox) -> None:
        machine = _machine(
            Ready={"Type": "Choice", "Choices": [{"Condition": "{% 'no' %}", "Next": "End"}], "Default": "End"},
            End={"Type": "Succeed"},
        )
        assert plain.run(machine)["status"] == "SUCCEEDED"
        assert full.run(machine)["error"] == "States.QueryEvaluationError"

    def test_an_undefined_variable_fails_the_evaluation(self, full: Sandbox) -> None:
        ended = full.run(_machine(End={"Type": "Pass", "Output": "{% $never_assigned %}", "End": True}))
        assert ended["error"] == "States.QueryEvaluationError"

    def test_a_null_variable_stays_null(self, full: Sandbox) -> None:
        machine = _machine(
            First={"Type": "Pass", "Assign": {"a": None, "b": {"c": None}}, "Next": "End"},
            End={"Type": "Pass", "Output": {"a": "{% $a %}", "c": "{% $b.c %}", "is": "{% $a = null %}"}, "End": True},
        )
        assert json.loads(full.run(machine)["output"]) == {"a": None, "c": None, "is": True}

    def test_a_wait_takes_its_seconds_from_an_expression(self, full: Sandbox) -> None:
        machine = _machine(
            First={"Type": "Pass", "Assign": {"seconds": 20}, "Next": "Wait"},
            Wait={"Type": "Wait", "Seconds": "{% $seconds * 2 %}", "Next": "End"},
            End={"Type": "Succeed"},
        )
        started = time.monotonic()
        assert full.run(machine)["status"] == "SUCCEEDED"
        assert time.monotonic() - started > 40 * 0.01

    def test_a_throttled_function_has_its_own_error(self, plain: Sandbox, full: Sandbox) -> None:
        def error(sandbox: Sandbox) -> str:
            function = sandbox.function("work", _RETURN)
            sandbox.client("lambda").put_function_concurrency(FunctionName="work", ReservedConcurrentExecutions=0)
            return str(sandbox.run(_task(function))["error"])

        assert error(plain) == "Lambda.Unknown"
        assert error(full) == "Lambda.TooManyRequestsException"

    @pytest.mark.parametrize(
        ("strategy", "tries"), [({"MaxDelaySeconds": 1}, 1), ({"JitterStrategy": "FULL"}, 5)], ids=["longest delay", "jitter"]
    )
    def test_a_retry_waits_no_longer_than_its_strategy_says(
        self, strategy: dict[str, Any], tries: int, plain: Sandbox, full: Sandbox
    ) -> None:
        def shortest_pause(sandbox: Sandbox) -> float:
            retrier = {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 60, "BackoffRate": 1, "MaxAttempts": tries, **strategy}
            arn = sandbox.start(_task(sandbox.function("fail", _FAIL), Retry=[retrier]))
            eventually(lambda: sandbox.execution(arn)["status"] != "RUNNING", seconds=60)
            history = sandbox.client("stepfunctions").get_execution_history(executionArn=arn)["events"]
            failed = [event["timestamp"] for event in history if event["type"] == "TaskFailed"]
            again = [event["timestamp"] for event in history if event["type"] == "TaskScheduled"][1:]
            return float(min((later - earlier).total_seconds() for earlier, later in zip(failed, again, strict=False)))

        assert shortest_pause(plain) >= 0.6
        assert shortest_pause(full) < 0.5

    def test_a_task_has_the_events_that_aws_counts(self, plain: Sandbox, full: Sandbox) -> None:
        def kinds(sandbox: Sandbox) -> list[str]:
            ended = sandbox.run(_task(sandbox.function("work", _RETURN)))
            history = sandbox.client("stepfunctions").get_execution_history(executionArn=ended["executionArn"])
            return [event["type"] for event in history["events"] if event["type"].startswith("Task")]

        assert kinds(plain) == ["TaskStateEntered", "TaskScheduled", "TaskSucceeded", "TaskStateExited"]
        assert kinds(full) == ["TaskStateEntered", "TaskScheduled", "TaskStarted", "TaskSucceeded", "TaskStateExited"]

    def test_retries_and_catches_go_by_the_error_s_class_name(self, full: Sandbox) -> None:
        function = full.function("fail", _FAIL)
        caught = {"ErrorEquals": ["ExportFailedError"], "Next": "End", "Output": "{% $states.errorOutput %}"}
        retried = {"ErrorEquals": ["ExportFailedError"], "MaxAttempts": 1, "IntervalSeconds": 1}
        ended = full.run(
            {
                "StartAt": "Work",
                "States": {
                    "Work": {
                        "Type": "Task",
                        "Resource": function,
                        "Retry": [retried],
                        "Catch": [caught],
                        "End": True,
                    },
                    "End": {"Type": "Succeed"},
                },
            }
        )
        output = json.loads(ended["output"])
        assert output["Error"] == "ExportFailedError"
        assert json.loads(output["Cause"])["errorMessage"] == "taken"
        assert _starts(full, "fail") == 2

    def test_a_task_that_takes_too_long_is_timed_out(self, full: Sandbox) -> None:
        function = full.function("slow", "import time\ndef handler(event, context): time.sleep(2)\n", Timeout=5)
        assert full.run(_task(function, TimeoutSeconds=1))["error"] == "States.Timeout"

    def test_an_execution_times_out(self, plain: Sandbox, full: Sandbox) -> None:
        machine = {"TimeoutSeconds": 1, **_machine(Wait={"Type": "Wait", "Seconds": 1000, "End": True})}
        plain_arn = plain.start(machine)
        url = _watch_executions(full)
        ended = full.run(machine)
        assert ended["status"] == "TIMED_OUT"
        assert plain.execution(plain_arn)["status"] == "RUNNING"
        events = full.client("stepfunctions").get_execution_history(executionArn=ended["executionArn"])["events"]
        assert events[-1]["type"] == "ExecutionTimedOut"
        (event,) = [event for event in _status_events(full, url) if event["status"] == "TIMED_OUT"]
        assert event["executionArn"] == ended["executionArn"]
        assert event["stopDate"] > event["startDate"] > 1_600_000_000_000

    def test_an_execution_can_be_timed_out_at_once(self, full: Sandbox) -> None:
        arn = full.start(_machine(Wait={"Type": "Wait", "Seconds": 1000, "End": True}))
        assert full.control("/_local/executions/time_out", executionArn=arn) == {"status": "TIMED_OUT"}
        assert full.execution(arn)["status"] == "TIMED_OUT"

    def test_a_stopped_execution_stays_stopped(self, plain: Sandbox, full: Sandbox) -> None:
        slow = "import time\ndef handler(event, context):\n    time.sleep(1)\n    raise ValueError\n"

        def stop(sandbox: Sandbox) -> str:
            function = sandbox.function("slow", slow, Timeout=5)
            arn = sandbox.start(_task(function))
            eventually(lambda: "TaskScheduled" in _history(sandbox, arn))
            sandbox.client("stepfunctions").stop_execution(executionArn=arn, error="Stopped", cause="by hand")
            return arn

        url = _watch_executions(full)
        plain_arn, arn = stop(plain), stop(full)
        assert eventually(lambda: plain.execution(plain_arn)["status"] == "FAILED")
        eventually(lambda: any(line.startswith("END ") for line in full.log_lines("slow")))
        assert full.execution(arn)["status"] == "ABORTED"
        assert _history(full, arn)[-1] == "ExecutionAborted"
        assert [event["status"] for event in _status_events(full, url)] == ["RUNNING", "ABORTED"]


def _history(sandbox: Sandbox, arn: str) -> list[str]:
    events = sandbox.client("stepfunctions").get_execution_history(executionArn=arn)["events"]
    return [event["type"] for event in events]


_TIMED = """
import time
class RefusedError(Exception): pass
def handler(event, context):
    began = time.time()
    time.sleep(event.get("seconds", 0))
    if event.get("refused"): raise RefusedError(event)
    return {"began": began, "ended": time.time(), "outer": event.get("outer")}
"""


def _map(function: str, items: list[Any], **more: Any) -> dict[str, Any]:
    """A Map with one task, whose items say how long their function works and whether it fails."""
    task = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Next": "Finished?"}
    payload = "{% $merge([$states.input, {'outer': $outer}]) %}"
    states = {
        "Work": {**task, "Arguments": {"FunctionName": function, "Payload": payload}, "Output": "{% $states.result.Payload %}"},
        "Finished?": {
            "Type": "Choice",
            "Choices": [{"Condition": "{% $states.input.ended > 0 %}", "Next": "Finished"}],
            "Default": "Not Finished",
        },
        "Finished": {"Type": "Succeed"},
        "Not Finished": {"Type": "Fail", "Error": "NotFinished"},
    }
    processor = {"ProcessorConfig": {"Mode": "INLINE"}, "StartAt": "Work", "States": states}
    each = {"Type": "Map", "Items": items, "ItemProcessor": processor, "End": True, **more}
    return _machine(Prepare={"Type": "Pass", "Assign": {"outer": 7}, "Next": "Each"}, Each=each)


def _most_at_once(results: list[dict[str, float]]) -> int:
    moments = sorted([(each["began"], 1) for each in results] + [(each["ended"], -1) for each in results])
    return max(itertools.accumulate(step for _, step in moments))


class TestMapStates:
    ITERATION = (
        "MapIterationStarted", "TaskStateEntered", "TaskScheduled", "TaskStarted", "TaskSucceeded", "TaskStateExited",
        "ChoiceStateEntered", "ChoiceStateExited", "SucceedStateEntered", "SucceedStateExited", "MapIterationSucceeded",
    )  # fmt: skip

    def test_a_map_has_the_events_that_aws_counts(self, plain: Sandbox, full: Sandbox) -> None:
        def kinds(sandbox: Sandbox) -> list[str]:
            ended = sandbox.run(_map(sandbox.function("work", _TIMED), [{}, {}], MaxConcurrency=1))
            assert [each["outer"] for each in json.loads(ended["output"])] == [7, 7]
            return _history(sandbox, ended["executionArn"])[4:]  # those before are the execution's and Prepare's

        assert not set(kinds(plain)) & {"MapIterationStarted", "TaskStateEntered"}
        expected = ["MapStateStarted", *self.ITERATION, *self.ITERATION, "MapStateSucceeded", "MapStateExited"]
        assert kinds(full) == [*expected, "ExecutionSucceeded"]

    def test_the_first_error_ends_a_map_and_aborts_its_other_iterations(self, plain: Sandbox, full: Sandbox) -> None:
        caught = {"ErrorEquals": ["States.ALL"], "Next": "Caught", "Output": "{% $states.errorOutput.Error %}"}

        def run(sandbox: Sandbox) -> tuple[float, str, list[str]]:
            items = [{"seconds": 3}, {"refused": True}, {"seconds": 3}]
            machine = _map(sandbox.function("work", _TIMED, Timeout=20), items, MaxConcurrency=2, Catch=[caught])
            machine["States"]["Caught"] = {"Type": "Succeed"}
            began = time.monotonic()
            ended = sandbox.run(machine)
            return time.monotonic() - began, json.loads(ended["output"]), _history(sandbox, ended["executionArn"])

        assert run(plain)[0] > 3
        seconds, error, kinds = run(full)
        assert (seconds < 2.5, error) == (True, "RefusedError")
        assert kinds[-4:] == ["MapStateExited", "SucceedStateEntered", "SucceedStateExited", "ExecutionSucceeded"]
        assert kinds.count("MapIterationStarted") == kinds.count("TaskScheduled") == 2
        assert kinds.count("MapIterationFailed") == kinds.count("MapStateFailed") == 1

    def test_an_iteration_may_fail_by_a_state_of_its_own(self, full: Sandbox) -> None:
        code = "def handler(event, context): return {'ended': 0}\n"
        ended = full.run(_map(full.function("work", code), [{}]))
        assert (ended["status"], ended["error"]) == ("FAILED", "NotFinished")
        assert _history(full, ended["executionArn"])[-4:] == [
            "FailStateEntered", "MapIterationFailed", "MapStateFailed", "ExecutionFailed",
        ]  # fmt: skip

    def test_a_map_runs_no_more_iterations_at_once_than_it_says(self, full: Sandbox) -> None:
        items = [{"seconds": 0.3}] * 5
        ended = full.run(_map(full.function("work", _TIMED), items, MaxConcurrency=2))
        assert _most_at_once(json.loads(ended["output"])) == 2

    def test_an_inline_map_runs_forty_iterations_at_once_at_most(self, full: Sandbox) -> None:
        wait = {"Type": "Wait", "Seconds": 100, "Next": "Finished"}  # one second here
        machine = _map("none", [{}] * 41)
        processor = machine["States"]["Each"]["ItemProcessor"]
        processor |= {"StartAt": "Wait", "States": {"Wait": wait, "Finished": {"Type": "Succeed"}}}
        kinds = _history(full, full.run(machine)["executionArn"])
        assert kinds[: kinds.index("MapIterationSucceeded")].count("MapIterationStarted") == 40

    def test_a_stop_ends_an_execution_in_the_midst_of_its_map(self, full: Sandbox) -> None:
        arn = full.start(_map(full.function("work", _TIMED), [{"seconds": 1}] * 4, MaxConcurrency=2))
        eventually(lambda: _history(full, arn).count("TaskScheduled") == 2)
        full.client("stepfunctions").stop_execution(executionArn=arn)
        eventually(lambda: sum(line.startswith("END ") for line in full.log_lines("work")) == 2)
        time.sleep(0.3)
        assert full.execution(arn)["status"] == "ABORTED"
        assert _history(full, arn)[-1] == "ExecutionAborted"
        assert _starts(full, "work") == 2


class TestStateMachineRole:
    def test_a_state_machine_may_do_only_what_its_role_allows(self, plain: Sandbox, full: Sandbox) -> None:
        def run(sandbox: Sandbox) -> Any:
            function = sandbox.function("work", _RETURN)
            other = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": f"{function}-other"}
            return sandbox.run(_task(function), other)

        assert run(plain)["status"] == "SUCCEEDED"
        ended = run(full)
        assert ended["error"] == "Lambda.AWSLambdaException"
        assert "is not authorized to perform: lambda:InvokeFunction on resource:" in ended["cause"]


class TestNotifications:
    def test_published_messages_can_be_read_by_protocol(self, full: Sandbox) -> None:
        topic = full.client("sns").create_topic(Name="runs")["TopicArn"]
        url, arn = full.queue("subscriber")
        full.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
        bodies = {"default": "{}", "email": "Good morning"}
        full.client("sns").publish(TopicArn=topic, Subject="Done", Message=json.dumps(bodies), MessageStructure="json")
        (published,) = full.control("/_local/sns/published", clear=True)["messages"]
        assert (published["topic_arn"], published["subject"], published["bodies"]) == (topic, "Done", bodies)
        assert published["principal"] == f"arn:aws:iam::{full.account}:root"
        assert [message["Body"] for message in full.messages(url)] == ["{}"]
        assert full.control("/_local/sns/published") == {"messages": []}

    @pytest.mark.parametrize("policy", [{"outcome": [{"exists": False}]}, {"outcome": [{"anything-but": ["SUCCEEDED"]}]}])
    def test_no_filter_policy_matches_a_message_without_attributes(self, full: Sandbox, policy: dict[str, Any]) -> None:
        # As SNS' guide says of {"exists": false}: at least one attribute must be there.
        sns = full.client("sns")
        topic = sns.create_topic(Name="filtered")["TopicArn"]
        url, arn = full.queue("filtered")
        options = {"RawMessageDelivery": "true", "FilterPolicy": json.dumps(policy)}
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=options)
        sns.publish(TopicArn=topic, Message="alarm")
        region = {"region": {"DataType": "String", "StringValue": "eu-central-1"}}
        sns.publish(TopicArn=topic, Message="setup check", MessageAttributes=region)
        expected = ["setup check"] if {"exists": False} in policy["outcome"] else []
        assert [message["Body"] for message in full.messages(url)] == expected

    @pytest.mark.parametrize(
        "message",
        [
            {"Message": "text", "Subject": "two\nlines"},
            {"Message": "text", "Subject": "s" * 101},
            {"Message": "{}", "MessageStructure": "json"},
            {"Message": "not JSON", "MessageStructure": "json"},
        ],
    )
    def test_sns_refuses_bad_subjects_and_structures(self, plain: Sandbox, full: Sandbox, message: dict[str, str]) -> None:
        def publish(sandbox: Sandbox) -> str:
            sns = sandbox.client("sns")
            topic = sns.create_topic(Name="runs")["TopicArn"]
            return _code(lambda: sns.publish(TopicArn=topic, **message))

        assert publish(plain) == ""
        assert publish(full) == "InvalidParameter"


_numbers = itertools.count()
_REMOVE = {"UpdateExpression": "REMOVE x"}


def _item(pk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": "1"}}


def _of(pk: str) -> dict[str, Any]:
    return {
        "KeyConditionExpression": "#key = :key AND sk > :after",
        "ExpressionAttributeNames": {"#key": "pk"},
        "ExpressionAttributeValues": {":key": {"S": pk}, ":after": {"S": "0"}},
    }


def _schedule(sandbox: Sandbox, name: str, expression: str, target: str, **more: Any) -> None:
    zone = more.pop("zone", "UTC")
    target_options = {"Arn": target, "RoleArn": more.pop("role", None) or _scheduler_role(sandbox, name), **more}
    sandbox.client("scheduler").create_schedule(
        Name=name,
        ScheduleExpression=expression,
        ScheduleExpressionTimezone=zone,
        FlexibleTimeWindow={"Mode": "OFF"},
        Target=target_options,
    )


def _scheduler_role(sandbox: Sandbox, name: str) -> str:
    return sandbox.role(f"{name}-schedule", ANYTHING, service="scheduler.amazonaws.com")


class TestScheduler:
    def test_plain_schedules_know_no_zone_no_context_and_no_role(self, plain: Sandbox) -> None:
        url, arn = plain.queue("target")
        an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
        powerless = plain.role("powerless", service="scheduler.amazonaws.com")
        text = "<aws.scheduler.scheduled-time>"
        expression = f"at({an_hour_ago:%Y-%m-%dT%H:%M:%S})"
        # In that zone this moment lies ten hours ahead.
        _schedule(plain, "early", expression, arn, zone="Pacific/Pago_Pago", role=powerless, Input=text)
        (message,) = eventually(lambda: plain.messages(url))
        assert message["Body"] == text

    @pytest.mark.parametrize(
        ("expression", "now", "expected"),
        [
            ("at(2030-07-01T02:00:00)", "2030-07-01T00:00:00Z", "2030-07-01T00:00:00Z"),
            ("at(2030-07-01T02:00:00)", "2030-06-30T23:59:59Z", None),
            ("cron(0 2 1 1 ? 2030)", "2030-01-02T00:00:00Z", "2030-01-01T01:00:00Z"),
            ("cron(0 2 1 7 ? 2030)", "2030-07-02T00:00:00Z", "2030-07-01T00:00:00Z"),
            # The day on which Berlin's clocks skip from two to three.
            ("cron(30 2 31 3 ? 2030)", "2031-01-01T00:00:00Z", None),
        ],
    )
    def test_a_schedule_fires_in_its_time_zone(self, full: Sandbox, expression: str, now: str, expected: str | None) -> None:
        url, arn = full.queue("target")
        _schedule(full, "nightly", expression, arn, zone="Europe/Berlin", Input="<aws.scheduler.scheduled-time>")
        full.control("/_local/scheduler/tick", now=now)
        full.control("/_local/scheduler/tick", now=now)
        assert [message["Body"] for message in full.messages(url)] == ([expected] if expected else [])

    def test_a_schedule_passes_its_context(self, full: Sandbox) -> None:
        url, arn = full.queue("target")
        names = ("schedule-arn", "scheduled-time", "execution-id", "attempt-number")
        _schedule(full, "soon", "rate(1 hour)", arn, Input=json.dumps({n: f"<aws.scheduler.{n}>" for n in names}))
        (message,) = eventually(lambda: full.messages(url))
        context = json.loads(message["Body"])
        assert context["schedule-arn"] == f"arn:aws:scheduler:eu-west-1:{full.account}:schedule/default/soon"
        assert context["attempt-number"] == "1"
        # A rate without a start date begins at once.
        due = datetime.fromisoformat(context["scheduled-time"])
        assert abs(due - datetime.now(UTC)) < timedelta(seconds=10)
        full.control("/_local/scheduler/tick", now=(due + timedelta(minutes=61)).isoformat())
        (message,) = full.messages(url)
        assert datetime.fromisoformat(json.loads(message["Body"])["scheduled-time"]) - due == timedelta(hours=1)

    def test_a_bad_expression_does_not_stop_other_schedules(self, full: Sandbox) -> None:
        url, arn = full.queue("target")
        _schedule(full, "bad", "cron(0 25 * * ? *)", arn)
        _schedule(full, "good", "at(2026-01-01T00:00:00)", arn, Input="good")
        assert [message["Body"] for message in eventually(lambda: full.messages(url))] == ["good"]

    def test_a_schedule_without_permission_goes_to_its_dead_letter_queue(self, full: Sandbox) -> None:
        _, arn = full.queue("target")
        url, dead_letters = full.queue("dead-letters")
        only_dead_letters = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": dead_letters}
        role = full.role("narrow", only_dead_letters, service="scheduler.amazonaws.com")
        _schedule(
            full,
            "denied",
            "at(2026-01-01T00:00:00)",
            arn,
            role=role,
            Input="lost",
            DeadLetterConfig={"Arn": dead_letters},
        )
        (message,) = eventually(lambda: full.messages(url))
        assert message["Body"] == "lost"
        assert message["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "AccessDeniedException"

    def test_a_schedule_needs_a_role_that_trusts_it(self, full: Sandbox, full_log: Path) -> None:
        _, arn = full.queue("target")
        role = full.role("strange", ANYTHING, service="states.amazonaws.com")
        _schedule(full, "untrusted", "at(2026-01-01T00:00:00)", arn, role=role)
        assert eventually(lambda: f"{role} must allow scheduler.amazonaws.com" in full_log.read_text())


def _ask(sandbox: Sandbox, sql: str) -> Any:
    """Run a query and return how it ended, with its rows."""
    athena = sandbox.client("athena")
    asked = athena.start_query_execution(QueryString=sql, ResultConfiguration={"OutputLocation": f"s3://data-{sandbox.account}/"})
    query = {"QueryExecutionId": asked["QueryExecutionId"]}

    def ended() -> Any:
        status = athena.get_query_execution(**query)["QueryExecution"]["Status"]
        return status["State"] in ("SUCCEEDED", "FAILED") and status["State"]

    if eventually(ended) == "FAILED":
        return "FAILED"
    rows = athena.get_query_results(**query)["ResultSet"]["Rows"]
    return [[value.get("VarCharValue") for value in row["Data"]] for row in rows[1:]]


class TestAthena:
    def test_a_stack_has_named_queries(self, plain: Sandbox, full: Sandbox) -> None:
        properties = {"Name": "all", "Database": "d", "QueryString": "SELECT 1"}
        query = {"Query": {"Type": "AWS::Athena::NamedQuery", "Properties": properties}}
        with pytest.raises(Exception, match=r"AWS::Athena::NamedQuery|ROLLBACK|FAILED"):
            plain.stack(query)
        query_id = full.stack(query)["Query"]
        stored = full.client("athena").get_named_query(NamedQueryId=query_id)["NamedQuery"]
        assert {name: stored[name] for name in properties} == properties

    def test_a_table_of_parquet_has_its_own_types(self, plain: Sandbox, full: Sandbox) -> None:
        file = io.BytesIO()
        started = datetime(2026, 11, 25, 3, tzinfo=UTC)
        parquet.write([{name: [None] for name in NAMES}], file, started)

        def answer(sandbox: Sandbox) -> Any:
            bucket = f"data-{sandbox.account}"
            s3, glue = sandbox.client("s3"), sandbox.client("glue")
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
            s3.put_object(Bucket=bucket, Key="table/a.parquet", Body=file.getvalue())
            columns = [{"Name": "run_started_at", "Type": "timestamp"}]
            storage = {"Location": f"s3://{bucket}/table/", "Columns": columns}
            table = {"Name": "t", "StorageDescriptor": storage, "Parameters": {"classification": "parquet"}}
            glue.create_database(DatabaseInput={"Name": "d"})
            glue.create_table(DatabaseName="d", TableInput=table)
            return _ask(sandbox, "SELECT run_started_at FROM d.t")

        assert answer(plain) == "FAILED"
        assert answer(full) == [["2026-11-25 03:00:00"]]


class TestSavedQueries:
    def test_a_stack_may_have_saved_queries(self, plain: Sandbox, full: Sandbox) -> None:
        properties = {"Name": "errors", "QueryString": "fields @message"}
        query = {"Query": {"Type": "AWS::Logs::QueryDefinition", "Properties": properties}}
        with pytest.raises(Exception, match=r"AWS::Logs::QueryDefinition|ROLLBACK|FAILED"):
            plain.stack(query)
        assert full.stack(query)["Query"].endswith("/errors")


class TestCloudFormation:
    def test_a_condition_knows_the_region(self, plain: Sandbox, full: Sandbox) -> None:
        template = {
            "Conditions": {"Here": {"Fn::Equals": [{"Ref": "AWS::Region"}, "eu-west-1"]}},
            "Resources": {"Here": {"Type": "AWS::SQS::Queue", "Condition": "Here"}, "Always": {"Type": "AWS::SQS::Queue"}},
        }

        def created(sandbox: Sandbox) -> list[str]:
            formation = sandbox.client("cloudformation")
            formation.create_stack(StackName="placed", TemplateBody=json.dumps(template))
            eventually(lambda: formation.describe_stacks(StackName="placed")["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE")
            listed = formation.describe_stack_resources(StackName="placed")["StackResources"]
            return sorted(each["LogicalResourceId"] for each in listed)

        assert created(plain) == ["Always"]
        assert created(full) == ["Always", "Here"]

    def test_a_stack_s_bucket_keeps_its_encryption_and_lifecycle(self, plain: Sandbox, full: Sandbox) -> None:
        def configured(sandbox: Sandbox) -> list[str]:
            encryption = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/key"}
            rule = {"Id": "old", "Status": "Enabled", "Prefix": "reports/", "ExpirationInDays": 30}
            names = sandbox.stack(
                {
                    "Bucket": {
                        "Type": "AWS::S3::Bucket",
                        "Properties": {
                            "BucketEncryption": {
                                "ServerSideEncryptionConfiguration": [
                                    {"ServerSideEncryptionByDefault": encryption, "BucketKeyEnabled": True}
                                ]
                            },
                            "LifecycleConfiguration": {"Rules": [rule]},
                        },
                    }
                }
            )
            s3 = sandbox.client("s3")
            found = []
            if not _code(lambda: s3.get_bucket_encryption(Bucket=names["Bucket"])):
                stored = s3.get_bucket_encryption(Bucket=names["Bucket"])["ServerSideEncryptionConfiguration"]
                found.append(stored["Rules"][0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"])
            if not _code(lambda: s3.get_bucket_lifecycle_configuration(Bucket=names["Bucket"])):
                (stored,) = s3.get_bucket_lifecycle_configuration(Bucket=names["Bucket"])["Rules"]
                found.append(f"{stored['Filter']['Prefix']} {stored['Expiration']['Days']}")
            return found

        assert "aws:kms" not in configured(plain)
        assert configured(full) == ["aws:kms", "reports/ 30"]

    def test_a_stack_s_topic_keeps_its_key(self, plain: Sandbox, full: Sandbox) -> None:
        def key(sandbox: Sandbox) -> Any:
            properties = {"KmsMasterKeyId": "alias/key"}
            topic = sandbox.stack({"Topic": {"Type": "AWS::SNS::Topic", "Properties": properties}})["Topic"]
            return sandbox.client("sns").get_topic_attributes(TopicArn=topic)["Attributes"].get("KmsMasterKeyId")

        assert key(plain) is None
        assert key(full) == "alias/key"

    def test_a_tables_own_policy_is_enforced(self, plain: Sandbox, full: Sandbox) -> None:
        def written(sandbox: Sandbox) -> str:
            denied = {"Effect": "Deny", "Principal": "*", "Action": "dynamodb:PutItem", "Resource": "*"}
            properties = {
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
                "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
                "BillingMode": "PAY_PER_REQUEST",
                "ResourcePolicy": {"PolicyDocument": {"Version": "2012-10-17", "Statement": [denied]}},
            }
            table = sandbox.stack({"Table": {"Type": "AWS::DynamoDB::Table", "Properties": properties}})["Table"]
            client = sandbox.aws.role_client("dynamodb", sandbox.role("writer", ANYTHING), account=sandbox.account)
            return _code(lambda: client.put_item(TableName=table, Item={"pk": {"S": "a"}}))

        assert written(plain) == ""
        assert written(full) == "AccessDeniedException"

    @pytest.mark.parametrize(
        ("request_", "allowed"),
        [
            (lambda client, table: client.get_item(TableName=table, Key=_item("MINE#1")), True),
            (lambda client, table: client.get_item(TableName=table, Key=_item("OTHER#1")), False),
            (lambda client, table: client.put_item(TableName=table, Item=_item("MINE#1")), True),
            (lambda client, table: client.put_item(TableName=table, Item=_item("OTHER#1")), False),
            (lambda client, table: client.delete_item(TableName=table, Key=_item("OTHER#1")), False),
            (lambda client, table: client.update_item(TableName=table, Key=_item("MINE#1"), **_REMOVE), True),
            (lambda client, table: client.update_item(TableName=table, Key=_item("OTHER#1"), **_REMOVE), False),
            (lambda client, table: client.query(TableName=table, **_of("MINE#1")), True),
            (lambda client, table: client.query(TableName=table, **_of("OTHER#1")), False),
            (lambda client, table: client.scan(TableName=table), False),
        ],
    )
    def test_a_requests_leading_key_is_known(self, plain: Sandbox, full: Sandbox, request_: Any, allowed: bool) -> None:
        def code(sandbox: Sandbox) -> str:
            name = f"leading{next(_numbers)}"
            keys = {"KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
                    "AttributeDefinitions": [{"AttributeName": each, "AttributeType": "S"} for each in ("pk", "sk")]}  # fmt: skip
            sandbox.client("dynamodb").create_table(TableName=name, BillingMode="PAY_PER_REQUEST", **keys)
            conditions = {
                "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["MINE#*"]},
                "Null": {"dynamodb:LeadingKeys": "false"},
            }
            statement = {"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*", "Condition": conditions}
            client = sandbox.aws.role_client("dynamodb", sandbox.role(f"keeper{name}", statement), account=sandbox.account)
            return _code(lambda: request_(client, name))

        assert code(plain) == "AccessDeniedException"  # whatever the key is
        assert code(full) == ("" if allowed else "AccessDeniedException")

    def test_a_resources_policy_is_asked_for_a_service(self, full: Sandbox) -> None:
        url, arn = full.queue("letters")
        let_in = {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
        }
        let_in["Condition"] = {"StringEquals": {"aws:SourceAccount": full.account}}
        full.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy(let_in)})

        def decision(service: str, source_account: str) -> str:
            asked = {"service": service, "action": "sqs:SendMessage", "resource": arn, "source_account": source_account}
            return str(full.control("/_local/authorization/service", **asked)["decision"])

        assert decision("events.amazonaws.com", full.account) == "Allow"
        assert decision("events.amazonaws.com", "999999999999") == "ImplicitDeny"
        assert decision("config.amazonaws.com", full.account) == "ImplicitDeny"

    def test_a_stack_s_schedule_keeps_its_time_zone(self, plain: Sandbox, full: Sandbox) -> None:
        def zone(sandbox: Sandbox) -> Any:
            properties = {
                "ScheduleExpression": "cron(0 2 * * ? *)",
                "ScheduleExpressionTimezone": "Europe/Berlin",
                "FlexibleTimeWindow": {"Mode": "OFF"},
                "Target": {"Arn": "arn:aws:sqs:eu-west-1:1:a", "RoleArn": "arn:aws:iam::1:role/a"},
            }
            name = sandbox.stack({"Schedule": {"Type": "AWS::Scheduler::Schedule", "Properties": properties}})
            return sandbox.client("scheduler").get_schedule(Name=name["Schedule"])["ScheduleExpressionTimezone"]

        assert zone(plain) == "UTC"
        assert zone(full) == "Europe/Berlin"

    def test_a_stack_s_function_keeps_its_dead_letter_queue(self, plain: Sandbox, full: Sandbox) -> None:
        def queue(sandbox: Sandbox) -> Any:
            role = sandbox.role("function")
            target = f"arn:aws:sqs:eu-west-1:{sandbox.account}:dead-letters"
            properties = {
                "Runtime": "python3.13",
                "Handler": "index.handler",
                "Role": role,
                "Code": {"ZipFile": _RETURN},
                "DeadLetterConfig": {"TargetArn": target},
            }
            name = sandbox.stack({"Function": {"Type": "AWS::Lambda::Function", "Properties": properties}})["Function"]
            configuration = sandbox.client("lambda").get_function_configuration(FunctionName=name)
            return configuration.get("DeadLetterConfig", {}).get("TargetArn", "").rsplit(":", 1)[-1]

        assert queue(plain) == ""
        assert queue(full) == "dead-letters"


def test_a_whole_stack_works_together(full: Sandbox) -> None:
    """Schedule to state machine to function with a layer, and a rule on the execution's end to a second function."""
    s3 = full.client("s3")
    s3.create_bucket(Bucket=f"code-{full.account}", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    packages = {
        "layer.zip": {"python/shared.py": "def greet(name): return f'hello {name}'\n"},
        "work.zip": {"app.py": "import shared\ndef handler(event, context): return shared.greet(event['name'])\n"},
        "clean_up.zip": {"app.py": "def handler(event, context): print('cleaned', event['detail']['status'])\n"},
    }
    for name, files in packages.items():
        s3.put_object(Bucket=f"code-{full.account}", Key=name, Body=zipped(files))

    def role(service: str, *actions: str) -> dict[str, Any]:
        allow = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        policies = [{"PolicyName": "rights", "PolicyDocument": {"Version": "2012-10-17", "Statement": [allow]}}]
        return {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
                "Policies": policies if actions else [],
            },
        }

    def function(key: str, **more: Any) -> dict[str, Any]:
        return {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Runtime": "python3.13",
                "Handler": "app.handler",
                "Role": {"Fn::GetAtt": ["FunctionRole", "Arn"]},
                "Code": {"S3Bucket": f"code-{full.account}", "S3Key": key},
                **more,
            },
        }

    definition = {
        "QueryLanguage": "JSONata",
        **_task("${Work}", Arguments={"name": "{% $states.input.name %}"}, Output={"said": "{% $states.result %}"}),
    }
    names = full.stack(
        {
            "FunctionRole": role("lambda.amazonaws.com"),
            "MachineRole": role("states.amazonaws.com", "lambda:InvokeFunction"),
            "ScheduleRole": role("scheduler.amazonaws.com", "states:StartExecution"),
            "Layer": {
                "Type": "AWS::Lambda::LayerVersion",
                "Properties": {"Content": {"S3Bucket": f"code-{full.account}", "S3Key": "layer.zip"}},
            },
            "Work": function("work.zip", Layers=[{"Ref": "Layer"}]),
            "CleanUp": function("clean_up.zip"),
            "Machine": {
                "Type": "AWS::StepFunctions::StateMachine",
                "Properties": {
                    "RoleArn": {"Fn::GetAtt": ["MachineRole", "Arn"]},
                    "DefinitionString": json.dumps(definition),
                    "DefinitionSubstitutions": {"Work": {"Fn::GetAtt": ["Work", "Arn"]}},
                },
            },
            "Schedule": {
                "Type": "AWS::Scheduler::Schedule",
                "Properties": {
                    "ScheduleExpression": "cron(0 2 * * ? *)",
                    "FlexibleTimeWindow": {"Mode": "OFF"},
                    "Target": {
                        "Arn": {"Ref": "Machine"},
                        "RoleArn": {"Fn::GetAtt": ["ScheduleRole", "Arn"]},
                        "Input": '{"name": "<aws.scheduler.scheduled-time>"}',
                    },
                },
            },
            "Rule": {
                "Type": "AWS::Events::Rule",
                "Properties": {
                    "EventPattern": {"source": ["aws.states"], "detail": {"status": ["SUCCEEDED"]}},
                    "Targets": [{"Id": "clean-up", "Arn": {"Fn::GetAtt": ["CleanUp", "Arn"]}}],
                },
            },
        }
    )
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    full.control("/_local/scheduler/tick", now=tomorrow.isoformat())
    states = full.client("stepfunctions")
    executions = eventually(
        lambda: states.list_executions(stateMachineArn=names["Machine"], statusFilter="SUCCEEDED")["executions"]
    )
    output = json.loads(full.execution(executions[0]["executionArn"])["output"])
    assert output["said"].startswith("hello 20")
    assert output["said"].endswith("T02:00:00Z")
    assert eventually(lambda: "cleaned SUCCEEDED" in full.log_lines(names["CleanUp"]))
