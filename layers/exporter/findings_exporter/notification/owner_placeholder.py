"""PLACEHOLDER, replaced by the merge of the branch ``msg``: the message to an owner in its smallest form."""

import json
import uuid
from collections.abc import Mapping
from typing import Any

from findings_exporter.model.config import Config
from findings_exporter.model.run import Run


def owner_publication(run: Run, headline: Mapping[str, Any], config: Config) -> dict[str, Any]:
    """Return the arguments of the SNS Publish to one owner."""
    owner = str(headline["owner"])
    event = {
        "type": "inspector-findings-exporter.owner-findings",
        "version": "1.0",
        "notification_id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{run.execution.arn}{owner}")),
        "owner": owner,
        "execution": {"name": run.execution.name, "arn": run.execution.arn},
    }
    attributes = {
        "owner": owner,
        "report": run.plan.report_name if run.plan else "unknown",
        "region": config.region,
        "level": "CHANGES",
        "worst_new_severity": "UNKNOWN",
        "overdue": "false",
    }
    bodies = {"default": json.dumps(event), "email": f"{owner}\n", "https": json.dumps({"version": "1.0", "source": "custom"})}
    return {
        "TopicArn": config.owner_topic_arn,
        "Subject": f"Inspector findings of {owner}",
        "MessageStructure": "json",
        "Message": json.dumps(bodies),
        "MessageAttributes": {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()},
    }
