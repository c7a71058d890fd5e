"""Gap: a state machine's role is not enforced.

Evaluates the role's policies before each task calls its service, and fails the task as AWS does. It knows the resources of
Lambda and of the services in `_RESOURCES`. A call to another service is allowed only when the role allows it on `*`.

Guards: test_a_state_machine_may_do_only_what_its_role_allows, test_a_parent_needs_rights_on_its_child.
"""

import re
from contextvars import ContextVar
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import stepfunctions

from tests.local_aws.emulator import authorization

_SERVICE_TASK = re.compile(r"arn:aws:states:::(?:aws-sdk:)?(?P<service>\w+):(?P<operation>\w+)")
# The argument that names the resource, and the ARN that it makes.
_RESOURCES = {
    "dynamodb": ("TableName", "arn:aws:dynamodb:{region}:{account}:table/{value}"),
    "sns": ("TopicArn", "{value}"),
    "sqs": ("QueueUrl", "arn:aws:sqs:{region}:{account}:{value}"),
    "states": ("StateMachineArn", "{value}"),
}
_DENIED = {"lambda": "Lambda.AWSLambdaException", "sns": "SNS.AuthorizationErrorException"}
_DENIED_CHILD = "StepFunctions.AWSStepFunctionsException"
"""Of the integration for nested executions, which is not the SDK's."""
_SERVICE_NAMES = {"dynamodb": "DynamoDB", "states": "Sfn"}

_role: ContextVar[str] = ContextVar("state_machine_role")


def _required_permission(resource: str, arguments: dict[str, Any]) -> tuple[str, str] | None:
    place = {"region": get_region(), "account": get_account_id()}
    if ":states:::lambda:invoke" in resource or ":function:" in resource:
        name = arguments.get("FunctionName", "") if ":states:::" in resource else resource
        arn = name if name.startswith("arn:") else "arn:aws:lambda:{region}:{account}:function:".format(**place) + name
        return "lambda:InvokeFunction", arn
    task = _SERVICE_TASK.match(resource)
    if task is None:
        return None
    service, operation = task["service"].replace("sfn", "states"), task["operation"]
    argument, pattern = _RESOURCES.get(service, ("", "*"))
    value = str(arguments.get(argument, "*")).rsplit("/", 1)[-1]
    return f"{service}:{operation[0].upper()}{operation[1:]}", pattern.format(value=value, **place)


def _require_permission(resource: str, arguments: Any) -> None:
    permission = _required_permission(resource, arguments if isinstance(arguments, dict) else {})
    if permission and (denied := authorization.denial(_role.get(), "states", *permission)):
        service = permission[0].split(":", 1)[0]
        name = _SERVICE_NAMES.get(service, service.capitalize())
        error = _DENIED_CHILD if ":states:::states:" in resource else _DENIED.get(service, f"{name}.AccessDeniedException")
        raise stepfunctions._ExecutionError(error, denied)


def install() -> None:
    """Check each task's call against the role of its state machine."""
    task, invoke = stepfunctions._execute_task, stepfunctions._invoke_resource
    invoke_with_callback = stepfunctions._invoke_with_callback

    def task_with_role(state: dict[str, Any], state_input: Any, execution: dict[str, Any], context: Any) -> Any:
        _role.set(stepfunctions._state_machines[execution["stateMachineArn"]]["roleArn"])
        return task(state, state_input, execution, context)

    def invoke_as_role(resource: str, arguments: Any) -> Any:
        _require_permission(resource, arguments)
        return invoke(resource, arguments)

    def invoke_with_callback_as_role(resource: str, arguments: Any, token: str, state: dict[str, Any]) -> Any:
        _require_permission(resource, arguments)
        return invoke_with_callback(resource, arguments, token, state)

    stepfunctions._execute_task = task_with_role
    stepfunctions._invoke_resource = invoke_as_role
    stepfunctions._invoke_with_callback = invoke_with_callback_as_role
