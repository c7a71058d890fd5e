"""How long each function's INIT takes on Lambda's real runtime client, against a bare handler with the same clients.

Runs the runtime interface emulator that ships inside the SAM CLI. Times are this machine's: compare them within one run.
"""

import os
import re
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

from benchmarks.results import Row, at_most

REPOSITORY = Path(__file__).resolve().parents[1]
BUILT = REPOSITORY / ".aws-sam/build"
RUNS = 5
MOST, MOST_OF_THE_ANALYSIS = 1.15, 1.4
ANALYSIS = {"CutReport", "AnalyzePart", "AnalyzeReport"}
CLIENTS = {
    "PlanExport": ["dynamodb"],
    "AcquireLock": ["dynamodb", "stepfunctions"],
    "StartReport": ["dynamodb", "inspector2", "inspector2", "s3", "stepfunctions"],
    "CheckReport": ["dynamodb", "inspector2"],
    "CancelReport": ["dynamodb", "inspector2"],
    "ReleaseLock": ["dynamodb"],
    "VerifyReport": ["dynamodb", "s3"],
    "CutReport": ["dynamodb", "s3"],
    "AnalyzePart": ["dynamodb", "s3"],
    "AnalyzeReport": ["dynamodb", "s3", "inspector2"],
    "CheckSetup": ["iam", "inspector2", "kms", "s3", "scheduler", "sns", "sqs"],
    "RecordRun": ["dynamodb"],
    "Notify": ["dynamodb", "sns"],
    "CleanUp": ["dynamodb", "inspector2", "stepfunctions", "sns"],
}
BARE_HANDLER = """
import boto3
from aws_lambda_powertools import Logger, Metrics
logger, metrics = Logger(service="bare"), Metrics(namespace="Bare", service="bare")
clients = [boto3.client(service) for service in {clients!r}]
def handler(event, context):
    return {{}}
"""
INIT = re.compile(r"INIT REPORT\(durationMs: ([\d.]+)\)")


def main() -> list[Row]:
    """Print the table and return its rows."""
    rows = []
    print(f"Cold starts: median INIT of {RUNS}, against a bare handler with Powertools and the same clients")
    with tempfile.TemporaryDirectory() as scratch:
        emulator = Path(scratch) / "rie"
        # The wheel does not keep its run bit.
        shutil.copy(next(REPOSITORY.glob(".venv-sam/lib/*/site-packages/samcli/local/rapid/aws-lambda-rie-x86_64")), emulator)
        emulator.chmod(0o755)
        for name, clients in CLIENTS.items():
            bare = Path(scratch) / name
            bare.mkdir()
            (bare / "app.py").write_text(BARE_HANDLER.format(clients=clients))
            # In turn, so that a drift of the machine meets both.
            pairs = [(init_ms(emulator, bare), init_ms(emulator, BUILT / f"{name}Function")) for _ in range(RUNS)]
            baseline, ours = (statistics.median(times) for times in zip(*pairs, strict=True))
            print(f"  {name:<14}{ours:>6.0f} ms  bare {baseline:>5.0f} ms  {ours / baseline:.2f} times")
            most = MOST_OF_THE_ANALYSIS if name in ANALYSIS else MOST
            rows.append(at_most(f"cold start of {name}", "ms", ours, most * baseline, baseline))
    return rows


def init_ms(emulator: Path, folder: Path) -> float:
    """Return how long one cold start of the handler in a folder takes."""
    (invoke, api), environment = (free_port(), free_port()), settings(folder)
    runtime = [str(REPOSITORY / ".venv-runtime/bin/python"), "-m", "awslambdaric", "app.handler"]
    addresses = ["--runtime-interface-emulator-address", f"127.0.0.1:{invoke}", "--runtime-api-address", f"127.0.0.1:{api}"]
    process = subprocess.Popen(  # noqa: S603 - our own command
        [str(emulator), *addresses, *runtime],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        wait_for(invoke)
        url = f"http://127.0.0.1:{invoke}/2015-03-31/functions/function/invocations"
        with urllib.request.urlopen(urllib.request.Request(url, b"{}", method="POST"), timeout=30) as answer:
            answer.read()
    finally:
        process.terminate()
        output = process.communicate(timeout=10)[0]
    match = INIT.search(output)
    if match is None or "INIT RTDONE(status: success)" not in output:
        raise RuntimeError(f"{folder.name} did not start:\n{output[-2000:]}")
    return float(match[1])


def settings(folder: Path) -> dict[str, str]:
    """Return a function's environment."""
    names = ("TABLE_NAME", "TOPIC_ARN", "BUCKET", "BUCKET_OWNER", "KEY_PREFIX", "KMS_KEY_ARN", "REPORT_NAME", "REPORT_FORMAT",
             "FILTER_CRITERIA", "ON_BUSY", "DEADLINE_HOURS", "INSPECTOR_PRINCIPAL", "START_REPORT_ROLE_ARN",
             "VERIFY_REPORT_ROLE_ARN", "CUT_REPORT_ROLE_ARN", "ANALYZE_PART_ROLE_ARN", "ANALYZE_REPORT_ROLE_ARN",
             "NOTIFY_ROLE_ARN", "DEAD_LETTER_QUEUE_URL")  # fmt: skip
    return dict.fromkeys(names, "x") | {
        "STATE_MACHINE_ARN": "arn:aws:states:eu-west-1:111122223333:stateMachine:x",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_FUNCTION_TIMEOUT": "30",
        "AWS_SECRET_ACCESS_KEY": "x",
        "LAMBDA_TASK_ROOT": str(folder),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{BUILT / 'ExporterLayer/python'}:{BUILT / 'AnalyticsLayer/python'}",
    }


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_for(port: int) -> None:
    """Wait until the port accepts connections."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as connection:
            if connection.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise TimeoutError(f"nothing listens on port {port}")
