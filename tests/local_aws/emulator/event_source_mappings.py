"""Gap: a queue's mapping to a function is made where Lambda refuses it, and a malformed answer of the function loses messages.

Lambda refuses a mapping to a queue that is in another Region, does not exist, or whose visibility timeout is shorter than the
function's time, and one to a function whose role may not receive, delete and get attributes, by its own policy or the queue's. With
ReportBatchItemFailures, an answer in which an item has no `itemIdentifier` fails the whole batch. [AWS: Lambda developer guide]

Not closed: the rights are asked once, when the mapping is made; the batching window does nothing, and a batch has ten messages at most;
the visibility timeout and the second after a failed batch are real time, whatever the wait scale.

Guards: test_a_mapping_is_refused_as_lambda_refuses_it, test_a_malformed_answer_fails_the_whole_batch,
test_failed_messages_come_again_and_end_in_the_dead_letter_queue.
"""

import json
from contextvars import ContextVar
from typing import Any

from ministack.services import lambda_svc, sqs
from ministack.services.cloudformation import provisioners

from tests.local_aws.emulator import authorization

_RIGHTS = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
_DEFAULT_VISIBILITY, _DEFAULT_TIMEOUT = 30, 3

_reports_items: ContextVar[bool] = ContextVar("reports_items", default=False)
"""Whether the function that runs may report items of its batch."""


def _refusal(function: str, qualifier: str | None, queue_arn: str) -> str | None:
    """Return why Lambda makes no mapping, or None."""
    if ":sqs:" not in queue_arn:
        return None
    _, config = lambda_svc._get_func_record_for_qualifier(function, qualifier)
    _, refused = lambda_svc._validate_event_source_arn(queue_arn)
    if refused:
        return str(json.loads(refused[2])["message"])
    queue = sqs._queue_by_arn(queue_arn)
    if queue is None:
        return "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue."
    for right in _RIGHTS:
        if authorization.denial(config["Role"], function, f"sqs:{right}", queue_arn, ask_resource=True):
            return f"The provided execution role does not have permissions to call {right} on SQS"
    hidden, timeout = (
        int(queue["attributes"].get("VisibilityTimeout", _DEFAULT_VISIBILITY)),
        config.get("Timeout", _DEFAULT_TIMEOUT),
    )
    if hidden < timeout:
        return f"Queue visibility timeout: {hidden} seconds is less than Function timeout: {timeout} seconds"
    return None


def _is_malformed(answer: Any) -> bool:
    if isinstance(answer, str | bytes):
        try:
            answer = json.loads(answer)
        except ValueError:
            return False
    items = (answer.get("batchItemFailures") if isinstance(answer, dict) else None) or []
    return not all(isinstance(item, dict) and item.get("itemIdentifier") for item in items)


def install() -> None:
    """Refuse mappings, by the API and in stacks, and read the answer to a batch as Lambda does."""
    create, run_batch, execute = lambda_svc._create_esm, lambda_svc._run_sqs_batch, lambda_svc._execute_function
    handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::EventSourceMapping"]
    create_in_stack = handlers["create"]

    def create_if_possible(data: dict[str, Any]) -> Any:
        function, qualifier, unknown = lambda_svc._resolve_existing_esm_function(data.get("FunctionName", ""))
        refused = None if unknown else _refusal(function, qualifier, data.get("EventSourceArn", ""))
        return lambda_svc._invalid_parameter_value(refused) if refused else create(data)

    def create_in_stack_if_possible(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        known, function, _, qualifier = provisioners._lambda_function_for_cfn_ref(properties["FunctionName"])
        refused = known and _refusal(function, qualifier, properties.get("EventSourceArn", ""))
        if refused:
            raise ValueError(f"AWS::Lambda::EventSourceMapping: {refused}")
        return create_in_stack(logical_id, properties, stack)

    def run_batch_of(mapping: dict[str, Any], *arguments: Any) -> None:
        _reports_items.set("ReportBatchItemFailures" in mapping.get("FunctionResponseTypes", []))
        run_batch(mapping, *arguments)

    def execute_and_check(function: Any, event: Any, *arguments: Any, **options: Any) -> Any:
        result = execute(function, event, *arguments, **options)
        if _reports_items.get() and not result.get("error") and _is_malformed(result.get("body")):
            text = "the answer names an item without itemIdentifier"
            return {**result, "error": True, "body": {"errorType": "InvalidBatchItemFailures", "errorMessage": text}}
        return result

    lambda_svc._create_esm, handlers["create"] = create_if_possible, create_in_stack_if_possible
    lambda_svc._run_sqs_batch, lambda_svc._execute_function = run_batch_of, execute_and_check
