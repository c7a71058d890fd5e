"""Notify Owners: publish to each owner what the analysis found of theirs."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from findings_exporter.aws.clients import OwnerClients
from findings_exporter.aws.handler import Event, function_deadline, step, utc_now
from findings_exporter.model.config import Config
from findings_exporter.model.execution import Execution
from findings_exporter.steps.notify_owners import notify_owners

clients = OwnerClients.from_config(Config.from_env())


@step
def handler(execution: Execution, _: Event, context: LambdaContext) -> dict[str, Any]:
    """Publish the messages to the owners that are not sent yet."""
    return notify_owners(clients, execution, utc_now, function_deadline(context))
