"""Analyze a verified report: read, count and compare its findings; write Parquet, fingerprints, page and analysis.json.

The keys of the files: :mod:`findings_exporter.model.layout`.

An analysis never fails an export. What can be expected to go wrong is written down as a failed analysis, with a sentence; what
passes is raised, so that the step is tried again; anything else is the workflow's to write down.
"""

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, NamedTuple

from findings_analysis.assessment.coverage import read_coverage
from findings_analysis.assessment.coverage_status import assess
from findings_analysis.assessment.resumption import surely_scanned
from findings_analysis.assessment.statistics import Statistics
from findings_analysis.comparison import finding_details
from findings_analysis.comparison.arns import Arns
from findings_analysis.comparison.baseline import Earlier, NoBaseline, choose, earlier_runs, unreadable
from findings_analysis.comparison.current_findings import Compared, CurrentFindings
from findings_analysis.comparison.difference import NotScanned
from findings_analysis.comparison.fingerprint_format import FingerprintFile, Header
from findings_analysis.comparison.stored_files import EarlierFiles, RefusedError, UnreadableFileError, put, raise_what_passes
from findings_analysis.output import parquet
from findings_analysis.output.document import Report, assemble
from findings_analysis.output.headline import Stored, headline
from findings_analysis.output.parquet import UnreadableParquetError
from findings_analysis.reading.csv_report import read_csv
from findings_analysis.reading.errors import AnalysisError, MalformedReportError, ReportChangedError, ReportUnavailableError
from findings_analysis.reading.json_report import read_json
from findings_analysis.reading.s3_stream import Pinned, RangedObject
from findings_analysis.reading.schema import Batch
from findings_exporter.aws import run_store
from findings_exporter.aws.clients import AnalysisClients
from findings_exporter.aws.metrics import count_analysis
from findings_exporter.model.config import Config
from findings_exporter.model.delivery import Delivery
from findings_exporter.model.layout import AnalysisKeys, analysis_keys
from findings_exporter.model.notes import Note
from findings_exporter.model.plan import Plan
from findings_exporter.model.run import Run
from findings_exporter.notification import links as links_to

logger = logging.getLogger(__name__)

TREND_RUNS = 30
TREND_LINES_READ = 2_000
"""Lines of the history: with more between them, a trend is shorter."""
PARQUET = "application/vnd.apache.parquet"
CAUSE_CHARACTERS = 600
"""Of what went wrong, in the sentence of a failed analysis."""


def analyze_run(clients: AnalysisClients, run: Run, delivery: Delivery) -> dict[str, Any]:
    """Analyze a run's report and write the headline, or why there is none, into the run's record.

    Parameters
    ----------
    delivery
        The report as it was verified: the analysis is of this object, and of no later one under its key.

    Returns
    -------
    dict
        ``state``: ``ANALYZED``, or ``NOT_ANALYZED`` with ``error``. What findings say is not in it: an execution's data is
        read by more people than a report.

    Raises
    ------
    ServiceUnavailableError
        S3 could not serve; worth another try.
    ClientError, BotoCoreError
        As they came, for the handler's translation.
    """
    report_name, began = run.require_plan().report_name, clients.now()
    told = headline_of(clients, run, delivery, lambda: run_store.history(clients.table, report_name))
    run_store.note_analysis(clients.table, run.execution, told)
    size_bytes = None if "error" in told else delivery.size_bytes
    count_analysis(report_name, (clients.now() - began).total_seconds(), size_bytes)
    return {"state": "NOT_ANALYZED", "error": told["error"]} if "error" in told else {"state": "ANALYZED"}


def headline_of(
    clients: AnalysisClients, run: Run, delivery: Delivery, history: Callable[[], Iterable[Mapping[str, Any]]]
) -> dict[str, Any]:
    """Analyze a report and leave its files.

    Parameters
    ----------
    history
        Gives the lines of the report's history, the newest first; they are read as far as they are needed.

    Returns
    -------
    dict
        The headline (:mod:`findings_analysis.output.headline`); of an expected failure ``error`` and ``sentence``.
    """
    try:
        return _analyzed(clients, run, run.require_plan(), delivery, history)
    except (AnalysisError, RefusedError) as error:
        return _failed(error)


def _failed(error: Exception) -> dict[str, str]:
    """Return an expected failure as it is written down: what happened, why, what to do."""
    what = " ".join(str(error).split())
    what = (what if len(what) <= CAUSE_CHARACTERS else f"{what[: CAUSE_CHARACTERS - 1]}…").rstrip(".")
    match error:
        case MalformedReportError():
            name, do = "Analysis.ReportMalformed", "malformed"
        case ReportChangedError():
            name, do = "Analysis.ReportChanged", "changed"
        case ReportUnavailableError():
            name, do = "Analysis.ReportUnreadable", "unreadable"
        case _:
            name, do = "Analysis.NotStored", "not_stored"
    return {"error": name, "sentence": Note("analysis.failed", what=what, do=Note(f"analysis.{do}"))}


def _analyzed(
    clients: AnalysisClients, run: Run, plan: Plan, delivery: Delivery, history: Callable[[], Iterable[Mapping[str, Any]]]
) -> dict[str, Any]:
    started_at, scheduled = run.execution.started_at, plan.is_scheduled
    counts, unreadable_values = Statistics(int(started_at.timestamp() * 1000)), Counter[str]()

    def earlier() -> Iterator[Earlier]:
        return earlier_runs(history(), run.execution.id, started_at)

    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        findings = stack.enter_context(CurrentFindings(started_at))
        table_file = stack.enter_context((folder / "findings.parquet").open("w+b"))
        fingerprint_file = stack.enter_context((folder / "findings.fingerprints").open("w+b"))
        carried_file = stack.enter_context((folder / "carried.parquet").open("w+b"))

        files = EarlierFiles(clients.s3, plan.destination.owner, plan.report_name, folder)
        chosen = choose(earlier(), plan.filter_hash, scheduled=scheduled)
        baseline = None
        if isinstance(chosen, Earlier):
            try:
                baseline = files.fingerprint_file(chosen)
            except UnreadableFileError as error:
                chosen = unreadable(chosen, str(error))
        days_from = files.newest_fingerprint_files(earlier(), baseline)

        def seen(batches: Iterable[Batch]) -> Iterator[Batch]:
            for batch in batches:
                first = findings.add(batch)
                if first["finding_arn"]:
                    counts.add(first)
                    yield first

        with ExitStack() as reading:
            parquet.write(seen(_batches(clients, plan, delivery, unreadable_values, reading)), table_file, started_at)
        before = [baseline, *days_from] if baseline else days_from
        coverage = read_coverage(clients.inspector2, clients.config.account, _places(findings, before))
        scanned = surely_scanned(coverage, findings.open, before, started_at)
        header = Header(
            report=plan.report_name,
            execution=run.execution.id,
            started_at=started_at.isoformat(),
            filter_hash=plan.filter_hash,
            filter_criteria=plan.filter_criteria,
            scanning=scanned.states,
            resuming=scanned.resuming,
        )
        told = findings.compare(header, fingerprint_file, baseline, days_from, NotScanned(scanned.unsure(), scanned.off()))
        compared = told.compared
        coverage_status = assess(
            findings.open,
            coverage,
            (compared.header, compared.summary) if compared else None,
            _scanning_before(before),
            compared.status_unknown if compared else None,
        )
        found = _found_names(files, chosen, compared, table_file, carried_file)
        analysis = assemble(
            _report(clients.config, run, plan, delivery),
            counts.to_dict(findings.arns.duplicates),
            told,
            chosen,
            coverage_status,
            found.names,
        )
        analysis["sentences"] += [*found.sentences, *_sentences(unreadable_values, findings.arns)]
        if not before and any(each.keys for each in earlier()):
            analysis["sentences"].append(Note("compared.no_first_seen"))
        stored = _stored(clients, run, analysis, table_file, fingerprint_file, carried_file if found.carried else None)
        page = _page(clients, run, delivery, analysis, history(), stored)
        if page is not None:
            page_key = _keys(clients.config, run).page
            put(clients.s3, plan.destination, page_key, page.encode(), "text/html; charset=utf-8")
            stored = replace(stored, page_key=page_key)
        return headline(analysis, stored)


def _places(findings: CurrentFindings, before: Iterable[FingerprintFile]) -> set[tuple[str, str]]:
    """Return the accounts and scan types with findings now or before, and with the empty scan type each account asked for."""
    places = {place for place in findings.open if place[0]}
    for each in before:
        places |= {(account, "") for account in each.header.scanning}
        for counted in (each.summary.open, each.summary.status_unknown):
            places |= {(account, scan_type) for account, scan_types in counted.items() for scan_type in scan_types if account}
    return places


def _scanning_before(before: Iterable[FingerprintFile]) -> dict[str, dict[str, str]]:
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
    clients: AnalysisClients,
    run: Run,
    delivery: Delivery,
    analysis: Mapping[str, Any],
    history: Iterable[Mapping[str, Any]],
    stored: Stored,
) -> str | None:
    """Return the run's page; None where it cannot be made, since an analysis without a page is better than none."""
    # The page's libraries are imported by whoever makes one: a cold start that fails before need not wait for them.
    from findings_analysis.page import render  # noqa: PLC0415

    config = clients.config
    links = {
        "report": links_to.report_url(replace(run, delivery=delivery), config),
        "analysis": links_to.object_url(stored.bucket, stored.analysis_key, config),
        "parquet": links_to.object_url(stored.bucket, stored.parquet.key, config),
        "execution": links_to.execution_url(run, config),
    }
    facts = {
        "deployment": {"account": config.account, "region": config.region, "stack": config.stack},
        "links": links,
        "duration_seconds": round((clients.now() - run.execution.started_at).total_seconds()),
        "time_zone": config.time_zone,
    }
    try:
        return render(analysis, trend(history, run, analysis), facts, config.language)
    except Exception as error:  # noqa: BLE001 - a template can fail in any way, and the numbers are there all the same
        logger.warning("the page could not be made: %s", type(error).__name__)
        return None


def trend(history: Iterable[Mapping[str, Any]], run: Run, analysis: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return how many findings were open in the last runs that this one can be compared with, the oldest first and this one last.

    Parameters
    ----------
    history
        Lines of the report's history, the newest first.
    """
    plan, started_at = run.require_plan(), run.execution.started_at.isoformat()
    comparable = (
        line
        for line in islice(history, TREND_LINES_READ)
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
            "is_uncertain": line.get("coverage", "active") != "active",
        }
        for line in islice(comparable, TREND_RUNS - 1)
    ]
    this = {
        "started_at": started_at,
        "outcome": "SUCCEEDED",
        "by_severity": dict(analysis["counts"]["by_severity"]),
        "is_uncertain": analysis["coverage_status"]["state"] != "active",
    }
    return [*reversed(runs_before), this]


def _batches(
    clients: AnalysisClients, plan: Plan, delivery: Delivery, unreadable: Counter[str], stack: ExitStack
) -> Iterable[Batch]:
    if delivery.key is None or delivery.nothing_found:
        return []
    # By its ETag alone: to read a version by its id would need one more permission, of each owner of a bucket.
    pinned = Pinned(delivery.bucket, delivery.key, delivery.size_bytes, str(delivery.etag), None, plan.destination.owner)
    read = read_csv if plan.report_format == "CSV" else read_json
    return _or_retried(read(stack.enter_context(RangedObject(clients.s3, pinned)), unreadable=unreadable))


def _or_retried(batches: Iterable[Batch]) -> Iterator[Batch]:
    """Give the batches; where S3 did not serve, raise what is tried again."""
    try:
        yield from batches
    except ReportUnavailableError as error:
        raise_what_passes(error)
        raise


class _FoundNames(NamedTuple):
    """Names of listed findings, whether names of findings that are carried over were written, and what could not be read."""

    names: finding_details.FindingDetails
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
    of_baseline, of_current = finding_details.wanted(compared.changes)
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
    if of_current:
        table_file.flush()
        table_file.seek(0)
        names |= finding_details.find(parquet.read(table_file, parquet.NAMED), of_current)
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
    clients: AnalysisClients,
    run: Run,
    analysis: Mapping[str, Any],
    table_file: BinaryIO,
    fingerprint_file: BinaryIO,
    carried_file: BinaryIO | None,
) -> Stored:
    """Write the files, analysis.json last: where it lies, the others do, too."""
    plan = run.require_plan()
    keys, to = _keys(clients.config, run), plan.destination
    text = json.dumps(analysis, ensure_ascii=False, indent=1).encode("utf-8", "replace")
    table = put(clients.s3, to, keys.parquet, table_file, PARQUET)
    fingerprints = put(clients.s3, to, keys.fingerprints, fingerprint_file, "application/octet-stream")
    carried = put(clients.s3, to, keys.carried, carried_file, PARQUET) if carried_file else None
    stored = put(clients.s3, to, keys.document, text, "application/json")
    return Stored(to.bucket, stored.key, table, fingerprints, carried)


def _keys(config: Config, run: Run) -> AnalysisKeys:
    plan = run.require_plan()
    return analysis_keys(config.key_prefix, plan.report_name, run.execution, is_regular=plan.is_regular)
