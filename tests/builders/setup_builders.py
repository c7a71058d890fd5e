"""Builders for the tests of setup checks."""

from typing import Any

from findings_exporter.preflight.deployment import Deployment
from findings_exporter.preflight.reading import BucketSeen, KeySeen
from tests.builders.exporter import ACCOUNT, BUCKET, KEY, REGION, TOPIC, config
from tests.builders.setup_rows import Place, Row, document, encrypts, root, writes

QUEUE = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/findings-DeadLetterQueue"
INSPECTOR = "inspector2.amazonaws.com"
FIT_KEY = {"KeyManager": "CUSTOMER", "KeySpec": "SYMMETRIC_DEFAULT", "KeyUsage": "ENCRYPT_DECRYPT", "KeyState": "Enabled"}
SETUP_VARIABLES = {
    "INSPECTOR_PRINCIPAL": INSPECTOR,
    "START_REPORT_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/findings/findings-StartReportFunctionRole",
    "VERIFY_REPORT_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/findings/findings-VerifyReportFunctionRole",
    "CUT_REPORT_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/findings/findings-CutReportFunctionRole",
    "ANALYZE_PART_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/findings/findings-AnalyzePartFunctionRole",
    "ANALYZE_REPORT_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/findings/findings-AnalyzeReportFunctionRole",
    "NOTIFY_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/findings/findings-NotifyFunctionRole",
    "NOTIFY_OWNERS_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/findings/findings-NotifyOwnersFunctionRole",
    "CANCEL_REPORT_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/findings/findings-CancelReportFunctionRole",
    "CLEAN_UP_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/findings/findings-CleanUpFunctionRole",
    "DEAD_LETTER_QUEUE_URL": QUEUE,
}


def deployment(region: str = REGION, partition: str = "aws", inspector: str = INSPECTOR, **variables: str) -> Deployment:
    """A deployment in a Region; variables by their environment's names."""

    def here(value: str) -> str:
        return value.replace("arn:aws:", f"arn:{partition}:").replace(f":{REGION}:", f":{region}:")

    names = {name: here(value) for name, value in SETUP_VARIABLES.items()}
    machine = {"STATE_MACHINE_ARN": here(f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:findings-ExportFindings")}
    key = {"KMS_KEY_ARN": here(KEY), "TOPIC_ARN": here(TOPIC)}
    return Deployment.from_env(config(**machine | key | variables), names | {"INSPECTOR_PRINCIPAL": inspector})


def place(of: Deployment) -> Place:
    """The deployment as rows name it."""
    return Place(
        account=of.config.account,
        region=of.config.region,
        bucket=of.config.bucket,
        key=of.config.kms_key_arn,
        inspector=of.inspector,
        start_role=of.start_role,
        verify_role=of.verify_role,
        owner=of.config.bucket_owner,
        prefix=of.config.key_prefix,
        partition=of.config.partition,
    )


def bucket(row: Row | None = None, of: Deployment | None = None, **fields: Any) -> BucketSeen:
    """The bucket as a row has it."""
    here = place(of or deployment())
    statements = row.bucket(here) if row and row.bucket else [writes(here)]
    defaults: dict[str, Any] = {
        "region": here.region,
        "is_owners": True,
        "policy": document(statements) if statements else None,
    }
    return BucketSeen(**defaults | fields)


def key(row: Row | None = None, of: Deployment | None = None, **fields: Any) -> KeySeen:
    """The key as a row has it."""
    here = place(of or deployment())
    statements = row.key(here) if row and row.key else [root(here), encrypts(here)]
    return KeySeen(**{"description": FIT_KEY, "policy": document(statements)} | fields)


__all__ = ["BUCKET", "FIT_KEY", "QUEUE", "SETUP_VARIABLES", "bucket", "deployment", "key", "place"]
