"""An existing bucket and key: the statements in the stack's outputs are what Inspector needs to write there.

The embedded AWS decides on another account's bucket by the account and not by the role, so only the own account is tried here.
There the exporter's roles need no statement; contract tests check what the statements for them allow.
"""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from tests.local_aws.deployed_exporter import Exporter
from tests.local_aws.inspector_control import InspectorControl
from tests.local_aws.server import DEFAULT_ACCOUNT, DEFAULT_REGION, LocalAws

IN_THE_BUCKET = ("BucketStatementForInspector", "BucketStatementForExporter")
IN_THE_KEY = ("KeyStatementForInspector", "KeyStatementForExporter")


class Place:
    """An existing bucket and key, and the exporter that uses them."""

    def __init__(self, aws: LocalAws, owner: str) -> None:
        self.s3, self.kms = (aws.client(service, account=owner, region=DEFAULT_REGION) for service in ("s3", "kms"))
        self.bucket = f"findings-of-{owner}"
        self.s3.create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": DEFAULT_REGION})
        root = {
            "Sid": "Root",
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{owner}:root"},
            "Action": "kms:*",
            "Resource": "*",
        }
        self.key_statements = [root]
        self.key = self.kms.create_key(Policy=json.dumps({"Version": "2012-10-17", "Statement": [root]}))["KeyMetadata"]["Arn"]
        parameters = {"ExistingBucketName": self.bucket, "ExistingBucketOwner": owner, "ExistingKeyArn": self.key}
        self.exporter = Exporter.deploy(aws, f"exporter-to-{owner}", parameters=parameters)

    def statements(self, outputs: Sequence[str]) -> list[Any]:
        return [statement for name in outputs for statement in json.loads(f"[{self.exporter.outputs[name]}]")]

    def add_to_bucket(self, *outputs: str) -> None:
        statements = self.statements(outputs)
        self.s3.put_bucket_policy(Bucket=self.bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))

    def add_to_key(self, *outputs: str) -> None:
        statements = self.key_statements + self.statements(outputs)
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        self.kms.put_key_policy(KeyId=self.key, PolicyName="default", Policy=policy)


@pytest.fixture(scope="module")
def place(exporter_aws: LocalAws) -> Place:
    return Place(exporter_aws, DEFAULT_ACCOUNT)


def test_nothing_of_an_existing_bucket_is_created_or_changed(place: Place) -> None:
    resources = place.exporter.client("cloudformation").list_stack_resources(StackName=place.exporter.stack_name)
    logical_ids = {each["LogicalResourceId"] for each in resources["StackResourceSummaries"]}
    assert not logical_ids & {"Bucket", "BucketPolicy"}
    assert "Key" in logical_ids  # for topic and table
    assert place.exporter.outputs["BucketName"] == place.bucket
    assert place.exporter.outputs["ReportsKeyArn"] == place.key


def test_the_added_statements_are_enough_and_inspectors_are_needed(place: Place, inspector: InspectorControl) -> None:
    place.add_to_bucket("BucketStatementForExporter")
    place.add_to_key(*IN_THE_KEY)
    assert place.exporter.run({}).error == "Report.INVALID_PERMISSIONS"
    place.add_to_bucket(*IN_THE_BUCKET)
    place.add_to_key("KeyStatementForExporter")
    assert place.exporter.run({}).error == "Report.INVALID_PERMISSIONS"
    place.add_to_key(*IN_THE_KEY)

    ended = place.exporter.run({})

    assert ended.status == "SUCCEEDED", ended.cause
    head = place.s3.head_object(Bucket=place.bucket, Key=ended.output["delivery"]["key"])
    assert head["SSEKMSKeyId"] == place.key


def test_disabled_key_ends_in_an_explained_failure(place: Place, inspector: InspectorControl) -> None:
    # Not the stack's own key: table and topic need that one, and on AWS no notification could be sent.
    place.add_to_bucket(*IN_THE_BUCKET)
    place.add_to_key(*IN_THE_KEY)
    place.kms.disable_key(KeyId=place.key)

    ended = place.exporter.run({})

    place.kms.enable_key(KeyId=place.key)
    assert (ended.status, ended.error) == ("FAILED", "Report.MALFORMED_KMS_KEY")
    assert place.key in place.exporter.message_of(ended.arn).email
    assert place.exporter.run({}).status == "SUCCEEDED"
