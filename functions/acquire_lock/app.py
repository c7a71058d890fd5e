"""Acquire Lock: take this run's turn, or say how long to wait for it."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from findings_exporter.aws import run_store
from findings_exporter.aws.handler import Event, client, step, utc_now
from findings_exporter.aws.lock import Lock
from findings_exporter.aws.table import Table
from findings_exporter.model.config import Config
from findings_exporter.model.execution import Execution
from findings_exporter.steps.acquire_lock import acquire_lock

config = Config.from_env()
table = Table(client("dynamodb"), config.table_name)
lock = Lock(table, config.account, config.region)
states = client("stepfunctions")


@step
def handler(execution: Execution, _: Event, __: LambdaContext) -> dict[str, Any]:
    """Acquire the lock for the run."""
    return acquire_lock(lock, states, run_store.load(table, execution), utc_now())
