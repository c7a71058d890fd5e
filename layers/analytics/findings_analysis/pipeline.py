"""The step Analyze Report: reads the report once, and leaves its counts, changes, priorities and page.

::

    bytes -> batches -> statistics, fingerprints, priorities -> comparison -> coverage status -> document, Parquet, page

The keys of its files are in :mod:`findings_exporter.model.layout`.

An analysis never fails an export. An expected error is recorded as a failed analysis, with a sentence; a transient one is raised,
so that the step is tried again; any other one is recorded by the workflow.
"""

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, NamedTuple, Self

from findings_analysis.assessment.coverage import Coverage, read_coverage
from findings_analysis.assessment.coverage_status import CoverageStatus, assess
from findings_analysis.assessment.priorities import Priorities
from findings_analysis.assessment.resumption import Scanned, surely_scanned
from findings_analysis.assessment.statistics import Statistics
from findings_analysis.comparison import finding_details
from findings_analysis.comparison.arns import Arns
from findings_analysis.comparison.baseline import EarlierRun, NoBaseline, choose, earlier_runs, unreadable
from findings_analysis.comparison.difference import NotScanned
from findings_analysis.comparison.earlier_files import EarlierFiles, UnreadableFileError
from findings_analysis.comparison.fingerprint_format import FingerprintFile, Header
from findings_analysis.comparison.run_fingerprints import BaselineComparison, RunComparison, RunFingerprints
from findings_analysis.output import parquet
from findings_analysis.output.document import AnalysisResults, AnalyzedReport, assemble
from findings_analysis.output.headline import StoredAnalysis, make_headline
from findings_analysis.output.storage import RefusedError, put
from findings_analysis.reading import parquet_columns
from findings_analysis.reading.csv_report import read_csv
from findings_analysis.reading.errors import AnalysisError, MalformedReportError, ReportChangedError, ReportUnavailableError
from findings_analysis.reading.json_report import read_json
from findings_analysis.reading.parquet_columns import DETAIL_COLUMNS, UnreadableParquetError
from findings_analysis.reading.s3_stream import Pinned, RangedObject, raise_if_transient
from findings_analysis.reading.schema import Batch
from findings_exporter.aws import run_store
from findings_exporter.aws.clients import AnalysisClients
from findings_exporter.aws.metrics import count_analysis
from findings_exporter.model.config import Config
from findings_exporter.model.delivery import Delivery
from findings_exporter.model.layout import AnalysisKeys, analysis_keys
from findings_exporter.model.notes import Note
from findings_exporter.model.run import Run
from findings_exporter.notification import links as links_to

logger = logging.getLogger(__name__)

PARQUET = "application/vnd.apache.parquet"
FAILED_CAUSE_CHARACTERS = 600
"""The longest cause in the sentence of a failed analysis."""

type History = Callable[[], Iterable[Mapping[str, Any]]]
"""Gives the lines of the report's history, the newest first; they are read as far as they are needed."""


def analyze_run(clients: AnalysisClients, run: Run, delivery: Delivery) -> dict[str, Any]:
    """Analyze a run's report, and write the headline, or why there is none, into the run's record.

    Parameters
    ----------
    delivery
        The report as it was verified: a later object under its key is not read.

    Returns
    -------
    dict
        ``state``: ``ANALYZED``, or ``NOT_ANALYZED`` with ``error``. It holds no text of a finding, since more people can read
        an execution's data than a report.

    Raises
    ------
    ServiceUnavailableError
        S3 could not serve; worth another try.
    ClientError, BotoCoreError
        As they came; the handler translates them.
    """
    report_name, began = run.require_plan().report_name, clients.now()
    headline = analyze(clients, run, delivery, lambda: run_store.history(clients.table, report_name))
    run_store.note_analysis(clients.table, run.execution, headline)
    size_bytes = None if "error" in headline else delivery.size_bytes
    count_analysis(report_name, (clients.now() - began).total_seconds(), size_bytes)
    return {"state": "NOT_ANALYZED", "error": headline["error"]} if "error" in headline else {"state": "ANALYZED"}


def analyze(clients: AnalysisClients, run: Run, delivery: Delivery, history: History) -> dict[str, Any]:
    """Analyze a report and leave its files.

    Returns
    -------
    dict
        The headline (:mod:`findings_analysis.output.headline`); after an expected error ``error`` and ``sentence``.
    """
    try:
        with _Workspace.open(run.execution.started_at) as work:
            return _Analysis(clients, run, delivery, history, work).make()
    except (AnalysisError, RefusedError) as error:
        return failed_analysis(error)


def failed_analysis(error: Exception) -> dict[str, str]:
    """Return an expected error as it is recorded: what happened, why, and what to do."""
    what = " ".join(str(error).split())
    what = (what if len(what) <= FAILED_CAUSE_CHARACTERS else f"{what[: FAILED_CAUSE_CHARACTERS - 1]}…").rstrip(".")
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


@dataclass(frozen=True, slots=True)
class _Workspace:
    """What the batches of a report are collected in, and the files of the analysis until they are stored."""

    folder: Path
    table: BinaryIO
    fingerprint_file: BinaryIO
    carried: BinaryIO
    arns: Arns
    fingerprints: RunFingerprints
    statistics: Statistics
    stack: ExitStack
    priorities: Priorities = field(default_factory=Priorities)
    unreadable_values: Counter[str] = field(default_factory=Counter)

    @classmethod
    def open(cls, started_at: datetime) -> Self:
        """Make the temporary folder and its files; leaving the ``with`` statement removes them."""
        with ExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory()))
            names = ("findings.parquet", "findings.fingerprints", "carried.parquet")
            table, fingerprint_file, carried = (stack.enter_context((folder / name).open("w+b")) for name in names)
            arns = Arns()
            fingerprints = stack.enter_context(RunFingerprints(started_at, arns))
            statistics = Statistics(int(started_at.timestamp() * 1000))
            return cls(folder, table, fingerprint_file, carried, arns, fingerprints, statistics, stack.pop_all())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stack.close()

    def collected(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Give each batch to all that count it, then to the caller; an ARN that stood before is left out."""
        for batch in batches:
            first = self.arns.first_of_each(batch)
            if first["finding_arn"]:
                self.statistics.add(first)
                self.fingerprints.add(first)
                self.priorities.add(first)
                yield first


class _Earlier(NamedTuple):
    """What earlier runs left.

    Attributes
    ----------
    baseline
        The run to compare with, or why there is none.
    baseline_file
        Its fingerprint file.
    days_from
        Fingerprint files of other runs, for first-seen days and the state of scanning.
    """

    files: EarlierFiles
    baseline: EarlierRun | NoBaseline
    baseline_file: FingerprintFile | None
    days_from: list[FingerprintFile]

    @property
    def fingerprint_files(self) -> list[FingerprintFile]:
        return [self.baseline_file, *self.days_from] if self.baseline_file else self.days_from


class _Details(NamedTuple):
    """Details of the listed findings, whether details of carried findings were written, and what could not be read."""

    found: finding_details.DetailsByArn
    carried: bool
    sentences: list[str]


@dataclass(frozen=True, slots=True)
class _Analysis:
    clients: AnalysisClients
    run: Run
    delivery: Delivery
    history: History
    work: _Workspace

    def make(self) -> dict[str, Any]:
        """Make the analysis, stage by stage, and return its headline.

        Earlier files are fetched first: an error that is worth another try costs no second reading of the report.
        """
        earlier = self._find_earlier()
        self._read_report()
        coverage = self._read_coverage(earlier)
        scanned = surely_scanned(coverage, self.work.fingerprints.open, earlier.fingerprint_files, self.run.execution.started_at)
        comparison = self._compare(earlier, scanned)
        status = self._assess(earlier, coverage, comparison.with_baseline)
        details = self._find_details(earlier, comparison.with_baseline)
        analysis = self._document(earlier, comparison, status, details)
        stored = self._store(analysis, self.work.carried if details.carried else None)
        return make_headline(analysis, self._with_page(analysis, stored))

    def _find_earlier(self) -> _Earlier:
        plan = self.run.require_plan()
        files = EarlierFiles(self.clients.s3, plan.destination.owner, plan.report_name, self.work.folder)
        chosen = choose(self._earlier_runs(), plan.filter_hash, scheduled=plan.is_scheduled)
        baseline_file = None
        if isinstance(chosen, EarlierRun):
            try:
                baseline_file = files.fingerprint_file(chosen)
            except UnreadableFileError as error:
                chosen = unreadable(chosen, str(error))
        return _Earlier(files, chosen, baseline_file, files.newest_fingerprint_files(self._earlier_runs(), baseline_file))

    def _earlier_runs(self) -> Iterator[EarlierRun]:
        return earlier_runs(self.history(), self.run.execution.id, self.run.execution.started_at)

    def _read_report(self) -> None:
        """Read the report once, batch by batch: each is counted, then written as Parquet before the next one is read."""
        with ExitStack() as reading:
            batches = self.work.collected(self._batches(reading))
            parquet.write(batches, self.work.table, self.run.execution.started_at)

    def _batches(self, reading: ExitStack) -> Iterator[Batch]:
        plan, delivery = self.run.require_plan(), self.delivery
        if delivery.key is None or delivery.nothing_found:
            return
        # By its ETag alone: to read a version by its id would need one more permission of every owner of a bucket.
        pinned = Pinned(delivery.bucket, delivery.key, delivery.size_bytes, str(delivery.etag), None, plan.destination.owner)
        source = reading.enter_context(RangedObject(self.clients.s3, pinned))
        read = read_csv if plan.report_format == "CSV" else read_json
        try:
            yield from read(source, unreadable=self.work.unreadable_values)
        except ReportUnavailableError as error:
            raise_if_transient(error)
            raise

    def _read_coverage(self, earlier: _Earlier) -> Coverage:
        places = _places(self.work.fingerprints, earlier.fingerprint_files)
        return read_coverage(self.clients.inspector2, self.clients.config.account, places)

    def _compare(self, earlier: _Earlier, scanned: Scanned) -> RunComparison:
        plan, execution = self.run.require_plan(), self.run.execution
        header = Header(
            report=plan.report_name,
            execution=execution.id,
            started_at=execution.started_at.isoformat(),
            filter_hash=plan.filter_hash,
            filter_criteria=plan.filter_criteria,
            scanning=scanned.states,
            resuming=scanned.resuming,
        )
        return self.work.fingerprints.compare(
            header,
            self.work.fingerprint_file,
            earlier.baseline_file,
            earlier.days_from,
            NotScanned(scanned.uncertain(), scanned.off()),
            self.work.priorities.watched(),
        )

    def _assess(self, earlier: _Earlier, coverage: Coverage, compared: BaselineComparison | None) -> CoverageStatus:
        return assess(
            self.work.fingerprints.open,
            coverage,
            (compared.header, compared.summary) if compared else None,
            _scanning_before(earlier.fingerprint_files),
            compared.status_unknown if compared else None,
        )

    def _find_details(self, earlier: _Earlier, compared: BaselineComparison | None) -> _Details:
        """Look up what people need to recognize changed findings: in this run's Parquet, and in the baseline's two files."""
        if compared is None or not isinstance(earlier.baseline, EarlierRun):
            return _Details({}, carried=False, sentences=[])
        of_baseline, of_current = finding_details.wanted(compared.changes)
        found: dict[bytes, dict[str, Any]] = {}
        sentences: list[str] = []
        if of_baseline or compared.carried:
            paths = list(_copies(earlier.files, earlier.baseline, sentences))
            carried = finding_details.passing(paths, of_baseline, compared.carried, found)
            _write_carried(carried, self.work.carried, sentences)
        if of_current:
            self.work.table.flush()
            self.work.table.seek(0)
            found |= finding_details.find(parquet_columns.read(self.work.table, DETAIL_COLUMNS), of_current)
        return _Details(found, carried=bool(compared.carried) and self.work.carried.tell() > 0, sentences=sentences)

    def _document(
        self, earlier: _Earlier, comparison: RunComparison, coverage_status: CoverageStatus, details: _Details
    ) -> dict[str, Any]:
        work = self.work
        results = AnalysisResults(
            counts=work.statistics.to_dict(work.arns.duplicates),
            baseline=earlier.baseline,
            compared=comparison.with_baseline,
            details=details.found,
            coverage_status=coverage_status,
            priorities=work.priorities.ranked(comparison.resources),
            priorities_are_exact=work.priorities.is_exact,
            open_accounts=frozenset(account for account, _ in work.fingerprints.open),
        )
        analysis = assemble(_report(self.clients.config, self.run, self.delivery), results)
        analysis["sentences"] += [*details.sentences, *_left_out(work.unreadable_values, work.arns)]
        if not earlier.fingerprint_files and any(each.fingerprints for each in self._earlier_runs()):
            analysis["sentences"].append(Note("compared.no_first_seen"))
        return analysis

    def _store(self, analysis: Mapping[str, Any], carried_file: BinaryIO | None) -> StoredAnalysis:
        """Write the files, analysis.json last: where it lies, the others do, too."""
        s3, to, keys = self.clients.s3, self.run.require_plan().destination, self._keys
        text = json.dumps(analysis, ensure_ascii=False, indent=1).encode("utf-8", "replace")
        table = put(s3, to, keys.parquet, self.work.table, PARQUET)
        fingerprints = put(s3, to, keys.fingerprints, self.work.fingerprint_file, "application/octet-stream")
        carried = put(s3, to, keys.carried, carried_file, PARQUET) if carried_file else None
        stored = put(s3, to, keys.document, text, "application/json")
        return StoredAnalysis(to.bucket, stored.key, table, fingerprints, carried)

    def _with_page(self, analysis: Mapping[str, Any], stored: StoredAnalysis) -> StoredAnalysis:
        """Write the page; where it cannot be made, the analysis goes without one."""
        # Imported here, since its libraries are slow to load: a cold start that fails earlier need not wait for them.
        from findings_analysis.page import run_page  # noqa: PLC0415

        run, config = replace(self.run, delivery=self.delivery), self.clients.config
        links = _links(run, config, stored)
        try:
            page = run_page.page_of(run, config, self.clients.now(), analysis, self.history(), links)
        except Exception as error:  # noqa: BLE001 - a template can fail in any way, and the numbers stand without it
            logger.warning("the page could not be made: %s", type(error).__name__)
            return stored
        put(self.clients.s3, run.require_plan().destination, self._keys.page, page.encode(), "text/html; charset=utf-8")
        return replace(stored, page_key=self._keys.page)

    @property
    def _keys(self) -> AnalysisKeys:
        plan, execution = self.run.require_plan(), self.run.execution
        return analysis_keys(self.clients.config.key_prefix, plan.report_name, execution, is_regular=plan.is_regular)


def _places(fingerprints: RunFingerprints, before: Iterable[FingerprintFile]) -> set[tuple[str, str]]:
    """Return the accounts and scan types with findings now or before; an empty scan type stands for an account alone."""
    places = {place for place in fingerprints.open if place[0]}
    for each in before:
        places |= {(account, "") for account in each.header.scanning}
        for counted in (each.summary.open, each.summary.status_unknown):
            places |= {(account, scan_type) for account, scan_types in counted.items() for scan_type in scan_types if account}
    return places


def _scanning_before(before: Iterable[FingerprintFile]) -> dict[str, dict[str, str]]:
    """Return the state of scanning at earlier runs: ``on`` where any of them says so."""
    found: dict[str, dict[str, str]] = {}
    for each in before:
        for account, scan_types in each.header.scanning.items():
            known = found.setdefault(account, {})
            known |= {scan_type: state for scan_type, state in scan_types.items() if known.get(scan_type) != "on"}
    return found


def _copies(files: EarlierFiles, baseline: EarlierRun, sentences: list[str]) -> Iterator[Path]:
    """Copy the baseline's files with details; a sentence names one that cannot be read."""
    for stored in filter(None, (baseline.carried, baseline.parquet)):
        try:
            yield files.copy(baseline.bucket, stored)
        except UnreadableFileError as error:
            sentences.append(Note("compared.details_unread", key=stored.key, why=str(error)))


def _write_carried(batches: Iterable[Batch], file: BinaryIO, sentences: list[str]) -> None:
    try:
        parquet.write_details(batches, file)
    except UnreadableParquetError as error:
        sentences.append(Note("compared.details_wrong", why=str(error)))
        file.seek(0)
        file.truncate()


def _left_out(unreadable_values: Mapping[str, int], arns: Arns) -> Iterator[str]:
    """Say what of the report was left out."""
    if arns.duplicates:
        yield Note("read.duplicates", count=arns.duplicates)
    if arns.reopened:
        yield Note("read.reopened", count=arns.reopened)
    for column, count in sorted(unreadable_values.items()):
        yield Note("read.values", count=count, column=column)


def _links(run: Run, config: Config, stored: StoredAnalysis) -> dict[str, str | None]:
    return {
        "report": links_to.report_url(run, config),
        "analysis": links_to.object_url(stored.bucket, stored.analysis_key, config),
        "parquet": links_to.object_url(stored.bucket, stored.parquet.key, config),
        "execution": links_to.execution_url(run, config),
    }


def _report(config: Config, run: Run, delivery: Delivery) -> AnalyzedReport:
    plan = run.require_plan()
    return AnalyzedReport(
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
