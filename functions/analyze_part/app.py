"""Analyze Part: read one part of a large report and store what the merge needs of it; it never fails the export."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from findings_analysis.part_pipeline import analyze_part_of_run
from findings_exporter.aws import run_store
from findings_exporter.aws.clients import PartClients
from findings_exporter.aws.handler import Event, step
from findings_exporter.model.config import Config
from findings_exporter.model.delivery import Delivery
from findings_exporter.model.execution import Execution

clients = PartClients.from_config(Config.from_env())


@step
def handler(execution: Execution, event: Event, _: LambdaContext) -> dict[str, Any]:
    """Analyze one ``part`` of the run's report as it was verified: ``delivery``."""
    run = run_store.load(clients.table, execution)
    return analyze_part_of_run(clients, run, Delivery.from_dict(event["delivery"]), event["part"])
