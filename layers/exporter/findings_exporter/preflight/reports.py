"""The file of reports, where a start exports those of a file."""

from datetime import datetime

from findings_exporter.aws.attempts import Unread
from findings_exporter.model.config import Config
from findings_exporter.model.execution import Execution
from findings_exporter.model.layout import reports_key
from findings_exporter.model.notes import Note
from findings_exporter.model.reports import ReportsError, read_reports
from findings_exporter.preflight.check import Check, unread


def reports_file(content: bytes | Unread | None, config: Config, now: datetime) -> Check:
    """Check whether the file of reports can be used.

    The check does not know the parameter FilterCriteria, so that it does not see a report of the name ReportName with another
    filter. The first start does, and says so.
    """
    name, key = "reports", reports_key(config.key_prefix)
    if isinstance(content, Unread):
        return unread(name, content, key=key)
    if content is None:
        return Check(name, "failed", Note("failed.reports_none", key=key), (), (Note("fix.reports", key=key),))
    try:
        reports = read_reports(content, config, Execution(config.all_reports_arn, now), knows_filter=False)
    except ReportsError as error:
        return Check(name, "failed", Note("failed.reports", key=key), error.faults, (Note("fix.reports", key=key),))
    names = [report.name for report in reports]
    return Check(name, "passed", Note("passed.reports", key=key, count=len(names), names=names))
