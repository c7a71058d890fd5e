"""Whom the steps around a report talk to, in one bundle each: no step makes a client that it does not need."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from findings_exporter.aws.handler import client
from findings_exporter.aws.inspector import Inspector
from findings_exporter.aws.lock import Lock
from findings_exporter.aws.table import Table
from findings_exporter.model.config import Config

if TYPE_CHECKING:
    from mypy_boto3_inspector2 import Inspector2Client
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_stepfunctions import SFNClient


@dataclass(frozen=True, slots=True)
class Clients:
    """What watching and stopping a report needs: Inspector, the records and the lock."""

    config: Config
    table: Table
    lock: Lock
    inspector: Inspector

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """Make the clients; once, at a handler's module level."""
        table = Table(client("dynamodb"), config.table_name)
        return cls(config, table, Lock(table, config.account, config.region), Inspector(client("inspector2")))


@dataclass(frozen=True, slots=True)
class StartClients:
    """What starting a report needs on top.

    Attributes
    ----------
    creator
        Never retries by itself: a create whose answer was lost must be looked for, not repeated.
    s3
        To find a report that an earlier try created.
    states
        To ask whether another run still lives.
    """

    clients: Clients
    creator: "Inspector2Client"
    s3: "S3Client"
    states: "SFNClient"

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """Make the clients; once, at a handler's module level."""
        return cls(Clients.from_config(config), client("inspector2", attempts=1), client("s3"), client("stepfunctions"))
