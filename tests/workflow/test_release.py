"""The files of make release: plain CloudFormation deploys them, without a macro, and the stack exports a report."""

import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.local_aws.deployed_exporter import Exporter
from tests.local_aws.inspector_control import InspectorControl
from tests.local_aws.server import DEFAULT_REGION, LocalAws, location_of
from tests.tools import release
from tests.tools.release_template import PARAMETER

ACCOUNT = "210987654321"


def test_a_release_is_deployed_from_a_bucket_and_exports_a_report(
    exporter_aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release, "COMPRESSION", zipfile.ZIP_STORED)  # to compress takes longer than the rest of the test
    made = release.Release("0.1.0", datetime(2026, 12, 1, tzinfo=UTC), "")
    release.write(made, tmp_path)
    bucket = f"example-artifacts-{DEFAULT_REGION}"
    s3 = exporter_aws.client("s3", account=ACCOUNT)
    s3.create_bucket(Bucket=bucket, **location_of(DEFAULT_REGION))
    for path in tmp_path.iterdir():
        s3.put_object(Bucket=bucket, Key=made.prefix + path.name, Body=path.read_bytes())

    exporter = Exporter.create(
        exporter_aws,
        "released",
        f"{exporter_aws.endpoint_url}/{bucket}/{made.prefix}template.yaml",
        account=ACCOUNT,
        parameters={PARAMETER: "example-artifacts"},
    )
    inspector = InspectorControl(exporter_aws, ACCOUNT, DEFAULT_REGION)
    inspector.seed(findings=20, seed=1)
    inspector.configure(base_seconds=0.2)
    ended = exporter.run({})

    assert ended.status == "SUCCEEDED", ended.cause
    assert [message.outcome for message in exporter.messages()] == ["SUCCEEDED"]
    assert exporter.messages()[0].event["analysis"], "the analysis' layer works, too"
    template = exporter.client("cloudformation").get_template(StackName="released")["TemplateBody"]
    assert "AWS::Serverless" not in str(template)
