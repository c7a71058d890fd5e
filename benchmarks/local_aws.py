"""What production's analysis asks AWS for, answered from files: the code that is measured is the one that Lambda runs.

A folder in ``.bench`` is the bucket of a report and its baseline, so that several processes can work with it as several
functions do. What S3 does by itself costs nothing here: a copied object is a link. The way to it is the disk, or its cache.
"""

from __future__ import annotations

import io
import json
import os
import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from benchmarks.reports import ACCOUNTS, FOLDER, NOW
from findings_exporter.aws.clients import AnalysisClients, PartClients
from findings_exporter.aws.run_store import history_line
from findings_exporter.aws.table import Table
from findings_exporter.model.config import Config
from findings_exporter.model.delivery import Delivery
from findings_exporter.model.execution import Execution
from findings_exporter.model.layout import AnalysisKeys, analysis_keys, owner_rules_key
from findings_exporter.model.plan import Plan, make_plan
from findings_exporter.model.run import Run
from tests.tools.analyze import Inspector

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from benchmarks.reports import Baseline

REGION, ACCOUNT = "eu-west-1", ACCOUNTS[0]
KEY_ARN = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/bench"
REPORT_ID = "00000000-0000-0000-0000-000000000000"
STARTED_AT = datetime.fromtimestamp(NOW, UTC)
NO_TABLE = Table(cast("Any", None), "")
"""The history is a file here, and no record of a run is written."""


OWNERS_ENVIRONMENT = {
    "OWNER_TAG": "team",
    "OWNER_MESSAGES": "ALL",
    "REMEDIATION_DAYS": '{"CRITICAL": 15, "HIGH": 30, "MEDIUM": 90, "LOW": 180}',
}
OWNER_RULES = [{"owner": f"team-{number}", "repositories": [f"*/service-{number}"]} for number in range(150)] + [
    {"owner": f"account-{account}", "accounts": [account], "resource_types": ["AWS_EC2_INSTANCE"]} for account in ACCOUNTS[:48]
]
"""Two hundred owners with those that the tag names and those that none does."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """The calls of S3's client that an analysis makes; keys are paths in a folder."""

    folder: Path

    def lay(self, key: str, path: Path) -> None:
        """Let a report lie under its key."""
        laid = self._path(key)
        if not (laid.exists() and laid.samefile(path)):
            # At once, since the processes of two parts may lay the same report.
            link = laid.with_suffix(f".{os.getpid()}")
            link.hardlink_to(path)
            link.replace(laid)

    def content(self, key: str) -> bytes:
        """Return an object."""
        return self._path(key).read_bytes()

    def head_object(self, *, Key: str, **_: object) -> dict[str, Any]:  # noqa: N803 - S3's names
        """Tell of an object."""
        status = self._path(Key).stat()
        return {"ContentLength": status.st_size, "ETag": f'"{status.st_size:x}-{status.st_mtime_ns:x}"'}

    def list_objects_v2(self, *, Prefix: str, **_: object) -> dict[str, Any]:  # noqa: N803
        """List keys: there is at most the file of owners."""
        return {"Contents": [{"Key": Prefix}]} if self._path(Prefix).exists() else {}

    def get_object(self, *, Key: str, Range: str = "", IfMatch: str = "", **_: object) -> dict[str, Any]:  # noqa: N803
        """Give a range of an object, or all of it."""
        if not Range:
            return {"Body": io.BytesIO(self.content(Key)), "ETag": self.head_object(Key=Key)["ETag"]}
        assert self.head_object(Key=Key)["ETag"] == IfMatch
        first, last = map(int, Range.removeprefix("bytes=").split("-"))
        with self._path(Key).open("rb", buffering=0) as file:
            return {"Body": io.BytesIO(os.pread(file.fileno(), last + 1 - first, first))}

    def put_object(self, *, Key: str, Body: Any, **_: object) -> dict[str, Any]:  # noqa: ANN401, N803
        """Store an object."""
        path = self._path(Key)
        path.unlink(missing_ok=True)  # it may be a link
        with path.open("wb") as file:
            shutil.copyfileobj(io.BytesIO(Body) if isinstance(Body, bytes) else Body, file, 1 << 20)
        return self.head_object(Key=Key)

    def copy_object(self, *, Key: str, CopySource: Any, CopySourceIfMatch: str, **_: object) -> None:  # noqa: ANN401, N803
        """Copy an object."""
        assert self.head_object(Key=CopySource["Key"])["ETag"] == CopySourceIfMatch
        self.lay(Key, self._path(CopySource["Key"]))

    def delete_objects(self, *, Delete: Mapping[str, Any], **_: object) -> dict[str, Any]:  # noqa: N803
        """Delete objects."""
        for each in Delete["Objects"]:
            self._path(each["Key"]).unlink()
        return {}

    def _path(self, key: str) -> Path:
        path = self.folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


@dataclass(frozen=True, slots=True)
class Scene:
    """A run of a report, and what is needed to analyze it.

    Attributes
    ----------
    history_file
        The lines of earlier runs.
    """

    bucket: Bucket
    config: Config
    run: Run
    delivery: Delivery
    history_file: Path

    @classmethod
    def of(cls, report: Path, baseline: Baseline) -> Scene:
        """Set the scene of a report that is compared with one of its baselines."""
        return cls._made(report, report, baseline, STARTED_AT, "now")

    @classmethod
    def of_baseline(cls, report: Path, baseline: Baseline) -> Scene:
        """Set the scene of the baseline, a day before."""
        earlier = report.with_stem(report.stem.replace("now", "quiet" if baseline == "owned" else baseline))
        return cls._made(report, earlier, baseline, STARTED_AT - timedelta(days=1), "before")

    @classmethod
    def _made(cls, report: Path, read: Path, baseline: Baseline, started_at: datetime, name: str) -> Scene:
        bucket = Bucket(FOLDER / f"bucket-{report.name}-{baseline}")
        config = Config.from_env(ENVIRONMENT | (OWNERS_ENVIRONMENT if baseline == "owned" else {}))
        if baseline == "owned":
            bucket.put_object(Key=owner_rules_key(config.key_prefix), Body=json.dumps(OWNER_RULES).encode())
        arn = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:bench-ExportFindings:{name}"
        execution = Execution(arn, started_at)
        plan = make_plan({"report": {"format": report.suffix[1:].upper()}}, config, execution)
        assert isinstance(plan, Plan)
        key = f"{plan.destination.prefix}{REPORT_ID}{report.suffix}"
        bucket.lay(key, read)
        head = bucket.head_object(Key=key)
        delivery = Delivery("bench", plan.destination.prefix, key, head["ContentLength"], head["ETag"], None, KEY_ARN, None)
        run = Run(execution, "{}", plan, report_id=REPORT_ID, notification_id=name)
        return cls(bucket, config, run, delivery, bucket.folder / "history.json")

    @property
    def clients(self) -> AnalysisClients:
        """The clients of Analyze Report; Inspector scans everything."""
        inspector = cast("Any", Inspector(ACCOUNTS, None))
        return AnalysisClients(self.config, NO_TABLE, cast("Any", self.bucket), inspector, lambda: datetime.now(UTC))

    @property
    def part_clients(self) -> PartClients:
        """The clients of Cut Report and Analyze Part."""
        return PartClients(self.config, NO_TABLE, cast("Any", self.bucket), lambda: datetime.now(UTC))

    @property
    def keys(self) -> AnalysisKeys:
        """Where the analysis leaves its files."""
        plan = self.run.require_plan()
        return analysis_keys(self.config.key_prefix, plan.report_name, self.run.execution, is_regular=plan.is_regular)

    def history(self) -> list[Any]:
        """Return the lines of earlier runs."""
        return list(json.loads(self.history_file.read_text())) if self.history_file.exists() else []

    def record(self, headline: dict[str, Any]) -> None:
        """Record the run as the only earlier one."""
        began = self.run.execution.started_at
        run = replace(self.run, outcome="SUCCEEDED", delivery=self.delivery, analysis=headline, ended_at=began)
        self.history_file.write_text(json.dumps([history_line(run)]))


ENVIRONMENT = {
    "TABLE_NAME": "none",
    "TOPIC_ARN": f"arn:aws:sns:{REGION}:{ACCOUNT}:none",
    "STATE_MACHINE_ARN": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:bench-ExportFindings",
    "BUCKET": "bench",
    "BUCKET_OWNER": ACCOUNT,
    "KEY_PREFIX": "inspector",
    "KMS_KEY_ARN": KEY_ARN,
    "REPORT_NAME": "bench",
    "REPORT_FORMAT": "JSON",
    "FILTER_CRITERIA": json.dumps({"findingStatus": [
        {"comparison": "EQUALS", "value": status} for status in ("ACTIVE", "SUPPRESSED", "CLOSED")
    ]}),
    "ON_BUSY": "wait",
    "DEADLINE_HOURS": "6",
}  # fmt: skip
