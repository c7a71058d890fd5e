"""Gap: email is delivered nowhere, and Publish accepts what SNS refuses.

Records each publish with its bodies by protocol and shows the record at the control route `/_local/sns/published`, so
that a demo or a test can read an email as the subscriber would. Refuses a subject and a message structure that SNS refuses.

Guards: test_published_messages_can_be_read_by_protocol, test_sns_refuses_bad_subjects_and_structures.
"""

import json
import re
import time
from typing import Any

from ministack.core.iam_evaluator import caller_arn
from ministack.services import sns

from tests.local_aws.emulator.account_log import AccountLog
from tests.local_aws.emulator.control_routes import on_reset, route

_published: AccountLog[dict[str, Any]] = AccountLog(10_000)
# At most 100 characters of printable text on one line.
_SUBJECT = re.compile(r"[^\x00-\x1f\x7f]{0,100}")


@route("/_local/sns/published")
def _show(body: dict[str, Any], account: str, region: str) -> dict[str, Any]:
    found = _published.of(account, region)
    if body.get("clear"):
        _published.forget(account, region)
    return {"messages": found}


def _bodies(message: str, structure: str) -> dict[str, str]:
    if structure != "json":
        return {"default": message}
    try:
        bodies = json.loads(message)
    except ValueError:
        bodies = None
    if not isinstance(bodies, dict):
        raise sns.SnsPublishError("InvalidParameter", "Invalid parameter: Message Structure - JSON message body failed to parse")
    if "default" not in bodies:
        raise sns.SnsPublishError(
            "InvalidParameter", "Invalid parameter: Message Structure - No default entry in JSON message body"
        )
    return bodies


def install() -> None:
    """Check and record what is published."""
    on_reset(_published.clear)
    publish = sns.publish_internal

    def publish_and_record(topic_arn: str, message: Any, subject: str = "", **options: Any) -> Any:
        structure = options.get("message_structure", "")
        if not _SUBJECT.fullmatch(subject):
            raise sns.SnsPublishError("InvalidParameter", "Invalid parameter: Subject")
        bodies = _bodies(message, structure) if isinstance(message, str) else {"default": json.dumps(message)}
        result = publish(topic_arn, message, subject, **options)
        region, account = topic_arn.split(":")[3:5]
        _published.add(
            account,
            region,
            {
                "topic_arn": topic_arn,
                "subject": subject,
                "message_structure": structure,
                "bodies": bodies,
                "attributes": options.get("message_attributes") or {},
                "principal": caller_arn(),
                "time": time.time(),
            },
        )
        return result

    sns.publish_internal = publish_and_record
