"""Check Setup: check what the exporter needs. Invoked by hand or, after a failure that the setup may explain, by the workflow."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from findings_exporter.aws.handler import Event, function_deadline, observed, step, utc_now
from findings_exporter.model.config import Config
from findings_exporter.model.execution import Execution
from findings_exporter.preflight import check_all, check_report, message
from findings_exporter.preflight.deployment import Deployment
from findings_exporter.preflight.reading import PreflightClients

clients = PreflightClients.from_deployment(Deployment.from_env(Config.from_env()))


@step
def check_after_failure(_: Execution, __: Event, context: LambdaContext) -> dict[str, Any]:
    """Check what a report needs; the result goes into the message of a failed run."""
    return {"state": "CHECKED", "setup": message.findings(check_report(clients, utc_now, function_deadline(context)))}


def handler(event: Event, context: LambdaContext) -> dict[str, Any]:
    """Check after the failure of an event's ``execution``; else check all, and publish the result if ``notify`` is true."""
    if "execution" in event:
        return check_after_failure(event, context)
    with observed("setup check", context):
        checks = check_all(clients, utc_now, function_deadline(context))
        if event.get("notify") is True:
            clients.sns.publish(**message.publication(checks, clients.deployment, utc_now()))
        return message.result(checks, clients.deployment, utc_now())
