"""Cancel Report: stop the run's own report, if there is one, after something went wrong."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from findings_exporter.aws.clients import Clients
from findings_exporter.aws.handler import Event, function_deadline, step, utc_now
from findings_exporter.model.config import Config
from findings_exporter.model.execution import Execution
from findings_exporter.steps.cancel_report import cancel_report

clients = Clients.from_config(Config.from_env())


@step
def handler(execution: Execution, _: Event, context: LambdaContext) -> dict[str, Any]:
    """Cancel the run's report and wait until it has stopped."""
    return cancel_report(clients, execution, utc_now, function_deadline(context))
