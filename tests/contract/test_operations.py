"""Alarms, dashboard, saved queries and docs/operations.md fit what the code counts and logs."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from findings_exporter.aws.metrics import BY_REPORT, BY_SEVERITY, BY_STACK, NAMESPACE, SEVERITY_METRICS
from findings_exporter.model.plan import Plan, make_plan
from tests.builders.exporter import config, execution
from tests.builders.rendered import STACK, VARIANTS, Place, Rendered
from tests.contract.parts import ANALYTICS, PACKAGE, TEMPLATE

OVERDUE = {"RemediationDays": '{"CRITICAL": 15}', "OverdueAlarm": "HIGH"}
RENDERED = Rendered(Place(parameters=OVERDUE))
SEVERAL = Rendered(Place(parameters={**OVERDUE, "Reports": "FILE"}))
ONE = RENDERED.of_type("AWS::CloudWatch::Alarm")
ALARMS = ONE | SEVERAL.of_type("AWS::CloudWatch::Alarm")
ALARM_NAMES = [alarm["AlarmName"].replace(f"{STACK}-", "<stack>-", 1) for alarm in ALARMS.values()]
"""As documents write them."""
QUERIES = RENDERED.of_type("AWS::Logs::QueryDefinition")
OPERATIONS = Path("docs/operations.md").read_text(encoding="utf-8")
DIMENSIONS = {
    **{key: {"report": "nightly", "service": STACK} for key in BY_REPORT},
    **{key: {"service": STACK} for key in BY_STACK},
    **{key: {"lowest_severity": "HIGH", "report": "nightly", "service": STACK} for key in BY_SEVERITY},
}
"""What a metric of the nightly report is written with; those by severity, with one of the severities."""


def dashboard(place: Place | None = None) -> dict[str, Any]:
    (found,) = Rendered(place or RENDERED.place).of_type("AWS::CloudWatch::Dashboard").values()
    body: dict[str, Any] = json.loads(found["DashboardBody"])
    return body


def drawn() -> Iterator[tuple[str, str, dict[str, str]]]:
    """Namespace, name and dimensions of every metric of the dashboard."""
    for widget in dashboard()["widgets"]:
        for metric in widget["properties"].get("metrics", []):
            if isinstance(metric[0], str):
                namespace, name, *pairs = [each for each in metric if isinstance(each, str)]
                yield namespace, name, dict(zip(pairs[::2], pairs[1::2], strict=True))


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_says_where_and_what_happened_then_the_steps_then_a_link_and_goes_to_the_alarm_topic(name: str) -> None:
    alarm = ALARMS[name]
    assert alarm["AlarmActions"] == [RENDERED.arn("AlarmTopic")]
    assert re.fullmatch(
        r"(Report nightly|Stack findings|Account \d{12}) in eu-west-1: [^$]+\. 1\. [^$]+ 2\. [^$]+\."
        r" https://eu-west-1\.console\.aws\.amazon\.com/\S+",
        alarm["AlarmDescription"],
    )
    assert re.fullmatch(rf"{STACK}-[a-z-]+", alarm["AlarmName"])


@pytest.mark.parametrize("name", ALARMS)
def test_a_name_and_a_description_fit_whatever_the_stack_and_its_report_are_called(name: str) -> None:
    alarm = ALARMS[name]
    longest = alarm["AlarmDescription"].replace(STACK, "s" * 128).replace("nightly", "r" * 63).replace("eu-west-1", "r" * 14)
    assert len(longest) <= 1024
    assert len(alarm["AlarmName"]) + 128 <= 255


def test_the_alarm_of_a_missing_report_names_the_report_and_the_hours() -> None:
    place = Place(parameters={"ReportName": "weekly", "ExpectedExportHours": "168"})
    result = Rendered(place).of_type("AWS::CloudWatch::Alarm")["NoExportAlarm"]["AlarmDescription"]
    assert result.startswith("Report weekly in eu-west-1: ")
    assert "for 168 hours." in result


def test_what_watches_summaries_is_documented_for_a_stack_without_a_home_region() -> None:
    assert "MissingSummaryAlarm" in SEVERAL.of_type("AWS::CloudWatch::Alarm")  # Reports: FILE, and no HomeRegion
    named = [line for line in OPERATIONS.splitlines() if line.startswith(("| `SummariesMissing`", "| `<stack>-missing-summary`"))]
    assert ["`Reports: FILE` and no `HomeRegion`" in line for line in named] == [True, True]


def test_alarms_have_names_of_their_own() -> None:
    assert len({alarm["AlarmName"] for alarm in ALARMS.values()}) == len(ALARMS) == 12


@pytest.mark.parametrize("name", [name for name, alarm in ALARMS.items() if alarm["Namespace"] == NAMESPACE])
def test_an_alarm_watches_a_metric_that_the_code_writes_under_these_dimensions(name: str) -> None:
    alarm = ALARMS[name]
    assert {each["Name"]: each["Value"] for each in alarm["Dimensions"]} == DIMENSIONS[alarm["MetricName"]]


def test_the_dashboard_draws_metrics_that_the_code_writes_under_these_dimensions() -> None:
    ours = [(name, dimensions) for namespace, name, dimensions in drawn() if namespace == NAMESPACE]
    assert len(ours) > 15
    plain = [
        (name, each | ({"lowest_severity": "HIGH"} if each.get("lowest_severity") in SEVERITY_METRICS else {}))
        for name, each in ours
    ]
    assert [each for each in plain if DIMENSIONS.get(each[0]) != each[1]] == []


def test_the_dashboard_draws_the_functions_and_the_workflow_of_the_stack() -> None:
    functions = {f"{STACK}-{name}" for name in RENDERED.of_type("AWS::Lambda::Function")}
    of_lambda = [(name, each.get("FunctionName", "")) for namespace, name, each in drawn() if namespace == "AWS/Lambda"]
    # As the alarm on them does, it counts throttled calls of the account: its functions share one concurrency.
    assert sorted(of_lambda) == sorted([("Throttles", ""), *(("Errors", each) for each in functions)])
    machines = {each["StateMachineArn"] for namespace, _, each in drawn() if "StateMachineArn" in each}
    assert machines == {RENDERED.arn("ExportFindings")}


@pytest.mark.parametrize(("rendered", "machine"), [(RENDERED, "ExportFindings"), (SEVERAL, "ExportAllReports")])
def test_an_alarm_about_a_schedule_names_the_state_machine_that_the_schedule_starts(rendered: Rendered, machine: str) -> None:
    text = rendered.of_type("AWS::CloudWatch::Alarm")["DeadLetterAlarm"]["AlarmDescription"]
    assert f"start an execution of {STACK}-{machine} with the input {{}}" in text


def test_the_alarm_and_the_dashboard_give_no_input_for_a_run_that_may_have_had_another() -> None:
    for rendered in (RENDERED, SEVERAL):
        assert "{}" not in rendered.of_type("AWS::CloudWatch::Alarm")["ExportAlarm"]["AlarmDescription"]
        assert "input {}" not in json.dumps(dashboard(rendered.place))


def test_the_dashboard_is_within_the_free_tier() -> None:
    assert len(list(drawn())) <= 50  # [AWS: CloudWatch pricing, free tier]


def test_the_dashboard_shows_every_alarm() -> None:
    (shown,) = [widget["properties"]["alarms"] for widget in dashboard()["widgets"] if widget["type"] == "alarm"]
    assert sorted(shown) == sorted(map(RENDERED.arn, RENDERED.of_type("AWS::CloudWatch::Alarm")))
    several = SEVERAL.of_type("AWS::CloudWatch::Alarm")
    (shown,) = [each["properties"]["alarms"] for each in dashboard(SEVERAL.place)["widgets"] if each["type"] == "alarm"]
    assert {"MissingReportsAlarm", "MissingSummaryAlarm"} <= several.keys()
    assert sorted(shown) == sorted(map(SEVERAL.arn, several))


def test_the_dashboards_widgets_lie_beside_each_other() -> None:
    taken = [
        (x, y)
        for widget in dashboard()["widgets"]
        for x in range(widget["x"], widget["x"] + widget["width"])
        for y in range(widget["y"], widget["y"] + widget["height"])
    ]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) == 23


def test_the_dashboard_can_be_switched_off() -> None:
    off = Rendered(Place(parameters={"Dashboard": "OFF"}))
    assert off.of_type("AWS::CloudWatch::Dashboard") == {}
    assert "DashboardConsole" not in off.outputs


@pytest.mark.parametrize("severity", SEVERITY_METRICS)
def test_the_alarm_on_overdue_findings_watches_the_severity_that_was_chosen_and_worse(severity: str) -> None:
    place = Place(parameters=OVERDUE | {"OverdueAlarm": severity})
    alarm = Rendered(place).of_type("AWS::CloudWatch::Alarm")["OverdueFindingsAlarm"]
    assert {"Name": "lowest_severity", "Value": severity} in alarm["Dimensions"]
    assert f"findings of severity {severity} or worse were not fixed" in alarm["AlarmDescription"]


def test_without_a_choice_no_alarm_watches_overdue_findings_and_the_dashboard_shows_none() -> None:
    off = Rendered()
    assert set(ONE) - set(off.of_type("AWS::CloudWatch::Alarm")) == {"OverdueFindingsAlarm"}
    (shown,) = [each["properties"]["alarms"] for each in dashboard(Place())["widgets"] if each["type"] == "alarm"]
    assert sorted(shown) == sorted(map(off.arn, off.of_type("AWS::CloudWatch::Alarm")))


@pytest.mark.parametrize("parameters", [{"ScheduleState": "DISABLED"}, {"ExpectedExportHours": "0"}])
def test_where_no_export_is_expected_none_is_missed(parameters: dict[str, str]) -> None:
    place = Place(parameters=OVERDUE | parameters)
    quiet = Rendered(place)
    assert set(ONE) - set(quiet.of_type("AWS::CloudWatch::Alarm")) == {"NoExportAlarm"}
    several = Rendered(Place(parameters={**place.parameters, "Reports": "FILE"})).of_type("AWS::CloudWatch::Alarm")
    assert not {"NoExportAlarm", "MissingReportsAlarm", "MissingSummaryAlarm"} & several.keys()
    variables = quiet.of_type("AWS::Lambda::Function")["CleanUpFunction"]["Environment"]["Variables"]
    assert variables["EXPECTED_REPORT"] == ""
    (shown,) = [widget["properties"]["alarms"] for widget in dashboard(place)["widgets"] if widget["type"] == "alarm"]
    assert RENDERED.arn("NoExportAlarm") not in shown


def test_a_missed_export_is_reported_by_zeros_alone_so_that_a_new_stack_fires_no_alarm() -> None:
    alarm = ALARMS["NoExportAlarm"]
    assert (alarm["Period"], alarm["EvaluationPeriods"], alarm["Statistic"]) == (3600, "26", "Sum")
    assert (alarm["ComparisonOperator"], alarm["Threshold"], alarm["TreatMissingData"]) == (
        "LessThanThreshold",
        1,
        "notBreaching",
    )
    assert "DatapointsToAlarm" not in alarm  # all of them
    assert 3600 * TEMPLATE["Parameters"]["ExpectedExportHours"]["MaxValue"] <= 604_800
    variables = RENDERED.of_type("AWS::Lambda::Function")["CleanUpFunction"]["Environment"]["Variables"]
    assert variables["EXPECTED_REPORT"] == alarm["Dimensions"][0]["Value"] == "nightly"


def test_an_hourly_cleanup_that_stops_is_reported_by_the_lack_of_data_which_a_new_alarm_begins_with() -> None:
    alarm = ALARMS["HourlyCleanupAlarm"]
    assert (alarm["TreatMissingData"], alarm["InsufficientDataActions"]) == ("missing", alarm["AlarmActions"])
    assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": f"{STACK}-CleanUpFunction"}]


def test_saved_queries_look_into_every_functions_log() -> None:
    functions = {f"{STACK}-{name}" for name in RENDERED.of_type("AWS::Logs::LogGroup") if name != "ExportFindingsLogGroup"}
    assert len(QUERIES) == 3
    assert all(functions <= set(query["LogGroupNames"]) for query in QUERIES.values())
    assert all(query["Name"].startswith(f"{STACK}/") for query in QUERIES.values())


def test_saved_queries_ask_for_what_the_log_has() -> None:
    step = (PACKAGE / "aws" / "handler.py").read_text(encoding="utf-8")
    keys = {node.value for node in ast.walk(ast.parse(step)) if isinstance(node, ast.Constant)}
    keys |= {each.arg for each in ast.walk(ast.parse(step)) if isinstance(each, ast.keyword)}
    assert {"step done", "seconds", "state", "error", "call", "code", "execution", "function"} <= keys
    assert "message = 'step done'" in QUERIES["SlowStepsQuery"]["QueryString"]
    assert "execution = 'NAME-OF-THE-EXECUTION'" in QUERIES["RunQuery"]["QueryString"]


def test_only_one_module_writes_metrics() -> None:
    paths = [*PACKAGE.rglob("*.py"), *ANALYTICS.rglob("*.py")]
    assert [path.name for path in paths if "add_metric(" in path.read_text(encoding="utf-8")] == ["metrics.py"]


@pytest.mark.parametrize(
    "names", [[*BY_REPORT, *BY_STACK, *BY_SEVERITY], ALARM_NAMES, list(TEMPLATE["Parameters"]), [q["Name"].split("/")[1] for q in QUERIES.values()]],
    ids=["metrics", "alarms", "parameters", "queries"],
)  # fmt: skip
def test_everything_that_is_operated_is_in_the_document(names: list[str]) -> None:
    text = OPERATIONS if "ScheduleState" not in names else OPERATIONS + Path("docs/configuration.md").read_text(encoding="utf-8")
    assert [name for name in names if f"`{name}`" not in text and f"*{name}*" not in text] == []


def test_the_document_names_what_exists() -> None:
    section = OPERATIONS.split("## The metrics")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)`", section, re.MULTILINE)) == {*BY_REPORT, *BY_STACK, *BY_SEVERITY}
    alarms = OPERATIONS.split("## The alarms")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| `(<stack>-[\w-]+)`", alarms, re.MULTILINE)) == set(ALARM_NAMES)
    assert set(re.findall(r"<([A-Z]\w+)>", OPERATIONS)) <= {*TEMPLATE["Outputs"], *TEMPLATE["Parameters"], *RENDERED.resources}


def test_the_second_schedule_of_the_document_is_one_that_the_workflow_accepts() -> None:
    (target,) = [json.loads(text) for text in re.findall(r"^```json\n(.*?)^```$", OPERATIONS, re.MULTILINE | re.DOTALL)]
    of_the_stack = RENDERED.of_type("AWS::Scheduler::Schedule")["ExportFindingsNightly"]["Target"]
    assert target.keys() <= of_the_stack.keys()
    run_input = json.loads(target["Input"])
    assert run_input["schedule"] == json.loads(of_the_stack["Input"])["schedule"]
    run_input["schedule"] = {
        "scheduled_for": execution().started_at.isoformat(),
        "arn": "arn:aws:scheduler:eu-west-1:111122223333:schedule/default/x",
    }
    plan = make_plan(run_input, config(), execution())
    assert isinstance(plan, Plan), plan
    assert (plan.report_name, plan.is_scheduled, plan.is_regular) == ("weekly-critical", True, True)


def test_the_cost_counts_the_metrics_alarms_and_dashboard_that_exist() -> None:
    cost = OPERATIONS.split("## Cost")[1]
    alarms = Rendered().of_type("AWS::CloudWatch::Alarm")  # that every stack has
    seldom = {"StepsFailed", "ReportsMissing", "SummariesMissing", "SummariesSent"}
    others = len(BY_REPORT) - 1 + len(BY_STACK) - len(seldom)
    assert f"| {others} other metrics ({len(BY_REPORT) - 1} by report, {len(BY_STACK) - len(seldom)} of the stack)" in cost
    assert f"| {len(alarms)} alarms | {len(alarms) * 0.10:.2f} (0.10 each) |" in cost
    metrics = {(namespace, name, *dimensions.items()) for namespace, name, dimensions in drawn()}
    assert f"| 1 dashboard of {len(metrics)} metrics | 3.00 |" in cost
    by_hour, whole = (1.00 + len(alarms) * 0.10 + 3.00 + 0.30 + others * 0.30 / share for share in (24, 1))
    assert f"= {by_hour:.2f} |" in cost
    assert f"= {whole:.2f} |" in cost
    assert f"= {1.00 + (others + 1 - 10) * 0.30:.2f}, because 10 of {others + 1} metrics are free |" in cost
    by_severity = len(BY_SEVERITY) * len(SEVERITY_METRICS)
    assert f"`RemediationDays` adds {by_severity} metrics by report, {by_severity * 0.30:.2f} a month" in " ".join(cost.split())
    assert f"adds {len(BY_REPORT)} metrics: {len(BY_REPORT) * 0.30:.2f} a month" in cost


def test_the_readme_and_the_cost_section_have_the_same_totals() -> None:
    (totals,) = re.findall(r"are (5\.\d+), (\d+\.\d+), (\d+\.\d+) and (\d+\.\d+)\.", OPERATIONS)
    cost = Path("README.md").read_text(encoding="utf-8").partition("## Cost")[2].partition("\n## ")[0]
    before, unused = totals[::2], totals[1::2]
    assert "| before free tiers | " + " | ".join(f"USD {each}" for each in before) + " |" in cost
    assert "are unused | " + " | ".join(f"USD {each}" for each in unused) + " |" in cost


@pytest.mark.parametrize("title", ["Change the bucket", "Change the key"])
def test_another_bucket_or_key_takes_along_what_runs_and_queries_read(title: str) -> None:
    section = OPERATIONS.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    assert "`make config`" in section
    tables = Rendered(VARIANTS["Athena"]).of_type("AWS::Glue::Table").values()
    folders = [each["TableInput"]["StorageDescriptor"]["Location"].split("/")[-2] for each in tables]
    assert f"for folder in {' '.join(folders)}; do" in section
