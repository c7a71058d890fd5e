"""The AWS clients of the functions that work with a report, in one bundle a kind of function.

A bundle has what its functions need and no more: each role allows only that.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Self

from findings_exporter.aws.handler import client, utc_now
from findings_exporter.aws.inspector import Inspector
from findings_exporter.aws.lock import Lock
from findings_exporter.aws.table import Table
from findings_exporter.model.config import Config

if TYPE_CHECKING:
    from mypy_boto3_inspector2 import Inspector2Client
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_stepfunctions import SFNClient


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

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """Make the clients; once, at a handler's module level."""
        return cls(*_shared(config), client("stepfunctions"), client("sns"), client("s3"))

    @property
    def of_owners(self) -> OwnerClients:
        """What notifying owners needs of them."""
        return OwnerClients(self.config, self.table, self.s3, self.sns)


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
