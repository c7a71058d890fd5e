"""What every handler shares: releases, clients that do not hang, translated errors and a log with the execution's name."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError, IncompleteReadError

from findings_exporter import RELEASE
from findings_exporter.aws.handler import client, function_deadline, logger, step, utc_now
from findings_exporter.model.errors import AccessDeniedError, ServiceUnavailableError, UnsupportedReleaseError
from tests.builders.exporter import FakeContext, client_error, execution

CONTEXT: Any = FakeContext()


def event(**fields: Any) -> dict[str, Any]:
    """What the state machine sends."""
    return {"release": RELEASE, "execution": {"arn": execution().arn, "started_at": "2026-11-23T03:00:00Z"}} | fields


@step
def echo(of: Any, sent: Any, _: Any) -> dict[str, Any]:
    """Tell what came."""
    return {"state": "ECHO", "name": of.name, "extra": sent.get("extra")}


def test_a_step_gets_its_execution_and_its_event() -> None:
    assert echo(event(extra=7), CONTEXT) == {"state": "ECHO", "name": "run-1", "extra": 7}


def test_the_previous_release_is_served_too() -> None:
    assert echo(event(release=RELEASE - 1), CONTEXT)["state"] == "ECHO"


@pytest.mark.parametrize("release", [RELEASE + 1, RELEASE - 2, None, str(RELEASE)])
def test_any_other_release_is_refused_by_name(release: object) -> None:
    with pytest.raises(
        UnsupportedReleaseError,
        match=f"Release {release} of the exporter started this execution; the deployed release {RELEASE} does not support it. Start a new",
    ):
        echo(event(release=release), CONTEXT)


def test_an_event_without_a_release_is_refused() -> None:
    with pytest.raises(UnsupportedReleaseError):
        echo({"execution": {}}, CONTEXT)


@pytest.mark.parametrize(
    ("answer", "raised"),
    [
        (client_error("AccessDeniedException", 403), AccessDeniedError),
        (client_error("ThrottlingException", 429), ServiceUnavailableError),
        (IncompleteReadError(actual_bytes=1, expected_bytes=2), ServiceUnavailableError),
        (KeyError("x"), KeyError),
    ],
)
def test_the_state_machine_sees_our_names_for_aws_errors(answer: Exception, raised: type[Exception]) -> None:
    @step
    def fail(*_: Any) -> dict[str, Any]:
        raise answer

    with pytest.raises(raised):
        fail(event(), CONTEXT)


def test_clients_neither_hang_nor_retry_for_ever() -> None:
    config: Any = client("s3").meta.config
    assert (config.connect_timeout, config.read_timeout) == (3, 8)
    assert config.retries == {"mode": "standard", "total_max_attempts": 3}


def test_a_client_that_must_not_retry_does_not() -> None:
    config: Any = client("inspector2", attempts=1).meta.config
    assert config.retries == {"mode": "standard", "total_max_attempts": 1}


def answered(service: Any, operation: str, headers: dict[str, str], body: object) -> None:
    """Let a client parse an answer, as botocore does."""
    made: Any = client(service)
    model = made.meta.service_model.operation_model(operation)
    answer = {"headers": headers, "body": body, "status_code": 200}
    made.meta.events.emit(
        f"before-parse.{service}.{operation}", operation_model=model, response_dict=answer, customized_response_dict={}
    )


def test_an_answer_that_broke_off_is_not_taken_for_a_whole_one() -> None:
    with pytest.raises(ConnectionClosedError):
        answered("inspector2", "GetFindingsReportStatus", {"content-length": "3"}, b"{}")


@pytest.mark.parametrize(
    ("service", "operation", "headers", "body"),
    [
        ("inspector2", "GetFindingsReportStatus", {"content-length": "2"}, b"{}"),
        ("inspector2", "GetFindingsReportStatus", {}, b"{}"),
        ("inspector2", "GetFindingsReportStatus", {"content-length": "2", "content-encoding": "gzip"}, b"{"),
        ("s3", "HeadObject", {"content-length": "2"}, b""),
        ("s3", "GetObject", {"content-length": "2"}, object()),
    ],
    ids=["whole", "of unknown length", "compressed", "of a HEAD", "a stream"],
)
def test_any_other_answer_is_parsed(service: str, operation: str, headers: dict[str, str], body: object) -> None:
    answered(service, operation, headers, body)


def test_a_function_is_over_when_its_time_is() -> None:
    before = datetime.now(UTC)
    assert timedelta(seconds=59) < function_deadline(CONTEXT) - before < timedelta(seconds=61)
    assert utc_now() >= before
    assert utc_now().tzinfo is UTC


def test_the_log_knows_the_execution() -> None:
    echo(event(), CONTEXT)
    keys = logger.get_current_keys()
    assert (keys["execution"], keys["function"], keys["request_id"]) == ("run-1", "the-function", "the-request")
