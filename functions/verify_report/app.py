"""Verify Report: find the report's object and verify that it is complete and encrypted with the right key."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from findings_exporter.aws import run_store
from findings_exporter.aws.handler import Event, client, step
from findings_exporter.aws.table import Table
from findings_exporter.model.config import Config
from findings_exporter.model.execution import Execution
from findings_exporter.steps.verify_report import verify_report

config = Config.from_env()
table = Table(client("dynamodb"), config.table_name)
s3, inspector2 = client("s3"), client("inspector2")


@step
def handler(execution: Execution, event: Event, _: LambdaContext) -> dict[str, Any]:
    """Verify the run's report; ``found_nothing`` says that Inspector itself reported no findings."""
    return verify_report(s3, inspector2, run_store.load(table, execution), found_nothing=event["found_nothing"])
