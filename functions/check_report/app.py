"""Check Report: look at the run's report and say how long to wait before the next look."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from findings_exporter import reports, runs
from findings_exporter.desk import Desk
from findings_exporter.model.config import Config
from findings_exporter.model.execution import Execution
from findings_exporter.step import Event, step, utc_now

desk = Desk.from_config(Config.from_env())


@step
def handler(execution: Execution, _: Event, __: LambdaContext) -> dict[str, Any]:
    """Check the run's report."""
    return reports.check(desk, runs.load(desk.table, execution), utc_now())
