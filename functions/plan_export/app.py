"""Plan Export: record the run, validate its input, claim its scheduled time."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from findings_exporter.aws.handler import Event, client, step
from findings_exporter.aws.table import Table
from findings_exporter.model.config import Config
from findings_exporter.model.execution import Execution
from findings_exporter.steps.plan_export import plan_export

config = Config.from_env()
table = Table(client("dynamodb"), config.table_name)


@step
def handler(execution: Execution, event: Event, _: LambdaContext) -> dict[str, Any]:
    """Plan the run from the execution's ``input``."""
    return plan_export(table, config, execution, event["input"])
