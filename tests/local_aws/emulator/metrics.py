"""Gap: metrics in a function's log (EMF) do not reach CloudWatch, and Step Functions has no metrics.

Turns EMF log lines into CloudWatch metrics, and counts executions in AWS/States.

Guards: test_embedded_metrics_reach_cloudwatch, test_executions_are_counted.
"""

import json
from typing import Any

from ministack.services import cloudwatch, lambda_svc, stepfunctions

_EXECUTION_METRICS = {
    "RUNNING": "ExecutionsStarted",
    "SUCCEEDED": "ExecutionsSucceeded",
    "FAILED": "ExecutionsFailed",
    "ABORTED": "ExecutionsAborted",
    "TIMED_OUT": "ExecutionsTimedOut",
}


def _record_embedded(line: str) -> None:
    try:
        document = json.loads(line)
    except ValueError:
        return
    for directive in document["_aws"]["CloudWatchMetrics"]:
        for names in directive["Dimensions"] or [[]]:
            dimensions = {name: str(document[name]) for name in names}
            for metric in directive["Metrics"]:
                values = document[metric["Name"]]
                for value in values if isinstance(values, list) else [values]:
                    unit = metric.get("Unit", "None")
                    cloudwatch.record_metric(directive["Namespace"], metric["Name"], value, unit, dimensions)


def install() -> None:
    """Read metrics from function logs and from executions."""
    emit_logs, emit_status = lambda_svc._emit_lambda_logs, stepfunctions._emit_execution_status_event

    def emit_logs_and_metrics(function: dict[str, Any], request_id: str, log: str, *arguments: Any, **options: Any) -> None:
        emit_logs(function, request_id, log, *arguments, **options)
        for line in log.splitlines():
            if '"_aws"' in line:
                _record_embedded(line)

    def emit_status_and_metric(execution: dict[str, Any]) -> None:
        emit_status(execution)
        dimensions = {"StateMachineArn": execution["stateMachineArn"]}
        name = _EXECUTION_METRICS[execution["status"]]
        cloudwatch.record_metric("AWS/States", name, 1, "Count", dimensions)

    lambda_svc._emit_lambda_logs = emit_logs_and_metrics
    stepfunctions._emit_execution_status_event = emit_status_and_metric
