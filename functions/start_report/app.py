"""Start Report: create the run's report, find the one it has, or tell who has Inspector's slot."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from findings_exporter.aws import run_store
from findings_exporter.aws.clients import StartDesk
from findings_exporter.aws.handler import Event, over_at, step, utc_now
from findings_exporter.model.config import Config
from findings_exporter.model.execution import Execution
from findings_exporter.steps import reports

start_desk = StartDesk.from_config(Config.from_env())


@step
def handler(execution: Execution, _: Event, context: LambdaContext) -> dict[str, Any]:
    """Start the run's report."""
    return reports.start(start_desk, run_store.load(start_desk.desk.table, execution), utc_now, over_at(context))
