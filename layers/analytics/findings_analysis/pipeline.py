"""Digesting a verified report: read once, counted, compared with the baseline, left as Parquet, key file and digest.json.

The files of an execution have fixed keys, so that a repeated step writes the same ones again:

::

    <prefix>/findings/report=<name>/day=YYYY-MM-DD/<execution>.parquet    (or <name>.other: see OTHER_RUNS)
    <prefix>/digests/<name>/year=YYYY/month=MM/day=DD/<execution>/findings.keys
    <prefix>/digests/<name>/year=YYYY/month=MM/day=DD/<execution>/carried.parquet    (where findings are carried over)
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
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from findings_analysis.assessment.coverage import read_coverage
from findings_analysis.assessment.coverage_status import judge
from findings_analysis.assessment.resumption import surely_scanned
from findings_analysis.assessment.statistics import Counts
from findings_analysis.comparison import finding_details
from findings_analysis.comparison.arns import Arns
from findings_analysis.comparison.baseline import Earlier, NoBaseline, choose, earlier_runs, unreadable
from findings_analysis.comparison.current_findings import Compared, Night
from findings_analysis.comparison.difference import NotScanned
from findings_analysis.comparison.fingerprint_format import Header, KeyFile
from findings_analysis.comparison.stored_files import EarlierFiles, RefusedError, UnreadableFileError, put, raise_what_passes
from findings_analysis.output import parquet
from findings_analysis.output.document import Report, assemble
from findings_analysis.output.headline import Stored, brief
from findings_analysis.output.parquet import UnreadableParquetError
from findings_analysis.reading.csv_report import read_csv
from findings_analysis.reading.errors import DigestError, MalformedReportError, ReportChangedError, ReportUnavailableError
from findings_analysis.reading.json_report import read_json
from findings_analysis.reading.s3_stream import Pinned, RangedObject
from findings_analysis.reading.schema import Batch
from findings_exporter.aws import run_store
from findings_exporter.aws.metrics import count_digest
from findings_exporter.aws.run_store import Run
from findings_exporter.aws.table import Table
from findings_exporter.model.config import Config
from findings_exporter.model.notes import Note
from findings_exporter.model.plan import Plan
from findings_exporter.notification import links as links_to
from findings_exporter.steps.verify_report import Delivery

if TYPE_CHECKING:
    from mypy_boto3_inspector2 import Inspector2Client
    from mypy_boto3_s3 import S3Client

logger = logging.getLogger(__name__)

TREND_RUNS = 30
TREND_LOOKED_AT = 2_000
"""Lines of the history: with more between them, a trend is shorter."""
OTHER_RUNS = ".other"
"""Ends the partition of runs that do not stand for the report of their name."""
PARQUET = "application/vnd.apache.parquet"
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
    report_name, began = run.require_plan().report_name, desk.now()
    told = brief_of(desk, run, delivery, lambda: run_store.history(desk.table, report_name))
    run_store.note_digest(desk.table, run.execution, told)
    size_bytes = None if "error" in told else delivery.size_bytes
    count_digest(report_name, (desk.now() - began).total_seconds(), size_bytes)
    return {"state": "NOT_DIGESTED", "error": told["error"]} if "error" in told else {"state": "DIGESTED"}


def brief_of(desk: Desk, run: Run, delivery: Delivery, history: Callable[[], Iterable[Mapping[str, Any]]]) -> dict[str, Any]:
    """Digest a report and leave its files.

    Parameters
    ----------
    history
        Gives the lines of the report's history, the newest first; they are read as far as they are needed.

    Returns
    -------
    dict
        The brief (:mod:`findings_analysis.output.headline`); of an expected failure ``error`` and ``sentence``.
    """
    try:
        return _digested(desk, run, run.require_plan(), delivery, history)
    except (DigestError, RefusedError) as error:
        return _failed(error)


def _failed(error: Exception) -> dict[str, str]:
    """Return an expected failure as it is written down: what happened, why, what to do."""
    what = " ".join(str(error).split())
    what = (what if len(what) <= CAUSE_CHARACTERS else f"{what[: CAUSE_CHARACTERS - 1]}…").rstrip(".")
    match error:
        case MalformedReportError():
            name, do = "Digest.ReportMalformed", "malformed"
        case ReportChangedError():
            name, do = "Digest.ReportChanged", "changed"
        case ReportUnavailableError():
            name, do = "Digest.ReportUnreadable", "unreadable"
        case _:
            name, do = "Digest.NotStored", "not_stored"
    return {"error": name, "sentence": Note("analysis.failed", what=what, do=Note(f"analysis.{do}"))}


def _digested(
    desk: Desk, run: Run, plan: Plan, delivery: Delivery, history: Callable[[], Iterable[Mapping[str, Any]]]
) -> dict[str, Any]:
    started_at, scheduled = run.execution.started_at, plan.is_scheduled
    counts, unreadable_values = Counts(int(started_at.timestamp() * 1000)), Counter[str]()

    def earlier() -> Iterator[Earlier]:
        return earlier_runs(history(), run.execution.id, started_at)

    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        night = stack.enter_context(Night(started_at))
        table_file = stack.enter_context((folder / "findings.parquet").open("w+b"))
        key_file = stack.enter_context((folder / "findings.keys").open("w+b"))
        carried_file = stack.enter_context((folder / "carried.parquet").open("w+b"))

        files = EarlierFiles(desk.s3, plan.destination.owner, plan.report_name, folder)
        chosen = choose(earlier(), plan.filter_hash, scheduled=scheduled)
        baseline = None
        if isinstance(chosen, Earlier):
            try:
                baseline = files.key_file(chosen)
            except UnreadableFileError as error:
                chosen = unreadable(chosen, str(error))
        days_from = files.newest_key_files(earlier(), baseline)

        def seen(batches: Iterable[Batch]) -> Iterator[Batch]:
            for batch in batches:
                first = night.add(batch)
                if first["finding_arn"]:
                    counts.add(first)
                    yield first

        with ExitStack() as reading:
            parquet.write(seen(_batches(desk, plan, delivery, unreadable_values, reading)), table_file, started_at)
        before = [baseline, *days_from] if baseline else days_from
        coverage = read_coverage(desk.inspector2, desk.config.account, _places(night, before))
        scanned = surely_scanned(coverage, night.open, before, started_at)
        header = Header(
            report=plan.report_name,
            execution=run.execution.id,
            started_at=started_at.isoformat(),
            filter_hash=plan.filter_hash,
            filter_criteria=plan.filter_criteria,
            scanning=scanned.states,
            resuming=scanned.resuming,
        )
        told = night.compare(header, key_file, baseline, days_from, NotScanned(scanned.unsure(), scanned.off()))
        compared = told.compared
        verdict = judge(
            night.open,
            coverage,
            (compared.header, compared.summary) if compared else None,
            _scanning_before(before),
            compared.not_looked_at if compared else None,
        )
        found = _found_names(files, chosen, compared, table_file, carried_file)
        digest = assemble(
            _report(desk.config, run, plan, delivery), counts.to_dict(night.arns.duplicates), told, chosen, verdict, found.names
        )
        digest["sentences"] += [*found.sentences, *_sentences(unreadable_values, night.arns)]
        if not before and any(each.keys for each in earlier()):
            digest["sentences"].append(Note("compared.no_first_seen"))
        stored = _stored(desk, run, digest, table_file, key_file, carried_file if found.carried else None)
        page = _page(desk, run, delivery, digest, history(), stored)
        if page is not None:
            page_key = f"{stored.digest_key.rpartition('/')[0]}/index.html"
            put(desk.s3, plan.destination, page_key, page.encode(), "text/html; charset=utf-8")
            stored = replace(stored, page_key=page_key)
        return brief(digest, stored)


def _places(night: Night, before: Iterable[KeyFile]) -> set[tuple[str, str]]:
    """Return the accounts and scan types with findings now or before, and with the empty scan type each account asked for."""
    places = {place for place in night.open if place[0]}
    for each in before:
        places |= {(account, "") for account in each.header.scanning}
        for counted in (each.summary.open, each.summary.not_looked_at):
            places |= {(account, scan_type) for account, scan_types in counted.items() for scan_type in scan_types if account}
    return places


def _scanning_before(before: Iterable[KeyFile]) -> dict[str, dict[str, str]]:
    """Return what earlier runs knew of scanning: on where any of them says so."""
    found: dict[str, dict[str, str]] = {}
    for each in before:
        for account, scan_types in each.header.scanning.items():
            known = found.setdefault(account, {})
            known |= {scan_type: state for scan_type, state in scan_types.items() if known.get(scan_type) != "on"}
    return found


def _sentences(unreadable_values: Mapping[str, int], arns: Arns) -> Iterator[str]:
    """Say what of the report was left out."""
    if arns.duplicates:
        yield Note("read.duplicates", count=arns.duplicates)
    if arns.reopened:
        yield Note("read.reopened", count=arns.reopened)
    for column, count in sorted(unreadable_values.items()):
        yield Note("read.values", count=count, column=column)


def _page(
    desk: Desk, run: Run, delivery: Delivery, digest: Mapping[str, Any], history: Iterable[Mapping[str, Any]], stored: Stored
) -> str | None:
    """Return the night's page; None where it cannot be made, since a digest without a page is better than none."""
    # The page's libraries are imported by whoever makes one: a cold start that fails before need not wait for them.
    from findings_analysis.page import render  # noqa: PLC0415

    config = desk.config
    links = {
        "report": links_to.report_url(replace(run, delivery=delivery), config),
        "digest": links_to.object_url(stored.bucket, stored.digest_key, config),
        "parquet": links_to.object_url(stored.bucket, stored.parquet.key, config),
        "execution": links_to.execution_url(run, config),
    }
    facts = {
        "deployment": {"account": config.account, "region": config.region, "stack": config.stack},
        "links": links,
        "duration_seconds": round((desk.now() - run.execution.started_at).total_seconds()),
        "time_zone": config.time_zone,
    }
    try:
        return render(digest, trend(history, run, digest), facts, config.language)
    except Exception as error:  # noqa: BLE001 - a template can fail in any way, and the numbers are there all the same
        logger.warning("the page could not be made: %s", type(error).__name__)
        return None


def trend(history: Iterable[Mapping[str, Any]], run: Run, digest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return how many findings were open in the last runs that this one can be compared with, the oldest first and this one last.

    Parameters
    ----------
    history
        Lines of the report's history, the newest first.
    """
    plan, started_at = run.require_plan(), run.execution.started_at.isoformat()
    comparable = (
        line
        for line in islice(history, TREND_LOOKED_AT)
        if line["sk"].split("#")[1] < started_at
        and line.get("filter_hash") == plan.filter_hash
        and line.get("notified") == 1
        and (line.get("scheduled") == 1 or not plan.is_scheduled)
    )
    runs_before = [
        {
            "started_at": line["sk"].split("#")[1],
            "outcome": line["outcome"],
            "by_severity": json.loads(line["by_severity"]) if "by_severity" in line else None,
            "is_dark": line.get("coverage", "good") != "good",
        }
        for line in islice(comparable, TREND_RUNS - 1)
    ]
    this = {
        "started_at": started_at,
        "outcome": "SUCCEEDED",
        "by_severity": dict(digest["counts"]["by_severity"]),
        "is_dark": digest["verdict"]["state"] != "good",
    }
    return [*reversed(runs_before), this]


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
        raise_what_passes(error)
        raise


class _FoundNames(NamedTuple):
    """Names of listed findings, whether names of findings that are carried over were written, and what could not be read."""

    names: finding_details.Names
    carried: bool
    sentences: list[str]


def _found_names(
    files: EarlierFiles,
    chosen: Earlier | NoBaseline,
    compared: Compared | None,
    table_file: BinaryIO,
    carried_file: BinaryIO,
) -> _FoundNames:
    """Look the names of changed findings up: of this report's in its own Parquet, of the others in the baseline's two files."""
    if compared is None or not isinstance(chosen, Earlier):
        return _FoundNames({}, carried=False, sentences=[])
    of_baseline, of_tonight = finding_details.wanted(compared.changes)
    names: dict[bytes, dict[str, Any]] = {}
    sentences: list[str] = []
    if of_baseline or compared.carried:
        batches = []
        for stored in filter(None, (chosen.carried, chosen.parquet)):
            try:
                batches.append(files.copy(chosen.bucket, stored))
            except UnreadableFileError as error:
                sentences.append(Note("compared.details_unread", key=stored.key, why=str(error)))
        passing = finding_details.passing(batches, of_baseline, compared.carried, names)
        try:
            parquet.write_named(passing, carried_file)
        except UnreadableParquetError as error:
            sentences.append(Note("compared.details_wrong", why=str(error)))
            carried_file.seek(0)
            carried_file.truncate()
    if of_tonight:
        table_file.flush()
        table_file.seek(0)
        names |= finding_details.find(parquet.read(table_file, parquet.NAMED), of_tonight)
    return _FoundNames(names, carried=bool(compared.carried) and carried_file.tell() > 0, sentences=sentences)


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


def _stored(
    desk: Desk,
    run: Run,
    digest: Mapping[str, Any],
    table_file: BinaryIO,
    key_file: BinaryIO,
    carried_file: BinaryIO | None,
) -> Stored:
    """Write the files, digest.json last: where it lies, the others do, too."""
    plan, day, prefix = run.require_plan(), run.execution.started_at, desk.config.key_prefix
    folder = f"{prefix}/digests/{plan.report_name}/{day:year=%Y/month=%m/day=%d}/{run.execution.id}"
    # Athena's newest run of a report is one that stands for it: others lie beside it under a name that no report can have.
    partition = plan.report_name if plan.is_regular else f"{plan.report_name}{OTHER_RUNS}"
    parquet_key = f"{prefix}/findings/report={partition}/day={day:%Y-%m-%d}/{run.execution.id}.parquet"
    text = json.dumps(digest, ensure_ascii=False, indent=1).encode("utf-8", "replace")
    to = plan.destination
    table = put(desk.s3, to, parquet_key, table_file, PARQUET)
    keys = put(desk.s3, to, f"{folder}/findings.keys", key_file, "application/octet-stream")
    carried = put(desk.s3, to, f"{folder}/carried.parquet", carried_file, PARQUET) if carried_file else None
    stored = put(desk.s3, to, f"{folder}/digest.json", text, "application/json")
    return Stored(to.bucket, stored.key, table, keys, carried)
