"""Finish Reports: say home which reports never began."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from findings_exporter.aws.clients import ReportsClients
from findings_exporter.aws.handler import Event, step, utc_now
from findings_exporter.model.config import Config
from findings_exporter.model.execution import Execution
from findings_exporter.steps.finish_reports import finish_reports

clients = ReportsClients.from_config(Config.from_env())


@step
def handler(execution: Execution, event: Event, _: LambdaContext) -> dict[str, Any]:
    """Finish the start; ``results`` has what became of each report."""
    return finish_reports(clients, execution, event["results"], utc_now())
