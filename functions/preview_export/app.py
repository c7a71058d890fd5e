"""Preview Export: show what an execution with an input would export. Invoked by hand, and changes nothing."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from findings_exporter.aws.handler import function_deadline, observed, utc_now
from findings_exporter.model.config import Config
from findings_exporter.preview import preview_export
from findings_exporter.preview.reading import PreviewClients

clients = PreviewClients.from_config(Config.from_env())


def handler(event: object, context: LambdaContext) -> dict[str, Any]:
    """Answer an execution's input with what it would export, or with what is wrong with it."""
    with observed("preview", context):
        return preview_export(clients, event, utc_now, function_deadline(context))
