"""Runs the stack's saved Athena queries with the rights of its reader policy."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.local_aws.deployed_exporter import wait_until

if TYPE_CHECKING:
    from tests.local_aws.deployed_exporter import Exporter

type Answer = list[dict[str, str | None]]


class QueryFailedError(Exception):
    """A query failed."""


class AthenaReader:
    """An Athena client whose role holds the stack's reader policy, and no other policy.

    The embedded AWS knows a call's workgroup only where the call names it. Calls that name only a query's id are therefore
    made with all rights.
    """

    def __init__(self, exporter: Exporter) -> None:
        iam, account = exporter.client("iam"), exporter.account
        trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        role = iam.create_role(RoleName="athena-reader", AssumeRolePolicyDocument=document)["Role"]["Arn"]
        iam.attach_role_policy(RoleName="athena-reader", PolicyArn=exporter.outputs["AthenaReaderPolicyArn"])
        self.athena = exporter.aws.role_client("athena", role, account=account, region=exporter.region)
        self.by_id = exporter.client("athena")
        self.workgroup = exporter.stack_name

    def saved(self) -> dict[str, str]:
        """Return the SQL of the saved queries, by name."""
        ids = self.athena.list_named_queries(WorkGroup=self.workgroup)["NamedQueryIds"]
        queries = self.by_id.batch_get_named_query(NamedQueryIds=ids)["NamedQueries"]
        return {each["Name"]: each["QueryString"] for each in queries}

    def ask(self, question: str, sql: str | None = None) -> Answer:
        """Run a saved query, or this SQL instead, and return the rows of the result."""
        sql = sql or self.saved()[question]
        query = self.athena.start_query_execution(QueryString=sql, WorkGroup=self.workgroup)["QueryExecutionId"]

        def ended() -> Any:
            status = self.by_id.get_query_execution(QueryExecutionId=query)["QueryExecution"]["Status"]
            return status if status["State"] in ("SUCCEEDED", "FAILED") else None

        status = wait_until(ended, "Athena to answer")
        if status["State"] != "SUCCEEDED":
            raise QueryFailedError(f"Athena could not answer {question!r}: {status.get('StateChangeReason', status)}")
        header, *rows = self.by_id.get_query_results(QueryExecutionId=query)["ResultSet"]["Rows"]
        names = [each["VarCharValue"] for each in header["Data"]]
        return [dict(zip(names, (each.get("VarCharValue") for each in row["Data"]), strict=True)) for row in rows]
