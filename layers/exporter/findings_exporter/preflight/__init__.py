"""Check the setup: what Inspector, the bucket, the key and the rest of the stack need, read and checked.

One module a subject: inspector, bucket, key, roles, topic, owners, reports, schedule. Each check is a pure function from what was
read (``reading``) to a ``Check``. Offered: ``check_all``, ``check_report``, ``message``, ``deployment``, ``reading``. The
only full proof of a setup is a test export (``events/test_export.json``).
"""

from collections.abc import Callable
from datetime import datetime

from findings_exporter.aws.attempts import Attempts, Unread
from findings_exporter.model.notes import Note
from findings_exporter.preflight.bucket import (
    bucket_exists,
    bucket_owner,
    bucket_policy_for_analysis,
    bucket_policy_for_exporter,
    bucket_policy_for_inspector,
)
from findings_exporter.preflight.check import Check
from findings_exporter.preflight.deployment import KEY_ARN
from findings_exporter.preflight.inspector import anything_scanned, inspector_enabled
from findings_exporter.preflight.key import key_policy_for_analysis, key_policy_for_exporter, key_policy_for_inspector, key_usable
from findings_exporter.preflight.owners import due_dates, owner_rules, owners_topic_delivers
from findings_exporter.preflight.reading import BucketSeen, KeySeen, PreflightClients, Reader
from findings_exporter.preflight.reports import reports_file
from findings_exporter.preflight.roles import permissions
from findings_exporter.preflight.schedule import schedule_fires
from findings_exporter.preflight.topic import alarms_delivered, nothing_undelivered, topic_delivers, topic_key_usable


def check_report(clients: PreflightClients, now: Callable[[], datetime], until: datetime) -> list[Check]:
    """Check what a report needs: Inspector, the bucket, the key, and the permissions of the exporter's roles.

    Whether anything is scanned is not among it: Inspector creates a report all the same.
    """
    reader = Reader(clients, Attempts(now, until))
    return _of_the_report(reader, reader.bucket(), _reports_key(reader))


def check_all(clients: PreflightClients, now: Callable[[], datetime], until: datetime) -> list[Check]:
    """Check all that a scheduled run needs."""
    reader, deployment, at = Reader(clients, Attempts(now, until)), clients.deployment, now()
    bucket, key = reader.bucket(), _reports_key(reader)
    inspector, *report = _of_the_report(reader, bucket, key)
    keep = [reader.permission(each) for each in deployment.analysis_permissions(at)]
    topic = reader.topic(deployment.config.topic_arn)
    arn = topic.get("KmsMasterKeyId") if topic is not None and not isinstance(topic, Unread) else None
    publish = [reader.permission(each) for each in deployment.topic_permissions(arn)]
    return [
        inspector,
        anything_scanned(reader.scanned()),
        *report,
        bucket_policy_for_analysis(bucket, deployment, at),
        key_policy_for_analysis(key, deployment),
        permissions("analysis_permissions", keep),
        topic_delivers(topic, deployment),
        topic_key_usable(topic, reader.key(arn) if arn else None, deployment),
        permissions("topic_permissions", publish),
        alarms_delivered(reader.topic(deployment.config.alarm_topic_arn), deployment),
        owner_rules(reader.owner_rules(), deployment.config),
        due_dates(deployment.config),
        *_of_owner_messages(reader),
        *([reports_file(reader.reports_file(), deployment.config, at)] if deployment.config.reports == "FILE" else []),
        schedule_fires(reader.schedules(), now(), has_home=bool(deployment.config.home_region)),
        nothing_undelivered(reader.undelivered()),
    ]


def _of_owner_messages(reader: Reader) -> list[Check]:
    deployment = reader.clients.deployment
    if deployment.config.owner_messages == "OFF":
        return []
    topic = reader.topic(deployment.config.owner_topic_arn)
    arn = topic.get("KmsMasterKeyId") if topic is not None and not isinstance(topic, Unread) else None
    publish = [reader.permission(each) for each in deployment.owner_permissions(arn, reader.attempts.now())]
    return [owners_topic_delivers(topic, deployment), permissions("owner_permissions", publish)]


def _of_the_report(reader: Reader, bucket: BucketSeen, key: KeySeen) -> list[Check]:
    deployment, at = reader.clients.deployment, reader.attempts.now()
    return [
        inspector_enabled(reader.account(), deployment),
        bucket_exists(bucket, deployment),
        bucket_owner(bucket, deployment),
        bucket_policy_for_inspector(bucket, deployment, at),
        bucket_policy_for_exporter(bucket, deployment, at),
        key_usable(key, deployment),
        key_policy_for_inspector(key, deployment),
        key_policy_for_exporter(key, deployment),
        permissions("permissions", [reader.permission(each) for each in deployment.report_permissions(at)]),
    ]


def _reports_key(reader: Reader) -> KeySeen:
    arn, region = reader.clients.deployment.config.kms_key_arn, reader.clients.deployment.config.region
    match = KEY_ARN.fullmatch(arn)
    if match is None or match["region"] != region:
        return KeySeen(*(Unread(Note("why.not_key_arn")),) * 2)
    return reader.key(arn)
