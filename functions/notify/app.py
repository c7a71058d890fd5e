"""Notify: tell the recorded outcome to the topic."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from findings_exporter.config import Config
from findings_exporter.execution import Execution
from findings_exporter.step import Event, client, over_at, step, utc_now
from findings_exporter.table import Table
from findings_exporter.telling import tell

config = Config.from_env()
table = Table(client("dynamodb"), config.table_name)
sns = client("sns")


@step
def handler(execution: Execution, _: Event, context: LambdaContext) -> dict[str, Any]:
    """Tell the run's outcome, unless it was told already."""
    return {"state": "TOLD" if tell(table, sns, config, execution, utc_now(), over_at(context)) else "TOLD_BEFORE"}
