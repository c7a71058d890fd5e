"""The reports' bucket: its Region, its owner, and what its policy allows."""

from datetime import datetime

from findings_exporter.aws.attempts import Unread
from findings_exporter.model.notes import Note
from findings_exporter.preflight.check import Check, unread
from findings_exporter.preflight.deployment import Deployment
from findings_exporter.preflight.policies import Subject, checked, open_to_others
from findings_exporter.preflight.reading import BucketSeen


def bucket_exists(bucket: BucketSeen, deployment: Deployment) -> Check:
    """Check whether the bucket is there and in this Region."""
    name, config = "bucket", deployment.config
    fix = (Note("fix.bucket", region=config.region),)
    if isinstance(bucket.region, Unread):
        return unread(name, bucket.region, bucket=config.bucket)
    if bucket.region is None:
        return Check(name, "failed", Note("failed.bucket", bucket=config.bucket), (), fix)
    evidence = (Note("seen.region", region=bucket.region),)
    if bucket.region != config.region:
        sentence = Note("failed.bucket_region", bucket=config.bucket, region=bucket.region, wanted=config.region)
        return Check(name, "failed", sentence, evidence, fix)
    return Check(name, "passed", Note("passed.bucket", bucket=config.bucket, region=config.region), evidence)


def bucket_owner(bucket: BucketSeen, deployment: Deployment) -> Check:
    """Check whether the bucket belongs to whom the deployment names."""
    name, config = "bucket_owner", deployment.config
    if isinstance(bucket.is_owners, Unread):
        return unread(name, bucket.is_owners, bucket=config.bucket)
    if not bucket.is_owners:
        sentence = Note("failed.bucket_owner", bucket=config.bucket, owner=config.bucket_owner)
        return Check(name, "failed", sentence, (), (Note("fix.bucket_owner"),))
    return Check(name, "passed", Note("passed.bucket_owner", owner=config.bucket_owner))


def bucket_policy_for_inspector(bucket: BucketSeen, deployment: Deployment, now: datetime) -> Check:
    """Check whether the bucket's policy lets Inspector write reports."""
    subject = Subject(
        "bucket_policy_for_inspector",
        Note("policy_of.bucket", bucket=deployment.config.bucket),
        [deployment.bucket_statement_for_inspector()],
    )
    writes = deployment.inspectors_writes(now)
    return open_to_others(checked(subject, bucket.policy, writes), bucket.policy, writes)


def bucket_policy_for_exporter(bucket: BucketSeen, deployment: Deployment, now: datetime) -> Check:
    """Check whether the bucket's policy lets the exporter's roles find and read reports."""
    subject = Subject(
        "bucket_policy_for_exporter",
        Note("policy_of.bucket", bucket=deployment.config.bucket),
        deployment.bucket_statements_for_exporter(),
        # In one account the roles' own policies are enough, unless the bucket's forbids it.
        needs_allow=deployment.config.bucket_owner != deployment.config.account,
    )
    return checked(subject, bucket.policy, deployment.exporters_reads(now))


def bucket_policy_for_analysis(bucket: BucketSeen, deployment: Deployment, now: datetime) -> Check:
    """Check whether the bucket's policy lets the analysis read the report and keep its own files."""
    subject = Subject(
        "bucket_policy_for_analysis",
        Note("policy_of.bucket", bucket=deployment.config.bucket),
        deployment.bucket_statements_for_exporter(),
        needs_allow=deployment.config.bucket_owner != deployment.config.account,
    )
    return checked(subject, bucket.policy, deployment.analysis_calls(now))
