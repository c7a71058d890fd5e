"""The page of a run: its analysis, links to its files, and the trend of the runs before."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

from findings_analysis.page.rendering import render
from findings_exporter.model.config import Config
from findings_exporter.model.plan import Plan
from findings_exporter.model.run import Run

TREND_RUNS = 30
OPEN_FINDINGS_QUERY = "All open findings"
"""The saved query of the template that lists them all."""
TREND_LINES_READ = 2_000
"""Lines of the history that are read for it: with more between the runs, a trend is shorter."""


class PageOf(NamedTuple):
    """Whose page it is.

    Attributes
    ----------
    owner
        None for the run's own.
    owner_links
        Addresses of the owners' pages, for the run's own.
    links
        Addresses of the run's files.
    open_rows
        The worst open findings.
    """

    owner: str | None
    owner_links: Mapping[str, str]
    links: Mapping[str, str | None]
    open_rows: Sequence[Mapping[str, Any]]


def page_of(
    run: Run,
    config: Config,
    now: datetime,
    analysis: Mapping[str, Any],
    history: Iterable[Mapping[str, Any]],
    of: PageOf,
) -> str:
    """Return the page of a run, or of one of its owners."""
    facts = {
        "deployment": {"account": config.account, "region": config.region, "stack": config.stack},
        "links": of.links,
        "duration_seconds": round((now - run.execution.started_at).total_seconds()),
        "time_zone": config.time_zone,
        "owner": of.owner,
        "owner_links": of.owner_links,
        "athena_query": OPEN_FINDINGS_QUERY if _is_queried(run.require_plan(), config) else None,
    }
    runs = trend(history, run, analysis) if of.owner is None else []
    open_findings = {"count": analysis["statistics"]["open"], "rows": of.open_rows}
    return render(analysis, runs, facts, config.language, open_findings)


def _is_queried(plan: Plan, config: Config) -> bool:
    """Tell whether the saved queries answer for a run: they name the report of the parameters, without runs of other filters."""
    return config.has_athena and plan.is_regular and plan.report_name == config.defaults.report_name


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
        "by_severity": dict(analysis["statistics"]["by_severity"]),
        "is_uncertain": analysis["coverage_status"]["state"] != "active",
    }
    return [*reversed(runs_before), this]
