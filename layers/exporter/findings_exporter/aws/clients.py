"""The AWS clients of the functions that work with a report, in one bundle a kind of function.

A bundle has what its functions need and no more: each role allows only that.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self

from findings_exporter.aws import outbox
from findings_exporter.aws.handler import client, utc_now
from findings_exporter.aws.inspector import Inspector
from findings_exporter.aws.lock import Lock
from findings_exporter.aws.table import Table
from findings_exporter.model.config import Config

if TYPE_CHECKING:
    from mypy_boto3_inspector2 import Inspector2Client
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_stepfunctions import SFNClient

SEND = timedelta(seconds=5)
"""How long the home Region is sent to, beside a call that hangs: what it does not take now, the hourly cleanup sends."""


@dataclass(frozen=True, slots=True)
class Clients:
    """What checking and cancelling a report needs: Inspector, the records and the lock."""

    config: Config
    table: Table
    lock: Lock
    inspector: Inspector

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """Make the clients; once, at a handler's module level."""
        return cls(*_shared(config))


@dataclass(frozen=True, slots=True)
class StartClients(Clients):
    """What starting a report needs on top.

    Attributes
    ----------
    creator
        Never retries by itself: a create whose answer was lost must be looked for, not repeated.
    s3
        To find a report that an earlier try created.
    states
        To ask whether another run is still running.
    """

    creator: "Inspector2Client"
    s3: "S3Client"
    states: "SFNClient"

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """Make the clients; once, at a handler's module level."""
        return cls(*_shared(config), client("inspector2", attempts=1), client("s3"), client("stepfunctions"))


@dataclass(frozen=True, slots=True)
class Home:
    """The way to the home Region.

    Attributes
    ----------
    sqs
        None where nothing is summarized.
    now
        The clock, for how long sending takes.
    """

    sqs: "SQSClient | None"
    queue_url: str
    now: Callable[[], datetime] = utc_now

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """Make the client, of the home Region."""
        # Tried once: a Region that is down must not take the time of the function.
        return cls(client("sqs", attempts=1, region=config.home) if config.has_summary else None, config.home_queue_url)

    def send_all(self, table: Table, most: timedelta = SEND) -> int:
        """Send what the home Region has not been sent yet, for so long at most, and return how many messages are left."""
        return outbox.send_all(table, self.sqs, self.queue_url, self.now, self.now() + most) if self.sqs else 0


NO_HOME = Home(None, "")
"""Where nothing is summarized."""


@dataclass(frozen=True, slots=True)
class OwnerClients:
    """What notifying owners needs: S3 for what the analysis left for them."""

    config: Config
    table: Table
    s3: "S3Client"
    sns: "SNSClient"

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """Make the clients; once, at a handler's module level."""
        return cls(config, Table(client("dynamodb"), config.table_name), client("s3"), client("sns"))


@dataclass(frozen=True, slots=True)
class CleanUpClients(Clients):
    """What cleaning up needs on top: Step Functions to ask how an execution ended, SNS to notify, S3 for messages to owners."""

    states: "SFNClient"
    sns: "SNSClient"
    s3: "S3Client"
    home: Home = NO_HOME

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """Make the clients; once, at a handler's module level."""
        return cls(*_shared(config), client("stepfunctions"), client("sns"), client("s3"), Home.from_config(config))

    @property
    def of_owners(self) -> OwnerClients:
        """What notifying owners needs of them."""
        return OwnerClients(self.config, self.table, self.s3, self.sns)


@dataclass(frozen=True, slots=True)
class ReportsClients:
    """What starting all reports of a Region needs.

    Attributes
    ----------
    s3
        For the file of reports.
    states
        To ask whether another start, or one of its reports, is there.
    """

    config: Config
    table: Table
    s3: "S3Client"
    states: "SFNClient"
    home: Home

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """Make the clients; once, at a handler's module level."""
        return cls(
            config, Table(client("dynamodb"), config.table_name), client("s3"), client("stepfunctions"), Home.from_config(config)
        )


@dataclass(frozen=True, slots=True)
class SummaryClients:
    """What the summary needs: the messages of the Regions, S3 for its page, SNS to notify."""

    config: Config
    table: Table
    s3: "S3Client"
    sns: "SNSClient"

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """Make the clients; once, at a handler's module level."""
        return cls(config, Table(client("dynamodb"), config.table_name), client("s3"), client("sns"))


@dataclass(frozen=True, slots=True)
class PartClients:
    """What dividing a report and analyzing one part of it need.

    Attributes
    ----------
    now
        The clock, for how long a part takes.
    """

    config: Config
    table: Table
    s3: "S3Client"
    now: Callable[[], datetime]

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """Make the clients; once, at a handler's module level."""
        return cls(config, Table(client("dynamodb"), config.table_name), client("s3"), utc_now)


@dataclass(frozen=True, slots=True)
class AnalysisClients:
    """What an analysis needs.

    Attributes
    ----------
    now
        The clock, for the metric of how long an analysis takes.
    """

    config: Config
    table: Table
    s3: "S3Client"
    inspector2: "Inspector2Client"
    now: Callable[[], datetime]

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """Make the clients; once, at a handler's module level."""
        return cls(config, Table(client("dynamodb"), config.table_name), client("s3"), client("inspector2"), utc_now)


def _shared(config: Config) -> tuple[Config, Table, Lock, Inspector]:
    table = Table(client("dynamodb"), config.table_name)
    return config, table, Lock(table, config.account, config.region), Inspector(client("inspector2"))
