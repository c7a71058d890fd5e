"""The setup check: what Inspector, the bucket, the key and the rest of the stack need, read and judged.

The only full proof of a setup is a test export (``events/test_export.json``).
"""

from collections.abc import Callable
from datetime import datetime

from findings_exporter.model.notes import Note
from findings_exporter.preflight import checks
from findings_exporter.preflight.checks import Check
from findings_exporter.preflight.deployment import KEY_ARN
from findings_exporter.preflight.reading import BucketSeen, KeySeen, PreflightClients, Reader, Unread


def check_report(clients: PreflightClients, now: Callable[[], datetime], until: datetime) -> list[Check]:
    """Check what a report needs: Inspector, the bucket, the key, and the permissions of the exporter's roles."""
    reader = Reader(clients, now, until)
    return _of_the_report(reader, reader.bucket(), _reports_key(reader))


def check_all(clients: PreflightClients, now: Callable[[], datetime], until: datetime) -> list[Check]:
    """Check all that a scheduled run needs."""
    reader, deployment, at = Reader(clients, now, until), clients.deployment, now()
    bucket, key = reader.bucket(), _reports_key(reader)
    report = _of_the_report(reader, bucket, key)
    keep = [reader.permission(each) for each in deployment.analysis_permissions(at)]
    topic = reader.topic(deployment.config.topic_arn)
    arn = topic.get("KmsMasterKeyId") if topic is not None and not isinstance(topic, Unread) else None
    publish = [reader.permission(each) for each in deployment.topic_permissions(arn)]
    return [
        *report,
        checks.bucket_policy_for_analysis(bucket, deployment, at),
        checks.key_policy_for_analysis(key, deployment),
        checks.permissions("analysis_permissions", keep),
        checks.topic_delivers(topic, deployment),
        checks.topic_key_usable(topic, reader.key(arn) if arn else None, deployment),
        checks.permissions("topic_permissions", publish),
        checks.alarms_delivered(reader.topic(deployment.config.alarm_topic_arn), deployment),
        checks.schedule_fires(reader.schedules(), now()),
        checks.nothing_undelivered(reader.undelivered()),
    ]


def _of_the_report(reader: Reader, bucket: BucketSeen, key: KeySeen) -> list[Check]:
    deployment, at = reader.clients.deployment, reader.now()
    return [
        checks.inspector_enabled(reader.account(), deployment),
        checks.anything_scanned(reader.scanned()),
        checks.bucket_exists(bucket, deployment),
        checks.bucket_owner(bucket, deployment),
        checks.bucket_policy_for_inspector(bucket, deployment, at),
        checks.bucket_policy_for_exporter(bucket, deployment, at),
        checks.key_usable(key, deployment),
        checks.key_policy_for_inspector(key, deployment),
        checks.key_policy_for_exporter(key, deployment),
        checks.permissions("permissions", [reader.permission(each) for each in deployment.report_permissions(at)]),
    ]


def _reports_key(reader: Reader) -> KeySeen:
    arn, region = reader.clients.deployment.config.kms_key_arn, reader.clients.deployment.config.region
    match = KEY_ARN.fullmatch(arn)
    if match is None or match["region"] != region:
        return KeySeen(*(Unread(Note("why.not_key_arn")),) * 2)
    return reader.key(arn)
