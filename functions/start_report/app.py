"""Start Report: create the run's report, find the one it has, or return which report is in progress."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from findings_exporter.aws import run_store
from findings_exporter.aws.clients import StartClients
from findings_exporter.aws.handler import Event, function_deadline, step, utc_now
from findings_exporter.model.config import Config
from findings_exporter.model.execution import Execution
from findings_exporter.steps.start_report import start_report

clients = StartClients.from_config(Config.from_env())


@step
def handler(execution: Execution, _: Event, context: LambdaContext) -> dict[str, Any]:
    """Start the run's report."""
    return start_report(clients, run_store.load(clients.table, execution), utc_now, function_deadline(context))
