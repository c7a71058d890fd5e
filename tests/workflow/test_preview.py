"""A preview shows what an export then holds, on the deployed stack and with its role's rights."""

import json

from tests.local_aws.deployed_exporter import Exporter
from tests.local_aws.inspector_control import InspectorControl
from tests.local_aws.server import REPOSITORY

HIGH = {"report": {"name": "high", "filter_criteria": {"severity": [{"comparison": "EQUALS", "value": "HIGH"}]}}}


def test_a_preview_counts_what_the_export_holds_and_then_knows_how_long_it_took(
    exporter: Exporter, inspector: InspectorControl
) -> None:
    first = exporter.invoke("PreviewExportFunction", HIGH)
    assert (first["result"], first["recent_runs"]["runs"]) == ("previewed", [])
    assert exporter.executions() == []

    ended = exporter.run(HIGH)

    assert ended.status == "SUCCEEDED", ended.cause
    held = len(json.loads(exporter.read(ended.output["delivery"]["key"]))["findings"])
    assert first["count"]["is_exact"]
    assert first["count"]["total"] == first["count"]["by_severity"]["HIGH"] == held > 0
    (run,) = exporter.invoke("PreviewExportFunction", HIGH)["recent_runs"]["runs"]
    assert run["open_findings"] == held


def test_many_findings_are_counted_by_inspector_and_by_pages_where_it_cannot(
    exporter: Exporter, inspector: InspectorControl
) -> None:
    active = inspector.seed(findings=450, seed=7)["active"]
    everything = exporter.invoke("PreviewExportFunction", json.loads((REPOSITORY / "events/manual.json").read_text()))
    assert (everything["count"]["total"], everything["count"]["counted_by"]) == (active, "ListFindingAggregations")
    listed = {"report": {"filter_criteria": {"title": [{"comparison": "PREFIX", "value": "C"}]}}}
    count = exporter.invoke("PreviewExportFunction", listed)["count"]
    assert (count["total"], count["is_exact"]) == (len(inspector.findings(listed["report"]["filter_criteria"])), True)
    assert count["counted_by"] == "ListFindings"
    assert len(everything["findings"]) == 10


def test_the_report_in_progress_the_schedule_and_throttling_are_shown(exporter: Exporter, inspector: InspectorControl) -> None:
    report = inspector.external_report()
    inspector.misbehave("throttle", operation="list", times=None)
    made = exporter.invoke(
        "PreviewExportFunction", {"report": {"filter_criteria": {"title": [{"comparison": "PREFIX", "value": "C"}]}}}
    )
    assert made["in_progress"]["report"]["report_id"] == report
    (schedule,) = made["schedules"]["schedules"]
    there = exporter.client("scheduler").get_schedule(Name=exporter.resource("ExportFindingsNightly"))
    assert schedule == {
        "name": there["Name"],
        "expression": there["ScheduleExpression"],
        "time_zone": there["ScheduleExpressionTimezone"],
        "state": there["State"],
    }
    assert (made["count"]["is_exact"], made["count"]["stopped_by"]) == (False, "throttled")
    assert "throttled it" in " ".join(made["text"])
