"""Start Report: create the run's report, find the one it has, or tell who has Inspector's slot."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from findings_exporter import reports, runs
from findings_exporter.desk import StartDesk
from findings_exporter.model.config import Config
from findings_exporter.model.execution import Execution
from findings_exporter.step import Event, over_at, step, utc_now

start_desk = StartDesk.from_config(Config.from_env())


@step
def handler(execution: Execution, _: Event, context: LambdaContext) -> dict[str, Any]:
    """Start the run's report."""
    return reports.start(start_desk, runs.load(start_desk.desk.table, execution), utc_now, over_at(context))
