"""What a deployment refuses, and that the stack works in an opt-in Region."""

import pytest
from botocore.exceptions import ClientError

from tests.local_aws.deployed_exporter import Exporter
from tests.local_aws.inspector_control import InspectorControl
from tests.local_aws.server import DEFAULT_ACCOUNT, LocalAws

OPT_IN_REGION = "me-south-1"


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"ExistingBucketName": "a-bucket"}, "ExistingBucketName needs ExistingBucketOwner"),
        ({"ExistingBucketOwner": "111122223333"}, "ExistingBucketOwner has no effect without ExistingBucketName"),
        ({"DeadlineHours": "25"}, "DeadlineHours"),
        ({"KeyPrefix": "/inspector/"}, "must be a key prefix without a slash at the start or end"),
        ({"FilterCriteria": "severity=HIGH"}, "must be a JSON object"),
        ({"ReportName": "a/b"}, "must be 1 to 63 letters, digits, hyphens or underscores"),
        ({"ExistingKeyArn": "alias/reports"}, "must be the ARN of a KMS key"),
        ({"NotificationEmail": "no-address"}, "must be an email address, or empty"),
    ],
)
def test_wrong_parameters_are_refused_before_anything_is_created(
    parameters: dict[str, str], expected: str, exporter_aws: LocalAws
) -> None:
    with pytest.raises(ClientError, match=expected):
        Exporter.deploy(exporter_aws, "refused", parameters=parameters)


def test_in_an_opt_in_region_inspector_writes_as_its_regional_principal(exporter_aws: LocalAws) -> None:
    exporter = Exporter.deploy(exporter_aws, "opted-in", region=OPT_IN_REGION)
    inspector = InspectorControl(exporter_aws, DEFAULT_ACCOUNT, OPT_IN_REGION)
    inspector.seed(findings=20, seed=1)
    inspector.configure(base_seconds=0.2)

    ended = exporter.run({})

    assert ended.status == "SUCCEEDED", ended.cause
    policy = exporter.client("s3").get_bucket_policy(Bucket=exporter.outputs["BucketName"])["Policy"]
    assert f"inspector2.{OPT_IN_REGION}.amazonaws.com" in policy
