"""Clean Up: finish what an execution left undone that ended outside the workflow; by event and once an hour."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from findings_exporter.aws.clients import CleanUpClients
from findings_exporter.aws.handler import Event, function_deadline, observed, utc_now
from findings_exporter.model.config import Config
from findings_exporter.steps.clean_up import clean_up_event, execution_of, hourly_cleanup

clients = CleanUpClients.from_config(Config.from_env())


def handler(event: Event, context: LambdaContext) -> dict[str, Any]:
    """Clean up after the execution of an EventBridge event or, without a detail, after all that ended."""
    if "detail" not in event:
        with observed("hourly_cleanup", context):
            return {"cleaned": hourly_cleanup(clients, utc_now, function_deadline(context))}
    execution = execution_of(event["detail"])
    with observed(execution.name, context):
        return {"state": clean_up_event(clients, execution, utc_now, function_deadline(context))}
