"""What every step's handler shares: clients, the log, the release of its event, and the translation of AWS' errors.

The logger has this package's name, so that the modules' own loggers write through it.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import TYPE_CHECKING, Any, Literal, overload

import boto3
from aws_lambda_powertools import Logger
from botocore.config import Config as ClientConfig
from botocore.exceptions import ClientError, ConnectionClosedError

from findings_exporter import RELEASE
from findings_exporter.aws.metrics import count_failed_step
from findings_exporter.model.errors import UnsupportedReleaseError, code_of, translated
from findings_exporter.model.execution import Execution
from findings_exporter.model.notes import Note

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext
    from botocore.model import OperationModel
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_inspector2 import Inspector2Client
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_stepfunctions import SFNClient

type Event = Mapping[str, Any]
"""``release``, ``execution`` (``arn``, ``started_at``) and what the step itself takes."""
type Step = Callable[[Execution, Event, "LambdaContext"], dict[str, Any]]

RELEASES = (RELEASE - 1, RELEASE)
CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 3, 8, 3
"""Bounded, so that a hanging AWS ends as an error with a message, not as a function's timeout."""

logger = Logger(service="findings_exporter")


@overload
def client(service: Literal["dynamodb"]) -> "DynamoDBClient": ...
@overload
def client(service: Literal["iam"], attempts: int = ...) -> "IAMClient": ...
@overload
def client(service: Literal["inspector2"], attempts: int = ...) -> "Inspector2Client": ...
@overload
def client(service: Literal["kms"], attempts: int = ...) -> "KMSClient": ...
@overload
def client(service: Literal["s3"], attempts: int = ...) -> "S3Client": ...
@overload
def client(service: Literal["scheduler"], attempts: int = ...) -> "EventBridgeSchedulerClient": ...
@overload
def client(service: Literal["sns"], attempts: int = ...) -> "SNSClient": ...
@overload
def client(service: Literal["sqs"], attempts: int = ..., region: str | None = ...) -> "SQSClient": ...
@overload
def client(service: Literal["stepfunctions"]) -> "SFNClient": ...
def client(service: Any, attempts: int = ATTEMPTS, region: str | None = None) -> Any:
    """Make an AWS client with bounded retries and timeouts, of this Region or another; handlers make theirs at module level."""
    config = ClientConfig(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": attempts},
    )
    made = boto3.client(service, region_name=region, config=config)
    made.meta.events.register("before-parse", refuse_short_answer)
    return made


def refuse_short_answer(operation_model: "OperationModel", response_dict: Mapping[str, Any], **_: object) -> None:
    """Take an answer that broke off for none.

    botocore parses a body that is shorter than its Content-Length like a whole one, and an empty one as an answer without
    any member: "no such report" where there is one.

    Raises
    ------
    ConnectionClosedError
        The body is shorter than the answer said.
    """
    headers, body = response_dict["headers"], response_dict["body"]
    # A HEAD's answer has a length and no body; a stream is checked by whoever reads it.
    if operation_model.http.get("method") == "HEAD" or not isinstance(body, bytes) or "content-encoding" in headers:
        return
    if len(body) < int(headers.get("content-length", 0)):
        raise ConnectionClosedError(endpoint_url=operation_model.service_model.endpoint_prefix)


def utc_now() -> datetime:
    """Return the time now. Handlers hand it down, so that rules never ask a clock."""
    return datetime.now(UTC)


def function_deadline(context: "LambdaContext") -> datetime:
    """Return when this function is surely over."""
    return utc_now() + timedelta(milliseconds=context.get_remaining_time_in_millis())


def step(function: Step) -> Callable[[Event, "LambdaContext"], dict[str, Any]]:
    """Make a Lambda handler of a step of the workflow."""

    @wraps(function)
    def handler(event: Event, context: "LambdaContext") -> dict[str, Any]:
        release = event.get("release")
        if release not in RELEASES:
            raise UnsupportedReleaseError(Note("cause.release", theirs=release, ours=RELEASE))
        execution, began = Execution.from_dict(event["execution"]), utc_now()
        with observed(execution.name, context):
            result = function(execution, event, context)
            seconds = round((utc_now() - began).total_seconds(), 3)
            logger.info("step done", extra={"state": result.get("state"), "seconds": seconds})
        return result

    return handler


@contextmanager
def observed(execution_name: str, context: "LambdaContext") -> Iterator[None]:
    """Put the execution's name on every log line, translate AWS' errors, and log the one that ends the function.

    Lambda's own line of an uncaught exception does not know the execution.
    """
    logger.append_keys(execution=execution_name, function=context.function_name, request_id=context.aws_request_id)
    try:
        with translated():
            yield
    except Exception as error:
        logger.error("step failed", extra={"error": type(error).__name__} | _answer_of(error))  # noqa: TRY400 - its reason stands at _answer_of
        count_failed_step()
        raise


@contextmanager
def named(execution_name: str) -> Iterator[None]:
    """Put another execution's name on the log lines of what is done for it."""
    before = logger.get_current_keys().get("execution")
    logger.append_keys(execution=execution_name)
    try:
        yield
    finally:
        logger.append_keys(execution=before)


def _answer_of(error: Exception) -> dict[str, str]:
    # No message and no traceback: AWS' words hold account ids and may hold values of a filter.
    answer = error if isinstance(error, ClientError) else error.__cause__
    return {"call": answer.operation_name, "code": code_of(answer)} if isinstance(answer, ClientError) else {}
