"""Clean Up: do what an execution left behind that ended outside the workflow; by event and by sweep."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from findings_exporter.aws.clients import Desk
from findings_exporter.aws.handler import Event, client, observed, over_at, utc_now
from findings_exporter.model.config import Config
from findings_exporter.steps.clean_up import clean_up_event, execution_of, sweep

desk = Desk.from_config(Config.from_env())
states, sns = client("stepfunctions"), client("sns")


def handler(event: Event, context: LambdaContext) -> dict[str, Any]:
    """Clean up after the execution of an EventBridge event or, without a detail, after all that ended."""
    if "detail" not in event:
        with observed("sweep", context):
            return {"cleaned": sweep(desk, states, sns, utc_now, over_at(context))}
    execution = execution_of(event["detail"])
    with observed(execution.name, context):
        return {"state": clean_up_event(desk, states, sns, execution, utc_now, over_at(context))}
