"""The step Analyze Report: reads the report once, and leaves its counts, changes, priorities and page.

::

    bytes -> batches -> statistics, fingerprints, priorities -> comparison -> coverage status -> document, Parquet, page

A large report was read in parts by :mod:`findings_analysis.part_pipeline`; then the parts are merged instead.

The keys of its files are in :mod:`findings_exporter.model.layout`.

An analysis never fails an export. An expected error is recorded as a failed analysis, with a sentence; a transient one is raised,
so that the step is tried again; any other one is recorded by the workflow.
"""

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, NamedTuple, Self

from findings_analysis.assessment.coverage import Coverage, read_coverage
from findings_analysis.assessment.coverage_status import CoverageStatus, assess
from findings_analysis.assessment.known_exploited import read_known_exploited
from findings_analysis.assessment.resumption import Scanned, surely_scanned
from findings_analysis.assessment.statistics import Statistics
from findings_analysis.comparison.baseline import EarlierRun, NoBaseline, choose, earlier_runs, unreadable
from findings_analysis.comparison.difference import NotScanned
from findings_analysis.comparison.due import DueDates
from findings_analysis.comparison.earlier_files import EarlierFiles, UnreadableFileError
from findings_analysis.comparison.fingerprint_format import FingerprintFile, Header
from findings_analysis.comparison.identity import owner_hash
from findings_analysis.comparison.run_fingerprints import BaselineComparison, RunComparison, RunFingerprints
from findings_analysis.comparison.sections import DamagedFileError
from findings_analysis.comparison.watch import Watched
from findings_analysis.failures import EXPECTED, failed_analysis
from findings_analysis.output import due_table, finding_details
from findings_analysis.output.document import AnalysisResults, AnalyzedReport, assemble
from findings_analysis.output.entries import Entries, KnownExploited
from findings_analysis.output.finding_details import DetailsByArn
from findings_analysis.output.headline import StoredAnalysis, make_headline
from findings_analysis.output.listed import Listed, watched_of, worst_open
from findings_analysis.output.names_format import NamesWriter
from findings_analysis.output.owned import Owned
from findings_analysis.output.storage import BINARY, PARQUET, put
from findings_analysis.pages import OpenList, Pages
from findings_analysis.parts import merging
from findings_analysis.parts.part import Part
from findings_analysis.parts.part_analysis import PartAnalysis, Totals
from findings_analysis.parts.part_files import AnalyzedPart, PartFiles, keys_of, owner_file_of, part_files
from findings_analysis.parts.report_reader import ReportReader
from findings_analysis.reading.owner_file import OwnerFile
from findings_analysis.reading.owners import Owners
from findings_exporter.aws import run_store
from findings_exporter.aws.clients import AnalysisClients
from findings_exporter.aws.metrics import count_analysis, count_overdue
from findings_exporter.model.config import Config
from findings_exporter.model.delivery import Delivery
from findings_exporter.model.due_dates import RemediationDays, RemediationDaysError, day_in_zone
from findings_exporter.model.layout import AnalysisKeys, owner_rules_key
from findings_exporter.model.notes import Note
from findings_exporter.model.run import Run
from findings_exporter.model.taxonomy import SEVERITIES

logger = logging.getLogger(__name__)

type History = Callable[[], Iterable[Mapping[str, Any]]]
"""Gives the lines of the report's history, the newest first; they are read as far as they are needed."""


def analyze_run(
    clients: AnalysisClients, run: Run, delivery: Delivery, parts: Sequence[Mapping[str, Any]] | None = None
) -> dict[str, Any]:
    """Analyze a run's report, and write the headline, or why there is none, into the run's record.

    Parameters
    ----------
    delivery
        The report as it was verified: a later object under its key is not read.
    parts
        The parts of a large report, which were analyzed and are merged now (:class:`findings_analysis.parts.part.Part`).

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
    to_merge = [Part.from_dict(each) for each in parts or []]
    if to_merge and run.analysis and "error" not in run.analysis:
        headline = run.analysis  # of a first try, which may have deleted the parts already
    else:
        headline = analyze(clients, run, delivery, lambda: run_store.history(clients.table, report_name), to_merge)
        # A failure stands back behind what another invocation has written: it may have merged and deleted the parts meanwhile.
        note = run_store.note_analysis_failure if "error" in headline else run_store.note_analysis
        note(clients.table, run.execution, headline)
        # Of a large report this step reads parts only, so that its time says nothing of the speed.
        size_bytes = None if "error" in headline or to_merge else delivery.size_bytes
        count_analysis(report_name, (clients.now() - began).total_seconds(), size_bytes)
        if run.require_plan().is_regular and (due_dates := headline.get("due_dates")):
            count_overdue(report_name, _by_lowest_severity(due_dates["overdue"]))
    if "error" in headline:
        return {"state": "NOT_ANALYZED", "error": headline["error"]}
    part_files(clients.config, clients.s3, run, delivery).delete(to_merge)
    return {"state": "ANALYZED"}


def analyze(
    clients: AnalysisClients, run: Run, delivery: Delivery, history: History, parts: Sequence[Part] = ()
) -> dict[str, Any]:
    """Analyze a report and leave its files.

    Returns
    -------
    dict
        The headline (:mod:`findings_analysis.output.headline`); after an expected error ``error`` and ``sentence``.
    """
    try:
        with _Workspace.open() as work:
            return _Analysis(clients, run, delivery, history, work, parts).make()
    except EXPECTED as error:
        return failed_analysis(error)


@dataclass(frozen=True, slots=True)
class _Workspace:
    """The files of the analysis until they are stored."""

    folder: Path
    table: BinaryIO
    names: BinaryIO
    fingerprint_file: BinaryIO
    due_rows: BinaryIO
    due_table: BinaryIO
    stack: ExitStack

    @classmethod
    def open(cls) -> Self:
        """Make the temporary folder and its files; leaving the ``with`` statement removes them."""
        with ExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory()))
            files = ("findings.parquet", "findings.names", "findings.fingerprints", "due.rows", "due.parquet")
            table, names, fingerprints, due_rows, due_table_file = (
                stack.enter_context((folder / name).open("w+b")) for name in files
            )
            return cls(folder, table, names, fingerprints, due_rows, due_table_file, stack.pop_all())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stack.close()


class _ReadReport(NamedTuple):
    """What was read of the report, in one part or in several.

    Attributes
    ----------
    owner_statistics
        Of each owner; empty where the run knows none.
    names
        Takes the names of what is carried over.
    parts
        Whose Parquet files are in S3; none where the report's own is in the workspace.
    """

    totals: Totals
    owner_statistics: Mapping[str, Statistics]
    fingerprints: RunFingerprints
    names: NamesWriter
    parts: list[AnalyzedPart]


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


@dataclass(frozen=True, slots=True)
class _Analysis:
    clients: AnalysisClients
    run: Run
    delivery: Delivery
    history: History
    work: _Workspace
    parts: Sequence[Part]

    def make(self) -> dict[str, Any]:
        """Make the analysis, stage by stage, and return its headline.

        Earlier files are fetched first: an error that is worth another try costs no second reading of the report.
        """
        earlier = self._find_earlier()
        owner_file = owner_file_of(self.clients.config, self.clients.s3, self.run)
        report = self._merge_parts(self.parts, owner_file) if self.parts else self._read_report(owner_file)
        coverage = self._read_coverage(earlier, report)
        scanned = surely_scanned(coverage, report.totals.open, earlier.fingerprint_files, self.run.execution.started_at)
        due_dates, due_notes = self._due_dates(earlier)
        worst = worst_open(report.totals.priorities)
        watched = replace(watched_of(report.totals.priorities, worst), due_dates=due_dates, due_rows=self.work.due_rows)
        comparison = self._compare(earlier, report, scanned, watched)
        status = self._assess(earlier, report, coverage, comparison.with_baseline)
        listed = Listed.of(comparison, report.totals.priorities, worst)
        details, detail_notes = self._find_details(earlier, report, comparison.with_baseline, listed)
        known_exploited, kev_notes = read_known_exploited(self.clients.inspector2, listed.to_ask_about(details))
        entries = self._entries(earlier, report, details, due_dates, known_exploited)
        owned = self._owned(earlier, report, comparison, entries, owner_file)
        analysis = self._document(earlier, report, comparison, status, entries, owned)
        analysis["sentences"] += [*owner_file.notes, *due_notes, *detail_notes, *kev_notes, *_left_out(report.totals)]
        if note := self._compared_owners(earlier, owner_file):
            analysis["sentences"].append(note)
        if not earlier.fingerprint_files and any(each.fingerprints for each in self._earlier_runs()):
            analysis["sentences"].append(Note("compared.no_first_seen"))
        stored = self._store_files(report, has_due_dates=due_dates is not None)
        run = replace(self.run, delivery=self.delivery)
        pages = Pages(self.clients, run, self.history, analysis, owned, OpenList(worst, comparison.open_findings, entries))
        stored = pages.store(stored)
        self._store_document(analysis, stored)
        return make_headline(analysis, stored)

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

    def _read_report(self, owner_file: OwnerFile) -> _ReadReport:
        """Read a report of usual size: it is one part."""
        owners = Owners(owner_file.rules)
        part = PartAnalysis(self.run.execution.started_at, self.work.table, self.work.names, owners)
        delivery = self.delivery
        if delivery.key is None or delivery.nothing_found:
            totals = part.read([], Counter())
        else:
            totals = self._reader().read(part, Part(1, 0, delivery.size_bytes))
        owner_statistics = totals.statistics.by_owner()
        known = None if owner_file.rules is None else frozenset(owner_statistics)
        fingerprints = RunFingerprints(part.fingerprints.blocks, part.arns, totals.open, known)
        return _ReadReport(totals, owner_statistics, fingerprints, part.names, [])

    def _merge_parts(self, parts: Sequence[Part], owner_file: OwnerFile) -> _ReadReport:
        """Merge the parts of a large report."""
        reader, work, started_at = self._reader(), self.work, self.run.execution.started_at

        def analyze_again(part: Part, earlier: Mapping[bytes, bool]) -> AnalyzedPart:
            return reader.analyze(part, started_at, self._part_files, owner_file, earlier)

        size_bytes, etag = self.delivery.size_bytes, owner_file.etag
        merged = merging.merge(self._part_files, parts, size_bytes, started_at, work.folder, work.names, analyze_again, etag)
        owner_statistics = merged.totals.statistics.by_owner()
        known = None if owner_file.rules is None else frozenset(owner_statistics)
        fingerprints = RunFingerprints(merged.blocks, merged.arns, merged.totals.open, known)
        return _ReadReport(merged.totals, owner_statistics, fingerprints, merged.names, merged.parts)

    def _reader(self) -> ReportReader:
        return ReportReader.of(self.clients.s3, self.run.require_plan(), self.delivery)

    @property
    def _part_files(self) -> PartFiles:
        return part_files(self.clients.config, self.clients.s3, self.run, self.delivery)

    def _read_coverage(self, earlier: _Earlier, report: _ReadReport) -> Coverage:
        places = _places(report.totals.open, earlier.fingerprint_files)
        return read_coverage(self.clients.inspector2, self.clients.config.account, places)

    def _due_dates(self, earlier: _Earlier) -> tuple[DueDates | None, list[str]]:
        """Return what makes due dates, or None; a note says why the parameter cannot be used."""
        config = self.clients.config
        try:
            wanted = RemediationDays.parse(config.remediation_days)
        except RemediationDaysError as error:
            return None, [Note("due.not_used", wrong=error.args[0])]
        if wanted is None:
            return None, []
        before = earlier.baseline.started_at if isinstance(earlier.baseline, EarlierRun) else None
        today = day_in_zone(self.run.execution.started_at, config.time_zone)
        return DueDates(wanted.days, today, day_in_zone(before, config.time_zone) if before else None), []

    def _compare(self, earlier: _Earlier, report: _ReadReport, scanned: Scanned, watched: Watched) -> RunComparison:
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
        return report.fingerprints.compare(
            header,
            self.work.fingerprint_file,
            earlier.baseline_file,
            earlier.days_from,
            NotScanned(scanned.uncertain(), scanned.off()),
            watched,
        )

    def _assess(
        self, earlier: _Earlier, report: _ReadReport, coverage: Coverage, compared: BaselineComparison | None
    ) -> CoverageStatus:
        return assess(
            report.totals.open,
            coverage,
            (compared.header, compared.summary) if compared else None,
            _scanning_before(earlier.fingerprint_files),
            compared.status_unknown if compared else None,
        )

    def _find_details(
        self, earlier: _Earlier, report: _ReadReport, compared: BaselineComparison | None, listed: Listed
    ) -> tuple[DetailsByArn, list[str]]:
        """Look up what people need to recognize the listed findings, in the baseline's names file and in this run's own."""
        found: DetailsByArn = {}
        sentences: list[str] = []
        if compared is not None and isinstance(earlier.baseline, EarlierRun) and (listed.baseline or compared.carried):
            found = _from_baseline(earlier.files, earlier.baseline, listed.baseline, compared.carried, report.names, sentences)
        report.names.finish()
        self.work.names.seek(0)
        return {**found, **finding_details.find(self.work.names, listed.current)} if listed.current else found, sentences

    def _entries(
        self,
        earlier: _Earlier,
        report: _ReadReport,
        details: DetailsByArn,
        due_dates: DueDates | None,
        known_exploited: KnownExploited,
    ) -> Entries:
        plan, before = self.run.require_plan(), earlier.baseline
        formats = {plan.report_format, *([before.report_format] if isinstance(before, EarlierRun) else [])}
        return Entries(
            details,
            self.run.execution.started_at,
            _owner_names(earlier, report) if report.fingerprints.owners is not None else None,
            due_dates,
            known_exploited,
            are_aligned=formats == {"JSON"},
        )

    def _owned(
        self, earlier: _Earlier, report: _ReadReport, comparison: RunComparison, entries: Entries, owner_file: OwnerFile
    ) -> Owned | None:
        if owner_file.rules is None:
            return None
        return Owned(
            report.owner_statistics,
            report.totals.priorities,
            comparison.with_baseline.changes if comparison.with_baseline else None,
            comparison.open_findings,
            entries,
            _owner_names(earlier, report),
            owner_file.rules.names,
        )

    def _compared_owners(self, earlier: _Earlier, owner_file: OwnerFile) -> Note | None:
        """Say where only one of the two runs had owners, unless what is said of the file does."""
        if not earlier.baseline_file or owner_file.notes:
            return None
        had_owners = earlier.baseline_file.summary.owners is not None
        if had_owners is (owner_file.rules is not None):
            return None
        key = owner_rules_key(self.clients.config.key_prefix)
        return Note("owners.no_file", key=key) if had_owners else Note("owners.baseline")

    def _document(
        self,
        earlier: _Earlier,
        report: _ReadReport,
        comparison: RunComparison,
        coverage_status: CoverageStatus,
        entries: Entries,
        owned: Owned | None,
    ) -> dict[str, Any]:
        totals = report.totals
        results = AnalysisResults(
            counts=totals.statistics.to_dict(totals.duplicates),
            baseline=earlier.baseline,
            compared=comparison.with_baseline,
            entries=entries,
            coverage_status=coverage_status,
            priorities=totals.priorities,
            open_findings=comparison.open_findings,
            owned=owned,
            open_accounts=frozenset(account for account, _ in totals.open),
        )
        return assemble(_report(self.clients.config, self.run, self.delivery), results)

    def _store_files(self, report: _ReadReport, *, has_due_dates: bool) -> StoredAnalysis:
        s3, to, keys = self.clients.s3, self.run.require_plan().destination, self._keys
        fingerprints = put(s3, to, keys.fingerprints, self.work.fingerprint_file, BINARY)
        names = put(s3, to, keys.names, self.work.names, BINARY)
        if report.parts:
            self._part_files.publish(report.parts)
        else:
            put(s3, to, keys.parquet(1), self.work.table, PARQUET)
        if has_due_dates:
            self.work.names.truncate(0)  # it is stored, and the table of due dates needs room
            due_table.write(self.work.due_rows, self.work.due_table, self.run.execution.started_at)
            put(s3, to, keys.due_dates, self.work.due_table, PARQUET)
        return StoredAnalysis(to.bucket, keys.document, keys.parquet_prefix, fingerprints, names)

    def _store_document(self, analysis: Mapping[str, Any], stored: StoredAnalysis) -> None:
        """Write analysis.json, last: where it lies, the others do, too."""
        for owner in stored.owners_with_page:
            analysis["owners"][owner]["page_key"] = self._keys.owner_page(owner)
        text = json.dumps(analysis, ensure_ascii=False, indent=1).encode("utf-8", "replace")
        put(self.clients.s3, self.run.require_plan().destination, self._keys.document, text, "application/json")

    @property
    def _keys(self) -> AnalysisKeys:
        return keys_of(self.clients.config, self.run)


def _owner_names(earlier: _Earlier, report: _ReadReport) -> dict[bytes, str]:
    before = earlier.baseline_file.summary.owners if earlier.baseline_file else None
    names = {bytes.fromhex(known): name for known, name in (before or {}).items()}
    return names | {owner_hash(owner): owner for owner in report.fingerprints.owners or ()}


def _by_lowest_severity(overdue: Mapping[str, int]) -> dict[str, int]:
    """Return how many are overdue of a severity or a worse one."""
    worst_first = SEVERITIES[: SEVERITIES.index("LOW") + 1]
    return dict(zip(worst_first, accumulate(overdue.get(each, 0) for each in worst_first), strict=True))


def _places(open_findings: Iterable[tuple[str, str]], before: Iterable[FingerprintFile]) -> set[tuple[str, str]]:
    """Return the accounts and scan types with findings now or before; an empty scan type stands for an account alone."""
    places = {place for place in open_findings if place[0]}
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


def _from_baseline(
    files: EarlierFiles,
    baseline: EarlierRun,
    listed: frozenset[bytes],
    carried: frozenset[bytes],
    names: NamesWriter,
    sentences: list[str],
) -> DetailsByArn:
    """Read the baseline's names file; a sentence says why it cannot be read."""
    if baseline.names is None:
        return {}
    try:
        return finding_details.carry_over(files.stream(baseline.bucket, baseline.names), listed, carried, names)
    except UnreadableFileError as error:
        sentences.append(Note("compared.details_unread", key=baseline.names.key, why=str(error)))
    except DamagedFileError as error:
        sentences.append(Note("compared.details_wrong", why=str(error)))
    return {}


def _left_out(totals: Totals) -> Iterator[str]:
    """Say what of the report was left out."""
    if totals.duplicates:
        yield Note("read.duplicates", count=totals.duplicates)
    if totals.reopened:
        yield Note("read.reopened", count=totals.reopened)
    for column, count in sorted(totals.unreadable_values.items()):
        yield Note("read.values", count=count, column=column)


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
