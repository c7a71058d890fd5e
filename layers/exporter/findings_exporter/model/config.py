"""What the deployment decides, read once from the environment."""

import json
import os
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from hashlib import sha256

from findings_exporter.model.errors import ConfigurationError
from findings_exporter.model.notes import Note


@dataclass(frozen=True, slots=True)
class Defaults:
    """A run's defaults as the template's parameters give them: text, checked by the plan like any input.

    A wrong parameter must end in a notification that names it. It must not stop the functions that notify from starting.
    """

    report_name: str
    report_format: str
    filter_criteria: str
    on_busy: str
    deadline_hours: str


@dataclass(frozen=True, slots=True)
class Config:
    """The deployment: the names of its resources, and the defaults of a run.

    Attributes
    ----------
    bucket_owner
        Account id that must own the bucket; S3 and Inspector check it.
    key_prefix
        Prefix of everything in the bucket, without slashes at its ends.
    kms_key_arn
        The key that reports are encrypted with.
    language, time_zone
        Language and time zone of messages; only the functions that write messages have them.
    expected_report
        Name of the report that the schedule exports, for the hourly cleanup alone; empty where no success is expected.
    expected_hours
        Within which each report of the file is expected to succeed, for the hourly cleanup alone; 0 where none is.
    owner_tag
        Key of the tag that names the owner of what no rule matches; empty where no tag does.
    owner_messages
        Which owners get a message: ``OFF``, ``CHANGES`` or ``ALL``.
    remediation_days
        Days in which findings are to be fixed, by severity, as the template's parameter has them: text, checked where it is used.
    has_athena
        Whether the stack has tables and saved queries.
    home_region, regions
        The Region that summarizes, and all that it summarizes; both empty where this Region stands for itself.
    reports
        ``ONE``: the report of the parameters; ``FILE``: those of ``config/reports.json``.
    summary_hours
        How long after the scheduled time the summary waits for reports that are missing.
    """

    table_name: str
    topic_arn: str
    state_machine_arn: str
    bucket: str
    bucket_owner: str
    key_prefix: str
    kms_key_arn: str
    defaults: Defaults
    language: str = "en"
    time_zone: str = "UTC"
    expected_report: str = ""
    expected_hours: float = 0
    owner_tag: str = ""
    owner_messages: str = "OFF"
    remediation_days: str = ""
    has_athena: bool = False
    home_region: str = ""
    regions: tuple[str, ...] = ()
    reports: str = "ONE"
    summary_hours: float = 8.0

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> "Config":
        """Read the configuration.

        Raises
        ------
        ConfigurationError
            Variables are missing; all of them are named.
        """
        names = ("TABLE_NAME", "TOPIC_ARN", "STATE_MACHINE_ARN", "BUCKET", "BUCKET_OWNER", "KEY_PREFIX", "KMS_KEY_ARN",
                 "REPORT_NAME", "REPORT_FORMAT", "FILTER_CRITERIA", "ON_BUSY", "DEADLINE_HOURS")  # fmt: skip
        if missing := [name for name in names if not environ.get(name)]:
            raise ConfigurationError(Note("cause.environment", names=missing))
        return cls(
            table_name=environ["TABLE_NAME"],
            topic_arn=environ["TOPIC_ARN"],
            state_machine_arn=environ["STATE_MACHINE_ARN"],
            bucket=environ["BUCKET"],
            bucket_owner=environ["BUCKET_OWNER"],
            key_prefix=environ["KEY_PREFIX"].strip("/"),
            kms_key_arn=environ["KMS_KEY_ARN"],
            defaults=Defaults(
                report_name=environ["REPORT_NAME"],
                report_format=environ["REPORT_FORMAT"],
                filter_criteria=environ["FILTER_CRITERIA"],
                on_busy=environ["ON_BUSY"],
                deadline_hours=environ["DEADLINE_HOURS"],
            ),
            language=environ.get("LANGUAGE") or "en",
            time_zone=environ.get("TIME_ZONE") or "UTC",
            expected_report=environ.get("EXPECTED_REPORT") or "",
            expected_hours=float(environ.get("EXPECTED_HOURS") or 0),
            owner_tag=environ.get("OWNER_TAG") or "",
            owner_messages=environ.get("OWNER_MESSAGES") or "OFF",
            remediation_days=environ.get("REMEDIATION_DAYS") or "",
            has_athena=environ.get("ATHENA") == "ON",
            home_region=environ.get("HOME_REGION") or "",
            regions=tuple(filter(None, (each.strip() for each in environ.get("REGIONS", "").split(",")))),
            reports=environ.get("REPORTS") or "ONE",
            summary_hours=float(environ.get("SUMMARY_HOURS") or 8),
        )

    @property
    def has_summary(self) -> bool:
        """Whether several reports or Regions are summarized."""
        return bool(self.home_region) or self.reports == "FILE"

    @property
    def home(self) -> str:
        """The Region that summarizes: this one where no other is named."""
        return self.home_region or self.region

    @property
    def is_home(self) -> bool:
        """Whether this Region summarizes."""
        return self.has_summary and self.home == self.region

    @property
    def expected_regions(self) -> tuple[str, ...]:
        """The Regions that a summary is of, home first."""
        return tuple(dict.fromkeys((self.home, *self.regions)))

    @property
    def home_queue_url(self) -> str:
        """The queue in the home Region that takes what Regions say home."""
        suffix = ".cn" if self.partition == "aws-cn" else ""
        return f"https://sqs.{self.home}.amazonaws.com{suffix}/{self.account}/{self.stack}-Headlines"

    @property
    def all_reports_arn(self) -> str:
        """The state machine that starts all reports of this Region."""
        return f"{self.state_machine_arn.removesuffix('-ExportFindings')}-ExportAllReports"

    @property
    def config_hash(self) -> str:
        """Of what decides what is exported in each Region, without the file of reports."""
        same = (*astuple(self.defaults), self.key_prefix, self.reports, *self.expected_regions)
        return sha256(json.dumps(same).encode()).hexdigest()[:16]

    @property
    def partition(self) -> str:
        """The partition: ``aws``, ``aws-cn`` or ``aws-us-gov``."""
        return self.state_machine_arn.split(":")[1]

    @property
    def stack(self) -> str:
        """The name of the stack."""
        return self.state_machine_arn.rpartition(":")[2].removesuffix("-ExportFindings")

    @property
    def alarm_topic_arn(self) -> str:
        """The topic of alarms: apart, since SNS matches no filter policy with a message without attributes."""
        return f"arn:{self.partition}:sns:{self.region}:{self.account}:{self.stack}-Alarms"

    @property
    def owner_topic_arn(self) -> str:
        """The topic of the messages to owners: apart, so that a filter policy of a team sees no message about the run."""
        return f"arn:{self.partition}:sns:{self.region}:{self.account}:{self.stack}-Owners"

    @property
    def region(self) -> str:
        """The Region that this deployment runs in."""
        return self.state_machine_arn.split(":")[3]

    @property
    def account(self) -> str:
        """The account that this deployment runs in."""
        return self.state_machine_arn.split(":")[4]
