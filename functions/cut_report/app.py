"""Cut Report: divide a large report into parts that are analyzed side by side; it never fails the export."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from findings_analysis.part_pipeline import cut_run
from findings_exporter.aws import run_store
from findings_exporter.aws.clients import PartClients
from findings_exporter.aws.handler import Event, step
from findings_exporter.model.config import Config
from findings_exporter.model.delivery import Delivery
from findings_exporter.model.execution import Execution

clients = PartClients.from_config(Config.from_env())


@step
def handler(execution: Execution, event: Event, _: LambdaContext) -> dict[str, Any]:
    """Divide the run's report, as it was verified (``delivery``), into parts of about ``part_bytes``."""
    run = run_store.load(clients.table, execution)
    return cut_run(clients, run, Delivery.from_dict(event["delivery"]), int(event["part_bytes"]))
