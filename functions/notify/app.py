"""Notify: publish the recorded outcome to the topic."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from findings_exporter.aws.clients import Home
from findings_exporter.aws.handler import Event, client, function_deadline, step, utc_now
from findings_exporter.aws.table import Table
from findings_exporter.model.config import Config
from findings_exporter.model.execution import Execution
from findings_exporter.steps.notify import notify

config = Config.from_env()
table = Table(client("dynamodb"), config.table_name)
sns = client("sns")
home = Home.from_config(config)


@step
def handler(execution: Execution, _: Event, context: LambdaContext) -> dict[str, Any]:
    """Publish the run's outcome, unless it was published already."""
    return notify(table, sns, config, execution, utc_now(), function_deadline(context), home)
