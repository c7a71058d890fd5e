"""Digesting a verified report: read once, counted, compared with the baseline, left as Parquet, key file and digest.json.

The files of an execution have fixed keys, so that a repeated step writes the same ones again:

::

    <prefix>/findings/report=<name>/day=YYYY-MM-DD/<execution>.parquet
    <prefix>/digests/<name>/year=YYYY/month=MM/day=DD/<execution>/findings.keys
    <prefix>/digests/<name>/year=YYYY/month=MM/day=DD/<execution>/index.html
    <prefix>/digests/<name>/year=YYYY/month=MM/day=DD/<execution>/digest.json

A digest never fails an export. What can be expected to go wrong is written down as a failed digest, with a sentence; what
passes is raised, so that the step is tried again; anything else is the workflow's to write down.
"""

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, Any, BinaryIO

from botocore.exceptions import BotoCoreError, ClientError

from findings_digest import naming, parquet
from findings_digest.baseline import Baseline, NoBaseline, choose
from findings_digest.brief import Stored, brief
from findings_digest.columns import Batch
from findings_digest.counting import Counts
from findings_digest.coverage import Coverage, read_coverage
from findings_digest.csv_report import read_csv
from findings_digest.digest import Report, assemble
from findings_digest.errors import DigestError, MalformedReportError, ReportChangedError, ReportUnavailableError
from findings_digest.json_report import read_json
from findings_digest.keys import Header, KeyFileError, KeyReader, Readable
from findings_digest.night import Night, Told
from findings_digest.parquet import UnreadableParquetError
from findings_digest.ranged import Pinned, RangedObject, pin
from findings_digest.verdict import Verdict, judge
from findings_exporter import runs
from findings_exporter.config import Config
from findings_exporter.counts import count_digest
from findings_exporter.delivery import Delivery
from findings_exporter.errors import DENIED, THROTTLED, ServiceUnavailableError, code_of, is_refused
from findings_exporter.execution import Execution
from findings_exporter.messages import links as links_to
from findings_exporter.plan import Destination, Plan
from findings_exporter.runs import Run
from findings_exporter.table import Table

if TYPE_CHECKING:
    from mypy_boto3_inspector2 import Inspector2Client
    from mypy_boto3_s3 import S3Client

logger = logging.getLogger(__name__)

COPY_BYTES = 1 << 20
TREND_RUNS = 30
CAUSE_CHARACTERS = 600
"""Of what went wrong, in the sentence of a failed digest."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What a digest works with.

    Attributes
    ----------
    now
        The clock, for the metric of how long a digest takes.
    """

    config: Config
    table: Table
    s3: "S3Client"
    inspector2: "Inspector2Client"
    now: Callable[[], datetime]


def digest_run(desk: Desk, run: Run, delivery: Delivery) -> dict[str, Any]:
    """Digest a run's report and write the brief, or why there is none, into the run's record.

    Parameters
    ----------
    delivery
        The report as it was verified: the digest is of this object, and of no later one under its key.

    Returns
    -------
    dict
        ``state``: ``DIGESTED``, or ``NOT_DIGESTED`` with ``error``. What findings say is not in it: an execution's data is
        read by more people than a report.

    Raises
    ------
    ServiceUnavailableError
        S3 could not serve; worth another try.
    ClientError, BotoCoreError
        As they came, for the handler's translation.
    """
    plan, began = run.require_plan(), desk.now()
    try:
        told = _digested(desk, run, plan, delivery)
    except (DigestError, _RefusedError) as error:
        told = _failed(error)
    runs.note_digest(desk.table, run.execution, told)
    size_bytes = None if "error" in told else delivery.size_bytes
    count_digest(plan.report_name, (desk.now() - began).total_seconds(), size_bytes)
    return {"state": "NOT_DIGESTED", "error": told["error"]} if "error" in told else {"state": "DIGESTED"}


class _RefusedError(Exception):
    """S3 refused to store a file of the digest."""


def _failed(error: Exception) -> dict[str, str]:
    """Return an expected failure as it is written down: what happened, why, what to do."""
    what = " ".join(str(error).split())
    what = (what if len(what) <= CAUSE_CHARACTERS else f"{what[: CAUSE_CHARACTERS - 1]}…").rstrip(".")
    match error:
        case MalformedReportError():
            name, why = "Digest.ReportMalformed", "A part of a report is not taken for the whole. Look at the file"
        case ReportChangedError():
            name, why = "Digest.ReportChanged", "A digest of two reports mixed would be wrong. See who writes into the bucket"
        case ReportUnavailableError():
            name, why = "Digest.ReportUnreadable", "See whether digest_report may read the bucket and use the key"
        case _:
            name, why = "Digest.NotStored", "See whether digest_report may write into the bucket and use the key"
    sentence = (
        f"The report was delivered, but its digest could not be made: {what}. {why}; the next run makes its own digest."
        " Until then nothing is said of what changed."
    )
    return {"error": name, "sentence": sentence}


def _digested(desk: Desk, run: Run, plan: Plan, delivery: Delivery) -> dict[str, Any]:
    started_at = run.execution.started_at
    counts, unreadable = Counts(int(started_at.timestamp() * 1000)), Counter[str]()
    lines = runs.history(desk.table, plan.report_name)
    chosen = choose(lines, run.execution.id, started_at, plan.filter_hash)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        night = stack.enter_context(Night(started_at))
        table_file = stack.enter_context((folder / "findings.parquet").open("w+b"))
        key_file = stack.enter_context((folder / "findings.keys").open("w+b"))

        def seen(batches: Iterable[Batch]) -> Iterator[Batch]:
            for batch in batches:
                counts.add(batch)
                night.add(batch)
                yield batch

        with ExitStack() as reading:
            parquet.write(seen(_batches(desk, plan, delivery, unreadable, reading)), table_file, started_at)
        before = _KeysBefore(desk, plan.destination, chosen, folder / "baseline.keys", stack)
        coverage = read_coverage(
            desk.inspector2, desk.config.account, {account for account, _ in night.open if account} | before.accounts()
        )
        header = Header(
            report=plan.report_name,
            execution=run.execution.id,
            started_at=started_at.isoformat(),
            filter_hash=plan.filter_hash,
            filter_criteria=plan.filter_criteria,
            scanning=coverage.states(),
        )
        told = night.compare(header, key_file, before.open if isinstance(chosen, Baseline) else None, coverage.off())
        names = _names(desk, plan.destination, chosen, told, table_file, folder / "baseline.parquet")
        digest = assemble(
            _report(desk.config, run, plan, delivery), counts.to_dict(), told, chosen, _judged(night, coverage, told), names
        )
        digest["sentences"] += [
            f"{count:,} values of {column} could not be read and are left out." for column, count in sorted(unreadable.items())
        ]
        stored = _stored(desk, run, plan, digest, table_file, key_file)
        page = _page(desk, run, delivery, digest, lines, stored)
        if page is not None:
            page_key = f"{stored.digest_key.rpartition('/')[0]}/index.html"
            _put(desk.s3, plan.destination, page_key, page.encode(), "text/html; charset=utf-8")
            stored = replace(stored, page_key=page_key)
        return brief(digest, stored)


def _page(
    desk: Desk, run: Run, delivery: Delivery, digest: Mapping[str, Any], lines: Iterable[Mapping[str, Any]], stored: Stored
) -> str | None:
    """Return the night's page; None where it cannot be made, since a digest without a page is better than none."""
    # The page's libraries are imported by whoever makes one: a cold start that fails before need not wait for them.
    from findings_digest.page import render  # noqa: PLC0415

    config = desk.config
    links = {
        "report": links_to.report_url(replace(run, delivery=delivery), config),
        "digest": links_to.object_url(stored.bucket, stored.digest_key, config),
        "parquet": links_to.object_url(stored.bucket, stored.parquet_key, config),
        "execution": links_to.execution_url(run, config),
    }
    facts = {
        "deployment": {"account": config.account, "region": config.region, "stack": config.stack},
        "links": links,
        "duration_seconds": round((desk.now() - run.execution.started_at).total_seconds()),
        "time_zone": config.time_zone,
    }
    try:
        return render(digest, trend(lines, run.execution, digest), facts, config.language)
    except Exception as error:  # noqa: BLE001 - a template can fail in any way, and the numbers are there all the same
        logger.warning("the page could not be made: %s", type(error).__name__)
        return None


def trend(lines: Iterable[Mapping[str, Any]], execution: Execution, digest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return how many findings the last runs had, the oldest first and this one last.

    Parameters
    ----------
    lines
        Of the history of the report, the newest first.
    """
    runs_before = [
        {
            "started_at": line["sk"].split("#")[1],
            "outcome": line["outcome"],
            "by_severity": json.loads(line["by_severity"]) if "by_severity" in line else None,
            "is_dark": line.get("dark", "{}") != "{}",
        }
        for line in lines
        if line["sk"].split("#")[1] < execution.started_at.isoformat()
    ]
    this = {
        "started_at": execution.started_at.isoformat(),
        "outcome": "SUCCEEDED",
        "by_severity": dict(digest["counts"]["by_severity"]),
        "is_dark": bool(digest["verdict"]["dark"]),
    }
    return [*reversed(runs_before[: TREND_RUNS - 1]), this]


def _batches(desk: Desk, plan: Plan, delivery: Delivery, unreadable: Counter[str], stack: ExitStack) -> Iterable[Batch]:
    if delivery.key is None or delivery.nothing_found:
        return []
    # By its ETag alone: to read a version by its id would need one more permission, of each owner of a bucket.
    pinned = Pinned(delivery.bucket, delivery.key, delivery.size_bytes, str(delivery.etag), None, plan.destination.owner)
    read = read_csv if plan.report_format == "CSV" else read_json
    return _or_retried(read(stack.enter_context(RangedObject(desk.s3, pinned)), unreadable=unreadable))


def _or_retried(batches: Iterable[Batch]) -> Iterator[Batch]:
    """Give the batches; where S3 did not serve, raise what is tried again."""
    try:
        yield from batches
    except ReportUnavailableError as error:
        _raise_what_passes(error)
        raise


def _raise_what_passes(error: DigestError) -> None:
    """Raise what is worth another try; a refusal is not."""
    cause = error.__cause__
    if not isinstance(cause, ClientError) or code_of(cause) in THROTTLED or not is_refused(cause):
        raise ServiceUnavailableError(str(error)) from error


class _KeysBefore:
    """The baseline's key file, fetched once; what keeps it from being read is told when it is opened."""

    def __init__(self, desk: Desk, destination: Destination, chosen: Baseline | NoBaseline, path: Path, stack: ExitStack) -> None:
        self._path, self._stack = path, stack
        self._why = ""
        if isinstance(chosen, Baseline):
            try:
                _fetch(desk.s3, chosen.bucket, chosen.keys_key, chosen.keys_version, destination.owner, path)
            except DigestError as error:
                _raise_unless_told(error)
                self._why = str(error)

    def accounts(self) -> set[str]:
        """Return the accounts that were asked for at the baseline."""
        try:
            with self._path.open("rb") as file:
                return set(KeyReader(file).header.scanning)
        except (KeyFileError, OSError):
            return set()

    def open(self) -> Readable:
        """Open it.

        Raises
        ------
        KeyFileError
            It could not be fetched.
        """
        if self._why:
            raise KeyFileError(self._why)
        return self._stack.enter_context(self._path.open("rb"))


def _raise_unless_told(error: DigestError) -> None:
    if isinstance(error, ReportUnavailableError):
        _raise_what_passes(error)


def _fetch(s3: "S3Client", bucket: str, key: str, version: str | None, owner: str, path: Path) -> None:
    """Copy an object of an earlier digest into a file.

    Raises
    ------
    ReportChangedError
        It is not the version that the digest wrote.
    ReportUnavailableError
        S3 does not give it.
    """
    pinned = pin(s3, bucket, key, owner)
    if version is not None and pinned.version_id != version:
        raise ReportChangedError(f"s3://{bucket}/{key} was replaced since it was written.")
    buffer = memoryview(bytearray(COPY_BYTES))
    with RangedObject(s3, replace(pinned, version_id=None)) as source, path.open("wb") as file:
        while count := source.readinto(buffer):
            file.write(buffer[:count])


def _names(
    desk: Desk,
    destination: Destination,
    chosen: Baseline | NoBaseline,
    told: Told,
    table_file: IO[bytes],
    path: Path,
) -> naming.Names:
    if told.compared is None:
        return {}
    of_baseline, of_tonight = naming.wanted(told.compared.changes)
    table_file.flush()
    table_file.seek(0)
    names = naming.find(parquet.read(table_file, naming.NAMED), of_tonight) if of_tonight else {}
    if of_baseline and isinstance(chosen, Baseline) and chosen.parquet_key:
        try:
            _fetch(desk.s3, chosen.bucket, chosen.parquet_key, chosen.parquet_version, destination.owner, path)
            with path.open("rb") as file:
                return naming.find(parquet.read(file, naming.NAMED), of_baseline) | names
        # A digest without some names is better than none.
        except (DigestError, UnreadableParquetError, BotoCoreError, ClientError) as error:
            logger.warning("the baseline's Parquet could not be read: %s", type(error).__name__)
    return names


def _judged(night: Night, coverage: Coverage, told: Told) -> Verdict:
    compared = told.compared
    return judge(night.open, coverage, (compared.header, compared.summary) if compared else None)


def _report(config: Config, run: Run, plan: Plan, delivery: Delivery) -> Report:
    return Report(
        name=plan.report_name,
        format=plan.report_format,
        execution=run.execution.id,
        started_at=run.execution.started_at,
        account=config.account,
        region=config.region,
        filter_hash=plan.filter_hash,
        filter_criteria=plan.filter_criteria,
        bucket=delivery.bucket,
        key=delivery.key,
    )


def _stored(desk: Desk, run: Run, plan: Plan, digest: Mapping[str, Any], table_file: BinaryIO, key_file: BinaryIO) -> Stored:
    """Write the files, digest.json last: where it lies, the others do, too."""
    day, prefix = run.execution.started_at, desk.config.key_prefix
    folder = f"{prefix}/digests/{plan.report_name}/{day:year=%Y/month=%m/day=%d}/{run.execution.id}"
    parquet_key = f"{prefix}/findings/report={plan.report_name}/day={day:%Y-%m-%d}/{run.execution.id}.parquet"
    keys_key, digest_key = f"{folder}/findings.keys", f"{folder}/digest.json"
    text = json.dumps(digest, ensure_ascii=False, indent=1).encode()
    parquet_version = _put(desk.s3, plan.destination, parquet_key, table_file, "application/vnd.apache.parquet")
    keys_version = _put(desk.s3, plan.destination, keys_key, key_file, "application/octet-stream")
    _put(desk.s3, plan.destination, digest_key, text, "application/json")
    return Stored(plan.destination.bucket, digest_key, parquet_key, keys_key, keys_version, parquet_version)


def _put(s3: "S3Client", destination: Destination, key: str, content: BinaryIO | bytes, content_type: str) -> str | None:
    """Write an object, encrypted as the report is, and return its version id; None in a bucket without versioning."""
    if not isinstance(content, bytes):
        content.flush()
        content.seek(0)
    try:
        answer = s3.put_object(
            Bucket=destination.bucket,
            Key=key,
            Body=content,
            ContentType=content_type,
            ExpectedBucketOwner=destination.owner,
            ServerSideEncryption="aws:kms",
            SSEKMSKeyId=destination.kms_key_arn,
        )
    except ClientError as error:
        code = code_of(error)
        if code in DENIED or (code.startswith("KMS.") and code not in THROTTLED):
            raise _RefusedError(f"S3 refused to store s3://{destination.bucket}/{key}: {error}") from error
        raise
    version = answer.get("VersionId")
    return None if version == "null" else version
