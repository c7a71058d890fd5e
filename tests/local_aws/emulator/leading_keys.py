"""Gap: `dynamodb:LeadingKeys` has no value in any request, so a statement with it applies to all or to none.

Adds the values of the partition key that a request on a table names: in its key, its item, or the equality of its key
condition. Where a request names none (a scan, a batch, a transaction, a query of an index) the key stays absent, and a
condition `Null: {dynamodb:LeadingKeys: "false"}` refuses it.

Guard: test_a_requests_leading_key_is_known.
"""

import json
import re
from typing import Any

from ministack.core import iam_actions
from ministack.services import dynamodb

# The partition key's equality is the whole condition, or the sort key's condition follows.
_EQUALITY = re.compile(r"([#\w]+)\s*=\s*(:\w+)")


def _partition_key(table_name: str) -> str | None:
    table: dict[str, Any] = dynamodb._tables.get(table_name.rpartition("/")[2]) or {}
    return next((each["AttributeName"] for each in table.get("KeySchema", []) if each["KeyType"] == "HASH"), None)


def _queried(request: dict[str, Any], partition_key: str) -> dict[str, Any]:
    """Return the typed value that a query compares the partition key with."""
    names, values = request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {})
    pairs = _EQUALITY.findall(request.get("KeyConditionExpression", ""))
    found: dict[str, Any] = next((values[value] for name, value in pairs if names.get(name, name) == partition_key), {})
    return found


def _leading_keys(request: dict[str, Any]) -> list[str]:
    partition_key = _partition_key(str(request.get("TableName", "")))
    if partition_key is None or "IndexName" in request:
        return []
    item = request.get("Key") or request.get("Item") or {partition_key: _queried(request, partition_key)}
    return [str(value) for value in item.get(partition_key, {}).values()]


def install() -> None:
    """Add the leading key to the condition keys of a DynamoDB request."""
    known = iam_actions.dynamodb_service_context

    def with_leading_keys(body: bytes) -> dict[str, Any]:
        context: dict[str, Any] = known(body)
        try:
            request = json.loads(body or b"{}")
        except ValueError:
            return context
        keys = _leading_keys(request) if isinstance(request, dict) else []
        return context | ({"dynamodb:LeadingKeys": keys} if keys else {})

    iam_actions.dynamodb_service_context = with_leading_keys
