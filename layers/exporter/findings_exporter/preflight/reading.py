"""What a setup check reads. Whatever cannot be read is ``Unread``, with the reason, and never fails the check."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from findings_exporter.aws.attempts import READ_ATTEMPTS, Attempts, Unread, schedules, why_unread
from findings_exporter.aws.handler import client
from findings_exporter.model.layout import owner_rules_key, reports_key
from findings_exporter.model.notes import Note
from findings_exporter.model.owner_rules import MOST_FILE_BYTES
from findings_exporter.model.reports import MOST_REPORTS_BYTES
from findings_exporter.preflight.deployment import Deployment, Permission

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_inspector2 import Inspector2Client
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

REGIONS = {"": "us-east-1", "EU": "eu-west-1"}
"""How S3 calls its first Region, and sometimes its second."""


NO_SUCH_BUCKET, NO_SUCH_KEY = Unread(Note("why.no_bucket")), Unread(Note("why.no_key"))


@dataclass(frozen=True, slots=True)
class BucketSeen:
    """The bucket that reports go to.

    Attributes
    ----------
    region
        None: there is no such bucket.
    is_owners
        Whether it belongs to the account that the deployment names.
    policy
        None: it has none.
    """

    region: str | Unread | None
    is_owners: bool | Unread
    policy: Mapping[str, Any] | Unread | None


@dataclass(frozen=True, slots=True)
class KeySeen:
    """A key: its description (None: there is no such key) and its policy."""

    description: Mapping[str, Any] | Unread | None
    policy: Mapping[str, Any] | Unread | None


@dataclass(frozen=True, slots=True)
class PermissionSeen:
    """What IAM's own simulation says of something that a role must be able to do."""

    permission: Permission
    results: list[Mapping[str, Any]] | Unread


@dataclass(frozen=True, slots=True)
class PreflightClients:
    """Whom a setup check asks."""

    deployment: Deployment
    inspector: "Inspector2Client"
    s3: "S3Client"
    kms: "KMSClient"
    iam: "IAMClient"
    sns: "SNSClient"
    scheduler: "EventBridgeSchedulerClient"
    sqs: "SQSClient"

    @classmethod
    def from_deployment(cls, deployment: Deployment) -> Self:
        """Make the clients; once, at a handler's module level."""
        return cls(
            deployment,
            client("inspector2", attempts=READ_ATTEMPTS),
            client("s3", attempts=READ_ATTEMPTS),
            client("kms", attempts=READ_ATTEMPTS),
            client("iam", attempts=READ_ATTEMPTS),
            client("sns", attempts=READ_ATTEMPTS),
            client("scheduler", attempts=READ_ATTEMPTS),
            client("sqs", attempts=READ_ATTEMPTS),
        )


@dataclass(frozen=True, slots=True)
class Reader:
    """What the setup check reads."""

    clients: PreflightClients
    attempts: Attempts

    def account(self) -> Mapping[str, Any] | Unread | None:
        """Return the state of Inspector in the account; None when Inspector does not know the account."""
        account = self.clients.deployment.config.account
        answer = self._read(lambda: self.clients.inspector.batch_get_account_status(accountIds=[account]))
        if answer is None or isinstance(answer, Unread):
            return answer
        failed = [
            Unread(why_unread("why.inspector_refused", str(each.get("errorMessage")), code=str(each.get("errorCode"))))
            for each in answer.get("failedAccounts", [])
        ]
        if failed:
            return failed[0]
        return next((each for each in answer["accounts"] if each["accountId"] == account), None)

    def scanned(self) -> int | Unread | None:
        """Return how many resources Inspector scans."""
        answer = self._read(
            lambda: self.clients.inspector.list_coverage_statistics(
                filterCriteria={"scanStatusCode": [{"comparison": "EQUALS", "value": "ACTIVE"}]}
            )
        )
        return answer if answer is None or isinstance(answer, Unread) else answer["totalCounts"]

    def bucket(self) -> BucketSeen:
        """Look at the reports' bucket."""
        s3, config = self.clients.s3, self.clients.deployment.config
        seen = self._read(lambda: s3.get_bucket_location(Bucket=config.bucket))
        if seen is None:
            return BucketSeen(None, NO_SUCH_BUCKET, NO_SUCH_BUCKET)
        policy = self._read(lambda: s3.get_bucket_policy(Bucket=config.bucket))
        read = policy if policy is None or isinstance(policy, Unread) else document(policy["Policy"])
        if isinstance(seen, Unread):
            return BucketSeen(self._region_beside_a_refusal(seen), seen, read)
        location: Any = seen.get("LocationConstraint")  # None, whatever the stubs say
        name = location or ""
        owners = self._read(lambda: s3.get_bucket_location(Bucket=config.bucket, ExpectedBucketOwner=config.bucket_owner))
        if isinstance(owners, Unread):
            # The same call went through without an owner: what is refused now is the owner.
            return BucketSeen(REGIONS.get(name, name), False if owners.is_refused else owners, read)
        return BucketSeen(REGIONS.get(name, name), True, read)

    def key(self, arn: str) -> KeySeen:
        """Look at a key."""
        kms = self.clients.kms
        description = self._read(lambda: kms.describe_key(KeyId=arn))
        if description is None or isinstance(description, Unread):
            return KeySeen(description, self._key_policy(arn) if description else NO_SUCH_KEY)
        return KeySeen(description["KeyMetadata"], self._key_policy(arn))

    def permission(self, permission: Permission) -> PermissionSeen:
        """Ask IAM to simulate something that a role must be able to do."""
        answer = self._read(
            lambda: self.clients.iam.simulate_principal_policy(
                PolicySourceArn=permission.role,
                ActionNames=list(permission.actions),
                ResourceArns=[permission.resource],
                ContextEntries=[
                    {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
                    for key, value in permission.context
                ],
            )
        )
        if answer is None or isinstance(answer, Unread):
            return PermissionSeen(permission, Unread(Note("why.no_role")) if answer is None else answer)
        return PermissionSeen(permission, list(answer["EvaluationResults"]))

    def topic(self, arn: str) -> Mapping[str, str] | Unread | None:
        """Return a topic's attributes."""
        answer = self._read(lambda: self.clients.sns.get_topic_attributes(TopicArn=arn))
        return answer if answer is None or isinstance(answer, Unread) else answer["Attributes"]

    def owner_rules(self) -> bytes | Unread | None:
        """Return the file that says who owns what; None: there is none. Of one that is too long, enough to see that."""
        return self._file(owner_rules_key(self.clients.deployment.config.key_prefix), MOST_FILE_BYTES)

    def reports_file(self) -> bytes | Unread | None:
        """Return the file of reports; None: there is none. Of one that is too long, enough to see that."""
        return self._file(reports_key(self.clients.deployment.config.key_prefix), MOST_REPORTS_BYTES)

    def _file(self, key: str, most_bytes: int) -> bytes | Unread | None:
        s3, config = self.clients.s3, self.clients.deployment.config
        bucket, owner = config.bucket, config.bucket_owner
        # S3 answers 403 for a missing object to a role that may not list, so the file is looked for first.
        listed = self._read(lambda: s3.list_objects_v2(Bucket=bucket, ExpectedBucketOwner=owner, Prefix=key, MaxKeys=1))
        if listed is None or isinstance(listed, Unread):
            return NO_SUCH_BUCKET if listed is None else listed
        if key not in [each["Key"] for each in listed.get("Contents", [])]:
            return None
        return self._read(lambda: s3.get_object(Bucket=bucket, ExpectedBucketOwner=owner, Key=key)["Body"].read(most_bytes + 1))

    def schedules(self) -> list[Mapping[str, Any]] | Unread:
        """Return the schedules that start the workflow, or that of all reports."""
        return schedules(self.clients.scheduler, self.clients.deployment.config, self.attempts)

    def undelivered(self) -> int | Unread | None:
        """Return how many messages lie in the dead-letter queue."""
        url = self.clients.deployment.dead_letter_queue_url
        answer = self._read(
            lambda: self.clients.sqs.get_queue_attributes(
                QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
            )
        )
        if answer is None or isinstance(answer, Unread):
            return answer
        return sum(int(count) for count in answer["Attributes"].values())

    def _region_beside_a_refusal(self, refusal: Unread) -> str | Unread:
        """Return the Region of a bucket, which S3 gives to any caller, even one who may do nothing with it."""
        try:
            headers = self.clients.s3.head_bucket(Bucket=self.clients.deployment.config.bucket)["ResponseMetadata"]["HTTPHeaders"]
        except ClientError as error:
            headers = error.response["ResponseMetadata"].get("HTTPHeaders", {})
        except BotoCoreError:
            return refusal
        return headers.get("x-amz-bucket-region") or refusal

    def _key_policy(self, arn: str) -> Mapping[str, Any] | Unread | None:
        answer = self._read(lambda: self.clients.kms.get_key_policy(KeyId=arn, PolicyName="default"))
        return answer if answer is None or isinstance(answer, Unread) else document(answer["Policy"])

    def _read[T](self, call: Callable[[], T]) -> T | Unread | None:
        return self.attempts.read(call)


def document(policy: str) -> Mapping[str, Any] | Unread:
    """Read a policy's text."""
    try:
        read = json.loads(policy)
    except ValueError:
        read = None
    return read if isinstance(read, dict) else Unread(Note("why.no_json_object"))
