"""Every key and prefix in the bucket. A key is fixed by its execution, so that a repeated step writes the same objects again.

::

    <prefix>/reports/<report>/year=YYYY/month=MM/day=DD/<execution>/<report id>.json    (written by Inspector)
    <prefix>/analyses/<report>/year=YYYY/month=MM/day=DD/<execution>/analysis.json
                                                                    /index.html
                                                                    /findings.fingerprints
                                                                    /findings.names
                                                                    /owners/<owner>.html, owners.json  (with owners)
                                                                    /parts/0001.json …  (while a large report is analyzed)
    <prefix>/findings/report=<report>/day=YYYY-MM-DD/<execution>/0001.parquet …
    <prefix>/due/report=<report>/day=YYYY-MM-DD/<execution>/0001.parquet   (with due dates)
    <prefix>/config/owners.json    (written by people: who owns what)
    <prefix>/config/reports.json   (written by people: several reports)
    <prefix>/summaries/YYYY-MM-DD/HHMM/index.html, summary.json   (in the home Region; of a supplement: index-1.html, …)

The day is the UTC day of the execution's start. A report has one Parquet file a part; a report of usual size has one part.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from findings_exporter.model.execution import Execution

REPORT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", re.ASCII)
REPORT_FILE = re.compile(r"([0-9a-f]{8}-[0-9a-f-]{27})\.(?:json|csv)")
"""The name of the object that Inspector writes, for the formats JSON and CSV."""
OTHER_RUNS = ".other"
"""Ends the Parquet partition of runs that do not stand for the report of their name. No report name has a dot."""


@dataclass(frozen=True, slots=True)
class AnalysisKeys:
    """The keys of the files that the analysis of one execution writes.

    Attributes
    ----------
    parquet_prefix
        Of the Parquet files, and of nothing else.
    parts_prefix
        Of what the parts of a large report leave until they are merged.
    owner_messages
        What the messages to the owners need.
    due_dates
        Of the Parquet file of due dates.
    """

    document: str
    page: str
    fingerprints: str
    names: str
    parquet_prefix: str
    parts_prefix: str
    owner_messages: str
    owner_pages_prefix: str
    due_dates: str

    def owner_page(self, owner: str) -> str:
        """Return the key of an owner's page."""
        return f"{self.owner_pages_prefix}{owner}.html"

    def parquet(self, part: int) -> str:
        """Return the key of a part's Parquet file; parts count from 1."""
        return f"{self.parquet_prefix}{part:04}.parquet"

    def of_part(self, part: int, kind: str) -> str:
        """Return the key of what a part of a large report leaves, such as ``parquet``."""
        return f"{self.parts_prefix}{part:04}.{kind}"


def owner_rules_key(key_prefix: str) -> str:
    """Return the key of the file that says who owns what (:mod:`findings_exporter.model.owner_rules`)."""
    return f"{key_prefix}/config/owners.json"


def reports_key(key_prefix: str) -> str:
    """Return the key of the file that says which reports the schedule starts (:mod:`findings_exporter.model.reports`)."""
    return f"{key_prefix}/config/reports.json"


def summary_keys(key_prefix: str, scheduled_for: datetime, number: int) -> tuple[str, str]:
    """Return the keys of a summary's page and document; a supplement has its number in them."""
    folder, more = f"{key_prefix}/summaries/{scheduled_for:%Y-%m-%d/%H%M}/", f"-{number}" if number else ""
    return f"{folder}index{more}.html", f"{folder}summary{more}.json"


def run_prefix(key_prefix: str, report_name: str, execution: Execution) -> str:
    """Return the prefix under which Inspector writes one run's report."""
    return _folder(key_prefix, "reports", report_name, execution)


def execution_of(prefix: str) -> str | None:
    """Return the id of the execution that a report's prefix may belong to, or None when the exporter makes no such prefix."""
    layout = rf".+/reports/{REPORT_NAME.pattern}/year=\d{{4}}/month=\d\d/day=\d\d/([^/]+)/"
    match = re.fullmatch(layout, prefix, re.ASCII)
    return match[1] if match else None


def report_id_of(key: str, prefix: str) -> str | None:
    """Return the id of the report that an object under a run's prefix holds, or None when Inspector names no object so."""
    match = REPORT_FILE.fullmatch(key.removeprefix(prefix))
    return match[1] if match else None


def analysis_keys(key_prefix: str, report_name: str, execution: Execution, *, is_regular: bool) -> AnalysisKeys:
    """Return the keys of an execution's analysis.

    Parameters
    ----------
    is_regular
        Whether the run stands for the report of its name (:class:`findings_exporter.model.plan.Plan`). The Parquet file of
        any other run lies in a partition of its own, so that Athena's newest run of a report is one that stands for it.
    """
    folder = _folder(key_prefix, "analyses", report_name, execution)
    partition = report_name if is_regular else f"{report_name}{OTHER_RUNS}"
    day = f"report={partition}/day={execution.started_at:%Y-%m-%d}/{execution.id}/"
    return AnalysisKeys(
        document=f"{folder}analysis.json",
        page=f"{folder}index.html",
        fingerprints=f"{folder}findings.fingerprints",
        names=f"{folder}findings.names",
        parquet_prefix=f"{key_prefix}/findings/{day}",
        parts_prefix=f"{folder}parts/",
        owner_messages=f"{folder}owners.json",
        owner_pages_prefix=f"{folder}owners/",
        due_dates=f"{key_prefix}/due/{day}0001.parquet",
    )


def _folder(key_prefix: str, kind: str, report_name: str, execution: Execution) -> str:
    return f"{key_prefix}/{kind}/{report_name}/{execution.started_at:year=%Y/month=%m/day=%d}/{execution.id}/"
