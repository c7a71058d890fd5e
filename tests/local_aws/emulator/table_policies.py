"""Gap: a DynamoDB table's own policy is stored but not enforced, and CloudFormation ignores it.

Adds the policy of a table and its indexes to the IAM evaluation, as the policies of buckets, topics and queues are, and
stores the one of a stack's table.

Guard: test_a_tables_own_policy_is_enforced.
"""

import json
from typing import Any

from ministack.core import iam_evaluator
from ministack.services import dynamodb

from tests.local_aws.emulator.cloudformation import then


def _policy_for_arn(arn: str) -> tuple[str, str] | None:
    table = arn.split("/index/", 1)[0]
    _, _, _, region, account, _ = table.split(":", 5)
    kept = dynamodb._resource_policies.get_scoped(account, region, table)
    return (kept["Policy"], account) if kept else None


def _keep_policy(table: str, properties: dict[str, Any]) -> None:
    if policy := properties.get("ResourcePolicy"):
        arn = dynamodb._tables[table]["TableArn"]
        status, _, body = dynamodb._put_resource_policy({"ResourceArn": arn, "Policy": json.dumps(policy["PolicyDocument"])})
        if status != 200:
            raise ValueError(f"AWS::DynamoDB::Table: {json.loads(body)['message']}")


def install() -> None:
    """Add table policies to the IAM evaluation."""
    dynamodb.table_policy_for_arn = _policy_for_arn
    iam_evaluator._RESOURCE_POLICY_LOOKUPS["dynamodb"] = ("dynamodb", "table_policy_for_arn")
    then("AWS::DynamoDB::Table", _keep_policy)
