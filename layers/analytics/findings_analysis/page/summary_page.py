"""The page of a summary: totals, then each report of each Region, then owners, with links to the pages of the Regions.

It has the style of the page of a run, no script, and makes no request. What Regions have said is untrusted: it was cleaned when
it came, and Jinja2 escapes it.
"""

from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from findings_analysis.page.localization import PageLocalization, page_localization
from findings_exporter.model.config import Config
from findings_exporter.model.summary import ReportRow, ReportsSummary, SummaryLines
from findings_exporter.model.text import in_mail

_FOLDER = Path(__file__).parent
_STYLE = (_FOLDER / "page.css").read_text(encoding="utf-8") + (_FOLDER / "summary.css").read_text(encoding="utf-8")
_TEMPLATE = Environment(
    loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
).get_template("summary.html.j2")
NUMBERS_OF_REPORTS = ("new", "no_longer_open", "open", "critical", "overdue")
NUMBERS_OF_OWNERS_SHOWN = ("open", "critical", "new", "overdue")
OWNERS_SHOWN = 100


def summary_page(summary: ReportsSummary, event: Mapping[str, Any], lines: SummaryLines, config: Config, now: datetime) -> str:
    """Return the page.

    Parameters
    ----------
    event
        Of the summary, whose numbers the page shows.
    lines
        What it says of them.
    """
    say = page_localization(config.language, config.time_zone)
    totals = event["totals"]
    is_counted = bool(totals["regions"])
    tiles = {
        "new": totals["new"],
        "no_longer_open": totals["no_longer_open"],
        "open": totals["open"] if is_counted else None,
        "critical": totals["by_severity"].get("CRITICAL", 0) if is_counted else None,
        "overdue": totals["overdue"],
    }
    page = _TEMPLATE.render(
        say=say,
        language=config.language,
        title=_title(summary, say),
        state={"PROBLEM": "lost" if lines.problems else "unknown"}.get(summary.level, "active"),
        style=Markup(_STYLE),  # noqa: S704 - our own files; the policy's hash is of the same text
        style_hash=f"sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}",
        lines=lines,
        tiles=[(say(f"summary.{name}"), value) for name, value in tiles.items()],
        columns=[say(f"summary.{name}") for name in NUMBERS_OF_REPORTS],
        rows=[_row(row, row in summary.problems, lines) for row in summary.rows],
        owner_columns=[say(f"summary.{name}") for name in NUMBERS_OF_OWNERS_SHOWN],
        owners=[
            {"owner": each["owner"], "numbers": [each[name] for name in NUMBERS_OF_OWNERS_SHOWN]}
            for each in event["owners"][:OWNERS_SHOWN]
        ],
        owners_are_known=summary.owners is not None,
        notes=summary.notes,
        made=say("summary.made", time=say.time(now.isoformat())),
    )
    return page.encode("utf-8", "replace").decode("utf-8")


def _title(summary: ReportsSummary, say: PageLocalization) -> str:
    if silent := summary.in_state("SILENT"):
        return say("summary.title_silent", len({row.region for row in silent}))
    if summary.problems:
        return say("summary.title_problems", len(summary.problems))
    if summary.without_file:
        return say("summary.title_without_file")
    return say("summary.title_changes" if summary.level == "CHANGES" else "summary.title_well")


def _row(row: ReportRow, is_bad: bool, lines: SummaryLines) -> dict[str, Any]:  # noqa: FBT001 - one of the row's fields
    headline = row.headline
    numbers: list[int | None] = [None] * len(NUMBERS_OF_REPORTS)
    if headline and row.state == "SUCCEEDED" and headline.open is not None:
        overdue = None if headline.overdue is None else sum(headline.overdue.values())
        numbers = [headline.new, headline.no_longer_open, headline.open, headline.by_severity.get("CRITICAL", 0), overdue]
    return {
        "region": row.region,
        "report": row.report,
        "is_expected": row.is_expected,
        "is_bad": is_bad,
        "words": lines.words[row.region, row.report],
        "why": in_mail(headline.cause) if headline and headline.cause and row.state != "SUCCEEDED" else None,
        "url": (headline.page_url or headline.execution_url) if headline else None,
        "numbers": numbers,
    }
