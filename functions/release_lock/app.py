"""Release Lock: let the next run start, as soon as no report is in progress."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from findings_exporter.aws.handler import Event, client, step, utc_now
from findings_exporter.aws.lock import Lock
from findings_exporter.aws.table import Table
from findings_exporter.model.config import Config
from findings_exporter.model.execution import Execution
from findings_exporter.steps.release_lock import release_lock

config = Config.from_env()
lock = Lock(Table(client("dynamodb"), config.table_name), config.account, config.region)


@step
def handler(execution: Execution, _: Event, __: LambdaContext) -> dict[str, Any]:
    """Release the run's lock; one that is not its own counts as released."""
    return release_lock(lock, execution, utc_now())
