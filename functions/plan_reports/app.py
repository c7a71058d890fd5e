"""Plan Reports: which reports this start of a Region is of."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from findings_exporter.aws.clients import ReportsClients
from findings_exporter.aws.handler import Event, step, utc_now
from findings_exporter.model.config import Config
from findings_exporter.model.execution import Execution
from findings_exporter.steps.plan_reports import plan_reports

clients = ReportsClients.from_config(Config.from_env())


@step
def handler(execution: Execution, event: Event, _: LambdaContext) -> dict[str, Any]:
    """Plan the start from the execution's ``input``."""
    return plan_reports(clients, execution, event["input"], utc_now())
