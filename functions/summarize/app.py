"""Summarize: keep what the Regions say, and send one message about each scheduled time."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from findings_analysis.page.summary_page import summary_page
from findings_exporter.aws.clients import SummaryClients
from findings_exporter.aws.handler import function_deadline, observed, utc_now
from findings_exporter.model.config import Config
from findings_exporter.model.summary import ReportsSummary, SummaryLines
from findings_exporter.steps.summarize import Summarizer

config = Config.from_env()
clients = SummaryClients.from_config(config)


def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Take messages of the queue (``Records``), or do what is due at this hour."""
    summarizer = Summarizer(clients, _page, utc_now, function_deadline(context))
    with observed("summarize", context):
        if "Records" in event:
            again = summarizer.collect(event["Records"])
            return {"batchItemFailures": [{"itemIdentifier": each} for each in again]}
        return {"sent": summarizer.hourly()}


def _page(summary: ReportsSummary, document: Mapping[str, Any], lines: SummaryLines, now: datetime) -> str:
    return summary_page(summary, document, lines, config, now)
