"""AWS' errors are translated once: a refusal, an outage, or an unexpected error."""

from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError, ParamValidationError, ReadTimeoutError
from botocore.retries.standard import ThrottledRetryableChecker

from findings_exporter.model import errors
from findings_exporter.model.errors import (
    AccessDeniedError,
    ExporterError,
    Failure,
    ServiceUnavailableError,
    TransientError,
    translated,
)
from tests.builders.exporter import client, client_error


@pytest.mark.parametrize("code", sorted(errors.DENIED))
def test_a_refusal_names_the_call_and_quotes_aws(code: str) -> None:
    refusal = client_error(code, 403, "GetObject", "not you")
    with pytest.raises(AccessDeniedError, match="AWS refused GetObject: not you") as caught, translated():
        raise refusal
    assert caught.value.__cause__ is refusal
    assert not isinstance(caught.value, TransientError)


@pytest.mark.parametrize(
    ("code", "status"),
    [*((code, 400) for code in sorted(errors.THROTTLED)), ("InternalServerException", 500), ("Whatever", 503)],
)
def test_throttling_and_server_errors_are_worth_another_try(code: str, status: int) -> None:
    with pytest.raises(ServiceUnavailableError, match=f"AWS could not process Publish \\({code}\\): x"), translated():
        raise client_error(code, status, "Publish", "x")


def test_whatever_botocore_takes_for_throttling_is_throttling() -> None:
    checker: Any = ThrottledRetryableChecker  # which has no public list
    assert set(checker._THROTTLED_ERROR_CODES) <= errors.THROTTLED


@pytest.mark.parametrize("service", ["dynamodb", "inspector2", "kms", "s3", "scheduler", "sns", "sqs", "stepfunctions"])
def test_every_throttling_and_refusal_that_a_services_model_names_is_known(service: Any) -> None:
    model = client(service).meta.service_model
    codes = {shape.error_code for shape in model.error_shapes if "hrottl" in shape.name}
    assert codes <= errors.THROTTLED
    assert {shape.error_code for shape in model.error_shapes if "AccessDenied" in shape.name} <= errors.DENIED


@pytest.mark.parametrize(
    "lost",
    [
        EndpointConnectionError(endpoint_url="https://x"),
        ConnectTimeoutError(endpoint_url="https://x"),
        ReadTimeoutError(endpoint_url="https://x"),
    ],
)
def test_no_answer_is_worth_another_try(lost: Exception) -> None:
    with pytest.raises(ServiceUnavailableError, match="AWS did not answer: ") as caught, translated():
        raise lost
    assert caught.value.__cause__ is lost


@pytest.mark.parametrize(
    "unknown", [client_error("ValidationException", 400), ParamValidationError(report="x"), ValueError("x"), ExporterError("x")]
)
def test_anything_else_goes_up_untouched(unknown: Exception) -> None:
    with pytest.raises(type(unknown)) as caught, translated():
        raise unknown
    assert caught.value is unknown


def test_what_was_translated_is_not_translated_again() -> None:
    with pytest.raises(AccessDeniedError) as caught, translated(), translated():
        raise client_error("AccessDenied", 403)
    assert isinstance(caught.value.__cause__, ClientError)


@pytest.mark.parametrize(("status", "refused"), [(400, True), (429, True), (499, True), (500, False), (503, False)])
def test_only_an_answer_below_500_is_a_sure_no(status: int, refused: bool) -> None:
    assert errors.is_refused(client_error("X", status)) is refused


def test_an_answer_without_a_status_is_no_sure_no() -> None:
    empty = ClientError({}, "X")
    assert not errors.is_refused(empty)
    assert (errors.code_of(empty), errors.text_of(empty)) == ("", "")


def test_a_failure_is_carried_as_its_error_and_cause() -> None:
    failure = Failure("X", "y")
    assert Failure(**failure.to_dict()) == failure


def test_the_tree_in_the_docstring_is_the_tree_in_the_code() -> None:
    classes = {each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, ExporterError)}
    drawn = {word for word in (errors.__doc__ or "").split() if word.endswith("Error")}
    assert drawn == {each.__name__ for each in classes}
    assert all(each.__doc__ for each in classes)
