"""Gap: EventBridge and the Scheduler invoke a function once, and a failure ends nowhere.

On AWS such an invocation is asynchronous: retried twice, after one minute and two, and then sent to the function's
failure destination or dead-letter queue. MiniStack does that for direct asynchronous invocations alone, with pauses of
its own and one message form for both ends. This patch sends every event the same way, scales the pauses with the wait
scale, gives a dead-letter queue the event itself, and lets only a role that may write there write there.

Guards: test_a_failing_event_target_is_retried_and_goes_to_the_dead_letter_queue,
test_a_failure_destination_needs_the_function_role_s_permission.
"""

import json
import logging
from typing import Any

from ministack.core import iam_evaluator
from ministack.services import eventbridge, lambda_svc, sqs, stepfunctions

from tests.local_aws.emulator import authorization

_logger = logging.getLogger("lambda")
_FIRST_RETRY_SECONDS, _LONGEST_RETRY_SECONDS = 60, 300
_WRITE_ACTIONS = {"sqs": "sqs:SendMessage", "sns": "sns:Publish", "lambda": "lambda:InvokeFunction"}


def install() -> None:
    """Give every event the retries and the ends of an asynchronous invocation."""
    invoke, fail = lambda_svc.invoke_async_with_retry, lambda_svc._route_async_failure

    def invoke_with_scaled_pauses(function: dict[str, Any], event: Any) -> None:
        scale = stepfunctions._SFN_WAIT_SCALE
        lambda_svc._LAMBDA_ASYNC_RETRY_BASE_SECONDS = _FIRST_RETRY_SECONDS * scale
        lambda_svc._LAMBDA_ASYNC_RETRY_MAX_SECONDS = _LONGEST_RETRY_SECONDS * scale
        invoke(function, event)

    def dispatch(function_arn: str, payload: str) -> None:
        function, config, name = lambda_svc._get_func_record_for_ref(function_arn)
        if not function or not config:
            _logger.warning("event target %s does not exist", name)
            return
        lambda_svc.invoke_async_with_retry(lambda_svc._execution_record_for_config(function, config), json.loads(payload))

    def send_failure(target_arn: str, name: str, event: Any, result: dict[str, Any]) -> None:
        config = lambda_svc._functions[name]["config"]
        denied = authorization.denial(config["Role"], name, _WRITE_ACTIONS[target_arn.split(":")[2]], target_arn)
        if denied:
            _logger.error("the failed event of %s is lost: %s", name, denied)
        elif target_arn == (config.get("DeadLetterConfig") or {}).get("TargetArn") and ":sqs:" in target_arn:
            error = result["body"]
            send_to_queue(
                target_arn,
                json.dumps(event),
                {"ErrorCode": "200", "ErrorMessage": str(error.get("errorMessage", ""))[:1024]},
            )
        else:
            fail(target_arn, name, event, result)

    lambda_svc.invoke_async_with_retry = invoke_with_scaled_pauses
    lambda_svc._route_async_failure = send_failure
    eventbridge._dispatch_to_lambda = dispatch


def send_to_queue(queue_arn: str, body: str, attributes: dict[str, str]) -> None:
    """Put a message of one of AWS' own services into a queue."""
    values = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
    # There is no request here, so the context does not say TLS yet, which queue policies require.
    iam_evaluator.pin_request_origin("127.0.0.1", True)
    url = sqs._queue_url(queue_arn.rsplit(":", 1)[-1])
    sqs._act_send_message({"MessageBody": body, "MessageAttributes": values}, url)
