"""Analyze Report: count the report's findings and compare them with the report before; it never fails the export."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from findings_analysis.pipeline import analyze_run
from findings_exporter.aws import run_store
from findings_exporter.aws.clients import AnalysisClients
from findings_exporter.aws.handler import Event, step
from findings_exporter.model.config import Config
from findings_exporter.model.delivery import Delivery
from findings_exporter.model.execution import Execution

clients = AnalysisClients.from_config(Config.from_env())


@step
def handler(execution: Execution, event: Event, _: LambdaContext) -> dict[str, Any]:
    """Analyze the run's report as it was verified (``delivery``), or merge its ``parts`` where it was divided."""
    run = run_store.load(clients.table, execution)
    return analyze_run(clients, run, Delivery.from_dict(event["delivery"]), event.get("parts"))
