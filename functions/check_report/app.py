"""Check Report: check the status of the run's report and return how long to wait before the next check."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from findings_exporter.aws import run_store
from findings_exporter.aws.clients import Clients
from findings_exporter.aws.handler import Event, step, utc_now
from findings_exporter.model.config import Config
from findings_exporter.model.execution import Execution
from findings_exporter.steps.check_report import check_report

clients = Clients.from_config(Config.from_env())


@step
def handler(execution: Execution, _: Event, __: LambdaContext) -> dict[str, Any]:
    """Check the run's report."""
    return check_report(clients, run_store.load(clients.table, execution), utc_now())
