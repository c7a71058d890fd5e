"""A release is deployed, upgraded while runs are on, taken back, and deleted; nothing that people rely on is lost.

One stack goes through it all, and its fixtures are the steps, in this order: a test asks for the step that it is about.
"""

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from findings_analysis.comparison.fingerprint_format import FingerprintReader
from findings_analysis.comparison.fingerprints import EXACT, FIRST_SEEN, LOGICAL
from tests.builders import two_releases
from tests.builders.cloudformation import read_template
from tests.local_aws.deployed_exporter import Execution, Exporter
from tests.local_aws.inspector_control import InspectorControl
from tests.local_aws.server import DEFAULT_REGION, LocalAws, location_of
from tests.tools import release
from tests.tools.release_template import PARAMETER, release_template, text_of

pytestmark = pytest.mark.xdist_group("upgrade")

ACCOUNT = "210987654321"
PREFIX = "example-artifacts"
BUCKET = f"{PREFIX}-{DEFAULT_REGION}"
LAST, NEXT = "0.1.0", "0.2.0"
KEPT = {"Table", "Bucket", "Key", "Topic", "AlarmTopic", "DeadLetterQueue", "ExportFindings", "ExportFindingsNightly"}
"""What holds data, or is named by subscriptions and by what people built on it."""
MADE_AT = datetime(2026, 12, 1, tzinfo=UTC)
ONLY_CRITICAL = {"worst_new_severity": ["CRITICAL"]}


@dataclass(frozen=True)
class Artifacts:
    """The files of releases in a bucket, as docs/deploying.md has them uploaded."""

    aws: LocalAws

    def upload_release(self, version: str, source: Path, folder: Path) -> str:
        """Upload all files of a release, as make release makes them, and return the URL of the template."""
        (folder / "dist").mkdir()
        made = release.Release(version, MADE_AT, "")
        release.write(made, folder / "dist", two_releases.build_of(source, folder / "build"), source)
        return self._upload(made, {path.name: path.read_bytes() for path in (folder / "dist").iterdir()})

    def upload_deployed(self, version: str, source: Path, folder: Path) -> str:
        """Upload what is deployed of a release: without its SBOM and checksums, which take a while."""
        made, template = release.Release(version, MADE_AT, ""), read_template(source / release.TEMPLATE)
        code = release.code(template, two_releases.build_of(source, folder / "build"), MADE_AT, source)
        keys = {logical_id: made.prefix + name for logical_id, (name, _) in code.items()}
        text = text_of(release_template(template, keys, version)).encode()
        return self._upload(made, {release.TEMPLATE: text, **dict(code.values())})

    def _upload(self, made: release.Release, files: Mapping[str, bytes]) -> str:
        s3 = self.aws.client("s3", account=ACCOUNT)
        for name, content in files.items():
            s3.put_object(Bucket=BUCKET, Key=made.prefix + name, Body=content)
        return f"{self.aws.endpoint_url}/{BUCKET}/{made.prefix}template.yaml"


@dataclass
class Story:
    """One stack on its way."""

    exporter: Exporter
    inspector: InspectorControl
    last: str
    next: str
    first: Execution

    def history(self, run: Execution) -> dict[str, Any]:
        """A run's line in its report's history."""
        (line,) = [item for (_, sk), item in self.exporter.items().items() if sk.startswith("RUN#") and item["arn"] == run.arn]
        return line

    def plan(self, run: Execution) -> dict[str, Any]:
        """A run's plan as it is stored."""
        plan: dict[str, Any] = json.loads(self.exporter.run_item(run.arn)["plan"])
        return plan

    def baseline(self, run: Execution) -> str:
        """The execution that a run was compared with."""
        return str(json.loads(self.exporter.run_item(run.arn)["analysis"])["baseline"]["execution"])

    def fingerprints(self, run: Execution) -> list[bytes]:
        """What is kept of a run's findings."""
        content = self.exporter.read(self.history(run)["analysis_fingerprints"])
        return list(chain.from_iterable(FingerprintReader(io.BytesIO(content)).blocks()))

    def kept(self) -> dict[str, Any]:
        """What must outlive an upgrade: physical ids, and who is subscribed with which filter."""
        resources, sns = self.exporter.resources(), self.exporter.client("sns")
        listed = [
            each["SubscriptionArn"]
            for topic in ("TopicArn", "AlarmTopicArn")
            for each in sns.list_subscriptions_by_topic(TopicArn=self.exporter.outputs[topic])["Subscriptions"]
        ]
        subscriptions = {arn: sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"] for arn in listed}
        return {"resources": {name: resources[name] for name in KEPT}, "subscriptions": subscriptions}


@pytest.fixture(scope="module")
def artifacts(exporter_aws: LocalAws) -> Iterator[Artifacts]:
    exporter_aws.client("s3", account=ACCOUNT).create_bucket(Bucket=BUCKET, **location_of(DEFAULT_REGION))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(release, "COMPRESSION", zipfile.ZIP_STORED)  # to compress takes longer than the rest of the tests
        yield Artifacts(exporter_aws)


@pytest.fixture(scope="module")
def deployed_release(artifacts: Artifacts, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """The last release is deployed from its files, a team has subscribed, and a first run has ended."""
    folders = {version: tmp_path_factory.mktemp(version) for version in (LAST, NEXT)}
    last = two_releases.source_of(two_releases.last_release(), folders[LAST] / "source")
    following = two_releases.source_of_next(last, folders[NEXT] / "source")
    last_url = artifacts.upload_release(LAST, last, folders[LAST])
    next_url = artifacts.upload_deployed(NEXT, following, folders[NEXT])
    parameters = {PARAMETER: PREFIX, "NotificationEmail": "security@example.com", "NotifyOn": "CHANGES"}
    exporter = Exporter.create(artifacts.aws, "released", last_url, account=ACCOUNT, parameters=parameters)
    exporter.client("sns").subscribe(
        TopicArn=exporter.outputs["TopicArn"],
        Protocol="email",
        Endpoint="team@example.com",
        Attributes={"FilterPolicy": json.dumps(ONLY_CRITICAL)},
    )
    inspector = InspectorControl(artifacts.aws, ACCOUNT, DEFAULT_REGION)
    inspector.seed(findings=40, seed=1)
    inspector.configure(base_seconds=0.2, seconds_per_1000=0.0)
    return Story(exporter, inspector, last_url, next_url, exporter.run({}))


@dataclass(frozen=True)
class Upgraded:
    """What an upgrade did to the runs that were on."""

    story: Story
    kept_before: dict[str, Any]
    in_progress: Execution
    """Inspector was making its report during the upgrade."""
    queued: Execution
    """It was waiting for the lock during the upgrade."""
    after: Execution
    """It began after the upgrade."""


@pytest.fixture(scope="module")
def upgraded(deployed_release: Story) -> Upgraded:
    """The next release is deployed while a run waits for its report and another one for the lock; then a third one is started."""
    story, exporter, inspector = deployed_release, deployed_release.exporter, deployed_release.inspector
    inspector.evolve()
    inspector.hold()
    in_progress = exporter.start({})
    exporter.reached(in_progress, "Wait for Report")
    queued = exporter.start({})
    exporter.reached(queued, "Wait for Lock")
    before = story.kept()

    exporter.update(story.next)

    inspector.release()
    ended, queued_ended = (exporter.ended(each, seconds=60) for each in (in_progress, queued))
    inspector.evolve(day=2)
    return Upgraded(story, before, ended, queued_ended, exporter.run({}))


@dataclass(frozen=True)
class TakenBack:
    """What going back to the last release did to a run of the next one."""

    story: Story
    kept_before: dict[str, Any]
    earlier: Execution
    too_new: Execution
    after: Execution


@pytest.fixture(scope="module")
def taken_back(upgraded: Upgraded) -> TakenBack:
    """The last release is deployed again, although a run of the next one waits for its report; then another one is started."""
    story, exporter, inspector = upgraded.story, upgraded.story.exporter, upgraded.story.inspector
    inspector.hold()
    too_new = exporter.start({})
    exporter.reached(too_new, "Wait for Report")

    exporter.update(story.last)

    ended = exporter.ended(too_new, seconds=60)
    exporter.message_of(too_new)  # by clean_up, which has then cancelled the report
    inspector.release()
    return TakenBack(story, upgraded.kept_before, upgraded.after, ended, exporter.run({}))


def first_seen(records: list[bytes]) -> dict[bytes, bytes]:
    """The earliest first-seen day of each finding that outlives the rebuild of its image."""
    return {record[LOGICAL]: record[FIRST_SEEN] for record in sorted(records, key=lambda each: each[FIRST_SEEN], reverse=True)}


def test_a_release_is_deployed_from_a_bucket_without_a_macro_and_exports_a_report(deployed_release: Story) -> None:
    exporter, first = deployed_release.exporter, deployed_release.first
    assert first.status == "SUCCEEDED", first.cause
    message = exporter.message_of(first.arn)
    assert (message.outcome, message.event["analysis"]["baseline"]) == ("SUCCEEDED", None)
    template = exporter.client("cloudformation").get_template(StackName="released")["TemplateBody"]
    assert "AWS::Serverless" not in str(template)


def test_runs_that_are_on_during_an_upgrade_end_well_and_each_has_one_message(upgraded: Upgraded) -> None:
    exporter = upgraded.story.exporter
    for run in (upgraded.in_progress, upgraded.queued, upgraded.after):
        assert run.status == "SUCCEEDED", run.cause
        assert exporter.message_of(run.arn).outcome == "SUCCEEDED"
    assert exporter.lock() is None


def test_records_of_the_last_release_are_read_by_the_next_one_which_writes_its_own(upgraded: Upgraded) -> None:
    story = upgraded.story
    assert ["ends_at" in story.plan(run) for run in (upgraded.in_progress, upgraded.queued, upgraded.after)] == [
        False,
        False,
        True,
    ]
    lines = [story.history(run) for run in (story.first, upgraded.in_progress, upgraded.queued, upgraded.after)]
    assert ["added_by_next" in line for line in lines] == [False, True, True, True]


def test_each_report_is_compared_with_the_one_before_it(upgraded: Upgraded) -> None:
    story = upgraded.story
    assert story.baseline(upgraded.in_progress) == story.first.name
    # It gets the lock while the analysis of the run before may still be at work.
    assert story.baseline(upgraded.queued) in {story.first.name, upgraded.in_progress.name}
    assert story.baseline(upgraded.after) == upgraded.queued.name


def test_first_seen_days_are_those_of_the_first_run(upgraded: Upgraded) -> None:
    before, after = (upgraded.story.fingerprints(run) for run in (upgraded.story.first, upgraded.after))
    days, days_after = first_seen(before), first_seen(after)
    in_both = days.keys() & days_after.keys()
    assert {identity: days_after[identity] for identity in in_both} == {identity: days[identity] for identity in in_both}
    arns, arns_after = ({record[EXACT] for record in records if record[LOGICAL] in in_both} for records in (before, after))
    assert arns - arns_after, "the image was rebuilt, so that Inspector has other days for its findings"


def test_data_names_and_subscriptions_stay(upgraded: Upgraded) -> None:
    assert len(upgraded.kept_before["subscriptions"]) == 3
    assert upgraded.story.kept() == upgraded.kept_before
    filters = [json.loads(each.get("FilterPolicy") or "{}") for each in upgraded.kept_before["subscriptions"].values()]
    assert ONLY_CRITICAL in filters
    assert not [each for each in upgraded.kept_before["subscriptions"].values() if each.get("PendingConfirmation") == "true"]


def test_after_going_back_a_run_of_the_newer_release_fails_with_a_message_that_says_why(taken_back: TakenBack) -> None:
    exporter = taken_back.story.exporter
    assert (taken_back.too_new.status, taken_back.too_new.error) == ("FAILED", "UnsupportedReleaseError")
    message = exporter.message_of(taken_back.too_new.arn)
    assert (message.outcome, message.event["failure"]["error"]) == ("FAILED", "UnsupportedReleaseError")
    assert "Start a new execution" in " ".join(message.email.split())
    assert exporter.lock() is None


def test_after_going_back_reports_are_compared_with_those_of_the_newer_release(taken_back: TakenBack) -> None:
    assert taken_back.after.status == "SUCCEEDED", taken_back.after.cause
    assert taken_back.story.baseline(taken_back.after) == taken_back.earlier.name
    assert taken_back.story.kept() == taken_back.kept_before
    assert "ends_at" not in taken_back.story.plan(taken_back.after)


def test_an_update_that_fails_leaves_a_stack_that_can_be_deleted_while_a_run_is_on(taken_back: TakenBack) -> None:
    story, exporter = taken_back.story, taken_back.story.exporter
    s3 = exporter.client("s3")
    listed = s3.list_objects_v2(Bucket=BUCKET, Prefix=f"inspector-findings-exporter/{NEXT}/NotifyFunction")["Contents"]
    s3.delete_object(Bucket=BUCKET, Key=listed[0]["Key"])

    exporter.update(story.next, ends="UPDATE_ROLLBACK_COMPLETE")

    assert story.kept() == taken_back.kept_before
    story.inspector.hold()
    exporter.reached(exporter.start({}), "Wait for Report")
    assert_removal_keeps_reports(exporter)


def test_a_stack_that_no_run_has_used_can_be_deleted(artifacts: Artifacts, deployed_release: Story) -> None:
    assert_removal_keeps_reports(
        Exporter.create(artifacts.aws, "unused", deployed_release.last, account=ACCOUNT, parameters={PARAMETER: PREFIX})
    )


def assert_removal_keeps_reports(exporter: Exporter) -> None:
    """Delete a stack. Its bucket and key stay, with all objects; what is not there any more is all else."""
    resources, objects = exporter.resources(), exporter.sizes()

    exporter.delete()

    assert exporter.sizes() == objects
    assert exporter.client("kms").describe_key(KeyId=resources["Key"])["KeyMetadata"]["KeyState"] == "Enabled"
    assert exporter.client("s3").get_bucket_policy(Bucket=resources["Bucket"])["Policy"]
    names = {each["FunctionName"] for each in exporter.client("lambda").list_functions()["Functions"]}
    names |= set(exporter.client("dynamodb").list_tables()["TableNames"])
    names |= {each["TopicArn"] for each in exporter.client("sns").list_topics()["Topics"]}
    names |= {each["stateMachineArn"] for each in exporter.states.list_state_machines()["stateMachines"]}
    names |= {each["RoleName"] for each in exporter.client("iam").list_roles()["Roles"]}
    assert names & set(resources.values()) == set()
