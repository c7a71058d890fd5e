"""Record Run: record the run's outcome, once."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from findings_exporter.aws.handler import Event, client, step, utc_now
from findings_exporter.aws.table import Table
from findings_exporter.model.config import Config
from findings_exporter.model.execution import Execution
from findings_exporter.steps.record_run import record_run

config = Config.from_env()
table = Table(client("dynamodb"), config.table_name)


@step
def handler(execution: Execution, event: Event, _: LambdaContext) -> dict[str, Any]:
    """Record the run from ``failure``, ``delivery`` and ``duplicate``."""
    return record_run(table, config, execution, event, utc_now())
