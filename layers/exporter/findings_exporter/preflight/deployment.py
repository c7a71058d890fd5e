"""What has to be set up for a deployment: its names, the statements that bucket and key need, and the calls they are for."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from findings_exporter.model.config import Config
from findings_exporter.model.errors import ConfigurationError
from findings_exporter.model.execution import Execution
from findings_exporter.model.layout import AnalysisKeys, analysis_keys, owner_rules_key, run_prefix
from findings_exporter.model.notes import Note
from findings_exporter.preflight.policy_evaluation import Request

ACCOUNT_PART = 4
"""Of an ARN's parts."""
KEY_ARN = re.compile(r"arn:[a-z-]+:kms:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):key/[\w-]+", re.ASCII)
SAMPLE_REPORT = "5e7a9000-0000-4000-8000-000000000000"
"""Stands for a report's id, which is not known before: a policy that names one lets no other report through."""
BUCKET_ACTIONS = ("s3:PutObject", "s3:PutObjectAcl", "s3:AbortMultipartUpload")
KEY_ACTIONS = ("kms:Decrypt", "kms:GenerateDataKey")
ANALYSIS_ACTIONS = (
    "inspector2:BatchGetAccountStatus",
    "inspector2:BatchGetFindingDetails",
    "inspector2:ListCoverageStatistics",
    "inspector2:ListMembers",
)
KEY_ACTION_FAMILY = "kms:GenerateDataKey*"
"""What Inspector's guide asks for; which actions of the family it really uses is not documented."""


@dataclass(frozen=True, slots=True)
class Permission:
    """Something that a role of ours must be able to do."""

    role: str
    actions: tuple[str, ...]
    resource: str
    context: tuple[tuple[str, str], ...] = ()

    @property
    def is_on_anothers_resource(self) -> bool:
        """Whether the resource's ARN names another account than the role's."""
        owner = self.resource.split(":")[ACCOUNT_PART] if self.resource.count(":") > ACCOUNT_PART else ""
        return owner not in {"", self.role.split(":")[ACCOUNT_PART]}


@dataclass(frozen=True, slots=True)
class Deployment:
    """The deployment as a setup check needs it.

    Attributes
    ----------
    inspector
        The service principal that Inspector writes as in this Region.
    start_role, verify_role, cut_role, part_role, analysis_role, notify_role, notify_owners_role, cancel_role, clean_up_role
        ARNs of the roles that bucket, key and topics must let in.
    """

    config: Config
    inspector: str
    start_role: str
    verify_role: str
    cut_role: str
    part_role: str
    analysis_role: str
    notify_role: str
    notify_owners_role: str
    cancel_role: str
    clean_up_role: str
    dead_letter_queue_url: str

    @classmethod
    def from_env(cls, config: Config, environ: Mapping[str, str] = os.environ) -> Self:
        """Read the further variables of the check's own function.

        Raises
        ------
        ConfigurationError
            Variables are missing; all of them are named.
        """
        names = ("INSPECTOR_PRINCIPAL", "START_REPORT_ROLE_ARN", "VERIFY_REPORT_ROLE_ARN", "CUT_REPORT_ROLE_ARN",
                 "ANALYZE_PART_ROLE_ARN", "ANALYZE_REPORT_ROLE_ARN", "NOTIFY_ROLE_ARN", "NOTIFY_OWNERS_ROLE_ARN",
                 "CANCEL_REPORT_ROLE_ARN", "CLEAN_UP_ROLE_ARN", "DEAD_LETTER_QUEUE_URL")  # fmt: skip
        if missing := [name for name in names if not environ.get(name)]:
            raise ConfigurationError(Note("cause.environment", names=missing))
        return cls(config, *(environ[name] for name in names))

    @property
    def bucket_arn(self) -> str:
        """The bucket's ARN."""
        return f"arn:{self.config.partition}:s3:::{self.config.bucket}"

    @property
    def key_owner(self) -> str:
        """The account of the reports' key; empty when the key is not named by its ARN."""
        match = KEY_ARN.fullmatch(self.config.kms_key_arn)
        return match["account"] if match else ""

    @property
    def report_arns(self) -> str:
        """The ARNs of this account's reports in this Region, as a pattern."""
        config = self.config
        return f"arn:{config.partition}:inspector2:{config.region}:{config.account}:report/*"

    def report_key(self, now: datetime) -> str:
        """Return the key that the report of a run now would have."""
        name, extension = self.config.defaults.report_name, self.config.defaults.report_format.lower()
        return f"{run_prefix(self.config.key_prefix, name, self._execution(now))}{SAMPLE_REPORT}.{extension}"

    # ---- the statements, as the stack's outputs have them

    def bucket_statement_for_inspector(self) -> dict[str, Any]:
        """Return what lets Inspector write reports into the bucket."""
        return {
            "Sid": "InspectorMayWriteReports",
            "Effect": "Allow",
            "Principal": {"Service": self.inspector},
            "Action": list(BUCKET_ACTIONS),
            "Resource": f"{self.bucket_arn}/*",
            "Condition": self._for_our_reports(),
        }

    def bucket_statements_for_exporter(self) -> list[dict[str, Any]]:
        """Return what lets the exporter find, read and write in another account's bucket, and delete merged parts there."""
        prefix, roles = self.config.key_prefix, self._roles
        principal = {"AWS": self._root}
        return [
            {
                "Sid": "ExporterMayList",
                "Effect": "Allow",
                "Principal": principal,
                "Action": "s3:ListBucket",
                "Resource": self.bucket_arn,
                "Condition": roles | {"StringLike": {"s3:prefix": f"{prefix}/*"}},
            },
            {
                "Sid": "ExporterMayReadAndWrite",
                "Effect": "Allow",
                "Principal": principal,
                "Action": ["s3:GetObject", "s3:PutObject"],
                "Resource": f"{self.bucket_arn}/{prefix}/*",
                "Condition": roles,
            },
            {
                "Sid": "ExporterMayDeleteParts",
                "Effect": "Allow",
                "Principal": principal,
                "Action": "s3:DeleteObject",
                "Resource": [f"{self.bucket_arn}/{prefix}/analyses/*/parts/*", f"{self.bucket_arn}/{prefix}/findings/*"],
                "Condition": roles,
            },
        ]

    def key_statement_for_inspector(self) -> dict[str, Any]:
        """Return what lets Inspector encrypt reports with the key."""
        return {
            "Sid": "InspectorMayEncryptReports",
            "Effect": "Allow",
            "Principal": {"Service": self.inspector},
            "Action": ["kms:Decrypt", KEY_ACTION_FAMILY],
            "Resource": "*",
            "Condition": self._for_our_reports(),
        }

    def key_statement_for_exporter(self) -> dict[str, Any]:
        """Return what lets the exporter's roles read and write reports with the key."""
        return {
            "Sid": "ExporterMayUseTheKey",
            "Effect": "Allow",
            "Principal": {"AWS": self._root},
            "Action": ["kms:Decrypt", KEY_ACTION_FAMILY, "kms:DescribeKey", "kms:GetKeyPolicy"],
            "Resource": "*",
            "Condition": self._roles,
        }

    @property
    def _root(self) -> str:
        return f"arn:{self.config.partition}:iam::{self.config.account}:root"

    @property
    def _roles(self) -> dict[str, Any]:
        """The condition that only the stack's roles meet: they share a path."""
        return {"ArnLike": {"aws:PrincipalArn": f"{self.start_role.rsplit('/', 1)[0]}/*"}}

    def _for_our_reports(self) -> dict[str, Any]:
        return {
            "StringEquals": {"aws:SourceAccount": self.config.account},
            "ArnLike": {"aws:SourceArn": self.report_arns},
        }

    # ---- the calls that the statements are for

    def inspectors_writes(self, now: datetime) -> list[Request]:
        """Return Inspector's calls on the bucket."""
        resource = f"{self.bucket_arn}/{self.report_key(now)}"
        context = self._of_inspector(self.config.bucket_owner) | {"s3:resourceaccount": self.config.bucket_owner}
        return [Request(self.inspector, action, resource, context) for action in BUCKET_ACTIONS]

    def inspectors_uses(self, actions: tuple[str, ...] = KEY_ACTIONS) -> list[Request]:
        """Return Inspector's calls on the key."""
        context = self._of_inspector(self.key_owner)
        return [Request(self.inspector, action, self.config.kms_key_arn, context) for action in actions]

    def exporters_reads(self, now: datetime) -> list[Request]:
        """Return the exporter's calls on the bucket."""
        owner, key = self.config.bucket_owner, self.report_key(now)
        listing = {"s3:prefix": self._prefix(now), "s3:delimiter": None}
        of = {role: self._of_role(role, owner) | {"s3:resourceaccount": owner} for role in (self.start_role, self.verify_role)}
        return [
            Request(self.start_role, "s3:ListBucket", self.bucket_arn, of[self.start_role] | listing),
            Request(self.verify_role, "s3:ListBucket", self.bucket_arn, of[self.verify_role] | listing),
            Request(self.verify_role, "s3:GetObject", f"{self.bucket_arn}/{key}", of[self.verify_role]),
        ]

    def exporters_decryption(self) -> list[Request]:
        """Return the exporter's calls on the key, which S3 makes in its name."""
        context = self._of_role(self.verify_role, self.key_owner) | self._via("s3")
        return [Request(self.verify_role, "kms:Decrypt", self.config.kms_key_arn, context)]

    def analysis_calls(self, now: datetime) -> list[Request]:
        """Return the analysis' calls on the bucket."""
        owner = self.config.bucket_owner
        return [
            Request(role, action, f"{self.bucket_arn}/{key}", self._of_role(role, owner) | {"s3:resourceaccount": owner})
            for role, key, actions in self._analyses_objects(now)
            for action in actions
        ]

    def analysis_encryption(self) -> list[Request]:
        """Return the analysis' calls on the key, which S3 makes in its name."""
        return [
            Request(role, action, self.config.kms_key_arn, self._of_role(role, self.key_owner) | self._via("s3"))
            for role, actions in self._key_users
            for action in actions
        ]

    def publication(self) -> Request:
        """Return the exporter's call on the topic."""
        context = self._of_role(self.notify_role, self.config.account)
        return Request(self.notify_role, "sns:Publish", self.config.topic_arn, context)

    def owners_publication(self) -> Request:
        """Return the exporter's call on the owners' topic."""
        context = self._of_role(self.notify_owners_role, self.config.account)
        return Request(self.notify_owners_role, "sns:Publish", self.config.owner_topic_arn, context)

    def alarms_publication(self) -> Request:
        """Return the call by which CloudWatch publishes an alarm."""
        config = self.config
        alarm = f"arn:{config.partition}:cloudwatch:{config.region}:{config.account}:alarm:{config.stack}"
        context = self._of_service("cloudwatch.amazonaws.com", alarm, config.account)
        return Request("cloudwatch.amazonaws.com", "sns:Publish", config.alarm_topic_arn, context)

    def publications_encryption(self, key_arn: str) -> list[Request]:
        """Return the exporter's calls on the topic's key, which SNS makes in its name."""
        context = self._of_role(self.notify_role, self.config.account) | self._via("sns")
        return [Request(self.notify_role, action, key_arn, context) for action in KEY_ACTIONS]

    def report_permissions(self, now: datetime) -> list[Permission]:
        """Return what the roles around a report must be able to do by their own policies."""
        key, listing = self.report_key(now), (("s3:prefix", self._prefix(now)),)
        cancelling = ("inspector2:CancelFindingsReport", "inspector2:GetFindingsReportStatus")
        return [
            self._permission(self.start_role, (*cancelling, "inspector2:CreateFindingsReport", "inspector2:ListFindings"), "*"),
            self._permission(self.cancel_role, cancelling, "*"),
            self._permission(self.clean_up_role, cancelling, "*"),
            self._permission(self.start_role, ("s3:ListBucket",), self.bucket_arn, *listing),
            self._permission(self.verify_role, ("inspector2:ListFindings",), "*"),
            self._permission(self.verify_role, ("s3:ListBucket",), self.bucket_arn, *listing),
            self._permission(self.verify_role, ("s3:GetObject",), f"{self.bucket_arn}/{key}"),
            self._permission(self.verify_role, ("kms:Decrypt",), self.config.kms_key_arn, *self._through("s3")),
        ]

    def analysis_permissions(self, now: datetime) -> list[Permission]:
        """Return what the roles that analyze a report, in parts or whole, must be able to do by their own policies."""
        key_arn = self.config.kms_key_arn
        return [
            self._permission(self.analysis_role, ANALYSIS_ACTIONS, "*"),
            *(self._permission(role, actions, f"{self.bucket_arn}/{key}") for role, key, actions in self._analyses_objects(now)),
            *(self._permission(role, actions, key_arn, *self._through("s3")) for role, actions in self._key_users),
        ]

    def topic_permissions(self, key_arn: str | None) -> list[Permission]:
        """Return what the role that notifies must be able to do by its own policy."""
        publish = self._permission(self.notify_role, ("sns:Publish",), self.config.topic_arn)
        return [publish, *([self._permission(self.notify_role, KEY_ACTIONS, key_arn, *self._through("sns"))] if key_arn else [])]

    def owner_permissions(self, key_arn: str | None, now: datetime) -> list[Permission]:
        """Return what the role that notifies owners must be able to do by its own policy."""
        role, keys = self.notify_owners_role, self._analysis_keys(now)
        return [
            self._permission(role, ("s3:GetObject",), f"{self.bucket_arn}/{keys.owner_messages}"),
            self._permission(role, ("kms:Decrypt",), self.config.kms_key_arn, *self._through("s3")),
            self._permission(role, ("sns:Publish",), self.config.owner_topic_arn),
            *([self._permission(role, KEY_ACTIONS, key_arn, *self._through("sns"))] if key_arn else []),
        ]

    def _permission(self, role: str, actions: tuple[str, ...], resource: str, *context: tuple[str, str]) -> Permission:
        """Return a permission with what policies of an organization mostly ask for: the Region and who calls."""
        of_request = (
            ("aws:RequestedRegion", self.config.region),
            ("aws:PrincipalArn", role),
            ("aws:PrincipalAccount", self.config.account),
        )
        return Permission(role, actions, resource, (*of_request, *context))

    @property
    def _key_users(self) -> list[tuple[str, tuple[str, ...]]]:
        """Return the roles of the analysis with what they do with the key: dividing a report only reads."""
        return [(self.cut_role, ("kms:Decrypt",)), (self.part_role, KEY_ACTIONS), (self.analysis_role, KEY_ACTIONS)]

    def _analyses_objects(self, now: datetime) -> list[tuple[str, str, tuple[str, ...]]]:
        """Return by role the owner rules, the report, its parts, and the analysis' files, which a later run reads."""
        report, own = self.report_key(now), ("s3:GetObject", "s3:PutObject")
        keys = self._analysis_keys(now)
        part, rules = keys.of_part(1, "parquet"), owner_rules_key(self.config.key_prefix)
        return [
            *((role, rules, ("s3:GetObject",)) for role in (self.part_role, self.analysis_role)),
            (self.cut_role, report, ("s3:GetObject",)),
            (self.part_role, report, ("s3:GetObject",)),
            (self.part_role, part, ("s3:PutObject",)),
            (self.analysis_role, report, ("s3:GetObject",)),
            (self.analysis_role, part, ("s3:GetObject", "s3:DeleteObject")),
            (self.analysis_role, keys.document, own),
            (self.analysis_role, keys.parquet(1), (*own, "s3:DeleteObject")),
            (self.analysis_role, keys.due_dates, own),
        ]

    def _analysis_keys(self, now: datetime) -> AnalysisKeys:
        return analysis_keys(self.config.key_prefix, self.config.defaults.report_name, self._execution(now), is_regular=True)

    def _execution(self, now: datetime) -> Execution:
        """Return an execution that could start now: its keys are those of a run."""
        return Execution(f"{self.config.state_machine_arn}:setup-check", now)

    def _prefix(self, now: datetime) -> str:
        return self.report_key(now).rsplit("/", 1)[0] + "/"

    def _through(self, service: str) -> tuple[tuple[str, str], ...]:
        return (("kms:ViaService", f"{service}.{self.config.region}.amazonaws.com"),)

    def _of_inspector(self, owner: str) -> dict[str, str | None]:
        return self._of_service(self.inspector, self.report_arns.replace("*", SAMPLE_REPORT), owner)

    def _of_service(self, service: str, source: str, owner: str) -> dict[str, str | None]:
        return {
            "aws:sourceaccount": self.config.account,
            "aws:sourcearn": source,
            "aws:securetransport": "true",
            "aws:principalisawsservice": "true",
            "aws:principalservicename": service,
            "aws:requestedregion": self.config.region,
            "aws:resourceaccount": owner,
            # A service is of no organization, and comes through no endpoint of a customer [AWS: global condition keys].
            "aws:principalorgid": None,
            "aws:sourcevpc": None,
            "aws:sourcevpce": None,
        }

    def _of_role(self, role: str, owner: str) -> dict[str, str | None]:
        config = self.config
        return {
            "aws:principalarn": role,
            "aws:principalaccount": config.account,
            "aws:principaltype": "AssumedRole",
            "aws:principalisawsservice": "false",
            "aws:securetransport": "true",
            "aws:requestedregion": config.region,
            "aws:resourceaccount": owner,
            "aws:sourceaccount": None,
            "aws:sourcearn": None,
            # The template puts no function into a VPC.
            "aws:sourcevpc": None,
            "aws:sourcevpce": None,
        }

    def _via(self, service: str) -> dict[str, str | None]:
        # What China's is called is not known.
        known = self.config.partition != "aws-cn"
        names: dict[str, str | None] = {key.lower(): value for key, value in self._through(service)} if known else {}
        return names | {"kms:calleraccount": self.config.account}
